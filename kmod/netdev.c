// SPDX-License-Identifier: GPL-2.0
/*
 * Netdev: attaching devices, and what happens when they go away.
 *
 * An attached device has the module's receive handler: it sees packets after
 * taps (tcpdump), tc and netdev nftables, before IP. A device that is
 * unregistered, moves to another namespace, joins or leaves a VRF is detached by
 * the notifier; its flows are dead then, their handles can be closed at leisure.
 */
#include <linux/capability.h>
#include <linux/if_arp.h>
#include <linux/module.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>
#include <net/route.h>

#include <linux/exo.h>

#include "check.h"
#include "command.h"
#include "flow.h"
#include "netdev.h"
#include "rx.h"

/* See netdev.h. */
DEFINE_MUTEX(exo_net_lock);
static LIST_HEAD(netdevs);
static u32 nr_netdevs;

/* Counts changes of addresses, so that caches know when to look again. */
atomic_t exo_addr_generation = ATOMIC_INIT(1);

/**
 * exo_net_count() - devices attached
 *
 * Return: the count.
 */
u64 exo_net_count(void)
{
	return READ_ONCE(nr_netdevs);
}

/**
 * exo_local_lookup() - the slow path of exo_local()
 * @cache: filled in if the answer is yes
 * @dev: an attached device
 * @addr: the address
 *
 * The generation is read before the lookup and moves after the change, so an
 * answer from before a change is never cached with the generation after it.
 *
 * Context: RCU read side, does not sleep. Return: true if local.
 */
bool exo_local_lookup(struct exo_local *cache, const struct net_device *dev,
		      __be32 addr)
{
	int generation = atomic_read_acquire(&exo_addr_generation);

	if (!EXO_CHECK(local_loopback, !ipv4_is_loopback(addr)))
		return false;
	if (!EXO_CHECK(local_type, inet_addr_type_dev_table(dev_net(dev), dev,
							    addr) == RTN_LOCAL))
		return false;
	cache->addr = addr;
	cache->generation = generation;
	cache->until = jiffies + max(HZ / 50, 1);
	return true;
}

/**
 * __exo_netdev_find() - look an attached device up
 * @net: the caller's namespace
 * @ifindex: what it passed, unchecked
 *
 * Context: exo_net_lock held. Return: the device without a reference, or NULL.
 */
struct exo_netdev *__exo_netdev_find(const struct net *net, int ifindex)
{
	struct exo_netdev *nd;

	lockdep_assert_held(&exo_net_lock);
	list_for_each_entry(nd, &netdevs, list)
		if (nd->ifindex == ifindex &&
		    EXO_CHECK(netdev_net, net_eq(nd->net, net)))
			return nd;
	return NULL;
}

static void netdev_release(struct kref *refs)
{
	struct exo_netdev *nd = container_of(refs, struct exo_netdev, refs);

	exo_netgrant_free(nd);
	free_percpu(nd->counts);
	kvfree(nd);
}

/**
 * exo_netdev_put() - drop a reference on an attachment's memory
 * @nd: the device
 *
 * Context: sleeps.
 */
void exo_netdev_put(struct exo_netdev *nd)
{
	kref_put(&nd->refs, netdev_release);
}

static struct exo_netdev *netdev_new(struct net_device *dev)
{
	struct exo_netdev *nd = kvzalloc(sizeof(*nd), GFP_KERNEL);

	if (!nd)
		return NULL;
	nd->counts = alloc_percpu(struct exo_net_counts);
	if (!nd->counts) {
		kvfree(nd);
		return NULL;
	}
	kref_init(&nd->refs);
	RCU_INIT_POINTER(nd->dev, dev);
	nd->ifindex = dev->ifindex;
	nd->net = dev_net(dev);
	INIT_LIST_HEAD(&nd->flows);
	INIT_LIST_HEAD(&nd->grants);
	return nd;
}

static int attach(struct net_device *dev)
{
	struct exo_netdev *nd;
	int rc;

	ASSERT_RTNL();
	if (!EXO_CHECK(netdev_type, dev->type == ARPHRD_ETHER) ||
	    !EXO_CHECK(netdev_addr_len, dev->addr_len == ETH_ALEN))
		return -EINVAL;
	nd = netdev_new(dev);
	if (!nd)
		return -ENOMEM;
	rc = netdev_rx_handler_register(dev, exo_rx, nd);
	if (rc) {
		exo_netdev_put(nd);
		return rc;
	}
	netdev_hold(dev, &nd->tracker, GFP_KERNEL);
	__module_get(THIS_MODULE);
	mutex_lock(&exo_net_lock);
	list_add_tail(&nd->list, &netdevs);
	WRITE_ONCE(nr_netdevs, nr_netdevs + 1);
	mutex_unlock(&exo_net_lock);
	return 0;
}

/* If it is to be detached whatever is bound, the flows are dead afterwards. */
static int detach(struct exo_netdev *nd, bool forced)
{
	struct net_device *dev = rtnl_dereference(nd->dev);

	mutex_lock(&exo_net_lock);
	if (!forced && !EXO_CHECK(netdev_flows, !nd->nr_flows)) {
		mutex_unlock(&exo_net_lock);
		return -EBUSY;
	}
	list_del(&nd->list);
	WRITE_ONCE(nr_netdevs, nr_netdevs - 1);
	RCU_INIT_POINTER(nd->dev, NULL);
	__exo_flow_kill_all(nd);
	mutex_unlock(&exo_net_lock);
	/* Waits for a grace period: for handlers, and for senders that saw dev */
	netdev_rx_handler_unregister(dev);
	netdev_put(dev, &nd->tracker);
	exo_netdev_put(nd);
	module_put(THIS_MODULE);
	return 0;
}

/**
 * exo_net_attach() - EXO_CMD_NET_ATTACH
 * @cmd: struct exo_net_attach
 *
 * Context: sleeps. Return: 0; -EPERM; -EINVAL lane, or not Ethernet; -ENODEV;
 * -EBUSY attached, or another receive handler is there; -ENOMEM.
 */
int exo_net_attach(struct exo_command *cmd)
{
	struct exo_net_attach *arg = cmd->arg;
	struct net_device *dev;
	int rc = -ENODEV;

	if (!EXO_CHECK(net_attach_lane, arg->lane == EXO_LANE_DIRECT))
		return -EINVAL;
	if (!EXO_CHECK(net_attach_capable, capable(CAP_NET_ADMIN)))
		return -EPERM;
	rtnl_lock();
	dev = __dev_get_by_index(cmd->env->net, arg->ifindex);
	if (dev)
		rc = attach(dev);
	rtnl_unlock();
	return rc;
}

/**
 * exo_net_detach() - EXO_CMD_NET_DETACH
 * @cmd: struct exo_net_detach
 *
 * Context: sleeps. Return: 0; -EPERM; -EINVAL reserved not zero; -ENOENT not
 * attached; -EBUSY flows are bound.
 */
int exo_net_detach(struct exo_command *cmd)
{
	struct exo_net_detach *arg = cmd->arg;
	struct exo_netdev *nd;
	int rc;

	if (!EXO_CHECK(net_detach_reserved, !arg->reserved))
		return -EINVAL;
	if (!EXO_CHECK(net_detach_capable, capable(CAP_NET_ADMIN)))
		return -EPERM;
	rtnl_lock();
	mutex_lock(&exo_net_lock);
	nd = __exo_netdev_find(cmd->env->net, arg->ifindex);
	mutex_unlock(&exo_net_lock);
	/* It stays attached: others detach under rtnl too. */
	rc = nd ? detach(nd, false) : -ENOENT;
	rtnl_unlock();
	return rc;
}

static void fill_info(struct exo_net_info *info, const struct exo_netdev *nd)
{
	const struct net_device *dev;
	int cpu;

	lockdep_assert_held(&exo_net_lock);
	info->ifindex = nd->ifindex;
	info->lane = EXO_LANE_DIRECT;
	info->nr_flows = nd->nr_flows;
	for_each_possible_cpu(cpu) {
		const struct exo_net_counts *c = per_cpu_ptr(nd->counts, cpu);

		info->rx_claimed += READ_ONCE(c->rx_claimed);
		info->rx_passed += READ_ONCE(c->rx_passed);
		info->rx_dropped += READ_ONCE(c->rx_dropped);
		info->tx_packets += READ_ONCE(c->tx_packets);
		info->tx_refused += READ_ONCE(c->tx_refused);
	}
	dev = rcu_dereference_protected(nd->dev,
					lockdep_is_held(&exo_net_lock));
	strscpy(info->name, dev->name, sizeof(info->name));
}

/* An array of all devices of the namespace, kvfree'd by the caller. */
static struct exo_net_info *list(const struct net *net, u32 *nr)
{
	struct exo_net_info *array;
	struct exo_netdev *nd;

	*nr = 0;
	mutex_lock(&exo_net_lock);
	array = kvcalloc(nr_netdevs + 1, sizeof(*array), GFP_KERNEL);
	if (array)
		list_for_each_entry(nd, &netdevs, list)
			if (EXO_CHECK(net_list_net, net_eq(nd->net, net)))
				fill_info(&array[(*nr)++], nd);
	mutex_unlock(&exo_net_lock);
	return array;
}

/**
 * exo_net_list() - EXO_CMD_NET_LIST
 * @cmd: struct exo_net_list
 *
 * Context: sleeps. Return: 0, -EMSGSIZE, -EFAULT, -ENOMEM.
 */
int exo_net_list(struct exo_command *cmd)
{
	struct exo_net_list *arg = cmd->arg;
	struct exo_net_info *array;
	u32 nr;
	int rc;

	array = list(cmd->env->net, &nr);
	if (!array)
		return -ENOMEM;
	rc = exo_command_copy_array(arg->array, arg->nr, &arg->out_nr, array,
				    nr, sizeof(*array));
	kvfree(array);
	return rc;
}

/*
 * TCP keeps the ports of each VRF apart: what sockets proved for the device
 * holds no more. Said beforehand, so nobody has got a port there yet.
 */
static bool changes_vrf(unsigned long event, void *ptr)
{
	const struct netdev_notifier_changeupper_info *info = ptr;

	return event == NETDEV_PRECHANGEUPPER &&
	       netif_is_l3_master(info->upper_dev);
}

/*
 * NETDEV_UNREGISTER is sent also, with the old namespace still set, when a
 * device moves to another.
 */
static int on_netdev_event(struct notifier_block *nb, unsigned long event,
			   void *ptr)
{
	struct net_device *dev = netdev_notifier_info_to_dev(ptr);

	if ((event == NETDEV_UNREGISTER || changes_vrf(event, ptr)) &&
	    EXO_CHECK(netdev_handler,
		      rtnl_dereference(dev->rx_handler) == exo_rx))
		detach(rtnl_dereference(dev->rx_handler_data), true);
	return NOTIFY_DONE;
}

/* Runs after the routing table's own notifier, which was registered first. */
static int on_addr_event(struct notifier_block *nb, unsigned long event,
			 void *ptr)
{
	atomic_inc_return(&exo_addr_generation);
	return NOTIFY_DONE;
}

static struct notifier_block netdev_notifier = {
	.notifier_call = on_netdev_event,
};

static struct notifier_block addr_notifier = {
	.notifier_call = on_addr_event,
};

/**
 * exo_net_init() - prepare for devices and flows
 *
 * Context: module load. Return: 0, or what making a socket or registering
 * returns.
 */
int exo_net_init(void)
{
	int rc = exo_flow_init();

	if (rc)
		return rc;
	rc = register_netdevice_notifier(&netdev_notifier);
	if (rc)
		return rc;
	rc = register_inetaddr_notifier(&addr_notifier);
	if (rc)
		unregister_netdevice_notifier(&netdev_notifier);
	return rc;
}

/**
 * exo_net_exit() - wait for flows and packets
 *
 * Nothing is attached and no env is open; packets may still be in flight, for
 * as long as a queueing discipline cares to keep them.
 *
 * Context: module unload, sleeps.
 */
void exo_net_exit(void)
{
	unregister_inetaddr_notifier(&addr_notifier);
	unregister_netdevice_notifier(&netdev_notifier);
	exo_flow_exit();
}
