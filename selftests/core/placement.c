// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Are frames where they were asked to be: on a node, of a colour, out of chosen
 * pages of a pool? Does FRAME_INFO tell the truth about it, and physical
 * numbers only to whom they may be told?
 */
#include "cap.h"

#define MAX_NR	65536		/* pages in one FRAME_INFO */

static struct exo_page_info infos[MAX_NR + 1];

static long frame_info(int env, uint32_t frame, uint32_t first, uint32_t nr)
{
	struct exo_frame_info i = {
		.size = sizeof(i), .frame = frame, .first_page = first,
		.array = (uintptr_t)infos, .nr = nr,
	};

	return exo_ioctl(env, EXO_CMD_FRAME_INFO, &i);
}

/* Allocate as @f says; the handle, or -errno. */
static long place(int env, struct exo_frame_alloc *f)
{
	long rc;

	f->size = sizeof(*f);
	rc = exo_ioctl(env, EXO_CMD_FRAME_ALLOC, f);
	return rc ?: (long)f->out_handle;
}

/* ------------------------------------------------------------- matrix */

static uint32_t matrix_frame;

static void fill_info(int env, void *s)
{
	*(struct exo_frame_info *)s = (struct exo_frame_info) {
		.frame = matrix_frame, .array = (uintptr_t)infos, .nr = 4,
	};
	(void)env;
}

static const struct matrix info_matrix = {
	.name = "FRAME_INFO", .cmd = EXO_CMD_FRAME_INFO,
	.size = sizeof(struct exo_frame_info),
	.min = sizeof(struct exo_frame_info),
	.fill = fill_info, .outputs = true,
};

static void fill_alloc(int env, void *s)
{
	*(struct exo_frame_alloc *)s = (struct exo_frame_alloc) {
		.nr_pages = 2, .flags = EXO_FRAME_NODE,
	};
	(void)env;
}

static void undo_alloc(int env, void *s)
{
	exo_close_handle(env, ((struct exo_frame_alloc *)s)->out_handle);
}

/* Members that must be zero unless their flag is there. */
static const size_t alloc_reserved[] = {
	offsetof(struct exo_frame_alloc, colour_mask),
	offsetof(struct exo_frame_alloc, colour_value),
	offsetof(struct exo_frame_alloc, pool),
	offsetof(struct exo_frame_alloc, array),
};

static const struct matrix alloc_matrix = {
	.name = "FRAME_ALLOC NODE", .cmd = EXO_CMD_FRAME_ALLOC,
	.size = sizeof(struct exo_frame_alloc),
	.min = offsetof(struct exo_frame_alloc, node),
	.fill = fill_alloc, .undo = undo_alloc, .outputs = true,
	.flags = EXO_FRAME_NODE | EXO_FRAME_COLOUR | EXO_FRAME_POOL,
	.reserved = alloc_reserved, .nr_reserved = ARRAY_SIZE(alloc_reserved),
};

static void test_matrix(int env)
{
	matrix_frame = frame_new(env, 4);
	matrix_run(env, &info_matrix);
	exo_close_handle(env, matrix_frame);
	matrix_run(env, &alloc_matrix);
}

/* --------------------------------------------------------------- info */

static void test_info(int env)
{
	struct exo_frame_alloc f;
	uint32_t cut, ended, i, bad = 0, h = frame_new(env, 8);

	is(frame_info(env, h, 0, 8), 0, "info of all pages");
	is(frame_info(env, h, 7, 1), 0, "of the last");
	is(frame_info(env, h, 8, 1), -EINVAL, "of the one after it");
	is(frame_info(env, h, 0, 9), -EINVAL, "of one too many");
	is(frame_info(env, h, ~0U, 2), -EOVERFLOW, "of a range that wraps");
	is(frame_info(env, h, 0, 0), -EINVAL, "of none");
	is(frame_info(env, h, 0, MAX_NR), -EINVAL, "of many more");
	is(frame_info(env, 9999, 0, 1), -ENOENT, "of no frame");
	cut = derived(env, h, R, 2, 3);
	is(frame_info(env, cut, 0, 3), 0, "of what a capability covers");
	is(frame_info(env, cut, 0, 4), -EINVAL, "of more");
	ended = derived(env, h, R, 0, 1);
	cap_revoke(env, ended, EXO_REVOKE_SELF);
	is(frame_info(env, ended, 0, 1), -ESTALE, "of what has ended");
	if (exo_alloc(env, 16, 3, &f))
		bail("FRAME_ALLOC");
	frame_info(env, f.out_handle, 0, 16);
	for (i = 0; i < 16; i++)
		bad += infos[i].nr_contiguous < 8 - i % 8 ||
		       infos[i].colour % 8 != i % 8 || infos[i].reserved;
	is(bad, 0, "runs of eight are contiguous and aligned");
	exo_close_handle(env, f.out_handle);
	exo_close_handle(env, h);
}

/* Numbers, colours and contiguity must agree with each other. */
static void test_numbers(int env, bool may)
{
	struct exo_frame_alloc f;
	uint32_t i, wrong = 0, hidden = 0;

	if (exo_alloc(env, 256, 2, &f))
		bail("FRAME_ALLOC");
	is(frame_info(env, f.out_handle, 0, 256), 0, "info of 256 pages");
	for (i = 0; i < 256; i++)
		hidden += infos[i].number == ~0ULL;
	is(hidden, may ? 0 : 256, may ? "root sees numbers" :
	   "alice sees no number");
	for (i = 0; may && i < 256; i++) {
		bool next = i < 255 &&
			    infos[i + 1].number == infos[i].number + 1;

		wrong += infos[i].colour !=
			 infos[i].number % EXO_FRAME_MAX_COLOURS;
		wrong += infos[i].nr_contiguous !=
			 (next ? infos[i + 1].nr_contiguous + 1 : 1);
	}
	is(wrong, 0, "colour, contiguity and number agree");
	exo_close_handle(env, f.out_handle);
}

/* ----------------------------------------------------- node and colour */

static void test_node(int env)
{
	static const uint32_t nodes[] = { 1, 63, 1024, 1U << 31, ~0U };
	struct exo_frame_alloc f = { .flags = EXO_FRAME_NODE, .nr_pages = 4 };
	size_t i;
	long h = place(env, &f);

	ok(h > 0, "pages on node 0");
	frame_info(env, h, 0, 4);
	ok(!infos[0].node && !infos[3].node, "are there");
	exo_close_handle(env, h);
	for (i = 0; i < ARRAY_SIZE(nodes); i++) {
		f = (struct exo_frame_alloc) {
			.flags = EXO_FRAME_NODE, .nr_pages = 1,
			.node = nodes[i],
		};
		is(place(env, &f), -EINVAL, "node %u is not online",
		   nodes[i]);
	}
	f = (struct exo_frame_alloc) { .nr_pages = 1, .node = 1 };
	is(place(env, &f), -EINVAL, "a node without the flag");
}

static void is_coloured(int env, uint32_t mask, uint32_t value, uint32_t order)
{
	struct exo_frame_alloc f = {
		.flags = EXO_FRAME_COLOUR, .nr_pages = 8U << order,
		.order = order, .colour_mask = mask, .colour_value = value,
	};
	long h = place(env, &f);
	uint32_t i, bad = 0;

	if (h == -ENOMEM) {
		ok(f.out_nr_tried > 0, "colour %#x/%#x: none in %llu tries",
		   value, mask, f.out_nr_tried);
		return;
	}
	if (!ok(h > 0, "colour %#x/%#x order %u", value, mask, order))
		return;
	frame_info(env, h, 0, f.nr_pages);
	for (i = 0; i < f.nr_pages; i += 1U << order)
		bad += (infos[i].colour & mask) != value;
	is(bad, 0, "each run is of it (%llu pages looked at)",
	   f.out_nr_tried);
	exo_close_handle(env, h);
}

static void test_colour(int env)
{
	static const struct {
		uint32_t mask, value, order;
	} bad[] = {
		{ 1024, 0, 0 }, { ~0U, 0, 0 }, { 3, 4, 0 }, { 0, 1, 0 },
		{ 3, 1, 1 }, { 7, 2, 2 },
	};
	struct exo_stats before = stats_get(env);
	struct exo_frame_alloc f;
	size_t i;

	is_coloured(env, 0, 0, 0);
	is_coloured(env, 1, 1, 0);
	is_coloured(env, 7, 5, 0);
	is_coloured(env, 63, 0, 0);
	is_coloured(env, 12, 8, 2);
	is_coloured(env, 1023, 77, 0);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		f = (struct exo_frame_alloc) {
			.flags = EXO_FRAME_COLOUR, .nr_pages = 8,
			.order = bad[i].order, .colour_mask = bad[i].mask,
			.colour_value = bad[i].value,
		};
		is(place(env, &f), -EINVAL, "colour %#x/%#x of order %u",
		   bad[i].value, bad[i].mask, bad[i].order);
	}
	ok(stats_wait(env, &before, 2000), "nothing stays charged");
}

/* --------------------------------------------------------------- pool */

static long place_from(int env, uint32_t pool, const uint64_t *pages,
		       uint32_t nr)
{
	struct exo_frame_alloc f = {
		.flags = EXO_FRAME_POOL, .nr_pages = nr, .pool = pool,
		.array = (uintptr_t)pages,
	};

	return place(env, &f);
}

static void test_pool(int env)
{
	static const uint64_t pick[] = { 9, 0, 15, 4 };
	uint32_t pool = frame_new(env, 16), i, wrong = 0;
	uint64_t *p = cap_mapped(env, pool, 0, 16, RDWR), *q;
	struct exo_stats before = stats_get(env), s;
	long h;

	for (i = 0; i < 16; i++)
		p[i * PAGE / 8] = 500 + i;
	h = place_from(env, pool, pick, 4);
	if (!ok(h > 0, "four pages of a pool"))
		return;
	s = stats_get(env);
	is(s.out_nr_frame_pages, before.out_nr_frame_pages,
	   "nothing is charged for them");
	q = cap_mapped(env, h, 0, 4, RDWR);
	for (i = 0; i < 4; i++)
		wrong += q[i * PAGE / 8] != 500 + pick[i];
	is(wrong, 0, "are those pages, in that order, as they were");
	is(map_error(env, h, 0, 5, RO), -EINVAL, "and no fifth");
	q[0] = 1;
	is(p[9 * PAGE / 8], 1, "a write is seen in the pool");
	is(cap_revoke(env, pool, 0), 1, "the pool ends what is made from it");
	is(touch(q, NULL), SIGBUS, "pages too");
	is(touch(p, NULL), 0, "but not itself");
	munmap(q, 4 * PAGE);
	exo_close_handle(env, h);
	h = place_from(env, pool, pick, 4);
	exo_close_handle(env, pool);
	q = cap_mapped(env, h, 1, 1, RO);
	is(*q, 500, "what is made from it outlives its handle");
	munmap(q, PAGE);
	munmap(p, 16 * PAGE);
	exo_close_handle(env, h);
}

static void test_pool_arguments(int env)
{
	uint64_t *hole = (void *)matrix_hole(), pick[8] = { 0, 1, 2, 3 };
	uint32_t pool = frame_new(env, 8), ro = derived(env, pool, R, 0, 8);
	uint32_t part = derived(env, pool, R | S, 4, 2);
	struct exo_frame_alloc f;
	long h;

	is(place_from(env, 9999, pick, 1), -ENOENT, "no pool");
	is(place_from(env, ro, pick, 1), -EACCES, "a pool without SHARE");
	is(place_from(env, pool, NULL, 1), -EFAULT, "no array");
	is(place_from(env, pool, hole, 1), -EFAULT, "an array in a hole");
	is(place_from(env, pool, hole - 1, 2), -EFAULT, "half in a hole");
	is(place_from(env, pool, pick, 0), -EINVAL, "no page");
	pick[3] = 8;
	is(place_from(env, pool, pick, 4), -EINVAL, "a page beyond");
	pick[3] = ~0ULL;
	ok(place_from(env, pool, pick, 4) < 0, "the last number there is");
	pick[3] = 1;
	is(place_from(env, pool, pick, 4), -EINVAL, "a page twice");
	is(place_from(env, part, pick + 2, 1), -EINVAL,
	   "a page beyond a capability's range");
	h = place_from(env, part, pick + 1, 1);
	ok(h > 0, "one inside of it");
	if (h > 0)
		is(map_error(env, h, 0, 1, RDWR), -EACCES,
		   "read-only, as that is");
	f = (struct exo_frame_alloc) {
		.flags = EXO_FRAME_POOL, .nr_pages = 2, .order = 1,
		.pool = pool, .array = (uintptr_t)pick,
	};
	is(place(env, &f), -EINVAL, "an order with a pool");
	cap_revoke(env, pool, EXO_REVOKE_SELF);
	is(place_from(env, pool, pick, 1), -ESTALE, "a pool that has ended");
	exo_close_handle(env, pool);
}

static int run(void *arg)
{
	static void (*const tests[])(int env) = {
		test_matrix, test_info, test_node, test_colour, test_pool,
		test_pool_arguments,
	};
	struct exo_stats before;
	int env = exo_open(), scratch;
	size_t i;

	(void)arg;
	before = stats_get(env);
	for (i = 0; i < ARRAY_SIZE(tests); i++) {
		scratch = exo_open();
		tests[i](scratch);
		close(scratch);
	}
	scratch = exo_open();
	test_numbers(scratch, false);
	close(scratch);
	ok(stats_wait(env, &before, 3000), "counters are as at the start");
	close(env);
	return 0;
}

/* A frame with more pages than may be asked about: above the usual ceiling. */
static void test_many(void)
{
	struct exo_frame_alloc f;
	int env;
	long rc;

	is(exo_rmmod(), 0, "remove the module");
	is(exo_insmod("page_limit_percent=60"), 0, "load it, more allowed");
	exo_node();
	env = exo_open();
	rc = exo_alloc(env, MAX_NR + 1, 0, &f);
	if (rc) {
		skip("no frame of 65,537 pages: %s", strerror(-rc));
	} else {
		is(frame_info(env, f.out_handle, 1, MAX_NR), 0,
		   "info of 65,536 pages");
		is(frame_info(env, f.out_handle, 0, MAX_NR + 1), -EINVAL,
		   "not of one more");
	}
	close(env);
}

int main(void)
{
	int env;

	exo_setup();
	is(as_user(UID_ALICE, run, NULL), 0, "alice's process ended well");
	env = exo_open();
	test_numbers(env, true);
	close(env);
	test_many();
	return done_testing();
}
