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

#include <linux/mm.h>

struct exo_env;

/* Largest contiguity: 2 MiB of 4 KiB pages. */
#define EXO_MAX_ORDER		9
/* Largest frame: 1 GiB; below EXO_MAX_OBJECT_PAGES. */
#define EXO_MAX_PAGES		(1U << 18)

/**
 * struct exo_pages - some pages and who pays for them
 * @env: who pays, its user and itself; one reference
 * @nr_pages: how many
 * @order: they come in runs of 2^order, each a compound page if order > 0
 * @run: first page of each run; nr_pages >> order of them
 */
struct exo_pages {
	struct exo_env *env;
	u32 nr_pages;
	u32 order;
	struct page *run[];
};

struct exo_pages *exo_pages_alloc(struct exo_env *env, u32 nr_pages, u32 order);
void exo_pages_free(struct exo_pages *pages);
void *exo_pages_vmap(struct exo_pages *pages);
u64 exo_pages_count(void);

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
