// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * exoctl: the administrator's tool of exo. See exoctl(8).
 */
#include <getopt.h>
#include <string.h>

#include "exoctl.h"

static const struct command commands[] = {
	{ "status", NULL, "[--json]",
	  "show the module, its limits, what is in use",
	  NULL, status },
	{ "doctor", NULL, "[--json] [--root DIR]",
	  "look for what keeps exo from working, say what to do",
	  "Fails if something does. With --root it looks at the files of the\n"
	  "system below DIR.", doctor },
	{ "metrics", NULL, "",
	  "print the counters for Prometheus",
	  "For the textfile collector: exo_up is 0 if the module is not there.",
	  metrics },
	{ "report", NULL, "[FILE] [--json]",
	  "gather what a bug report needs in a .tar.gz",
	  "Says what it holds: no contents, no names of users.", report },
	{ "disk", "format", "DEVICE --name NAME [--slots N] [--force] [--json]",
	  "make a block device an empty exo disk",
	  "Destroys what is on the device. A slot holds 15 extents; N is 64\n"
	  "unless given. Refuses a device with a file system, a partition\n"
	  "table or an exo disk on it unless --force is given.",
	  disk_format },
	{ "disk", "attach", "DEVICE",
	  "donate a formatted block device",
	  "The device is claimed until 'exoctl disk detach'.", disk_attach },
	{ "disk", "detach", "DISK",
	  "take the device back",
	  "DISK is a disk's name, device or UUID. Waits for I/O in flight.",
	  disk_detach },
	{ "disk", "list", "[--json]", "list the attached disks", NULL, disk_list },
	{ "disk", "grant", "DISK USER --blocks N | --size SIZE",
	  "let a user create extents",
	  "N blocks of 4,096 bytes, or SIZE with K, M, G or T, are the most\n"
	  "that all extents of the user may hold together.", disk_grant },
	{ "disk", "revoke", "DISK USER",
	  "withdraw a grant",
	  "Extents that exist stay.", disk_revoke },
	{ "extent", "list", "DISK [--json]",
	  "list the extents of a disk",
	  "Names and owners are shown of those extents only that the caller\n"
	  "may read or write.", extent_list },
	{ "extent", "create",
	  "DISK NAME --blocks N | --size SIZE [--mode MODE] [--at BLOCK]",
	  "create an extent of the calling user",
	  "MODE is octal, 600 unless given. The place is the smallest gap\n"
	  "that is long enough unless --at says where.", extent_create },
	{ "extent", "delete", "DISK [OWNER:]NAME",
	  "give the blocks of an extent back", NULL, extent_delete },
	{ "net", "attach", "DEVICE [--json]",
	  "let flows be bound on a network device",
	  "Packets that no flow claims go on to Linux untouched. Flows on the\n"
	  "direct lane bypass the firewall's ip and inet tables and conntrack.",
	  net_attach },
	{ "net", "detach", "DEVICE", "undo that", NULL, net_detach },
	{ "net", "list", "[--json]",
	  "list the devices, their lane, what it bypasses and costs",
	  NULL, net_list },
	{ "net", "grant", "DEVICE USER PORTS",
	  "let a user bind flows",
	  "PORTS is a local TCP port or a range such as 8000-8100.",
	  net_grant },
	{ "net", "revoke", "DEVICE USER PORTS",
	  "withdraw a grant",
	  "Flows that are bound stay.", net_revoke },
	{ "env", "list", "[--json]",
	  "show who has /dev/exo open: pages held, asked for, taken, refusals",
	  "Root sees all envs, a user those of its own.", env_list },
	{ "env", NULL, "[--json]", "the same", NULL, env_list },
	{ "revoke", NULL, "ENV PAGES [--timeout MS] [--no-wait] [--json]",
	  "ask an env for pages, and see it give them back",
	  "ENV is a number that 'exoctl env' shows. What is not given back in\n"
	  "MS milliseconds, 10,000 unless given, is taken. With --no-wait the\n"
	  "program does not stay to see that.", env_revoke },
	{ "cap", "test", "[--json]",
	  "hand a frame to another env and take it back, show each step",
	  NULL, cap_test },
	{ "frame", "test",
	  "PAGES [--order N] [--node N] [--colour MASK:VALUE] [--json]",
	  "allocate pages of one's choice, show where they lie, free them",
	  "Runs of 2^N pages follow each other in physical memory. A page has\n"
	  "the colour if its number and MASK, up to 1,023, is VALUE.",
	  frame_test },
	{ "policy", "set",
	  "USER [--max-pages N] [--allow numbers] [--timeout MS]",
	  "limit the pages of a user, let it see physical page numbers",
	  "What is not named stays as it was; 'none' takes a limit or a right\n"
	  "away. When the user holds more than N pages its envs are asked for\n"
	  "the rest, and after MS milliseconds, 10,000 unless given, it is\n"
	  "taken. Lasts until the module is unloaded.", policy_user_set },
	{ "policy", "forget", "USER",
	  "as if nothing had been set for a user", NULL, policy_user_forget },
	{ "policy", "list", "[--json]",
	  "list what users were given: limits, blocks of disks, ports",
	  "Root sees all, a user its own grants.", policy_list },
	{ "policy", "check", "FILE [--json]",
	  "look for errors in a policy file",
	  "Needs neither the module nor root.", policy_check },
	{ "policy", "apply", "FILE [--dry-run] [--json]",
	  "make what users have what a policy file says",
	  "Attaches and grants what it names; what is so already stays. Grants\n"
	  "and limits that it does not name are withdrawn. With --dry-run it\n"
	  "only says what it would do. Nothing is applied if the file has an\n"
	  "error.", policy_apply },
};

#define NR_COMMANDS	(sizeof(commands) / sizeof(*commands))

static void print_summary(FILE *f)
{
	const struct command *c;

	fputs("usage: exoctl COMMAND [ARGUMENT]...\n\n", f);
	for (c = commands; c < commands + NR_COMMANDS; c++)
		fprintf(f, "  %-7s %-8s %s\n", c->noun, c->verb ? c->verb : "",
			c->summary);
	fputs("\n'exoctl help COMMAND' says more. The manual is exoctl(8).\n",
	      f);
}

static void print_command(const struct command *c)
{
	printf("usage: exoctl %s%s%s %s\n%s.\n", c->noun, c->verb ? " " : "",
	       c->verb ? c->verb : "", c->args, c->summary);
	if (c->help)
		printf("\n%s\n", c->help);
}

/* The row for "disk attach"; *words is how many words name it. */
static const struct command *lookup(int argc, char **argv, int *words)
{
	const struct command *c;

	for (c = commands; c < commands + NR_COMMANDS; c++) {
		*words = c->verb ? 2 : 1;
		if (argc >= *words && !strcmp(argv[0], c->noun) &&
		    (!c->verb || !strcmp(argv[1], c->verb)))
			return c;
	}
	return NULL;
}

static bool is_noun(const char *word)
{
	const struct command *c;

	for (c = commands; c < commands + NR_COMMANDS; c++)
		if (!strcmp(c->noun, word))
			return true;
	return false;
}

static int unknown(int argc, char **argv)
{
	const struct command *c;

	if (!is_noun(argv[0])) {
		fprintf(stderr, "exoctl: there is no command '%s'; "
			"'exoctl help' lists them\n", argv[0]);
		return EXIT_USAGE;
	}
	if (argc < 2)
		fprintf(stderr, "exoctl: %s what?\n", argv[0]);
	else
		fprintf(stderr, "exoctl: there is no '%s %s'\n", argv[0],
			argv[1]);
	for (c = commands; c < commands + NR_COMMANDS; c++)
		if (!strcmp(c->noun, argv[0]))
			fprintf(stderr, "  exoctl %s %s %s\n", c->noun,
				c->verb ? c->verb : "", c->args);
	return EXIT_USAGE;
}

static int help(int argc, char **argv)
{
	const struct command *c;
	int words;

	if (!argc) {
		print_summary(stdout);
		return EXIT_OK;
	}
	c = lookup(argc, argv, &words);
	if (!c)
		return unknown(argc, argv);
	print_command(c);
	return EXIT_OK;
}

int main(int argc, char **argv)
{
	const struct command *c;
	int words, i;

	if (argc < 2) {
		print_summary(stderr);
		return EXIT_USAGE;
	}
	opterr = 0;	/* bad_option() says it */
	argc--;
	argv++;
	if (!strcmp(argv[0], "--version")) {
		printf("exoctl %s\n", exo_version());
		return EXIT_OK;
	}
	if (!strcmp(argv[0], "help") || !strcmp(argv[0], "--help"))
		return help(argc - 1, argv + 1);
	c = lookup(argc, argv, &words);
	if (!c)
		return unknown(argc, argv);
	for (i = words; i < argc; i++) {
		if (!strcmp(argv[i], "--help")) {
			print_command(c);
			return EXIT_OK;
		}
	}
	return c->run(c, argc - words + 1, argv + words - 1);
}
