// SPDX-License-Identifier: GPL-2.0
/*
 * Kick: the doorbell. One call sends, polls the device and sleeps, so that a
 * library needs one system call a batch whatever it is waiting for.
 */
#include <linux/hrtimer.h>
#include <linux/wait.h>
#include <net/busy_poll.h>

#include "check.h"
#include "command.h"
#include "flow.h"
#include "tx.h"

/* As many packets as an interrupt would handle before it gives way. */
#define BUSY_POLL_BUDGET_PACKETS	64

/*
 * One pass over the NAPI that delivered last, run here rather than in a
 * softirq after an interrupt. Devices without one (veth) have no id.
 */
static void busy_poll(const struct exo_flow *flow)
{
#ifdef CONFIG_NET_RX_BUSY_POLL
	unsigned int id = READ_ONCE(flow->napi_id);

	if (id >= MIN_NAPI_ID)
		napi_busy_loop(id, NULL, NULL, false, BUSY_POLL_BUDGET_PACKETS);
#endif
}

/* Until any ring of the env has something, or this flow is dead or closed. */
static int sleep_on(struct exo_flow *flow, u64 timeout_ns)
{
	struct exo_env *env = flow->env;
	ktime_t timeout = KTIME_MAX;
	int rc;

	if (timeout_ns && timeout_ns < KTIME_MAX)
		timeout = ns_to_ktime(timeout_ns);
	rc = wait_event_interruptible_hrtimeout(env->wait,
						READ_ONCE(flow->dead) ||
						exo_env_ready(env), timeout);
	/* Not restarted: the time would begin anew, the packets are sent */
	return rc == -ERESTARTSYS ? -EINTR : rc;
}

static int kick(struct exo_flow *flow, struct exo_flow_kick *arg)
{
	int rc = 0;

	/* Sends nothing if it is dead */
	arg->out_nr_sent = exo_tx_flush(flow);
	if (!exo_flow_alive(flow))
		return -ESTALE;
	if ((arg->flags & EXO_FLOW_KICK_BUSY_POLL) &&
	    !exo_flow_unconsumed(flow))
		busy_poll(flow);
	if ((arg->flags & EXO_FLOW_KICK_WAIT) && !exo_flow_unconsumed(flow))
		rc = sleep_on(flow, arg->timeout_ns);
	return exo_flow_alive(flow) ? rc : -ESTALE;
}

/**
 * exo_flow_kick() - EXO_CMD_FLOW_KICK
 * @cmd: struct exo_flow_kick
 *
 * Context: sleeps if asked to. Return: 0; -EOPNOTSUPP to wait in io_uring;
 * -ENOENT, -EBADF the handle; -ESTALE the flow is dead; -EINTR; -ETIME.
 */
int exo_flow_kick(struct exo_command *cmd)
{
	struct exo_flow_kick *arg = cmd->arg;
	struct exo_object *obj;
	struct exo_scope scope;
	int rc;

	if (!EXO_CHECK(kick_wait,
		       !cmd->uring || !(arg->flags & EXO_FLOW_KICK_WAIT)))
		return -EOPNOTSUPP;
	obj = exo_env_get(cmd->env, arg->flow, EXO_OBJECT_FLOW,
			  EXO_RIGHT_WRITE, &scope);
	if (IS_ERR(obj))
		return PTR_ERR(obj);
	rc = kick(container_of(obj, struct exo_flow, obj), arg);
	exo_object_put(obj);
	return rc;
}
