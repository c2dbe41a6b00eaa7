// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * I/O in flight while handles are closed, extents deleted, disks detached and
 * processes killed: nothing crashes, nothing is lost, nothing stays.
 *
 * vm: --disk 64
 * timeout: 400
 */
#include <pthread.h>
#include <sys/time.h>

#include "nullb.h"
#include "disk.h"
#include "../exo_uring.h"

#define SLOW "/dev/nullb0"	/* each request takes 150 ms */

static uint32_t disk;
static int root;

/* A process with operations in flight on the slow device. */
struct load {
	int env;
	uint32_t x;
	struct mem m;
	struct ring r;
};

static void load_start(struct load *l, uint32_t nr)
{
	struct exo_io io[16];
	uint32_t i;

	l->env = exo_open();
	if (extent_open(l->env, disk, 0, "slow", 3, &l->x))
		bail("open");
	l->m = mem_new(l->env, 16, 0);
	l->r = ring_new(l->env, 16);
	for (i = 0; i < nr; i++) {
		io[i] = io_make(EXO_IO_READ, l->x, i, 1, l->m.handle, i);
		io[i].user_data = i;
	}
	if (io_submit(l->env, &l->r, io, nr) != nr)
		bail("submit");
}

static void load_unmap(struct load *l)
{
	munmap(l->m.p, 16 * BLOCK);
	munmap(l->r.ring, l->r.bytes);
}

static void in_flight(void)
{
	struct exo_stats before = stats_get(root), s;
	struct load l;
	uint64_t t;
	uint32_t i;

	load_start(&l, 4);
	s = stats_get(root);
	is(s.out_nr_io, 4, "four operations in flight");
	is(extent_delete(l.env, l.x), -EBUSY, "delete with I/O in flight");
	t = now_ms();
	is(exo_close_handle(l.env, l.m.handle), 0, "close the frame");
	is(exo_close_handle(l.env, l.x), 0, "close the extent");
	ok(now_ms() - t < 100, "neither waits for the device");
	for (i = 0; i < 4; i++)
		is(ring_next(&l.r).res, BLOCK, "its completion comes");
	load_unmap(&l);
	close(l.env);
	ok(stats_wait(root, &before, 5000), "nothing stays");

	load_start(&l, 8);
	load_unmap(&l);
	t = now_ms();
	close(l.env);
	ok(now_ms() - t < 100, "closing the env does not wait");
	s = stats_get(root);
	ok(s.out_nr_io > 0 && s.out_nr_frame_pages > before.out_nr_frame_pages,
	   "memory waits for the device, charged");
	ok(stats_wait(root, &before, 5000), "and goes with the last one");
}

static void on_alarm(int sig)
{
	(void)sig;
}

/* Detach waits for what is in flight, and can be interrupted. */
static void detach_waits(void)
{
	struct sigaction sa = { .sa_handler = on_alarm };
	struct itimerval it = { .it_value.tv_usec = 30000 };
	struct exo_stats before = stats_get(root);
	struct load l;
	long rc;

	load_start(&l, 8);
	is(disk_detach(root, disk), -EBUSY, "detach while it is open");
	load_unmap(&l);
	close(l.env);
	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &it, NULL);
	rc = disk_detach(root, disk);
	is(rc, -EINTR, "detach is interrupted while it waits");
	load_start(&l, 1);
	is(ring_next(&l.r).res, BLOCK, "the disk is in use again");
	load_unmap(&l);
	close(l.env);
	ok(stats_wait(root, &before, 5000), "nothing stays of it");
}

struct killed {
	const char *what;
	int way;
};

static int victim(void *arg)
{
	const struct killed *k = arg;
	static struct exo_io io[16];
	struct io_uring u;
	struct load l;
	uint32_t i;

	load_start(&l, k->way == 0 ? 16 : 1);
	if (k->way == 1)
		io_do(l.env, EXO_IO_READ, l.x, 0, 4, l.m.handle, 0);
	if (k->way == 2 && uring_new(&u, 16, 0)) {
		for (i = 0; i < 16; i++) {
			io[i] = io_make(EXO_IO_READ, l.x, i, 1, l.m.handle, i);
			uring_prep(&u, l.env, EXO_CMD_IO, &io[i], i);
		}
		io_uring_submit_and_wait(&u, 16);
	}
	if (k->way == 3)
		extent_create(l.env, disk, "victim", 4000, 2000, 0600, NULL);
	pause();
	return 0;
}

static void kills(void)
{
	static struct killed way[] = {
		{ "a batch", 0 }, { "a single operation", 1 },
		{ "io_uring", 2 }, { "a create", 3 },
	};
	struct exo_stats before = stats_get(root);
	size_t i, delay;
	pid_t pid;

	for (i = 0; i < ARRAY_SIZE(way); i++) {
		for (delay = 0; delay < 4; delay++) {
			pid = fork();
			if (!pid)
				_exit(victim(&way[i]));
			usleep(20000 + 60000 * delay);
			kill(pid, SIGKILL);
			reap(pid);
		}
		ok(stats_wait(root, &before, 10000),
		   "killed in the middle of %s: nothing stays", way[i].what);
	}
}

/* Anything, in any order, from several threads and processes. */
static void random_extent(int env, unsigned int *seed)
{
	char name[8];
	uint32_t x;

	snprintf(name, sizeof(name), "r%u", rand_r(seed) % 8);
	switch (rand_r(seed) % 3) {
	case 0:
		extent_create(env, disk, name, 1000 + rand_r(seed) % 64,
			      1 + rand_r(seed) % 16, 0666, &x);
		break;
	case 1:
		extent_open(env, disk, 0, name, 1 + rand_r(seed) % 3, &x);
		break;
	case 2:
		extent_delete(env, 1 + rand_r(seed) % 32);
		break;
	}
}

static void random_io(int env, unsigned int *seed)
{
	struct exo_io io[8];
	struct ring r = { .handle = 1 + rand_r(seed) % 16 };
	uint32_t i;

	for (i = 0; i < ARRAY_SIZE(io); i++) {
		io[i] = io_make(rand_r(seed) % 6, 1 + rand_r(seed) % 32,
				rand_r(seed) % 8, rand_r(seed) % 4,
				1 + rand_r(seed) % 32, rand_r(seed) % 4);
		if (io[i].op > EXO_IO_WRITE) {
			io[i].frame = 0;
			io[i].frame_page = 0;
		}
		if (io[i].op == EXO_IO_FLUSH) {
			io[i].block = 0;
			io[i].nr_blocks = 0;
		}
	}
	if (rand_r(seed) % 4)
		io_submit(env, &r, io, ARRAY_SIZE(io));
	else
		exo_ioctl(env, EXO_CMD_IO, &io[0]);
}

struct worker {
	int env;
	unsigned int seed;
	unsigned int steps;
};

static void *random_work(void *arg)
{
	struct worker *w = arg;
	struct exo_cq_create c = { .size = sizeof(c), .nr_entries = 32 };
	struct io_uring u;
	struct exo_io io;
	unsigned int i;

	exo_ioctl(w->env, EXO_CMD_CQ_CREATE, &c);
	exo_alloc(w->env, 8, 0, NULL);
	if (!uring_new(&u, 8, 0))
		u.ring_fd = -1;
	for (i = 0; i < w->steps; i++) {
		switch (rand_r(&w->seed) % 8) {
		case 0:
			exo_close_handle(w->env, 1 + rand_r(&w->seed) % 40);
			break;
		case 1:
			exo_alloc(w->env, 4, rand_r(&w->seed) % 3, NULL);
			break;
		case 2:
			c.nr_entries = 1U << rand_r(&w->seed) % 6;
			exo_ioctl(w->env, EXO_CMD_CQ_CREATE, &c);
			break;
		case 3:
		case 4:
			random_extent(w->env, &w->seed);
			break;
		case 5:
			if (u.ring_fd < 0)
				break;
			io = io_make(EXO_IO_READ, 1 + rand_r(&w->seed) % 32, 0,
				     1, 1 + rand_r(&w->seed) % 32, 0);
			uring_do(&u, w->env, EXO_CMD_IO, &io);
			break;
		default:
			random_io(w->env, &w->seed);
		}
	}
	if (u.ring_fd >= 0)
		io_uring_queue_exit(&u);
	return NULL;
}

static int random_process(void *arg)
{
	unsigned int seed = *(unsigned int *)arg;
	struct worker w[2];
	pthread_t t[2];
	int env = exo_open(), i;

	for (i = 0; i < 2; i++) {
		w[i] = (struct worker) { .env = env, .seed = seed * 2 + i,
					 .steps = 150 };
		pthread_create(&t[i], NULL, random_work, &w[i]);
	}
	for (i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	return 0;
}

/* io_uring lets go of a dead process's files a little later. */
static long detach_soon(void)
{
	uint64_t end = now_ms() + 5000;
	long rc;

	do {
		rc = disk_detach(root, disk);
	} while (rc == -EBUSY && now_ms() < end && !usleep(1000));
	return rc;
}

/* Several processes at once, half of them killed somewhere on the way. */
static void rounds(const char *path, unsigned int nr)
{
	struct exo_stats before = stats_get(root);
	unsigned int i, j, seed, detached = 0;
	pid_t pid[3];
	long rc;

	disk = disk_fresh(root, path);
	for (i = 0; i < nr; i++) {
		for (j = 0; j < 3; j++) {
			seed = i * 3 + j;
			pid[j] = fork();
			if (!pid[j])
				_exit(random_process(&seed));
		}
		usleep(i * 997 % 40000);
		for (j = 0; j < 3; j++) {
			if ((i + j) & 1)
				kill(pid[j], SIGKILL);
			reap(pid[j]);
		}
		if (i % 8 == 7) {
			detached += !detach_soon();
			rc = disk_attach(root, path, &disk);
			if (rc)
				bail("%s: attach: %s", path, strerror(-rc));
		}
	}
	is(detached, nr / 8, "%s: %u rounds, detached between", path, nr);
	is(detach_soon(), 0, "%s: detach", path);
	ok(stats_wait(root, &before, 10000), "%s: nothing stays", path);
}

int main(void)
{
	struct exo_stats before;
	uint32_t x;

	exo_setup();
	root = exo_open();
	before = stats_get(root);
	if (nullb_new("nullb0", "150000000")) {
		disk = disk_fresh(root, SLOW);
		if (extent_create(root, disk, "slow", 100, 64, 0600, &x))
			bail("create");
		exo_close_handle(root, x);
		in_flight();
		detach_waits();
		kills();
		is(disk_detach(root, disk), 0, "detach waits, and is done");
		ok(stats_wait(root, &before, 5000), "nothing stays");
		nullb_set("nullb0", "power", "0");
		nullb_new("nullb1", NULL);
	} else {
		skip("no null_blk");
	}
	rounds("/dev/vda", 120);
	rounds("/dev/nullb1", 120);
	if (device_path(2))
		rounds("/dev/ram0", 120);
	ok(stats_wait(root, &before, 5000), "counters are as at the start");
	return done_testing();
}
