/* SPDX-License-Identifier: GPL-2.0 */
/* Eventfd: what differs between kernels. */
#ifndef EXO_KMOD_COMPAT_EVENTFD_H
#define EXO_KMOD_COMPAT_EVENTFD_H

#include <linux/eventfd.h>
#include <linux/version.h>

/* It counts one event a call, and says so, since 6.8. */
static inline void exo_eventfd_signal(struct eventfd_ctx *ctx)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 8, 0)
	eventfd_signal(ctx);
#else
	eventfd_signal(ctx, 1);
#endif
}

#endif /* EXO_KMOD_COMPAT_EVENTFD_H */
