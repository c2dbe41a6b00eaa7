// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * path: one spelling for each document
 *
 * Names in a pack are absolute paths in which every byte outside a small set
 * is %-escaped in capitals. A client's target is brought to the same form:
 * escapes undone, empty and dot segments resolved, then escaped again.
 */
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "http.h"

static bool is_plain(unsigned char c)
{
	return isalnum(c) || (c && strchr("-._~!$&'()*+,;=:@/", c));
}

/**
 * http_encode - escape a path
 * @path: bytes, any but NUL
 * @len: how many
 * @out: the result, not terminated
 * @room: bytes at @out
 *
 * Return: length of the result; -ENAMETOOLONG.
 */
int http_encode(const char *path, size_t len, char *out, size_t room)
{
	static const char hex[] = "0123456789ABCDEF";
	size_t i, n = 0;
	unsigned char c;

	for (i = 0; i < len; i++) {
		c = path[i];
		if (n + 3 > room)
			return -ENAMETOOLONG;
		if (is_plain(c)) {
			out[n++] = c;
			continue;
		}
		out[n++] = '%';
		out[n++] = hex[c >> 4];
		out[n++] = hex[c & 15];
	}
	return n;
}

static int hex_digit(int c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Undo escapes up to a query or fragment; length, or -EINVAL. */
static int decode(const char *s, size_t len, char *out)
{
	size_t i, n = 0;
	int hi, lo;

	for (i = 0; i < len && s[i] != '?' && s[i] != '#'; i++) {
		if (s[i] != '%') {
			if ((unsigned char)s[i] <= ' ' || s[i] == 0x7f)
				return -EINVAL;
			out[n++] = s[i];
			continue;
		}
		if (len - i < 3)
			return -EINVAL;
		hi = hex_digit((unsigned char)s[i + 1]);
		lo = hex_digit((unsigned char)s[i + 2]);
		if (hi < 0 || lo < 0 || !(hi | lo))
			return -EINVAL;
		out[n++] = hi << 4 | lo;
		i += 2;
	}
	return n;
}

/* Resolve empty, "." and ".." segments in place; length, or -EINVAL. */
static int resolve(char *s, size_t len)
{
	size_t i = 0, n = 0, seg;

	while (i < len) {
		while (i < len && s[i] == '/')
			i++;
		for (seg = i; i < len && s[i] != '/'; i++)
			;
		if (i - seg == 2 && s[seg] == '.' && s[seg + 1] == '.') {
			if (!n)
				return -EINVAL;
			while (s[--n] != '/')
				;
		} else if (i - seg != 1 || s[seg] != '.') {
			/* n <= seg - 1: there was a slash before it. */
			s[n++] = '/';
			memmove(s + n, s + seg, i - seg);
			n += i - seg;
			continue;
		}
		/* A dot segment at the end names a folder. */
		if (i == len) {
			s[n++] = '/';
			break;
		}
	}
	return n;
}

/* The path of "http://host/path", or what was given. */
static const char *skip_authority(const char *s, size_t *len)
{
	struct http_parser_url url;

	http_parser_url_init(&url);
	if (*len == 0 || s[0] == '/' ||
	    http_parser_parse_url(s, *len, 0, &url) ||
	    !(url.field_set & 1 << UF_HOST))
		return s;
	if (!(url.field_set & 1 << UF_PATH)) {
		*len = 1;
		return "/";
	}
	s += url.field_data[UF_PATH].off;
	*len = url.field_data[UF_PATH].len;
	return s;
}

/**
 * http_normalise - bring a request's target to the form of document names
 * @target: as sent: a path with or without query, or a whole http URL
 * @len: bytes, up to HTTP_MAX_TARGET
 * @out: the name, not terminated
 * @room: bytes at @out
 *
 * Return: length of the name; -EINVAL if it is malformed or leads out of the
 * site; -ENAMETOOLONG.
 */
int http_normalise(const char *target, size_t len, char *out, size_t room)
{
	char path[HTTP_MAX_TARGET + 1];
	int n;

	target = skip_authority(target, &len);
	if (len == 0 || target[0] != '/')
		return -EINVAL;
	if (len > HTTP_MAX_TARGET)
		return -ENAMETOOLONG;
	n = decode(target, len, path);
	if (n < 0)
		return n;
	n = resolve(path, n);
	if (n < 0)
		return n;
	return http_encode(path, n, out, room);
}
