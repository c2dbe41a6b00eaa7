/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * What the loop's files share. A *watch* is a descriptor the loop looks at:
 * watch 0 is the env's, the others are foreign. A watch may be removed, and its
 * place taken by another, while events for it are on their way: its generation
 * tells them apart.
 */
#ifndef LIBEXO_LOOP_IMPL_H
#define LIBEXO_LOOP_IMPL_H

#include <stdbool.h>
#include <stdint.h>

#include <exo/loop.h>

#pragma GCC visibility push(hidden)

#define ENV_WATCH	0

/**
 * struct exo_watch - one descriptor
 * @fd: the descriptor, -1 for a free place
 * @events: POLLIN, POLLOUT
 * @fn: called with what holds; NULL for the env
 * @ctx: for @fn
 * @gen: counts the lives of this place
 * @polled_gen: poll backend: life that the poll in progress is for
 * @armed: io_uring backend: a poll entry is with the kernel
 */
struct exo_watch {
	int fd;
	unsigned int events;
	exo_fd_fn *fn;
	void *ctx;
	__u32 gen;
	__u32 polled_gen;
	bool armed;
};

/**
 * struct exo_loop_backend - how to sleep on all watches together
 * @init: prepares loop->backend_data
 * @exit: undoes it
 * @forget: the watch is about to be removed or changed
 * @sleep: waits for any watch, the env's only if @env, at most @timeout_ns
 *         (0: only looks, ~0ULL: no limit), and dispatches. Returns 0 also for
 *         EINTR and when time is over, or -errno
 * @cheap: looking costs no system call
 */
struct exo_loop_backend {
	int (*init)(struct exo_loop *loop);
	void (*exit)(struct exo_loop *loop);
	void (*forget)(struct exo_loop *loop, __u32 i);
	int (*sleep)(struct exo_loop *loop, __u64 timeout_ns, bool env);
	bool cheap;
};

/**
 * struct exo_loop - see <exo/loop.h>
 * @env: whose rings are served, or NULL
 * @sys: system calls
 * @backend: in use
 * @backend_data: its own
 * @watch: the descriptors
 * @nr_watch: places, free ones included
 * @nr_foreign: foreign descriptors watched
 * @heap: running timers, the earliest first; timer->slot is its index + 1
 * @nr_timers: how many
 * @max_timers: room in @heap
 * @env_fn: consumes the env's rings
 * @env_ctx: for @env_fn
 * @event_fn: hears of the env's events
 * @event_ctx: for @event_fn
 * @event_fd: eventfd that counts them, -1 for none
 * @event_rc: why they could not be read, until the round ends
 * @wait_fn: sleeps for the env
 * @wait_ctx: for @wait_fn
 * @now_ns: start of the round
 * @due_ns: exo_loop_due() of this round, ~0ULL: none
 * @looked_ns: when foreign descriptors were looked at
 * @stop: exo_loop_stop() was called
 * @result: what it was given
 */
struct exo_loop {
	struct exo_env *env;
	const struct exo_sys *sys;
	const struct exo_loop_backend *backend;
	void *backend_data;
	struct exo_watch *watch;
	__u32 nr_watch;
	__u32 nr_foreign;
	struct exo_timer **heap;
	__u32 nr_timers;
	__u32 max_timers;
	exo_env_fn *env_fn;
	void *env_ctx;
	exo_event_fn *event_fn;
	void *event_ctx;
	int event_fd;
	int event_rc;
	exo_wait_fn *wait_fn;
	void *wait_ctx;
	__u64 now_ns;
	__u64 due_ns;
	__u64 looked_ns;
	bool stop;
	int result;
};

extern const struct exo_loop_backend exo_loop_poll_backend;
extern const struct exo_loop_backend exo_loop_uring_backend;

void exo_loop_dispatch(struct exo_loop *loop, __u32 i, __u32 gen,
		       unsigned int events);
void exo_loop_run_timers(struct exo_loop *loop);
void exo_loop_events_exit(struct exo_loop *loop);

#pragma GCC visibility pop

#endif /* LIBEXO_LOOP_IMPL_H */
