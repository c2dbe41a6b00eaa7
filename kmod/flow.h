/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Flow: a TCP port on a device, bound to a receive and a transmit ring.
 *
 * Locks: exo_net_lock binds and unbinds. rx_lock (BH) orders packets into the
 * receive ring; tx_lock serialises doorbells; done_lock (irq) guards what
 * completions share with them. They are taken one at a time.
 */
#ifndef EXO_KMOD_FLOW_H
#define EXO_KMOD_FLOW_H

#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>

#include <linux/exo.h>

#include "frame.h"
#include "netdev.h"
#include "object.h"
#include "reserve.h"

#define EXO_MIN_RX_BYTES	(256U << 10)
#define EXO_MAX_RX_BYTES	(64U << 20)
#define EXO_MAX_TX_ENTRIES	4096U

struct exo_tx_slot;

/**
 * struct exo_flow - a bound flow
 * @obj: head; one reference for the handle, one for @tx_refs
 * @hash: in the device's bucket, under RCU
 * @addr: local address, 0 for any
 * @port: local port
 * @dead: for good: device gone or reservation lost
 * @reserve: the socket that keeps the port
 * @nd: the attachment, one reference
 * @env: whose rings these are, one reference
 * @list: in the device's list of flows; empty if not bound
 * @pages: ring page, descriptors, receive ring
 * @ring: ring page, hostile
 * @tx_ring: descriptors, hostile
 * @rx_ring: receive ring
 * @rx_mask: its size in bytes - 1
 * @nr_tx: entries of the transmit ring
 * @rx_lock: guards the members up to @rx_local
 * @rx_prod: bytes produced
 * @rx_cons: the last @ring->rx_cons that was possible
 * @rx_packets: packets delivered
 * @rx_dropped: packets dropped
 * @rx_local: destination address
 * @napi_id: NAPI that delivered last
 * @tx_lock: guards the members up to @tx_local
 * @closed: no packet may be sent any more
 * @tx_cons: descriptors looked at
 * @tx_packets: packets handed to the device
 * @tx_refused: descriptors refused
 * @tx_dropped: packets dropped by the queueing discipline
 * @tx_local: source address
 * @tx_refs: 1 until closed, and the packets in flight
 * @slots: one a descriptor
 * @done_lock: guards @tx_done and @done_limit
 * @tx_done: descriptors done, all before it too
 * @done_limit: as far as @tx_done may go: descriptors settled by a doorbell
 * @rcu: the last steps of closing
 */
struct exo_flow {
	struct exo_object obj;
	struct hlist_node hash;
	__be32 addr;
	__be16 port;
	bool dead;
	struct exo_reserve reserve;
	struct exo_netdev *nd;
	struct exo_env *env;
	struct list_head list;
	struct exo_pages *pages;
	struct exo_flow_ring *ring;
	struct exo_tx_desc *tx_ring;
	u8 *rx_ring;
	u32 rx_mask;
	u32 nr_tx;

	/* Receive side, see above */
	spinlock_t rx_lock ____cacheline_aligned_in_smp;
	u32 rx_prod;
	u32 rx_cons;
	u64 rx_packets;
	u64 rx_dropped;
	struct exo_local rx_local;
	u32 napi_id;

	/* Transmit side */
	struct mutex tx_lock ____cacheline_aligned_in_smp;
	bool closed;
	u32 tx_cons;
	u64 tx_packets;
	u64 tx_refused;
	u64 tx_dropped;
	struct exo_local tx_local;

	/* Shared with completions */
	refcount_t tx_refs ____cacheline_aligned_in_smp;
	struct exo_tx_slot *slots;
	/* Irqs off: a completion may come in any context */
	spinlock_t done_lock;
	u32 tx_done;
	u32 done_limit;
	struct rcu_head rcu;
};

int exo_flow_init(void);
void exo_flow_exit(void);
void exo_flow_die(struct exo_flow *flow);
void __exo_flow_kill_all(struct exo_netdev *nd);

/* The bucket of a port; 4096 of them, so ports that differ by less don't meet. */
static inline struct hlist_head *exo_flow_bucket(struct exo_netdev *nd,
						 __be16 port)
{
	return &nd->buckets[ntohs(port) % EXO_PORT_BUCKETS];
}

/**
 * exo_flow_alive() - may packets pass through this flow?
 * @flow: the flow
 *
 * Notices and remembers a lost reservation.
 *
 * Context: any.
 */
static inline bool exo_flow_alive(struct exo_flow *flow)
{
	if (unlikely(READ_ONCE(flow->dead)))
		return false;
	if (likely(exo_reserve_valid(&flow->reserve)))
		return true;
	exo_flow_die(flow);
	return false;
}

/**
 * exo_flow_unconsumed() - is there anything in the receive ring?
 * @flow: the flow
 *
 * Context: any.
 */
static inline bool exo_flow_unconsumed(const struct exo_flow *flow)
{
	return READ_ONCE(flow->rx_prod) != READ_ONCE(flow->ring->rx_cons);
}

#endif /* EXO_KMOD_FLOW_H */
