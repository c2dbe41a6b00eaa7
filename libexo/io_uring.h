/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Block I/O as io_uring commands, behind the calls of <exo/io.h>.
 */
#ifndef LIBEXO_IO_URING_H
#define LIBEXO_IO_URING_H

#include <exo/io.h>

#pragma GCC visibility push(hidden)

int exo_cq_uring_create(struct exo_env *env, __u32 nr_entries,
			struct exo_cq *cq);
void exo_cq_uring_destroy(struct exo_cq *cq);
int exo_cq_uring_submit(struct exo_cq *cq, const struct exo_io *io, __u32 nr);
int exo_cq_uring_fd(const struct exo_cq *cq);

#pragma GCC visibility pop

#endif /* LIBEXO_IO_URING_H */
