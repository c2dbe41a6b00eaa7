// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Fake: capabilities, events, envs, policy.
 */
#define _GNU_SOURCE	/* memfd_create */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fake.h"

#define MAX_NOTICE_MS	3600000U
#define ALL_RIGHTS	(EXO_RIGHT_READ | EXO_RIGHT_WRITE | EXO_RIGHT_SHARE)

void fake_root(struct fake *f, __u32 handle, __u32 type, __u64 nr)
{
	f->object[handle].cap = (struct exo_cap_info) {
		.out_type = type,
		.out_state = EXO_CAP_LIVE,
		.out_rights = ALL_RIGHTS,
		.out_nr = nr,
		.out_mmap_offset = (__u64)handle << 32,
	};
}

static int refuse(struct fake *f, __u32 reason, __u32 command, __u32 handle,
		  __u64 want, __u64 have, int rc)
{
	f->refusal = (struct exo_refusal) {
		.out_reason = reason,
		.out_command = command,
		.out_handle = handle,
		.out_want = want,
		.out_have = have,
		.out_nr = f->refusal.out_nr + 1,
		.out_type = reason == EXO_REFUSED_RANGE ?
			    f->object[handle].cap.out_type : 0,
	};
	return rc;
}

/* The handle may be used, by this command. */
static int cap_check(struct fake *f, __u32 h, __u32 command, __u32 rights)
{
	struct exo_cap_info *cap;

	if (!h || h >= FAKE_OBJECTS || !f->object[h].nr)
		return refuse(f, EXO_REFUSED_HANDLE, command, h, 0, 0, -ENOENT);
	cap = &f->object[h].cap;
	if (cap->out_state == EXO_CAP_REVOKED)
		return refuse(f, EXO_REFUSED_REVOKED, command, h, 0, 0,
			      -ESTALE);
	if (rights & ~cap->out_rights)
		return refuse(f, EXO_REFUSED_RIGHTS, command, h, rights,
			      cap->out_rights, -EACCES);
	return 0;
}

static int child_of(struct fake *f, __u32 parent, __u32 *handle)
{
	int rc = fake_object_new(f, f->object[parent].nr, handle);

	if (rc)
		return rc;
	f->object[*handle].cap = f->object[parent].cap;
	f->object[*handle].cap.out_depth++;
	f->object[*handle].cap.out_notice_ns = 0;
	f->object[*handle].cap.out_mmap_offset = (__u64)*handle << 32;
	f->object[*handle].parent = parent;
	return 0;
}

/* Its own expiry, or a notice from above. */
static __u64 ends_ns(const struct fake *f, __u32 h)
{
	__u64 notice_ns, ends = f->object[h].cap.out_expires_ns;

	while ((h = f->object[h].parent)) {
		notice_ns = f->object[h].cap.out_notice_ns;
		if (notice_ns && (!ends || notice_ns < ends))
			ends = notice_ns;
	}
	return ends;
}

static int do_derive(struct fake *f, struct exo_cap_derive *a)
{
	struct exo_cap_info *cap;
	int rc;

	rc = cap_check(f, a->handle, EXO_NR_CAP_DERIVE,
		       a->rights | EXO_RIGHT_SHARE);
	if (rc)
		return rc;
	cap = &f->object[a->handle].cap;
	if (a->start + a->nr > cap->out_nr)
		return refuse(f, EXO_REFUSED_RANGE, EXO_NR_CAP_DERIVE,
			      a->handle, a->start + a->nr, cap->out_nr,
			      -EINVAL);
	rc = child_of(f, a->handle, &a->out_handle);
	if (rc)
		return rc;
	cap = &f->object[a->out_handle].cap;
	cap->out_rights = a->rights;
	cap->out_start += a->start;
	cap->out_nr = a->nr;
	if (a->expires_ns)
		cap->out_expires_ns = a->expires_ns;
	a->out_mmap_offset = cap->out_mmap_offset;
	return 0;
}

static ino_t inode_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) ? 0 : st.st_ino;
}

static int do_export(struct fake *f, struct exo_cap_export *a)
{
	struct fake_export *x = &f->export[f->nr_exports];
	int rc = cap_check(f, a->handle, EXO_NR_CAP_EXPORT, EXO_RIGHT_SHARE);

	if (rc)
		return rc;
	if (f->nr_exports++ == FAKE_EXPORTS)
		return -ENFILE;
	a->out_fd = memfd_create("cap", MFD_CLOEXEC);
	x->ino = inode_of(a->out_fd);
	x->handle = a->handle;
	return 0;
}

static int do_import(struct fake *f, struct exo_cap_import *a)
{
	ino_t ino = inode_of(a->fd);
	struct exo_cap_info *cap;
	int i, rc;

	for (i = 0; i < f->nr_exports && f->export[i].ino != ino; i++)
		;
	if (i == f->nr_exports)
		return -EBADF;
	rc = cap_check(f, f->export[i].handle, EXO_NR_CAP_IMPORT, 0);
	if (rc)
		return rc;
	rc = child_of(f, f->export[i].handle, &a->out_handle);
	if (rc)
		return rc;
	cap = &f->object[a->out_handle].cap;
	a->out_type = cap->out_type;
	a->out_rights = cap->out_rights;
	a->out_nr = cap->out_nr;
	a->out_expires_ns = ends_ns(f, a->out_handle);
	a->out_mmap_offset = cap->out_mmap_offset;
	return 0;
}

static bool is_below(const struct fake *f, __u32 h, __u32 above)
{
	__u32 up;

	for (up = f->object[h].parent; up && up != above;)
		up = f->object[up].parent;
	return f->object[h].nr && up;
}

static __u64 revoke_below(struct fake *f, __u32 handle)
{
	__u64 nr = 0;
	__u32 h;

	f->object[handle].cap.out_notice_ns = 0;
	for (h = 1; h < FAKE_OBJECTS; h++) {
		if (!is_below(f, h, handle))
			continue;
		f->object[h].cap.out_state = EXO_CAP_REVOKED;
		nr++;
	}
	return nr;
}

static void post(struct fake *f, const struct exo_event *event)
{
	if (f->nr_events == EXO_MAX_EVENTS)
		return;
	f->event[f->nr_events++] = *event;
	if (f->event_fd >= 0)
		eventfd_write(f->event_fd, 1);
}

/* All is in one env, which hears of each of its handles. */
static __u64 tell_below(struct fake *f, __u32 handle)
{
	__u64 nr = 0;
	__u32 h;

	for (h = 1; h < FAKE_OBJECTS; h++) {
		if (!is_below(f, h, handle) ||
		    f->object[h].cap.out_state != EXO_CAP_LIVE)
			continue;
		post(f, &(struct exo_event) {
			.type = EXO_EVENT_CAP_ENDING,
			.source = EXO_SOURCE_PARENT, .handle = h,
			.nr_pages = f->object[h].cap.out_nr,
			.deadline_ns = ends_ns(f, h), .time_ns = f->boot_ns,
		});
		nr++;
	}
	return nr;
}

static int give_notice(struct fake *f, struct exo_cap_revoke *a)
{
	struct exo_cap_info *cap = &f->object[a->handle].cap;

	if (cap->out_notice_ns)
		return -EBUSY;
	cap->out_notice_ns = f->boot_ns + a->timeout_ms * 1000000ULL;
	a->out_nr = tell_below(f, a->handle);
	return 0;
}

static int do_revoke(struct fake *f, struct exo_cap_revoke *a)
{
	int rc;

	a->out_nr = 0;
	if (a->timeout_ms > MAX_NOTICE_MS ||
	    (a->timeout_ms && a->flags & EXO_REVOKE_SELF))
		return -EINVAL;
	rc = cap_check(f, a->handle, EXO_NR_CAP_REVOKE, 0);
	if (rc)
		return rc;
	if (a->timeout_ms)
		return give_notice(f, a);
	a->out_nr = revoke_below(f, a->handle);
	if (a->flags & EXO_REVOKE_SELF) {
		f->object[a->handle].cap.out_state = EXO_CAP_REVOKED;
		a->out_nr++;
	}
	return 0;
}

/* What the module does by itself when the time is over. */
static void end_due(struct fake *f)
{
	__u64 notice_ns;
	__u32 h;

	for (h = 1; h < FAKE_OBJECTS; h++) {
		notice_ns = f->object[h].cap.out_notice_ns;
		if (f->object[h].nr && notice_ns && notice_ns <= f->boot_ns)
			revoke_below(f, h);
	}
}

static int do_info(struct fake *f, struct exo_cap_info *a)
{
	__u32 h = a->handle % FAKE_OBJECTS;

	if (!f->object[h].nr)
		return -ENOENT;
	*a = f->object[h].cap;
	a->out_expires_ns = ends_ns(f, h);
	return 0;
}

/* Pages lie in runs of two. */
static int do_frame_info(struct fake *f, struct exo_frame_info *a)
{
	struct exo_page_info *page = (void *)(uintptr_t)a->array;
	__u32 i;
	int rc = cap_check(f, a->frame, EXO_NR_FRAME_INFO, 0);

	if (rc)
		return rc;
	if (a->first_page + a->nr > f->object[a->frame].cap.out_nr)
		return refuse(f, EXO_REFUSED_RANGE, EXO_NR_FRAME_INFO, a->frame,
			      a->first_page + a->nr,
			      f->object[a->frame].cap.out_nr, -EINVAL);
	for (i = 0; i < a->nr; i++)
		page[i] = (struct exo_page_info) {
			.number = ~0ULL,
			.colour = a->first_page + i,
			.nr_contiguous = 2 - (a->first_page + i) % 2,
		};
	return 0;
}

static int do_ask(struct fake *f, const struct exo_env_ask *a)
{
	int i;

	f->last_ask = *a;
	for (i = 0; i < f->nr_envs; i++)
		if (f->env[i].id == a->id)
			return 0;
	return -ENOENT;
}

static int do_policy_set(struct fake *f, const struct exo_policy_set *a)
{
	int i;

	for (i = 0; i < f->nr_policies; i++)
		if (f->policy[i].uid == a->policy.uid)
			break;
	if (a->flags & EXO_GRANT_REVOKE) {
		if (i == f->nr_policies)
			return -ENOENT;
		f->policy[i] = f->policy[--f->nr_policies];
		return 0;
	}
	f->policy[i] = a->policy;
	f->nr_policies += i == f->nr_policies;
	return 0;
}

static int do_event_fd(struct fake *f, const struct exo_event_fd *a)
{
	if (a->fd >= 0 && !inode_of(a->fd))
		return -EBADF;
	f->event_fd = a->fd;
	return 0;
}

static int do_disk_grant_list(struct fake *f, struct exo_disk_grant_list *a)
{
	if (a->disk != 1)
		return -ENOENT;
	return fake_list(f->disk_grant, f->nr_disk_grants,
			 sizeof(*f->disk_grant), a->array, a->nr, &a->out_nr);
}

static int do_net_grant_list(struct fake *f, struct exo_net_grant_list *a)
{
	if (a->ifindex != 1)
		return -ENOENT;
	return fake_list(f->net_grant, f->nr_net_grants, sizeof(*f->net_grant),
			 a->array, a->nr, &a->out_nr);
}

static int env_execute(struct fake *f, unsigned int nr, void *arg)
{
	struct exo_policy_list *policies = arg;
	struct exo_env_list *envs = arg;

	switch (nr) {
	case EXO_NR_ENV_LIST:
		return fake_list(f->env, f->nr_envs, sizeof(*f->env),
				 envs->array, envs->nr, &envs->out_nr);
	case EXO_NR_ENV_ASK:
		return do_ask(f, arg);
	case EXO_NR_EVENT_FD:
		return do_event_fd(f, arg);
	case EXO_NR_POLICY_SET:
		return do_policy_set(f, arg);
	case EXO_NR_POLICY_LIST:
		return fake_list(f->policy, f->nr_policies, sizeof(*f->policy),
				 policies->array, policies->nr,
				 &policies->out_nr);
	case EXO_NR_DISK_GRANT_LIST:
		return do_disk_grant_list(f, arg);
	case EXO_NR_NET_GRANT_LIST:
		return do_net_grant_list(f, arg);
	}
	return -ENOTTY;
}

int fake_cap_execute(struct fake *f, unsigned int nr, void *arg)
{
	end_due(f);
	switch (nr) {
	case EXO_NR_FRAME_INFO:
		return do_frame_info(f, arg);
	case EXO_NR_CAP_DERIVE:
		return do_derive(f, arg);
	case EXO_NR_CAP_EXPORT:
		return do_export(f, arg);
	case EXO_NR_CAP_IMPORT:
		return do_import(f, arg);
	case EXO_NR_CAP_REVOKE:
		return do_revoke(f, arg);
	case EXO_NR_CAP_INFO:
		return do_info(f, arg);
	case EXO_NR_REFUSAL:
		*(struct exo_refusal *)arg = f->refusal;
		return 0;
	}
	return env_execute(f, nr, arg);
}

void fake_event(struct fake *fake, __u32 type, __u64 nr_pages)
{
	post(fake, &(struct exo_event) { .type = type, .nr_pages = nr_pages });
}

ssize_t fake_read(const struct exo_sys *sys, int fd, void *buf, size_t bytes)
{
	struct fake *f = (struct fake *)(uintptr_t)sys;
	int nr = (int)(bytes / sizeof(*f->event));

	if (fd != f->fd)
		return exo_sys_default()->read(sys, fd, buf, bytes);
	if (f->short_read)
		return f->short_read;
	if (!f->nr_events)
		return -EAGAIN;
	if (nr > f->nr_events)
		nr = f->nr_events;
	memcpy(buf, f->event, nr * sizeof(*f->event));
	f->nr_events -= nr;
	memmove(f->event, f->event + nr, f->nr_events * sizeof(*f->event));
	return (ssize_t)(nr * sizeof(*f->event));
}

/* An eventfd knows no POLLPRI: add it. */
int fake_poll(const struct exo_sys *sys, struct pollfd *fds, nfds_t nr,
	      __s64 timeout_ns)
{
	struct fake *f = (struct fake *)(uintptr_t)sys;
	int rc, urgent = 0;
	nfds_t i;

	if (f->poll_rc)
		return f->poll_rc;
	for (i = 0; f->nr_events && i < nr; i++)
		urgent += fds[i].fd == f->fd && fds[i].events & POLLPRI;
	rc = exo_sys_default()->poll(sys, fds, nr, urgent ? 0 : timeout_ns);
	for (i = 0; urgent && i < nr; i++)
		if (fds[i].fd == f->fd && fds[i].events & POLLPRI)
			fds[i].revents |= POLLPRI;
	return urgent && rc >= 0 ? rc + urgent : rc;
}
