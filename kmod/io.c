// SPDX-License-Identifier: GPL-2.0
/*
 * I/O: block operations between extents and frames.
 *
 *	decode	copy of the library's struct -> struct exo_io_op; all checks;
 *		pins extent and frame, counts the operation in the record
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
#include <linux/blkdev.h>
#include <linux/nospec.h>
#include <linux/overflow.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include <linux/exo.h>

#include "check.h"
#include "command.h"
#include "compat/uring.h"
#include "disk.h"
#include "io.h"
#include "request.h"

/* Entries of a batch that are copied at once. */
#define CHUNK	8

/**
 * struct io_kind - what an operation is made of; by EXO_IO_*
 * @opf: for the bio
 * @rights: the extent handle needs one of these
 * @frame_rights: the frame handle needs this
 * @flags: EXO_IO_F_* it may have
 * @range: has blocks
 * @frame: has a frame
 */
struct io_kind {
	blk_opf_t opf;
	u32 rights;
	u32 frame_rights;
	u32 flags;
	bool range;
	bool frame;
};

static const struct io_kind io_kinds[] = {
	[EXO_IO_READ] = {
		.opf = REQ_OP_READ, .rights = EXO_RIGHT_READ,
		.frame_rights = EXO_RIGHT_WRITE,
		.range = true, .frame = true,
	},
	[EXO_IO_WRITE] = {
		.opf = REQ_OP_WRITE | REQ_SYNC | REQ_IDLE,
		.rights = EXO_RIGHT_WRITE, .frame_rights = EXO_RIGHT_READ,
		.flags = EXO_IO_F_FUA,
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

/* Decode --------------------------------------------------------------- */

/**
 * struct lookups - where handles are looked up; a chunk keeps what it found
 * @env: the caller's env
 * @extent: last extent found, a reference, or NULL
 * @frame: last frame found, a reference, or NULL
 * @extent_handle: its handle
 * @frame_handle: its handle
 * @extent_scope: what the handle covers of it
 * @frame_scope: likewise
 *
 * Operations mostly name the same two objects. A handle that is closed or
 * revoked meanwhile stays good until the end of the chunk, as if that had come
 * a little later; not longer, for between chunks the caller's memory is read,
 * which the caller can make last.
 */
struct lookups {
	struct exo_env *env;
	struct exo_extent *extent;
	struct exo_frame *frame;
	u32 extent_handle;
	u32 frame_handle;
	struct exo_scope extent_scope;
	struct exo_scope frame_scope;
};

static void lookups_end(struct lookups *found)
{
	if (found->extent)
		exo_object_put(&found->extent->obj);
	if (found->frame)
		exo_object_put(&found->frame->obj);
	found->extent = NULL;
	found->frame = NULL;
}

/* Return: a reference for the caller, or ERR_PTR as exo_extent_get(). */
static struct exo_extent *find_extent(struct lookups *found, u32 handle)
{
	struct exo_extent *extent = found->extent;
	struct exo_scope scope;

	if (!extent || found->extent_handle != handle) {
		extent = exo_extent_get(found->env, handle, 0, &scope);
		if (IS_ERR(extent))
			return extent;
		if (found->extent)
			exo_object_put(&found->extent->obj);
		found->extent = extent;
		found->extent_handle = handle;
		found->extent_scope = scope;
	}
	exo_object_hold(&extent->obj);
	return extent;
}

/* Return: a reference for the caller, or ERR_PTR as exo_frame_get(). */
static struct exo_frame *find_frame(struct lookups *found, u32 handle)
{
	struct exo_frame *frame = found->frame;
	struct exo_scope scope;

	if (!frame || found->frame_handle != handle) {
		frame = exo_frame_get(found->env, handle, 0, &scope);
		if (IS_ERR(frame))
			return frame;
		if (found->frame)
			exo_object_put(&found->frame->obj);
		found->frame = frame;
		found->frame_handle = handle;
		found->frame_scope = scope;
	}
	exo_object_hold(&frame->obj);
	return frame;
}

/* What can be judged without knowing the objects. */
static int decode_shape(const struct exo_io *io, struct io_kind *kind)
{
	u32 op = io->op;

	/* First, as the dispatcher does: by io_uring there is none before us. */
	if (!EXO_CHECK(io_flags_known, !(io->flags & ~EXO_IO_F_FUA)))
		return -EOPNOTSUPP;
	if (!EXO_CHECK(io_op_some, op) ||
	    !EXO_CHECK(io_op_known, op < ARRAY_SIZE(io_kinds)) ||
	    !EXO_CHECK(io_reserved, !io->reserved))
		return -EINVAL;
	*kind = io_kinds[array_index_nospec(op, ARRAY_SIZE(io_kinds))];
	if (!EXO_CHECK(io_flags_kind, !(io->flags & ~kind->flags)))
		return -EINVAL;
	if (!kind->range &&
	    !EXO_CHECK(io_range_none, !io->block && !io->nr_blocks))
		return -EINVAL;
	if (kind->range &&
	    (!EXO_CHECK(io_blocks_some, io->nr_blocks) ||
	     !EXO_CHECK(io_blocks_max, io->nr_blocks <= EXO_MAX_IO_BLOCKS)))
		return -EINVAL;
	if (!kind->frame &&
	    !EXO_CHECK(io_frame_none, !io->frame && !io->frame_page))
		return -EINVAL;
	return 0;
}

/* One of the rights is enough. */
static int check_rights(struct lookups *found, u32 handle,
			const struct exo_scope *scope, u32 rights)
{
	struct exo_refusal_reason why = {
		.reason = EXO_REFUSED_RIGHTS, .want = rights,
		.have = scope->rights,
	};

	if (EXO_CHECK(io_rights, scope->rights & rights))
		return 0;
	return exo_env_refuse(found->env, handle, &why);
}

/* The blocks, inside what the extent's handle covers. */
static int decode_range(struct lookups *found, const struct exo_io *io,
			struct exo_io_op *op)
{
	const struct exo_scope *scope = &found->extent_scope;
	u64 end;

	if (!EXO_CHECK(io_block_wrap,
		       !check_add_overflow(io->block, (u64)io->nr_blocks, &end)))
		return -EOVERFLOW;
	if (!EXO_CHECK(io_block_range, end <= scope->nr))
		return exo_env_refuse_range(found->env, io->extent,
					    EXO_TYPE_EXTENT, end, scope->nr);
	op->block = op->extent->record->start + scope->start + io->block;
	op->nr_blocks = io->nr_blocks;
	return 0;
}

static int check_frame(struct lookups *found, const struct exo_io *io,
		       const struct io_kind *kind)
{
	const struct exo_scope *scope = &found->frame_scope;
	u32 end;
	int rc;

	rc = check_rights(found, io->frame, scope, kind->frame_rights);
	if (rc)
		return rc;
	if (!EXO_CHECK(io_page_wrap,
		       !check_add_overflow(io->frame_page, io->nr_blocks, &end)))
		return -EOVERFLOW;
	if (!EXO_CHECK(io_page_range, end <= scope->nr))
		return exo_env_refuse_range(found->env, io->frame,
					    EXO_TYPE_FRAME, end, scope->nr);
	return 0;
}

/* The pages, inside what the frame's handle covers. */
static int decode_frame(struct lookups *found, const struct exo_io *io,
			const struct io_kind *kind, struct exo_io_op *op)
{
	const struct exo_scope *scope = &found->frame_scope;
	struct exo_frame *frame = find_frame(found, io->frame);
	int rc;

	if (IS_ERR(frame))
		return PTR_ERR(frame);
	rc = check_frame(found, io, kind);
	if (rc) {
		exo_object_put(&frame->obj);
		return rc;
	}
	op->frame_page = scope->start +
			 array_index_nospec(io->frame_page, scope->nr);
	op->frame = frame;
	op->pages = true;
	return 0;
}

/*
 * What the device is asked to do. Write-zeroes that it does not know becomes
 * writes of the zero page.
 */
static int decode_device(const struct exo_io *io, const struct io_kind *kind,
			 struct exo_io_op *op)
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

static int decode_objects(struct lookups *found, const struct exo_io *io,
			  const struct io_kind *kind, struct exo_io_op *op)
{
	int rc;

	rc = check_rights(found, io->extent, &found->extent_scope,
			  kind->rights);
	if (!rc)
		rc = decode_range(found, io, op);
	if (!rc && kind->frame)
		rc = decode_frame(found, io, kind, op);
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

/* On success the caller ends with exo_io_op_drop(), or gives all to a request. */
static int decode(struct lookups *found, const struct exo_io *io,
		  struct exo_io_op *op)
{
	struct io_kind kind;
	int rc;

	memset(op, 0, sizeof(*op));
	rc = decode_shape(io, &kind);
	if (rc)
		return rc;
	op->extent = find_extent(found, io->extent);
	if (IS_ERR(op->extent))
		return PTR_ERR(op->extent);
	rc = decode_objects(found, io, &kind, op);
	if (rc)
		exo_object_put(&op->extent->obj);
	return rc;
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

static int submit_one(struct lookups *found, struct exo_cq *cq,
		      const struct exo_io *io, u32 stride)
{
	struct exo_request *req;
	struct exo_io_op op;
	int rc;

	if (!EXO_CHECK(batch_size, io->size == stride))
		return -EINVAL;
	rc = decode(found, io, &op);
	if (rc)
		return rc;
	req = exo_request_new(&op, EXO_REQUEST_CQ, GFP_KERNEL);
	exo_object_hold(&cq->obj);
	req->cq = cq;
	req->user_data = io->user_data;
	exo_request_issue(req, &op);
	if (exo_request_let_go(req))
		exo_request_end(req);
	return 0;
}

/* Room for @nr completions is reserved. Return: as the last one submitted. */
static int submit_batch(struct lookups *found, struct exo_cq *cq, u64 array,
			u32 stride, u32 nr, u32 *accepted)
{
	struct exo_io ios[CHUNK];
	int i, loaded, rc;

	while (*accepted < nr) {
		if (fatal_signal_pending(current))
			return -EINTR;
		/* Nothing is held while the caller's memory is read. */
		lookups_end(found);
		loaded = load_chunk(ios, array + (u64)*accepted * stride,
				    stride, min_t(u32, nr - *accepted, CHUNK));
		if (loaded < 0)
			return loaded;
		for (i = 0; i < loaded; i++) {
			rc = submit_one(found, cq, &ios[i], stride);
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
	if (!EXO_CHECK(batch_size_min,
		       *stride >= offsetofend(struct exo_io, user_data)))
		return -EINVAL;
	return EXO_CHECK(batch_size_max, *stride <= PAGE_SIZE) ? 0 : -E2BIG;
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
	struct lookups found = { .env = cmd->env };
	u32 stride, room, accepted = 0;
	struct blk_plug plug;
	struct exo_cq *cq;
	int rc;

	arg->out_nr = 0;
	arg->out_reserved = 0;
	if (!EXO_CHECK(batch_some, arg->nr) ||
	    !EXO_CHECK(batch_max, arg->nr <= EXO_MAX_IO))
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
		rc = submit_batch(&found, cq, arg->array, stride, room,
				  &accepted);
	blk_finish_plug(&plug);
	lookups_end(&found);
	exo_cq_unreserve(cq, room - accepted);
	arg->out_nr = accepted;
out:
	exo_object_put(&cq->obj);
	return accepted ? 0 : rc;
}

/* Single operations ---------------------------------------------------- */

static int decode_single(struct exo_env *env, const struct exo_io *io,
			 struct exo_io_op *op)
{
	struct lookups found = { .env = env };
	int rc = decode(&found, io, op);

	lookups_end(&found);
	return rc;
}

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
	struct exo_io_op op;
	int rc;

	rc = decode_single(cmd->env, cmd->arg, &op);
	if (rc)
		return rc;
	req = exo_request_new(&op, EXO_REQUEST_WAIT, GFP_KERNEL);
	init_completion(&req->done);
	refcount_set(&req->owners, 2);
	exo_request_issue(req, &op);
	if (exo_request_let_go(req))
		exo_request_end(req);
	rc = wait_for_completion_killable(&req->done);
	if (!rc)
		rc = req->res;
	else
		rc = -EINTR;
	exo_request_leave(req);
	return rc;
}

static int load_io(struct exo_io *io, const void __user *arg)
{
	u32 bytes;

	if (get_user(bytes, (u32 __user *)arg))
		return -EFAULT;
	if (!EXO_CHECK(io_size_min,
		       bytes >= offsetofend(struct exo_io, user_data)))
		return -EINVAL;
	if (!EXO_CHECK(io_size_max, bytes <= PAGE_SIZE))
		return -E2BIG;
	return copy_struct_from_user(io, sizeof(*io), arg, bytes);
}

/* All was done before the submitter let go: no task work is needed. */
static int uring_end_inline(struct exo_request *req, unsigned int issue_flags)
{
	struct io_uring_cmd *ioucmd = req->ioucmd;
	s32 res = exo_request_end_quietly(req);

	/*
	 * Also -EAGAIN of a bio that would have slept: io_uring tries again. If
	 * that is known only later, exo_request_end() does.
	 */
	if (res <= 0)
		return res;
	exo_uring_done(ioucmd, res, issue_flags);
	return -EIOCBQUEUED;
}

static int uring_issue(struct exo_io_op *op, struct io_uring_cmd *ioucmd,
		       unsigned int issue_flags)
{
	bool nowait = issue_flags & IO_URING_F_NONBLOCK;
	struct exo_request *req = NULL;

	if (!nowait || exo_io_op_may_nowait(op)) {
		if (nowait)
			op->opf |= REQ_NOWAIT;
		req = exo_request_new(op, EXO_REQUEST_URING,
				      nowait ? GFP_NOWAIT : GFP_KERNEL);
	}
	if (!req) {
		exo_io_op_drop(op);
		return -EAGAIN;
	}
	req->ioucmd = ioucmd;
	req->again = *op;
	exo_request_issue(req, op);
	if (exo_request_let_go(req))
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
	struct exo_io_op op;
	int rc;

	rc = load_io(&io, arg);
	if (!rc)
		rc = decode_single(env, &io, &op);
	return rc ?: uring_issue(&op, ioucmd, issue_flags);
}
