// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * pack: what lies where, and the writing of it
 *
 * The plan rests on the sizes that pack_scan() saw. A file that has another
 * size when it is read makes the build fail rather than the site wrong.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../../common/crc32c.h"
#include "mime.h"
#include "pack.h"

/**
 * pack_init - begin with an empty site
 * @pack: filled in; set note, progress and ctx afterwards if wanted
 * @root_fd: the folder; stays the caller's
 */
void pack_init(struct pack *pack, int root_fd)
{
	memset(pack, 0, sizeof(*pack));
	pack->root_fd = root_fd;
}

/**
 * pack_free - give the memory back
 * @pack: the site
 */
void pack_free(struct pack *pack)
{
	uint32_t i;

	for (i = 0; i < pack->nr_items; i++) {
		free(pack->items[i].name);
		free(pack->items[i].path);
	}
	free(pack->items);
	free(pack->order);
}

/* ------------------------------------------------------------------ plan */

/**
 * pack_head - the headers of a document but the first lines
 * @item: the document
 * @buf: where to
 * @room: bytes at @buf
 *
 * Return: their length; more than @room means that they were cut.
 */
int pack_head(const struct pack_item *item, char *buf, size_t room)
{
	struct doc_entry doc = {
		.mtime = htole64(item->mtime),
		.body_bytes = htole64(item->body_bytes),
	};
	char date[40], etag[40];

	doc_http_date(item->mtime, date, sizeof(date));
	doc_etag(&doc, etag, sizeof(etag));
	return snprintf(buf, room,
			"Server: cheetah\r\n"
			"Content-Type: %s\r\n"
			"Content-Length: %llu\r\n"
			"Last-Modified: %s\r\n"
			"ETag: %s\r\n\r\n", mime_type(item->path),
			(unsigned long long)item->body_bytes, date, etag);
}

static uint64_t round_up(uint64_t n, uint64_t to)
{
	return (n + to - 1) / to * to;
}

/**
 * pack_place - give a document the next place
 * @pack: the site
 * @item: a document that has no place yet
 *
 * Return: 0; -EFBIG the headers or the site are too long.
 */
int pack_place(struct pack *pack, struct pack_item *item)
{
	uint64_t pos = round_up(pack->data_bytes, DOC_ALIGN_BYTES);
	char head[DOC_MAX_HEAD];
	uint64_t len, in_chunk;
	int n;

	n = pack_head(item, head, sizeof(head));
	if (n > DOC_MAX_HEAD || item->body_bytes > 1ULL << 46) {
		pack->failed_path = item->path;
		return -EFBIG;
	}
	item->head_bytes = n;
	len = n + item->body_bytes;
	in_chunk = pos % DOC_CHUNK_BYTES;
	if (round_up(in_chunk + len, DOC_CHUNK_BYTES) >
	    round_up(len, DOC_CHUNK_BYTES))
		pos = round_up(pos, DOC_CHUNK_BYTES);
	item->offset = pos;
	item->placed = true;
	pack->data_bytes = pos + len;
	pack->order[pack->nr_order++] = item - pack->items;
	return pos + len > (uint64_t)UINT32_MAX * DOC_CHUNK_BYTES ? -EFBIG : 0;
}

/* A folder's document is its index.html, if it has one. */
static void find_indexes(struct pack *pack)
{
	char name[2 * DOC_MAX_NAME];
	struct pack_item *item, *index;
	uint32_t i;

	for (i = 0; i < pack->nr_items; i++) {
		item = &pack->items[i];
		if (item->status != 403)
			continue;
		snprintf(name, sizeof(name), "%sindex.html", item->name);
		index = pack_find(pack, name);
		if (index && index->path)
			item->alias = index - pack->items;
	}
}

/**
 * pack_plan - decide what lies where
 * @pack: the site, scanned
 *
 * Return: 0, and @pack->nr_blocks is known; -ENOMEM; -EFBIG; what reading a
 * page gives.
 */
int pack_plan(struct pack *pack)
{
	uint64_t bytes;
	uint32_t i;
	int rc;

	pack->order = calloc(pack->nr_items + 1, sizeof(*pack->order));
	if (!pack->order)
		return -ENOMEM;
	rc = pack_group(pack);
	if (rc)
		return rc;
	find_indexes(pack);
	for (i = 0; i < pack->nr_items; i++)
		pack->names_bytes += strlen(pack->items[i].name);
	for (pack->nr_buckets = 64; pack->nr_buckets < 2 * pack->nr_items;)
		pack->nr_buckets *= 2;
	pack->nr_chunks = round_up(pack->data_bytes, DOC_CHUNK_BYTES) /
			  DOC_CHUNK_BYTES;
	bytes = (uint64_t)pack->nr_items * sizeof(struct doc_entry) +
		((uint64_t)pack->nr_buckets + pack->nr_chunks) * sizeof(__le32) +
		pack->names_bytes;
	pack->index_blocks = round_up(bytes, DOC_BLOCK_BYTES) / DOC_BLOCK_BYTES;
	pack->data_start = round_up(1 + pack->index_blocks, DOC_CHUNK_BLOCKS);
	pack->nr_blocks = pack->data_start +
			  (uint64_t)pack->nr_chunks * DOC_CHUNK_BLOCKS;
	return pack->names_bytes > UINT32_MAX ? -EFBIG : 0;
}

/* ----------------------------------------------------------------- build */

/* The chunk being filled, and what becomes of full ones. */
struct builder {
	struct pack *pack;
	struct pack_sink *sink;
	uint64_t pos;
	__le32 *crcs;
	char chunk[DOC_CHUNK_BYTES];
};

static int chunk_done(struct builder *b)
{
	uint64_t nr = b->pos / DOC_CHUNK_BYTES - 1;
	int rc;

	b->crcs[nr] = htole32(crc32c(0, b->chunk, DOC_CHUNK_BYTES));
	rc = b->sink->write(b->sink, b->pack->data_start +
			    nr * DOC_CHUNK_BLOCKS, b->chunk, DOC_CHUNK_BLOCKS);
	memset(b->chunk, 0, sizeof(b->chunk));
	if (b->pack->progress)
		b->pack->progress(b->pack->ctx, b->pos);
	return rc;
}

/* Room for up to @len bytes at the position. */
static char *chunk_room(struct builder *b, uint64_t *len)
{
	size_t at = b->pos % DOC_CHUNK_BYTES;

	if (*len > DOC_CHUNK_BYTES - at)
		*len = DOC_CHUNK_BYTES - at;
	return b->chunk + at;
}

static int advance(struct builder *b, uint64_t len)
{
	b->pos += len;
	return b->pos % DOC_CHUNK_BYTES ? 0 : chunk_done(b);
}

static int skip_to(struct builder *b, uint64_t pos)
{
	uint64_t len;
	int rc;

	while (b->pos < pos) {
		len = pos - b->pos;
		chunk_room(b, &len);
		rc = advance(b, len);
		if (rc)
			return rc;
	}
	return 0;
}

static int put(struct builder *b, const char *data, uint64_t len)
{
	uint64_t n;
	char *room;
	int rc;

	for (; len; data += n, len -= n) {
		n = len;
		room = chunk_room(b, &n);
		memcpy(room, data, n);
		rc = advance(b, n);
		if (rc)
			return rc;
	}
	return 0;
}

static int put_bytes_of(struct builder *b, int fd, uint64_t len)
{
	uint64_t n;
	ssize_t got;
	char *room;
	int rc;

	while (len) {
		n = len;
		room = chunk_room(b, &n);
		got = read(fd, room, n);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got ? -errno : -ESTALE;
		rc = advance(b, got);
		if (rc)
			return rc;
		len -= got;
	}
	return 0;
}

static int put_file(struct builder *b, const struct pack_item *item)
{
	struct stat st;
	int fd, rc;

	b->pack->failed_path = item->path;
	fd = pack_open(b->pack, item->path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		rc = -errno;
	else if (!S_ISREG(st.st_mode) ||
		 (uint64_t)st.st_size != item->body_bytes)
		rc = -ESTALE;
	else
		rc = put_bytes_of(b, fd, item->body_bytes);
	close(fd);
	if (!rc)
		b->pack->failed_path = NULL;
	return rc;
}

static int put_document(struct builder *b, const struct pack_item *item)
{
	char head[DOC_MAX_HEAD];
	int rc;

	rc = skip_to(b, item->offset);
	if (rc)
		return rc;
	pack_head(item, head, sizeof(head));
	rc = put(b, head, item->head_bytes);
	if (rc)
		return rc;
	return put_file(b, item);
}

/* False if some name would need more probes than a reader makes. */
static bool fill_buckets(const struct pack *pack,
			 const struct doc_entry *entries, __le32 *buckets)
{
	uint32_t mask = pack->nr_buckets - 1;
	uint32_t i, k;

	for (i = 0; i < pack->nr_items; i++) {
		for (k = 0; k < DOC_MAX_PROBES; k++)
			if (!buckets[(le64toh(entries[i].hash) + k) & mask])
				break;
		if (k == DOC_MAX_PROBES)
			return false;
		buckets[(le64toh(entries[i].hash) + k) & mask] = htole32(i + 1);
	}
	return true;
}

static void fill_entry(const struct pack *pack, const struct pack_item *item,
		       struct doc_entry *e, uint32_t name_offset)
{
	const struct pack_item *bytes = item;

	if (item->alias != PACK_ALIAS_NONE)
		bytes = &pack->items[item->alias];
	e->hash = htole64(doc_hash(item->name, strlen(item->name)));
	e->offset = htole64(bytes->offset);
	e->body_bytes = htole64(bytes->body_bytes);
	e->mtime = htole64(bytes->mtime);
	e->name_offset = htole32(name_offset);
	e->name_bytes = htole16(strlen(item->name));
	e->head_bytes = htole16(bytes->head_bytes);
	e->status = htole16(bytes->status);
}

static int write_index(struct builder *b, struct doc_super *super)
{
	struct pack *pack = b->pack;
	struct doc_entry *entries;
	__le32 *buckets;
	char *mem, *names;
	uint32_t i, at = 0;
	int rc = -EMLINK;

	mem = calloc(pack->index_blocks, DOC_BLOCK_BYTES);
	if (!mem)
		return -ENOMEM;
	entries = (struct doc_entry *)mem;
	buckets = (__le32 *)(entries + pack->nr_items);
	memcpy(buckets + pack->nr_buckets, b->crcs,
	       pack->nr_chunks * sizeof(__le32));
	names = (char *)(buckets + pack->nr_buckets + pack->nr_chunks);
	for (i = 0; i < pack->nr_items; i++) {
		fill_entry(pack, &pack->items[i], &entries[i], at);
		memcpy(names + at, pack->items[i].name,
		       strlen(pack->items[i].name));
		at += strlen(pack->items[i].name);
	}
	if (fill_buckets(pack, entries, buckets))
		rc = b->sink->write(b->sink, 1, mem, pack->index_blocks);
	super->index_crc32c = htole32(crc32c(0, mem, pack->index_blocks *
					     DOC_BLOCK_BYTES));
	free(mem);
	return rc;
}

static int write_super(struct builder *b, struct doc_super *super)
{
	struct pack *pack = b->pack;

	memcpy(super->magic, DOC_MAGIC, sizeof(super->magic));
	super->block_bytes = htole32(DOC_BLOCK_BYTES);
	super->chunk_blocks = htole32(DOC_CHUNK_BLOCKS);
	super->nr_docs = htole32(pack->nr_items);
	super->nr_buckets = htole32(pack->nr_buckets);
	super->nr_chunks = htole32(pack->nr_chunks);
	super->names_bytes = htole64(pack->names_bytes);
	super->index_start = htole64(1);
	super->index_blocks = htole64(pack->index_blocks);
	super->data_start = htole64(pack->data_start);
	super->time = htole64(time(NULL));
	super->crc32c = htole32(crc32c(0, super, sizeof(*super)));
	return b->sink->write(b->sink, 0, super, 1);
}

static int build(struct builder *b, struct doc_super *super)
{
	struct pack *pack = b->pack;
	uint32_t i;
	int rc;

	for (i = 0; i < pack->nr_order; i++) {
		rc = put_document(b, &pack->items[pack->order[i]]);
		if (rc)
			return rc;
	}
	rc = skip_to(b, (uint64_t)pack->nr_chunks * DOC_CHUNK_BYTES);
	if (!rc)
		rc = write_index(b, super);
	if (!rc)
		rc = b->sink->flush(b->sink);
	if (!rc)
		rc = write_super(b, super);
	return rc ? rc : b->sink->flush(b->sink);
}

/**
 * pack_build - write the site
 * @pack: the site, planned
 * @sink: room for @pack->nr_blocks
 *
 * Return: 0; -ESTALE a file changed its size meanwhile (@pack->failed_path);
 * -EMLINK too many names fall into one place of the hash table; -ENOMEM; an
 * error of the sink or of reading.
 */
int pack_build(struct pack *pack, struct pack_sink *sink)
{
	struct doc_super *super;
	struct builder *b;
	int rc = -ENOMEM;

	b = calloc(1, sizeof(*b));
	super = calloc(1, sizeof(*super));
	if (b && super) {
		b->pack = pack;
		b->sink = sink;
		b->crcs = calloc(pack->nr_chunks + 1, sizeof(*b->crcs));
		if (b->crcs)
			rc = build(b, super);
		free(b->crcs);
	}
	free(super);
	free(b);
	return rc;
}
