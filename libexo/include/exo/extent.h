/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Extent: a run of blocks of a disk with an owner on disk. The module says who
 * holds what; where to allocate is decided here (SOSP '97, section 4.1: expose
 * allocation, let the library choose).
 */
#ifndef EXO_EXTENT_H
#define EXO_EXTENT_H

#include <exo/disk.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * struct exo_extent - an open extent
 * @env: whose
 * @start: first block on the disk
 * @nr_blocks: length in blocks of exo_query.out_block_bytes
 * @handle: for struct exo_io
 * @disk: identifier of its disk
 * @rights: EXO_RIGHT_*
 */
struct exo_extent {
	struct exo_env *env;
	__u64 start;
	__u64 nr_blocks;
	__u32 handle;
	__u32 disk;
	__u32 rights;
};

/**
 * exo_extent_list() - all extents of a disk, by first block
 * @env: the env
 * @disk: identifier
 * @out_extents: an array for free(3); NULL when there are none
 *
 * Return: how many; -ENOENT no such disk; -ENOMEM.
 */
int exo_extent_list(struct exo_env *env, __u32 disk,
		    struct exo_extent_info **out_extents);

/**
 * exo_extent_place() - choose where an extent could begin: best fit
 * @disk: its bounds
 * @extents: what is taken, by first block
 * @nr: entries of @extents
 * @nr_blocks: length wanted
 * @out_start: begin of the smallest gap that is long enough, the first of equals
 *
 * Return: 0; -ENOSPC no gap is long enough; -EINVAL @nr_blocks is 0.
 */
int exo_extent_place(const struct exo_disk_info *disk,
		     const struct exo_extent_info *extents, __u32 nr,
		     __u64 nr_blocks, __u64 *out_start);

/**
 * exo_extent_create() - take blocks of a disk, the place chosen by best fit
 * @env: the env; its opener is the owner
 * @disk: where
 * @name: up to EXO_NAME_BYTES - 1 of [A-Za-z0-9._-], unique for this owner
 * @nr_blocks: length
 * @mode: 0600-style permission bits
 * @extent: filled in, readable and writable, the blocks zero
 *
 * Chooses again when another process was faster.
 *
 * Return: 0; -EEXIST the name is taken; -ENOSPC no gap, or the catalogue is
 * full; -EPERM no grant; -EDQUOT above the grant; -ENAMETOOLONG; -EAGAIN lost
 * 16 races; -EINVAL, -EIO, -ENOMEM.
 */
int exo_extent_create(struct exo_env *env, const struct exo_disk_info *disk,
		      const char *name, __u64 nr_blocks, __u32 mode,
		      struct exo_extent *extent);

/**
 * exo_extent_create_at() - take blocks the caller chose
 * @env: the env; its opener is the owner
 * @disk: identifier
 * @name: as for exo_extent_create()
 * @start: first block on the disk
 * @nr_blocks: length
 * @mode: 0600-style permission bits
 * @extent: filled in, readable and writable, the blocks zero
 *
 * Return: 0; errors of EXO_CMD_EXTENT_CREATE; -ENAMETOOLONG.
 */
int exo_extent_create_at(struct exo_env *env, __u32 disk, const char *name,
			 __u64 start, __u64 nr_blocks, __u32 mode,
			 struct exo_extent *extent);

/**
 * exo_extent_open() - open by owner and name
 * @env: the env
 * @disk: identifier
 * @spec: "NAME" for the effective user's own, "OWNER:NAME" for another's;
 *        OWNER is a user name or a number
 * @rights: EXO_RIGHT_*
 * @extent: filled in
 *
 * Return: 0; -ENOENT no such extent, or not one the caller may know of;
 * -EACCES; -ESRCH no such user; -ENAMETOOLONG; -EINVAL.
 */
int exo_extent_open(struct exo_env *env, __u32 disk, const char *spec,
		    __u32 rights, struct exo_extent *extent);

/**
 * exo_extent_close() - drop the handle; the extent stays
 * @extent: the extent
 */
int exo_extent_close(struct exo_extent *extent);

/**
 * exo_extent_delete() - give the blocks back
 * @extent: the extent; closed afterwards unless an error is returned
 *
 * Return: 0; -EACCES not the owner; -EBUSY open elsewhere, or I/O in flight.
 */
int exo_extent_delete(struct exo_extent *extent);

#ifdef __cplusplus
}
#endif

#endif /* EXO_EXTENT_H */
