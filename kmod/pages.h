/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Pages: charged, zeroed physical memory behind frames and rings.
 *
 * Charged twice: to the opener's user (RLIMIT_MEMLOCK, user->locked_vm, as
 * io_uring does, and policy) with a ceiling for the whole module, and to the
 * memcg of the caller by __GFP_ACCOUNT.
 */
#ifndef EXO_KMOD_PAGES_H
#define EXO_KMOD_PAGES_H

#include <linux/gfp.h>
#include <linux/mm.h>

#include <linux/exo.h>

struct exo_env;

/* Largest contiguity: 2 MiB of 4 KiB pages. */
#define EXO_MAX_ORDER		9
/* Largest frame: 1 GiB; below EXO_MAX_OBJECT_PAGES. */
#define EXO_MAX_PAGES		(1U << 18)

/*
 * NORETRY: at the memcg's limit fail rather than call the OOM killer. HARDWALL:
 * from the nodes of the caller's cpuset alone, as a process's own pages.
 */
#define EXO_GFP_PAGES		(GFP_KERNEL_ACCOUNT | __GFP_HARDWALL | \
				 __GFP_NORETRY | __GFP_NOWARN)

/**
 * struct exo_place - where pages shall be
 * @flags: EXO_FRAME_NODE, EXO_FRAME_COLOUR; 0 for anywhere
 * @node: NUMA node with memory, with EXO_FRAME_NODE
 * @colour_mask: bits of the number of each run's first page that shall be as
 *               in @colour_value, with EXO_FRAME_COLOUR
 * @colour_value: within @colour_mask, 0 in the bits that the order makes 0
 * @nr_tried: counts the pages looked at for a colour
 */
struct exo_place {
	u32 flags;
	u32 node;
	u32 colour_mask;
	u32 colour_value;
	u64 nr_tried;
};

/**
 * struct exo_pages - some pages and who pays for them
 * @env: who pays, its user and itself, or who borrowed; one reference
 * @nr_pages: how many
 * @order: they come in runs of 2^order, each a compound page if order > 0
 * @borrowed: they belong to another struct exo_pages, which lives longer and is
 *            charged for them
 * @run: first page of each run; nr_pages >> order of them
 */
struct exo_pages {
	struct exo_env *env;
	u32 nr_pages;
	u32 order;
	bool borrowed;
	struct page *run[];
};

struct exo_pages *exo_pages_alloc(struct exo_env *env, u32 nr_pages, u32 order);
struct exo_pages *exo_pages_alloc_at(struct exo_env *env, u32 nr_pages,
				     u32 order, struct exo_place *place);
struct exo_pages *exo_pages_alloc_borrowed(struct exo_env *env, u32 nr_pages);
void exo_pages_free(struct exo_pages *pages);
void *exo_pages_vmap(struct exo_pages *pages);
u64 exo_pages_count(void);

/**
 * exo_place_alloc() - a block of pages, on the right node
 * @place: its colour is not looked at
 * @gfp: GFP_*
 * @order: 2^order pages
 *
 * Context: sleeps. Return: its first page, or NULL.
 */
static inline struct page *exo_place_alloc(const struct exo_place *place,
					   gfp_t gfp, u32 order)
{
	if (place->flags & EXO_FRAME_NODE)
		return alloc_pages_node(place->node, gfp | __GFP_THISNODE,
					order);
	return alloc_pages(gfp, order);
}

/**
 * exo_pages_page() - the page at an index
 * @pages: the pages
 * @index: below nr_pages, checked by the caller
 *
 * Return: the page, without a reference of its own.
 */
static inline struct page *exo_pages_page(const struct exo_pages *pages,
					  u32 index)
{
	struct page *head = pages->run[index >> pages->order];

	return head + (index & ((1U << pages->order) - 1));
}

#endif /* EXO_KMOD_PAGES_H */
