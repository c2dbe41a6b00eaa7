// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * exoctl policy set, forget, list: what one user may have, in the module.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "exoctl.h"
#include "json.h"

#define TIMEOUT_MS	10000
#define MAX_TIMEOUT_MS	3600000
#define NO_LIMIT	(~0ULL)

static const struct why policy_why[] = {
	{ EPERM, "only root (CAP_SYS_ADMIN) may; run it by sudo" },
	{ ENOENT, "nothing is set for that user; 'exoctl policy list' shows "
		  "for whom" },
	{ ENOTTY, "this module has no policy of users: is it an older one?" },
	{ 0, NULL }
};

/* What is set for the user now, or what holds without. */
static int current(struct exo_env *env, uint32_t uid, struct exo_policy *policy)
{
	struct exo_policy *list = NULL;
	int i, nr = exo_policy_list(env, &list);

	*policy = (struct exo_policy) { .uid = uid, .max_pages = NO_LIMIT };
	for (i = 0; i < nr; i++)
		if (list[i].uid == uid)
			*policy = list[i];
	free(list);
	return nr < 0 ? nr : 0;
}

/**
 * struct change - what --options change of a policy
 * @max_pages: --max-pages
 * @allow: --allow
 * @pages_given: @max_pages counts
 * @allow_given: @allow counts
 * @timeout_ms: --timeout
 */
struct change {
	uint64_t max_pages;
	uint32_t allow;
	bool pages_given;
	bool allow_given;
	uint64_t timeout_ms;
};

static int take_option(const struct command *cmd, int c, struct change *change)
{
	bool none = !strcmp(optarg, "none");

	switch (c) {
	case 'm':
		change->pages_given = true;
		change->max_pages = NO_LIMIT;
		if (!none && !parse_number(optarg, NO_LIMIT - 1,
					   &change->max_pages))
			return usage(cmd, "'%s' is no number of pages, nor "
				     "'none' for no limit", optarg);
		return 0;
	case 'a':
		change->allow_given = true;
		if (!strcmp(optarg, "numbers"))
			change->allow |= EXO_ALLOW_NUMBERS;
		else if (!none)
			return usage(cmd, "'%s' is nothing to be allowed: "
				     "'numbers' or 'none'", optarg);
		return 0;
	}
	if (!parse_number(optarg, MAX_TIMEOUT_MS, &change->timeout_ms))
		return usage(cmd, "'%s' is no time up to %d ms", optarg,
			     MAX_TIMEOUT_MS);
	return 0;
}

static int apply(struct exo_env *env, uid_t uid, const struct change *change)
{
	struct exo_policy policy;
	int rc = current(env, uid, &policy);

	if (change->pages_given)
		policy.max_pages = change->max_pages;
	if (change->allow_given)
		policy.allow = change->allow;
	return rc ? rc : exo_policy_set(env, &policy,
					(uint32_t)change->timeout_ms);
}

/* The user at argv[optind], the only argument left. */
static int take_user(const struct command *cmd, int argc, char **argv,
		     uid_t *uid)
{
	if (argc - optind != 1)
		return usage(cmd, "USER wanted");
	if (!parse_user(argv[optind], uid))
		return usage(cmd, "there is no user '%s'", argv[optind]);
	return 0;
}

int policy_user_set(const struct command *cmd, int argc, char **argv)
{
	static const struct option options[] = {
		{ "max-pages", required_argument, NULL, 'm' },
		{ "allow", required_argument, NULL, 'a' },
		{ "timeout", required_argument, NULL, 't' },
		{}
	};
	struct change change = { .timeout_ms = TIMEOUT_MS };
	struct exo_env *env;
	uid_t uid;
	int c, rc;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		rc = c == '?' ? bad_option(cmd, argv) :
		     take_option(cmd, c, &change);
		if (rc)
			return rc;
	}
	rc = take_user(cmd, argc, argv, &uid);
	if (!rc && !change.pages_given && !change.allow_given)
		rc = usage(cmd, "set what? --max-pages or --allow");
	if (!rc)
		rc = env_open(&env);
	if (rc)
		return rc;
	rc = apply(env, uid, &change);
	exo_env_close(env);
	return rc ? fail(rc, policy_why, "cannot set the policy of %s",
			 argv[optind]) : EXIT_OK;
}

int policy_user_forget(const struct command *cmd, int argc, char **argv)
{
	struct exo_env *env;
	uid_t uid;
	int rc;

	rc = take_args(cmd, argc, argv, 1);
	if (!rc)
		rc = take_user(cmd, argc, argv, &uid);
	if (!rc)
		rc = env_open(&env);
	if (rc)
		return rc;
	rc = exo_policy_forget(env, uid);
	exo_env_close(env);
	return rc ? fail(rc, policy_why, "cannot forget the policy of %s",
			 argv[optind]) : EXIT_OK;
}

static void print_policies(const struct exo_policy *list, int nr)
{
	char user[40], pages[24];
	int i;

	printf("%-12s %12s  %s\n", "USER", "MAX PAGES", "MAY SEE");
	for (i = 0; i < nr; i++) {
		snprintf(pages, sizeof(pages), "%" PRIu64,
			 (uint64_t)list[i].max_pages);
		printf("%-12s %12s  %s\n",
		       user_name(list[i].uid, user, sizeof(user)),
		       list[i].max_pages == NO_LIMIT ? "-" : pages,
		       list[i].allow & EXO_ALLOW_NUMBERS ? "numbers" : "-");
	}
}

static void json_policies(const struct exo_policy *list, int nr)
{
	struct json j = { .f = stdout };
	int i;

	json_open(&j, NULL, '{');
	json_open(&j, "policies", '[');
	for (i = 0; i < nr; i++) {
		json_open(&j, NULL, '{');
		json_u64(&j, "uid", list[i].uid);
		if (list[i].max_pages == NO_LIMIT)
			json_null(&j, "max_pages");
		else
			json_u64(&j, "max_pages", list[i].max_pages);
		json_open(&j, "allow", '[');
		if (list[i].allow & EXO_ALLOW_NUMBERS)
			json_text(&j, NULL, "numbers");
		json_close(&j, ']');
		json_close(&j, '}');
	}
	json_close(&j, ']');
	json_close(&j, '}');
}

int policy_user_list(const struct command *cmd, int argc, char **argv)
{
	struct exo_policy *list = NULL;
	struct exo_env *env;
	bool json;
	int rc;

	rc = take_json_args(cmd, argc, argv, 0, &json);
	if (!rc)
		rc = env_open(&env);
	if (rc)
		return rc;
	rc = exo_policy_list(env, &list);
	exo_env_close(env);
	if (rc < 0)
		return fail(rc, policy_why, "cannot list policies");
	if (json)
		json_policies(list, rc);
	else
		print_policies(list, rc);
	free(list);
	return EXIT_OK;
}
