// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "root.h"

const char *root_path(const char *root, const char *path, char *buf)
{
	snprintf(buf, PATH_BYTES, "%s%s", root, path);
	return buf;
}

bool root_exists(const char *root, const char *path)
{
	char buf[PATH_BYTES];

	return !access(root_path(root, path, buf), F_OK);
}

bool root_line(const char *root, const char *path, char *buf, size_t bytes)
{
	char name[PATH_BYTES];
	FILE *f = fopen(root_path(root, path, name), "re");
	bool got;

	if (!f)
		return false;
	got = fgets(buf, (int)bytes, f);
	fclose(f);
	if (got)
		buf[strcspn(buf, "\n")] = 0;
	return got;
}

long root_number(const char *root, const char *path, long otherwise)
{
	char line[64], *end;
	long value;

	if (!root_line(root, path, line, sizeof(line)))
		return otherwise;
	value = strtol(line, &end, 10);
	return end == line ? otherwise : value;
}

bool root_release(const char *root, char *buf, size_t bytes)
{
	return root_line(root, "/proc/sys/kernel/osrelease", buf, bytes);
}

bool root_installed(const char *root, const char *release, char *buf,
		    size_t bytes)
{
	static const char *const places[] = {
		"%s/lib/modules/%s/updates/dkms/exo.ko*",
		"%s/lib/modules/%s/updates/exo.ko*",
		"%s/lib/modules/%s/extra/exo.ko*",
	};
	char pattern[PATH_BYTES];
	size_t i;
	glob_t g;

	for (i = 0; i < sizeof(places) / sizeof(*places); i++) {
		snprintf(pattern, sizeof(pattern), places[i], root, release);
		if (glob(pattern, 0, NULL, &g))
			continue;
		snprintf(buf, bytes, "%s", g.gl_pathv[0] + strlen(root) +
			 strlen("/lib/modules/"));
		buf[strcspn(buf, "/")] = 0;
		globfree(&g);
		return true;
	}
	return false;
}
