// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Initial sequence numbers that cannot be guessed (RFC 6528) and timestamp
 * offsets (RFC 7323 section 7.1): SipHash-2-4 (Aumasson, Bernstein 2012) of the
 * addresses under a secret of this context.
 */
#include <sys/random.h>
#include "tcp_impl.h"

static __u64 rotl(__u64 x, unsigned int n)
{
	return x << n | x >> (64 - n);
}

static __always_inline void sip_round(__u64 v[4])
{
	v[0] += v[1];
	v[1] = rotl(v[1], 13) ^ v[0];
	v[0] = rotl(v[0], 32);
	v[2] += v[3];
	v[3] = rotl(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotl(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotl(v[1], 17) ^ v[2];
	v[2] = rotl(v[2], 32);
}

static __always_inline void sip_word(__u64 v[4], __u64 word)
{
	v[3] ^= word;
	sip_round(v);
	sip_round(v);
	v[0] ^= word;
}

static __u64 siphash(const __u64 key[2], __u64 a, __u64 b)
{
	__u64 v[4] = {
		key[0] ^ 0x736f6d6570736575ULL,
		key[1] ^ 0x646f72616e646f6dULL,
		key[0] ^ 0x6c7967656e657261ULL,
		key[1] ^ 0x7465646279746573ULL,
	};
	int i;

	sip_word(v, a);
	sip_word(v, b);
	sip_word(v, 16ULL << 56);	/* 16 bytes were hashed */
	v[2] ^= 0xff;
	for (i = 0; i < 4; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static int get_secret(void *buf, size_t len)
{
	ssize_t n;

	do {
		n = getrandom(buf, len, 0);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EIO;
}

int xtcp_isn_init(struct exo_tcp *tcp)
{
	int rc = get_secret(tcp->key, sizeof(tcp->key));

	return rc ? rc : get_secret(tcp->isn_key, sizeof(tcp->isn_key));
}

/* RFC 6528 section 3: a clock of about 4 us plus a hash of the connection. */
__u32 xtcp_isn(const struct exo_tcp *tcp, __u64 addrs, __u32 ports)
{
	return (tcp->now_ns >> 12) + siphash(tcp->isn_key, addrs, ports);
}

/*
 * The same for all connections between two hosts, so that timestamps grow from
 * one connection to the next and TIME-WAIT can be left early (RFC 6191).
 */
__u32 xtcp_ts_offset(const struct exo_tcp *tcp, __u64 addrs)
{
	return siphash(tcp->isn_key, addrs, ~0ULL);
}
