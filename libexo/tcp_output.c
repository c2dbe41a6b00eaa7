// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Sending: what may go out now (RFC 9293 section 3.10.2 and 3.8.6, RFC 5681,
 * RFC 6675 section 5), and the descriptors for it.
 *
 * A connection with something to say is on the list of the context; the list is
 * worked off once, after everything that arrived was processed. So one
 * descriptor carries the acknowledgments of a batch and the answers to it. When
 * the ring is full the rest of the list waits for the next run.
 */
#include "tcp_impl.h"

#define RTO_LEAST_NS	NS_PER_MS	/* what a configuration can ask for */

/*
 * A slot of the ring; one doorbell if there is none. Fails only while the
 * device takes nothing.
 */
static struct exo_tx_desc *reserve(struct exo_tcp *tcp)
{
	struct exo_tx_desc *desc = exo_flow_tx_reserve(tcp->flow);
	int rc;

	if (unlikely(!desc)) {
		tcp->stats.tx_full++;
		exo_flow_tx_submit(tcp->flow);
		rc = exo_flow_kick(tcp->flow, 0, 0);
		if (rc == -ESTALE)
			tcp->is_dead = true;
		desc = exo_flow_tx_reserve(tcp->flow);
		if (!desc) {
			tcp->is_full = true;
			return NULL;
		}
	}
	tcp->tx_seq++;
	tcp->stats.tx_descs++;
	return desc;
}

/* Fill in what never changes in the headers of a connection. */
void xtcp_head_init(struct exo_tcp *tcp, struct tcp_head *head,
		    const struct tcp_ep *ep)
{
	__be32 addr[2];
	__be16 port[2];

	memcpy(addr, &ep->addrs, sizeof(addr));
	memcpy(port, &ep->ports, sizeof(port));
	memset(head, 0, sizeof(*head));
	memcpy(head->dmac, ep->dmac, sizeof(head->dmac));
	memcpy(head->smac, tcp->flow->mac, sizeof(head->smac));
	head->ethertype = htons(0x0800);
	head->vihl = 0x45;
	head->frag = htons(0x4000);	/* don't fragment */
	head->ttl = 64;
	head->proto = IPPROTO_TCP;
	head->saddr = addr[1];
	head->daddr = addr[0];
	head->sport = port[1];
	head->dport = port[0];
	head->doff = 5 << 4;
}

/* Send headers without payload, @opt_len bytes of options in them. */
bool xtcp_send_head(struct exo_tcp *tcp, const struct tcp_head *head,
		    __u32 opt_len)
{
	struct exo_tx_desc *desc = reserve(tcp);
	struct tcp_head *h;

	if (!desc)
		return false;
	h = (struct tcp_head *)desc->pad;
	memcpy(h, head, sizeof(*h));
	h->doff = (20 + opt_len) / 4 << 4;
	h->tot_len = htons(40 + opt_len);
	desc->flags = 0;
	desc->hdr_len = TCP_HEAD_BYTES + opt_len;
	desc->gso_size = 0;
	desc->nr_frags = 0;
	tcp->stats.tx_acks++;
	return true;
}

/*
 * The window to offer. Its right edge never moves to the left (RFC 9293 section
 * 3.8.6.2.2), also when the limit was lowered.
 */
static __be16 window(struct tcp_conn *c)
{
	__u32 edge = seq_max(c->rcv_adv, c->rcv_nxt + c->rcv_limit);
	__u32 wnd = u32_min((edge - c->rcv_nxt) >> c->rcv_wscale, 0xffff);

	c->rcv_adv = seq_max(c->rcv_adv, c->rcv_nxt + (wnd << c->rcv_wscale));
	return htons(wnd);
}

/* The fields that change from packet to packet; acknowledges everything. */
static void fill_head(struct exo_tcp *tcp, struct tcp_conn *c,
		      struct tcp_head *h, __u32 seq)
{
	h->seq = htonl(seq);
	h->ack = htonl(c->rcv_nxt);
	h->wnd = window(c);
	h->opt[1] = htonl(tcp->now_ms + c->ts_off);
	h->opt[2] = htonl(c->ts_recent);
	c->last_ack = c->rcv_nxt;
	c->ack_bytes = 0;
	c->ack_now = 0;
	c->t_ack = 0;
}

static __u32 fixed_opt_len(const struct tcp_conn *c)
{
	return c->has_ts ? TCP_TS_BYTES : 0;
}

static void send_empty(struct exo_tcp *tcp, struct tcp_conn *c, __u32 seq,
		       __u8 flags)
{
	struct tcp_head head = c->head;
	__u32 opt_len;

	fill_head(tcp, c, &head, seq);
	head.flags = flags;
	opt_len = flags & TCP_RST ? fixed_opt_len(c) :
				    xtcp_opt_ack(c, head.opt);
	c->dsack.end = c->dsack.start;
	if (xtcp_send_head(tcp, &head, opt_len) || flags & TCP_RST)
		return;
	c->ack_now = 1;
	xtcp_want_output(tcp, c);
}

/* An acknowledgment now, with SACK blocks. */
void xtcp_send_ack(struct exo_tcp *tcp, struct tcp_conn *c)
{
	send_empty(tcp, c, c->snd_nxt, TCP_ACK);
}

/*
 * A segment the peer must answer: its sequence number is not acceptable
 * (RFC 9293 section 3.10.7.4, first step). For keepalive and closed windows.
 */
void xtcp_send_probe(struct exo_tcp *tcp, struct tcp_conn *c)
{
	tcp->stats.probes++;
	send_empty(tcp, c, c->snd_una - 1, TCP_ACK);
}

void xtcp_send_rst(struct exo_tcp *tcp, struct tcp_conn *c)
{
	tcp->stats.tx_rsts++;
	send_empty(tcp, c, c->snd_nxt, TCP_RST | TCP_ACK);
}

/* What follows from bytes beyond snd_nxt having gone out. */
static void sent_new(struct exo_tcp *tcp, struct tcp_conn *c, __u32 end)
{
	if (c->snd_una == c->snd_nxt)
		c->stall_ns = tcp->now_ns;
	c->snd_nxt = end;
	c->sent_ns = tcp->now_ns;
	if (!c->rtt_pending) {
		c->rtt_pending = 1;
		c->rtt_seq = end;
		c->rtt_ns = tcp->now_ns;
	}
}

static void sent_again(struct exo_tcp *tcp, struct tcp_conn *c, __u32 len)
{
	tcp->stats.retrans_bytes += len;
	c->rtt_pending = 0;	/* Karn: RFC 6298 section 3 */
}

/**
 * xtcp_xmit() - one descriptor
 * @tcp: the context
 * @c: the connection
 * @seq: first byte, snd_nxt or below
 * @len: bytes of the queue, at most c->gso_bytes; 0 for a FIN alone
 * @fin: a FIN follows these bytes
 *
 * Sends less than asked for if the bytes stand in too many pieces of frames;
 * the FIN is then left for later.
 *
 * Return: false if the ring is full.
 */
bool xtcp_xmit(struct exo_tcp *tcp, struct tcp_conn *c, __u32 seq, __u32 len,
	       bool fin)
{
	struct exo_tx_desc *desc = reserve(tcp);
	__u32 hdr_len = TCP_HEAD_BYTES + fixed_opt_len(c), end, done = 0;
	struct tcp_head *h;

	if (unlikely(!desc))
		return false;
	h = (struct tcp_head *)desc->pad;
	memcpy(h, &c->head, offsetof(struct tcp_head, opt[3]));
	desc->nr_frags = 0;
	if (likely(len)) {
		done = xtcp_queue_fill(c, desc, seq, len, tcp->tx_seq);
		fin = fin && done == len;
	}
	fill_head(tcp, c, h, seq);
	end = seq + done;
	h->flags = TCP_ACK | (end == c->snd_end ? TCP_PSH : 0) |
		   (fin ? TCP_FIN : 0);
	h->tot_len = htons(hdr_len - 14 + done);
	h->id = htons(c->ip_id++);
	desc->hdr_len = hdr_len;
	desc->gso_size = done > c->mss ? c->mss : 0;
	desc->flags = done && done <= tcp->cfg.copy_bytes && done <= c->mss ?
		      EXO_TX_F_COPY : 0;
	tcp->stats.tx_bytes += done;
	end += fin;
	if (seq_before(seq, c->snd_nxt))
		sent_again(tcp, c, done);
	if (seq_after(end, c->snd_nxt)) {
		sent_new(tcp, c, end);
		c->fin_sent |= fin;
	}
	return true;
}

/* Our FIN has to go out behind the last byte. */
static bool fin_waits(const struct tcp_conn *c)
{
	return c->fin_queued && !c->fin_sent;
}

/*
 * How much of @avail new bytes to put into one descriptor, when @room bytes fit
 * into both windows: whole segments, or the rest of the queue, or (sender's
 * silly window avoidance, RFC 9293 section 3.8.6.2.1) half of the largest
 * window ever seen. 0: nothing.
 */
static __u32 new_len(const struct tcp_conn *c, __u32 avail, __u32 room,
		     __u32 wnd)
{
	__u32 len = u32_min(u32_min(avail, room), c->gso_bytes);

	if (len == avail && !c->more)
		return len;
	if (len >= c->mss)
		return len == c->gso_bytes ? len : len - len % c->mss;
	return len == wnd && len >= c->max_wnd / 2 && !c->more ? len : 0;
}

/* The common case of xtcp_sack_pipe(): nothing is missing. */
static __u32 pipe_of(const struct tcp_conn *c)
{
	if (likely(c->ca == CA_OPEN && !c->nr_sacked && !c->dupacks))
		return c->snd_nxt - c->snd_una;
	return xtcp_sack_pipe(c);
}

/* Send bytes never sent before. False if the ring is full. */
static bool output_new(struct exo_tcp *tcp, struct tcp_conn *c)
{
	__u32 avail, pipe, wnd, room, len;
	bool sent = false;

	if (c->fin_sent)
		return true;
	if (unlikely(tcp->now_ns - c->sent_ns > RTO_LEAST_NS) &&
	    c->snd_una == c->snd_nxt && c->srtt_us8 &&
	    tcp->now_ns - c->sent_ns > xtcp_rto_ns(tcp, c))
		xtcp_cc_idle(c);
	while ((avail = c->snd_end - c->snd_nxt) != 0 || fin_waits(c)) {
		wnd = c->snd_una + c->snd_wnd - c->snd_nxt;
		if ((__s32)wnd < 0)
			wnd = 0;
		pipe = pipe_of(c);
		room = c->cwnd > pipe ? c->cwnd - pipe : 0;
		len = new_len(c, avail, u32_min(wnd, room), wnd);
		if (!len && avail) {
			c->cwnd_limited |= room < u32_min(wnd, avail);
			break;
		}
		if (!xtcp_xmit(tcp, c, c->snd_nxt, len,
			       fin_waits(c) && len == avail))
			return false;
		sent = true;
		if (c->fin_sent)
			break;
	}
	if (sent && (!c->t_rto || c->rto_is_tlp))
		xtcp_arm_rto(tcp, c);
	return true;
}

/* Send [start, end) again, as far as one descriptor goes. 0: ring full. */
static __u32 resend(struct exo_tcp *tcp, struct tcp_conn *c,
		    struct tcp_range range, __u32 max)
{
	__u32 len = u32_min(range.end - range.start, max);
	__u64 before = tcp->stats.tx_bytes;
	bool fin = c->fin_sent && range.start + len == c->snd_end + 1;

	len -= fin;
	if (!xtcp_xmit(tcp, c, range.start, len, fin))
		return 0;
	if (len && tcp->stats.tx_bytes - before < len)
		return tcp->stats.tx_bytes - before;
	return len + fin;
}

/*
 * The head was sent again, and three segments sent after that have arrived: it
 * was lost again. (RFC 6675 would wait for the timer.)
 */
static bool head_lost_again(const struct tcp_conn *c)
{
	if (!c->nr_sacked || !seq_after(c->rtx_nxt, c->snd_una))
		return false;
	return (__s32)(c->sacked[c->nr_sacked - 1].end - c->rtx_high) >
	       (__s32)(TCP_DUP_THRESH * c->mss);
}

/* RFC 6675 section 5 step (C), NextSeg() rule (1). False: the ring is full. */
static bool output_lost(struct exo_tcp *tcp, struct tcp_conn *c)
{
	struct tcp_range hole;
	__u32 pipe, len, room;

	if (head_lost_again(c) &&
	    xtcp_sack_hole(c, c->snd_una, c->lost_to, &hole)) {
		if (!resend(tcp, c, hole, c->mss))
			return false;
		c->rtx_high = c->snd_nxt;
	}
	while (xtcp_sack_hole(c, seq_max(c->rtx_nxt, c->snd_una), c->lost_to,
			      &hole)) {
		pipe = xtcp_sack_pipe(c);
		room = c->cwnd > pipe ? c->cwnd - pipe : 0;
		/* The first one goes out in any case (step 4.3). */
		if (room < c->mss && c->rtx_nxt != c->snd_una) {
			c->cwnd_limited = 1;
			break;
		}
		room = room > c->gso_bytes ? c->gso_bytes :
		       room < 2 * c->mss ? c->mss : room - room % c->mss;
		len = resend(tcp, c, hole, room);
		if (!len)
			return false;
		if (hole.start == c->snd_una)
			c->rtx_high = c->snd_nxt;
		c->rtx_nxt = hole.start + len;
	}
	if (!c->t_rto)
		xtcp_arm_rto(tcp, c);
	return true;
}

/* Nothing is in flight and something waits: no acknowledgment will wake us. */
static void arm_persist(struct exo_tcp *tcp, struct tcp_conn *c)
{
	if (likely(c->snd_una != c->snd_nxt || c->t_rto))
		return;
	if (c->snd_end == c->snd_nxt && !fin_waits(c))
		return;
	c->stall_ns = tcp->now_ns;
	c->t_rto = tcp->now_ns + xtcp_rto_ns(tcp, c);
	xtcp_conn_timer(tcp, c, c->t_rto);
}

static bool may_send_data(const struct tcp_conn *c)
{
	return c->ep.state >= TS_ESTABLISHED && c->ep.state <= TS_LAST_ACK &&
	       c->ep.state != TS_FIN_WAIT_2;
}

/* Let a connection send what it may. False: the ring is full, try later. */
bool xtcp_output(struct exo_tcp *tcp, struct tcp_conn *c)
{
	if (c->ep.state == TS_CLOSED)
		return true;
	if (unlikely(c->dst_gen != tcp->dst_gen))
		xtcp_dst_refresh(tcp, c);
	if (unlikely(c->dsack.start != c->dsack.end) && c->ack_now)
		xtcp_send_ack(tcp, c);
	if (likely(may_send_data(c))) {
		if (unlikely(c->ca != CA_OPEN) && !output_lost(tcp, c))
			return false;
		if (!output_new(tcp, c))
			return false;
		arm_persist(tcp, c);
	}
	if (c->ack_now)
		xtcp_send_ack(tcp, c);
	return true;
}

/*
 * Work off the list, until the ring is full: who could not say everything has
 * put itself on the list again, behind the others.
 */
void xtcp_run_output(struct exo_tcp *tcp)
{
	struct tcp_conn *c;

	tcp->is_full = false;
	while (!tcp->is_full && (c = tcp->out_head) != NULL) {
		/* Off the list first: it may want to be on it again. */
		tcp->out_head = c->out_next;
		if (!tcp->out_head)
			tcp->out_tail = &tcp->out_head;
		c->on_out = 0;
		if (unlikely(!xtcp_output(tcp, c)))
			xtcp_want_output(tcp, c);
	}
}
