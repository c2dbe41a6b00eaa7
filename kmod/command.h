/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Command: one call of a library, by ioctl or io_uring, already in kernel
 * memory. The dispatcher (command.c) does all copying of the structs; a
 * handler sees a zero-extended copy, checks it, acts, and fills in out_*.
 */
#ifndef EXO_KMOD_COMMAND_H
#define EXO_KMOD_COMMAND_H

#include <linux/types.h>

struct exo_cap;
struct exo_env;
struct exo_object;
struct file;
struct io_uring_cmd;

/**
 * struct exo_command - what a handler gets
 * @env: the caller's env
 * @arg: the command's struct, a copy; out_* members go back to the caller
 * @cap: set by exo_command_install*(): published once the answer has reached
 *       the caller, dropped if it cannot
 * @handle: its handle
 * @file: set by exo_command_install_file(): likewise
 * @fd: its number
 * @settle: set by a handler, as its last step, that made something else: called
 *          with @made, and with whether the answer has reached the caller: then
 *          it publishes, without failing, else it undoes
 * @made: for @settle
 * @uring: called through io_uring: must not sleep for long
 */
struct exo_command {
	struct exo_env *env;
	void *arg;
	struct exo_cap *cap;
	u32 handle;
	struct file *file;
	int fd;
	void (*settle)(void *made, bool answered);
	void *made;
	bool uring;
};

int exo_command_install(struct exo_command *cmd, struct exo_object *obj);
int exo_command_install_cap(struct exo_command *cmd, struct exo_cap *cap);
int exo_command_install_file(struct exo_command *cmd, struct file *file);
long exo_command_ioctl(struct exo_env *env, unsigned int nr,
		       unsigned long arg);
int exo_command_uring(struct exo_env *env, struct io_uring_cmd *ioucmd,
		      unsigned int issue_flags);

/* The handlers, one or more a noun. */
int exo_query(struct exo_command *cmd);
int exo_stats(struct exo_command *cmd);
int exo_handle_close(struct exo_command *cmd);
int exo_refusal(struct exo_command *cmd);
int exo_event_fd(struct exo_command *cmd);
int exo_env_ask(struct exo_command *cmd);
int exo_env_list(struct exo_command *cmd);
int exo_cap_derive(struct exo_command *cmd);
int exo_cap_export(struct exo_command *cmd);
int exo_cap_import(struct exo_command *cmd);
int exo_cap_revoke_below(struct exo_command *cmd);
int exo_cap_info(struct exo_command *cmd);
int exo_frame_alloc(struct exo_command *cmd);
int exo_frame_info(struct exo_command *cmd);
int exo_policy_set(struct exo_command *cmd);
int exo_policy_list(struct exo_command *cmd);
int exo_disk_attach(struct exo_command *cmd);
int exo_disk_detach(struct exo_command *cmd);
int exo_disk_list(struct exo_command *cmd);
int exo_disk_grant(struct exo_command *cmd);
int exo_disk_grant_list(struct exo_command *cmd);
int exo_extent_create(struct exo_command *cmd);
int exo_extent_open(struct exo_command *cmd);
int exo_extent_delete(struct exo_command *cmd);
int exo_extent_list(struct exo_command *cmd);
int exo_cq_create(struct exo_command *cmd);
int exo_io_submit(struct exo_command *cmd);
int exo_io_wait(struct exo_command *cmd);
int exo_io_uring(struct exo_env *env, struct io_uring_cmd *ioucmd,
		 const void __user *arg, unsigned int issue_flags);
int exo_net_attach(struct exo_command *cmd);
int exo_net_detach(struct exo_command *cmd);
int exo_net_list(struct exo_command *cmd);
int exo_net_grant(struct exo_command *cmd);
int exo_net_grant_list(struct exo_command *cmd);
int exo_flow_bind(struct exo_command *cmd);
int exo_flow_kick(struct exo_command *cmd);

/* Per-noun set-up, called by main.c's ladder, and their counters. */
void exo_policy_exit(void);
int exo_disk_init(void);
void exo_disk_exit(void);
u64 exo_disk_count(void);
int exo_io_init(void);
void exo_io_exit(void);
u64 exo_io_count(void);
int exo_net_init(void);
void exo_net_exit(void);
u64 exo_net_count(void);
u64 exo_flow_count(void);
u64 exo_tx_count(void);

/* Returns the same for every const struct exo_... *: arrays of a list command */
int exo_command_copy_array(u64 user_array, u32 room, u32 *out_nr,
			   const void *array, u32 nr, size_t entry_bytes);

#endif /* EXO_KMOD_COMMAND_H */
