/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * What the tests of flows share: a network, packets by hand, a flow's rings.
 *
 *	this namespace			namespace "peer"
 *	exo0  10.99.0.1/24 ------------ exo1  10.99.0.2/24	attached
 *	oth0  10.98.0.1/24 ------------ oth1  10.98.0.2/24	not attached
 *
 * Sockets keep the namespace they were made in, so one process has both ends:
 * peer_enter(), make a socket, peer_leave().
 */
#ifndef EXO_SELFTESTS_NET_TEST_H
#define EXO_SELFTESTS_NET_TEST_H

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stddef.h>
#include <sys/socket.h>

#include "../exo_test.h"

#define DEV		"exo0"
#define PEER_DEV	"exo1"
#define LOCAL		"10.99.0.1"
#define PEER		"10.99.0.2"
#define OTHER		"10.98.0.1"
#define OTHER_PEER	"10.98.0.2"
#ifndef PORT
#define PORT		8080
#endif
#define PEER_PORT	4321

#define load_acquire(p)		__atomic_load_n(p, __ATOMIC_ACQUIRE)
#define store_release(p, v)	__atomic_store_n(p, v, __ATOMIC_RELEASE)

/* -------------------------------------------------------------- network */

/* Run a command; it must succeed. */
__attribute__((format(printf, 1, 2)))
MAYBE_UNUSED static void sh(const char *fmt, ...)
{
	char line[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (system(line))
		bail("failed: %s", line);
}

static int home_ns = -1, peer_ns = -1;
static uint8_t peer_mac[6];

MAYBE_UNUSED static void peer_enter(void)
{
	if (setns(peer_ns, CLONE_NEWNET))
		bail("setns: %m");
}

MAYBE_UNUSED static void peer_leave(void)
{
	if (setns(home_ns, CLONE_NEWNET))
		bail("setns: %m");
}

MAYBE_UNUSED static void link_up(const char *here, const char *addr,
				 const char *there, const char *peer_addr)
{
	sh("ip link add %s type veth peer name %s netns peer", here, there);
	sh("ip addr add %s/24 brd + dev %s", addr, here);
	sh("ip link set %s up", here);
	sh("ip -n peer addr add %s/24 brd + dev %s", peer_addr, there);
	sh("ip -n peer link set %s up", there);
}

MAYBE_UNUSED static void get_mac(const char *ns, const char *dev, uint8_t mac[6])
{
	char line[256];
	FILE *f;

	snprintf(line, sizeof(line), "%s cat /sys/class/net/%s/address", ns,
		 dev);
	f = popen(line, "re");
	if (!f || fscanf(f, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &mac[0], &mac[1],
			 &mac[2], &mac[3], &mac[4], &mac[5]) != 6)
		bail("no MAC address of %s", dev);
	pclose(f);
}

/* Devices may be gone already, with their peers or by the test's own doing. */
MAYBE_UNUSED static void net_tidy(void)
{
	sh("for d in " DEV " oth0; do "
	   "ip link del $d 2>/dev/null || true; done; "
	   "ip netns del peer 2>/dev/null || true");
}

/* Make the network above, afresh. */
MAYBE_UNUSED static void net_up(void)
{
	net_tidy();
	sh("ip link set lo up");
	sh("ip netns add peer");
	home_ns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	peer_ns = open("/var/run/netns/peer", O_RDONLY | O_CLOEXEC);
	if (home_ns < 0 || peer_ns < 0)
		bail("namespaces: %m");
	link_up(DEV, LOCAL, PEER_DEV, PEER);
	link_up("oth0", OTHER, "oth1", OTHER_PEER);
	sh("ping -q -c 1 -W 5 " PEER " >/dev/null");
	sh("ping -q -c 1 -W 5 " OTHER_PEER " >/dev/null");
	get_mac("ip netns exec peer", PEER_DEV, peer_mac);
}

MAYBE_UNUSED static void net_down(void)
{
	close(home_ns);
	close(peer_ns);
	net_tidy();
}

MAYBE_UNUSED static long net_attach(int fd, const char *dev)
{
	struct exo_net_attach a = {
		.size = sizeof(a), .ifindex = if_nametoindex(dev),
		.lane = EXO_LANE_DIRECT,
	};

	return exo_ioctl(fd, EXO_CMD_NET_ATTACH, &a);
}

MAYBE_UNUSED static long net_detach(int fd, unsigned int ifindex)
{
	struct exo_net_detach d = { .size = sizeof(d), .ifindex = ifindex };

	return exo_ioctl(fd, EXO_CMD_NET_DETACH, &d);
}

MAYBE_UNUSED static long net_grant(int fd, uint32_t flags, uid_t uid,
				   uint16_t first, uint16_t last)
{
	struct exo_net_grant g = {
		.size = sizeof(g), .flags = flags,
		.ifindex = if_nametoindex(DEV), .uid = uid,
		.first_port = first, .last_port = last,
	};

	return exo_ioctl(fd, EXO_CMD_NET_GRANT, &g);
}

MAYBE_UNUSED static long net_grants(int fd, unsigned int ifindex,
				    struct exo_net_grant_info *array,
				    uint32_t room, uint32_t *nr)
{
	struct exo_net_grant_list l = {
		.size = sizeof(l), .ifindex = ifindex,
		.array = (uintptr_t)array, .nr = room,
	};
	long rc = exo_ioctl(fd, EXO_CMD_NET_GRANT_LIST, &l);

	*nr = l.out_nr;
	return rc;
}

/* The counters of the first attached device. */
MAYBE_UNUSED static struct exo_net_info net_info(int fd)
{
	struct exo_net_info info[4] = { };
	struct exo_net_list l = {
		.size = sizeof(l), .array = (uintptr_t)info, .nr = 4,
	};
	long rc = exo_ioctl(fd, EXO_CMD_NET_LIST, &l);

	if (rc || !l.out_nr)
		bail("NET_LIST: %ld", rc);
	return info[0];
}

/* -------------------------------------------------------------- sockets */

MAYBE_UNUSED static struct sockaddr_in inet_addr_port(const char *addr,
						      uint16_t port)
{
	struct sockaddr_in a = {
		.sin_family = AF_INET, .sin_port = htons(port),
		.sin_addr.s_addr = inet_addr(addr),
	};

	return a;
}

/* A socket bound and, if @backlog is not negative, listening; or -errno. */
MAYBE_UNUSED static int listen_on(const char *addr, uint16_t port, int backlog)
{
	struct sockaddr_in a = inet_addr_port(addr, port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int rc;

	if (fd < 0)
		bail("socket: %m");
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) ||
	    (backlog >= 0 && listen(fd, backlog))) {
		rc = -errno;
		close(fd);
		return rc;
	}
	return fd;
}

/* A client in the peer: 0 connected, or -errno after @ms (-ETIMEDOUT). */
MAYBE_UNUSED static int peer_connect(const char *addr, uint16_t port, int ms,
				     int *keep)
{
	struct sockaddr_in a = inet_addr_port(addr, port);
	struct pollfd p = { .events = POLLOUT };
	int rc = 0, err = 0;
	socklen_t len = sizeof(err);

	peer_enter();
	p.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	peer_leave();
	if (p.fd < 0)
		bail("socket: %m");
	if (connect(p.fd, (struct sockaddr *)&a, sizeof(a)) &&
	    errno != EINPROGRESS)
		rc = -errno;
	else if (!poll(&p, 1, ms))
		rc = -ETIMEDOUT;
	else if (!getsockopt(p.fd, SOL_SOCKET, SO_ERROR, &err, &len))
		rc = -err;
	if (keep)
		*keep = p.fd;
	else
		close(p.fd);
	return rc;
}

/* A packet socket on a device of the peer: sees and sends raw frames. */
MAYBE_UNUSED static int peer_raw(const char *dev)
{
	struct sockaddr_ll a = {
		.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL),
	};
	int fd, size = 4 << 20;

	peer_enter();
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
		    htons(ETH_P_ALL));
	a.sll_ifindex = if_nametoindex(dev);
	peer_leave();
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)))
		bail("packet socket: %m");
	return fd;
}

/* As peer_raw(), on a device of this namespace. */
MAYBE_UNUSED static int home_raw(const char *dev)
{
	struct sockaddr_ll a = {
		.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = if_nametoindex(dev),
	};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
			htons(ETH_P_ALL));

	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)))
		bail("packet socket: %m");
	return fd;
}

static uint8_t raw_buffer[70000];

/*
 * Packets that contain @needle and came within @ms; the last one's length in
 * @len, its bytes in raw_buffer. Stops waiting when there were @enough.
 */
MAYBE_UNUSED static int raw_count(int fd, const void *needle, size_t n, int ms,
				  int enough, ssize_t *len)
{
	uint64_t end = now_ms() + ms;
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int found = 0;
	ssize_t got;

	while (found < enough || !enough) {
		uint64_t now = now_ms();

		got = recv(fd, raw_buffer, sizeof(raw_buffer), 0);
		if (got > 0 && memmem(raw_buffer, got, needle, n)) {
			found++;
			if (len)
				*len = got;
			continue;
		}
		if (got > 0)
			continue;
		if (now >= end)
			break;
		poll(&p, 1, end - now);
	}
	return found;
}

MAYBE_UNUSED static void raw_drain(int fd)
{
	while (recv(fd, raw_buffer, sizeof(raw_buffer), 0) > 0)
		;
}

/* -------------------------------------------------------------- packets */

/**
 * struct frame - an Ethernet frame with IPv4 and TCP headers, as on the wire
 */
struct frame {
	struct ethhdr eth;
	struct iphdr ip;
	struct tcphdr tcp;
	uint8_t data[1460];
} __attribute__((packed));

#define HDR_BYTES offsetof(struct frame, data)

MAYBE_UNUSED static uint32_t sum16(const void *p, size_t n, uint32_t sum)
{
	const uint8_t *b = p;

	for (; n > 1; n -= 2, b += 2)
		sum += b[0] << 8 | b[1];
	if (n)
		sum += b[0] << 8;
	return sum;
}

MAYBE_UNUSED static uint16_t sum_fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons(~sum);
}

/* Both checksums, for a TCP segment of @len bytes behind the IP header. */
MAYBE_UNUSED static void frame_sums(struct frame *f, size_t len)
{
	uint32_t sum = IPPROTO_TCP + len;

	f->ip.check = 0;
	f->ip.check = sum_fold(sum16(&f->ip, sizeof(f->ip), 0));
	f->tcp.check = 0;
	sum = sum16(&f->ip.saddr, 8, sum);
	f->tcp.check = sum_fold(sum16(&f->tcp, len, sum));
}

/* The headers of a segment with @len bytes of data; lengths filled in. */
MAYBE_UNUSED static void frame_init(struct frame *f, const uint8_t *dmac,
				    const uint8_t *smac, const char *saddr,
				    uint16_t sport, const char *daddr,
				    uint16_t dport, size_t len)
{
	memset(f, 0, HDR_BYTES);
	memcpy(f->eth.h_dest, dmac, 6);
	memcpy(f->eth.h_source, smac, 6);
	f->eth.h_proto = htons(ETH_P_IP);
	f->ip.version = 4;
	f->ip.ihl = 5;
	f->ip.ttl = 64;
	f->ip.protocol = IPPROTO_TCP;
	f->ip.frag_off = htons(0x4000);
	f->ip.tot_len = htons(HDR_BYTES - ETH_HLEN + len);
	f->ip.saddr = inet_addr(saddr);
	f->ip.daddr = inet_addr(daddr);
	f->tcp.source = htons(sport);
	f->tcp.dest = htons(dport);
	f->tcp.doff = 5;
	f->tcp.window = htons(65535);
}

MAYBE_UNUSED static void raw_send(int fd, const void *p, size_t len)
{
	if (send(fd, p, len, 0) != (ssize_t)len)
		bail("send a frame of %zu bytes: %m", len);
}

/* ----------------------------------------------------------------- flow */

/**
 * struct flow - a bound flow and what belongs to it
 * @fd: the env
 * @sock: its socket
 * @bind: the answer
 * @ring: the mapping
 * @desc: transmit ring
 * @rx: receive ring
 * @cons: bytes consumed
 * @prod: descriptors produced
 * @frame: a frame for payload
 * @payload: its memory
 */
struct flow {
	int fd;
	int sock;
	struct exo_flow_bind bind;
	struct exo_flow_ring *ring;
	struct exo_tx_desc *desc;
	uint8_t *rx;
	uint32_t cons;
	uint32_t prod;
	struct exo_frame_alloc frame;
	uint8_t *payload;
};

/* Binds without mapping; 0 or -errno. */
MAYBE_UNUSED static long flow_try(int fd, int sock, const char *dev,
				  struct exo_flow_bind *bind)
{
	struct exo_flow_bind own;

	if (!bind)
		bind = &own;
	*bind = (struct exo_flow_bind) {
		.size = sizeof(*bind), .sock_fd = sock,
		.ifindex = if_nametoindex(dev), .rx_bytes = 256 << 10,
		.nr_tx = 64,
	};
	return exo_ioctl(fd, EXO_CMD_FLOW_BIND, bind);
}

MAYBE_UNUSED static void *env_map(int fd, uint64_t offset, size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		       offset);

	if (p == MAP_FAILED)
		bail("mmap: %m");
	return p;
}

#define FRAME_PAGES 64

/* A flow on a listening socket, with a frame of 64 pages; or the test ends. */
MAYBE_UNUSED static void flow_open_on(struct flow *f, int fd, const char *dev,
				      int sock)
{
	long rc;

	memset(f, 0, sizeof(*f));
	f->fd = fd;
	f->sock = sock;
	rc = flow_try(fd, f->sock, dev, &f->bind);
	if (rc)
		bail("FLOW_BIND: %s", strerror(-rc));
	f->ring = env_map(fd, f->bind.out_mmap_offset, f->bind.out_mmap_bytes);
	f->desc = (void *)((uint8_t *)f->ring + f->bind.out_tx_offset);
	f->rx = (uint8_t *)f->ring + f->bind.out_rx_offset;
	rc = exo_alloc(fd, FRAME_PAGES, 0, &f->frame);
	if (rc)
		bail("FRAME_ALLOC: %s", strerror(-rc));
	f->payload = env_map(fd, f->frame.out_mmap_offset, FRAME_PAGES * 4096);
}

/* The same, with a socket of its own. */
MAYBE_UNUSED static void flow_open(struct flow *f, int fd, const char *dev,
				   const char *addr, uint16_t port)
{
	int sock = listen_on(addr, port, 16);

	if (sock < 0)
		bail("listen on %s:%d: %s", addr, port, strerror(-sock));
	flow_open_on(f, fd, dev, sock);
}

MAYBE_UNUSED static void flow_close(struct flow *f)
{
	munmap(f->ring, f->bind.out_mmap_bytes);
	munmap(f->payload, FRAME_PAGES * 4096);
	exo_close_handle(f->fd, f->bind.out_handle);
	exo_close_handle(f->fd, f->frame.out_handle);
	close(f->sock);
}

MAYBE_UNUSED static long flow_kick(struct flow *f, uint32_t flags, int ms,
				   uint32_t *sent)
{
	struct exo_flow_kick k = {
		.size = sizeof(k), .flags = flags, .flow = f->bind.out_handle,
		.timeout_ns = ms * 1000000ULL,
	};
	long rc = exo_ioctl(f->fd, EXO_CMD_FLOW_KICK, &k);

	if (sent)
		*sent = k.out_nr_sent;
	return rc;
}

/* The next packet, with its record; NULL if none comes within @ms. */
MAYBE_UNUSED static struct frame *flow_recv(struct flow *f, int ms,
					    struct exo_rx_record **record)
{
	uint32_t mask = f->bind.rx_bytes - 1;
	struct exo_rx_record *r;

	if (load_acquire(&f->ring->rx_prod) == f->cons && ms)
		flow_kick(f, EXO_FLOW_KICK_WAIT, ms, NULL);
	if (load_acquire(&f->ring->rx_prod) == f->cons)
		return NULL;
	r = (void *)(f->rx + (f->cons & mask));
	if (r->flags & EXO_RX_F_WRAP) {
		f->cons += f->bind.rx_bytes - (f->cons & mask);
		r = (void *)f->rx;
	}
	if (record)
		*record = r;
	return (void *)((uint8_t *)r + EXO_RX_DATA_OFFSET);
}

MAYBE_UNUSED static void flow_consume(struct flow *f)
{
	struct exo_rx_record *r =
		(void *)(f->rx + (f->cons & (f->bind.rx_bytes - 1)));

	f->cons += (EXO_RX_DATA_OFFSET + r->len + 63) & ~63U;
	store_release(&f->ring->rx_cons, f->cons);
}

/* Throw away what is in the ring; how many packets that was. */
MAYBE_UNUSED static int flow_drain(struct flow *f)
{
	int n = 0;

	while (flow_recv(f, 0, NULL)) {
		flow_consume(f);
		n++;
	}
	return n;
}

/*
 * A descriptor that is right: @len bytes from the start of the frame, as a
 * segment to the peer. Not produced yet.
 */
MAYBE_UNUSED static struct exo_tx_desc *flow_desc(struct flow *f, size_t len)
{
	struct exo_tx_desc *d = &f->desc[f->prod & (f->bind.nr_tx - 1)];

	memset(d, 0, sizeof(*d));
	d->hdr_len = HDR_BYTES;
	frame_init((struct frame *)d->hdr, peer_mac, f->bind.out_mac,
		   LOCAL, PORT, PEER, PEER_PORT, len);
	((struct frame *)d->hdr)->tcp.ack = 1;
	if (len) {
		d->nr_frags = 1;
		d->frag[0].frame = f->frame.out_handle;
		d->frag[0].len = len;
	}
	d->out_status = 12345;
	return d;
}

/* Hand over what flow_desc() made, and wait for its payload if @wait. */
MAYBE_UNUSED static long flow_send(struct flow *f, bool wait)
{
	uint64_t end = now_ms() + 2000;
	long rc;

	store_release(&f->ring->tx_prod, ++f->prod);
	rc = flow_kick(f, 0, 0, NULL);
	while (wait && load_acquire(&f->ring->tx_done) != f->prod) {
		if (now_ms() > end)
			return -ETIME;
		usleep(1000);
	}
	return rc;
}

#endif /* EXO_SELFTESTS_NET_TEST_H */
