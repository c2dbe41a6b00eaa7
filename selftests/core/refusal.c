// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Does an env learn why it was refused: each EXO_REFUSED_* with its bounds, the
 * command, the handle? And nobody else?
 */
#include "cap.h"

#define NR(cmd) _IOC_NR(cmd)

static uint64_t count;		/* out_nr so far */

/* The newest refusal of the env is this one, and one more than before. */
static struct exo_refusal is_refusal(int env, uint32_t reason,
				     uint32_t command, uint32_t handle,
				     const char *what)
{
	struct exo_refusal r = refusal(env);
	bool same = r.out_reason == reason && r.out_command == command &&
		    r.out_handle == handle && r.out_nr == count + 1;

	if (!ok(same, "%s: reason %u", what, reason))
		diag("reason %u command %#x handle %u nr %llu after %llu",
		     r.out_reason, r.out_command, r.out_handle, r.out_nr,
		     (unsigned long long)count);
	count = r.out_nr;
	return r;
}

static void is_bounds(const struct exo_refusal *r, uint64_t want,
		      uint64_t have, const char *what)
{
	if (!ok(r->out_want == want && r->out_have == have, "%s: bounds",
		what))
		diag("want %#llx have %#llx", r->out_want, r->out_have);
}

static void test_nothing(int env)
{
	struct exo_refusal r = refusal(env);

	ok(!r.out_reason && !r.out_command && !r.out_handle && !r.out_level &&
	   !r.out_want && !r.out_have && !r.out_nr,
	   "a new env was refused nothing");
	frame_new(env, 1);
	r = refusal(env);
	is(r.out_nr, 0, "nor by a command that succeeds");
	is(r.out_reason, EXO_REFUSED_NOT, "so there is no reason");
}

static void test_handle_and_type(int env)
{
	struct exo_cq_create c = { .size = sizeof(c), .nr_entries = 8 };
	struct exo_io io = { .size = sizeof(io), .op = EXO_IO_READ };
	struct exo_refusal r;
	uint32_t frame = frame_new(env, 1), out;

	exo_close_handle(env, 4711);
	is_refusal(env, EXO_REFUSED_HANDLE, NR(EXO_CMD_HANDLE_CLOSE), 4711,
		   "close of nothing");
	cap_revoke(env, 4711, 0);
	is_refusal(env, EXO_REFUSED_HANDLE, NR(EXO_CMD_CAP_REVOKE), 4711,
		   "revoke of nothing");
	derive(env, 4712, R, 0, 1, &out);
	is_refusal(env, EXO_REFUSED_HANDLE, NR(EXO_CMD_CAP_DERIVE), 4712,
		   "derive from nothing");
	if (exo_ioctl(env, EXO_CMD_CQ_CREATE, &c))
		bail("CQ_CREATE");
	io.extent = frame;
	io.frame = frame;
	io.nr_blocks = 1;
	is(exo_ioctl(env, EXO_CMD_IO, &io), -EBADF, "a frame as extent");
	r = is_refusal(env, EXO_REFUSED_TYPE, NR(EXO_CMD_IO), frame,
		       "a frame as extent");
	is_bounds(&r, EXO_TYPE_EXTENT, EXO_TYPE_FRAME, "a frame as extent");
}

static void test_ended(int env)
{
	uint32_t root = frame_new(env, 1), a = derived(env, root, RWS, 0, 1);
	uint32_t b = derived(env, a, RWS, 0, 1), c = derived(env, b, RWS, 0, 1);
	struct exo_refusal r;
	uint64_t t;
	uint32_t out;

	/* What stands between is closed: the steps count all the same. */
	exo_close_handle(env, b);
	cap_revoke(env, a, EXO_REVOKE_SELF);
	derive(env, a, R, 0, 1, &out);
	r = is_refusal(env, EXO_REFUSED_REVOKED, NR(EXO_CMD_CAP_DERIVE), a,
		       "revoked itself");
	is(r.out_level, 0, "revoked itself: level");
	is(export_fd(env, c), -ESTALE, "two steps below");
	r = is_refusal(env, EXO_REFUSED_REVOKED, NR(EXO_CMD_CAP_EXPORT), c,
		       "revoked above");
	is(r.out_level, 2, "revoked above: two steps");
	is(map_error(env, c, 0, 1, RO), -ESTALE, "mmap of it");
	is_refusal(env, EXO_REFUSED_REVOKED, 0, c, "mmap of it");
	t = boottime_ns() + 100000000;
	if (derive_until(env, root, RWS, 0, 1, t, &a))
		bail("CAP_DERIVE");
	usleep(150000);
	is(derive(env, a, R, 0, 1, &out), -ESTALE, "expired");
	r = is_refusal(env, EXO_REFUSED_EXPIRED, NR(EXO_CMD_CAP_DERIVE), a,
		       "expired");
	is(r.out_have, t, "expired: when");
	ok(r.out_want >= t && r.out_want <= boottime_ns(), "expired: now");
}

static void test_rights_and_range(int env)
{
	uint32_t root = frame_new(env, 8), ro = derived(env, root, R | S, 2, 4);
	struct exo_refusal r;
	uint32_t out;

	derive(env, ro, RW, 0, 1, &out);
	r = is_refusal(env, EXO_REFUSED_RIGHTS, NR(EXO_CMD_CAP_DERIVE), ro,
		       "a right too many");
	ok(r.out_want & W && r.out_have == (R | S), "a right too many: bounds");
	derive(env, ro, R, 1, 4, &out);
	r = is_refusal(env, EXO_REFUSED_RANGE, NR(EXO_CMD_CAP_DERIVE), ro,
		       "a page too many");
	is_bounds(&r, 5, 4, "a page too many");
	is(r.out_type, EXO_TYPE_FRAME, "a page too many: of a frame");
	is(map_error(env, ro, 0, 4, RDWR), -EACCES, "a writable mapping");
	r = is_refusal(env, EXO_REFUSED_RIGHTS, 0, ro, "a writable mapping");
	ok(r.out_want & W && r.out_have == (R | S), "its bounds");
	is(map_error(env, ro, 3, 2, RO), -EINVAL, "a mapping too long");
	r = is_refusal(env, EXO_REFUSED_RANGE, 0, ro, "a mapping too long");
	is_bounds(&r, 5, 4, "a mapping too long");
	is(r.out_type, EXO_TYPE_FRAME, "a mapping too long: of a frame");
	map_error(env, ro, 4, 1, RO);
	r = is_refusal(env, EXO_REFUSED_RANGE, 0, ro, "a mapping behind it");
	is(r.out_type, EXO_TYPE_FRAME, "a mapping behind it: of a frame");
	derive(env, ro, RW, 0, 1, &out);
	is(refusal(env).out_type, 0, "rights are not of a type");
	count++;
}

static void test_depth(int env)
{
	uint32_t h = frame_new(env, 1), i, out;
	struct exo_refusal r;

	for (i = 0; i < EXO_CAP_MAX_DEPTH; i++)
		h = derived(env, h, RWS, 0, 1);
	is(derive(env, h, R, 0, 1, &out), -EMLINK, "too deep");
	r = is_refusal(env, EXO_REFUSED_DEPTH, NR(EXO_CMD_CAP_DERIVE), h,
		       "too deep");
	is(r.out_have, EXO_CAP_MAX_DEPTH, "too deep: the bound");
}

static void test_tree(int env)
{
	uint32_t root = frame_new(env, 1), i, out;
	struct exo_refusal r;

	for (i = 0; i < EXO_CAP_MAX_TREE; i++)
		derived(env, root, R, 0, 1);
	is(derive(env, root, R, 0, 1, &out), -EDQUOT, "too many");
	r = is_refusal(env, EXO_REFUSED_TREE, NR(EXO_CMD_CAP_DERIVE), root,
		       "too many");
	is(r.out_have, EXO_CAP_MAX_TREE, "too many: the bound");
}

/* A touch of what is gone. */
static void test_fault(int env)
{
	uint32_t root = frame_new(env, 1), a = derived(env, root, RW, 0, 1);
	uint64_t *p = cap_mapped(env, a, 0, 1, RDWR);
	struct exo_refusal r;

	cap_revoke(env, root, 0);
	is(touch(p, NULL), SIGBUS, "a touch of what was revoked");
	r = refusal(env);
	ok(r.out_reason == EXO_REFUSED_REVOKED && !r.out_command &&
	   r.out_handle == a && r.out_nr > count, "says so");
	is(refusal(env).out_command, 0, "and names no command that came after");
	count = r.out_nr;
	munmap(p, PAGE);
}

static void test_others(int env)
{
	int other = exo_open();

	exo_close_handle(other, 99);
	is(refusal(env).out_nr, count, "another env's refusal is not ours");
	is(refusal(other).out_nr, 1, "but its own");
	close(other);
}

static int run(void *arg)
{
	static void (*const tests[])(int env) = {
		test_nothing, test_handle_and_type, test_ended,
		test_rights_and_range, test_depth, test_fault, test_others,
		test_tree,
	};
	int env = exo_open();
	size_t n;

	(void)arg;
	for (n = 0; n < ARRAY_SIZE(tests); n++)
		tests[n](env);
	close(env);
	return 0;
}

int main(void)
{
	exo_setup();
	is(as_user(UID_ALICE, run, NULL), 0, "alice's process ended well");
	return done_testing();
}
