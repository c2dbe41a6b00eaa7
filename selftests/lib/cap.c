// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Do capabilities and frames of one's choice do what <exo/...> says, and survive
 * a module that fails and a peer that sends rubbish?
 */
#define _GNU_SOURCE	/* what exo_test.h wants */
#include "../exo_test.h"

#include <sys/socket.h>

#include "fake.h"

#define MS	1000000ULL
#define RW	(EXO_RIGHT_READ | EXO_RIGHT_WRITE)
#define RWS	(RW | EXO_RIGHT_SHARE)

struct bench {
	struct fake f;
	struct exo_env *env;
	struct exo_frame frame;
};

static void bench_open(struct bench *b)
{
	fake_init(&b->f);
	b->env = fake_open(&b->f);
	if (!b->env || exo_frame_alloc(b->env, 8, 0, &b->frame))
		bail("no bench");
}

static void fail(struct bench *b, unsigned int nr, int rc)
{
	b->f.fail_nr = nr;
	b->f.fail_rc = rc;
	b->f.fail_after = 0;
}

static void bench_close(struct bench *b)
{
	exo_frame_free(&b->frame);
	exo_env_close(b->env);
	is(b->f.nr_live + b->f.nr_mapped + b->f.nr_open, 0, "nothing is left");
}

static void test_derive(struct bench *b)
{
	struct exo_cap_narrow narrow = {
		.rights = EXO_RIGHT_READ, .start = 2, .nr = 3, .expires_ns = 99,
	};
	struct exo_cap cap = { .handle = 77 };
	struct exo_cap_info info;

	is(exo_cap_derive(b->env, b->frame.handle, &narrow, &cap), 0,
	   "derived");
	is(cap.rights, EXO_RIGHT_READ, "its rights");
	is(cap.nr, 3, "its pages");
	is(cap.expires_ns, 99, "its expiry");
	is(cap.type, EXO_TYPE_FRAME, "its type");
	is(exo_cap_info(b->env, cap.handle, &info), 0, "told");
	is(info.out_start, 2, "its start");
	is(info.out_depth, 1, "its depth");
	is(exo_handle_close(b->env, cap.handle), 0, "closed");
	is(exo_cap_info(b->env, cap.handle, &info), -ENOENT, "gone");
	cap.handle = 77;
	narrow.nr = 7;
	is(exo_cap_derive(b->env, b->frame.handle, &narrow, &cap), -EINVAL,
	   "not wider");
	narrow.nr = 3;
	narrow.reserved = 1;
	is(exo_cap_derive(b->env, b->frame.handle, &narrow, &cap), -EINVAL,
	   "reserved");
	narrow.reserved = 0;
	fail(b, EXO_NR_CAP_INFO, -ENOMEM);
	is(exo_cap_derive(b->env, b->frame.handle, &narrow, &cap), -ENOMEM,
	   "a failure after it was made");
	is(b->f.nr_live, 1, "closes it");
	is(cap.handle, 77, "a failure changes nothing");
	fail(b, 0, 0);
}

static void test_import(struct bench *b)
{
	struct exo_cap_narrow narrow = { .rights = RWS, .start = 4, .nr = 4 };
	struct exo_frame frame = { .handle = 77 };
	struct exo_cap cap, again;
	__u64 nr = 0;
	int fd;

	exo_cap_derive(b->env, b->frame.handle, &narrow, &cap);
	fd = exo_cap_export(b->env, cap.handle);
	ok(fd >= 0, "exported");
	ok(fcntl(fd, F_GETFD) & FD_CLOEXEC, "close-on-exec");
	is(exo_cap_import(b->env, fd, &again), 0, "imported");
	is(again.rights, RWS, "with its rights");
	is(again.nr, 4, "and range");
	is(exo_cap_import(b->env, 0, &again), -EBADF, "not from any file");
	is(exo_frame_import(b->env, fd, &frame), 0, "imported and mapped");
	is(frame.nr_pages, 4, "its pages");
	is(frame.bytes, 4 * 4096, "its bytes");
	is(exo_frame_free(&frame), 0, "freed");
	is(exo_cap_revoke(b->env, cap.handle, 0, &nr), 0, "revoked");
	is(nr, 1, "with all that was made from it and is not closed");
	exo_handle_close(b->env, again.handle);
	is(exo_cap_import(b->env, fd, &again), 0, "the capability itself stays");
	exo_handle_close(b->env, again.handle);
	is(exo_cap_revoke(b->env, cap.handle, EXO_REVOKE_SELF, NULL), 0,
	   "unless told otherwise");
	is(exo_frame_import(b->env, fd, &frame), -ESTALE, "then it is stale");
	fail(b, EXO_NR_CAP_EXPORT, -EMFILE);
	is(exo_cap_export(b->env, b->frame.handle), -EMFILE, "export fails");
	fail(b, EXO_NR_CAP_EXPORT, 0);
	is(exo_cap_export(b->env, b->frame.handle), -EPROTO,
	   "an export without a descriptor");
	fail(b, 0, 0);
	exo_handle_close(b->env, cap.handle);
	close(fd);
}

/* A part of the frame, and a part of that. */
static void lend(struct bench *b, struct exo_cap *part, struct exo_cap *piece)
{
	struct exo_cap_narrow narrow = { .rights = RWS, .start = 2, .nr = 4 };

	if (exo_cap_derive(b->env, b->frame.handle, &narrow, part))
		bail("derive");
	narrow.nr = 1;
	if (exo_cap_derive(b->env, part->handle, &narrow, piece))
		bail("derive");
}

static void unlend(struct bench *b, struct exo_cap *part, struct exo_cap *piece)
{
	is(exo_handle_close(b->env, piece->handle), 0, "the piece is closed");
	is(exo_handle_close(b->env, part->handle), 0, "the part is closed");
}

static __u32 state_of(struct bench *b, __u32 handle)
{
	struct exo_cap_info info;

	return exo_cap_info(b->env, handle, &info) ? 0 : info.out_state;
}

static void test_notice(struct bench *b)
{
	__u64 end_ns = b->f.boot_ns + 250 * MS, nr = 0;
	struct exo_cap part, piece;
	struct exo_cap_info info;
	struct exo_event ev[4];

	lend(b, &part, &piece);
	is(exo_cap_notice(b->env, part.handle, 250, &nr), 0, "notice");
	is(nr, 1, "to what was made from it");
	is(exo_event_read(b->env, ev, 4, 0), 1, "an event");
	is(ev[0].type, EXO_EVENT_CAP_ENDING, "says so");
	is(ev[0].handle, piece.handle, "of this handle");
	ok(ev[0].deadline_ns == end_ns, "until when");
	exo_cap_info(b->env, part.handle, &info);
	ok(info.out_notice_ns == end_ns, "the lender's handle says so too");
	ok(!info.out_expires_ns, "which stays itself");
	exo_cap_info(b->env, piece.handle, &info);
	ok(info.out_expires_ns == end_ns, "the borrower's ends");
	ok(!info.out_notice_ns, "without having lent");
	is(exo_cap_notice(b->env, part.handle, 9, NULL), -EBUSY, "not twice");
	is(exo_cap_notice(b->env, b->frame.handle, 500, &nr), 0, "from above");
	is(nr, 2, "to both");
	is(exo_event_read(b->env, ev, 4, 0), 2, "two events");
	ok(ev[0].deadline_ns == end_ns + 250 * MS, "one later");
	ok(ev[1].deadline_ns == end_ns, "one at the earlier time");
	b->f.boot_ns = end_ns - 1;
	is(state_of(b, piece.handle), EXO_CAP_LIVE, "a moment before");
	b->f.boot_ns = end_ns;
	is(state_of(b, piece.handle), EXO_CAP_REVOKED, "the time is over");
	is(state_of(b, part.handle), EXO_CAP_LIVE, "of what was made from it");
	is(exo_cap_revoke(b->env, b->frame.handle, 0, &nr), 0, "at once");
	is(state_of(b, part.handle), EXO_CAP_REVOKED, "without the time");
	is(exo_cap_notice(b->env, part.handle, 9, NULL), -ESTALE, "too late");
	is(exo_cap_notice(b->env, b->frame.handle, 1, &nr), 0, "a new notice");
	b->f.boot_ns += MS;
	unlend(b, &part, &piece);
}

static void test_notice_refused(struct bench *b)
{
	struct exo_cap part, piece;
	__u64 nr = 77;

	lend(b, &part, &piece);
	is(exo_cap_notice(b->env, part.handle, 0, &nr), -EINVAL, "no time");
	is(state_of(b, piece.handle), EXO_CAP_LIVE, "is not at once");
	is(exo_cap_notice(b->env, part.handle, 3600001, &nr), -EINVAL,
	   "an hour and more");
	is(exo_cap_notice(b->env, 63, 9, &nr), -ENOENT, "no such handle");
	fail(b, EXO_NR_CAP_REVOKE, -EINTR);
	is(exo_cap_notice(b->env, part.handle, 9, &nr), -EINTR, "killed");
	fail(b, 0, 0);
	is(nr, 77, "a failure changes nothing");
	is(exo_cap_notice(b->env, part.handle, 3600000, NULL), 0, "an hour");
	unlend(b, &part, &piece);
	b->f.nr_events = 0;
}

static void test_notice_unknown(void)
{
	struct exo_env *env;
	struct fake f;
	int calls;

	fake_init(&f);
	f.query.out_features &= ~EXO_FEATURE_NOTICE;
	env = fake_open(&f);
	calls = f.nr_ioctls;
	is(exo_cap_notice(env, 1, 9, NULL), -EOPNOTSUPP, "an older module");
	is(f.nr_ioctls, calls, "is not asked");
	exo_env_close(env);
}

static void test_map(struct bench *b)
{
	static const struct {
		__u32 rights;
		int prot;
	} cases[] = {
		{ RW, PROT_READ | PROT_WRITE },
		{ EXO_RIGHT_READ | EXO_RIGHT_SHARE, PROT_READ },
		{ EXO_RIGHT_WRITE, PROT_WRITE },
		{ EXO_RIGHT_SHARE, PROT_NONE },
	};
	struct exo_cap_narrow narrow = { .nr = 1 };
	struct exo_frame frame = { .handle = 77 };
	struct exo_cap cap;
	char text[4];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		narrow.rights = cases[i].rights;
		if (exo_cap_derive(b->env, b->frame.handle, &narrow, &cap) ||
		    exo_frame_map(&cap, &frame))
			bail("map");
		is(b->f.object[frame.handle].prot, cases[i].prot,
		   "rights %s", exo_cap_rights_text(cases[i].rights, text));
		exo_frame_free(&frame);
	}
	narrow.rights = RW;
	exo_cap_derive(b->env, b->frame.handle, &narrow, &cap);
	cap.type = EXO_TYPE_EXTENT;
	frame.handle = 77;
	is(exo_frame_map(&cap, &frame), -EBADF, "an extent is not mapped");
	cap.type = EXO_TYPE_FRAME;
	cap.nr = 1ULL << 32;
	is(exo_frame_map(&cap, &frame), -EPROTO, "4 G pages");
	cap.nr = 1;
	b->f.mmap_rc = -ENOMEM;
	is(exo_frame_map(&cap, &frame), -ENOMEM, "mmap fails");
	is(frame.handle, 77, "a failure changes nothing");
	is(exo_handle_close(b->env, cap.handle), 0, "the handle was kept");
	b->f.mmap_rc = 0;
}

static void test_import_fails(struct bench *b)
{
	struct exo_frame frame = { .handle = 77 };
	int live = b->f.nr_live;
	int fd = exo_cap_export(b->env, b->frame.handle);

	b->f.mmap_rc = -ENOMEM;
	is(exo_frame_import(b->env, fd, &frame), -ENOMEM, "mmap fails");
	b->f.mmap_rc = 0;
	b->f.object[b->frame.handle].cap.out_type = EXO_TYPE_EXTENT;
	is(exo_frame_import(b->env, fd, &frame), -EBADF, "not a frame");
	b->f.object[b->frame.handle].cap.out_type = EXO_TYPE_FRAME;
	is(b->f.nr_live, live, "the handles were given back");
	is(frame.handle, 77, "a failure changes nothing");
	close(fd);
}

static void test_place(struct bench *b)
{
	static const __u64 pages[] = { 3, 1 };
	struct exo_frame_place place = {
		.flags = EXO_FRAME_NODE | EXO_FRAME_COLOUR, .order = 1,
		.node = 5, .colour_mask = 6, .colour_value = 2,
	};
	struct exo_page_info info[8];
	struct exo_frame frame;
	__u64 tried = 1;

	is(exo_frame_alloc_at(b->env, 4, &place, &frame, &tried), 0, "placed");
	is(b->f.last_alloc.flags, 3, "flags");
	is(b->f.last_alloc.order, 1, "order");
	is(b->f.last_alloc.node, 5, "node");
	is(b->f.last_alloc.colour_mask, 6, "mask");
	is(b->f.last_alloc.colour_value, 2, "value");
	is(tried, 777, "tries");
	is(exo_frame_info(&frame, 1, 3, info), 0, "its pages");
	is(info[0].nr_contiguous, 1, "told one by one");
	is(exo_frame_info(&frame, 2, 3, info), -EINVAL, "not others'");
	exo_frame_free(&frame);
	place.colour_mask = EXO_FRAME_MAX_COLOURS - 1;
	tried = 1;
	is(exo_frame_alloc_at(b->env, 4, &place, &frame, &tried), -ENOMEM,
	   "a colour there is none of");
	is(tried, 777, "tries are told all the same");
	place = (struct exo_frame_place) {
		.flags = EXO_FRAME_POOL, .pool = b->frame.handle, .pages = pages,
	};
	b->f.object[b->frame.handle].cap.out_rights = EXO_RIGHT_READ;
	is(exo_frame_alloc_at(b->env, 2, &place, &frame, NULL), 0, "a pool");
	ok(b->f.last_alloc.array == (uintptr_t)pages, "its pages");
	is(b->f.object[frame.handle].prot, PROT_READ, "mapped by its rights");
	exo_frame_free(&frame);
	fail(b, EXO_NR_CAP_INFO, -ENOMEM);
	is(exo_frame_alloc_at(b->env, 2, &place, &frame, NULL), -ENOMEM,
	   "rights cannot be asked");
	is(b->f.nr_live, 1, "the handle is given back");
	fail(b, 0, 0);
	b->f.object[b->frame.handle].cap.out_rights = RWS;
}

/* ------------------------------------------------------------- passing */

static void test_pass(struct bench *b, int type)
{
	int s[2], fd, got;
	struct exo_cap cap;

	if (socketpair(AF_UNIX, type, 0, s))
		bail("socketpair");
	fd = exo_cap_export(b->env, b->frame.handle);
	is(exo_cap_send(b->env, s[0], fd), 0, "sent");
	got = exo_cap_recv(b->env, s[1]);
	ok(got >= 0 && got != fd, "received");
	ok(fcntl(got, F_GETFD) & FD_CLOEXEC, "close-on-exec");
	is(exo_cap_import(b->env, got, &cap), 0, "it is what was sent");
	exo_handle_close(b->env, cap.handle);
	close(got);
	is(exo_cap_send(b->env, s[0], -1), -EBADF, "no descriptor");
	close(s[0]);
	is(exo_cap_recv(b->env, s[1]), -EPIPE, "the other side closed");
	is(exo_cap_send(b->env, s[1], fd), -EPIPE, "and gets nothing");
	close(fd);
	close(s[1]);
}

/* Raw: that many descriptors and bytes at once. */
static void send_fds(int sock, int nr, size_t bytes)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(253 * sizeof(int))];
	} control = { .align = { 0 } };
	struct iovec iov = { .iov_base = (char[64]) { 0 }, .iov_len = bytes };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = nr ? control.buf : NULL,
		.msg_controllen = nr ? CMSG_SPACE(nr * sizeof(int)) : 0,
	};
	int i;

	control.align.cmsg_level = SOL_SOCKET;
	control.align.cmsg_type = SCM_RIGHTS;
	control.align.cmsg_len = CMSG_LEN(nr * sizeof(int));
	for (i = 0; i < nr; i++)
		memcpy(CMSG_DATA(&control.align) + i * sizeof(int), &sock,
		       sizeof(sock));
	if (sendmsg(sock, &msg, 0) < 0)
		bail("sendmsg: %m");
}

static int nr_fds(void)
{
	int fd, nr = 0;

	for (fd = 0; fd < 1024; fd++)
		nr += fcntl(fd, F_GETFD) >= 0;
	return nr;
}

static void test_rubbish(struct bench *b)
{
	static const struct {
		int nr;
		size_t bytes;
		int type;
	} cases[] = {
		{ 0, 1, SOCK_SEQPACKET }, { 2, 1, SOCK_SEQPACKET },
		{ 253, 1, SOCK_SEQPACKET }, { 1, 2, SOCK_SEQPACKET },
		{ 0, 1, SOCK_STREAM }, { 2, 1, SOCK_STREAM },
		{ 253, 9, SOCK_STREAM },
	};
	int s[2], before;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		if (socketpair(AF_UNIX, cases[i].type, 0, s))
			bail("socketpair");
		before = nr_fds();
		send_fds(s[0], cases[i].nr, cases[i].bytes);
		is(exo_cap_recv(b->env, s[1]), -EBADMSG,
		   "%d descriptors with %zu bytes", cases[i].nr,
		   cases[i].bytes);
		is(nr_fds(), before, "none stays open");
		close(s[0]);
		close(s[1]);
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, s))
		bail("socketpair");
	is(exo_cap_recv(b->env, s[1]), -EAGAIN, "nothing there");
	close(s[0]);
	close(s[1]);
	is(exo_cap_recv(b->env, -1), -EBADF, "no socket");
}

/* ------------------------------------------------------------ refusals */

static void test_refusal(struct bench *b)
{
	struct exo_cap_narrow narrow = { .rights = RWS, .start = 6, .nr = 3 };
	char text[EXO_REFUSAL_BYTES];
	struct exo_refusal r;
	struct exo_cap cap;

	b->f.refusal = (struct exo_refusal) { .out_reason = EXO_REFUSED_NOT };
	is(exo_refusal(b->env, &r), 0, "asked");
	ok(!strcmp(exo_refusal_text(&r, text, sizeof(text)),
		   "nothing was refused so far"), "%s", text);
	exo_cap_derive(b->env, b->frame.handle, &narrow, &cap);
	exo_refusal(b->env, &r);
	is(r.out_nr, 1, "counted");
	is(r.out_have, 8, "the end there is");
	is(r.out_want, 9, "the end asked for");
	fail(b, EXO_NR_REFUSAL, -ENOTTY);
	is(exo_refusal(b->env, &r), -ENOTTY, "a module without it");
	fail(b, 0, 0);
}

static void test_texts(void)
{
	static const struct {
		struct exo_refusal r;
		const char *text;
	} cases[] = {
		{ { .out_reason = EXO_REFUSED_RANGE, .out_handle = 7,
		    .out_command = EXO_NR_FRAME_INFO, .out_have = 4,
		    .out_want = 9, .out_type = EXO_TYPE_FRAME },
		  "FRAME_INFO, handle 7: its range ends after 4 pages, "
		  "9 would be needed" },
		{ { .out_reason = EXO_REFUSED_RANGE, .out_handle = 7,
		    .out_command = EXO_NR_IO, .out_have = 4, .out_want = 9,
		    .out_type = EXO_TYPE_EXTENT },
		  "IO, handle 7: its range ends after 4 blocks, "
		  "9 would be needed" },
		{ { .out_reason = EXO_REFUSED_RANGE, .out_handle = 7,
		    .out_command = EXO_NR_IO, .out_have = 4, .out_want = 9 },
		  "IO, handle 7: its range ends after 4 pages or blocks, "
		  "9 would be needed" },
		{ { .out_reason = EXO_REFUSED_RIGHTS, .out_handle = 3,
		    .out_have = EXO_RIGHT_READ, .out_want = RW },
		  "a use of its memory, handle 3: it has the rights r--, "
		  "rw- are needed" },
		{ { .out_reason = EXO_REFUSED_HANDLE, .out_handle = 3,
		    .out_command = EXO_NR_CAP_REVOKE },
		  "CAP_REVOKE, handle 3: there is no such handle" },
		{ { .out_reason = EXO_REFUSED_TYPE, .out_handle = 3,
		    .out_command = EXO_NR_CAP_EXPORT,
		    .out_have = EXO_TYPE_FLOW, .out_want = EXO_TYPE_FRAME },
		  "CAP_EXPORT, handle 3: it is a flow, not a frame" },
		{ { .out_reason = EXO_REFUSED_TYPE, .out_handle = 3,
		    .out_command = EXO_NR_CAP_EXPORT, .out_have = 99 },
		  "CAP_EXPORT, handle 3: it is of an unknown type, not of an "
		  "unknown type" },
		{ { .out_reason = EXO_REFUSED_REVOKED, .out_handle = 3,
		    .out_command = EXO_NR_CAP_DERIVE, .out_level = 2 },
		  "CAP_DERIVE, handle 3: a capability 2 steps above it was "
		  "revoked" },
		{ { .out_reason = EXO_REFUSED_REVOKED, .out_handle = 3,
		    .out_command = EXO_NR_CAP_DERIVE, .out_level = 1 },
		  "CAP_DERIVE, handle 3: the capability it was made from was "
		  "revoked" },
		{ { .out_reason = EXO_REFUSED_REVOKED,
		    .out_command = EXO_NR_CAP_IMPORT },
		  "CAP_IMPORT: what was exported was revoked" },
		{ { .out_reason = EXO_REFUSED_EXPIRED, .out_handle = 3,
		    .out_command = EXO_NR_CAP_DERIVE,
		    .out_have = 1000000000, .out_want = 2500000000 },
		  "CAP_DERIVE, handle 3: it expired 1.500 s ago" },
		{ { .out_reason = EXO_REFUSED_REPOSSESSED, .out_handle = 3,
		    .out_command = EXO_NR_IO_SUBMIT },
		  "IO_SUBMIT, handle 3: its pages were repossessed" },
		{ { .out_reason = EXO_REFUSED_DEPTH, .out_handle = 3,
		    .out_command = EXO_NR_CAP_IMPORT, .out_have = 16 },
		  "CAP_IMPORT, handle 3: what is made from it would stand "
		  "more than 16 steps below the root" },
		{ { .out_reason = EXO_REFUSED_TREE, .out_handle = 3,
		    .out_command = EXO_NR_CAP_IMPORT, .out_have = 65536 },
		  "CAP_IMPORT, handle 3: its root has 65536 capabilities "
		  "below it, which is all there may be" },
		{ { .out_reason = 99, .out_handle = 3, .out_command = 255 },
		  "command 255, handle 3: for reason 99" },
	};
	char text[EXO_REFUSAL_BYTES];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		exo_refusal_text(&cases[i].r, text, sizeof(text));
		if (!ok(!strcmp(text, cases[i].text), "%s", text))
			diag("wanted: %s", cases[i].text);
	}
	exo_refusal_text(&cases[0].r, text, 11);
	ok(!strcmp(text, "FRAME_INFO"), "cut to fit: %s", text);
}

int main(void)
{
	struct bench b;

	signal(SIGPIPE, SIG_DFL);	/* none must come */
	bench_open(&b);
	test_derive(&b);
	test_import(&b);
	test_notice(&b);
	test_notice_refused(&b);
	bench_close(&b);
	bench_open(&b);
	test_map(&b);
	test_import_fails(&b);
	test_place(&b);
	test_pass(&b, SOCK_STREAM);
	test_pass(&b, SOCK_SEQPACKET);
	test_rubbish(&b);
	test_refusal(&b);
	bench_close(&b);
	test_notice_unknown();
	test_texts();
	return done_testing();
}
