/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Label: the blocks of an empty exo disk, made and checked in memory.
 * See <linux/exo_disk.h>.
 */
#ifndef EXOCTL_LABEL_H
#define EXOCTL_LABEL_H

#include <stdbool.h>
#include <stdint.h>
#include <linux/exo.h>
#include <linux/exo_disk.h>

/**
 * struct layout - where things are on a disk
 * @nr_blocks: of the device
 * @catalogue_start: first block of the root catalogue
 * @nr_slots: slots, of two blocks each
 * @data_start: first block for extents
 * @data_end: end of the space for extents
 * @uuid: of the disk
 * @name: NUL-padded
 */
struct layout {
	uint64_t nr_blocks;
	uint64_t catalogue_start;
	uint32_t nr_slots;
	uint64_t data_start;
	uint64_t data_end;
	uint8_t uuid[16];
	uint8_t name[EXO_NAME_BYTES];
};

/* A name of 1 to 31 of [A-Za-z0-9._-]? */
bool name_valid(const char *name);

/**
 * layout_plan() - divide a device
 * @layout: filled in but for the uuid
 * @bytes: size of the device
 * @nr_slots: 1 to EXO_MAX_SLOTS
 * @name: a valid name
 *
 * Extents begin at 1 MiB or a multiple, unless the device is too small to waste
 * that.
 *
 * Return: 0; -EINVAL a name or number that is not allowed; -ENOSPC too small.
 */
int layout_plan(struct layout *layout, uint64_t bytes, uint32_t nr_slots,
		const char *name);

/* Fills a block with the label. Both copies are the same. */
void label_make(struct exo_label *label, const struct layout *layout);

/* Fills a block with an empty slot. Both copies are the same. */
void slot_make(struct exo_slot *slot, const struct layout *layout,
	       uint32_t index);

/* Magic and checksum are right? */
bool label_valid(const struct exo_label *label);
bool slot_valid(const struct exo_slot *slot, const struct layout *layout,
		uint32_t index);

#endif /* EXOCTL_LABEL_H */
