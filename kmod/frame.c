// SPDX-License-Identifier: GPL-2.0
/* Frame: the command that allocates pages, and the object around them. */
#include <linux/err.h>
#include <linux/log2.h>
#include <linux/nodemask.h>
#include <linux/nospec.h>
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
	if (frame->lender)
		exo_object_put(&frame->lender->obj);
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

/**
 * exo_frame_new() - an object around pages
 * @pages: owned by the frame if this succeeds
 * @rights: EXO_RIGHT_*
 * @from: the frame that @pages were borrowed from, or NULL
 *
 * Context: sleeps. Return: the frame with one reference, or NULL.
 */
struct exo_frame *exo_frame_new(struct exo_pages *pages, u32 rights,
				struct exo_frame *from)
{
	struct exo_frame *frame = kzalloc(sizeof(*frame), EXO_GFP_USER);

	if (!frame)
		return NULL;
	frame->pages = pages;
	INIT_LIST_HEAD(&frame->list);
	if (from) {
		/* Who has borrowed the pages itself need not live on. */
		frame->lender = from->lender ?: from;
		exo_object_hold(&frame->lender->obj);
	}
	exo_object_setup(&frame->obj, EXO_OBJECT_FRAME, rights,
			 pages->nr_pages);
	return frame;
}

static bool node_valid(u32 node)
{
	if (!EXO_CHECK(frame_node_max, node < MAX_NUMNODES))
		return false;
	node = array_index_nospec(node, MAX_NUMNODES);
	return EXO_CHECK(frame_node_memory, node_state(node, N_MEMORY));
}

/* The first page of a run has 0 in the bits below its order. */
static bool colour_valid(const struct exo_frame_alloc *arg)
{
	u32 below_order = (1U << arg->order) - 1;

	return EXO_CHECK(frame_colour_mask,
			 arg->colour_mask < EXO_FRAME_MAX_COLOURS) &&
	       EXO_CHECK(frame_colour_value,
			 !(arg->colour_value & ~arg->colour_mask)) &&
	       EXO_CHECK(frame_colour_order,
			 !(arg->colour_value & below_order));
}

static bool pool_valid(const struct exo_frame_alloc *arg)
{
	return EXO_CHECK(frame_pool_alone, arg->flags == EXO_FRAME_POOL) &&
	       EXO_CHECK(frame_pool_order, !arg->order);
}

/* Each flag's members, or zero without the flag. */
static bool placement_valid(const struct exo_frame_alloc *arg)
{
	bool node_ok = arg->flags & EXO_FRAME_NODE ? node_valid(arg->node) :
		       EXO_CHECK(frame_node_clear, !arg->node);
	bool colour_ok = arg->flags & EXO_FRAME_COLOUR ? colour_valid(arg) :
			 EXO_CHECK(frame_colour_clear,
				   !(arg->colour_mask | arg->colour_value));
	bool pool_ok = arg->flags & EXO_FRAME_POOL ? pool_valid(arg) :
		       EXO_CHECK(frame_pool_clear, !(arg->pool | arg->array));

	return node_ok && colour_ok && pool_ok;
}

static bool size_valid(const struct exo_frame_alloc *arg)
{
	return EXO_CHECK(frame_pages_some, arg->nr_pages) &&
	       EXO_CHECK(frame_pages_max, arg->nr_pages <= EXO_MAX_PAGES) &&
	       EXO_CHECK(frame_order_max, arg->order <= EXO_MAX_ORDER) &&
	       EXO_CHECK(frame_aligned,
			 IS_ALIGNED(arg->nr_pages, 1U << arg->order));
}

static struct exo_pages *alloc_pages_of(struct exo_env *env,
					struct exo_frame_alloc *arg)
{
	struct exo_place place = {
		.flags = arg->flags,
		.node = arg->node,
		.colour_mask = arg->colour_mask,
		.colour_value = arg->colour_value,
	};
	struct exo_pages *pages;

	pages = exo_pages_alloc_at(env, arg->nr_pages, arg->order, &place);
	arg->out_nr_tried = place.nr_tried;
	return pages;
}

static int frame_alloc(struct exo_command *cmd)
{
	struct exo_frame *frame;
	struct exo_pages *pages;
	int rc;

	pages = alloc_pages_of(cmd->env, cmd->arg);
	if (IS_ERR(pages))
		return PTR_ERR(pages);
	frame = exo_frame_new(pages, EXO_ALL_RIGHTS, NULL);
	if (!frame) {
		exo_pages_free(pages);
		return -ENOMEM;
	}
	rc = exo_command_install(cmd, &frame->obj);
	if (rc)
		exo_object_put(&frame->obj);
	else
		frame_enlist(frame);
	return rc;
}

/**
 * exo_frame_alloc() - EXO_CMD_FRAME_ALLOC
 * @cmd: struct exo_frame_alloc
 *
 * Context: sleeps. Return: 0; -EINVAL count or order out of range, count not a
 * multiple of 2^order, a place that cannot be; else as exo_pages_alloc_at() or
 * exo_pool_alloc().
 */
int exo_frame_alloc(struct exo_command *cmd)
{
	struct exo_frame_alloc *arg = cmd->arg;
	int rc;

	arg->out_nr_tried = 0;
	if (!size_valid(arg) || !placement_valid(arg))
		return -EINVAL;
	if (arg->flags & EXO_FRAME_POOL)
		rc = exo_pool_alloc(cmd);
	else
		rc = frame_alloc(cmd);
	if (rc)
		return rc;
	arg->out_handle = cmd->handle;
	arg->out_reserved = 0;
	arg->out_mmap_offset = exo_env_mmap_offset(cmd->handle);
	return 0;
}
