/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Does a command come through any failure of an allocation, a user copy or a
 * bio, with a clean error and nothing left behind?
 *
 * /proc/self/fail-nth lets the n-th such call of this task fail. Each command
 * is tried with n = 1, 2, 3... until it runs through without a failure. It may
 * succeed despite one (there are second attempts in the kernel), else it must
 * return an error that says so, and the module's counters must come back.
 *
 * A kernel that cannot inject failures is a skip.
 */
#ifndef EXO_SELFTESTS_FAIL_NTH_H
#define EXO_SELFTESTS_FAIL_NTH_H

#include "../exo_test.h"

#define MAX_TRIES	3000

/**
 * struct target - what is tried
 * @name: for the output
 * @act: the call; 0 or more, or -errno
 * @undo: makes it as it was before, given the result; or NULL
 * @errors: errors it may return besides ENOMEM (an allocation) and EFAULT (a
 *          user copy), ended by 0
 */
struct target {
	const char *name;
	long (*act)(void);
	void (*undo)(long rc);
	int errors[3];
};

static int nth_fd = -1;
static int env;
static uint32_t handle;		/* what the last call made, or 0 */

/* Whatever sleeps may fail too, also single pages; no word on the console. */
MAYBE_UNUSED static void inject_prepare(void)
{
	static const char * const kinds[] = {
		"failslab", "fail_page_alloc", "fail_usercopy",
		"fail_make_request",
	};
	char path[128];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		snprintf(path, sizeof(path), "/sys/kernel/debug/%s/verbose",
			 kinds[i]);
		if (write_file(path, "0"))
			diag("no %s here", kinds[i]);
		snprintf(path, sizeof(path),
			 "/sys/kernel/debug/%s/ignore-gfp-wait", kinds[i]);
		write_file(path, "N");
	}
	write_file("/sys/kernel/debug/fail_page_alloc/min-order", "0");
	if (!access("/sys/block/vda", F_OK))
		write_file("/sys/block/vda/make-it-fail", "1");
}

MAYBE_UNUSED static void inject_arm(int n)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%d", n);

	if (pwrite(nth_fd, text, len, 0) != len)
		bail("fail-nth: %m");
}

/* True if a call failed since; reading may itself use up the last one. */
MAYBE_UNUSED static bool inject_disarm(void)
{
	char text[16] = "";
	ssize_t len = pread(nth_fd, text, sizeof(text) - 1, 0);
	bool hit = len > 0 && !atoi(text);

	while (pwrite(nth_fd, "0", 1, 0) != 1)
		if (errno != EFAULT && errno != ENOMEM)
			bail("fail-nth: %m");
	return hit;
}

MAYBE_UNUSED static bool error_is_clean(const struct target *t, long rc)
{
	size_t i;

	if (rc >= 0 || rc == -ENOMEM || rc == -EFAULT)
		return true;
	for (i = 0; i < ARRAY_SIZE(t->errors); i++)
		if (t->errors[i] && rc == -t->errors[i])
			return true;
	return false;
}

MAYBE_UNUSED static void sweep(const struct target *t)
{
	struct exo_stats before = stats_get(env);
	int n, failures = 0, wrong = 0;
	bool same = true, hit = true;
	long rc = 0;

	for (n = 1; n <= MAX_TRIES && hit && same; n++) {
		inject_arm(n);
		rc = t->act();
		hit = inject_disarm();
		if (t->undo)
			t->undo(rc);
		failures += hit && rc < 0;
		if (!error_is_clean(t, rc)) {
			wrong++;
			diag("%s: failure %d gives %s", t->name, n,
			     strerror(-rc));
		}
		same = stats_wait(env, &before, 3000);
	}
	diag("%s: %d tries, %d of them failed", t->name, n - 1, failures);
	ok(!hit && rc >= 0, "%s runs through in the end (%s)", t->name,
	   rc < 0 ? strerror(-rc) : "well");
	ok(!wrong, "%s: each failure gives a clean error", t->name);
	ok(same, "%s: nothing stays behind", t->name);
}

MAYBE_UNUSED static void undo_handle(long rc)
{
	(void)rc;
	if (handle)
		exo_close_handle(env, handle);
	handle = 0;
}

#define SWEEP(targets)							\
	do {								\
		for (size_t i_ = 0; i_ < ARRAY_SIZE(targets); i_++)	\
			sweep(&(targets)[i_]);				\
	} while (0)

/* The module, an env, injection ready; ends the test where there is none. */
MAYBE_UNUSED static void fail_nth_setup(void)
{
	nth_fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	if (nth_fd < 0) {
		puts("this kernel has no /proc/self/fail-nth");
		exit(EXIT_SKIP);
	}
	exo_setup();
	inject_prepare();
	env = exo_open();
}

MAYBE_UNUSED static bool has_feature(uint64_t bit)
{
	struct exo_query q = { .size = sizeof(q) };

	return !exo_ioctl(env, EXO_CMD_QUERY, &q) && (q.out_features & bit);
}

MAYBE_UNUSED static int fail_nth_end(void)
{
	int i, rc;

	close(env);
	/* The last reference of an env may go by a work item. */
	for (i = 0, rc = -EAGAIN; i < 300 && rc == -EAGAIN; i++) {
		rc = exo_rmmod();
		usleep(10000);
	}
	is(rc, 0, "the module can be removed");
	return done_testing();
}

#endif /* EXO_SELFTESTS_FAIL_NTH_H */
