// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * A descriptor names a frame that was lent and taken back: is nothing of it
 * sent, also not what stands beside it in the same packet? And does what the
 * device has begun end without harm?
 *
 * timeout: 240
 */
#include "net_test.h"

#define LEN	200

static const char mark_own[] = "exo-payload-own";
static const char mark_old[] = "exo-payload-lent";
static const char mark_new[] = "exo-payload-after";

static struct flow f;
static int wire;

/* A frame of another env, of which @handle is the flow's. */
struct loan {
	int owner;
	struct exo_frame_alloc frame;
	char *p;
	uint32_t handle;
	uint32_t part;		/* what was exported */
};

static long derive(int env, uint32_t handle, uint32_t rights,
		   uint64_t expires_ns, uint32_t *out)
{
	struct exo_cap_derive d = {
		.size = sizeof(d), .handle = handle, .rights = rights,
		.nr = 4, .expires_ns = expires_ns,
	};
	long rc = exo_ioctl(env, EXO_CMD_CAP_DERIVE, &d);

	*out = d.out_handle;
	return rc;
}

static void lend_until(struct loan *l, uint32_t rights, uint64_t expires_ns)
{
	struct exo_cap_export e = { .size = sizeof(e) };
	struct exo_cap_import i = { .size = sizeof(i) };

	l->owner = exo_open();
	if (exo_alloc(l->owner, 4, 0, &l->frame))
		bail("FRAME_ALLOC");
	l->p = env_map(l->owner, l->frame.out_mmap_offset, 4 * 4096);
	strcpy(l->p, mark_old);
	if (derive(l->owner, l->frame.out_handle, rights | EXO_RIGHT_SHARE,
		   expires_ns, &l->part))
		bail("CAP_DERIVE");
	e.handle = l->part;
	if (exo_ioctl(l->owner, EXO_CMD_CAP_EXPORT, &e))
		bail("CAP_EXPORT");
	i.fd = e.out_fd;
	if (exo_ioctl(f.fd, EXO_CMD_CAP_IMPORT, &i))
		bail("CAP_IMPORT");
	close(e.out_fd);
	l->handle = i.out_handle;
}

static void lend(struct loan *l, uint32_t rights)
{
	lend_until(l, rights, 0);
}

static long end_below(int env, uint32_t handle, uint32_t flags)
{
	struct exo_cap_revoke r = {
		.size = sizeof(r), .flags = flags, .handle = handle,
	};

	return exo_ioctl(env, EXO_CMD_CAP_REVOKE, &r);
}

static void loan_end(struct loan *l)
{
	munmap(l->p, 4 * 4096);
	exo_close_handle(f.fd, l->handle);
	close(l->owner);
}

/* A right descriptor but for its frame. */
static struct exo_tx_desc *desc_of(const struct loan *l, uint32_t flags)
{
	struct exo_tx_desc *d = flow_desc(&f, LEN);

	d->frag[0].frame = l->handle;
	d->flags = flags;
	return d;
}

/* Half of it from the flow's own frame. */
static struct exo_tx_desc *desc_mixed(const struct loan *l, uint32_t flags)
{
	struct exo_tx_desc *d = desc_of(l, flags);

	d->nr_frags = 2;
	d->frag[0].frame = f.frame.out_handle;
	d->frag[0].len = LEN / 2;
	d->frag[1] = d->frag[0];
	d->frag[1].frame = l->handle;
	return d;
}

static int seen(const char *mark, int ms, int enough)
{
	return raw_count(wire, mark, strlen(mark), ms, enough, NULL);
}

static void is_sent(struct exo_tx_desc *d, const char *what)
{
	is(flow_send(&f, true), 0, "%s: the doorbell", what);
	is(d->out_status, 0, "%s: is sent", what);
	is(seen(mark_old, 2000, 1), 1, "%s: and arrives", what);
}

static void is_refused(struct exo_tx_desc *d, const char *what)
{
	uint64_t refused = f.ring->tx_refused, packets = f.ring->tx_packets;

	raw_drain(wire);
	is(flow_send(&f, true), 0, "%s: the doorbell", what);
	is(d->out_status, -EINVAL, "%s: is refused", what);
	is(d->out_reason, EXO_TX_BAD_FRAG, "%s: for its frame", what);
	is(f.ring->tx_refused, refused + 1, "%s: counted as refused", what);
	is(f.ring->tx_packets, packets, "%s: not as sent", what);
}

/* By each descriptor that names it; then see that the wire was silent. */
static void is_unusable(const struct loan *l, uint32_t reason,
			const char *what)
{
	struct exo_refusal r = { .size = sizeof(r) };
	char text[64];

	snprintf(text, sizeof(text), "%s, copied", what);
	is_refused(desc_of(l, 0), what);
	is_refused(desc_of(l, EXO_TX_F_COPY), text);
	snprintf(text, sizeof(text), "%s, beside the own", what);
	is_refused(desc_mixed(l, 0), text);
	snprintf(text, sizeof(text), "%s, beside the own, copied", what);
	is_refused(desc_mixed(l, EXO_TX_F_COPY), text);
	is(exo_ioctl(f.fd, EXO_CMD_REFUSAL, &r), 0, "%s: why", what);
	is(r.out_reason, reason, "%s: is told", what);
	is(r.out_handle, l->handle, "%s: of which handle", what);
	is(seen(mark_new, 300, 0) + seen(mark_old, 0, 0) +
	   seen(mark_own, 0, 0), 0, "%s: nothing is on the wire", what);
}

static void try_revoked(void)
{
	struct loan l;

	lend(&l, EXO_RIGHT_READ);
	is_sent(desc_of(&l, 0), "lent");
	is_sent(desc_of(&l, EXO_TX_F_COPY), "lent, copied");
	is_sent(desc_mixed(&l, 0), "lent, beside the own");
	is(end_below(l.owner, l.frame.out_handle, 0), 0, "the owner revokes");
	strcpy(l.p, mark_new);
	is_unusable(&l, EXO_REFUSED_REVOKED, "revoked");
	loan_end(&l);
}

static void try_no_right(void)
{
	struct loan l;

	lend(&l, EXO_RIGHT_WRITE);
	is_unusable(&l, EXO_REFUSED_RIGHTS, "lent for writing");
	loan_end(&l);
}

static void try_expired(void)
{
	struct timespec ts;
	struct loan l;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	lend_until(&l, EXO_RIGHT_READ,
		   ts.tv_sec * 1000000000ULL + ts.tv_nsec + 1000000000ULL);
	is_sent(desc_of(&l, 0), "its time is not up");
	usleep(1100000);
	strcpy(l.p, mark_new);
	is_unusable(&l, EXO_REFUSED_EXPIRED, "its time is up");
	loan_end(&l);
}

/* In one ring: what stands before and after it is sent. */
static void try_between(void)
{
	struct exo_tx_desc *d[3];
	struct loan l;

	lend(&l, EXO_RIGHT_READ);
	is(end_below(l.owner, l.part, EXO_REVOKE_SELF), 0, "the owner revokes");
	strcpy(l.p, mark_new);
	raw_drain(wire);
	d[0] = flow_desc(&f, LEN);
	f.prod++;
	d[1] = desc_of(&l, 0);
	f.prod++;
	d[2] = flow_desc(&f, LEN);
	is(flow_send(&f, true), 0, "one between two of one's own");
	is(d[0]->out_status, 0, "the first is sent");
	is(d[1]->out_reason, EXO_TX_BAD_FRAG, "it is not");
	is(d[2]->out_status, 0, "the last is");
	is(seen(mark_own, 2000, 2), 2, "two packets");
	is(seen(mark_new, 200, 0), 0, "and no third");
	loan_end(&l);
}

/* A packet waits in a queue: the revocation does not, the pages do. */
static void try_in_flight(void)
{
	struct exo_stats before = stats_get(f.fd), now;
	uint64_t start;
	struct loan l;

	lend(&l, EXO_RIGHT_READ);
	sh("tc qdisc add dev " DEV " root netem delay 700ms");
	raw_drain(wire);
	desc_of(&l, 0);
	is(flow_send(&f, false), 0, "a lent page is in flight");
	start = now_ms();
	is(end_below(l.owner, l.frame.out_handle, EXO_REVOKE_SELF), 0,
	   "the owner revokes all of it");
	loan_end(&l);
	ok(now_ms() - start < 600, "and does not wait");
	now = stats_get(f.fd);
	is(now.out_nr_tx, before.out_nr_tx + 1, "the packet is in flight");
	is(now.out_nr_frame_pages, before.out_nr_frame_pages + 4,
	   "the pages are nobody else's");
	is(seen(mark_old, 3000, 1), 1, "it arrives as it was");
	ok(stats_wait(f.fd, &before, 3000), "then they are free");
	sh("tc qdisc del dev " DEV " root");
}

static int alice(void *unused)
{
	(void)unused;
	flow_open(&f, exo_open(), DEV, "0.0.0.0", PORT);
	memcpy(f.payload, mark_own, sizeof(mark_own));
	try_revoked();
	try_no_right();
	try_expired();
	try_between();
	flow_close(&f);
	return 0;
}

int main(void)
{
	struct exo_stats before;
	int fd;

	exo_setup();
	net_up();
	fd = exo_open();
	is(net_attach(fd, DEV), 0, "attach");
	is(net_grant(fd, 0, UID_ALICE, PORT, PORT), 0, "grant");
	before = stats_get(fd);
	wire = peer_raw(PEER_DEV);
	is(as_user(UID_ALICE, alice, NULL), 0, "alice came to the end");
	ok(stats_wait(fd, &before, 3000), "and left nothing");
	flow_open(&f, fd, DEV, "0.0.0.0", PORT);
	try_in_flight();
	flow_close(&f);
	ok(stats_wait(fd, &before, 3000), "counters are as at the start");
	is(net_detach(fd, if_nametoindex(DEV)), 0, "detach");
	net_down();
	return done_testing();
}
