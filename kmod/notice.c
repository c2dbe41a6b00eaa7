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
#include <linux/rcupdate.h>
#include <linux/sched.h>

#include "cap.h"
#include "check.h"
#include "event.h"

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
		cap->notice = ++cap->tree->nr_notices;
		cap->untold = true;
		WRITE_ONCE(cap->notice_ns, notice_ns);
	}
	spin_unlock(&cap->tree->lock);
	if (!first)
		return -EBUSY;
	exo_expiry_add(cap);
	return exo_cap_await(cap, exo_cap_condemn(cap), nr);
}

/* The earliest notice above, 0 for none. */
static u64 notice_above(const struct exo_cap *cap)
{
	const struct exo_cap *parent;
	u64 first_ns = 0;

	rcu_read_lock();
	/* Above one that has ended there may be nothing any more. */
	while (!READ_ONCE(cap->ended) && (parent = READ_ONCE(cap->parent))) {
		if (READ_ONCE(parent->epoch) == cap->born)
			first_ns = exo_cap_earlier(first_ns,
						   READ_ONCE(parent->notice_ns));
		cap = parent;
	}
	rcu_read_unlock();
	return first_ns;
}

/**
 * exo_cap_ends_ns() - when it ends, as far as is known
 * @cap: the capability, a reference
 *
 * Context: any. Return: CLOCK_BOOTTIME, 0 for never.
 */
u64 exo_cap_ends_ns(const struct exo_cap *cap)
{
	return exo_cap_earlier(cap->expires_ns, notice_above(cap));
}

/*
 * The next in preorder, below @cap (@into) or not; NULL at the end. What came
 * since the notice stands last in each list, and is passed over: who makes more
 * and more does not keep this going, and was told when it was made.
 */
static struct exo_cap *__next_told(struct exo_cap *cap, bool into)
{
	const struct exo_cap *above = cap->tree->telling;
	struct exo_cap *parent = into ? cap : cap->parent;
	struct list_head *next = into ? cap->children.next : cap->sibling.next;

	for (;;) {
		if (next != &parent->children && next != &parent->doomed) {
			cap = list_entry(next, struct exo_cap, sibling);
			if (cap->notices_then < above->notice)
				return cap;
		}
		if (parent == above)
			return NULL;
		next = parent->sibling.next;
		parent = parent->parent;
	}
}

/**
 * __exo_notice_gone() - a capability leaves its parent
 * @cap: without children, or the tree's work item buries it
 *
 * Context: the tree's lock held.
 */
void __exo_notice_gone(const struct exo_cap *cap)
{
	struct exo_cap_tree *tree = cap->tree;

	lockdep_assert_held(&tree->lock);
	if (tree->told == cap)
		tree->told = __next_told(tree->told, false);
}

/* Context: the tree's lock held; cap->env is there as long as that. */
static void __tell(const struct exo_cap *cap)
{
	exo_event_ending(cap->env, cap->handle, cap->scope.nr,
			 exo_cap_ends_ns(cap));
}

static bool __is_alive(const struct exo_cap *cap)
{
	struct exo_refusal_reason why;

	return exo_cap_alive(cap, &why);
}

/**
 * __exo_notice_made() - a capability is about to join its parent's children
 * @cap: the capability; who will hold it hears of a notice that stands
 *
 * Context: the tree's lock held.
 */
void __exo_notice_made(struct exo_cap *cap)
{
	lockdep_assert_held(&cap->tree->lock);
	cap->notices_then = cap->tree->nr_notices;
	cap->unheard = notice_above(cap);
}

/**
 * __exo_notice_held() - a capability has got a holder
 * @cap: with env and handle
 *
 * Context: the tree's lock held.
 */
void __exo_notice_held(struct exo_cap *cap)
{
	lockdep_assert_held(&cap->tree->lock);
	if (cap->unheard && __is_alive(cap))
		__tell(cap);
}

/* Return: false at the end, or if the notice is not that of @notice_ns any more. */
static bool tell_next(const struct exo_cap *above, u64 notice_ns, u32 *nr)
{
	struct exo_cap_tree *tree = above->tree;
	struct exo_cap *cap;
	bool alive;

	spin_lock(&tree->lock);
	cap = above->notice_ns == notice_ns ? tree->told : NULL;
	if (cap) {
		/* Below one that has ended nothing is alive. */
		alive = __is_alive(cap);
		if (alive && cap->env)
			__tell(cap);
		else if (alive)
			cap->unheard = true;
		*nr += alive;
		tree->told = __next_told(cap, alive);
	}
	spin_unlock(&tree->lock);
	return cap;
}

/**
 * exo_notice_tell() - tell those who hold what was made from a capability
 * @cap: a reference held by the caller; nothing is done without a new notice
 *
 * Context: sleeps; the tree's work item. Return: how many capabilities.
 */
u32 exo_notice_tell(struct exo_cap *cap)
{
	struct exo_cap_tree *tree = cap->tree;
	u64 notice_ns;
	bool untold;
	u32 nr = 0;

	spin_lock(&tree->lock);
	untold = cap->untold;
	cap->untold = false;
	notice_ns = cap->notice_ns;
	if (untold) {
		tree->telling = cap;
		tree->told = __next_told(cap, true);
	}
	spin_unlock(&tree->lock);
	if (!untold)
		return 0;

	while (tell_next(cap, notice_ns, &nr))
		cond_resched();

	spin_lock(&tree->lock);
	tree->telling = NULL;
	tree->told = NULL;
	spin_unlock(&tree->lock);
	return nr;
}
