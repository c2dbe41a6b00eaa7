// SPDX-License-Identifier: GPL-2.0
/*
 * Extent: creating, opening, deleting and listing.
 *
 * Who the caller is: ownership, group and mode are judged by the credentials of
 * the env's opener, whoever holds its fd now. CAP_SYS_ADMIN of the calling
 * process itself, and nothing else, stands above them: create without a grant,
 * open and delete any extent.
 *
 * A block is never readable by a new owner with its old content. Creating is
 *
 *	entry TO_BE_ZEROED on the device	nobody else gets the blocks
 *	zeroes on the blocks
 *	flush, entry CLEAN on the device	now it may be opened
 *
 * and what a crash cuts short is finished when the disk is attached.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/slab.h>

#include <linux/exo.h>

#include "cap.h"
#include "check.h"
#include "command.h"
#include "disk.h"
#include "extent.h"

#define ALL_RIGHTS	(EXO_RIGHT_READ | EXO_RIGHT_WRITE)

static void __record_open(struct exo_record *record)
{
	lockdep_assert_held(&record->disk->lock);
	record->nr_open++;
	record->disk->nr_open++;
}

static void __record_unopen(struct exo_record *record)
{
	lockdep_assert_held(&record->disk->lock);
	record->nr_open--;
	record->disk->nr_open--;
}

static void record_unopen(struct exo_record *record)
{
	mutex_lock(&record->disk->lock);
	__record_unopen(record);
	mutex_unlock(&record->disk->lock);
}

static void extent_close(struct exo_object *obj)
{
	struct exo_extent *extent = container_of(obj, struct exo_extent, obj);
	struct exo_disk *disk = extent->record->disk;

	mutex_lock(&disk->lock);
	extent->closed = true;
	__record_unopen(extent->record);
	mutex_unlock(&disk->lock);
}

static void extent_destroy(struct exo_object *obj)
{
	struct exo_extent *extent = container_of(obj, struct exo_extent, obj);

	exo_record_put(extent->record);
	kfree(extent);
}

const struct exo_object_ops exo_extent_ops = {
	.name		= "extent",
	.uapi_type	= EXO_TYPE_EXTENT,
	.divisible	= true,
	.close		= extent_close,
	.destroy	= extent_destroy,
};

/* A root capability for @record, which counts as open already; takes a reference. */
static int extent_install(struct exo_command *cmd, struct exo_record *record,
			  u32 rights)
{
	struct exo_extent *extent;
	int rc;

	extent = kzalloc(sizeof(*extent), EXO_GFP_USER);
	if (!extent)
		return -ENOMEM;
	kref_get(&record->refs);
	extent->record = record;
	exo_object_setup(&extent->obj, EXO_OBJECT_EXTENT,
			 rights | EXO_RIGHT_SHARE, record->nr_blocks);
	rc = exo_command_install(cmd, &extent->obj);
	if (rc)
		exo_object_put(&extent->obj);
	return rc;
}

static bool in_group(const struct cred *cred, kgid_t gid)
{
	const struct group_info *groups = cred->group_info;
	int i;

	if (gid_eq(cred->egid, gid))
		return true;
	for (i = 0; i < groups->ngroups; i++)
		if (gid_eq(groups->gid[i], gid))
			return true;
	return false;
}

/* What the mode lets these credentials do, as EXO_RIGHT_*. */
static u32 rights_of(const struct exo_record *record, const struct cred *cred)
{
	u32 bits = record->mode, rights = 0;

	if (uid_eq(cred->euid, record->uid))
		bits >>= 6;
	else if (in_group(cred, record->gid))
		bits >>= 3;
	if (bits & 4)
		rights |= EXO_RIGHT_READ;
	if (bits & 2)
		rights |= EXO_RIGHT_WRITE;
	return rights;
}

static int decode_create(const struct exo_extent_create *arg,
			 const struct exo_geometry *geometry)
{
	u64 end;

	if (!EXO_CHECK(extent_mode, !(arg->mode & ~EXO_MODE_BITS)) ||
	    !EXO_CHECK(extent_empty, arg->nr_blocks) ||
	    !EXO_CHECK(extent_name, exo_name_valid(arg->name)))
		return -EINVAL;
	if (!EXO_CHECK(extent_wrap, !check_add_overflow(arg->start,
							arg->nr_blocks, &end)))
		return -EOVERFLOW;
	if (!EXO_CHECK(extent_start, arg->start >= geometry->data_start) ||
	    !EXO_CHECK(extent_end, end <= geometry->data_end))
		return -EINVAL;
	return 0;
}

static struct exo_record *record_new(struct exo_disk *disk,
				     const struct cred *cred,
				     const struct exo_extent_create *arg)
{
	struct exo_record *record = exo_record_new(disk);

	if (!record)
		return NULL;
	record->start = arg->start;
	record->nr_blocks = arg->nr_blocks;
	record->uid = cred->euid;
	record->gid = cred->egid;
	record->mode = arg->mode;
	record->state = EXO_ENTRY_TO_BE_ZEROED;
	memcpy(record->name, arg->name, sizeof(record->name));
	return record;
}

/* From here on the blocks, the name and the place are this record's. */
static int admit(struct exo_disk *disk, struct exo_record *record,
		 bool privileged)
{
	int rc = -ENOENT;

	mutex_lock(&disk->lock);
	if (!EXO_CHECK(extent_disk_stays, !disk->leaving))
		goto out;
	rc = privileged ? 0 : __exo_disk_check_grant(disk, record->uid,
						     record->nr_blocks);
	if (rc)
		goto out;
	rc = -EEXIST;
	if (!EXO_CHECK(extent_name_unique,
		       !__exo_catalogue_find(&disk->catalogue, record->uid,
					     record->name)))
		goto out;
	rc = __exo_catalogue_insert(&disk->catalogue, record);
	if (!rc)
		__record_open(record);
out:
	mutex_unlock(&disk->lock);
	return rc;
}

static void expel(struct exo_record *record)
{
	mutex_lock(&record->disk->lock);
	__exo_catalogue_remove(&record->disk->catalogue, record);
	mutex_unlock(&record->disk->lock);
}

static void set_state(struct exo_record *record, u32 state)
{
	mutex_lock(&record->disk->lock);
	record->state = state;
	mutex_unlock(&record->disk->lock);
}

/*
 * Write an admitted record to the device and zero its blocks. On failure the
 * record is expelled, unless the entry stands on the device and cannot be
 * taken back: then it stays, owned and to be zeroed. After success nobody can
 * open it yet.
 */
static int make_durable(struct exo_catalogue *cat, struct exo_record *record)
{
	int rc;

	rc = exo_catalogue_write(cat, record, EXO_ENTRY_TO_BE_ZEROED);
	if (rc)
		goto err_expel;
	rc = exo_catalogue_zero(cat, record);
	if (!rc || exo_catalogue_write(cat, record, EXO_ENTRY_FREE))
		return rc;
err_expel:
	expel(record);
	return rc;
}

/* One that cannot be taken off the device again stays, under its name. */
static void settle_create(void *made, bool answered)
{
	struct exo_record *record = made;

	if (answered ||
	    exo_catalogue_write(&record->disk->catalogue, record,
				EXO_ENTRY_FREE))
		set_state(record, EXO_ENTRY_CLEAN);
	else
		expel(record);
	exo_record_put(record);
}

static int create(struct exo_command *cmd, struct exo_disk *disk,
		  struct exo_record *record)
{
	int rc;

	rc = admit(disk, record, capable(CAP_SYS_ADMIN));
	if (rc)
		return rc;
	rc = extent_install(cmd, record, ALL_RIGHTS);
	if (rc) {
		expel(record);
		record_unopen(record);
		return rc;
	}
	/* From here on the dispatcher closes the handle if this fails. */
	rc = make_durable(&disk->catalogue, record);
	if (!rc) {
		kref_get(&record->refs);
		cmd->made = record;
		cmd->settle = settle_create;
	}
	return rc;
}

/**
 * exo_extent_create() - EXO_CMD_EXTENT_CREATE
 * @cmd: struct exo_extent_create
 *
 * If the answer cannot be copied to the caller the extent is deleted again. If
 * the device fails at that it exists all the same, under its owner's name.
 *
 * Context: sleeps, long: the blocks are zeroed. Return: 0; -EINVAL mode, name
 * or range; -EOVERFLOW; -ENOENT no such disk; -EPERM no grant; -EDQUOT;
 * -EEXIST; -ENOSPC; -EINTR fatal signal; -EIO; -ENOMEM.
 */
int exo_extent_create(struct exo_command *cmd)
{
	struct exo_extent_create *arg = cmd->arg;
	struct exo_record *record;
	struct exo_disk *disk;
	int rc;

	disk = exo_disk_get(arg->disk);
	if (IS_ERR(disk))
		return PTR_ERR(disk);
	rc = decode_create(arg, &disk->geometry);
	if (rc)
		goto out_disk;
	rc = -ENOMEM;
	record = record_new(disk, cmd->env->cred, arg);
	if (!record)
		goto out_disk;
	rc = create(cmd, disk, record);
	exo_record_put(record);
	arg->out_handle = rc ? 0 : cmd->handle;
	arg->out_reserved = 0;
out_disk:
	exo_disk_put(disk);
	return rc;
}

/* Finds the extent, judges the caller, and counts it as open. */
static struct exo_record *open_record(struct exo_disk *disk,
				      const struct exo_extent_open *arg,
				      const struct cred *cred)
{
	kuid_t uid = make_kuid(&init_user_ns, arg->uid);
	bool privileged = capable(CAP_SYS_ADMIN);
	struct exo_record *record;
	u32 allowed;
	int rc;

	mutex_lock(&disk->lock);
	rc = -ENOENT;
	if (!EXO_CHECK(open_disk_stays, !disk->leaving))
		goto out;
	record = __exo_catalogue_find(&disk->catalogue, uid, arg->name);
	if (!record)
		goto out;
	allowed = privileged ? ALL_RIGHTS : rights_of(record, cred);
	if (!EXO_CHECK(open_visible, allowed))
		goto out;
	rc = -EACCES;
	if (!EXO_CHECK(open_allowed, !(arg->rights & ~allowed)))
		goto out;
	rc = -EBUSY;
	if (!EXO_CHECK(open_state, record->state == EXO_ENTRY_CLEAN))
		goto out;
	__record_open(record);
	kref_get(&record->refs);
	rc = 0;
out:
	mutex_unlock(&disk->lock);
	return rc ? ERR_PTR(rc) : record;
}

/**
 * exo_extent_open() - EXO_CMD_EXTENT_OPEN
 * @cmd: struct exo_extent_open
 *
 * Context: sleeps. Return: 0; -EINVAL rights or name; -ENOENT no such disk or
 * extent, or the caller may neither read nor write it; -EACCES; -EBUSY being
 * created or deleted; -ENOMEM.
 */
int exo_extent_open(struct exo_command *cmd)
{
	struct exo_extent_open *arg = cmd->arg;
	struct exo_record *record;
	struct exo_disk *disk;
	int rc;

	if (!EXO_CHECK(open_rights_some, arg->rights) ||
	    !EXO_CHECK(open_rights_known, !(arg->rights & ~ALL_RIGHTS)) ||
	    !EXO_CHECK(open_name, exo_name_valid(arg->name)))
		return -EINVAL;
	disk = exo_disk_get(arg->disk);
	if (IS_ERR(disk))
		return PTR_ERR(disk);
	record = open_record(disk, arg, cmd->env->cred);
	exo_disk_put(disk);
	if (IS_ERR(record))
		return PTR_ERR(record);
	rc = extent_install(cmd, record, arg->rights);
	if (rc)
		record_unopen(record);
	arg->out_handle = cmd->handle;
	arg->out_start = record->start;
	arg->out_nr_blocks = record->nr_blocks;
	exo_record_put(record);
	return rc;
}

/* Only the caller's handle is open, and no I/O can begin from here on. */
static int begin_delete(struct exo_extent *extent)
{
	struct exo_record *record = extent->record;
	int rc = -EBUSY;

	mutex_lock(&record->disk->lock);
	if (EXO_CHECK(delete_closed, !extent->closed) &&
	    EXO_CHECK(delete_open, record->nr_open == 1) &&
	    EXO_CHECK(delete_state, record->state == EXO_ENTRY_CLEAN) &&
	    exo_record_block_io(record)) {
		record->state = EXO_ENTRY_WILL_FREE;
		__record_open(record);
		rc = 0;
	}
	mutex_unlock(&record->disk->lock);
	return rc;
}

static int delete(struct exo_extent *extent)
{
	struct exo_record *record = extent->record;
	int rc = begin_delete(extent);

	if (rc)
		return rc;
	rc = exo_catalogue_write(&record->disk->catalogue, record,
				 EXO_ENTRY_FREE);
	if (rc) {
		set_state(record, EXO_ENTRY_CLEAN);
		exo_record_allow_io(record);
	} else {
		expel(record);
	}
	record_unopen(record);
	return rc;
}

/*
 * Deleting is for the owner, by the handle that opening gave, while nobody else
 * holds a part of it. An exported fd that nobody imported from does not count.
 */
static int check_delete(const struct exo_env *env, const struct exo_cap *cap,
			const struct exo_extent *extent)
{
	if (!EXO_CHECK(extent_delete_owner,
		       uid_eq(env->cred->euid, extent->record->uid) ||
		       capable(CAP_SYS_ADMIN)) ||
	    !EXO_CHECK(extent_delete_root, !cap->depth))
		return -EACCES;
	if (!EXO_CHECK(extent_delete_shared,
		       atomic_read(&extent->obj.nr_caps) <= 1))
		return -EBUSY;
	return 0;
}

/**
 * exo_extent_delete() - EXO_CMD_EXTENT_DELETE
 * @cmd: struct exo_extent_delete
 *
 * Context: sleeps. Return: 0; -EINVAL reserved not zero; -ENOENT; -EBADF;
 * -ESTALE; -EACCES not the owner, or a derived handle; -EBUSY open elsewhere,
 * a part of it held by others, or I/O in flight; -EIO.
 */
int exo_extent_delete(struct exo_command *cmd)
{
	struct exo_extent_delete *arg = cmd->arg;
	struct exo_extent *extent;
	struct exo_scope scope;
	struct exo_cap *cap;
	u64 nr;
	int rc;

	if (!EXO_CHECK(delete_reserved, !arg->reserved))
		return -EINVAL;
	cap = exo_env_get_cap(cmd->env, arg->handle);
	if (IS_ERR(cap))
		return PTR_ERR(cap);
	extent = exo_extent_get(cmd->env, arg->handle, 0, &scope);
	rc = PTR_ERR_OR_ZERO(extent);
	if (rc)
		goto out_cap;
	rc = check_delete(cmd->env, cap, extent);
	if (!rc)
		rc = delete(extent);
	/* Another thread may have closed the handle just now: all the same. */
	if (!rc) {
		exo_cap_revoke(cap, true, &nr);
		exo_env_drop(cmd->env, arg->handle);
	}
	exo_object_put(&extent->obj);
out_cap:
	exo_cap_put(cap);
	return rc;
}

static void fill_info(const struct exo_record *record, bool visible,
		      struct exo_extent_info *info)
{
	info->start = record->start;
	info->nr_blocks = record->nr_blocks;
	info->state = record->state == EXO_ENTRY_TO_BE_ZEROED ?
		      EXO_EXTENT_TO_BE_ZEROED : EXO_EXTENT_CLEAN;
	info->uid = (u32)-1;
	info->gid = (u32)-1;
	if (!EXO_CHECK(list_visible, visible))
		return;
	info->uid = from_kuid(&init_user_ns, record->uid);
	info->gid = from_kgid(&init_user_ns, record->gid);
	info->mode = record->mode;
	memcpy(info->name, record->name, sizeof(info->name));
}

/* Fills at most @room entries. Return: how many there are. */
static u32 snapshot(struct exo_disk *disk, const struct cred *cred,
		    struct exo_extent_info *info, u32 room)
{
	bool privileged = capable(CAP_SYS_ADMIN);
	struct exo_record *record;
	u32 nr = 0;

	mutex_lock(&disk->lock);
	exo_for_each_record(record, &disk->catalogue) {
		if (EXO_CHECK(list_room, nr < room))
			fill_info(record, privileged ||
				  rights_of(record, cred), &info[nr]);
		nr++;
	}
	mutex_unlock(&disk->lock);
	return nr;
}

/**
 * exo_extent_list() - EXO_CMD_EXTENT_LIST
 * @cmd: struct exo_extent_list
 *
 * Context: sleeps. Return: 0; -EINVAL reserved not zero; -ENOENT no such disk;
 * -EMSGSIZE with out_nr set; -EFAULT; -ENOMEM.
 */
int exo_extent_list(struct exo_command *cmd)
{
	struct exo_extent_list *arg = cmd->arg;
	u32 room = min_t(u32, arg->nr, EXO_MAX_SLOTS * EXO_SLOT_ENTRIES);
	struct exo_extent_info *info;
	struct exo_disk *disk;
	int rc = -ENOMEM;

	if (!EXO_CHECK(list_reserved, !arg->reserved))
		return -EINVAL;
	disk = exo_disk_get(arg->disk);
	if (IS_ERR(disk))
		return PTR_ERR(disk);
	room = min(room, disk->geometry.nr_slots * EXO_SLOT_ENTRIES);
	info = kvcalloc(room ?: 1, sizeof(*info), EXO_GFP_USER);
	if (info)
		rc = exo_command_copy_array(arg->array, room, &arg->out_nr,
					    info,
					    snapshot(disk, cmd->env->cred,
						     info, room),
					    sizeof(*info));
	kvfree(info);
	exo_disk_put(disk);
	return rc;
}
