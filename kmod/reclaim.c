// SPDX-License-Identifier: GPL-2.0
/*
 * Reclaim: see reclaim.h.
 *
 * Whoever finds that pages are short may hold locks that taking a frame needs
 * (a fault allocates page tables under map_lock): all taking is done by one
 * work item. The OOM notifier waits for it, but not for long.
 */
#include <linux/capability.h>
#include <linux/completion.h>
#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/oom.h>
#include <linux/workqueue.h>

#include "check.h"
#include "command.h"
#include "compat/shrinker.h"
#include "env.h"
#include "frame.h"
#include "info.h"
#include "reclaim.h"

static unsigned int pressure_percent = 5;
module_param(pressure_percent, uint, 0644);
MODULE_PARM_DESC(pressure_percent,
		 "Ask for frames when less than this much of RAM is available");

static unsigned int pressure_timeout_ms = 1000;
module_param(pressure_timeout_ms, uint, 0644);
MODULE_PARM_DESC(pressure_timeout_ms,
		 "Time that a library has then to give frames back");

/* As many of all frames go when the OOM killer is about to run. */
#define OOM_SHARE	8
#define OOM_WAIT	(HZ / 5)

static void reclaim(struct work_struct *work);

static DECLARE_DELAYED_WORK(reclaim_work, reclaim);
static struct workqueue_struct *reclaim_wq;
static struct shrinker *shrinker;
static atomic_long_t nr_pressure;	/* pages that the shrinker wants */
static atomic_long_t nr_oom;		/* pages that the OOM notifier wants */
static DECLARE_COMPLETION(oom_done);

/*
 * What is left of the time, in jiffies, that a run of the worker may wait for
 * pages to leave page tables: usually none is needed, but it is up to programs.
 */
#define PATIENCE	(HZ / 4)
static unsigned long patience;

/* Asking --------------------------------------------------------------- */

/* Pages that may be asked of an env. */
static u64 spare_pages(const struct exo_env *env)
{
	u64 nr_pages = READ_ONCE(env->info.env->nr_pages);

	return nr_pages > EXO_ENV_MIN_PAGES ? nr_pages - EXO_ENV_MIN_PAGES : 0;
}

/* Return: pages that it was asked for. */
static u64 ask(struct exo_env *env, u64 nr_pages, u32 timeout_ms, u32 source)
{
	u64 deadline_ns = ktime_get_boottime_ns() +
			  (u64)timeout_ms * NSEC_PER_MSEC;

	nr_pages = min(nr_pages, spare_pages(env));
	if (nr_pages) {
		exo_event_ask(env, nr_pages, deadline_ns, source);
		mod_delayed_work(reclaim_wq, &reclaim_work, 0);
	}
	return nr_pages;
}

/**
 * exo_reclaim_user() - a user holds more than it may
 * @uid: the user
 * @nr_pages: how much too much
 * @timeout_ms: until it is taken, up to EXO_MAX_ASK_MS
 *
 * Context: sleeps.
 */
void exo_reclaim_user(kuid_t uid, u64 nr_pages, u32 timeout_ms)
{
	struct exo_env *env = NULL;

	while (nr_pages && (env = exo_env_next(env))) {
		if (uid_eq(env->cred->uid, uid))
			nr_pages -= ask(env, nr_pages, timeout_ms,
					EXO_SOURCE_QUOTA);
		cond_resched();
	}
	if (env)
		exo_env_put(env);
}

static u64 all_spare_pages(void)
{
	struct exo_env *env = NULL;
	u64 total = 0;

	while ((env = exo_env_next(env))) {
		total += spare_pages(env);
		cond_resched();
	}
	return total;
}

/*
 * Each gives in proportion to what it has above its minimum, rounded up: many
 * envs with little to spare have much together.
 */
static void ask_all(u64 nr_pages)
{
	u32 timeout_ms = min(READ_ONCE(pressure_timeout_ms), EXO_MAX_ASK_MS);
	u64 total = all_spare_pages();
	struct exo_env *env = NULL;

	if (!total)
		return;
	while ((env = exo_env_next(env))) {
		ask(env, mul_u64_u64_div_u64(nr_pages, spare_pages(env),
					     total) + 1,
		    timeout_ms, EXO_SOURCE_PRESSURE);
		cond_resched();
	}
}

/* Taking --------------------------------------------------------------- */

/* Return: pages taken: those of the frame, or 0 if there is none to take. */
static u64 take_one(struct exo_env *env, u64 most)
{
	struct exo_cap *cap;
	u64 nr_pages;
	u32 handle;

	cap = exo_frame_victim(env, most);
	if (!cap)
		return 0;
	nr_pages = cap->scope.nr;
	handle = READ_ONCE(cap->env) ? cap->handle : 0;
	patience = exo_cap_wait(cap, exo_cap_end(cap, EXO_REFUSED_REPOSSESSED),
				patience);
	exo_cap_put(cap);
	exo_info_note_taken(env, handle, nr_pages);
	return nr_pages;
}

/*
 * Whole frames until @nr_pages are taken. A frame with work in flight counts,
 * although its pages come later. Return: pages taken.
 */
static u64 take(struct exo_env *env, u64 nr_pages, u32 source)
{
	u64 spare = spare_pages(env);
	u64 taken = 0;
	u64 one;

	while (taken < nr_pages && taken < spare &&
	       (one = take_one(env, spare - taken))) {
		taken += one;
		cond_resched();
	}
	if (taken)
		exo_event_post(env, EXO_EVENT_REPOSSESSED, source, 0, taken);
	return taken;
}

/* The request of an env whose time has come. Return: ns left, or 0 for none. */
static u64 enforce(struct exo_env *env, u64 now_ns)
{
	struct exo_events *events = &env->events;
	u64 nr_asked, deadline_ns, asked_ns;
	u32 source;

	spin_lock(&events->lock);
	nr_asked = events->nr_asked;
	deadline_ns = events->deadline_ns;
	asked_ns = events->asked_ns;
	source = events->ask_source;
	spin_unlock(&events->lock);
	if (!nr_asked)
		return 0;
	if (deadline_ns > now_ns)
		return deadline_ns - now_ns;
	take(env, nr_asked, source);
	/* What there was is taken: it is not asked again for the rest. */
	exo_event_settle(env, asked_ns);
	return 0;
}

static u64 enforce_all(void)
{
	struct exo_env *env = NULL;
	u64 first = U64_MAX;
	u64 left;

	while ((env = exo_env_next(env))) {
		left = enforce(env, ktime_get_boottime_ns());
		if (left)
			first = min(first, left);
		cond_resched();
	}
	return first;
}

static void take_for_oom(void)
{
	u64 nr_pages = atomic_long_xchg(&nr_oom, 0);
	struct exo_env *env = NULL;

	if (!nr_pages)
		return;
	while (nr_pages && (env = exo_env_next(env))) {
		nr_pages -= min(nr_pages, take(env, nr_pages,
					       EXO_SOURCE_PRESSURE));
		cond_resched();
	}
	if (env)
		exo_env_put(env);
	complete_all(&oom_done);
}

static void ask_for_pressure(void)
{
	u64 nr_pages = atomic_long_xchg(&nr_pressure, 0);

	if (!nr_pages)
		return;
	exo_info_add(&exo_info_all->nr_pressure, 1);
	ask_all(nr_pages);
}

static void reclaim(struct work_struct *work)
{
	u64 left_ns;

	patience = PATIENCE;
	take_for_oom();
	ask_for_pressure();
	left_ns = enforce_all();
	/*
	 * Far deadlines are looked at again, an earlier one may come. Not by
	 * mod_delayed_work(): it would put off a kick that came meanwhile.
	 */
	if (left_ns != U64_MAX)
		queue_delayed_work(reclaim_wq, &reclaim_work,
				   nsecs_to_jiffies(min_t(u64, left_ns,
							  NSEC_PER_SEC)) + 1);
}

/* Pressure ------------------------------------------------------------- */

static bool host_is_short(void)
{
	return si_mem_available() <
	       (long)(totalram_pages() / 100 * min(pressure_percent, 100U));
}

static unsigned long shrink_count(struct shrinker *unused,
				  struct shrink_control *sc)
{
	if (!host_is_short())
		return SHRINK_EMPTY;
	return READ_ONCE(exo_info_all->nr_pages) ?: SHRINK_EMPTY;
}

/*
 * Nothing is free at once: libraries are asked first. A kick takes pending work
 * from its queue and puts it at the end: calls that come faster than the worker
 * would keep it from running, so only the first of them kicks.
 */
static unsigned long shrink_scan(struct shrinker *unused,
				 struct shrink_control *sc)
{
	if (!atomic_long_fetch_add(sc->nr_to_scan, &nr_pressure))
		mod_delayed_work(reclaim_wq, &reclaim_work, 0);
	return SHRINK_STOP;
}

/* Frames do not count in the OOM killer's choice; so they go before it. */
static int before_oom(struct notifier_block *block, unsigned long unused,
		      void *data)
{
	u64 before = READ_ONCE(exo_info_all->nr_taken);
	unsigned long *freed = data;
	u64 nr_pages = READ_ONCE(exo_info_all->nr_pages) / OOM_SHARE;

	if (!nr_pages)
		return NOTIFY_OK;
	reinit_completion(&oom_done);
	atomic_long_set(&nr_oom, nr_pages);
	mod_delayed_work(reclaim_wq, &reclaim_work, 0);
	wait_for_completion_timeout(&oom_done, OOM_WAIT);
	*freed += READ_ONCE(exo_info_all->nr_taken) - before;
	return NOTIFY_OK;
}

static struct notifier_block oom_block = { .notifier_call = before_oom };

/* Commands ------------------------------------------------------------- */

/**
 * exo_env_ask() - EXO_CMD_ENV_ASK
 * @cmd: struct exo_env_ask
 *
 * Context: sleeps. Return: 0; -EINVAL reserved not zero, no pages, time-out too
 * long; -EPERM; -ENOENT no such env.
 */
int exo_env_ask(struct exo_command *cmd)
{
	const struct exo_env_ask *arg = cmd->arg;
	struct exo_env *env = NULL;

	if (!EXO_CHECK(ask_reserved, !arg->reserved) ||
	    !EXO_CHECK(ask_pages_some, arg->nr_pages) ||
	    !EXO_CHECK(ask_timeout_max, arg->timeout_ms <= EXO_MAX_ASK_MS))
		return -EINVAL;
	if (!EXO_CHECK(ask_privilege, capable(CAP_SYS_ADMIN)))
		return -EPERM;
	while ((env = exo_env_next(env)) && env->id != arg->id)
		cond_resched();
	if (!env)
		return -ENOENT;
	ask(env, arg->nr_pages, arg->timeout_ms, EXO_SOURCE_ADMIN);
	exo_env_put(env);
	return 0;
}

/* Set-up --------------------------------------------------------------- */

/**
 * exo_reclaim_init() - listen to the host's memory
 *
 * Return: 0 or -ENOMEM.
 */
int exo_reclaim_init(void)
{
	int rc = -ENOMEM;

	reclaim_wq = alloc_ordered_workqueue("exo_reclaim", WQ_MEM_RECLAIM);
	if (!reclaim_wq)
		return -ENOMEM;
	shrinker = exo_shrinker_new(shrink_count, shrink_scan);
	if (!shrinker)
		goto err_wq;
	rc = register_oom_notifier(&oom_block);
	if (!rc)
		return 0;
	exo_shrinker_free(shrinker);
err_wq:
	destroy_workqueue(reclaim_wq);
	return rc;
}

/**
 * exo_reclaim_exit() - no env is left
 *
 * Context: sleeps.
 */
void exo_reclaim_exit(void)
{
	unregister_oom_notifier(&oom_block);
	exo_shrinker_free(shrinker);
	cancel_delayed_work_sync(&reclaim_work);
	destroy_workqueue(reclaim_wq);
}
