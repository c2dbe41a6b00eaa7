/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Fake: an exo module in user space, behind struct exo_sys. Its env's
 * descriptor is an eventfd, so that what waits for it really waits.
 */
#ifndef SELFTESTS_LIB_FAKE_H
#define SELFTESTS_LIB_FAKE_H

#include <exo/exo.h>

#define FAKE_OBJECTS	64
#define FAKE_DISKS	64
#define FAKE_EXTENTS	64

struct fake_object {
	unsigned int nr;		/* EXO_NR_* that made it, 0: closed */
	__u32 entries;			/* of a cq */
	void *mem;			/* while mapped */
};

/**
 * struct fake - the module and what it shall do wrong
 * @fail_nr: EXO_NR_* that fails
 * @fail_rc: with what
 * @fail_after: after so many that succeed
 * @open_rc: open fails with this
 * @mmap_rc: mmap fails with this
 * @poll_rc: poll returns this at once
 * @uring_rc: setting up io_uring fails with this
 * @lie_nr: list command that lies
 * @lie_out_nr: the number it gives
 * @lie_rc: what it returns
 * @grow: disks that appear with each list
 * @races: creations that another process wins
 * @short_io: at most so many operations of a submission are accepted
 * @cq_bytes: length of a cq's mapping if not 0
 */
struct fake {
	struct exo_sys sys;
	struct exo_query query;
	struct fake_object object[FAKE_OBJECTS];
	struct exo_disk_info disk[FAKE_DISKS];
	struct exo_extent_info extent[FAKE_EXTENTS];
	int nr_disks;
	int nr_extents;
	int nr_live;
	int nr_mapped;
	int nr_open;
	int nr_ioctls;
	int fd;

	unsigned int fail_nr;
	int fail_rc;
	int fail_after;
	int open_rc;
	int mmap_rc;
	int poll_rc;
	int uring_rc;
	unsigned int lie_nr;
	__u32 lie_out_nr;
	int lie_rc;
	int grow;
	int races;
	__u32 short_io;
	size_t cq_bytes;
};

void fake_init(struct fake *fake);
struct exo_env *fake_open(struct fake *fake);
void fake_disk(struct fake *fake, const char *name, const char *path,
	       __u8 uuid);
void fake_extent(struct fake *fake, __u64 start, __u64 nr_blocks, uid_t uid,
		 const char *name);
void fake_ready(struct fake *fake, int ready);

/* Indices of the ring that was made last, for attacks on its reader. */
struct exo_cq_ring *fake_ring(struct fake *fake);

#endif /* SELFTESTS_LIB_FAKE_H */
