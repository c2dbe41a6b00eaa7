// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Block I/O as io_uring commands (IORING_OP_URING_CMD, EXO_CMD_IO).
 *
 * Each operation has a slot that holds its struct exo_io until it completes.
 * The ring that <exo/io.h> reads is ordinary memory here; exo_cq_reap() moves
 * what io_uring has into it. Slots in flight and entries unconsumed together
 * never exceed nr_entries, so neither ring overflows.
 */
#include <errno.h>
#include <liburing.h>
#include <stdlib.h>
#include <string.h>

#include "io_uring.h"
#include "sys.h"

/**
 * struct exo_cq_uring - the io_uring behind a cq
 * @ring: liburing's
 * @slots: nr_entries operations
 * @free: stack of unused slots
 * @nr_free: its height
 */
struct exo_cq_uring {
	struct io_uring ring;
	struct exo_io *slots;
	__u32 *free;
	__u32 nr_free;
};

static void uring_free(struct exo_cq_uring *u)
{
	free(u->slots);
	free(u->free);
	free(u);
}

static struct exo_cq_uring *uring_alloc(__u32 nr_entries)
{
	struct exo_cq_uring *u = calloc(1, sizeof(*u));
	__u32 i;

	if (!u)
		return NULL;
	u->slots = calloc(nr_entries, sizeof(*u->slots));
	u->free = calloc(nr_entries, sizeof(*u->free));
	if (!u->slots || !u->free) {
		uring_free(u);
		return NULL;
	}
	for (i = 0; i < nr_entries; i++)
		u->free[i] = nr_entries - 1 - i;
	u->nr_free = nr_entries;
	return u;
}

int exo_cq_uring_create(struct exo_env *env, __u32 nr_entries,
			struct exo_cq *cq)
{
	struct exo_cq_uring *u = uring_alloc(nr_entries);
	size_t bytes = EXO_CQ_ENTRIES_OFFSET +
		       nr_entries * sizeof(struct exo_cqe);
	void *mem = calloc(1, bytes);
	int rc = -ENOMEM;

	if (!u || !mem)
		goto err_free;
	rc = env->sys->uring_init(env->sys, nr_entries, &u->ring, 0);
	if (rc)
		goto err_free;
	*cq = (struct exo_cq) {
		.env = env,
		.ring = mem,
		.entries = (void *)((char *)mem + EXO_CQ_ENTRIES_OFFSET),
		.uring = u,
		.bytes = bytes,
		.nr_entries = nr_entries,
	};
	return 0;

err_free:
	if (u)
		uring_free(u);
	free(mem);
	return rc;
}

int exo_cq_uring_fd(const struct exo_cq *cq)
{
	return cq->uring->ring.ring_fd;
}

/* -EAGAIN and the like leave the entries queued for the next call. */
static int uring_flush(struct exo_cq_uring *u)
{
	int rc = io_uring_submit(&u->ring);

	return rc == -EAGAIN || rc == -EBUSY || rc == -EINTR || rc > 0 ? 0 : rc;
}

void exo_cq_reap(struct exo_cq *cq)
{
	struct exo_cq_uring *u = cq->uring;
	struct io_uring_cqe *cqe;
	__u32 prod = cq->ring->prod, slot;
	struct exo_cqe *out;

	if (io_uring_sq_ready(&u->ring))
		uring_flush(u);
	while (!io_uring_peek_cqe(&u->ring, &cqe)) {
		slot = (__u32)cqe->user_data;
		out = &cq->entries[prod++ & (cq->nr_entries - 1)];
		out->user_data = u->slots[slot].user_data;
		out->res = cqe->res;
		out->flags = 0;
		u->free[u->nr_free++] = slot;
		io_uring_cqe_seen(&u->ring, cqe);
	}
	cq->ring->prod = prod;
}

void exo_cq_uring_destroy(struct exo_cq *cq)
{
	struct exo_cq_uring *u = cq->uring;
	struct io_uring_cqe *cqe;
	int rc = 0;

	uring_flush(u);
	while (u->nr_free < cq->nr_entries && (!rc || rc == -EINTR)) {
		rc = io_uring_wait_cqe(&u->ring, &cqe);
		exo_cq_reap(cq);
	}
	cq->env->sys->uring_exit(cq->env->sys, &u->ring);
	uring_free(u);
	free(cq->ring);
	cq->uring = NULL;
	cq->ring = NULL;
}

static void uring_prep(struct exo_cq *cq, const struct exo_io *io,
		       struct io_uring_sqe *sqe)
{
	struct exo_cq_uring *u = cq->uring;
	__u32 slot = u->free[--u->nr_free];
	struct exo_uring_cmd payload = {
		.arg = (uintptr_t)&u->slots[slot],
	};

	u->slots[slot] = *io;
	io_uring_prep_rw(IORING_OP_URING_CMD, sqe, cq->env->fd, NULL, 0, 0);
	sqe->cmd_op = EXO_CMD_IO;
	memcpy(sqe->cmd, &payload, sizeof(payload));
	sqe->user_data = slot;
}

int exo_cq_uring_submit(struct exo_cq *cq, const struct exo_io *io, __u32 nr)
{
	struct exo_cq_uring *u = cq->uring;
	__u32 unread = exo_cq_ready(cq), done;
	struct io_uring_sqe *sqe;
	int rc;

	for (done = 0; done < nr && u->nr_free > unread; done++) {
		sqe = io_uring_get_sqe(&u->ring);
		if (!sqe)
			break;
		uring_prep(cq, &io[done], sqe);
	}
	rc = uring_flush(u);
	if (rc < 0)
		return rc;
	return done ? (int)done : -EAGAIN;
}
