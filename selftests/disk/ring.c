// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Completion rings: room is reserved, indices of the library are not believed,
 * batches are cut where they go wrong, entries may be larger than we know.
 *
 * vm: --disk 64
 */
#include <poll.h>

#include <pthread.h>

#include "../exo_stall.h"
#include "disk.h"

#define PATH "/dev/vda"

static int env;
static uint32_t disk, ext;
static struct mem mem;

static long create(uint32_t nr_entries)
{
	struct exo_cq_create c = { .size = sizeof(c),
				   .nr_entries = nr_entries };
	long rc = exo_ioctl(env, EXO_CMD_CQ_CREATE, &c);

	if (!rc)
		exo_close_handle(env, c.out_handle);
	return rc;
}

static void sizes(void)
{
	struct exo_query q = { .size = sizeof(q) };

	exo_ioctl(env, EXO_CMD_QUERY, &q);
	is(create(0), -EINVAL, "no entries");
	is(create(1), 0, "one entry");
	is(create(3), -EINVAL, "3 entries");
	is(create(q.out_max_cq_entries), 0, "most entries");
	is(create(q.out_max_cq_entries * 2), -EINVAL, "more than most");
	is(create(1U << 31), -EINVAL, "2^31 entries");
}

static struct exo_io a_read(uint64_t tag)
{
	struct exo_io io = io_make(EXO_IO_READ, ext, tag % 16, 1, mem.handle,
				   tag % 16);

	io.user_data = tag;
	return io;
}

static void wait_prod(struct ring *r, uint32_t prod)
{
	uint64_t end = now_ms() + 20000;

	while (ring_prod(r) != prod && now_ms() < end)
		usleep(100);
	is(ring_prod(r), prod, "%u completions", prod);
}

static void full(void)
{
	struct ring r = ring_new(env, 4);
	struct exo_io io[8];
	uint32_t i;

	for (i = 0; i < 8; i++)
		io[i] = a_read(100 + i);
	is(io_submit(env, &r, io, 8), 4, "8 into a ring of 4: 4 accepted");
	is(io_submit(env, &r, io, 1), -EAGAIN, "full at once");
	wait_prod(&r, 4);
	is(io_submit(env, &r, io, 1), -EAGAIN, "full until consumed");
	ring_next(&r);
	is(io_submit(env, &r, io, 8), 1, "one consumed, one accepted");
	wait_prod(&r, 5);
	is(io_submit(env, &r, io, 8), -EAGAIN, "full again");
	ring_free(env, &r);
}

/* Values of cons that cannot be change nothing. */
static void hostile(void)
{
	static const uint32_t bad[] = { 5, 6, ~0U, 1U << 31, 1000, 0 };
	struct ring r = ring_new(env, 4);
	struct exo_io io[4];
	uint32_t i;

	for (i = 0; i < 4; i++)
		io[i] = a_read(i);
	is(io_submit(env, &r, io, 4), 4, "fill the ring");
	wait_prod(&r, 4);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		r.ring->cons = bad[i];
		is(io_submit(env, &r, io, 1), -EAGAIN, "cons %#x: still full",
		   bad[i]);
	}
	r.ring->cons = 3;
	is(io_submit(env, &r, io, 4), 3, "cons 3: room for 3");
	wait_prod(&r, 7);
	r.ring->cons = 2;
	is(io_submit(env, &r, io, 4), -EAGAIN, "cons backwards: still full");
	r.ring->prod = 12345;
	r.ring->cons = 12345;
	is(io_submit(env, &r, io, 4), -EAGAIN, "the library's prod is nothing");
	r.ring->cons = 7;
	is(io_submit(env, &r, io, 1), 1, "cons 7: room");
	wait_prod(&r, 8);
	ring_free(env, &r);
}

/* Far over the ring's end, and over 2^16, entries stand where they should. */
static void wraps(void)
{
	struct ring r = ring_new(env, 8);
	struct exo_io io[8];
	uint32_t i, round, wrong = 0;
	struct exo_cqe e;

	for (round = 0; round < 300; round++) {
		uint64_t sum = 0, want = 0;

		for (i = 0; i < 1 + round % 8; i++) {
			io[i] = a_read(round * 8 + i);
			want += round * 8 + i;
		}
		if (io_submit(env, &r, io, i) != i)
			wrong++;
		while (i--) {
			e = ring_next(&r);
			sum += e.user_data;
			wrong += e.res != BLOCK;
		}
		wrong += sum != want;
	}
	ok(!wrong, "300 rounds through a ring of 8");
	ring_free(env, &r);
}

static void cut(void)
{
	struct ring r = ring_new(env, 64);
	struct exo_io io[20];
	char *hole = matrix_hole();
	uint32_t i;

	for (i = 0; i < 20; i++)
		io[i] = a_read(i);
	io[13].block = 1ULL << 40;
	is(io_submit(env, &r, io, 20), 13, "the 14th is wrong: 13 accepted");
	wait_prod(&r, 13);
	is(io_submit(env, &r, &io[13], 1), -EINVAL, "and alone it fails");
	io[13] = a_read(13);
	io[9].size = sizeof(io[0]) + 8;
	is(io_submit(env, &r, io, 20), 9, "sizes differ: cut there");
	wait_prod(&r, 22);
	io[9] = a_read(9);
	memcpy(hole - 5 * sizeof(io[0]), io, 5 * sizeof(io[0]));
	is(io_submit(env, &r, hole - 5 * sizeof(io[0]), 20), 5,
	   "the array ends in a hole: 5 accepted");
	wait_prod(&r, 27);
	is(io_submit(env, &r, hole, 1), -EFAULT, "array in the hole");
	is(io_submit(env, &r, hole - 2, 1), -EFAULT, "size in the hole");
	is(io_submit(env, &r, NULL, 1), -EFAULT, "array at NULL");
	is(io_submit(env, &r, (void *)~7UL, 20), -EFAULT, "array at the end");
	is(io_submit(env, &r, io, 0), -EINVAL, "no operations");
	is(io_submit(env, &r, io, 1025), -EINVAL, "too many operations");
	is(io_submit(env, &r, io, ~0U), -EINVAL, "2^32-1 operations");
	ring_free(env, &r);
	is(io_submit(env, &r, io, 1), -ENOENT, "the ring is closed");
	r.handle = mem.handle;
	is(io_submit(env, &r, io, 1), -EBADF, "a frame as ring");
}

/* The array of a batch: the last operations stand on the second page. */
#define EARLY	8
#define LATE	8

struct batch {
	const struct ring *r;
	struct exo_io *ios;
	long rc;
};

static void *submit_stalled(void *arg)
{
	struct batch *b = arg;

	b->rc = io_submit(env, b->r, b->ios, EARLY + LATE);
	return NULL;
}

static bool pages_become(uint64_t nr)
{
	uint64_t end = now_ms() + 2000;

	while (stats_get(env).out_nr_frame_pages != nr) {
		if (now_ms() > end)
			return false;
		usleep(1000);
	}
	return true;
}

/* An extent and pages that go while a batch for them is being read. */
static void deleted(void)
{
	struct exo_io late[STALL_PAGE / sizeof(struct exo_io)];
	struct ring r = ring_new(env, 64);
	struct batch b = { .r = &r };
	uint64_t nr_pages = stats_get(env).out_nr_frame_pages;
	struct mem pages = mem_new(env, 16, 0);
	struct stall s;
	pthread_t thread;
	uint32_t x, i;

	if (extent_create(env, disk, "d", 400, 16, 0600, &x))
		bail("create");
	stall_new(&s);
	b.ios = (struct exo_io *)s.second - EARLY;
	for (i = 0; i < ARRAY_SIZE(late); i++)
		late[i] = io_make(EXO_IO_READ, x, 0, 1, pages.handle, 0);
	memcpy(b.ios, late, EARLY * sizeof(late[0]));
	pthread_create(&thread, NULL, submit_stalled, &b);
	ok(stall_reached(&s), "a batch is being read");
	wait_prod(&r, EARLY);
	is(extent_delete(env, x), 0, "its extent is deleted");
	mem_free(env, &pages);
	ok(pages_become(nr_pages), "and its pages are free at once");
	stall_end(&s, late);
	pthread_join(thread, NULL);
	is(b.rc, EARLY, "nothing of what is read then is accepted");
	usleep(100000);
	is(ring_prod(&r), EARLY, "or done");
	stall_free(&s);
	ring_free(env, &r);
}

/* Entries of a library built against a later header. */
static void larger(void)
{
	struct {
		struct exo_io io;
		uint64_t later;
	} io[10] = { 0 };
	static struct exo_io page[8192 / sizeof(struct exo_io)];
	struct ring r = ring_new(env, 64);
	uint32_t i;

	for (i = 0; i < 10; i++) {
		io[i].io = a_read(i);
		io[i].io.size = sizeof(io[0]);
	}
	is(io_submit(env, &r, io, 10), 10, "larger entries");
	wait_prod(&r, 10);
	io[4].later = 1;
	is(io_submit(env, &r, io, 10), 4, "until one says what is not known");
	is(io_submit(env, &r, &io[4], 1), -E2BIG, "E2BIG");
	wait_prod(&r, 14);
	io[0].io.size = sizeof(io[0].io) - 4;
	is(io_submit(env, &r, io, 1), -EINVAL, "smaller entries");
	io[0].io.size = 0;
	is(io_submit(env, &r, io, 1), -EINVAL, "size 0");
	io[0].io.size = ~0U;
	is(io_submit(env, &r, io, 1), -E2BIG, "size 2^32-1");
	memset(page, 0, sizeof(page));
	page[0] = a_read(0);
	page[0].size = 4104;
	is(io_submit(env, &r, page, 1), -E2BIG, "more than a page of zeroes");
	ring_free(env, &r);
}

/* A batch that goes to and fro between extents and frames. */
static void mixed(void)
{
	struct ring r = ring_new(env, 16);
	struct mem m[2] = { mem_new(env, 16, 0), mem_new(env, 16, 0) };
	struct exo_io io[16];
	uint32_t x[2], i, wrong = 0;

	if (extent_create(env, disk, "m0", 200, 16, 0600, &x[0]) ||
	    extent_create(env, disk, "m1", 300, 16, 0600, &x[1]))
		bail("create");
	for (i = 0; i < 2; i++) {
		pattern_fill(m[0].p, 60 + i, BLOCK);
		io_do(env, EXO_IO_WRITE, x[i], 5, 1, m[0].handle, 0);
	}
	for (i = 0; i < 16; i++)
		io[i] = io_make(EXO_IO_READ, x[i / 2 % 2], 5, 1,
				m[i / 3 % 2].handle, i);
	is(io_submit(env, &r, io, 16), 16, "two extents, two frames");
	for (i = 0; i < 16; i++)
		ring_next(&r);
	for (i = 0; i < 16; i++)
		wrong += !pattern_same(m[i / 3 % 2].p + i * BLOCK,
				       60 + i / 2 % 2, BLOCK);
	ok(!wrong, "each block comes from its extent into its frame");
	is(extent_delete(env, x[0]), 0, "delete");
	is(extent_delete(env, x[1]), 0, "delete");
	mem_free(env, &m[0]);
	mem_free(env, &m[1]);
	ring_free(env, &r);
}

static void polls(void)
{
	struct ring r = ring_new(env, 4);
	struct pollfd p = { .fd = env, .events = POLLIN };
	struct exo_io io = a_read(1);

	is(poll(&p, 1, 0), 0, "nothing to read");
	io_submit(env, &r, &io, 1);
	is(poll(&p, 1, 20000), 1, "poll wakes for a completion");
	ring_next(&r);
	is(poll(&p, 1, 0), 0, "nothing once it is consumed");
	ring_free(env, &r);
}

/* Handles closed while the device is at work. */
static void orphans(void)
{
	struct exo_stats before = stats_get(env);
	struct exo_io io[64];
	uint32_t i, round;

	for (round = 0; round < 50; round++) {
		int e = exo_open();
		struct mem m = mem_new(e, 64, 0);
		struct ring r = ring_new(e, 64);
		uint32_t x;

		if (extent_open(e, disk, 0, "x", EXO_RIGHT_READ, &x))
			bail("open");
		for (i = 0; i < 64; i++)
			io[i] = io_make(EXO_IO_READ, x, i % 16, 1, m.handle, i);
		if (io_submit(e, &r, io, 64) != 64)
			bail("submit");
		munmap(m.p, 64 * BLOCK);
		munmap(r.ring, r.bytes);
		if (round & 1) {
			exo_close_handle(e, m.handle);
			exo_close_handle(e, r.handle);
			exo_close_handle(e, x);
		}
		close(e);
	}
	ok(stats_wait(env, &before, 5000), "nothing is left of closed rings");
}

int main(void)
{
	struct exo_stats before;
	int root;

	exo_setup();
	root = exo_open();
	before = stats_get(root);
	disk = disk_fresh(root, PATH);
	env = exo_open();
	if (extent_create(env, disk, "x", 100, 16, 0600, &ext))
		bail("create");
	mem = mem_new(env, 16, 0);
	sizes();
	full();
	hostile();
	wraps();
	cut();
	deleted();
	larger();
	mixed();
	polls();
	orphans();
	mem_free(env, &mem);
	close(env);
	is(disk_detach(root, disk), 0, "detach");
	ok(stats_wait(root, &before, 2000), "counters are as at the start");
	return done_testing();
}
