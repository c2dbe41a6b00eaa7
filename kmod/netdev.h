/* SPDX-License-Identifier: GPL-2.0 */
/* Netdev: an attached device, who may use it, the flows on it. */
#ifndef EXO_KMOD_NETDEV_H
#define EXO_KMOD_NETDEV_H

#include <linux/inetdevice.h>
#include <linux/jiffies.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/netdevice.h>
#include <linux/uidgid.h>

#include "check.h"
#include "env.h"

/* Flows of a device hang in buckets by port: flat cost, few in a bucket. */
#define EXO_PORT_BUCKETS	4096

/**
 * struct exo_net_counts - what a device counts, one copy a CPU
 * @rx_claimed: packets given to flows
 * @rx_passed: packets passed on to Linux
 * @rx_dropped: packets of flows dropped, the ring being full
 * @tx_packets: packets sent
 * @tx_refused: descriptors refused
 */
struct exo_net_counts {
	u64 rx_claimed;
	u64 rx_passed;
	u64 rx_dropped;
	u64 tx_packets;
	u64 tx_refused;
};

/**
 * struct exo_netdev - an attached device
 * @refs: the attachment and every flow that was bound on it
 * @dev: the device; NULL once detached or gone
 * @tracker: of the reference on it
 * @ifindex: its index
 * @net: its namespace, held by @dev as long as that is set
 * @list: in the list of attached devices
 * @flows: bound flows
 * @nr_flows: how many
 * @grants: who may bind which ports
 * @counts: per CPU
 * @buckets: flows by port, under RCU
 */
struct exo_netdev {
	struct kref refs;
	struct net_device __rcu *dev;
	netdevice_tracker tracker;
	int ifindex;
	struct net *net;
	struct list_head list;
	struct list_head flows;
	u32 nr_flows;
	struct list_head grants;
	struct exo_net_counts __percpu *counts;
	struct hlist_head buckets[EXO_PORT_BUCKETS];
};

/*
 * Guards the list of devices, their grants and flows. Taken inside rtnl (the
 * notifier holds that); a socket's lock is never taken inside it, for rtnl is
 * taken inside those.
 */
extern struct mutex exo_net_lock;

struct exo_netdev *__exo_netdev_find(const struct net *net, int ifindex);
void exo_netdev_put(struct exo_netdev *nd);

bool __exo_netgrant_covers(const struct exo_netdev *nd, kuid_t uid, u16 port);
void exo_netgrant_free(struct exo_netdev *nd);

/**
 * struct exo_local - the local address that was looked up last
 * @addr: the address
 * @generation: of the addresses when it was looked up
 * @until: jiffies; routes of type local can change without an address doing so
 */
struct exo_local {
	__be32 addr;
	int generation;
	unsigned long until;
};

extern atomic_t exo_addr_generation;

bool exo_local_lookup(struct exo_local *cache, const struct net_device *dev,
		      __be32 addr);

/**
 * exo_local() - is this an address of the namespace at this moment?
 * @cache: guarded by the caller
 * @dev: an attached device
 * @addr: the address; loopback addresses are not taken, since they must not
 *        be seen on a wire
 *
 * A change of addresses counts at once, one of routes alone within 20 ms.
 *
 * Context: RCU read side, does not sleep.
 */
static inline bool exo_local(struct exo_local *cache,
			     const struct net_device *dev, __be32 addr)
{
	if (likely(EXO_CHECK(local_addr, cache->addr == addr) &&
		   EXO_CHECK(local_generation, cache->generation ==
			     atomic_read(&exo_addr_generation)) &&
		   EXO_CHECK(local_until, time_before(jiffies, cache->until))))
		return true;
	return exo_local_lookup(cache, dev, addr);
}

#endif /* EXO_KMOD_NETDEV_H */
