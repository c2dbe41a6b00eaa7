// SPDX-License-Identifier: GPL-2.0
/*
 * Command: the table of what a library may ask, and the dispatcher.
 *
 * Every struct is copied in once, zero-extended, with unknown bytes and flags
 * refused, and copied out once. A new capability, fd, disk or extent becomes
 * visible only after the answer has reached the caller; if it cannot, it is
 * dropped again. A command without an answer writes nothing to the caller, so
 * that nothing can go wrong once it has acted.
 */
#include <linux/file.h>
#include <linux/nospec.h>
#include <linux/uaccess.h>

#include <linux/exo.h>

#include "cap.h"
#include "check.h"
#include "command.h"
#include "compat/uring.h"
#include "env.h"
#include "object.h"

/* Room for the largest struct of the table; checked at build time below. */
#define MAX_ARG_BYTES	96

/**
 * struct exo_ioctl_op - one row
 * @bytes: size of the struct as this module knows it
 * @min_bytes: smallest size ever published
 * @flags: known flag bits
 * @inline_ok: quick enough to run in io_uring's submission itself
 * @no_answer: the struct has no out_* member: nothing is written back
 * @handler: the command
 * @uring: set if the io_uring command completes on its own, later
 */
struct exo_ioctl_op {
	u32 bytes;
	u32 min_bytes;
	u32 flags;
	bool inline_ok;
	bool no_answer;
	int (*handler)(struct exo_command *cmd);
	int (*uring)(struct exo_env *env, struct io_uring_cmd *ioucmd,
		     const void __user *arg, unsigned int issue_flags);
};

#define OP(_nr, _struct, _last, _handler, ...)				\
	[(_nr) - EXO_NR_QUERY] = {					\
		.bytes = sizeof(struct _struct) + BUILD_BUG_ON_ZERO(	\
			sizeof(struct _struct) > MAX_ARG_BYTES),	\
		.min_bytes = offsetofend(struct _struct, _last),	\
		.handler = _handler, ##__VA_ARGS__ }

static const struct exo_ioctl_op ioctl_ops[] = {
	OP(EXO_NR_QUERY, exo_query, out_reserved, exo_query,
	   .inline_ok = true),
	OP(EXO_NR_HANDLE_CLOSE, exo_handle_close, reserved, exo_handle_close,
	   .no_answer = true),
	OP(EXO_NR_STATS, exo_stats, out_nr_netdevs, exo_stats,
	   .inline_ok = true),
	OP(EXO_NR_FRAME_ALLOC, exo_frame_alloc, out_mmap_offset,
	   exo_frame_alloc,
	   .flags = EXO_FRAME_NODE | EXO_FRAME_COLOUR | EXO_FRAME_POOL),
	OP(EXO_NR_FRAME_INFO, exo_frame_info, out_reserved, exo_frame_info),
	OP(EXO_NR_DISK_ATTACH, exo_disk_attach, out_disk, exo_disk_attach),
	OP(EXO_NR_DISK_DETACH, exo_disk_detach, reserved, exo_disk_detach,
	   .no_answer = true),
	OP(EXO_NR_DISK_LIST, exo_disk_list, out_nr, exo_disk_list),
	OP(EXO_NR_DISK_GRANT, exo_disk_grant, max_blocks, exo_disk_grant,
	   .flags = EXO_GRANT_REVOKE, .no_answer = true),
	OP(EXO_NR_DISK_GRANT_LIST, exo_disk_grant_list, out_nr,
	   exo_disk_grant_list),
	OP(EXO_NR_EXTENT_CREATE, exo_extent_create, out_reserved,
	   exo_extent_create),
	OP(EXO_NR_EXTENT_OPEN, exo_extent_open, out_nr_blocks,
	   exo_extent_open),
	OP(EXO_NR_EXTENT_DELETE, exo_extent_delete, reserved,
	   exo_extent_delete, .no_answer = true),
	OP(EXO_NR_EXTENT_LIST, exo_extent_list, out_nr, exo_extent_list),
	OP(EXO_NR_CQ_CREATE, exo_cq_create, out_mmap_bytes, exo_cq_create),
	OP(EXO_NR_IO_SUBMIT, exo_io_submit, out_reserved, exo_io_submit),
	OP(EXO_NR_IO, exo_io, user_data, exo_io_wait,
	   .flags = EXO_IO_F_FUA, .no_answer = true, .uring = exo_io_uring),
	OP(EXO_NR_NET_ATTACH, exo_net_attach, lane, exo_net_attach,
	   .no_answer = true),
	OP(EXO_NR_NET_DETACH, exo_net_detach, reserved, exo_net_detach,
	   .no_answer = true),
	OP(EXO_NR_NET_LIST, exo_net_list, out_nr, exo_net_list),
	OP(EXO_NR_NET_GRANT, exo_net_grant, reserved, exo_net_grant,
	   .flags = EXO_GRANT_REVOKE, .no_answer = true),
	OP(EXO_NR_NET_GRANT_LIST, exo_net_grant_list, out_nr,
	   exo_net_grant_list),
	OP(EXO_NR_FLOW_BIND, exo_flow_bind, out_rx_offset, exo_flow_bind),
	OP(EXO_NR_FLOW_KICK, exo_flow_kick, timeout_ns, exo_flow_kick,
	   .flags = EXO_FLOW_KICK_WAIT | EXO_FLOW_KICK_BUSY_POLL,
	   .inline_ok = true),
	OP(EXO_NR_CAP_DERIVE, exo_cap_derive, out_mmap_offset, exo_cap_derive),
	OP(EXO_NR_CAP_EXPORT, exo_cap_export, out_fd, exo_cap_export),
	OP(EXO_NR_CAP_IMPORT, exo_cap_import, out_mmap_offset, exo_cap_import),
	OP(EXO_NR_CAP_REVOKE, exo_cap_revoke, out_nr, exo_cap_revoke_below,
	   .flags = EXO_REVOKE_SELF),
	OP(EXO_NR_CAP_INFO, exo_cap_info, out_mmap_offset, exo_cap_info,
	   .inline_ok = true),
	OP(EXO_NR_ENV_LIST, exo_env_list, out_nr, exo_env_list),
	OP(EXO_NR_ENV_ASK, exo_env_ask, reserved, exo_env_ask,
	   .no_answer = true),
	OP(EXO_NR_EVENT_FD, exo_event_fd, reserved, exo_event_fd,
	   .no_answer = true),
	OP(EXO_NR_POLICY_SET, exo_policy_set, reserved, exo_policy_set,
	   .flags = EXO_GRANT_REVOKE, .no_answer = true),
	OP(EXO_NR_POLICY_LIST, exo_policy_list, out_nr, exo_policy_list),
	OP(EXO_NR_REFUSAL, exo_refusal, out_nr, exo_refusal,
	   .inline_ok = true),
};

static const struct exo_ioctl_op *lookup(unsigned int nr)
{
	unsigned int index = _IOC_NR(nr) - EXO_NR_QUERY;

	if (!EXO_CHECK(command_type, nr == _IO(EXO_IOC_TYPE, _IOC_NR(nr))) ||
	    !EXO_CHECK(command_known, index < ARRAY_SIZE(ioctl_ops)))
		return NULL;
	index = array_index_nospec(index, ARRAY_SIZE(ioctl_ops));
	return ioctl_ops[index].handler ? &ioctl_ops[index] : NULL;
}

/* Published, or dropped; either way the reference is used up. */
static void settle_cap(struct exo_command *cmd, int rc)
{
	if (rc < 0) {
		exo_env_unreserve(cmd->env, cmd->handle);
		exo_cap_put(cmd->cap);
	} else {
		exo_env_publish(cmd->env, cmd->handle, cmd->cap);
	}
}

static void settle_file(struct exo_command *cmd, int rc)
{
	if (rc < 0) {
		put_unused_fd(cmd->fd);
		fput(cmd->file);
	} else {
		fd_install(cmd->fd, cmd->file);
	}
}

/* What the handle stands for is settled before the handle is. */
static int settle(struct exo_command *cmd, int rc)
{
	if (cmd->settle)
		cmd->settle(cmd->made, rc >= 0);
	if (cmd->cap)
		settle_cap(cmd, rc);
	if (cmd->file)
		settle_file(cmd, rc);
	return rc;
}

static int run(struct exo_env *env, const struct exo_ioctl_op *op,
	       void __user *user_arg, bool uring)
{
	u8 arg[MAX_ARG_BYTES] __aligned(8);
	struct exo_command cmd = { .env = env, .arg = arg, .uring = uring };
	u32 *head = cmd.arg;		/* every struct: size, flags */
	u32 user_bytes, bytes;
	int rc;

	if (get_user(user_bytes, (u32 __user *)user_arg))
		return -EFAULT;
	if (!EXO_CHECK(command_bytes_min, user_bytes >= op->min_bytes))
		return -EINVAL;
	if (!EXO_CHECK(command_bytes_max, user_bytes <= PAGE_SIZE))
		return -E2BIG;
	rc = copy_struct_from_user(arg, op->bytes, user_arg, user_bytes);
	if (rc)
		return rc;
	head[0] = user_bytes;
	if (!EXO_CHECK(command_flags, !(head[1] & ~op->flags)))
		return -EOPNOTSUPP;

	rc = op->handler(&cmd);
	exo_refusal_note_command(&env->refusals,
				 op - ioctl_ops + EXO_NR_QUERY);
	bytes = user_bytes;
	if (!EXO_CHECK(command_answer, bytes <= op->bytes))
		bytes = op->bytes;
	/* Also after an error: out_nr says what an array would need. */
	if (!op->no_answer && copy_to_user(user_arg, arg, bytes) && rc >= 0)
		rc = -EFAULT;
	return settle(&cmd, rc);
}

/**
 * exo_command_install() - give a new object a handle
 * @cmd: the command that made it
 * @obj: the object; on success the dispatcher owns the caller's reference
 *
 * To be the handler's last step that can fail.
 *
 * Context: sleeps. Return: 0 with @cmd->handle set, or -ENOMEM, -EBUSY; then
 * the caller keeps its reference.
 */
int exo_command_install(struct exo_command *cmd, struct exo_object *obj)
{
	struct exo_cap *cap;
	int rc;

	rc = exo_env_reserve(cmd->env, &cmd->handle);
	if (rc)
		return rc;
	cap = exo_cap_new_root(obj);
	if (!cap) {
		exo_env_unreserve(cmd->env, cmd->handle);
		return -ENOMEM;
	}
	cmd->cap = cap;
	return 0;
}

/**
 * exo_command_install_cap() - give a new capability a handle
 * @cmd: the command that made it
 * @cap: the capability; on success the dispatcher owns the caller's reference
 *
 * Context, Return: as exo_command_install().
 */
int exo_command_install_cap(struct exo_command *cmd, struct exo_cap *cap)
{
	int rc = exo_env_reserve(cmd->env, &cmd->handle);

	if (!rc)
		cmd->cap = cap;
	return rc;
}

/**
 * exo_command_install_file() - give a new file a number in the caller's table
 * @cmd: the command that made it
 * @file: the file; on success the dispatcher owns the caller's reference
 *
 * Context: sleeps. Return: 0 with @cmd->fd set, or -EMFILE, -ENOMEM.
 */
int exo_command_install_file(struct exo_command *cmd, struct file *file)
{
	int fd = get_unused_fd_flags(O_CLOEXEC);

	if (fd < 0)
		return fd;
	cmd->fd = fd;
	cmd->file = file;
	return 0;
}

/**
 * exo_command_ioctl() - run a command for ioctl(2)
 * @env: the caller's env
 * @nr: EXO_CMD_*, unchecked
 * @arg: user pointer, unchecked
 *
 * Context: sleeps. Return: 0 or more as the command says, -ENOTTY, or an error
 * of the table in exo.h.
 */
long exo_command_ioctl(struct exo_env *env, unsigned int nr, unsigned long arg)
{
	const struct exo_ioctl_op *op = lookup(nr);

	return op ? run(env, op, (void __user *)arg, false) : -ENOTTY;
}

/**
 * exo_command_uring() - run a command for io_uring
 * @env: the env of the entry's file
 * @ioucmd: the entry
 * @issue_flags: IO_URING_F_*
 *
 * Context: sleeps unless IO_URING_F_NONBLOCK. Return: as exo_command_ioctl();
 * -EAGAIN makes io_uring try again where it may sleep; -EIOCBQUEUED: the
 * completion comes later.
 */
int exo_command_uring(struct exo_env *env, struct io_uring_cmd *ioucmd,
		      unsigned int issue_flags)
{
	const struct exo_ioctl_op *op = lookup(ioucmd->cmd_op);
	struct exo_uring_cmd payload;
	void __user *arg;

	if (!op)
		return -ENOTTY;
	exo_uring_payload(ioucmd, &payload);
	if (!EXO_CHECK(uring_reserved, !payload.reserved))
		return -EINVAL;
	arg = u64_to_user_ptr(payload.arg);
	if (op->uring)
		return op->uring(env, ioucmd, arg, issue_flags);
	if (!EXO_CHECK(uring_nonblock, op->inline_ok ||
		       !(issue_flags & IO_URING_F_NONBLOCK)))
		return -EAGAIN;
	return run(env, op, arg, true);
}

/**
 * exo_command_copy_array() - answer of a list command
 * @user_array: the caller's pointer, unchecked
 * @room: entries it has room for
 * @out_nr: set to @nr
 * @array: the entries
 * @nr: how many
 * @entry_bytes: size of one
 *
 * Context: sleeps; no lock may be held. Return: 0, -EMSGSIZE (nothing was
 * copied) or -EFAULT.
 */
int exo_command_copy_array(u64 user_array, u32 room, u32 *out_nr,
			   const void *array, u32 nr, size_t entry_bytes)
{
	*out_nr = nr;
	if (!EXO_CHECK(array_room, nr <= room))
		return -EMSGSIZE;
	if (copy_to_user(u64_to_user_ptr(user_array), array, nr * entry_bytes))
		return -EFAULT;
	return 0;
}
