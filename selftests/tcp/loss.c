// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * What the sender does when something is missing, and what the timers do:
 * RFC 6298, 5681, 6675, 6582, windows that close, silence. By script.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "world.h"

#define ok	world_ok
#define SEG	1460

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

static struct exo_tcp_stats stats(void)
{
	struct exo_tcp_stats s;

	exo_tcp_stats(w.tcp, &s);
	return s;
}

static unsigned int drain(__u32 *first, __u32 *last_end)
{
	unsigned int n = 0;

	while (world_next(&w, &p)) {
		if (!n++)
			*first = w.seq;
		*last_end = w.seq + w.len;
	}
	return n;
}

static void ack_sack(__u32 ack, __u32 start, __u32 end)
{
	__u8 opt[12] = { 1, 1, 5, 10 };

	wire_put32(opt + 4, p.irs + start);
	wire_put32(opt + 8, p.irs + end);
	world_send_opt(&w, &p, W_ACK, 1, ack, 0, opt, 12);
	world_run(&w);
}

static void slow_start(void)
{
	__u32 first, end;
	unsigned int n;

	begin();
	connected();
	world_send_frame(&w, 0, 200000, 0);
	world_run(&w);
	n = drain(&first, &end);
	ok(n == 10 && first == 1, "the first window is ten segments");
	world_send(&w, &p, W_ACK, 1, end, 0);
	world_run(&w);
	n = drain(&first, &end);
	ok(n == 20, "the second is twice that");
	world_send(&w, &p, W_ACK, 1, first, 0);
	world_run(&w);
	ok(world_none(&w), "a duplicate ACK alone does nothing");
	world_stop(&w);
}

static void fast_retransmit_sack(void)
{
	__u32 first = 0, end = 0;

	begin();
	connected();
	world_send_frame(&w, 0, 10 * SEG, 0);
	world_run(&w);
	drain(&first, &end);
	ack_sack(1, 1 + SEG, 1 + 2 * SEG);
	ack_sack(1, 1 + SEG, 1 + 3 * SEG);
	ok(world_none(&w), "two segments beyond a gap: patience");
	ack_sack(1, 1 + SEG, 1 + 4 * SEG);
	ok(world_expect(&w, &p, W_ACK, 1, 1, SEG) && world_none(&w) &&
	   stats().fast_recoveries == 1, "three: it is sent again, and only it");
	ack_sack(1, 1 + SEG, 1 + 5 * SEG);
	ok(world_none(&w), "once");
	ack_sack(1 + 5 * SEG, 1 + 6 * SEG, 1 + 10 * SEG);
	ok(world_expect(&w, &p, W_ACK, 1 + 5 * SEG, 1, SEG) && world_none(&w),
	   "the next gap after a partial ACK");
	world_send(&w, &p, W_ACK, 1, 1 + 10 * SEG, 0);
	world_run(&w);
	ok(w.released == 10 * SEG && stats().timeouts == 0 &&
	   stats().retrans_bytes == 2 * SEG, "two lost, two sent again");
	world_stop(&w);
}

static void fast_retransmit_newreno(void)
{
	static const __u8 mss[4] = { 2, 4, 5, 0xb4 };
	__u32 first = 0, end = 0;
	int i;

	begin();
	world_start(&w);
	p = (struct peer){ .addr = 0x0a000002, .port = 9, .isn = 5,
			   .wnd = 65535 };
	world_send_opt(&w, &p, W_SYN, 0, 0, 0, mss, 4);
	world_run(&w);
	world_next(&w, &p);
	p.irs = w.seq;
	world_send(&w, &p, W_ACK, 1, 1, 0);
	world_run(&w);
	world_send_frame(&w, 0, 10 * SEG, 0);
	world_run(&w);
	drain(&first, &end);
	for (i = 0; i < 2; i++)
		world_send(&w, &p, W_ACK, 1, 1, 0);
	world_run(&w);
	ok(world_none(&w), "without SACK, two duplicate ACKs: patience");
	world_send(&w, &p, W_ACK, 1, 1, 0);
	world_run(&w);
	ok(world_expect(&w, &p, W_ACK, 1, 1, SEG) && world_none(&w),
	   "the third one");
	world_send(&w, &p, W_ACK, 1, 1 + 4 * SEG, 0);
	world_run(&w);
	ok(world_expect(&w, &p, W_ACK, 1 + 4 * SEG, 1, SEG),
	   "a partial ACK sends the next (RFC 6582)");
	world_drain(&w);
	world_send(&w, &p, W_ACK, 1, 1 + 10 * SEG, 0);
	world_run(&w);
	ok(w.released == 10 * SEG && stats().fast_recoveries == 1,
	   "one recovery");
	world_stop(&w);
}

static void timeout(void)
{
	unsigned int n = 0;
	__u64 at[32], start;

	begin();
	w.cfg.user_timeout_ms = 30000;
	w.cfg.rto_max_ms = 8000;
	connected();
	world_send_frame(&w, 0, 500, 0);
	world_run(&w);
	ok(world_expect(&w, &p, W_ACK | W_PSH, 1, 1, 500), "a segment");
	start = w.now;
	while (!w.nr_closed && n < 32 && w.now < start + 60000 * MS) {
		world_pass(&w, 1);
		if (world_next(&w, &p) && w.len)
			at[n++] = (w.now - start) / MS;
	}
	ok(n >= 6 && at[0] >= 200 && at[0] <= 210 && at[1] >= 600 &&
	   at[1] <= 610 && at[2] >= 1400 && at[2] <= 1415 && at[3] <= 3020,
	   "is sent again after 0.2, 0.6, 1.4, 3 s");
	ok(at[n - 1] - at[n - 2] <= 8010, "at most every 8 s");
	ok(w.error == -ETIMEDOUT && (w.now - start) / MS >= 30000 &&
	   (w.now - start) / MS <= 39000 && w.flags == (W_RST | W_ACK),
	   "and given up after the user timeout, with a RST");
	world_stop(&w);
}

static void timeout_recovers(void)
{
	__u32 first = 0, end = 0;

	begin();
	connected();
	world_send_frame(&w, 0, 10 * SEG, 0);
	world_run(&w);
	drain(&first, &end);
	world_pass(&w, 500);
	drain(&first, &end);
	ok(stats().timeouts == 1 && first == 1 + 9 * SEG,
	   "a whole window lost: a tail probe, then the timer");
	world_send(&w, &p, W_ACK, 1, 1 + SEG, 0);
	world_run(&w);
	ok(drain(&first, &end) == 2 && first == 1 + SEG, "slow start: two");
	world_send(&w, &p, W_ACK, 1, end, 0);
	world_run(&w);
	ok(drain(&first, &end) >= 3 && first == 1 + 3 * SEG, "then more");
	world_send(&w, &p, W_ACK, 1, 1 + 10 * SEG, 0);
	world_run(&w);
	ok(w.released == 10 * SEG && world_none(&w), "until all is there");
	world_stop(&w);
}

static void retransmission_lost(void)
{
	__u32 i;

	begin();
	connected();
	world_send_frame(&w, 0, 100 * SEG, 0);
	world_run(&w);
	world_drain(&w);
	for (i = 2; i <= 10; i++)
		ack_sack(1, 1 + SEG, 1 + i * SEG);
	while (world_next(&w, &p) && w.seq != 1)
		;
	ok(w.seq == 1 && w.len == SEG, "the hole is sent again");
	world_drain(&w);
	for (i = 11; i <= 30 && !stats().timeouts; i++) {
		ack_sack(1, 1 + SEG, 1 + i * SEG);
		if (world_next(&w, &p) && w.seq == 1)
			break;
	}
	ok(i <= 30 && stats().timeouts == 0,
	   "lost once more: noticed without the timer");
	world_stop(&w);
}

static void zero_window(void)
{
	unsigned int n = 0;
	int i;

	begin();
	connected();
	p.wnd = 0;
	world_send(&w, &p, W_ACK, 1, 1, 0);
	world_run(&w);
	world_send_frame(&w, 0, 3000, 0);
	world_run(&w);
	ok(world_none(&w), "a closed window stops us");
	for (i = 0; i < 40; i++) {
		world_pass(&w, 500);
		while (world_next(&w, &p)) {
			n++;
			ok(w.len == 0 && w.seq == 0, "a probe");
			world_send(&w, &p, W_ACK, 1, 1, 0);
			world_run(&w);
		}
	}
	ok(n >= 5 && n <= 9 && !w.nr_closed, "probed with backoff");
	p.wnd = 1000;
	world_send(&w, &p, W_ACK, 1, 1, 0);
	world_pass(&w, 250);
	ok(world_next(&w, &p) && w.seq == 1 && w.len, "a small one is used");
	world_drain(&w);
	p.wnd = 65535;
	world_send(&w, &p, W_ACK, 1, 1001, 0);
	world_pass(&w, 1000);
	world_send(&w, &p, W_ACK, 1, 3001, 0);
	world_run(&w);
	ok(w.released == 3000, "an open one finishes it");
	world_stop(&w);
}

static void zero_window_for_ever(void)
{
	begin();
	w.cfg.user_timeout_ms = 20000;
	connected();
	p.wnd = 0;
	world_send(&w, &p, W_ACK, 1, 1, 0);
	world_run(&w);
	world_send_frame(&w, 0, 3000, 0);
	world_pass(&w, 19000);
	ok(!w.nr_closed, "a window closed for 19 s");
	world_pass(&w, 30000);
	ok(w.nr_closed && w.error == -ETIMEDOUT,
	   "for ever: given up, or a peer could hold our memory");
	world_stop(&w);
}

static void keepalive(void)
{
	begin();
	w.cfg.keepalive_ms = 1000;
	connected();
	world_pass(&w, 900);
	ok(world_none(&w), "silence");
	world_pass(&w, 200);
	ok(world_expect(&w, &p, W_ACK, 0, 1, 0), "is probed after a second");
	world_send(&w, &p, W_ACK, 1, 1, 0);
	world_pass(&w, 900);
	ok(world_none(&w), "an answer is enough");
	world_pass(&w, 12000);
	ok(w.nr_closed && w.error == -ETIMEDOUT && stats().probes == 10,
	   "nine without an answer are not");
	world_stop(&w);
}

static void idle(void)
{
	begin();
	w.cfg.idle_ms = 5000;
	connected();
	world_pass(&w, 4000);
	world_send(&w, &p, W_ACK, 1, 1, 10);
	world_pass(&w, 4500);
	ok(!w.nr_closed, "busy now and then");
	world_pass(&w, 600);
	ok(w.nr_closed && w.error == -ETIMEDOUT, "idle for 5 s: closed");
	world_stop(&w);
}

static void fin_lost(void)
{
	begin();
	connected();
	world_send_frame(&w, 0, 100, EXO_TCP_FIN);
	world_run(&w);
	world_drain(&w);
	world_pass(&w, 210);
	ok(world_expect(&w, &p, W_ACK | W_PSH | W_FIN, 1, 1, 100),
	   "data and FIN are sent again together");
	world_send(&w, &p, W_ACK, 1, 101, 0);
	world_pass(&w, 1000);
	ok(world_expect(&w, &p, W_ACK | W_PSH | W_FIN, 101, 1, 0),
	   "a FIN alone");
	world_send(&w, &p, W_ACK | W_FIN, 1, 102, 0);
	world_run(&w);
	ok(w.nr_closed == 1 && !w.error, "closed");
	world_stop(&w);
}

static void black_hole(void)
{
	unsigned int n = 0;
	int i;

	begin();
	connected();
	world_send_frame(&w, 0, 1460, 0);
	world_run(&w);
	for (i = 0; i < 100 && !n; i++) {
		world_pass(&w, 100);
		while (world_next(&w, &p))
			n += w.len == 536;
	}
	ok(n == 1 && stats().timeouts == 3,
	   "large segments vanish: small ones are tried");
	world_stop(&w);
}

static void timeouts_asked(void)
{
	__s64 next;

	begin();
	connected();
	world_send_frame(&w, 0, 100, 0);
	world_run(&w);
	next = exo_tcp_next_timeout_ns(w.tcp, w.now);
	ok(next > 190 * (__s64)MS && next < 210 * (__s64)MS,
	   "the next timeout is the retransmission's");
	world_send(&w, &p, W_ACK, 1, 101, 0);
	ok(exo_tcp_next_timeout_ns(w.tcp, w.now) == 0,
	   "something to do: at once");
	world_stop(&w);
}

int main(void)
{
	slow_start();
	fast_retransmit_sack();
	fast_retransmit_newreno();
	timeout();
	timeout_recovers();
	retransmission_lost();
	zero_window();
	zero_window_for_ever();
	keepalive();
	idle();
	fin_lost();
	black_hole();
	timeouts_asked();
	printf("1..%d\n", world_tests);
	return world_failed ? 1 : 0;
}
