// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Handshakes with SYN cookies complete on a socket that a flow has: do they end
 * without a connection, and without a trace?
 */
/* Not that of other tests: a connection of Linux is left behind. */
#define PORT 8280
#include "net_test.h"

#define ACKS	200

static int wire;
static uint8_t near_mac[6], far_mac[6];

static void sysctl(const char *name, const char *value)
{
	char path[128];

	snprintf(path, sizeof(path), "/proc/sys/net/ipv4/%s", name);
	if (write_file(path, value))
		bail("write %s", path);
}

/* Routes in memory, of all namespaces. */
static long nr_routes(void)
{
	FILE *f = fopen("/proc/net/stat/rt_cache", "re");
	unsigned int nr;

	if (!f || fscanf(f, "%*[^\n]%x", &nr) != 1)
		bail("no count of routes");
	fclose(f);
	return nr;
}

/* ACKs of this namespace whose cookie was right. */
static long nr_cookies(void)
{
	FILE *f = popen("nstat -asz TcpExtSyncookiesRecv", "re");
	long nr;

	if (!f || fscanf(f, "%*[^\n]\n%*s %ld", &nr) != 1)
		bail("no count of cookies");
	pclose(f);
	return nr;
}

static void segment(struct frame *p, uint32_t seq)
{
	frame_init(p, near_mac, far_mac, OTHER_PEER, PEER_PORT, OTHER, PORT, 0);
	p->tcp.seq = htonl(seq);
}

static void send_segment(struct frame *p)
{
	frame_sums(p, sizeof(p->tcp));
	raw_send(wire, p, HDR_BYTES);
}

/* What the socket answers to a SYN with. */
static uint32_t get_cookie(void)
{
	struct frame p, *answer = (void *)raw_buffer;
	struct {
		uint32_t saddr, daddr;
		uint16_t source, dest;
	} from = {
		inet_addr(OTHER), inet_addr(OTHER_PEER), htons(PORT),
		htons(PEER_PORT),
	};

	segment(&p, 1);
	p.tcp.syn = 1;
	send_segment(&p);
	if (!raw_count(wire, &from, sizeof(from), 3000, 1, NULL) ||
	    !answer->tcp.syn)
		bail("no answer to a SYN");
	return ntohl(answer->tcp.seq);
}

static void send_ack(uint32_t cookie)
{
	struct frame p;

	segment(&p, 2);
	p.tcp.ack = 1;
	p.tcp.ack_seq = htonl(cookie + 1);
	send_segment(&p);
}

static bool routes_wait(long most)
{
	uint64_t end = now_ms() + 5000;

	while (nr_routes() > most) {
		if (now_ms() > end)
			return false;
		usleep(20000);
	}
	return true;
}

static void try_cookies(int fd)
{
	struct pollfd p = { .events = POLLIN };
	long routes, cookies;
	struct exo_flow_bind b;
	uint32_t cookie;
	int i;

	p.fd = listen_on("0.0.0.0", PORT, 4);
	cookie = get_cookie();
	is(flow_try(fd, p.fd, DEV, &b), 0, "a flow gets the socket");
	routes = nr_routes();
	cookies = nr_cookies();
	for (i = 0; i < ACKS; i++) {
		send_ack(cookie);
		/* The next one needs a route of its own */
		sysctl("route/flush", "0");
	}
	is(nr_cookies() - cookies, ACKS, "handshakes complete");
	is(poll(&p, 1, 200), 0, "without a connection");
	ok(routes_wait(routes + ACKS / 4), "their routes are freed (%ld, %ld)",
	   routes, nr_routes());
	is(exo_close_handle(fd, b.out_handle), 0, "the flow is closed");
	send_ack(cookie);
	is(poll(&p, 1, 2000), 1, "the same ACK connects then");
	close(p.fd);
}

int main(void)
{
	int fd;

	exo_setup();
	net_up();
	fd = exo_open();
	is(net_attach(fd, DEV), 0, "attach");
	get_mac("", "oth0", near_mac);
	get_mac("ip netns exec peer", "oth1", far_mac);
	wire = peer_raw("oth1");
	sysctl("tcp_syncookies", "2");
	try_cookies(fd);
	sysctl("tcp_syncookies", "1");
	is(net_detach(fd, if_nametoindex(DEV)), 0, "detach");
	net_down();
	return done_testing();
}
