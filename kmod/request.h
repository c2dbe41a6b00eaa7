/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Request: a block operation in flight, from a checked description of it to the
 * one completion; see io.c for the whole.
 */
#ifndef EXO_KMOD_REQUEST_H
#define EXO_KMOD_REQUEST_H

#include <linux/bio.h>
#include <linux/completion.h>
#include <linux/refcount.h>

#include "cq.h"
#include "extent.h"
#include "frame.h"

struct io_uring_cmd;

/**
 * struct exo_io_op - an operation that passed all checks
 * @extent: reference; the operation is counted in its record
 * @frame: reference, or NULL
 * @bdev: the device
 * @opf: for the bios
 * @block: first block on the device
 * @nr_blocks: how many, 0 for a flush
 * @frame_page: first page of the frame
 * @pages: bios have pages: of the frame, or the zero page without a frame
 */
struct exo_io_op {
	struct exo_extent *extent;
	struct exo_frame *frame;
	struct block_device *bdev;
	blk_opf_t opf;
	u64 block;
	u32 nr_blocks;
	u32 frame_page;
	bool pages;
};

enum exo_request_kind {
	EXO_REQUEST_CQ,		/* ends with an entry in a ring */
	EXO_REQUEST_WAIT,		/* a task sleeps */
	EXO_REQUEST_URING,		/* ends an io_uring entry */
};

/**
 * struct exo_request - an operation in flight
 * @extent: reference; counted in its record
 * @frame: reference, or NULL
 * @kind: who is told, and so which member of the union
 * @bytes: result if all goes well
 * @error: first error, or 0
 * @pending: bios in flight, and one for the submitter while it submits
 * @cq: reference; room for the completion is reserved
 * @user_data: for the completion
 * @done: the waiter sleeps here
 * @res: result for the waiter
 * @owners: the waiter and the device
 * @ioucmd: the io_uring entry
 * @again: the operation, to be issued once more if a REQ_NOWAIT would have slept
 * @bio: the first bio, and the allocation itself
 */
struct exo_request {
	struct exo_extent *extent;
	struct exo_frame *frame;
	enum exo_request_kind kind;
	s32 bytes;
	int error;
	atomic_t pending;
	union {
		struct {
			struct exo_cq *cq;
			u64 user_data;
		};
		struct {
			struct completion done;
			s32 res;
			refcount_t owners;
		};
		struct {
			struct io_uring_cmd *ioucmd;
			struct exo_io_op again;
		};
	};
	struct bio bio;
};

void exo_io_op_drop(struct exo_io_op *op);
bool exo_io_op_may_nowait(const struct exo_io_op *op);
struct exo_request *exo_request_new(const struct exo_io_op *op,
				    enum exo_request_kind kind, gfp_t gfp);
void exo_request_issue(struct exo_request *req, const struct exo_io_op *op);
void exo_request_end(struct exo_request *req);
s32 exo_request_end_quietly(struct exo_request *req);
void exo_request_leave(struct exo_request *req);

/**
 * exo_request_let_go() - the submitter is done with submitting
 * @req: the request; not to be touched afterwards if the device has it
 *
 * Context: any. Return: true if all bios are done already; then the caller ends
 * the request.
 */
static inline bool exo_request_let_go(struct exo_request *req)
{
	return atomic_dec_and_test(&req->pending);
}

#endif /* EXO_KMOD_REQUEST_H */
