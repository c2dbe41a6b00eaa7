// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Can a library send a packet that its flow does not cover?
 *
 * Each attack changes one thing in a descriptor that is right. It must be
 * refused with its own reason, and nothing of it may be seen on the wire.
 *
 * timeout: 240
 */
#include "net_test.h"

#include <pthread.h>

static const char marker[] = "exo-attack-payload";
static struct flow f;
static uint32_t foreign_frame;
static int wire;

static struct frame *head(struct exo_tx_desc *d)
{
	return (struct frame *)d->hdr;
}

struct attack {
	const char *what;
	uint32_t reason;
	void (*spoil)(struct exo_tx_desc *d);
};

/* One function an attack. */
#define SPOIL(name, ...)						\
	static void name(struct exo_tx_desc *d) { __VA_ARGS__; }

static void frag_sum_wraps(struct exo_tx_desc *d)
{
	int i;

	d->nr_frags = 4;
	d->frag[0].len = ~0U;
	for (i = 1; i < 4; i++)
		d->frag[i] = d->frag[0];
}

/* Descriptor */
SPOIL(unknown_flag, d->flags |= 1U << 5)
SPOIL(res0, d->reserved0 = 1)
SPOIL(res1, d->reserved1[2] = 1)
SPOIL(res2, d->reserved2[31] = 1)
SPOIL(padding, d->pad[1] = 1)
SPOIL(hdr_short, d->hdr_len = 53)
SPOIL(hdr_none, d->hdr_len = 0)
SPOIL(hdr_long, d->hdr_len = 127)
SPOIL(hdr_huge, d->hdr_len = 65535)
SPOIL(five_frags, d->nr_frags = 5)
SPOIL(many_frags, d->nr_frags = 65535)
SPOIL(empty_frag, d->frag[0].len = 0)
SPOIL(frags_too_long, d->frag[0].len = 1U << 31)
/* Frames */
SPOIL(no_frame, d->frag[0].frame = 0)
SPOIL(wild_frame, d->frag[0].frame = 0x7fffffff)
SPOIL(highest_frame, d->frag[0].frame = ~0U)
SPOIL(not_a_frame, d->frag[0].frame = f.bind.out_handle)
SPOIL(others_frame, d->frag[0].frame = foreign_frame)
SPOIL(at_end, d->frag[0].offset = FRAME_PAGES * 4096)
SPOIL(over_end, d->frag[0].offset = FRAME_PAGES * 4096 - 1)
SPOIL(offset_wraps, d->frag[0].offset = ~0ULL)
SPOIL(offset_wraps_sum, d->frag[0].offset = 0ULL - d->frag[0].len)
SPOIL(offset_high, d->frag[0].offset = 1ULL << 44)

/* Each piece lies in one page more than it has to: 22 in all. */
static void many_runs(struct exo_tx_desc *d)
{
	static const uint32_t len[] = { 2, 2, 2, 60000 };
	uint32_t bytes = HDR_BYTES - ETH_HLEN, i;

	d->nr_frags = ARRAY_SIZE(len);
	d->gso_size = 1000;
	for (i = 0; i < ARRAY_SIZE(len); i++) {
		d->frag[i] = d->frag[0];
		d->frag[i].offset = 4095;
		d->frag[i].len = len[i];
		bytes += len[i];
	}
	head(d)->ip.tot_len = htons(bytes);
}

/* Ethernet */
SPOIL(source_mac, head(d)->eth.h_source[5] ^= 1)
SPOIL(broadcast_mac, memset(head(d)->eth.h_dest, 0xff, 6))
SPOIL(multicast_mac, head(d)->eth.h_dest[0] |= 1)
SPOIL(zero_mac, memset(head(d)->eth.h_dest, 0, 6))
SPOIL(arp, head(d)->eth.h_proto = htons(ETH_P_ARP))
SPOIL(ipv6, head(d)->eth.h_proto = htons(ETH_P_IPV6))
SPOIL(vlan, head(d)->eth.h_proto = htons(ETH_P_8021Q))
SPOIL(length_field, head(d)->eth.h_proto = htons(64))
/* IP */
SPOIL(version6, head(d)->ip.version = 6)
SPOIL(options, head(d)->ip.ihl = 6)
SPOIL(short_ihl, head(d)->ip.ihl = 4)
SPOIL(len_plus, head(d)->ip.tot_len = htons(ntohs(head(d)->ip.tot_len) + 1))
SPOIL(len_minus, head(d)->ip.tot_len = htons(ntohs(head(d)->ip.tot_len) - 1))
SPOIL(len_zero, head(d)->ip.tot_len = 0)
SPOIL(len_max, head(d)->ip.tot_len = 0xffff)
SPOIL(first_fragment, head(d)->ip.frag_off = htons(0x2000))
SPOIL(later_fragment, head(d)->ip.frag_off = htons(1))
SPOIL(evil_bit, head(d)->ip.frag_off = htons(0x8000))
SPOIL(udp, head(d)->ip.protocol = IPPROTO_UDP)
SPOIL(icmp, head(d)->ip.protocol = IPPROTO_ICMP)
SPOIL(spoofed, head(d)->ip.saddr = inet_addr("10.99.0.77"))
SPOIL(spoofed_peer, head(d)->ip.saddr = inet_addr(PEER))
SPOIL(from_loopback, head(d)->ip.saddr = inet_addr("127.0.0.1"))
SPOIL(from_zero, head(d)->ip.saddr = 0)
SPOIL(from_broadcast, head(d)->ip.saddr = 0xffffffff)
SPOIL(from_multicast, head(d)->ip.saddr = inet_addr("224.0.0.1"))
SPOIL(to_broadcast, head(d)->ip.daddr = 0xffffffff)
SPOIL(to_net_broadcast, head(d)->ip.daddr = inet_addr("10.99.0.255"))
SPOIL(to_multicast, head(d)->ip.daddr = inet_addr("239.1.2.3"))
SPOIL(to_loopback, head(d)->ip.daddr = inet_addr("127.0.0.1"))
SPOIL(to_zero, head(d)->ip.daddr = 0)
/* TCP */
SPOIL(other_port, head(d)->tcp.source = htons(PORT + 1))
SPOIL(ssh_port, head(d)->tcp.source = htons(22))
SPOIL(zero_port, head(d)->tcp.source = 0)
SPOIL(short_doff, head(d)->tcp.doff = 4)
SPOIL(zero_doff, head(d)->tcp.doff = 0)
SPOIL(long_doff, head(d)->tcp.doff = 6)
SPOIL(longest_doff, head(d)->tcp.doff = 15)
/* GSO */
SPOIL(gso_one, d->gso_size = 1)
SPOIL(gso_tiny, d->gso_size = 87)
SPOIL(gso_over_mtu, d->gso_size = 1461)
SPOIL(gso_max, d->gso_size = 65535)
SPOIL(gso_copy, d->gso_size = 100; d->flags |= EXO_TX_F_COPY)
SPOIL(gso_syn, d->gso_size = 100; head(d)->tcp.syn = 1)
SPOIL(gso_rst, d->gso_size = 100; head(d)->tcp.rst = 1)
SPOIL(gso_inline, d->gso_size = 100; d->hdr_len += 4;
	head(d)->ip.tot_len = htons(ntohs(head(d)->ip.tot_len) + 4))
SPOIL(gso_urg, d->gso_size = 100; head(d)->tcp.urg = 1)
/* Size */
static void over_mtu(struct exo_tx_desc *d)
{
	d->frag[0].len = 1461;
	head(d)->ip.tot_len = htons(1501);
}

static void over_mtu_copy(struct exo_tx_desc *d)
{
	over_mtu(d);
	d->flags |= EXO_TX_F_COPY;
}

#define A(fn, reason) { #fn, EXO_TX_BAD_##reason, fn }

static const struct attack attacks[] = {
	A(unknown_flag, DESC), A(res0, DESC), A(res1, DESC), A(res2, DESC),
	A(padding, DESC), A(hdr_short, DESC), A(hdr_none, DESC),
	A(hdr_long, DESC), A(hdr_huge, DESC), A(five_frags, DESC),
	A(many_frags, DESC), A(empty_frag, DESC), A(frags_too_long, DESC),
	A(frag_sum_wraps, DESC), A(many_runs, DESC),
	A(no_frame, FRAG), A(wild_frame, FRAG), A(highest_frame, FRAG),
	A(not_a_frame, FRAG), A(others_frame, FRAG), A(at_end, FRAG),
	A(over_end, FRAG), A(offset_wraps, FRAG), A(offset_wraps_sum, FRAG),
	A(offset_high, FRAG),
	A(source_mac, ETHER), A(broadcast_mac, ETHER), A(multicast_mac, ETHER),
	A(zero_mac, ETHER), A(arp, ETHER), A(ipv6, ETHER), A(vlan, ETHER),
	A(length_field, ETHER),
	A(version6, IP), A(options, IP), A(short_ihl, IP), A(len_plus, IP),
	A(len_minus, IP), A(len_zero, IP), A(len_max, IP),
	A(first_fragment, IP), A(later_fragment, IP), A(evil_bit, IP),
	A(udp, PROTO), A(icmp, PROTO),
	A(spoofed, SADDR), A(spoofed_peer, SADDR), A(from_loopback, SADDR),
	A(from_zero, SADDR), A(from_broadcast, SADDR),
	A(from_multicast, SADDR),
	A(to_broadcast, DADDR), A(to_net_broadcast, DADDR),
	A(to_multicast, DADDR), A(to_loopback, DADDR), A(to_zero, DADDR),
	A(other_port, PORT), A(ssh_port, PORT), A(zero_port, PORT),
	A(short_doff, TCP), A(zero_doff, TCP), A(long_doff, TCP),
	A(longest_doff, TCP),
	A(gso_one, GSO), A(gso_tiny, GSO), A(gso_over_mtu, GSO),
	A(gso_max, GSO), A(gso_copy, GSO), A(gso_syn, GSO), A(gso_rst, GSO),
	A(gso_urg, GSO), A(gso_inline, GSO),
	A(over_mtu, MTU), A(over_mtu_copy, MTU),
};

static void try_attacks(const char *where)
{
	uint64_t refused = f.ring->tx_refused;
	struct exo_tx_desc *d;
	size_t i;

	raw_drain(wire);
	for (i = 0; i < ARRAY_SIZE(attacks); i++) {
		d = flow_desc(&f, 200);
		attacks[i].spoil(d);
		if (flow_send(&f, false))
			bail("the doorbell failed");
		is(d->out_reason, attacks[i].reason, "%s: %s has its reason",
		   where, attacks[i].what);
		ok(d->out_status < 0, "%s: %s is refused", where,
		   attacks[i].what);
	}
	is(raw_count(wire, marker, sizeof(marker), 300, 0, NULL), 0,
	   "%s: nothing of all that was on the wire", where);
	is(f.ring->tx_refused - refused, ARRAY_SIZE(attacks),
	   "%s: refused descriptors are counted", where);
	is(load_acquire(&f.ring->tx_done), f.prod,
	   "%s: refused descriptors are done", where);
}

static void try_right(const char *where)
{
	struct exo_tx_desc *d = flow_desc(&f, 200);

	is(flow_send(&f, true), 0, "%s: the doorbell", where);
	is(d->out_status, 0, "%s: a right descriptor is sent", where);
	is(d->out_reason, EXO_TX_BAD_NONE, "%s: for no reason", where);
	is(raw_count(wire, marker, sizeof(marker), 1000, 1, NULL), 1,
	   "%s: and arrives", where);
}

/* ----------------------------------------------- changes while it is sent */

static volatile bool stop;

/* Flips what the checks look at, as fast as it can. */
static void *racer(void *arg)
{
	struct exo_tx_desc *d = arg;
	struct frame *h = head(d);
	const uint32_t good = inet_addr(LOCAL), evil = inet_addr("10.99.0.66");
	volatile uint32_t *saddr = (void *)((char *)h +
					    offsetof(struct frame, ip.saddr));
	volatile uint16_t *sport = (void *)((char *)h +
					    offsetof(struct frame, tcp.source));
	volatile uint16_t *hdr_len = &d->hdr_len;
	volatile uint16_t *nr_frags = &d->nr_frags;
	volatile uint32_t *frame = &d->frag[0].frame;
	uint32_t own = *frame;

	while (!stop) {
		*saddr = evil;
		*sport = htons(22);
		*hdr_len = 65535;
		*nr_frags = 65535;
		*frame = foreign_frame;
		*saddr = good;
		*sport = htons(PORT);
		*hdr_len = HDR_BYTES;
		*nr_frags = 1;
		*frame = own;
	}
	return NULL;
}

static void try_race(void)
{
	uint32_t evil = inet_addr("10.99.0.66");
	uint64_t end = now_ms() + 3000;
	int sent = 0, bad = 0, n = 0;
	struct exo_tx_desc *d;
	pthread_t thread;
	ssize_t got;

	/* The same slot each time: the others are empty, thus refused. */
	memset(f.desc, 0, f.bind.nr_tx * sizeof(*f.desc));
	f.prod = (f.prod + f.bind.nr_tx) & ~(f.bind.nr_tx - 1);
	store_release(&f.ring->tx_prod, f.prod);
	flow_kick(&f, 0, 0, NULL);
	raw_drain(wire);
	d = flow_desc(&f, 200);
	pthread_create(&thread, NULL, racer, d);
	while (now_ms() < end) {
		f.prod += f.bind.nr_tx;
		store_release(&f.ring->tx_prod, f.prod);
		flow_kick(&f, 0, 0, NULL);
		sent += !d->out_status;
		n++;
		while ((got = recv(wire, raw_buffer, sizeof(raw_buffer), 0)) > 0) {
			struct frame *h = (void *)raw_buffer;

			if (h->eth.h_proto != htons(ETH_P_IP))
				continue;
			if (h->ip.saddr == evil || h->tcp.source == htons(22) ||
			    got != ETH_HLEN + ntohs(h->ip.tot_len))
				bad++;
		}
	}
	stop = true;
	pthread_join(thread, NULL);
	diag("%d doorbells, %d packets sent", n, sent);
	ok(sent, "a descriptor changed by another thread is sent at times");
	is(bad, 0, "but never with what was not checked");
}

static void try_indices(void)
{
	static const uint32_t wild[] = { 65, 100000, 1U << 31, ~0U };
	uint32_t sent;
	size_t i;

	memset(f.desc, 0, f.bind.nr_tx * sizeof(*f.desc));
	for (i = 0; i < ARRAY_SIZE(wild); i++) {
		uint32_t cons = load_acquire(&f.ring->tx_cons);

		store_release(&f.ring->tx_prod, cons + wild[i]);
		is(flow_kick(&f, 0, 0, &sent), 0, "tx_prod %#x beyond",
		   wild[i]);
		ok(sent <= f.bind.nr_tx, "looks at no more than the ring has");
	}
	/* What the module owns, the library cannot move */
	f.prod = load_acquire(&f.ring->tx_cons);
	store_release(&f.ring->tx_prod, f.prod);
	store_release(&f.ring->tx_cons, f.prod - 7);
	store_release(&f.ring->tx_done, f.prod + 9);
	flow_desc(&f, 200);
	is(flow_send(&f, true), 0, "tx_cons and tx_done overwritten: sends on");
	is(load_acquire(&f.ring->tx_cons), f.prod, "and tx_cons is right again");
}

/* What a frame of the descriptor before had says nothing about this one's. */
static void try_after_right(void)
{
	struct exo_tx_desc *d;

	flow_desc(&f, 200);
	f.prod++;
	d = flow_desc(&f, 200);
	d->frag[0].frame = 0x7fffffff;
	is(flow_send(&f, false), 0, "a right descriptor and one without frame");
	is(d->out_reason, EXO_TX_BAD_FRAG, "the second is refused");
}

static int alice(void *unused)
{
	struct exo_frame_alloc foreign;
	int i, other = exo_open();

	(void)unused;
	/* So many that the number means nothing in the own env */
	for (i = 0; i < 8; i++)
		if (exo_alloc(other, 1, 0, &foreign))
			bail("FRAME_ALLOC");
	foreign_frame = foreign.out_handle;
	flow_open(&f, exo_open(), DEV, "0.0.0.0", PORT);
	memcpy(f.payload, marker, sizeof(marker));

	try_right("before");
	try_attacks("any address");
	try_right("after");
	try_after_right();
	try_race();
	try_indices();
	flow_close(&f);

	flow_open(&f, exo_open(), DEV, LOCAL, PORT);
	memcpy(f.payload, marker, sizeof(marker));
	try_attacks("one address");
	try_right("one address");
	flow_desc(&f, 200);
	head(&f.desc[f.prod & 63])->ip.saddr = inet_addr(OTHER);
	flow_send(&f, false);
	is(f.desc[(f.prod - 1) & 63].out_reason, EXO_TX_BAD_SADDR,
	   "one address: another local one is refused");
	return 0;
}

int main(void)
{
	int fd;

	exo_setup();
	net_up();
	fd = exo_open();
	is(net_attach(fd, DEV), 0, "attach");
	is(net_grant(fd, 0, UID_ALICE, PORT, PORT), 0, "grant");
	wire = peer_raw(PEER_DEV);
	is(as_user(UID_ALICE, alice, NULL), 0, "alice came to the end");
	is(net_detach(fd, if_nametoindex(DEV)), 0, "detach");
	net_down();
	return done_testing();
}
