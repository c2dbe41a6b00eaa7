// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Block I/O through capabilities: can bob reach blocks or pages that alice did
 * not lend him, or anything after she took it back, also in the middle of a
 * batch? And what a device has begun, does it end without harm?
 *
 * vm: --disk 64
 */
#include "../disk/nullb.h"
#include "../exo_uring.h"
#include "cap.h"

#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>

#define NR_BLOCKS	32
#define SECRET		4711

static uint32_t disk;

/* One process, two envs: alice's, and one that stands for who is lent to. */
struct lent {
	int alice;
	int env;
	uint32_t extent;	/* alice's, blocks of SECRET + i */
	uint32_t frame;		/* alice's, 8 pages */
	uint32_t x;		/* imported: blocks 8 to 15 */
	uint32_t f;		/* imported: pages 2 to 5 */
	struct mem own;		/* pages of the other env's own */
	struct ring ring;
};

static uint32_t lend(struct lent *l, uint32_t handle, uint32_t rights,
		     uint64_t start, uint64_t nr)
{
	uint32_t part = derived(l->alice, handle, rights | S, start, nr), out;
	int fd = export_fd(l->alice, part);

	if (fd < 0 || import_fd(l->env, fd, &out))
		bail("cannot lend");
	close(fd);
	exo_close_handle(l->alice, part);
	return out;
}

static void lend_both(struct lent *l, uint32_t x_rights, uint32_t f_rights)
{
	exo_close_handle(l->env, l->x);
	exo_close_handle(l->env, l->f);
	l->x = lend(l, l->extent, x_rights, 8, 8);
	l->f = lend(l, l->frame, f_rights, 2, 4);
}

static void write_secret(struct lent *l)
{
	struct mem m = mem_new(l->alice, NR_BLOCKS, 0);
	int i;

	for (i = 0; i < NR_BLOCKS; i++)
		pattern_fill(m.p + i * BLOCK, SECRET + i, BLOCK);
	is(io_do(l->alice, EXO_IO_WRITE, l->extent, 0, NR_BLOCKS, m.handle, 0),
	   NR_BLOCKS * BLOCK, "alice writes her blocks");
	mem_free(l->alice, &m);
}

static int nr_intact(struct lent *l)
{
	struct mem m = mem_new(l->alice, NR_BLOCKS, 0);
	int i, n = 0;

	io_do(l->alice, EXO_IO_READ, l->extent, 0, NR_BLOCKS, m.handle, 0);
	for (i = 0; i < NR_BLOCKS; i++)
		n += pattern_same(m.p + i * BLOCK, SECRET + i, BLOCK);
	mem_free(l->alice, &m);
	return n;
}

static void lent_begin(struct lent *l)
{
	l->alice = exo_open();
	l->env = exo_open();
	if (extent_create(l->alice, disk, "lent", DATA_START, NR_BLOCKS, 0600,
			  &l->extent))
		bail("EXTENT_CREATE");
	l->frame = frame_new(l->alice, 8);
	l->own = mem_new(l->env, 16, 0);
	l->ring = ring_new(l->env, 64);
	write_secret(l);
	lend_both(l, RW, RW);
}

static void lent_end(struct lent *l)
{
	mem_free(l->env, &l->own);
	ring_free(l->env, &l->ring);
	close(l->env);
	is(extent_delete(l->alice, l->extent), 0, "alice deletes her extent");
	close(l->alice);
}

/* By each way that an operation can be asked for: all say the same. */
static void is_io(struct lent *l, uint32_t op, uint32_t x, uint64_t block,
		  uint32_t nr, uint32_t f, uint32_t page, long want,
		  const char *what)
{
	struct exo_io io = io_make(op, x, block, nr, f, page);
	struct io_uring u;
	long rc;

	is(exo_ioctl(l->env, EXO_CMD_IO, &io), want, "%s", what);
	rc = io_submit(l->env, &l->ring, &io, 1);
	if (rc == 1)
		rc = ring_next(&l->ring).res;
	is(rc, want, "%s, in a batch", what);
	if (!uring_new(&u, 4, 0))
		return;
	is(uring_do(&u, l->env, EXO_CMD_IO, &io), want, "%s, by io_uring",
	   what);
	io_uring_queue_exit(&u);
}

static void test_ranges(struct lent *l)
{
	static const struct {
		uint64_t block;
		uint32_t nr;
		long error;
	} bad[] = {
		{ 8, 1, -EINVAL }, { 7, 2, -EINVAL }, { 0, 9, -EINVAL },
		{ -8ULL, 8, -EOVERFLOW }, { -1ULL, 1, -EOVERFLOW },
		{ -8ULL, 16, -EOVERFLOW }, { 1ULL << 61, 1, -EINVAL },
	};
	uint32_t i, op;

	is_io(l, EXO_IO_READ, l->x, 0, 8, l->own.handle, 0, 8 * BLOCK,
	      "all that was lent");
	ok(pattern_same(l->own.p, SECRET + 8, BLOCK) &&
	   pattern_same(l->own.p + 7 * BLOCK, SECRET + 15, BLOCK),
	   "is the blocks that were lent");
	for (op = EXO_IO_READ; op <= EXO_IO_WRITE; op++)
		for (i = 0; i < ARRAY_SIZE(bad); i++)
			is_io(l, op, l->x, bad[i].block, bad[i].nr,
			      l->own.handle, 0, bad[i].error, "other blocks");
	is_io(l, EXO_IO_WRITE_ZEROES, l->x, 7, 2, 0, 0, -EINVAL,
	      "zeroes on other blocks");
	is_io(l, EXO_IO_READ, l->x, 0, 4, l->f, 1, -EINVAL, "other pages");
	is_io(l, EXO_IO_READ, l->x, 0, 1, l->f, 4, -EINVAL, "the next page");
	is_io(l, EXO_IO_READ, l->x, 0, 1, l->f, ~0U, -EOVERFLOW,
	      "the page before");
	is_io(l, EXO_IO_READ, l->x, 0, 4, l->f, 0, 4 * BLOCK,
	      "all pages that were lent");
	is(nr_intact(l), NR_BLOCKS, "alice's blocks are as she wrote them");
}

static void test_rights(struct lent *l)
{
	struct exo_extent_delete d = { .size = sizeof(d) };

	lend_both(l, R, R);
	is_io(l, EXO_IO_WRITE, l->x, 0, 1, l->own.handle, 0, -EACCES,
	      "a write on read-only blocks");
	is_io(l, EXO_IO_WRITE_ZEROES, l->x, 0, 1, 0, 0, -EACCES,
	      "zeroes on read-only blocks");
	is_io(l, EXO_IO_DISCARD, l->x, 0, 1, 0, 0, -EACCES,
	      "discard of read-only blocks");
	is_io(l, EXO_IO_READ, l->x, 0, 1, l->f, 0, -EACCES,
	      "a read into read-only pages");
	is_io(l, EXO_IO_READ, l->x, 0, 1, l->own.handle, 0, BLOCK,
	      "a read of read-only blocks");
	lend_both(l, W, W);
	is_io(l, EXO_IO_READ, l->x, 0, 1, l->own.handle, 0, -EACCES,
	      "a read of write-only blocks");
	is_io(l, EXO_IO_WRITE, l->x, 0, 1, l->f, 0, -EACCES,
	      "a write from write-only pages");
	d.handle = l->x;
	is(exo_ioctl(l->env, EXO_CMD_EXTENT_DELETE, &d), -EACCES,
	   "what is lent cannot be deleted");
	d.handle = l->extent;
	is(exo_ioctl(l->alice, EXO_CMD_EXTENT_DELETE, &d), -EBUSY,
	   "nor by its owner, while it is lent");
	is(nr_intact(l), NR_BLOCKS, "alice's blocks are as she wrote them");
}

static void test_revoked(struct lent *l)
{
	uint32_t child;

	lend_both(l, RWS, RWS);
	child = derived(l->env, l->x, R, 0, 1);
	is(cap_revoke(l->alice, l->extent, 0), 3, "alice takes blocks back");
	is_io(l, EXO_IO_READ, l->x, 0, 1, l->own.handle, 0, -ESTALE,
	      "a read of blocks taken back");
	is_io(l, EXO_IO_WRITE, l->x, 0, 1, l->own.handle, 0, -ESTALE,
	      "a write to blocks taken back");
	is_io(l, EXO_IO_FLUSH, l->x, 0, 0, 0, 0, -ESTALE,
	      "a flush of blocks taken back");
	is_io(l, EXO_IO_READ, child, 0, 1, l->own.handle, 0, -ESTALE,
	      "a read by what was derived");
	is(cap_revoke(l->alice, l->frame, 0), 2, "alice takes pages back");
	l->x = lend(l, l->extent, RW, 8, 8);
	is_io(l, EXO_IO_READ, l->x, 0, 1, l->f, 0, -ESTALE,
	      "a read into pages taken back");
	is_io(l, EXO_IO_WRITE, l->x, 0, 1, l->f, 0, -ESTALE,
	      "a write of pages taken back");
	is(nr_intact(l), NR_BLOCKS, "alice's blocks are as she wrote them");
}

static void test_expired(struct lent *l)
{
	uint64_t t = boottime_ns() + 100000000;
	uint32_t part;

	if (derive_until(l->alice, l->extent, RWS, 0, 8, t, &part))
		bail("CAP_DERIVE");
	l->x = lend(l, part, RW, 0, 8);
	usleep(120000);
	is_io(l, EXO_IO_READ, l->x, 0, 1, l->own.handle, 0, -ESTALE,
	      "a read of blocks whose time is up");
	exo_close_handle(l->alice, part);
}

/* ----------------------------------------------- stalled in the middle */

struct stall {
	struct lent *l;
	int uffd;
	char *second;		/* page that is not there yet */
	const void *content;
	uint32_t revoke;	/* which of alice's */
};

/* The batch waits for its second page: revoke, then let it go on. */
static void *stalled(void *arg)
{
	struct stall *s = arg;
	struct uffd_msg msg;
	struct pollfd pfd = { .fd = s->uffd, .events = POLLIN };
	struct uffdio_copy copy = {
		.dst = (uintptr_t)s->second, .src = (uintptr_t)s->content,
		.len = PAGE,
	};

	if (poll(&pfd, 1, 20000) != 1 ||
	    read(s->uffd, &msg, sizeof(msg)) != sizeof(msg))
		bail("no fault came");
	ok(cap_revoke(s->l->alice, s->revoke, 0) > 0,
	   "a revocation while the batch is being read");
	if (ioctl(s->uffd, UFFDIO_COPY, &copy))
		bail("UFFDIO_COPY: %m");
	return NULL;
}

static char *stall_begin(struct stall *s)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	char *p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	s->uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	s->second = p + PAGE;
	reg.range.start = (uintptr_t)s->second;
	reg.range.len = PAGE;
	if (s->uffd < 0 || ioctl(s->uffd, UFFDIO_API, &api) ||
	    ioctl(s->uffd, UFFDIO_REGISTER, &reg))
		bail("userfaultfd: %m");
	return p;
}

/* 8 operations on the page that is there, 8 on the one that is not. */
static void test_stalled(struct lent *l, uint32_t revoke, const char *what)
{
	struct stall s = { .l = l, .revoke = revoke };
	struct exo_io ios[16];
	char content[PAGE] = "";
	pthread_t thread;
	long rc, i, bad = 0;
	char *p;

	lend_both(l, RW, RW);
	p = stall_begin(&s);
	for (i = 0; i < 16; i++)
		ios[i] = io_make(EXO_IO_READ, l->x, i / 2, 1, l->f, i % 4);
	memcpy(s.second - sizeof(ios) / 2, ios, sizeof(ios) / 2);
	memcpy(content, ios + 8, sizeof(ios) / 2);
	s.content = content;
	if (pthread_create(&thread, NULL, stalled, &s))
		bail("pthread_create failed");
	rc = io_submit(l->env, &l->ring, s.second - sizeof(ios) / 2, 16);
	pthread_join(thread, NULL);
	ok(rc == -ESTALE || (rc > 0 && rc <= 8),
	   "%s: nothing begins after it (%ld accepted)", what, rc);
	for (i = 0; i < rc; i++)
		bad += ring_next(&l->ring).res != BLOCK;
	is(bad, 0, "%s: what began before it ends well", what);
	is(io_submit(l->env, &l->ring, s.second, 8), -ESTALE,
	   "%s: the rest is stale", what);
	close(s.uffd);
	munmap(p, 2 * PAGE);
}

/* ---------------------------------------------------------- in flight */

static uint32_t slow_disk;

/* A device that takes half a second: revoking does not wait for it. */
static void test_in_flight(void)
{
	struct exo_stats before;
	int alice = exo_open(), env = exo_open(), fd;
	uint32_t x, frame, f, out;
	struct ring r = ring_new(env, 8);
	struct exo_io io;
	uint64_t start;

	before = stats_get(alice);
	if (extent_create(alice, slow_disk, "slow", DATA_START, 4, 0600, &x))
		bail("EXTENT_CREATE");
	frame = frame_new(alice, 4);
	fd = export_fd(alice, x);
	if (import_fd(env, fd, &out))
		bail("CAP_IMPORT");
	close(fd);
	fd = export_fd(alice, frame);
	if (import_fd(env, fd, &f))
		bail("CAP_IMPORT");
	close(fd);
	io = io_make(EXO_IO_READ, out, 0, 4, f, 0);
	is(io_submit(env, &r, &io, 1), 1, "a read is in flight");
	start = now_ms();
	is(cap_revoke(alice, frame, EXO_REVOKE_SELF), 2, "pages are revoked");
	is(cap_revoke(alice, x, 0), 1, "blocks too");
	if (now_ms() - start < 400)
		is(stats_get(alice).out_nr_frame_pages,
		   before.out_nr_frame_pages + 4,
		   "the device still has the pages, nobody else gets them");
	ok(now_ms() - start < 400, "revoking does not wait (%d ms)",
	   (int)(now_ms() - start));
	is(ring_next(&r).res, 4 * BLOCK, "the read ends");
	exo_close_handle(env, f);
	exo_close_handle(env, out);
	exo_close_handle(alice, frame);
	is(extent_delete(alice, x), 0, "the extent can be deleted");
	ok(stats_wait(alice, &before, 3000), "then the pages are free");
	ring_free(env, &r);
	close(env);
	close(alice);
}

/* Pages of a pool are another's: with a device they stay for as long. */
static void test_pool_in_flight(void)
{
	static const uint64_t index[] = { 3, 1 };
	int env = exo_open(), other = exo_open();
	struct exo_frame_alloc f = {
		.size = sizeof(f), .flags = EXO_FRAME_POOL, .nr_pages = 2,
		.array = (uintptr_t)index,
	};
	struct exo_stats before = stats_get(env), now;
	struct ring r = ring_new(env, 8);
	struct exo_io io;
	uint64_t start, *p;
	uint32_t x;

	if (extent_create(env, slow_disk, "pool", DATA_START, 4, 0600, &x))
		bail("EXTENT_CREATE");
	f.pool = frame_new(env, 4);
	if (exo_ioctl(env, EXO_CMD_FRAME_ALLOC, &f))
		bail("FRAME_ALLOC from a pool");
	p = cap_mapped(env, f.pool, 0, 4, RDWR);
	memset(p, 0x5a, 4 * PAGE);
	now = stats_get(env);
	io = io_make(EXO_IO_READ, x, 0, 2, f.out_handle, 0);
	is(io_submit(env, &r, &io, 1), 1, "a read into a pool's pages");
	start = now_ms();
	is(cap_revoke(env, f.pool, EXO_REVOKE_SELF), 2, "the pool is revoked");
	is(touch(p, NULL), SIGBUS, "and mapped no more");
	munmap(p, 4 * PAGE);
	exo_close_handle(env, f.out_handle);
	exo_close_handle(env, f.pool);
	ok(now_ms() - start < 400, "without waiting (%d ms)",
	   (int)(now_ms() - start));
	is(io_submit(env, &r, &io, 1), -ENOENT, "no other read begins");
	is(stats_get(env).out_nr_frame_pages, now.out_nr_frame_pages,
	   "its pages are nobody else's");
	p = cap_mapped(other, frame_new(other, 512), 0, 512, RDWR);
	memset(p, 0xee, 512 * PAGE);
	is(ring_next(&r).res, 2 * BLOCK, "the read ends");
	for (x = 0; x < 512 * PAGE / 8 && p[x] == 0xeeeeeeeeeeeeeeeeULL; x++)
		;
	is(x, 512 * PAGE / 8, "in no newcomer's memory");
	munmap(p, 512 * PAGE);
	close(other);
	ring_free(env, &r);
	before.out_nr_envs--;
	is(extent_delete(env, io.extent), 0, "the extent can be deleted");
	ok(stats_wait(env, &before, 3000), "then the pages are free");
	close(env);
}

static int run(void *arg)
{
	struct lent l = {};

	(void)arg;
	lent_begin(&l);
	test_ranges(&l);
	test_rights(&l);
	test_revoked(&l);
	test_expired(&l);
	test_stalled(&l, l.extent, "blocks");
	test_stalled(&l, l.frame, "pages");
	lent_end(&l);
	if (slow_disk) {
		test_in_flight();
		test_pool_in_flight();
	}
	return 0;
}

int main(void)
{
	struct exo_stats before;
	int env;

	exo_setup();
	env = exo_open();
	disk = disk_fresh(env, "/dev/vda");
	disk_grant(env, disk, UID_ALICE, NR_BLOCKS);
	if (nullb_new("nullb0", "500000000")) {
		slow_disk = disk_fresh(env, "/dev/nullb0");
		disk_grant(env, slow_disk, UID_ALICE, NR_BLOCKS);
	} else {
		skip("no null_blk here");
	}
	if (write_file("/proc/sys/vm/unprivileged_userfaultfd", "1"))
		bail("unprivileged_userfaultfd: %m");
	before = stats_get(env);
	is(as_user(UID_ALICE, run, NULL), 0, "alice's process ended well");
	ok(stats_wait(env, &before, 3000), "counters are as at the start");
	disk_detach(env, disk);
	if (slow_disk)
		disk_detach(env, slow_disk);
	close(env);
	return done_testing();
}
