// SPDX-License-Identifier: GPL-2.0
/*
 * Pool: a frame out of chosen pages of another frame.
 *
 * The new frame borrows its pages: it holds the frame that they were allocated
 * for until its own last reference is gone, work of devices included, and so
 * they are neither freed nor uncharged before. Its capability is a child of the
 * pool's, and ends with that.
 */
#include <linux/bitmap.h>
#include <linux/err.h>
#include <linux/nospec.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include <linux/exo.h>

#include "check.h"
#include "command.h"
#include "frame.h"

/**
 * struct pool - what pages are taken from
 * @cap: the capability, one reference
 * @epoch: of it, before it was judged
 * @frame: what it stands for, one reference
 * @scope: what it covers
 */
struct pool {
	struct exo_cap *cap;
	u32 epoch;
	struct exo_frame *frame;
	struct exo_scope scope;
};

static int pool_get(struct exo_env *env, u32 handle, struct pool *pool)
{
	pool->cap = exo_env_get_cap(env, handle);
	if (IS_ERR(pool->cap))
		return PTR_ERR(pool->cap);
	/* If it is the same when the child is made, all in between holds. */
	pool->epoch = READ_ONCE(pool->cap->epoch);
	pool->frame = exo_frame_get(env, handle, EXO_RIGHT_SHARE,
				    &pool->scope);
	if (IS_ERR(pool->frame)) {
		exo_cap_put(pool->cap);
		return PTR_ERR(pool->frame);
	}
	return 0;
}

static void pool_put(struct pool *pool)
{
	exo_object_put(&pool->frame->obj);
	exo_cap_put(pool->cap);
}

/**
 * struct choice - pages being chosen
 * @pool: from there
 * @used: a bit for each page of its scope
 * @pages: filled with them
 * @nr: so many so far
 */
struct choice {
	const struct pool *pool;
	unsigned long *used;
	struct exo_pages *pages;
	u32 nr;
};

static int choose(struct exo_command *cmd, struct choice *c, u64 index)
{
	const struct exo_frame_alloc *arg = cmd->arg;
	const struct exo_scope *scope = &c->pool->scope;

	if (!EXO_CHECK(pool_range, index < scope->nr))
		return exo_env_refuse_range(cmd->env, arg->pool, EXO_TYPE_FRAME,
					    min(index, U64_MAX - 1) + 1,
					    scope->nr);
	index = array_index_nospec(index, scope->nr);
	if (!EXO_CHECK(pool_once, !__test_and_set_bit(index, c->used)))
		return -EINVAL;
	c->pages->run[c->nr++] = exo_pages_page(c->pool->frame->pages,
						scope->start + index);
	return 0;
}

static int choose_all(struct exo_command *cmd, struct choice *c,
		      const u64 *index)
{
	const struct exo_frame_alloc *arg = cmd->arg;
	int rc;

	while (c->nr < arg->nr_pages) {
		rc = choose(cmd, c, index[c->nr]);
		if (rc)
			return rc;
		cond_resched();
	}
	return 0;
}

static struct exo_pages *borrow(struct exo_command *cmd,
				const struct pool *pool, const u64 *index)
{
	const struct exo_frame_alloc *arg = cmd->arg;
	struct choice c = { .pool = pool };
	int rc = -ENOMEM;

	c.used = kvcalloc(BITS_TO_LONGS(pool->scope.nr), sizeof(long),
			  EXO_GFP_USER);
	c.pages = exo_pages_alloc_borrowed(cmd->env, arg->nr_pages);
	if (c.used && c.pages)
		rc = choose_all(cmd, &c, index);
	kvfree(c.used);
	if (!rc)
		return c.pages;
	if (c.pages)
		exo_pages_free(c.pages);
	return ERR_PTR(rc);
}

/* A child of the pool's capability, to an object of its own. */
static int install(struct exo_command *cmd, const struct pool *pool,
		   struct exo_frame *frame)
{
	const struct exo_frame_alloc *arg = cmd->arg;
	struct exo_cap_want want = {
		.scope = {
			.nr = arg->nr_pages,
			.rights = pool->scope.rights,
		},
		.epoch = pool->epoch,
		.obj = &frame->obj,
	};
	struct exo_refusal_reason why;
	struct exo_cap *cap;
	int rc;

	cap = exo_cap_new_child(pool->cap, &want, &why);
	if (!cap) {
		exo_object_put(&frame->obj);
		return why.reason ? exo_env_refuse(cmd->env, arg->pool, &why) :
				    -ENOMEM;
	}
	rc = exo_command_install_cap(cmd, cap);
	if (rc)
		exo_cap_put(cap);
	return rc;
}

static int alloc_from(struct exo_command *cmd, const struct pool *pool,
		      const u64 *index)
{
	struct exo_pages *pages;
	struct exo_frame *frame;

	pages = borrow(cmd, pool, index);
	if (IS_ERR(pages))
		return PTR_ERR(pages);
	frame = exo_frame_new(pages, pool->scope.rights, pool->frame);
	if (!frame) {
		exo_pages_free(pages);
		return -ENOMEM;
	}
	return install(cmd, pool, frame);
}

/**
 * exo_pool_alloc() - EXO_CMD_FRAME_ALLOC with EXO_FRAME_POOL
 * @cmd: struct exo_frame_alloc, count and order checked
 *
 * Context: sleeps. Return: 0 with the capability installed; -ENOENT, -EBADF,
 * -ESTALE, -EACCES the pool's handle; -EINVAL a page outside its range, or one
 * twice; -EFAULT; -EMLINK; -EDQUOT; -ENOMEM.
 */
int exo_pool_alloc(struct exo_command *cmd)
{
	const struct exo_frame_alloc *arg = cmd->arg;
	struct pool pool;
	u64 *index;
	int rc;

	index = kvmalloc_array(arg->nr_pages, sizeof(*index), EXO_GFP_USER);
	if (!index)
		return -ENOMEM;
	/* Before anything is held: reading the caller's memory may last. */
	rc = -EFAULT;
	if (copy_from_user(index, u64_to_user_ptr(arg->array),
			   arg->nr_pages * sizeof(*index)))
		goto out;
	rc = pool_get(cmd->env, arg->pool, &pool);
	if (rc)
		goto out;
	rc = alloc_from(cmd, &pool, index);
	pool_put(&pool);
out:
	kvfree(index);
	return rc;
}
