/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * doc: a packed site, as cheetah-pack writes it and cheetah serves it
 *
 * All integers are little-endian. A block is 4096 bytes, a chunk 16 blocks, and
 * a chunk is what is read and cached at once. Blocks count from the start of
 * the extent:
 *
 *   block 0                  struct doc_super
 *   [index_start,            struct doc_entry[nr_docs], then the buckets of a
 *     + index_blocks)        hash table (le32, number of an entry + 1, or 0),
 *                            the crc32c of each chunk (le32), the names
 *   [data_start,             the documents: what follows the first lines of a
 *     + nr_chunks * 16)      response (status, Date, Connection), that is the
 *                            other headers, an empty line, the body
 *
 * A document begins at a multiple of 64 bytes and crosses into another chunk
 * only if it has to. Documents that are used together stand side by side, so
 * that one read brings them all (the HTML-based grouping of Cheetah, SOSP '97,
 * section 7.3).
 *
 * A name is the path as http_encode() writes it. A folder has an entry for
 * "/folder" (301) and one for "/folder/" (its index.html, or 403). Entries that
 * are no 200 have no bytes in the data.
 *
 * Block 0 is written last, after a flush: a pack that was cut short is none.
 */
#ifndef CHEETAH_DOC_H
#define CHEETAH_DOC_H

#include <endian.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define DOC_MAGIC		"EXOSITE"
#define DOC_BLOCK_BYTES		4096
#define DOC_CHUNK_BLOCKS	16
#define DOC_CHUNK_BYTES		(DOC_CHUNK_BLOCKS * DOC_BLOCK_BYTES)
#define DOC_ALIGN_BYTES		64
#define DOC_MAX_DOCS		(1U << 24)
#define DOC_MAX_PROBES		64
#define DOC_MAX_NAME		1024
#define DOC_MAX_HEAD		8192

/* No feature is defined yet; a reader refuses an incompat bit it does not know. */
#define DOC_INCOMPAT_KNOWN	0ULL

struct doc_super {
	__u8 magic[8];
	__le32 crc32c;		/* of block 0 with this field zero */
	__le32 block_bytes;
	__le64 compat;
	__le64 ro_compat;
	__le64 incompat;
	__le32 chunk_blocks;
	__le32 nr_docs;
	__le32 nr_buckets;	/* power of two, more than nr_docs */
	__le32 nr_chunks;
	__le64 names_bytes;
	__le64 index_start;
	__le64 index_blocks;
	__le32 index_crc32c;	/* of all index blocks, zeroes at the end too */
	__le32 reserved0;
	__le64 data_start;
	__le64 time;		/* of packing, seconds since 1970 */
	__u8 reserved[4096 - 104];
};

struct doc_entry {
	__le64 hash;		/* doc_hash() of the name */
	__le64 offset;		/* bytes from data_start */
	__le64 body_bytes;
	__le64 mtime;		/* seconds since 1970, signed */
	__le32 name_offset;	/* bytes into the names */
	__le16 name_bytes;
	__le16 head_bytes;
	__le16 status;		/* 200, 301 or 403 */
	__u8 reserved[22];
};

_Static_assert(sizeof(struct doc_super) == 4096, "on-disk format");
_Static_assert(sizeof(struct doc_entry) == 64, "on-disk format");

/**
 * struct doc_index - a pack's index in memory, every number in it checked
 * @mem: the index blocks
 * @entries: in @mem, @nr_docs of them
 * @buckets: in @mem
 * @chunk_crcs: in @mem, @nr_chunks of them
 * @names: in @mem
 * @index_start: block
 * @index_blocks: how many
 * @data_start: block
 * @bucket_mask: number of buckets minus one
 */
struct doc_index {
	const void *mem;
	const struct doc_entry *entries;
	const __le32 *buckets;
	const __le32 *chunk_crcs;
	const char *names;
	uint64_t names_bytes;
	uint64_t index_start;
	uint64_t index_blocks;
	uint64_t data_start;
	uint32_t index_crc32c;
	uint32_t nr_docs;
	uint32_t nr_chunks;
	uint32_t bucket_mask;
};

int doc_super_check(struct doc_index *ix, const void *block,
		    uint64_t extent_blocks, const char **why);
int doc_index_check(struct doc_index *ix, const void *mem, const char **why);
const struct doc_entry *doc_lookup(const struct doc_index *ix,
				   const char *name, size_t len);
int doc_etag(const struct doc_entry *doc, char *buf, size_t room);
int doc_http_date(int64_t seconds, char *buf, size_t room);

static inline uint64_t doc_mix(uint64_t h, uint64_t x)
{
	h = (h ^ x) * 0x9e3779b97f4a7c15ULL;
	return h ^ h >> 32;
}

/**
 * doc_hash - hash of a name; part of the format
 * @name: the name
 * @len: bytes
 *
 * Eight bytes at a time, the last ones filled up with zeroes.
 */
static inline uint64_t doc_hash(const char *name, size_t len)
{
	uint64_t h = len, x;

	for (; len >= 8; name += 8, len -= 8) {
		memcpy(&x, name, 8);
		h = doc_mix(h, le64toh(x));
	}
	if (len) {
		x = 0;
		memcpy(&x, name, len);
		h = doc_mix(h, le64toh(x));
	}
	return h;
}

/* Bytes of headers and body. */
static inline uint64_t doc_bytes(const struct doc_entry *doc)
{
	return le16toh(doc->head_bytes) + le64toh(doc->body_bytes);
}

#endif
