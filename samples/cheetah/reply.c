// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* reply: errors, redirects, "not modified" */
#include <stdarg.h>
#include <stdio.h>

#include "first.h"
#include "reply.h"

/* snprintf() at the end of what is there. */
__attribute__((format(printf, 3, 4)))
static int append(char *buf, int len, const char *format, ...)
{
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(buf + len, REPLY_BYTES - len, format, ap);
	va_end(ap);
	return n < REPLY_BYTES - len ? len + n : REPLY_BYTES - 1;
}

static int print_validators(char *buf, int len, const struct doc_entry *doc)
{
	char date[40], etag[40];

	doc_http_date(le64toh(doc->mtime), date, sizeof(date));
	doc_etag(doc, etag, sizeof(etag));
	return append(buf, len, "Last-Modified: %s\r\nETag: %s\r\n\r\n", date,
		      etag);
}

static int print_body(char *buf, int len, int status, bool head_only)
{
	const char *text = http_status_str(status);
	char body[256];
	int n;

	n = snprintf(body, sizeof(body),
		     "<html>\r\n<head><title>%d %s</title></head>\r\n<body>\r\n"
		     "<h1>%d %s</h1>\r\n</body>\r\n</html>\r\n", status, text,
		     status, text);
	len = append(buf, len, "Content-Type: text/html\r\n"
		     "Content-Length: %d\r\n\r\n", n);
	return head_only ? len : append(buf, len, "%s", body);
}

/**
 * reply_print - a whole response that is short
 * @buf: where to
 * @status: 301, 304 or any 4xx or 5xx
 * @now: seconds since 1970
 * @keep_alive: which Connection header
 * @head_only: without the body
 * @docs: the site
 * @doc: what a 301 or 304 is about
 *
 * Return: length.
 */
int reply_print(char buf[REPLY_BYTES], int status, int64_t now, bool keep_alive,
		bool head_only, const struct doc_index *docs,
		const struct doc_entry *doc)
{
	int len = first_print(buf, REPLY_BYTES, status, now, keep_alive);

	len = append(buf, len, "Server: cheetah\r\n");
	if (status == 304)
		return print_validators(buf, len, doc);
	if (status == 301)
		len = append(buf, len, "Location: %.*s/\r\n",
			     le16toh(doc->name_bytes),
			     docs->names + le32toh(doc->name_offset));
	if (status == 405)
		len = append(buf, len, "Allow: GET, HEAD\r\n");
	return print_body(buf, len, status, head_only);
}

/* Is @tag in a list such as: W/"a", "b"? The comparison is the weak one. */
static bool lists_tag(const char *list, const char *tag, size_t len)
{
	const char *p = list;

	while ((p = strchr(p, '"'))) {
		if (!strncmp(p, tag, len))
			return true;
		p = strchr(p + 1, '"');
		if (!p)
			return false;
		p++;
	}
	return !strcmp(list, "*");
}

/**
 * reply_is_unchanged - does the client have the document already?
 * @doc: the document
 * @rq: its request; If-None-Match counts before If-Modified-Since, which must
 *      name the very date that the client was given
 */
bool reply_is_unchanged(const struct doc_entry *doc,
			const struct http_request *rq)
{
	char buf[40];
	int len;

	if (le16toh(doc->status) != 200)
		return false;
	if (rq->etags) {
		len = doc_etag(doc, buf, sizeof(buf));
		return lists_tag(rq->etags, buf, len);
	}
	doc_http_date(le64toh(doc->mtime), buf, sizeof(buf));
	return !strcmp(rq->since, buf);
}
