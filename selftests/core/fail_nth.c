// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Envs, frames and rings when the kernel's calls fail: see fail_nth.h.
 *
 * timeout: 300
 */
#include "fail_nth.h"

#include <setjmp.h>

#define PAGE		4096UL

static struct exo_frame_alloc frame;	/* 16 pages */

static long act_open(void)
{
	int fd = open(EXO_DEVICE_PATH, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

static long act_query(void)
{
	struct exo_query q = { .size = sizeof(q) };

	return exo_ioctl(env, EXO_CMD_QUERY, &q);
}

static long act_stats(void)
{
	struct exo_stats s = { .size = sizeof(s) };

	return exo_ioctl(env, EXO_CMD_STATS, &s);
}

static uint32_t doomed;

/* What could not be closed is closed now; another is there for the next. */
static void undo_close(long rc)
{
	struct exo_frame_alloc f;

	if (rc)
		exo_close_handle(env, doomed);
	if (exo_alloc(env, 2, 0, &f))
		bail("FRAME_ALLOC");
	doomed = f.out_handle;
}

static long act_close(void)
{
	return exo_close_handle(env, doomed);
}

static long alloc(uint32_t nr_pages, uint32_t order)
{
	struct exo_frame_alloc f;
	long rc = exo_alloc(env, nr_pages, order, &f);

	handle = rc ? 0 : f.out_handle;
	return rc;
}

static long act_alloc_one(void)
{
	return alloc(1, 0);
}

static long act_alloc_many(void)
{
	return alloc(600, 0);
}

static long act_alloc_order(void)
{
	return alloc(32, 3);
}

static long act_alloc_colour(void)
{
	struct exo_frame_alloc f = {
		.size = sizeof(f), .flags = EXO_FRAME_NODE | EXO_FRAME_COLOUR,
		.nr_pages = 4, .order = 1, .colour_mask = 6, .colour_value = 2,
	};
	long rc = exo_ioctl(env, EXO_CMD_FRAME_ALLOC, &f);

	handle = rc ? 0 : f.out_handle;
	return rc;
}

static long act_alloc_pool(void)
{
	static const uint64_t index[] = { 3, 1, 15 };
	struct exo_frame_alloc f = {
		.size = sizeof(f), .flags = EXO_FRAME_POOL,
		.nr_pages = ARRAY_SIZE(index), .pool = frame.out_handle,
		.array = (uintptr_t)index,
	};
	long rc = exo_ioctl(env, EXO_CMD_FRAME_ALLOC, &f);

	handle = rc ? 0 : f.out_handle;
	return rc;
}

static long act_frame_info(void)
{
	static struct exo_page_info info[16];
	struct exo_frame_info i = {
		.size = sizeof(i), .frame = frame.out_handle, .nr = 16,
		.array = (uintptr_t)info,
	};

	return exo_ioctl(env, EXO_CMD_FRAME_INFO, &i);
}

static long act_policy_set(void)
{
	struct exo_policy_set s = {
		.size = sizeof(s),
		.policy = { .uid = UID_BOB, .max_pages = 1000 },
	};

	return exo_ioctl(env, EXO_CMD_POLICY_SET, &s);
}

static void undo_policy(long rc)
{
	struct exo_policy_set s = {
		.size = sizeof(s), .flags = EXO_GRANT_REVOKE,
		.policy = { .uid = UID_BOB },
	};

	if (!rc)
		exo_ioctl(env, EXO_CMD_POLICY_SET, &s);
}

static long act_policy_list(void)
{
	struct exo_policy one;
	struct exo_policy_list l = {
		.size = sizeof(l), .array = (uintptr_t)&one, .nr = 1,
	};

	return exo_ioctl(env, EXO_CMD_POLICY_LIST, &l);
}

static long act_cq_create(void)
{
	struct exo_cq_create c = { .size = sizeof(c), .nr_entries = 1024 };
	long rc = exo_ioctl(env, EXO_CMD_CQ_CREATE, &c);

	handle = rc ? 0 : c.out_handle;
	return rc;
}

static sigjmp_buf on_bus;

static void bus(int sig)
{
	(void)sig;
	siglongjmp(on_bus, 1);
}

static char *mapped;

/* A fault that lacks memory is tried again; it must never be SIGBUS. */
static long act_mmap(void)
{
	int i;

	mapped = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, env,
		      frame.out_mmap_offset);
	if (mapped == MAP_FAILED)
		return -errno;
	if (sigsetjmp(on_bus, 1))
		return -EIO;
	for (i = 0; i < 16; i++)
		mapped[i * PAGE] = 1;
	return 0;
}

/* Not under injection: munmap(2) may itself lack memory. */
static void undo_mmap(long rc)
{
	(void)rc;
	if (mapped != MAP_FAILED)
		munmap(mapped, 16 * PAGE);
}

static const struct target core_targets[] = {
	{ 0, "open", act_open, NULL, { ENFILE },
	  MEETS_ALLOC | MEETS_COPY },
	{ EXO_CMD_QUERY, "QUERY", act_query, NULL, {},
	  MEETS_COPY },
	{ EXO_CMD_STATS, "STATS", act_stats, NULL, {},
	  MEETS_COPY },
	{ EXO_CMD_HANDLE_CLOSE, "HANDLE_CLOSE", act_close, undo_close, {},
	  MEETS_COPY },
	{ EXO_CMD_FRAME_ALLOC, "FRAME_ALLOC of a page",
	  act_alloc_one, undo_handle, {},
	  MEETS_ALLOC | MEETS_COPY },
	{ EXO_CMD_FRAME_ALLOC, "FRAME_ALLOC of 600 pages",
	  act_alloc_many, undo_handle, {},
	  MEETS_ALLOC | MEETS_COPY },
	{ EXO_CMD_FRAME_ALLOC, "FRAME_ALLOC of runs of 8",
	  act_alloc_order, undo_handle, {},
	  MEETS_ALLOC | MEETS_COPY },
	{ EXO_CMD_FRAME_ALLOC, "FRAME_ALLOC of a colour",
	  act_alloc_colour, undo_handle, {},
	  MEETS_ALLOC | MEETS_COPY },
	{ EXO_CMD_FRAME_ALLOC, "FRAME_ALLOC from a pool",
	  act_alloc_pool, undo_handle, {},
	  MEETS_ALLOC | MEETS_COPY },
	{ EXO_CMD_FRAME_INFO, "FRAME_INFO", act_frame_info, NULL, {},
	  MEETS_ALLOC | MEETS_COPY },
	{ EXO_CMD_POLICY_SET, "POLICY_SET", act_policy_set, undo_policy, {},
	  MEETS_ALLOC | MEETS_COPY },
	{ EXO_CMD_POLICY_LIST, "POLICY_LIST", act_policy_list, NULL, {},
	  MEETS_ALLOC | MEETS_COPY },
	{ EXO_CMD_CQ_CREATE, "CQ_CREATE", act_cq_create, undo_handle, {},
	  MEETS_ALLOC | MEETS_COPY },
	{ 0, "mmap and touch", act_mmap, undo_mmap, {},
	  MEETS_ALLOC },
};

int main(void)
{
	fail_nth_setup();
	signal(SIGBUS, bus);
	if (exo_alloc(env, 16, 0, &frame))
		bail("FRAME_ALLOC");
	undo_close(0);
	SWEEP(core_targets);
	exo_close_handle(env, doomed);
	return fail_nth_end("core");
}
