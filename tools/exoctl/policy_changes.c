// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * What applying a policy changed, or would change, in words and for programs.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "exoctl.h"
#include "json.h"
#include "policy.h"

static const struct {
	const char *verb;
	const char *past;
	const char *whom;
} words[] = {
	[CHANGE_ATTACH] = { "attach", "attached", "as" },
	[CHANGE_GRANT] = { "grant", "granted", "to" },
	[CHANGE_WITHDRAW] = { "withdraw", "withdrew", "from" },
	[CHANGE_SET] = { "set", "set", "" },
	[CHANGE_FORGET] = { "forget", "forgot", "" },
};

const char *ports_text(const struct rule *r, char *buf, size_t bytes)
{
	if (r->first_port == r->last_port)
		snprintf(buf, bytes, "%u", r->first_port);
	else
		snprintf(buf, bytes, "%u-%u", r->first_port, r->last_port);
	return buf;
}

static void change_print(const struct changes *c, enum change_kind kind,
			 const struct rule *r)
{
	const char *whom = words[kind].whom;
	char ports[16];

	if (c->dry_run)
		printf("would %s ", words[kind].verb);
	else
		printf("%s ", words[kind].past);
	switch (r->kind) {
	case RULE_DISK_DEVICE:
		printf("%s %s disk %s\n", r->device, whom, r->subject);
		break;
	case RULE_DISK_GRANT:
		printf("%" PRIu64 " blocks of disk %s %s %s\n", r->nr_blocks,
		       r->subject, whom, r->user);
		break;
	case RULE_NET_LANE:
		printf("%s, lane %s\n", r->subject, lane_name(r->lane));
		break;
	case RULE_NET_GRANT:
		printf("port %s of %s %s %s\n",
		       ports_text(r, ports, sizeof(ports)), r->subject, whom,
		       r->user);
		break;
	case RULE_USER_MEMORY:
	case RULE_USER_ALLOW:
		printf("the policy of %s\n", r->subject);
		break;
	}
}

int change_add(struct changes *c, enum change_kind kind, const struct rule *r)
{
	struct change *list;

	list = reallocarray(c->list, c->nr + 1, sizeof(*list));
	if (!list)
		return -ENOMEM;
	c->list = list;
	list[c->nr++] = (struct change) { .kind = kind, .rule = *r };
	c->nr_of[kind]++;
	if (!c->quiet)
		change_print(c, kind, r);
	return 0;
}

void changes_json(struct json *j, const struct changes *c)
{
	const struct change *x;

	json_open(j, "changes", '[');
	for (x = c->list; x < c->list + c->nr; x++) {
		json_open(j, NULL, '{');
		json_text(j, "change", words[x->kind].verb);
		if (x->kind == CHANGE_SET || x->kind == CHANGE_FORGET) {
			json_text(j, "kind", "user");
			json_text(j, "subject", x->rule.subject);
			json_u64(j, "uid", x->rule.uid);
		} else {
			rule_json(j, &x->rule);
		}
		json_close(j, '}');
	}
	json_close(j, ']');
}

void changes_free(struct changes *c)
{
	free(c->list);
}
