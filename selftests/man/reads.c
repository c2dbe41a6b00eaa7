// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * reads: random reads of 4 KiB, 32 at a time, for reads.sh to count.
 *
 *   reads linux FILE     by io_uring, O_DIRECT, registered buffers and file
 *   reads exo DISK       by EXO_CMD_IO_SUBMIT, from an extent that it makes
 *   reads uring DISK     the same by EXO_CMD_IO as io_uring commands
 *
 * The same blocks each time, all of the first 64 MiB. Counted between VM_MARK(1)
 * and VM_MARK(2), after ten rounds.
 */
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <exo/exo.h>

#include "../../tools/vm/mark.h"

#define DEPTH		32
#define BLOCK		4096
#define NR_BLOCKS	16384
#define WARM_ROUNDS	10
#define ROUNDS		1000

struct linux_io {
	struct io_uring ring;
	struct iovec iov[DEPTH];
};

struct exo_side {
	struct exo_env *env;
	struct exo_extent extent;
	struct exo_frame frame;
	struct exo_cq cq;
};

static __u32 next_block(void)
{
	static __u32 x = 2463534242U;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	return x % NR_BLOCKS;
}

/* Calls @round again and again, counting all but the first. */
static int repeat(int (*round)(void *), void *ctx)
{
	int i, rc = 0;

	for (i = 0; i < WARM_ROUNDS && !rc; i++)
		rc = round(ctx);
	VM_MARK(1);
	for (i = 0; i < ROUNDS && !rc; i++)
		rc = round(ctx);
	VM_MARK(2);
	return rc;
}

/* --------------------------------------------------------------- Linux */

static int linux_reap(struct linux_io *l)
{
	struct io_uring_cqe *cqe[DEPTH];
	unsigned int i, n, done;

	for (done = 0; done < DEPTH; done += n) {
		n = io_uring_peek_batch_cqe(&l->ring, cqe, DEPTH);
		for (i = 0; i < n; i++)
			if (cqe[i]->res != BLOCK)
				return -EIO;
		io_uring_cq_advance(&l->ring, n);
	}
	return 0;
}

static int linux_round(void *ctx)
{
	struct linux_io *l = ctx;
	struct io_uring_sqe *sqe;
	int i, rc;

	for (i = 0; i < DEPTH; i++) {
		sqe = io_uring_get_sqe(&l->ring);
		io_uring_prep_read_fixed(sqe, 0, l->iov[i].iov_base, BLOCK,
					 (__u64)next_block() * BLOCK, i);
		sqe->flags |= IOSQE_FIXED_FILE;
	}
	rc = io_uring_submit_and_wait(&l->ring, DEPTH);
	return rc == DEPTH ? linux_reap(l) : -EIO;
}

static int by_linux(const char *path)
{
	static struct linux_io l;
	int fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
	int i, rc;

	if (fd < 0)
		return -errno;
	for (i = 0; i < DEPTH; i++) {
		l.iov[i].iov_len = BLOCK;
		if (posix_memalign(&l.iov[i].iov_base, BLOCK, BLOCK))
			return -ENOMEM;
		memset(l.iov[i].iov_base, 1, BLOCK);
	}
	rc = io_uring_queue_init(DEPTH, &l.ring, 0);
	if (!rc)
		rc = io_uring_register_buffers(&l.ring, l.iov, DEPTH);
	if (!rc)
		rc = io_uring_register_files(&l.ring, &fd, 1);
	return rc ? rc : repeat(linux_round, &l);
}

/* ----------------------------------------------------------------- exo */

static int exo_reap(struct exo_cq *cq)
{
	int i, n, done;

	for (done = 0; done < DEPTH; done += n) {
		n = exo_io_wait(cq, -1);
		if (n < 0)
			return n;
		for (i = 0; i < n; i++)
			if (exo_cq_at(cq, i)->res != BLOCK)
				return -EIO;
		exo_cq_release(cq, n);
	}
	return 0;
}

static int exo_round(void *ctx)
{
	struct exo_side *x = ctx;
	struct exo_io io[DEPTH];
	int i, n;

	for (i = 0; i < DEPTH; i++)
		exo_io_prep_read(&io[i], &x->extent, next_block(), 1, &x->frame,
				 i, i);
	for (i = 0; i < DEPTH; i += n) {
		n = exo_io_submit(&x->cq, io + i, DEPTH - i);
		if (n < 0)
			return n;
	}
	return exo_reap(&x->cq);
}

static int by_exo(const char *which, __u32 flags)
{
	struct exo_disk_info disk;
	struct exo_side x;
	int rc;

	rc = exo_env_open(NULL, NULL, &x.env);
	if (!rc)
		rc = exo_disk_find(x.env, which, &disk);
	if (!rc)
		rc = exo_extent_create(x.env, &disk, "reads", NR_BLOCKS, 0600,
				       &x.extent);
	if (!rc)
		rc = exo_frame_alloc(x.env, DEPTH, 0, &x.frame);
	if (!rc)
		rc = exo_cq_create(x.env, DEPTH, flags, &x.cq);
	if (rc)
		return rc;
	rc = repeat(exo_round, &x);
	exo_cq_destroy(&x.cq);
	if (!rc)
		rc = exo_extent_delete(&x.extent);
	exo_env_close(x.env);
	return rc;
}

int main(int argc, char **argv)
{
	int rc = -EINVAL;

	if (argc == 3 && !strcmp(argv[1], "linux"))
		rc = by_linux(argv[2]);
	else if (argc == 3 && !strcmp(argv[1], "exo"))
		rc = by_exo(argv[2], 0);
	else if (argc == 3 && !strcmp(argv[1], "uring"))
		rc = by_exo(argv[2], EXO_CQ_F_URING);
	if (rc)
		fprintf(stderr, "reads: %s\n", strerror(-rc));
	return rc ? 1 : 0;
}
