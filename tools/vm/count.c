// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * count: a QEMU TCG plugin that counts the guest's instructions.
 *
 *   -plugin count.so,out=FILE[,switch=OFFSET][,profile=on]
 *
 * Counted per CPU and role: instructions in user and in kernel mode, and,
 * apart from these, iterations of rep string instructions and the bytes they
 * moved (an emulator makes each iteration look like an instruction, hardware
 * does not).  A role is a name that a task gave itself (vm-mark --role) and that
 * the threads and processes it then makes have too; the rest is role 0, except
 * tasks that were seen halting the CPU, which are "idle".  Interrupts count to
 * the task they interrupt, and the kernel's own threads to the rest, whomever
 * they work for.
 *
 * The file is text and grows at each mark (mark.h), flushed before the guest
 * goes on:
 *   role NUMBER NAME
 *   full NAME                                         no number left for it
 *   mark NUMBER CPU NAME
 *   count MARK CPU ROLE USER KERNEL REP REP_BYTES     cumulative
 *   block MARK ROLE ADDRESS INSNS UNIT TIMES          since the last mark
 * UNIT is the operand size of a block that ends in a rep instruction, else 0.
 *
 * A task is known by the address of its saved stack pointer, OFFSET bytes into
 * the task.  The kernel loads that when it switches to the task, and stores it
 * for the first time when a task makes another.
 *
 * A block of translated code counts as a whole when it is entered, so a fault
 * in its middle counts some instructions too many, and a mark is exact to a
 * block.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mark.h"
#include "qplugin.h"

#define NR_CPUS		16
#define NR_ROLES	16
#define NR_TASKS	65536
#define NR_BUCKETS	65536
#define LABEL_BYTES	64

enum { ROLE_REST, ROLE_IDLE, ROLE_FIRST_FREE };

struct task {
	uint64_t key;		/* address of the task's saved stack pointer */
	unsigned int role;
};

struct block {
	struct block *next;
	uint64_t addr;
	uint32_t nr_insns;	/* without the rep instruction at the end */
	uint8_t rep_unit;
	bool kernel;
	uint64_t times[NR_ROLES];
};

struct counts {
	uint64_t user;
	uint64_t kernel;
	uint64_t rep;
	uint64_t rep_bytes;
};

struct cpu {
	struct task *task;
	struct counts counts[NR_ROLES];
	char label[LABEL_BYTES];
	size_t label_len;
};

QEMU_PLUGIN_EXPORT int qemu_plugin_version = 1;
QEMU_PLUGIN_EXPORT int qemu_plugin_install(qemu_plugin_id_t id,
					   const qemu_info_t *info, int argc,
					   char **argv);

/* lock: everything below but the counts, which belong to their CPU's thread. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct cpu cpus[NR_CPUS];
static struct task nobody;
static struct task tasks[NR_TASKS];
static unsigned int nr_tasks;
static struct block *blocks[NR_BUCKETS];
static char roles[NR_ROLES][LABEL_BYTES] = { "rest", "idle" };
static unsigned int nr_roles = ROLE_FIRST_FREE;
static unsigned int nr_marks;
static FILE *out;
static bool profile;
static volatile bool paused;
static uint32_t switch_offset;

static void count_block(unsigned int vcpu, void *data)
{
	struct cpu *cpu = &cpus[vcpu % NR_CPUS];
	unsigned int role = cpu->task->role;
	struct counts *c = &cpu->counts[role];
	struct block *b = data;

	if (paused)
		return;
	if (b->rep_unit) {
		c->rep++;
		c->rep_bytes += b->rep_unit;
	}
	if (b->kernel)
		c->kernel += b->nr_insns;
	else
		c->user += b->nr_insns;
	if (profile)
		b->times[role]++;
}

/* Under the lock. Nobody if there are too many. */
static struct task *find_task(uint64_t key)
{
	unsigned int at = (key >> 6) * 2654435761u % NR_TASKS;
	struct task *t;

	while (tasks[at].key && tasks[at].key != key)
		at = (at + 1) % NR_TASKS;
	t = &tasks[at];
	if (!t->key && nr_tasks < NR_TASKS * 3 / 4) {
		t->key = key;
		nr_tasks++;
	}
	return t->key ? t : &nobody;
}

/* The load of the next task's stack pointer in __switch_to_asm. */
static void switch_task(unsigned int vcpu, qemu_plugin_meminfo_t info,
			uint64_t vaddr, void *data)
{
	(void)info;
	(void)data;
	pthread_mutex_lock(&lock);
	cpus[vcpu % NR_CPUS].task = find_task(vaddr);
	pthread_mutex_unlock(&lock);
}

/*
 * A task makes another, in copy_thread(). The memory may have been that of a
 * task which is gone, with its role.
 */
static void new_task(unsigned int vcpu, qemu_plugin_meminfo_t info,
		     uint64_t vaddr, void *data)
{
	unsigned int role = cpus[vcpu % NR_CPUS].task->role;
	struct task *t;

	(void)info;
	(void)data;
	pthread_mutex_lock(&lock);
	t = find_task(vaddr);
	if (t != &nobody)
		t->role = role == ROLE_IDLE ? ROLE_REST : role;
	pthread_mutex_unlock(&lock);
}

static void halt(unsigned int vcpu, void *data)
{
	struct task *t = cpus[vcpu % NR_CPUS].task;

	(void)data;
	if (t != &nobody && t->role == ROLE_REST)
		t->role = ROLE_IDLE;
}

static void write_blocks(void)
{
	unsigned int i, role;
	struct block *b;

	for (i = 0; i < NR_BUCKETS; i++) {
		for (b = blocks[i]; b; b = b->next) {
			for (role = 0; role < NR_ROLES; role++) {
				if (!b->times[role])
					continue;
				fprintf(out, "block %u %u %llx %u %u %llu\n",
					nr_marks, role,
					(unsigned long long)b->addr,
					b->nr_insns, b->rep_unit,
					(unsigned long long)b->times[role]);
				b->times[role] = 0;
			}
		}
	}
}

static void snapshot(unsigned int vcpu, const char *label)
{
	unsigned int cpu, role;

	pthread_mutex_lock(&lock);
	fprintf(out, "mark %u %u %s\n", nr_marks, vcpu, label);
	for (cpu = 0; cpu < NR_CPUS; cpu++) {
		for (role = 0; role < NR_ROLES; role++) {
			const struct counts *c = &cpus[cpu].counts[role];

			if (!c->user && !c->kernel && !c->rep)
				continue;
			fprintf(out, "count %u %u %u %llu %llu %llu %llu\n",
				nr_marks, cpu, role,
				(unsigned long long)c->user,
				(unsigned long long)c->kernel,
				(unsigned long long)c->rep,
				(unsigned long long)c->rep_bytes);
		}
	}
	if (profile)
		write_blocks();
	fflush(out);
	nr_marks++;
	pthread_mutex_unlock(&lock);
}

static void bind_role(struct task *t, const char *name)
{
	unsigned int role;

	pthread_mutex_lock(&lock);
	for (role = 0; role < nr_roles; role++)
		if (!strcmp(roles[role], name))
			break;
	if (role == nr_roles && nr_roles < NR_ROLES) {
		strcpy(roles[nr_roles++], name);
		fprintf(out, "role %u %s\n", role, name);
	} else if (role == NR_ROLES) {
		fprintf(out, "full %s\n", name);
	}
	if (role < NR_ROLES && t != &nobody)
		t->role = role;
	pthread_mutex_unlock(&lock);
}

static void word(unsigned int vcpu, void *data)
{
	struct cpu *cpu = &cpus[vcpu % NR_CPUS];
	unsigned int w = (uintptr_t)data;
	char number[16];

	switch (w & 0xff00) {
	case VM_MARK_CHAR:
		if (cpu->label_len < LABEL_BYTES - 1)
			cpu->label[cpu->label_len++] = w & 0xff;
		return;
	case VM_MARK_SNAPSHOT:
		snapshot(vcpu, cpu->label);
		break;
	case VM_MARK_ROLE:
		bind_role(cpu->task, cpu->label);
		break;
	case VM_MARK_PAUSE & 0xff00:
		paused = w == VM_MARK_PAUSE;
		break;
	default:
		if ((w & 0xf000) != VM_MARK_NUMBER)
			break;
		snprintf(number, sizeof(number), "mark-%u", w & 0xfff);
		snapshot(vcpu, number);
	}
	memset(cpu->label, 0, sizeof(cpu->label));
	cpu->label_len = 0;
}

/* Operand size of a rep string instruction, 0 for any other. */
static unsigned int rep_unit(const uint8_t *d, size_t len)
{
	bool rep = false, wide = false, small = false;
	size_t i;

	for (i = 0; i + 1 < len; i++) {
		if (d[i] == 0xf2 || d[i] == 0xf3)
			rep = true;
		else if (d[i] == 0x66)
			small = true;
		else if ((d[i] & 0xf0) == 0x40)
			wide = d[i] & 8;
		else if (d[i] != 0x2e && d[i] != 0x3e && d[i] != 0x64 &&
			 d[i] != 0x65 && d[i] != 0x67)
			return 0;
	}
	if (!rep)
		return 0;
	switch (d[i]) {
	case 0xa4: case 0xa6: case 0xaa: case 0xac: case 0xae:
		return 1;
	case 0xa5: case 0xa7: case 0xab: case 0xad: case 0xaf:
		return wide ? 8 : small ? 2 : 4;
	}
	return 0;
}

static struct block *find_block(uint64_t addr, uint32_t nr_insns,
				unsigned int unit)
{
	struct block **head = &blocks[(addr ^ addr >> 16) % NR_BUCKETS];
	struct block *b;

	pthread_mutex_lock(&lock);
	for (b = *head; b; b = b->next)
		if (b->addr == addr && b->nr_insns == nr_insns &&
		    b->rep_unit == unit)
			break;
	if (!b) {
		b = calloc(1, sizeof(*b));
		if (!b)
			abort();
		b->addr = addr;
		b->nr_insns = nr_insns;
		b->rep_unit = unit;
		b->kernel = addr >> 63;
		b->next = *head;
		*head = b;
	}
	pthread_mutex_unlock(&lock);
	return b;
}

static bool is_halt(const uint8_t *d, size_t len)
{
	return (len == 1 && d[0] == 0xf4) ||
	       (len == 3 && d[0] == 0x0f && d[1] == 0x01 && d[2] == 0xc9);
}

/*
 * __switch_to_asm is the place where "mov %rsp,disp(%rdi)" is followed by
 * "mov disp(%rsi),%rsp" with the same displacement.
 */
static bool is_switch(const uint8_t *prev, const uint8_t *d, size_t len)
{
	return prev && len == 7 && !memcmp(prev, "\x48\x89\xa7", 3) &&
	       !memcmp(d, "\x48\x8b\xa6", 3) && !memcmp(prev + 3, d + 3, 4);
}

/* "mov reg,OFFSET(reg)", but that of the stack pointer, which is a switch's. */
static bool is_new_task(const uint8_t *d, size_t len)
{
	return switch_offset && len == 7 && (d[0] & 0xfa) == 0x48 &&
	       d[1] == 0x89 && (d[2] & 0xc0) == 0x80 &&
	       (d[0] & 4 || (d[2] & 0x38) != 0x20) &&
	       !memcmp(d + 3, &switch_offset, 4);
}

/* Let a function run before each execution of an instruction. */
static void on_insn(struct qemu_plugin_insn *insn,
		    qemu_plugin_vcpu_cb fn, uintptr_t arg)
{
	qemu_plugin_register_vcpu_insn_exec_cb(insn, fn, QEMU_PLUGIN_CB_NO_REGS,
					       (void *)arg);
}

/* Registered for reads only it would never be called. */
static void on_access(struct qemu_plugin_insn *insn, qemu_plugin_mem_cb fn)
{
	qemu_plugin_register_vcpu_mem_cb(insn, fn, QEMU_PLUGIN_CB_NO_REGS,
					 QEMU_PLUGIN_MEM_RW, NULL);
}

static void translate(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	size_t i, len, n = qemu_plugin_tb_n_insns(tb);
	uint64_t addr = qemu_plugin_tb_vaddr(tb);
	bool kernel = addr >> 63;
	const uint8_t *d, *prev = NULL;
	struct qemu_plugin_insn *insn;
	unsigned int unit = 0;
	uint32_t w;

	(void)id;
	for (i = 0; i < n; i++) {
		insn = qemu_plugin_tb_get_insn(tb, i);
		d = qemu_plugin_insn_data(insn);
		len = qemu_plugin_insn_size(insn);
		if (len == 8 && !memcmp(d, "\x0f\x1f\x84\x00", 4)) {
			memcpy(&w, d + 4, 4);
			if ((w & 0xffff0000) == VM_MARK_MAGIC)
				on_insn(insn, word, w & 0xffff);
		}
		if (kernel && is_halt(d, len))
			on_insn(insn, halt, 0);
		if (kernel && is_switch(prev, d, len))
			on_access(insn, switch_task);
		if (kernel && is_new_task(d, len))
			on_access(insn, new_task);
		prev = len == 7 ? d : NULL;
		if (i == n - 1)
			unit = rep_unit(d, len);
	}
	qemu_plugin_register_vcpu_tb_exec_cb(tb, count_block,
					     QEMU_PLUGIN_CB_NO_REGS,
					     find_block(addr, unit ? n - 1 : n,
							unit));
}

static void finish(qemu_plugin_id_t id, void *data)
{
	(void)id;
	(void)data;
	snapshot(0, "end");
}

int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc,
			char **argv)
{
	int i;

	(void)info;
	for (i = 0; i < NR_CPUS; i++)
		cpus[i].task = &nobody;
	for (i = 0; i < argc; i++) {
		if (!strncmp(argv[i], "out=", 4))
			out = fopen(argv[i] + 4, "w");
		else if (!strncmp(argv[i], "switch=", 7))
			switch_offset = strtoul(argv[i] + 7, NULL, 0);
		else if (!strcmp(argv[i], "profile=on"))
			profile = true;
	}
	if (!out) {
		fprintf(stderr, "count: cannot write the file given by out=\n");
		return -1;
	}
	fprintf(out, "role 0 rest\nrole 1 idle\n");
	qemu_plugin_register_vcpu_tb_trans_cb(id, translate);
	qemu_plugin_register_atexit_cb(id, finish, NULL);
	return 0;
}
