// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * vm-host: run a command on the machine that hosts this guest.
 *
 *   vm-host CMD...
 *
 * CMD runs in the root of the source tree and, with --net tap, in the network
 * namespace at the other end of eth0.  Its output appears here, its status is
 * returned; 126 if the host could not be asked.  When this program is killed,
 * the command is killed at the latest when its port is used next.
 *
 * The request goes through one of a few virtio-serial ports (a port has one
 * user at a time) as a length and a block of NUL-terminated strings: an id,
 * then the arguments.  The answer comes in frames.  A frame with another id
 * belongs to a predecessor on the port that was killed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NR_PORTS	4
#define REQUEST_BYTES	65536

/* Little-endian as the host, which is the same machine. */
struct frame {
	uint32_t id;
	uint32_t type;		/* 1, 2: for that descriptor; 0: status */
	uint32_t len;
};

static void fail(const char *what)
{
	fprintf(stderr, "vm-host: %s: %s\n", what, strerror(errno));
	exit(126);
}

static int open_port(void)
{
	char name[64];
	int fd, i;

	for (;;) {
		for (i = 0; i < NR_PORTS; i++) {
			snprintf(name, sizeof(name),
				 "/dev/virtio-ports/exo.host%d", i);
			fd = open(name, O_RDWR | O_CLOEXEC);
			if (fd >= 0)
				return fd;
			if (errno != EBUSY)
				fail(name);
		}
		usleep(20000);
	}
}

static void write_all(int fd, const void *data, size_t len)
{
	const char *p = data;
	ssize_t n;

	while (len) {
		n = write(fd, p, len);
		if (n < 0 && errno != EINTR)
			fail("write");
		if (n > 0) {
			p += n;
			len -= n;
		}
	}
}

static void read_all(int fd, void *data, size_t len)
{
	char *p = data;
	ssize_t n;

	while (len) {
		n = read(fd, p, len);
		if (n == 0) {
			errno = EPIPE;
			fail("the host went away");
		}
		if (n < 0 && errno != EINTR)
			fail("read");
		if (n > 0) {
			p += n;
			len -= n;
		}
	}
}

static void request(int port, uint32_t id, int argc, char **argv)
{
	static char buf[REQUEST_BYTES];
	uint32_t len;
	size_t n;
	int i;

	len = 4 + snprintf(buf + 4, 16, "%u", id) + 1;
	for (i = 1; i < argc; i++) {
		n = strlen(argv[i]) + 1;
		if (n > sizeof(buf) - len) {
			errno = E2BIG;
			fail("command line");
		}
		memcpy(buf + len, argv[i], n);
		len += n;
	}
	n = len - 4;
	memcpy(buf, &(uint32_t){ n }, 4);
	write_all(port, buf, len);
}

int main(int argc, char **argv)
{
	static char buf[65536];
	struct frame f;
	uint32_t id = getpid();
	int port;

	if (argc < 2) {
		fprintf(stderr, "usage: vm-host CMD...\n");
		return 2;
	}
	port = open_port();
	request(port, id, argc, argv);
	for (;;) {
		read_all(port, &f, sizeof(f));
		if (f.len > sizeof(buf)) {
			errno = EPROTO;
			fail("answer");
		}
		read_all(port, buf, f.len);
		if (f.id != id)
			continue;
		if (f.type == 0)
			return (unsigned char)buf[0];
		write_all(f.type, buf, f.len);
	}
}
