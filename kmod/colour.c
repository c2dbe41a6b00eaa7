// SPDX-License-Identifier: GPL-2.0
/*
 * Colour: searches for pages whose physical number fits a mask.
 *
 * The page allocator cannot be asked for a colour, but a block as large as the
 * period of the mask has every colour in it. Such a block is split into pages;
 * those that fit are kept, the others go back at once, and as the block has
 * holes now the next one is another. Where memory is too fragmented for such
 * blocks, smaller ones are looked at; those without the colour are held until
 * the search is over, or the allocator would hand out the same ones again.
 *
 * The pages in hand are bounded, charged to the caller's memcg, and by the
 * caller (pages.c) to the module's ceiling for as long as the search takes. They
 * are not charged to the user, so each has one search at a time.
 */
#include <linux/highmem.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/spinlock.h>
#include <linux/wait.h>

#include "check.h"
#include "colour.h"
#include "pages.h"

static DEFINE_SPINLOCK(turns_lock);
static LIST_HEAD(turns);
static DECLARE_WAIT_QUEUE_HEAD(turn_over);

/* Looked at for each page wanted: so many times what chance would need. */
#define MAX_TRIES	64

/**
 * struct search - a search under way
 * @pages: to be filled; single pages, although they come in runs
 * @order: of the runs
 * @place: what fits
 * @nr_found: pages in @pages
 * @nr_held: pages in @held
 * @held: blocks without the colour, by their first page; its private word is
 *        the block's order
 */
struct search {
	struct exo_pages *pages;
	u32 order;
	struct exo_place *place;
	u32 nr_found;
	u32 nr_held;
	struct list_head held;
};

/* Pages of the period of the mask, as a power of two. */
static u32 period_order(const struct search *s)
{
	return max_t(u32, fls(s->place->colour_mask), s->order);
}

static u64 max_tried(const struct search *s)
{
	u64 nr = (u64)s->pages->nr_pages << hweight32(s->place->colour_mask);

	return max_t(u64, MAX_TRIES * nr, EXO_MAX_HELD_PAGES);
}

static bool fits(const struct search *s, const struct page *page)
{
	return (page_to_pfn(page) & s->place->colour_mask) ==
	       s->place->colour_value;
}

/* A block is aligned: it has all combinations of the bits below its order. */
static bool has_fit(const struct search *s, const struct page *block,
		    u32 order)
{
	return !((page_to_pfn(block) ^ s->place->colour_value) &
		 s->place->colour_mask & ~((1UL << order) - 1));
}

static void keep_run(struct search *s, struct page *run)
{
	u32 i;

	for (i = 0; i < 1U << s->order; i++) {
		clear_highpage(run + i);
		s->pages->run[s->nr_found++] = run + i;
	}
}

static void free_run(const struct search *s, struct page *run)
{
	u32 i;

	for (i = 0; i < 1U << s->order; i++)
		__free_page(run + i);
}

static void keep_fits(struct search *s, struct page *block, u32 order)
{
	u32 i;

	split_page(block, order);
	for (i = 0; i < 1U << order; i += 1U << s->order) {
		if (s->nr_found < s->pages->nr_pages && fits(s, block + i))
			keep_run(s, block + i);
		else
			free_run(s, block + i);
	}
}

static void hold(struct search *s, struct page *block, u32 order)
{
	set_page_private(block, order);
	list_add(&block->lru, &s->held);
	s->nr_held += 1U << order;
}

static void free_held(struct search *s)
{
	struct page *block, *next;
	u32 order;

	list_for_each_entry_safe(block, next, &s->held, lru) {
		order = page_private(block);
		set_page_private(block, 0);
		__free_pages(block, order);
		cond_resched();
	}
}

static int seek(struct search *s)
{
	u32 order = period_order(s);
	struct page *block;

	while (s->nr_found < s->pages->nr_pages) {
		if (fatal_signal_pending(current))
			return -EINTR;
		if (s->place->nr_tried >= max_tried(s) ||
		    s->nr_held + (1U << order) > EXO_MAX_HELD_PAGES)
			return -ENOMEM;
		block = exo_place_alloc(s->place, EXO_GFP_PAGES, order);
		if (!block && order == s->order)
			return -ENOMEM;
		if (!block) {
			order--;
			continue;
		}
		s->place->nr_tried += 1U << order;
		if (has_fit(s, block, order))
			keep_fits(s, block, order);
		else
			hold(s, block, order);
		cond_resched();
	}
	return 0;
}

static bool enter(struct exo_colour_turn *turn)
{
	struct exo_colour_turn *other;
	bool free = true;

	spin_lock(&turns_lock);
	list_for_each_entry(other, &turns, list)
		free &= !uid_eq(other->uid, turn->uid);
	free = EXO_CHECK(colour_turn, free);
	if (free)
		list_add(&turn->list, &turns);
	spin_unlock(&turns_lock);
	return free;
}

/**
 * exo_colour_begin() - wait for the user's turn to search
 * @turn: the caller's until exo_colour_end()
 * @uid: the user
 *
 * Context: sleeps. Return: 0, -EINTR the process is being killed.
 */
int exo_colour_begin(struct exo_colour_turn *turn, kuid_t uid)
{
	turn->uid = uid;
	return wait_event_killable(turn_over, enter(turn)) ? -EINTR : 0;
}

/**
 * exo_colour_end() - the search is over
 * @turn: from exo_colour_begin()
 */
void exo_colour_end(struct exo_colour_turn *turn)
{
	spin_lock(&turns_lock);
	list_del(&turn->list);
	spin_unlock(&turns_lock);
	wake_up_all(&turn_over);
}

/**
 * exo_colour_fill() - find pages of a colour
 * @pages: of order 0 and empty; gets its pages, zeroed, or some of them
 * @order: they shall come in aligned runs of 2^order pages
 * @place: with a colour that such runs can have; nr_tried says what it took
 *
 * Context: sleeps. Return: 0; -ENOMEM none left, or none found in the number of
 * tries; -EINTR the process is being killed.
 */
int exo_colour_fill(struct exo_pages *pages, u32 order,
		    struct exo_place *place)
{
	struct search s = {
		.pages = pages,
		.order = order,
		.place = place,
	};
	int rc;

	INIT_LIST_HEAD(&s.held);
	rc = seek(&s);
	free_held(&s);
	return rc;
}
