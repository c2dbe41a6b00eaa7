// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Devices and flows when the kernel's calls fail: see fail_nth.h.
 *
 * timeout: 300
 */
#include "fail_nth.h"

#include <arpa/inet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#define PORT		8080

static unsigned int ifindex;
static int listener;
static struct exo_flow_bind flow;
static struct exo_flow_ring *ring;
static uint32_t tx_frame;

static long net_attach(void)
{
	struct exo_net_attach a = {
		.size = sizeof(a), .ifindex = ifindex, .lane = EXO_LANE_DIRECT,
	};

	return exo_ioctl(env, EXO_CMD_NET_ATTACH, &a);
}

static long net_detach(void)
{
	struct exo_net_detach d = { .size = sizeof(d), .ifindex = ifindex };

	return exo_ioctl(env, EXO_CMD_NET_DETACH, &d);
}

static void undo_net_attach(long rc)
{
	(void)rc;
	net_detach();
}

static void undo_net_detach(long rc)
{
	(void)rc;
	net_attach();
}

static long act_net_list(void)
{
	struct exo_net_info info;
	struct exo_net_list l = {
		.size = sizeof(l), .array = (uintptr_t)&info, .nr = 1,
	};

	return exo_ioctl(env, EXO_CMD_NET_LIST, &l);
}

static long net_grant(uint32_t flags, uint32_t uid)
{
	struct exo_net_grant g = {
		.size = sizeof(g), .flags = flags, .ifindex = ifindex,
		.uid = uid, .first_port = PORT, .last_port = PORT,
	};

	return exo_ioctl(env, EXO_CMD_NET_GRANT, &g);
}

static long act_net_grant(void)
{
	return net_grant(0, UID_BOB);
}

static void undo_net_grant(long rc)
{
	(void)rc;
	net_grant(EXO_GRANT_REVOKE, UID_BOB);
}

static long act_net_grant_list(void)
{
	struct exo_net_grant_info grants[4];
	struct exo_net_grant_list l = {
		.size = sizeof(l), .ifindex = ifindex,
		.array = (uintptr_t)grants, .nr = ARRAY_SIZE(grants),
	};

	return exo_ioctl(env, EXO_CMD_NET_GRANT_LIST, &l);
}

static long act_bind(void)
{
	long rc;

	flow = (struct exo_flow_bind) {
		.size = sizeof(flow), .sock_fd = listener, .ifindex = ifindex,
		.rx_bytes = 256 << 10, .nr_tx = 64,
	};
	rc = exo_ioctl(env, EXO_CMD_FLOW_BIND, &flow);
	handle = rc ? 0 : flow.out_handle;
	return rc;
}

static struct exo_tx_desc *tx_slot(uint32_t i)
{
	struct exo_tx_desc *d = (void *)((char *)ring + flow.out_tx_offset);

	return d + (i & 63);
}

/* A packet of @bytes from the frame; more than one segment if @gso. */
static void tx_fill(struct exo_tx_desc *d, uint32_t bytes, uint16_t gso,
		    uint32_t flags)
{
	struct ether_header *eth = (void *)d->hdr;
	struct iphdr *ip = (void *)(eth + 1);
	struct tcphdr *tcp = (void *)(ip + 1);

	memset(d, 0, sizeof(*d));
	d->flags = flags;
	d->hdr_len = sizeof(*eth) + sizeof(*ip) + sizeof(*tcp);
	d->gso_size = gso;
	d->nr_frags = 1;
	d->frag[0].frame = tx_frame;
	d->frag[0].len = bytes;
	memset(eth->ether_dhost, 0x02, sizeof(eth->ether_dhost));
	memcpy(eth->ether_shost, flow.out_mac, sizeof(eth->ether_shost));
	eth->ether_type = htons(ETHERTYPE_IP);
	ip->version = 4;
	ip->ihl = 5;
	ip->ttl = 64;
	ip->protocol = IPPROTO_TCP;
	ip->saddr = inet_addr("10.99.0.1");
	ip->daddr = inet_addr("10.99.0.2");
	ip->tot_len = htons(d->hdr_len - sizeof(*eth) + bytes);
	tcp->source = htons(PORT);
	tcp->dest = htons(9);
	tcp->doff = 5;
	tcp->ack = 1;
	tcp->window = htons(1000);
}

static long kick(void)
{
	struct exo_flow_kick k = {
		.size = sizeof(k), .flow = flow.out_handle,
	};

	return exo_ioctl(env, EXO_CMD_FLOW_KICK, &k);
}

static uint32_t tx_begin;

static long act_kick(void)
{
	tx_begin = ring->tx_prod;
	tx_fill(tx_slot(tx_begin), 1000, 0, 0);
	tx_fill(tx_slot(tx_begin + 1), 1000, 0, EXO_TX_F_COPY);
	tx_fill(tx_slot(tx_begin + 2), 20000, 1400, 0);
	__atomic_store_n(&ring->tx_prod, tx_begin + 3, __ATOMIC_RELEASE);
	return kick();
}

/* Each descriptor is looked at, sent or without memory, and let go again. */
static void undo_kick(long rc)
{
	uint64_t end = now_ms() + 3000;
	uint32_t i;

	if (rc < 0)
		kick();
	while (__atomic_load_n(&ring->tx_done, __ATOMIC_ACQUIRE) !=
	       tx_begin + 3 && now_ms() < end)
		usleep(1000);
	if (ring->tx_done != tx_begin + 3)
		ok(false, "tx_done is %u, wanted %u", ring->tx_done,
		   tx_begin + 3);
	for (i = 0; i < 3; i++) {
		struct exo_tx_desc *d = tx_slot(tx_begin + i);

		if (d->out_status && d->out_status != -ENOMEM &&
		    d->out_status != -ENOBUFS)
			ok(false, "packet %u: status %d, reason %u", i,
			   d->out_status, d->out_reason);
	}
}

static const struct target net_targets[] = {
	{ EXO_CMD_NET_ATTACH, "NET_ATTACH", net_attach, undo_net_attach, {},
	  MEETS_ALLOC | MEETS_COPY },
};

static const struct target attached_targets[] = {
	{ EXO_CMD_NET_DETACH, "NET_DETACH", net_detach, undo_net_detach, {},
	  MEETS_COPY },
	{ EXO_CMD_NET_LIST, "NET_LIST", act_net_list, NULL, {},
	  MEETS_ALLOC | MEETS_COPY },
	{ EXO_CMD_NET_GRANT, "NET_GRANT", act_net_grant, undo_net_grant, {},
	  MEETS_ALLOC | MEETS_COPY },
	{ EXO_CMD_FLOW_BIND, "FLOW_BIND", act_bind, undo_handle, {},
	  MEETS_ALLOC | MEETS_COPY },
};

static const struct target flow_targets[] = {
	{ EXO_CMD_NET_GRANT_LIST, "NET_GRANT_LIST",
	  act_net_grant_list, NULL, {},
	  MEETS_ALLOC | MEETS_COPY },
	{ EXO_CMD_FLOW_KICK, "FLOW_KICK", act_kick, undo_kick, {},
	  MEETS_ALLOC | MEETS_COPY },
};

static void listen_at_port(void)
{
	struct sockaddr_in at = {
		.sin_family = AF_INET, .sin_port = htons(PORT),
		.sin_addr.s_addr = inet_addr("10.99.0.1"),
	};

	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (listener < 0 || bind(listener, (struct sockaddr *)&at, sizeof(at)) ||
	    listen(listener, 1))
		bail("listen: %m");
}

static void sweep_net(void)
{
	struct exo_frame_alloc f;

	if (system("ip link add exo_a type veth peer name exo_b &&"
		   "ip address add 10.99.0.1/24 dev exo_a &&"
		   "ip link set exo_a up && ip link set exo_b up"))
		bail("ip link");
	ifindex = if_nametoindex("exo_a");
	listen_at_port();
	SWEEP(net_targets);
	if (net_attach() || net_grant(0, 0))
		bail("NET_ATTACH");
	SWEEP(attached_targets);
	if (net_grant(0, 0) && errno != EEXIST)
		bail("NET_GRANT");
	if (act_bind())
		bail("FLOW_BIND");
	ring = mmap(NULL, flow.out_mmap_bytes, PROT_READ | PROT_WRITE,
		    MAP_SHARED, env, flow.out_mmap_offset);
	if (ring == MAP_FAILED || exo_alloc(env, 8, 0, &f))
		bail("mmap: %m");
	tx_frame = f.out_handle;
	SWEEP(flow_targets);
	munmap(ring, flow.out_mmap_bytes);
	undo_handle(0);
	exo_close_handle(env, tx_frame);
	is(net_detach(), 0, "the device can be detached in the end");
	/* Its address is that of other tests' devices. */
	is(system("ip link del exo_a"), 0, "and removed");
}

int main(void)
{
	fail_nth_setup();
	if (has_feature(EXO_FEATURE_FLOW_TCP4))
		sweep_net();
	else
		skip("the module has no flows");
	return fail_nth_end("net");
}
