/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Just enough TCP to answer one client of Linux: handshake, wait for a request,
 * send a response that fits its window as one GSO packet, close. No loss is
 * expected and none is repaired; options and retransmission are libexo's.
 */
#ifndef EXO_SELFTESTS_MINI_TCP_H
#define EXO_SELFTESTS_MINI_TCP_H

#include "net_test.h"

struct mini_tcp {
	struct flow *f;
	struct frame peer;	/* the last segment's headers */
	uint32_t seq;
	uint32_t ack;
};

/* A segment with @flags in @d's header, in reply to what came last. */
MAYBE_UNUSED static struct exo_tx_desc *mini_desc(struct mini_tcp *t,
						  size_t len)
{
	struct exo_tx_desc *d = flow_desc(t->f, len);
	struct frame *h = (struct frame *)d->hdr;

	memcpy(h->eth.h_dest, t->peer.eth.h_source, 6);
	h->ip.saddr = t->peer.ip.daddr;
	h->ip.daddr = t->peer.ip.saddr;
	h->tcp.source = t->peer.tcp.dest;
	h->tcp.dest = t->peer.tcp.source;
	h->tcp.seq = htonl(t->seq);
	h->tcp.ack_seq = htonl(t->ack);
	t->seq += len;
	return d;
}

/* The next segment of the connection; its data's length, or -1. */
MAYBE_UNUSED static int mini_recv(struct mini_tcp *t, int ms)
{
	struct frame *got = flow_recv(t->f, ms, NULL);
	int len;

	if (!got)
		return -1;
	memcpy(&t->peer, got, HDR_BYTES);
	len = ntohs(got->ip.tot_len) - 20 - got->tcp.doff * 4;
	flow_consume(t->f);
	if (t->peer.tcp.syn || t->peer.tcp.fin)
		len++;
	if (len)
		t->ack = ntohl(t->peer.tcp.seq) + len;
	return len;
}

/* The handshake with the next client, up to our half of it. */
MAYBE_UNUSED static bool mini_accept(struct mini_tcp *t)
{
	do {
		if (mini_recv(t, 5000) < 0)
			return false;
	} while (!t->peer.tcp.syn);
	((struct frame *)mini_desc(t, 0)->hdr)->tcp.syn = 1;
	t->seq++;
	return !flow_send(t->f, true);
}

/*
 * Serve one client @len bytes from the start of the frame; true if it took them
 * all and closed. @gso_size 0 makes one packet a 1,400 bytes.
 */
MAYBE_UNUSED static bool mini_serve(struct flow *f, size_t len,
				    uint16_t gso_size, uint32_t flags)
{
	struct mini_tcp t = { .f = f, .seq = 1000 };
	struct exo_tx_desc *d;
	uint32_t end;
	size_t off, n;

	if (!mini_accept(&t))
		return false;
	/* Perhaps an empty segment that completes the handshake, the request */
	do {
		n = mini_recv(&t, 5000);
		if ((int)n < 0)
			return false;
	} while (!n);
	for (off = 0; off < len; off += n) {
		n = gso_size ? len : len - off > 1400 ? 1400 : len - off;
		d = mini_desc(&t, n);
		d->flags = flags;
		d->gso_size = gso_size;
		d->frag[0].offset = off;
		if (flow_send(f, true) || d->out_status)
			return false;
	}
	d = mini_desc(&t, 0);
	((struct frame *)d->hdr)->tcp.fin = 1;
	end = ++t.seq;
	if (flow_send(f, true))
		return false;
	while (mini_recv(&t, 5000) >= 0)
		if (ntohl(t.peer.tcp.ack_seq) == end)
			return true;
	return false;
}

#endif /* EXO_SELFTESTS_MINI_TCP_H */
