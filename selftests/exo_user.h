/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Users without privilege: processes of uids of their own that are in group exo
 * alone, have no capability and can gain none. Each uid is in a memory cgroup of
 * its own, made when the test first needs it and removed by done_testing(). What
 * a user is, is printed the first time. Included by exo_test.h.
 */
#ifndef EXO_SELFTESTS_EXO_USER_H
#define EXO_SELFTESTS_EXO_USER_H

#include <sys/prctl.h>
#include <sys/wait.h>

#include <linux/sched.h>

/* Users of the guest image; both are in group exo. */
#define UID_ALICE	1001
#define UID_BOB		1002

#define CGROUPS		"/sys/fs/cgroup"

/* ------------------------------------------------------------ memcg */

/*
 * A memory cgroup below the root one; @path has room for 128 bytes. Without a
 * limit if @max_bytes is 0.
 */
MAYBE_UNUSED static int memcg_new(char *path, const char *name, long max_bytes)
{
	char file[256], text[32];
	int rc;

	rc = write_file(CGROUPS "/cgroup.subtree_control", "+memory");
	if (rc)
		return rc;
	snprintf(path, 128, CGROUPS "/exo-%s-%d", name,
		 (int)exo_test_count_get()->main);
	if (mkdir(path, 0755) && errno != EEXIST)
		return -errno;
	if (!max_bytes)
		return 0;
	snprintf(file, sizeof(file), "%s/memory.max", path);
	snprintf(text, sizeof(text), "%ld", max_bytes);
	return write_file(file, text);
}

/* A number out of a file of the cgroup: "key value" lines, or one number. */
MAYBE_UNUSED static long memcg_read(const char *path, const char *file,
				    const char *key)
{
	char name[256], line[256];
	long value = -1;
	FILE *f;

	snprintf(name, sizeof(name), "%s/%s", path, file);
	f = fopen(name, "re");
	while (f && fgets(line, sizeof(line), f)) {
		size_t n = key ? strlen(key) : 0;

		if (n && (strncmp(line, key, n) || line[n] != ' '))
			continue;
		value = strtol(line + n, NULL, 10);
		break;
	}
	if (f)
		fclose(f);
	return value;
}

/* Who was killed in it may still be on the way out. */
MAYBE_UNUSED static void memcg_delete(const char *path)
{
	int i;

	for (i = 0; i < 1000 && rmdir(path) && errno == EBUSY; i++)
		usleep(10000);
}

/* ------------------------------------------------------------- users */

/* The place of a user of this test, taken the first time. */
MAYBE_UNUSED static struct exo_test_user *exo_user_get(uid_t uid)
{
	struct exo_test_user *u = exo_test_count_get()->users;
	uid_t old;
	int i;

	for (i = 0; i < EXO_TEST_USERS; i++) {
		old = 0;
		if (__atomic_compare_exchange_n(&u[i].uid, &old, uid, false,
						__ATOMIC_RELAXED,
						__ATOMIC_RELAXED) ||
		    old == uid)
			return &u[i];
	}
	bail("more than %d users", EXO_TEST_USERS);
}

/* The memory cgroup of a user, there from now on; @path has 128 bytes. */
MAYBE_UNUSED static void user_memcg(uid_t uid, char *path)
{
	char name[32];
	int rc;

	exo_user_get(uid);
	snprintf(name, sizeof(name), "uid-%d", (int)uid);
	rc = memcg_new(path, name, 0);
	if (rc)
		bail("no memory cgroup for user %d: %s", (int)uid,
		     strerror(-rc));
}

/* None of the test's users has a process any more. */
static void exo_users_end(void)
{
	struct exo_test_user *u = exo_test_count_get()->users;
	char path[128];
	int i;

	for (i = 0; i < EXO_TEST_USERS && u[i].uid; i++) {
		user_memcg(u[i].uid, path);
		memcg_delete(path);
		if (!access(path, F_OK))
			ok(false, "a process of user %d outlives the test",
			   (int)u[i].uid);
	}
}

/* The effective capabilities of this process, by its status file. */
MAYBE_UNUSED static uint64_t cap_effective(void)
{
	char line[256];
	uint64_t caps = ~0ULL;
	FILE *f = fopen("/proc/self/status", "re");

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "CapEff: %" SCNx64, &caps) == 1)
			break;
	if (f)
		fclose(f);
	return caps;
}

/* This process's cgroup as the kernel names it; @path has 128 bytes. */
MAYBE_UNUSED static void cgroup_self(char *path)
{
	FILE *f = fopen("/proc/self/cgroup", "re");
	char line[256];

	strcpy(path, "?");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "0::%127s", path) == 1)
			break;
	if (f)
		fclose(f);
}

/* Become the user for good: group exo alone, no capability, none to gain. */
MAYBE_UNUSED static void become_user(uid_t uid)
{
	struct exo_test_user *u = exo_user_get(uid);
	gid_t gid = exo_group();
	char cgroup[128];
	uint64_t caps;

	if (setgroups(0, NULL) || setresgid(gid, gid, gid) ||
	    setresuid(uid, uid, uid) ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_DUMPABLE, 1, 0, 0, 0))
		bail("cannot become user %d: %m", (int)uid);
	caps = cap_effective();
	if (caps)
		bail("user %d has capabilities %" PRIx64, (int)uid, caps);
	if (getgroups(0, NULL))
		bail("user %d is in other groups too", (int)uid);
	if (__atomic_exchange_n(&u->shown, 1, __ATOMIC_RELAXED))
		return;
	cgroup_self(cgroup);
	diag("uid %d, gid %d and no other, CapEff %016" PRIx64 ", cgroup %s",
	     (int)uid, (int)gid, caps, cgroup);
}

/*
 * fork(2) into a cgroup: moving there afterwards would wait for every CPU. The
 * caller has no other thread that is inside the C library's allocator.
 */
MAYBE_UNUSED static pid_t exo_fork_into(const char *cgroup)
{
	struct clone_args a = {
		.flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD,
	};
	int fd = open(cgroup, O_PATH | O_DIRECTORY | O_CLOEXEC);
	pid_t pid;

	if (fd < 0)
		bail("%s: %m", cgroup);
	a.cgroup = fd;
	pid = syscall(SYS_clone3, &a, sizeof(a));
	if (pid < 0)
		bail("clone3 into %s: %m", cgroup);
	close(fd);
	return pid;
}

/*
 * Start fn(arg) in a child as the user, inside a cgroup (a path made by
 * memcg_new(), or NULL for the user's own). Its return value is the child's exit
 * status.
 */
MAYBE_UNUSED static pid_t as_user_start(const char *memcg, uid_t uid,
					int (*fn)(void *), void *arg)
{
	char own[128];
	pid_t pid;

	if (!memcg)
		user_memcg(uid, own);
	fflush(NULL);
	pid = exo_fork_into(memcg ?: own);
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	become_user(uid);
	_exit(fn(arg));
}

/* Wait for a child: its exit status, or 128 + the signal that killed it. */
MAYBE_UNUSED static int reap(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			bail("waitpid: %m");
	if (WIFSIGNALED(status))
		return 128 + WTERMSIG(status);
	return WEXITSTATUS(status);
}

MAYBE_UNUSED static int as_user_in(const char *memcg, uid_t uid,
				   int (*fn)(void *), void *arg)
{
	return reap(as_user_start(memcg, uid, fn, arg));
}

MAYBE_UNUSED static int as_user(uid_t uid, int (*fn)(void *), void *arg)
{
	return as_user_in(NULL, uid, fn, arg);
}

#endif /* EXO_SELFTESTS_EXO_USER_H */
