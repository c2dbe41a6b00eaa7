// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* Checks of what the caller may do. */
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "doctor.h"

#define GROUP		"exo"
/* Below: not even the rings of one flow. */
#define MEMLOCK_MIN	(1UL << 20)
/* Below: a server cannot cache what it serves. */
#define MEMLOCK_USEFUL	(64UL << 20)

/* The group's number; false if there is no such group. */
static bool group_gid(const char *root, gid_t *gid)
{
	char name[PATH_BYTES];
	struct group *gr = NULL;
	FILE *f;

	if (!*root) {
		gr = getgrnam(GROUP);
		if (gr)
			*gid = gr->gr_gid;
		return gr;
	}
	f = fopen(root_path(root, "/etc/group", name), "re");
	if (!f)
		return false;
	do
		gr = fgetgrent(f);
	while (gr && strcmp(gr->gr_name, GROUP));
	if (gr)
		*gid = gr->gr_gid;
	fclose(f);
	return gr;
}

/* Is this process in the group? */
static bool in_group(gid_t gid)
{
	int i, nr = getgroups(0, NULL);
	bool in = getegid() == gid;
	gid_t *gids;

	gids = nr > 0 ? calloc(nr, sizeof(*gids)) : NULL;
	if (!gids)
		return in;
	nr = getgroups(nr, gids);
	for (i = 0; i < nr; i++)
		in |= gids[i] == gid;
	free(gids);
	return in;
}

static void check_group(const char *root, struct finding *f)
{
	gid_t gid;

	if (!group_gid(root, &gid)) {
		found(f, LEVEL_FAIL, "there is no group " GROUP);
		advise(f, "make it: 'systemd-sysusers exo.conf', or 'groupadd "
		       "--system " GROUP "', as root");
	} else if (in_group(gid)) {
		found(f, LEVEL_OK, "you are in the group " GROUP);
	} else if (!geteuid()) {
		found(f, LEVEL_OK, "you are root; the group " GROUP
		      " is for others");
	} else {
		found(f, LEVEL_FAIL, "you are not in the group " GROUP);
		advise(f, "'adduser USER " GROUP "' as root, then log in "
		       "again");
	}
}

static void judge_device(const char *root, const struct stat *st,
			 struct finding *f)
{
	gid_t gid;

	found(f, LEVEL_OK, "/dev/exo has mode %04o, user %u, group %u",
	      st->st_mode & 07777, st->st_uid, st->st_gid);
	if (!S_ISCHR(st->st_mode)) {
		found(f, LEVEL_FAIL, "/dev/exo is no character device");
		advise(f, "something else made it: remove it, then 'rmmod exo' "
		       "and 'modprobe exo'");
	} else if (st->st_mode & 0006) {
		f->level = LEVEL_WARN;
		advise(f, "everybody may open it; the udev rule of exo says "
		       "0660: 'udevadm trigger /dev/exo'");
	} else if (!group_gid(root, &gid) || st->st_gid != gid ||
		   (st->st_mode & 0060) != 0060) {
		f->level = LEVEL_WARN;
		advise(f, "the group " GROUP " may not open it: 'udevadm "
		       "control --reload', 'udevadm trigger /dev/exo'");
	}
}

static void check_device(const char *root, struct finding *f)
{
	char path[PATH_BYTES];
	struct stat st;

	if (!stat(root_path(root, "/dev/exo", path), &st)) {
		judge_device(root, &st, f);
		return;
	}
	found(f, LEVEL_FAIL, "there is no /dev/exo");
	if (root_exists(root, "/sys/module/exo"))
		advise(f, "the module is loaded: is /dev a devtmpfs, and does "
		       "this container see it?");
	else
		advise(f, "it comes with the module");
}

static void check_udev(const char *root, struct finding *f)
{
	static const char *const places[] = {
		"/etc/udev/rules.d/60-exo.rules",
		"/run/udev/rules.d/60-exo.rules",
		"/usr/local/lib/udev/rules.d/60-exo.rules",
		"/usr/lib/udev/rules.d/60-exo.rules",
		"/lib/udev/rules.d/60-exo.rules",
	};
	size_t i;

	for (i = 0; i < sizeof(places) / sizeof(*places); i++) {
		if (root_exists(root, places[i])) {
			found(f, LEVEL_OK, "%s", places[i]);
			return;
		}
	}
	found(f, LEVEL_WARN, "there is no udev rule for /dev/exo");
	advise(f, "only root may open it then: copy "
	       "tools/packaging/60-exo.rules to /etc/udev/rules.d, or 'make "
	       "install'");
}

/* CAP_IPC_LOCK, which the limit does not bind. */
static bool may_lock_all(const char *root)
{
	unsigned long long caps = 0;
	char name[PATH_BYTES], line[256];
	FILE *f = fopen(root_path(root, "/proc/self/status", name), "re");

	if (!f)
		return false;
	while (fgets(line, sizeof(line), f) &&
	       sscanf(line, "CapEff: %llx", &caps) != 1)
		;
	fclose(f);
	return caps >> 14 & 1;
}

static void check_memlock(const char *root, struct finding *f)
{
	struct rlimit lim = { .rlim_cur = 0 };

	if (may_lock_all(root)) {
		found(f, LEVEL_OK, "the limit of locked memory does not bind "
		      "you (CAP_IPC_LOCK)");
		return;
	}
	getrlimit(RLIMIT_MEMLOCK, &lim);
	if (lim.rlim_cur == RLIM_INFINITY) {
		found(f, LEVEL_OK, "locked memory is not limited");
		return;
	}
	found(f, LEVEL_OK, "%llu KiB of locked memory, for frames and rings of "
	      "all your programs",
	      (unsigned long long)lim.rlim_cur >> 10);
	if (lim.rlim_cur >= MEMLOCK_USEFUL)
		return;
	f->level = lim.rlim_cur < MEMLOCK_MIN ? LEVEL_FAIL : LEVEL_WARN;
	advise(f, "%s; raise it: LimitMEMLOCK= in a service's unit, or 'USER "
	       "- memlock KIB' in /etc/security/limits.d/exo.conf",
	       f->level == LEVEL_FAIL ? "the rings of a flow need more" :
					"a server's cache wants 64 MiB or more");
}

const struct check doctor_access[] = {
	{ "device", check_device },
	{ "udev-rule", check_udev },
	{ "group", check_group },
	{ "memlock", check_memlock },
	{}
};
