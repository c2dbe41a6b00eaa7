// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Noise: packets made at random around what is plausible, by a seeded
 * generator, to a server that answers, under ASan and UBSan. The fake device
 * checks every descriptor; what is delivered must be the peer's stream; at the
 * end everything that was taken must have been given back.
 *
 *	fuzz [SEED [PACKETS]]
 *
 * timeout: 150
 */
#include <stdio.h>
#include <stdlib.h>
#include "world.h"

#define NR_PEERS	12
#define PACKETS		200000

static struct fake rng;
static struct exo_tcp *tcp;
static struct exo_frame frame;
static __u64 nr_accepted, nr_closed, nr_bytes;

struct stream {
	__u32 pos;
};

static unsigned int rnd(unsigned int n)
{
	return fake_rand(&rng) % n;
}

static int on_accepted(struct exo_tcp_conn *conn)
{
	if (!rnd(50))
		return -1;
	conn->user = calloc(1, sizeof(struct stream));
	((struct stream *)conn->user)->pos = 1;
	nr_accepted++;
	return 0;
}

static void act(struct exo_tcp_conn *conn)
{
	struct exo_tcp_vec vec[6];
	unsigned int nr = rnd(6), i;

	for (i = 0; i < nr; i++) {
		vec[i].frame = frame.handle;
		vec[i].offset = rnd(500000);
		vec[i].len = rnd(4) ? rnd(3000) : rnd(200000);
	}
	switch (rnd(24)) {
	case 0:
		exo_tcp_abort(conn);
		break;
	case 1:
		exo_tcp_shutdown(conn);
		break;
	case 2:
		exo_tcp_send(conn, vec, nr, EXO_TCP_FIN);
		break;
	case 3:
		exo_tcp_set_window(conn, rnd(3) ? rnd(70000) : 0);
		break;
	case 4:
		exo_tcp_write(conn, "hello", rnd(6), rnd(4));
		break;
	default:
		if (exo_tcp_queued(conn) < 1 << 24)
			exo_tcp_send(conn, vec, nr, rnd(4) ? 0 : EXO_TCP_MORE);
	}
}

static bool is_liar(const struct exo_tcp_conn *conn);

static void on_data(struct exo_tcp_conn *conn, const void *data, size_t len)
{
	struct stream *s = conn->user;
	const __u8 *p = data;
	size_t i;

	if (!len)
		fake_die("data() without data");
	for (i = 0; i < len; i++)
		if (p[i] != world_byte(s->pos + i) && !is_liar(conn))
			fake_die("wrong byte delivered");
	s->pos += len;
	nr_bytes += len;
	act(conn);
}

static void on_peer_closed(struct exo_tcp_conn *conn)
{
	if (rnd(2))
		exo_tcp_shutdown(conn);
	else
		act(conn);
}

static void on_released(struct exo_tcp_conn *conn, __u64 end)
{
	if (end > exo_tcp_queued(conn))
		fake_die("released beyond what was queued");
	if (!rnd(8))
		act(conn);
}

static void on_closed(struct exo_tcp_conn *conn, int error)
{
	(void)error;
	free(conn->user);
	nr_closed++;
}

static const struct exo_tcp_ops fuzz_ops = {
	.accepted = on_accepted,
	.data = on_data,
	.peer_closed = on_peer_closed,
	.released = on_released,
	.closed = on_closed,
};

/* What a peer believes, from what it saw of us. */
struct fuzz_peer {
	struct peer p;
	__u32 seq;		/* its next, relative */
	__u32 ack;		/* our next, relative */
	__u32 acked;
};

/*
 * Changed headers under a right checksum put bytes at the wrong place, and so
 * does a peer that began anew while its old connection lives.
 */
#define NR_PORTS	2000
static bool liar[3][NR_PEERS * NR_PORTS];
static bool used[3][NR_PEERS * NR_PORTS];

static struct world w;
static struct fuzz_peer peers[NR_PEERS];

static bool is_liar(const struct exo_tcp_conn *conn)
{
	return liar[ntohl(conn->raddr) - 0x0a000002][ntohs(conn->rport) - 1000];
}

static __u32 near(__u32 v)
{
	switch (rnd(10)) {
	case 0:
		return fake_rand(&rng);
	case 1:
		return v + rnd(200000) - 100000;
	case 2:
	case 3:
		return v + rnd(5000) - 2500;
	case 4:
		return v + rnd(5) - 2;
	default:
		return v;
	}
}

static __u32 random_options(__u8 *opt, const struct fuzz_peer *f)
{
	__u32 len = 0, i, nr;

	if (f->p.ts && rnd(20)) {
		memcpy(opt, "\1\1\10\12", 4);
		wire_put32(opt + 4, rnd(10) ? f->p.tsval : near(f->p.tsval));
		wire_put32(opt + 8, f->p.tsecr);
		len = 12;
	}
	if (!rnd(3)) {
		nr = 1 + rnd(3);
		memcpy(opt + len, "\1\1\5", 3);
		opt[len + 3] = 2 + 8 * nr;
		for (i = 0; i < 2 * nr; i++)
			wire_put32(opt + len + 4 + 4 * i, f->p.irs +
				   near(f->acked + rnd(20000)));
		len += 4 + 8 * nr;
	}
	for (i = rnd(30) ? 0 : 4 * rnd(4); i && len < 40; i--)
		opt[len++] = fake_rand(&rng);
	return len + (-len & 3);
}

static void mark_liar(const struct fuzz_peer *f)
{
	liar[f->p.addr - 0x0a000002][f->p.port - 1000] = true;
}

static void fuzz_syn(struct fuzz_peer *f, unsigned int i)
{
	bool *was_used;

	__u8 opt[40] = { 2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 1,
			 0, 0, 0, 0, 1, 3, 3, 7 };
	__u32 len = rnd(3) ? 20 : rnd(6) * 4;

	f->p = (struct peer){ .addr = 0x0a000002 + i % 3,
			      .port = 1000 + i + NR_PEERS *
				      rnd(rnd(10) ? NR_PORTS : 10),
			      .isn = fake_rand(&rng), .wnd = rnd(65536),
			      .ts = len >= 16, .tsval = 1 };
	was_used = &used[f->p.addr - 0x0a000002][f->p.port - 1000];
	if (*was_used)
		mark_liar(f);
	*was_used = true;
	f->seq = 1;
	f->ack = 1;
	f->acked = 1;
	if (!rnd(10))
		opt[rnd(20)] = fake_rand(&rng);
	world_send_opt(&w, &f->p, W_SYN | (rnd(30) ? 0 : rnd(64)), 0, 0,
		       rnd(20) ? 0 : rnd(100), opt, len);
}

static void fuzz_segment(struct fuzz_peer *f)
{
	static const __u8 odd[] = { W_SYN, W_RST, W_FIN | W_ACK, W_URG, 0,
				    W_SYN | W_ACK, W_RST | W_ACK, W_PSH, 63 };
	__u32 len = rnd(3) ? rnd(1460) : 0, seq = near(f->seq), n;
	__u32 ack = rnd(3) ? f->ack : near(f->acked);
	__u8 flags = rnd(20) ? W_ACK : odd[rnd(sizeof(odd))];
	__u8 opt[48] = { 0 }, pkt[FAKE_PACKET_MAX], good[W_HEAD];

	if (!rnd(200))
		len = rnd(30000);
	if (!rnd(10))
		f->p.wnd = rnd(4) ? rnd(65536) : rnd(3);
	f->p.tsval += rnd(2);
	n = random_options(opt, f);
	n = world_build(&w, &f->p, pkt, flags, seq, ack, len, opt, n);
	if (flags & W_SYN)
		mark_liar(f);
	if (!rnd(15)) {
		memcpy(good, pkt, W_HEAD);
		/* Behind the checksum's back: any byte of the headers. */
		pkt[14 + rnd(46)] ^= 1 << rnd(8);
		if (rnd(2)) {
			mark_liar(f);
			/* Addresses and ports stay. */
			memcpy(pkt + 26, good + 26, 12);
			wire_checksums(pkt, n);
		} else {
			n = rnd(n);
		}
		fake_receive(&w.fake, pkt, n, 0, 0);
		return;
	}
	fake_receive(&w.fake, pkt, n, rnd(2) ? EXO_RX_F_CSUM_OK : 0,
		     len > 1460 ? 1448 : 0);
	if (seq == f->seq)
		f->seq += len;
	f->acked = ack;
}

/* Peers learn from what is sent to them. */
static void learn(void)
{
	static const struct peer zero;
	unsigned int i;

	while (world_next(&w, &zero)) {
		const __u8 *ip = w.pkt->data + W_ETH;

		for (i = 0; i < NR_PEERS; i++) {
			struct fuzz_peer *f = &peers[i];

			if (wire_get32(ip + 16) != f->p.addr ||
			    wire_get16(ip + 22) != f->p.port)
				continue;
			if (w.flags & W_SYN)
				f->p.irs = w.seq;
			f->ack = w.seq + w.len - f->p.irs +
				 !!(w.flags & (W_SYN | W_FIN));
			if (rnd(4) && w.flags & W_ACK)
				f->seq = w.ack - f->p.isn;
			if (f->p.ts && w.opt_len >= 12)
				f->p.tsecr = wire_get32(w.opt + 4);
		}
	}
}

static void fuzz_start(void)
{
	world_init(&w);
	w.cfg.max_conns = 64;
	w.cfg.max_half_open = 16;
	w.cfg.max_time_wait = 16;
	w.cfg.max_vecs = 64;
	w.cfg.time_wait_ms = 3000;
	w.cfg.fin_wait_ms = 3000;
	w.cfg.user_timeout_ms = 20000;
	w.cfg.keepalive_ms = 5000;
	w.cfg.ooo_bytes = 256 << 10;
	w.cfg.ooo_conn_bytes = 64 << 10;
	if (exo_env_open(&w.fake.sys, NULL, &w.env) < 0 ||
	    exo_flow_bind(w.env, 0, 1, 1 << 19, 64, &w.flow) < 0 ||
	    exo_frame_alloc(w.env, 256, 0, &frame) < 0 ||
	    exo_tcp_create(w.env, w.flow, &fuzz_ops, &w.cfg, &tcp) < 0)
		fake_die("the server cannot start");
	w.tcp = tcp;
}

static void fuzz_run(unsigned int packets)
{
	unsigned int n, i;

	for (n = 0; n < packets; n++) {
		i = rnd(NR_PEERS);
		if (!peers[i].p.port || !rnd(300))
			fuzz_syn(&peers[i], i);
		else
			fuzz_segment(&peers[i]);
		w.fake.lag = !rnd(2);
		w.fake.stuck = !rnd(20);
		if (rnd(3))
			continue;
		w.now += rnd(50) ? rnd(2 * MS) : (__u64)rnd(3000) * MS;
		exo_tcp_run(tcp, w.now);
		exo_flow_kick(w.flow, 0, 0);
		learn();
	}
}

int main(int argc, char **argv)
{
	__u64 seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
	struct exo_tcp_stats s;

	fake_init(&rng);
	rng.rng = seed * 0x9e3779b97f4a7c15ULL + 1;
	fuzz_start();
	fuzz_run(argc > 2 ? atoi(argv[2]) : PACKETS);
	w.fake.stuck = false;
	world_pass(&w, 1000);
	exo_tcp_stats(tcp, &s);
	printf("# seed %llu: %llu accepted, %llu bytes delivered, %llu sent, "
	       "%llu bad, %llu timeouts, %llu recoveries\n", seed, s.accepted,
	       nr_bytes, s.tx_bytes, s.rx_bad, s.timeouts, s.fast_recoveries);
	world_ok(s.accepted > 50 && nr_bytes > 100000 && s.fast_recoveries,
		 "the noise reaches every part");
	world_pass(&w, 200000);
	exo_tcp_stats(tcp, &s);
	world_ok(s.nr_conns == 0 && s.nr_half_open == 0 && s.nr_time_wait == 0 &&
		 s.ooo_bytes == 0, "silence afterwards ends everything");
	world_ok(nr_accepted == nr_closed, "each connection was closed once");
	printf("1..%d\n", world_tests);
	exo_frame_free(&frame);
	exo_tcp_destroy(tcp);
	free(w.pkt);
	exo_flow_unbind(w.flow);
	exo_env_close(w.env);
	fake_exit(&w.fake);
	return world_failed ? 1 : 0;
}
