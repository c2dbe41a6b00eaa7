// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Frame: allocate and map. See <exo/frame.h>.
 */
#include <errno.h>
#include <sys/mman.h>

#include <exo/frame.h>

#include "sys.h"

static int map_handle(struct exo_env *env, __u32 handle, __u64 offset,
		      __u32 nr_pages, __u32 rights, struct exo_frame *frame)
{
	size_t bytes = (size_t)nr_pages * env->query.out_page_bytes;
	int prot = 0, rc;
	void *addr;

	if (rights & EXO_RIGHT_READ)
		prot |= PROT_READ;
	if (rights & EXO_RIGHT_WRITE)
		prot |= PROT_WRITE;
	rc = env->sys->mmap(env->sys, bytes, prot, env->fd, offset, &addr);
	if (rc)
		return rc;
	*frame = (struct exo_frame) {
		.env = env,
		.addr = addr,
		.bytes = bytes,
		.handle = handle,
		.nr_pages = nr_pages,
	};
	return 0;
}

int exo_frame_alloc(struct exo_env *env, __u32 nr_pages, __u32 order,
		    struct exo_frame *frame)
{
	struct exo_frame_place place = { .order = order };

	return exo_frame_alloc_at(env, nr_pages, &place, frame, NULL);
}

/* A frame out of a pool has the pool's rights, perhaps not all. */
static int rights_of(struct exo_env *env, const struct exo_frame_place *place,
		     __u32 handle, __u32 *rights)
{
	struct exo_cap_info info;
	int rc;

	*rights = EXO_RIGHT_READ | EXO_RIGHT_WRITE | EXO_RIGHT_SHARE;
	if (!(place->flags & EXO_FRAME_POOL))
		return 0;
	rc = exo_cap_info(env, handle, &info);
	if (!rc)
		*rights = info.out_rights;
	return rc;
}

int exo_frame_alloc_at(struct exo_env *env, __u32 nr_pages,
		       const struct exo_frame_place *place,
		       struct exo_frame *frame, __u64 *out_nr_tried)
{
	struct exo_frame_alloc arg = {
		.size = sizeof(arg),
		.flags = place->flags,
		.nr_pages = nr_pages,
		.order = place->order,
		.node = place->node,
		.colour_mask = place->colour_mask,
		.colour_value = place->colour_value,
		.pool = place->pool,
		.array = (uintptr_t)place->pages,
	};
	__u32 rights;
	int rc;

	rc = exo_command(env, EXO_CMD_FRAME_ALLOC, &arg);
	if (out_nr_tried)
		*out_nr_tried = arg.out_nr_tried;
	if (rc)
		return rc;
	rc = rights_of(env, place, arg.out_handle, &rights);
	if (!rc)
		rc = map_handle(env, arg.out_handle, arg.out_mmap_offset,
				nr_pages, rights, frame);
	if (rc)
		exo_handle_close(env, arg.out_handle);
	return rc;
}

int exo_frame_map(const struct exo_cap *cap, struct exo_frame *frame)
{
	if (cap->type != EXO_TYPE_FRAME)
		return -EBADF;
	if (cap->nr > UINT32_MAX)
		return -EPROTO;
	return map_handle(cap->env, cap->handle, cap->mmap_offset,
			  (__u32)cap->nr, cap->rights, frame);
}

int exo_frame_import(struct exo_env *env, int fd, struct exo_frame *frame)
{
	struct exo_cap cap;
	int rc;

	rc = exo_cap_import(env, fd, &cap);
	if (rc)
		return rc;
	rc = exo_frame_map(&cap, frame);
	if (rc)
		exo_handle_close(env, cap.handle);
	return rc;
}

int exo_frame_info(const struct exo_frame *frame, __u32 first_page, __u32 nr,
		   struct exo_page_info *out_pages)
{
	struct exo_frame_info arg = {
		.size = sizeof(arg),
		.frame = frame->handle,
		.first_page = first_page,
		.array = (uintptr_t)out_pages,
		.nr = nr,
	};

	return exo_command(frame->env, EXO_CMD_FRAME_INFO, &arg);
}

int exo_frame_free(struct exo_frame *frame)
{
	int rc;

	rc = exo_env_munmap(frame->env, frame->addr, frame->bytes);
	frame->addr = NULL;
	if (rc)
		return rc;
	return exo_handle_close(frame->env, frame->handle);
}
