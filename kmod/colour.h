/* SPDX-License-Identifier: GPL-2.0 */
/* Colour: pages whose physical number fits a mask; see colour.c. */
#ifndef EXO_KMOD_COLOUR_H
#define EXO_KMOD_COLOUR_H

#include <linux/types.h>

struct exo_pages;
struct exo_place;

/* Most pages that one search has in hand besides those it has found. */
#define EXO_MAX_HELD_PAGES	4096

int exo_colour_fill(struct exo_pages *pages, u32 order,
		    struct exo_place *place);

#endif /* EXO_KMOD_COLOUR_H */
