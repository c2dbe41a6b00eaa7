// SPDX-License-Identifier: GPL-2.0
/* Frame: the command that allocates pages, and the object around them. */
#include <linux/err.h>
#include <linux/log2.h>
#include <linux/slab.h>

#include <linux/exo.h>

#include "check.h"
#include "command.h"
#include "frame.h"

static struct exo_pages *frame_pages(struct exo_object *obj)
{
	return container_of(obj, struct exo_frame, obj)->pages;
}

/* No capability is left: there is nothing to take. */
static void frame_close(struct exo_object *obj)
{
	struct exo_frame *frame = container_of(obj, struct exo_frame, obj);
	struct exo_env *env = frame->pages->env;

	spin_lock(&env->frames_lock);
	list_del_init(&frame->list);
	spin_unlock(&env->frames_lock);
}

static void frame_enlist(struct exo_frame *frame)
{
	struct exo_env *env = frame->pages->env;

	spin_lock(&env->frames_lock);
	list_add_tail(&frame->list, &env->frames);
	spin_unlock(&env->frames_lock);
}

static struct exo_cap *hold_root(const struct exo_frame *frame)
{
	struct exo_cap *root = frame->obj.root;

	if (READ_ONCE(root->ended) || !refcount_inc_not_zero(&root->refs))
		return NULL;
	return root;
}

/**
 * exo_frame_victim() - a frame to be taken from an env
 * @env: the env that pays for it
 * @most: pages that it may have at most
 *
 * Context: any but interrupt. Return: its root capability, a reference, or
 * NULL.
 */
struct exo_cap *exo_frame_victim(struct exo_env *env, u64 most)
{
	struct exo_cap *root = NULL;
	struct exo_frame *frame;

	spin_lock(&env->frames_lock);
	list_for_each_entry(frame, &env->frames, list) {
		if (EXO_CHECK(victim_minimum, frame->obj.nr_units <= most))
			root = hold_root(frame);
		if (root)
			break;
	}
	spin_unlock(&env->frames_lock);
	return root;
}

static void frame_destroy(struct exo_object *obj)
{
	struct exo_frame *frame = container_of(obj, struct exo_frame, obj);

	exo_pages_free(frame->pages);
	kfree(frame);
}

const struct exo_object_ops exo_frame_ops = {
	.name		= "frame",
	.uapi_type	= EXO_TYPE_FRAME,
	.divisible	= true,
	.pages		= frame_pages,
	.close		= frame_close,
	.destroy	= frame_destroy,
};

static struct exo_frame *frame_new(struct exo_env *env, u32 nr_pages,
				   u32 order)
{
	struct exo_frame *frame;
	struct exo_pages *pages;

	frame = kzalloc(sizeof(*frame), EXO_GFP_USER);
	if (!frame)
		return ERR_PTR(-ENOMEM);
	pages = exo_pages_alloc(env, nr_pages, order);
	if (IS_ERR(pages)) {
		kfree(frame);
		return ERR_CAST(pages);
	}
	frame->pages = pages;
	INIT_LIST_HEAD(&frame->list);
	exo_object_setup(&frame->obj, EXO_OBJECT_FRAME, EXO_ALL_RIGHTS,
			 nr_pages);
	return frame;
}

/**
 * exo_frame_alloc() - EXO_CMD_FRAME_ALLOC
 * @cmd: struct exo_frame_alloc
 *
 * Context: sleeps. Return: 0; -EINVAL count or order out of range, count not a
 * multiple of 2^order; else as exo_pages_alloc().
 */
int exo_frame_alloc(struct exo_command *cmd)
{
	struct exo_frame_alloc *arg = cmd->arg;
	struct exo_frame *frame;
	int rc;

	if (!EXO_CHECK(frame_pages_some, arg->nr_pages) ||
	    !EXO_CHECK(frame_pages_max, arg->nr_pages <= EXO_MAX_PAGES) ||
	    !EXO_CHECK(frame_order_max, arg->order <= EXO_MAX_ORDER) ||
	    !EXO_CHECK(frame_aligned,
		       IS_ALIGNED(arg->nr_pages, 1U << arg->order)) ||
	    !EXO_CHECK(frame_placement_clear,
		       !(arg->node | arg->colour_mask | arg->colour_value |
			 arg->pool | arg->array)))
		return -EINVAL;
	frame = frame_new(cmd->env, arg->nr_pages, arg->order);
	if (IS_ERR(frame))
		return PTR_ERR(frame);
	rc = exo_command_install(cmd, &frame->obj);
	if (rc) {
		exo_object_put(&frame->obj);
		return rc;
	}
	frame_enlist(frame);
	arg->out_handle = cmd->handle;
	arg->out_reserved = 0;
	arg->out_mmap_offset = exo_env_mmap_offset(cmd->handle);
	return 0;
}
