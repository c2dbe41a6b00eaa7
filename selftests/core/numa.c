// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * On a machine with two NUMA nodes: is a frame on the node that was asked for,
 * whatever CPU, memory policy or colour it is asked with; does nothing spill
 * when the node is full; and does a cpuset keep its processes to its nodes?
 *
 * What FRAME_INFO says is compared with where Linux says that a node's pages
 * are. The ceiling is lifted, so that a node can be filled.
 *
 * vm: --numa 2 --mem 512
 * timeout: 240
 */
#include "cap.h"

#include <linux/mempolicy.h>
#include <sched.h>

#define NR_NODES	2
#define NR		64U	/* pages of a frame */
#define LARGE		1024U	/* pages of one that fills a node */

static struct exo_page_info infos[LARGE];

/* Physical page numbers of a node's zones. */
static struct range {
	uint64_t start;
	uint64_t nr;
	uint32_t node;
} ranges[16];

static void read_ranges(void)
{
	FILE *f = fopen("/proc/zoneinfo", "re");
	struct range r = {}, *next = ranges;
	char line[256];

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "Node %u, zone", &r.node) == 1)
			r.nr = 0;
		if (sscanf(line, " spanned %" SCNu64, &r.nr) == 1)
			continue;
		if (sscanf(line, " start_pfn: %" SCNu64, &r.start) == 1 &&
		    r.nr && next < ranges + ARRAY_SIZE(ranges))
			*next++ = r;
	}
	if (f)
		fclose(f);
	if (next == ranges)
		bail("/proc/zoneinfo says nothing");
}

static bool is_on_node(uint64_t number, uint32_t node)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(ranges); i++)
		if (ranges[i].node == node && number >= ranges[i].start &&
		    number < ranges[i].start + ranges[i].nr)
			return true;
	return false;
}

static long alloc_on(int env, uint32_t node, uint32_t nr, uint32_t order,
		     struct exo_frame_alloc *f)
{
	*f = (struct exo_frame_alloc) {
		.size = sizeof(*f), .flags = EXO_FRAME_NODE, .node = node,
		.nr_pages = nr, .order = order,
	};
	return exo_ioctl(env, EXO_CMD_FRAME_ALLOC, f);
}

/* Pages that are elsewhere, by FRAME_INFO or by their number. */
static int nr_elsewhere(int env, const struct exo_frame_alloc *f, uint32_t node)
{
	struct exo_frame_info i = {
		.size = sizeof(i), .frame = f->out_handle, .nr = f->nr_pages,
		.array = (uintptr_t)infos,
	};
	uint32_t k;
	int n = 0;

	if (exo_ioctl(env, EXO_CMD_FRAME_INFO, &i))
		bail("FRAME_INFO");
	for (k = 0; k < f->nr_pages; k++)
		n += infos[k].node != node ||
		     !is_on_node(infos[k].number, node);
	return n;
}

static void run_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		bail("sched_setaffinity: %m");
}

/* Memory of this process from the nodes of @mask, or from any if 0. */
static void prefer(unsigned long mask)
{
	if (syscall(SYS_set_mempolicy, mask ? MPOL_BIND : MPOL_DEFAULT,
		    mask ? &mask : NULL, mask ? 8 * sizeof(mask) : 0))
		bail("set_mempolicy: %m");
}

static long free_kb(uint32_t node)
{
	char path[64], line[128];
	long kb = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/sys/devices/system/node/node%u/meminfo",
		 node);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "Node %*u MemFree: %ld", &kb) == 1)
			break;
	if (f)
		fclose(f);
	return kb;
}

/* --------------------------------------------------------------- tests */

static void test_node(int env, uint32_t node)
{
	static const uint32_t orders[] = { 0, 3, 6 };
	struct exo_frame_alloc f;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(orders); i++) {
		is(alloc_on(env, node, NR, orders[i], &f), 0,
		   "runs of 2^%u pages on node %u", orders[i], node);
		is(nr_elsewhere(env, &f, node), 0, "all are there");
		is(nr_elsewhere(env, &f, !node), NR, "none is on the other");
		exo_close_handle(env, f.out_handle);
	}
}

/* Both nodes from both CPUs, with Linux's own policies against it. */
static void test_nodes(int env)
{
	uint32_t cpu, node;

	for (cpu = 0; cpu < NR_NODES; cpu++)
		for (node = 0; node < NR_NODES; node++) {
			run_on(cpu);
			test_node(env, node);
		}
	prefer(1);
	test_node(env, 1);
	prefer(2);
	test_node(env, 0);
	prefer(0);
}

/* Without the flag Linux decides, and its policy is the process's. */
static void test_unasked(int env)
{
	struct exo_frame_alloc f;
	uint32_t node;

	for (node = 0; node < NR_NODES; node++) {
		prefer(1UL << node);
		is(exo_alloc(env, NR, 0, &f), 0, "no node asked for");
		is(nr_elsewhere(env, &f, node), 0,
		   "by set_mempolicy(2) on node %u", node);
		exo_close_handle(env, f.out_handle);
	}
	prefer(0);
}

static void test_colour(int env)
{
	struct exo_frame_alloc f = {
		.size = sizeof(f), .flags = EXO_FRAME_NODE | EXO_FRAME_COLOUR,
		.node = 1, .nr_pages = NR, .colour_mask = 15, .colour_value = 5,
	};
	uint32_t i, bad = 0;

	run_on(0);
	is(exo_ioctl(env, EXO_CMD_FRAME_ALLOC, &f), 0, "a colour of node 1");
	is(nr_elsewhere(env, &f, 1), 0, "is there");
	for (i = 0; i < NR; i++)
		bad += (infos[i].number & 15) != 5;
	is(bad, 0, "and has the colour");
	exo_close_handle(env, f.out_handle);
}

static void test_no_node(int env)
{
	static const uint32_t none[] = { 2, 3, 63, 64, 1023, 1024, ~0U };
	struct exo_frame_alloc f;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(none); i++)
		is(alloc_on(env, none[i], 1, 0, &f), -EINVAL, "node %u",
		   none[i]);
}

/* Until there is no room: the other node is not touched, nobody is killed. */
static void test_full(int env)
{
	struct exo_stats before = stats_get(env), full;
	int other = exo_open(), n = 0, elsewhere = 0;
	long rc, was = free_kb(0);
	struct exo_frame_alloc f;

	before.out_nr_envs++;
	/* Later there may be room again: the kernel makes some in between. */
	for (;;) {
		full = stats_get(env);
		rc = alloc_on(other, 1, LARGE, 0, &f);
		if (rc)
			break;
		elsewhere += nr_elsewhere(other, &f, 1);
		n++;
	}
	is(rc, -ENOMEM, "node 1 is full after %d frames of %d pages", n, LARGE);
	ok(n > 16, "many");
	is(elsewhere, 0, "all of them there");
	ok(stats_wait(env, &full, 2000), "what failed left nothing");
	diag("kB free: node 0 %ld, then %ld; node 1 %ld", was, free_kb(0),
	     free_kb(1));
	ok(was - free_kb(0) < n * (long)LARGE / 2,
	   "nothing to speak of is from node 0");
	is(alloc_on(env, 0, LARGE, 0, &f), 0, "node 0 has room");
	is(nr_elsewhere(env, &f, 0), 0, "there");
	exo_close_handle(env, f.out_handle);
	close(other);
	before.out_nr_envs--;
	ok(stats_wait(env, &before, 5000), "all is given back");
	is(alloc_on(env, 1, LARGE, 0, &f), 0, "then node 1 has room");
	exo_close_handle(env, f.out_handle);
}

/* In a cpuset with node 0 alone. */
static int confined(void *arg)
{
	int env = exo_open();
	struct exo_frame_alloc f;

	(void)arg;
	is(alloc_on(env, 0, NR, 0, &f), 0, "a cpuset's own node");
	is(alloc_on(env, 1, NR, 0, &f), -ENOMEM, "not another");
	is(alloc_on(env, 1, NR, 3, &f), -ENOMEM, "nor in runs");
	f = (struct exo_frame_alloc) {
		.size = sizeof(f), .flags = EXO_FRAME_NODE | EXO_FRAME_COLOUR,
		.node = 1, .nr_pages = 4, .colour_mask = 1,
	};
	is(exo_ioctl(env, EXO_CMD_FRAME_ALLOC, &f), -ENOMEM,
	   "nor of a colour");
	close(env);
	return 0;
}

static void test_cpuset(void)
{
	static const char path[] = "/sys/fs/cgroup/exo-numa";

	if (write_file("/sys/fs/cgroup/cgroup.subtree_control", "+cpuset") ||
	    mkdir(path, 0755) ||
	    write_file("/sys/fs/cgroup/exo-numa/cpuset.mems", "0")) {
		skip("no cpusets");
		return;
	}
	is(as_user_in(path, UID_ALICE, confined, NULL), 0,
	   "alice's process ended well");
	memcg_delete(path);
}

int main(void)
{
	struct exo_stats before;
	int env, rc;

	if (access("/sys/devices/system/node/node1", F_OK)) {
		puts("this kernel sees one node");
		return EXIT_SKIP;
	}
	rc = exo_insmod("page_limit_percent=100");
	if (rc && rc != -EEXIST)
		bail("cannot insert the module: %s", strerror(-rc));
	exo_setup();
	read_ranges();
	env = exo_open();
	before = stats_get(env);
	test_nodes(env);
	test_unasked(env);
	test_colour(env);
	test_no_node(env);
	test_full(env);
	test_cpuset();
	ok(stats_wait(env, &before, 3000), "counters are as at the start");
	close(env);
	return done_testing();
}
