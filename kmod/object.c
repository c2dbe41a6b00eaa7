// SPDX-License-Identifier: GPL-2.0
/*
 * Object: reference counting and the table of what can be held.
 *
 * The last reference often goes in interrupt context (a bio or a packet is
 * done), while freeing may sleep; such a put hands the object to the module's
 * workqueue, which module exit drains.
 */
#include <linux/atomic.h>
#include <linux/sched.h>
#include <linux/wait_bit.h>

#include "info.h"
#include "object.h"

const struct exo_object_ops *const object_ops[EXO_OBJECT_NR] = {
	[EXO_OBJECT_FRAME]	= &exo_frame_ops,
	[EXO_OBJECT_EXTENT]	= &exo_extent_ops,
	[EXO_OBJECT_CQ]		= &exo_cq_ops,
	[EXO_OBJECT_FLOW]	= &exo_flow_ops,
};

static struct workqueue_struct *release_wq;
static atomic_t nr_objects;

/**
 * exo_object_init() - prepare for objects
 *
 * Return: 0 or -ENOMEM.
 */
int exo_object_init(void)
{
	release_wq = alloc_workqueue("exo", WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	return release_wq ? 0 : -ENOMEM;
}

/**
 * exo_object_exit() - wait until no object is left
 *
 * Context: sleeps; no new object can appear.
 */
void exo_object_exit(void)
{
	wait_var_event(&nr_objects, !atomic_read(&nr_objects));
	destroy_workqueue(release_wq);
}

/**
 * exo_object_count() - objects alive, orphans included
 *
 * Return: the count, exact at some moment during the call.
 */
u64 exo_object_count(void)
{
	return atomic_read(&nr_objects);
}

static void destroy(struct exo_object *obj)
{
	object_ops[obj->type]->destroy(obj);
	exo_info_add(&exo_info_all->nr_objects, -1);
	if (atomic_dec_and_test(&nr_objects))
		wake_up_var(&nr_objects);
}

static void release_work(struct work_struct *work)
{
	destroy(container_of(work, struct exo_object, release_work));
}

static void release(struct kref *refs)
{
	destroy(container_of(refs, struct exo_object, refs));
}

static void release_atomic(struct kref *refs)
{
	struct exo_object *obj = container_of(refs, struct exo_object, refs);

	INIT_WORK(&obj->release_work, release_work);
	queue_work(release_wq, &obj->release_work);
}

/**
 * exo_object_setup() - initialise the head of a new object
 * @obj: the head, in zeroed memory
 * @type: its type
 * @rights: EXO_RIGHT_* that come with it
 * @nr_units: its length, in blocks or pages
 *
 * The caller owns the one reference; from here on the object must be ended by
 * exo_object_put(), which calls the type's destroy.
 */
void exo_object_setup(struct exo_object *obj, enum exo_object_type type,
		      u32 rights, u64 nr_units)
{
	kref_init(&obj->refs);
	obj->type = type;
	obj->rights = rights;
	obj->nr_units = nr_units;
	atomic_inc(&nr_objects);
	exo_info_add(&exo_info_all->nr_objects, 1);
}

/**
 * exo_object_close() - unbind an object that no capability is left to
 * @obj: the object; the caller still holds a reference
 *
 * Context: sleeps. Called exactly once in the life of an object that had one.
 */
void exo_object_close(struct exo_object *obj)
{
	if (object_ops[obj->type]->close)
		object_ops[obj->type]->close(obj);
}

/**
 * exo_object_put() - drop a reference
 * @obj: the object
 *
 * Context: sleeps if it is the last one.
 */
void exo_object_put(struct exo_object *obj)
{
	kref_put(&obj->refs, release);
}

/**
 * exo_object_put_atomic() - drop a reference where sleeping is not allowed
 * @obj: the object
 *
 * Context: any, interrupts included.
 */
void exo_object_put_atomic(struct exo_object *obj)
{
	kref_put(&obj->refs, release_atomic);
}
