/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * JSON: a writer that puts the commas where they belong. A member of an object
 * has a key, an element of an array has NULL for it. Members of the outermost
 * object stand on lines of their own.
 */
#ifndef EXOCTL_JSON_H
#define EXOCTL_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/**
 * struct json - text in the making; all zero but @f at the start
 * @f: where to
 * @depth: brackets open
 * @comma: something stands before, at this depth
 */
struct json {
	FILE *f;
	unsigned int depth;
	bool comma;
};

/* @bracket is '{' or '['; json_close() wants '}' or ']' */
void json_open(struct json *j, const char *key, char bracket);
void json_close(struct json *j, char bracket);

/* An object that has one array, @key, and nothing else. */
void json_open_list(struct json *j, const char *key);
void json_close_list(struct json *j);

void json_u64(struct json *j, const char *key, uint64_t value);
void json_bool(struct json *j, const char *key, bool value);
void json_null(struct json *j, const char *key);
void json_text(struct json *j, const char *key, const char *text);
/* A string that ends with a NUL or after @max bytes */
void json_chars(struct json *j, const char *key, const void *text, size_t max);

#endif /* EXOCTL_JSON_H */
