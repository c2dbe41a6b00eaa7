// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * The acknowledgment field: RFC 9293 section 3.10.7.4 fifth step, RFC 5961
 * section 5, RFC 5681, RFC 6675 section 5, RFC 6582 where SACK was not agreed
 * upon.
 */
#include "tcp_impl.h"

/* RFC 9293: SND.WL1, SND.WL2. Returns true if the window changed. */
static bool take_window(struct tcp_conn *c, const struct tcp_seg *seg)
{
	__u32 wnd = seg->wnd << c->snd_wscale;
	bool changed;

	if (!seq_before(seg->seq, c->snd_wl1) &&
	    (seg->seq != c->snd_wl1 || !seq_before(seg->ack, c->snd_wl2))) {
		changed = wnd != c->snd_wnd;
		c->snd_wnd = wnd;
		c->snd_wl1 = seg->seq;
		c->snd_wl2 = seg->ack;
		if (wnd > c->max_wnd)
			c->max_wnd = wnd;
		return changed;
	}
	return false;
}

static void end_recovery(struct tcp_conn *c)
{
	if (c->ca == CA_RECOVERY)
		c->cwnd = c->ssthresh;
	c->ca = CA_OPEN;
	c->lost_to = c->snd_una;
	c->rtx_nxt = c->snd_una;
	c->dupacks = 0;
}

/*
 * snd_una has moved, but not as far as recovery goes: what is there now was
 * sent before, and is missing (RFC 6582 section 3.2, partial acknowledgment).
 */
static void partial_ack(struct tcp_conn *c, __u32 acked)
{
	struct tcp_range hole;

	c->rtx_nxt = seq_max(c->rtx_nxt, c->snd_una);
	c->lost_to = seq_max(c->lost_to, c->snd_una);
	c->rtx_high = c->snd_nxt;
	if (c->ca == CA_LOSS)
		return;
	if (!c->has_sack) {
		c->dupacks -= u32_min(c->dupacks, acked / c->mss);
		c->rtx_nxt = c->snd_una;
	}
	if (xtcp_sack_hole(c, c->snd_una, c->recover, &hole))
		c->lost_to = seq_max(c->lost_to,
				     seq_min(hole.end, hole.start + c->mss));
}

static void sample_rtt(struct exo_tcp *tcp, struct tcp_conn *c)
{
	if (!c->rtt_pending || seq_before(c->snd_una, c->rtt_seq))
		return;
	c->rtt_pending = 0;
	xtcp_rtt_sample(c, tcp->now_ns - c->rtt_ns);
}

/* Something new was acknowledged. */
static void advance(struct exo_tcp *tcp, struct tcp_conn *c, __u32 ack)
{
	__u32 acked = ack - c->snd_una;

	c->snd_una = ack;
	c->backoff = 0;
	c->stall_ns = tcp->now_ns;
	c->tlp_sent = 0;
	sample_rtt(tcp, c);
	if (unlikely(c->nr_sacked))
		xtcp_sack_acked(c);
	if (likely(c->ca == CA_OPEN)) {
		c->dupacks = 0;
		c->lost_to = ack;
		c->rtx_nxt = ack;
		xtcp_cc_acked(c, acked);
	} else if (!seq_before(ack, c->recover)) {
		end_recovery(c);
	} else {
		partial_ack(c, acked);
		if (c->ca == CA_LOSS)
			xtcp_cc_acked(c, acked);
	}
	xtcp_arm_rto(tcp, c);
	xtcp_queue_release(tcp, c);
}

/* RFC 5681 section 2, and RFC 6675 section 2 where there is SACK. */
static bool is_duplicate(const struct tcp_conn *c, const struct tcp_seg *seg,
			 bool window_changed, bool sack_news)
{
	if (c->has_sack)
		return sack_news;
	return !seg->len && !(seg->flags & (TCP_SYN | TCP_FIN)) &&
	       !window_changed && c->snd_una != c->snd_nxt;
}

static void find_loss(struct exo_tcp *tcp, struct tcp_conn *c)
{
	__u32 edge = xtcp_sack_lost_edge(c);

	if (!seq_after(edge, c->snd_una))
		return;
	if (c->ca == CA_OPEN) {
		/* Without SACK, once a window (RFC 6582 section 4.1). */
		if (!c->has_sack && seq_before(c->snd_una, c->recover))
			return;
		xtcp_cc_recovery(tcp, c);
	}
	if (!c->has_sack)
		edge = seq_min(c->snd_una + c->mss, c->snd_nxt);
	c->lost_to = seq_max(c->lost_to, edge);
}

static bool fin_is_acked(const struct tcp_conn *c)
{
	return c->fin_sent && c->snd_una == c->snd_end + 1;
}

static bool has_output(const struct tcp_conn *c)
{
	return c->snd_nxt != c->snd_end + c->fin_queued || c->ca != CA_OPEN;
}

/**
 * xtcp_ack() - process the acknowledgment of an acceptable segment
 * @tcp: the context
 * @c: the connection, ESTABLISHED or later
 * @seg: the segment; ACK is set
 *
 * Return: false if the segment is to be dropped or the connection is closed.
 */
bool xtcp_ack(struct exo_tcp *tcp, struct tcp_conn *c,
	      const struct tcp_seg *seg)
{
	bool changed, news = false;

	if (unlikely(seq_after(seg->ack, c->snd_nxt) ||
		     seq_before(seg->ack, c->snd_una))) {
		/* RFC 5961 section 5.2: an old one is no harm, a wild one is. */
		if (!seq_after(seg->ack, c->snd_una) &&
		    c->snd_una - seg->ack <= c->max_wnd)
			return true;
		xtcp_challenge(tcp, c);
		return false;
	}
	changed = take_window(c, seg);
	if (unlikely(seg->nr_sack && c->has_sack))
		news = xtcp_sack_add(c, seg);
	if (seg->ack != c->snd_una) {
		advance(tcp, c, seg->ack);
		if (unlikely(c->ep.state == TS_CLOSED))
			return false;
		if (unlikely(fin_is_acked(c)))
			xtcp_conn_fin_acked(tcp, c);
	} else if (is_duplicate(c, seg, changed, news)) {
		c->dupacks++;
	} else if (c->snd_una == c->snd_nxt && c->backoff && seg->wnd) {
		/* The window opened: probing is over. */
		c->backoff = 0;
		c->t_rto = 0;
	}
	if (unlikely(c->nr_sacked || c->dupacks))
		find_loss(tcp, c);
	if (has_output(c))
		xtcp_want_output(tcp, c);
	return c->ep.state != TS_CLOSED;
}
