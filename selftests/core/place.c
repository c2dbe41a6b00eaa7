// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Do pages come from the node and in the colour that was asked for, does
 * FRAME_INFO tell the truth about them, and the physical number only to those
 * who may know it?
 *
 * As in frames.c the kernel's own zeroing is off.
 *
 * vm: --append init_on_alloc=0
 */
#include "../exo_test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/sysinfo.h>

#define PAGE	4096UL
#define HIDDEN	(~0ULL)
#define MAX_NR	65536U		/* pages in one FRAME_INFO */

static struct exo_page_info infos[MAX_NR];

/* With what @like says besides size; 0 or -errno. */
static long alloc(int fd, const struct exo_frame_alloc *like,
		  struct exo_frame_alloc *f)
{
	*f = *like;
	f->size = sizeof(*f);
	return exo_ioctl(fd, EXO_CMD_FRAME_ALLOC, f);
}

static long alloc_like(int fd, struct exo_frame_alloc like)
{
	struct exo_frame_alloc f;
	long rc = alloc(fd, &like, &f);

	if (!rc)
		exo_close_handle(fd, f.out_handle);
	return rc;
}

static long info(int fd, uint32_t frame, uint32_t first, uint32_t nr)
{
	struct exo_frame_info i = {
		.size = sizeof(i), .frame = frame, .first_page = first,
		.nr = nr, .array = (uintptr_t)infos,
	};

	memset(infos, 0x5a, sizeof(infos[0]) * (nr < MAX_NR ? nr : MAX_NR));
	return exo_ioctl(fd, EXO_CMD_FRAME_INFO, &i);
}

/* ------------------------------------------------------------ matrices */

static void fill_info(int fd, void *s)
{
	struct exo_frame_info *i = s;
	struct exo_frame_alloc f;

	if (exo_alloc(fd, 2, 0, &f))
		bail("cannot allocate");
	i->frame = f.out_handle;
	i->nr = 2;
	i->array = (uintptr_t)infos;
}

static void cleanup_info(int fd, const void *filled)
{
	const struct exo_frame_info *i = filled;

	exo_close_handle(fd, i->frame);
}

static void undo_alloc(int fd, void *s)
{
	const struct exo_frame_alloc *f = s;

	is(exo_close_handle(fd, f->out_handle), 0, "close what was allocated");
}

static void test_matrices(int fd)
{
	static const struct exo_frame_alloc coloured = {
		.size = sizeof(coloured), .nr_pages = 2,
		.flags = EXO_FRAME_NODE | EXO_FRAME_COLOUR,
		.colour_mask = 3, .colour_value = 1,
	};
	static const struct matrix matrices[] = {
		{
			.name = "FRAME_INFO", .cmd = EXO_CMD_FRAME_INFO,
			.size = sizeof(struct exo_frame_info),
			.min = sizeof(struct exo_frame_info),
			.fill = fill_info, .cleanup = cleanup_info,
			.outputs = true,
		}, {
			.name = "FRAME_ALLOC of a colour",
			.cmd = EXO_CMD_FRAME_ALLOC, .size = sizeof(coloured),
			.min = offsetof(struct exo_frame_alloc, node),
			.valid = &coloured, .undo = undo_alloc,
			.flags = EXO_FRAME_NODE | EXO_FRAME_COLOUR |
				 EXO_FRAME_POOL,
			.outputs = true,
		},
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(matrices); i++)
		matrix_run(fd, &matrices[i]);
}

/* --------------------------------------------------------------- nodes */

static void test_nodes(int fd)
{
	static const uint32_t no_nodes[] = {
		1, 2, 63, 64, 1023, 1024, 1025, 0x7fffffff, 0x80000000, ~0U
	};
	struct exo_frame_alloc like = { .flags = EXO_FRAME_NODE }, f;
	const struct exo_frame_alloc unflagged = { .nr_pages = 1, .node = 1 };
	uint32_t i, elsewhere = 0;

	for (i = 0; i < ARRAY_SIZE(no_nodes); i++) {
		like.nr_pages = 1;
		like.node = no_nodes[i];
		is(alloc_like(fd, like), -EINVAL, "no memory on node %u",
		   no_nodes[i]);
	}
	is(alloc_like(fd, unflagged), -EINVAL, "a node without the flag");
	like.node = 0;
	like.nr_pages = 64;
	for (like.order = 0; like.order <= 3; like.order += 3) {
		is(alloc(fd, &like, &f), 0, "pages of order %u on node 0",
		   like.order);
		is(f.out_nr_tried, 0, "no colour was sought");
		is(info(fd, f.out_handle, 0, 64), 0, "ask where they are");
		for (i = 0; i < 64; i++)
			elsewhere += infos[i].node != 0;
		exo_close_handle(fd, f.out_handle);
	}
	is(elsewhere, 0, "all are on node 0");
}

/* -------------------------------------------------------------- colours */

static bool all_zero(const uint64_t *p, size_t bytes)
{
	size_t i;

	for (i = 0; i < bytes / sizeof(*p); i++)
		if (p[i])
			return false;
	return true;
}

/* How many of the pages are not as asked for; @root sees numbers. */
static uint32_t count_misfits(const struct exo_frame_alloc *f, bool root)
{
	uint32_t i, run = 1U << f->order, bad = 0;

	for (i = 0; i < f->nr_pages; i++) {
		const struct exo_page_info *p = &infos[i];

		if (i % run == 0)
			bad += (p->colour & f->colour_mask) != f->colour_value ||
			       p->nr_contiguous < run || p->colour % run;
		else
			bad += p->colour != (infos[i - 1].colour + 1) % 1024;
		bad += root ? p->number % EXO_FRAME_MAX_COLOURS != p->colour :
			      p->number != HIDDEN;
		bad += p->node != 0 || p->reserved != 0;
	}
	return bad;
}

static void try_colour(int fd, bool root, uint32_t nr_pages, uint32_t order,
		       uint32_t mask, uint32_t value)
{
	const struct exo_frame_alloc like = {
		.flags = EXO_FRAME_COLOUR | (order % 2 ? EXO_FRAME_NODE : 0),
		.nr_pages = nr_pages, .order = order,
		.colour_mask = mask, .colour_value = value,
	};
	struct exo_frame_alloc f;
	uint64_t *p;

	if (!is(alloc(fd, &like, &f), 0, "%u pages of order %u, %#x of %#x",
		nr_pages, order, value, mask))
		return;
	ok(f.out_nr_tried >= nr_pages, "%llu pages were looked at",
	   f.out_nr_tried);
	is(info(fd, f.out_handle, 0, nr_pages), 0, "ask where they are");
	is(count_misfits(&f, root), 0, "all are as asked for");
	p = exo_map(fd, f.out_mmap_offset, nr_pages * PAGE);
	if (p == MAP_FAILED)
		bail("mmap: %m");
	ok(all_zero(p, nr_pages * PAGE), "and zeroed");
	memset(p, 0xa5, nr_pages * PAGE);
	munmap(p, nr_pages * PAGE);
	is(exo_close_handle(fd, f.out_handle), 0, "close");
}

static void test_colours(int fd, bool root)
{
	struct exo_stats before = stats_get(fd);

	try_colour(fd, root, 1, 0, 0, 0);
	try_colour(fd, root, 100, 0, 1, 1);
	try_colour(fd, root, 64, 0, 0x3f, 0x2a);
	try_colour(fd, root, 64, 0, 0x3f, 0);
	try_colour(fd, root, 20, 0, 0x3ff, 0x155);
	try_colour(fd, root, 20, 0, 0x200, 0x200);
	try_colour(fd, root, 20, 0, 0x201, 0x001);
	try_colour(fd, root, 64, 1, 0x0e, 0x06);
	try_colour(fd, root, 64, 3, 0x3f8, 0x008);
	try_colour(fd, root, 64, 3, 0x7, 0);
	try_colour(fd, root, 1024, 9, 0x200, 0x200);
	try_colour(fd, root, 1024, 9, 0x3ff, 0);
	ok(stats_wait(fd, &before, 2000), "counters are as before");
}

static void test_impossible(int fd)
{
	static const struct {
		uint32_t flags, order, mask, value;
		const char *what;
	} bad[] = {
		{ EXO_FRAME_COLOUR, 0, 1024, 0, "a bit too high" },
		{ EXO_FRAME_COLOUR, 0, 1024, 1024, "a bit too high, set" },
		{ EXO_FRAME_COLOUR, 0, ~0U, 0, "all bits" },
		{ EXO_FRAME_COLOUR, 0, 0, 1, "outside an empty mask" },
		{ EXO_FRAME_COLOUR, 0, 6, 7, "outside the mask" },
		{ EXO_FRAME_COLOUR, 0, 6, 0x80000006, "far outside the mask" },
		{ EXO_FRAME_COLOUR, 1, 1, 1, "odd, in runs of 2" },
		{ EXO_FRAME_COLOUR, 9, 0x3ff, 0x100, "inside a run of 512" },
		{ 0, 0, 1, 0, "a mask without the flag" },
		{ 0, 0, 0, 1, "a value without the flag" },
		{ EXO_FRAME_NODE, 0, 1, 1, "a colour with another flag" },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		is(alloc_like(fd, (struct exo_frame_alloc) {
			.flags = bad[i].flags, .nr_pages = 512,
			.order = bad[i].order, .colour_mask = bad[i].mask,
			.colour_value = bad[i].value }), -EINVAL,
		   "colour: %s", bad[i].what);
}

/* More of one colour than the machine has: an end in sight, nothing lost. */
static void test_scarce(int fd)
{
	struct exo_frame_alloc f, like = {
		.flags = EXO_FRAME_COLOUR, .colour_mask = 0x3ff,
		.colour_value = 0x123,
	};
	struct exo_stats before = stats_get(fd);
	uint64_t pages;
	struct sysinfo si;
	long rc;

	sysinfo(&si);
	pages = (uint64_t)si.totalram * si.mem_unit / PAGE;
	like.nr_pages = pages / 512;
	rc = alloc(fd, &like, &f);
	is(rc, -ENOMEM, "twice as many pages of a colour as there are");
	ok(f.out_nr_tried >= 1024 && f.out_nr_tried < 64 * pages,
	   "%llu pages were looked at, of %llu", f.out_nr_tried,
	   (unsigned long long)pages);
	ok(stats_wait(fd, &before, 2000), "none is kept");
	is(alloc_like(fd, (struct exo_frame_alloc) { .nr_pages = 1024 }), 0,
	   "there is memory still");
}

/* What a search has in hand is below the module's ceiling too. */
static void test_ceiling(int fd)
{
	struct exo_frame_alloc f, like = {
		.flags = EXO_FRAME_COLOUR, .nr_pages = 1, .colour_mask = 1,
	};
	int all = exo_open();
	uint32_t chunk;

	is(exo_alloc(all, 1000, 0, &f), 0, "take 1000 pages");
	for (chunk = 8192; chunk; chunk /= 8)
		while (!exo_alloc(all, chunk, 0, NULL))
			;
	is(exo_close_handle(all, f.out_handle), 0, "all, and give these back");
	is(alloc_like(fd, like), -EDQUOT, "there is no room for a search");
	like.flags = 0;
	like.colour_mask = 0;
	is(alloc_like(fd, like), 0, "but for pages of any colour");
	close(all);
}

#define NR_SEEKERS	8

static atomic_int refused, other_errors;

static void *seek(void *arg)
{
	struct exo_frame_alloc like = {
		.flags = EXO_FRAME_COLOUR, .nr_pages = 1, .colour_mask = 0x1ff,
	};
	int i, fd = *(int *)arg;
	long rc;

	for (i = 0; i < 200; i++) {
		rc = alloc_like(fd, like);
		refused += rc == -EDQUOT;
		other_errors += rc && rc != -EDQUOT && rc != -ENOMEM;
	}
	return NULL;
}

/* A user's searches, however many, take the room of one. */
static void test_turns(int fd)
{
	struct exo_frame_alloc f;
	pthread_t threads[NR_SEEKERS];
	int all = exo_open(), i;
	uint32_t chunk;

	is(exo_alloc(all, 4096 + 2000, 0, &f), 0, "room for one search");
	for (chunk = 8192; chunk; chunk /= 8)
		while (!exo_alloc(all, chunk, 0, NULL))
			;
	exo_close_handle(all, f.out_handle);
	for (i = 0; i < NR_SEEKERS; i++)
		if (pthread_create(&threads[i], NULL, seek, &fd))
			bail("pthread_create");
	for (i = 0; i < NR_SEEKERS; i++)
		pthread_join(threads[i], NULL);
	is(refused, 0, "many threads search, and have room one by one");
	is(other_errors, 0, "with no other error");
	close(all);
}

/* ---------------------------------------------------------- FRAME_INFO */

static void test_contiguous(int fd)
{
	struct exo_frame_alloc f;
	uint32_t i, bad = 0;

	is(exo_alloc(fd, 512, 3, &f), 0, "runs of 8");
	is(info(fd, f.out_handle, 0, 512), 0, "ask for all");
	for (i = 0; i < 512; i++) {
		const struct exo_page_info *p = &infos[i];

		bad += p->nr_contiguous < 8 - i % 8;
		if (i + 1 < 512 && p->nr_contiguous > 1)
			bad += p[1].nr_contiguous != p->nr_contiguous - 1 ||
			       p[1].number != p->number + 1;
		else if (i + 1 < 512)
			bad += p[1].number == p->number + 1;
		bad += p->nr_contiguous > 512 - i;
	}
	is(bad, 0, "neighbours are neighbours, and no others");
	for (i = 0; i < 512; i += 37) {
		struct exo_page_info all = infos[i];

		info(fd, f.out_handle, i, 1);
		bad += memcmp(&all, &infos[0], sizeof(all)) != 0;
		info(fd, f.out_handle, 0, 512);
	}
	is(bad, 0, "asking for one page tells the same");
	exo_close_handle(fd, f.out_handle);
}

static uint32_t derive(int fd, uint32_t frame, uint32_t rights, uint64_t start,
		       uint64_t nr)
{
	struct exo_cap_derive d = {
		.size = sizeof(d), .handle = frame, .rights = rights,
		.start = start, .nr = nr,
	};
	long rc = exo_ioctl(fd, EXO_CMD_CAP_DERIVE, &d);

	if (rc)
		bail("CAP_DERIVE: %s", strerror(-rc));
	return d.out_handle;
}

/* A handle shows its own range, with neighbours in it. */
static void test_scope(int fd)
{
	struct exo_page_info all[16];
	struct exo_frame_alloc f;
	uint32_t part, i, bad = 0;

	is(exo_alloc(fd, 16, 4, &f), 0, "a run of 16");
	info(fd, f.out_handle, 0, 16);
	memcpy(all, infos, sizeof(all));
	part = derive(fd, f.out_handle, EXO_RIGHT_READ, 5, 6);
	is(info(fd, part, 0, 6), 0, "6 pages from the 6th on");
	for (i = 0; i < 6; i++)
		bad += infos[i].number != all[5 + i].number ||
		       infos[i].nr_contiguous != 6 - i;
	is(bad, 0, "they are these, and end where the range ends");
	is(info(fd, part, 0, 7), -EINVAL, "no page behind them");
	is(info(fd, part, 6, 1), -EINVAL, "not at all");
	is(info(fd, derive(fd, f.out_handle, EXO_RIGHT_WRITE, 0, 16), 0, 1),
	   -EACCES, "nothing without the right to read");
	exo_close_handle(fd, f.out_handle);
}

static void test_refused(int fd)
{
	struct exo_cq_create cq = { .size = sizeof(cq), .nr_entries = 64 };
	struct exo_frame_alloc f;
	struct exo_frame_info i = {
		.size = sizeof(i), .nr = 100, .array = (uintptr_t)infos,
	};
	struct exo_cap_revoke r = { .size = sizeof(r) };
	char *hole = matrix_hole();
	uint32_t part;

	is(exo_alloc(fd, 100, 0, &f), 0, "100 pages");
	is(info(fd, f.out_handle, 0, 0), -EINVAL, "none is asked about");
	is(info(fd, f.out_handle, 0, MAX_NR + 1), -EINVAL, "too many");
	is(info(fd, f.out_handle, 0, 101), -EINVAL, "one too many");
	is(info(fd, f.out_handle, 100, 1), -EINVAL, "behind the end");
	is(info(fd, f.out_handle, 99, 2), -EINVAL, "across the end");
	is(info(fd, f.out_handle, ~0U, 1), -EOVERFLOW, "the range wraps");
	is(info(fd, f.out_handle, ~0U - 1, 5), -EOVERFLOW, "likewise");
	is(info(fd, f.out_handle, 99, 1), 0, "the last page");
	is(info(fd, 0, 0, 1), -ENOENT, "no handle");
	is(exo_ioctl(fd, EXO_CMD_CQ_CREATE, &cq), 0, "a ring");
	is(info(fd, cq.out_handle, 0, 1), -EBADF, "is no frame");
	exo_close_handle(fd, cq.out_handle);
	part = derive(fd, f.out_handle, EXO_RIGHT_READ, 0, 1);
	r.handle = f.out_handle;
	is(exo_ioctl(fd, EXO_CMD_CAP_REVOKE, &r), 0, "revoke a part");
	is(info(fd, part, 0, 1), -ESTALE, "nothing is told about it");
	i.frame = f.out_handle;
	i.array = 4096;
	is(exo_ioctl(fd, EXO_CMD_FRAME_INFO, &i), -EFAULT, "a bad array");
	i.array = (uintptr_t)hole - 80 * sizeof(infos[0]);
	is(exo_ioctl(fd, EXO_CMD_FRAME_INFO, &i), -EFAULT, "a short array");
	i.array = 0xffff888000000000UL;
	is(exo_ioctl(fd, EXO_CMD_FRAME_INFO, &i), -EFAULT, "the kernel's");
	exo_close_handle(fd, f.out_handle);
	is(exo_alloc(fd, MAX_NR / 4, 0, &f), 0, "many pages");
	is(info(fd, f.out_handle, 0, MAX_NR / 4), 0, "all at once");
	is(info(fd, f.out_handle, 0, 1), 0, "then one");
	exo_close_handle(fd, f.out_handle);
}

/* ------------------------------------------------------ who sees numbers */

static long allow(int fd, uint32_t uid, uint32_t what)
{
	struct exo_policy_set s = {
		.size = sizeof(s),
		.policy = { .uid = uid, .allow = what, .max_pages = ~0ULL },
	};

	return exo_ioctl(fd, EXO_CMD_POLICY_SET, &s);
}

static bool sees_numbers(int fd)
{
	struct exo_frame_alloc f;
	uint32_t i, hidden = 0, true_ones = 0;

	if (exo_alloc(fd, 50, 0, &f) || info(fd, f.out_handle, 0, 50))
		bail("FRAME_INFO");
	for (i = 0; i < 50; i++) {
		hidden += infos[i].number == HIDDEN;
		true_ones += infos[i].number != HIDDEN &&
			     infos[i].number % 1024 == infos[i].colour;
	}
	exo_close_handle(fd, f.out_handle);
	ok(hidden == 50 || true_ones == 50, "all are told or none");
	return true_ones;
}

static int user_colours(void *arg)
{
	int fd = exo_open();

	(void)arg;
	ok(!sees_numbers(fd), "a user sees no number");
	test_colours(fd, false);
	close(fd);
	return 0;
}

static int sees(void *arg)
{
	int fd = *(int *)arg >= 0 ? *(int *)arg : exo_open();

	return sees_numbers(fd);
}

/* Open an env, tell its number, wait to be killed. */
static int open_and_wait(void *arg)
{
	int fd = exo_open();

	if (write(*(int *)arg, &fd, sizeof(fd)) != sizeof(fd))
		bail("write: %m");
	pause();
	return 0;
}

/* A user's env in the hands of root. */
static void test_borrowed_env(int fd)
{
	int tube[2], theirs, pidfd;
	pid_t pid;

	if (pipe(tube))
		bail("pipe: %m");
	pid = as_user_start(NULL, UID_ALICE, open_and_wait, &tube[1]);
	if (read(tube[0], &theirs, sizeof(theirs)) != sizeof(theirs))
		bail("alice's process died");
	pidfd = syscall(SYS_pidfd_open, pid, 0);
	theirs = syscall(SYS_pidfd_getfd, pidfd, theirs, 0);
	if (theirs < 0)
		bail("pidfd_getfd: %m");
	ok(!sees_numbers(theirs), "root sees none through a user's env");
	is(allow(fd, UID_ALICE, EXO_ALLOW_NUMBERS), 0, "allow alice");
	ok(sees_numbers(theirs), "then the same env shows them");
	is(allow(fd, UID_ALICE, 0), 0, "allow it no longer");
	ok(!sees_numbers(theirs), "then it does not");
	kill(pid, SIGKILL);
	reap(pid);
	close(theirs);
	close(pidfd);
	close(tube[0]);
	close(tube[1]);
}

static void test_numbers(int fd)
{
	int own = -1, roots = exo_open();
	struct exo_policy_set forget = {
		.size = sizeof(forget), .flags = EXO_GRANT_REVOKE,
		.policy = { .uid = UID_ALICE },
	};

	ok(sees_numbers(fd), "root sees numbers");
	is(as_user(UID_ALICE, user_colours, NULL), 0, "alice's process ended");
	is(as_user(UID_ALICE, sees, &roots), 1,
	   "alice sees them through root's env: its opener counts");
	test_borrowed_env(fd);
	is(allow(fd, UID_ALICE, EXO_ALLOW_NUMBERS), 0, "allow alice");
	is(as_user(UID_ALICE, sees, &own), 1, "alice sees numbers");
	is(as_user(UID_BOB, sees, &own), 0, "bob does not");
	is(exo_ioctl(fd, EXO_CMD_POLICY_SET, &forget), 0, "forget alice");
	is(as_user(UID_ALICE, sees, &own), 0, "she sees them no longer");
	close(roots);
}

int main(void)
{
	struct exo_query q = { .size = sizeof(q) };
	struct exo_stats before;
	int fd;

	exo_setup();
	fd = exo_open();
	before = stats_get(fd);
	is(exo_ioctl(fd, EXO_CMD_QUERY, &q), 0, "QUERY answers");
	ok(q.out_features & EXO_FEATURE_PLACEMENT, "there is placement");
	test_matrices(fd);
	test_nodes(fd);
	test_colours(fd, true);
	test_impossible(fd);
	test_contiguous(fd);
	test_scope(fd);
	test_refused(fd);
	test_numbers(fd);
	test_scarce(fd);
	test_ceiling(fd);
	test_turns(fd);
	close(fd);
	fd = exo_open();
	ok(stats_wait(fd, &before, 2000), "nothing is left");
	close(fd);
	return done_testing();
}
