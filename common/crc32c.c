// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* crc32c: by the instruction where the processor has it, else by table */
#include <pthread.h>
#include <string.h>

#include "crc32c.h"

#define POLY	0x82f63b78	/* 0x1edc6f41, bits reversed */

static uint32_t table[256];
static pthread_once_t table_once = PTHREAD_ONCE_INIT;

static void make_table(void)
{
	uint32_t i, k, c;

	for (i = 0; i < 256; i++) {
		for (c = i, k = 0; k < 8; k++)
			c = c & 1 ? c >> 1 ^ POLY : c >> 1;
		table[i] = c;
	}
}

static uint32_t by_table(uint32_t crc, const unsigned char *p, size_t len)
{
	pthread_once(&table_once, make_table);
	while (len--)
		crc = crc >> 8 ^ table[(crc ^ *p++) & 255];
	return crc;
}

#ifdef __x86_64__
__attribute__((target("sse4.2")))
static uint32_t by_instruction(uint64_t crc, const unsigned char *p, size_t len)
{
	uint64_t x;

	for (; len >= 8; p += 8, len -= 8) {
		memcpy(&x, p, 8);
		crc = __builtin_ia32_crc32di(crc, x);
	}
	while (len--)
		crc = __builtin_ia32_crc32qi(crc, *p++);
	return crc;
}
#endif

uint32_t crc32c(uint32_t crc, const void *data, size_t len)
{
#ifdef __x86_64__
	if (__builtin_cpu_supports("sse4.2"))
		return ~by_instruction(~crc, data, len);
#endif
	return ~by_table(~crc, data, len);
}
