// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* The file of a policy: sections in brackets, "KEY = VALUE", "#" for comments. */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "exoctl.h"
#include "policy.h"

/**
 * struct key - what may stand in a section
 * @section: "disk"
 * @name: "grant"
 * @kind: of the rule it makes
 * @decode: takes the value; complains and says false if it is wrong
 */
struct key {
	const char *section;
	const char *name;
	enum rule_kind kind;
	bool (*decode)(struct policy *p, struct rule *r, char *value);
};

/**
 * struct reader - where in the file we are
 * @policy: what is being made
 * @line: number of the line
 * @section: kind of section, empty before the first and in a bad one
 * @subject: of the section
 * @uid: of a section about a user
 * @skip: the section is bad, and that was said
 */
struct reader {
	struct policy *policy;
	unsigned int line;
	char section[16];
	char subject[SUBJECT_BYTES];
	uid_t uid;
	bool skip;
};

void policy_complain(struct policy *policy, unsigned int line,
		     const char *fmt, ...)
{
	va_list ap;

	if (line)
		fprintf(stderr, "%s:%u: ", policy->path, line);
	else
		fprintf(stderr, "%s: ", policy->path);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	policy->nr_errors++;
}

/* Takes a word off; NULL if there is none. */
static char *take_word(char **text)
{
	char *word;

	do
		word = strsep(text, " \t");
	while (word && !*word);
	return word;
}

/* Exactly two words. */
static bool take_two(struct policy *p, struct rule *r, char *value,
		     const char *wanted, char **second)
{
	char *user = take_word(&value);

	*second = user ? take_word(&value) : NULL;
	if (!*second || take_word(&value)) {
		policy_complain(p, r->line, "%s is wanted", wanted);
		return false;
	}
	if (strlen(user) >= sizeof(r->user) || !parse_user(user, &r->uid)) {
		policy_complain(p, r->line, "there is no user '%s'", user);
		return false;
	}
	strcpy(r->user, user);
	return true;
}

static bool decode_device(struct policy *p, struct rule *r, char *value)
{
	if (*value == '/' && strlen(value) < sizeof(r->device)) {
		strcpy(r->device, value);
		return true;
	}
	policy_complain(p, r->line, "'%s' is not the path of a block device",
			value);
	return false;
}

static bool decode_size(struct policy *p, struct rule *r, char *value)
{
	char *size;

	if (!take_two(p, r, value, "a user and a size, such as 'www 512M',",
		      &size))
		return false;
	if (parse_blocks(size, &r->nr_blocks) && r->nr_blocks)
		return true;
	policy_complain(p, r->line, "'%s' is not a size; it is a number of "
			"bytes, or one with K, M, G or T", size);
	return false;
}

static bool decode_lane(struct policy *p, struct rule *r, char *value)
{
	r->lane = EXO_LANE_DIRECT;
	if (!strcmp(value, lane_name(r->lane)))
		return true;
	policy_complain(p, r->line, "there is no lane '%s'; it is '%s'", value,
			lane_name(r->lane));
	return false;
}

static bool decode_ports(struct policy *p, struct rule *r, char *value)
{
	char *ports;

	if (!take_two(p, r, value, "a user and ports, such as 'www 8000-8100',",
		      &ports))
		return false;
	if (parse_ports(ports, &r->first_port, &r->last_port))
		return true;
	policy_complain(p, r->line, "'%s' is neither a port (80) nor a range "
			"(8000-8100)", ports);
	return false;
}

static bool decode_memory(struct policy *p, struct rule *r, char *value)
{
	if (parse_bytes(value, &r->bytes))
		return true;
	policy_complain(p, r->line, "'%s' is not a size; it is a number of "
			"bytes, or one with K, M, G or T", value);
	return false;
}

static bool decode_allow(struct policy *p, struct rule *r, char *value)
{
	r->allow = EXO_ALLOW_NUMBERS;
	if (!strcmp(value, "numbers"))
		return true;
	policy_complain(p, r->line, "'%s' cannot be allowed; 'numbers' can",
			value);
	return false;
}

static const struct key keys[] = {
	{ "disk", "device", RULE_DISK_DEVICE, decode_device },
	{ "disk", "grant", RULE_DISK_GRANT, decode_size },
	{ "net", "lane", RULE_NET_LANE, decode_lane },
	{ "net", "grant", RULE_NET_GRANT, decode_ports },
	{ "user", "max-memory", RULE_USER_MEMORY, decode_memory },
	{ "user", "allow", RULE_USER_ALLOW, decode_allow },
};

#define NR_KEYS	(sizeof(keys) / sizeof(*keys))

static bool section_known(const char *section)
{
	size_t i;

	for (i = 0; i < NR_KEYS; i++)
		if (!strcmp(keys[i].section, section))
			return true;
	return false;
}

static const struct key *key_find(const char *section, const char *name)
{
	size_t i;

	for (i = 0; i < NR_KEYS; i++)
		if (!strcmp(keys[i].section, section) &&
		    !strcmp(keys[i].name, name))
			return &keys[i];
	return NULL;
}

static bool said_once(enum rule_kind kind)
{
	return kind != RULE_DISK_GRANT && kind != RULE_NET_GRANT;
}

/*
 * Does an earlier line say something else about the same? A second grant of
 * blocks would silently replace the first. Ports add up.
 */
static const struct rule *rival(const struct policy *p, const struct rule *r)
{
	const struct rule *o;

	for (o = p->rules; o < p->rules + p->nr_rules; o++)
		if (o->kind == r->kind && !strcmp(o->subject, r->subject) &&
		    (said_once(r->kind) ||
		     (r->kind == RULE_DISK_GRANT && o->uid == r->uid)))
			return o;
	return NULL;
}

static int rule_add(struct policy *p, const struct rule *r)
{
	const struct rule *o = rival(p, r);
	struct rule *rules;

	if (o) {
		policy_complain(p, r->line, "line %u says that of %s already",
				o->line, said_once(r->kind) ? r->subject :
								r->user);
		return 0;
	}
	rules = reallocarray(p->rules, p->nr_rules + 1, sizeof(*rules));
	if (!rules)
		return -ENOMEM;
	p->rules = rules;
	rules[p->nr_rules++] = *r;
	return 0;
}

static char *strip(char *text)
{
	char *end;

	text += strspn(text, " \t");
	end = text + strlen(text);
	while (end > text && isspace((unsigned char)end[-1]))
		end--;
	*end = 0;
	return text;
}

/* "[disk site]" */
static void read_section(struct reader *rd, char *text)
{
	char *end = strchr(text, ']'), *kind, *subject;

	rd->skip = true;
	if (!end || end[1]) {
		policy_complain(rd->policy, rd->line, "a section is '[disk "
				"NAME]', '[net DEVICE]' or '[user NAME]'");
		return;
	}
	*end = 0;
	text++;
	kind = take_word(&text);
	subject = kind ? take_word(&text) : NULL;
	if (!kind || !section_known(kind)) {
		policy_complain(rd->policy, rd->line, "there is no section "
				"'%s'; there are 'disk', 'net' and 'user'",
				kind ? kind : "");
	} else if (!subject || take_word(&text) ||
		   strlen(subject) >= sizeof(rd->subject)) {
		policy_complain(rd->policy, rd->line, "which one? '[%s NAME]' "
				"is wanted", kind);
	} else if (!strcmp(kind, "user") && !parse_user(subject, &rd->uid)) {
		policy_complain(rd->policy, rd->line, "there is no user '%s'",
				subject);
	} else {
		snprintf(rd->section, sizeof(rd->section), "%s", kind);
		snprintf(rd->subject, sizeof(rd->subject), "%s", subject);
		rd->skip = false;
	}
}

/* "grant = www 512M" */
static int read_setting(struct reader *rd, char *text)
{
	struct rule r = { .line = rd->line };
	const struct key *key;
	char *value = text, *name;

	name = strip(strsep(&value, "="));
	if (!value) {
		policy_complain(rd->policy, rd->line, "'%s' is neither a "
				"section nor 'KEY = VALUE'", name);
		return 0;
	}
	if (rd->skip)
		return 0;
	if (!*rd->section) {
		policy_complain(rd->policy, rd->line, "'%s' stands before the "
				"first section", name);
		return 0;
	}
	key = key_find(rd->section, name);
	if (!key) {
		policy_complain(rd->policy, rd->line, "a section '%s' has no "
				"'%s'", rd->section, name);
		return 0;
	}
	r.kind = key->kind;
	r.uid = rd->uid;
	strcpy(r.subject, rd->subject);
	if (!key->decode(rd->policy, &r, strip(value)))
		return 0;
	return rule_add(rd->policy, &r);
}

static int read_line(struct reader *rd, char *text)
{
	text[strcspn(text, "#")] = 0;
	text = strip(text);
	if (!*text)
		return 0;
	if (*text == '[') {
		read_section(rd, text);
		return 0;
	}
	return read_setting(rd, text);
}

static int read_lines(struct policy *p, FILE *f)
{
	struct reader rd = { .policy = p };
	char *line = NULL;
	size_t room = 0;
	ssize_t length;
	int rc = 0;

	while (!rc && (length = getline(&line, &room, f)) >= 0) {
		rd.line++;
		if (strlen(line) != (size_t)length)
			policy_complain(p, rd.line, "it is not text");
		else
			rc = read_line(&rd, line);
	}
	if (!rc && ferror(f))
		rc = -EIO;
	free(line);
	return rc;
}

int policy_read(struct policy *policy, const char *path)
{
	FILE *f;
	int rc;

	*policy = (struct policy) { .path = path };
	f = fopen(path, "re");
	if (!f)
		return fail(-errno, NULL, "cannot open %s", path);
	rc = read_lines(policy, f);
	fclose(f);
	if (rc)
		return fail(rc, NULL, "cannot read %s", path);
	if (!policy->nr_errors)
		return 0;
	fprintf(stderr, "exoctl: %s has %u error%s: nothing of it would be applied\n",
		path, policy->nr_errors, policy->nr_errors == 1 ? "" : "s");
	return EXIT_FAILED;
}

void policy_free(struct policy *policy)
{
	free(policy->rules);
}
