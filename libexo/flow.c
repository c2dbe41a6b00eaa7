// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Flows: bind, unbind, doorbell. The rings themselves are in <exo/flow.h>.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <exo/env.h>
#include <exo/flow.h>

static void flow_fill(struct exo_flow *flow, const struct exo_flow_bind *bind)
{
	flow->ring = flow->map;
	flow->tx = (void *)((char *)flow->map + bind->out_tx_offset);
	flow->rx = (void *)((char *)flow->map + bind->out_rx_offset);
	flow->rx_mask = bind->rx_bytes - 1;
	flow->tx_mask = bind->nr_tx - 1;
	flow->handle = bind->out_handle;
	flow->ifindex = bind->ifindex;
	flow->mtu = bind->out_mtu;
	flow->gso_max_bytes = bind->out_gso_max_bytes;
	flow->local_addr = bind->out_local_addr;
	flow->local_port = bind->out_local_port;
	memcpy(flow->mac, bind->out_mac, sizeof(flow->mac));
}

static int flow_map(struct exo_env *env, const struct exo_flow_bind *bind,
		    struct exo_flow **out)
{
	struct exo_flow *flow = calloc(1, sizeof(*flow));
	int rc;

	if (!flow)
		return -ENOMEM;
	flow->env = env;
	flow->map_bytes = bind->out_mmap_bytes;
	rc = exo_env_mmap(env, bind->out_mmap_offset, flow->map_bytes,
			  &flow->map);
	if (rc < 0) {
		free(flow);
		return rc;
	}
	flow_fill(flow, bind);
	*out = flow;
	return 0;
}

int exo_flow_bind(struct exo_env *env, int sock_fd, __u32 ifindex,
		  __u32 rx_bytes, __u32 nr_tx, struct exo_flow **out)
{
	struct exo_flow_bind bind = {
		.size = sizeof(bind),
		.sock_fd = sock_fd,
		.ifindex = ifindex,
		.rx_bytes = rx_bytes,
		.nr_tx = nr_tx,
	};
	int rc;

	rc = exo_command(env, EXO_CMD_FLOW_BIND, &bind);
	if (rc < 0)
		return rc;
	rc = flow_map(env, &bind, out);
	if (rc < 0)
		exo_handle_close(env, bind.out_handle);
	return rc;
}

void exo_flow_unbind(struct exo_flow *flow)
{
	if (!flow)
		return;
	exo_env_munmap(flow->env, flow->map, flow->map_bytes);
	exo_handle_close(flow->env, flow->handle);
	free(flow);
}

int exo_flow_kick(struct exo_flow *flow, __u32 flags, __u64 timeout_ns)
{
	struct exo_flow_kick kick = {
		.size = sizeof(kick),
		.flags = flags,
		.flow = flow->handle,
		.timeout_ns = timeout_ns,
	};
	int rc = exo_command(flow->env, EXO_CMD_FLOW_KICK, &kick);

	return rc < 0 ? rc : (int)kick.out_nr_sent;
}

static __u64 counter(const __u64 *value)
{
	return __atomic_load_n(value, __ATOMIC_RELAXED);
}

void exo_flow_counters(const struct exo_flow *flow,
		       struct exo_flow_counters *out)
{
	const struct exo_flow_ring *ring = flow->ring;

	out->rx_packets = counter((const __u64 *)&ring->rx_packets);
	out->rx_dropped = counter((const __u64 *)&ring->rx_dropped);
	out->tx_packets = counter((const __u64 *)&ring->tx_packets);
	out->tx_refused = counter((const __u64 *)&ring->tx_refused);
	out->tx_dropped = counter((const __u64 *)&ring->tx_dropped);
}
