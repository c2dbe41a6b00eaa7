// SPDX-License-Identifier: GPL-2.0
/*
 * Refusal: an errno says that a capability was refused, this says by which
 * bound. Each env remembers its last one; others cannot see it.
 */
#include <linux/string.h>

#include "command.h"
#include "env.h"
#include "refusal.h"

static const int errno_of[] = {
	[EXO_REFUSED_HANDLE]		= -ENOENT,
	[EXO_REFUSED_TYPE]		= -EBADF,
	[EXO_REFUSED_REVOKED]		= -ESTALE,
	[EXO_REFUSED_EXPIRED]		= -ESTALE,
	[EXO_REFUSED_REPOSSESSED]	= -ESTALE,
	[EXO_REFUSED_RIGHTS]		= -EACCES,
	[EXO_REFUSED_RANGE]		= -EINVAL,
	[EXO_REFUSED_DEPTH]		= -EMLINK,
	[EXO_REFUSED_TREE]		= -EDQUOT,
};

/**
 * exo_refuse() - remember a refusal
 * @refusals: of the env
 * @handle: the handle in question
 * @why: what was wrong, not EXO_REFUSED_NOT
 *
 * Context: any but interrupt. Return: the errno that goes with the reason.
 */
int exo_refuse(struct exo_refusals *refusals, u32 handle,
	       const struct exo_refusal_reason *why)
{
	struct exo_refusal *last = &refusals->last;

	spin_lock(&refusals->lock);
	last->out_reason = why->reason;
	last->out_command = 0;
	last->out_handle = handle;
	last->out_level = why->level;
	last->out_want = why->want;
	last->out_have = why->have;
	last->out_type = why->type;
	last->out_nr++;
	WRITE_ONCE(refusals->by, current);
	spin_unlock(&refusals->lock);
	return errno_of[why->reason];
}

/**
 * exo_refusal_set_command() - the refused task was running this command
 * @refusals: of the env
 * @nr: _IOC_NR of the command
 *
 * Context: any but interrupt.
 */
void exo_refusal_set_command(struct exo_refusals *refusals, u32 nr)
{
	spin_lock(&refusals->lock);
	if (refusals->by == current) {
		refusals->last.out_command = nr;
		WRITE_ONCE(refusals->by, NULL);
	}
	spin_unlock(&refusals->lock);
}

/**
 * exo_refusal() - EXO_CMD_REFUSAL
 * @cmd: struct exo_refusal
 *
 * Return: 0.
 */
int exo_refusal(struct exo_command *cmd)
{
	struct exo_refusals *refusals = &cmd->env->refusals;
	struct exo_refusal *arg = cmd->arg;
	u32 bytes = arg->size;

	spin_lock(&refusals->lock);
	*arg = refusals->last;
	spin_unlock(&refusals->lock);
	arg->size = bytes;
	return 0;
}
