// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * TIME-WAIT (RFC 9293 sections 3.6.1 and 3.10.7.4, RFC 6191, RFC 1337): what is
 * needed of a connection that was closed, in a fixed supply, ordered by age.
 * All wait equally long, so the oldest is the next to go; when the supply is
 * used up it goes early.
 */
#include "tcp_impl.h"

#define TW_CHALLENGE_NS	(5 * NS_PER_MS)

static void tw_unlink(struct exo_tcp *tcp, struct tcp_tw *tw)
{
	if (tw->older)
		tw->older->newer = tw->newer;
	else
		tcp->tw_old = tw->newer;
	if (tw->newer)
		tw->newer->older = tw->older;
	else
		tcp->tw_new = tw->older;
}

/* To the end of the line, 2 MSL from now. */
static void tw_link(struct exo_tcp *tcp, struct tcp_tw *tw)
{
	tw->expires_ns = tcp->now_ns + tcp->cfg.time_wait_ms * NS_PER_MS;
	tw->newer = NULL;
	tw->older = tcp->tw_new;
	if (tw->older)
		tw->older->newer = tw;
	else
		tcp->tw_old = tw;
	tcp->tw_new = tw;
}

void xtcp_tw_free(struct exo_tcp *tcp, struct tcp_tw *tw)
{
	xtcp_table_del(tcp, &tw->ep);
	tw_unlink(tcp, tw);
	tw->newer = tcp->free_tws;
	tcp->free_tws = tw;
	tcp->stats.nr_time_wait--;
}

/* Both sides are closed: the connection ends, its shadow stays. */
void xtcp_tw_enter(struct exo_tcp *tcp, struct tcp_conn *c)
{
	struct tcp_tw *tw;

	xtcp_conn_close(tcp, c, 0);
	if (!tcp->free_tws && tcp->tw_old)
		xtcp_tw_free(tcp, tcp->tw_old);
	tw = tcp->free_tws;
	if (!tw)
		return;		/* switched off */
	tcp->free_tws = tw->newer;
	memset(tw, 0, sizeof(*tw));
	tw->ep.addrs = c->ep.addrs;
	tw->ep.ports = c->ep.ports;
	tw->ep.state = TS_TIME_WAIT;
	memcpy(tw->ep.dmac, c->head.dmac, sizeof(tw->ep.dmac));
	tw->snd_nxt = c->snd_nxt;
	tw->rcv_nxt = c->rcv_nxt;
	tw->rcv_wnd = c->rcv_adv - c->rcv_nxt;
	tw->rcv_wscale = c->rcv_wscale;
	tw->has_ts = c->has_ts;
	tw->ts_recent = c->ts_recent;
	tw->ts_off = c->ts_off;
	tw_link(tcp, tw);
	xtcp_table_add(tcp, &tw->ep);
	tcp->stats.nr_time_wait++;
}

static void tw_ack(struct exo_tcp *tcp, struct tcp_tw *tw)
{
	struct tcp_head head;

	xtcp_head_init(tcp, &head, &tw->ep);
	head.seq = htonl(tw->snd_nxt);
	head.ack = htonl(tw->rcv_nxt);
	head.wnd = htons(u32_min(tw->rcv_wnd >> tw->rcv_wscale, 0xffff));
	head.flags = TCP_ACK;
	head.opt[0] = htonl(0x0101080a);
	head.opt[1] = htonl(tcp->now_ms + tw->ts_off);
	head.opt[2] = htonl(tw->ts_recent);
	xtcp_send_head(tcp, &head, tw->has_ts ? TCP_TS_BYTES : 0);
}

/* RFC 6191 section 2: a new connection that cannot be mistaken for the old. */
static bool may_reopen(const struct tcp_tw *tw, const struct tcp_seg *seg)
{
	if (tw->has_ts && seg->has_ts && seg->tsval != tw->ts_recent)
		return seq_after(seg->tsval, tw->ts_recent);
	return seq_after(seg->seq, tw->rcv_nxt);
}

/* RFC 9293 section 3.10.7.4 in TIME-WAIT; RSTs do not count (RFC 1337). */
void xtcp_tw_segment(struct exo_tcp *tcp, struct tcp_tw *tw,
		     struct tcp_seg *seg)
{
	__u32 iss;

	if (seg->flags & TCP_RST)
		return;
	if (seg->flags & TCP_SYN && !(seg->flags & (TCP_ACK | TCP_FIN)) &&
	    may_reopen(tw, seg)) {
		/* Beyond all that was sent before (section 3.4.1). */
		iss = seq_max(xtcp_isn(tcp, seg->addrs, seg->ports),
			      tw->snd_nxt + 0x10000);
		xtcp_tw_free(tcp, tw);
		xtcp_syn(tcp, seg, iss);
		return;
	}
	if (seg->flags & TCP_FIN && tcp->now_ns >= tw->challenge_ns &&
	    seg->seq + seg->len + 1 == tw->rcv_nxt) {
		tw->challenge_ns = tcp->now_ns + TW_CHALLENGE_NS;
		tw_ack(tcp, tw);
		tw_unlink(tcp, tw);
		tw_link(tcp, tw);
		return;
	}
	if (tcp->now_ns >= tw->challenge_ns &&
	    (seg->len || seg->flags & (TCP_SYN | TCP_FIN) ||
	     seg->seq != tw->rcv_nxt)) {
		tw->challenge_ns = tcp->now_ns + TW_CHALLENGE_NS;
		tw_ack(tcp, tw);
	}
}

/* Let go those whose time is over. */
void xtcp_tw_run(struct exo_tcp *tcp)
{
	while (tcp->tw_old && tcp->tw_old->expires_ns <= tcp->now_ns)
		xtcp_tw_free(tcp, tcp->tw_old);
}
