/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Extent: an opening of a run of blocks. What is open, by others too, is a
 * struct exo_record of the catalogue.
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
 * @closed: no capability is left; guarded by the disk's lock
 */
struct exo_extent {
	struct exo_object obj;
	struct exo_record *record;
	bool closed;
};

/**
 * exo_extent_get() - look an extent up
 * @env: the env
 * @handle: its handle
 * @rights: EXO_RIGHT_* that the use needs
 * @scope: set to the blocks that the handle covers
 *
 * Context: any but interrupt. Return: the extent with a reference that the
 * caller puts (exo_object_put() or exo_object_put_atomic()), or ERR_PTR: as
 * exo_env_get().
 */
static inline struct exo_extent *exo_extent_get(struct exo_env *env,
						u32 handle, u32 rights,
						struct exo_scope *scope)
{
	struct exo_object *obj = exo_env_get(env, handle, EXO_OBJECT_EXTENT,
					     rights, scope);

	if (IS_ERR(obj))
		return ERR_CAST(obj);
	return container_of(obj, struct exo_extent, obj);
}

#endif /* EXO_KMOD_EXTENT_H */
