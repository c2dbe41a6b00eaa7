/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Capability: what a handle or an exported fd stands for: an object, rights,
 * a range of its units, perhaps an expiry, and a place in a tree.
 *
 *	root			came with the object
 *	 +-- child		derived by its holder, same env or another
 *	 |    +-- child		imported from an fd of that one
 *	 +-- child
 *
 * References: the handle or handles' fd, and each child hold a capability; a
 * capability holds its object until it has ended. Ending marks one word, which
 * every use of the subtree looks at on its way up (at most EXO_CAP_MAX_DEPTH
 * steps); then each capability of it is buried: taken out of page tables, off
 * its object and its parent.
 *
 * The marking is done by whoever ends a capability, and waits for nobody. The
 * burying is done by a work item of the tree, one subtree after the other: it
 * may be long, and were it done by the caller, one that is kept from running
 * would hold up the owner's own revocation.
 *
 * Locks: the env's map_lock, then tree->lock, then the env's xa_lock. tree->lock
 * guards parents, children, lists and @env; @obj is changed by the work item
 * alone, under map_lock (if in an env), tree->lock and xa_lock, so any of them
 * is enough to read it.
 */
#ifndef EXO_KMOD_CAP_H
#define EXO_KMOD_CAP_H

#include <linux/list.h>
#include <linux/minmax.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>
#include <linux/timerqueue.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "object.h"
#include "refusal.h"

struct exo_env;
struct file;

#define EXO_ALL_RIGHTS	(EXO_RIGHT_READ | EXO_RIGHT_WRITE | EXO_RIGHT_SHARE)

/**
 * struct exo_scope - what a capability lets its holder do
 * @start: first unit of the object
 * @nr: how many units
 * @rights: EXO_RIGHT_*
 */
struct exo_scope {
	u64 start;
	u64 nr;
	u32 rights;
};

/**
 * struct exo_cap_tree - what all capabilities below one root share
 * @refs: one each, and one of the work item while it is queued or runs
 * @lock: see above
 * @nr: capabilities in the tree, but for the root
 * @nr_notices: given in the tree
 * @telling: whose notice is being told, or NULL; see notice.c
 * @told: the next that is told, or NULL
 * @condemned: whose subtrees are to be buried or told, first come first served
 * @burial: does that
 * @served: woken after each
 */
struct exo_cap_tree {
	refcount_t refs;
	spinlock_t lock;
	u32 nr;
	u64 nr_notices;
	const struct exo_cap *telling;
	struct exo_cap *told;
	struct list_head condemned;
	struct work_struct burial;
	wait_queue_head_t served;
};

/**
 * struct exo_cap - a capability; 256 bytes, so that a slab has no waste
 * @refs: handle or fd, children, lookups, the tree's list of condemned
 * @epoch: counts the revocations of what was made from it
 * @born: @epoch of the parent when this was made
 * @ended: EXO_REFUSED_* why it has ended, or 0
 * @ended_above: how many steps above stands the one that ended and took it along
 * @type: enum exo_object_type of the object, also when that is gone
 * @depth: steps below the root
 * @scope: what it lets its holder do
 * @expires_ns: CLOCK_BOOTTIME, 0 for never; not later than the parent's
 * @notice_ns: when what was made from it ends, CLOCK_BOOTTIME, 0 for no notice
 * @notice: the tree's @nr_notices when it gave notice
 * @notices_then: the tree's @nr_notices when this was made
 * @attached: in the parent's list of children
 * @untold: the holders of what was made from it shall hear of @notice_ns
 * @unheard: its own holder shall, as soon as it has one
 * @timed: has been in the queue of expiry.c
 * @nr_children: in @children
 * @obj: one reference, NULL once the capability has ended
 * @parent: one reference while @attached; followed under RCU
 * @children: made from it
 * @doomed: made from it, revoked, not buried yet
 * @sibling: in the parent's @children or @doomed, or in a list of those being
 *           buried
 * @exports: files that stand for it, see export.c
 * @env: whose handle table it is in, or NULL
 * @handle: there
 * @condemned: in the tree's list
 * @nr_asked: how often it was put there
 * @nr_served: how often that was done; then @nr_buried says of how many
 * @nr_buried: see @nr_served
 * @tree: one reference
 * @expiry: in the queue of expiry.c if it expires before its parent, or gave
 *          notice
 * @rcu: frees it
 */
struct exo_cap {
	refcount_t refs;
	u32 epoch;
	u32 born;
	u8 ended;
	u8 ended_above;
	u8 type;
	u8 depth;
	struct exo_scope scope;
	u64 expires_ns;
	u64 notice_ns;
	u64 notice;
	u64 notices_then;
	bool attached;
	bool untold;
	bool unheard;
	bool timed;
	u32 nr_children;
	struct exo_object *obj;
	struct exo_cap *parent;
	struct list_head children;
	struct list_head doomed;
	struct list_head sibling;
	struct list_head exports;
	struct exo_env *env;
	u32 handle;
	u32 nr_asked;
	u32 nr_served;
	u32 nr_buried;
	struct list_head condemned;
	struct exo_cap_tree *tree;
	struct timerqueue_node expiry;
	struct rcu_head rcu;
};

/**
 * struct exo_cap_want - what a child shall be
 * @scope: within the parent's, checked
 * @expires_ns: CLOCK_BOOTTIME, or 0
 * @epoch: the parent must be at this epoch still
 * @obj: another object than the parent's: the child takes over the caller's
 *       reference if it is made; NULL for the parent's
 */
struct exo_cap_want {
	struct exo_scope scope;
	u64 expires_ns;
	u32 epoch;
	struct exo_object *obj;
};

int exo_cap_init(void);
void exo_cap_exit(void);
struct exo_cap *exo_cap_new_root(struct exo_object *obj);
struct exo_cap *exo_cap_new_child(struct exo_cap *parent,
				  const struct exo_cap_want *want,
				  struct exo_refusal_reason *why);
void exo_cap_put(struct exo_cap *cap);
bool exo_cap_alive(const struct exo_cap *cap, struct exo_refusal_reason *why);
bool exo_cap_covers(const struct exo_cap *cap, u32 rights,
		    struct exo_refusal_reason *why);
int exo_cap_revoke(struct exo_cap *cap, bool self, u64 *nr);
u32 exo_cap_end(struct exo_cap *cap, u32 why);
void exo_cap_end_notice(struct exo_cap *cap);
u64 exo_cap_ends_ns(const struct exo_cap *cap);
u32 exo_cap_condemn(struct exo_cap *cap);
int exo_cap_await(struct exo_cap *cap, u32 ticket, u64 *nr);
unsigned long exo_cap_wait(struct exo_cap *cap, u32 ticket,
			   unsigned long timeout);

struct file *exo_export_file(struct exo_cap *cap);
struct exo_cap *exo_export_get(struct file *file, u32 *epoch);
void exo_export_drop_stale(struct exo_cap *cap);

int exo_cap_notice(struct exo_cap *cap, u64 notice_ns, u64 *nr);
u32 exo_notice_tell(struct exo_cap *cap);
void __exo_notice_gone(const struct exo_cap *cap);
void __exo_notice_made(struct exo_cap *cap);
void __exo_notice_held(struct exo_cap *cap);

void exo_expiry_exit(void);
void exo_expiry_add(struct exo_cap *cap);
void exo_expiry_cancel(struct exo_cap *cap);

/**
 * exo_cap_earlier() - the earlier of two times
 * @a_ns: 0 for never
 * @b_ns: 0 for never
 *
 * Return: ns, 0 for never.
 */
static inline u64 exo_cap_earlier(u64 a_ns, u64 b_ns)
{
	return a_ns && b_ns ? min(a_ns, b_ns) : a_ns ?: b_ns;
}

/**
 * exo_cap_hold() - take another reference on a capability already held
 * @cap: the capability
 *
 * Context: any.
 */
static inline void exo_cap_hold(struct exo_cap *cap)
{
	refcount_inc(&cap->refs);
}

#endif /* EXO_KMOD_CAP_H */
