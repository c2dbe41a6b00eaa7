// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* mime: what web sites hold; anything else is a stream of octets */
#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "mime.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static const struct {
	const char *suffix;
	const char *type;
} types[] = {
	{ "html", "text/html" },
	{ "htm", "text/html" },
	{ "xhtml", "application/xhtml+xml" },
	{ "css", "text/css" },
	{ "js", "application/javascript" },
	{ "mjs", "application/javascript" },
	{ "json", "application/json" },
	{ "webmanifest", "application/manifest+json" },
	{ "wasm", "application/wasm" },
	{ "xml", "text/xml" },
	{ "rss", "application/rss+xml" },
	{ "atom", "application/atom+xml" },
	{ "txt", "text/plain" },
	{ "md", "text/markdown" },
	{ "csv", "text/csv" },
	{ "png", "image/png" },
	{ "jpg", "image/jpeg" },
	{ "jpeg", "image/jpeg" },
	{ "gif", "image/gif" },
	{ "svg", "image/svg+xml" },
	{ "webp", "image/webp" },
	{ "avif", "image/avif" },
	{ "ico", "image/x-icon" },
	{ "bmp", "image/x-ms-bmp" },
	{ "tif", "image/tiff" },
	{ "tiff", "image/tiff" },
	{ "woff", "font/woff" },
	{ "woff2", "font/woff2" },
	{ "ttf", "font/ttf" },
	{ "otf", "font/otf" },
	{ "mp3", "audio/mpeg" },
	{ "ogg", "audio/ogg" },
	{ "mp4", "video/mp4" },
	{ "webm", "video/webm" },
	{ "pdf", "application/pdf" },
	{ "ps", "application/postscript" },
	{ "zip", "application/zip" },
};

/**
 * mime_type - the type of a file
 * @path: its name
 *
 * Return: a constant string.
 */
const char *mime_type(const char *path)
{
	const char *dot = strrchr(path, '.');
	size_t i;

	if (dot && !strchr(dot, '/'))
		for (i = 0; i < ARRAY_SIZE(types); i++)
			if (!strcasecmp(dot + 1, types[i].suffix))
				return types[i].type;
	return "application/octet-stream";
}
