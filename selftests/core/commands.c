// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Does every command of the core refuse what it should, for anybody?
 */
#include "../exo_test.h"

#include <poll.h>

static void fill_alloc(int fd, void *s)
{
	struct exo_frame_alloc *a = s;

	(void)fd;
	a->nr_pages = 2;
}

static void undo_alloc(int fd, void *s)
{
	struct exo_frame_alloc *a = s;

	is(exo_close_handle(fd, a->out_handle), 0, "close what was allocated");
}

/* A handle to close; cleanup drops it if the command did not. */
static void fill_close(int fd, void *s)
{
	struct exo_handle_close *c = s;
	struct exo_frame_alloc a;

	if (exo_alloc(fd, 1, 0, &a))
		bail("cannot allocate a page");
	c->handle = a.out_handle;
}

static void cleanup_close(int fd, const void *filled)
{
	const struct exo_handle_close *c = filled;

	exo_close_handle(fd, c->handle);
}

static void test_matrices(int fd)
{
	static const struct exo_query query;
	static const struct exo_stats stats;
	static const size_t reserved[] = {
		offsetof(struct exo_handle_close, reserved)
	};
	static const struct matrix matrices[] = {
		{
			.name = "QUERY", .cmd = EXO_CMD_QUERY,
			.size = sizeof(query), .min = sizeof(query),
			.valid = &query, .outputs = true,
		}, {
			.name = "STATS", .cmd = EXO_CMD_STATS,
			.size = sizeof(stats), .min = sizeof(stats),
			.valid = &stats, .outputs = true,
		}, {
			.name = "HANDLE_CLOSE", .cmd = EXO_CMD_HANDLE_CLOSE,
			.size = sizeof(struct exo_handle_close),
			.min = sizeof(struct exo_handle_close),
			.fill = fill_close, .cleanup = cleanup_close,
			.reserved = reserved,
			.nr_reserved = ARRAY_SIZE(reserved),
		}, {
			.name = "FRAME_ALLOC", .cmd = EXO_CMD_FRAME_ALLOC,
			.size = sizeof(struct exo_frame_alloc),
			.min = offsetof(struct exo_frame_alloc, node),
			.fill = fill_alloc, .undo = undo_alloc,
			.flags = EXO_FRAME_NODE | EXO_FRAME_COLOUR |
				 EXO_FRAME_POOL,
			.outputs = true,
		},
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(matrices); i++)
		matrix_run(fd, &matrices[i]);
}

static void test_query(int fd)
{
	struct exo_query q = { .size = sizeof(q) };

	is(exo_ioctl(fd, EXO_CMD_QUERY, &q), 0, "QUERY answers");
	ok(q.out_features & EXO_FEATURE_FRAME, "there are frames");
	is(q.out_page_bytes, sysconf(_SC_PAGESIZE), "size of a page");
	is(q.out_block_bytes, EXO_BLOCK_BYTES, "size of a block");
	ok(q.out_max_frame_pages >> q.out_max_frame_order,
	   "the largest contiguity fits into the largest frame");
	ok(q.out_max_io && q.out_max_io_blocks && q.out_max_ring_bytes &&
	   q.out_max_tx_entries && q.out_max_cq_entries, "limits are given");
	is(q.out_reserved, 0, "reserved is zero");
	is(q.size, sizeof(q), "size comes back as it was");
}

/* Only the numbers of the header, with no direction, size or other type. */
static void test_unknown(int fd)
{
	static const unsigned int cmds[] = {
		0, ~0U, EXO_NR_QUERY,
		_IO(EXO_IOC_TYPE, 0), _IO(EXO_IOC_TYPE, EXO_NR_QUERY - 1),
		_IO(EXO_IOC_TYPE, EXO_NR_STATS + 1),
		_IO(EXO_IOC_TYPE, EXO_NR_FRAME_INFO + 1),
		_IO(EXO_IOC_TYPE, EXO_NR_IO + 1),
		_IO(EXO_IOC_TYPE, EXO_NR_POLICY_LIST + 1),
		_IO(EXO_IOC_TYPE, 0xff), _IO('x', EXO_NR_QUERY),
		_IOR(EXO_IOC_TYPE, EXO_NR_QUERY, struct exo_query),
		_IOWR(EXO_IOC_TYPE, EXO_NR_QUERY, struct exo_query),
		EXO_CMD_QUERY | 1U << 16,
	};
	struct exo_query q = { .size = sizeof(q) };
	size_t i;
	int nr;

	for (i = 0; i < ARRAY_SIZE(cmds); i++)
		is(exo_ioctl(fd, cmds[i], &q), -ENOTTY,
		   "command %#x is unknown", cmds[i]);
	for (nr = 0; nr < 256; nr++) {
		if (nr >= EXO_NR_QUERY && nr <= EXO_NR_POLICY_LIST)
			continue;
		if (exo_ioctl(fd, _IO(EXO_IOC_TYPE, nr), &q) != -ENOTTY)
			break;
	}
	is(nr, 256, "every number outside the table is ENOTTY");
}

static void test_handles(int fd)
{
	static const uint32_t wrong[] = {
		0, 2, 1000, 0x7fffffff, 0x80000000, 0x80000001, ~0U
	};
	struct exo_frame_alloc a;
	size_t i;

	is(exo_alloc(fd, 1, 0, &a), 0, "a frame");
	ok(a.out_handle > 0 && a.out_handle < 0x80000000,
	   "a handle is positive");
	is(a.out_reserved, 0, "reserved is zero");
	for (i = 0; i < ARRAY_SIZE(wrong); i++)
		if (wrong[i] != a.out_handle)
			is(exo_close_handle(fd, wrong[i]), -ENOENT,
			   "no handle %#x", wrong[i]);
	is(exo_close_handle(fd, a.out_handle), 0, "close");
	is(exo_close_handle(fd, a.out_handle), -ENOENT, "close again");
}

/* A frame where something else is wanted. */
static void test_types(int fd)
{
	struct exo_extent_delete del = { .size = sizeof(del) };
	struct exo_io_submit sub = { .size = sizeof(sub), .nr = 1 };
	struct exo_flow_kick kick = { .size = sizeof(kick) };
	struct exo_io io = {
		.size = sizeof(io), .op = EXO_IO_READ, .nr_blocks = 1,
	};
	struct exo_frame_alloc a;

	exo_alloc(fd, 1, 0, &a);
	del.handle = a.out_handle;
	sub.cq = a.out_handle;
	sub.array = (uintptr_t)&io;
	kick.flow = a.out_handle;
	io.extent = a.out_handle;
	io.frame = a.out_handle;
	is(exo_ioctl(fd, EXO_CMD_EXTENT_DELETE, &del), -EBADF,
	   "a frame is no extent to delete");
	is(exo_ioctl(fd, EXO_CMD_IO_SUBMIT, &sub), -EBADF,
	   "a frame is no completion ring");
	is(exo_ioctl(fd, EXO_CMD_FLOW_KICK, &kick), -EBADF,
	   "a frame is no flow");
	is(exo_ioctl(fd, EXO_CMD_IO, &io), -EBADF,
	   "a frame is no extent to read");
	is(exo_close_handle(fd, a.out_handle), 0, "close the frame");
}

static void test_poll(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLOUT };

	is(poll(&p, 1, 0), 0, "an env without rings has no events");
	exo_alloc(fd, 1, 0, NULL);
	is(poll(&p, 1, 10), 0, "nor does a frame make any");
}

static void test_file(int fd)
{
	char buf[16] = "";

	is(read(fd, buf, sizeof(buf)), -1, "read(2) is refused");
	is(write(fd, buf, sizeof(buf)), -1, "write(2) is refused");
	is(ftruncate(fd, 0), -1, "ftruncate(2) is refused");
	is(fallocate(fd, 0, 0, 4096), -1, "fallocate(2) is refused");
}

static int run(void *arg)
{
	struct exo_stats before;
	int fd = exo_open();

	(void)arg;
	before = stats_get(fd);
	test_query(fd);
	test_matrices(fd);
	test_unknown(fd);
	test_handles(fd);
	test_types(fd);
	test_file(fd);
	ok(stats_wait(fd, &before, 2000), "counters are as at the start");
	test_poll(fd);
	close(fd);
	return 0;
}

int main(void)
{
	exo_setup();
	is(as_user(UID_ALICE, run, NULL), 0, "alice's process ended well");
	is(run(NULL), 0, "root is treated the same");
	return done_testing();
}
