/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Disk: a block device that the administrator donated.
 *
 * The device is open, and claimed exclusively, while the disk is attached; the
 * memory lives on until the last record of an extent is gone. A disk leaves
 * only when no extent is open, and waits for I/O in flight.
 *
 * Locks, outermost first: the catalogue's write_lock (held across the write of
 * a slot); the table of disks; a disk's lock. None is held across other I/O or
 * user copies.
 */
#ifndef EXO_KMOD_DISK_H
#define EXO_KMOD_DISK_H

#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/wait.h>

#include "catalogue.h"
#include "compat/bdev.h"
#include "label.h"

/**
 * struct exo_disk - an attached disk
 * @refs: the table of disks, records, commands at work
 * @id: what libraries call it
 * @claim: the device
 * @geometry: what the label says
 * @lock: guards all below but the path, and the catalogue's trees
 * @catalogue: the extents
 * @grants: who may create extents
 * @nr_open: open handles and commands at work on its extents
 * @leaving: being detached: nothing new may begin
 * @wait: where detaching sleeps
 * @path: name of the device
 */
struct exo_disk {
	struct kref refs;
	u32 id;
	struct exo_bdev claim;
	struct exo_geometry geometry;
	struct mutex lock;
	struct exo_catalogue catalogue;
	struct list_head grants;
	u32 nr_open;
	bool leaving;
	wait_queue_head_t wait;
	char path[EXO_NAME_BYTES];
};

struct exo_disk *exo_disk_get(u32 id);
void exo_disk_put(struct exo_disk *disk);
void exo_disk_drop_grants(struct exo_disk *disk);
int __exo_disk_check_grant(struct exo_disk *disk, kuid_t uid, u64 nr_blocks);
void exo_disk_complain(struct block_device *bdev, u64 block,
		       const char *where, const struct exo_flaw *flaw);

/**
 * exo_disk_hold() - take another reference on a disk already held
 * @disk: the disk
 */
static inline void exo_disk_hold(struct exo_disk *disk)
{
	kref_get(&disk->refs);
}

/**
 * exo_record_end_io() - an operation is done
 * @record: the extent, pinned by the caller until after the call
 *
 * wq_has_sleeper()'s full barrier pairs with the one in set_current_state() of
 * a detach that looks at nr_io after it queued itself.
 *
 * Context: any, interrupts included.
 */
static inline void exo_record_end_io(struct exo_record *record)
{
	atomic_dec(&record->nr_io);
	if (wq_has_sleeper(&record->disk->wait))
		wake_up(&record->disk->wait);
}

#endif /* EXO_KMOD_DISK_H */
