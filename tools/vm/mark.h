/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * mark.h: tell the instruction counter (count.c) something from inside the
 * guest.  A word to it is a no-op of eight bytes, 0f 1f 84 00 imm32, whose
 * operand is 0x45580000 ("EX") | kind << 8 | value; it costs one instruction
 * and does nothing where no counter listens.
 *
 *   VM_MARK(n)   snapshot named "mark-n", 0 <= n < 4096, n a literal number
 *
 * Programs that want names, roles or pauses run vm-mark.
 */
#ifndef EXO_VM_MARK_H
#define EXO_VM_MARK_H

#define VM_MARK_MAGIC		0x45580000u
#define VM_MARK_CHAR		0x0100u	/* value: next character of a name */
#define VM_MARK_SNAPSHOT	0x0200u	/* under the name spelt before */
#define VM_MARK_ROLE		0x0300u	/* this task gets the name's role */
#define VM_MARK_PAUSE		0x0400u	/* stop counting, all CPUs */
#define VM_MARK_RESUME		0x0401u
#define VM_MARK_NUMBER		0x1000u	/* | n: snapshot named mark-n */

#define VM_MARK(n)							\
	asm volatile(".byte 0x0f, 0x1f, 0x84, 0x00\n\t"			\
		     ".long 0x45581000 | " #n ::: "memory")

#endif
