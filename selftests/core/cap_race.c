// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * A revocation races with everything that those who lose the pages may do: map,
 * fault, copy by the kernel, fork, derive, export, import, close. When it
 * returns the owner writes a new pattern: nobody else may ever see it, nor
 * change it.
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

static atomic_int lent = -1;		/* fd to import from, or -1 */
static atomic_bool stop;
static atomic_long leaks, seen, gone, imports, stale, derives, forks, copies,
	wrong;
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
		imports++;
	} else if (rc == -ESTALE) {
		stale++;
		/* The owner's turn, also where there are few CPUs. */
		usleep(100);
	} else if (rc != -EBADF) {
		wrong++;
	}
	return h;
}

static void judge(uint64_t v)
{
	if ((v & ~0xffffffffULL) == NEW)
		leaks++;
	else
		seen++;
}

static void look(const volatile uint64_t *p)
{
	uint64_t v;

	if (touch(p, &v))
		gone++;
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
				copies++;
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
		derives++;
	else if (rc != -ESTALE)
		wrong++;
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
		forks++;
		leaks += WIFEXITED(status) && WEXITSTATUS(status);
	}
	if (p != MAP_FAILED)
		munmap(p, NR_PAGES * PAGE);
	exo_close_handle(env, h);
}

static void *worker(void *arg)
{
	uint32_t seed = 0x9e3779b9U * ((uintptr_t)arg + 1);

	while (!stop) {
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

/* Lend, let them work for a moment, take back, write, see that it stays. */
static void one_round(int env, uint32_t round, uint32_t *seed)
{
	uint32_t root = frame_new(env, NR_PAGES);
	uint64_t *p = cap_mapped(env, root, 0, NR_PAGES, RDWR);
	int fd, i;

	fill(p, OLD + round);
	fd = export_fd(env, root);
	/* dup2() keeps the number: an import may meet either file. */
	if (lent < 0)
		lent = fcntl(fd, F_DUPFD_CLOEXEC, 500);
	else
		dup3(fd, lent, O_CLOEXEC);
	usleep(next_random(seed) % 4000);
	for (i = 0; i < 3; i++) {
		if (cap_revoke(env, root, 0) < 0)
			wrong++;
		fill(p, NEW + round);
		usleep(next_random(seed) % 1000);
		if (!filled(p, NEW + round))
			wrong++;
		/* A new fd, to be revoked while it is being imported from. */
		fill(p, OLD + round);
		close(fd);
		fd = export_fd(env, root);
		dup3(fd, lent, O_CLOEXEC);
		usleep(next_random(seed) % 2000);
	}
	cap_revoke(env, root, EXO_REVOKE_SELF);
	close(fd);
	munmap(p, NR_PAGES * PAGE);
	exo_close_handle(env, root);
}

/* ----------------------------------------- an import that comes too late */

/**
 * struct importer - a thread that imports for as long as it can
 * @env: where to
 * @fd: what
 * @handle: the imports
 * @nr: how many
 * @ended: no more will come
 * @rc: why
 */
struct importer {
	int env, fd;
	uint32_t handle[512];
	atomic_uint nr;
	atomic_bool ended;
	long rc;
};

static void *import_on(void *arg)
{
	struct importer *m = arg;

	do {
		m->rc = import_fd(m->env, m->fd, &m->handle[m->nr]);
		if (!m->rc)
			m->nr++;
	} while (!m->rc && m->nr < ARRAY_SIZE(m->handle));
	m->ended = true;
	return NULL;
}

/* Return: imports of a revoked fd that live. */
static uint32_t import_round(int owner, struct importer *m, uint32_t *seed)
{
	uint32_t root = frame_new(owner, 1), i, live = 0;
	uint32_t begin = next_random(seed) % 16;
	pthread_t t;

	m->fd = export_fd(owner, root);
	m->nr = 0;
	m->ended = false;
	if (pthread_create(&t, NULL, import_on, m))
		bail("pthread_create failed");
	while (m->nr <= begin && !m->ended)
		;
	cap_revoke(owner, root, 0);
	pthread_join(t, NULL);
	for (i = 0; i < m->nr; i++) {
		live += cap_state(m->env, m->handle[i]) == EXO_CAP_LIVE;
		exo_close_handle(m->env, m->handle[i]);
	}
	wrong += m->rc != -ESTALE && m->nr < ARRAY_SIZE(m->handle);
	close(m->fd);
	exo_close_handle(owner, root);
	return live;
}

static int late_imports(void *arg)
{
	uint32_t seed = 1963, round, rounds = *(uint32_t *)arg, late = 0;
	struct importer m = { .env = exo_open() };
	int owner = exo_open();

	for (round = 0; round < rounds && !late; round++)
		late = import_round(owner, &m, &seed);
	is(late, 0, "no import outlives the revocation it raced with");
	is(wrong, 0, "each thread ended with ESTALE");
	return 0;
}

static int run(void *arg)
{
	uint32_t seed = 2002, round, rounds = *(uint32_t *)arg;
	uint64_t page[NR_PAGES * WORDS];
	pthread_t threads[4];
	uintptr_t i;
	int env = exo_open();

	for (i = 0; i < NR_VICTIMS; i++)
		victim[i] = exo_open();
	copy_file = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	fill(page, OLD);
	if (write(copy_file, page, sizeof(page)) != sizeof(page))
		bail("/tmp: %m");
	for (i = 0; i < ARRAY_SIZE(threads); i++)
		if (pthread_create(&threads[i], NULL, worker, (void *)i))
			bail("pthread_create failed");
	for (round = 0; round < rounds; round++)
		one_round(env, round, &seed);
	stop = true;
	for (i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
	diag("%ld imports, %ld stale, %ld derived, %ld forks, %ld copies",
	     imports, stale, derives, forks, copies);
	diag("%ld looks met a page, %ld found it gone", seen, gone);
	is(leaks, 0, "nobody saw what was written after a revocation");
	is(wrong, 0, "nobody changed it, no call answered wrongly");
	ok(imports > rounds && derives > 20 && forks > 1 && copies > 10 &&
	   seen > rounds, "the race was run");
	ok(gone > 0 && stale > 0, "and revocations came in the middle");
	close(lent);
	return 0;
}

int main(void)
{
	uint32_t rounds = strcmp(getenv("EXO_KERNEL") ?: "", "debug") ?
		400 : 60;
	struct exo_stats before;
	int env;

	exo_setup();
	env = exo_open();
	before = stats_get(env);
	is(as_user(UID_ALICE, late_imports, &rounds), 0,
	   "alice's first process ended well");
	is(as_user(UID_ALICE, run, &rounds), 0, "alice's second ended well");
	ok(stats_wait(env, &before, 5000), "no page and no object is lost");
	close(env);
	return done_testing();
}
