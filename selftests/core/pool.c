// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Is a frame out of a pool exactly the pages that were chosen, no others, and
 * does it end with the pool, without a way to what its pages become?
 */
#include "../exo_test.h"

#define PAGE	4096UL
#define NR	64U		/* pages of a pool */
#define ALL	(EXO_RIGHT_READ | EXO_RIGHT_WRITE | EXO_RIGHT_SHARE)

static long from_pool(int fd, uint32_t pool, const void *index, uint32_t nr,
		      struct exo_frame_alloc *f)
{
	*f = (struct exo_frame_alloc) {
		.size = sizeof(*f), .flags = EXO_FRAME_POOL, .nr_pages = nr,
		.pool = pool, .array = (uintptr_t)index,
	};
	return exo_ioctl(fd, EXO_CMD_FRAME_ALLOC, f);
}

static long derive(int fd, uint32_t frame, uint32_t rights, uint64_t start,
		   uint64_t nr, uint64_t expires_ns, uint32_t *handle)
{
	struct exo_cap_derive d = {
		.size = sizeof(d), .handle = frame, .rights = rights,
		.start = start, .nr = nr, .expires_ns = expires_ns,
	};
	long rc = exo_ioctl(fd, EXO_CMD_CAP_DERIVE, &d);

	*handle = d.out_handle;
	return rc;
}

static long end_below(int fd, uint32_t handle, uint32_t flags)
{
	struct exo_cap_revoke r = {
		.size = sizeof(r), .flags = flags, .handle = handle,
	};

	return exo_ioctl(fd, EXO_CMD_CAP_REVOKE, &r);
}

static uint64_t boottime_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

static uint64_t *map(int fd, const struct exo_frame_alloc *f)
{
	uint64_t *p = exo_map(fd, f->out_mmap_offset, f->nr_pages * PAGE);

	if (p == MAP_FAILED)
		bail("mmap: %m");
	return p;
}

static uint64_t *page(uint64_t *p, uint32_t i)
{
	return p + i * PAGE / sizeof(*p);
}

/* A pool of a given order, page i of which begins with @seed + i. */
static uint64_t *new_pool(int fd, uint32_t order, uint64_t seed,
			  struct exo_frame_alloc *f)
{
	uint64_t *p;
	uint32_t i;

	if (exo_alloc(fd, NR, order, f))
		bail("cannot allocate a pool");
	p = map(fd, f);
	for (i = 0; i < NR; i++)
		*page(p, i) = seed + i;
	return p;
}

static void undo_alloc(int fd, void *s)
{
	const struct exo_frame_alloc *f = s;

	is(exo_close_handle(fd, f->out_handle), 0, "close what was allocated");
}

static void test_matrix(int fd)
{
	static const uint64_t index[] = { 1, 0 };
	struct exo_frame_alloc pool;
	struct exo_frame_alloc valid = {
		.size = sizeof(valid), .flags = EXO_FRAME_POOL, .nr_pages = 2,
		.array = (uintptr_t)index,
	};
	const struct matrix m = {
		.name = "FRAME_ALLOC from a pool", .cmd = EXO_CMD_FRAME_ALLOC,
		.size = sizeof(valid),
		.min = offsetof(struct exo_frame_alloc, node),
		.valid = &valid, .undo = undo_alloc, .outputs = true,
		.flags = EXO_FRAME_NODE | EXO_FRAME_COLOUR | EXO_FRAME_POOL,
	};

	exo_alloc(fd, 2, 0, &pool);
	valid.pool = pool.out_handle;
	matrix_run(fd, &m);
	exo_close_handle(fd, pool.out_handle);
}

/* The chosen pages, in the order in which they were chosen. */
static void try_choice(int fd, uint32_t order)
{
	static const uint64_t index[] = { 5, 3, 63, 0, 62 };
	uint32_t i, bad = 0, nr = ARRAY_SIZE(index);
	struct exo_stats before = stats_get(fd), s;
	struct exo_frame_alloc pool, f;
	uint64_t *p = new_pool(fd, order, 1000, &pool), *q;

	is(from_pool(fd, pool.out_handle, index, nr, &f), 0,
	   "%u pages of a pool of order %u", nr, order);
	s = stats_get(fd);
	is(s.out_nr_frame_pages - before.out_nr_frame_pages, NR,
	   "they are not charged again");
	is(s.out_nr_objects - before.out_nr_objects, 2, "two objects");
	q = map(fd, &f);
	for (i = 0; i < nr; i++)
		bad += *page(q, i) != 1000 + index[i];
	is(bad, 0, "they are those that were chosen, with their content");
	*page(q, 2) = 7;
	is(*page(p, 63), 7, "what is written there is in the pool");
	ok(mmap(NULL, (nr + 1) * PAGE, PROT_READ, MAP_SHARED, fd,
		f.out_mmap_offset) == MAP_FAILED, "there is no page behind them");
	munmap(p, NR * PAGE);
	is(exo_close_handle(fd, pool.out_handle), 0, "close the pool's handle");
	ok(!touch_write(page(q, 1), 9) && *page(q, 1) == 9,
	   "the pages are there still");
	s = stats_get(fd);
	is(s.out_nr_frame_pages - before.out_nr_frame_pages, NR,
	   "and all of the pool charged");
	is(exo_close_handle(fd, f.out_handle), 0, "close the frame");
	is(touch(q, NULL), SIGBUS, "nothing is mapped any more");
	munmap(q, nr * PAGE);
	ok(stats_wait(fd, &before, 2000), "all is given back, once");
}

/* FRAME_INFO says of the new frame what it says of the pool. */
static void test_numbers(int fd)
{
	static const uint64_t index[] = { 8, 9, 10, 2 };
	struct exo_page_info all[NR], some[ARRAY_SIZE(index)];
	struct exo_frame_info i = { .size = sizeof(i) };
	struct exo_frame_alloc pool, f;
	uint32_t n, bad = 0;

	exo_alloc(fd, NR, 2, &pool);
	from_pool(fd, pool.out_handle, index, ARRAY_SIZE(index), &f);
	i.frame = pool.out_handle;
	i.array = (uintptr_t)all;
	i.nr = NR;
	is(exo_ioctl(fd, EXO_CMD_FRAME_INFO, &i), 0, "where the pool is");
	i.frame = f.out_handle;
	i.array = (uintptr_t)some;
	i.nr = ARRAY_SIZE(index);
	is(exo_ioctl(fd, EXO_CMD_FRAME_INFO, &i), 0, "where its frame is");
	for (n = 0; n < ARRAY_SIZE(index); n++)
		bad += some[n].number != all[index[n]].number;
	is(bad, 0, "the same pages");
	is(some[0].nr_contiguous, 3, "three in a run");
	is(some[3].nr_contiguous, 1, "one alone");
	exo_close_handle(fd, f.out_handle);
	exo_close_handle(fd, pool.out_handle);
}

static void test_indices(int fd, uint32_t pool)
{
	static const struct {
		uint64_t index[3];
		uint32_t nr;
		long rc;
		const char *what;
	} tries[] = {
		{ { NR }, 1, -EINVAL, "a page behind the pool" },
		{ { 0, 1, NR }, 3, -EINVAL, "the last one behind it" },
		{ { 1ULL << 32 }, 1, -EINVAL, "page 2^32" },
		{ { 1ULL << 63 }, 1, -EINVAL, "page 2^63" },
		{ { ~0ULL }, 1, -EINVAL, "page -1" },
		{ { ~0ULL - NR }, 1, -EINVAL, "one below zero" },
		{ { 4, 4 }, 2, -EINVAL, "one twice" },
		{ { 4, 5, 4 }, 3, -EINVAL, "one twice, not in a row" },
		{ { 0 }, 0, -EINVAL, "none" },
	};
	struct exo_frame_alloc f;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(tries); i++)
		is(from_pool(fd, pool, tries[i].index, tries[i].nr, &f),
		   tries[i].rc, "pool: %s", tries[i].what);
}

static void test_arguments(int fd, uint32_t pool)
{
	static uint64_t index[NR + 1];
	struct exo_frame_alloc f, like = {
		.size = sizeof(like), .flags = EXO_FRAME_POOL, .nr_pages = 2,
		.pool = pool, .array = (uintptr_t)(index + 1),
	};
	char *hole = matrix_hole();
	uint32_t i;

	for (i = 0; i < ARRAY_SIZE(index); i++)
		index[i] = NR - i;
	is(from_pool(fd, pool, index + 1, NR, &f), 0, "all, in reverse");
	exo_close_handle(fd, f.out_handle);
	is(from_pool(fd, pool, index, NR + 1, &f), -EINVAL, "one too many");
	is(from_pool(fd, pool, NULL, 2, &f), -EFAULT, "no array");
	is(from_pool(fd, pool, hole - 8, 2, &f), -EFAULT, "a short array");
	is(from_pool(fd, pool, (void *)0xffff888000000000UL, 2, &f), -EFAULT,
	   "the kernel's");
	f = like;
	is(exo_ioctl(fd, EXO_CMD_FRAME_ALLOC, &f), 0, "two, nothing besides");
	exo_close_handle(fd, f.out_handle);
	f = like;
	f.order = 1;
	is(exo_ioctl(fd, EXO_CMD_FRAME_ALLOC, &f), -EINVAL, "an order");
	f = like;
	f.flags |= EXO_FRAME_NODE;
	is(exo_ioctl(fd, EXO_CMD_FRAME_ALLOC, &f), -EINVAL, "a node too");
	f = like;
	f.flags |= EXO_FRAME_COLOUR;
	is(exo_ioctl(fd, EXO_CMD_FRAME_ALLOC, &f), -EINVAL, "a colour too");
	f = like;
	f.colour_mask = 1;
	is(exo_ioctl(fd, EXO_CMD_FRAME_ALLOC, &f), -EINVAL,
	   "a colour without its flag");
	f = like;
	f.flags = 0;
	is(exo_ioctl(fd, EXO_CMD_FRAME_ALLOC, &f), -EINVAL, "no flag");
	f.pool = 0;
	is(exo_ioctl(fd, EXO_CMD_FRAME_ALLOC, &f), -EINVAL,
	   "an array without the flag");
	f = like;
	f.flags = 0;
	f.array = 0;
	is(exo_ioctl(fd, EXO_CMD_FRAME_ALLOC, &f), -EINVAL,
	   "a pool without the flag");
}

static void test_refused(int fd)
{
	static const uint64_t index[] = { 0, 1, 2, 3, 4, 5, 6 };
	struct exo_cq_create cq = { .size = sizeof(cq), .nr_entries = 64 };
	struct exo_refusal why = { .size = sizeof(why) };
	struct exo_stats before = stats_get(fd);
	struct exo_frame_alloc pool, f;
	uint32_t part, other;

	exo_alloc(fd, NR, 0, &pool);
	test_indices(fd, pool.out_handle);
	test_arguments(fd, pool.out_handle);
	is(from_pool(fd, 0, index, 2, &f), -ENOENT, "no handle");
	exo_ioctl(fd, EXO_CMD_CQ_CREATE, &cq);
	is(from_pool(fd, cq.out_handle, index, 2, &f), -EBADF, "a ring");
	exo_close_handle(fd, cq.out_handle);

	derive(fd, pool.out_handle, EXO_RIGHT_READ | EXO_RIGHT_WRITE, 0, NR, 0,
	       &part);
	is(from_pool(fd, part, index, 2, &f), -EACCES, "no right to share");
	exo_close_handle(fd, part);

	derive(fd, pool.out_handle, ALL, 10, 6, 0, &part);
	is(from_pool(fd, part, index, 7, &f), -EINVAL,
	   "a page of the pool, but not of the handle's range");
	exo_ioctl(fd, EXO_CMD_REFUSAL, &why);
	ok(why.out_reason == EXO_REFUSED_RANGE && why.out_handle == part &&
	   why.out_want == 7 && why.out_have == 6 &&
	   why.out_command == EXO_NR_FRAME_ALLOC, "and the refusal says so");
	is(from_pool(fd, part, index, 6, &f), 0, "those of the range are fine");
	is(end_below(fd, pool.out_handle, 0), 0, "revoke what was derived");
	is(from_pool(fd, part, index, 1, &f), -ESTALE, "no page out of that");
	exo_close_handle(fd, part);
	other = exo_open();
	is(from_pool(other, pool.out_handle, index, 1, &f), -ENOENT,
	   "not from another env's");
	close(other);
	is(end_below(fd, pool.out_handle, EXO_REVOKE_SELF), 0, "revoke the pool");
	is(from_pool(fd, pool.out_handle, index, 1, &f), -ESTALE,
	   "nothing out of it any more");
	exo_close_handle(fd, pool.out_handle);
	close(fd);
	fd = exo_open();
	ok(stats_wait(fd, &before, 2000), "nothing stays behind");
	close(fd);
}

/* The new frame has the range and the rights of its pool's handle, no more. */
static void test_rights(int fd)
{
	static const uint64_t index[] = { 1, 2 };
	struct exo_cap_info info = { .size = sizeof(info) };
	struct exo_frame_alloc pool, f, g;
	uint64_t *p = new_pool(fd, 0, 50, &pool), *q;
	uint32_t part;

	derive(fd, pool.out_handle, EXO_RIGHT_READ | EXO_RIGHT_SHARE, 10, 6, 0,
	       &part);
	is(from_pool(fd, part, index, 2, &f), 0, "out of a part, to read");
	ok(exo_map(fd, f.out_mmap_offset, PAGE) == MAP_FAILED &&
	   errno == EACCES, "it cannot be mapped for writing");
	q = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, f.out_mmap_offset);
	ok(q != MAP_FAILED && *q == 61, "but for reading");
	is(mprotect(q, PAGE, PROT_READ | PROT_WRITE), -1, "nor made writable");
	info.handle = f.out_handle;
	is(exo_ioctl(fd, EXO_CMD_CAP_INFO, &info), 0, "what it stands for");
	ok(info.out_rights == (EXO_RIGHT_READ | EXO_RIGHT_SHARE) &&
	   info.out_nr == 2 && info.out_start == 0 && info.out_depth == 2 &&
	   info.out_type == EXO_TYPE_FRAME, "a frame of its own, derived");
	is(from_pool(fd, f.out_handle, index, 1, &g), 0, "out of that one more");
	is(from_pool(fd, f.out_handle, index, 2, &g), -EINVAL,
	   "but no page that it does not have");
	munmap(q, PAGE);
	munmap(p, NR * PAGE);
	is(exo_close_handle(fd, pool.out_handle), 0, "close the pool");
}

/* Fill the machine's free pages as another user would. */
static void reuse(int fd, uint32_t nr, uint64_t word)
{
	struct exo_frame_alloc f;
	uint64_t *p;
	uint32_t i;

	if (exo_alloc(fd, nr, 0, &f))
		bail("cannot allocate");
	p = map(fd, &f);
	for (i = 0; i < nr; i++)
		*page(p, i) = word;
	munmap(p, nr * PAGE);
}

/* A chain of frames out of each other: all end when the pool does. */
static void test_revoked(int fd)
{
	static const uint64_t index[] = { 3, 2, 1, 0 };
	struct exo_frame_alloc pool, f, g;
	uint64_t *p, *q, *r, value = 0;
	struct exo_stats before = stats_get(fd);
	int other = exo_open();

	p = new_pool(fd, 0, 100, &pool);
	is(from_pool(fd, pool.out_handle, index, 4, &f), 0, "a frame");
	is(from_pool(fd, f.out_handle, index, 4, &g), 0, "and one out of it");
	q = map(fd, &f);
	r = map(fd, &g);
	ok(*q == 103 && *r == 100, "both are in use");
	is(exo_close_handle(fd, f.out_handle), 0, "close the first");
	is(touch(q, NULL), SIGBUS, "it is gone");
	ok(!touch(r, &value) && value == 100, "the second is not");
	is(end_below(fd, pool.out_handle, EXO_REVOKE_SELF), 0, "revoke the pool");
	reuse(other, 4096, 0xbad);
	is(touch(p, NULL), SIGBUS, "the pool is gone");
	is(touch(r, &value), SIGBUS, "so is what came out of it");
	is(touch_write(page(r, 1), 1), SIGBUS, "for writing too");
	is(from_pool(fd, g.out_handle, index, 1, &f), -ESTALE,
	   "nothing comes out of that any more");
	is(exo_close_handle(fd, pool.out_handle), 0, "close the pool");
	is(exo_close_handle(fd, g.out_handle), 0, "close the second");
	close(other);
	munmap(p, NR * PAGE);
	munmap(q, 4 * PAGE);
	munmap(r, 4 * PAGE);
	ok(stats_wait(fd, &before, 2000), "nothing stays behind");
}

static void test_expiry(int fd)
{
	static const uint64_t index[] = { 7 };
	struct exo_frame_alloc pool, f;
	uint64_t *p = new_pool(fd, 0, 1, &pool), *q;
	uint64_t end = boottime_ns() + 1000000000;
	uint32_t part;

	is(derive(fd, pool.out_handle, ALL, 0, NR, end, &part), 0,
	   "a part for a second");
	is(from_pool(fd, part, index, 1, &f), 0, "a frame out of it");
	q = map(fd, &f);
	is(*q, 8, "in use");
	/* A busy machine unmaps late, but it does. */
	while (!touch(q, NULL) && boottime_ns() < end + 20000000000)
		usleep(20000);
	is(touch(q, NULL), SIGBUS, "soon after that it has ended");
	exo_close_handle(fd, f.out_handle);
	exo_close_handle(fd, part);
	is(touch(p, NULL), 0, "the pool has not");
	munmap(q, PAGE);
	munmap(p, NR * PAGE);
	exo_close_handle(fd, pool.out_handle);
}

static void test_depth(int fd)
{
	static const uint64_t index[] = { 0 };
	struct exo_stats before = stats_get(fd);
	struct exo_frame_alloc f;
	uint32_t chain[EXO_CAP_MAX_DEPTH + 1];
	uint64_t *p;
	int i, wrong = 0;

	exo_alloc(fd, 1, 0, &f);
	chain[0] = f.out_handle;
	for (i = 1; i <= EXO_CAP_MAX_DEPTH; i++) {
		wrong += from_pool(fd, chain[i - 1], index, 1, &f) != 0;
		chain[i] = f.out_handle;
	}
	is(wrong, 0, "%d frames out of each other", EXO_CAP_MAX_DEPTH);
	p = map(fd, &f);
	is(from_pool(fd, chain[EXO_CAP_MAX_DEPTH], index, 1, &f), -EMLINK,
	   "not one more");
	for (i = 0; i < EXO_CAP_MAX_DEPTH; i++)
		exo_close_handle(fd, chain[i]);
	ok(!touch_write(p, 5) && *p == 5, "the last one alone has the page");
	exo_close_handle(fd, chain[EXO_CAP_MAX_DEPTH]);
	munmap(p, PAGE);
	ok(stats_wait(fd, &before, 2000), "and gives it back");
}

/* Handed to another user: he sees what was chosen, until it is revoked. */
struct gift {
	int fd;		/* exported */
	int ready, go;	/* pipes' ends */
};

static int take_gift(void *arg)
{
	const struct gift *gift = arg;
	struct exo_cap_import im = { .size = sizeof(im), .fd = gift->fd };
	uint64_t *p;
	int fd = exo_open();
	char c = 0;

	is(exo_ioctl(fd, EXO_CMD_CAP_IMPORT, &im), 0, "bob takes it in");
	is(im.out_nr, 2, "two pages");
	p = exo_map(fd, im.out_mmap_offset, 2 * PAGE);
	ok(p != MAP_FAILED && *p == 240 && *page(p, 1) == 217,
	   "those that alice chose");
	ok(exo_map(fd, im.out_mmap_offset, 3 * PAGE) == MAP_FAILED,
	   "and none besides");
	if (write(gift->ready, &c, 1) != 1 || read(gift->go, &c, 1) != 1)
		bail("pipe: %m");
	is(touch(p, NULL), SIGBUS, "once revoked it is gone");
	is(touch_write(page(p, 1), 1), SIGBUS, "all of it");
	return 0;
}

static int give(void *arg)
{
	static const uint64_t index[] = { 40, 17 };
	struct exo_cap_export ex = { .size = sizeof(ex) };
	struct exo_frame_alloc pool, f;
	int fd = exo_open();
	uint64_t *p = new_pool(fd, 0, 200, &pool);
	struct gift *gift = arg;
	char c = 0;

	(void)p;
	is(from_pool(fd, pool.out_handle, index, 2, &f), 0, "alice's choice");
	ex.handle = f.out_handle;
	is(exo_ioctl(fd, EXO_CMD_CAP_EXPORT, &ex), 0, "exported");
	/* The parent knows the number, and takes it from there. */
	if (write(gift->ready, &ex.out_fd, sizeof(ex.out_fd)) !=
	    sizeof(ex.out_fd) || read(gift->go, &c, 1) != 1)
		bail("pipe: %m");
	is(end_below(fd, pool.out_handle, EXO_REVOKE_SELF), 0, "alice revokes");
	reuse(fd, 64, 0xbad);
	if (write(gift->ready, &c, 1) != 1)
		bail("pipe: %m");
	pause();
	return 0;
}

static void new_pipe(int *from, int *to)
{
	int p[2];

	if (pipe(p))
		bail("pipe: %m");
	*from = p[0];
	*to = p[1];
}

static void wait_for(int fd, void *word, size_t bytes)
{
	if (read(fd, word, bytes) != (ssize_t)bytes)
		bail("a child died");
}

static void test_gift(int fd)
{
	struct exo_stats before = stats_get(fd);
	struct gift alice = {}, bob = {};
	int alice_ready, alice_go, bob_ready, bob_go, number, pidfd;
	pid_t a, b;
	char c = 0;

	new_pipe(&alice_ready, &alice.ready);
	new_pipe(&alice.go, &alice_go);
	new_pipe(&bob_ready, &bob.ready);
	new_pipe(&bob.go, &bob_go);
	a = as_user_start(NULL, UID_ALICE, give, &alice);
	wait_for(alice_ready, &number, sizeof(number));
	pidfd = syscall(SYS_pidfd_open, a, 0);
	bob.fd = syscall(SYS_pidfd_getfd, pidfd, number, 0);
	b = as_user_start(NULL, UID_BOB, take_gift, &bob);
	wait_for(bob_ready, &c, 1);
	if (write(alice_go, &c, 1) != 1)
		bail("pipe: %m");
	wait_for(alice_ready, &c, 1);
	if (write(bob_go, &c, 1) != 1)
		bail("pipe: %m");
	is(reap(b), 0, "bob's process ended well");
	kill(a, SIGKILL);
	reap(a);
	close(bob.fd);
	close(pidfd);
	ok(stats_wait(fd, &before, 2000), "nothing stays behind");
}

static int die_with_pool(void *arg)
{
	static const uint64_t index[] = { 9, 8, 7 };
	struct exo_frame_alloc pool, f;
	int fd = exo_open();
	uint64_t *p = new_pool(fd, 2, 1, &pool), *q;

	(void)arg;
	from_pool(fd, pool.out_handle, index, 3, &f);
	q = map(fd, &f);
	*q = *p;
	raise(SIGKILL);
	return 0;
}

int main(void)
{
	struct exo_stats before;
	int fd;

	exo_setup();
	fd = exo_open();
	before = stats_get(fd);
	test_matrix(fd);
	try_choice(fd, 0);
	try_choice(fd, 3);
	test_numbers(fd);
	test_refused(exo_open());
	test_rights(fd);
	test_revoked(fd);
	test_expiry(fd);
	test_depth(fd);
	test_gift(fd);
	is(as_user(UID_ALICE, die_with_pool, NULL), 128 + SIGKILL,
	   "a process is killed with a pool");
	close(fd);
	fd = exo_open();
	ok(stats_wait(fd, &before, 3000), "nothing is left");
	close(fd);
	return done_testing();
}
