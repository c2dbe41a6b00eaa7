/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Policy: what each user may, and how many pages it holds. The user is that of
 * the env's opener, whoever uses the env's file now.
 */
#ifndef EXO_KMOD_POLICY_H
#define EXO_KMOD_POLICY_H

#include <linux/types.h>
#include <linux/uidgid.h>

int exo_policy_charge(kuid_t uid, u64 nr_pages);
void exo_policy_uncharge(kuid_t uid, u64 nr_pages);
bool exo_policy_allows(kuid_t uid, u32 allow);

#endif /* EXO_KMOD_POLICY_H */
