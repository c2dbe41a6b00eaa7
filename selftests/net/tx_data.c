// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Does what a flow sends arrive whole, and what it has in flight stay intact?
 *
 * timeout: 240
 */
#include "mini_tcp.h"

#include <pthread.h>

#define BIG 50000

static struct flow f;
static int wire, root_fd;

static void pattern(uint8_t *p, size_t len, uint8_t seed)
{
	size_t i;

	for (i = 0; i < len; i++)
		p[i] = i * 7 + (i >> 8) * 13 + seed;
}

/* What a client in the peer reads until the end; bytes, or -1 if they differ. */
struct client {
	const char *addr;
	const uint8_t *want;
	int got;
	int error;
};

static void *client(void *arg)
{
	static uint8_t buffer[1 << 17];
	struct client *c = arg;
	int fd, got = 0, n;

	c->error = peer_connect(c->addr, PORT, 3000, &fd);
	if (c->error)
		return NULL;
	fcntl(fd, F_SETFL, 0);
	if (send(fd, "GET\n", 4, 0) != 4)
		c->error = -errno;
	while ((n = recv(fd, buffer + got, sizeof(buffer) - got, 0)) > 0)
		got += n;
	close(fd);
	c->got = memcmp(buffer, c->want, got) ? -1 : got;
	return NULL;
}

static void try_linux_client(const char *what, size_t len, uint16_t gso_size,
			     uint32_t flags)
{
	struct client c = { .addr = LOCAL, .want = f.payload };
	pthread_t thread;

	flow_drain(&f);
	pattern(f.payload, len, len);
	pthread_create(&thread, NULL, client, &c);
	ok(mini_serve(&f, len, gso_size, flags), "%s: a client of Linux is served",
	   what);
	pthread_join(thread, NULL);
	is(c.error, 0, "%s: it connected", what);
	is(c.got, len, "%s: and got all bytes", what);
}

/* A client that sends much at once. */
static void *uploader(void *arg)
{
	struct client *c = arg;
	int fd;

	c->error = peer_connect(c->addr, PORT, 3000, &fd);
	if (!c->error && send(fd, c->want, c->got, 0) != c->got)
		c->error = -EIO;
	sleep(1);
	close(fd);
	return NULL;
}

/* Packets that the sender's stack left merged come whole, and say so. */
static void try_merged(void)
{
	static uint8_t want[14000], got[70000];
	struct client c = { .addr = LOCAL, .want = want, .got = sizeof(want) };
	struct mini_tcp t = { .f = &f, .seq = 1 };
	struct exo_rx_record *r;
	size_t total = 0, n;
	bool merged = false, known = true;
	pthread_t thread;
	struct frame *p;

	flow_drain(&f);
	pattern(want, sizeof(want), 5);
	pthread_create(&thread, NULL, uploader, &c);
	ok(mini_accept(&t), "a client of Linux sends");
	while (total < sizeof(want) && (p = flow_recv(&f, 2000, &r))) {
		n = r->len - (ETH_HLEN + 20) - p->tcp.doff * 4;
		memcpy(got + total, (uint8_t *)&p->tcp + p->tcp.doff * 4, n);
		total += n;
		merged |= r->gso_size && n > r->gso_size;
		known &= !!(r->flags & EXO_RX_F_CSUM_OK);
		memcpy(&t.peer, p, HDR_BYTES);
		t.ack = ntohl(p->tcp.seq) + n;
		flow_consume(&f);
		mini_desc(&t, 0);
		flow_send(&f, true);
	}
	pthread_join(thread, NULL);
	is(c.error, 0, "it connected");
	is(total, sizeof(want), "all bytes arrive");
	ok(!memcmp(got, want, sizeof(want)), "in order and whole");
	ok(merged, "in packets larger than a segment");
	ok(known, "whose checksums need no look");
	usleep(100000);
	flow_drain(&f);
}

/* The payload of what came from a port, which must be in order; bytes. */
static size_t gather(uint8_t *to, uint16_t port, uint32_t seq, int ms,
		     int *packets)
{
	uint32_t mark = inet_addr(LOCAL);
	size_t total = 0;
	ssize_t len;

	*packets = 0;
	while (raw_count(wire, &mark, 4, ms, 1, &len)) {
		struct frame *h = (void *)raw_buffer;
		size_t n = len - HDR_BYTES;

		if (h->ip.saddr != mark || h->ip.protocol != IPPROTO_TCP ||
		    h->tcp.source != htons(port) || h->tcp.rst)
			continue;
		if (ntohl(h->tcp.seq) != seq + total)
			return 0;
		memcpy(to + total, h->data, n);
		total += n;
		(*packets)++;
	}
	return total;
}

static void try_gso(const char *what, bool whole)
{
	static uint8_t got[70000];
	struct exo_tx_desc *d;
	int packets;

	pattern(f.payload, BIG, 3);
	raw_drain(wire);
	d = flow_desc(&f, BIG);
	d->gso_size = 1460;
	((struct frame *)d->hdr)->tcp.seq = htonl(77);
	is(flow_send(&f, true), 0, "%s: %d bytes are sent and done", what, BIG);
	is(d->out_status, 0, "%s: accepted", what);
	is(gather(got, PORT, 77, 200, &packets), BIG, "%s: all arrive", what);
	ok(!memcmp(got, f.payload, BIG), "%s: byte for byte", what);
	is(packets, whole ? 1 : (BIG + 1459) / 1460, "%s: in as many packets",
	   what);
	flow_drain(&f);
}

/* Four pieces at odd places, some of them across pages and runs. */
static void try_pieces(uint32_t order, uint32_t flags)
{
	static const struct {
		uint32_t offset, len;
	} piece[4] = { { 4090, 20 }, { 1, 1 }, { 8191, 700 }, { 20479, 300 } };
	struct exo_frame_alloc frame;
	struct exo_tx_desc *d;
	uint8_t want[2000], *mem;
	size_t i, len = 0;
	ssize_t got;

	if (exo_alloc(root_fd, 512, order, &frame))
		bail("FRAME_ALLOC");
	mem = env_map(root_fd, frame.out_mmap_offset, 512 * 4096);
	pattern(mem, 512 * 4096, 9);
	d = flow_desc(&f, 1021);
	d->flags = flags;
	d->nr_frags = 4;
	for (i = 0; i < 4; i++) {
		d->frag[i] = (struct exo_tx_frag) {
			.frame = frame.out_handle, .offset = piece[i].offset,
			.len = piece[i].len,
		};
		memcpy(want + len, mem + piece[i].offset, piece[i].len);
		len += piece[i].len;
	}
	raw_drain(wire);
	is(flow_send(&f, true), 0, "pieces, order %u, flags %u", order, flags);
	is(d->out_status, 0, "are accepted");
	is(raw_count(wire, want, len, 500, 1, &got), 1, "and come in order");
	is(got, HDR_BYTES + len, "and nothing else");
	munmap(mem, 512 * 4096);
	exo_close_handle(root_fd, frame.out_handle);
	flow_drain(&f);
}

static void try_sniffed(void)
{
	static const char mark[] = "seen-by-tcpdump";
	int tap = home_raw(DEV);

	memcpy(f.payload, mark, sizeof(mark));
	flow_desc(&f, 100);
	flow_send(&f, true);
	is(raw_count(tap, mark, sizeof(mark), 500, 1, NULL), 1,
	   "tcpdump on this end sees what is sent");
	close(tap);
	flow_drain(&f);
}

/* With F_COPY the frame may change at once; without only when it is done. */
static void try_copy_early(void)
{
	static const char before[] = "written-before", after[] = "written-later!";
	struct exo_tx_desc *d;

	sh("tc qdisc add dev " DEV " root netem delay 200ms");
	raw_drain(wire);
	memcpy(f.payload, before, sizeof(before));
	d = flow_desc(&f, 100);
	d->flags = EXO_TX_F_COPY;
	is(flow_send(&f, false), 0, "a copied packet is delayed");
	memcpy(f.payload, after, sizeof(after));
	is(load_acquire(&f.ring->tx_done), f.prod, "but its frame is free");
	is(raw_count(wire, before, sizeof(before), 1000, 1, NULL), 1,
	   "it arrives with what was there at the doorbell");
	sh("tc qdisc del dev " DEV " root");
	flow_drain(&f);
}

/* As many in flight as there are slots, no more; each comes back. */
static void try_in_flight(void)
{
	struct exo_stats before = stats_get(root_fd);
	uint32_t i, sent;

	sh("tc qdisc add dev " DEV " root netem delay 400ms limit 1000");
	for (i = 0; i < f.bind.nr_tx; i++) {
		flow_desc(&f, 500);
		f.prod++;
	}
	store_release(&f.ring->tx_prod, f.prod);
	is(flow_kick(&f, 0, 0, &sent), 0, "a ring full of packets");
	is(sent, f.bind.nr_tx, "all are taken");
	is(stats_get(root_fd).out_nr_tx - before.out_nr_tx, f.bind.nr_tx,
	   "and counted");
	is(load_acquire(&f.ring->tx_done), f.prod - f.bind.nr_tx,
	   "none is done yet");
	flow_desc(&f, 500);
	store_release(&f.ring->tx_prod, ++f.prod);
	is(flow_kick(&f, 0, 0, &sent), 0, "one more");
	is(sent, 0, "has to wait");
	usleep(600000);
	is(load_acquire(&f.ring->tx_done), f.prod - 1, "later all are done");
	is(flow_kick(&f, 0, 0, &sent), 0, "now");
	is(sent, 1, "it is taken");
	usleep(600000);
	is(load_acquire(&f.ring->tx_done), f.prod, "and done");
	sh("tc qdisc del dev " DEV " root");
	flow_drain(&f);
}

/* Until a number of packets is in flight. */
static bool in_flight(uint64_t nr)
{
	uint64_t end = now_ms() + 2000;

	while (stats_get(root_fd).out_nr_tx != nr) {
		if (now_ms() > end)
			return false;
		usleep(1000);
	}
	return true;
}

/* One packet is overtaken by a ring full: its descriptor is not free yet. */
static void try_overtaken(void)
{
	uint64_t before = stats_get(root_fd).out_nr_tx;
	const struct frame *slow;
	uint32_t i, sent;
	long rc = 0;

	slow = (const struct frame *)flow_desc(&f, 300)->hdr;
	sh("tc qdisc add dev " DEV " root handle 1: prio bands 2 "
	   "priomap 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 && "
	   "tc qdisc add dev " DEV " parent 1:2 netem delay 1500ms && "
	   "tc filter add dev " DEV " parent 1: protocol ip u32 "
	   "match u16 %u 0xffff at 2 flowid 1:2", ntohs(slow->ip.tot_len));
	is(flow_send(&f, false), 0, "a slow packet");
	for (i = 1; i < f.bind.nr_tx; i++) {
		flow_desc(&f, 500);
		rc |= flow_send(&f, false);
	}
	is(rc, 0, "a ring full after it");
	ok(in_flight(before + 1), "which arrive before it");
	flow_desc(&f, 500);
	store_release(&f.ring->tx_prod, ++f.prod);
	is(flow_kick(&f, 0, 0, &sent), 0, "one more");
	is(sent, 0, "waits for the slow one's place");
	ok(in_flight(before), "the slow one is done");
	is(flow_kick(&f, 0, 0, &sent), 0, "now");
	is(sent, 1, "its place is free");
	ok(in_flight(before), "all are done");
	sh("tc qdisc del dev " DEV " root");
	flow_drain(&f);
}

/* Copied packets refer to no frame, but they are bounded as well. */
static void try_copies_in_flight(void)
{
	uint32_t taken = 0, sent;

	sh("tc qdisc add dev " DEV " root tbf rate 100kbit burst 1600 limit 1000000");
	do {
		flow_desc(&f, 500)->flags = EXO_TX_F_COPY;
		store_release(&f.ring->tx_prod, ++f.prod);
		is(flow_kick(&f, 0, 0, &sent), 0, "a copied packet more");
		taken += sent;
	} while (sent && taken < 4 * f.bind.nr_tx);
	ok(taken >= f.bind.nr_tx && taken < f.bind.nr_tx + 16,
	   "%u copied packets wait in a slow queue, then no more", taken);
	sh("tc qdisc del dev " DEV " root");
	is(flow_kick(&f, 0, 0, &sent), 0, "the queue is gone");
	is(sent, 1, "the last one goes");
	flow_drain(&f);
}

/* Takes and overwrites much memory: free pages would be among it. */
static int reuse_memory(void)
{
	struct exo_frame_alloc a;
	int i, fd = exo_open();
	void *p;

	for (i = 0; i < 20; i++) {
		if (exo_alloc(fd, 256, 0, &a))
			bail("FRAME_ALLOC");
		p = env_map(fd, a.out_mmap_offset, 256 * 4096);
		memset(p, 0xee, 256 * 4096);
		munmap(p, 256 * 4096);
	}
	return fd;
}

/* Everything is closed while a packet waits in a queue. */
static void try_close_in_flight(bool by_kill)
{
	struct exo_stats before = stats_get(root_fd);
	static uint8_t want[BIG], got[70000];
	struct exo_tx_desc *d;
	struct exo_stats now;
	int fd, packets;
	struct flow g;
	pid_t child;

	sh("tc qdisc add dev " DEV " root netem delay 700ms");
	raw_drain(wire);
	pattern(want, BIG, 21);
	child = fork();
	if (!child) {
		flow_open(&g, exo_open(), DEV, "0.0.0.0", PORT + 7);
		memcpy(g.payload, want, BIG);
		d = flow_desc(&g, BIG);
		((struct frame *)d->hdr)->tcp.source = htons(PORT + 7);
		((struct frame *)d->hdr)->tcp.seq = htonl(500);
		d->gso_size = 1460;
		if (flow_send(&g, false) || d->out_status)
			_exit(1);
		if (by_kill)
			raise(SIGKILL);
		_exit(0);
	}
	is(reap(child), by_kill ? 128 + SIGKILL : 0, "the sender is gone");
	now = stats_get(root_fd);
	is(now.out_nr_flows, before.out_nr_flows, "its flow is unbound");
	is(now.out_nr_tx, before.out_nr_tx + 1, "its packet is in flight");
	ok(now.out_nr_frame_pages > before.out_nr_frame_pages,
	   "its memory is still charged");
	fd = reuse_memory();
	is(gather(got, PORT + 7, 500, 1000, &packets), BIG, "it arrives");
	ok(!memcmp(got, want, BIG), "as it was when its sender died");
	close(fd);
	ok(stats_wait(root_fd, &before, 3000), "then all counters are as before");
	sh("tc qdisc del dev " DEV " root");
}

static void try_device_down(void)
{
	struct exo_tx_desc *d;

	sh("ip -n peer link set " PEER_DEV " down");
	usleep(100000);
	d = flow_desc(&f, 0);
	is(flow_send(&f, false), 0, "no carrier: the doorbell");
	is(d->out_reason, EXO_TX_NO_DEVICE, "says so");
	is(d->out_status, -ENETDOWN, "with its errno");
	sh("ip -n peer link set " PEER_DEV " up");
	usleep(300000);
	d = flow_desc(&f, 0);
	flow_send(&f, false);
	is(d->out_status, 0, "with the carrier back it is sent");
	flow_drain(&f);
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
	flow_open(&f, root_fd, DEV, "0.0.0.0", PORT);
	try_gso("offload", true);
	sh("ethtool -K " DEV " tso off gso off tx off sg off >/dev/null");
	try_gso("no offload", false);
	try_linux_client("no offload", BIG, 1460, 0);
	sh("ethtool -K " DEV " tso on gso on tx on sg on >/dev/null");
	try_linux_client("GSO", BIG, 1460, 0);
	try_linux_client("single packets", 20000, 0, 0);
	try_linux_client("copied packets", 20000, 0, EXO_TX_F_COPY);
	try_merged();
	try_pieces(0, 0);
	try_pieces(9, 0);
	try_pieces(0, EXO_TX_F_COPY);
	try_pieces(2, EXO_TX_F_COPY);
	try_sniffed();
	try_copy_early();
	try_in_flight();
	try_overtaken();
	try_copies_in_flight();
	try_device_down();
	flow_close(&f);
	ok(stats_wait(root_fd, &before, 2000), "counters are as before");
	flow_open(&f, root_fd, DEV, "0.0.0.0", PORT);
	try_close_in_flight(false);
	try_close_in_flight(true);
	flow_close(&f);
	ok(stats_wait(root_fd, &before, 2000), "counters are as before");
	is(net_detach(root_fd, if_nametoindex(DEV)), 0, "detach");
	net_down();
	return done_testing();
}
