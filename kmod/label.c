// SPDX-License-Identifier: GPL-2.0
/*
 * Label: decoding and checking of the blocks of a donated device.
 *
 * Two questions are kept apart. *verify*: is this block a whole label or slot
 * of ours (magic, checksum, index, UUID)? It decides which of two copies
 * count. *decode*: does what it says make sense on this device? If the copy
 * that counts fails that, the disk is refused, not read in its older state.
 *
 * Bytes marked reserved are not looked at, and kept: a feature that may be
 * ignored (compat) may live there.
 */
#include <linux/build_bug.h>
#include <linux/errno.h>
#include <linux/overflow.h>
#include <linux/stddef.h>
#include <linux/string.h>

#include <asm/byteorder.h>

#include "check.h"
#include "compat/crc32c.h"
#include "label.h"

static_assert(sizeof(struct exo_label) == EXO_BLOCK_BYTES);
static_assert(sizeof(struct exo_slot) == EXO_BLOCK_BYTES);
static_assert(sizeof(struct exo_entry) == 256);

static int flawed(struct exo_flaw *flaw, const char *field, u64 found,
		  const char *want)
{
	flaw->field = field;
	flaw->found = found;
	flaw->want = want;
	return -EUCLEAN;
}

static bool name_char(u8 c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

/* Length of a NUL-padded name of allowed characters, or -1. */
static int name_length(const u8 *name)
{
	int i, nr = 0;

	while (nr < EXO_NAME_BYTES && name_char(name[nr]))
		nr++;
	if (!EXO_CHECK(name_terminated, nr < EXO_NAME_BYTES))
		return -1;
	for (i = nr; i < EXO_NAME_BYTES; i++)
		if (!EXO_CHECK(name_padding, !name[i]))
			return -1;
	return nr;
}

/**
 * exo_name_valid() - may an extent have this name?
 * @name: EXO_NAME_BYTES bytes
 *
 * Return: true for 1 to 31 characters of [A-Za-z0-9._-], NUL-padded.
 */
bool exo_name_valid(const u8 *name)
{
	return EXO_CHECK(name_valid, name_length(name) > 0);
}

/**
 * exo_block_sum() - checksum of a block
 * @block: EXO_BLOCK_BYTES bytes
 * @sum_offset: where the checksum itself stands, which counts as zero
 *
 * Return: CRC-32C with seed ~0 and final inversion.
 */
u32 exo_block_sum(const void *block, size_t sum_offset)
{
	const u32 zero = 0;
	const u8 *rest = block + sum_offset + sizeof(zero);
	u32 sum;

	sum = exo_crc32c(~0U, block, sum_offset);
	sum = exo_crc32c(sum, &zero, sizeof(zero));
	sum = exo_crc32c(sum, rest,
			 EXO_BLOCK_BYTES - sum_offset - sizeof(zero));
	return ~sum;
}

/**
 * exo_label_verify() - is this block a whole label?
 * @label: the block
 * @flaw: what is wrong, set on error
 *
 * Return: 0 or -EUCLEAN.
 */
int exo_label_verify(const struct exo_label *label, struct exo_flaw *flaw)
{
	u64 magic;

	if (!EXO_CHECK(label_magic, !memcmp(label->magic, EXO_LABEL_MAGIC,
					    sizeof(label->magic)))) {
		memcpy(&magic, label->magic, sizeof(magic));
		return flawed(flaw, "magic", be64_to_cpu((__force __be64)magic),
			      "0x45584f4c4142454c");
	}
	if (!EXO_CHECK(label_crc, le32_to_cpu(label->crc32c) ==
		       exo_block_sum(label,
				     offsetof(struct exo_label, crc32c))))
		return flawed(flaw, "crc32c", le32_to_cpu(label->crc32c),
			      "the sum of the block");
	return 0;
}

/* A range of blocks in [@floor, @limit), not empty and not wrapping. */
static bool range_inside(u64 start, u64 nr, u64 floor, u64 limit)
{
	u64 end;

	return EXO_CHECK(range_empty, nr) &&
	       EXO_CHECK(range_floor, start >= floor) &&
	       EXO_CHECK(range_overflow,
			 !check_add_overflow(start, nr, &end)) &&
	       EXO_CHECK(range_limit, end <= limit);
}

static bool ranges_overlap(u64 a, u64 nr_a, u64 b, u64 nr_b)
{
	return a < b + nr_b && b < a + nr_a;
}

static int label_decode_types(const struct exo_label *label,
			      const struct exo_geometry *g,
			      struct exo_flaw *flaw)
{
	u64 start = le64_to_cpu(label->types_start);
	u64 nr = le64_to_cpu(label->types_blocks);

	if (!start && !nr)
		return 0;
	if (!EXO_CHECK(types_range,
		       range_inside(start, nr, 2, g->nr_blocks)))
		return flawed(flaw, "types_start", start,
			      "0, or a range after block 1 in the disk");
	if (!EXO_CHECK(types_overlap,
		       !ranges_overlap(start, nr, g->catalogue_start,
				       2ULL * g->nr_slots)))
		return flawed(flaw, "types_start", start,
			      "a range outside the catalogue");
	return 0;
}

static int label_decode_ranges(const struct exo_label *label,
			       struct exo_geometry *g, struct exo_flaw *flaw)
{
	if (!EXO_CHECK(slots_none, g->nr_slots) ||
	    !EXO_CHECK(slots_max, g->nr_slots <= EXO_MAX_SLOTS))
		return flawed(flaw, "nr_slots", g->nr_slots, "1 to 4096");
	if (!EXO_CHECK(catalogue_range,
		       range_inside(g->catalogue_start, 2ULL * g->nr_slots, 2,
				    g->nr_blocks)))
		return flawed(flaw, "catalogue_start", g->catalogue_start,
			      "a range after block 1 in the disk");
	if (!EXO_CHECK(data_end, g->data_end <= g->nr_blocks))
		return flawed(flaw, "data_end", g->data_end,
			      "at most nr_blocks");
	if (!EXO_CHECK(data_floor, g->data_start >= 2) ||
	    !EXO_CHECK(data_empty, g->data_start < g->data_end))
		return flawed(flaw, "data_start", g->data_start,
			      "a block after block 1, before data_end");
	if (!EXO_CHECK(data_overlap,
		       !ranges_overlap(g->data_start,
				       g->data_end - g->data_start,
				       g->catalogue_start,
				       2ULL * g->nr_slots)))
		return flawed(flaw, "data_start", g->data_start,
			      "a range outside the catalogue");
	return label_decode_types(label, g, flaw);
}

/**
 * exo_label_decode() - check what a verified label says
 * @label: the block
 * @device_blocks: blocks that the device really has
 * @geometry: filled in
 * @flaw: what is wrong, set on error
 *
 * Return: 0; -EPROTONOSUPPORT it asks for a feature that is not known;
 * -EUCLEAN.
 */
int exo_label_decode(const struct exo_label *label, u64 device_blocks,
		     struct exo_geometry *geometry, struct exo_flaw *flaw)
{
	u64 incompat = le64_to_cpu(label->incompat);
	u64 ro_compat = le64_to_cpu(label->ro_compat);
	struct exo_geometry *g = geometry;

	if (!EXO_CHECK(label_incompat,
		       !(incompat & ~EXO_LABEL_INCOMPAT_KNOWN))) {
		flawed(flaw, "incompat", incompat, "no unknown bit");
		return -EPROTONOSUPPORT;
	}
	if (!EXO_CHECK(label_ro_compat,
		       !(ro_compat & ~EXO_LABEL_RO_COMPAT_KNOWN))) {
		flawed(flaw, "ro_compat", ro_compat, "no unknown bit");
		return -EPROTONOSUPPORT;
	}
	if (!EXO_CHECK(label_block_bytes,
		       le32_to_cpu(label->block_bytes) == EXO_BLOCK_BYTES))
		return flawed(flaw, "block_bytes",
			      le32_to_cpu(label->block_bytes), "4096");
	if (!EXO_CHECK(label_name, name_length(label->name) >= 0))
		return flawed(flaw, "name", label->name[0],
			      "[A-Za-z0-9._-], padded with NUL");
	g->nr_blocks = le64_to_cpu(label->nr_blocks);
	if (!EXO_CHECK(label_nr_blocks, g->nr_blocks <= device_blocks))
		return flawed(flaw, "nr_blocks", g->nr_blocks,
			      "at most the blocks of the device");
	g->catalogue_start = le64_to_cpu(label->catalogue_start);
	g->nr_slots = le32_to_cpu(label->nr_slots);
	g->data_start = le64_to_cpu(label->data_start);
	g->data_end = le64_to_cpu(label->data_end);
	memcpy(g->uuid, label->uuid, sizeof(g->uuid));
	memcpy(g->name, label->name, sizeof(g->name));
	return label_decode_ranges(label, g, flaw);
}

/**
 * exo_slot_verify() - is this block a whole copy of a slot of this disk?
 * @slot: the block
 * @index: which slot it should be
 * @uuid: of the label
 * @flaw: what is wrong, set on error
 *
 * Return: 0 or -EUCLEAN.
 */
int exo_slot_verify(const struct exo_slot *slot, u32 index, const u8 *uuid,
		    struct exo_flaw *flaw)
{
	if (!EXO_CHECK(slot_magic, le32_to_cpu(slot->magic) == EXO_SLOT_MAGIC))
		return flawed(flaw, "magic", le32_to_cpu(slot->magic),
			      "0x544c5358");
	if (!EXO_CHECK(slot_crc, le32_to_cpu(slot->crc32c) ==
		       exo_block_sum(slot, offsetof(struct exo_slot, crc32c))))
		return flawed(flaw, "crc32c", le32_to_cpu(slot->crc32c),
			      "the sum of the block");
	if (!EXO_CHECK(slot_index, le32_to_cpu(slot->index) == index))
		return flawed(flaw, "index", le32_to_cpu(slot->index),
			      "the number of the slot");
	if (!EXO_CHECK(slot_uuid,
		       !memcmp(slot->uuid, uuid, sizeof(slot->uuid))))
		return flawed(flaw, "uuid", slot->uuid[0], "the label's");
	return 0;
}

/**
 * exo_slot_seal() - make a changed slot ready to be written
 * @slot: the block
 * @generation: its new generation
 */
void exo_slot_seal(struct exo_slot *slot, u64 generation)
{
	u32 sum;

	slot->generation = cpu_to_le64(generation);
	sum = exo_block_sum(slot, offsetof(struct exo_slot, crc32c));
	slot->crc32c = cpu_to_le32(sum);
}

static int entry_check(const struct exo_entry_info *info,
		       const struct exo_geometry *g, struct exo_flaw *flaw)
{
	if (!EXO_CHECK(entry_uid, info->uid != (u32)-1))
		return flawed(flaw, "uid", info->uid, "a user");
	if (!EXO_CHECK(entry_gid, info->gid != (u32)-1))
		return flawed(flaw, "gid", info->gid, "a group");
	if (!EXO_CHECK(entry_mode, !(info->mode & ~EXO_MODE_BITS)))
		return flawed(flaw, "mode", info->mode, "r and w bits only");
	if (!EXO_CHECK(entry_range,
		       range_inside(info->start, info->nr_blocks,
				    g->data_start, g->data_end)))
		return flawed(flaw, "start", info->start,
			      "a range in the space for extents");
	if (!EXO_CHECK(entry_name, exo_name_valid(info->name)))
		return flawed(flaw, "name", info->name[0],
			      "[A-Za-z0-9._-], padded with NUL");
	return 0;
}

/**
 * exo_entry_decode() - check an entry of a verified slot
 * @entry: the entry
 * @geometry: of the disk
 * @info: filled in
 * @flaw: what is wrong, set on error
 *
 * Return: 0 or -EUCLEAN.
 */
int exo_entry_decode(const struct exo_entry *entry,
		     const struct exo_geometry *geometry,
		     struct exo_entry_info *info, struct exo_flaw *flaw)
{
	memset(info, 0, sizeof(*info));
	info->state = le32_to_cpu(entry->state);
	if (info->state == EXO_ENTRY_FREE)
		return 0;
	if (!EXO_CHECK(entry_state, info->state == EXO_ENTRY_CLEAN ||
		       info->state == EXO_ENTRY_TO_BE_ZEROED))
		return flawed(flaw, "state", info->state, "0, 1 or 2");
	if (!EXO_CHECK(entry_flags, !entry->flags))
		return flawed(flaw, "flags", le32_to_cpu(entry->flags), "0");
	if (!EXO_CHECK(entry_type, !entry->type))
		return flawed(flaw, "type", le32_to_cpu(entry->type), "0");
	if (!EXO_CHECK(entry_root, !entry->root_block))
		return flawed(flaw, "root_block",
			      le64_to_cpu(entry->root_block), "0");
	info->uid = le32_to_cpu(entry->uid);
	info->gid = le32_to_cpu(entry->gid);
	info->mode = le32_to_cpu(entry->mode);
	info->start = le64_to_cpu(entry->start);
	info->nr_blocks = le64_to_cpu(entry->nr_blocks);
	info->generation = le64_to_cpu(entry->generation);
	memcpy(info->name, entry->name, sizeof(info->name));
	return entry_check(info, geometry, flaw);
}

/**
 * exo_entry_encode() - write an entry
 * @entry: the entry; from or to EXO_ENTRY_FREE its reserved bytes become zero
 * @info: its new content
 */
void exo_entry_encode(struct exo_entry *entry,
		      const struct exo_entry_info *info)
{
	if (!entry->state || info->state == EXO_ENTRY_FREE)
		memset(entry, 0, sizeof(*entry));
	if (info->state == EXO_ENTRY_FREE)
		return;
	entry->state = cpu_to_le32(info->state);
	entry->uid = cpu_to_le32(info->uid);
	entry->gid = cpu_to_le32(info->gid);
	entry->mode = cpu_to_le32(info->mode);
	entry->start = cpu_to_le64(info->start);
	entry->nr_blocks = cpu_to_le64(info->nr_blocks);
	entry->generation = cpu_to_le64(info->generation);
	memcpy(entry->name, info->name, sizeof(entry->name));
}
