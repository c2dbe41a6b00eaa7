// SPDX-License-Identifier: GPL-2.0
/*
 * exo: an exokernel hosted in a Linux kernel module.
 *
 * The module tracks who owns which frame, extent and flow, checks every use,
 * and takes resources back; how they are used is the library's affair. Start
 * reading here, then command.c (what can be asked, the ioctl_ops[] table) and
 * object.c (what can be held, the object_ops[] table). This file only opens
 * and closes the door: the device node and the order of setting up.
 */
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/poll.h>

#include <linux/exo.h>

#include "cap.h"
#include "check.h"
#include "command.h"
#include "compat/uring.h"
#include "env.h"
#include "event.h"
#include "info.h"
#include "object.h"
#include "reclaim.h"

static int exo_fop_open(struct inode *inode, struct file *file)
{
	struct exo_env *env = exo_env_open(file);

	if (IS_ERR(env))
		return PTR_ERR(env);
	file->private_data = env;
	file->f_mode |= FMODE_NOWAIT;	/* read_iter heeds it */
	return 0;
}

static int exo_fop_release(struct inode *inode, struct file *file)
{
	exo_env_close(file->private_data);
	return 0;
}

static long exo_fop_ioctl(struct file *file, unsigned int nr,
			  unsigned long arg)
{
	return exo_command_ioctl(file->private_data, nr, arg);
}

static int exo_fop_uring_cmd(struct io_uring_cmd *ioucmd,
			     unsigned int issue_flags)
{
	return exo_command_uring(ioucmd->file->private_data, ioucmd,
				 issue_flags);
}

static int exo_fop_mmap(struct file *file, struct vm_area_struct *vma)
{
	return exo_env_mmap(file->private_data, vma);
}

static ssize_t exo_fop_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	return exo_event_read(iocb->ki_filp->private_data, iocb, to);
}

static __poll_t exo_fop_poll(struct file *file, poll_table *wait)
{
	struct exo_env *env = file->private_data;

	poll_wait(file, &env->wait, wait);
	return (exo_env_ready(env) ? EPOLLIN | EPOLLRDNORM : 0) |
	       (exo_event_pending(env) ? EPOLLPRI : 0);
}

static const struct file_operations exo_fops = {
	.owner		= THIS_MODULE,
	.open		= exo_fop_open,
	.release	= exo_fop_release,
	.unlocked_ioctl	= exo_fop_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
	.uring_cmd	= exo_fop_uring_cmd,
	.mmap		= exo_fop_mmap,
	.read_iter	= exo_fop_read_iter,
	.poll		= exo_fop_poll,
};

static struct miscdevice exo_device = {
	.minor		= MISC_DYNAMIC_MINOR,
	.name		= "exo",
	.fops		= &exo_fops,
	.mode		= 0660,
};

static int __init exo_init(void)
{
	int rc;

	rc = exo_check_init();
	if (rc)
		return rc;
	rc = exo_info_init();
	if (rc)
		return rc;
	rc = exo_object_init();
	if (rc)
		goto err_info;
	rc = exo_cap_init();
	if (rc)
		goto err_object;
	rc = exo_reclaim_init();
	if (rc)
		goto err_cap;
	rc = exo_io_init();
	if (rc)
		goto err_reclaim;
	rc = exo_disk_init();
	if (rc)
		goto err_io;
	rc = exo_net_init();
	if (rc)
		goto err_disk;
	rc = misc_register(&exo_device);
	if (rc)
		goto err_net;
	return 0;

err_net:
	exo_net_exit();
err_disk:
	exo_disk_exit();
err_io:
	exo_io_exit();
err_reclaim:
	exo_reclaim_exit();
err_cap:
	exo_cap_exit();
err_object:
	exo_object_exit();
err_info:
	exo_info_exit();
	return rc;
}

/*
 * No env is open now and nothing is attached: both hold a reference on the
 * module. What may be left is the end of capabilities, then work that devices
 * have not finished; each exit waits for its own kind, object_exit for the
 * memory behind it. A task may still be in the last instructions of a bio's
 * completion: the grace period in net_exit covers io_exit too.
 */
static void __exit exo_exit(void)
{
	misc_deregister(&exo_device);
	/* Both end capabilities. */
	exo_reclaim_exit();
	exo_expiry_exit();
	exo_cap_exit();
	exo_net_exit();
	exo_disk_exit();
	exo_io_exit();
	exo_object_exit();
	exo_policy_exit();
	exo_info_exit();
}

module_init(exo_init);
module_exit(exo_exit);

MODULE_LICENSE("GPL");
MODULE_AUTHOR("The exo authors");
MODULE_VERSION("0.1.0");
MODULE_DESCRIPTION("Exokernel: raw block extents, frames and packet flows for libraries");
