// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * On a host where io_uring is switched off, does an ordinary user's libexo do
 * all the same: a loop with timers, descriptors, events of the env, and a flow's
 * packets in both directions?
 *
 * timeout: 120
 */
#define _GNU_SOURCE	/* what exo_test.h wants */
#define PORT 8480
#include <exo/exo.h>
#include <exo/flow.h>
#include <exo/tcp.h>

#include "../net/net_test.h"

#include <sys/eventfd.h>

#define SWITCH		"/proc/sys/kernel/io_uring_disabled"
#define MS		1000000ULL
#define ANSWER		20000		/* bytes */

static unsigned int ifindex;

/* What alice's process has, and what its callbacks saw. */
struct bench {
	struct exo_env *env;
	struct exo_loop *loop;
	struct exo_flow *flow;
	struct exo_tcp *tcp;
	struct exo_frame frame;
	struct exo_event event;
	int ticks;
	int bytes;
	int events;
	int requests;
	int closed;
	int error;
};

/* Rounds until it has happened, 10 s at most. */
static void spin(struct bench *b, const int *count)
{
	uint64_t end = now_ms() + 10000;

	while (!*count && now_ms() < end)
		if (exo_loop_round(b->loop, 20 * MS))
			return;
}

/* --------------------------------------------------------- what is off */

static void test_off(struct bench *b)
{
	_Alignas(8) char params[256] = "";
	struct exo_loop *loop;
	struct exo_cq cq;
	long rc;

	rc = syscall(SYS_io_uring_setup, 4, params);
	ok(rc < 0 && errno == EPERM, "io_uring_setup(2) is EPERM");
	is(exo_loop_create(b->env, EXO_LOOP_F_URING, &loop), -EPERM,
	   "so is a loop that insists on io_uring");
	is(exo_cq_create(b->env, 4, EXO_CQ_F_URING, &cq), 0,
	   "a completion ring that would like it");
	ok(!cq.uring, "does without");
	exo_cq_destroy(&cq);
}

/* ------------------------------------------------------------ the loop */

static void on_tick(struct exo_loop *loop, struct exo_timer *timer, void *ctx)
{
	struct bench *b = ctx;

	(void)loop;
	(void)timer;
	b->ticks++;
}

static void on_bytes(struct exo_loop *loop, int fd, unsigned int events,
		     void *ctx)
{
	struct bench *b = ctx;
	eventfd_t n;

	(void)loop;
	if (events & POLLIN && !eventfd_read(fd, &n))
		b->bytes += n;
}

static void on_event(struct exo_loop *loop, const struct exo_event *event,
		     void *ctx)
{
	struct bench *b = ctx;

	(void)loop;
	b->event = *event;
	b->events++;
}

static void test_timer(struct bench *b)
{
	struct exo_timer timer = { .fn = on_tick, .ctx = b };
	__u64 begin = exo_tcp_now_ns();

	is(exo_timer_start(b->loop, &timer, begin + 30 * MS), 0, "a timer");
	spin(b, &b->ticks);
	is(b->ticks, 1, "fires");
	ok(exo_tcp_now_ns() - begin >= 30 * MS, "in time");
}

static void test_fd(struct bench *b)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	is(exo_loop_add_fd(b->loop, fd, POLLIN, on_bytes, b), 0,
	   "a foreign descriptor");
	exo_loop_round(b->loop, 10 * MS);
	is(b->bytes, 0, "is silent first");
	eventfd_write(fd, 3);
	spin(b, &b->bytes);
	is(b->bytes, 3, "and heard then");
	is(exo_loop_del_fd(b->loop, fd), 0, "and left");
	close(fd);
}

static void test_event(struct bench *b)
{
	struct exo_cap_narrow narrow = { .rights = EXO_RIGHT_READ, .nr = 1 };
	struct exo_cap cap;

	is(exo_loop_on_event(b->loop, on_event, b), 0, "events are wanted");
	narrow.expires_ns = exo_env_boot_ns(b->env) + 200 * MS;
	is(exo_cap_derive(b->env, b->frame.handle, &narrow, &cap), 0,
	   "a capability for 200 ms");
	spin(b, &b->events);
	is(b->event.type, EXO_EVENT_CAP_ENDED, "its end is heard");
	is(b->event.handle, cap.handle, "by its handle");
}

/* ------------------------------------------------------------ the flow */

static int on_accepted(struct exo_tcp_conn *conn)
{
	(void)conn;
	return 0;
}

/* A request is a byte: what is answered stands in the frame. */
static void on_data(struct exo_tcp_conn *conn, const void *data, size_t len)
{
	struct bench *b = exo_tcp_user(conn->tcp);
	struct exo_tcp_vec vec = { .frame = b->frame.handle, .len = ANSWER };

	b->requests += len == 1 && *(const char *)data == '?';
	if (exo_tcp_send(conn, &vec, 1, EXO_TCP_FIN))
		exo_tcp_abort(conn);
}

static void on_closed(struct exo_tcp_conn *conn, int error)
{
	struct bench *b = exo_tcp_user(conn->tcp);

	b->error = error;
	b->closed = 1;
}

static const struct exo_tcp_ops ops = {
	.accepted = on_accepted, .data = on_data, .closed = on_closed,
};

static void on_env(struct exo_loop *loop, void *ctx)
{
	struct bench *b = ctx;
	__u64 now = exo_loop_now_ns(loop);
	__s64 wait;

	if (exo_tcp_run(b->tcp, now) > 0)
		exo_flow_kick(b->flow, 0, 0);
	wait = exo_tcp_next_timeout_ns(b->tcp, now);
	if (wait >= 0)
		exo_loop_due(loop, now + wait);
}

static void flow_up(struct bench *b, int sock)
{
	struct exo_tcp_config cfg;
	int rc;

	exo_tcp_config_init(&cfg);
	cfg.user = b;
	rc = exo_flow_bind(b->env, sock, ifindex, 256 << 10, 64, &b->flow);
	rc = rc ?: exo_tcp_create(b->env, b->flow, &ops, &cfg, &b->tcp);
	if (rc)
		bail("the flow: %s", strerror(-rc));
	exo_loop_on_env(b->loop, on_env, b);
}

static void test_flow(struct bench *b, int ready)
{
	struct exo_flow_counters c;
	int s = listen_on("0.0.0.0", PORT, 4);

	flow_up(b, s);
	if (write(ready, "x", 1) != 1)
		bail("write: %m");
	spin(b, &b->closed);
	is(b->requests, 1, "a request came");
	is(b->closed, 1, "its connection is closed");
	is(b->error, 0, "in order");
	exo_flow_counters(b->flow, &c);
	ok(c.rx_packets >= 3 && c.tx_packets >= 3 && !c.tx_refused,
	   "by %llu packets received, %llu sent", c.rx_packets, c.tx_packets);
	exo_loop_on_env(b->loop, NULL, NULL);
	exo_tcp_destroy(b->tcp);
	exo_flow_unbind(b->flow);
	close(s);
}

static int alice(void *arg)
{
	struct bench b = {};
	int i;

	if (exo_env_open(NULL, NULL, &b.env) ||
	    exo_frame_alloc(b.env, 5, 0, &b.frame))
		bail("no env");
	for (i = 0; i < ANSWER; i++)
		((char *)b.frame.addr)[i] = i * 7;
	test_off(&b);
	is(exo_loop_create(b.env, 0, &b.loop), 0, "a loop of any kind");
	is(exo_loop_is_uring(b.loop), 0, "is on poll(2)");
	test_timer(&b);
	test_fd(&b);
	test_event(&b);
	test_flow(&b, *(int *)arg);
	exo_loop_destroy(b.loop);
	is(exo_frame_free(&b.frame), 0, "the frame is freed");
	exo_env_close(b.env);
	return 0;
}

/* ---------------------------------------------------------------- root */

/* A Linux client: how many bytes of the answer are right. */
static int client(void)
{
	struct timeval limit = { .tv_sec = 10 };
	int s, nr = 0, good = 0, i;
	char buf[4096];
	ssize_t n;

	if (peer_connect(LOCAL, PORT, 10000, &s) ||
	    fcntl(s, F_SETFL, 0) ||
	    setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) ||
	    send(s, "?", 1, 0) != 1) {
		close(s);
		return -1;
	}
	while ((n = recv(s, buf, sizeof(buf), 0)) > 0)
		for (i = 0; i < n; i++, nr++)
			good += buf[i] == (char)(nr * 7);
	close(s);
	return n || nr != ANSWER ? -1 : good;
}

static void read_switch(char *value, size_t room)
{
	int fd = open(SWITCH, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, value, room - 1);

	if (n < 1)
		bail(SWITCH ": %m");
	value[n] = '\0';
	close(fd);
}

/* Between the two writes nothing ends this process. */
static void run(void)
{
	char was[16], now[16], c;
	int ready[2];
	pid_t pid;

	if (pipe2(ready, O_CLOEXEC))
		bail("pipe: %m");
	read_switch(was, sizeof(was));
	is(write_file(SWITCH, "2"), 0, "io_uring is switched off");
	pid = as_user_start(NULL, UID_ALICE, alice, &ready[1]);
	close(ready[1]);
	if (ok(read(ready[0], &c, 1) == 1, "alice serves"))
		is(client(), ANSWER, "a client of Linux gets what she sent");
	is(reap(pid), 0, "alice's process ended well");
	write_file(SWITCH, was);
	read_switch(now, sizeof(now));
	ok(!strcmp(was, now), "the switch is as it was");
	close(ready[0]);
}

int main(void)
{
	struct exo_stats before;
	int fd;

	if (access(SWITCH, F_OK)) {
		puts("this kernel cannot switch io_uring off");
		return EXIT_SKIP;
	}
	exo_setup();
	net_up();
	fd = exo_open();
	ifindex = if_nametoindex(DEV);
	is(net_attach(fd, DEV), 0, "attach");
	is(net_grant(fd, 0, UID_ALICE, PORT, PORT), 0, "grant to alice");
	before = stats_get(fd);
	run();
	ok(stats_wait(fd, &before, 5000), "nothing is left of her");
	is(net_detach(fd, ifindex), 0, "detach");
	close(fd);
	net_down();
	return done_testing();
}
