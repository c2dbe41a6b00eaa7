/* SPDX-License-Identifier: GPL-2.0 */
/* io_uring commands: what differs between kernels. */
#ifndef EXO_KMOD_COMPAT_URING_H
#define EXO_KMOD_COMPAT_URING_H

#include <linux/io_uring.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 8, 0)
#include <linux/io_uring/cmd.h>
#endif

#include <linux/exo.h>

/* The entry lies in memory shared with the caller: each word is read once. */
static inline void exo_uring_payload(const struct io_uring_cmd *ioucmd,
				     struct exo_uring_cmd *payload)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 19, 0)
	const struct exo_uring_cmd *shared =
		io_uring_sqe_cmd(ioucmd->sqe, struct exo_uring_cmd);
#elif LINUX_VERSION_CODE >= KERNEL_VERSION(6, 6, 0)
	const struct exo_uring_cmd *shared = io_uring_sqe_cmd(ioucmd->sqe);
#else
	const struct exo_uring_cmd *shared = ioucmd->cmd;
#endif
	payload->arg = READ_ONCE(shared->arg);
	payload->reserved = READ_ONCE(shared->reserved);
}

/* Ends an entry, in the context that io_uring chose. */
static inline void exo_uring_done(struct io_uring_cmd *ioucmd, s32 res,
				  unsigned int issue_flags)
{
	io_uring_cmd_done(ioucmd, res, 0, issue_flags);
}

/* Has @fn(ioucmd, issue_flags) called in the submitter's context, to end it. */
static inline void exo_uring_in_task(struct io_uring_cmd *ioucmd,
				     void (*fn)(struct io_uring_cmd *ioucmd,
						unsigned int issue_flags))
{
	io_uring_cmd_complete_in_task(ioucmd, fn);
}

#endif /* EXO_KMOD_COMPAT_URING_H */
