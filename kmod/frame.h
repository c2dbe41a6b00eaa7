/* SPDX-License-Identifier: GPL-2.0 */
/* Frame: pages under a handle. Its memory outlives the handle while a device
 * or a packet still refers to it, charged to its user, reachable by nobody.
 */
#ifndef EXO_KMOD_FRAME_H
#define EXO_KMOD_FRAME_H

#include "env.h"
#include "object.h"
#include "pages.h"

struct exo_command;

/**
 * struct exo_frame - a run of pages
 * @obj: head
 * @pages: the memory
 * @list: in the list of the env that pays for it
 * @lender: the frame that it belongs to, one reference; NULL if it is its own
 */
struct exo_frame {
	struct exo_object obj;
	struct exo_pages *pages;
	struct list_head list;
	struct exo_frame *lender;
};

struct exo_cap *exo_frame_victim(struct exo_env *env, u64 most);
struct exo_frame *exo_frame_new(struct exo_pages *pages, u32 rights,
				struct exo_frame *from);
int exo_pool_alloc(struct exo_command *cmd);

/**
 * exo_frame_get() - look a frame up
 * @env: the env
 * @handle: its handle
 * @rights: EXO_RIGHT_* that the use needs
 * @scope: set to the pages that the handle covers
 *
 * Context: any but interrupt. Return: the frame with a reference that the
 * caller puts (exo_object_put() or exo_object_put_atomic()), or ERR_PTR: as
 * exo_env_get().
 */
static inline struct exo_frame *exo_frame_get(struct exo_env *env, u32 handle,
					      u32 rights,
					      struct exo_scope *scope)
{
	struct exo_object *obj = exo_env_get(env, handle, EXO_OBJECT_FRAME,
					     rights, scope);

	if (IS_ERR(obj))
		return ERR_CAST(obj);
	return container_of(obj, struct exo_frame, obj);
}

#endif /* EXO_KMOD_FRAME_H */
