// SPDX-License-Identifier: GPL-2.0
/* Disk grant: who may create extents on a disk, and how large together. */
#include <linux/capability.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include <linux/exo.h>

#include "check.h"
#include "command.h"
#include "disk.h"
#include "env.h"

/* Most grants that are told at once. */
#define MOST_GRANTS	65536U

/**
 * struct grant - a user who may create extents
 * @link: in the disk's list
 * @uid: the user
 * @max_blocks: most that the user's extents may hold together
 */
struct grant {
	struct list_head link;
	kuid_t uid;
	u64 max_blocks;
};

/**
 * exo_disk_drop_grants() - forget all grants
 * @disk: on its last reference
 */
void exo_disk_drop_grants(struct exo_disk *disk)
{
	struct grant *grant, *next;

	list_for_each_entry_safe(grant, next, &disk->grants, link)
		kfree(grant);
}

static struct grant *find_grant(struct exo_disk *disk, kuid_t uid)
{
	struct grant *grant;

	list_for_each_entry(grant, &disk->grants, link)
		if (uid_eq(grant->uid, uid))
			return grant;
	return NULL;
}

/**
 * __exo_disk_check_grant() - may a user take so many blocks more?
 * @disk: the disk
 * @uid: the user
 * @nr_blocks: more blocks, inside the disk
 *
 * Context: the disk's lock is held. Return: 0, -EPERM no grant, -EDQUOT.
 */
int __exo_disk_check_grant(struct exo_disk *disk, kuid_t uid, u64 nr_blocks)
{
	struct grant *grant;
	u64 used;

	lockdep_assert_held(&disk->lock);
	grant = find_grant(disk, uid);
	if (!EXO_CHECK(disk_grant, grant))
		return -EPERM;
	used = __exo_catalogue_usage(&disk->catalogue, uid);
	if (!EXO_CHECK(disk_grant_used, used <= grant->max_blocks) ||
	    !EXO_CHECK(disk_grant_blocks,
		       nr_blocks <= grant->max_blocks - used))
		return -EDQUOT;
	return 0;
}

/* Takes over @spare if there is no grant for that user yet. */
static void give(struct exo_disk *disk, struct grant *spare)
{
	struct grant *grant;

	mutex_lock(&disk->lock);
	grant = find_grant(disk, spare->uid);
	if (grant)
		grant->max_blocks = spare->max_blocks;
	else
		list_add(&spare->link, &disk->grants);
	mutex_unlock(&disk->lock);
	if (grant)
		kfree(spare);
}

static int withdraw(struct exo_disk *disk, kuid_t uid)
{
	struct grant *grant;

	mutex_lock(&disk->lock);
	grant = find_grant(disk, uid);
	if (grant)
		list_del(&grant->link);
	mutex_unlock(&disk->lock);
	kfree(grant);
	return grant ? 0 : -ENOENT;
}

static int set_grant(struct exo_disk *disk, kuid_t uid, u64 max_blocks)
{
	struct grant *grant = kmalloc(sizeof(*grant), GFP_KERNEL);

	if (!grant)
		return -ENOMEM;
	grant->uid = uid;
	grant->max_blocks = max_blocks;
	give(disk, grant);
	return 0;
}

/**
 * exo_disk_grant() - EXO_CMD_DISK_GRANT
 * @cmd: struct exo_disk_grant
 *
 * A second grant for a user replaces the first.
 *
 * Context: sleeps. Return: 0; -EPERM; -EINVAL no such user can be; -ENOENT no
 * such disk, or no grant to withdraw; -ENOMEM.
 */
int exo_disk_grant(struct exo_command *cmd)
{
	struct exo_disk_grant *arg = cmd->arg;
	kuid_t uid = make_kuid(&init_user_ns, arg->uid);
	struct exo_disk *disk;
	int rc;

	if (!EXO_CHECK(disk_grant_capable, capable(CAP_SYS_ADMIN)))
		return -EPERM;
	if (!EXO_CHECK(disk_grant_uid, uid_valid(uid)))
		return -EINVAL;
	disk = exo_disk_get(arg->disk);
	if (IS_ERR(disk))
		return PTR_ERR(disk);
	if (arg->flags & EXO_GRANT_REVOKE)
		rc = withdraw(disk, uid);
	else
		rc = set_grant(disk, uid, arg->max_blocks);
	exo_disk_put(disk);
	return rc;
}

/* Fills at most @room entries. Return: how many there are for this viewer. */
static u32 snapshot(struct exo_disk *disk, kuid_t viewer,
		    struct exo_disk_grant_info *info, u32 room)
{
	bool privileged = capable(CAP_SYS_ADMIN);
	const struct grant *grant;
	u32 nr = 0;

	mutex_lock(&disk->lock);
	list_for_each_entry(grant, &disk->grants, link) {
		if (!EXO_CHECK(disk_grants_owner, privileged ||
			       uid_eq(grant->uid, viewer)))
			continue;
		if (EXO_CHECK(disk_grants_room, nr < room))
			info[nr] = (struct exo_disk_grant_info){
				.uid = from_kuid(&init_user_ns, grant->uid),
				.max_blocks = grant->max_blocks,
			};
		nr++;
	}
	mutex_unlock(&disk->lock);
	return nr;
}

/**
 * exo_disk_grant_list() - EXO_CMD_DISK_GRANT_LIST
 * @cmd: struct exo_disk_grant_list
 *
 * Context: sleeps. Return: 0; -EINVAL reserved not zero; -ENOENT no such disk;
 * -EMSGSIZE with out_nr set; -EFAULT; -ENOMEM.
 */
int exo_disk_grant_list(struct exo_command *cmd)
{
	struct exo_disk_grant_list *arg = cmd->arg;
	u32 room = min(arg->nr, MOST_GRANTS);
	struct exo_disk_grant_info *info;
	struct exo_disk *disk;
	int rc = -ENOMEM;

	if (!EXO_CHECK(disk_grants_reserved, !arg->reserved))
		return -EINVAL;
	disk = exo_disk_get(arg->disk);
	if (IS_ERR(disk))
		return PTR_ERR(disk);
	info = kvcalloc(room ?: 1, sizeof(*info), EXO_GFP_USER);
	if (info)
		rc = exo_command_copy_array(arg->array, room, &arg->out_nr,
					    info,
					    snapshot(disk, cmd->env->cred->euid,
						     info, room),
					    sizeof(*info));
	kvfree(info);
	exo_disk_put(disk);
	return rc;
}
