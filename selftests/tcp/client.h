/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Clients of app.h on ordinary sockets. All return false and print a comment
 * line when something is not as it should be; every byte is compared.
 */
#ifndef SELFTESTS_TCP_CLIENT_H
#define SELFTESTS_TCP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

#define CLIENT_SERVER_ADDR	0x0a090002	/* 10.9.0.2 */

/* @nr clients at once, each in a thread. */
struct crowd {
	bool (*client)(struct crowd *crowd, int i);
	__u64 n;
	int rcvbuf;
	int rounds;
};

int dial(int rcvbuf);
bool put(int fd, const void *data, size_t len);
bool get(int fd, void *data, size_t len);
bool ask(int fd, __u32 op, __u64 n);
bool get_pattern(int fd, __u64 n);
bool get_eof(int fd);
bool fetch(int fd, __u32 op, __u64 n);
bool upload(int fd, __u32 op, __u64 n);
bool echo(int fd, __u64 n);
bool crowd_run(struct crowd *crowd, int nr);
bool client_fetch(struct crowd *crowd, int i);
bool client_upload(struct crowd *crowd, int i);
bool client_echo(struct crowd *crowd, int i);
bool client_keepalive(struct crowd *crowd, int i);
bool client_connects(struct crowd *crowd, int i);

#endif /* SELFTESTS_TCP_CLIENT_H */
