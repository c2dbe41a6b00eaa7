// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * vm-mark: mark a place in the instruction count (tools/vm/count.c).
 *
 *   vm-mark LABEL                 snapshot, done when the program returns
 *   vm-mark LABEL CMD...          snapshots LABEL and LABEL.end around CMD
 *   vm-mark --role NAME CMD...    run CMD with its instructions under NAME,
 *                                 and those of all that it starts
 *
 * An interval between two calls contains the end of the first and the start of
 * the second process; "vm-mark LABEL CMD..." contains only CMD's.
 *
 * When the machine is profiled, the kernel's symbols are sent to the host too
 * (once for each load of exo.ko), with the count paused.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../mark.h"

#define PORT	"/dev/virtio-ports/exo.kallsyms"
#define DONE	"/run/vm-kallsyms"

static unsigned char *emit(unsigned char *p, unsigned int word)
{
	uint32_t imm = VM_MARK_MAGIC | word;

	memcpy(p, "\x0f\x1f\x84\x00", 4);
	memcpy(p + 4, &imm, 4);
	return p + 8;
}

/* Writes the words as code and runs it: spell the name, then do it. */
static void tell(const char *name, unsigned int word)
{
	unsigned char *code, *p;
	cpu_set_t old, here;
	size_t i;

	code = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (code == MAP_FAILED) {
		perror("vm-mark: mmap");
		exit(1);
	}
	p = code;
	for (i = 0; i < strnlen(name, 63); i++)
		p = emit(p, VM_MARK_CHAR | (unsigned char)name[i]);
	p = emit(p, word);
	*p = 0xc3;
	if (mprotect(code, 4096, PROT_READ | PROT_EXEC)) {
		perror("vm-mark: mprotect");
		exit(1);
	}
	/* The name is collected per CPU: stay on one. */
	sched_getaffinity(0, sizeof(old), &old);
	CPU_ZERO(&here);
	CPU_SET(sched_getcpu(), &here);
	sched_setaffinity(0, sizeof(here), &here);
	((void (*)(void))code)();
	sched_setaffinity(0, sizeof(old), &old);
	munmap(code, 4096);
}

static void copy(const char *from, int to)
{
	char buf[65536];
	ssize_t n;
	int fd;

	fd = open(from, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		if (write(to, buf, n) != n)
			break;
	close(fd);
}

static void send_symbols(void)
{
	struct stat module, done;
	int port, fd;

	if (access(PORT, W_OK))
		return;
	if (!stat(DONE, &done) &&
	    (stat("/sys/module/exo/sections", &module) ||
	     module.st_ctim.tv_sec < done.st_mtim.tv_sec))
		return;
	tell("", VM_MARK_PAUSE);
	port = open(PORT, O_WRONLY | O_CLOEXEC);
	if (port >= 0) {
		copy("/proc/kallsyms", port);
		close(port);
	}
	fd = open(DONE, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd >= 0) {
		if (write(fd, "\n", 1) < 0)
			perror("vm-mark: " DONE);
		close(fd);
	}
	tell("", VM_MARK_RESUME);
}

static int run(char **argv)
{
	int status;
	pid_t pid;

	pid = fork();
	if (pid == 0) {
		execvp(argv[0], argv);
		fprintf(stderr, "vm-mark: %s: %s\n", argv[0], strerror(errno));
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid) {
		perror("vm-mark");
		return 1;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(int argc, char **argv)
{
	char end[80];
	int rc;

	if (argc > 3 && !strcmp(argv[1], "--role")) {
		tell(argv[2], VM_MARK_ROLE);
		execvp(argv[3], argv + 3);
		fprintf(stderr, "vm-mark: %s: %s\n", argv[3], strerror(errno));
		return 127;
	}
	if (argc < 2 || argv[1][0] == '-' || strpbrk(argv[1], " \n")) {
		fprintf(stderr, "usage: vm-mark LABEL [CMD...]\n"
				"       vm-mark --role NAME CMD...\n");
		return 2;
	}
	tell(argv[1], VM_MARK_SNAPSHOT);
	if (argc == 2) {
		send_symbols();
		return 0;
	}
	rc = run(argv + 2);
	snprintf(end, sizeof(end), "%.58s.end", argv[1]);
	tell(end, VM_MARK_SNAPSHOT);
	send_symbols();
	return rc;
}
