// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* first: status line, Date, Connection */
#include <http_parser.h>
#include <stdio.h>
#include <string.h>

#include "doc.h"
#include "first.h"

/**
 * first_print - write the first lines of any response
 * @buf: where to
 * @room: bytes at @buf, FIRST_BYTES are always enough
 * @status: HTTP status
 * @now: seconds since 1970
 * @keep_alive: which Connection header
 *
 * Return: length; the other headers follow.
 */
int first_print(char *buf, size_t room, int status, time_t now,
		bool keep_alive)
{
	char date[40];

	doc_http_date(now, date, sizeof(date));
	return snprintf(buf, room, "HTTP/1.1 %d %s\r\nDate: %s\r\n"
			"Connection: %s\r\n", status,
			http_status_str(status), date,
			keep_alive ? "keep-alive" : "close");
}

static void fill(struct first *first)
{
	char *at;
	int i;

	for (i = 0; i < FIRST_KINDS; i++) {
		at = first->mem + first_at(first, i == 0);
		first->len[i] = first_print(at, FIRST_BYTES, 200, first->second,
					    i == 0);
	}
}

/**
 * first_init - begin
 * @first: filled in; first_set_time() before the first use
 * @frame: where the lines stand
 * @offset: where in it; FIRST_SLOTS * FIRST_KINDS * FIRST_BYTES are used
 */
void first_init(struct first *first, const struct exo_frame *frame,
		uint64_t offset)
{
	memset(first, 0, sizeof(*first));
	first->second = -1;
	first->offset = offset;
	first->mem = (char *)frame->addr + offset;
}

/**
 * first_set_time - make the current slot say what time it is
 * @first: the lines
 * @now: seconds since 1970
 *
 * If responses of all the last seconds are still in flight, the date stays
 * what it was for a while.
 */
void first_set_time(struct first *first, time_t now)
{
	uint32_t i, slot;

	if (now == first->second)
		return;
	for (i = 0; i < FIRST_SLOTS; i++) {
		slot = (first->slot + i) % FIRST_SLOTS;
		if (first->refs[slot])
			continue;
		first->slot = slot;
		first->second = now;
		fill(first);
		return;
	}
}
