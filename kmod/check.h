/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Check: every condition that protects somebody has a name.
 *
 *	if (!EXO_CHECK(label_magic, label->magic == MAGIC))
 *		return -EUCLEAN;
 *
 * The name says what is examined, noun first; it stands once in the module,
 * and in selftests/mutants beside the tests that fail without the check. What
 * only passes an error on (no memory, a device's error) is no check.
 *
 * Ordinary builds contain the condition and nothing else. make mutate builds
 * exo_mutant.ko with EXO_MUTATE, where the parameter mutant=NAME switches one
 * check off: it passes whatever its condition says. That stands in for
 * compiling each check out in turn: one build, hundreds of mutants, and the
 * effects of a condition (an overflow check's sum) stay.
 *
 * Benchmarks build exo_unchecked.ko with EXO_UNCHECKED, where every check
 * passes: what exo.ko takes more is protection's share. It crashes when it is
 * unloaded or a network device goes, since each device passes for an attached
 * one then. Both modules are installed by nothing, taint, and have a vermagic
 * that no kernel takes unless it is forced.
 */
#ifndef EXO_KMOD_CHECK_H
#define EXO_KMOD_CHECK_H

#if defined(EXO_UNCHECKED)

#include <linux/panic.h>
#include <linux/printk.h>

#define EXO_CHECK(name, cond) ((void)(cond), true)

static inline int exo_check_init(void)
{
	pr_alert("exo: NOT SAFE: built without its checks, to be measured\n");
	add_taint(TAINT_TEST, LOCKDEP_STILL_OK);
	return 0;
}

#elif !defined(EXO_MUTATE)

/* True if the check @name passes. */
#define EXO_CHECK(name, cond) (cond)

static inline int exo_check_init(void)
{
	return 0;
}

#else

#include <linux/moduleparam.h>

#define EXO_CHECK(name, cond)						\
({									\
	__MODULE_INFO(check, check, #name);				\
	bool exo_check_passed = (cond);					\
									\
	exo_check_passed || exo_check_off(#name);			\
})

int exo_check_init(void);
bool exo_check_off(const char *name);

#endif

#endif /* EXO_KMOD_CHECK_H */
