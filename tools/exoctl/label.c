// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#include <endian.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "../../common/crc32c.h"
#include "label.h"

#define ALIGN_BLOCKS	256	/* 1 MiB */
#define SMALL_BLOCKS	16384	/* below 64 MiB alignment is not worth it */

_Static_assert(sizeof(struct exo_label) == EXO_BLOCK_BYTES, "label");
_Static_assert(sizeof(struct exo_slot) == EXO_BLOCK_BYTES, "slot");

bool name_valid(const char *name)
{
	static const char allowed[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
	size_t len = strspn(name, allowed);

	return len && !name[len] && len < EXO_NAME_BYTES;
}

int layout_plan(struct layout *layout, uint64_t bytes, uint32_t nr_slots,
		const char *name)
{
	uint64_t nr = bytes / EXO_BLOCK_BYTES;
	uint64_t start = 2 + 2 * (uint64_t)nr_slots;

	if (!name_valid(name) || !nr_slots || nr_slots > EXO_MAX_SLOTS)
		return -EINVAL;
	if (nr >= SMALL_BLOCKS)
		start = (start + ALIGN_BLOCKS - 1) / ALIGN_BLOCKS *
			ALIGN_BLOCKS;
	if (start >= nr)
		return -ENOSPC;
	memset(layout, 0, sizeof(*layout));
	layout->nr_blocks = nr;
	layout->catalogue_start = 2;
	layout->nr_slots = nr_slots;
	layout->data_start = start;
	layout->data_end = nr;
	memcpy(layout->name, name, strlen(name));
	return 0;
}

/* Checksum of a block whose own checksum stands at @offset. */
static uint32_t block_sum(const void *block, size_t offset)
{
	uint8_t copy[EXO_BLOCK_BYTES];

	memcpy(copy, block, sizeof(copy));
	memset(copy + offset, 0, sizeof(uint32_t));
	return crc32c(0, copy, sizeof(copy));
}

void label_make(struct exo_label *label, const struct layout *layout)
{
	memset(label, 0, sizeof(*label));
	memcpy(label->magic, EXO_LABEL_MAGIC, sizeof(label->magic));
	label->block_bytes = htole32(EXO_BLOCK_BYTES);
	label->generation = htole64(1);
	memcpy(label->uuid, layout->uuid, sizeof(label->uuid));
	memcpy(label->name, layout->name, sizeof(label->name));
	label->nr_blocks = htole64(layout->nr_blocks);
	label->catalogue_start = htole64(layout->catalogue_start);
	label->nr_slots = htole32(layout->nr_slots);
	label->data_start = htole64(layout->data_start);
	label->data_end = htole64(layout->data_end);
	label->crc32c = htole32(block_sum(label,
					  offsetof(struct exo_label, crc32c)));
}

void slot_make(struct exo_slot *slot, const struct layout *layout,
	       uint32_t index)
{
	memset(slot, 0, sizeof(*slot));
	slot->magic = htole32(EXO_SLOT_MAGIC);
	slot->index = htole32(index);
	slot->generation = htole64(1);
	memcpy(slot->uuid, layout->uuid, sizeof(slot->uuid));
	slot->crc32c = htole32(block_sum(slot,
					 offsetof(struct exo_slot, crc32c)));
}

bool label_valid(const struct exo_label *label)
{
	return !memcmp(label->magic, EXO_LABEL_MAGIC, sizeof(label->magic)) &&
	       le32toh(label->crc32c) ==
	       block_sum(label, offsetof(struct exo_label, crc32c));
}

bool slot_valid(const struct exo_slot *slot, const struct layout *layout,
		uint32_t index)
{
	return le32toh(slot->magic) == EXO_SLOT_MAGIC &&
	       le32toh(slot->index) == index &&
	       !memcmp(slot->uuid, layout->uuid, sizeof(slot->uuid)) &&
	       le32toh(slot->crc32c) ==
	       block_sum(slot, offsetof(struct exo_slot, crc32c));
}
