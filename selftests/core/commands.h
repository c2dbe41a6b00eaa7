/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Every command there is, for tests that must leave none out: the module is
 * asked whether it knows others.
 */
#ifndef EXO_SELFTESTS_COMMANDS_H
#define EXO_SELFTESTS_COMMANDS_H

#include "../exo_test.h"

/**
 * struct command - one command
 * @name: for the output
 * @cmd: EXO_CMD_*
 * @size: of its struct
 * @group: which core/fail_nth* sweeps it
 * @changes: its answer tells of what other calls do meanwhile
 */
struct command {
	const char *name;
	unsigned long cmd;
	size_t size;
	const char *group;
	bool changes;
};

#define COMMAND(group_, NAME, struct_, ...)				\
	{								\
		.name = #NAME, .cmd = EXO_CMD_##NAME,			\
		.size = sizeof(struct struct_), .group = #group_,	\
		##__VA_ARGS__						\
	}

static const struct command commands[] = {
	COMMAND(core, QUERY, exo_query),
	COMMAND(core, HANDLE_CLOSE, exo_handle_close),
	COMMAND(core, STATS, exo_stats, .changes = true),
	COMMAND(core, FRAME_ALLOC, exo_frame_alloc),
	COMMAND(core, FRAME_INFO, exo_frame_info),
	COMMAND(disk, DISK_ATTACH, exo_disk_attach),
	COMMAND(disk, DISK_DETACH, exo_disk_detach),
	COMMAND(disk, DISK_LIST, exo_disk_list),
	COMMAND(disk, DISK_GRANT, exo_disk_grant),
	COMMAND(disk, DISK_GRANT_LIST, exo_disk_grant_list),
	COMMAND(disk, EXTENT_CREATE, exo_extent_create),
	COMMAND(disk, EXTENT_OPEN, exo_extent_open),
	COMMAND(disk, EXTENT_DELETE, exo_extent_delete),
	COMMAND(disk, EXTENT_LIST, exo_extent_list),
	COMMAND(core, CQ_CREATE, exo_cq_create),
	COMMAND(disk, IO_SUBMIT, exo_io_submit),
	COMMAND(disk, IO, exo_io),
	COMMAND(net, NET_ATTACH, exo_net_attach),
	COMMAND(net, NET_DETACH, exo_net_detach),
	COMMAND(net, NET_LIST, exo_net_list),
	COMMAND(net, NET_GRANT, exo_net_grant),
	COMMAND(net, NET_GRANT_LIST, exo_net_grant_list),
	COMMAND(net, FLOW_BIND, exo_flow_bind),
	COMMAND(net, FLOW_KICK, exo_flow_kick),
	COMMAND(cap, CAP_DERIVE, exo_cap_derive),
	COMMAND(cap, CAP_EXPORT, exo_cap_export),
	COMMAND(cap, CAP_IMPORT, exo_cap_import),
	COMMAND(cap, CAP_REVOKE, exo_cap_revoke),
	COMMAND(cap, CAP_INFO, exo_cap_info),
	COMMAND(event, ENV_LIST, exo_env_list, .changes = true),
	COMMAND(event, ENV_ASK, exo_env_ask),
	COMMAND(event, EVENT_FD, exo_event_fd),
	COMMAND(cap, REFUSAL, exo_refusal, .changes = true),
	COMMAND(event, POLICY_SET, exo_policy_set),
	COMMAND(event, POLICY_LIST, exo_policy_list),
};

MAYBE_UNUSED static const struct command *command_of(unsigned long cmd)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(commands); i++)
		if (commands[i].cmd == cmd)
			return &commands[i];
	return NULL;
}

/* The table has each number that the module knows, and no other. */
MAYBE_UNUSED static void commands_check(int env)
{
	unsigned int nr;
	int differ = 0;
	bool known;

	for (nr = 0; nr < 256; nr++) {
		known = exo_ioctl(env, _IO(EXO_IOC_TYPE, nr), NULL) != -ENOTTY;
		if (known == !!command_of(_IO(EXO_IOC_TYPE, nr)))
			continue;
		differ++;
		diag("command %#x: %s", nr, known ? "not in the table" :
		     "not in the module");
	}
	is(differ, 0, "the table has the module's %zu commands",
	   ARRAY_SIZE(commands));
}

#endif /* EXO_SELFTESTS_COMMANDS_H */
