// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * exoctl report: what whoever looks into a bug wants to know, as one file.
 *
 * It goes to strangers, so it holds nothing of what is in extents, frames and
 * packets, and no names of users: lists are made of the numbers that everybody
 * may see.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "doctor.h"
#include "exoctl.h"
#include "metrics.h"
#include "root.h"

#define TOP		"exo-report"
#define UNREACHABLE	"the module cannot be reached"
#define KLOG_READ_ALL	3
#define KLOG_SIZE	10

/**
 * struct part - one file of the report
 * @name: of the file
 * @what: for whoever is asked to send it
 * @write: fills it; returns a reason why there is nothing, or NULL
 */
struct part {
	const char *name;
	const char *what;
	const char *(*write)(FILE *f);
};

static const char *write_doctor(FILE *f)
{
	doctor_print(f, "", false);
	return NULL;
}

static const char *write_versions(FILE *f)
{
	char line[256];
	struct utsname un;

	uname(&un);
	fprintf(f, "exoctl %s\nkernel %s %s %s\n", exo_version(), un.release,
		un.version, un.machine);
	if (root_line("", "/etc/debian_version", line, sizeof(line)))
		fprintf(f, "debian %s\n", line);
	fprintf(f, "processors %ld\n", sysconf(_SC_NPROCESSORS_ONLN));
	if (root_line("", "/proc/meminfo", line, sizeof(line)))
		fprintf(f, "%s\n", line);
	return NULL;
}

static const char *write_module(FILE *f)
{
	static const char *const files[] = {
		"/sys/module/exo/version", "/sys/module/exo/srcversion",
		"/sys/module/exo/taint", "/sys/module/exo/refcnt",
		"/sys/module/exo/coresize", "/proc/sys/kernel/tainted",
	};
	char line[256];
	size_t i;

	if (!root_exists("", "/sys/module/exo"))
		return "the module is not loaded";
	for (i = 0; i < sizeof(files) / sizeof(*files); i++)
		if (root_line("", files[i], line, sizeof(line)))
			fprintf(f, "%s %s\n", files[i], line);
	if (root_line("", "/sys/module/exo/parameters/page_limit_percent",
		      line, sizeof(line)))
		fprintf(f, "page_limit_percent %s\n", line);
	return NULL;
}

/* Written by the module, or about it; or the head of a complaint. */
static bool wanted_line(const char *line)
{
	static const char *const words[] = {
		"exo:", "[exo]", "exo ", "BUG:", "WARNING:", "Oops:", "RIP:",
	};
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (strstr(line, words[i]))
			return true;
	return false;
}

static const char *write_log(FILE *f)
{
	int room = klogctl(KLOG_SIZE, NULL, 0), nr;
	char *text, *line, *rest;

	text = room > 0 ? malloc(room + 1) : NULL;
	nr = text ? klogctl(KLOG_READ_ALL, text, room) : -1;
	if (nr < 0) {
		free(text);
		return "the kernel's log cannot be read: run it by sudo";
	}
	text[nr] = 0;
	rest = text;
	while ((line = strsep(&rest, "\n")))
		if (wanted_line(line))
			fprintf(f, "%s\n", line);
	free(text);
	return NULL;
}

static const char *write_status(FILE *f)
{
	struct facts facts;
	struct exo_env *env;
	int rc;

	if (exo_env_open(NULL, NULL, &env))
		return UNREACHABLE;
	rc = facts_read(&facts, env);
	if (!rc)
		metrics_print(f, &facts);
	facts_free(&facts);
	exo_env_close(env);
	return rc ? "the module does not answer" : NULL;
}

static void print_extents(FILE *f, struct exo_env *env,
			  const struct exo_disk_info *d)
{
	struct exo_extent_info *x = NULL;
	int i, nr = exo_extent_list(env, d->disk, &x);

	fprintf(f, "disk on %.32s, %" PRIu64 " blocks, extents %" PRIu64
		" to %" PRIu64 "\n", (const char *)d->path,
		(uint64_t)d->nr_blocks, (uint64_t)d->first_block,
		(uint64_t)d->end_block);
	if (nr < 0)
		fprintf(f, "  no list: %s\n", strerror(-nr));
	for (i = 0; i < nr; i++)
		fprintf(f, "  start %" PRIu64 " blocks %" PRIu64 " state %u\n",
			(uint64_t)x[i].start, (uint64_t)x[i].nr_blocks,
			x[i].state);
	free(x);
}

static const char *write_extents(FILE *f)
{
	struct exo_disk_info *disks = NULL;
	struct exo_env *env;
	int i, nr;

	if (exo_env_open(NULL, NULL, &env))
		return UNREACHABLE;
	nr = exo_disk_list(env, &disks);
	for (i = 0; i < nr; i++)
		print_extents(f, env, &disks[i]);
	free(disks);
	exo_env_close(env);
	return nr < 0 ? "the disks cannot be listed" : NULL;
}

static bool wanted_config(const char *line)
{
	static const char *const words[] = {
		"BPF", "IO_URING", "MODULE_SIG", "LOCK_DOWN", "PREEMPT",
		"MEMCG", "CGROUPS", "NAMESPACES", "NETFILTER", "NUMA", "KASAN",
		"LOCKDEP", "HZ", "SMP",
	};
	size_t i, length;

	if (strncmp(line, "CONFIG_", 7))
		return false;
	line += 7;
	for (i = 0; i < sizeof(words) / sizeof(*words); i++) {
		length = strlen(words[i]);
		if (!strncmp(line, words[i], length) &&
		    (line[length] == '=' || line[length] == '_'))
			return true;
	}
	return false;
}

static const char *write_config(FILE *f)
{
	char path[PATH_BYTES], line[512];
	struct utsname un;
	FILE *config;

	uname(&un);
	snprintf(path, sizeof(path), "/boot/config-%s", un.release);
	config = fopen(path, "re");
	if (!config)
		return "the kernel's configuration is not in /boot";
	while (fgets(line, sizeof(line), config))
		if (wanted_config(line))
			fputs(line, f);
	fclose(config);
	return NULL;
}

static const struct part parts[] = {
	{ "doctor.txt", "what 'exoctl doctor' says", write_doctor },
	{ "versions.txt", "versions of kernel, system and exo; size of the "
			  "machine", write_versions },
	{ "module.txt", "version and parameters of the module", write_module },
	{ "log.txt", "the kernel's messages that name exo", write_log },
	{ "metrics.txt", "counters, disks, network devices", write_status },
	{ "extents.txt", "places and lengths of extents, without names and "
			 "owners", write_extents },
	{ "config.txt", "how the kernel was configured, in what concerns exo",
	  write_config },
};

#define NR_PARTS	(sizeof(parts) / sizeof(*parts))

static void part_print(struct json *j, const struct part *p,
		       const char *missing)
{
	if (!j) {
		printf("  %-13s %s%s%s%s\n", p->name, p->what,
		       missing ? " (nothing: " : "", missing ? missing : "",
		       missing ? ")" : "");
		return;
	}
	json_open(j, NULL, '{');
	json_text(j, "name", p->name);
	json_text(j, "what", p->what);
	if (missing)
		json_text(j, "missing", missing);
	else
		json_null(j, "missing");
	json_close(j, '}');
}

static int write_part(const char *dir, const struct part *p, struct json *j)
{
	const char *missing;
	char path[PATH_BYTES];
	FILE *f;
	int rc;

	snprintf(path, sizeof(path), "%s/" TOP "/%s", dir, p->name);
	f = fopen(path, "wxe");
	if (!f)
		return fail(-errno, NULL, "cannot make %s", path);
	missing = p->write(f);
	if (missing)
		fprintf(f, "nothing: %s\n", missing);
	rc = ferror(f) ? -EIO : 0;
	if (fclose(f) && !rc)
		rc = -errno;
	if (rc)
		return fail(rc, NULL, "cannot write %s", path);
	part_print(j, p, missing);
	return 0;
}

static int run_tar(const char *dir, int fd)
{
	int status;
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (!pid) {
		if (dup2(fd, STDOUT_FILENO) >= 0)
			execlp("tar", "tar", "-C", dir, "-cz", "--owner=0",
			       "--group=0", TOP, NULL);
		_exit(127);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return -ENOENT;
	return status ? -EIO : 0;
}

static int pack(const char *dir, const char *file, int fd)
{
	static const struct why why[] = {
		{ ENOENT, "there is no tar; install the package tar" },
		{ EIO, "tar failed, see above; is the disk full?" },
		{}
	};
	int rc;

	fflush(stdout);
	rc = run_tar(dir, fd);
	return rc ? fail(rc, why, "cannot pack %s", file) : 0;
}

static void remove_parts(const char *dir)
{
	char path[PATH_BYTES];
	size_t i;

	for (i = 0; i < NR_PARTS; i++) {
		snprintf(path, sizeof(path), "%s/" TOP "/%s", dir,
			 parts[i].name);
		unlink(path);
	}
	snprintf(path, sizeof(path), "%s/" TOP, dir);
	rmdir(path);
	rmdir(dir);
}

static int write_parts(const char *dir, struct json *j)
{
	char path[PATH_BYTES];
	size_t i;
	int rc = 0;

	snprintf(path, sizeof(path), "%s/" TOP, dir);
	if (mkdir(path, 0700))
		return fail(-errno, NULL, "cannot make %s", path);
	for (i = 0; i < NR_PARTS && !rc; i++)
		rc = write_part(dir, &parts[i], j);
	return rc;
}

static int gather(const char *file, int fd, struct json *j)
{
	char dir[] = "/tmp/exo-report.XXXXXX";
	int rc;

	if (!mkdtemp(dir))
		return fail(-errno, NULL, "cannot make a directory in /tmp");
	rc = write_parts(dir, j);
	if (!rc)
		rc = pack(dir, file, fd);
	remove_parts(dir);
	return rc;
}

static void print_head(const char *file, struct json *j)
{
	if (!j) {
		printf("%s holds:\n", file);
		return;
	}
	json_open(j, NULL, '{');
	json_text(j, "file", file);
	json_open(j, "parts", '[');
}

static void print_end(struct json *j)
{
	if (!j) {
		printf("Nothing of what is in extents, frames and packets, and "
		       "no names of users. Look through it before you send "
		       "it.\n");
		return;
	}
	json_close(j, ']');
	json_close(j, '}');
}

/* An object that is begun is ended, whether the report is made or not. */
static int make_report(const char *file, struct json *j)
{
	static const struct why why[] = {
		{ EEXIST, "it is there already; give another name" },
		{}
	};
	int fd, rc;

	/* The kernel's log is not for everybody. */
	fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return fail(-errno, why, "cannot make %s", file);
	print_head(file, j);
	rc = gather(file, fd, j);
	if (close(fd) && !rc)
		rc = fail(-errno, NULL, "cannot write %s", file);
	if (rc)
		unlink(file);
	if (!rc || j)
		print_end(j);
	return rc;
}

int report(const struct command *cmd, int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{}
	};
	struct json j = { .f = stdout };
	time_t now = time(NULL);
	bool json = false;
	char name[64];
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == '?')
			return bad_option(cmd, argv);
		json = true;
	}
	if (argc - optind > 1)
		return usage(cmd, "one file at most");
	strftime(name, sizeof(name), TOP "-%Y%m%d-%H%M%S.tar.gz",
		 localtime(&now));
	return make_report(optind < argc ? argv[optind] : name,
			   json ? &j : NULL);
}
