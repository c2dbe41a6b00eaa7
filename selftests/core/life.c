// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Does everything end: handles in any order, processes killed at any moment,
 * the module itself? And is the memory back then?
 *
 * timeout: 240
 */
#include "memory.h"

#define PAGE		4096UL
#define NR_KILLS	200
#define NR_HANDLES	500

/* Close in an order that has nothing to do with that of birth. */
static int any_order(void *arg)
{
	uint32_t handle[NR_HANDLES], seed = 12345, last = 0;
	int i, j, failed = 0, unordered = 0, fd = exo_open();
	struct exo_stats before = stats_get(fd);
	struct exo_frame_alloc a;

	(void)arg;
	for (i = 0; i < NR_HANDLES; i++) {
		failed += exo_alloc(fd, 1 + i % 4, 0, &a) != 0;
		handle[i] = a.out_handle;
		unordered += a.out_handle <= last;
		last = a.out_handle;
	}
	is(failed, 0, "%d frames", NR_HANDLES);
	for (i = NR_HANDLES - 1; i >= 0; i--) {
		seed = seed * 1103515245 + 12345;
		j = (seed >> 8) % (i + 1);
		failed += exo_close_handle(fd, handle[j]) != 0;
		failed += exo_close_handle(fd, handle[j]) != -ENOENT;
		handle[j] = handle[i];
	}
	is(failed, 0, "closed in any order, each once");
	for (i = 0; i < 2000; i++) {
		exo_alloc(fd, 1, 0, &a);
		unordered += a.out_handle <= last;
		last = a.out_handle;
		exo_close_handle(fd, a.out_handle);
	}
	is(unordered, 0, "no handle came back in 2500");
	ok(stats_wait(fd, &before, 2000), "counters are as at the start");
	return 0;
}

/* Allocate, map, touch, close, for ever. */
static int busy(void *arg)
{
	struct exo_frame_alloc a[8];
	int fd = exo_open();
	char *p[ARRAY_SIZE(a)];
	unsigned int i;

	(void)arg;
	for (;;) {
		for (i = 0; i < ARRAY_SIZE(a); i++) {
			if (exo_alloc(fd, 1U << i, i, &a[i]))
				bail("cannot allocate");
			p[i] = exo_map(fd, a[i].out_mmap_offset, PAGE << i);
			if (p[i] == MAP_FAILED)
				bail("mmap: %m");
			memset(p[i], i, PAGE << i);
		}
		for (i = 0; i < ARRAY_SIZE(a); i += 2)
			exo_close_handle(fd, a[i].out_handle);
		/* The env lives as long as a mapping of it. */
		for (i = 0; i < ARRAY_SIZE(a); i++)
			munmap(p[i], PAGE << i);
		close(fd);
		fd = exo_open();
	}
	return 0;
}

static void kill_many(int fd, int n)
{
	struct exo_stats before = stats_get(fd);
	uint32_t seed = 99;
	int i, bad = 0;
	pid_t pid;

	for (i = 0; i < n; i++) {
		pid = as_user_start(NULL, UID_ALICE, busy, NULL);
		seed = seed * 1103515245 + 12345;
		usleep((seed >> 8) % 20000);
		kill(pid, SIGKILL);
		bad += reap(pid) != 128 + SIGKILL;
	}
	is(bad, 0, "%d processes were at work until they were killed", n);
	ok(stats_wait(fd, &before, 10000), "nothing is left of them");
}

static void test_kill(int fd)
{
	struct memory before, after;

	/* What the kernel caches on the way is there after the first few. */
	kill_many(fd, NR_KILLS / 4);
	before = memory_now();
	kill_many(fd, NR_KILLS);
	after = memory_now();
	compare_memory(&before, &after);
}

/* The module stays while anything of an env is there, and goes after. */
static void test_unload(void)
{
	struct exo_frame_alloc a;
	int fd = exo_open(), i, bad = 0;
	char *p;

	is(exo_rmmod(), -EAGAIN, "with an env open the module is in use");
	exo_alloc(fd, 4, 0, &a);
	p = exo_map(fd, a.out_mmap_offset, 4 * PAGE);
	*p = 1;
	close(fd);
	is(exo_rmmod(), -EAGAIN, "with a mapping alone too");
	is(*p, 1, "and the page is there");
	munmap(p, 4 * PAGE);
	is(exo_rmmod(), 0, "then it can be removed");
	ok(access(EXO_DEVICE_PATH, F_OK), "the node is gone");
	for (i = 0; i < 20; i++) {
		bad += exo_insmod("") != 0;
		exo_node();
		fd = exo_open();
		bad += exo_alloc(fd, 100, 2, &a) != 0;
		close(fd);
		bad += exo_rmmod() != 0;
	}
	is(bad, 0, "inserted, used and removed 20 times");
}

static void test_unload_memory(void)
{
	struct memory before, after;
	int i, bad = 0;

	before = memory_now();
	for (i = 0; i < 50; i++) {
		bad += exo_insmod("") != 0;
		exo_node();
		close(exo_open());
		bad += exo_rmmod() != 0;
	}
	after = memory_now();
	is(bad, 0, "inserted, opened and removed 50 times");
	compare_memory(&before, &after);
}

int main(void)
{
	int fd;

	exo_setup();
	fd = exo_open();
	is(as_user(UID_ALICE, any_order, NULL), 0, "alice's process ended well");
	test_kill(fd);
	close(fd);
	test_unload();
	test_unload_memory();
	return done_testing();
}
