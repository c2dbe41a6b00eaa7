// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Capabilities when the kernel's calls fail: see fail_nth.h.
 *
 * timeout: 300
 */
#include "cap.h"
#include "fail_nth.h"

static uint32_t root;		/* 16 pages */
static uint32_t below;		/* from which a few are made and revoked */
static uint32_t children[4];
static int exported;		/* @root as an fd */
static int second;		/* another env */
static long made_fd;

static long act_derive(void)
{
	return derive(env, root, R | W, 1, 4, &handle);
}

static long act_derive_expiring(void)
{
	return derive_until(env, root, R | W, 1, 4,
			    boottime_ns() + 3600000000000ULL, &handle);
}

static long act_export(void)
{
	made_fd = export_fd(env, root);
	return made_fd < 0 ? made_fd : 0;
}

static void undo_export(long rc)
{
	if (!rc)
		close(made_fd);
}

static long act_import(void)
{
	return import_fd(env, exported, &handle);
}

static void make_children(void)
{
	uint32_t i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(children) - 1; i++)
		if (!children[i])
			children[i] = derived(env, i ? children[i - 1] : below,
					      RWS, 0, 2);
	fd = export_fd(env, below);
	if (!children[i] && import_fd(second, fd, &children[i]))
		bail("CAP_IMPORT");
	close(fd);
}

static long act_revoke(void)
{
	return cap_revoke(env, below, 0);
}

static long act_notice(void)
{
	return cap_notice(env, below, 3600000);
}

static void undo_revoke(long rc)
{
	uint32_t i, last = ARRAY_SIZE(children) - 1;

	(void)rc;
	for (i = 0; i < last; i++)
		exo_close_handle(env, children[i]);
	exo_close_handle(second, children[last]);
	memset(children, 0, sizeof(children));
	make_children();
}

static void undo_notice(long rc)
{
	cap_revoke(env, below, 0);
	undo_revoke(rc);
}

static long act_info(void)
{
	struct exo_cap_info i;

	return cap_info(env, root, &i);
}

/* Not by refusal(): that gives up when it fails. */
static long act_refusal(void)
{
	struct exo_refusal r = { .size = sizeof(r) };

	return exo_ioctl(env, EXO_CMD_REFUSAL, &r);
}

static const struct target cap_targets[] = {
	{ EXO_CMD_CAP_DERIVE, "CAP_DERIVE", act_derive, undo_handle, {},
	  MEETS_ALLOC | MEETS_COPY },
	{ EXO_CMD_CAP_DERIVE, "CAP_DERIVE with an expiry",
	  act_derive_expiring, undo_handle, {},
	  MEETS_ALLOC | MEETS_COPY },
	{ EXO_CMD_CAP_EXPORT, "CAP_EXPORT",
	  act_export, undo_export, { ENFILE, EMFILE },
	  MEETS_ALLOC | MEETS_COPY },
	{ EXO_CMD_CAP_IMPORT, "CAP_IMPORT", act_import, undo_handle, {},
	  MEETS_ALLOC | MEETS_COPY },
	{ EXO_CMD_CAP_REVOKE, "CAP_REVOKE", act_revoke, undo_revoke, {},
	  MEETS_COPY },
	{ EXO_CMD_CAP_REVOKE, "CAP_REVOKE with notice", act_notice,
	  undo_notice, {}, MEETS_COPY },
	{ EXO_CMD_CAP_INFO, "CAP_INFO", act_info, NULL, {},
	  MEETS_COPY },
	{ EXO_CMD_REFUSAL, "REFUSAL", act_refusal, NULL, {},
	  MEETS_COPY },
};

int main(void)
{
	fail_nth_setup();
	second = exo_open();
	root = frame_new(env, 16);
	below = derived(env, root, RWS, 0, 4);
	exported = export_fd(env, root);
	make_children();
	SWEEP(cap_targets);
	is(cap_state(env, root), EXO_CAP_LIVE, "the root is live");
	is(cap_revoke(env, root, 0), 1 + (long)ARRAY_SIZE(children),
	   "nothing but its children is below");
	close(exported);
	close(second);
	return fail_nth_end("cap");
}
