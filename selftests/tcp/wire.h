/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* Packets, built and taken apart by the tests' own code. */
#ifndef SELFTESTS_TCP_WIRE_H
#define SELFTESTS_TCP_WIRE_H

#include <arpa/inet.h>
#include <linux/types.h>
#include <string.h>

#define W_FIN	0x01
#define W_SYN	0x02
#define W_RST	0x04
#define W_PSH	0x08
#define W_ACK	0x10
#define W_URG	0x20

#define W_ETH	14
#define W_IP	20
#define W_TCP	20
#define W_HEAD	(W_ETH + W_IP + W_TCP)

static inline __u32 wire_get32(const __u8 *p)
{
	return (__u32)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
}

static inline __u16 wire_get16(const __u8 *p)
{
	return p[0] << 8 | p[1];
}

static inline void wire_put32(__u8 *p, __u32 v)
{
	p[0] = v >> 24;
	p[1] = v >> 16;
	p[2] = v >> 8;
	p[3] = v;
}

static inline void wire_put16(__u8 *p, __u16 v)
{
	p[0] = v >> 8;
	p[1] = v;
}

static inline __u32 wire_sum(const __u8 *p, __u32 len, __u32 sum)
{
	for (; len > 1; len -= 2, p += 2)
		sum += wire_get16(p);
	if (len)
		sum += *p << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* Sum over the pseudo header for @tcp_len bytes of TCP. */
static inline __u32 wire_pseudo(const __u8 *ip, __u32 tcp_len)
{
	return wire_sum(ip + 12, 8, 6 + (tcp_len & 0xffff) + (tcp_len >> 16));
}

/* Fill in both checksums of a packet, as far as its headers reach. */
static inline void wire_checksums(__u8 *pkt, __u32 len)
{
	__u8 *ip = pkt + W_ETH, *tcp = ip + (ip[0] & 15) * 4;
	__u32 tcp_len = len - (tcp - pkt);

	if (tcp + W_TCP > pkt + len)
		return;
	wire_put16(ip + 10, 0);
	wire_put16(ip + 10, ~wire_sum(ip, tcp - ip, 0));
	wire_put16(tcp + 16, 0);
	wire_put16(tcp + 16, ~wire_sum(tcp, tcp_len, wire_pseudo(ip, tcp_len)));
}

#endif /* SELFTESTS_TCP_WIRE_H */
