// SPDX-License-Identifier: GPL-2.0
/*
 * Notice: a revocation announced some time before it is done.
 *
 * One word of the lender's capability holds the time. All uses below look at it
 * on their way up; when it is over the expiry queue ends what is below, as a
 * revocation would. Until then nothing changes for those who hold a part, but
 * they are told, each of its own handle: by the tree's work item, which also
 * buries, so that nobody hears of an end before its notice, and nobody who is
 * kept from running holds up another.
 */
#include <linux/ktime.h>
#include <linux/sched.h>

#include "cap.h"
#include "check.h"
#include "env.h"

/**
 * exo_cap_notice() - announce the end of what was made from a capability
 * @cap: a reference held by the caller
 * @notice_ns: when it ends, CLOCK_BOOTTIME
 * @nr: how many were told, as with exo_cap_await()
 *
 * Context: sleeps. Return: 0; -EBUSY notice was given; -EINTR fatal signal, it
 * goes on all the same.
 */
int exo_cap_notice(struct exo_cap *cap, u64 notice_ns, u64 *nr)
{
	bool first;

	spin_lock(&cap->tree->lock);
	/* Each again would be an event again, for as long as there is room. */
	first = EXO_CHECK(notice_once, !cap->notice_ns);
	if (first) {
		WRITE_ONCE(cap->notice_ns, notice_ns);
		cap->untold = true;
	}
	spin_unlock(&cap->tree->lock);
	if (!first)
		return -EBUSY;
	exo_expiry_add(cap);
	return exo_cap_await(cap, exo_cap_condemn(cap), nr);
}

static bool __is_below(const struct exo_cap *cap, const struct exo_cap *above)
{
	struct exo_refusal_reason why;

	if (cap->depth <= above->depth || !exo_cap_alive(cap, &why))
		return false;
	while (cap->depth > above->depth)
		cap = cap->parent;
	return cap == above;
}

/*
 * The next member of the tree, told if it is below @above; never more than one
 * of them with the lock held. Return: false if there is none.
 */
static bool tell_next(const struct exo_cap *above, u32 *nr)
{
	struct exo_cap_tree *tree = above->tree;
	u64 nr_units = 0, ends_ns = 0;
	struct exo_env *env = NULL;
	const struct exo_cap *cap;
	u32 handle = 0;

	spin_lock(&tree->lock);
	if (tree->told == &tree->members) {
		spin_unlock(&tree->lock);
		return false;
	}
	cap = list_entry(tree->told, struct exo_cap, member);
	tree->told = cap->member.next;
	if (__is_below(cap, above)) {
		(*nr)++;
		env = cap->env;
		handle = cap->handle;
		nr_units = cap->scope.nr;
		ends_ns = exo_cap_ends_ns(cap);
		if (env)
			exo_env_hold(env);
	}
	spin_unlock(&tree->lock);

	if (env) {
		exo_event_ending(env, handle, nr_units, ends_ns);
		exo_env_put(env);
	}
	return true;
}

/**
 * exo_notice_tell() - tell those who hold what was made from a capability
 * @cap: a reference held by the caller; nothing is done without a new notice
 *
 * Of what is made meanwhile the answer says when it ends. So it need not be
 * told, and the count keeps who makes more and more from keeping this going.
 *
 * Context: sleeps; the tree's work item. Return: how many capabilities.
 */
u32 exo_notice_tell(struct exo_cap *cap)
{
	struct exo_cap_tree *tree = cap->tree;
	u32 nr = 0, left = 0;

	spin_lock(&tree->lock);
	if (cap->untold) {
		cap->untold = false;
		tree->told = tree->members.next;
		left = tree->nr;
	}
	spin_unlock(&tree->lock);

	while (left-- && tell_next(cap, &nr))
		cond_resched();
	return nr;
}
