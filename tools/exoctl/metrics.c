// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * exoctl metrics
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "exoctl.h"
#include "metrics.h"
#include "root.h"

#define MOST_PROCESSES	256

#define NR(array)	(sizeof(array) / sizeof(*(array)))

/**
 * struct metric - a family of samples
 * @name: without "exo_"
 * @type: "gauge" or "counter"
 * @help: one line
 * @offset: of the number in its struct
 * @bytes: width of the number
 * @blocks: it counts blocks and is shown in bytes
 */
struct metric {
	const char *name;
	const char *type;
	const char *help;
	size_t offset;
	size_t bytes;
	bool blocks;
};

#define FIELD(type, member) \
	offsetof(struct type, member), sizeof(((struct type *)0)->member)

static const struct metric stats[] = {
	{ "envs", "gauge", "Opens of /dev/exo, the one that asked included.",
	  FIELD(exo_stats, out_nr_envs), false },
	{ "objects", "gauge", "Frames, extents, rings and flows.",
	  FIELD(exo_stats, out_nr_objects), false },
	{ "frame_pages", "gauge", "Pages of frames and rings.",
	  FIELD(exo_stats, out_nr_frame_pages), false },
	{ "io_in_flight", "gauge", "Block operations in flight.",
	  FIELD(exo_stats, out_nr_io), false },
	{ "tx_in_flight", "gauge", "Packets whose payload is still in use.",
	  FIELD(exo_stats, out_nr_tx), false },
	{ "flows", "gauge", "Flows bound.",
	  FIELD(exo_stats, out_nr_flows), false },
	{ "disks", "gauge", "Disks attached.",
	  FIELD(exo_stats, out_nr_disks), false },
	{ "netdevs", "gauge", "Network devices attached.",
	  FIELD(exo_stats, out_nr_netdevs), false },
};

static const struct metric disks[] = {
	{ "disk_size_bytes", "gauge", "Size of the disk.",
	  FIELD(exo_disk_info, nr_blocks), true },
	{ "disk_free_bytes", "gauge", "Space in no extent.",
	  FIELD(exo_disk_info, nr_free), true },
	{ "disk_open_extents", "gauge", "Extents that are open.",
	  FIELD(exo_disk_info, nr_open), false },
};

static const struct metric nets[] = {
	{ "net_flows", "gauge", "Flows bound on the device.",
	  FIELD(exo_net_info, nr_flows), false },
	{ "net_rx_claimed_packets_total", "counter",
	  "Packets given to flows.",
	  FIELD(exo_net_info, rx_claimed), false },
	{ "net_rx_passed_packets_total", "counter",
	  "Packets passed on to Linux.",
	  FIELD(exo_net_info, rx_passed), false },
	{ "net_rx_dropped_packets_total", "counter",
	  "Packets of flows dropped, the ring being full.",
	  FIELD(exo_net_info, rx_dropped), false },
	{ "net_tx_packets_total", "counter",
	  "Packets sent, one of several segments counted once.",
	  FIELD(exo_net_info, tx_packets), false },
	{ "net_tx_refused_descriptors_total", "counter",
	  "Descriptors refused by the checks.",
	  FIELD(exo_net_info, tx_refused), false },
};

static const struct metric global[] = {
	{ "max_frame_pages", "gauge", "Most pages of frames and rings.",
	  FIELD(exo_info_global, max_pages), false },
	{ "memory_pressure_total", "counter",
	  "Times that the host was short of memory and envs were asked.",
	  FIELD(exo_info_global, nr_pressure), false },
	{ "taken_pages_total", "counter",
	  "Pages that were not given back in time and taken.",
	  FIELD(exo_info_global, nr_taken), false },
};

/*
 * Of a process, all its envs together. Their number goes down when an env ends,
 * and with it what it counted: these are no counters.
 */
static const struct metric processes[] = {
	{ "process_handles", "gauge", "Handles of the process.",
	  FIELD(exo_env_info, nr_handles), false },
	{ "process_frame_pages", "gauge", "Pages of its frames and rings.",
	  FIELD(exo_env_info, nr_pages), false },
	{ "process_asked_pages", "gauge",
	  "Pages that it was asked for and has not given back.",
	  FIELD(exo_env_info, nr_asked), false },
	{ "process_taken_pages", "gauge",
	  "Pages that were taken from envs that it has open.",
	  FIELD(exo_env_info, nr_taken), false },
	{ "process_unread_events", "gauge", "Events that it has not read.",
	  FIELD(exo_env_info, nr_events), false },
	{ "process_refusals", "gauge",
	  "Refused capabilities of envs that it has open.",
	  FIELD(exo_env_info, nr_refusals), false },
};

static uint64_t value(const void *from, const struct metric *m)
{
	const char *at = (const char *)from + m->offset;
	uint64_t v;
	uint32_t w;

	if (m->bytes == sizeof(v)) {
		memcpy(&v, at, sizeof(v));
	} else {
		memcpy(&w, at, sizeof(w));
		v = w;
	}
	return m->blocks ? v * EXO_BLOCK_BYTES : v;
}

static void head(FILE *f, const char *name, const char *type, const char *help)
{
	fprintf(f, "# HELP exo_%s %s\n# TYPE exo_%s %s\n", name, help, name,
		type);
}

/* The text of a label: what the format gives a meaning is escaped. */
static void label(FILE *f, const char *name, const void *text, size_t max)
{
	const char *p = text;
	size_t i;

	fprintf(f, "%s=\"", name);
	for (i = 0; i < max && p[i]; i++) {
		if (p[i] == '\n') {
			fputs("\\n", f);
			continue;
		}
		if (p[i] == '"' || p[i] == '\\')
			fputc('\\', f);
		fputc(p[i], f);
	}
	fputc('"', f);
}

static void print_module(FILE *f, const struct facts *facts)
{
	const struct metric *m;
	char module[64];

	if (!root_line("", "/sys/module/exo/version", module, sizeof(module)))
		strcpy(module, "unknown");
	head(f, "info", "gauge", "What is there, in the labels.");
	fputs("exo_info{", f);
	label(f, "module", module, sizeof(module));
	fputc(',', f);
	label(f, "exoctl", exo_version(), 32);
	fputs("} 1\n", f);
	head(f, "page_bytes", "gauge", "Size of a page.");
	fprintf(f, "exo_page_bytes %u\n", facts->query.out_page_bytes);
	for (m = stats; m < stats + NR(stats); m++) {
		head(f, m->name, m->type, m->help);
		fprintf(f, "exo_%s %" PRIu64 "\n", m->name,
			value(&facts->stats, m));
	}
}

/*
 * The names of a disk and of its device are labels: two disks may have the
 * same name, and a device that is reused becomes a series of its own.
 */
static void print_disks(FILE *f, const struct facts *facts)
{
	const struct exo_disk_info *d;
	const struct metric *m;
	int i;

	for (m = disks; m < disks + NR(disks); m++) {
		head(f, m->name, m->type, m->help);
		for (i = 0; i < facts->nr_disks; i++) {
			d = &facts->disks[i];
			fprintf(f, "exo_%s{", m->name);
			label(f, "disk", d->name, sizeof(d->name));
			fputc(',', f);
			label(f, "dev", d->path, sizeof(d->path));
			fprintf(f, "} %" PRIu64 "\n", value(d, m));
		}
	}
}

static void print_nets(FILE *f, const struct facts *facts)
{
	const struct exo_net_info *n;
	const struct metric *m;
	int i;

	for (m = nets; m < nets + NR(nets); m++) {
		head(f, m->name, m->type, m->help);
		for (i = 0; i < facts->nr_nets; i++) {
			n = &facts->nets[i];
			fprintf(f, "exo_%s{", m->name);
			label(f, "dev", n->name, sizeof(n->name));
			fputc(',', f);
			label(f, "lane", lane_name(n->lane), 32);
			fprintf(f, "} %" PRIu64 "\n", value(n, m));
		}
	}
}

static void print_global(FILE *f, const struct facts *facts)
{
	const struct metric *m;

	for (m = global; m < global + NR(global); m++) {
		head(f, m->name, m->type, m->help);
		fprintf(f, "exo_%s %" PRIu64 "\n", m->name,
			value(&facts->global, m));
	}
}

/* By process; of those that hold most, first. */
static int by_pid(const void *a, const void *b)
{
	const struct exo_env_info *x = a, *y = b;

	return (x->pid > y->pid) - (x->pid < y->pid);
}

static int by_pages(const void *a, const void *b)
{
	const struct exo_env_info *x = a, *y = b;

	return (x->nr_pages < y->nr_pages) - (x->nr_pages > y->nr_pages);
}

/* Adds the envs of a process to its first one. Return: how many processes. */
static int merge(struct exo_env_info *envs, int nr)
{
	int i, last = -1;

	qsort(envs, nr, sizeof(*envs), by_pid);
	for (i = 0; i < nr; i++) {
		if (last < 0 || envs[last].pid != envs[i].pid) {
			envs[++last] = envs[i];
			continue;
		}
		envs[last].nr_handles += envs[i].nr_handles;
		envs[last].nr_events += envs[i].nr_events;
		envs[last].nr_pages += envs[i].nr_pages;
		envs[last].nr_asked += envs[i].nr_asked;
		envs[last].nr_taken += envs[i].nr_taken;
		envs[last].nr_refusals += envs[i].nr_refusals;
	}
	return last + 1;
}

/*
 * A process is known by its number alone: there are only so many of these. Of
 * more than MOST_PROCESSES those are shown that hold the most pages.
 */
static void print_processes(FILE *f, struct exo_env_info *envs, int nr_envs)
{
	int i, nr = merge(envs, nr_envs);
	const struct metric *m;

	head(f, "processes", "gauge",
	     "Processes with an env that may be seen, the rows below or more.");
	fprintf(f, "exo_processes %d\n", nr);
	qsort(envs, nr, sizeof(*envs), by_pages);
	if (nr > MOST_PROCESSES)
		nr = MOST_PROCESSES;
	for (m = processes; nr && m < processes + NR(processes); m++) {
		head(f, m->name, m->type, m->help);
		for (i = 0; i < nr; i++)
			fprintf(f, "exo_%s{pid=\"%d\"} %" PRIu64 "\n", m->name,
				envs[i].pid, value(&envs[i], m));
	}
}

void metrics_print(FILE *f, struct facts *facts)
{
	head(f, "up", "gauge", "Whether the module answers.");
	fprintf(f, "exo_up %d\n", !!facts);
	if (!facts)
		return;
	print_module(f, facts);
	if (facts->nr_disks)
		print_disks(f, facts);
	if (facts->nr_nets)
		print_nets(f, facts);
	if (!facts->has_events)
		return;
	print_global(f, facts);
	print_processes(f, facts->envs, facts->nr_envs);
}

int metrics(const struct command *cmd, int argc, char **argv)
{
	struct facts facts;
	int rc;

	rc = take_args(cmd, argc, argv, 0);
	if (rc)
		return rc;
	rc = facts_gather(&facts);
	metrics_print(stdout, rc ? NULL : &facts);
	facts_free(&facts);
	return rc;
}
