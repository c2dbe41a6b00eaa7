// SPDX-License-Identifier: GPL-2.0
/*
 * Env: the handle table of one open file, and the mappings of its handles.
 *
 * A handle is born in two steps: reserved (lookups do not see it), published
 * once the caller has been told its number. Mappings are by page frame number
 * on an address_space of the env's own, so that dropping a handle takes its
 * pages out of every process at once and no one can pin them.
 */
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/mount.h>
#include <linux/nsproxy.h>
#include <linux/pid.h>
#include <linux/pseudo_fs.h>
#include <linux/sched/user.h>
#include <linux/slab.h>
#include <net/net_namespace.h>

#include "cap.h"
#include "check.h"
#include "compat/mm.h"
#include "env.h"
#include "pages.h"

/* Marks handles whose type has a ring that exo_env_ready() must look at. */
#define MARK_RING	XA_MARK_1

/* A fault maps this many pages: neighbours are wanted soon. */
#define FAULT_PAGES	16

#define EXO_FS_MAGIC	0x45584f21

static atomic_t nr_envs;
static atomic64_t last_id;
static DEFINE_SPINLOCK(envs_lock);
static LIST_HEAD(envs);
static struct vfsmount *exo_mnt;
static int exo_mnt_count;

static int exo_fs_init_context(struct fs_context *fc)
{
	return init_pseudo(fc, EXO_FS_MAGIC) ? 0 : -ENOMEM;
}

static struct file_system_type exo_fs_type = {
	.name			= "exo",
	.owner			= THIS_MODULE,
	.init_fs_context	= exo_fs_init_context,
	.kill_sb		= kill_anon_super,
};

/* An inode for its address_space alone; pins the pseudo file system. */
static struct inode *inode_new(void)
{
	struct inode *inode;
	int rc;

	rc = simple_pin_fs(&exo_fs_type, &exo_mnt, &exo_mnt_count);
	if (rc)
		return ERR_PTR(rc);
	inode = alloc_anon_inode(exo_mnt->mnt_sb);
	if (IS_ERR(inode))
		simple_release_fs(&exo_mnt, &exo_mnt_count);
	return inode;
}

static void inode_free(struct inode *inode)
{
	iput(inode);
	simple_release_fs(&exo_mnt, &exo_mnt_count);
}

/**
 * exo_env_count() - envs open
 *
 * Return: the count.
 */
u64 exo_env_count(void)
{
	return atomic_read(&nr_envs);
}

static void env_setup(struct exo_env *env, struct file *file)
{
	kref_init(&env->refs);
	xa_init_flags(&env->handles, XA_FLAGS_ALLOC1 | XA_FLAGS_ACCOUNT);
	init_rwsem(&env->map_lock);
	init_waitqueue_head(&env->wait);
	spin_lock_init(&env->refusals.lock);
	spin_lock_init(&env->frames_lock);
	INIT_LIST_HEAD(&env->frames);
	env->cred = get_cred(file->f_cred);
	env->user = get_uid(env->cred->user);
	env->net = get_net(current->nsproxy->net_ns);
	env->pid = get_pid(task_tgid(current));
	get_task_comm(env->comm, current->group_leader);
	file->f_mapping = env->inode->i_mapping;
}

static void enlist(struct exo_env *env)
{
	spin_lock(&envs_lock);
	list_add_tail(&env->list, &envs);
	spin_unlock(&envs_lock);
	atomic_inc(&nr_envs);
	exo_info_add(&exo_info_all->nr_envs, 1);
}

static struct exo_env *env_alloc(void)
{
	struct exo_env *env = kzalloc(sizeof(*env), EXO_GFP_USER);

	if (!env)
		return NULL;
	env->id = atomic64_inc_return(&last_id);
	if (exo_events_init(&env->events))
		goto err_env;
	if (exo_info_new(&env->info, env->id))
		goto err_events;
	env->inode = inode_new();
	if (!IS_ERR(env->inode))
		return env;
	exo_info_free(&env->info);
err_events:
	exo_events_exit(&env->events);
err_env:
	kfree(env);
	return NULL;
}

/**
 * exo_env_open() - make the env of a file being opened
 * @file: the file; its f_mapping becomes the env's own
 *
 * Context: sleeps. Return: the env, owned by the file, or ERR_PTR(-ENOMEM).
 */
struct exo_env *exo_env_open(struct file *file)
{
	struct exo_env *env = env_alloc();

	if (!env)
		return ERR_PTR(-ENOMEM);
	env_setup(env, file);
	enlist(env);
	return env;
}

/**
 * exo_env_next() - walk over all envs
 * @env: the one before, whose reference is used up, or NULL to begin
 *
 * Context: sleeps. Return: a reference that the caller puts or passes on, or
 * NULL at the end.
 */
struct exo_env *exo_env_next(struct exo_env *env)
{
	struct exo_env *next = NULL, *at;

	spin_lock(&envs_lock);
	at = list_prepare_entry(env, &envs, list);
	list_for_each_entry_continue(at, &envs, list) {
		if (kref_get_unless_zero(&at->refs)) {
			next = at;
			break;
		}
	}
	spin_unlock(&envs_lock);
	if (env)
		exo_env_put(env);
	return next;
}

static void release_env(struct kref *refs)
{
	struct exo_env *env = container_of(refs, struct exo_env, refs);

	spin_lock(&envs_lock);
	list_del(&env->list);
	spin_unlock(&envs_lock);
	put_pid(env->pid);
	free_uid(env->user);
	put_cred(env->cred);
	xa_destroy(&env->handles);
	inode_free(env->inode);
	exo_info_free(&env->info);
	exo_events_exit(&env->events);
	kfree(env);
}

/**
 * exo_env_put() - drop a reference on the env's memory
 * @env: the env
 *
 * Context: sleeps if it is the last one.
 */
void exo_env_put(struct exo_env *env)
{
	kref_put(&env->refs, release_env);
}

/**
 * exo_env_close() - the file is gone: drop every handle
 * @env: the env; nobody can issue commands or fault any more
 *
 * Context: sleeps. Does not wait for I/O: what a device still uses becomes an
 * orphan, freed by its completion.
 */
void exo_env_close(struct exo_env *env)
{
	struct exo_cap *cap;
	unsigned long handle;

	xa_for_each(&env->handles, handle, cap) {
		exo_env_drop(env, handle);
		cond_resched();
	}
	/* The memory may stay long, for who borrows of it; not the namespace. */
	put_net(env->net);
	env->net = NULL;
	atomic_dec(&nr_envs);
	exo_info_add(&exo_info_all->nr_envs, -1);
	exo_env_put(env);
}

/**
 * exo_env_refuse() - a capability was refused
 * @env: the env
 * @handle: its handle
 * @why: the reason, not EXO_REFUSED_NOT
 *
 * Context: any but interrupt. Return: the errno of the reason.
 */
int exo_env_refuse(struct exo_env *env, u32 handle,
		   const struct exo_refusal_reason *why)
{
	return exo_refuse(&env->refusals, handle, why);
}

/**
 * exo_env_refuse_range() - more was asked for than the capability covers
 * @env: the env
 * @handle: its handle
 * @type: EXO_TYPE_* of the object, which says what the units are
 * @want: end that was asked for, in units
 * @have: end that there is
 *
 * Context: any but interrupt. Return: -EINVAL.
 */
int exo_env_refuse_range(struct exo_env *env, u32 handle, u32 type, u64 want,
			 u64 have)
{
	struct exo_refusal_reason why = {
		.reason = EXO_REFUSED_RANGE, .want = want, .have = have,
		.type = type,
	};

	return exo_env_refuse(env, handle, &why);
}

/* May a capability of the table be used like this? */
static bool __judge(const struct exo_cap *cap, enum exo_object_type type,
		    u32 rights, struct exo_refusal_reason *why)
{
	if (!EXO_CHECK(env_handle, cap)) {
		why->reason = EXO_REFUSED_HANDLE;
		return false;
	}
	if (!EXO_CHECK(env_type, cap->type == type)) {
		why->reason = EXO_REFUSED_TYPE;
		why->want = object_ops[type]->uapi_type;
		why->have = object_ops[cap->type]->uapi_type;
		return false;
	}
	return exo_cap_alive(cap, why) && exo_cap_covers(cap, rights, why);
}

/**
 * exo_env_get() - look an object up, in order to use it
 * @env: the env
 * @handle: what the caller passed, unchecked
 * @type: the type it must have
 * @rights: EXO_RIGHT_* that the use needs
 * @scope: set to what the capability covers of the object
 *
 * Context: any but interrupt. Return: the object with a reference that the
 * caller puts, or ERR_PTR: -ENOENT no such handle, -EBADF another type, -ESTALE
 * the capability has ended, -EACCES a right is missing.
 */
struct exo_object *exo_env_get(struct exo_env *env, u32 handle,
			       enum exo_object_type type, u32 rights,
			       struct exo_scope *scope)
{
	struct exo_refusal_reason why = {};
	struct exo_object *obj = NULL;
	struct exo_cap *cap;

	xa_lock(&env->handles);
	cap = xa_load(&env->handles, handle);
	if (likely(__judge(cap, type, rights, &why))) {
		obj = cap->obj;
		*scope = cap->scope;
		exo_object_hold(obj);
	}
	xa_unlock(&env->handles);
	return obj ?: ERR_PTR(exo_env_refuse(env, handle, &why));
}

/**
 * exo_env_get_cap() - look a capability up, whatever its state
 * @env: the env
 * @handle: what the caller passed, unchecked
 *
 * Context: any but interrupt. Return: a reference that the caller puts, or
 * ERR_PTR(-ENOENT).
 */
struct exo_cap *exo_env_get_cap(struct exo_env *env, u32 handle)
{
	struct exo_refusal_reason why = { .reason = EXO_REFUSED_HANDLE };
	struct exo_cap *cap;

	xa_lock(&env->handles);
	cap = xa_load(&env->handles, handle);
	if (cap)
		exo_cap_hold(cap);
	xa_unlock(&env->handles);
	if (!cap)
		return ERR_PTR(exo_env_refuse(env, handle, &why));
	/* Who comes first ends it: what is lent from now on is not of it. */
	if (unlikely(READ_ONCE(cap->notice_ns)))
		exo_cap_end_notice(cap);
	return cap;
}

/**
 * exo_env_reserve() - choose a handle that lookups do not see yet
 * @env: the env
 * @handle: the choice
 *
 * Context: sleeps. Return: 0, -ENOMEM, or -EBUSY when 2^31 handles are in use.
 */
int exo_env_reserve(struct exo_env *env, u32 *handle)
{
	int rc = xa_alloc_cyclic(&env->handles, handle, NULL,
				 XA_LIMIT(1, INT_MAX), &env->next_handle,
				 EXO_GFP_USER);

	return rc < 0 ? rc : 0;
}

/**
 * exo_env_publish() - let a reserved handle stand for a capability
 * @env: the env
 * @handle: from exo_env_reserve()
 * @cap: the capability; the handle takes over the caller's reference
 *
 * Cannot fail: the slot is there since the reservation.
 */
void exo_env_publish(struct exo_env *env, u32 handle, struct exo_cap *cap)
{
	spin_lock(&cap->tree->lock);
	cap->env = env;
	cap->handle = handle;
	xa_lock(&env->handles);
	WARN_ON_ONCE(xa_is_err(__xa_store(&env->handles, handle, cap,
					  GFP_ATOMIC)));
	if (object_ops[cap->type]->ready)
		__xa_set_mark(&env->handles, handle, MARK_RING);
	xa_unlock(&env->handles);
	__exo_notice_held(cap);
	spin_unlock(&cap->tree->lock);
	atomic_inc(&env->nr_handles);
}

/**
 * exo_env_unreserve() - give up a reserved handle
 * @env: the env
 * @handle: from exo_env_reserve(), never published
 */
void exo_env_unreserve(struct exo_env *env, u32 handle)
{
	xa_erase(&env->handles, handle);
}

static struct exo_cap *take(struct exo_env *env, u32 handle)
{
	struct exo_cap *cap;

	down_write(&env->map_lock);
	xa_lock(&env->handles);
	/* A reserved entry loads as NULL and must stay: its owner is at work. */
	cap = xa_load(&env->handles, handle);
	if (cap)
		__xa_erase(&env->handles, handle);
	xa_unlock(&env->handles);
	up_write(&env->map_lock);
	return cap;
}

/**
 * exo_env_zap() - take the pages of a handle out of all page tables
 * @env: the env
 * @handle: gone, or to a capability that has ended: no fault inserts new ones
 *
 * Context: sleeps.
 */
void exo_env_zap(struct exo_env *env, u32 handle)
{
	unmap_mapping_range(env->inode->i_mapping, exo_env_mmap_offset(handle),
			    1ULL << EXO_MMAP_SHIFT, 1);
}

/**
 * exo_env_drop() - close a handle
 * @env: the env
 * @handle: what the caller passed, unchecked
 *
 * When this returns nothing is mapped by way of it; if it was the last
 * capability to the object, that is unbound.
 *
 * Context: sleeps. Return: 0 or -ENOENT.
 */
int exo_env_drop(struct exo_env *env, u32 handle)
{
	struct exo_refusal_reason why = { .reason = EXO_REFUSED_HANDLE };
	struct exo_cap *cap = take(env, handle);

	if (!cap)
		return exo_env_refuse(env, handle, &why);
	atomic_dec(&env->nr_handles);
	if (object_ops[cap->type]->pages)
		exo_env_zap(env, handle);
	/* Only now: until here a revocation would have zapped it too. */
	spin_lock(&cap->tree->lock);
	cap->env = NULL;
	spin_unlock(&cap->tree->lock);
	exo_cap_put(cap);
	return 0;
}

/**
 * exo_env_ready() - does any ring hold something for the library?
 * @env: the env
 *
 * Context: does not sleep, not for interrupts. Return: true if a receive or
 * completion ring has something unconsumed, or a flow is dead.
 */
bool exo_env_ready(struct exo_env *env)
{
	XA_STATE(xas, &env->handles, 0);
	struct exo_cap *cap;
	bool ready = false;

	xas_lock(&xas);
	xas_for_each_marked(&xas, cap, ULONG_MAX, MARK_RING) {
		ready = cap->obj && object_ops[cap->type]->ready(cap->obj);
		if (ready)
			break;
	}
	xas_unlock(&xas);
	return ready;
}

/**
 * struct view - pages behind a part of a mapping
 * @type: EXO_TYPE_* of what they are part of
 * @pages: the memory
 * @index: first page in it
 * @nr: pages from there on that the capability covers, at least 1
 */
struct view {
	u32 type;
	struct exo_pages *pages;
	u32 index;
	u32 nr;
};

static int __look(const struct exo_cap *cap, u64 page, u32 rights,
		  struct view *view, struct exo_refusal_reason *why)
{
	if (!EXO_CHECK(map_handle, cap) ||
	    !EXO_CHECK(map_type, object_ops[cap->type]->pages))
		return -ENOENT;
	if (!exo_cap_alive(cap, why))
		return -ESTALE;
	if (!exo_cap_covers(cap, rights, why))
		return -EACCES;
	if (!EXO_CHECK(map_range, page < cap->scope.nr)) {
		why->reason = EXO_REFUSED_RANGE;
		why->want = page + 1;
		why->have = cap->scope.nr;
		why->type = object_ops[cap->type]->uapi_type;
		return -EINVAL;
	}
	view->type = object_ops[cap->type]->uapi_type;
	view->pages = object_ops[cap->type]->pages(cap->obj);
	view->index = cap->scope.start + page;
	view->nr = cap->scope.nr - page;
	return 0;
}

static u32 handle_of(pgoff_t pgoff)
{
	return pgoff >> (EXO_MMAP_SHIFT - PAGE_SHIFT);
}

static u64 page_of(pgoff_t pgoff)
{
	return pgoff & (EXO_MAX_OBJECT_PAGES - 1);
}

/* By no command: the task's next one is not to be named for it. */
static int refuse_mapping(struct exo_env *env, u32 handle,
			  const struct exo_refusal_reason *why)
{
	int rc = exo_env_refuse(env, handle, why);

	exo_refusal_set_command(&env->refusals, 0);
	return rc;
}

/* What a file offset stands for; for as long as map_lock is held. */
static int look(struct exo_env *env, pgoff_t pgoff, u32 rights,
		struct view *view)
{
	struct exo_refusal_reason why = {};
	int rc;

	lockdep_assert_held(&env->map_lock);
	rc = __look(xa_load(&env->handles, handle_of(pgoff)), page_of(pgoff),
		    rights, view, &why);
	if (why.reason)
		refuse_mapping(env, handle_of(pgoff), &why);
	return rc;
}

static vm_fault_t insert_pages(struct vm_fault *vmf, const struct view *view)
{
	unsigned long addr = vmf->address;
	vm_fault_t rc = VM_FAULT_SIGBUS;
	u32 i, nr;

	nr = min_t(unsigned long, FAULT_PAGES,
		   (vmf->vma->vm_end - addr) >> PAGE_SHIFT);
	nr = min(nr, view->nr);
	for (i = 0; i < nr; i++, addr += PAGE_SIZE) {
		struct page *page = exo_pages_page(view->pages,
						   view->index + i);
		vm_fault_t one = vmf_insert_pfn(vmf->vma, addr,
						page_to_pfn(page));

		/* Only the page that was touched counts. */
		if (i == 0)
			rc = one;
		if (one & VM_FAULT_ERROR)
			break;
	}
	return rc;
}

/* Whether writing is allowed was settled by mmap, once for all. */
static vm_fault_t exo_vm_fault(struct vm_fault *vmf)
{
	struct exo_env *env = vmf->vma->vm_file->private_data;
	vm_fault_t rc = VM_FAULT_SIGBUS;
	struct view view;

	down_read(&env->map_lock);
	if (!look(env, vmf->pgoff, EXO_RIGHT_READ, &view))
		rc = insert_pages(vmf, &view);
	up_read(&env->map_lock);
	return rc;
}

/* For debuggers, which cannot pin these pages: one page at a time. */
static int exo_vm_access(struct vm_area_struct *vma, unsigned long addr,
			 void *buf, int len, int write)
{
	struct exo_env *env = vma->vm_file->private_data;
	pgoff_t pgoff = vma->vm_pgoff + ((addr - vma->vm_start) >> PAGE_SHIFT);
	u32 rights = write ? EXO_RIGHT_WRITE : EXO_RIGHT_READ;
	struct view view;
	int rc = -EIO;
	void *at;

	len = min_t(int, len, PAGE_SIZE - offset_in_page(addr));
	down_read(&env->map_lock);
	if (!look(env, pgoff, rights, &view)) {
		at = kmap_local_page(exo_pages_page(view.pages, view.index));
		if (write)
			memcpy(at + offset_in_page(addr), buf, len);
		else
			memcpy(buf, at + offset_in_page(addr), len);
		kunmap_local(at);
		rc = len;
	}
	up_read(&env->map_lock);
	return rc;
}

static const struct vm_operations_struct exo_vm_ops = {
	.fault	= exo_vm_fault,
	.access	= exo_vm_access,
};

static int check_mapping(struct exo_env *env, struct vm_area_struct *vma)
{
	struct exo_refusal_reason why = { .reason = EXO_REFUSED_RANGE };
	u32 rights = EXO_RIGHT_READ;
	struct view view;
	int rc;

	if (vma->vm_flags & VM_WRITE)
		rights |= EXO_RIGHT_WRITE;
	rc = look(env, vma->vm_pgoff, rights, &view);
	if (rc || EXO_CHECK(map_length, vma_pages(vma) <= view.nr))
		return rc;
	why.want = page_of(vma->vm_pgoff) + vma_pages(vma);
	why.have = page_of(vma->vm_pgoff) + view.nr;
	why.type = view.type;
	return refuse_mapping(env, handle_of(vma->vm_pgoff), &why);
}

/* Can a mapping that is not writable become so? */
static bool may_write(struct exo_env *env, pgoff_t pgoff)
{
	struct exo_cap *cap = xa_load(&env->handles, handle_of(pgoff));

	lockdep_assert_held(&env->map_lock);
	return EXO_CHECK(map_maywrite, cap && cap->scope.rights & EXO_RIGHT_WRITE);
}

/**
 * exo_env_mmap() - map pages of an object
 * @env: the env
 * @vma: offset says which handle and from which page of its range on; handle 0
 *       stands for the pages of exposed information
 *
 * Shared only: a private mapping of page frame numbers is a BUG in the
 * kernel's copy-on-write. Not executable, not inherited by fork, not dumped,
 * not growable.
 *
 * Context: mmap_lock held for writing. Return: 0; -EINVAL private, executable
 * or beyond the range; -ENOENT no such handle or one without pages; -ESTALE the
 * capability has ended; -EACCES it may not read, or not write.
 */
int exo_env_mmap(struct exo_env *env, struct vm_area_struct *vma)
{
	unsigned long clear = VM_MAYEXEC;
	int rc;

	if (!EXO_CHECK(map_shared, vma->vm_flags & VM_SHARED) ||
	    !EXO_CHECK(map_exec, !(vma->vm_flags & VM_EXEC)))
		return -EINVAL;
	if (!handle_of(vma->vm_pgoff))
		return exo_info_mmap(env, vma);
	down_read(&env->map_lock);
	rc = check_mapping(env, vma);
	if (!may_write(env, vma->vm_pgoff))
		clear |= VM_MAYWRITE;
	up_read(&env->map_lock);
	if (rc)
		return rc;
	exo_vm_flags_mod(vma, VM_PFNMAP | VM_IO | VM_DONTCOPY | VM_DONTEXPAND |
			 VM_DONTDUMP, clear);
	vma->vm_ops = &exo_vm_ops;
	return 0;
}
