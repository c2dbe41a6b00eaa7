// SPDX-License-Identifier: GPL-2.0
/*
 * Env: the handle table of one open file, and the mappings of its objects.
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
#include <linux/pseudo_fs.h>
#include <linux/sched/user.h>
#include <linux/slab.h>
#include <net/net_namespace.h>

#include "compat/mm.h"
#include "env.h"
#include "pages.h"

/* Marks handles whose type has a ring that exo_env_ready() must look at. */
#define MARK_RING	XA_MARK_1

/* A fault maps this many pages: neighbours are wanted soon. */
#define FAULT_PAGES	16

#define EXO_FS_MAGIC	0x45584f21

static atomic_t nr_envs;
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

/**
 * exo_env_open() - make the env of a file being opened
 * @file: the file; its f_mapping becomes the env's own
 *
 * Context: sleeps. Return: the env, owned by the file, or ERR_PTR(-ENOMEM).
 */
struct exo_env *exo_env_open(struct file *file)
{
	struct exo_env *env;
	struct inode *inode;

	env = kzalloc(sizeof(*env), EXO_GFP_USER);
	if (!env)
		return ERR_PTR(-ENOMEM);
	inode = inode_new();
	if (IS_ERR(inode)) {
		kfree(env);
		return ERR_CAST(inode);
	}
	kref_init(&env->refs);
	xa_init_flags(&env->handles, XA_FLAGS_ALLOC1 | XA_FLAGS_ACCOUNT);
	init_rwsem(&env->map_lock);
	init_waitqueue_head(&env->wait);
	env->inode = inode;
	env->cred = get_cred(file->f_cred);
	env->user = get_uid(env->cred->user);
	env->net = get_net(current->nsproxy->net_ns);
	file->f_mapping = inode->i_mapping;
	atomic_inc(&nr_envs);
	return env;
}

static void release_env(struct kref *refs)
{
	struct exo_env *env = container_of(refs, struct exo_env, refs);

	put_net(env->net);
	free_uid(env->user);
	put_cred(env->cred);
	xa_destroy(&env->handles);
	inode_free(env->inode);
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
	struct exo_object *obj;
	unsigned long handle;

	xa_for_each(&env->handles, handle, obj) {
		exo_env_drop(env, handle);
		cond_resched();
	}
	atomic_dec(&nr_envs);
	exo_env_put(env);
}

/**
 * exo_env_get() - look an object up
 * @env: the env
 * @handle: what the caller passed, unchecked
 * @type: the type it must have
 *
 * Context: any but interrupt. Return: the object with a reference that the
 * caller puts, or ERR_PTR: -ENOENT no such handle, -EBADF another type.
 */
struct exo_object *exo_env_get(struct exo_env *env, u32 handle,
			       enum exo_object_type type)
{
	struct exo_object *obj;

	xa_lock(&env->handles);
	obj = xa_load(&env->handles, handle);
	if (!obj)
		obj = ERR_PTR(-ENOENT);
	else if (obj->type != type)
		obj = ERR_PTR(-EBADF);
	else
		exo_object_hold(obj);
	xa_unlock(&env->handles);
	return obj;
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
 * exo_env_publish() - let a reserved handle stand for an object
 * @env: the env
 * @handle: from exo_env_reserve()
 * @obj: the object; the handle takes over the caller's reference
 *
 * Cannot fail: the slot is there since the reservation.
 */
void exo_env_publish(struct exo_env *env, u32 handle, struct exo_object *obj)
{
	xa_lock(&env->handles);
	WARN_ON_ONCE(xa_is_err(__xa_store(&env->handles, handle, obj,
					  GFP_ATOMIC)));
	if (object_ops[obj->type]->ready)
		__xa_set_mark(&env->handles, handle, MARK_RING);
	xa_unlock(&env->handles);
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

static struct exo_object *take(struct exo_env *env, u32 handle)
{
	struct exo_object *obj;

	down_write(&env->map_lock);
	xa_lock(&env->handles);
	/* A reserved entry loads as NULL and must stay: its owner is at work. */
	obj = xa_load(&env->handles, handle);
	if (obj)
		__xa_erase(&env->handles, handle);
	xa_unlock(&env->handles);
	up_write(&env->map_lock);
	return obj;
}

/**
 * exo_env_drop() - close a handle
 * @env: the env
 * @handle: what the caller passed, unchecked
 *
 * When this returns the object is unbound and in no page table.
 *
 * Context: sleeps. Return: 0 or -ENOENT.
 */
int exo_env_drop(struct exo_env *env, u32 handle)
{
	struct exo_object *obj = take(env, handle);

	if (!obj)
		return -ENOENT;
	if (object_ops[obj->type]->pages)
		unmap_mapping_range(env->inode->i_mapping,
				    exo_env_mmap_offset(handle),
				    1ULL << EXO_MMAP_SHIFT, 1);
	exo_object_close(obj);
	exo_object_put(obj);
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
	struct exo_object *obj;
	bool ready = false;

	xas_lock(&xas);
	xas_for_each_marked(&xas, obj, ULONG_MAX, MARK_RING) {
		ready = object_ops[obj->type]->ready(obj);
		if (ready)
			break;
	}
	xas_unlock(&xas);
	return ready;
}

/* The pages a file offset stands for, and the first page's index in them. */
static struct exo_pages *lookup_pages(struct exo_env *env, pgoff_t pgoff,
				      u32 *index)
{
	struct exo_object *obj;

	lockdep_assert_held(&env->map_lock);
	obj = xa_load(&env->handles, pgoff >> (EXO_MMAP_SHIFT - PAGE_SHIFT));
	if (!obj || !object_ops[obj->type]->pages)
		return NULL;
	*index = pgoff & (EXO_MAX_OBJECT_PAGES - 1);
	return object_ops[obj->type]->pages(obj);
}

static vm_fault_t insert_pages(struct vm_fault *vmf, struct exo_pages *pages,
			       u32 index)
{
	unsigned long addr = vmf->address;
	vm_fault_t rc = VM_FAULT_SIGBUS;
	u32 i, nr;

	nr = min_t(unsigned long, FAULT_PAGES,
		   (vmf->vma->vm_end - addr) >> PAGE_SHIFT);
	nr = min(nr, pages->nr_pages - index);
	for (i = 0; i < nr; i++, addr += PAGE_SIZE) {
		vm_fault_t one = vmf_insert_pfn(vmf->vma, addr,
				page_to_pfn(exo_pages_page(pages, index + i)));

		/* Only the page that was touched counts. */
		if (i == 0)
			rc = one;
		if (one & VM_FAULT_ERROR)
			break;
	}
	return rc;
}

static vm_fault_t exo_vm_fault(struct vm_fault *vmf)
{
	struct exo_env *env = vmf->vma->vm_file->private_data;
	vm_fault_t rc = VM_FAULT_SIGBUS;
	struct exo_pages *pages;
	u32 index;

	down_read(&env->map_lock);
	pages = lookup_pages(env, vmf->pgoff, &index);
	if (pages && index < pages->nr_pages)
		rc = insert_pages(vmf, pages, index);
	up_read(&env->map_lock);
	return rc;
}

/* For debuggers, which cannot pin these pages: one page at a time. */
static int exo_vm_access(struct vm_area_struct *vma, unsigned long addr,
			 void *buf, int len, int write)
{
	struct exo_env *env = vma->vm_file->private_data;
	pgoff_t pgoff = vma->vm_pgoff + ((addr - vma->vm_start) >> PAGE_SHIFT);
	struct exo_pages *pages;
	int rc = -EIO;
	u32 index;
	void *at;

	len = min_t(int, len, PAGE_SIZE - offset_in_page(addr));
	down_read(&env->map_lock);
	pages = lookup_pages(env, pgoff, &index);
	if (pages && index < pages->nr_pages) {
		at = kmap_local_page(exo_pages_page(pages, index));
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

/**
 * exo_env_mmap() - map pages of an object
 * @env: the env
 * @vma: offset says which object and from which page on
 *
 * Shared only: a private mapping of page frame numbers is a BUG in the
 * kernel's copy-on-write. Not executable, not inherited by fork, not dumped,
 * not growable.
 *
 * Context: mmap_lock held for writing. Return: 0; -EINVAL private, executable
 * or beyond the object; -ENOENT no such object or one without pages.
 */
int exo_env_mmap(struct exo_env *env, struct vm_area_struct *vma)
{
	struct exo_pages *pages;
	int rc = 0;
	u32 index;

	if (!(vma->vm_flags & VM_SHARED) || (vma->vm_flags & VM_EXEC))
		return -EINVAL;
	down_read(&env->map_lock);
	pages = lookup_pages(env, vma->vm_pgoff, &index);
	if (!pages)
		rc = -ENOENT;
	else if (index >= pages->nr_pages ||
		 vma_pages(vma) > pages->nr_pages - index)
		rc = -EINVAL;
	up_read(&env->map_lock);
	if (rc)
		return rc;
	exo_vm_flags_mod(vma, VM_PFNMAP | VM_IO | VM_DONTCOPY | VM_DONTEXPAND |
			 VM_DONTDUMP, VM_MAYEXEC);
	vma->vm_ops = &exo_vm_ops;
	return 0;
}
