/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * A server over libexo's TCP for the tests, run in a thread. The client begins
 * with a struct app_request; what is sent back is the pattern, or an echo.
 */
#ifndef SELFTESTS_TCP_APP_H
#define SELFTESTS_TCP_APP_H

#include "fake.h"

enum app_op {
	APP_SEND = 1,	/* n bytes of pattern, then the next request */
	APP_SEND_FIN,	/* the same, the FIN rides on the last byte */
	APP_SCATTER,	/* the same as APP_SEND in odd little pieces */
	APP_TAKE,	/* n bytes follow; answered by struct app_sum */
	APP_STALL,	/* APP_TAKE with a closed window for a while */
	APP_ECHO,	/* everything that follows, until the peer closes */
	APP_ABORT,	/* n bytes, then a RST */
	APP_AFTER_FIN,	/* n bytes when the peer has closed, then close */
	APP_HOLD,	/* nothing, ever */
};

struct app_request {
	__u32 op;
	__u32 pad;
	__u64 n;
};

struct app_sum {
	__u64 n;
	__u64 hash;
};

#define APP_FRAME_BYTES	(1 << 20)	/* period of the pattern */
#define APP_STALL_NS	300000000ULL

struct app {
	struct fake *fake;
	struct exo_env *env;
	struct exo_flow *flow;
	struct exo_tcp *tcp;
	struct exo_frame frame;
	struct exo_frame echo;
	__u32 echo_used[64];	/* bit map of buffers */
	pthread_t thread;
	volatile int stop;
	volatile __u64 nr_accepted;
	volatile __u64 nr_closed;
	volatile int last_error;
	struct app_conn *stalled;
	struct exo_tcp_stats stats;
};

__u8 app_pattern(__u64 pos);
__u64 app_hash(__u64 hash, const __u8 *data, size_t len);

/* Start to serve in a thread; app_stop() ends it and fills in app->stats. */
void app_start(struct app *app, struct fake *fake,
	       const struct exo_tcp_config *cfg);
void app_stop(struct app *app);

#endif /* SELFTESTS_TCP_APP_H */
