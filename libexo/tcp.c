// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * The context: made from a flow, run in batches. One run: what the device is
 * done with, what has arrived, what time brings, then what is to be sent.
 */
#include <time.h>
#include "tcp_impl.h"

#define BATCH_PACKETS	256	/* then the answers go out */
#define RELEASE_PACKETS	32	/* room given back to the ring */
#define DEVICE_WAIT_NS	(2 * NS_PER_MS)
#define WINDOW_MAX	(1U << 30)
#define PAGE_BYTES	4096

void exo_tcp_config_init(struct exo_tcp_config *config)
{
	*config = (struct exo_tcp_config){
		.max_conns = 4096,
		.max_half_open = 1024,
		.max_time_wait = 4096,
		.max_vecs = 256,
		.rcv_window_bytes = 256 << 10,
		.ooo_bytes = 4 << 20,
		.ooo_conn_bytes = 512 << 10,
		.write_bytes = 128 << 10,
		.copy_bytes = 2048,
		.time_wait_ms = 60000,
		.delayed_ack_ms = 40,
		.rto_min_ms = 200,
		.rto_max_ms = 60000,
		.user_timeout_ms = 120000,
		.fin_wait_ms = 60000,
		.keepalive_ms = 7200000,
	};
}

static bool config_ok(const struct exo_tcp_config *cfg)
{
	return cfg->max_conns && cfg->max_conns <= 1 << 20 &&
	       cfg->max_half_open && cfg->max_half_open <= 1 << 20 &&
	       cfg->max_time_wait <= 1 << 22 &&
	       cfg->max_vecs >= 8 && cfg->max_vecs <= 1 << 16 &&
	       !(cfg->max_vecs & (cfg->max_vecs - 1)) &&
	       (!cfg->max_seg_bytes || cfg->max_seg_bytes >= TCP_MSS_MIN) &&
	       cfg->rcv_window_bytes && cfg->rcv_window_bytes <= WINDOW_MAX &&
	       cfg->delayed_ack_ms && cfg->delayed_ack_ms < 500 &&
	       cfg->rto_min_ms && cfg->rto_min_ms <= cfg->rto_max_ms &&
	       cfg->user_timeout_ms && cfg->fin_wait_ms;
}

static int alloc_tables(struct exo_tcp *tcp)
{
	__u32 i;

	/* Zeroed pages that nobody touched cost nothing. */
	tcp->conns = calloc(tcp->cfg.max_conns, sizeof(*tcp->conns));
	tcp->halves = calloc(tcp->cfg.max_half_open, sizeof(*tcp->halves));
	tcp->tws = calloc(tcp->cfg.max_time_wait + 1ULL, sizeof(*tcp->tws));
	if (!tcp->conns || !tcp->halves || !tcp->tws)
		return -ENOMEM;
	for (i = 0; i < tcp->cfg.max_half_open; i++) {
		tcp->halves[i].newer = tcp->free_halves;
		tcp->free_halves = &tcp->halves[i];
	}
	for (i = 0; i < tcp->cfg.max_time_wait; i++) {
		tcp->tws[i].newer = tcp->free_tws;
		tcp->free_tws = &tcp->tws[i];
	}
	return 0;
}

static int alloc_write_buffers(struct exo_tcp *tcp)
{
	__u32 nr = tcp->cfg.write_bytes / EXO_TCP_WRITE_MAX_BYTES, i;
	__u32 bytes = nr * EXO_TCP_WRITE_MAX_BYTES;
	int rc;

	if (!nr)
		return 0;
	tcp->wfree = calloc(nr, sizeof(*tcp->wfree));
	if (!tcp->wfree)
		return -ENOMEM;
	rc = exo_frame_alloc(tcp->env, (bytes + PAGE_BYTES - 1) / PAGE_BYTES, 0,
			     &tcp->wframe);
	if (rc < 0)
		return rc;
	for (i = 0; i < nr; i++)
		tcp->wfree[tcp->nr_wfree++] = i;
	return 0;
}

/* Window scale for the window of the configuration (RFC 7323 section 2.3). */
static __u8 window_scale(__u32 bytes)
{
	__u8 scale = 0;

	while (scale < TCP_WSCALE_MAX && bytes >> scale > 0xffff)
		scale++;
	return scale;
}

static void tcp_free(struct exo_tcp *tcp)
{
	__u32 i;

	if (tcp->wframe.addr)
		exo_frame_free(&tcp->wframe);
	for (i = 0; i < tcp->nr_conns_used; i++)
		free(tcp->conns[i].pieces);
	xtcp_ooo_exit(tcp);
	xtcp_table_exit(tcp);
	free(tcp->wfree);
	free(tcp->conns);
	free(tcp->halves);
	free(tcp->tws);
	free(tcp);
}

static int tcp_init(struct exo_tcp *tcp)
{
	int rc;

	tcp->out_tail = &tcp->out_head;
	tcp->rcv_wscale = window_scale(tcp->cfg.rcv_window_bytes);
	tcp->tx_done32 = exo_flow_tx_done(tcp->flow);
	/* What was sent before us counts as done when all of it is. */
	tcp->tx_seq = tcp->flow->tx_pos - tcp->tx_done32;
	rc = xtcp_isn_init(tcp);
	if (rc < 0)
		return rc;
	rc = xtcp_table_init(tcp);
	if (rc < 0)
		return rc;
	rc = alloc_tables(tcp);
	if (rc < 0)
		return rc;
	return alloc_write_buffers(tcp);
}

int exo_tcp_create(struct exo_env *env, struct exo_flow *flow,
		   const struct exo_tcp_ops *ops,
		   const struct exo_tcp_config *config, struct exo_tcp **out)
{
	struct exo_tcp *tcp;
	int rc;

	if (!ops->accepted || !ops->data || (config && !config_ok(config)))
		return -EINVAL;
	tcp = calloc(1, sizeof(*tcp));
	if (!tcp)
		return -ENOMEM;
	tcp->env = env;
	tcp->flow = flow;
	tcp->ops = ops;
	if (config)
		tcp->cfg = *config;
	else
		exo_tcp_config_init(&tcp->cfg);
	rc = tcp_init(tcp);
	if (rc < 0) {
		tcp_free(tcp);
		return rc;
	}
	*out = tcp;
	return 0;
}

/* End every connection that is not over yet. */
static void close_all(struct exo_tcp *tcp, int error)
{
	struct tcp_conn *c;
	__u32 i;

	for (i = 0; i < tcp->nr_conns_used; i++) {
		c = &tcp->conns[i];
		if (c->ep.state == TS_CLOSED)
			continue;
		if (error == -ESTALE)
			xtcp_conn_close(tcp, c, error);
		else
			xtcp_conn_reset(tcp, c, error);
	}
}

/* Nothing is going to be sent any more. */
static void drop_output(struct exo_tcp *tcp)
{
	struct tcp_conn *c;

	while ((c = tcp->out_head) != NULL) {
		tcp->out_head = c->out_next;
		c->on_out = 0;
	}
	tcp->out_tail = &tcp->out_head;
}

void exo_tcp_destroy(struct exo_tcp *tcp)
{
	if (!tcp)
		return;
	close_all(tcp, -ECONNABORTED);
	exo_flow_tx_submit(tcp->flow);
	if (!exo_flow_is_dead(tcp->flow))
		exo_flow_kick(tcp->flow, 0, 0);
	drop_output(tcp);
	xtcp_reap(tcp, true);
	tcp_free(tcp);
}

void *exo_tcp_user(const struct exo_tcp *tcp)
{
	return tcp->cfg.user;
}

__u64 exo_tcp_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

static void harvest_done(struct exo_tcp *tcp)
{
	__u32 done = exo_flow_tx_done(tcp->flow);

	tcp->tx_done += done - tcp->tx_done32;
	tcp->tx_done32 = done;
	if (unlikely(tcp->done))
		xtcp_reap(tcp, false);
}

static void harvest_rx(struct exo_tcp *tcp)
{
	const struct exo_rx_record *rec;
	__u32 n = 0;

	while (n < BATCH_PACKETS &&
	       (rec = exo_flow_rx_peek(tcp->flow)) != NULL) {
		xtcp_input(tcp, rec);
		if (++n % RELEASE_PACKETS == 0)
			exo_flow_rx_release(tcp->flow);
	}
	exo_flow_rx_release(tcp->flow);
}

static int run_dead(struct exo_tcp *tcp)
{
	tcp->is_dead = true;
	close_all(tcp, -ESTALE);
	drop_output(tcp);
	xtcp_reap(tcp, true);
	return -ESTALE;
}

int exo_tcp_run(struct exo_tcp *tcp, __u64 now_ns)
{
	struct exo_flow *flow = tcp->flow;

	tcp->now_ns = now_ns;
	tcp->now_ms = now_ns / NS_PER_MS;
	/* Nobody wakes an idle server, perhaps for hours. */
	if (unlikely(!tcp->nr_timers))
		tcp->tick = now_ns >> TCP_WHEEL_SHIFT;
	if (unlikely(tcp->is_dead || exo_flow_is_dead(flow)))
		return run_dead(tcp);
	if (tcp->cfg.neigh)
		tcp->dst_gen = exo_neigh_generation(tcp->cfg.neigh);
	harvest_done(tcp);
	harvest_rx(tcp);
	xtcp_timer_run(tcp);
	xtcp_tw_run(tcp);
	xtcp_run_output(tcp);
	if (tcp->done)
		xtcp_reap(tcp, false);
	xtcp_run_output(tcp);	/* for what closed() and released() sent */
	return exo_flow_tx_submit(flow) -
	       __atomic_load_n(&flow->ring->tx_cons, __ATOMIC_RELAXED);
}

static __s64 sooner(__s64 a, __s64 b)
{
	if (a < 0 || b < 0)
		return a < 0 ? b : a;
	return a < b ? a : b;
}

__s64 exo_tcp_next_timeout_ns(const struct exo_tcp *tcp, __u64 now_ns)
{
	const struct exo_flow *flow = tcp->flow;
	__s64 next = xtcp_timer_next_ns(tcp, now_ns);
	__u32 prod;

	/* Only looked at: peek orders the reads of the records. */
	prod = __atomic_load_n(&flow->ring->rx_prod, __ATOMIC_RELAXED);
	if (prod != flow->rx_pos)
		return 0;
	if (tcp->tw_old)
		next = sooner(next, tcp->tw_old->expires_ns > now_ns ?
			      (__s64)(tcp->tw_old->expires_ns - now_ns) : 0);
	/* Nothing wakes us when the device has read frames or made room. */
	if (tcp->done || tcp->out_head)
		next = sooner(next, DEVICE_WAIT_NS);
	return next;
}

int exo_tcp_poll(struct exo_tcp *tcp, __s64 timeout_ns, __u32 kick_flags)
{
	__u64 now_ns = exo_tcp_now_ns();
	__s64 wait_ns;
	int rc;

	rc = exo_tcp_run(tcp, now_ns);
	if (rc < 0)
		return rc;
	wait_ns = sooner(timeout_ns, exo_tcp_next_timeout_ns(tcp, now_ns));
	if (wait_ns == 0) {
		if (!rc && !kick_flags)
			return 0;
		rc = exo_flow_kick(tcp->flow, kick_flags, 0);
	} else {
		rc = exo_flow_kick(tcp->flow, kick_flags | EXO_FLOW_KICK_WAIT,
				   wait_ns < 0 ? 0 : wait_ns);
	}
	return rc < 0 && rc != -ETIME ? rc : 0;
}

void exo_tcp_stats(const struct exo_tcp *tcp, struct exo_tcp_stats *out)
{
	*out = tcp->stats;
}
