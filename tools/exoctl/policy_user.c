// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * exoctl policy set, forget: what one user may have, in the module.
 */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "exoctl.h"
#include "policy.h"

#define NO_LIMIT	(~0ULL)

const struct why policy_why[] = {
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
 * struct wish - what --options change of a policy
 * @max_pages: --max-pages
 * @allow: --allow
 * @pages_given: @max_pages counts
 * @allow_given: @allow counts
 * @timeout_ms: --timeout
 */
struct wish {
	uint64_t max_pages;
	uint32_t allow;
	bool pages_given;
	bool allow_given;
	uint64_t timeout_ms;
};

static int take_option(const struct command *cmd, int c, struct wish *wish)
{
	bool none = !strcmp(optarg, "none");

	switch (c) {
	case 'm':
		wish->pages_given = true;
		wish->max_pages = NO_LIMIT;
		if (!none && !parse_number(optarg, NO_LIMIT - 1,
					   &wish->max_pages))
			return usage(cmd, "'%s' is no number of pages, nor "
				     "'none' for no limit", optarg);
		return 0;
	case 'a':
		wish->allow_given = true;
		if (!strcmp(optarg, "numbers"))
			wish->allow |= EXO_ALLOW_NUMBERS;
		else if (!none)
			return usage(cmd, "'%s' is nothing to be allowed: "
				     "'numbers' or 'none'", optarg);
		return 0;
	}
	return take_timeout(cmd, optarg, &wish->timeout_ms);
}

static int apply(struct exo_env *env, uid_t uid, const struct wish *wish)
{
	struct exo_policy policy;
	int rc = current(env, uid, &policy);

	if (wish->pages_given)
		policy.max_pages = wish->max_pages;
	if (wish->allow_given)
		policy.allow = wish->allow;
	return rc ? rc : exo_policy_set(env, &policy,
					(uint32_t)wish->timeout_ms);
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
	struct wish wish = { .timeout_ms = TIMEOUT_MS };
	struct exo_env *env;
	uid_t uid;
	int c, rc;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		rc = c == '?' ? bad_option(cmd, argv) :
		     take_option(cmd, c, &wish);
		if (rc)
			return rc;
	}
	rc = take_user(cmd, argc, argv, &uid);
	if (!rc && !wish.pages_given && !wish.allow_given)
		rc = usage(cmd, "set what? --max-pages or --allow");
	if (!rc)
		rc = env_open(&env);
	if (rc)
		return rc;
	rc = apply(env, uid, &wish);
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
