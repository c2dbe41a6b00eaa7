// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * The real system calls, turned into -errno.
 */
#define _GNU_SOURCE	/* ppoll */
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "sys.h"

#define NSEC_PER_SEC	1000000000

static int sys_open(const struct exo_sys *sys, const char *path, int flags)
{
	int fd = open(path, flags);

	(void)sys;
	return fd < 0 ? -errno : fd;
}

static int sys_close(const struct exo_sys *sys, int fd)
{
	(void)sys;
	return close(fd) ? -errno : 0;
}

static int sys_ioctl(const struct exo_sys *sys, int fd, unsigned long cmd,
		     void *arg)
{
	int rc = ioctl(fd, cmd, arg);

	(void)sys;
	return rc < 0 ? -errno : rc;
}

static int sys_mmap(const struct exo_sys *sys, size_t bytes, int prot, int fd,
		    __u64 offset, void **addr)
{
	void *p = mmap(NULL, bytes, prot, MAP_SHARED, fd, (off_t)offset);

	(void)sys;
	if (p == MAP_FAILED)
		return -errno;
	*addr = p;
	return 0;
}

static int sys_munmap(const struct exo_sys *sys, void *addr, size_t bytes)
{
	(void)sys;
	return munmap(addr, bytes) ? -errno : 0;
}

static int sys_poll(const struct exo_sys *sys, struct pollfd *fds, nfds_t nr,
		    __s64 timeout_ns)
{
	struct timespec ts = {
		.tv_sec = timeout_ns / NSEC_PER_SEC,
		.tv_nsec = timeout_ns % NSEC_PER_SEC,
	};
	int rc = ppoll(fds, nr, timeout_ns < 0 ? NULL : &ts, NULL);

	(void)sys;
	return rc < 0 ? -errno : rc;
}

static __u64 clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (__u64)ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

static __u64 sys_now_ns(const struct exo_sys *sys)
{
	(void)sys;
	return clock_ns(CLOCK_MONOTONIC);
}

static int sys_uring_init(const struct exo_sys *sys, unsigned int entries,
			  struct io_uring *ring, unsigned int flags)
{
	(void)sys;
	return io_uring_queue_init(entries, ring, flags);
}

static void sys_uring_exit(const struct exo_sys *sys, struct io_uring *ring)
{
	(void)sys;
	io_uring_queue_exit(ring);
}

static ssize_t sys_read(const struct exo_sys *sys, int fd, void *buf,
			size_t bytes)
{
	ssize_t n = read(fd, buf, bytes);

	(void)sys;
	return n < 0 ? -errno : n;
}

static ssize_t sys_sendmsg(const struct exo_sys *sys, int fd,
			   const struct msghdr *msg, int flags)
{
	ssize_t n = sendmsg(fd, msg, flags);

	(void)sys;
	return n < 0 ? -errno : n;
}

static ssize_t sys_recvmsg(const struct exo_sys *sys, int fd,
			   struct msghdr *msg, int flags)
{
	ssize_t n = recvmsg(fd, msg, flags);

	(void)sys;
	return n < 0 ? -errno : n;
}

static ssize_t sys_write(const struct exo_sys *sys, int fd, const void *buf,
			 size_t bytes)
{
	ssize_t n = write(fd, buf, bytes);

	(void)sys;
	return n < 0 ? -errno : n;
}

static int sys_eventfd(const struct exo_sys *sys, unsigned int value, int flags)
{
	int fd = eventfd(value, flags);

	(void)sys;
	return fd < 0 ? -errno : fd;
}

static __u64 sys_boot_ns(const struct exo_sys *sys)
{
	(void)sys;
	return clock_ns(CLOCK_BOOTTIME);
}

static const struct exo_sys real_sys = {
	.open = sys_open,
	.close = sys_close,
	.ioctl = sys_ioctl,
	.mmap = sys_mmap,
	.munmap = sys_munmap,
	.poll = sys_poll,
	.now_ns = sys_now_ns,
	.uring_init = sys_uring_init,
	.uring_exit = sys_uring_exit,
	.read = sys_read,
	.sendmsg = sys_sendmsg,
	.recvmsg = sys_recvmsg,
	.write = sys_write,
	.eventfd = sys_eventfd,
	.boot_ns = sys_boot_ns,
};

const struct exo_sys *exo_sys_default(void)
{
	return &real_sys;
}
