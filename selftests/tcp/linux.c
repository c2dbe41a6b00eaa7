// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * libexo's TCP against the TCP of the Linux kernel of this machine.
 *
 *	client sockets -- Linux TCP -- TAP -- bad wire -- rings -- libexo -- app
 *
 * in a network namespace of its own (root). Every byte is compared. The wire
 * loses, repeats, reorders and delays by a seeded generator; netem is not on
 * every kernel.
 *
 * timeout: 170
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <netinet/in.h>
#include "app.h"
#include "client.h"
#include "wire.h"

#define WHO		"10.9.0.2"

/*
 * On a wire that loses nothing. A busy machine may leave Linux without a
 * processor until our shortest timeout, all eight clients at once; a fault of
 * ours would show on each of 1,600 connections. tcp/loss, whose clock is its
 * own, allows none.
 */
#define BUSY_TIMEOUTS	16

static int nr_tests, nr_failed;

static void result(bool ok, const char *what)
{
	nr_tests++;
	nr_failed += !ok;
	printf("%sok %d - %s\n", ok ? "" : "not ", nr_tests, what);
	fflush(stdout);
}

static void run(const char *command)
{
	if (system(command))
		fake_die("failed: %s", command);
}

/* One case: a fresh device, a fresh server. */
struct bed {
	struct fake fake;
	struct app app;
	struct exo_tcp_config cfg;
	bool tso;
};

static void bed_init(struct bed *bed)
{
	fake_init(&bed->fake);
	exo_tcp_config_init(&bed->cfg);
	bed->tso = true;
}

static void bed_start(struct bed *bed)
{
	char cmd[256];

	fake_tap_open(&bed->fake, "exo0", bed->tso);
	snprintf(cmd, sizeof(cmd), "ip addr add 10.9.0.1/24 dev exo0 && "
		 "ip link set exo0 mtu %u up && ip neigh add " WHO
		 " lladdr 02:00:00:00:00:0b dev exo0 nud permanent",
		 bed->fake.mtu);
	run(cmd);
	app_start(&bed->app, &bed->fake, &bed->cfg);
}

static void bed_stop(struct bed *bed)
{
	int i;

	/* Clients are gone: give the last handshakes two seconds. */
	for (i = 0; i < 200 && bed->app.nr_closed != bed->app.nr_accepted; i++)
		usleep(10000);
	app_stop(&bed->app);
	fake_exit(&bed->fake);
}

static void one_request(void)
{
	struct bed bed;
	int fd;

	bed_init(&bed);
	bed_start(&bed);
	fd = dial(0);
	result(fd >= 0, "a Linux client connects");
	result(fetch(fd, APP_SEND, 1000), "and gets an answer");
	result(fetch(fd, APP_SEND_FIN, 3000) && get_eof(fd),
	       "and another one with a FIN");
	close(fd);
	bed_stop(&bed);
}

static void bulk(const char *what, void (*setup)(struct bed *bed), int nr,
		 __u64 n)
{
	struct crowd crowd = { .n = n };
	char name[128];
	struct bed bed;
	__u64 start;

	bed_init(&bed);
	if (setup)
		setup(&bed);
	bed_start(&bed);
	start = exo_tcp_now_ns();
	crowd.client = client_fetch;
	snprintf(name, sizeof(name), "%s: sent to %d clients", what, nr);
	result(crowd_run(&crowd, nr), name);
	crowd.client = client_upload;
	snprintf(name, sizeof(name), "%s: received from %d clients", what, nr);
	result(crowd_run(&crowd, nr), name);
	crowd.client = client_echo;
	crowd.n = n / 4;
	snprintf(name, sizeof(name), "%s: echo with %d clients", what, nr);
	result(crowd_run(&crowd, nr), name);
	bed_stop(&bed);
	printf("# %llu ms, %llu timeouts, %llu fast recoveries, "
	       "%llu of %llu bytes sent again, %llu out of order\n",
	       (exo_tcp_now_ns() - start) / 1000000,
	       bed.app.stats.timeouts, bed.app.stats.fast_recoveries,
	       bed.app.stats.retrans_bytes, bed.app.stats.tx_bytes,
	       bed.app.stats.rx_ooo);
}

static void lossy(struct bed *bed)
{
	bed->fake.in = (struct fake_wire){ .loss = 50, .delay_us = 1000 };
	bed->fake.out = bed->fake.in;
	bed->fake.lag = true;
}

static void bad_wire(struct bed *bed)
{
	bed->fake.in = (struct fake_wire){ 20, 30, 60, 500 };
	bed->fake.out = bed->fake.in;
	bed->fake.lag = true;
}

static void no_offloads(struct bed *bed)
{
	bed->tso = false;
	bed->fake.no_csum_ok = true;
	bed->fake.gso_max_bytes = 1514;
}

static void real_gso(struct bed *bed)
{
	bed->fake.tap_gso = true;
	bed->fake.lag = true;
}

static void mtu_576(struct bed *bed)
{
	bed->fake.mtu = 576;
	bed->fake.in = (struct fake_wire){ 5, 5, 5, 200 };
	bed->fake.out = bed->fake.in;
}

static void small_windows(void)
{
	struct crowd crowd = { .client = client_fetch, .n = 300000,
			       .rcvbuf = 2304 };
	struct bed bed;

	bed_init(&bed);
	bed.cfg.rcv_window_bytes = 3000;
	bed_start(&bed);
	result(crowd_run(&crowd, 4), "to receivers with tiny buffers");
	crowd.client = client_upload;
	crowd.n = 100000;
	result(crowd_run(&crowd, 4), "a tiny window of our own");
	bed_stop(&bed);
}

static void keepalive(void)
{
	struct crowd crowd = { .client = client_keepalive, .n = 4000,
			       .rounds = 1000 };
	struct bed bed;

	bed_init(&bed);
	bed_start(&bed);
	result(crowd_run(&crowd, 8), "8 connections, 1,000 requests on each");
	crowd.client = client_connects;
	crowd.rounds = 200;
	result(crowd_run(&crowd, 8), "8 clients, 200 connections each");
	bed_stop(&bed);
	result(bed.app.stats.tx_rsts == 0, "without a RST of ours");
	result(bed.app.stats.timeouts <= BUSY_TIMEOUTS, "nor timeouts");
	printf("# %llu packets in, %llu out, %llu without data, %llu timeouts, "
	       "%llu RSTs\n", bed.app.stats.rx_segs, bed.app.stats.tx_descs,
	       bed.app.stats.tx_acks, bed.app.stats.timeouts,
	       bed.app.stats.tx_rsts);
}

static void many(void)
{
	struct crowd crowd = { .client = client_keepalive, .n = 2000,
			       .rounds = 10 };
	struct bed bed;

	bed_init(&bed);
	bed.fake.in = (struct fake_wire){ 10, 10, 10, 300 };
	bed.fake.out = bed.fake.in;
	bed_start(&bed);
	result(crowd_run(&crowd, 400), "400 connections at once, some loss");
	bed_stop(&bed);
}

static void half_close(void)
{
	struct bed bed;
	int fd;

	bed_init(&bed);
	bed_start(&bed);
	fd = dial(0);
	result(ask(fd, APP_AFTER_FIN, 500000) && !shutdown(fd, SHUT_WR) &&
	       get_pattern(fd, 500000) && get_eof(fd),
	       "a client that has closed its side is still answered");
	close(fd);
	bed_stop(&bed);
	result(bed.app.last_error == 0, "and closes in order");
}

static void resets(void)
{
	struct linger hard = { .l_onoff = 1 };
	struct bed bed;
	char buf[1000];
	ssize_t n;
	int fd;

	bed_init(&bed);
	bed_start(&bed);
	fd = dial(0);
	ask(fd, APP_SEND, 50000000);
	get(fd, buf, sizeof(buf));
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	close(fd);
	usleep(200000);
	result(bed.app.nr_closed == 1 && bed.app.last_error == -ECONNRESET,
	       "a client's RST in mid-transfer ends the connection");
	fd = dial(0);
	ask(fd, APP_ABORT, 100);
	do {
		n = recv(fd, buf, sizeof(buf), 0);
	} while (n > 0);
	result(n < 0 && errno == ECONNRESET, "ours reaches the client");
	close(fd);
	bed_stop(&bed);
}

static void closed_windows(void)
{
	struct bed bed;
	int fd;

	bed_init(&bed);
	bed_start(&bed);
	fd = dial(0);
	result(upload(fd, APP_STALL, 1000000), "our window closes and opens");
	close(fd);
	fd = dial(4096);
	ask(fd, APP_SEND, 1000000);
	sleep(2);
	result(get_pattern(fd, 1000000), "a reader that sleeps 2 s");
	close(fd);
	bed_stop(&bed);
	result(bed.app.stats.probes > 0, "was probed meanwhile");
}

static void run_cases(void)
{
	one_request();
	bulk("good wire", NULL, 8, 4000000);
	bulk("whole GSO packets", real_gso, 8, 4000000);
	bulk("no offloads", no_offloads, 4, 1000000);
	bulk("5 % lost", lossy, 8, 300000);
	bulk("lost, repeated, reordered", bad_wire, 8, 400000);
	bulk("MTU 576", mtu_576, 4, 300000);
	small_windows();
	keepalive();
	many();
	half_close();
	resets();
	closed_windows();
}

int main(void)
{
	if (geteuid() || unshare(CLONE_NEWNET) < 0) {
		printf("needs root and network namespaces\n");
		return 77;
	}
	run("ip link set lo up");
	run_cases();
	printf("1..%d\n", nr_tests);
	return nr_failed ? 1 : 0;
}
