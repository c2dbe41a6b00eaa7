// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Do the capability commands refuse what is wrong: structs, pointers, flags,
 * handles of another type, of nobody, of another env, closed, ended?
 */
#include "cap.h"

#include <sys/eventfd.h>
#include <sys/resource.h>

static uint32_t frame;		/* 8 pages, of the env of the matrix */
static int fd_of_frame;

/* ------------------------------------------------------------- matrix */

static void fill_derive(int env, void *s)
{
	*(struct exo_cap_derive *)s = (struct exo_cap_derive) {
		.handle = frame, .rights = RW, .start = 1, .nr = 2,
	};
	(void)env;
}

static void undo_derive(int env, void *s)
{
	exo_close_handle(env, ((struct exo_cap_derive *)s)->out_handle);
}

static void fill_export(int env, void *s)
{
	((struct exo_cap_export *)s)->handle = frame;
	(void)env;
}

static void undo_export(int env, void *s)
{
	close(((struct exo_cap_export *)s)->out_fd);
	(void)env;
}

static void fill_import(int env, void *s)
{
	((struct exo_cap_import *)s)->fd = fd_of_frame;
	(void)env;
}

static void undo_import(int env, void *s)
{
	exo_close_handle(env, ((struct exo_cap_import *)s)->out_handle);
}

/* A child to revoke from; a revocation must not have ended the child itself. */
static void fill_revoke(int env, void *s)
{
	((struct exo_cap_revoke *)s)->handle = derived(env, frame, RWS, 0, 1);
}

static void cleanup_revoke(int env, const void *s)
{
	exo_close_handle(env, ((const struct exo_cap_revoke *)s)->handle);
}

static void fill_info(int env, void *s)
{
	((struct exo_cap_info *)s)->handle = frame;
	(void)env;
}

static const struct exo_refusal refusal_valid;

static const struct matrix matrices[] = {
	{ .name = "CAP_DERIVE", .cmd = EXO_CMD_CAP_DERIVE,
	  .size = sizeof(struct exo_cap_derive),
	  .min = sizeof(struct exo_cap_derive),
	  .fill = fill_derive, .undo = undo_derive, .outputs = true },
	{ .name = "CAP_EXPORT", .cmd = EXO_CMD_CAP_EXPORT,
	  .size = sizeof(struct exo_cap_export),
	  .min = sizeof(struct exo_cap_export),
	  .fill = fill_export, .undo = undo_export, .outputs = true },
	{ .name = "CAP_IMPORT", .cmd = EXO_CMD_CAP_IMPORT,
	  .size = sizeof(struct exo_cap_import),
	  .min = sizeof(struct exo_cap_import),
	  .fill = fill_import, .undo = undo_import, .outputs = true },
	{ .name = "CAP_REVOKE", .cmd = EXO_CMD_CAP_REVOKE,
	  .size = sizeof(struct exo_cap_revoke),
	  .min = sizeof(struct exo_cap_revoke),
	  .fill = fill_revoke, .cleanup = cleanup_revoke,
	  .flags = EXO_REVOKE_SELF, .outputs = true },
	{ .name = "CAP_INFO", .cmd = EXO_CMD_CAP_INFO,
	  .size = sizeof(struct exo_cap_info),
	  .min = offsetof(struct exo_cap_info, out_notice_ns),
	  .fill = fill_info, .outputs = true },
	{ .name = "REFUSAL", .cmd = EXO_CMD_REFUSAL,
	  .size = sizeof(struct exo_refusal),
	  .min = offsetof(struct exo_refusal, out_type),
	  .valid = &refusal_valid, .outputs = true },
};

static void test_matrix(int env)
{
	struct exo_cap_info i;
	int before;
	size_t n;

	frame = frame_new(env, 8);
	fd_of_frame = export_fd(env, frame);
	before = nr_fds();
	for (n = 0; n < ARRAY_SIZE(matrices); n++)
		matrix_run(env, &matrices[n]);
	is(nr_fds(), before, "no file descriptor is left of the matrix");
	is(cap_info(env, frame, &i), 0, "the frame is still there");
	is(i.out_state, EXO_CAP_LIVE, "and live");
	is(i.out_nr_children, 0, "without children");
	close(fd_of_frame);
	exo_close_handle(env, frame);
}

/* ------------------------------------------------------------ handles */

static long try_derive(int env, uint32_t handle)
{
	uint32_t out;
	long rc = derive(env, handle, R, 0, 1, &out);

	if (!rc)
		exo_close_handle(env, out);
	return rc;
}

static long try_export(int env, uint32_t handle)
{
	long fd = export_fd(env, handle);

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

static long try_revoke(int env, uint32_t handle)
{
	return cap_revoke(env, handle, 0);
}

static long try_revoke_self(int env, uint32_t handle)
{
	return cap_revoke(env, handle, EXO_REVOKE_SELF);
}

static long try_info(int env, uint32_t handle)
{
	struct exo_cap_info i;

	return cap_info(env, handle, &i);
}

static const struct {
	const char *name;
	long (*call)(int env, uint32_t handle);
	long ended;	/* what it says of an ended capability */
} by_handle[] = {
	{ "CAP_DERIVE", try_derive, -ESTALE },
	{ "CAP_EXPORT", try_export, -ESTALE },
	{ "CAP_REVOKE", try_revoke, -ESTALE },
	{ "CAP_REVOKE SELF", try_revoke_self, -ESTALE },
	{ "CAP_INFO", try_info, 0 },
};

/* Handles that stand for nothing in this env. */
static void test_unknown(int env)
{
	uint32_t closed = frame_new(env, 1), mine = frame_new(env, 1), h;
	int other = exo_open();
	size_t n;

	exo_close_handle(env, closed);
	for (h = 0; h <= mine; h++)
		frame_new(other, 1);
	for (n = 0; n < ARRAY_SIZE(by_handle); n++) {
		const char *name = by_handle[n].name;
		long (*call)(int, uint32_t) = by_handle[n].call;

		is(call(env, 0), -ENOENT, "%s: handle 0", name);
		is(call(env, closed), -ENOENT, "%s: a closed handle", name);
		is(call(env, mine + 1), -ENOENT,
		   "%s: a handle of another env", name);
		is(call(env, 0x7fffffff), -ENOENT, "%s: 2^31-1", name);
		is(call(env, 0x80000000), -ENOENT, "%s: 2^31", name);
		is(call(env, ~0U), -ENOENT, "%s: 2^32-1", name);
	}
	is(cap_state(env, mine), EXO_CAP_LIVE, "the env's own is untouched");
	is(cap_state(other, mine + 1), EXO_CAP_LIVE, "the other env's too");
	close(other);
	exo_close_handle(env, mine);
}

static void test_ended(int env)
{
	uint32_t root = frame_new(env, 2), child;
	size_t n;

	child = derived(env, root, RWS, 0, 2);
	is(cap_revoke(env, root, 0), 1, "a child is revoked");
	for (n = 0; n < ARRAY_SIZE(by_handle); n++)
		is(by_handle[n].call(env, child), by_handle[n].ended,
		   "%s: an ended capability", by_handle[n].name);
	is(map_error(env, child, 0, 1, RO), -ESTALE, "mmap: likewise");
	is(exo_close_handle(env, child), 0, "its handle can be closed");
	is(exo_close_handle(env, child), -ENOENT, "once");
	is(cap_revoke(env, root, EXO_REVOKE_SELF), 1, "the root revokes itself");
	is(cap_revoke(env, root, EXO_REVOKE_SELF), -ESTALE, "but not twice");
	is(cap_revoke(env, root, 0), -ESTALE, "nor what was made from it");
	exo_close_handle(env, root);
}

/* A ring is a capability too, but nothing can be made from it. */
static void test_other_type(int env)
{
	struct exo_cq_create c = { .size = sizeof(c), .nr_entries = 8 };
	struct exo_cap_info i;
	uint64_t *p;

	if (exo_ioctl(env, EXO_CMD_CQ_CREATE, &c))
		bail("CQ_CREATE");
	is(try_derive(env, c.out_handle), -EOPNOTSUPP, "derive from a cq");
	is(try_export(env, c.out_handle), -EOPNOTSUPP, "export a cq");
	is(cap_info(env, c.out_handle, &i), 0, "info of a cq");
	is(i.out_type, EXO_TYPE_CQ, "its type");
	is(i.out_state, EXO_CAP_LIVE, "its state");
	is(i.out_depth, 0, "its depth");
	is(i.out_mmap_offset, c.out_mmap_offset, "its offset");
	p = exo_map(env, c.out_mmap_offset, PAGE);
	is(touch(p, NULL), 0, "it is mapped");
	is(cap_revoke(env, c.out_handle, 0), 0, "revoke what was made from it");
	is(touch(p, NULL), 0, "that is nothing");
	is(cap_revoke(env, c.out_handle, EXO_REVOKE_SELF), 1, "revoke it");
	is(touch(p, NULL), SIGBUS, "then it is not mapped any more");
	is(cap_state(env, c.out_handle), EXO_CAP_REVOKED, "and says so");
	munmap(p, PAGE);
	exo_close_handle(env, c.out_handle);
}

/* ---------------------------------------------------------- arguments */

static void test_derive_arguments(int env)
{
	uint32_t h = frame_new(env, 8), part = derived(env, h, RWS, 2, 4), out;
	uint32_t ro = derived(env, h, R, 0, 8);
	static const struct {
		uint64_t start, nr;
		long error;
	} ranges[] = {
		{ 0, 4, 0 }, { 3, 1, 0 }, { 0, 0, -EINVAL }, { 4, 0, -EINVAL },
		{ 0, 5, -EINVAL }, { 4, 1, -EINVAL }, { 3, 2, -EINVAL },
		{ ~0ULL, 1, -EOVERFLOW }, { 1, ~0ULL, -EOVERFLOW },
		{ ~0ULL, ~0ULL, -EOVERFLOW }, { -2ULL, 3, -EOVERFLOW },
		{ 0, ~0ULL, -EINVAL }, { 1ULL << 32, 1, -EINVAL },
		{ 1ULL << 52, 1, -EINVAL }, { 0, 1ULL << 32 | 1, -EINVAL },
		{ 1ULL << 63, 1ULL << 63, -EOVERFLOW },
	};
	size_t n;

	for (n = 0; n < ARRAY_SIZE(ranges); n++) {
		is(derive(env, part, R, ranges[n].start, ranges[n].nr, &out),
		   ranges[n].error, "derive %#llx pages from page %#llx of 4",
		   (unsigned long long)ranges[n].nr,
		   (unsigned long long)ranges[n].start);
		exo_close_handle(env, out);
	}
	is(derive(env, h, 0, 0, 1, &out), -EINVAL, "derive no right");
	for (n = 3; n < 32; n++)
		if (derive(env, h, R | 1U << n, 0, 1, &out) != -EINVAL)
			break;
	is(n, 32, "derive an unknown right: EINVAL, not EACCES");
	is(derive(env, part, RWS, 0, 1, &out), 0, "derive all rights");
	is(derive(env, ro, R, 0, 1, &out), -EACCES, "derive without SHARE");
	is(derive_until(env, h, R, 0, 1, 1, &out), -EINVAL,
	   "derive what has expired already");
	is(derive_until(env, h, R, 0, 1, ~0ULL, &out), 0,
	   "derive what never expires in practice");
	exo_close_handle(env, h);
}

/* Whatever an integer may mean to import: only an exported fd is one. */
static void test_import_arguments(int env)
{
	static const int numbers[] = { -1, -100, INT32_MIN, INT32_MAX, 4095 };
	int fds[2], one = frame_new(env, 1), exported, closed;
	uint32_t out;
	size_t n;

	for (n = 0; n < ARRAY_SIZE(numbers); n++)
		is(import_fd(env, numbers[n], &out), -EBADF, "import fd %d",
		   numbers[n]);
	is(import_fd(env, env, &out), -EBADF, "import the env itself");
	is(import_fd(env, 0, &out), -EBADF, "import standard input");
	if (pipe(fds))
		bail("pipe: %m");
	is(import_fd(env, fds[0], &out), -EBADF, "import a pipe");
	closed = socket(AF_UNIX, SOCK_STREAM, 0);
	is(import_fd(env, closed, &out), -EBADF, "import a socket");
	close(closed);
	closed = eventfd(0, EFD_CLOEXEC);
	is(import_fd(env, closed, &out), -EBADF, "import an eventfd");
	close(closed);
	closed = open("/", O_PATH | O_CLOEXEC);
	is(import_fd(env, closed, &out), -EBADF, "import an O_PATH fd");
	close(closed);
	exported = export_fd(env, one);
	ok(fcntl(exported, F_GETFD) & FD_CLOEXEC, "export is close-on-exec");
	is(import_fd(env, exported, &out), 0, "import what was exported");
	close(exported);
	is(import_fd(env, exported, &out), -EBADF, "import it closed");
	close(fds[0]);
	close(fds[1]);
	exo_close_handle(env, one);
}

/* What can be done with an exported fd besides: nothing. */
static void test_fd_is_opaque(int env)
{
	uint32_t h = frame_new(env, 1);
	struct exo_query q = { .size = sizeof(q) };
	int fd = export_fd(env, h);
	char byte = 0;

	is(read(fd, &byte, 1), -1, "an exported fd cannot be read");
	is(write(fd, &byte, 1), -1, "nor written");
	ok(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED,
	   "nor mapped");
	is(exo_ioctl(fd, EXO_CMD_QUERY, &q), -ENOTTY, "nor asked");
	close(fd);
	exo_close_handle(env, h);
}

static void test_no_fd_left(int env)
{
	struct rlimit was, lim;
	uint32_t h = frame_new(env, 1), i, out;
	struct exo_stats before;
	int fd;

	getrlimit(RLIMIT_NOFILE, &was);
	lim = was;
	lim.rlim_cur = nr_fds();
	before = stats_get(env);
	if (setrlimit(RLIMIT_NOFILE, &lim))
		bail("setrlimit: %m");
	is(export_fd(env, h), -EMFILE, "export without an fd left");
	setrlimit(RLIMIT_NOFILE, &was);
	ok(stats_wait(env, &before, 2000), "leaves nothing behind");
	for (i = 0; i < 100; i++) {
		fd = export_fd(env, h);
		if (fd < 0 || import_fd(env, fd, &out) ||
		    exo_close_handle(env, out) || close(fd))
			break;
	}
	is(i, 100, "export, import, close, 100 times");
	exo_close_handle(env, h);
}

static void test_close_while_mapped(int env)
{
	uint32_t root = frame_new(env, 4), child = derived(env, root, RW, 1, 2);
	uint64_t *a = cap_mapped(env, root, 0, 4, RDWR);
	uint64_t *b = cap_mapped(env, child, 0, 2, RDWR), v = 0;

	a[PAGE / 8] = 1;
	is(b[0], 1, "a child's page is its parent's");
	is(exo_close_handle(env, child), 0, "close a child while mapped");
	is(touch(b, NULL), SIGBUS, "its mapping is gone");
	is(touch(a + PAGE / 8, &v), 0, "the parent's is not");
	child = derived(env, root, RW, 1, 2);
	munmap(b, 2 * PAGE);
	b = cap_mapped(env, child, 0, 2, RDWR);
	is(exo_close_handle(env, root), 0, "close the parent while mapped");
	is(touch(a, NULL), SIGBUS, "its mapping is gone");
	is(touch(b, &v), 0, "the child's is not");
	is(v, 1, "and shows what it did");
	is(exo_close_handle(env, child), 0, "close the child");
	is(touch(b, NULL), SIGBUS, "and that is the end");
	munmap(a, 4 * PAGE);
	munmap(b, 2 * PAGE);
}

static int run(void *arg)
{
	struct exo_stats before;
	int env = exo_open(), scratch;

	(void)arg;
	before = stats_get(env);
	test_matrix(env);
	test_unknown(env);
	test_ended(env);
	test_other_type(env);
	scratch = exo_open();
	test_derive_arguments(scratch);
	test_import_arguments(scratch);
	close(scratch);
	test_fd_is_opaque(env);
	test_no_fd_left(env);
	test_close_while_mapped(env);
	ok(stats_wait(env, &before, 2000), "counters are as at the start");
	close(env);
	return 0;
}

int main(void)
{
	exo_setup();
	is(as_user(UID_ALICE, run, NULL), 0, "alice's process ended well");
	return done_testing();
}
