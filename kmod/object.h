/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Objects: what a handle stands for.
 *
 * Each resource (frame, extent, cq, flow) is a struct that embeds an
 * exo_object and one row in object_ops[]. Each capability to it (cap.h) holds
 * one reference; work in flight (a bio, a packet) holds others, so that memory
 * outlives the last capability exactly as long as a device may still touch it.
 */
#ifndef EXO_KMOD_OBJECT_H
#define EXO_KMOD_OBJECT_H

#include <linux/atomic.h>
#include <linux/gfp.h>
#include <linux/kref.h>
#include <linux/workqueue.h>

struct exo_cap;
struct exo_env;
struct exo_pages;

/*
 * For what a library asks for: charged to its memcg, and at the limit the
 * command fails rather than that the OOM killer is called.
 */
#define EXO_GFP_USER	(GFP_KERNEL_ACCOUNT | __GFP_RETRY_MAYFAIL | __GFP_NOWARN)

enum exo_object_type {
	EXO_OBJECT_FRAME,
	EXO_OBJECT_EXTENT,
	EXO_OBJECT_CQ,
	EXO_OBJECT_FLOW,
	EXO_OBJECT_NR,
};

/**
 * struct exo_object - head of every resource
 * @refs: capabilities + work in flight + lookups
 * @type: row in object_ops[]
 * @rights: EXO_RIGHT_* of its root capability
 * @nr_units: its length: blocks of an extent, else pages
 * @nr_caps: capabilities that have not ended; closed with the last one
 * @root: the one that came with it, there as long as @nr_caps is not 0; no
 *        reference
 * @release_work: carries the last put out of atomic context
 */
struct exo_object {
	struct kref refs;
	enum exo_object_type type;
	u32 rights;
	u64 nr_units;
	atomic_t nr_caps;
	struct exo_cap *root;
	struct work_struct release_work;
};

/**
 * struct exo_object_ops - what a type does at the turns of its life
 * @name: for messages
 * @uapi_type: EXO_TYPE_*
 * @divisible: capabilities can be derived and exported
 * @pages: memory that may be mapped, or NULL
 * @ready: true while the library has something to consume; called under the
 *         env's xa_lock, must not sleep; NULL if the type has no ring
 * @close: the last capability is gone: unbind from the world so that nothing new
 *         begins. Sleeps; never fails. NULL if there is nothing to unbind
 * @destroy: last reference gone: free. Sleeps; never fails
 */
struct exo_object_ops {
	const char *name;
	u32 uapi_type;
	bool divisible;
	struct exo_pages *(*pages)(struct exo_object *obj);
	bool (*ready)(struct exo_object *obj);
	void (*close)(struct exo_object *obj);
	void (*destroy)(struct exo_object *obj);
};

extern const struct exo_object_ops *const object_ops[EXO_OBJECT_NR];
extern const struct exo_object_ops exo_frame_ops;
extern const struct exo_object_ops exo_extent_ops;
extern const struct exo_object_ops exo_cq_ops;
extern const struct exo_object_ops exo_flow_ops;

int exo_object_init(void);
void exo_object_exit(void);
u64 exo_object_count(void);

void exo_object_setup(struct exo_object *obj, enum exo_object_type type,
		      u32 rights, u64 nr_units);
void exo_object_close(struct exo_object *obj);
void exo_object_put(struct exo_object *obj);
void exo_object_put_atomic(struct exo_object *obj);

/**
 * exo_object_hold() - take another reference on an object already held
 * @obj: the object
 *
 * Context: any.
 */
static inline void exo_object_hold(struct exo_object *obj)
{
	kref_get(&obj->refs);
}

#endif /* EXO_KMOD_OBJECT_H */
