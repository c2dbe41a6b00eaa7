/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* Short forms for the tests of events and of visible revocation. */
#ifndef EXO_SELFTESTS_EVENT_H
#define EXO_SELFTESTS_EVENT_H

#include "cap.h"

#include <poll.h>

#define MS 1000000ULL

/* An env that does not sleep in read(2). */
MAYBE_UNUSED static int env_nonblock(void)
{
	int env = exo_open();

	if (fcntl(env, F_SETFL, O_NONBLOCK))
		bail("fcntl: %m");
	return env;
}

/* True once there are events, at most @ms from now. */
MAYBE_UNUSED static bool has_event(int env, int ms)
{
	struct pollfd p = { .fd = env, .events = POLLPRI };

	return poll(&p, 1, ms) == 1 && p.revents & POLLPRI;
}

/* The next event, waited for up to @ms; false if there is none. */
MAYBE_UNUSED static bool next_event(int env, int ms, struct exo_event *e)
{
	memset(e, 0xff, sizeof(*e));
	return has_event(env, ms) && read(env, e, sizeof(*e)) == sizeof(*e);
}

/* True before @ns; else it says that a busy machine left no time to see @what. */
MAYBE_UNUSED static bool in_time(uint64_t ns, const char *what)
{
	if (boottime_ns() < ns)
		return true;
	skip("%s: the time was over first, the machine is busy", what);
	return false;
}

/* "I am here": a byte through a pipe. */
MAYBE_UNUSED static void tell_ready(int fd)
{
	if (write(fd, "x", 1) != 1)
		bail("write: %m");
}

MAYBE_UNUSED static void await_ready(int fd)
{
	char c;

	if (read(fd, &c, 1) != 1)
		bail("the other process is gone");
}

/* The three pages of exposed information. */
struct info {
	volatile struct exo_info_global *global;
	volatile struct exo_info_env *env;
	volatile struct exo_vector_entry *vector;
};

MAYBE_UNUSED static struct info info_map(int env)
{
	char *p = mmap(NULL, EXO_INFO_BYTES, PROT_READ, MAP_SHARED, env,
		       EXO_INFO_GLOBAL_OFFSET);

	if (p == MAP_FAILED)
		bail("mmap of the information: %m");
	return (struct info) {
		.global = (void *)p,
		.env = (void *)(p + EXO_INFO_ENV_OFFSET),
		.vector = (void *)(p + EXO_INFO_VECTOR_OFFSET),
	};
}

/* Ask an env for pages; 0 or -errno. */
MAYBE_UNUSED static long env_ask(int env, uint64_t id, uint64_t nr_pages,
				 uint32_t timeout_ms)
{
	struct exo_env_ask a = {
		.size = sizeof(a), .id = id, .nr_pages = nr_pages,
		.timeout_ms = timeout_ms,
	};

	return exo_ioctl(env, EXO_CMD_ENV_ASK, &a);
}

/* Envs that the caller may see; how many, or -errno. */
MAYBE_UNUSED static long env_list(int env, struct exo_env_info *infos,
				  uint32_t room)
{
	struct exo_env_list l = {
		.size = sizeof(l), .array = (uintptr_t)infos, .nr = room,
	};
	long rc = exo_ioctl(env, EXO_CMD_ENV_LIST, &l);

	return rc ?: (long)l.out_nr;
}

/* One env of the list; false if it is not in it. */
MAYBE_UNUSED static bool env_find(int env, uint64_t id,
				  struct exo_env_info *info)
{
	struct exo_env_info infos[64];
	long i, n = env_list(env, infos, ARRAY_SIZE(infos));

	for (i = 0; i < n; i++)
		if (infos[i].id == id) {
			*info = infos[i];
			return true;
		}
	return false;
}

#endif /* EXO_SELFTESTS_EVENT_H */
