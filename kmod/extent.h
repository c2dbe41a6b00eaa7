/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Extent: a handle to a run of blocks, with rights. What it is a handle to,
 * shared with other handles, is a struct exo_record of the catalogue.
 */
#ifndef EXO_KMOD_EXTENT_H
#define EXO_KMOD_EXTENT_H

#include <linux/err.h>

#include "catalogue.h"
#include "env.h"
#include "object.h"

/**
 * struct exo_extent - an open extent
 * @obj: head
 * @record: what is open
 * @rights: EXO_RIGHT_*
 * @closed: the handle is gone; guarded by the disk's lock
 */
struct exo_extent {
	struct exo_object obj;
	struct exo_record *record;
	u32 rights;
	bool closed;
};

/**
 * exo_extent_get() - look an extent up
 * @env: the env
 * @handle: its handle
 *
 * Context: any but interrupt. Return: the extent with a reference that the
 * caller puts (exo_object_put() or exo_object_put_atomic()), or ERR_PTR:
 * -ENOENT no such handle, -EBADF not an extent.
 */
static inline struct exo_extent *exo_extent_get(struct exo_env *env,
						u32 handle)
{
	struct exo_object *obj = exo_env_get(env, handle, EXO_OBJECT_EXTENT);

	if (IS_ERR(obj))
		return ERR_CAST(obj);
	return container_of(obj, struct exo_extent, obj);
}

#endif /* EXO_KMOD_EXTENT_H */
