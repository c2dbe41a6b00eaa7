/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * What the tests that run in the virtual machine share: TAP output, set-up,
 * counters of the module. Speaks to /dev/exo by the UAPI header alone, so that a
 * fault of libexo cannot hide one of the module. exo_user.h makes users without
 * privilege, each in a memory cgroup; exo_matrix.h tries hostile arguments on a
 * command.
 *
 * A test is main() { exo_setup(); ...ok()...; return done_testing(); }. ok()
 * may be called in forked children too: the count is shared with them. The
 * exit status is 0 all passed, 1 something failed, 77 all was skipped.
 *
 * Everything is static: a test is one file and this header, included first.
 */
#ifndef EXO_SELFTESTS_EXO_TEST_H
#define EXO_SELFTESTS_EXO_TEST_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <linux/exo.h>
#include <linux/module.h>

#define MAYBE_UNUSED __attribute__((unused))
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define GID_EXO		1000

#define EXIT_SKIP	77

/* -------------------------------------------------------------- TAP */

/* Users that a test may have, see exo_user.h. */
#define EXO_TEST_USERS	8

/* A user of the test; uid 0: the place is free. */
struct exo_test_user {
	uid_t uid;
	int shown;
};

/* In memory shared with forked children, so that their results count. */
struct exo_test_count {
	int run;
	int failed;
	int skipped;
	int planned;
	pid_t main;
	struct exo_test_user users[EXO_TEST_USERS];
};

MAYBE_UNUSED static struct exo_test_count *exo_test_count_get(void)
{
	static struct exo_test_count *count;

	if (!count) {
		count = mmap(NULL, sizeof(*count), PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		if (count == MAP_FAILED)
			abort();
		count->main = getpid();
	}
	return count;
}

/* One write(2) a line: children and threads do not mix theirs. */
__attribute__((format(printf, 2, 0)))
MAYBE_UNUSED static void exo_test_line(const char *head, const char *fmt,
				       va_list ap)
{
	char line[1024];
	int n = snprintf(line, sizeof(line), "%s", head);

	vsnprintf(line + n, sizeof(line) - n - 1, fmt, ap);
	n = strlen(line);
	line[n++] = '\n';
	if (write(STDOUT_FILENO, line, n) != n)
		abort();
}

/* Say something that is no result. */
__attribute__((format(printf, 1, 2)))
MAYBE_UNUSED static void diag(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	exo_test_line("# ", fmt, ap);
	va_end(ap);
}

/* Announce the number of results; without it done_testing() does. */
MAYBE_UNUSED static void plan(int n)
{
	exo_test_count_get()->planned = n;
	dprintf(STDOUT_FILENO, "TAP version 13\n1..%d\n", n);
}

/* One result; true if it passed. Use through ok(). */
__attribute__((format(printf, 4, 5)))
MAYBE_UNUSED static bool exo_test_ok(bool pass, const char *file, int line,
				     const char *fmt, ...)
{
	struct exo_test_count *c = exo_test_count_get();
	int nr = __atomic_add_fetch(&c->run, 1, __ATOMIC_RELAXED);
	int saved = errno;
	char head[32];
	va_list ap;

	snprintf(head, sizeof(head), "%sok %d - ", pass ? "" : "not ", nr);
	va_start(ap, fmt);
	exo_test_line(head, fmt, ap);
	va_end(ap);
	if (!pass) {
		__atomic_add_fetch(&c->failed, 1, __ATOMIC_RELAXED);
		diag("failed at %s:%d", file, line);
	}
	errno = saved;
	return pass;
}

#define ok(cond, ...) exo_test_ok(!!(cond), __FILE__, __LINE__, __VA_ARGS__)

/* Two integers are the same; both are shown if not. */
#define is(got, want, ...)						\
({									\
	long long is_got = (got), is_want = (want);			\
	bool is_same = ok(is_got == is_want, __VA_ARGS__);		\
									\
	if (!is_same)							\
		diag("got %lld, wanted %lld", is_got, is_want);		\
	is_same;							\
})

/* A result that could not be had, and why. */
__attribute__((format(printf, 1, 2)))
MAYBE_UNUSED static void skip(const char *fmt, ...)
{
	struct exo_test_count *c = exo_test_count_get();
	char head[32];
	va_list ap;

	snprintf(head, sizeof(head), "ok %d # SKIP ",
		 __atomic_add_fetch(&c->run, 1, __ATOMIC_RELAXED));
	__atomic_add_fetch(&c->skipped, 1, __ATOMIC_RELAXED);
	va_start(ap, fmt);
	exo_test_line(head, fmt, ap);
	va_end(ap);
}

/* The test itself cannot go on. */
__attribute__((format(printf, 1, 2), noreturn))
MAYBE_UNUSED static void bail(const char *fmt, ...)
{
	struct exo_test_count *c = exo_test_count_get();
	va_list ap;

	__atomic_add_fetch(&c->failed, 1, __ATOMIC_RELAXED);
	va_start(ap, fmt);
	exo_test_line("Bail out! ", fmt, ap);
	va_end(ap);
	_exit(1);
}

MAYBE_UNUSED static void exo_users_end(void);

/* The exit status of the test. */
MAYBE_UNUSED static int done_testing(void)
{
	struct exo_test_count *c = exo_test_count_get();

	exo_users_end();
	if (!c->planned)
		dprintf(STDOUT_FILENO, "1..%d\n", c->run);
	else if (c->planned != c->run)
		diag("planned %d results, had %d", c->planned, c->run);
	if (c->failed || !c->run || (c->planned && c->planned != c->run))
		return 1;
	return c->skipped == c->run ? EXIT_SKIP : 0;
}

/* ----------------------------------------------------------- set-up */

/* Write a string to a file; 0 or -errno. */
MAYBE_UNUSED static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int rc = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		rc = -errno;
	close(fd);
	return rc;
}

MAYBE_UNUSED static gid_t exo_group(void)
{
	struct group *g = getgrnam("exo");

	return g ? g->gr_gid : GID_EXO;
}

/*
 * Insert the module named by EXO_KO, with parameters and those that it needs
 * by EXO_KO_PARAMS (tools/mutate); 0 or -errno.
 */
MAYBE_UNUSED static int exo_insmod(const char *params)
{
	const char *path = getenv("EXO_KO");
	const char *needed = getenv("EXO_KO_PARAMS");
	char all[256];
	int fd, rc;

	if (!path)
		return -ENOENT;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	snprintf(all, sizeof(all), "%s %s", params, needed ?: "");
	/* Those of tools/mutate have a version that only force gets in. */
	rc = syscall(SYS_finit_module, fd, all,
		     needed ? MODULE_INIT_IGNORE_VERMAGIC : 0) ? -errno : 0;
	close(fd);
	return rc;
}

/* Remove the module, without waiting for its users; 0 or -errno. */
MAYBE_UNUSED static int exo_rmmod(void)
{
	return syscall(SYS_delete_module, "exo", O_NONBLOCK) ? -errno : 0;
}

/* Wait for the device node, and give it to group exo as the udev rule does. */
MAYBE_UNUSED static void exo_node(void)
{
	int i;

	for (i = 0; i < 200 && access(EXO_DEVICE_PATH, F_OK); i++)
		usleep(10000);
	if (chown(EXO_DEVICE_PATH, 0, exo_group()) ||
	    chmod(EXO_DEVICE_PATH, 0660))
		bail(EXO_DEVICE_PATH ": %m");
}

/* Needs root: the module is there, and group exo may open its node. */
MAYBE_UNUSED static void exo_setup(void)
{
	int rc;

	exo_test_count_get();
	if (access(EXO_DEVICE_PATH, F_OK)) {
		rc = exo_insmod("");
		if (rc && rc != -EEXIST)
			bail("cannot insert the module (EXO_KO): %s",
			     strerror(-rc));
	}
	exo_node();
}

/* A new env. */
MAYBE_UNUSED static int exo_open(void)
{
	int fd = open(EXO_DEVICE_PATH, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		bail("open " EXO_DEVICE_PATH ": %m");
	return fd;
}

/* What ioctl returns, or -errno. */
MAYBE_UNUSED static long exo_ioctl(int fd, unsigned long cmd, void *arg)
{
	long rc = ioctl(fd, cmd, arg);

	return rc < 0 ? -errno : rc;
}

MAYBE_UNUSED static long exo_close_handle(int fd, uint32_t handle)
{
	struct exo_handle_close c = { .size = sizeof(c), .handle = handle };

	return exo_ioctl(fd, EXO_CMD_HANDLE_CLOSE, &c);
}

/* Allocate a frame; 0 or -errno. @f may be NULL. */
MAYBE_UNUSED static long exo_alloc(int fd, uint32_t nr_pages, uint32_t order,
				   struct exo_frame_alloc *f)
{
	struct exo_frame_alloc own;

	if (!f)
		f = &own;
	*f = (struct exo_frame_alloc) {
		.size = sizeof(*f), .nr_pages = nr_pages, .order = order,
	};
	return exo_ioctl(fd, EXO_CMD_FRAME_ALLOC, f);
}

/* Map bytes of an object of the env; MAP_FAILED with errno. */
MAYBE_UNUSED static void *exo_map(int fd, uint64_t offset, size_t bytes)
{
	return mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		    offset);
}

/* ---------------------------------------------------------- touching */

static __thread sigjmp_buf exo_touch_env;
static __thread volatile sig_atomic_t exo_touch_armed;

MAYBE_UNUSED static void exo_touch_handler(int sig)
{
	if (!exo_touch_armed) {
		signal(sig, SIG_DFL);
		raise(sig);
		return;
	}
	siglongjmp(exo_touch_env, sig);
}

/*
 * Read a word that may not be there: 0, or the signal that it raised. Each
 * thread may have one touch under way.
 */
MAYBE_UNUSED static int touch(const volatile void *p, uint64_t *value)
{
	struct sigaction sa = { .sa_handler = exo_touch_handler };
	volatile int sig;

	sigaction(SIGBUS, &sa, NULL);
	sigaction(SIGSEGV, &sa, NULL);
	sig = sigsetjmp(exo_touch_env, 1);
	if (!sig) {
		exo_touch_armed = 1;
		uint64_t v = *(const volatile uint64_t *)p;

		if (value)
			*value = v;
	}
	exo_touch_armed = 0;
	return sig;
}

/* Write a word likewise. */
MAYBE_UNUSED static int touch_write(volatile void *p, uint64_t value)
{
	struct sigaction sa = { .sa_handler = exo_touch_handler };
	volatile int sig;

	sigaction(SIGBUS, &sa, NULL);
	sigaction(SIGSEGV, &sa, NULL);
	sig = sigsetjmp(exo_touch_env, 1);
	if (!sig) {
		exo_touch_armed = 1;
		*(volatile uint64_t *)p = value;
	}
	exo_touch_armed = 0;
	return sig;
}

/* ------------------------------------------------------------ stats */

MAYBE_UNUSED static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ULL + ts.tv_nsec / 1000000;
}

/*
 * True once an env has so many pages; waits up to 2 s. What is taken from it is
 * free when it is in no page table any more: on a busy machine later.
 */
MAYBE_UNUSED static bool
own_pages_become(const volatile struct exo_info_env *own, uint64_t nr)
{
	uint64_t end = now_ms() + 2000;

	while (own->nr_pages != nr && now_ms() < end)
		usleep(1000);
	return own->nr_pages == nr;
}

MAYBE_UNUSED static struct exo_stats stats_get(int fd)
{
	struct exo_stats s = { .size = sizeof(s) };
	long rc = exo_ioctl(fd, EXO_CMD_STATS, &s);

	if (rc)
		bail("EXO_CMD_STATS: %s", strerror(-rc));
	return s;
}

MAYBE_UNUSED static bool stats_same(const struct exo_stats *a,
				    const struct exo_stats *b)
{
	return a->out_nr_envs == b->out_nr_envs &&
	       a->out_nr_objects == b->out_nr_objects &&
	       a->out_nr_frame_pages == b->out_nr_frame_pages &&
	       a->out_nr_io == b->out_nr_io &&
	       a->out_nr_tx == b->out_nr_tx &&
	       a->out_nr_flows == b->out_nr_flows &&
	       a->out_nr_disks == b->out_nr_disks &&
	       a->out_nr_netdevs == b->out_nr_netdevs;
}

MAYBE_UNUSED static void stats_diag(const char *word, const struct exo_stats *s)
{
	diag("%s: envs %llu objects %llu pages %llu io %llu", word,
	     s->out_nr_envs, s->out_nr_objects, s->out_nr_frame_pages,
	     s->out_nr_io);
	diag("%s: tx %llu flows %llu disks %llu netdevs %llu", word,
	     s->out_nr_tx, s->out_nr_flows, s->out_nr_disks,
	     s->out_nr_netdevs);
}

/*
 * True once the counters are what they were; the last references go by work
 * items, so wait, but at most @ms milliseconds.
 */
MAYBE_UNUSED static bool stats_wait(int fd, const struct exo_stats *want,
				    unsigned int ms)
{
	uint64_t end = now_ms() + ms;
	struct exo_stats s;

	for (;;) {
		s = stats_get(fd);
		if (stats_same(&s, want))
			return true;
		if (now_ms() >= end)
			break;
		usleep(5000);
	}
	stats_diag("wanted", want);
	stats_diag("got", &s);
	return false;
}

#include "exo_user.h"
#include "exo_matrix.h"

#endif /* EXO_SELFTESTS_EXO_TEST_H */
