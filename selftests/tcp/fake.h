/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * A /dev/exo without a module, for tests of libexo's TCP: frames are memory,
 * the flow's rings are served in user space by the rules of <linux/exo.h>, the
 * wire is a TAP device or the test itself. A descriptor that the module would
 * refuse ends the test.
 */
#ifndef SELFTESTS_TCP_FAKE_H
#define SELFTESTS_TCP_FAKE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <exo/env.h>
#include <exo/flow.h>
#include <exo/frame.h>
#include <exo/tcp.h>

#define FAKE_MAX_FRAMES	64
#define FAKE_PACKET_MAX	65550

/* Chances are in 1/1000, for each packet. */
struct fake_wire {
	unsigned int loss;
	unsigned int dup;
	unsigned int reorder;	/* held back until later packets have passed */
	unsigned int delay_us;	/* of every packet */
};

struct fake_packet {
	struct fake_packet *next;
	__u64 due_ns;
	__u32 len;
	__u16 gso_size;
	__u16 flags;		/* EXO_RX_F_* */
	__u8 data[];
};

struct fake_queue {
	struct fake_packet *head;
	struct fake_packet **tail;
	struct fake_packet *held;
};

struct fake {
	struct exo_sys sys;	/* first member */
	int tap;		/* -1: the test is the wire */
	__u32 mtu;
	__u32 gso_max_bytes;
	__u8 mac[6];
	__be16 port;
	__u32 rx_bytes;
	__u32 nr_tx;
	bool lag;		/* frames are read at the next doorbell only */
	bool tap_gso;		/* whole GSO packets go to the TAP device */
	bool no_csum_ok;	/* never say that a checksum was verified */
	bool stuck;		/* the device takes nothing */
	struct fake_wire in;
	struct fake_wire out;
	struct fake_queue inq;
	struct fake_queue outq;
	__u64 rng;

	void *frame[FAKE_MAX_FRAMES];
	size_t frame_bytes[FAKE_MAX_FRAMES];
	char *map;
	size_t map_bytes;
	struct exo_flow_ring *ring;
	struct exo_tx_desc *tx;
	__u8 *rx;
	__u32 rx_prod;
	__u32 rx_cons_seen;
	struct exo_tx_desc *lagging;
	__u8 *lag_payload[4096];
	__u32 nr_lagging;

	/* Packets sent when there is no TAP device, for fake_sent(). */
	struct fake_queue sent;
	__u64 nr_out;
	__u64 nr_in;
	__u64 nr_in_dropped;
};

void fake_init(struct fake *fake);
void fake_exit(struct fake *fake);
__u64 fake_rand(struct fake *fake);

/* Make a TAP device of the calling process's network namespace the wire. */
void fake_tap_open(struct fake *fake, const char *name, bool tso);

/* Put a packet into the receive ring. */
void fake_receive(struct fake *fake, const void *data, __u32 len, __u16 flags,
		  __u16 gso_size);

/* The next packet that was sent, for free(3), or NULL. */
struct fake_packet *fake_sent(struct fake *fake);

/* End the test. */
void fake_die(const char *format, ...)
	__attribute__((noreturn, format(printf, 1, 2)));

#endif /* SELFTESTS_TCP_FAKE_H */
