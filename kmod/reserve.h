/* SPDX-License-Identifier: GPL-2.0 */
/* Reservation: a listening socket that keeps a TCP port for a flow. */
#ifndef EXO_KMOD_RESERVE_H
#define EXO_KMOD_RESERVE_H

#include <linux/wait.h>
#include <net/inet_connection_sock.h>
#include <net/sock.h>

#include "check.h"

struct net;
struct socket;

/**
 * struct exo_reserve - a socket held by a flow
 * @sock: the socket; a reference on its file
 * @sk: its protocol side; a reference that outlasts the one on the file, for
 *      those who still look at it while the flow is being closed
 * @ifindex: device the flow is bound on
 * @addr: local address, 0 for any
 * @port: local port
 * @wait: notices when the socket leaves LISTEN
 * @lost: called then, from any context
 * @claimed: the socket is exclusive now
 */
struct exo_reserve {
	struct socket *sock;
	struct sock *sk;
	int ifindex;
	__be32 addr;
	__be16 port;
	wait_queue_entry_t wait;
	void (*lost)(struct exo_reserve *r);
	bool claimed;
};

int exo_reserve_init(void);
int exo_reserve_get(struct exo_reserve *r, int fd, const struct net *net,
		    int ifindex);
int exo_reserve_claim(struct exo_reserve *r);
void exo_reserve_put(struct exo_reserve *r);
void exo_reserve_free(struct exo_reserve *r);

/**
 * exo_reserve_valid() - does the socket still keep the port?
 * @r: a claimed reservation
 *
 * Once false for leaving LISTEN it stays false: exo_reserve_claim() sees to it
 * that the socket cannot listen again.
 *
 * Context: any.
 */
static inline bool exo_reserve_valid(const struct exo_reserve *r)
{
	int dev = READ_ONCE(r->sk->sk_bound_dev_if);

	return EXO_CHECK(sock_listens,
			 READ_ONCE(r->sk->sk_state) == TCP_LISTEN) &&
	       EXO_CHECK(sock_device, !dev || dev == r->ifindex);
}

#endif /* EXO_KMOD_RESERVE_H */
