// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * exoctl frame test: allocate pages of one's choice, show where they lie.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "exoctl.h"
#include "json.h"

#define MOST_AT_ONCE	65536		/* pages in one question */
#define MOST_SHOWN	24		/* runs, without --json */

static const struct why alloc_why[] = {
	{ EINVAL, "out of bounds, not a multiple of 2^order, a node that is "
		  "not there, or a colour that the order makes impossible; "
		  "'exoctl status' shows the limits" },
	{ EOPNOTSUPP, "this module cannot choose: is it an older one?" },
	{ E2BIG, "this module cannot choose: is it an older one?" },
	{ EDQUOT, "above RLIMIT_MEMLOCK ('ulimit -l'), the user's policy "
		  "('exoctl policy list') or the module's ceiling" },
	{ ENOMEM, "there are no such pages, or the memory cgroup is at its "
		  "limit" },
	{ 0, NULL }
};

static const struct why info_why[] = {
	{ ENOTTY, "this module does not tell: is it an older one?" },
	{ 0, NULL }
};

/**
 * struct wish - what is to be allocated
 * @nr_pages: how many
 * @place: where
 * @json: print an object
 */
struct wish {
	uint64_t nr_pages;
	struct exo_frame_place place;
	bool json;
};

/* How many pages from this one on are one run: all of them are in @info. */
static uint32_t run_of(const struct exo_page_info *info, uint32_t left)
{
	return info->nr_contiguous && info->nr_contiguous < left ?
	       info->nr_contiguous : left;
}

static int read_info(const struct exo_frame *frame, struct exo_page_info *info)
{
	uint32_t at, nr;
	int rc = 0;

	for (at = 0; !rc && at < frame->nr_pages; at += nr) {
		nr = frame->nr_pages - at;
		if (nr > MOST_AT_ONCE)
			nr = MOST_AT_ONCE;
		rc = exo_frame_info(frame, at, nr, info + at);
	}
	return rc;
}

static void span(char *buf, size_t bytes, uint64_t first, uint64_t nr)
{
	if (nr == 1)
		snprintf(buf, bytes, "%" PRIu64, first);
	else
		snprintf(buf, bytes, "%" PRIu64 "-%" PRIu64, first,
			 first + nr - 1);
}

static void print_run(const struct exo_page_info *info, uint32_t at,
		      uint32_t nr)
{
	char pages[24], numbers[48] = "-", colours[48];

	span(pages, sizeof(pages), at, nr);
	if (info->number != ~0ULL)
		span(numbers, sizeof(numbers), info->number, nr);
	/* Colours follow each other in a run, and begin again after the last. */
	if (nr < EXO_FRAME_MAX_COLOURS)
		snprintf(colours, sizeof(colours), nr == 1 ? "%u" : "%u-%u",
			 info->colour,
			 (info->colour + nr - 1) % EXO_FRAME_MAX_COLOURS);
	else
		snprintf(colours, sizeof(colours), "all");
	printf("%-14s %6u  %-22s %-10s %4u\n", pages, nr, numbers, colours,
	       info->node);
}

static void print_runs(const struct exo_page_info *info, uint32_t nr_pages,
		       uint64_t nr_tried)
{
	uint32_t at, nr, runs = 0, longest = 0;

	printf("%-14s %6s  %-22s %-10s %4s\n", "PAGES", "RUN", "NUMBERS",
	       "COLOURS", "NODE");
	for (at = 0; at < nr_pages; at += nr) {
		nr = run_of(&info[at], nr_pages - at);
		if (runs++ < MOST_SHOWN)
			print_run(&info[at], at, nr);
		if (nr > longest)
			longest = nr;
	}
	if (runs > MOST_SHOWN)
		printf("... and %u more runs; --json shows all\n",
		       runs - MOST_SHOWN);
	printf("%u pages in %u run%s, the longest of %u", nr_pages, runs,
	       runs == 1 ? "" : "s", longest);
	if (nr_tried)
		printf("; %" PRIu64 " pages were looked at", nr_tried);
	printf("\n");
	if (info->number == ~0ULL)
		printf("Physical numbers are shown to root, and to users who "
		       "were allowed to see them\nby 'exoctl policy set USER "
		       "--allow numbers'.\n");
}

static void json_runs(const struct exo_page_info *info, uint32_t nr_pages,
		      uint64_t nr_tried)
{
	struct json j = { .f = stdout };
	uint32_t at, nr;

	json_open(&j, NULL, '{');
	json_u64(&j, "nr_pages", nr_pages);
	json_u64(&j, "nr_tried", nr_tried);
	json_open(&j, "runs", '[');
	for (at = 0; at < nr_pages; at += nr) {
		nr = run_of(&info[at], nr_pages - at);
		json_open(&j, NULL, '{');
		json_u64(&j, "first_page", at);
		json_u64(&j, "nr_pages", nr);
		if (info[at].number != ~0ULL)
			json_u64(&j, "number", info[at].number);
		else
			json_null(&j, "number");
		json_u64(&j, "colour", info[at].colour);
		json_u64(&j, "node", info[at].node);
		json_close(&j, '}');
	}
	json_close(&j, ']');
	json_close(&j, '}');
}

static int show(struct exo_env *env, const struct exo_frame *frame,
		const struct wish *w, uint64_t nr_tried)
{
	struct exo_page_info *info;
	int rc;

	info = calloc(frame->nr_pages, sizeof(*info));
	if (!info)
		return fail(-ENOMEM, NULL, "cannot show %u pages",
			    frame->nr_pages);
	rc = read_info(frame, info);
	if (rc)
		rc = fail_refused(env, rc, info_why, "cannot ask where the pages "
				  "of handle %u are", frame->handle);
	else if (w->json)
		json_runs(info, frame->nr_pages, nr_tried);
	else
		print_runs(info, frame->nr_pages, nr_tried);
	free(info);
	return rc;
}

static int test(struct exo_env *env, const struct wish *w)
{
	struct exo_frame frame;
	__u64 nr_tried = 0;
	int rc;

	rc = exo_frame_alloc_at(env, (uint32_t)w->nr_pages, &w->place, &frame,
				&nr_tried);
	if (rc == -ENOMEM && nr_tried)
		return fail(rc, NULL, "cannot allocate %" PRIu64 " pages: %"
			    PRIu64 " were looked at, too few have the colour",
			    w->nr_pages, (uint64_t)nr_tried);
	if (rc)
		return fail(rc, alloc_why, "cannot allocate %" PRIu64 " pages",
			    w->nr_pages);
	rc = show(env, &frame, w, nr_tried);
	exo_frame_free(&frame);
	return rc;
}

/* "MASK:VALUE", each decimal or 0x... */
static bool parse_colour(const char *text, struct exo_frame_place *place)
{
	unsigned long mask, value;
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	mask = strtoul(text, &end, 0);
	if (errno || *end != ':' || end[1] < '0' || end[1] > '9')
		return false;
	value = strtoul(end + 1, &end, 0);
	if (errno || *end || mask >= EXO_FRAME_MAX_COLOURS || value & ~mask)
		return false;
	place->colour_mask = (uint32_t)mask;
	place->colour_value = (uint32_t)value;
	place->flags |= EXO_FRAME_COLOUR;
	return true;
}

static int take_option(const struct command *cmd, int c, struct wish *w)
{
	uint64_t n;

	switch (c) {
	case 'j':
		w->json = true;
		return 0;
	case 'o':
		if (!parse_number(optarg, 31, &n))
			return usage(cmd, "'%s' is no order: 2^N pages in a "
				     "run", optarg);
		w->place.order = (uint32_t)n;
		return 0;
	case 'n':
		if (!parse_number(optarg, UINT32_MAX, &n))
			return usage(cmd, "'%s' is no NUMA node", optarg);
		w->place.node = (uint32_t)n;
		w->place.flags |= EXO_FRAME_NODE;
		return 0;
	}
	if (!parse_colour(optarg, &w->place))
		return usage(cmd, "'%s' is no MASK:VALUE below %d with VALUE "
			     "in MASK", optarg, EXO_FRAME_MAX_COLOURS);
	return 0;
}

int frame_test(const struct command *cmd, int argc, char **argv)
{
	static const struct option options[] = {
		{ "order", required_argument, NULL, 'o' },
		{ "node", required_argument, NULL, 'n' },
		{ "colour", required_argument, NULL, 'c' },
		{ "json", no_argument, NULL, 'j' },
		{}
	};
	struct wish w = { .nr_pages = 0 };
	struct exo_env *env;
	int c, rc;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		rc = c == '?' ? bad_option(cmd, argv) : take_option(cmd, c, &w);
		if (rc)
			return rc;
	}
	if (argc - optind != 1)
		return usage(cmd, "PAGES wanted");
	if (!parse_number(argv[optind], UINT32_MAX, &w.nr_pages))
		return usage(cmd, "'%s' is no number of pages", argv[optind]);
	rc = env_open(&env);
	if (rc)
		return rc;
	rc = test(env, &w);
	exo_env_close(env);
	return rc;
}
