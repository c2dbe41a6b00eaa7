// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * bob: takes what alice gave, tries for more, and hears of its end; then does
 * not listen when he is asked for pages.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "tenants.h"

#define LOOK_NS		50000000	/* how often he looks at the vector */
#define MOST_LOOKS	1200		/* a minute */
#define MOST_WAIT_NS	30000000000	/* for an event */

/**
 * struct loan - what alice gave
 * @fd: as it came
 * @cap: imported from it
 * @frame: mapped by that
 * @letter: in @frame
 */
struct loan {
	int fd;
	struct exo_cap cap;
	struct exo_frame frame;
	const char *letter;
};

/* He wants more than he was given. */
static void overreach(const struct tenant *t, const struct exo_cap *cap,
		      size_t page_bytes)
{
	struct exo_cap_narrow more = {
		.rights = EXO_RIGHT_READ | EXO_RIGHT_WRITE,
		.nr = SHARED_PAGES,
	};
	struct exo_cap wider;
	void *addr;

	refused(t, "maps it for writing",
		exo_env_mmap(t->env, cap->mmap_offset, page_bytes, &addr),
		-EACCES);
	refused(t, "derives one with the right to write",
		exo_cap_derive(t->env, cap->handle, &more, &wider), -EACCES);
	more.rights = EXO_RIGHT_READ;
	more.nr = SHARED_PAGES + 1;
	refused(t, "derives one with a page more",
		exo_cap_derive(t->env, cap->handle, &more, &wider), -EINVAL);
}

/* Maps a page after those he was given, by the system call itself. */
static void map_beyond(const struct tenant *t, const struct exo_cap *cap,
		       size_t page_bytes)
{
	const struct exo_sys *sys = exo_env_sys(t->env);
	void *addr;
	int rc;

	rc = sys->mmap(sys, (SHARED_PAGES + 1) * page_bytes, PROT_READ,
		       exo_env_fd(t->env), cap->mmap_offset, &addr);
	refused(t, "maps a page beyond the range", rc, -EINVAL);
}

static void borrow(struct tenant *t, struct loan *l)
{
	char rights[4];

	l->fd = exo_cap_recv(t->env, t->sock);
	need(t, l->fd, "receive a descriptor");
	need(t, exo_cap_import(t->env, l->fd, &l->cap), "import");
	say(t, "imports it: handle %u, %llu pages, rights %s", l->cap.handle,
	    l->cap.nr, exo_cap_rights_text(l->cap.rights, rights));
	need(t, exo_frame_map(&l->cap, &l->frame), "map");
	l->letter = exo_frame_page(&l->frame, LETTER_PAGE - FIRST_PAGE);
	say(t, "reads in page %d: \"%s\"", LETTER_PAGE - FIRST_PAGE, l->letter);
	need(t, strcmp(l->letter, LETTER) ? -EIO : 0, "read what alice wrote");
}

/* The next event is of this type and about what he borrowed. */
static void await_event(const struct tenant *t, const struct loan *l,
			__u32 type, struct exo_event *event)
{
	need(t, exo_event_read(t->env, event, 1, MOST_WAIT_NS), "hear of it");
	need(t, event->type == type && event->handle == l->cap.handle ? 0 :
	     -EPROTO, "hear what was to be heard");
}

/* It may go at any byte; alice promised time, and he need not believe it. */
static void put_in_order(const struct tenant *t, const struct loan *l)
{
	char copy[sizeof(LETTER)] = "";
	struct exo_event event;
	__u64 left_ms;
	size_t i;

	await_event(t, l, EXO_EVENT_CAP_ENDING, &event);
	left_ms = (event.deadline_ns - event.time_ns) / 1000000;
	say(t, "hears of it: handle %u, %llu pages, ends in %llu ms",
	    event.handle, event.nr_pages, left_ms);
	need(t, left_ms > NOTICE_MS ? -EPROTO : 0, "hear the right time");
	for (i = 0; i < sizeof(copy) - 1 && touch(l->letter + i, &copy[i]); i++)
		;
	need(t, strcmp(copy, LETTER) ? -EIO : 0, "read it once more");
	say(t, "reads it once more, and keeps a copy");
}

static void lose(const struct tenant *t, struct loan *l)
{
	struct exo_event event;
	struct exo_cap cap;
	char c;

	await_event(t, l, EXO_EVENT_CAP_ENDED, &event);
	say(t, "hears that handle %u has ended", event.handle);
	need(t, touch(l->letter, &c) ? -EEXIST : 0, "find the page gone");
	say(t, "reads the page again: SIGBUS, it is gone");
	refused(t, "imports the old descriptor",
		exo_cap_import(t->env, l->fd, &cap), -ESTALE);
	need(t, exo_frame_free(&l->frame), "close the handle");
	close(l->fd);
	send_token(t, 'd');
}

static void share(struct tenant *t)
{
	size_t page_bytes = exo_env_query(t->env)->out_page_bytes;
	struct loan l;

	borrow(t, &l);
	overreach(t, &l.cap, page_bytes);
	map_beyond(t, &l.cap, page_bytes);
	send_token(t, 'r');
	put_in_order(t, &l);
	lose(t, &l);

	borrow(t, &l);
	send_token(t, 'r');
	wait_token(t, 'g');
	lose(t, &l);
}

/* --------------------------------------------------- not listening */

static bool terminated(__u64 wait_ns)
{
	struct timespec ts = { .tv_nsec = (long)wait_ns };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	return sigtimedwait(&set, NULL, &ts) == SIGTERM;
}

/* What the module took is in the vector; the memory is not there. */
static void show_taken(struct tenant *t, const struct exo_vector_entry *e,
		       int nr)
{
	struct exo_cap_info info;
	char c;
	int i, f;

	for (i = 0; i < nr; i++) {
		for (f = 0; t->frame[f].handle != e[i].handle; f++)
			need(t, f + 1 < NR_FRAMES ? 0 : -ENOENT,
			     "know what was taken");
		need(t, exo_cap_info(t->env, e[i].handle, &info), "ask");
		need(t, info.out_state == EXO_CAP_REPOSSESSED ? 0 : -EPROTO,
		     "find the handle repossessed");
		need(t, touch(t->frame[f].addr, &c) ? -EEXIST : 0,
		     "find the frame gone");
		say(t, "reads in the vector: handle %u was taken, %u pages; to "
		    "touch it is SIGBUS", e[i].handle, e[i].nr_pages);
	}
}

static void ignore(struct tenant *t)
{
	struct exo_vector_entry e[NR_FRAMES];
	int i, nr = 0, more;
	__u32 seen = 0;

	for (i = 0; !nr && i < MOST_LOOKS; i++) {
		need(t, terminated(LOOK_NS) ? -EINTR : 0, "be taken from");
		nr = exo_info_taken(&t->info, &seen, e, NR_FRAMES);
		need(t, nr, "read the vector");
	}
	need(t, nr ? 0 : -ETIMEDOUT, "be taken from");
	show_taken(t, e, nr);
	/* The module may still be at it. */
	for (i = 0; i < MOST_LOOKS && !terminated(LOOK_NS); i++) {
		more = exo_info_taken(&t->info, &seen, e, NR_FRAMES);
		need(t, more, "read the vector");
		show_taken(t, e, more);
	}
}

int bob(struct tenant *t, const char *ready)
{
	share(t);
	hold_frames(t);
	make_ready(t, ready);
	ignore(t);
	say(t, "holds %llu pages", EXO_INFO_READ(t->info.own->nr_pages));
	exo_env_close(t->env);
	return 0;
}
