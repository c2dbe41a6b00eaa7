// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Who does not go on must not hold up others: a borrower that lets the kernel
 * wait for its memory, or for its turn on a CPU, in the middle of a command.
 * The lender gets its pages back all the same, and others' time runs on.
 */
#include "cap.h"

#include "../exo_stall.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#define MS		1000000ULL
#define NR_PAGES	64
#define BACK_MS		5000

/* ------------------------------------------- waiting for user memory */

struct caller {
	int env;
	unsigned long cmd;
	void *arg;
	long rc;
};

static void *call(void *arg)
{
	struct caller *c = arg;

	c->rc = exo_ioctl(c->env, c->cmd, c->arg);
	return NULL;
}

struct loan {
	int lender;
	uint32_t frame;
	int borrower;
	uint32_t got;
	struct exo_stats before;
};

static struct loan lend(void)
{
	struct loan l = { .lender = exo_open(), .borrower = exo_open() };
	int fd;

	l.before = stats_get(l.lender);
	l.frame = frame_new(l.lender, NR_PAGES);
	fd = export_fd(l.lender, l.frame);
	if (import_fd(l.borrower, fd, &l.got))
		bail("CAP_IMPORT");
	close(fd);
	return l;
}

static bool pages_back(const struct loan *l)
{
	uint64_t end = now_ms() + BACK_MS;

	while (stats_get(l->lender).out_nr_frame_pages !=
	       l->before.out_nr_frame_pages) {
		if (now_ms() > end)
			return false;
		usleep(1000);
	}
	return true;
}

/* Revoke while a command of the borrower stands still at @s. */
static long stalled(struct loan *l, struct stall *s, unsigned long cmd,
		    void *arg, const char *what)
{
	static const char zeroes[STALL_PAGE];
	struct caller c = { .env = l->borrower, .cmd = cmd, .arg = arg };
	pthread_t thread;

	if (pthread_create(&thread, NULL, call, &c))
		bail("pthread_create");
	ok(stall_reached(s), "%s stands still", what);
	is(cap_revoke(l->lender, l->frame, EXO_REVOKE_SELF), 2,
	   "%s: the frame is revoked", what);
	ok(pages_back(l), "%s: the lender has its pages back", what);
	stall_end(s, zeroes);
	pthread_join(thread, NULL);
	exo_close_handle(l->borrower, l->got);
	exo_close_handle(l->lender, l->frame);
	ok(stats_wait(l->lender, &l->before, 2000), "%s: nothing is left",
	   what);
	close(l->borrower);
	close(l->lender);
	return c.rc;
}

static void test_info(void)
{
	struct loan l = lend();
	struct exo_frame_info i = {
		.size = sizeof(i), .frame = l.got, .nr = NR_PAGES,
	};
	struct stall s;

	stall_new(&s);
	i.array = (uintptr_t)s.second - sizeof(struct exo_page_info);
	is(stalled(&l, &s, EXO_CMD_FRAME_INFO, &i, "FRAME_INFO"), 0,
	   "it is told what was so before");
	stall_free(&s);
}

static void test_pool(void)
{
	struct loan l = lend();
	struct exo_frame_alloc f = {
		.size = sizeof(f), .flags = EXO_FRAME_POOL, .pool = l.got,
		.nr_pages = 2,
	};
	struct stall s;

	stall_new(&s);
	f.array = (uintptr_t)s.second - sizeof(uint64_t);
	*(uint64_t *)(uintptr_t)f.array = 1;
	is(stalled(&l, &s, EXO_CMD_FRAME_ALLOC, &f, "FRAME_POOL"), -ESTALE,
	   "it gets none of them");
	stall_free(&s);
}

/* --------------------------------------------------- waiting for a CPU */

/* So many that a thread which hardly runs would take many seconds. */
static int nr_children;
static atomic_bool stop;

static void on_cpu(int cpu, int policy)
{
	struct sched_param param = {};
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) ||
	    sched_setscheduler(0, policy, &param))
		bail("scheduling: %m");
}

static void *spin(void *arg)
{
	on_cpu(0, SCHED_OTHER);
	while (!stop)
		;
	return arg;
}

/* The borrower ends what it has made itself, as slowly as it can. */
static void *revoke_slowly(void *arg)
{
	const struct loan *l = arg;

	on_cpu(0, SCHED_IDLE);
	cap_revoke(l->borrower, l->got, 0);
	return NULL;
}

static void wait_begun(const struct loan *l)
{
	uint64_t end = now_ms() + 60000;
	struct exo_cap_info i;

	while (!cap_info(l->borrower, l->got, &i) &&
	       i.out_nr_children == (uint32_t)nr_children)
		if (now_ms() > end)
			bail("the borrower's revocation never begins");
}

/* In its own tree: mapped for 300 ms, with another that ends a bit before. */
static uint64_t *mapped_for(int env, const struct loan *l, uint64_t t)
{
	uint32_t root = frame_new(env, 1), h;

	if (derive_until(l->borrower, l->got, R, 0, 1, t - MS, &h) ||
	    derive_until(env, root, RW, 0, 1, t, &h))
		bail("CAP_DERIVE");
	return cap_mapped(env, h, 0, 1, RDWR);
}

static bool gone_by(const volatile void *p, uint64_t end)
{
	do {
		if (touch(p, NULL) == SIGBUS)
			return true;
		usleep(1000);
	} while (boottime_ns() < end);
	return false;
}

/* In a process of its own: it may never come back. */
static int lender(void *arg)
{
	struct loan l = lend();
	uint64_t *mine = cap_mapped(l.borrower, l.got, 0, 1, RDWR), *other, t;
	int third = exo_open(), i, took;
	uint64_t start;
	pthread_t threads[2];

	for (i = 0; i < nr_children; i++)
		derived(l.borrower, l.got, R, 0, 1);
	on_cpu(1, SCHED_OTHER);
	touch(mine, NULL);
	t = boottime_ns() + 300 * MS;
	other = mapped_for(third, &l, t);
	nr_children++;
	if (pthread_create(&threads[0], NULL, spin, NULL) ||
	    pthread_create(&threads[1], NULL, revoke_slowly, &l))
		bail("pthread_create");
	wait_begun(&l);
	ok(gone_by(other, t + BACK_MS * MS),
	   "the time of others' capabilities runs on");
	start = now_ms();
	ok(cap_revoke(l.lender, l.frame, 0) > 0, "the lender revokes too");
	took = now_ms() - start;
	ok(took < BACK_MS, "and does not wait for a turn of the borrower's "
	   "(%d ms)", took);
	is(touch(mine, NULL), SIGBUS, "the borrower's mapping is gone");
	stop = true;
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
	(void)arg;
	return 0;
}

static void test_cpu(void)
{
	bool slow = !strcmp(getenv("EXO_KERNEL") ?: "", "debug");
	uint64_t end = now_ms() + 60000;
	int status = -1, env = exo_open();
	struct exo_stats before = stats_get(env);
	pid_t pid;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2) {
		skip("needs two CPUs");
		return;
	}
	nr_children = slow ? 12000 : 60000;
	pid = as_user_start(NULL, UID_ALICE, lender, NULL);
	while (waitpid(pid, &status, WNOHANG) == 0 && now_ms() < end)
		usleep(10000);
	if (status == -1) {
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
	}
	is(status, 0, "a thread that hardly runs holds up nobody");
	ok(stats_wait(env, &before, 60000), "nothing is left");
	close(env);
}

int main(void)
{
	exo_setup();
	test_info();
	test_pool();
	test_cpu();
	return done_testing();
}
