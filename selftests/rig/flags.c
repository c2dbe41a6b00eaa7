// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Can the processor's flags be trusted?
 *
 * QEMU 7.2 computes the flags that cmpxchg16b keeps from the operands of the
 * instruction before it as if these were the flags, if the last flags that it
 * wrote back were set by popfq: a register's bits end in EFLAGS, those that no
 * processor has included. An interrupt saves and restores them, and the kernel,
 * which allocates memory by cmpxchg16b, takes a double fault. tools/vm/run
 * hides the instruction from machines that do not count.
 */
#include <cpuid.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define NO_FLAG		0x04b6a000	/* reserved bits, IOPL, VM */
#define FLAGS_USED	0xcd5		/* CF PF AF ZF SF DF OF */
#define FLAGS_WANTED	0xc5		/* of 0 - NO_FLAG, and equal: CF PF ZF SF */

static bool has_cmpxchg16b(void)
{
	unsigned int a, b, c, d;

	return __get_cpuid(1, &a, &b, &c, &d) && c & bit_CMPXCHG16B;
}

static uint64_t flags_after_cmpxchg16b(void)
{
	static _Alignas(16) uint64_t pair[2];
	uint64_t flags;

	/* The red zone is left alone: the stack is used. */
	__asm__ volatile("sub $128, %%rsp\n\t"
			 "pushfq\n\t"
			 "andq %[used], (%%rsp)\n\t"
			 "popfq\n\t"
			 "jmp 1f\n"
			 "1:\n\t"
			 "cmp %%rdi, %%rax\n\t"
			 "cmpxchg16b (%%rsi)\n\t"
			 "pushfq\n\t"
			 "pop %[flags]\n\t"
			 "add $128, %%rsp"
			 : [flags] "=r"(flags)
			 : [used] "i"(~FLAGS_USED), "D"(NO_FLAG), "S"(pair),
			   "a"(0), "d"(0), "b"(0), "c"(0)
			 : "memory", "cc");
	return flags;
}

int main(void)
{
	uint64_t flags = FLAGS_WANTED;

	if (has_cmpxchg16b())
		flags = flags_after_cmpxchg16b();
	if ((flags & (FLAGS_USED | NO_FLAG)) != FLAGS_WANTED)
		printf("# flags after cmpxchg16b: %#llx\nnot ",
		       (unsigned long long)flags);
	printf("ok 1 - the processor's flags are right, or cannot be wrong\n");
	printf("1..1\n");
	return 0;
}
