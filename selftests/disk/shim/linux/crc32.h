/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* CRC-32C bit by bit: slow, and obviously right. */
#ifndef EXO_SHIM_LINUX_CRC32_H
#define EXO_SHIM_LINUX_CRC32_H

#include <linux/types.h>

static inline u32 __crc32c_le(u32 sum, const u8 *p, size_t nr_bytes)
{
	int bit;

	while (nr_bytes--) {
		sum ^= *p++;
		for (bit = 0; bit < 8; bit++)
			sum = sum >> 1 ^ (sum & 1 ? 0x82f63b78 : 0);
	}
	return sum;
}

#define crc32c __crc32c_le

#endif /* EXO_SHIM_LINUX_CRC32_H */
