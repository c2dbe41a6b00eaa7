// SPDX-License-Identifier: GPL-2.0
/*
 * CQ: see cq.h. The indices run freely:
 *
 *	cons <= prod <= reserved <= cons + nr_entries
 *
 *	module (interrupt)			library
 *	write entry				load prod	(A) acquire
 *	store prod		(A) release	read entry
 *						store cons	(B) release
 *	load cons		(B) acquire
 *	reserve: the entry may be overwritten
 */
#include <linux/build_bug.h>
#include <linux/log2.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "check.h"
#include "command.h"
#include "cq.h"

static_assert(sizeof(struct exo_cqe) == 16);
static_assert(sizeof(struct exo_cq_ring) <= EXO_CQ_ENTRIES_OFFSET);

/* Takes note of what the library consumed; an impossible value is ignored. */
static void __refresh_cons(struct exo_cq *cq)
{
	u32 cons;

	lockdep_assert_held(&cq->lock);
	cons = smp_load_acquire(&cq->ring->cons);	/* (B) */
	if (EXO_CHECK(cq_cons, cons - cq->cons <= cq->prod - cq->cons))
		cq->cons = cons;
}

/**
 * exo_cq_reserve() - take room for completions
 * @cq: the ring
 * @nr: how many
 *
 * Context: any but interrupt. Return: how many there is room for, 0 to @nr.
 */
u32 exo_cq_reserve(struct exo_cq *cq, u32 nr)
{
	unsigned long flags;
	u32 room;

	spin_lock_irqsave(&cq->lock, flags);
	__refresh_cons(cq);
	room = cq->nr_entries - (cq->reserved - cq->cons);
	if (!EXO_CHECK(cq_room, nr <= room))
		nr = room;
	cq->reserved += nr;
	spin_unlock_irqrestore(&cq->lock, flags);
	return nr;
}

/**
 * exo_cq_unreserve() - give room back that is not needed
 * @cq: the ring
 * @nr: how many of those reserved
 *
 * Context: any but interrupt.
 */
void exo_cq_unreserve(struct exo_cq *cq, u32 nr)
{
	unsigned long flags;

	spin_lock_irqsave(&cq->lock, flags);
	cq->reserved -= nr;
	spin_unlock_irqrestore(&cq->lock, flags);
}

/**
 * exo_cq_complete() - produce a completion, for which room was reserved
 * @cq: the ring
 * @user_data: from the operation
 * @res: bytes moved, or a negative errno
 *
 * Context: any, interrupts included.
 */
void exo_cq_complete(struct exo_cq *cq, u64 user_data, s32 res)
{
	unsigned long flags;
	struct exo_cqe *cqe;

	spin_lock_irqsave(&cq->lock, flags);
	cqe = &cq->cqe[cq->prod & (cq->nr_entries - 1)];
	WRITE_ONCE(cqe->user_data, user_data);
	WRITE_ONCE(cqe->res, res);
	WRITE_ONCE(cqe->flags, 0);
	cq->prod++;
	smp_store_release(&cq->ring->prod, cq->prod);	/* (A) */
	spin_unlock_irqrestore(&cq->lock, flags);
	exo_env_wake(cq->env);
}

static struct exo_pages *cq_pages(struct exo_object *obj)
{
	return container_of(obj, struct exo_cq, obj)->pages;
}

static bool cq_ready(struct exo_object *obj)
{
	struct exo_cq *cq = container_of(obj, struct exo_cq, obj);
	unsigned long flags;
	bool ready;

	spin_lock_irqsave(&cq->lock, flags);
	__refresh_cons(cq);
	ready = cq->prod != cq->cons;
	spin_unlock_irqrestore(&cq->lock, flags);
	return ready;
}

static void cq_destroy(struct exo_object *obj)
{
	struct exo_cq *cq = container_of(obj, struct exo_cq, obj);

	vunmap(cq->ring);
	exo_pages_free(cq->pages);
	exo_env_put(cq->env);
	kfree(cq);
}

const struct exo_object_ops exo_cq_ops = {
	.name		= "cq",
	.uapi_type	= EXO_TYPE_CQ,
	.pages		= cq_pages,
	.ready		= cq_ready,
	.destroy	= cq_destroy,
};

static int cq_map(struct exo_cq *cq, struct exo_env *env)
{
	size_t bytes = EXO_CQ_ENTRIES_OFFSET +
		       cq->nr_entries * sizeof(struct exo_cqe);

	cq->pages = exo_pages_alloc(env, DIV_ROUND_UP(bytes, PAGE_SIZE), 0);
	if (IS_ERR(cq->pages))
		return PTR_ERR(cq->pages);
	cq->ring = exo_pages_vmap(cq->pages);
	if (!cq->ring) {
		exo_pages_free(cq->pages);
		return -ENOMEM;
	}
	cq->cqe = (void *)cq->ring + EXO_CQ_ENTRIES_OFFSET;
	return 0;
}

static struct exo_cq *cq_new(struct exo_env *env, u32 nr_entries)
{
	struct exo_cq *cq = kzalloc(sizeof(*cq), EXO_GFP_USER);
	int rc;

	if (!cq)
		return ERR_PTR(-ENOMEM);
	spin_lock_init(&cq->lock);
	cq->nr_entries = nr_entries;
	rc = cq_map(cq, env);
	if (rc) {
		kfree(cq);
		return ERR_PTR(rc);
	}
	exo_env_hold(env);
	cq->env = env;
	exo_object_setup(&cq->obj, EXO_OBJECT_CQ,
			 EXO_RIGHT_READ | EXO_RIGHT_WRITE, cq->pages->nr_pages);
	return cq;
}

/**
 * exo_cq_create() - EXO_CMD_CQ_CREATE
 * @cmd: struct exo_cq_create
 *
 * Context: sleeps. Return: 0; -EINVAL not a power of two, or too large; else as
 * exo_pages_alloc().
 */
int exo_cq_create(struct exo_command *cmd)
{
	struct exo_cq_create *arg = cmd->arg;
	struct exo_cq *cq;
	int rc;

	if (!EXO_CHECK(cq_entries_power, is_power_of_2(arg->nr_entries)) ||
	    !EXO_CHECK(cq_entries_max, arg->nr_entries <= EXO_MAX_CQ_ENTRIES))
		return -EINVAL;
	cq = cq_new(cmd->env, arg->nr_entries);
	if (IS_ERR(cq))
		return PTR_ERR(cq);
	rc = exo_command_install(cmd, &cq->obj);
	if (rc) {
		exo_object_put(&cq->obj);
		return rc;
	}
	arg->out_handle = cmd->handle;
	arg->out_mmap_offset = exo_env_mmap_offset(cmd->handle);
	arg->out_mmap_bytes = (u64)cq->pages->nr_pages << PAGE_SHIFT;
	return 0;
}
