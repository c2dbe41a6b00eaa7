/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * pack: a folder becomes a packed site (doc.h)
 *
 *	pack_init(&pack, root_fd);
 *	pack_scan(&pack);		what is there (tree.c)
 *	pack_plan(&pack);		what lies where
 *	... make room for pack.nr_blocks ...
 *	pack_build(&pack, &sink);	read the files, write the blocks
 *	pack_free(&pack);
 */
#ifndef CHEETAH_PACK_H
#define CHEETAH_PACK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "doc.h"

#define PACK_ALIAS_NONE	UINT32_MAX

/**
 * struct pack_item - an entry of the index to be
 * @name: document name
 * @path: file, relative to the root; NULL for a folder
 * @alias: the item whose bytes are meant, or PACK_ALIAS_NONE
 * @offset: bytes from the start of the data
 * @body_bytes: without headers
 * @mtime: seconds since 1970
 * @head_bytes: headers
 * @status: HTTP status
 * @placed: @offset is valid
 */
struct pack_item {
	char *name;
	char *path;
	uint32_t alias;
	uint64_t offset;
	uint64_t body_bytes;
	int64_t mtime;
	uint16_t head_bytes;
	uint16_t status;
	bool placed;
};

/**
 * struct pack - a site on its way
 * @root_fd: the folder
 * @note: told about what is left out, and why; may be NULL
 * @progress: told how many of @data_bytes are done; may be NULL
 * @ctx: for both
 * @items: by name
 * @order: files, by offset
 * @failed_path: the file that an error is about, or NULL
 * @data_bytes: of documents, gaps between them included
 * @nr_blocks: what the extent must have
 * The others are the layout, see struct doc_super.
 */
struct pack {
	int root_fd;
	void (*note)(void *ctx, const char *path, const char *what);
	void (*progress)(void *ctx, uint64_t bytes);
	void *ctx;
	struct pack_item *items;
	uint32_t *order;
	const char *failed_path;
	uint32_t nr_items;
	uint32_t room_items;
	uint32_t nr_order;
	uint32_t nr_files;
	uint32_t nr_buckets;
	uint32_t nr_chunks;
	uint64_t data_bytes;
	uint64_t names_bytes;
	uint64_t index_blocks;
	uint64_t data_start;
	uint64_t nr_blocks;
};

/**
 * struct pack_sink - where the blocks go
 * @write: write @nr_blocks at block @block; 0 or -errno
 * @flush: what was written is on stable storage afterwards; 0 or -errno
 */
struct pack_sink {
	int (*write)(struct pack_sink *sink, uint64_t block, const void *data,
		     uint32_t nr_blocks);
	int (*flush)(struct pack_sink *sink);
};

void pack_init(struct pack *pack, int root_fd);
int pack_scan(struct pack *pack);
int pack_plan(struct pack *pack);
int pack_build(struct pack *pack, struct pack_sink *sink);
void pack_free(struct pack *pack);

/* Between the files of pack. */
struct pack_item *pack_add(struct pack *pack, const char *path, size_t len);
struct pack_item *pack_find(const struct pack *pack, const char *name);
int pack_open(const struct pack *pack, const char *path, int flags);
int pack_group(struct pack *pack);
int pack_place(struct pack *pack, struct pack_item *item);
int pack_head(const struct pack_item *item, char *buf, size_t room);

#endif
