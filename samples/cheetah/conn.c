// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* conn: from the bytes of a request to the pieces of its response */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "conn.h"
#include "reply.h"

/**
 * struct piece - something queued that must not change yet
 * @end: position of the outgoing stream after it
 * @slot: holds a reference
 * @first: slot of the first lines that holds one too, or -1
 */
struct piece {
	uint64_t end;
	struct cache_slot *slot;
	int first;
};

/**
 * struct conn - a connection
 * @tcp: below
 * @server: above
 * @waiter: for a chunk
 * @reader: half a request, or NULL
 * @prev: in the list of those with half a request
 * @next: likewise, or in the list of unused ones
 * @since: when the reader was made, seconds
 * @input: bytes not yet looked at
 * @input_len: how many
 * @doc: being sent, or NULL
 * @pos: next byte of it, from the start of the data
 * @end: where to stop
 * @status: short response to be written, or 0
 * @released: position of the outgoing stream that TCP is done with
 * @lines: the first lines have not been queued
 * @keep_alive: after this response
 * @head_only: no body
 * @blocked: go on when something was released
 * @closing: our side is closed, or will be with what is queued
 * @peer_done: the peer will send no more
 * @head: pieces ever queued
 * @tail: pieces ever released
 */
struct conn {
	struct exo_tcp_conn *tcp;
	struct server *server;
	struct cache_waiter waiter;
	struct http_reader *reader;
	struct conn *prev;
	struct conn *next;
	int64_t since;
	char *input;
	size_t input_len;
	const struct doc_entry *doc;
	uint64_t pos;
	uint64_t end;
	uint64_t released;
	uint16_t status;
	bool lines;
	bool keep_alive;
	bool head_only;
	bool blocked;
	bool closing;
	bool peer_done;
	uint32_t head;
	uint32_t tail;
	struct piece pieces[CONN_PIECES];
};

static void push(struct conn *c);

static bool is_busy(const struct conn *c)
{
	return c->doc || c->status;
}

/* -------------------------------------------------------- half a request */

static void drop_reader(struct conn *c)
{
	struct server *s = c->server;

	if (!c->reader)
		return;
	free(c->reader);
	c->reader = NULL;
	*(c->prev ? &c->prev->next : &s->reading) = c->next;
	*(c->next ? &c->next->prev : &s->reading_last) = c->prev;
	c->prev = NULL;
	c->next = NULL;
}

static bool need_reader(struct conn *c)
{
	struct server *s = c->server;

	if (c->reader)
		return true;
	c->reader = malloc(sizeof(*c->reader));
	if (!c->reader)
		return false;
	http_reader_init(c->reader);
	c->since = s->now;
	c->prev = s->reading_last;
	c->next = NULL;
	*(c->prev ? &c->prev->next : &s->reading) = c;
	s->reading_last = c;
	return true;
}

/* ------------------------------------------------------------- responses */

/* Queue a response without a document; busy as long as there is no room. */
static void push_short(struct conn *c)
{
	char buf[REPLY_BYTES];
	int len, rc;

	len = reply_print(buf, c->status, c->server->now, c->keep_alive,
			  c->head_only, c->server->docs, c->doc);
	rc = exo_tcp_write(c->tcp, buf, len, c->keep_alive ? 0 : EXO_TCP_FIN);
	if (rc == -EAGAIN && exo_tcp_queued(c->tcp) != c->released) {
		c->blocked = true;
		return;
	}
	c->closing |= !c->keep_alive;
	c->status = 0;
	c->doc = NULL;
	if (rc)
		exo_tcp_abort(c->tcp);
}

static void start_short(struct conn *c, const struct http_request *rq,
			int status, const struct doc_entry *doc)
{
	c->server->nr_errors += status >= 400;
	c->status = status;
	c->doc = doc;
	c->keep_alive = rq->keep_alive;
	c->head_only = rq->head_only;
	push_short(c);
}

static void remember(struct conn *c, uint64_t end, struct cache_slot *slot,
		     int first)
{
	struct piece *p = &c->pieces[c->head++ % CONN_PIECES];

	cache_get(slot);
	if (first >= 0)
		c->server->first.refs[first]++;
	p->end = end;
	p->slot = slot;
	p->first = first;
}

/*
 * What of the document is in memory, as far as pieces may be in flight: fills
 * @vec after the entry for the first lines, and @slots. Returns how many.
 */
static unsigned int gather(struct conn *c, struct exo_tcp_vec *vec,
			   struct cache_slot **slots)
{
	unsigned int room = CONN_PIECES - (c->head - c->tail);
	uint64_t pos = c->pos;
	struct cache_slot *slot;
	unsigned int nr = 0;
	uint32_t at;

	while (pos < c->end && nr < room) {
		slot = cache_find(&c->server->cache, pos / DOC_CHUNK_BYTES);
		if (!slot)
			break;
		at = pos % DOC_CHUNK_BYTES;
		vec[nr].frame = c->server->cache.frame.handle;
		vec[nr].offset = slot->offset + at;
		vec[nr].len = DOC_CHUNK_BYTES - at;
		if (vec[nr].len > c->end - pos)
			vec[nr].len = c->end - pos;
		pos += vec[nr].len;
		slots[nr++] = slot;
	}
	return nr;
}

/* Wait for the next chunk, and have those after it read as well. */
static void want_chunks(struct conn *c)
{
	struct cache *cache = &c->server->cache;
	uint32_t chunk = c->pos / DOC_CHUNK_BYTES;
	uint32_t end = (c->end - 1) / DOC_CHUNK_BYTES + 1;
	uint32_t i;

	cache_read(cache, chunk, &c->waiter);
	for (i = chunk + 1; i < end && i < chunk + CONN_PIECES / 2; i++)
		if (cache_read(cache, i, NULL))
			break;
}

/* Queue what can be queued; false if it is to be tried again later. */
static bool push_some(struct conn *c)
{
	struct first *first = &c->server->first;
	struct exo_tcp_vec vec[CONN_PIECES + 1];
	struct cache_slot *slots[CONN_PIECES];
	unsigned int nr, i, flags;
	uint64_t pos, end;
	int rc;

	if (c->head - c->tail == CONN_PIECES) {
		c->blocked = true;
		return false;
	}
	nr = gather(c, vec + 1, slots);
	if (!nr) {
		want_chunks(c);
		return false;
	}
	vec[0].frame = c->server->cache.frame.handle;
	vec[0].offset = first->offset + first_at(first, c->keep_alive);
	vec[0].len = first->len[!c->keep_alive];
	for (pos = c->pos, i = 1; i <= nr; i++)
		pos += vec[i].len;
	flags = pos < c->end ? EXO_TCP_MORE : c->keep_alive ? 0 : EXO_TCP_FIN;
	end = exo_tcp_queued(c->tcp) + (c->lines ? vec[0].len : 0);
	rc = exo_tcp_send(c->tcp, vec + !c->lines, nr + c->lines, flags);
	if (rc) {
		c->blocked = true;
		if (rc != -EAGAIN)
			exo_tcp_abort(c->tcp);
		return false;
	}
	for (i = 0; i < nr; i++) {
		end += vec[i + 1].len;
		remember(c, end, slots[i],
			 c->lines && i == 0 ? (int)first->slot : -1);
	}
	c->lines = false;
	c->pos = pos;
	return true;
}

/* Go on with the response in the making, to its end if possible. */
static void push(struct conn *c)
{
	if (c->status) {
		push_short(c);
		return;
	}
	while (c->pos < c->end)
		if (!push_some(c))
			return;
	c->doc = NULL;
	c->closing |= !c->keep_alive;
}

/* -------------------------------------------------------------- requests */

/* The document asked for and the status, which alone counts if it is no 200. */
static int find(const struct doc_index *docs, const struct http_request *rq,
		const struct doc_entry **doc)
{
	char name[DOC_MAX_NAME];
	int len;

	/* Nearly all targets are spelt as names are. */
	*doc = doc_lookup(docs, rq->target, rq->target_len);
	if (!*doc) {
		len = http_normalise(rq->target, rq->target_len, name,
				     sizeof(name));
		if (len < 0)
			return len == -EINVAL ? 400 : 404;
		*doc = doc_lookup(docs, name, len);
	}
	if (!*doc)
		return 404;
	if ((rq->etags || rq->since) && reply_is_unchanged(*doc, rq))
		return 304;
	return le16toh((*doc)->status);
}

static void answer(struct conn *c, const struct http_request *rq)
{
	const struct doc_entry *doc = NULL;
	int status = rq->status;

	c->server->nr_requests++;
	if (!status)
		status = find(c->server->docs, rq, &doc);
	if (status != 200) {
		start_short(c, rq, status, doc);
		return;
	}
	c->doc = doc;
	c->keep_alive = rq->keep_alive;
	c->lines = true;
	c->pos = le64toh(doc->offset);
	c->end = c->pos + (rq->head_only ? le16toh(doc->head_bytes) :
			   doc_bytes(doc));
	push(c);
}

/* By the parser; bytes taken. */
static size_t feed(struct conn *c, const char *data, size_t len)
{
	struct http_request rq;
	size_t n;

	if (!need_reader(c)) {
		exo_tcp_abort(c->tcp);
		c->closing = true;
		return len;
	}
	n = http_feed(c->reader, data, len, &rq);
	if (rq.target) {
		answer(c, &rq);
		drop_reader(c);
	}
	return n;
}

/* Answer requests until one has to wait; bytes taken. */
static size_t serve(struct conn *c, const char *data, size_t len)
{
	struct http_request rq;
	size_t at = 0, n;

	while (at < len && !is_busy(c) && !c->closing) {
		n = c->reader ? 0 : http_quick(data + at, len - at, &rq);
		if (n)
			answer(c, &rq);
		else
			n = feed(c, data + at, len - at);
		at += n;
	}
	return at;
}

static void keep_input(struct conn *c, const char *data, size_t len)
{
	char *input = realloc(c->input, c->input_len + len);

	if (!input) {
		exo_tcp_abort(c->tcp);
		c->closing = true;
		return;
	}
	memcpy(input + c->input_len, data, len);
	if (!c->input_len)
		exo_tcp_set_window(c->tcp, 0);
	c->input = input;
	c->input_len += len;
}

/* The response is on its way: what else did the peer want? */
static void resume(struct conn *c)
{
	size_t n;

	if (c->input_len && !is_busy(c) && !c->closing) {
		n = serve(c, c->input, c->input_len);
		c->input_len -= n;
		memmove(c->input, c->input + n, c->input_len);
		if (!c->input_len || c->closing) {
			free(c->input);
			c->input = NULL;
			c->input_len = 0;
			exo_tcp_set_window(c->tcp, CONN_WINDOW);
		}
	}
	if (c->peer_done && !is_busy(c) && !c->closing) {
		c->closing = true;
		exo_tcp_shutdown(c->tcp);
	}
}

/* The chunk is there, or cannot be had: then the response cannot go on. */
static void on_wake(struct cache_waiter *w, int rc)
{
	struct conn *c = (struct conn *)((char *)w -
					 offsetof(struct conn, waiter));
	bool begun = !c->lines;

	if (rc && begun) {
		exo_tcp_abort(c->tcp);
		return;
	}
	if (rc) {
		c->server->nr_errors++;
		c->doc = NULL;
		c->status = 500;
	}
	push(c);
	resume(c);
}

/* -------------------------------------------------------- called by TCP */

static struct server *server_of(struct exo_tcp_conn *tcp)
{
	return exo_tcp_user(tcp->tcp);
}

static int on_accepted(struct exo_tcp_conn *tcp)
{
	struct server *s = server_of(tcp);
	struct conn *c = s->unused;

	if (c)
		s->unused = c->next;
	else
		c = malloc(sizeof(*c));
	if (!c)
		return -ENOMEM;
	memset(c, 0, offsetof(struct conn, pieces));
	c->server = s;
	c->tcp = tcp;
	c->waiter.wake = on_wake;
	tcp->user = c;
	s->nr_conns++;
	return 0;
}

static void on_data(struct exo_tcp_conn *tcp, const void *data, size_t len)
{
	struct conn *c = tcp->user;
	size_t n = 0;

	if (!c->input_len)
		n = serve(c, data, len);
	if (n < len && !c->closing)
		keep_input(c, (const char *)data + n, len - n);
}

static void on_peer_closed(struct exo_tcp_conn *tcp)
{
	struct conn *c = tcp->user;

	c->peer_done = true;
	resume(c);
}

static void release(struct conn *c, uint64_t end)
{
	struct piece *p;

	for (; c->tail != c->head; c->tail++) {
		p = &c->pieces[c->tail % CONN_PIECES];
		if (p->end > end)
			return;
		cache_put(&c->server->cache, p->slot);
		if (p->first >= 0)
			c->server->first.refs[p->first]--;
	}
}

static void on_released(struct exo_tcp_conn *tcp, __u64 end)
{
	struct conn *c = tcp->user;

	c->released = end;
	release(c, end);
	if (!c->blocked)
		return;
	c->blocked = false;
	push(c);
	resume(c);
}

static void on_closed(struct exo_tcp_conn *tcp, int error)
{
	struct conn *c = tcp->user;
	struct server *s = c->server;

	(void)error;
	release(c, UINT64_MAX);
	cache_forget(&c->waiter);
	drop_reader(c);
	free(c->input);
	c->next = s->unused;
	s->unused = c;
	s->nr_conns--;
}

const struct exo_tcp_ops conn_ops = {
	.accepted	= on_accepted,
	.data		= on_data,
	.peer_closed	= on_peer_closed,
	.released	= on_released,
	.closed		= on_closed,
};

/**
 * conn_expire - end those who take too long over a request's head
 * @server: the server; @server->now is the time
 */
void conn_expire(struct server *server)
{
	static const struct http_request late;
	struct conn *c;

	while ((c = server->reading) &&
	       c->since + CONN_HEAD_SECS < server->now) {
		drop_reader(c);
		server->nr_requests++;
		start_short(c, &late, 408, NULL);
	}
}

/**
 * conn_free_unused - give back the memory of connections kept for reuse
 * @server: the server
 */
void conn_free_unused(struct server *server)
{
	struct conn *c;

	while ((c = server->unused)) {
		server->unused = c->next;
		free(c);
	}
}
