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

/* Prints "PATH:LINE: ..." on stderr and counts it. */
void policy_complain(struct policy *policy, unsigned int line,
		     const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/**
 * policy_apply_rules() - give what is in a policy
 * @policy: without errors
 * @nr_attached: disks and devices that were not attached before
 *
 * Goes on after a rule that fails, so that one disk that is missing does not
 * take everything else away at boot.
 *
 * Return: 0 or EXIT_FAILED.
 */
int policy_apply_rules(struct policy *policy, unsigned int *nr_attached);

#endif /* EXOCTL_POLICY_H */
