// SPDX-License-Identifier: GPL-2.0
/* Envlist: who has how much, for administrators and for a user's own envs. */
#include <linux/capability.h>
#include <linux/mm.h>
#include <linux/pid.h>
#include <linux/slab.h>

#include "check.h"
#include "command.h"
#include "env.h"

#define MOST_ENVS	65536U

static void fill_info(struct exo_env *env, struct exo_env_info *info)
{
	const struct exo_info_env *numbers = env->info.env;

	*info = (struct exo_env_info){
		.id = env->id,
		.uid = from_kuid(&init_user_ns, env->cred->uid),
		.pid = pid_vnr(env->pid),
		.nr_handles = atomic_read(&env->nr_handles),
		.nr_events = exo_event_count(env),
		.nr_pages = READ_ONCE(numbers->nr_pages),
		.nr_asked = READ_ONCE(numbers->nr_asked),
		.nr_taken = READ_ONCE(numbers->nr_taken),
		.nr_refusals = READ_ONCE(env->refusals.last.out_nr),
	};
	memcpy(info->comm, env->comm, sizeof(info->comm));
}

static bool may_see(const struct exo_env *viewer, const struct exo_env *env,
		    bool privileged)
{
	return EXO_CHECK(env_list_owner, privileged ||
			 uid_eq(viewer->cred->uid, env->cred->uid));
}

/* Fills at most @room entries. Return: how many there are. */
static u32 snapshot(const struct exo_env *viewer, struct exo_env_info *info,
		    u32 room)
{
	bool privileged = capable(CAP_SYS_ADMIN);
	struct exo_env *env = NULL;
	u32 nr = 0;

	while ((env = exo_env_next(env))) {
		cond_resched();
		if (!may_see(viewer, env, privileged))
			continue;
		if (nr < room)
			fill_info(env, &info[nr]);
		nr++;
	}
	return nr;
}

/**
 * exo_env_list() - EXO_CMD_ENV_LIST
 * @cmd: struct exo_env_list
 *
 * Context: sleeps. Return: 0; -EMSGSIZE with out_nr set; -EFAULT; -ENOMEM.
 */
int exo_env_list(struct exo_command *cmd)
{
	struct exo_env_list *arg = cmd->arg;
	u32 room = min(arg->nr, MOST_ENVS);
	struct exo_env_info *info;
	int rc;

	info = kvcalloc(room ?: 1, sizeof(*info), EXO_GFP_USER);
	if (!info)
		return -ENOMEM;
	rc = exo_command_copy_array(arg->array, room, &arg->out_nr, info,
				    snapshot(cmd->env, info, room),
				    sizeof(*info));
	kvfree(info);
	return rc;
}
