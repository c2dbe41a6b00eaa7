/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Policy: a file that says who gets what, see POLICY FILE in exoctl(8). It is
 * read and checked whole before anything of it is applied.
 */
#ifndef EXOCTL_POLICY_H
#define EXOCTL_POLICY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

struct exo_env;
struct exo_policy;
struct json;
struct why;

#define SUBJECT_BYTES	64
#define DEVICE_BYTES	256
#define USER_BYTES	64

enum rule_kind {
	RULE_DISK_DEVICE,	/* attach @device if the disk is not there */
	RULE_DISK_GRANT,	/* @uid may hold @nr_blocks on the disk */
	RULE_NET_LANE,		/* attach the device on @lane if it is not */
	RULE_NET_GRANT,		/* @uid may bind @first_port to @last_port */
	RULE_USER_MEMORY,	/* @uid may hold @bytes of pages */
	RULE_USER_ALLOW,	/* @uid may what @allow says */
};

/**
 * struct rule - one line
 * @kind: RULE_*
 * @line: number of the line, from 1
 * @subject: disk, network device or user
 * @device: block device
 * @lane: EXO_LANE_*
 * @user: as it was written
 * @uid: the same
 * @target: disk or interface index that @subject means, 0 if not known yet
 * @nr_blocks: most blocks
 * @first_port: see @last_port
 * @last_port: inclusive
 * @bytes: most memory
 * @allow: EXO_ALLOW_*
 */
struct rule {
	enum rule_kind kind;
	unsigned int line;
	char subject[SUBJECT_BYTES];
	char device[DEVICE_BYTES];
	uint32_t lane;
	char user[USER_BYTES];
	uid_t uid;
	uint32_t target;
	uint64_t nr_blocks;
	uint16_t first_port;
	uint16_t last_port;
	uint64_t bytes;
	uint32_t allow;
};

/**
 * struct policy - a file
 * @path: for messages
 * @rules: in the order of the lines
 * @nr_rules: entries of @rules
 * @nr_errors: lines that were complained about
 */
struct policy {
	const char *path;
	struct rule *rules;
	size_t nr_rules;
	unsigned int nr_errors;
};

/**
 * policy_read() - read and check a file; each error is said with its line
 * @policy: to be freed by policy_free(), whatever comes back
 * @path: the file
 *
 * Return: 0 or EXIT_FAILED.
 */
int policy_read(struct policy *policy, const char *path);
void policy_free(struct policy *policy);

/* Prints "PATH:LINE: ..." on stderr and counts it; line 0: none is meant. */
void policy_complain(struct policy *policy, unsigned int line,
		     const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The members of an object that tells of a rule, but for its line. */
void rule_json(struct json *j, const struct rule *r);

/* "80" or "8000-8100" */
const char *ports_text(const struct rule *r, char *buf, size_t bytes);

/**
 * struct state - what the module has been told, as far as the caller may see
 * @users: what is set for users
 * @nr_users: entries of @users, or -EPERM: then @grants are the caller's own
 * @grants: RULE_DISK_GRANT and RULE_NET_GRANT with their @target, without a line
 * @nr_grants: entries of @grants
 */
struct state {
	struct exo_policy *users;
	int nr_users;
	struct rule *grants;
	size_t nr_grants;
};

/* To be freed by state_free(), whatever comes back: 0 or -errno. */
int state_read(struct exo_env *env, struct state *state);
void state_free(struct state *state);

enum change_kind {
	CHANGE_ATTACH,
	CHANGE_GRANT,
	CHANGE_WITHDRAW,
	CHANGE_SET,
	CHANGE_FORGET,
	NR_CHANGE_KINDS
};

/**
 * struct change - one of them
 * @kind: CHANGE_*
 * @rule: what was given or taken; of a user subject and number alone
 */
struct change {
	enum change_kind kind;
	struct rule rule;
};

/**
 * struct changes - what applying a policy does
 * @dry_run: nothing is done, only told
 * @quiet: not to be printed as they come
 * @list: all, in their order
 * @nr: entries of @list
 * @nr_of: how many of each kind
 */
struct changes {
	bool dry_run;
	bool quiet;
	struct change *list;
	size_t nr;
	unsigned int nr_of[NR_CHANGE_KINDS];
};

/* Prints it unless they are quiet. 0 or -ENOMEM. */
int change_add(struct changes *changes, enum change_kind kind,
	       const struct rule *rule);
void changes_json(struct json *j, const struct changes *changes);
void changes_free(struct changes *changes);

/* policy_user.c: what errors of users' policies mean */
extern const struct why policy_why[];

#endif /* EXOCTL_POLICY_H */
