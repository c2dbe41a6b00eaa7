/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* reply: responses that are not a document */
#ifndef CHEETAH_REPLY_H
#define CHEETAH_REPLY_H

#include <stdbool.h>
#include <stdint.h>

#include "doc.h"
#include "http.h"

#define REPLY_BYTES	2048	/* EXO_TCP_WRITE_MAX_BYTES */

int reply_print(char buf[REPLY_BYTES], int status, int64_t now, bool keep_alive,
		bool head_only, const struct doc_index *docs,
		const struct doc_entry *doc);
bool reply_is_unchanged(const struct doc_entry *doc,
			const struct http_request *rq);

#endif
