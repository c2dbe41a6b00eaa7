// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Opening /dev/exo, and saying what to do when that fails.
 */
#include <errno.h>
#include <grp.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "exoctl.h"
#include "root.h"

static void advise_missing(void)
{
	char other[128];
	struct utsname un;

	uname(&un);
	if (root_exists("", "/sys/module/exo"))
		fputs("The module is loaded, but " EXO_DEVICE_PATH " is not "
		      "there: is /dev a devtmpfs, and does this container see "
		      "it?\n", stderr);
	else if (root_installed("", un.release, other, sizeof(other)))
		fputs("The module is not loaded: run 'modprobe exo' as root.\n",
		      stderr);
	else if (root_installed("", "*", other, sizeof(other)))
		fprintf(stderr, "The module is installed for Linux %s, but "
			"this is %s: build it for this kernel, or boot that "
			"one.\n", other, un.release);
	else
		fprintf(stderr, "The module is neither loaded nor installed "
			"for Linux %s: run 'make dkms-install' as root, then "
			"'modprobe exo'. 'exoctl doctor' says more.\n",
			un.release);
}

static void advise_denied(void)
{
	struct group *gr = NULL;
	struct stat st;

	if (!stat(EXO_DEVICE_PATH, &st))
		gr = getgrgid(st.st_gid);
	if (gr && st.st_gid && (st.st_mode & 0060) == 0060)
		fprintf(stderr, "The group %s may open it: run 'adduser USER "
			"%s' as root, then log in again.\n", gr->gr_name,
			gr->gr_name);
	else
		fputs("Only root may open it: install "
		      "tools/packaging/60-exo.rules to give it to the group "
		      "exo.\n", stderr);
}

/**
 * env_open() - open /dev/exo or say what to do
 * @env: the env
 *
 * Return: 0 or EXIT_FAILED.
 */
int env_open(struct exo_env **env)
{
	int rc = exo_env_open(NULL, NULL, env);

	if (!rc)
		return 0;
	fail(rc, NULL, "cannot open " EXO_DEVICE_PATH);
	if (rc == -ENOENT || rc == -ENXIO || rc == -ENODEV)
		advise_missing();
	else if (rc == -EACCES || rc == -EPERM)
		advise_denied();
	else if (rc == -ENOTTY || rc == -EPROTO)
		fputs("It is not exo's device, or the module does not speak "
		      "this program's language: 'ls -l " EXO_DEVICE_PATH "', "
		      "'dmesg'.\n", stderr);
	return EXIT_FAILED;
}

/**
 * begin() - take_args(), then env_open()
 * @cmd: the command
 * @argc: as for main()
 * @argv: as for main()
 * @nr: how many arguments it takes; they stand at argv[optind]
 * @env: the env, to be closed if 0 comes back
 *
 * Return: 0, EXIT_USAGE or EXIT_FAILED.
 */
int begin(const struct command *cmd, int argc, char **argv, int nr,
	  struct exo_env **env)
{
	int rc = take_args(cmd, argc, argv, nr);

	return rc ? rc : env_open(env);
}

/**
 * begin_json() - take_json_args(), then env_open()
 * @cmd: the command
 * @argc: as for main()
 * @argv: as for main()
 * @nr: how many arguments it takes
 * @json: the option was there
 * @env: the env, to be closed if 0 comes back
 *
 * Return: 0, EXIT_USAGE or EXIT_FAILED.
 */
int begin_json(const struct command *cmd, int argc, char **argv, int nr,
	       bool *json, struct exo_env **env)
{
	int rc = take_json_args(cmd, argc, argv, nr, json);

	return rc ? rc : env_open(env);
}
