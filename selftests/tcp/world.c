// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* See world.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "world.h"

#define FRAME_PAGES	512

int world_tests, world_failed;

void world_ok(bool ok, const char *what)
{
	world_tests++;
	world_failed += !ok;
	printf("%sok %d - %s\n", ok ? "" : "not ", world_tests, what);
	fflush(stdout);
}

__u8 world_byte(__u32 pos)
{
	return pos * 31 + (pos >> 8) * 7;
}

static int on_accepted(struct exo_tcp_conn *conn)
{
	struct world *w = exo_tcp_user(conn->tcp);

	w->nr_accepted++;
	if (w->refuse)
		return -1;
	w->conn = conn;
	return 0;
}

static void on_data(struct exo_tcp_conn *conn, const void *data, size_t len)
{
	struct world *w = exo_tcp_user(conn->tcp);

	if (len > sizeof(w->data) - w->nr_data)
		w->nr_data = 0;
	memcpy(w->data + w->nr_data, data, len);
	w->nr_data += len;
	if (w->answer)
		world_send_frame(w, 0, w->answer, w->answer_flags);
}

static void on_peer_closed(struct exo_tcp_conn *conn)
{
	struct world *w = exo_tcp_user(conn->tcp);

	w->nr_peer_closed++;
	if (w->echo_fin)
		exo_tcp_shutdown(conn);
}

static void on_released(struct exo_tcp_conn *conn, __u64 end)
{
	struct world *w = exo_tcp_user(conn->tcp);

	w->released = end;
}

static void on_closed(struct exo_tcp_conn *conn, int error)
{
	struct world *w = exo_tcp_user(conn->tcp);

	if (w->conn == conn)
		w->conn = NULL;
	w->nr_closed++;
	w->error = error;
}

static const struct exo_tcp_ops world_ops = {
	.accepted = on_accepted,
	.data = on_data,
	.peer_closed = on_peer_closed,
	.released = on_released,
	.closed = on_closed,
};

void world_init(struct world *w)
{
	memset(w, 0, sizeof(*w));
	fake_init(&w->fake);
	exo_tcp_config_init(&w->cfg);
	w->now = 1000000 * MS;
}

void world_start(struct world *w)
{
	w->cfg.user = w;
	if (exo_env_open(&w->fake.sys, NULL, &w->env) < 0 ||
	    exo_flow_bind(w->env, 0, 1, 1 << 20, 256, &w->flow) < 0 ||
	    exo_frame_alloc(w->env, FRAME_PAGES, 0, &w->frame) < 0 ||
	    exo_tcp_create(w->env, w->flow, &world_ops, &w->cfg, &w->tcp) < 0)
		fake_die("the server cannot start");
	memset(w->frame.addr, 'x', w->frame.bytes);
	world_run(w);
}

void world_stop(struct world *w)
{
	exo_tcp_destroy(w->tcp);
	free(w->pkt);
	w->pkt = NULL;
	exo_frame_free(&w->frame);
	exo_flow_unbind(w->flow);
	exo_env_close(w->env);
	fake_exit(&w->fake);
}

__u32 world_build(const struct world *w, const struct peer *p, __u8 *pkt,
		  __u8 flags, __u32 seq, __u32 ack, __u32 len, const void *opt,
		  __u32 opt_len)
{
	__u8 *ip = pkt + W_ETH, *tcp = ip + W_IP, *data = tcp + W_TCP + opt_len;
	__u32 i;

	memset(pkt, 0, W_HEAD);
	memcpy(pkt, w->fake.mac, 6);
	pkt[6] = 2;
	pkt[11] = 0xa;
	wire_put16(pkt + 12, 0x0800);
	ip[0] = 0x45;
	wire_put16(ip + 2, W_IP + W_TCP + opt_len + len);
	ip[8] = 64;
	ip[9] = 6;
	wire_put32(ip + 12, p->addr);
	wire_put32(ip + 16, US_ADDR);
	wire_put16(tcp, p->port);
	memcpy(tcp + 2, &w->fake.port, 2);
	wire_put32(tcp + 4, p->isn + seq);
	wire_put32(tcp + 8, flags & W_ACK ? p->irs + ack : 0);
	tcp[12] = (W_TCP + opt_len) / 4 << 4;
	tcp[13] = flags;
	wire_put16(tcp + 14, p->wnd);
	if (opt_len)
		memcpy(tcp + W_TCP, opt, opt_len);
	for (i = 0; i < len; i++)
		data[i] = world_byte(seq + i);
	wire_checksums(pkt, W_HEAD + opt_len + len);
	return W_HEAD + opt_len + len;
}

void world_send_opt(struct world *w, const struct peer *p, __u8 flags,
		    __u32 seq, __u32 ack, __u32 len, const void *opt,
		    __u32 opt_len)
{
	__u8 pkt[FAKE_PACKET_MAX];

	fake_receive(&w->fake, pkt,
		     world_build(w, p, pkt, flags, seq, ack, len, opt, opt_len),
		     0, 0);
}

void world_send(struct world *w, const struct peer *p, __u8 flags, __u32 seq,
		__u32 ack, __u32 len)
{
	__u8 opt[12] = { 1, 1, 8, 10 };

	wire_put32(opt + 4, p->tsval);
	wire_put32(opt + 8, p->tsecr);
	world_send_opt(w, p, flags, seq, ack, len, opt, p->ts ? 12 : 0);
}

void world_run(struct world *w)
{
	int i = 0;

	/* A run takes a batch; one more for what the device has done. */
	do {
		exo_tcp_run(w->tcp, w->now);
		exo_flow_kick(w->flow, 0, 0);
	} while (w->fake.rx_prod != w->flow->rx_pos || !i++);
}

void world_pass(struct world *w, unsigned int ms)
{
	while (ms--) {
		w->now += MS;
		exo_tcp_run(w->tcp, w->now);
		exo_flow_kick(w->flow, 0, 0);
	}
}

bool world_next(struct world *w, const struct peer *p)
{
	const __u8 *ip, *tcp;
	__u32 doff;

	free(w->pkt);
	w->pkt = fake_sent(&w->fake);
	if (!w->pkt)
		return false;
	ip = w->pkt->data + W_ETH;
	tcp = ip + W_IP;
	doff = (tcp[12] >> 4) * 4;
	if (wire_sum(ip, W_IP, 0) != 0xffff ||
	    wire_sum(tcp, w->pkt->len - W_ETH - W_IP,
		     wire_pseudo(ip, w->pkt->len - W_ETH - W_IP)) != 0xffff)
		fake_die("sent with a wrong checksum");
	w->flags = tcp[13];
	w->seq = wire_get32(tcp + 4) - p->irs;
	w->ack = wire_get32(tcp + 8) - p->isn;
	w->wnd = wire_get16(tcp + 14);
	w->opt = tcp + W_TCP;
	w->opt_len = doff - W_TCP;
	w->payload = tcp + doff;
	w->len = w->pkt->len - W_ETH - W_IP - doff;
	return true;
}

bool world_none(struct world *w)
{
	static const struct peer nobody;

	if (!world_next(w, &nobody))
		return true;
	printf("# unexpected: flags %x seq %u ack %u len %u\n", w->flags,
	       w->seq, w->ack, w->len);
	return false;
}

bool world_expect(struct world *w, const struct peer *p, __u8 flags, __u32 seq,
		  __u32 ack, __u32 len)
{
	if (!world_next(w, p)) {
		printf("# expected flags %x seq %u ack %u len %u: nothing\n",
		       flags, seq, ack, len);
		return false;
	}
	if (w->flags == flags && w->seq == seq && w->len == len &&
	    (w->ack == ack || !(flags & W_ACK)))
		return true;
	printf("# expected flags %x seq %u ack %u len %u, "
	       "sent flags %x seq %u ack %u len %u\n", flags, seq, ack, len,
	       w->flags, w->seq, w->ack, w->len);
	return false;
}

void world_drain(struct world *w)
{
	static const struct peer nobody;

	while (world_next(w, &nobody))
		;
}

void world_connect(struct world *w, struct peer *p)
{
	static const __u8 opt[20] = {
		2, 4, 1460 >> 8, 1460 & 255, 4, 2, 8, 10, 0, 0, 0, 1,
		0, 0, 0, 0, 1, 3, 3, 0,
	};
	static const __u8 plain[8] = { 2, 4, 1460 >> 8, 1460 & 255,
				       1, 1, 4, 2 };

	if (!p->addr)
		*p = (struct peer){ .addr = 0x0a000002, .port = 1234,
				    .isn = 5000, .wnd = 65535, .ts = p->ts };
	if (p->ts)
		p->tsval = 1;
	p->irs = 0;
	world_drain(w);
	world_send_opt(w, p, W_SYN, 0, 0, 0, p->ts ? opt : plain,
		       p->ts ? 20 : 8);
	world_run(w);
	if (!world_next(w, p) || w->flags != (W_SYN | W_ACK) || w->ack != 1)
		fake_die("no SYN-ACK");
	p->irs = w->seq;
	if (p->ts)
		p->tsecr = wire_get32(w->opt + 8);
	world_send(w, p, W_ACK, 1, 1, 0);
	world_run(w);
}

bool world_send_frame(struct world *w, __u32 offset, __u32 len,
		      unsigned int flags)
{
	struct exo_tcp_vec vec = { w->frame.handle, len, offset };

	return exo_tcp_send(w->conn, &vec, 1, flags) == 0;
}

bool world_data_is(const struct world *w, __u32 len)
{
	__u32 i;

	if (w->nr_data != len) {
		printf("# %u bytes received, not %u\n", w->nr_data, len);
		return false;
	}
	for (i = 0; i < len; i++)
		if (w->data[i] != world_byte(i + 1))
			return false;
	return true;
}
