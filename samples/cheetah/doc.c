// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * doc: open a pack without believing it
 *
 * The extent may hold anything: an old format, half a pack, another program's
 * data, what an attacker with write access put there. Checksums find accidents;
 * the checks below find the rest, so that no number from the disk is used
 * before it is known to be inside its bounds.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "../../common/crc32c.h"
#include "doc.h"

static int bad(const char **why, const char *what)
{
	*why = what;
	return -EUCLEAN;
}

static int check_identity(const struct doc_super *s, const char **why)
{
	struct doc_super copy = *s;

	if (memcmp(s->magic, DOC_MAGIC, sizeof(s->magic)))
		return bad(why, "there is no packed site in it");
	copy.crc32c = 0;
	if (crc32c(0, &copy, sizeof(copy)) != le32toh(s->crc32c))
		return bad(why, "the checksum of its first block is wrong");
	if (le64toh(s->incompat) & ~DOC_INCOMPAT_KNOWN) {
		*why = "a newer cheetah-pack wrote it";
		return -EPROTONOSUPPORT;
	}
	if (le32toh(s->block_bytes) != DOC_BLOCK_BYTES ||
	    le32toh(s->chunk_blocks) != DOC_CHUNK_BLOCKS)
		return bad(why, "its block or chunk size is impossible");
	return 0;
}

/* Bytes of the index; all terms are bounded, so that it cannot overflow. */
static uint64_t index_bytes(const struct doc_index *ix)
{
	return ix->nr_docs * sizeof(struct doc_entry) +
	       (ix->bucket_mask + 1ULL) * sizeof(__le32) +
	       ix->nr_chunks * sizeof(__le32) + ix->names_bytes;
}

static bool is_inside(uint64_t start, uint64_t nr, uint64_t end)
{
	return start >= 1 && start <= end && nr <= end - start;
}

/**
 * doc_super_check - take in block 0
 * @ix: filled in but for its pointers
 * @block: block 0 of the extent
 * @extent_blocks: length of the extent
 * @why: set on error: what is wrong, to be said to the user
 *
 * The caller then reads @ix->index_blocks blocks at @ix->index_start, which are
 * inside the extent, and calls doc_index_check().
 *
 * Return: 0; -EUCLEAN no pack, or a damaged one; -EPROTONOSUPPORT it has a
 * feature that is not known here.
 */
int doc_super_check(struct doc_index *ix, const void *block,
		    uint64_t extent_blocks, const char **why)
{
	const struct doc_super *s = block;
	uint32_t nr_buckets = le32toh(s->nr_buckets);
	int rc;

	rc = check_identity(s, why);
	if (rc)
		return rc;
	memset(ix, 0, sizeof(*ix));
	ix->nr_docs = le32toh(s->nr_docs);
	ix->nr_chunks = le32toh(s->nr_chunks);
	ix->names_bytes = le64toh(s->names_bytes);
	ix->index_start = le64toh(s->index_start);
	ix->index_blocks = le64toh(s->index_blocks);
	ix->index_crc32c = le32toh(s->index_crc32c);
	ix->data_start = le64toh(s->data_start);
	ix->bucket_mask = nr_buckets - 1;
	if (ix->nr_docs == 0 || ix->nr_docs > DOC_MAX_DOCS ||
	    nr_buckets > 4 * DOC_MAX_DOCS || nr_buckets & (nr_buckets - 1) ||
	    nr_buckets <= ix->nr_docs || ix->names_bytes > UINT32_MAX)
		return bad(why, "its counts are impossible");
	if (!is_inside(ix->index_start, ix->index_blocks, extent_blocks) ||
	    !is_inside(ix->data_start,
		       (uint64_t)ix->nr_chunks * DOC_CHUNK_BLOCKS,
		       extent_blocks))
		return bad(why, "it does not fit into the extent");
	if (ix->index_blocks !=
	    (index_bytes(ix) + DOC_BLOCK_BYTES - 1) / DOC_BLOCK_BYTES)
		return bad(why, "the size of its index is impossible");
	return 0;
}

static bool entry_ok(const struct doc_index *ix, const struct doc_entry *e)
{
	uint64_t end = (uint64_t)ix->nr_chunks * DOC_CHUNK_BYTES;
	uint64_t offset = le64toh(e->offset), body = le64toh(e->body_bytes);
	uint32_t head = le16toh(e->head_bytes);
	uint32_t name = le32toh(e->name_offset), len = le16toh(e->name_bytes);
	uint16_t status = le16toh(e->status);

	return (head > 0) == (status == 200) && (head || !body) &&
	       head <= DOC_MAX_HEAD && offset <= end &&
	       head <= end - offset && body <= end - offset - head &&
	       len > 0 && len <= DOC_MAX_NAME && name <= ix->names_bytes &&
	       len <= ix->names_bytes - name && ix->names[name] == '/' &&
	       (status == 200 || status == 301 || status == 403) &&
	       le64toh(e->hash) == doc_hash(ix->names + name, len);
}

static bool buckets_ok(const struct doc_index *ix)
{
	uint32_t i;

	for (i = 0; i <= ix->bucket_mask; i++)
		if (le32toh(ix->buckets[i]) > ix->nr_docs)
			return false;
	return true;
}

/* Found within the bound of probes, under its own name? */
static bool is_found(const struct doc_index *ix, const struct doc_entry *e)
{
	return doc_lookup(ix, ix->names + le32toh(e->name_offset),
			  le16toh(e->name_bytes)) == e;
}

/**
 * doc_index_check - take in the index
 * @ix: from doc_super_check()
 * @mem: @ix->index_blocks blocks, aligned to 8; must stay as long as @ix
 * @why: set on error
 *
 * Return: 0; -EUCLEAN.
 */
int doc_index_check(struct doc_index *ix, const void *mem, const char **why)
{
	const char *p = mem;
	uint32_t i;

	if (crc32c(0, mem, ix->index_blocks * DOC_BLOCK_BYTES) !=
	    ix->index_crc32c)
		return bad(why, "the checksum of its index is wrong");
	ix->mem = mem;
	ix->entries = (const struct doc_entry *)p;
	p += ix->nr_docs * sizeof(struct doc_entry);
	ix->buckets = (const __le32 *)p;
	p += (ix->bucket_mask + 1ULL) * sizeof(__le32);
	ix->chunk_crcs = (const __le32 *)p;
	ix->names = p + ix->nr_chunks * sizeof(__le32);
	if (!buckets_ok(ix))
		return bad(why, "its hash table leads nowhere");
	for (i = 0; i < ix->nr_docs; i++)
		if (!entry_ok(ix, &ix->entries[i]))
			return bad(why, "a document in its index is impossible");
	for (i = 0; i < ix->nr_docs; i++)
		if (!is_found(ix, &ix->entries[i]))
			return bad(why, "a document is not in its hash table");
	return 0;
}

/**
 * doc_lookup - find a document
 * @ix: the index
 * @name: its name
 * @len: bytes
 *
 * Return: the document or NULL. At most DOC_MAX_PROBES buckets are looked at.
 */
const struct doc_entry *doc_lookup(const struct doc_index *ix,
				   const char *name, size_t len)
{
	uint64_t hash = doc_hash(name, len);
	const struct doc_entry *e;
	uint32_t i, bucket;

	for (i = 0; i < DOC_MAX_PROBES; i++) {
		bucket = le32toh(ix->buckets[(hash + i) & ix->bucket_mask]);
		if (!bucket)
			return NULL;
		e = &ix->entries[bucket - 1];
		if (le64toh(e->hash) == hash && le16toh(e->name_bytes) == len &&
		    !memcmp(ix->names + le32toh(e->name_offset), name, len))
			return e;
	}
	return NULL;
}

/**
 * doc_etag - the entity tag of a document, quotes included
 * @doc: the document
 * @buf: where to
 * @room: bytes at @buf, 40 are always enough
 *
 * Return: length.
 */
int doc_etag(const struct doc_entry *doc, char *buf, size_t room)
{
	return snprintf(buf, room, "\"%llx-%llx\"",
			(unsigned long long)le64toh(doc->mtime),
			(unsigned long long)le64toh(doc->body_bytes));
}

/**
 * doc_http_date - a time as HTTP writes it (RFC 9110, section 5.6.7)
 * @seconds: since 1970
 * @buf: where to
 * @room: bytes at @buf, 40 are always enough
 *
 * Return: length, 29 up to the year 9999.
 */
int doc_http_date(int64_t seconds, char *buf, size_t room)
{
	static const char days[7][4] = {
		"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"
	};
	static const char months[12][4] = {
		"Jan", "Feb", "Mar", "Apr", "May", "Jun",
		"Jul", "Aug", "Sep", "Oct", "Nov", "Dec"
	};
	time_t t = seconds;
	struct tm tm;

	if (!gmtime_r(&t, &tm) || tm.tm_year > 9999 - 1900 || tm.tm_year < 0)
		return snprintf(buf, room, "Thu, 01 Jan 1970 00:00:00 GMT");
	return snprintf(buf, room, "%s, %02d %s %04d %02d:%02d:%02d GMT",
			days[tm.tm_wday], tm.tm_mday, months[tm.tm_mon],
			tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}
