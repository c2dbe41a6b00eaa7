/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* Is the machine's memory back, after everything of a test is gone? */
#ifndef EXO_SELFTESTS_MEMORY_H
#define EXO_SELFTESTS_MEMORY_H

#include "../exo_test.h"

/* kB of a line of /proc/meminfo. */
MAYBE_UNUSED static long meminfo(const char *key)
{
	char line[128];
	long kb = -1;
	FILE *f = fopen("/proc/meminfo", "re");

	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, key, strlen(key)))
			kb = strtol(line + strlen(key) + 1, NULL, 10);
	if (f)
		fclose(f);
	return kb;
}

/* kB free, those that each CPU keeps at hand included: MemFree is without. */
MAYBE_UNUSED static long free_pages_kb(void)
{
	char line[128];
	long n, pages = 0;
	FILE *f = fopen("/proc/zoneinfo", "re");

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, " pages free %ld", &n) == 1 ||
		    sscanf(line, " count: %ld", &n) == 1)
			pages += n;
	if (f)
		fclose(f);
	return pages * 4;
}

struct memory {
	long free_kb;
	long slab_kb;
	long vmalloc_kb;
	long percpu_kb;
};

MAYBE_UNUSED static struct memory memory_now(void)
{
	struct memory m;

	/* RCU and the workqueues have had their turn by then. */
	sync();
	write_file("/proc/sys/vm/drop_caches", "3");
	usleep(500000);
	m.free_kb = free_pages_kb();
	m.slab_kb = meminfo("SUnreclaim:");
	m.vmalloc_kb = meminfo("VmallocUsed:");
	m.percpu_kb = meminfo("Percpu:");
	return m;
}

/*
 * Tolerances: a page a killed process would be 800 kB. Slab memory grows without
 * the module too: by up to 280 kB for 1250 killed processes (Linux 7.2).
 */
MAYBE_UNUSED static void compare_memory(const struct memory *was,
					const struct memory *is)
{
	diag("kB free %ld, %ld; slab %ld, %ld; vmalloc %ld, %ld; percpu %ld, %ld",
	     was->free_kb, is->free_kb, was->slab_kb, is->slab_kb,
	     was->vmalloc_kb, is->vmalloc_kb, was->percpu_kb, is->percpu_kb);
	/* KASAN keeps what was freed; the debug kernel has kmemleak for it. */
	if (strcmp(getenv("EXO_KERNEL") ?: "", "debug")) {
		ok(was->free_kb - is->free_kb < 600, "free memory is back");
		ok(is->slab_kb - was->slab_kb < 600, "slab memory is back");
	}
	ok(is->vmalloc_kb - was->vmalloc_kb < 100, "mapped memory is back");
	ok(is->percpu_kb - was->percpu_kb < 64, "per-CPU memory is back");
}

#endif /* EXO_SELFTESTS_MEMORY_H */
