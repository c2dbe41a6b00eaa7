// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Policy: set, forget, list. See <exo/policy.h>.
 */
#include <exo/policy.h>

#include "sys.h"

int exo_policy_set(struct exo_env *env, const struct exo_policy *policy,
		   __u32 timeout_ms)
{
	struct exo_policy_set arg = {
		.size = sizeof(arg),
		.policy = *policy,
		.timeout_ms = timeout_ms,
	};

	return exo_command(env, EXO_CMD_POLICY_SET, &arg);
}

int exo_policy_forget(struct exo_env *env, __u32 uid)
{
	struct exo_policy_set arg = {
		.size = sizeof(arg),
		.flags = EXO_GRANT_REVOKE,
		.policy.uid = uid,
	};

	return exo_command(env, EXO_CMD_POLICY_SET, &arg);
}

static int policy_list_once(struct exo_env *env, __u32 id, void *array,
			    __u32 nr, __u32 *out_nr)
{
	struct exo_policy_list arg = {
		.size = sizeof(arg),
		.array = (uintptr_t)array,
		.nr = nr,
	};
	int rc = exo_command(env, EXO_CMD_POLICY_LIST, &arg);

	(void)id;
	*out_nr = arg.out_nr;
	return rc;
}

int exo_policy_list(struct exo_env *env, struct exo_policy **out_policies)
{
	void *array = NULL;
	int rc;

	rc = exo_list_all(env, policy_list_once, 0, sizeof(**out_policies),
			  &array);
	if (rc >= 0)
		*out_policies = array;
	return rc;
}
