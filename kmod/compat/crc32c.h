/* SPDX-License-Identifier: GPL-2.0 */
/* CRC-32C: up to 6.13 crc32c() lives in a module that insmod does not fetch;
 * the same sum is built into the kernel under another name.
 */
#ifndef EXO_KMOD_COMPAT_CRC32C_H
#define EXO_KMOD_COMPAT_CRC32C_H

#include <linux/crc32.h>
#include <linux/version.h>

static inline u32 exo_crc32c(u32 seed, const void *data, size_t nr_bytes)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 14, 0)
	return crc32c(seed, data, nr_bytes);
#else
	return __crc32c_le(seed, data, nr_bytes);
#endif
}

#endif /* EXO_KMOD_COMPAT_CRC32C_H */
