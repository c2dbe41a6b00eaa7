// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * On the real module: do both ways of submitting give the same data and errors,
 * do the loop and a foreign descriptor work with it, and is everything given
 * back?
 * vm: --disk 64
 */
#define _GNU_SOURCE	/* what exo_test.h wants */
#include <exo/exo.h>

#include "../exo_test.h"

#define NR	32

struct bench {
	struct exo_env *env;
	struct exo_disk_info disk;
	struct exo_extent x;
	struct exo_frame frame;
};

static void bench_open(struct bench *b)
{
	int rc = 0, fd;
	__u32 id;

	if (system("build/exoctl disk format /dev/vda --name lib --force"))
		bail("format");
	if (exo_env_open(NULL, NULL, &b->env))
		bail("env");
	fd = open("/dev/vda", O_RDWR | O_CLOEXEC);
	rc = rc ?: exo_disk_attach(b->env, fd, &id);
	close(fd);
	rc = rc ?: exo_disk_find(b->env, "lib", &b->disk);
	rc = rc ?: exo_disk_grant(b->env, id, 0, 10000);
	rc = rc ?: exo_extent_create(b->env, &b->disk, "x", 1000, 0600, &b->x);
	rc = rc ?: exo_frame_alloc(b->env, 2 * NR, 0, &b->frame);
	if (rc)
		bail("set-up: %s", strerror(-rc));
}

static void bench_close(struct bench *b)
{
	is(exo_frame_free(&b->frame), 0, "the frame is freed");
	is(exo_extent_delete(&b->x), 0, "the extent is deleted");
	is(exo_disk_detach(b->env, b->disk.disk), 0, "the disk is detached");
	exo_env_close(b->env);
}

/* Waits for nr completions: how many had the result wanted. */
static int harvest(struct exo_cq *cq, int nr, int res)
{
	const struct exo_cqe *cqe;
	__u64 seen = 0;
	int good = 0;

	while (nr--) {
		while (!exo_cq_ready(cq))
			if (exo_io_wait(cq, 5000000000) < 0)
				return -1;
		cqe = exo_cq_peek(cq);
		good += cqe->res == res && !(seen >> cqe->user_data & 1);
		seen |= 1ULL << cqe->user_data;
		exo_cq_release(cq, 1);
	}
	return good;
}

static void test_io(struct bench *b, __u32 flags, const char *how)
{
	struct exo_io io[NR];
	struct exo_cq cq;
	int i, bad = 0;

	if (exo_cq_create(b->env, NR, flags, &cq))
		bail("cq");
	if (flags && !cq.uring) {
		skip("io_uring commands are not to be had");
		exo_cq_destroy(&cq);
		return;
	}
	for (i = 0; i < NR; i++) {
		memset(exo_frame_page(&b->frame, i), 'a' + i, 4096);
		memset(exo_frame_page(&b->frame, NR + i), 0, 4096);
		exo_io_prep_write(&io[i], &b->x, 2 * i, 1, &b->frame, i, 0, i);
	}
	is(exo_io_submit(&cq, io, NR), NR, "%s: %d writes go", how, NR);
	is(harvest(&cq, NR, 4096), NR, "%s: and are done", how);
	exo_io_prep_flush(&io[0], &b->x, 0);
	exo_io_submit(&cq, io, 1);
	is(harvest(&cq, 1, 0), 1, "%s: a flush", how);
	for (i = 0; i < NR; i++)
		exo_io_prep_read(&io[i], &b->x, 2 * i, 1, &b->frame, NR + i, i);
	is(exo_io_submit(&cq, io, NR), NR, "%s: %d reads go", how, NR);
	is(harvest(&cq, NR, 4096), NR, "%s: and are done", how);
	for (i = 0; i < NR; i++)
		bad += !!memcmp(exo_frame_page(&b->frame, i),
				exo_frame_page(&b->frame, NR + i), 4096);
	is(bad, 0, "%s: what was written is read", how);
	is(exo_cq_destroy(&cq), 0, "%s: the ring goes", how);
}

static void test_bad(struct bench *b)
{
	struct exo_cq plain, uring;
	struct exo_io io;

	if (exo_cq_create(b->env, 4, 0, &plain) ||
	    exo_cq_create(b->env, 4, EXO_CQ_F_URING, &uring))
		bail("cq");
	exo_io_prep_read(&io, &b->x, 1000, 1, &b->frame, 0, 1);
	is(exo_io_submit(&plain, &io, 1), -EINVAL, "beyond the extent");
	if (uring.uring) {
		is(exo_io_submit(&uring, &io, 1), 1, "io_uring takes it");
		is(harvest(&uring, 1, -EINVAL), 1, "and says so afterwards");
	}
	is(exo_io_sync(b->env, &io), -EINVAL, "nor waiting for it");
	exo_io_prep_read(&io, &b->x, 0, 1, &b->frame, 0, 1);
	is(exo_io_sync(b->env, &io), 4096, "else it is read");
	exo_cq_destroy(&plain);
	exo_cq_destroy(&uring);
}

struct served {
	struct exo_cq cq;
	int done;
};

static void on_env(struct exo_loop *loop, void *ctx)
{
	struct served *s = ctx;

	while (exo_cq_peek(&s->cq)) {
		exo_cq_release(&s->cq, 1);
		if (++s->done == NR)
			exo_loop_stop(loop, 5);
	}
}

static void on_late(struct exo_loop *loop, struct exo_timer *timer, void *ctx)
{
	(void)timer;
	(void)ctx;
	exo_loop_stop(loop, 1);
}

static void test_loop(struct bench *b, unsigned int flags, const char *how)
{
	struct exo_timer timer = { .fn = on_late };
	struct exo_loop *loop;
	struct exo_io io[NR];
	struct served s = { .done = 0 };
	int i;

	if (exo_cq_create(b->env, NR, 0, &s.cq) ||
	    exo_loop_create(b->env, flags, &loop))
		bail("loop");
	for (i = 0; i < NR; i++)
		exo_io_prep_read(&io[i], &b->x, i, 1, &b->frame, i, i);
	exo_loop_on_env(loop, on_env, &s);
	exo_timer_start(loop, &timer, exo_loop_now_ns(loop) + 5000000000);
	exo_io_submit(&s.cq, io, NR);
	is(exo_loop_run(loop), 5, "%s: completions wake the loop", how);
	is(s.done, NR, "%s: all of them", how);
	exo_loop_destroy(loop);
	exo_cq_destroy(&s.cq);
}

int main(void)
{
	struct bench b = { 0 };

	exo_setup();
	bench_open(&b);
	test_io(&b, 0, "ioctl");
	test_io(&b, EXO_CQ_F_URING, "io_uring");
	test_bad(&b);
	test_loop(&b, EXO_LOOP_F_POLL, "poll");
	test_loop(&b, EXO_LOOP_F_URING, "io_uring");
	bench_close(&b);
	return done_testing();
}
