/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * What the disk tests share: devices of three drivers, a formatter of its own
 * (so that labels can be wrong on purpose), short forms of the commands.
 */
#ifndef EXO_SELFTESTS_DISK_H
#define EXO_SELFTESTS_DISK_H

#include <endian.h>
#include <linux/fs.h>

#include <linux/exo_disk.h>

#include "../exo_test.h"

#define BLOCK		EXO_BLOCK_BYTES
#define NR_SLOTS	4U
#define CATALOGUE	2ULL
#define DATA_START	16ULL

/* ----------------------------------------------------------- devices */

struct device {
	const char *path;
	const char *setup;
};

static const struct device devices[] = {
	{ "/dev/vda", "true" },
	{ "/dev/nullb0", "modprobe null_blk nr_devices=1 memory_backed=1 gb=1 queue_mode=2" },
	{ "/dev/ram0", "modprobe brd rd_nr=1 rd_size=131072" },
};

/* The block device, driver loaded, or NULL if there is none here. */
MAYBE_UNUSED static const char *device_path(int i)
{
	int n;

	if (system(devices[i].setup))
		return NULL;
	for (n = 0; n < 100 && access(devices[i].path, F_OK); n++)
		usleep(10000);
	return access(devices[i].path, F_OK) ? NULL : devices[i].path;
}

MAYBE_UNUSED static int device_open(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		bail("open %s: %m", path);
	return fd;
}

MAYBE_UNUSED static uint64_t device_blocks(int fd)
{
	uint64_t bytes;

	if (ioctl(fd, BLKGETSIZE64, &bytes))
		bail("BLKGETSIZE64: %m");
	return bytes / BLOCK;
}

MAYBE_UNUSED static void block_write(int fd, uint64_t block, const void *buf)
{
	if (pwrite(fd, buf, BLOCK, block * BLOCK) != BLOCK)
		bail("write block %" PRIu64 ": %m", block);
}

MAYBE_UNUSED static void block_read(int fd, uint64_t block, void *buf)
{
	if (pread(fd, buf, BLOCK, block * BLOCK) != BLOCK)
		bail("read block %" PRIu64 ": %m", block);
}

/* -------------------------------------------------------- kernel log */

MAYBE_UNUSED static int kmsg;

/* Is there a new line in the kernel log with this text? Reads all of them. */
MAYBE_UNUSED static bool logged(const char *text)
{
	char line[2048];
	bool found = false;
	ssize_t n;

	while ((n = read(kmsg, line, sizeof(line) - 1)) > 0 || errno == EPIPE) {
		if (n <= 0)
			continue;
		line[n] = 0;
		found |= strstr(line, "exo: ") && strstr(line, text);
	}
	return found;
}

MAYBE_UNUSED static void logged_start(void)
{
	kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (kmsg < 0 || lseek(kmsg, 0, SEEK_END) < 0)
		bail("/dev/kmsg: %m");
}

/* --------------------------------------------------------- formatting */

MAYBE_UNUSED static uint32_t crc32c(const void *data, size_t n)
{
	const uint8_t *p = data;
	uint32_t sum = ~0U;
	int bit;

	while (n--) {
		sum ^= *p++;
		for (bit = 0; bit < 8; bit++)
			sum = sum >> 1 ^ (sum & 1 ? 0x82f63b78 : 0);
	}
	return ~sum;
}

MAYBE_UNUSED static void label_seal(struct exo_label *label)
{
	label->crc32c = 0;
	label->crc32c = htole32(crc32c(label, sizeof(*label)));
}

MAYBE_UNUSED static void slot_seal(struct exo_slot *slot)
{
	slot->crc32c = 0;
	slot->crc32c = htole32(crc32c(slot, sizeof(*slot)));
}

MAYBE_UNUSED static void label_make(struct exo_label *label,
				    uint64_t nr_blocks)
{
	memset(label, 0, sizeof(*label));
	memcpy(label->magic, EXO_LABEL_MAGIC, sizeof(label->magic));
	label->block_bytes = htole32(BLOCK);
	label->generation = htole64(1);
	memset(label->uuid, 0x5a, sizeof(label->uuid));
	memcpy(label->name, "test-disk", 9);
	label->nr_blocks = htole64(nr_blocks);
	label->catalogue_start = htole64(CATALOGUE);
	label->nr_slots = htole32(NR_SLOTS);
	label->data_start = htole64(DATA_START);
	label->data_end = htole64(nr_blocks);
	label_seal(label);
}

MAYBE_UNUSED static void slot_make(struct exo_slot *slot, uint32_t index)
{
	memset(slot, 0, sizeof(*slot));
	slot->magic = htole32(EXO_SLOT_MAGIC);
	slot->index = htole32(index);
	slot->generation = htole64(1);
	memset(slot->uuid, 0x5a, sizeof(slot->uuid));
	slot_seal(slot);
}

MAYBE_UNUSED static void entry_make(struct exo_entry *entry, uint64_t start,
				    uint64_t nr_blocks, const char *name)
{
	memset(entry, 0, sizeof(*entry));
	entry->state = htole32(EXO_ENTRY_CLEAN);
	entry->uid = htole32(UID_ALICE);
	entry->gid = htole32(GID_EXO);
	entry->mode = htole32(0600);
	entry->start = htole64(start);
	entry->nr_blocks = htole64(nr_blocks);
	entry->generation = htole64(1);
	memcpy(entry->name, name, strnlen(name, EXO_NAME_BYTES));
}

/* An empty disk; the device must not be attached. */
MAYBE_UNUSED static void disk_format(const char *path)
{
	struct exo_label label;
	struct exo_slot slot;
	int fd = device_open(path);
	uint32_t i;

	label_make(&label, device_blocks(fd));
	block_write(fd, 0, &label);
	block_write(fd, 1, &label);
	for (i = 0; i < NR_SLOTS; i++) {
		slot_make(&slot, i);
		block_write(fd, CATALOGUE + 2 * i, &slot);
		block_write(fd, CATALOGUE + 2 * i + 1, &slot);
	}
	if (fsync(fd))
		bail("fsync %s: %m", path);
	close(fd);
}

/* ------------------------------------------------------------ commands */

/* Attach; 0 or -errno. */
MAYBE_UNUSED static long disk_attach(int env, const char *path,
				     uint32_t *disk)
{
	struct exo_disk_attach a = { .size = sizeof(a) };
	long rc;

	a.fd = device_open(path);
	rc = exo_ioctl(env, EXO_CMD_DISK_ATTACH, &a);
	close(a.fd);
	if (!rc && disk)
		*disk = a.out_disk;
	return rc;
}

MAYBE_UNUSED static long disk_detach(int env, uint32_t disk)
{
	struct exo_disk_detach d = { .size = sizeof(d), .disk = disk };

	return exo_ioctl(env, EXO_CMD_DISK_DETACH, &d);
}

/* A fresh disk, attached, as root. */
MAYBE_UNUSED static uint32_t disk_fresh(int env, const char *path)
{
	uint32_t disk;
	long rc;

	disk_format(path);
	rc = disk_attach(env, path, &disk);
	if (rc)
		bail("attach %s: %s", path, strerror(-rc));
	return disk;
}

MAYBE_UNUSED static long disk_grant(int env, uint32_t disk, uint32_t uid,
				    uint64_t max_blocks)
{
	struct exo_disk_grant g = {
		.size = sizeof(g), .disk = disk, .uid = uid,
		.max_blocks = max_blocks,
	};

	return exo_ioctl(env, EXO_CMD_DISK_GRANT, &g);
}

MAYBE_UNUSED static long extent_create(int env, uint32_t disk,
				       const char *name, uint64_t start,
				       uint64_t nr_blocks, uint32_t mode,
				       uint32_t *handle)
{
	struct exo_extent_create c = {
		.size = sizeof(c), .disk = disk, .mode = mode,
		.start = start, .nr_blocks = nr_blocks,
	};
	long rc;

	memcpy(c.name, name, strnlen(name, sizeof(c.name)));
	rc = exo_ioctl(env, EXO_CMD_EXTENT_CREATE, &c);
	if (handle)
		*handle = c.out_handle;
	return rc;
}

MAYBE_UNUSED static long extent_open(int env, uint32_t disk, uint32_t uid,
				     const char *name, uint32_t rights,
				     uint32_t *handle)
{
	struct exo_extent_open o = {
		.size = sizeof(o), .disk = disk, .uid = uid, .rights = rights,
	};
	long rc;

	memcpy(o.name, name, strnlen(name, sizeof(o.name)));
	rc = exo_ioctl(env, EXO_CMD_EXTENT_OPEN, &o);
	if (handle)
		*handle = o.out_handle;
	return rc;
}

MAYBE_UNUSED static long extent_delete(int env, uint32_t handle)
{
	struct exo_extent_delete d = { .size = sizeof(d), .handle = handle };

	return exo_ioctl(env, EXO_CMD_EXTENT_DELETE, &d);
}

/* A frame and its mapping. */
struct mem {
	uint32_t handle;
	uint32_t nr_pages;
	uint8_t *p;
};

MAYBE_UNUSED static struct mem mem_new(int env, uint32_t nr_pages,
				       uint32_t order)
{
	struct exo_frame_alloc f;
	struct mem m = { .nr_pages = nr_pages };
	long rc = exo_alloc(env, nr_pages, order, &f);

	if (rc)
		bail("frame: %s", strerror(-rc));
	m.handle = f.out_handle;
	m.p = mmap(NULL, (size_t)nr_pages * BLOCK, PROT_READ | PROT_WRITE,
		   MAP_SHARED, env, f.out_mmap_offset);
	if (m.p == MAP_FAILED)
		bail("mmap frame: %m");
	return m;
}

MAYBE_UNUSED static void mem_free(int env, struct mem *m)
{
	munmap(m->p, (size_t)m->nr_pages * BLOCK);
	exo_close_handle(env, m->handle);
}

MAYBE_UNUSED static struct exo_io io_make(uint32_t op, uint32_t extent,
					  uint64_t block, uint32_t nr_blocks,
					  uint32_t frame, uint32_t page)
{
	struct exo_io io = {
		.size = sizeof(io), .op = op, .extent = extent, .block = block,
		.nr_blocks = nr_blocks, .frame = frame, .frame_page = page,
	};

	return io;
}

/* One operation by ioctl: bytes or -errno. */
MAYBE_UNUSED static long io_do(int env, uint32_t op, uint32_t extent,
			       uint64_t block, uint32_t nr_blocks,
			       uint32_t frame, uint32_t page)
{
	struct exo_io io = io_make(op, extent, block, nr_blocks, frame, page);

	return exo_ioctl(env, EXO_CMD_IO, &io);
}

/* A completion ring and its mapping. */
struct ring {
	uint32_t handle;
	uint32_t nr_entries;
	size_t bytes;
	struct exo_cq_ring *ring;
	struct exo_cqe *cqe;
};

MAYBE_UNUSED static struct ring ring_new(int env, uint32_t nr_entries)
{
	struct exo_cq_create c = { .size = sizeof(c),
				   .nr_entries = nr_entries };
	struct ring r = { .nr_entries = nr_entries };
	long rc = exo_ioctl(env, EXO_CMD_CQ_CREATE, &c);

	if (rc)
		bail("cq: %s", strerror(-rc));
	r.handle = c.out_handle;
	r.bytes = c.out_mmap_bytes;
	r.ring = mmap(NULL, r.bytes, PROT_READ | PROT_WRITE, MAP_SHARED, env,
		      c.out_mmap_offset);
	if (r.ring == MAP_FAILED)
		bail("mmap cq: %m");
	r.cqe = (void *)((char *)r.ring + EXO_CQ_ENTRIES_OFFSET);
	return r;
}

MAYBE_UNUSED static void ring_free(int env, struct ring *r)
{
	munmap(r->ring, r->bytes);
	exo_close_handle(env, r->handle);
}

/* Submit @nr operations; how many were accepted, or -errno. */
MAYBE_UNUSED static long io_submit(int env, const struct ring *r,
				   const void *ios, uint32_t nr)
{
	struct exo_io_submit s = {
		.size = sizeof(s), .cq = r->handle, .nr = nr,
		.array = (uintptr_t)ios,
	};
	long rc = exo_ioctl(env, EXO_CMD_IO_SUBMIT, &s);

	return rc ?: (long)s.out_nr;
}

MAYBE_UNUSED static uint32_t ring_prod(const struct ring *r)
{
	return __atomic_load_n(&r->ring->prod, __ATOMIC_ACQUIRE);
}

/* The next completion, consumed; waits up to 20 s. */
MAYBE_UNUSED static struct exo_cqe ring_next(struct ring *r)
{
	uint64_t end = now_ms() + 20000;
	uint32_t cons = r->ring->cons;
	struct exo_cqe e;

	while (ring_prod(r) == cons) {
		if (now_ms() > end)
			bail("no completion after 20 s");
		usleep(100);
	}
	e = r->cqe[cons & (r->nr_entries - 1)];
	__atomic_store_n(&r->ring->cons, cons + 1, __ATOMIC_RELEASE);
	return e;
}

/* Content that tells block and owner. */
MAYBE_UNUSED static void pattern_fill(void *p, uint64_t seed, size_t bytes)
{
	uint64_t *w = p, x = seed * 0x9e3779b97f4a7c15ULL + 1;
	size_t i;

	for (i = 0; i < bytes / 8; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		w[i] = x;
	}
}

MAYBE_UNUSED static bool pattern_same(const void *p, uint64_t seed,
				      size_t bytes)
{
	uint8_t want[BLOCK];

	if (bytes > sizeof(want))
		abort();
	pattern_fill(want, seed, bytes);
	return !memcmp(p, want, bytes);
}

MAYBE_UNUSED static bool all_zero(const uint8_t *p, size_t bytes)
{
	size_t i;

	for (i = 0; i < bytes; i++)
		if (p[i])
			return false;
	return true;
}

#endif /* EXO_SELFTESTS_DISK_H */
