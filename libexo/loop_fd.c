// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Loop: foreign descriptors.
 */
#include <errno.h>
#include <stdlib.h>

#include "loop_impl.h"

/**
 * exo_loop_dispatch() - an event came from the backend
 * @loop: the loop
 * @i: which watch
 * @gen: the life it was asked for
 * @events: what holds
 */
void exo_loop_dispatch(struct exo_loop *loop, __u32 i, __u32 gen,
		       unsigned int events)
{
	struct exo_watch *w = &loop->watch[i];

	if (w->fd < 0 || w->gen != gen || !w->fn)
		return;
	events &= w->events | POLLERR | POLLHUP | POLLNVAL;
	if (events)
		w->fn(loop, w->fd, events, w->ctx);
}

/* A foreign descriptor's place; -1 finds a free one. 0 is the env's: none. */
static __u32 find(const struct exo_loop *loop, int fd)
{
	__u32 i;

	for (i = ENV_WATCH + 1; i < loop->nr_watch; i++)
		if (loop->watch[i].fd == fd)
			return i;
	return ENV_WATCH;
}

static int grow(struct exo_loop *loop)
{
	__u32 i, nr = loop->nr_watch * 2 + 6;
	struct exo_watch *watch;

	watch = reallocarray(loop->watch, nr, sizeof(*watch));
	if (!watch)
		return -ENOMEM;
	for (i = loop->nr_watch; i < nr; i++)
		watch[i] = (struct exo_watch) { .fd = -1 };
	loop->watch = watch;
	loop->nr_watch = nr;
	return 0;
}

static bool is_open(const struct exo_loop *loop, int fd)
{
	struct pollfd pfd = { .fd = fd };

	return fd >= 0 && loop->sys->poll(loop->sys, &pfd, 1, 0) >= 0 &&
	       !(pfd.revents & POLLNVAL);
}

int exo_loop_add_fd(struct exo_loop *loop, int fd, unsigned int events,
		    exo_fd_fn *fn, void *ctx)
{
	struct exo_watch *w;
	int rc;

	if (!is_open(loop, fd))
		return -EBADF;
	if (find(loop, fd))
		return -EEXIST;
	if (!find(loop, -1)) {
		rc = grow(loop);
		if (rc)
			return rc;
	}
	w = &loop->watch[find(loop, -1)];
	w->fd = fd;
	w->events = events;
	w->fn = fn;
	w->ctx = ctx;
	w->gen++;
	w->armed = false;
	loop->nr_foreign++;
	return 0;
}

int exo_loop_mod_fd(struct exo_loop *loop, int fd, unsigned int events)
{
	__u32 i = fd < 0 ? ENV_WATCH : find(loop, fd);

	if (i == ENV_WATCH)
		return -ENOENT;
	loop->backend->forget(loop, i);
	loop->watch[i].events = events;
	loop->watch[i].gen++;
	return 0;
}

int exo_loop_del_fd(struct exo_loop *loop, int fd)
{
	__u32 i = fd < 0 ? ENV_WATCH : find(loop, fd);

	if (i == ENV_WATCH)
		return -ENOENT;
	loop->backend->forget(loop, i);
	loop->watch[i].fd = -1;
	loop->watch[i].gen++;
	loop->nr_foreign--;
	return 0;
}
