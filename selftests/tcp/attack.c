// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * What a hostile or broken peer may send: malformed packets, blind injections
 * (RFC 5961), old timestamps (RFC 7323), wild options, floods, lies about what
 * was received. One question a case.
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

static struct exo_tcp_stats stats(void)
{
	struct exo_tcp_stats s;

	exo_tcp_stats(w.tcp, &s);
	return s;
}

static void malformed(void)
{
	__u8 good[FAKE_PACKET_MAX], bad[FAKE_PACKET_MAX];
	__u32 len, i;

	begin();
	connected();
	len = world_build(&w, &p, good, W_ACK, 1, 1, 40, NULL, 0);
	for (i = 0; i < len; i++)
		fake_receive(&w.fake, good, i, EXO_RX_F_CSUM_OK, 0);
	world_run(&w);
	ok(world_none(&w) && !w.nr_data && stats().rx_bad == len,
	   "every truncation is dropped");
	for (i = 0; i < 8 * len; i++) {
		memcpy(bad, good, len);
		bad[i / 8] ^= 1 << i % 8;
		if (i / 8 >= 14)	/* no checksum covers Ethernet */
			fake_receive(&w.fake, bad, len, 0, 0);
	}
	world_run(&w);
	ok(!w.nr_data && stats().nr_conns == 1 &&
	   stats().rx_bad == len + 8 * (len - 14),
	   "every flipped bit is found by the checksums");
	world_drain(&w);
	memcpy(bad, good, len);
	wire_put16(bad + 14 + 6, 0x2000);
	wire_checksums(bad, len);
	fake_receive(&w.fake, bad, len, 0, 0);
	memcpy(bad, good, len);
	bad[14 + 20 + 12] = 4 << 4;
	wire_checksums(bad, len);
	fake_receive(&w.fake, bad, len, 0, 0);
	bad[14 + 20 + 12] = 15 << 4;
	wire_checksums(bad, len - 30);
	fake_receive(&w.fake, bad, len - 30, EXO_RX_F_CSUM_OK, 0);
	world_run(&w);
	ok(!w.nr_data && world_none(&w), "fragments, bad data offsets: dropped");
	fake_receive(&w.fake, good, len, 0, 0);
	world_run(&w);
	ok(world_data_is(&w, 40), "the good one is taken");
	world_stop(&w);
}

static void padded(void)
{
	__u8 pkt[FAKE_PACKET_MAX];
	__u32 len;

	begin();
	connected();
	len = world_build(&w, &p, pkt, W_ACK, 1, 1, 3, NULL, 0);
	memset(pkt + len, 0x55, 10);
	fake_receive(&w.fake, pkt, len + 10, 0, 0);
	world_run(&w);
	ok(world_data_is(&w, 3), "Ethernet padding is no data");
	world_stop(&w);
}

static void ip_options(void)
{
	__u8 pkt[FAKE_PACKET_MAX], with[FAKE_PACKET_MAX];
	__u32 len;

	begin();
	connected();
	len = world_build(&w, &p, pkt, W_ACK, 1, 1, 9, NULL, 0);
	memcpy(with, pkt, 34);
	memset(with + 34, 1, 8);
	memcpy(with + 42, pkt + 34, len - 34);
	with[14] = 0x47;
	wire_put16(with + 16, len - 14 + 8);
	wire_checksums(with, len + 8);
	fake_receive(&w.fake, with, len + 8, 0, 0);
	world_run(&w);
	ok(world_data_is(&w, 9), "IP options are stepped over");
	world_stop(&w);
}

static void blind_rst(void)
{
	begin();
	connected();
	world_send(&w, &p, W_RST, 70000, 0, 0);
	world_send(&w, &p, W_RST, 0, 0, 0);
	world_run(&w);
	ok(world_none(&w) && !w.nr_closed, "a RST outside the window: nothing");
	world_send(&w, &p, W_RST, 2, 0, 0);
	world_run(&w);
	ok(world_expect(&w, &p, W_ACK, 1, 1, 0) && !w.nr_closed,
	   "inside, but not exact: a challenge ACK");
	world_send(&w, &p, W_RST, 3, 0, 0);
	world_run(&w);
	ok(world_none(&w), "challenge ACKs are limited");
	world_send(&w, &p, W_RST, 1, 0, 0);
	world_run(&w);
	ok(w.nr_closed == 1 && w.error == -ECONNRESET && world_none(&w),
	   "exact: reset");
	world_stop(&w);
}

static void blind_syn(void)
{
	begin();
	connected();
	world_send(&w, &p, W_SYN, 1, 0, 0);
	world_run(&w);
	ok(world_expect(&w, &p, W_ACK, 1, 1, 0) && !w.nr_closed,
	   "a SYN in the window: a challenge ACK");
	world_pass(&w, 10);
	world_send(&w, &p, W_SYN | W_ACK, 1, 1, 0);
	world_run(&w);
	ok(world_expect(&w, &p, W_ACK, 1, 1, 0) && !w.nr_closed,
	   "a SYN-ACK likewise");
	world_stop(&w);
}

static void blind_data(void)
{
	begin();
	connected();
	world_send(&w, &p, W_ACK, 1, 5000, 10);
	world_run(&w);
	ok(!w.nr_data && world_expect(&w, &p, W_ACK, 1, 1, 0),
	   "an ACK of what was never sent: challenged, dropped");
	world_pass(&w, 10);
	world_send(&w, &p, W_ACK, 1, (__u32)-100000, 10);
	world_run(&w);
	ok(!w.nr_data && world_expect(&w, &p, W_ACK, 1, 1, 0),
	   "an ACK older than the window: likewise");
	world_send(&w, &p, W_PSH, 1, 1, 10);
	world_send(&w, &p, 0, 1, 1, 10);
	world_run(&w);
	ok(!w.nr_data && world_none(&w), "data without ACK: dropped");
	world_send(&w, &p, W_ACK, 1, 1, 10);
	world_run(&w);
	ok(world_data_is(&w, 10), "the true segment is taken");
	world_stop(&w);
}

static void overlap(void)
{
	__u8 pkt[FAKE_PACKET_MAX];
	__u32 len;

	begin();
	connected();
	world_send(&w, &p, W_ACK, 11, 1, 10);
	len = world_build(&w, &p, pkt, W_ACK, 6, 1, 20, NULL, 0);
	memset(pkt + 54, 'X', 20);
	memcpy(pkt + 54, "\x00\x00\x00\x00\x00", 5);
	wire_checksums(pkt, len);
	fake_receive(&w.fake, pkt, len, 0, 0);
	world_send(&w, &p, W_ACK, 1, 1, 5);
	world_run(&w);
	ok(w.nr_data == 25 && w.data[10] == world_byte(11) &&
	   w.data[19] == world_byte(20) && w.data[20] == 'X',
	   "of overlapping data the first copy counts");
	world_stop(&w);
}

static void paws(void)
{
	begin();
	p.ts = true;
	connected();
	p.tsval = 1000;
	world_send(&w, &p, W_ACK, 1, 1, 10);
	world_run(&w);
	p.tsval = 999;
	world_send(&w, &p, W_ACK, 11, 1, 10);
	world_run(&w);
	ok(world_data_is(&w, 10) && stats().paws_drops == 1 &&
	   world_expect(&w, &p, W_ACK, 1, 11, 0),
	   "an old timestamp: dropped, acknowledged");
	ok(w.opt_len == 12 && wire_get32(w.opt + 8) == 1000,
	   "with the timestamp that was echoed before");
	p.ts = false;
	world_send(&w, &p, W_ACK, 11, 1, 10);
	world_run(&w);
	ok(w.nr_data == 10 && world_none(&w), "none at all: dropped");
	p.ts = true;
	p.tsval = 5000;
	world_send(&w, &p, W_ACK, 31, 1, 10);
	world_run(&w);
	world_drain(&w);
	p.tsval = 1001;
	world_send(&w, &p, W_ACK, 11, 1, 20);
	world_run(&w);
	ok(world_data_is(&w, 40),
	   "one beyond a gap does not count yet (RFC 7323 section 4.3)");
	world_pass(&w, 10);
	world_drain(&w);
	p.tsval = 3;
	world_send(&w, &p, W_RST, 41, 0, 0);
	world_run(&w);
	ok(w.nr_closed == 1, "a RST needs no new timestamp");
	world_stop(&w);
}

static void wild_options(void)
{
	static const __u8 opts[][12] = {
		{ 2, 0 }, { 2, 1 }, { 2, 255 }, { 3 }, { 1, 1, 1, 8 },
		{ 8, 10, 1, 2 }, { 5, 3, 1 }, { 5, 2 }, { 5, 9, 1, 1 },
		{ 254, 4, 1, 1 }, { 2, 4, 0, 0 }, { 0, 255, 255, 255 },
		{ 3, 3, 255, 2, 4, 0, 1, 0 }, { 4, 2, 4, 2, 4, 2, 8, 2 },
	};
	unsigned int i, n = 0;

	begin();
	world_start(&w);
	for (i = 0; i < sizeof(opts) / sizeof(opts[0]); i++) {
		p = (struct peer){ .addr = 0x0a000002, .port = 100 + i,
				   .isn = 9, .wnd = 65535 };
		world_send_opt(&w, &p, W_SYN, 0, 0, 0, opts[i], 12);
		world_run(&w);
		if (!world_next(&w, &p) || w.flags != (W_SYN | W_ACK))
			continue;
		p.irs = w.seq;
		world_send_opt(&w, &p, W_ACK, 1, 1, 5, opts[i], 12);
		world_run(&w);
		if (!w.conn)
			continue;
		world_send_frame(&w, 0, 60000, 0);
		world_run(&w);
		world_drain(&w);
		n++;
	}
	ok(n == i && stats().nr_conns == n, "wild options do no harm");
	world_stop(&w);
}

static void tiny_mss(void)
{
	static const __u8 opt[4] = { 2, 4, 0, 1 };
	unsigned int n = 0;

	begin();
	world_start(&w);
	p = (struct peer){ .addr = 0x0a000002, .port = 9, .isn = 9,
			   .wnd = 65535 };
	world_send_opt(&w, &p, W_SYN, 0, 0, 0, opt, 4);
	world_run(&w);
	world_next(&w, &p);
	p.irs = w.seq;
	world_send(&w, &p, W_ACK, 1, 1, 0);
	world_run(&w);
	world_send_frame(&w, 0, 640, 0);
	world_run(&w);
	while (world_next(&w, &p))
		n++;
	ok(n == 10, "an MSS of 1 is taken for 64");
	world_stop(&w);
}

/* Send @bytes and have nothing acknowledged. */
static void fill_pipe(__u32 bytes)
{
	world_send_frame(&w, 0, bytes, 0);
	world_run(&w);
	world_drain(&w);
}

static void sack(__u32 ack, __u32 start, __u32 end, __u32 start2, __u32 end2)
{
	__u8 opt[20] = { 1, 1, 5, 18 };

	wire_put32(opt + 4, p.irs + start);
	wire_put32(opt + 8, p.irs + end);
	wire_put32(opt + 12, p.irs + start2);
	wire_put32(opt + 16, p.irs + end2);
	world_send_opt(&w, &p, W_ACK, 1, ack, 0, opt, 20);
	world_run(&w);
}

static void sack_lies(void)
{
	int i;

	begin();
	connected();
	fill_pipe(14600);
	sack(1, 100000, 200000, 14601, 16000);
	sack(1, 5000, 4000, 1, 1461);
	sack(1, 0x80000000, 0x90000000, (__u32)-5000, 5000);
	sack(1, 14600, 14602, 3000, 3000);
	ok(world_none(&w) && w.released == 0,
	   "blocks of what was not sent, empty or reversed: ignored");
	for (i = 0; i < 1000; i++)
		sack(1, 2 + (i * 7919) % 14000, 3 + (i * 7919) % 14000,
		     3 + (i * 104729) % 14000, 4 + (i * 104729) % 14000);
	world_drain(&w);
	ok(stats().retrans_bytes <= 14600 * 2,
	   "confetti does not make us send everything again and again");
	world_send(&w, &p, W_ACK, 1, 14601, 0);
	world_run(&w);
	ok(w.released == 14600, "and the connection goes on");
	world_stop(&w);
}

static void reneging(void)
{
	__u32 bytes = 0;
	int i;

	begin();
	connected();
	fill_pipe(14600);
	sack(1, 1461, 14601, 0, 0);
	world_drain(&w);
	/* It forgets all it said it had. */
	for (i = 0; i < 200 && bytes < 14600; i++) {
		world_pass(&w, 300);
		while (world_next(&w, &p))
			if (w.seq == bytes + 1)
				bytes += w.len;
		world_send(&w, &p, W_ACK, 1, bytes + 1, 0);
		world_run(&w);
		while (world_next(&w, &p))
			if (w.seq == bytes + 1)
				bytes += w.len;
	}
	ok(bytes == 14600, "a peer that reneges gets everything in the end");
	world_stop(&w);
}

static void syn_flood(void)
{
	struct peer one = { .isn = 1, .wnd = 1000 };
	int i;

	begin();
	w.cfg.max_half_open = 64;
	world_start(&w);
	for (i = 0; i < 5000; i++) {
		one.addr = 0x0b000000 + i;
		one.port = 1 + i;
		world_send(&w, &one, W_SYN, 0, 0, 0);
		if (i % 100 == 99) {
			world_run(&w);
			world_drain(&w);
		}
	}
	ok(stats().nr_half_open == 64 && stats().half_open_dropped == 4936,
	   "a SYN flood takes what is configured and no more");
	world_connect(&w, &p);
	ok(w.nr_accepted == 1, "and honest clients still connect");
	world_stop(&w);
}

static void too_many(void)
{
	struct peer one = { 0 };
	int i;

	begin();
	w.cfg.max_conns = 10;
	world_start(&w);
	for (i = 0; i < 20; i++) {
		one = (struct peer){ .addr = 0x0a000100 + i, .port = 5,
				     .isn = i, .wnd = 500 };
		world_connect(&w, &one);
	}
	ok(w.nr_accepted == 10 && stats().accept_dropped == 10,
	   "connections are limited");
	exo_tcp_abort(w.conn);
	world_run(&w);
	world_drain(&w);
	world_send(&w, &one, W_ACK, 1, 1, 0);
	world_run(&w);
	ok(w.nr_accepted == 11, "one that waited gets in when there is room");
	world_stop(&w);
}

static void tw_bounded(void)
{
	struct peer one;
	int i;

	begin();
	w.cfg.max_time_wait = 16;
	world_start(&w);
	for (i = 0; i < 100; i++) {
		one = (struct peer){ .addr = 0x0a000100 + i, .port = 5,
				     .isn = i, .wnd = 500 };
		world_connect(&w, &one);
		exo_tcp_shutdown(w.conn);
		world_run(&w);
		world_send(&w, &one, W_ACK | W_FIN, 1, 2, 0);
		world_run(&w);
		world_drain(&w);
	}
	ok(stats().nr_time_wait == 16 && w.nr_closed == 100,
	   "TIME-WAIT is bounded");
	world_stop(&w);
}

static void ooo_bounded(void)
{
	__u32 i;

	begin();
	w.cfg.ooo_bytes = 64 << 10;
	w.cfg.ooo_conn_bytes = 32 << 10;
	connected();
	for (i = 0; i < 2000; i++) {
		world_send(&w, &p, W_ACK, 3 + 2 * i, 1, 1);
		if (i % 100 == 99) {
			world_run(&w);
			world_drain(&w);
		}
	}
	ok(stats().ooo_bytes <= 32 << 10, "confetti takes bounded memory");
	for (i = 0; i < 10; i++)
		world_send(&w, &p, W_ACK, 1 + 500 * i, 1, 500);
	world_run(&w);
	ok(world_data_is(&w, 5000) && stats().ooo_bytes == 0,
	   "and is put together rightly");
	world_stop(&w);
}

static void strays(void)
{
	begin();
	world_start(&w);
	p = (struct peer){ .addr = 0x0a000002, .port = 9, .isn = 100 };
	world_send(&w, &p, W_ACK, 5, 77, 10);
	world_run(&w);
	ok(world_expect(&w, &p, W_RST, 77, 0, 0), "a stray ACK is reset");
	world_send(&w, &p, W_RST | W_ACK, 5, 77, 0);
	world_send(&w, &p, W_FIN, 5, 0, 0);
	world_send(&w, &p, W_SYN | W_FIN, 5, 0, 0);
	world_send(&w, &p, 0, 5, 0, 10);
	p.addr = 0xe0000001;
	world_send(&w, &p, W_SYN, 0, 0, 0);
	p.addr = US_ADDR;
	world_send(&w, &p, W_SYN, 0, 0, 0);
	world_run(&w);
	ok(world_none(&w) && stats().nr_half_open == 0,
	   "RST, nonsense flags, impossible sources: silence");
	world_stop(&w);
}

static void half_open(void)
{
	begin();
	world_start(&w);
	p = (struct peer){ .addr = 0x0a000002, .port = 9, .isn = 100,
			   .wnd = 100 };
	world_send(&w, &p, W_SYN, 0, 0, 0);
	world_run(&w);
	world_next(&w, &p);
	p.irs = w.seq;
	world_send(&w, &p, W_ACK, 1, 500, 0);
	world_run(&w);
	ok(world_expect(&w, &p, W_RST, 500, 0, 0) && !w.nr_accepted,
	   "a wrong ACK of our SYN is reset, the handshake goes on");
	world_send(&w, &p, W_RST, 5, 0, 0);
	world_run(&w);
	ok(stats().nr_half_open == 1, "a RST that is not exact: ignored");
	world_send(&w, &p, W_ACK | W_PSH, 1, 1, 33);
	world_run(&w);
	ok(w.nr_accepted == 1 && world_data_is(&w, 33),
	   "data may come with the last ACK");
	world_stop(&w);
}

int main(void)
{
	malformed();
	padded();
	ip_options();
	blind_rst();
	blind_syn();
	blind_data();
	overlap();
	paws();
	wild_options();
	tiny_mss();
	sack_lies();
	reneging();
	syn_flood();
	too_many();
	tw_bounded();
	ooo_bounded();
	strays();
	half_open();
	printf("1..%d\n", world_tests);
	return world_failed ? 1 : 0;
}
