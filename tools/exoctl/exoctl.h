/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * exoctl: what its files share. A command prints its own errors and returns the
 * exit status: 0, 1 it failed, 2 it was called wrongly.
 */
#ifndef EXOCTL_H
#define EXOCTL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include <exo/exo.h>

#define EXIT_OK		0
#define EXIT_FAILED	1
#define EXIT_USAGE	2

/**
 * struct command - a row of the table in main.c
 * @noun: "disk"
 * @verb: "attach", NULL for a noun that is a command by itself
 * @args: what follows
 * @summary: one line
 * @help: more, or NULL
 * @run: argv[0] is the last word of the command's name
 */
struct command {
	const char *noun;
	const char *verb;
	const char *args;
	const char *summary;
	const char *help;
	int (*run)(const struct command *cmd, int argc, char **argv);
};

int disk_format(const struct command *cmd, int argc, char **argv);
int disk_attach(const struct command *cmd, int argc, char **argv);
int disk_detach(const struct command *cmd, int argc, char **argv);
int disk_list(const struct command *cmd, int argc, char **argv);
int disk_grant(const struct command *cmd, int argc, char **argv);
int disk_revoke(const struct command *cmd, int argc, char **argv);
int extent_list(const struct command *cmd, int argc, char **argv);
int extent_create(const struct command *cmd, int argc, char **argv);
int extent_delete(const struct command *cmd, int argc, char **argv);
int net_attach(const struct command *cmd, int argc, char **argv);
int net_detach(const struct command *cmd, int argc, char **argv);
int net_list(const struct command *cmd, int argc, char **argv);
int net_grant(const struct command *cmd, int argc, char **argv);
int net_revoke(const struct command *cmd, int argc, char **argv);
int cap_test(const struct command *cmd, int argc, char **argv);
int env_list(const struct command *cmd, int argc, char **argv);
int frame_test(const struct command *cmd, int argc, char **argv);
int policy_user_set(const struct command *cmd, int argc, char **argv);
int policy_user_forget(const struct command *cmd, int argc, char **argv);
int policy_list(const struct command *cmd, int argc, char **argv);
int env_revoke(const struct command *cmd, int argc, char **argv);
int doctor(const struct command *cmd, int argc, char **argv);
int metrics(const struct command *cmd, int argc, char **argv);
int policy_apply(const struct command *cmd, int argc, char **argv);
int policy_check(const struct command *cmd, int argc, char **argv);
int report(const struct command *cmd, int argc, char **argv);
int status(const struct command *cmd, int argc, char **argv);

/* util.c */

/**
 * struct why - what an errno means for one command, and what to do
 * @err: the errno, 0 ends the table
 * @text: in words
 */
struct why {
	int err;
	const char *text;
};

int fail(int rc, const struct why *why, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
int usage(const struct command *cmd, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
int bad_option(const struct command *cmd, char **argv);
int take_args(const struct command *cmd, int argc, char **argv, int nr);
int take_json_args(const struct command *cmd, int argc, char **argv, int nr,
		   bool *json);

/* Until the module takes what it asked for, unless --timeout says. */
#define TIMEOUT_MS	10000

int take_timeout(const struct command *cmd, const char *text, uint64_t *ms);
bool parse_number(const char *text, uint64_t max, uint64_t *out);
bool parse_bytes(const char *text, uint64_t *out);
bool parse_blocks(const char *text, uint64_t *out);
bool parse_user(const char *text, uid_t *out);
const char *user_name(uid_t uid, char *buf, size_t bytes);
const char *human_bytes(uint64_t bytes, char *buf, size_t buf_bytes);
const char *uuid_text(const uint8_t *uuid, char *buf);

/* cap.c */
int fail_refused(struct exo_env *env, int rc, const struct why *why,
		 const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* open.c */
int env_open(struct exo_env **env);
int begin(const struct command *cmd, int argc, char **argv, int nr,
	  struct exo_env **env);
int begin_json(const struct command *cmd, int argc, char **argv, int nr,
	       bool *json, struct exo_env **env);

/* disk.c */
int disk_find(struct exo_env *env, const char *which,
	      struct exo_disk_info *disk);
void disk_print(const struct exo_disk_info *disks, int nr);

/* net.c */
void net_print(const struct exo_net_info *nets, int nr);
const char *lane_name(uint32_t lane);
bool parse_ports(const char *text, uint16_t *first, uint16_t *last);

#endif /* EXOCTL_H */
