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

static void bad_wire(struct bed *bed)
{
	bed->fake.in = (struct fake_wire){ 50, 10, 30, 500 };
	bed->fake.out = (struct fake_wire){ 50, 10, 30, 500 };
	bed->fake.lag = true;
}

static void run_cases(void)
{
	one_request();
	bulk("good wire", NULL, 8, 4000000);
	bulk("bad wire", bad_wire, 8, 400000);
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
