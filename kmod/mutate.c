// SPDX-License-Identifier: GPL-2.0
/* Mutate: the switch of check.h, in exo_mutant.ko only. */
#include <linux/module.h>
#include <linux/panic.h>
#include <linux/string.h>

#include "check.h"

static char *mutant;
module_param(mutant, charp, 0444);
MODULE_PARM_DESC(mutant, "the check that is switched off (modinfo -F check), or none");

MODULE_DESCRIPTION("NOT FOR USE: for tests, with a check that can be switched off");

/**
 * exo_check_off() - is this check switched off?
 * @name: of the check
 *
 * Context: any. Return: true if it is to pass whatever it finds.
 */
bool exo_check_off(const char *name)
{
	return !strcmp(name, mutant);
}

/**
 * exo_check_init() - say loudly what this is
 *
 * Context: module load. Return: 0; -EINVAL loaded without the parameter, as it
 * would be by mistake.
 */
int exo_check_init(void)
{
	if (!mutant) {
		pr_err("exo: this module is for tests of exo, load exo.ko\n");
		return -EINVAL;
	}
	pr_alert("exo: NOT SAFE: the check \"%s\" is switched off\n", mutant);
	add_taint(TAINT_TEST, LOCKDEP_STILL_OK);
	return 0;
}
