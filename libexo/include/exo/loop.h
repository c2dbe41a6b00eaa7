/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Loop: the event loop of one thread: the env's rings, foreign descriptors,
 * timers. On io_uring where the host allows it, else on poll(2).
 *
 * A round is: due timers, the env's handler, then waiting. Waiting has two
 * gears. While there is traffic and a wait hook is set, the hook sleeps for the
 * env alone, which lets a server send, poll the device and sleep in a single
 * call (EXO_CMD_FLOW_KICK with EXO_FLOW_KICK_WAIT). Foreign descriptors are then
 * looked at every EXO_LOOP_LATENCY_NS; on io_uring their events also interrupt
 * the hook's sleep (-EINTR). When nothing came for that long, the loop sleeps
 * on everything together, without waking until there is something to do.
 */
#ifndef EXO_LOOP_H
#define EXO_LOOP_H

#include <exo/env.h>

#ifdef __cplusplus
extern "C" {
#endif

struct exo_loop;
struct exo_timer;

#define EXO_LOOP_F_POLL		(1U << 0)	/* poll(2) even if io_uring works */
#define EXO_LOOP_F_URING	(1U << 1)	/* fail if io_uring does not work */

/* Longest time a foreign descriptor waits for the hook's sleep. */
#define EXO_LOOP_LATENCY_NS	(10 * 1000 * 1000ULL)

/* Called with what poll(2) would have found: POLLIN, POLLERR, ... */
typedef void exo_fd_fn(struct exo_loop *loop, int fd, unsigned int events,
		       void *ctx);
typedef void exo_timer_fn(struct exo_loop *loop, struct exo_timer *timer,
			  void *ctx);
typedef void exo_env_fn(struct exo_loop *loop, void *ctx);
typedef void exo_event_fn(struct exo_loop *loop, const struct exo_event *event,
			  void *ctx);
typedef int exo_wait_fn(struct exo_loop *loop, __u64 timeout_ns, void *ctx);

/**
 * struct exo_timer - a timer, memory of the caller, zeroed at first
 * @deadline_ns: when, by exo_loop_now_ns()
 * @fn: called once
 * @ctx: for @fn
 * @slot: 0 when not running
 */
struct exo_timer {
	__u64 deadline_ns;
	exo_timer_fn *fn;
	void *ctx;
	__u32 slot;
};

/**
 * exo_loop_create() - make a loop
 * @env: whose rings are served; NULL for foreign descriptors and timers only
 * @flags: EXO_LOOP_F_*; 0 takes io_uring if it can be set up, else poll(2)
 * @out_loop: the loop, for exo_loop_destroy()
 *
 * Return: 0; -EINVAL both flags; -EOPNOTSUPP unknown flag; -ENOMEM; with
 * EXO_LOOP_F_URING -ENOSYS or -EPERM io_uring is off.
 */
int exo_loop_create(struct exo_env *env, unsigned int flags,
		    struct exo_loop **out_loop);

/**
 * exo_loop_destroy() - end a loop; descriptors and timers stay the caller's
 * @loop: the loop, or NULL; not from inside one of its callbacks
 */
void exo_loop_destroy(struct exo_loop *loop);

/**
 * exo_loop_is_uring() - which backend is in use
 * @loop: the loop
 */
int exo_loop_is_uring(const struct exo_loop *loop);

/**
 * exo_loop_add_fd() - watch a foreign descriptor, level-triggered
 * @loop: the loop
 * @fd: the descriptor; call exo_loop_del_fd() before closing it
 * @events: POLLIN, POLLOUT
 * @fn: called each round while one of @events (or POLLERR, POLLHUP) holds
 * @ctx: for @fn
 *
 * Return: 0; -EEXIST it is watched already; -EBADF; -ENOMEM.
 */
int exo_loop_add_fd(struct exo_loop *loop, int fd, unsigned int events,
		    exo_fd_fn *fn, void *ctx);

/**
 * exo_loop_mod_fd() - watch for other events
 * @loop: the loop
 * @fd: a watched descriptor
 * @events: POLLIN, POLLOUT or 0
 *
 * Return: 0; -ENOENT it is not watched; -EAGAIN the backend's queue is full.
 */
int exo_loop_mod_fd(struct exo_loop *loop, int fd, unsigned int events);

/**
 * exo_loop_del_fd() - stop watching; allowed in callbacks, its own too
 * @loop: the loop
 * @fd: a watched descriptor
 *
 * Return: 0; -ENOENT it is not watched.
 */
int exo_loop_del_fd(struct exo_loop *loop, int fd);

/**
 * exo_loop_on_env() - serve the env's rings
 * @loop: the loop, made with an env
 * @fn: called once a round, whether or not something came: consumes the rings,
 *      leaves what is to be sent for the wait hook
 * @ctx: for @fn
 *
 * Without a wait hook @fn must consume all rings of the env, or the loop spins.
 */
void exo_loop_on_env(struct exo_loop *loop, exo_env_fn *fn, void *ctx);

/**
 * exo_loop_on_event() - hear of the env's events, see <exo/event.h>
 * @loop: the loop, made with an env
 * @fn: called with each; NULL for no longer. What it does not do at once, for
 *      example to give pages back, has time until the event's deadline
 * @ctx: for @fn
 *
 * The loop takes the events off the env and sets the env's eventfd: nobody else
 * is to call exo_event_read() and exo_event_fd() then. In the wait hook's gear
 * events wait as foreign descriptors do.
 *
 * Return: 0; -EINVAL a loop without an env; -ENOTTY a module without events;
 * -EMFILE, -ENFILE, -ENOMEM.
 */
int exo_loop_on_event(struct exo_loop *loop, exo_event_fn *fn, void *ctx);

/**
 * exo_loop_due() - come back to the env's handler at the latest then
 * @loop: the loop
 * @deadline_ns: when, on the clock of exo_loop_now_ns()
 *
 * For the wait that follows; to be said again by each call of the handler. It
 * is what a protocol with timers of its own has instead of an exo_timer. The
 * earliest of several counts.
 */
void exo_loop_due(struct exo_loop *loop, __u64 deadline_ns);

/**
 * exo_loop_on_wait() - sleep for the env in the caller's own way
 * @loop: the loop, made with an env
 * @fn: sends what is queued, then sleeps until a ring of the env holds something
 *      unconsumed or timeout_ns are over (0: do not sleep, ~0ULL: no limit).
 *      Returns 0, -ETIME, -EINTR or -EAGAIN to go on; another error ends
 *      exo_loop_run() with it. A hook must not sleep shorter of its own accord:
 *      after -ETIME the loop may sleep on everything together. Deadlines are
 *      for exo_loop_due() and exo_timer_start()
 * @ctx: for @fn
 */
void exo_loop_on_wait(struct exo_loop *loop, exo_wait_fn *fn, void *ctx);

/**
 * exo_loop_now_ns() - CLOCK_MONOTONIC as read at the start of the round
 * @loop: the loop
 */
__u64 exo_loop_now_ns(const struct exo_loop *loop);

/**
 * exo_timer_start() - run a timer once, or move it
 * @loop: the loop
 * @timer: fn and ctx set
 * @deadline_ns: when, on the clock of exo_loop_now_ns()
 *
 * Return: 0; -ENOMEM. Moving a running timer cannot fail.
 */
int exo_timer_start(struct exo_loop *loop, struct exo_timer *timer,
		    __u64 deadline_ns);

/**
 * exo_timer_stop() - the timer will not fire
 * @loop: the loop
 * @timer: running or not
 */
void exo_timer_stop(struct exo_loop *loop, struct exo_timer *timer);

/**
 * exo_loop_round() - one round
 * @loop: the loop
 * @timeout_ns: longest wait; ~0ULL for no limit
 *
 * Return: 0; the wait hook's error; -errno of the backend or of reading events.
 */
int exo_loop_round(struct exo_loop *loop, __u64 timeout_ns);

/**
 * exo_loop_run() - rounds until exo_loop_stop()
 * @loop: the loop
 *
 * Return: what exo_loop_stop() was given; an error as exo_loop_round().
 */
int exo_loop_run(struct exo_loop *loop);

/**
 * exo_loop_stop() - let exo_loop_run() return after this round
 * @loop: the loop; from a callback (not from a signal handler: use signalfd(2))
 * @result: what it returns, 0 or positive
 */
void exo_loop_stop(struct exo_loop *loop, int result);

#ifdef __cplusplus
}
#endif

#endif /* EXO_LOOP_H */
