// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Before a connection: LISTEN and SYN-RECEIVED (RFC 9293 sections 3.10.7.2 and
 * 3.10.7.4), and packets that belong to nobody (3.10.7.1).
 *
 * A SYN costs one struct tcp_half of a fixed supply; when it is used up, the
 * oldest is forgotten (RFC 4987 section 3.4), so a flood can neither take
 * memory nor lock out those who answer faster than it turns the supply over.
 */
#include "tcp_impl.h"

#define SYN_ACK_TRIES	5
#define SYN_ACK_NS	(1000 * NS_PER_MS)

static void seg_ep(const struct tcp_seg *seg, struct tcp_ep *ep)
{
	memset(ep, 0, sizeof(*ep));
	ep->addrs = seg->addrs;
	ep->ports = seg->ports;
	memcpy(ep->dmac, seg->head->smac, sizeof(ep->dmac));
}

/*
 * RFC 9293 section 3.10.7.1. To where the packet came from, if that can be
 * a next hop at all: there is no connection to remember a better one.
 */
void xtcp_reset_reply(struct exo_tcp *tcp, const struct tcp_seg *seg)
{
	struct tcp_head head;
	struct tcp_ep ep;

	if (seg->flags & TCP_RST || seg->head->smac[0] & 1)
		return;
	seg_ep(seg, &ep);
	xtcp_head_init(tcp, &head, &ep);
	if (seg->flags & TCP_ACK) {
		head.seq = htonl(seg->ack);
		head.flags = TCP_RST;
	} else {
		head.ack = htonl(seg->seq + seg->len +
				 !!(seg->flags & TCP_SYN) +
				 !!(seg->flags & TCP_FIN));
		head.flags = TCP_RST | TCP_ACK;
	}
	tcp->stats.tx_rsts++;
	xtcp_send_head(tcp, &head, 0);
}

static void half_unlink(struct exo_tcp *tcp, struct tcp_half *half)
{
	if (half->older)
		half->older->newer = half->newer;
	else
		tcp->half_old = half->newer;
	if (half->newer)
		half->newer->older = half->older;
	else
		tcp->half_new = half->older;
}

void xtcp_half_free(struct exo_tcp *tcp, struct tcp_half *half)
{
	xtcp_table_del(tcp, &half->ep);
	xtcp_timer_del(tcp, &half->timer);
	half_unlink(tcp, half);
	half->newer = tcp->free_halves;
	tcp->free_halves = half;
	tcp->stats.nr_half_open--;
}

static struct tcp_half *half_new(struct exo_tcp *tcp)
{
	struct tcp_half *half;

	if (!tcp->free_halves) {
		tcp->stats.half_open_dropped++;
		xtcp_half_free(tcp, tcp->half_old);
	}
	half = tcp->free_halves;
	tcp->free_halves = half->newer;
	memset(half, 0, sizeof(*half));
	half->timer.is_half = true;
	half->older = tcp->half_new;
	if (half->older)
		half->older->newer = half;
	else
		tcp->half_old = half;
	tcp->half_new = half;
	tcp->stats.nr_half_open++;
	return half;
}

static void send_syn_ack(struct exo_tcp *tcp, struct tcp_half *half)
{
	__u32 wnd = u32_min(tcp->cfg.rcv_window_bytes, 0xffff);
	__u32 mss = half->mtu - 40, opt_len;
	struct tcp_head head;

	if (tcp->cfg.max_seg_bytes)
		mss = u32_min(mss, tcp->cfg.max_seg_bytes);
	xtcp_head_init(tcp, &head, &half->ep);
	head.seq = htonl(half->iss);
	head.ack = htonl(half->irs + 1);
	head.wnd = htons(wnd);
	head.flags = TCP_SYN | TCP_ACK;
	opt_len = xtcp_opt_syn(half, mss, tcp->rcv_wscale,
			       tcp->now_ms + half->ts_off, head.opt);
	xtcp_send_head(tcp, &head, opt_len);
	half->sent_ns = tcp->now_ns;
	half->due_ns = tcp->now_ns + (SYN_ACK_NS << half->tries);
	xtcp_timer_set(tcp, &half->timer, half->due_ns);
}

/* A SYN for which there is no connection: to SYN-RECEIVED. */
void xtcp_syn(struct exo_tcp *tcp, const struct tcp_seg *seg, __u32 iss)
{
	struct tcp_half *half;
	struct tcp_ep ep;
	__u32 mtu;

	seg_ep(seg, &ep);
	if (xtcp_dst_find(tcp, seg->head->daddr, seg->head->saddr,
			  seg->head->smac, ep.dmac, &mtu) < 0)
		return;		/* no way back */
	half = half_new(tcp);
	half->ep = ep;
	half->ep.state = TS_SYN_RCVD;
	half->mtu = u32_min(mtu, 0xffff);
	half->iss = iss;
	half->irs = seg->seq;
	half->ts_recent = seg->tsval;
	half->ts_off = xtcp_ts_offset(tcp, ep.addrs);
	xtcp_opt_parse_syn(seg, &half->opts);
	half->opts.has_ts &= seg->has_ts;
	xtcp_table_add(tcp, &half->ep);
	send_syn_ack(tcp, half);
}

/* RFC 9293 section 3.10.7.2 */
void xtcp_listen(struct exo_tcp *tcp, struct tcp_seg *seg)
{
	__u8 flags = seg->flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN);

	if (flags == TCP_SYN)
		xtcp_syn(tcp, seg, xtcp_isn(tcp, seg->addrs, seg->ports));
	else if (!(flags & TCP_RST) && flags & TCP_ACK)
		xtcp_reset_reply(tcp, seg);
}

/* The acknowledgment of our SYN: a connection, and its first segment. */
static void establish(struct exo_tcp *tcp, struct tcp_half *half,
		      struct tcp_seg *seg)
{
	struct tcp_conn *c = xtcp_conn_new(tcp, half);

	if (!c) {
		/* The client asks again: the handshake stays. */
		tcp->stats.accept_dropped++;
		return;
	}
	if (!half->tries)
		xtcp_rtt_sample(c, tcp->now_ns - half->sent_ns);
	xtcp_half_free(tcp, half);
	xtcp_table_add(tcp, &c->ep);
	c->snd_wnd = seg->wnd << c->snd_wscale;
	c->max_wnd = c->snd_wnd;
	c->snd_wl1 = seg->seq;
	c->snd_wl2 = seg->ack;
	tcp->stats.accepted++;
	if (tcp->ops->accepted(&c->pub)) {
		c->is_silent = 1;
		xtcp_conn_reset(tcp, c, -ECONNABORTED);
		return;
	}
	if (c->ep.state != TS_CLOSED)
		xtcp_segment(tcp, c, seg);
}

/* RFC 9293 section 3.10.7.4 in SYN-RECEIVED after a passive open. */
void xtcp_half_segment(struct exo_tcp *tcp, struct tcp_half *half,
		       struct tcp_seg *seg)
{
	__u32 rcv_nxt = half->irs + 1;
	__u32 wnd = u32_min(tcp->cfg.rcv_window_bytes, 0xffff);

	if (seg->flags & TCP_SYN && seg->seq == half->irs &&
	    !(seg->flags & (TCP_ACK | TCP_RST | TCP_FIN))) {
		send_syn_ack(tcp, half);	/* the same SYN again */
		return;
	}
	if (half->opts.has_ts && seg->has_ts &&
	    seq_before(seg->tsval, half->ts_recent))
		return;
	if (seq_before(seg->seq, rcv_nxt) || seq_after(seg->seq, rcv_nxt + wnd))
		return;
	if (seg->flags & TCP_RST) {
		/* RFC 5961 section 3: exactly right only. */
		if (seg->seq == rcv_nxt)
			xtcp_half_free(tcp, half);
		return;
	}
	if (seg->flags & TCP_SYN) {
		send_syn_ack(tcp, half);
		return;
	}
	if (!(seg->flags & TCP_ACK))
		return;
	if (seg->ack != half->iss + 1) {
		xtcp_reset_reply(tcp, seg);
		return;
	}
	establish(tcp, half, seg);
}

void xtcp_half_timer(struct exo_tcp *tcp, struct tcp_half *half)
{
	if (half->due_ns > tcp->now_ns) {
		/* It lies beyond the horizon of the wheel. */
		xtcp_timer_set(tcp, &half->timer, half->due_ns);
		return;
	}
	if (half->tries == SYN_ACK_TRIES) {
		xtcp_half_free(tcp, half);
		return;
	}
	half->tries++;
	send_syn_ack(tcp, half);
}
