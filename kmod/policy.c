// SPDX-License-Identifier: GPL-2.0
/*
 * Policy: a table of users, each with what an administrator set for it and the
 * pages that it holds in all its envs together.
 *
 * A user is in the table while it holds pages or something is set for it. The
 * users of the second kind are bounded, those of the first by their pages. One
 * spinlock guards the table; nothing sleeps under it.
 */
#include <linux/capability.h>
#include <linux/hashtable.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include <linux/exo.h>

#include "check.h"
#include "command.h"
#include "object.h"
#include "policy.h"
#include "reclaim.h"

/* Most users that something is set for. */
#define MAX_USERS		4096

#define ALL_ALLOW		EXO_ALLOW_NUMBERS

/**
 * struct user - a user
 * @node: in the table
 * @uid: the user
 * @is_set: an administrator set @allow and @max_pages; else nothing, no limit
 * @allow: EXO_ALLOW_*
 * @max_pages: most that it may hold, ~0 for no limit
 * @nr_pages: that it holds, orphans included
 */
struct user {
	struct hlist_node node;
	kuid_t uid;
	bool is_set;
	u32 allow;
	u64 max_pages;
	u64 nr_pages;
};

static DEFINE_SPINLOCK(users_lock);
static DEFINE_HASHTABLE(users, 8);
static u32 nr_set;

static struct user *__find(kuid_t uid)
{
	struct user *user;

	lockdep_assert_held(&users_lock);
	hash_for_each_possible(users, user, node, __kuid_val(uid))
		if (EXO_CHECK(policy_user, uid_eq(user->uid, uid)))
			return user;
	return NULL;
}

static struct user *user_new(kuid_t uid)
{
	struct user *user = kzalloc(sizeof(*user), EXO_GFP_USER);

	if (user) {
		user->uid = uid;
		user->max_pages = U64_MAX;
	}
	return user;
}

/* Takes over @spare if the user is not in the table; else frees it. */
static struct user *__find_or_add(struct user *spare)
{
	struct user *user = __find(spare->uid);

	if (user) {
		kfree(spare);
		return user;
	}
	hash_add(users, &spare->node, __kuid_val(spare->uid));
	return spare;
}

/* Out of the table with a user that there is nothing to say about. */
static void __forget_idle(struct user *user)
{
	lockdep_assert_held(&users_lock);
	if (user->is_set || user->nr_pages)
		return;
	hash_del(&user->node);
	kfree(user);
}

/* Pages ---------------------------------------------------------------- */

/**
 * exo_policy_charge() - a user wants pages
 * @uid: the user
 * @nr_pages: how many more
 *
 * Context: sleeps. Return: 0, -EDQUOT beyond the user's max_pages, -ENOMEM.
 */
int exo_policy_charge(kuid_t uid, u64 nr_pages)
{
	struct user *user = user_new(uid);
	int rc = 0;

	if (!user)
		return -ENOMEM;
	spin_lock(&users_lock);
	user = __find_or_add(user);
	/* A limit that was lowered may be below what the user holds. */
	if (EXO_CHECK(policy_pages, user->nr_pages <= user->max_pages &&
		      nr_pages <= user->max_pages - user->nr_pages))
		user->nr_pages += nr_pages;
	else
		rc = -EDQUOT;
	__forget_idle(user);
	spin_unlock(&users_lock);
	return rc;
}

/**
 * exo_policy_uncharge() - a user gave pages back
 * @uid: the user
 * @nr_pages: how many, charged before
 *
 * Context: any but interrupt.
 */
void exo_policy_uncharge(kuid_t uid, u64 nr_pages)
{
	struct user *user;

	spin_lock(&users_lock);
	user = __find(uid);
	if (!WARN_ON_ONCE(!user || user->nr_pages < nr_pages)) {
		user->nr_pages -= nr_pages;
		__forget_idle(user);
	}
	spin_unlock(&users_lock);
}

/**
 * exo_policy_allows() - may a user do this?
 * @uid: the user
 * @allow: EXO_ALLOW_*
 *
 * Context: any but interrupt. Return: true if all of it was allowed.
 */
bool exo_policy_allows(kuid_t uid, u32 allow)
{
	const struct user *user;
	bool allowed;

	spin_lock(&users_lock);
	user = __find(uid);
	allowed = EXO_CHECK(policy_allow, user && !(allow & ~user->allow));
	spin_unlock(&users_lock);
	return allowed;
}

/* Commands ------------------------------------------------------------- */

static u64 __too_many(const struct user *user)
{
	lockdep_assert_held(&users_lock);
	return user->nr_pages - min(user->nr_pages, user->max_pages);
}

/* @nr_too_many: set to the pages that the user holds beyond the limit. */
static int policy_set(const struct exo_policy *policy, kuid_t uid,
		      u64 *nr_too_many)
{
	struct user *user = user_new(uid);
	int rc = 0;

	if (!user)
		return -ENOMEM;
	spin_lock(&users_lock);
	user = __find_or_add(user);
	if (user->is_set || EXO_CHECK(policy_users, nr_set < MAX_USERS)) {
		nr_set += !user->is_set;
		user->is_set = true;
		user->allow = policy->allow;
		user->max_pages = policy->max_pages;
		*nr_too_many = __too_many(user);
	} else {
		rc = -EDQUOT;
	}
	__forget_idle(user);
	spin_unlock(&users_lock);
	return rc;
}

static int policy_forget(kuid_t uid)
{
	struct user *user;
	bool was_set;

	spin_lock(&users_lock);
	user = __find(uid);
	was_set = user && user->is_set;
	if (was_set) {
		nr_set--;
		user->is_set = false;
		user->allow = 0;
		user->max_pages = U64_MAX;
		__forget_idle(user);
	}
	spin_unlock(&users_lock);
	return was_set ? 0 : -ENOENT;
}

static bool policy_valid(const struct exo_policy_set *arg)
{
	const struct exo_policy *policy = &arg->policy;

	if (arg->flags & EXO_GRANT_REVOKE)
		return EXO_CHECK(policy_forget_clear,
				 !policy->allow && !policy->max_pages);
	return EXO_CHECK(policy_allow_known, !(policy->allow & ~ALL_ALLOW));
}

/**
 * exo_policy_set() - EXO_CMD_POLICY_SET
 * @cmd: struct exo_policy_set
 *
 * Context: sleeps. Return: 0; -EPERM; -EINVAL no such user can be, unknown
 * allow bits, timeout too long, reserved not zero, members set to be forgotten;
 * -EDQUOT too many users; -ENOENT nothing to forget; -ENOMEM.
 */
int exo_policy_set(struct exo_command *cmd)
{
	const struct exo_policy_set *arg = cmd->arg;
	kuid_t uid = make_kuid(&init_user_ns, arg->policy.uid);
	u64 nr_too_many = 0;
	int rc;

	if (!EXO_CHECK(policy_capable, capable(CAP_SYS_ADMIN)))
		return -EPERM;
	if (!EXO_CHECK(policy_uid, uid_valid(uid)) ||
	    !EXO_CHECK(policy_timeout, arg->timeout_ms <= EXO_MAX_ASK_MS) ||
	    !EXO_CHECK(policy_reserved, !arg->reserved) ||
	    !policy_valid(arg))
		return -EINVAL;
	if (arg->flags & EXO_GRANT_REVOKE)
		return policy_forget(uid);
	rc = policy_set(&arg->policy, uid, &nr_too_many);
	if (nr_too_many)
		exo_reclaim_user(uid, nr_too_many, arg->timeout_ms);
	return rc;
}

/* Return: how many there are; the first @room of them are in @array. */
static u32 list(struct exo_policy *array, u32 room)
{
	const struct user *user;
	u32 bucket, nr = 0;

	spin_lock(&users_lock);
	hash_for_each(users, bucket, user, node) {
		if (!user->is_set)
			continue;
		if (nr < room)
			array[nr] = (struct exo_policy){
				.uid = from_kuid(&init_user_ns, user->uid),
				.allow = user->allow,
				.max_pages = user->max_pages,
			};
		nr++;
	}
	spin_unlock(&users_lock);
	return nr;
}

/**
 * exo_policy_list() - EXO_CMD_POLICY_LIST
 * @cmd: struct exo_policy_list
 *
 * Context: sleeps. Return: 0; -EPERM; -EMSGSIZE with out_nr set; -EFAULT;
 * -ENOMEM.
 */
int exo_policy_list(struct exo_command *cmd)
{
	struct exo_policy_list *arg = cmd->arg;
	u32 room = min_t(u32, arg->nr, MAX_USERS);
	struct exo_policy *array;
	int rc;

	if (!EXO_CHECK(policy_list_capable, capable(CAP_SYS_ADMIN)))
		return -EPERM;
	array = kvcalloc(room ?: 1, sizeof(*array), EXO_GFP_USER);
	if (!array)
		return -ENOMEM;
	rc = exo_command_copy_array(arg->array, room, &arg->out_nr, array,
				    list(array, room), sizeof(*array));
	kvfree(array);
	return rc;
}

/**
 * exo_policy_exit() - forget everything that was set
 *
 * No object is left, so nobody holds pages.
 */
void exo_policy_exit(void)
{
	struct hlist_node *next;
	struct user *user;
	u32 bucket;

	hash_for_each_safe(users, bucket, next, user, node) {
		WARN_ON_ONCE(user->nr_pages);
		kfree(user);
	}
}
