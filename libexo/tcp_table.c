// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * The table of all connections, half-open and TIME-WAIT ones included: one
 * look-up a packet. Keys come from the network, so the hash is keyed
 * (multiply-shift, Dietzfelbinger et al. 1997): who does not know the key
 * cannot choose addresses and ports that collide.
 */
#include "tcp_impl.h"

static __u32 table_slot(const struct exo_tcp *tcp, __u64 addrs, __u32 ports)
{
	__u64 h = (addrs ^ tcp->key[0]) * tcp->key[1] +
		  (ports ^ tcp->key[2]) * tcp->key[3];

	return h >> tcp->table_shift;
}

int xtcp_table_init(struct exo_tcp *tcp)
{
	__u64 want = (__u64)tcp->cfg.max_conns + tcp->cfg.max_half_open +
		     tcp->cfg.max_time_wait;
	__u32 bits = 4;

	while (bits < 31 && (1ULL << bits) < want)
		bits++;
	tcp->table_shift = 64 - bits;
	tcp->key[1] |= 1;
	tcp->key[3] |= 1;
	tcp->table = calloc(1ULL << bits, sizeof(*tcp->table));
	return tcp->table ? 0 : -ENOMEM;
}

void xtcp_table_exit(struct exo_tcp *tcp)
{
	free(tcp->table);
}

struct tcp_ep *xtcp_table_find(const struct exo_tcp *tcp, __u64 addrs,
			       __u32 ports)
{
	struct tcp_ep *ep = tcp->table[table_slot(tcp, addrs, ports)];

	while (ep && (ep->addrs != addrs || ep->ports != ports))
		ep = ep->next;
	return ep;
}

void xtcp_table_add(struct exo_tcp *tcp, struct tcp_ep *ep)
{
	struct tcp_ep **slot;

	slot = &tcp->table[table_slot(tcp, ep->addrs, ep->ports)];
	ep->next = *slot;
	ep->is_hashed = 1;
	*slot = ep;
}

void xtcp_table_del(struct exo_tcp *tcp, struct tcp_ep *ep)
{
	struct tcp_ep **at;

	if (!ep->is_hashed)
		return;
	at = &tcp->table[table_slot(tcp, ep->addrs, ep->ports)];
	while (*at != ep)
		at = &(*at)->next;
	*at = ep->next;
	ep->is_hashed = 0;
}
