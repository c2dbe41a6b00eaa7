/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * What the files of libexo's base share: the env's inside, and the calls that
 * every noun makes. Not installed, not exported.
 */
#ifndef LIBEXO_SYS_H
#define LIBEXO_SYS_H

#include <stdint.h>

#include <exo/env.h>

#pragma GCC visibility push(hidden)

/**
 * struct exo_env - one open of /dev/exo
 * @sys: its system calls
 * @fd: the open file
 * @query: what the module can do
 */
struct exo_env {
	const struct exo_sys *sys;
	int fd;
	struct exo_query query;
};

/**
 * typedef exo_list_fn - one try of a list command
 * @env: the env
 * @id: what to list
 * @array: room
 * @nr: entries of @array
 * @out_nr: entries there are, also with -EMSGSIZE
 */
typedef int exo_list_fn(struct exo_env *env, __u32 id, void *array, __u32 nr,
			__u32 *out_nr);

int exo_list_all(struct exo_env *env, exo_list_fn *list, __u32 id,
		 size_t entry_bytes, void **out_array);

/* Copies a name that must fit, padded with zeroes: 0 or -ENAMETOOLONG. */
int exo_name_set(__u8 *name, const char *text);

#pragma GCC visibility pop

#endif /* LIBEXO_SYS_H */
