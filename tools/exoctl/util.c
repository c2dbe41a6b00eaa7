// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Errors, numbers and names, as people write and read them.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "exoctl.h"

#define MAX_TIMEOUT_MS	3600000		/* the module's */

/**
 * fail() - say what failed, on what, and what to do
 * @rc: -errno
 * @why: this command's meanings, or NULL
 * @fmt: "cannot attach %s"
 *
 * Return: EXIT_FAILED.
 */
int fail(int rc, const struct why *why, const char *fmt, ...)
{
	va_list ap;

	fputs("exoctl: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	while (why && why->err && why->err != -rc)
		why++;
	fprintf(stderr, ": %s\n",
		why && why->err ? why->text : strerror(-rc));
	return EXIT_FAILED;
}

/**
 * usage() - say how a command is called
 * @cmd: the command
 * @fmt: what is wrong
 *
 * Return: EXIT_USAGE.
 */
int usage(const struct command *cmd, const char *fmt, ...)
{
	va_list ap;

	fputs("exoctl: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\nusage: exoctl %s%s%s%s%s\n", cmd->noun,
		cmd->verb ? " " : "", cmd->verb ? cmd->verb : "",
		*cmd->args ? " " : "", cmd->args);
	return EXIT_USAGE;
}

/**
 * bad_option() - getopt_long(3) said '?'
 * @cmd: the command
 * @argv: what it looked at
 *
 * Return: EXIT_USAGE.
 */
int bad_option(const struct command *cmd, char **argv)
{
	return usage(cmd, "'%s' is no option of it, or lacks its value",
		     argv[optind - 1]);
}

/**
 * take_args() - check that a command without options got its arguments
 * @cmd: the command
 * @argc: as for main()
 * @argv: as for main()
 * @nr: how many it takes; they stand at argv[optind]
 *
 * Return: 0 or EXIT_USAGE.
 */
int take_args(const struct command *cmd, int argc, char **argv, int nr)
{
	static const struct option none[] = { {} };

	if (getopt_long(argc, argv, "", none, NULL) != -1)
		return bad_option(cmd, argv);
	if (argc - optind != nr)
		return usage(cmd, "%d argument%s wanted, %d given", nr,
			     nr == 1 ? "" : "s", argc - optind);
	return 0;
}

/**
 * take_json_args() - the same for one that has the option --json alone
 * @cmd: the command
 * @argc: as for main()
 * @argv: as for main()
 * @nr: how many arguments it takes
 * @json: the option was there
 *
 * Return: 0 or EXIT_USAGE.
 */
int take_json_args(const struct command *cmd, int argc, char **argv, int nr,
		   bool *json)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{}
	};
	int c;

	*json = false;
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == '?')
			return bad_option(cmd, argv);
		*json = true;
	}
	return take_args(cmd, argc, argv, nr);
}

/**
 * take_timeout() - the value of --timeout
 * @cmd: the command
 * @text: as the user wrote it
 * @ms: set to it
 *
 * Return: 0 or EXIT_USAGE.
 */
int take_timeout(const struct command *cmd, const char *text, uint64_t *ms)
{
	if (parse_number(text, MAX_TIMEOUT_MS, ms))
		return 0;
	return usage(cmd, "'%s' is no time up to %d ms", text, MAX_TIMEOUT_MS);
}

bool parse_number(const char *text, uint64_t max, uint64_t *out)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*out = strtoull(text, &end, 10);
	return !errno && !*end && *out <= max;
}

/* "4096", "64K", "100M", "2G", "1T": powers of 1,024 */
bool parse_bytes(const char *text, uint64_t *out)
{
	static const char units[] = "KMGT";
	size_t digits = strspn(text, "0123456789");
	const char *unit = NULL;
	char number[24] = "";
	int shift = 0;

	if (!digits || digits >= sizeof(number))
		return false;
	memcpy(number, text, digits);
	if (text[digits]) {
		unit = strchr(units, text[digits]);
		if (!unit || text[digits + 1])
			return false;
		shift = 10 * (int)(unit - units + 1);
	}
	if (!parse_number(number, UINT64_MAX >> shift, out))
		return false;
	*out <<= shift;
	return true;
}

/* A size in bytes, rounded up to blocks. */
bool parse_blocks(const char *text, uint64_t *out)
{
	uint64_t bytes;

	if (!parse_bytes(text, &bytes))
		return false;
	*out = bytes / EXO_BLOCK_BYTES + !!(bytes % EXO_BLOCK_BYTES);
	return true;
}

/* A name, or a number; a name that looks like a number counts as the name. */
bool parse_user(const char *text, uid_t *out)
{
	struct passwd *pw = getpwnam(text);
	uint64_t uid;

	if (pw) {
		*out = pw->pw_uid;
		return true;
	}
	if (!parse_number(text, (uid_t)-2, &uid))
		return false;
	*out = (uid_t)uid;
	return true;
}

const char *user_name(uid_t uid, char *buf, size_t bytes)
{
	struct passwd *pw = getpwuid(uid);

	if (pw)
		snprintf(buf, bytes, "%s", pw->pw_name);
	else
		snprintf(buf, bytes, "%u", uid);
	return buf;
}

const char *human_bytes(uint64_t bytes, char *buf, size_t buf_bytes)
{
	static const char units[] = "BKMGTPE";
	double value = (double)bytes;
	int unit = 0;

	for (; value >= 1024 && units[unit + 1]; unit++)
		value /= 1024;
	snprintf(buf, buf_bytes, unit && value < 10 ? "%.1f%c" : "%.0f%c",
		 value, units[unit]);
	return buf;
}

const char *uuid_text(const uint8_t *uuid, char *buf)
{
	char *p = buf;
	int i;

	for (i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*p++ = '-';
		p += sprintf(p, "%02x", uuid[i]);
	}
	return buf;
}
