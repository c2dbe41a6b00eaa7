/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* A model of frames lent and taken back among envs: see model.c. */
#ifndef EXO_SELFTESTS_MODEL_H
#define EXO_SELFTESTS_MODEL_H

#include "cap.h"

#define NR_ENVS		3
#define NR_CAPS		1024
#define NR_OBJECTS	512
#define NR_EXPORTS	24
#define NR_MAPS		24
#define MAX_PAGES	6
#define NONE		(-1)

/* A frame; every page begins with a word of the one who wrote it last. */
struct object {
	int nr_live;		/* capabilities that have not ended */
	uint32_t nr_pages;
	uint64_t word[MAX_PAGES];
};

/* Exists while a handle, an exported fd that is good or a child refers to it. */
struct cap {
	bool used;
	bool live;
	int object;
	int parent;		/* while it is live */
	int env;
	uint32_t handle;	/* 0 once it is closed */
	uint32_t rights;
	uint32_t start;
	uint32_t nr;
	uint32_t depth;
	uint32_t nr_children;
	uint32_t nr_fds;
	uint64_t notice_ns;	/* when what was made from it ends, or 0 */
};

struct export {
	int fd;			/* NONE: unused */
	int cap;
	bool good;
};

struct map {
	volatile uint64_t *p;	/* NULL: unused */
	int cap;		/* NONE once nothing is behind it */
	uint32_t first;
	uint32_t nr;
	bool writable;
};

static struct object objects[NR_OBJECTS];
static struct cap caps[NR_CAPS];
static struct export exports[NR_EXPORTS];
static struct map maps[NR_MAPS];
static int env[NR_ENVS];
static uint32_t last_handle[NR_ENVS];
static uint32_t nr_open;
static int newest;		/* made last */

static void unmap_cap(int c)
{
	int i;

	for (i = 0; i < NR_MAPS; i++)
		if (maps[i].cap == c)
			maps[i].cap = NONE;
}

static void forget_object(int c)
{
	if (!--objects[caps[c].object].nr_live)
		objects[caps[c].object].nr_pages = 0;
}

/* The capability goes if nothing refers to it, and perhaps its parent then. */
static void drop_unused(int c)
{
	while (c != NONE && !caps[c].handle && !caps[c].nr_fds &&
	       !caps[c].nr_children) {
		struct cap *cap = &caps[c];
		int parent = cap->live ? cap->parent : NONE;

		if (cap->live)
			forget_object(c);
		cap->used = false;
		if (parent != NONE)
			caps[parent].nr_children--;
		c = parent;
	}
}

static void spoil_exports(int c)
{
	int i;

	for (i = 0; i < NR_EXPORTS; i++)
		if (exports[i].good && exports[i].cap == c) {
			exports[i].good = false;
			caps[c].nr_fds--;
		}
}

static void end_one(int c)
{
	struct cap *cap = &caps[c];
	int parent = cap->parent;

	cap->live = false;
	unmap_cap(c);
	forget_object(c);
	spoil_exports(c);
	if (parent != NONE)
		caps[parent].nr_children--;
	drop_unused(c);
}

/* End what was made from it; how many. */
static long end_children(int c)
{
	long nr = 0;
	int i;

	for (i = 0; i < NR_CAPS; i++)
		if (caps[i].used && caps[i].live && caps[i].parent == c) {
			nr += end_children(i) + 1;
			end_one(i);
		}
	spoil_exports(c);
	caps[c].notice_ns = 0;
	return nr;
}

/* How many were made from it, directly and in turn. */
static long count_below(int c)
{
	long nr = 0;
	int i;

	for (i = 0; i < NR_CAPS; i++)
		if (caps[i].used && caps[i].live && caps[i].parent == c)
			nr += count_below(i) + 1;
	return nr;
}

/* The earliest notice from above, 0 for none. */
static uint64_t ends_ns(int c)
{
	uint64_t first = 0;

	for (c = caps[c].parent; c != NONE; c = caps[c].parent)
		if (caps[c].notice_ns && (!first || caps[c].notice_ns < first))
			first = caps[c].notice_ns;
	return first;
}

static int cap_slot(void)
{
	int c;

	for (c = 0; c < NR_CAPS; c++)
		if (!caps[c].used)
			return c;
	return NONE;
}

static int object_slot(void)
{
	int o;

	for (o = 0; o < NR_OBJECTS; o++)
		if (!objects[o].nr_live)
			return o;
	return NONE;
}

static void model_root(int c, int o, int e, uint32_t handle, uint32_t nr_pages)
{
	objects[o] = (struct object) { .nr_live = 1, .nr_pages = nr_pages };
	caps[c] = (struct cap) {
		.used = true, .live = true, .object = o, .parent = NONE,
		.env = e, .handle = handle, .rights = RWS, .nr = nr_pages,
	};
	newest = c;
	nr_open++;
}

static void model_child(int c, int parent, int e, uint32_t handle,
			uint32_t rights, uint32_t start, uint32_t nr)
{
	caps[c] = (struct cap) {
		.used = true, .live = true, .object = caps[parent].object,
		.parent = parent, .env = e, .handle = handle,
		.rights = rights, .start = caps[parent].start + start,
		.nr = nr, .depth = caps[parent].depth + 1,
	};
	caps[parent].nr_children++;
	objects[caps[c].object].nr_live++;
	newest = c;
	nr_open++;
}

static void model_close(int c)
{
	unmap_cap(c);
	caps[c].handle = 0;
	nr_open--;
	drop_unused(c);
}

#endif /* EXO_SELFTESTS_MODEL_H */
