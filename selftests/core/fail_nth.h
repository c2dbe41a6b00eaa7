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
 * That failures were injected at all, and of which kind, is read from the kernel
 * log: each target must have met allocations, user copies or bios that failed,
 * as it says it does. Each command has a target in one of the tests: see fail_nth_end().
 *
 * A kernel that cannot inject failures is a skip; one that lacks a kind of them
 * is an error.
 */
#ifndef EXO_SELFTESTS_FAIL_NTH_H
#define EXO_SELFTESTS_FAIL_NTH_H

#include "commands.h"

#define MAX_TRIES	3000
#define MAX_SWEEPS	10

enum kind { SLAB, PAGE_ALLOC, USERCOPY, BIO, NR_KINDS };

static const char * const kinds[NR_KINDS] = {
	"failslab", "fail_page_alloc", "fail_usercopy", "fail_make_request",
};

/**
 * struct target - what is tried
 * @cmd: the command, or 0 for a system call
 * @name: for the output
 * @act: the call; 0 or more, or -errno
 * @undo: makes it as it was before, given the result; or NULL
 * @errors: errors it may return besides ENOMEM (an allocation) and EFAULT (a
 *          user copy), ended by 0
 * @meets: what of it can fail, MEETS_*; one without MEETS_ALLOC has nothing to
 *         allocate
 */
struct target {
	unsigned long cmd;
	const char *name;
	long (*act)(void);
	void (*undo)(long rc);
	int errors[4];
	unsigned int meets;
};

#define MEETS_ALLOC	(1U << 0)
#define MEETS_COPY	(1U << 1)
#define MEETS_BIO	(1U << 2)

static int nth_fd = -1;
static int log_fd = -1;		/* /dev/kmsg, read up to now */
static bool swept[ARRAY_SIZE(commands)];
static int env;
static uint32_t handle;		/* what the last call made, or 0 */

MAYBE_UNUSED static void inject_set(const char *kind, const char *name,
				    const char *value)
{
	char path[128];
	int rc;

	snprintf(path, sizeof(path), "/sys/kernel/debug/%s/%s", kind, name);
	rc = write_file(path, value);
	if (rc)
		bail("%s: %s", path, strerror(-rc));
}

/* Whatever sleeps may fail too, also single pages; a line in the log for each. */
MAYBE_UNUSED static void inject_prepare(void)
{
	size_t i;

	for (i = 0; i < NR_KINDS; i++) {
		inject_set(kinds[i], "verbose", "1");
		inject_set(kinds[i], "verbose_ratelimit_interval_ms", "0");
	}
	inject_set(kinds[SLAB], "ignore-gfp-wait", "N");
	inject_set(kinds[PAGE_ALLOC], "ignore-gfp-wait", "N");
	inject_set(kinds[PAGE_ALLOC], "min-order", "0");
	if (!access("/sys/block/vda", F_OK) &&
	    write_file("/sys/block/vda/make-it-fail", "1"))
		bail("vda/make-it-fail: %m");
	log_fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (log_fd < 0 || lseek(log_fd, 0, SEEK_END) < 0)
		bail("/dev/kmsg: %m");
}

/* Count failures that were injected since the last call, by kind. */
MAYBE_UNUSED static void inject_count(int *nr)
{
	char text[8192], name[32];
	ssize_t len;
	size_t i;

	while ((len = read(log_fd, text, sizeof(text) - 1)) > 0 ||
	       (len < 0 && errno == EPIPE)) {
		text[len > 0 ? len : 0] = '\0';
		if (!strstr(text, "FAULT_INJECTION"))
			continue;
		for (i = 0; i < NR_KINDS; i++) {
			snprintf(name, sizeof(name), "name %s,", kinds[i]);
			nr[i] += !!strstr(text, name);
		}
	}
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

/**
 * struct tally - what came of trying a target
 * @nr: failures that were injected and logged, by kind
 * @hits: all of them: allocations with __GFP_NOWARN are not logged
 * @failures: calls that failed of it
 * @wrong: errors that say something else
 * @through: the last call met no failure, and went well
 * @same: the counters came back each time
 */
struct tally {
	int nr[NR_KINDS];
	int hits;
	int failures;
	int wrong;
	bool through;
	bool same;
};

MAYBE_UNUSED static unsigned int met(const struct tally *y)
{
	int logged = y->nr[USERCOPY] + y->nr[BIO];

	return (y->hits > logged ? MEETS_ALLOC : 0) |
	       (y->nr[USERCOPY] ? MEETS_COPY : 0) |
	       (y->nr[BIO] ? MEETS_BIO : 0);
}

MAYBE_UNUSED static void sweep_once(const struct target *t,
				    const struct exo_stats *before,
				    struct tally *y)
{
	int n, rest[NR_KINDS];
	bool hit = true;
	long rc = 0;

	inject_count(rest);
	for (n = 1; n <= MAX_TRIES && hit && y->same; n++) {
		inject_arm(n);
		rc = t->act();
		hit = inject_disarm();
		/* One that is left over strikes in the read or write of it. */
		inject_count(hit ? y->nr : rest);
		if (t->undo)
			t->undo(rc);
		y->hits += hit;
		y->failures += hit && rc < 0;
		if (!error_is_clean(t, rc)) {
			y->wrong++;
			diag("%s: failure %d gives %s", t->name, n,
			     strerror(-rc));
		}
		y->same = stats_wait(env, before, 3000);
	}
	y->through = !hit && rc >= 0;
	if (!y->through)
		diag("%s: the last of %d calls: %s", t->name, n - 1,
		     rc < 0 ? strerror(-rc) : "met a failure");
}

/*
 * Once more if a kind of failure was not met: the allocator's caches and the
 * kernel's own checks make calls of theirs now and then, and so the n-th call of
 * one try is not that of the next.
 */
MAYBE_UNUSED static void sweep(const struct target *t)
{
	struct exo_stats before = stats_get(env);
	struct tally y = { .same = true };
	int i = 0;

	do {
		sweep_once(t, &before, &y);
	} while (++i < MAX_SWEEPS && y.through && y.same &&
		 (t->meets & ~met(&y)));
	if (t->cmd)
		swept[command_of(t->cmd) - commands] = true;
	diag("%s: %d failures (%d user copies, %d bios), %d calls failed",
	     t->name, y.hits, y.nr[USERCOPY], y.nr[BIO], y.failures);
	is(t->meets & met(&y), t->meets,
	   "%s meets failures of the kinds MEETS_* %#x", t->name, t->meets);
	ok(y.failures, "%s fails of them", t->name);
	ok(y.through, "%s runs through in the end", t->name);
	ok(!y.wrong, "%s: each failure gives a clean error", t->name);
	ok(y.same, "%s: nothing stays behind", t->name);
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

/* Of the commands of its group a test leaves none out. */
MAYBE_UNUSED static int fail_nth_end(const char *group)
{
	size_t c;
	int i, rc;

	for (c = 0; c < ARRAY_SIZE(commands); c++)
		if (!strcmp(commands[c].group, group))
			ok(swept[c], "%s was tried", commands[c].name);
	commands_check(env);
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
