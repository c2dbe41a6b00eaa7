// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Does the module do what a model of it does, for any sequence of calls? Frames
 * are allocated, lent and taken back among three envs at random; the model, a
 * few arrays in this file, says beforehand what each call must answer, which
 * mapping shows which word, how many pages are charged.
 *
 * model [SEED [STEPS]], or EXO_SEED and EXO_STEPS. At the first difference it
 * prints the last calls and the seed, which repeats them.
 *
 * timeout: 180
 */
#include "model.h"

#define NR_HISTORY	30
#define WANT_OPEN	300	/* handles; beyond, closing is preferred */

/* ------------------------------------------------ calls and comparing */

static uint64_t seed, state, step;
static char history[NR_HISTORY][160];
static uint64_t nr_calls, nr_errors, nr_words, nr_buses, nr_ended;
static uint64_t errors_seen[200];

static uint32_t next_random(uint32_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (state >> 11) % below;
}

static bool one_in(uint32_t n)
{
	return !next_random(n);
}

__attribute__((format(printf, 1, 2)))
static void say(const char *fmt, ...)
{
	char *line = history[nr_calls++ % NR_HISTORY];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(history[0]), fmt, ap);
	va_end(ap);
}

static void give_up(const char *what, long got, long want)
{
	uint64_t i, n = nr_calls < NR_HISTORY ? nr_calls : NR_HISTORY;

	for (i = nr_calls - n; i < nr_calls; i++)
		diag("%s", history[i % NR_HISTORY]);
	ok(false, "step %" PRIu64 ": %s: got %ld, wanted %ld", step, what, got,
	   want);
	diag("seed %" PRIu64, seed);
	exit(done_testing());
}

static void same(long got, long want, const char *what)
{
	if (got != want)
		give_up(what, got, want);
}

/* What a command answered, and why it was refused if it was. */
static void answered(int e, long got, long want, uint32_t reason)
{
	struct exo_refusal r;

	same(got < 0 ? got : 0, want, "answer");
	if (!want)
		return;
	nr_errors++;
	errors_seen[-want]++;
	if (reason) {
		r = refusal(env[e]);
		same(r.out_reason, reason, "reason of the refusal");
	}
}

static void check_handle(int e, uint32_t handle)
{
	if (handle <= last_handle[e])
		give_up("a handle used again", handle, last_handle[e] + 1);
	last_handle[e] = handle;
}

/* A capability with an open handle, or NONE; often the newest: deep trees. */
static int any_open(void)
{
	int i, c = one_in(3) ? newest : (int)next_random(NR_CAPS);

	for (i = 0; i < NR_CAPS; i++, c = (c + 1) % NR_CAPS)
		if (caps[c].used && caps[c].handle)
			return c;
	return NONE;
}

/* The deepest from which can be derived, or NONE: chance alone stays high up. */
static int deepest_open(void)
{
	int c, best = NONE;

	for (c = 0; c < NR_CAPS; c++)
		if (caps[c].used && caps[c].live && caps[c].handle &&
		    (caps[c].rights & S) &&
		    (best == NONE || caps[c].depth > caps[best].depth))
			best = c;
	return best;
}

static uint32_t reason_of(const struct cap *cap, uint32_t otherwise)
{
	return cap->live ? otherwise : EXO_REFUSED_REVOKED;
}

/* -------------------------------------------------------------- calls */

static void do_alloc(void)
{
	int c = cap_slot(), o = object_slot(), e = next_random(NR_ENVS);
	uint32_t nr = 1 + next_random(MAX_PAGES);
	struct exo_frame_alloc f;
	long rc;

	if (c == NONE || o == NONE)
		return;
	rc = exo_alloc(env[e], nr, 0, &f);
	say("alloc env %d pages %u: %ld, handle %u", e, nr, rc, f.out_handle);
	answered(e, rc, 0, 0);
	check_handle(e, f.out_handle);
	model_root(c, o, e, f.out_handle, nr);
}

enum { GOOD, MORE_RIGHTS, NO_RIGHTS, ODD_RIGHTS, NO_UNITS, BEYOND, WRAP, PAST,
	NR_FAULTS };

/* One thing wrong with the arguments, or nothing. */
static int spoil(const struct cap *cap, struct exo_cap_derive *d)
{
	int fault = one_in(3) ? (int)next_random(NR_FAULTS) : GOOD;

	switch (fault) {
	case MORE_RIGHTS:
		if (cap->rights == RWS)
			return GOOD;
		d->rights |= RWS & ~cap->rights;
		break;
	case NO_RIGHTS:
		d->rights = 0;
		break;
	case ODD_RIGHTS:
		d->rights |= 8U << next_random(29);
		break;
	case NO_UNITS:
		d->nr = 0;
		break;
	case BEYOND:
		d->start += cap->nr - d->nr + 1;
		break;
	case WRAP:
		d->start = ~0ULL - next_random(3);
		d->nr = 4;
		break;
	case PAST:
		d->expires_ns = 1;
		break;
	}
	return fault;
}

static long derive_error(const struct cap *cap, int fault, uint32_t *reason)
{
	static const long errors[] = {
		0, -EACCES, -EINVAL, -EINVAL, -EINVAL, -EINVAL, -EOVERFLOW,
		-EINVAL,
	};

	*reason = reason_of(cap, EXO_REFUSED_RIGHTS);
	if (!cap->live)
		return -ESTALE;
	if (!(cap->rights & S))
		return -EACCES;
	if (fault == BEYOND)
		*reason = EXO_REFUSED_RANGE;
	else if (fault != MORE_RIGHTS)
		*reason = 0;
	if (!fault && cap->depth == EXO_CAP_MAX_DEPTH) {
		*reason = EXO_REFUSED_DEPTH;
		return -EMLINK;
	}
	return errors[fault];
}

static void do_derive(void)
{
	int p = one_in(6) ? deepest_open() : any_open(), c = cap_slot(), fault;
	struct exo_cap_derive d = { .size = sizeof(d) };
	const struct cap *cap;
	uint32_t reason;
	long rc, want;

	if (p == NONE || c == NONE)
		return;
	cap = &caps[p];
	d.handle = cap->handle;
	d.rights = cap->rights & (one_in(2) ? RWS : 1 + next_random(7));
	d.rights = d.rights ?: cap->rights;
	d.nr = 1 + next_random(cap->nr);
	d.start = next_random(cap->nr - d.nr + 1);
	fault = spoil(cap, &d);
	want = derive_error(cap, fault, &reason);
	rc = exo_ioctl(env[cap->env], EXO_CMD_CAP_DERIVE, &d);
	say("derive env %d handle %u rights %u start %lld nr %lld: %ld, handle %u",
	    cap->env, d.handle, d.rights, d.start, d.nr, rc, d.out_handle);
	answered(cap->env, rc, want, reason);
	if (want)
		return;
	check_handle(cap->env, d.out_handle);
	model_child(c, p, cap->env, d.out_handle, d.rights, d.start, d.nr);
}

static void do_export(void)
{
	int c = any_open(), x;
	struct cap *cap;
	long fd, want = 0;

	for (x = 0; x < NR_EXPORTS && exports[x].fd != NONE; x++)
		;
	if (c == NONE || x == NR_EXPORTS)
		return;
	cap = &caps[c];
	if (!cap->live)
		want = -ESTALE;
	else if (!(cap->rights & S))
		want = -EACCES;
	fd = export_fd(env[cap->env], cap->handle);
	say("export env %d handle %u: %ld", cap->env, cap->handle, fd);
	answered(cap->env, fd, want, reason_of(cap, EXO_REFUSED_RIGHTS));
	if (want)
		return;
	exports[x] = (struct export) { .fd = fd, .cap = c, .good = true };
	cap->nr_fds++;
}

static int any_export(void)
{
	int x = next_random(NR_EXPORTS);

	return exports[x].fd == NONE ? NONE : x;
}

static void do_import(void)
{
	int x = any_export(), c = cap_slot(), e = next_random(NR_ENVS);
	struct exo_cap_import i = { .size = sizeof(i) };
	const struct cap *cap;
	uint32_t reason = 0;
	long rc, want = 0;

	if (x == NONE || c == NONE)
		return;
	/* Of one that is stale nothing is known any more. */
	cap = &caps[exports[x].cap];
	if (!exports[x].good) {
		want = -ESTALE;
		reason = EXO_REFUSED_REVOKED;
	} else if (cap->depth == EXO_CAP_MAX_DEPTH) {
		want = -EMLINK;
		reason = EXO_REFUSED_DEPTH;
	}
	i.fd = exports[x].fd;
	rc = exo_ioctl(env[e], EXO_CMD_CAP_IMPORT, &i);
	say("import env %d fd %d: %ld, handle %u", e, i.fd, rc, i.out_handle);
	answered(e, rc, want, reason);
	if (want)
		return;
	same(i.out_rights, cap->rights, "rights of an import");
	same(i.out_nr, cap->nr, "pages of an import");
	same(i.out_type, EXO_TYPE_FRAME, "type of an import");
	check_handle(e, i.out_handle);
	model_child(c, exports[x].cap, e, i.out_handle, cap->rights, 0,
		    cap->nr);
	same(i.out_expires_ns, ends_ns(c), "end of an import");
}

static void do_revoke(void)
{
	int c = any_open();
	bool self = one_in(2);
	struct cap *cap;
	long rc, want = 0, nr;

	if (c == NONE)
		return;
	cap = &caps[c];
	if (!cap->live)
		want = -ESTALE;
	rc = cap_revoke(env[cap->env], cap->handle,
			self ? EXO_REVOKE_SELF : 0);
	say("revoke env %d handle %u%s: %ld", cap->env, cap->handle,
	    self ? " self" : "", rc);
	answered(cap->env, rc, want, EXO_REFUSED_REVOKED);
	if (want)
		return;
	nr = end_children(c) + self;
	if (self) {
		int parent = cap->parent;

		end_one(c);
		drop_unused(parent);
	}
	nr_ended += nr;
	same(rc, nr, "capabilities ended");
}

/* So long that it does not end by itself in this test. */
static void do_notice(void)
{
	int c = any_open();
	struct exo_cap_info i;
	struct cap *cap;
	long rc, want = 0;

	if (c == NONE)
		return;
	cap = &caps[c];
	if (!cap->live)
		want = -ESTALE;
	else if (cap->notice_ns)
		want = -EBUSY;
	rc = cap_notice(env[cap->env], cap->handle,
			3600000 - next_random(60000));
	say("notice env %d handle %u: %ld", cap->env, cap->handle, rc);
	answered(cap->env, rc, want, reason_of(cap, 0));
	if (want)
		return;
	same(rc, count_below(c), "capabilities told");
	same(cap_info(env[cap->env], cap->handle, &i), 0, "info");
	if (!i.out_notice_ns)
		give_up("no notice", 0, 1);
	cap->notice_ns = i.out_notice_ns;
}

static void do_close(void)
{
	int c = any_open();
	long rc;

	if (c == NONE)
		return;
	rc = exo_close_handle(env[caps[c].env], caps[c].handle);
	say("close env %d handle %u: %ld", caps[c].env, caps[c].handle, rc);
	answered(caps[c].env, rc, 0, 0);
	model_close(c);
}

static void do_close_fd(void)
{
	int x = any_export(), c;

	if (x == NONE)
		return;
	say("close fd %d", exports[x].fd);
	same(close(exports[x].fd), 0, "close of an fd");
	c = exports[x].cap;
	exports[x].fd = NONE;
	if (!exports[x].good)
		return;
	exports[x].good = false;
	caps[c].nr_fds--;
	drop_unused(c);
}

static long map_wants(const struct cap *cap, uint32_t first, uint32_t nr,
		      bool writable, uint32_t *reason)
{
	*reason = reason_of(cap, EXO_REFUSED_RIGHTS);
	if (!cap->live)
		return -ESTALE;
	if (!(cap->rights & R) || (writable && !(cap->rights & W)))
		return -EACCES;
	*reason = EXO_REFUSED_RANGE;
	return first + nr > cap->nr ? -EINVAL : 0;
}

static void do_map(void)
{
	int c = any_open(), m;
	uint32_t first, nr, reason;
	struct cap *cap;
	bool writable = one_in(2);
	long rc = 0, want;
	void *p;

	for (m = 0; m < NR_MAPS && maps[m].p; m++)
		;
	if (c == NONE || m == NR_MAPS)
		return;
	cap = &caps[c];
	nr = 1 + next_random(cap->nr + one_in(4));
	first = next_random(cap->nr + one_in(4));
	want = map_wants(cap, first, nr, writable, &reason);
	p = mmap(NULL, nr * PAGE, writable ? RDWR : RO, MAP_SHARED,
		 env[cap->env], ((uint64_t)cap->handle << 32) + first * PAGE);
	if (p == MAP_FAILED)
		rc = -errno;
	say("map env %d handle %u first %u nr %u %s: %ld", cap->env,
	    cap->handle, first, nr, writable ? "rw" : "r", rc);
	answered(cap->env, rc, want, reason);
	if (!rc)
		maps[m] = (struct map) { p, c, first, nr, writable };
}

static void do_unmap(void)
{
	struct map *m = &maps[next_random(NR_MAPS)];

	if (!m->p)
		return;
	say("unmap %p", (void *)m->p);
	same(munmap((void *)m->p, m->nr * PAGE), 0, "munmap");
	m->p = NULL;
	m->cap = NONE;
}

/* Any mapping, living or void: it shows its word, or nothing. */
static void do_touch(void)
{
	struct map *m = &maps[next_random(NR_MAPS)];
	uint32_t page;
	volatile uint64_t *at;
	struct cap *cap;
	uint64_t v = 0, *word;

	if (!m->p)
		return;
	page = next_random(m->nr);
	at = m->p + page * PAGE / 8;
	say("touch %p page %u", (void *)m->p, page);
	if (m->cap == NONE) {
		same(touch(at, NULL), SIGBUS, "a touch of what is gone");
		nr_buses++;
		return;
	}
	cap = &caps[m->cap];
	word = &objects[cap->object].word[cap->start + m->first + page];
	same(touch(at, &v), 0, "a touch");
	same(v, *word, "the word in memory");
	nr_words++;
	if (m->writable) {
		*word = step + 1;
		same(touch_write(at, *word), 0, "a write");
	} else if (one_in(8)) {
		same(touch_write(at, 0), SIGSEGV, "a write, read-only");
	}
}

static void do_info(void)
{
	struct exo_cap_info i;
	struct cap *cap;
	int c = any_open();

	if (c == NONE)
		return;
	cap = &caps[c];
	say("info env %d handle %u", cap->env, cap->handle);
	same(cap_info(env[cap->env], cap->handle, &i), 0, "info");
	same(i.out_type, EXO_TYPE_FRAME, "its type");
	same(i.out_state, cap->live ? EXO_CAP_LIVE : EXO_CAP_REVOKED,
	     "its state");
	same(i.out_rights, cap->rights, "its rights");
	same(i.out_depth, cap->depth, "its depth");
	same(i.out_nr_children, cap->live ? cap->nr_children : 0,
	     "its children");
	same(i.out_start, cap->start, "its start");
	same(i.out_nr, cap->nr, "its pages");
	if (cap->live)
		same(i.out_expires_ns, ends_ns(c), "its end");
	same(i.out_notice_ns, cap->live ? cap->notice_ns : 0, "its notice");
}

/* A number that stands for nothing, perhaps a handle of another env. */
static void do_wrong(void)
{
	uint32_t h = next_random(last_handle[0] + 100), out;
	int c, e = next_random(NR_ENVS);
	long rc;

	for (c = 0; c < NR_CAPS; c++)
		if (caps[c].used && caps[c].handle == h && caps[c].env == e)
			return;
	switch (next_random(4)) {
	case 0:
		rc = derive(env[e], h, R, 0, 1, &out);
		break;
	case 1:
		rc = export_fd(env[e], h);
		break;
	case 2:
		rc = cap_revoke(env[e], h, 0);
		break;
	default:
		rc = exo_close_handle(env[e], h);
	}
	say("no such handle: env %d handle %u: %ld", e, h, rc);
	answered(e, rc, -ENOENT, EXO_REFUSED_HANDLE);
}

static const struct {
	void (*call)(void);
	int weight;
} calls[] = {
	{ do_alloc, 10 }, { do_derive, 26 }, { do_export, 7 },
	{ do_import, 9 }, { do_revoke, 4 }, { do_close, 10 },
	{ do_close_fd, 5 }, { do_map, 8 }, { do_unmap, 4 },
	{ do_touch, 16 }, { do_info, 14 }, { do_wrong, 2 },
	{ do_notice, 3 },
};

static void one_step(void)
{
	size_t i;
	int n;

	if (nr_open > WANT_OPEN && one_in(3)) {
		do_close();
		return;
	}
	n = next_random(118);
	for (i = 0; i < ARRAY_SIZE(calls) - 1 && n >= calls[i].weight; i++)
		n -= calls[i].weight;
	calls[i].call();
}

/* What all objects together are charged. */
static void check_charges(const struct exo_stats *before)
{
	struct exo_stats want = *before;
	int o;

	for (o = 0; o < NR_OBJECTS; o++)
		if (objects[o].nr_live) {
			want.out_nr_objects++;
			want.out_nr_frame_pages += objects[o].nr_pages;
		}
	if (!stats_wait(env[0], &want, 2000))
		give_up("counters", 1, 0);
}

/* A sequence in which something never happened shows nothing of it. */
static void check_variety(void)
{
	static const int errors[] = {
		ESTALE, EACCES, EINVAL, EOVERFLOW, ENOENT, EMLINK, EBUSY,
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(errors); i++)
		ok(errors_seen[errors[i]], "%s: %" PRIu64 " times",
		   strerror(errors[i]), errors_seen[errors[i]]);
	ok(nr_words && nr_buses && nr_ended, "pages met, and gone, and ends");
}

static void close_all(void)
{
	int i;

	for (i = 0; i < NR_EXPORTS; i++)
		if (exports[i].fd != NONE)
			close(exports[i].fd);
	for (i = 0; i < NR_MAPS; i++)
		if (maps[i].p)
			munmap((void *)maps[i].p, maps[i].nr * PAGE);
	for (i = 1; i < NR_ENVS; i++)
		close(env[i]);
}

static int run(void *arg)
{
	uint64_t steps = *(uint64_t *)arg, start;
	struct exo_stats before, bare;
	int i;

	env[0] = exo_open();
	bare = stats_get(env[0]);
	for (i = 1; i < NR_ENVS; i++)
		env[i] = exo_open();
	before = stats_get(env[0]);
	for (i = 0; i < NR_EXPORTS; i++)
		exports[i].fd = NONE;
	for (i = 0; i < NR_MAPS; i++)
		maps[i].cap = NONE;
	start = now_ms();
	for (step = 0; step < steps; step++) {
		one_step();
		if (!(step % 64))
			check_charges(&before);
	}
	ok(true, "%" PRIu64 " steps, %" PRIu64 " calls as the model says",
	   steps, nr_calls);
	diag("%" PRIu64 " ms; %" PRIu64 " calls refused; %" PRIu64 " ended",
	     now_ms() - start, nr_errors, nr_ended);
	diag("%" PRIu64 " touches met a page, %" PRIu64 " found it gone",
	     nr_words, nr_buses);
	check_variety();
	close_all();
	for (i = 0; i < NR_CAPS; i++)
		if (caps[i].used && caps[i].handle && !caps[i].env)
			exo_close_handle(env[0], caps[i].handle);
	ok(stats_wait(env[0], &bare, 5000), "in the end all is given back");
	return 0;
}

static uint64_t number(const char *arg, const char *name, uint64_t otherwise)
{
	const char *text = arg ?: getenv(name);

	return text && *text ? strtoull(text, NULL, 0) : otherwise;
}

int main(int argc, char **argv)
{
	bool slow = !strcmp(getenv("EXO_KERNEL") ?: "", "debug");
	uint64_t steps;

	seed = number(argc > 1 ? argv[1] : NULL, "EXO_SEED", 1995);
	steps = number(argc > 2 ? argv[2] : NULL, "EXO_STEPS",
		       slow ? 20000 : 100000);
	state = seed * 0x9e3779b97f4a7c15ULL + 1;
	exo_setup();
	diag("seed %" PRIu64, seed);
	is(as_user(UID_ALICE, run, &steps), 0, "alice's process ended well");
	return done_testing();
}
