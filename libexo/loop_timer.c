// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Loop: timers, in a binary heap by deadline.
 */
#include <errno.h>
#include <stdlib.h>

#include "loop_impl.h"

static void put(struct exo_loop *loop, __u32 i, struct exo_timer *timer)
{
	loop->heap[i] = timer;
	timer->slot = i + 1;
}

/* Moves a timer towards the root until its parent is not later. */
static __u32 sift_up(struct exo_loop *loop, __u32 i)
{
	struct exo_timer *timer = loop->heap[i];
	__u32 up;

	for (; i; i = up) {
		up = (i - 1) / 2;
		if (loop->heap[up]->deadline_ns <= timer->deadline_ns)
			break;
		put(loop, i, loop->heap[up]);
	}
	put(loop, i, timer);
	return i;
}

/* Moves a timer towards the leaves until no child is earlier. */
static void sift_down(struct exo_loop *loop, __u32 i)
{
	struct exo_timer *timer = loop->heap[i];
	__u32 down;

	for (; (down = 2 * i + 1) < loop->nr_timers; i = down) {
		if (down + 1 < loop->nr_timers &&
		    loop->heap[down + 1]->deadline_ns <
		    loop->heap[down]->deadline_ns)
			down++;
		if (timer->deadline_ns <= loop->heap[down]->deadline_ns)
			break;
		put(loop, i, loop->heap[down]);
	}
	put(loop, i, timer);
}

static int reserve(struct exo_loop *loop)
{
	__u32 max = loop->max_timers * 2 + 14;
	struct exo_timer **heap;

	if (loop->nr_timers < loop->max_timers)
		return 0;
	heap = reallocarray(loop->heap, max, sizeof(*heap));
	if (!heap)
		return -ENOMEM;
	loop->heap = heap;
	loop->max_timers = max;
	return 0;
}

int exo_timer_start(struct exo_loop *loop, struct exo_timer *timer,
		    __u64 deadline_ns)
{
	int rc;

	if (!timer->slot) {
		rc = reserve(loop);
		if (rc)
			return rc;
		put(loop, loop->nr_timers++, timer);
	}
	timer->deadline_ns = deadline_ns;
	sift_down(loop, sift_up(loop, timer->slot - 1));
	return 0;
}

void exo_timer_stop(struct exo_loop *loop, struct exo_timer *timer)
{
	__u32 i = timer->slot - 1;

	if (!timer->slot)
		return;
	timer->slot = 0;
	if (i == --loop->nr_timers)
		return;
	put(loop, i, loop->heap[loop->nr_timers]);
	sift_down(loop, sift_up(loop, i));
}

/**
 * exo_loop_run_timers() - call what is due at loop->now_ns
 * @loop: the loop
 *
 * A timer that starts itself again for now waits for the next round.
 */
void exo_loop_run_timers(struct exo_loop *loop)
{
	__u32 most = loop->nr_timers;
	struct exo_timer *timer;

	while (most-- && loop->nr_timers) {
		timer = loop->heap[0];
		if (timer->deadline_ns > loop->now_ns)
			return;
		exo_timer_stop(loop, timer);
		timer->fn(loop, timer, timer->ctx);
	}
}
