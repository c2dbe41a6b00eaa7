// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Next hops by libnl: a look-up asks the kernel for the route (so that rules,
 * multipath and metrics count) and for the neighbour entry; a second socket
 * listens for changes. What was answered is remembered only to tell which
 * changes matter: a neighbour entry that goes from REACHABLE to STALE and back
 * is none.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/route/neighbour.h>
#include <netlink/route/route.h>
#include <exo/neigh.h>

#define NR_HOPS		4096	/* remembered; then all are forgotten */
#define NR_BUCKETS	256
#define MAC_BYTES	6
#define DISCARD_PORT	9	/* RFC 863 */

struct hop {
	struct hop *next;
	__be32 addr;
	__u8 mac[MAC_BYTES];
	bool is_known;
};

struct exo_neigh {
	struct nl_sock *ask;
	struct nl_sock *watch;
	int udp_fd;
	__u32 ifindex;
	__u32 generation;
	__u32 nr_hops;
	struct hop *bucket[NR_BUCKETS];
};

/* What the kernel answered to one question. */
struct answer {
	int rc;
	struct nl_object *obj;
};

static int nl_rc(int err)
{
	switch (err) {
	case -NLE_NOMEM:
		return -ENOMEM;
	case -NLE_PERM:
		return -EPERM;
	case -NLE_AGAIN:
		return -EAGAIN;
	case -NLE_MSG_OVERFLOW:
	case -NLE_DUMP_INTR:
		return -ENOBUFS;
	default:
		return err < 0 ? -EIO : 0;
	}
}

static struct hop **hop_slot(struct exo_neigh *neigh, __be32 addr)
{
	struct hop **at = &neigh->bucket[(ntohl(addr) ^ ntohl(addr) >> 8) %
					 NR_BUCKETS];

	while (*at && (*at)->addr != addr)
		at = &(*at)->next;
	return at;
}

static void forget_hops(struct exo_neigh *neigh)
{
	struct hop *hop;
	unsigned int i;

	for (i = 0; i < NR_BUCKETS; i++) {
		while ((hop = neigh->bucket[i]) != NULL) {
			neigh->bucket[i] = hop->next;
			free(hop);
		}
	}
	neigh->nr_hops = 0;
}

static int remember_hop(struct exo_neigh *neigh, __be32 addr, const __u8 *mac)
{
	struct hop **at = hop_slot(neigh, addr), *hop = *at;

	if (!hop) {
		if (neigh->nr_hops == NR_HOPS) {
			forget_hops(neigh);
			neigh->generation++;
			at = hop_slot(neigh, addr);
		}
		hop = calloc(1, sizeof(*hop));
		if (!hop)
			return -ENOMEM;
		hop->addr = addr;
		*at = hop;
		neigh->nr_hops++;
	}
	hop->is_known = mac;
	if (mac)
		memcpy(hop->mac, mac, MAC_BYTES);
	return 0;
}

static int take_object(struct nl_object *obj, struct answer *answer)
{
	if (!answer->obj) {
		nl_object_get(obj);
		answer->obj = obj;
	}
	return NL_OK;
}

static void parsed(struct nl_object *obj, void *arg)
{
	take_object(obj, arg);
}

static int on_valid(struct nl_msg *msg, void *arg)
{
	struct answer *answer = arg;

	if (nl_msg_parse(msg, parsed, answer) < 0 && !answer->rc)
		answer->rc = -EPROTO;
	return NL_STOP;
}

static int on_error(struct sockaddr_nl *who, struct nlmsgerr *err, void *arg)
{
	struct answer *answer = arg;

	(void)who;
	answer->rc = err->error;
	return NL_STOP;
}

/* One question, one answer. Takes @msg. */
static int ask(struct exo_neigh *neigh, struct nl_msg *msg,
	       struct answer *answer)
{
	struct nl_cb *cb = nl_cb_alloc(NL_CB_DEFAULT);
	int rc;

	if (!cb) {
		nlmsg_free(msg);
		return -ENOMEM;
	}
	nl_cb_set(cb, NL_CB_VALID, NL_CB_CUSTOM, on_valid, answer);
	nl_cb_err(cb, NL_CB_CUSTOM, on_error, answer);
	rc = nl_send_auto(neigh->ask, msg);
	nlmsg_free(msg);
	if (rc >= 0)
		rc = nl_recvmsgs(neigh->ask, cb);
	nl_cb_put(cb);
	if (answer->rc < 0)
		return answer->rc;
	if (!answer->obj)
		return rc < 0 ? nl_rc(rc) : -ENOENT;
	return 0;
}

static struct nl_msg *route_question(__be32 saddr, __be32 daddr)
{
	struct rtmsg rtm = {
		.rtm_family = AF_INET,
		.rtm_dst_len = 32,
		.rtm_src_len = 32,
	};
	struct nl_msg *msg = nlmsg_alloc_simple(RTM_GETROUTE, NLM_F_REQUEST);

	if (!msg)
		return NULL;
	if (nlmsg_append(msg, &rtm, sizeof(rtm), NLMSG_ALIGNTO) < 0 ||
	    nla_put_u32(msg, RTA_DST, daddr) < 0 ||
	    nla_put_u32(msg, RTA_SRC, saddr) < 0) {
		nlmsg_free(msg);
		return NULL;
	}
	return msg;
}

static struct nl_msg *neigh_question(__u32 ifindex, __be32 addr)
{
	struct ndmsg ndm = {
		.ndm_family = AF_INET,
		.ndm_ifindex = ifindex,
	};
	struct nl_msg *msg = nlmsg_alloc_simple(RTM_GETNEIGH, NLM_F_REQUEST);

	if (!msg)
		return NULL;
	if (nlmsg_append(msg, &ndm, sizeof(ndm), NLMSG_ALIGNTO) < 0 ||
	    nla_put_u32(msg, NDA_DST, addr) < 0) {
		nlmsg_free(msg);
		return NULL;
	}
	return msg;
}

/* The address to resolve for @daddr: the gateway, or @daddr itself. */
static int route_next_hop(const struct exo_neigh *neigh,
			  struct rtnl_route *route, __be32 daddr, __be32 *hop)
{
	struct rtnl_nexthop *nh = rtnl_route_nexthop_n(route, 0);
	struct nl_addr *gateway;

	if (rtnl_route_get_type(route) != RTN_UNICAST || !nh)
		return -ENETUNREACH;
	if ((__u32)rtnl_route_nh_get_ifindex(nh) != neigh->ifindex)
		return -EXDEV;
	*hop = daddr;
	gateway = rtnl_route_nh_get_gateway(nh);
	if (!gateway)
		return rtnl_route_nh_get_via(nh) ? -ENETUNREACH : 0;
	if (nl_addr_get_len(gateway) != sizeof(*hop))
		return -ENETUNREACH;
	memcpy(hop, nl_addr_get_binary_addr(gateway), sizeof(*hop));
	return 0;
}

static int ask_route(struct exo_neigh *neigh, __be32 saddr, __be32 daddr,
		     __be32 *hop, __u32 *mtu)
{
	struct nl_msg *msg = route_question(saddr, daddr);
	struct answer answer = { 0 };
	struct rtnl_route *route;
	int rc;

	if (!msg)
		return -ENOMEM;
	rc = ask(neigh, msg, &answer);
	route = (struct rtnl_route *)answer.obj;
	if (rc == 0)
		rc = route_next_hop(neigh, route, daddr, hop);
	*mtu = 0;
	if (rc == 0 && rtnl_route_get_metric(route, RTAX_MTU, mtu) < 0)
		*mtu = 0;
	if (route)
		rtnl_route_put(route);
	return rc;
}

/* The MAC address in a neighbour entry, if it has one that is of use. */
static bool entry_mac(struct rtnl_neigh *entry, __u8 mac[MAC_BYTES])
{
	struct nl_addr *lladdr = rtnl_neigh_get_lladdr(entry);
	int state = rtnl_neigh_get_state(entry);

	if (!lladdr || nl_addr_get_len(lladdr) != MAC_BYTES ||
	    state & (NUD_INCOMPLETE | NUD_FAILED | NUD_NOARP))
		return false;
	memcpy(mac, nl_addr_get_binary_addr(lladdr), MAC_BYTES);
	return !(mac[0] & 1);
}

/* 0, or -EAGAIN when Linux does not know. */
static int ask_mac(struct exo_neigh *neigh, __be32 hop, __u8 mac[MAC_BYTES])
{
	struct nl_msg *msg = neigh_question(neigh->ifindex, hop);
	struct answer answer = { 0 };
	int rc;

	if (!msg)
		return -ENOMEM;
	rc = ask(neigh, msg, &answer);
	if (rc == 0 && !entry_mac((struct rtnl_neigh *)answer.obj, mac))
		rc = -EAGAIN;
	if (answer.obj)
		rtnl_neigh_put((struct rtnl_neigh *)answer.obj);
	return rc == -ENOENT ? -EAGAIN : rc;
}

/*
 * Adding a neighbour entry needs a privilege, sending a datagram does not: an
 * empty one that lives for one hop makes Linux resolve its address.
 */
static void resolve(struct exo_neigh *neigh, __be32 hop)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = htons(DISCARD_PORT),
		.sin_addr.s_addr = hop,
	};
	ssize_t rc;

	rc = sendto(neigh->udp_fd, "", 0, MSG_DONTWAIT, (struct sockaddr *)&to,
		    sizeof(to));
	/* If it fails nothing is lost: the next look-up tries again. */
	(void)rc;
}

int exo_neigh_lookup(struct exo_neigh *neigh, __u32 saddr, __u32 daddr,
		     __u8 mac[6], __u32 *mtu)
{
	__u8 found[MAC_BYTES];
	__be32 hop = daddr;
	int rc, rc2;

	rc = ask_route(neigh, saddr, daddr, &hop, mtu);
	if (rc < 0)
		return rc;
	rc = ask_mac(neigh, hop, found);
	if (rc < 0 && rc != -EAGAIN)
		return rc;
	/* Before it is resolved: the answer may be on its way already. */
	rc2 = remember_hop(neigh, hop, rc == 0 ? found : NULL);
	if (rc2 < 0)
		return rc2;
	if (rc == -EAGAIN)
		resolve(neigh, hop);
	else
		memcpy(mac, found, MAC_BYTES);
	return rc;
}

static void neigh_changed(struct exo_neigh *neigh, struct rtnl_neigh *entry,
			  bool is_gone)
{
	struct nl_addr *dst = rtnl_neigh_get_dst(entry);
	__u8 mac[MAC_BYTES];
	struct hop *hop;
	bool is_known;
	__be32 addr;

	if (!dst || nl_addr_get_len(dst) != sizeof(addr) ||
	    (__u32)rtnl_neigh_get_ifindex(entry) != neigh->ifindex)
		return;
	memcpy(&addr, nl_addr_get_binary_addr(dst), sizeof(addr));
	hop = *hop_slot(neigh, addr);
	if (!hop)
		return;
	is_known = !is_gone && entry_mac(entry, mac);
	if (is_known == hop->is_known &&
	    (!is_known || !memcmp(mac, hop->mac, MAC_BYTES)))
		return;
	hop->is_known = is_known;
	if (is_known)
		memcpy(hop->mac, mac, MAC_BYTES);
	neigh->generation++;
}

static void changed(struct nl_object *obj, void *arg)
{
	int type = nl_object_get_msgtype(obj);

	if (type == RTM_NEWNEIGH || type == RTM_DELNEIGH)
		neigh_changed(arg, (struct rtnl_neigh *)obj,
			      type == RTM_DELNEIGH);
}

static int on_change(struct nl_msg *msg, void *arg)
{
	struct exo_neigh *neigh = arg;
	int type = nlmsg_hdr(msg)->nlmsg_type;

	if (type == RTM_NEWROUTE || type == RTM_DELROUTE ||
	    nl_msg_parse(msg, changed, neigh) < 0)
		neigh->generation++;
	return NL_OK;
}

int exo_neigh_process(struct exo_neigh *neigh)
{
	int rc = nl_recvmsgs_default(neigh->watch);

	if (rc == -NLE_NOMEM || rc == -NLE_MSG_OVERFLOW) {
		/* The socket's buffer ran over: news were lost. */
		forget_hops(neigh);
		neigh->generation++;
		return 0;
	}
	return rc == -NLE_AGAIN || rc == -NLE_INTR ? 0 : nl_rc(rc);
}

__u32 exo_neigh_generation(const struct exo_neigh *neigh)
{
	return neigh->generation;
}

int exo_neigh_fd(const struct exo_neigh *neigh)
{
	return nl_socket_get_fd(neigh->watch);
}

static int watch_open(struct exo_neigh *neigh)
{
	struct nl_sock *sock = neigh->watch;
	int rc;

	nl_socket_disable_seq_check(sock);
	nl_socket_modify_cb(sock, NL_CB_VALID, NL_CB_CUSTOM, on_change, neigh);
	rc = nl_connect(sock, NETLINK_ROUTE);
	if (rc == 0)
		rc = nl_socket_add_memberships(sock, RTNLGRP_NEIGH,
					       RTNLGRP_IPV4_ROUTE, 0);
	if (rc == 0)
		rc = nl_socket_set_nonblocking(sock);
	return nl_rc(rc);
}

static int udp_open(struct exo_neigh *neigh)
{
	int ttl = 1;

	neigh->udp_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (neigh->udp_fd < 0 ||
	    setsockopt(neigh->udp_fd, IPPROTO_IP, IP_TTL, &ttl, sizeof(ttl)))
		return -errno;
	return 0;
}

static int neigh_init(struct exo_neigh *neigh)
{
	int rc;

	neigh->udp_fd = -1;
	neigh->ask = nl_socket_alloc();
	neigh->watch = nl_socket_alloc();
	if (!neigh->ask || !neigh->watch)
		return -ENOMEM;
	/* A question is answered by its answer alone. */
	nl_socket_disable_auto_ack(neigh->ask);
	rc = nl_rc(nl_connect(neigh->ask, NETLINK_ROUTE));
	if (rc == 0)
		rc = watch_open(neigh);
	return rc ? rc : udp_open(neigh);
}

int exo_neigh_open(__u32 ifindex, struct exo_neigh **out)
{
	struct exo_neigh *neigh = calloc(1, sizeof(*neigh));
	int rc;

	if (!neigh)
		return -ENOMEM;
	neigh->ifindex = ifindex;
	neigh->generation = 1;
	rc = neigh_init(neigh);
	if (rc < 0) {
		exo_neigh_close(neigh);
		return rc;
	}
	*out = neigh;
	return 0;
}

void exo_neigh_close(struct exo_neigh *neigh)
{
	if (!neigh)
		return;
	if (neigh->udp_fd >= 0)
		close(neigh->udp_fd);
	if (neigh->watch)
		nl_socket_free(neigh->watch);
	if (neigh->ask)
		nl_socket_free(neigh->ask);
	forget_hops(neigh);
	free(neigh);
}
