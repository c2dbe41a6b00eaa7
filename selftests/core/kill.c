// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Does kill -9 at any moment leave anything? Processes allocate, derive, lend
 * to a survivor, import, map, revoke, have I/O in flight, and are killed in the
 * middle of it, a thousand of them with EXO_FULL=1. What the survivor holds of
 * them lives on until it lets go; all else is gone with them.
 *
 * vm: --disk 64
 * timeout: 400
 */
#include "../disk/disk.h"
#include "cap.h"
#include "memory.h"

#define NR_BLOCKS	64
#define KEEP		16	/* imports that the survivor holds */

static uint32_t disk;
static int lend_sock[2];	/* victims write, the survivor reads */
static int ask_sock[2];		/* main asks the survivor to let go */

/* ----------------------------------------------------------- survivor */

struct held {
	uint32_t handle;
	volatile uint64_t *p;
	uint64_t word;
};

static long nr_imports, nr_stale, nr_wrong;

static void let_go(int env, struct held *h)
{
	uint64_t v = 0;
	int sig;

	if (!h->handle)
		return;
	if (h->p) {
		/* Its lender may have revoked it, or be dead: never another. */
		sig = touch(h->p, &v);
		nr_wrong += sig ? sig != SIGBUS : v != h->word;
		munmap((void *)h->p, PAGE);
	}
	nr_wrong += exo_close_handle(env, h->handle) != 0;
	h->handle = 0;
}

static void hold(int env, struct held *h, int fd, uint64_t word)
{
	void *p;
	long rc;

	let_go(env, h);
	rc = import_fd(env, fd, &h->handle);
	nr_imports += !rc;
	nr_stale += rc == -ESTALE;
	nr_wrong += rc && rc != -ESTALE;
	close(fd);
	if (rc)
		return;
	p = exo_map(env, (uint64_t)h->handle << 32, PAGE);
	h->p = p == MAP_FAILED ? NULL : p;
	h->word = word;
}

/* Takes what comes, until it is asked to let go of all. */
static int survivor(void *arg)
{
	struct held held[KEEP] = {};
	int env = exo_open(), fd;
	uint32_t n = 0, i;
	uint64_t word;

	(void)arg;
	close(lend_sock[1]);
	close(ask_sock[1]);
	for (;;) {
		word = take(lend_sock[0], &fd);
		if (fd >= 0) {
			hold(env, &held[n++ % KEEP], fd, word);
			continue;
		}
		for (i = 0; i < KEEP; i++)
			let_go(env, &held[i]);
		diag("the survivor imported %ld, %ld were stale", nr_imports,
		     nr_stale);
		is(nr_wrong, 0, "what it held was what it was lent");
		pass(ask_sock[0], nr_imports, -1);
		if (word)
			return 0;
	}
}

/* The survivor lets go of all, with @end for good; how much it had so far. */
static uint64_t survivor_lets_go(bool end)
{
	pass(lend_sock[1], end, -1);
	return take(ask_sock[1], NULL);
}

/* ------------------------------------------------------------- victim */

struct victim {
	int env;
	uint32_t extent;
	struct ring ring;
	uint64_t word;
	uint32_t step;
};

static void victim_io(struct victim *v, uint32_t frame)
{
	struct exo_io ios[8];
	uint32_t i, prod;

	for (i = 0; i < ARRAY_SIZE(ios); i++)
		ios[i] = io_make(i & 1 ? EXO_IO_READ : EXO_IO_WRITE, v->extent,
				 i * 4, 4, frame, i & 1 ? 4 : 8);
	io_submit(v->env, &v->ring, ios, ARRAY_SIZE(ios));
	prod = ring_prod(&v->ring);
	__atomic_store_n(&v->ring.ring->cons, prod, __ATOMIC_RELEASE);
}

/* What was killed before may have I/O in flight, on pages that alice pays for. */
static uint32_t victim_frame(int env)
{
	uint64_t end = now_ms() + 20000;
	struct exo_frame_alloc f;
	long rc;

	while ((rc = exo_alloc(env, 16, 0, &f)) == -EDQUOT && now_ms() < end)
		usleep(1000);
	if (rc)
		bail("FRAME_ALLOC: %s", strerror(-rc));
	return f.out_handle;
}

static void victim_round(struct victim *v)
{
	uint32_t root = victim_frame(v->env), child, again = 0, io_child;
	uint64_t *p = cap_mapped(v->env, root, 0, 16, RDWR), *q;
	int fd;

	p[0] = v->word;
	child = derived(v->env, root, RWS, 0, 4);
	io_child = derived(v->env, root, RW, 4, 12);
	fd = export_fd(v->env, child);
	if (fd < 0)
		bail("CAP_EXPORT");
	if (v->step % 8 == 0)
		pass(lend_sock[1], v->word, fd);
	victim_io(v, io_child);
	if (!import_fd(v->env, fd, &again)) {
		q = exo_map(v->env, (uint64_t)again << 32, PAGE);
		if (q != MAP_FAILED) {
			touch(q, NULL);
			munmap(q, PAGE);
		}
	}
	close(fd);
	if (v->step % 5 == 0)
		cap_notice(v->env, root, 1 + v->step % 20);
	if (v->step % 16 == 1)
		cap_revoke(v->env, root, 0);
	if (v->step % 3 == 0)
		cap_revoke(v->env, again, EXO_REVOKE_SELF);
	munmap(p, 16 * PAGE);
	if (v->step % 4 == 0)
		exo_close_handle(v->env, root);
	exo_close_handle(v->env, child);
	exo_close_handle(v->env, again);
	if (v->step % 2)
		exo_close_handle(v->env, io_child);
	if (v->step % 4)
		exo_close_handle(v->env, root);
	exo_close_handle(v->env, io_child);
	v->step++;
}

static int victim(void *arg)
{
	struct victim v = { .env = exo_open(), .word = *(uint64_t *)arg };

	close(lend_sock[0]);
	if (extent_open(v.env, disk, UID_ALICE, "kill",
			EXO_RIGHT_READ | EXO_RIGHT_WRITE, &v.extent))
		bail("EXTENT_OPEN");
	v.ring = ring_new(v.env, 64);
	for (;;)
		victim_round(&v);
	return 0;
}

/* --------------------------------------------------------------- main */

static int make_extent(void *arg)
{
	int env = exo_open();

	(void)arg;
	return extent_create(env, disk, "kill", DATA_START, NR_BLOCKS, 0600,
			     NULL) != 0;
}

static int delete_extent(void *arg)
{
	int env = exo_open();
	uint32_t x;

	(void)arg;
	return extent_open(env, disk, UID_ALICE, "kill", EXO_RIGHT_READ, &x) ||
	       extent_delete(env, x);
}

/* Kill @n victims, two at a time. */
static void kill_many(int n, uint32_t *seed)
{
	uint64_t word[2];
	pid_t pid[2];
	int i, k, bad = 0;

	for (i = 0; i < n; i += 2) {
		for (k = 0; k < 2; k++) {
			word[k] = 0xdead000000000000ULL + i + k;
			pid[k] = as_user_start(NULL, UID_ALICE, victim,
					       &word[k]);
		}
		for (k = 0; k < 2; k++) {
			*seed = *seed * 1103515245 + 12345;
			usleep((*seed >> 8) % 30000);
			kill(pid[k], SIGKILL);
			bad += reap(pid[k]) != 128 + SIGKILL;
		}
	}
	is(bad, 0, "%d processes were at work until they were killed", n);
}

static void test_kill(int env, int n)
{
	struct exo_stats before = stats_get(env);
	struct memory was, now;
	uint32_t seed = 2026;

	/* What the kernel caches on the way is there after the first few. */
	kill_many(n / 4, &seed);
	survivor_lets_go(false);
	ok(stats_wait(env, &before, 10000), "nothing is left of them");
	was = memory_now();
	kill_many(n, &seed);
	survivor_lets_go(false);
	ok(stats_wait(env, &before, 10000), "nothing is left of them");
	now = memory_now();
	compare_memory(&was, &now);
}

int main(void)
{
	const char *full = getenv("EXO_FULL");
	int env, n = full && *full ? 1000 : 200;
	struct exo_stats before;
	pid_t pid;

	exo_setup();
	env = exo_open();
	disk = disk_fresh(env, "/dev/vda");
	disk_grant(env, disk, UID_ALICE, NR_BLOCKS);
	is(as_user(UID_ALICE, make_extent, NULL), 0, "alice has an extent");
	before = stats_get(env);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, lend_sock) ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ask_sock))
		bail("socketpair: %m");
	pid = as_user_start(NULL, UID_BOB, survivor, NULL);
	while (stats_get(env).out_nr_envs == before.out_nr_envs)
		usleep(1000);
	test_kill(env, n);
	/* Those that were killed early lent nothing; most, where all is slow. */
	ok(survivor_lets_go(true) > (uint64_t)n / 8,
	   "the survivor was lent much");
	is(reap(pid), 0, "the survivor ended well");
	ok(stats_wait(env, &before, 5000), "counters are as at the start");
	is(as_user(UID_ALICE, delete_extent, NULL), 0,
	   "no I/O and no handle keeps the extent");
	is(disk_detach(env, disk), 0, "nor the disk");
	close(env);
	return done_testing();
}
