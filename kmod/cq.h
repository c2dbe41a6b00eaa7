/* SPDX-License-Identifier: GPL-2.0 */
/*
 * CQ: a ring of completions in memory shared with the library.
 *
 * Room is reserved when an operation is submitted, so that its completion
 * always finds a place. The library's index is hostile: the module works with
 * the last value that was possible.
 */
#ifndef EXO_KMOD_CQ_H
#define EXO_KMOD_CQ_H

#include <linux/err.h>
#include <linux/spinlock.h>

#include <linux/exo.h>

#include "env.h"
#include "object.h"
#include "pages.h"

#define EXO_MAX_CQ_ENTRIES	65536

/**
 * struct exo_cq - a completion ring
 * @obj: head
 * @env: woken by completions; one reference
 * @pages: the memory that the library maps
 * @ring: the module's own mapping of it
 * @cqe: the entries in it
 * @nr_entries: power of two
 * @lock: guards the rest; taken in interrupts
 * @reserved: operations that got a place so far, free running
 * @prod: completions produced so far
 * @cons: completions consumed so far, the last possible value seen
 */
struct exo_cq {
	struct exo_object obj;
	struct exo_env *env;
	struct exo_pages *pages;
	struct exo_cq_ring *ring;
	struct exo_cqe *cqe;
	u32 nr_entries;
	spinlock_t lock;
	u32 reserved;
	u32 prod;
	u32 cons;
};

u32 exo_cq_reserve(struct exo_cq *cq, u32 nr);
void exo_cq_unreserve(struct exo_cq *cq, u32 nr);
void exo_cq_complete(struct exo_cq *cq, u64 user_data, s32 res);

/**
 * exo_cq_get() - look a completion ring up
 * @env: the env
 * @handle: its handle
 *
 * Context: any but interrupt. Return: the ring with a reference that the caller
 * puts (exo_object_put() or exo_object_put_atomic()), or ERR_PTR: as
 * exo_env_get().
 */
static inline struct exo_cq *exo_cq_get(struct exo_env *env, u32 handle)
{
	struct exo_scope scope;
	struct exo_object *obj = exo_env_get(env, handle, EXO_OBJECT_CQ,
					     EXO_RIGHT_WRITE, &scope);

	if (IS_ERR(obj))
		return ERR_CAST(obj);
	return container_of(obj, struct exo_cq, obj);
}

#endif /* EXO_KMOD_CQ_H */
