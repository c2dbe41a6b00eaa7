// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* Checks of the module. */
#include <string.h>

#include <exo/exo.h>

#include "doctor.h"

static void check_installed(const char *root, struct finding *f)
{
	char release[96] = "unknown", other[96];

	root_release(root, release, sizeof(release));
	if (root_installed(root, release, other, sizeof(other))) {
		found(f, LEVEL_OK, "installed for Linux %s", release);
		return;
	}
	if (root_exists(root, "/sys/module/exo")) {
		found(f, LEVEL_WARN, "loaded, but not installed for Linux %s: "
		      "it is gone after the next boot", release);
		advise(f, "run 'make dkms-install' as root");
		return;
	}
	if (root_installed(root, "*", other, sizeof(other))) {
		found(f, LEVEL_FAIL, "installed for Linux %s, not for %s",
		      other, release);
		advise(f, "install the package linux-headers-%s, then run "
		       "'dkms autoinstall' as root", release);
		return;
	}
	found(f, LEVEL_FAIL, "not installed");
	advise(f, "run 'make dkms-install' as root");
}

static void check_loaded(const char *root, struct finding *f)
{
	char release[96] = "", other[96];

	if (root_exists(root, "/sys/module/exo")) {
		found(f, LEVEL_OK, "loaded");
		return;
	}
	found(f, LEVEL_FAIL, "not loaded");
	root_release(root, release, sizeof(release));
	if (root_installed(root, release, other, sizeof(other)))
		advise(f, "run 'modprobe exo' as root; 'dmesg' says why if it "
		       "fails");
	else
		advise(f, "it has to be installed first, see above");
}

static void check_version(const char *root, struct finding *f)
{
	const char *own = exo_version();
	char version[64];

	if (!root_exists(root, "/sys/module/exo")) {
		found(f, LEVEL_OK, "exoctl is %s; no module is loaded", own);
		return;
	}
	if (!root_line(root, "/sys/module/exo/version", version,
		       sizeof(version)))
		strcpy(version, "unknown");
	found(f, LEVEL_OK, "module %s, exoctl %s", version, own);
	if (!strcmp(version, own))
		return;
	f->level = LEVEL_WARN;
	advise(f, "if the module is the older one: install the other, end the "
	       "programs that use exo, 'rmmod exo', 'modprobe exo'");
}

static unsigned long memory_mib(const char *root)
{
	char line[128];
	unsigned long kib;

	if (!root_line(root, "/proc/meminfo", line, sizeof(line)) ||
	    sscanf(line, "MemTotal: %lu kB", &kib) != 1)
		return 0;
	return kib / 1024;
}

static void check_limit(const char *root, struct finding *f)
{
	long percent = root_number(root,
			"/sys/module/exo/parameters/page_limit_percent", -1);

	if (percent < 0) {
		found(f, LEVEL_OK, "unknown while the module is not loaded");
		return;
	}
	found(f, LEVEL_OK, "page_limit_percent %ld: frames of all users hold "
	      "at most %lu MiB", percent, memory_mib(root) * percent / 100);
	if (percent >= 5 && percent <= 75)
		return;
	f->level = LEVEL_WARN;
	advise(f, "%s: set it in /etc/modprobe.d/exo.conf, load the module "
	       "again", percent < 5 ? "little can be done with that" :
				      "that leaves little to Linux");
}

const struct check doctor_module[] = {
	{ "installed", check_installed },
	{ "loaded", check_loaded },
	{ "version", check_version },
	{ "page-limit", check_limit },
	{}
};
