// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Disk: list, find, attach, grant. See <exo/disk.h>.
 */
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <exo/disk.h>

#include "sys.h"

static int disk_list_once(struct exo_env *env, __u32 id, void *array, __u32 nr,
			  __u32 *out_nr)
{
	struct exo_disk_list arg = {
		.size = sizeof(arg),
		.array = (uintptr_t)array,
		.nr = nr,
	};
	int rc = exo_command(env, EXO_CMD_DISK_LIST, &arg);

	(void)id;
	*out_nr = arg.out_nr;
	return rc;
}

int exo_disk_list(struct exo_env *env, struct exo_disk_info **out_disks)
{
	void *array = NULL;
	int rc;

	rc = exo_list_all(env, disk_list_once, 0, sizeof(**out_disks), &array);
	if (rc >= 0)
		*out_disks = array;
	return rc;
}

static bool field_is(const __u8 *field, const char *text)
{
	return *text && strlen(text) < EXO_NAME_BYTES &&
	       !strncmp((const char *)field, text, EXO_NAME_BYTES);
}

static bool name_is(const struct exo_disk_info *disk, const char *which)
{
	return field_is(disk->name, which);
}

/* "vda", "/dev/vda", or a link to it such as those in /dev/disk */
static bool path_is(const struct exo_disk_info *disk, const char *which)
{
	char real[PATH_MAX];

	if (*which != '/')
		return field_is(disk->path, which);
	return realpath(which, real) && !strncmp(real, "/dev/", 5) &&
	       field_is(disk->path, real + 5);
}

static bool uuid_is(const struct exo_disk_info *disk, const char *which)
{
	char text[37], *p = text;
	int i;

	for (i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*p++ = '-';
		p += sprintf(p, "%02x", disk->uuid[i]);
	}
	return !strcasecmp(text, which);
}

int exo_disk_find(struct exo_env *env, const char *which,
		  struct exo_disk_info *out_disk)
{
	static bool (*const match[])(const struct exo_disk_info *,
				     const char *) = {
		name_is, path_is, uuid_is,
	};
	struct exo_disk_info *disks = NULL;
	int i, nr, nr_hits = 0;
	size_t m;

	nr = exo_disk_list(env, &disks);
	if (nr < 0)
		return nr;
	for (m = 0; m < sizeof(match) / sizeof(*match) && !nr_hits; m++) {
		for (i = 0; i < nr; i++) {
			if (!match[m](&disks[i], which))
				continue;
			*out_disk = disks[i];
			nr_hits++;
		}
	}
	free(disks);
	if (!nr_hits)
		return -ENOENT;
	return nr_hits == 1 ? 0 : -EEXIST;
}

int exo_disk_attach(struct exo_env *env, int fd, __u32 *out_disk)
{
	struct exo_disk_attach arg = {
		.size = sizeof(arg),
		.fd = fd,
	};
	int rc = exo_command(env, EXO_CMD_DISK_ATTACH, &arg);

	if (!rc)
		*out_disk = arg.out_disk;
	return rc;
}

int exo_disk_detach(struct exo_env *env, __u32 disk)
{
	struct exo_disk_detach arg = {
		.size = sizeof(arg),
		.disk = disk,
	};

	return exo_command(env, EXO_CMD_DISK_DETACH, &arg);
}

int exo_disk_grant(struct exo_env *env, __u32 disk, uid_t uid,
		   __u64 max_blocks)
{
	struct exo_disk_grant arg = {
		.size = sizeof(arg),
		.disk = disk,
		.uid = uid,
		.max_blocks = max_blocks,
	};

	return exo_command(env, EXO_CMD_DISK_GRANT, &arg);
}

int exo_disk_revoke(struct exo_env *env, __u32 disk, uid_t uid)
{
	struct exo_disk_grant arg = {
		.size = sizeof(arg),
		.flags = EXO_GRANT_REVOKE,
		.disk = disk,
		.uid = uid,
	};

	return exo_command(env, EXO_CMD_DISK_GRANT, &arg);
}

static int grant_list_once(struct exo_env *env, __u32 id, void *array,
			   __u32 nr, __u32 *out_nr)
{
	struct exo_disk_grant_list arg = {
		.size = sizeof(arg),
		.disk = id,
		.array = (uintptr_t)array,
		.nr = nr,
	};
	int rc = exo_command(env, EXO_CMD_DISK_GRANT_LIST, &arg);

	*out_nr = arg.out_nr;
	return rc;
}

int exo_disk_grant_list(struct exo_env *env, __u32 disk,
			struct exo_disk_grant_info **out_grants)
{
	void *array = NULL;
	int rc;

	rc = exo_list_all(env, grant_list_once, disk, sizeof(**out_grants),
			  &array);
	if (rc >= 0)
		*out_grants = array;
	return rc;
}
