// SPDX-License-Identifier: GPL-2.0
/*
 * rig_int3: the emulator's stale breakpoints.
 *
 * The kernel patches code (static keys, ftrace) under a breakpoint, and when
 * all CPUs have been told that it is gone, takes one that still traps for a
 * fault. QEMU 7.2 with several CPUs can run such a breakpoint from code it
 * translated before: an Oops "int3" in whatever was patched, which real CPUs
 * do not have. Going back to the instruction mostly runs what stands there now.
 * But if the patch came while the code was being translated, the emulator keeps
 * the old translation until something is written there again; what stands in
 * memory is then done here. A breakpoint that does stand there traps again, and
 * after MOST_TRIES is left to the kernel, so that nothing real is hidden.
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

#define FEW_TRIES	3
#define MOST_TRIES	1000

static unsigned int toggle_ms;
module_param(toggle_ms, uint, 0);
MODULE_PARM_DESC(toggle_ms, "provoke the fault for so long, then fail with EAGAIN");

static bool ignore;
module_param(ignore, bool, 0);
MODULE_PARM_DESC(ignore, "do not help");

static atomic_t nr_stale;
static atomic_t nr_done;
static DEFINE_STATIC_KEY_FALSE(key);
static DEFINE_PER_CPU(unsigned long, last_ip);
static DEFINE_PER_CPU(unsigned int, tries);

/* How long what is patched in is, by its first byte; 0: no such instruction. */
static size_t length(u8 opcode)
{
	switch (opcode) {
	case JMP8_INSN_OPCODE:
	case 0x66:		/* 66 90, which does nothing */
		return 2;
	case JMP32_INSN_OPCODE:
	case CALL_INSN_OPCODE:
	case 0x0f:		/* 0f 1f 44 00 00, which does nothing */
		return 5;
	default:
		return 0;
	}
}

/* A whole one, that is none half patched: a patch ends with its first byte. */
static size_t read_instruction(const u8 *from, u8 *insn)
{
	size_t len = length(READ_ONCE(*from));

	memcpy(insn, from, len);
	smp_rmb();
	return len && insn[0] == READ_ONCE(*from) ? len : 0;
}

static bool do_instruction(struct pt_regs *regs, const u8 *from)
{
	static const u8 nop2[] = { 0x66, 0x90 };
	static const u8 nop5[] = { 0x0f, 0x1f, 0x44, 0x00, 0x00 };
	u8 insn[CALL_INSN_SIZE] = { };
	size_t len = read_instruction(from, insn);
	unsigned long next = (unsigned long)from + len;
	s32 disp = 0;

	if (!len)
		return false;
	if (insn[0] == JMP8_INSN_OPCODE)
		disp = (s8)insn[1];
	else if (insn[0] == JMP32_INSN_OPCODE || insn[0] == CALL_INSN_OPCODE)
		memcpy(&disp, insn + 1, sizeof(disp));
	else if (memcmp(insn, len == 2 ? nop2 : nop5, len))
		return false;
	if (insn[0] == CALL_INSN_OPCODE)
		int3_emulate_push(regs, next);
	int3_emulate_jmp(regs, next + disp);
	return true;
}

/* Interrupts are off: the trap's handler runs us. */
static int stale_breakpoint(struct notifier_block *block, unsigned long what,
			    void *data)
{
	struct pt_regs *regs = ((struct die_args *)data)->regs;
	const u8 *start = (const u8 *)regs->ip - INT3_INSN_SIZE;
	unsigned int nr;

	if (what != DIE_INT3 || user_mode(regs))
		return NOTIFY_DONE;
	if (this_cpu_read(last_ip) != regs->ip) {
		this_cpu_write(last_ip, regs->ip);
		this_cpu_write(tries, 0);
	}
	nr = this_cpu_inc_return(tries);
	if (nr > FEW_TRIES && do_instruction(regs, start)) {
		atomic_inc(&nr_done);
		return NOTIFY_STOP;
	}
	if (nr > MOST_TRIES)
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
	pr_info("rig_int3: patched %u times, %d stale breakpoints, %d stayed\n",
		n, atomic_read(&nr_stale), atomic_read(&nr_done));
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
