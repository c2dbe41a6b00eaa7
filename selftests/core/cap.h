/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* Short forms of the capability commands, for the tests of them. */
#ifndef EXO_SELFTESTS_CAP_H
#define EXO_SELFTESTS_CAP_H

#include "../exo_test.h"

#include <sys/socket.h>
#include <sys/uio.h>

#define PAGE	4096UL
#define R	EXO_RIGHT_READ
#define W	EXO_RIGHT_WRITE
#define S	EXO_RIGHT_SHARE
#define RW	(R | W)
#define RWS	(R | W | S)
#define RO	PROT_READ
#define RDWR	(PROT_READ | PROT_WRITE)

MAYBE_UNUSED static uint64_t boottime_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

MAYBE_UNUSED static bool module_has(uint64_t bit)
{
	struct exo_query q = { .size = sizeof(q) };
	int env = exo_open();
	bool has = !exo_ioctl(env, EXO_CMD_QUERY, &q) &&
		   (q.out_features & bit);

	close(env);
	return has;
}

/* A frame that must be there. */
MAYBE_UNUSED static uint32_t frame_new(int env, uint32_t nr_pages)
{
	struct exo_frame_alloc f;
	long rc = exo_alloc(env, nr_pages, 0, &f);

	if (rc)
		bail("FRAME_ALLOC: %s", strerror(-rc));
	return f.out_handle;
}

/* 0 and *@out the new handle, or -errno and *@out 0. */
MAYBE_UNUSED static long derive_until(int env, uint32_t handle,
				      uint32_t rights, uint64_t start,
				      uint64_t nr, uint64_t expires_ns,
				      uint32_t *out)
{
	struct exo_cap_derive d = {
		.size = sizeof(d), .handle = handle, .rights = rights,
		.start = start, .nr = nr, .expires_ns = expires_ns,
	};
	long rc = exo_ioctl(env, EXO_CMD_CAP_DERIVE, &d);

	*out = rc ? 0 : d.out_handle;
	return rc;
}

MAYBE_UNUSED static long derive(int env, uint32_t handle, uint32_t rights,
				uint64_t start, uint64_t nr, uint32_t *out)
{
	return derive_until(env, handle, rights, start, nr, 0, out);
}

/* One that must succeed. */
MAYBE_UNUSED static uint32_t derived(int env, uint32_t handle, uint32_t rights,
				     uint64_t start, uint64_t nr)
{
	uint32_t out;
	long rc = derive(env, handle, rights, start, nr, &out);

	if (rc)
		bail("CAP_DERIVE: %s", strerror(-rc));
	return out;
}

/* The fd, or -errno. */
MAYBE_UNUSED static long export_fd(int env, uint32_t handle)
{
	struct exo_cap_export e = { .size = sizeof(e), .handle = handle };
	long rc = exo_ioctl(env, EXO_CMD_CAP_EXPORT, &e);

	return rc ?: e.out_fd;
}

MAYBE_UNUSED static long import_fd(int env, int fd, uint32_t *out)
{
	struct exo_cap_import i = { .size = sizeof(i), .fd = fd };
	long rc = exo_ioctl(env, EXO_CMD_CAP_IMPORT, &i);

	*out = rc ? 0 : i.out_handle;
	return rc;
}

/* How many ended, or -errno. */
MAYBE_UNUSED static long cap_revoke(int env, uint32_t handle, uint32_t flags)
{
	struct exo_cap_revoke r = {
		.size = sizeof(r), .flags = flags, .handle = handle,
	};
	long rc = exo_ioctl(env, EXO_CMD_CAP_REVOKE, &r);

	return rc ?: (long)r.out_nr;
}

/* How many were told that they end in @ms, or -errno. */
MAYBE_UNUSED static long cap_notice(int env, uint32_t handle, uint32_t ms)
{
	struct exo_cap_revoke r = {
		.size = sizeof(r), .handle = handle, .timeout_ms = ms,
	};
	long rc = exo_ioctl(env, EXO_CMD_CAP_REVOKE, &r);

	return rc ?: (long)r.out_nr;
}

MAYBE_UNUSED static long cap_info(int env, uint32_t handle,
				  struct exo_cap_info *i)
{
	*i = (struct exo_cap_info) { .size = sizeof(*i), .handle = handle };
	return exo_ioctl(env, EXO_CMD_CAP_INFO, i);
}

/* EXO_CAP_*, or -errno. */
MAYBE_UNUSED static long cap_state(int env, uint32_t handle)
{
	struct exo_cap_info i;
	long rc = cap_info(env, handle, &i);

	return rc ?: i.out_state;
}

MAYBE_UNUSED static struct exo_refusal refusal(int env)
{
	struct exo_refusal r = { .size = sizeof(r) };
	long rc = exo_ioctl(env, EXO_CMD_REFUSAL, &r);

	if (rc)
		bail("REFUSAL: %s", strerror(-rc));
	return r;
}

/* Map pages of a capability, from its page @first on. */
MAYBE_UNUSED static void *cap_map(int env, uint32_t handle, uint64_t first,
				  size_t nr, int prot)
{
	struct exo_cap_info i;

	if (cap_info(env, handle, &i))
		return mmap(NULL, nr * PAGE, prot, MAP_SHARED, env,
			    ((uint64_t)handle << 32) + first * PAGE);
	return mmap(NULL, nr * PAGE, prot, MAP_SHARED, env,
		    i.out_mmap_offset + first * PAGE);
}

/* What mmap says: 0 or -errno; nothing stays mapped. */
MAYBE_UNUSED static int map_error(int env, uint32_t handle, uint64_t first,
				  size_t nr, int prot)
{
	void *p = cap_map(env, handle, first, nr, prot);
	int rc = errno;

	if (p == MAP_FAILED)
		return -rc;
	munmap(p, nr * PAGE);
	return 0;
}

/* One that must succeed. */
MAYBE_UNUSED static uint64_t *cap_mapped(int env, uint32_t handle,
					 uint64_t first, size_t nr, int prot)
{
	void *p = cap_map(env, handle, first, nr, prot);

	if (p == MAP_FAILED)
		bail("mmap: %m");
	return p;
}

/* One number and perhaps an fd (-1 for none) to another process. */
MAYBE_UNUSED static void pass(int sock, uint64_t word, int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = "";
	struct iovec iov = { &word, sizeof(word) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *cm;

	if (fd >= 0) {
		msg.msg_control = control;
		msg.msg_controllen = sizeof(control);
		cm = CMSG_FIRSTHDR(&msg);
		cm->cmsg_level = SOL_SOCKET;
		cm->cmsg_type = SCM_RIGHTS;
		cm->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cm), &fd, sizeof(int));
	}
	if (sendmsg(sock, &msg, 0) != sizeof(word))
		bail("sendmsg: %m");
}

/* The other end; *@fd is -1 if none came. */
MAYBE_UNUSED static uint64_t take(int sock, int *fd)
{
	char control[CMSG_SPACE(sizeof(int))];
	uint64_t word;
	struct iovec iov = { &word, sizeof(word) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};

	if (recvmsg(sock, &msg, MSG_CMSG_CLOEXEC) != sizeof(word))
		bail("the other process is gone: %m");
	if (fd) {
		*fd = -1;
		if (CMSG_FIRSTHDR(&msg))
			memcpy(fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)),
			       sizeof(int));
	}
	return word;
}

/* File descriptors that this process has. */
MAYBE_UNUSED static int nr_fds(void)
{
	int fd, n = 0;

	for (fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

#endif /* EXO_SELFTESTS_CAP_H */
