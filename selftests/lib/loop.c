// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Does the loop serve timers, foreign descriptors and the env, the same on
 * io_uring and on poll(2)?
 */
#define _GNU_SOURCE	/* what exo_test.h wants */
#include "../exo_test.h"
#include "fake.h"

#define MS	1000000ULL

/* One loop with a fake env, and what its callbacks saw. */
struct bench {
	struct fake f;
	struct exo_env *env;
	struct exo_loop *loop;
	const char *name;
	int pipe[2];
	int calls;
	unsigned int events;
	int env_calls;
	int hook_calls;
	int hook_rc;
	__u64 hook_timeout;
	__u64 limit;
};

static void bench_open(struct bench *b, unsigned int flags)
{
	memset(b, 0, sizeof(*b));
	fake_init(&b->f);
	b->env = fake_open(&b->f);
	if (!b->env || exo_loop_create(b->env, flags, &b->loop) ||
	    pipe(b->pipe))
		bail("no bench");
	b->name = flags == EXO_LOOP_F_POLL ? "poll" : "io_uring";
}

static void bench_close(struct bench *b)
{
	exo_loop_destroy(b->loop);
	exo_env_close(b->env);
	close(b->pipe[0]);
	close(b->pipe[1]);
}

static void put_byte(struct bench *b)
{
	if (write(b->pipe[1], "x", 1) != 1)
		bail("pipe");
}

static void get_byte(struct bench *b)
{
	char c;

	if (read(b->pipe[0], &c, 1) != 1)
		bail("pipe");
}

static __u64 now(void)
{
	return exo_sys_default()->now_ns(NULL);
}

/* Rounds until the callback was called often enough, a second at most. */
static void spin(struct bench *b, const int *count, int want)
{
	__u64 end = now() + 1000 * MS;

	while (*count < want && now() < end)
		if (exo_loop_round(b->loop, 10 * MS))
			return;
}

/* ------------------------------------------------------------ timers */

struct tick {
	struct exo_timer timer;
	__u64 at;
	int *order;
	int mine;
};

static void on_tick(struct exo_loop *loop, struct exo_timer *timer, void *ctx)
{
	struct tick *t = ctx;

	(void)loop;
	(void)timer;
	t->mine = ++*t->order;
}

static void test_many_timers(struct bench *b)
{
	struct tick t[200] = { 0 };
	int order = 0, bad = 0, i, j;
	__u64 base = now();
	unsigned int seed = 1;

	for (i = 0; i < 200; i++) {
		t[i].order = &order;
		t[i].timer.fn = on_tick;
		t[i].timer.ctx = &t[i];
		t[i].at = base + rand_r(&seed) % 1000;
		bad += exo_timer_start(b->loop, &t[i].timer, base + 1000 * MS);
	}
	for (i = 0; i < 200; i++)
		bad += exo_timer_start(b->loop, &t[i].timer, t[i].at);
	for (i = 0; i < 200; i += 3)
		exo_timer_stop(b->loop, &t[i].timer);
	exo_timer_stop(b->loop, &t[0].timer);
	spin(b, &order, 133);
	is(order, 133, "%s: of 200 timers 67 are stopped, 133 fire", b->name);
	for (i = 0; i < 200; i++)
		for (j = 0; j < 200; j++)
			bad += t[i].mine && t[j].mine && t[i].at < t[j].at &&
			       t[i].mine > t[j].mine;
	for (i = 0; i < 200; i += 3)
		bad += t[i].mine != 0;
	is(bad, 0, "%s: in order, the stopped ones never", b->name);
}

static void on_again(struct exo_loop *loop, struct exo_timer *timer, void *ctx)
{
	struct bench *b = ctx;

	if (++b->calls == 5)
		exo_loop_stop(loop, 42);
	else
		exo_timer_start(loop, timer, exo_loop_now_ns(loop));
}

static void test_timer_again(struct bench *b)
{
	struct exo_timer timer = { .fn = on_again, .ctx = b };
	__u64 begin = now();

	b->calls = 0;
	exo_timer_start(b->loop, &timer, begin + 20 * MS);
	is(exo_loop_run(b->loop), 42, "%s: run returns what stop gave",
	   b->name);
	is(b->calls, 5, "%s: a timer that starts itself again", b->name);
	ok(now() - begin >= 20 * MS, "%s: not too early", b->name);
}

/* ------------------------------------------------- foreign descriptors */

static void on_fd(struct exo_loop *loop, int fd, unsigned int events, void *ctx)
{
	struct bench *b = ctx;

	(void)loop;
	(void)fd;
	b->calls++;
	b->events = events;
}

static void on_fd_del(struct exo_loop *loop, int fd, unsigned int events,
		      void *ctx)
{
	on_fd(loop, fd, events, ctx);
	exo_loop_del_fd(loop, fd);
}

static void test_fd_errors(struct bench *b)
{
	struct exo_loop *l = b->loop;

	is(exo_loop_add_fd(l, -1, POLLIN, on_fd, b), -EBADF, "fd -1");
	is(exo_loop_add_fd(l, 12345, POLLIN, on_fd, b), -EBADF, "closed fd");
	is(exo_loop_del_fd(l, 5), -ENOENT, "not watched");
	is(exo_loop_del_fd(l, -1), -ENOENT, "-1 is not watched");
	is(exo_loop_mod_fd(l, b->pipe[0], POLLIN), -ENOENT, "nor changed");
	is(exo_loop_add_fd(l, b->pipe[0], POLLIN, on_fd, b), 0, "added");
	is(exo_loop_add_fd(l, b->pipe[0], POLLIN, on_fd, b), -EEXIST, "twice");
	is(exo_loop_del_fd(l, b->pipe[0]), 0, "and gone");
	is(exo_loop_del_fd(l, exo_env_fd(b->env)), -ENOENT,
	   "the env's is not foreign");
}

static void test_fd(struct bench *b)
{
	b->calls = 0;
	exo_loop_add_fd(b->loop, b->pipe[0], POLLIN, on_fd, b);
	exo_loop_round(b->loop, 0);
	exo_loop_round(b->loop, 5 * MS);
	is(b->calls, 0, "%s: nothing to read", b->name);
	put_byte(b);
	spin(b, &b->calls, 3);
	is(b->calls, 3, "%s: level-triggered while not read", b->name);
	is(b->events, POLLIN, "%s: the event is POLLIN", b->name);
	get_byte(b);
	exo_loop_round(b->loop, 5 * MS);
	b->calls = 0;
	exo_loop_round(b->loop, 5 * MS);
	is(b->calls, 0, "%s: quiet once read", b->name);
	put_byte(b);
	exo_loop_mod_fd(b->loop, b->pipe[0], 0);
	exo_loop_round(b->loop, 5 * MS);
	is(b->calls, 0, "%s: quiet with no events wanted", b->name);
	exo_loop_mod_fd(b->loop, b->pipe[0], POLLIN);
	spin(b, &b->calls, 1);
	is(b->calls, 1, "%s: wanted again", b->name);
	exo_loop_del_fd(b->loop, b->pipe[0]);
	exo_loop_round(b->loop, 5 * MS);
	is(b->calls, 1, "%s: quiet after removal", b->name);
	exo_loop_add_fd(b->loop, b->pipe[0], POLLIN, on_fd_del, b);
	exo_loop_round(b->loop, 5 * MS);
	exo_loop_round(b->loop, 5 * MS);
	is(b->calls, 2, "%s: removed in its own callback", b->name);
	get_byte(b);
}

/* The number of a closed descriptor comes back as another file. */
static void test_fd_reuse(struct bench *b)
{
	int other[2], third[2];

	if (pipe(other) || pipe(third))
		bail("pipe");
	b->calls = 0;
	exo_loop_add_fd(b->loop, other[0], POLLIN, on_fd, b);
	exo_loop_round(b->loop, 1 * MS);
	exo_loop_del_fd(b->loop, other[0]);
	if (dup2(third[0], other[0]) < 0)
		bail("dup2");
	exo_loop_add_fd(b->loop, other[0], POLLIN, on_fd, b);
	if (write(other[1], "x", 1) != -1 || errno != EPIPE)
		bail("the loop keeps a removed file open");
	exo_loop_round(b->loop, 5 * MS);
	is(b->calls, 0, "%s: events of the old file are not the new one's",
	   b->name);
	if (write(third[1], "x", 1) != 1)
		bail("pipe");
	spin(b, &b->calls, 1);
	is(b->calls, 1, "%s: the new one's are", b->name);
	close(third[1]);
	close(third[0]);
	spin(b, &b->calls, 2);
	exo_loop_del_fd(b->loop, other[0]);
	close(other[0]);
	close(other[1]);
}

struct crowd {
	struct bench *b;
	int fd[2 * 40];
	int calls;
};

/* The first that is called removes all, adds one anew. */
static void on_crowd(struct exo_loop *loop, int fd, unsigned int events,
		     void *ctx)
{
	struct crowd *c = ctx;
	int i;

	(void)fd;
	(void)events;
	if (c->calls++)
		return;
	for (i = 0; i < 40; i++)
		exo_loop_del_fd(loop, c->fd[2 * i]);
	exo_loop_add_fd(loop, c->fd[0], POLLIN, on_crowd, c);
}

static void test_fd_crowd(struct bench *b)
{
	struct crowd c = { .b = b };
	int i;

	for (i = 0; i < 40; i++) {
		if (pipe(&c.fd[2 * i]) || write(c.fd[2 * i + 1], "x", 1) != 1)
			bail("pipe");
		if (exo_loop_add_fd(b->loop, c.fd[2 * i], POLLIN, on_crowd, &c))
			bail("add");
	}
	exo_loop_round(b->loop, 100 * MS);
	is(c.calls, 1, "%s: 40 ready, the first removes the rest", b->name);
	spin(b, &c.calls, 2);
	is(c.calls, 2, "%s: the one added anew is served", b->name);
	exo_loop_del_fd(b->loop, c.fd[0]);
	for (i = 0; i < 80; i++)
		close(c.fd[i]);
}

static void test_hangup(struct bench *b)
{
	int p[2];

	if (pipe(p))
		bail("pipe");
	b->calls = 0;
	exo_loop_add_fd(b->loop, p[0], 0, on_fd_del, b);
	close(p[1]);
	spin(b, &b->calls, 1);
	is(b->calls, 1, "%s: a hang-up is always told", b->name);
	ok(b->events & POLLHUP, "%s: as POLLHUP", b->name);
	close(p[0]);
}

/* ---------------------------------------------------------- the env */

static void on_env(struct exo_loop *loop, void *ctx)
{
	struct bench *b = ctx;

	b->env_calls++;
	if (b->limit)
		exo_loop_due(loop, exo_loop_now_ns(loop) + b->limit);
}

static void test_env(struct bench *b)
{
	__u64 begin = now();

	exo_loop_on_env(b->loop, on_env, b);
	exo_loop_round(b->loop, 20 * MS);
	ok(now() - begin >= 20 * MS, "%s: sleeps while the env is idle",
	   b->name);
	is(b->env_calls, 1, "%s: its handler is called each round", b->name);
	fake_ready(&b->f, 1);
	begin = now();
	exo_loop_round(b->loop, 5000 * MS);
	exo_loop_round(b->loop, 5000 * MS);
	ok(now() - begin < 4000 * MS, "%s: the env wakes the loop", b->name);
	fake_ready(&b->f, 0);
	exo_loop_on_env(b->loop, NULL, NULL);
}

/* ---------------------------------------------------------- the hook */

/* As EXO_FLOW_KICK_WAIT: sleeps for the env alone. */
static int on_wait(struct exo_loop *loop, __u64 timeout_ns, void *ctx)
{
	struct bench *b = ctx;
	struct pollfd pfd = { .fd = exo_env_fd(b->env), .events = POLLIN };
	int rc;

	(void)loop;
	b->hook_calls++;
	b->hook_timeout = timeout_ns;
	if (b->hook_rc)
		return b->hook_rc;
	rc = exo_sys_default()->poll(NULL, &pfd, 1, timeout_ns > INT64_MAX ?
				     -1 : (__s64)timeout_ns);
	if (rc < 0)
		return rc;
	return rc ? 0 : -ETIME;
}

static void on_late(struct exo_loop *loop, struct exo_timer *timer, void *ctx)
{
	(void)timer;
	(void)ctx;
	exo_loop_stop(loop, 7);
}

static void test_hook(struct bench *b)
{
	struct exo_timer timer = { .fn = on_late };

	exo_loop_on_wait(b->loop, on_wait, b);
	exo_loop_round(b->loop, 5 * MS);
	is(b->hook_calls, 1, "%s: the hook sleeps", b->name);
	is(b->hook_timeout, 5 * MS, "%s: as long as wanted", b->name);
	exo_timer_start(b->loop, &timer, now() + 30 * MS);
	b->hook_calls = 0;
	is(exo_loop_run(b->loop), 7, "%s: a timer ends the run", b->name);
	is(b->hook_calls, 2, "%s: slept once, flushed once at the end",
	   b->name);
	is(b->hook_timeout, 0, "%s: without sleeping", b->name);
	b->hook_rc = -ESTALE;
	is(exo_loop_run(b->loop), -ESTALE, "%s: its error ends the run",
	   b->name);
	b->hook_rc = -EINTR;
	is(exo_loop_round(b->loop, MS), 0, "%s: EINTR does not", b->name);
	b->hook_rc = 0;
}

/* A deadline of the handler holds in both gears. */
static void test_due(struct bench *b)
{
	static const __u64 limits[] = { 3 * MS, 40 * MS };
	__u64 begin;
	size_t i;

	exo_loop_add_fd(b->loop, b->pipe[0], POLLIN, on_fd, b);
	exo_loop_on_env(b->loop, on_env, b);
	for (i = 0; i < ARRAY_SIZE(limits); i++) {
		b->limit = limits[i];
		begin = now();
		exo_loop_round(b->loop, 5000 * MS);
		ok(now() - begin >= b->limit && now() - begin < 2000 * MS,
		   "%s: comes back after %d ms", b->name,
		   (int)(b->limit / MS));
	}
	b->limit = 0;
	b->env_calls = 0;
	exo_loop_round(b->loop, 20 * MS);
	is(b->env_calls, 1, "%s: the deadline was for one round", b->name);
	exo_loop_on_env(b->loop, NULL, NULL);
	exo_loop_del_fd(b->loop, b->pipe[0]);
}

/* Idle with a foreign descriptor: few wake-ups, and that one is heard. */
static void test_gears(struct bench *b)
{
	struct exo_timer timer = { .fn = on_late };
	pid_t pid;

	b->calls = 0;
	b->hook_calls = 0;
	exo_loop_add_fd(b->loop, b->pipe[0], POLLIN, on_fd, b);
	exo_timer_start(b->loop, &timer, now() + 200 * MS);
	exo_loop_run(b->loop);
	ok(b->hook_calls <= 3, "%s: 200 ms idle: the hook is called %d times",
	   b->name, b->hook_calls);
	pid = fork();
	if (!pid) {
		usleep(60000);
		_exit(write(b->pipe[1], "x", 1) != 1);
	}
	exo_timer_start(b->loop, &timer, now() + 5000 * MS);
	while (!b->calls && timer.slot)
		exo_loop_round(b->loop, ~0ULL);
	is(b->calls, 1, "%s: a foreign descriptor ends a long sleep", b->name);
	exo_timer_stop(b->loop, &timer);
	waitpid(pid, NULL, 0);
	fake_ready(&b->f, 1);
	b->calls = 0;
	b->hook_calls = 0;
	get_byte(b);
	exo_loop_round(b->loop, MS);
	put_byte(b);
	spin(b, &b->calls, 1);
	ok(b->calls, "%s: heard under load too (%d rounds)", b->name,
	   b->hook_calls);
	fake_ready(&b->f, 0);
	exo_loop_del_fd(b->loop, b->pipe[0]);
	get_byte(b);
	exo_loop_on_wait(b->loop, NULL, NULL);
}

static void test_backend(unsigned int flags)
{
	struct bench b;

	bench_open(&b, flags);
	is(exo_loop_is_uring(b.loop), flags != EXO_LOOP_F_POLL,
	   "%s: the backend wanted", b.name);
	test_many_timers(&b);
	test_timer_again(&b);
	test_fd_errors(&b);
	test_fd(&b);
	test_fd_reuse(&b);
	test_fd_crowd(&b);
	test_hangup(&b);
	test_env(&b);
	test_hook(&b);
	test_due(&b);
	test_gears(&b);
	test_many_timers(&b);
	bench_close(&b);
}

static void test_choice(void)
{
	static const int errors[] = { -EPERM, -EMFILE, -38 /* ENOSYS */ };
	struct exo_loop *loop;
	struct exo_env *env;
	struct fake f;
	size_t i;

	fake_init(&f);
	env = fake_open(&f);
	for (i = 0; i < ARRAY_SIZE(errors); i++) {
		f.uring_rc = errors[i];
		is(exo_loop_create(env, EXO_LOOP_F_URING, &loop), errors[i],
		   "io_uring wanted: error %d", errors[i]);
		is(exo_loop_create(env, 0, &loop), 0, "else poll");
		ok(!exo_loop_is_uring(loop), "it is");
		exo_loop_destroy(loop);
	}
	is(exo_loop_create(env, 4, &loop), -EOPNOTSUPP, "unknown flag");
	is(exo_loop_create(env, 3, &loop), -EINVAL, "both");
	is(exo_loop_create(NULL, 0, &loop), 0, "without an env");
	is(exo_loop_round(loop, MS), 0, "it sleeps too");
	exo_loop_destroy(loop);
	exo_loop_destroy(NULL);
	exo_env_close(env);
}

int main(void)
{
	struct exo_loop *loop;

	signal(SIGPIPE, SIG_IGN);
	test_choice();
	test_backend(EXO_LOOP_F_POLL);
	if (exo_loop_create(NULL, EXO_LOOP_F_URING, &loop)) {
		skip("io_uring is off here");
		return done_testing();
	}
	exo_loop_destroy(loop);
	test_backend(EXO_LOOP_F_URING);
	return done_testing();
}
