// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Are labels and slots what <linux/exo_disk.h> says, and is every change of a
 * byte noticed?
 */
#define _GNU_SOURCE	/* what exo_test.h wants */
#include <endian.h>

#include "../exo_test.h"
#include "../../common/crc32c.h"
#include "../../tools/exoctl/label.h"

/* RFC 3720 appendix B.4, and the usual check value. */
static void test_crc32c(void)
{
	uint8_t data[32];
	int i;

	is(crc32c(0, "123456789", 9), 0xe3069283, "\"123456789\"");
	memset(data, 0, sizeof(data));
	is(crc32c(0, data, 32), 0x8a9136aa, "32 bytes of zeroes");
	memset(data, 0xff, sizeof(data));
	is(crc32c(0, data, 32), 0x62a8ab43, "32 bytes of ones");
	for (i = 0; i < 32; i++)
		data[i] = i;
	is(crc32c(0, data, 32), 0x46dd794e, "32 bytes counting up");
	is(crc32c(crc32c(0, data, 13), data + 13, 19), 0x46dd794e,
	   "in two pieces");
}

static void test_names(void)
{
	ok(name_valid("a"), "one character");
	ok(name_valid("A-z_0.9"), "all kinds");
	ok(name_valid("0123456789012345678901234567890"), "31 characters");
	ok(!name_valid("01234567890123456789012345678901"), "not 32");
	ok(!name_valid(""), "not none");
	ok(!name_valid("a b") && !name_valid("a/b") && !name_valid("\xc3\xa4"),
	   "not others");
}

static void test_layout(void)
{
	struct layout l;

	is(layout_plan(&l, 64 << 20, 64, "d"), 0, "64 MiB");
	ok(l.nr_blocks == 16384 && l.catalogue_start == 2 && l.nr_slots == 64 &&
	   l.data_start == 256 && l.data_end == 16384, "aligned to 1 MiB");
	is(layout_plan(&l, 1 << 20, 1, "d"), 0, "1 MiB");
	is(l.data_start, 4, "not aligned");
	is(layout_plan(&l, 4 * 4096, 1, "d"), -ENOSPC, "no block left");
	is(layout_plan(&l, 5 * 4096, 1, "d"), 0, "one block left");
	is(layout_plan(&l, 5 * 4096 + 4095, 1, "d"), 0, "a rest");
	is(l.data_end, 5, "is not used");
	is(layout_plan(&l, 0, 1, "d"), -ENOSPC, "nothing");
	is(layout_plan(&l, 64 << 20, 0, "d"), -EINVAL, "no slots");
	is(layout_plan(&l, 64 << 20, EXO_MAX_SLOTS + 1, "d"), -EINVAL,
	   "too many slots");
	is(layout_plan(&l, 64 << 20, 1, "a/b"), -EINVAL, "a bad name");
}

static void test_label(void)
{
	struct exo_label label;
	struct layout l;
	int i, missed = 0;

	layout_plan(&l, 64 << 20, 64, "site");
	memset(l.uuid, 0x5a, sizeof(l.uuid));
	label_make(&label, &l);
	ok(!memcmp(label.magic, "EXOLABEL", 8), "magic");
	is(le32toh(label.block_bytes), 4096, "block size");
	is(le64toh(label.nr_blocks), 16384, "blocks");
	is(le64toh(label.data_end), 16384, "end");
	ok(!label.incompat && !label.ro_compat && !label.compat, "no features");
	ok(!strcmp((char *)label.name, "site"), "name");
	ok(label_valid(&label), "it is valid");
	for (i = 0; i < EXO_BLOCK_BYTES; i++) {
		((uint8_t *)&label)[i] ^= 1 << i % 8;
		missed += label_valid(&label);
		((uint8_t *)&label)[i] ^= 1 << i % 8;
	}
	is(missed, 0, "a changed bit in any byte is noticed");
	memset(&label, 0, sizeof(label));
	ok(!label_valid(&label), "zeroes are no label");
}

static void test_slot(void)
{
	struct exo_slot slot;
	struct layout l;
	int i, missed = 0;

	layout_plan(&l, 64 << 20, 64, "site");
	memset(l.uuid, 0x5a, sizeof(l.uuid));
	slot_make(&slot, &l, 7);
	ok(slot_valid(&slot, &l, 7), "valid");
	ok(!slot_valid(&slot, &l, 8), "not in another place");
	for (i = 0; i < EXO_BLOCK_BYTES; i++) {
		((uint8_t *)&slot)[i] ^= 1 << i % 8;
		missed += slot_valid(&slot, &l, 7);
		((uint8_t *)&slot)[i] ^= 1 << i % 8;
	}
	is(missed, 0, "a changed bit in any byte is noticed");
	l.uuid[3] ^= 1;
	ok(!slot_valid(&slot, &l, 7), "not on another disk");
}

int main(void)
{
	test_crc32c();
	test_names();
	test_layout();
	test_label();
	test_slot();
	return done_testing();
}
