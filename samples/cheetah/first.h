/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * first: the first lines of a response, which a pack cannot hold
 *
 * Status line, Date and Connection. They stand in a frame, in a slot for each
 * second in which there was something to answer; a slot is written again only
 * when no response in flight refers to it, because a retransmission must carry
 * the same bytes.
 */
#ifndef CHEETAH_FIRST_H
#define CHEETAH_FIRST_H

#include <exo/exo.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#define FIRST_SLOTS	16
#define FIRST_BYTES	128		/* room for the lines of one kind */
#define FIRST_KINDS	2		/* keep-alive, close */

/**
 * struct first - the lines for this second and earlier ones
 * @mem: FIRST_SLOTS * FIRST_KINDS * FIRST_BYTES of a frame
 * @offset: where that is in the frame
 * @second: what the current slot says
 * @slot: the current one
 * @len: of each kind, the same in all slots
 * @refs: responses in flight, for each slot
 */
struct first {
	char *mem;
	uint64_t offset;
	time_t second;
	uint32_t slot;
	uint32_t len[FIRST_KINDS];
	uint32_t refs[FIRST_SLOTS];
};

void first_init(struct first *first, const struct exo_frame *frame,
		uint64_t offset);
void first_set_time(struct first *first, time_t now);
int first_print(char *buf, size_t room, int status, time_t now,
		bool keep_alive);

/* Where the lines of the current slot are in the memory. */
static inline uint32_t first_at(const struct first *first, bool keep_alive)
{
	return (first->slot * FIRST_KINDS + !keep_alive) * FIRST_BYTES;
}

#endif
