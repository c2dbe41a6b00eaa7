// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * group: the objects of a page lie beside it (SOSP '97, section 7.3)
 *
 * The order on disk is that of the names, except that each page is followed by
 * the pictures, styles and scripts it names and that no earlier page named: a
 * browser asks for them next, and they are then in the chunk just read. The
 * scan is no parser of HTML: a miss or a false hit costs only a seek.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "http.h"
#include "mime.h"
#include "pack.h"

#define SCAN_BYTES	(256 * 1024)	/* objects are named early in a page */

static bool is_page(const struct pack_item *item)
{
	return item->path && !strcmp(mime_type(item->path), "text/html");
}

/* Read the begin of a file; bytes, or -errno. */
static ssize_t read_begin(const struct pack *pack, const char *path, char *buf)
{
	size_t have = 0;
	ssize_t n;
	int fd;

	fd = pack_open(pack, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return fd;
	do {
		n = read(fd, buf + have, SCAN_BYTES - have);
		if (n > 0)
			have += n;
	} while (n > 0 || (n < 0 && errno == EINTR));
	if (n < 0)
		n = -errno;
	close(fd);
	return n < 0 ? n : (ssize_t)have;
}

/* The object that @page names by @ref, or NULL. */
static struct pack_item *resolve(const struct pack *pack,
				 const struct pack_item *page, const char *ref,
				 size_t len)
{
	char path[HTTP_MAX_TARGET], name[DOC_MAX_NAME + 1];
	size_t dir = strrchr(page->name, '/') + 1 - page->name;
	struct pack_item *item;
	int n;

	if (len == 0 || memchr(ref, ':', len))
		return NULL;
	if (ref[0] == '/')
		dir = 0;
	if (dir + len > sizeof(path))
		return NULL;
	memcpy(path, page->name, dir);
	memcpy(path + dir, ref, len);
	n = http_normalise(path, dir + len, name, DOC_MAX_NAME);
	if (n < 0)
		return NULL;
	name[n] = '\0';
	item = pack_find(pack, name);
	return item && item->path && !item->placed ? item : NULL;
}

static int place_object(struct pack *pack, const struct pack_item *page,
			const char *ref, size_t len)
{
	struct pack_item *item = resolve(pack, page, ref, len);

	if (!item || is_page(item))
		return 0;
	return pack_place(pack, item);
}

/* All that stands as src="x", href="x" or data="x" in the page's text. */
static int place_objects(struct pack *pack, const struct pack_item *page,
			 const char *text, size_t len)
{
	static const char *const attributes[] = { "src", "href", "data" };
	const char *p = text, *end = text + len, *quote;
	size_t i, n;
	int rc;

	while ((p = memmem(p, end - p, "=\"", 2))) {
		quote = memchr(p + 2, '"', end - p - 2);
		if (!quote)
			return 0;
		for (i = 0; i < 3; i++) {
			n = strlen(attributes[i]);
			if ((size_t)(p - text) < n ||
			    memcmp(p - n, attributes[i], n))
				continue;
			rc = place_object(pack, page, p + 2, quote - p - 2);
			if (rc)
				return rc;
		}
		p = quote + 1;
	}
	return 0;
}

/**
 * pack_group - place all files, those of a page side by side
 * @pack: the site, scanned
 *
 * Return: 0; -ENOMEM; what reading a page gives, @pack->failed_path is set.
 */
int pack_group(struct pack *pack)
{
	struct pack_item *item;
	char *text;
	ssize_t n;
	uint32_t i;
	int rc = 0;

	text = malloc(SCAN_BYTES);
	if (!text)
		return -ENOMEM;
	for (i = 0; i < pack->nr_items && !rc; i++) {
		item = &pack->items[i];
		if (!is_page(item) || item->placed)
			continue;
		rc = pack_place(pack, item);
		if (rc)
			break;
		n = read_begin(pack, item->path, text);
		if (n < 0) {
			pack->failed_path = item->path;
			rc = n;
			break;
		}
		rc = place_objects(pack, item, text, n);
	}
	free(text);
	for (i = 0; i < pack->nr_items && !rc; i++)
		if (pack->items[i].path && !pack->items[i].placed)
			rc = pack_place(pack, &pack->items[i]);
	return rc;
}
