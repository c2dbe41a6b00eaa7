// SPDX-License-Identifier: GPL-2.0
/* Capability: making, judging and ending them; see cap.h. */
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "cap.h"
#include "check.h"
#include "env.h"

/* A root and its tree are one piece of memory; the tree's last user frees it. */
struct root {
	struct exo_cap cap;
	struct exo_cap_tree tree;
};

static struct workqueue_struct *burial_wq;

static void bury_condemned(struct work_struct *work);

/* Making --------------------------------------------------------------- */

static void cap_setup(struct exo_cap *cap, struct exo_cap_tree *tree,
		      struct exo_object *obj)
{
	refcount_set(&cap->refs, 1);
	INIT_LIST_HEAD(&cap->children);
	INIT_LIST_HEAD(&cap->doomed);
	INIT_LIST_HEAD(&cap->sibling);
	INIT_LIST_HEAD(&cap->exports);
	INIT_LIST_HEAD(&cap->condemned);
	timerqueue_init(&cap->expiry);
	cap->tree = tree;
	cap->obj = obj;
	cap->type = obj->type;
	atomic_inc(&obj->nr_caps);
}

/**
 * exo_cap_new_root() - the capability that comes with an object
 * @obj: a new object; on success the capability owns the caller's reference
 *
 * Context: sleeps. Return: the capability, or NULL for want of memory.
 */
struct exo_cap *exo_cap_new_root(struct exo_object *obj)
{
	struct root *root = kzalloc(sizeof(*root), EXO_GFP_USER);

	if (!root)
		return NULL;
	refcount_set(&root->tree.refs, 1);
	spin_lock_init(&root->tree.lock);
	INIT_LIST_HEAD(&root->tree.condemned);
	INIT_WORK(&root->tree.burial, bury_condemned);
	init_waitqueue_head(&root->tree.served);
	cap_setup(&root->cap, &root->tree, obj);
	root->cap.scope.rights = obj->rights;
	root->cap.scope.nr = obj->nr_units;
	obj->root = &root->cap;
	return &root->cap;
}

/* Has what was made from @parent at that epoch ended, be it by notice? */
static bool __revoked_below(const struct exo_cap *parent, u32 epoch)
{
	/* Pairs with __mark(): who sees it gone sees the new epoch. */
	u64 notice_ns = smp_load_acquire(&parent->notice_ns);

	if (READ_ONCE(parent->epoch) != epoch)
		return true;
	return unlikely(notice_ns) &&
	       !EXO_CHECK(cap_notice, ktime_get_boottime_ns() < notice_ns);
}

/* The parent may have ended, or what is made from it may have been revoked. */
static bool __may_attach(const struct exo_cap *parent,
			 const struct exo_cap_want *want,
			 struct exo_refusal_reason *why)
{
	lockdep_assert_held(&parent->tree->lock);
	if (!exo_cap_alive(parent, why))
		return false;
	if (!EXO_CHECK(cap_epoch, !__revoked_below(parent, want->epoch))) {
		why->reason = EXO_REFUSED_REVOKED;
		return false;
	}
	if (!EXO_CHECK(cap_depth, parent->depth < EXO_CAP_MAX_DEPTH)) {
		why->reason = EXO_REFUSED_DEPTH;
		why->want = parent->depth + 1;
		why->have = EXO_CAP_MAX_DEPTH;
		return false;
	}
	if (!EXO_CHECK(cap_tree_limit, parent->tree->nr < EXO_CAP_MAX_TREE)) {
		why->reason = EXO_REFUSED_TREE;
		why->want = parent->tree->nr + 1;
		why->have = EXO_CAP_MAX_TREE;
		return false;
	}
	return true;
}

static void __attach(struct exo_cap *cap, struct exo_cap *parent,
		     const struct exo_cap_want *want)
{
	struct exo_object *obj = want->obj ?: parent->obj;

	if (!want->obj)
		exo_object_hold(obj);
	cap_setup(cap, parent->tree, obj);
	refcount_inc(&parent->tree->refs);
	cap->scope = want->scope;
	cap->expires_ns = exo_cap_earlier(want->expires_ns, parent->expires_ns);
	cap->depth = parent->depth + 1;
	cap->born = parent->epoch;
	exo_cap_hold(parent);
	cap->parent = parent;
	cap->attached = true;
	__exo_notice_made(cap);
	list_add_tail(&cap->sibling, &parent->children);
	parent->nr_children++;
	parent->tree->nr++;
}

/**
 * exo_cap_new_child() - make a capability from another
 * @parent: a reference held by the caller
 * @want: narrower than @parent, which the caller has checked
 * @why: set if it is refused
 *
 * Context: sleeps. Return: the capability with one reference, NULL if refused
 * (@why says so) or for want of memory (@why is EXO_REFUSED_NOT).
 */
struct exo_cap *exo_cap_new_child(struct exo_cap *parent,
				  const struct exo_cap_want *want,
				  struct exo_refusal_reason *why)
{
	struct exo_cap *cap = kzalloc(sizeof(*cap), EXO_GFP_USER);
	bool ok;

	*why = (struct exo_refusal_reason){ .reason = EXO_REFUSED_NOT };
	if (!cap)
		return NULL;
	spin_lock(&parent->tree->lock);
	ok = __may_attach(parent, want, why);
	if (ok)
		__attach(cap, parent, want);
	spin_unlock(&parent->tree->lock);
	if (!ok) {
		kfree(cap);
		return NULL;
	}
	if (cap->expires_ns != parent->expires_ns)
		exo_expiry_add(cap);
	return cap;
}

/* Judging -------------------------------------------------------------- */

static bool __chain_alive(const struct exo_cap *cap,
			  struct exo_refusal_reason *why)
{
	const struct exo_cap *parent;

	for (why->level = 0;; why->level++, cap = parent) {
		why->reason = READ_ONCE(cap->ended);
		if (why->reason) {
			/* Pairs with smp_wmb() in next_doomed(). */
			smp_rmb();
			why->level += READ_ONCE(cap->ended_above);
			return false;
		}
		parent = READ_ONCE(cap->parent);
		if (!parent)
			return true;
		/* One that has ended itself says why, at the next turn. */
		if (!READ_ONCE(parent->ended) &&
		    __revoked_below(parent, cap->born)) {
			why->reason = EXO_REFUSED_REVOKED;
			return false;
		}
	}
}

/**
 * exo_cap_alive() - has neither it nor a capability above it ended?
 * @cap: the capability, a reference or the lock of a table that has one
 * @why: set if it has
 *
 * An answer is good for as long as the caller holds a lock that those who end
 * capabilities take after marking: see cap.h.
 *
 * Context: any. Return: true if it may be used.
 */
bool exo_cap_alive(const struct exo_cap *cap, struct exo_refusal_reason *why)
{
	bool alive;

	/* A parent that goes meanwhile stays readable. */
	rcu_read_lock();
	alive = EXO_CHECK(cap_alive, __chain_alive(cap, why));
	rcu_read_unlock();
	if (alive) {
		if (likely(!cap->expires_ns) ||
		    EXO_CHECK(cap_expiry,
			      ktime_get_boottime_ns() < cap->expires_ns))
			return true;
		why->reason = EXO_REFUSED_EXPIRED;
		why->level = 0;
	}
	if (why->reason == EXO_REFUSED_EXPIRED) {
		why->want = ktime_get_boottime_ns();
		why->have = cap->expires_ns;
	}
	return false;
}

/**
 * exo_cap_covers() - does it have these rights?
 * @cap: the capability
 * @rights: EXO_RIGHT_*
 * @why: set if it has not
 *
 * Context: any. Return: true if it has them all.
 */
bool exo_cap_covers(const struct exo_cap *cap, u32 rights,
		    struct exo_refusal_reason *why)
{
	if (EXO_CHECK(cap_rights, !(rights & ~cap->scope.rights)))
		return true;
	why->reason = EXO_REFUSED_RIGHTS;
	why->level = 0;
	why->want = rights;
	why->have = cap->scope.rights;
	return false;
}

/* Letting go ----------------------------------------------------------- */

static void tree_put(struct exo_cap_tree *tree)
{
	struct root *root = container_of(tree, struct root, tree);

	if (refcount_dec_and_test(&tree->refs))
		kfree_rcu(root, cap.rcu);
}

static void object_let_go(struct exo_object *obj)
{
	if (!obj)
		return;
	if (atomic_dec_and_test(&obj->nr_caps))
		exo_object_close(obj);
	exo_object_put(obj);
}

/* Return: the parent, whose reference is the caller's now, or NULL. */
static struct exo_cap *__detach(struct exo_cap *cap)
{
	lockdep_assert_held(&cap->tree->lock);
	if (!cap->attached)
		return NULL;
	cap->attached = false;
	__exo_notice_gone(cap);
	list_del_init(&cap->sibling);
	cap->parent->nr_children--;
	cap->tree->nr--;
	return cap->parent;
}

/* Return: the parent to be put, or NULL. */
static struct exo_cap *cap_release(struct exo_cap *cap)
{
	struct exo_cap_tree *tree = cap->tree;
	struct exo_cap *parent;
	bool is_root = !cap->depth;

	exo_expiry_cancel(cap);
	spin_lock(&tree->lock);
	parent = __detach(cap);
	spin_unlock(&tree->lock);
	object_let_go(cap->obj);
	if (!is_root)
		kfree_rcu(cap, rcu);
	tree_put(tree);
	return parent;
}

/**
 * exo_cap_put() - drop a reference
 * @cap: the capability, in no page table if this is the last reference
 *
 * Context: sleeps.
 */
void exo_cap_put(struct exo_cap *cap)
{
	while (cap && refcount_dec_and_test(&cap->refs))
		cap = cap_release(cap);
}

/* Ending --------------------------------------------------------------- */

static struct exo_env *hold_env(struct exo_cap *cap, u32 *handle)
{
	struct exo_env *env;

	spin_lock(&cap->tree->lock);
	env = cap->env;
	*handle = cap->handle;
	if (env)
		exo_env_hold(env);
	spin_unlock(&cap->tree->lock);
	return env;
}

/* Nobody else changes its object: a tree has one work item. */
static struct exo_object *take_object(struct exo_cap *cap, struct exo_env *env,
				      struct exo_cap **parent)
{
	struct exo_object *obj = cap->obj;

	spin_lock(&cap->tree->lock);
	if (env) {
		xa_lock(&env->handles);
		cap->obj = NULL;
		xa_unlock(&env->handles);
	} else {
		cap->obj = NULL;
	}
	*parent = __detach(cap);
	spin_unlock(&cap->tree->lock);
	return obj;
}

/* Who holds it learns of it; of its own frames it learns in another way. */
static void tell_holder(const struct exo_cap *cap, struct exo_env *env,
			u32 handle)
{
	if (cap->ended == EXO_REFUSED_EXPIRED)
		exo_event_post(env, EXO_EVENT_CAP_ENDED, EXO_SOURCE_EXPIRY,
			       handle, 0);
	else if (cap->depth)
		exo_event_post(env, EXO_EVENT_CAP_ENDED, EXO_SOURCE_PARENT,
			       handle, 0);
}

/*
 * A marked capability: out of page tables, off its object and its parent.
 * @tell: it was not the holder who ended it
 */
static void bury(struct exo_cap *cap, bool tell)
{
	struct exo_object *obj;
	struct exo_cap *parent;
	struct exo_env *env;
	u32 handle;

	env = hold_env(cap, &handle);
	if (env) {
		down_write(&env->map_lock);
		obj = take_object(cap, env, &parent);
		up_write(&env->map_lock);
		if (object_ops[cap->type]->pages)
			exo_env_zap(env, handle);
		if (tell)
			tell_holder(cap, env, handle);
		exo_env_put(env);
	} else {
		obj = take_object(cap, NULL, &parent);
	}
	exo_expiry_cancel(cap);
	exo_export_drop_stale(cap);
	object_let_go(obj);
	exo_cap_put(parent);
}

/*
 * Takes the first of a list of those to be ended, and puts what was made from
 * it at the list's end. Return: a reference, or NULL if the list is empty.
 */
static struct exo_cap *next_doomed(struct exo_cap_tree *tree,
				   struct list_head *doomed, u32 why)
{
	const struct exo_cap *parent;
	struct exo_cap *cap;

	spin_lock(&tree->lock);
	while ((cap = list_first_entry_or_null(doomed, struct exo_cap,
					       sibling))) {
		list_del_init(&cap->sibling);
		list_splice_tail_init(&cap->doomed, doomed);
		list_splice_tail_init(&cap->children, doomed);
		/* One whose last reference is gone buries itself. */
		if (refcount_inc_not_zero(&cap->refs))
			break;
	}
	if (cap && !cap->ended) {
		parent = cap->parent;
		if (parent->ended)
			WRITE_ONCE(cap->ended_above, parent->ended_above + 1);
		/* Pairs with smp_rmb() in __chain_alive(). */
		smp_wmb();
		WRITE_ONCE(cap->ended, why);
	}
	spin_unlock(&tree->lock);
	return cap;
}

static u32 bury_all(struct exo_cap_tree *tree, struct list_head *doomed,
		    u32 why)
{
	struct exo_cap *cap;
	u32 nr = 0;

	while ((cap = next_doomed(tree, doomed, why))) {
		bury(cap, true);
		exo_cap_put(cap);
		nr++;
		cond_resched();
	}
	return nr;
}

/* Return: how many ended by this. */
static u32 bury_subtree(struct exo_cap *cap)
{
	struct exo_cap_tree *tree = cap->tree;
	LIST_HEAD(doomed);
	u32 nr = 0;

	spin_lock(&tree->lock);
	list_splice_init(&cap->doomed, &doomed);
	spin_unlock(&tree->lock);

	/* Without an object it went with one above it. */
	if (cap->ended && cap->obj) {
		bury(cap, cap->ended != EXO_REFUSED_REVOKED);
		nr++;
	} else {
		exo_export_drop_stale(cap);
	}
	return nr + bury_all(tree, &doomed, cap->ended ?: EXO_REFUSED_REVOKED);
}

/* Return: a capability, whose reference is the caller's now, or NULL. */
static struct exo_cap *next_condemned(struct exo_cap_tree *tree, u32 *ticket)
{
	struct exo_cap *cap;

	spin_lock(&tree->lock);
	cap = list_first_entry_or_null(&tree->condemned, struct exo_cap,
				       condemned);
	if (cap) {
		list_del_init(&cap->condemned);
		*ticket = cap->nr_asked;
	}
	spin_unlock(&tree->lock);
	return cap;
}

/*
 * Who waits may close the last handle next, and then the object shall be gone:
 * so the list's reference goes first. The memory stays for a grace period.
 */
static void serve(struct exo_cap *cap, u32 ticket)
{
	rcu_read_lock();
	if (refcount_dec_not_one(&cap->refs)) {
		/* Pairs with smp_load_acquire() in served(). */
		smp_store_release(&cap->nr_served, ticket);
		cap = NULL;
	}
	rcu_read_unlock();
	exo_cap_put(cap);
}

static void bury_condemned(struct work_struct *work)
{
	struct exo_cap_tree *tree = container_of(work, struct exo_cap_tree,
						 burial);
	struct exo_cap *cap;
	u32 ticket, nr;

	while ((cap = next_condemned(tree, &ticket))) {
		nr = exo_notice_tell(cap);
		nr += bury_subtree(cap);
		WRITE_ONCE(cap->nr_buried, nr);
		serve(cap, ticket);
		wake_up_all(&tree->served);
	}
	tree_put(tree);
}

/* What was made from it, and itself if @why is not 0: no use can begin. */
static void __mark(struct exo_cap *cap, u32 why)
{
	lockdep_assert_held(&cap->tree->lock);
	if (why && !cap->ended)
		WRITE_ONCE(cap->ended, why);
	WRITE_ONCE(cap->epoch, cap->epoch + 1);
	cap->untold = false;
	/* Pairs with __revoked_below(). */
	smp_store_release(&cap->notice_ns, 0);
	list_splice_tail_init(&cap->children, &cap->doomed);
}

/* Return: the ticket to wait with. */
static u32 __condemn(struct exo_cap *cap)
{
	lockdep_assert_held(&cap->tree->lock);
	if (list_empty(&cap->condemned)) {
		exo_cap_hold(cap);
		cap->nr_asked++;
		list_add_tail(&cap->condemned, &cap->tree->condemned);
	}
	return cap->nr_asked;
}

static void start_burial(struct exo_cap_tree *tree)
{
	refcount_inc(&tree->refs);
	if (!queue_work(burial_wq, &tree->burial))
		tree_put(tree);
}

/**
 * exo_cap_condemn() - let the tree's work item bury and tell what is to be
 * @cap: a reference held by the caller
 *
 * Context: any but interrupt; does not sleep. Return: the ticket to wait with.
 */
u32 exo_cap_condemn(struct exo_cap *cap)
{
	u32 ticket;

	spin_lock(&cap->tree->lock);
	ticket = __condemn(cap);
	spin_unlock(&cap->tree->lock);
	start_burial(cap->tree);
	return ticket;
}

/**
 * exo_cap_end() - end what was made from a capability, and perhaps itself
 * @cap: a reference held by the caller
 * @why: EXO_REFUSED_REVOKED, _EXPIRED or _REPOSSESSED if it ends itself too, or
 *       0; who holds it is told of it, unless it was revoked
 *
 * When this returns no use can begin. What is mapped goes soon: exo_cap_wait().
 *
 * Context: any but interrupt; does not sleep. Return: the ticket to wait with.
 */
u32 exo_cap_end(struct exo_cap *cap, u32 why)
{
	u32 ticket;

	spin_lock(&cap->tree->lock);
	__mark(cap, why);
	ticket = __condemn(cap);
	spin_unlock(&cap->tree->lock);
	start_burial(cap->tree);
	return ticket;
}

/**
 * exo_cap_end_notice() - end what was made from a capability if its notice is
 * over
 * @cap: a reference held by the caller
 *
 * Judged with the lock held: who revoked meanwhile may have lent anew.
 *
 * Context: any but interrupt; does not sleep.
 */
void exo_cap_end_notice(struct exo_cap *cap)
{
	bool over;

	spin_lock(&cap->tree->lock);
	over = cap->notice_ns && cap->notice_ns <= ktime_get_boottime_ns();
	if (over) {
		__mark(cap, 0);
		__condemn(cap);
	}
	spin_unlock(&cap->tree->lock);
	if (over)
		start_burial(cap->tree);
}

static bool served(const struct exo_cap *cap, u32 ticket)
{
	/* Pairs with smp_store_release() in serve(). */
	return (s32)(smp_load_acquire(&cap->nr_served) - ticket) >= 0;
}

/**
 * exo_cap_wait() - wait until nothing of it is mapped
 * @cap: a reference held by the caller
 * @ticket: from exo_cap_end()
 * @timeout: jiffies at most
 *
 * Context: sleeps. Return: what is left of @timeout, at least 1, or 0 if it
 * is over first.
 */
unsigned long exo_cap_wait(struct exo_cap *cap, u32 ticket,
			   unsigned long timeout)
{
	return wait_event_timeout(cap->tree->served, served(cap, ticket),
				  timeout);
}

/**
 * exo_cap_await() - wait for the tree's work item
 * @cap: a reference held by the caller
 * @ticket: from exo_cap_end() or exo_cap_condemn()
 * @nr: how many it buried or told, those of a call for the same at the same
 *      time included
 *
 * Context: sleeps. Return: 0, -EINTR fatal signal: it goes on all the same.
 */
int exo_cap_await(struct exo_cap *cap, u32 ticket, u64 *nr)
{
	if (wait_event_killable(cap->tree->served, served(cap, ticket)))
		return -EINTR;
	*nr = READ_ONCE(cap->nr_buried);
	return 0;
}

/**
 * exo_cap_revoke() - end what was made from a capability
 * @cap: a reference held by the caller
 * @self: and the capability
 * @nr: how many ended, as with exo_cap_await()
 *
 * When this returns none of it is mapped and no use can begin.
 *
 * Context: sleeps. Return: 0, -EINTR fatal signal: it goes on all the same.
 */
int exo_cap_revoke(struct exo_cap *cap, bool self, u64 *nr)
{
	return exo_cap_await(cap,
			     exo_cap_end(cap, self ? EXO_REFUSED_REVOKED : 0),
			     nr);
}

/* Set-up --------------------------------------------------------------- */

/**
 * exo_cap_init() - be ready to end capabilities
 *
 * Return: 0 or -ENOMEM.
 */
int exo_cap_init(void)
{
	burial_wq = alloc_workqueue("exo_burial", WQ_UNBOUND | WQ_MEM_RECLAIM,
				    0);
	return burial_wq ? 0 : -ENOMEM;
}

/**
 * exo_cap_exit() - wait for what is being ended
 *
 * Context: sleeps; no env is left, and nobody ends capabilities any more.
 */
void exo_cap_exit(void)
{
	destroy_workqueue(burial_wq);
}
