/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Root: files of /proc, /sys, /etc and so on, below a directory that stands for
 * a machine; "" is this one.
 */
#ifndef EXOCTL_ROOT_H
#define EXOCTL_ROOT_H

#include <stdbool.h>
#include <stddef.h>

#define PATH_BYTES	512

const char *root_path(const char *root, const char *path, char *buf);
bool root_exists(const char *root, const char *path);
/* First line without its newline, or false. */
bool root_line(const char *root, const char *path, char *buf, size_t bytes);
/* A number in a file, or @otherwise if there is no such file. */
long root_number(const char *root, const char *path, long otherwise);
/* The running kernel's release. */
bool root_release(const char *root, char *buf, size_t bytes);
/* Release of a kernel that exo.ko is installed for; "*" is any. */
bool root_installed(const char *root, const char *release, char *buf,
		    size_t bytes);

#endif /* EXOCTL_ROOT_H */
