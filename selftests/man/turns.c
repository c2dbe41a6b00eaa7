// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * What becomes of envs, frames, I/O and flows at turns of the machine that have
 * no test elsewhere: a CPU goes offline, the devices are suspended, the memcg
 * kills, the network namespace is left? The table of docs/DESIGN.md.
 *
 * vm: --disk 64
 * timeout: 240
 */
#include "../net/net_test.h"
#include "../disk/disk.h"

#include <pthread.h>

#define VDA		"/dev/vda"
#define NR_BLOCKS	64

static int root;

/* ------------------------------------------------- work that shall go on */

/**
 * struct work - a thread that reads what was written, again and again
 * @env: its env
 * @extent: the extent, block i filled with pattern i
 * @m: a frame
 * @nr: reads so far
 * @bad: reads that failed or brought something else
 * @stop: end
 */
struct work {
	int env;
	uint32_t extent;
	struct mem m;
	pthread_t thread;
	unsigned long nr;
	unsigned long bad;
	bool stop;
};

static void *work_thread(void *arg)
{
	struct work *w = arg;
	uint32_t block;

	while (!__atomic_load_n(&w->stop, __ATOMIC_RELAXED)) {
		block = w->nr % NR_BLOCKS;
		if (io_do(w->env, EXO_IO_READ, w->extent, block, 1, w->m.handle,
			  0) != BLOCK || !pattern_same(w->m.p, block, BLOCK))
			w->bad++;
		__atomic_add_fetch(&w->nr, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void work_start(struct work *w, uint32_t disk)
{
	uint32_t i;

	memset(w, 0, sizeof(*w));
	w->env = exo_open();
	if (extent_create(w->env, disk, "work", 200, NR_BLOCKS, 0600,
			  &w->extent))
		bail("create");
	w->m = mem_new(w->env, 1, 0);
	for (i = 0; i < NR_BLOCKS; i++) {
		pattern_fill(w->m.p, i, BLOCK);
		if (io_do(w->env, EXO_IO_WRITE, w->extent, i, 1, w->m.handle,
			  0) != BLOCK)
			bail("write");
	}
	if (pthread_create(&w->thread, NULL, work_thread, w))
		bail("thread");
}

/* Wait until it has read @n times more. */
static bool work_goes_on(struct work *w, unsigned long n)
{
	unsigned long was = __atomic_load_n(&w->nr, __ATOMIC_RELAXED);
	uint64_t end = now_ms() + 20000;

	while (__atomic_load_n(&w->nr, __ATOMIC_RELAXED) < was + n) {
		if (now_ms() > end)
			return false;
		usleep(1000);
	}
	return true;
}

static void work_end(struct work *w)
{
	__atomic_store_n(&w->stop, true, __ATOMIC_RELAXED);
	pthread_join(w->thread, NULL);
	is(w->bad, 0, "%lu reads, each brought what was written", w->nr);
	is(extent_delete(w->env, w->extent), 0, "delete");
	mem_free(w->env, &w->m);
	close(w->env);
}

/* A segment from the peer to the flow; true if it arrived. */
static bool arrives(struct flow *f, int wire)
{
	uint8_t mac[6];
	struct frame p;
	bool got;

	get_mac("", DEV, mac);
	frame_init(&p, mac, peer_mac, PEER, PEER_PORT, LOCAL, PORT, 0);
	p.tcp.ack = 1;
	frame_sums(&p, sizeof(p.tcp));
	raw_send(wire, &p, HDR_BYTES);
	got = flow_recv(f, 2000, NULL);
	flow_drain(f);
	return got;
}

/* --------------------------------------------------------------- the turns */

static int online(const char *value)
{
	return write_file("/sys/devices/system/cpu/cpu1/online", value);
}

static void try_cpu_offline(struct work *w, struct flow *f, int wire)
{
	uint64_t claimed;
	cpu_set_t set;
	int i, bad = 0;

	if (online("1")) {
		skip("no CPU that can go");
		return;
	}
	for (i = 0; i < 5; i++) {
		/* Where it counts and submits when the CPU goes */
		CPU_ZERO(&set);
		CPU_SET(1, &set);
		pthread_setaffinity_np(w->thread, sizeof(set), &set);
		bad += !work_goes_on(w, 20) || !arrives(f, wire);
		claimed = net_info(root).rx_claimed;
		bad += online("0") != 0;
		bad += net_info(root).rx_claimed < claimed;
		bad += !work_goes_on(w, 20) || !arrives(f, wire);
		bad += online("1") != 0;
	}
	is(bad, 0, "a CPU goes and comes 5 times: all goes on");
}

static void *sleep_in_doorbell(void *arg)
{
	return (void *)flow_kick(arg, EXO_FLOW_KICK_WAIT, 15000, NULL);
}

/* The frame's content, I/O and the flow outlast it. */
static void try_suspend(struct work *w, struct flow *f, int wire)
{
	struct mem m = mem_new(root, 1, 0);
	pthread_t thread;
	void *kick;
	int rc;

	write_file("/sys/module/suspend/parameters/pm_test_delay", "1");
	if (write_file("/sys/power/pm_test", "devices")) {
		skip("this kernel cannot test suspending");
		mem_free(root, &m);
		return;
	}
	pattern_fill(m.p, 4711, BLOCK);
	if (pthread_create(&thread, NULL, sleep_in_doorbell, f))
		bail("thread");
	usleep(200000);
	rc = write_file("/sys/power/state", "freeze");
	is(rc, 0, "tasks are frozen, devices suspended and resumed");
	write_file("/sys/power/pm_test", "none");
	pthread_join(thread, &kick);
	is((long)kick, -EINTR, "a sleeping doorbell is woken");
	ok(pattern_same(m.p, 4711, BLOCK), "frames are as they were");
	ok(work_goes_on(w, 20), "I/O goes on");
	ok(arrives(f, wire), "packets arrive");
	mem_free(root, &m);
}

/* Takes frames, then memory of its own until the memcg's limit kills it. */
static int grow(void *arg)
{
	struct mem m = mem_new(exo_open(), 512, 0);
	size_t bytes = 256 << 20;
	char *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t i;

	(void)arg;
	memset(m.p, 1, 512 * BLOCK);
	for (i = 0; i < bytes; i += BLOCK)
		p[i] = 1;
	return 0;
}

static void try_memcg_kill(void)
{
	struct exo_stats before = stats_get(root);
	char path[128];

	if (memcg_new(path, "turns", 16 << 20)) {
		skip("no memory cgroups");
		return;
	}
	is(as_user_in(path, UID_ALICE, grow, NULL), 128 + SIGKILL,
	   "a process with frames is killed by its memcg");
	ok(memcg_read(path, "memory.events", "oom_kill") > 0, "by its limit");
	ok(stats_wait(root, &before, 5000), "its frames are free");
	memcg_delete(path);
}

/* An env keeps its namespace; with the env go namespace, device, attachment. */
static void try_namespace_end(void)
{
	struct exo_stats before = stats_get(root);
	int fd, ns, sock;
	struct exo_flow_bind b;

	sh("ip netns add short && ip -n short link add s0 type veth peer name s1");
	sh("ip -n short link set s0 up && ip -n short link set s1 up");
	sh("ip -n short addr add 10.96.0.1/24 dev s0");
	ns = open("/var/run/netns/short", O_RDONLY | O_CLOEXEC);
	if (ns < 0 || setns(ns, CLONE_NEWNET))
		bail("setns: %m");
	fd = exo_open();
	is(net_attach(fd, "s0"), 0, "attach a device of a namespace");
	sock = listen_on("0.0.0.0", PORT, 4);
	is(flow_try(fd, sock, "s0", &b), 0, "bind");
	close(sock);
	peer_leave();
	close(ns);
	sh("ip netns del short");
	usleep(300000);
	is(stats_get(root).out_nr_flows, before.out_nr_flows + 1,
	   "the namespace has no name and no process: the flow is bound");
	close(fd);
	ok(stats_wait(root, &before, 10000), "with the env all of it goes");
}

int main(void)
{
	struct exo_stats before, idle;
	struct work w;
	struct flow f;
	uint32_t disk;
	int wire;

	exo_setup();
	root = exo_open();
	before = stats_get(root);
	net_up();
	disk = disk_fresh(root, VDA);
	is(net_attach(root, DEV), 0, "attach");
	idle = stats_get(root);
	wire = peer_raw(PEER_DEV);
	flow_open(&f, root, DEV, "0.0.0.0", PORT);
	work_start(&w, disk);
	try_cpu_offline(&w, &f, wire);
	try_suspend(&w, &f, wire);
	work_end(&w);
	flow_close(&f);
	ok(stats_wait(root, &idle, 5000), "after that nothing is left");
	try_memcg_kill();
	try_namespace_end();
	is(net_detach(root, if_nametoindex(DEV)), 0, "detach the device");
	is(disk_detach(root, disk), 0, "detach the disk");
	close(wire);
	net_down();
	ok(stats_wait(root, &before, 5000), "counters are as at the start");
	return done_testing();
}
