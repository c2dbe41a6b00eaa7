// SPDX-License-Identifier: GPL-2.0
/*
 * I/O: block operations between extents and frames.
 *
 *	decode	copy of the library's struct -> struct io_op; all checks; pins
 *		extent and frame, counts the operation in the extent's record
 *	issue	io_op -> a request with one bio or more; no lock is held
 *	end	by the last bio, often in interrupt context: unpins, then tells
 *		whoever waits, exactly once
 *
 * A request holds extent, frame and completion ring by references, so that the
 * caller may close handles or be killed while the device is at work: memory
 * goes with the last completion. The bios carry the blkcg and ioprio of the
 * task that submits.
 *
 * DISCARD is done as write-zeroes that may unmap, never as a plain discard,
 * after which some devices return what a former owner wrote.
 */
#include <linux/bio.h>
#include <linux/blkdev.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/ioprio.h>
#include <linux/nospec.h>
#include <linux/overflow.h>
#include <linux/percpu.h>
#include <linux/sched/signal.h>
#include <linux/task_io_accounting_ops.h>
#include <linux/uaccess.h>

#include <linux/exo.h>

#include "block.h"
#include "command.h"
#include "compat/uring.h"
#include "cq.h"
#include "disk.h"
#include "extent.h"
#include "frame.h"
#include "io.h"

/* Entries of a batch that are copied at once. */
#define CHUNK	8

/**
 * struct io_kind - what an operation is made of; by EXO_IO_*
 * @opf: for the bio
 * @rights: the extent handle needs one of these
 * @flags: EXO_IO_F_* it may have
 * @range: has blocks
 * @frame: has a frame
 */
struct io_kind {
	blk_opf_t opf;
	u32 rights;
	u32 flags;
	bool range;
	bool frame;
};

static const struct io_kind io_kinds[] = {
	[EXO_IO_READ] = {
		.opf = REQ_OP_READ, .rights = EXO_RIGHT_READ,
		.range = true, .frame = true,
	},
	[EXO_IO_WRITE] = {
		.opf = REQ_OP_WRITE | REQ_SYNC | REQ_IDLE,
		.rights = EXO_RIGHT_WRITE, .flags = EXO_IO_F_FUA,
		.range = true, .frame = true,
	},
	[EXO_IO_FLUSH] = {
		.opf = REQ_OP_WRITE | REQ_SYNC | REQ_PREFLUSH,
		.rights = EXO_RIGHT_READ | EXO_RIGHT_WRITE,
	},
	[EXO_IO_DISCARD] = {
		.opf = REQ_OP_WRITE_ZEROES, .rights = EXO_RIGHT_WRITE,
		.range = true,
	},
	[EXO_IO_WRITE_ZEROES] = {
		.opf = REQ_OP_WRITE_ZEROES | REQ_NOUNMAP,
		.rights = EXO_RIGHT_WRITE, .range = true,
	},
};

/**
 * struct io_op - an operation that passed all checks
 * @extent: reference; the operation is counted in its record
 * @frame: reference, or NULL
 * @bdev: the device
 * @opf: for the bios
 * @block: first block on the device
 * @nr_blocks: how many, 0 for a flush
 * @frame_page: first page of the frame
 * @pages: bios have pages: of the frame, or the zero page without a frame
 */
struct io_op {
	struct exo_extent *extent;
	struct exo_frame *frame;
	struct block_device *bdev;
	blk_opf_t opf;
	u64 block;
	u32 nr_blocks;
	u32 frame_page;
	bool pages;
};

enum request_kind {
	REQUEST_CQ,		/* ends with an entry in a ring */
	REQUEST_WAIT,		/* a task sleeps */
	REQUEST_URING,		/* ends an io_uring entry */
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
 * @bio: the first bio, and the allocation itself
 */
struct exo_request {
	struct exo_extent *extent;
	struct exo_frame *frame;
	enum request_kind kind;
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
		struct io_uring_cmd *ioucmd;
	};
	struct bio bio;
};

static struct bio_set requests;
static DEFINE_PER_CPU(long, nr_io);

/**
 * exo_io_init() - prepare for operations
 *
 * Return: 0 or -ENOMEM.
 */
int exo_io_init(void)
{
	return bioset_init(&requests, BIO_POOL_SIZE,
			   offsetof(struct exo_request, bio),
			   BIOSET_NEED_BVECS);
}

/**
 * exo_io_exit() - wait for the last completion
 *
 * No disk is attached, so no operation is in flight; what may be left is the
 * tail of a completion in an interrupt, which the grace period outlasts.
 *
 * Context: sleeps.
 */
void exo_io_exit(void)
{
	while (exo_io_count())
		msleep(20);
	synchronize_rcu();
	bioset_exit(&requests);
}

/**
 * exo_io_count() - operations in flight
 *
 * Return: the count; exact when nothing begins or ends meanwhile.
 */
u64 exo_io_count(void)
{
	long sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(per_cpu(nr_io, cpu));
	return max(sum, 0L);
}

/* Decode --------------------------------------------------------------- */

/* What can be judged without knowing the objects. */
static int decode_shape(const struct exo_io *io, struct io_kind *kind)
{
	u32 op = io->op;

	if (!op || op >= ARRAY_SIZE(io_kinds) || io->reserved)
		return -EINVAL;
	*kind = io_kinds[array_index_nospec(op, ARRAY_SIZE(io_kinds))];
	if (io->flags & ~EXO_IO_F_FUA)
		return -EOPNOTSUPP;
	if (io->flags & ~kind->flags)
		return -EINVAL;
	if (!kind->range && (io->block || io->nr_blocks))
		return -EINVAL;
	if (kind->range &&
	    (!io->nr_blocks || io->nr_blocks > EXO_MAX_IO_BLOCKS))
		return -EINVAL;
	if (!kind->frame && (io->frame || io->frame_page))
		return -EINVAL;
	return 0;
}

/* The blocks, inside the extent. */
static int decode_range(const struct exo_io *io, struct io_op *op)
{
	const struct exo_record *record = op->extent->record;
	u64 end;

	if (check_add_overflow(io->block, (u64)io->nr_blocks, &end))
		return -EOVERFLOW;
	if (end > record->nr_blocks)
		return -EINVAL;
	op->block = record->start + io->block;
	op->nr_blocks = io->nr_blocks;
	return 0;
}

/* The pages, inside the frame. */
static int decode_frame(struct exo_env *env, const struct exo_io *io,
			struct io_op *op)
{
	struct exo_frame *frame = exo_frame_get(env, io->frame);
	int rc = -EINVAL;
	u32 end;

	if (IS_ERR(frame))
		return PTR_ERR(frame);
	if (check_add_overflow(io->frame_page, io->nr_blocks, &end))
		rc = -EOVERFLOW;
	else if (end <= frame->pages->nr_pages)
		rc = 0;
	if (rc) {
		exo_object_put(&frame->obj);
		return rc;
	}
	op->frame_page = array_index_nospec(io->frame_page,
					    frame->pages->nr_pages);
	op->frame = frame;
	op->pages = true;
	return 0;
}

/*
 * What the device is asked to do. Write-zeroes that it does not know becomes
 * writes of the zero page.
 */
static int decode_device(const struct exo_io *io, const struct io_kind *kind,
			 struct io_op *op)
{
	op->bdev = op->extent->record->disk->claim.bdev;
	op->opf = kind->opf;
	if (io->flags & EXO_IO_F_FUA)
		op->opf |= REQ_FUA;
	if ((kind->opf & REQ_OP_MASK) != REQ_OP_WRITE_ZEROES ||
	    bdev_write_zeroes_sectors(op->bdev))
		return 0;
	if (io->op == EXO_IO_DISCARD)
		return -EOPNOTSUPP;
	op->opf = REQ_OP_WRITE | REQ_SYNC | REQ_IDLE;
	op->pages = true;
	return 0;
}

static int decode_objects(struct exo_env *env, const struct exo_io *io,
			  const struct io_kind *kind, struct io_op *op)
{
	int rc;

	if (!(op->extent->rights & kind->rights))
		return -EACCES;
	rc = decode_range(io, op);
	if (!rc && kind->frame)
		rc = decode_frame(env, io, op);
	if (rc)
		return rc;
	/* The count also keeps the device open, so it comes first. */
	if (!exo_record_begin_io(op->extent->record)) {
		rc = -ESTALE;
		goto err_frame;
	}
	rc = decode_device(io, kind, op);
	if (!rc)
		return 0;
	exo_record_end_io(op->extent->record);
err_frame:
	if (op->frame)
		exo_object_put(&op->frame->obj);
	return rc;
}

/* On success the caller ends with op_drop(), or gives all to a request. */
static int decode(struct exo_env *env, const struct exo_io *io,
		  struct io_op *op)
{
	struct io_kind kind;
	int rc;

	memset(op, 0, sizeof(*op));
	rc = decode_shape(io, &kind);
	if (rc)
		return rc;
	op->extent = exo_extent_get(env, io->extent);
	if (IS_ERR(op->extent))
		return PTR_ERR(op->extent);
	rc = decode_objects(env, io, &kind, op);
	if (rc)
		exo_object_put(&op->extent->obj);
	return rc;
}

/* Context: any. The extent goes last: it holds record and disk. */
static void unpin(struct exo_extent *extent, struct exo_frame *frame)
{
	exo_record_end_io(extent->record);
	if (frame)
		exo_object_put_atomic(&frame->obj);
	exo_object_put_atomic(&extent->obj);
}

static void op_drop(struct io_op *op)
{
	unpin(op->extent, op->frame);
}

/* End ------------------------------------------------------------------ */

static void request_free(struct exo_request *req)
{
	bio_put(&req->bio);
}

static s32 request_result(struct exo_request *req)
{
	int error = READ_ONCE(req->error);

	return error ?: req->bytes;
}

/* The result travels in the entry itself; the request is gone already. */
static void uring_end(struct io_uring_cmd *ioucmd, unsigned int issue_flags)
{
	exo_uring_done(ioucmd, *(s32 *)ioucmd->pdu, issue_flags);
}

static void waiter_leave(struct exo_request *req)
{
	if (refcount_dec_and_test(&req->owners))
		request_free(req);
}

static void end_cq(struct exo_request *req)
{
	struct exo_cq *cq = req->cq;

	exo_cq_complete(cq, req->user_data, request_result(req));
	request_free(req);
	exo_object_put_atomic(&cq->obj);
}

static void end_wait(struct exo_request *req)
{
	req->res = request_result(req);
	complete(&req->done);
	waiter_leave(req);
}

static void end_uring(struct exo_request *req)
{
	struct io_uring_cmd *ioucmd = req->ioucmd;

	*(s32 *)ioucmd->pdu = request_result(req);
	request_free(req);
	exo_uring_in_task(ioucmd, uring_end);
}

/*
 * All bios are done and the submitter has let go. What was pinned is free
 * before anybody is told, so that a delete after a completion finds no I/O.
 */
static void request_end(struct exo_request *req)
{
	unpin(req->extent, req->frame);
	switch (req->kind) {
	case REQUEST_CQ:
		end_cq(req);
		break;
	case REQUEST_WAIT:
		end_wait(req);
		break;
	case REQUEST_URING:
		end_uring(req);
		break;
	}
	this_cpu_dec(nr_io);
}

static void request_bio_end(struct bio *bio)
{
	struct exo_request *req = bio->bi_private;

	if (bio->bi_status)
		cmpxchg(&req->error, 0, blk_status_to_errno(bio->bi_status));
	if (bio != &req->bio)
		bio_put(bio);
	if (atomic_dec_and_test(&req->pending))
		request_end(req);
}

/* Issue ---------------------------------------------------------------- */

/* Pages that follow each other in memory from page @done of the operation. */
static struct page *op_run(const struct io_op *op, u32 done, u32 *nr_pages)
{
	const struct exo_pages *pages;
	u32 index, left;

	if (!op->frame) {
		*nr_pages = 1;
		return ZERO_PAGE(0);
	}
	pages = op->frame->pages;
	index = op->frame_page + done;
	left = (1U << pages->order) - (index & ((1U << pages->order) - 1));
	*nr_pages = min(left, op->nr_blocks - done);
	return exo_pages_page(pages, index);
}

/* Segments that the pages from @done on need, at most; 0 without pages. */
static u32 op_segments(const struct io_op *op, u32 done)
{
	u32 order = op->frame ? op->frame->pages->order : 0;
	u32 first = op->frame_page + done;
	u32 last = op->frame_page + op->nr_blocks - 1;

	if (!op->pages)
		return 0;
	return (last >> order) - (first >> order) + 1;
}

static unsigned short op_vecs(const struct io_op *op, u32 done)
{
	return min_t(u32, op_segments(op, done), BIO_MAX_VECS);
}

/* Return: blocks that the bio covers. */
static u32 bio_fill(struct bio *bio, const struct io_op *op, u32 done)
{
	u32 nr_pages, begin = done;
	struct page *page;

	bio->bi_iter.bi_sector = exo_block_sector(op->block + done);
	bio->bi_ioprio = get_current_ioprio();
	if (!op->pages) {
		bio->bi_iter.bi_size = (op->nr_blocks - done) *
				       EXO_BLOCK_BYTES;
		return op->nr_blocks - done;
	}
	while (done < op->nr_blocks) {
		page = op_run(op, done, &nr_pages);
		if (!bio_add_page(bio, page, nr_pages << PAGE_SHIFT, 0))
			break;
		done += nr_pages;
	}
	return done - begin;
}

/* On success what @op pins belongs to the request. NULL only without wait. */
static struct exo_request *request_new(const struct io_op *op,
				       enum request_kind kind, gfp_t gfp)
{
	struct exo_request *req;
	struct bio *bio;

	bio = bio_alloc_bioset(op->bdev, op_vecs(op, 0), op->opf, gfp,
			       &requests);
	if (!bio)
		return NULL;
	req = container_of(bio, struct exo_request, bio);
	req->extent = op->extent;
	req->frame = op->frame;
	req->kind = kind;
	req->bytes = op->nr_blocks * EXO_BLOCK_BYTES;
	req->error = 0;
	atomic_set(&req->pending, 1);
	this_cpu_inc(nr_io);
	return req;
}

/*
 * Submit the bios. Each is submitted before the next is allocated, so that a
 * pool that ran dry fills again. The submitter keeps its own count in pending:
 * bios may be done before submit_bio() returns.
 */
static void request_issue(struct exo_request *req, const struct io_op *op)
{
	struct bio *bio = &req->bio;
	u32 done = 0;

	for (;;) {
		bio->bi_private = req;
		bio->bi_end_io = request_bio_end;
		done += bio_fill(bio, op, done);
		if (op_is_write(op->opf))
			task_io_account_write(bio->bi_iter.bi_size);
		atomic_inc(&req->pending);
		submit_bio(bio);
		if (done == op->nr_blocks)
			break;
		bio = bio_alloc(op->bdev, op_vecs(op, done), op->opf,
				GFP_KERNEL);
	}
}

/* Return: true if all is done already; then the caller ends the request. */
static bool request_let_go(struct exo_request *req)
{
	return atomic_dec_and_test(&req->pending);
}

/* Batches -------------------------------------------------------------- */

/*
 * Copy up to @nr entries of @stride bytes, as many as can be read at once.
 * Return: how many, or -EFAULT, or -E2BIG for bytes that are not known here.
 */
static int load_chunk(struct exo_io *ios, u64 array, u32 stride, u32 nr)
{
	const void __user *user = u64_to_user_ptr(array);
	int rc;

	if (stride == sizeof(*ios) &&
	    !copy_from_user(ios, user, nr * sizeof(*ios)))
		return nr;
	rc = copy_struct_from_user(ios, sizeof(*ios), user, stride);
	return rc ?: 1;
}

static int submit_one(struct exo_env *env, struct exo_cq *cq,
		      const struct exo_io *io, u32 stride)
{
	struct exo_request *req;
	struct io_op op;
	int rc;

	if (io->size != stride)
		return -EINVAL;
	rc = decode(env, io, &op);
	if (rc)
		return rc;
	req = request_new(&op, REQUEST_CQ, GFP_KERNEL);
	exo_object_hold(&cq->obj);
	req->cq = cq;
	req->user_data = io->user_data;
	request_issue(req, &op);
	if (request_let_go(req))
		request_end(req);
	return 0;
}

/* Room for @nr completions is reserved. Return: as the last one submitted. */
static int submit_batch(struct exo_env *env, struct exo_cq *cq, u64 array,
			u32 stride, u32 nr, u32 *accepted)
{
	struct exo_io ios[CHUNK];
	int i, loaded, rc;

	while (*accepted < nr) {
		if (fatal_signal_pending(current))
			return -EINTR;
		loaded = load_chunk(ios, array + (u64)*accepted * stride,
				    stride, min_t(u32, nr - *accepted, CHUNK));
		if (loaded < 0)
			return loaded;
		for (i = 0; i < loaded; i++) {
			rc = submit_one(env, cq, &ios[i], stride);
			if (rc)
				return rc;
			++*accepted;
		}
		cond_resched();
	}
	return 0;
}

/* All entries of an array have the size that the first one says. */
static int load_stride(u64 array, u32 *stride)
{
	if (get_user(*stride, (u32 __user *)u64_to_user_ptr(array)))
		return -EFAULT;
	if (*stride < offsetofend(struct exo_io, user_data))
		return -EINVAL;
	return *stride > PAGE_SIZE ? -E2BIG : 0;
}

/**
 * exo_io_submit() - EXO_CMD_IO_SUBMIT
 * @cmd: struct exo_io_submit
 *
 * Context: sleeps. Return: 0 if at least one operation was accepted; -EINVAL
 * count or size of an entry; -EFAULT; -EAGAIN the ring is full; else the error
 * of the first operation: see exo_io_wait().
 */
int exo_io_submit(struct exo_command *cmd)
{
	struct exo_io_submit *arg = cmd->arg;
	u32 stride, room, accepted = 0;
	struct blk_plug plug;
	struct exo_cq *cq;
	int rc;

	arg->out_nr = 0;
	arg->out_reserved = 0;
	if (!arg->nr || arg->nr > EXO_MAX_IO)
		return -EINVAL;
	cq = exo_cq_get(cmd->env, arg->cq);
	if (IS_ERR(cq))
		return PTR_ERR(cq);
	rc = load_stride(arg->array, &stride);
	if (rc)
		goto out;
	room = exo_cq_reserve(cq, arg->nr);
	rc = room ? 0 : -EAGAIN;
	blk_start_plug(&plug);
	if (room)
		rc = submit_batch(cmd->env, cq, arg->array, stride, room,
				  &accepted);
	blk_finish_plug(&plug);
	exo_cq_unreserve(cq, room - accepted);
	arg->out_nr = accepted;
out:
	exo_object_put(&cq->obj);
	return accepted ? 0 : rc;
}

/* Single operations ---------------------------------------------------- */

/**
 * exo_io_wait() - EXO_CMD_IO by ioctl
 * @cmd: struct exo_io
 *
 * A fatal signal ends the wait, not the operation.
 *
 * Context: sleeps until the device is done. Return: bytes moved; -EINVAL op,
 * flags, range or reserved; -EOVERFLOW; -ENOENT, -EBADF handles; -EACCES;
 * -ESTALE the extent was deleted; -EOPNOTSUPP unknown flag, or DISCARD on a
 * device that cannot; -EINTR; the device's error.
 */
int exo_io_wait(struct exo_command *cmd)
{
	struct exo_request *req;
	struct io_op op;
	int rc;

	rc = decode(cmd->env, cmd->arg, &op);
	if (rc)
		return rc;
	req = request_new(&op, REQUEST_WAIT, GFP_KERNEL);
	init_completion(&req->done);
	refcount_set(&req->owners, 2);
	request_issue(req, &op);
	if (request_let_go(req))
		request_end(req);
	rc = wait_for_completion_killable(&req->done);
	if (!rc)
		rc = req->res;
	else
		rc = -EINTR;
	waiter_leave(req);
	return rc;
}

static int load_io(struct exo_io *io, const void __user *arg)
{
	u32 bytes;

	if (get_user(bytes, (u32 __user *)arg))
		return -EFAULT;
	if (bytes < offsetofend(struct exo_io, user_data))
		return -EINVAL;
	if (bytes > PAGE_SIZE)
		return -E2BIG;
	return copy_struct_from_user(io, sizeof(*io), arg, bytes);
}

/* Can this be submitted without sleeping? One bio, and a willing device. */
static bool op_may_nowait(const struct io_op *op)
{
	return op_segments(op, 0) <= BIO_MAX_VECS && bdev_nowait(op->bdev);
}

/* All was done before the submitter let go: no task work is needed. */
static int uring_end_inline(struct exo_request *req, unsigned int issue_flags)
{
	struct io_uring_cmd *ioucmd = req->ioucmd;
	s32 res = request_result(req);

	unpin(req->extent, req->frame);
	request_free(req);
	this_cpu_dec(nr_io);
	/* Also -EAGAIN of a bio that would have slept: io_uring tries again. */
	if (res <= 0)
		return res;
	exo_uring_done(ioucmd, res, issue_flags);
	return -EIOCBQUEUED;
}

static int uring_issue(struct io_op *op, struct io_uring_cmd *ioucmd,
		       unsigned int issue_flags)
{
	bool nowait = issue_flags & IO_URING_F_NONBLOCK;
	struct exo_request *req = NULL;

	if (!nowait || op_may_nowait(op)) {
		if (nowait)
			op->opf |= REQ_NOWAIT;
		req = request_new(op, REQUEST_URING,
				  nowait ? GFP_NOWAIT : GFP_KERNEL);
	}
	if (!req) {
		op_drop(op);
		return -EAGAIN;
	}
	req->ioucmd = ioucmd;
	request_issue(req, op);
	if (request_let_go(req))
		return uring_end_inline(req, issue_flags);
	return -EIOCBQUEUED;
}

/**
 * exo_io_uring() - EXO_CMD_IO by io_uring
 * @env: the env of the entry's file
 * @ioucmd: the entry; io_uring holds the file, and so @env, until it is done
 * @arg: user pointer to struct exo_io, unchecked
 * @issue_flags: IO_URING_F_*
 *
 * Context: sleeps unless IO_URING_F_NONBLOCK. Return: -EIOCBQUEUED: the entry
 * is ended here, exactly once; -EAGAIN: to be called again where it may sleep;
 * else the result, as exo_io_wait(), which io_uring passes on.
 */
int exo_io_uring(struct exo_env *env, struct io_uring_cmd *ioucmd,
		 const void __user *arg, unsigned int issue_flags)
{
	struct exo_io io;
	struct io_op op;
	int rc;

	rc = load_io(&io, arg);
	if (!rc)
		rc = decode(env, &io, &op);
	return rc ?: uring_issue(&op, ioucmd, issue_flags);
}
