// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Labels and catalogues that are wrong: each field changed, with a checksum
 * that fits; torn copies; random bits. Nothing crashes, what is impossible is
 * refused, and the log says why. What a crash leaves, or one copy that rots,
 * loses nothing.
 *
 * vm: --disk 64
 */
#include "disk.h"

#define PATH "/dev/vda"

/* Attach must fail with @want and a line about @field. */
static void refused(int env, long want, const char *field, const char *what)
{
	uint32_t disk;
	long rc;

	logged("");
	rc = disk_attach(env, PATH, &disk);
	if (!rc)
		disk_detach(env, disk);
	is(rc, want, "%s is refused", what);
	if (want)
		ok(logged(field), "and the log names \"%s\"", field);
}

static void put_label(const struct exo_label *label)
{
	int fd = device_open(PATH);

	block_write(fd, 0, label);
	block_write(fd, 1, label);
	fsync(fd);
	close(fd);
}

static void put_slot(const struct exo_slot *slot, uint32_t index)
{
	int fd = device_open(PATH);

	block_write(fd, CATALOGUE + 2 * index, slot);
	block_write(fd, CATALOGUE + 2 * index + 1, slot);
	fsync(fd);
	close(fd);
}

static uint64_t nr_blocks;

#define LABEL_CASE(field_, value_, errno_, word_)			\
	do {								\
		struct exo_label l_;					\
									\
		label_make(&l_, nr_blocks);				\
		l_.field_ = (value_);					\
		label_seal(&l_);					\
		put_label(&l_);						\
		refused(env, errno_, word_, "label: " #field_ " = " #value_); \
	} while (0)

static void label_fields(int env)
{
	LABEL_CASE(magic[7], 'X', -EUCLEAN, "magic is");
	LABEL_CASE(block_bytes, htole32(512), -EUCLEAN, "block_bytes is 512");
	LABEL_CASE(block_bytes, 0, -EUCLEAN, "block_bytes is 0");
	LABEL_CASE(incompat, htole64(1), -EPROTONOSUPPORT, "incompat is 1");
	LABEL_CASE(incompat, htole64(1ULL << 63), -EPROTONOSUPPORT,
		   "incompat is");
	LABEL_CASE(ro_compat, htole64(4), -EPROTONOSUPPORT, "ro_compat is 4");
	LABEL_CASE(name[2], ' ', -EUCLEAN, "name is");
	LABEL_CASE(name[31], 'x', -EUCLEAN, "name is");
	LABEL_CASE(nr_blocks, htole64(nr_blocks + 1), -EUCLEAN,
		   "nr_blocks is");
	LABEL_CASE(nr_blocks, ~0ULL, -EUCLEAN, "nr_blocks is");
	LABEL_CASE(nr_blocks, htole64(8), -EUCLEAN, "catalogue_start is");
	LABEL_CASE(nr_slots, 0, -EUCLEAN, "nr_slots is 0");
	LABEL_CASE(nr_slots, htole32(4097), -EUCLEAN, "nr_slots is 4097");
	LABEL_CASE(nr_slots, ~0U, -EUCLEAN, "nr_slots is");
	LABEL_CASE(nr_slots, htole32(4096), -EUCLEAN, "data_start is");
	LABEL_CASE(catalogue_start, 0, -EUCLEAN, "catalogue_start is 0");
	LABEL_CASE(catalogue_start, htole64(1), -EUCLEAN,
		   "catalogue_start is 1");
	LABEL_CASE(catalogue_start, ~0ULL, -EUCLEAN, "catalogue_start is");
	LABEL_CASE(catalogue_start, htole64(nr_blocks - 7), -EUCLEAN,
		   "catalogue_start is");
	LABEL_CASE(catalogue_start, htole64(12), -EUCLEAN, "data_start is");
	LABEL_CASE(data_start, 0, -EUCLEAN, "data_start is 0");
	LABEL_CASE(data_start, htole64(3), -EUCLEAN, "data_start is 3");
	LABEL_CASE(data_start, htole64(nr_blocks), -EUCLEAN, "data_start is");
	LABEL_CASE(data_start, ~0ULL, -EUCLEAN, "data_start is");
	LABEL_CASE(data_end, htole64(nr_blocks + 1), -EUCLEAN, "data_end is");
	LABEL_CASE(data_end, 0, -EUCLEAN, "data_start is");
	LABEL_CASE(types_start, htole64(3), -EUCLEAN, "types_start is 3");
	LABEL_CASE(types_blocks, htole64(3), -EUCLEAN, "types_start is 0");
	LABEL_CASE(compat, htole64(1), 0, "");
	LABEL_CASE(reserved[3943], 1, 0, "");
}

/* A name may have 31 characters; the 32nd byte is always NUL. */
static void long_names(int env)
{
	static const char name[] = "0123456789abcdef0123456789abcdef";
	struct exo_label label;
	struct exo_slot slot;

	label_make(&label, nr_blocks);
	memcpy(label.name, name, sizeof(label.name));
	label_seal(&label);
	put_label(&label);
	refused(env, -EUCLEAN, "name is", "label: a name without an end");
	disk_format(PATH);
	slot_make(&slot, 1);
	entry_make(&slot.entry[3], 100, 10, name);
	slot_seal(&slot);
	put_slot(&slot, 1);
	refused(env, -EUCLEAN, "name is", "entry: a name without an end");
}

/* Ranges that are wrong although nothing else is in their way. */
static void label_ranges(int env)
{
	struct exo_label label;

	label_make(&label, nr_blocks);
	label.catalogue_start = htole64(nr_blocks - 2 * NR_SLOTS);
	label.data_start = htole64(1);
	label.data_end = htole64(nr_blocks - 2 * NR_SLOTS);
	label_seal(&label);
	put_label(&label);
	refused(env, -EUCLEAN, "data_start is 1", "label: extents at block 1");
	label_make(&label, nr_blocks);
	label.types_start = htole64(1);
	label.types_blocks = htole64(1);
	label_seal(&label);
	put_label(&label);
	refused(env, -EUCLEAN, "types_start is 1", "label: types at block 1");
	label.types_start = htole64(CATALOGUE + 2 * NR_SLOTS - 1);
	label.types_blocks = htole64(2);
	label_seal(&label);
	put_label(&label);
	refused(env, -EUCLEAN, "types_start is 9",
		"label: types over the end of the catalogue");
}

#define ENTRY_CASE(field_, value_, word_)				\
	do {								\
		struct exo_slot s_;					\
									\
		slot_make(&s_, 1);					\
		entry_make(&s_.entry[3], 100, 10, "good");		\
		s_.entry[3].field_ = (value_);				\
		slot_seal(&s_);						\
		put_slot(&s_, 1);					\
		refused(env, word_[0] ? -EUCLEAN : 0, word_,		\
			"entry: " #field_ " = " #value_);		\
	} while (0)

static void entry_fields(int env)
{
	ENTRY_CASE(state, htole32(3), "slot 1 entry 3): state is 3");
	ENTRY_CASE(state, htole32(4), "state is 4");
	ENTRY_CASE(state, ~0U, "state is");
	ENTRY_CASE(flags, htole32(1), "flags is 1");
	ENTRY_CASE(uid, ~0U, "uid is");
	ENTRY_CASE(gid, ~0U, "gid is");
	ENTRY_CASE(mode, htole32(0700), "mode is");
	ENTRY_CASE(mode, htole32(04600), "mode is");
	ENTRY_CASE(type, htole32(1), "type is 1");
	ENTRY_CASE(root_block, htole64(100), "root_block is 100");
	ENTRY_CASE(start, htole64(DATA_START - 1), "start is 15");
	ENTRY_CASE(start, htole64(nr_blocks), "start is");
	ENTRY_CASE(start, ~0ULL, "start is");
	ENTRY_CASE(start, htole64(-5ULL), "start is");
	ENTRY_CASE(nr_blocks, 0, "start is 100");
	ENTRY_CASE(nr_blocks, ~0ULL, "start is 100");
	ENTRY_CASE(nr_blocks, htole64(nr_blocks - 99), "start is 100");
	ENTRY_CASE(name[0], 0, "name is");
	ENTRY_CASE(name[0], '/', "name is");
	ENTRY_CASE(name[31], 'x', "name is");
	ENTRY_CASE(state, htole32(EXO_ENTRY_FREE), "");
	ENTRY_CASE(state, htole32(EXO_ENTRY_TO_BE_ZEROED), "");
	ENTRY_CASE(reserved[0], 1, "");
}

static void two_entries(int env, uint64_t start, uint64_t nr,
			const char *name, long want, const char *word)
{
	struct exo_slot s;

	disk_format(PATH);
	slot_make(&s, 0);
	entry_make(&s.entry[0], 100, 10, "good");
	slot_seal(&s);
	put_slot(&s, 0);
	slot_make(&s, 2);
	entry_make(&s.entry[14], start, nr, name);
	slot_seal(&s);
	put_slot(&s, 2);
	refused(env, want, word, word);
}

static void overlaps(int env)
{
	two_entries(env, 109, 5, "other", -EUCLEAN, "start is 109");
	two_entries(env, 95, 6, "other", -EUCLEAN, "start is 95");
	two_entries(env, 50, 100, "other", -EUCLEAN, "start is 50");
	two_entries(env, 102, 1, "other", -EUCLEAN, "start is 102");
	two_entries(env, 110, 5, "good", -EUCLEAN, "one extent of that name");
	two_entries(env, 110, 5, "other", 0, "neighbours");
	two_entries(env, 95, 5, "other", 0, "neighbours before");
}

#define SLOT_CASE(field_, value_, word_)				\
	do {								\
		struct exo_slot s_;					\
									\
		slot_make(&s_, 2);					\
		s_.field_ = (value_);					\
		slot_seal(&s_);						\
		put_slot(&s_, 2);					\
		refused(env, -EUCLEAN, word_, "slot: " #field_ " = " #value_); \
	} while (0)

static void slot_fields(int env)
{
	SLOT_CASE(magic, 0, "block 6 (slot 2): magic is 0");
	SLOT_CASE(index, htole32(1), "index is 1");
	SLOT_CASE(uuid[15], 1, "uuid is");
}

static void flip(uint64_t block, size_t byte)
{
	uint8_t b[BLOCK];
	int fd = device_open(PATH);

	block_read(fd, block, b);
	b[byte] ^= 1;
	block_write(fd, block, b);
	fsync(fd);
	close(fd);
}

static bool copies_agree(uint32_t index)
{
	uint8_t copy[2][BLOCK];
	int fd = device_open(PATH), i;

	for (i = 0; i < 2; i++)
		block_read(fd, CATALOGUE + 2 * index + i, copy[i]);
	close(fd);
	return !memcmp(copy[0], copy[1], BLOCK);
}

/* One copy gone is no harm; both are. The newer one counts. */
static void copies(int env)
{
	struct exo_slot s;
	uint32_t disk;
	int fd, i;

	for (i = 0; i < 2; i++) {
		disk_format(PATH);
		flip(i, 4000);
		flip(CATALOGUE + i, 4000);
		refused(env, 0, "", "one torn label and slot");
		flip(!i, 4000);
		refused(env, -EUCLEAN, "crc32c is", "both labels torn");
	}
	disk_format(PATH);
	flip(CATALOGUE, 300);
	flip(CATALOGUE + 1, 300);
	refused(env, -EUCLEAN, "block 3 (slot 0): crc32c is",
		"both copies of a slot torn");

	for (i = 0; i < 2; i++) {
		disk_format(PATH);
		slot_make(&s, 0);
		s.generation = htole64(7);
		entry_make(&s.entry[0], 100, 10, "newer");
		slot_seal(&s);
		fd = device_open(PATH);
		block_write(fd, CATALOGUE + i, &s);
		fsync(fd);
		close(fd);
		is(disk_attach(env, PATH, &disk), 0, "newer copy is %d", i);
		is(extent_open(env, disk, UID_ALICE, "newer", EXO_RIGHT_READ,
			       NULL), 0, "and counts");
		close(env);
		env = exo_open();
		disk_detach(env, disk);
		ok(copies_agree(0), "and both copies are alike");
	}
	close(env);
}

/* Rot in one copy, long after the change: noticed, and nothing is lost. */
static void rot(int env, int copy, uint32_t *disk)
{
	char want[64];

	flip(CATALOGUE + copy, 300);
	logged("");
	is(disk_attach(env, PATH, disk), 0, "copy %d rotten: attach", copy);
	snprintf(want, sizeof(want), "slot 0: the copy in block %d counts",
		 (int)CATALOGUE + !copy);
	ok(logged(want), "and the log says which one counts");
	ok(copies_agree(0), "and both copies are alike");
}

static void rotten_after_create(int env, int copy)
{
	uint32_t disk = disk_fresh(env, PATH), x;
	struct mem m = mem_new(env, 1, 0);

	is(extent_create(env, disk, "kept", 100, 10, 0600, &x), 0, "create");
	pattern_fill(m.p, 100, BLOCK);
	is(io_do(env, EXO_IO_WRITE, x, 9, 1, m.handle, 0), BLOCK, "write");
	exo_close_handle(env, x);
	is(disk_detach(env, disk), 0, "detach");
	ok(copies_agree(0), "a created extent stands in both copies");
	rot(env, copy, &disk);
	is(extent_open(env, disk, 0, "kept", EXO_RIGHT_READ, &x), 0, "open");
	memset(m.p, 0, BLOCK);
	is(io_do(env, EXO_IO_READ, x, 9, 1, m.handle, 0), BLOCK, "read");
	ok(pattern_same(m.p, 100, BLOCK), "its content is what was written");
	exo_close_handle(env, x);
	is(disk_detach(env, disk), 0, "detach");
	mem_free(env, &m);
}

static void rotten_after_delete(int env, int copy)
{
	uint32_t disk = disk_fresh(env, PATH), x;

	is(extent_create(env, disk, "gone", 100, 10, 0600, &x), 0, "create");
	is(extent_delete(env, x), 0, "delete");
	is(disk_detach(env, disk), 0, "detach");
	rot(env, copy, &disk);
	is(extent_open(env, disk, 0, "gone", EXO_RIGHT_READ, NULL), -ENOENT,
	   "what was deleted stays deleted");
	is(disk_detach(env, disk), 0, "detach");
}

/* The disk as a crash while slot 0 was written left it; is "new" there? */
static void crashed(int env, const void *first, const void *second, bool want,
		    const char *when)
{
	uint32_t disk;
	int fd = device_open(PATH);

	block_write(fd, CATALOGUE, first);
	block_write(fd, CATALOGUE + 1, second);
	fsync(fd);
	close(fd);
	is(disk_attach(env, PATH, &disk), 0, "crash %s: attach", when);
	is(extent_open(env, disk, UID_ALICE, "new", EXO_RIGHT_READ, NULL),
	   want ? 0 : -ENOENT, "the extent is %s", want ? "there" : "not there");
	close(env);
	env = exo_open();
	is(disk_detach(env, disk), 0, "detach");
	ok(copies_agree(0), "both copies are alike");
	close(env);
}

static void crash_states(void)
{
	struct exo_slot before, after, torn;

	disk_format(PATH);
	slot_make(&before, 0);
	slot_make(&after, 0);
	after.generation = htole64(2);
	entry_make(&after.entry[9], 100, 10, "new");
	slot_seal(&after);
	torn = before;
	memcpy(&torn, &after, 512);
	crashed(exo_open(), &torn, &before, false, "in the first copy");
	crashed(exo_open(), &after, &before, true, "after the first copy");
	crashed(exo_open(), &after, &torn, true, "in the second copy");
	crashed(exo_open(), &after, &after, true, "after the second copy");
}

/* A slot that has been written as often as can be counted stays as it is. */
static void last_generation(int env)
{
	struct exo_slot s;
	uint32_t disk;

	disk_format(PATH);
	slot_make(&s, 0);
	s.generation = ~0ULL;
	slot_seal(&s);
	put_slot(&s, 0);
	is(disk_attach(env, PATH, &disk), 0, "the last generation: attach");
	is(extent_create(env, disk, "x", 100, 1, 0600, NULL), -EIO,
	   "the last generation: no change");
	is(disk_detach(env, disk), 0, "the last generation: detach");
}

/* Random bits anywhere in the metadata, checksums mended half of the time. */
static void random_bits(int env)
{
	uint32_t disk, nr_ok = 0, nr_refused = 0, odd = 0;
	uint8_t b[BLOCK];
	long rc;
	int i, j, fd;

	srand(20260101);
	for (i = 0; i < 300; i++) {
		uint64_t block = i & 1 ? 0 : CATALOGUE + 2 * (rand() % NR_SLOTS);
		struct exo_slot s;

		disk_format(PATH);
		slot_make(&s, 0);
		entry_make(&s.entry[0], 100, 10, "one");
		entry_make(&s.entry[1], 200, 10, "two");
		slot_seal(&s);
		put_slot(&s, 0);
		fd = device_open(PATH);
		block_read(fd, block, b);
		for (j = rand() % 8; j >= 0; j--)
			b[rand() % (rand() % 2 ? 600 : BLOCK)] ^=
				1 << rand() % 8;
		if (block)
			slot_seal((void *)b);
		else
			label_seal((void *)b);
		block_write(fd, block, b);
		block_write(fd, block + 1, b);
		fsync(fd);
		close(fd);
		rc = disk_attach(env, PATH, &disk);
		if (!rc && disk_detach(env, disk))
			bail("detach after random bits, round %d", i);
		nr_ok += !rc;
		nr_refused += rc == -EUCLEAN || rc == -EPROTONOSUPPORT;
		odd += rc && rc != -EUCLEAN && rc != -EPROTONOSUPPORT;
	}
	diag("random bits: %u attached, %u refused", nr_ok, nr_refused);
	ok(!odd, "random bits: attached, or refused as unclean");
	ok(nr_refused > 50, "random bits: most are noticed");
}

/* A formatted disk never seen before, on an unformatted device. */
static void blank(int env)
{
	uint8_t zero[BLOCK] = { 0 };
	int fd = device_open(PATH);

	block_write(fd, 0, zero);
	block_write(fd, 1, zero);
	fsync(fd);
	close(fd);
	refused(env, -EUCLEAN, "block 1 (label): magic is 0",
		"an unformatted device");
}

int main(void)
{
	struct exo_stats before;
	int env, fd, i;

	exo_setup();
	logged_start();
	fd = device_open(PATH);
	nr_blocks = device_blocks(fd);
	close(fd);
	env = exo_open();
	before = stats_get(env);
	blank(env);
	disk_format(PATH);
	refused(env, 0, "", "nothing wrong");
	label_fields(env);
	label_ranges(env);
	long_names(env);
	disk_format(PATH);
	entry_fields(env);
	disk_format(PATH);
	slot_fields(env);
	overlaps(env);
	copies(exo_open());
	for (i = 0; i < 2; i++) {
		rotten_after_create(env, i);
		rotten_after_delete(env, i);
	}
	crash_states();
	last_generation(env);
	random_bits(env);
	ok(stats_wait(env, &before, 2000), "counters are as at the start");
	return done_testing();
}
