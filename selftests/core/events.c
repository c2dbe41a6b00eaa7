// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Visible revocation: is an env asked before its frames are taken, and is what
 * is taken gone and written down? Exposed information with it.
 */
#include "../exo_test.h"

#include <poll.h>
#include <sys/eventfd.h>

#define PAGE 4096UL
#define FRAME_PAGES 32

/**
 * struct world - an env and its pages of information
 * @fd: the env
 * @all: page of all
 * @own: page of the env
 * @vector: what was taken
 */
struct world {
	int fd;
	const volatile struct exo_info_global *all;
	const volatile struct exo_info_env *own;
	const volatile struct exo_vector_entry *vector;
};

static void world_open(struct world *w)
{
	char *pages;

	w->fd = exo_open();
	pages = mmap(NULL, EXO_INFO_BYTES, PROT_READ, MAP_SHARED, w->fd, 0);
	if (pages == MAP_FAILED)
		bail("the information cannot be mapped: %m");
	w->all = (void *)(pages + EXO_INFO_GLOBAL_OFFSET);
	w->own = (void *)(pages + EXO_INFO_ENV_OFFSET);
	w->vector = (void *)(pages + EXO_INFO_VECTOR_OFFSET);
}

static void world_close(struct world *w)
{
	munmap((void *)w->all, EXO_INFO_BYTES);
	close(w->fd);
}

static bool has_event(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLPRI };

	return poll(&p, 1, 0) == 1 && p.revents & POLLPRI;
}

static bool await_event(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLPRI };

	return poll(&p, 1, ms) == 1 && p.revents & POLLPRI;
}

static long ask(const struct world *w, uint64_t nr_pages, uint32_t ms)
{
	struct exo_env_ask a = {
		.size = sizeof(a), .id = w->own->id, .nr_pages = nr_pages,
		.timeout_ms = ms,
	};

	return exo_ioctl(w->fd, EXO_CMD_ENV_ASK, &a);
}

static struct exo_event next_event(int fd)
{
	struct exo_event e = {};

	is(read(fd, &e, sizeof(e)), sizeof(e), "an event is read");
	return e;
}

static uint32_t alloc_frames(const struct world *w, uint32_t *handles, int nr)
{
	struct exo_frame_alloc a;
	int i;

	for (i = 0; i < nr; i++) {
		if (exo_alloc(w->fd, FRAME_PAGES, 0, &a))
			bail("cannot allocate");
		handles[i] = a.out_handle;
	}
	return handles[0];
}

static uint32_t state_of(int fd, uint32_t handle)
{
	struct exo_cap_info i = { .size = sizeof(i), .handle = handle };

	return exo_ioctl(fd, EXO_CMD_CAP_INFO, &i) ? 0 : i.out_state;
}

/* A debugger reads the pages, but writes them no more than their process. */
static void test_poke(const struct world *w)
{
	int mem = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	off_t at = (uintptr_t)&w->own->min_pages;
	uint64_t value = 0;

	is(pread(mem, &value, sizeof(value), at), sizeof(value),
	   "/proc/self/mem reads it");
	is(value, EXO_ENV_MIN_PAGES, "as it is");
	value = 1;
	ok(pwrite(mem, &value, sizeof(value), at) <= 0,
	   "but does not write it");
	is(w->own->min_pages, EXO_ENV_MIN_PAGES, "it is as it was");
	close(mem);
}

static void test_info(void)
{
	struct exo_frame_alloc a;
	uint64_t before, objects;
	struct world w;
	void *p;

	world_open(&w);
	is(w.all->version, 1, "version of the page of all");
	is(w.own->version, 1, "version of the page of the env");
	is(w.own->min_pages, EXO_ENV_MIN_PAGES, "the guaranteed minimum");
	is(w.own->nr_pages, 0, "no pages at first");
	ok(w.all->nr_envs >= 1, "envs are counted");
	before = w.all->nr_pages;
	objects = w.all->nr_objects;
	exo_alloc(w.fd, 5, 0, &a);
	is(w.own->nr_pages, 5, "pages of the env");
	is(w.all->nr_pages, before + 5, "pages of all");
	is(w.all->nr_objects, objects + 1, "objects");
	ok(w.all->max_pages > w.all->nr_pages, "the ceiling");
	exo_close_handle(w.fd, a.out_handle);
	is(w.own->nr_pages, 0, "back to none");

	p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, w.fd, 0);
	ok(p == MAP_FAILED && errno == EACCES, "not writable");
	p = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, w.fd, 0);
	ok(p == MAP_FAILED && errno == EINVAL, "not private");
	p = mmap(NULL, 4 * PAGE, PROT_READ, MAP_SHARED, w.fd, 0);
	ok(p == MAP_FAILED && errno == EINVAL, "no longer than it is");
	p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, w.fd, EXO_INFO_BYTES);
	ok(p == MAP_FAILED && errno == EINVAL, "nothing beyond it");
	p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, w.fd,
		 EXO_INFO_BYTES + PAGE);
	ok(p == MAP_FAILED && errno == EINVAL, "nor far beyond");
	is(mprotect((void *)w.all, PAGE, PROT_READ | PROT_WRITE), -1,
	   "it cannot be made writable");
	is(touch_write((volatile void *)w.own, 1), SIGSEGV, "a write faults");
	test_poke(&w);
	world_close(&w);
}

static void test_read(void)
{
	struct exo_event e[2];
	struct world w;

	world_open(&w);
	ok(!has_event(w.fd), "no event at first");
	is(fcntl(w.fd, F_SETFL, O_NONBLOCK), 0, "O_NONBLOCK");
	is(read(w.fd, e, sizeof(e)), -1, "nothing to read");
	is(errno, EAGAIN, "EAGAIN");
	is(read(w.fd, e, sizeof(e[0]) - 1), -1, "no room for one");
	is(errno, EINVAL, "EINVAL");
	world_close(&w);
}

static int ask_as_user(void *a)
{
	return exo_ioctl(exo_open(), EXO_CMD_ENV_ASK, a) == -EPERM ? 0 : 1;
}

/* What is refused asks nobody for anything. */
static void test_ask_refused(void)
{
	struct exo_env_ask a = { .size = sizeof(a), .nr_pages = 1,
				 .timeout_ms = 1000, .reserved = 1 };
	uint32_t handles[8];
	struct world w;

	world_open(&w);
	alloc_frames(&w, handles, 8);
	a.id = w.own->id;
	is(exo_ioctl(w.fd, EXO_CMD_ENV_ASK, &a), -EINVAL,
	   "ask with a reserved member set");
	a.reserved = 0;
	is(ask(&w, 0, 1000), -EINVAL, "ask for nothing");
	is(ask(&w, 1, 3600001), -EINVAL, "ask for more than an hour");
	is(as_user(UID_ALICE, ask_as_user, &a), 0, "ask without privilege");
	a.id = ~0ULL;
	is(exo_ioctl(w.fd, EXO_CMD_ENV_ASK, &a), -ENOENT, "ask nobody");
	is(w.own->nr_asked, 0, "the env was not asked");
	ok(!has_event(w.fd), "no event came");
	world_close(&w);
}

/* Asked, and given back in time. */
static void test_given(void)
{
	uint32_t handles[8];
	struct exo_event e;
	struct world w;
	uint64_t n;
	int efd;
	struct exo_event_fd set = { .size = sizeof(set) };

	world_open(&w);
	efd = eventfd(0, EFD_NONBLOCK);
	set.fd = efd;
	is(exo_ioctl(w.fd, EXO_CMD_EVENT_FD, &set), 0, "an eventfd");
	alloc_frames(&w, handles, 8);
	is(ask(&w, 2 * FRAME_PAGES, 500), 0, "ask for two frames");
	ok(has_event(w.fd), "POLLPRI");
	is(read(efd, &n, sizeof(n)), sizeof(n), "the eventfd was signalled");
	is(w.own->nr_events, 1, "shown in the page");
	is(w.own->nr_asked, 2 * FRAME_PAGES, "and how many");
	is(read(w.fd, matrix_hole(), sizeof(e)), -1, "read to nowhere");
	is(errno, EFAULT, "EFAULT, and the event stays");
	e = next_event(w.fd);
	is(e.type, EXO_EVENT_RELEASE, "its type");
	is(e.source, EXO_SOURCE_ADMIN, "its source");
	is(e.nr_pages, 2 * FRAME_PAGES, "how many pages");
	ok(e.deadline_ns > e.time_ns &&
	   e.deadline_ns - e.time_ns <= 500000000ULL, "until when");
	is(e.deadline_ns, w.own->deadline_ns, "the same as in the page");
	ok(!has_event(w.fd), "read once");
	exo_close_handle(w.fd, handles[3]);
	is(w.own->nr_asked, FRAME_PAGES, "one given back");
	exo_close_handle(w.fd, handles[5]);
	is(w.own->nr_asked, 0, "both given back");
	usleep(800000);
	is(w.own->nr_taken, 0, "nothing is taken then");
	ok(!has_event(w.fd), "and no event comes");
	set.fd = -1;
	is(exo_ioctl(w.fd, EXO_CMD_EVENT_FD, &set), 0, "no eventfd any more");
	close(efd);
	world_close(&w);
}

/* Asked for more than can be taken, and not answered. */
static void test_taken(void)
{
	uint32_t handles[8], kept = 0, taken = 0;
	struct exo_event e;
	struct world w;
	int i;

	world_open(&w);
	alloc_frames(&w, handles, 8);
	is(ask(&w, 1000, 100), 0, "ask for more than there is");
	e = next_event(w.fd);
	is(e.nr_pages, 8 * FRAME_PAGES - EXO_ENV_MIN_PAGES,
	   "the minimum is not asked for");
	ok(await_event(w.fd, 20000), "something happens");
	e = next_event(w.fd);
	is(e.type, EXO_EVENT_REPOSSESSED, "pages were taken");
	is(e.source, EXO_SOURCE_ADMIN, "because of whom");
	is(e.nr_pages, 6 * FRAME_PAGES, "how many");
	is(w.own->nr_taken, 6 * FRAME_PAGES, "shown in the page");
	ok(own_pages_become(w.own, EXO_ENV_MIN_PAGES), "the minimum is left");
	is(w.own->vector_prod, 6, "six frames are in the vector");
	for (i = 0; i < 8; i++) {
		uint32_t state = state_of(w.fd, handles[i]);

		kept += state == EXO_CAP_LIVE;
		taken += state == EXO_CAP_REPOSSESSED;
	}
	is(kept, 2, "two handles live");
	is(taken, 6, "six say that they were repossessed");
	for (i = 0; i < 6; i++)
		if (state_of(w.fd, w.vector[i].handle) !=
		    EXO_CAP_REPOSSESSED ||
		    w.vector[i].nr_pages != FRAME_PAGES)
			break;
	is(i, 6, "the vector names them");
	is(exo_close_handle(w.fd, w.vector[0].handle), 0,
	   "such a handle can be closed");
	is(ask(&w, 10, 0), 0, "ask an env at its minimum");
	usleep(300000);
	is(w.own->nr_taken, 6 * FRAME_PAGES, "nothing more is taken");
	world_close(&w);
}

/* A frame without which the env would be below its minimum is passed over. */
static void test_large(void)
{
	struct exo_frame_alloc large;
	uint32_t small;
	struct world w;
	int i;

	world_open(&w);
	if (exo_alloc(w.fd, 300, 0, &large))
		bail("cannot allocate");
	alloc_frames(&w, &small, 1);
	is(ask(&w, 100, 0), 0, "ask for more than the small frame");
	for (i = 0; i < 500 && !w.own->nr_taken; i++)
		usleep(10000);
	usleep(200000);
	is(w.own->nr_taken, FRAME_PAGES, "the small one is taken");
	ok(own_pages_become(w.own, 300), "no more than that");
	is(state_of(w.fd, small), EXO_CAP_REPOSSESSED, "it says so");
	is(state_of(w.fd, large.out_handle), EXO_CAP_LIVE,
	   "the large one is left, the minimum is in it");
	world_close(&w);
}

/* A mapping of what is taken is gone. */
static void test_mapping(void)
{
	uint32_t handles[3];
	struct exo_cap_info info = { .size = sizeof(info) };
	struct world w;
	uint64_t value;
	void *p;

	world_open(&w);
	info.handle = alloc_frames(&w, handles, 3);
	is(exo_ioctl(w.fd, EXO_CMD_CAP_INFO, &info), 0, "where to map it");
	p = exo_map(w.fd, info.out_mmap_offset, PAGE);
	is(touch(p, &value), 0, "it is there");
	is(ask(&w, 1, 0), 0, "ask without time to answer");
	usleep(300000);
	is(touch(p, &value), SIGBUS, "it is gone");
	is(state_of(w.fd, handles[0]), EXO_CAP_REPOSSESSED, "and says why");
	munmap(p, PAGE);
	world_close(&w);
}

static int list_as_user(void *unused)
{
	struct exo_env_info info[64];
	struct exo_env_list l = {
		.size = sizeof(l), .array = (uintptr_t)info, .nr = 64,
	};
	struct exo_env_ask a = { .size = sizeof(a), .id = 1, .nr_pages = 1 };
	int fd = exo_open();

	(void)unused;
	if (exo_ioctl(fd, EXO_CMD_ENV_LIST, &l) || l.out_nr != 1)
		return 1;
	if (info[0].uid != getuid() || info[0].pid != getpid())
		return 2;
	return exo_ioctl(fd, EXO_CMD_ENV_ASK, &a) == -EPERM ? 0 : 3;
}

static void test_list(void)
{
	struct exo_env_info info[64];
	struct exo_env_list l = {
		.size = sizeof(l), .array = (uintptr_t)info, .nr = 64,
	};
	struct exo_frame_alloc a;
	struct world w;

	world_open(&w);
	exo_alloc(w.fd, 3, 0, &a);
	is(exo_ioctl(w.fd, EXO_CMD_ENV_LIST, &l), 0, "list");
	is(l.out_nr, 1, "one env");
	is(info[0].id, w.own->id, "its id");
	is(info[0].pid, getpid(), "its process");
	is(info[0].nr_pages, 3, "its pages");
	is(info[0].nr_handles, 1, "its handles");
	l.nr = 0;
	is(exo_ioctl(w.fd, EXO_CMD_ENV_LIST, &l), -EMSGSIZE, "no room");
	is(l.out_nr, 1, "but how much is needed");
	is(as_user(1001, list_as_user, NULL), 0, "a user sees its own alone");
	world_close(&w);
}

int main(void)
{
	struct exo_stats start;
	int fd;

	exo_setup();
	fd = exo_open();
	start = stats_get(fd);
	close(fd);
	test_info();
	test_read();
	test_ask_refused();
	test_given();
	test_taken();
	test_large();
	test_mapping();
	test_list();
	fd = exo_open();
	ok(stats_wait(fd, &start, 5000), "counters are as before");
	close(fd);
	is(exo_rmmod(), 0, "the module can be removed");
	return done_testing();
}
