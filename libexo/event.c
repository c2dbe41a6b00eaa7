// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Event: read events, map tables, ask envs. See <exo/event.h>.
 */
#include <errno.h>
#include <sys/mman.h>

#include <exo/event.h>

#include "sys.h"

#define MOST_EVENTS	EXO_MAX_EVENTS	/* a queue holds no more */

/* The env's file blocks; who waits does it here, with a limit. */
static int await(struct exo_env *env, __s64 timeout_ns)
{
	struct pollfd pfd = { .fd = env->fd, .events = POLLPRI };
	int rc = env->sys->poll(env->sys, &pfd, 1, timeout_ns);

	if (rc < 0)
		return rc;
	return pfd.revents & POLLPRI ? 0 : -EAGAIN;
}

int exo_event_read(struct exo_env *env, struct exo_event *events, __u32 nr,
		   __s64 timeout_ns)
{
	ssize_t bytes;
	int rc;

	if (!nr)
		return -EINVAL;
	if (nr > MOST_EVENTS)
		nr = MOST_EVENTS;
	rc = await(env, timeout_ns);
	if (rc)
		return rc;
	bytes = env->sys->read(env->sys, env->fd, events, nr * sizeof(*events));
	if (bytes < 0)
		return (int)bytes;
	if (!bytes || bytes % sizeof(*events) ||
	    (size_t)bytes > nr * sizeof(*events))
		return -EPROTO;
	return (int)(bytes / sizeof(*events));
}

int exo_event_fd(struct exo_env *env, int fd)
{
	struct exo_event_fd arg = {
		.size = sizeof(arg),
		.fd = fd,
	};

	return exo_command(env, EXO_CMD_EVENT_FD, &arg);
}

int exo_info_map(struct exo_env *env, struct exo_info *info)
{
	void *addr;
	char *base;
	int rc;

	rc = env->sys->mmap(env->sys, EXO_INFO_BYTES, PROT_READ, env->fd,
			    EXO_INFO_GLOBAL_OFFSET, &addr);
	if (rc)
		return rc;
	base = addr;
	*info = (struct exo_info) {
		.env = env,
		.global = addr,
		.own = (void *)(base + EXO_INFO_ENV_OFFSET),
		.vector = (void *)(base + EXO_INFO_VECTOR_OFFSET),
	};
	return 0;
}

int exo_info_unmap(struct exo_info *info)
{
	int rc = exo_env_munmap(info->env, (void *)(uintptr_t)info->global,
				EXO_INFO_BYTES);

	*info = (struct exo_info) { .env = NULL };
	return rc;
}

int exo_info_taken(const struct exo_info *info, __u32 *seen,
		   struct exo_vector_entry *entries, __u32 nr)
{
	/* Pairs with the module's store after it wrote the entry. */
	__u32 prod = __atomic_load_n(&info->own->vector_prod, __ATOMIC_ACQUIRE);
	__u32 i, from = *seen;

	if (nr > prod - from)
		nr = prod - from;
	for (i = 0; i < nr; i++)
		entries[i] = info->vector[(from + i) % EXO_VECTOR_ENTRIES];
	/* What was read must have stood still: the copy comes before this. */
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	prod = EXO_INFO_READ(info->own->vector_prod);
	if (prod - from >= EXO_VECTOR_ENTRIES) {
		*seen = prod;
		return -EOVERFLOW;
	}
	*seen = from + nr;
	return (int)nr;
}

static int env_list_once(struct exo_env *env, __u32 id, void *array, __u32 nr,
			 __u32 *out_nr)
{
	struct exo_env_list arg = {
		.size = sizeof(arg),
		.array = (uintptr_t)array,
		.nr = nr,
	};
	int rc = exo_command(env, EXO_CMD_ENV_LIST, &arg);

	(void)id;
	*out_nr = arg.out_nr;
	return rc;
}

int exo_env_list(struct exo_env *env, struct exo_env_info **out_envs)
{
	void *array = NULL;
	int rc;

	rc = exo_list_all(env, env_list_once, 0, sizeof(**out_envs), &array);
	if (rc >= 0)
		*out_envs = array;
	return rc;
}

int exo_env_ask(struct exo_env *env, __u64 id, __u64 nr_pages,
		__u32 timeout_ms)
{
	struct exo_env_ask arg = {
		.size = sizeof(arg),
		.id = id,
		.nr_pages = nr_pages,
		.timeout_ms = timeout_ms,
	};

	return exo_command(env, EXO_CMD_ENV_ASK, &arg);
}
