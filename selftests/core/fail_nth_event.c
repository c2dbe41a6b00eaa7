// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Events, requests and policy when the kernel's calls fail: see fail_nth.h.
 *
 * timeout: 300
 */
#include "event.h"
#include "fail_nth.h"

#include <sys/eventfd.h>

static int count_fd;
static uint64_t id;		/* of the env */

static long event_fd(int fd)
{
	struct exo_event_fd e = { .size = sizeof(e), .fd = fd };

	return exo_ioctl(env, EXO_CMD_EVENT_FD, &e);
}

static long act_event_fd(void)
{
	return event_fd(count_fd);
}

static void undo_event_fd(long rc)
{
	(void)rc;
	event_fd(-1);
}

static long act_env_list(void)
{
	struct exo_env_info infos[8];

	return env_list(env, infos, ARRAY_SIZE(infos));
}

static long act_env_ask(void)
{
	return env_ask(env, id, 1, 3600000);
}

static long policy(uint32_t flags, uint64_t max_pages)
{
	struct exo_policy_set p = {
		.size = sizeof(p), .flags = flags,
		.policy = { .uid = UID_BOB, .max_pages = max_pages },
	};

	return exo_ioctl(env, EXO_CMD_POLICY_SET, &p);
}

static long act_policy_set(void)
{
	return policy(0, 1000);
}

static void undo_policy_set(long rc)
{
	(void)rc;
	policy(EXO_GRANT_REVOKE, 0);
}

static long act_policy_list(void)
{
	struct exo_policy array[4];
	struct exo_policy_list l = {
		.size = sizeof(l), .array = (uintptr_t)array,
		.nr = ARRAY_SIZE(array),
	};

	return exo_ioctl(env, EXO_CMD_POLICY_LIST, &l);
}

static char *mapped;

static long act_map_info(void)
{
	mapped = mmap(NULL, EXO_INFO_BYTES, PROT_READ, MAP_SHARED, env,
		      EXO_INFO_GLOBAL_OFFSET);
	return mapped == MAP_FAILED ? -errno : 0;
}

/* Not under injection: munmap(2) may itself lack memory. */
static void undo_map_info(long rc)
{
	if (!rc)
		munmap(mapped, EXO_INFO_BYTES);
}

/* An event to be read; who was asked is asked again only for more. */
static void make_event(void)
{
	uint32_t root = frame_new(env, 1), child = derived(env, root, R, 0, 1);

	cap_revoke(env, root, 0);
	exo_close_handle(env, child);
	exo_close_handle(env, root);
	if (!has_event(env, 5000))
		bail("a revocation makes no event");
}

static long act_read(void)
{
	struct exo_event e;
	ssize_t n = read(env, &e, sizeof(e));

	if (n < 0)
		return -errno;
	return n == sizeof(e) ? 0 : -EIO;
}

static void undo_read(long rc)
{
	struct exo_event e;

	(void)rc;
	while (next_event(env, 0, &e))
		;
	make_event();
}

static const struct target event_targets[] = {
	{ EXO_CMD_EVENT_FD, "EVENT_FD", act_event_fd, undo_event_fd, {},
	  MEETS_COPY },
	{ EXO_CMD_ENV_LIST, "ENV_LIST", act_env_list, NULL, {},
	  MEETS_ALLOC | MEETS_COPY },
	{ EXO_CMD_ENV_ASK, "ENV_ASK", act_env_ask, NULL, {},
	  MEETS_COPY },
	{ EXO_CMD_POLICY_SET, "POLICY_SET", act_policy_set, undo_policy_set, {},
	  MEETS_ALLOC | MEETS_COPY },
	{ EXO_CMD_POLICY_LIST, "POLICY_LIST", act_policy_list, NULL, {},
	  MEETS_ALLOC | MEETS_COPY },
	{ 0, "read", act_read, undo_read, {},
	  MEETS_COPY },
	{ 0, "mmap of the information", act_map_info, undo_map_info, {},
	  MEETS_ALLOC },
};

int main(void)
{
	struct info info;

	fail_nth_setup();
	count_fd = eventfd(0, EFD_CLOEXEC);
	info = info_map(env);
	id = info.env->id;
	munmap((void *)info.global, EXO_INFO_BYTES);
	if (fcntl(env, F_SETFL, O_NONBLOCK))
		bail("fcntl: %m");
	undo_read(0);
	SWEEP(event_targets);
	close(count_fd);
	return fail_nth_end("event");
}
