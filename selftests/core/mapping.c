// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Can a mapping show what it should not: other pages, or pages that are gone?
 */
#include "../exo_test.h"

#include <limits.h>
#include <sys/ptrace.h>
#include <sys/resource.h>

#define PAGE 4096UL

static int map_error(int fd, size_t bytes, int prot, int flags, uint64_t off)
{
	void *p = mmap(NULL, bytes, prot, flags, fd, off);
	int rc = errno;

	if (p == MAP_FAILED)
		return -rc;
	munmap(p, bytes);
	return 0;
}

static void test_refusals(int fd)
{
	const int rw = PROT_READ | PROT_WRITE;
	struct exo_frame_alloc a, gone;
	uint64_t off;

	exo_alloc(fd, 4, 0, &a);
	exo_alloc(fd, 4, 0, &gone);
	exo_close_handle(fd, gone.out_handle);
	off = a.out_mmap_offset;

	is(map_error(fd, 4 * PAGE, rw, MAP_SHARED, off), 0, "all of a frame");
	is(map_error(fd, PAGE, rw, MAP_SHARED, off + 3 * PAGE), 0,
	   "its last page");
	is(map_error(fd, 4 * PAGE, rw, MAP_SHARED_VALIDATE, off), 0,
	   "MAP_SHARED_VALIDATE");
	is(map_error(fd, 4 * PAGE, rw, MAP_PRIVATE, off), -EINVAL,
	   "a private mapping is refused");
	is(map_error(fd, PAGE, PROT_READ, MAP_PRIVATE, off), -EINVAL,
	   "a private read-only mapping is refused");
	is(map_error(fd, PAGE, PROT_READ | PROT_EXEC, MAP_SHARED, off),
	   -EINVAL, "an executable mapping is refused");
	is(map_error(fd, 5 * PAGE, rw, MAP_SHARED, off), -EINVAL,
	   "one page too many is refused");
	is(map_error(fd, PAGE, rw, MAP_SHARED, off + 4 * PAGE), -EINVAL,
	   "the page after the last is refused");
	is(map_error(fd, 2 * PAGE, rw, MAP_SHARED, off + 3 * PAGE), -EINVAL,
	   "a range across the end is refused");
	is(map_error(fd, PAGE, rw, MAP_SHARED, off + (1ULL << 32) - PAGE),
	   -EINVAL, "the last page of its offsets is refused");
	is(map_error(fd, 8 * PAGE, rw, MAP_SHARED, off - 4 * PAGE), -EACCES,
	   "a range from before its offsets is refused");
	is(map_error(fd, PAGE, rw, MAP_SHARED, off + 1), -EINVAL,
	   "an odd offset is refused");
	is(map_error(fd, PAGE, rw, MAP_SHARED, 0), -EACCES,
	   "offset 0, exposed information, is not writable");
	is(map_error(fd, PAGE, rw, MAP_SHARED, gone.out_mmap_offset), -ENOENT,
	   "a closed frame is gone");
	is(map_error(fd, PAGE, rw, MAP_SHARED, 0x7fffffffULL << 32), -ENOENT,
	   "the last handle is nobody's");
	ok(map_error(fd, PAGE, rw, MAP_SHARED, 0xffffffffULL << 32) < 0,
	   "an offset beyond the handles is refused");
	ok(map_error(fd, PAGE, rw, MAP_SHARED, 0ULL - PAGE) < 0,
	   "the last offset is refused");
	exo_close_handle(fd, a.out_handle);
}

/* What a mapping may become later. */
static void test_changes(int fd)
{
	struct exo_frame_alloc a;
	uint64_t *p, *q, v = 0;

	exo_alloc(fd, 4, 0, &a);
	p = exo_map(fd, a.out_mmap_offset, 4 * PAGE);
	p[0] = 11;
	p[PAGE / 8 * 2] = 22;

	is(mprotect(p, PAGE, PROT_READ | PROT_EXEC), -1, "no PROT_EXEC later");
	is(errno, EACCES, "but EACCES");
	ok(mremap(p, 4 * PAGE, 8 * PAGE, MREMAP_MAYMOVE) == MAP_FAILED,
	   "a mapping does not grow");
	ok(mremap(p, 0, 4 * PAGE, MREMAP_MAYMOVE) == MAP_FAILED,
	   "nor is it doubled by mremap");
	is(madvise(p, PAGE, MADV_DOFORK), -1, "MADV_DOFORK is refused");
	is(madvise(p, PAGE, MADV_DODUMP), -1, "MADV_DODUMP is refused");
	is(madvise(p, PAGE, MADV_REMOVE), -1, "MADV_REMOVE is refused");
	q = mremap(p, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
		   (char *)p + (64UL << 20));
	if (ok(q != MAP_FAILED, "a mapping can be moved")) {
		is(q[PAGE / 8 * 2], 22, "and shows the same page");
		p = q;
	}
	is(mprotect(p, PAGE, PROT_READ), 0, "read-only");
	is(touch_write(p, 1), SIGSEGV, "then a write is SIGSEGV");
	is(mprotect(p, PAGE, PROT_READ | PROT_WRITE), 0, "writable again");
	is(touch_write(p, 12), 0, "then a write works");
	q = exo_map(fd, a.out_mmap_offset + 2 * PAGE, PAGE);
	is(touch(q, &v), 0, "a page out of the middle");
	is(v, 22, "is the right page");
	munmap(q, PAGE);
	/* Last, because a refusal leaves a hole where the page was. */
	ok(syscall(SYS_remap_file_pages, p, PAGE, 0,
		   (a.out_mmap_offset >> 12) + 4, 0) == -1,
	   "remap_file_pages does not reach beyond the frame");
	ok(syscall(SYS_remap_file_pages, p + PAGE / 8, PAGE, 0,
		   (a.out_mmap_offset + (1ULL << 32)) >> 12, 0) == -1,
	   "nor another handle");
	munmap(p, 4 * PAGE);
	exo_close_handle(fd, a.out_handle);
}

static void test_closed(int fd)
{
	struct exo_frame_alloc a, b;
	int pipefd[2];
	uint64_t *p, *q;

	if (pipe(pipefd))
		bail("pipe: %m");
	exo_alloc(fd, 20, 0, &a);
	p = exo_map(fd, a.out_mmap_offset, 20 * PAGE);
	p[0] = 1;
	is(write(pipefd[1], p, 8), 8, "write(2) out of a frame");
	is(exo_close_handle(fd, a.out_handle), 0, "close while it is mapped");
	is(touch(p, NULL), SIGBUS, "a page touched before: SIGBUS");
	is(touch(p + 19 * PAGE / 8, NULL), SIGBUS, "one never touched: SIGBUS");
	is(touch_write(p, 1), SIGBUS, "a write: SIGBUS");
	is(write(pipefd[1], p, 8), -1, "a system call on it fails");
	is(errno, EFAULT, "with EFAULT");
	exo_alloc(fd, 20, 0, &b);
	ok(a.out_handle != b.out_handle, "a new frame has a new handle");
	q = exo_map(fd, b.out_mmap_offset, 20 * PAGE);
	q[0] = 2;
	is(touch(p, NULL), SIGBUS, "the old mapping does not show it");
	munmap(p, 20 * PAGE);
	munmap(q, 20 * PAGE);
	exo_close_handle(fd, b.out_handle);
	close(pipefd[0]);
	close(pipefd[1]);
}

/* True if the mapping at @p has the two-letter flag in smaps. */
static bool has_vm_flag(void *p, const char *flag)
{
	char line[512], want[32];
	bool here = false, found = false;
	FILE *f = fopen("/proc/self/smaps", "re");

	snprintf(want, sizeof(want), "%lx-", (unsigned long)p);
	while (f && fgets(line, sizeof(line), f)) {
		if (strchr(line, '-') && strspn(line, "0123456789abcdef") > 4)
			here = !strncmp(line, want, strlen(want));
		if (here && !strncmp(line, "VmFlags:", 8))
			found = strstr(line, flag);
	}
	if (f)
		fclose(f);
	return found;
}

static void test_debugger(int fd)
{
	struct exo_frame_alloc a;
	uint64_t *p, buf[1024];
	int mem;

	/* With a hole after it. */
	exo_alloc(fd, 4, 0, &a);
	p = mmap(NULL, 5 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	p = mmap(p, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
		 fd, a.out_mmap_offset);
	if (p == MAP_FAILED || munmap(p + 4 * PAGE / 8, PAGE))
		bail("mmap: %m");
	p[0] = 0x1111;
	p[PAGE / 8 - 1] = 0x2222;
	p[PAGE / 8] = 0x3333;
	ok(has_vm_flag(p, " dd "), "left out of core dumps");
	ok(has_vm_flag(p, " dc "), "not copied by fork");
	ok(has_vm_flag(p, " de "), "not growable");
	ok(has_vm_flag(p, " pf ") && has_vm_flag(p, " io "),
	   "mapped by page frame number");

	mem = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	is(pread(mem, buf, 16, (uintptr_t)p + PAGE - 8), 16,
	   "a debugger reads across two pages");
	ok(buf[0] == 0x2222 && buf[1] == 0x3333, "and sees what is there");
	buf[0] = 0x4444;
	is(pwrite(mem, buf, 8, (uintptr_t)p), 8, "a debugger writes");
	is(p[0], 0x4444, "and it is there");
	is(pread(mem, buf, 8192, (uintptr_t)p + 3 * PAGE), (long)PAGE,
	   "a read beyond the mapping ends where it ends");
	exo_close_handle(fd, a.out_handle);
	ok(pread(mem, buf, 8, (uintptr_t)p) <= 0, "not after close");
	ok(pwrite(mem, buf, 8, (uintptr_t)p) <= 0, "nor a write");
	close(mem);
	munmap(p, 4 * PAGE);
}

static void test_ptrace(int fd)
{
	struct exo_frame_alloc a;
	uint64_t *shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid;
	long v;

	exo_alloc(fd, 1, 0, &a);
	pid = fork();
	if (!pid) {
		uint64_t *p = exo_map(fd, a.out_mmap_offset, PAGE);

		*p = 0x5555;
		*shared = (uintptr_t)p;
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		_exit(*p == 0x6666 ? 0 : 1);
	}
	waitpid(pid, NULL, WUNTRACED);
	v = ptrace(PTRACE_PEEKDATA, pid, (void *)*shared, NULL);
	is(v, 0x5555, "PTRACE_PEEKDATA");
	is(ptrace(PTRACE_POKEDATA, pid, (void *)*shared, (void *)0x6666L), 0,
	   "PTRACE_POKEDATA");
	ptrace(PTRACE_CONT, pid, NULL, NULL);
	is(reap(pid), 0, "the child sees the word poked");
	munmap(shared, PAGE);
	exo_close_handle(fd, a.out_handle);
}

static void test_fork(int fd)
{
	struct exo_frame_alloc a;
	uint64_t *p, v;
	pid_t pid;

	exo_alloc(fd, 1, 0, &a);
	p = exo_map(fd, a.out_mmap_offset, PAGE);
	*p = 77;
	pid = fork();
	if (!pid) {
		uint64_t *q;

		is(touch(p, NULL), SIGSEGV, "fork: the child has no mapping");
		q = exo_map(fd, a.out_mmap_offset, PAGE);
		ok(q != MAP_FAILED && !touch(q, &v) && v == 77,
		   "fork: the inherited fd is the same env");
		*q = 78;
		_exit(0);
	}
	is(reap(pid), 0, "fork: the child ended well");
	is(*p, 78, "fork: the parent sees the child's write");
	pid = fork();
	if (!pid)
		_exit(exo_close_handle(fd, a.out_handle) ? 1 : 0);
	is(reap(pid), 0, "fork: the child closes the handle");
	is(touch(p, NULL), SIGBUS, "fork: then it is closed for the parent");
	munmap(p, PAGE);
}

/* The env lives as long as the last mapping, and exec ends it. */
static void test_end(int fd)
{
	struct exo_stats before = stats_get(fd), s;
	struct exo_frame_alloc a;
	int other = exo_open();
	uint64_t *p;
	pid_t pid;

	exo_alloc(other, 1, 0, &a);
	p = exo_map(other, a.out_mmap_offset, PAGE);
	*p = 5;
	close(other);
	is(*p, 5, "a mapping keeps its env after close(2)");
	s = stats_get(fd);
	is(s.out_nr_envs, before.out_nr_envs + 1, "the env is still there");
	munmap(p, PAGE);
	ok(stats_wait(fd, &before, 2000), "gone with the last mapping");

	pid = fork();
	if (!pid) {
		other = exo_open();
		exo_alloc(other, 1, 0, &a);
		p = exo_map(other, a.out_mmap_offset, PAGE);
		*p = 5;
		close(fd);
		execl("/bin/sleep", "sleep", "30", NULL);
		_exit(1);
	}
	usleep(200000);
	ok(stats_wait(fd, &before, 5000), "exec ends the env and its frames");
	is(kill(pid, 0), 0, "while the process lives");
	kill(pid, SIGKILL);
	reap(pid);
}

/* True if the file holds the words seed, seed * 3, ... of a core dump. */
static bool file_has_words(const char *path, uint64_t seed)
{
	uint64_t words[16], *p;
	struct stat st;
	bool found;
	int i, fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st))
		bail("no core dump at %s: %m", path);
	p = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	for (i = 0; i < 16; i++, seed *= 3)
		words[i] = seed;
	found = memmem(p, st.st_size, words, sizeof(words));
	munmap(p, st.st_size);
	close(fd);
	return found;
}

static int dump_core(void *arg)
{
	struct rlimit lim = { RLIM_INFINITY, RLIM_INFINITY };
	volatile uint64_t *p, *q;
	struct exo_frame_alloc a;
	uint64_t s1 = 0x9e3779b97f4a7c15, s2 = 0xc2b2ae3d27d4eb4f;
	int i, fd = exo_open();

	(void)arg;
	setrlimit(RLIMIT_CORE, &lim);
	exo_alloc(fd, 1, 0, &a);
	p = exo_map(fd, a.out_mmap_offset, PAGE);
	q = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (i = 0; i < 16; i++, s1 *= 3, s2 *= 3) {
		p[i] = s1;
		q[i] = s2;
	}
	abort();
}

static void test_core(void)
{
	struct rlimit lim = { RLIM_INFINITY, RLIM_INFINITY };

	mkdir("/tmp/cores", 0777);
	chmod("/tmp/cores", 0777);
	if (write_file("/proc/sys/kernel/core_pattern", "/tmp/cores/core") ||
	    setrlimit(RLIMIT_CORE, &lim))
		bail("cannot ask for core dumps: %m");
	is(as_user(UID_ALICE, dump_core, NULL), 128 + SIGABRT,
	   "a process that has a frame dumps core");
	ok(file_has_words("/tmp/cores/core", 0xc2b2ae3d27d4eb4f),
	   "the dump has ordinary memory");
	ok(!file_has_words("/tmp/cores/core", 0x9e3779b97f4a7c15),
	   "it does not have the frame");
	unlink("/tmp/cores/core");
}

static int run(void *arg)
{
	struct exo_stats before;
	int fd = exo_open();

	(void)arg;
	before = stats_get(fd);
	test_refusals(fd);
	test_changes(fd);
	test_closed(fd);
	test_debugger(fd);
	test_ptrace(fd);
	test_fork(fd);
	test_end(fd);
	ok(stats_wait(fd, &before, 2000), "counters are as at the start");
	close(fd);
	return 0;
}

int main(void)
{
	exo_setup();
	is(as_user(UID_ALICE, run, NULL), 0, "alice's process ended well");
	test_core();
	return done_testing();
}
