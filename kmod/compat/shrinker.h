/* SPDX-License-Identifier: GPL-2.0 */
/* Shrinkers: allocated by the kernel since 6.7, before that by their users. */
#ifndef EXO_KMOD_COMPAT_SHRINKER_H
#define EXO_KMOD_COMPAT_SHRINKER_H

#include <linux/shrinker.h>
#include <linux/slab.h>
#include <linux/version.h>

typedef unsigned long (*exo_shrink_fn)(struct shrinker *shrinker,
				       struct shrink_control *sc);

static inline struct shrinker *exo_shrinker_new(exo_shrink_fn count,
						exo_shrink_fn scan)
{
	struct shrinker *shrinker;

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 7, 0)
	shrinker = shrinker_alloc(0, "exo");
#else
	shrinker = kzalloc(sizeof(*shrinker), GFP_KERNEL);
#endif
	if (!shrinker)
		return NULL;
	shrinker->count_objects = count;
	shrinker->scan_objects = scan;
	shrinker->seeks = DEFAULT_SEEKS;
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 7, 0)
	shrinker_register(shrinker);
#else
	if (register_shrinker(shrinker, "exo")) {
		kfree(shrinker);
		return NULL;
	}
#endif
	return shrinker;
}

static inline void exo_shrinker_free(struct shrinker *shrinker)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 7, 0)
	shrinker_free(shrinker);
#else
	unregister_shrinker(shrinker);
	kfree(shrinker);
#endif
}

#endif /* EXO_KMOD_COMPAT_SHRINKER_H */
