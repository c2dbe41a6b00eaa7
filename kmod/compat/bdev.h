/* SPDX-License-Identifier: GPL-2.0 */
/* Block devices: how one is claimed, which differs between kernels. */
#ifndef EXO_KMOD_COMPAT_BDEV_H
#define EXO_KMOD_COMPAT_BDEV_H

#include <linux/blkdev.h>
#include <linux/err.h>
#include <linux/version.h>

/**
 * struct exo_bdev - a claimed block device
 * @bdev: the device
 * @file: what keeps it open, where the kernel has a file for that
 */
struct exo_bdev {
	struct block_device *bdev;
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 9, 0)
	struct file *file;
#endif
};

/**
 * exo_bdev_claim() - open a device for reading and writing, exclusively
 * @claim: filled in
 * @dev: the device
 * @holder: whose claim it is
 *
 * Context: sleeps. Return: 0; -EBUSY mounted or claimed by another; what the
 * driver says.
 */
static inline int exo_bdev_claim(struct exo_bdev *claim, dev_t dev,
				 void *holder)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 9, 0)
	claim->file = bdev_file_open_by_dev(dev, BLK_OPEN_READ |
					    BLK_OPEN_WRITE | BLK_OPEN_EXCL,
					    holder, NULL);
	if (IS_ERR(claim->file))
		return PTR_ERR(claim->file);
	claim->bdev = file_bdev(claim->file);
#else
	claim->bdev = blkdev_get_by_dev(dev, FMODE_READ | FMODE_WRITE |
					FMODE_EXCL, holder);
	if (IS_ERR(claim->bdev))
		return PTR_ERR(claim->bdev);
#endif
	return 0;
}

/**
 * exo_bdev_release() - give a claimed device back
 * @claim: from exo_bdev_claim()
 *
 * Context: sleeps.
 */
static inline void exo_bdev_release(struct exo_bdev *claim)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 9, 0)
	bdev_fput(claim->file);
#else
	blkdev_put(claim->bdev, FMODE_READ | FMODE_WRITE | FMODE_EXCL);
#endif
}

#endif /* EXO_KMOD_COMPAT_BDEV_H */
