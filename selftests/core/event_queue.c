// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Do events arrive, once each, in order, by read, poll and eventfd, and are
 * those that had no room counted? Do the lists and pages of exposed information
 * say what is, and to nobody more than they should?
 */
#include "event.h"

#include <sys/eventfd.h>

/* ------------------------------------------------------------- matrix */

static int matrix_eventfd;
static struct exo_env_info matrix_infos[64];

static void fill_event_fd(int env, void *s)
{
	((struct exo_event_fd *)s)->fd = matrix_eventfd;
	(void)env;
}

static void fill_env_list(int env, void *s)
{
	struct exo_env_list *l = s;

	l->array = (uintptr_t)matrix_infos;
	l->nr = ARRAY_SIZE(matrix_infos);
	(void)env;
}

static uint64_t matrix_asked;		/* id of an env */

static void fill_env_ask(int env, void *s)
{
	struct exo_env_ask *a = s;

	a->id = matrix_asked;
	a->nr_pages = 1;
	a->timeout_ms = 3600000;
	(void)env;
}

static const size_t event_fd_reserved[] = {
	offsetof(struct exo_event_fd, reserved),
};

static const size_t env_ask_reserved[] = {
	offsetof(struct exo_env_ask, reserved),
};

static const struct matrix matrices[] = {
	{ .name = "EVENT_FD", .cmd = EXO_CMD_EVENT_FD,
	  .size = sizeof(struct exo_event_fd),
	  .min = sizeof(struct exo_event_fd), .fill = fill_event_fd,
	  .reserved = event_fd_reserved, .nr_reserved = 1 },
	{ .name = "ENV_LIST", .cmd = EXO_CMD_ENV_LIST,
	  .size = sizeof(struct exo_env_list),
	  .min = sizeof(struct exo_env_list), .fill = fill_env_list,
	  .outputs = true },
	{ .name = "ENV_ASK by a user", .cmd = EXO_CMD_ENV_ASK,
	  .size = sizeof(struct exo_env_ask),
	  .min = sizeof(struct exo_env_ask), .fill = fill_env_ask,
	  .reserved = env_ask_reserved, .nr_reserved = 1, .result = -EPERM },
};

static const struct matrix root_matrix = {
	.name = "ENV_ASK", .cmd = EXO_CMD_ENV_ASK,
	.size = sizeof(struct exo_env_ask),
	.min = sizeof(struct exo_env_ask), .fill = fill_env_ask,
	.reserved = env_ask_reserved, .nr_reserved = 1,
};

/* Of an env that has a page to spare; what is right asks it, nothing else. */
static void test_root_matrix(int env)
{
	struct info i = info_map(env);
	uint32_t h = frame_new(env, EXO_ENV_MIN_PAGES + 1);
	struct exo_event e;

	matrix_asked = i.env->id;
	is(i.env->nr_asked, 0, "nothing is asked for");
	matrix_flags(env, &root_matrix);
	is(i.env->nr_asked, 0, "nor by what is wrong with flags");
	matrix_run(env, &root_matrix);
	is(i.env->nr_asked, 1, "what is right asks for a page");
	ok(next_event(env, 0, &e) && e.type == EXO_EVENT_RELEASE &&
	   e.source == EXO_SOURCE_ADMIN && e.nr_pages == 1, "by an event");
	ok(!has_event(env, 0), "by one");
	exo_close_handle(env, h);
	munmap((void *)i.global, EXO_INFO_BYTES);
}

static void test_matrix(int env)
{
	size_t i;

	matrix_eventfd = eventfd(0, EFD_CLOEXEC);
	/* Whom a user asks does not matter, nor whether there is such an env. */
	for (i = 0; i < ARRAY_SIZE(matrices); i++)
		matrix_run(env, &matrices[i]);
	close(matrix_eventfd);
}

/* -------------------------------------------------------------- queue */

/* What alice lends to @env; revoking @root ends it. */
static uint32_t lent_to(int env, int owner, uint32_t root)
{
	int fd = export_fd(owner, root);
	uint32_t h;

	if (import_fd(env, fd, &h))
		bail("CAP_IMPORT");
	close(fd);
	return h;
}

static void test_ended(int env)
{
	uint64_t before = boottime_ns();
	struct exo_event e;
	int owner = exo_open();
	uint32_t root = frame_new(owner, 1), h = lent_to(env, owner, root);
	char small[sizeof(e) - 1];

	is(read(env, &e, sizeof(e)), -1, "no event, no answer");
	is(errno, EAGAIN, "but EAGAIN");
	ok(!has_event(env, 0), "poll says nothing");
	cap_revoke(owner, root, 0);
	ok(has_event(env, 2000), "poll says POLLPRI after a revocation");
	ok(read(env, small, sizeof(small)) <= 0,
	   "half an event cannot be read");
	ok(next_event(env, 0, &e), "it is there");
	ok(e.type == EXO_EVENT_CAP_ENDED && e.source == EXO_SOURCE_PARENT &&
	   e.handle == h && !e.nr_dropped && !e.reserved[0],
	   "it says which handle, and that it was taken from above");
	ok(e.time_ns >= before && e.time_ns <= boottime_ns(), "and when");
	ok(!has_event(env, 0), "it comes once");
	close(owner);
}

static void test_expired(int env)
{
	uint32_t root = frame_new(env, 1), h;
	struct exo_event e;

	if (derive_until(env, root, R, 0, 1, boottime_ns() + 200 * MS, &h))
		bail("CAP_DERIVE");
	ok(next_event(env, 4000, &e), "an event when its time is up");
	ok(e.type == EXO_EVENT_CAP_ENDED && e.source == EXO_SOURCE_EXPIRY &&
	   e.handle == h, "it says which handle, and that it has expired");
	exo_close_handle(env, h);
	exo_close_handle(env, root);
}

/* More than there is room for: the first stay, the rest are counted. */
static void test_overflow(int env)
{
	enum { MORE = 44 };
	struct exo_event e[EXO_MAX_EVENTS + MORE];
	int owner = exo_open(), i, bad = 0;
	uint32_t root = frame_new(owner, 1), h;

	for (i = 0; i < EXO_MAX_EVENTS + MORE; i++)
		lent_to(env, owner, root);
	cap_revoke(owner, root, 0);
	has_event(env, 2000);
	is(read(env, e, sizeof(e)),
	   (long)(EXO_MAX_EVENTS * sizeof(e[0])), "as many as there is room");
	for (i = 0; i < EXO_MAX_EVENTS; i++)
		bad += e[i].type != EXO_EVENT_CAP_ENDED || e[i].nr_dropped;
	is(bad, 0, "each of them whole");
	h = lent_to(env, owner, root);
	cap_revoke(owner, root, 0);
	ok(next_event(env, 2000, e), "the next one comes");
	is(e[0].nr_dropped, MORE, "and says how many were dropped");
	is(e[0].handle, h, "before it");
	close(owner);
}

/* A reader that sleeps is woken; several events come by one read. */
static void test_blocking(void)
{
	int env = exo_open(), owner = exo_open(), up[2];
	uint32_t root = frame_new(owner, 1), h = lent_to(env, owner, root);
	struct exo_event e[4];
	pid_t pid;

	if (pipe(up))
		bail("pipe: %m");
	pid = fork();
	if (!pid) {
		alarm(20);
		tell_ready(up[1]);
		_exit(read(env, e, sizeof(e)) == sizeof(e[0]) &&
		      e[0].handle == h ? 0 : 1);
	}
	await_ready(up[0]);
	usleep(100000);
	cap_revoke(owner, root, 0);
	is(reap(pid), 0, "a sleeping reader is woken, and reads");
	lent_to(env, owner, root);
	lent_to(env, owner, root);
	cap_revoke(owner, root, 0);
	usleep(100000);
	is(read(env, e, sizeof(e)), 2L * (long)sizeof(e[0]), "two at once");
	close(env);
	close(owner);
	close(up[0]);
	close(up[1]);
}

/* ------------------------------------------------------------ eventfd */

static long event_fd(int env, int fd)
{
	struct exo_event_fd e = { .size = sizeof(e), .fd = fd };

	return exo_ioctl(env, EXO_CMD_EVENT_FD, &e);
}

static uint64_t counted(int fd)
{
	uint64_t n = 0;

	return read(fd, &n, sizeof(n)) == sizeof(n) ? n : 0;
}

static void test_eventfd(int env)
{
	int a = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), fds[2];
	int b = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), owner = exo_open();
	uint32_t root = frame_new(owner, 1);
	struct exo_event e[8];

	if (pipe(fds))
		bail("pipe: %m");
	is(event_fd(env, fds[0]), -EINVAL, "a pipe as eventfd");
	is(event_fd(env, env), -EINVAL, "the env as eventfd");
	is(event_fd(env, 4095), -EBADF, "no fd as eventfd");
	is(event_fd(env, -2), -EBADF, "-2 as eventfd");
	is(event_fd(env, a), 0, "an eventfd");
	lent_to(env, owner, root);
	lent_to(env, owner, root);
	cap_revoke(owner, root, 0);
	has_event(env, 2000);
	is(counted(a), 2, "counts two events");
	is(event_fd(env, b), 0, "another eventfd");
	lent_to(env, owner, root);
	cap_revoke(owner, root, 0);
	is(counted(b), 1, "counts instead");
	is(counted(a), 0, "of the first");
	is(event_fd(env, -1), 0, "none any more");
	lent_to(env, owner, root);
	cap_revoke(owner, root, 0);
	is(counted(a) + counted(b), 0, "then nothing is counted");
	is(event_fd(env, a), 0, "an eventfd once more");
	close(a);
	lent_to(env, owner, root);
	cap_revoke(owner, root, 0);
	ok(has_event(env, 2000), "closed meanwhile: no harm");
	while (read(env, e, sizeof(e)) > 0)
		;
	close(b);
	close(fds[0]);
	close(fds[1]);
	close(owner);
}

/* -------------------------------------------------------- information */

static void test_info(int env)
{
	struct exo_stats s = stats_get(env);
	struct info i = info_map(env);
	uint32_t h;
	void *p;

	is(i.global->version, 1, "version of the global page");
	is(i.env->version, 1, "version of the env's page");
	is(i.global->nr_envs, s.out_nr_envs, "envs");
	is(i.global->nr_pages, s.out_nr_frame_pages, "pages");
	ok(i.global->max_pages > 1000, "the ceiling");
	is(i.env->min_pages, EXO_ENV_MIN_PAGES, "the guaranteed minimum");
	is(i.env->nr_pages, 0, "pages of the env");
	h = frame_new(env, 5);
	is(i.env->nr_pages, 5, "5 more");
	is(i.global->nr_pages, s.out_nr_frame_pages + 5, "of all too");
	exo_close_handle(env, h);
	is(i.env->nr_pages, 0, "and back");
	is(touch_write((void *)i.env, 1), SIGSEGV, "it cannot be written");
	is(mprotect((void *)i.global, PAGE, RDWR), -1, "nor made writable");
	p = mmap(NULL, PAGE, RDWR, MAP_SHARED, env, EXO_INFO_ENV_OFFSET);
	ok(p == MAP_FAILED, "nor mapped writable");
	p = mmap(NULL, PAGE, RO, MAP_PRIVATE, env, EXO_INFO_ENV_OFFSET);
	ok(p == MAP_FAILED, "nor private");
	p = mmap(NULL, PAGE, RO, MAP_SHARED, env, EXO_INFO_BYTES);
	ok(p == MAP_FAILED, "there is no fourth page");
	p = mmap(NULL, EXO_INFO_BYTES, RO, MAP_SHARED, env, PAGE);
	ok(p == MAP_FAILED, "nor a range beyond it");
	p = mmap(NULL, PAGE, RO, MAP_SHARED, env, EXO_INFO_VECTOR_OFFSET);
	ok(p != MAP_FAILED && !touch(p, NULL), "one page by itself");
	munmap(p, PAGE);
	munmap((void *)i.global, EXO_INFO_BYTES);
}

/* alice sees her own envs and no others. */
static void test_list(int env)
{
	int other = exo_open();
	struct exo_env_info infos[64], mine;
	struct info i = info_map(env);
	long n, k, foreign = 0;

	frame_new(other, 3);
	n = env_list(env, infos, ARRAY_SIZE(infos));
	ok(n >= 2, "a list of envs");
	for (k = 0; k < n; k++)
		foreign += infos[k].uid != UID_ALICE;
	is(foreign, 0, "of one's own user alone");
	is(env_list(env, infos, 0), -EMSGSIZE, "room for none");
	is(env_list(env, infos, 1), -EMSGSIZE, "room for one");
	is(env_list(env, (void *)8, 64), -EFAULT, "a bad array");
	ok(env_find(env, i.env->id, &mine), "the env itself is in it");
	is(mine.pid, getpid(), "its process");
	ok(!strcmp((char *)mine.comm, "event_queue"), "its program");
	is(env_ask(env, i.env->id, 1, 1000), -EPERM,
	   "but it may not ask, itself neither");
	munmap((void *)i.global, EXO_INFO_BYTES);
	close(other);
}

static int run(void *arg)
{
	struct exo_stats before;
	int env = env_nonblock(), scratch;

	(void)arg;
	before = stats_get(env);
	test_matrix(env);
	scratch = env_nonblock();
	test_ended(scratch);
	test_expired(scratch);
	close(scratch);
	scratch = env_nonblock();
	test_overflow(scratch);
	close(scratch);
	test_blocking();
	scratch = env_nonblock();
	test_eventfd(scratch);
	close(scratch);
	test_info(env);
	test_list(env);
	ok(stats_wait(env, &before, 3000), "counters are as at the start");
	close(env);
	return 0;
}

int main(void)
{
	int env;

	exo_setup();
	/* One of root's, which alice may not see. */
	env = env_nonblock();
	test_root_matrix(env);
	is(as_user(UID_ALICE, run, NULL), 0, "alice's process ended well");
	close(env);
	return done_testing();
}
