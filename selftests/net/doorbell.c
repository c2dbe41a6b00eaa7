// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Many threads ring the doorbell of one flow: is each descriptor sent once, and
 * nothing by those who waited for their turn while the port was lost?
 */
#include "net_test.h"

#include <pthread.h>

#define RINGERS	4
#define ROUNDS	30

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

/* What left the device, by its own count. */
static uint64_t nr_left(void)
{
	FILE *s = fopen("/sys/class/net/" DEV "/statistics/tx_packets", "re");
	unsigned long long nr;

	if (!s || fscanf(s, "%llu", &nr) != 1)
		bail("no count of packets");
	fclose(s);
	return nr;
}

/* One thread sends, another waits for its turn, the socket is shut down. */
static void try_lost(int fd)
{
	struct ringer ringers[2];
	uint64_t left, late = 0;
	uint32_t i, round, dead = 0;

	for (round = 0; round < ROUNDS; round++) {
		flow_open(&f, fd, DEV, "0.0.0.0", PORT);
		for (i = 0; i < f.bind.nr_tx; i++)
			produce();
		/* So far ahead that each doorbell sends the whole ring */
		store_release(&f.ring->tx_prod, f.prod + (1U << 20));
		left = nr_left();
		ring_begin(ringers, 2);
		usleep(10000 + round * 100);
		if (nr_left() == left || shutdown(f.sock, SHUT_RDWR))
			bail("not lost while sending");
		left = nr_left();
		ring_end(ringers, 2);
		left = nr_left() - left;
		late = left > late ? left : late;
		dead += flow_kick(&f, 0, 0, NULL) == -ESTALE;
		flow_close(&f);
	}
	is(dead, ROUNDS, "the port is lost");
	/* One that looked just before, and what Linux sends by itself */
	ok(late < 8, "then no packet follows (%llu)", (unsigned long long)late);
}

int main(void)
{
	int fd;

	exo_setup();
	net_up();
	fd = exo_open();
	is(net_attach(fd, DEV), 0, "attach");
	try_turns(fd);
	try_lost(fd);
	is(net_detach(fd, if_nametoindex(DEV)), 0, "detach");
	net_down();
	return done_testing();
}
