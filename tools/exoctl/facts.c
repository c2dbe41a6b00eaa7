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

int facts_read(struct facts *facts, struct exo_env *env)
{
	int rc;

	*facts = (struct facts) { .query = *exo_env_query(env) };
	rc = exo_stats(env, &facts->stats);
	if (rc)
		return fail(rc, NULL, "cannot read the counters");
	return gather_lists(env, facts);
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
}
