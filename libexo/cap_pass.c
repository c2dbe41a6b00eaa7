// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Capability: passing a descriptor over a UNIX socket.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <exo/cap.h>

#include "sys.h"

#define MOST_FDS	253	/* the kernel's SCM_MAX_FD */

/* As unix(7) wants it: aligned as a cmsghdr. */
union control {
	struct cmsghdr align;
	char buf[CMSG_SPACE(MOST_FDS * sizeof(int))];
};

int exo_cap_send(const struct exo_env *env, int sock, int fd)
{
	struct iovec iov = { .iov_base = (char[]) { 'c' }, .iov_len = 1 };
	union control control = { .align = { 0 } };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = CMSG_SPACE(sizeof(fd)),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	ssize_t n;

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	n = env->sys->sendmsg(env->sys, sock, &msg, MSG_NOSIGNAL);
	return n < 0 ? (int)n : 0;
}

/* Takes the first descriptor, closes the others: how many there were. */
static int take_fds(const struct exo_sys *sys, struct msghdr *msg, int *first)
{
	struct cmsghdr *cmsg;
	size_t i, nr;
	int fd, all = 0;

	for (cmsg = CMSG_FIRSTHDR(msg); cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {
		if (cmsg->cmsg_level != SOL_SOCKET ||
		    cmsg->cmsg_type != SCM_RIGHTS)
			continue;
		nr = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(fd);
		for (i = 0; i < nr; i++) {
			memcpy(&fd, CMSG_DATA(cmsg) + i * sizeof(fd),
			       sizeof(fd));
			if (all++)
				sys->close(sys, fd);
			else
				*first = fd;
		}
	}
	return all;
}

int exo_cap_recv(const struct exo_env *env, int sock)
{
	const struct exo_sys *sys = env->sys;
	union control control;
	char byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = sizeof(control.buf),
	};
	int fd = -1, nr;
	ssize_t n;

	n = sys->recvmsg(sys, sock, &msg, MSG_CMSG_CLOEXEC);
	if (n < 0)
		return (int)n;
	nr = take_fds(sys, &msg, &fd);
	if (nr == 1 && n == 1 && !(msg.msg_flags & (MSG_CTRUNC | MSG_TRUNC)))
		return fd;
	if (nr)
		sys->close(sys, fd);
	return n || nr ? -EBADMSG : -EPIPE;
}
