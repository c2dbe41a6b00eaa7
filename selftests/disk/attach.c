// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Attaching, detaching, listing and granting: who may, what is refused.
 *
 * With red zones: the kernel says so if a list is longer than its memory.
 *
 * vm: --disk 64 --disk 64 --append slub_debug=FZ,kmalloc-*
 */
#include <sched.h>
#include <sys/mount.h>

#include "nullb.h"
#include "disk.h"

static void fill_attach(int env, void *s)
{
	struct exo_disk_attach *a = s;

	(void)env;
	a->fd = device_open("/dev/vda");
}

static void undo_attach(int env, void *s)
{
	struct exo_disk_attach *a = s;

	if (disk_detach(env, a->out_disk))
		bail("detach");
}

static void cleanup_attach(int env, const void *s)
{
	const struct exo_disk_attach *a = s;

	(void)env;
	close(a->fd);
}

static void fill_detach(int env, void *s)
{
	struct exo_disk_detach *d = s;

	if (disk_attach(env, "/dev/vda", &d->disk))
		bail("attach");
}

static void cleanup_detach(int env, const void *s)
{
	const struct exo_disk_detach *d = s;

	disk_detach(env, d->disk);
}

static uint32_t the_disk;

static void fill_list(int env, void *s)
{
	static struct exo_disk_info info[4];
	struct exo_disk_list *l = s;

	(void)env;
	l->array = (uintptr_t)info;
	l->nr = 4;
}

static void fill_grant(int env, void *s)
{
	struct exo_disk_grant *g = s;

	(void)env;
	g->disk = the_disk;
	g->uid = UID_ALICE;
	g->max_blocks = 100;
}

/* Two grants, whoever asks. */
static struct exo_disk_grant_info granted[4];

static void fill_grant_list(int env, void *s)
{
	struct exo_disk_grant_list *l = s;

	(void)env;
	l->disk = the_disk;
	l->array = (uintptr_t)granted;
	l->nr = ARRAY_SIZE(granted);
}

static const size_t reserved_grant_list[] = {
	offsetof(struct exo_disk_grant_list, reserved),
};

static const size_t reserved_detach[] = {
	offsetof(struct exo_disk_detach, reserved),
};

static const struct matrix matrix_attach = {
	.name = "DISK_ATTACH", .cmd = EXO_CMD_DISK_ATTACH,
	.size = sizeof(struct exo_disk_attach),
	.min = sizeof(struct exo_disk_attach),
	.fill = fill_attach, .undo = undo_attach, .cleanup = cleanup_attach,
	.outputs = true,
};

static const struct matrix matrix_detach = {
	.name = "DISK_DETACH", .cmd = EXO_CMD_DISK_DETACH,
	.size = sizeof(struct exo_disk_detach),
	.min = sizeof(struct exo_disk_detach),
	.fill = fill_detach, .cleanup = cleanup_detach,
	.reserved = reserved_detach, .nr_reserved = 1,
};

static const struct matrix matrix_list = {
	.name = "DISK_LIST", .cmd = EXO_CMD_DISK_LIST,
	.size = sizeof(struct exo_disk_list),
	.min = sizeof(struct exo_disk_list),
	.fill = fill_list, .outputs = true,
};

static const struct matrix matrix_grant = {
	.name = "DISK_GRANT", .cmd = EXO_CMD_DISK_GRANT,
	.size = sizeof(struct exo_disk_grant),
	.min = sizeof(struct exo_disk_grant),
	.fill = fill_grant, .flags = EXO_GRANT_REVOKE,
};

static const struct matrix matrix_grant_list = {
	.name = "DISK_GRANT_LIST", .cmd = EXO_CMD_DISK_GRANT_LIST,
	.size = sizeof(struct exo_disk_grant_list),
	.min = sizeof(struct exo_disk_grant_list),
	.fill = fill_grant_list, .outputs = true,
	.reserved = reserved_grant_list, .nr_reserved = 1,
};

static long attach_fd(int env, int fd)
{
	struct exo_disk_attach a = { .size = sizeof(a), .fd = fd };

	return exo_ioctl(env, EXO_CMD_DISK_ATTACH, &a);
}

/* Devices that are no disks, whatever stands on them. */
static void wrong_devices(int env)
{
	int fd = device_open("/dev/vdb"), on = 1, off = 0;

	if (ioctl(fd, BLKROSET, &on))
		bail("BLKROSET: %m");
	is(attach_fd(env, fd), -EROFS, "attach a device made read-only since");
	if (ioctl(fd, BLKROSET, &off))
		bail("BLKROSET: %m");
	close(fd);

	if (!nullb_new("nullb0", NULL)) {
		skip("no null_blk");
		return;
	}
	nullb_set("nullb0", "power", "0");
	if (!write_file(NULLB_ROOT "/nullb0/zoned", "1") &&
	    !write_file(NULLB_ROOT "/nullb0/zone_size", "16") &&
	    !write_file(NULLB_ROOT "/nullb0/power", "1")) {
		fd = device_open("/dev/nullb0");
		is(attach_fd(env, fd), -EINVAL, "attach a zoned device");
		close(fd);
	} else {
		skip("no zoned devices");
	}
	rmdir(NULLB_ROOT "/nullb0");
}

static void wrong_fds(int env)
{
	int fd, pipes[2];

	is(attach_fd(env, -1), -EBADF, "attach fd -1");
	is(attach_fd(env, 999), -EBADF, "attach an fd that is not open");
	is(attach_fd(env, env), -EBADF, "attach /dev/exo itself");
	if (pipe(pipes))
		bail("pipe: %m");
	is(attach_fd(env, pipes[0]), -EBADF, "attach a pipe");
	close(pipes[0]);
	close(pipes[1]);
	fd = open("/etc/passwd", O_RDONLY);
	is(attach_fd(env, fd), -EBADF, "attach a file");
	close(fd);
	fd = open("/dev/vda", O_RDONLY);
	is(attach_fd(env, fd), -EBADF, "attach a device open for reading only");
	close(fd);
	fd = open("/dev/vda", O_WRONLY);
	is(attach_fd(env, fd), -EBADF, "attach a device open for writing only");
	close(fd);
	fd = open("/dev/vda", O_PATH);
	is(attach_fd(env, fd), -EBADF, "attach an O_PATH fd");
	close(fd);
}

/* The device is the module's alone, and given back whole. */
static void claims(int env)
{
	struct exo_disk_info info[2] = { 0 };
	struct exo_disk_list l = { .size = sizeof(l), .nr = 2,
				   .array = (uintptr_t)info };
	uint32_t disk = disk_fresh(env, "/dev/vda");
	int fd;

	is(disk_attach(env, "/dev/vda", NULL), -EBUSY, "attached twice");
	fd = open("/dev/vda", O_RDWR | O_EXCL);
	ok(fd < 0 && errno == EBUSY, "no O_EXCL open of an attached device");
	is(exo_rmmod(), -EWOULDBLOCK, "the module stays while it has a disk");
	is(exo_ioctl(env, EXO_CMD_DISK_LIST, &l), 0, "list");
	is(l.out_nr, 1, "one disk");
	ok(info[0].disk == disk && !strcmp((char *)info[0].path, "vda") &&
	   !strcmp((char *)info[0].name, "test-disk") &&
	   info[0].first_block == DATA_START && info[0].nr_blocks == 16384 &&
	   info[0].end_block == 16384 && info[0].nr_free == 16384 - 16 &&
	   info[0].nr_open == 0, "what is listed is right");
	l.nr = 0;
	l.out_nr = 0;
	is(exo_ioctl(env, EXO_CMD_DISK_LIST, &l), -EMSGSIZE, "no room");
	is(l.out_nr, 1, "and the room needed is said");
	l.nr = 1;
	l.array = 0;
	is(exo_ioctl(env, EXO_CMD_DISK_LIST, &l), -EFAULT, "array at NULL");
	is(disk_detach(env, disk), 0, "detach");
	is(disk_detach(env, disk), -ENOENT, "detached twice");
	fd = open("/dev/vda", O_RDWR | O_EXCL);
	ok(fd >= 0, "the device is free again");
	is(disk_attach(env, "/dev/vda", NULL), -EBUSY,
	   "claimed by a program with O_EXCL");
	close(fd);
}

static void mounted(int env)
{
	if (system("mke2fs -q -F /dev/vdb >/dev/null 2>&1") ||
	    mount("/dev/vdb", "/mnt", "ext4", 0, NULL)) {
		skip("no file system to mount: %m");
		return;
	}
	is(disk_attach(env, "/dev/vdb", NULL), -EBUSY, "attach a mounted disk");
	umount("/mnt");
}

static void busy(int env)
{
	uint32_t disk = disk_fresh(env, "/dev/vda"), handle;

	is(extent_create(env, disk, "a", 100, 10, 0600, &handle), 0,
	   "root creates without a grant");
	is(disk_detach(env, disk), -EBUSY, "detach with an open extent");
	is(exo_close_handle(env, handle), 0, "close it");
	is(disk_detach(env, disk), 0, "detach");
	is(extent_create(env, disk, "b", 200, 10, 0600, NULL), -ENOENT,
	   "create on a disk that left");
	is(disk_attach(env, "/dev/vda", &disk), 0, "attach again");
	is(extent_open(env, disk, 0, "a", EXO_RIGHT_READ, &handle), 0,
	   "the extent is still there");
	exo_close_handle(env, handle);
	disk_detach(env, disk);
}

static void unanswered(int env)
{
	struct exo_disk_attach *a = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
					 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct exo_disk_info info;
	struct exo_disk_list l = { .size = sizeof(l), .nr = 1,
				   .array = (uintptr_t)&info };
	int fd = device_open("/dev/vda");

	a->size = sizeof(*a);
	a->fd = fd;
	mprotect(a, 4096, PROT_READ);
	is(exo_ioctl(env, EXO_CMD_DISK_ATTACH, a), -EFAULT,
	   "attach without room for the answer");
	is(exo_ioctl(env, EXO_CMD_DISK_LIST, &l), 0, "list");
	is(l.out_nr, 0, "then it is not attached");
	close(fd);
	fd = open("/dev/vda", O_RDWR | O_EXCL);
	ok(fd >= 0, "and the device is free");
	mprotect(a, 4096, PROT_READ | PROT_WRITE);
	a->fd = fd;
	is(exo_ioctl(env, EXO_CMD_DISK_ATTACH, a), -EBUSY,
	   "an error is told before that");
	close(fd);
	is(exo_rmmod(), -EAGAIN, "the env alone holds the module");
	munmap(a, 4096);
}

static long withdraw(int env, uint32_t uid)
{
	struct exo_disk_grant g = { .size = sizeof(g), .disk = the_disk,
				    .uid = uid, .flags = EXO_GRANT_REVOKE };

	return exo_ioctl(env, EXO_CMD_DISK_GRANT, &g);
}

static long grant_list(int env, uint32_t disk,
		       struct exo_disk_grant_info *array, uint32_t room,
		       uint32_t *nr)
{
	struct exo_disk_grant_list l = {
		.size = sizeof(l), .disk = disk, .array = (uintptr_t)array,
		.nr = room,
	};
	long rc = exo_ioctl(env, EXO_CMD_DISK_GRANT_LIST, &l);

	*nr = l.out_nr;
	return rc;
}

static bool listed(const struct exo_disk_grant_info *array, uint32_t nr,
		   uint32_t uid, uint64_t max_blocks)
{
	uint32_t i;

	for (i = 0; i < nr; i++)
		if (array[i].uid == uid && array[i].max_blocks == max_blocks &&
		    !array[i].reserved)
			return true;
	return false;
}

/* The administrator sees every grant, a user its own and no sign of others. */
static int sees(void *arg)
{
	const struct exo_disk_grant_info *own = arg;
	struct exo_disk_grant_info seen[4] = {};
	uint32_t nr = 77, want = own->max_blocks ? 1 : 0;
	int env = exo_open();

	is(grant_list(env, the_disk, NULL, 0, &nr), want ? -EMSGSIZE : 0,
	   "user %u asks how many grants there are", own->uid);
	is(nr, want, "its own are counted");
	is(grant_list(env, the_disk, seen, 4, &nr), 0, "and lists them");
	is(nr, want, "its own");
	ok(!want || listed(seen, nr, own->uid, own->max_blocks),
	   "as it was given");
	ok(!seen[want].uid && !seen[want].max_blocks, "no other");
	if (unshare(CLONE_NEWUSER)) {
		skip("no user namespaces: %m");
		return 0;
	}
	is(grant_list(env, the_disk, seen, 4, &nr), 0,
	   "as root of a namespace of its own");
	is(nr, want, "it sees no more");
	return 0;
}

static void list_grants(int env)
{
	struct exo_disk_grant_info seen[4] = {};
	uint32_t nr, alices;

	withdraw(env, UID_ALICE);
	is(grant_list(env, the_disk, NULL, 0, &nr), 0, "no grants, no room");
	is(nr, 0, "none is listed");
	disk_grant(env, the_disk, UID_ALICE, 100);
	disk_grant(env, the_disk, UID_BOB, 1ULL << 40);
	disk_grant(env, the_disk, UID_ALICE, 7);
	is(grant_list(env, the_disk, seen, 1, &nr), -EMSGSIZE, "room for one");
	is(nr, 2, "there are two");
	ok(!seen[0].uid && !seen[0].max_blocks, "nothing was written");
	is(grant_list(env, the_disk, seen, 4, &nr), 0, "room enough");
	is(nr, 2, "two");
	ok(listed(seen, nr, UID_ALICE, 7), "the newer one of alice's");
	ok(listed(seen, nr, UID_BOB, 1ULL << 40), "bob's");
	is(grant_list(env, the_disk, (void *)4096, 4, &nr), -EFAULT,
	   "a bad array");
	is(grant_list(env, the_disk, seen, ~0U, &nr), 0, "endless room");
	is(grant_list(env, 0, seen, 4, &nr), -ENOENT, "on disk 0");
	is(grant_list(env, the_disk + 1000, seen, 4, &nr), -ENOENT,
	   "on an unknown disk");
	as_user(UID_ALICE, sees, &(struct exo_disk_grant_info){ UID_ALICE, 0, 7 });
	as_user(5555, sees, &(struct exo_disk_grant_info){ .uid = 5555 });
	is(withdraw(env, UID_BOB), 0, "withdraw bob's");
	is(grant_list(env, the_disk, seen, 4, &nr), 0, "list again");
	alices = seen[0].uid;
	ok(nr == 1 && alices == UID_ALICE, "alice's is left");
	is(withdraw(env, UID_ALICE), 0, "withdraw alice's");
}

/* Many more than there is room for. */
static void many_grants(int env)
{
	static struct exo_disk_grant_info seen[3000];
	uint32_t i, nr, wrong = 0;

	for (i = 0; i < ARRAY_SIZE(seen); i++)
		wrong += disk_grant(env, the_disk, 100000 + i, i + 1) != 0;
	is(wrong, 0, "%zu users are granted blocks", ARRAY_SIZE(seen));
	is(grant_list(env, the_disk, seen, 1, &nr), -EMSGSIZE, "room for one");
	is(nr, ARRAY_SIZE(seen), "the room needed is said");
	is(grant_list(env, the_disk, seen, nr, &nr), 0, "room enough");
	for (i = 0; i < nr; i++)
		wrong += seen[i].max_blocks != seen[i].uid - 100000 + 1;
	is(wrong, 0, "each as it was given");
	for (i = 0; i < nr; i++)
		wrong += withdraw(env, 100000 + i) != 0;
	is(wrong, 0, "withdraw them");
}

/* The commands of the administrator, by a user. */
static int as_alice(void *arg)
{
	int env = exo_open(), fd = *(int *)arg;
	struct exo_disk_info info;
	struct exo_disk_list l = { .size = sizeof(l), .nr = 1,
				   .array = (uintptr_t)&info };

	is(attach_fd(env, fd), -EPERM, "attach as a user, with an open device");
	is(disk_detach(env, the_disk), -EPERM, "detach as a user");
	is(disk_grant(env, the_disk, UID_ALICE, 100), -EPERM,
	   "grant as a user");
	is(exo_ioctl(env, EXO_CMD_DISK_LIST, &l), 0, "list as a user");
	return 0;
}

static void grants(int env)
{
	struct exo_disk_grant g = { .size = sizeof(g), .disk = the_disk,
				    .uid = UID_BOB, .flags = EXO_GRANT_REVOKE };

	is(exo_ioctl(env, EXO_CMD_DISK_GRANT, &g), -ENOENT,
	   "withdraw what was not given");
	is(disk_grant(env, the_disk, UID_BOB, 5), 0, "grant");
	is(disk_grant(env, the_disk, UID_BOB, 6), 0, "grant anew");
	is(exo_ioctl(env, EXO_CMD_DISK_GRANT, &g), 0, "withdraw");
	is(exo_ioctl(env, EXO_CMD_DISK_GRANT, &g), -ENOENT, "withdraw twice");
	is(disk_grant(env, the_disk, -1, 5), -EINVAL, "grant to user -1");
	is(disk_grant(env, 0, UID_BOB, 5), -ENOENT, "grant on disk 0");
	is(disk_grant(env, the_disk + 1000, UID_BOB, 5), -ENOENT,
	   "grant on an unknown disk");
}

int main(void)
{
	struct exo_stats before;
	int env, fd;

	exo_setup();
	env = exo_open();
	before = stats_get(env);
	disk_format("/dev/vda");
	matrix_run(env, &matrix_attach);
	matrix_run(env, &matrix_detach);
	wrong_fds(env);
	wrong_devices(env);
	claims(env);
	mounted(env);
	busy(env);
	unanswered(env);

	the_disk = disk_fresh(env, "/dev/vda");
	matrix_run(env, &matrix_list);
	matrix_run(env, &matrix_grant);
	grants(env);
	matrix_run(env, &matrix_grant_list);
	list_grants(env);
	many_grants(env);
	fd = device_open("/dev/vdb");
	as_user(UID_ALICE, as_alice, &fd);
	close(fd);
	is(disk_detach(env, the_disk), 0, "detach");
	ok(stats_wait(env, &before, 2000), "counters are as at the start");
	return done_testing();
}
