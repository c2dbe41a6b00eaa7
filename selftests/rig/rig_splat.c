// SPDX-License-Identifier: GPL-2.0
/*
 * rig_splat: make the kernel complain, as the parameter "what" says, so that
 * the rig can be seen to notice: warn, oops, bug, trap (a breakpoint that is
 * nobody's), panic, hung (a task that nothing wakes while the module is loaded);
 * none does nothing. On the debug kernel also: stale (use after free), beyond
 * (an array's end), deadlock (a lock taken twice), asleep (with interrupts off),
 * unfreed (memory that nothing refers to), object (a timer freed while it runs).
 */
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/kernel.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/timer.h>

static char *what = "none";
module_param(what, charp, 0);
MODULE_PARM_DESC(what, "what to do; see the source");

static DEFINE_MUTEX(lock_a);
static DEFINE_MUTEX(lock_b);
static int three[3];
static void *kept;
static struct task_struct *sleeper;

struct with_timer {
	struct timer_list timer;
};

static void stale(void)
{
	char *volatile p = kmalloc(16, GFP_KERNEL);

	kfree(p);
	READ_ONCE(*p);
}

static void beyond(void)
{
	size_t i = strlen(what) / 2;	/* 3, but nobody knows */

	READ_ONCE(three[i]);
}

/* The second order is what lockdep does not like; nothing blocks. */
static void deadlock(void)
{
	mutex_lock(&lock_a);
	mutex_lock(&lock_b);
	mutex_unlock(&lock_b);
	mutex_unlock(&lock_a);
	mutex_lock(&lock_b);
	mutex_lock(&lock_a);
	mutex_unlock(&lock_a);
	mutex_unlock(&lock_b);
}

static void asleep(void)
{
	local_irq_disable();
	might_sleep();
	local_irq_enable();
}

static void unfreed(void)
{
	int i;

	/* Several: a reference to one may be left in a register. */
	for (i = 0; i < 8; i++)
		WRITE_ONCE(kept, kmalloc(64, GFP_KERNEL));
	WRITE_ONCE(kept, NULL);
}

static void tick(struct timer_list *timer)
{
}

static void object(void)
{
	struct with_timer *t = kzalloc(sizeof(*t), GFP_KERNEL);

	if (!t)
		return;
	timer_setup(&t->timer, tick, 0);
	mod_timer(&t->timer, jiffies + HZ);
	kfree(t);
}

static int sleep_through(void *unused)
{
	set_current_state(TASK_UNINTERRUPTIBLE);
	while (!kthread_should_stop()) {
		schedule();
		set_current_state(TASK_UNINTERRUPTIBLE);
	}
	__set_current_state(TASK_RUNNING);
	return 0;
}

static int hung(void)
{
	struct task_struct *task = kthread_run(sleep_through, NULL, "rig_hung");

	if (IS_ERR(task))
		return PTR_ERR(task);
	sleeper = task;
	return 0;
}

static const struct {
	const char *name;
	void (*fn)(void);
} debug_kinds[] = {
	{ "stale", stale }, { "beyond", beyond }, { "deadlock", deadlock },
	{ "asleep", asleep }, { "unfreed", unfreed }, { "object", object },
};

static int __init rig_splat_init(void)
{
	int *volatile nowhere = NULL;
	int i;

	for (i = 0; i < ARRAY_SIZE(debug_kinds); i++)
		if (!strcmp(what, debug_kinds[i].name))
			debug_kinds[i].fn();
	if (!strcmp(what, "warn"))
		WARN_ON(1);
	else if (!strcmp(what, "oops"))
		return *nowhere;
	else if (!strcmp(what, "bug"))
		BUG();
	else if (!strcmp(what, "trap"))
		asm volatile("int3");
	else if (!strcmp(what, "panic"))
		panic("rig_splat");
	else if (!strcmp(what, "hung"))
		return hung();
	return 0;
}

static void __exit rig_splat_exit(void)
{
	if (sleeper)
		kthread_stop(sleeper);
}

module_init(rig_splat_init);
module_exit(rig_splat_exit);
MODULE_DESCRIPTION("makes the kernel complain, for tests of the test rig");
MODULE_LICENSE("GPL");
