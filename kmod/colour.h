/* SPDX-License-Identifier: GPL-2.0 */
/* Colour: pages whose physical number fits a mask; see colour.c. */
#ifndef EXO_KMOD_COLOUR_H
#define EXO_KMOD_COLOUR_H

#include <linux/list.h>
#include <linux/types.h>
#include <linux/uidgid.h>

struct exo_pages;
struct exo_place;

/* Most pages that one search has in hand besides those it has found. */
#define EXO_MAX_HELD_PAGES	4096

/**
 * struct exo_colour_turn - a user's search
 * @uid: the user, who has no other at the time
 * @list: with those of other users
 */
struct exo_colour_turn {
	kuid_t uid;
	struct list_head list;
};

int exo_colour_begin(struct exo_colour_turn *turn, kuid_t uid);
void exo_colour_end(struct exo_colour_turn *turn);
int exo_colour_fill(struct exo_pages *pages, u32 order,
		    struct exo_place *place);

#endif /* EXO_KMOD_COLOUR_H */
