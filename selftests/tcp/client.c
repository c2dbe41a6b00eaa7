// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* See client.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include "app.h"
#include "client.h"

int dial(int rcvbuf)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = htons(80),
		.sin_addr.s_addr = htonl(CLIENT_SERVER_ADDR),
	};
	struct timeval tv = { .tv_sec = 40 };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (rcvbuf)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &rcvbuf, sizeof(rcvbuf));
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0) {
		printf("# connect: %s\n", strerror(errno));
		close(fd);
		return -1;
	}
	return fd;
}

bool put(int fd, const void *data, size_t len)
{
	const char *p = data;
	ssize_t n;

	while (len) {
		n = send(fd, p, len, MSG_NOSIGNAL);
		if (n <= 0) {
			printf("# send: %s\n", strerror(errno));
			return false;
		}
		p += n;
		len -= n;
	}
	return true;
}

bool get(int fd, void *data, size_t len)
{
	char *p = data;
	ssize_t n;

	while (len) {
		n = recv(fd, p, len, 0);
		if (n <= 0) {
			printf("# recv: %s, %zu bytes missing\n",
			       n ? strerror(errno) : "closed", len);
			return false;
		}
		p += n;
		len -= n;
	}
	return true;
}

bool ask(int fd, __u32 op, __u64 n)
{
	struct app_request req = { .op = op, .n = n };

	return put(fd, &req, sizeof(req));
}

bool get_pattern(int fd, __u64 n)
{
	static __thread __u8 buf[65536];
	__u64 pos = 0;
	size_t part, i;

	while (pos < n) {
		part = n - pos < sizeof(buf) ? n - pos : sizeof(buf);
		if (!get(fd, buf, part))
			return false;
		for (i = 0; i < part; i++) {
			if (buf[i] != app_pattern(pos + i)) {
				printf("# wrong byte at %llu\n",
				       (unsigned long long)pos + i);
				return false;
			}
		}
		pos += part;
	}
	return true;
}

bool get_eof(int fd)
{
	char c;
	ssize_t n = recv(fd, &c, 1, 0);

	if (n)
		printf("# no EOF: %s\n", n > 0 ? "data" : strerror(errno));
	return n == 0;
}

bool fetch(int fd, __u32 op, __u64 n)
{
	return ask(fd, op, n) && get_pattern(fd, n);
}

bool upload(int fd, __u32 op, __u64 n)
{
	__u8 buf[32768];
	__u64 pos = 0, hash = 0;
	struct app_sum sum;
	size_t part, i;

	if (!ask(fd, op, n))
		return false;
	while (pos < n) {
		part = n - pos < sizeof(buf) ? n - pos : sizeof(buf);
		for (i = 0; i < part; i++)
			buf[i] = app_pattern(pos + i);
		hash = app_hash(hash, buf, part);
		if (!put(fd, buf, part))
			return false;
		pos += part;
	}
	return get(fd, &sum, sizeof(sum)) && sum.n == n && sum.hash == hash;
}

struct echo_half {
	int fd;
	__u64 n;
	bool ok;
};

static void *echo_writer(void *arg)
{
	struct echo_half *half = arg;
	__u8 buf[10007];
	__u64 pos = 0;
	size_t part, i;

	half->ok = true;
	while (pos < half->n && half->ok) {
		part = 1 + (pos * 7919) % sizeof(buf);
		if (part > half->n - pos)
			part = half->n - pos;
		for (i = 0; i < part; i++)
			buf[i] = app_pattern(pos + i);
		half->ok = put(half->fd, buf, part);
		pos += part;
	}
	shutdown(half->fd, SHUT_WR);
	return NULL;
}

bool echo(int fd, __u64 n)
{
	struct echo_half half = { fd, n, false };
	pthread_t thread;
	bool ok;

	if (!ask(fd, APP_ECHO, 0) ||
	    pthread_create(&thread, NULL, echo_writer, &half))
		return false;
	ok = get_pattern(fd, n);
	pthread_join(thread, NULL);
	return ok && half.ok && get_eof(fd);
}

struct crowd_one {
	struct crowd *crowd;
	pthread_t thread;
	int i;
	bool ok;
};

static void *crowd_thread(void *arg)
{
	struct crowd_one *one = arg;

	one->ok = one->crowd->client(one->crowd, one->i);
	return NULL;
}

bool crowd_run(struct crowd *crowd, int nr)
{
	struct crowd_one *ones = calloc(nr, sizeof(*ones));
	bool ok = true;
	int i;

	for (i = 0; i < nr; i++) {
		ones[i].crowd = crowd;
		ones[i].i = i;
		if (pthread_create(&ones[i].thread, NULL, crowd_thread,
				   &ones[i]))
			fake_die("no thread");
	}
	for (i = 0; i < nr; i++) {
		pthread_join(ones[i].thread, NULL);
		if (!ones[i].ok)
			printf("# client %d failed\n", i);
		ok &= ones[i].ok;
	}
	free(ones);
	return ok;
}

bool client_fetch(struct crowd *crowd, int i)
{
	int fd = dial(crowd->rcvbuf);
	bool ok = fd >= 0 && fetch(fd, i & 1 ? APP_SCATTER : APP_SEND,
				   crowd->n) &&
		  fetch(fd, APP_SEND_FIN, crowd->n + i) && get_eof(fd);

	close(fd);
	return ok;
}

bool client_upload(struct crowd *crowd, int i)
{
	int fd = dial(0);
	bool ok = fd >= 0 && upload(fd, APP_TAKE, crowd->n + i) &&
		  upload(fd, APP_TAKE, 1);

	close(fd);
	return ok;
}

bool client_echo(struct crowd *crowd, int i)
{
	int fd = dial(crowd->rcvbuf);
	bool ok = fd >= 0 && echo(fd, crowd->n + i);

	close(fd);
	return ok;
}

bool client_keepalive(struct crowd *crowd, int i)
{
	int fd = dial(0), k;
	bool ok = fd >= 0;

	for (k = 0; ok && k < crowd->rounds; k++)
		ok = fetch(fd, APP_SEND, 1 + (k * 37 + i) % crowd->n);
	close(fd);
	return ok;
}

bool client_connects(struct crowd *crowd, int i)
{
	bool ok = true;
	int k, fd;

	for (k = 0; ok && k < crowd->rounds; k++) {
		fd = dial(0);
		ok = fd >= 0 && fetch(fd, (k ^ i) & 1 ? APP_SEND : APP_SEND_FIN,
				      crowd->n);
		close(fd);
	}
	return ok;
}
