// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Time: one wheel of 4,096 slots of a millisecond, and what happens to a
 * connection when a deadline is over (RFC 6298 section 5, RFC 9293 sections
 * 3.8.3, 3.8.4 and 3.8.6.1, tail loss probe after RFC 8985 section 7).
 *
 * A connection is in the wheel once, at the earliest deadline that was ever
 * set. Deadlines that move away, as they do with every packet, cost nothing:
 * the connection is looked at when the old one is over and put back. What lies
 * beyond the horizon of the wheel waits in its last slot likewise. The horizon
 * counts from the last run, which may be long ago: a timer may go off early,
 * never late, and whoever set it looks at its deadline.
 */
#include "tcp_impl.h"

#define KEEP_PROBES		9
#define KEEP_PROBE_NS		(75000 * NS_PER_MS)
#define BLACK_HOLE_TIMEOUTS	3	/* then a small MSS is tried */
#define BLACK_HOLE_MTU		576
#define BACKOFF_MAX		12

void xtcp_timer_del(struct exo_tcp *tcp, struct tcp_timer *timer)
{
	__u32 slot = timer->tick % TCP_WHEEL_SLOTS;

	if (!timer->pprev)
		return;
	*timer->pprev = timer->next;
	if (timer->next)
		timer->next->pprev = timer->pprev;
	timer->pprev = NULL;
	tcp->nr_timers--;
	if (!tcp->wheel[slot])
		tcp->wheel_map[slot / 64] &= ~(1ULL << slot % 64);
}

void xtcp_timer_set(struct exo_tcp *tcp, struct tcp_timer *timer, __u64 ns)
{
	__u64 tick = (ns >> TCP_WHEEL_SHIFT) + 1;	/* never early */
	struct tcp_timer **slot;

	xtcp_timer_del(tcp, timer);
	if (tick <= tcp->tick)
		tick = tcp->tick + 1;
	if (tick - tcp->tick >= TCP_WHEEL_SLOTS)
		tick = tcp->tick + TCP_WHEEL_SLOTS - 1;
	timer->tick = tick;
	tick %= TCP_WHEEL_SLOTS;
	slot = &tcp->wheel[tick];
	timer->next = *slot;
	if (timer->next)
		timer->next->pprev = &timer->next;
	timer->pprev = slot;
	*slot = timer;
	tcp->nr_timers++;
	tcp->wheel_map[tick / 64] |= 1ULL << tick % 64;
}

void xtcp_conn_timer_slow(struct exo_tcp *tcp, struct tcp_conn *c, __u64 ns)
{
	if (c->ep.state != TS_CLOSED)
		xtcp_timer_set(tcp, &c->timer, ns);
}

/* RFC 6298 (5.1)-(5.3): the timer runs while something is in flight. */
void xtcp_arm_rto(struct exo_tcp *tcp, struct tcp_conn *c)
{
	__u64 ns, probe_ns;

	c->rto_is_tlp = 0;
	if (c->snd_una == c->snd_nxt) {
		c->t_rto = 0;
		return;
	}
	ns = xtcp_rto_ns(tcp, c);
	/*
	 * Two segments in flight are acknowledged at once, so silence for two
	 * round trips means that the tail was lost: ask before the timeout. A
	 * single one may wait for the peer's delayed acknowledgment.
	 */
	if (c->ca == CA_OPEN && !c->tlp_sent && c->srtt_us8 && c->has_sack &&
	    c->snd_nxt - c->snd_una > c->mss) {
		probe_ns = c->srtt_us8 / 4 * NS_PER_US + 10 * NS_PER_MS;
		if (probe_ns < ns) {
			ns = probe_ns;
			c->rto_is_tlp = 1;
		}
	}
	c->t_rto = tcp->now_ns + ns;
	xtcp_conn_timer(tcp, c, c->t_rto);
}

static bool gave_up(struct exo_tcp *tcp, struct tcp_conn *c)
{
	if (tcp->now_ns - c->stall_ns < tcp->cfg.user_timeout_ms * NS_PER_MS)
		return false;
	xtcp_conn_reset(tcp, c, -ETIMEDOUT);
	return true;
}

/* Send the last segment again: its acknowledgment shows what is missing. */
static void tail_probe(struct exo_tcp *tcp, struct tcp_conn *c)
{
	bool fin = c->fin_sent;
	__u32 end = c->snd_nxt - fin;
	__u32 len = seq_after(end, c->snd_una) ?
		    u32_min(c->mss, end - c->snd_una) : 0;

	c->tlp_sent = 1;
	c->rtt_pending = 0;
	tcp->stats.probes++;
	xtcp_xmit(tcp, c, end - len, len, fin);
	c->t_rto = tcp->now_ns + xtcp_rto_ns(tcp, c);
	xtcp_conn_timer(tcp, c, c->t_rto);
}

/* RFC 6298 (5.4)-(5.6) */
static void retransmit(struct exo_tcp *tcp, struct tcp_conn *c)
{
	tcp->stats.timeouts++;
	if (c->backoff + 1 == BLACK_HOLE_TIMEOUTS && c->mtu > BLACK_HOLE_MTU)
		xtcp_conn_set_mtu(tcp, c, BLACK_HOLE_MTU);
	xtcp_cc_timeout(c);
	if (c->backoff < BACKOFF_MAX)
		c->backoff++;
	xtcp_want_output(tcp, c);
	c->t_rto = tcp->now_ns + xtcp_rto_ns(tcp, c);
	xtcp_conn_timer(tcp, c, c->t_rto);
}

/*
 * Nothing in flight, but something to send: a window closed or too small, or
 * EXO_TCP_MORE without more. RFC 9293 section 3.8.6.1
 */
static void persist(struct exo_tcp *tcp, struct tcp_conn *c)
{
	__u32 wnd = c->snd_wnd - u32_min(c->snd_wnd, c->snd_nxt - c->snd_una);
	__u32 len = u32_min(wnd, c->snd_end - c->snd_nxt);

	c->t_rto = 0;
	if (c->snd_end == c->snd_nxt && !(c->fin_queued && !c->fin_sent)) {
		c->backoff = 0;
		return;
	}
	if (len) {
		/* Waiting for a larger window, or for more, has been enough. */
		c->more = 0;
		if (xtcp_xmit(tcp, c, c->snd_nxt, u32_min(len, c->mss), false))
			xtcp_arm_rto(tcp, c);
		else
			xtcp_want_output(tcp, c);
		return;
	}
	xtcp_send_probe(tcp, c);
	if (c->backoff < BACKOFF_MAX)
		c->backoff++;
	c->t_rto = tcp->now_ns + xtcp_rto_ns(tcp, c);
	xtcp_conn_timer(tcp, c, c->t_rto);
}

static void rto_over(struct exo_tcp *tcp, struct tcp_conn *c)
{
	if (gave_up(tcp, c))
		return;
	if (c->snd_una == c->snd_nxt) {
		persist(tcp, c);
	} else if (c->rto_is_tlp) {
		c->rto_is_tlp = 0;
		tail_probe(tcp, c);
	} else {
		retransmit(tcp, c);
	}
}

/* When keepalive or the idle limit next have something to do; 0 never. */
static __u64 live_deadline(const struct exo_tcp *tcp, const struct tcp_conn *c)
{
	__u64 keep = tcp->cfg.keepalive_ms * NS_PER_MS;
	__u64 idle = tcp->cfg.idle_ms * NS_PER_MS;
	__u64 at = 0;

	if (keep)
		at = c->heard_ns + keep + c->keep_probes *
		     (keep < KEEP_PROBE_NS ? keep : KEEP_PROBE_NS);
	if (idle && (!at || c->heard_ns + idle < at))
		at = c->heard_ns + idle;
	return at;
}

/* A connection begins: from now on silence is counted. */
void xtcp_arm_live(struct exo_tcp *tcp, struct tcp_conn *c)
{
	c->t_live = live_deadline(tcp, c);
	if (c->t_live)
		xtcp_conn_timer(tcp, c, c->t_live);
}

static void live_over(struct exo_tcp *tcp, struct tcp_conn *c)
{
	__u64 idle = tcp->cfg.idle_ms * NS_PER_MS;
	__u64 keep = tcp->cfg.keepalive_ms * NS_PER_MS;

	if (c->ep.state == TS_FIN_WAIT_2) {
		xtcp_conn_close(tcp, c, 0);
		return;
	}
	if (idle && tcp->now_ns - c->heard_ns >= idle) {
		xtcp_conn_reset(tcp, c, -ETIMEDOUT);
		return;
	}
	if (keep && live_deadline(tcp, c) <= tcp->now_ns) {
		if (c->keep_probes == KEEP_PROBES) {
			xtcp_conn_reset(tcp, c, -ETIMEDOUT);
			return;
		}
		/* With data in flight the retransmission is the probe. */
		if (c->snd_una == c->snd_nxt)
			xtcp_send_probe(tcp, c);
		c->keep_probes++;
	}
	c->t_live = live_deadline(tcp, c);
}

static void ack_over(struct exo_tcp *tcp, struct tcp_conn *c)
{
	c->t_ack = 0;
	c->ack_now = 1;
	xtcp_want_output(tcp, c);
}

static __u64 earliest(__u64 a, __u64 b)
{
	if (!a || !b)
		return a | b;
	return a < b ? a : b;
}

static bool is_over(const struct exo_tcp *tcp, __u64 deadline)
{
	return deadline && deadline <= tcp->now_ns;
}

static void conn_timer_over(struct exo_tcp *tcp, struct tcp_conn *c)
{
	__u64 next;

	if (is_over(tcp, c->t_ack))
		ack_over(tcp, c);
	if (is_over(tcp, c->t_rto))
		rto_over(tcp, c);
	if (c->ep.state != TS_CLOSED && is_over(tcp, c->t_live))
		live_over(tcp, c);
	next = earliest(earliest(c->t_ack, c->t_rto), c->t_live);
	if (next)
		xtcp_conn_timer(tcp, c, next);
}

static void timer_over(struct exo_tcp *tcp, struct tcp_timer *timer)
{
	char *base = (char *)timer;

	xtcp_timer_del(tcp, timer);
	if (timer->is_half)
		xtcp_half_timer(tcp, (struct tcp_half *)
				(base - offsetof(struct tcp_half, timer)));
	else
		conn_timer_over(tcp, (struct tcp_conn *)
				(base - offsetof(struct tcp_conn, timer)));
}

/* Distance in ticks to the next slot in use, or TCP_WHEEL_SLOTS. */
static __u32 next_slot(const struct exo_tcp *tcp)
{
	__u32 first = (tcp->tick + 1) % TCP_WHEEL_SLOTS, n, slot;
	__u64 map;

	for (n = 0; n < TCP_WHEEL_SLOTS; n += 64 - slot % 64) {
		slot = (first + n) % TCP_WHEEL_SLOTS;
		map = tcp->wheel_map[slot / 64] >> slot % 64;
		if (map)
			return n + 1 + __builtin_ctzll(map);
	}
	return TCP_WHEEL_SLOTS;
}

/* Run what is over. A callback may set timers, never into the past. */
void xtcp_timer_run(struct exo_tcp *tcp)
{
	__u64 now = tcp->now_ns >> TCP_WHEEL_SHIFT;
	__u32 n;

	while (tcp->tick < now) {
		n = next_slot(tcp);
		if (n >= TCP_WHEEL_SLOTS || tcp->tick + n > now) {
			tcp->tick = now;
			return;
		}
		/* Timers set from here on go behind this slot. */
		tcp->tick += n;
		n = tcp->tick % TCP_WHEEL_SLOTS;
		while (tcp->wheel[n])
			timer_over(tcp, tcp->wheel[n]);
	}
}

__s64 xtcp_timer_next_ns(const struct exo_tcp *tcp, __u64 now_ns)
{
	__u32 n = next_slot(tcp);
	__u64 at;

	if (n >= TCP_WHEEL_SLOTS)
		return -1;
	at = (tcp->tick + n) << TCP_WHEEL_SHIFT;
	return at > now_ns ? at - now_ns : 0;
}
