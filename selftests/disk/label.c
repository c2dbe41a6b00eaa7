// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * The module's label decoder in user space, under the sanitizers: known sums,
 * round trips, and many blocks of random damage, of which whatever is accepted
 * must keep the promises of label.h.
 */
#include "../../kmod/label.c"

#include "../exo_test.h"

#define NR_BLOCKS 10000ULL

static u64 random_state = 88172645463325252ULL;

static u64 random_u64(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static void label_good(struct exo_label *l)
{
	memset(l, 0, sizeof(*l));
	memcpy(l->magic, EXO_LABEL_MAGIC, 8);
	l->block_bytes = cpu_to_le32(EXO_BLOCK_BYTES);
	l->nr_blocks = cpu_to_le64(NR_BLOCKS);
	l->catalogue_start = cpu_to_le64(2);
	l->nr_slots = cpu_to_le32(8);
	l->data_start = cpu_to_le64(18);
	l->data_end = cpu_to_le64(NR_BLOCKS);
	l->crc32c = cpu_to_le32(exo_block_sum(l, 8));
}

static void sums(void)
{
	struct exo_label l;
	struct exo_flaw flaw;
	int i, caught = 0;

	is(~__crc32c_le(~0U, (const u8 *)"123456789", 9) & 0xffffffff,
	   0xe3069283, "CRC-32C of 123456789");
	label_good(&l);
	is(exo_label_verify(&l, &flaw), 0, "a good label is whole");
	for (i = 0; i < EXO_BLOCK_BYTES; i += 7) {
		((u8 *)&l)[i] ^= 0x10;
		caught += exo_label_verify(&l, &flaw) == -EUCLEAN;
		((u8 *)&l)[i] ^= 0x10;
	}
	is(caught, (EXO_BLOCK_BYTES + 6) / 7, "each flipped bit is noticed");
}

static bool inside(u64 start, u64 nr, u64 floor, u64 end)
{
	return nr && start >= floor && start < end && nr <= end - start;
}

/* True if what was accepted keeps its promises. */
static bool geometry_right(const struct exo_geometry *g)
{
	u64 catalogue = 2ULL * g->nr_slots, data = g->data_end - g->data_start;

	return g->nr_blocks <= NR_BLOCKS && g->nr_slots &&
	       g->nr_slots <= EXO_MAX_SLOTS &&
	       inside(g->catalogue_start, catalogue, 2, g->nr_blocks) &&
	       inside(g->data_start, data, 2, g->nr_blocks) &&
	       (g->catalogue_start + catalogue <= g->data_start ||
		g->data_end <= g->catalogue_start) && !g->name[31];
}

/* Damage some fields: with small numbers, large ones, or single bits. */
static void damage(void *block, size_t bytes)
{
	int i, nr = 1 + random_u64() % 4;

	for (i = 0; i < nr; i++) {
		u64 value = random_u64();
		size_t at = random_u64() % (bytes / 4) * 4;

		switch (random_u64() % 4) {
		case 0:
			value = -(value % 32);
			break;
		case 1:
			value %= 2 * NR_BLOCKS;
			break;
		case 2:
			((u8 *)block)[at] ^= 1 << value % 8;
			continue;
		}
		memcpy((u8 *)block + at, &value, at % 8 || value % 2 ? 4 : 8);
	}
}

static void fuzz_labels(void)
{
	int i, taken = 0, refused = 0, wrong = 0;
	struct exo_geometry g;
	struct exo_flaw flaw;
	struct exo_label l;

	for (i = 0; i < 200000; i++) {
		label_good(&l);
		damage(&l, 160);
		memset(&flaw, 0, sizeof(flaw));
		if (exo_label_decode(&l, NR_BLOCKS, &g, &flaw)) {
			refused++;
			wrong += !flaw.field || !flaw.want;
		} else {
			taken++;
			wrong += !geometry_right(&g);
		}
	}
	diag("labels: %d accepted, %d refused", taken, refused);
	ok(!wrong, "damaged labels: refused with a reason, or possible");
	ok(taken > 1000 && refused > 1000, "both happened often");
}

static void entry_good(struct exo_entry *entry)
{
	struct exo_entry_info info = {
		.start = 100, .nr_blocks = 50, .generation = 9,
		.state = EXO_ENTRY_CLEAN, .uid = 1001, .gid = 1000,
		.mode = 0640, .name = "notes",
	};

	memset(entry, 0, sizeof(*entry));
	exo_entry_encode(entry, &info);
}

static bool entry_right(const struct exo_entry_info *info,
			const struct exo_geometry *g)
{
	if (info->state == EXO_ENTRY_FREE)
		return !info->nr_blocks;
	return (info->state == EXO_ENTRY_CLEAN ||
		info->state == EXO_ENTRY_TO_BE_ZEROED) &&
	       inside(info->start, info->nr_blocks, g->data_start,
		      g->data_end) && info->uid != ~0U && info->gid != ~0U &&
	       !(info->mode & ~0666) && info->name[0] && !info->name[31];
}

static void fuzz_entries(void)
{
	int i, taken = 0, refused = 0, wrong = 0;
	struct exo_entry_info info;
	struct exo_geometry g;
	struct exo_entry entry;
	struct exo_flaw flaw;
	struct exo_label l;

	label_good(&l);
	is(exo_label_decode(&l, NR_BLOCKS, &g, &flaw), 0, "a good label");
	entry_good(&entry);
	is(exo_entry_decode(&entry, &g, &info, &flaw), 0, "a good entry");
	ok(info.start == 100 && info.nr_blocks == 50 && info.uid == 1001 &&
	   info.gid == 1000 && info.mode == 0640 && info.generation == 9 &&
	   !strcmp((char *)info.name, "notes"), "comes back as it was");
	for (i = 0; i < 200000; i++) {
		entry_good(&entry);
		damage(&entry, 88);
		memset(&flaw, 0, sizeof(flaw));
		if (exo_entry_decode(&entry, &g, &info, &flaw)) {
			refused++;
			wrong += !flaw.field || !flaw.want;
		} else {
			taken++;
			wrong += !entry_right(&info, &g);
		}
	}
	diag("entries: %d accepted, %d refused", taken, refused);
	ok(!wrong, "damaged entries: refused with a reason, or possible");
	ok(taken > 1000 && refused > 1000, "both happened often");
}

static void slots(void)
{
	struct exo_slot s = { .magic = cpu_to_le32(EXO_SLOT_MAGIC),
			      .index = cpu_to_le32(3), .uuid = "fifteen bytes!!" };
	struct exo_flaw flaw;
	u8 other[16] = "sixteen bytes!!";

	entry_good(&s.entry[14]);
	exo_slot_seal(&s, 77);
	is(le64_to_cpu(s.generation), 77, "the generation is set");
	is(exo_slot_verify(&s, 3, s.uuid, &flaw), 0, "a sealed slot is whole");
	is(exo_slot_verify(&s, 2, s.uuid, &flaw), -EUCLEAN, "another's index");
	is(exo_slot_verify(&s, 3, other, &flaw), -EUCLEAN, "another disk's");
	s.entry[14].reserved[167] ^= 1;
	is(exo_slot_verify(&s, 3, s.uuid, &flaw), -EUCLEAN, "its last byte");
}

/* What is kept of an entry when its state changes, and what when it goes. */
static void encodes(void)
{
	struct exo_entry_info info = { .state = EXO_ENTRY_FREE };
	struct exo_entry entry, zero = { 0 };

	entry_good(&entry);
	entry.reserved[5] = 7;
	info.state = EXO_ENTRY_TO_BE_ZEROED;
	exo_entry_encode(&entry, &info);
	is(entry.reserved[5], 7, "reserved bytes of an entry are kept");
	info.state = EXO_ENTRY_FREE;
	exo_entry_encode(&entry, &info);
	ok(!memcmp(&entry, &zero, sizeof(zero)), "until it is free");
}

static void names(void)
{
	static const struct {
		u8 name[EXO_NAME_BYTES + 1];
		bool valid;
	} name[] = {
		{ "a", true }, { "", false }, { ".", true }, { "a b", false },
		{ "0123456789012345678901234567890", true },
		{ "01234567890123456789012345678901", false },
		{ "a\0b", false }, { "\x7f", false }, { "\xe9", false },
		{ "A-Z_a.z", true }, { "a/", false }, { "@", false },
		{ "[", false }, { "`", false }, { "{", false },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(name); i++)
		is(exo_name_valid(name[i].name), name[i].valid, "name %zu", i);
}

int main(void)
{
	sums();
	names();
	slots();
	encodes();
	fuzz_labels();
	fuzz_entries();
	return done_testing();
}
