// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * See fake.h. The checks of descriptors are written from <linux/exo.h>, not
 * from the module: a third reading of the same text.
 */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include "fake.h"
#include "wire.h"

#define FLOW_HANDLE	1000
#define FLOW_OFFSET	(1ULL << 40)
#define FRAME_SHIFT	32

void fake_die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	printf("Bail out! ");
	vprintf(format, args);
	printf("\n");
	fflush(stdout);
	va_end(args);
	_exit(1);
}

__u64 fake_rand(struct fake *fake)
{
	fake->rng ^= fake->rng << 13;
	fake->rng ^= fake->rng >> 7;
	fake->rng ^= fake->rng << 17;
	return fake->rng;
}

static bool chance(struct fake *fake, unsigned int permille)
{
	return permille && fake_rand(fake) % 1000 < permille;
}

static __u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

/* ------------------------------------------------------ the bad wire */

static struct fake_packet *packet_new(const void *data, __u32 len, __u16 flags,
				      __u16 gso_size)
{
	struct fake_packet *p = malloc(sizeof(*p) + len);

	if (!p)
		fake_die("no memory");
	p->next = NULL;
	p->due_ns = 0;
	p->len = len;
	p->flags = flags;
	p->gso_size = gso_size;
	memcpy(p->data, data, len);
	return p;
}

static void queue_put(struct fake_queue *q, struct fake_packet *p)
{
	p->next = NULL;
	*q->tail = p;
	q->tail = &p->next;
}

static struct fake_packet *queue_get(struct fake_queue *q)
{
	struct fake_packet *p = q->head;

	if (p) {
		q->head = p->next;
		if (!q->head)
			q->tail = &q->head;
	}
	return p;
}

/* Through the wire: into the queue of those that wait for their time. */
static void wire_put(struct fake *fake, const struct fake_wire *wire,
		     struct fake_queue *q, struct fake_packet *p)
{
	struct fake_packet *held = q->held;

	if (chance(fake, wire->loss)) {
		free(p);
		return;
	}
	p->due_ns = wire->delay_us ? now_ns() + wire->delay_us * 1000ULL : 0;
	if (!held && chance(fake, wire->reorder)) {
		/* Three times as late, but at most until something passes. */
		p->due_ns = now_ns() + 3 * wire->delay_us * 1000ULL + 1000000;
		q->held = p;
		return;
	}
	if (chance(fake, wire->dup))
		queue_put(q, packet_new(p->data, p->len, p->flags,
					p->gso_size));
	queue_put(q, p);
	if (held && chance(fake, 300)) {
		q->held = NULL;
		held->due_ns = p->due_ns;
		queue_put(q, held);
	}
}

static struct fake_packet *wire_get(struct fake_queue *q, __u64 now)
{
	struct fake_packet *p = q->held;

	if (p && p->due_ns <= now) {
		q->held = NULL;
		return p;
	}
	if (q->head && q->head->due_ns <= now)
		return queue_get(q);
	return NULL;
}

static __u64 wire_due(const struct fake_queue *q)
{
	__u64 due = q->head ? q->head->due_ns : ~0ULL;

	return q->held && q->held->due_ns < due ? q->held->due_ns : due;
}

/* ------------------------------------------------------ receive ring */

void fake_receive(struct fake *fake, const void *data, __u32 len, __u16 flags,
		  __u16 gso_size)
{
	__u32 need = (EXO_RX_DATA_OFFSET + len + EXO_RX_ALIGN_BYTES - 1) &
		     ~(EXO_RX_ALIGN_BYTES - 1U);
	__u32 cons = __atomic_load_n(&fake->ring->rx_cons, __ATOMIC_ACQUIRE);
	__u32 at = fake->rx_prod & (fake->rx_bytes - 1), skip = 0;
	struct exo_rx_record *rec;

	if (fake->rx_prod - cons > fake->rx_bytes ||
	    cons - fake->rx_cons_seen > fake->rx_bytes)
		fake_die("impossible rx_cons %u, produced %u", cons,
			 fake->rx_prod);
	fake->rx_cons_seen = cons;
	if (at + need > fake->rx_bytes)
		skip = fake->rx_bytes - at;
	if (fake->rx_bytes - (fake->rx_prod - cons) < skip + need) {
		fake->ring->rx_dropped++;
		fake->nr_in_dropped++;
		return;
	}
	if (skip) {
		rec = (struct exo_rx_record *)(fake->rx + at);
		*rec = (struct exo_rx_record){ .flags = EXO_RX_F_WRAP };
		fake->rx_prod += skip;
		at = 0;
	}
	rec = (struct exo_rx_record *)(fake->rx + at);
	*rec = (struct exo_rx_record){
		.len = len, .flags = flags, .gso_size = gso_size,
	};
	memcpy(fake->rx + at + EXO_RX_DATA_OFFSET, data, len);
	fake->rx_prod += need;
	fake->nr_in++;
	fake->ring->rx_packets++;
	__atomic_store_n(&fake->ring->rx_prod, fake->rx_prod, __ATOMIC_RELEASE);
}

static bool is_for_flow(const struct fake *fake, const __u8 *pkt, __u32 len)
{
	__be16 port;

	if (len < W_HEAD || wire_get16(pkt + 12) != 0x0800 ||
	    pkt[W_ETH + 9] != IPPROTO_TCP || memcmp(pkt, fake->mac, 6))
		return false;
	memcpy(&port, pkt + W_ETH + (pkt[W_ETH] & 15) * 4 + 2, 2);
	return port == fake->port;
}

/* Take what Linux has sent, then deliver what is due. */
static bool pump_in(struct fake *fake)
{
	struct virtio_net_hdr *vh;
	__u8 buf[sizeof(*vh) + FAKE_PACKET_MAX];
	struct fake_packet *p;
	bool any = false;
	__u16 flags;
	ssize_t n;

	while (fake->tap >= 0 && (n = read(fake->tap, buf, sizeof(buf))) > 0) {
		vh = (struct virtio_net_hdr *)buf;
		n -= sizeof(*vh);
		if (n < 0 || !is_for_flow(fake, buf + sizeof(*vh), n))
			continue;
		/* A checksum left to the device is no checksum to verify. */
		flags = vh->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM ?
			EXO_RX_F_CSUM_OK : 0;
		if (fake->no_csum_ok) {
			wire_checksums(buf + sizeof(*vh), n);
			flags = 0;
		}
		wire_put(fake, &fake->in, &fake->inq,
			 packet_new(buf + sizeof(*vh), n, flags,
				    vh->gso_type ? vh->gso_size : 0));
	}
	while ((p = wire_get(&fake->inq, now_ns())) != NULL) {
		fake_receive(fake, p->data, p->len, p->flags, p->gso_size);
		free(p);
		any = true;
	}
	return any;
}

/* ----------------------------------------------------- transmit ring */

static void check(bool ok, const char *what)
{
	if (!ok)
		fake_die("bad descriptor: %s", what);
}

/* Returns the length of the payload. */
static __u32 check_frags(const struct fake *fake, const struct exo_tx_desc *d)
{
	__u64 len = 0;
	unsigned int i;

	check(d->nr_frags <= EXO_TX_MAX_FRAGS, "too many pieces");
	for (i = 0; i < d->nr_frags; i++) {
		const struct exo_tx_frag *f = &d->frag[i];

		check(f->frame < FAKE_MAX_FRAMES && fake->frame[f->frame],
		      "no such frame");
		check(f->len && f->len <= fake->frame_bytes[f->frame] &&
		      f->offset <= fake->frame_bytes[f->frame] - f->len,
		      "piece outside its frame");
		len += f->len;
	}
	check(len < 65536, "payload too long");
	return len;
}

static void check_headers(const struct fake *fake, const struct exo_tx_desc *d,
			  __u32 len)
{
	const __u8 *ip = d->hdr + W_ETH, *tcp = ip + W_IP;

	check(!(d->hdr[0] & 1) && !memcmp(d->hdr + 6, fake->mac, 6), "MAC");
	check(wire_get16(d->hdr + 12) == 0x0800 && ip[0] == 0x45, "IPv4");
	check(wire_get16(ip + 2) == d->hdr_len - W_ETH + len, "total length");
	check(!(wire_get16(ip + 6) & 0x3fff), "fragment");
	check(ip[9] == IPPROTO_TCP && ip[8], "protocol or TTL");
	check(!memcmp(tcp, &fake->port, 2), "source port");
	check((tcp[12] >> 4) * 4 >= 20 &&
	      W_ETH + W_IP + (tcp[12] >> 4) * 4 == d->hdr_len, "data offset");
	check(ip[16] < 224 && wire_get32(ip + 12) != wire_get32(ip + 16),
	      "addresses");
}

static __u32 check_desc(const struct fake *fake, const struct exo_tx_desc *d)
{
	__u32 len = check_frags(fake, d), seg = len, i;

	check(!(d->flags & ~EXO_TX_F_COPY), "flags");
	check(!d->reserved0, "reserved0");
	for (i = 0; i < 3; i++)
		check(!d->reserved1[i], "reserved1");
	for (i = 0; i < sizeof(d->reserved2); i++)
		check(!d->reserved2[i], "reserved2");
	check(!d->pad[0] && !d->pad[1], "pad");
	check(d->hdr_len >= W_HEAD && d->hdr_len <= EXO_TX_HDR_BYTES, "hdr_len");
	check_headers(fake, d, len);
	check(d->hdr_len + len <= fake->gso_max_bytes, "gso_max_bytes");
	if (d->gso_size) {
		check(len > d->gso_size, "GSO of one segment");
		check(!(d->flags & EXO_TX_F_COPY), "GSO with copy");
		check(d->gso_size >= 88, "gso_size");
		seg = d->gso_size;
	}
	check(d->hdr_len - W_ETH + seg <= fake->mtu, "MTU");
	return len;
}

static void put_out(struct fake *fake, const __u8 *pkt, __u32 len)
{
	struct fake_packet *p = packet_new(pkt, len, 0, 0);

	fake->nr_out++;
	if (fake->tap >= 0)
		wire_put(fake, &fake->out, &fake->outq, p);
	else
		queue_put(&fake->sent, p);
}

/* One packet a segment, as a device with TSO would make them. */
static void segment(struct fake *fake, __u8 *whole, __u32 hdr_len, __u32 len,
		    __u32 gso_size)
{
	__u8 pkt[FAKE_PACKET_MAX], *ip = pkt + W_ETH, *tcp = ip + W_IP;
	__u32 done = 0, part, seq = wire_get32(whole + W_ETH + W_IP + 4);
	__u16 id = wire_get16(whole + W_ETH + 4);

	do {
		part = gso_size && len - done > gso_size ? gso_size :
							   len - done;
		memcpy(pkt, whole, hdr_len);
		memcpy(pkt + hdr_len, whole + hdr_len + done, part);
		wire_put16(ip + 2, hdr_len - W_ETH + part);
		wire_put16(ip + 4, id++);
		wire_put32(tcp + 4, seq + done);
		if (done + part < len)
			tcp[13] &= ~(W_FIN | W_PSH);
		wire_checksums(pkt, hdr_len + part);
		put_out(fake, pkt, hdr_len + part);
		done += part;
	} while (done < len);
}

/* The whole packet to Linux, which splits it. */
static void tap_gso(struct fake *fake, __u8 *whole, __u32 hdr_len, __u32 len,
		    __u32 gso_size)
{
	struct {
		struct virtio_net_hdr vh;
		__u8 pkt[FAKE_PACKET_MAX];
	} __attribute__((packed)) out = {
		.vh = {
			.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
			.gso_type = gso_size ? VIRTIO_NET_HDR_GSO_TCPV4 : 0,
			.hdr_len = hdr_len,
			.gso_size = gso_size,
			.csum_start = W_ETH + W_IP,
			.csum_offset = 16,
		},
	};
	__u8 *ip = whole + W_ETH;

	wire_put16(ip + 10, 0);
	wire_put16(ip + 10, ~wire_sum(ip, W_IP, 0));
	wire_put16(ip + W_IP + 16,
		   wire_pseudo(ip, hdr_len - W_ETH - W_IP + len));
	memcpy(out.pkt, whole, hdr_len + len);
	fake->nr_out++;
	if (write(fake->tap, &out, sizeof(out.vh) + hdr_len + len) < 0)
		fake_die("TAP refused a GSO packet: %s", strerror(errno));
}

static void emit(struct fake *fake, const struct exo_tx_desc *d,
		 const __u8 *copied)
{
	__u8 whole[FAKE_PACKET_MAX];
	__u32 at = d->hdr_len, i;

	memcpy(whole, d->hdr, d->hdr_len);
	for (i = 0; i < d->nr_frags; i++) {
		const struct exo_tx_frag *f = &d->frag[i];

		if (copied)
			memcpy(whole + at, copied + at - d->hdr_len, f->len);
		else
			memcpy(whole + at,
			       (char *)fake->frame[f->frame] + f->offset,
			       f->len);
		at += f->len;
	}
	if (fake->tap_gso && fake->tap >= 0)
		tap_gso(fake, whole, d->hdr_len, at - d->hdr_len, d->gso_size);
	else
		segment(fake, whole, d->hdr_len, at - d->hdr_len, d->gso_size);
	fake->ring->tx_packets++;
}

/* The device reads what was put before it at an earlier doorbell. */
static void emit_lagging(struct fake *fake)
{
	__u32 i;

	for (i = 0; i < fake->nr_lagging; i++) {
		emit(fake, &fake->lagging[i], fake->lag_payload[i]);
		free(fake->lag_payload[i]);
	}
	__atomic_store_n(&fake->ring->tx_done,
			 fake->ring->tx_done + fake->nr_lagging,
			 __ATOMIC_RELEASE);
	fake->nr_lagging = 0;
}

static __u8 *copy_payload(const struct fake *fake, const struct exo_tx_desc *d,
			  __u32 len)
{
	__u8 *copy = malloc(len + 1);
	__u32 at = 0, i;

	if (!copy)
		fake_die("no memory");
	for (i = 0; i < d->nr_frags; i++) {
		memcpy(copy + at, (char *)fake->frame[d->frag[i].frame] +
		       d->frag[i].offset, d->frag[i].len);
		at += d->frag[i].len;
	}
	return copy;
}

static __u32 pump_out(struct fake *fake)
{
	struct exo_flow_ring *ring = fake->ring;
	__u32 prod = __atomic_load_n(&ring->tx_prod, __ATOMIC_ACQUIRE);
	__u32 cons = ring->tx_cons, nr = prod - cons, len;
	struct exo_tx_desc *d;

	emit_lagging(fake);
	if (fake->stuck)
		return 0;
	if (nr > fake->nr_tx)
		fake_die("impossible tx_prod");
	for (; cons != prod; cons++) {
		d = &fake->lagging[fake->nr_lagging];
		*d = fake->tx[cons & (fake->nr_tx - 1)];
		len = check_desc(fake, d);
		fake->lag_payload[fake->nr_lagging++] =
			d->flags & EXO_TX_F_COPY ? copy_payload(fake, d, len) :
						   NULL;
	}
	__atomic_store_n(&ring->tx_cons, cons, __ATOMIC_RELEASE);
	if (!fake->lag)
		emit_lagging(fake);
	return nr;
}

static void wire_out(struct fake *fake)
{
	__u8 buf[sizeof(struct virtio_net_hdr) + FAKE_PACKET_MAX] = { 0 };
	struct fake_packet *p;

	while ((p = wire_get(&fake->outq, now_ns())) != NULL) {
		memcpy(buf + sizeof(struct virtio_net_hdr), p->data, p->len);
		if (write(fake->tap, buf,
			  sizeof(struct virtio_net_hdr) + p->len) < 0)
			fake_die("TAP refused a packet: %s", strerror(errno));
		free(p);
	}
}

/* ---------------------------------------------------------- commands */

static __u64 earlier(__u64 a, __u64 b)
{
	return a < b ? a : b;
}

static int wait_in(struct fake *fake, __u64 timeout_ns)
{
	__u64 end = timeout_ns ? now_ns() + timeout_ns : ~0ULL, next, now;
	struct pollfd pfd = { .fd = fake->tap, .events = POLLIN };
	struct timespec ts;

	for (;;) {
		if (fake->ring->rx_prod != fake->ring->rx_cons ||
		    pump_in(fake))
			return 0;
		emit_lagging(fake);
		wire_out(fake);
		now = now_ns();
		if (now >= end)
			return -ETIME;
		if (fake->tap < 0)
			fake_die("sleep without a wire");
		next = earlier(end, earlier(wire_due(&fake->inq),
					    wire_due(&fake->outq)));
		next = next > now ? earlier(next - now, 50000000) : 0;
		ts = (struct timespec){ .tv_nsec = next };
		ppoll(&pfd, 1, &ts, NULL);
	}
}

static int cmd_kick(struct fake *fake, struct exo_flow_kick *kick)
{
	if (kick->flow != FLOW_HANDLE || kick->size != sizeof(*kick))
		fake_die("bad doorbell");
	kick->out_nr_sent = pump_out(fake);
	if (fake->tap < 0)
		return 0;
	wire_out(fake);
	pump_in(fake);
	if (kick->flags & EXO_FLOW_KICK_WAIT)
		return wait_in(fake, kick->timeout_ns);
	return 0;
}

static int cmd_bind(struct fake *fake, struct exo_flow_bind *bind)
{
	size_t tx_bytes = bind->nr_tx * sizeof(struct exo_tx_desc);

	fake->rx_bytes = bind->rx_bytes;
	fake->nr_tx = bind->nr_tx;
	if (fake->nr_tx > sizeof(fake->lag_payload) / sizeof(__u8 *))
		return -EINVAL;
	fake->map_bytes = 4096 + tx_bytes + bind->rx_bytes;
	fake->map = mmap(NULL, fake->map_bytes, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	fake->lagging = calloc(bind->nr_tx, sizeof(*fake->lagging));
	if (fake->map == MAP_FAILED || !fake->lagging)
		fake_die("no memory");
	fake->ring = (struct exo_flow_ring *)fake->map;
	fake->tx = (struct exo_tx_desc *)(fake->map + 4096);
	fake->rx = (__u8 *)fake->map + 4096 + tx_bytes;
	bind->out_handle = FLOW_HANDLE;
	bind->out_local_port = fake->port;
	bind->out_mtu = fake->mtu;
	bind->out_gso_max_bytes = fake->gso_max_bytes;
	memcpy(bind->out_mac, fake->mac, 6);
	bind->out_mmap_offset = FLOW_OFFSET;
	bind->out_mmap_bytes = fake->map_bytes;
	bind->out_tx_offset = 4096;
	bind->out_rx_offset = 4096 + tx_bytes;
	return 0;
}

static int cmd_frame(struct fake *fake, struct exo_frame_alloc *arg)
{
	__u32 i;

	for (i = 1; i < FAKE_MAX_FRAMES; i++) {
		if (fake->frame[i])
			continue;
		fake->frame_bytes[i] = arg->nr_pages * 4096ULL;
		fake->frame[i] = calloc(arg->nr_pages, 4096);
		if (!fake->frame[i])
			fake_die("no memory");
		arg->out_handle = i;
		arg->out_mmap_offset = (__u64)i << FRAME_SHIFT;
		return 0;
	}
	return -EDQUOT;
}

static int cmd_close(struct fake *fake, const struct exo_handle_close *arg)
{
	if (arg->handle == FLOW_HANDLE)
		return 0;
	if (arg->handle >= FAKE_MAX_FRAMES || !fake->frame[arg->handle])
		return -ENOENT;
	free(fake->frame[arg->handle]);
	fake->frame[arg->handle] = NULL;
	return 0;
}

static int fake_ioctl(const struct exo_sys *sys, int fd, unsigned long cmd,
		      void *arg)
{
	struct fake *fake = (struct fake *)sys;
	struct exo_query *query = arg;

	(void)fd;
	switch (cmd) {
	case EXO_CMD_QUERY:
		query->out_page_bytes = 4096;
		query->out_block_bytes = 4096;
		query->out_max_frame_pages = 1 << 16;
		query->out_features = EXO_FEATURE_FLOW_TCP4 | EXO_FEATURE_TX_GSO;
		return 0;
	case EXO_CMD_FRAME_ALLOC:
		return cmd_frame(fake, arg);
	case EXO_CMD_HANDLE_CLOSE:
		return cmd_close(fake, arg);
	case EXO_CMD_FLOW_BIND:
		return cmd_bind(fake, arg);
	case EXO_CMD_FLOW_KICK:
		return cmd_kick(fake, arg);
	default:
		return -ENOTTY;
	}
}

static int fake_open(const struct exo_sys *sys, const char *path, int flags)
{
	(void)sys;
	(void)path;
	(void)flags;
	return 12345;
}

static int fake_close(const struct exo_sys *sys, int fd)
{
	(void)sys;
	(void)fd;
	return 0;
}

static int fake_mmap(const struct exo_sys *sys, size_t bytes, int prot, int fd,
		     __u64 offset, void **addr)
{
	struct fake *fake = (struct fake *)sys;

	(void)bytes;
	(void)prot;
	(void)fd;
	*addr = offset == FLOW_OFFSET ? fake->map :
					fake->frame[offset >> FRAME_SHIFT];
	return 0;
}

static int fake_munmap(const struct exo_sys *sys, void *addr, size_t bytes)
{
	(void)sys;
	(void)addr;
	(void)bytes;
	return 0;
}

/* ------------------------------------------------------------- rest */

struct fake_packet *fake_sent(struct fake *fake)
{
	return queue_get(&fake->sent);
}

void fake_tap_open(struct fake *fake, const char *name, bool tso)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	unsigned int offload = TUN_F_CSUM | TUN_F_TSO4;

	strncpy(ifr.ifr_name, name, IFNAMSIZ - 1);
	fake->tap = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fake->tap < 0 || ioctl(fake->tap, TUNSETIFF, &ifr) < 0)
		fake_die("TAP: %s", strerror(errno));
	if (ioctl(fake->tap, TUNSETOFFLOAD, tso ? offload : TUN_F_CSUM) < 0)
		fake_die("TUNSETOFFLOAD: %s", strerror(errno));
}

static void queue_init(struct fake_queue *q)
{
	q->head = NULL;
	q->tail = &q->head;
	q->held = NULL;
}

static void queue_exit(struct fake_queue *q)
{
	struct fake_packet *p;

	free(q->held);
	while ((p = queue_get(q)) != NULL)
		free(p);
}

void fake_init(struct fake *fake)
{
	static const __u8 mac[6] = { 2, 0, 0, 0, 0, 0xb };

	memset(fake, 0, sizeof(*fake));
	fake->sys = *exo_sys_default();
	fake->sys.open = fake_open;
	fake->sys.close = fake_close;
	fake->sys.ioctl = fake_ioctl;
	fake->sys.mmap = fake_mmap;
	fake->sys.munmap = fake_munmap;
	fake->tap = -1;
	fake->mtu = 1500;
	fake->gso_max_bytes = 65536;
	fake->rng = 88172645463325252ULL;
	fake->port = htons(80);
	memcpy(fake->mac, mac, 6);
	queue_init(&fake->inq);
	queue_init(&fake->outq);
	queue_init(&fake->sent);
}

void fake_exit(struct fake *fake)
{
	__u32 i;

	for (i = 0; i < fake->nr_lagging; i++)
		free(fake->lag_payload[i]);
	for (i = 0; i < FAKE_MAX_FRAMES; i++)
		free(fake->frame[i]);
	if (fake->map)
		munmap(fake->map, fake->map_bytes);
	free(fake->lagging);
	queue_exit(&fake->inq);
	queue_exit(&fake->outq);
	queue_exit(&fake->sent);
	if (fake->tap >= 0)
		close(fake->tap);
}
