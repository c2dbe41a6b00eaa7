// SPDX-License-Identifier: GPL-2.0
/*
 * Pages: allocation and the charges.
 *
 * The user pays in locked_vm, so that a fork does not multiply what may be
 * held, and within what its policy says; the ceiling keeps all users together
 * from starving the host, because these pages do not count in the OOM killer's
 * badness.
 */
#include <linux/cred.h>
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/sched/user.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "check.h"
#include "colour.h"
#include "env.h"
#include "info.h"
#include "pages.h"
#include "policy.h"

static unsigned int page_limit_percent = 25;
module_param(page_limit_percent, uint, 0444);
MODULE_PARM_DESC(page_limit_percent,
		 "Most memory for frames and rings of all users together, in percent of RAM");

static atomic_long_t nr_charged;

/**
 * exo_pages_count() - pages charged at the moment
 *
 * Return: the count, rings and orphans included.
 */
u64 exo_pages_count(void)
{
	return atomic_long_read(&nr_charged);
}

/* Adds nr unless that goes beyond max. */
static bool add_below(atomic_long_t *counter, unsigned long nr,
		      unsigned long max)
{
	long now = atomic_long_read(counter);

	do {
		if (now + nr > max)
			return false;
	} while (!atomic_long_try_cmpxchg(counter, &now, now + nr));
	return true;
}

static unsigned long ceiling(void)
{
	return totalram_pages() / 100 * min(page_limit_percent, 100U);
}

static int charge(struct exo_env *env, unsigned long nr)
{
	struct user_struct *user = env->user;
	unsigned long limit;
	int rc;

	limit = rlimit(RLIMIT_MEMLOCK) >> PAGE_SHIFT;
	if (EXO_CHECK(pages_unlimited, capable(CAP_IPC_LOCK)))
		limit = LONG_MAX;
	if (!EXO_CHECK(pages_ceiling, add_below(&nr_charged, nr, ceiling())))
		return -EDQUOT;
	if (!EXO_CHECK(pages_locked, add_below(&user->locked_vm, nr, limit))) {
		atomic_long_sub(nr, &nr_charged);
		return -EDQUOT;
	}
	rc = exo_policy_charge(user->uid, nr);
	if (rc) {
		atomic_long_sub(nr, &user->locked_vm);
		atomic_long_sub(nr, &nr_charged);
		return rc;
	}
	exo_info_add(&env->info.env->nr_pages, nr);
	exo_info_add(&exo_info_all->nr_pages, nr);
	WRITE_ONCE(exo_info_all->max_pages, ceiling());
	return 0;
}

static void uncharge(struct exo_env *env, unsigned long nr)
{
	exo_info_add(&exo_info_all->nr_pages, -(s64)nr);
	exo_info_add(&env->info.env->nr_pages, -(s64)nr);
	exo_policy_uncharge(env->user->uid, nr);
	atomic_long_sub(nr, &env->user->locked_vm);
	atomic_long_sub(nr, &nr_charged);
	exo_event_given(env, nr);
}

static int fill(struct exo_pages *pages, const struct exo_place *place)
{
	gfp_t gfp = EXO_GFP_PAGES | __GFP_ZERO |
		    (pages->order ? __GFP_COMP : 0);
	u32 i, nr_runs = pages->nr_pages >> pages->order;

	for (i = 0; i < nr_runs; i++) {
		if (fatal_signal_pending(current))
			return -EINTR;
		pages->run[i] = exo_place_alloc(place, gfp, pages->order);
		if (!pages->run[i])
			return -ENOMEM;
		cond_resched();
	}
	return 0;
}

/* What a search has in hand is no user's yet, but the host lacks it. */
static int search(struct exo_pages *pages, u32 order, struct exo_place *place)
{
	int rc;

	if (!EXO_CHECK(pages_search, add_below(&nr_charged, EXO_MAX_HELD_PAGES,
					       ceiling())))
		return -EDQUOT;
	rc = exo_colour_fill(pages, order, place);
	atomic_long_sub(EXO_MAX_HELD_PAGES, &nr_charged);
	return rc;
}

static int fill_coloured(struct exo_pages *pages, u32 order,
			 struct exo_place *place)
{
	struct exo_colour_turn turn;
	int rc;

	rc = exo_colour_begin(&turn, pages->env->user->uid);
	if (rc)
		return rc;
	rc = search(pages, order, place);
	exo_colour_end(&turn);
	return rc;
}

/* Neither charged nor filled. */
static struct exo_pages *pages_new(struct exo_env *env, u32 nr_pages, u32 order)
{
	struct exo_pages *pages;

	pages = kvzalloc(struct_size(pages, run, nr_pages >> order),
			 EXO_GFP_USER);
	if (!pages)
		return NULL;
	exo_env_hold(env);
	pages->env = env;
	pages->nr_pages = nr_pages;
	pages->order = order;
	return pages;
}

/**
 * exo_pages_alloc_at() - allocate and charge zeroed pages at a place
 * @env: whose opener pays
 * @nr_pages: 1 to EXO_MAX_PAGES, a multiple of 2^order
 * @order: contiguity, 0 to EXO_MAX_ORDER
 * @place: where
 *
 * Pages of a colour are single pages whatever their order.
 *
 * Context: sleeps. Return: as exo_pages_alloc(); -ENOMEM also if there are none
 * at that place.
 */
struct exo_pages *exo_pages_alloc_at(struct exo_env *env, u32 nr_pages,
				     u32 order, struct exo_place *place)
{
	bool coloured = place->flags & EXO_FRAME_COLOUR;
	struct exo_pages *pages;
	int rc;

	rc = charge(env, nr_pages);
	if (rc)
		return ERR_PTR(rc);
	pages = pages_new(env, nr_pages, coloured ? 0 : order);
	if (!pages) {
		uncharge(env, nr_pages);
		return ERR_PTR(-ENOMEM);
	}
	if (coloured)
		rc = fill_coloured(pages, order, place);
	else
		rc = fill(pages, place);
	if (rc) {
		exo_pages_free(pages);
		return ERR_PTR(rc);
	}
	return pages;
}

/**
 * exo_pages_alloc() - allocate and charge zeroed pages
 * @env: whose opener pays
 * @nr_pages: 1 to EXO_MAX_PAGES, a multiple of 2^order
 * @order: contiguity, 0 to EXO_MAX_ORDER
 *
 * Context: sleeps. Return: the pages, freed by exo_pages_free(), or ERR_PTR:
 * -EDQUOT the user's RLIMIT_MEMLOCK or policy, or the module's ceiling, -ENOMEM,
 * -EINTR the process is being killed.
 */
struct exo_pages *exo_pages_alloc(struct exo_env *env, u32 nr_pages, u32 order)
{
	struct exo_place anywhere = {};

	return exo_pages_alloc_at(env, nr_pages, order, &anywhere);
}

/**
 * exo_pages_alloc_borrowed() - room for pages that belong to others
 * @env: who borrows
 * @nr_pages: 1 to EXO_MAX_PAGES
 *
 * The caller fills run[], and keeps the owner of the pages alive until after
 * exo_pages_free().
 *
 * Context: sleeps. Return: without pages and charge, or NULL.
 */
struct exo_pages *exo_pages_alloc_borrowed(struct exo_env *env, u32 nr_pages)
{
	struct exo_pages *pages = pages_new(env, nr_pages, 0);

	if (pages)
		pages->borrowed = true;
	return pages;
}

static void put_runs(struct exo_pages *pages)
{
	u32 i, nr_runs = pages->nr_pages >> pages->order;

	for (i = 0; i < nr_runs && pages->run[i]; i++) {
		put_page(pages->run[i]);
		cond_resched();
	}
}

/**
 * exo_pages_free() - free and uncharge
 * @pages: perhaps filled in part; in no page table
 *
 * Context: sleeps.
 */
void exo_pages_free(struct exo_pages *pages)
{
	if (!pages->borrowed) {
		put_runs(pages);
		uncharge(pages->env, pages->nr_pages);
	}
	exo_env_put(pages->env);
	kvfree(pages);
}

/**
 * exo_pages_vmap() - one kernel address for all of the pages
 * @pages: the pages
 *
 * Context: sleeps. Return: the address, undone by vunmap(), or NULL.
 */
void *exo_pages_vmap(struct exo_pages *pages)
{
	struct page **array;
	void *addr;
	u32 i;

	array = kvmalloc_array(pages->nr_pages, sizeof(*array), GFP_KERNEL);
	if (!array)
		return NULL;
	for (i = 0; i < pages->nr_pages; i++)
		array[i] = exo_pages_page(pages, i);
	addr = vmap(array, pages->nr_pages, VM_MAP, PAGE_KERNEL);
	kvfree(array);
	return addr;
}
