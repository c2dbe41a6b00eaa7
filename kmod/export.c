// SPDX-License-Identifier: GPL-2.0
/*
 * Export: a capability as an anonymous file, to be passed to other processes.
 *
 * The file holds the capability until what was made from that is revoked; then
 * the revocation takes the reference away, so that whoever keeps the file open
 * does not keep the memory of somebody else.
 */
#include <linux/anon_inodes.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "cap.h"
#include "check.h"

/* Taken off a capability in one go, the lock being held. */
#define DROP_BATCH	64

/**
 * struct export - what an exported fd stands for
 * @cap: one reference, or NULL once it was taken away
 * @epoch: of the capability when it was exported
 * @sibling: in the capability's @exports, oldest first
 */
struct export {
	struct exo_cap *cap;
	u32 epoch;
	struct list_head sibling;
};

/* Guards every capability's @exports; innermost. */
static DEFINE_SPINLOCK(export_lock);

static int export_release(struct inode *inode, struct file *file)
{
	struct export *export = file->private_data;
	struct exo_cap *cap;

	spin_lock(&export_lock);
	cap = export->cap;
	if (cap)
		list_del(&export->sibling);
	spin_unlock(&export_lock);
	kfree(export);
	exo_cap_put(cap);
	return 0;
}

static const struct file_operations export_fops = {
	.owner		= THIS_MODULE,
	.release	= export_release,
	.llseek		= noop_llseek,
};

/**
 * exo_export_file() - make a file that stands for a capability
 * @cap: a reference held by the caller; the file takes one of its own
 *
 * Context: sleeps. Return: the file, or ERR_PTR: -ENOMEM, -ENFILE.
 */
struct file *exo_export_file(struct exo_cap *cap)
{
	struct export *export = kzalloc(sizeof(*export), EXO_GFP_USER);
	struct file *file;

	if (!export)
		return ERR_PTR(-ENOMEM);
	file = anon_inode_getfile("[exo-capability]", &export_fops, export,
				  O_RDWR | O_CLOEXEC);
	if (IS_ERR(file)) {
		kfree(export);
		return file;
	}
	exo_cap_hold(cap);
	/*
	 * A revocation counts the epoch up, then comes for this lock: it finds
	 * the export, or the export has the new epoch.
	 */
	spin_lock(&export_lock);
	export->cap = cap;
	export->epoch = READ_ONCE(cap->epoch);
	list_add_tail(&export->sibling, &cap->exports);
	spin_unlock(&export_lock);
	return file;
}

/**
 * exo_export_get() - the capability that a file stands for
 * @file: any file
 * @epoch: set to the capability's epoch when it was exported
 *
 * Context: any but interrupt. Return: a reference that the caller puts, NULL if
 * what was exported has been revoked, or ERR_PTR(-EBADF) for another file.
 */
struct exo_cap *exo_export_get(struct file *file, u32 *epoch)
{
	struct export *export;
	struct exo_cap *cap;

	if (!EXO_CHECK(import_file, file->f_op == &export_fops))
		return ERR_PTR(-EBADF);
	export = file->private_data;
	spin_lock(&export_lock);
	cap = export->cap;
	*epoch = export->epoch;
	if (cap)
		exo_cap_hold(cap);
	spin_unlock(&export_lock);
	return cap;
}

/* Return: how many were taken off, at most DROP_BATCH. */
static unsigned int __drop_batch(struct exo_cap *cap)
{
	struct export *export;
	unsigned int nr = 0;

	lockdep_assert_held(&export_lock);
	while (nr < DROP_BATCH &&
	       (export = list_first_entry_or_null(&cap->exports, struct export,
						  sibling)) &&
	       (cap->ended || export->epoch != cap->epoch)) {
		list_del(&export->sibling);
		export->cap = NULL;
		nr++;
	}
	return nr;
}

/**
 * exo_export_drop_stale() - let exports go that were revoked
 * @cap: a reference held by the caller; it has ended, or its epoch was counted
 *       up
 *
 * Context: sleeps.
 */
void exo_export_drop_stale(struct exo_cap *cap)
{
	unsigned int nr, i;

	do {
		spin_lock(&export_lock);
		nr = __drop_batch(cap);
		spin_unlock(&export_lock);
		/* Never the last: the caller has one. */
		for (i = 0; i < nr; i++)
			exo_cap_put(cap);
		cond_resched();
	} while (nr == DROP_BATCH);
}
