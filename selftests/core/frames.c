// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Are frames what was asked for: so many pages, zeroed, and never somebody's
 * old content? (That runs are contiguous cannot be seen from here: the kernel
 * shows no page frame numbers of such mappings, not even to root.)
 *
 * Debian's kernels zero every page that anybody allocates; that is switched off
 * here, or the module's own zeroing would not be tested.
 *
 * vm: --append init_on_alloc=0
 */
#include "../exo_test.h"

#define PAGE 4096UL

static bool all_zero(const uint64_t *p, size_t bytes)
{
	size_t i;

	for (i = 0; i < bytes / sizeof(*p); i++)
		if (p[i])
			return false;
	return true;
}

static void fill_pattern(uint64_t *p, size_t bytes, uint64_t seed)
{
	size_t i;

	for (i = 0; i < bytes / sizeof(*p); i++)
		p[i] = seed + i;
}

static bool has_pattern(const uint64_t *p, size_t bytes, uint64_t seed)
{
	size_t i;

	for (i = 0; i < bytes / sizeof(*p); i++)
		if (p[i] != seed + i)
			return false;
	return true;
}

/* One frame: zeroed, holds what is written, and its neighbours do too. */
static void try_frame(int fd, uint32_t nr_pages, uint32_t order)
{
	struct exo_frame_alloc a, b;
	uint64_t *p, *q;
	size_t bytes = nr_pages * PAGE;

	if (!is(exo_alloc(fd, nr_pages, order, &a), 0,
		"%u pages of order %u", nr_pages, order))
		return;
	exo_alloc(fd, 1, 0, &b);
	p = exo_map(fd, a.out_mmap_offset, bytes);
	q = exo_map(fd, b.out_mmap_offset, PAGE);
	if (p == MAP_FAILED || q == MAP_FAILED)
		bail("mmap: %m");
	ok(all_zero(p, bytes), "zeroed");
	fill_pattern(q, PAGE, 7);
	fill_pattern(p, bytes, nr_pages);
	ok(has_pattern(p, bytes, nr_pages), "holds what was written");
	ok(has_pattern(q, PAGE, 7), "another frame is untouched");
	munmap(p, bytes);
	p = exo_map(fd, a.out_mmap_offset, bytes);
	ok(p != MAP_FAILED && has_pattern(p, bytes, nr_pages),
	   "and still does when mapped anew");
	munmap(p, bytes);
	munmap(q, PAGE);
	is(exo_close_handle(fd, a.out_handle), 0, "close");
	exo_close_handle(fd, b.out_handle);
}

static void test_refusals(int fd, const struct exo_query *q)
{
	const struct {
		uint32_t nr_pages, order;
	} bad[] = {
		{ 0, 0 }, { 0, 1 }, { q->out_max_frame_pages + 1, 0 },
		{ ~0U, 0 }, { 1U << 31, 0 },
		{ 1, 1 }, { 3, 1 }, { 511, 9 }, { 513, 9 },
		{ 1U << (q->out_max_frame_order + 1),
		  q->out_max_frame_order + 1 },
		{ 1, 31 }, { 1, 32 }, { 1, 33 }, { 1, 64 }, { 1, ~0U },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		is(exo_alloc(fd, bad[i].nr_pages, bad[i].order, NULL), -EINVAL,
		   "%u pages of order %u is refused", bad[i].nr_pages,
		   bad[i].order);
}

/* Write all over many pages, free them, ask again: nothing may come back. */
static void test_recycled(int fd)
{
	struct exo_frame_alloc a;
	uint64_t *p;
	int round, bad = 0;

	for (round = 0; round < 20; round++) {
		uint32_t order = round % 4 * 3;
		uint32_t nr_pages = 512;

		if (exo_alloc(fd, nr_pages, order, &a))
			bail("cannot allocate");
		p = exo_map(fd, a.out_mmap_offset, nr_pages * PAGE);
		if (p == MAP_FAILED)
			bail("mmap: %m");
		if (!all_zero(p, nr_pages * PAGE))
			bad++;
		memset(p, 0xa5, nr_pages * PAGE);
		munmap(p, nr_pages * PAGE);
		exo_close_handle(fd, a.out_handle);
	}
	is(bad, 0, "20 frames in a row came zeroed");
}

static int run(void *arg)
{
	struct exo_query q = { .size = sizeof(q) };
	struct exo_stats before, s;
	uint32_t order;
	int fd = exo_open();

	(void)arg;
	exo_ioctl(fd, EXO_CMD_QUERY, &q);
	before = stats_get(fd);
	for (order = 0; order <= q.out_max_frame_order; order++) {
		try_frame(fd, 1U << order, order);
		try_frame(fd, 3U << order, order);
	}
	try_frame(fd, 777, 0);
	test_refusals(fd, &q);
	test_recycled(fd);
	ok(stats_wait(fd, &before, 2000), "counters are as at the start");

	exo_alloc(fd, 12, 2, NULL);
	s = stats_get(fd);
	is(s.out_nr_frame_pages - before.out_nr_frame_pages, 12,
	   "12 pages are counted as 12");
	is(s.out_nr_objects - before.out_nr_objects, 1, "in one object");
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
	ok(stats_wait(fd, &before, 2000), "nothing is left of the processes");
	close(fd);
	return done_testing();
}
