/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include_next <asm/byteorder.h>

#include <endian.h>

#define le32_to_cpu	le32toh
#define le64_to_cpu	le64toh
#define be64_to_cpu	be64toh
#define cpu_to_le32	htole32
#define cpu_to_le64	htole64
