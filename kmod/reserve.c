// SPDX-License-Identifier: GPL-2.0
/*
 * Reservation: why a flow needs a listening socket, and how that is made
 * exclusive.
 *
 * A port belongs to whoever Linux gave it to. A socket that is merely bound is
 * no proof: with SO_REUSEADDR on both, another user's socket may join it later,
 * and SOL_SOCKET options cannot be intercepted. A *listening* socket conflicts
 * with every other one, except for SO_REUSEPORT of the same user, whatever is
 * set later. So EADDRINUSE, privileged ports and security modules work as for
 * any server, and ss(8) shows the port.
 *
 * Three things are done to the socket while a flow has it:
 * - Its connection operations are a copy that refuses, so that a SYN which
 *   arrives at a device without the flow gets the reset of a closed port,
 *   rather than a connection that nobody accepts.
 * - It carries an upper layer protocol (ULP) without a clone operation. TCP
 *   then refuses listen(), so a socket that left LISTEN (shutdown(), connect()
 *   to AF_UNSPEC) cannot come back, perhaps with another port; nor can another
 *   ULP, a sockmap or SMC replace operations under us.
 * - A wait queue entry hears of the socket leaving LISTEN, so that a sleeping
 *   library learns of it. Correctness does not rest on it: every packet and
 *   every doorbell looks at the state.
 *
 * Before that TCP's own bind check runs again. It covers what bind() let pass
 * with SO_REUSEADDR on: connections that an earlier server of perhaps another
 * user still has on this port, whose packets the flow would take.
 */
#include <linux/net.h>
#include <linux/netdevice.h>
#include <net/l3mdev.h>
#include <net/tcp.h>

#include "check.h"
#include "compat/net.h"
#include "reserve.h"

/* SYNs are handled without the socket's lock, under RCU, with BH disabled. */
static int refuse_request(struct sock *sk, struct sk_buff *skb)
{
	return exo_refuse_syn(sk, skb);
}

/* TCP over IPv4 has one table of operations; one copy serves all sockets. */
static const struct inet_connection_sock_af_ops *tcp_af_ops;
static struct inet_connection_sock_af_ops refusing_af_ops;

static struct tcp_ulp_ops reserve_ulp = {
	.name	= "exo",
	.owner	= THIS_MODULE,
};

static int on_wake(wait_queue_entry_t *wait, unsigned int mode, int sync,
		   void *key)
{
	struct exo_reserve *r = container_of(wait, struct exo_reserve, wait);

	if (READ_ONCE(r->sk->sk_state) != TCP_LISTEN)
		r->lost(r);
	return 0;
}

static int check_socket(const struct socket *sock, const struct net *net)
{
	const struct sock *sk = sock->sk;

	/* TCP over IPv4 that MPTCP, SMC, TLS or a sockmap has not taken over */
	if (!EXO_CHECK(sock_prot, sk->sk_prot == &tcp_prot))
		return -EINVAL;
	return EXO_CHECK(sock_net, net_eq(sock_net(sk), net)) ? 0 : -EXDEV;
}

/**
 * exo_reserve_get() - look a socket up
 * @r: zeroed; filled in, except for @lost. The port may still change
 * @fd: the caller's file descriptor, unchecked
 * @net: namespace it must belong to
 * @ifindex: device the flow is to be bound on
 *
 * Context: sleeps. Return: 0, undone by exo_reserve_put(), then
 * exo_reserve_free(); after an error these do nothing. -EBADF no socket;
 * -EINVAL not TCP over IPv4; -EXDEV another namespace.
 */
int exo_reserve_get(struct exo_reserve *r, int fd, const struct net *net,
		    int ifindex)
{
	int rc;

	r->sock = sockfd_lookup(fd, &rc);
	if (!r->sock)
		return -EBADF;
	rc = check_socket(r->sock, net);
	if (rc) {
		sockfd_put(r->sock);
		r->sock = NULL;
		return rc;
	}
	r->sk = r->sock->sk;
	sock_hold(r->sk);
	r->ifindex = ifindex;
	r->port = htons(READ_ONCE(inet_sk(r->sk)->inet_num));
	return 0;
}

/*
 * As Linux decides whether a packet of the device is for the socket: if it is
 * bound to no device, it is not if the device is a port of a VRF. The port may
 * be another user's there.
 */
static bool hears_device(const struct exo_reserve *r)
{
	struct net *net = sock_net(r->sk);
	bool in_vrf = l3mdev_master_ifindex_by_index(net, r->ifindex);

	return inet_sk_bound_dev_eq(net, READ_ONCE(r->sk->sk_bound_dev_if),
				    r->ifindex, in_vrf ? r->ifindex : 0);
}

static int check_listening(const struct exo_reserve *r)
{
	struct sock *sk = r->sk;

	if (!EXO_CHECK(sock_reserved,
		       inet_csk(sk)->icsk_ulp_ops != &reserve_ulp))
		return -EEXIST;
	if (!EXO_CHECK(sock_ulp, !inet_csk_has_ulp(sk)) ||
	    !EXO_CHECK(sock_ops, inet_csk(sk)->icsk_af_ops == tcp_af_ops))
		return -EINVAL;
	if (!EXO_CHECK(sock_reuse, !sk->sk_reuse) ||
	    !EXO_CHECK(sock_reuseport, !sk->sk_reuseport) ||
	    !EXO_CHECK(sock_valid, exo_reserve_valid(r)))
		return -EINVAL;
	if (!EXO_CHECK(sock_vrf, hears_device(r)))
		return -EINVAL;
	/* Bound to a device of a VRF since: the check by TCP would be confused */
	if (!EXO_CHECK(sock_l3mdev, inet_csk(sk)->icsk_bind_hash->l3mdev ==
		       inet_sk_bound_l3mdev(sk)))
		return -EINVAL;
	return 0;
}

/* Under the socket's lock: refuse from now on, wait for SYNs being handled. */
static void refuse(struct exo_reserve *r)
{
	struct inet_connection_sock *icsk = inet_csk(r->sk);

	WRITE_ONCE(icsk->icsk_af_ops, &refusing_af_ops);
	/*
	 * A child being made on another CPU copies the ULP, calling a clone
	 * operation that ours does not have: set it only after they are done.
	 */
	synchronize_rcu_expedited();
}

static int take(struct exo_reserve *r)
{
	struct sock *sk = r->sk;

	if (!EXO_CHECK(sock_queue,
		       reqsk_queue_empty(&inet_csk(sk)->icsk_accept_queue)))
		return -EBUSY;
	/* As listen() does, but now with SO_REUSEADDR known to be off */
	if (!EXO_CHECK(sock_port,
		       !sk->sk_prot->get_port(sk, inet_sk(sk)->inet_num)))
		return -EADDRINUSE;
	r->addr = inet_sk(sk)->inet_rcv_saddr;
	r->port = htons(inet_sk(sk)->inet_num);
	WRITE_ONCE(inet_csk(sk)->icsk_ulp_ops, &reserve_ulp);
	return 0;
}

/**
 * exo_reserve_claim() - make the socket keep its port for a flow alone
 * @r: from exo_reserve_get(), with @lost set; address and port are filled in
 *
 * Context: sleeps; takes the socket's lock, so none that is taken under it
 * (rtnl is) may be held. Return: 0; -EINVAL not listening, reuse on, an ULP
 * set, bound to another device, its port not of the device's VRF; -EEXIST
 * another flow has the socket; -EBUSY connections wait to be accepted;
 * -EADDRINUSE other sockets, connections or TIME_WAIT entries are on the port.
 */
int exo_reserve_claim(struct exo_reserve *r)
{
	struct sock *sk = r->sk;
	int rc;

	lock_sock(sk);
	rc = check_listening(r);
	if (rc)
		goto out;
	refuse(r);
	rc = take(r);
	if (rc) {
		WRITE_ONCE(inet_csk(sk)->icsk_af_ops, tcp_af_ops);
		goto out;
	}
	init_waitqueue_func_entry(&r->wait, on_wake);
	add_wait_queue(sk_sleep(sk), &r->wait);
	r->claimed = true;
out:
	release_sock(sk);
	return rc;
}

/**
 * exo_reserve_put() - give the socket back as it was
 * @r: from exo_reserve_get(), claimed or not; a second call does nothing
 *
 * Other CPUs may still run the refusing operations for a moment: they touch
 * the socket only, and the module's text stays until an RCU grace period
 * after (exo_net_exit()).
 *
 * Context: sleeps; takes the socket's lock.
 */
void exo_reserve_put(struct exo_reserve *r)
{
	struct sock *sk = r->sk;

	if (!r->sock)
		return;
	if (r->claimed) {
		remove_wait_queue(sk_sleep(sk), &r->wait);
		lock_sock(sk);
		WRITE_ONCE(inet_csk(sk)->icsk_ulp_ops, NULL);
		WRITE_ONCE(inet_csk(sk)->icsk_af_ops, tcp_af_ops);
		release_sock(sk);
	}
	sockfd_put(r->sock);
	r->sock = NULL;
}

/**
 * exo_reserve_free() - forget the socket
 * @r: after exo_reserve_put(), when nobody can call exo_reserve_valid() any more
 *
 * Context: any.
 */
void exo_reserve_free(struct exo_reserve *r)
{
	if (r->sk)
		sock_put(r->sk);
	r->sk = NULL;
}

/**
 * exo_reserve_init() - copy TCP's table of operations
 *
 * The table is not exported by every kernel, but each socket points to it.
 *
 * Context: module load. Return: 0, or what making a socket returns.
 */
int exo_reserve_init(void)
{
	struct socket *sock;
	int rc;

	rc = sock_create_kern(&init_net, AF_INET, SOCK_STREAM, IPPROTO_TCP,
			      &sock);
	if (rc)
		return rc;
	tcp_af_ops = inet_csk(sock->sk)->icsk_af_ops;
	sock_release(sock);
	refusing_af_ops = *tcp_af_ops;
	refusing_af_ops.conn_request = refuse_request;
	/* Handshakes that began before the reservation end there too */
	refusing_af_ops.syn_recv_sock = exo_refuse_child(&refusing_af_ops);
	return 0;
}
