// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * When the device fails: errors arrive where they belong, exactly once, and
 * what the catalogue says stays true.
 *
 * vm: --disk 64
 */
#include "nullb.h"
#include "disk.h"
#include "../exo_uring.h"

#define NAME "nullb0"
#define PATH "/dev/nullb0"

static int env;
static uint32_t disk;

static uint32_t nr_extents(void)
{
	struct exo_extent_info info[80];
	struct exo_extent_list l = { .size = sizeof(l), .disk = disk, .nr = 80,
				     .array = (uintptr_t)info };

	if (exo_ioctl(env, EXO_CMD_EXTENT_LIST, &l))
		bail("list");
	return l.out_nr;
}

static void reattach(const char *when)
{
	is(disk_detach(env, disk), 0, "detach %s", when);
	is(disk_attach(env, PATH, &disk), 0, "attach %s", when);
}

static void bad_blocks(void)
{
	struct mem m = mem_new(env, 600, 0);
	struct ring r = ring_new(env, 16);
	struct exo_io io[3];
	struct io_uring u;
	struct exo_cqe e;
	uint32_t x, i;

	is(extent_create(env, disk, "x", 1000, 600, 0600, &x), 0, "create");
	nullb_bad(NAME, true, 1400, 1);
	is(io_do(env, EXO_IO_READ, x, 400, 1, m.handle, 0), -EIO, "read");
	is(io_do(env, EXO_IO_WRITE, x, 400, 1, m.handle, 0), -EIO, "write");
	is(io_do(env, EXO_IO_READ, x, 0, 600, m.handle, 0), -EIO,
	   "one of several bios fails");
	is(io_do(env, EXO_IO_READ, x, 401, 1, m.handle, 0), BLOCK,
	   "the next block is well");
	/* Apart, lest the block layer makes one request of them. */
	for (i = 0; i < 3; i++) {
		io[i] = io_make(EXO_IO_READ, x, 390 + 10 * i, 1, m.handle, i);
		io[i].user_data = i;
	}
	is(io_submit(env, &r, io, 3), 3, "a batch");
	for (i = 0; i < 3; i++) {
		e = ring_next(&r);
		is(e.res, e.user_data == 1 ? -EIO : BLOCK, "its operation %d",
		   (int)e.user_data);
	}
	if (uring_new(&u, 4, 0)) {
		is(uring_do(&u, env, EXO_CMD_IO, &io[1]), -EIO, "io_uring");
		is(uring_do(&u, env, EXO_CMD_IO, &io[2]), BLOCK,
		   "io_uring, the next");
		io_uring_queue_exit(&u);
	}
	usleep(100000);
	is(ring_prod(&r), 3, "no completion came twice");
	nullb_bad(NAME, false, 1400, 1);
	is(extent_delete(env, x), 0, "delete");
	ring_free(env, &r);
	mem_free(env, &m);
}

static void zeroing_fails(void)
{
	uint32_t x;

	nullb_bad(NAME, true, 2005, 1);
	is(extent_create(env, disk, "x", 2000, 10, 0600, &x), -EIO,
	   "create on a bad block");
	is(nr_extents(), 0, "nothing stays");
	is(extent_create(env, disk, "x", 2000, 5, 0600, &x), 0,
	   "name and good blocks are free");
	is(extent_delete(env, x), 0, "delete");
	nullb_bad(NAME, false, 2005, 1);
	reattach("after a failed create");
	is(nr_extents(), 0, "nor on the device");
}

/* Slot 0's copies cannot be written, from its second change on or at once. */
static void catalogue_fails(void)
{
	struct mem m = mem_new(env, 1, 0);
	uint32_t x, y;

	is(extent_create(env, disk, "x", 100, 10, 0600, &x), 0, "create");
	nullb_bad(NAME, true, CATALOGUE, 2);
	is(extent_create(env, disk, "y", 200, 10, 0600, &y), -EIO,
	   "create while the catalogue fails");
	is(extent_delete(env, x), -EIO, "delete");
	nullb_bad(NAME, false, CATALOGUE, 2);
	is(extent_create(env, disk, "y", 200, 10, 0600, &y), -EIO,
	   "it is frozen once it failed");
	is(nr_extents(), 1, "the extent is still there");
	is(io_do(env, EXO_IO_WRITE, x, 0, 1, m.handle, 0), BLOCK,
	   "and can be written");
	exo_close_handle(env, x);
	reattach("once it is well");
	is(nr_extents(), 1, "one extent");
	is(extent_open(env, disk, 0, "x", 3, &x), 0, "open it");
	is(extent_create(env, disk, "y", 200, 10, 0600, &y), 0, "create");
	is(extent_delete(env, x), 0, "delete");
	is(extent_delete(env, y), 0, "delete");
	mem_free(env, &m);
}

/* One copy of slot 0 takes no writes: nothing is built on the other alone. */
static void half_written(uint64_t copy)
{
	uint32_t x;

	is(extent_create(env, disk, "x", 100, 10, 0600, &x), 0, "create");
	nullb_bad(NAME, true, CATALOGUE + copy, 1);
	is(extent_delete(env, x), -EIO, "delete, copy %d fails", (int)copy);
	is(nr_extents(), 1, "the extent stays");
	is(extent_create(env, disk, "y", 200, 10, 0600, NULL), -EIO,
	   "the catalogue is frozen");
	exo_close_handle(env, x);
	is(disk_detach(env, disk), 0, "detach");
	is(disk_attach(env, PATH, &disk), -EIO, "attach while it fails");
	nullb_bad(NAME, false, CATALOGUE + copy, 1);
	is(disk_attach(env, PATH, &disk), 0, "attach once it is well");
	is(nr_extents(), !copy, "deleted if the first copy says so");
	if (!copy) {
		is(extent_open(env, disk, 0, "x", 3, &x), 0, "open it");
		is(extent_delete(env, x), 0, "delete");
	}
}

/* A copy that cannot be read may be the newer one: the older does not count. */
static void half_read(void)
{
	struct mem m = mem_new(env, 1, 0);
	uint32_t x;
	int i;

	is(extent_create(env, disk, "x", 100, 10, 0600, &x), 0, "create");
	pattern_fill(m.p, 1, BLOCK);
	is(io_do(env, EXO_IO_WRITE, x, 9, 1, m.handle, 0), BLOCK, "write");
	exo_close_handle(env, x);
	is(disk_detach(env, disk), 0, "detach");
	for (i = 0; i < 2; i++) {
		nullb_bad(NAME, true, CATALOGUE + i, 1);
		logged("");
		is(disk_attach(env, PATH, &disk), -EIO,
		   "attach with copy %d unreadable", i);
		ok(logged(i ? "block 3 (slot 0): error of reading is 5" :
			  "block 2 (slot 0): error of reading is 5"),
		   "and the log says which block");
		nullb_bad(NAME, false, CATALOGUE + i, 1);
	}
	nullb_bad(NAME, true, 0, 1);
	is(disk_attach(env, PATH, &disk), 0,
	   "attach once it is well, with one label unreadable");
	is(extent_open(env, disk, 0, "x", 3, &x), 0, "open");
	memset(m.p, 0, BLOCK);
	is(io_do(env, EXO_IO_READ, x, 9, 1, m.handle, 0), BLOCK, "read");
	ok(pattern_same(m.p, 1, BLOCK), "its content is what was written");
	is(extent_delete(env, x), 0, "delete");
	mem_free(env, &m);
	is(disk_detach(env, disk), 0, "detach");
	nullb_bad(NAME, true, 1, 1);
	is(disk_attach(env, PATH, &disk), -EUCLEAN, "both labels unreadable");
	nullb_bad(NAME, false, 0, 2);
	is(disk_attach(env, PATH, &disk), 0, "attach");
}

/* Zeroing that cannot be finished keeps the disk out. */
static void half_created(void)
{
	struct exo_slot s;
	int fd;

	disk_detach(env, disk);
	fd = device_open(PATH);
	slot_make(&s, 1);
	s.generation = htole64(1000);
	entry_make(&s.entry[0], 500, 10, "half");
	s.entry[0].state = htole32(EXO_ENTRY_TO_BE_ZEROED);
	slot_seal(&s);
	block_write(fd, CATALOGUE + 2, &s);
	fsync(fd);
	close(fd);
	nullb_bad(NAME, true, 505, 1);
	is(disk_attach(env, PATH, &disk), -EIO,
	   "attach, zeroing cannot be finished");
	nullb_bad(NAME, false, 505, 1);
	is(disk_attach(env, PATH, &disk), 0, "now it can");
	is(nr_extents(), 1, "the extent is there");
}

/* The device goes away under an open extent. */
static void gone(void)
{
	struct mem m = mem_new(env, 4, 0);
	struct ring r = ring_new(env, 4);
	struct exo_io io;
	uint32_t x;

	is(extent_create(env, disk, "x", 100, 10, 0600, &x), 0, "create");
	nullb_set(NAME, "power", "0");
	io = io_make(EXO_IO_READ, x, 0, 4, m.handle, 0);
	ok(exo_ioctl(env, EXO_CMD_IO, &io) < 0, "read from a device gone");
	is(io_submit(env, &r, &io, 1), 1, "the same in a batch");
	ok(ring_next(&r).res < 0, "completes with an error");
	ok(extent_create(env, disk, "y", 200, 1, 0600, NULL) < 0, "create");
	ring_free(env, &r);
	mem_free(env, &m);
	is(exo_close_handle(env, x), 0, "close the extent");
	is(disk_detach(env, disk), 0, "detach a device gone");
}

static void without_uring(void)
{
	static const char *const path = "/proc/sys/kernel/io_uring_disabled";
	struct mem m = mem_new(env, 1, 0);
	struct io_uring u;
	uint32_t x;

	if (write_file(path, "2")) {
		skip("this kernel cannot switch io_uring off");
		mem_free(env, &m);
		return;
	}
	ok(!uring_new(&u, 4, 0), "io_uring is off");
	is(extent_create(env, disk, "x", 100, 10, 0600, &x), 0, "create");
	is(io_do(env, EXO_IO_READ, x, 0, 1, m.handle, 0), BLOCK,
	   "everything goes by ioctl");
	is(extent_delete(env, x), 0, "delete");
	write_file(path, "0");
	mem_free(env, &m);
}

int main(void)
{
	struct exo_stats before;

	exo_setup();
	if (!nullb_new(NAME, NULL)) {
		skip("no null_blk");
		return done_testing();
	}
	logged_start();
	env = exo_open();
	before = stats_get(env);
	disk = disk_fresh(env, PATH);
	bad_blocks();
	zeroing_fails();
	catalogue_fails();
	half_written(0);
	half_written(1);
	half_read();
	half_created();
	without_uring();
	gone();
	ok(stats_wait(env, &before, 2000), "counters are as at the start");
	return done_testing();
}
