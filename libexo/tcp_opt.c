// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * TCP options (RFC 9293 section 3.1, RFC 7323, RFC 2018) and the checksum
 * (RFC 1071). An option whose length makes no sense ends the parsing: what was
 * read before it counts.
 */
#include "tcp_impl.h"

enum {
	OPT_END,
	OPT_NOP,
	OPT_MSS,
	OPT_WSCALE,
	OPT_SACK_OK,
	OPT_SACK,
	OPT_TS = 8,
};

static __u16 get16(const __u8 *p)
{
	return p[0] << 8 | p[1];
}

static __u32 get32(const __u8 *p)
{
	__be32 v;

	memcpy(&v, p, sizeof(v));
	return ntohl(v);
}

/*
 * One step: the option at *@opt, or 0 at the end. *@body is behind kind and
 * length, *@body_len its length; *@opt moves on.
 */
static unsigned int opt_next(const __u8 **opt, __u32 *left, const __u8 **body,
			     __u32 *body_len)
{
	const __u8 *p = *opt;
	__u32 n = *left;

	while (n && *p == OPT_NOP) {
		p++;
		n--;
	}
	if (n < 2 || *p == OPT_END || p[1] < 2 || p[1] > n)
		return OPT_END;
	*body = p + 2;
	*body_len = p[1] - 2;
	*opt = p + p[1];
	*left = n - p[1];
	return p[0];
}

static void parse_sack(struct tcp_seg *seg, const __u8 *body, __u32 len)
{
	__u32 i;

	if (len % 8 || len / 8 > TCP_NR_SACK_OPT)
		return;
	for (i = 0; i < len / 8; i++) {
		seg->sack[i].start = get32(body + 8 * i);
		seg->sack[i].end = get32(body + 8 * i + 4);
	}
	seg->nr_sack = i;
}

/* Options of a segment without SYN: timestamps and SACK. */
void xtcp_opt_parse(struct tcp_seg *seg, const __u8 *opt, __u32 len)
{
	const __u8 *body;
	__u32 body_len;
	unsigned int kind;

	while ((kind = opt_next(&opt, &len, &body, &body_len)) != OPT_END) {
		if (kind == OPT_TS && body_len == 8) {
			seg->has_ts = 1;
			seg->tsval = get32(body);
			seg->tsecr = get32(body + 4);
		} else if (kind == OPT_SACK) {
			parse_sack(seg, body, body_len);
		}
	}
}

/* Options of a SYN. The window scale is cut to 14 (RFC 7323 section 2.3). */
void xtcp_opt_parse_syn(const struct tcp_seg *seg, struct tcp_opts *out)
{
	const __u8 *opt = seg->opt, *body;
	__u32 len = seg->opt_len, body_len;
	unsigned int kind;

	memset(out, 0, sizeof(*out));
	out->mss = TCP_MSS_DEFAULT;
	while ((kind = opt_next(&opt, &len, &body, &body_len)) != OPT_END) {
		if (kind == OPT_MSS && body_len == 2) {
			out->mss = get16(body);
		} else if (kind == OPT_WSCALE && body_len == 1) {
			out->has_wscale = 1;
			out->snd_wscale = u32_min(body[0], TCP_WSCALE_MAX);
		} else if (kind == OPT_SACK_OK && body_len == 0) {
			out->has_sack = 1;
		} else if (kind == OPT_TS && body_len == 8) {
			out->has_ts = 1;
		}
	}
	out->mss = u32_max(out->mss, TCP_MSS_MIN);
}

/* Options of our SYN-ACK: what the SYN offered. Returns their length. */
__u32 xtcp_opt_syn(const struct tcp_half *half, __u16 mss, __u8 wscale,
		   __u32 tsval, __be32 *opt)
{
	__be32 *p = opt;

	*p++ = htonl(OPT_MSS << 24 | 4 << 16 | mss);
	if (half->opts.has_ts) {
		*p++ = htonl((half->opts.has_sack ? OPT_SACK_OK << 24 | 2 << 16 :
			      OPT_NOP << 24 | OPT_NOP << 16) | OPT_TS << 8 | 10);
		*p++ = htonl(tsval);
		*p++ = htonl(half->ts_recent);
	} else if (half->opts.has_sack) {
		*p++ = htonl(OPT_NOP << 24 | OPT_NOP << 16 |
			     OPT_SACK_OK << 8 | 2);
	}
	if (half->opts.has_wscale)
		*p++ = htonl(OPT_NOP << 24 | OPT_WSCALE << 16 | 3 << 8 | wscale);
	return (p - opt) * sizeof(*p);
}

/*
 * SACK blocks behind the timestamps of the template, the newest first (RFC 2018
 * section 4), before all a duplicate (RFC 2883). Returns the options' length.
 */
__u32 xtcp_opt_ack(const struct tcp_conn *c, __be32 *opt)
{
	__be32 *p = opt + (c->has_ts ? TCP_TS_BYTES / 4 : 0);
	unsigned int nr = 0, max = c->has_ts ? 3 : 4, i;
	struct tcp_range block[TCP_NR_SACK_OPT];

	if (c->has_sack) {
		if (c->dsack.start != c->dsack.end)
			block[nr++] = c->dsack;
		nr += xtcp_ooo_ranges(c, block + nr, max - nr);
	}
	if (nr) {
		*p++ = htonl(OPT_NOP << 24 | OPT_NOP << 16 | OPT_SACK << 8 |
			     (2 + 8 * nr));
		for (i = 0; i < nr; i++) {
			*p++ = htonl(block[i].start);
			*p++ = htonl(block[i].end);
		}
	}
	return (p - opt) * sizeof(*p);
}

/**
 * xtcp_csum() - Internet checksum
 * @data: bytes, of any alignment
 * @len: how many
 * @sum: 16 bit words in network byte order added up before
 *
 * Return: what belongs into a checksum field; 0 if the field was included and
 * right.
 */
__u16 xtcp_csum(const void *data, __u32 len, __u64 sum)
{
	const __u8 *p = data;
	__u32 word;

	for (; len >= 4; len -= 4, p += 4) {
		memcpy(&word, p, 4);
		sum += word;
	}
	if (len) {
		word = 0;
		memcpy(&word, p, len);
		sum += word;
	}
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}
