// SPDX-License-Identifier: GPL-2.0
/* Block: see block.h. */
#include <linux/bio.h>
#include <linux/sched/signal.h>

#include "block.h"

/* Zeroing looks for a fatal signal after so many blocks (64 MiB). */
#define ZERO_STEP_BLOCKS	16384

static int block_rw(struct block_device *bdev, u64 block, void *buf,
		    blk_opf_t opf)
{
	struct bio_vec vec;
	struct bio bio;
	int rc;

	bio_init(&bio, bdev, &vec, 1, opf);
	bio.bi_iter.bi_sector = exo_block_sector(block);
	__bio_add_page(&bio, virt_to_page(buf), EXO_BLOCK_BYTES,
		       offset_in_page(buf));
	rc = submit_bio_wait(&bio);
	bio_uninit(&bio);
	return rc;
}

/**
 * exo_block_read() - read one block
 * @bdev: the device
 * @block: number, inside the device
 * @buf: EXO_BLOCK_BYTES in the kernel's direct map, page aligned
 *
 * Context: sleeps. Return: 0 or the device's error.
 */
int exo_block_read(struct block_device *bdev, u64 block, void *buf)
{
	return block_rw(bdev, block, buf, REQ_OP_READ | REQ_META | REQ_SYNC);
}

/**
 * exo_block_write_stable() - write one block after all that went before
 * @bdev: the device
 * @block: number, inside the device
 * @buf: EXO_BLOCK_BYTES in the kernel's direct map, page aligned
 *
 * On success this block, and whatever the device had completed before, is on
 * stable storage.
 *
 * Context: sleeps. Return: 0 or the device's error.
 */
int exo_block_write_stable(struct block_device *bdev, u64 block, void *buf)
{
	return block_rw(bdev, block, buf, REQ_OP_WRITE | REQ_META | REQ_SYNC |
			REQ_PREFLUSH | REQ_FUA);
}

/**
 * exo_block_zero() - let blocks read as zeroes
 * @bdev: the device
 * @block: first
 * @nr_blocks: how many; may be the whole device
 *
 * Not forced to stable storage: exo_block_write_stable() of the state does it.
 *
 * Context: sleeps, long. Return: 0; -EINTR fatal signal; the device's error.
 */
int exo_block_zero(struct block_device *bdev, u64 block, u64 nr_blocks)
{
	u64 step;
	int rc;

	for (; nr_blocks; block += step, nr_blocks -= step) {
		if (fatal_signal_pending(current))
			return -EINTR;
		step = min_t(u64, nr_blocks, ZERO_STEP_BLOCKS);
		rc = blkdev_issue_zeroout(bdev, exo_block_sector(block),
					  step * EXO_BLOCK_SECTORS,
					  GFP_KERNEL, 0);
		if (rc)
			return rc;
		cond_resched();
	}
	return 0;
}
