// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Block I/O: the module's completion rings. See <exo/io.h>.
 */
#include <errno.h>
#include <string.h>

#include "io_uring.h"
#include "sys.h"

/* Entries of the module's ring fit into its mapping. */
static int cq_check(const struct exo_cq_create *arg)
{
	__u64 need = EXO_CQ_ENTRIES_OFFSET +
		     (__u64)arg->nr_entries * sizeof(struct exo_cqe);

	return arg->out_mmap_bytes < need ? -EPROTO : 0;
}

static int cq_kernel_create(struct exo_env *env, __u32 nr_entries,
			    struct exo_cq *cq)
{
	struct exo_cq_create arg = {
		.size = sizeof(arg),
		.nr_entries = nr_entries,
	};
	void *addr = NULL;
	int rc;

	rc = exo_command(env, EXO_CMD_CQ_CREATE, &arg);
	if (rc)
		return rc;
	rc = cq_check(&arg);
	if (!rc)
		rc = exo_env_mmap(env, arg.out_mmap_offset, arg.out_mmap_bytes,
				  &addr);
	if (rc) {
		exo_handle_close(env, arg.out_handle);
		return rc;
	}
	*cq = (struct exo_cq) {
		.env = env,
		.ring = addr,
		.entries = (void *)((char *)addr + EXO_CQ_ENTRIES_OFFSET),
		.bytes = arg.out_mmap_bytes,
		.handle = arg.out_handle,
		.nr_entries = nr_entries,
	};
	return 0;
}

int exo_cq_create(struct exo_env *env, __u32 nr_entries, __u32 flags,
		  struct exo_cq *cq)
{
	if (flags & ~EXO_CQ_F_URING)
		return -EOPNOTSUPP;
	if (!nr_entries || (nr_entries & (nr_entries - 1)) ||
	    nr_entries > env->query.out_max_cq_entries)
		return -EINVAL;
	/* io_uring is an accelerator: any reason not to get it will do */
	if ((flags & EXO_CQ_F_URING) &&
	    (env->query.out_features & EXO_FEATURE_URING) &&
	    !exo_cq_uring_create(env, nr_entries, cq))
		return 0;
	return cq_kernel_create(env, nr_entries, cq);
}

int exo_cq_destroy(struct exo_cq *cq)
{
	int rc;

	if (cq->uring) {
		exo_cq_uring_destroy(cq);
		return 0;
	}
	rc = exo_env_munmap(cq->env, cq->ring, cq->bytes);
	cq->ring = NULL;
	if (rc)
		return rc;
	return exo_handle_close(cq->env, cq->handle);
}

int exo_cq_fd(const struct exo_cq *cq)
{
	return cq->uring ? exo_cq_uring_fd(cq) : cq->env->fd;
}

static int submit_once(struct exo_cq *cq, const struct exo_io *io, __u32 nr)
{
	struct exo_io_submit arg = {
		.size = sizeof(arg),
		.cq = cq->handle,
		.nr = nr,
		.array = (uintptr_t)io,
	};
	int rc;

	rc = exo_command(cq->env, EXO_CMD_IO_SUBMIT, &arg);
	if (rc < 0)
		return rc;
	if (!arg.out_nr || arg.out_nr > nr)
		return -EPROTO;
	return (int)arg.out_nr;
}

int exo_io_submit(struct exo_cq *cq, const struct exo_io *io, __u32 nr)
{
	__u32 done = 0, batch, most = cq->env->query.out_max_io;
	int rc;

	if (!nr || nr > INT32_MAX || !most)
		return -EINVAL;
	if (cq->uring)
		return exo_cq_uring_submit(cq, io, nr);
	do {
		batch = nr - done < most ? nr - done : most;
		rc = submit_once(cq, io + done, batch);
		if (rc < 0)
			return done ? (int)done : rc;
		done += rc;
	} while (done < nr && (__u32)rc == batch);
	return (int)done;
}

int exo_io_wait(struct exo_cq *cq, __s64 timeout_ns)
{
	const struct exo_sys *sys = cq->env->sys;
	struct pollfd pfd = { .fd = exo_cq_fd(cq), .events = POLLIN };
	__u32 nr = exo_cq_ready(cq);
	int rc;

	if (nr)
		return (int)nr;
	rc = sys->poll(sys, &pfd, 1, timeout_ns);
	if (rc < 0)
		return rc;
	if (!rc)
		return -ETIME;
	return (int)exo_cq_ready(cq);
}

int exo_io_sync(struct exo_env *env, struct exo_io *io)
{
	return exo_command(env, EXO_CMD_IO, io);
}
