// SPDX-License-Identifier: GPL-2.0
/*
 * Request: see request.h. One allocation holds the request and its first bio;
 * operations of many pages have more bios.
 */
#include <linux/blkdev.h>
#include <linux/delay.h>
#include <linux/ioprio.h>
#include <linux/percpu.h>
#include <linux/task_io_accounting_ops.h>

#include "block.h"
#include "command.h"
#include "compat/uring.h"
#include "disk.h"
#include "request.h"

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

/* Context: any. The extent goes last: it holds record and disk. */
static void unpin(struct exo_extent *extent, struct exo_frame *frame)
{
	exo_record_end_io(extent->record);
	if (frame)
		exo_object_put_atomic(&frame->obj);
	exo_object_put_atomic(&extent->obj);
}

/**
 * exo_io_op_drop() - undo what decoding pinned
 * @op: an operation that no request was made of
 *
 * Context: any.
 */
void exo_io_op_drop(struct exo_io_op *op)
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

EXO_URING_TASK_FN(uring_end_in_task, uring_end)

/**
 * exo_request_leave() - one of waiter and device needs the request no more
 * @req: an EXO_REQUEST_WAIT
 *
 * Context: any.
 */
void exo_request_leave(struct exo_request *req)
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
	exo_request_leave(req);
}

static void end_uring(struct exo_request *req)
{
	struct io_uring_cmd *ioucmd = req->ioucmd;

	*(s32 *)ioucmd->pdu = request_result(req);
	request_free(req);
	io_uring_cmd_complete_in_task(ioucmd, uring_end_in_task);
}

/*
 * A bio that does not sleep may be told late that it would have to: a stacked
 * device has split it and waits for the other half, or a cgroup's limit has held
 * it back. Nobody else knows then, io_uring least of all.
 */
static bool would_have_slept(const struct exo_request *req)
{
	return req->kind == EXO_REQUEST_URING && req->error == -EAGAIN &&
	       (req->again.opf & REQ_NOWAIT);
}

/* Task work of the submitter, which may sleep. It has one bio, as before. */
static void uring_again(struct io_uring_cmd *ioucmd, unsigned int issue_flags)
{
	struct exo_request *req = *(struct exo_request **)ioucmd->pdu;

	req->again.opf &= ~REQ_NOWAIT;
	bio_reset(&req->bio, req->again.bdev, req->again.opf);
	req->error = 0;
	atomic_set(&req->pending, 1);
	exo_request_issue(req, &req->again);
	if (exo_request_let_go(req))
		exo_request_end(req);
}

EXO_URING_TASK_FN(uring_again_in_task, uring_again)

static void issue_again(struct exo_request *req)
{
	*(struct exo_request **)req->ioucmd->pdu = req;
	io_uring_cmd_complete_in_task(req->ioucmd, uring_again_in_task);
}

/**
 * exo_request_end() - all bios are done and the submitter has let go
 * @req: the request; not to be touched afterwards
 *
 * What was pinned is free before anybody is told, so that a delete after a
 * completion finds no I/O. What was issued by io_uring, and would have slept, is
 * issued once more instead.
 *
 * Context: any, interrupts included.
 */
void exo_request_end(struct exo_request *req)
{
	if (would_have_slept(req)) {
		issue_again(req);
		return;
	}
	unpin(req->extent, req->frame);
	switch (req->kind) {
	case EXO_REQUEST_CQ:
		end_cq(req);
		break;
	case EXO_REQUEST_WAIT:
		end_wait(req);
		break;
	case EXO_REQUEST_URING:
		end_uring(req);
		break;
	}
	this_cpu_dec(nr_io);
}

/**
 * exo_request_end_quietly() - the same, where the caller tells
 * @req: an EXO_REQUEST_URING that was done before its submitter let go
 *
 * Context: any. Return: bytes moved, or a negative errno.
 */
s32 exo_request_end_quietly(struct exo_request *req)
{
	s32 res = request_result(req);

	unpin(req->extent, req->frame);
	request_free(req);
	this_cpu_dec(nr_io);
	return res;
}

static void request_bio_end(struct bio *bio)
{
	struct exo_request *req = bio->bi_private;

	if (bio->bi_status)
		cmpxchg(&req->error, 0, blk_status_to_errno(bio->bi_status));
	if (bio != &req->bio)
		bio_put(bio);
	if (atomic_dec_and_test(&req->pending))
		exo_request_end(req);
}

/* Issue ---------------------------------------------------------------- */

/* Pages that follow each other in memory from page @done of the operation. */
static struct page *op_run(const struct exo_io_op *op, u32 done, u32 *nr_pages)
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
static u32 op_segments(const struct exo_io_op *op, u32 done)
{
	u32 order = op->frame ? op->frame->pages->order : 0;
	u32 first = op->frame_page + done;
	u32 last = op->frame_page + op->nr_blocks - 1;

	if (!op->pages)
		return 0;
	return (last >> order) - (first >> order) + 1;
}

static unsigned short op_vecs(const struct exo_io_op *op, u32 done)
{
	return min_t(u32, op_segments(op, done), BIO_MAX_VECS);
}

/* Return: blocks that the bio covers. */
static u32 bio_fill(struct bio *bio, const struct exo_io_op *op, u32 done)
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

/**
 * exo_request_new() - make a request of an operation
 * @op: the operation; what it pins belongs to the request then
 * @kind: who is told; the caller sets the members of the union for it
 * @gfp: GFP_KERNEL, or GFP_NOWAIT
 *
 * Context: as @gfp says. Return: the request; NULL never with GFP_KERNEL, the
 * pool of bios guarantees it.
 */
struct exo_request *exo_request_new(const struct exo_io_op *op,
				    enum exo_request_kind kind, gfp_t gfp)
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

/**
 * exo_request_issue() - submit the bios
 * @req: from exo_request_new()
 * @op: the same operation
 *
 * Each is submitted before the next is allocated, so that a pool that ran dry
 * fills again. The submitter keeps its own count in pending: bios may be done
 * before submit_bio() returns.
 *
 * Context: sleeps, unless exo_io_op_may_nowait() and REQ_NOWAIT; no lock may be
 * held: some drivers complete at once.
 */
void exo_request_issue(struct exo_request *req, const struct exo_io_op *op)
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

/**
 * exo_io_op_may_nowait() - can this be submitted without sleeping?
 * @op: the operation
 *
 * Return: true if one bio is enough and the driver can say that it would sleep.
 */
bool exo_io_op_may_nowait(const struct exo_io_op *op)
{
	return op_segments(op, 0) <= BIO_MAX_VECS && bdev_nowait(op->bdev);
}
