// SPDX-License-Identifier: GPL-2.0
/* Query: the commands about the module itself, and closing a handle. */
#include <linux/mm.h>

#include <linux/exo.h>

#include "command.h"
#include "cq.h"
#include "env.h"
#include "flow.h"
#include "io.h"
#include "object.h"
#include "pages.h"

/**
 * exo_query() - EXO_CMD_QUERY
 * @cmd: struct exo_query
 *
 * Return: 0.
 */
int exo_query(struct exo_command *cmd)
{
	struct exo_query *arg = cmd->arg;

	arg->out_features = EXO_FEATURE_FRAME | EXO_FEATURE_DISK |
			    EXO_FEATURE_URING | EXO_FEATURE_FLOW_TCP4 |
			    EXO_FEATURE_TX_GSO | EXO_FEATURE_CAP |
			    EXO_FEATURE_PLACEMENT | EXO_FEATURE_EVENT |
			    EXO_FEATURE_POLICY | EXO_FEATURE_GRANT_LIST |
			    EXO_FEATURE_NOTICE;
	arg->out_page_bytes = PAGE_SIZE;
	arg->out_block_bytes = EXO_BLOCK_BYTES;
	arg->out_max_frame_pages = EXO_MAX_PAGES;
	arg->out_max_frame_order = EXO_MAX_ORDER;
	arg->out_max_io = EXO_MAX_IO;
	arg->out_max_io_blocks = EXO_MAX_IO_BLOCKS;
	arg->out_max_ring_bytes = EXO_MAX_RX_BYTES;
	arg->out_max_tx_entries = EXO_MAX_TX_ENTRIES;
	arg->out_max_cq_entries = EXO_MAX_CQ_ENTRIES;
	arg->out_reserved = 0;
	return 0;
}

/**
 * exo_stats() - EXO_CMD_STATS
 * @cmd: struct exo_stats
 *
 * Return: 0.
 */
int exo_stats(struct exo_command *cmd)
{
	struct exo_stats *arg = cmd->arg;

	arg->out_nr_envs = exo_env_count();
	arg->out_nr_objects = exo_object_count();
	arg->out_nr_frame_pages = exo_pages_count();
	arg->out_nr_io = exo_io_count();
	arg->out_nr_tx = exo_tx_count();
	arg->out_nr_flows = exo_flow_count();
	arg->out_nr_disks = exo_disk_count();
	arg->out_nr_netdevs = exo_net_count();
	return 0;
}

/**
 * exo_handle_close() - EXO_CMD_HANDLE_CLOSE
 * @cmd: struct exo_handle_close
 *
 * Context: sleeps. Return: 0, -EINVAL reserved not zero, -ENOENT.
 */
int exo_handle_close(struct exo_command *cmd)
{
	struct exo_handle_close *arg = cmd->arg;

	if (arg->reserved)
		return -EINVAL;
	return exo_env_drop(cmd->env, arg->handle);
}
