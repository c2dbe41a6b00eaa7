// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Linux keeps the ports of a VRF apart from all others: does a socket that says
 * nothing about the VRF give a flow nothing of it?
 */
#define PORT 8380
#include "net_test.h"

#define VRF "exovrf"

static struct flow f;

static void bind_to_device(int s, const char *dev)
{
	if (setsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, dev, strlen(dev)))
		bail("SO_BINDTODEVICE: %m");
}

/* A socket that listens on the device alone, or -errno. */
static int listen_there(void)
{
	struct sockaddr_in a = inet_addr_port("0.0.0.0", PORT);
	int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int rc;

	bind_to_device(s, DEV);
	if (bind(s, (struct sockaddr *)&a, sizeof(a)) || listen(s, 4)) {
		rc = -errno;
		close(s);
		return rc;
	}
	return s;
}

static void join(void)
{
	sh("ip link set " DEV " master " VRF);
}

static void leave(void)
{
	sh("ip link set " DEV " nomaster");
}

static void set_accept(const char *value)
{
	if (write_file("/proc/sys/net/ipv4/tcp_l3mdev_accept", value))
		bail("tcp_l3mdev_accept");
}

/* With a flow bound: what @change does to it, and to the device. */
static void try_change(int fd, void (*change)(void), const char *what)
{
	uint64_t before = stats_get(fd).out_nr_netdevs;

	is(flow_kick(&f, 0, 0, NULL), 0, "%s: alive before", what);
	change();
	is(flow_kick(&f, 0, 0, NULL), -ESTALE, "%s: the flow is dead", what);
	is(f.ring->flags, EXO_FLOW_DEAD, "%s: the ring says so", what);
	is(stats_get(fd).out_nr_netdevs, before - 1, "%s: detached", what);
	flow_close(&f);
	is(net_attach(fd, DEV), 0, "%s: attached again", what);
}

/* One client, which closes first. */
static int bob_serves(void *arg)
{
	struct pollfd p = { .fd = listen_there(), .events = POLLIN };
	char c = 1;

	if (p.fd < 0 || write(*(int *)arg, &c, 1) != 1)
		return 1;
	if (poll(&p, 1, 10000) != 1)
		return 2;
	return read(accept(p.fd, NULL, NULL), &c, 1) ? 3 : 0;
}

/* One user's port of the VRF, and a socket of another user that has it not. */
static void try_not_bound(int fd, int s)
{
	int ends[2];
	pid_t bob;
	char c;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends))
		bail("socketpair: %m");
	bob = as_user_start(NULL, UID_BOB, bob_serves, &ends[0]);
	if (read(ends[1], &c, 1) != 1)
		bail("bob does not serve");
	is(flow_try(fd, s, DEV, NULL), -EINVAL, "a socket bound to no device");
	is(peer_connect(LOCAL, PORT, 3000, NULL), 0, "bob's client connects");
	is(reap(bob), 0, "bob has it");
	close(ends[0]);
	close(ends[1]);
}

/* Moved to the device since: its port was kept for what is in no VRF. */
static void try_moved(int fd, int s)
{
	bind_to_device(s, DEV);
	is(flow_try(fd, s, DEV, NULL), -EINVAL,
	   "a socket bound before its device joined");
	close(s);
}

/* A flow of the VRF's own port, which packets reach. */
static void open_there(int fd)
{
	int s = listen_there();

	if (s < 0)
		bail("listen: %s", strerror(-s));
	flow_open_on(&f, fd, DEV, s);
	is(peer_connect(LOCAL, PORT, 300, NULL), -ETIMEDOUT, "a client");
	ok(flow_drain(&f) > 0, "comes to the flow");
}

/* By this setting a socket bound to no device has the port in every VRF. */
static void try_for_all(void)
{
	int s, fd = exo_open();

	set_accept("1");
	s = listen_on("0.0.0.0", PORT, 4);
	is(flow_try(fd, s, DEV, NULL), 0, "unless TCP takes it for all VRFs");
	close(fd);
	close(s);
	set_accept("0");
}

int main(void)
{
	int fd, s;

	exo_setup();
	net_up();
	if (system("ip link add " VRF " type vrf table 77 && "
		   "ip link set " VRF " up")) {
		skip("no VRF");
		net_down();
		return done_testing();
	}
	fd = exo_open();
	is(net_attach(fd, DEV), 0, "attach");
	flow_open(&f, fd, DEV, "0.0.0.0", PORT);
	try_change(fd, join, "it joins");
	s = listen_on("0.0.0.0", PORT, 4);
	try_not_bound(fd, s);
	try_moved(fd, s);
	try_for_all();
	open_there(fd);
	try_change(fd, leave, "it leaves");
	is(net_detach(fd, if_nametoindex(DEV)), 0, "detach");
	sh("ip link del " VRF);
	net_down();
	return done_testing();
}
