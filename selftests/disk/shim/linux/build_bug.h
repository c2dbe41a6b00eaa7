/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* static_assert() is the compiler's here. */
#include <assert.h>
