// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * exoctl status: the module, its limits, what is in use.
 */
#include <inttypes.h>
#include <stddef.h>

#include "exoctl.h"
#include "facts.h"

static const struct {
	uint64_t bit;
	const char *name;
} features[] = {
	{ EXO_FEATURE_FRAME, "frame" },
	{ EXO_FEATURE_DISK, "disk" },
	{ EXO_FEATURE_URING, "uring" },
	{ EXO_FEATURE_FLOW_TCP4, "flow-tcp4" },
	{ EXO_FEATURE_TX_GSO, "tx-gso" },
	{ EXO_FEATURE_CAP, "cap" },
	{ EXO_FEATURE_PLACEMENT, "placement" },
	{ EXO_FEATURE_EVENT, "event" },
	{ EXO_FEATURE_POLICY, "policy" },
	{ EXO_FEATURE_GRANT_LIST, "grant-list" },
	{ EXO_FEATURE_NOTICE, "notice" },
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

static void json_numbers(struct json *j, const char *title,
			 const struct facts *facts, const struct number *n,
			 size_t nr)
{
	json_open(j, title, '{');
	for (; nr; nr--, n++)
		json_u64(j, n->key, value(facts, n));
	json_close(j, '}');
}

static void print_json(const struct facts *facts)
{
	struct json j = { .f = stdout };
	size_t i;

	json_open(&j, NULL, '{');
	json_open(&j, "features", '[');
	for (i = 0; i < NR_FEATURES; i++)
		if (facts->query.out_features & features[i].bit)
			json_text(&j, NULL, features[i].name);
	json_close(&j, ']');
	json_numbers(&j, "in_use", facts, counters, NR(counters));
	json_numbers(&j, "limits", facts, limits, NR(limits));
	json_open(&j, "disks", '[');
	disk_json(&j, facts->disks, facts->nr_disks);
	json_close(&j, ']');
	json_open(&j, "netdevs", '[');
	net_json(&j, facts->nets, facts->nr_nets);
	json_close(&j, ']');
	json_close(&j, '}');
}

int status(const struct command *cmd, int argc, char **argv)
{
	struct facts facts;
	bool json;
	int rc;

	rc = take_json_args(cmd, argc, argv, 0, &json);
	if (rc)
		return rc;
	rc = facts_gather(&facts);
	if (!rc && json)
		print_json(&facts);
	else if (!rc)
		print_text(&facts);
	facts_free(&facts);
	return rc;
}
