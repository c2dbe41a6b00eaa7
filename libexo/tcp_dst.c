// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Next hops, one entry a destination, so that a handshake asks <exo/neigh.h>
 * only when the destination is new or something changed. As long as Linux does
 * not know the next hop, the MAC address that the peer's packet came from is
 * used: it is what answered for that address just now.
 */
#include "tcp_impl.h"

static struct tcp_dst *dst_slot(struct exo_tcp *tcp, __be32 raddr)
{
	__u64 h = (raddr ^ tcp->key[2]) * tcp->key[1];

	return &tcp->dst[h >> 56];
}

static bool is_usable(const struct exo_tcp *tcp, const __u8 *mac)
{
	static const __u8 zero[6];

	return !(mac[0] & 1) && memcmp(mac, zero, 6) &&
	       memcmp(mac, tcp->flow->mac, 6);
}

static int dst_ask(struct exo_tcp *tcp, struct tcp_dst *dst, const __u8 *hint)
{
	int rc = -EAGAIN;

	dst->mtu = 0;
	if (tcp->cfg.neigh)
		rc = exo_neigh_lookup(tcp->cfg.neigh, dst->laddr, dst->raddr,
				      dst->mac, &dst->mtu);
	dst->is_hint = rc == -EAGAIN;
	if (rc == -EAGAIN && hint && is_usable(tcp, hint)) {
		memcpy(dst->mac, hint, 6);
		rc = 0;
	}
	if (!dst->mtu || dst->mtu > tcp->flow->mtu)
		dst->mtu = tcp->flow->mtu;
	return rc;
}

/**
 * xtcp_dst_find() - the next hop for a destination
 * @tcp: the context
 * @laddr: our address
 * @raddr: the destination
 * @hint: MAC address a packet from there came from, or NULL
 * @mac: the next hop
 * @mtu: of the path as far as it is known
 *
 * Return: 0; -EAGAIN not known and no usable hint; errors of
 * exo_neigh_lookup().
 */
int xtcp_dst_find(struct exo_tcp *tcp, __be32 laddr, __be32 raddr,
		  const __u8 *hint, __u8 mac[6], __u32 *mtu)
{
	struct tcp_dst *dst = dst_slot(tcp, raddr);
	int rc;

	/* A hint holds for the packet that it came with only. */
	if (!dst->is_valid || dst->raddr != raddr || dst->laddr != laddr ||
	    dst->gen != tcp->dst_gen ||
	    (dst->is_hint && hint && memcmp(dst->mac, hint, 6))) {
		dst->is_valid = 0;
		dst->raddr = raddr;
		dst->laddr = laddr;
		dst->gen = tcp->dst_gen;
		rc = dst_ask(tcp, dst, hint);
		if (rc)
			return rc;
		dst->is_valid = 1;
	}
	memcpy(mac, dst->mac, 6);
	*mtu = dst->mtu;
	return 0;
}

/*
 * Something changed. What cannot be found now stays as it was: routes flap, and
 * the retransmission timer ends a connection that leads nowhere.
 */
void xtcp_dst_refresh(struct exo_tcp *tcp, struct tcp_conn *c)
{
	__u32 mtu;

	c->dst_gen = tcp->dst_gen;
	if (xtcp_dst_find(tcp, c->pub.laddr, c->pub.raddr, c->head.dmac,
			  c->head.dmac, &mtu) == 0 && mtu < c->mtu)
		xtcp_conn_set_mtu(tcp, c, mtu);
}
