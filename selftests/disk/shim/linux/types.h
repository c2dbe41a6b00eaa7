/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* What kmod/label.c takes from the kernel, for user space. */
#ifndef EXO_SHIM_LINUX_TYPES_H
#define EXO_SHIM_LINUX_TYPES_H

#include_next <linux/types.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define __force

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

#endif /* EXO_SHIM_LINUX_TYPES_H */
