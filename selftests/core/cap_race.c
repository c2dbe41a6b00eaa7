// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Alice's revocation races with everything that bob, who loses the pages, may
 * do: map, fault, copy by the kernel, fork, derive, export, import, close. When
 * it returns she writes a new pattern: he may never see it, nor change it. He
 * has her pages by fds alone, which she passes him over a socket.
 *
 * timeout: 240
 */
#include "cap.h"

#include <pthread.h>
#include <stdatomic.h>

#define NR_PAGES	8
#define WORDS		(PAGE / 8)
#define OLD		0x01d01d0100000000ULL
#define NEW		0x5ec2e75e00000000ULL
#define NR_VICTIMS	2		/* envs */

/* What the two know of each other, and what came of it. */
struct board {
	atomic_uint nr_taken;	/* fds that bob has taken so far */
	atomic_uint nr_imported;	/* of the round, by the importer */
	atomic_bool ended;	/* it ended by itself */
	atomic_bool revoked;	/* the round's revocation is over */
	atomic_bool stop;
	atomic_long leaks, seen, gone, imports, stale, derives, forks, copies,
		wrong;
};

static struct board *board;
static uint32_t nr_rounds;
static int sock[2];			/* fds from alice to bob, answers */
static atomic_int lent = -1;		/* bob: fd to import from, or -1 */
static int victim[NR_VICTIMS], copy_file;

static uint32_t next_random(uint32_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 17;
	*seed ^= *seed << 5;
	return *seed;
}

/* A capability in one of the victims' envs, or 0. */
static uint32_t get(uint32_t *seed, int *env)
{
	int fd = lent;
	uint32_t h;
	long rc;

	*env = victim[next_random(seed) % NR_VICTIMS];
	if (fd < 0)
		return 0;
	rc = import_fd(*env, fd, &h);
	if (!rc) {
		board->imports++;
	} else if (rc == -ESTALE) {
		board->stale++;
		/* The owner's turn, also where there are few CPUs. */
		usleep(100);
	} else if (rc != -EBADF) {
		board->wrong++;
	}
	return h;
}

static void judge(uint64_t v)
{
	if ((v & ~0xffffffffULL) == NEW)
		board->leaks++;
	else
		board->seen++;
}

static void look(const volatile uint64_t *p)
{
	uint64_t v;

	if (touch(p, &v))
		board->gone++;
	else
		judge(v);
}

/* Map, look again and again, write what was there. */
static void map_and_look(uint32_t *seed)
{
	int env, i;
	uint32_t h = get(seed, &env), page;
	uint64_t *p;

	if (!h)
		return;
	p = exo_map(env, (uint64_t)h << 32, NR_PAGES * PAGE);
	if (p != MAP_FAILED) {
		for (i = 0; i < 40; i++) {
			page = next_random(seed) % NR_PAGES;
			look(p + page * WORDS);
			touch_write(p + page * WORDS + 1, OLD);
		}
		munmap(p, NR_PAGES * PAGE);
	}
	exo_close_handle(env, h);
}

/* The kernel copies, into the pages and out of them. */
static void copy(uint32_t *seed)
{
	int env, i, fds[2];
	uint32_t h = get(seed, &env);
	uint64_t *p, v;

	if (!h)
		return;
	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK))
		bail("pipe: %m");
	p = exo_map(env, (uint64_t)h << 32, NR_PAGES * PAGE);
	if (p != MAP_FAILED) {
		for (i = 0; i < 10; i++) {
			if (write(fds[1], p, 8) == 8 &&
			    read(fds[0], &v, 8) == 8)
				judge(v);
			if (pread(copy_file, p, NR_PAGES * PAGE, 0) > 0)
				board->copies++;
		}
		munmap(p, NR_PAGES * PAGE);
	}
	close(fds[0]);
	close(fds[1]);
	exo_close_handle(env, h);
}

/* Children and grandchildren, in both envs, by fds. */
static void multiply(uint32_t *seed)
{
	int env, other = victim[next_random(seed) % NR_VICTIMS], fd;
	uint32_t h = get(seed, &env), a, b = 0;
	uint64_t *p;
	long rc;

	if (!h)
		return;
	rc = derive(env, h, RWS, next_random(seed) % NR_PAGES, 1, &a);
	if (!rc)
		board->derives++;
	else if (rc != -ESTALE)
		board->wrong++;
	fd = a ? export_fd(env, a) : -1;
	if (fd >= 0) {
		import_fd(other, fd, &b);
		if (next_random(seed) % 2)
			exo_close_handle(env, a);
	}
	if (b) {
		p = exo_map(other, (uint64_t)b << 32, PAGE);
		if (p != MAP_FAILED) {
			look(p);
			look(p);
			munmap(p, PAGE);
		}
		if (next_random(seed) % 4 == 0)
			cap_revoke(other, b, EXO_REVOKE_SELF);
		exo_close_handle(other, b);
	}
	if (a)
		exo_close_handle(env, a);
	if (fd >= 0)
		close(fd);
	exo_close_handle(env, h);
}

/* A child shares the env, maps of its own, and dies with the mapping. */
static void fork_one(uint32_t *seed)
{
	int env, status;
	uint32_t h = get(seed, &env);
	uint64_t *p, v;
	pid_t pid;

	if (!h)
		return;
	p = exo_map(env, (uint64_t)h << 32, NR_PAGES * PAGE);
	pid = fork();
	if (!pid) {
		p = exo_map(env, (uint64_t)h << 32, NR_PAGES * PAGE);
		if (p == MAP_FAILED || touch(p, &v))
			_exit(0);
		_exit((v & ~0xffffffffULL) == NEW);
	}
	if (pid > 0 && waitpid(pid, &status, 0) == pid) {
		board->forks++;
		board->leaks += WIFEXITED(status) && WEXITSTATUS(status);
	}
	if (p != MAP_FAILED)
		munmap(p, NR_PAGES * PAGE);
	exo_close_handle(env, h);
}

static void *worker(void *arg)
{
	uint32_t seed = 0x9e3779b9U * ((uintptr_t)arg + 1);

	while (!board->stop) {
		switch (next_random(&seed) % 16) {
		case 0 ... 6:
			map_and_look(&seed);
			break;
		case 7 ... 9:
			copy(&seed);
			break;
		case 10 ... 14:
			multiply(&seed);
			break;
		default:
			if (!arg)
				fork_one(&seed);
		}
	}
	return NULL;
}

static void fill(uint64_t *p, uint64_t pattern)
{
	size_t i;

	for (i = 0; i < NR_PAGES * WORDS; i++)
		p[i] = pattern;
}

static bool filled(const uint64_t *p, uint64_t pattern)
{
	size_t i;

	for (i = 0; i < NR_PAGES * WORDS; i++)
		if (p[i] != pattern)
			return false;
	return true;
}

/* ------------------------------------------------------- alice lends */

/* An fd for bob, who has it when this returns. */
static void lend(int fd)
{
	static uint32_t nr_lent;

	/* Neither waits for ever if the other dies. */
	alarm(60);
	pass(sock[0], ++nr_lent, fd);
	while (board->nr_taken != nr_lent)
		usleep(50);
}

/* Lend, let them work for a moment, take back, write, see that it stays. */
static void one_round(int env, uint32_t round, uint32_t *seed)
{
	uint32_t root = frame_new(env, NR_PAGES);
	uint64_t *p = cap_mapped(env, root, 0, NR_PAGES, RDWR);
	int fd, i;

	fill(p, OLD + round);
	fd = export_fd(env, root);
	lend(fd);
	usleep(next_random(seed) % 4000);
	for (i = 0; i < 3; i++) {
		/* The time is over about when she does not wait any longer. */
		if (i == 1 && cap_notice(env, root, 1) < 0)
			board->wrong++;
		usleep(i == 1 ? next_random(seed) % 2000 : 0);
		if (cap_revoke(env, root, 0) < 0)
			board->wrong++;
		fill(p, NEW + round);
		usleep(next_random(seed) % 1000);
		if (!filled(p, NEW + round))
			board->wrong++;
		/* A new fd, to be revoked while it is being imported from. */
		fill(p, OLD + round);
		close(fd);
		fd = export_fd(env, root);
		lend(fd);
		usleep(next_random(seed) % 2000);
	}
	cap_revoke(env, root, EXO_REVOKE_SELF);
	close(fd);
	munmap(p, NR_PAGES * PAGE);
	exo_close_handle(env, root);
}

static int revoker(void *unused)
{
	uint32_t seed = 2002, round;
	int env = exo_open();

	(void)unused;
	close(sock[1]);
	for (round = 0; round < nr_rounds; round++)
		one_round(env, round, &seed);
	board->stop = true;
	pass(sock[0], 0, -1);
	return 0;
}

/* --------------------------------------------------------- bob loses */

/* Whatever alice lends, until she lends no more. */
static void take_all(void)
{
	int fd;

	while (take(sock[1], &fd)) {
		if (fd < 0)
			bail("no fd came");
		/* dup3() keeps the number: an import may meet either file. */
		if (lent < 0)
			lent = fcntl(fd, F_DUPFD_CLOEXEC, 500);
		else
			dup3(fd, lent, O_CLOEXEC);
		close(fd);
		board->nr_taken++;
	}
}

static int borrower(void *unused)
{
	uint64_t page[NR_PAGES * WORDS];
	pthread_t threads[4];
	uintptr_t i;

	(void)unused;
	close(sock[0]);
	for (i = 0; i < NR_VICTIMS; i++)
		victim[i] = exo_open();
	copy_file = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	fill(page, OLD);
	if (write(copy_file, page, sizeof(page)) != sizeof(page))
		bail("/tmp: %m");
	for (i = 0; i < ARRAY_SIZE(threads); i++)
		if (pthread_create(&threads[i], NULL, worker, (void *)i))
			bail("pthread_create failed");
	take_all();
	for (i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
	return 0;
}

/* ----------------------------------------- an import that comes too late */

/* Alice: lend a page and revoke while bob imports it, again and again. */
static void revoke_round(int env, uint32_t *seed)
{
	uint32_t root = frame_new(env, 1), begin = next_random(seed) % 16;
	int fd = export_fd(env, root);

	board->nr_imported = 0;
	board->ended = false;
	board->revoked = false;
	lend(fd);
	while (board->nr_imported <= begin && !board->ended)
		;
	cap_revoke(env, root, 0);
	board->revoked = true;
	take(sock[0], NULL);
	close(fd);
	exo_close_handle(env, root);
}

static int late_revoker(void *unused)
{
	uint32_t seed = 1963, round;
	int env = exo_open();

	(void)unused;
	close(sock[1]);
	for (round = 0; round < nr_rounds && !board->leaks; round++)
		revoke_round(env, &seed);
	pass(sock[0], 0, -1);
	return 0;
}

/* Bob: import for as long as it goes; imports of a revoked fd leak if live. */
static void import_round(int env, int fd)
{
	static uint32_t handle[512];	/* the newest */
	uint32_t nr = 0, i;
	long rc;

	alarm(60);
	for (;;) {
		i = nr % ARRAY_SIZE(handle);
		if (nr >= ARRAY_SIZE(handle))
			exo_close_handle(env, handle[i]);
		rc = import_fd(env, fd, &handle[i]);
		if (rc)
			break;
		board->nr_imported = ++nr;
	}
	board->ended = true;
	while (!board->revoked)
		usleep(50);
	for (i = 0; i < nr && i < ARRAY_SIZE(handle); i++) {
		if (!handle[i])
			continue;
		board->leaks += cap_state(env, handle[i]) == EXO_CAP_LIVE;
		exo_close_handle(env, handle[i]);
	}
	board->imports += nr;
	board->stale += rc == -ESTALE;
	board->wrong += rc != -ESTALE;
}

static int late_importer(void *unused)
{
	int env = exo_open(), fd;

	(void)unused;
	close(sock[0]);
	while (take(sock[1], &fd)) {
		board->nr_taken++;
		import_round(env, fd);
		close(fd);
		pass(sock[1], 1, -1);
	}
	return 0;
}

/* --------------------------------------------------------------- main */

static void run_two(int (*of_alice)(void *), int (*of_bob)(void *))
{
	pid_t a, b;

	memset(board, 0, sizeof(*board));
	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sock))
		bail("socketpair: %m");
	b = as_user_start(NULL, UID_BOB, of_bob, NULL);
	a = as_user_start(NULL, UID_ALICE, of_alice, NULL);
	close(sock[0]);
	close(sock[1]);
	is(reap(a), 0, "alice's process ended well");
	is(reap(b), 0, "bob's process ended well");
}

static void test_late_imports(void)
{
	run_two(late_revoker, late_importer);
	diag("%ld imports, %ld rounds ended stale", board->imports,
	     board->stale);
	is(board->leaks, 0, "no import outlives the revocation it raced with");
	is(board->wrong, 0, "each round ended with ESTALE");
	ok(board->stale == nr_rounds && board->imports > nr_rounds,
	   "the race was run");
}

static void test_all(void)
{
	run_two(revoker, borrower);
	diag("%ld imports, %ld stale, %ld derived, %ld forks, %ld copies",
	     board->imports, board->stale, board->derives, board->forks,
	     board->copies);
	diag("%ld looks met a page, %ld found it gone", board->seen,
	     board->gone);
	is(board->leaks, 0, "bob saw nothing that came after a revocation");
	is(board->wrong, 0, "he changed nothing, no call answered wrongly");
	ok(board->imports > nr_rounds && board->derives > 20 &&
	   board->forks > 1 && board->copies > 10 && board->seen > nr_rounds,
	   "the race was run");
	ok(board->gone > 0 && board->stale > 0,
	   "and revocations came in the middle");
}

int main(void)
{
	struct exo_stats before;
	int env;

	nr_rounds = strcmp(getenv("EXO_KERNEL") ?: "", "debug") ? 400 : 60;
	exo_setup();
	board = mmap(NULL, sizeof(*board), RDWR, MAP_SHARED | MAP_ANONYMOUS,
		     -1, 0);
	if (board == MAP_FAILED)
		bail("mmap: %m");
	env = exo_open();
	before = stats_get(env);
	test_late_imports();
	test_all();
	ok(stats_wait(env, &before, 5000), "no page and no object is lost");
	close(env);
	return done_testing();
}
