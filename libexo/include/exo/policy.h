/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Policy: what the administrator lets each user have. For a user without an
 * entry RLIMIT_MEMLOCK and the module's ceiling alone count.
 */
#ifndef EXO_POLICY_H
#define EXO_POLICY_H

#include <exo/env.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * exo_policy_set() - set what a user may
 * @env: the env, with CAP_SYS_ADMIN
 * @policy: replaces what was set for policy->uid
 * @timeout_ms: when the user holds more than max_pages: it is asked for the
 *              rest, and after that time the module takes it
 *
 * Return: 0; -EPERM; -EINVAL; -ENOMEM.
 */
int exo_policy_set(struct exo_env *env, const struct exo_policy *policy,
		   __u32 timeout_ms);

/**
 * exo_policy_forget() - as if nothing had been set for a user
 * @env: the env, with CAP_SYS_ADMIN
 * @uid: the user, in the initial user namespace
 *
 * Return: 0; -EPERM; -ENOENT nothing was.
 */
int exo_policy_forget(struct exo_env *env, __u32 uid);

/**
 * exo_policy_list() - all users with a policy
 * @env: the env, with CAP_SYS_ADMIN
 * @out_policies: an array for free(3); NULL when there are none
 *
 * Return: how many; -EPERM; -ENOMEM.
 */
int exo_policy_list(struct exo_env *env, struct exo_policy **out_policies);

#ifdef __cplusplus
}
#endif

#endif /* EXO_POLICY_H */
