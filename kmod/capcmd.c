// SPDX-License-Identifier: GPL-2.0
/*
 * Capability commands: derive, export, import, revoke, and what a handle stands
 * for.
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/overflow.h>
#include <linux/slab.h>

#include <linux/exo.h>

#include "cap.h"
#include "check.h"
#include "command.h"
#include "env.h"
#include "event.h"

/* Derive --------------------------------------------------------------- */

/* What can be shared at all, and is the caller allowed to? */
static int check_share(struct exo_env *env, u32 handle,
		       const struct exo_cap *cap)
{
	struct exo_refusal_reason why = {};

	if (!EXO_CHECK(cap_divisible, object_ops[cap->type]->divisible))
		return -EOPNOTSUPP;
	if (!exo_cap_alive(cap, &why) ||
	    !exo_cap_covers(cap, EXO_RIGHT_SHARE, &why))
		return exo_env_refuse(env, handle, &why);
	return 0;
}

static int check_narrower(struct exo_env *env,
			  const struct exo_cap_derive *arg,
			  const struct exo_cap *cap)
{
	struct exo_refusal_reason why = {};
	u64 end;

	if (!EXO_CHECK(derive_rights_known, !(arg->rights & ~EXO_ALL_RIGHTS)) ||
	    !EXO_CHECK(derive_rights_some, arg->rights) ||
	    !EXO_CHECK(derive_units_some, arg->nr))
		return -EINVAL;
	if (!exo_cap_covers(cap, arg->rights, &why))
		return exo_env_refuse(env, arg->handle, &why);
	if (!EXO_CHECK(derive_wrap,
		       !check_add_overflow(arg->start, arg->nr, &end)))
		return -EOVERFLOW;
	if (!EXO_CHECK(derive_range, end <= cap->scope.nr))
		return exo_env_refuse_range(env, arg->handle,
					    object_ops[cap->type]->uapi_type,
					    end, cap->scope.nr);
	if (!EXO_CHECK(derive_expiry, !arg->expires_ns ||
		       arg->expires_ns > ktime_get_boottime_ns()))
		return -EINVAL;
	return 0;
}

static u64 mmap_offset(const struct exo_cap *cap, u32 handle)
{
	return object_ops[cap->type]->pages ? exo_env_mmap_offset(handle) : 0;
}

/* A child of @parent under a handle of the caller. */
static int install_child(struct exo_command *cmd, u32 handle,
			 struct exo_cap *parent,
			 const struct exo_cap_want *want)
{
	struct exo_refusal_reason why;
	struct exo_cap *cap;
	int rc;

	cap = exo_cap_new_child(parent, want, &why);
	if (!cap)
		return why.reason ? exo_env_refuse(cmd->env, handle, &why) :
				    -ENOMEM;
	rc = exo_command_install_cap(cmd, cap);
	if (rc)
		exo_cap_put(cap);
	return rc;
}

/**
 * exo_cap_derive() - EXO_CMD_CAP_DERIVE
 * @cmd: struct exo_cap_derive
 *
 * Context: sleeps. Return: 0; -EINVAL no or unknown rights, range empty or
 * outside, expiry in the past; -EOVERFLOW; -ENOENT; -EOPNOTSUPP not divisible;
 * -EACCES; -ESTALE; -EMLINK; -EDQUOT; -ENOMEM.
 */
int exo_cap_derive(struct exo_command *cmd)
{
	struct exo_cap_derive *arg = cmd->arg;
	struct exo_cap_want want;
	struct exo_cap *cap;
	int rc;

	cap = exo_env_get_cap(cmd->env, arg->handle);
	if (IS_ERR(cap))
		return PTR_ERR(cap);
	want = (struct exo_cap_want){
		.scope = {
			.start = cap->scope.start + arg->start,
			.nr = arg->nr,
			.rights = arg->rights,
		},
		.expires_ns = arg->expires_ns,
		.epoch = READ_ONCE(cap->epoch),
	};
	rc = check_share(cmd->env, arg->handle, cap);
	if (!rc)
		rc = check_narrower(cmd->env, arg, cap);
	if (!rc)
		rc = install_child(cmd, arg->handle, cap, &want);
	if (!rc) {
		arg->out_handle = cmd->handle;
		arg->out_reserved = 0;
		arg->out_mmap_offset = mmap_offset(cap, cmd->handle);
	}
	exo_cap_put(cap);
	return rc;
}

/* Export and import ---------------------------------------------------- */

static int install_export(struct exo_command *cmd, struct exo_cap *cap)
{
	struct file *file = exo_export_file(cap);
	int rc;

	if (IS_ERR(file))
		return PTR_ERR(file);
	rc = exo_command_install_file(cmd, file);
	if (rc)
		fput(file);
	return rc;
}

/**
 * exo_cap_export() - EXO_CMD_CAP_EXPORT
 * @cmd: struct exo_cap_export
 *
 * Context: sleeps. Return: 0; -ENOENT; -EOPNOTSUPP not divisible; -EACCES;
 * -ESTALE; -EMFILE; -ENFILE; -ENOMEM.
 */
int exo_cap_export(struct exo_command *cmd)
{
	struct exo_cap_export *arg = cmd->arg;
	struct exo_cap *cap;
	int rc;

	cap = exo_env_get_cap(cmd->env, arg->handle);
	if (IS_ERR(cap))
		return PTR_ERR(cap);
	rc = check_share(cmd->env, arg->handle, cap);
	if (!rc)
		rc = install_export(cmd, cap);
	if (!rc)
		arg->out_fd = cmd->fd;
	exo_cap_put(cap);
	return rc;
}

static int import(struct exo_command *cmd, struct exo_cap *parent, u32 epoch)
{
	struct exo_cap_import *arg = cmd->arg;
	const struct exo_cap *cap;
	struct exo_cap_want want = {
		.scope = parent->scope,
		.epoch = epoch,
	};
	int rc;

	rc = install_child(cmd, 0, parent, &want);
	if (rc)
		return rc;
	cap = cmd->cap;
	arg->out_handle = cmd->handle;
	arg->out_type = object_ops[cap->type]->uapi_type;
	arg->out_rights = cap->scope.rights;
	arg->out_nr = cap->scope.nr;
	arg->out_expires_ns = exo_cap_ends_ns(cap);
	arg->out_mmap_offset = mmap_offset(cap, cmd->handle);
	return 0;
}

/**
 * exo_cap_import() - EXO_CMD_CAP_IMPORT
 * @cmd: struct exo_cap_import
 *
 * Context: sleeps. Return: 0; -EBADF no fd, or another kind of file; -ESTALE;
 * -EMLINK; -EDQUOT; -ENOMEM.
 */
int exo_cap_import(struct exo_command *cmd)
{
	struct exo_refusal_reason revoked = { .reason = EXO_REFUSED_REVOKED };
	struct exo_cap_import *arg = cmd->arg;
	struct file *file = fget(arg->fd);
	struct exo_cap *parent;
	u32 epoch;
	int rc;

	if (!file)
		return -EBADF;
	parent = exo_export_get(file, &epoch);
	fput(file);
	if (IS_ERR(parent))
		return PTR_ERR(parent);
	if (!parent)
		return exo_env_refuse(cmd->env, 0, &revoked);
	rc = import(cmd, parent, epoch);
	exo_cap_put(parent);
	return rc;
}

/* Revoke --------------------------------------------------------------- */

static u64 ms_from_now(u32 ms)
{
	return ktime_get_boottime_ns() + (u64)ms * NSEC_PER_MSEC;
}

/**
 * exo_cap_revoke_below() - EXO_CMD_CAP_REVOKE
 * @cmd: struct exo_cap_revoke
 *
 * Context: sleeps, also as long as other revocations in the same tree take.
 * Return: 0; -EINVAL too long a notice, or one for itself; -ENOENT; -ESTALE it
 * has ended already; -EBUSY notice was given; -EINTR fatal signal, it goes on
 * all the same.
 */
int exo_cap_revoke_below(struct exo_command *cmd)
{
	struct exo_cap_revoke *arg = cmd->arg;
	struct exo_refusal_reason why = {};
	struct exo_cap *cap;
	int rc;

	arg->out_nr = 0;
	if (!EXO_CHECK(notice_max, arg->timeout_ms <= EXO_MAX_ASK_MS) ||
	    !EXO_CHECK(notice_self,
		       !arg->timeout_ms || !(arg->flags & EXO_REVOKE_SELF)))
		return -EINVAL;
	cap = exo_env_get_cap(cmd->env, arg->handle);
	if (IS_ERR(cap))
		return PTR_ERR(cap);
	if (!exo_cap_alive(cap, &why))
		rc = exo_env_refuse(cmd->env, arg->handle, &why);
	else if (arg->timeout_ms)
		rc = exo_cap_notice(cap, ms_from_now(arg->timeout_ms),
				    &arg->out_nr);
	else
		rc = exo_cap_revoke(cap, arg->flags & EXO_REVOKE_SELF,
				    &arg->out_nr);
	exo_cap_put(cap);
	return rc;
}

/* Inspect -------------------------------------------------------------- */

static u32 state_of(const struct exo_cap *cap)
{
	struct exo_refusal_reason why = {};

	if (exo_cap_alive(cap, &why))
		return EXO_CAP_LIVE;
	switch (why.reason) {
	case EXO_REFUSED_EXPIRED:
		return EXO_CAP_EXPIRED;
	case EXO_REFUSED_REPOSSESSED:
		return EXO_CAP_REPOSSESSED;
	default:
		return EXO_CAP_REVOKED;
	}
}

/**
 * exo_cap_info() - EXO_CMD_CAP_INFO
 * @cmd: struct exo_cap_info
 *
 * Return: 0; -ENOENT.
 */
int exo_cap_info(struct exo_command *cmd)
{
	struct exo_cap_info *arg = cmd->arg;
	struct exo_cap *cap;

	cap = exo_env_get_cap(cmd->env, arg->handle);
	if (IS_ERR(cap))
		return PTR_ERR(cap);
	arg->out_notice_ns = 0;
	arg->out_type = object_ops[cap->type]->uapi_type;
	arg->out_state = state_of(cap);
	arg->out_rights = cap->scope.rights;
	arg->out_depth = cap->depth;
	arg->out_nr_children = READ_ONCE(cap->nr_children);
	arg->out_start = cap->scope.start;
	arg->out_nr = cap->scope.nr;
	arg->out_expires_ns = exo_cap_ends_ns(cap);
	arg->out_mmap_offset = mmap_offset(cap, arg->handle);
	if (arg->out_state == EXO_CAP_LIVE)
		arg->out_notice_ns = READ_ONCE(cap->notice_ns);
	exo_cap_put(cap);
	return 0;
}
