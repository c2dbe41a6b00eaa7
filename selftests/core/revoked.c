// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Memory that was revoked: does the kernel itself still reach it on somebody's
 * behalf, as the buffer of a system call, for a debugger, for another process?
 *
 * Each way is first shown to work while the capability lives, or never to.
 */
#include "cap.h"
#include "../exo_uring.h"

#include <sys/ptrace.h>

#define NR_PAGES	4
#define WORDS		(PAGE / 8)
#define OLD		0x01d01d01d0000000ULL	/* what is lent */
#define NEW		0x5ec2e75ec2e70000ULL	/* written after it is back */

/* The owner's env, and one that it lends to. */
struct lent {
	int owner;
	int env;
	uint32_t frame;
	uint32_t handle;	/* of env: all pages, read and write */
	uint64_t *mine;		/* the owner's mapping */
	uint64_t *p;		/* env's */
};

static void fill(struct lent *l, uint64_t value)
{
	size_t i;

	for (i = 0; i < NR_PAGES * WORDS; i++)
		l->mine[i] = value;
}

static bool all_are(const struct lent *l, uint64_t value)
{
	size_t i;

	for (i = 0; i < NR_PAGES * WORDS && l->mine[i] == value; i++)
		;
	return i == NR_PAGES * WORDS;
}

static void lent_begin(struct lent *l)
{
	int fd;

	l->owner = exo_open();
	l->env = exo_open();
	l->frame = frame_new(l->owner, NR_PAGES);
	l->mine = cap_mapped(l->owner, l->frame, 0, NR_PAGES, RDWR);
	fill(l, OLD);
	fd = export_fd(l->owner, l->frame);
	if (fd < 0 || import_fd(l->env, fd, &l->handle))
		bail("cannot lend");
	close(fd);
	l->p = cap_mapped(l->env, l->handle, 0, NR_PAGES, RDWR);
}

static void take_back(struct lent *l)
{
	is(cap_revoke(l->owner, l->frame, 0), 1, "the owner takes it back");
	fill(l, NEW);
}

static void lent_end(struct lent *l)
{
	munmap(l->mine, NR_PAGES * PAGE);
	munmap(l->p, NR_PAGES * PAGE);
	close(l->env);
	close(l->owner);
}

/* ---------------------------------------------------- buffers of calls */

static int sink;		/* a memfd: what came out of the buffer */
static int source;		/* a memfd full of OLD */

static long by_write(uint64_t *p)
{
	return pwrite(sink, p, 64, 0);
}

static long by_read(uint64_t *p)
{
	return pread(source, p, 64, 0);
}

/* With ordinary memory before it, which must not hide the failure. */
static long by_writev(uint64_t *p)
{
	uint64_t word = OLD;
	struct iovec iov[] = { { &word, 8 }, { p, 56 } };

	return pwritev(sink, iov, 2, 0);
}

static long by_pipe_write(uint64_t *p)
{
	int fds[2];
	long rc;

	if (pipe(fds))
		bail("pipe: %m");
	rc = write(fds[1], p, 64);
	if (rc > 0)
		rc = read(fds[0], p, 64);
	close(fds[0]);
	close(fds[1]);
	return rc;
}

static long by_socket(uint64_t *p)
{
	int s[2];
	long rc;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, s))
		bail("socketpair: %m");
	rc = send(s[0], p, 64, 0);
	if (rc > 0)
		rc = recv(s[1], p, 64, 0);
	close(s[0]);
	close(s[1]);
	return rc;
}

static long by_recv(uint64_t *p)
{
	uint64_t words[8] = { OLD, OLD, OLD, OLD, OLD, OLD, OLD, OLD };
	int s[2];
	long rc;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, s) || send(s[0], words, 64, 0) != 64)
		bail("socketpair: %m");
	rc = recv(s[1], p, 64, 0);
	close(s[0]);
	close(s[1]);
	return rc;
}

/* The struct of a command lies in it. */
static long by_command(uint64_t *p)
{
	int env = exo_open();
	long rc = ioctl(env, EXO_CMD_QUERY, p);

	close(env);
	return rc;
}

/* io_uring, which reads on behalf of a process, perhaps from a worker. */
static long by_uring(uint64_t *p)
{
	struct io_uring_sqe *sqe;
	struct io_uring u;
	long rc;

	if (!uring_new(&u, 4, 0))
		return 64;
	sqe = io_uring_get_sqe(&u);
	io_uring_prep_read(sqe, source, p, 64, 0);
	sqe->flags |= IOSQE_ASYNC;
	io_uring_submit(&u);
	rc = uring_next(&u, NULL);
	io_uring_queue_exit(&u);
	errno = rc < 0 ? -rc : 0;
	return rc < 0 ? -1 : rc;
}

static const struct way {
	const char *name;
	long (*go)(uint64_t *p);
	long alive;		/* what it says while the capability lives */
	long ended;		/* and then: bytes of ordinary memory, or -errno */
} ways[] = {
	{ "pwrite(2) from it", by_write, 64, -EFAULT },
	{ "pread(2) into it", by_read, 64, -EFAULT },
	{ "pwritev(2), half from it", by_writev, 64, 8 },
	{ "a pipe", by_pipe_write, 64, -EFAULT },
	{ "send(2) from it", by_socket, 64, -EFAULT },
	{ "recv(2) into it", by_recv, 64, -EFAULT },
	{ "io_uring read into it", by_uring, 64, -EFAULT },
};

static long go(const struct way *w, uint64_t *p)
{
	long rc;

	errno = 0;
	rc = w->go(p);
	return rc < 0 ? -errno : rc;
}

static int memfd_of(uint64_t value)
{
	uint64_t words[WORDS];
	int fd = memfd_create("revoked", MFD_CLOEXEC);
	size_t i;

	for (i = 0; i < WORDS; i++)
		words[i] = value;
	if (fd < 0 || write(fd, words, sizeof(words)) != sizeof(words))
		bail("memfd: %m");
	return fd;
}

/* Words of the sink that are what was written after the revocation. */
static int nr_leaked(void)
{
	uint64_t words[WORDS];
	int i, n = 0;

	if (pread(sink, words, sizeof(words), 0) != sizeof(words))
		bail("pread: %m");
	for (i = 0; i < (int)WORDS; i++)
		n += words[i] == NEW;
	return n;
}

static void test_buffers(void)
{
	struct lent l;
	size_t i;

	lent_begin(&l);
	sink = memfd_of(0);
	source = memfd_of(OLD);
	for (i = 0; i < ARRAY_SIZE(ways); i++)
		is(go(&ways[i], l.p), ways[i].alive, "alive: %s",
		   ways[i].name);
	ok(all_are(&l, OLD), "they moved what they should");
	take_back(&l);
	for (i = 0; i < ARRAY_SIZE(ways); i++)
		is(go(&ways[i], l.p), ways[i].ended, "revoked: %s",
		   ways[i].name);
	ok(all_are(&l, NEW), "none wrote into it");
	is(nr_leaked(), 0, "none read from it");
	close(sink);
	close(source);
	lent_end(&l);
}

static void test_command(void)
{
	struct exo_query q = { .size = sizeof(q) };
	struct lent l;

	lent_begin(&l);
	memcpy(l.p, &q, sizeof(q));
	is(by_command(l.p), 0, "alive: the struct of a command");
	ok(((struct exo_query *)l.p)->out_page_bytes == PAGE, "is answered");
	take_back(&l);
	is(by_command(l.p), -1, "revoked: the struct of a command");
	is(errno, EFAULT, "is EFAULT");
	ok(all_are(&l, NEW), "and not answered");
	lent_end(&l);
}

/* A buffer that begins in memory that lives and goes on in what was revoked. */
static void test_straddle(void)
{
	struct lent l;
	uint32_t part;
	char *p;

	lent_begin(&l);
	sink = memfd_of(0);
	p = mmap(NULL, 2 * PAGE, RDWR, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	part = derived(l.env, l.handle, RW, 0, 1);
	if (p == MAP_FAILED || mmap(p + PAGE, PAGE, RDWR, MAP_SHARED | MAP_FIXED,
				    l.env, (uint64_t)part << 32) == MAP_FAILED)
		bail("mmap: %m");
	is(pwrite(sink, p + PAGE - 64, 128, 0), 128, "alive: across its edge");
	is(cap_revoke(l.env, part, EXO_REVOKE_SELF), 1, "revoke that part");
	fill(&l, NEW);
	is(pwrite(sink, p + PAGE - 64, 128, 0), 64,
	   "revoked: all up to its edge");
	is(pwrite(sink, p + PAGE, 64, 0), -1, "and nothing of itself");
	is(nr_leaked(), 0, "which is not in the file");
	munmap(p, 2 * PAGE);
	close(sink);
	lent_end(&l);
}

/* ----------------------------------------------------------- debuggers */

/* A word of another process, moved by process_vm_*(2): bytes or -errno. */
static long by_vm(pid_t pid, uint64_t *p, uint64_t *word, bool write_it)
{
	struct iovec here = { word, 8 }, there = { p, 8 };
	long rc = write_it ? process_vm_writev(pid, &here, 1, &there, 1, 0) :
			     process_vm_readv(pid, &here, 1, &there, 1, 0);

	return rc < 0 ? -errno : rc;
}

static long by_proc(pid_t pid, uint64_t *p, uint64_t *word, bool write_it)
{
	char path[64];
	int fd;
	long rc;

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		bail("%s: %m", path);
	rc = write_it ? pwrite(fd, word, 8, (uintptr_t)p) :
			pread(fd, word, 8, (uintptr_t)p);
	rc = rc < 0 ? -errno : rc;
	close(fd);
	return rc;
}

/* Maps what was lent, stops, touches it when it goes on. */
static int debuggee(const struct lent *l)
{
	uint64_t *p = mmap(l->p, PAGE, RDWR, MAP_SHARED | MAP_FIXED, l->env,
			   (uint64_t)l->handle << 32);

	if (p != l->p || p[0] != OLD)
		return 1;
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
		return 2;
	raise(SIGSTOP);
	return touch(p, NULL) == SIGBUS && touch_write(p, 1) == SIGBUS ? 0 : 3;
}

static void poke_alive(struct lent *l, pid_t pid)
{
	uint64_t v = 0;

	errno = 0;
	is(ptrace(PTRACE_PEEKDATA, pid, l->p, NULL), (long)OLD,
	   "alive: PTRACE_PEEKDATA");
	is(ptrace(PTRACE_POKEDATA, pid, l->p, (void *)OLD), 0,
	   "alive: PTRACE_POKEDATA");
	is(by_proc(pid, l->p, &v, false), 8, "alive: /proc/PID/mem");
	is(v, OLD, "shows what is there");
	v = OLD;
	is(by_proc(pid, l->p, &v, true), 8, "and takes it");
	is(by_vm(pid, l->p, &v, false), -EFAULT,
	   "alive: process_vm_readv cannot, ever");
	is(by_vm(pid, l->p, &v, true), -EFAULT, "nor process_vm_writev");
}

static void poke_revoked(struct lent *l, pid_t pid)
{
	uint64_t v = 0;

	errno = 0;
	is(ptrace(PTRACE_PEEKDATA, pid, l->p, NULL), -1,
	   "revoked: PTRACE_PEEKDATA");
	is(errno, EIO, "is EIO");
	is(ptrace(PTRACE_POKEDATA, pid, l->p, (void *)1L), -1,
	   "revoked: PTRACE_POKEDATA");
	is(errno, EIO, "is EIO");
	is(by_proc(pid, l->p, &v, false), -EIO, "revoked: /proc/PID/mem");
	is(by_vm(pid, l->p, &v, false), -EFAULT, "revoked: process_vm_readv");
	is(v, 0, "nothing is read");
	v = 1;
	is(by_proc(pid, l->p, &v, true), -EIO, "revoked: /proc/PID/mem, write");
	is(by_vm(pid, l->p, &v, true), -EFAULT, "revoked: process_vm_writev");
	ok(all_are(l, NEW), "nothing is written");
}

static void test_debugger(void)
{
	struct lent l;
	pid_t pid;

	lent_begin(&l);
	pid = fork();
	if (!pid)
		_exit(debuggee(&l));
	if (waitpid(pid, NULL, WUNTRACED) != pid)
		bail("waitpid: %m");
	poke_alive(&l, pid);
	take_back(&l);
	poke_revoked(&l, pid);
	ptrace(PTRACE_CONT, pid, NULL, NULL);
	for (;;) {
		int status;

		waitpid(pid, &status, 0);
		if (!WIFSTOPPED(status)) {
			is(WIFEXITED(status) ? WEXITSTATUS(status) : -1, 0,
			   "the process itself has SIGBUS");
			break;
		}
		ptrace(PTRACE_CONT, pid, NULL, (long)WSTOPSIG(status));
	}
	lent_end(&l);
}

static int run(void *arg)
{
	struct exo_stats before;
	int env = exo_open();

	(void)arg;
	before = stats_get(env);
	test_buffers();
	test_command();
	test_straddle();
	test_debugger();
	ok(stats_wait(env, &before, 3000), "counters are as at the start");
	close(env);
	return 0;
}

int main(void)
{
	exo_setup();
	is(as_user(UID_ALICE, run, NULL), 0, "alice's process ended well");
	return done_testing();
}
