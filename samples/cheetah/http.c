// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * http: the request that nearly every client sends, and all others
 *
 * The quick way looks at eight bytes at a time. It must never take what the
 * parser would refuse: a byte it does not expect makes it give up.
 */
#include <endian.h>
#include <string.h>
#include <strings.h>

#include "http.h"

#define ONES	(~0ULL / 255)

/*
 * Bit 7 of the lowest byte that is below n (n < 127) or DEL, and perhaps of
 * others further up.
 */
static inline uint64_t bytes_below(uint64_t x, uint64_t n)
{
	uint64_t del = x ^ ONES * 0x7f;

	return (((x - ONES * n) & ~x) | ((del - ONES) & ~del)) & ONES * 128;
}

/* First byte below @n, or DEL, in [p, end), or end. */
static inline const char *find_below(const char *p, const char *end,
				     unsigned char n)
{
	uint64_t x, hit;

	for (; end - p >= 8; p += 8) {
		memcpy(&x, p, 8);
		hit = bytes_below(le64toh(x), n);
		if (hit)
			return p + __builtin_ctzll(hit) / 8;
	}
	while (p < end && (unsigned char)*p >= n && *p != 0x7f)
		p++;
	return p;
}

static inline bool begins(const char *p, const char *end, const char *s,
			  size_t len)
{
	return (size_t)(end - p) >= len && !memcmp(p, s, len);
}

#define BEGINS(p, end, s) begins(p, end, s, sizeof(s) - 1)

/* Headers that mean nothing to this server, whatever they say. */
static bool is_idle_header(const char *p, const char *end)
{
	return BEGINS(p, end, "User-Agent:") || BEGINS(p, end, "Accept:") ||
	       BEGINS(p, end, "Accept-Encoding:") ||
	       BEGINS(p, end, "Accept-Language:") ||
	       BEGINS(p, end, "Referer:") || BEGINS(p, end, "Cookie:") ||
	       BEGINS(p, end, "Cache-Control:");
}

/* The header at p, which ends at eol: false if it is not a plain one. */
static bool quick_header(const char *p, const char *eol,
			 struct http_request *rq, bool *host)
{
	if (BEGINS(p, eol, "Host:")) {
		if (*host)
			return false;
		*host = true;
		return true;
	}
	if (BEGINS(p, eol, "Connection: ")) {
		p += sizeof("Connection: ") - 1;
		if (eol - p == 5 && !memcmp(p, "close", 5)) {
			rq->keep_alive = false;
			return true;
		}
		return eol - p == 10 && !strncasecmp(p, "keep-alive", 10);
	}
	return is_idle_header(p, eol);
}

/**
 * http_quick - parse a plain GET of HTTP/1.1 that stands whole in one piece
 * @data: what the client sent, from the beginning of a request
 * @len: bytes
 * @rq: filled in when the result is not 0; @rq->status is 0 then
 *
 * Return: bytes of the request; 0 if it is incomplete or not plain, which
 * http_feed() finds out.
 */
size_t http_quick(const char *data, size_t len, struct http_request *rq)
{
	const char *end = data + len;
	bool host = false;
	const char *p, *eol;

	if (!BEGINS(data, end, "GET /"))
		return 0;
	p = find_below(data + 5, end, ' ' + 1);
	if (!BEGINS(p, end, " HTTP/1.1\r\n") || p - data > HTTP_MAX_TARGET)
		return 0;
	memset(rq, 0, sizeof(*rq));
	rq->keep_alive = true;
	rq->target = data + 4;
	rq->target_len = p - rq->target;
	p += sizeof(" HTTP/1.1\r\n") - 1;
	if (len > HTTP_MAX_HEAD)
		end = data + HTTP_MAX_HEAD;
	for (;;) {
		eol = find_below(p, end, ' ');
		if (!BEGINS(eol, end, "\r\n"))
			return 0;
		if (eol == p)
			return host ? (size_t)(eol + 2 - data) : 0;
		if (!quick_header(p, eol, rq, &host))
			return 0;
		p = eol + 2;
	}
}

/* ------------------------------------------------------------ the parser */

static struct http_reader *reader_of(http_parser *p)
{
	return p->data;
}

/* Callbacks return nonzero to stop; the reason is in the reader's status. */
static int refuse(struct http_reader *r, int status)
{
	r->status = status;
	return 1;
}

static int on_message_begin(http_parser *p)
{
	reader_of(p)->started = true;
	return 0;
}

static int on_url(http_parser *p, const char *at, size_t len)
{
	struct http_reader *r = reader_of(p);

	if (len > sizeof(r->target) - r->target_len)
		return refuse(r, 414);
	memcpy(r->target + r->target_len, at, len);
	r->target_len += len;
	return 0;
}

static bool name_is(const struct http_reader *r, const char *name)
{
	return r->name_len == strlen(name) &&
	       !strncasecmp(r->name, name, r->name_len);
}

static int on_header_field(http_parser *p, const char *at, size_t len)
{
	struct http_reader *r = reader_of(p);

	if (r->in_value) {
		r->in_value = false;
		r->name_len = 0;
	}
	/* Names too long to be of interest are cut, and then match nothing. */
	if (len > sizeof(r->name) - r->name_len)
		len = sizeof(r->name) - r->name_len;
	memcpy(r->name + r->name_len, at, len);
	r->name_len += len;
	return 0;
}

/* Append to a string of @room bytes; one that does not fit is emptied. */
static void keep_value(struct http_reader *r, char *to, size_t room,
		       const char *at, size_t len)
{
	if (len >= room - r->value_len) {
		r->value_len = room - 1;
		to[0] = '\0';
		return;
	}
	memcpy(to + r->value_len, at, len);
	r->value_len += len;
	to[r->value_len] = '\0';
}

static int on_header_value(http_parser *p, const char *at, size_t len)
{
	struct http_reader *r = reader_of(p);

	if (!r->in_value) {
		r->in_value = true;
		r->value_len = 0;
		if (name_is(r, "Host") && ++r->nr_hosts > 1)
			return refuse(r, 400);
	}
	if (name_is(r, "If-None-Match")) {
		r->has_etags = true;
		keep_value(r, r->etags, sizeof(r->etags), at, len);
	} else if (name_is(r, "If-Modified-Since")) {
		r->has_since = true;
		keep_value(r, r->since, sizeof(r->since), at, len);
	}
	return 0;
}

/* 1 tells the parser that no body follows: one that does ends the connection. */
static int on_headers_complete(http_parser *p)
{
	struct http_reader *r = reader_of(p);

	if (p->http_major != 1)
		r->status = 505;
	else if (p->method != HTTP_GET && p->method != HTTP_HEAD)
		r->status = 405;
	else if (p->http_minor >= 1 && !r->nr_hosts)
		r->status = 400;
	return 1;
}

static int on_message_complete(http_parser *p)
{
	reader_of(p)->complete = true;
	http_parser_pause(p, 1);
	return 0;
}

static const http_parser_settings settings = {
	.on_message_begin	= on_message_begin,
	.on_url			= on_url,
	.on_header_field	= on_header_field,
	.on_header_value	= on_header_value,
	.on_headers_complete	= on_headers_complete,
	.on_message_complete	= on_message_complete,
};

/**
 * http_reader_init - make ready for the first byte of a request
 * @r: the reader
 */
void http_reader_init(struct http_reader *r)
{
	memset(r, 0, offsetof(struct http_reader, name));
	http_parser_init(&r->parser, HTTP_REQUEST);
	r->parser.data = r;
}

/* A word of capitals that is no method known to the parser? */
static bool is_foreign_method(const char *data, size_t len)
{
	size_t i;

	for (i = 0; i < len && data[i] >= 'A' && data[i] <= 'Z'; i++)
		;
	return i > 0 && i < 32 && i < len && data[i] == ' ';
}

static int parser_status(struct http_reader *r, const char *data, size_t len)
{
	switch (HTTP_PARSER_ERRNO(&r->parser)) {
	case HPE_INVALID_METHOD:
		/* The word is at hand only if it came in the first piece. */
		if (r->nr_bytes == 0 && is_foreign_method(data, len))
			return 501;
		return 400;
	case HPE_HEADER_OVERFLOW:
		return 431;
	default:
		return 400;
	}
}

static void fill_request(struct http_reader *r, struct http_request *rq)
{
	http_parser *p = &r->parser;
	bool body = (p->flags & F_CHUNKED) || p->upgrade ||
		    ((p->flags & F_CONTENTLENGTH) && p->content_length);

	memset(rq, 0, sizeof(*rq));
	rq->target = r->target;
	rq->target_len = r->target_len;
	rq->status = r->status;
	rq->head_only = p->method == HTTP_HEAD;
	rq->keep_alive = r->complete && !body && http_should_keep_alive(p);
	rq->etags = r->has_etags ? r->etags : NULL;
	rq->since = r->has_since ? r->since : NULL;
}

/**
 * http_feed - give the next bytes of a request to the parser
 * @r: the reader, from http_reader_init()
 * @data: the bytes
 * @len: how many
 * @rq: filled in when the request is complete or must be refused
 *
 * Return: bytes taken; fewer than @len, or @rq->target being set, means that
 * @rq is valid and the reader must be initialised for the next request. What
 * is refused for its syntax has keep_alive false: nobody knows where the next
 * request begins.
 */
size_t http_feed(struct http_reader *r, const char *data, size_t len,
		 struct http_request *rq)
{
	size_t n;

	rq->target = NULL;
	n = http_parser_execute(&r->parser, &settings, data, len);
	if (HTTP_PARSER_ERRNO(&r->parser) == HPE_OK && !r->complete) {
		r->nr_bytes += n;
		if (r->nr_bytes <= HTTP_MAX_HEAD)
			return n;
		r->status = 431;
	} else if (!r->complete && !r->status) {
		r->status = parser_status(r, data, len);
	}
	fill_request(r, rq);
	return n;
}
