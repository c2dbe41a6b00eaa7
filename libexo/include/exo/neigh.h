/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Next hops: which MAC address a packet for an IPv4 destination goes to.
 *
 * Linux owns routes and neighbours; this asks it (libnl) and keeps the answers
 * until Linux says that something changed. No privilege is needed. Not for the
 * packet path: callers keep the MAC address and ask again when
 * exo_neigh_generation() has moved.
 */
#ifndef EXO_NEIGH_H
#define EXO_NEIGH_H

#include <linux/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct exo_neigh;

/**
 * exo_neigh_open() - begin to watch routes and neighbours
 * @ifindex: the device that packets will leave by
 * @out: the context, for one thread
 *
 * Return: 0, -ENOMEM, or what netlink said.
 */
int exo_neigh_open(__u32 ifindex, struct exo_neigh **out);

/* Release the context; NULL is allowed. */
void exo_neigh_close(struct exo_neigh *neigh);

/**
 * exo_neigh_fd() - what to poll
 * @neigh: the context
 *
 * Return: an fd; when it is readable, call exo_neigh_process().
 */
int exo_neigh_fd(const struct exo_neigh *neigh);

/**
 * exo_neigh_process() - take in changes, without blocking
 * @neigh: the context
 *
 * Return: 0, or what netlink said; lost messages are made up for by forgetting
 * everything and are no error.
 */
int exo_neigh_process(struct exo_neigh *neigh);

/**
 * exo_neigh_generation() - moves whenever an earlier answer may be out of date
 * @neigh: the context
 *
 * Return: a number that only exo_neigh_process() changes.
 */
__u32 exo_neigh_generation(const struct exo_neigh *neigh);

/**
 * exo_neigh_lookup() - the MAC address for a destination
 * @neigh: the context
 * @saddr: source address, network byte order
 * @daddr: destination address, network byte order
 * @mac: the next hop's MAC address, when 0 is returned
 * @mtu: MTU of the route, bytes, 0 if the route names none; written when 0 or
 *       -EAGAIN is returned
 *
 * Return: 0; -EAGAIN Linux does not know the next hop's MAC address and has
 * been asked to find it (the generation moves when it has); -EXDEV the route
 * leaves by another device; -ENETUNREACH, -EHOSTUNREACH no route, or the next
 * hop does not answer; -ENOMEM.
 */
int exo_neigh_lookup(struct exo_neigh *neigh, __u32 saddr, __u32 daddr,
		     __u8 mac[6], __u32 *mtu);

#ifdef __cplusplus
}
#endif

#endif /* EXO_NEIGH_H */
