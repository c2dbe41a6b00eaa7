// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * On the real module: does libexo hear of events, by its loop on io_uring and
 * on poll(2) and without, do the exposed tables say what is, and does a frame
 * pass between two users and go again, at once or with notice?
 * vm:
 */
#define _GNU_SOURCE	/* what exo_test.h wants */
#include <exo/exo.h>

#include "../exo_test.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#define MS		1000000ULL
#define FRAME_PAGES	100
#define NOTICE_MS	2000	/* to another process, which shall have time */
#define HOUR_MS		3600000
#define NR_HEARD	8

struct bench {
	struct exo_env *env;
	struct exo_info info;
	struct exo_loop *loop;
	const char *name;
	struct exo_frame frame;
	struct exo_event heard[NR_HEARD];
	struct exo_event event;		/* the one that was waited for last */
	int calls;
	bool give;
};

static void bench_open(struct bench *b)
{
	memset(b, 0, sizeof(*b));
	if (exo_env_open(NULL, NULL, &b->env) ||
	    exo_info_map(b->env, &b->info))
		bail("no bench");
}

static void bench_close(struct bench *b)
{
	is(exo_info_unmap(&b->info), 0, "tables are unmapped");
	exo_env_close(b->env);
}

static __u64 own_id(struct bench *b)
{
	return EXO_INFO_READ(b->info.own->id);
}

/* -------------------------------------------------------------- tables */

static void test_tables(struct bench *b)
{
	struct exo_env_info *envs = NULL;
	struct exo_frame frame;
	int i, nr, mine = 0;

	is(b->info.global->version, 1, "the global table's version");
	is(b->info.own->version, 1, "the env's version");
	is(b->info.own->min_pages, EXO_ENV_MIN_PAGES, "its minimum");
	is(b->info.own->nr_pages, 0, "no pages yet");
	if (exo_frame_alloc(b->env, 7, 0, &frame))
		bail("frame");
	is(EXO_INFO_READ(b->info.own->nr_pages), 7, "seven pages");
	ok(EXO_INFO_READ(b->info.global->nr_pages) >= 7, "of all there are");
	is(touch_write((void *)(uintptr_t)b->info.own, 1), SIGSEGV,
	   "it cannot be written to");
	nr = exo_env_list(b->env, &envs);
	for (i = 0; i < nr; i++) {
		if (envs[i].id != own_id(b))
			continue;
		mine++;
		is(envs[i].pid, getpid(), "the list has this process");
		is(envs[i].nr_pages, 7, "and its pages");
	}
	is(mine, 1, "once");
	free(envs);
	exo_frame_free(&frame);
	is(EXO_INFO_READ(b->info.own->nr_pages), 0, "given back");
}

/* -------------------------------------------------- events without loop */

static void test_read(struct bench *b)
{
	struct pollfd pfd = { .fd = exo_env_fd(b->env), .events = POLLPRI };
	int counter = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct exo_event ev;
	struct exo_frame frame;
	eventfd_t count = 0;

	is(exo_event_read(b->env, &ev, 1, 0), -EAGAIN, "no event");
	is(exo_event_read(b->env, &ev, 1, 20 * MS), -EAGAIN, "nor in 20 ms");
	is(exo_event_fd(b->env, counter), 0, "an eventfd");
	if (exo_frame_alloc(b->env, FRAME_PAGES, 0, &frame))
		bail("frame");
	is(exo_env_ask(b->env, own_id(b), 30, 60000), 0, "asked for 30 pages");
	is(poll(&pfd, 1, 2000), 1, "poll says so");
	ok(pfd.revents & POLLPRI, "by POLLPRI");
	is(eventfd_read(counter, &count), 0, "the eventfd too");
	is(count, 1, "once");
	is(exo_event_read(b->env, &ev, 1, -1), 1, "an event");
	is(ev.type, EXO_EVENT_RELEASE, "a request");
	is(ev.source, EXO_SOURCE_ADMIN, "of the administrator");
	is(ev.nr_pages, 30, "for so many");
	ok(ev.deadline_ns > exo_env_boot_ns(b->env), "with time left");
	is(EXO_INFO_READ(b->info.own->nr_asked), 30, "the table says it");
	exo_frame_free(&frame);
	is(EXO_INFO_READ(b->info.own->nr_asked), 0, "answered");
	is(exo_event_fd(b->env, -1), 0, "no eventfd any more");
	is(exo_event_fd(b->env, pfd.fd), -EINVAL, "the env is none");
	close(counter);
}

/* ---------------------------------------------------- events by the loop */

static void on_event(struct exo_loop *loop, const struct exo_event *event,
		     void *ctx)
{
	struct bench *b = ctx;

	(void)loop;
	if (b->calls < NR_HEARD)
		b->heard[b->calls] = *event;
	b->calls++;
	if (b->give)
		exo_frame_free(&b->frame);
	b->give = false;
}

/* Rounds until the handler was called so often, 10 s at most. */
static void hear(struct bench *b, int want)
{
	uint64_t end = now_ms() + 10000;

	memset(&b->event, 0, sizeof(b->event));
	while (b->calls < want && now_ms() < end)
		if (exo_loop_round(b->loop, 100 * MS))
			return;
	if (b->calls >= want)
		b->event = b->heard[want - 1];
}

/* True before @ns; else a busy machine left no time to see @what. */
static bool in_time(struct bench *b, __u64 ns, const char *what)
{
	if (exo_env_boot_ns(b->env) < ns)
		return true;
	skip("%s: %s: the time was over first", b->name, what);
	return false;
}

static void test_asked(struct bench *b)
{
	if (exo_frame_alloc(b->env, FRAME_PAGES, 0, &b->frame))
		bail("frame");
	b->give = true;
	is(exo_env_ask(b->env, own_id(b), 30, 60000), 0, "%s: asked", b->name);
	hear(b, 1);
	is(b->calls, 1, "%s: heard", b->name);
	is(b->event.type, EXO_EVENT_RELEASE, "%s: a request", b->name);
	is(EXO_INFO_READ(b->info.own->nr_asked), 0, "%s: answered", b->name);
	is(EXO_INFO_READ(b->info.own->nr_pages), 0, "%s: by giving back",
	   b->name);
}

/*
 * Not answered: first the request is heard, then what was taken: one of two
 * frames, since the last pages of an env never are.
 */
static void test_taken(struct bench *b)
{
	__u32 seen = EXO_INFO_READ(b->info.own->vector_prod);
	struct exo_vector_entry e[4];
	struct exo_frame frame[2];
	int which;

	if (exo_frame_alloc(b->env, FRAME_PAGES, 0, &frame[0]) ||
	    exo_frame_alloc(b->env, FRAME_PAGES, 0, &frame[1]))
		bail("frame");
	b->calls = 0;
	is(exo_env_ask(b->env, own_id(b), 30, 200), 0, "%s: asked", b->name);
	hear(b, 1);
	is(b->event.type, EXO_EVENT_RELEASE, "%s: not answered", b->name);
	hear(b, 2);
	is(b->event.type, EXO_EVENT_REPOSSESSED, "%s: taken", b->name);
	is(b->event.nr_pages, FRAME_PAGES, "%s: a frame", b->name);
	is(exo_info_taken(&b->info, &seen, e, 4), 1, "%s: in the vector",
	   b->name);
	which = e[0].handle == frame[1].handle;
	is(e[0].handle, frame[which].handle, "%s: by its handle", b->name);
	is(touch(frame[which].addr, NULL), SIGBUS, "%s: and gone", b->name);
	is(touch(frame[!which].addr, NULL), 0, "%s: the other stays", b->name);
	is(exo_frame_free(&frame[0]) + exo_frame_free(&frame[1]), 0,
	   "%s: both handles can be closed", b->name);
}

static void test_expiry(struct bench *b)
{
	struct exo_cap_narrow narrow = { .rights = EXO_RIGHT_READ, .nr = 1 };
	struct exo_frame part;
	struct exo_cap cap;

	if (exo_frame_alloc(b->env, 2, 0, &b->frame))
		bail("frame");
	narrow.expires_ns = exo_env_boot_ns(b->env) + 1000 * MS;
	b->calls = 0;
	if (exo_cap_derive(b->env, b->frame.handle, &narrow, &cap) ||
	    exo_frame_map(&cap, &part))
		bail("derive");
	hear(b, 1);
	is(b->event.type, EXO_EVENT_CAP_ENDED, "%s: an end", b->name);
	is(b->event.source, EXO_SOURCE_EXPIRY, "%s: in time", b->name);
	is(b->event.handle, part.handle, "%s: of this handle", b->name);
	is(touch(part.addr, NULL), SIGBUS, "%s: and gone", b->name);
	is(touch(b->frame.addr, NULL), 0, "%s: the frame stays", b->name);
	exo_frame_free(&part);
	exo_frame_free(&b->frame);
}

/* The event of a notice for one page of @b->event.handle, given since @from_ns. */
static void check_ending(struct bench *b, __u64 from_ns, __u64 timeout_ns)
{
	struct exo_cap_info info;
	int rc;

	is(b->event.type, EXO_EVENT_CAP_ENDING, "%s: notice", b->name);
	is(b->event.source, EXO_SOURCE_PARENT, "%s: from above", b->name);
	is(b->event.nr_pages, 1, "%s: for a page", b->name);
	ok(b->event.deadline_ns >= from_ns + timeout_ns &&
	   b->event.deadline_ns <= exo_env_boot_ns(b->env) + timeout_ns,
	   "%s: with the time that was given", b->name);
	rc = exo_cap_info(b->env, b->event.handle, &info);
	if (in_time(b, b->event.deadline_ns, "its handle"))
		ok(!rc && info.out_expires_ns == b->event.deadline_ns,
		   "%s: the handle says the same", b->name);
}

/* The one of its end, not before @deadline_ns. */
static void check_ended(struct bench *b, __u32 handle, __u64 deadline_ns)
{
	is(b->event.type, EXO_EVENT_CAP_ENDED, "%s: an end", b->name);
	is(b->event.source, EXO_SOURCE_PARENT, "%s: by revocation", b->name);
	is(b->event.handle, handle, "%s: of the same handle", b->name);
	ok(b->event.time_ns >= deadline_ns, "%s: not too early", b->name);
}

/* A frame of @b, and a page of it that will end. */
static void lend_page(struct bench *b, struct exo_frame *part)
{
	struct exo_cap_narrow narrow = { .rights = EXO_RIGHT_READ, .nr = 1 };
	struct exo_cap cap;

	if (exo_frame_alloc(b->env, 2, 0, &b->frame) ||
	    exo_cap_derive(b->env, b->frame.handle, &narrow, &cap) ||
	    exo_frame_map(&cap, part))
		bail("derive");
	b->calls = 0;
}

/* It has ended; the frame, from which it was made, has not. */
static void page_is_gone(struct bench *b, struct exo_frame *part)
{
	struct exo_page_info page;

	is(touch(part->addr, NULL), SIGBUS, "%s: and gone", b->name);
	is(exo_frame_info(part, 0, 1, &page), -ESTALE, "%s: for all uses",
	   b->name);
	is(touch(b->frame.addr, NULL), 0, "%s: the frame stays", b->name);
	exo_frame_free(part);
	exo_frame_free(&b->frame);
}

static void test_notice(struct bench *b)
{
	struct exo_page_info page;
	struct exo_frame part;
	__u64 from_ns, nr = 0;

	lend_page(b, &part);
	from_ns = exo_env_boot_ns(b->env);
	is(exo_cap_notice(b->env, b->frame.handle, HOUR_MS, &nr), 0,
	   "%s: notice", b->name);
	is(nr, 1, "%s: to one", b->name);
	hear(b, 1);
	check_ending(b, from_ns, HOUR_MS * MS);
	is(b->event.handle, part.handle, "%s: of this handle", b->name);
	is(touch(part.addr, NULL), 0, "%s: it can still be used", b->name);
	is(exo_frame_info(&part, 0, 1, &page), 0, "%s: in all ways", b->name);
	is(exo_cap_notice(b->env, b->frame.handle, 600, &nr), -EBUSY,
	   "%s: no second notice", b->name);
	is(exo_cap_revoke(b->env, b->frame.handle, 0, NULL), 0,
	   "%s: revoked without the time", b->name);
	hear(b, 2);
	check_ended(b, part.handle, from_ns);
	page_is_gone(b, &part);
}

static void test_notice_over(struct bench *b)
{
	struct exo_frame part;
	__u64 deadline_ns;

	lend_page(b, &part);
	is(exo_cap_notice(b->env, b->frame.handle, 600, NULL), 0,
	   "%s: a short notice", b->name);
	hear(b, 1);
	is(b->event.type, EXO_EVENT_CAP_ENDING, "%s: heard", b->name);
	deadline_ns = b->event.deadline_ns;
	hear(b, 2);
	check_ended(b, part.handle, deadline_ns);
	is(b->calls, 2, "%s: no other event", b->name);
	page_is_gone(b, &part);
}

static void test_loop(struct bench *b, unsigned int flags)
{
	b->name = flags == EXO_LOOP_F_POLL ? "poll" : "io_uring";
	b->calls = 0;
	if (exo_loop_create(b->env, flags, &b->loop))
		bail("%s: no loop", b->name);
	is(exo_loop_on_event(b->loop, on_event, b), 0, "%s: events wanted",
	   b->name);
	test_asked(b);
	test_taken(b);
	test_expiry(b);
	test_notice(b);
	test_notice_over(b);
	exo_loop_destroy(b->loop);
}

/* ------------------------------------------------------------ two users */

static void say_ready(int sock)
{
	if (write(sock, "r", 1) != 1)
		bail("nobody listens");
}

static void await_ready(int sock)
{
	char byte;

	if (read(sock, &byte, 1) != 1)
		bail("bob ended");
}

/* bob maps what he is sent, and listens. Return: the descriptor. */
static int borrow(struct bench *b, int sock)
{
	int fd;

	bench_open(b);
	b->name = "bob";
	fd = exo_cap_recv(b->env, sock);
	ok(fd >= 0, "bob receives a descriptor");
	is(exo_frame_import(b->env, fd, &b->frame), 0,
	   "bob imports and maps it");
	ok(!strcmp(b->frame.addr, "letter"), "bob reads what alice wrote");
	if (exo_loop_create(b->env, 0, &b->loop) ||
	    exo_loop_on_event(b->loop, on_event, b))
		bail("bob");
	say_ready(sock);
	return fd;
}

static void gone(struct bench *b, int fd)
{
	is(touch(b->frame.addr, NULL), SIGBUS, "bob cannot read any more");
	is(exo_frame_import(b->env, fd, &b->frame), -ESTALE,
	   "nor import again");
	exo_loop_destroy(b->loop);
	exo_env_close(b->env);
}

/* alice sends pages of a frame, from the one with a letter on. */
static void lend(struct bench *b, int sock, __u64 nr_pages,
		 struct exo_cap *cap)
{
	struct exo_cap_narrow narrow = {
		.rights = EXO_RIGHT_READ | EXO_RIGHT_SHARE, .start = 3,
		.nr = nr_pages,
	};
	int fd;

	bench_open(b);
	if (exo_frame_alloc(b->env, 8, 0, &b->frame))
		bail("alice");
	strcpy(exo_frame_page(&b->frame, 3), "letter");
	is(exo_cap_derive(b->env, b->frame.handle, &narrow, cap), 0,
	   "alice derives");
	fd = exo_cap_export(b->env, cap->handle);
	is(exo_cap_send(b->env, sock, fd), 0, "alice sends");
	close(fd);
	await_ready(sock);
}

/* Two pages, taken back at once. */
static int run_bob(void *arg)
{
	int *sock = arg, fd;
	struct bench b;

	fd = borrow(&b, sock[1]);
	is(b.frame.nr_pages, 2, "bob has two pages");
	is(touch_write(b.frame.addr, 1), SIGSEGV, "bob cannot write");
	say_ready(sock[1]);
	hear(&b, 1);
	check_ended(&b, b.frame.handle, 0);
	gone(&b, fd);
	return 0;
}

static int run_alice(void *arg)
{
	struct exo_cap cap;
	int *sock = arg;
	struct bench b;

	lend(&b, sock[0], 2, &cap);
	await_ready(sock[0]);
	is(exo_cap_revoke(b.env, cap.handle, 0, NULL), 0, "alice revokes");
	ok(!strcmp(exo_frame_page(&b.frame, 3), "letter"),
	   "alice keeps her letter");
	exo_frame_free(&b.frame);
	exo_env_close(b.env);
	return 0;
}

/*
 * A page, with notice; alice is not there any more when the time is over. While
 * she was, it was bob's as before.
 */
static int run_bob_noticed(void *arg)
{
	int *sock = arg, fd;
	__u64 deadline_ns;
	struct bench b;
	int touched;
	char byte;

	close(sock[0]);
	fd = borrow(&b, sock[1]);
	hear(&b, 1);
	check_ending(&b, 0, NOTICE_MS * MS);
	is(b.event.handle, b.frame.handle, "by his own handle");
	deadline_ns = b.event.deadline_ns;
	is(read(sock[1], &byte, 1), 0, "alice has ended");
	touched = touch(b.frame.addr, NULL);
	if (in_time(&b, deadline_ns, "his page"))
		is(touched, 0, "bob still reads");
	hear(&b, 2);
	check_ended(&b, b.frame.handle, deadline_ns);
	gone(&b, fd);
	return 0;
}

static int run_alice_notices(void *arg)
{
	struct exo_cap cap;
	int *sock = arg;
	struct bench b;
	__u64 nr = 0;

	lend(&b, sock[0], 1, &cap);
	is(exo_cap_notice(b.env, cap.handle, NOTICE_MS, &nr), 0,
	   "alice gives notice");
	is(nr, 1, "to bob");
	exo_env_close(b.env);
	return 0;
}

static void test_users(int (*alice_fn)(void *), int (*bob_fn)(void *))
{
	pid_t alice, bob;
	int s[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s))
		bail("socketpair");
	alice = as_user_start(NULL, UID_ALICE, alice_fn, s);
	bob = as_user_start(NULL, UID_BOB, bob_fn, s);
	close(s[0]);
	close(s[1]);
	is(reap(alice), 0, "alice ends");
	is(reap(bob), 0, "bob ends");
}

int main(void)
{
	struct exo_stats before;
	struct bench b;
	int fd;

	exo_setup();
	fd = exo_open();
	before = stats_get(fd);
	bench_open(&b);
	test_tables(&b);
	test_read(&b);
	test_loop(&b, EXO_LOOP_F_POLL);
	test_loop(&b, EXO_LOOP_F_URING);
	bench_close(&b);
	test_users(run_alice, run_bob);
	test_users(run_alice_notices, run_bob_noticed);
	ok(stats_wait(fd, &before, 10000), "nothing is left");
	close(fd);
	return done_testing();
}
