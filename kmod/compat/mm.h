/* SPDX-License-Identifier: GPL-2.0 */
/* Memory management: what differs between kernels. */
#ifndef EXO_KMOD_COMPAT_MM_H
#define EXO_KMOD_COMPAT_MM_H

#include <linux/mm.h>
#include <linux/version.h>

/* vm_flags_mod() came with 6.3, and with it vm_flags became read-only. */
static inline void exo_vm_flags_mod(struct vm_area_struct *vma,
				    unsigned long set, unsigned long clear)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
	vm_flags_mod(vma, set, clear);
#else
	vma->vm_flags = (vma->vm_flags | set) & ~clear;
#endif
}

#endif /* EXO_KMOD_COMPAT_MM_H */
