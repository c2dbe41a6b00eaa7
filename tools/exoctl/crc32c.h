/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef EXOCTL_CRC32C_H
#define EXOCTL_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/**
 * crc32c() - CRC-32C (Castagnoli, RFC 3720 appendix B.4), no inversions
 * @crc: seed, or the sum of what came before
 * @data: bytes
 * @bytes: how many
 *
 * Return: the sum; the usual checksum is ~crc32c(~0, data, bytes).
 */
uint32_t crc32c(uint32_t crc, const void *data, size_t bytes);

#endif /* EXOCTL_CRC32C_H */
