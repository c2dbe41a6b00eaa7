/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Reclaim: visible revocation. An env is asked for pages, and past a deadline
 * frames are taken from it and written down.
 *
 *	shrinker, OOM notifier   EXO_CMD_ENV_ASK   EXO_CMD_POLICY_SET
 *	        \                      |                 /
 *	         +-----> ask: event, deadline, nr_asked
 *	                               |
 *	   library closes handles      |  deadline
 *	   nr_asked goes down to 0     |  whole frames, oldest first, down to
 *	                               v  EXO_ENV_MIN_PAGES: repossessed
 */
#ifndef EXO_KMOD_RECLAIM_H
#define EXO_KMOD_RECLAIM_H

#include <linux/types.h>
#include <linux/uidgid.h>

#include "event.h"

struct exo_env;

int exo_reclaim_init(void);
void exo_reclaim_exit(void);
void exo_reclaim_user(kuid_t uid, u64 nr_pages, u32 timeout_ms);

#endif /* EXO_KMOD_RECLAIM_H */
