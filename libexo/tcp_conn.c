// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Life of a connection: made from a finished handshake, closed in steps
 * (RFC 9293 section 3.6), reaped when the device has read its frames; and what
 * a server calls on it.
 */
#include "tcp_impl.h"

#define PIECES_KEPT	64	/* a larger queue is not kept for the next one */

static const char * const state_names[] = {
	[TS_CLOSED] = "CLOSED",
	[TS_SYN_RCVD] = "SYN-RECEIVED",
	[TS_ESTABLISHED] = "ESTABLISHED",
	[TS_FIN_WAIT_1] = "FIN-WAIT-1",
	[TS_FIN_WAIT_2] = "FIN-WAIT-2",
	[TS_CLOSING] = "CLOSING",
	[TS_CLOSE_WAIT] = "CLOSE-WAIT",
	[TS_LAST_ACK] = "LAST-ACK",
	[TS_TIME_WAIT] = "TIME-WAIT",
};

static struct tcp_conn *conn_alloc(struct exo_tcp *tcp)
{
	struct tcp_conn *c = tcp->free_conns;
	struct tcp_piece *pieces;
	__u32 nr_pieces_max;

	if (c) {
		tcp->free_conns = c->done_next;
	} else {
		if (tcp->nr_conns_used == tcp->cfg.max_conns)
			return NULL;
		c = &tcp->conns[tcp->nr_conns_used++];
	}
	/* All but the scoreboard, which nr_sacked guards. */
	pieces = c->pieces;
	nr_pieces_max = c->nr_pieces_max;
	memset(c, 0, offsetof(struct tcp_conn, sacked));
	c->pieces = pieces;
	c->nr_pieces_max = nr_pieces_max;
	tcp->stats.nr_conns++;
	return c;
}

static void conn_free(struct exo_tcp *tcp, struct tcp_conn *c)
{
	xtcp_queue_drop(tcp, c);
	if (c->nr_pieces_max > PIECES_KEPT) {
		free(c->pieces);
		c->pieces = NULL;
		c->nr_pieces_max = 0;
	}
	c->done_next = tcp->free_conns;
	tcp->free_conns = c;
	tcp->stats.nr_conns--;
}

/* Largest segment and descriptor for a path. */
void xtcp_conn_set_mtu(struct exo_tcp *tcp, struct tcp_conn *c, __u32 mtu)
{
	__u32 opts = c->has_ts ? TCP_TS_BYTES : 0;
	__u32 gso = u32_min(tcp->flow->gso_max_bytes, 65535 + 14);

	c->mtu = mtu;
	c->mss = u32_max(u32_min(c->peer_mss, mtu - 40), TCP_MSS_MIN) - opts;
	gso -= u32_min(gso, TCP_HEAD_BYTES + opts);
	c->gso_bytes = gso < 2 * c->mss || c->mss < TCP_GSO_MSS_MIN ? c->mss :
		       gso - gso % c->mss;
}

static void conn_addresses(struct exo_tcp *tcp, struct tcp_conn *c)
{
	c->pub.tcp = tcp;
	c->pub.raddr = c->head.daddr;
	c->pub.laddr = c->head.saddr;
	c->pub.rport = c->head.dport;
	c->pub.lport = c->head.sport;
}

static void conn_sequence(struct tcp_conn *c, const struct tcp_half *half,
			  __u32 window)
{
	c->iss = half->iss;
	c->snd_una = half->iss + 1;
	c->snd_nxt = c->snd_una;
	c->snd_end = c->snd_una;
	c->recover = half->iss;
	c->lost_to = c->snd_una;
	c->rtx_nxt = c->snd_una;
	c->irs = half->irs;
	c->rcv_nxt = half->irs + 1;
	c->last_ack = c->rcv_nxt;
	c->rcv_adv = c->rcv_nxt + u32_min(window, 0xffff);
	c->rcv_limit = window;
	c->rcv_mss = TCP_MSS_DEFAULT;
}

/**
 * xtcp_conn_new() - a connection from a handshake
 * @tcp: the context
 * @half: the handshake, stays the caller's
 *
 * Return: the connection, not in the table yet; NULL if there are too many.
 */
struct tcp_conn *xtcp_conn_new(struct exo_tcp *tcp, const struct tcp_half *half)
{
	struct tcp_conn *c = conn_alloc(tcp);

	if (!c)
		return NULL;
	c->ep = half->ep;
	c->ep.is_hashed = 0;
	c->ep.state = TS_ESTABLISHED;
	xtcp_head_init(tcp, &c->head, &c->ep);
	conn_addresses(tcp, c);
	conn_sequence(c, half, tcp->cfg.rcv_window_bytes);
	c->has_sack = half->opts.has_sack;
	c->has_ts = half->opts.has_ts;
	c->ts_off = half->ts_off;
	c->ts_recent = half->ts_recent;
	c->ts_recent_ns = tcp->now_ns;
	if (c->has_ts) {
		c->head.doff = 8 << 4;
		c->head.opt[0] = htonl(0x0101080a);
	}
	c->rcv_limit = u32_min(c->rcv_limit, half->opts.has_wscale ?
			       1U << 30 : 0xffff);
	if (half->opts.has_wscale) {
		c->snd_wscale = half->opts.snd_wscale;
		c->rcv_wscale = tcp->rcv_wscale;
	}
	c->peer_mss = half->opts.mss;
	xtcp_conn_set_mtu(tcp, c, half->mtu);
	xtcp_cc_init(c);
	c->dst_gen = tcp->dst_gen;
	c->heard_ns = tcp->now_ns;
	c->sent_ns = tcp->now_ns;
	xtcp_arm_live(tcp, c);
	return c;
}

/*
 * The connection is over. Frames named by descriptors stay until the device has
 * read them; then closed() is called.
 */
void xtcp_conn_close(struct exo_tcp *tcp, struct tcp_conn *c, int error)
{
	if (c->ep.state == TS_CLOSED)
		return;
	c->ep.state = TS_CLOSED;
	c->error = error;
	xtcp_table_del(tcp, &c->ep);
	xtcp_timer_del(tcp, &c->timer);
	xtcp_ooo_drop(tcp, c);
	xtcp_want_done(tcp, c);
}

void xtcp_conn_reset(struct exo_tcp *tcp, struct tcp_conn *c, int error)
{
	if (c->ep.state == TS_CLOSED)
		return;
	xtcp_send_rst(tcp, c);
	xtcp_conn_close(tcp, c, error);
}

/* Our FIN is acknowledged. */
void xtcp_conn_fin_acked(struct exo_tcp *tcp, struct tcp_conn *c)
{
	if (c->ep.state == TS_FIN_WAIT_1) {
		c->ep.state = TS_FIN_WAIT_2;
		c->t_live = tcp->now_ns + tcp->cfg.fin_wait_ms * NS_PER_MS;
		xtcp_conn_timer(tcp, c, c->t_live);
	} else if (c->ep.state == TS_CLOSING) {
		xtcp_tw_enter(tcp, c);
	} else if (c->ep.state == TS_LAST_ACK) {
		xtcp_conn_close(tcp, c, 0);
	}
}

/* The peer's FIN is in order. */
void xtcp_conn_fin_rcvd(struct exo_tcp *tcp, struct tcp_conn *c)
{
	if (c->ep.state == TS_ESTABLISHED) {
		c->ep.state = TS_CLOSE_WAIT;
		if (tcp->ops->peer_closed)
			tcp->ops->peer_closed(&c->pub);
		else
			exo_tcp_shutdown(&c->pub);
	} else if (c->ep.state == TS_FIN_WAIT_1) {
		c->ep.state = TS_CLOSING;
	} else if (c->ep.state == TS_FIN_WAIT_2) {
		xtcp_send_ack(tcp, c);
		xtcp_tw_enter(tcp, c);
	}
}

/* Returns true when the connection need not be looked at again. */
static bool reap_one(struct exo_tcp *tcp, struct tcp_conn *c, bool force)
{
	if (c->ep.state != TS_CLOSED) {
		/* The queue puts it on the list again if it must wait. */
		xtcp_queue_release(tcp, c);
		if (c->snd_end != c->snd_nxt)
			xtcp_want_output(tcp, c);
		return true;
	}
	if (c->on_out || (c->tx_mark > tcp->tx_done && !force))
		return false;
	if (tcp->ops->closed && !c->is_silent)
		tcp->ops->closed(&c->pub, c->error);
	conn_free(tcp, c);
	return true;
}

/**
 * xtcp_reap() - go on with those that waited for the device
 * @tcp: the context
 * @force: do not wait for the device
 */
void xtcp_reap(struct exo_tcp *tcp, bool force)
{
	struct tcp_conn *c, *next = tcp->done;

	tcp->done = NULL;
	while ((c = next) != NULL) {
		next = c->done_next;
		c->on_done = 0;
		if (!reap_one(tcp, c, force))
			xtcp_want_done(tcp, c);
	}
}

/* Our side is closed behind what is queued. */
static void close_sending(struct exo_tcp *tcp, struct tcp_conn *c)
{
	c->fin_queued = 1;
	c->more = 0;
	c->ep.state = c->ep.state == TS_CLOSE_WAIT ? TS_LAST_ACK :
						     TS_FIN_WAIT_1;
	xtcp_want_output(tcp, c);
}

static bool may_queue(const struct tcp_conn *c)
{
	return (c->ep.state == TS_ESTABLISHED ||
		c->ep.state == TS_CLOSE_WAIT) && !c->fin_queued;
}

static int send_pieces(struct tcp_conn *c, const struct exo_tcp_vec *vec,
		       unsigned int nr, unsigned int flags, __u32 buf)
{
	int rc;

	if (unlikely(flags & ~(EXO_TCP_FIN | EXO_TCP_MORE)))
		return -EINVAL;
	if (unlikely(!may_queue(c)))
		return -EPIPE;
	rc = xtcp_queue_add(c, vec, nr, buf);
	if (unlikely(rc < 0))
		return rc;
	c->more = !!(flags & EXO_TCP_MORE);
	if (flags & EXO_TCP_FIN)
		close_sending(c->pub.tcp, c);
	else
		xtcp_want_output(c->pub.tcp, c);
	return 0;
}

int exo_tcp_send(struct exo_tcp_conn *conn, const struct exo_tcp_vec *vec,
		 unsigned int nr, unsigned int flags)
{
	return send_pieces(tcp_conn_of(conn), vec, nr, flags, 0);
}

int exo_tcp_write(struct exo_tcp_conn *conn, const void *data, size_t len,
		  unsigned int flags)
{
	struct exo_tcp *tcp = conn->tcp;
	struct exo_tcp_vec vec;
	__u32 buf;
	int rc;

	if (len > EXO_TCP_WRITE_MAX_BYTES)
		return -EMSGSIZE;
	if (!len)
		return send_pieces(tcp_conn_of(conn), NULL, 0, flags, 0);
	if (!tcp->nr_wfree)
		return -EAGAIN;
	buf = tcp->wfree[tcp->nr_wfree - 1];
	vec.frame = tcp->wframe.handle;
	vec.len = len;
	vec.offset = (__u64)buf * EXO_TCP_WRITE_MAX_BYTES;
	rc = send_pieces(tcp_conn_of(conn), &vec, 1, flags, buf + 1);
	if (rc < 0)
		return rc;
	tcp->nr_wfree--;
	memcpy((char *)tcp->wframe.addr + vec.offset, data, len);
	return 0;
}

__u64 exo_tcp_queued(const struct exo_tcp_conn *conn)
{
	return tcp_conn_of(conn)->queued;
}

int exo_tcp_shutdown(struct exo_tcp_conn *conn)
{
	struct tcp_conn *c = tcp_conn_of(conn);

	if (may_queue(c))
		close_sending(conn->tcp, c);
	return 0;
}

void exo_tcp_abort(struct exo_tcp_conn *conn)
{
	xtcp_conn_reset(conn->tcp, tcp_conn_of(conn), -ECONNABORTED);
}

void exo_tcp_set_window(struct exo_tcp_conn *conn, __u32 bytes)
{
	struct tcp_conn *c = tcp_conn_of(conn);
	__u32 before = c->rcv_adv - c->rcv_nxt;

	bytes = u32_min(bytes, conn->tcp->cfg.rcv_window_bytes);
	c->rcv_limit = u32_min(bytes, 0xffffU << c->rcv_wscale);
	/* RFC 9293 section 3.8.6.2.2: tell of a window worth it only. */
	if (c->ep.state == TS_CLOSED || c->rcv_limit <= before ||
	    c->rcv_limit - before < u32_min(c->rcv_limit / 2, c->rcv_mss))
		return;
	c->ack_now = 1;
	xtcp_want_output(conn->tcp, c);
}

void exo_tcp_info(const struct exo_tcp_conn *conn, struct exo_tcp_info *out)
{
	const struct tcp_conn *c = tcp_conn_of(conn);

	out->state = state_names[c->ep.state];
	out->mss = c->mss;
	out->cwnd = c->cwnd;
	out->ssthresh = c->ssthresh;
	out->peer_window = c->snd_wnd;
	out->in_flight = c->snd_nxt - c->snd_una;
	out->srtt_us = c->srtt_us8 >> 3;
	out->rto_ms = xtcp_rto_ns(conn->tcp, c) / NS_PER_MS;
}
