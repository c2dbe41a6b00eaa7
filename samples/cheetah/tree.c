// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * tree: what a folder holds, as entries of an index
 *
 * Everything is opened relative to the root with RESOLVE_BENEATH, so that the
 * kernel itself refuses a link that leads out, also one that is changed while
 * this runs. Files are only looked at here; their bytes are read by pack_build().
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "http.h"
#include "pack.h"

#define MAX_DEPTH	64

/* A folder on the way from the root, to notice a link that leads back. */
struct level {
	const struct level *up;
	dev_t dev;
	ino_t ino;
	unsigned int depth;
};

static int walk(struct pack *pack, const char *dir, const struct level *up);

static void note(struct pack *pack, const char *path, const char *what)
{
	if (pack->note)
		pack->note(pack->ctx, path, what);
}

/**
 * pack_open - open something below the root
 * @pack: the site
 * @path: relative to the root
 * @flags: of open(2)
 *
 * Return: a descriptor; -EXDEV a link leads out of the root; other -errno.
 */
int pack_open(const struct pack *pack, const char *path, int flags)
{
	struct open_how how = {
		.flags = flags | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};
	int fd;

	fd = syscall(SYS_openat2, pack->root_fd, *path ? path : ".", &how,
		     sizeof(how));
	return fd < 0 ? -errno : fd;
}

/**
 * pack_add - add an item
 * @pack: the site
 * @path: its path in the site, from the first slash on, not escaped
 * @len: bytes of @path
 *
 * Return: the item, with its name set, valid until the next is added; NULL: no
 * memory, or the name is too long (errno says which).
 */
struct pack_item *pack_add(struct pack *pack, const char *path, size_t len)
{
	char name[DOC_MAX_NAME + 1];
	struct pack_item *items;
	uint32_t room;
	int n;

	n = http_encode(path, len, name, DOC_MAX_NAME);
	if (n < 0) {
		errno = -n;
		return NULL;
	}
	name[n] = '\0';
	if (pack->nr_items == pack->room_items) {
		room = pack->room_items ? 2 * pack->room_items : 256;
		items = reallocarray(pack->items, room, sizeof(*items));
		if (!items)
			return NULL;
		pack->items = items;
		pack->room_items = room;
	}
	items = &pack->items[pack->nr_items];
	memset(items, 0, sizeof(*items));
	items->alias = PACK_ALIAS_NONE;
	items->name = strdup(name);
	if (!items->name)
		return NULL;
	pack->nr_items++;
	return items;
}

static int add_file(struct pack *pack, const char *path, const struct stat *st)
{
	char full[DOC_MAX_NAME];
	struct pack_item *item;
	int len;

	len = snprintf(full, sizeof(full), "/%s", path);
	item = pack_add(pack, full, len);
	if (!item && errno == ENAMETOOLONG) {
		note(pack, path, "its name is too long");
		return 0;
	}
	if (!item)
		return -errno;
	item->path = strdup(path);
	if (!item->path)
		return -ENOMEM;
	item->status = 200;
	item->body_bytes = st->st_size;
	item->mtime = st->st_mtime;
	pack->nr_files++;
	return 0;
}

/* "/dir" sends the browser to "/dir/", which is what pack_plan() finds there. */
static int add_folder(struct pack *pack, const char *path,
		      const struct stat *st)
{
	char full[DOC_MAX_NAME];
	struct pack_item *item;
	int len;

	len = snprintf(full, sizeof(full), *path ? "/%s/" : "/", path);
	item = pack_add(pack, full, len);
	if (!item)
		return -errno;
	item->status = 403;
	item->mtime = st->st_mtime;
	if (!*path)
		return 0;
	item = pack_add(pack, full, len - 1);
	if (!item)
		return -errno;
	item->status = 301;
	item->mtime = st->st_mtime;
	return 0;
}

static bool leads_back(const struct level *l, const struct stat *st)
{
	for (; l; l = l->up)
		if (l->dev == st->st_dev && l->ino == st->st_ino)
			return true;
	return false;
}

static int visit(struct pack *pack, const char *path, const struct level *up)
{
	struct stat st;
	int fd;

	if (strlen(path) > DOC_MAX_NAME - 8) {
		note(pack, path, "its name is too long");
		return 0;
	}
	fd = pack_open(pack, path, O_PATH);
	if (fd == -EXDEV || fd == -ENOENT || fd == -ELOOP) {
		note(pack, path, fd == -EXDEV ?
		     "a link that leads out of the folder" :
		     "a link that leads nowhere");
		return 0;
	}
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		st.st_mode = 0;
	close(fd);
	if (S_ISREG(st.st_mode))
		return add_file(pack, path, &st);
	if (S_ISDIR(st.st_mode) && !leads_back(up, &st))
		return walk(pack, path, up);
	note(pack, path, S_ISDIR(st.st_mode) ? "a link to a folder above it" :
	     "neither a file nor a folder");
	return 0;
}

static int walk_entries(struct pack *pack, DIR *d, const char *dir,
			const struct level *here)
{
	char path[2 * DOC_MAX_NAME];
	struct dirent *e;
	int rc;

	for (;;) {
		errno = 0;
		e = readdir(d);
		if (!e)
			return -errno;
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		snprintf(path, sizeof(path), "%s%s%s", dir, *dir ? "/" : "",
			 e->d_name);
		rc = visit(pack, path, here);
		if (rc)
			return rc;
	}
}

static int walk(struct pack *pack, const char *dir, const struct level *up)
{
	struct level here = { .up = up, .depth = up ? up->depth + 1 : 0 };
	struct stat st;
	DIR *d;
	int fd, rc;

	if (here.depth > MAX_DEPTH)
		return -ELOOP;
	fd = pack_open(pack, dir, O_RDONLY | O_DIRECTORY);
	if (fd == -EACCES) {
		note(pack, dir, "no permission to read it");
		return 0;
	}
	if (fd < 0)
		return fd;
	d = fdopendir(fd);
	if (!d) {
		close(fd);
		return -ENOMEM;
	}
	if (fstat(fd, &st) < 0) {
		closedir(d);
		return -errno;
	}
	here.dev = st.st_dev;
	here.ino = st.st_ino;
	rc = add_folder(pack, dir, &st);
	if (!rc)
		rc = walk_entries(pack, d, dir, &here);
	closedir(d);
	return rc;
}

static int by_name(const void *a, const void *b)
{
	const struct pack_item *x = a, *y = b;

	return strcmp(x->name, y->name);
}

/**
 * pack_scan - find out what the folder holds
 * @pack: the site; items are added and sorted
 *
 * What cannot be served (devices, links that lead out, names that are too
 * long) is left out with a note.
 *
 * Return: 0; -EMFILE, -ENOMEM, -ELOOP nested too deeply, or what the file
 * system says.
 */
int pack_scan(struct pack *pack)
{
	int rc;

	rc = walk(pack, "", NULL);
	if (rc)
		return rc;
	if (pack->nr_items > DOC_MAX_DOCS)
		return -E2BIG;
	qsort(pack->items, pack->nr_items, sizeof(*pack->items), by_name);
	return 0;
}

/**
 * pack_find - an item by name
 * @pack: the site, scanned
 * @name: document name
 *
 * Return: the item or NULL.
 */
struct pack_item *pack_find(const struct pack *pack, const char *name)
{
	struct pack_item key = { .name = (char *)name };

	return bsearch(&key, pack->items, pack->nr_items, sizeof(key), by_name);
}
