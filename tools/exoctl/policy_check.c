// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * exoctl policy check; and rules, for programs.
 */
#include <getopt.h>

#include "exoctl.h"
#include "json.h"
#include "policy.h"

void rule_json(struct json *j, const struct rule *r)
{
	static const char *const kinds[] = {
		[RULE_DISK_DEVICE] = "disk-device",
		[RULE_DISK_GRANT] = "disk-grant",
		[RULE_NET_LANE] = "net-lane",
		[RULE_NET_GRANT] = "net-grant",
		[RULE_USER_MEMORY] = "user-memory",
		[RULE_USER_ALLOW] = "user-allow",
	};

	json_text(j, "kind", kinds[r->kind]);
	json_text(j, "subject", r->subject);
	if (r->kind == RULE_DISK_DEVICE)
		json_text(j, "device", r->device);
	else if (r->kind == RULE_NET_LANE)
		json_text(j, "lane", lane_name(r->lane));
	else
		json_u64(j, "uid", r->uid);
	if (r->kind == RULE_DISK_GRANT) {
		json_u64(j, "nr_blocks", r->nr_blocks);
	} else if (r->kind == RULE_NET_GRANT) {
		json_u64(j, "first_port", r->first_port);
		json_u64(j, "last_port", r->last_port);
	} else if (r->kind == RULE_USER_MEMORY) {
		json_u64(j, "bytes", r->bytes);
	} else if (r->kind == RULE_USER_ALLOW) {
		json_bool(j, "numbers", r->allow & EXO_ALLOW_NUMBERS);
	}
}

static void policy_json(const struct policy *policy)
{
	struct json j = { .f = stdout };
	size_t i;

	json_open_list(&j, "rules");
	for (i = 0; i < policy->nr_rules; i++) {
		json_open(&j, NULL, '{');
		json_u64(&j, "line", policy->rules[i].line);
		rule_json(&j, &policy->rules[i]);
		json_close(&j, '}');
	}
	json_close_list(&j);
}

int policy_check(const struct command *cmd, int argc, char **argv)
{
	struct policy policy;
	bool json;
	int rc;

	rc = take_json_args(cmd, argc, argv, 1, &json);
	if (rc)
		return rc;
	rc = policy_read(&policy, argv[optind]);
	if (!rc && json)
		policy_json(&policy);
	else if (!rc)
		printf("%s is right: %zu rules\n", argv[optind],
		       policy.nr_rules);
	policy_free(&policy);
	return rc;
}
