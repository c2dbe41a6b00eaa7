// SPDX-License-Identifier: GPL-2.0
/*
 * Flow: binding and unbinding.
 *
 * What a flow covers may not overlap what another covers on the same device:
 * the same port, and the same address or any address on either side. Linux's
 * own rules for the sockets behind them say the same in nearly all cases; the
 * law here does not depend on it.
 *
 * End of life: the handle goes, the flow is taken out of its bucket, the
 * socket is given back, and after an RCU grace period and the last packet in
 * flight the memory. The file and rings of a flow whose device went stay until
 * then, so that the library can look at them.
 */
#include <linux/capability.h>
#include <linux/etherdevice.h>
#include <linux/log2.h>
#include <linux/netdevice.h>
#include <linux/rculist.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include <linux/wait_bit.h>

#include "check.h"
#include "command.h"
#include "flow.h"
#include "tx.h"

static u32 nr_bound;		/* under exo_net_lock */
static atomic_t nr_flows;	/* whose memory is there */

static struct exo_flow *to_flow(struct exo_object *obj)
{
	return container_of(obj, struct exo_flow, obj);
}

/**
 * exo_flow_count() - flows bound
 *
 * Return: the count.
 */
u64 exo_flow_count(void)
{
	return READ_ONCE(nr_bound);
}

/**
 * exo_flow_die() - the flow is gone for good, tell the library
 * @flow: the flow
 *
 * Context: any, interrupts included; called under a wait queue's lock.
 */
void exo_flow_die(struct exo_flow *flow)
{
	WRITE_ONCE(flow->dead, true);
	WRITE_ONCE(flow->ring->flags, EXO_FLOW_DEAD);
	exo_env_wake(flow->env);
}

static void reservation_lost(struct exo_reserve *r)
{
	exo_flow_die(container_of(r, struct exo_flow, reserve));
}

/* ------------------------------------------------------------ the table */

static struct exo_flow *find_overlap(struct exo_netdev *nd, __be32 addr,
				     __be16 port)
{
	struct exo_flow *flow;

	hlist_for_each_entry(flow, exo_flow_bucket(nd, port), hash)
		if (flow->port == port &&
		    (!addr || !flow->addr || flow->addr == addr))
			return flow;
	return NULL;
}

static bool __may_bind(const struct exo_flow *flow)
{
	lockdep_assert_held(&exo_net_lock);
	return __exo_netgrant_covers(flow->nd, flow->env->cred->uid,
				     ntohs(flow->reserve.port)) ||
	       capable(CAP_NET_ADMIN);
}

static bool may_bind(const struct exo_flow *flow)
{
	bool may;

	mutex_lock(&exo_net_lock);
	may = __may_bind(flow);
	mutex_unlock(&exo_net_lock);
	return may;
}

/* Only now is the port settled: the socket cannot get another one any more. */
static int link_flow(struct exo_flow *flow)
{
	struct exo_netdev *nd = flow->nd;
	int rc = 0;

	mutex_lock(&exo_net_lock);
	if (!EXO_CHECK(flow_device, rcu_access_pointer(nd->dev))) {
		rc = -ESTALE;
	} else if (!EXO_CHECK(flow_grant, __may_bind(flow))) {
		rc = -EPERM;
	} else if (!EXO_CHECK(flow_overlap,
			      !find_overlap(nd, flow->addr, flow->port))) {
		rc = -EEXIST;
	} else {
		hlist_add_head_rcu(&flow->hash,
				   exo_flow_bucket(nd, flow->port));
		list_add_tail(&flow->list, &nd->flows);
		nd->nr_flows++;
		WRITE_ONCE(nr_bound, nr_bound + 1);
	}
	mutex_unlock(&exo_net_lock);
	return rc;
}

static void __unlink_flow(struct exo_flow *flow)
{
	lockdep_assert_held(&exo_net_lock);
	if (list_empty(&flow->list))
		return;
	hlist_del_init_rcu(&flow->hash);
	list_del_init(&flow->list);
	flow->nd->nr_flows--;
	WRITE_ONCE(nr_bound, nr_bound - 1);
}

/**
 * __exo_flow_kill_all() - the device is going: its flows are dead
 * @nd: the device
 *
 * Context: exo_net_lock held.
 */
void __exo_flow_kill_all(struct exo_netdev *nd)
{
	struct exo_flow *flow, *next;

	list_for_each_entry_safe(flow, next, &nd->flows, list) {
		__unlink_flow(flow);
		exo_flow_die(flow);
	}
}

/* --------------------------------------------------------- end of life */

static void flow_free(struct exo_flow *flow)
{
	vunmap(flow->ring);
	if (flow->pages)
		exo_pages_free(flow->pages);
	kvfree(flow->slots);
	exo_reserve_free(&flow->reserve);
	exo_netdev_put(flow->nd);
	exo_env_put(flow->env);
	kfree(flow);
	if (atomic_dec_and_test(&nr_flows))
		wake_up_var(&nr_flows);
}

static void flow_destroy(struct exo_object *obj)
{
	flow_free(to_flow(obj));
}

static void after_grace_period(struct rcu_head *rcu)
{
	exo_txdone_put(container_of(rcu, struct exo_flow, rcu));
}

static void flow_close(struct exo_object *obj)
{
	struct exo_flow *flow = to_flow(obj);

	mutex_lock(&exo_net_lock);
	__unlink_flow(flow);
	mutex_unlock(&exo_net_lock);
	mutex_lock(&flow->tx_lock);
	flow->closed = true;
	mutex_unlock(&flow->tx_lock);
	/* Another thread may sleep on it */
	exo_flow_die(flow);
	exo_reserve_put(&flow->reserve);
	/* Receivers may still be at work on the rings. */
	call_rcu(&flow->rcu, after_grace_period);
}

static struct exo_pages *flow_pages(struct exo_object *obj)
{
	return to_flow(obj)->pages;
}

static bool flow_ready(struct exo_object *obj)
{
	const struct exo_flow *flow = to_flow(obj);

	return READ_ONCE(flow->dead) || exo_flow_unconsumed(flow);
}

const struct exo_object_ops exo_flow_ops = {
	.name		= "flow",
	.uapi_type	= EXO_TYPE_FLOW,
	.pages		= flow_pages,
	.ready		= flow_ready,
	.close		= flow_close,
	.destroy	= flow_destroy,
};

/* --------------------------------------------------------------- birth */

static struct exo_netdev *get_netdev(struct exo_env *env, int ifindex)
{
	struct exo_netdev *nd;

	mutex_lock(&exo_net_lock);
	nd = __exo_netdev_find(env->net, ifindex);
	if (nd)
		kref_get(&nd->refs);
	mutex_unlock(&exo_net_lock);
	return nd;
}

static int alloc_rings(struct exo_flow *flow, u32 rx_bytes, u32 nr_tx)
{
	size_t tx_bytes = PAGE_ALIGN(nr_tx * sizeof(struct exo_tx_desc));
	struct exo_pages *pages;
	u8 *base;

	pages = exo_pages_alloc(flow->env,
				(PAGE_SIZE + tx_bytes + rx_bytes) >> PAGE_SHIFT,
				0);
	if (IS_ERR(pages))
		return PTR_ERR(pages);
	flow->pages = pages;
	base = exo_pages_vmap(pages);
	if (!base)
		return -ENOMEM;
	flow->ring = (struct exo_flow_ring *)base;
	flow->tx_ring = (struct exo_tx_desc *)(base + PAGE_SIZE);
	flow->rx_ring = base + PAGE_SIZE + tx_bytes;
	flow->rx_mask = rx_bytes - 1;
	flow->nr_tx = nr_tx;
	return exo_txdone_init(flow);
}

/* The reference on the attachment is used up, also by a failure. */
static struct exo_flow *flow_new(struct exo_env *env, struct exo_netdev *nd,
				 const struct exo_flow_bind *arg)
{
	struct exo_flow *flow;
	int rc;

	flow = kzalloc(sizeof(*flow), EXO_GFP_USER);
	if (!flow) {
		exo_netdev_put(nd);
		return ERR_PTR(-ENOMEM);
	}
	atomic_inc(&nr_flows);
	INIT_LIST_HEAD(&flow->list);
	spin_lock_init(&flow->rx_lock);
	mutex_init(&flow->tx_lock);
	spin_lock_init(&flow->done_lock);
	refcount_set(&flow->tx_refs, 1);
	flow->nd = nd;
	flow->env = env;
	exo_env_hold(env);
	rc = alloc_rings(flow, arg->rx_bytes, arg->nr_tx);
	if (rc) {
		flow_free(flow);
		return ERR_PTR(rc);
	}
	exo_object_setup(&flow->obj, EXO_OBJECT_FLOW,
			 EXO_RIGHT_READ | EXO_RIGHT_WRITE,
			 flow->pages->nr_pages);
	/* For tx_refs, dropped by exo_txdone_put() */
	exo_object_hold(&flow->obj);
	return flow;
}

static int check_bind(const struct exo_flow_bind *arg)
{
	if (!EXO_CHECK(flow_rx_power, is_power_of_2(arg->rx_bytes)) ||
	    !EXO_CHECK(flow_rx_min, arg->rx_bytes >= EXO_MIN_RX_BYTES) ||
	    !EXO_CHECK(flow_rx_max, arg->rx_bytes <= EXO_MAX_RX_BYTES))
		return -EINVAL;
	if (!EXO_CHECK(flow_tx_power, is_power_of_2(arg->nr_tx)) ||
	    !EXO_CHECK(flow_tx_max, arg->nr_tx <= EXO_MAX_TX_ENTRIES))
		return -EINVAL;
	return 0;
}

static int bind_flow(struct exo_command *cmd, struct exo_flow *flow)
{
	const struct exo_flow_bind *arg = cmd->arg;
	int rc;

	flow->reserve.lost = reservation_lost;
	rc = exo_reserve_get(&flow->reserve, arg->sock_fd, cmd->env->net,
			     arg->ifindex);
	if (rc)
		return rc;
	/* Claiming makes all CPUs take notice: not for everybody */
	if (!EXO_CHECK(flow_grant_early, may_bind(flow)))
		return -EPERM;
	rc = exo_reserve_claim(&flow->reserve);
	if (rc)
		return rc;
	flow->addr = flow->reserve.addr;
	flow->port = flow->reserve.port;
	rc = link_flow(flow);
	return rc ?: exo_command_install(cmd, &flow->obj);
}

static void fill_answer(struct exo_flow_bind *arg, const struct exo_flow *flow,
			u32 handle)
{
	const struct net_device *dev;

	arg->out_handle = handle;
	arg->out_local_addr = (__force u32)flow->addr;
	arg->out_local_port = (__force u16)flow->port;
	rcu_read_lock();
	dev = rcu_dereference(flow->nd->dev);
	if (dev) {
		arg->out_mtu = READ_ONCE(dev->mtu);
		arg->out_gso_max_bytes = min_t(u32, READ_ONCE(dev->gso_max_size),
					       U16_MAX);
		ether_addr_copy(arg->out_mac, dev->dev_addr);
	}
	rcu_read_unlock();
	arg->out_mmap_offset = exo_env_mmap_offset(handle);
	arg->out_mmap_bytes = (u64)flow->pages->nr_pages << PAGE_SHIFT;
	arg->out_tx_offset = (u8 *)flow->tx_ring - (u8 *)flow->ring;
	arg->out_rx_offset = flow->rx_ring - (u8 *)flow->ring;
}

static void clear_answer(struct exo_flow_bind *arg)
{
	size_t from = offsetof(struct exo_flow_bind, out_handle);

	memset((u8 *)arg + from, 0, sizeof(*arg) - from);
}

/**
 * exo_flow_bind() - EXO_CMD_FLOW_BIND
 * @cmd: struct exo_flow_bind
 *
 * Context: sleeps. Return: 0; -EINVAL sizes; -ENOENT not attached; -EPERM no
 * grant and no CAP_NET_ADMIN; -EEXIST overlaps a flow; -ESTALE the device went
 * meanwhile; -EDQUOT, -ENOMEM; else as exo_reserve_get() and
 * exo_reserve_claim().
 */
int exo_flow_bind(struct exo_command *cmd)
{
	struct exo_flow_bind *arg = cmd->arg;
	struct exo_netdev *nd;
	struct exo_flow *flow;
	int rc;

	rc = check_bind(arg);
	if (rc)
		return rc;
	nd = get_netdev(cmd->env, arg->ifindex);
	if (!nd)
		return -ENOENT;
	flow = flow_new(cmd->env, nd, arg);
	if (IS_ERR(flow))
		return PTR_ERR(flow);
	rc = bind_flow(cmd, flow);
	if (rc) {
		exo_object_close(&flow->obj);
		exo_object_put(&flow->obj);
		return rc;
	}
	clear_answer(arg);
	fill_answer(arg, flow, cmd->handle);
	return 0;
}

/**
 * exo_flow_init() - prepare for flows
 *
 * Context: module load. Return: as exo_reserve_init().
 */
int exo_flow_init(void)
{
	return exo_reserve_init();
}

/**
 * exo_flow_exit() - wait until no flow and no callback of one is left
 *
 * The last callback of a packet may still be on its way out of the module's
 * text when the flow's memory is gone, perhaps in a task that was preempted
 * there: hence the grace period of RCU tasks, which covers those of sockets'
 * operations too.
 *
 * Context: module unload, sleeps.
 */
void exo_flow_exit(void)
{
	rcu_barrier();
	wait_var_event(&nr_flows, !atomic_read(&nr_flows));
	synchronize_rcu_tasks();
	synchronize_rcu();
}
