// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Do submissions and completion rings keep their promises, through the module's
 * rings and through io_uring?
 */
#define _GNU_SOURCE	/* what exo_test.h wants */
#include "../exo_test.h"
#include "fake.h"

/* What most tests need: a fake with an open extent, a frame and a ring. */
struct bench {
	struct fake f;
	struct exo_env *env;
	struct exo_frame frame;
	struct exo_extent x;
	struct exo_cq cq;
};

static void bench_open(struct bench *b, __u32 nr_entries)
{
	fake_init(&b->f);
	b->env = fake_open(&b->f);
	fake_disk(&b->f, "d", "vda", 1);
	if (!b->env || exo_frame_alloc(b->env, 64, 0, &b->frame) ||
	    exo_extent_create(b->env, &b->f.disk[0], "x", 100, 0600, &b->x) ||
	    exo_cq_create(b->env, nr_entries, 0, &b->cq))
		bail("no bench");
}

static void bench_close(struct bench *b)
{
	is(exo_cq_destroy(&b->cq), 0, "the ring goes");
	exo_extent_close(&b->x);
	exo_frame_free(&b->frame);
	is(b->f.nr_live + b->f.nr_mapped, 0, "nothing is left");
	exo_env_close(b->env);
}

static void reads(struct bench *b, struct exo_io *io, int nr, __u64 tag)
{
	int i;

	for (i = 0; i < nr; i++)
		exo_io_prep_read(&io[i], &b->x, i, 1, &b->frame, i, tag + i);
}

static void test_prep(void)
{
	struct exo_extent x = { .handle = 3 };
	struct exo_frame frame = { .handle = 4 };
	struct exo_io io;

	memset(&io, 0xff, sizeof(io));
	exo_io_prep_write(&io, &x, 5, 6, &frame, 7, EXO_IO_F_FUA, 8);
	ok(io.size == sizeof(io) && io.op == EXO_IO_WRITE && io.extent == 3 &&
	   io.block == 5 && io.nr_blocks == 6 && io.frame == 4 &&
	   io.frame_page == 7 && io.flags == EXO_IO_F_FUA &&
	   io.user_data == 8 && !io.reserved, "a write is filled in whole");
	memset(&io, 0xff, sizeof(io));
	exo_io_prep_flush(&io, &x, 9);
	ok(io.op == EXO_IO_FLUSH && !io.frame && !io.nr_blocks && !io.flags &&
	   io.user_data == 9, "a flush has no data");
}

static void test_create(void)
{
	struct exo_cq cq;
	struct exo_env *env;
	struct fake f;

	fake_init(&f);
	env = fake_open(&f);
	is(exo_cq_create(env, 0, 0, &cq), -EINVAL, "no entries");
	is(exo_cq_create(env, 3, 0, &cq), -EINVAL, "3 entries");
	is(exo_cq_create(env, 8192, 0, &cq), -EINVAL, "above the limit");
	is(exo_cq_create(env, 8, 2, &cq), -EOPNOTSUPP, "unknown flag");
	f.cq_bytes = 4096;
	is(exo_cq_create(env, 8, 0, &cq), -EPROTO, "a mapping too short");
	is(f.nr_live, 0, "the handle is given back");
	f.cq_bytes = 0;
	f.mmap_rc = -ENOMEM;
	is(exo_cq_create(env, 8, 0, &cq), -ENOMEM, "mmap fails");
	is(f.nr_live, 0, "the handle is given back");
	f.mmap_rc = 0;
	f.uring_rc = -EPERM;
	is(exo_cq_create(env, 8, EXO_CQ_F_URING, &cq), 0,
	   "without io_uring a ring of the module");
	ok(!cq.uring && cq.handle, "it is one");
	exo_cq_destroy(&cq);
	f.uring_rc = 0;
	f.query.out_features = 0;
	exo_env_close(env);
	env = fake_open(&f);
	is(exo_cq_create(env, 8, EXO_CQ_F_URING, &cq), 0,
	   "nor if the module has no commands");
	ok(!cq.uring, "it is one of the module");
	exo_cq_destroy(&cq);
	exo_env_close(env);
}

/* Many times around a small ring, in batches that do not divide it. */
static void test_wrap(void)
{
	__u64 tag = 0, seen = 0, lost = 0, wrong = 0;
	const struct exo_cqe *cqe;
	struct exo_io io[7];
	struct bench b;
	int i;

	bench_open(&b, 8);
	/* free running indices wrap at 2^32 */
	b.cq.cons = ~0U - 20;
	b.cq.ring->cons = b.cq.cons;
	b.cq.ring->prod = b.cq.cons;
	for (i = 0; i < 50; i++) {
		reads(&b, io, 7, tag);
		lost += exo_io_submit(&b.cq, io, 7) != 7;
		tag += 7;
		lost += exo_cq_ready(&b.cq) != 7;
		lost += exo_cq_at(&b.cq, 6)->user_data != tag - 1;
		while ((cqe = exo_cq_peek(&b.cq))) {
			wrong += cqe->user_data != seen++ || cqe->res != 4096;
			exo_cq_release(&b.cq, 1);
		}
	}
	is(seen, 350, "all completions arrive");
	is(lost + wrong, 0, "in order, once each");
	is(*(__u64 *)exo_frame_page(&b.frame, 6), 6, "with the data");
	bench_close(&b);
}

static void test_submit(void)
{
	struct exo_io io[64];
	struct bench b;

	bench_open(&b, 32);
	reads(&b, io, 64, 0);
	is(exo_io_submit(&b.cq, io, 0), -EINVAL, "an empty batch");
	b.f.nr_ioctls = 0;
	is(exo_io_submit(&b.cq, io, 20), 20, "20, with 8 a call");
	is(b.f.nr_ioctls, 3, "take 3 calls");
	is(exo_io_submit(&b.cq, io, 64), 12, "the ring takes 12 more");
	is(exo_io_submit(&b.cq, io, 1), -EAGAIN, "then none");
	is(exo_cq_ready(&b.cq), 32, "it is full");
	exo_cq_release(&b.cq, 32);
	b.f.short_io = 3;
	is(exo_io_submit(&b.cq, io, 20), 3, "the module takes 3");
	b.f.short_io = 0;
	io[10].extent = 63;
	is(exo_io_submit(&b.cq, io, 20), 10, "up to the one that is wrong");
	is(exo_io_submit(&b.cq, io + 10, 1), -EBADF, "whose error comes first");
	b.f.lie_nr = EXO_NR_IO_SUBMIT;
	is(exo_io_submit(&b.cq, io, 2), -EPROTO, "success with none accepted");
	b.f.lie_out_nr = 3;
	is(exo_io_submit(&b.cq, io, 2), -EPROTO, "more accepted than given");
	b.f.lie_rc = -EINTR;
	is(exo_io_submit(&b.cq, io, 2), -EINTR, "interrupted");
	bench_close(&b);
}

static void test_hostile_ring(void)
{
	struct exo_cq_ring *ring;
	struct bench b;

	bench_open(&b, 8);
	ring = fake_ring(&b.f);
	ring->prod = 9;
	is(exo_cq_ready(&b.cq), 0, "more than the ring holds is nothing");
	ok(!exo_cq_peek(&b.cq), "nothing to see");
	ring->prod = ~0U;
	is(exo_cq_ready(&b.cq), 0, "going backwards is nothing");
	ring->prod = 8;
	is(exo_cq_ready(&b.cq), 8, "a full ring is full");
	ring->cons = 0x12345678;
	exo_cq_release(&b.cq, 1);
	is(ring->cons, 1, "our index is our own");
	bench_close(&b);
}

static void test_wait(void)
{
	struct exo_io io[2];
	struct bench b;

	bench_open(&b, 8);
	reads(&b, io, 2, 0);
	is(exo_io_wait(&b.cq, 1000000), -ETIME, "nothing comes");
	is(exo_io_wait(&b.cq, 0), -ETIME, "nothing is there");
	fake_ready(&b.f, 1);
	is(exo_io_wait(&b.cq, -1), 0, "something else came");
	fake_ready(&b.f, 0);
	exo_io_submit(&b.cq, io, 2);
	is(exo_io_wait(&b.cq, -1), 2, "two are there without sleeping");
	exo_cq_release(&b.cq, 2);
	b.f.poll_rc = -EINTR;
	is(exo_io_wait(&b.cq, -1), -EINTR, "interrupted");
	is(exo_io_sync(b.env, &io[0]), 4096, "one at once");
	b.f.fail_nr = EXO_NR_IO;
	b.f.fail_rc = -EIO;
	is(exo_io_sync(b.env, &io[0]), -EIO, "its error");
	bench_close(&b);
}

/*
 * The fake's descriptor takes no commands of io_uring: each operation must come
 * back once with that error, and room must never be lost.
 */
static void test_uring(void)
{
	int i, rounds, done = 0, bad = 0, rc;
	const struct exo_cqe *cqe;
	struct exo_io io[8];
	struct exo_cq cq;
	struct bench b;

	bench_open(&b, 8);
	if (exo_cq_create(b.env, 4, EXO_CQ_F_URING, &cq))
		bail("no ring");
	if (!cq.uring) {
		skip("io_uring is off here");
		exo_cq_destroy(&cq);
		bench_close(&b);
		return;
	}
	reads(&b, io, 8, 100);
	for (rounds = 0; rounds < 20; rounds++) {
		rc = exo_io_submit(&cq, io, 8);
		bad += rc != 4;
		bad += exo_io_submit(&cq, io, 1) != -EAGAIN;
		for (i = 0; i < 4; i++) {
			exo_io_wait(&cq, 1000000000);
			cqe = exo_cq_peek(&cq);
			if (!cqe)
				break;
			bad += cqe->res >= 0;
			bad += cqe->user_data < 100 || cqe->user_data > 103;
			exo_cq_release(&cq, 1);
			done++;
		}
	}
	is(done, 80, "each operation completes");
	is(bad, 0, "once, with its own tag, and room comes back");
	is(exo_io_submit(&cq, io, 2), 2, "two left in flight");
	is(exo_cq_destroy(&cq), 0, "are waited for");
	bench_close(&b);
}

int main(void)
{
	test_prep();
	test_create();
	test_wrap();
	test_submit();
	test_hostile_ring();
	test_wait();
	test_uring();
	return done_testing();
}
