// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * exoctl policy list: what was given to whom, as the caller may see it.
 */
#include <inttypes.h>

#include "exoctl.h"
#include "json.h"
#include "policy.h"

#define NO_LIMIT	(~0ULL)

static void print_users(const struct exo_policy *users, int nr)
{
	char user[40], pages[24];
	int i;

	printf("%-12s %12s  %s\n", "USER", "MAX PAGES", "MAY SEE");
	for (i = 0; i < nr; i++) {
		snprintf(pages, sizeof(pages), "%" PRIu64,
			 (uint64_t)users[i].max_pages);
		printf("%-12s %12s  %s\n",
		       user_name(users[i].uid, user, sizeof(user)),
		       users[i].max_pages == NO_LIMIT ? "-" : pages,
		       users[i].allow & EXO_ALLOW_NUMBERS ? "numbers" : "-");
	}
}

static size_t count(const struct state *state, enum rule_kind kind)
{
	size_t i, nr = 0;

	for (i = 0; i < state->nr_grants; i++)
		nr += state->grants[i].kind == kind;
	return nr;
}

static void print_blocks(const struct state *state)
{
	const struct rule *r = state->grants;
	const struct rule *end = r + state->nr_grants;
	char size[16];

	printf("\n%-16s %-12s %12s %8s\n", "DISK", "USER", "MAX BLOCKS",
	       "SIZE");
	for (; r < end; r++) {
		if (r->kind != RULE_DISK_GRANT)
			continue;
		human_bytes(r->nr_blocks * EXO_BLOCK_BYTES, size, sizeof(size));
		printf("%-16s %-12s %12" PRIu64 " %8s\n", r->subject, r->user,
		       r->nr_blocks, size);
	}
}

static void print_ports(const struct state *state)
{
	const struct rule *r = state->grants;
	const struct rule *end = r + state->nr_grants;
	char ports[16];

	printf("\n%-16s %-12s %12s\n", "DEVICE", "USER", "PORTS");
	for (; r < end; r++)
		if (r->kind == RULE_NET_GRANT)
			printf("%-16s %-12s %12s\n", r->subject, r->user,
			       ports_text(r, ports, sizeof(ports)));
}

static void print_state(const struct state *state)
{
	if (state->nr_users >= 0)
		print_users(state->users, state->nr_users);
	else
		puts("What is set for users is shown to root, all grants too; "
		     "these are your own.");
	if (count(state, RULE_DISK_GRANT))
		print_blocks(state);
	if (count(state, RULE_NET_GRANT))
		print_ports(state);
}

static void json_users(struct json *j, const struct exo_policy *users, int nr)
{
	int i;

	json_open(j, "policies", '[');
	for (i = 0; i < nr; i++) {
		json_open(j, NULL, '{');
		json_u64(j, "uid", users[i].uid);
		if (users[i].max_pages == NO_LIMIT)
			json_null(j, "max_pages");
		else
			json_u64(j, "max_pages", users[i].max_pages);
		json_open(j, "allow", '[');
		if (users[i].allow & EXO_ALLOW_NUMBERS)
			json_text(j, NULL, "numbers");
		json_close(j, ']');
		json_close(j, '}');
	}
	json_close(j, ']');
}

static void json_state(const struct state *state)
{
	struct json j = { .f = stdout };
	size_t i;

	json_open(&j, NULL, '{');
	if (state->nr_users >= 0)
		json_users(&j, state->users, state->nr_users);
	else
		json_null(&j, "policies");
	json_open(&j, "grants", '[');
	for (i = 0; i < state->nr_grants; i++) {
		json_open(&j, NULL, '{');
		rule_json(&j, &state->grants[i]);
		json_close(&j, '}');
	}
	json_close(&j, ']');
	json_close(&j, '}');
}

int policy_list(const struct command *cmd, int argc, char **argv)
{
	struct exo_env *env;
	struct state state;
	bool json;
	int rc;

	rc = begin_json(cmd, argc, argv, 0, &json, &env);
	if (rc)
		return rc;
	rc = state_read(env, &state);
	exo_env_close(env);
	if (rc)
		rc = fail(rc, policy_why, "cannot list what was given");
	else if (json)
		json_state(&state);
	else
		print_state(&state);
	state_free(&state);
	return rc;
}
