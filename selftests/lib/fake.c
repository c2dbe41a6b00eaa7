// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#define _GNU_SOURCE	/* eventfd's flags */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "fake.h"

#define PAGE	4096

static struct fake *of(const struct exo_sys *sys)
{
	return (struct fake *)(uintptr_t)sys;	/* sys is its first member */
}

static void *ptr(__u64 user)
{
	return (void *)(uintptr_t)user;
}

int fake_object_new(struct fake *f, unsigned int nr, __u32 *handle)
{
	__u32 h;

	for (h = 1; h < FAKE_OBJECTS && f->object[h].nr; h++)
		;
	if (h == FAKE_OBJECTS)
		return -ENOMEM;
	f->object[h] = (struct fake_object) { .nr = nr };
	f->nr_live++;
	*handle = h;
	return 0;
}

static int object_close(struct fake *f, __u32 h)
{
	if (!h || h >= FAKE_OBJECTS || !f->object[h].nr)
		return -ENOENT;
	f->object[h].nr = 0;
	f->nr_live--;
	return 0;
}

static int do_frame_alloc(struct fake *f, struct exo_frame_alloc *a)
{
	int rc;

	if (!a->nr_pages || a->nr_pages > f->query.out_max_frame_pages)
		return -EINVAL;
	f->last_alloc = *a;
	a->out_nr_tried = a->flags & EXO_FRAME_COLOUR ? 777 : 0;
	if (a->colour_mask == EXO_FRAME_MAX_COLOURS - 1)
		return -ENOMEM;
	rc = fake_object_new(f, EXO_NR_FRAME_ALLOC, &a->out_handle);
	if (rc)
		return rc;
	a->out_mmap_offset = (__u64)a->out_handle << 32;
	fake_root(f, a->out_handle, EXO_TYPE_FRAME, a->nr_pages);
	if (a->flags & EXO_FRAME_POOL)
		f->object[a->out_handle].cap.out_rights &=
			f->object[a->pool].cap.out_rights;
	return 0;
}

int fake_list(const void *array, int nr, size_t bytes, __u64 user, __u32 room,
	      __u32 *out_nr)
{
	*out_nr = nr;
	if (room < (__u32)nr)
		return -EMSGSIZE;
	memcpy(ptr(user), array, nr * bytes);
	return 0;
}

static int do_disk_list(struct fake *f, struct exo_disk_list *a)
{
	int i;

	for (i = 0; i < f->grow; i++)
		fake_disk(f, "another", "sdz", 0xff);
	return fake_list(f->disk, f->nr_disks, sizeof(*f->disk), a->array,
			 a->nr, &a->out_nr);
}

static int do_extent_list(struct fake *f, struct exo_extent_list *a)
{
	return fake_list(f->extent, f->nr_extents, sizeof(*f->extent),
			 a->array, a->nr, &a->out_nr);
}

static int extent_add(struct fake *f, __u64 start, __u64 nr, uid_t uid,
		      const __u8 *name)
{
	struct exo_extent_info *e = f->extent;
	int i;

	for (i = 0; i < f->nr_extents; i++) {
		if (start < e[i].start + e[i].nr_blocks &&
		    e[i].start < start + nr)
			return -EEXIST;
		if (e[i].uid == uid && !memcmp(e[i].name, name, EXO_NAME_BYTES))
			return -EEXIST;
	}
	if (f->nr_extents == FAKE_EXTENTS)
		return -ENOSPC;
	for (i = 0; i < f->nr_extents && e[i].start < start; i++)
		;
	memmove(&e[i + 1], &e[i], (f->nr_extents - i) * sizeof(*e));
	memset(&e[i], 0, sizeof(*e));
	e[i].start = start;
	e[i].nr_blocks = nr;
	e[i].uid = uid;
	e[i].state = EXO_EXTENT_CLEAN;
	memcpy(e[i].name, name, EXO_NAME_BYTES);
	f->nr_extents++;
	return 0;
}

static int do_extent_create(struct fake *f, struct exo_extent_create *a)
{
	__u8 name[EXO_NAME_BYTES] = "winner";
	int rc;

	if (f->races) {
		name[6] = (__u8)('A' + f->races--);
		name[7] = (__u8)('0' + f->nr_extents);
		extent_add(f, a->start, 1, 4711, name);
	}
	rc = extent_add(f, a->start, a->nr_blocks, geteuid(), a->name);
	return rc ? rc : fake_object_new(f, EXO_NR_EXTENT_OPEN, &a->out_handle);
}

static int do_extent_open(struct fake *f, struct exo_extent_open *a)
{
	int i;

	for (i = 0; i < f->nr_extents; i++) {
		struct exo_extent_info *e = &f->extent[i];

		if (e->uid != a->uid || memcmp(e->name, a->name, sizeof(a->name)))
			continue;
		a->out_start = e->start;
		a->out_nr_blocks = e->nr_blocks;
		return fake_object_new(f, EXO_NR_EXTENT_OPEN, &a->out_handle);
	}
	return -ENOENT;
}

static int do_cq_create(struct fake *f, struct exo_cq_create *a)
{
	int rc = fake_object_new(f, EXO_NR_CQ_CREATE, &a->out_handle);

	if (rc)
		return rc;
	f->object[a->out_handle].entries = a->nr_entries;
	a->out_mmap_offset = (__u64)a->out_handle << 32;
	a->out_mmap_bytes = EXO_CQ_ENTRIES_OFFSET +
			    (a->nr_entries * sizeof(struct exo_cqe) + PAGE - 1) /
			    PAGE * PAGE;
	if (f->cq_bytes)
		a->out_mmap_bytes = f->cq_bytes;
	return 0;
}

/* A read leaves the block's number in the frame; a write counts for nothing. */
static int do_io(struct fake *f, const struct exo_io *io)
{
	struct fake_object *frame;

	if (io->size != sizeof(*io) || io->extent >= FAKE_OBJECTS ||
	    f->object[io->extent].nr != EXO_NR_EXTENT_OPEN)
		return -EBADF;
	if (io->op == EXO_IO_FLUSH)
		return 0;
	if (io->op == EXO_IO_READ) {
		frame = &f->object[io->frame % FAKE_OBJECTS];
		if (frame->nr != EXO_NR_FRAME_ALLOC)
			return -EBADF;
		memcpy((char *)frame->mem + io->frame_page * PAGE, &io->block,
		       sizeof(io->block));
	}
	return (int)(io->nr_blocks * PAGE);
}

static int do_submit(struct fake *f, struct exo_io_submit *a)
{
	struct fake_object *cq = &f->object[a->cq % FAKE_OBJECTS];
	const struct exo_io *io = ptr(a->array);
	struct exo_cq_ring *ring = cq->mem;
	struct exo_cqe *cqe = (void *)((char *)cq->mem + EXO_CQ_ENTRIES_OFFSET);
	__u32 i;
	int rc;

	if (cq->nr != EXO_NR_CQ_CREATE || !a->nr || a->nr > f->query.out_max_io)
		return -EINVAL;
	for (i = 0; i < a->nr && (!f->short_io || i < f->short_io); i++) {
		rc = ring->prod - ring->cons < cq->entries ? 0 : -EAGAIN;
		if (!rc)
			rc = do_io(f, &io[i]);
		if (rc < 0 && !i)
			return rc;
		if (rc < 0)
			break;
		cqe[ring->prod & (cq->entries - 1)] = (struct exo_cqe) {
			.user_data = io[i].user_data, .res = rc,
		};
		__atomic_store_n(&ring->prod, ring->prod + 1, __ATOMIC_RELEASE);
	}
	a->out_nr = i;
	return 0;
}

static int execute(struct fake *f, unsigned int nr, void *arg)
{
	switch (nr) {
	case EXO_NR_QUERY:
		*(struct exo_query *)arg = f->query;
		return 0;
	case EXO_NR_STATS:
		((struct exo_stats *)arg)->out_nr_objects = f->nr_live;
		return 0;
	case EXO_NR_HANDLE_CLOSE:
		return object_close(f, ((struct exo_handle_close *)arg)->handle);
	case EXO_NR_FRAME_ALLOC:
		return do_frame_alloc(f, arg);
	case EXO_NR_DISK_LIST:
		return do_disk_list(f, arg);
	case EXO_NR_EXTENT_LIST:
		return do_extent_list(f, arg);
	case EXO_NR_EXTENT_CREATE:
		return do_extent_create(f, arg);
	case EXO_NR_EXTENT_OPEN:
		return do_extent_open(f, arg);
	case EXO_NR_EXTENT_DELETE:
		return object_close(f, ((struct exo_extent_delete *)arg)->handle);
	case EXO_NR_CQ_CREATE:
		return do_cq_create(f, arg);
	case EXO_NR_IO_SUBMIT:
		return do_submit(f, arg);
	case EXO_NR_IO:
		return do_io(f, arg);
	}
	return fake_cap_execute(f, nr, arg);
}

/* A list or submission that answers what no module would. */
static int lie(struct fake *f, void *arg)
{
	if (f->lie_nr == EXO_NR_DISK_LIST)
		((struct exo_disk_list *)arg)->out_nr = f->lie_out_nr;
	else
		((struct exo_io_submit *)arg)->out_nr = f->lie_out_nr;
	return f->lie_rc;
}

static int fake_ioctl(const struct exo_sys *sys, int fd, unsigned long cmd,
		      void *arg)
{
	unsigned int nr = cmd & 0xff;
	struct fake *f = of(sys);

	f->nr_ioctls++;
	if (fd != f->fd || (cmd >> 8 & 0xff) != EXO_IOC_TYPE)
		return -ENOTTY;
	if (nr == f->fail_nr && !f->fail_after--)
		return f->fail_rc;
	if (nr == f->lie_nr)
		return lie(f, arg);
	return execute(f, nr, arg);
}

static int fake_open_file(const struct exo_sys *sys, const char *path,
			  int flags)
{
	struct fake *f = of(sys);

	(void)flags;
	if (f->open_rc)
		return f->open_rc;
	if (strcmp(path, EXO_DEVICE_PATH))
		return -ENOENT;
	f->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	f->nr_open++;
	return f->fd;
}

static int fake_close(const struct exo_sys *sys, int fd)
{
	struct fake *f = of(sys);

	f->nr_open -= fd == f->fd || fd == f->own_eventfd;
	return close(fd);
}

static int fake_mmap(const struct exo_sys *sys, size_t bytes, int prot, int fd,
		     __u64 offset, void **addr)
{
	struct fake *f = of(sys);
	struct fake_object *o = &f->object[offset >> 32];

	(void)fd;
	if (f->mmap_rc)
		return f->mmap_rc;
	o->prot = prot;
	o->mem = aligned_alloc(PAGE, bytes);
	memset(o->mem, 0, bytes);
	f->nr_mapped++;
	*addr = o->mem;
	return 0;
}

static int fake_munmap(const struct exo_sys *sys, void *addr, size_t bytes)
{
	(void)bytes;
	free(addr);
	of(sys)->nr_mapped--;
	return 0;
}

static int fake_uring_init(const struct exo_sys *sys, unsigned int entries,
			   struct io_uring *ring, unsigned int flags)
{
	if (of(sys)->uring_rc)
		return of(sys)->uring_rc;
	return exo_sys_default()->uring_init(sys, entries, ring, flags);
}

static int fake_eventfd(const struct exo_sys *sys, unsigned int value,
			int flags)
{
	struct fake *f = of(sys);

	if (f->eventfd_rc)
		return f->eventfd_rc;
	f->own_eventfd = eventfd(value, flags);
	f->nr_open++;
	return f->own_eventfd;
}

static __u64 fake_boot_ns(const struct exo_sys *sys)
{
	return of(sys)->boot_ns;
}

void fake_init(struct fake *fake)
{
	memset(fake, 0, sizeof(*fake));
	fake->sys = *exo_sys_default();
	fake->sys.open = fake_open_file;
	fake->sys.close = fake_close;
	fake->sys.ioctl = fake_ioctl;
	fake->sys.mmap = fake_mmap;
	fake->sys.munmap = fake_munmap;
	fake->sys.poll = fake_poll;
	fake->sys.uring_init = fake_uring_init;
	fake->sys.read = fake_read;
	fake->event_fd = -1;
	fake->sys.eventfd = fake_eventfd;
	fake->sys.boot_ns = fake_boot_ns;
	fake->boot_ns = 1000000000;
	fake->query = (struct exo_query) {
		.size = sizeof(struct exo_query),
		.out_features = EXO_FEATURE_FRAME | EXO_FEATURE_DISK |
				EXO_FEATURE_URING | EXO_FEATURE_CAP |
				EXO_FEATURE_NOTICE,
		.out_page_bytes = PAGE,
		.out_block_bytes = EXO_BLOCK_BYTES,
		.out_max_frame_pages = 1024,
		.out_max_io = 8,
		.out_max_io_blocks = 256,
		.out_max_cq_entries = 4096,
	};
}

struct exo_env *fake_open(struct fake *fake)
{
	struct exo_env *env = NULL;

	return exo_env_open(&fake->sys, NULL, &env) ? NULL : env;
}

void fake_disk(struct fake *fake, const char *name, const char *path,
	       __u8 uuid)
{
	struct exo_disk_info *d = &fake->disk[fake->nr_disks];

	if (fake->nr_disks == FAKE_DISKS)
		return;
	memset(d, 0, sizeof(*d));
	d->disk = ++fake->nr_disks;
	d->nr_blocks = 1000;
	d->first_block = 100;
	d->end_block = 1000;
	strncpy((char *)d->name, name, sizeof(d->name) - 1);
	strncpy((char *)d->path, path, sizeof(d->path) - 1);
	memset(d->uuid, uuid, sizeof(d->uuid));
}

void fake_extent(struct fake *fake, __u64 start, __u64 nr_blocks, uid_t uid,
		 const char *name)
{
	__u8 field[EXO_NAME_BYTES] = "";

	strncpy((char *)field, name, sizeof(field) - 1);
	extent_add(fake, start, nr_blocks, uid, field);
}

/* Makes the env's descriptor readable, or not. */
void fake_ready(struct fake *fake, int ready)
{
	eventfd_t value;

	if (ready)
		eventfd_write(fake->fd, 1);
	else
		eventfd_read(fake->fd, &value);
}

struct exo_cq_ring *fake_ring(struct fake *fake)
{
	int h;

	for (h = FAKE_OBJECTS - 1; h && fake->object[h].nr != EXO_NR_CQ_CREATE;)
		h--;
	return fake->object[h].mem;
}
