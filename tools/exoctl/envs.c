// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * exoctl env, exoctl revoke: who holds pages, and asking for some back.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#include "exoctl.h"
#include "json.h"

#define LOOK_MS		100		/* how often progress is looked at */
#define TAKE_MS		10000		/* for the module, past the deadline */

static const struct why list_why[] = {
	{ ENOTTY, "this module cannot list envs: is it an older one?" },
	{ 0, NULL }
};

static const struct why ask_why[] = {
	{ EPERM, "only root (CAP_SYS_ADMIN) may; run it by sudo" },
	{ ENOENT, "there is no such env; 'exoctl env' lists them" },
	{ ENOTTY, "this module cannot ask for pages: is it an older one?" },
	{ 0, NULL }
};

/* The pid as text, "-" where the caller may not see it. */
static const char *pid_text(int32_t pid, char *buf, size_t bytes)
{
	if (pid)
		snprintf(buf, bytes, "%d", pid);
	else
		snprintf(buf, bytes, "-");
	return buf;
}

/* A program may call itself anything: only what is printable. */
static const char *program_text(const struct exo_env_info *e, char *buf)
{
	size_t i;

	for (i = 0; i < sizeof(e->comm) && e->comm[i]; i++)
		buf[i] = e->comm[i] > 0x20 && e->comm[i] < 0x7f ?
			 (char)e->comm[i] : '?';
	buf[i] = 0;
	return buf;
}

static void envs_print(const struct exo_env_info *envs, int nr)
{
	char user[40], pid[16], program[20];
	int i;

	printf("%8s  %-10s %7s  %-16s %8s %8s %8s %8s\n", "ENV", "USER",
	       "PID", "PROGRAM", "PAGES", "ASKED", "TAKEN", "REFUSALS");
	for (i = 0; i < nr; i++) {
		const struct exo_env_info *e = &envs[i];

		printf("%8" PRIu64 "  %-10s %7s  %-16s %8" PRIu64 " %8" PRIu64
		       " %8" PRIu64 " %8" PRIu64 "\n", (uint64_t)e->id,
		       user_name(e->uid, user, sizeof(user)),
		       pid_text(e->pid, pid, sizeof(pid)),
		       program_text(e, program), (uint64_t)e->nr_pages,
		       (uint64_t)e->nr_asked, (uint64_t)e->nr_taken,
		       (uint64_t)e->nr_refusals);
	}
}

static void envs_json(const struct exo_env_info *envs, int nr)
{
	struct json j = { .f = stdout };
	int i;

	json_open_list(&j, "envs");
	for (i = 0; i < nr; i++) {
		const struct exo_env_info *e = &envs[i];

		json_open(&j, NULL, '{');
		json_u64(&j, "id", e->id);
		json_u64(&j, "uid", e->uid);
		if (e->pid)
			json_u64(&j, "pid", e->pid);
		else
			json_null(&j, "pid");
		json_chars(&j, "program", e->comm, sizeof(e->comm));
		json_u64(&j, "nr_handles", e->nr_handles);
		json_u64(&j, "nr_events", e->nr_events);
		json_u64(&j, "nr_pages", e->nr_pages);
		json_u64(&j, "nr_asked", e->nr_asked);
		json_u64(&j, "nr_taken", e->nr_taken);
		json_u64(&j, "nr_refusals", e->nr_refusals);
		json_close(&j, '}');
	}
	json_close_list(&j);
}

int env_list(const struct command *cmd, int argc, char **argv)
{
	struct exo_env_info *envs = NULL;
	struct exo_env *env;
	bool json;
	int rc;

	rc = begin_json(cmd, argc, argv, 0, &json, &env);
	if (rc)
		return rc;
	rc = exo_env_list(env, &envs);
	exo_env_close(env);
	if (rc < 0)
		return fail(rc, list_why, "cannot list the envs");
	if (json)
		envs_json(envs, rc);
	else
		envs_print(envs, rc);
	free(envs);
	return EXIT_OK;
}

/* ------------------------------------------------------------- revoke */

/**
 * struct asking - a request and how it goes
 * @env: who asks
 * @id: env that is asked
 * @nr_pages: for how many
 * @timeout_ms: until the module takes them
 * @json: print one object at the end
 * @wait: until it is over
 * @before: the env before
 * @now: the env now
 * @gone: there is no such env any more
 */
struct asking {
	struct exo_env *env;
	uint64_t id;
	uint64_t nr_pages;
	uint64_t timeout_ms;
	bool json;
	bool wait;
	struct exo_env_info before;
	struct exo_env_info now;
	bool gone;
};

static uint64_t nr_taken(const struct asking *a)
{
	return a->now.nr_taken - a->before.nr_taken;
}

/* Of what was asked for, by others before too. */
static uint64_t nr_given(const struct asking *a, uint64_t owed)
{
	uint64_t settled = owed - a->now.nr_asked;

	return owed > a->now.nr_asked && settled > nr_taken(a) ?
	       settled - nr_taken(a) : 0;
}

/* Finds the env anew; -ENOENT once it is closed. */
static int look(struct asking *a, struct exo_env_info *out)
{
	struct exo_env_info *envs = NULL;
	int i, nr = exo_env_list(a->env, &envs), rc = -ENOENT;

	for (i = 0; i < nr; i++) {
		if (envs[i].id != a->id)
			continue;
		*out = envs[i];
		rc = 0;
	}
	free(envs);
	return nr < 0 ? nr : rc;
}

static void progress(const struct asking *a, uint64_t owed)
{
	if (a->json)
		return;
	printf("%" PRIu64 " of %" PRIu64 " pages given back, %" PRIu64
	       " taken, %" PRIu64 " owed\n", nr_given(a, owed), owed,
	       nr_taken(a), (uint64_t)a->now.nr_asked);
	fflush(stdout);
}

/* Looks until nothing is owed; says when something changed. */
static int watch(struct asking *a, uint64_t *owed)
{
	const struct timespec pause = { .tv_nsec = LOOK_MS * 1000000 };
	uint64_t last = ~0ULL, left = (a->timeout_ms + TAKE_MS) / LOOK_MS;
	int rc;

	for (;; left--) {
		rc = look(a, &a->now);
		if (rc == -ENOENT) {
			a->gone = true;
			return 0;
		}
		if (rc)
			return rc;
		if (a->now.nr_asked > *owed)
			*owed = a->now.nr_asked;
		if (a->now.nr_asked != last)
			progress(a, *owed);
		if (!a->now.nr_asked || !a->wait)
			return 0;
		if (!left)
			return -ETIMEDOUT;
		last = a->now.nr_asked;
		nanosleep(&pause, NULL);
	}
}

static void asking_json(const struct asking *a, uint64_t owed)
{
	struct json j = { .f = stdout };

	json_open(&j, NULL, '{');
	json_u64(&j, "id", a->id);
	json_u64(&j, "asked", a->nr_pages);
	json_u64(&j, "given_back", a->gone ? 0 : nr_given(a, owed));
	json_u64(&j, "taken", a->gone ? 0 : nr_taken(a));
	json_u64(&j, "owed", a->gone ? 0 : a->now.nr_asked);
	json_bool(&j, "closed", a->gone);
	json_close(&j, '}');
}

static int ask(struct asking *a)
{
	uint64_t owed = 0;
	int rc;

	rc = look(a, &a->before);
	if (!rc)
		rc = exo_env_ask(a->env, a->id, a->nr_pages,
				 (uint32_t)a->timeout_ms);
	if (rc)
		return fail(rc, ask_why, "cannot ask env %" PRIu64
			    " for pages", a->id);
	a->now = a->before;
	owed = a->before.nr_asked + a->nr_pages;
	if (owed > a->before.nr_pages)
		owed = a->before.nr_pages;
	rc = watch(a, &owed);
	if (rc)
		return fail(rc, NULL, "env %" PRIu64 " still owes %" PRIu64
			    " pages, and the module did not take them", a->id,
			    (uint64_t)a->now.nr_asked);
	if (a->json)
		asking_json(a, owed);
	else if (a->gone)
		printf("env %" PRIu64 " was closed, and gave back all\n",
		       a->id);
	return EXIT_OK;
}

static int ask_options(const struct command *cmd, int argc, char **argv,
		       struct asking *a)
{
	static const struct option options[] = {
		{ "timeout", required_argument, NULL, 't' },
		{ "no-wait", no_argument, NULL, 'n' },
		{ "json", no_argument, NULL, 'j' },
		{}
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == '?')
			return bad_option(cmd, argv);
		if (c == 't' && take_timeout(cmd, optarg, &a->timeout_ms))
			return EXIT_USAGE;
		a->json |= c == 'j';
		a->wait &= c != 'n';
	}
	if (argc - optind != 2)
		return usage(cmd, "ENV and PAGES wanted");
	if (!parse_number(argv[optind], UINT64_MAX, &a->id))
		return usage(cmd, "'%s' is no env's number; 'exoctl env' "
			     "lists them", argv[optind]);
	if (!parse_number(argv[optind + 1], UINT64_MAX, &a->nr_pages) ||
	    !a->nr_pages)
		return usage(cmd, "'%s' is no number of pages",
			     argv[optind + 1]);
	return 0;
}

int env_revoke(const struct command *cmd, int argc, char **argv)
{
	struct asking a = { .timeout_ms = TIMEOUT_MS, .wait = true };
	int rc;

	rc = ask_options(cmd, argc, argv, &a);
	if (!rc)
		rc = env_open(&a.env);
	if (rc)
		return rc;
	rc = ask(&a);
	exo_env_close(a.env);
	return rc;
}
