// SPDX-License-Identifier: GPL-2.0
/*
 * Txdone: what a packet in flight holds, and the end of it.
 *
 * A packet that refers to a frame's pages (zero copy) occupies the slot of its
 * descriptor: the slot's ubuf is in the packet, the slot holds the frames. The
 * last reference on the ubuf, dropped by the driver or by whoever copies the
 * payload instead, in any context, is the completion. A packet that carries
 * its payload copied has a destructor. Both count in tx_refs, which bounds
 * what a flow has in flight and keeps its memory.
 *
 * The ubuf has SKBFL_ZEROCOPY_FRAG: a local receiver, a tap and segmentation
 * in software copy rather than keep the pages, and code that works in place
 * (ESP) does not write into them.
 */
#include <linux/slab.h>

#include "check.h"
#include "command.h"
#include "compat/net.h"
#include "tx.h"

static atomic_long_t nr_zerocopy;

/**
 * exo_tx_count() - packets in flight that refer to frames
 *
 * Return: the count.
 */
u64 exo_tx_count(void)
{
	return atomic_long_read(&nr_zerocopy);
}

/**
 * exo_txdone_put() - drop one of a flow's tx_refs
 * @flow: the flow
 *
 * Context: any, interrupts included.
 */
void exo_txdone_put(struct exo_flow *flow)
{
	if (refcount_dec_and_test(&flow->tx_refs))
		exo_object_put_atomic(&flow->obj);
}

/* Move tx_done over what is done without a gap; the library sees it last. */
static void advance(struct exo_flow *flow)
{
	u32 done = flow->tx_done;

	lockdep_assert_held(&flow->done_lock);
	while (done != flow->done_limit &&
	       EXO_CHECK(slot_done, !READ_ONCE(flow->slots[done &
						(flow->nr_tx - 1)].busy)))
		done++;
	if (done == flow->tx_done)
		return;
	flow->tx_done = done;
	/* Pairs with the library's load: then it may write into the frames. */
	smp_store_release(&flow->ring->tx_done, done);
}

/**
 * exo_txdone_settle() - a doorbell has dealt with descriptors up to tx_cons
 * @flow: the flow, its tx_lock held
 *
 * Context: process.
 */
void exo_txdone_settle(struct exo_flow *flow)
{
	unsigned long irq;

	lockdep_assert_held(&flow->tx_lock);
	spin_lock_irqsave(&flow->done_lock, irq);
	flow->done_limit = flow->tx_cons;
	advance(flow);
	spin_unlock_irqrestore(&flow->done_lock, irq);
}

static void complete_slot(struct exo_tx_slot *slot)
{
	struct exo_frame *frames[EXO_TX_MAX_FRAGS];
	struct exo_flow *flow = slot->flow;
	u8 i, nr = slot->nr_frames;
	unsigned long irq;

	memcpy(frames, slot->frames, sizeof(frames));
	spin_lock_irqsave(&flow->done_lock, irq);
	/* Pairs with exo_tx_flush(): the slot may be used again from here on */
	smp_store_release(&slot->busy, false);
	advance(flow);
	spin_unlock_irqrestore(&flow->done_lock, irq);
	for (i = 0; i < nr; i++)
		exo_object_put_atomic(&frames[i]->obj);
	atomic_long_dec(&nr_zerocopy);
	exo_txdone_put(flow);
}

static void ubuf_complete(struct sk_buff *skb, struct ubuf_info *ubuf,
			  bool success)
{
	if (refcount_dec_and_test(&ubuf->refcnt))
		complete_slot(container_of(ubuf, struct exo_tx_slot, ubuf));
}

static const struct ubuf_info_ops ubuf_ops = {
	.complete = ubuf_complete,
};

/**
 * exo_txdone_arm_slot() - let a packet's end complete its slot
 * @slot: frames filled in, not busy
 * @skb: has the frames' pages
 *
 * Context: the flow's tx_lock held.
 */
void exo_txdone_arm_slot(struct exo_tx_slot *slot, struct sk_buff *skb)
{
	exo_ubuf_init(&slot->ubuf, &ubuf_ops);
	WRITE_ONCE(slot->busy, true);
	refcount_inc(&slot->flow->tx_refs);
	atomic_long_inc(&nr_zerocopy);
	skb_zcopy_init(skb, &slot->ubuf);
}

/* Nobody else uses destructor_arg in a packet without SKBFL_ZEROCOPY_ENABLE. */
static void copy_destructor(struct sk_buff *skb)
{
	exo_txdone_put(skb_shinfo(skb)->destructor_arg);
}

/**
 * exo_txdone_arm_copy() - let a packet's end be counted
 * @flow: the flow
 * @skb: refers to no frame
 *
 * Context: the flow's tx_lock held.
 */
void exo_txdone_arm_copy(struct exo_flow *flow, struct sk_buff *skb)
{
	refcount_inc(&flow->tx_refs);
	skb_shinfo(skb)->destructor_arg = flow;
	skb->destructor = copy_destructor;
}

/**
 * exo_txdone_init() - allocate the slots, so that sending never has to
 * @flow: a new flow
 *
 * Context: sleeps. Return: 0 or -ENOMEM; freed with the flow.
 */
int exo_txdone_init(struct exo_flow *flow)
{
	u32 i;

	flow->slots = kvcalloc(flow->nr_tx, sizeof(*flow->slots),
			       EXO_GFP_USER);
	if (!flow->slots)
		return -ENOMEM;
	for (i = 0; i < flow->nr_tx; i++)
		flow->slots[i].flow = flow;
	return 0;
}
