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
#ifdef io_uring_sqe_cmd
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
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 18, 0)
	io_uring_cmd_done(ioucmd, res, issue_flags);
#else
	io_uring_cmd_done(ioucmd, res, 0, issue_flags);
#endif
}

/*
 * EXO_URING_TASK_FN(name, fn) defines name, which is for
 * io_uring_cmd_complete_in_task(): it calls fn(ioucmd, issue_flags). From 6.19
 * the kernel hands over what the entry is part of instead.
 */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 19, 0)
#define EXO_URING_TASK_FN(name, fn)					\
static void name(struct io_tw_req tw_req, io_tw_token_t tw)		\
{									\
	fn(io_uring_cmd_from_tw(tw_req),				\
	   IO_URING_CMD_TASK_WORK_ISSUE_FLAGS);				\
}
#else
#define EXO_URING_TASK_FN(name, fn)					\
static void name(struct io_uring_cmd *ioucmd, unsigned int issue_flags)	\
{									\
	fn(ioucmd, issue_flags);					\
}
#endif

#endif /* EXO_KMOD_COMPAT_URING_H */
