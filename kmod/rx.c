// SPDX-License-Identifier: GPL-2.0
/*
 * Rx: the fast path from the device into a receive ring.
 *
 * Runs in softirq for every packet of an attached device. What it does not
 * claim goes on to Linux untouched: headers are looked at without pulling or
 * unsharing anything. A claimed packet is copied into the ring as it came, the
 * headers included, and freed; Linux never sees it.
 *
 * Not claimed: anything but type HOST, VLAN tags, fragments, IP options, a bad
 * IP header, addresses that Linux would call martian, a destination that is
 * not local to the namespace at this moment.
 *
 *	module					library
 *
 *	load rx_cons (acquire)   (B)		load rx_prod (acquire)   (D)
 *	write record and packet			read record and packet
 *	store rx_prod (release)  (A)		store rx_cons (release)  (C)
 *
 * (A) pairs with (D): a record is whole when it is seen. (C) pairs with (B): a
 * record is not overwritten before it has been read.
 */
#include <linux/etherdevice.h>
#include <linux/if_vlan.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <net/ip.h>
#include <net/tcp.h>

#include "check.h"
#include "flow.h"
#include "rx.h"

/* As far as matching has to look; IP options are not claimed. */
struct packet_head {
	struct iphdr ip;
	__be16 source;
	__be16 dest;
};

/* Of the destination exo_local() takes care. */
static bool addresses_sane(const struct iphdr *ip)
{
	return EXO_CHECK(rx_saddr_loopback, !ipv4_is_loopback(ip->saddr)) &&
	       EXO_CHECK(rx_saddr_multicast, !ipv4_is_multicast(ip->saddr)) &&
	       EXO_CHECK(rx_saddr_lbcast, !ipv4_is_lbcast(ip->saddr)) &&
	       EXO_CHECK(rx_saddr_zeronet, !ipv4_is_zeronet(ip->saddr));
}

/* A whole TCP segment with a plain IP header whose length fits the packet. */
static bool ip_sane(const struct iphdr *ip, u32 len)
{
	u32 total = ntohs(ip->tot_len);

	return EXO_CHECK(rx_version, ip->version == 4) &&
	       EXO_CHECK(rx_options, ip->ihl == 5) &&
	       EXO_CHECK(rx_protocol, ip->protocol == IPPROTO_TCP) &&
	       EXO_CHECK(rx_fragment,
			 !(ip->frag_off & htons(IP_MF | IP_OFFSET))) &&
	       EXO_CHECK(rx_total_min, total >= sizeof(struct iphdr) +
			 sizeof(struct tcphdr)) &&
	       EXO_CHECK(rx_total_max, total <= len) && addresses_sane(ip) &&
	       EXO_CHECK(rx_ip_csum, !ip_fast_csum(ip, sizeof(*ip) / 4));
}

static struct exo_flow *lookup(struct exo_netdev *nd, __be16 port, __be32 addr)
{
	struct exo_flow *flow;

	hlist_for_each_entry_rcu(flow, exo_flow_bucket(nd, port), hash)
		if (EXO_CHECK(rx_port, flow->port == port) &&
		    EXO_CHECK(rx_addr, !flow->addr || flow->addr == addr))
			return flow;
	return NULL;
}

/* The flow a packet is for, and its IP header and ports. */
static struct exo_flow *match(struct exo_netdev *nd, const struct sk_buff *skb,
			      struct packet_head *room,
			      const struct packet_head **head)
{
	const struct packet_head *h;
	struct exo_flow *flow;

	if (!EXO_CHECK(rx_host, skb->pkt_type == PACKET_HOST) ||
	    !EXO_CHECK(rx_ethertype, skb->protocol == htons(ETH_P_IP)) ||
	    !EXO_CHECK(rx_vlan, !skb_vlan_tag_present(skb)))
		return NULL;
	h = skb_header_pointer(skb, 0, sizeof(*room), room);
	if (!EXO_CHECK(rx_runt, h))
		return NULL;
	/* First what most packets of others fail: nothing else is dear then */
	flow = lookup(nd, h->dest, h->ip.daddr);
	if (!flow || !ip_sane(&h->ip, skb->len) ||
	    !EXO_CHECK(rx_alive, exo_flow_alive(flow)))
		return NULL;
	*head = h;
	return flow;
}

/*
 * Is the TCP checksum known to be right? A complete sum counts from the IP
 * header, which adds nothing as its own checksum is right.
 */
static bool csum_ok(const struct sk_buff *skb, const struct iphdr *ip, u32 len)
{
	if (skb_csum_unnecessary(skb))
		return true;
	return skb->ip_summed == CHECKSUM_COMPLETE && skb->len == len &&
	       !csum_tcpudp_magic(ip->saddr, ip->daddr, len - sizeof(*ip),
				  IPPROTO_TCP, skb->csum);
}

/* The library's index, as long as that is possible; else what it was before. */
static u32 consumed(struct exo_flow *flow)
{
	/* (B), pairs with (C) */
	u32 cons = smp_load_acquire(&flow->ring->rx_cons);

	if (EXO_CHECK(rx_cons, flow->rx_prod - cons <=
		      flow->rx_prod - flow->rx_cons) &&
	    EXO_CHECK(rx_cons_aligned, IS_ALIGNED(cons, EXO_RX_ALIGN_BYTES)))
		flow->rx_cons = cons;
	return flow->rx_cons;
}

static void write_record(struct exo_flow *flow, u32 at, u32 len, u16 flags,
			 u16 gso_size)
{
	struct exo_rx_record *record = (void *)(flow->rx_ring + at);

	*record = (struct exo_rx_record) {
		.len = len, .flags = flags, .gso_size = gso_size,
	};
}

/*
 * Room for a packet of len bytes, or NULL. Moves rx_prod; nothing is visible
 * to the library before publish().
 */
static u8 *reserve_record(struct exo_flow *flow, u32 len, u16 flags,
			  u16 gso_size)
{
	u32 need = ALIGN(EXO_RX_DATA_OFFSET + len, EXO_RX_ALIGN_BYTES);
	u32 at = flow->rx_prod & flow->rx_mask;
	u32 bytes = flow->rx_mask + 1;
	u32 skip = bytes - at < need ? bytes - at : 0;

	if (!EXO_CHECK(rx_room, bytes - (flow->rx_prod - consumed(flow)) >=
		       skip + need))
		return NULL;
	if (skip) {
		write_record(flow, at, 0, EXO_RX_F_WRAP, 0);
		at = 0;
	}
	write_record(flow, at, len, flags, gso_size);
	WRITE_ONCE(flow->rx_prod, flow->rx_prod + skip + need);
	return flow->rx_ring + at + EXO_RX_DATA_OFFSET;
}

static void copy_packet(u8 *to, const struct sk_buff *skb, u32 ip_len)
{
	memcpy(to, skb_mac_header(skb), ETH_HLEN);
	to += ETH_HLEN;
	if (likely(skb_headlen(skb) >= ip_len))
		memcpy(to, skb->data, ip_len);
	else
		WARN_ON_ONCE(skb_copy_bits(skb, 0, to, ip_len));
}

/* True unless the ring was full. */
static bool deliver(struct exo_flow *flow, const struct sk_buff *skb,
		    const struct iphdr *ip)
{
	u32 len = ntohs(ip->tot_len);
	u16 flags = csum_ok(skb, ip, len) ? EXO_RX_F_CSUM_OK : 0;
	u8 *to;

	lockdep_assert_held(&flow->rx_lock);
	to = reserve_record(flow, ETH_HLEN + len, flags,
			    skb_shinfo(skb)->gso_size);
	if (!to) {
		WRITE_ONCE(flow->ring->rx_dropped, ++flow->rx_dropped);
		return false;
	}
	copy_packet(to, skb, len);
	WRITE_ONCE(flow->ring->rx_packets, ++flow->rx_packets);
	/* (A), pairs with (D) */
	smp_store_release(&flow->ring->rx_prod, flow->rx_prod);
	return true;
}

/**
 * exo_rx() - the receive handler of an attached device
 * @pskb: the packet, its data beginning with the IP header
 *
 * Context: softirq or BH disabled, RCU read side. Return: RX_HANDLER_CONSUMED
 * if a flow has it, else RX_HANDLER_PASS.
 */
rx_handler_result_t exo_rx(struct sk_buff **pskb)
{
	struct sk_buff *skb = *pskb;
	struct exo_netdev *nd = rcu_dereference(skb->dev->rx_handler_data);
	const struct packet_head *head;
	struct packet_head room;
	struct exo_flow *flow;
	bool delivered;

	flow = match(nd, skb, &room, &head);
	if (!flow)
		goto pass;
	spin_lock(&flow->rx_lock);
	if (!EXO_CHECK(rx_local, exo_local(&flow->rx_local, skb->dev,
					   head->ip.daddr))) {
		spin_unlock(&flow->rx_lock);
		goto pass;
	}
	delivered = deliver(flow, skb, &head->ip);
	spin_unlock(&flow->rx_lock);
	if (delivered) {
		this_cpu_inc(nd->counts->rx_claimed);
#ifdef CONFIG_NET_RX_BUSY_POLL
		WRITE_ONCE(flow->napi_id, skb->napi_id);
#endif
		exo_env_wake(flow->env);
		consume_skb(skb);
	} else {
		this_cpu_inc(nd->counts->rx_dropped);
		kfree_skb(skb);
	}
	return RX_HANDLER_CONSUMED;

pass:
	this_cpu_inc(nd->counts->rx_passed);
	return RX_HANDLER_PASS;
}
