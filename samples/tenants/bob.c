// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * bob: takes what alice gave, and tries for more; then does not listen when he
 * is asked for pages.
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

static void borrow(struct tenant *t)
{
	size_t page_bytes = exo_env_query(t->env)->out_page_bytes;
	int fd = exo_cap_recv(t->env, t->sock);
	struct exo_frame frame;
	struct exo_cap cap;
	const char *letter;
	char rights[4], c;

	need(t, fd, "receive a descriptor");
	need(t, exo_cap_import(t->env, fd, &cap), "import");
	say(t, "imports it: handle %u, %llu pages, rights %s", cap.handle,
	    cap.nr, exo_cap_rights_text(cap.rights, rights));
	need(t, exo_frame_map(&cap, &frame), "map");
	letter = exo_frame_page(&frame, LETTER_PAGE - FIRST_PAGE);
	say(t, "reads in page %d: \"%s\"", LETTER_PAGE - FIRST_PAGE, letter);
	need(t, strcmp(letter, "Dear bob, this is mine.") ? -EIO : 0,
	     "read what alice wrote");
	overreach(t, &cap, page_bytes);
	map_beyond(t, &cap, page_bytes);
	send_token(t, 'r');
	wait_token(t, 'g');
	need(t, touch(letter, &c) ? -EEXIST : 0, "find the page gone");
	say(t, "reads the page again: SIGBUS, it is gone");
	refused(t, "imports the old descriptor",
		exo_cap_import(t->env, fd, &cap), -ESTALE);
	need(t, exo_frame_free(&frame), "close the handle");
	close(fd);
	send_token(t, 'd');
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
	borrow(t);
	hold_frames(t);
	make_ready(t, ready);
	ignore(t);
	say(t, "holds %llu pages", EXO_INFO_READ(t->info.own->nr_pages));
	exo_env_close(t->env);
	return 0;
}
