/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * cache: chunks of the pack in frames, read from the disk when first needed
 *
 * A slot is room for one chunk. Disk reads land in it and TCP transmits, and
 * retransmits, out of it: the file cache is the retransmission pool (SOSP '97,
 * section 7.3). Whoever uses a slot's bytes holds a reference; a slot without
 * one may be given to another chunk, the least recently used roughly first
 * (CLOCK).
 *
 *	slot = cache_find(cache, chunk)		NULL: not in memory
 *	cache_read(cache, chunk, waiter)	the waiter is woken when it is
 *	cache_submit(cache)			start all reads asked for
 *	cache_reap(cache)			take what the disk has finished
 */
#ifndef CHEETAH_CACHE_H
#define CHEETAH_CACHE_H

#include <exo/exo.h>
#include <stdbool.h>
#include <stdint.h>

#include "doc.h"

/**
 * struct cache_waiter - somebody who cannot go on without a chunk
 * @next: in the list of the slot, or of those for whom there was no slot
 * @prev: likewise; NULL when not waiting
 * @wake: called once, no longer waiting then. @rc: 0 try again, -EIO the chunk
 *        cannot be read, -EILSEQ its checksum is wrong
 */
struct cache_waiter {
	struct cache_waiter *next;
	struct cache_waiter *prev;
	void (*wake)(struct cache_waiter *w, int rc);
};

enum cache_state {
	CACHE_EMPTY,
	CACHE_READING,
	CACHE_READY,
};

/**
 * struct cache_slot - room for a chunk
 * @state: enum cache_state
 * @used: looked at since the clock's hand passed
 * @refs: users of its bytes
 * @offset: where it is in the frame
 * @chunk: what it holds, unless empty
 * @mem: its bytes
 * @waiters: for the end of the read
 */
struct cache_slot {
	uint8_t state;
	bool used;
	uint32_t refs;
	uint32_t chunk;
	uint64_t offset;
	char *mem;
	struct cache_waiter waiters;
};

/**
 * struct cache_stats - counters
 * @hits: chunks found in memory
 * @reads: chunks read from the disk
 * @evictions: chunks that gave way to another
 * @errors: reads that failed or whose checksum was wrong
 */
struct cache_stats {
	uint64_t hits;
	uint64_t reads;
	uint64_t evictions;
	uint64_t errors;
};

#define CACHE_MAX_BATCH	64

/**
 * struct cache - the chunks in memory
 * @docs: the pack
 * @extent: where it is
 * @cq: completions of reads
 * @frame: all memory that is sent from, in one frame: the module then looks up
 *         one handle for all pieces of all packets of a doorbell
 * @extra: offset in @frame of DOC_CHUNK_BYTES that are not the cache's
 * @slots: in @frame, @nr_slots of them
 * @slot_of: slot + 1 of each chunk of the pack, 0: not in memory
 * @hand: next slot to look at for eviction
 * @batch: reads to be submitted, @nr_batch of them
 * @nr_reading: reads not finished, @batch included
 * @starved: those for whom there was no slot
 * @freed: a slot became free since @starved were looked at
 * @failed: the last read error to be reported, or 0, and its chunk
 */
struct cache {
	const struct doc_index *docs;
	const struct exo_extent *extent;
	struct exo_cq cq;
	struct exo_frame frame;
	uint64_t extra;
	struct cache_slot *slots;
	uint32_t *slot_of;
	uint32_t nr_slots;
	uint32_t hand;
	uint32_t nr_batch;
	uint32_t nr_reading;
	bool freed;
	int failed;
	uint32_t failed_chunk;
	struct cache_waiter starved;
	struct cache_stats stats;
	struct exo_io batch[CACHE_MAX_BATCH];
};

int cache_init(struct cache *cache, struct exo_env *env,
	       const struct exo_extent *extent, const struct doc_index *docs,
	       uint64_t bytes);
void cache_exit(struct cache *cache);
int cache_read(struct cache *cache, uint32_t chunk, struct cache_waiter *w);
int cache_submit(struct cache *cache);
void cache_reap(struct cache *cache);
void cache_forget(struct cache_waiter *w);

/**
 * cache_find - a chunk, if it is in memory
 * @cache: the cache
 * @chunk: below the pack's number of chunks
 *
 * Return: the slot, ready; take a reference with cache_get() before returning
 * to the loop. NULL: ask for it with cache_read().
 */
static inline struct cache_slot *cache_find(struct cache *cache, uint32_t chunk)
{
	uint32_t nr = cache->slot_of[chunk];
	struct cache_slot *slot;

	if (!nr)
		return NULL;
	slot = &cache->slots[nr - 1];
	if (slot->state != CACHE_READY)
		return NULL;
	slot->used = true;
	cache->stats.hits++;
	return slot;
}

static inline void cache_get(struct cache_slot *slot)
{
	slot->refs++;
}

static inline void cache_put(struct cache *cache, struct cache_slot *slot)
{
	if (!--slot->refs)
		cache->freed = true;
}

#endif
