/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* Commands through io_uring: one at a time, or as many as a ring takes. */
#ifndef EXO_SELFTESTS_EXO_URING_H
#define EXO_SELFTESTS_EXO_URING_H

#include <liburing.h>

#include "exo_test.h"

/* False if the host does not let us. */
MAYBE_UNUSED static bool uring_new(struct io_uring *u, unsigned int entries,
				   unsigned int flags)
{
	struct io_uring_params p = { .flags = flags };
	int rc = io_uring_queue_init_params(entries, u, &p);

	if (rc)
		diag("io_uring: %s", strerror(-rc));
	return !rc;
}

/* Put a command into the queue; @arg stays valid until its completion. */
MAYBE_UNUSED static void uring_prep(struct io_uring *u, int env,
				    unsigned long cmd, const void *arg,
				    uint64_t user_data)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(u);
	struct exo_uring_cmd *c;

	if (!sqe)
		bail("io_uring: no entry");
	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = IORING_OP_URING_CMD;
	sqe->fd = env;
	sqe->cmd_op = cmd;
	sqe->user_data = user_data;
	c = (void *)sqe->cmd;
	c->arg = (uintptr_t)arg;
}

MAYBE_UNUSED static int32_t uring_next(struct io_uring *u, uint64_t *user_data)
{
	struct __kernel_timespec ts = { .tv_sec = 20 };
	struct io_uring_cqe *cqe;
	int32_t res;
	int rc;

	do {
		rc = io_uring_wait_cqe_timeout(u, &cqe, &ts);
	} while (rc == -EINTR);
	if (rc)
		bail("io_uring: wait: %s", strerror(-rc));
	res = cqe->res;
	if (user_data)
		*user_data = cqe->user_data;
	io_uring_cqe_seen(u, cqe);
	return res;
}

/* One command, waited for. */
MAYBE_UNUSED static int32_t uring_do(struct io_uring *u, int env,
				     unsigned long cmd, const void *arg)
{
	uring_prep(u, env, cmd, arg, 0);
	io_uring_submit(u);
	return uring_next(u, NULL);
}

#endif /* EXO_SELFTESTS_EXO_URING_H */
