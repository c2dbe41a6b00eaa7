// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Is a real client on the other side of a wire served, by an ordinary user?
 *
 * vm: --net tap
 * timeout: 120
 */
#include "mini_tcp.h"

static int serve(void *unused)
{
	static const char head[] = "HTTP/1.0 200 OK\r\n\r\n";
	struct flow f;
	int i;

	(void)unused;
	flow_open(&f, exo_open(), "eth0", "0.0.0.0", PORT);
	memset(f.payload, 'x', 50000);
	for (i = 0; i < 50000; i += 8)
		snprintf((char *)f.payload + i, 8, "%07d", i);
	memcpy(f.payload, head, sizeof(head) - 1);
	if (!mini_serve(&f, 50000, 1448, 0) ||
	    !mini_serve(&f, 50000, 0, 0) ||
	    !mini_serve(&f, 50000, 0, EXO_TX_F_COPY))
		return 1;
	ok(true, "alice served three times");
	is(flow_kick(&f, EXO_FLOW_KICK_BUSY_POLL, 0, NULL), 0,
	   "busy polling the NAPI of the device");
	return 0;
}

/* The body as the host got it must be what the server had in its frame. */
static int fetch(void)
{
	return system("vm-host curl -s -m 10 http://10.77.0.2:8080/ >/tmp/got &&"
		      " test $(stat -c %s /tmp/got) = 49981 &&"
		      " tail -c 8 /tmp/got | grep -q 0049992");
}

int main(void)
{
	struct exo_net_grant g;
	struct exo_stats before;
	pid_t alice;
	int fd, i;

	exo_setup();
	fd = exo_open();
	is(net_attach(fd, "eth0"), 0, "attach eth0");
	g = (struct exo_net_grant) {
		.size = sizeof(g), .ifindex = if_nametoindex("eth0"),
		.uid = UID_ALICE, .first_port = PORT, .last_port = PORT,
	};
	is(exo_ioctl(fd, EXO_CMD_NET_GRANT, &g), 0, "grant to alice");
	before = stats_get(fd);
	alice = as_user_start(NULL, UID_ALICE, serve, NULL);
	usleep(300000);
	for (i = 0; i < 3; i++)
		is(fetch(), 0, "the host fetches 50,000 bytes (%d)", i);
	is(reap(alice), 0, "alice is done");
	is(system("ping -q -c 2 -W 5 10.77.0.1 >/dev/null"), 0,
	   "and Linux gets its own packets");
	ok(stats_wait(fd, &before, 2000), "counters are as before");
	is(net_detach(fd, g.ifindex), 0, "detach");
	return done_testing();
}
