// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Do envs, frames and disks do what <exo/...> says, and survive a module that
 * fails or lies?
 */
#define _GNU_SOURCE	/* what exo_test.h wants */
#include "../exo_test.h"
#include "fake.h"

static int open_with(struct fake *f)
{
	struct exo_env *env = NULL;
	int rc = exo_env_open(&f->sys, NULL, &env);

	exo_env_close(env);
	return rc;
}

static void test_open(void)
{
	static const int errors[] = { -ENOENT, -EACCES, -ENODEV };
	struct fake f;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(errors); i++) {
		fake_init(&f);
		f.open_rc = errors[i];
		is(open_with(&f), errors[i], "open fails with %d", errors[i]);
	}
	fake_init(&f);
	f.fail_nr = EXO_NR_QUERY;
	f.fail_rc = -ENOTTY;
	is(open_with(&f), -ENOTTY, "a node that is not exo's is refused");
	is(f.nr_open, 0, "and closed");
	fake_init(&f);
	f.query.out_page_bytes = 0;
	is(open_with(&f), -EPROTO, "a page of no bytes is refused");
	f.query.out_page_bytes = 4097;
	is(open_with(&f), -EPROTO, "a page of 4097 bytes is refused");
	fake_init(&f);
	f.query.out_block_bytes = 512;
	is(open_with(&f), -EPROTO, "a block of 512 bytes is refused");
	fake_init(&f);
	is(open_with(&f), 0, "else it opens");
	is(f.nr_open, 0, "and closes");
}

static void test_env(void)
{
	struct exo_stats stats;
	struct exo_env *env;
	struct fake f;

	fake_init(&f);
	env = fake_open(&f);
	is(exo_env_fd(env), f.fd, "the env's descriptor is the node");
	is(exo_env_query(env)->out_max_io, 8, "limits are kept");
	is(exo_stats(env, &stats), 0, "counters are read");
	is(exo_handle_close(env, 9), -ENOENT, "no handle 9");
	is(exo_command(env, EXO_CMD_NET_LIST, NULL), -ENOTTY,
	   "an unknown command says so");
	f.fail_nr = EXO_NR_FLOW_KICK;
	f.fail_rc = -EINTR;
	is(exo_command(env, EXO_CMD_FLOW_KICK, NULL), -EINTR,
	   "EINTR is passed on");
	ok(!strcmp(exo_version(), "0.1.0"), "version");
	exo_env_close(env);
	exo_env_close(NULL);
}

static void test_frame(void)
{
	struct exo_frame frame = { .handle = 77 };
	struct exo_env *env;
	struct fake f;

	fake_init(&f);
	env = fake_open(&f);
	is(exo_frame_alloc(env, 3, 0, &frame), 0, "a frame of 3 pages");
	is(frame.bytes, 3 * 4096, "has 3 pages' bytes");
	is((char *)exo_frame_page(&frame, 2) - (char *)frame.addr, 8192,
	   "its page 2 is where it should be");
	is(exo_frame_free(&frame), 0, "is freed");
	is(f.nr_live + f.nr_mapped, 0, "without a rest");
	frame.handle = 77;
	is(exo_frame_alloc(env, 0, 0, &frame), -EINVAL, "none of 0 pages");
	f.mmap_rc = -ENOMEM;
	is(exo_frame_alloc(env, 1, 0, &frame), -ENOMEM, "mmap fails");
	is(f.nr_live, 0, "the handle is given back");
	f.mmap_rc = 0;
	f.fail_nr = EXO_NR_FRAME_ALLOC;
	f.fail_rc = -EDQUOT;
	is(exo_frame_alloc(env, 1, 0, &frame), -EDQUOT, "quota");
	is(frame.handle, 77, "a failure changes nothing");
	exo_env_close(env);
}

static void test_disk_list(void)
{
	static const int counts[] = { 0, 1, 15, 16, 17, 40, 64 };
	struct exo_disk_info *disks;
	struct exo_env *env;
	struct fake f;
	size_t i;
	int n;

	for (i = 0; i < ARRAY_SIZE(counts); i++) {
		fake_init(&f);
		env = fake_open(&f);
		for (n = 0; n < counts[i]; n++)
			fake_disk(&f, "d", "vda", n);
		disks = (void *)1;
		is(exo_disk_list(env, &disks), counts[i], "%d disks",
		   counts[i]);
		ok(counts[i] ? disks[n - 1].uuid[0] == n - 1 : !disks,
		   "and the last is the last");
		free(disks);
		exo_env_close(env);
	}
	fake_init(&f);
	env = fake_open(&f);
	for (n = 0; n < 16; n++)
		fake_disk(&f, "d", "vda", n);
	f.grow = 2;
	is(exo_disk_list(env, &disks) > 18, 1, "a growing list is caught up");
	free(disks);
	exo_env_close(env);
}

static void test_disk_lies(void)
{
	static const struct {
		int rc;
		__u32 out_nr;
		int want;
		const char *what;
	} lies[] = {
		{ 0, 17, -EPROTO, "more entries than room, and success" },
		{ 0, ~0U, -EPROTO, "4 G entries" },
		{ -EMSGSIZE, 3, -EPROTO, "too small for 3" },
		{ -EMSGSIZE, ~0U, -EPROTO, "wants 4 G entries" },
		{ -EIO, 0, -EIO, "an error" },
		{ -EINTR, 0, -EINTR, "interrupted" },
	};
	struct exo_disk_info *disks;
	struct exo_env *env;
	struct fake f;
	size_t i;

	fake_init(&f);
	env = fake_open(&f);
	for (i = 0; i < ARRAY_SIZE(lies); i++) {
		f.lie_nr = EXO_NR_DISK_LIST;
		f.lie_rc = lies[i].rc;
		f.lie_out_nr = lies[i].out_nr;
		is(exo_disk_list(env, &disks), lies[i].want, "%s",
		   lies[i].what);
	}
	exo_env_close(env);
}

static int found(struct exo_env *env, const char *which)
{
	struct exo_disk_info disk;
	int rc = exo_disk_find(env, which, &disk);

	return rc ? rc : (int)disk.disk;
}

static void test_disk_find(void)
{
	struct exo_env *env;
	struct fake f;

	fake_init(&f);
	env = fake_open(&f);
	is(found(env, "site"), -ENOENT, "no disk");
	fake_disk(&f, "site", "null", 0x11);
	fake_disk(&f, "zero", "vdb", 0x22);
	fake_disk(&f, "twin", "vdc", 0xab);
	fake_disk(&f, "twin", "zero", 0x44);
	is(found(env, "site"), 1, "by name");
	is(found(env, "vdb"), 2, "by device");
	is(found(env, "/dev/null"), 1, "by path");
	is(found(env, "/dev/../dev/null"), 1, "by a detour");
	is(found(env, "/dev/nosuch"), -ENOENT, "by a path that is not there");
	is(found(env, "ABababab-abab-abab-abab-abababababab"), 3, "by UUID");
	is(found(env, "zero"), 2, "a name counts before a device");
	is(found(env, "twin"), -EEXIST, "two of that name");
	is(found(env, ""), -ENOENT, "nothing is no name");
	is(found(env, "a-name-that-is-longer-than-any-name-may-be"), -ENOENT,
	   "a long name");
	exo_env_close(env);
}

int main(void)
{
	test_open();
	test_env();
	test_frame();
	test_disk_list();
	test_disk_lies();
	test_disk_find();
	return done_testing();
}
