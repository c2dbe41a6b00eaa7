// SPDX-License-Identifier: GPL-2.0
/*
 * Expiry: capabilities that end by themselves. Every use looks at the clock;
 * what is mapped is taken away when one work item, which sleeps until the
 * earliest time of a queue, has ended them. It waits for none of them.
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

static void expire(struct work_struct *work)
{
	struct exo_cap *cap;

	while ((cap = next_due())) {
		exo_cap_end(cap, EXO_REFUSED_EXPIRED);
		exo_cap_put(cap);
		cond_resched();
	}
}

/**
 * exo_expiry_add() - end a capability when its time has come
 * @cap: new, with expires_ns
 *
 * Context: any but interrupt.
 */
void exo_expiry_add(struct exo_cap *cap)
{
	/* Never; and as the queue's signed number it would be the first. */
	if (cap->expires_ns > KTIME_MAX)
		return;
	spin_lock(&queue_lock);
	cap->expiry.expires = cap->expires_ns;
	if (timerqueue_add(&queue, &cap->expiry))
		__arm();
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
	if (!cap->expires_ns)
		return;
	spin_lock(&queue_lock);
	if (!RB_EMPTY_NODE(&cap->expiry.node))
		timerqueue_del(&queue, &cap->expiry);
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
