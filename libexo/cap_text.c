// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Capability: a refusal in words.
 */
#include <stdio.h>

#include <exo/cap.h>

static const char *const commands[] = {
	[EXO_NR_HANDLE_CLOSE] = "HANDLE_CLOSE",
	[EXO_NR_FRAME_ALLOC] = "FRAME_ALLOC",
	[EXO_NR_FRAME_INFO] = "FRAME_INFO",
	[EXO_NR_EXTENT_DELETE] = "EXTENT_DELETE",
	[EXO_NR_IO_SUBMIT] = "IO_SUBMIT",
	[EXO_NR_IO] = "IO",
	[EXO_NR_FLOW_KICK] = "FLOW_KICK",
	[EXO_NR_CAP_DERIVE] = "CAP_DERIVE",
	[EXO_NR_CAP_EXPORT] = "CAP_EXPORT",
	[EXO_NR_CAP_IMPORT] = "CAP_IMPORT",
	[EXO_NR_CAP_REVOKE] = "CAP_REVOKE",
	[EXO_NR_CAP_INFO] = "CAP_INFO",
};

#define NR_COMMANDS	(sizeof(commands) / sizeof(*commands))

static const char *command_name(__u32 nr, char *buf, size_t bytes)
{
	if (!nr)
		return "a use of its memory";
	if (nr < NR_COMMANDS && commands[nr])
		return commands[nr];
	snprintf(buf, bytes, "command %u", nr);
	return buf;
}

static const char *type_name(__u64 type)
{
	static const char *const names[] = {
		[EXO_TYPE_FRAME] = "a frame",
		[EXO_TYPE_EXTENT] = "an extent",
		[EXO_TYPE_CQ] = "a completion ring",
		[EXO_TYPE_FLOW] = "a flow",
	};

	return type && type < sizeof(names) / sizeof(*names) ?
	       names[type] : "of an unknown type";
}

/* What the range is counted in. An older module did not tell the type. */
static const char *units(__u32 type)
{
	if (!type)
		return "pages or blocks";
	return type == EXO_TYPE_EXTENT ? "blocks" : "pages";
}

/* Who ended. An import has no handle yet, but a descriptor. */
static const char *steps(const struct exo_refusal *r, char *buf, size_t bytes)
{
	__u32 level = r->out_level;

	if (!level)
		return r->out_handle ? "it" : "what was exported";
	if (level == 1)
		return "the capability it was made from";
	snprintf(buf, bytes, "a capability %u steps above it", level);
	return buf;
}

static int ended_text(const struct exo_refusal *r, char *buf, size_t bytes)
{
	char above[48];
	const char *who = steps(r, above, sizeof(above));
	__u64 late = r->out_want - r->out_have;

	switch (r->out_reason) {
	case EXO_REFUSED_REVOKED:
		return snprintf(buf, bytes, "%s was revoked", who);
	case EXO_REFUSED_EXPIRED:
		return snprintf(buf, bytes, "%s expired %llu.%03llu s ago", who,
				late / 1000000000, late / 1000000 % 1000);
	}
	return snprintf(buf, bytes, "its pages were repossessed");
}

static int bound_text(const struct exo_refusal *r, char *buf, size_t bytes)
{
	char have[4], want[4];

	switch (r->out_reason) {
	case EXO_REFUSED_HANDLE:
		return snprintf(buf, bytes, "there is no such handle");
	case EXO_REFUSED_TYPE:
		return snprintf(buf, bytes, "it is %s, not %s",
				type_name(r->out_have), type_name(r->out_want));
	case EXO_REFUSED_RIGHTS:
		return snprintf(buf, bytes,
				"it has the rights %s, %s are needed",
				exo_cap_rights_text((__u32)r->out_have, have),
				exo_cap_rights_text((__u32)r->out_want, want));
	case EXO_REFUSED_RANGE:
		return snprintf(buf, bytes,
				"its range ends after %llu %s, %llu would be needed",
				r->out_have, units(r->out_type),
				r->out_want);
	case EXO_REFUSED_DEPTH:
		return snprintf(buf, bytes,
				"what is made from it would stand more than %llu steps below the root",
				r->out_have);
	case EXO_REFUSED_TREE:
		return snprintf(buf, bytes,
				"its root has %llu capabilities below it, which is all there may be",
				r->out_have);
	}
	return snprintf(buf, bytes, "for reason %u", r->out_reason);
}

const char *exo_refusal_text(const struct exo_refusal *refusal, char *buf,
			     size_t bytes)
{
	char why[128], name[24], handle[24] = "";

	if (refusal->out_reason == EXO_REFUSED_NOT) {
		snprintf(buf, bytes, "nothing was refused so far");
		return buf;
	}
	switch (refusal->out_reason) {
	case EXO_REFUSED_REVOKED:
	case EXO_REFUSED_EXPIRED:
	case EXO_REFUSED_REPOSSESSED:
		ended_text(refusal, why, sizeof(why));
		break;
	default:
		bound_text(refusal, why, sizeof(why));
	}
	if (refusal->out_handle)
		snprintf(handle, sizeof(handle), ", handle %u",
			 refusal->out_handle);
	snprintf(buf, bytes, "%s%s: %s",
		 command_name(refusal->out_command, name, sizeof(name)),
		 handle, why);
	return buf;
}
