/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Env: one open of /dev/exo, a protection domain with its handle table.
 *
 * Handles are never reused before the counter wraps at 2^31; the mmap offset
 * of an object is derived from its handle, so a stale mapping can never show
 * another object. The credentials and the network namespace are the opener's;
 * passing the fd on passes the env with them.
 *
 * Locks: map_lock orders faults against closing (a fault looks the handle up
 * and inserts under the read side; closing erases under the write side and
 * zaps afterwards). The xarray's own lock guards lookups. Neither is held
 * across user copies or bio submission.
 */
#ifndef EXO_KMOD_ENV_H
#define EXO_KMOD_ENV_H

#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/kref.h>
#include <linux/rwsem.h>
#include <linux/wait.h>
#include <linux/xarray.h>

#include "cap.h"
#include "event.h"
#include "info.h"
#include "object.h"
#include "refusal.h"

struct net;
struct pid;
struct user_struct;

/* An object's pages stand at file offset handle << EXO_MMAP_SHIFT. */
#define EXO_MMAP_SHIFT		32
#define EXO_MAX_OBJECT_PAGES	(1U << (EXO_MMAP_SHIFT - PAGE_SHIFT))

/**
 * struct exo_env - one open of /dev/exo
 * @refs: the file, every cq or flow that may still wake it, the pages it pays
 * @id: never used again
 * @list: of all envs
 * @pid: process that opened it
 * @comm: its name
 * @handles: handle -> struct exo_cap; NULL entries are reserved
 * @nr_handles: published in it
 * @next_handle: for xa_alloc_cyclic
 * @map_lock: see above
 * @inode: own address_space, so that one env's mappings can be zapped
 * @cred: of the opener
 * @user: accounting
 * @net: network namespace of the opener
 * @wait: woken when a ring of this env got something, or a flow died
 * @refusals: the last refusal
 * @events: what it is to be told
 * @info: what it can map and read
 * @frames_lock: guards @frames
 * @frames: it pays for them, oldest first; others may hold them now
 */
struct exo_env {
	struct kref refs;
	u64 id;
	struct list_head list;
	struct pid *pid;
	char comm[TASK_COMM_LEN];
	struct xarray handles;
	atomic_t nr_handles;
	u32 next_handle;
	struct rw_semaphore map_lock;
	struct inode *inode;
	const struct cred *cred;
	struct user_struct *user;
	struct net *net;
	wait_queue_head_t wait;
	struct exo_refusals refusals;
	struct exo_events events;
	struct exo_info info;
	spinlock_t frames_lock;
	struct list_head frames;
};

int exo_env_init(void);
void exo_env_exit(void);
u64 exo_env_count(void);

struct exo_env *exo_env_open(struct file *file);
void exo_env_close(struct exo_env *env);
void exo_env_put(struct exo_env *env);
struct exo_env *exo_env_next(struct exo_env *env);
bool exo_env_ready(struct exo_env *env);
int exo_env_mmap(struct exo_env *env, struct vm_area_struct *vma);

struct exo_object *exo_env_get(struct exo_env *env, u32 handle,
			       enum exo_object_type type, u32 rights,
			       struct exo_scope *scope);
struct exo_cap *exo_env_get_cap(struct exo_env *env, u32 handle);
int exo_env_refuse(struct exo_env *env, u32 handle,
		   const struct exo_refusal_reason *why);
int exo_env_refuse_range(struct exo_env *env, u32 handle, u32 type, u64 want,
			 u64 have);
void exo_env_zap(struct exo_env *env, u32 handle);
int exo_env_reserve(struct exo_env *env, u32 *handle);
void exo_env_publish(struct exo_env *env, u32 handle, struct exo_cap *cap);
void exo_env_unreserve(struct exo_env *env, u32 handle);
int exo_env_drop(struct exo_env *env, u32 handle);

/**
 * exo_env_hold() - keep the env's memory (not its handles) alive
 * @env: an env the caller knows to be alive
 */
static inline void exo_env_hold(struct exo_env *env)
{
	kref_get(&env->refs);
}

/**
 * exo_env_wake() - something became ready in a ring of this env
 * @env: the env
 *
 * The caller has stored the ring's index before. wq_has_sleeper()'s full
 * barrier pairs with the one in set_current_state() of the sleeper, which
 * looks at the ring after it queued itself.
 *
 * Context: any, interrupts included.
 */
static inline void exo_env_wake(struct exo_env *env)
{
	if (wq_has_sleeper(&env->wait))
		wake_up_interruptible_all(&env->wait);
}

static inline u64 exo_env_mmap_offset(u32 handle)
{
	return (u64)handle << EXO_MMAP_SHIFT;
}

#endif /* EXO_KMOD_ENV_H */
