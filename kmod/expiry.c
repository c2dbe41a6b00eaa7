// SPDX-License-Identifier: GPL-2.0
/*
 * Expiry: capabilities that end by themselves, and notices whose time is over.
 * Every use looks at the clock; what is mapped is taken away when one work item,
 * which sleeps until the earliest time of a queue, has ended them. It waits for
 * none of them.
 */
#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/timerqueue.h>
#include <linux/workqueue.h>

#include "cap.h"

static void expire(struct work_struct *work);

static DEFINE_SPINLOCK(queue_lock);
static struct timerqueue_head queue;
static DECLARE_DELAYED_WORK(expire_work, expire);

static void __arm(void)
{
	struct timerqueue_node *first = timerqueue_getnext(&queue);
	u64 now = ktime_get_boottime_ns();
	u64 left;

	if (!first)
		return;
	left = first->expires > now ? first->expires - now : 0;
	/* A tick late rather than early; far times are looked at again. */
	mod_delayed_work(system_unbound_wq, &expire_work,
			 nsecs_to_jiffies(min_t(u64, left, NSEC_PER_SEC)) + 1);
}

static void __cancel(struct exo_cap *cap)
{
	lockdep_assert_held(&queue_lock);
	if (!RB_EMPTY_NODE(&cap->expiry.node))
		timerqueue_del(&queue, &cap->expiry);
}

/* Return: one that is due, a reference, out of the queue; or NULL. */
static struct exo_cap *next_due(void)
{
	struct timerqueue_node *first;
	struct exo_cap *cap = NULL;

	spin_lock(&queue_lock);
	while ((first = timerqueue_getnext(&queue)) &&
	       first->expires <= ktime_get_boottime_ns()) {
		timerqueue_del(&queue, first);
		cap = container_of(first, struct exo_cap, expiry);
		if (refcount_inc_not_zero(&cap->refs))
			break;
		cap = NULL;
	}
	if (!cap)
		__arm();
	spin_unlock(&queue_lock);
	return cap;
}

/* Itself, or what was made from it, or neither: a notice may be gone again. */
static void end_due(struct exo_cap *cap)
{
	if (cap->expires_ns && cap->expires_ns <= ktime_get_boottime_ns()) {
		exo_cap_end(cap, EXO_REFUSED_EXPIRED);
		return;
	}
	exo_cap_end_notice(cap);
	exo_expiry_add(cap);
}

static void expire(struct work_struct *work)
{
	struct exo_cap *cap;

	while ((cap = next_due())) {
		end_due(cap);
		exo_cap_put(cap);
		cond_resched();
	}
}

/**
 * exo_expiry_add() - do what is due when the next time of a capability has come
 * @cap: with expires_ns or notice_ns, or neither any more; queued already or not
 *
 * Context: any but interrupt.
 */
void exo_expiry_add(struct exo_cap *cap)
{
	u64 due_ns;

	spin_lock(&queue_lock);
	__cancel(cap);
	due_ns = exo_cap_earlier(cap->expires_ns, READ_ONCE(cap->notice_ns));
	/* Far is never; and as the queue's signed number it would be the first. */
	if (due_ns && due_ns <= KTIME_MAX) {
		WRITE_ONCE(cap->timed, true);
		cap->expiry.expires = due_ns;
		if (timerqueue_add(&queue, &cap->expiry))
			__arm();
	}
	spin_unlock(&queue_lock);
}

/**
 * exo_expiry_cancel() - the capability has ended or is going
 * @cap: the capability, perhaps never added
 *
 * Context: any but interrupt.
 */
void exo_expiry_cancel(struct exo_cap *cap)
{
	if (!READ_ONCE(cap->timed))
		return;
	spin_lock(&queue_lock);
	__cancel(cap);
	spin_unlock(&queue_lock);
}

/**
 * exo_expiry_exit() - no capability is left, wait for the work
 *
 * Context: sleeps.
 */
void exo_expiry_exit(void)
{
	cancel_delayed_work_sync(&expire_work);
}
