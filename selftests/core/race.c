// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Threads of one env allocate, close, map, touch and fork at once: can a
 * mapping ever show a page of another frame, or a page be lost?
 *
 * A handle is never used twice, so a frame's first word is 0 or its handle.
 *
 * timeout: 180
 */
#include "../exo_test.h"

#include <pthread.h>
#include <stdatomic.h>

#define PAGE		4096UL
#define SLOTS		16
#define SECONDS		5
#define NR_THREADS	5

static _Atomic uint32_t slot[SLOTS];	/* handles that may be alive */
static atomic_bool stop;
static atomic_long allocs, closes, maps, alive, gone, forks, wrong;
static int env;

static uint32_t next_random(uint32_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 17;
	*seed ^= *seed << 5;
	return *seed;
}

/* Replace a handle by a new frame's. */
static void allocate(uint32_t *seed)
{
	struct exo_frame_alloc a;
	uint32_t old, order = next_random(seed) % 3;

	if (exo_alloc(env, 1U << order, order, &a))
		return;
	allocs++;
	old = atomic_exchange(&slot[next_random(seed) % SLOTS], a.out_handle);
	if (old && !exo_close_handle(env, old))
		closes++;
}

/* Close one that others may be mapping, or closing too. */
static void close_one(uint32_t *seed)
{
	uint32_t handle = slot[next_random(seed) % SLOTS];
	long rc;

	if (!handle)
		return;
	rc = exo_close_handle(env, handle);
	if (!rc)
		closes++;
	else if (rc != -ENOENT)
		wrong++;
}

/* Map one, touch it for a while, see whose page it is. */
static void map_one(uint32_t *seed)
{
	uint32_t handle = slot[next_random(seed) % SLOTS];
	uint64_t *p, v;
	int i;

	if (!handle)
		return;
	p = exo_map(env, (uint64_t)handle << 32, PAGE);
	if (p == MAP_FAILED)
		return;
	maps++;
	for (i = 0; i < 20; i++) {
		if (touch(p, &v)) {
			gone++;
			break;
		}
		alive++;
		if (v && v != handle)
			wrong++;
		if (touch_write(p, handle)) {
			gone++;
			break;
		}
	}
	munmap(p, PAGE);
}

static void fork_one(void)
{
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	if (pid > 0) {
		reap(pid);
		forks++;
	}
}

static void *worker(void *arg)
{
	uint32_t seed = 0x9e3779b9u * ((uintptr_t)arg + 1);

	while (!stop) {
		switch (next_random(&seed) % 16) {
		case 0 ... 4:
			allocate(&seed);
			break;
		case 5 ... 8:
			close_one(&seed);
			break;
		case 9:
			if (!arg)
				fork_one();
			break;
		default:
			map_one(&seed);
		}
	}
	return NULL;
}

/* On a busy machine that takes longer. */
static bool enough(void)
{
	return allocs > 100 && maps > 100 && alive > 100 && forks > 3;
}

static int run(void *arg)
{
	pthread_t threads[NR_THREADS];
	uint64_t least = now_ms() + SECONDS * 1000, most = least + 60000;
	uintptr_t i;

	(void)arg;
	env = exo_open();
	for (i = 0; i < NR_THREADS; i++)
		if (pthread_create(&threads[i], NULL, worker, (void *)i))
			bail("pthread_create failed");
	while (now_ms() < most && (now_ms() < least || !enough()))
		usleep(100000);
	stop = true;
	for (i = 0; i < NR_THREADS; i++)
		pthread_join(threads[i], NULL);
	diag("%ld allocations, %ld closes, %ld mappings, %ld forks", allocs,
	     closes, maps, forks);
	diag("%ld touches met a page, %ld found it gone", alive, gone);
	is(wrong, 0, "no mapping showed another frame's page");
	ok(enough(), "the race was run");
	ok(gone > 0, "frames were closed under a mapping");
	for (i = 0; i < SLOTS; i++)
		if (slot[i] && !exo_close_handle(env, slot[i]))
			closes++;
	is(allocs, closes, "each frame was closed exactly once");
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
	ok(stats_wait(fd, &before, 5000), "no page and no object is lost");
	close(fd);
	return done_testing();
}
