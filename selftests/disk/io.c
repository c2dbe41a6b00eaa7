// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Block I/O: what is written is read, by batch, single command and io_uring, on
 * three drivers; what is out of bounds is refused.
 *
 * vm: --disk 128 --mem 1536
 * timeout: 240
 */
#include "disk.h"
#include "../exo_uring.h"

#define NR 512U		/* blocks of the extent */
#define START 1000U

static int env;
static uint32_t ext, ext_ro, ext_wo;
static struct mem mem;
static struct ring cq;

static void fill_io(int fd, void *s)
{
	struct exo_io io = io_make(EXO_IO_READ, ext, 3, 2, mem.handle, 1);

	(void)fd;
	memcpy(s, &io, sizeof(io));
}

static void fill_submit(int fd, void *s)
{
	static struct exo_io io;
	struct exo_io_submit *u = s;

	(void)fd;
	io = io_make(EXO_IO_READ, ext, 3, 2, mem.handle, 1);
	u->cq = cq.handle;
	u->nr = 1;
	u->array = (uintptr_t)&io;
}

static void undo_submit(int fd, void *s)
{
	(void)fd;
	(void)s;
	ring_next(&cq);
}

static void fill_cq(int fd, void *s)
{
	struct exo_cq_create *c = s;

	(void)fd;
	c->nr_entries = 8;
}

static void undo_cq(int fd, void *s)
{
	struct exo_cq_create *c = s;

	exo_close_handle(fd, c->out_handle);
}

static const size_t at_io[] = { offsetof(struct exo_io, reserved) };

static void matrices(void)
{
	const struct matrix io = {
		.name = "IO", .cmd = EXO_CMD_IO, .size = sizeof(struct exo_io),
		.min = sizeof(struct exo_io), .fill = fill_io,
		.flags = EXO_IO_F_FUA, .result = 2 * BLOCK,
		.reserved = at_io, .nr_reserved = 1,
	};
	const struct matrix submit = {
		.name = "IO_SUBMIT", .cmd = EXO_CMD_IO_SUBMIT,
		.size = sizeof(struct exo_io_submit),
		.min = sizeof(struct exo_io_submit), .fill = fill_submit,
		.undo = undo_submit, .outputs = true,
	};
	const struct matrix create = {
		.name = "CQ_CREATE", .cmd = EXO_CMD_CQ_CREATE,
		.size = sizeof(struct exo_cq_create),
		.min = sizeof(struct exo_cq_create), .fill = fill_cq,
		.undo = undo_cq, .outputs = true,
	};

	matrix_run(env, &io);
	matrix_run(env, &submit);
	/* Accepted before the answer could not be written: they complete. */
	while (ring_prod(&cq) != cq.ring->cons)
		ring_next(&cq);
	matrix_run(env, &create);
}

static void seed(uint32_t first, uint32_t nr, uint64_t s)
{
	uint32_t i;

	for (i = 0; i < nr; i++)
		pattern_fill(mem.p + (first + i) * BLOCK, s + i, BLOCK);
}

static bool same(uint32_t first, uint32_t nr, uint64_t s)
{
	uint32_t i;

	for (i = 0; i < nr; i++)
		if (!pattern_same(mem.p + (first + i) * BLOCK, s + i, BLOCK))
			return false;
	return true;
}

static long one(uint32_t op, uint64_t block, uint32_t nr, uint32_t page)
{
	bool data = op == EXO_IO_READ || op == EXO_IO_WRITE;

	return io_do(env, op, ext, block, nr, data ? mem.handle : 0, page);
}

/* By single commands; the largest operation takes several bios. */
static void singles(void)
{
	seed(0, NR, 1);
	is(one(EXO_IO_WRITE, 0, NR, 0), (long)NR * BLOCK, "write all");
	memset(mem.p, 0xee, (size_t)mem.nr_pages * BLOCK);
	is(one(EXO_IO_READ, 0, NR, NR), (long)NR * BLOCK, "read all");
	ok(same(NR, NR, 1), "what was written is read");
	is(mem.p[0], 0xee, "and nothing else of the frame is touched");
	is(one(EXO_IO_READ, 100, 1, 5), BLOCK, "read one block");
	ok(same(5, 1, 101), "the right one");
	is(one(EXO_IO_FLUSH, 0, 0, 0), 0, "flush");
	is(one(EXO_IO_WRITE_ZEROES, 10, 20, 0), 20 * BLOCK, "write zeroes");
	is(one(EXO_IO_READ, 9, 22, 0), 22 * BLOCK, "read around them");
	ok(same(0, 1, 10) && all_zero(mem.p + BLOCK, 20 * BLOCK) &&
	   same(21, 1, 31), "zeroes, and only those");
}

static void discards(void)
{
	long rc = one(EXO_IO_DISCARD, 50, 20, 0);

	if (rc == -EOPNOTSUPP) {
		diag("this device does not discard");
		return;
	}
	is(rc, 20 * BLOCK, "discard");
	one(EXO_IO_READ, 49, 22, 0);
	ok(same(0, 1, 50) && all_zero(mem.p + BLOCK, 20 * BLOCK) &&
	   same(21, 1, 71), "discarded blocks read as zeroes");
}

static void fua(void)
{
	struct exo_io io = io_make(EXO_IO_WRITE, ext, 7, 1, mem.handle, 0);

	io.flags = EXO_IO_F_FUA;
	seed(0, 1, 77);
	is(exo_ioctl(env, EXO_CMD_IO, &io), BLOCK, "write with FUA");
	io = io_make(EXO_IO_READ, ext, 7, 1, mem.handle, 1);
	io.flags = EXO_IO_F_FUA;
	is(exo_ioctl(env, EXO_CMD_IO, &io), -EINVAL, "read with FUA");
	io.flags = 0;
	exo_ioctl(env, EXO_CMD_IO, &io);
	ok(same(1, 1, 77), "and read back");
}

static void is_range(uint32_t handle, uint32_t type, uint64_t want,
		     const char *what)
{
	struct exo_refusal r = { .size = sizeof(r) };

	is(exo_ioctl(env, EXO_CMD_REFUSAL, &r), 0, "%s: why", what);
	ok(r.out_reason == EXO_REFUSED_RANGE && r.out_handle == handle &&
	   r.out_type == type && r.out_want == want, "%s: the range of it",
	   what);
}

/* Which of the two ranges ends too early, and what it is counted in. */
static void ranges(void)
{
	struct exo_cap_derive d = {
		.size = sizeof(d), .handle = ext, .rights = EXO_RIGHT_READ,
		.start = 1, .nr = NR,
	};

	io_do(env, EXO_IO_READ, ext, NR - 1, 2, mem.handle, 0);
	is_range(ext, EXO_TYPE_EXTENT, NR + 1, "a block too many");
	io_do(env, EXO_IO_READ, ext, 0, 2, mem.handle, mem.nr_pages - 1);
	is_range(mem.handle, EXO_TYPE_FRAME, mem.nr_pages + 1,
		 "a page too many");
	is(exo_ioctl(env, EXO_CMD_CAP_DERIVE, &d), -EINVAL, "derive too long");
	is_range(ext, EXO_TYPE_EXTENT, NR + 1, "derive too long");
}

/* A batch of single blocks, to and fro, more than the ring at once. */
static void batches(void)
{
	struct exo_io io[NR];
	uint32_t i, done = 0, wrong = 0;
	uint8_t seen[NR] = { 0 };
	struct exo_cqe e;
	long rc;

	seed(0, NR, 5000);
	for (i = 0; i < NR; i++) {
		io[i] = io_make(EXO_IO_WRITE, ext, NR - 1 - i, 1, mem.handle,
				i);
		io[i].user_data = i;
	}
	for (i = 0; done < NR;) {
		rc = i < NR ? io_submit(env, &cq, &io[i], NR - i) : 0;
		if (rc < 0 && rc != -EAGAIN)
			bail("submit: %s", strerror(-rc));
		i += rc > 0 ? rc : 0;
		e = ring_next(&cq);
		wrong += e.res != BLOCK || e.flags || e.user_data >= NR ||
			 seen[e.user_data % NR]++;
		done++;
	}
	ok(!wrong, "each write of a batch completes once, with its length");
	memset(mem.p, 0, (size_t)mem.nr_pages * BLOCK);
	is(one(EXO_IO_READ, 0, NR, 0), (long)NR * BLOCK, "read");
	for (i = 0, wrong = 0; i < NR; i++)
		wrong += !pattern_same(mem.p + i * BLOCK, 5000 + NR - 1 - i,
				       BLOCK);
	ok(!wrong, "every block is where it belongs");
}

static void by_uring(void)
{
	static struct exo_io io[64];
	struct io_uring u;
	uint64_t tag, wrong = 0;
	uint32_t i;

	if (!uring_new(&u, 64, 0)) {
		skip("io_uring is not to be had");
		return;
	}
	seed(0, NR, 9000);
	for (i = 0; i < 64; i++) {
		io[i] = io_make(EXO_IO_WRITE, ext, i * 8, 8, mem.handle, i * 8);
		uring_prep(&u, env, EXO_CMD_IO, &io[i], i);
	}
	is(io_uring_submit(&u), 64, "io_uring: submit 64 writes");
	for (i = 0; i < 64; i++)
		wrong += uring_next(&u, &tag) != 8 * BLOCK;
	is(wrong, 0, "io_uring: all done");
	for (i = 0; i < 64; i++) {
		io[i] = io_make(EXO_IO_READ, ext, i * 8, 8, mem.handle,
				NR + i * 8);
		uring_prep(&u, env, EXO_CMD_IO, &io[i], i);
	}
	io_uring_submit(&u);
	for (i = 0, wrong = 0; i < 64; i++)
		wrong += uring_next(&u, &tag) != 8 * BLOCK;
	ok(!wrong && same(NR, NR, 9000), "io_uring: read back");
	io[0] = io_make(EXO_IO_WRITE, ext, 0, NR, mem.handle, NR);
	is(uring_do(&u, env, EXO_CMD_IO, &io[0]), NR * BLOCK,
	   "io_uring: an operation of several bios");
	io[0] = io_make(EXO_IO_FLUSH, ext, 0, 0, 0, 0);
	is(uring_do(&u, env, EXO_CMD_IO, &io[0]), 0, "io_uring: flush");
	io_uring_queue_exit(&u);
}

/* The same command, wrong, by both ways: the same answer. */
static void wrong(const char *what, struct exo_io io, long want,
		  struct io_uring *u)
{
	is(exo_ioctl(env, EXO_CMD_IO, &io), want, "%s", what);
	is(io_submit(env, &cq, &io, 1), want, "%s, in a batch", what);
	if (u)
		is(uring_do(u, env, EXO_CMD_IO, &io), want, "%s, by io_uring",
		   what);
}

#define OP(op, ext_, block, nr, frame, page)				\
	io_make(EXO_IO_##op, ext_, block, nr, frame, page)

static void wrong_ranges(struct io_uring *u)
{
	uint32_t f = mem.handle, p = mem.nr_pages;

	wrong("one block behind", OP(READ, ext, NR, 1, f, 0), -EINVAL, u);
	wrong("across the end", OP(READ, ext, NR - 1, 2, f, 0), -EINVAL, u);
	wrong("write across the end", OP(WRITE, ext, NR - 1, 2, f, 0), -EINVAL,
	      u);
	wrong("zero across the end", OP(WRITE_ZEROES, ext, NR - 1, 2, 0, 0),
	      -EINVAL, u);
	wrong("discard across the end", OP(DISCARD, ext, 1, NR, 0, 0), -EINVAL,
	      u);
	wrong("the last block of all", OP(READ, ext, ~0ULL, 1, f, 0),
	      -EOVERFLOW, u);
	wrong("block -5", OP(READ, ext, -5ULL, 10, f, 0), -EOVERFLOW, u);
	wrong("block -1000", OP(READ, ext, -1000ULL, 5, f, 0), -EINVAL, u);
	wrong("block 2^61", OP(READ, ext, 1ULL << 61, 1, f, 0), -EINVAL, u);
	wrong("no blocks", OP(READ, ext, 0, 0, f, 0), -EINVAL, u);
	wrong("too many blocks", OP(READ, ext, 0, 2049, f, 0), -EINVAL, u);
	wrong("2^32-1 blocks", OP(READ, ext, 0, ~0U, f, 0), -EINVAL, u);
	wrong("behind the frame", OP(READ, ext, 0, 1, f, p), -EINVAL, u);
	wrong("across its end", OP(READ, ext, 0, 2, f, p - 1), -EINVAL, u);
	wrong("page 2^32-1", OP(READ, ext, 0, 1, f, ~0U), -EOVERFLOW, u);
	wrong("page -2", OP(READ, ext, 0, 1, f, -2U), -EINVAL, u);
	wrong("page -1, many", OP(READ, ext, 0, 10, f, -1U), -EOVERFLOW, u);
	wrong("flush with blocks", OP(FLUSH, ext, 0, 1, 0, 0), -EINVAL, u);
	wrong("flush at a block", OP(FLUSH, ext, 1, 0, 0, 0), -EINVAL, u);
	wrong("flush with a frame", OP(FLUSH, ext, 0, 0, f, 0), -EINVAL, u);
	wrong("zero with a frame", OP(WRITE_ZEROES, ext, 0, 1, f, 0), -EINVAL,
	      u);
}

/* More blocks than an operation may have, all of them there. */
static void too_many(uint32_t disk, struct io_uring *u)
{
	uint32_t big;

	if (extent_create(env, disk, "big", START + NR, 2049, 0600, &big))
		bail("create");
	wrong("2049 blocks", OP(WRITE_ZEROES, big, 0, 2049, 0, 0), -EINVAL, u);
	is(io_do(env, EXO_IO_WRITE_ZEROES, big, 0, 2048, 0, 0), 2048 * BLOCK,
	   "2048 blocks");
	is(extent_delete(env, big), 0, "delete");
}

static void wrong_handles(struct io_uring *u)
{
	uint32_t f = mem.handle;
	struct exo_io io = OP(READ, ext, 0, 1, f, 0);

	wrong("extent 0", OP(READ, 0, 0, 1, f, 0), -ENOENT, u);
	wrong("extent of nobody", OP(READ, 9999, 0, 1, f, 0), -ENOENT, u);
	wrong("a frame as extent", OP(READ, f, 0, 1, f, 0), -EBADF, u);
	wrong("a ring as extent", OP(READ, cq.handle, 0, 1, f, 0), -EBADF, u);
	wrong("frame 0", OP(READ, ext, 0, 1, 0, 0), -ENOENT, u);
	wrong("an extent as frame", OP(READ, ext, 0, 1, ext, 0), -EBADF, u);
	wrong("a ring as frame", OP(READ, ext, 0, 1, cq.handle, 0), -EBADF, u);
	wrong("write, read only", OP(WRITE, ext_ro, 0, 1, f, 0), -EACCES, u);
	wrong("zero, read only", OP(WRITE_ZEROES, ext_ro, 0, 1, 0, 0), -EACCES,
	      u);
	wrong("discard, read only", OP(DISCARD, ext_ro, 0, 1, 0, 0), -EACCES,
	      u);
	wrong("read, write only", OP(READ, ext_wo, 0, 1, f, 0), -EACCES, u);
	io.op = 0;
	wrong("operation 0", io, -EINVAL, u);
	io.op = EXO_IO_WRITE_ZEROES + 1;
	wrong("unknown operation", io, -EINVAL, u);
	io.op = ~0U;
	wrong("operation -1", io, -EINVAL, u);
	io = OP(READ, ext, 0, 0, 0, 0);
	io.op = 0;
	wrong("operation 0 on nothing", io, -EINVAL, u);
	io.op = EXO_IO_WRITE_ZEROES + 1;
	wrong("unknown operation on nothing", io, -EINVAL, u);
	io = OP(READ, ext, 0, 1, f, 0);
	io.flags = 2;
	wrong("unknown flag", io, -EOPNOTSUPP, u);
	io.flags = 0;
	io.reserved = 1;
	wrong("reserved", io, -EINVAL, u);
	is(io_do(env, EXO_IO_FLUSH, ext_ro, 0, 0, 0, 0), 0,
	   "flush, read only");
}

static void uring_wrong(struct io_uring *u)
{
	struct exo_io io = OP(READ, ext, 0, 1, mem.handle, 0);
	uint64_t large[sizeof(io) / 8 + 1] = { 0 };
	static struct exo_io zeroes[8192 / sizeof(io)];
	struct io_uring_sqe *sqe;

	zeroes[0] = io;
	zeroes[0].size = 4104;
	is(uring_do(u, env, EXO_CMD_IO, zeroes), -E2BIG,
	   "io_uring: more than a page of zeroes");
	is(uring_do(u, env, EXO_CMD_IO, NULL), -EFAULT, "io_uring: NULL");
	is(uring_do(u, env, EXO_CMD_IO, matrix_hole()), -EFAULT,
	   "io_uring: hole");
	io.size = sizeof(io) - 1;
	is(uring_do(u, env, EXO_CMD_IO, &io), -EINVAL, "io_uring: too small");
	io.size = sizeof(large);
	memcpy(large, &io, sizeof(io));
	is(uring_do(u, env, EXO_CMD_IO, large), BLOCK, "io_uring: larger");
	large[sizeof(io) / 8] = 1;
	is(uring_do(u, env, EXO_CMD_IO, large), -E2BIG,
	   "io_uring: larger, not zero");
	io.size = ~0U;
	is(uring_do(u, env, EXO_CMD_IO, &io), -E2BIG, "io_uring: too large");
	io.size = sizeof(io);
	uring_prep(u, env, EXO_CMD_IO, &io, 0);
	sqe = &u->sq.sqes[(u->sq.sqe_tail - 1) & *u->sq.kring_mask];
	((struct exo_uring_cmd *)sqe->cmd)->reserved = 1;
	io_uring_submit(u);
	is(uring_next(u, NULL), -EINVAL, "io_uring: reserved of the payload");
}

/* All of it, on one device. */
static void on_device(int root, const char *path)
{
	struct io_uring u;
	uint32_t disk;
	bool have;

	diag("%s", path);
	disk = disk_fresh(root, path);
	env = exo_open();
	if (extent_create(env, disk, "io", START, NR, 0600, &ext) ||
	    extent_open(env, disk, 0, "io", EXO_RIGHT_READ, &ext_ro) ||
	    extent_open(env, disk, 0, "io", EXO_RIGHT_WRITE, &ext_wo))
		bail("extent");
	mem = mem_new(env, 2 * NR, 0);
	cq = ring_new(env, 64);
	have = uring_new(&u, 4, 0);
	matrices();
	singles();
	discards();
	fua();
	ranges();
	batches();
	by_uring();
	wrong_ranges(have ? &u : NULL);
	too_many(disk, have ? &u : NULL);
	wrong_handles(have ? &u : NULL);
	if (have) {
		uring_wrong(&u);
		io_uring_queue_exit(&u);
	}
	mem_free(env, &mem);
	mem = mem_new(env, 2 * NR, 5);
	diag("frames of contiguous pages");
	singles();
	batches();
	munmap(mem.p, (size_t)mem.nr_pages * BLOCK);
	munmap(cq.ring, cq.bytes);
	close(env);
	is(disk_detach(root, disk), 0, "detach %s", path);
}

int main(void)
{
	struct exo_stats before;
	const char *path;
	size_t i;
	int root;

	exo_setup();
	root = exo_open();
	before = stats_get(root);
	for (i = 0; i < ARRAY_SIZE(devices); i++) {
		path = device_path(i);
		if (!path) {
			skip("%s: no driver", devices[i].path);
			continue;
		}
		on_device(root, path);
	}
	ok(stats_wait(root, &before, 2000), "counters are as at the start");
	return done_testing();
}
