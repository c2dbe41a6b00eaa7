// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * What is refused while a slow device is still at work on something else?
 *
 * vm: --disk 64
 */
#include <pthread.h>

#include "nullb.h"
#include "disk.h"
#include "../exo_uring.h"

#define SLOW "/dev/nullb0"	/* each request takes 150 ms */

static uint32_t disk;
static int root;

/* A command under way in another thread. */
struct later {
	pthread_t thread;
	uint32_t handle;
	long rc;
};

static void later_start(struct later *l, void *(*fn)(void *))
{
	if (pthread_create(&l->thread, NULL, fn, l))
		bail("pthread_create");
	usleep(60000);
}

static void *delete_it(void *arg)
{
	struct later *l = arg;

	l->rc = extent_delete(root, l->handle);
	return NULL;
}

static void *create_it(void *arg)
{
	struct later *l = arg;

	l->rc = extent_create(root, disk, "new", 300, 16, 0600, &l->handle);
	return NULL;
}

static void *detach_it(void *arg)
{
	struct later *l = arg;

	l->rc = disk_detach(root, disk);
	return NULL;
}

static void creating(void)
{
	struct later l;
	uint32_t x;

	later_start(&l, create_it);
	is(extent_open(root, disk, 0, "new", EXO_RIGHT_READ, &x), -EBUSY,
	   "an extent that is being zeroed cannot be opened");
	pthread_join(l.thread, NULL);
	is(l.rc, 0, "it is created");
	is(extent_open(root, disk, 0, "new", EXO_RIGHT_READ, &x), 0,
	   "then it can");
	exo_close_handle(root, x);
	exo_close_handle(root, l.handle);
}

static void deleting(struct mem *m)
{
	struct later l;

	if (extent_open(root, disk, 0, "new", 3, &l.handle))
		bail("open");
	later_start(&l, delete_it);
	is(io_do(root, EXO_IO_READ, l.handle, 0, 1, m->handle, 0), -ESTALE,
	   "no operation begins on an extent that is being deleted");
	is(extent_delete(root, l.handle), -EBUSY, "nor another delete");
	pthread_join(l.thread, NULL);
	is(l.rc, 0, "it is deleted");
}

static void in_flight(struct mem *m, struct ring *r)
{
	struct exo_io io;
	uint32_t x;

	if (extent_create(root, disk, "x", 100, 16, 0600, &x))
		bail("create");
	io = io_make(EXO_IO_READ, x, 0, 1, m->handle, 0);
	is(io_submit(root, r, &io, 1), 1, "an operation is in flight");
	is(extent_delete(root, x), -EBUSY, "its extent cannot be deleted");
	is(ring_next(r).res, BLOCK, "it ends");
	exo_close_handle(root, x);
}

/* Detaching waits for what is in flight, and nothing new begins meanwhile. */
static void leaving(struct mem *m, struct ring *r)
{
	struct exo_io io;
	struct later l;
	uint32_t x;

	if (extent_open(root, disk, 0, "x", 3, &x))
		bail("open");
	io = io_make(EXO_IO_READ, x, 0, 1, m->handle, 0);
	is(io_submit(root, r, &io, 1), 1, "an operation is in flight");
	exo_close_handle(root, x);
	later_start(&l, detach_it);
	is(disk_detach(root, disk), -EBUSY, "no two detach a disk");
	is(extent_open(root, disk, 0, "x", EXO_RIGHT_READ, &x), -ENOENT,
	   "nothing can be opened on a disk that leaves");
	is(extent_create(root, disk, "y", 200, 1, 0600, &x), -ENOENT,
	   "nor created");
	pthread_join(l.thread, NULL);
	is(l.rc, 0, "it is detached");
	is(ring_prod(r), r->ring->cons + 1, "when the operation has ended");
}

/* io_uring asks first without waiting: a slow command has to say so. */
static void submitting(void)
{
	struct exo_extent_create c = {
		.size = sizeof(c), .disk = disk, .mode = 0600, .start = 500,
		.nr_blocks = 1, .name = "slow",
	};
	struct io_uring u;
	uint64_t start;

	if (!uring_new(&u, 4, 0)) {
		skip("no io_uring");
		return;
	}
	uring_prep(&u, root, EXO_CMD_EXTENT_CREATE, &c, 0);
	start = now_ms();
	io_uring_submit(&u);
	ok(now_ms() - start < 140, "submitting does not wait for the device");
	is(uring_next(&u, NULL), 0, "the command does");
	ok(now_ms() - start >= 300, "for a write and a zeroed block at least");
	is(extent_delete(root, c.out_handle), 0, "delete");
	io_uring_queue_exit(&u);
}

int main(void)
{
	struct exo_stats before;
	struct ring r;
	struct mem m;

	exo_setup();
	if (!nullb_new("nullb0", "150000000")) {
		skip("no null_blk");
		return done_testing();
	}
	root = exo_open();
	before = stats_get(root);
	disk = disk_fresh(root, SLOW);
	m = mem_new(root, 1, 0);
	r = ring_new(root, 4);
	creating();
	deleting(&m);
	submitting();
	in_flight(&m, &r);
	leaving(&m, &r);
	ring_free(root, &r);
	mem_free(root, &m);
	ok(stats_wait(root, &before, 2000), "counters are as at the start");
	nullb_set("nullb0", "power", "0");
	rmdir(NULLB_ROOT "/nullb0");
	return done_testing();
}
