/* SPDX-License-Identifier: GPL-2.0 */
/* I/O: operations of libraries between extents and frames; see io.c. */
#ifndef EXO_KMOD_IO_H
#define EXO_KMOD_IO_H

/* Most operations in one EXO_CMD_IO_SUBMIT. */
#define EXO_MAX_IO		1024

/* Most blocks in one operation: 8 MiB. */
#define EXO_MAX_IO_BLOCKS	2048

#endif /* EXO_KMOD_IO_H */
