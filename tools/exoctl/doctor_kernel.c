// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* Checks of the kernel and its settings. */
#include <string.h>

#include "doctor.h"

#define OLDEST		"6.1"
#define NEWEST_TRIED	"7.2"	/* Debian sid, see tools/check */

/* "6.12.3-amd64" as 6012; 0 if it is no release */
static unsigned int release_number(const char *release)
{
	unsigned int major, minor;

	if (sscanf(release, "%u.%u", &major, &minor) != 2 || minor > 999)
		return 0;
	return major * 1000 + minor;
}

static void check_kernel(const char *root, struct finding *f)
{
	unsigned int number;
	char release[96];

	if (!root_release(root, release, sizeof(release)))
		strcpy(release, "unknown");
	number = release_number(release);
	found(f, LEVEL_OK, "Linux %s", release);
	if (number < release_number(OLDEST)) {
		f->level = LEVEL_FAIL;
		advise(f, "exo needs Linux " OLDEST " or later; boot a newer "
		       "kernel");
	} else if (number > release_number(NEWEST_TRIED)) {
		f->level = LEVEL_WARN;
		advise(f, "the newest that exo was tried on is " NEWEST_TRIED
		       "; the module may not build for this one");
	}
}

/* The word in brackets of "[none] integrity confidentiality" */
static void lockdown_word(const char *root, char *word, size_t bytes)
{
	char line[128] = "", *begin;

	root_line(root, "/sys/kernel/security/lockdown", line, sizeof(line));
	begin = strchr(line, '[');
	snprintf(word, bytes, "%s", begin ? begin + 1 : "none");
	word[strcspn(word, "]")] = 0;
}

/*
 * Whoever gets exo.ko past this needs no advice, so a module that is loaded
 * makes each of these harmless.
 */
static void check_signing(const char *root, struct finding *f)
{
	bool loaded = root_exists(root, "/sys/module/exo");
	char lockdown[32], enforce[8] = "N";

	lockdown_word(root, lockdown, sizeof(lockdown));
	root_line(root, "/sys/module/module/parameters/sig_enforce", enforce,
		  sizeof(enforce));
	if (root_number(root, "/proc/sys/kernel/modules_disabled", 0)) {
		found(f, loaded ? LEVEL_OK : LEVEL_FAIL,
		      "loading of modules is switched off");
		if (!loaded)
			advise(f, "kernel.modules_disabled holds until the next "
			       "boot: load exo before it is set");
		return;
	}
	if (!strcmp(lockdown, "none") && *enforce != 'Y') {
		found(f, LEVEL_OK, "unsigned modules may be loaded");
		return;
	}
	found(f, loaded ? LEVEL_OK : LEVEL_FAIL,
	      "lockdown %s%s: modules must be signed", lockdown,
	      *enforce == 'Y' ? ", sig_enforce" : "");
	if (!loaded)
		advise(f, "enroll the key that DKMS signs with: 'mokutil "
		       "--import /var/lib/dkms/mok.pub', then boot and confirm; "
		       "or switch Secure Boot off");
}

static void check_uring(const char *root, struct finding *f)
{
	/* Not there before 6.6, where nothing switches it off. */
	long off = root_number(root, "/proc/sys/kernel/io_uring_disabled", 0);

	if (!off) {
		found(f, LEVEL_OK, "io_uring is available");
		return;
	}
	found(f, LEVEL_WARN, "kernel.io_uring_disabled is %ld: %s", off,
	      off == 1 ? "only root and the group io_uring_group may use it" :
			 "nobody may use io_uring");
	advise(f, "programs fall back to ioctl and poll, with more system "
	       "calls; 'sysctl kernel.io_uring_disabled=0' allows it");
}

static void check_bpf(const char *root, struct finding *f)
{
	long off = root_number(root, "/proc/sys/kernel/unprivileged_bpf_disabled",
			       -1);

	if (off < 0) {
		found(f, LEVEL_WARN, "the kernel has no bpf()");
		advise(f, "programs that are downloaded into the kernel will "
		       "not be possible");
	} else if (off) {
		found(f, LEVEL_OK, "only privileged users load BPF programs");
	} else {
		found(f, LEVEL_WARN, "every user may load BPF programs");
		advise(f, "exo does not need that, and it has been an open "
		       "door: 'sysctl kernel.unprivileged_bpf_disabled=2'");
	}
}

static void check_jit(const char *root, struct finding *f)
{
	long on = root_number(root, "/proc/sys/net/core/bpf_jit_enable", -1);
	long hard = root_number(root, "/proc/sys/net/core/bpf_jit_harden", 0);

	if (on <= 0) {
		found(f, LEVEL_WARN, "BPF programs are %s",
		      on ? "not compiled, as far as can be told" :
			   "interpreted");
		advise(f, "they run several times slower than compiled: "
		       "'sysctl net.core.bpf_jit_enable=1'");
		return;
	}
	found(f, LEVEL_OK, "BPF programs are compiled%s",
	      hard ? ", with hardening" : "");
}

const struct check doctor_kernel[] = {
	{ "kernel", check_kernel },
	{ "signing", check_signing },
	{ "io_uring", check_uring },
	{ "bpf", check_bpf },
	{ "bpf-jit", check_jit },
	{}
};
