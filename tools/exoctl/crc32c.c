// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#include "crc32c.h"

#define POLY	0x82f63b78	/* 0x1edc6f41, bits reversed */

/* Half a byte at a time: a table of 16, made where it is used. */
uint32_t crc32c(uint32_t crc, const void *data, size_t bytes)
{
	const uint8_t *p = data;
	uint32_t table[16], c;
	int i, k;

	for (i = 0; i < 16; i++) {
		for (c = i, k = 0; k < 4; k++)
			c = c & 1 ? c >> 1 ^ POLY : c >> 1;
		table[i] = c;
	}
	while (bytes--) {
		crc ^= *p++;
		crc = crc >> 4 ^ table[crc & 15];
		crc = crc >> 4 ^ table[crc & 15];
	}
	return crc;
}
