// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Does each command by io_uring what it does by ioctl, in every kind of ring,
 * and refuse the same?
 *
 * timeout: 240
 */
#include "cap.h"
#include "commands.h"

#include <sys/eventfd.h>

#include <liburing.h>

#ifndef IORING_OP_URING_CMD
#define URING_CMD_OP 46
#else
#define URING_CMD_OP IORING_OP_URING_CMD
#endif

/* Queue one command; its completion carries @data. */
static void queue(struct io_uring *ring, int fd, uint32_t op, const void *arg,
		  uint64_t reserved, unsigned int sqe_flags, uint64_t data)
{
	struct exo_uring_cmd payload = {
		.arg = (uintptr_t)arg, .reserved = reserved,
	};
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

	if (!sqe)
		bail("the submission queue is full");
	memset(sqe, 0, 64);
	sqe->opcode = URING_CMD_OP;
	sqe->flags = sqe_flags;
	sqe->fd = fd;
	/* cmd_op shares its place with the offset, cmd with addr3. */
	sqe->off = op;
	memcpy((char *)sqe + 48, &payload, sizeof(payload));
	sqe->user_data = data;
}

static long wait_one(struct io_uring *ring, uint64_t *data)
{
	struct __kernel_timespec ts = { .tv_sec = 10 };
	struct io_uring_cqe *cqe;
	long rc;

	rc = io_uring_submit(ring);
	if (rc < 0)
		bail("io_uring_submit: %s", strerror(-rc));
	rc = io_uring_wait_cqe_timeout(ring, &cqe, &ts);
	if (rc)
		bail("no completion: %s", strerror(-rc));
	rc = cqe->res;
	if (data)
		*data = cqe->user_data;
	io_uring_cqe_seen(ring, cqe);
	return rc;
}

static long call(struct io_uring *ring, int fd, uint32_t op, void *arg,
		 unsigned int sqe_flags)
{
	queue(ring, fd, op, arg, 0, sqe_flags, 1);
	return wait_one(ring, NULL);
}

static void test_commands(struct io_uring *ring, int fd, unsigned int flags)
{
	struct exo_query q = { .size = sizeof(q) }, q2 = { .size = sizeof(q2) };
	struct exo_stats s = { .size = sizeof(s) }, s2;
	struct exo_frame_alloc a = { .size = sizeof(a), .nr_pages = 2 };
	struct exo_handle_close c = { .size = sizeof(c) };
	uint64_t *p;

	is(call(ring, fd, EXO_CMD_QUERY, &q, flags), 0, "QUERY");
	exo_ioctl(fd, EXO_CMD_QUERY, &q2);
	ok(!memcmp(&q, &q2, sizeof(q)), "answers as ioctl does");
	is(call(ring, fd, EXO_CMD_STATS, &s, flags), 0, "STATS");
	s2 = stats_get(fd);
	ok(stats_same(&s, &s2), "answers as ioctl does");
	is(call(ring, fd, EXO_CMD_FRAME_ALLOC, &a, flags), 0, "FRAME_ALLOC");
	p = exo_map(fd, a.out_mmap_offset, 8192);
	ok(p != MAP_FAILED && *p == 0, "the frame can be mapped");
	c.handle = a.out_handle;
	is(call(ring, fd, EXO_CMD_HANDLE_CLOSE, &c, flags), 0, "HANDLE_CLOSE");
	is(touch(p, NULL), SIGBUS, "the frame is gone");
	is(call(ring, fd, EXO_CMD_HANDLE_CLOSE, &c, flags), -ENOENT,
	   "HANDLE_CLOSE again");
	munmap(p, 8192);
}

static void test_refusals(struct io_uring *ring, int fd)
{
	struct exo_query q = { .size = sizeof(q) };
	struct exo_frame_alloc a = { .size = sizeof(a), .nr_pages = 2 };
	char *hole = matrix_hole();
	uint32_t nr;

	is(call(ring, fd, 0, &q, 0), -ENOTTY, "command 0");
	is(call(ring, fd, EXO_NR_QUERY, &q, 0), -ENOTTY, "a bare number");
	is(call(ring, fd, _IO('x', EXO_NR_QUERY), &q, 0), -ENOTTY,
	   "another type");
	for (nr = 0; nr < 256; nr++) {
		if (nr >= EXO_NR_QUERY && nr <= EXO_NR_POLICY_LIST)
			continue;
		if (call(ring, fd, _IO(EXO_IOC_TYPE, nr), &q, 0) != -ENOTTY)
			break;
	}
	is(nr, 256, "every number outside the table is ENOTTY");
	is(call(ring, fd, EXO_CMD_QUERY, NULL, 0), -EFAULT, "NULL");
	is(call(ring, fd, EXO_CMD_QUERY, hole, 0), -EFAULT, "unmapped");
	memcpy(hole - 4, &q.size, 4);
	is(call(ring, fd, EXO_CMD_QUERY, hole - 4, 0), -EFAULT, "cut off");
	is(call(ring, fd, EXO_CMD_FRAME_ALLOC, (void *)0xffff888000000000UL, 0),
	   -EFAULT, "a kernel address");
	a.flags = 1U << 31;
	is(call(ring, fd, EXO_CMD_FRAME_ALLOC, &a, 0), -EOPNOTSUPP,
	   "an unknown flag");
	a.flags = 0;
	a.size = 8;
	is(call(ring, fd, EXO_CMD_FRAME_ALLOC, &a, 0), -EINVAL, "too small");
	a.size = sizeof(a);
	queue(ring, fd, EXO_CMD_FRAME_ALLOC, &a, 1, 0, 1);
	is(wait_one(ring, NULL), -EINVAL, "reserved not zero");
	is(call(ring, STDOUT_FILENO, EXO_CMD_QUERY, &q, 0), -EOPNOTSUPP,
	   "a file that is no env");
}

/* ------------------------------------------ as by ioctl, each of them */

#define NOT_THERE	0x7fffffffU	/* no such handle, fd, uid, too many pages */

/* How a command is to be called; by ioctl without a ring. */
struct way {
	struct io_uring *ring;
	int env;
	unsigned int flags;
};

static long go(const struct way *w, unsigned long cmd, void *arg)
{
	return w->ring ? call(w->ring, w->env, cmd, arg, w->flags) :
			 exo_ioctl(w->env, cmd, arg);
}

/* Calls that are refused, or harmless; false if there are no more. */
static bool spoil(const struct command *c, int n, uint32_t *s, void **arg)
{
	memset(s, 0, MATRIX_MAX_BYTES);
	s[0] = c->size;
	*arg = s;
	switch (n) {
	case 0:			/* as it is: zeroes */
		return true;
	case 1:
		s[2] = NOT_THERE;
		return true;
	case 2:
		s[1] = 1U << 31;
		return true;
	case 3:
		s[0] = 0;
		return true;
	case 4:
		s[0] = c->size + 8;
		s[c->size / 4] = 1;
		return true;
	case 5:
		*arg = NULL;
		return true;
	}
	return false;
}

static bool is_same(const struct way *w, const struct command *c, int n)
{
	const struct way plain = { .env = w->env };
	uint32_t a[MATRIX_MAX_BYTES / 4], b[MATRIX_MAX_BYTES / 4];
	long want, got;
	void *arg;

	spoil(c, n, a, &arg);
	want = go(&plain, c->cmd, arg);
	spoil(c, n, b, &arg);
	got = go(w, c->cmd, arg);
	if (got == want && (c->changes || !memcmp(a, b, sizeof(a))))
		return true;
	diag("%s, try %d: %ld by io_uring, %ld by ioctl", c->name, n, got,
	     want);
	return false;
}

static void test_each(const struct way *w)
{
	uint32_t s[MATRIX_MAX_BYTES / 4];
	int n, tried = 0, same = 0;
	size_t i;
	void *arg;

	for (i = 0; i < ARRAY_SIZE(commands); i++)
		for (n = 0; spoil(&commands[i], n, s, &arg); n++) {
			tried++;
			same += is_same(w, &commands[i], n);
		}
	is(same, tried, "%zu commands answer %d tries as by ioctl",
	   ARRAY_SIZE(commands), tried);
}

/* What calls returned, one after the other. */
struct record {
	const char *what[64];
	long value[64];
	int nr;
};

static void note(struct record *r, const char *what, long value)
{
	if (r->nr == ARRAY_SIZE(r->value))
		bail("too much to note");
	r->what[r->nr] = what;
	r->value[r->nr++] = value;
}

/* An fd that a command made is the caller's, and does what it should. */
static uint32_t use_export(const struct way *w, struct record *r,
			   uint32_t handle)
{
	struct exo_cap_export e = { .size = sizeof(e), .handle = handle };
	struct exo_cap_import i = { .size = sizeof(i) };
	int had = nr_fds();

	note(r, "CAP_EXPORT", go(w, EXO_CMD_CAP_EXPORT, &e));
	note(r, "fds of the caller", nr_fds() - had);
	note(r, "close-on-exec", fcntl(e.out_fd, F_GETFD));
	i.fd = e.out_fd;
	note(r, "CAP_IMPORT", go(w, EXO_CMD_CAP_IMPORT, &i));
	note(r, "rights", i.out_rights);
	note(r, "pages", i.out_nr);
	note(r, "close", close(e.out_fd));
	return i.out_handle;
}

static void use_caps(const struct way *w, struct record *r, uint32_t root)
{
	struct exo_cap_derive d = {
		.size = sizeof(d), .handle = root, .rights = RWS, .start = 1,
		.nr = 2,
	};
	struct exo_cap_revoke v = { .size = sizeof(v), .handle = root };
	struct exo_cap_info i = { .size = sizeof(i), .handle = root };
	struct exo_refusal why = { .size = sizeof(why) };
	uint32_t imported;
	uint64_t *p, *q;

	note(r, "CAP_DERIVE", go(w, EXO_CMD_CAP_DERIVE, &d));
	imported = use_export(w, r, d.out_handle);
	p = cap_mapped(w->env, root, 0, 4, RDWR);
	q = cap_mapped(w->env, imported, 0, 2, RO);
	p[2 * PAGE / 8] = 77;
	note(r, "the page's content", q[PAGE / 8]);
	note(r, "CAP_INFO", go(w, EXO_CMD_CAP_INFO, &i));
	note(r, "children", i.out_nr_children);
	v.timeout_ms = 3600000;
	note(r, "CAP_REVOKE with notice", go(w, EXO_CMD_CAP_REVOKE, &v));
	note(r, "how many", v.out_nr);
	v.timeout_ms = 0;
	note(r, "CAP_REVOKE", go(w, EXO_CMD_CAP_REVOKE, &v));
	note(r, "how many", v.out_nr);
	note(r, "a touch", touch(q, NULL));
	d.handle = imported;
	note(r, "CAP_DERIVE of what ended", go(w, EXO_CMD_CAP_DERIVE, &d));
	note(r, "REFUSAL", go(w, EXO_CMD_REFUSAL, &why));
	note(r, "its reason", why.out_reason);
	munmap(p, 4 * PAGE);
	munmap(q, 2 * PAGE);
}

static void use_frame(const struct way *w, struct record *r)
{
	static const uint64_t index[] = { 3, 1 };
	struct exo_frame_alloc a = { .size = sizeof(a), .nr_pages = 4 };
	struct exo_frame_alloc pool = {
		.size = sizeof(pool), .flags = EXO_FRAME_POOL, .nr_pages = 2,
		.array = (uintptr_t)index,
	};
	struct exo_page_info pages[4] = {};
	struct exo_frame_info i = {
		.size = sizeof(i), .nr = 4, .array = (uintptr_t)pages,
	};

	note(r, "FRAME_ALLOC", go(w, EXO_CMD_FRAME_ALLOC, &a));
	pool.pool = a.out_handle;
	i.frame = a.out_handle;
	note(r, "FRAME_ALLOC from it", go(w, EXO_CMD_FRAME_ALLOC, &pool));
	note(r, "FRAME_INFO", go(w, EXO_CMD_FRAME_INFO, &i));
	note(r, "a number that is hidden", pages[3].number);
	use_caps(w, r, a.out_handle);
}

static void use_rest(const struct way *w, struct record *r)
{
	struct exo_cq_create c = { .size = sizeof(c), .nr_entries = 16 };
	struct exo_io io = { .size = sizeof(io), .op = EXO_IO_READ };
	struct exo_io_submit s = {
		.size = sizeof(s), .nr = 1, .array = (uintptr_t)&io,
	};
	struct exo_event_fd e = { .size = sizeof(e) };
	struct exo_env_info envs[8];
	struct exo_env_list l = {
		.size = sizeof(l), .nr = 8, .array = (uintptr_t)envs,
	};

	note(r, "CQ_CREATE", go(w, EXO_CMD_CQ_CREATE, &c));
	s.cq = c.out_handle;
	note(r, "IO_SUBMIT of no extent", go(w, EXO_CMD_IO_SUBMIT, &s));
	note(r, "accepted", s.out_nr);
	io.extent = c.out_handle;
	note(r, "IO on a cq", go(w, EXO_CMD_IO, &io));
	e.fd = eventfd(0, EFD_CLOEXEC);
	note(r, "EVENT_FD", go(w, EXO_CMD_EVENT_FD, &e));
	close(e.fd);
	e.fd = -1;
	note(r, "EVENT_FD for none", go(w, EXO_CMD_EVENT_FD, &e));
	note(r, "ENV_LIST", go(w, EXO_CMD_ENV_LIST, &l));
	note(r, "envs", l.out_nr);
}

/* Calls that succeed: one after the other, in an env of its own. */
static void use(const struct way *w, struct record *r)
{
	struct way own = *w;

	own.env = exo_open();
	use_frame(&own, r);
	use_rest(&own, r);
	close(own.env);
}

static void test_use(const struct way *w)
{
	const struct way plain = { .env = w->env };
	struct record want = {}, got = {};
	int i, same = 0;

	use(&plain, &want);
	use(w, &got);
	for (i = 0; i < want.nr; i++) {
		same += got.value[i] == want.value[i];
		if (got.value[i] != want.value[i])
			diag("%s: %ld, but %ld by ioctl", want.what[i],
			     got.value[i], want.value[i]);
	}
	is(same, want.nr, "%d results of calls that depend on each other",
	   want.nr);
	is(want.value[0], 0, "which go well");
}

/* The one thing that only an ioctl can do. */
static void test_wait(const struct way *w)
{
	const struct way plain = { .env = w->env };
	struct exo_flow_kick k = {
		.size = sizeof(k), .flags = EXO_FLOW_KICK_WAIT,
		.flow = NOT_THERE,
	};

	is(go(w, EXO_CMD_FLOW_KICK, &k), -EOPNOTSUPP,
	   "a doorbell that waits is refused");
	is(go(&plain, EXO_CMD_FLOW_KICK, &k), -ENOENT, "not by ioctl");
}

static void test_as_ioctl(struct io_uring *ring, int fd, unsigned int flags)
{
	const struct way w = { .ring = ring, .env = fd, .flags = flags };

	test_each(&w);
	test_use(&w);
	test_wait(&w);
}

static long policy_forget(int env, uint32_t uid)
{
	struct exo_policy_set p = {
		.size = sizeof(p), .flags = EXO_GRANT_REVOKE,
		.policy = { .uid = uid },
	};

	return exo_ioctl(env, EXO_CMD_POLICY_SET, &p);
}

/* Root is refused later. A policy of zeroes is one: it was set, for two uids. */
static void test_root(int env)
{
	struct way w = { .env = env };
	struct io_uring ring;

	if (io_uring_queue_init(8, &ring, 0))
		bail("io_uring_queue_init failed");
	w.ring = &ring;
	test_each(&w);
	is(policy_forget(env, 0), 0, "a policy was set");
	is(policy_forget(env, NOT_THERE), 0, "and another");
	io_uring_queue_exit(&ring);
}

/* Many at once: each gets one completion and a frame of its own. */
static void test_batch(struct io_uring *ring, int fd)
{
	struct exo_frame_alloc a[64];
	struct exo_handle_close c[64];
	uint64_t data, seen = 0;
	int i, good = 0;

	for (i = 0; i < 64; i++) {
		a[i] = (struct exo_frame_alloc) {
			.size = sizeof(a[i]), .nr_pages = 1,
		};
		queue(ring, fd, EXO_CMD_FRAME_ALLOC, &a[i], 0, 0, i);
	}
	for (i = 0; i < 64; i++) {
		good += wait_one(ring, &data) == 0;
		seen |= 1ULL << data;
	}
	is(good, 64, "64 allocations in one submission");
	ok(seen == ~0ULL, "each has its completion");
	for (i = 0; i < 64; i++) {
		c[i] = (struct exo_handle_close) {
			.size = sizeof(c[i]), .handle = a[i].out_handle,
		};
		queue(ring, fd, EXO_CMD_HANDLE_CLOSE, &c[i], 0,
		      i < 63 ? IOSQE_IO_LINK : 0, i);
	}
	for (i = good = 0; i < 64; i++)
		good += wait_one(ring, &data) == 0 && data == (uint64_t)i;
	is(good, 64, "64 closes as a chain, in order");
}

/* The ring goes while commands are under way in its workers. */
static void test_torn_down(int fd)
{
	static struct exo_frame_alloc a[32];
	struct exo_stats before = stats_get(fd);
	struct io_uring ring;
	int i, other = exo_open();

	if (io_uring_queue_init(64, &ring, 0))
		bail("io_uring_queue_init failed");
	for (i = 0; i < 32; i++) {
		a[i] = (struct exo_frame_alloc) {
			.size = sizeof(a[i]), .nr_pages = 32,
		};
		queue(&ring, other, EXO_CMD_FRAME_ALLOC, &a[i], 0,
		      IOSQE_ASYNC, i);
	}
	io_uring_submit(&ring);
	close(other);
	io_uring_queue_exit(&ring);
	ok(stats_wait(fd, &before, 10000),
	   "a ring torn down with commands under way leaves nothing");
}

static int run(void *arg)
{
	static const struct {
		const char *what;
		unsigned int flags;
	} kinds[] = {
		{ "plain", 0 },
		{ "SQPOLL", IORING_SETUP_SQPOLL },
		{ "DEFER_TASKRUN", 1U << 12 | 1U << 13 },
		{ "SQE128, CQE32", 1U << 10 | 1U << 11 },
		{ "COOP_TASKRUN", 1U << 8 },
	};
	struct exo_stats before;
	struct io_uring ring;
	int fd = exo_open();
	size_t i;
	long rc;

	(void)arg;
	before = stats_get(fd);
	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		diag("%s", kinds[i].what);
		rc = io_uring_queue_init(128, &ring, kinds[i].flags);
		if (rc) {
			skip("no ring of kind %s: %s", kinds[i].what,
			     strerror(-rc));
			continue;
		}
		test_commands(&ring, fd, 0);
		test_commands(&ring, fd, IOSQE_ASYNC);
		test_as_ioctl(&ring, fd, 0);
		test_as_ioctl(&ring, fd, IOSQE_ASYNC);
		test_refusals(&ring, fd);
		test_batch(&ring, fd);
		io_uring_queue_exit(&ring);
		ok(stats_wait(fd, &before, 2000), "%s: nothing is left",
		   kinds[i].what);
	}
	test_torn_down(fd);
	close(fd);
	return 0;
}

int main(void)
{
	struct exo_stats before;
	int fd;

	exo_setup();
	fd = exo_open();
	before = stats_get(fd);
	commands_check(fd);
	test_root(fd);
	is(as_user(UID_ALICE, run, NULL), 0, "alice's process ended well");
	ok(stats_wait(fd, &before, 5000), "nothing is left of it");
	close(fd);
	is(exo_rmmod(), 0, "the module can be removed");
	return done_testing();
}
