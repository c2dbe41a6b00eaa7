/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * A server whose wire and clock are the test itself: crafted segments in,
 * what is sent looked at one by one. Sequence numbers are relative: 0 is the
 * SYN, 1 the first byte.
 */
#ifndef SELFTESTS_TCP_WORLD_H
#define SELFTESTS_TCP_WORLD_H

#include "fake.h"
#include "wire.h"

#define MS	1000000ULL
#define US_ADDR	0x0a000001	/* 10.0.0.1 */

/* The peer's view of a connection. */
struct peer {
	__u32 addr;
	__u16 port;
	__u32 isn;		/* its own */
	__u32 irs;		/* ours */
	__u16 wnd;
	bool ts;		/* puts timestamps on what it sends */
	__u32 tsval;
	__u32 tsecr;
};

struct world {
	struct fake fake;
	struct exo_env *env;
	struct exo_flow *flow;
	struct exo_frame frame;
	struct exo_tcp_config cfg;
	struct exo_tcp *tcp;
	__u64 now;
	bool refuse;		/* what accepted() does */
	bool echo_fin;		/* peer_closed() shuts down */
	__u32 answer;		/* data() sends so many bytes of the frame */
	__u32 answer_flags;
	/* What happened */
	struct exo_tcp_conn *conn;
	unsigned int nr_accepted;
	unsigned int nr_peer_closed;
	unsigned int nr_closed;
	int error;
	__u64 released;
	__u32 nr_data;		/* bytes in data[] */
	__u8 data[1 << 17];
	/* What was sent last, see next() */
	struct fake_packet *pkt;
	__u8 flags;
	__u32 seq;
	__u32 ack;
	__u32 wnd;
	__u32 len;
	const __u8 *payload;
	const __u8 *opt;
	__u32 opt_len;
};

extern int world_tests, world_failed;

void world_ok(bool ok, const char *what);

void world_init(struct world *w);	/* then change fake, cfg */
void world_start(struct world *w);
void world_stop(struct world *w);

/* The peer's bytes: what stands at relative sequence number @pos. */
__u8 world_byte(__u32 pos);

/* Deliver a segment; @seq and @ack are relative. The peer's bytes if @len. */
void world_send(struct world *w, const struct peer *p, __u8 flags, __u32 seq,
		__u32 ack, __u32 len);
void world_send_opt(struct world *w, const struct peer *p, __u8 flags,
		    __u32 seq, __u32 ack, __u32 len, const void *opt,
		    __u32 opt_len);
/* Build only; returns the length. */
__u32 world_build(const struct world *w, const struct peer *p, __u8 *pkt,
		  __u8 flags, __u32 seq, __u32 ack, __u32 len, const void *opt,
		  __u32 opt_len);

/* Run at the same time, or after @ms milliseconds (every one of them). */
void world_run(struct world *w);
void world_pass(struct world *w, unsigned int ms);

/* Take the next packet sent apart; false if there is none. */
bool world_next(struct world *w, const struct peer *p);
bool world_none(struct world *w);
/* The next packet is this one; @len bytes of payload. */
bool world_expect(struct world *w, const struct peer *p, __u8 flags, __u32 seq,
		  __u32 ack, __u32 len);
void world_drain(struct world *w);

/* A handshake to ESTABLISHED. */
void world_connect(struct world *w, struct peer *p);
bool world_send_frame(struct world *w, __u32 offset, __u32 len,
		      unsigned int flags);
bool world_data_is(const struct world *w, __u32 len);

#endif /* SELFTESTS_TCP_WORLD_H */
