// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * exoctl status: the module, its limits, what is in use.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>

#include "exoctl.h"

/**
 * struct facts - what is shown
 * @query: features and limits
 * @stats: counters
 * @disks: attached disks
 * @nr_disks: entries of @disks
 * @nets: attached devices
 * @nr_nets: entries of @nets
 */
struct facts {
	struct exo_query query;
	struct exo_stats stats;
	struct exo_disk_info *disks;
	int nr_disks;
	struct exo_net_info *nets;
	int nr_nets;
};

static const struct {
	uint64_t bit;
	const char *name;
} features[] = {
	{ EXO_FEATURE_FRAME, "frame" },
	{ EXO_FEATURE_DISK, "disk" },
	{ EXO_FEATURE_URING, "uring" },
	{ EXO_FEATURE_FLOW_TCP4, "flow-tcp4" },
	{ EXO_FEATURE_TX_GSO, "tx-gso" },
};

#define NR_FEATURES	(sizeof(features) / sizeof(*features))

/* A number of the answers: where, how wide, under which names. */
struct number {
	size_t offset;
	size_t bytes;
	const char *key;
	const char *text;
};

#define QUERY(member, text) \
	{ offsetof(struct facts, query.out_##member), \
	  sizeof(((struct facts *)0)->query.out_##member), #member, text }
#define STATS(member, text) \
	{ offsetof(struct facts, stats.out_##member), \
	  sizeof(((struct facts *)0)->stats.out_##member), #member, text }

static const struct number limits[] = {
	QUERY(page_bytes, "bytes a page"),
	QUERY(block_bytes, "bytes a block"),
	QUERY(max_frame_pages, "pages a frame"),
	QUERY(max_frame_order, "contiguity of a frame, power of two"),
	QUERY(max_io, "operations a submission"),
	QUERY(max_io_blocks, "blocks an operation"),
	QUERY(max_cq_entries, "entries of a completion ring"),
	QUERY(max_ring_bytes, "bytes of a receive ring"),
	QUERY(max_tx_entries, "entries of a transmit ring"),
};

static const struct number counters[] = {
	STATS(nr_envs, "envs open, this one included"),
	STATS(nr_objects, "frames, extents, rings and flows"),
	STATS(nr_frame_pages, "pages charged"),
	STATS(nr_io, "block operations in flight"),
	STATS(nr_tx, "packets in flight"),
	STATS(nr_flows, "flows"),
	STATS(nr_disks, "disks"),
	STATS(nr_netdevs, "network devices"),
};

#define NR(array)	(sizeof(array) / sizeof(*(array)))

static uint64_t value(const struct facts *facts, const struct number *n)
{
	const char *at = (const char *)facts + n->offset;

	if (n->bytes == sizeof(uint64_t))
		return *(const uint64_t *)at;
	return *(const uint32_t *)at;
}

static void print_numbers(const char *title, const struct facts *facts,
			  const struct number *n, size_t nr)
{
	printf("%s\n", title);
	for (; nr; nr--, n++)
		printf("  %10" PRIu64 "  %s\n", value(facts, n), n->text);
}

static void print_text(const struct facts *facts)
{
	size_t i;

	printf("exo is loaded. Features:");
	for (i = 0; i < NR_FEATURES; i++)
		if (facts->query.out_features & features[i].bit)
			printf(" %s", features[i].name);
	printf("\n");
	print_numbers("In use", facts, counters, NR(counters));
	print_numbers("Limits", facts, limits, NR(limits));
	if (facts->nr_disks)
		disk_print(facts->disks, facts->nr_disks);
	if (facts->nr_nets)
		net_print(facts->nets, facts->nr_nets);
}

static void json_numbers(const char *title, const struct facts *facts,
			 const struct number *n, size_t nr)
{
	size_t i;

	printf("  \"%s\": {", title);
	for (i = 0; i < nr; i++)
		printf("%s\"%s\": %" PRIu64, i ? ", " : "", n[i].key,
		       value(facts, &n[i]));
	printf("},\n");
}

static void json_disks(const struct facts *facts)
{
	char uuid[40];
	int i;

	printf("  \"disks\": [");
	for (i = 0; i < facts->nr_disks; i++) {
		const struct exo_disk_info *d = &facts->disks[i];

		printf("%s{\"name\": ", i ? ", " : "");
		json_string(stdout, (const char *)d->name, EXO_NAME_BYTES);
		printf(", \"device\": ");
		json_string(stdout, (const char *)d->path, EXO_NAME_BYTES);
		printf(", \"uuid\": \"%s\", \"nr_blocks\": %" PRIu64
		       ", \"nr_free\": %" PRIu64 ", \"nr_open\": %u}",
		       uuid_text(d->uuid, uuid), (uint64_t)d->nr_blocks,
		       (uint64_t)d->nr_free, d->nr_open);
	}
	printf("],\n");
}

static void json_nets(const struct facts *facts)
{
	int i;

	printf("  \"netdevs\": [");
	for (i = 0; i < facts->nr_nets; i++) {
		const struct exo_net_info *n = &facts->nets[i];

		printf("%s{\"name\": ", i ? ", " : "");
		json_string(stdout, (const char *)n->name, sizeof(n->name));
		printf(", \"lane\": \"%s\", \"nr_flows\": %u, \"rx_claimed\": %"
		       PRIu64 ", \"rx_passed\": %" PRIu64
		       ", \"rx_dropped\": %" PRIu64 ", \"tx_packets\": %" PRIu64
		       ", \"tx_refused\": %" PRIu64 "}",
		       lane_name(n->lane), n->nr_flows,
		       (uint64_t)n->rx_claimed, (uint64_t)n->rx_passed,
		       (uint64_t)n->rx_dropped, (uint64_t)n->tx_packets,
		       (uint64_t)n->tx_refused);
	}
	printf("]\n");
}

static void print_json(const struct facts *facts)
{
	bool first = true;
	size_t i;

	printf("{\n  \"features\": [");
	for (i = 0; i < NR_FEATURES; i++) {
		if (!(facts->query.out_features & features[i].bit))
			continue;
		printf("%s\"%s\"", first ? "" : ", ", features[i].name);
		first = false;
	}
	printf("],\n");
	json_numbers("in_use", facts, counters, NR(counters));
	json_numbers("limits", facts, limits, NR(limits));
	json_disks(facts);
	json_nets(facts);
	printf("}\n");
}

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

static int gather(struct exo_env *env, struct facts *facts)
{
	int rc;

	facts->query = *exo_env_query(env);
	rc = exo_stats(env, &facts->stats);
	if (rc)
		return fail(rc, NULL, "cannot read the counters");
	return gather_lists(env, facts);
}

int status(const struct command *cmd, int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{}
	};
	struct facts facts = { .nr_disks = 0 };
	bool json = false;
	struct exo_env *env;
	int c, rc;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == '?')
			return bad_option(cmd, argv);
		json = true;
	}
	if (optind != argc)
		return usage(cmd, "no arguments wanted");
	rc = env_open(&env);
	if (rc)
		return rc;
	rc = gather(env, &facts);
	if (!rc && json)
		print_json(&facts);
	else if (!rc)
		print_text(&facts);
	free(facts.disks);
	free(facts.nets);
	exo_env_close(env);
	return rc;
}
