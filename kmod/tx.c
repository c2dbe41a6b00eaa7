// SPDX-License-Identifier: GPL-2.0
/*
 * Tx: from a descriptor to a packet that its flow covers.
 *
 * Ring and descriptors are memory shared with the library, which may write
 * while the module reads: each descriptor is copied once, only the copy is
 * looked at. First everything is checked, nothing is taken; then the packet is
 * built from what was checked. The payload alone may still change: it is not
 * the module's affair.
 *
 * Headers are sent as the library wrote them, except for the two checksums. A
 * GSO packet is not marked SKB_GSO_DODGY: that would make the stack look at the
 * headers again and count segments anew, which check_*() has just done.
 *
 * Packets pass taps, tc and the queueing discipline, not netfilter.
 *
 *	library					module
 *
 *	write descriptors			load tx_prod (acquire)   (B)
 *	store tx_prod (release)  (A)		copy descriptors, write status
 *	load tx_cons (acquire)   (D)		store tx_cons (release)  (C)
 */
#include <linux/etherdevice.h>
#include <linux/hash.h>
#include <linux/highmem.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <net/ip.h>
#include <net/netns/hash.h>
#include <net/tcp.h>

#include "check.h"
#include "tx.h"

#define L4_OFFSET	(ETH_HLEN + sizeof(struct iphdr))
#define MIN_HDR_BYTES	(L4_OFFSET + sizeof(struct tcphdr))

/* Descriptors sent with softirqs held off; between them others get a turn. */
#define BATCH		64

/**
 * struct sender - what one doorbell works with
 * @flow: the flow, tx_lock held
 * @dev: the device, or NULL if it is gone or down
 * @desc: the copy of the descriptor
 * @payload: bytes of its pieces
 * @handles: of @frames
 * @frames: of its pieces, a reference each, kept for the descriptors after it
 *          in the batch: mostly each has the same frames at the same places
 * @scopes: what the handles cover of @frames
 */
struct sender {
	struct exo_flow *flow;
	struct net_device *dev;
	struct exo_tx_desc desc;
	u32 payload;
	u32 handles[EXO_TX_MAX_FRAGS];
	struct exo_frame *frames[EXO_TX_MAX_FRAGS];
	struct exo_scope scopes[EXO_TX_MAX_FRAGS];
};

static struct iphdr *desc_ip(struct exo_tx_desc *desc)
{
	return (struct iphdr *)(desc->hdr + ETH_HLEN);
}

static struct tcphdr *desc_tcp(struct exo_tx_desc *desc)
{
	return (struct tcphdr *)(desc->hdr + L4_OFFSET);
}

/* -------------------------------------------------------------- checks */

static bool reserved_clear(const struct exo_tx_desc *desc)
{
	const u64 *r2 = (const u64 *)desc->reserved2;

	BUILD_BUG_ON(sizeof(desc->reserved2) != 32);
	return !(desc->reserved0 | desc->reserved1[0] | desc->reserved1[1] |
		 desc->reserved1[2] | desc->pad[0] | desc->pad[1]) &&
	       !(r2[0] | r2[1] | r2[2] | r2[3]);
}

static u32 check_desc(struct sender *s)
{
	const struct exo_tx_desc *desc = &s->desc;
	u64 payload = 0;
	u16 i;

	if (!EXO_CHECK(tx_flags, !(desc->flags & ~EXO_TX_F_COPY)) ||
	    !EXO_CHECK(tx_reserved, reserved_clear(desc)))
		return EXO_TX_BAD_DESC;
	if (!EXO_CHECK(tx_hdr_min, desc->hdr_len >= MIN_HDR_BYTES) ||
	    !EXO_CHECK(tx_hdr_max, desc->hdr_len <= EXO_TX_HDR_BYTES) ||
	    !EXO_CHECK(tx_nr_frags, desc->nr_frags <= EXO_TX_MAX_FRAGS))
		return EXO_TX_BAD_DESC;
	for (i = 0; i < desc->nr_frags; i++) {
		if (!EXO_CHECK(tx_frag_empty, desc->frag[i].len))
			return EXO_TX_BAD_DESC;
		payload += desc->frag[i].len;
	}
	if (!EXO_CHECK(tx_payload, payload <= U16_MAX))
		return EXO_TX_BAD_DESC;
	s->payload = payload;
	return EXO_TX_BAD_NONE;
}

static u32 check_ether(const struct sender *s)
{
	const struct ethhdr *eth = (const struct ethhdr *)s->desc.hdr;

	if (!EXO_CHECK(tx_ethertype, eth->h_proto == htons(ETH_P_IP)) ||
	    !EXO_CHECK(tx_ether_source,
		       ether_addr_equal(eth->h_source, s->dev->dev_addr)) ||
	    !EXO_CHECK(tx_ether_dest, is_valid_ether_addr(eth->h_dest)))
		return EXO_TX_BAD_ETHER;
	return EXO_TX_BAD_NONE;
}

/* A broadcast address of a network that the device is in. */
static bool is_net_broadcast(const struct net_device *dev, __be32 addr)
{
	const struct in_device *in = __in_dev_get_rcu(dev);
	const struct in_ifaddr *ifa;

	if (!in)
		return false;
	in_dev_for_each_ifa_rcu(ifa, in) {
		if (addr == ifa->ifa_broadcast)
			return true;
		if (ifa->ifa_prefixlen < 31 &&
		    addr == (ifa->ifa_address | ~ifa->ifa_mask))
			return true;
	}
	return false;
}

static u32 check_ip(struct sender *s)
{
	const struct iphdr *ip = desc_ip(&s->desc);
	struct exo_flow *flow = s->flow;

	if (!EXO_CHECK(tx_version, ip->version == 4) ||
	    !EXO_CHECK(tx_options, ip->ihl == 5) ||
	    !EXO_CHECK(tx_fragment, !(ip->frag_off & ~htons(IP_DF))) ||
	    !EXO_CHECK(tx_total, ntohs(ip->tot_len) ==
		       s->desc.hdr_len - ETH_HLEN + s->payload))
		return EXO_TX_BAD_IP;
	if (!EXO_CHECK(tx_protocol, ip->protocol == IPPROTO_TCP))
		return EXO_TX_BAD_PROTO;
	if (!EXO_CHECK(tx_saddr, !flow->addr || ip->saddr == flow->addr) ||
	    !EXO_CHECK(tx_saddr_local,
		       exo_local(&flow->tx_local, s->dev, ip->saddr)))
		return EXO_TX_BAD_SADDR;
	if (!EXO_CHECK(tx_daddr_multicast, !ipv4_is_multicast(ip->daddr)) ||
	    !EXO_CHECK(tx_daddr_lbcast, !ipv4_is_lbcast(ip->daddr)) ||
	    !EXO_CHECK(tx_daddr_zeronet, !ipv4_is_zeronet(ip->daddr)) ||
	    !EXO_CHECK(tx_daddr_loopback, !ipv4_is_loopback(ip->daddr)) ||
	    !EXO_CHECK(tx_daddr_broadcast,
		       !is_net_broadcast(s->dev, ip->daddr)))
		return EXO_TX_BAD_DADDR;
	return EXO_TX_BAD_NONE;
}

/*
 * TCP_MIN_MSS as for the sockets of Linux: a smaller segment size would let
 * one descriptor become tens of thousands of packets. No payload behind the
 * headers: devices are told that what is linear is header.
 */
static u32 check_gso(const struct sender *s, const struct tcphdr *tcp)
{
	u32 hdr_bytes = sizeof(struct iphdr) + tcp->doff * 4;

	if (!EXO_CHECK(tx_gso_copy, !(s->desc.flags & EXO_TX_F_COPY)) ||
	    !EXO_CHECK(tx_gso_min, s->desc.gso_size >= TCP_MIN_MSS) ||
	    !EXO_CHECK(tx_gso_mtu, s->desc.gso_size + hdr_bytes <=
		       READ_ONCE(s->dev->mtu)) ||
	    !EXO_CHECK(tx_gso_linear,
		       s->desc.hdr_len == ETH_HLEN + hdr_bytes) ||
	    !EXO_CHECK(tx_gso_syn, !tcp->syn) ||
	    !EXO_CHECK(tx_gso_rst, !tcp->rst) ||
	    !EXO_CHECK(tx_gso_urg, !tcp->urg))
		return EXO_TX_BAD_GSO;
	return EXO_TX_BAD_NONE;
}

static u32 check_tcp(struct sender *s)
{
	const struct tcphdr *tcp = desc_tcp(&s->desc);

	if (!EXO_CHECK(tx_port, tcp->source == s->flow->port))
		return EXO_TX_BAD_PORT;
	if (!EXO_CHECK(tx_doff_min, tcp->doff >= sizeof(*tcp) / 4) ||
	    !EXO_CHECK(tx_doff_max,
		       L4_OFFSET + tcp->doff * 4 <= s->desc.hdr_len))
		return EXO_TX_BAD_TCP;
	if (s->desc.gso_size)
		return check_gso(s, tcp);
	if (!EXO_CHECK(tx_mtu, s->desc.hdr_len - ETH_HLEN + s->payload <=
		       READ_ONCE(s->dev->mtu)))
		return EXO_TX_BAD_MTU;
	return EXO_TX_BAD_NONE;
}

static u32 check_headers(struct sender *s)
{
	u32 reason = check_desc(s);

	if (!reason && !EXO_CHECK(tx_device, s->dev))
		reason = EXO_TX_NO_DEVICE;
	if (!reason)
		reason = check_ether(s);
	if (!reason)
		reason = check_ip(s);
	if (!reason)
		reason = check_tcp(s);
	return reason;
}

/* ------------------------------------------------------------- payload */

/* The frame of piece @i, or NULL; s->frames keeps it at least until the next. */
static struct exo_frame *get_frame(struct sender *s, u16 i)
{
	u32 handle = s->desc.frag[i].frame;
	struct exo_frame *frame;
	struct exo_scope scope;

	if (likely(s->frames[i] && s->handles[i] == handle))
		return s->frames[i];
	frame = exo_frame_get(s->flow->env, handle, EXO_RIGHT_READ, &scope);
	if (IS_ERR(frame))
		return NULL;
	if (s->frames[i])
		exo_object_put_atomic(&s->frames[i]->obj);
	s->frames[i] = frame;
	s->handles[i] = handle;
	s->scopes[i] = scope;
	return frame;
}

static void put_frames(struct sender *s)
{
	u16 i;

	for (i = 0; i < EXO_TX_MAX_FRAGS; i++) {
		if (s->frames[i])
			exo_object_put(&s->frames[i]->obj);
		s->frames[i] = NULL;
	}
}

/* Bytes of a contiguous run, as a power of two. */
static u32 run_shift(const struct exo_pages *pages)
{
	return PAGE_SHIFT + pages->order;
}

/*
 * Fills s->frames, and makes offsets count from the frame's own start; a run of
 * pages becomes one fragment of the packet.
 */
static u32 get_frames(struct sender *s)
{
	u32 nr_runs = 0;
	u16 i;

	for (i = 0; i < s->desc.nr_frags; i++) {
		struct exo_tx_frag *frag = &s->desc.frag[i];
		const struct exo_frame *frame = get_frame(s, i);
		const struct exo_scope *scope = &s->scopes[i];
		u64 bytes;
		u32 shift;

		if (!EXO_CHECK(tx_frame, frame))
			return EXO_TX_BAD_FRAG;
		bytes = scope->nr << PAGE_SHIFT;
		if (!EXO_CHECK(tx_frag_offset, frag->offset < bytes) ||
		    !EXO_CHECK(tx_frag_len, frag->len <= bytes - frag->offset))
			return EXO_TX_BAD_FRAG;
		frag->offset += scope->start << PAGE_SHIFT;
		shift = run_shift(frame->pages);
		nr_runs += ((frag->offset + frag->len - 1) >> shift) -
			   (frag->offset >> shift) + 1;
	}
	if (!EXO_CHECK(tx_runs, nr_runs <= MAX_SKB_FRAGS ||
		       (s->desc.flags & EXO_TX_F_COPY)))
		return EXO_TX_BAD_DESC;
	return EXO_TX_BAD_NONE;
}

static void copy_piece(u8 *to, const struct exo_pages *pages, u64 offset,
		       u32 len)
{
	while (len) {
		u32 in_page = offset_in_page(offset);
		u32 n = min_t(u32, len, PAGE_SIZE - in_page);
		u8 *from = kmap_local_page(exo_pages_page(pages,
							  offset >> PAGE_SHIFT));

		memcpy(to, from + in_page, n);
		kunmap_local(from);
		to += n;
		offset += n;
		len -= n;
	}
}

static void copy_payload(struct sender *s, struct sk_buff *skb)
{
	u16 i;

	for (i = 0; i < s->desc.nr_frags; i++) {
		const struct exo_tx_frag *frag = &s->desc.frag[i];

		copy_piece(skb_put(skb, frag->len), s->frames[i]->pages,
			   frag->offset, frag->len);
	}
	exo_txdone_arm_copy(s->flow, skb);
}

static void refer_piece(struct sk_buff *skb, const struct exo_pages *pages,
			u64 offset, u32 len)
{
	u32 run_bytes = 1U << run_shift(pages);

	while (len) {
		struct page *run = pages->run[offset >> run_shift(pages)];
		u32 in_run = offset & (run_bytes - 1);
		u32 n = min(len, run_bytes - in_run);

		get_page(run);
		skb_fill_page_desc(skb, skb_shinfo(skb)->nr_frags, run, in_run,
				   n);
		offset += n;
		len -= n;
	}
}

/* The slot gets references of its own on the frames. */
static void refer_payload(struct sender *s, struct sk_buff *skb)
{
	struct exo_flow *flow = s->flow;
	struct exo_tx_slot *slot = &flow->slots[flow->tx_cons &
						(flow->nr_tx - 1)];
	u16 i;

	for (i = 0; i < s->desc.nr_frags; i++) {
		const struct exo_tx_frag *frag = &s->desc.frag[i];

		refer_piece(skb, s->frames[i]->pages, frag->offset, frag->len);
		exo_object_hold(&s->frames[i]->obj);
		slot->frames[i] = s->frames[i];
	}
	slot->nr_frames = s->desc.nr_frags;
	skb->len += s->payload;
	skb->data_len += s->payload;
	skb->truesize += s->payload;
	exo_txdone_arm_slot(slot, skb);
}

/* -------------------------------------------------------------- packet */

/*
 * Saves queue selection and fair queueing a look into the headers. One multiply:
 * all that depends on it is how evenly a user's own connections are spread.
 */
static u32 packet_hash(const struct iphdr *ip, const struct tcphdr *tcp,
		       const struct net *net)
{
	u64 ports = (__force u16)tcp->source | (__force u32)tcp->dest << 16;
	u64 addrs = (__force u32)ip->daddr ^
		    (u64)(__force u32)ip->saddr << 32;

	return hash_64((addrs ^ net_hash_mix(net)) * GOLDEN_RATIO_64 + ports,
		       32);
}

/* From here on nothing is refused: everything has been checked. */
static void set_checksums(struct sk_buff *skb)
{
	struct iphdr *ip = (struct iphdr *)(skb->data + ETH_HLEN);
	struct tcphdr *tcp = (struct tcphdr *)(skb->data + L4_OFFSET);

	ip->check = 0;
	ip->check = ip_fast_csum(ip, sizeof(*ip) / 4);
	tcp->check = ~csum_tcpudp_magic(ip->saddr, ip->daddr,
					skb->len - L4_OFFSET, IPPROTO_TCP, 0);
	skb->ip_summed = CHECKSUM_PARTIAL;
	skb->csum_start = skb_headroom(skb) + L4_OFFSET;
	skb->csum_offset = offsetof(struct tcphdr, check);
	__skb_set_sw_hash(skb, packet_hash(ip, tcp, dev_net(skb->dev)), true);
}

static void set_gso(const struct sender *s, struct sk_buff *skb)
{
	const struct tcphdr *tcp = (struct tcphdr *)(skb->data + L4_OFFSET);
	u32 bytes = skb->len - L4_OFFSET - tcp->doff * 4;

	/* No more than one segment: an ordinary packet */
	if (bytes <= s->desc.gso_size)
		return;
	skb_shinfo(skb)->gso_size = s->desc.gso_size;
	skb_shinfo(skb)->gso_segs = DIV_ROUND_UP(bytes, s->desc.gso_size);
	skb_shinfo(skb)->gso_type = SKB_GSO_TCPV4 |
				    (tcp->cwr ? SKB_GSO_TCP_ECN : 0);
}

static struct sk_buff *alloc_packet(const struct sender *s, u32 linear)
{
	u32 headroom = LL_RESERVED_SPACE(s->dev) - ETH_HLEN;
	struct sk_buff *skb;

	skb = alloc_skb(headroom + linear + s->dev->needed_tailroom,
			GFP_ATOMIC | __GFP_NOWARN);
	if (!skb)
		return NULL;
	/* The IP header comes to stand where stack and drivers want it */
	skb_reserve(skb, headroom);
	skb->dev = s->dev;
	skb->protocol = htons(ETH_P_IP);
	skb_reset_mac_header(skb);
	skb_set_network_header(skb, ETH_HLEN);
	skb_set_transport_header(skb, L4_OFFSET);
	return skb;
}

static struct sk_buff *build(struct sender *s)
{
	bool copy = (s->desc.flags & EXO_TX_F_COPY) || !s->payload;
	struct sk_buff *skb;

	skb = alloc_packet(s, s->desc.hdr_len + (copy ? s->payload : 0));
	if (!skb)
		return NULL;
	skb_put_data(skb, s->desc.hdr, s->desc.hdr_len);
	if (copy)
		copy_payload(s, skb);
	else
		refer_payload(s, skb);
	set_checksums(skb);
	if (s->desc.gso_size)
		set_gso(s, skb);
	return skb;
}

/* Sends s->desc. Return: EXO_TX_BAD_NONE, or why not. */
static u32 send(struct sender *s)
{
	struct exo_flow *flow = s->flow;
	struct sk_buff *skb;
	u32 reason;
	int rc;

	reason = check_headers(s);
	if (!reason)
		reason = get_frames(s);
	if (unlikely(reason))
		return reason;
	skb = build(s);
	if (!skb)
		return EXO_TX_NO_MEMORY;
	rc = dev_queue_xmit(skb);
	/* A macro that evaluates its argument twice */
	if (unlikely(net_xmit_eval(rc)))
		flow->tx_dropped++;
	else
		flow->tx_packets++;
	return EXO_TX_BAD_NONE;
}

/* ---------------------------------------------------------------- ring */

static int reason_errno(u32 reason)
{
	switch (reason) {
	case EXO_TX_BAD_NONE:
		return 0;
	case EXO_TX_BAD_MTU:
		return -EMSGSIZE;
	case EXO_TX_NO_MEMORY:
		return -ENOMEM;
	case EXO_TX_NO_DEVICE:
		return -ENETDOWN;
	default:
		return -EINVAL;
	}
}

/* Everything before the headers, then as much of them as there is. */
static void copy_desc(struct exo_tx_desc *to, const struct exo_tx_desc *shared)
{
	u32 bytes;

	memcpy(to, shared, offsetof(struct exo_tx_desc, hdr));
	/* The compiler must not read the shared one again for what follows. */
	barrier();
	bytes = to->hdr_len;
	if (!EXO_CHECK(tx_hdr_copy, bytes <= EXO_TX_HDR_BYTES))
		bytes = EXO_TX_HDR_BYTES;
	memcpy(to->hdr, shared->hdr, bytes);
	barrier();
}

/* Deal with the next descriptor; false if it has to wait, or the flow is dead. */
static bool take_desc(struct sender *s)
{
	struct exo_flow *flow = s->flow;
	u32 index = flow->tx_cons & (flow->nr_tx - 1);
	struct exo_tx_desc *shared = &flow->tx_ring[index];
	const struct exo_tx_slot *slot = &flow->slots[index];
	u32 reason;

	/* It may have died while the doorbell waited for tx_lock, or just now */
	if (!EXO_CHECK(tx_alive, exo_flow_alive(flow)))
		return false;
	/* Pairs with complete_slot() */
	if (!EXO_CHECK(tx_slot_free, !smp_load_acquire(&slot->busy)) ||
	    !EXO_CHECK(tx_in_flight,
		       refcount_read(&flow->tx_refs) <= flow->nr_tx))
		return false;
	copy_desc(&s->desc, shared);
	reason = send(s);
	if (unlikely(reason))
		flow->tx_refused++;
	WRITE_ONCE(shared->out_status, reason_errno(reason));
	WRITE_ONCE(shared->out_reason, reason);
	WRITE_ONCE(flow->tx_cons, flow->tx_cons + 1);
	return true;
}

/* The device, if packets can be sent now. */
static struct net_device *usable_dev(const struct exo_flow *flow)
{
	struct net_device *dev = rcu_dereference(flow->nd->dev);

	if (!dev || !netif_running(dev) || !netif_carrier_ok(dev))
		return NULL;
	return dev;
}

/* Up to nr descriptors. Return: how many were dealt with. */
static u32 send_batch(struct sender *s, u32 nr)
{
	u32 i;

	local_bh_disable();
	rcu_read_lock();
	s->dev = usable_dev(s->flow);
	for (i = 0; i < nr; i++)
		if (!take_desc(s))
			break;
	rcu_read_unlock();
	local_bh_enable();
	return i;
}

static void count(struct exo_flow *flow, u64 packets, u64 refused)
{
	struct exo_flow_ring *ring = flow->ring;

	WRITE_ONCE(ring->tx_packets, flow->tx_packets);
	WRITE_ONCE(ring->tx_refused, flow->tx_refused);
	WRITE_ONCE(ring->tx_dropped, flow->tx_dropped);
	this_cpu_add(flow->nd->counts->tx_packets, flow->tx_packets - packets);
	if (flow->tx_refused != refused)
		this_cpu_add(flow->nd->counts->tx_refused,
			     flow->tx_refused - refused);
}

static void send_all(struct exo_flow *flow, u32 nr)
{
	u64 packets = flow->tx_packets, refused = flow->tx_refused;
	struct sender s;
	u32 batch, sent;

	lockdep_assert_held(&flow->tx_lock);
	s.flow = flow;
	memset(s.frames, 0, sizeof(s.frames));
	do {
		batch = min_t(u32, nr, BATCH);
		nr -= batch;
		sent = send_batch(&s, batch);
		/* Others get a turn now, and may revoke what they lent. */
		put_frames(&s);
		cond_resched();
	} while (sent == batch && nr);
	exo_txdone_settle(flow);
	count(flow, packets, refused);
	/* (C), pairs with (D) */
	smp_store_release(&flow->ring->tx_cons, flow->tx_cons);
}

/**
 * exo_tx_flush() - send what stands in the transmit ring
 * @flow: the flow
 *
 * Stops early when as many packets are in flight as the ring has entries, and
 * before the first packet that finds the flow dead. An impossible tx_prod sends
 * what happens to stand in the ring, once around.
 *
 * Context: process, takes tx_lock. Return: descriptors dealt with.
 */
u32 exo_tx_flush(struct exo_flow *flow)
{
	u32 first, nr;

	if (READ_ONCE(flow->ring->tx_prod) == READ_ONCE(flow->tx_cons))
		return 0;
	mutex_lock(&flow->tx_lock);
	first = flow->tx_cons;
	/*
	 * (B), pairs with (A). Under the lock: what tx_prod was before, another
	 * doorbell may have left behind meanwhile.
	 */
	nr = smp_load_acquire(&flow->ring->tx_prod) - first;
	if (!EXO_CHECK(tx_prod, nr <= flow->nr_tx))
		nr = flow->nr_tx;
	if (nr && EXO_CHECK(tx_open, !flow->closed))
		send_all(flow, nr);
	nr = flow->tx_cons - first;
	mutex_unlock(&flow->tx_lock);
	return nr;
}
