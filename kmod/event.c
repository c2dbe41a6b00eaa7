// SPDX-License-Identifier: GPL-2.0
/* Event: see event.h. */
#include <linux/fs.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <linux/uio.h>

#include "check.h"
#include "command.h"
#include "compat/eventfd.h"
#include "env.h"
#include "event.h"
#include "info.h"

/**
 * struct exo_queued_event - the members of struct exo_event that vary
 * @type: EXO_EVENT_*
 * @source: EXO_SOURCE_*
 * @handle: of the env
 * @nr_dropped: before this one
 * @nr_pages: how many it is about
 * @deadline_ns: CLOCK_BOOTTIME, or 0
 * @time_ns: CLOCK_BOOTTIME
 */
struct exo_queued_event {
	u32 type;
	u32 source;
	u32 handle;
	u32 nr_dropped;
	u64 nr_pages;
	u64 deadline_ns;
	u64 time_ns;
};

/**
 * exo_events_init() - prepare the queue of a new env
 * @events: in zeroed memory
 *
 * Context: sleeps. Return: 0 or -ENOMEM.
 */
int exo_events_init(struct exo_events *events)
{
	spin_lock_init(&events->lock);
	events->ring = kvcalloc(EXO_MAX_EVENTS, sizeof(*events->ring),
				EXO_GFP_USER);
	return events->ring ? 0 : -ENOMEM;
}

/**
 * exo_events_exit() - the env is gone
 * @events: the queue
 */
void exo_events_exit(struct exo_events *events)
{
	if (events->eventfd)
		eventfd_ctx_put(events->eventfd);
	kvfree(events->ring);
}

static u32 __count(const struct exo_events *events)
{
	return events->prod - events->cons + events->ask_unread;
}

/* The number is exposed; whoever sleeps or counts is told. */
static void __tell(struct exo_env *env)
{
	struct exo_events *events = &env->events;

	lockdep_assert_held(&events->lock);
	WRITE_ONCE(env->info.env->nr_events, __count(events));
	if (events->eventfd)
		exo_eventfd_signal(events->eventfd);
	exo_env_wake(env);
}

static void __expose_ask(struct exo_env *env)
{
	struct exo_events *events = &env->events;

	WRITE_ONCE(env->info.env->nr_asked, events->nr_asked);
	WRITE_ONCE(env->info.env->deadline_ns,
		   events->nr_asked ? events->deadline_ns : 0);
	WRITE_ONCE(env->info.env->nr_events, __count(events));
}

static void __post(struct exo_events *events,
		   const struct exo_queued_event *what)
{
	struct exo_queued_event *event;

	if (!EXO_CHECK(event_room,
		       events->prod - events->cons < EXO_MAX_EVENTS)) {
		events->nr_dropped++;
		return;
	}
	event = &events->ring[events->prod++ % EXO_MAX_EVENTS];
	*event = *what;
	event->nr_dropped = events->nr_dropped;
	event->time_ns = ktime_get_boottime_ns();
	events->nr_dropped = 0;
}

static void post(struct exo_env *env, const struct exo_queued_event *what)
{
	spin_lock(&env->events.lock);
	__post(&env->events, what);
	__tell(env);
	spin_unlock(&env->events.lock);
}

/**
 * exo_event_post() - something happened to an env
 * @env: the env
 * @type: EXO_EVENT_*, not EXO_EVENT_RELEASE or EXO_EVENT_CAP_ENDING
 * @source: EXO_SOURCE_*
 * @handle: which handle, or 0
 * @nr_pages: how many pages, or 0
 *
 * Context: any but interrupt.
 */
void exo_event_post(struct exo_env *env, u32 type, u32 source, u32 handle,
		    u64 nr_pages)
{
	post(env, &(struct exo_queued_event){
			  .type = type, .source = source, .handle = handle,
			  .nr_pages = nr_pages,
		  });
}

/**
 * exo_event_ending() - a capability of an env will be revoked
 * @env: the env
 * @handle: of the capability
 * @nr_units: how many pages or blocks it covers
 * @deadline_ns: when, CLOCK_BOOTTIME
 *
 * Context: any but interrupt.
 */
void exo_event_ending(struct exo_env *env, u32 handle, u64 nr_units,
		      u64 deadline_ns)
{
	post(env, &(struct exo_queued_event){
			  .type = EXO_EVENT_CAP_ENDING,
			  .source = EXO_SOURCE_PARENT, .handle = handle,
			  .nr_pages = nr_units, .deadline_ns = deadline_ns,
		  });
}

/**
 * exo_event_ask() - ask an env for pages
 * @env: the env
 * @nr_pages: how many; the larger of this and what it is asked for already
 * @deadline_ns: until when; the earlier of the two
 * @source: EXO_SOURCE_*
 *
 * Context: any but interrupt.
 */
void exo_event_ask(struct exo_env *env, u64 nr_pages, u64 deadline_ns,
		   u32 source)
{
	struct exo_events *events = &env->events;

	spin_lock(&events->lock);
	if (events->nr_asked)
		deadline_ns = min(deadline_ns, events->deadline_ns);
	events->nr_asked = max(nr_pages, events->nr_asked);
	events->deadline_ns = deadline_ns;
	events->asked_ns = ktime_get_boottime_ns();
	events->ask_source = source;
	events->ask_unread = true;
	__expose_ask(env);
	__tell(env);
	spin_unlock(&events->lock);
}

static void __given(struct exo_env *env, u64 nr_pages)
{
	struct exo_events *events = &env->events;

	lockdep_assert_held(&events->lock);
	if (!events->nr_asked)
		return;
	events->nr_asked -= min(nr_pages, events->nr_asked);
	if (!events->nr_asked)
		events->ask_unread = false;
	__expose_ask(env);
}

/**
 * exo_event_given() - pages of an env went, given back or taken
 * @env: the env
 * @nr_pages: how many
 *
 * Context: any but interrupt.
 */
void exo_event_given(struct exo_env *env, u64 nr_pages)
{
	spin_lock(&env->events.lock);
	__given(env, nr_pages);
	spin_unlock(&env->events.lock);
}

/**
 * exo_event_settle() - a request is over, whatever of it was not given
 * @env: the env
 * @asked_ns: when it was made, CLOCK_BOOTTIME; one made since stands
 *
 * Context: any but interrupt.
 */
void exo_event_settle(struct exo_env *env, u64 asked_ns)
{
	struct exo_events *events = &env->events;

	spin_lock(&events->lock);
	if (events->asked_ns == asked_ns)
		__given(env, U64_MAX);
	spin_unlock(&events->lock);
}

/**
 * exo_event_count() - events to be read
 * @env: the env
 *
 * Context: any. Return: the count.
 */
u32 exo_event_count(struct exo_env *env)
{
	return READ_ONCE(env->info.env->nr_events);
}

/**
 * exo_event_pending() - is there any event to be read?
 * @env: the env
 *
 * Context: any. Return: true if there is.
 */
bool exo_event_pending(struct exo_env *env)
{
	return exo_event_count(env);
}

static bool __take_ask(struct exo_events *events, struct exo_event *event)
{
	if (!events->ask_unread)
		return false;
	events->ask_unread = false;
	*event = (struct exo_event){
		.type = EXO_EVENT_RELEASE, .source = events->ask_source,
		.nr_pages = events->nr_asked,
		.deadline_ns = events->deadline_ns,
		.time_ns = events->asked_ns,
	};
	return true;
}

static bool __take_queued(struct exo_events *events, struct exo_event *event)
{
	const struct exo_queued_event *queued;

	if (events->cons == events->prod)
		return false;
	queued = &events->ring[events->cons++ % EXO_MAX_EVENTS];
	*event = (struct exo_event){
		.type = queued->type, .source = queued->source,
		.handle = queued->handle, .nr_dropped = queued->nr_dropped,
		.nr_pages = queued->nr_pages,
		.deadline_ns = queued->deadline_ns,
		.time_ns = queued->time_ns,
	};
	return true;
}

static bool take(struct exo_env *env, struct exo_event *event)
{
	struct exo_events *events = &env->events;
	bool taken;

	spin_lock(&events->lock);
	taken = __take_ask(events, event) || __take_queued(events, event);
	WRITE_ONCE(env->info.env->nr_events, __count(events));
	spin_unlock(&events->lock);
	return taken;
}

/* The room is looked at first, so that a bad pointer loses no event. */
static ssize_t read_some(struct exo_env *env, struct iov_iter *to)
{
	struct exo_event event;
	ssize_t bytes = 0;

	while (iov_iter_count(to) >= sizeof(event)) {
		if (fault_in_iov_iter_writeable(to, sizeof(event)))
			return bytes ?: -EFAULT;
		if (!take(env, &event))
			break;
		if (copy_to_iter(&event, sizeof(event), to) != sizeof(event))
			return bytes ?: -EFAULT;
		bytes += sizeof(event);
	}
	return bytes;
}

/**
 * exo_event_read() - read(2) of an env
 * @env: the env
 * @iocb: says whether it may sleep
 * @to: where to, an array of struct exo_event
 *
 * Context: sleeps. Return: bytes, a multiple of sizeof(struct exo_event);
 * -EINVAL no room for one; -EAGAIN there is none and it may not sleep; -EINTR;
 * -EFAULT.
 */
ssize_t exo_event_read(struct exo_env *env, struct kiocb *iocb,
		       struct iov_iter *to)
{
	bool nowait = (iocb->ki_flags & IOCB_NOWAIT) ||
		      (iocb->ki_filp->f_flags & O_NONBLOCK);
	ssize_t bytes;

	if (!EXO_CHECK(event_read_room,
		       iov_iter_count(to) >= sizeof(struct exo_event)))
		return -EINVAL;
	for (;;) {
		bytes = read_some(env, to);
		if (bytes)
			return bytes;
		if (nowait)
			return -EAGAIN;
		if (wait_event_interruptible(env->wait, exo_event_pending(env)))
			return -ERESTARTSYS;
	}
}

/**
 * exo_event_fd() - EXO_CMD_EVENT_FD
 * @cmd: struct exo_event_fd
 *
 * Return: 0; -EINVAL reserved not zero, or not an eventfd; -EBADF no fd.
 */
int exo_event_fd(struct exo_command *cmd)
{
	struct exo_event_fd *arg = cmd->arg;
	struct exo_events *events = &cmd->env->events;
	struct eventfd_ctx *ctx = NULL;

	if (!EXO_CHECK(event_fd_reserved, !arg->reserved))
		return -EINVAL;
	if (arg->fd != -1)
		ctx = eventfd_ctx_fdget(arg->fd);
	if (IS_ERR(ctx))
		return PTR_ERR(ctx);
	spin_lock(&events->lock);
	swap(events->eventfd, ctx);
	spin_unlock(&events->lock);
	if (ctx)
		eventfd_ctx_put(ctx);
	return 0;
}
