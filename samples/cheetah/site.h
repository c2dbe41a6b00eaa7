/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* site: an extent with a pack in it, opened and checked */
#ifndef CHEETAH_SITE_H
#define CHEETAH_SITE_H

#include <exo/exo.h>

#include "doc.h"

/**
 * struct site - an open site
 * @extent: where it is
 * @docs: its index
 * @mem: memory of the index
 * @what: set on error: which step failed, to be said to the user
 */
struct site {
	struct exo_extent extent;
	struct doc_index docs;
	void *mem;
	const char *what;
};

int site_split(const char *arg, char *disk, size_t room, const char **name);
int site_open(struct site *site, struct exo_env *env, const char *arg);
void site_close(struct site *site);

#endif
