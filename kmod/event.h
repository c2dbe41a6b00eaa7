/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Event: what the module tells an env of its own accord, read from its file.
 *
 * A ring of bounded length, whose newest entries are dropped and counted when it
 * is full, and beside it the one request for pages, which is merged and never
 * dropped.
 */
#ifndef EXO_KMOD_EVENT_H
#define EXO_KMOD_EVENT_H

#include <linux/spinlock.h>
#include <linux/types.h>

#include <linux/exo.h>

/* The longest time that a request or a notice may give. */
#define EXO_MAX_ASK_MS	3600000U

struct eventfd_ctx;
struct exo_env;
struct exo_queued_event;
struct iov_iter;
struct kiocb;

/**
 * struct exo_events - of one env
 * @lock: guards the rest; innermost
 * @ring: EXO_MAX_EVENTS entries
 * @prod: entries written, free running
 * @cons: entries read, free running
 * @nr_dropped: since the last one that was written
 * @eventfd: signalled with each event, one reference, or NULL
 * @nr_asked: pages that the env shall give back, 0 for no request
 * @deadline_ns: until when, CLOCK_BOOTTIME
 * @asked_ns: since when
 * @ask_source: EXO_SOURCE_*
 * @ask_unread: the library has not read of it
 */
struct exo_events {
	spinlock_t lock;
	struct exo_queued_event *ring;
	u32 prod;
	u32 cons;
	u32 nr_dropped;
	struct eventfd_ctx *eventfd;
	u64 nr_asked;
	u64 deadline_ns;
	u64 asked_ns;
	u32 ask_source;
	bool ask_unread;
};

int exo_events_init(struct exo_events *events);
void exo_events_exit(struct exo_events *events);
void exo_event_post(struct exo_env *env, u32 type, u32 source, u32 handle,
		    u64 nr_pages);
void exo_event_ending(struct exo_env *env, u32 handle, u64 nr_units,
		      u64 deadline_ns);
void exo_event_ask(struct exo_env *env, u64 nr_pages, u64 deadline_ns,
		   u32 source);
void exo_event_given(struct exo_env *env, u64 nr_pages);
void exo_event_settle(struct exo_env *env, u64 asked_ns);
bool exo_event_pending(struct exo_env *env);
u32 exo_event_count(struct exo_env *env);
ssize_t exo_event_read(struct exo_env *env, struct kiocb *iocb,
		       struct iov_iter *to);

#endif /* EXO_KMOD_EVENT_H */
