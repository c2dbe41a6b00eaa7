// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * tenants: two users of /dev/exo, see tenants.h
 *
 *   tenants alice SOCKET READY
 *   tenants bob SOCKET READY
 *
 * SOCKET is a path for a UNIX socket, where alice listens. READY is a file that
 * is made when the first part is over; the second ends with SIGTERM. The status
 * is 0 if every step went as it should. tools/demo-tenants runs both.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tenants.h"

#define TRIES	100	/* to connect, 0.1 s each */

/* One write a line: the two do not mix theirs. */
void say(const struct tenant *t, const char *fmt, ...)
{
	char line[400];
	va_list ap;
	int n;

	n = snprintf(line, sizeof(line), "%-6s ", t->name);
	va_start(ap, fmt);
	vsnprintf(line + n, sizeof(line) - n - 1, fmt, ap);
	va_end(ap);
	strcat(line, "\n");
	if (write(STDOUT_FILENO, line, strlen(line)) < 0)
		exit(1);
}

void need(const struct tenant *t, int rc, const char *what)
{
	char text[EXO_REFUSAL_BYTES];
	struct exo_refusal r;

	if (rc >= 0)
		return;
	say(t, "FAILED to %s: %s", what, strerror(-rc));
	if (t->env && !exo_refusal(t->env, &r))
		say(t, "(%s)", exo_refusal_text(&r, text, sizeof(text)));
	exit(1);
}

/* What must be refused was; and why, in the module's words. */
void refused(const struct tenant *t, const char *what, int rc, int want)
{
	char text[EXO_REFUSAL_BYTES];
	struct exo_refusal r;

	if (rc != want) {
		say(t, "FAILED: %s: wanted \"%s\", got \"%s\"", what,
		    strerror(-want), rc < 0 ? strerror(-rc) : "success");
		exit(1);
	}
	need(t, exo_refusal(t->env, &r), "ask why");
	say(t, "%s: refused", what);
	say(t, "  (%s)", exo_refusal_text(&r, text, sizeof(text)));
}

void send_token(const struct tenant *t, char token)
{
	if (send(t->sock, &token, 1, MSG_NOSIGNAL) != 1)
		need(t, -errno, "tell the other");
}

void wait_token(const struct tenant *t, char token)
{
	char got = 0;

	if (recv(t->sock, &got, 1, 0) != 1 || got != token)
		need(t, -EPROTO, "hear from the other");
}

/* Frames of its own, above the minimum that is never taken. */
void hold_frames(struct tenant *t)
{
	int i;

	for (i = 0; i < NR_FRAMES; i++)
		need(t, exo_frame_alloc(t->env, FRAME_PAGES, 0, &t->frame[i]),
		     "allocate frames");
}

void make_ready(const struct tenant *t, const char *ready)
{
	int fd = open(ready, O_CREAT | O_WRONLY | O_CLOEXEC, 0666);

	if (fd < 0)
		need(t, -errno, "say that it is ready");
	close(fd);
}

/* ----------------------------------------------------------- beginning */

static void show_rights(const struct tenant *t)
{
	FILE *f = fopen("/proc/self/status", "re");
	char line[256], caps[32] = "?";

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "CapEff: %31s", caps) == 1)
			break;
	if (f)
		fclose(f);
	say(t, "is user %d, group %d, CapEff %s", (int)getuid(), (int)getgid(),
	    caps);
	if (strspn(caps, "0") != strlen(caps))
		need(t, -EPERM, "be without privilege");
}

static int listen_at(const struct sockaddr_un *addr)
{
	int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), fd;

	if (s < 0 || bind(s, (const void *)addr, sizeof(*addr)) ||
	    chmod(addr->sun_path, 0660) || listen(s, 1))
		return -errno;
	fd = accept4(s, NULL, NULL, SOCK_CLOEXEC);
	close(s);
	return fd < 0 ? -errno : fd;
}

static int connect_to(const struct sockaddr_un *addr)
{
	int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), i;

	if (s < 0)
		return -errno;
	for (i = 0; i < TRIES; i++) {
		if (!connect(s, (const void *)addr, sizeof(*addr)))
			return s;
		usleep(100000);
	}
	return -errno;
}

int main(int argc, char **argv)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct tenant t = { .sock = -1 };
	bool first;
	sigset_t set;

	if (argc != 4 || (strcmp(argv[1], "alice") && strcmp(argv[1], "bob")) ||
	    strlen(argv[2]) >= sizeof(addr.sun_path)) {
		fputs("usage: tenants alice|bob SOCKET READY\n", stderr);
		return 2;
	}
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);	/* taken when it is time */
	t.name = argv[1];
	first = !strcmp(t.name, "alice");
	strcpy(addr.sun_path, argv[2]);
	show_rights(&t);
	need(&t, exo_env_open(NULL, NULL, &t.env), "open /dev/exo");
	need(&t, exo_info_map(t.env, &t.info), "map the exposed tables");
	t.sock = first ? listen_at(&addr) : connect_to(&addr);
	need(&t, t.sock, "reach the other");
	return first ? alice(&t, argv[3]) : bob(&t, argv[3]);
}
