// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * epoll: the smallest HTTP server over the kernel's TCP
 *
 *   floor-epoll PORT BYTES
 *
 * Answers whatever ends with an empty line with BYTES bytes from memory. It
 * does nothing a server could leave out, so what it costs is what kernel TCP
 * costs: one wait for many connections, one read and one write a request. It is
 * the floor that figures are compared with, and no server for anything else: a
 * request must come in one piece, and only "Connection: close" is understood.
 *
 * Edge-triggered, since an event then costs no second look at the socket; a
 * read that returns less than there was room for has emptied it.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_EVENTS	64
#define MAX_FDS		65536

/* What is still to be sent when the socket's buffer was full. */
struct rest {
	size_t at;
	bool sending;
	bool closing;
	bool told;
};

static int epoll_fd;
static struct rest rests[MAX_FDS];
static char *response[2];	/* keep-alive, close */
static size_t response_len[2];

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void make_response(int kind, size_t bytes)
{
	char head[256];
	int n;

	n = snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\n"
		     "Content-Length: %zu\r\nConnection: %s\r\n\r\n", bytes,
		     kind ? "close" : "keep-alive");
	response[kind] = malloc(n + bytes);
	if (!response[kind])
		die("malloc");
	memcpy(response[kind], head, n);
	memset(response[kind] + n, 'x', bytes);
	response_len[kind] = n + bytes;
}

static int make_listener(int port)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
	};
	int one = 1;
	int fd;

	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		die("socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	/* Accepted sockets inherit it. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)))
		die("bind");
	if (listen(fd, 4096))
		die("listen");
	return fd;
}

static void accept_all(int listener)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET };
	int fd;

	for (;;) {
		fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0)
			return;
		if (fd >= MAX_FDS) {
			close(fd);
			continue;
		}
		rests[fd] = (struct rest){ 0 };
		ev.data.fd = fd;
		if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &ev))
			die("epoll_ctl");
	}
}

/* From now on be told of room as well; few connections ever need it. */
static void want_room(int fd)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLOUT | EPOLLET };

	ev.data.fd = fd;
	if (epoll_ctl(epoll_fd, EPOLL_CTL_MOD, fd, &ev))
		die("epoll_ctl");
	rests[fd].told = true;
}

/* Send on; true when all is sent, false when it must wait or is over. */
static bool send_rest(int fd)
{
	struct rest *r = &rests[fd];
	size_t len = response_len[r->closing];
	ssize_t n;

	while (r->at < len) {
		n = send(fd, response[r->closing] + r->at, len - r->at,
			 MSG_NOSIGNAL);
		if (n < 0 && errno == EAGAIN && !r->told) {
			want_room(fd);
			continue;
		}
		if (n < 0) {
			if (errno != EAGAIN)
				close(fd);
			return false;
		}
		r->at += n;
	}
	r->sending = false;
	if (r->closing)
		close(fd);
	return !r->closing;
}

static void serve(int fd)
{
	struct rest *r = &rests[fd];
	char buf[4096];
	ssize_t n;

	if (r->sending && !send_rest(fd))
		return;
	for (;;) {
		n = read(fd, buf, sizeof(buf));
		if (n <= 0) {
			if (n == 0 || errno != EAGAIN)
				close(fd);
			return;
		}
		if (n < 4 || memcmp(buf + n - 4, "\r\n\r\n", 4)) {
			close(fd);
			return;
		}
		r->closing = !!memmem(buf, n, "Connection: close", 17);
		r->at = 0;
		r->sending = true;
		if (!send_rest(fd) || (size_t)n < sizeof(buf))
			return;
	}
}

int main(int argc, char **argv)
{
	struct epoll_event events[MAX_EVENTS];
	struct epoll_event ev = { .events = EPOLLIN };
	int listener, n, i;

	if (argc != 3) {
		fprintf(stderr, "usage: floor-epoll PORT BYTES\n");
		return 2;
	}
	make_response(0, strtoul(argv[2], NULL, 10));
	make_response(1, strtoul(argv[2], NULL, 10));
	listener = make_listener(atoi(argv[1]));
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (epoll_fd < 0)
		die("epoll_create1");
	ev.data.fd = listener;
	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &ev))
		die("epoll_ctl");
	for (;;) {
		n = epoll_wait(epoll_fd, events, MAX_EVENTS, -1);
		if (n < 0 && errno != EINTR)
			die("epoll_wait");
		for (i = 0; i < n; i++) {
			if (events[i].data.fd == listener)
				accept_all(listener);
			else
				serve(events[i].data.fd);
		}
	}
}
