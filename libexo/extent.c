// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Extent: place, create, open. See <exo/extent.h>.
 */
#include <errno.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <exo/extent.h>

#include "sys.h"

#define PLACE_TRIES	16

static int extent_list_once(struct exo_env *env, __u32 id, void *array,
			    __u32 nr, __u32 *out_nr)
{
	struct exo_extent_list arg = {
		.size = sizeof(arg),
		.disk = id,
		.array = (uintptr_t)array,
		.nr = nr,
	};
	int rc = exo_command(env, EXO_CMD_EXTENT_LIST, &arg);

	*out_nr = arg.out_nr;
	return rc;
}

int exo_extent_list(struct exo_env *env, __u32 disk,
		    struct exo_extent_info **out_extents)
{
	void *array = NULL;
	int rc;

	rc = exo_list_all(env, extent_list_once, disk, sizeof(**out_extents),
			  &array);
	if (rc >= 0)
		*out_extents = array;
	return rc;
}

int exo_extent_place(const struct exo_disk_info *disk,
		     const struct exo_extent_info *extents, __u32 nr,
		     __u64 nr_blocks, __u64 *out_start)
{
	__u64 at = disk->first_block, best = ~0ULL, gap, stop;
	__u32 i;

	if (!nr_blocks)
		return -EINVAL;
	for (i = 0; i <= nr; i++) {
		stop = i < nr ? extents[i].start : disk->end_block;
		gap = stop > at ? stop - at : 0;
		if (gap >= nr_blocks && gap < best) {
			best = gap;
			*out_start = at;
		}
		if (i < nr && stop + extents[i].nr_blocks > at)
			at = stop + extents[i].nr_blocks;
	}
	return best == ~0ULL ? -ENOSPC : 0;
}

int exo_extent_create_at(struct exo_env *env, __u32 disk, const char *name,
			 __u64 start, __u64 nr_blocks, __u32 mode,
			 struct exo_extent *extent)
{
	struct exo_extent_create arg = {
		.size = sizeof(arg),
		.disk = disk,
		.mode = mode,
		.start = start,
		.nr_blocks = nr_blocks,
	};
	int rc;

	rc = exo_name_set(arg.name, name);
	if (rc)
		return rc;
	rc = exo_command(env, EXO_CMD_EXTENT_CREATE, &arg);
	if (rc)
		return rc;
	*extent = (struct exo_extent) {
		.env = env,
		.start = start,
		.nr_blocks = nr_blocks,
		.handle = arg.out_handle,
		.disk = disk,
		.rights = EXO_RIGHT_READ | EXO_RIGHT_WRITE,
	};
	return 0;
}

/* Tells the two meanings of EEXIST apart: name taken, or blocks taken. */
static bool name_taken(const struct exo_extent_info *extents, int nr,
		       const char *name)
{
	int i;

	for (i = 0; i < nr; i++)
		if (extents[i].uid == geteuid() &&
		    !strncmp((const char *)extents[i].name, name,
			     EXO_NAME_BYTES))
			return true;
	return false;
}

static int create_once(struct exo_env *env, const struct exo_disk_info *disk,
		       const char *name, __u64 nr_blocks, __u32 mode,
		       struct exo_extent *extent)
{
	struct exo_extent_info *extents = NULL;
	__u64 start;
	int nr, rc;

	nr = exo_extent_list(env, disk->disk, &extents);
	if (nr < 0)
		return nr;
	if (name_taken(extents, nr, name))
		rc = -EEXIST;
	else
		rc = exo_extent_place(disk, extents, nr, nr_blocks, &start);
	free(extents);
	if (rc)
		return rc;
	rc = exo_extent_create_at(env, disk->disk, name, start, nr_blocks, mode,
				  extent);
	return rc == -EEXIST ? -EAGAIN : rc;
}

int exo_extent_create(struct exo_env *env, const struct exo_disk_info *disk,
		      const char *name, __u64 nr_blocks, __u32 mode,
		      struct exo_extent *extent)
{
	int i, rc = -EAGAIN;

	for (i = 0; rc == -EAGAIN && i < PLACE_TRIES; i++)
		rc = create_once(env, disk, name, nr_blocks, mode, extent);
	return rc;
}

static int number_of(const char *text, uid_t *uid)
{
	unsigned long long n;
	char *end;

	if (*text < '0' || *text > '9')
		return -ESRCH;
	errno = 0;
	n = strtoull(text, &end, 10);
	if (*end || errno || n >= (uid_t)-1)
		return -ESRCH;
	*uid = (uid_t)n;
	return 0;
}

/* A user name that looks like a number is taken for the name. */
static int owner_of(const char *text, uid_t *uid)
{
	struct passwd pw, *hit = NULL;
	size_t bytes = 1024;
	char *buf = NULL;
	int rc = ERANGE;

	while (rc == ERANGE && bytes <= 1 << 20) {
		free(buf);
		buf = malloc(bytes);
		if (!buf)
			return -ENOMEM;
		rc = getpwnam_r(text, &pw, buf, bytes, &hit);
		bytes *= 4;
	}
	if (hit)
		*uid = hit->pw_uid;
	free(buf);
	return hit ? 0 : number_of(text, uid);
}

/* "OWNER:NAME" or "NAME" */
static int spec_split(const char *spec, uid_t *uid, const char **name)
{
	const char *colon = strchr(spec, ':');
	char *owner;
	int rc;

	*uid = geteuid();
	*name = colon ? colon + 1 : spec;
	if (!**name || colon == spec)
		return -EINVAL;
	if (!colon)
		return 0;
	owner = strndup(spec, colon - spec);
	if (!owner)
		return -ENOMEM;
	rc = owner_of(owner, uid);
	free(owner);
	return rc;
}

int exo_extent_open(struct exo_env *env, __u32 disk, const char *spec,
		    __u32 rights, struct exo_extent *extent)
{
	struct exo_extent_open arg = {
		.size = sizeof(arg),
		.disk = disk,
		.rights = rights,
	};
	const char *name;
	uid_t uid;
	int rc;

	rc = spec_split(spec, &uid, &name);
	if (rc)
		return rc;
	arg.uid = uid;
	rc = exo_name_set(arg.name, name);
	if (rc)
		return rc;
	rc = exo_command(env, EXO_CMD_EXTENT_OPEN, &arg);
	if (rc)
		return rc;
	*extent = (struct exo_extent) {
		.env = env,
		.start = arg.out_start,
		.nr_blocks = arg.out_nr_blocks,
		.handle = arg.out_handle,
		.disk = disk,
		.rights = rights,
	};
	return 0;
}

int exo_extent_close(struct exo_extent *extent)
{
	return exo_handle_close(extent->env, extent->handle);
}

int exo_extent_delete(struct exo_extent *extent)
{
	struct exo_extent_delete arg = {
		.size = sizeof(arg),
		.handle = extent->handle,
	};

	return exo_command(extent->env, EXO_CMD_EXTENT_DELETE, &arg);
}
