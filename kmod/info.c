// SPDX-License-Identifier: GPL-2.0
/*
 * Info: see info.h. The pages live as long as the env (or the module), and so
 * longer than any mapping of its file; nothing ever takes them away.
 */
#include <linux/gfp.h>
#include <linux/ktime.h>
#include <linux/mm.h>

#include "check.h"
#include "compat/mm.h"
#include "env.h"
#include "info.h"

struct exo_info_global *exo_info_all;

static_assert(sizeof(struct exo_vector_entry) * EXO_VECTOR_ENTRIES <= PAGE_SIZE);
static_assert(EXO_INFO_VECTOR_OFFSET + 4096 == (EXO_INFO_BYTES));

/**
 * exo_info_init() - make the page for all
 *
 * Return: 0 or -ENOMEM.
 */
int exo_info_init(void)
{
	exo_info_all = (void *)get_zeroed_page(GFP_KERNEL);
	if (!exo_info_all)
		return -ENOMEM;
	exo_info_all->version = 1;
	return 0;
}

/**
 * exo_info_exit() - no env is left
 */
void exo_info_exit(void)
{
	free_page((unsigned long)exo_info_all);
}

/**
 * exo_info_new() - make the pages of an env
 * @info: filled in
 * @id: of the env
 *
 * Context: sleeps. Return: 0 or -ENOMEM.
 */
int exo_info_new(struct exo_info *info, u64 id)
{
	info->env = (void *)get_zeroed_page(EXO_GFP_USER);
	info->vector = (void *)get_zeroed_page(EXO_GFP_USER);
	if (!info->env || !info->vector) {
		exo_info_free(info);
		return -ENOMEM;
	}
	info->env->version = 1;
	info->env->id = id;
	info->env->min_pages = EXO_ENV_MIN_PAGES;
	return 0;
}

/**
 * exo_info_free() - the env is gone
 * @info: its pages
 */
void exo_info_free(struct exo_info *info)
{
	free_page((unsigned long)info->env);
	free_page((unsigned long)info->vector);
}

/**
 * exo_info_note_taken() - a frame was repossessed
 * @env: whose
 * @handle: the handle it had for it, or 0
 * @nr_pages: its pages
 *
 * Context: any but interrupt; one at a time for an env.
 */
void exo_info_note_taken(struct exo_env *env, u32 handle, u32 nr_pages)
{
	struct exo_info_env *info = env->info.env;
	u32 prod = info->vector_prod;
	struct exo_vector_entry *entry;

	entry = &env->info.vector[prod % EXO_VECTOR_ENTRIES];
	WRITE_ONCE(entry->handle, handle);
	WRITE_ONCE(entry->nr_pages, nr_pages);
	WRITE_ONCE(entry->time_ns, ktime_get_boottime_ns());
	/* Pairs with the library's acquire: the entry first. */
	smp_store_release(&info->vector_prod, prod + 1);
	exo_info_add(&info->nr_taken, nr_pages);
	exo_info_add(&exo_info_all->nr_taken, nr_pages);
}

static void *page_at(const struct exo_env *env, pgoff_t index)
{
	switch (index << PAGE_SHIFT) {
	case EXO_INFO_GLOBAL_OFFSET:
		return exo_info_all;
	case EXO_INFO_ENV_OFFSET:
		return env->info.env;
	case EXO_INFO_VECTOR_OFFSET:
		return env->info.vector;
	default:
		return NULL;
	}
}

static vm_fault_t info_fault(struct vm_fault *vmf)
{
	const struct exo_env *env = vmf->vma->vm_file->private_data;
	void *page = page_at(env, vmf->pgoff);

	if (!page)
		return VM_FAULT_SIGBUS;
	return vmf_insert_pfn(vmf->vma, vmf->address,
			      page_to_pfn(virt_to_page(page)));
}

static int info_access(struct vm_area_struct *vma, unsigned long addr,
		       void *buf, int len, int write)
{
	pgoff_t index = vma->vm_pgoff + ((addr - vma->vm_start) >> PAGE_SHIFT);
	void *page = page_at(vma->vm_file->private_data, index);

	if (!page || !EXO_CHECK(info_access, !write))
		return -EIO;
	len = min_t(int, len, PAGE_SIZE - offset_in_page(addr));
	memcpy(buf, page + offset_in_page(addr), len);
	return len;
}

static const struct vm_operations_struct info_vm_ops = {
	.fault	= info_fault,
	.access	= info_access,
};

/**
 * exo_info_mmap() - map some of the pages
 * @env: the env
 * @vma: shared, not executable; its offset is that of a page
 *
 * Context: mmap_lock held for writing. Return: 0; -EACCES writable; -EINVAL
 * beyond EXO_INFO_BYTES.
 */
int exo_info_mmap(struct exo_env *env, struct vm_area_struct *vma)
{
	pgoff_t end = EXO_INFO_BYTES >> PAGE_SHIFT;

	if (!EXO_CHECK(info_readonly, !(vma->vm_flags & VM_WRITE)))
		return -EACCES;
	if (!EXO_CHECK(info_start, vma->vm_pgoff < end) ||
	    !EXO_CHECK(info_length, vma_pages(vma) <= end - vma->vm_pgoff))
		return -EINVAL;
	exo_vm_flags_mod(vma, VM_PFNMAP | VM_IO | VM_DONTCOPY | VM_DONTEXPAND |
			 VM_DONTDUMP, VM_MAYWRITE | VM_MAYEXEC);
	vma->vm_ops = &info_vm_ops;
	return 0;
}
