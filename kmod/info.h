/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Info: pages that the module writes and libraries map read-only: one for all,
 * two for each env (its numbers, and what was taken from it).
 */
#ifndef EXO_KMOD_INFO_H
#define EXO_KMOD_INFO_H

#include <linux/atomic.h>
#include <linux/mm_types.h>

#include <linux/exo.h>

struct exo_env;

/**
 * struct exo_info - the pages of one env
 * @env: its numbers
 * @vector: EXO_VECTOR_ENTRIES entries
 */
struct exo_info {
	struct exo_info_env *env;
	struct exo_vector_entry *vector;
};

extern struct exo_info_global *exo_info_all;

int exo_info_init(void);
void exo_info_exit(void);
int exo_info_new(struct exo_info *info, u64 id);
void exo_info_free(struct exo_info *info);
int exo_info_mmap(struct exo_env *env, struct vm_area_struct *vma);
void exo_info_note_taken(struct exo_env *env, u32 handle, u32 nr_pages);

/**
 * exo_info_add() - change a number that several CPUs change
 * @number: a member of one of the pages
 * @nr: what to add
 *
 * Context: any. Return: the number afterwards.
 */
static inline u64 exo_info_add(__u64 *number, s64 nr)
{
	return atomic64_add_return(nr, (atomic64_t *)number);
}

#endif /* EXO_KMOD_INFO_H */
