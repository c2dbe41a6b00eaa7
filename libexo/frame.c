// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Frame: allocate and map. See <exo/frame.h>.
 */
#include <exo/frame.h>

#include "sys.h"

int exo_frame_alloc(struct exo_env *env, __u32 nr_pages, __u32 order,
		    struct exo_frame *frame)
{
	struct exo_frame_alloc arg = {
		.size = sizeof(arg),
		.nr_pages = nr_pages,
		.order = order,
	};
	size_t bytes = (size_t)nr_pages * env->query.out_page_bytes;
	void *addr;
	int rc;

	rc = exo_command(env, EXO_CMD_FRAME_ALLOC, &arg);
	if (rc)
		return rc;
	rc = exo_env_mmap(env, arg.out_mmap_offset, bytes, &addr);
	if (rc) {
		exo_handle_close(env, arg.out_handle);
		return rc;
	}
	*frame = (struct exo_frame) {
		.env = env,
		.addr = addr,
		.bytes = bytes,
		.handle = arg.out_handle,
		.nr_pages = nr_pages,
	};
	return 0;
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
