/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Disk: a donated block device.
 */
#ifndef EXO_DISK_H
#define EXO_DISK_H

#include <exo/env.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * exo_disk_list() - the attached disks
 * @env: the env
 * @out_disks: an array for free(3); NULL when there are none
 *
 * Return: how many; -ENOMEM.
 */
int exo_disk_list(struct exo_env *env, struct exo_disk_info **out_disks);

/**
 * exo_disk_find() - an attached disk by what a person calls it
 * @env: the env
 * @which: label's name, device ("vda", "/dev/vda" or a link to it) or UUID
 * @out_disk: the disk
 *
 * A name counts before a device, a device before a UUID.
 *
 * Return: 0; -ENOENT none; -EEXIST several disks carry that name; -ENOMEM.
 */
int exo_disk_find(struct exo_env *env, const char *which,
		  struct exo_disk_info *out_disk);

/**
 * exo_disk_attach() - donate a block device that carries a label
 * @env: the env; CAP_SYS_ADMIN
 * @fd: the device, open for reading and writing
 * @out_disk: identifier
 *
 * Return: 0; errors of EXO_CMD_DISK_ATTACH.
 */
int exo_disk_attach(struct exo_env *env, int fd, __u32 *out_disk);

/**
 * exo_disk_detach() - take the device back
 * @env: the env; CAP_SYS_ADMIN
 * @disk: identifier
 *
 * Return: 0; -EBUSY an extent is open; -EINTR while waiting for I/O.
 */
int exo_disk_detach(struct exo_env *env, __u32 disk);

/**
 * exo_disk_grant() - let a user create extents
 * @env: the env; CAP_SYS_ADMIN
 * @disk: identifier
 * @uid: the user
 * @max_blocks: most blocks of all that user's extents together
 */
int exo_disk_grant(struct exo_env *env, __u32 disk, uid_t uid,
		   __u64 max_blocks);

/**
 * exo_disk_revoke() - withdraw a grant; extents that exist stay
 * @env: the env; CAP_SYS_ADMIN
 * @disk: identifier
 * @uid: the user
 */
int exo_disk_revoke(struct exo_env *env, __u32 disk, uid_t uid);

/**
 * exo_disk_grant_list() - who may create extents on a disk
 * @env: the env; with CAP_SYS_ADMIN all grants, else its user's own
 * @disk: identifier
 * @out_grants: an array for free(3); NULL when there are none
 *
 * Return: how many; -ENOENT no such disk; -ENOTTY an older module; -ENOMEM.
 */
int exo_disk_grant_list(struct exo_env *env, __u32 disk,
			struct exo_disk_grant_info **out_grants);

#ifdef __cplusplus
}
#endif

#endif /* EXO_DISK_H */
