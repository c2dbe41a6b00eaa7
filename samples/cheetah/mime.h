/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* mime: Content-Type by the end of a file's name */
#ifndef CHEETAH_MIME_H
#define CHEETAH_MIME_H

const char *mime_type(const char *path);

#endif
