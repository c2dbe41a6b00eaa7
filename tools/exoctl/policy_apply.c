// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * exoctl policy apply: what users have becomes what the file says. What is so
 * already stays; then what the file does not name is withdrawn. That order
 * leaves no moment in which somebody lacks what both the old file and the new
 * one give.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "exoctl.h"
#include "json.h"
#include "policy.h"

/**
 * struct applying - what the rules are applied with
 * @policy: the rules
 * @env: open
 * @before: what had been given when the first rule was looked at
 * @changes: what was changed since, or would have been
 */
struct applying {
	struct policy *policy;
	struct exo_env *env;
	struct state before;
	struct changes *changes;
};

static const char *reason(int rc)
{
	if (rc == -EPERM || rc == -EACCES)
		return "only root may; run it by sudo";
	if (rc == -ENOTTY)
		return "the module is too old for that; load a newer one";
	return strerror(-rc);
}

static bool dry(const struct applying *a)
{
	return a->changes->dry_run;
}

static void note(struct applying *a, enum change_kind kind,
		 const struct rule *r)
{
	if (change_add(a->changes, kind, r))
		policy_complain(a->policy, r->line, "no memory to tell of it");
}

/* Attaches, and takes the device back if it is another disk than meant. */
static void attach_disk(struct applying *a, const struct rule *r)
{
	struct exo_disk_info disk;
	int fd, rc;
	__u32 id;

	fd = open(r->device, O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		policy_complain(a->policy, r->line, "cannot open %s: %s",
				r->device, strerror(errno));
		return;
	}
	rc = exo_disk_attach(a->env, fd, &id);
	close(fd);
	if (rc) {
		policy_complain(a->policy, r->line, "cannot attach %s: %s; try "
				"'exoctl disk attach %s'", r->device,
				reason(rc), r->device);
		return;
	}
	if (exo_disk_find(a->env, r->subject, &disk) || disk.disk != id) {
		exo_disk_detach(a->env, id);
		policy_complain(a->policy, r->line, "the disk on %s is not "
				"called %s; it is detached again", r->device,
				r->subject);
		return;
	}
	note(a, CHANGE_ATTACH, r);
}

/* The same, as far as that can be told without doing it. */
static void try_device(struct applying *a, const struct rule *r)
{
	if (access(r->device, R_OK | W_OK))
		policy_complain(a->policy, r->line, "cannot open %s: %s",
				r->device, strerror(errno));
	else
		note(a, CHANGE_ATTACH, r);
}

/* A dry run has not attached what a line before this one would attach. */
static bool would_be_attached(const struct applying *a, const struct rule *r,
			      enum rule_kind kind)
{
	const struct rule *o;

	for (o = a->policy->rules; dry(a) && o < r; o++)
		if (o->kind == kind && !strcmp(o->subject, r->subject))
			return true;
	return false;
}

/* false if it is not there, or that cannot be told, which was said */
static bool find_disk(struct applying *a, struct rule *r)
{
	struct exo_disk_info disk;
	int rc = exo_disk_find(a->env, r->subject, &disk);

	if (!rc)
		r->target = disk.disk;
	else if (rc == -ENOENT && would_be_attached(a, r, RULE_DISK_DEVICE))
		return true;
	else if (rc == -ENOENT)
		policy_complain(a->policy, r->line, "no disk %s is attached",
				r->subject);
	else if (rc == -EEXIST)
		policy_complain(a->policy, r->line, "several disks are called "
				"%s; use the UUID", r->subject);
	else
		policy_complain(a->policy, r->line, "cannot find the disk %s: "
				"%s", r->subject, reason(rc));
	return !rc;
}

static void apply_device(struct applying *a, struct rule *r)
{
	struct exo_disk_info disk;

	if (exo_disk_find(a->env, r->subject, &disk) != -ENOENT)
		find_disk(a, r);
	else if (dry(a))
		try_device(a, r);
	else
		attach_disk(a, r);
}

/* Of the same thing to the same user; of ports those between the same bounds. */
static bool same_grant(const struct rule *r, const struct rule *given)
{
	return r->kind == given->kind && r->uid == given->uid &&
	       r->first_port == given->first_port &&
	       r->last_port == given->last_port &&
	       (r->target ? r->target == given->target :
			    !strcmp(r->subject, given->subject));
}

static bool given_already(const struct applying *a, const struct rule *r)
{
	const struct rule *given = a->before.grants;
	const struct rule *end = given + a->before.nr_grants;

	for (; r->target && given < end; given++)
		if (same_grant(r, given) && r->nr_blocks == given->nr_blocks)
			return true;
	return false;
}

static void apply_blocks(struct applying *a, struct rule *r)
{
	int rc = 0;

	if (!find_disk(a, r) || given_already(a, r))
		return;
	if (!dry(a))
		rc = exo_disk_grant(a->env, r->target, r->uid, r->nr_blocks);
	if (rc)
		policy_complain(a->policy, r->line, "cannot grant blocks of %s "
				"to %s: %s", r->subject, r->user, reason(rc));
	else
		note(a, CHANGE_GRANT, r);
}

/* 0 if there is no such device, which was said */
static unsigned int device_index(struct applying *a, const struct rule *r)
{
	unsigned int ifindex = if_nametoindex(r->subject);

	if (!ifindex)
		policy_complain(a->policy, r->line, "there is no network "
				"device %s; 'ip link' lists them", r->subject);
	return ifindex;
}

static int net_attached(struct exo_env *env, unsigned int ifindex)
{
	struct exo_net_info *nets = NULL;
	int i, nr = exo_net_list(env, &nets), is = 0;

	if (nr < 0)
		return nr;
	for (i = 0; i < nr; i++)
		is |= nets[i].ifindex == ifindex;
	free(nets);
	return is;
}

static void apply_lane(struct applying *a, const struct rule *r)
{
	unsigned int ifindex = device_index(a, r);
	int rc;

	if (!ifindex)
		return;
	rc = net_attached(a->env, ifindex);
	if (rc > 0)
		return;
	if (!rc && !dry(a))
		rc = exo_net_attach(a->env, ifindex, r->lane);
	if (rc)
		policy_complain(a->policy, r->line, "cannot attach %s: %s; try "
				"'exoctl net attach %s'", r->subject,
				reason(rc), r->subject);
	else
		note(a, CHANGE_ATTACH, r);
}

/* 0 or -errno */
static int grant_ports(struct applying *a, const struct rule *r)
{
	int rc;

	if (!dry(a))
		return exo_net_grant(a->env, r->target, r->uid, r->first_port,
				     r->last_port);
	if (would_be_attached(a, r, RULE_NET_LANE))
		return 0;
	rc = net_attached(a->env, r->target);
	return rc < 0 ? rc : rc ? 0 : -ENOENT;
}

static void apply_ports(struct applying *a, struct rule *r)
{
	int rc;

	r->target = device_index(a, r);
	if (!r->target || given_already(a, r))
		return;
	rc = grant_ports(a, r);
	if (rc == -ENOENT)
		policy_complain(a->policy, r->line, "%s is not attached; 'lane "
				"= direct' before this line attaches it",
				r->subject);
	else if (rc)
		policy_complain(a->policy, r->line, "cannot grant ports of %s "
				"to %s: %s", r->subject, r->user, reason(rc));
	else
		note(a, CHANGE_GRANT, r);
}

static bool about_user(const struct rule *r, uid_t uid)
{
	return (r->kind == RULE_USER_MEMORY || r->kind == RULE_USER_ALLOW) &&
	       r->uid == uid;
}

static bool set_already(const struct applying *a, const struct exo_policy *set)
{
	const struct exo_policy *is = a->before.users;
	const struct exo_policy *end = is + a->before.nr_users;

	for (; is < end; is++)
		if (is->uid == set->uid)
			return is->allow == set->allow &&
			       is->max_pages == set->max_pages;
	return false;
}

/* The module takes all that is said of a user at once: with the first rule. */
static void apply_user(struct applying *a, const struct rule *r)
{
	uint32_t page_bytes = exo_env_query(a->env)->out_page_bytes;
	struct exo_policy set = { .uid = r->uid, .max_pages = ~0ULL };
	const struct rule *o = a->policy->rules;
	const struct rule *end = o + a->policy->nr_rules;
	int rc = 0;

	for (; o < end; o++) {
		if (!about_user(o, r->uid))
			continue;
		if (o < r)
			return;
		if (o->kind == RULE_USER_MEMORY)
			set.max_pages = o->bytes / page_bytes;
		set.allow |= o->allow;
	}
	if (set_already(a, &set))
		return;
	if (!dry(a))
		rc = exo_policy_set(a->env, &set, TIMEOUT_MS);
	if (rc)
		policy_complain(a->policy, r->line, "cannot set what %s may: "
				"%s", r->subject, reason(rc));
	else
		note(a, CHANGE_SET, r);
}

static void apply_rule(struct applying *a, struct rule *r)
{
	switch (r->kind) {
	case RULE_DISK_DEVICE:
		apply_device(a, r);
		break;
	case RULE_DISK_GRANT:
		apply_blocks(a, r);
		break;
	case RULE_NET_LANE:
		apply_lane(a, r);
		break;
	case RULE_NET_GRANT:
		apply_ports(a, r);
		break;
	case RULE_USER_MEMORY:
	case RULE_USER_ALLOW:
		apply_user(a, r);
		break;
	}
}

/* Is it in the file? A disk that could not be found is known by its name. */
static bool grant_named(const struct policy *policy, const struct rule *given)
{
	size_t i;

	for (i = 0; i < policy->nr_rules; i++)
		if (same_grant(&policy->rules[i], given))
			return true;
	return false;
}

static void withdraw(struct applying *a, const struct rule *given)
{
	bool disk = given->kind == RULE_DISK_GRANT;
	int rc = 0;

	if (!dry(a))
		rc = disk ? exo_disk_revoke(a->env, given->target, given->uid) :
			    exo_net_revoke(a->env, given->target, given->uid,
					   given->first_port, given->last_port);
	if (!rc)
		note(a, CHANGE_WITHDRAW, given);
	else if (rc != -ENOENT)		/* gone by itself meanwhile */
		policy_complain(a->policy, given->line, "cannot withdraw the "
				"grant of %s on %s: %s", given->user,
				given->subject, reason(rc));
}

static bool user_named(const struct policy *policy, uid_t uid)
{
	size_t i;

	for (i = 0; i < policy->nr_rules; i++)
		if (about_user(&policy->rules[i], uid))
			return true;
	return false;
}

static void forget(struct applying *a, uid_t uid)
{
	struct rule r = { .kind = RULE_USER_MEMORY, .uid = uid };
	int rc = dry(a) ? 0 : exo_policy_forget(a->env, uid);

	user_name(uid, r.subject, sizeof(r.subject));
	if (!rc)
		note(a, CHANGE_FORGET, &r);
	else if (rc != -ENOENT)
		policy_complain(a->policy, 0, "cannot forget the policy of %s: "
				"%s", r.subject, reason(rc));
}

static void withdraw_others(struct applying *a)
{
	const struct state *before = &a->before;
	size_t i;
	int u;

	for (i = 0; i < before->nr_grants; i++)
		if (!grant_named(a->policy, &before->grants[i]))
			withdraw(a, &before->grants[i]);
	for (u = 0; u < before->nr_users; u++)
		if (!user_named(a->policy, before->users[u].uid))
			forget(a, before->users[u].uid);
}

/*
 * Goes on after a rule that fails, so that one disk that is missing does not
 * take everything else away at boot. Return: 0 or EXIT_FAILED.
 */
static int apply(struct policy *policy, struct changes *changes)
{
	struct applying a = { .policy = policy, .changes = changes };
	size_t i;
	int rc;

	rc = env_open(&a.env);
	if (rc)
		return rc;
	rc = state_read(a.env, &a.before);
	if (!rc && a.before.nr_users < 0)
		rc = a.before.nr_users;
	if (rc) {
		rc = fail(rc, policy_why, "cannot list what was given");
		goto out;
	}
	for (i = 0; i < policy->nr_rules; i++)
		apply_rule(&a, &policy->rules[i]);
	withdraw_others(&a);
	rc = policy->nr_errors ? EXIT_FAILED : EXIT_OK;
out:
	state_free(&a.before);
	exo_env_close(a.env);
	return rc;
}

/* Whoever can write the file can grant himself what he likes. */
static int check_owner(const char *path)
{
	struct stat st;

	if (stat(path, &st))
		return fail(-errno, NULL, "cannot open %s", path);
	if (!(st.st_mode & 0022) && (!st.st_uid || st.st_uid == geteuid()))
		return 0;
	fprintf(stderr, "exoctl: %s can be changed by others than root: run "
		"'chown root %s' and 'chmod go-w %s'\n", path, path, path);
	return EXIT_FAILED;
}

static void applied_print(const struct policy *policy, const struct changes *c)
{
	printf("%s %s applied: %zu rules, %u newly attached, %u newly granted, "
	       "%u withdrawn\n", policy->path, c->dry_run ? "would be" : "is",
	       policy->nr_rules, c->nr_of[CHANGE_ATTACH],
	       c->nr_of[CHANGE_GRANT] + c->nr_of[CHANGE_SET],
	       c->nr_of[CHANGE_WITHDRAW] + c->nr_of[CHANGE_FORGET]);
}

static void applied_json(const struct policy *policy, const struct changes *c)
{
	struct json j = { .f = stdout };

	json_open(&j, NULL, '{');
	json_bool(&j, "dry_run", c->dry_run);
	json_u64(&j, "nr_rules", policy->nr_rules);
	json_u64(&j, "nr_attached", c->nr_of[CHANGE_ATTACH]);
	json_u64(&j, "nr_granted",
		 c->nr_of[CHANGE_GRANT] + c->nr_of[CHANGE_SET]);
	json_u64(&j, "nr_withdrawn",
		 c->nr_of[CHANGE_WITHDRAW] + c->nr_of[CHANGE_FORGET]);
	changes_json(&j, c);
	json_close(&j, '}');
}

static int take_apply_args(const struct command *cmd, int argc, char **argv,
			   struct changes *changes)
{
	static const struct option options[] = {
		{ "dry-run", no_argument, NULL, 'd' },
		{ "json", no_argument, NULL, 'j' },
		{}
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == '?')
			return bad_option(cmd, argv);
		if (c == 'd')
			changes->dry_run = true;
		else
			changes->quiet = true;
	}
	return take_args(cmd, argc, argv, 1);
}

int policy_apply(const struct command *cmd, int argc, char **argv)
{
	struct changes changes = {};
	struct policy policy;
	int rc;

	rc = take_apply_args(cmd, argc, argv, &changes);
	if (!rc)
		rc = check_owner(argv[optind]);
	if (rc)
		return rc;
	rc = policy_read(&policy, argv[optind]);
	if (!rc)
		rc = apply(&policy, &changes);
	if (!rc && changes.quiet)
		applied_json(&policy, &changes);
	else if (!rc)
		applied_print(&policy, &changes);
	changes_free(&changes);
	policy_free(&policy);
	return rc;
}
