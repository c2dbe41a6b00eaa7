// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * exoctl extent
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "exoctl.h"
#include "json.h"
#include "label.h"

static void extent_print(const struct exo_extent_info *e)
{
	char size[16], mode[12] = "-", owner[64] = "-";
	bool known = e->uid != (__u32)-1;

	human_bytes(e->nr_blocks * EXO_BLOCK_BYTES, size, sizeof(size));
	if (known) {
		user_name(e->uid, owner, sizeof(owner));
		snprintf(mode, sizeof(mode), "%04o", e->mode);
	}
	printf("%12" PRIu64 " %12" PRIu64 " %8s %-6s %-12s %.32s%s\n",
	       (uint64_t)e->start, (uint64_t)e->nr_blocks, size,
	       mode, owner, known ? (const char *)e->name : "-",
	       e->state == EXO_EXTENT_TO_BE_ZEROED ? " (to be zeroed)" : "");
}

static void extent_json(struct json *j, const struct exo_extent_info *e)
{
	char mode[12];

	json_open(j, NULL, '{');
	json_u64(j, "start", e->start);
	json_u64(j, "nr_blocks", e->nr_blocks);
	json_text(j, "state", e->state == EXO_EXTENT_TO_BE_ZEROED ?
			      "to-be-zeroed" : "clean");
	if (e->uid == (__u32)-1) {
		json_null(j, "name");
		json_null(j, "uid");
		json_null(j, "gid");
		json_null(j, "mode");
	} else {
		snprintf(mode, sizeof(mode), "%04o", e->mode);
		json_chars(j, "name", e->name, sizeof(e->name));
		json_u64(j, "uid", e->uid);
		json_u64(j, "gid", e->gid);
		json_text(j, "mode", mode);
	}
	json_close(j, '}');
}

static void list_text(const struct exo_extent_info *extents, int nr)
{
	int i;

	printf("%12s %12s %8s %-6s %-12s %s\n", "START", "BLOCKS", "SIZE",
	       "MODE", "OWNER", "NAME");
	for (i = 0; i < nr; i++)
		extent_print(&extents[i]);
}

static void list_json(const struct exo_extent_info *extents, int nr)
{
	struct json j = { .f = stdout };
	int i;

	json_open_list(&j, "extents");
	for (i = 0; i < nr; i++)
		extent_json(&j, &extents[i]);
	json_close_list(&j);
}

static int list_extents(struct exo_env *env, const char *which, bool json)
{
	struct exo_extent_info *extents = NULL;
	struct exo_disk_info disk;
	int nr;

	if (disk_find(env, which, &disk))
		return EXIT_FAILED;
	nr = exo_extent_list(env, disk.disk, &extents);
	if (nr < 0)
		return fail(nr, NULL, "cannot list the extents of %s", which);
	if (json)
		list_json(extents, nr);
	else
		list_text(extents, nr);
	free(extents);
	return EXIT_OK;
}

int extent_list(const struct command *cmd, int argc, char **argv)
{
	struct exo_env *env;
	bool json;
	int rc;

	rc = begin_json(cmd, argc, argv, 1, &json, &env);
	if (rc)
		return rc;
	rc = list_extents(env, argv[optind], json);
	exo_env_close(env);
	return rc;
}

/**
 * struct wish - what "extent create" is to make
 * @nr_blocks: length
 * @start: first block if @has_start
 * @has_start: --at was given
 * @mode: permission bits
 */
struct wish {
	uint64_t nr_blocks;
	uint64_t start;
	bool has_start;
	uint32_t mode;
};

static bool parse_mode(const char *text, uint32_t *mode)
{
	char *end;

	*mode = (uint32_t)strtoul(text, &end, 8);
	return *text >= '0' && *text <= '7' && !*end && !(*mode & ~0666U);
}

static bool create_option(int c, const char *text, struct wish *w)
{
	switch (c) {
	case 'b':
		return parse_number(text, UINT64_MAX, &w->nr_blocks);
	case 's':
		return parse_blocks(text, &w->nr_blocks);
	case 'm':
		return parse_mode(text, &w->mode);
	default:
		w->has_start = true;
		return parse_number(text, UINT64_MAX, &w->start);
	}
}

static int create_options(const struct command *cmd, int argc, char **argv,
			  struct wish *w)
{
	static const struct option options[] = {
		{ "blocks", required_argument, NULL, 'b' },
		{ "size", required_argument, NULL, 's' },
		{ "mode", required_argument, NULL, 'm' },
		{ "at", required_argument, NULL, 'a' },
		{}
	};
	int c;

	*w = (struct wish) { .mode = 0600 };
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == '?')
			return bad_option(cmd, argv);
		if (!create_option(c, optarg, w))
			return usage(cmd, "'%s' cannot be understood", optarg);
	}
	if (argc - optind != 2)
		return usage(cmd, "a disk and a name are wanted");
	if (!name_valid(argv[optind + 1]))
		return usage(cmd, "a name is 1 to 31 of A-Z a-z 0-9 . _ -");
	if (!w->nr_blocks)
		return usage(cmd, "how long? --blocks or --size is wanted");
	return 0;
}

static int create_extent(struct exo_env *env, const char *which,
			 const char *name, const struct wish *w)
{
	static const struct why why[] = {
		{ EPERM, "you have no grant on this disk; root gives one by "
			 "'exoctl disk grant'" },
		{ EDQUOT, "your extents would hold more blocks than you were "
			  "granted" },
		{ EEXIST, "you have an extent of that name, or the blocks "
			  "belong to another extent ('exoctl extent list')" },
		{ ENOSPC, "no gap is long enough, or the catalogue is full" },
		{ EINVAL, "the blocks are outside the disk's space for extents" },
		{ EAGAIN, "others kept taking the place; try again" },
		{}
	};
	struct exo_disk_info disk;
	struct exo_extent x;
	int rc;

	if (disk_find(env, which, &disk))
		return EXIT_FAILED;
	if (w->has_start)
		rc = exo_extent_create_at(env, disk.disk, name, w->start,
					  w->nr_blocks, w->mode, &x);
	else
		rc = exo_extent_create(env, &disk, name, w->nr_blocks, w->mode,
				       &x);
	if (rc)
		return fail(rc, why, "cannot create the extent '%s' on %s",
			    name, which);
	return EXIT_OK;
}

int extent_create(const struct command *cmd, int argc, char **argv)
{
	struct exo_env *env;
	struct wish w;
	int rc;

	rc = create_options(cmd, argc, argv, &w);
	if (!rc)
		rc = env_open(&env);
	if (rc)
		return rc;
	rc = create_extent(env, argv[optind], argv[optind + 1], &w);
	exo_env_close(env);
	return rc;
}

static int delete_extent(struct exo_env *env, const char *which, const char *spec)
{
	static const struct why why[] = {
		{ ENOENT, "there is no such extent, or not one you may know of "
			  "('exoctl extent list')" },
		{ ESRCH, "there is no such user" },
		{ EACCES, "only its owner or root may" },
		{ EBUSY, "it is open elsewhere ('fuser -v /dev/exo')" },
		{}
	};
	struct exo_disk_info disk;
	struct exo_extent x;
	int rc;

	if (disk_find(env, which, &disk))
		return EXIT_FAILED;
	rc = exo_extent_open(env, disk.disk, spec, EXO_RIGHT_READ, &x);
	if (rc == -EACCES)
		rc = exo_extent_open(env, disk.disk, spec, EXO_RIGHT_WRITE, &x);
	if (!rc)
		rc = exo_extent_delete(&x);
	if (rc)
		return fail(rc, why, "cannot delete the extent '%s' on %s",
			    spec, which);
	return EXIT_OK;
}

int extent_delete(const struct command *cmd, int argc, char **argv)
{
	struct exo_env *env;
	int rc;

	rc = begin(cmd, argc, argv, 2, &env);
	if (rc)
		return rc;
	rc = delete_extent(env, argv[optind], argv[optind + 1]);
	exo_env_close(env);
	return rc;
}
