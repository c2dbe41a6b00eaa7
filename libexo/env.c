// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Env: open, close, commands. See <exo/env.h>.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <exo/version.h>

#include "sys.h"

#define STR_(x)		#x
#define STR(x)		STR_(x)

#define LIST_FIRST	16		/* entries of the first try */
#define LIST_MOST	(1U << 20)	/* entries, above what any disk can hold */
#define LIST_TRIES	16		/* a list that grows meanwhile */

const char *exo_version(void)
{
	return STR(EXO_VERSION_MAJOR) "." STR(EXO_VERSION_MINOR) "."
	       STR(EXO_VERSION_PATCH);
}

/* The sizes that later arithmetic relies on. */
static int query_check(const struct exo_query *q)
{
	if (q->out_page_bytes < 4096 ||
	    (q->out_page_bytes & (q->out_page_bytes - 1)))
		return -EPROTO;
	if (q->out_block_bytes != EXO_BLOCK_BYTES)
		return -EPROTO;
	return 0;
}

int exo_env_open(const struct exo_sys *sys, const char *path,
		 struct exo_env **out_env)
{
	struct exo_env *env = calloc(1, sizeof(*env));
	int rc;

	if (!env)
		return -ENOMEM;
	env->sys = sys ? sys : exo_sys_default();
	rc = env->sys->open(env->sys, path ? path : EXO_DEVICE_PATH,
			    O_RDWR | O_CLOEXEC);
	if (rc < 0)
		goto err_free;
	env->fd = rc;
	rc = exo_query(env, &env->query);
	if (!rc)
		rc = query_check(&env->query);
	if (rc)
		goto err_close;
	*out_env = env;
	return 0;

err_close:
	env->sys->close(env->sys, env->fd);
err_free:
	free(env);
	return rc;
}

void exo_env_close(struct exo_env *env)
{
	if (!env)
		return;
	env->sys->close(env->sys, env->fd);
	free(env);
}

int exo_env_fd(const struct exo_env *env)
{
	return env->fd;
}

const struct exo_sys *exo_env_sys(const struct exo_env *env)
{
	return env->sys;
}

const struct exo_query *exo_env_query(const struct exo_env *env)
{
	return &env->query;
}

__u64 exo_env_boot_ns(const struct exo_env *env)
{
	return env->sys->boot_ns(env->sys);
}

int exo_command(struct exo_env *env, unsigned int cmd, void *arg)
{
	return env->sys->ioctl(env->sys, env->fd, cmd, arg);
}

int exo_query(struct exo_env *env, struct exo_query *out_query)
{
	memset(out_query, 0, sizeof(*out_query));
	out_query->size = sizeof(*out_query);
	return exo_command(env, EXO_CMD_QUERY, out_query);
}

int exo_stats(struct exo_env *env, struct exo_stats *out_stats)
{
	memset(out_stats, 0, sizeof(*out_stats));
	out_stats->size = sizeof(*out_stats);
	return exo_command(env, EXO_CMD_STATS, out_stats);
}

int exo_handle_close(struct exo_env *env, __u32 handle)
{
	struct exo_handle_close arg = {
		.size = sizeof(arg),
		.handle = handle,
	};

	return exo_command(env, EXO_CMD_HANDLE_CLOSE, &arg);
}

int exo_env_mmap(struct exo_env *env, __u64 offset, size_t bytes,
		 void **out_addr)
{
	return env->sys->mmap(env->sys, bytes, PROT_READ | PROT_WRITE, env->fd,
			      offset, out_addr);
}

int exo_env_munmap(struct exo_env *env, void *addr, size_t bytes)
{
	return env->sys->munmap(env->sys, addr, bytes);
}

/**
 * exo_list_all() - a list command with as much room as it takes
 * @env: the env
 * @list: makes one try
 * @id: for @list
 * @entry_bytes: size of an entry
 * @out_array: entries for free(3), or NULL when there are none
 *
 * Return: entries; -EAGAIN the list kept growing; -EPROTO an answer that cannot
 * be; -ENOMEM; errors of @list.
 */
int exo_list_all(struct exo_env *env, exo_list_fn *list, __u32 id,
		 size_t entry_bytes, void **out_array)
{
	__u32 room = LIST_FIRST, nr = 0;
	int i, rc = -EMSGSIZE;
	void *array = NULL;

	for (i = 0; rc == -EMSGSIZE && i < LIST_TRIES; i++) {
		free(array);
		array = calloc(room, entry_bytes);
		if (!array)
			return -ENOMEM;
		rc = list(env, id, array, room, &nr);
		if ((rc == -EMSGSIZE && nr <= room) || nr > LIST_MOST ||
		    (!rc && nr > room))
			rc = -EPROTO;
		room = nr + nr / 4 + 1;
	}
	if (rc || !nr) {
		free(array);
		array = NULL;
	}
	if (rc)
		return rc == -EMSGSIZE ? -EAGAIN : rc;
	*out_array = array;
	return (int)nr;
}

int exo_name_set(__u8 *name, const char *text)
{
	size_t len = strlen(text);

	if (len >= EXO_NAME_BYTES)
		return -ENAMETOOLONG;
	memset(name, 0, EXO_NAME_BYTES);
	memcpy(name, text, len);
	return 0;
}
