// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* site: read super block and index of a pack, which then are checked by doc.c */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "site.h"

#define READ_PAGES	64

/**
 * site_split - take "DISK:NAME" apart
 * @arg: what the user wrote; NAME may be "OWNER:NAME"
 * @disk: the part before the first colon
 * @room: bytes at @disk
 * @name: the part after it, in @arg
 *
 * Return: 0; -EINVAL no colon, or a part is empty or too long.
 */
int site_split(const char *arg, char *disk, size_t room, const char **name)
{
	const char *colon = strchr(arg, ':');
	size_t len;

	if (!colon || colon == arg || !colon[1])
		return -EINVAL;
	len = colon - arg;
	if (len >= room)
		return -EINVAL;
	memcpy(disk, arg, len);
	disk[len] = '\0';
	*name = colon + 1;
	return 0;
}

static int read_blocks(struct site *site, struct exo_frame *frame,
		       uint64_t block, uint64_t nr, char *to)
{
	struct exo_io io;
	uint32_t n;
	int rc;

	for (; nr; nr -= n, block += n, to += n * DOC_BLOCK_BYTES) {
		n = nr < frame->nr_pages ? nr : frame->nr_pages;
		exo_io_prep_read(&io, &site->extent, block, n, frame, 0, 0);
		rc = exo_io_sync(site->extent.env, &io);
		if (rc < 0)
			return rc;
		if ((uint32_t)rc != n * DOC_BLOCK_BYTES)
			return -EIO;
		memcpy(to, frame->addr, n * DOC_BLOCK_BYTES);
	}
	return 0;
}

static int load(struct site *site, struct exo_frame *frame)
{
	struct doc_super *super;
	int rc;

	site->what = "cannot read it";
	super = malloc(sizeof(*super));
	if (!super)
		return -ENOMEM;
	rc = read_blocks(site, frame, 0, 1, (char *)super);
	if (!rc)
		rc = doc_super_check(&site->docs, super,
				     site->extent.nr_blocks, &site->what);
	free(super);
	if (rc)
		return rc;
	site->what = "cannot read its index";
	site->mem = malloc(site->docs.index_blocks * DOC_BLOCK_BYTES);
	if (!site->mem)
		return -ENOMEM;
	rc = read_blocks(site, frame, site->docs.index_start,
			 site->docs.index_blocks, site->mem);
	if (rc)
		return rc;
	return doc_index_check(&site->docs, site->mem, &site->what);
}

static int open_extent(struct site *site, struct exo_env *env, const char *arg)
{
	struct exo_disk_info disk;
	char name[64];
	const char *extent;
	int rc;

	site->what = "it must look like DISK:NAME";
	rc = site_split(arg, name, sizeof(name), &extent);
	if (rc)
		return rc;
	site->what = "no such disk; exoctl disk list shows those attached";
	rc = exo_disk_find(env, name, &disk);
	if (rc)
		return rc;
	site->what = "cannot open this extent of the disk";
	return exo_extent_open(env, disk.disk, extent, EXO_RIGHT_READ,
			       &site->extent);
}

/**
 * site_open - open a packed site
 * @site: filled in; site_close() it, unless there was an error
 * @env: must outlive it
 * @arg: "DISK:NAME" or "DISK:OWNER:NAME"
 *
 * Return: 0; -errno, and @site->what says what went wrong: -EUCLEAN and
 * -EPROTONOSUPPORT are about the content.
 */
int site_open(struct site *site, struct exo_env *env, const char *arg)
{
	struct exo_frame frame;
	int rc;

	memset(site, 0, sizeof(*site));
	rc = open_extent(site, env, arg);
	if (rc)
		return rc;
	site->what = "no memory to read it with";
	rc = exo_frame_alloc(env, READ_PAGES, 0, &frame);
	if (!rc) {
		rc = load(site, &frame);
		exo_frame_free(&frame);
	}
	if (rc)
		site_close(site);
	return rc;
}

/**
 * site_close - undo site_open()
 * @site: the site
 */
void site_close(struct site *site)
{
	free(site->mem);
	exo_extent_close(&site->extent);
}
