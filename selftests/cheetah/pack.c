// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * pack: is what was packed what is found, and is a damaged pack refused or at
 * least harmless?
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../common/crc32c.h"
#include "../../samples/cheetah/doc.h"
#include "../../samples/cheetah/http.h"
#include "../../samples/cheetah/pack.h"

static int failures;
static unsigned int notes;

static void check(bool ok, const char *what, const char *about)
{
	if (ok)
		return;
	failures++;
	printf("not ok: %s: %s\n", what, about);
}

/* An extent in memory. It must be written front to back but for block 0. */
struct mem_sink {
	struct pack_sink sink;
	char *blocks;
	uint64_t nr_blocks;
	uint64_t fail_at;	/* the write of this number fails */
	uint64_t nr_writes;
	unsigned int nr_flushes;
	bool complete;		/* block 0 was written after a flush */
};

static int mem_write(struct pack_sink *sink, uint64_t block, const void *data,
		     uint32_t nr_blocks)
{
	struct mem_sink *m = (struct mem_sink *)sink;

	if (++m->nr_writes == m->fail_at)
		return -EIO;
	check(block <= m->nr_blocks && nr_blocks <= m->nr_blocks - block,
	      "write", "outside the extent");
	if (block == 0)
		m->complete = m->nr_flushes == 1;
	memcpy(m->blocks + block * DOC_BLOCK_BYTES, data,
	       (size_t)nr_blocks * DOC_BLOCK_BYTES);
	return 0;
}

static int mem_flush(struct pack_sink *sink)
{
	((struct mem_sink *)sink)->nr_flushes++;
	return 0;
}

static void on_note(void *ctx, const char *path, const char *what)
{
	(void)ctx;
	(void)path;
	(void)what;
	notes++;
}

static void write_file(const char *path, const void *data, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	if (fd < 0 || write(fd, data, len) != (ssize_t)len) {
		perror(path);
		exit(1);
	}
	close(fd);
}

static void write_pattern(const char *path, size_t len)
{
	char *data = malloc(len + 1);
	size_t i;

	for (i = 0; i < len; i++)
		data[i] = i * 7 + len + i / 251;
	write_file(path, data, len);
	free(data);
}

static const struct {
	const char *path;
	const char *name;
	size_t len;
} files[] = {
	{ "a.css", "/a.css", 300 },
	{ "empty", "/empty", 0 },
	{ "one", "/one", 1 },
	{ "chunk.bin", "/chunk.bin", 65536 },
	{ "big.bin", "/big.bin", 1000003 },
	{ "x y\xc3\xa9%.txt", "/x%20y%C3%A9%25.txt", 77 },
	{ "d/p1.png", "/d/p1.png", 5000 },
	{ "d/p2.png", "/d/p2.png", 6000 },
	{ "d/e/deep", "/d/e/deep", 40 },
};

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define NR_FILES ARRAY_SIZE(files)

static void make_tree(void)
{
	static const char page[] = "<html><img src=\"d/p2.png\">"
		"<link href=\"a.css\"></html>";
	char name[300];
	size_t i;

	mkdir("d", 0755);
	mkdir("d/e", 0755);
	mkdir("f", 0755);
	for (i = 0; i < NR_FILES; i++)
		write_pattern(files[i].path, files[i].len);
	write_file("index.html", page, sizeof(page) - 1);
	write_file("f/index.html", "f", 1);
	/* Enough names to make chains in the hash table. */
	mkdir("many", 0755);
	for (i = 0; i < 500; i++) {
		snprintf(name, sizeof(name), "many/file%03zu.html", i);
		write_pattern(name, i);
	}
	if (symlink("d/p1.png", "inside") || symlink("../..", "outside") ||
	    symlink("/etc/passwd", "absolute") || symlink("nowhere", "broken") ||
	    symlink("../d", "d/loop") || mkfifo("fifo", 0644)) {
		perror("make_tree");
		exit(1);
	}
}

static int pack_tree(int root, struct mem_sink *m, uint64_t fail_at)
{
	struct pack pack;
	int rc;

	notes = 0;
	pack_init(&pack, root);
	pack.note = on_note;
	rc = pack_scan(&pack);
	check(rc == 0, "pack_scan", strerror(-rc));
	rc = pack_plan(&pack);
	check(rc == 0, "pack_plan", strerror(-rc));
	*m = (struct mem_sink) {
		.sink = { .write = mem_write, .flush = mem_flush },
		.nr_blocks = pack.nr_blocks,
		.blocks = calloc(pack.nr_blocks, DOC_BLOCK_BYTES),
		.fail_at = fail_at,
	};
	rc = pack_build(&pack, &m->sink);
	pack_free(&pack);
	return rc;
}

/* As the server opens it. The index is copied, for the sanitizer's bounds. */
static int open_pack(const struct mem_sink *m, struct doc_index *ix, char **mem)
{
	const char *why = NULL;
	size_t len;
	int rc;

	*mem = NULL;
	rc = doc_super_check(ix, m->blocks, m->nr_blocks, &why);
	if (!rc) {
		len = ix->index_blocks * DOC_BLOCK_BYTES;
		*mem = malloc(len);
		memcpy(*mem, m->blocks + ix->index_start * DOC_BLOCK_BYTES, len);
		rc = doc_index_check(ix, *mem, &why);
	}
	check(!rc || why, "open_pack", "refused without a word");
	return rc;
}

static const char *bytes_of(const struct mem_sink *m,
			    const struct doc_index *ix,
			    const struct doc_entry *e)
{
	return m->blocks + ix->data_start * DOC_BLOCK_BYTES +
	       le64toh(e->offset);
}

static void check_file(const struct mem_sink *m, const struct doc_index *ix,
		       const char *path, const char *name)
{
	const struct doc_entry *e = doc_lookup(ix, name, strlen(name));
	char length[64];
	const char *head, *body;
	uint64_t first, last, len;
	struct stat st;
	char *want;
	int fd;

	check(e && le16toh(e->status) == 200, "not found", name);
	if (!e)
		return;
	head = bytes_of(m, ix, e);
	body = head + le16toh(e->head_bytes);
	fd = open(path, O_RDONLY);
	fstat(fd, &st);
	want = malloc(st.st_size + 1);
	check(read(fd, want, st.st_size) == st.st_size, "read", path);
	close(fd);
	check(le64toh(e->body_bytes) == (uint64_t)st.st_size &&
	      !memcmp(body, want, st.st_size), "body", name);
	free(want);
	snprintf(length, sizeof(length), "Content-Length: %llu\r\n",
		 (unsigned long long)st.st_size);
	check(memmem(head, le16toh(e->head_bytes), length, strlen(length)) &&
	      !memcmp(body - 4, "\r\n\r\n", 4), "head", name);
	len = doc_bytes(e);
	first = le64toh(e->offset) / DOC_CHUNK_BYTES;
	last = (le64toh(e->offset) + len - 1) / DOC_CHUNK_BYTES;
	check(last - first == (len - 1) / DOC_CHUNK_BYTES,
	      "in more chunks than needed", name);
}

static uint64_t offset_of(const struct doc_index *ix, const char *name)
{
	const struct doc_entry *e = doc_lookup(ix, name, strlen(name));

	return e ? le64toh(e->offset) : 0;
}

static int status_of(const struct doc_index *ix, const char *name)
{
	const struct doc_entry *e = doc_lookup(ix, name, strlen(name));

	return e ? le16toh(e->status) : 404;
}

static void test_content(const struct mem_sink *m)
{
	struct doc_index ix;
	char path[64], name[80], *mem;
	uint64_t page;
	uint32_t i;
	int rc;

	rc = open_pack(m, &ix, &mem);
	check(rc == 0, "open", strerror(-rc));
	if (rc)
		return;
	for (i = 0; i < NR_FILES; i++)
		check_file(m, &ix, files[i].path, files[i].name);
	for (i = 0; i < 500; i++) {
		snprintf(path, sizeof(path), "many/file%03u.html", i);
		snprintf(name, sizeof(name), "/%s", path);
		check_file(m, &ix, path, name);
	}
	check_file(m, &ix, "index.html", "/");
	check_file(m, &ix, "f/index.html", "/f/");
	check_file(m, &ix, "d/p1.png", "/inside");
	check(status_of(&ix, "/d") == 301 && status_of(&ix, "/f") == 301 &&
	      status_of(&ix, "/d/") == 403 && status_of(&ix, "/d/e/") == 403,
	      "folders", "status");
	check(status_of(&ix, "/outside") == 404 &&
	      status_of(&ix, "/absolute") == 404 &&
	      status_of(&ix, "/fifo") == 404 && status_of(&ix, "") == 404 &&
	      status_of(&ix, "/d/loop/p1.png") == 404, "left out", "status");
	check(notes == 5, "notes", "not one for each that was left out");
	page = offset_of(&ix, "/index.html");
	check(offset_of(&ix, "/d/p2.png") - page <= 512 &&
	      offset_of(&ix, "/a.css") - page <= 8192, "grouping",
	      "a page's objects are not beside it");
	for (i = 0; i < ix.nr_chunks; i++)
		check(crc32c(0, m->blocks + (ix.data_start +
			     (uint64_t)i * DOC_CHUNK_BLOCKS) * DOC_BLOCK_BYTES,
			     DOC_CHUNK_BYTES) == le32toh(ix.chunk_crcs[i]),
		      "chunk", "checksum");
	free(mem);
}

/* Each flipped bit of block 0 and of the index must be noticed. */
static void test_flips(struct mem_sink *m)
{
	uint64_t index = 2 * DOC_BLOCK_BYTES;
	struct doc_index ix;
	unsigned int i, seed = 3;
	uint64_t at;
	char *mem;

	for (i = 0; i < 4000; i++) {
		at = i < 2000 ? (uint64_t)rand_r(&seed) % DOC_BLOCK_BYTES :
		     DOC_BLOCK_BYTES + rand_r(&seed) % index;
		m->blocks[at] ^= 1 << i % 8;
		check(open_pack(m, &ix, &mem) != 0, "flip", "not noticed");
		free(mem);
		m->blocks[at] ^= 1 << i % 8;
	}
}

static void sign(struct mem_sink *m)
{
	struct doc_super *s = (struct doc_super *)m->blocks;
	uint64_t start = le64toh(s->index_start), nr = le64toh(s->index_blocks);

	if (start < m->nr_blocks && nr <= m->nr_blocks - start)
		s->index_crc32c = htole32(crc32c(0, m->blocks + start *
						 DOC_BLOCK_BYTES,
						 nr * DOC_BLOCK_BYTES));
	s->crc32c = 0;
	s->crc32c = htole32(crc32c(0, s, sizeof(*s)));
}

/* Touch all that an accepted index points to. */
static void use_all(const struct mem_sink *m, const struct doc_index *ix)
{
	const struct doc_entry *e;
	uint32_t i;

	for (i = 0; i < ix->nr_docs; i++) {
		e = &ix->entries[i];
		check(doc_lookup(ix, ix->names + le32toh(e->name_offset),
				 le16toh(e->name_bytes)) == e, "fuzz", "lookup");
		if (doc_bytes(e))
			crc32c(0, bytes_of(m, ix, e), doc_bytes(e));
	}
	doc_lookup(ix, "/nothing", 8);
}

/* Wrong numbers under right checksums: refused, or within bounds. */
static void test_liars(struct mem_sink *m)
{
	static const uint64_t values[] = {
		0, 1, 2, 0x7f, 0xff, 0xffff, INT32_MAX, UINT32_MAX,
		1ULL << 32, INT64_MAX, UINT64_MAX, UINT64_MAX - 4096,
	};
	size_t all = m->nr_blocks * DOC_BLOCK_BYTES;
	unsigned int i, n, seed = 5, accepted = 0;
	struct doc_index ix;
	char *good, *mem;
	uint64_t value;
	size_t at, len;

	good = malloc(all);
	memcpy(good, m->blocks, all);
	for (i = 0; i < 3000; i++) {
		for (n = 1 + rand_r(&seed) % 2; n; n--) {
			at = rand_r(&seed) % 3 ? DOC_BLOCK_BYTES +
			     rand_r(&seed) % (8 * DOC_BLOCK_BYTES) :
			     8 + rand_r(&seed) % 96;
			at &= ~3UL;
			len = rand_r(&seed) % 2 ? 4 : 8;
			value = values[rand_r(&seed) % 12];
			if (rand_r(&seed) % 4 == 0)
				value = rand_r(&seed);
			memcpy(m->blocks + at, &value, len);
		}
		sign(m);
		if (!open_pack(m, &ix, &mem)) {
			accepted++;
			use_all(m, &ix);
		}
		free(mem);
		memcpy(m->blocks, good, 16 * DOC_BLOCK_BYTES);
	}
	free(good);
	check(accepted > 10 && accepted < 2900, "fuzz",
	      "all or nothing was accepted: it means nothing");
}

/* A pack cut short at any write is no pack. */
static void test_cut_short(int root, uint64_t nr_writes)
{
	struct mem_sink m;
	struct doc_index ix;
	char *mem;
	uint64_t i;

	for (i = 1; i <= nr_writes; i++) {
		check(pack_tree(root, &m, i) == -EIO, "cut short", "no error");
		check(open_pack(&m, &ix, &mem) != 0, "cut short", "accepted");
		free(mem);
		free(m.blocks);
	}
}

static void test_changed(int root)
{
	struct mem_sink m = {
		.sink = { .write = mem_write, .flush = mem_flush },
	};
	struct pack pack;

	pack_init(&pack, root);
	pack_scan(&pack);
	pack_plan(&pack);
	m.nr_blocks = pack.nr_blocks;
	m.blocks = calloc(m.nr_blocks, DOC_BLOCK_BYTES);
	write_pattern("one", 2);
	check(pack_build(&pack, &m.sink) == -ESTALE && pack.failed_path &&
	      !strcmp(pack.failed_path, "one"), "changed file", "not noticed");
	pack_free(&pack);
	free(m.blocks);
}

static void test_crc(void)
{
	check(crc32c(0, "123456789", 9) == 0xe3069283, "crc32c", "value");
	check(crc32c(crc32c(0, "1234", 4), "56789", 5) == 0xe3069283, "crc32c",
	      "in pieces");
}

int main(void)
{
	char dir[] = "/tmp/cheetah-pack.XXXXXX";
	char command[64];
	struct mem_sink m;
	int root, rc;

	if (!mkdtemp(dir) || chdir(dir)) {
		perror(dir);
		return 1;
	}
	test_crc();
	make_tree();
	root = open(".", O_RDONLY | O_DIRECTORY);
	rc = pack_tree(root, &m, 0);
	check(rc == 0, "pack_build", strerror(-rc));
	check(m.complete && m.nr_flushes == 2, "order", "block 0 is not last");
	test_content(&m);
	test_flips(&m);
	test_liars(&m);
	test_cut_short(root, m.nr_writes);
	test_changed(root);
	free(m.blocks);
	close(root);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	if (chdir("/") || system(command))
		return 1;
	if (!failures)
		printf("ok: content, damage, lies, cuts\n");
	return failures != 0;
}
