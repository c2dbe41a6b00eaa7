/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Facts: what the module says of itself, gathered at one time, for the commands
 * that show it in different ways.
 */
#ifndef EXOCTL_FACTS_H
#define EXOCTL_FACTS_H

#include <exo/exo.h>

#include "json.h"

/**
 * struct facts - what is shown
 * @query: features and limits
 * @stats: counters
 * @disks: attached disks
 * @nr_disks: entries of @disks
 * @nets: attached devices
 * @nr_nets: entries of @nets
 * @has_events: the module has envs to list, and the two below
 * @envs: that the caller may see, without the one that asked
 * @nr_envs: entries of @envs
 * @global: counters of what was asked for and taken
 */
struct facts {
	struct exo_query query;
	struct exo_stats stats;
	struct exo_disk_info *disks;
	int nr_disks;
	struct exo_net_info *nets;
	int nr_nets;
	bool has_events;
	struct exo_env_info *envs;
	int nr_envs;
	struct exo_info_global global;
};

/**
 * facts_gather() - ask the module, or say what failed
 * @facts: to be freed by facts_free(), whatever comes back
 *
 * Return: 0 or EXIT_FAILED.
 */
int facts_gather(struct facts *facts);
/* The same by an env that is open. */
int facts_read(struct facts *facts, struct exo_env *env);
void facts_free(struct facts *facts);

/* Members of an array that is open. */
void disk_json(struct json *j, const struct exo_disk_info *disks, int nr);
void net_json(struct json *j, const struct exo_net_info *nets, int nr);

#endif /* EXOCTL_FACTS_H */
