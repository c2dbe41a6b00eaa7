// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Do capabilities derive, close, end as the interface says? What a child may,
 * where its pages are, how deep and how many there may be, who ends with whom,
 * when the memory comes back.
 *
 * timeout: 240
 */
#include "cap.h"

/* Another env of the same process, which closes with everything in it. */
static uint32_t imported(int env, int fd)
{
	uint32_t out;
	long rc = import_fd(env, fd, &out);

	if (rc)
		bail("CAP_IMPORT: %s", strerror(-rc));
	return out;
}

static void is_cap(int env, uint32_t handle, uint32_t state, uint32_t rights,
		   uint64_t start, uint64_t nr, uint32_t depth,
		   uint32_t nr_children, const char *what)
{
	struct exo_cap_info i;
	bool same;

	if (!is(cap_info(env, handle, &i), 0, "info of %s", what))
		return;
	same = i.out_type == EXO_TYPE_FRAME && i.out_state == state &&
	       i.out_rights == rights && i.out_start == start &&
	       i.out_nr == nr && i.out_depth == depth &&
	       i.out_nr_children == nr_children;
	if (!ok(same, "%s is what it should be", what)) {
		diag("type %u state %u rights %u depth %u children %u",
		     i.out_type, i.out_state, i.out_rights, i.out_depth,
		     i.out_nr_children);
		diag("start %llu nr %llu", i.out_start, i.out_nr);
	}
}

/* A chain of narrower ranges: each counts from its parent's start. */
static void test_narrow(int env)
{
	uint32_t root = frame_new(env, 16), a, b, c, out;
	uint64_t *all = cap_mapped(env, root, 0, 16, RDWR), *p;
	int i;

	for (i = 0; i < 16; i++)
		all[i * PAGE / 8] = 100 + i;
	a = derived(env, root, RWS, 4, 8);
	b = derived(env, a, R | S, 2, 4);
	c = derived(env, b, R, 3, 1);
	is_cap(env, root, EXO_CAP_LIVE, RWS, 0, 16, 0, 1, "the root");
	is_cap(env, a, EXO_CAP_LIVE, RWS, 4, 8, 1, 1, "a child");
	is_cap(env, b, EXO_CAP_LIVE, R | S, 6, 4, 2, 1, "a grandchild");
	is_cap(env, c, EXO_CAP_LIVE, R, 9, 1, 3, 0, "its child");
	p = cap_mapped(env, a, 0, 8, RDWR);
	is(p[0], 104, "page 0 of the child");
	munmap(p, 8 * PAGE);
	p = cap_mapped(env, b, 0, 4, RO);
	is(p[0], 106, "page 0 of the grandchild");
	is(p[3 * PAGE / 8], 109, "its last page");
	munmap(p, 4 * PAGE);
	p = cap_mapped(env, c, 0, 1, RO);
	is(p[0], 109, "the page of its child");
	munmap(p, PAGE);
	is(derive(env, c, R, 0, 1, &out), -EACCES, "which shares nothing");
	is(derive(env, b, RW, 0, 1, &out), -EACCES, "no right comes back");
	is(derive(env, b, R, 0, 5, &out), -EINVAL, "nor a page behind");
	is(map_error(env, b, 0, 5, RO), -EINVAL, "nor by mapping");
	is(map_error(env, b, 4, 1, RO), -EINVAL, "nor its neighbour");
	munmap(all, 16 * PAGE);
	exo_close_handle(env, root);
	exo_close_handle(env, a);
	exo_close_handle(env, b);
	exo_close_handle(env, c);
}

static void test_depth(int env)
{
	uint32_t h[EXO_CAP_MAX_DEPTH + 1], out, i;
	struct exo_cap_info info;
	uint64_t *p;
	int fd;

	h[0] = frame_new(env, 1);
	for (i = 1; i <= EXO_CAP_MAX_DEPTH; i++)
		if (derive(env, h[i - 1], RWS, 0, 1, &h[i]))
			break;
	is(i, EXO_CAP_MAX_DEPTH + 1, "%d steps below the root",
	   EXO_CAP_MAX_DEPTH);
	cap_info(env, h[EXO_CAP_MAX_DEPTH], &info);
	is(info.out_depth, EXO_CAP_MAX_DEPTH, "the last says so");
	is(derive(env, h[EXO_CAP_MAX_DEPTH], R, 0, 1, &out), -EMLINK,
	   "one more is too deep");
	fd = export_fd(env, h[EXO_CAP_MAX_DEPTH]);
	ok(fd >= 0, "the last can be exported");
	is(import_fd(env, fd, &out), -EMLINK, "but not be imported");
	close(fd);
	fd = export_fd(env, h[EXO_CAP_MAX_DEPTH - 1]);
	is(import_fd(env, fd, &out), 0, "the one above can");
	exo_close_handle(env, out);
	close(fd);
	p = cap_mapped(env, h[EXO_CAP_MAX_DEPTH], 0, 1, RDWR);
	is(touch(p, NULL), 0, "the last can be mapped");
	/* Without the handles between, the chain still holds. */
	for (i = 1; i < EXO_CAP_MAX_DEPTH; i++)
		exo_close_handle(env, h[i]);
	is(touch(p, NULL), 0, "also when those between are closed");
	is(derive(env, h[EXO_CAP_MAX_DEPTH], R, 0, 1, &out), -EMLINK,
	   "and closing made it no less deep");
	is(cap_revoke(env, h[0], 0), EXO_CAP_MAX_DEPTH,
	   "revoking ends them all");
	is(touch(p, NULL), SIGBUS, "the last too");
	munmap(p, PAGE);
	exo_close_handle(env, h[EXO_CAP_MAX_DEPTH]);
	exo_close_handle(env, h[0]);
}

static void test_tree_limit(int env)
{
	uint32_t root = frame_new(env, 1), other = frame_new(env, 1);
	uint32_t i, first = 0, last = 0, out;
	uint64_t start = now_ms();
	int fd = export_fd(env, root);
	long rc = 0;

	for (i = 0; i <= EXO_CAP_MAX_TREE && !rc; i++) {
		rc = derive(env, root, R | S, 0, 1, &out);
		if (rc)
			break;
		first = first ?: out;
		last = out;
	}
	is(i, EXO_CAP_MAX_TREE, "so many capabilities below one root");
	is(rc, -EDQUOT, "one more is EDQUOT");
	is(derive(env, last, R, 0, 1, &out), -EDQUOT, "further down too");
	is(import_fd(env, fd, &out), -EDQUOT, "and by import");
	is(derive(env, other, R, 0, 1, &out), 0, "another tree is another");
	exo_close_handle(env, out);
	is(exo_close_handle(env, first), 0, "close one");
	is(import_fd(env, fd, &out), 0, "then one can be had");
	is(derive(env, root, R, 0, 1, &first), -EDQUOT, "but not two");
	is(cap_revoke(env, root, 0), EXO_CAP_MAX_TREE, "revoke them all");
	is(derive(env, root, R, 0, 1, &out), 0,
	   "their handles are there, but count no more");
	diag("made and revoked in %" PRIu64 " ms", now_ms() - start);
	close(fd);
}

/* Closing drops a handle; what was made from it does not notice. */
static void test_close_parent(int env)
{
	struct exo_stats before = stats_get(env), s;
	uint32_t root = frame_new(env, 8), mid = derived(env, root, RWS, 0, 8);
	uint32_t leaf = derived(env, mid, RWS, 1, 1);
	uint64_t *p = cap_mapped(env, leaf, 0, 1, RDWR);

	p[0] = 7;
	exo_close_handle(env, root);
	exo_close_handle(env, mid);
	is(touch(p, NULL), 0, "closing above leaves a mapping");
	is_cap(env, leaf, EXO_CAP_LIVE, RWS, 1, 1, 2, 0, "the leaf");
	s = stats_get(env);
	is(s.out_nr_frame_pages, before.out_nr_frame_pages + 8,
	   "the whole object lives with its last holder");
	munmap(p, PAGE);
	p = cap_mapped(env, leaf, 0, 1, RDWR);
	is(p[0], 7, "it can be mapped anew");
	munmap(p, PAGE);
	exo_close_handle(env, leaf);
	ok(stats_wait(env, &before, 2000), "and goes with its last holder");
}

static void test_revoke(int env)
{
	uint32_t root = frame_new(env, 4), a = derived(env, root, RWS, 0, 4);
	uint32_t a1 = derived(env, a, RWS, 0, 2), a2 = derived(env, a, R, 2, 2);
	uint32_t b = derived(env, root, RW, 0, 4), a11, out;
	uint64_t *proot, *pa, *pa11, *pb;

	a11 = derived(env, a1, RW, 0, 1);
	proot = cap_mapped(env, root, 0, 4, RDWR);
	pa = cap_mapped(env, a, 0, 4, RDWR);
	pa11 = cap_mapped(env, a11, 0, 1, RDWR);
	pb = cap_mapped(env, b, 0, 4, RDWR);
	proot[0] = 3;
	is(pa11[0] + pb[0], 6, "all show the same page");
	is(cap_revoke(env, a, 0), 3, "revoke what was made from one");
	is(touch(pa11, NULL), SIGBUS, "its grandchild is not mapped any more");
	is(touch(pa, NULL), 0, "it is");
	is(touch(pb, NULL), 0, "its sibling is");
	is(touch(proot, NULL), 0, "the root is");
	is_cap(env, a, EXO_CAP_LIVE, RWS, 0, 4, 1, 0, "the one");
	is_cap(env, a1, EXO_CAP_REVOKED, RWS, 0, 2, 2, 0, "its child");
	is(cap_state(env, a2), EXO_CAP_REVOKED, "its other child ended");
	is(cap_state(env, a11), EXO_CAP_REVOKED, "its grandchild ended");
	is(cap_revoke(env, a, 0), 0, "revoked once more: nothing to end");
	is(derive(env, a, R, 0, 1, &out), 0, "one can derive from it again");
	is(cap_state(env, out), EXO_CAP_LIVE, "and the new one lives");
	is(cap_revoke(env, a, EXO_REVOKE_SELF), 2, "revoke it as well");
	is(touch(pa, NULL), SIGBUS, "it is not mapped any more");
	is(touch(pb, NULL), 0, "its sibling is");
	is_cap(env, root, EXO_CAP_LIVE, RWS, 0, 4, 0, 1, "the root");
	is(cap_revoke(env, root, EXO_REVOKE_SELF), 2, "revoke the root");
	is(touch(proot, NULL), SIGBUS, "nothing is mapped");
	is(touch(pb, NULL), SIGBUS, "anywhere");
	munmap(proot, 4 * PAGE);
	munmap(pa, 4 * PAGE);
	munmap(pa11, PAGE);
	munmap(pb, 4 * PAGE);
}

/* A revoked object is given back although handles to it are open. */
static void test_memory_back(int env)
{
	struct exo_stats before = stats_get(env), s;
	uint32_t root = frame_new(env, 32), child;
	uint64_t *p;

	child = derived(env, root, RW, 0, 32);
	p = cap_mapped(env, child, 0, 32, RDWR);
	touch(p, NULL);
	exo_close_handle(env, root);
	s = stats_get(env);
	is(s.out_nr_frame_pages, before.out_nr_frame_pages + 32,
	   "a child holds the memory");
	is(cap_revoke(env, child, EXO_REVOKE_SELF), 1, "it revokes itself");
	ok(stats_wait(env, &before, 2000), "the memory is back");
	is(touch(p, NULL), SIGBUS, "the mapping is void");
	is(cap_state(env, child), EXO_CAP_REVOKED, "the handle is there");
	munmap(p, 32 * PAGE);
	exo_close_handle(env, child);
}

/* ------------------------------------------------------- exported fds */

static void test_fd_keeps(int env)
{
	struct exo_stats before = stats_get(env), s;
	uint32_t root = frame_new(env, 4), out;
	uint64_t *p = cap_mapped(env, root, 0, 4, RDWR);
	int fd, twin;

	p[PAGE / 8] = 9;
	munmap(p, 4 * PAGE);
	out = derived(env, root, R, 1, 2);
	is(export_fd(env, out), -EACCES, "export without SHARE");
	exo_close_handle(env, out);
	out = derived(env, root, R | S, 1, 2);
	fd = export_fd(env, out);
	exo_close_handle(env, root);
	exo_close_handle(env, out);
	s = stats_get(env);
	is(s.out_nr_frame_pages, before.out_nr_frame_pages + 4,
	   "an fd holds the memory when all handles are closed");
	twin = dup(fd);
	close(fd);
	is(import_fd(env, twin, &out), 0, "import by a copy of the fd");
	is_cap(env, out, EXO_CAP_LIVE, R | S, 1, 2, 2, 0, "the import");
	p = cap_mapped(env, out, 0, 2, RO);
	is(p[0], 9, "it shows the page");
	munmap(p, 2 * PAGE);
	exo_close_handle(env, out);
	close(twin);
	ok(stats_wait(env, &before, 2000), "the memory goes with the fd");
}

static void test_fd_revoked(int env)
{
	int other = exo_open(), fd, fd2;
	uint32_t root = frame_new(env, 2), in, in2, out;
	struct exo_cap_import i = { .size = sizeof(i) };
	uint64_t *p;

	fd = export_fd(env, root);
	i.fd = fd;
	is(exo_ioctl(other, EXO_CMD_CAP_IMPORT, &i), 0, "another env imports");
	in = i.out_handle;
	ok(i.out_type == EXO_TYPE_FRAME && i.out_rights == RWS &&
	   i.out_nr == 2 && !i.out_expires_ns && i.out_mmap_offset,
	   "and is told what it got");
	p = mmap(NULL, 2 * PAGE, RDWR, MAP_SHARED, other, i.out_mmap_offset);
	is(touch_write(p, 5), 0, "and writes");
	fd2 = export_fd(other, in);
	in2 = imported(env, fd2);
	is_cap(other, in, EXO_CAP_LIVE, RWS, 0, 2, 1, 1, "the import");
	is_cap(env, in2, EXO_CAP_LIVE, RWS, 0, 2, 2, 0, "the import's import");
	is(cap_revoke(env, root, 0), 2, "revoke: both imports end");
	is(touch(p, NULL), SIGBUS, "in the other env too");
	is(cap_state(other, in), EXO_CAP_REVOKED, "where the handle says so");
	is(import_fd(env, fd, &out), -ESTALE, "the fd is stale");
	is(import_fd(other, fd, &out), -ESTALE, "everywhere");
	is(import_fd(env, fd2, &out), -ESTALE, "the import's fd too");
	close(fd);
	close(fd2);
	fd = export_fd(env, root);
	is(import_fd(other, fd, &out), 0, "a new fd of it is good");
	is(cap_revoke(other, out, EXO_REVOKE_SELF), 1,
	   "an import revokes itself");
	is(import_fd(other, fd, &out), 0, "that does not end the fd");
	munmap(p, 2 * PAGE);
	close(other);
	close(fd);
	is(cap_state(env, root), EXO_CAP_LIVE, "nor the root");
	exo_close_handle(env, root);
	exo_close_handle(env, in2);
}

/* A holder of an fd that has ended cannot keep the owner's memory. */
static void test_dead_fd(int env)
{
	struct exo_stats before = stats_get(env);
	uint32_t root = frame_new(env, 16), child, out;
	int fd, below;

	fd = export_fd(env, root);
	child = derived(env, root, RWS, 0, 1);
	below = export_fd(env, child);
	is(cap_revoke(env, root, 0), 1, "revoke with two fds about");
	exo_close_handle(env, child);
	exo_close_handle(env, root);
	ok(stats_wait(env, &before, 2000), "the fds do not hold the memory");
	is(import_fd(env, fd, &out), -ESTALE, "one says it is stale");
	is(import_fd(env, below, &out), -ESTALE, "and the other");
	close(fd);
	close(below);
}

/* fds travel: through a queue of a socket, also one that nobody empties. */
static void test_fd_in_flight(int env)
{
	struct exo_stats before = stats_get(env), s;
	uint32_t root = frame_new(env, 4), out;
	int sock[2], fd;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sock))
		bail("socketpair: %m");
	fd = export_fd(env, root);
	pass(sock[0], 0, fd);
	pass(sock[0], 0, fd);
	close(fd);
	exo_close_handle(env, root);
	s = stats_get(env);
	is(s.out_nr_frame_pages, before.out_nr_frame_pages + 4,
	   "an fd in a socket's queue holds the memory");
	take(sock[1], &fd);
	is(import_fd(env, fd, &out), 0, "it arrives");
	exo_close_handle(env, out);
	close(fd);
	close(sock[0]);
	close(sock[1]);
	ok(stats_wait(env, &before, 3000), "the other dies with the socket");
}

static void test_env_close(int env)
{
	struct exo_stats before = stats_get(env);
	int owner = exo_open();
	uint32_t root = frame_new(owner, 4), in;
	uint64_t *p;
	int fd = export_fd(owner, root);

	in = imported(env, fd);
	p = cap_mapped(env, in, 0, 4, RDWR);
	p[0] = 1;
	close(fd);
	close(owner);
	is(touch(p, NULL), 0, "an import outlives the env it came from");
	is(cap_state(env, in), EXO_CAP_LIVE, "and stays live");
	munmap(p, 4 * PAGE);
	exo_close_handle(env, in);
	ok(stats_wait(env, &before, 2000), "then all is given back");
}

static int run(void *arg)
{
	static void (*const tests[])(int env) = {
		test_narrow, test_depth, test_close_parent, test_revoke,
		test_memory_back, test_fd_keeps, test_fd_revoked,
		test_dead_fd, test_fd_in_flight, test_env_close, test_tree_limit,
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
		ok(stats_wait(env, &before, 10000), "all is given back");
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
