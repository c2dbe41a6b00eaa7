/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Frame: a run of physical pages, mapped. The disk reads into it and the
 * network sends from it without a copy. The mapping is by page frame number:
 * system calls given a pointer into it (write(2), send(2)) work, O_DIRECT and
 * io_uring's fixed buffers fail with EFAULT.
 */
#ifndef EXO_FRAME_H
#define EXO_FRAME_H

#include <exo/cap.h>
#include <exo/env.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * struct exo_frame - a mapped frame
 * @env: whose
 * @addr: the mapping; the pages are zero at first, unless out of a pool or
 *        another process
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
 * struct exo_frame_place - where the pages of a frame shall be
 * @flags: EXO_FRAME_*: which of the others count; those that do not must be 0
 * @order: contiguous, aligned runs of 2^order pages
 * @node: NUMA node, with EXO_FRAME_NODE
 * @colour_mask: with EXO_FRAME_COLOUR, below EXO_FRAME_MAX_COLOURS
 * @colour_value: of the number of each run's first page under the mask
 * @pool: with EXO_FRAME_POOL: handle of a frame with EXO_RIGHT_SHARE
 * @pages: with EXO_FRAME_POOL: which pages of the pool, in this order
 */
struct exo_frame_place {
	__u32 flags;
	__u32 order;
	__u32 node;
	__u32 colour_mask;
	__u32 colour_value;
	__u32 pool;
	const __u64 *pages;
};

/**
 * exo_frame_alloc_at() - allocate pages of one's choice and map them
 * @env: the env
 * @nr_pages: 1 to exo_query.out_max_frame_pages
 * @place: where
 * @frame: filled in; unchanged on error
 * @out_nr_tried: pages that were looked at for a colour, on -ENOMEM too; or NULL
 *
 * A frame out of a pool is derived from the pool: nothing is allocated or
 * zeroed, and it ends with it. It is mapped with the rights of the pool.
 *
 * Return: as exo_frame_alloc(); -EINVAL also for a node that is not online or a
 * colour that the order makes impossible; -ENOMEM also when no page of that
 * colour was found; with EXO_FRAME_POOL as exo_cap_derive().
 */
int exo_frame_alloc_at(struct exo_env *env, __u32 nr_pages,
		       const struct exo_frame_place *place,
		       struct exo_frame *frame, __u64 *out_nr_tried);

/**
 * exo_frame_map() - map a capability that is a frame
 * @cap: derived or imported; its handle is the frame's from now on
 * @frame: filled in; unchanged on error
 *
 * Mapped for what the capability has rights to. When it ends, a touch is
 * SIGBUS.
 *
 * Return: 0; -EBADF not a frame; -ESTALE it has ended; -errno of mmap(2).
 */
int exo_frame_map(const struct exo_cap *cap, struct exo_frame *frame);

/**
 * exo_frame_import() - a mapped frame from an exported descriptor
 * @env: the env
 * @fd: from exo_cap_export(), mostly by exo_cap_recv(); stays open
 * @frame: filled in, for exo_frame_free(); unchanged on error
 *
 * exo_cap_import() and exo_frame_map(); exo_cap_info() tells the rights.
 *
 * Return: 0; -EBADF not an exported frame; errors of both.
 */
int exo_frame_import(struct exo_env *env, int fd, struct exo_frame *frame);

/**
 * exo_frame_info() - where the pages of a frame are
 * @frame: the frame
 * @first_page: first page asked about
 * @nr: how many, 1 to 65,536
 * @out_pages: room for @nr
 *
 * Return: 0; -EINVAL @nr, or pages outside the frame; -ESTALE.
 */
int exo_frame_info(const struct exo_frame *frame, __u32 first_page, __u32 nr,
		   struct exo_page_info *out_pages);

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
