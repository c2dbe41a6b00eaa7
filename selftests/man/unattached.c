// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * What does Linux answer to packets for a flow's port that the flow does not
 * get? The table of exo(7), line by line.
 *
 * timeout: 180
 */
/* Not that of other tests: connections of Linux leave TIME_WAIT behind. */
#define PORT 8190
#include "../net/net_test.h"

#define STRANGER	"10.98.0.77"	/* nobody, but with a known MAC address */
#define SEQ		1000
#define ACK_SEQ		5000

enum answer { NOTHING, RESET, SYN_ACK };

static const char *const answer_name[] = { "nothing", "a reset", "SYN-ACK" };

/**
 * struct path - how packets get to this namespace
 * @wire: packet socket in the peer, on the device they leave by
 * @to: MAC address they are sent to
 * @from: MAC address they are sent from
 * @addr: the address they are for
 * @source: the address they come from
 */
struct path {
	int wire;
	uint8_t to[6];
	uint8_t from[6];
	const char *addr;
	const char *source;
};

static struct path attached, other;

static void path_init(struct path *p, const char *here, const char *there,
		      const char *addr, const char *source)
{
	p->wire = peer_raw(there);
	get_mac("", here, p->to);
	get_mac("ip netns exec peer", there, p->from);
	p->addr = addr;
	p->source = source;
}

/* The next segment from the port to the source within @ms. */
static enum answer answer_on(const struct path *p, int ms)
{
	const struct frame *f = (const struct frame *)raw_buffer;
	in_addr_t reply[2] = { inet_addr(p->addr), inet_addr(p->source) };

	if (!raw_count(p->wire, reply, sizeof(reply), ms, 1, NULL))
		return NOTHING;
	if (f->tcp.rst)
		return RESET;
	return f->tcp.syn && f->tcp.ack ? SYN_ACK : NOTHING;
}

/* A segment with @flags as on the wire (FIN 1, SYN 2, RST 4, PSH 8, ACK 16). */
static void segment(const struct path *p, struct frame *f, uint8_t flags,
		    size_t len)
{
	static uint16_t source_port = 20000;

	frame_init(f, p->to, p->from, p->source, source_port++, p->addr, PORT,
		   len);
	memset(f->data, 'x', len);
	((uint8_t *)&f->tcp)[13] = flags;
	f->tcp.seq = htonl(SEQ);
	f->tcp.ack_seq = flags & 16 ? htonl(ACK_SEQ) : 0;
	frame_sums(f, sizeof(f->tcp) + len);
}

static void expect(const struct path *p, enum answer want, const char *what)
{
	enum answer got = answer_on(p, want == NOTHING ? 150 : 2000);

	if (!ok(got == want, "%s: %s", what, answer_name[want]))
		diag("got %s", answer_name[got]);
}

static void try_segments(void)
{
	static const struct {
		uint8_t flags;
		uint16_t len;
		enum answer want;
		const char *what;
	} rows[] = {
		{ 2, 0, RESET, "SYN" },
		{ 2, 100, RESET, "SYN with data" },
		{ 2 | 1, 0, NOTHING, "SYN and FIN" },
		{ 16, 0, RESET, "ACK" },
		{ 16 | 8, 100, RESET, "data of a connection" },
		{ 16 | 1, 0, RESET, "FIN of a connection" },
		{ 16 | 2, 0, RESET, "SYN-ACK" },
		{ 4, 0, NOTHING, "RST" },
		{ 4 | 16, 0, NOTHING, "RST with ACK" },
		{ 1, 0, NOTHING, "FIN without ACK" },
		{ 8, 100, NOTHING, "data without ACK" },
		{ 0, 0, NOTHING, "no flag" },
	};
	struct frame f;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		raw_drain(other.wire);
		segment(&other, &f, rows[i].flags, rows[i].len);
		raw_send(other.wire, &f, HDR_BYTES + rows[i].len);
		expect(&other, rows[i].want, rows[i].what);
	}
}

static void try_wrong_sum(void)
{
	struct frame f;

	raw_drain(other.wire);
	segment(&other, &f, 2, 0);
	f.tcp.check ^= 1;
	raw_send(other.wire, &f, HDR_BYTES);
	expect(&other, NOTHING, "SYN with a wrong checksum");
}

/* Would the peer believe the reset of a connection that the library has? */
static void try_believed(void)
{
	const struct frame *got = (const struct frame *)raw_buffer;
	struct frame f;

	raw_drain(other.wire);
	segment(&other, &f, 16, 0);
	raw_send(other.wire, &f, HDR_BYTES);
	expect(&other, RESET, "a segment by the wrong device");
	is(ntohl(got->tcp.seq), ACK_SEQ, "it has the sequence number awaited");
}

/* A client on this side, to whom the wire is the loopback device. */
static int local_connect(const char *addr)
{
	struct sockaddr_in a = inet_addr_port(addr, PORT);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int rc = connect(fd, (struct sockaddr *)&a, sizeof(a)) ? -errno : 0;

	close(fd);
	return rc;
}

static void try_loopback(void)
{
	is(local_connect(LOCAL), -ECONNREFUSED,
	   "from this machine to its own address: a reset");
	is(local_connect("127.0.0.1"), -ECONNREFUSED,
	   "to the loopback address: a reset");
}

/* The port over IPv6 belongs to whoever has it there. */
static void try_ipv6(void)
{
	struct sockaddr_in6 a = {
		.sin6_family = AF_INET6, .sin6_port = htons(PORT),
		.sin6_addr = IN6ADDR_LOOPBACK_INIT,
	};
	int s = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int c = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int one = 1;

	if (s < 0 || c < 0) {
		skip("no IPv6: %m");
		return;
	}
	setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (bind(s, (struct sockaddr *)&a, sizeof(a)) || listen(s, 4))
		bail("listen on [::1]: %m");
	is(connect(c, (struct sockaddr *)&a, sizeof(a)) ? errno : 0, 0,
	   "over IPv6 the port is as ever");
	close(c);
	close(s);
}

/* ------------------------------------ on the attached device, not claimed */

static void try_claimed(struct flow *flow)
{
	struct frame f;

	raw_drain(attached.wire);
	flow_drain(flow);
	segment(&attached, &f, 2, 0);
	raw_send(attached.wire, &f, HDR_BYTES);
	ok(flow_recv(flow, 1000, NULL), "a SYN to the flow is the flow's");
	expect(&attached, NOTHING, "and Linux answers");
	flow_drain(flow);
}

/* Four bytes of options, all no-operation, between the headers. */
static void try_options(struct flow *flow)
{
	uint8_t packet[HDR_BYTES + 4];
	struct frame f;
	struct iphdr *ip = (struct iphdr *)(packet + ETH_HLEN);

	segment(&attached, &f, 2, 0);
	f.ip.ihl = 6;
	f.ip.tot_len = htons(sizeof(packet) - ETH_HLEN);
	memcpy(packet, &f, ETH_HLEN + 20);
	memset(packet + ETH_HLEN + 20, 1, 4);
	memcpy(packet + ETH_HLEN + 24, &f.tcp, sizeof(f.tcp));
	ip->check = 0;
	ip->check = sum_fold(sum16(ip, 24, 0));
	raw_drain(attached.wire);
	raw_send(attached.wire, packet, sizeof(packet));
	expect(&attached, RESET, "a SYN with IP options");
	ok(!flow_recv(flow, 0, NULL), "it was not the flow's");
}

static void send_fragment(const struct frame *whole, size_t from, size_t len,
			  bool more)
{
	struct frame f = *whole;

	f.ip.tot_len = htons(sizeof(f.ip) + len);
	f.ip.frag_off = htons(from / 8 | (more ? 0x2000 : 0));
	f.ip.id = htons(77);
	f.ip.check = 0;
	f.ip.check = sum_fold(sum16(&f.ip, sizeof(f.ip), 0));
	memmove(&f.tcp, (uint8_t *)&f.tcp + from, len);
	raw_send(attached.wire, &f, ETH_HLEN + sizeof(f.ip) + len);
}

static void try_fragments(struct flow *flow)
{
	struct frame f;

	segment(&attached, &f, 2, 28);
	raw_drain(attached.wire);
	send_fragment(&f, 0, 24, true);
	send_fragment(&f, 24, 24, false);
	expect(&attached, RESET, "a SYN in two fragments");
	ok(!flow_recv(flow, 0, NULL), "it was not the flow's");
}

static void try_vlan(void)
{
	sh("ip link add link " DEV " name exo0.5 type vlan id 5");
	sh("ip addr add 10.97.0.1/24 dev exo0.5 && ip link set exo0.5 up");
	sh("ip -n peer link add link " PEER_DEV " name exo1.5 type vlan id 5");
	sh("ip -n peer addr add 10.97.0.2/24 dev exo1.5");
	sh("ip -n peer link set exo1.5 up");
	is(peer_connect("10.97.0.1", PORT, 2000, NULL), -ECONNREFUSED,
	   "a SYN with a VLAN tag: a reset");
	sh("ip link del exo0.5");
}

/* ------------------------------------------------------- before and after */

/* A flow bound to one address: to the others the port is just closed. */
static void try_one_address(int fd)
{
	struct path p = attached;
	struct frame f;
	struct flow flow;

	p.addr = OTHER;
	flow_open(&flow, fd, DEV, LOCAL, PORT);
	raw_drain(p.wire);
	segment(&p, &f, 2, 0);
	raw_send(p.wire, &f, HDR_BYTES);
	expect(&p, RESET, "a SYN to an address the socket is not bound to");
	ok(!flow_recv(&flow, 0, NULL), "it was not the flow's");
	flow_close(&flow);
}

/* A handshake that Linux had begun before there was a flow. */
static void try_unfinished(int fd)
{
	const struct frame *got = (const struct frame *)raw_buffer;
	int s = listen_on("0.0.0.0", PORT, 4);
	struct exo_flow_bind b;
	struct frame f;

	raw_drain(other.wire);
	segment(&other, &f, 2, 0);
	raw_send(other.wire, &f, HDR_BYTES);
	expect(&other, SYN_ACK, "a SYN before the flow is bound");
	f.tcp.ack_seq = htonl(ntohl(got->tcp.seq) + 1);
	f.tcp.seq = htonl(SEQ + 1);
	((uint8_t *)&f.tcp)[13] = 16;
	frame_sums(&f, sizeof(f.tcp));
	is(flow_try(fd, s, DEV, &b), 0, "bind");
	raw_drain(other.wire);
	raw_send(other.wire, &f, HDR_BYTES);
	expect(&other, NOTHING, "the handshake's last ACK, after it");
	is(poll(&(struct pollfd){ .fd = s, .events = POLLIN }, 1, 100), 0,
	   "no connection comes of it");
	exo_close_handle(fd, b.out_handle);
	close(s);
}

/* The flow is closed; its socket goes on listening, for Linux. */
static void try_after(int fd)
{
	int s = listen_on("0.0.0.0", PORT, 4);
	struct exo_flow_bind b;
	struct frame f;

	is(flow_try(fd, s, DEV, &b), 0, "bind");
	exo_close_handle(fd, b.out_handle);
	is(peer_connect(LOCAL, PORT, 2000, NULL), 0,
	   "after the flow Linux accepts");
	raw_drain(attached.wire);
	segment(&attached, &f, 16, 10);
	raw_send(attached.wire, &f, HDR_BYTES + 10);
	expect(&attached, RESET, "and a segment of a connection it had");
	close(s);
}

int main(void)
{
	struct flow flow;
	int fd;

	exo_setup();
	fd = exo_open();
	net_up();
	/* Nobody else answers for this address, its resets do not disturb */
	path_init(&attached, DEV, PEER_DEV, LOCAL, "10.99.0.77");
	path_init(&other, "oth0", "oth1", OTHER, STRANGER);
	sh("ip neigh add 10.99.0.77 lladdr $(ip netns exec peer "
	   "cat /sys/class/net/" PEER_DEV "/address) dev " DEV);
	sh("ip neigh add " STRANGER " lladdr $(ip netns exec peer "
	   "cat /sys/class/net/oth1/address) dev oth0");
	is(net_attach(fd, DEV), 0, "attach");
	flow_open(&flow, fd, DEV, "0.0.0.0", PORT);
	try_segments();
	try_wrong_sum();
	try_believed();
	try_loopback();
	try_ipv6();
	try_claimed(&flow);
	try_options(&flow);
	try_fragments(&flow);
	try_vlan();
	flow_close(&flow);
	try_one_address(fd);
	try_unfinished(fd);
	try_after(fd);
	is(net_detach(fd, if_nametoindex(DEV)), 0, "detach");
	net_down();
	close(attached.wire);
	close(other.wire);
	close(fd);
	return done_testing();
}
