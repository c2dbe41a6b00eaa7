// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Capability: derive, export, import, revoke, give notice. See <exo/cap.h>.
 */
#include <errno.h>

#include <exo/cap.h>

#include "sys.h"

int exo_cap_derive(struct exo_env *env, __u32 handle,
		   const struct exo_cap_narrow *narrow, struct exo_cap *cap)
{
	struct exo_cap_derive arg = {
		.size = sizeof(arg),
		.handle = handle,
		.rights = narrow->rights,
		.start = narrow->start,
		.nr = narrow->nr,
		.expires_ns = narrow->expires_ns,
	};
	struct exo_cap_info info;
	int rc;

	if (narrow->reserved)
		return -EINVAL;
	rc = exo_command(env, EXO_CMD_CAP_DERIVE, &arg);
	if (rc)
		return rc;
	/* Its type and, if the old one ends earlier, its expiry. */
	rc = exo_cap_info(env, arg.out_handle, &info);
	if (rc) {
		exo_handle_close(env, arg.out_handle);
		return rc;
	}
	*cap = (struct exo_cap) {
		.env = env,
		.handle = arg.out_handle,
		.type = info.out_type,
		.rights = info.out_rights,
		.nr = info.out_nr,
		.expires_ns = info.out_expires_ns,
		.mmap_offset = arg.out_mmap_offset,
	};
	return 0;
}

int exo_cap_export(struct exo_env *env, __u32 handle)
{
	struct exo_cap_export arg = {
		.size = sizeof(arg),
		.handle = handle,
		.out_fd = -1,
	};
	int rc = exo_command(env, EXO_CMD_CAP_EXPORT, &arg);

	if (rc)
		return rc;
	return arg.out_fd < 0 ? -EPROTO : arg.out_fd;
}

int exo_cap_import(struct exo_env *env, int fd, struct exo_cap *cap)
{
	struct exo_cap_import arg = {
		.size = sizeof(arg),
		.fd = fd,
	};
	int rc = exo_command(env, EXO_CMD_CAP_IMPORT, &arg);

	if (rc)
		return rc;
	*cap = (struct exo_cap) {
		.env = env,
		.handle = arg.out_handle,
		.type = arg.out_type,
		.rights = arg.out_rights,
		.nr = arg.out_nr,
		.expires_ns = arg.out_expires_ns,
		.mmap_offset = arg.out_mmap_offset,
	};
	return 0;
}

int exo_cap_revoke(struct exo_env *env, __u32 handle, __u32 flags,
		   __u64 *out_nr)
{
	struct exo_cap_revoke arg = {
		.size = sizeof(arg),
		.flags = flags,
		.handle = handle,
	};
	int rc = exo_command(env, EXO_CMD_CAP_REVOKE, &arg);

	if (!rc && out_nr)
		*out_nr = arg.out_nr;
	return rc;
}

/* 0 would revoke at once, and older modules call the member reserved. */
int exo_cap_notice(struct exo_env *env, __u32 handle, __u32 timeout_ms,
		   __u64 *out_nr)
{
	struct exo_cap_revoke arg = {
		.size = sizeof(arg),
		.handle = handle,
		.timeout_ms = timeout_ms,
	};
	int rc;

	if (!timeout_ms)
		return -EINVAL;
	if (!(env->query.out_features & EXO_FEATURE_NOTICE))
		return -EOPNOTSUPP;
	rc = exo_command(env, EXO_CMD_CAP_REVOKE, &arg);
	if (!rc && out_nr)
		*out_nr = arg.out_nr;
	return rc;
}

int exo_cap_info(struct exo_env *env, __u32 handle,
		 struct exo_cap_info *out_info)
{
	*out_info = (struct exo_cap_info) {
		.size = sizeof(*out_info),
		.handle = handle,
	};
	return exo_command(env, EXO_CMD_CAP_INFO, out_info);
}

int exo_refusal(struct exo_env *env, struct exo_refusal *out_refusal)
{
	*out_refusal = (struct exo_refusal) {
		.size = sizeof(*out_refusal),
	};
	return exo_command(env, EXO_CMD_REFUSAL, out_refusal);
}

const char *exo_cap_rights_text(__u32 rights, char *buf)
{
	buf[0] = rights & EXO_RIGHT_READ ? 'r' : '-';
	buf[1] = rights & EXO_RIGHT_WRITE ? 'w' : '-';
	buf[2] = rights & EXO_RIGHT_SHARE ? 's' : '-';
	buf[3] = 0;
	return buf;
}
