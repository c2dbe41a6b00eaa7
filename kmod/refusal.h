/* SPDX-License-Identifier: GPL-2.0 */
/* Refusal: why a capability was refused last, for the library to read. */
#ifndef EXO_KMOD_REFUSAL_H
#define EXO_KMOD_REFUSAL_H

#include <linux/sched.h>
#include <linux/spinlock.h>

#include <linux/exo.h>

/**
 * struct exo_refusal_reason - one refusal, while it is being found
 * @reason: EXO_REFUSED_*, EXO_REFUSED_NOT if all is well
 * @level: steps up to the capability that ended
 * @want: see EXO_REFUSED_*
 * @have: likewise
 * @type: EXO_TYPE_* of the object, with EXO_REFUSED_RANGE
 */
struct exo_refusal_reason {
	u32 reason;
	u32 level;
	u64 want;
	u64 have;
	u32 type;
};

/**
 * struct exo_refusals - the last one of an env
 * @lock: guards the rest
 * @last: what EXO_CMD_REFUSAL answers
 * @by: task that was refused; its dispatcher adds the command
 */
struct exo_refusals {
	spinlock_t lock;
	struct exo_refusal last;
	struct task_struct *by;
};

int exo_refuse(struct exo_refusals *refusals, u32 handle,
	       const struct exo_refusal_reason *why);
void exo_refusal_set_command(struct exo_refusals *refusals, u32 nr);

/**
 * exo_refusal_note_command() - which command of this task was refused
 * @refusals: of the env
 * @nr: _IOC_NR of the command that has just run
 *
 * Context: any but interrupt.
 */
static inline void exo_refusal_note_command(struct exo_refusals *refusals,
					    u32 nr)
{
	if (unlikely(READ_ONCE(refusals->by) == current))
		exo_refusal_set_command(refusals, nr);
}

#endif /* EXO_KMOD_REFUSAL_H */
