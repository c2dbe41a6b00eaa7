// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Does libexo find the next hops that Linux would use, and notice changes?
 * On TAP devices in a network namespace of its own (root).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <exo/neigh.h>

static int nr_tests, nr_failed;
static struct exo_neigh *neigh;
static __u8 mac[6];
static __u32 mtu;

static void ok(bool good, const char *what)
{
	nr_tests++;
	nr_failed += !good;
	printf("%sok %d - %s\n", good ? "" : "not ", nr_tests, what);
}

static void run(const char *command)
{
	if (system(command)) {
		printf("Bail out! failed: %s\n", command);
		exit(1);
	}
}

static int look(const char *to)
{
	memset(mac, 0, sizeof(mac));
	return exo_neigh_lookup(neigh, inet_addr("10.1.0.1"), inet_addr(to),
				mac, &mtu);
}

/* Take in what came within a tenth of a second; true if it mattered. */
static bool changed(void)
{
	struct pollfd pfd = { .fd = exo_neigh_fd(neigh), .events = POLLIN };
	__u32 before = exo_neigh_generation(neigh);

	while (poll(&pfd, 1, 100) > 0)
		if (exo_neigh_process(neigh) < 0)
			return false;
	return exo_neigh_generation(neigh) != before;
}

static void setup(void)
{
	run("ip link set lo up");
	run("ip tuntap add d0 mode tap && ip tuntap add d1 mode tap");
	run("ip link set d0 address 02:00:00:00:00:01 up && ip link set d1 up");
	run("ip addr add 10.1.0.1/24 dev d0 && ip addr add 10.2.0.1/24 dev d1");
	run("ip neigh add 10.1.0.2 lladdr 02:00:00:00:00:02 dev d0");
	run("ip neigh add 10.1.0.254 lladdr 02:00:00:00:00:fe dev d0");
	run("ip route add 10.9.0.0/16 via 10.1.0.254 dev d0 mtu 1400");
}

static void lookups(void)
{
	ok(look("10.1.0.2") == 0 && mac[5] == 2 && mtu == 0,
	   "a neighbour on the link");
	ok(look("10.9.8.7") == 0 && mac[5] == 0xfe && mtu == 1400,
	   "behind a gateway, with the route's MTU");
	ok(look("10.2.0.5") == -EXDEV, "on another device");
	ok(look("172.16.0.1") == -ENETUNREACH, "without a route");
	ok(look("10.1.0.1") == -ENETUNREACH, "ourselves are no next hop");
	ok(look("10.1.0.77") == -EAGAIN, "one that Linux does not know");
}

static void changes(void)
{
	changed();
	ok(!changed(), "silence changes nothing");
	run("ip neigh change 10.1.0.2 lladdr 02:00:00:00:00:02 dev d0 nud stale");
	ok(!changed(), "nor does a neighbour that becomes stale");
	run("ip neigh add 10.1.0.99 lladdr 02:00:00:00:00:99 dev d0");
	ok(!changed(), "nor one that nobody asked for");
	run("ip neigh change 10.1.0.2 lladdr 02:00:00:00:00:22 dev d0");
	ok(changed() && look("10.1.0.2") == 0 && mac[5] == 0x22,
	   "a new MAC address does");
	run("ip neigh replace 10.1.0.77 lladdr 02:00:00:00:00:77 dev d0");
	ok(changed() && look("10.1.0.77") == 0 && mac[5] == 0x77,
	   "so does one that was waited for");
	run("ip neigh del 10.1.0.77 dev d0");
	ok(changed() && look("10.1.0.77") == -EAGAIN, "and one that is gone");
	run("ip route change 10.9.0.0/16 via 10.1.0.2 dev d0");
	ok(changed() && look("10.9.8.7") == 0 && mac[5] == 0x22 && mtu == 0,
	   "and a route");
}

int main(void)
{
	if (geteuid() || unshare(CLONE_NEWNET) < 0) {
		printf("needs root and network namespaces\n");
		return 77;
	}
	setup();
	if (exo_neigh_open(if_nametoindex("d0"), &neigh) < 0) {
		printf("Bail out! exo_neigh_open\n");
		return 1;
	}
	lookups();
	changes();
	exo_neigh_close(neigh);
	printf("1..%d\n", nr_tests);
	return nr_failed ? 1 : 0;
}
