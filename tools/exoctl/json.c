// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#include <inttypes.h>
#include <string.h>

#include "json.h"

static void quoted(FILE *f, const unsigned char *text, size_t max)
{
	size_t i;

	fputc('"', f);
	for (i = 0; i < max && text[i]; i++) {
		if (text[i] < 0x20 || text[i] > 0x7e || text[i] == '"' ||
		    text[i] == '\\')
			fprintf(f, "\\u%04x", text[i]);
		else
			fputc(text[i], f);
	}
	fputc('"', f);
}

/* What comes before a value. */
static void begin(struct json *j, const char *key)
{
	if (j->comma)
		fputc(',', j->f);
	if (j->depth == 1)
		fputs("\n  ", j->f);
	else if (j->comma)
		fputc(' ', j->f);
	if (key)
		fprintf(j->f, "\"%s\": ", key);
	j->comma = true;
}

void json_open(struct json *j, const char *key, char bracket)
{
	begin(j, key);
	fputc(bracket, j->f);
	j->depth++;
	j->comma = false;
}

void json_close(struct json *j, char bracket)
{
	j->depth--;
	if (!j->depth)
		fputc('\n', j->f);
	fputc(bracket, j->f);
	if (!j->depth)
		fputc('\n', j->f);
	j->comma = true;
}

void json_open_list(struct json *j, const char *key)
{
	json_open(j, NULL, '{');
	json_open(j, key, '[');
}

void json_close_list(struct json *j)
{
	json_close(j, ']');
	json_close(j, '}');
}

void json_u64(struct json *j, const char *key, uint64_t value)
{
	begin(j, key);
	fprintf(j->f, "%" PRIu64, value);
}

void json_bool(struct json *j, const char *key, bool value)
{
	begin(j, key);
	fputs(value ? "true" : "false", j->f);
}

void json_null(struct json *j, const char *key)
{
	begin(j, key);
	fputs("null", j->f);
}

void json_text(struct json *j, const char *key, const char *text)
{
	json_chars(j, key, text, strlen(text));
}

void json_chars(struct json *j, const char *key, const void *text, size_t max)
{
	begin(j, key);
	quoted(j->f, text, max);
}
