// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Loop backend on poll(2), for hosts where io_uring is switched off.
 */
#include <errno.h>
#include <stdlib.h>

#include "loop_impl.h"

/**
 * struct poll_set - backend_data
 * @pfds: entry i is for watch i
 * @max: room
 */
struct poll_set {
	struct pollfd *pfds;
	__u32 max;
};

static int poll_init(struct exo_loop *loop)
{
	loop->backend_data = calloc(1, sizeof(struct poll_set));
	return loop->backend_data ? 0 : -ENOMEM;
}

static void poll_exit(struct exo_loop *loop)
{
	struct poll_set *set = loop->backend_data;

	free(set->pfds);
	free(set);
}

static void poll_forget(struct exo_loop *loop, __u32 i)
{
	(void)loop;
	(void)i;	/* the set is built anew for each sleep */
}

static int poll_build(struct exo_loop *loop, struct poll_set *set, bool env)
{
	struct pollfd *pfds;
	__u32 i;

	if (set->max < loop->nr_watch) {
		pfds = reallocarray(set->pfds, loop->nr_watch, sizeof(*pfds));
		if (!pfds)
			return -ENOMEM;
		set->pfds = pfds;
		set->max = loop->nr_watch;
	}
	for (i = 0; i < loop->nr_watch; i++) {
		struct exo_watch *w = &loop->watch[i];

		/* poll(2) passes over negative descriptors */
		set->pfds[i].fd = i == ENV_WATCH && !env ? -1 : w->fd;
		set->pfds[i].events = (short)w->events;
		set->pfds[i].revents = 0;
		w->polled_gen = w->gen;
	}
	return 0;
}

static int poll_sleep(struct exo_loop *loop, __u64 timeout_ns, bool env)
{
	__s64 limit = timeout_ns > INT64_MAX ? -1 : (__s64)timeout_ns;
	struct poll_set *set = loop->backend_data;
	__u32 i, nr = loop->nr_watch;
	int rc;

	rc = poll_build(loop, set, env);
	if (rc)
		return rc;
	rc = loop->sys->poll(loop->sys, set->pfds, nr, limit);
	if (rc < 0)
		return rc == -EINTR ? 0 : rc;
	/* Callbacks may add watches and move the array: index each time. */
	for (i = 0; rc && i < nr; i++)
		if (set->pfds[i].revents)
			exo_loop_dispatch(loop, i, loop->watch[i].polled_gen,
					  (unsigned short)set->pfds[i].revents);
	return 0;
}

const struct exo_loop_backend exo_loop_poll_backend = {
	.init = poll_init,
	.exit = poll_exit,
	.forget = poll_forget,
	.sleep = poll_sleep,
};
