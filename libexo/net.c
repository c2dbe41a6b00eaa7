// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Net: devices that flows can be bound on. See <exo/net.h>.
 */
#include <exo/net.h>

#include "sys.h"

static int net_list_once(struct exo_env *env, __u32 id, void *array, __u32 nr,
			 __u32 *out_nr)
{
	struct exo_net_list arg = {
		.size = sizeof(arg),
		.array = (uintptr_t)array,
		.nr = nr,
	};
	int rc = exo_command(env, EXO_CMD_NET_LIST, &arg);

	(void)id;
	*out_nr = arg.out_nr;
	return rc;
}

int exo_net_list(struct exo_env *env, struct exo_net_info **out_nets)
{
	void *array = NULL;
	int rc;

	rc = exo_list_all(env, net_list_once, 0, sizeof(**out_nets), &array);
	if (rc >= 0)
		*out_nets = array;
	return rc;
}

int exo_net_attach(struct exo_env *env, __u32 ifindex, __u32 lane)
{
	struct exo_net_attach arg = {
		.size = sizeof(arg),
		.ifindex = ifindex,
		.lane = lane,
	};

	return exo_command(env, EXO_CMD_NET_ATTACH, &arg);
}

int exo_net_detach(struct exo_env *env, __u32 ifindex)
{
	struct exo_net_detach arg = {
		.size = sizeof(arg),
		.ifindex = ifindex,
	};

	return exo_command(env, EXO_CMD_NET_DETACH, &arg);
}

static int net_grant(struct exo_env *env, __u32 flags, __u32 ifindex, uid_t uid,
		     __u16 first_port, __u16 last_port)
{
	struct exo_net_grant arg = {
		.size = sizeof(arg),
		.flags = flags,
		.ifindex = ifindex,
		.uid = uid,
		.first_port = first_port,
		.last_port = last_port,
	};

	return exo_command(env, EXO_CMD_NET_GRANT, &arg);
}

int exo_net_grant(struct exo_env *env, __u32 ifindex, uid_t uid,
		  __u16 first_port, __u16 last_port)
{
	return net_grant(env, 0, ifindex, uid, first_port, last_port);
}

int exo_net_revoke(struct exo_env *env, __u32 ifindex, uid_t uid,
		   __u16 first_port, __u16 last_port)
{
	return net_grant(env, EXO_GRANT_REVOKE, ifindex, uid, first_port,
			 last_port);
}

static int grant_list_once(struct exo_env *env, __u32 id, void *array,
			   __u32 nr, __u32 *out_nr)
{
	struct exo_net_grant_list arg = {
		.size = sizeof(arg),
		.ifindex = id,
		.array = (uintptr_t)array,
		.nr = nr,
	};
	int rc = exo_command(env, EXO_CMD_NET_GRANT_LIST, &arg);

	*out_nr = arg.out_nr;
	return rc;
}

int exo_net_grant_list(struct exo_env *env, __u32 ifindex,
		       struct exo_net_grant_info **out_grants)
{
	void *array = NULL;
	int rc;

	rc = exo_list_all(env, grant_list_once, ifindex, sizeof(**out_grants),
			  &array);
	if (rc >= 0)
		*out_grants = array;
	return rc;
}
