/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Frame: a run of physical pages, mapped. The disk reads into it and the
 * network sends from it without a copy. The mapping is by page frame number:
 * system calls given a pointer into it (write(2), send(2)) work, O_DIRECT and
 * io_uring's fixed buffers fail with EFAULT.
 */
#ifndef EXO_FRAME_H
#define EXO_FRAME_H

#include <exo/env.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * struct exo_frame - a mapped frame
 * @env: whose
 * @addr: the mapping, zeroed pages at first
 * @bytes: its length, @nr_pages times the page size
 * @handle: for struct exo_io and struct exo_tx_frag
 * @nr_pages: its length in pages
 */
struct exo_frame {
	struct exo_env *env;
	void *addr;
	size_t bytes;
	__u32 handle;
	__u32 nr_pages;
};

/**
 * exo_frame_alloc() - allocate zeroed pages and map them
 * @env: the env
 * @nr_pages: 1 to exo_query.out_max_frame_pages
 * @order: the pages come in contiguous, aligned runs of 2^order; 0 for any
 * @frame: filled in; unchanged on error
 *
 * Return: 0; -EINVAL bounds; -EDQUOT RLIMIT_MEMLOCK or the module's ceiling;
 * -ENOMEM.
 */
int exo_frame_alloc(struct exo_env *env, __u32 nr_pages, __u32 order,
		    struct exo_frame *frame);

/**
 * exo_frame_free() - unmap and give back
 * @frame: the frame; I/O and packets in flight keep the pages alive unreachable
 *
 * Return: 0; -ENOENT the handle was closed already (the mapping is gone in any
 * case).
 */
int exo_frame_free(struct exo_frame *frame);

/**
 * exo_frame_page() - address of a page of the frame
 * @frame: the frame
 * @page: 0 to nr_pages - 1
 */
static inline void *exo_frame_page(const struct exo_frame *frame, __u32 page)
{
	return (char *)frame->addr +
	       (size_t)page * (frame->bytes / frame->nr_pages);
}

#ifdef __cplusplus
}
#endif

#endif /* EXO_FRAME_H */
