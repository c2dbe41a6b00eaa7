/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * exo on-disk format: label and root catalogue of a donated block device
 *
 * All integers are little-endian, blocks are EXO_BLOCK_BYTES. The layout:
 *
 *   block 0              label, first copy
 *   block 1              label, second copy
 *   [catalogue_start,    slots of the root catalogue: slot i has two copies,
 *     + 2 * nr_slots)    at catalogue_start + 2 * i and + 2 * i + 1
 *   [data_start,
 *     data_end)          space for extents
 *
 * Both copies of a slot are equal, but for moments: a slot is written by writing
 * the first copy with the next generation, forced to stable storage, then the
 * second likewise. The valid copy with the higher generation counts; a reader
 * that finds them apart (a crash in between, or one of them torn) makes them
 * equal before it changes anything. A copy that cannot be read is not invalid: it
 * may be the newer one. Earlier writers wrote one copy only, the older one.
 */
#ifndef _UAPI_LINUX_EXO_DISK_H
#define _UAPI_LINUX_EXO_DISK_H

#include <linux/types.h>

#define EXO_LABEL_MAGIC		"EXOLABEL"
#define EXO_SLOT_MAGIC		0x544c5358U	/* "XSLT" */
#define EXO_SLOT_ENTRIES	15
#define EXO_MAX_SLOTS		4096

/* A reader must refuse a disk with an incompat bit it does not know, and must
 * not write one with a ro_compat bit it does not know. None is defined yet.
 */
#define EXO_LABEL_INCOMPAT_KNOWN	0ULL
#define EXO_LABEL_RO_COMPAT_KNOWN	0ULL

/**
 * struct exo_label - block 0 and block 1
 * @magic: EXO_LABEL_MAGIC
 * @crc32c: of the whole block with this field zero, seed ~0, final inversion
 * @block_bytes: EXO_BLOCK_BYTES
 * @generation: higher wins
 * @compat: features a reader may ignore
 * @ro_compat: features a writer must know
 * @incompat: features a reader must know
 * @uuid: of the disk
 * @name: NUL-padded
 * @nr_blocks: of the device when formatted; a smaller device is refused
 * @catalogue_start: first block of the root catalogue
 * @nr_slots: slots in it
 * @reserved0: zero
 * @data_start: first block for extents
 * @data_end: end of the space for extents
 * @types_start: first block of the type catalogue, 0 while there is none
 * @types_blocks: its length
 */
struct exo_label {
	__u8 magic[8];
	__le32 crc32c;
	__le32 block_bytes;
	__le64 generation;
	__le64 compat;
	__le64 ro_compat;
	__le64 incompat;
	__u8 uuid[16];
	__u8 name[32];
	__le64 nr_blocks;
	__le64 catalogue_start;
	__le32 nr_slots;
	__le32 reserved0;
	__le64 data_start;
	__le64 data_end;
	__le64 types_start;
	__le64 types_blocks;
	__u8 reserved[3944];
};

/* struct exo_entry.state */
#define EXO_ENTRY_FREE		0
#define EXO_ENTRY_CLEAN		1
#define EXO_ENTRY_TO_BE_ZEROED	2	/* owned, but zeroing was not finished */
#define EXO_ENTRY_UNWRITTEN	3	/* reserved */
#define EXO_ENTRY_WILL_FREE	4	/* reserved */

/**
 * struct exo_entry - one extent
 * @state: EXO_ENTRY_*
 * @flags: EXO_ENTRY_F_*, none defined (temporary is reserved as bit 0)
 * @uid: owner, kuid of the initial user namespace
 * @gid: group, likewise
 * @mode: permission bits
 * @type: 0, untyped; others are reserved for the type catalogue
 * @start: first block
 * @nr_blocks: length
 * @generation: of the slot when the entry was created: tells a reused name apart
 * @root_block: for a typed tree; 0
 * @name: NUL-padded
 */
struct exo_entry {
	__le32 state;
	__le32 flags;
	__le32 uid;
	__le32 gid;
	__le32 mode;
	__le32 type;
	__le64 start;
	__le64 nr_blocks;
	__le64 generation;
	__le64 root_block;
	__u8 name[32];
	__u8 reserved[168];
};

/**
 * struct exo_slot - one block of the root catalogue
 * @magic: EXO_SLOT_MAGIC
 * @crc32c: as in the label
 * @index: which slot this is
 * @reserved0: zero
 * @generation: higher wins
 * @uuid: of the label, so that an old format's slot is not taken for ours
 * @entry: the extents of this slot
 */
struct exo_slot {
	__le32 magic;
	__le32 crc32c;
	__le32 index;
	__le32 reserved0;
	__le64 generation;
	__u8 uuid[16];
	__u8 reserved[216];
	struct exo_entry entry[EXO_SLOT_ENTRIES];
};

#endif /* _UAPI_LINUX_EXO_DISK_H */
