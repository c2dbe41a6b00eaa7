// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* cache: reads, eviction, and those who wait for either */
#include <errno.h>
#include <stdlib.h>

#include "cache.h"
#include "../../common/crc32c.h"

#define FRAME_ORDER	4		/* a chunk is physically in one piece */
#define MIN_SLOTS	16
#define CQ_ENTRIES	256

static void list_init(struct cache_waiter *head)
{
	head->next = head;
	head->prev = head;
}

static void list_add(struct cache_waiter *head, struct cache_waiter *w)
{
	w->prev = head->prev;
	w->next = head;
	head->prev->next = w;
	head->prev = w;
}

/**
 * cache_forget - stop waiting
 * @w: the waiter, waiting or not
 */
void cache_forget(struct cache_waiter *w)
{
	if (!w->prev)
		return;
	w->prev->next = w->next;
	w->next->prev = w->prev;
	w->prev = NULL;
}

/* Wake all who wait now; those who begin to wait meanwhile stay. */
static void wake_all(struct cache_waiter *head, int rc)
{
	struct cache_waiter now, *w;

	if (head->next == head)
		return;
	now = *head;
	now.next->prev = &now;
	now.prev->next = &now;
	list_init(head);
	while (now.next != &now) {
		w = now.next;
		cache_forget(w);
		w->wake(w, rc);
	}
}

/* As much as can be had, down to the minimum. */
static int alloc_frame(struct cache *cache, struct exo_env *env, uint32_t nr)
{
	int rc;

	for (;;) {
		rc = exo_frame_alloc(env, (nr + 1) * DOC_CHUNK_BLOCKS,
				     FRAME_ORDER, &cache->frame);
		if ((rc != -EDQUOT && rc != -ENOMEM) || nr == MIN_SLOTS)
			break;
		nr -= nr / 8 + 1;
		if (nr < MIN_SLOTS)
			nr = MIN_SLOTS;
	}
	cache->nr_slots = nr;
	cache->extra = (uint64_t)nr * DOC_CHUNK_BYTES;
	return rc;
}

static int make_slots(struct cache *cache)
{
	struct cache_slot *slot;
	uint32_t i;

	cache->slots = calloc(cache->nr_slots, sizeof(*cache->slots));
	cache->slot_of = calloc(cache->docs->nr_chunks + 1,
				sizeof(*cache->slot_of));
	if (!cache->slots || !cache->slot_of)
		return -ENOMEM;
	for (i = 0; i < cache->nr_slots; i++) {
		slot = &cache->slots[i];
		slot->offset = (uint64_t)i * DOC_CHUNK_BYTES;
		slot->mem = (char *)cache->frame.addr + slot->offset;
		list_init(&slot->waiters);
	}
	return 0;
}

/**
 * cache_init - allocate the memory
 * @cache: filled in
 * @env: whose frame
 * @extent: where the pack is, readable; must outlive the cache
 * @docs: the pack; likewise
 * @bytes: most memory for documents
 *
 * Takes less than @bytes where the limits of the user or the machine say so:
 * @cache->nr_slots tells.
 *
 * Return: 0; -EDQUOT, -ENOMEM not even a minimum of 1 MiB could be had.
 */
int cache_init(struct cache *cache, struct exo_env *env,
	       const struct exo_extent *extent, const struct doc_index *docs,
	       uint64_t bytes)
{
	uint64_t nr = bytes / DOC_CHUNK_BYTES;
	uint64_t most = exo_env_query(env)->out_max_frame_pages /
			DOC_CHUNK_BLOCKS - 1;
	int rc;

	if (nr > docs->nr_chunks)
		nr = docs->nr_chunks;
	if (nr > most)
		nr = most;
	if (nr < MIN_SLOTS)
		nr = MIN_SLOTS;
	memset(cache, 0, sizeof(*cache));
	cache->docs = docs;
	cache->extent = extent;
	list_init(&cache->starved);
	rc = exo_cq_create(env, CQ_ENTRIES, 0, &cache->cq);
	if (rc)
		return rc;
	rc = alloc_frame(cache, env, nr);
	if (rc) {
		exo_cq_destroy(&cache->cq);
		return rc;
	}
	rc = make_slots(cache);
	if (rc)
		cache_exit(cache);
	return rc;
}

/**
 * cache_exit - give the memory back
 * @cache: the cache; reads in flight are the module's to finish
 */
void cache_exit(struct cache *cache)
{
	exo_frame_free(&cache->frame);
	exo_cq_destroy(&cache->cq);
	free(cache->slots);
	free(cache->slot_of);
}

/* A slot nobody uses, emptied; NULL if all are in use. Two turns of the clock:
 * the first takes the marks away.
 */
static struct cache_slot *free_slot(struct cache *cache)
{
	struct cache_slot *slot;
	uint32_t i;

	for (i = 0; i < 2 * cache->nr_slots; i++) {
		slot = &cache->slots[cache->hand];
		if (++cache->hand == cache->nr_slots)
			cache->hand = 0;
		if (slot->refs || slot->state == CACHE_READING)
			continue;
		if (slot->used) {
			slot->used = false;
			continue;
		}
		if (slot->state == CACHE_READY) {
			cache->slot_of[slot->chunk] = 0;
			cache->stats.evictions++;
		}
		slot->state = CACHE_EMPTY;
		return slot;
	}
	return NULL;
}

static void start_read(struct cache *cache, struct cache_slot *slot,
		       uint32_t chunk)
{
	uint32_t nr = slot - cache->slots;

	slot->state = CACHE_READING;
	slot->used = true;
	slot->chunk = chunk;
	cache->slot_of[chunk] = nr + 1;
	cache->nr_reading++;
	cache->stats.reads++;
	exo_io_prep_read(&cache->batch[cache->nr_batch++], cache->extent,
			 cache->docs->data_start +
			 (uint64_t)chunk * DOC_CHUNK_BLOCKS, DOC_CHUNK_BLOCKS,
			 &cache->frame, slot->offset / DOC_BLOCK_BYTES, nr);
}

/* A full batch goes at once; what the module's ring has no room for waits. */
static bool batch_has_room(struct cache *cache)
{
	if (cache->nr_batch == CACHE_MAX_BATCH)
		cache_submit(cache);
	return cache->nr_batch < CACHE_MAX_BATCH &&
	       cache->nr_reading < CQ_ENTRIES;
}

/**
 * cache_read - ask for a chunk that cache_find() did not find
 * @cache: the cache
 * @chunk: below the pack's number of chunks
 * @w: woken when the chunk is there or cannot be had; NULL: just read it ahead
 *
 * Several may wait for one read. It begins with cache_submit().
 *
 * Return: 0; with @w NULL also -EAGAIN, there is no room to read ahead.
 */
int cache_read(struct cache *cache, uint32_t chunk, struct cache_waiter *w)
{
	uint32_t nr = cache->slot_of[chunk];
	struct cache_slot *slot = nr ? &cache->slots[nr - 1] : NULL;

	if (!slot && batch_has_room(cache)) {
		slot = free_slot(cache);
		if (slot)
			start_read(cache, slot, chunk);
	}
	if (!w)
		return slot ? 0 : -EAGAIN;
	list_add(slot ? &slot->waiters : &cache->starved, w);
	return 0;
}

/* A read that is over, well or not. */
static void finish(struct cache *cache, struct cache_slot *slot, int rc)
{
	if (!rc && crc32c(0, slot->mem, DOC_CHUNK_BYTES) !=
	    le32toh(cache->docs->chunk_crcs[slot->chunk]))
		rc = -EILSEQ;
	cache->nr_reading--;
	cache->freed = true;
	slot->state = CACHE_READY;
	if (rc) {
		cache->failed = rc;
		cache->failed_chunk = slot->chunk;
		cache->stats.errors++;
		cache->slot_of[slot->chunk] = 0;
		slot->state = CACHE_EMPTY;
	}
	wake_all(&slot->waiters, rc);
}

/**
 * cache_submit - start the reads that were asked for
 * @cache: the cache
 *
 * Return: 0; -EAGAIN some could not be started yet: call again after
 * cache_reap().
 */
int cache_submit(struct cache *cache)
{
	uint32_t nr = cache->nr_batch;
	struct exo_io first;
	int rc;

	if (!nr)
		return 0;
	rc = exo_io_submit(&cache->cq, cache->batch, nr);
	if (rc == -EAGAIN || rc == -EINTR)
		return -EAGAIN;
	if (rc < 0) {
		/* The first was refused; the others have not been looked at. */
		first = cache->batch[0];
		memmove(cache->batch, cache->batch + 1, --nr * sizeof(first));
		cache->nr_batch = nr;
		finish(cache, &cache->slots[first.user_data], rc);
		return cache->nr_batch ? -EAGAIN : 0;
	}
	cache->nr_batch -= rc;
	memmove(cache->batch, cache->batch + rc,
		cache->nr_batch * sizeof(cache->batch[0]));
	return cache->nr_batch ? -EAGAIN : 0;
}

/**
 * cache_reap - take finished reads in, wake who can go on
 * @cache: the cache
 */
void cache_reap(struct cache *cache)
{
	const struct exo_cqe *cqe;
	struct cache_slot *slot;
	int rc;

	while (cache->nr_reading && (cqe = exo_cq_peek(&cache->cq))) {
		slot = &cache->slots[cqe->user_data];
		rc = cqe->res;
		exo_cq_release(&cache->cq, 1);
		if (rc >= 0)
			rc = rc == DOC_CHUNK_BYTES ? 0 : -EIO;
		finish(cache, slot, rc);
	}
	if (cache->freed) {
		cache->freed = false;
		wake_all(&cache->starved, 0);
	}
}
