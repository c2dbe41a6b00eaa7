// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Can a user hold more memory than is his, by more envs, by fork, by a user
 * namespace, through somebody else's env? And who pays when memory is short?
 */
#include "../exo_test.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>

#define PAGE	4096UL
#define QUOTA	64U		/* pages, by RLIMIT_MEMLOCK */

static void set_quota(rlim_t bytes)
{
	struct rlimit lim = { bytes, bytes };

	if (setrlimit(RLIMIT_MEMLOCK, &lim))
		bail("setrlimit: %m");
}

static int one_page(void *arg)
{
	int fd = exo_open();
	long rc = exo_alloc(fd, 1, 0, NULL);

	(void)arg;
	close(fd);
	return -rc;
}

static int one_page_in_namespace(void *arg)
{
	if (unshare(CLONE_NEWUSER))
		return 200;
	return one_page(arg);
}

static int quota_of_a_user(void *arg)
{
	int fd = exo_open(), fd2 = exo_open();
	struct exo_frame_alloc a, b;
	pid_t pid;

	(void)arg;
	is(exo_alloc(fd, QUOTA + 1, 0, NULL), -EDQUOT,
	   "a frame above RLIMIT_MEMLOCK");
	is(exo_alloc(fd, QUOTA - 1, 0, &a), 0, "all but one page of it");
	is(exo_alloc(fd, 2, 1, NULL), -EDQUOT, "two more are one too many");
	is(exo_alloc(fd2, 1, 0, &b), 0, "the last page, in another env");
	is(exo_alloc(fd, 1, 0, NULL), -EDQUOT, "then no more in the first");
	is(exo_alloc(fd2, 1, 0, NULL), -EDQUOT, "nor in the second");
	pid = fork();
	if (!pid)
		_exit(one_page(NULL));
	is(reap(pid), EDQUOT, "nor in an env of a forked child");
	pid = fork();
	if (!pid)
		_exit(-exo_alloc(fd, 1, 0, NULL));
	is(reap(pid), EDQUOT, "nor in the inherited env");
	pid = fork();
	if (!pid)
		_exit(one_page_in_namespace(NULL));
	is(reap(pid), EDQUOT, "nor as root of a user namespace of his own");
	is(exo_close_handle(fd2, b.out_handle), 0, "close one");
	is(exo_alloc(fd, 1, 0, &b), 0, "then one can be had");
	exo_close_handle(fd, b.out_handle);
	close(fd);
	is(exo_alloc(fd2, QUOTA, 0, NULL), 0,
	   "all of it again after the first env is closed");
	if (write(*(int *)arg, "x", 1) != 1)
		bail("write: %m");
	pause();
	return 0;
}

static void test_quota(int fd)
{
	struct exo_stats before = stats_get(fd);
	int ready[2];
	pid_t pid;
	char c;

	if (pipe(ready))
		bail("pipe: %m");
	set_quota(QUOTA * PAGE);
	pid = as_user_start(NULL, UID_ALICE, quota_of_a_user, &ready[1]);
	close(ready[1]);
	if (read(ready[0], &c, 1) != 1)
		bail("alice's process died");
	is(as_user(UID_ALICE, one_page, NULL), EDQUOT,
	   "another process of alice has none left");
	is(as_user(UID_BOB, one_page, NULL), 0, "bob has his own");
	kill(pid, SIGKILL);
	is(reap(pid), 128 + SIGKILL, "alice's process is killed");
	ok(stats_wait(fd, &before, 2000), "its pages are free");
	is(as_user(UID_ALICE, one_page, NULL), 0, "then alice has some again");
	set_quota(0);
	is(as_user(UID_ALICE, one_page, NULL), EDQUOT,
	   "RLIMIT_MEMLOCK 0: nothing");
	set_quota(PAGE - 1);
	is(as_user(UID_ALICE, one_page, NULL), EDQUOT,
	   "less than a page is nothing");
	set_quota(RLIM_INFINITY);
	close(ready[0]);
}

/* All users together stay below the ceiling; then nobody gets any. */
static unsigned long take_until_refused(void)
{
	unsigned long pages = 0;
	int fd = exo_open();
	uint32_t chunk;
	long rc = 0;

	for (chunk = 4096; chunk; chunk /= 4)
		while (!(rc = exo_alloc(fd, chunk, 0, NULL)))
			pages += chunk;
	is(rc, -EDQUOT, "the ceiling is EDQUOT");
	is(exo_alloc(fd, 1, 0, NULL), -EDQUOT, "for root too");
	is(as_user(UID_ALICE, one_page, NULL), EDQUOT, "and for alice");
	close(fd);
	return pages;
}

static long read_number(const char *path)
{
	char text[32] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 1)
		bail("%s: %m", path);
	close(fd);
	return strtol(text, NULL, 10);
}

static void test_ceiling(int fd)
{
	struct exo_stats before = stats_get(fd);
	long percent = read_number("/sys/module/exo/parameters/page_limit_percent");
	unsigned long pages, total;
	struct sysinfo info;

	sysinfo(&info);
	total = info.totalram / PAGE;
	is(percent, 25, "the ceiling is 25 percent of memory");
	set_quota(RLIM_INFINITY);
	pages = take_until_refused();
	diag("%lu of %lu pages", pages, total);
	ok(pages <= total / 100 * percent, "not more than the ceiling");
	ok(pages + 200 > total / 100 * percent, "and all of it");
	ok(stats_wait(fd, &before, 5000), "all pages are free");
}

/* In a memcg: ENOMEM at its limit, and everybody lives. */
static int take_in_memcg(void *arg)
{
	const uint32_t chunk = *(const uint32_t *)arg;
	int fd = exo_open();
	unsigned int n = 0;
	long rc;

	/*
	 * At the limit everything else that is charged calls the OOM killer: a
	 * page fault, the buffer of a pipe. So say nothing until it is over.
	 */
	if (mlockall(MCL_CURRENT | MCL_FUTURE))
		bail("mlockall: %m");
	while (!(rc = exo_alloc(fd, chunk, 0, NULL)) && n * chunk < 8192)
		n++;
	close(fd);
	is(rc, -ENOMEM, "frames of %u pages: ENOMEM at the memcg's limit",
	   chunk);
	ok(n * chunk * PAGE <= 16UL << 20, "%u pages are below the limit",
	   n * chunk);
	ok(n * chunk * PAGE >= 8UL << 20, "and more than half of it");
	return 0;
}

static void test_memcg(int fd)
{
	static uint32_t chunks[] = { 256, 16, 1 };
	struct exo_stats before = stats_get(fd);
	char path[128];
	size_t i;
	int rc;

	rc = memcg_new(path, "accounting", 16L << 20);
	if (rc) {
		skip("no memory cgroup: %s", strerror(-rc));
		return;
	}
	set_quota(RLIM_INFINITY);
	for (i = 0; i < ARRAY_SIZE(chunks); i++) {
		is(as_user_in(path, UID_ALICE, take_in_memcg, &chunks[i]), 0,
		   "the process lived, with frames of %u pages", chunks[i]);
		is(memcg_read(path, "memory.events", "oom_kill"), 0,
		   "nobody was killed for it");
		ok(stats_wait(fd, &before, 5000), "all pages are free");
	}
	ok(memcg_read(path, "memory.current", NULL) < 4L << 20,
	   "the memcg is not charged any more");
	is(as_user(UID_BOB, one_page, NULL), 0, "others are not concerned");
	memcg_delete(path);
	ok(access(path, F_OK), "the memcg could be removed");
}

int main(void)
{
	int fd;

	exo_setup();
	fd = exo_open();
	test_quota(fd);
	test_ceiling(fd);
	test_memcg(fd);
	close(fd);
	return done_testing();
}
