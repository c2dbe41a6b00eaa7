// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Loop: the env's events, by an eventfd that is watched as a foreign descriptor.
 *
 * Not by POLLPRI of the env: io_uring's poll leaves EPOLLPRI out of the mask
 * that it compares with a wake-up's (IO_ASYNC_POLL_COMMON in io_uring/poll.c),
 * so that it is deaf to one that says so, and a wake-up that says nothing, as
 * each packet makes, has it look for events. The eventfd costs a round nothing.
 */
#include <errno.h>
#include <sys/eventfd.h>

#include <exo/event.h>

#include "loop_impl.h"
#include "sys.h"

#define EVENTS_A_ROUND	16	/* more must not starve the rings */

static int ring_again(struct exo_loop *loop)
{
	static const __u64 one = 1;
	ssize_t n = loop->sys->write(loop->sys, loop->event_fd, &one,
				     sizeof(one));

	return n < 0 ? (int)n : 0;
}

/* One at a time: the handler may take itself off, the rest stays queued. */
static int deliver(struct exo_loop *loop)
{
	struct exo_event event;
	int i, rc;

	for (i = 0; i < EVENTS_A_ROUND; i++) {
		rc = exo_event_read(loop->env, &event, 1, 0);
		if (rc == -EAGAIN)
			return 0;
		if (rc == -EINTR)
			break;
		if (rc < 0)
			return rc;
		loop->event_fn(loop, &event, loop->event_ctx);
		if (!loop->event_fn)
			return 0;
	}
	return ring_again(loop);
}

/* The count is cleared first: what comes later rings again. */
static void on_events(struct exo_loop *loop, int fd, unsigned int events,
		      void *ctx)
{
	ssize_t n;
	__u64 count;
	int rc;

	(void)events;
	(void)ctx;
	n = loop->sys->read(loop->sys, fd, &count, sizeof(count));
	rc = n < 0 && n != -EAGAIN ? (int)n : deliver(loop);
	if (rc) {
		loop->event_rc = rc;
		ring_again(loop);	/* should the caller go on */
	}
}

/* Rung at once, for events that were there before. */
static int events_init(struct exo_loop *loop)
{
	const struct exo_sys *sys = loop->sys;
	int fd, rc;

	fd = sys->eventfd(sys, 1, EFD_CLOEXEC | EFD_NONBLOCK);
	if (fd < 0)
		return fd;
	rc = exo_event_fd(loop->env, fd);
	if (rc)
		goto err_close;
	rc = exo_loop_add_fd(loop, fd, POLLIN, on_events, NULL);
	if (rc)
		goto err_unset;
	loop->event_fd = fd;
	return 0;

err_unset:
	exo_event_fd(loop->env, -1);
err_close:
	sys->close(sys, fd);
	return rc;
}

/**
 * exo_loop_events_exit() - hear of no events any more
 * @loop: the loop, which may not have heard of any
 */
void exo_loop_events_exit(struct exo_loop *loop)
{
	if (loop->event_fd < 0)
		return;
	exo_loop_del_fd(loop, loop->event_fd);
	exo_event_fd(loop->env, -1);
	loop->sys->close(loop->sys, loop->event_fd);
	loop->event_fd = -1;
}

int exo_loop_on_event(struct exo_loop *loop, exo_event_fn *fn, void *ctx)
{
	int rc;

	if (!loop->env)
		return -EINVAL;
	if (fn && loop->event_fd < 0) {
		rc = events_init(loop);
		if (rc)
			return rc;
	}
	if (!fn)
		exo_loop_events_exit(loop);
	loop->event_fn = fn;
	loop->event_ctx = ctx;
	return 0;
}
