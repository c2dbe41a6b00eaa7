// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * io_uring on a device that is made of others: does an operation that was
 * submitted not to sleep end with what the device did, also if one half of it
 * turns out late to have to wait?
 *
 * vm: --disk 64
 * timeout: 300
 */
#include <linux/dm-ioctl.h>

#include "nullb.h"
#include "disk.h"
#include "../exo_uring.h"

#define DELAY_NS "100000000"
#define PATH	"/dev/exo-striped"
#define STRIPE	"/dev/nullb0 0 /dev/nullb1 0"
#define SECTORS	65536			/* the first half of each */

/* Of two blocks that follow each other the even one is on nullb0. */
#define START	100

struct dm_request {
	struct dm_ioctl head;
	struct dm_target_spec spec;
	char params[64];
};

static uint32_t disk;
static int env;

static int dm_do(int control, unsigned long cmd, struct dm_request *r)
{
	struct dm_ioctl *h = &r->head;

	h->version[0] = DM_VERSION_MAJOR;
	h->data_size = sizeof(*r);
	h->data_start = offsetof(struct dm_request, spec);
	strcpy(h->name, "exo-striped");
	return ioctl(control, cmd, r) ? -errno : 0;
}

/* A block a stripe, in turn. */
static void striped_new(int control)
{
	struct dm_request r = { .head.target_count = 1 };
	int rc;

	rc = dm_do(control, DM_DEV_CREATE, &r);
	if (rc)
		bail("dm create: %s", strerror(-rc));
	if (mknod(PATH, S_IFBLK | 0600, r.head.dev))
		bail("mknod " PATH ": %m");
	r = (struct dm_request) {
		.head.target_count = 1, .spec.length = SECTORS,
		.spec.target_type = "striped", .params = "2 8 " STRIPE,
	};
	rc = dm_do(control, DM_TABLE_LOAD, &r);
	r = (struct dm_request) { 0 };
	if (!rc)
		rc = dm_do(control, DM_DEV_SUSPEND, &r);
	if (rc)
		bail("dm load: %s", strerror(-rc));
}

static void striped_free(int control)
{
	struct dm_request r = { 0 };

	is(dm_do(control, DM_DEV_REMOVE, &r), 0, "the device is free");
	unlink(PATH);
}

/* Room for one request at a time, each taking DELAY_NS. */
static void leg_new(const char *name)
{
	char path[64];

	if (!nullb_new(name, DELAY_NS))
		bail("%s", name);
	nullb_set(name, "power", "0");
	nullb_set(name, "hw_queue_depth", "1");
	nullb_set(name, "power", "1");
	snprintf(path, sizeof(path), "/sys/block/%s/queue/scheduler", name);
	if (write_file(path, "none"))
		bail("%s", path);
}

/* Both blocks by @op, while the second one's device has no room. */
static void half_waits(struct io_uring *u, struct ring *r, struct mem *m,
		       uint32_t x, uint32_t op)
{
	struct exo_io busy = io_make(EXO_IO_READ, x, 1, 1, m->handle, 2);
	struct exo_io io = io_make(op, x, 0, 2, m->handle, 0);

	is(io_submit(env, r, &busy, 1), 1, "one half is busy");
	is(uring_do(u, env, EXO_CMD_IO, &io), 2 * BLOCK,
	   "%s of both ends well", op == EXO_IO_READ ? "a read" : "a write");
	is(ring_next(r).res, BLOCK, "and so does what it waited for");
}

static void contents(struct io_uring *u, struct ring *r, struct mem *m,
		     uint32_t x)
{
	struct exo_io io = io_make(EXO_IO_WRITE_ZEROES, x, 0, 8, 0, 0);

	pattern_fill(m->p, 1, BLOCK);
	pattern_fill(m->p + BLOCK, 2, BLOCK);
	half_waits(u, r, m, x, EXO_IO_WRITE);
	memset(m->p, 0, 3 * BLOCK);
	half_waits(u, r, m, x, EXO_IO_READ);
	ok(pattern_same(m->p, 1, BLOCK) &&
	   pattern_same(m->p + BLOCK, 2, BLOCK), "what was written is read");
	is(uring_do(u, env, EXO_CMD_IO, &io), 8 * BLOCK, "write zeroes");
	half_waits(u, r, m, x, EXO_IO_READ);
	ok(all_zero(m->p, 2 * BLOCK), "zeroes are read");
	io = io_make(EXO_IO_FLUSH, x, 0, 0, 0, 0);
	is(uring_do(u, env, EXO_CMD_IO, &io), 0, "flush");
}

/* Whoever submitted is killed meanwhile: nobody is told, and nothing stays. */
static void killed(void)
{
	pid_t pid = fork();

	if (pid < 0)
		bail("fork: %m");
	if (!pid) {
		int own = exo_open();
		struct mem m = mem_new(own, 3, 0);
		struct ring r = ring_new(own, 4);
		struct exo_io busy, io;
		struct io_uring u;
		uint32_t x;

		if (extent_open(own, disk, 0, "x", 3, &x) ||
		    !uring_new(&u, 4, 0))
			_exit(1);
		busy = io_make(EXO_IO_READ, x, 1, 1, m.handle, 2);
		io = io_make(EXO_IO_WRITE, x, 0, 2, m.handle, 0);
		if (io_submit(own, &r, &busy, 1) != 1)
			_exit(1);
		uring_prep(&u, own, EXO_CMD_IO, &io, 0);
		io_uring_submit(&u);
		kill(getpid(), SIGKILL);
	}
	is(reap(pid), 128 + SIGKILL, "the submitter is killed");
}

/* What was killed has the extent open until its operation has ended. */
static void detach(void)
{
	uint64_t end = now_ms() + 20000;
	long rc;

	do {
		usleep(10000);
		rc = disk_detach(env, disk);
	} while (rc == -EBUSY && now_ms() < end);
	is(rc, 0, "detach, once all has ended");
}

int main(void)
{
	struct exo_stats before;
	struct io_uring u;
	struct mem m;
	struct ring r;
	int control;
	uint32_t x;

	exo_setup();
	if (system("modprobe dm_mod") || !nullb_new("nullb0", NULL)) {
		skip("no device mapper, or no null_blk");
		return done_testing();
	}
	control = device_open("/dev/mapper/control");
	leg_new("nullb0");
	leg_new("nullb1");
	env = exo_open();
	if (!uring_new(&u, 4, 0)) {
		skip("no io_uring");
		return done_testing();
	}
	before = stats_get(env);
	striped_new(control);
	disk = disk_fresh(env, PATH);
	m = mem_new(env, 3, 0);
	r = ring_new(env, 4);
	is(extent_create(env, disk, "x", START, 8, 0600, &x), 0, "create");
	contents(&u, &r, &m, x);
	exo_close_handle(env, x);
	killed();
	ring_free(env, &r);
	mem_free(env, &m);
	io_uring_queue_exit(&u);
	detach();
	ok(stats_wait(env, &before, 5000), "counters are as at the start");
	striped_free(control);
	close(control);
	nullb_set("nullb0", "power", "0");
	rmdir(NULLB_ROOT "/nullb0");
	nullb_set("nullb1", "power", "0");
	rmdir(NULLB_ROOT "/nullb1");
	return done_testing();
}
