// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * What happens to a flow when its device, namespace or process goes away?
 *
 * timeout: 240
 */
#include "net_test.h"

#include <pthread.h>

static int root_fd, wire;

struct waiter {
	struct flow *f;
	long rc;
};

static void *wait_long(void *arg)
{
	struct waiter *w = arg;

	w->rc = flow_kick(w->f, EXO_FLOW_KICK_WAIT, 10000, NULL);
	return NULL;
}

/* A command that takes the device away from under a flow with a sleeper. */
static void try_device_goes(const char *what, const char *command)
{
	struct exo_stats before = stats_get(root_fd);
	struct flow f;
	struct waiter w = { .f = &f };
	struct exo_tx_desc *d;
	pthread_t thread;
	int fd = exo_open();

	is(net_attach(root_fd, DEV), 0, "%s: attach", what);
	flow_open(&f, fd, DEV, "0.0.0.0", PORT);
	pthread_create(&thread, NULL, wait_long, &w);
	usleep(100000);
	sh("%s", command);
	pthread_join(thread, NULL);
	is(w.rc, -ESTALE, "%s: a sleeper learns of it", what);
	is(f.ring->flags, EXO_FLOW_DEAD, "%s: the ring says so", what);
	is(flow_kick(&f, 0, 0, NULL), -ESTALE, "%s: the doorbell too", what);
	d = flow_desc(&f, 10);
	is(flow_send(&f, false), -ESTALE, "%s: nothing is sent", what);
	is(d->out_status, 12345, "%s: nor looked at", what);
	is(stats_get(root_fd).out_nr_netdevs, before.out_nr_netdevs,
	   "%s: it is detached", what);
	is(stats_get(root_fd).out_nr_flows, before.out_nr_flows,
	   "%s: the flow is unbound", what);
	is(exo_close_handle(fd, f.bind.out_handle), 0,
	   "%s: its handle can be closed", what);
	munmap(f.ring, f.bind.out_mmap_bytes);
	munmap(f.payload, FRAME_PAGES * 4096);
	close(f.sock);
	close(fd);
	ok(stats_wait(root_fd, &before, 2000), "%s: counters are as before",
	   what);
}

/* The device is the other namespace's now; nothing of ours is left on it. */
static void try_moved(void)
{
	sh("ip netns exec peer true");
	try_device_goes("moved to another namespace",
			"ip link set " DEV " netns peer");
	sh("ip -n peer link set " DEV " netns 1");
	sh("ip addr add " LOCAL "/24 brd + dev " DEV);
	sh("ip link set " DEV " up");
	sh("ping -q -c 1 -W 5 " PEER " >/dev/null");
	is(net_attach(root_fd, DEV), 0, "moved back: attach");
	is(net_detach(root_fd, if_nametoindex(DEV)), 0, "and detach");
}

static void try_renamed(void)
{
	struct flow f;

	is(net_attach(root_fd, DEV), 0, "attach");
	flow_open(&f, root_fd, DEV, "0.0.0.0", PORT);
	sh("ip link set " DEV " down && ip link set " DEV
	   " name exo9 && ip link set exo9 up");
	is(flow_kick(&f, 0, 0, NULL), 0, "down, renamed and up: still alive");
	ok(!strcmp((char *)net_info(root_fd).name, "exo9"), "by its new name");
	sh("ip link set exo9 address 02:00:00:00:00:55");
	flow_desc(&f, 0);
	flow_send(&f, false);
	is(f.desc[(f.prod - 1) & 63].out_reason, EXO_TX_BAD_ETHER,
	   "another MAC address: the old one cannot be sent from");
	sh("ip link set exo9 down && ip link set exo9 name " DEV
	   " && ip link set " DEV " up");
	flow_close(&f);
	is(net_detach(root_fd, if_nametoindex(DEV)), 0, "detach");
}

static void try_attach_rules(void)
{
	unsigned int index = if_nametoindex(DEV);

	is(net_attach(root_fd, "nosuch"), -ENODEV, "attach: no such device");
	is(net_attach(root_fd, "lo"), -EINVAL, "attach: the loopback device");
	sh("ip link add exobr type bridge && ip link set " DEV " master exobr");
	is(net_attach(root_fd, DEV), -EBUSY, "attach: a bridge's port");
	sh("ip link del exobr");
	is(net_attach(root_fd, DEV), 0, "attach");
	is(net_attach(root_fd, DEV), -EBUSY, "attach twice");
	sh("ip link add exobr type bridge");
	ok(system("ip link set " DEV " master exobr 2>/dev/null"),
	   "an attached device cannot join a bridge");
	sh("ip link del exobr");
	is(exo_rmmod(), -EAGAIN, "the module stays");
	is(net_detach(root_fd, index), 0, "detach");
	is(net_detach(root_fd, index), -ENOENT, "detach twice");
}

/* A device is known where it is: its number means nothing elsewhere. */
static void try_namespaces(void)
{
	unsigned int index = if_nametoindex(DEV);
	struct exo_net_info room[4];
	struct exo_net_list l = {
		.size = sizeof(l), .array = (uintptr_t)room, .nr = 4,
	};
	struct exo_net_grant_info grant;
	uint32_t nr;
	int fd;

	is(net_attach(root_fd, DEV), 0, "attach");
	is(net_grant(root_fd, 0, UID_ALICE, 1, 2), 0, "grant");
	peer_enter();
	fd = exo_open();
	peer_leave();
	is(exo_ioctl(fd, EXO_CMD_NET_LIST, &l), 0, "list by another namespace");
	is(l.out_nr, 0, "the device is not listed there");
	is(net_grant(fd, 0, UID_ALICE, 1, 2), -ENOENT, "nor can it be granted");
	is(net_grants(fd, index, &grant, 1, &nr), -ENOENT,
	   "nor its grants be listed");
	is(net_detach(fd, index), -ENOENT, "nor detached");
	close(fd);
	is(net_detach(root_fd, index), 0, "detach");
}

static int unprivileged(void *arg)
{
	int fd = exo_open();
	struct exo_net_grant g = {
		.size = sizeof(g), .uid = UID_BOB, .first_port = 1,
		.last_port = 65535, .ifindex = *(int *)arg,
	};

	is(net_attach(fd, DEV), -EPERM, "a user cannot attach");
	is(net_detach(fd, *(int *)arg), -EPERM, "nor detach");
	is(exo_ioctl(fd, EXO_CMD_NET_GRANT, &g), -EPERM, "nor grant");
	/* Root over a namespace of one's own is not root over devices */
	if (unshare(CLONE_NEWUSER)) {
		skip("no user namespaces: %m");
		return 0;
	}
	is(net_attach(fd, DEV), -EPERM, "nor as root of a namespace");
	return 0;
}

/* A user sees what was granted to it, and no sign of the others. */
static void sees(int fd, unsigned int index, const char *who)
{
	struct exo_net_grant_info seen[4] = {};
	uint32_t nr = 77;

	is(net_grants(fd, index, NULL, 0, &nr), -EMSGSIZE, "%s: no room", who);
	is(nr, 1, "%s: one grant", who);
	is(net_grants(fd, index, seen, 4, &nr), 0, "%s: listed", who);
	ok(nr == 1 && seen[0].uid == UID_ALICE && seen[0].first_port == 80 &&
	   seen[0].last_port == 81, "%s: its own", who);
	is(seen[1].uid, 0, "%s: no other", who);
}

static int alice_sees(void *arg)
{
	unsigned int index = *(int *)arg;
	int fd = exo_open();

	sees(fd, index, "alice");
	if (unshare(CLONE_NEWUSER))
		skip("no user namespaces: %m");
	else
		sees(fd, index, "alice as root of a namespace");
	close(fd);
	return 0;
}

static int nobody_sees(void *arg)
{
	struct exo_net_grant_info seen[4] = {};
	int fd = exo_open();
	uint32_t nr = 77;

	is(net_grants(fd, *(int *)arg, seen, 4, &nr), 0,
	   "a user without a grant may ask");
	is(nr, 0, "there are none for it");
	is(seen[0].uid, 0, "none is told");
	close(fd);
	return 0;
}

static void try_seeing(int index)
{
	struct exo_net_grant_info seen[4];
	uint32_t nr;

	is(net_attach(root_fd, DEV), 0, "attach");
	net_grant(root_fd, 0, UID_BOB, 1, 65535);
	net_grant(root_fd, 0, UID_ALICE, 80, 81);
	net_grant(root_fd, 0, 0, 443, 443);
	as_user(UID_ALICE, alice_sees, &index);
	as_user(5555, nobody_sees, &index);
	is(net_grants(root_fd, index, seen, 4, &nr), 0, "root asks");
	is(nr, 3, "root sees all");
	is(net_detach(root_fd, index), 0, "detach");
}

/* ------------------------------------------- the lender's namespace goes */

static int opened_in(const char *ns)
{
	int ns_fd = open(ns, O_RDONLY | O_CLOEXEC), fd;

	if (ns_fd < 0 || setns(ns_fd, CLONE_NEWNET))
		bail("%s: %m", ns);
	fd = exo_open();
	peer_leave();
	close(ns_fd);
	return fd;
}

/* What an env of another namespace has lent, and left behind. */
static int borrow_from(const char *ns)
{
	int lender = opened_in(ns), borrower = exo_open();
	struct exo_cap_export e = { .size = sizeof(e) };
	struct exo_cap_import i = { .size = sizeof(i) };
	struct exo_frame_alloc f;

	is(exo_alloc(lender, 4, 0, &f), 0, "a frame in another namespace");
	e.handle = f.out_handle;
	is(exo_ioctl(lender, EXO_CMD_CAP_EXPORT, &e), 0, "is exported");
	i.fd = e.out_fd;
	is(exo_ioctl(borrower, EXO_CMD_CAP_IMPORT, &i), 0, "and imported");
	close(e.out_fd);
	close(lender);
	return borrower;
}

/* The pages live on, the namespace and its devices do not. */
static void try_namespace_goes(void)
{
	struct exo_stats before = stats_get(root_fd);
	int borrower, i;

	sh("ip netns add lender");
	sh("ip link add lent0 type veth peer name lent1 netns lender");
	borrower = borrow_from("/var/run/netns/lender");
	sh("ip netns del lender");
	for (i = 0; i < 1000 && if_nametoindex("lent0"); i++)
		usleep(10000);
	is(if_nametoindex("lent0"), 0, "the lender's namespace is gone");
	is(stats_get(root_fd).out_nr_frame_pages,
	   before.out_nr_frame_pages + 4, "its pages are there");
	close(borrower);
	ok(stats_wait(root_fd, &before, 2000), "until the borrower goes");
	sh("ip link del lent0 2>/dev/null || true");
}

/* ------------------------------------------------- killed in full flight */

/* Receives, sends and polls for ever. */
static int busy(void *arg)
{
	struct flow f;
	uint32_t n = 0;

	(void)arg;
	flow_open(&f, exo_open(), DEV, "0.0.0.0", PORT);
	for (;;) {
		flow_drain(&f);
		flow_desc(&f, 1000)->flags = n++ & 1 ? EXO_TX_F_COPY : 0;
		store_release(&f.ring->tx_prod, ++f.prod);
		flow_kick(&f, n & 7 ? 0 : EXO_FLOW_KICK_BUSY_POLL, 0, NULL);
	}
	return 0;
}

static volatile bool stop;
static uint8_t dev_mac[6];

/*
 * Packets for the flow, as fast as they go. Starts no process: until that has
 * exec'ed, it would hold the socket that another thread closes.
 */
static void *flood(void *arg)
{
	struct frame p;

	(void)arg;
	frame_init(&p, dev_mac, peer_mac, PEER, PEER_PORT, LOCAL, PORT, 400);
	frame_sums(&p, sizeof(p.tcp) + 400);
	while (!stop)
		if (send(wire, &p, HDR_BYTES + 400, 0) < 0)
			usleep(100);
	return NULL;
}

static void try_kill(void)
{
	struct exo_stats before;
	pthread_t thread;
	int i;

	is(net_attach(root_fd, DEV), 0, "attach");
	is(net_grant(root_fd, 0, UID_ALICE, PORT, PORT), 0, "grant");
	before = stats_get(root_fd);
	get_mac("", DEV, dev_mac);
	pthread_create(&thread, NULL, flood, NULL);
	for (i = 0; i < 20; i++) {
		pid_t pid = as_user_start(NULL, UID_ALICE, busy, NULL);

		usleep(100000 + i * 7000);
		kill(pid, SIGKILL);
		if (reap(pid) != 128 + SIGKILL)
			break;
		raw_drain(wire);
	}
	is(i, 20, "killed 20 times while packets fly");
	ok(stats_wait(root_fd, &before, 3000), "counters are as before");
	ok(net_info(root_fd).rx_claimed > 100, "packets did fly (%llu, %llu)",
	   net_info(root_fd).rx_claimed, net_info(root_fd).tx_packets);
	stop = true;
	pthread_join(thread, NULL);
	is(net_detach(root_fd, if_nametoindex(DEV)), 0, "detach");
}

/* Threads that close what others use. */
static void *kicker(void *arg)
{
	struct flow *f = arg;

	while (!stop)
		flow_kick(f, EXO_FLOW_KICK_WAIT, 1, NULL);
	return NULL;
}

static void try_close_race(void)
{
	struct exo_stats before;
	pthread_t threads[3];
	struct flow f;
	int i, round;

	is(net_attach(root_fd, DEV), 0, "attach");
	before = stats_get(root_fd);
	stop = false;
	get_mac("", DEV, dev_mac);
	pthread_create(&threads[2], NULL, flood, NULL);
	for (round = 0; round < 30; round++) {
		flow_open(&f, root_fd, DEV, "0.0.0.0", PORT);
		stop = false;
		for (i = 0; i < 2; i++)
			pthread_create(&threads[i], NULL, kicker, &f);
		for (i = 0; i < 32; i++)
			flow_desc(&f, 900), f.prod++;
		store_release(&f.ring->tx_prod, f.prod);
		usleep(round * 300);
		exo_close_handle(f.fd, f.bind.out_handle);
		usleep(1000);
		stop = true;
		for (i = 0; i < 2; i++)
			pthread_join(threads[i], NULL);
		if (round < 29) {
			pthread_join(threads[2], NULL);
			stop = false;
			pthread_create(&threads[2], NULL, flood, NULL);
		}
		munmap(f.ring, f.bind.out_mmap_bytes);
		munmap(f.payload, FRAME_PAGES * 4096);
		exo_close_handle(f.fd, f.frame.out_handle);
		close(f.sock);
		raw_drain(wire);
	}
	pthread_join(threads[2], NULL);
	ok(stats_wait(root_fd, &before, 3000),
	   "closed 30 times under doorbells: counters are as before");
	is(net_detach(root_fd, if_nametoindex(DEV)), 0, "detach");
}

static void *sender(void *arg)
{
	while (!stop)
		flow_kick(arg, 0, 0, NULL);
	return NULL;
}

/*
 * One thread sends, another waits for its turn, a third closes the flow: when
 * that has returned, nothing may be sent any more.
 */
static void try_close_sending(void)
{
	pthread_t threads[2];
	int i, round, late = 0;
	struct flow f;
	uint64_t sent;

	is(net_attach(root_fd, DEV), 0, "attach");
	for (round = 0; round < 60; round++) {
		flow_open(&f, root_fd, DEV, "0.0.0.0", PORT);
		for (i = 0; i < 64; i++)
			flow_desc(&f, 900), f.prod++;
		/* So far ahead that each doorbell sends the whole ring */
		store_release(&f.ring->tx_prod, f.prod + (1U << 20));
		stop = false;
		for (i = 0; i < 2; i++)
			pthread_create(&threads[i], NULL, sender, &f);
		usleep(10000 + round * 100);
		exo_close_handle(f.fd, f.bind.out_handle);
		sent = net_info(root_fd).tx_packets;
		stop = true;
		for (i = 0; i < 2; i++)
			pthread_join(threads[i], NULL);
		late += net_info(root_fd).tx_packets != sent;
		munmap(f.ring, f.bind.out_mmap_bytes);
		munmap(f.payload, FRAME_PAGES * 4096);
		exo_close_handle(f.fd, f.frame.out_handle);
		close(f.sock);
		raw_drain(wire);
	}
	is(late, 0, "closed 60 times while two threads send: nothing follows");
	is(net_detach(root_fd, if_nametoindex(DEV)), 0, "detach");
}

int main(void)
{
	int index;

	exo_setup();
	net_up();
	root_fd = exo_open();
	wire = peer_raw(PEER_DEV);
	index = if_nametoindex(DEV);
	is(as_user(UID_ALICE, unprivileged, &index), 0, "alice is done");
	try_attach_rules();
	try_namespaces();
	try_seeing(index);
	try_renamed();
	sh("ip link set " DEV " address 02:00:00:00:00:01");
	try_moved();
	try_namespace_goes();
	try_kill();
	try_close_race();
	try_close_sending();
	try_device_goes("deleted", "ip link del " DEV);
	net_down();
	return done_testing();
}
