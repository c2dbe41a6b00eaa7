// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Touch: memory of a capability may go at any time. Who shares frames with
 * others reads them like this, and takes SIGBUS for an answer.
 */
#include <setjmp.h>
#include <signal.h>

#include "tenants.h"

static sigjmp_buf back;

static void on_sigbus(int sig)
{
	siglongjmp(back, sig);
}

bool touch(const volatile char *at, char *out)
{
	struct sigaction sa = { .sa_handler = on_sigbus }, old;
	bool there = true;

	sigaction(SIGBUS, &sa, &old);
	if (!sigsetjmp(back, 1))
		*out = *at;
	else
		there = false;
	sigaction(SIGBUS, &old, NULL);
	return there;
}
