// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * cheetah-pack: put a folder of files into an extent, for cheetah to serve
 *
 *   cheetah-pack [--replace] [--mode MODE] DIR DISK:NAME
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <exo/exo.h>

#include "pack.h"
#include "site.h"

#define BUFFER_PAGES	64

struct job {
	const char *dir;
	const char *target;
	bool replace;
	unsigned int mode;
	bool tty;
	int percent;
	struct pack pack;
};

/* Blocks go through a frame: written, waited for, the next. */
struct disk_sink {
	struct pack_sink sink;
	struct exo_extent extent;
	struct exo_frame frame;
};

static const char usage[] =
	"usage: cheetah-pack [OPTION]... DIR DISK:NAME\n"
	"Pack the files of DIR into the extent NAME of DISK, for cheetah.\n"
	"  -r, --replace    delete an extent of that name first\n"
	"  -m, --mode MODE  permissions of the extent, octal (default 600)\n"
	"  -h, --help       this text\n";

__attribute__((format(printf, 1, 2)))
static int complain(const char *format, ...)
{
	va_list ap;

	fputs("cheetah-pack: ", stderr);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
	return 1;
}

static int disk_write(struct pack_sink *sink, uint64_t block, const void *data,
		      uint32_t nr_blocks)
{
	struct disk_sink *d = (struct disk_sink *)sink;
	const char *p = data;
	struct exo_io io;
	uint32_t n;
	int rc;

	for (; nr_blocks; nr_blocks -= n, block += n) {
		n = nr_blocks < BUFFER_PAGES ? nr_blocks : BUFFER_PAGES;
		memcpy(d->frame.addr, p, n * DOC_BLOCK_BYTES);
		p += n * DOC_BLOCK_BYTES;
		exo_io_prep_write(&io, &d->extent, block, n, &d->frame, 0, 0, 0);
		rc = exo_io_sync(d->extent.env, &io);
		if (rc < 0)
			return rc;
		if ((uint32_t)rc != n * DOC_BLOCK_BYTES)
			return -EIO;
	}
	return 0;
}

static int disk_flush(struct pack_sink *sink)
{
	struct disk_sink *d = (struct disk_sink *)sink;
	struct exo_io io;
	int rc;

	exo_io_prep_flush(&io, &d->extent, 0);
	rc = exo_io_sync(d->extent.env, &io);
	return rc < 0 ? rc : 0;
}

static void on_note(void *ctx, const char *path, const char *what)
{
	(void)ctx;
	fprintf(stderr, "cheetah-pack: left out %s: %s\n", path, what);
}

/* A bar on a terminal, a line each quarter elsewhere. */
static void on_progress(void *ctx, uint64_t bytes)
{
	struct job *job = ctx;
	uint64_t all = (uint64_t)job->pack.nr_chunks * DOC_CHUNK_BYTES;
	int percent = all ? bytes * 100 / all : 100;
	static const char bar[] = "########################################";

	if (percent == job->percent)
		return;
	if (job->tty)
		fprintf(stderr, "\r[%-40.*s] %3d %%%s", percent * 2 / 5, bar,
			percent, percent == 100 ? "\n" : "");
	else if (percent / 25 != job->percent / 25)
		fprintf(stderr, "cheetah-pack: %d %% of %llu MiB\n", percent,
			(unsigned long long)(all >> 20));
	job->percent = percent;
}

static int delete_old(struct exo_env *env, const struct exo_disk_info *disk,
		      const char *name)
{
	struct exo_extent old;
	int rc;

	rc = exo_extent_open(env, disk->disk, name, EXO_RIGHT_WRITE, &old);
	if (rc == -ENOENT)
		return 0;
	if (rc)
		return complain("cannot open the old %s: %s", name,
				strerror(-rc));
	rc = exo_extent_delete(&old);
	if (!rc)
		return 0;
	exo_extent_close(&old);
	return complain("cannot delete the old %s: %s%s", name, strerror(-rc),
			rc == -EBUSY ? "; stop the server that uses it" : "");
}

static const char *hint(int rc)
{
	switch (rc) {
	case -EEXIST:
		return "; --replace deletes the one that is there";
	case -EPERM:
		return "; ask the administrator for: exoctl disk grant";
	case -EDQUOT:
		return "; the grant (exoctl disk grant) allows no more blocks";
	case -ENOSPC:
		return "; exoctl extent list shows what takes the room";
	default:
		return "";
	}
}

static int create(struct job *job, struct exo_env *env,
		  struct exo_extent *extent)
{
	struct exo_disk_info disk;
	char name[64];
	const char *extent_name;
	int rc;

	if (site_split(job->target, name, sizeof(name), &extent_name))
		return complain("%s does not look like DISK:NAME", job->target);
	rc = exo_disk_find(env, name, &disk);
	if (rc)
		return complain("disk %s: %s; exoctl disk list shows those attached",
				name, strerror(-rc));
	if (job->replace && delete_old(env, &disk, extent_name))
		return 1;
	rc = exo_extent_create(env, &disk, extent_name, job->pack.nr_blocks,
			       job->mode, extent);
	if (rc)
		return complain("cannot create %s with %llu blocks: %s%s",
				job->target,
				(unsigned long long)job->pack.nr_blocks,
				strerror(-rc), hint(rc));
	return 0;
}

static int pack_failed(struct job *job, const char *doing, int rc)
{
	const char *path = job->pack.failed_path;

	return complain("%s %s%s%s: %s", doing, job->dir, path ? "/" : "",
			path ? path : "",
			rc == -ESTALE ? "it changed meanwhile" : strerror(-rc));
}

static int fill(struct job *job, struct disk_sink *d)
{
	int rc;

	rc = exo_frame_alloc(d->extent.env, BUFFER_PAGES, 0, &d->frame);
	if (rc)
		return complain("cannot allocate a buffer: %s%s", strerror(-rc),
				rc == -EDQUOT ? "; raise ulimit -l" : "");
	rc = pack_build(&job->pack, &d->sink);
	exo_frame_free(&d->frame);
	return rc ? pack_failed(job, "cannot pack", rc) : 0;
}

static int write_pack(struct job *job)
{
	struct disk_sink d = {
		.sink = { .write = disk_write, .flush = disk_flush },
	};
	struct exo_env *env;
	int rc;

	rc = exo_env_open(NULL, NULL, &env);
	if (rc)
		return complain("cannot open " EXO_DEVICE_PATH ": %s%s",
				strerror(-rc), rc == -ENOENT ?
				"; is the exo module loaded?" : "");
	rc = create(job, env, &d.extent);
	if (!rc) {
		rc = fill(job, &d);
		/* Half a pack is of no use; what is left is refused anyway. */
		if (rc)
			exo_extent_delete(&d.extent);
		else
			exo_extent_close(&d.extent);
	}
	exo_env_close(env);
	return rc;
}

static int run(struct job *job)
{
	struct pack *pack = &job->pack;
	int fd, rc;

	fd = open(job->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return complain("%s: %s", job->dir, strerror(errno));
	pack_init(pack, fd);
	pack->note = on_note;
	pack->progress = on_progress;
	pack->ctx = job;
	rc = pack_scan(pack);
	if (!rc)
		rc = pack_plan(pack);
	rc = rc ? pack_failed(job, "cannot read", rc) : write_pack(job);
	if (!rc)
		printf("%s: %u files, %llu MiB, in %u chunks of 64 KiB\n",
		       job->target, pack->nr_files,
		       (unsigned long long)(pack->data_bytes >> 20),
		       pack->nr_chunks);
	pack_free(pack);
	close(fd);
	return rc;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "replace", no_argument, NULL, 'r' },
		{ "mode", required_argument, NULL, 'm' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	struct job job = { .mode = 0600, .percent = -1 };
	char *end;
	int c;

	while ((c = getopt_long(argc, argv, "rm:h", options, NULL)) >= 0) {
		switch (c) {
		case 'r':
			job.replace = true;
			break;
		case 'm':
			job.mode = strtoul(optarg, &end, 8);
			if (*end || end == optarg || job.mode & ~0666U)
				return complain("bad mode %s", optarg);
			break;
		case 'h':
			fputs(usage, stdout);
			return 0;
		default:
			fputs(usage, stderr);
			return 2;
		}
	}
	if (argc - optind != 2) {
		fputs(usage, stderr);
		return 2;
	}
	job.dir = argv[optind];
	job.target = argv[optind + 1];
	job.tty = isatty(STDERR_FILENO);
	return run(&job);
}
