/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#define check_add_overflow(a, b, sum)	__builtin_add_overflow(a, b, sum)
