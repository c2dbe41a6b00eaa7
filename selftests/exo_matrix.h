/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * The matrix: what no command may fall for. Sizes below, at and above the
 * struct, unknown flags, reserved members, pointers to nowhere, outputs that
 * cannot be written. Included by exo_test.h.
 *
 *	static const struct matrix m = {
 *		.name = "FRAME_ALLOC", .cmd = EXO_CMD_FRAME_ALLOC,
 *		.size = sizeof(struct exo_frame_alloc), .min = 16,
 *		.fill = fill_alloc, .undo = undo_alloc, .outputs = true,
 *	};
 *	matrix_run(fd, &m);
 */
#ifndef EXO_SELFTESTS_EXO_MATRIX_H
#define EXO_SELFTESTS_EXO_MATRIX_H

#define MATRIX_MAX_BYTES 1024

/**
 * struct matrix - a command and how to call it rightly
 * @name: for the output
 * @cmd: EXO_CMD_*
 * @size: of its struct, as in the header
 * @min: smallest size the module takes; the same as @size if unknown
 * @valid: a struct that works each time, or NULL if @fill makes one
 * @fill: makes a struct that works, zeroed before; may create what it needs
 * @undo: takes back what a call that succeeded did, or NULL
 * @cleanup: takes back what @fill created, called after each try, or NULL
 * @flags: flags that the module knows; others must be EOPNOTSUPP
 * @result: what a right call returns: 0, or a negative errno if it cannot
 *          succeed here (EPERM for a user); then wrong calls must fail too
 * @reserved: byte offsets of __u32 members that must be zero
 * @nr_reserved: how many
 * @outputs: has out_ members, so that a read-only struct is EFAULT; without,
 *           it is as good as any
 */
struct matrix {
	const char *name;
	unsigned long cmd;
	size_t size;
	size_t min;
	const void *valid;
	void (*fill)(int fd, void *s);
	void (*undo)(int fd, void *s);
	void (*cleanup)(int fd, const void *filled);
	uint32_t flags;
	long result;
	const size_t *reserved;
	int nr_reserved;
	bool outputs;
};

/* The two words that each struct begins with. */
struct matrix_head {
	uint32_t size;
	uint32_t flags;
};

/* Two pages, the second of which is not there; the address of the hole. */
MAYBE_UNUSED static char *matrix_hole(void)
{
	static char *hole;
	char *p;

	if (hole)
		return hole;
	p = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (p == MAP_FAILED || munmap(p + 4096, 4096))
		bail("mmap: %m");
	hole = p + 4096;
	return hole;
}

MAYBE_UNUSED static void matrix_fill(int fd, const struct matrix *m, void *s)
{
	memset(s, 0, MATRIX_MAX_BYTES);
	if (m->fill)
		m->fill(fd, s);
	else
		memcpy(s, m->valid, m->size);
	((struct matrix_head *)s)->size = m->size;
}

/* One try: fill, let @change spoil the struct, call, undo. */
MAYBE_UNUSED static long matrix_try(int fd, const struct matrix *m,
				    uint32_t size, uint32_t flags,
				    size_t at, uint32_t value)
{
	_Alignas(8) char filled[MATRIX_MAX_BYTES], s[MATRIX_MAX_BYTES];
	struct matrix_head *head = (struct matrix_head *)s;
	long rc;

	matrix_fill(fd, m, filled);
	memcpy(s, filled, sizeof(s));
	head->size = size;
	head->flags |= flags;
	if (at)
		memcpy(s + at, &value, sizeof(value));
	rc = exo_ioctl(fd, m->cmd, s);
	if (rc >= 0 && m->undo)
		m->undo(fd, s);
	if (m->cleanup)
		m->cleanup(fd, filled);
	return rc;
}

MAYBE_UNUSED static void matrix_sizes(int fd, const struct matrix *m)
{
	static const uint32_t huge[] = { 4097, 1U << 20, 1U << 31, ~0U };
	size_t i;

	is(matrix_try(fd, m, 0, 0, 0, 0), -EINVAL, "%s: size 0", m->name);
	is(matrix_try(fd, m, 4, 0, 0, 0), -EINVAL, "%s: size 4", m->name);
	is(matrix_try(fd, m, m->min - 1, 0, 0, 0), -EINVAL,
	   "%s: size one below the minimum", m->name);
	is(matrix_try(fd, m, m->size, 0, 0, 0), m->result,
	   "%s: exact size", m->name);
	is(matrix_try(fd, m, m->size + 8, 0, m->size, 0), m->result,
	   "%s: 8 bytes larger, zero", m->name);
	is(matrix_try(fd, m, m->size + 8, 0, m->size + 4, 0x01000000), -E2BIG,
	   "%s: 8 bytes larger, the last not zero", m->name);
	is(matrix_try(fd, m, m->size + 1, 0, m->size, 1), -E2BIG,
	   "%s: 1 byte larger, not zero", m->name);
	for (i = 0; i < ARRAY_SIZE(huge); i++)
		ok(matrix_try(fd, m, huge[i], 0, 0, 0) < 0,
		   "%s: size %#x is refused", m->name, huge[i]);
}

MAYBE_UNUSED static void matrix_flags(int fd, const struct matrix *m)
{
	uint32_t wrong = 0;
	int i, tried = 0;
	long rc;

	for (i = 0; i < 32; i++) {
		if (m->flags & (1U << i))
			continue;
		tried++;
		rc = matrix_try(fd, m, m->size, 1U << i, 0, 0);
		if (rc != -EOPNOTSUPP) {
			wrong |= 1U << i;
			diag("flag bit %d: %ld", i, rc);
		}
	}
	ok(tried && !wrong, "%s: %d unknown flags are EOPNOTSUPP", m->name,
	   tried);
	for (i = 0; i < m->nr_reserved; i++)
		is(matrix_try(fd, m, m->size, 0, m->reserved[i], 1), -EINVAL,
		   "%s: reserved at byte %zu", m->name, m->reserved[i]);
}

/* A right struct at @where, which must be writable now. */
MAYBE_UNUSED static long matrix_at(int fd, const struct matrix *m, char *where)
{
	_Alignas(8) char filled[MATRIX_MAX_BYTES];
	long rc;

	matrix_fill(fd, m, filled);
	memcpy(where, filled, m->size);
	rc = exo_ioctl(fd, m->cmd, where);
	if (rc >= 0 && m->undo)
		m->undo(fd, where);
	if (m->cleanup)
		m->cleanup(fd, filled);
	return rc;
}

/*
 * A larger struct, zero behind what is known: the answer is no longer than
 * that, and a page is enough for any.
 */
MAYBE_UNUSED static void matrix_larger(int fd, const struct matrix *m)
{
	static _Alignas(4096) char pages[3 * 4096];
	char *s = pages + 4096 - m->size;
	_Alignas(8) char filled[MATRIX_MAX_BYTES];
	uint32_t size = m->size + 8;
	long rc;

	matrix_fill(fd, m, filled);
	memcpy(filled, &size, sizeof(size));
	memcpy(s, filled, m->size);
	mprotect(pages + 4096, 4096, PROT_READ);
	rc = exo_ioctl(fd, m->cmd, s);
	if (rc >= 0 && m->undo)
		m->undo(fd, s);
	is(rc, m->result, "%s: nothing is written behind the struct", m->name);
	if (m->cleanup)
		m->cleanup(fd, filled);

	matrix_fill(fd, m, filled);
	size = 4097;
	memcpy(filled, &size, sizeof(size));
	memcpy(s, filled, m->size);
	rc = exo_ioctl(fd, m->cmd, s);
	ok(rc < 0, "%s: more than a page of zeroes is refused", m->name);
	if (rc >= 0 && m->undo)
		m->undo(fd, s);
	if (m->cleanup)
		m->cleanup(fd, filled);
	mprotect(pages + 4096, 4096, PROT_READ | PROT_WRITE);
}

MAYBE_UNUSED static void matrix_pointers(int fd, const struct matrix *m)
{
	char *hole = matrix_hole();
	const struct {
		void *p;
		const char *what;
	} bad[] = {
		{ NULL, "NULL" },
		{ hole, "an unmapped page" },
		{ (void *)0xffff888000000000UL, "a kernel address" },
		{ (void *)0xffffffff81000000UL, "kernel text" },
		{ (void *)0x8000000000000000UL, "a non-canonical address" },
		{ (void *)0x00007ffffffffff8UL, "the end of user space" },
		{ (void *)~7UL, "the end of memory" },
	};
	_Alignas(8) char filled[MATRIX_MAX_BYTES];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		is(exo_ioctl(fd, m->cmd, bad[i].p), -EFAULT, "%s: %s",
		   m->name, bad[i].what);

	is(matrix_at(fd, m, hole - m->size), m->result,
	   "%s: a struct that ends where the page ends", m->name);
	matrix_fill(fd, m, filled);
	memcpy(hole - 8, filled, 8);
	is(exo_ioctl(fd, m->cmd, hole - 8), -EFAULT,
	   "%s: all but size and flags unmapped", m->name);
	memcpy(hole - m->size + 1, filled, m->size - 1);
	is(exo_ioctl(fd, m->cmd, hole - m->size + 1), -EFAULT,
	   "%s: the last byte unmapped", m->name);
	memcpy(hole - 3, filled, 3);
	is(exo_ioctl(fd, m->cmd, hole - 3), -EFAULT,
	   "%s: the size itself cut off", m->name);
	if (m->cleanup)
		m->cleanup(fd, filled);
}

/*
 * A struct that cannot be written: EFAULT, and nothing stays behind, if there
 * are outputs; else it works.
 */
MAYBE_UNUSED static void matrix_readonly(int fd, const struct matrix *m)
{
	_Alignas(8) char filled[MATRIX_MAX_BYTES];
	long rc, want = m->outputs && m->result >= 0 ? -EFAULT : m->result;
	struct exo_stats before;
	char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		bail("mmap: %m");
	matrix_fill(fd, m, filled);
	memcpy(page, filled, m->size);
	if (mprotect(page, 4096, PROT_READ))
		bail("mprotect: %m");
	before = stats_get(fd);
	rc = exo_ioctl(fd, m->cmd, page);
	is(rc, want, "%s: a read-only struct", m->name);
	if (m->outputs)
		ok(stats_wait(fd, &before, 2000),
		   "%s: and nothing stays behind", m->name);
	else if (rc >= 0 && m->undo)
		m->undo(fd, page);
	if (m->cleanup)
		m->cleanup(fd, filled);
	munmap(page, 4096);
}

/* Everything above, and the counters are what they were. */
MAYBE_UNUSED static void matrix_run(int fd, const struct matrix *m)
{
	struct exo_stats before = stats_get(fd);

	if (m->size + 8 > MATRIX_MAX_BYTES)
		bail("%s: the struct is too large for the matrix", m->name);
	matrix_sizes(fd, m);
	matrix_flags(fd, m);
	matrix_pointers(fd, m);
	matrix_larger(fd, m);
	matrix_readonly(fd, m);
	ok(stats_wait(fd, &before, 2000), "%s: counters are as before the matrix",
	   m->name);
}

#endif /* EXO_SELFTESTS_EXO_MATRIX_H */
