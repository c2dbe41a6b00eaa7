/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * A hog: a process that eats memory until the module was seen to notice, or
 * until the OOM killer comes, which takes it before any other.
 */
#ifndef EXO_SELFTESTS_HOG_H
#define EXO_SELFTESTS_HOG_H

#include "event.h"

#include <sys/sysinfo.h>

/* Of the whole machine, since boot; -1 if the kernel does not count. */
MAYBE_UNUSED static long nr_oom_kills(void)
{
	char line[128];
	long n = -1;
	FILE *f = fopen("/proc/vmstat", "re");

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "oom_kill %ld", &n) == 1)
			break;
	if (f)
		fclose(f);
	return n;
}

/* What a hog eats until: so many pages asked for or taken by the module. */
struct appetite {
	uint64_t nr_pressure;
	uint64_t nr_taken;
	size_t at_once;		/* pages, then a rest; 0 for no rest */
};

/* With less left a rest is long enough for kswapd to call the shrinkers. */
#define LEAN_BYTES	(12 << 20)

MAYBE_UNUSED static bool is_lean(void)
{
	struct sysinfo si;

	return sysinfo(&si) || si.freeram * si.mem_unit < LEAN_BYTES;
}

MAYBE_UNUSED static bool is_full(const struct info *i, const struct appetite *a)
{
	return i->global->nr_pressure >= a->nr_pressure &&
	       i->global->nr_taken >= a->nr_taken;
}

MAYBE_UNUSED static size_t machine_bytes(void)
{
	return sysconf(_SC_PHYS_PAGES) * PAGE;
}

/* Eats pages until it is full, tells, and ends with 0 when told to. */
MAYBE_UNUSED static int hog(const struct appetite *a, int up, int down)
{
	struct info info = info_map(exo_open());
	size_t i, bytes = machine_bytes();
	char c, *p;

	if (write_file("/proc/self/oom_score_adj", "1000"))
		return 2;
	p = mmap(NULL, bytes, RDWR, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		 -1, 0);
	if (p == MAP_FAILED)
		return 3;
	for (i = 0; i < bytes && !is_full(&info, a); i += PAGE) {
		p[i] = 1;
		if (a->at_once && i / PAGE % a->at_once == 0 && is_lean())
			usleep(3000);
	}
	diag("the eater has %zu MiB", i >> 20);
	tell_ready(up);
	return read(down, &c, 1) < 0 || i >= bytes;
}

/* One that is fed up; the fd that lets it go, -1 if it was killed before. */
MAYBE_UNUSED static pid_t hog_start(struct appetite a, int *let_go)
{
	int up[2], down[2];
	pid_t pid;
	char c;

	if (pipe2(up, O_CLOEXEC) || pipe2(down, O_CLOEXEC))
		bail("pipe: %m");
	fflush(NULL);
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(down[1]);
		alarm(180);
		_exit(hog(&a, up[1], down[0]));
	}
	close(up[1]);
	close(down[0]);
	*let_go = down[1];
	if (read(up[0], &c, 1) != 1) {
		close(down[1]);
		*let_go = -1;
	}
	close(up[0]);
	return pid;
}

/* Its exit status. */
MAYBE_UNUSED static int hog_end(pid_t pid, int let_go)
{
	if (let_go >= 0)
		close(let_go);
	return reap(pid);
}

#endif /* EXO_SELFTESTS_HOG_H */
