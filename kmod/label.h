/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Label: what stands on a donated device, decoded and checked.
 *
 * Pure functions over one block each: no I/O, no locks, no allocation. They
 * are built in user space too, to be tested and fuzzed there. Nothing of what
 * they are given is trusted.
 */
#ifndef EXO_KMOD_LABEL_H
#define EXO_KMOD_LABEL_H

#include <linux/types.h>

#include <linux/exo.h>
#include <linux/exo_disk.h>

/**
 * struct exo_geometry - a label that passed all checks
 * @nr_blocks: of the device when formatted
 * @catalogue_start: first block of the root catalogue
 * @data_start: first block for extents
 * @data_end: end of the space for extents, exclusive
 * @nr_slots: slots of the catalogue, 1 to EXO_MAX_SLOTS
 * @uuid: of the disk
 * @name: NUL-padded, may be empty
 */
struct exo_geometry {
	u64 nr_blocks;
	u64 catalogue_start;
	u64 data_start;
	u64 data_end;
	u32 nr_slots;
	u8 uuid[16];
	u8 name[EXO_NAME_BYTES];
};

/**
 * struct exo_entry_info - a catalogue entry that passed all checks
 * @start: first block
 * @nr_blocks: length, at least 1
 * @generation: of the slot when the entry was created
 * @state: EXO_ENTRY_FREE (then nothing else is set), _CLEAN or _TO_BE_ZEROED
 * @uid: owner, not -1
 * @gid: group, not -1
 * @mode: r and w bits
 * @name: valid, NUL-padded
 */
struct exo_entry_info {
	u64 start;
	u64 nr_blocks;
	u64 generation;
	u32 state;
	u32 uid;
	u32 gid;
	u32 mode;
	u8 name[EXO_NAME_BYTES];
};

/**
 * struct exo_flaw - what is wrong with a block, in words for a message
 * @field: which field
 * @want: what it should be
 * @found: what it is
 */
struct exo_flaw {
	const char *field;
	const char *want;
	u64 found;
};

/* Permission bits that an extent may have: r and w, no x. */
#define EXO_MODE_BITS	0666

bool exo_name_valid(const u8 *name);
u32 exo_block_sum(const void *block, size_t sum_offset);
int exo_label_verify(const struct exo_label *label, struct exo_flaw *flaw);
int exo_label_decode(const struct exo_label *label, u64 device_blocks,
		     struct exo_geometry *geometry, struct exo_flaw *flaw);
int exo_slot_verify(const struct exo_slot *slot, u32 index, const u8 *uuid,
		    struct exo_flaw *flaw);
void exo_slot_seal(struct exo_slot *slot, u64 generation);
int exo_entry_decode(const struct exo_entry *entry,
		     const struct exo_geometry *geometry,
		     struct exo_entry_info *info, struct exo_flaw *flaw);
void exo_entry_encode(struct exo_entry *entry,
		      const struct exo_entry_info *info);

#endif /* EXO_KMOD_LABEL_H */
