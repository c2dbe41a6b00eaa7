// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Are extents put where they fit best, also against others who want the place?
 */
#define _GNU_SOURCE	/* what exo_test.h wants */
#include "../exo_test.h"
#include "fake.h"

static long long place(const struct fake *f, __u64 nr_blocks)
{
	__u64 start = 0;
	int rc = exo_extent_place(&f->disk[0], f->extent, f->nr_extents,
				  nr_blocks, &start);

	return rc ? rc : (long long)start;
}

static void test_place(void)
{
	struct fake f;

	fake_init(&f);
	fake_disk(&f, "d", "vda", 1);	/* blocks 100 to 999 */
	is(place(&f, 0), -EINVAL, "no blocks");
	is(place(&f, 900), 100, "a whole empty disk");
	is(place(&f, 901), -ENOSPC, "more than that");
	is(place(&f, ~0ULL), -ENOSPC, "a length that would wrap");
	fake_extent(&f, 100, 10, 1, "a");	/* gap 110-149: 40 */
	fake_extent(&f, 150, 10, 1, "b");	/* gap 160-169: 10 */
	fake_extent(&f, 170, 10, 1, "c");	/* gap 180-999: 820 */
	is(place(&f, 5), 160, "the smallest gap");
	is(place(&f, 10), 160, "filled exactly");
	is(place(&f, 11), 110, "else the next larger");
	is(place(&f, 41), 180, "else the tail");
	is(place(&f, 821), -ENOSPC, "else none");
	f.extent[0].start = 0;
	f.extent[0].nr_blocks = ~0ULL;
	is(place(&f, 900), -ENOSPC, "an extent longer than the disk");
	f.extent[0].start = ~0ULL;
	f.extent[0].nr_blocks = 5;
	ok(place(&f, 5) >= 100 || place(&f, 5) == -ENOSPC,
	   "an extent that wraps does not lead below the disk");
}

static void test_create(void)
{
	struct exo_extent x, y;
	struct exo_env *env;
	struct fake f;

	fake_init(&f);
	env = fake_open(&f);
	fake_disk(&f, "d", "vda", 1);
	is(exo_extent_create(env, &f.disk[0], "one", 50, 0600, &x), 0, "one");
	is(x.start, 100, "begins at the first block");
	is(x.nr_blocks, 50, "is as long as wanted");
	is(exo_extent_create(env, &f.disk[0], "one", 5, 0600, &y), -EEXIST,
	   "the name is taken");
	f.races = 3;
	is(exo_extent_create(env, &f.disk[0], "two", 50, 0600, &y), 0,
	   "three races lost, then won");
	is(f.races, 0, "there were three");
	is(y.start, 153, "behind those who won");
	f.races = 16;
	is(exo_extent_create(env, &f.disk[0], "three", 5, 0600, &y), -EAGAIN,
	   "16 races are enough");
	is(exo_extent_create(env, &f.disk[0], "four", 5000, 0600, &y), -ENOSPC,
	   "no room");
	is(exo_extent_create(env, &f.disk[0],
			     "a-name-of-more-than-31-characters", 5, 0600, &y),
	   -ENAMETOOLONG, "a name that does not fit");
	f.fail_nr = EXO_NR_EXTENT_CREATE;
	f.fail_rc = -EDQUOT;
	is(exo_extent_create(env, &f.disk[0], "five", 5, 0600, &y), -EDQUOT,
	   "quota");
	f.fail_nr = EXO_NR_EXTENT_LIST;
	f.fail_rc = -ENOMEM;
	f.fail_after = 0;
	is(exo_extent_create(env, &f.disk[0], "six", 5, 0600, &y), -ENOMEM,
	   "no memory for the list");
	is(exo_extent_delete(&x), 0, "deleted");
	is(exo_extent_close(&x), -ENOENT, "is closed too");
	exo_env_close(env);
}

static long long opened(struct exo_env *env, const char *spec)
{
	struct exo_extent x;
	int rc = exo_extent_open(env, 1, spec, EXO_RIGHT_READ, &x);

	if (rc)
		return rc;
	exo_extent_close(&x);
	return x.start;
}

static void test_open(void)
{
	struct exo_env *env;
	struct fake f;

	fake_init(&f);
	env = fake_open(&f);
	fake_disk(&f, "d", "vda", 1);
	fake_extent(&f, 100, 10, geteuid(), "mine");
	fake_extent(&f, 110, 10, 0, "roots");
	fake_extent(&f, 120, 10, 12345, "other");
	is(opened(env, "mine"), 100, "own name");
	is(opened(env, "root:roots"), 110, "owner by name");
	is(opened(env, "0:roots"), 110, "owner by number");
	is(opened(env, "12345:other"), 120, "owner without a name");
	is(opened(env, "nosuchuser:other"), -ESRCH, "unknown owner");
	is(opened(env, "4294967295:other"), -ESRCH, "owner -1");
	is(opened(env, "99999999999999999999:x"), -ESRCH, "owner too large");
	is(opened(env, "-1:x"), -ESRCH, "owner below 0");
	is(opened(env, ":mine"), -EINVAL, "empty owner");
	is(opened(env, "root:"), -EINVAL, "empty name");
	is(opened(env, ""), -EINVAL, "nothing");
	is(opened(env, "12345:mine"), -ENOENT, "another's name");
	is(opened(env, "0123456789012345678901234567890123"), -ENAMETOOLONG,
	   "a name that does not fit");
	is(f.nr_live, 0, "nothing stays open");
	exo_env_close(env);
}

int main(void)
{
	test_place();
	test_create();
	test_open();
	return done_testing();
}
