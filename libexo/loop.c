// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Loop: rounds and the two gears of waiting. See <exo/loop.h>.
 */
#include <errno.h>
#include <stdlib.h>

#include "loop_impl.h"
#include "sys.h"

#define NO_LIMIT	(~0ULL)

static int backend_set(struct exo_loop *loop,
		       const struct exo_loop_backend *backend)
{
	loop->backend = backend;
	return backend->init(loop);
}

static int backend_choose(struct exo_loop *loop, unsigned int flags)
{
	int rc = -EOPNOTSUPP;

	if (!(flags & EXO_LOOP_F_POLL))
		rc = backend_set(loop, &exo_loop_uring_backend);
	if (rc && rc != -ENOMEM && !(flags & EXO_LOOP_F_URING))
		rc = backend_set(loop, &exo_loop_poll_backend);
	return rc;
}

int exo_loop_create(struct exo_env *env, unsigned int flags,
		    struct exo_loop **out_loop)
{
	const unsigned int known = EXO_LOOP_F_POLL | EXO_LOOP_F_URING;
	struct exo_loop *loop;
	int rc = -ENOMEM;

	if (flags & ~known)
		return -EOPNOTSUPP;
	if (flags == known)
		return -EINVAL;
	loop = calloc(1, sizeof(*loop));
	if (!loop)
		return -ENOMEM;
	loop->env = env;
	loop->sys = env ? env->sys : exo_sys_default();
	loop->event_fd = -1;
	loop->watch = calloc(1, sizeof(*loop->watch));
	if (!loop->watch)
		goto err_free;
	loop->nr_watch = 1;
	loop->watch[ENV_WATCH].fd = env ? env->fd : -1;
	loop->watch[ENV_WATCH].events = POLLIN;
	rc = backend_choose(loop, flags);
	if (rc)
		goto err_free;
	loop->now_ns = loop->sys->now_ns(loop->sys);
	*out_loop = loop;
	return 0;

err_free:
	free(loop->watch);
	free(loop);
	return rc;
}

void exo_loop_destroy(struct exo_loop *loop)
{
	__u32 i;

	if (!loop)
		return;
	for (i = 0; i < loop->nr_timers; i++)
		loop->heap[i]->slot = 0;
	exo_loop_events_exit(loop);
	loop->backend->exit(loop);
	free(loop->heap);
	free(loop->watch);
	free(loop);
}

int exo_loop_is_uring(const struct exo_loop *loop)
{
	return loop->backend == &exo_loop_uring_backend;
}

void exo_loop_on_env(struct exo_loop *loop, exo_env_fn *fn, void *ctx)
{
	loop->env_fn = fn;
	loop->env_ctx = ctx;
}

void exo_loop_on_wait(struct exo_loop *loop, exo_wait_fn *fn, void *ctx)
{
	loop->wait_fn = fn;
	loop->wait_ctx = ctx;
}

void exo_loop_due(struct exo_loop *loop, __u64 deadline_ns)
{
	if (deadline_ns < loop->due_ns)
		loop->due_ns = deadline_ns;
}

__u64 exo_loop_now_ns(const struct exo_loop *loop)
{
	return loop->now_ns;
}

void exo_loop_stop(struct exo_loop *loop, int result)
{
	loop->stop = true;
	loop->result = result;
}

static bool is_wakeup(int rc)
{
	return !rc || rc == -EINTR || rc == -EAGAIN || rc == -ETIME;
}

static int look(struct exo_loop *loop)
{
	loop->looked_ns = loop->now_ns;
	return loop->backend->sleep(loop, 0, false);
}

/*
 * The hook sleeps for the env alone. With foreign descriptors it does so for
 * EXO_LOOP_LATENCY_NS at most; when that passes without traffic, sleep on
 * everything together. The hook has sent what was queued before, and what came
 * after its last look makes the env's descriptor readable: nothing is lost.
 */
static int wait_hook(struct exo_loop *loop, __u64 timeout_ns)
{
	bool capped = loop->nr_foreign && timeout_ns > EXO_LOOP_LATENCY_NS;
	__u64 cap = capped ? EXO_LOOP_LATENCY_NS : timeout_ns;
	int rc;

	rc = loop->wait_fn(loop, cap, loop->wait_ctx);
	if (!is_wakeup(rc))
		return rc;
	if (!loop->nr_foreign)
		return 0;
	if (rc == -ETIME && capped)
		return loop->backend->sleep(loop, timeout_ns == NO_LIMIT ?
					    NO_LIMIT : timeout_ns - cap, true);
	if (loop->backend->cheap || rc == -EINTR || rc == -ETIME ||
	    loop->now_ns - loop->looked_ns >= EXO_LOOP_LATENCY_NS)
		return look(loop);
	return 0;
}

/* Time until the next deadline, the clock read again: callbacks took some. */
static __u64 timer_limit(struct exo_loop *loop, __u64 timeout_ns)
{
	__u64 now, deadline = loop->due_ns;

	if (loop->nr_timers && loop->heap[0]->deadline_ns < deadline)
		deadline = loop->heap[0]->deadline_ns;
	if (deadline == NO_LIMIT)
		return timeout_ns;
	now = loop->sys->now_ns(loop->sys);
	if (deadline <= now)
		return 0;
	return deadline - now < timeout_ns ? deadline - now : timeout_ns;
}

static int wait_any(struct exo_loop *loop, __u64 timeout_ns)
{
	if (loop->wait_fn)
		return wait_hook(loop, timeout_ns);
	return loop->backend->sleep(loop, timeout_ns, loop->env);
}

int exo_loop_round(struct exo_loop *loop, __u64 timeout_ns)
{
	int rc;

	loop->now_ns = loop->sys->now_ns(loop->sys);
	loop->due_ns = NO_LIMIT;
	exo_loop_run_timers(loop);
	if (loop->env_fn)
		loop->env_fn(loop, loop->env_ctx);
	/* Even then the hook is to send what was queued. */
	timeout_ns = loop->stop ? 0 : timer_limit(loop, timeout_ns);
	loop->event_rc = 0;
	rc = wait_any(loop, timeout_ns);
	return rc ? rc : loop->event_rc;
}

int exo_loop_run(struct exo_loop *loop)
{
	int rc = 0;

	while (!rc && !loop->stop)
		rc = exo_loop_round(loop, NO_LIMIT);
	loop->stop = false;
	return rc ? rc : loop->result;
}
