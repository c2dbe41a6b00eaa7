/* SPDX-License-Identifier: GPL-2.0 */
/* Tx: from a flow's transmit ring to the device, and back when it is done. */
#ifndef EXO_KMOD_TX_H
#define EXO_KMOD_TX_H

#include <linux/skbuff.h>

#include "flow.h"

/**
 * struct exo_tx_slot - payload in flight, one a descriptor
 * @ubuf: in the packet; its last reference is the completion
 * @busy: from sending until completion
 * @nr_frames: references in @frames
 * @flow: the flow, covered by its tx_refs
 * @frames: whose pages the packet refers to
 */
struct exo_tx_slot {
	struct ubuf_info ubuf;
	bool busy;
	u8 nr_frames;
	struct exo_flow *flow;
	struct exo_frame *frames[EXO_TX_MAX_FRAGS];
};

u32 exo_tx_flush(struct exo_flow *flow);

int exo_txdone_init(struct exo_flow *flow);
void exo_txdone_settle(struct exo_flow *flow);
void exo_txdone_arm_copy(struct exo_flow *flow, struct sk_buff *skb);
void exo_txdone_arm_slot(struct exo_tx_slot *slot, struct sk_buff *skb);
void exo_txdone_put(struct exo_flow *flow);

#endif /* EXO_KMOD_TX_H */
