/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * crc32c: the Castagnoli checksum (RFC 3720, appendix B.4), for programs that
 * check what they read from a disk. Not of libexo, which reads no formats.
 */
#ifndef COMMON_CRC32C_H
#define COMMON_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/**
 * crc32c() - checksum of a piece, inversions at both ends included
 * @crc: 0, or the result for what comes before
 * @data: the piece
 * @len: bytes
 *
 * Context: any thread.
 *
 * Return: the checksum.
 */
uint32_t crc32c(uint32_t crc, const void *data, size_t len);

#endif /* COMMON_CRC32C_H */
