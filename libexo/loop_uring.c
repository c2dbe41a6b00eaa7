// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Loop backend on io_uring: one POLL_ADD a descriptor, armed again after each
 * event by the call that sleeps anyway, so that events are level-triggered as
 * with poll(2) (a multishot poll would tell of edges only).
 *
 * The ring is made without IORING_SETUP_COOP_TASKRUN and DEFER_TASKRUN: then a
 * completion interrupts whatever call the thread sleeps in, which is what lets
 * a foreign descriptor end the wait hook's ioctl early.
 */
#include <errno.h>
#include <liburing.h>
#include <stdlib.h>

#include "loop_impl.h"

#define RING_ENTRIES	64
#define NOBODY		(~0ULL)		/* user_data of removals */
#define NSEC_PER_SEC	1000000000ULL

static int uring_init(struct exo_loop *loop)
{
	struct io_uring *ring = calloc(1, sizeof(*ring));
	int rc;

	if (!ring)
		return -ENOMEM;
	rc = loop->sys->uring_init(loop->sys, RING_ENTRIES, ring, 0);
	if (rc) {
		free(ring);
		return rc;
	}
	loop->backend_data = ring;
	return 0;
}

static void uring_exit(struct exo_loop *loop)
{
	loop->sys->uring_exit(loop->sys, loop->backend_data);
	free(loop->backend_data);
}

static __u64 tag(const struct exo_loop *loop, __u32 i)
{
	return (__u64)loop->watch[i].gen << 32 | i;
}

static struct io_uring_sqe *get_sqe(struct io_uring *ring)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

	if (!sqe && io_uring_submit(ring) > 0)
		sqe = io_uring_get_sqe(ring);
	return sqe;
}

/*
 * Without an entry to spare the poll stays with the kernel, and with it the
 * file, until it fires; its event is for a generation that is over.
 */
static void uring_forget(struct exo_loop *loop, __u32 i)
{
	struct io_uring *ring = loop->backend_data;
	struct io_uring_sqe *sqe;

	if (!loop->watch[i].armed)
		return;
	loop->watch[i].armed = false;
	sqe = get_sqe(ring);
	if (!sqe)
		return;
	io_uring_prep_poll_remove(sqe, tag(loop, i));
	io_uring_sqe_set_data64(sqe, NOBODY);
	/* now: the caller may close the descriptor, and others wait for that */
	io_uring_submit(ring);
}

static int arm(struct exo_loop *loop, bool env)
{
	struct io_uring *ring = loop->backend_data;
	struct io_uring_sqe *sqe;
	struct exo_watch *w;
	__u32 i;

	for (i = env ? ENV_WATCH : ENV_WATCH + 1; i < loop->nr_watch; i++) {
		w = &loop->watch[i];
		if (w->fd < 0 || w->armed)
			continue;
		sqe = get_sqe(ring);
		if (!sqe)
			return -EAGAIN;
		io_uring_prep_poll_add(sqe, w->fd, w->events);
		io_uring_sqe_set_data64(sqe, tag(loop, i));
		w->armed = true;
	}
	return 0;
}

/* A descriptor that cannot be polled tells its owner, as poll(2) would. */
static void complete(struct exo_loop *loop, __u64 data, int res)
{
	__u32 i = (__u32)data;

	if (data == NOBODY || loop->watch[i].gen != data >> 32)
		return;
	loop->watch[i].armed = false;
	exo_loop_dispatch(loop, i, data >> 32,
			  res < 0 ? POLLNVAL : (unsigned int)res);
}

/* What was there at the start: callbacks that make more cannot starve others */
static void drain(struct exo_loop *loop)
{
	struct io_uring *ring = loop->backend_data;
	unsigned int nr = io_uring_cq_ready(ring);
	struct io_uring_cqe *cqe;
	__u64 data;
	int res;

	while (nr-- && !io_uring_peek_cqe(ring, &cqe)) {
		data = cqe->user_data;
		res = cqe->res;
		io_uring_cqe_seen(ring, cqe);
		complete(loop, data, res);
	}
}

static int enter(struct io_uring *ring, __u64 timeout_ns)
{
	struct __kernel_timespec ts = {
		.tv_sec = timeout_ns / NSEC_PER_SEC,
		.tv_nsec = timeout_ns % NSEC_PER_SEC,
	};
	struct io_uring_cqe *cqe;

	if (!timeout_ns)
		return io_uring_sq_ready(ring) ? io_uring_submit(ring) : 0;
	return io_uring_submit_and_wait_timeout(ring, &cqe, 1,
						timeout_ns > INT64_MAX ?
						NULL : &ts, NULL);
}

static int uring_sleep(struct exo_loop *loop, __u64 timeout_ns, bool env)
{
	struct io_uring *ring = loop->backend_data;
	int rc;

	rc = arm(loop, env);
	if (rc && rc != -EAGAIN)
		return rc;
	/* Some could not be armed: look at what is there, come back. */
	rc = enter(ring, rc ? 0 : timeout_ns);
	drain(loop);
	if (rc == -ETIME || rc == -EINTR || rc == -EAGAIN || rc == -EBUSY)
		return 0;
	return rc < 0 ? rc : 0;
}

const struct exo_loop_backend exo_loop_uring_backend = {
	.init = uring_init,
	.exit = uring_exit,
	.forget = uring_forget,
	.sleep = uring_sleep,
	.cheap = true,
};
