// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Does each command by io_uring what it does by ioctl, in every kind of ring,
 * and refuse the same?
 */
#include "../exo_test.h"

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
	is(as_user(UID_ALICE, run, NULL), 0, "alice's process ended well");
	ok(stats_wait(fd, &before, 5000), "nothing is left of it");
	close(fd);
	is(exo_rmmod(), 0, "the module can be removed");
	return done_testing();
}
