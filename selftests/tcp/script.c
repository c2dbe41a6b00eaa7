// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Segments by script: the states of RFC 9293, one question a case. Attacks are
 * in attack.c. No root, no device, no clock.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "world.h"

#define ok	world_ok

static struct world w;
static struct peer p;

static void begin(void)
{
	world_init(&w);
	memset(&p, 0, sizeof(p));
}

static void connected(void)
{
	world_start(&w);
	world_connect(&w, &p);
	world_drain(&w);
}

static __u64 stat_conns(void)
{
	struct exo_tcp_stats stats;

	exo_tcp_stats(w.tcp, &stats);
	return stats.nr_conns + stats.nr_half_open;
}

static __u64 stat_tw(void)
{
	struct exo_tcp_stats stats;

	exo_tcp_stats(w.tcp, &stats);
	return stats.nr_time_wait;
}

static void send_syn(void)
{
	static const __u8 mss[4] = { 2, 4, 5, 0xb4 };

	world_send_opt(&w, &p, W_SYN, 0, 0, 0, mss, 4);
	world_run(&w);
}

/* A SYN has come, its answer is still to be looked at. */
static void half_open(void)
{
	begin();
	world_start(&w);
	p = (struct peer){ .addr = 0x0a000002, .port = 99, .isn = 7,
			   .wnd = 1000 };
	send_syn();
}

static void handshake(void)
{
	unsigned int n = 0;

	half_open();
	ok(world_next(&w, &p) && w.flags == (W_SYN | W_ACK) && w.ack == 1 &&
	   w.opt_len == 4 && w.opt[0] == 2 && wire_get16(w.opt + 2) == 1460,
	   "a SYN with MSS alone is answered with MSS alone");
	p.irs = w.seq;
	send_syn();
	ok(world_expect(&w, &p, W_SYN | W_ACK, 0, 1, 0),
	   "the same SYN again gets the same answer");
	world_pass(&w, 70000);
	while (world_next(&w, &p))
		n++;
	ok(n == 5 && stat_conns() == 0, "the SYN-ACK is repeated five times");
	ok(w.nr_accepted == 0, "and nobody was told");
	world_stop(&w);
}

/* After how many milliseconds is something sent? */
static unsigned int ms_until_sent(unsigned int most)
{
	unsigned int ms = 0;

	while (ms++ < most) {
		world_pass(&w, 1);
		if (world_next(&w, &p))
			return ms;
	}
	return 0;
}

static void syn_ack_times(void)
{
	unsigned int i, ms;

	half_open();
	world_drain(&w);
	for (i = 0; i < 5; i++) {
		ms = ms_until_sent(40000);
		printf("# after %u ms\n", ms);
		ok(ms >= 1000U << i && ms <= (1000U << i) + 3,
		   "the SYN-ACK is repeated, each time after twice the time");
	}
	world_pass(&w, 31000);
	ok(world_none(&w) && stat_conns() == 1, "the last one is waited for");
	world_pass(&w, 1100);
	ok(world_none(&w) && !stat_conns(), "as long, then forgotten");
	world_stop(&w);
}

/* A server that slept, and a handshake with which it wakes up. */
static void handshake_after(const char *what, __u64 idle_ms)
{
	begin();
	world_start(&w);
	world_run(&w);
	w.now += idle_ms * 1000000;
	world_connect(&w, &p);
	ok(world_none(&w) && w.nr_accepted == 1 && stat_conns() == 1, what);
	world_stop(&w);
}

/* A run that comes late finds the second client beside a timer of the first. */
static void handshake_late(void)
{
	struct peer q = { .addr = 0x0a000002, .port = 77, .isn = 70,
			  .wnd = 65535 };

	begin();
	connected();
	w.now += 60000ULL * 1000000;
	world_connect(&w, &q);
	ok(w.nr_accepted == 2 && stat_conns() == 2,
	   "a minute without a run: the handshake stays");
	ok(world_none(&w), "and is answered once");
	world_stop(&w);
}

static void data_and_acks(void)
{
	begin();
	connected();
	ok(w.nr_accepted == 1 && world_none(&w), "a connection, and no noise");
	world_send(&w, &p, W_ACK | W_PSH, 1, 1, 100);
	world_run(&w);
	ok(world_data_is(&w, 100) && world_none(&w),
	   "a small segment is delivered, its ACK waits");
	world_pass(&w, 38);
	ok(world_none(&w), "for 38 ms");
	world_pass(&w, 5);
	ok(world_expect(&w, &p, W_ACK, 1, 101, 0), "but not for 43");
	world_send(&w, &p, W_ACK, 101, 1, 1000);
	world_run(&w);
	ok(world_none(&w), "one full segment waits too");
	world_send(&w, &p, W_ACK, 1101, 1, 1000);
	world_run(&w);
	ok(world_expect(&w, &p, W_ACK, 1, 2101, 0) && world_none(&w),
	   "the second one is acknowledged at once");
	w.answer = 500;
	world_send(&w, &p, W_ACK | W_PSH, 2101, 1, 10);
	world_run(&w);
	ok(world_expect(&w, &p, W_ACK | W_PSH, 1, 2111, 500) &&
	   world_none(&w), "the ACK rides on the answer, no packet besides");
	world_pass(&w, 50);
	ok(world_none(&w), "and none later");
	world_send(&w, &p, W_ACK, 2111, 501, 0);
	world_run(&w);
	ok(w.released == 500, "acknowledged bytes are released");
	world_stop(&w);
}

static void close_active(void)
{
	begin();
	w.cfg.time_wait_ms = 1000;
	w.answer = 100;
	w.answer_flags = EXO_TCP_FIN;
	connected();
	world_send(&w, &p, W_ACK | W_PSH, 1, 1, 10);
	world_run(&w);
	ok(world_expect(&w, &p, W_ACK | W_PSH | W_FIN, 1, 11, 100),
	   "the FIN rides on the last data");
	world_send(&w, &p, W_ACK, 11, 102, 0);
	world_run(&w);
	ok(world_none(&w) && !w.nr_closed && w.released == 100,
	   "FIN-WAIT-2 is quiet");
	world_send(&w, &p, W_ACK | W_FIN, 11, 102, 0);
	world_run(&w);
	ok(world_expect(&w, &p, W_ACK, 102, 12, 0) && w.nr_closed == 1 &&
	   !w.error && stat_tw() == 1, "the peer's FIN leads to TIME-WAIT");
	world_pass(&w, 10);
	world_send(&w, &p, W_ACK | W_FIN, 11, 102, 0);
	world_run(&w);
	ok(world_expect(&w, &p, W_ACK, 102, 12, 0),
	   "TIME-WAIT answers the FIN again");
	world_send(&w, &p, W_RST, 12, 0, 0);
	world_run(&w);
	ok(stat_tw() == 1 && world_none(&w), "and ignores a RST (RFC 1337)");
	world_pass(&w, 1100);
	ok(stat_tw() == 0, "until 2 MSL are over");
	world_send(&w, &p, W_ACK, 12, 102, 0);
	world_run(&w);
	ok(world_expect(&w, &p, W_RST, 102, 0, 0),
	   "then a stray segment is reset");
	world_stop(&w);
}

static void close_passive(void)
{
	begin();
	connected();
	world_send(&w, &p, W_ACK | W_FIN | W_PSH, 1, 1, 20);
	world_run(&w);
	ok(world_data_is(&w, 20) && w.nr_peer_closed == 1 &&
	   world_expect(&w, &p, W_ACK, 1, 22, 0),
	   "data with FIN is delivered, then the FIN");
	world_send_frame(&w, 0, 50, 0);
	world_run(&w);
	ok(world_expect(&w, &p, W_ACK | W_PSH, 1, 22, 50),
	   "CLOSE-WAIT still sends");
	exo_tcp_shutdown(w.conn);
	world_run(&w);
	ok(world_expect(&w, &p, W_ACK | W_FIN | W_PSH, 51, 22, 0),
	   "shutdown sends the FIN");
	world_send(&w, &p, W_ACK, 22, 52, 0);
	world_run(&w);
	ok(w.nr_closed == 1 && !w.error && stat_tw() == 0 && !stat_conns(),
	   "LAST-ACK ends without TIME-WAIT");
	world_stop(&w);
}

static void close_simultaneous(void)
{
	begin();
	connected();
	exo_tcp_shutdown(w.conn);
	world_run(&w);
	world_drain(&w);
	world_send(&w, &p, W_ACK | W_FIN, 1, 1, 0);
	world_run(&w);
	ok(world_expect(&w, &p, W_ACK, 2, 2, 0) && !w.nr_closed,
	   "FINs that cross: CLOSING");
	world_send(&w, &p, W_ACK, 2, 2, 0);
	world_run(&w);
	ok(w.nr_closed == 1 && !w.error && stat_tw() == 1,
	   "then TIME-WAIT");
	world_stop(&w);
}

static void fin_wait_2_ends(void)
{
	begin();
	w.cfg.fin_wait_ms = 2000;
	connected();
	exo_tcp_shutdown(w.conn);
	world_run(&w);
	world_send(&w, &p, W_ACK, 1, 2, 0);
	world_pass(&w, 1900);
	ok(!w.nr_closed, "FIN-WAIT-2 waits for the peer's FIN");
	world_pass(&w, 200);
	ok(w.nr_closed == 1, "but not for ever");
	world_stop(&w);
}

static void reopen(void)
{
	static const __u8 mss[4] = { 2, 4, 5, 0xb4 };

	begin();
	w.answer = 10;
	w.answer_flags = EXO_TCP_FIN;
	connected();
	world_send(&w, &p, W_ACK, 1, 1, 10);
	world_run(&w);
	world_send(&w, &p, W_ACK | W_FIN, 11, 12, 0);
	world_run(&w);
	world_drain(&w);
	ok(stat_tw() == 1, "a connection in TIME-WAIT");
	world_send_opt(&w, &p, W_SYN, 5, 0, 0, mss, 4);
	world_run(&w);
	ok(world_expect(&w, &p, W_ACK, 12, 12, 0),
	   "an old SYN gets an ACK only");
	world_send_opt(&w, &p, W_SYN, 1000, 0, 0, mss, 4);
	world_run(&w);
	ok(world_next(&w, &p) && w.flags == (W_SYN | W_ACK) &&
	   w.ack == 1001 && (__s32)(w.seq - 12) > 0 && stat_tw() == 0,
	   "a newer one opens again, beyond the old numbers");
	world_stop(&w);
}

/* Does @n blocks of SACK stand in the last packet, the first one this? */
static bool sack_is(unsigned int n, __u32 start, __u32 end)
{
	__u32 i;

	for (i = 0; i + 2 <= w.opt_len; i += w.opt[i] < 2 ? 1 : w.opt[i + 1])
		if (w.opt[i] == 5)
			return w.opt[i + 1] == 2 + 8 * n &&
			       wire_get32(w.opt + i + 2) == p.isn + start &&
			       wire_get32(w.opt + i + 6) == p.isn + end;
	return n == 0;
}

static void out_of_order(void)
{
	begin();
	connected();
	world_send(&w, &p, W_ACK, 101, 1, 100);
	world_run(&w);
	ok(world_expect(&w, &p, W_ACK, 1, 1, 0) && sack_is(1, 101, 201) &&
	   w.nr_data == 0, "a gap: ACK at once, with SACK, nothing delivered");
	world_send(&w, &p, W_ACK, 301, 1, 100);
	world_run(&w);
	ok(world_expect(&w, &p, W_ACK, 1, 1, 0) && sack_is(2, 301, 401),
	   "a second gap: the newest block first");
	world_send(&w, &p, W_ACK, 151, 1, 200);
	world_run(&w);
	ok(world_expect(&w, &p, W_ACK, 1, 1, 0) && sack_is(1, 101, 401),
	   "an overlap joins them");
	world_send(&w, &p, W_ACK, 101, 1, 100);
	world_run(&w);
	ok(world_expect(&w, &p, W_ACK, 1, 1, 0) && sack_is(2, 101, 201),
	   "a duplicate of it is told of (RFC 2883)");
	world_send(&w, &p, W_ACK, 1, 1, 150);
	world_run(&w);
	ok(world_expect(&w, &p, W_ACK, 1, 401, 0) && sack_is(0, 0, 0) &&
	   world_data_is(&w, 400), "the gap filled: all in order, ACK at once");
	world_send(&w, &p, W_ACK, 301, 1, 100);
	world_run(&w);
	ok(world_expect(&w, &p, W_ACK, 1, 401, 0) && sack_is(1, 301, 401) &&
	   w.nr_data == 400, "an old segment: D-SACK, not delivered again");
	world_send(&w, &p, W_ACK | W_FIN, 501, 1, 100);
	world_run(&w);
	ok(world_expect(&w, &p, W_ACK, 1, 401, 0) && !w.nr_peer_closed,
	   "a FIN beyond a gap waits");
	world_send(&w, &p, W_ACK, 401, 1, 100);
	world_run(&w);
	ok(w.nr_peer_closed == 1 && world_data_is(&w, 600) &&
	   world_expect(&w, &p, W_ACK, 1, 602, 0), "until the gap is filled");
	world_stop(&w);
}

static void window_edge(void)
{
	begin();
	w.cfg.rcv_window_bytes = 1000;
	connected();
	world_send(&w, &p, W_ACK, 1, 1, 1200);
	world_run(&w);
	ok(world_expect(&w, &p, W_ACK, 1, 1001, 0) && world_data_is(&w, 1000),
	   "what is beyond the window is cut off");
	exo_tcp_set_window(w.conn, 0);
	world_send(&w, &p, W_ACK, 1001, 1, 1000);
	world_run(&w);
	ok(world_expect(&w, &p, W_ACK, 1, 2001, 0) && w.wnd == 0 &&
	   world_data_is(&w, 2000), "what was offered is taken, then it is 0");
	world_send(&w, &p, W_ACK, 2001, 1, 1);
	world_run(&w);
	ok(world_expect(&w, &p, W_ACK, 1, 2001, 0) && w.nr_data == 2000,
	   "a probe of the closed window is answered, not taken");
	exo_tcp_set_window(w.conn, 1000);
	world_run(&w);
	ok(world_expect(&w, &p, W_ACK, 1, 2001, 0) && w.wnd == 1000,
	   "opening it is told");
	world_stop(&w);
}

static void refuse(void)
{
	begin();
	w.refuse = true;
	world_start(&w);
	world_connect(&w, &p);
	ok(world_expect(&w, &p, W_RST | W_ACK, 1, 1, 0) && !w.nr_closed &&
	   !stat_conns(), "a connection refused by the server is reset");
	world_stop(&w);
}

static void abort_case(void)
{
	begin();
	connected();
	world_send_frame(&w, 0, 5000, 0);
	world_run(&w);
	world_drain(&w);
	exo_tcp_abort(w.conn);
	ok(!w.nr_closed, "abort does not call back from inside");
	world_run(&w);
	ok(world_expect(&w, &p, W_RST | W_ACK, 5001, 1, 0) &&
	   w.nr_closed == 1 && w.error == -ECONNABORTED, "it resets");
	world_stop(&w);
}

static void device_lag(void)
{
	begin();
	w.fake.lag = true;
	connected();
	world_send_frame(&w, 0, 4000, 0);
	exo_tcp_run(w.tcp, w.now);
	exo_flow_kick(w.flow, 0, 0);
	world_send(&w, &p, W_ACK, 1, 4001, 0);
	exo_tcp_run(w.tcp, w.now);
	ok(w.released == 0, "acknowledged, but the device has not read it: kept");
	exo_flow_kick(w.flow, 0, 0);
	exo_tcp_run(w.tcp, w.now);
	ok(w.released == 4000, "released when it has");
	world_send_frame(&w, 0, 4000, 0);
	exo_tcp_run(w.tcp, w.now);
	exo_flow_kick(w.flow, 0, 0);
	world_send(&w, &p, W_RST, 1, 0, 0);
	exo_tcp_run(w.tcp, w.now);
	ok(!w.nr_closed, "closed() waits for the device too");
	exo_flow_kick(w.flow, 0, 0);
	exo_tcp_run(w.tcp, w.now);
	ok(w.nr_closed == 1 && w.error == -ECONNRESET, "and comes then");
	world_stop(&w);
}

static void device_stuck(void)
{
	__u32 bytes = 0;
	int i;

	begin();
	p.ts = true;
	connected();
	w.fake.stuck = true;
	for (i = 0; i < 300; i++)
		world_send(&w, &p, W_ACK, 101, 1, 10);
	world_run(&w);
	world_send_frame(&w, 0, 3000, 0);
	world_run(&w);
	w.fake.stuck = false;
	world_pass(&w, 3);
	while (world_next(&w, &p))
		bytes += w.len;
	ok(bytes == 3000, "a full ring delays, but loses nothing");
	world_stop(&w);
}

static void dead_flow(void)
{
	begin();
	connected();
	w.fake.ring->flags = EXO_FLOW_DEAD;
	ok(exo_tcp_run(w.tcp, w.now) == -ESTALE && w.nr_closed == 1 &&
	   w.error == -ESTALE, "a dead flow closes everything");
	world_stop(&w);
}

static void writes(void)
{
	char text[100];
	int i, rc = 0;

	begin();
	connected();
	memset(text, 'w', sizeof(text));
	ok(exo_tcp_write(w.conn, text, 100, 0) == 0, "a small write");
	memset(text, 0, sizeof(text));
	world_run(&w);
	ok(world_expect(&w, &p, W_ACK | W_PSH, 1, 1, 100) &&
	   w.payload[0] == 'w' && w.payload[99] == 'w', "was copied");
	for (i = 0; i < 1000 && !rc; i++)
		rc = exo_tcp_write(w.conn, text, 100, 0);
	ok(rc == -EAGAIN && i < 70, "there are as many buffers as configured");
	world_run(&w);
	world_drain(&w);
	world_send(&w, &p, W_ACK, 1, exo_tcp_queued(w.conn) + 1, 0);
	world_run(&w);
	ok(exo_tcp_write(w.conn, text, 100, EXO_TCP_FIN) == 0,
	   "and they come back");
	ok(exo_tcp_write(w.conn, text, 100, 0) == -EPIPE,
	   "nothing follows a FIN");
	ok(exo_tcp_write(w.conn, text, 4000, 0) == -EMSGSIZE &&
	   exo_tcp_send(w.conn, NULL, 0, 1 << 9) == -EINVAL, "bad arguments");
	world_stop(&w);
}

static void more(void)
{
	begin();
	connected();
	world_send_frame(&w, 0, 2000, EXO_TCP_MORE);
	world_run(&w);
	ok(world_expect(&w, &p, W_ACK, 1, 1, 1460) && world_none(&w),
	   "MORE holds back a partial segment");
	world_send_frame(&w, 9000, 1000, 0);
	world_run(&w);
	ok(world_expect(&w, &p, W_ACK, 1461, 1, 1460) &&
	   world_expect(&w, &p, W_ACK | W_PSH, 2921, 1, 80),
	   "and the rest fills it");
	world_send(&w, &p, W_ACK, 1, 3001, 0);
	world_send_frame(&w, 0, 10, EXO_TCP_MORE);
	world_run(&w);
	ok(world_none(&w), "MORE without more");
	world_pass(&w, 1500);
	ok(world_expect(&w, &p, W_ACK | W_PSH, 3001, 1, 10),
	   "goes out after a while");
	world_stop(&w);
}

int main(void)
{
	handshake();
	syn_ack_times();
	handshake_after("10 s idle, a SYN: one SYN-ACK, a connection", 10000);
	handshake_after("likewise after half a minute", 30000);
	handshake_after("and after a day", 86400000);
	handshake_late();
	data_and_acks();
	close_active();
	close_passive();
	close_simultaneous();
	fin_wait_2_ends();
	reopen();
	out_of_order();
	window_edge();
	refuse();
	abort_case();
	device_lag();
	device_stuck();
	dead_flow();
	writes();
	more();
	printf("1..%d\n", world_tests);
	return world_failed ? 1 : 0;
}
