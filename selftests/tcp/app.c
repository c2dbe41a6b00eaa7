// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* See app.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "app.h"

#define ECHO_BYTES	65536	/* one buffer of an echo connection */
#define NR_ECHO		512

struct app_conn {
	struct exo_tcp_conn *conn;
	struct app_conn *next_stalled;
	struct app_conn **pprev_stalled;
	__u64 stall_end_ns;
	struct app_request req;
	__u32 have;		/* bytes of the request */
	__u64 left;		/* to send, or to take */
	__u64 pos;
	__u64 hash;
	int echo;		/* buffer, or -1 */
	__u64 echo_in;
	__u64 echo_out;
	bool eof;
};

__u8 app_pattern(__u64 pos)
{
	pos %= APP_FRAME_BYTES;
	return pos * 167 + (pos >> 8) * 13 + (pos >> 16) * 7;
}

__u64 app_hash(__u64 hash, const __u8 *data, size_t len)
{
	while (len--)
		hash = (hash ^ *data++) * 0x100000001b3ULL;
	return hash;
}

static struct app *app_of(struct exo_tcp_conn *conn)
{
	return exo_tcp_user(conn->tcp);
}

/* ------------------------------------------------------- pattern out */

static void send_more(struct exo_tcp_conn *conn, struct app_conn *ac)
{
	struct app *app = app_of(conn);
	struct exo_tcp_vec vec;
	__u64 off, most;
	int flags;

	while (ac->left) {
		off = ac->pos % APP_FRAME_BYTES;
		most = ac->req.op == APP_SCATTER ? 1 + ac->pos % 777 :
						   APP_FRAME_BYTES;
		if (most > APP_FRAME_BYTES - off)
			most = APP_FRAME_BYTES - off;
		if (most > ac->left)
			most = ac->left;
		vec.frame = app->frame.handle;
		vec.len = most;
		vec.offset = off;
		if (ac->req.op == APP_SCATTER && ac->pos & 1)
			vec.offset += APP_FRAME_BYTES;	/* the second copy */
		flags = most < ac->left ? EXO_TCP_MORE :
			ac->req.op == APP_SEND_FIN ||
			ac->req.op == APP_AFTER_FIN ? EXO_TCP_FIN : 0;
		if (exo_tcp_send(conn, &vec, 1, flags) < 0)
			break;
		ac->left -= most;
		ac->pos += most;
	}
	if (!ac->left && ac->req.op == APP_ABORT)
		exo_tcp_abort(conn);
}

/* -------------------------------------------------------------- echo */

static char *echo_buf(struct app *app, struct app_conn *ac)
{
	return (char *)app->echo.addr + (size_t)ac->echo * ECHO_BYTES;
}

static void echo_begin(struct exo_tcp_conn *conn, struct app_conn *ac)
{
	struct app *app = app_of(conn);
	int i;

	for (i = 0; i < NR_ECHO; i++) {
		if (!(app->echo_used[i / 32] >> i % 32 & 1)) {
			app->echo_used[i / 32] |= 1U << i % 32;
			ac->echo = i;
			return;
		}
	}
	exo_tcp_abort(conn);
}

static void echo_data(struct exo_tcp_conn *conn, struct app_conn *ac,
		      const char *data, size_t len)
{
	struct app *app = app_of(conn);
	struct exo_tcp_vec vec;
	size_t at, part;

	if (ac->echo < 0)
		return;
	if (len > ECHO_BYTES - (ac->echo_in - ac->echo_out))
		fake_die("echo: the peer sent beyond the window");
	while (len) {
		at = ac->echo_in % ECHO_BYTES;
		part = len < ECHO_BYTES - at ? len : ECHO_BYTES - at;
		memcpy(echo_buf(app, ac) + at, data, part);
		vec.frame = app->echo.handle;
		vec.len = part;
		vec.offset = (__u64)ac->echo * ECHO_BYTES + at;
		if (exo_tcp_send(conn, &vec, 1, 0) < 0) {
			/* Merged pieces make this impossible in practice. */
			exo_tcp_abort(conn);
			return;
		}
		ac->echo_in += part;
		data += part;
		len -= part;
	}
	exo_tcp_set_window(conn, ECHO_BYTES - (ac->echo_in - ac->echo_out));
}

static void echo_released(struct exo_tcp_conn *conn, struct app_conn *ac,
			  __u64 end)
{
	struct app *app = app_of(conn);
	__u64 done = ac->echo_out;

	if (ac->echo < 0)
		return;
	/* Whoever still reads these bytes shall read something else. */
	for (; done < end; done++)
		echo_buf(app, ac)[done % ECHO_BYTES] = 0xee;
	ac->echo_out = end;
	exo_tcp_set_window(conn, ECHO_BYTES - (ac->echo_in - ac->echo_out));
}

/* ---------------------------------------------------------- requests */

static void stall(struct exo_tcp_conn *conn, struct app_conn *ac)
{
	struct app *app = app_of(conn);

	exo_tcp_set_window(conn, 0);
	ac->stall_end_ns = exo_tcp_now_ns() + APP_STALL_NS;
	ac->next_stalled = app->stalled;
	if (ac->next_stalled)
		ac->next_stalled->pprev_stalled = &ac->next_stalled;
	ac->pprev_stalled = &app->stalled;
	app->stalled = ac;
}

static void unstall(struct app_conn *ac)
{
	if (!ac->pprev_stalled)
		return;
	*ac->pprev_stalled = ac->next_stalled;
	if (ac->next_stalled)
		ac->next_stalled->pprev_stalled = ac->pprev_stalled;
	ac->pprev_stalled = NULL;
}

static void request(struct exo_tcp_conn *conn, struct app_conn *ac)
{
	ac->left = ac->req.n;
	ac->hash = 0;
	switch (ac->req.op) {
	case APP_SEND:
	case APP_SEND_FIN:
	case APP_SCATTER:
	case APP_ABORT:
		ac->pos = 0;
		send_more(conn, ac);
		break;
	case APP_ECHO:
		echo_begin(conn, ac);
		break;
	case APP_STALL:
		stall(conn, ac);
		break;
	case APP_TAKE:
		exo_tcp_set_window(conn, 1 << 30);
		break;
	default:
		break;
	}
}

static size_t take(struct exo_tcp_conn *conn, struct app_conn *ac,
		   const __u8 *data, size_t len)
{
	struct app_sum sum;

	if (len > ac->left)
		len = ac->left;
	ac->hash = app_hash(ac->hash, data, len);
	ac->left -= len;
	if (!ac->left) {
		sum = (struct app_sum){ ac->req.n, ac->hash };
		if (exo_tcp_write(conn, &sum, sizeof(sum), 0) < 0)
			exo_tcp_abort(conn);
		ac->have = 0;
	}
	return len;
}

static void on_data(struct exo_tcp_conn *conn, const void *data, size_t len)
{
	struct app_conn *ac = conn->user;
	const __u8 *p = data;
	size_t n;

	while (len) {
		if (ac->have < sizeof(ac->req)) {
			n = sizeof(ac->req) - ac->have;
			n = n < len ? n : len;
			memcpy((char *)&ac->req + ac->have, p, n);
			ac->have += n;
			if (ac->have == sizeof(ac->req))
				request(conn, ac);
		} else if (ac->req.op == APP_ECHO) {
			n = len;
			echo_data(conn, ac, (const char *)p, n);
		} else if (ac->req.op == APP_TAKE ||
			   ac->req.op == APP_STALL) {
			n = take(conn, ac, p, len);
		} else if (ac->req.op <= APP_SCATTER && !ac->left) {
			ac->have = 0;	/* the next request */
			n = 0;
		} else {
			n = len;	/* not expected: ignored */
		}
		p += n;
		len -= n;
	}
}

static int on_accepted(struct exo_tcp_conn *conn)
{
	struct app_conn *ac = calloc(1, sizeof(*ac));

	if (!ac)
		return -1;
	ac->echo = -1;
	ac->conn = conn;
	conn->user = ac;
	app_of(conn)->nr_accepted++;
	/* An echo may have to keep all that comes before it knows. */
	exo_tcp_set_window(conn, ECHO_BYTES);
	return 0;
}

static void on_peer_closed(struct exo_tcp_conn *conn)
{
	struct app_conn *ac = conn->user;

	ac->eof = true;
	if (ac->have == sizeof(ac->req) && ac->req.op == APP_AFTER_FIN)
		send_more(conn, ac);
	else if (ac->have < sizeof(ac->req) || ac->req.op != APP_HOLD)
		exo_tcp_shutdown(conn);
}

static void on_released(struct exo_tcp_conn *conn, __u64 end)
{
	struct app_conn *ac = conn->user;

	if (ac->req.op == APP_ECHO)
		echo_released(conn, ac, end);
	else if (ac->have == sizeof(ac->req) && ac->req.op <= APP_SCATTER)
		send_more(conn, ac);
}

static void on_closed(struct exo_tcp_conn *conn, int error)
{
	struct app *app = app_of(conn);
	struct app_conn *ac = conn->user;

	if (ac->echo >= 0)
		app->echo_used[ac->echo / 32] &= ~(1U << ac->echo % 32);
	unstall(ac);
	free(ac);
	app->last_error = error;
	app->nr_closed++;
}

static const struct exo_tcp_ops app_ops = {
	.accepted = on_accepted,
	.data = on_data,
	.peer_closed = on_peer_closed,
	.released = on_released,
	.closed = on_closed,
};

/* Windows that were closed long enough. */
static void run_stalled(struct app *app)
{
	struct app_conn *ac, *next;
	__u64 now = exo_tcp_now_ns();

	for (ac = app->stalled; ac; ac = next) {
		next = ac->next_stalled;
		if (ac->stall_end_ns > now)
			continue;
		unstall(ac);
		exo_tcp_set_window(ac->conn, 1 << 30);
	}
}

static void *app_thread(void *arg)
{
	struct app *app = arg;
	int rc;

	while (!app->stop) {
		rc = exo_tcp_poll(app->tcp, 5000000, 0);
		if (rc < 0 && rc != -EINTR)
			fake_die("exo_tcp_poll: %s", strerror(-rc));
		run_stalled(app);
	}
	return NULL;
}

static void fill_frame(struct app *app)
{
	__u8 *p = app->frame.addr;
	__u64 i;

	for (i = 0; i < 2 * APP_FRAME_BYTES; i++)
		p[i] = app_pattern(i);
}

void app_start(struct app *app, struct fake *fake,
	       const struct exo_tcp_config *cfg)
{
	struct exo_tcp_config config = *cfg;

	memset(app, 0, sizeof(*app));
	app->fake = fake;
	config.user = app;
	if (exo_env_open(&fake->sys, NULL, &app->env) < 0 ||
	    exo_flow_bind(app->env, 0, 1, 1 << 20, 512, &app->flow) < 0 ||
	    exo_frame_alloc(app->env, 2 * APP_FRAME_BYTES / 4096, 0,
			    &app->frame) < 0 ||
	    exo_frame_alloc(app->env, NR_ECHO * (ECHO_BYTES / 4096), 0,
			    &app->echo) < 0 ||
	    exo_tcp_create(app->env, app->flow, &app_ops, &config,
			   &app->tcp) < 0)
		fake_die("the server cannot start");
	fill_frame(app);
	if (pthread_create(&app->thread, NULL, app_thread, app))
		fake_die("no thread");
}

void app_stop(struct app *app)
{
	app->stop = 1;
	pthread_join(app->thread, NULL);
	exo_tcp_stats(app->tcp, &app->stats);
	exo_tcp_destroy(app->tcp);
	if (app->nr_closed != app->nr_accepted)
		fake_die("%llu accepted, %llu closed",
			 (unsigned long long)app->nr_accepted,
			 (unsigned long long)app->nr_closed);
	exo_frame_free(&app->frame);
	exo_frame_free(&app->echo);
	exo_flow_unbind(app->flow);
	exo_env_close(app->env);
}
