/* SPDX-License-Identifier: GPL-2.0 */
/* Networking: what differs between kernels. */
#ifndef EXO_KMOD_COMPAT_NET_H
#define EXO_KMOD_COMPAT_NET_H

#include <linux/skbuff.h>
#include <linux/version.h>
#include <net/dst.h>
#include <net/inet_connection_sock.h>
#include <net/request_sock.h>
#include <net/sock.h>

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 10, 0)
#include <net/rstreason.h>
#endif

/* The callback moved from ubuf_info into a table of operations with 6.10. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 10, 0)
struct ubuf_info_ops {
	void (*complete)(struct sk_buff *skb, struct ubuf_info *ubuf,
			 bool zerocopy_success);
};
#endif

static inline void exo_ubuf_init(struct ubuf_info *ubuf,
				 const struct ubuf_info_ops *ops)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 10, 0)
	ubuf->ops = ops;
#else
	ubuf->callback = ops->complete;
#endif
	refcount_set(&ubuf->refcnt, 1);
	ubuf->flags = SKBFL_ZEROCOPY_FRAG;
}

/*
 * Answer a SYN to a listening socket as if the port were closed; the value is
 * what conn_request() returns. Up to 6.8 TCP itself resets when that is
 * negative, later it ignores the value and the callee has to send the reset.
 */
static inline int exo_refuse_syn(const struct sock *sk, struct sk_buff *skb)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 10, 0)
	sk->sk_prot->rsk_prot->send_reset(sk, skb, SK_RST_REASON_NO_SOCKET);
	return 0;
#else
	return -ECONNREFUSED;
#endif
}

/*
 * A handshake completes on a socket that does not want it. The route is the
 * operation's to keep or drop, also when it refuses; only an ACK with a SYN
 * cookie brings one. The operation got another argument in the middle of stable
 * series, so the version does not tell which of the two a kernel has; its table
 * does.
 */
static inline struct sock *
exo_refuse_child_6(const struct sock *sk, struct sk_buff *skb,
		   struct request_sock *req, struct dst_entry *dst,
		   struct request_sock *req_unhash, bool *own_req)
{
	dst_release(dst);
	*own_req = false;
	return NULL;
}

static inline struct sock *
exo_refuse_child_7(const struct sock *sk, struct sk_buff *skb,
		   struct request_sock *req, struct dst_entry *dst,
		   struct request_sock *req_unhash, bool *own_req,
		   void (*opt_child_init)(struct sock *newsk,
					  const struct sock *sk))
{
	dst_release(dst);
	*own_req = false;
	return NULL;
}

#define exo_refuse_child(af_ops)					\
	__builtin_choose_expr(						\
		__same_type((af_ops)->syn_recv_sock, &exo_refuse_child_7), \
		exo_refuse_child_7, exo_refuse_child_6)

#endif /* EXO_KMOD_COMPAT_NET_H */
