// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Many threads ring the doorbell of one flow: is each descriptor sent once?
 */
#include "net_test.h"

#include <pthread.h>

#define RINGERS	4

static struct flow f;
static volatile bool stop;

struct ringer {
	pthread_t thread;
	uint64_t sent;
};

static void *ring(void *arg)
{
	struct ringer *r = arg;
	uint32_t sent;

	while (!stop)
		if (!flow_kick(&f, 0, 0, &sent))
			r->sent += sent;
	return NULL;
}

static void ring_begin(struct ringer *ringers, int nr)
{
	int i;

	stop = false;
	memset(ringers, 0, nr * sizeof(*ringers));
	for (i = 0; i < nr; i++)
		pthread_create(&ringers[i].thread, NULL, ring, &ringers[i]);
}

/* Descriptors they sent. */
static uint64_t ring_end(struct ringer *ringers, int nr)
{
	uint64_t sent = 0;
	int i;

	stop = true;
	for (i = 0; i < nr; i++) {
		pthread_join(ringers[i].thread, NULL);
		sent += ringers[i].sent;
	}
	return sent;
}

/* A segment that nobody answers. */
static void produce(void)
{
	struct exo_tx_desc *d = flow_desc(&f, 0);

	((struct frame *)d->hdr)->tcp.rst = 1;
	f.prod++;
}

static void try_turns(int fd)
{
	struct ringer ringers[RINGERS];
	uint64_t end, total;
	uint32_t sent;

	flow_open(&f, fd, DEV, "0.0.0.0", PORT);
	ring_begin(ringers, RINGERS);
	for (end = now_ms() + 5000; now_ms() < end;) {
		uint32_t waiting = f.prod - load_acquire(&f.ring->tx_cons);

		if (waiting > f.bind.nr_tx)
			break;
		if (waiting == f.bind.nr_tx)
			continue;
		produce();
		store_release(&f.ring->tx_prod, f.prod);
	}
	total = ring_end(ringers, RINGERS);
	is(flow_kick(&f, 0, 0, &sent), 0, "%d threads ring", RINGERS);
	is(total + sent, f.prod, "each descriptor is dealt with once");
	is(f.ring->tx_cons, f.prod, "up to the last one");
	is(f.ring->tx_packets + f.ring->tx_dropped, f.prod, "and sent");
	flow_close(&f);
}

int main(void)
{
	int fd;

	exo_setup();
	net_up();
	fd = exo_open();
	is(net_attach(fd, DEV), 0, "attach");
	try_turns(fd);
	is(net_detach(fd, if_nametoindex(DEV)), 0, "detach");
	net_down();
	return done_testing();
}
