// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * If the first, second, third ... allocation of libexo fails, is that told, and
 * is everything given back?
 */
#define _GNU_SOURCE	/* what exo_test.h wants */
#include "../exo_test.h"
#include "fake.h"

/* The linker leads libexo's allocations here (see build.mk). */
void *__real_malloc(size_t bytes);
void *__real_calloc(size_t nr, size_t bytes);
void *__real_reallocarray(void *p, size_t nr, size_t bytes);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t nr, size_t bytes);
void *__wrap_reallocarray(void *p, size_t nr, size_t bytes);

static int countdown = -1;	/* below 0: all succeed */
static int nr_failed;

static bool fails(void)
{
	if (countdown < 0 || countdown--)
		return false;
	nr_failed++;
	return true;
}

void *__wrap_malloc(size_t bytes)
{
	return fails() ? NULL : __real_malloc(bytes);
}

void *__wrap_calloc(size_t nr, size_t bytes)
{
	return fails() ? NULL : __real_calloc(nr, bytes);
}

void *__wrap_reallocarray(void *p, size_t nr, size_t bytes)
{
	return fails() ? NULL : __real_reallocarray(p, nr, bytes);
}

static void on_fd(struct exo_loop *loop, int fd, unsigned int events, void *ctx)
{
	(void)fd;
	(void)events;
	(void)ctx;
	exo_loop_stop(loop, 0);
}

static void on_timer(struct exo_loop *loop, struct exo_timer *timer, void *ctx)
{
	(void)timer;
	(void)ctx;
	exo_loop_stop(loop, 0);
}

static void on_event(struct exo_loop *loop, const struct exo_event *event,
		     void *ctx)
{
	(void)loop;
	(void)event;
	(void)ctx;
}

static int use_loop(struct exo_env *env, unsigned int flags)
{
	struct exo_timer timer = { .fn = on_timer };
	struct exo_loop *loop;
	int p[2], rc;

	rc = exo_loop_create(env, flags, &loop);
	if (rc)
		return rc;
	if (pipe(p))
		bail("pipe");
	rc = exo_loop_on_event(loop, on_event, NULL);
	if (!rc)
		rc = exo_loop_add_fd(loop, p[0], POLLIN, on_fd, NULL);
	if (!rc)
		rc = exo_timer_start(loop, &timer, 1);
	if (!rc)
		rc = exo_loop_run(loop);
	exo_loop_destroy(loop);
	close(p[0]);
	close(p[1]);
	return rc;
}

static int use_io(struct exo_env *env, struct exo_extent *x,
		  struct exo_frame *frame, __u32 flags)
{
	struct exo_io io;
	struct exo_cq cq;
	int rc;

	rc = exo_cq_create(env, 8, flags, &cq);
	if (rc)
		return rc;
	exo_io_prep_read(&io, x, 0, 1, frame, 0, 0);
	rc = exo_io_submit(&cq, &io, 1);
	exo_cq_destroy(&cq);
	return rc < 0 ? rc : 0;
}

static int use_disk(struct exo_env *env)
{
	struct exo_disk_info disk;
	struct exo_frame frame;
	struct exo_extent x, y;
	int rc;

	rc = exo_disk_find(env, "d", &disk);
	if (rc)
		return rc;
	rc = exo_extent_create(env, &disk, "new", 10, 0600, &x);
	if (rc)
		return rc;
	rc = exo_extent_open(env, disk.disk, "root:old", EXO_RIGHT_READ, &y);
	if (!rc)
		exo_extent_close(&y);
	if (!rc)
		rc = exo_frame_alloc(env, 4, 0, &frame);
	if (!rc) {
		rc = use_io(env, &x, &frame, 0);
		if (!rc)
			rc = use_io(env, &x, &frame, EXO_CQ_F_URING);
		exo_frame_free(&frame);
	}
	exo_extent_delete(&x);
	return rc;
}

static int use_all(struct fake *f)
{
	struct exo_env *env;
	int rc;

	rc = exo_env_open(&f->sys, NULL, &env);
	if (rc)
		return rc;
	rc = use_disk(env);
	if (!rc)
		rc = use_loop(env, 0);
	if (!rc)
		rc = use_loop(env, EXO_LOOP_F_POLL);
	exo_env_close(env);
	return rc;
}

int main(void)
{
	int i, rc, nr_told = 0;
	struct fake f;

	for (i = 0; i < 1000; i++) {
		fake_init(&f);
		fake_disk(&f, "d", "vda", 1);
		fake_extent(&f, 500, 10, 0, "old");
		nr_failed = 0;
		countdown = i;
		rc = use_all(&f);
		countdown = -1;
		/* without memory for io_uring the module's ring serves */
		if (!ok((rc == -ENOMEM && nr_failed) || !rc,
			"allocation %d: told (%d)", i, rc))
			break;
		nr_told += rc == -ENOMEM;
		is(f.nr_live + f.nr_mapped + f.nr_open, 0,
		   "allocation %d: nothing is left", i);
		if (!rc && !nr_failed)
			break;
	}
	ok(!rc && nr_told >= 12, "in the end all succeed, after %d failures",
	   nr_told);
	return done_testing();
}
