// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Does a capability end when it said it would: use, mapping, children, fds?
 * Not before; after at once for a use, soon for a mapping.
 */
#include "cap.h"

#define MS		1000000ULL
#define LATE_MS		2000	/* a mapping may outlive the time by this */

/* Wait until the clock is past @ns. */
static void sleep_until(uint64_t ns)
{
	uint64_t now;

	while ((now = boottime_ns()) <= ns)
		usleep((ns - now) / 1000 + 1);
}

/* How many ms after @ns the mapping went; -1 if it stayed. */
static long gone_after(const volatile void *p, uint64_t ns)
{
	uint64_t now;

	do {
		if (touch(p, NULL) == SIGBUS) {
			now = boottime_ns();
			return now > ns ? (now - ns) / MS : 0;
		}
		usleep(1000);
	} while (boottime_ns() < ns + LATE_MS * MS);
	return -1;
}

static uint64_t expires_of(int env, uint32_t handle)
{
	struct exo_cap_info i;

	return cap_info(env, handle, &i) ? 0 : i.out_expires_ns;
}

static void test_inherit(int env)
{
	uint32_t root = frame_new(env, 1), a, b;
	uint64_t t = boottime_ns() + 3600000 * MS;
	struct exo_cap_import i = { .size = sizeof(i) };

	is(expires_of(env, root), 0, "a root does not expire");
	derive_until(env, root, R | S, 0, 1, t, &a);
	is(expires_of(env, a), t, "a child when it was told");
	is(derive_until(env, a, R, 0, 1, 0, &b), 0, "its child without a time");
	is(expires_of(env, b), t, "has its parent's");
	exo_close_handle(env, b);
	derive_until(env, a, R, 0, 1, t - 1, &b);
	is(expires_of(env, b), t - 1, "an earlier one is kept");
	exo_close_handle(env, b);
	if (!derive_until(env, a, R, 0, 1, t + 1, &b))
		ok(expires_of(env, b) <= t, "a later one is cut");
	i.fd = export_fd(env, a);
	is(exo_ioctl(env, EXO_CMD_CAP_IMPORT, &i), 0, "an import of it");
	is(i.out_expires_ns, t, "is told its time");
	is(expires_of(env, i.out_handle), t, "and has it");
	close(i.fd);
}

static void test_ends(int env)
{
	uint32_t root = frame_new(env, 1), a, b, out;
	uint64_t t = boottime_ns() + 600 * MS, *p, *q, *r;
	int other = exo_open(), fd;
	bool early;
	long late;

	if (derive_until(env, root, RWS, 0, 1, t, &a))
		bail("CAP_DERIVE");
	b = derived(env, a, RW, 0, 1);
	fd = export_fd(env, a);
	if (import_fd(other, fd, &out))
		bail("CAP_IMPORT");
	r = cap_mapped(env, root, 0, 1, RDWR);
	p = cap_mapped(env, b, 0, 1, RDWR);
	q = cap_mapped(other, out, 0, 1, RDWR);
	early = touch(p, NULL) || touch(q, NULL);
	if (boottime_ns() < t)
		ok(!early, "until then it can be touched");
	sleep_until(t);
	is(derive(env, a, R, 0, 1, &b), -ESTALE, "after: nothing is derived");
	is(export_fd(env, a), -ESTALE, "nor exported");
	is(import_fd(other, fd, &b), -ESTALE, "nor imported");
	is(map_error(env, a, 0, 1, RO), -ESTALE, "nor mapped");
	is(cap_state(env, a), EXO_CAP_EXPIRED, "and it says why");
	late = gone_after(p, t);
	ok(late >= 0, "a child's mapping is gone (%ld ms late)", late);
	late = gone_after(q, t);
	ok(late >= 0, "an import's mapping too (%ld ms late)", late);
	is(cap_state(other, out), EXO_CAP_EXPIRED, "its handle says why");
	is(touch(r, NULL), 0, "the root lives on");
	close(other);
	close(fd);
	munmap(q, PAGE);
	munmap(p, PAGE);
	munmap(r, PAGE);
}

/* Times in any order: each ends at its own. */
static void test_order(int env)
{
	static const int ms[] = { 900, 300, 700, 500, 300, 1100 };
	uint32_t root = frame_new(env, 1), h[ARRAY_SIZE(ms)];
	uint64_t start = boottime_ns() + 300 * MS, *p[ARRAY_SIZE(ms)], t;
	int bad = 0, early = 0, late = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(ms); i++) {
		t = start + ms[i] * MS;
		if (derive_until(env, root, RW, 0, 1, t, &h[i]))
			bail("CAP_DERIVE");
		p[i] = cap_mapped(env, h[i], 0, 1, RDWR);
	}
	while (boottime_ns() < start + 1200 * MS) {
		for (i = 0; i < ARRAY_SIZE(ms); i++) {
			bool gone = touch(p[i], NULL) != 0;

			t = boottime_ns();
			early += gone && t < start + ms[i] * MS;
			late += !gone && t > start + (ms[i] + LATE_MS) * MS;
		}
		usleep(5000);
	}
	for (i = 0; i < ARRAY_SIZE(ms); i++) {
		bad += gone_after(p[i], start + ms[i] * MS) < 0;
		bad += cap_state(env, h[i]) != EXO_CAP_EXPIRED;
		munmap(p[i], PAGE);
	}
	is(early, 0, "none ended before its time");
	is(late, 0, "none long after it");
	is(bad, 0, "all ended");
}

/* Times that never come do not stop the clock for others. */
static void test_far(int env)
{
	static const uint64_t far[] = {
		INT64_MAX, 1ULL << 63, (1ULL << 63) + 1, ~0ULL,
	};
	uint32_t root = frame_new(env, 1), h[ARRAY_SIZE(far)], soon;
	uint64_t t, *p;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(far); i++)
		is(derive_until(env, root, R, 0, 1, far[i], &h[i]), 0,
		   "one until %#" PRIx64, far[i]);
	t = boottime_ns() + 300 * MS;
	if (derive_until(env, root, RW, 0, 1, t, &soon))
		bail("CAP_DERIVE");
	p = cap_mapped(env, soon, 0, 1, RDWR);
	ok(gone_after(p, t) >= 0, "a mapping goes at its own time");
	for (i = 0; i < ARRAY_SIZE(far); i++) {
		is(expires_of(env, h[i]), far[i], "the far one says its time");
		is(cap_state(env, h[i]), EXO_CAP_LIVE, "and is not over");
	}
	munmap(p, PAGE);
}

/* Handles closed before their time leave nothing in the clock's queue. */
static void test_closed_before(int env)
{
	uint32_t root = frame_new(env, 1), h;
	struct exo_stats before = stats_get(env);
	uint64_t t = boottime_ns() + 300 * MS;
	int i, bad = 0;

	for (i = 0; i < 500; i++) {
		bad += derive_until(env, root, RW, 0, 1, t + i * MS / 2,
				    &h) != 0;
		if (i % 3)
			bad += exo_close_handle(env, h) != 0;
	}
	ok(bad < 500, "capabilities of short life are made and closed");
	sleep_until(t + 400 * MS);
	is(cap_revoke(env, root, 0), 0, "at the end none is left to revoke");
	ok(stats_wait(env, &before, 2000), "and counters are as before");
}

/* The children of what expired must not keep its object. */
static void test_memory_back(int env)
{
	uint64_t t = boottime_ns() + 300 * MS;
	struct exo_stats before = stats_get(env);
	uint32_t root = frame_new(env, 16), a, b;

	if (derive_until(env, root, RWS, 0, 16, t, &a))
		bail("CAP_DERIVE");
	b = derived(env, a, RW, 0, 1);
	exo_close_handle(env, root);
	is(cap_state(env, b), EXO_CAP_LIVE, "a child is alive");
	ok(stats_wait(env, &before, 300 + LATE_MS),
	   "when its parent's time is up, the memory is back");
	is(cap_state(env, b), EXO_CAP_EXPIRED, "its handle stays, and says so");
}

static int run(void *arg)
{
	static void (*const tests[])(int env) = {
		test_inherit, test_ends, test_order, test_far,
		test_closed_before, test_memory_back,
	};
	int env = exo_open(), scratch;
	struct exo_stats before;
	size_t n;

	(void)arg;
	before = stats_get(env);
	for (n = 0; n < ARRAY_SIZE(tests); n++) {
		scratch = exo_open();
		tests[n](scratch);
		close(scratch);
		ok(stats_wait(env, &before, 5000), "all is given back");
	}
	close(env);
	return 0;
}

int main(void)
{
	exo_setup();
	is(as_user(UID_ALICE, run, NULL), 0, "alice's process ended well");
	return done_testing();
}
