// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Can a lender announce a revocation? Who holds a part hears of it, once, with
 * the right handle and time; until then all goes on; then nothing does, whatever
 * lender and borrowers do about it.
 */
#include "event.h"

#include <pthread.h>

#define LATE_MS		10000	/* a mapping may outlive the time by this */
#define NOTICE_MS	600
#define HOUR_MS		3600000

static void sleep_until(uint64_t ns)
{
	uint64_t now;

	while ((now = boottime_ns()) <= ns)
		usleep((ns - now) / 1000 + 1);
}

static struct exo_cap_info info_of(int env, uint32_t handle)
{
	struct exo_cap_info i;

	if (cap_info(env, handle, &i))
		bail("CAP_INFO");
	return i;
}

static uint64_t ends_of(int env, uint32_t handle)
{
	return info_of(env, handle).out_expires_ns;
}

static uint64_t notice_of(int env, uint32_t handle)
{
	return info_of(env, handle).out_notice_ns;
}

/* When what is below ends or, if a busy machine saw the end already, now. */
static uint64_t over_at(int env, uint32_t handle)
{
	return notice_of(env, handle) ?: boottime_ns();
}

static uint32_t imported(int env, int fd)
{
	uint32_t h;

	if (import_fd(env, fd, &h))
		bail("CAP_IMPORT");
	return h;
}

/* True if the mapping goes, until LATE_MS after @ns. */
static bool goes_after(const volatile void *p, uint64_t ns)
{
	while (!touch(p, NULL)) {
		if (boottime_ns() > ns + LATE_MS * MS)
			return false;
		usleep(1000);
	}
	return true;
}

static void is_ending(int env, uint32_t handle, uint64_t nr, uint64_t ends_ns,
		      const char *who)
{
	struct exo_event e;

	if (!ok(next_event(env, 0, &e), "%s hears of it", who))
		return;
	is(e.type, EXO_EVENT_CAP_ENDING, "%s: that something will end", who);
	is(e.source, EXO_SOURCE_PARENT, "%s: for the one above", who);
	is(e.handle, handle, "%s: of which handle", who);
	is(e.nr_pages, nr, "%s: how much it is", who);
	is(e.deadline_ns, ends_ns, "%s: and when", who);
	is(e.nr_dropped, 0, "%s: nothing was dropped", who);
}

/* The end is the next event after those that announce it. */
static void is_ended(int env, uint32_t handle, const char *who)
{
	struct exo_event e;
	bool heard;

	do
		heard = next_event(env, LATE_MS, &e);
	while (heard && e.type == EXO_EVENT_CAP_ENDING);
	ok(heard && e.type == EXO_EVENT_CAP_ENDED &&
	   e.source == EXO_SOURCE_PARENT && e.handle == handle &&
	   !e.deadline_ns, "%s hears of the end", who);
}

/* ----------------------------------------------------------- arguments */

static void test_arguments(int env)
{
	uint32_t root = frame_new(env, 1), h = derived(env, root, RW, 0, 1);
	struct exo_cap_revoke r = {
		.size = sizeof(r), .flags = EXO_REVOKE_SELF, .handle = root,
		.timeout_ms = 1,
	};

	is(cap_notice(env, root, HOUR_MS + 1), -EINVAL, "too long a notice");
	is(cap_notice(env, root, ~0U), -EINVAL, "far too long");
	is(exo_ioctl(env, EXO_CMD_CAP_REVOKE, &r), -EINVAL,
	   "notice of the capability's own end");
	is(cap_notice(env, 4711, 1), -ENOENT, "no such handle");
	is(notice_of(env, root), 0, "none of them was given");
	ok(!has_event(env, 0), "nor told");
	is(cap_notice(env, root, HOUR_MS), 1, "the longest there is");
	is(cap_notice(env, root, 1), -EBUSY, "a second is refused");
	is(cap_revoke(env, h, EXO_REVOKE_SELF), 1, "the child ends before");
	is(cap_notice(env, h, 1), -ESTALE, "and can give none");
	is(notice_of(env, h), 0, "and has none");
}

/* -------------------------------------------------------- what happens */

/* alice lends to bob, who lends a part on to carol. */
struct lent {
	int alice, bob, carol;
	uint32_t root, bobs, part, carols;
	int root_fd, part_fd;
	uint64_t *own, *seen;
};

static struct lent lend(int alice)
{
	struct lent l = {
		.alice = alice, .bob = env_nonblock(),
		.carol = env_nonblock(),
	};

	l.root = frame_new(alice, 4);
	l.root_fd = export_fd(alice, l.root);
	l.bobs = imported(l.bob, l.root_fd);
	l.part = derived(l.bob, l.bobs, R | S, 1, 2);
	l.part_fd = export_fd(l.bob, l.part);
	l.carols = imported(l.carol, l.part_fd);
	l.own = cap_mapped(alice, l.root, 0, 4, RDWR);
	l.seen = cap_mapped(l.carol, l.carols, 0, 2, RO);
	return l;
}

static void give_back(const struct lent *l)
{
	munmap(l->own, 4 * PAGE);
	munmap(l->seen, 2 * PAGE);
	close(l->root_fd);
	close(l->part_fd);
	close(l->bob);
	close(l->carol);
}

/* Until the time is over: as before, but everything says when it ends. */
static void goes_on(const struct lent *l, uint64_t ends_ns)
{
	struct exo_cap_import i = { .size = sizeof(i), .fd = l->root_fd };
	uint32_t child;

	is(touch(l->seen, NULL), 0, "carol reads on");
	is(exo_ioctl(l->bob, EXO_CMD_CAP_IMPORT, &i), 0,
	   "bob imports once more");
	is(i.out_expires_ns, ends_ns, "and is told when that ends");
	is(derive(l->bob, l->bobs, R, 0, 1, &child), 0, "and derives");
	is(ends_of(l->bob, child), ends_ns, "what will end with the rest");
	is_ending(l->bob, i.out_handle, 4, ends_ns, "bob, of the import");
	is_ending(l->bob, child, 1, ends_ns, "bob, of what he derived then");
}

static void is_over(const struct lent *l)
{
	uint32_t out;

	is(derive(l->bob, l->part, R, 0, 1, &out), -ESTALE,
	   "after: nothing is derived");
	is(refusal(l->bob).out_reason, EXO_REFUSED_REVOKED, "as revoked");
	is(export_fd(l->bob, l->part), -ESTALE, "nor exported");
	is(import_fd(l->carol, l->root_fd, &out), -ESTALE, "nor imported");
	is(import_fd(l->carol, l->part_fd, &out), -ESTALE,
	   "nor from what was lent on");
	is(map_error(l->carol, l->carols, 0, 1, RO), -ESTALE, "nor mapped");
	is(cap_state(l->carol, l->carols), EXO_CAP_REVOKED, "and it says why");
}

static void test_told(int alice)
{
	struct lent l = lend(alice);
	uint64_t before = boottime_ns(), ends_ns;

	is(cap_notice(alice, l.root, HOUR_MS), 3, "alice gives notice");
	ends_ns = notice_of(alice, l.root);
	ok(ends_ns >= before + HOUR_MS * MS &&
	   ends_ns <= boottime_ns() + HOUR_MS * MS, "in that time");
	is_ending(l.bob, l.bobs, 4, ends_ns, "bob");
	is_ending(l.bob, l.part, 2, ends_ns, "bob, of what he derived");
	is_ending(l.carol, l.carols, 2, ends_ns, "carol");
	ok(!has_event(l.bob, 0) && !has_event(l.carol, 0), "each once");
	ok(!has_event(alice, 0), "alice, who said it, does not");
	is(ends_of(l.bob, l.bobs), ends_ns, "bob's handle says it too");
	is(ends_of(l.carol, l.carols), ends_ns, "and carol's");
	is(ends_of(alice, l.root), 0, "the root does not end");
	is(notice_of(l.bob, l.bobs), 0, "bob gave none himself");
	goes_on(&l, ends_ns);
	give_back(&l);
}

static void test_over(int alice)
{
	struct lent l = lend(alice);
	uint64_t ends_ns;
	int touched;

	ok(cap_notice(alice, l.root, NOTICE_MS) >= 0, "a short notice");
	ends_ns = over_at(alice, l.root);
	touched = touch(l.seen, NULL);
	if (in_time(ends_ns, "carol's mapping"))
		is(touched, 0, "carol's mapping is there");
	sleep_until(ends_ns);
	is_over(&l);
	ok(goes_after(l.seen, ends_ns), "carol's mapping is gone");
	is(touch(l.own, NULL), 0, "alice's is there");
	is_ended(l.carol, l.carols, "carol");
	is_ended(l.bob, l.bobs, "bob");
	give_back(&l);
}

/* Uses are refused by the clock itself, not when somebody comes to end them. */
static void test_at_once(int alice)
{
	uint32_t h[4], root[4], out;
	uint64_t ends_ns[4];
	int i, alive = 0;

	for (i = 0; i < 4; i++) {
		root[i] = frame_new(alice, 1);
		h[i] = derived(alice, root[i], RWS, 0, 1);
	}
	for (i = 0; i < 4; i++) {
		cap_notice(alice, root[i], NOTICE_MS + 130 * i);
		ends_ns[i] = notice_of(alice, root[i]);
	}
	for (i = 0; i < 4; i++) {
		sleep_until(ends_ns[i]);
		alive += derive(alice, h[i], R, 0, 1, &out) != -ESTALE;
	}
	is(alive, 0, "with the first tick after it nothing is alive");
}

/* What ends earlier by itself does so, and the events say that. */
static void test_earlier(int alice)
{
	uint64_t t = boottime_ns() + 3600 * 1000 * MS, ends_ns;
	uint32_t root = frame_new(alice, 2), soon, late, below;

	derive_until(alice, root, RWS, 0, 2, t - 3000 * 1000 * MS, &soon);
	derive_until(alice, root, RWS, 0, 1, t, &late);
	below = derived(alice, late, RW, 0, 1);
	is(cap_notice(alice, late, 2000 * 1000), 1, "notice below");
	ends_ns = notice_of(alice, late);
	is_ending(alice, below, 1, ends_ns, "who is below");
	is(cap_notice(alice, root, 3000 * 1000), 3, "a later one above");
	is_ending(alice, soon, 2, t - 3000 * 1000 * MS, "one with an expiry");
	is_ending(alice, late, 1, notice_of(alice, root), "one with a later");
	is_ending(alice, below, 1, ends_ns, "below, the earlier stands");
	is(ends_of(alice, below), ends_ns, "the handle agrees");
	is(cap_revoke(alice, root, 0), 3, "all end");
}

/* ------------------------------------------------- its end, and no end */

static void test_revoked_meanwhile(int alice)
{
	struct lent l = lend(alice);
	uint32_t again;
	uint64_t ends_ns;
	long nr;

	ok(cap_notice(alice, l.root, NOTICE_MS) >= 0, "alice gives notice");
	ends_ns = over_at(alice, l.root);
	nr = cap_revoke(alice, l.root, 0);
	if (in_time(ends_ns, "a revocation before it"))
		is(nr, 3, "and does not wait");
	is(touch(l.seen, NULL), SIGBUS, "carol's mapping is gone");
	is(notice_of(alice, l.root), 0, "the notice is over");
	again = derived(alice, l.root, RW, 0, 1);
	is(ends_of(alice, again), 0, "what is lent then has no end");
	is(cap_notice(alice, l.root, HOUR_MS), 1, "a new notice can be given");
	ok(has_event(alice, 0), "and is told");
	sleep_until(ends_ns + 300 * MS);
	is(cap_state(alice, again), EXO_CAP_LIVE,
	   "it does not end when the old one would have");
	is(cap_revoke(alice, l.root, 0), 1, "revoked");
	give_back(&l);
}

/* A second call waits for the end, should the time be over. */
static void test_waited_for(int alice)
{
	struct lent l = lend(alice);
	uint32_t out;

	cap_notice(alice, l.root, 50);
	sleep_until(notice_of(alice, l.root));
	cap_revoke(alice, l.root, 0);
	is(touch(l.seen, NULL), SIGBUS, "after it nothing is mapped");
	is(derive(alice, l.root, RW, 0, 1, &out), 0, "and alice lends anew");
	is(cap_state(alice, out), EXO_CAP_LIVE, "what lives");
	give_back(&l);
}

/* Nor need she wait: what she lends when the time is over is not of it. */
static void test_lent_anew(int alice)
{
	uint32_t root = frame_new(alice, 1), out[4], old;
	int i, bad = 0;

	for (i = 0; i < 4; i++) {
		old = derived(alice, root, RW, 0, 1);
		bad += cap_notice(alice, root, 40 + 7 * i) < 0;
		sleep_until(notice_of(alice, root));
		bad += derive(alice, root, RW, 0, 1, &out[i]) != 0;
		bad += cap_state(alice, old) != EXO_CAP_REVOKED;
		usleep(50000);
		bad += cap_state(alice, out[i]) != EXO_CAP_LIVE;
		cap_revoke(alice, root, 0);
	}
	is(bad, 0, "what is lent as soon as the time is over lives");
}

/* Expiry and notice of one capability: each does its own. */
static void test_both(int alice)
{
	uint32_t root = frame_new(alice, 1), mid, below;
	uint64_t t = boottime_ns() + 900 * MS, *p;
	int state;
	bool lives;

	if (derive_until(alice, root, RWS, 0, 1, t, &mid))
		bail("CAP_DERIVE");
	below = derived(alice, mid, RW, 0, 1);
	p = cap_mapped(alice, mid, 0, 1, RDWR);
	cap_notice(alice, mid, 300);
	sleep_until(notice_of(alice, mid));
	state = cap_state(alice, below);
	lives = cap_state(alice, mid) == EXO_CAP_LIVE;
	if (in_time(t, "a notice before an expiry")) {
		is(state, EXO_CAP_REVOKED, "the notice comes first");
		ok(lives, "the expiry does not");
	}
	ok(goes_after(p, t), "but in its turn");
	ok(boottime_ns() >= t, "not before it");
	is(cap_state(alice, mid), EXO_CAP_EXPIRED, "and says so");
	munmap(p, PAGE);
}

/* A lender that is gone has said it all the same. */
static void test_lender_gone(int alice)
{
	struct exo_stats before = stats_get(alice);
	struct lent l = lend(exo_open());
	uint64_t ends_ns;
	int touched;

	cap_notice(l.alice, l.root, NOTICE_MS);
	ends_ns = over_at(l.alice, l.root);
	munmap(l.own, PAGE * 4);
	l.own = mmap(NULL, 4 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		     0);
	close(l.alice);
	close(l.root_fd);
	close(l.part_fd);
	touched = touch(l.seen, NULL);
	if (in_time(ends_ns, "a lender who is gone"))
		is(touched, 0, "carol reads on when alice is gone");
	ok(goes_after(l.seen, ends_ns), "until the time is over");
	ok(boottime_ns() >= ends_ns, "not before it");
	l.root_fd = -1;
	l.part_fd = -1;
	give_back(&l);
	ok(stats_wait(alice, &before, LATE_MS), "then the memory is back");
}

/* Notices whose capability goes before leave nothing in the clock's queue. */
static void test_closed_before(int alice)
{
	struct exo_stats before = stats_get(alice);
	int i, bad = 0;

	for (i = 0; i < 300; i++) {
		uint32_t root = frame_new(alice, 1);

		derived(alice, root, RW, 0, 1);
		bad += cap_notice(alice, root, 100 + i % 50) < 0;
		if (i % 3)
			bad += cap_revoke(alice, root, EXO_REVOKE_SELF) < 0;
		bad += exo_close_handle(alice, root) != 0;
	}
	is(bad, 0, "frames with a notice are made and closed");
	ok(stats_wait(alice, &before, LATE_MS), "all end");
}

/* ------------------------------------------------------------- attacks */

/* A lender cannot fill a queue, and who does not read is not waited for. */
static void test_flood(int alice)
{
	struct lent l = lend(alice);
	int i, busy = 0;

	cap_notice(alice, l.root, HOUR_MS);
	for (i = 0; i < 1000; i++)
		busy += cap_notice(alice, l.root, HOUR_MS - i) == -EBUSY;
	is(busy, 1000, "a thousand notices more are refused");
	is_ending(l.carol, l.carols, 2, notice_of(alice, l.root), "carol");
	ok(!has_event(l.carol, 0), "once");
	is(cap_revoke(alice, l.root, 0), 3, "all end");
	give_back(&l);
}

static void test_full_queue(int alice)
{
	uint32_t root = frame_new(alice, 1), last = 0;
	int bob = env_nonblock(), fd = export_fd(alice, root), i;
	const int nr = EXO_MAX_EVENTS + 40;
	struct exo_event e;
	uint64_t ends_ns, end;
	bool seen;
	long told;

	for (i = 0; i < nr; i++)
		last = imported(bob, fd);
	told = cap_notice(alice, root, NOTICE_MS);
	ends_ns = over_at(alice, root);
	end = ends_of(bob, last);
	seen = in_time(ends_ns, "who is told");
	if (seen) {
		is(told, nr, "more than there is room");
		is(end, ends_ns, "the last has no event, but the time");
	}
	sleep_until(ends_ns);
	is(cap_state(bob, last), EXO_CAP_REVOKED, "in which it ends");
	cap_revoke(alice, root, 0);
	is(cap_revoke(alice, root, 0), 0, "nothing is left below");
	for (i = 0; i < EXO_MAX_EVENTS; i++)
		if (!next_event(bob, 0, &e) || e.type != EXO_EVENT_CAP_ENDING)
			break;
	if (seen)
		is(i, EXO_MAX_EVENTS, "the oldest events were kept");
	close(fd);
	close(bob);
}

/* What both threads know: the fd that is good just now. */
struct busy {
	int fd;
	bool stop;
	uint64_t nr_made;
};

/* Makes and closes without end, so that the telling might not end. */
static void *make_more(void *arg)
{
	struct busy *b = arg;
	int env = exo_open();
	uint32_t h, below;

	while (!__atomic_load_n(&b->stop, __ATOMIC_RELAXED)) {
		if (import_fd(env, __atomic_load_n(&b->fd, __ATOMIC_RELAXED),
			      &h))
			continue;
		b->nr_made++;
		if (!derive(env, h, R, 0, 1, &below))
			exo_close_handle(env, below);
		exo_close_handle(env, h);
	}
	close(env);
	return NULL;
}

static int one_notice(int alice, uint32_t root, struct busy *b, int i)
{
	uint32_t h = derived(alice, root, RWS, 0, 2);
	int fd = export_fd(alice, root), bad;

	__atomic_store_n(&b->fd, fd, __ATOMIC_RELAXED);
	usleep(500);
	/* None is told if the time is over before. */
	bad = cap_notice(alice, root, 1 + i % 3) < 0;
	if (i % 2)
		usleep(2000);
	bad |= cap_revoke(alice, root, 0) < 0;
	bad |= cap_state(alice, h) != EXO_CAP_REVOKED;
	exo_close_handle(alice, h);
	close(fd);
	return bad;
}

static void test_busy_borrower(int alice)
{
	uint32_t root = frame_new(alice, 2);
	struct busy b = { .fd = -1 };
	pthread_t thread;
	int i, bad = 0;

	if (pthread_create(&thread, NULL, make_more, &b))
		bail("pthread_create");
	for (i = 0; i < 200; i++)
		bad += one_notice(alice, root, &b, i);
	__atomic_store_n(&b.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	is(bad, 0, "200 notices beside one who makes more and more");
	ok(b.nr_made > 200, "who made %" PRIu64, b.nr_made);
}

/* ---------------------------------------------------------------- many */

/* A tree as large as may be: each is told and counted, none twice. */
static void test_many(int alice)
{
	int bob = env_nonblock(), nr = 3000, i, wrong = 0, told = 0;
	uint32_t root = frame_new(alice, 1), side = derived(alice, root, RWS,
							    0, 1);
	int fd = export_fd(alice, side);
	struct exo_event e;

	for (i = 0; i < nr; i++)
		if (i % 2)
			imported(bob, fd);
		else
			derived(alice, root, R, 0, 1);
	is(cap_notice(alice, side, HOUR_MS), nr / 2, "half of a tree is told");
	while (next_event(bob, 0, &e)) {
		wrong += e.type != EXO_EVENT_CAP_ENDING ||
			 e.deadline_ns != notice_of(alice, side);
		told++;
	}
	is(wrong, 0, "by events that are right");
	is(told, EXO_MAX_EVENTS, "as many as there is room for");
	ok(!has_event(alice, 0), "the other half is not");
	is(cap_revoke(alice, root, 0), nr + 1, "all end");
	close(fd);
	close(bob);
}

static int run(void *arg)
{
	static void (*const tests[])(int env) = {
		test_arguments, test_told, test_over, test_at_once, test_earlier,
		test_revoked_meanwhile, test_waited_for, test_lent_anew,
		test_both, test_lender_gone, test_closed_before, test_flood,
		test_full_queue, test_busy_borrower, test_many,
	};
	int env = exo_open(), scratch;
	struct exo_stats before;
	size_t n;

	(void)arg;
	before = stats_get(env);
	for (n = 0; n < ARRAY_SIZE(tests); n++) {
		scratch = env_nonblock();
		tests[n](scratch);
		close(scratch);
		ok(stats_wait(env, &before, LATE_MS), "all is given back");
	}
	close(env);
	return 0;
}

int main(void)
{
	exo_setup();
	is(as_user(UID_ALICE, run, NULL), 0, "alice's process ended well");
	return done_testing();
}
