/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Block I/O between extents and frames.
 *
 *	exo_cq_create(env, 256, 0, &cq);
 *	exo_io_prep_read(&io[i], &extent, block, nr_blocks, &frame, page, tag);
 *	exo_io_submit(&cq, io, nr);			one call for the batch
 *	while ((cqe = exo_cq_peek(&cq))) {
 *		... cqe->user_data, cqe->res ...
 *		exo_cq_release(&cq, 1);
 *	}
 *
 * The ring is shared with the module:
 *
 *	module					library
 *	write entry				load prod	(A) acquire
 *	store prod		(A) release	read entry
 *	load cons		(B) acquire	store cons	(B) release
 *	may overwrite the entry
 *
 * With EXO_CQ_F_URING operations go through io_uring as EXO_CMD_IO and the same
 * ring is filled by the library from io_uring's; calls and order stay the same.
 */
#ifndef EXO_IO_H
#define EXO_IO_H

#include <exo/extent.h>
#include <exo/frame.h>

#ifdef __cplusplus
extern "C" {
#endif

struct exo_cq_uring;

#define EXO_CQ_F_URING	(1U << 0)	/* by io_uring if the host lets us */

/**
 * struct exo_cq - a completion ring, of one thread
 * @env: whose
 * @ring: indices
 * @entries: the entries
 * @uring: the io_uring behind it, or NULL when the module fills the ring
 * @bytes: length of the mapping
 * @handle: 0 with @uring
 * @nr_entries: power of two
 * @cons: the library's own copy of ring->cons
 */
struct exo_cq {
	struct exo_env *env;
	struct exo_cq_ring *ring;
	struct exo_cqe *entries;
	struct exo_cq_uring *uring;
	size_t bytes;
	__u32 handle;
	__u32 nr_entries;
	__u32 cons;
};

/**
 * exo_cq_create() - make a completion ring
 * @env: the env
 * @nr_entries: most operations in flight or unconsumed, power of two up to
 *              exo_query.out_max_cq_entries
 * @flags: EXO_CQ_F_URING: submit through io_uring where the module has
 *         EXO_FEATURE_URING and the host allows io_uring, else as without
 * @cq: filled in
 *
 * Return: 0; -EINVAL; -EOPNOTSUPP unknown flag; -EDQUOT, -ENOMEM.
 */
int exo_cq_create(struct exo_env *env, __u32 nr_entries, __u32 flags,
		  struct exo_cq *cq);

/**
 * exo_cq_destroy() - unmap and give back
 * @cq: the ring. Operations in flight are finished by the module; with io_uring
 *      this waits for them
 */
int exo_cq_destroy(struct exo_cq *cq);

/**
 * exo_cq_fd() - what becomes readable (POLLIN) when completions arrive
 * @cq: the ring
 *
 * Return: the env's descriptor, or that of the io_uring.
 */
int exo_cq_fd(const struct exo_cq *cq);

/* Slow path of exo_cq_peek(): moves what io_uring has into the ring. */
void exo_cq_reap(struct exo_cq *cq);

/**
 * exo_cq_ready() - completions that can be read now
 * @cq: the ring
 *
 * Return: 0 to nr_entries.
 */
static inline __u32 exo_cq_ready(struct exo_cq *cq)
{
	__u32 nr;

	if (cq->uring)
		exo_cq_reap(cq);
	/* (A) pairs with the module's release of prod: entries are written */
	nr = __atomic_load_n(&cq->ring->prod, __ATOMIC_ACQUIRE) - cq->cons;
	return nr <= cq->nr_entries ? nr : 0;
}

/**
 * exo_cq_peek() - the oldest completion
 * @cq: the ring
 *
 * Return: the completion, valid until exo_cq_release(); NULL: none.
 */
static inline const struct exo_cqe *exo_cq_peek(struct exo_cq *cq)
{
	if (!exo_cq_ready(cq))
		return NULL;
	return &cq->entries[cq->cons & (cq->nr_entries - 1)];
}

/**
 * exo_cq_at() - a completion further on, for working on several
 * @cq: the ring
 * @i: 0 for the oldest, below exo_cq_ready()
 */
static inline const struct exo_cqe *exo_cq_at(const struct exo_cq *cq, __u32 i)
{
	return &cq->entries[(cq->cons + i) & (cq->nr_entries - 1)];
}

/**
 * exo_cq_release() - the oldest completions were read
 * @cq: the ring
 * @nr: how many, at most what exo_cq_ready() said
 */
static inline void exo_cq_release(struct exo_cq *cq, __u32 nr)
{
	cq->cons += nr;
	/* (B) pairs with the module's acquire of cons: entries were read */
	__atomic_store_n(&cq->ring->cons, cq->cons, __ATOMIC_RELEASE);
}

/* exo_io_prep() - fill in any operation; the others below are for reading */
static inline void exo_io_prep(struct exo_io *io, __u32 op,
			       const struct exo_extent *extent, __u64 block,
			       __u32 nr_blocks, __u64 user_data)
{
	*io = (struct exo_io) {
		.size = sizeof(*io),
		.op = op,
		.extent = extent->handle,
		.block = block,
		.nr_blocks = nr_blocks,
		.user_data = user_data,
	};
}

/**
 * exo_io_prep_read() - blocks to frame
 * @io: filled in
 * @extent: from where
 * @block: first block, counted from the start of the extent
 * @nr_blocks: 1 to exo_query.out_max_io_blocks
 * @frame: to where
 * @frame_page: first page of the frame
 * @user_data: comes back in the completion
 */
static inline void exo_io_prep_read(struct exo_io *io,
				    const struct exo_extent *extent,
				    __u64 block, __u32 nr_blocks,
				    const struct exo_frame *frame,
				    __u32 frame_page, __u64 user_data)
{
	exo_io_prep(io, EXO_IO_READ, extent, block, nr_blocks, user_data);
	io->frame = frame->handle;
	io->frame_page = frame_page;
}

/**
 * exo_io_prep_write() - frame to blocks
 * @io: filled in
 * @extent: to where
 * @block: first block, counted from the start of the extent
 * @nr_blocks: 1 to exo_query.out_max_io_blocks
 * @frame: from where; must not change until the completion
 * @frame_page: first page of the frame
 * @flags: EXO_IO_F_FUA: on stable storage at the completion
 * @user_data: comes back in the completion
 */
static inline void exo_io_prep_write(struct exo_io *io,
				     const struct exo_extent *extent,
				     __u64 block, __u32 nr_blocks,
				     const struct exo_frame *frame,
				     __u32 frame_page, __u32 flags,
				     __u64 user_data)
{
	exo_io_prep(io, EXO_IO_WRITE, extent, block, nr_blocks, user_data);
	io->frame = frame->handle;
	io->frame_page = frame_page;
	io->flags = flags;
}

/**
 * exo_io_prep_flush() - what was completed before goes to stable storage
 * @io: filled in
 * @extent: any extent of the disk
 * @user_data: comes back in the completion
 */
static inline void exo_io_prep_flush(struct exo_io *io,
				     const struct exo_extent *extent,
				     __u64 user_data)
{
	exo_io_prep(io, EXO_IO_FLUSH, extent, 0, 0, user_data);
}

/**
 * exo_io_prep_discard() - the content is not needed any more
 * @io: filled in
 * @extent: where
 * @block: first block, counted from the start of the extent
 * @nr_blocks: how many
 * @user_data: comes back in the completion
 */
static inline void exo_io_prep_discard(struct exo_io *io,
				       const struct exo_extent *extent,
				       __u64 block, __u32 nr_blocks,
				       __u64 user_data)
{
	exo_io_prep(io, EXO_IO_DISCARD, extent, block, nr_blocks, user_data);
}

/**
 * exo_io_prep_write_zeroes() - the blocks read as zeroes afterwards
 * @io: filled in
 * @extent: where
 * @block: first block, counted from the start of the extent
 * @nr_blocks: how many
 * @user_data: comes back in the completion
 */
static inline void exo_io_prep_write_zeroes(struct exo_io *io,
					    const struct exo_extent *extent,
					    __u64 block, __u32 nr_blocks,
					    __u64 user_data)
{
	exo_io_prep(io, EXO_IO_WRITE_ZEROES, extent, block, nr_blocks,
		    user_data);
}

/**
 * exo_io_submit() - start a batch of operations
 * @cq: where the completions go
 * @io: the operations; may be reused when this returns
 * @nr: how many, any number
 *
 * Return: how many were accepted, at least 1, or the error of the first:
 * -EAGAIN the ring has no room, consume first; others as EXO_CMD_IO_SUBMIT.
 * With io_uring what the module refuses comes as a completion instead.
 */
int exo_io_submit(struct exo_cq *cq, const struct exo_io *io, __u32 nr);

/**
 * exo_io_wait() - sleep until a completion is there
 * @cq: the ring
 * @timeout_ns: below 0 for no limit
 *
 * Return: completions that can be read; 0 when the env became ready for another
 * of its rings (a packet), which is to be consumed first; -ETIME; -EINTR.
 */
int exo_io_wait(struct exo_cq *cq, __s64 timeout_ns);

/**
 * exo_io_sync() - one operation, waited for (EXO_CMD_IO)
 * @env: the env
 * @io: the operation
 *
 * Return: bytes moved; -EIO and other errors of the device; -EINTR before it
 * was started; errors of EXO_CMD_IO_SUBMIT.
 */
int exo_io_sync(struct exo_env *env, struct exo_io *io);

#ifdef __cplusplus
}
#endif

#endif /* EXO_IO_H */
