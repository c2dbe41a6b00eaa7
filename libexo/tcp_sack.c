// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * The scoreboard: which bytes beyond snd_una the peer reports to have, and what
 * follows from it (RFC 2018, RFC 6675). Sorted ranges without overlap, all
 * inside (snd_una, snd_nxt). When the table is full, news are ignored: bytes
 * are then sent again that need not be, nothing worse.
 *
 *	snd_una      rtx_nxt        lost_to               snd_nxt
 *	   |  sent again |  lost, to be  |  in flight         |
 *	   |             |  sent again   |                    |
 *
 * (bytes that were reported apart). Without SACK every duplicate acknowledgment
 * stands for one segment that has arrived (RFC 6582).
 */
#include "tcp_impl.h"

static void range_remove(struct tcp_conn *c, __u32 i, __u32 nr)
{
	memmove(&c->sacked[i], &c->sacked[i + nr],
		(c->nr_sacked - i - nr) * sizeof(c->sacked[0]));
	c->nr_sacked -= nr;
}

/* Returns true if it told us of bytes we did not know of. */
static bool range_add(struct tcp_conn *c, struct tcp_range add)
{
	__u32 i = 0, n, had = 0;

	while (i < c->nr_sacked && seq_before(c->sacked[i].end, add.start))
		i++;
	for (n = i; n < c->nr_sacked &&
	     !seq_after(c->sacked[n].start, add.end); n++) {
		had += c->sacked[n].end - c->sacked[n].start;
		add.start = seq_min(add.start, c->sacked[n].start);
		add.end = seq_max(add.end, c->sacked[n].end);
	}
	if (n == i) {
		if (c->nr_sacked == TCP_NR_SACKED)
			return false;
		memmove(&c->sacked[i + 1], &c->sacked[i],
			(c->nr_sacked - i) * sizeof(c->sacked[0]));
		c->nr_sacked++;
	} else {
		range_remove(c, i, n - i - 1);
	}
	c->sacked[i] = add;
	c->sacked_bytes += add.end - add.start - had;
	return add.end - add.start != had;
}

/*
 * Take in the blocks of a segment. A block that is not inside what is in flight
 * is a lie, or a duplicate (RFC 2883), and ignored.
 */
bool xtcp_sack_add(struct tcp_conn *c, const struct tcp_seg *seg)
{
	__u32 flight = c->snd_nxt - c->snd_una;
	__u32 acked = seg->ack - c->snd_una;
	bool news = false;
	unsigned int i;

	for (i = 0; i < seg->nr_sack; i++) {
		/* Distances: seq_before() does not bear any number at all. */
		__u32 start = seg->sack[i].start - c->snd_una;
		__u32 end = seg->sack[i].end - c->snd_una;

		if (start > acked && start < end && end <= flight)
			news |= range_add(c, seg->sack[i]);
	}
	return news;
}

/* snd_una has moved: forget what is below. */
void xtcp_sack_acked(struct tcp_conn *c)
{
	__u32 n = 0, cut;

	while (n < c->nr_sacked && !seq_after(c->sacked[n].end, c->snd_una)) {
		c->sacked_bytes -= c->sacked[n].end - c->sacked[n].start;
		n++;
	}
	range_remove(c, 0, n);
	if (c->nr_sacked && seq_before(c->sacked[0].start, c->snd_una)) {
		cut = c->snd_una - c->sacked[0].start;
		c->sacked[0].start += cut;
		c->sacked_bytes -= cut;
	}
}

void xtcp_sack_clear(struct tcp_conn *c)
{
	c->nr_sacked = 0;
	c->sacked_bytes = 0;
}

/*
 * How many segments above a hole say that it is lost: three (RFC 6675), fewer
 * if there cannot be three (RFC 5827), one after a tail loss probe.
 */
static __u32 dup_thresh(const struct tcp_conn *c)
{
	__u32 flight = c->snd_nxt - c->snd_una;

	if (c->tlp_sent)
		return 1;
	if (seq_before(c->snd_nxt, c->snd_end))
		return TCP_DUP_THRESH;
	if (flight <= 2 * c->mss)
		return 1;
	return flight <= 3 * c->mss ? 2 : TCP_DUP_THRESH;
}

/* IsLost() of RFC 6675 section 4: below the edge returned it is true. */
__u32 xtcp_sack_lost_edge(const struct tcp_conn *c)
{
	__u32 thresh = dup_thresh(c), bytes = 0, i;

	if (!c->has_sack)
		return c->dupacks >= thresh ? c->snd_una + 1 : c->snd_una;
	for (i = c->nr_sacked; i-- > 0;) {
		bytes += c->sacked[i].end - c->sacked[i].start;
		if (bytes > (thresh - 1) * c->mss ||
		    c->nr_sacked - i >= thresh)
			return c->sacked[i].start;
	}
	return c->snd_una;
}

/* Bytes of [from, to) that were not reported. */
static __u32 not_sacked(const struct tcp_conn *c, __u32 from, __u32 to)
{
	__u32 i, start, end, bytes;

	if (!seq_before(from, to))
		return 0;
	bytes = to - from;
	for (i = 0; i < c->nr_sacked; i++) {
		start = seq_max(c->sacked[i].start, from);
		end = seq_min(c->sacked[i].end, to);
		if (seq_before(start, end))
			bytes -= end - start;
	}
	return bytes;
}

/* SetPipe() of RFC 6675 section 4: bytes that are believed to be under way. */
__u32 xtcp_sack_pipe(const struct tcp_conn *c)
{
	__u32 pipe, arrived;

	if (c->ca == CA_OPEN && !c->nr_sacked)
		pipe = c->snd_nxt - c->snd_una;
	else
		pipe = not_sacked(c, seq_max(c->lost_to, c->snd_una),
				  c->snd_nxt) +
		       not_sacked(c, c->snd_una,
				  seq_min(c->rtx_nxt, c->lost_to));
	if (likely(c->has_sack || !c->dupacks))
		return pipe;
	arrived = u32_min(c->dupacks, 0xffff) * c->mss;
	return pipe - u32_min(pipe, arrived);
}

/* The first bytes of [from, to) that were not reported. */
bool xtcp_sack_hole(const struct tcp_conn *c, __u32 from, __u32 to,
		    struct tcp_range *out)
{
	__u32 i;

	for (i = 0; i < c->nr_sacked; i++) {
		if (!seq_after(c->sacked[i].end, from))
			continue;
		if (seq_after(c->sacked[i].start, from)) {
			to = seq_min(to, c->sacked[i].start);
			break;
		}
		from = c->sacked[i].end;
	}
	out->start = from;
	out->end = to;
	return seq_before(from, to);
}
