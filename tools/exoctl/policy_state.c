// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * What the module has been told of users, disks and network devices.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "exoctl.h"
#include "policy.h"

static int add(struct state *state, const struct rule *r)
{
	struct rule *grants;

	grants = reallocarray(state->grants, state->nr_grants + 1,
			      sizeof(*grants));
	if (!grants)
		return -ENOMEM;
	state->grants = grants;
	grants[state->nr_grants++] = *r;
	return 0;
}

/* A disk that was detached meanwhile has no grants. */
static int read_disk(struct exo_env *env, const struct exo_disk_info *disk,
		     struct state *state)
{
	struct rule r = { .kind = RULE_DISK_GRANT, .target = disk->disk };
	struct exo_disk_grant_info *list = NULL;
	int i, rc = 0, nr;

	nr = exo_disk_grant_list(env, disk->disk, &list);
	if (nr < 0)
		return nr == -ENOENT ? 0 : nr;
	memcpy(r.subject, disk->name, sizeof(disk->name));
	for (i = 0; i < nr && !rc; i++) {
		r.uid = list[i].uid;
		r.nr_blocks = list[i].max_blocks;
		user_name(r.uid, r.user, sizeof(r.user));
		rc = add(state, &r);
	}
	free(list);
	return rc;
}

static int read_disks(struct exo_env *env, struct state *state)
{
	struct exo_disk_info *disks = NULL;
	int i, rc = 0, nr = exo_disk_list(env, &disks);

	if (nr < 0)
		return nr;
	for (i = 0; i < nr && !rc; i++)
		rc = read_disk(env, &disks[i], state);
	free(disks);
	return rc;
}

static int read_net(struct exo_env *env, const struct exo_net_info *net,
		    struct state *state)
{
	struct rule r = { .kind = RULE_NET_GRANT, .target = net->ifindex };
	struct exo_net_grant_info *list = NULL;
	int i, rc = 0, nr;

	nr = exo_net_grant_list(env, net->ifindex, &list);
	if (nr < 0)
		return nr == -ENOENT ? 0 : nr;
	memcpy(r.subject, net->name, sizeof(net->name));
	for (i = 0; i < nr && !rc; i++) {
		r.uid = list[i].uid;
		r.first_port = list[i].first_port;
		r.last_port = list[i].last_port;
		user_name(r.uid, r.user, sizeof(r.user));
		rc = add(state, &r);
	}
	free(list);
	return rc;
}

static int read_nets(struct exo_env *env, struct state *state)
{
	struct exo_net_info *nets = NULL;
	int i, rc = 0, nr = exo_net_list(env, &nets);

	if (nr < 0)
		return nr;
	for (i = 0; i < nr && !rc; i++)
		rc = read_net(env, &nets[i], state);
	free(nets);
	return rc;
}

int state_read(struct exo_env *env, struct state *state)
{
	int rc;

	*state = (struct state) {};
	state->nr_users = exo_policy_list(env, &state->users);
	if (state->nr_users < 0 && state->nr_users != -EPERM)
		return state->nr_users;
	rc = read_disks(env, state);
	return rc ? rc : read_nets(env, state);
}

void state_free(struct state *state)
{
	free(state->users);
	free(state->grants);
}
