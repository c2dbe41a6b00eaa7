// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Congestion window (RFC 5681, RFC 6928, byte counting after RFC 3465) and
 * retransmission timeout (RFC 6298). All in bytes; no division.
 */
#include "tcp_impl.h"

#define RTO_INITIAL_US	1000000U
#define CWND_MAX	(1U << 29)

/* RFC 6928 section 2 */
static __u32 initial_window(const struct tcp_conn *c)
{
	return u32_min(10 * c->mss, u32_max(2 * c->mss, 14600));
}

void xtcp_cc_init(struct tcp_conn *c)
{
	c->cwnd = initial_window(c);
	c->ssthresh = CWND_MAX;
	c->rto_us = RTO_INITIAL_US;
}

/*
 * @acked new bytes were acknowledged, no loss is being repaired. A window that
 * was not used does not grow (RFC 5681 section 4.1 and RFC 7661 in spirit).
 */
void xtcp_cc_acked(struct tcp_conn *c, __u32 acked)
{
	if (!c->cwnd_limited || c->cwnd >= CWND_MAX)
		return;
	c->cwnd_limited = 0;
	if (c->cwnd < c->ssthresh) {
		/*
		 * RFC 3465 section 2.2 limits what one acknowledgment adds;
		 * receivers that merge packets acknowledge many at once, so
		 * that here it adds what it acknowledges, up to doubling.
		 */
		c->cwnd += u32_min(acked, c->ca == CA_LOSS ? 2 * c->mss :
				   c->cwnd);
		return;
	}
	c->ca_acked += acked;
	if (c->ca_acked >= c->cwnd) {
		c->ca_acked -= c->cwnd;
		c->cwnd += c->mss;
	}
}

static void halve(struct tcp_conn *c)
{
	__u32 flight = c->snd_nxt - c->snd_una;

	c->ssthresh = u32_max(flight / 2, 2 * c->mss);
	c->ca_acked = 0;
}

/* RFC 6675 section 5 (4.1)-(4.2), RFC 6582 section 3.2 step 2 */
void xtcp_cc_recovery(struct exo_tcp *tcp, struct tcp_conn *c)
{
	tcp->stats.fast_recoveries++;
	halve(c);
	c->cwnd = c->ssthresh;
	c->ca = CA_RECOVERY;
	c->recover = c->snd_nxt;
	c->rtx_nxt = c->snd_una;
	c->rtx_high = c->snd_nxt;
	c->rtt_pending = 0;
}

/* RFC 5681 section 3.1, end; RFC 6675 section 5.1; RFC 2018 section 8 */
void xtcp_cc_timeout(struct tcp_conn *c)
{
	bool reneged = c->nr_sacked && c->sacked[0].start == c->snd_una;

	if (c->ca != CA_LOSS || !c->backoff)
		halve(c);
	if (c->backoff || reneged)
		xtcp_sack_clear(c);
	c->cwnd = c->mss;
	c->ca = CA_LOSS;
	c->recover = c->snd_nxt;
	c->lost_to = c->snd_nxt;
	c->rtx_nxt = c->snd_una;
	c->rtx_high = c->snd_nxt;
	c->dupacks = 0;
	c->tlp_sent = 0;
	c->rtt_pending = 0;
	c->cwnd_limited = 1;
}

/* RFC 5681 section 4.1: nothing was sent for longer than the timeout. */
void xtcp_cc_idle(struct tcp_conn *c)
{
	c->cwnd = u32_min(c->cwnd, initial_window(c));
}

/* RFC 6298 section 2, fixed point of Jacobson, Karels (1988) */
void xtcp_rtt_sample(struct tcp_conn *c, __u64 rtt_ns)
{
	__u32 us = rtt_ns < 60000 * NS_PER_MS ? (rtt_ns >> 10) + 1 : 60000000;
	__s32 delta;

	if (!c->srtt_us8) {
		c->srtt_us8 = us * 8;
		c->rttvar_us4 = us * 2;
	} else {
		delta = us - (c->srtt_us8 >> 3);
		c->srtt_us8 += delta;
		if (delta < 0)
			delta = -delta;
		c->rttvar_us4 += delta - (c->rttvar_us4 >> 2);
	}
	/* 1,024 ns were taken for a microsecond, on the safe side below. */
	c->rto_us = (c->srtt_us8 >> 3) + c->rttvar_us4;
}

__u64 xtcp_rto_ns(const struct exo_tcp *tcp, const struct tcp_conn *c)
{
	__u64 ns = (__u64)c->rto_us << 10;
	__u64 min = tcp->cfg.rto_min_ms * NS_PER_MS;
	__u64 max = tcp->cfg.rto_max_ms * NS_PER_MS;

	if (ns < min)
		ns = min;
	ns <<= c->backoff;
	return ns < max ? ns : max;
}
