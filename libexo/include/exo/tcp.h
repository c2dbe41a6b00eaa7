/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * TCP over IPv4 for servers, on the rings of a flow (RFC 9293, passive open).
 *
 * A struct exo_tcp serves one flow in one thread. exo_tcp_run() does all work:
 * it takes what has arrived, calls the server back, runs timers and fills the
 * transmit ring; the caller then rings the doorbell once. exo_tcp_poll() does
 * both and sleeps. Callbacks may call every exo_tcp_ function on any
 * connection of the same exo_tcp except run, poll and destroy.
 *
 * What is sent stays in the frames of the caller: the first transmission and
 * every later one read the frame. A frame's bytes must not change until
 * released() (or closed()) has passed them. The FIN rides on the last data, the
 * acknowledgment of a request on its response, if the server answers from
 * data() or before the next exo_tcp_run() returns to the ring.
 *
 * Positions in the outgoing stream count bytes from 0 at the first byte sent.
 * Addresses and ports are in network byte order, times in nanoseconds of
 * CLOCK_MONOTONIC unless the name says otherwise.
 */
#ifndef EXO_TCP_H
#define EXO_TCP_H

#include <stddef.h>
#include <linux/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct exo_env;
struct exo_flow;
struct exo_neigh;
struct exo_tcp;

/**
 * struct exo_tcp_conn - a connection, as the server sees it
 * @user: free for the server
 * @tcp: where it belongs
 * @raddr: address of the peer
 * @laddr: our address
 * @rport: port of the peer
 * @lport: our port
 *
 * Lives from accepted() until closed() returns. Only @user may be written.
 */
struct exo_tcp_conn {
	void *user;
	struct exo_tcp *tcp;
	__u32 raddr;
	__u32 laddr;
	__u16 rport;
	__u16 lport;
};

/**
 * struct exo_tcp_vec - bytes of a frame
 * @frame: handle of the frame
 * @len: bytes, may be 0
 * @offset: bytes from the start of the frame
 */
struct exo_tcp_vec {
	__u32 frame;
	__u32 len;
	__u64 offset;
};

/**
 * struct exo_tcp_ops - what a server wants to be told
 * @accepted: a connection is established. Return 0, or anything else to reset
 *            it (closed() is then not called).
 * @data: @len bytes arrived, in order. They are in the receive ring and gone
 *        when the callback returns: use or copy all of them.
 * @peer_closed: the peer will send no more; we still can. A server that has
 *               nothing more to say calls exo_tcp_shutdown(). May be NULL:
 *               then that is done for it.
 * @released: nothing refers to the frames of the stream before position @end
 *            any more: acknowledged, and read by the device. Room in the send
 *            queue. May be NULL.
 * @closed: the last callback of a connection; none of its frames is referred
 *          to. @error: 0 closed orderly, -ECONNRESET by the peer's RST,
 *          -ETIMEDOUT no answer, -ECONNABORTED by exo_tcp_abort(),
 *          -ESTALE the flow is dead, -EHOSTUNREACH no route.
 *          May be NULL. Never called from inside another callback or
 *          exo_tcp_ function than exo_tcp_run(), _poll() and _destroy().
 */
struct exo_tcp_ops {
	int (*accepted)(struct exo_tcp_conn *conn);
	void (*data)(struct exo_tcp_conn *conn, const void *data, size_t len);
	void (*peer_closed)(struct exo_tcp_conn *conn);
	void (*released)(struct exo_tcp_conn *conn, __u64 end);
	void (*closed)(struct exo_tcp_conn *conn, int error);
};

/**
 * struct exo_tcp_config - limits and times; exo_tcp_config_init() fills it in
 * @user: for exo_tcp_user()
 * @neigh: next hops; not owned. NULL: packets go back to the MAC address that
 *         the connection's SYN came from.
 * @max_conns: connections, established or closing
 * @max_half_open: connections whose handshake is not finished; when exceeded,
 *                 the oldest is forgotten (RFC 4987, section 3.4)
 * @max_time_wait: connections in TIME-WAIT; when exceeded, the oldest goes
 * @max_vecs: pieces queued on one connection, power of two
 * @max_seg_bytes: upper bound for our MSS option, 0: what the MTU allows
 * @rcv_window_bytes: what each peer may send ahead, up to 1 GiB
 * @ooo_bytes: memory for data that came out of order, all connections
 * @ooo_conn_bytes: the same, one connection
 * @write_bytes: memory for exo_tcp_write(), all connections
 * @copy_bytes: payloads up to this length (and one segment) are sent with
 *              EXO_TX_F_COPY
 * @time_wait_ms: 2 MSL
 * @delayed_ack_ms: longest delay of an acknowledgment, under 500
 * @rto_min_ms: smallest retransmission timeout
 * @rto_max_ms: largest retransmission timeout
 * @user_timeout_ms: a peer that acknowledges nothing for so long is given up
 * @fin_wait_ms: longest stay in FIN-WAIT-2
 * @keepalive_ms: silence after which the peer is probed, 0: never
 * @idle_ms: silence after which a connection is closed, 0: never
 */
struct exo_tcp_config {
	void *user;
	struct exo_neigh *neigh;
	__u32 max_conns;
	__u32 max_half_open;
	__u32 max_time_wait;
	__u32 max_vecs;
	__u32 max_seg_bytes;
	__u32 rcv_window_bytes;
	__u32 ooo_bytes;
	__u32 ooo_conn_bytes;
	__u32 write_bytes;
	__u32 copy_bytes;
	__u32 time_wait_ms;
	__u32 delayed_ack_ms;
	__u32 rto_min_ms;
	__u32 rto_max_ms;
	__u32 user_timeout_ms;
	__u32 fin_wait_ms;
	__u32 keepalive_ms;
	__u32 idle_ms;
};

/**
 * struct exo_tcp_stats - counters of an exo_tcp
 * @nr_conns: connections now, those waiting for the device included
 * @nr_half_open: handshakes unfinished now
 * @nr_time_wait: connections in TIME-WAIT now
 * @ooo_bytes: memory now held by data out of order
 * @rx_segs: packets taken from the ring, a merged one counted once
 * @rx_bytes: payload delivered
 * @rx_bad: packets dropped as malformed or with a wrong checksum
 * @rx_ooo: packets that came out of order
 * @rx_dup: packets that brought nothing new
 * @tx_descs: descriptors, retransmissions included
 * @tx_bytes: payload sent, retransmissions included
 * @tx_acks: descriptors without payload
 * @tx_rsts: RSTs sent
 * @tx_full: times the transmit ring was full
 * @retrans_bytes: payload retransmitted
 * @fast_recoveries: times loss was found by acknowledgments
 * @timeouts: times loss was found by the timer
 * @probes: tail loss, window and keepalive probes
 * @challenge_acks: answers to suspicious segments (RFC 5961)
 * @paws_drops: segments with an old timestamp
 * @accepted: connections established
 * @half_open_dropped: handshakes forgotten because of @max_half_open
 * @accept_dropped: handshakes refused because of max_conns
 */
struct exo_tcp_stats {
	__u64 nr_conns;
	__u64 nr_half_open;
	__u64 nr_time_wait;
	__u64 ooo_bytes;
	__u64 rx_segs;
	__u64 rx_bytes;
	__u64 rx_bad;
	__u64 rx_ooo;
	__u64 rx_dup;
	__u64 tx_descs;
	__u64 tx_bytes;
	__u64 tx_acks;
	__u64 tx_rsts;
	__u64 tx_full;
	__u64 retrans_bytes;
	__u64 fast_recoveries;
	__u64 timeouts;
	__u64 probes;
	__u64 challenge_acks;
	__u64 paws_drops;
	__u64 accepted;
	__u64 half_open_dropped;
	__u64 accept_dropped;
};

/**
 * struct exo_tcp_info - one connection, for monitoring
 * @state: name as in RFC 9293 ("ESTABLISHED")
 * @mss: payload of a full segment, bytes
 * @cwnd: congestion window, bytes
 * @ssthresh: slow start threshold, bytes
 * @peer_window: what the peer lets us send, bytes
 * @in_flight: sent and not acknowledged, bytes
 * @srtt_us: smoothed round trip time
 * @rto_ms: retransmission timeout
 */
struct exo_tcp_info {
	const char *state;
	__u32 mss;
	__u32 cwnd;
	__u32 ssthresh;
	__u32 peer_window;
	__u32 in_flight;
	__u32 srtt_us;
	__u32 rto_ms;
};

/* Flags of exo_tcp_send() and exo_tcp_write() */
#define EXO_TCP_FIN	(1U << 0)	/* this is the last data: close our side */
#define EXO_TCP_MORE	(1U << 1)	/* more follows soon: fill segments */

/* Fill in the defaults. */
void exo_tcp_config_init(struct exo_tcp_config *config);

/**
 * exo_tcp_create() - serve a flow
 * @env: the env of the flow, also for the frames of exo_tcp_write()
 * @flow: a bound flow, used by nobody else until exo_tcp_destroy()
 * @ops: callbacks; must stay valid
 * @config: copied; NULL for the defaults
 * @out: the context
 *
 * Return: 0; -EINVAL a value of @config is outside its bounds; -ENOMEM; an
 * error of getrandom(2) or exo_frame_alloc().
 */
int exo_tcp_create(struct exo_env *env, struct exo_flow *flow,
		   const struct exo_tcp_ops *ops,
		   const struct exo_tcp_config *config, struct exo_tcp **out);

/**
 * exo_tcp_destroy() - reset all connections and release everything
 * @tcp: the context or NULL; the flow stays bound
 *
 * Calls closed() for each connection. Frames that the device may still read
 * stay referred to by the module, not by @tcp: unbind the flow before frames
 * are changed.
 */
void exo_tcp_destroy(struct exo_tcp *tcp);

/* The user pointer of the config. */
void *exo_tcp_user(const struct exo_tcp *tcp);

/* The clock: CLOCK_MONOTONIC in nanoseconds. */
__u64 exo_tcp_now_ns(void);

/**
 * exo_tcp_run() - do what there is to do, without sleeping
 * @tcp: the context
 * @now_ns: the time; must not go backwards
 *
 * Rings the doorbell by itself only when the transmit ring is full.
 *
 * Return: number of descriptors that wait for the doorbell; -ESTALE the flow is
 * dead: all connections are closed.
 */
int exo_tcp_run(struct exo_tcp *tcp, __u64 now_ns);

/**
 * exo_tcp_next_timeout_ns() - how long one may sleep
 * @tcp: the context
 * @now_ns: the time
 *
 * Return: nanoseconds until exo_tcp_run() has something to do even if nothing
 * arrives, 0 at once, -1 never.
 */
__s64 exo_tcp_next_timeout_ns(const struct exo_tcp *tcp, __u64 now_ns);

/**
 * exo_tcp_poll() - run, ring the doorbell, sleep until something arrives
 * @tcp: the context
 * @timeout_ns: longest sleep; 0: do not sleep; -1: no limit but the timers'
 * @kick_flags: further EXO_FLOW_KICK_* flags, such as EXO_FLOW_KICK_BUSY_POLL
 *
 * What arrived is processed by the next call. Wakes also for the completion
 * rings of the env.
 *
 * Return: 0; -EINTR; -ESTALE the flow is dead.
 */
int exo_tcp_poll(struct exo_tcp *tcp, __s64 timeout_ns, __u32 kick_flags);

/**
 * exo_tcp_send() - queue bytes that stand in frames
 * @conn: the connection
 * @vec: the pieces, in order; copied, but not what they refer to
 * @nr: number of pieces, 0 is allowed with EXO_TCP_FIN
 * @flags: EXO_TCP_FIN, EXO_TCP_MORE
 *
 * All or nothing. What is queued goes out in exo_tcp_run(): this one, if called
 * from a callback, else the next.
 *
 * Return: 0; -EAGAIN the queue is full (released() tells of room), nothing was
 * queued; -EPIPE our side is closed; -EINVAL unknown flag, or more than 1 GiB
 * would be queued.
 */
int exo_tcp_send(struct exo_tcp_conn *conn, const struct exo_tcp_vec *vec,
		 unsigned int nr, unsigned int flags);

/**
 * exo_tcp_write() - queue bytes that are copied into a frame of the context
 * @conn: the connection
 * @data: the bytes
 * @len: up to EXO_TCP_WRITE_MAX_BYTES
 * @flags: as in exo_tcp_send()
 *
 * For small answers such as errors; released() counts these bytes too.
 *
 * Return: as exo_tcp_send(); -EAGAIN also if no buffer is free; -EMSGSIZE.
 */
int exo_tcp_write(struct exo_tcp_conn *conn, const void *data, size_t len,
		  unsigned int flags);

#define EXO_TCP_WRITE_MAX_BYTES	2048

/**
 * exo_tcp_queued() - position of the outgoing stream
 * @conn: the connection
 *
 * Return: bytes queued since the connection began, sent or not: what is queued
 * next begins there.
 */
__u64 exo_tcp_queued(const struct exo_tcp_conn *conn);

/**
 * exo_tcp_shutdown() - close our side once everything queued is sent
 * @conn: the connection; data() still reports what the peer sends
 *
 * Return: 0, also if it was closed before.
 */
int exo_tcp_shutdown(struct exo_tcp_conn *conn);

/**
 * exo_tcp_abort() - reset the connection, forget what is queued
 * @conn: the connection; closed() follows, nothing else does
 */
void exo_tcp_abort(struct exo_tcp_conn *conn);

/**
 * exo_tcp_set_window() - how much the peer may send ahead
 * @conn: the connection
 * @bytes: 0 stops the peer, at most the configured rcv_window_bytes
 *
 * What was offered before still may arrive.
 */
void exo_tcp_set_window(struct exo_tcp_conn *conn, __u32 bytes);

/* Read the counters of a context, the state of a connection. */
void exo_tcp_stats(const struct exo_tcp *tcp, struct exo_tcp_stats *out);
void exo_tcp_info(const struct exo_tcp_conn *conn, struct exo_tcp_info *out);

#ifdef __cplusplus
}
#endif

#endif /* EXO_TCP_H */
