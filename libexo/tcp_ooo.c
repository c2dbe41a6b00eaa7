// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Data that came out of order, kept until the gap is filled: a sorted list of
 * chunks without overlap, copied out of the receive ring. Memory is bounded for
 * each connection and for all; what does not fit is dropped and not reported by
 * SACK. What was reported is never thrown away again while the connection lives
 * (RFC 2018 section 8 would allow it).
 */
#include "tcp_impl.h"

static struct tcp_ooo *chunk_new(struct exo_tcp *tcp, struct tcp_conn *c)
{
	struct tcp_ooo *chunk = tcp->free_ooo;

	if (c->ooo_bytes + sizeof(*chunk) > tcp->cfg.ooo_conn_bytes)
		return NULL;
	if (chunk) {
		tcp->free_ooo = chunk->next;
	} else {
		if ((tcp->nr_ooo + 1ULL) * sizeof(*chunk) > tcp->cfg.ooo_bytes)
			return NULL;
		chunk = malloc(sizeof(*chunk));
		if (!chunk)
			return NULL;
		tcp->nr_ooo++;
	}
	c->ooo_bytes += sizeof(*chunk);
	tcp->stats.ooo_bytes += sizeof(*chunk);
	return chunk;
}

static void chunk_free(struct exo_tcp *tcp, struct tcp_conn *c,
		       struct tcp_ooo *chunk)
{
	c->ooo_bytes -= sizeof(*chunk);
	tcp->stats.ooo_bytes -= sizeof(*chunk);
	chunk->next = tcp->free_ooo;
	tcp->free_ooo = chunk;
}

/* Store bytes that overlap nothing, before *@at. Returns what was stored. */
static __u32 store(struct exo_tcp *tcp, struct tcp_conn *c,
		   struct tcp_ooo ***at, __u32 seq, const __u8 *data, __u32 len)
{
	__u32 done = 0, part;
	struct tcp_ooo *chunk;

	while (done < len) {
		chunk = chunk_new(tcp, c);
		if (!chunk)
			break;
		part = u32_min(len - done, TCP_OOO_BYTES);
		memcpy(chunk->data, data + done, part);
		chunk->seq = seq + done;
		chunk->len = part;
		chunk->next = **at;
		**at = chunk;
		*at = &chunk->next;
		done += part;
	}
	return done;
}

/**
 * xtcp_ooo_add() - keep data beyond a gap
 * @tcp: the context
 * @c: the connection
 * @seq: of the first byte, behind rcv_nxt
 * @data: the bytes, inside the window
 * @len: how many
 *
 * Of bytes that came before, the first copy counts: an attacker cannot replace
 * them.
 */
void xtcp_ooo_add(struct exo_tcp *tcp, struct tcp_conn *c, __u32 seq,
		  const __u8 *data, __u32 len)
{
	struct tcp_ooo **at = &c->ooo, *chunk;
	__u32 first = seq, end = seq + len, part;
	bool is_new = false;

	while (seq_before(seq, end)) {
		chunk = *at;
		if (chunk && !seq_before(seq, chunk->seq + chunk->len)) {
			at = &chunk->next;
			continue;
		}
		part = end - seq;
		if (chunk && !seq_before(seq, chunk->seq)) {
			/* These bytes are here already. */
			part = u32_min(part, chunk->seq + chunk->len - seq);
			at = &chunk->next;
		} else {
			if (chunk)
				part = u32_min(part, chunk->seq - seq);
			is_new = true;
			if (store(tcp, c, &at, seq, data + (seq - first),
				  part) < part)
				break;
		}
		seq += part;
	}
	if (is_new)
		c->ooo_last = first;
	else
		c->dsack = (struct tcp_range){ first, end };
}

/* Hand over what has become in order. */
void xtcp_ooo_deliver(struct exo_tcp *tcp, struct tcp_conn *c)
{
	struct tcp_ooo *chunk;
	__u32 skip;

	while ((chunk = c->ooo) != NULL &&
	       !seq_after(chunk->seq, c->rcv_nxt)) {
		c->ooo = chunk->next;
		skip = c->rcv_nxt - chunk->seq;
		if (skip < chunk->len) {
			c->rcv_nxt += chunk->len - skip;
			tcp->stats.rx_bytes += chunk->len - skip;
			tcp->ops->data(&c->pub, chunk->data + skip,
				       chunk->len - skip);
		}
		chunk_free(tcp, c, chunk);
		if (c->ep.state == TS_CLOSED)
			return;
	}
}

void xtcp_ooo_drop(struct exo_tcp *tcp, struct tcp_conn *c)
{
	struct tcp_ooo *chunk;

	while ((chunk = c->ooo) != NULL) {
		c->ooo = chunk->next;
		chunk_free(tcp, c, chunk);
	}
}

/* The next run of chunks without a gap; @chunk moves behind it. */
static struct tcp_range next_range(const struct tcp_ooo **chunk)
{
	const struct tcp_ooo *p = *chunk;
	struct tcp_range range = { p->seq, p->seq + p->len };

	for (p = p->next; p && p->seq == range.end; p = p->next)
		range.end += p->len;
	*chunk = p;
	return range;
}

/**
 * xtcp_ooo_ranges() - what SACK reports
 * @c: the connection
 * @out: the ranges; the first one holds what came last (RFC 2018 section 4)
 * @max: room
 *
 * Return: how many.
 */
unsigned int xtcp_ooo_ranges(const struct tcp_conn *c, struct tcp_range *out,
			     unsigned int max)
{
	const struct tcp_ooo *chunk = c->ooo;
	unsigned int nr = 0, first = 0;
	struct tcp_range range;
	bool found = false;

	while (chunk && !(found && nr == max)) {
		range = next_range(&chunk);
		if (!seq_before(c->ooo_last, range.start) &&
		    seq_before(c->ooo_last, range.end)) {
			found = true;
			if (nr == max)
				nr--;
			first = nr;
		}
		if (nr < max)
			out[nr++] = range;
	}
	if (first) {
		range = out[first];
		out[first] = out[0];
		out[0] = range;
	}
	return nr;
}

void xtcp_ooo_exit(struct exo_tcp *tcp)
{
	struct tcp_ooo *chunk;

	while ((chunk = tcp->free_ooo) != NULL) {
		tcp->free_ooo = chunk->next;
		free(chunk);
	}
}
