// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * What do the commands for devices and flows do with hostile arguments?
 *
 * With red zones: the kernel says so if a list is longer than its memory.
 *
 * vm: --append slub_debug=FZ,kmalloc-*
 * timeout: 240
 */
#include "net_test.h"

#include <pthread.h>

static int sock = -1;
static struct exo_flow_bind bound;

static void fill_attach(int fd, void *s)
{
	(void)fd;
	*(struct exo_net_attach *)s = (struct exo_net_attach) {
		.ifindex = if_nametoindex("oth0"), .lane = EXO_LANE_DIRECT,
	};
}

static void undo_attach(int fd, void *s)
{
	net_detach(fd, ((struct exo_net_attach *)s)->ifindex);
}

static void fill_detach(int fd, void *s)
{
	net_attach(fd, "oth0");
	((struct exo_net_detach *)s)->ifindex = if_nametoindex("oth0");
}

static void cleanup_detach(int fd, const void *s)
{
	net_detach(fd, ((const struct exo_net_detach *)s)->ifindex);
}

static struct exo_net_info room[4];

static void fill_list(int fd, void *s)
{
	struct exo_net_list *l = s;

	(void)fd;
	l->array = (uintptr_t)room;
	l->nr = 4;
}

static void fill_grant(int fd, void *s)
{
	(void)fd;
	*(struct exo_net_grant *)s = (struct exo_net_grant) {
		.ifindex = if_nametoindex(DEV), .uid = UID_ALICE,
		.first_port = 1, .last_port = 2,
	};
}

static void undo_grant(int fd, void *s)
{
	struct exo_net_grant g = *(struct exo_net_grant *)s;

	g.size = sizeof(g);
	g.flags = EXO_GRANT_REVOKE;
	exo_ioctl(fd, EXO_CMD_NET_GRANT, &g);
}

static struct exo_net_grant_info granted[4];

static void fill_grant_list(int fd, void *s)
{
	(void)fd;
	*(struct exo_net_grant_list *)s = (struct exo_net_grant_list) {
		.ifindex = if_nametoindex(DEV), .array = (uintptr_t)granted,
		.nr = ARRAY_SIZE(granted),
	};
}

static void fill_bind(int fd, void *s)
{
	(void)fd;
	*(struct exo_flow_bind *)s = (struct exo_flow_bind) {
		.sock_fd = sock, .ifindex = if_nametoindex(DEV),
		.rx_bytes = 256 << 10, .nr_tx = 4,
	};
}

static struct exo_stats before_bind;

/* The memory of a flow goes a little after its handle. */
static void undo_bind(int fd, void *s)
{
	exo_close_handle(fd, ((struct exo_flow_bind *)s)->out_handle);
	stats_wait(fd, &before_bind, 2000);
}

static void fill_kick(int fd, void *s)
{
	(void)fd;
	((struct exo_flow_kick *)s)->flow = bound.out_handle;
}

#define RESERVED(type, member)						\
	.reserved = (const size_t[]) { offsetof(struct type, member) },	\
	.nr_reserved = 1

#define SIZES(type) .size = sizeof(struct type), .min = sizeof(struct type)

static const struct matrix attach = {
	.name = "NET_ATTACH", .cmd = EXO_CMD_NET_ATTACH, SIZES(exo_net_attach),
	.fill = fill_attach, .undo = undo_attach,
};

static const struct matrix detach = {
	.name = "NET_DETACH", .cmd = EXO_CMD_NET_DETACH, SIZES(exo_net_detach),
	.fill = fill_detach, .cleanup = cleanup_detach,
	RESERVED(exo_net_detach, reserved),
};

static const struct matrix list = {
	.name = "NET_LIST", .cmd = EXO_CMD_NET_LIST, SIZES(exo_net_list),
	.fill = fill_list, .outputs = true,
};

static const struct matrix grant = {
	.name = "NET_GRANT", .cmd = EXO_CMD_NET_GRANT, SIZES(exo_net_grant),
	.fill = fill_grant, .undo = undo_grant, .flags = EXO_GRANT_REVOKE,
	RESERVED(exo_net_grant, reserved),
};

static const struct matrix grant_list = {
	.name = "NET_GRANT_LIST", .cmd = EXO_CMD_NET_GRANT_LIST,
	SIZES(exo_net_grant_list), .fill = fill_grant_list, .outputs = true,
	RESERVED(exo_net_grant_list, reserved),
};

static const struct matrix bind_flow = {
	.name = "FLOW_BIND", .cmd = EXO_CMD_FLOW_BIND, SIZES(exo_flow_bind),
	.fill = fill_bind, .undo = undo_bind, .outputs = true,
};

static const struct matrix kick = {
	.name = "FLOW_KICK", .cmd = EXO_CMD_FLOW_KICK, SIZES(exo_flow_kick),
	.fill = fill_kick,
	.flags = EXO_FLOW_KICK_WAIT | EXO_FLOW_KICK_BUSY_POLL,
	.outputs = true,
};

static void try_handles(int fd)
{
	struct exo_frame_alloc frame;
	struct flow f = { .fd = fd };
	int other = exo_open();

	exo_alloc(fd, 1, 0, &frame);
	is(flow_kick(&f, 0, 0, NULL), -ENOENT, "FLOW_KICK: handle 0");
	f.bind.out_handle = 0x7fffffff;
	is(flow_kick(&f, 0, 0, NULL), -ENOENT, "FLOW_KICK: no such handle");
	f.bind.out_handle = frame.out_handle;
	is(flow_kick(&f, 0, 0, NULL), -EBADF, "FLOW_KICK: a frame's handle");
	f.bind.out_handle = bound.out_handle;
	f.fd = other;
	is(flow_kick(&f, 0, 0, NULL), -ENOENT,
	   "FLOW_KICK: another env's handle");
	f.fd = fd;
	is(flow_kick(&f, EXO_FLOW_KICK_WAIT, 50, NULL), -ETIME,
	   "FLOW_KICK: the time is over");
	is(flow_kick(&f, EXO_FLOW_KICK_BUSY_POLL, 0, NULL), 0,
	   "FLOW_KICK: busy poll without a NAPI");
	is(exo_close_handle(fd, bound.out_handle), 0, "close");
	is(exo_close_handle(fd, bound.out_handle), -ENOENT, "close twice");
	is(flow_kick(&f, 0, 0, NULL), -ENOENT, "FLOW_KICK: closed");
	exo_close_handle(fd, frame.out_handle);
	close(other);
}

static void try_lists(int fd)
{
	struct exo_net_list l = { .size = sizeof(l), .nr = 0 };

	is(exo_ioctl(fd, EXO_CMD_NET_LIST, &l), -EMSGSIZE, "NET_LIST: no room");
	is(l.out_nr, 1, "NET_LIST: says what is needed");
	l.nr = 1;
	is(exo_ioctl(fd, EXO_CMD_NET_LIST, &l), -EFAULT, "NET_LIST: no array");
	l.nr = ~0U;
	l.array = 0xffffffff81000000ULL;
	is(exo_ioctl(fd, EXO_CMD_NET_LIST, &l), -EFAULT,
	   "NET_LIST: kernel memory");
}

static bool granted_to(const struct exo_net_grant_info *g, uint32_t uid,
		       uint16_t first, uint16_t last)
{
	return g->uid == uid && g->first_port == first && g->last_port == last;
}

static void try_grant_list(int fd)
{
	unsigned int index = if_nametoindex(DEV);
	uint32_t nr;

	is(net_grants(fd, index, NULL, 0, &nr), 0, "GRANT_LIST: none, no room");
	is(nr, 0, "GRANT_LIST: none");
	is(net_grant(fd, 0, UID_ALICE, 80, 80), 0, "a port for alice");
	is(net_grant(fd, 0, UID_ALICE, 80, 80), 0, "once more");
	is(net_grant(fd, 0, UID_ALICE, 80, 65535), 0, "a range for alice");
	is(net_grant(fd, 0, UID_BOB, 1, 2), 0, "one for bob");
	is(net_grants(fd, index, granted, 2, &nr), -EMSGSIZE,
	   "GRANT_LIST: room for two");
	is(nr, 3, "GRANT_LIST: there are three");
	is(granted[0].uid, 0, "GRANT_LIST: nothing was written");
	is(net_grants(fd, index, granted, 4, &nr), 0, "GRANT_LIST: all");
	ok(nr == 3 && granted_to(&granted[0], UID_ALICE, 80, 80) &&
	   granted_to(&granted[1], UID_ALICE, 80, 65535) &&
	   granted_to(&granted[2], UID_BOB, 1, 2),
	   "GRANT_LIST: in the order they were given");
	is(net_grants(fd, index, NULL, 4, &nr), -EFAULT,
	   "GRANT_LIST: no array");
	is(net_grants(fd, index, (void *)0xffffffff81000000UL, ~0U, &nr),
	   -EFAULT, "GRANT_LIST: kernel memory");
	is(net_grants(fd, if_nametoindex("oth0"), granted, 4, &nr), -ENOENT,
	   "GRANT_LIST: not attached");
	is(net_grants(fd, 0, granted, 4, &nr), -ENOENT, "GRANT_LIST: device 0");
	is(net_grant(fd, EXO_GRANT_REVOKE, UID_ALICE, 80, 80), 0, "withdraw");
	is(net_grants(fd, index, granted, 4, &nr), 0, "GRANT_LIST: the rest");
	ok(nr == 2 && granted_to(&granted[0], UID_ALICE, 80, 65535),
	   "GRANT_LIST: what was withdrawn is not there");
	net_grant(fd, EXO_GRANT_REVOKE, UID_ALICE, 80, 65535);
	net_grant(fd, EXO_GRANT_REVOKE, UID_BOB, 1, 2);
}

/* Many more than there is room for. */
static void try_many_grants(int fd)
{
	static struct exo_net_grant_info many[3000];
	unsigned int index = if_nametoindex(DEV);
	uint32_t i, nr, wrong = 0;

	for (i = 1; i <= ARRAY_SIZE(many); i++)
		wrong += net_grant(fd, 0, UID_BOB, i, 2 * i) != 0;
	is(wrong, 0, "%zu grants", ARRAY_SIZE(many));
	is(net_grants(fd, index, many, 1, &nr), -EMSGSIZE,
	   "GRANT_LIST: room for one");
	is(nr, ARRAY_SIZE(many), "GRANT_LIST: the room needed is said");
	is(net_grants(fd, index, many, nr, &nr), 0, "GRANT_LIST: all");
	for (i = 0; i < nr; i++)
		wrong += !granted_to(&many[i], UID_BOB, i + 1, 2 * i + 2);
	is(wrong, 0, "GRANT_LIST: each as it was given");
	for (i = 1; i <= nr; i++)
		wrong += net_grant(fd, EXO_GRANT_REVOKE, UID_BOB, i, 2 * i) != 0;
	is(wrong, 0, "withdraw them");
}

static void *close_soon(void *arg)
{
	struct flow *f = arg;

	usleep(200000);
	exo_close_handle(f->fd, f->bind.out_handle);
	return NULL;
}

static void try_close_sleeping(int fd)
{
	struct flow f = { .fd = fd };
	uint64_t start = now_ms();
	pthread_t thread;

	is(flow_try(fd, sock, DEV, &f.bind), 0, "bind");
	pthread_create(&thread, NULL, close_soon, &f);
	is(flow_kick(&f, EXO_FLOW_KICK_WAIT, 10000, NULL), -ESTALE,
	   "FLOW_KICK: closed by another thread while it sleeps");
	ok(now_ms() - start < 3000, "FLOW_KICK: ends then");
	pthread_join(thread, NULL);
}

static void on_alarm(int nr)
{
	(void)nr;
}

static void try_signal(int fd)
{
	struct sigaction sa = { .sa_handler = on_alarm };
	struct flow f = { .fd = fd, .bind = bound };

	sigaction(SIGALRM, &sa, NULL);
	ualarm(100000, 0);
	is(flow_kick(&f, EXO_FLOW_KICK_WAIT, 0, NULL), -EINTR,
	   "FLOW_KICK: a signal ends the sleep");
}

int main(void)
{
	struct exo_net_attach lane = { .size = sizeof(lane) };
	int fd;

	exo_setup();
	net_up();
	fd = exo_open();
	lane.ifindex = if_nametoindex(DEV);
	is(exo_ioctl(fd, EXO_CMD_NET_ATTACH, &lane), -EINVAL, "lane 0");
	lane.lane = 3;
	is(exo_ioctl(fd, EXO_CMD_NET_ATTACH, &lane), -EINVAL, "lane 3");
	is(net_attach(fd, DEV), 0, "attach");
	sock = listen_on("0.0.0.0", PORT, 4);
	matrix_run(fd, &attach);
	matrix_run(fd, &detach);
	matrix_run(fd, &list);
	matrix_run(fd, &grant);
	matrix_run(fd, &grant_list);
	try_grant_list(fd);
	try_many_grants(fd);
	before_bind = stats_get(fd);
	matrix_run(fd, &bind_flow);
	is(flow_try(fd, sock, DEV, &bound), 0, "bind");
	matrix_run(fd, &kick);
	try_lists(fd);
	try_signal(fd);
	try_handles(fd);
	try_close_sleeping(fd);
	is(net_detach(fd, if_nametoindex(DEV)), 0, "detach");
	net_down();
	return done_testing();
}
