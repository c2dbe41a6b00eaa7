// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * When the host is short of memory, are envs asked for frames first; does who
 * answers keep the rest; does who ignores it lose whole frames, visibly, down
 * to the guaranteed minimum; and does the host get on without the OOM killer?
 *
 * Shortness comes in three ways: by declaring the host short (pressure_percent
 * 100) and calling the shrinkers, by a process that eats memory until the
 * shrinkers are called, and by one that eats on until the OOM killer is due.
 *
 * vm: --mem 256
 * timeout: 240
 */
#include "event.h"
#include "hog.h"

#include <sys/resource.h>

#define FRAME_PAGES	8
#define MAX_FRAMES	1280
#define PARAMS		"/sys/module/exo/parameters/"
#define SHORT		"100"	/* pressure_percent: always, */
#define NEVER		"0"	/* never */

static struct info root;	/* seen through an env of root's without pages */

static void set_param(const char *name, const char *value)
{
	char path[128];
	int rc;

	snprintf(path, sizeof(path), PARAMS "%s", name);
	rc = write_file(path, value);
	if (rc)
		bail("%s: %s", path, strerror(-rc));
}

/* Slab caches, so the shrinkers; the page cache stays. */
static void call_shrinkers(void)
{
	int rc = write_file("/proc/sys/vm/drop_caches", "2");

	if (rc)
		bail("drop_caches: %s", strerror(-rc));
}

/* Wait for a condition; the test goes on, and fails there, if it never comes. */
#define await(cond, ms)							\
({									\
	uint64_t await_end = now_ms() + (ms);				\
									\
	while (!(cond) && now_ms() < await_end)				\
		usleep(2000);						\
	(cond);								\
})

/* ------------------------------------------------------------- holders */

/* An env with frames, each mapped and its number in each page. */
struct holder {
	int env;
	int nr;
	struct info info;
	uint32_t frame[MAX_FRAMES];
	uint64_t *p[MAX_FRAMES];
};

static void holder_begin(struct holder *h, int nr)
{
	int i, k;

	h->env = env_nonblock();
	h->info = info_map(h->env);
	h->nr = nr;
	for (i = 0; i < nr; i++) {
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

	for (i = 0; i < h->nr; i++)
		munmap(h->p[i], FRAME_PAGES * PAGE);
	munmap((void *)h->info.global, EXO_INFO_BYTES);
	close(h->env);
}

/*
 * Frames that live. Those show their number in each page, the others are
 * SIGBUS in each: how many pages do not is added to *@wrong.
 */
static int nr_live(struct holder *h, int *wrong)
{
	int i, k, live = 0;
	uint64_t v;

	for (i = 0; i < h->nr; i++) {
		long state = cap_state(h->env, h->frame[i]);

		live += state == EXO_CAP_LIVE;
		for (k = 0; k < FRAME_PAGES; k++) {
			int sig = touch(h->p[i] + k * PAGE / 8, &v);

			if (state == EXO_CAP_LIVE)
				*wrong += sig || v != (uint64_t)i + 1;
			else
				*wrong += sig != SIGBUS;
		}
	}
	return live;
}

/* Each entry names a frame that says it was taken, none twice. */
static int nr_bad_entries(struct holder *h)
{
	static bool seen[MAX_FRAMES];
	uint32_t n = h->info.env->vector_prod, i = 0;
	int k, bad = 0;

	memset(seen, 0, sizeof(seen));
	if (n > EXO_VECTOR_ENTRIES)
		i = n - EXO_VECTOR_ENTRIES;
	for (; i < n; i++) {
		volatile struct exo_vector_entry *e =
			&h->info.vector[i % EXO_VECTOR_ENTRIES];

		for (k = 0; k < h->nr && h->frame[k] != e->handle; k++)
			;
		if (k == h->nr || seen[k] || e->nr_pages != FRAME_PAGES ||
		    !e->time_ns || cap_state(h->env, e->handle) !=
		    EXO_CAP_REPOSSESSED)
			bad++;
		else
			seen[k] = true;
	}
	return bad;
}

/* What was taken, and only that, is gone, written down, and told. */
static void is_taken_visibly(struct holder *h)
{
	uint64_t taken = h->info.env->nr_taken, told = 0;
	struct exo_event e;
	int wrong = 0, live, other = 0;

	live = nr_live(h, &wrong);
	is(wrong, 0, "taken frames are SIGBUS, the others are whole");
	is(live * FRAME_PAGES + taken, h->nr * FRAME_PAGES,
	   "%d frames live, %d pages were taken", live, (int)taken);
	is(h->info.env->vector_prod, taken / FRAME_PAGES,
	   "the vector has an entry for each");
	is(nr_bad_entries(h), 0, "which names it");
	while (next_event(h->env, 0, &e)) {
		other += e.source != EXO_SOURCE_PRESSURE || e.nr_dropped;
		if (e.type == EXO_EVENT_REPOSSESSED)
			told += e.nr_pages;
	}
	is(told, taken, "events say how many");
	is(other, 0, "and that the host was short of memory");
}

/* --------------------------------------------------------------- giver */

/* Between this process and alice's, who gives what she is asked for. */
struct board {
	volatile int ready;
	volatile int quit;
	volatile int nr_asked;		/* events */
	volatile int nr_strange;	/* events that are not a request */
	volatile int nr_wrong;		/* pages that do not show what they say */
	volatile long given;		/* pages */
	volatile long kept;		/* pages, in the end */
	volatile long nr_taken;		/* pages */
	int nr_frames;
};

static struct board *board;

/* Whole frames, the newest first; how many pages. */
static long give(struct holder *h, uint64_t nr_pages)
{
	uint64_t given = 0;

	while (given < nr_pages && h->nr) {
		h->nr--;
		munmap(h->p[h->nr], FRAME_PAGES * PAGE);
		exo_close_handle(h->env, h->frame[h->nr]);
		given += FRAME_PAGES;
	}
	return given;
}

static int giver(void *arg)
{
	static struct holder h;
	struct exo_event e;
	int wrong = 0;

	(void)arg;
	holder_begin(&h, board->nr_frames);
	board->ready = 1;
	while (!board->quit) {
		if (!next_event(h.env, 20, &e))
			continue;
		if (e.type == EXO_EVENT_RELEASE &&
		    e.source == EXO_SOURCE_PRESSURE) {
			board->given += give(&h, e.nr_pages);
			board->nr_asked++;
		} else {
			board->nr_strange++;
		}
	}
	board->kept = nr_live(&h, &wrong) * FRAME_PAGES;
	board->nr_wrong = wrong;
	board->nr_taken = h.info.env->nr_taken;
	holder_end(&h);
	return 0;
}

static pid_t giver_start(int nr_frames)
{
	pid_t pid;

	*board = (struct board){ .nr_frames = nr_frames };
	pid = as_user_start(NULL, UID_ALICE, giver, NULL);
	if (!await(board->ready, 20000))
		bail("alice has not begun");
	return pid;
}

/* She was asked, and what she has is hers. */
static void giver_end(pid_t pid)
{
	board->quit = 1;
	is(reap(pid), 0, "who gave ends well");
	ok(board->nr_asked > 0, "was asked (%d times)", board->nr_asked);
	is(board->nr_wrong, 0, "and what was kept is whole");
}

/* She lost nothing but what she gave. */
static void lost_nothing(void)
{
	is(board->nr_taken, 0, "lost nothing by force");
	is(board->nr_strange, 0, "heard of nothing else");
	is(board->kept + board->given, board->nr_frames * FRAME_PAGES,
	   "kept %ld pages, gave %ld", board->kept, board->given);
}

/* --------------------------------------------------------------- tests */

/*
 * Asked up to three times, with time enough: what she gives is all that goes.
 * How much the shrinkers are called for is the kernel's choice; with nothing
 * above the minimum nobody is asked.
 */
static void test_asked_and_given(void)
{
	uint64_t before = root.global->nr_pressure, asked = 0;
	long free_before;
	pid_t pid;
	int i;

	set_param("pressure_timeout_ms", "60000");
	pid = giver_start(64);
	free_before = root.global->nr_pages;
	set_param("pressure_percent", NEVER);
	call_shrinkers();
	usleep(100000);
	is(board->nr_asked, 0, "a host that is not short asks for nothing");
	is(root.global->nr_pressure, before, "nor counts it");
	set_param("pressure_percent", SHORT);
	for (i = 0; i < 3 && free_before - board->given > EXO_ENV_MIN_PAGES;
	     i++) {
		asked = board->nr_asked;
		call_shrinkers();
		ok(await((uint64_t)board->nr_asked > asked, 5000),
		   "a host that is short asks");
	}
	ok(root.global->nr_pressure >= before + i, "and counts it");
	ok(await(root.global->nr_pages + board->given == (uint64_t)free_before,
		 5000), "what was given is free");
	giver_end(pid);
	lost_nothing();
}

/* Who ignores it: the deadline first, then frames, but never the minimum. */
static void test_ignored(void)
{
	enum { NR = 32 };
	static struct holder h;
	struct exo_event e;
	uint64_t deadline;
	int i;

	holder_begin(&h, NR);
	set_param("pressure_percent", SHORT);
	set_param("pressure_timeout_ms", "1500");
	call_shrinkers();
	ok(next_event(h.env, 5000, &e) && e.type == EXO_EVENT_RELEASE &&
	   e.source == EXO_SOURCE_PRESSURE, "a request for want of memory");
	deadline = e.deadline_ns;
	ok(e.nr_pages && e.nr_pages <= NR * FRAME_PAGES - EXO_ENV_MIN_PAGES,
	   "for no more than is above the minimum (%llu)", e.nr_pages);
	ok(deadline > boottime_ns() && !h.info.env->nr_taken,
	   "nothing is taken before the deadline");
	ok(await(h.info.env->nr_taken >= e.nr_pages, 10000),
	   "all that was asked for afterwards");
	ok(boottime_ns() >= deadline, "not before");
	ok(h.info.vector[0].time_ns >= deadline, "as the vector says");
	set_param("pressure_timeout_ms", "50");
	for (i = 0; i < 100 && h.info.env->nr_pages > EXO_ENV_MIN_PAGES; i++) {
		call_shrinkers();
		usleep(60000);
	}
	await(h.info.env->nr_pages == EXO_ENV_MIN_PAGES, 5000);
	is_taken_visibly(&h);
	is(h.info.env->nr_pages, EXO_ENV_MIN_PAGES, "the minimum is left");
	call_shrinkers();
	ok(!has_event(h.env, 300), "who has no more is not asked");
	is(h.info.env->nr_pages, EXO_ENV_MIN_PAGES, "nor robbed");
	holder_end(&h);
}

/* The share of each is less than a page, but not that of all. */
static void test_many(void)
{
	enum { NR = 64, PAGES = EXO_ENV_MIN_PAGES + 1 };
	uint64_t before = root.global->nr_pressure, asked = 0;
	struct info infos[NR];
	int envs[NR], i;

	set_param("pressure_percent", SHORT);
	set_param("pressure_timeout_ms", "60000");
	for (i = 0; i < NR; i++) {
		envs[i] = exo_open();
		infos[i] = info_map(envs[i]);
		frame_new(envs[i], PAGES);
	}
	call_shrinkers();
	ok(await(root.global->nr_pressure > before, 5000),
	   "a host that is short asks %d envs with a page to spare", NR);
	usleep(100000);
	for (i = 0; i < NR; i++) {
		asked += infos[i].env->nr_asked;
		munmap((void *)infos[i].global, EXO_INFO_BYTES);
		close(envs[i]);
	}
	ok(asked >= NR / 2, "for %d pages together", (int)asked);
}

/* In a memcg: pages of a file, then frames until there is no room. */
static int fill_memcg(void *arg)
{
	enum { FILE_BYTES = 6 << 20 };
	static char block[1 << 16];
	int fd = open("/exo/.pressure", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC,
		      0600);
	struct exo_frame_alloc f, last = {};
	struct info info;
	size_t i;
	int env;
	long rc;

	(void)arg;
	for (i = 0; i < FILE_BYTES; i += sizeof(block))
		if (write(fd, block, sizeof(block)) != sizeof(block))
			return 2;
	if (fsync(fd))
		return 3;
	env = env_nonblock();
	info = info_map(env);
	for (i = 0; i < 2048; i++) {
		rc = exo_alloc(env, FRAME_PAGES, 0, &f);
		if (rc)
			break;
		last = f;
	}
	is(rc, -ENOMEM, "frames until the memcg is full");
	ok(info.env->nr_pages > EXO_ENV_MIN_PAGES, "(%d pages)",
	   (int)info.env->nr_pages);
	ok(!has_event(env, 300), "nobody is asked for the memcg's sake");
	is(info.env->nr_taken, 0, "nor robbed");
	/* The next system calls need memory too. */
	exo_close_handle(env, last.out_handle);
	call_shrinkers();
	ok(has_event(env, 5000), "but for the host's");
	return 0;
}

static void test_memcg(void)
{
	uint64_t before = root.global->nr_pressure;
	char path[128];
	pid_t pid;

	if (memcg_new(path, "pressure", 12 << 20)) {
		skip("no memory cgroups");
		return;
	}
	set_param("pressure_percent", SHORT);
	set_param("pressure_timeout_ms", "60000");
	fflush(NULL);
	pid = fork();
	if (!pid) {
		char file[160];

		snprintf(file, sizeof(file), "%s/cgroup.procs", path);
		if (write_file(file, "0"))
			_exit(4);
		_exit(fill_memcg(NULL));
	}
	is(reap(pid), 0, "a process in a memcg ends well");
	unlink("/exo/.pressure");
	ok(memcg_read(path, "memory.stat", "pgsteal") > 0,
	   "its memcg took page cache back");
	is(memcg_read(path, "memory.events", "oom_kill"), 0, "killed nobody");
	ok(root.global->nr_pressure > before, "pressure was the host's alone");
	memcg_delete(path);
}

/*
 * Eaten until the kernel looks for memory: one gives, one ignores it. On the way
 * the OOM killer may come to be due, which takes of both. On a busy machine the
 * hog can be too quick for whoever asks, and is killed: then it is done again.
 */
static void test_real(void)
{
	enum { NR = 64, MOST_TRIES = 5 };
	static struct holder h;
	int let_go, tries = 0;
	pid_t pid, eater;
	long kills;

	set_param("pressure_percent", "5");
	set_param("pressure_timeout_ms", "3000");
	for (;;) {
		kills = nr_oom_kills();
		pid = giver_start(NR);
		holder_begin(&h, NR);
		eater = hog_start((struct appetite) {
				.nr_pressure = root.global->nr_pressure + 1,
				.at_once = 8,
			}, &let_go);
		if (let_go >= 0 || ++tries == MOST_TRIES)
			break;
		hog_end(eater, let_go);
		holder_end(&h);
		board->quit = 1;
		reap(pid);
	}
	ok(let_go >= 0, "a hog eats until the host is short");
	ok(await(h.info.env->nr_taken, 20000),
	   "who ignores it loses frames");
	is(hog_end(eater, let_go), 0, "the hog lives");
	is(nr_oom_kills() - kills, 0, "the OOM killer was not needed");
	ok(h.info.env->nr_pages >= EXO_ENV_MIN_PAGES, "the minimum is left");
	set_param("pressure_percent", NEVER);
	await(!h.info.env->nr_asked, 10000);
	is_taken_visibly(&h);
	holder_end(&h);
	giver_end(pid);
}

/* Nobody is asked, memory ends at once: frames go before any process. */
static void test_oom(int nr_frames)
{
	static struct holder h;
	long kills = nr_oom_kills();
	uint64_t spare;
	pid_t eater;
	int let_go;

	set_param("pressure_percent", NEVER);
	holder_begin(&h, nr_frames);
	spare = h.info.env->nr_pages - EXO_ENV_MIN_PAGES;
	eater = hog_start((struct appetite) {
			.nr_taken = root.global->nr_taken + spare / 2,
		}, &let_go);
	ok(let_go >= 0, "a hog eats until half of %d pages were taken",
	   (int)spare);
	is(hog_end(eater, let_go), 0, "it lives");
	is(nr_oom_kills() - kills, 0, "the OOM killer was not needed");
	ok(h.info.env->nr_pages >= EXO_ENV_MIN_PAGES, "the minimum is left");
	is_taken_visibly(&h);
	holder_end(&h);
}

/* What the module may take is not enough: it stops at the minimum. */
static void test_oom_killed(void)
{
	enum { NR = 16 };
	static struct holder h;
	long kills = nr_oom_kills();
	pid_t eater;
	int let_go;

	holder_begin(&h, NR);
	eater = hog_start((struct appetite) { .nr_taken = ~0ULL }, &let_go);
	ok(let_go < 0, "a hog that is never full");
	is(hog_end(eater, let_go), 128 + SIGKILL, "is killed");
	if (kills < 0)
		skip("this kernel does not count what the OOM killer does");
	else
		ok(nr_oom_kills() > kills, "by the OOM killer");
	is(h.info.env->nr_pages, EXO_ENV_MIN_PAGES,
	   "after all but the minimum was taken");
	is_taken_visibly(&h);
	holder_end(&h);
}

/* --------------------------------------------------------------- set-up */

static void unlimited(void)
{
	struct rlimit lim = { RLIM_INFINITY, RLIM_INFINITY };

	if (setrlimit(RLIMIT_MEMLOCK, &lim))
		bail("setrlimit: %m");
}

int main(void)
{
	struct exo_stats before;
	int env, most;

	exo_setup();
	unlimited();
	board = mmap(NULL, sizeof(*board), RDWR, MAP_SHARED | MAP_ANONYMOUS,
		     -1, 0);
	if (board == MAP_FAILED || mlockall(MCL_CURRENT | MCL_FUTURE) ||
	    write_file("/proc/self/oom_score_adj", "-1000"))
		bail("%m");
	env = exo_open();
	root = info_map(env);
	before = stats_get(env);
	test_asked_and_given();
	test_ignored();
	test_many();
	test_memcg();
	test_real();
	frame_new(env, 1);	/* a charge: says what the ceiling is now */
	most = root.global->max_pages / FRAME_PAGES / 2;
	test_oom(most < MAX_FRAMES ? most : MAX_FRAMES);
	test_oom_killed();
	exo_close_handle(env, 1);
	ok(stats_wait(env, &before, 5000), "counters are as at the start");
	close(env);
	return done_testing();
}
