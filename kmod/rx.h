/* SPDX-License-Identifier: GPL-2.0 */
/* Rx: from the device into a flow's receive ring. */
#ifndef EXO_KMOD_RX_H
#define EXO_KMOD_RX_H

#include <linux/netdevice.h>

rx_handler_result_t exo_rx(struct sk_buff **pskb);

#endif /* EXO_KMOD_RX_H */
