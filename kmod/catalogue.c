// SPDX-License-Identifier: GPL-2.0
/*
 * Catalogue: reading it with distrust, searching it, changing it durably.
 *
 * A change is one block, with the next generation, written over the first copy
 * and then over the second, each after a flush and forced to stable storage. A
 * crash leaves the state before or after it, never a mixture: one copy is whole
 * all the time, and nothing relies on the change before both have it. So one of
 * them may rot later and nothing is lost. What a crash left apart is made equal
 * when the disk is attached.
 */
#include <linux/bitmap.h>
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "block.h"
#include "catalogue.h"
#include "check.h"
#include "disk.h"
#include "object.h"

/* Flaws of slot copies and entries, and where they were found. */
static void report(const struct exo_catalogue *cat, u64 block, u32 slot,
		   int entry, const struct exo_flaw *flaw)
{
	char where[32];

	if (entry < 0)
		scnprintf(where, sizeof(where), "slot %u", slot);
	else
		scnprintf(where, sizeof(where), "slot %u entry %d", slot,
			  entry);
	exo_disk_complain(cat->bdev, block, where, flaw);
}

static u64 copy_block(const struct exo_catalogue *cat, u32 slot, int copy)
{
	return cat->geometry->catalogue_start + 2ULL * slot + copy;
}

/*
 * Into the bounce block. A copy that cannot be read is not one that is torn: it
 * may be the newer one, and readable tomorrow, so that the older must not count.
 */
static int read_copy(struct exo_catalogue *cat, u32 slot, int copy)
{
	struct exo_flaw flaw = { .field = "error of reading", .want = "0" };
	int rc = exo_block_read(cat->bdev, copy_block(cat, slot, copy),
				cat->bounce);

	if (!rc)
		return 0;
	flaw.found = -rc;
	report(cat, copy_block(cat, slot, copy), slot, -1, &flaw);
	return rc;
}

/* A whole copy, in the bounce block: it counts unless the first one is newer. */
static void take_copy(struct exo_catalogue *cat, u32 slot, int copy, bool first)
{
	struct exo_slot *taken = &cat->slots[slot];

	if (!first) {
		if (EXO_CHECK(slot_agree, !memcmp(taken, cat->bounce,
						  sizeof(*taken))))
			return;
		__set_bit(slot, cat->apart);
		if (le64_to_cpu(cat->bounce->generation) <=
		    le64_to_cpu(taken->generation))
			return;
	}
	*taken = *cat->bounce;
	cat->copy[slot] = copy;
}

static int load_slot(struct exo_catalogue *cat, u32 slot)
{
	struct exo_flaw flaw[2];
	int copy, rc, nr_whole = 0;
	bool whole[2];

	for (copy = 0; copy < 2; copy++) {
		rc = read_copy(cat, slot, copy);
		if (rc)
			return rc;
		whole[copy] = !exo_slot_verify(cat->bounce, slot,
					       cat->geometry->uuid,
					       &flaw[copy]);
		if (whole[copy])
			take_copy(cat, slot, copy, !nr_whole++);
	}
	for (copy = 0; copy < 2; copy++)
		if (!whole[copy])
			report(cat, copy_block(cat, slot, copy), slot, -1,
			       &flaw[copy]);
	if (nr_whole == 2)
		return 0;
	if (!EXO_CHECK(slot_copies, nr_whole))
		return -EUCLEAN;
	pr_warn_ratelimited("exo: %pg: slot %u: the copy in block %llu counts, of generation %llu\n",
			    cat->bdev, slot,
			    copy_block(cat, slot, cat->copy[slot]),
			    le64_to_cpu(cat->slots[slot].generation));
	__set_bit(slot, cat->apart);
	return 0;
}

static void record_fill(struct exo_record *record,
			const struct exo_entry_info *info)
{
	record->start = info->start;
	record->nr_blocks = info->nr_blocks;
	record->generation = info->generation;
	record->uid = make_kuid(&init_user_ns, info->uid);
	record->gid = make_kgid(&init_user_ns, info->gid);
	record->mode = info->mode;
	record->state = info->state;
	memcpy(record->name, info->name, sizeof(record->name));
}

/* Why a record that is right by itself cannot stand beside the others. */
static int check_neighbours(struct exo_catalogue *cat,
			    struct exo_record *record, struct exo_flaw *flaw)
{
	if (!EXO_CHECK(entry_name_unique,
		       !__exo_catalogue_find(cat, record->uid,
					     record->name))) {
		*flaw = (struct exo_flaw) {
			.field = "name", .found = record->name[0],
			.want = "one extent of that name for an owner",
		};
		return -EUCLEAN;
	}
	if (__exo_catalogue_insert(cat, record)) {
		*flaw = (struct exo_flaw) {
			.field = "start", .found = record->start,
			.want = "a range that overlaps no other extent",
		};
		return -EUCLEAN;
	}
	return 0;
}

static int load_entry(struct exo_catalogue *cat, struct exo_disk *disk,
		      u32 slot, u32 index)
{
	struct exo_entry_info info;
	struct exo_record *record;
	struct exo_flaw flaw;
	int rc;

	rc = exo_entry_decode(&cat->slots[slot].entry[index], cat->geometry,
			      &info, &flaw);
	if (rc)
		goto err_report;
	if (info.state == EXO_ENTRY_FREE)
		return 0;
	record = exo_record_new(disk);
	if (!record)
		return -ENOMEM;
	record_fill(record, &info);
	record->place = slot * EXO_SLOT_ENTRIES + index;
	rc = check_neighbours(cat, record, &flaw);
	exo_record_put(record);
	if (!rc)
		return 0;

err_report:
	report(cat, copy_block(cat, slot, cat->copy[slot]), slot, index,
	       &flaw);
	return rc;
}

static int load(struct exo_catalogue *cat, struct exo_disk *disk)
{
	u32 slot, index;
	int rc;

	for (slot = 0; slot < cat->geometry->nr_slots; slot++) {
		rc = load_slot(cat, slot);
		for (index = 0; !rc && index < EXO_SLOT_ENTRIES; index++)
			rc = load_entry(cat, disk, slot, index);
		if (rc)
			return rc;
		cond_resched();
	}
	return 0;
}

/*
 * Let both copies of each slot be the one that counts. Not before all of them
 * were found good: a disk that is refused stays as it is.
 */
static int mend(struct exo_catalogue *cat)
{
	u32 slot;
	int rc;

	for_each_set_bit(slot, cat->apart, cat->geometry->nr_slots) {
		*cat->bounce = cat->slots[slot];
		rc = exo_block_write_stable(cat->bdev,
					    copy_block(cat, slot,
						       !cat->copy[slot]),
					    cat->bounce);
		if (rc) {
			pr_err_ratelimited("exo: %pg: writing the catalogue failed (%d)\n",
					   cat->bdev, rc);
			return rc;
		}
		cond_resched();
	}
	return 0;
}

/**
 * exo_catalogue_load() - read, check and mend the catalogue of a disk
 * @cat: zeroed memory inside @disk; undone by exo_catalogue_free(), also after
 *       an error
 * @disk: the disk, not yet visible to others
 * @bdev: its device
 * @geometry: of its label, lives as long as @disk
 *
 * Copies that a crash left apart, or of which one is torn or rotten (said in the
 * log), are equal afterwards.
 *
 * Context: sleeps; nobody knows the disk yet. Return: 0; -EUCLEAN a slot without
 * a valid copy or an impossible entry, said in the log; -ENOMEM; the device's
 * error, of reading any copy too.
 */
int exo_catalogue_load(struct exo_catalogue *cat, struct exo_disk *disk,
		       struct block_device *bdev,
		       const struct exo_geometry *geometry)
{
	u32 nr_slots = geometry->nr_slots;

	cat->bdev = bdev;
	cat->geometry = geometry;
	mutex_init(&cat->write_lock);
	cat->slots = kvcalloc(nr_slots, sizeof(*cat->slots), GFP_KERNEL);
	cat->copy = kvcalloc(nr_slots, sizeof(*cat->copy), GFP_KERNEL);
	cat->apart = bitmap_zalloc(nr_slots, GFP_KERNEL);
	cat->used = bitmap_zalloc(nr_slots * EXO_SLOT_ENTRIES, GFP_KERNEL);
	cat->bounce = (void *)__get_free_page(GFP_KERNEL);
	if (!cat->slots || !cat->copy || !cat->apart || !cat->used ||
	    !cat->bounce)
		return -ENOMEM;
	return load(cat, disk) ?: mend(cat);
}

/**
 * exo_catalogue_free() - forget the catalogue; the device keeps it
 * @cat: the catalogue, or zeroed memory
 *
 * Context: sleeps; the disk's lock is held, or nobody knows the disk yet.
 */
void exo_catalogue_free(struct exo_catalogue *cat)
{
	struct rb_node *node;

	while ((node = rb_first(&cat->extents)))
		__exo_catalogue_remove(cat, rb_entry(node, struct exo_record,
						     node));
	free_page((unsigned long)cat->bounce);
	bitmap_free(cat->used);
	bitmap_free(cat->apart);
	kvfree(cat->copy);
	kvfree(cat->slots);
	memset(cat, 0, sizeof(*cat));
}

static void entry_from_record(struct exo_entry *entry,
			      const struct exo_record *record, u32 state)
{
	struct exo_entry_info info = {
		.start = record->start,
		.nr_blocks = record->nr_blocks,
		.generation = record->generation,
		.state = state,
		.uid = from_kuid(&init_user_ns, record->uid),
		.gid = from_kgid(&init_user_ns, record->gid),
		.mode = record->mode,
	};

	memcpy(info.name, record->name, sizeof(info.name));
	exo_entry_encode(entry, &info);
}

/*
 * One after the other: while one is being written the other is whole. An error
 * of the second leaves the new state in the first.
 */
static int write_copies(struct exo_catalogue *cat, u32 slot,
			struct exo_slot *next)
{
	int copy, rc = 0;

	for (copy = 0; !rc && copy < 2; copy++)
		rc = exo_block_write_stable(cat->bdev,
					    copy_block(cat, slot, copy), next);
	return rc;
}

/**
 * exo_catalogue_write() - change the state of an extent on the device
 * @cat: the catalogue
 * @record: the extent; the caller alone works on it
 * @state: EXO_ENTRY_TO_BE_ZEROED, EXO_ENTRY_CLEAN or EXO_ENTRY_FREE
 *
 * After success the new state, and all that was written before, is on stable
 * storage, in both copies. After a failure the old or the new one may be there:
 * the catalogue is frozen, so that no decision is built on it.
 *
 * Context: sleeps; the disk's lock is not held. Return: 0, -EIO frozen, or the
 * device's error.
 */
int exo_catalogue_write(struct exo_catalogue *cat, struct exo_record *record,
			u32 state)
{
	u32 slot = record->place / EXO_SLOT_ENTRIES;
	struct exo_slot *next = cat->bounce;
	u64 generation;
	int rc = -EIO;

	mutex_lock(&cat->write_lock);
	if (!EXO_CHECK(catalogue_frozen, !cat->frozen))
		goto out;
	*next = cat->slots[slot];
	generation = le64_to_cpu(next->generation) + 1;
	if (!EXO_CHECK(slot_generation, generation)) {
		cat->frozen = true;
		goto out;
	}
	if (!next->entry[record->place % EXO_SLOT_ENTRIES].state)
		record->generation = generation;
	entry_from_record(&next->entry[record->place % EXO_SLOT_ENTRIES],
			  record, state);
	exo_slot_seal(next, generation);
	rc = write_copies(cat, slot, next);
	if (rc) {
		cat->frozen = true;
		pr_err_ratelimited("exo: %pg: writing the catalogue failed (%d), it cannot be changed until the disk is attached again\n",
				   cat->bdev, rc);
		goto out;
	}
	cat->slots[slot] = *next;
out:
	mutex_unlock(&cat->write_lock);
	return rc;
}

/**
 * exo_catalogue_zero() - finish an extent that is to be zeroed
 * @cat: the catalogue
 * @record: the extent, EXO_ENTRY_TO_BE_ZEROED on the device
 *
 * Context: sleeps, long. Return: 0, -EINTR fatal signal, -EIO, or the device's
 * error; then the state on the device is as before.
 */
int exo_catalogue_zero(struct exo_catalogue *cat, struct exo_record *record)
{
	int rc = exo_block_zero(cat->bdev, record->start, record->nr_blocks);

	return rc ?: exo_catalogue_write(cat, record, EXO_ENTRY_CLEAN);
}

/* Order of the names: by owner first, so that an owner's stand together. */
static int compare_name(kuid_t uid, const u8 *name,
			const struct exo_record *record)
{
	if (uid_lt(uid, record->uid))
		return -1;
	if (uid_gt(uid, record->uid))
		return 1;
	return memcmp(name, record->name, sizeof(record->name));
}

/**
 * __exo_catalogue_find() - an extent by owner and name
 * @cat: the catalogue
 * @uid: owner
 * @name: EXO_NAME_BYTES bytes, NUL-padded
 *
 * Context: the disk's lock is held. Return: the record, without a reference of
 * its own, or NULL.
 */
struct exo_record *__exo_catalogue_find(struct exo_catalogue *cat, kuid_t uid,
					const u8 *name)
{
	struct rb_node *node = cat->names.rb_node;
	struct exo_record *record;
	int order;

	while (node) {
		record = rb_entry(node, struct exo_record, name_node);
		order = compare_name(uid, name, record);
		if (!order)
			return record;
		node = order < 0 ? node->rb_left : node->rb_right;
	}
	return NULL;
}

/**
 * __exo_catalogue_usage() - blocks that a user's extents hold together
 * @cat: the catalogue
 * @uid: the user
 *
 * Context: the disk's lock is held. Return: the sum.
 */
u64 __exo_catalogue_usage(struct exo_catalogue *cat, kuid_t uid)
{
	struct rb_node *node = cat->names.rb_node, *first = NULL;
	struct exo_record *record;
	u64 sum = 0;

	while (node) {
		record = rb_entry(node, struct exo_record, name_node);
		if (!uid_lt(record->uid, uid))
			first = node;
		node = first == node ? node->rb_left : node->rb_right;
	}
	for (node = first; node; node = rb_next(node)) {
		record = rb_entry(node, struct exo_record, name_node);
		if (!uid_eq(record->uid, uid))
			break;
		sum += record->nr_blocks;
	}
	return sum;
}

/* The caller has made sure that the owner has no extent of that name. */
static void insert_name(struct exo_catalogue *cat, struct exo_record *record)
{
	struct rb_node **link = &cat->names.rb_node, *parent = NULL;
	struct exo_record *other;

	while (*link) {
		parent = *link;
		other = rb_entry(parent, struct exo_record, name_node);
		if (compare_name(record->uid, record->name, other) < 0)
			link = &parent->rb_left;
		else
			link = &parent->rb_right;
	}
	rb_link_node(&record->name_node, parent, link);
	rb_insert_color(&record->name_node, &cat->names);
}

/**
 * __exo_catalogue_insert() - take blocks and a place
 * @cat: the catalogue
 * @record: range checked against the disk, name new for its owner; place set
 *          if it came from the device, else chosen here
 *
 * On success the trees have a reference of their own.
 *
 * Context: the disk's lock is held. Return: 0, -EEXIST overlaps an extent,
 * -ENOSPC no place is free.
 */
int __exo_catalogue_insert(struct exo_catalogue *cat,
			   struct exo_record *record)
{
	u32 nr_places = cat->geometry->nr_slots * EXO_SLOT_ENTRIES;
	struct rb_node **link = &cat->extents.rb_node, *parent = NULL;
	struct exo_record *other;

	while (*link) {
		parent = *link;
		other = rb_entry(parent, struct exo_record, node);
		if (record->start + record->nr_blocks <= other->start)
			link = &parent->rb_left;
		else if (EXO_CHECK(extent_overlap, other->start +
				   other->nr_blocks <= record->start))
			link = &parent->rb_right;
		else
			return -EEXIST;
	}
	if (record->place == EXO_PLACE_NONE)
		record->place = find_first_zero_bit(cat->used, nr_places);
	if (!EXO_CHECK(extent_place, record->place < nr_places)) {
		record->place = EXO_PLACE_NONE;
		return -ENOSPC;
	}
	__set_bit(record->place, cat->used);
	rb_link_node(&record->node, parent, link);
	rb_insert_color(&record->node, &cat->extents);
	insert_name(cat, record);
	cat->nr_extents++;
	cat->nr_used_blocks += record->nr_blocks;
	kref_get(&record->refs);
	return 0;
}

/**
 * __exo_catalogue_remove() - give the blocks and the place back
 * @cat: the catalogue
 * @record: in the trees; their reference is dropped
 *
 * Context: the disk's lock is held.
 */
void __exo_catalogue_remove(struct exo_catalogue *cat,
			    struct exo_record *record)
{
	rb_erase(&record->node, &cat->extents);
	rb_erase(&record->name_node, &cat->names);
	__clear_bit(record->place, cat->used);
	cat->nr_extents--;
	cat->nr_used_blocks -= record->nr_blocks;
	exo_record_put(record);
}

/**
 * exo_record_new() - memory for an extent
 * @disk: its disk, pinned by the record
 *
 * Context: sleeps. Return: the record with one reference, in no tree and at no
 * place; NULL if there is no memory.
 */
struct exo_record *exo_record_new(struct exo_disk *disk)
{
	struct exo_record *record;

	record = kzalloc(sizeof(*record), EXO_GFP_USER);
	if (!record)
		return NULL;
	kref_init(&record->refs);
	record->place = EXO_PLACE_NONE;
	record->disk = disk;
	exo_disk_hold(disk);
	return record;
}

static void record_release(struct kref *refs)
{
	struct exo_record *record = container_of(refs, struct exo_record,
						 refs);

	exo_disk_put(record->disk);
	kfree(record);
}

/**
 * exo_record_put() - drop a reference
 * @record: the extent
 *
 * Context: sleeps if it is the last one.
 */
void exo_record_put(struct exo_record *record)
{
	kref_put(&record->refs, record_release);
}
