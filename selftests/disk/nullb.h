/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* Devices that fail or are slow on request: null_blk by configfs. */
#ifndef EXO_SELFTESTS_DISK_NULLB_H
#define EXO_SELFTESTS_DISK_NULLB_H

#include <sys/mount.h>

#include "disk.h"

#define NULLB_ROOT "/sys/kernel/config/nullb"

MAYBE_UNUSED static void nullb_set(const char *name, const char *key,
				   const char *value)
{
	char path[128];
	int rc;

	snprintf(path, sizeof(path), NULLB_ROOT "/%s/%s", name, key);
	rc = write_file(path, value);
	if (rc)
		bail("%s = %s: %s", path, value, strerror(-rc));
}

/*
 * A device of 64 MiB that remembers; each request takes @delay_ns if not 0.
 * The first must be named nullb0, and so on; one of that name that a test left
 * is replaced. False if there is no null_blk.
 */
MAYBE_UNUSED static bool nullb_new(const char *name, const char *delay_ns)
{
	char path[128];
	int i;

	if (access(NULLB_ROOT, F_OK)) {
		if (system("modprobe -rq null_blk; modprobe null_blk nr_devices=0"))
			return false;
		mount("none", "/sys/kernel/config", "configfs", 0, NULL);
	}
	snprintf(path, sizeof(path), NULLB_ROOT "/%s", name);
	if (!access(path, F_OK)) {
		nullb_set(name, "power", "0");
		rmdir(path);
	}
	if (mkdir(path, 0755))
		return false;
	nullb_set(name, "memory_backed", "1");
	nullb_set(name, "size", "64");
	nullb_set(name, "blocksize", "512");
	if (delay_ns) {
		nullb_set(name, "irqmode", "2");
		nullb_set(name, "completion_nsec", delay_ns);
	}
	nullb_set(name, "power", "1");
	snprintf(path, sizeof(path), "/dev/%s", name);
	for (i = 0; i < 100 && access(path, F_OK); i++)
		usleep(10000);
	return !access(path, F_OK);
}

/* Blocks that fail from now on, or with @bad false no longer. */
MAYBE_UNUSED static void nullb_bad(const char *name, bool bad, uint64_t block,
				   uint64_t nr)
{
	char range[64];

	snprintf(range, sizeof(range), "%c%" PRIu64 "-%" PRIu64,
		 bad ? '+' : '-', block * 8, (block + nr) * 8 - 1);
	nullb_set(name, "badblocks", range);
}

#endif /* EXO_SELFTESTS_DISK_NULLB_H */
