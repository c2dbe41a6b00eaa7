// SPDX-License-Identifier: GPL-2.0
/*
 * Netgrant: which users may bind flows on a device, for which ports.
 *
 * A grant names the user of the env's opener, whoever holds the env's file
 * now. It goes with the attachment.
 */
#include <linux/capability.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include <linux/exo.h>

#include "check.h"
#include "command.h"
#include "netdev.h"
#include "object.h"

/* Most grants that are told at once. */
#define MOST_GRANTS	65536U

struct grant {
	struct list_head list;
	kuid_t uid;
	u16 first_port;
	u16 last_port;
};

/**
 * __exo_netgrant_covers() - may this user bind this port?
 * @nd: the device
 * @uid: the user
 * @port: host byte order
 *
 * Context: exo_net_lock held. Return: true if a grant covers it.
 */
bool __exo_netgrant_covers(const struct exo_netdev *nd, kuid_t uid, u16 port)
{
	const struct grant *g;

	lockdep_assert_held(&exo_net_lock);
	list_for_each_entry(g, &nd->grants, list)
		if (EXO_CHECK(net_grant_uid, uid_eq(g->uid, uid)) &&
		    EXO_CHECK(net_grant_first, g->first_port <= port) &&
		    EXO_CHECK(net_grant_last, port <= g->last_port))
			return true;
	return false;
}

/**
 * exo_netgrant_free() - forget all grants of a device nobody uses any more
 * @nd: the device
 */
void exo_netgrant_free(struct exo_netdev *nd)
{
	struct grant *g, *next;

	list_for_each_entry_safe(g, next, &nd->grants, list) {
		list_del(&g->list);
		kfree(g);
	}
}

static struct grant *find(struct exo_netdev *nd, const struct grant *like)
{
	struct grant *g;

	list_for_each_entry(g, &nd->grants, list)
		if (uid_eq(g->uid, like->uid) &&
		    g->first_port == like->first_port &&
		    g->last_port == like->last_port)
			return g;
	return NULL;
}

/* Giving what is given already changes nothing. */
static int give(struct exo_netdev *nd, const struct grant *like)
{
	struct grant *g;

	if (find(nd, like))
		return 0;
	g = kmemdup(like, sizeof(*like), GFP_KERNEL);
	if (!g)
		return -ENOMEM;
	list_add_tail(&g->list, &nd->grants);
	return 0;
}

static int withdraw(struct exo_netdev *nd, const struct grant *like)
{
	struct grant *g = find(nd, like);

	if (!g)
		return -ENOENT;
	list_del(&g->list);
	kfree(g);
	return 0;
}

/**
 * exo_net_grant() - EXO_CMD_NET_GRANT
 * @cmd: struct exo_net_grant
 *
 * What is withdrawn must have been given with the same bounds.
 *
 * Context: sleeps. Return: 0; -EPERM; -EINVAL reserved not zero, no such user,
 * empty range or port 0; -ENOENT not attached, or no such grant; -ENOMEM.
 */
int exo_net_grant(struct exo_command *cmd)
{
	struct exo_net_grant *arg = cmd->arg;
	struct grant like = {
		.uid = make_kuid(&init_user_ns, arg->uid),
		.first_port = arg->first_port,
		.last_port = arg->last_port,
	};
	struct exo_netdev *nd;
	int rc = -ENOENT;

	if (!EXO_CHECK(net_grant_reserved, !arg->reserved) ||
	    !EXO_CHECK(net_grant_user, uid_valid(like.uid)) ||
	    !EXO_CHECK(net_grant_port, like.first_port) ||
	    !EXO_CHECK(net_grant_range, like.first_port <= like.last_port))
		return -EINVAL;
	if (!EXO_CHECK(net_grant_capable, capable(CAP_NET_ADMIN)))
		return -EPERM;
	mutex_lock(&exo_net_lock);
	nd = __exo_netdev_find(cmd->env->net, arg->ifindex);
	if (nd)
		rc = arg->flags & EXO_GRANT_REVOKE ? withdraw(nd, &like) :
						     give(nd, &like);
	mutex_unlock(&exo_net_lock);
	return rc;
}

/*
 * Fills at most @room entries. Return: 0 with @nr set to how many there are for
 * this viewer, or -ENOENT not attached.
 */
static int snapshot(const struct exo_env *viewer, u32 ifindex,
		    struct exo_net_grant_info *info, u32 room, u32 *nr)
{
	bool privileged = capable(CAP_NET_ADMIN);
	const struct exo_netdev *nd;
	const struct grant *g;

	*nr = 0;
	mutex_lock(&exo_net_lock);
	nd = __exo_netdev_find(viewer->net, ifindex);
	if (!nd) {
		mutex_unlock(&exo_net_lock);
		return -ENOENT;
	}
	list_for_each_entry(g, &nd->grants, list) {
		if (!EXO_CHECK(net_grants_owner, privileged ||
			       uid_eq(g->uid, viewer->cred->uid)))
			continue;
		if (EXO_CHECK(net_grants_room, *nr < room))
			info[*nr] = (struct exo_net_grant_info){
				.uid = from_kuid(&init_user_ns, g->uid),
				.first_port = g->first_port,
				.last_port = g->last_port,
			};
		(*nr)++;
	}
	mutex_unlock(&exo_net_lock);
	return 0;
}

/**
 * exo_net_grant_list() - EXO_CMD_NET_GRANT_LIST
 * @cmd: struct exo_net_grant_list
 *
 * Context: sleeps. Return: 0; -EINVAL reserved not zero; -ENOENT not attached;
 * -EMSGSIZE with out_nr set; -EFAULT; -ENOMEM.
 */
int exo_net_grant_list(struct exo_command *cmd)
{
	struct exo_net_grant_list *arg = cmd->arg;
	u32 nr, room = min(arg->nr, MOST_GRANTS);
	struct exo_net_grant_info *info;
	int rc;

	if (!EXO_CHECK(net_grants_reserved, !arg->reserved))
		return -EINVAL;
	info = kvcalloc(room ?: 1, sizeof(*info), EXO_GFP_USER);
	if (!info)
		return -ENOMEM;
	rc = snapshot(cmd->env, arg->ifindex, info, room, &nr);
	if (!rc)
		rc = exo_command_copy_array(arg->array, room, &arg->out_nr,
					    info, nr, sizeof(*info));
	kvfree(info);
	return rc;
}
