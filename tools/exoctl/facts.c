// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#include <stdlib.h>

#include "exoctl.h"
#include "facts.h"

/* A module without disks or flows has no lists of them: that is no error. */
static int gather_lists(struct exo_env *env, struct facts *facts)
{
	int rc = 0;

	if (facts->query.out_features & EXO_FEATURE_DISK)
		rc = exo_disk_list(env, &facts->disks);
	if (rc < 0)
		return fail(rc, NULL, "cannot list the disks");
	facts->nr_disks = rc;
	rc = 0;
	if (facts->query.out_features & EXO_FEATURE_FLOW_TCP4)
		rc = exo_net_list(env, &facts->nets);
	if (rc < 0)
		return fail(rc, NULL, "cannot list the network devices");
	facts->nr_nets = rc;
	return 0;
}

/* Takes the one out that asks: it would be another one each time. */
static int without(struct exo_env_info *envs, int nr, uint64_t id)
{
	int i, kept = 0;

	for (i = 0; i < nr; i++)
		if (envs[i].id != id)
			envs[kept++] = envs[i];
	return kept;
}

static int gather_envs(struct exo_env *env, struct facts *facts)
{
	struct exo_info info;
	int rc, nr;

	facts->has_events = facts->query.out_features & EXO_FEATURE_EVENT;
	if (!facts->has_events)
		return 0;
	nr = exo_env_list(env, &facts->envs);
	if (nr < 0)
		return fail(nr, NULL, "cannot list the envs");
	rc = exo_info_map(env, &info);
	if (rc)
		return fail(rc, NULL, "cannot map the exposed tables");
	facts->nr_envs = without(facts->envs, nr, EXO_INFO_READ(info.own->id));
	facts->global.nr_pressure = EXO_INFO_READ(info.global->nr_pressure);
	facts->global.nr_taken = EXO_INFO_READ(info.global->nr_taken);
	facts->global.max_pages = EXO_INFO_READ(info.global->max_pages);
	exo_info_unmap(&info);
	return 0;
}

int facts_read(struct facts *facts, struct exo_env *env)
{
	int rc;

	*facts = (struct facts) { .query = *exo_env_query(env) };
	rc = exo_stats(env, &facts->stats);
	if (rc)
		return fail(rc, NULL, "cannot read the counters");
	rc = gather_lists(env, facts);
	return rc ? rc : gather_envs(env, facts);
}

int facts_gather(struct facts *facts)
{
	struct exo_env *env;
	int rc;

	*facts = (struct facts) { .nr_disks = 0 };
	rc = env_open(&env);
	if (rc)
		return rc;
	rc = facts_read(facts, env);
	exo_env_close(env);
	return rc;
}

void facts_free(struct facts *facts)
{
	free(facts->disks);
	free(facts->nets);
	free(facts->envs);
}
