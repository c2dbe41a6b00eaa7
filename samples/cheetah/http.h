/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * http: requests of HTTP/1.1 and 1.0, as bytes that come in any pieces
 *
 * Two ways in. http_quick() takes the plain GET that nearly every client
 * sends, whole and in one piece, in a few hundred instructions; it answers "not
 * mine" to anything else, which then goes to http_feed(), which runs the
 * distribution's http_parser and keeps what it needs between pieces.
 *
 * The target is left as it was sent; http_normalise() makes it the form that
 * document names have.
 */
#ifndef CHEETAH_HTTP_H
#define CHEETAH_HTTP_H

#include <http_parser.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_MAX_TARGET		4096	/* more is 414 */
#define HTTP_MAX_HEAD		16384	/* more is 431 */

/**
 * struct http_request - a request whose head is complete
 * @target: as sent, @target_len bytes, not terminated; valid as long as the
 *          bytes that were parsed (http_quick) or the reader (http_feed)
 * @target_len: bytes, at least 1 unless @status
 * @status: 0, or the HTTP status to refuse it with
 * @head_only: HEAD
 * @keep_alive: the client wants to go on with this connection
 * @etags: value of If-None-Match, or NULL
 * @since: value of If-Modified-Since, or NULL
 */
struct http_request {
	const char *target;
	uint32_t target_len;
	uint16_t status;
	bool head_only;
	bool keep_alive;
	const char *etags;
	const char *since;
};

/**
 * struct http_reader - a request that came in pieces, or is not plain
 *
 * Holds about 5 KiB, so a connection has one only while it needs it.
 */
struct http_reader {
	http_parser parser;
	uint32_t nr_bytes;
	uint32_t target_len;
	uint16_t name_len;
	uint16_t value_len;
	uint16_t status;
	uint8_t nr_hosts;
	bool in_value;
	bool started;
	bool complete;
	bool has_etags;
	bool has_since;
	char name[24];
	char since[40];
	char etags[256];
	char target[HTTP_MAX_TARGET];
};

size_t http_quick(const char *data, size_t len, struct http_request *rq);
void http_reader_init(struct http_reader *r);
size_t http_feed(struct http_reader *r, const char *data, size_t len,
		 struct http_request *rq);
int http_normalise(const char *target, size_t len, char *out, size_t room);
int http_encode(const char *path, size_t len, char *out, size_t room);

#endif
