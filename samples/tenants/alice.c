// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * alice: gives part of a frame away and takes it back, with notice and then at
 * once; then gives pages back that she is asked for.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "tenants.h"

/* Return: the handle that bob's will be made from. */
static __u32 send_letter(struct tenant *t, const struct exo_frame *frame)
{
	struct exo_cap_narrow narrow = {
		.rights = EXO_RIGHT_READ | EXO_RIGHT_SHARE,
		.start = FIRST_PAGE, .nr = SHARED_PAGES,
		.expires_ns = exo_env_boot_ns(t->env) + EXPIRY_S * 1000000000ULL,
	};
	struct exo_cap cap;
	int fd;

	need(t, exo_cap_derive(t->env, frame->handle, &narrow, &cap), "derive");
	fd = exo_cap_export(t->env, cap.handle);
	need(t, fd, "export");
	say(t, "derives pages %d-%d of it, for reading, for %d s, and sends bob "
	    "a descriptor", FIRST_PAGE, FIRST_PAGE + SHARED_PAGES - 1,
	    EXPIRY_S);
	need(t, exo_cap_send(t->env, t->sock, fd), "send");
	close(fd);
	return cap.handle;
}

/* She need not stay for this: the module does what is left. */
static void give_notice(struct tenant *t, const struct exo_frame *frame)
{
	__u32 handle = send_letter(t, frame);
	__u64 nr;

	wait_token(t, 'r');
	say(t, "gives notice: what she gave ends in %d ms", NOTICE_MS);
	need(t, exo_cap_notice(t->env, handle, NOTICE_MS, &nr), "give notice");
	need(t, nr == 1 ? 0 : -EPROTO, "have one who is told");
	wait_token(t, 'd');
	need(t, exo_handle_close(t->env, handle), "close the handle");
}

static void take_back(struct tenant *t, const struct exo_frame *frame)
{
	__u32 handle = send_letter(t, frame);
	__u64 nr;

	wait_token(t, 'r');
	need(t, exo_cap_revoke(t->env, frame->handle, 0, &nr), "revoke");
	say(t, "revokes what she gave, at once: %llu capabilities ended", nr);
	send_token(t, 'g');
	wait_token(t, 'd');
	need(t, exo_handle_close(t->env, handle), "close the handle");
}

static void share(struct tenant *t)
{
	struct exo_frame frame;

	need(t, exo_frame_alloc(t->env, NR_PAGES, 0, &frame), "allocate");
	strcpy(exo_frame_page(&frame, LETTER_PAGE), LETTER);
	say(t, "has a frame of %d pages, and writes a letter into page %d",
	    NR_PAGES, LETTER_PAGE);
	give_notice(t, &frame);
	take_back(t, &frame);
	need(t, exo_frame_free(&frame), "free the frame");
}

/* --------------------------------------------------------- giving back */

static void on_term(struct exo_loop *loop, int fd, unsigned int events,
		    void *ctx)
{
	(void)fd;
	(void)events;
	(void)ctx;
	exo_loop_stop(loop, 0);
}

/* Her own choice of them: the last first. */
static void on_event(struct exo_loop *loop, const struct exo_event *event,
		     void *ctx)
{
	struct tenant *t = ctx;
	__u64 left_ns = event->deadline_ns - event->time_ns, given = 0;
	int i;

	(void)loop;
	if (event->type != EXO_EVENT_RELEASE)
		return;
	say(t, "is asked for %llu pages in %llu.%llu s", event->nr_pages,
	    left_ns / 1000000000, left_ns / 100000000 % 10);
	for (i = NR_FRAMES - 1; i >= 0 && given < event->nr_pages; i--) {
		if (!t->frame[i].addr)
			continue;
		need(t, exo_frame_free(&t->frame[i]), "give back");
		given += t->frame[i].nr_pages;
	}
	say(t, "gives %llu back, frames of her choice; holds %llu", given,
	    EXO_INFO_READ(t->info.own->nr_pages));
}

static void answer(struct tenant *t)
{
	struct exo_loop *loop;
	sigset_t set;
	int term;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	term = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	need(t, term < 0 ? -errno : 0, "wait for SIGTERM");
	need(t, exo_loop_create(t->env, 0, &loop), "make a loop");
	need(t, exo_loop_add_fd(loop, term, POLLIN, on_term, NULL),
	     "watch for SIGTERM");
	need(t, exo_loop_on_event(loop, on_event, t), "hear of events");
	need(t, exo_loop_run(loop), "run the loop");
	exo_loop_destroy(loop);
	close(term);
}

int alice(struct tenant *t, const char *ready)
{
	share(t);
	hold_frames(t);
	make_ready(t, ready);
	answer(t);
	if (t->frame[NR_FRAMES - 1].addr)
		need(t, -ETIMEDOUT, "be asked for pages");
	if (EXO_INFO_READ(t->info.own->nr_taken))
		need(t, -EPERM, "keep what she was not asked for");
	exo_env_close(t->env);
	return 0;
}
