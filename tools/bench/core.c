// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * core: what the module's core costs, beside what Linux offers for the same. Run
 * by tools/bench/core, which counts instructions between the marks.
 *
 * Prints "case CASE SYSTEM OPS" in the order of the marks; each case stands
 * between a mark-0 and the mark-1 after it. With a word on its command line
 * each runs a few times only, which shows that it works.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <linux/exo.h>

#include "../vm/mark.h"

#define PAGE		4096
#define BIG_PAGES	512
#define WARM		64
#define OPS		2000
#define BIG_OPS		50
#define FEW		5
#define CHILDREN	10000
#define CHAIN_ROOTS	200

static int env;
static bool quick;

static void die(const char *what)
{
	fprintf(stderr, "bench-core: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void exo(unsigned long cmd, void *arg, const char *what)
{
	if (ioctl(env, cmd, arg) < 0)
		die(what);
}

static void drop(uint32_t handle)
{
	struct exo_handle_close c = { .size = sizeof(c), .handle = handle };

	exo(EXO_CMD_HANDLE_CLOSE, &c, "close");
}

static struct exo_frame_alloc alloc(uint32_t nr_pages)
{
	struct exo_frame_alloc a = { .size = sizeof(a), .nr_pages = nr_pages };

	exo(EXO_CMD_FRAME_ALLOC, &a, "allocate");
	return a;
}

static uint32_t derive(uint32_t handle)
{
	struct exo_cap_derive d = {
		.size = sizeof(d), .handle = handle,
		.rights = EXO_RIGHT_READ, .nr = 1,
	};

	exo(EXO_CMD_CAP_DERIVE, &d, "derive");
	return d.out_handle;
}

static void end_below(uint32_t handle)
{
	struct exo_cap_revoke r = { .size = sizeof(r), .handle = handle };

	exo(EXO_CMD_CAP_REVOKE, &r, "revoke");
}

/* That what was made from it ends in an hour. */
static void give_notice(uint32_t handle)
{
	struct exo_cap_revoke r = {
		.size = sizeof(r), .handle = handle, .timeout_ms = 3600000,
	};

	exo(EXO_CMD_CAP_REVOKE, &r, "give notice");
}

/* Writes a word into each page. */
static void touch(char *at, uint32_t nr_pages)
{
	uint32_t i;

	for (i = 0; i < nr_pages; i++)
		at[(size_t)i * PAGE] = 1;
	asm volatile("" ::: "memory");
}

static void exo_empty(void)
{
	struct exo_query q = { .size = sizeof(q) };

	exo(EXO_CMD_QUERY, &q, "query");
}

static void linux_empty(void)
{
	int off = 0;

	/* A command that reads one word and does next to nothing. */
	if (ioctl(STDIN_FILENO, FIONBIO, &off) < 0)
		die("FIONBIO");
}

static void exo_pages(uint32_t nr_pages)
{
	struct exo_frame_alloc a = alloc(nr_pages);
	char *at = mmap(NULL, (size_t)nr_pages * PAGE, PROT_READ | PROT_WRITE,
			MAP_SHARED, env, a.out_mmap_offset);

	if (at == MAP_FAILED)
		die("mmap");
	touch(at, nr_pages);
	munmap(at, (size_t)nr_pages * PAGE);
	drop(a.out_handle);
}

static void linux_pages(uint32_t nr_pages)
{
	size_t bytes = (size_t)nr_pages * PAGE;
	char *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED || mlock(at, bytes))
		die("mmap and mlock");
	touch(at, nr_pages);
	munmap(at, bytes);
}

static void exo_page(void)
{
	exo_pages(1);
}

static void linux_page(void)
{
	linux_pages(1);
}

static void exo_big(void)
{
	exo_pages(BIG_PAGES);
}

static void linux_big(void)
{
	linux_pages(BIG_PAGES);
}

static uint32_t shared;		/* a frame to derive from */

static void exo_derive(void)
{
	drop(derive(shared));
}

static void linux_dup(void)
{
	int fd = dup(env);

	if (fd < 0)
		die("dup");
	close(fd);
}

static void exo_pass(void)
{
	struct exo_cap_export e = { .size = sizeof(e), .handle = shared };
	struct exo_cap_import i = { .size = sizeof(i) };

	exo(EXO_CMD_CAP_EXPORT, &e, "export");
	i.fd = e.out_fd;
	exo(EXO_CMD_CAP_IMPORT, &i, "import");
	close(e.out_fd);
	drop(i.out_handle);
}

static void linux_pass(void)
{
	int fd = memfd_create("bench", MFD_CLOEXEC);
	char *at;

	/* What can be passed on and mapped there: a file without a name. */
	if (fd < 0 || ftruncate(fd, PAGE))
		die("memfd");
	at = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED)
		die("mmap");
	munmap(at, PAGE);
	close(fd);
}

static void measure(const char *name, const char *system, void (*op)(void),
		    int nr)
{
	int i;

	if (quick)
		nr = FEW;
	for (i = 0; i < WARM && i < nr; i++)
		op();
	VM_MARK(0);
	for (i = 0; i < nr; i++)
		op();
	VM_MARK(1);
	printf("case %s %s %d\n", name, system, nr);
}

/* Each with one capability made from it. */
static void measure_one_below(const char *name, void (*op)(uint32_t handle))
{
	uint32_t root[CHAIN_ROOTS], child[CHAIN_ROOTS];
	int i;

	for (i = 0; i < CHAIN_ROOTS; i++) {
		root[i] = alloc(1).out_handle;
		child[i] = derive(root[i]);
	}
	VM_MARK(0);
	for (i = 0; i < CHAIN_ROOTS; i++)
		op(root[i]);
	VM_MARK(1);
	printf("case %s-1 exo %d\n", name, CHAIN_ROOTS);
	for (i = 0; i < CHAIN_ROOTS; i++) {
		drop(child[i]);
		drop(root[i]);
	}
}

/* One with ten thousand; the figure is for all of them. */
static void measure_many_below(const char *name, void (*op)(uint32_t handle))
{
	uint32_t root = alloc(1).out_handle;
	int i;

	for (i = 0; i < CHILDREN; i++)
		derive(root);
	VM_MARK(0);
	op(root);
	VM_MARK(1);
	printf("case %s-%d exo 1\n", name, CHILDREN);
	end_below(root);
}

int main(int argc, char **argv)
{
	struct rlimit most = { RLIM_INFINITY, RLIM_INFINITY };

	(void)argv;
	quick = argc > 1;
	setrlimit(RLIMIT_MEMLOCK, &most);
	env = open(EXO_DEVICE_PATH, O_RDWR | O_CLOEXEC);
	if (env < 0)
		die(EXO_DEVICE_PATH);
	shared = alloc(1).out_handle;
	measure("ioctl-empty", "exo", exo_empty, OPS);
	measure("ioctl-empty", "linux", linux_empty, OPS);
	measure("page", "exo", exo_page, OPS);
	measure("page", "linux", linux_page, OPS);
	measure("pages-512", "exo", exo_big, BIG_OPS);
	measure("pages-512", "linux", linux_big, BIG_OPS);
	measure("derive", "exo", exo_derive, OPS);
	measure("derive", "linux", linux_dup, OPS);
	measure("export-import", "exo", exo_pass, OPS);
	measure("export-import", "linux", linux_pass, OPS);
	measure_one_below("revoke", end_below);
	measure_many_below("revoke", end_below);
	measure_one_below("notice", give_notice);
	measure_many_below("notice", give_notice);
	return 0;
}
