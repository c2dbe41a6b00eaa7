/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Catalogue: which extents are on a disk, in memory and on the device.
 *
 * On the device: slots of EXO_SLOT_ENTRIES entries, two equal copies, changed
 * one slot at a time (exo_disk.h). In memory: two trees of records, which never
 * overlap, and the image of each slot.
 *
 * Locks: the trees and the counts belong to the disk's lock, which the caller
 * holds (functions that begin with __). The images belong to write_lock, the
 * outermost lock of the disk half: it is held across the write of a slot, whose
 * completion takes no lock, and never together with the disk's lock.
 */
#ifndef EXO_KMOD_CATALOGUE_H
#define EXO_KMOD_CATALOGUE_H

#include <linux/blkdev.h>
#include <linux/kref.h>
#include <linux/mutex.h>
#include <linux/rbtree.h>
#include <linux/uidgid.h>

#include "check.h"
#include "label.h"

struct exo_disk;

/* exo_record.place of an extent that is in no slot yet. */
#define EXO_PLACE_NONE	U32_MAX

/**
 * struct exo_record - one extent, shared by all that have it open
 * @refs: the trees, each open handle's object, a command at work
 * @node: in the catalogue's tree by first block
 * @name_node: in its tree by owner and name
 * @disk: pinned
 * @start: first block
 * @nr_blocks: length
 * @generation: of the slot when it was created
 * @uid: owner
 * @gid: group
 * @mode: permission bits
 * @place: slot * EXO_SLOT_ENTRIES + entry
 * @state: EXO_ENTRY_*; EXO_ENTRY_WILL_FREE while it is being deleted
 * @nr_open: handles and commands at work
 * @nr_io: operations in flight; negative: no new ones may begin
 * @name: NUL-padded
 *
 * @state and @nr_open belong to the disk's lock, the rest does not change.
 */
struct exo_record {
	struct kref refs;
	struct rb_node node;
	struct rb_node name_node;
	struct exo_disk *disk;
	u64 start;
	u64 nr_blocks;
	u64 generation;
	kuid_t uid;
	kgid_t gid;
	u32 mode;
	u32 place;
	u32 state;
	u32 nr_open;
	atomic_t nr_io;
	u8 name[EXO_NAME_BYTES];
};

/**
 * struct exo_catalogue - of one disk
 * @bdev: the device
 * @geometry: the disk's
 * @write_lock: see above
 * @frozen: a write failed: what is on the device is not known for certain, so
 *          that nothing may change until the disk is attached again
 * @slots: what stands on the device
 * @copy: which of its two copies was found to count, for each slot
 * @apart: slots whose copies were found to differ, one bit each
 * @bounce: one block, to be written
 * @used: places taken, one bit each
 * @extents: the records by first block
 * @names: the records by owner, then name
 * @nr_extents: how many
 * @nr_used_blocks: blocks in all of them
 */
struct exo_catalogue {
	struct block_device *bdev;
	const struct exo_geometry *geometry;
	struct mutex write_lock;
	bool frozen;
	struct exo_slot *slots;
	u8 *copy;
	unsigned long *apart;
	struct exo_slot *bounce;
	unsigned long *used;
	struct rb_root extents;
	struct rb_root names;
	u32 nr_extents;
	u64 nr_used_blocks;
};

int exo_catalogue_load(struct exo_catalogue *cat, struct exo_disk *disk,
		       struct block_device *bdev,
		       const struct exo_geometry *geometry);
void exo_catalogue_free(struct exo_catalogue *cat);
int exo_catalogue_write(struct exo_catalogue *cat, struct exo_record *record,
			u32 state);
int exo_catalogue_zero(struct exo_catalogue *cat, struct exo_record *record);

struct exo_record *__exo_catalogue_find(struct exo_catalogue *cat, kuid_t uid,
					const u8 *name);
u64 __exo_catalogue_usage(struct exo_catalogue *cat, kuid_t uid);
int __exo_catalogue_insert(struct exo_catalogue *cat,
			   struct exo_record *record);
void __exo_catalogue_remove(struct exo_catalogue *cat,
			    struct exo_record *record);

/* The records by first block; the disk's lock is held. */
#define exo_for_each_record(record, cat)				\
	for (record = rb_entry_safe(rb_first(&(cat)->extents),		\
				    struct exo_record, node); record;	\
	     record = rb_entry_safe(rb_next(&record->node),		\
				    struct exo_record, node))

struct exo_record *exo_record_new(struct exo_disk *disk);
void exo_record_put(struct exo_record *record);

/**
 * exo_record_begin_io() - count an operation
 * @record: the extent
 *
 * Context: any. Return: false if none may begin any more (deleted, or the disk
 * is being detached).
 */
static inline bool exo_record_begin_io(struct exo_record *record)
{
	return EXO_CHECK(record_may_begin_io,
			 atomic_inc_unless_negative(&record->nr_io));
}

/**
 * exo_record_block_io() - let no operation begin, if none is in flight
 * @record: the extent
 *
 * Context: any. Return: true if so; undone by exo_record_allow_io().
 */
static inline bool exo_record_block_io(struct exo_record *record)
{
	return EXO_CHECK(record_in_flight,
			 !atomic_cmpxchg(&record->nr_io, 0, INT_MIN));
}

static inline void exo_record_allow_io(struct exo_record *record)
{
	atomic_set(&record->nr_io, 0);
}

#endif /* EXO_KMOD_CATALOGUE_H */
