// SPDX-License-Identifier: GPL-2.0
/*
 * Disk: attaching, detaching, listing.
 *
 * Attaching reads the device with distrust: labels, then every entry of the
 * catalogue, are checked before the disk is visible to anyone. What fails is
 * refused with a line in the log that names device, block, field, what was
 * found and what was wanted.
 */
#include <linux/atomic.h>
#include <linux/capability.h>
#include <linux/file.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/xarray.h>

#include <linux/exo.h>

#include "block.h"
#include "check.h"
#include "command.h"
#include "disk.h"
#include "object.h"

static DEFINE_MUTEX(disks_lock);
static DEFINE_XARRAY_ALLOC1(disks);
static u32 next_id;
static atomic_t nr_disks;

/**
 * exo_disk_init() - prepare for disks
 *
 * Return: 0.
 */
int exo_disk_init(void)
{
	return 0;
}

/**
 * exo_disk_exit() - forget the table of disks
 *
 * An attached disk holds the module, so none is left.
 */
void exo_disk_exit(void)
{
	WARN_ON_ONCE(!xa_empty(&disks));
	xa_destroy(&disks);
}

/**
 * exo_disk_count() - disks attached
 *
 * Return: the count.
 */
u64 exo_disk_count(void)
{
	return atomic_read(&nr_disks);
}

/**
 * exo_disk_get() - look a disk up
 * @id: what the caller passed, unchecked
 *
 * Context: sleeps. Return: the disk with a reference that the caller puts, or
 * ERR_PTR(-ENOENT).
 */
struct exo_disk *exo_disk_get(u32 id)
{
	struct exo_disk *disk;

	mutex_lock(&disks_lock);
	disk = xa_load(&disks, id);
	if (disk)
		exo_disk_hold(disk);
	mutex_unlock(&disks_lock);
	return disk ?: ERR_PTR(-ENOENT);
}

static void disk_release(struct kref *refs)
{
	struct exo_disk *disk = container_of(refs, struct exo_disk, refs);

	exo_disk_drop_grants(disk);
	kfree(disk);
}

/**
 * exo_disk_put() - drop a reference
 * @disk: the disk
 *
 * Context: sleeps if it is the last one.
 */
void exo_disk_put(struct exo_disk *disk)
{
	kref_put(&disk->refs, disk_release);
}

/**
 * exo_disk_complain() - say why a disk is refused
 * @bdev: the device
 * @block: where
 * @where: what should stand there
 * @flaw: what is wrong
 *
 * Rate limited, though only the administrator can cause it.
 */
void exo_disk_complain(struct block_device *bdev, u64 block,
		       const char *where, const struct exo_flaw *flaw)
{
	static DEFINE_RATELIMIT_STATE(limit, 5 * HZ, 100);

	if (__ratelimit(&limit))
		pr_err("exo: %pg: block %llu (%s): %s is %llu (%#llx), want %s\n",
		       bdev, block, where, flaw->field, flaw->found,
		       flaw->found, flaw->want);
}

/* The device behind an fd that is open for reading and writing. */
static int device_of_fd(int fd, dev_t *dev)
{
	struct file *file = fget(fd);
	struct inode *inode;
	int rc = -EBADF;

	if (!file)
		return rc;
	inode = file_inode(file);
	if (EXO_CHECK(disk_fd_type, S_ISBLK(inode->i_mode)) &&
	    EXO_CHECK(disk_fd_read, file->f_mode & FMODE_READ) &&
	    EXO_CHECK(disk_fd_write, file->f_mode & FMODE_WRITE)) {
		*dev = inode->i_rdev;
		rc = 0;
	}
	fput(file);
	return rc;
}

static u64 device_blocks(struct block_device *bdev)
{
	return bdev_nr_bytes(bdev) / EXO_BLOCK_BYTES;
}

/* What a device must be, apart from what stands on it. */
static int check_device(struct block_device *bdev)
{
	if (!EXO_CHECK(disk_writable, !bdev_read_only(bdev)))
		return -EROFS;
	if (!EXO_CHECK(disk_block_size,
		       bdev_logical_block_size(bdev) <= EXO_BLOCK_BYTES)) {
		pr_err_ratelimited("exo: %pg: logical blocks of %u bytes, want at most %u\n",
				   bdev, bdev_logical_block_size(bdev),
				   EXO_BLOCK_BYTES);
		return -EINVAL;
	}
	if (!EXO_CHECK(disk_zoned, !bdev_is_zoned(bdev))) {
		pr_err_ratelimited("exo: %pg: a zoned device cannot be a disk\n",
				   bdev);
		return -EINVAL;
	}
	return 0;
}

/* Reads one copy; @flaw says why it does not count. */
static int read_label(struct block_device *bdev, u64 block,
		      struct exo_label *label, struct exo_flaw *flaw)
{
	int rc;

	*flaw = (struct exo_flaw) {
		.field = "size of the device", .found = device_blocks(bdev),
		.want = "2 blocks at least",
	};
	if (!EXO_CHECK(label_place, block < device_blocks(bdev)))
		return -EUCLEAN;
	rc = exo_block_read(bdev, block, label);
	if (!rc)
		return exo_label_verify(label, flaw);
	*flaw = (struct exo_flaw) {
		.field = "error of reading", .found = -rc, .want = "0",
	};
	return rc;
}

/* The newer one of the two copies that are whole, in copy[0] or copy[1]. */
static int pick_label(struct block_device *bdev, struct exo_label *copy[2])
{
	struct exo_flaw flaw[2];
	int rc[2], i;

	for (i = 0; i < 2; i++)
		rc[i] = read_label(bdev, i, copy[i], &flaw[i]);
	if (!rc[0] && !rc[1])
		return le64_to_cpu(copy[1]->generation) >
		       le64_to_cpu(copy[0]->generation);
	if (!rc[0])
		return 0;
	if (!rc[1])
		return 1;
	for (i = 0; i < 2; i++)
		exo_disk_complain(bdev, i, "label", &flaw[i]);
	return -EUCLEAN;
}

static int load_label(struct exo_disk *disk)
{
	struct block_device *bdev = disk->claim.bdev;
	struct exo_label *copy[2];
	struct exo_flaw flaw;
	int rc = -ENOMEM, i;

	for (i = 0; i < 2; i++)
		copy[i] = (void *)__get_free_page(GFP_KERNEL);
	if (!copy[0] || !copy[1])
		goto out;
	i = pick_label(bdev, copy);
	rc = i;
	if (rc < 0)
		goto out;
	rc = exo_label_decode(copy[i], device_blocks(bdev), &disk->geometry,
			      &flaw);
	if (rc)
		exo_disk_complain(bdev, i, "label", &flaw);
out:
	free_page((unsigned long)copy[0]);
	free_page((unsigned long)copy[1]);
	return rc;
}

/* Zeroing that a crash or an error cut short. */
static int finish_zeroing(struct exo_disk *disk)
{
	struct exo_record *record;
	int rc;

	exo_for_each_record(record, &disk->catalogue) {
		if (record->state != EXO_ENTRY_TO_BE_ZEROED)
			continue;
		rc = exo_catalogue_zero(&disk->catalogue, record);
		if (rc)
			return rc;
		record->state = EXO_ENTRY_CLEAN;
	}
	return 0;
}

static struct exo_disk *disk_new(void)
{
	struct exo_disk *disk = kzalloc(sizeof(*disk), GFP_KERNEL);

	if (!disk)
		return NULL;
	kref_init(&disk->refs);
	mutex_init(&disk->lock);
	INIT_LIST_HEAD(&disk->grants);
	init_waitqueue_head(&disk->wait);
	return disk;
}

/*
 * What programs wrote through the page cache goes to the device, and no page
 * of it stays to be read later in place of what extents contain then.
 */
static int settle_page_cache(struct block_device *bdev)
{
	int rc = sync_blockdev(bdev);

	invalidate_bdev(bdev);
	return rc;
}

/* Reads everything; the disk is visible to nobody yet. */
static int disk_load(struct exo_disk *disk)
{
	struct block_device *bdev = disk->claim.bdev;
	int rc;

	rc = check_device(bdev);
	if (rc)
		return rc;
	scnprintf(disk->path, sizeof(disk->path), "%pg", bdev);
	rc = settle_page_cache(bdev);
	if (rc)
		return rc;
	rc = load_label(disk);
	if (rc)
		return rc;
	rc = exo_catalogue_load(&disk->catalogue, disk, bdev, &disk->geometry);
	if (!rc)
		rc = finish_zeroing(disk);
	if (rc)
		exo_catalogue_free(&disk->catalogue);
	return rc;
}

/* Undoes disk_load() and the claim. */
static void disk_unload(struct exo_disk *disk)
{
	exo_catalogue_free(&disk->catalogue);
	exo_bdev_release(&disk->claim);
	exo_disk_put(disk);
}

/* An identifier that lookups and lists do not see yet. */
static int disk_reserve(struct exo_disk *disk)
{
	int rc;

	mutex_lock(&disks_lock);
	rc = xa_alloc_cyclic(&disks, &disk->id, NULL, XA_LIMIT(1, INT_MAX),
			     &next_id, GFP_KERNEL);
	mutex_unlock(&disks_lock);
	return rc < 0 ? rc : 0;
}

/* Takes no memory: the place is there since the reservation. */
static void __disk_publish(struct exo_disk *disk)
{
	lockdep_assert_held(&disks_lock);
	WARN_ON_ONCE(xa_is_err(xa_store(&disks, disk->id, disk, GFP_KERNEL)));
	atomic_inc(&nr_disks);
	__module_get(THIS_MODULE);
}

static void settle_attach(void *made, bool answered)
{
	struct exo_disk *disk = made;

	mutex_lock(&disks_lock);
	if (answered)
		__disk_publish(disk);
	else
		xa_erase(&disks, disk->id);
	mutex_unlock(&disks_lock);
	if (!answered)
		disk_unload(disk);
}

/**
 * exo_disk_attach() - EXO_CMD_DISK_ATTACH
 * @cmd: struct exo_disk_attach
 *
 * Context: sleeps, long if zeroing is to be finished. Return: 0; -EPERM;
 * -EBADF no block device, or not open for reading and writing; -EBUSY mounted
 * or claimed; -EROFS; -EINVAL logical blocks too large, or zoned; -EUCLEAN,
 * -EPROTONOSUPPORT (the log says why); -EINTR; -ENOMEM; the device's error.
 */
int exo_disk_attach(struct exo_command *cmd)
{
	struct exo_disk_attach *arg = cmd->arg;
	struct exo_disk *disk;
	dev_t dev;
	int rc;

	if (!EXO_CHECK(disk_attach_capable, capable(CAP_SYS_ADMIN)))
		return -EPERM;
	rc = device_of_fd(arg->fd, &dev);
	if (rc)
		return rc;
	disk = disk_new();
	if (!disk)
		return -ENOMEM;
	rc = exo_bdev_claim(&disk->claim, dev, disk);
	if (rc)
		goto err_put;
	rc = disk_load(disk);
	if (rc)
		goto err_claim;
	rc = disk_reserve(disk);
	if (rc) {
		disk_unload(disk);
		return rc;
	}
	arg->out_disk = disk->id;
	cmd->made = disk;
	cmd->settle = settle_attach;
	return 0;

err_claim:
	exo_bdev_release(&disk->claim);
err_put:
	exo_disk_put(disk);
	return rc;
}

/* From here on nothing can begin on the disk, if nothing is open. */
static int begin_leaving(struct exo_disk *disk)
{
	int rc = -EBUSY;

	mutex_lock(&disk->lock);
	if (EXO_CHECK(disk_open, !disk->nr_open) &&
	    EXO_CHECK(disk_leaving, !disk->leaving)) {
		disk->leaving = true;
		rc = 0;
	}
	mutex_unlock(&disk->lock);
	return rc;
}

/*
 * Wait until no operation is in flight; new ones are refused. The disk being
 * on its leave, the tree does not change although its lock is not held.
 */
static int quiesce(struct exo_disk *disk)
{
	struct exo_record *record;

	exo_for_each_record(record, &disk->catalogue)
		if (wait_event_interruptible(disk->wait,
					     exo_record_block_io(record)))
			return -EINTR;
	return 0;
}

static void cancel_leaving(struct exo_disk *disk)
{
	struct exo_record *record;

	exo_for_each_record(record, &disk->catalogue)
		if (atomic_read(&record->nr_io) < 0)
			exo_record_allow_io(record);
	mutex_lock(&disk->lock);
	disk->leaving = false;
	mutex_unlock(&disk->lock);
}

static int disk_leave(struct exo_disk *disk)
{
	int rc;

	rc = begin_leaving(disk);
	if (rc)
		return rc;
	rc = quiesce(disk);
	if (rc) {
		cancel_leaving(disk);
		return rc;
	}
	mutex_lock(&disks_lock);
	xa_erase(&disks, disk->id);
	mutex_unlock(&disks_lock);
	mutex_lock(&disk->lock);
	exo_catalogue_free(&disk->catalogue);
	mutex_unlock(&disk->lock);
	invalidate_bdev(disk->claim.bdev);
	exo_bdev_release(&disk->claim);
	exo_disk_put(disk);
	atomic_dec(&nr_disks);
	module_put(THIS_MODULE);
	return 0;
}

/**
 * exo_disk_detach() - EXO_CMD_DISK_DETACH
 * @cmd: struct exo_disk_detach
 *
 * Context: sleeps until I/O in flight is done. Return: 0; -EPERM; -EINVAL
 * reserved not zero; -ENOENT; -EBUSY an extent is open, or another detaches;
 * -EINTR, then the disk stays.
 */
int exo_disk_detach(struct exo_command *cmd)
{
	struct exo_disk_detach *arg = cmd->arg;
	struct exo_disk *disk;
	int rc;

	if (!EXO_CHECK(disk_detach_capable, capable(CAP_SYS_ADMIN)))
		return -EPERM;
	if (!EXO_CHECK(disk_detach_reserved, !arg->reserved))
		return -EINVAL;
	disk = exo_disk_get(arg->disk);
	if (IS_ERR(disk))
		return PTR_ERR(disk);
	rc = disk_leave(disk);
	exo_disk_put(disk);
	return rc;
}

static void fill_info(struct exo_disk *disk, struct exo_disk_info *info)
{
	const struct exo_geometry *g = &disk->geometry;

	info->disk = disk->id;
	info->nr_blocks = device_blocks(disk->claim.bdev);
	info->first_block = g->data_start;
	info->end_block = g->data_end;
	memcpy(info->name, g->name, sizeof(info->name));
	memcpy(info->uuid, g->uuid, sizeof(info->uuid));
	memcpy(info->path, disk->path, sizeof(info->path));
	mutex_lock(&disk->lock);
	info->nr_open = disk->nr_open;
	info->nr_free = g->data_end - g->data_start -
			disk->catalogue.nr_used_blocks;
	mutex_unlock(&disk->lock);
}

/**
 * exo_disk_list() - EXO_CMD_DISK_LIST
 * @cmd: struct exo_disk_list
 *
 * Context: sleeps. Return: 0; -EMSGSIZE with out_nr set; -EFAULT; -ENOMEM.
 */
int exo_disk_list(struct exo_command *cmd)
{
	struct exo_disk_list *arg = cmd->arg;
	struct exo_disk_info *info;
	struct exo_disk *disk;
	unsigned long id;
	u32 nr = 0;
	int rc;

	mutex_lock(&disks_lock);
	info = kvcalloc(max(atomic_read(&nr_disks), 1), sizeof(*info),
			EXO_GFP_USER);
	if (info)
		xa_for_each(&disks, id, disk)
			fill_info(disk, &info[nr++]);
	mutex_unlock(&disks_lock);
	if (!info)
		return -ENOMEM;
	rc = exo_command_copy_array(arg->array, arg->nr, &arg->out_nr, info,
				    nr, sizeof(*info));
	kvfree(info);
	return rc;
}
