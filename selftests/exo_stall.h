/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Stall: memory at which the kernel stops until the test lets it go on.
 *
 * A command that reads its arguments in parts, or a system call that reads
 * them with a lock held, stands still where they reach into the second page,
 * and the test can change the world meanwhile: a race that is always lost.
 */
#ifndef EXO_SELFTESTS_STALL_H
#define EXO_SELFTESTS_STALL_H

#include <linux/userfaultfd.h>
#include <poll.h>

#include "exo_test.h"

#define STALL_PAGE	4096

/**
 * struct stall - two pages, the second of which is not there yet
 * @fd: userfaultfd
 * @first: the page that can be read and written
 * @second: the one at which whoever comes stops
 */
struct stall {
	int fd;
	uint8_t *first;
	uint8_t *second;
};

MAYBE_UNUSED static void stall_new(struct stall *s)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register r = { .mode = UFFDIO_REGISTER_MODE_MISSING };

	s->fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	s->first = mmap(NULL, 2 * STALL_PAGE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (s->fd < 0 || s->first == MAP_FAILED || ioctl(s->fd, UFFDIO_API, &api))
		bail("userfaultfd: %m");
	s->second = s->first + STALL_PAGE;
	r.range.start = (uintptr_t)s->second;
	r.range.len = STALL_PAGE;
	if (ioctl(s->fd, UFFDIO_REGISTER, &r))
		bail("UFFDIO_REGISTER: %m");
}

/* True once somebody has come to the second page; waits up to 10 s. */
MAYBE_UNUSED static bool stall_reached(struct stall *s)
{
	struct pollfd p = { .fd = s->fd, .events = POLLIN };
	struct uffd_msg msg;

	return poll(&p, 1, 10000) == 1 &&
	       read(s->fd, &msg, sizeof(msg)) == sizeof(msg) &&
	       msg.event == UFFD_EVENT_PAGEFAULT;
}

/* Let it read @content, a page. */
MAYBE_UNUSED static void stall_end(struct stall *s, const void *content)
{
	struct uffdio_copy c = {
		.dst = (uintptr_t)s->second, .src = (uintptr_t)content,
		.len = STALL_PAGE,
	};

	if (ioctl(s->fd, UFFDIO_COPY, &c))
		bail("UFFDIO_COPY: %m");
}

MAYBE_UNUSED static void stall_free(struct stall *s)
{
	munmap(s->first, 2 * STALL_PAGE);
	close(s->fd);
}

#endif /* EXO_SELFTESTS_STALL_H */
