// SPDX-License-Identifier: GPL-2.0
/*
 * rig_int3: the emulator's stale breakpoints.
 *
 * The kernel patches code (static keys, ftrace) under a breakpoint, and when
 * all CPUs have been told that it is gone, takes one that still traps for a
 * fault. QEMU 7.2 with several CPUs can run such a breakpoint from code it
 * translated before: an Oops "int3" in whatever was patched, which real CPUs
 * do not have. Going back to the instruction runs what stands there now. A
 * breakpoint that does stand there traps again, and after MOST_TRIES is left
 * to the kernel, so that nothing real is hidden.
 *
 * With toggle_ms=N the module does not stay, but provokes the fault for N
 * milliseconds, with ignore=1 without its own help.
 */
#include <linux/jump_label.h>
#include <linux/kdebug.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/ptrace.h>
#include <linux/sched.h>

#include <asm/text-patching.h>

#define MOST_TRIES	1000

static unsigned int toggle_ms;
module_param(toggle_ms, uint, 0);
MODULE_PARM_DESC(toggle_ms, "provoke the fault for so long, then fail with EAGAIN");

static bool ignore;
module_param(ignore, bool, 0);
MODULE_PARM_DESC(ignore, "do not help");

static atomic_t nr_stale;
static DEFINE_STATIC_KEY_FALSE(key);
static DEFINE_PER_CPU(unsigned long, last_ip);
static DEFINE_PER_CPU(unsigned int, tries);

/* Interrupts are off: the trap's handler runs us. */
static int stale_breakpoint(struct notifier_block *block, unsigned long what,
			    void *data)
{
	struct pt_regs *regs = ((struct die_args *)data)->regs;

	if (what != DIE_INT3 || user_mode(regs))
		return NOTIFY_DONE;
	if (this_cpu_read(last_ip) != regs->ip) {
		this_cpu_write(last_ip, regs->ip);
		this_cpu_write(tries, 0);
	}
	if (this_cpu_inc_return(tries) > MOST_TRIES)
		return NOTIFY_DONE;
	regs->ip -= INT3_INSN_SIZE;
	atomic_inc(&nr_stale);
	return NOTIFY_STOP;
}

static struct notifier_block block = { .notifier_call = stale_breakpoint };

static int run_patched(void *unused)
{
	unsigned long n = 0;

	while (!kthread_should_stop()) {
		if (static_branch_unlikely(&key))
			n++;
		else
			n--;
		/* Other code ran: the next trap here is a new one. */
		this_cpu_write(tries, 0);
		if (!(n % 1024))
			cond_resched();
	}
	return 0;
}

static int provoke(void)
{
	unsigned long end = jiffies + msecs_to_jiffies(toggle_ms);
	struct task_struct *runner;
	unsigned int n = 0;

	runner = kthread_run(run_patched, NULL, "rig_int3");
	if (IS_ERR(runner))
		return PTR_ERR(runner);
	while (time_before(jiffies, end)) {
		static_branch_enable(&key);
		static_branch_disable(&key);
		n++;
		cond_resched();
	}
	kthread_stop(runner);
	pr_info("rig_int3: patched %u times, %d stale breakpoints\n", n,
		atomic_read(&nr_stale));
	return -EAGAIN;
}

static int __init rig_int3_init(void)
{
	int rc = ignore ? 0 : register_die_notifier(&block);

	if (rc || !toggle_ms)
		return rc;
	rc = provoke();
	if (!ignore)
		unregister_die_notifier(&block);
	return rc;
}

static void __exit rig_int3_exit(void)
{
	unregister_die_notifier(&block);
}

module_init(rig_int3_init);
module_exit(rig_int3_exit);
MODULE_DESCRIPTION("runs code again where the emulator saw a breakpoint that is gone");
MODULE_LICENSE("GPL");
