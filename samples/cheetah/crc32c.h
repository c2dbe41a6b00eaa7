/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* crc32c: the Castagnoli checksum (RFC 3720, appendix B.4) */
#ifndef CHEETAH_CRC32C_H
#define CHEETAH_CRC32C_H

#include <stddef.h>
#include <stdint.h>

uint32_t crc32c(uint32_t crc, const void *data, size_t len);

#endif
