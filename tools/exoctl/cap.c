// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * exoctl cap test: does the mechanism of capabilities work here? A frame is
 * narrowed, handed to a second env and taken back; each step is shown.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "exoctl.h"
#include "json.h"

#define NR_PAGES	8
#define FIRST_PAGE	2
#define SHARED_PAGES	4
#define EXPIRY_NS	60000000000ULL

static const struct why cap_why[] = {
	{ ENOTTY, "this module has no capabilities: is it an older one?" },
	{ EDQUOT, "no pages left: 'ulimit -l', 'exoctl policy list'" },
	{ 0, NULL }
};

/**
 * fail_refused() - fail(), and the module's own words for why
 * @env: the env whose capability was refused
 * @rc: -errno
 * @why: this command's meanings, or NULL
 * @fmt: "cannot derive from handle %u"
 *
 * Return: EXIT_FAILED.
 */
int fail_refused(struct exo_env *env, int rc, const struct why *why,
		 const char *fmt, ...)
{
	char text[EXO_REFUSAL_BYTES], what[256];
	struct exo_refusal refusal;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	fail(rc, why, "%s", what);
	if (!exo_refusal(env, &refusal) &&
	    refusal.out_reason != EXO_REFUSED_NOT)
		fprintf(stderr, "The module's last refusal: %s.\n",
			exo_refusal_text(&refusal, text, sizeof(text)));
	return EXIT_FAILED;
}

/**
 * struct trial - the test under way
 * @giver: env of the frame
 * @taker: env that imports
 * @json: where the steps go with --json, else NULL
 * @frame: the frame
 * @narrow: derived from it
 * @fd: exported from @narrow, or -1
 * @taken: imported from @fd
 */
struct trial {
	struct exo_env *giver;
	struct exo_env *taker;
	struct json *json;
	struct exo_frame frame;
	struct exo_cap narrow;
	int fd;
	struct exo_cap taken;
};

static const char *state_name(uint32_t state)
{
	static const char *const names[] = {
		[EXO_CAP_LIVE] = "live",
		[EXO_CAP_REVOKED] = "revoked",
		[EXO_CAP_EXPIRED] = "expired",
		[EXO_CAP_REPOSSESSED] = "repossessed",
	};

	return state && state < sizeof(names) / sizeof(*names) ?
	       names[state] : "unknown";
}

static void json_info(struct json *j, const struct exo_cap_info *info)
{
	char rights[4];

	json_u64(j, "handle", info->handle);
	json_text(j, "rights", exo_cap_rights_text(info->out_rights, rights));
	json_u64(j, "start", info->out_start);
	json_u64(j, "nr", info->out_nr);
	json_u64(j, "depth", info->out_depth);
	json_text(j, "state", state_name(info->out_state));
}

static void print_info(const char *step, const char *env,
		       const struct exo_cap_info *info)
{
	char rights[4], range[48];

	snprintf(range, sizeof(range), "%" PRIu64 "-%" PRIu64,
		 (uint64_t)info->out_start,
		 (uint64_t)(info->out_start + info->out_nr - 1));
	printf("%-9s %-6s %6u  %-6s %-6s %5u  %s\n", step, env, info->handle,
	       exo_cap_rights_text(info->out_rights, rights), range,
	       info->out_depth, state_name(info->out_state));
}

/* Shows a handle after a step, whose state must be what it should. */
static int show(struct trial *t, const char *step, struct exo_env *env,
		uint32_t handle, uint32_t state)
{
	const char *name = env == t->giver ? "giver" : "taker";
	struct exo_cap_info info;
	int rc = exo_cap_info(env, handle, &info);

	if (rc)
		return fail(rc, cap_why, "cannot ask what handle %u is",
			    handle);
	info.handle = handle;
	if (!t->json) {
		print_info(step, name, &info);
	} else {
		json_open(t->json, NULL, '{');
		json_text(t->json, "step", step);
		json_text(t->json, "env", name);
		json_info(t->json, &info);
		json_close(t->json, '}');
	}
	if (info.out_state == state)
		return 0;
	fprintf(stderr, "exoctl: after '%s' handle %u is %s, it should be "
		"%s\n", step, handle, state_name(info.out_state),
		state_name(state));
	return EXIT_FAILED;
}

static void say(struct trial *t, const char *step, const char *text)
{
	if (!t->json) {
		printf("%-9s %s\n", step, text);
		return;
	}
	json_open(t->json, NULL, '{');
	json_text(t->json, "step", step);
	json_text(t->json, "says", text);
	json_close(t->json, '}');
}

/* What must be refused was, with @want. Shows the module's words. */
static int refused(struct trial *t, const char *step, struct exo_env *env,
		   int rc, int want)
{
	char text[EXO_REFUSAL_BYTES];
	struct exo_refusal refusal;

	if (rc != want) {
		fprintf(stderr, "exoctl: '%s' should be refused as \"%s\"; it "
			"was not: %s\n", step, strerror(-want),
			rc < 0 ? strerror(-rc) : "it succeeded");
		return EXIT_FAILED;
	}
	rc = exo_refusal(env, &refusal);
	if (rc)
		return fail(rc, cap_why, "cannot ask why");
	say(t, step, exo_refusal_text(&refusal, text, sizeof(text)));
	return 0;
}

static int give(struct trial *t)
{
	struct exo_cap_narrow narrow = {
		.rights = EXO_RIGHT_READ | EXO_RIGHT_SHARE,
		.start = FIRST_PAGE, .nr = SHARED_PAGES,
		.expires_ns = exo_env_boot_ns(t->giver) + EXPIRY_NS,
	};
	char text[32];
	int rc;

	rc = exo_cap_derive(t->giver, t->frame.handle, &narrow, &t->narrow);
	if (rc)
		return fail_refused(t->giver, rc, cap_why, "cannot derive");
	rc = show(t, "derive", t->giver, t->narrow.handle, EXO_CAP_LIVE);
	if (rc)
		return rc;
	t->fd = exo_cap_export(t->giver, t->narrow.handle);
	if (t->fd < 0)
		return fail_refused(t->giver, t->fd, cap_why, "cannot export");
	snprintf(text, sizeof(text), "as descriptor %d", t->fd);
	say(t, "export", text);
	rc = exo_cap_import(t->taker, t->fd, &t->taken);
	if (rc)
		return fail_refused(t->taker, rc, cap_why, "cannot import");
	return show(t, "import", t->taker, t->taken.handle, EXO_CAP_LIVE);
}

/* The taker wants more than it was given. */
static int overreach(struct trial *t)
{
	struct exo_cap_narrow more = {
		.rights = EXO_RIGHT_READ | EXO_RIGHT_WRITE,
		.nr = SHARED_PAGES,
	};
	struct exo_cap cap;
	int rc;

	rc = refused(t, "write", t->taker,
		     exo_cap_derive(t->taker, t->taken.handle, &more, &cap),
		     -EACCES);
	if (rc)
		return rc;
	more.rights = EXO_RIGHT_READ;
	more.nr = SHARED_PAGES + 1;
	return refused(t, "beyond", t->taker,
		       exo_cap_derive(t->taker, t->taken.handle, &more, &cap),
		       -EINVAL);
}

static int take_back(struct trial *t)
{
	struct exo_cap again;
	char text[48];
	__u64 nr;
	int rc;

	rc = exo_cap_revoke(t->giver, t->frame.handle, 0, &nr);
	if (rc)
		return fail_refused(t->giver, rc, cap_why, "cannot revoke");
	snprintf(text, sizeof(text), "%" PRIu64 " capabilities ended",
		 (uint64_t)nr);
	say(t, "revoke", text);
	rc = show(t, "after", t->giver, t->frame.handle, EXO_CAP_LIVE);
	if (!rc)
		rc = show(t, "after", t->giver, t->narrow.handle,
			  EXO_CAP_REVOKED);
	if (!rc)
		rc = show(t, "after", t->taker, t->taken.handle,
			  EXO_CAP_REVOKED);
	if (!rc)
		rc = refused(t, "again", t->taker,
			     exo_cap_import(t->taker, t->fd, &again), -ESTALE);
	return rc;
}

static int steps(struct trial *t)
{
	int rc;

	rc = exo_frame_alloc(t->giver, NR_PAGES, 0, &t->frame);
	if (rc)
		return fail(rc, cap_why, "cannot allocate %d pages", NR_PAGES);
	rc = show(t, "allocate", t->giver, t->frame.handle, EXO_CAP_LIVE);
	if (!rc)
		rc = give(t);
	if (!rc)
		rc = overreach(t);
	if (!rc)
		rc = take_back(t);
	exo_frame_free(&t->frame);
	return rc;
}

static int run(struct trial *t)
{
	struct json *j = t->json;
	int rc;

	if (j) {
		json_open(j, NULL, '{');
		json_open(j, "steps", '[');
	} else {
		printf("%-9s %-6s %6s  %-6s %-6s %5s  %s\n", "STEP", "ENV",
		       "HANDLE", "RIGHTS", "PAGES", "DEPTH", "STATE");
	}
	rc = steps(t);
	if (j) {
		json_close(j, ']');
		json_bool(j, "works", !rc);
		json_close(j, '}');
	} else if (!rc) {
		printf("Capabilities work.\n");
	}
	return rc;
}

int cap_test(const struct command *cmd, int argc, char **argv)
{
	struct json j = { .f = stdout };
	struct trial t = { .fd = -1 };
	bool json;
	int rc;

	rc = begin_json(cmd, argc, argv, 0, &json, &t.giver);
	if (rc)
		return rc;
	rc = env_open(&t.taker);
	if (rc)
		goto out;
	t.json = json ? &j : NULL;
	rc = run(&t);
	if (t.fd >= 0)
		close(t.fd);
	exo_env_close(t.taker);
out:
	exo_env_close(t.giver);
	return rc;
}
