/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Net: the devices flows can be bound on, for the administrator.
 */
#ifndef EXO_NET_H
#define EXO_NET_H

#include <exo/env.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * exo_net_list() - attached devices of the env's network namespace
 * @env: the env
 * @out_nets: an array for free(3); NULL when there are none
 *
 * Return: how many; -ENOMEM.
 */
int exo_net_list(struct exo_env *env, struct exo_net_info **out_nets);

/**
 * exo_net_attach() - let flows be bound on a device
 * @env: the env; CAP_NET_ADMIN
 * @ifindex: an Ethernet device
 * @lane: EXO_LANE_*
 *
 * Return: 0; -ENODEV; -EBUSY attached, or it has another receive handler;
 * -EINVAL not Ethernet; -EPERM.
 */
int exo_net_attach(struct exo_env *env, __u32 ifindex, __u32 lane);

/**
 * exo_net_detach() - undo exo_net_attach()
 * @env: the env; CAP_NET_ADMIN
 * @ifindex: the device
 *
 * Return: 0; -EBUSY a flow is bound on it; -ENOENT not attached; -EPERM.
 */
int exo_net_detach(struct exo_env *env, __u32 ifindex);

/**
 * exo_net_grant() - let a user bind flows
 * @env: the env; CAP_NET_ADMIN
 * @ifindex: the device
 * @uid: the user
 * @first_port: first local port
 * @last_port: last local port, inclusive
 */
int exo_net_grant(struct exo_env *env, __u32 ifindex, uid_t uid,
		  __u16 first_port, __u16 last_port);

/**
 * exo_net_revoke() - withdraw a grant; flows that are bound stay
 * @env: the env; CAP_NET_ADMIN
 * @ifindex: the device
 * @uid: the user
 * @first_port: as granted
 * @last_port: as granted
 */
int exo_net_revoke(struct exo_env *env, __u32 ifindex, uid_t uid,
		   __u16 first_port, __u16 last_port);

/**
 * exo_net_grant_list() - who may bind flows on a device
 * @env: the env; with CAP_NET_ADMIN all grants, else its user's own
 * @ifindex: the device
 * @out_grants: an array for free(3); NULL when there are none
 *
 * Return: how many; -ENOENT not attached; -ENOTTY an older module; -ENOMEM.
 */
int exo_net_grant_list(struct exo_env *env, __u32 ifindex,
		       struct exo_net_grant_info **out_grants);

#ifdef __cplusplus
}
#endif

#endif /* EXO_NET_H */
