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
#define FAKE_ENVS	40
#define FAKE_EXPORTS	16

struct fake_object {
	unsigned int nr;		/* EXO_NR_* that made it, 0: closed */
	__u32 entries;			/* of a cq */
	void *mem;			/* while mapped */
	int prot;			/* as it was mapped last */
	struct exo_cap_info cap;	/* of a frame or extent */
	__u32 parent;			/* handle, 0 for a root */
};

/* A descriptor that stands for a capability, known by its inode. */
struct fake_export {
	ino_t ino;
	__u32 handle;
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
 * @eventfd_rc: eventfd fails with this
 * @short_read: bytes that reading events gives if not 0
 * @boot_ns: CLOCK_BOOTTIME, which stands still until a test moves it
 *
 * The info pages are object 0's memory. What else the tests look at: the last
 * refusal, the last FRAME_ALLOC and ENV_ASK, the events to be read.
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
	ssize_t short_read;
	__u64 boot_ns;

	struct fake_export export[FAKE_EXPORTS];
	int nr_exports;
	struct exo_refusal refusal;
	struct exo_frame_alloc last_alloc;
	struct exo_env_ask last_ask;
	struct exo_env_info env[FAKE_ENVS];
	int nr_envs;
	struct exo_policy policy[FAKE_ENVS];
	int nr_policies;
	struct exo_disk_grant_info disk_grant[FAKE_ENVS];
	int nr_disk_grants;		/* on disk 1 */
	struct exo_net_grant_info net_grant[FAKE_ENVS];
	int nr_net_grants;		/* on device 1 */
	struct exo_event event[EXO_MAX_EVENTS];
	int nr_events;
	int event_fd;
	int own_eventfd;		/* the loop's */
	int eventfd_rc;
};

void fake_init(struct fake *fake);
struct exo_env *fake_open(struct fake *fake);

void fake_event(struct fake *fake, __u32 type, __u64 nr_pages);
void fake_disk(struct fake *fake, const char *name, const char *path,
	       __u8 uuid);
void fake_extent(struct fake *fake, __u64 start, __u64 nr_blocks, uid_t uid,
		 const char *name);
void fake_ready(struct fake *fake, int ready);

/* Indices of the ring that was made last, for attacks on its reader. */
struct exo_cq_ring *fake_ring(struct fake *fake);

/* For fake.c: the part of fake_cap.c. */
int fake_object_new(struct fake *f, unsigned int nr, __u32 *handle);
void fake_root(struct fake *f, __u32 handle, __u32 type, __u64 nr);
int fake_cap_execute(struct fake *f, unsigned int nr, void *arg);
int fake_list(const void *array, int nr, size_t bytes, __u64 user, __u32 room,
	      __u32 *out_nr);
ssize_t fake_read(const struct exo_sys *sys, int fd, void *buf, size_t bytes);
int fake_poll(const struct exo_sys *sys, struct pollfd *fds, nfds_t nr,
	      __s64 timeout_ns);

#endif /* SELFTESTS_LIB_FAKE_H */
