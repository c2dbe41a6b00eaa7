// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Does the doorbell by io_uring send as by ioctl, refuse the same, and refuse
 * to sleep?
 *
 * timeout: 120
 */
#include "net_test.h"
#include "../exo_uring.h"

static struct io_uring ring;
static struct flow f;

static int32_t kick(uint32_t flow, uint32_t flags, uint32_t *sent)
{
	struct exo_flow_kick k = {
		.size = sizeof(k), .flags = flags, .flow = flow,
		.out_nr_sent = 77,
	};
	int32_t rc = uring_do(&ring, f.fd, EXO_CMD_FLOW_KICK, &k);

	if (sent)
		*sent = k.out_nr_sent;
	return rc;
}

static void try_send(int wire)
{
	static const char mark[] = "by-io_uring";
	uint32_t sent;

	is(kick(f.bind.out_handle, 0, &sent), 0, "nothing to send");
	is(sent, 0, "nothing sent");
	memcpy(f.payload, mark, sizeof(mark));
	flow_desc(&f, 100);
	store_release(&f.ring->tx_prod, ++f.prod);
	is(kick(f.bind.out_handle, 0, &sent), 0, "a packet to send");
	is(sent, 1, "one sent");
	is(f.desc[0].out_status, 0, "its status");
	is(raw_count(wire, mark, sizeof(mark), 500, 1, NULL), 1,
	   "the peer gets it");
}

static void try_refused(void)
{
	uint32_t flow = f.bind.out_handle;

	is(kick(flow, EXO_FLOW_KICK_WAIT, NULL), -EOPNOTSUPP, "no sleep");
	is(kick(flow, 1U << 31, NULL), -EOPNOTSUPP, "an unknown flag");
	is(kick(f.frame.out_handle, 0, NULL), -EBADF, "a frame is no flow");
	is(kick(0x7fffffff, 0, NULL), -ENOENT, "no such handle");
	shutdown(f.sock, SHUT_RDWR);
	is(kick(flow, 0, NULL), -ESTALE, "the reservation is lost");
}

int main(void)
{
	int fd, wire;

	exo_setup();
	net_up();
	fd = exo_open();
	is(net_attach(fd, DEV), 0, "attach");
	flow_open(&f, fd, DEV, "0.0.0.0", PORT);
	wire = peer_raw(PEER_DEV);
	if (!uring_new(&ring, 4, 0))
		bail("no io_uring");
	try_send(wire);
	try_refused();
	io_uring_queue_exit(&ring);
	close(wire);
	flow_close(&f);
	is(net_detach(fd, if_nametoindex(DEV)), 0, "detach");
	net_down();
	return done_testing();
}
