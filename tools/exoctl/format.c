// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * exoctl disk format: make a block device an empty exo disk.
 *
 * Order: the old label goes first, the new label comes last, with the device's
 * cache flushed between: a disk whose formatting was cut short has no label, so
 * it is refused instead of being read half old, half new.
 */
#include <blkid/blkid.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "exoctl.h"
#include "json.h"
#include "label.h"

/**
 * struct job - one call of "disk format"
 * @path: the device
 * @name: for the label
 * @nr_slots: of the catalogue
 * @force: overwrite what is there
 * @json: say for programs what was made
 * @fd: the device, open exclusively
 * @is_block: a block device, not a file
 * @layout: where things go
 */
struct job {
	const char *path;
	const char *name;
	uint32_t nr_slots;
	bool force;
	bool json;
	int fd;
	bool is_block;
	struct layout layout;
};

#define SLOTS_DEFAULT	64

/* 0 or -errno */
static int block_write(const struct job *job, uint64_t block, const void *data)
{
	off_t at = (off_t)(block * EXO_BLOCK_BYTES);
	ssize_t n = pwrite(job->fd, data, EXO_BLOCK_BYTES, at);

	if (n < 0)
		return -errno;
	return n == EXO_BLOCK_BYTES ? 0 : -EIO;
}

static int block_read(const struct job *job, uint64_t block, void *data)
{
	off_t at = (off_t)(block * EXO_BLOCK_BYTES);
	ssize_t n = pread(job->fd, data, EXO_BLOCK_BYTES, at);

	if (n < 0)
		return -errno;
	return n == EXO_BLOCK_BYTES ? 0 : -EIO;
}

static int device_size(struct job *job, uint64_t *bytes)
{
	struct stat st;

	if (fstat(job->fd, &st))
		return -errno;
	job->is_block = S_ISBLK(st.st_mode);
	if (S_ISREG(st.st_mode)) {
		*bytes = (uint64_t)st.st_size;
		return 0;
	}
	if (!job->is_block)
		return -ENOTBLK;
	return ioctl(job->fd, BLKGETSIZE64, bytes) ? -errno : 0;
}

static uint64_t slot_block(const struct layout *layout, uint32_t index,
			   int copy)
{
	return layout->catalogue_start + 2 * (uint64_t)index + copy;
}

static int write_slots(const struct job *job)
{
	struct exo_slot slot;
	int copy, rc;
	uint32_t i;

	for (i = 0; i < job->layout.nr_slots; i++) {
		slot_make(&slot, &job->layout, i);
		for (copy = 0; copy < 2; copy++) {
			rc = block_write(job,
					 slot_block(&job->layout, i, copy),
					 &slot);
			if (rc)
				return rc;
		}
	}
	return 0;
}

/* Both copies of the label, then to stable storage. */
static int write_labels(const struct job *job, const void *block)
{
	int copy, rc;

	for (copy = 0; copy < 2; copy++) {
		rc = block_write(job, copy, block);
		if (rc)
			return rc;
	}
	return fsync(job->fd) ? -errno : 0;
}

static int write_all(const struct job *job)
{
	static const char zeroes[EXO_BLOCK_BYTES];
	struct exo_label label;
	int rc;

	rc = write_labels(job, zeroes);
	if (!rc)
		rc = write_slots(job);
	if (!rc && fsync(job->fd))
		rc = -errno;
	if (rc)
		return rc;
	label_make(&label, &job->layout);
	return write_labels(job, &label);
}

/* Read again what was written, from the device and not from the cache. */
static int verify_all(const struct job *job)
{
	union {
		struct exo_label label;
		struct exo_slot slot;
	} b;
	struct exo_label want;
	uint32_t i;
	int rc;

	if (job->is_block && ioctl(job->fd, BLKFLSBUF, 0) && errno != EACCES)
		return -errno;
	label_make(&want, &job->layout);
	for (i = 0; i < 2; i++) {
		rc = block_read(job, i, &b);
		if (rc)
			return rc;
		if (memcmp(&b.label, &want, sizeof(want)))
			return -EUCLEAN;
	}
	for (i = 0; i < 2 * job->layout.nr_slots; i++) {
		rc = block_read(job, job->layout.catalogue_start + i, &b);
		if (rc)
			return rc;
		if (!slot_valid(&b.slot, &job->layout, i / 2))
			return -EUCLEAN;
	}
	return 0;
}

static const char *probe_value(blkid_probe probe, const char *key)
{
	const char *value = NULL;

	if (blkid_probe_lookup_value(probe, key, &value, NULL))
		return NULL;
	return value;
}

/* What libblkid sees, in words; false: nothing */
static bool describe_foreign(blkid_probe probe, char *buf, size_t bytes)
{
	const char *type, *table, *label;
	int rc;

	rc = blkid_do_safeprobe(probe);
	if (rc == 1)
		return false;
	type = probe_value(probe, "TYPE");
	table = probe_value(probe, "PTTYPE");
	label = probe_value(probe, "LABEL");
	if (rc == -2)
		snprintf(buf, bytes, "traces of several file systems");
	else if (rc)
		snprintf(buf, bytes, "something libblkid cannot read");
	else if (type)
		snprintf(buf, bytes, "%s%s%s%s", type, label ? " \"" : "",
			 label ? label : "", label ? "\"" : "");
	else
		snprintf(buf, bytes, "a partition table (%s)",
			 table ? table : "unknown");
	return true;
}

static bool describe_exo(const struct job *job, char *buf, size_t bytes)
{
	struct exo_label label;
	int copy;

	for (copy = 0; copy < 2; copy++) {
		if (block_read(job, copy, &label) || !label_valid(&label))
			continue;
		snprintf(buf, bytes, "an exo disk named %.*s",
			 EXO_NAME_BYTES - 1, (const char *)label.name);
		return true;
	}
	return false;
}

static blkid_probe probe_open(const struct job *job)
{
	blkid_probe probe = blkid_new_probe();

	if (!probe)
		return NULL;
	if (blkid_probe_set_device(probe, job->fd, 0, 0)) {
		blkid_free_probe(probe);
		return NULL;
	}
	blkid_probe_enable_superblocks(probe, 1);
	blkid_probe_set_superblocks_flags(probe, BLKID_SUBLKS_TYPE |
					  BLKID_SUBLKS_LABEL |
					  BLKID_SUBLKS_MAGIC);
	blkid_probe_enable_partitions(probe, 1);
	blkid_probe_set_partitions_flags(probe, BLKID_PARTS_MAGIC);
	return probe;
}

/* Takes away what would let others still see a file system further inside. */
static int wipe_foreign(blkid_probe probe)
{
	int rc;

	blkid_reset_probe(probe);
	while ((rc = blkid_do_probe(probe)) == 0)
		if (blkid_do_wipe(probe, 0))
			return -EIO;
	return rc < 0 ? -EIO : 0;
}

/* Is the device empty, or may we empty it? 0 or EXIT_FAILED. */
static int make_room(const struct job *job)
{
	blkid_probe probe = probe_open(job);
	char what[128];
	bool found;
	int rc = 0;

	if (!probe)
		return fail(-ENOMEM, NULL, "cannot look at %s", job->path);
	found = describe_exo(job, what, sizeof(what)) ||
		describe_foreign(probe, what, sizeof(what));
	if (found && !job->force) {
		fprintf(stderr, "exoctl: %s holds %s; --force overwrites it\n",
			job->path, what);
		rc = EXIT_FAILED;
	} else if (found) {
		rc = wipe_foreign(probe);
		if (rc)
			rc = fail(rc, NULL, "cannot wipe %s off %s", what,
				  job->path);
	}
	blkid_free_probe(probe);
	return rc;
}

static int plan(struct job *job)
{
	uint64_t bytes;
	int rc;

	rc = device_size(job, &bytes);
	if (rc)
		return fail(rc, NULL, "cannot format %s", job->path);
	rc = layout_plan(&job->layout, bytes, job->nr_slots, job->name);
	if (rc)
		return fail(rc, NULL, "%s is too small for %u slots",
			    job->path, job->nr_slots);
	if (getrandom(job->layout.uuid, sizeof(job->layout.uuid), 0) !=
	    sizeof(job->layout.uuid))
		return fail(-EIO, NULL, "cannot make a UUID");
	/* RFC 4122 section 4.4: version 4, made of random bits */
	job->layout.uuid[6] = (job->layout.uuid[6] & 0x0f) | 0x40;
	job->layout.uuid[8] = (job->layout.uuid[8] & 0x3f) | 0x80;
	return 0;
}

static void print_job(const struct job *job)
{
	char uuid[40], size[16];

	human_bytes((job->layout.data_end - job->layout.data_start) *
		    EXO_BLOCK_BYTES, size, sizeof(size));
	printf("%s is now the exo disk %s (UUID %s), %s for up to %u extents\n",
	       job->path, job->name, uuid_text(job->layout.uuid, uuid), size,
	       job->nr_slots * EXO_SLOT_ENTRIES);
}

static void json_job(const struct job *job)
{
	struct json j = { .f = stdout };
	char uuid[40];

	json_open(&j, NULL, '{');
	json_text(&j, "device", job->path);
	json_text(&j, "name", job->name);
	json_text(&j, "uuid", uuid_text(job->layout.uuid, uuid));
	json_u64(&j, "nr_blocks", job->layout.nr_blocks);
	json_u64(&j, "first_block", job->layout.data_start);
	json_u64(&j, "end_block", job->layout.data_end);
	json_u64(&j, "max_extents", job->nr_slots * EXO_SLOT_ENTRIES);
	json_close(&j, '}');
}

static int format(struct job *job)
{
	int rc;

	rc = plan(job);
	if (!rc)
		rc = make_room(job);
	if (rc)
		return rc;
	rc = write_all(job);
	if (rc)
		return fail(rc, NULL, "cannot write to %s", job->path);
	rc = verify_all(job);
	if (rc == -EUCLEAN)
		return fail(-EIO, NULL, "%s does not hold what was written",
			    job->path);
	if (rc)
		return fail(rc, NULL, "cannot read %s again", job->path);
	if (job->json)
		json_job(job);
	else
		print_job(job);
	return EXIT_OK;
}

static int format_options(const struct command *cmd, int argc, char **argv,
			  struct job *job)
{
	static const struct option options[] = {
		{ "name", required_argument, NULL, 'n' },
		{ "slots", required_argument, NULL, 's' },
		{ "force", no_argument, NULL, 'f' },
		{ "json", no_argument, NULL, 'j' },
		{}
	};
	uint64_t nr_slots = SLOTS_DEFAULT;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == '?')
			return bad_option(cmd, argv);
		if (c == 'n')
			job->name = optarg;
		else if (c == 'f')
			job->force = true;
		else if (c == 'j')
			job->json = true;
		else if (!parse_number(optarg, EXO_MAX_SLOTS, &nr_slots) ||
			 !nr_slots)
			return usage(cmd, "--slots takes 1 to %u",
				     EXO_MAX_SLOTS);
	}
	if (argc - optind != 1)
		return usage(cmd, "one device is wanted");
	if (!job->name || !name_valid(job->name))
		return usage(cmd, "--name with 1 to 31 of A-Z a-z 0-9 . _ - is "
			     "wanted");
	job->path = argv[optind];
	job->nr_slots = (uint32_t)nr_slots;
	return 0;
}

int disk_format(const struct command *cmd, int argc, char **argv)
{
	static const struct why why[] = {
		{ EBUSY, "it is mounted, attached, or in use by another "
			 "program ('lsblk', 'exoctl disk list')" },
		{ EACCES, "you may not write to it; run it by sudo" },
		{}
	};
	struct job job = { .fd = -1 };
	int rc;

	rc = format_options(cmd, argc, argv, &job);
	if (rc)
		return rc;
	job.fd = open(job.path, O_RDWR | O_EXCL | O_CLOEXEC);
	if (job.fd < 0)
		return fail(-errno, why, "cannot open %s", job.path);
	rc = format(&job);
	if (close(job.fd) && !rc)
		rc = fail(-errno, NULL, "cannot close %s", job.path);
	return rc;
}
