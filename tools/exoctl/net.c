// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * exoctl net
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "exoctl.h"
#include "facts.h"

#define NEEDS_ROOT	"only root (CAP_NET_ADMIN) may; run it by sudo"

/**
 * struct lane - what the administrator should know about a lane
 * @id: EXO_LANE_*
 * @name: in the list
 * @bypasses: what does not see the packets of flows
 * @costs: what all other traffic of the device pays
 */
struct lane {
	uint32_t id;
	const char *name;
	const char *bypasses;
	const char *costs;
};

static const struct lane lanes[] = {
	{ EXO_LANE_DIRECT, "direct",
	  "packets of flows do not pass netfilter's ip and inet tables, "
	  "conntrack and NAT, in or out; packet sockets (tcpdump), tc and "
	  "netdev tables see them",
	  "one lookup for each packet that Linux receives on the device; its "
	  "offloads stay as they are" },
};

#define NR_LANES	(sizeof(lanes) / sizeof(*lanes))

static const struct lane *lane_find(uint32_t id)
{
	size_t i;

	for (i = 0; i < NR_LANES; i++)
		if (lanes[i].id == id)
			return &lanes[i];
	return NULL;
}

const char *lane_name(uint32_t id)
{
	const struct lane *lane = lane_find(id);

	return lane ? lane->name : "unknown";
}

static void lane_json(struct json *j, const char *key, const struct lane *lane)
{
	json_open(j, key, '{');
	json_text(j, "name", lane->name);
	json_text(j, "bypasses", lane->bypasses);
	json_text(j, "costs", lane->costs);
	json_close(j, '}');
}

static void lane_print(uint32_t id)
{
	const struct lane *lane = lane_find(id);

	if (lane)
		printf("  lane %s\n    bypasses: %s\n    costs: %s\n",
		       lane->name, lane->bypasses, lane->costs);
}

void net_json(struct json *j, const struct exo_net_info *nets, int nr)
{
	int i;

	for (i = 0; i < nr; i++) {
		const struct exo_net_info *n = &nets[i];

		json_open(j, NULL, '{');
		json_chars(j, "name", n->name, sizeof(n->name));
		json_text(j, "lane", lane_name(n->lane));
		json_u64(j, "nr_flows", n->nr_flows);
		json_u64(j, "rx_claimed", n->rx_claimed);
		json_u64(j, "rx_passed", n->rx_passed);
		json_u64(j, "rx_dropped", n->rx_dropped);
		json_u64(j, "tx_packets", n->tx_packets);
		json_u64(j, "tx_refused", n->tx_refused);
		json_close(j, '}');
	}
}

void net_print(const struct exo_net_info *nets, int nr)
{
	int i;

	printf("%-16s %-8s %6s %12s %12s %10s %12s %10s\n", "DEVICE", "LANE",
	       "FLOWS", "CLAIMED", "TO-LINUX", "DROPPED", "SENT", "REFUSED");
	for (i = 0; i < nr; i++) {
		const struct exo_net_info *n = &nets[i];

		printf("%-16.16s %-8s %6u %12" PRIu64 " %12" PRIu64
		       " %10" PRIu64 " %12" PRIu64 " %10" PRIu64 "\n",
		       (const char *)n->name, lane_name(n->lane), n->nr_flows,
		       (uint64_t)n->rx_claimed, (uint64_t)n->rx_passed,
		       (uint64_t)n->rx_dropped, (uint64_t)n->tx_packets,
		       (uint64_t)n->tx_refused);
	}
}

/* 0 or EXIT_FAILED */
static int device_find(const char *name, uint32_t *ifindex)
{
	*ifindex = if_nametoindex(name);
	if (*ifindex)
		return 0;
	return fail(-errno, NULL, "there is no network device '%s'; 'ip link' "
		    "lists them", name);
}

static void attached_json(const char *device, uint32_t id)
{
	struct json j = { .f = stdout };

	json_open(&j, NULL, '{');
	json_text(&j, "device", device);
	lane_json(&j, "lane", lane_find(id));
	json_close(&j, '}');
}

int net_attach(const struct command *cmd, int argc, char **argv)
{
	static const struct why why[] = {
		{ EPERM, NEEDS_ROOT },
		{ EACCES, NEEDS_ROOT },
		{ EBUSY, "it is attached already, or a port of a bridge, bond "
			 "or macvlan ('exoctl net list', 'ip -d link')" },
		{ EINVAL, "it is not an Ethernet device" },
		{}
	};
	struct exo_env *env;
	uint32_t ifindex;
	bool json;
	int rc;

	rc = take_json_args(cmd, argc, argv, 1, &json);
	if (!rc)
		rc = device_find(argv[optind], &ifindex);
	if (!rc)
		rc = env_open(&env);
	if (rc)
		return rc;
	rc = exo_net_attach(env, ifindex, EXO_LANE_DIRECT);
	if (rc)
		rc = fail(rc, why, "cannot attach %s", argv[optind]);
	else if (json)
		attached_json(argv[optind], EXO_LANE_DIRECT);
	else
		lane_print(EXO_LANE_DIRECT);
	exo_env_close(env);
	return rc;
}

int net_detach(const struct command *cmd, int argc, char **argv)
{
	static const struct why why[] = {
		{ EPERM, NEEDS_ROOT },
		{ ENOENT, "it is not attached ('exoctl net list')" },
		{ EBUSY, "a flow is bound on it; end the programs that use it "
			 "('fuser -v /dev/exo')" },
		{}
	};
	struct exo_env *env;
	uint32_t ifindex;
	int rc;

	rc = take_args(cmd, argc, argv, 1);
	if (!rc)
		rc = device_find(argv[optind], &ifindex);
	if (!rc)
		rc = env_open(&env);
	if (rc)
		return rc;
	rc = exo_net_detach(env, ifindex);
	if (rc)
		rc = fail(rc, why, "cannot detach %s", argv[optind]);
	exo_env_close(env);
	return rc;
}

static bool lane_used(uint32_t id, const struct exo_net_info *nets, int nr)
{
	int i;

	for (i = 0; i < nr; i++)
		if (nets[i].lane == id)
			return true;
	return false;
}

static void list_text(const struct exo_net_info *nets, int nr)
{
	size_t l;

	net_print(nets, nr);
	for (l = 0; l < NR_LANES; l++)
		if (lane_used(lanes[l].id, nets, nr))
			lane_print(lanes[l].id);
}

static void list_json(const struct exo_net_info *nets, int nr)
{
	struct json j = { .f = stdout };
	size_t l;

	json_open(&j, NULL, '{');
	json_open(&j, "netdevs", '[');
	net_json(&j, nets, nr);
	json_close(&j, ']');
	json_open(&j, "lanes", '[');
	for (l = 0; l < NR_LANES; l++)
		if (lane_used(lanes[l].id, nets, nr))
			lane_json(&j, NULL, &lanes[l]);
	json_close(&j, ']');
	json_close(&j, '}');
}

int net_list(const struct command *cmd, int argc, char **argv)
{
	struct exo_net_info *nets = NULL;
	struct exo_env *env;
	bool json;
	int rc;

	rc = begin_json(cmd, argc, argv, 0, &json, &env);
	if (rc)
		return rc;
	rc = exo_net_list(env, &nets);
	if (rc < 0) {
		rc = fail(rc, NULL, "cannot list the devices");
	} else if (json) {
		list_json(nets, rc);
		rc = EXIT_OK;
	} else {
		list_text(nets, rc);
		rc = EXIT_OK;
	}
	free(nets);
	exo_env_close(env);
	return rc;
}

/* "80" or "8000-8100" */
bool parse_ports(const char *text, uint16_t *first, uint16_t *last)
{
	const char *dash = strchr(text, '-');
	char low[8] = "";
	uint64_t a, b;

	if (!dash) {
		if (!parse_number(text, UINT16_MAX, &a) || !a)
			return false;
		*first = *last = (uint16_t)a;
		return true;
	}
	if (dash - text >= (ptrdiff_t)sizeof(low))
		return false;
	memcpy(low, text, dash - text);
	if (!parse_number(low, UINT16_MAX, &a) || !a ||
	    !parse_number(dash + 1, UINT16_MAX, &b) || b < a)
		return false;
	*first = (uint16_t)a;
	*last = (uint16_t)b;
	return true;
}

static int change_grant(const struct command *cmd, int argc, char **argv,
			bool give)
{
	static const struct why why[] = {
		{ EPERM, NEEDS_ROOT },
		{ ENODEV, "it is not attached ('exoctl net attach')" },
		{ ENOENT, "it is not attached ('exoctl net attach'), or there "
			  "is no such grant" },
		{ EEXIST, "it is granted already" },
		{}
	};
	uint16_t first, last;
	struct exo_env *env;
	uint32_t ifindex;
	uid_t uid;
	int rc;

	rc = take_args(cmd, argc, argv, 3);
	if (rc)
		return rc;
	argv += optind;
	if (!parse_ports(argv[2], &first, &last))
		return usage(cmd, "'%s' is neither a port (80) nor a range "
			     "(8000-8100)", argv[2]);
	if (!parse_user(argv[1], &uid))
		return fail(-ENOENT, NULL, "there is no user '%s'", argv[1]);
	if (device_find(argv[0], &ifindex) || env_open(&env))
		return EXIT_FAILED;
	rc = give ? exo_net_grant(env, ifindex, uid, first, last) :
		    exo_net_revoke(env, ifindex, uid, first, last);
	if (rc)
		rc = fail(rc, why, "cannot %s port %s of %s %s %s",
			  give ? "grant" : "revoke", argv[2], argv[0],
			  give ? "to" : "from", argv[1]);
	exo_env_close(env);
	return rc;
}

int net_grant(const struct command *cmd, int argc, char **argv)
{
	return change_grant(cmd, argc, argv, true);
}

int net_revoke(const struct command *cmd, int argc, char **argv)
{
	return change_grant(cmd, argc, argv, false);
}
