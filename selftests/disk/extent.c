// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Extents: creating, opening, deleting, listing; names, quotas, overlaps.
 *
 * With red zones: the kernel says so if a list is longer than its memory.
 *
 * vm: --disk 64 --append slub_debug=FZ,kmalloc-*
 */
#include <pthread.h>
#include <stdatomic.h>

#include "disk.h"

#define PATH "/dev/vda"

static uint32_t disk;

static void fill_create(int env, void *s)
{
	struct exo_extent_create *c = s;

	(void)env;
	c->disk = disk;
	c->mode = 0600;
	c->start = 1000;
	c->nr_blocks = 4;
	strcpy((char *)c->name, "matrix");
}

static void undo_create(int env, void *s)
{
	struct exo_extent_create *c = s;

	if (extent_delete(env, c->out_handle))
		bail("delete");
}

/* Whatever was tried, it is gone: also when the answer had no way out. */
static void cleanup_create(int env, const void *s)
{
	(void)s;
	is(extent_open(env, disk, 0, "matrix", EXO_RIGHT_READ, NULL), -ENOENT,
	   "no extent is left");
}

static void fill_open(int env, void *s)
{
	struct exo_extent_open *o = s;

	(void)env;
	o->disk = disk;
	o->rights = EXO_RIGHT_READ;
	strcpy((char *)o->name, "there");
}

static void undo_open(int env, void *s)
{
	struct exo_extent_open *o = s;

	exo_close_handle(env, o->out_handle);
}

static void fill_delete(int env, void *s)
{
	struct exo_extent_delete *d = s;

	if (extent_create(env, disk, "gone", 2000, 1, 0600, &d->handle))
		bail("create");
}

static void cleanup_delete(int env, const void *s)
{
	const struct exo_extent_delete *d = s;

	extent_delete(env, d->handle);
}

static void fill_list(int env, void *s)
{
	static struct exo_extent_info info[80];
	struct exo_extent_list *l = s;

	(void)env;
	l->disk = disk;
	l->array = (uintptr_t)info;
	l->nr = 80;
}

static const size_t at_delete[] = {
	offsetof(struct exo_extent_delete, reserved),
};

static const size_t at_list[] = {
	offsetof(struct exo_extent_list, reserved),
};

static const struct matrix matrices[] = {
	{
		.name = "EXTENT_CREATE", .cmd = EXO_CMD_EXTENT_CREATE,
		.size = sizeof(struct exo_extent_create),
		.min = sizeof(struct exo_extent_create), .fill = fill_create,
		.undo = undo_create, .cleanup = cleanup_create,
		.outputs = true,
	}, {
		.name = "EXTENT_OPEN", .cmd = EXO_CMD_EXTENT_OPEN,
		.size = sizeof(struct exo_extent_open),
		.min = sizeof(struct exo_extent_open), .fill = fill_open,
		.undo = undo_open, .outputs = true,
	}, {
		.name = "EXTENT_DELETE", .cmd = EXO_CMD_EXTENT_DELETE,
		.size = sizeof(struct exo_extent_delete),
		.min = sizeof(struct exo_extent_delete), .fill = fill_delete,
		.cleanup = cleanup_delete, .reserved = at_delete,
		.nr_reserved = 1,
	}, {
		.name = "EXTENT_LIST", .cmd = EXO_CMD_EXTENT_LIST,
		.size = sizeof(struct exo_extent_list),
		.min = sizeof(struct exo_extent_list), .fill = fill_list,
		.reserved = at_list, .nr_reserved = 1, .outputs = true,
	},
};

static void matrix_all(int env)
{
	uint32_t handle;
	size_t i;

	if (extent_create(env, disk, "there", 500, 10, 0600, &handle))
		bail("create");
	exo_close_handle(env, handle);
	for (i = 0; i < ARRAY_SIZE(matrices); i++)
		matrix_run(env, &matrices[i]);
	if (extent_open(env, disk, 0, "there", EXO_RIGHT_WRITE, &handle) ||
	    extent_delete(env, handle))
		bail("delete");
}

/* Attempts that must fail as said, and leave nothing. */
static void create_fails(int env, const char *name, uint64_t start,
			 uint64_t nr, uint32_t mode, long want)
{
	uint32_t handle;

	is(extent_create(env, disk, name, start, nr, mode, &handle), want,
	   "create at %#" PRIx64 " + %#" PRIx64 ", mode %o, name of %zu: %s",
	   start, nr, mode, strlen(name), strerror(-want));
}

static void ranges(int env)
{
	int fd = device_open(PATH);
	uint64_t end = device_blocks(fd);

	close(fd);
	create_fails(env, "a", 0, 1, 0600, -EINVAL);
	create_fails(env, "a", 1, 1, 0600, -EINVAL);
	create_fails(env, "a", CATALOGUE, 1, 0600, -EINVAL);
	create_fails(env, "a", DATA_START - 1, 2, 0600, -EINVAL);
	create_fails(env, "a", 0, end, 0600, -EINVAL);
	create_fails(env, "a", 100, 0, 0600, -EINVAL);
	create_fails(env, "a", end, 1, 0600, -EINVAL);
	create_fails(env, "a", end - 1, 2, 0600, -EINVAL);
	create_fails(env, "a", DATA_START, end, 0600, -EINVAL);
	create_fails(env, "a", 1ULL << 52, 1, 0600, -EINVAL);
	create_fails(env, "a", (1ULL << 61) + 100, 1, 0600, -EINVAL);
	create_fails(env, "a", ~0ULL, 1, 0600, -EOVERFLOW);
	create_fails(env, "a", 100, ~0ULL, 0600, -EOVERFLOW);
	create_fails(env, "a", 1ULL << 63, 1ULL << 63, 0600, -EOVERFLOW);
	create_fails(env, "a", 100, 1, 0700, -EINVAL);
	create_fails(env, "a", 100, 1, 01600, -EINVAL);
	create_fails(env, "a", 100, 1, ~0U, -EINVAL);
}

static void names(int env)
{
	static const char *const bad[] = {
		"", "a/b", "a b", "\n", "caf\xc3\xa9", "a*",
		"0123456789012345678901234567890123456789",
	};
	struct exo_extent_create c = {
		.size = sizeof(c), .disk = disk, .mode = 0600, .start = 100,
		.nr_blocks = 1, .name = "ab",
	};
	uint32_t handle;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		create_fails(env, bad[i], 100, 1, 0600, -EINVAL);
	c.name[20] = 'x';
	is(exo_ioctl(env, EXO_CMD_EXTENT_CREATE, &c), -EINVAL,
	   "a name with bytes after its end");
	is(extent_create(env, disk, "A.z_0-9.012345678901234567890ab", 100, 1,
			 0600, &handle), 0, "31 characters");
	create_fails(env, "A.z_0-9.012345678901234567890ab", 200, 1, 0600,
		     -EEXIST);
	is(extent_delete(env, handle), 0, "delete");
	is(extent_delete(env, handle), -ENOENT, "delete twice");
}

static void overlaps(int env)
{
	uint32_t a, b, c;

	is(extent_create(env, disk, "a", 100, 10, 0600, &a), 0, "create");
	create_fails(env, "b", 100, 10, 0600, -EEXIST);
	create_fails(env, "b", 91, 10, 0600, -EEXIST);
	create_fails(env, "b", 109, 1, 0600, -EEXIST);
	create_fails(env, "b", 50, 500, 0600, -EEXIST);
	create_fails(env, "b", 105, 2, 0600, -EEXIST);
	is(extent_create(env, disk, "b", 90, 10, 0600, &b), 0, "just before");
	is(extent_create(env, disk, "c", 110, 10, 0600, &c), 0, "just after");
	is(extent_delete(env, a), 0, "delete the middle one");
	is(extent_create(env, disk, "a", 100, 10, 0600, &a), 0,
	   "and take its place");
	extent_delete(env, a);
	extent_delete(env, b);
	extent_delete(env, c);
}

static void full_catalogue(int env)
{
	uint32_t handle[NR_SLOTS * EXO_SLOT_ENTRIES + 1], i, nr = 0;
	char name[16];
	long rc = 0;

	for (i = 0; !rc && i < ARRAY_SIZE(handle); i++) {
		snprintf(name, sizeof(name), "e%u", i);
		rc = extent_create(env, disk, name, 100 + i, 1, 0600,
				   &handle[i]);
		nr += !rc;
	}
	is(rc, -ENOSPC, "the catalogue is full");
	is(nr, NR_SLOTS * EXO_SLOT_ENTRIES, "with all its entries");
	for (i = 0; i < nr; i++)
		if (extent_delete(env, handle[i]))
			bail("delete %u", i);
}

static void open_busy(int env)
{
	int other = exo_open();
	uint32_t a, b, c;

	is(extent_create(env, disk, "a", 100, 10, 0600, &a), 0, "create");
	is(extent_open(other, disk, 0, "a", EXO_RIGHT_READ, &b), 0,
	   "open in another env");
	is(extent_delete(env, a), -EBUSY, "delete while it is open elsewhere");
	is(exo_close_handle(other, b), 0, "close there");
	is(extent_open(env, disk, 0, "a", EXO_RIGHT_READ, &b), 0,
	   "open a second time here");
	is(extent_delete(env, a), -EBUSY, "delete with a second handle");
	is(exo_close_handle(env, a), 0, "close the first");
	is(exo_close_handle(env, a), -ENOENT, "close it twice");
	is(extent_delete(other, b), -ENOENT, "delete by another env's handle");
	is(extent_delete(env, b), 0, "delete by the second");
	is(extent_open(env, disk, 0, "a", EXO_RIGHT_READ, &c), -ENOENT,
	   "it is gone");
	exo_alloc(env, 1, 0, NULL);
	close(other);
}

/* Deletes for as long as it may be tried; the first other answer. */
struct deleter {
	int env;
	uint32_t handle;
	atomic_bool begun;
	long rc;
};

static void *delete_on(void *arg)
{
	struct deleter *d = arg;

	do {
		d->rc = extent_delete(d->env, d->handle);
		d->begun = true;
	} while (d->rc == -EBUSY);
	return NULL;
}

/* Keeps the disk's lock busy, so that a delete has to wait for it. */
struct lister {
	int env;
	atomic_bool stop;
};

static void *list_on(void *arg)
{
	struct exo_extent_info info[80];
	struct exo_extent_list list = { .size = sizeof(list), .disk = disk,
					.nr = 80, .array = (uintptr_t)info };
	struct lister *l = arg;

	while (!l->stop)
		exo_ioctl(l->env, EXO_CMD_EXTENT_LIST, &list);
	return NULL;
}

/*
 * A handle revokes itself while another thread deletes by it: the other env's
 * handle is then the only one that is open, but not the one that deletes.
 */
static void delete_revoked(int env)
{
	struct exo_cap_revoke r = { .size = sizeof(r),
				    .flags = EXO_REVOKE_SELF };
	struct deleter d = { .env = env };
	int other = exo_open(), round, wrong = 0;
	struct mem m = mem_new(other, 1, 0);
	struct lister l = { .env = other };
	uint32_t kept, all[40], i;
	pthread_t busy, t;
	char name[16];

	for (i = 0; i < ARRAY_SIZE(all); i++) {
		snprintf(name, sizeof(name), "e%u", i);
		extent_create(env, disk, name, 1000 + i, 1, 0600, &all[i]);
	}
	if (extent_create(other, disk, "kept", 100, 1, 0600, &kept))
		bail("create");
	pthread_create(&busy, NULL, list_on, &l);
	for (round = 0; round < 300 && !wrong; round++) {
		if (extent_open(env, disk, 0, "kept", EXO_RIGHT_READ, &r.handle))
			break;
		d.handle = r.handle;
		d.begun = false;
		pthread_create(&t, NULL, delete_on, &d);
		while (!d.begun)
			;
		wrong += exo_ioctl(env, EXO_CMD_CAP_REVOKE, &r) != 0;
		pthread_join(t, NULL);
		wrong += d.rc != -ESTALE;
		exo_close_handle(env, r.handle);
	}
	l.stop = true;
	pthread_join(busy, NULL);
	is(wrong, 0, "no delete by a handle that was revoked meanwhile");
	is(round, 300, "the extent was there for each try");
	is(io_do(other, EXO_IO_READ, kept, 0, 1, m.handle, 0), BLOCK,
	   "they can read it still");
	mem_free(other, &m);
	extent_delete(other, kept);
	for (i = 0; i < ARRAY_SIZE(all); i++)
		extent_delete(env, all[i]);
	close(other);
}

static void open_wrong(int env)
{
	struct exo_frame_alloc f;
	uint32_t a, b;

	is(extent_create(env, disk, "a", 100, 10, 0000, &a), 0, "mode 0");
	ok(exo_map(env, (uint64_t)a << 32, BLOCK) == MAP_FAILED &&
	   errno == ENOENT, "an extent has no pages to map");
	is(extent_open(env, disk, 0, "a", 0, &b), -EINVAL, "no rights wanted");
	is(extent_open(env, disk, 0, "a", 4, &b), -EINVAL, "unknown rights");
	is(extent_open(env, disk, 0, "", 1, &b), -EINVAL, "no name");
	is(extent_open(env, disk, -1, "a", 1, &b), -ENOENT, "owner -1");
	is(extent_open(env, disk, 1, "a", 1, &b), -ENOENT, "wrong owner");
	is(extent_open(env, disk + 1, 0, "a", 1, &b), -ENOENT, "wrong disk");
	is(extent_open(env, disk, 0, "A", 1, &b), -ENOENT, "wrong name");
	exo_alloc(env, 1, 0, &f);
	is(extent_delete(env, f.out_handle), -EBADF, "delete a frame");
	is(extent_delete(env, 0), -ENOENT, "delete handle 0");
	exo_close_handle(env, f.out_handle);
	is(extent_delete(env, a), 0, "delete");
}

/* What is listed is complete, sorted, and fits only if there is room. */
static void lists(int env)
{
	struct exo_extent_info info[8] = { 0 };
	struct exo_extent_list l = { .size = sizeof(l), .disk = disk, .nr = 2,
				     .array = (uintptr_t)info };
	uint32_t h[3];
	int i;

	extent_create(env, disk, "c", 300, 30, 0644, &h[0]);
	extent_create(env, disk, "a", 100, 10, 0600, &h[1]);
	extent_create(env, disk, "b", 200, 20, 0606, &h[2]);
	is(exo_ioctl(env, EXO_CMD_EXTENT_LIST, &l), -EMSGSIZE, "no room");
	is(l.out_nr, 3, "the room needed is said");
	l.nr = 8;
	is(exo_ioctl(env, EXO_CMD_EXTENT_LIST, &l), 0, "list");
	ok(l.out_nr == 3 && info[0].start == 100 && info[1].start == 200 &&
	   info[2].start == 300 && info[2].nr_blocks == 30 &&
	   !strcmp((char *)info[2].name, "c") && info[2].mode == 0644 &&
	   info[2].uid == 0 && info[2].state == EXO_EXTENT_CLEAN,
	   "sorted and right");
	l.array = 8;
	is(exo_ioctl(env, EXO_CMD_EXTENT_LIST, &l), -EFAULT, "bad array");
	l.disk = 0;
	is(exo_ioctl(env, EXO_CMD_EXTENT_LIST, &l), -ENOENT, "disk 0");
	for (i = 0; i < 3; i++)
		extent_delete(env, h[i]);
}

static int quota_alice(void *arg)
{
	int env = exo_open();
	uint32_t a, b;

	(void)arg;
	is(extent_create(env, disk, "a", 100, 11, 0600, &a), -EDQUOT,
	   "one block above the grant");
	is(extent_create(env, disk, "a", 100, 6, 0600, &a), 0, "below it");
	is(extent_create(env, disk, "b", 200, 5, 0600, &b), -EDQUOT,
	   "above it together");
	is(extent_create(env, disk, "b", 200, 4, 0600, &b), 0, "all of it");
	close(env);
	env = exo_open();
	is(extent_create(env, disk, "c", 300, 1, 0600, NULL), -EDQUOT,
	   "closing gives nothing back");
	extent_open(env, disk, UID_ALICE, "a", EXO_RIGHT_READ, &a);
	is(extent_delete(env, a), 0, "the owner deletes, opened for reading");
	is(extent_create(env, disk, "c", 300, 6, 0600, &a), 0,
	   "deleting gives it back");
	is(extent_delete(env, a), 0, "delete");
	extent_open(env, disk, UID_ALICE, "b", EXO_RIGHT_READ, &a);
	is(extent_delete(env, a), 0, "delete");
	return 0;
}

static int quota_take(void *arg)
{
	(void)arg;
	is(extent_create(exo_open(), disk, "d", 100, 6, 0600, NULL), 0,
	   "alice takes 6 blocks");
	return 0;
}

static int quota_less(void *arg)
{
	int env = exo_open();
	uint32_t d;

	(void)arg;
	is(extent_create(env, disk, "e", 200, 1, 0600, NULL), -EDQUOT,
	   "a grant made smaller than what is held gives nothing");
	extent_open(env, disk, UID_ALICE, "d", EXO_RIGHT_READ, &d);
	is(extent_delete(env, d), 0, "delete");
	return 0;
}

static int quota_none(void *arg)
{
	int env = exo_open();

	is(extent_create(env, disk, "z", 100, 1, 0600, NULL), -EPERM, "%s",
	   (const char *)arg);
	return 0;
}

static void quotas(int env)
{
	struct exo_disk_grant g = { .size = sizeof(g), .disk = disk,
				    .uid = UID_ALICE,
				    .flags = EXO_GRANT_REVOKE };

	as_user(UID_ALICE, quota_none, "alice without a grant");
	disk_grant(env, disk, UID_ALICE, 10);
	as_user(UID_ALICE, quota_alice, NULL);
	as_user(UID_ALICE, quota_take, NULL);
	disk_grant(env, disk, UID_ALICE, 4);
	as_user(UID_ALICE, quota_less, NULL);
	as_user(UID_BOB, quota_none, "bob has no part in it");
	exo_ioctl(env, EXO_CMD_DISK_GRANT, &g);
	as_user(UID_ALICE, quota_none, "alice after it was withdrawn");
}

/* Without room for the answer there is no extent, now and ever after. */
static void unanswered(int env)
{
	struct exo_extent_create *c = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
					   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct exo_extent_info info;
	struct exo_extent_list l = { .size = sizeof(l), .nr = 1,
				     .array = (uintptr_t)&info };
	uint32_t handle;
	int i;

	fill_create(env, c);
	c->size = sizeof(*c);
	mprotect(c, 4096, PROT_READ);
	for (i = 0; i < 5; i++)
		is(exo_ioctl(env, EXO_CMD_EXTENT_CREATE, c), -EFAULT,
		   "create without room for the answer, time %d", i);
	is(extent_create(env, disk, "matrix", c->start, c->nr_blocks, 0600,
			 &handle), 0, "name and blocks are free");
	is(extent_delete(env, handle), 0, "and given back");
	is(exo_ioctl(env, EXO_CMD_EXTENT_CREATE, c), -EFAULT, "once more");
	munmap(c, 4096);
	is(disk_detach(env, disk), 0, "no extent is open");
	is(disk_attach(env, PATH, &disk), 0, "attach again");
	l.disk = disk;
	is(exo_ioctl(env, EXO_CMD_EXTENT_LIST, &l), 0, "list");
	is(l.out_nr, 0, "none is on the disk");
}

/* Attach after attach, everything is as it was. */
static void durable(int env)
{
	struct exo_extent_info info[4] = { 0 };
	struct exo_extent_list l = { .size = sizeof(l), .nr = 4,
				     .array = (uintptr_t)info };
	uint32_t h;
	int i;

	extent_create(env, disk, "keep", 100, 10, 0640, &h);
	exo_close_handle(env, h);
	for (i = 0; i < 20; i++) {
		extent_create(env, disk, "drop", 200, 10, 0640, &h);
		if (extent_delete(env, h))
			bail("delete");
	}
	disk_detach(env, disk);
	is(disk_attach(env, PATH, &disk), 0, "attach again");
	l.disk = disk;
	is(exo_ioctl(env, EXO_CMD_EXTENT_LIST, &l), 0, "list");
	ok(l.out_nr == 1 && info[0].start == 100 && info[0].mode == 0640 &&
	   !strcmp((char *)info[0].name, "keep"), "what was kept is there");
	extent_open(env, disk, 0, "keep", EXO_RIGHT_READ, &h);
	extent_delete(env, h);
}

int main(void)
{
	struct exo_stats before;
	int env, work;

	exo_setup();
	env = exo_open();
	before = stats_get(env);
	disk = disk_fresh(env, PATH);
	work = exo_open();
	matrix_all(work);
	ranges(work);
	names(work);
	overlaps(work);
	full_catalogue(work);
	open_busy(work);
	delete_revoked(work);
	open_wrong(work);
	lists(work);
	quotas(work);
	unanswered(work);
	durable(work);
	close(work);
	is(disk_detach(env, disk), 0, "detach");
	ok(stats_wait(env, &before, 2000), "counters are as at the start");
	return done_testing();
}
