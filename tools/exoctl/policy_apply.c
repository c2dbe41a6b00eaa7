// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * exoctl policy. Giving what is given already changes nothing, so a policy can
 * be applied as often as one likes. What it does not name is not withdrawn.
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

/* Until the module takes what a user holds too much. */
#define TAKE_MS	10000

/**
 * struct applying - what the rules are applied with
 * @policy: the rules
 * @env: open
 * @nr_attached: disks and devices that were not attached before
 */
struct applying {
	struct policy *policy;
	struct exo_env *env;
	unsigned int nr_attached;
};

static const char *reason(int rc)
{
	if (rc == -EPERM || rc == -EACCES)
		return "only root may; run it by sudo";
	if (rc == -ENOTTY)
		return "the module is too old for that; load a newer one";
	return strerror(-rc);
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
	a->nr_attached++;
}

/* false if it is not there, or that cannot be told, which was said */
static bool find_disk(struct applying *a, const struct rule *r,
		      struct exo_disk_info *disk)
{
	int rc = exo_disk_find(a->env, r->subject, disk);

	if (rc == -ENOENT)
		policy_complain(a->policy, r->line, "no disk %s is attached",
				r->subject);
	else if (rc == -EEXIST)
		policy_complain(a->policy, r->line, "several disks are called "
				"%s; use the UUID", r->subject);
	else if (rc)
		policy_complain(a->policy, r->line, "cannot find the disk %s: "
				"%s", r->subject, reason(rc));
	return !rc;
}

static void apply_device(struct applying *a, const struct rule *r)
{
	struct exo_disk_info disk;

	if (exo_disk_find(a->env, r->subject, &disk) == -ENOENT)
		attach_disk(a, r);
	else
		find_disk(a, r, &disk);
}

static void apply_blocks(struct applying *a, const struct rule *r)
{
	struct exo_disk_info disk;
	int rc;

	if (!find_disk(a, r, &disk))
		return;
	rc = exo_disk_grant(a->env, disk.disk, r->uid, r->nr_blocks);
	if (rc)
		policy_complain(a->policy, r->line, "cannot grant blocks of %s "
				"to %s: %s", r->subject, r->user, reason(rc));
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
	if (!rc)
		rc = exo_net_attach(a->env, ifindex, r->lane);
	if (rc)
		policy_complain(a->policy, r->line, "cannot attach %s: %s; try "
				"'exoctl net attach %s'", r->subject,
				reason(rc), r->subject);
	else
		a->nr_attached++;
}

static void apply_ports(struct applying *a, const struct rule *r)
{
	unsigned int ifindex = device_index(a, r);
	int rc;

	if (!ifindex)
		return;
	rc = exo_net_grant(a->env, ifindex, r->uid, r->first_port,
			   r->last_port);
	if (rc == -ENOENT)
		policy_complain(a->policy, r->line, "%s is not attached; 'lane "
				"= direct' before this line attaches it",
				r->subject);
	else if (rc)
		policy_complain(a->policy, r->line, "cannot grant ports of %s "
				"to %s: %s", r->subject, r->user, reason(rc));
}

static bool about_user(const struct rule *r)
{
	return r->kind == RULE_USER_MEMORY || r->kind == RULE_USER_ALLOW;
}

/* The module takes all that is said of a user at once: with the first rule. */
static void apply_user(struct applying *a, const struct rule *r)
{
	uint32_t page_bytes = exo_env_query(a->env)->out_page_bytes;
	struct exo_policy set = { .uid = r->uid, .max_pages = ~0ULL };
	const struct rule *o = a->policy->rules;
	const struct rule *end = o + a->policy->nr_rules;
	int rc;

	for (; o < end; o++) {
		if (!about_user(o) || o->uid != r->uid)
			continue;
		if (o < r)
			return;
		if (o->kind == RULE_USER_MEMORY)
			set.max_pages = o->bytes / page_bytes;
		set.allow |= o->allow;
	}
	rc = exo_policy_set(a->env, &set, TAKE_MS);
	if (rc)
		policy_complain(a->policy, r->line, "cannot set what %s may: "
				"%s", r->subject, reason(rc));
}

static void apply_rule(struct applying *a, const struct rule *r)
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

int policy_apply_rules(struct policy *policy, unsigned int *nr_attached)
{
	struct applying a = { .policy = policy };
	size_t i;
	int rc;

	*nr_attached = 0;
	rc = env_open(&a.env);
	if (rc)
		return rc;
	for (i = 0; i < policy->nr_rules; i++)
		apply_rule(&a, &policy->rules[i]);
	exo_env_close(a.env);
	*nr_attached = a.nr_attached;
	return policy->nr_errors ? EXIT_FAILED : EXIT_OK;
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

static void applied_print(const struct policy *policy, unsigned int nr_attached,
			  bool json)
{
	struct json j = { .f = stdout };

	if (!json) {
		printf("%s is applied: %zu rules, %u newly attached\n",
		       policy->path, policy->nr_rules, nr_attached);
		return;
	}
	json_open(&j, NULL, '{');
	json_u64(&j, "nr_rules", policy->nr_rules);
	json_u64(&j, "nr_attached", nr_attached);
	json_close(&j, '}');
}

int policy_apply(const struct command *cmd, int argc, char **argv)
{
	struct policy policy;
	unsigned int nr;
	bool json;
	int rc;

	rc = take_json_args(cmd, argc, argv, 1, &json);
	if (!rc)
		rc = check_owner(argv[optind]);
	if (rc)
		return rc;
	rc = policy_read(&policy, argv[optind]);
	if (!rc)
		rc = policy_apply_rules(&policy, &nr);
	if (!rc)
		applied_print(&policy, nr, json);
	policy_free(&policy);
	return rc;
}

static void rule_json(struct json *j, const struct rule *r)
{
	static const char *const kinds[] = {
		[RULE_DISK_DEVICE] = "disk-device",
		[RULE_DISK_GRANT] = "disk-grant",
		[RULE_NET_LANE] = "net-lane",
		[RULE_NET_GRANT] = "net-grant",
		[RULE_USER_MEMORY] = "user-memory",
		[RULE_USER_ALLOW] = "user-allow",
	};

	json_open(j, NULL, '{');
	json_u64(j, "line", r->line);
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
	json_close(j, '}');
}

static void policy_json(const struct policy *policy)
{
	struct json j = { .f = stdout };
	size_t i;

	json_open(&j, NULL, '{');
	json_open(&j, "rules", '[');
	for (i = 0; i < policy->nr_rules; i++)
		rule_json(&j, &policy->rules[i]);
	json_close(&j, ']');
	json_close(&j, '}');
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
