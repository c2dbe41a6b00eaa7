// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * http: does the request parser understand what it should, refuse the rest, and
 * come to the same result however the bytes are cut?
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../samples/cheetah/http.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static int failures;

static void check(bool ok, const char *what, const char *about)
{
	if (ok)
		return;
	failures++;
	printf("not ok: %s: %.200s\n", what, about);
}

#define CRLF	"\r\n"
#define HOST	"Host: h" CRLF

struct want {
	const char *text;
	int status;		/* 0: a good request; -1: incomplete */
	const char *target;	/* of a good one */
	bool keep_alive;
	bool head_only;
	bool quick;		/* http_quick() must take it */
};

#define GOOD(text_, target_, keep_alive_, ...)				\
	{ .text = text_, .target = target_, .keep_alive = keep_alive_,	\
	  ## __VA_ARGS__ }
#define BAD(text_, status_)						\
	{ .text = text_, .status = status_ }

static const struct want wants[] = {
	GOOD("GET / HTTP/1.1" CRLF HOST CRLF,
	     "/", true, .quick = true),
	GOOD("GET /f1024 HTTP/1.1" CRLF "Host: 10.77.0.2" CRLF
	     "Connection: close" CRLF CRLF,
	     "/f1024", false, .quick = true),
	GOOD("GET /a?b#c HTTP/1.1" CRLF HOST "Connection: Keep-Alive" CRLF
	     "User-Agent: curl/7.88.1" CRLF "Accept: */*" CRLF CRLF,
	     "/a?b#c", true, .quick = true),
	GOOD("HEAD / HTTP/1.1" CRLF HOST CRLF,
	     "/", true, .head_only = true),
	GOOD("GET / HTTP/1.0" CRLF CRLF,
	     "/", false),
	GOOD("GET / HTTP/1.0" CRLF "Connection: keep-alive" CRLF CRLF,
	     "/", true),
	GOOD("GET / HTTP/1.1\nHost: h\n\n",
	     "/", true),
	GOOD(CRLF CRLF "GET / HTTP/1.1" CRLF HOST CRLF,
	     "/", true),
	GOOD("GET http://h/x HTTP/1.1" CRLF HOST CRLF,
	     "http://h/x", true),
	GOOD("GET / HTTP/1.1" CRLF "hOST: h" CRLF "conNECtion: CLOSE" CRLF CRLF,
	     "/", false),
	GOOD("GET / HTTP/1.1" CRLF HOST "X-Any: \xff\x80 ok" CRLF CRLF,
	     "/", true),
	GOOD("GET / HTTP/1.1" CRLF HOST "Content-Length: 5" CRLF CRLF,
	     "/", false),
	GOOD("GET / HTTP/1.1" CRLF HOST "Transfer-Encoding: chunked" CRLF CRLF,
	     "/", false),
	GOOD("GET / HTTP/1.1" CRLF HOST "Content-Length: 0" CRLF CRLF,
	     "/", true),
	GOOD("GET / HTTP/1.1" CRLF "Host:" CRLF CRLF,
	     "/", true, .quick = true),
	/* refused */
	BAD("GET / HTTP/1.1" CRLF CRLF, 400),
	BAD("GET / HTTP/1.1" CRLF HOST HOST CRLF, 400),
	BAD("POST / HTTP/1.1" CRLF HOST CRLF, 405),
	BAD("OPTIONS * HTTP/1.1" CRLF HOST CRLF, 405),
	BAD("DELETE /x HTTP/1.1" CRLF HOST CRLF, 405),
	BAD("BREW / HTTP/1.1" CRLF HOST CRLF, 501),
	BAD("get / HTTP/1.1" CRLF HOST CRLF, 400),
	BAD("GET / HTTP/2.0" CRLF HOST CRLF, 505),
	BAD("GET /" CRLF CRLF, 505),
	BAD("GET / FTP/1.1" CRLF HOST CRLF, 400),
	BAD("GET / HTTP/1.x" CRLF HOST CRLF, 400),
	BAD("GET  HTTP/1.1" CRLF HOST CRLF, 400),
	BAD("GET / HTTP/1.1" CRLF HOST "Bad Name: x" CRLF CRLF, -2),
	BAD("GET / HTTP/1.1" CRLF HOST ": x" CRLF CRLF, 400),
	BAD("GET / HTTP/1.1" CRLF HOST "Content-Length: x" CRLF CRLF, 400),
	BAD("GET / HTTP/1.1" CRLF HOST "Content-Length: 1" CRLF
	    "Content-Length: 2" CRLF CRLF, 400),
	BAD("GET / HTTP/1.1" CRLF HOST "Content-Length: 1" CRLF
	    "Transfer-Encoding: chunked" CRLF CRLF, 400),
	BAD("GET /\001 HTTP/1.1" CRLF HOST CRLF, 400),
	BAD("\x16\x03\x01\x02", 400),
	BAD("hello" CRLF, 400),
	/* more is to come */
	BAD("G", -1),
	BAD("GET / HTTP/1.1", -1),
	BAD("GET / HTTP/1.1" CRLF HOST, -1),
	BAD("GET / HTTP/1.1" CRLF HOST "\r", -1),
	BAD("GET / HTTP/1.1" CRLF "Host: h", -1),
};

/* Feed @text in pieces of @step bytes from an exact copy, for the sanitizer. */
static size_t feed(struct http_reader *r, const char *text, size_t len,
		   size_t step, struct http_request *rq)
{
	size_t at = 0, n, part;
	char *copy;

	http_reader_init(r);
	rq->target = NULL;
	while (at < len && !rq->target) {
		part = len - at < step ? len - at : step;
		copy = malloc(part);
		memcpy(copy, text + at, part);
		n = http_feed(r, copy, part, rq);
		free(copy);
		at += n;
		if (n < part && !rq->target) {
			check(false, "bytes left and no result", text);
			break;
		}
	}
	return at;
}

static void check_request(const struct want *w, const struct http_request *rq,
			  const char *how)
{
	if (w->status == -2)
		return;
	if (w->status > 0) {
		check(rq->status == w->status, how, w->text);
		return;
	}
	check(rq->status == 0, how, w->text);
	check(rq->target_len == strlen(w->target) &&
	      !memcmp(rq->target, w->target, rq->target_len), "target", w->text);
	check(rq->keep_alive == w->keep_alive, "keep-alive", w->text);
	check(rq->head_only == w->head_only, "HEAD", w->text);
}

static void test_want(const struct want *w)
{
	size_t len = strlen(w->text), step, n;
	struct http_request rq;
	struct http_reader r;
	char *copy;

	for (step = len; step > 0; step--) {
		/* A foreign method is told from rubbish only if it is whole. */
		if (w->status == 501 && step < 6)
			break;
		n = feed(&r, w->text, len, step, &rq);
		if (w->status == -1) {
			check(!rq.target && n == len, "incomplete", w->text);
			continue;
		}
		check(!!rq.target, "no result", w->text);
		if (!rq.target)
			continue;
		check_request(w, &rq, "parser");
		check(w->status != 0 || n == len, "length", w->text);
	}
	copy = malloc(len);
	memcpy(copy, w->text, len);
	n = http_quick(copy, len, &rq);
	check(!!n == w->quick, "quick", w->text);
	if (n)
		check_request(w, &rq, "quick");
	free(copy);
}

/* Several requests in one stream, cut at every place into two pieces. */
static void test_pipeline(void)
{
	static const char one[] = "GET /1 HTTP/1.1" CRLF HOST CRLF;
	static const char two[] = "HEAD /22 HTTP/1.1" CRLF HOST CRLF;
	static const char three[] = "GET /333 HTTP/1.1" CRLF HOST
		"X: y" CRLF CRLF;
	char text[256];
	struct http_request rq;
	struct http_reader r;
	size_t len, cut, at, end, n;
	unsigned int nr;

	len = snprintf(text, sizeof(text), "%s%s%s", one, two, three);
	for (cut = 0; cut <= len; cut++) {
		http_reader_init(&r);
		for (at = 0, nr = 0; at < len; at += n) {
			end = at < cut ? cut : len;
			n = http_feed(&r, text + at, end - at, &rq);
			if (!rq.target)
				continue;
			nr++;
			check(!rq.status && rq.target_len == 1 + nr &&
			      rq.target[1] == '0' + (int)nr, "pipeline", text);
			http_reader_init(&r);
		}
		check(nr == 3, "pipeline count", text);
	}
	n = http_quick(text, len, &rq);
	check(n == strlen(one), "quick takes one", text);
}

/* The quick way must agree with the parser on whatever it takes. */
static void test_quick_agrees(void)
{
	static const char base[] = "GET /dir/file.html HTTP/1.1" CRLF
		"Host: example" CRLF "User-Agent: x/1 (y)" CRLF
		"Connection: close" CRLF CRLF;
	struct http_request quick, slow;
	struct http_reader r;
	char text[sizeof(base)];
	unsigned int i, seed = 1, taken = 0;
	size_t len = sizeof(base) - 1, n, m;

	for (i = 0; i < 200000; i++) {
		memcpy(text, base, len);
		text[rand_r(&seed) % len] = rand_r(&seed);
		if (i & 1)
			text[rand_r(&seed) % len] = rand_r(&seed) % 64;
		n = http_quick(text, len, &quick);
		if (!n)
			continue;
		taken++;
		http_reader_init(&r);
		m = http_feed(&r, text, len, &slow);
		check(m == n && slow.target && !slow.status &&
		      slow.keep_alive == quick.keep_alive &&
		      slow.target_len == quick.target_len &&
		      !memcmp(slow.target, quick.target, quick.target_len),
		      "quick and parser differ", text);
	}
	check(taken > 1000, "too few were taken to mean anything", "");
}

static void test_sizes(void)
{
	static char text[HTTP_MAX_HEAD * 2];
	struct http_request rq;
	struct http_reader r;
	size_t len;

	memset(text, 'a', sizeof(text));
	memcpy(text, "GET /", 5);
	feed(&r, text, sizeof(text), 1000, &rq);
	check(rq.target && rq.status == 414, "long target", "414");
	check(!http_quick(text, sizeof(text), &rq), "long target", "quick");

	len = sprintf(text, "GET / HTTP/1.1" CRLF HOST "A: ");
	text[len] = 'a';
	feed(&r, text, sizeof(text), 1000, &rq);
	check(rq.target && rq.status == 431, "long head", "431");
	check(!http_quick(text, sizeof(text), &rq), "long head", "quick");

	/* A list of tags that is too long matches nothing, and harms nobody. */
	len = sprintf(text, "GET / HTTP/1.1" CRLF HOST "If-None-Match: ");
	memset(text + len, '"', 2000);
	memcpy(text + len + 2000, CRLF CRLF, 4);
	feed(&r, text, len + 2004, 7, &rq);
	check(rq.target && !rq.status && rq.etags && !*rq.etags, "long tags",
	      rq.etags ? rq.etags : "none");
	len = sprintf(text, "GET / HTTP/1.1" CRLF HOST "If-None-Match: \"a\""
		      CRLF "If-Modified-Since: x" CRLF CRLF);
	feed(&r, text, len, 1, &rq);
	check(rq.target && rq.etags && !strcmp(rq.etags, "\"a\"") && rq.since &&
	      !strcmp(rq.since, "x"), "validators", text);
}

static void test_normalise(void)
{
	static const struct {
		const char *target;
		const char *name;	/* NULL: refused */
	} cases[] = {
		{ "/", "/" },
		{ "/a/b.html", "/a/b.html" },
		{ "/a//b///c", "/a/b/c" },
		{ "/a/./b/.", "/a/b/" },
		{ "/a/../b", "/b" },
		{ "/a/b/..", "/a/" },
		{ "/a/b/../", "/a/" },
		{ "/a/", "/a/" },
		{ "/..", NULL },
		{ "/a/../..", NULL },
		{ "/a/%2e%2e/%2e%2E/etc/passwd", NULL },
		{ "/a%2fb", "/a/b" },
		{ "/%41%7E%20x%3f", "/A~%20x%3F" },
		{ "/caf\xc3\xa9", "/caf%C3%A9" },
		{ "/a?b/../..", "/a" },
		{ "/a#b", "/a" },
		{ "/?", "/" },
		{ "/%00", NULL },
		{ "/%", NULL },
		{ "/%4", NULL },
		{ "/%zz", NULL },
		{ "/...", "/..." },
		{ "/.hidden", "/.hidden" },
		{ "a", NULL },
		{ "*", NULL },
		{ "http://h/x/../y?q", "/y" },
		{ "http://h", "/" },
		{ "", NULL },
	};
	char out[64], *copy;
	size_t i, len;
	int n;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		len = strlen(cases[i].target);
		copy = malloc(len + 1);
		memcpy(copy, cases[i].target, len);
		n = http_normalise(copy, len, out, sizeof(out));
		free(copy);
		if (!cases[i].name)
			check(n == -EINVAL, "normalise", cases[i].target);
		else
			check(n == (int)strlen(cases[i].name) &&
			      !memcmp(out, cases[i].name, n), "normalise",
			      cases[i].target);
	}
	check(http_normalise("/abc", 4, out, 2) == -ENAMETOOLONG, "normalise",
	      "no room");
}

/* Anything at all, in pieces of any size: nothing but a result may come. */
static void test_noise(void)
{
	static const char *const words[] = {
		"GET ", "HEAD ", "/", "..", "%", "HTTP/1.1", "\r\n", "\n", "\r",
		"Host: h", ":", "Connection: ", "close", "If-None-Match: ",
		"Transfer-Encoding: chunked", "Content-Length: ", "99999999999",
		"0", " ", "Upgrade: x", "\xff", "\t", "http://", "@", "[", "?",
	};
	char text[2048], name[2048], *copy;
	struct http_request rq;
	struct http_reader r;
	unsigned int i, k, seed = 7;
	size_t len, n;

	for (i = 0; i < 50000; i++) {
		for (len = 0, k = rand_r(&seed) % 40; k; k--)
			len += sprintf(text + len, "%s", words[rand_r(&seed) %
				       ARRAY_SIZE(words)]);
		feed(&r, text, len, 1 + rand_r(&seed) % 64, &rq);
		copy = malloc(len + 1);
		memcpy(copy, text, len);
		n = http_quick(copy, len, &rq);
		check(n <= len, "took more than there was", text);
		http_normalise(copy, len, name, sizeof(name));
		free(copy);
	}
}

int main(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(wants); i++)
		test_want(&wants[i]);
	test_pipeline();
	test_quick_agrees();
	test_sizes();
	test_normalise();
	test_noise();
	if (!failures)
		printf("ok: %zu requests, pipelines, sizes, paths, noise\n", i);
	return failures != 0;
}
