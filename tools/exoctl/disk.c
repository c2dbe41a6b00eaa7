// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * exoctl disk, but for format.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "exoctl.h"
#include "facts.h"

#define NEEDS_ROOT	"only root (CAP_SYS_ADMIN) may; run it by sudo"

/**
 * disk_find() - a disk by name, device or UUID, or say that there is none
 * @env: the env
 * @which: as the user wrote it
 * @disk: the disk
 *
 * Return: 0 or EXIT_FAILED.
 */
int disk_find(struct exo_env *env, const char *which,
	      struct exo_disk_info *disk)
{
	static const struct why why[] = {
		{ ENOENT, "no such disk is attached; 'exoctl disk list' lists "
			  "them, 'exoctl disk attach DEVICE' attaches one" },
		{ EEXIST, "several disks have this name; use the device or the "
			  "UUID" },
		{}
	};
	int rc = exo_disk_find(env, which, disk);

	return rc ? fail(rc, why, "cannot find the disk '%s'", which) : 0;
}

int disk_attach(const struct command *cmd, int argc, char **argv)
{
	static const struct why why[] = {
		{ EPERM, NEEDS_ROOT },
		{ EBADF, "it is not a block device; 'losetup' makes one of a "
			 "file" },
		{ EBUSY, "it is mounted, attached already, or claimed by "
			 "another program ('lsblk', 'exoctl disk list')" },
		{ EUCLEAN, "it carries no valid exo label or catalogue; 'dmesg' "
			   "says what is wrong, 'exoctl disk format' makes a "
			   "new one" },
		{ EPROTONOSUPPORT, "it was formatted for a newer exo; use a "
				   "newer module" },
		{}
	};
	struct exo_env *env;
	const char *path;
	__u32 disk;
	int fd, rc;

	rc = take_args(cmd, argc, argv, 1);
	if (rc)
		return rc;
	path = argv[optind];
	rc = env_open(&env);
	if (rc)
		return rc;
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		rc = fail(-errno, NULL, "cannot open %s", path);
	} else {
		rc = exo_disk_attach(env, fd, &disk);
		if (rc)
			rc = fail(rc, why, "cannot attach %s", path);
		close(fd);
	}
	exo_env_close(env);
	return rc;
}

int disk_detach(const struct command *cmd, int argc, char **argv)
{
	static const struct why why[] = {
		{ EPERM, NEEDS_ROOT },
		{ EBUSY, "an extent of it is open; end the programs that use "
			 "it ('fuser -v /dev/exo')" },
		{ EINTR, "interrupted while waiting for I/O; it is still "
			 "attached" },
		{}
	};
	struct exo_disk_info disk;
	struct exo_env *env;
	int rc;

	rc = begin(cmd, argc, argv, 1, &env);
	if (rc)
		return rc;
	rc = disk_find(env, argv[optind], &disk);
	if (!rc) {
		rc = exo_disk_detach(env, disk.disk);
		if (rc)
			rc = fail(rc, why, "cannot detach %s", argv[optind]);
	}
	exo_env_close(env);
	return rc;
}

void disk_print(const struct exo_disk_info *disks, int nr)
{
	char uuid[40], size[16], free_bytes[16];
	int i;

	printf("%-16s %-10s %8s %8s %12s %5s  %s\n", "NAME", "DEVICE", "SIZE",
	       "FREE", "FREE-BLOCKS", "OPEN", "UUID");
	for (i = 0; i < nr; i++) {
		const struct exo_disk_info *d = &disks[i];

		human_bytes(d->nr_blocks * EXO_BLOCK_BYTES, size, sizeof(size));
		human_bytes(d->nr_free * EXO_BLOCK_BYTES, free_bytes,
			    sizeof(free_bytes));
		printf("%-16.32s %-10.32s %8s %8s %12" PRIu64 " %5u  %s\n",
		       (const char *)d->name, (const char *)d->path, size,
		       free_bytes, (uint64_t)d->nr_free, d->nr_open,
		       uuid_text(d->uuid, uuid));
	}
}

void disk_json(struct json *j, const struct exo_disk_info *disks, int nr)
{
	char uuid[40];
	int i;

	for (i = 0; i < nr; i++) {
		const struct exo_disk_info *d = &disks[i];

		json_open(j, NULL, '{');
		json_chars(j, "name", d->name, sizeof(d->name));
		json_chars(j, "device", d->path, sizeof(d->path));
		json_text(j, "uuid", uuid_text(d->uuid, uuid));
		json_u64(j, "nr_blocks", d->nr_blocks);
		json_u64(j, "first_block", d->first_block);
		json_u64(j, "end_block", d->end_block);
		json_u64(j, "nr_free", d->nr_free);
		json_u64(j, "nr_open", d->nr_open);
		json_close(j, '}');
	}
}

static void show_disks(const struct exo_disk_info *disks, int nr, bool json)
{
	struct json j = { .f = stdout };

	if (!json) {
		disk_print(disks, nr);
		return;
	}
	json_open_list(&j, "disks");
	disk_json(&j, disks, nr);
	json_close_list(&j);
}

int disk_list(const struct command *cmd, int argc, char **argv)
{
	struct exo_disk_info *disks = NULL;
	struct exo_env *env;
	bool json;
	int rc;

	rc = begin_json(cmd, argc, argv, 0, &json, &env);
	if (rc)
		return rc;
	rc = exo_disk_list(env, &disks);
	if (rc < 0) {
		rc = fail(rc, NULL, "cannot list the disks");
	} else {
		show_disks(disks, rc, json);
		rc = EXIT_OK;
	}
	free(disks);
	exo_env_close(env);
	return rc;
}

static const struct why grant_why[] = {
	{ EPERM, NEEDS_ROOT },
	{ ENOENT, "there is no such grant" },
	{}
};

/* Decodes "--blocks N | --size SIZE": 0 or EXIT_USAGE. */
static int grant_options(const struct command *cmd, int argc, char **argv,
			 uint64_t *nr_blocks)
{
	static const struct option options[] = {
		{ "blocks", required_argument, NULL, 'b' },
		{ "size", required_argument, NULL, 's' },
		{}
	};
	int c;

	*nr_blocks = 0;
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == '?')
			return bad_option(cmd, argv);
		if (c == 'b' ? !parse_number(optarg, UINT64_MAX, nr_blocks) :
			       !parse_blocks(optarg, nr_blocks))
			return usage(cmd, "'%s' is not a %s", optarg,
				     c == 'b' ? "number" : "size");
	}
	if (argc - optind != 2)
		return usage(cmd, "a disk and a user are wanted");
	if (!*nr_blocks)
		return usage(cmd, "how much? --blocks or --size is wanted");
	return 0;
}

static int change_grant(const char *which, const char *user, bool give,
			uint64_t nr_blocks)
{
	struct exo_disk_info disk;
	struct exo_env *env;
	uid_t uid;
	int rc;

	if (!parse_user(user, &uid))
		return fail(-ENOENT, NULL, "there is no user '%s'", user);
	rc = env_open(&env);
	if (rc)
		return rc;
	rc = disk_find(env, which, &disk);
	if (!rc) {
		rc = give ? exo_disk_grant(env, disk.disk, uid, nr_blocks) :
			    exo_disk_revoke(env, disk.disk, uid);
		if (rc)
			rc = fail(rc, grant_why, "cannot %s %s on disk %s",
				  give ? "grant blocks to" :
					 "revoke the grant of",
				  user, which);
	}
	exo_env_close(env);
	return rc;
}

int disk_grant(const struct command *cmd, int argc, char **argv)
{
	uint64_t nr_blocks;
	int rc;

	rc = grant_options(cmd, argc, argv, &nr_blocks);
	if (rc)
		return rc;
	return change_grant(argv[optind], argv[optind + 1], true, nr_blocks);
}

int disk_revoke(const struct command *cmd, int argc, char **argv)
{
	int rc = take_args(cmd, argc, argv, 2);

	if (rc)
		return rc;
	return change_grant(argv[optind], argv[optind + 1], false, 0);
}
