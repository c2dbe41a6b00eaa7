// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Receiving: a packet of the ring is checked and taken apart, its connection
 * looked up, and the segment processed in the order of RFC 9293 section
 * 3.10.7.4: timestamps (RFC 7323 section 5), sequence number, RST and SYN
 * (RFC 5961), acknowledgment, text, FIN.
 *
 * Everything in the packet is hostile. Lengths are checked against the record
 * before anything behind them is read.
 */
#include "tcp_impl.h"

#define ETH_BYTES		14
#define CHALLENGE_NS		(5 * NS_PER_MS)	/* one a connection */
#define PAWS_IDLE_NS		(24ULL * 86400 * 1000 * NS_PER_MS)

/* IPv4 header checksum: the usual length by the shortest way. */
static bool ip_csum_ok(const struct tcp_head *h, __u32 ihl)
{
	__u32 word[5];
	__u64 sum;

	if (unlikely(ihl != 20))
		return xtcp_csum(&h->vihl, ihl, 0) == 0;
	memcpy(word, &h->vihl, sizeof(word));
	sum = (__u64)word[0] + word[1] + word[2] + word[3] + word[4];
	/* 2^16 is 1 modulo 0xffff: a right sum is a multiple of it. */
	return sum % 0xffff == 0;
}

static bool ip_ok(const struct tcp_head *h, __u32 len, __u32 ihl, __u32 tot_len)
{
	return h->ethertype == htons(0x0800) && h->vihl >> 4 == 4 &&
	       ihl >= 20 && tot_len >= ihl + 20 &&
	       tot_len <= len - ETH_BYTES && h->proto == IPPROTO_TCP &&
	       !(h->frag & htons(0x3fff)) &&
	       ip_csum_ok(h, ihl);
}

static bool tcp_csum_ok(const struct tcp_head *h, const __u8 *tcp_head,
			__u32 tcp_len)
{
	__u64 sum = (__u64)h->saddr + h->daddr + htons(IPPROTO_TCP) +
		    htons(tcp_len);

	return xtcp_csum(tcp_head, tcp_len, sum) == 0;
}

/* A header that only hosts of a broken or hostile network send. */
static bool is_martian(const struct tcp_head *h)
{
	__u32 saddr = ntohl(h->saddr);

	return saddr >= 0xe0000000 || !(saddr >> 24) || h->saddr == h->daddr;
}

static void parse_options(struct tcp_seg *seg)
{
	__be32 word[3];

	seg->has_ts = 0;
	seg->nr_sack = 0;
	if (likely(seg->opt_len == TCP_TS_BYTES)) {
		memcpy(word, seg->opt, sizeof(word));
		if (likely(word[0] == htonl(0x0101080a))) {
			seg->has_ts = 1;
			seg->tsval = ntohl(word[1]);
			seg->tsecr = ntohl(word[2]);
			return;
		}
	}
	if (seg->opt_len)
		xtcp_opt_parse(seg, seg->opt, seg->opt_len);
}

static bool decode(const struct exo_tcp *tcp, const struct exo_rx_record *rec,
		   struct tcp_seg *seg)
{
	/* The pad of tcp_head is the end of the record's own head. */
	const struct tcp_head *h = (const struct tcp_head *)
		(exo_flow_rx_packet(rec) - offsetof(struct tcp_head, dmac));
	__u32 len = rec->len, ihl, tot_len, doff;
	const struct tcp_head *t;	/* h, or h moved by IP options */

	if (len < TCP_HEAD_BYTES)
		return false;
	ihl = (h->vihl & 15) * 4;
	tot_len = ntohs(h->tot_len);
	if (unlikely(!ip_ok(h, len, ihl, tot_len) || is_martian(h)))
		return false;
	t = (const struct tcp_head *)((const char *)h + ihl - 20);
	doff = t->doff >> 4 << 2;
	if (doff < 20 || ihl + doff > tot_len || !t->sport ||
	    unlikely(t->dport != tcp->flow->local_port))
		return false;
	if (unlikely(!(rec->flags & EXO_RX_F_CSUM_OK)) &&
	    !tcp_csum_ok(h, (const __u8 *)&t->sport, tot_len - ihl))
		return false;
	seg->head = h;
	memcpy(&seg->addrs, &h->saddr, 8);
	memcpy(&seg->ports, &t->sport, 4);
	seg->seq = ntohl(t->seq);
	seg->ack = ntohl(t->ack);
	seg->wnd = ntohs(t->wnd);
	seg->flags = t->flags;
	seg->gso_size = rec->gso_size;
	seg->opt = (const __u8 *)t->opt;
	seg->opt_len = doff - 20;
	seg->data = (const __u8 *)&t->sport + doff;
	seg->len = tot_len - ihl - doff;
	return true;
}

/*
 * RFC 5961 section 7: answers to suspicious segments are limited, and for each
 * connection apart, so that nobody can learn of another by the limit
 * (CVE-2016-5696).
 */
void xtcp_challenge(struct exo_tcp *tcp, struct tcp_conn *c)
{
	if (tcp->now_ns < c->challenge_ns)
		return;
	c->challenge_ns = tcp->now_ns + CHALLENGE_NS;
	tcp->stats.challenge_acks++;
	xtcp_send_ack(tcp, c);
}

/* RFC 7323 section 5.3 R1. False: too old. */
static bool paws_ok(struct exo_tcp *tcp, const struct tcp_conn *c,
		    const struct tcp_seg *seg)
{
	if (likely(!seq_before(seg->tsval, c->ts_recent)))
		return true;
	return tcp->now_ns - c->ts_recent_ns > PAWS_IDLE_NS;
}

/*
 * First checks of a synchronized connection: timestamps and sequence number.
 * Bytes outside the window are cut off. False: drop.
 */
static bool acceptable(struct exo_tcp *tcp, struct tcp_conn *c,
		       struct tcp_seg *seg)
{
	__u32 end = seg->seq + seg->len + !!(seg->flags & TCP_FIN);

	if (c->has_ts && !(seg->flags & TCP_RST)) {
		if (!seg->has_ts)
			return false;
		if (!paws_ok(tcp, c, seg)) {
			tcp->stats.paws_drops++;
			xtcp_challenge(tcp, c);
			return false;
		}
	}
	if (likely(seg->seq == c->rcv_nxt && !seq_after(end, c->rcv_adv)))
		return true;
	if (seq_before(end, c->rcv_nxt) || seq_after(seg->seq, c->rcv_adv) ||
	    (end == c->rcv_nxt && end != seg->seq)) {
		if (seg->flags & TCP_RST)
			return false;
		/* An old duplicate: RFC 2883 tells the peer. */
		tcp->stats.rx_dup++;
		if (c->has_sack && seg->len && !seq_after(end, c->rcv_nxt))
			c->dsack = (struct tcp_range){ seg->seq,
						       seg->seq + seg->len };
		xtcp_send_ack(tcp, c);
		return false;
	}
	if (seq_after(end, c->rcv_adv)) {
		/* Beyond the window, such as a probe of a closed one. */
		if (seg->seq + seg->len != end)
			seg->flags &= ~TCP_FIN;
		if (seq_after(seg->seq + seg->len, c->rcv_adv))
			seg->len = c->rcv_adv - seg->seq;
		c->ack_now = 1;
		xtcp_want_output(tcp, c);
	}
	return true;
}

/* RST and SYN in the window: RFC 5961 sections 3 and 4. */
static void suspicious(struct exo_tcp *tcp, struct tcp_conn *c,
		       const struct tcp_seg *seg)
{
	if (seg->flags & TCP_RST && seg->seq == c->rcv_nxt)
		xtcp_conn_close(tcp, c, c->ep.state == TS_LAST_ACK ||
				c->ep.state == TS_CLOSING ? 0 : -ECONNRESET);
	else
		xtcp_challenge(tcp, c);
}

/*
 * RFC 9293 section 3.8.6.3, RFC 5681 section 4.2: every second full segment, at
 * once; and whenever the sender may be about to run out of window.
 */
static void count_for_ack(struct exo_tcp *tcp, struct tcp_conn *c, __u32 len,
			  __u32 gso_size)
{
	__u32 unit = gso_size ? gso_size : len;

	if (unlikely(unit > c->rcv_mss))
		c->rcv_mss = u32_min(unit, 9000);
	c->ack_bytes += len;
	if (c->ack_bytes >= 2 * c->rcv_mss ||
	    c->rcv_adv - c->rcv_nxt < 2 * c->rcv_mss) {
		c->ack_now = 1;
		xtcp_want_output(tcp, c);
	} else if (!c->t_ack) {
		c->t_ack = tcp->now_ns + tcp->cfg.delayed_ack_ms * NS_PER_MS;
		xtcp_conn_timer(tcp, c, c->t_ack);
	}
}

/* In order: hand it over, and what was waiting for it. */
static void text_in_order(struct exo_tcp *tcp, struct tcp_conn *c,
			  const struct tcp_seg *seg)
{
	c->rcv_nxt += seg->len;
	tcp->stats.rx_bytes += seg->len;
	count_for_ack(tcp, c, seg->len, seg->gso_size);
	tcp->ops->data(&c->pub, seg->data, seg->len);
	if (unlikely(c->ooo) && c->ep.state != TS_CLOSED) {
		/* RFC 5681 section 4.2: at once when a gap is filled. */
		c->ack_now = 1;
		xtcp_want_output(tcp, c);
		xtcp_ooo_deliver(tcp, c);
	}
}

/* Seventh step: the segment's text. */
static void text(struct exo_tcp *tcp, struct tcp_conn *c, struct tcp_seg *seg)
{
	__u32 skip;

	if (c->fin_rcvd)
		return;
	if (seq_before(seg->seq, c->rcv_nxt)) {
		skip = u32_min(c->rcv_nxt - seg->seq, seg->len);
		seg->seq += skip;
		seg->data += skip;
		seg->len -= skip;
		c->ack_now = 1;
		xtcp_want_output(tcp, c);
	}
	if (!seg->len)
		return;
	if (c->rcv_fin && seq_after(seg->seq + seg->len, c->rcv_fin_seq))
		return;		/* beyond the peer's own FIN */
	if (likely(seg->seq == c->rcv_nxt)) {
		text_in_order(tcp, c, seg);
		return;
	}
	tcp->stats.rx_ooo++;
	xtcp_ooo_add(tcp, c, seg->seq, seg->data, seg->len);
	xtcp_send_ack(tcp, c);
}

/* Eighth step: the FIN counts when everything before it is there. */
static void fin(struct exo_tcp *tcp, struct tcp_conn *c,
		const struct tcp_seg *seg)
{
	if (seg->flags & TCP_FIN && !c->rcv_fin) {
		c->rcv_fin = 1;
		c->rcv_fin_seq = seg->seq + seg->len;
	}
	if (likely(!c->rcv_fin) || c->fin_rcvd ||
	    c->rcv_nxt != c->rcv_fin_seq)
		return;
	c->fin_rcvd = 1;
	c->rcv_nxt++;
	c->ack_now = 1;
	xtcp_want_output(tcp, c);
	xtcp_conn_fin_rcvd(tcp, c);
}

/**
 * xtcp_segment() - a segment for a connection in ESTABLISHED or later
 * @tcp: the context
 * @c: the connection
 * @seg: the segment, options parsed; is changed
 */
void xtcp_segment(struct exo_tcp *tcp, struct tcp_conn *c, struct tcp_seg *seg)
{
	if (unlikely(!acceptable(tcp, c, seg)))
		return;
	if (unlikely(seg->flags & (TCP_RST | TCP_SYN))) {
		suspicious(tcp, c, seg);
		return;
	}
	if (unlikely(!(seg->flags & TCP_ACK)))
		return;
	c->heard_ns = tcp->now_ns;
	c->keep_probes = 0;
	if (!xtcp_ack(tcp, c, seg))
		return;
	if (seg->has_ts && !seq_after(seg->seq, c->last_ack)) {
		/* RFC 7323 section 4.3 (2) */
		c->ts_recent = seg->tsval;
		c->ts_recent_ns = tcp->now_ns;
	}
	if (seg->len)
		text(tcp, c, seg);
	if (c->ep.state != TS_CLOSED)
		fin(tcp, c, seg);
}

/* One packet of the ring. */
void xtcp_input(struct exo_tcp *tcp, const struct exo_rx_record *rec)
{
	struct tcp_seg seg;
	struct tcp_ep *ep;

	tcp->stats.rx_segs++;
	if (unlikely(!decode(tcp, rec, &seg))) {
		tcp->stats.rx_bad++;
		return;
	}
	parse_options(&seg);
	ep = xtcp_table_find(tcp, seg.addrs, seg.ports);
	if (unlikely(!ep))
		xtcp_listen(tcp, &seg);
	else if (likely(ep->state >= TS_ESTABLISHED &&
			ep->state <= TS_LAST_ACK))
		xtcp_segment(tcp, (struct tcp_conn *)ep, &seg);
	else if (ep->state == TS_SYN_RCVD)
		xtcp_half_segment(tcp, (struct tcp_half *)ep, &seg);
	else
		xtcp_tw_segment(tcp, (struct tcp_tw *)ep, &seg);
}
