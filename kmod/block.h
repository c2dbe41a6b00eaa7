/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Block: synchronous access to the blocks of a device, for the module's own
 * metadata and for zeroing. Not used for the I/O of libraries (io.c).
 */
#ifndef EXO_KMOD_BLOCK_H
#define EXO_KMOD_BLOCK_H

#include <linux/blkdev.h>

#include <linux/exo.h>

#define EXO_BLOCK_SECTORS	(EXO_BLOCK_BYTES >> SECTOR_SHIFT)

static inline sector_t exo_block_sector(u64 block)
{
	return block * EXO_BLOCK_SECTORS;
}

int exo_block_read(struct block_device *bdev, u64 block, void *buf);
int exo_block_write_stable(struct block_device *bdev, u64 block, void *buf);
int exo_block_zero(struct block_device *bdev, u64 block, u64 nr_blocks);

#endif /* EXO_KMOD_BLOCK_H */
