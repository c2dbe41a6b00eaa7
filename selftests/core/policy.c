// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Does a user's policy bound all its envs together, whoever uses them, and can
 * nobody but an administrator see or change it?
 */
#include "../exo_test.h"

#include <sched.h>

#define MAX_USERS	4096	/* that something can be set for */
#define ENDLESS		(~0ULL)

static struct exo_policy_set policy(uint32_t uid, uint64_t max_pages)
{
	return (struct exo_policy_set) {
		.size = sizeof(struct exo_policy_set),
		.policy = { .uid = uid, .max_pages = max_pages },
	};
}

static long set(int fd, uint32_t uid, uint64_t max_pages)
{
	struct exo_policy_set s = policy(uid, max_pages);

	return exo_ioctl(fd, EXO_CMD_POLICY_SET, &s);
}

static long forget(int fd, uint32_t uid)
{
	struct exo_policy_set s = policy(uid, 0);

	s.flags = EXO_GRANT_REVOKE;
	return exo_ioctl(fd, EXO_CMD_POLICY_SET, &s);
}

static long list(int fd, struct exo_policy *array, uint32_t room,
		 uint32_t *nr)
{
	struct exo_policy_list l = {
		.size = sizeof(l), .array = (uintptr_t)array, .nr = room,
	};
	long rc = exo_ioctl(fd, EXO_CMD_POLICY_LIST, &l);

	*nr = l.out_nr;
	return rc;
}

/* An env that a user opened, in the hands of root. */
static int open_of(uid_t uid)
{
	int fd;

	if (setresuid(uid, 0, 0))
		bail("setresuid: %m");
	fd = exo_open();
	if (setresuid(0, 0, 0))
		bail("setresuid: %m");
	return fd;
}

/* ------------------------------------------------------------ matrices */

static void undo_set(int fd, void *s)
{
	const struct exo_policy_set *p = s;

	is(forget(fd, p->policy.uid), 0, "forget what was set");
}

static void test_matrices(int fd)
{
	static const size_t reserved[] = {
		offsetof(struct exo_policy_set, reserved)
	};
	static const struct exo_policy_list empty;
	const struct exo_policy_set valid = policy(UID_BOB, 100);
	const struct matrix matrices[] = {
		{
			.name = "POLICY_SET", .cmd = EXO_CMD_POLICY_SET,
			.size = sizeof(valid), .min = sizeof(valid),
			.valid = &valid, .undo = undo_set,
			.flags = EXO_GRANT_REVOKE,
			.reserved = reserved,
			.nr_reserved = ARRAY_SIZE(reserved),
		}, {
			.name = "POLICY_LIST", .cmd = EXO_CMD_POLICY_LIST,
			.size = sizeof(empty), .min = sizeof(empty),
			.valid = &empty, .outputs = true,
		},
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(matrices); i++)
		matrix_run(fd, &matrices[i]);
}

static long set_like(int fd, struct exo_policy_set s, uint32_t flags)
{
	s.flags = flags;
	return exo_ioctl(fd, EXO_CMD_POLICY_SET, &s);
}

static void test_values(int fd)
{
	struct exo_policy_set s = policy(UID_BOB, 0);
	uint32_t nr;
	int bit, wrong = 0;

	for (bit = 1; bit < 32; bit++) {
		s.policy.allow = 1U << bit;
		wrong += set_like(fd, s, 0) != -EINVAL;
	}
	is(wrong, 0, "unknown allow bits are refused");
	s.policy.allow = EXO_ALLOW_NUMBERS;
	is(set_like(fd, s, EXO_GRANT_REVOKE), -EINVAL,
	   "to forget and to allow at once");
	s = policy(UID_BOB, 1);
	is(set_like(fd, s, EXO_GRANT_REVOKE), -EINVAL,
	   "to forget and to limit at once");
	s.timeout_ms = 3600001;
	is(set_like(fd, s, 0), -EINVAL, "a timeout of more than an hour");
	s.timeout_ms = ~0U;
	is(set_like(fd, s, 0), -EINVAL, "an endless timeout");
	is(set(fd, ~0U, 1), -EINVAL, "no user has number -1");
	is(forget(fd, UID_BOB), -ENOENT, "there is nothing to forget");
	is(list(fd, NULL, 0, &nr), 0, "an empty list");
	is(nr, 0, "nothing of that was set");
	s.timeout_ms = 3600000;
	is(set_like(fd, s, 0), 0, "a timeout of an hour");
	is(forget(fd, UID_BOB), 0, "forget it");
}

/* ----------------------------------------------------------- privilege */

static int may_neither(void *arg)
{
	struct exo_policy array[4];
	int fd = exo_open();
	uint32_t nr;

	(void)arg;
	is(set(fd, UID_ALICE, ENDLESS), -EPERM, "a user cannot set its own");
	is(set(fd, UID_BOB, 0), -EPERM, "nor another's");
	is(forget(fd, UID_ALICE), -EPERM, "nor have it forgotten");
	is(list(fd, array, 4, &nr), -EPERM, "nor list any");
	if (unshare(CLONE_NEWUSER)) {
		skip("no user namespaces: %s", strerror(errno));
	} else {
		is(forget(fd, UID_ALICE), -EPERM,
		   "nor as root of a namespace of its own");
		is(list(fd, array, 4, &nr), -EPERM, "nor list any there");
	}
	close(fd);
	return 0;
}

static void test_privilege(int fd)
{
	is(set(fd, UID_ALICE, 10), 0, "a policy for alice");
	is(as_user(UID_ALICE, may_neither, NULL), 0, "alice's process ended");
	is(forget(fd, UID_ALICE), 0, "it is still there");
}

/* -------------------------------------------------------------- limits */

static int one_page(void *arg)
{
	int fd = exo_open();
	long rc = exo_alloc(fd, 1, 0, NULL);

	(void)arg;
	close(fd);
	return -rc;
}

static void test_limit(int fd)
{
	struct exo_cq_create cq = { .size = sizeof(cq), .nr_entries = 64 };
	int a = open_of(UID_ALICE), b = open_of(UID_ALICE);
	struct exo_frame_alloc f, g;

	is(set(fd, UID_ALICE, 8), 0, "alice may have 8 pages");
	is(exo_alloc(a, 9, 0, NULL), -EDQUOT, "9 are refused");
	is(exo_alloc(a, 4, 2, NULL), 0, "4 in one env");
	is(exo_alloc(b, 4, 0, &g), 0, "4 in another");
	is(exo_alloc(a, 1, 0, NULL), -EDQUOT, "no more in the first");
	is(exo_alloc(b, 1, 0, NULL), -EDQUOT, "nor in the second");
	is(exo_ioctl(a, EXO_CMD_CQ_CREATE, &cq), -EDQUOT, "nor a ring");
	is(as_user(UID_ALICE, one_page, NULL), EDQUOT,
	   "nor in a process of alice's");
	is(as_user(UID_BOB, one_page, NULL), 0, "bob is not meant");
	is(exo_alloc(fd, 64, 0, &f), 0, "nor is root");
	exo_close_handle(fd, f.out_handle);
	is(exo_close_handle(b, g.out_handle), 0, "give one frame back");
	is(exo_ioctl(b, EXO_CMD_CQ_CREATE, &cq), 0, "then there is room");
	is(set(fd, UID_ALICE, 0), 0, "alice may have none");
	close(b);
	is(as_user(UID_ALICE, one_page, NULL), EDQUOT, "and gets none");
	close(a);
	is(as_user(UID_ALICE, one_page, NULL), EDQUOT, "not one");
	is(set(fd, UID_ALICE, ENDLESS), 0, "no limit");
	is(as_user(UID_ALICE, one_page, NULL), 0, "then she gets one");
	is(forget(fd, UID_ALICE), 0, "forget it");
}

/* What a user holds counts, whatever was said when. */
static void test_changes(int fd)
{
	int a = open_of(UID_ALICE);
	struct exo_frame_alloc f, g;
	uint64_t *p;

	is(exo_alloc(a, 6, 0, &f), 0, "6 pages while there is no policy");
	is(exo_alloc(a, 6, 0, &g), 0, "and 6 more");
	p = exo_map(a, f.out_mmap_offset, 4096);
	is(touch_write(p, 42), 0, "they are in use");
	is(set(fd, UID_ALICE, 10), 0, "then 10 are the limit");
	is(exo_alloc(a, 1, 0, NULL), -EDQUOT, "no more");
	is(exo_close_handle(a, g.out_handle), 0, "give 6 back");
	is(exo_alloc(a, 5, 0, NULL), -EDQUOT, "5 would be one too many");
	is(exo_alloc(a, 4, 0, &g), 0, "4 are not");
	is(set(fd, UID_ALICE, 11), 0, "raise the limit");
	is(exo_alloc(a, 1, 0, NULL), 0, "one more");
	is(forget(fd, UID_ALICE), 0, "forget the limit");
	is(exo_alloc(a, 20, 0, NULL), 0, "20 more");
	is(set(fd, UID_ALICE, 32), 0, "a new one: 31 are held");
	is(exo_alloc(a, 2, 0, NULL), -EDQUOT, "2 would be one too many");
	is(exo_alloc(a, 1, 0, NULL), 0, "1 is not");
	ok(*p == 42, "nothing was taken away");
	close(a);
	is(exo_close_handle(fd, 0), -ENOENT, "the env is closed");
	is(forget(fd, UID_ALICE), 0, "forget it");
	munmap(p, 4096);
}

static long set_within(int fd, uint64_t max_pages, uint32_t timeout_ms)
{
	struct exo_policy_set s = policy(UID_ALICE, max_pages);

	s.timeout_ms = timeout_ms;
	return exo_ioctl(fd, EXO_CMD_POLICY_SET, &s);
}

static bool pages_wait(int fd, uint64_t want)
{
	int i;

	for (i = 0; i < 500; i++) {
		if (stats_get(fd).out_nr_frame_pages == want)
			return true;
		usleep(10000);
	}
	diag("%llu pages", stats_get(fd).out_nr_frame_pages);
	return false;
}

/* A lower limit asks for what is too much, and takes it past the deadline. */
static void test_lowered(int fd)
{
	uint64_t before = stats_get(fd).out_nr_frame_pages;
	int a = open_of(UID_ALICE), i;
	struct exo_frame_alloc f[6];
	struct exo_event event = {};
	uint64_t *p;

	for (i = 0; i < 6; i++)
		is(exo_alloc(a, 50, 0, &f[i]), 0, "50 pages");
	p = exo_map(a, f[0].out_mmap_offset, 4096);
	is(touch_write(p, 1), 0, "in use");
	is(set_within(fd, 300, 0), 0, "300 are the limit: not too many");
	is(set_within(fd, 250, 3600000), 0, "250 within an hour");
	is(read(a, &event, sizeof(event)), sizeof(event), "alice is told");
	ok(event.type == EXO_EVENT_RELEASE && event.nr_pages == 50 &&
	   event.source == EXO_SOURCE_QUOTA, "to give 50 pages back");
	is(touch(p, NULL), 0, "nothing is taken before the hour is over");
	is(exo_close_handle(a, f[5].out_handle), 0, "alice gives them back");
	is(exo_alloc(a, 1, 0, NULL), -EDQUOT, "for good");
	is(set_within(fd, 150, 0), 0, "150 at once");
	ok(pages_wait(fd, before + 150), "what is too much is taken");
	is(touch(p, NULL), SIGBUS, "it is gone");
	is(forget(fd, UID_ALICE), 0, "forget the limit");
	is(exo_alloc(a, 50, 0, NULL), 0, "then there is room");
	munmap(p, 4096);
	close(a);
}

static void test_root(int fd)
{
	int root = exo_open();

	is(set(fd, 0, 2), 0, "root may have 2 pages in its envs");
	is(exo_alloc(root, 3, 0, NULL), -EDQUOT, "3 are refused");
	is(exo_alloc(root, 2, 0, NULL), 0, "2 are not");
	is(forget(fd, 0), 0, "forget it");
	is(exo_alloc(root, 3, 0, NULL), 0, "then 3 are not either");
	close(root);
}

/* ---------------------------------------------------------------- lists */

static const struct exo_policy *find(const struct exo_policy *array,
				     uint32_t nr, uint32_t uid)
{
	uint32_t i;

	for (i = 0; i < nr; i++)
		if (array[i].uid == uid)
			return &array[i];
	return NULL;
}

static void test_list(int fd)
{
	struct exo_policy_set s = policy(UID_BOB, 77);
	struct exo_policy array[4] = {};
	const struct exo_policy *p;
	int a = open_of(5555);
	uint32_t nr;

	is(exo_alloc(a, 1, 0, NULL), 0, "somebody holds a page");
	s.policy.allow = EXO_ALLOW_NUMBERS;
	is(set_like(fd, s, 0), 0, "a policy for bob");
	is(set(fd, UID_ALICE, 1), 0, "one for alice");
	is(set(fd, UID_ALICE, 2), 0, "another in its place");
	is(list(fd, array, 0, &nr), -EMSGSIZE, "no room");
	is(nr, 2, "there are two");
	is(list(fd, array, 1, &nr), -EMSGSIZE, "room for one");
	is(nr, 2, "there are two still");
	ok(!array[0].uid && !array[0].max_pages, "nothing was written");
	is(list(fd, array, 4, &nr), 0, "room enough");
	is(nr, 2, "two");
	p = find(array, nr, UID_ALICE);
	ok(p && p->max_pages == 2 && !p->allow, "alice's");
	p = find(array, nr, UID_BOB);
	ok(p && p->max_pages == 77 && p->allow == EXO_ALLOW_NUMBERS, "bob's");
	is(list(fd, (void *)4096, 4, &nr), -EFAULT, "a bad array");
	is(forget(fd, UID_ALICE), 0, "forget alice");
	is(list(fd, array, 4, &nr), 0, "list again");
	ok(nr == 1 && array[0].uid == UID_BOB, "bob's is left");
	is(forget(fd, UID_BOB), 0, "forget bob");
	is(forget(fd, 5555), -ENOENT, "who only holds pages is not to forget");
	close(a);
}

/* Many users, but not without end. */
static void test_many(int fd)
{
	static struct exo_policy array[MAX_USERS];
	uint32_t i, nr = 0, wrong = 0;

	for (i = 0; i < MAX_USERS; i++)
		wrong += set(fd, 100000 + i, i) != 0;
	is(wrong, 0, "%d users have a policy", MAX_USERS);
	is(set(fd, 99999, 1), -EDQUOT, "one more is refused");
	is(set(fd, 100007, 70), 0, "one of them can be changed");
	is(list(fd, array, MAX_USERS, &nr), 0, "all are listed");
	is(nr, MAX_USERS, "all of them");
	for (i = 0; i < nr; i++)
		wrong += array[i].max_pages !=
			 (array[i].uid == 100007 ? 70 : array[i].uid - 100000);
	is(wrong, 0, "each as it was set");
	is(forget(fd, 100000), 0, "forget one");
	is(set(fd, 99999, 1), 0, "then there is room for another");
	is(forget(fd, 99999), 0, "forget that");
	for (i = 1; i < MAX_USERS; i++)
		wrong += forget(fd, 100000 + i) != 0;
	is(wrong, 0, "forget the others");
}

int main(void)
{
	struct exo_query q = { .size = sizeof(q) };
	struct exo_stats before;
	int fd;

	exo_setup();
	fd = exo_open();
	before = stats_get(fd);
	is(exo_ioctl(fd, EXO_CMD_QUERY, &q), 0, "QUERY answers");
	ok(q.out_features & EXO_FEATURE_POLICY, "there are policies");
	test_matrices(fd);
	test_values(fd);
	test_privilege(fd);
	test_limit(fd);
	test_changes(fd);
	test_lowered(fd);
	test_root(fd);
	test_list(fd);
	test_many(fd);
	close(fd);
	fd = exo_open();
	ok(stats_wait(fd, &before, 2000), "nothing is left");
	/* What is set when the module goes is freed with it. */
	is(set(fd, UID_ALICE, 5), 0, "a policy that stays");
	close(fd);
	return done_testing();
}
