// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Disks and extents when the kernel's calls fail: see fail_nth.h.
 *
 * vm: --disk 64
 * timeout: 300
 */
#include "fail_nth.h"
#include "../exo_uring.h"

#define DISK		"/dev/vda"

static int disk_fd;
static struct exo_frame_alloc frame;	/* 16 pages */
static uint32_t disk;
static uint32_t extent;		/* 64 blocks, open for reading and writing */
static struct exo_cq_create cq;
static struct exo_cq_ring *cq_ring;
static struct io_uring uring;

static long disk_attach(uint32_t *id)
{
	struct exo_disk_attach a = { .size = sizeof(a), .fd = disk_fd };
	long rc = exo_ioctl(env, EXO_CMD_DISK_ATTACH, &a);

	*id = rc ? 0 : a.out_disk;
	return rc;
}

static long disk_detach(uint32_t id)
{
	struct exo_disk_detach d = { .size = sizeof(d), .disk = id };

	return exo_ioctl(env, EXO_CMD_DISK_DETACH, &d);
}

/* The one disk that is attached, or 0. */
static uint32_t disk_find(void)
{
	struct exo_disk_info info = {};
	struct exo_disk_list l = {
		.size = sizeof(l), .array = (uintptr_t)&info, .nr = 1,
	};

	return exo_ioctl(env, EXO_CMD_DISK_LIST, &l) || !l.out_nr ?
	       0 : info.disk;
}

static long act_attach(void)
{
	return disk_attach(&disk);
}

/* The answer may have been lost on its way (EFAULT): look for the disk. */
static void undo_attach(long rc)
{
	if (rc == -EFAULT)
		disk = disk_find();
	if (disk)
		disk_detach(disk);
	disk = 0;
}

static long act_detach(void)
{
	return disk_detach(disk);
}

static void undo_detach(long rc)
{
	(void)rc;
	if (!disk_find() && disk_attach(&disk))
		bail("cannot attach the disk again");
}

static long act_disk_list(void)
{
	struct exo_disk_info info;
	struct exo_disk_list l = {
		.size = sizeof(l), .array = (uintptr_t)&info, .nr = 1,
	};

	return exo_ioctl(env, EXO_CMD_DISK_LIST, &l);
}

static long disk_grant(uint32_t flags, uint32_t uid)
{
	struct exo_disk_grant g = {
		.size = sizeof(g), .flags = flags, .disk = disk,
		.uid = uid, .max_blocks = flags ? 0 : 10,
	};

	return exo_ioctl(env, EXO_CMD_DISK_GRANT, &g);
}

static long act_disk_grant_list(void)
{
	struct exo_disk_grant_info grants[4];
	struct exo_disk_grant_list l = {
		.size = sizeof(l), .disk = disk, .array = (uintptr_t)grants,
		.nr = ARRAY_SIZE(grants),
	};

	return exo_ioctl(env, EXO_CMD_DISK_GRANT_LIST, &l);
}

static long act_disk_grant(void)
{
	return disk_grant(0, UID_ALICE);
}

static void undo_disk_grant(long rc)
{
	(void)rc;
	disk_grant(EXO_GRANT_REVOKE, UID_ALICE);
}

static long extent_create(const char *name, uint64_t nr_blocks, uint64_t at,
			  uint32_t *out)
{
	struct exo_disk_info info;
	struct exo_disk_list l = {
		.size = sizeof(l), .array = (uintptr_t)&info, .nr = 1,
	};
	struct exo_extent_create c = {
		.size = sizeof(c), .disk = disk, .mode = 0600,
		.nr_blocks = nr_blocks,
	};
	static uint64_t first_block;
	long rc;

	if (!first_block) {
		if (exo_ioctl(env, EXO_CMD_DISK_LIST, &l))
			bail("DISK_LIST");
		first_block = info.first_block;
	}
	c.start = first_block + at;
	strcpy((char *)c.name, name);
	rc = exo_ioctl(env, EXO_CMD_EXTENT_CREATE, &c);
	*out = rc ? 0 : c.out_handle;
	return rc;
}

static long extent_open(const char *name, uint32_t *out)
{
	struct exo_extent_open o = {
		.size = sizeof(o), .disk = disk,
		.rights = EXO_RIGHT_READ | EXO_RIGHT_WRITE,
	};
	long rc;

	strcpy((char *)o.name, name);
	rc = exo_ioctl(env, EXO_CMD_EXTENT_OPEN, &o);
	*out = rc ? 0 : o.out_handle;
	return rc;
}

static long extent_delete(uint32_t h)
{
	struct exo_extent_delete d = { .size = sizeof(d), .handle = h };

	return exo_ioctl(env, EXO_CMD_EXTENT_DELETE, &d);
}

/* After an error of the device the catalogue is frozen until attached anew. */
static void thaw(void)
{
	long rc;

	exo_close_handle(env, extent);
	rc = disk_detach(disk);
	if (rc)
		bail("DISK_DETACH: %s", strerror(-rc));
	rc = disk_attach(&disk);
	if (rc)
		bail("DISK_ATTACH after a failure: %s", strerror(-rc));
	rc = extent_open("kept", &extent);
	if (rc)
		bail("an extent is gone after a failure: %s", strerror(-rc));
}

static long act_create(void)
{
	return extent_create("new", 16, 64, &handle);
}

/* It was made, and the answer lost, or half made: none is there afterwards. */
static void undo_create(long rc)
{
	if (rc == -EIO)
		thaw();
	if (!handle)
		extent_open("new", &handle);
	if (handle) {
		rc = extent_delete(handle);
		if (rc)
			bail("EXTENT_DELETE: %s", strerror(-rc));
	}
	handle = 0;
}

static uint32_t doomed;

static void make_doomed(void)
{
	if (!doomed && extent_create("doomed", 8, 128, &doomed))
		bail("EXTENT_CREATE");
}

static long act_delete(void)
{
	return extent_delete(doomed);
}

static void undo_delete(long rc)
{
	if (rc == -EIO) {
		exo_close_handle(env, doomed);
		thaw();
		extent_open("doomed", &doomed);
	} else if (!rc || exo_close_handle(env, doomed)) {
		doomed = 0;
	} else if (extent_open("doomed", &doomed)) {
		doomed = 0;
	}
	make_doomed();
}

static long act_extent_open(void)
{
	return extent_open("kept", &handle);
}

static long act_extent_list(void)
{
	struct exo_extent_info info[4];
	struct exo_extent_list l = {
		.size = sizeof(l), .disk = disk, .array = (uintptr_t)info,
		.nr = ARRAY_SIZE(info),
	};

	return exo_ioctl(env, EXO_CMD_EXTENT_LIST, &l);
}

static struct exo_io io_make(uint32_t op, uint32_t nr_blocks)
{
	bool data = op == EXO_IO_READ || op == EXO_IO_WRITE;

	return (struct exo_io) {
		.size = sizeof(struct exo_io), .op = op, .extent = extent,
		.nr_blocks = nr_blocks,
		.frame = data ? frame.out_handle : 0,
	};
}

static long io_one(uint32_t op, uint32_t nr_blocks)
{
	struct exo_io io = io_make(op, nr_blocks);

	return exo_ioctl(env, EXO_CMD_IO, &io);
}

static long act_read(void)
{
	return io_one(EXO_IO_READ, 16);
}

static long act_write(void)
{
	return io_one(EXO_IO_WRITE, 16);
}

static long act_zero(void)
{
	return io_one(EXO_IO_WRITE_ZEROES, 64);
}

static long act_flush(void)
{
	return io_one(EXO_IO_FLUSH, 0);
}

static long act_discard(void)
{
	return io_one(EXO_IO_DISCARD, 16);
}

/*
 * io_uring itself may fail: what it did not take is still in its queue. What it
 * took completes, sooner or later.
 */
static long act_uring(void)
{
	struct __kernel_timespec second = { .tv_sec = 1 };
	struct exo_io io = io_make(EXO_IO_WRITE, 16);
	struct io_uring_cqe *cqe;
	long rc = -ETIME;
	int i;

	uring_prep(&uring, env, EXO_CMD_IO, &io, 0);
	for (i = 0; i < 30 && io_uring_submit(&uring) < 0; i++)
		;
	for (i = 0; i < 30 && rc == -ETIME; i++) {
		if (io_uring_wait_cqe_timeout(&uring, &cqe, &second))
			continue;
		rc = cqe->res;
		io_uring_cqe_seen(&uring, cqe);
	}
	if (rc == -ETIME)
		bail("io_uring lost an operation");
	return rc;
}

static uint32_t nr_accepted;

static long act_submit(void)
{
	struct exo_io io[12];
	struct exo_io_submit s = {
		.size = sizeof(s), .cq = cq.out_handle, .nr = ARRAY_SIZE(io),
		.array = (uintptr_t)io,
	};
	long rc;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(io); i++)
		io[i] = io_make(i & 1 ? EXO_IO_READ : EXO_IO_WRITE, 4);
	rc = exo_ioctl(env, EXO_CMD_IO_SUBMIT, &s);
	nr_accepted = s.out_nr;
	return rc;
}

/* What was accepted completes, once; a lost answer makes the number unknown. */
static void undo_submit(long rc)
{
	uint32_t nr = 0, got;
	uint64_t end = now_ms() + 5000;

	do {
		got = __atomic_load_n(&cq_ring->prod, __ATOMIC_ACQUIRE) -
		      cq_ring->cons;
		usleep(1000);
	} while (stats_get(env).out_nr_io && now_ms() < end);
	got = __atomic_load_n(&cq_ring->prod, __ATOMIC_ACQUIRE) -
	      cq_ring->cons;
	nr = rc ? 0 : nr_accepted;
	if (rc != -EFAULT && got != nr)
		ok(false, "%u accepted, %u completed", nr, got);
	__atomic_store_n(&cq_ring->cons, cq_ring->cons + got,
			 __ATOMIC_RELEASE);
}

static const struct target attach_targets[] = {
	{ EXO_CMD_DISK_ATTACH, "DISK_ATTACH",
	  act_attach, undo_attach, { EIO, EUCLEAN },
	  MEETS_ALLOC | MEETS_COPY | MEETS_BIO },
};

static const struct target disk_targets[] = {
	{ EXO_CMD_DISK_DETACH, "DISK_DETACH", act_detach, undo_detach, {},
	  MEETS_COPY },
	{ EXO_CMD_DISK_LIST, "DISK_LIST", act_disk_list, NULL, {},
	  MEETS_ALLOC | MEETS_COPY },
	{ EXO_CMD_DISK_GRANT, "DISK_GRANT", act_disk_grant, undo_disk_grant, {},
	  MEETS_ALLOC | MEETS_COPY },
};

static const struct target extent_targets[] = {
	{ EXO_CMD_DISK_GRANT_LIST, "DISK_GRANT_LIST",
	  act_disk_grant_list, NULL, {},
	  MEETS_ALLOC | MEETS_COPY },
	{ EXO_CMD_EXTENT_CREATE, "EXTENT_CREATE",
	  act_create, undo_create, { EIO },
	  MEETS_ALLOC | MEETS_COPY | MEETS_BIO },
	{ EXO_CMD_EXTENT_OPEN, "EXTENT_OPEN", act_extent_open, undo_handle, {},
	  MEETS_ALLOC | MEETS_COPY },
	{ EXO_CMD_EXTENT_LIST, "EXTENT_LIST", act_extent_list, NULL, {},
	  MEETS_ALLOC | MEETS_COPY },
	{ EXO_CMD_IO, "IO of reading", act_read, NULL, { EIO },
	  MEETS_ALLOC | MEETS_COPY | MEETS_BIO },
	{ EXO_CMD_IO, "IO of writing", act_write, NULL, { EIO },
	  MEETS_ALLOC | MEETS_COPY | MEETS_BIO },
	{ EXO_CMD_IO, "IO of zeroes", act_zero, NULL, { EIO },
	  MEETS_ALLOC | MEETS_COPY | MEETS_BIO },
	{ EXO_CMD_IO, "IO of a flush", act_flush, NULL, { EIO },
	  MEETS_ALLOC | MEETS_COPY | MEETS_BIO },
	{ EXO_CMD_IO, "IO by io_uring", act_uring, NULL, { EIO },
	  MEETS_ALLOC | MEETS_COPY | MEETS_BIO },
	{ EXO_CMD_IO_SUBMIT, "IO_SUBMIT", act_submit, undo_submit, { EIO },
	  MEETS_ALLOC | MEETS_COPY | MEETS_BIO },
};

static const struct target discard_targets[] = {
	{ EXO_CMD_IO, "IO of a discard", act_discard, NULL, { EIO },
	  MEETS_ALLOC | MEETS_COPY | MEETS_BIO },
};

static const struct target delete_targets[] = {
	{ EXO_CMD_EXTENT_DELETE, "EXTENT_DELETE",
	  act_delete, undo_delete, { EIO },
	  MEETS_COPY | MEETS_BIO },
};

static void sweep_disk(void)
{
	if (system("exoctl disk format " DISK " --name fail --slots 4 --force"))
		bail("exoctl disk format");
	disk_fd = open(DISK, O_RDWR | O_CLOEXEC);
	if (disk_fd < 0)
		bail(DISK ": %m");
	if (exo_alloc(env, 16, 0, &frame))
		bail("FRAME_ALLOC");
	SWEEP(attach_targets);
	if (disk_attach(&disk))
		bail("DISK_ATTACH");
	SWEEP(disk_targets);
	if (extent_create("kept", 64, 0, &extent))
		bail("EXTENT_CREATE");
	cq = (struct exo_cq_create) { .size = sizeof(cq), .nr_entries = 64 };
	if (exo_ioctl(env, EXO_CMD_CQ_CREATE, &cq))
		bail("CQ_CREATE");
	cq_ring = mmap(NULL, cq.out_mmap_bytes, PROT_READ | PROT_WRITE,
		       MAP_SHARED, env, cq.out_mmap_offset);
	if (cq_ring == MAP_FAILED)
		bail("mmap: %m");
	if (disk_grant(0, UID_BOB))
		bail("DISK_GRANT");
	if (!uring_new(&uring, 4, 0))
		bail("no io_uring");
	SWEEP(extent_targets);
	io_uring_queue_exit(&uring);
	if (act_discard() == -EOPNOTSUPP)
		skip("this disk cannot discard");
	else
		SWEEP(discard_targets);
	make_doomed();
	SWEEP(delete_targets);
	exo_close_handle(env, doomed);
	exo_close_handle(env, extent);
	munmap(cq_ring, cq.out_mmap_bytes);
	is(disk_detach(disk), 0, "the disk can be detached in the end");
}

int main(void)
{
	fail_nth_setup();
	if (has_feature(EXO_FEATURE_DISK))
		sweep_disk();
	else
		skip("the module has no disks");
	return fail_nth_end("disk");
}
