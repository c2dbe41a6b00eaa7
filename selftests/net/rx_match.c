// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Does a flow get exactly its packets, whole, and Linux all others untouched?
 *
 * timeout: 240
 */
#include "net_test.h"

static struct flow f;
static int wire, tap, root_fd;

/* A packet that the flow must get; the tests spoil copies of it. */
static void right(struct frame *p, size_t len)
{
	frame_init(p, f.bind.out_mac, peer_mac, PEER, PEER_PORT, LOCAL, PORT,
		   len);
	memset(p->data, 0x5a, len);
	frame_sums(p, sizeof(p->tcp) + len);
}

static void try_right(void)
{
	static const size_t sizes[] = { 0, 1, 6, 100, 1459, 1460 };
	struct exo_rx_record *r;
	struct frame p, *got;
	size_t i, len;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		len = HDR_BYTES + sizes[i];
		right(&p, sizes[i]);
		raw_drain(tap);
		raw_send(wire, &p, len);
		got = flow_recv(&f, 2000, &r);
		if (!ok(got, "%zu bytes of data arrive", sizes[i]))
			continue;
		is(r->len, len, "with their length");
		ok(!memcmp(got, &p, len), "byte for byte");
		is((uintptr_t)&got->ip % 32, 0, "the IP header is aligned");
		is(r->gso_size, 0, "not merged");
		flow_consume(&f);
		is(raw_count(tap, &p, len, 500, 1, NULL), 1,
		   "and tcpdump sees them");
	}
	right(&p, 0);
	raw_send(wire, &p, 60);
	got = flow_recv(&f, 2000, &r);
	ok(got && r->len == HDR_BYTES, "Ethernet padding is cut off");
	if (got)
		flow_consume(&f);
}

/* --------------------------------------------------------- not the flow's */

/* The IP checksum, over as many words as the header says it has. */
static void resum(struct frame *p)
{
	p->ip.check = 0;
	p->ip.check = sum_fold(sum16(&p->ip, p->ip.ihl * 4, 0));
}

/* One function a stranger. */
#define SPOIL(name, ...)						\
	static void name(struct frame *p) { __VA_ARGS__; }

SPOIL(other_port, p->tcp.dest = htons(PORT + 1))
SPOIL(bucket_twin, p->tcp.dest = htons(PORT + 4096))
SPOIL(swapped_ports, p->tcp.dest = htons(PEER_PORT); p->tcp.source = htons(PORT))
SPOIL(udp, p->ip.protocol = IPPROTO_UDP; resum(p))
SPOIL(first_fragment, p->ip.frag_off = htons(0x2000); resum(p))
SPOIL(later_fragment, p->ip.frag_off = htons(8); resum(p))
SPOIL(version6, p->ip.version = 6; resum(p))
SPOIL(bad_checksum, p->ip.check ^= 1)
SPOIL(options, p->ip.ihl = 6; resum(p))
/* The first "option" adds nothing to the sum, which is right either way. */
SPOIL(options_unsummed, p->ip.ihl = 6; p->tcp.source = ~p->tcp.dest; resum(p))
SPOIL(short_ihl, p->ip.ihl = 4; resum(p))
SPOIL(total_long, p->ip.tot_len = htons(ntohs(p->ip.tot_len) + 1); resum(p))
SPOIL(total_short, p->ip.tot_len = htons(39); resum(p))
SPOIL(total_zero, p->ip.tot_len = 0; resum(p))
SPOIL(not_local, p->ip.daddr = inet_addr("10.99.0.77"); resum(p))
SPOIL(to_loopback, p->ip.daddr = inet_addr("127.0.0.1"); resum(p))
SPOIL(to_broadcast, p->ip.daddr = inet_addr("10.99.0.255"); resum(p))
SPOIL(to_multicast, p->ip.daddr = inet_addr("224.0.0.1"); resum(p))
SPOIL(from_loopback, p->ip.saddr = inet_addr("127.0.0.1"); resum(p))
SPOIL(from_multicast, p->ip.saddr = inet_addr("224.0.0.1"); resum(p))
SPOIL(from_broadcast, p->ip.saddr = 0xffffffff; resum(p))
SPOIL(from_zero, p->ip.saddr = 0; resum(p))
SPOIL(mac_of_others, p->eth.h_dest[5] ^= 0x40)
SPOIL(mac_broadcast, memset(p->eth.h_dest, 0xff, 6))
SPOIL(mac_multicast, p->eth.h_dest[0] |= 1)
SPOIL(ethertype, p->eth.h_proto = htons(ETH_P_IPV6))

static void vlan(struct frame *p)
{
	static const uint8_t tag[4] = { 0x81, 0, 0, 7 };

	memmove((uint8_t *)p + 16, (uint8_t *)p + 12, HDR_BYTES + 200 - 12);
	memcpy((uint8_t *)p + 12, tag, sizeof(tag));
}

static void nothing(struct frame *p)
{
	(void)p;
}

#define S(fn) { #fn, fn, HDR_BYTES + 200 }

static const struct {
	const char *what;
	void (*spoil)(struct frame *p);
	size_t len;
} strangers[] = {
	S(other_port), S(bucket_twin), S(swapped_ports), S(udp),
	S(first_fragment), S(later_fragment), S(version6), S(bad_checksum),
	S(options), S(options_unsummed), S(short_ihl), S(total_long), S(total_short), S(total_zero),
	{ "runt", nothing, ETH_HLEN + 20 },
	{ "cut_off", nothing, ETH_HLEN + 39 }, S(not_local), S(to_loopback), S(to_broadcast),
	S(to_multicast), S(from_loopback), S(from_multicast),
	S(from_broadcast), S(from_zero), S(mac_of_others), S(mac_broadcast),
	S(mac_multicast), S(ethertype),
	{ "vlan", vlan, HDR_BYTES + 204 },
};

static void try_strangers(void)
{
	struct exo_net_info before, after;
	struct frame p, *got;
	size_t i;

	sh("ip link set " DEV " promisc on");
	for (i = 0; i < ARRAY_SIZE(strangers); i++) {
		right(&p, 200);
		strangers[i].spoil(&p);
		before = net_info(root_fd);
		raw_send(wire, &p, strangers[i].len);
		usleep(20000);
		got = flow_recv(&f, 0, NULL);
		after = net_info(root_fd);
		ok(!got, "%s is not the flow's", strangers[i].what);
		is(after.rx_claimed, before.rx_claimed, "%s is not claimed",
		   strangers[i].what);
		ok(after.rx_passed > before.rx_passed, "%s is passed on",
		   strangers[i].what);
		flow_drain(&f);
	}
	sh("ip link set " DEV " promisc off");
}

static void try_linux(void)
{
	int s, c, u, v;
	struct sockaddr_in a = inet_addr_port(LOCAL, PORT);
	char b[8];

	is(system("ip netns exec peer ping -q -c 3 -i 0.2 -W 2 " LOCAL
		  " >/dev/null"), 0, "ping is answered");
	is(system("ip netns exec peer ping -q -c 2 -s 4000 -i 0.2 -W 2 " LOCAL
		  " >/dev/null"), 0, "fragmented ping too");
	s = listen_on("0.0.0.0", PORT + 1, 4);
	is(peer_connect(LOCAL, PORT + 1, 2000, &c), 0,
	   "another port's server is reached");
	close(c);
	close(s);
	/* UDP on the same port */
	u = socket(AF_INET, SOCK_DGRAM, 0);
	if (bind(u, (struct sockaddr *)&a, sizeof(a)))
		bail("bind: %m");
	peer_enter();
	v = socket(AF_INET, SOCK_DGRAM, 0);
	peer_leave();
	sendto(v, "hello", 5, 0, (struct sockaddr *)&a, sizeof(a));
	is(recv(u, b, sizeof(b), 0), 5, "UDP to the same port too");
	close(u);
	close(v);
	ok(!flow_recv(&f, 0, NULL), "nothing of it came to the flow");
}

/* ------------------------------------------------------------- the ring */

/* Sizes that do not divide the ring, each packet with its number. */
static void numbered(struct frame *p, uint32_t nr, size_t *len)
{
	size_t data = 4 + nr * 37 % 1400;

	right(p, data);
	memset(p->data, nr & 0xff, data);
	memcpy(p->data, &nr, 4);
	*len = HDR_BYTES + data;
}

static bool is_numbered(const struct frame *got, const struct exo_rx_record *r,
			uint32_t nr)
{
	struct frame p;
	size_t len;

	numbered(&p, nr, &len);
	return r->len == len &&
	       !memcmp(got->data, p.data, len - HDR_BYTES);
}

static void try_wrap(void)
{
	uint32_t sent = 0, seen = 0, wrong = 0;
	struct exo_rx_record *r;
	struct frame p, *got;
	size_t len;

	while (sent < 3000) {
		int burst = sent % 50 + 1;

		while (burst-- && sent < 3000) {
			numbered(&p, sent++, &len);
			raw_send(wire, &p, len);
		}
		while (seen < sent) {
			got = flow_recv(&f, 2000, &r);
			if (!got)
				break;
			wrong += !is_numbered(got, r, seen++);
			flow_consume(&f);
		}
	}
	is(seen, 3000, "3,000 packets go round the ring many times");
	is(wrong, 0, "all of them in order and whole");
}

static void try_full(void)
{
	uint64_t packets = f.ring->rx_packets, dropped = f.ring->rx_dropped;
	uint32_t sent, seen = 0, wrong = 0;
	struct exo_rx_record *r;
	struct frame p, *got;
	size_t len;

	for (sent = 0; sent < 600; sent++) {
		numbered(&p, sent, &len);
		raw_send(wire, &p, len);
	}
	usleep(200000);
	packets = f.ring->rx_packets - packets;
	dropped = f.ring->rx_dropped - dropped;
	ok(dropped > 0, "a full ring drops");
	is(packets + dropped, sent, "and each drop is counted");
	is(net_info(root_fd).rx_dropped, f.ring->rx_dropped,
	   "also by the device");
	while ((got = flow_recv(&f, 0, &r))) {
		uint32_t nr;

		memcpy(&nr, got->data, 4);
		wrong += !is_numbered(got, r, nr);
		seen++;
		flow_consume(&f);
	}
	is(seen, packets, "what was kept can be read");
	is(wrong, 0, "whole");
	try_right();
}

static void try_hostile_cons(void)
{
	uint32_t prod = f.ring->rx_prod;
	const uint32_t wild[] = {
		prod + 64, prod + 1, prod - 1, prod + (1U << 31), prod - 32,
		prod - (1U << 20), 0x12345678, prod + (256 << 10),
	};
	struct exo_rx_record *r;
	struct frame p, *got;
	size_t i, len = HDR_BYTES + 300;

	for (i = 0; i < ARRAY_SIZE(wild); i++) {
		right(&p, 300);
		f.ring->rx_cons = wild[i];
		raw_send(wire, &p, len);
		usleep(20000);
		got = flow_recv(&f, 0, &r);
		ok(got && r->len == len && !memcmp(got, &p, len),
		   "rx_cons %#x is ignored", wild[i]);
		if (got)
			flow_consume(&f);
	}
	/* What the module owns, the library cannot move */
	f.ring->rx_prod = f.cons + 640;
	right(&p, 300);
	raw_send(wire, &p, len);
	usleep(20000);
	is(f.ring->rx_prod, f.cons + 384, "rx_prod overwritten: is right again");
	flow_drain(&f);
}

static void fill_ring(void)
{
	uint64_t dropped = f.ring->rx_dropped;
	struct frame p;

	flow_drain(&f);
	right(&p, 1400);
	while (f.ring->rx_dropped == dropped) {
		raw_send(wire, &p, HDR_BYTES + 1400);
		usleep(100);
	}
}

/* In a full ring an index that is believed would let unread packets go. */
static void try_hostile_cons_full(void)
{
	const uint32_t bytes = f.bind.rx_bytes;
	struct frame p;
	uint32_t i;

	fill_ring();
	right(&p, 1400);
	const uint32_t wild[] = {
		f.ring->rx_prod + 64, f.ring->rx_prod + 4096, f.cons - bytes,
		f.ring->rx_prod + (1U << 31), f.cons + 4096 + 8,
	};

	for (i = 0; i < ARRAY_SIZE(wild); i++) {
		uint64_t packets = f.ring->rx_packets;
		uint64_t dropped = f.ring->rx_dropped;

		f.ring->rx_cons = wild[i];
		raw_send(wire, &p, HDR_BYTES + 1400);
		usleep(20000);
		ok(f.ring->rx_packets == packets &&
		   f.ring->rx_dropped == dropped + 1,
		   "full: rx_cons %#x makes no room", wild[i]);
	}
	flow_drain(&f);
	try_right();
}

/* ----------------------------------------------------------- addresses */

/* The peer's Linux answers what is sent to it by resets: look for our own. */
static bool arrives(const char *daddr)
{
	struct frame p, *got;
	bool found = false;

	flow_drain(&f);
	right(&p, 10);
	p.ip.daddr = inet_addr(daddr);
	frame_sums(&p, sizeof(p.tcp) + 10);
	raw_send(wire, &p, HDR_BYTES + 10);
	while (!found && (got = flow_recv(&f, 200, NULL))) {
		found = !memcmp(got, &p, HDR_BYTES + 10);
		flow_consume(&f);
	}
	return found;
}

static uint32_t reason_of(const char *saddr)
{
	struct exo_tx_desc *d = flow_desc(&f, 0);

	((struct frame *)d->hdr)->ip.saddr = inet_addr(saddr);
	flow_send(&f, false);
	return d->out_reason;
}

static void try_addresses(void)
{
	ok(arrives(OTHER), "any local address will do");
	is(reason_of(OTHER), 0, "to send from as well");
	ok(!arrives("10.99.0.5"), "an address that is not there yet");
	sh("ip addr add 10.99.0.5/32 dev " DEV);
	ok(arrives("10.99.0.5"), "added: it arrives");
	is(reason_of("10.99.0.5"), 0, "and can be sent from");
	sh("ip addr del 10.99.0.5/32 dev " DEV);
	ok(!arrives("10.99.0.5"), "removed: it does not");
	is(reason_of("10.99.0.5"), EXO_TX_BAD_SADDR, "nor can be sent from");
	sh("ip route add local 10.99.0.6/32 dev lo");
	ok(arrives("10.99.0.6"), "a local route will do too");
	is(reason_of("10.99.0.6"), 0, "to send from as well");
	sh("ip route del local 10.99.0.6/32 dev lo");
	usleep(100000);
	ok(!arrives("10.99.0.6"), "removed: not any more");
	is(reason_of("10.99.0.6"), EXO_TX_BAD_SADDR, "in neither direction");
}

static struct ifreq alias_request(const char *addr)
{
	struct ifreq r = { .ifr_name = DEV ":7" };
	struct sockaddr_in a = inet_addr_port(addr, 0);

	memcpy(&r.ifr_addr, &a, sizeof(a));
	return r;
}

/* What is remembered of an address is forgotten at once, not after a while. */
static void try_address_goes(void)
{
	struct ifreq add = alias_request("10.99.0.9"), del = add;
	int s = socket(AF_INET, SOCK_DGRAM, 0), round;
	uint32_t before, after;
	uint64_t start;

	for (round = 0; round < 50; round++) {
		if (ioctl(s, SIOCSIFADDR, &add))
			bail("SIOCSIFADDR: %m");
		del.ifr_flags = 0;
		start = now_ms();
		before = reason_of("10.99.0.9");
		if (ioctl(s, SIOCSIFFLAGS, &del))
			bail("SIOCSIFFLAGS: %m");
		after = reason_of("10.99.0.9");
		if (now_ms() - start < 10)
			break;
	}
	close(s);
	ok(round < 50, "an address is used, removed and used within 10 ms");
	is(before, 0, "before that it can be sent from");
	is(after, EXO_TX_BAD_SADDR, "but not afterwards");
}

static void try_one_address(void)
{
	flow_close(&f);
	flow_open(&f, root_fd, DEV, LOCAL, PORT);
	ok(arrives(LOCAL), "bound to one address: it arrives");
	ok(!arrives(OTHER), "another local one does not");
	try_right();
}

int main(void)
{
	struct exo_stats before;

	exo_setup();
	net_up();
	root_fd = exo_open();
	is(net_attach(root_fd, DEV), 0, "attach");
	before = stats_get(root_fd);
	wire = peer_raw(PEER_DEV);
	tap = home_raw(DEV);
	flow_open(&f, root_fd, DEV, "0.0.0.0", PORT);
	try_right();
	try_strangers();
	try_linux();
	try_wrap();
	try_full();
	try_hostile_cons();
	try_hostile_cons_full();
	try_addresses();
	try_address_goes();
	try_one_address();
	is(net_detach(root_fd, if_nametoindex(DEV)), -EBUSY,
	   "no detaching while a flow is bound");
	flow_close(&f);
	ok(stats_wait(root_fd, &before, 2000), "counters are as before");
	is(net_detach(root_fd, if_nametoindex(DEV)), 0, "detach");
	net_down();
	return done_testing();
}
