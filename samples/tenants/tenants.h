/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * tenants: what alice and bob, two users of one machine, have in common. Each
 * runs as a process without privilege and trusts the other with nothing but
 * what was handed over.
 *
 *	alice					bob
 *	a frame, a letter in it
 *	part of it, for reading ---- fd ---->	reads; asks for more: refused
 *	gives notice <----- "read" ----------
 *	---------------- CAP_ENDING -------->	copies the letter
 *	the time is over -- CAP_ENDED ------>	reads: SIGBUS; imports: ESTALE
 *	the same part again -------- fd ---->	reads
 *	revokes <--------- "read" -----------
 *	------------------ "gone" --------->	reads: SIGBUS; imports: ESTALE
 *
 * Then each holds frames of its own, and root asks for some back: alice gives
 * them (alice.c), bob does not listen and is taken from (bob.c).
 */
#ifndef TENANTS_H
#define TENANTS_H

#include <stdbool.h>

#include <exo/exo.h>

#define NR_PAGES	8	/* of the frame with the letter */
#define FIRST_PAGE	2	/* of those that bob may read */
#define SHARED_PAGES	4
#define LETTER_PAGE	3
#define LETTER		"Dear bob, this is mine."
#define EXPIRY_S	60
#define NOTICE_MS	3000	/* room for a busy machine */

#define NR_FRAMES	4	/* that each holds later */
#define FRAME_PAGES	64

/**
 * struct tenant - one of the two
 * @name: "alice" or "bob"
 * @env: its env
 * @sock: connection to the other
 * @info: exposed tables of @env
 * @frame: what it holds in the second part
 */
struct tenant {
	const char *name;
	struct exo_env *env;
	int sock;
	struct exo_info info;
	struct exo_frame frame[NR_FRAMES];
};

/* tenants.c: each ends the program with status 1 if a step does not work. */
void say(const struct tenant *t, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void need(const struct tenant *t, int rc, const char *what);
void refused(const struct tenant *t, const char *what, int rc, int want);
void wait_token(const struct tenant *t, char token);
void send_token(const struct tenant *t, char token);
void hold_frames(struct tenant *t);

/* touch.c: reads a byte that may not be there; false: it raised SIGBUS. */
bool touch(const volatile char *at, char *out);

int alice(struct tenant *t, const char *ready);
int bob(struct tenant *t, const char *ready);
void make_ready(const struct tenant *t, const char *ready);

#endif /* TENANTS_H */
