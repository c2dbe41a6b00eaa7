/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Event: what the module wants from an env or did to it, the pages where it
 * shows its tables, and the administrator's side of it.
 *
 * The module takes no page silently. EXO_EVENT_RELEASE asks for some by a
 * deadline; the program frees what it can do without (exo_frame_free()). After
 * the deadline frames are taken, their memory is SIGBUS, and the repossession
 * vector names them. A server hears of it by exo_loop_on_event().
 *
 * Nor need a lender take what was borrowed without a word: EXO_EVENT_CAP_ENDING,
 * from exo_cap_notice(), names the handle and the deadline; use it till then, put
 * things in order, close it. EXO_EVENT_CAP_ENDED says that a handle has ended,
 * by revocation, announced or not, or because it has expired.
 */
#ifndef EXO_EVENT_H
#define EXO_EVENT_H

#include <exo/env.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * exo_event_read() - take events
 * @env: the env; by one thread at a time
 * @events: room for @nr
 * @nr: at least 1
 * @timeout_ns: how long to wait for the first; 0: do not, below 0: no limit
 *
 * Return: how many, at least 1; -EAGAIN none in that time; -EINTR.
 */
int exo_event_read(struct exo_env *env, struct exo_event *events, __u32 nr,
		   __s64 timeout_ns);

/**
 * exo_event_fd() - let an eventfd(2) count the events
 * @env: the env
 * @fd: the eventfd, replaces the one before; -1 for none any more
 *
 * For programs with a loop of their own that knows no POLLPRI.
 *
 * Return: 0; -EBADF; -EINVAL not an eventfd.
 */
int exo_event_fd(struct exo_env *env, int fd);

/**
 * struct exo_info - the exposed tables, mapped read-only
 * @env: whose
 * @global: the same for all
 * @own: this env's
 * @vector: EXO_VECTOR_ENTRIES entries, for exo_info_taken()
 *
 * The module writes them at any time: read each member once, by
 * EXO_INFO_READ().
 */
struct exo_info {
	struct exo_env *env;
	const struct exo_info_global *global;
	const struct exo_info_env *own;
	const struct exo_vector_entry *vector;
};

#define EXO_INFO_READ(member)	__atomic_load_n(&(member), __ATOMIC_RELAXED)

/**
 * exo_info_map() - map the exposed tables
 * @env: the env
 * @info: filled in, for exo_info_unmap(); unchanged on error
 *
 * Return: 0; -errno of mmap(2); -ENODEV a module without them.
 */
int exo_info_map(struct exo_env *env, struct exo_info *info);

/**
 * exo_info_unmap() - undo exo_info_map()
 * @info: mapped
 */
int exo_info_unmap(struct exo_info *info);

/**
 * exo_info_taken() - what was repossessed since last asked
 * @info: mapped
 * @seen: entries seen so far, 0 at first; moved on by what is returned
 * @entries: room for @nr
 * @nr: at least 1
 *
 * Return: how many, 0 if none; -EOVERFLOW some were overwritten before they
 * were read: ask exo_cap_info() for each handle, *@seen is up to date again.
 */
int exo_info_taken(const struct exo_info *info, __u32 *seen,
		   struct exo_vector_entry *entries, __u32 nr);

/**
 * exo_env_list() - the envs there are
 * @env: the env; with CAP_SYS_ADMIN it sees all, else those of its user
 * @out_envs: an array for free(3)
 *
 * Return: how many; -ENOMEM.
 */
int exo_env_list(struct exo_env *env, struct exo_env_info **out_envs);

/**
 * exo_env_ask() - ask an env for pages
 * @env: the env that asks, with CAP_SYS_ADMIN
 * @id: the env that is asked, see exo_env_list()
 * @nr_pages: at least 1
 * @timeout_ms: until the module takes them, up to 3,600,000
 *
 * Returns at once; nr_asked of struct exo_env_info tells how it goes.
 *
 * Return: 0; -EPERM; -ENOENT no such env; -EINVAL.
 */
int exo_env_ask(struct exo_env *env, __u64 id, __u64 nr_pages,
		__u32 timeout_ms);

#ifdef __cplusplus
}
#endif

#endif /* EXO_EVENT_H */
