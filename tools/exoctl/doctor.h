/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Doctor: is this machine, and this user, fit for exo? A check looks at one
 * thing and fills in a finding. What it reads stands in files below a root that
 * tests replace; what belongs to the caller (limits, groups) is asked for.
 */
#ifndef EXOCTL_DOCTOR_H
#define EXOCTL_DOCTOR_H

#include <stdbool.h>
#include <stdio.h>

#include "root.h"

enum level {
	LEVEL_OK,
	LEVEL_WARN,	/* works, but not as well or as safely as it could */
	LEVEL_FAIL,	/* does not work */
	NR_LEVELS
};

/**
 * struct finding - what a check found
 * @level: how bad
 * @found: what there is
 * @advice: what to do about it; empty if nothing
 */
struct finding {
	enum level level;
	char found[256];
	char advice[320];
};

/**
 * struct check - a row of the table
 * @name: stable: programs look for it
 * @run: fills in a finding
 */
struct check {
	const char *name;
	void (*run)(const char *root, struct finding *f);
};

/* A table ends with a row that is empty. */
extern const struct check doctor_module[];
extern const struct check doctor_kernel[];
extern const struct check doctor_access[];

/**
 * doctor_print() - run all checks
 * @f: where to
 * @root: "" for this machine, or a directory that stands for it
 * @json: as an object for programs
 *
 * Return: how many failed.
 */
unsigned int doctor_print(FILE *f, const char *root, bool json);

/* Sets the level and one of the texts. */
void found(struct finding *f, enum level lvl, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void advise(struct finding *f, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif /* EXOCTL_DOCTOR_H */
