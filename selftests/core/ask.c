// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Is memory taken back visibly: asked for first, with a deadline; nothing taken
 * from who gives it back in time; from who does not, whole frames, no more than
 * was asked for and never the guaranteed minimum, each of them written into the
 * repossession vector?
 *
 * timeout: 240
 */
#include "event.h"

#define NR_FRAMES	16
#define FRAME_PAGES	8
#define ALL_PAGES	(NR_FRAMES * FRAME_PAGES)
#define NOW		0

/* root asks on behalf of the one below: id, pages, timeout. */
static int asker[2];

struct request {
	uint64_t id;
	uint64_t nr_pages;
	uint32_t timeout_ms;
};

static long asked(uint64_t id, uint64_t nr_pages, uint32_t timeout_ms)
{
	struct request r = { id, nr_pages, timeout_ms };
	long rc;

	if (write(asker[0], &r, sizeof(r)) != sizeof(r) ||
	    read(asker[0], &rc, sizeof(rc)) != sizeof(rc))
		bail("root is gone");
	return rc;
}

/* Until the other end is closed. */
static void serve(void)
{
	int env = exo_open();
	struct request r;
	long rc;

	while (read(asker[1], &r, sizeof(r)) == sizeof(r)) {
		rc = env_ask(env, r.id, r.nr_pages, r.timeout_ms);
		if (write(asker[1], &rc, sizeof(rc)) != sizeof(rc))
			bail("write: %m");
	}
	close(env);
}

/* An env with frames, each mapped and its number in each page. */
struct holder {
	int env;
	struct info info;
	uint32_t frame[NR_FRAMES];
	uint64_t *p[NR_FRAMES];
};

static void holder_begin(struct holder *h)
{
	int i, k;

	h->env = env_nonblock();
	h->info = info_map(h->env);
	for (i = 0; i < NR_FRAMES; i++) {
		h->frame[i] = frame_new(h->env, FRAME_PAGES);
		h->p[i] = cap_mapped(h->env, h->frame[i], 0, FRAME_PAGES,
				     RDWR);
		for (k = 0; k < FRAME_PAGES; k++)
			h->p[i][k * PAGE / 8] = i + 1;
	}
}

static void holder_end(struct holder *h)
{
	int i;

	for (i = 0; i < NR_FRAMES; i++)
		munmap(h->p[i], FRAME_PAGES * PAGE);
	munmap((void *)h->info.env - EXO_INFO_ENV_OFFSET, EXO_INFO_BYTES);
	close(h->env);
}

/* Frames by state; each must show its number, or be SIGBUS, as it says. */
static int nr_in_state(struct holder *h, uint32_t state)
{
	int i, n = 0, wrong = 0;
	uint64_t v;

	for (i = 0; i < NR_FRAMES; i++) {
		long s = cap_state(h->env, h->frame[i]);

		n += s == state;
		v = 0;
		if (s == EXO_CAP_LIVE)
			wrong += touch(h->p[i], &v) || v != (uint64_t)i + 1;
		else
			wrong += touch(h->p[i], NULL) != SIGBUS;
	}
	if (wrong)
		ok(false, "%d frames do not show what they say", wrong);
	return n;
}

/* Wait until so many pages were taken; how many were in the end. */
static uint64_t taken(struct holder *h, uint64_t want, int ms)
{
	uint64_t end = now_ms() + ms;

	while (h->info.env->nr_taken < want && now_ms() < end)
		usleep(5000);
	usleep(50000);
	return h->info.env->nr_taken;
}

/* --------------------------------------------------------------- tests */

static void test_arguments(struct holder *h)
{
	uint64_t id = h->info.env->id;

	is(asked(0, 1, 1000), -ENOENT, "ask nobody");
	is(asked(id + 1000, 1, 1000), -ENOENT, "ask who is not there");
	is(asked(id, 0, 1000), -EINVAL, "ask for nothing");
	is(asked(id, 1, 3600001), -EINVAL, "ask for more than an hour");
	is(env_ask(h->env, id, 1, 1000), -EPERM, "ask without privilege");
	is(h->info.env->nr_asked, 0, "none of it asked for anything");
}

static void test_given_back(struct holder *h)
{
	uint64_t before = boottime_ns(), deadline;
	struct exo_event e;
	int i;

	is(asked(h->info.env->id, 3 * FRAME_PAGES, 1500), 0,
	   "root asks for three frames");
	ok(next_event(h->env, 2000, &e), "an event");
	ok(e.type == EXO_EVENT_RELEASE && e.source == EXO_SOURCE_ADMIN &&
	   e.nr_pages == 3 * FRAME_PAGES && !e.handle, "says how much");
	deadline = e.deadline_ns;
	ok(deadline >= before + 1400 * MS &&
	   deadline <= boottime_ns() + 1600 * MS, "and by when");
	is(h->info.env->nr_asked, 3 * FRAME_PAGES, "so does the page");
	is(h->info.env->deadline_ns, deadline, "likewise");
	for (i = 0; i < 3; i++)
		exo_close_handle(h->env, h->frame[i * 5]);
	is(h->info.env->nr_asked, 0, "the library gives three back");
	is(h->info.env->deadline_ns, 0, "nothing is pending then");
	while (boottime_ns() < deadline + 300 * MS)
		usleep(50000);
	is(h->info.env->nr_taken, 0, "and nothing is taken");
	is(nr_in_state(h, EXO_CAP_LIVE), NR_FRAMES - 3, "the others live");
	ok(!has_event(h->env, 0), "no further event");
}

/* The vector names frames that the env has, each once, and they say so. */
static void is_vector(struct holder *h, uint32_t nr)
{
	uint64_t seen = 0, pages = 0;
	uint32_t i, k;

	is(h->info.env->vector_prod, nr, "entries in the vector");
	for (i = 0; i < nr; i++) {
		pages += h->info.vector[i].nr_pages;
		for (k = 0; k < NR_FRAMES; k++)
			if (h->frame[k] == h->info.vector[i].handle &&
			    cap_state(h->env, h->frame[k]) ==
			    EXO_CAP_REPOSSESSED)
				seen |= 1U << k;
		ok(h->info.vector[i].time_ns <= boottime_ns() &&
		   h->info.vector[i].time_ns, "entry %u: a time", i);
	}
	is(__builtin_popcountll(seen), nr, "each a frame, each once");
	is(pages, nr * FRAME_PAGES, "with its pages");
}

static void test_taken(struct holder *h)
{
	struct exo_stats before = stats_get(h->env);
	struct exo_refusal r;
	struct exo_event e;
	int i, events = 0;
	uint32_t out;

	is(asked(h->info.env->id, 4 * FRAME_PAGES + 1, 300), 0,
	   "root asks for four frames and a page");
	is(taken(h, 5 * FRAME_PAGES, 5000), 5 * FRAME_PAGES,
	   "nobody answers: five whole frames are taken");
	is(nr_in_state(h, EXO_CAP_REPOSSESSED), 5, "they say so");
	is(nr_in_state(h, EXO_CAP_LIVE), NR_FRAMES - 5, "the others live");
	is_vector(h, 5);
	before.out_nr_frame_pages -= 5 * FRAME_PAGES;
	before.out_nr_objects -= 5;
	ok(stats_wait(h->env, &before, 2000), "the memory is back");
	is(h->info.env->nr_asked, 0, "nothing is pending");
	while (next_event(h->env, 0, &e))
		events += e.type == EXO_EVENT_REPOSSESSED ? e.nr_pages : 0;
	is(events, 5 * FRAME_PAGES, "the events say how much");
	i = h->info.vector[0].handle;
	is(derive(h->env, i, R, 0, 1, &out), -ESTALE, "what was taken");
	r = refusal(h->env);
	is(r.out_reason, EXO_REFUSED_REPOSSESSED, "says why it is refused");
	is(exo_close_handle(h->env, i), 0, "and can be closed");
}

/* Some given back in time: only the rest is taken. */
static void test_part(struct holder *h)
{
	is(asked(h->info.env->id, 3 * FRAME_PAGES, 500), 0,
	   "root asks for three frames");
	exo_close_handle(h->env, h->frame[2]);
	exo_close_handle(h->env, h->frame[9]);
	is(taken(h, FRAME_PAGES, 5000), FRAME_PAGES,
	   "two are given back: one is taken");
	is(nr_in_state(h, EXO_CAP_LIVE), NR_FRAMES - 3, "the others live");
}

static void test_minimum(struct holder *h)
{
	uint64_t end;

	is(asked(h->info.env->id, 10 * ALL_PAGES, NOW), 0,
	   "root asks for more than there is, at once");
	taken(h, ALL_PAGES - EXO_ENV_MIN_PAGES, 5000);
	ok(own_pages_become(h->info.env, EXO_ENV_MIN_PAGES),
	   "the minimum is left");
	is(nr_in_state(h, EXO_CAP_LIVE), EXO_ENV_MIN_PAGES / FRAME_PAGES,
	   "as frames that live");
	asked(h->info.env->id, 1, NOW);
	for (end = now_ms() + 500; now_ms() < end;)
		usleep(50000);
	is(h->info.env->nr_pages, EXO_ENV_MIN_PAGES,
	   "asked once more: still the minimum");
}

/* Two requests before the library reads: one event, the stricter of both. */
static void test_merged(struct holder *h)
{
	struct exo_event e;

	is(asked(h->info.env->id, FRAME_PAGES, 60000), 0, "a request");
	is(asked(h->info.env->id, 2 * FRAME_PAGES, 30000), 0, "another");
	ok(next_event(h->env, 1000, &e) && e.type == EXO_EVENT_RELEASE,
	   "an event");
	ok(e.nr_pages >= 2 * FRAME_PAGES && e.nr_pages <= 3 * FRAME_PAGES,
	   "for both (%llu pages)", e.nr_pages);
	ok(e.deadline_ns <= boottime_ns() + 30000 * MS,
	   "by the earlier time");
	ok(!has_event(h->env, 0), "and no other");
}

/*
 * A second request while frames are being taken for the first: it stands. The
 * first frame is large, so that taking it lasts.
 */
static void test_renewed(struct holder *h)
{
	enum { LARGE = 1024, TRIES = 20 };
	int i, env, lost = 0;
	struct info info;
	uint64_t end, *p;

	(void)h;
	for (i = 0; i < TRIES; i++) {
		env = exo_open();
		info = info_map(env);
		p = cap_mapped(env, frame_new(env, LARGE), 0, LARGE, RDWR);
		memset(p, 1, LARGE * PAGE);
		frame_new(env, EXO_ENV_MIN_PAGES);
		frame_new(env, FRAME_PAGES);
		asked(info.env->id, 1, NOW);
		asked(info.env->id, LARGE + FRAME_PAGES, NOW);
		for (end = now_ms() + 2000; now_ms() < end &&
		     info.env->nr_pages > EXO_ENV_MIN_PAGES;)
			usleep(1000);
		lost += info.env->nr_pages > EXO_ENV_MIN_PAGES;
		munmap(p, LARGE * PAGE);
		munmap((void *)info.global, EXO_INFO_BYTES);
		close(env);
	}
	is(lost, 0, "no request is lost to one that is being enforced");
}

/* What is lent goes with what it was lent from, wherever it is. */
static void test_lent(struct holder *h)
{
	int other = env_nonblock(), i, n = 0;
	uint32_t in[NR_FRAMES];
	uint64_t *p[NR_FRAMES];
	struct exo_event e;

	for (i = 0; i < NR_FRAMES; i++) {
		int fd = export_fd(h->env, h->frame[i]);

		if (import_fd(other, fd, &in[i]))
			bail("CAP_IMPORT");
		close(fd);
		p[i] = cap_mapped(other, in[i], 0, 1, RDWR);
	}
	asked(h->info.env->id, 2 * FRAME_PAGES, NOW);
	is(taken(h, 2 * FRAME_PAGES, 5000), 2 * FRAME_PAGES,
	   "two frames that were lent are taken");
	for (i = 0; i < NR_FRAMES; i++)
		n += touch(p[i], NULL) == SIGBUS;
	is(n, 2, "from whom they were lent to, too");
	for (i = 0; i < NR_FRAMES; i++)
		n -= cap_state(other, in[i]) != EXO_CAP_LIVE;
	is(n, 0, "who can see it");
	for (n = 0; next_event(other, 500, &e); n++)
		ok(e.type == EXO_EVENT_CAP_ENDED, "and is told");
	is(n, 2, "of both");
	for (i = 0; i < NR_FRAMES; i++)
		munmap(p[i], PAGE);
	close(other);
}

/* kill -9 between the request and the deadline. */
static void test_killed(struct holder *unused)
{
	struct holder h;
	pid_t pid = fork();

	(void)unused;
	if (!pid) {
		holder_begin(&h);
		asked(h.info.env->id, 2 * FRAME_PAGES, 400);
		raise(SIGKILL);
	}
	is(reap(pid), 128 + SIGKILL, "killed after it was asked");
	usleep(600000);
	ok(true, "the deadline passes");
}

static int run(void *arg)
{
	static void (*const tests[])(struct holder *h) = {
		test_arguments, test_given_back, test_taken, test_part,
		test_minimum, test_merged, test_renewed, test_lent,
		test_killed,
	};
	struct exo_stats before;
	int env = exo_open();
	struct holder h;
	size_t i;

	(void)arg;
	close(asker[1]);
	before = stats_get(env);
	for (i = 0; i < ARRAY_SIZE(tests); i++) {
		holder_begin(&h);
		tests[i](&h);
		holder_end(&h);
		ok(stats_wait(env, &before, 3000), "all is given back");
	}
	close(env);
	return 0;
}

int main(void)
{
	pid_t pid;

	exo_setup();
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, asker))
		bail("socketpair: %m");
	pid = as_user_start(NULL, UID_ALICE, run, NULL);
	close(asker[0]);
	serve();
	is(reap(pid), 0, "alice's process ended well");
	return done_testing();
}
