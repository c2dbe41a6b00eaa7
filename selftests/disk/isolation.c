// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Two users on one disk who do not trust each other. Each attack is tried:
 * opening, other rights, blocks outside, old content, handles of others.
 *
 * vm: --disk 64
 */
#include "disk.h"
#include "../exo_uring.h"

#define PATH "/dev/vda"
#define SECRET 4242

static uint32_t disk;

/* alice: an extent with a secret in each block; left closed. */
static int secret(void *arg)
{
	int env = exo_open();
	struct mem m = mem_new(env, 32, 0);
	uint32_t x, i, mode = *(uint32_t *)arg;

	if (extent_create(env, disk, "diary", 1000, 32, mode, &x))
		bail("create");
	for (i = 0; i < 32; i++)
		pattern_fill(m.p + i * BLOCK, SECRET + i, BLOCK);
	is(io_do(env, EXO_IO_WRITE, x, 0, 32, m.handle, 0), 32 * BLOCK,
	   "alice writes a secret");
	is(io_do(env, EXO_IO_FLUSH, x, 0, 0, 0, 0), 0, "and flushes it");
	close(env);
	return 0;
}

static int forget(void *arg)
{
	int env = exo_open();
	uint32_t x;

	(void)arg;
	is(extent_open(env, disk, UID_ALICE, "diary", EXO_RIGHT_READ, &x), 0,
	   "alice opens her extent");
	is(extent_delete(env, x), 0, "and deletes it");
	close(env);
	return 0;
}

static int intact(void *arg)
{
	int env = exo_open();
	struct mem m = mem_new(env, 32, 0);
	uint32_t x, i, wrong = 0;

	(void)arg;
	if (extent_open(env, disk, UID_ALICE, "diary", EXO_RIGHT_READ, &x))
		bail("open");
	io_do(env, EXO_IO_READ, x, 0, 32, m.handle, 0);
	for (i = 0; i < 32; i++)
		wrong += !pattern_same(m.p + i * BLOCK, SECRET + i, BLOCK);
	ok(!wrong, "alice's blocks are as she wrote them");
	close(env);
	return 0;
}

/* Open with each combination of rights: 0 or -errno for r, w, rw. */
static void try_open(int env, long r, long w, long rw, const char *what)
{
	uint32_t x;

	is(extent_open(env, disk, UID_ALICE, "diary", 1, &x), r, "%s: read",
	   what);
	is(extent_open(env, disk, UID_ALICE, "diary", 2, &x), w, "%s: write",
	   what);
	is(extent_open(env, disk, UID_ALICE, "diary", 3, &x), rw, "%s: both",
	   what);
}

/* bob against a private extent. */
static int burglar(void *arg)
{
	struct exo_extent_info info[8] = { 0 };
	struct exo_extent_list l = { .size = sizeof(l), .disk = disk, .nr = 8,
				     .array = (uintptr_t)info };
	int env = exo_open();

	(void)arg;
	try_open(env, -ENOENT, -ENOENT, -ENOENT, "bob, mode 0600");
	is(extent_open(env, disk, UID_BOB, "diary", 1, NULL), -ENOENT,
	   "bob asks for one of his own");
	is(extent_create(env, disk, "mine", 1000, 32, 0600, NULL), -EEXIST,
	   "bob creates over it");
	is(extent_create(env, disk, "mine", 1031, 1, 0600, NULL), -EEXIST,
	   "bob creates over its last block");
	is(extent_create(env, disk, "mine", 999, 2, 0600, NULL), -EEXIST,
	   "bob creates over its first block");
	is(exo_ioctl(env, EXO_CMD_EXTENT_LIST, &l), 0, "bob lists");
	ok(l.out_nr == 1 && info[0].start == 1000 && !info[0].name[0] &&
	   info[0].uid == (uint32_t)-1 && info[0].gid == (uint32_t)-1 &&
	   !info[0].mode, "sees the blocks, not whose they are");
	close(env);
	return 0;
}

/* bob beside her: every range that reaches out of his extent. */
static int neighbour(void *arg)
{
	int env = exo_open();
	struct mem m = mem_new(env, 64, 0);
	struct ring r = ring_new(env, 64);
	static const struct {
		uint64_t block;
		uint32_t nr;
	} bad[] = {
		{ 8, 1 }, { 7, 2 }, { 0, 9 }, { 0, 64 }, { ~0ULL, 2 },
		{ -1ULL, 1 }, { -8ULL, 8 }, { -8ULL, 16 }, { 1ULL << 52, 1 },
		{ (1ULL << 61) | 8, 1 }, { (1ULL << 32) | 8, 1 },
		{ -984ULL, 1 }, { 1ULL << 63, 1 },
	};
	struct io_uring u;
	bool have = uring_new(&u, 4, 0);
	uint32_t x, i, op, through = 0;

	(void)arg;
	is(extent_create(env, disk, "next", 992, 8, 0600, &x), 0,
	   "bob has the blocks before hers");
	for (op = EXO_IO_READ; op <= EXO_IO_WRITE_ZEROES; op++) {
		bool data = op <= EXO_IO_WRITE;

		if (op == EXO_IO_FLUSH)
			continue;
		for (i = 0; i < ARRAY_SIZE(bad); i++) {
			struct exo_io io = io_make(op, x, bad[i].block,
						   bad[i].nr,
						   data ? m.handle : 0, 0);

			through += exo_ioctl(env, EXO_CMD_IO, &io) >= 0;
			through += io_submit(env, &r, &io, 1) >= 0;
			if (have)
				through += uring_do(&u, env, EXO_CMD_IO,
						    &io) >= 0;
		}
	}
	is(through, 0, "no operation reaches out of his extent");
	is(ring_prod(&r), 0, "none completes");
	ok(all_zero(m.p, 64 * BLOCK), "nothing was read");
	is(io_do(env, EXO_IO_READ, x, 0, 8, m.handle, 0), 8 * BLOCK,
	   "within it he reads");
	ok(all_zero(m.p, 64 * BLOCK), "zeroes");
	is(extent_delete(env, x), 0, "bob leaves");
	close(env);
	return 0;
}

/* Handles are numbers of one env only. */
static int handles(void *arg)
{
	int env = exo_open(), other = exo_open();
	struct mem m = mem_new(env, 1, 0);
	struct ring r = ring_new(other, 4);
	struct exo_io io;
	uint32_t x, i, through = 0;

	(void)arg;
	if (extent_create(other, disk, "x", 2000, 4, 0600, &x))
		bail("create");
	for (i = 0; i < 64; i++) {
		through += io_do(env, EXO_IO_READ, i, 0, 1, m.handle, 0) >= 0;
		through += extent_delete(env, i) >= 0;
		io = io_make(EXO_IO_READ, i, 0, 1, m.handle, 0);
		through += io_submit(env, &r, &io, 1) >= 0;
	}
	is(through, 0, "no handle of another env works");
	is(extent_delete(other, x), 0, "its own does");
	close(env);
	close(other);
	return 0;
}

/* bob creates where alice's secret was. */
static int heir(void *arg)
{
	int env = exo_open();
	struct mem m = mem_new(env, 40, 0);
	uint32_t x;

	memset(m.p, 0xff, 40 * BLOCK);
	is(extent_create(env, disk, "new", 996, 40, 0600, &x), 0,
	   "bob creates on her blocks%s", (const char *)arg);
	is(io_do(env, EXO_IO_READ, x, 0, 40, m.handle, 0), 40 * BLOCK,
	   "and reads");
	ok(all_zero(m.p, 40 * BLOCK), "zeroes");
	is(extent_delete(env, x), 0, "bob leaves");
	close(env);
	return 0;
}

static int mode_bob(void *arg)
{
	int env = exo_open();
	uint32_t x;

	switch (*(uint32_t *)arg) {
	case 0604:
		/* bob is in the group, whose bits decide. */
		try_open(env, -ENOENT, -ENOENT, -ENOENT, "bob, mode 0604");
		break;
	case 0640:
		try_open(env, 0, -EACCES, -EACCES, "bob, mode 0640");
		if (extent_open(env, disk, UID_ALICE, "diary", 1, &x))
			bail("open");
		is(extent_delete(env, x), -EACCES, "a reader cannot delete");
		is(io_do(env, EXO_IO_WRITE_ZEROES, x, 0, 1, 0, 0), -EACCES,
		   "nor zero");
		break;
	case 0620:
		try_open(env, -EACCES, 0, -EACCES, "bob, mode 0620");
		break;
	case 0660:
		try_open(env, 0, 0, 0, "bob, mode 0660");
		if (extent_open(env, disk, UID_ALICE, "diary", 3, &x))
			bail("open");
		is(extent_delete(env, x), -EACCES, "a writer cannot delete");
		break;
	}
	close(env);
	return 0;
}

static void modes(void)
{
	static uint32_t mode[] = { 0604, 0640, 0620, 0660 };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(mode); i++) {
		as_user(UID_ALICE, secret, &mode[i]);
		as_user(UID_BOB, mode_bob, &mode[i]);
		as_user(UID_ALICE, forget, NULL);
	}
}

/* An entry whose zeroing was cut short, as a crash leaves it. */
static void crash(int env)
{
	uint8_t b[BLOCK];
	struct exo_slot s;
	struct mem m;
	uint32_t x, i;
	int fd;

	disk_detach(env, disk);
	fd = device_open(PATH);
	for (i = 0; i < 32; i++) {
		pattern_fill(b, SECRET + i, BLOCK);
		block_write(fd, 1000 + i, b);
	}
	slot_make(&s, 1);
	s.generation = htole64(1000);
	entry_make(&s.entry[0], 1000, 32, "half");
	s.entry[0].state = htole32(EXO_ENTRY_TO_BE_ZEROED);
	slot_seal(&s);
	block_write(fd, CATALOGUE + 2, &s);
	fsync(fd);
	close(fd);
	is(disk_attach(env, PATH, &disk), 0, "attach after a crash");
	m = mem_new(env, 32, 0);
	memset(m.p, 0xff, 32 * BLOCK);
	is(extent_open(env, disk, UID_ALICE, "half", 3, &x), 0,
	   "what was half created can be opened");
	is(io_do(env, EXO_IO_READ, x, 0, 32, m.handle, 0), 32 * BLOCK, "read");
	ok(all_zero(m.p, 32 * BLOCK), "zeroes");
	is(extent_delete(env, x), 0, "delete");
	mem_free(env, &m);
}

/* An env opened by root, used by bob: root's extents, not root's privilege. */
static int heirloom;

static int use_heirloom(void *arg)
{
	uint32_t x;

	(void)arg;
	is(extent_open(heirloom, disk, 0, "of-root", 3, &x), 0,
	   "an env is its opener's, whoever uses it");
	is(extent_open(heirloom, disk, UID_ALICE, "diary", 1, &x), -ENOENT,
	   "but privilege is the caller's own");
	is(disk_detach(heirloom, disk), -EPERM, "to detach, too");
	return 0;
}

static void inherited(void)
{
	uint32_t x;

	heirloom = exo_open();
	if (extent_create(heirloom, disk, "of-root", 3000, 1, 0600, &x))
		bail("create");
	as_user(UID_BOB, use_heirloom, NULL);
	close(heirloom);
}

int main(void)
{
	static uint32_t private = 0600;
	static char fresh[] = "", again[] = " after detach and attach";
	struct exo_stats before;
	uint32_t x;
	int env;

	exo_setup();
	env = exo_open();
	before = stats_get(env);
	disk = disk_fresh(env, PATH);
	disk_grant(env, disk, UID_ALICE, 1000);
	disk_grant(env, disk, UID_BOB, 1000);

	as_user(UID_ALICE, secret, &private);
	as_user(UID_BOB, burglar, NULL);
	as_user(UID_BOB, neighbour, NULL);
	as_user(UID_BOB, handles, NULL);
	as_user(UID_ALICE, intact, NULL);
	is(extent_open(env, disk, UID_ALICE, "diary", 3, &x), 0,
	   "root opens any extent");
	exo_close_handle(env, x);
	inherited();
	as_user(UID_ALICE, forget, NULL);
	as_user(UID_BOB, heir, fresh);

	as_user(UID_ALICE, secret, &private);
	as_user(UID_ALICE, forget, NULL);
	disk_detach(env, disk);
	is(disk_attach(env, PATH, &disk), 0, "attach again");
	disk_grant(env, disk, UID_ALICE, 1000);
	disk_grant(env, disk, UID_BOB, 1000);
	as_user(UID_BOB, heir, again);
	modes();
	crash(env);
	is(disk_detach(env, disk), 0, "detach");
	ok(stats_wait(env, &before, 2000), "counters are as at the start");
	return done_testing();
}
