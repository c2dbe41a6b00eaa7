// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Can bob reach what alice holds, by guessing, by /proc, by old pages?
 *
 * vm: --append init_on_alloc=0
 */
#include "../exo_test.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#define PAGE	4096UL
#define NR	64		/* frames of alice */
#define SECRET	0xa11ce5ec0a11ce5eULL

/* What alice tells the world; all of it may be guessed anyway. */
struct blackboard {
	uint32_t handle[NR];
	uint64_t offset[NR];
	pid_t pid;
	int fd;
};

static struct blackboard *board;

/* A byte through a pipe: "go on". */
static void tell(int fd)
{
	if (write(fd, "x", 1) != 1)
		bail("write: %m");
}

static void await(int fd)
{
	char c;

	if (read(fd, &c, 1) != 1)
		bail("the other process died");
}

struct pipes {
	int ready[2];
	int done[2];
};

static int alice(void *arg)
{
	struct pipes *p = arg;
	uint64_t *page[NR];
	struct exo_frame_alloc a;
	int i, intact = 0, fd = exo_open();

	for (i = 0; i < NR; i++) {
		if (exo_alloc(fd, 1, 0, &a))
			bail("alice cannot allocate");
		page[i] = exo_map(fd, a.out_mmap_offset, PAGE);
		*page[i] = SECRET + i;
		board->handle[i] = a.out_handle;
		board->offset[i] = a.out_mmap_offset;
	}
	board->pid = getpid();
	board->fd = fd;
	tell(p->ready[1]);
	await(p->done[0]);
	for (i = 0; i < NR; i++)
		intact += *page[i] == SECRET + i;
	is(intact, NR, "alice's frames are as she left them");
	return 0;
}

/* Bob's env has nothing: every handle and offset of alice's is unknown. */
static void guess_from_nothing(int fd)
{
	int i, closed = 0, mapped = 0;
	uint64_t handle;

	for (i = 0; i < NR; i++) {
		closed += exo_close_handle(fd, board->handle[i]) != -ENOENT;
		mapped += exo_map(fd, board->offset[i], PAGE) != MAP_FAILED;
	}
	for (handle = 0; handle < 5000; handle++)
		mapped += exo_map(fd, handle << 32, PAGE) != MAP_FAILED;
	is(closed, 0, "none of alice's handles can be closed");
	is(mapped, 0, "none of alice's offsets can be mapped");
}

/* Bob has frames with the same numbers: they are his, not hers. */
static void same_numbers(int fd)
{
	int i, same = 0, foreign = 0;
	struct exo_frame_alloc a;
	uint64_t *p;

	for (i = 0; i < NR; i++) {
		if (exo_alloc(fd, 1, 0, &a))
			bail("bob cannot allocate");
		same += a.out_handle == board->handle[i];
		p = exo_map(fd, a.out_mmap_offset, PAGE);
		foreign += *p != 0;
		*p = 1;
		munmap(p, PAGE);
	}
	ok(same > 0, "bob's handles have the same numbers as alice's (%d)",
	   same);
	is(foreign, 0, "but other pages");
	for (i = 0; i < NR; i++)
		exo_close_handle(fd, board->handle[i]);
}

/* By way of /proc: alice's fd is not bob's to open; one's own opens anew. */
static void by_proc(int fd)
{
	struct exo_frame_alloc a;
	char path[64];
	int again;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", board->pid, board->fd);
	is(open(path, O_RDWR | O_CLOEXEC), -1, "alice's fd by way of /proc");
	is(errno, EACCES, "is EACCES");
	snprintf(path, sizeof(path), "/proc/%d/mem", board->pid);
	is(open(path, O_RDWR | O_CLOEXEC), -1, "alice's memory by way of /proc");
	exo_alloc(fd, 1, 0, &a);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = open(path, O_RDWR | O_CLOEXEC);
	if (!ok(again >= 0, "one's own fd can be opened anew"))
		return;
	ok(exo_map(again, a.out_mmap_offset, PAGE) == MAP_FAILED,
	   "which gives an env of its own");
	is(exo_close_handle(again, a.out_handle), -ENOENT, "with no handles");
	close(again);
	exo_close_handle(fd, a.out_handle);
}

static int bob(void *arg)
{
	int fd = exo_open();

	(void)arg;
	guess_from_nothing(fd);
	same_numbers(fd);
	by_proc(fd);
	close(fd);
	return 0;
}

/* Alice pays for her frames, in a memory cgroup that is not bob's. */
static void test_who_pays(void)
{
	char hers[128], his[128];

	user_memcg(UID_ALICE, hers);
	user_memcg(UID_BOB, his);
	ok(strcmp(hers, his), "each has a memory cgroup of his own");
	ok(memcg_read(hers, "memory.current", NULL) >= (long)(NR * PAGE),
	   "alice's is charged for her frames");
	ok(memcg_read(his, "memory.current", NULL) < (long)(NR * PAGE),
	   "bob's is not");
}

static void test_two_users(void)
{
	struct pipes p;
	pid_t pid;

	if (pipe(p.ready) || pipe(p.done))
		bail("pipe: %m");
	pid = as_user_start(NULL, UID_ALICE, alice, &p);
	await(p.ready[0]);
	test_who_pays();
	is(as_user(UID_BOB, bob, NULL), 0, "bob's process ended well");
	tell(p.done[1]);
	is(reap(pid), 0, "alice's process ended well");
}

/* Fill memory with a secret and go; what comes next must not show it. */
static int leave_secret(void *arg)
{
	struct exo_frame_alloc a;
	uint64_t *p;
	size_t i;
	int fd = exo_open();

	(void)arg;
	if (exo_alloc(fd, 2048, 0, &a))
		bail("cannot allocate");
	p = exo_map(fd, a.out_mmap_offset, 2048 * PAGE);
	for (i = 0; i < 2048 * PAGE / 8; i++)
		p[i] = SECRET;
	return 0;
}

static int search_secret(void *arg)
{
	size_t i, j, left = 0;
	int fd = exo_open();

	(void)arg;
	for (i = 0; i < 4; i++) {
		struct exo_frame_alloc a;
		uint64_t *p;

		if (exo_alloc(fd, 512, i * 3, &a))
			bail("cannot allocate");
		p = exo_map(fd, a.out_mmap_offset, 512 * PAGE);
		for (j = 0; j < 512 * PAGE / 8; j++)
			left += p[j] != 0;
	}
	is(left, 0, "bob finds nothing of what alice left");
	return 0;
}

static void test_old_pages(void)
{
	int i;

	for (i = 0; i < 3; i++) {
		is(as_user(UID_ALICE, leave_secret, NULL), 0, "alice left");
		is(as_user(UID_BOB, search_secret, NULL), 0, "bob looked");
	}
}

/* An env that is passed on stays its opener's: alice's memory, her quota. */
static void send_fd(int sock, int fd)
{
	char c = 'x', control[CMSG_SPACE(sizeof(int))] = "";
	struct iovec iov = { &c, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *cm = CMSG_FIRSTHDR(&msg);

	cm->cmsg_level = SOL_SOCKET;
	cm->cmsg_type = SCM_RIGHTS;
	cm->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cm), &fd, sizeof(int));
	if (sendmsg(sock, &msg, 0) != 1)
		bail("sendmsg: %m");
}

static int receive_fd(int sock)
{
	char c, control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = { &c, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	int fd;

	if (recvmsg(sock, &msg, 0) != 1 || !CMSG_FIRSTHDR(&msg))
		bail("recvmsg: %m");
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(int));
	return fd;
}

static int give_env(void *arg)
{
	int *sock = arg, fd = exo_open();
	struct exo_frame_alloc a;
	uint64_t *p;

	if (exo_alloc(fd, 8, 0, &a))
		bail("cannot allocate");
	p = exo_map(fd, a.out_mmap_offset, PAGE);
	*p = a.out_handle;
	send_fd(sock[0], fd);
	/* Bob answers when he is done. */
	await(sock[0]);
	is(*p, 99, "alice sees what bob wrote");
	return 0;
}

static int take_env(void *arg)
{
	int *sock = arg, fd = receive_fd(sock[1]);
	uint64_t *p = exo_map(fd, 1ULL << 32, PAGE);
	int own = exo_open();

	ok(p != MAP_FAILED && *p == 1, "bob, given the env, sees its frame");
	*p = 99;
	is(exo_alloc(own, 8, 0, NULL), 0, "bob has memory of his own");
	is(exo_alloc(fd, 1, 0, NULL), -EDQUOT,
	   "but in alice's env alice pays, and she has none left");
	tell(sock[1]);
	return 0;
}

static void test_passed_on(void)
{
	struct rlimit lim = { 8 * PAGE, 8 * PAGE };
	int sock[2];
	pid_t a, b;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, sock) ||
	    setrlimit(RLIMIT_MEMLOCK, &lim))
		bail("socketpair: %m");
	a = as_user_start(NULL, UID_ALICE, give_env, sock);
	b = as_user_start(NULL, UID_BOB, take_env, sock);
	is(reap(b), 0, "bob's process ended well");
	is(reap(a), 0, "alice's process ended well");
	close(sock[0]);
	close(sock[1]);
}

/* Who may open the node at all, and what root of a namespace may. */
static void test_node(void)
{
	pid_t pid = fork();

	if (!pid) {
		if (setgroups(0, NULL) || setresgid(65534, 65534, 65534) ||
		    setresuid(65534, 65534, 65534))
			bail("cannot become nobody: %m");
		is(open(EXO_DEVICE_PATH, O_RDWR | O_CLOEXEC), -1,
		   "nobody cannot open " EXO_DEVICE_PATH);
		is(errno, EACCES, "but EACCES");
		_exit(0);
	}
	is(reap(pid), 0, "nobody's process ended well");
}

static int administer(void *arg)
{
	struct exo_disk_attach da = { .size = sizeof(da), .fd = -1 };
	struct exo_disk_detach dd = { .size = sizeof(dd), .disk = 1 };
	struct exo_disk_grant dg = { .size = sizeof(dg), .disk = 1 };
	struct exo_net_attach na = {
		.size = sizeof(na), .ifindex = 1, .lane = EXO_LANE_DIRECT,
	};
	struct exo_net_detach nd = { .size = sizeof(nd), .ifindex = 1 };
	struct exo_net_grant ng = {
		.size = sizeof(ng), .ifindex = 1, .first_port = 1,
		.last_port = 2,
	};
	int fd;

	if (arg && unshare(CLONE_NEWUSER | CLONE_NEWNET)) {
		skip("no user namespaces here: %m");
		return 0;
	}
	fd = exo_open();
	is(exo_ioctl(fd, EXO_CMD_DISK_ATTACH, &da), -EPERM, "DISK_ATTACH");
	is(exo_ioctl(fd, EXO_CMD_DISK_DETACH, &dd), -EPERM, "DISK_DETACH");
	is(exo_ioctl(fd, EXO_CMD_DISK_GRANT, &dg), -EPERM, "DISK_GRANT");
	is(exo_ioctl(fd, EXO_CMD_NET_ATTACH, &na), -EPERM, "NET_ATTACH");
	is(exo_ioctl(fd, EXO_CMD_NET_DETACH, &nd), -EPERM, "NET_DETACH");
	is(exo_ioctl(fd, EXO_CMD_NET_GRANT, &ng), -EPERM, "NET_GRANT");
	close(fd);
	return 0;
}

int main(void)
{
	struct exo_stats before;
	int fd;

	exo_setup();
	board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	fd = exo_open();
	before = stats_get(fd);
	test_two_users();
	test_old_pages();
	test_node();
	is(as_user(UID_ALICE, administer, NULL), 0,
	   "alice may not administer");
	is(as_user(UID_ALICE, administer, "namespace"), 0,
	   "nor as root of a user namespace");
	test_passed_on();
	ok(stats_wait(fd, &before, 2000), "nothing is left of the processes");
	close(fd);
	return done_testing();
}
