// SPDX-License-Identifier: GPL-2.0
/*
 * rig_splat: make the kernel complain, as the parameter "what" says, so that
 * the rig can be seen to notice: warn, oops, bug, panic; none does nothing.
 */
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/string.h>

static char *what = "none";
module_param(what, charp, 0);
MODULE_PARM_DESC(what, "warn, oops, bug, panic or none");

static int __init rig_splat_init(void)
{
	int *volatile nowhere = NULL;

	if (!strcmp(what, "warn"))
		WARN_ON(1);
	else if (!strcmp(what, "oops"))
		return *nowhere;
	else if (!strcmp(what, "bug"))
		BUG();
	else if (!strcmp(what, "panic"))
		panic("rig_splat");
	return 0;
}

static void __exit rig_splat_exit(void)
{
}

module_init(rig_splat_init);
module_exit(rig_splat_exit);
MODULE_DESCRIPTION("makes the kernel complain, for tests of the test rig");
MODULE_LICENSE("GPL");
