// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * exoctl doctor: the checks stand in doctor_*.c.
 */
#include <getopt.h>
#include <stdarg.h>

#include "doctor.h"
#include "exoctl.h"
#include "json.h"

static const struct check *const tables[] = {
	doctor_kernel, doctor_module, doctor_access,
};

static const char *const levels[NR_LEVELS] = { "ok", "warn", "fail" };

void found(struct finding *f, enum level lvl, const char *fmt, ...)
{
	va_list ap;

	f->level = lvl;
	va_start(ap, fmt);
	vsnprintf(f->found, sizeof(f->found), fmt, ap);
	va_end(ap);
}

void advise(struct finding *f, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(f->advice, sizeof(f->advice), fmt, ap);
	va_end(ap);
}

static void print_finding(FILE *f, const char *name, const struct finding *x)
{
	fprintf(f, "%-4s  %-14s  %s\n", levels[x->level], name, x->found);
	if (*x->advice)
		fprintf(f, "%22s%s\n", "-> ", x->advice);
}

static void json_finding(struct json *j, const char *name,
			 const struct finding *x)
{
	json_open(j, NULL, '{');
	json_text(j, "name", name);
	json_text(j, "level", levels[x->level]);
	json_text(j, "found", x->found);
	json_text(j, "advice", x->advice);
	json_close(j, '}');
}

/* Counts by level into @nr. */
static void run_checks(FILE *f, const char *root, struct json *j,
		       unsigned int nr[NR_LEVELS])
{
	const struct check *c;
	struct finding x;
	size_t t;

	for (t = 0; t < sizeof(tables) / sizeof(*tables); t++) {
		for (c = tables[t]; c->name; c++) {
			x = (struct finding) { .level = LEVEL_OK };
			c->run(root, &x);
			nr[x.level]++;
			if (j)
				json_finding(j, c->name, &x);
			else
				print_finding(f, c->name, &x);
		}
	}
}

static void print_all(FILE *f, const char *root, unsigned int nr[NR_LEVELS])
{
	run_checks(f, root, NULL, nr);
	fprintf(f, "%u ok, %u to be looked at, %u failed\n", nr[LEVEL_OK],
		nr[LEVEL_WARN], nr[LEVEL_FAIL]);
}

static void json_all(FILE *f, const char *root, unsigned int nr[NR_LEVELS])
{
	struct json j = { .f = f };

	json_open(&j, NULL, '{');
	json_open(&j, "checks", '[');
	run_checks(f, root, &j, nr);
	json_close(&j, ']');
	json_u64(&j, "nr_ok", nr[LEVEL_OK]);
	json_u64(&j, "nr_warn", nr[LEVEL_WARN]);
	json_u64(&j, "nr_fail", nr[LEVEL_FAIL]);
	json_close(&j, '}');
}

unsigned int doctor_print(FILE *f, const char *root, bool json)
{
	unsigned int nr[NR_LEVELS] = { 0 };

	if (json)
		json_all(f, root, nr);
	else
		print_all(f, root, nr);
	return nr[LEVEL_FAIL];
}

int doctor(const struct command *cmd, int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "root", required_argument, NULL, 'r' },
		{}
	};
	const char *root = "";
	bool json = false;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == '?')
			return bad_option(cmd, argv);
		if (c == 'j')
			json = true;
		else
			root = optarg;
	}
	if (optind != argc)
		return usage(cmd, "no arguments wanted");
	return doctor_print(stdout, root, json) ? EXIT_FAILED : EXIT_OK;
}
