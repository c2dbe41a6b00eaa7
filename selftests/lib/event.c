// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Do events, info pages, envs and policy do what <exo/...> says, and does the
 * loop hear of events, on io_uring as on poll(2)?
 */
#define _GNU_SOURCE	/* what exo_test.h wants */
#include "../exo_test.h"

#include <sys/eventfd.h>

#include "fake.h"

#define MS	1000000ULL

static void test_read(void)
{
	struct exo_event ev[8];
	struct exo_env *env;
	struct fake f;
	int i;

	fake_init(&f);
	env = fake_open(&f);
	is(exo_event_read(env, ev, 8, 0), -EAGAIN, "no event");
	is(exo_event_read(env, ev, 8, 5 * MS), -EAGAIN, "nor in 5 ms");
	is(exo_event_read(env, ev, 0, 0), -EINVAL, "room for none");
	for (i = 0; i < 10; i++)
		fake_event(&f, EXO_EVENT_RELEASE, i);
	is(exo_event_read(env, ev, 8, -1), 8, "eight of ten");
	is(ev[7].nr_pages, 7, "in order");
	is(exo_event_read(env, ev, 8, 0), 2, "the rest");
	is(ev[1].nr_pages, 9, "in order");
	fake_event(&f, EXO_EVENT_RELEASE, 1);
	f.short_read = -EIO;
	is(exo_event_read(env, ev, 8, 0), -EIO, "an error");
	f.short_read = sizeof(*ev) - 1;
	is(exo_event_read(env, ev, 8, 0), -EPROTO, "a piece of an event");
	f.short_read = 2 * sizeof(*ev);
	is(exo_event_read(env, ev, 1, 0), -EPROTO, "more than there is room");
	f.poll_rc = -EINTR;
	is(exo_event_read(env, ev, 1, -1), -EINTR, "EINTR is passed on");
	exo_env_close(env);
}

static void test_event_fd(void)
{
	int fd = eventfd(0, EFD_CLOEXEC);
	struct exo_env *env;
	struct fake f;

	fake_init(&f);
	env = fake_open(&f);
	is(exo_event_fd(env, fd), 0, "an eventfd");
	is(f.event_fd, fd, "this one");
	is(exo_event_fd(env, -1), 0, "none");
	is(f.event_fd, -1, "any more");
	close(fd);
	is(exo_event_fd(env, fd), -EBADF, "a closed one");
	exo_env_close(env);
}

/* ---------------------------------------------------------- info pages */

/* The module takes a frame. */
static void take(struct fake *f, __u32 handle)
{
	struct exo_vector_entry *vector =
		(void *)((char *)f->object[0].mem + EXO_INFO_VECTOR_OFFSET);
	struct exo_info_env *own =
		(void *)((char *)f->object[0].mem + EXO_INFO_ENV_OFFSET);

	vector[own->vector_prod % EXO_VECTOR_ENTRIES].handle = handle;
	own->vector_prod++;
}

static void test_info(void)
{
	struct exo_vector_entry e[EXO_VECTOR_ENTRIES + 8];
	struct exo_info info = { .env = NULL };
	struct exo_env *env;
	struct fake f;
	__u32 seen = 0;
	int i, bad = 0;

	fake_init(&f);
	env = fake_open(&f);
	f.mmap_rc = -ENODEV;
	is(exo_info_map(env, &info), -ENODEV, "a module without");
	f.mmap_rc = 0;
	is(exo_info_map(env, &info), 0, "mapped");
	is(f.object[0].prot, PROT_READ, "for reading");
	is((char *)info.vector - (char *)info.global, EXO_INFO_VECTOR_OFFSET,
	   "where the vector should be");
	is(exo_info_taken(&info, &seen, e, 8), 0, "nothing taken");
	for (i = 0; i < 10; i++)
		take(&f, 100 + i);
	is(exo_info_taken(&info, &seen, e, 8), 8, "eight of ten");
	is(exo_info_taken(&info, &seen, e, 8), 2, "the rest");
	is(e[1].handle, 109, "the last is the last");
	for (i = 0; i < EXO_VECTOR_ENTRIES - 1; i++)
		take(&f, 1000 + i);
	is(exo_info_taken(&info, &seen, e, EXO_VECTOR_ENTRIES + 8),
	   EXO_VECTOR_ENTRIES - 1, "as many as are safe to read");
	for (i = 0; i < EXO_VECTOR_ENTRIES - 1; i++)
		bad += e[i].handle != 1000U + i;
	is(bad, 0, "around the end, in order");
	for (i = 0; i < EXO_VECTOR_ENTRIES; i++)
		take(&f, 2000 + i);
	is(exo_info_taken(&info, &seen, e, 8), -EOVERFLOW,
	   "the next may be written over the first");
	is(exo_info_taken(&info, &seen, e, 8), 0, "then from now on");
	is(EXO_INFO_READ(info.own->vector_prod),
	   10 + 2 * EXO_VECTOR_ENTRIES - 1, "members are read");
	is(exo_info_unmap(&info), 0, "unmapped");
	is(f.nr_mapped, 0, "without a rest");
	exo_env_close(env);
}

/* ------------------------------------------------------ envs and policy */

static void test_envs(void)
{
	struct exo_env_info *envs;
	struct exo_env *env;
	struct fake f;
	int i;

	fake_init(&f);
	env = fake_open(&f);
	for (i = 0; i < FAKE_ENVS; i++)
		f.env[i].id = 1000 + i;
	f.nr_envs = FAKE_ENVS;
	is(exo_env_list(env, &envs), FAKE_ENVS, "more envs than a first guess");
	is(envs[FAKE_ENVS - 1].id, 1000 + FAKE_ENVS - 1, "the last");
	free(envs);
	is(exo_env_ask(env, 1003, 50, 2000), 0, "asked");
	is(f.last_ask.nr_pages, 50, "for so many");
	is(f.last_ask.timeout_ms, 2000, "in that time");
	is(exo_env_ask(env, 3, 50, 2000), -ENOENT, "no such env");
	exo_env_close(env);
}

static void test_policy(void)
{
	struct exo_policy p = { .uid = 5, .max_pages = 7 };
	struct exo_policy *list = (void *)1;
	struct exo_env *env;
	struct fake f;

	fake_init(&f);
	env = fake_open(&f);
	is(exo_policy_list(env, &list), 0, "no policy");
	ok(!list, "is no list");
	is(exo_policy_forget(env, 5), -ENOENT, "nor to be forgotten");
	is(exo_policy_set(env, &p, 100), 0, "set");
	p.allow = EXO_ALLOW_NUMBERS;
	is(exo_policy_set(env, &p, 100), 0, "set again");
	is(exo_policy_list(env, &list), 1, "listed once");
	is(list->max_pages, 7, "with its pages");
	is(list->allow, EXO_ALLOW_NUMBERS, "and rights");
	free(list);
	is(exo_policy_forget(env, 5), 0, "forgotten");
	is(f.nr_policies, 0, "for good");
	f.fail_nr = EXO_NR_POLICY_SET;
	f.fail_rc = -EPERM;
	is(exo_policy_set(env, &p, 100), -EPERM, "not by a user");
	exo_env_close(env);
}

static void test_grants(void)
{
	struct exo_disk_grant_info *blocks = (void *)1;
	struct exo_net_grant_info *ports = (void *)1;
	struct exo_env *env;
	struct fake f;
	int i;

	fake_init(&f);
	env = fake_open(&f);
	is(exo_disk_grant_list(env, 1, &blocks), 0, "no grant of blocks");
	ok(!blocks, "is no list");
	is(exo_net_grant_list(env, 1, &ports), 0, "none of ports");
	ok(!ports, "is no list");
	for (i = 0; i < FAKE_ENVS; i++) {
		f.disk_grant[i].max_blocks = i;
		f.net_grant[i].last_port = i;
	}
	f.nr_disk_grants = FAKE_ENVS;
	f.nr_net_grants = FAKE_ENVS;
	is(exo_disk_grant_list(env, 1, &blocks), FAKE_ENVS,
	   "more of blocks than a first guess");
	is(blocks[FAKE_ENVS - 1].max_blocks, FAKE_ENVS - 1, "the last");
	free(blocks);
	is(exo_net_grant_list(env, 1, &ports), FAKE_ENVS, "so of ports");
	is(ports[FAKE_ENVS - 1].last_port, FAKE_ENVS - 1, "the last");
	free(ports);
	is(exo_disk_grant_list(env, 2, &blocks), -ENOENT, "no such disk");
	is(exo_net_grant_list(env, 2, &ports), -ENOENT, "no such device");
	exo_env_close(env);
}

/* ------------------------------------------------------------ the loop */

struct bench {
	struct fake f;
	struct exo_env *env;
	struct exo_loop *loop;
	const char *name;
	int calls;
	__u64 sum;
	int off_after;
	int hook_calls;
};

static void bench_open(struct bench *b, unsigned int flags)
{
	memset(b, 0, sizeof(*b));
	fake_init(&b->f);
	b->env = fake_open(&b->f);
	if (!b->env || exo_loop_create(b->env, flags, &b->loop))
		bail("no bench");
	b->name = flags == EXO_LOOP_F_POLL ? "poll" : "io_uring";
}

static void bench_close(struct bench *b)
{
	exo_loop_destroy(b->loop);
	exo_env_close(b->env);
	is(b->f.nr_open, 0, "%s: nothing is left", b->name);
}

static void on_event(struct exo_loop *loop, const struct exo_event *event,
		     void *ctx)
{
	struct bench *b = ctx;

	b->sum += event->nr_pages;
	if (++b->calls == b->off_after)
		exo_loop_on_event(loop, NULL, NULL);
}

/* Rounds until so many events were heard, a second at most. */
static void hear(struct bench *b, int want)
{
	__u64 end = now_ms() + 1000;

	while (b->calls < want && now_ms() < end)
		if (exo_loop_round(b->loop, 10 * MS))
			return;
}

static void test_heard(struct bench *b)
{
	int i;

	fake_event(&b->f, EXO_EVENT_RELEASE, 1);
	exo_loop_round(b->loop, 5 * MS);
	is(b->f.nr_events, 1, "%s: who does not want events gets none",
	   b->name);
	is(exo_loop_on_event(b->loop, on_event, b), 0, "%s: wanted", b->name);
	hear(b, 1);
	is(b->calls, 1, "%s: what came before is heard", b->name);
	exo_loop_round(b->loop, 5 * MS);
	is(b->calls, 1, "%s: once", b->name);
	for (i = 0; i < 100; i++)
		fake_event(&b->f, EXO_EVENT_RELEASE, i);
	exo_loop_round(b->loop, 100 * MS);
	ok(b->calls < 100, "%s: a hundred do not starve a round (%d)", b->name,
	   b->calls);
	hear(b, 101);
	is(b->calls, 101, "%s: but are all heard", b->name);
	is(b->sum, 1 + 99 * 50, "%s: each once", b->name);
	b->calls = 0;
	b->off_after = 3;
	for (i = 0; i < 5; i++)
		fake_event(&b->f, EXO_EVENT_RELEASE, i);
	hear(b, 4);
	is(b->calls, 3, "%s: the handler takes itself off", b->name);
	is(b->f.nr_events, 2, "%s: the rest stays queued", b->name);
	b->off_after = 0;
	exo_loop_on_event(b->loop, on_event, b);
	is(exo_loop_on_event(b->loop, on_event, b), 0, "%s: twice", b->name);
	hear(b, 5);
	is(b->calls, 5, "%s: and is heard later", b->name);
}

static void test_error(struct bench *b)
{
	b->f.short_read = 1;
	fake_event(&b->f, EXO_EVENT_RELEASE, 1);
	b->calls = 0;
	is(exo_loop_run(b->loop), -EPROTO, "%s: a wrong answer ends the run",
	   b->name);
	b->f.short_read = 0;
	hear(b, 1);
	is(b->calls, 1, "%s: it can go on", b->name);
}

/* Sleeps for the env's rings alone, as EXO_FLOW_KICK_WAIT. */
static int on_wait(struct exo_loop *loop, __u64 timeout_ns, void *ctx)
{
	struct bench *b = ctx;
	struct pollfd pfd = { .fd = exo_env_fd(b->env), .events = POLLIN };
	int rc;

	(void)loop;
	b->hook_calls++;
	rc = exo_sys_default()->poll(NULL, &pfd, 1, timeout_ns > INT64_MAX ?
				     -1 : (__s64)timeout_ns);
	if (rc < 0)
		return rc;
	return rc ? 0 : -ETIME;
}

static void test_gears(struct bench *b)
{
	__u64 begin = now_ms();

	exo_loop_on_wait(b->loop, on_wait, b);
	b->calls = 0;
	fake_event(&b->f, EXO_EVENT_RELEASE, 1);
	exo_loop_round(b->loop, 5000 * MS);
	exo_loop_round(b->loop, 0);
	is(b->calls, 1, "%s: heard in the hook's gear", b->name);
	ok(now_ms() - begin < 2000, "%s: without waiting for a packet",
	   b->name);
	b->hook_calls = 0;
	exo_loop_round(b->loop, 200 * MS);
	ok(b->hook_calls <= 3, "%s: idle: the hook is called %d times",
	   b->name, b->hook_calls);
	exo_loop_on_wait(b->loop, NULL, NULL);
	exo_loop_on_event(b->loop, NULL, NULL);
	is(b->f.event_fd, -1, "%s: not wanted any more", b->name);
	is(exo_loop_on_event(b->loop, on_event, b), 0, "%s: at the end, too",
	   b->name);
}

static void test_on_fails(struct bench *b)
{
	b->f.eventfd_rc = -EMFILE;
	is(exo_loop_on_event(b->loop, on_event, b), -EMFILE,
	   "%s: no eventfd", b->name);
	b->f.eventfd_rc = 0;
	b->f.fail_nr = EXO_NR_EVENT_FD;
	b->f.fail_rc = -ENOTTY;
	is(exo_loop_on_event(b->loop, on_event, b), -ENOTTY,
	   "%s: a module without events", b->name);
	b->f.fail_nr = 0;
	is(b->f.nr_open, 1, "%s: nothing is left but the env", b->name);
}

static void test_backend(unsigned int flags)
{
	struct bench b;

	bench_open(&b, flags);
	test_on_fails(&b);
	test_heard(&b);
	test_error(&b);
	test_gears(&b);
	bench_close(&b);
}

static void test_loop(void)
{
	struct exo_loop *loop;

	is(exo_loop_create(NULL, 0, &loop), 0, "a loop without an env");
	is(exo_loop_on_event(loop, on_event, NULL), -EINVAL, "has no events");
	exo_loop_destroy(loop);
	test_backend(EXO_LOOP_F_POLL);
	if (exo_loop_create(NULL, EXO_LOOP_F_URING, &loop)) {
		skip("io_uring is off here");
		return;
	}
	exo_loop_destroy(loop);
	test_backend(EXO_LOOP_F_URING);
}

int main(void)
{
	test_read();
	test_event_fd();
	test_info();
	test_envs();
	test_policy();
	test_grants();
	test_loop();
	return done_testing();
}
