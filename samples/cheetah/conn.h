/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * conn: a connection: requests in, pieces of frames out
 *
 * One response at a time is in the making. Requests that arrive meanwhile are
 * kept, and the peer's window is closed until they are read, which bounds what
 * a connection can make the server hold:
 *
 *	data() -> serve: parse a request -> answer: find the document
 *	  -> push: queue its chunks as they are in memory; wait if one is not
 *	  (cache wakes), or if enough is in flight (released() goes on)
 *	  -> when all is queued: serve what was kept
 *
 * A piece that was queued holds a reference to its slot of the cache until TCP
 * says that nothing refers to it any more.
 */
#ifndef CHEETAH_CONN_H
#define CHEETAH_CONN_H

#include <exo/tcp.h>
#include <stdbool.h>
#include <stdint.h>

#include "cache.h"
#include "doc.h"
#include "first.h"
#include "http.h"

#define CONN_PIECES	16		/* in flight, of up to a chunk each */
#define CONN_WINDOW	(64 * 1024)	/* requests a peer may send ahead */
#define CONN_HEAD_SECS	60		/* a request's head takes no longer */

/**
 * struct server - what all connections share
 * @env: /dev/exo
 * @docs: the site's index
 * @cache: its chunks
 * @first: first lines of responses
 * @now: seconds since 1970
 * @reading: connections with half a request, the oldest first
 * @unused: closed ones, for reuse
 * @nr_conns: open ones
 * @nr_requests: answered, errors included
 * @nr_errors: answered with 4xx or 5xx
 */
struct server {
	struct exo_env *env;
	const struct doc_index *docs;
	struct cache cache;
	struct first first;
	int64_t now;
	struct conn *reading;
	struct conn *reading_last;
	struct conn *unused;
	uint64_t nr_conns;
	uint64_t nr_requests;
	uint64_t nr_errors;
};

extern const struct exo_tcp_ops conn_ops;

void conn_expire(struct server *server);
void conn_free_unused(struct server *server);

#endif
