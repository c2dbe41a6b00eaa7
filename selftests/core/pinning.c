// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Can anything in Linux take hold of a frame's pages, so that they would be
 * written or read after the frame was closed? Each attempt is made on ordinary
 * memory too, where it must work, or it would prove nothing.
 *
 * vm: --disk 16
 */
#include "../exo_test.h"

#include <arpa/inet.h>
#include <liburing.h>
#include <linux/futex.h>
#include <linux/if_xdp.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/uio.h>

#ifndef SO_ZEROCOPY
#define SO_ZEROCOPY 60
#endif
#define PAGE	4096UL
#define BYTES	(4 * PAGE)
#define DISK	"/dev/vda"

/* Each attempt: 0 if it could take hold of the memory, else -errno. */

static long direct_io(char *p, bool write_it)
{
	int fd = open(DISK, O_RDWR | O_DIRECT | O_CLOEXEC);
	long rc;

	if (fd < 0)
		bail("open " DISK ": %m");
	rc = write_it ? pwrite(fd, p, BYTES, 0) : pread(fd, p, BYTES, 0);
	rc = rc < 0 ? -errno : 0;
	close(fd);
	return rc;
}

static long direct_read(char *p)
{
	return direct_io(p, false);
}

static long direct_write(char *p)
{
	return direct_io(p, true);
}

static long vm_copy(char *p, bool write_it)
{
	char buf[64] = "";
	struct iovec here = { buf, sizeof(buf) }, there = { p, sizeof(buf) };
	long rc;

	if (write_it)
		rc = process_vm_writev(getpid(), &here, 1, &there, 1, 0);
	else
		rc = process_vm_readv(getpid(), &here, 1, &there, 1, 0);
	return rc < 0 ? -errno : 0;
}

static long vm_read(char *p)
{
	return vm_copy(p, false);
}

static long vm_write(char *p)
{
	return vm_copy(p, true);
}

static long splice_pages(char *p)
{
	struct iovec iov = { p, PAGE };
	int fds[2];
	long rc;

	if (pipe(fds))
		bail("pipe: %m");
	rc = vmsplice(fds[1], &iov, 1, SPLICE_F_NONBLOCK);
	rc = rc < 0 ? -errno : 0;
	close(fds[0]);
	close(fds[1]);
	return rc;
}

static long fixed_buffer(char *p)
{
	struct iovec iov = { p, BYTES };
	struct io_uring ring;
	long rc = io_uring_queue_init(4, &ring, 0);

	if (rc)
		bail("io_uring_queue_init: %s", strerror(-rc));
	rc = io_uring_register_buffers(&ring, &iov, 1);
	io_uring_queue_exit(&ring);
	return rc;
}

static long shared_futex(char *p)
{
	return syscall(SYS_futex, p, FUTEX_WAKE, 1, NULL, NULL, 0) < 0 ?
		-errno : 0;
}

static long populate(char *p)
{
#ifdef MADV_POPULATE_WRITE
	return madvise(p, PAGE, MADV_POPULATE_WRITE) ? -errno : 0;
#else
	return madvise(p, PAGE, 23) ? -errno : 0;
#endif
}

/* A pair of connected TCP sockets on the loopback link. */
static void tcp_pair(int fds[2])
{
	struct sockaddr_in a = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t len = sizeof(a);
	int l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (bind(l, (struct sockaddr *)&a, len) || listen(l, 1) ||
	    getsockname(l, (struct sockaddr *)&a, &len))
		bail("listen: %m");
	fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connect(fds[0], (struct sockaddr *)&a, len))
		bail("connect: %m");
	fds[1] = accept(l, NULL, NULL);
	close(l);
}

static long zerocopy_send(char *p)
{
	int fds[2], one = 1;
	long rc;

	tcp_pair(fds);
	if (setsockopt(fds[0], SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one)))
		bail("SO_ZEROCOPY: %m");
	rc = send(fds[0], p, PAGE, MSG_ZEROCOPY);
	rc = rc < 0 ? -errno : 0;
	close(fds[0]);
	close(fds[1]);
	return rc;
}

static long packet_memory(char *p)
{
	struct xdp_umem_reg reg = {
		.addr = (uintptr_t)p, .len = BYTES, .chunk_size = PAGE,
	};
	int fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
	long rc;

	if (fd < 0)
		return -errno;
	rc = setsockopt(fd, SOL_XDP, XDP_UMEM_REG, &reg, sizeof(reg)) ?
		-errno : 0;
	close(fd);
	return rc;
}

static const struct {
	const char *what;
	long (*try)(char *p);
	long error;
} attempts[] = {
	{ "O_DIRECT read", direct_read, -EFAULT },
	{ "O_DIRECT write", direct_write, -EFAULT },
	{ "process_vm_readv", vm_read, -EFAULT },
	{ "process_vm_writev", vm_write, -EFAULT },
	{ "vmsplice", splice_pages, -EFAULT },
	{ "io_uring fixed buffer", fixed_buffer, -EFAULT },
	{ "MSG_ZEROCOPY", zerocopy_send, -EFAULT },
	{ "AF_XDP memory", packet_memory, -EFAULT },
	{ "shared futex", shared_futex, -EFAULT },
	{ "MADV_POPULATE_WRITE", populate, -EINVAL },
};

/* Plain copies in and out do not take hold of pages: they must work. */
static void test_copies(char *p)
{
	int fds[2], file;
	char back[64];

	tcp_pair(fds);
	memset(p, 'e', BYTES);
	is(send(fds[0], p, BYTES, 0), (long)BYTES, "send(2) out of a frame");
	memset(p, 0, BYTES);
	is(recv(fds[1], p, BYTES, MSG_WAITALL), (long)BYTES,
	   "recv(2) into a frame");
	ok(p[0] == 'e' && p[BYTES - 1] == 'e', "brings the bytes");
	file = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	is(write(file, p, BYTES), (long)BYTES, "write(2) out of a frame");
	memset(p, 0, BYTES);
	is(pread(file, p, BYTES, 0), (long)BYTES, "read(2) into a frame");
	ok(p[0] == 'e' && p[BYTES - 1] == 'e', "brings the bytes");
	is(pread(file, back, sizeof(back), 0), (long)sizeof(back),
	   "the file can be read");
	ok(!memcmp(back, p, sizeof(back)), "and holds them");
	close(file);
	close(fds[0]);
	close(fds[1]);
}

int main(void)
{
	struct exo_stats before;
	struct exo_frame_alloc a;
	char *p, *plain;
	long rc;
	size_t i;
	int fd;

	exo_setup();
	fd = exo_open();
	before = stats_get(fd);
	if (exo_alloc(fd, 4, 2, &a))
		bail("cannot allocate");
	p = exo_map(fd, a.out_mmap_offset, BYTES);
	plain = aligned_alloc(PAGE, BYTES);
	if (p == MAP_FAILED || !plain)
		bail("no memory");
	memset(p, 1, BYTES);
	memset(plain, 1, BYTES);
	for (i = 0; i < ARRAY_SIZE(attempts); i++) {
		rc = attempts[i].try(plain);
		if (rc) {
			skip("%s does not even work on ordinary memory: %s",
			     attempts[i].what, strerror(-rc));
			continue;
		}
		is(attempts[i].try(p), attempts[i].error, "%s is refused",
		   attempts[i].what);
	}
	test_copies(p);
	munmap(p, BYTES);
	exo_close_handle(fd, a.out_handle);
	ok(stats_wait(fd, &before, 2000), "the frame's pages are free");
	close(fd);
	return done_testing();
}
