// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * The outgoing stream of a connection: a ring of pieces of frames, from the
 * oldest byte not acknowledged to the last one queued. First transmission and
 * retransmission read the same pieces. A piece leaves when its last byte is
 * acknowledged and the device has read every descriptor that named it.
 */
#include "tcp_impl.h"

#define PIECES_MIN	8
#define QUEUE_MAX_BYTES	(1U << 30)	/* half of what seq_before() can tell */

static struct tcp_piece *piece_at(const struct tcp_conn *c, __u32 i)
{
	return &c->pieces[i & (c->nr_pieces_max - 1)];
}

/* Make room for @nr pieces. */
static int queue_grow(struct tcp_conn *c, __u32 nr, __u32 max)
{
	__u32 used = c->q_tail - c->q_head;
	__u32 size = c->nr_pieces_max ? c->nr_pieces_max : PIECES_MIN;
	struct tcp_piece *pieces;
	__u32 i;

	while (size < used + nr)
		size *= 2;
	if (size > max)
		return -EAGAIN;
	pieces = malloc(size * sizeof(*pieces));
	if (!pieces)
		return -EAGAIN;
	for (i = c->q_head; i != c->q_tail; i++)
		pieces[i & (size - 1)] = *piece_at(c, i);
	free(c->pieces);
	c->pieces = pieces;
	c->nr_pieces_max = size;
	return 0;
}

static void queue_piece(struct tcp_conn *c, const struct exo_tcp_vec *vec,
			__u32 buf)
{
	struct tcp_piece *piece;

	/* What continues the last piece becomes part of it. */
	if (c->q_tail != c->q_head && !buf) {
		piece = piece_at(c, c->q_tail - 1);
		if (piece->frame == vec->frame && !piece->buf &&
		    piece->offset + piece->len == vec->offset &&
		    piece->len + (__u64)vec->len < QUEUE_MAX_BYTES) {
			piece->len += vec->len;
			return;
		}
	}
	piece = piece_at(c, c->q_tail++);
	piece->frame = vec->frame;
	piece->len = vec->len;
	piece->offset = vec->offset;
	piece->mark = 0;
	piece->seq = c->snd_end;
	piece->buf = buf;
}

/**
 * xtcp_queue_add() - append to the stream, all or nothing
 * @c: the connection
 * @vec: pieces
 * @nr: how many
 * @buf: buffer of exo_tcp_write() that the single piece stands in, plus one
 *
 * Return: 0; -EAGAIN full; -EINVAL too much.
 */
int xtcp_queue_add(struct tcp_conn *c, const struct exo_tcp_vec *vec,
		   unsigned int nr, __u32 buf)
{
	struct exo_tcp *tcp = c->pub.tcp;
	__u64 bytes = c->snd_end - c->snd_una;
	unsigned int i;

	for (i = 0; i < nr; i++)
		bytes += vec[i].len;
	if (bytes > QUEUE_MAX_BYTES && nr)
		return -EINVAL;
	if (unlikely(c->q_tail - c->q_head + nr > c->nr_pieces_max) &&
	    (nr > tcp->cfg.max_vecs ||
	     queue_grow(c, nr, tcp->cfg.max_vecs) < 0))
		return -EAGAIN;
	for (i = 0; i < nr; i++) {
		if (!vec[i].len)
			continue;
		queue_piece(c, &vec[i], buf);
		c->snd_end += vec[i].len;
		c->queued += vec[i].len;
	}
	return 0;
}

/* Number of the piece that holds @seq, at or behind @i. */
static __u32 queue_find(const struct tcp_conn *c, __u32 i, __u32 seq)
{
	const struct tcp_piece *piece;

	for (; i != c->q_tail; i++) {
		piece = piece_at(c, i);
		if (seq_before(seq, piece->seq + piece->len))
			break;
	}
	return i;
}

/* Take @excess bytes off the end of a descriptor. */
static void desc_trim(struct exo_tx_desc *desc, __u32 *nr, __u32 excess)
{
	while (excess) {
		struct exo_tx_frag *frag = &desc->frag[*nr - 1];
		__u32 cut = u32_min(excess, frag->len);

		frag->len -= cut;
		excess -= cut;
		if (!frag->len)
			(*nr)--;
	}
}

/**
 * xtcp_queue_fill() - name bytes of the stream in a descriptor
 * @c: the connection
 * @desc: its nr_frags and frag[] are written
 * @seq: first byte, in the queue
 * @len: number of bytes, all in the queue
 * @mark: number of the descriptor, as exo_tcp.tx_seq counts
 *
 * Return: how many bytes it was; fewer than asked for if they stand in too many
 * pieces, then full segments only if there is at least one.
 */
__u32 xtcp_queue_fill(struct tcp_conn *c, struct exo_tx_desc *desc, __u32 seq,
		      __u32 len, __u64 mark)
{
	__u32 i = c->q_head, nr = 0, done = 0, skip, part;
	struct tcp_piece *piece;

	if (seq == c->snd_nxt && !seq_before(c->q_nxt, i))
		i = c->q_nxt;
	i = queue_find(c, i, seq);
	if (seq == c->snd_nxt)
		c->q_nxt = i;
	while (done < len && nr < EXO_TX_MAX_FRAGS) {
		piece = piece_at(c, i++);
		skip = seq + done - piece->seq;
		part = u32_min(piece->len - skip, len - done);
		desc->frag[nr].frame = piece->frame;
		desc->frag[nr].len = part;
		desc->frag[nr].offset = piece->offset + skip;
		piece->mark = mark;
		nr++;
		done += part;
	}
	if (unlikely(done < len && done > c->mss)) {
		part = done % c->mss;
		desc_trim(desc, &nr, part);
		done -= part;
	}
	desc->nr_frags = nr;
	c->tx_mark = mark;
	return done;
}

static void piece_free(struct exo_tcp *tcp, const struct tcp_piece *piece)
{
	if (piece->buf)
		tcp->wfree[tcp->nr_wfree++] = piece->buf - 1;
}

/* Let go what is acknowledged and sent; tell the server. */
void xtcp_queue_release(struct exo_tcp *tcp, struct tcp_conn *c)
{
	const struct tcp_piece *piece;
	__u64 before = c->released;

	while (c->q_head != c->q_tail) {
		piece = piece_at(c, c->q_head);
		if (seq_before(c->snd_una, piece->seq + piece->len))
			break;
		if (piece->mark > tcp->tx_done) {
			xtcp_want_done(tcp, c);
			break;
		}
		piece_free(tcp, piece);
		c->released += piece->len;
		c->q_head++;
	}
	if (c->released != before && tcp->ops->released)
		tcp->ops->released(&c->pub, c->released);
}

/* The connection ends: let go everything, without a word. */
void xtcp_queue_drop(struct exo_tcp *tcp, struct tcp_conn *c)
{
	for (; c->q_head != c->q_tail; c->q_head++)
		piece_free(tcp, piece_at(c, c->q_head));
}
