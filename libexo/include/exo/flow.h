/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Flows: a TCP port of one device as a pair of rings shared with the module.
 *
 * Receive: exo_flow_rx_peek() until NULL, then exo_flow_rx_release() once.
 * Transmit: exo_flow_tx_reserve() until done (or NULL: full),
 * exo_flow_tx_submit() once, exo_flow_kick() once a batch. A frame named by a
 * descriptor may change again when exo_flow_tx_done() has passed it.
 *
 * One thread uses a flow at a time; different flows need no lock. The functions
 * below are the hot path and make no system call; those of flow.c do.
 *
 *	module				library
 *	write record			load rx_prod	  acquire (B)
 *	store rx_prod	release (A)	read records
 *	load rx_cons	acquire (D)	store rx_cons	  release (C)
 *	overwrite records
 *
 *	load tx_prod	acquire (F)	write descriptors
 *	read descriptors		store tx_prod	  release (E)
 *	store tx_cons	release (G)	load tx_cons	  acquire (H)
 *	drop frames			write descriptors
 *	store tx_done	release (I)	load tx_done	  acquire (J)
 *					write frames
 */
#ifndef EXO_FLOW_H
#define EXO_FLOW_H

#include <stddef.h>
#include <linux/exo.h>

#ifdef __cplusplus
extern "C" {
#endif

struct exo_env;

/**
 * struct exo_flow - a bound flow
 * @ring: the shared indices
 * @rx: the receive ring, @rx_mask + 1 bytes
 * @tx: the descriptors, @tx_mask + 1 of them
 * @rx_mask: size of the receive ring minus one
 * @tx_mask: number of descriptors minus one
 * @rx_pos: bytes peeked, free running; at or ahead of ring->rx_cons
 * @rx_prod: last value seen of ring->rx_prod
 * @tx_pos: descriptors reserved, free running; at or ahead of ring->tx_prod
 * @tx_cons: last value seen of ring->tx_cons
 * @handle: handle of the flow
 * @ifindex: the device
 * @mtu: of the device when it was bound, bytes
 * @gso_max_bytes: largest GSO packet, headers included
 * @local_addr: address the flow is bound to, network byte order, 0: any
 * @local_port: network byte order
 * @mac: of the device
 * @env: where it was bound
 * @map: the mapping
 * @map_bytes: its length
 *
 * All members are for reading only.
 */
struct exo_flow {
	struct exo_flow_ring *ring;
	__u8 *rx;
	struct exo_tx_desc *tx;
	__u32 rx_mask;
	__u32 tx_mask;
	__u32 rx_pos;
	__u32 rx_prod;
	__u32 tx_pos;
	__u32 tx_cons;
	__u32 handle;
	__u32 ifindex;
	__u32 mtu;
	__u32 gso_max_bytes;
	__u32 local_addr;
	__u16 local_port;
	__u8 mac[6];
	struct exo_env *env;
	void *map;
	size_t map_bytes;
};

/**
 * struct exo_flow_counters - what the module counted on a flow
 * @rx_packets: packets delivered
 * @rx_dropped: packets dropped because the receive ring was full
 * @tx_packets: packets handed to the device, a GSO packet counted once
 * @tx_refused: descriptors refused by the module's checks
 * @tx_dropped: packets dropped by the queueing discipline or the driver
 */
struct exo_flow_counters {
	__u64 rx_packets;
	__u64 rx_dropped;
	__u64 tx_packets;
	__u64 tx_refused;
	__u64 tx_dropped;
};

/**
 * exo_flow_bind() - claim the TCP port of a listening socket on a device
 * @env: the env that will hold the flow; must outlive it
 * @sock_fd: IPv4 TCP socket, bound and listening, without SO_REUSEADDR and
 *           SO_REUSEPORT; must stay open while the flow lives
 * @ifindex: an attached device
 * @rx_bytes: size of the receive ring, power of two, 256 KiB or more
 * @nr_tx: descriptors of the transmit ring, power of two
 * @out: the flow; given back by exo_flow_unbind()
 *
 * Return: 0, -ENOMEM, or an error of EXO_CMD_FLOW_BIND.
 */
int exo_flow_bind(struct exo_env *env, int sock_fd, __u32 ifindex,
		  __u32 rx_bytes, __u32 nr_tx, struct exo_flow **out);

/**
 * exo_flow_unbind() - give the flow back
 * @flow: the flow or NULL; frames named by submitted descriptors stay in use
 *        by the module until it has sent them
 */
void exo_flow_unbind(struct exo_flow *flow);

/**
 * exo_flow_kick() - ring the doorbell
 * @flow: the flow
 * @flags: EXO_FLOW_KICK_*: 0 sends what was submitted, _BUSY_POLL polls the
 *         device too, _WAIT sleeps until something arrives in the env
 * @timeout_ns: longest sleep, 0 for no limit
 *
 * Return: number of descriptors taken; -ETIME nothing came in time, -EINTR,
 * -ESTALE the flow is dead (the reservation or the device is gone).
 */
int exo_flow_kick(struct exo_flow *flow, __u32 flags, __u64 timeout_ns);

/**
 * exo_flow_counters() - read the module's counters
 * @flow: the flow
 * @out: the counters; a snapshot of each, not of all at one instant
 */
void exo_flow_counters(const struct exo_flow *flow,
		       struct exo_flow_counters *out);

/* The module has unbound the flow: nothing arrives any more. */
static inline int exo_flow_is_dead(const struct exo_flow *flow)
{
	return !!(__atomic_load_n(&flow->ring->flags, __ATOMIC_RELAXED) &
		  EXO_FLOW_DEAD);
}

/**
 * exo_flow_rx_peek() - the next packet of the receive ring
 * @flow: the flow
 *
 * Records stay where they are until exo_flow_rx_release().
 *
 * Return: the record, its packet being at exo_flow_rx_packet(); NULL when there
 * is none.
 */
static inline const struct exo_rx_record *exo_flow_rx_peek(struct exo_flow *flow)
{
	const struct exo_rx_record *rec;
	__u32 at;

	for (;;) {
		if (flow->rx_pos == flow->rx_prod) {
			/* (B) pairs with (A): the records are read after it. */
			flow->rx_prod = __atomic_load_n(&flow->ring->rx_prod,
							__ATOMIC_ACQUIRE);
			if (flow->rx_pos == flow->rx_prod)
				return NULL;
		}
		at = flow->rx_pos & flow->rx_mask;
		rec = (const struct exo_rx_record *)(flow->rx + at);
		if (__builtin_expect(!(rec->flags & EXO_RX_F_WRAP), 1))
			break;
		flow->rx_pos += flow->rx_mask + 1 - at;
	}
	flow->rx_pos += (EXO_RX_DATA_OFFSET + rec->len + EXO_RX_ALIGN_BYTES - 1) &
			~(EXO_RX_ALIGN_BYTES - 1U);
	return rec;
}

/* First byte (of the Ethernet header) of a record's packet, rec->len long. */
static inline const __u8 *exo_flow_rx_packet(const struct exo_rx_record *rec)
{
	return (const __u8 *)rec + EXO_RX_DATA_OFFSET;
}

/* Give the room of all records peeked so far back to the module. */
static inline void exo_flow_rx_release(struct exo_flow *flow)
{
	/* (C) pairs with (D): what was read is not overwritten before. */
	__atomic_store_n(&flow->ring->rx_cons, flow->rx_pos, __ATOMIC_RELEASE);
}

/**
 * exo_flow_tx_reserve() - a descriptor to fill in
 * @flow: the flow
 *
 * Its reserved members are zero and stay so; the caller writes flags, hdr_len,
 * gso_size, nr_frags, that many of frag[], and hdr.
 *
 * Return: the descriptor, to be published by exo_flow_tx_submit(); NULL when
 * the ring is full (exo_flow_kick() makes room).
 */
static inline struct exo_tx_desc *exo_flow_tx_reserve(struct exo_flow *flow)
{
	if (flow->tx_pos - flow->tx_cons > flow->tx_mask) {
		/* (H) pairs with (G): the module has copied the descriptor. */
		flow->tx_cons = __atomic_load_n(&flow->ring->tx_cons,
						__ATOMIC_ACQUIRE);
		if (flow->tx_pos - flow->tx_cons > flow->tx_mask)
			return NULL;
	}
	return &flow->tx[flow->tx_pos++ & flow->tx_mask];
}

/**
 * exo_flow_tx_submit() - publish all descriptors reserved so far
 * @flow: the flow
 *
 * Return: free-running number of descriptors published; when
 * exo_flow_tx_done() has reached it, none of their frames is referred to.
 */
static inline __u32 exo_flow_tx_submit(struct exo_flow *flow)
{
	/* (E) pairs with (F): the descriptors are whole when they show. */
	__atomic_store_n(&flow->ring->tx_prod, flow->tx_pos, __ATOMIC_RELEASE);
	return flow->tx_pos;
}

/* Free-running number of descriptors whose frames are free again. */
static inline __u32 exo_flow_tx_done(const struct exo_flow *flow)
{
	/* (J) pairs with (I): the device has read the frames before. */
	return __atomic_load_n(&flow->ring->tx_done, __ATOMIC_ACQUIRE);
}

#ifdef __cplusplus
}
#endif

#endif /* EXO_FLOW_H */
