// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * alice lends bob pages of a frame. Does he ever get more than that: other
 * rights, other pages, a look at what she writes after she took them back?
 *
 * Each is a process of its own user in a memory cgroup of its own, without any
 * capability of Linux; what they have in common is group exo and a socket.
 */
#include "cap.h"

#include <liburing.h>
#include <linux/futex.h>
#include <sys/ptrace.h>

#define NR_PAGES	16
#define WORDS		(PAGE / 8)
#define OLD		0x01d01d01d0000000ULL	/* what alice lends */
#define NEW		0x5ec2e75ec2e70000ULL	/* what he must not see */

enum { LEND, REVOKE, INTACT, QUIT };

static const char *self;	/* this program, for exec */

/* -------------------------------------------------------------- alice */

struct lender {
	int env;
	int sock;
	uint32_t frame;
	uint64_t *p;
};

static void fill(uint64_t *p, uint64_t seed)
{
	size_t i;

	for (i = 0; i < NR_PAGES * WORDS; i++)
		p[i] = seed + i / WORDS;
}

static void lend_pages(struct lender *l, uint64_t word)
{
	uint32_t part;
	int fd;

	if (l->frame) {
		munmap(l->p, NR_PAGES * PAGE);
		exo_close_handle(l->env, l->frame);
	}
	l->frame = frame_new(l->env, NR_PAGES);
	l->p = cap_mapped(l->env, l->frame, 0, NR_PAGES, RDWR);
	fill(l->p, OLD);
	part = derived(l->env, l->frame, word >> 8 & 0xff, word >> 16 & 0xff,
		       word >> 24 & 0xff);
	fd = export_fd(l->env, part);
	pass(l->sock, fd < 0 ? -fd : 0, fd);
	if (fd >= 0)
		close(fd);
	exo_close_handle(l->env, part);
}

static uint64_t intact_pages(const uint64_t *p)
{
	uint64_t i, j, mask = 0;

	for (i = 0; i < NR_PAGES; i++) {
		for (j = 0; j < WORDS && p[i * WORDS + j] == OLD + i; j++)
			;
		mask |= (uint64_t)(j == WORDS) << i;
	}
	return mask;
}

static int alice(void *arg)
{
	struct lender l = { .env = exo_open(), .sock = *(int *)arg };
	uint64_t word, ended;

	for (;;) {
		word = take(l.sock, NULL);
		switch (word & 0xff) {
		case LEND:
			lend_pages(&l, word);
			break;
		case REVOKE:
			ended = cap_revoke(l.env, l.frame, 0);
			fill(l.p, NEW);
			pass(l.sock, ended, -1);
			break;
		case INTACT:
			pass(l.sock, intact_pages(l.p), -1);
			break;
		default:
			return 0;
		}
	}
}

/* ---------------------------------------------------------------- bob */

struct bob {
	int env;
	int sock;
	int fd;			/* what alice exported */
	uint32_t handle;	/* imported */
};

static void lend(struct bob *b, uint32_t rights, uint32_t start, uint32_t nr)
{
	pass(b->sock, LEND | rights << 8 | start << 16 | nr << 24, -1);
	if (take(b->sock, &b->fd) || import_fd(b->env, b->fd, &b->handle))
		bail("bob got nothing");
}

static void give_back(struct bob *b)
{
	close(b->fd);
	exo_close_handle(b->env, b->handle);
}

/* alice takes it back, then writes something else; how many ended. */
static uint64_t taken_back(struct bob *b)
{
	pass(b->sock, REVOKE, -1);
	return take(b->sock, NULL);
}

static bool intact(struct bob *b)
{
	pass(b->sock, INTACT, -1);
	return take(b->sock, NULL) == (1U << NR_PAGES) - 1;
}

/* Bytes moved by a debugger's way into one's own memory, or -errno. */
static long by_mem(uint64_t *p, uint64_t *buf, size_t bytes, bool write_it)
{
	int fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	long rc;

	if (fd < 0)
		bail("/proc/self/mem: %m");
	rc = write_it ? pwrite(fd, buf, bytes, (uintptr_t)p) :
		pread(fd, buf, bytes, (uintptr_t)p);
	rc = rc < 0 ? -errno : rc;
	close(fd);
	return rc;
}

static void write_read_only(struct bob *b)
{
	uint64_t *p, *q, buf[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
	struct iovec here = { buf, sizeof(buf) }, there;
	int fds[2];

	lend(b, R | S, 4, 4);
	is(map_error(b->env, b->handle, 0, 1, RDWR), -EACCES,
	   "read-only: a writable mapping");
	is(map_error(b->env, b->handle, 0, 1, PROT_WRITE), -EACCES,
	   "read-only: a mapping only for writing");
	p = cap_mapped(b->env, b->handle, 0, 4, RO);
	is(p[0], OLD + 4, "read-only: bob sees the first page");
	is(touch_write(p, 1), SIGSEGV, "read-only: a write");
	is(mprotect(p, PAGE, RDWR), -1, "read-only: mprotect");
	is(errno, EACCES, "read-only: is EACCES");
	q = mremap(p, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
		   (char *)p + (64UL << 20));
	if (q != MAP_FAILED) {
		p = q;
		is(mprotect(p, PAGE, RDWR), -1, "read-only: moved, mprotect");
	}
	ok(by_mem(p, buf, 8, true) <= 0, "read-only: /proc/self/mem");
	there = (struct iovec) { p, sizeof(buf) };
	ok(process_vm_writev(getpid(), &here, 1, &there, 1, 0) < 0,
	   "read-only: process_vm_writev");
	if (pipe(fds) || write(fds[1], buf, 64) != 64)
		bail("pipe: %m");
	is(read(fds[0], p, 8), -1, "read-only: read(2) into it");
	is(errno, EFAULT, "read-only: is EFAULT");
	close(fds[0]);
	close(fds[1]);
	ok(intact(b), "read-only: alice's pages are as she left them");
	munmap(p, 4 * PAGE);
	give_back(b);
}

/* A debugger of bob's own may not either. */
static void poke_read_only(struct bob *b)
{
	uint64_t *p;
	pid_t pid;

	lend(b, R | S, 4, 4);
	p = cap_mapped(b->env, b->handle, 0, 4, RO);
	pid = fork();
	if (!pid) {
		if (mmap(p, PAGE, RO, MAP_SHARED | MAP_FIXED, b->env,
			 (uint64_t)b->handle << 32) != p)
			bail("mmap: %m");
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		_exit(p[0] == OLD + 4 ? 0 : 1);
	}
	waitpid(pid, NULL, WUNTRACED);
	errno = 0;
	is(ptrace(PTRACE_PEEKDATA, pid, p, NULL), (long)(OLD + 4),
	   "read-only: PTRACE_PEEKDATA sees the page");
	is(ptrace(PTRACE_POKEDATA, pid, p, (void *)1L), -1,
	   "read-only: PTRACE_POKEDATA");
	ptrace(PTRACE_CONT, pid, NULL, NULL);
	is(reap(pid), 0, "read-only: the child sees no change");
	ok(intact(b), "read-only: alice's pages are as she left them");
	munmap(p, 4 * PAGE);
	give_back(b);
}

static void write_only(struct bob *b)
{
	void *p;

	lend(b, W | S, 4, 4);
	is(map_error(b->env, b->handle, 0, 1, RO), -EACCES,
	   "write-only: a mapping for reading");
	/* There is no memory that can be written and not be read. */
	p = cap_map(b->env, b->handle, 0, 1, PROT_WRITE);
	ok(p == MAP_FAILED, "write-only: a mapping only for writing");
	give_back(b);
}

static void widen(struct bob *b)
{
	struct exo_cap_info i;
	uint32_t out;

	lend(b, R | S, 4, 4);
	is(derive(b->env, b->handle, W, 0, 1, &out), -EACCES, "derive W");
	is(derive(b->env, b->handle, RWS, 0, 4, &out), -EACCES, "derive all");
	is(derive(b->env, b->handle, R, 0, 5, &out), -EINVAL,
	   "derive a page more");
	is(derive(b->env, b->handle, R, -4ULL, 4, &out), -EOVERFLOW,
	   "derive the pages before");
	is(derive(b->env, b->handle, R, -4ULL, 5, &out), -EOVERFLOW,
	   "derive from the pages before on");
	is(cap_info(b->env, b->handle, &i), 0, "info of what was lent");
	ok(i.out_start == 4 && i.out_nr == 4 && i.out_rights == (R | S),
	   "it is what it was");
	give_back(b);
}

static void reach_out(struct bob *b)
{
	uint64_t *p, off, buf[2 * WORDS];

	lend(b, RWS, 4, 4);
	off = (uint64_t)b->handle << 32;
	is(map_error(b->env, b->handle, 0, 5, RO), -EINVAL, "a page more");
	is(map_error(b->env, b->handle, 4, 1, RO), -EINVAL, "the page after");
	is(map_error(b->env, b->handle, 12, 1, RO), -EINVAL, "the last page");
	ok(map_error(b->env, b->handle, -4ULL, 8, RO) < 0,
	   "from the pages before on");
	/* With a hole after it. */
	p = mmap(NULL, 5 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	p = mmap(p, 4 * PAGE, RDWR, MAP_SHARED | MAP_FIXED, b->env, off);
	if (p == MAP_FAILED || munmap(p + 4 * WORDS, PAGE))
		bail("mmap: %m");
	ok(mremap(p, 4 * PAGE, 8 * PAGE, MREMAP_MAYMOVE) == MAP_FAILED,
	   "mremap to twice its size");
	ok(mremap(p, 0, 8 * PAGE, MREMAP_MAYMOVE) == MAP_FAILED,
	   "mremap of a copy");
	is(by_mem(p + 3 * WORDS, buf, 2 * PAGE, false), (long)PAGE,
	   "/proc/self/mem ends where the mapping ends");
	ok(syscall(SYS_remap_file_pages, p, PAGE, 0,
		   (off >> 12) + 4, 0) == -1,
	   "remap_file_pages to the page after");
	ok(mmap(NULL, PAGE, RDWR, MAP_PRIVATE, b->env, off) == MAP_FAILED,
	   "a private mapping");
	ok(intact(b), "alice's pages are as she left them");
	munmap(p, 4 * PAGE);
	give_back(b);
}

/* Every number that may be a handle, in bob's own env. */
static void guess(struct bob *b)
{
	int through = 0;
	uint32_t h, out;
	long fd;

	lend(b, R | S, 4, 4);
	for (h = 0; h < 3000; h++) {
		if (h == b->handle)
			continue;
		through += derive(b->env, h, R, 0, 1, &out) != -ENOENT;
		through += cap_state(b->env, h) != -ENOENT;
		through += cap_revoke(b->env, h, 0) != -ENOENT;
		fd = export_fd(b->env, h);
		through += fd != -ENOENT;
		/* Handle 0 maps what is exposed to all. */
		through += h && map_error(b->env, h, 0, 1, RO) != -ENOENT;
	}
	is(through, 0, "no other handle stands for anything");
	give_back(b);
}

/* What bob revokes is his own; alice's and others' stays. */
static void revoke_upwards(struct bob *b)
{
	uint32_t other, mine;
	uint64_t *p;

	lend(b, RWS, 4, 4);
	if (import_fd(b->env, b->fd, &other))
		bail("CAP_IMPORT");
	p = cap_mapped(b->env, other, 0, 4, RO);
	mine = derived(b->env, b->handle, R, 0, 1);
	is(cap_revoke(b->env, b->handle, EXO_REVOKE_SELF), 2,
	   "bob revokes an import and its child");
	is(cap_state(b->env, mine), EXO_CAP_REVOKED, "the child ended");
	is(touch(p, NULL), 0, "the other import did not");
	ok(intact(b), "alice has her pages");
	munmap(p, 4 * PAGE);
	exo_close_handle(b->env, mine);
	exo_close_handle(b->env, other);
	give_back(b);
}

static long fixed_buffer(void *p, size_t bytes)
{
	struct iovec iov = { p, bytes };
	struct io_uring ring;
	long rc = io_uring_queue_init(4, &ring, 0);

	if (rc)
		return rc;
	rc = io_uring_register_buffers(&ring, &iov, 1);
	io_uring_queue_exit(&ring);
	return rc;
}

/* Whatever could keep a page beyond a revocation. */
static void keep_hold(struct bob *b)
{
	int fds[2];
	struct iovec iov;
	uint64_t *p;

	lend(b, RWS, 4, 4);
	p = cap_mapped(b->env, b->handle, 0, 4, RDWR);
	iov = (struct iovec) { p, PAGE };
	if (pipe(fds))
		bail("pipe: %m");
	is(vmsplice(fds[1], &iov, 1, SPLICE_F_NONBLOCK), -1, "vmsplice");
	ok(fixed_buffer(p, PAGE) < 0, "an io_uring fixed buffer");
	is(syscall(SYS_futex, p, FUTEX_WAKE, 1, NULL, NULL, 0), -1,
	   "a shared futex");
	mlock(p, PAGE);
	is(touch(p, NULL), 0, "meanwhile bob has it");
	is(taken_back(b), 2, "alice takes it back");
	is(touch(p, NULL), SIGBUS, "and bob has nothing");
	is(write(fds[1], p, 8), -1, "to write to a pipe");
	munmap(p, 4 * PAGE);
	close(fds[0]);
	close(fds[1]);
	give_back(b);
}

/* Each way to a page, after it was taken back. */
static void use_after_revoke(struct bob *b)
{
	uint32_t child, out;
	uint64_t *p, *q, *r, v = 0;
	int fd;

	lend(b, RWS, 4, 4);
	child = derived(b->env, b->handle, RW, 1, 2);
	fd = export_fd(b->env, b->handle);
	p = cap_mapped(b->env, b->handle, 0, 4, RDWR);
	q = cap_mapped(b->env, child, 0, 2, RO);
	r = cap_mapped(b->env, b->handle, 2, 1, RDWR);	/* never touched */
	ok(p[0] == OLD + 4 && q[0] == OLD + 5, "bob reads while he may");
	is(taken_back(b), 3, "alice takes it back: three ended");
	is(touch(p, &v), SIGBUS, "a mapping that was used");
	is(touch_write(p, 1), SIGBUS, "likewise, written");
	is(touch(q, &v), SIGBUS, "a mapping of a child");
	is(touch(r, &v), SIGBUS, "a mapping never used");
	ok(by_mem(p, &v, 8, false) <= 0, "/proc/self/mem, read");
	ok(by_mem(p, &v, 8, true) <= 0, "/proc/self/mem, written");
	is(map_error(b->env, b->handle, 0, 4, RO), -ESTALE, "a new mapping");
	is(map_error(b->env, child, 0, 1, RO), -ESTALE, "one of the child");
	is(mprotect(p, PAGE, RO), 0, "mprotect changes the mapping");
	is(touch(p, &v), SIGBUS, "but not what is behind it");
	ok(mremap(p, 4 * PAGE, PAGE, 0) != MAP_FAILED, "mremap likewise");
	is(touch(p, &v), SIGBUS, "nothing is behind");
	is(derive(b->env, b->handle, R, 0, 1, &out), -ESTALE, "derive");
	is(export_fd(b->env, b->handle), -ESTALE, "export");
	is(import_fd(b->env, b->fd, &out), -ESTALE, "import alice's fd");
	is(import_fd(b->env, fd, &out), -ESTALE, "import his own");
	is(v, 0, "nothing was read");
	munmap(p, PAGE);
	munmap(q, 2 * PAGE);
	munmap(r, PAGE);
	close(fd);
	exo_close_handle(b->env, child);
	give_back(b);
}

/* fork: the child has no mapping; it may map, and loses it likewise. */
static void fork_after_revoke(struct bob *b)
{
	int up[2], down[2];
	uint64_t *p;
	char c = 0;
	pid_t pid;

	lend(b, RWS, 4, 4);
	p = cap_mapped(b->env, b->handle, 0, 4, RDWR);
	p[0] = OLD + 4;
	if (pipe(up) || pipe(down))
		bail("pipe: %m");
	pid = fork();
	if (!pid) {
		uint64_t *q;

		is(touch(p, NULL), SIGSEGV, "a forked child has no mapping");
		q = cap_mapped(b->env, b->handle, 0, 4, RDWR);
		is(touch(q, NULL), 0, "it can map, in the same env");
		if (write(up[1], &c, 1) != 1 || read(down[0], &c, 1) != 1)
			bail("pipe: %m");
		is(touch(q, NULL), SIGBUS, "and loses that too");
		is(map_error(b->env, b->handle, 0, 1, RO), -ESTALE,
		   "for good");
		_exit(0);
	}
	if (read(up[0], &c, 1) != 1)
		bail("the child died");
	taken_back(b);
	if (write(down[1], &c, 1) != 1)
		bail("pipe: %m");
	is(reap(pid), 0, "the child ended well");
	munmap(p, 4 * PAGE);
	close(up[0]);
	close(up[1]);
	close(down[0]);
	close(down[1]);
	give_back(b);
}

/* After exec with both fds kept open. */
static int after_exec(int env, int fd, uint32_t handle)
{
	uint32_t out;

	return import_fd(env, fd, &out) == -ESTALE &&
	       map_error(env, handle, 0, 1, RO) == -ESTALE &&
	       import_fd(exo_open(), fd, &out) == -ESTALE ? 0 : 1;
}

static void exec_after_revoke(struct bob *b)
{
	char env[16], fd[16], handle[16];
	pid_t pid;

	lend(b, RWS, 4, 4);
	taken_back(b);
	snprintf(env, sizeof(env), "%d", b->env);
	snprintf(fd, sizeof(fd), "%d", b->fd);
	snprintf(handle, sizeof(handle), "%u", b->handle);
	pid = fork();
	if (!pid) {
		fcntl(b->env, F_SETFD, 0);
		fcntl(b->fd, F_SETFD, 0);
		execl(self, self, env, fd, handle, NULL);
		_exit(2);
	}
	is(reap(pid), 0, "exec, fds kept: stale");
	give_back(b);
}

/* bob's env in another process's hands, and another user's import. */
static int carol(void *arg)
{
	int env, fd, sock = *(int *)arg;
	uint32_t handle = take(sock, &env), in, out;
	uint64_t *p, *q;

	take(sock, &fd);
	p = cap_mapped(env, handle, 0, 4, RDWR);
	in = 0;
	is(import_fd(exo_open(), fd, &in), 0, "a third party imports");
	q = cap_mapped(env, handle, 0, 1, RO);
	is(q[0], OLD + 4, "and by bob's env it sees what he does");
	pass(sock, 0, -1);
	take(sock, NULL);
	is(touch(p, NULL), SIGBUS, "it loses what it mapped");
	is(touch(q, NULL), SIGBUS, "all of it");
	is(import_fd(exo_open(), fd, &out), -ESTALE, "and can import no more");
	return 0;
}

static void passed_on(struct bob *b)
{
	int sock[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sock))
		bail("socketpair: %m");
	pid = fork();
	if (!pid)
		_exit(carol(&sock[1]));
	lend(b, RWS, 4, 4);
	pass(sock[0], b->handle, b->env);
	pass(sock[0], 0, b->fd);
	take(sock[0], NULL);
	is(taken_back(b), 3, "alice takes it back from all");
	pass(sock[0], 0, -1);
	is(reap(pid), 0, "the third party ended well");
	close(sock[0]);
	close(sock[1]);
	give_back(b);
}

static int bob(void *arg)
{
	static void (*const attacks[])(struct bob *) = {
		write_read_only, poke_read_only, write_only, widen, reach_out,
		guess, revoke_upwards, keep_hold, use_after_revoke,
		fork_after_revoke, exec_after_revoke, passed_on,
	};
	struct bob b = { .env = exo_open(), .sock = *(int *)arg };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(attacks); i++)
		attacks[i](&b);
	pass(b.sock, QUIT, -1);
	return 0;
}

int main(int argc, char **argv)
{
	char cg_alice[128], cg_bob[128];
	struct exo_stats before;
	int sock[2], env;
	pid_t a, b;

	if (argc == 4)
		return after_exec(atoi(argv[1]), atoi(argv[2]), atoi(argv[3]));
	self = argv[0];
	exo_setup();
	env = exo_open();
	before = stats_get(env);
	if (memcg_new(cg_alice, "alice", 64L << 20) ||
	    memcg_new(cg_bob, "bob", 64L << 20) ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sock))
		bail("cannot set up: %m");
	a = as_user_start(cg_alice, UID_ALICE, alice, &sock[0]);
	b = as_user_start(cg_bob, UID_BOB, bob, &sock[1]);
	close(sock[0]);
	close(sock[1]);
	is(reap(b), 0, "bob's process ended well");
	is(reap(a), 0, "alice's process ended well");
	ok(stats_wait(env, &before, 3000), "nothing is left of them");
	close(env);
	memcg_delete(cg_alice);
	memcg_delete(cg_bob);
	return done_testing();
}
