// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Is a port really kept by the listening socket that a flow was bound with?
 *
 * timeout: 240
 */
/* Not that of other tests: connections of Linux leave TIME_WAIT behind. */
#define PORT 8180
#include "net_test.h"

#include <linux/bpf.h>
#include <pthread.h>

#include "../exo_stall.h"

static int set_option(int fd, int option, int value)
{
	return setsockopt(fd, SOL_SOCKET, option, &value, sizeof(value)) ?
		-errno : 0;
}

static void close_flow(int fd, const struct exo_flow_bind *b)
{
	is(exo_close_handle(fd, b->out_handle), 0, "the flow is closed");
}

/* A socket with options set between bind() and listen(), as @set says. */
static int listener_with(int option)
{
	int s = listen_on("0.0.0.0", PORT, -1);

	if (s < 0 || set_option(s, option, 1) || listen(s, 4))
		bail("listener: %m");
	return s;
}

static void try_wrong_sockets(int fd)
{
	struct exo_flow_bind b;
	struct flow f = { .fd = fd };
	int pair[2], s, v6;

	is(flow_try(fd, -1, DEV, NULL), -EBADF, "fd -1");
	is(flow_try(fd, 12345, DEV, NULL), -EBADF, "a closed fd");
	is(flow_try(fd, fd, DEV, NULL), -EBADF, "an fd that is no socket");
	s = listen_on("0.0.0.0", PORT, -1);
	is(flow_try(fd, s, DEV, NULL), -EINVAL, "bound, not listening");
	close(s);
	s = socket(AF_INET, SOCK_STREAM, 0);
	is(flow_try(fd, s, DEV, NULL), -EINVAL, "not bound");
	close(s);
	s = socket(AF_INET, SOCK_DGRAM, 0);
	is(flow_try(fd, s, DEV, NULL), -EINVAL, "UDP");
	close(s);
	v6 = socket(AF_INET6, SOCK_STREAM, 0);
	if (!listen(v6, 1))
		is(flow_try(fd, v6, DEV, NULL), -EINVAL, "TCP over IPv6");
	close(v6);
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		bail("socketpair: %m");
	is(flow_try(fd, pair[0], DEV, NULL), -EINVAL, "a UNIX socket");
	close(pair[0]);
	close(pair[1]);
	s = listener_with(SO_REUSEADDR);
	is(flow_try(fd, s, DEV, NULL), -EINVAL, "SO_REUSEADDR on");
	close(s);
	s = listener_with(SO_REUSEPORT);
	is(flow_try(fd, s, DEV, NULL), -EINVAL, "SO_REUSEPORT on");
	close(s);
	s = listen_on("0.0.0.0", PORT, 4);
	if (setsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, "oth0", 5))
		bail("SO_BINDTODEVICE: %m");
	is(flow_try(fd, s, DEV, NULL), -EINVAL, "bound to another device");
	if (setsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, DEV, 5))
		bail("SO_BINDTODEVICE: %m");
	is(flow_try(fd, s, DEV, &b), 0, "bound to the same device");
	if (setsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, "oth0", 5))
		bail("SO_BINDTODEVICE: %m");
	f.bind = b;
	is(flow_kick(&f, 0, 0, NULL), -ESTALE, "moved to another device");
	close_flow(fd, &b);
	close(s);
}

/* A listening socket whose operations a sockmap has replaced by its own. */
static void try_sockmap(int fd)
{
	union bpf_attr make = {
		.map_type = BPF_MAP_TYPE_SOCKMAP, .key_size = 4,
		.value_size = 4, .max_entries = 1,
	};
	int map = syscall(SYS_bpf, BPF_MAP_CREATE, &make, sizeof(make));
	int s = listen_on("0.0.0.0", PORT, 4), key = 0;
	union bpf_attr put = {
		.map_fd = map, .key = (uintptr_t)&key, .value = (uintptr_t)&s,
	};

	if (map < 0 ||
	    syscall(SYS_bpf, BPF_MAP_UPDATE_ELEM, &put, sizeof(put)))
		skip("no sockmap: %m");
	else
		is(flow_try(fd, s, DEV, NULL), -EINVAL,
		   "a socket in a sockmap");
	close(s);
	close(map);
}

static void try_namespace(int fd)
{
	int s;

	peer_enter();
	s = listen_on("0.0.0.0", PORT, 4);
	peer_leave();
	is(flow_try(fd, s, DEV, NULL), -EXDEV, "another namespace's socket");
	close(s);
	s = listen_on("0.0.0.0", PORT, 4);
	is(flow_try(fd, s, "oth0", NULL), -ENOENT, "a device not attached");
	is(flow_try(fd, s, "nosuch", NULL), -ENOENT, "no such device");
	close(s);
}

static void try_sizes(int fd)
{
	static const struct {
		uint32_t rx_bytes, nr_tx;
	} wrong[] = {
		{ 0, 64 }, { 128 << 10, 64 }, { 300 << 10, 64 },
		{ 1U << 31, 64 }, { 128 << 20, 64 }, { 256 << 10, 0 },
		{ 256 << 10, 3 }, { 256 << 10, 8192 }, { 256 << 10, 1U << 31 },
	};
	int s = listen_on("0.0.0.0", PORT, 4);
	struct exo_flow_bind b;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		b = (struct exo_flow_bind) {
			.size = sizeof(b), .sock_fd = s,
			.ifindex = if_nametoindex(DEV),
			.rx_bytes = wrong[i].rx_bytes, .nr_tx = wrong[i].nr_tx,
		};
		is(exo_ioctl(fd, EXO_CMD_FLOW_BIND, &b), -EINVAL,
		   "rx_bytes %#x, nr_tx %#x", b.rx_bytes, b.nr_tx);
	}
	is(listen(s, 8), 0, "after that the socket is as it was");
	close(s);
}

/* ------------------------------------------------------- who may join */

static int bob_joins(void *arg)
{
	int reuse = *(int *)arg;
	int s = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in a = inet_addr_port("0.0.0.0", PORT);
	int rc;

	if (reuse)
		set_option(s, reuse, 1);
	rc = bind(s, (struct sockaddr *)&a, sizeof(a)) ||
	     listen(s, 4) ? errno : 0;
	close(s);
	return rc;
}

static void try_join(int first)
{
	static const int options[] = { 0, SO_REUSEADDR, SO_REUSEPORT };
	size_t i, j;
	int arg;

	for (i = 0; i < ARRAY_SIZE(options); i++) {
		if (options[i])
			set_option(first, options[i], 1);
		for (j = 0; j < ARRAY_SIZE(options); j++) {
			arg = options[j];
			is(as_user(UID_BOB, bob_joins, &arg), EADDRINUSE,
			   "another user's socket is refused (options %d, %d)",
			   options[i], options[j]);
		}
	}
	set_option(first, SO_REUSEADDR, 0);
	set_option(first, SO_REUSEPORT, 0);
}

static void try_overlap(int fd)
{
	struct exo_flow_bind b, other;
	int s = listen_on("0.0.0.0", PORT, 4);
	struct sockaddr_in a = inet_addr_port("0.0.0.0", PORT);
	int twin, rc;

	is(flow_try(fd, s, DEV, &b), 0, "a listening socket");
	is(b.out_local_port, htons(PORT), "its port is reported");
	is(b.out_local_addr, 0, "any address");
	is(b.out_mtu, 1500, "the MTU");
	is(flow_try(fd, s, DEV, &other), -EEXIST, "the same socket again");
	try_join(s);

	/* The same user may share a port in Linux, but a flow is alone */
	set_option(s, SO_REUSEPORT, 1);
	twin = socket(AF_INET, SOCK_STREAM, 0);
	set_option(twin, SO_REUSEPORT, 1);
	if (!bind(twin, (struct sockaddr *)&a, sizeof(a)) &&
	    !listen(twin, 4)) {
		is(flow_try(fd, twin, DEV, &other), -EINVAL,
		   "a socket that shares the port");
		set_option(twin, SO_REUSEPORT, 0);
		rc = flow_try(fd, twin, DEV, &other);
		ok(rc == -EADDRINUSE || rc == -EEXIST,
		   "and no more when it says it does not (%d)", rc);
	} else {
		skip("a twin cannot be had");
	}
	close(twin);
	set_option(s, SO_REUSEPORT, 0);
	close_flow(fd, &b);
	is(flow_try(fd, s, DEV, &b), 0, "the socket can be used again");
	close_flow(fd, &b);
	close(s);
}

/* A flow that lost its port is in the way of the next one until it is closed. */
static void try_dead_overlap(int fd)
{
	struct sockaddr_in a = inet_addr_port("0.0.0.0", PORT);
	int s = listen_on("0.0.0.0", PORT, 4), next;
	struct exo_flow_bind b, other;

	is(flow_try(fd, s, DEV, &b), 0, "a flow");
	if (setsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, "oth0", 5))
		bail("SO_BINDTODEVICE: %m");
	next = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (setsockopt(next, SOL_SOCKET, SO_BINDTODEVICE, DEV, 5) ||
	    bind(next, (struct sockaddr *)&a, sizeof(a)) || listen(next, 4))
		bail("a socket for the device alone: %m");
	is(flow_try(fd, next, DEV, &other), -EEXIST,
	   "its socket went to another device: the next flow has to wait");
	close_flow(fd, &b);
	is(flow_try(fd, next, DEV, &other), 0, "until it is closed");
	close_flow(fd, &other);
	close(next);
	close(s);
}

/* ------------------------------------- the world changes while one binds */

/* Alice binds a flow while another thread of hers has the socket's lock. */
struct late {
	struct stall stall;
	int sock;
	long rc;
};

/* TCP reads the option with the socket locked, its first bytes before that. */
static void *hold_lock(void *arg)
{
	struct late *l = arg;

	setsockopt(l->sock, IPPROTO_TCP, TCP_MD5SIG, l->stall.second - 8,
		   sizeof(struct tcp_md5sig));
	return NULL;
}

static void *bind_late(void *arg)
{
	struct late *l = arg;
	gid_t gid = exo_group();
	int fd;

	/* This thread alone, which libc would not do */
	if (syscall(SYS_setresgid, gid, gid, gid) ||
	    syscall(SYS_setresuid, UID_ALICE, UID_ALICE, UID_ALICE))
		bail("cannot become alice: %m");
	fd = exo_open();
	l->rc = flow_try(fd, l->sock, DEV, NULL);
	close(fd);
	return NULL;
}

static void try_late(int fd, void (*change)(int fd), long want,
		     const char *what)
{
	static const uint8_t zeroes[STALL_PAGE];
	struct late l = { .sock = listen_on("0.0.0.0", PORT, 4) };
	pthread_t holder, binder;

	is(net_grant(fd, 0, UID_ALICE, PORT, PORT), 0, "%s: grant", what);
	stall_new(&l.stall);
	pthread_create(&holder, NULL, hold_lock, &l);
	ok(stall_reached(&l.stall), "%s: the socket is locked", what);
	pthread_create(&binder, NULL, bind_late, &l);
	usleep(300000);
	change(fd);
	stall_end(&l.stall, zeroes);
	pthread_join(holder, NULL);
	pthread_join(binder, NULL);
	is(l.rc, want, "%s while alice binds", what);
	stall_free(&l.stall);
	close(l.sock);
}

static void withdraw(int fd)
{
	is(net_grant(fd, EXO_GRANT_REVOKE, UID_ALICE, PORT, PORT), 0,
	   "withdraw the grant");
}

static void detach(int fd)
{
	is(net_detach(fd, if_nametoindex(DEV)), 0, "detach the device");
}

/* ------------------------------------------------- what the world sees */

static void try_syn(int fd)
{
	int s = listen_on("0.0.0.0", PORT, 4);
	int wire = peer_raw(PEER_DEV);
	struct exo_flow_bind b;
	uint8_t reply[8];

	is(peer_connect(LOCAL, PORT, 2000, NULL), 0, "Linux answers before");
	close(s);
	s = listen_on("0.0.0.0", PORT, 4);
	is(flow_try(fd, s, DEV, &b), 0, "bind");
	raw_drain(wire);
	is(peer_connect(LOCAL, PORT, 300, NULL), -ETIMEDOUT,
	   "a SYN to the flow is not answered by Linux");
	/* In a reply the source address is ours, followed by the peer's */
	memcpy(reply, &(in_addr_t){ inet_addr(LOCAL) }, 4);
	memcpy(reply + 4, &(in_addr_t){ inet_addr(PEER) }, 4);
	is(raw_count(wire, reply, 8, 100, 0, NULL), 0,
	   "not by a single packet");
	is(peer_connect(OTHER, PORT, 2000, NULL), -ECONNREFUSED,
	   "on a device without the flow the port looks closed");
	is(system("grep -q ' 00000000:1FF4 00000000:0000 0A' /proc/net/tcp"),
	   0, "the port is shown as listening");
	close_flow(fd, &b);
	is(peer_connect(LOCAL, PORT, 2000, NULL), 0, "Linux answers after");
	is(peer_connect(OTHER, PORT, 2000, NULL), 0, "on the other device too");
	close(s);
	close(wire);
}

static void try_pending(int fd)
{
	int s = listen_on("0.0.0.0", PORT + 1, 4);
	int client = -1, server;

	is(peer_connect(LOCAL, PORT + 1, 2000, &client), 0, "a client connects");
	is(flow_try(fd, s, DEV, NULL), -EBUSY, "it waits to be accepted");
	server = accept(s, NULL, NULL);
	ok(server >= 0, "accepted");
	is(flow_try(fd, s, DEV, NULL), -EADDRINUSE,
	   "an established connection would be taken over");
	close(s);
	close(client);
	close(server);
}

/* Left behind by another user, who had SO_REUSEADDR on as servers do. */
static int bob_serves(void *arg)
{
	int *ends = arg, one = 1;
	int s = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in a = inet_addr_port("0.0.0.0", PORT);
	char c = 1;

	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(s, (struct sockaddr *)&a, sizeof(a)) || listen(s, 4) ||
	    write(ends[0], &c, 1) != 1)
		return 1;
	if (accept(s, NULL, NULL) < 0)
		return 2;
	close(s);
	if (write(ends[0], &c, 1) != 1 || read(ends[0], &c, 1) != 1)
		return 3;
	return 0;
}

static void try_left_behind(int fd)
{
	struct sockaddr_in a = inet_addr_port("0.0.0.0", PORT);
	int ends[2], client, s;
	pid_t bob;
	char c;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends))
		bail("socketpair: %m");
	bob = as_user_start(NULL, UID_BOB, bob_serves, ends);
	if (read(ends[1], &c, 1) != 1)
		bail("bob does not serve");
	is(peer_connect(LOCAL, PORT, 2000, &client), 0, "bob has a client");
	if (read(ends[1], &c, 1) != 1)
		bail("bob does not accept");
	s = socket(AF_INET, SOCK_STREAM, 0);
	set_option(s, SO_REUSEADDR, 1);
	is(bind(s, (struct sockaddr *)&a, sizeof(a)), 0,
	   "Linux lets the next server have the port");
	set_option(s, SO_REUSEADDR, 0);
	is(listen(s, 4) ? errno : 0, EADDRINUSE, "but not to listen");
	set_option(s, SO_REUSEADDR, 1);
	if (!listen(s, 4)) {
		set_option(s, SO_REUSEADDR, 0);
		is(flow_try(fd, s, DEV, NULL), -EADDRINUSE,
		   "a flow does not get bob's connection");
	} else {
		ok(true, "nor with the option on again");
	}
	if (write(ends[1], &c, 1) != 1)
		bail("bob is gone");
	is(reap(bob), 0, "bob is done");
	close(s);
	close(client);
	close(ends[0]);
	close(ends[1]);
}

/* -------------------------------------------------- reservation lost */

static int disconnect(int s)
{
	struct sockaddr a = { .sa_family = AF_UNSPEC };

	return connect(s, &a, sizeof(a));
}

static int shut(int s)
{
	return shutdown(s, SHUT_RDWR);
}

struct waiter {
	struct flow f;
	long rc;
};

static void *wait_long(void *arg)
{
	struct waiter *w = arg;

	w->rc = flow_kick(&w->f, EXO_FLOW_KICK_WAIT, 10000, NULL);
	return NULL;
}

static void try_lost(int fd, int (*lose)(int), const char *what)
{
	struct waiter w;
	pthread_t thread;
	uint64_t start;

	flow_open(&w.f, fd, DEV, "0.0.0.0", PORT);
	is(flow_kick(&w.f, 0, 0, NULL), 0, "%s: alive before", what);
	pthread_create(&thread, NULL, wait_long, &w);
	usleep(200000);
	start = now_ms();
	is(lose(w.f.sock), 0, "%s", what);
	pthread_join(thread, NULL);
	is(w.rc, -ESTALE, "%s: a sleeper learns of it", what);
	ok(now_ms() - start < 2000, "%s: at once", what);
	is(w.f.ring->flags, EXO_FLOW_DEAD, "%s: the ring says so", what);
	is(flow_kick(&w.f, 0, 0, NULL), -ESTALE, "%s: the doorbell too", what);
	flow_drain(&w.f);
	is(peer_connect(LOCAL, PORT, 2000, NULL), -ECONNREFUSED,
	   "%s: packets go to Linux", what);
	is(listen(w.f.sock, 4) ? errno : 0, EINVAL,
	   "%s: the socket cannot listen again", what);
	flow_close(&w.f);
}

static int user_without_grant(void *arg)
{
	int s = listen_on("0.0.0.0", *(int *)arg, 4);

	return -flow_try(exo_open(), s, DEV, NULL);
}

static int user_not_listening(void *arg)
{
	int s = listen_on("0.0.0.0", PORT, -1);

	(void)arg;
	return -flow_try(exo_open(), s, DEV, NULL);
}

static void try_grants(int fd)
{
	int port = PORT;

	is(as_user(UID_BOB, user_without_grant, &port), EPERM,
	   "a user without a grant");
	is(net_grant(fd, 0, UID_ALICE, PORT, PORT), 0, "grant to alice");
	is(as_user(UID_BOB, user_without_grant, &port), EPERM,
	   "alice's grant does not help bob");
	is(as_user(UID_ALICE, user_without_grant, &port), 0, "but alice");
	port = PORT + 1;
	is(as_user(UID_ALICE, user_without_grant, &port), EPERM,
	   "not for the next port");
	port = PORT - 1;
	is(as_user(UID_ALICE, user_without_grant, &port), EPERM,
	   "nor for the one before");
	port = PORT;
	is(net_grant(fd, EXO_GRANT_REVOKE, UID_BOB, PORT, PORT), -ENOENT,
	   "withdraw what was not given");
	is(net_grant(fd, EXO_GRANT_REVOKE, UID_ALICE, PORT, PORT), 0,
	   "withdraw");
	is(as_user(UID_ALICE, user_without_grant, &port), EPERM,
	   "alice no more");
	is(as_user(UID_ALICE, user_not_listening, NULL), EPERM,
	   "which is said before the socket is looked at");
	is(net_grant(fd, 0, UID_ALICE, 0, 10), -EINVAL, "port 0");
	is(net_grant(fd, 0, UID_ALICE, 10, 9), -EINVAL, "an empty range");
	is(net_grant(fd, 0, (uid_t)-1, 9, 10), -EINVAL, "no such user");
}

int main(void)
{
	struct exo_stats before;
	int fd;

	exo_setup();
	net_up();
	fd = exo_open();
	is(net_attach(fd, DEV), 0, "attach");
	before = stats_get(fd);
	try_wrong_sockets(fd);
	try_sockmap(fd);
	try_namespace(fd);
	try_sizes(fd);
	try_grants(fd);
	try_overlap(fd);
	try_dead_overlap(fd);
	try_late(fd, withdraw, -EPERM, "the grant is withdrawn");
	try_late(fd, detach, -ESTALE, "the device is detached");
	is(net_attach(fd, DEV), 0, "attach again");
	try_syn(fd);
	try_lost(fd, shut, "shutdown()");
	try_lost(fd, disconnect, "connect() to AF_UNSPEC");
	try_left_behind(fd);
	try_pending(fd);
	ok(stats_wait(fd, &before, 3000), "counters are as before");
	is(net_detach(fd, if_nametoindex(DEV)), 0, "detach");
	net_down();
	return done_testing();
}
