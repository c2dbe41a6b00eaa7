/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * TCP inside: the structs that the tcp_*.c files share, and who offers what.
 *
 *	tcp.c		context: create, run, poll	(the only entry)
 *	tcp_input.c	a packet to a segment, segment to connection, RFC 9293
 *			section 3.10.7.4
 *	tcp_ack.c	the acknowledgment field of a segment
 *	tcp_listen.c	SYN, SYN-RECEIVED, TIME-WAIT, packets for nobody
 *	tcp_output.c	what to send, and descriptors
 *	tcp_conn.c	life of a connection, calls of the server
 *	tcp_queue.c	the outgoing stream: pieces of frames
 *	tcp_ooo.c	data that came out of order
 *	tcp_sack.c	which of our bytes the peer has: scoreboard, pipe
 *	tcp_cc.c	congestion window, round trip time
 *	tcp_timer.c	the wheel, what happens when time is over
 *	tcp_opt.c	options; tcp_isn.c keyed hashes; tcp_dst.c next hops
 *
 * Sequence numbers are compared by seq_*() (RFC 9293 section 3.4). Nothing is
 * freed while packets are processed: a connection that ends becomes TS_CLOSED
 * and is reaped at the end of the run, when the device has read its frames.
 */
#ifndef XTCP_IMPL_H
#define XTCP_IMPL_H

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <exo/flow.h>
#include <exo/frame.h>
#include <exo/neigh.h>
#include <exo/tcp.h>

#define likely(x)	__builtin_expect(!!(x), 1)
#define unlikely(x)	__builtin_expect(!!(x), 0)

#define NS_PER_MS	1000000ULL
#define NS_PER_US	1000ULL

#define TCP_FIN		0x01
#define TCP_SYN		0x02
#define TCP_RST		0x04
#define TCP_PSH		0x08
#define TCP_ACK		0x10
#define TCP_URG		0x20

#define TCP_HEAD_BYTES	54	/* Ethernet, IPv4, TCP without options */
#define TCP_TS_BYTES	12	/* NOP NOP timestamps */
#define TCP_MSS_MIN	64	/* a peer's wish below is not followed */
#define TCP_GSO_MSS_MIN	88	/* below, the module refuses gso_size */
#define TCP_MSS_DEFAULT	536	/* RFC 9293 section 3.7.1 */
#define TCP_WSCALE_MAX	14
#define TCP_DUP_THRESH	3
#define TCP_NR_SACKED	64	/* ranges in the scoreboard */
#define TCP_NR_SACK_OPT	4	/* blocks in one option */

/* TCP over IPv4 over Ethernet, as it stands at exo_tx_desc.pad. */
struct tcp_head {
	__u8 pad[2];
	__u8 dmac[6];
	__u8 smac[6];
	__be16 ethertype;
	__u8 vihl;
	__u8 tos;
	__be16 tot_len;
	__be16 id;
	__be16 frag;
	__u8 ttl;
	__u8 proto;
	__u16 ip_csum;
	__be32 saddr;
	__be32 daddr;
	__be16 sport;
	__be16 dport;
	__be32 seq;
	__be32 ack;
	__u8 doff;
	__u8 flags;
	__be16 wnd;
	__u16 csum;
	__be16 urg;
	__be32 opt[10];
};

_Static_assert(sizeof(struct tcp_head) == 96, "tcp_head has no holes");
_Static_assert(offsetof(struct exo_tx_desc, pad) % 16 == 0,
	       "the header in a descriptor is aligned");

enum tcp_state {
	TS_CLOSED,
	TS_SYN_RCVD,
	TS_ESTABLISHED,
	TS_FIN_WAIT_1,
	TS_FIN_WAIT_2,
	TS_CLOSING,
	TS_CLOSE_WAIT,
	TS_LAST_ACK,
	TS_TIME_WAIT,
};

enum tcp_ca {
	CA_OPEN,	/* no loss known */
	CA_RECOVERY,	/* loss found by acknowledgments */
	CA_LOSS,	/* loss found by the timer */
};

struct tcp_timer {
	struct tcp_timer *next;
	struct tcp_timer **pprev;	/* NULL: not in the wheel */
	__u64 tick;
	bool is_half;		/* of a struct tcp_half, else of a connection */
};

/* What the table finds: first member of a connection and its small forms. */
struct tcp_ep {
	struct tcp_ep *next;
	__u64 addrs;		/* as they lie in a received header */
	__u32 ports;
	__u8 state;
	__u8 is_hashed;
	__u8 dmac[6];
};

/* Options that were agreed upon. */
struct tcp_opts {
	__u16 mss;
	__u8 snd_wscale;
	__u8 has_wscale;
	__u8 has_ts;
	__u8 has_sack;
};

/* SYN-RECEIVED */
struct tcp_half {
	struct tcp_ep ep;
	struct tcp_half *newer;
	struct tcp_half *older;
	struct tcp_timer timer;
	__u32 iss;
	__u32 irs;
	__u32 ts_recent;
	__u32 ts_off;
	__u16 mtu;
	__u16 tries;
	struct tcp_opts opts;
	__u64 sent_ns;
	__u64 due_ns;		/* when to send it again */
};

/* TIME-WAIT */
struct tcp_tw {
	struct tcp_ep ep;
	struct tcp_tw *newer;
	struct tcp_tw *older;
	__u64 expires_ns;
	__u64 challenge_ns;
	__u32 snd_nxt;
	__u32 rcv_nxt;
	__u32 rcv_wnd;
	__u32 ts_recent;
	__u32 ts_off;
	__u8 has_ts;
	__u8 rcv_wscale;
};

/* A piece of the outgoing stream. */
struct tcp_piece {
	__u32 frame;
	__u32 len;
	__u64 offset;
	__u64 mark;	/* descriptors up to here may refer to it */
	__u32 seq;	/* of its first byte */
	__u32 buf;	/* buffer of exo_tcp_write() + 1, or 0 */
};

struct tcp_range {
	__u32 start;
	__u32 end;
};

/* Data that came out of order, at most TCP_OOO_BYTES a chunk. */
#define TCP_OOO_BYTES	2032
struct tcp_ooo {
	struct tcp_ooo *next;
	__u32 seq;
	__u32 len;
	__u8 data[TCP_OOO_BYTES];
};

struct tcp_conn {
	struct tcp_ep ep;
	struct exo_tcp_conn pub;

	/* lists of the context */
	struct tcp_conn *out_next;
	struct tcp_conn *done_next;
	__u8 on_out;
	__u8 on_done;
	__u8 ca;		/* enum tcp_ca */

	/* flags */
	__u8 has_ts;
	__u8 has_sack;
	__u8 fin_queued;	/* no more data will be queued */
	__u8 fin_sent;
	__u8 fin_rcvd;		/* rcv_nxt is past the peer's FIN */
	__u8 rcv_fin;		/* rcv_fin_seq is known */
	__u8 ack_now;
	__u8 more;		/* hold back a partial segment */
	__u8 cwnd_limited;
	__u8 rtt_pending;
	__u8 tlp_sent;		/* a tail loss probe is out */
	__u8 backoff;		/* doublings of the timeout */
	__u8 snd_wscale;
	__u8 rcv_wscale;
	__u8 keep_probes;
	__u8 rto_is_tlp;
	__u8 is_silent;		/* accepted() refused it: no closed() */

	/* send */
	__u32 iss;
	__u32 snd_una;
	__u32 snd_nxt;		/* highest sent, plus one */
	__u32 snd_end;		/* end of the queue, without FIN */
	__u32 snd_wnd;
	__u32 snd_wl1;
	__u32 snd_wl2;
	__u32 max_wnd;
	__u32 mss;		/* payload of a full segment, options deducted */
	__u32 gso_bytes;	/* payload of the largest descriptor, n * mss */
	__u32 cwnd;
	__u32 ssthresh;
	__u32 ca_acked;		/* bytes acknowledged since cwnd grew */
	__u32 dupacks;
	__u32 recover;		/* recovery ends when this is acknowledged */
	__u32 lost_to;		/* what is not sacked below is lost */
	__u32 rtx_nxt;		/* lost bytes below have been sent again */
	__u32 rtx_high;		/* snd_nxt when the head was sent again */
	__u32 nr_sacked;
	__u32 sacked_bytes;
	__u32 srtt_us8;		/* smoothed, in eighths, 0: no sample yet */
	__u32 rttvar_us4;
	__u32 rto_us;
	__u32 rtt_seq;
	__u64 rtt_ns;

	/* queue */
	struct tcp_piece *pieces;
	__u32 nr_pieces_max;	/* power of two */
	__u32 q_head;		/* free running */
	__u32 q_tail;
	__u32 q_nxt;		/* piece that holds snd_nxt */
	__u64 queued;
	__u64 released;
	__u64 tx_mark;		/* last descriptor that names a frame */

	/* receive */
	__u32 irs;
	__u32 rcv_nxt;
	__u32 rcv_adv;		/* right edge that was offered */
	__u32 rcv_limit;
	__u32 rcv_fin_seq;
	__u32 last_ack;		/* acknowledgment sent last */
	__u32 ack_bytes;	/* received and not acknowledged */
	__u32 rcv_mss;		/* estimate of the peer's segments */
	__u32 ts_recent;
	__u32 ts_off;
	__u64 ts_recent_ns;
	struct tcp_ooo *ooo;
	__u32 ooo_bytes;
	__u32 ooo_last;		/* start of what came last */
	struct tcp_range dsack;

	/* time; 0: off */
	struct tcp_timer timer;
	__u64 t_rto;		/* retransmission, tail or window probe */
	__u64 t_ack;
	__u64 t_live;		/* keepalive, idle, FIN-WAIT-2 */
	__u64 heard_ns;
	__u64 sent_ns;
	__u64 stall_ns;		/* since when nothing was acknowledged */
	__u64 challenge_ns;

	__u32 mtu;
	__u32 peer_mss;
	__u32 dst_gen;
	__u16 ip_id;
	int error;
	struct tcp_head head;
	struct tcp_range sacked[TCP_NR_SACKED];
};

/* A received segment, checked as far as it goes without a connection. */
struct tcp_seg {
	const struct tcp_head *head;	/* its Ethernet and IP header */
	const __u8 *data;
	__u32 len;
	__u32 seq;
	__u32 ack;
	__u32 wnd;		/* not scaled */
	__u32 tsval;
	__u32 tsecr;
	__u64 addrs;
	__u32 ports;
	__u32 gso_size;
	__u8 flags;
	__u8 has_ts;
	__u8 nr_sack;
	__u8 opt_len;
	const __u8 *opt;
	struct tcp_range sack[TCP_NR_SACK_OPT];
};

#define TCP_WHEEL_SHIFT	20	/* ns to ticks of 1.05 ms */
#define TCP_WHEEL_SLOTS	4096
#define TCP_NR_DST	256

struct tcp_dst {
	__be32 raddr;
	__be32 laddr;
	__u32 gen;
	__u8 mac[6];
	__u8 is_valid;
	__u8 is_hint;
	__u32 mtu;
};

struct exo_tcp {
	struct exo_env *env;
	struct exo_flow *flow;
	const struct exo_tcp_ops *ops;
	struct exo_tcp_config cfg;

	__u64 now_ns;
	__u32 now_ms;
	__u32 dst_gen;
	__u64 tx_seq;		/* descriptors submitted, as tx_pos but wider */
	__u64 tx_done;
	__u32 tx_done32;
	bool is_dead;
	bool is_full;		/* the transmit ring, since output began */
	__u8 rcv_wscale;	/* of the configured window */

	struct tcp_ep **table;
	__u32 table_shift;
	__u64 key[4];		/* of the table */
	__u64 isn_key[2];

	struct tcp_conn *out_head;
	struct tcp_conn **out_tail;
	struct tcp_conn *done;

	struct tcp_conn *conns;
	struct tcp_conn *free_conns;
	__u32 nr_conns_used;	/* slots of conns[] ever used */
	struct tcp_half *halves;
	struct tcp_half *free_halves;
	struct tcp_half *half_old;
	struct tcp_half *half_new;
	struct tcp_tw *tws;
	struct tcp_tw *free_tws;
	struct tcp_tw *tw_old;
	struct tcp_tw *tw_new;

	struct tcp_ooo *free_ooo;
	__u32 nr_ooo;		/* chunks that exist */

	struct exo_frame wframe;
	__u32 *wfree;
	__u32 nr_wfree;

	__u64 tick;		/* wheel: all up to here have run */
	__u32 nr_timers;	/* in it */
	__u64 wheel_map[TCP_WHEEL_SLOTS / 64];
	struct tcp_timer *wheel[TCP_WHEEL_SLOTS];

	struct tcp_dst dst[TCP_NR_DST];
	struct exo_tcp_stats stats;
};

static inline bool seq_before(__u32 a, __u32 b)
{
	return (__s32)(a - b) < 0;
}

static inline bool seq_after(__u32 a, __u32 b)
{
	return (__s32)(a - b) > 0;
}

static inline __u32 seq_max(__u32 a, __u32 b)
{
	return seq_after(a, b) ? a : b;
}

static inline __u32 seq_min(__u32 a, __u32 b)
{
	return seq_before(a, b) ? a : b;
}

static inline __u32 u32_min(__u32 a, __u32 b)
{
	return a < b ? a : b;
}

static inline __u32 u32_max(__u32 a, __u32 b)
{
	return a > b ? a : b;
}

static inline struct tcp_conn *tcp_conn_of(const struct exo_tcp_conn *pub)
{
	return (struct tcp_conn *)((char *)pub - offsetof(struct tcp_conn, pub));
}

/* Put a connection on the list of those that exo_tcp_run() lets send. */
static inline void xtcp_want_output(struct exo_tcp *tcp, struct tcp_conn *c)
{
	if (c->on_out)
		return;
	c->on_out = 1;
	c->out_next = NULL;
	*tcp->out_tail = c;
	tcp->out_tail = &c->out_next;
}

/* Put a connection on the list of those that wait for the device. */
static inline void xtcp_want_done(struct exo_tcp *tcp, struct tcp_conn *c)
{
	if (c->on_done)
		return;
	c->on_done = 1;
	c->done_next = tcp->done;
	tcp->done = c;
}

#pragma GCC visibility push(hidden)

/* tcp_table.c */
int xtcp_table_init(struct exo_tcp *tcp);
void xtcp_table_exit(struct exo_tcp *tcp);
struct tcp_ep *xtcp_table_find(const struct exo_tcp *tcp, __u64 addrs,
			       __u32 ports);
void xtcp_table_add(struct exo_tcp *tcp, struct tcp_ep *ep);
void xtcp_table_del(struct exo_tcp *tcp, struct tcp_ep *ep);

/* tcp_isn.c */
int xtcp_isn_init(struct exo_tcp *tcp);
__u32 xtcp_isn(const struct exo_tcp *tcp, __u64 addrs, __u32 ports);
__u32 xtcp_ts_offset(const struct exo_tcp *tcp, __u64 addrs);

/* tcp_opt.c */
void xtcp_opt_parse(struct tcp_seg *seg, const __u8 *opt, __u32 len);
void xtcp_opt_parse_syn(const struct tcp_seg *seg, struct tcp_opts *out);
__u32 xtcp_opt_syn(const struct tcp_half *half, __u16 mss, __u8 wscale,
		   __u32 tsval, __be32 *opt);
__u32 xtcp_opt_ack(const struct tcp_conn *c, __be32 *opt);
__u16 xtcp_csum(const void *data, __u32 len, __u64 sum);

/* tcp_input.c */
void xtcp_input(struct exo_tcp *tcp, const struct exo_rx_record *rec);
void xtcp_segment(struct exo_tcp *tcp, struct tcp_conn *c, struct tcp_seg *seg);
void xtcp_challenge(struct exo_tcp *tcp, struct tcp_conn *c);

/* tcp_ack.c */
bool xtcp_ack(struct exo_tcp *tcp, struct tcp_conn *c,
	      const struct tcp_seg *seg);

/* tcp_listen.c */
void xtcp_listen(struct exo_tcp *tcp, struct tcp_seg *seg);
void xtcp_half_segment(struct exo_tcp *tcp, struct tcp_half *half,
		       struct tcp_seg *seg);
void xtcp_half_timer(struct exo_tcp *tcp, struct tcp_half *half);
void xtcp_syn(struct exo_tcp *tcp, const struct tcp_seg *seg, __u32 iss);
void xtcp_half_free(struct exo_tcp *tcp, struct tcp_half *half);
void xtcp_reset_reply(struct exo_tcp *tcp, const struct tcp_seg *seg);

/* tcp_tw.c */
void xtcp_tw_enter(struct exo_tcp *tcp, struct tcp_conn *c);
void xtcp_tw_segment(struct exo_tcp *tcp, struct tcp_tw *tw,
		     struct tcp_seg *seg);
void xtcp_tw_free(struct exo_tcp *tcp, struct tcp_tw *tw);
void xtcp_tw_run(struct exo_tcp *tcp);

/* tcp_conn.c */
struct tcp_conn *xtcp_conn_new(struct exo_tcp *tcp,
			       const struct tcp_half *half);
void xtcp_conn_set_mtu(struct exo_tcp *tcp, struct tcp_conn *c, __u32 mtu);
void xtcp_conn_close(struct exo_tcp *tcp, struct tcp_conn *c, int error);
void xtcp_conn_reset(struct exo_tcp *tcp, struct tcp_conn *c, int error);
void xtcp_conn_fin_acked(struct exo_tcp *tcp, struct tcp_conn *c);
void xtcp_conn_fin_rcvd(struct exo_tcp *tcp, struct tcp_conn *c);
void xtcp_reap(struct exo_tcp *tcp, bool force);

/* tcp_queue.c */
int xtcp_queue_add(struct tcp_conn *c, const struct exo_tcp_vec *vec,
		   unsigned int nr, __u32 buf);
__u32 xtcp_queue_fill(struct tcp_conn *c, struct exo_tx_desc *desc, __u32 seq,
		      __u32 len, __u64 mark);
void xtcp_queue_release(struct exo_tcp *tcp, struct tcp_conn *c);
void xtcp_queue_drop(struct exo_tcp *tcp, struct tcp_conn *c);

/* tcp_ooo.c */
void xtcp_ooo_add(struct exo_tcp *tcp, struct tcp_conn *c, __u32 seq,
		  const __u8 *data, __u32 len);
void xtcp_ooo_deliver(struct exo_tcp *tcp, struct tcp_conn *c);
void xtcp_ooo_drop(struct exo_tcp *tcp, struct tcp_conn *c);
unsigned int xtcp_ooo_ranges(const struct tcp_conn *c, struct tcp_range *out,
			     unsigned int max);
void xtcp_ooo_exit(struct exo_tcp *tcp);

/* tcp_sack.c */
bool xtcp_sack_add(struct tcp_conn *c, const struct tcp_seg *seg);
void xtcp_sack_acked(struct tcp_conn *c);
void xtcp_sack_clear(struct tcp_conn *c);
__u32 xtcp_sack_lost_edge(const struct tcp_conn *c);
__u32 xtcp_sack_pipe(const struct tcp_conn *c);
bool xtcp_sack_hole(const struct tcp_conn *c, __u32 from, __u32 to,
		    struct tcp_range *out);

/* tcp_cc.c */
void xtcp_cc_init(struct tcp_conn *c);
void xtcp_cc_acked(struct tcp_conn *c, __u32 acked);
void xtcp_cc_recovery(struct exo_tcp *tcp, struct tcp_conn *c);
void xtcp_cc_timeout(struct tcp_conn *c);
void xtcp_cc_idle(struct tcp_conn *c);
void xtcp_rtt_sample(struct tcp_conn *c, __u64 rtt_ns);
__u64 xtcp_rto_ns(const struct exo_tcp *tcp, const struct tcp_conn *c);

/* tcp_output.c */
bool xtcp_output(struct exo_tcp *tcp, struct tcp_conn *c);
bool xtcp_xmit(struct exo_tcp *tcp, struct tcp_conn *c, __u32 seq, __u32 len,
	       bool fin);
void xtcp_send_ack(struct exo_tcp *tcp, struct tcp_conn *c);
void xtcp_send_probe(struct exo_tcp *tcp, struct tcp_conn *c);
void xtcp_send_rst(struct exo_tcp *tcp, struct tcp_conn *c);
void xtcp_head_init(struct exo_tcp *tcp, struct tcp_head *head,
		    const struct tcp_ep *ep);
bool xtcp_send_head(struct exo_tcp *tcp, const struct tcp_head *head,
		    __u32 opt_len);
void xtcp_run_output(struct exo_tcp *tcp);

/* tcp_timer.c */
void xtcp_timer_set(struct exo_tcp *tcp, struct tcp_timer *timer, __u64 ns);
void xtcp_timer_del(struct exo_tcp *tcp, struct tcp_timer *timer);
void xtcp_timer_run(struct exo_tcp *tcp);
__s64 xtcp_timer_next_ns(const struct exo_tcp *tcp, __u64 now_ns);
void xtcp_conn_timer_slow(struct exo_tcp *tcp, struct tcp_conn *c, __u64 ns);
void xtcp_arm_rto(struct exo_tcp *tcp, struct tcp_conn *c);
void xtcp_arm_live(struct exo_tcp *tcp, struct tcp_conn *c);

/*
 * A deadline of the connection has moved. The wheel holds the earliest that was
 * ever set; a later one costs nothing here, it is looked up when that fires.
 */
static inline void xtcp_conn_timer(struct exo_tcp *tcp, struct tcp_conn *c,
				   __u64 ns)
{
	if (unlikely(!c->timer.pprev ||
		     (ns >> TCP_WHEEL_SHIFT) + 1 < c->timer.tick))
		xtcp_conn_timer_slow(tcp, c, ns);
}

/* tcp_dst.c */
int xtcp_dst_find(struct exo_tcp *tcp, __be32 laddr, __be32 raddr,
		  const __u8 *hint, __u8 mac[6], __u32 *mtu);
void xtcp_dst_refresh(struct exo_tcp *tcp, struct tcp_conn *c);

#pragma GCC visibility pop

#endif /* XTCP_IMPL_H */
