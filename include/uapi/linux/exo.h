/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * exo - an exokernel hosted in Linux: the interface of /dev/exo
 *
 * This file is the specification. One open of /dev/exo is an *env*: a
 * protection domain with its own table of handles, in the network namespace
 * and with the credentials of the opener. Everything an env holds dies with
 * it. Vocabulary: a *frame* is a run of physical pages, a *disk* a donated
 * block device, an *extent* a run of its blocks with an owner on disk, a *cq*
 * a ring of block I/O completions, a *flow* a packet pattern with a receive
 * and a transmit ring.
 *
 * Each command takes a pointer to its struct, by ioctl(2); the same number and
 * struct serve as io_uring command (see struct exo_uring_cmd).
 */
#ifndef _UAPI_LINUX_EXO_H
#define _UAPI_LINUX_EXO_H

#include <linux/ioctl.h>
#include <linux/types.h>

/**
 * DOC: rules that hold for every command
 *
 * Every struct begins with its size and flags. A caller built against an older
 * header passes a smaller size, the module takes what is missing as zero; a
 * newer caller passes a larger one, and what the module does not know must be
 * zero. Reserved fields must be zero. Members named out_* are written by the
 * module, all others are read only by it.
 *
 * Errors that any command may return:
 *
 * ======== ================================================================
 * ENOTTY     unknown command
 * E2BIG      a byte beyond the struct known to the module is not zero
 * EINVAL     understood but wrong: size below the minimum, reserved not zero,
 *            range empty, value outside its bounds
 * EOPNOTSUPP unknown flag
 * EFAULT     bad user pointer
 * ENOENT     no such handle in this env, no such disk or device
 * EBADF      the handle or fd is of another type
 * EACCES     the handle lacks the right
 * EPERM      the process lacks the privilege or the grant
 * ESTALE     the object was taken away (device gone, reservation lost), or the
 *            capability was revoked, has expired or was repossessed
 * EBUSY      in use
 * EEXIST     overlaps what somebody holds
 * ENOMEM     no memory, or the memcg is at its limit
 * EDQUOT     RLIMIT_MEMLOCK, the ceiling of the module or a grant is reached
 * EOVERFLOW  a range wraps
 * EMLINK     a capability would stand deeper than EXO_CAP_MAX_DEPTH
 * EMSGSIZE   an array is too small; out_nr says what is needed
 * EAGAIN     a ring is full; consume, then try again
 * ======== ================================================================
 *
 * EFAULT may also mean that the answer alone could not be written. Then nothing
 * was done: a new handle or fd is closed again, a disk is detached, an extent
 * deleted (unless the device fails at that, or its catalogue is frozen). Three
 * commands do what cannot be taken back, and have done it: EXO_CMD_CAP_REVOKE
 * has revoked; what EXO_CMD_IO_SUBMIT accepted goes on, and completes into the
 * ring; what EXO_CMD_FLOW_KICK took has been sent, and tx_cons says how far.
 * Commands without out_* members write nothing: once such a command has acted
 * it cannot fail, and its struct may be in read-only memory.
 */

#define EXO_DEVICE_PATH		"/dev/exo"
#define EXO_IOC_TYPE		0xEC

enum {
	EXO_NR_QUERY = 0x80,
	EXO_NR_HANDLE_CLOSE,
	EXO_NR_STATS,

	EXO_NR_FRAME_ALLOC = 0x88,
	EXO_NR_FRAME_INFO,

	EXO_NR_DISK_ATTACH = 0x90,
	EXO_NR_DISK_DETACH,
	EXO_NR_DISK_LIST,
	EXO_NR_DISK_GRANT,
	EXO_NR_DISK_GRANT_LIST,

	EXO_NR_EXTENT_CREATE = 0x98,
	EXO_NR_EXTENT_OPEN,
	EXO_NR_EXTENT_DELETE,
	EXO_NR_EXTENT_LIST,

	EXO_NR_CQ_CREATE = 0xA0,
	EXO_NR_IO_SUBMIT,
	EXO_NR_IO,

	EXO_NR_NET_ATTACH = 0xA8,
	EXO_NR_NET_DETACH,
	EXO_NR_NET_LIST,
	EXO_NR_NET_GRANT,
	EXO_NR_NET_GRANT_LIST,

	EXO_NR_FLOW_BIND = 0xB0,
	EXO_NR_FLOW_KICK,

	EXO_NR_CAP_DERIVE = 0xB8,
	EXO_NR_CAP_EXPORT,
	EXO_NR_CAP_IMPORT,
	EXO_NR_CAP_REVOKE,
	EXO_NR_CAP_INFO,

	EXO_NR_ENV_LIST = 0xC0,
	EXO_NR_ENV_ASK,
	EXO_NR_EVENT_FD,
	EXO_NR_REFUSAL,

	EXO_NR_POLICY_SET = 0xC8,
	EXO_NR_POLICY_LIST,
};

#define EXO_CMD_QUERY		_IO(EXO_IOC_TYPE, EXO_NR_QUERY)
#define EXO_CMD_HANDLE_CLOSE	_IO(EXO_IOC_TYPE, EXO_NR_HANDLE_CLOSE)
#define EXO_CMD_STATS		_IO(EXO_IOC_TYPE, EXO_NR_STATS)
#define EXO_CMD_FRAME_ALLOC	_IO(EXO_IOC_TYPE, EXO_NR_FRAME_ALLOC)
#define EXO_CMD_FRAME_INFO	_IO(EXO_IOC_TYPE, EXO_NR_FRAME_INFO)
#define EXO_CMD_DISK_ATTACH	_IO(EXO_IOC_TYPE, EXO_NR_DISK_ATTACH)
#define EXO_CMD_DISK_DETACH	_IO(EXO_IOC_TYPE, EXO_NR_DISK_DETACH)
#define EXO_CMD_DISK_LIST	_IO(EXO_IOC_TYPE, EXO_NR_DISK_LIST)
#define EXO_CMD_DISK_GRANT	_IO(EXO_IOC_TYPE, EXO_NR_DISK_GRANT)
#define EXO_CMD_DISK_GRANT_LIST	_IO(EXO_IOC_TYPE, EXO_NR_DISK_GRANT_LIST)
#define EXO_CMD_EXTENT_CREATE	_IO(EXO_IOC_TYPE, EXO_NR_EXTENT_CREATE)
#define EXO_CMD_EXTENT_OPEN	_IO(EXO_IOC_TYPE, EXO_NR_EXTENT_OPEN)
#define EXO_CMD_EXTENT_DELETE	_IO(EXO_IOC_TYPE, EXO_NR_EXTENT_DELETE)
#define EXO_CMD_EXTENT_LIST	_IO(EXO_IOC_TYPE, EXO_NR_EXTENT_LIST)
#define EXO_CMD_CQ_CREATE	_IO(EXO_IOC_TYPE, EXO_NR_CQ_CREATE)
#define EXO_CMD_IO_SUBMIT	_IO(EXO_IOC_TYPE, EXO_NR_IO_SUBMIT)
#define EXO_CMD_IO		_IO(EXO_IOC_TYPE, EXO_NR_IO)
#define EXO_CMD_NET_ATTACH	_IO(EXO_IOC_TYPE, EXO_NR_NET_ATTACH)
#define EXO_CMD_NET_DETACH	_IO(EXO_IOC_TYPE, EXO_NR_NET_DETACH)
#define EXO_CMD_NET_LIST	_IO(EXO_IOC_TYPE, EXO_NR_NET_LIST)
#define EXO_CMD_NET_GRANT	_IO(EXO_IOC_TYPE, EXO_NR_NET_GRANT)
#define EXO_CMD_NET_GRANT_LIST	_IO(EXO_IOC_TYPE, EXO_NR_NET_GRANT_LIST)
#define EXO_CMD_FLOW_BIND	_IO(EXO_IOC_TYPE, EXO_NR_FLOW_BIND)
#define EXO_CMD_FLOW_KICK	_IO(EXO_IOC_TYPE, EXO_NR_FLOW_KICK)
#define EXO_CMD_CAP_DERIVE	_IO(EXO_IOC_TYPE, EXO_NR_CAP_DERIVE)
#define EXO_CMD_CAP_EXPORT	_IO(EXO_IOC_TYPE, EXO_NR_CAP_EXPORT)
#define EXO_CMD_CAP_IMPORT	_IO(EXO_IOC_TYPE, EXO_NR_CAP_IMPORT)
#define EXO_CMD_CAP_REVOKE	_IO(EXO_IOC_TYPE, EXO_NR_CAP_REVOKE)
#define EXO_CMD_CAP_INFO	_IO(EXO_IOC_TYPE, EXO_NR_CAP_INFO)
#define EXO_CMD_ENV_LIST	_IO(EXO_IOC_TYPE, EXO_NR_ENV_LIST)
#define EXO_CMD_ENV_ASK		_IO(EXO_IOC_TYPE, EXO_NR_ENV_ASK)
#define EXO_CMD_EVENT_FD	_IO(EXO_IOC_TYPE, EXO_NR_EVENT_FD)
#define EXO_CMD_REFUSAL		_IO(EXO_IOC_TYPE, EXO_NR_REFUSAL)
#define EXO_CMD_POLICY_SET	_IO(EXO_IOC_TYPE, EXO_NR_POLICY_SET)
#define EXO_CMD_POLICY_LIST	_IO(EXO_IOC_TYPE, EXO_NR_POLICY_LIST)

/**
 * struct exo_uring_cmd - payload of an IORING_OP_URING_CMD entry (sqe->cmd)
 * @arg: user pointer to the command's struct; must stay valid until completion
 * @reserved: must be zero
 *
 * sqe->cmd_op is the EXO_CMD_* number. The completion's res is what ioctl
 * would have returned; for EXO_CMD_IO it comes when the device is done.
 */
struct exo_uring_cmd {
	__aligned_u64 arg;
	__aligned_u64 reserved;
};

/* Features, for exo_query.out_features */
#define EXO_FEATURE_FRAME	(1ULL << 0)
#define EXO_FEATURE_DISK	(1ULL << 1)
#define EXO_FEATURE_URING	(1ULL << 2)
#define EXO_FEATURE_FLOW_TCP4	(1ULL << 3)
#define EXO_FEATURE_TX_GSO	(1ULL << 4)
#define EXO_FEATURE_CAP		(1ULL << 5)	/* derive, export, import, revoke */
#define EXO_FEATURE_PLACEMENT	(1ULL << 6)	/* node, colour, pool, FRAME_INFO */
#define EXO_FEATURE_EVENT	(1ULL << 7)	/* events, visible revocation, info pages */
#define EXO_FEATURE_POLICY	(1ULL << 8)	/* EXO_CMD_POLICY_* */
#define EXO_FEATURE_GRANT_LIST	(1ULL << 9)	/* EXO_CMD_*_GRANT_LIST */
#define EXO_FEATURE_NOTICE	(1ULL << 10)	/* exo_cap_revoke.timeout_ms */

/**
 * struct exo_query - EXO_CMD_QUERY: what this module can do
 * @size: sizeof(struct exo_query)
 * @flags: must be zero
 * @out_features: EXO_FEATURE_* bits; grows, never changes meaning
 * @out_page_bytes: size of a page of a frame
 * @out_block_bytes: size of a block of an extent
 * @out_max_frame_pages: largest frame
 * @out_max_frame_order: largest contiguity, as a power of two of pages
 * @out_max_io: most operations in one EXO_CMD_IO_SUBMIT
 * @out_max_io_blocks: most blocks in one operation
 * @out_max_ring_bytes: largest receive ring
 * @out_max_tx_entries: largest transmit ring
 * @out_max_cq_entries: largest completion ring
 * @out_reserved: zero
 */
struct exo_query {
	__u32 size;
	__u32 flags;
	__aligned_u64 out_features;
	__u32 out_page_bytes;
	__u32 out_block_bytes;
	__u32 out_max_frame_pages;
	__u32 out_max_frame_order;
	__u32 out_max_io;
	__u32 out_max_io_blocks;
	__u32 out_max_ring_bytes;
	__u32 out_max_tx_entries;
	__u32 out_max_cq_entries;
	__u32 out_reserved;
};

/**
 * struct exo_handle_close - EXO_CMD_HANDLE_CLOSE: drop a handle of any type
 * @size: sizeof(struct exo_handle_close)
 * @flags: must be zero
 * @handle: the handle; its mappings are gone when the command returns, work in
 *          flight keeps the memory alive but unreachable until it is done
 * @reserved: must be zero
 */
struct exo_handle_close {
	__u32 size;
	__u32 flags;
	__u32 handle;
	__u32 reserved;
};

/**
 * struct exo_stats - EXO_CMD_STATS: counters of the whole module
 * @size: sizeof(struct exo_stats)
 * @flags: must be zero
 * @out_nr_envs: open envs, the caller's included
 * @out_nr_objects: frames, extents, cqs and flows alive, orphans included
 * @out_nr_frame_pages: pages charged, rings included
 * @out_nr_io: block operations in flight
 * @out_nr_tx: packets in flight whose payload is still referred to
 * @out_nr_flows: flows bound
 * @out_nr_disks: disks attached
 * @out_nr_netdevs: devices attached
 */
struct exo_stats {
	__u32 size;
	__u32 flags;
	__aligned_u64 out_nr_envs;
	__aligned_u64 out_nr_objects;
	__aligned_u64 out_nr_frame_pages;
	__aligned_u64 out_nr_io;
	__aligned_u64 out_nr_tx;
	__aligned_u64 out_nr_flows;
	__aligned_u64 out_nr_disks;
	__aligned_u64 out_nr_netdevs;
};

/* ------------------------------------------------------- capabilities */

/*
 * A handle stands for a capability: an object, rights over it, a range of its
 * units (pages of a frame, blocks of an extent) and perhaps an expiry. The one
 * that came with the object is a root, with all rights that opening gave.
 * Others are made from it and narrow it, never widen. Parents are capabilities,
 * not processes: closing a handle leaves what was derived from it alone,
 * revoking and expiry end all of it, wherever it is. An object lives while a
 * handle or an exported fd holds it. Whoever uses what was revoked gets ESTALE,
 * a touch of its memory is SIGBUS; work a device has begun ends on pages that
 * nobody else gets before.
 *
 * Positions in a command count from the start of the capability's own range.
 */
#define EXO_RIGHT_READ		(1U << 0)
#define EXO_RIGHT_WRITE		(1U << 1)
#define EXO_RIGHT_SHARE		(1U << 2)	/* derive from it, export it */

#define EXO_CAP_MAX_DEPTH	16		/* steps below the root */
#define EXO_CAP_MAX_TREE	65536		/* capabilities below one root */

/* exo_cap_info.out_type, exo_cap_import.out_type */
#define EXO_TYPE_FRAME		1
#define EXO_TYPE_EXTENT		2
#define EXO_TYPE_CQ		3
#define EXO_TYPE_FLOW		4

/**
 * struct exo_cap_derive - EXO_CMD_CAP_DERIVE: a narrower capability
 * @size: sizeof(struct exo_cap_derive)
 * @flags: must be zero
 * @handle: a frame or extent with EXO_RIGHT_SHARE
 * @rights: EXO_RIGHT_* of the new one, some of the old one's, not none
 * @start: first page or block, counted in the old one's range
 * @nr: pages or blocks, at least 1
 * @expires_ns: on CLOCK_BOOTTIME, or 0 for no expiry of its own; in any case
 *              not later than the old one's
 * @out_handle: the new capability, in the same env
 * @out_reserved: zero
 * @out_mmap_offset: offset for mmap(2), frames only, else 0
 *
 * Errors: EOPNOTSUPP not a frame or extent; EACCES a right that the old one
 * does not have; EINVAL no right, outside the range, or expiry in the past;
 * EOVERFLOW; ESTALE; EMLINK; EDQUOT EXO_CAP_MAX_TREE; ENOMEM.
 */
struct exo_cap_derive {
	__u32 size;
	__u32 flags;
	__u32 handle;
	__u32 rights;
	__aligned_u64 start;
	__aligned_u64 nr;
	__aligned_u64 expires_ns;
	__u32 out_handle;
	__u32 out_reserved;
	__aligned_u64 out_mmap_offset;
};

/**
 * struct exo_cap_export - EXO_CMD_CAP_EXPORT: a capability as an fd
 * @size: sizeof(struct exo_cap_export)
 * @flags: must be zero
 * @handle: a frame or extent with EXO_RIGHT_SHARE
 * @out_fd: a file descriptor, close-on-exec, to be passed by SCM_RIGHTS
 *
 * Whoever has the fd can import from it until the capability is revoked: a
 * revocation of @handle ends the fd too. The fd keeps the object alive.
 * Errors: EOPNOTSUPP not a frame or extent; EACCES; ESTALE; EMFILE; ENFILE;
 * ENOMEM.
 */
struct exo_cap_export {
	__u32 size;
	__u32 flags;
	__u32 handle;
	__s32 out_fd;
};

/**
 * struct exo_cap_import - EXO_CMD_CAP_IMPORT: a handle from an exported fd
 * @size: sizeof(struct exo_cap_import)
 * @flags: must be zero
 * @fd: from EXO_CMD_CAP_EXPORT, of this or another process
 * @out_handle: derived from the exported capability, with its rights and range
 * @out_type: EXO_TYPE_*
 * @out_rights: EXO_RIGHT_*
 * @out_nr: pages or blocks
 * @out_expires_ns: as in exo_cap_info
 * @out_mmap_offset: offset for mmap(2), frames only, else 0
 *
 * Errors: EBADF no fd, or not an exported capability; ESTALE; EMLINK; EDQUOT;
 * ENOMEM.
 */
struct exo_cap_import {
	__u32 size;
	__u32 flags;
	__s32 fd;
	__u32 out_handle;
	__u32 out_type;
	__u32 out_rights;
	__aligned_u64 out_nr;
	__aligned_u64 out_expires_ns;
	__aligned_u64 out_mmap_offset;
};

#define EXO_REVOKE_SELF		(1U << 0)	/* end the capability itself too */

/**
 * struct exo_cap_revoke - EXO_CMD_CAP_REVOKE: end what was made from it
 * @size: sizeof(struct exo_cap_revoke)
 * @flags: EXO_REVOKE_SELF
 * @handle: any capability of the env
 * @timeout_ms: 0 to revoke at once; else notice is given, and it is done by the
 *              module after that time, at most 3,600,000
 * @out_nr: capabilities ended, or given notice, those of a call for the same
 *          handle at the same time, and of a notice just over, included or not
 *
 * Everything derived, exported and imported from it, in any process. When the
 * command returns none of it is mapped anywhere and no use can begin; I/O in
 * flight is not waited for. A handle to what has ended stays until it is closed
 * and says ESTALE.
 *
 * With notice the command returns when each env that holds a part has its
 * EXO_EVENT_CAP_ENDING, and waits for no answer. Until the time is over all goes
 * on as before; then no use can begin, and mappings go soon. What is made from
 * it meanwhile ends with the rest, and has its event when it is made. A notice
 * is not taken back. Revoking at once is possible all the time, is the end of the
 * notice, and also waits until nothing is mapped, should the time be over.
 *
 * Errors: ESTALE it was revoked itself; EINVAL notice longer than allowed, or
 * with EXO_REVOKE_SELF; EBUSY notice was given already; EINTR killed meanwhile,
 * it goes on all the same.
 */
struct exo_cap_revoke {
	__u32 size;
	__u32 flags;
	__u32 handle;
	__u32 timeout_ms;
	__aligned_u64 out_nr;
};

/* exo_cap_info.out_state */
#define EXO_CAP_LIVE		1
#define EXO_CAP_REVOKED		2	/* by somebody it was derived from, or itself */
#define EXO_CAP_EXPIRED		3
#define EXO_CAP_REPOSSESSED	4	/* the module took it back for want of pages */

/**
 * struct exo_cap_info - EXO_CMD_CAP_INFO: what a handle stands for
 * @size: sizeof(struct exo_cap_info)
 * @flags: must be zero
 * @handle: any capability of the env, ended ones too
 * @out_type: EXO_TYPE_*
 * @out_state: EXO_CAP_*
 * @out_rights: EXO_RIGHT_*
 * @out_depth: steps below the root, 0 to EXO_CAP_MAX_DEPTH
 * @out_nr_children: capabilities derived or imported directly from it
 * @out_start: first page or block in the whole object
 * @out_nr: pages or blocks
 * @out_expires_ns: when it ends as far as is known, its own expiry or an
 *                  earlier notice from above; on CLOCK_BOOTTIME, or 0
 * @out_mmap_offset: offset for mmap(2), types with memory only, else 0
 * @out_notice_ns: when what was made from it ends, by notice; or 0
 */
struct exo_cap_info {
	__u32 size;
	__u32 flags;
	__u32 handle;
	__u32 out_type;
	__u32 out_state;
	__u32 out_rights;
	__u32 out_depth;
	__u32 out_nr_children;
	__aligned_u64 out_start;
	__aligned_u64 out_nr;
	__aligned_u64 out_expires_ns;
	__aligned_u64 out_mmap_offset;
	__aligned_u64 out_notice_ns;
};

/* exo_refusal.out_reason */
enum {
	EXO_REFUSED_NOT,	/* nothing was refused so far */
	EXO_REFUSED_HANDLE,	/* no such handle */
	EXO_REFUSED_TYPE,	/* another type: out_have, out_want are EXO_TYPE_* */
	EXO_REFUSED_REVOKED,	/* ended @out_level steps above the capability */
	EXO_REFUSED_EXPIRED,	/* out_have: when, out_want: now, CLOCK_BOOTTIME ns */
	EXO_REFUSED_REPOSSESSED,
	EXO_REFUSED_RIGHTS,	/* out_have, out_want are EXO_RIGHT_* */
	EXO_REFUSED_RANGE,	/* out_want: end asked for, out_have: end there is */
	EXO_REFUSED_DEPTH,	/* out_have: EXO_CAP_MAX_DEPTH */
	EXO_REFUSED_TREE,	/* out_have: EXO_CAP_MAX_TREE */
};

/**
 * struct exo_refusal - EXO_CMD_REFUSAL: why a capability was refused last
 * @size: sizeof(struct exo_refusal)
 * @flags: must be zero
 * @out_reason: EXO_REFUSED_*
 * @out_command: number of the command, _IOC_NR() of EXO_CMD_*, 0 for a fault
 * @out_handle: the handle in question
 * @out_level: steps from the capability up to the one that ended, 0 itself
 * @out_want: see EXO_REFUSED_*
 * @out_have: see EXO_REFUSED_*
 * @out_nr: refusals of this env so far
 * @out_type: EXO_TYPE_* of the object with EXO_REFUSED_RANGE, which is in blocks
 *            for an extent and in pages for all others; else 0
 * @out_reserved: zero
 *
 * Of this env only; the newest one overwrites.
 */
struct exo_refusal {
	__u32 size;
	__u32 flags;
	__u32 out_reason;
	__u32 out_command;
	__u32 out_handle;
	__u32 out_level;
	__aligned_u64 out_want;
	__aligned_u64 out_have;
	__aligned_u64 out_nr;
	__u32 out_type;
	__u32 out_reserved;
};

/* ------------------------------------------------------------- frames */

/* exo_frame_alloc.flags */
#define EXO_FRAME_NODE		(1U << 0)	/* all pages on NUMA node @node */
#define EXO_FRAME_COLOUR	(1U << 1)	/* page number & mask == value */
#define EXO_FRAME_POOL		(1U << 2)	/* chosen pages of another frame */

#define EXO_FRAME_MAX_COLOURS	1024		/* colour masks are below this */

/**
 * struct exo_frame_alloc - EXO_CMD_FRAME_ALLOC: allocate zeroed pages
 * @size: sizeof(struct exo_frame_alloc)
 * @flags: EXO_FRAME_*
 * @nr_pages: 1 to exo_query.out_max_frame_pages
 * @order: pages come in physically contiguous, aligned runs of 2^order pages;
 *         nr_pages must be a multiple of that
 * @out_handle: the frame
 * @out_reserved: zero
 * @out_mmap_offset: offset for mmap(2) of the env's fd (MAP_SHARED only); any
 *                   page range inside the frame can be mapped
 * @node: NUMA node, with EXO_FRAME_NODE, else 0
 * @colour_mask: below EXO_FRAME_MAX_COLOURS, with EXO_FRAME_COLOUR, else 0
 * @colour_value: of the physical number of each run's first page, a subset of
 *                @colour_mask
 * @pool: with EXO_FRAME_POOL a frame with EXO_RIGHT_SHARE, else 0
 * @array: with EXO_FRAME_POOL user pointer to @nr_pages __u64: which pages of
 *         the pool, in that order (EXO_CMD_FRAME_INFO tells their colours and
 *         numbers), each once; else 0
 * @out_nr_tried: pages looked at for a colour
 *
 * Pages for a colour are sought in a bounded number of tries; ENOMEM with
 * @out_nr_tried then says how many pages were looked at. A frame out of a pool
 * is derived from the pool's capability: nothing is allocated or charged, and
 * it ends with that. @order must be 0 then, the pages are not zeroed.
 *
 * Charged to the opener's RLIMIT_MEMLOCK (per user) and to the caller's memcg,
 * taken from the nodes of the caller's cpuset; a node that is full, or not
 * among them, is ENOMEM, and no other node is taken instead.
 *
 * A mapping is by page frame number: after the handle is closed a touch is
 * SIGBUS; get_user_pages users (O_DIRECT, fixed buffers) fail with EFAULT.
 *
 * Errors: EINVAL, also for a node that is not online or a colour that the
 * order makes impossible; EDQUOT; ENOMEM; with EXO_FRAME_POOL those of
 * EXO_CMD_CAP_DERIVE.
 */
struct exo_frame_alloc {
	__u32 size;
	__u32 flags;
	__u32 nr_pages;
	__u32 order;
	__u32 out_handle;
	__u32 out_reserved;
	__aligned_u64 out_mmap_offset;
	__u32 node;
	__u32 colour_mask;
	__u32 colour_value;
	__u32 pool;
	__aligned_u64 array;
	__aligned_u64 out_nr_tried;
};

/**
 * struct exo_frame_info - EXO_CMD_FRAME_INFO: where the pages of a frame are
 * @size: sizeof(struct exo_frame_info)
 * @flags: must be zero
 * @frame: a frame
 * @first_page: first page asked about
 * @array: user pointer to @nr entries of struct exo_page_info
 * @nr: pages asked about, 1 to 65,536
 * @out_reserved: zero
 *
 * Colour, node and contiguity are told to all; the physical number only to an
 * env whose opener has CAP_SYS_ADMIN or whose user has EXO_ALLOW_NUMBERS.
 */
struct exo_frame_info {
	__u32 size;
	__u32 flags;
	__u32 frame;
	__u32 first_page;
	__aligned_u64 array;
	__u32 nr;
	__u32 out_reserved;
};

/**
 * struct exo_page_info - one page of a frame
 * @number: physical page number, or ~0 if the caller may not see it
 * @colour: physical page number modulo EXO_FRAME_MAX_COLOURS
 * @node: NUMA node
 * @nr_contiguous: pages of the frame from this one on that follow each other in
 *                 physical memory, this one included
 * @reserved: zero
 */
struct exo_page_info {
	__aligned_u64 number;
	__u32 colour;
	__u32 node;
	__u32 nr_contiguous;
	__u32 reserved;
};

/* ------------------------------------------- events and visible revocation */

/*
 * The module takes nothing silently. When pages are short, when an administrator
 * or a lowered quota says so, it asks: an event says how many pages by when.
 * The library gives back what it likes best (by EXO_CMD_HANDLE_CLOSE). Past the
 * deadline the module takes whole frames of its own choice, also those that the
 * env shares with others, and writes what it took into the repossession vector.
 * Below EXO_ENV_MIN_PAGES pages of an env nothing is taken. While one request
 * stands, another raises it to the larger number and the earlier deadline. Who
 * lent a capability can announce its end too (EXO_CMD_CAP_REVOKE): what was lent
 * is the lender's, and the minimum does not hold for it.
 *
 * Events are read by read(2) from the env's fd, an array of struct exo_event
 * (EAGAIN without any if O_NONBLOCK); poll(2) says POLLPRI while there are any,
 * and EXO_CMD_EVENT_FD makes an eventfd(2) count them. The queue holds
 * EXO_MAX_EVENTS; requests for pages are merged, so that none is lost, of the
 * others the newest are dropped and counted: an ended handle says so itself.
 */
#define EXO_ENV_MIN_PAGES	64
#define EXO_MAX_EVENTS		256

enum {
	EXO_EVENT_RELEASE = 1,	/* give @nr_pages back until @deadline_ns */
	EXO_EVENT_REPOSSESSED,	/* @nr_pages were taken; see the vector */
	EXO_EVENT_CAP_ENDED,	/* @handle was revoked or has expired (@source) */
	EXO_EVENT_CAP_ENDING,	/* @handle will be revoked at @deadline_ns */
};

/* exo_event.source */
enum {
	EXO_SOURCE_PRESSURE = 1,	/* the host is short of memory */
	EXO_SOURCE_ADMIN,		/* EXO_CMD_ENV_ASK */
	EXO_SOURCE_QUOTA,		/* EXO_CMD_POLICY_SET lowered max_pages */
	EXO_SOURCE_PARENT,		/* a capability above is or will be revoked */
	EXO_SOURCE_EXPIRY,
};

/**
 * struct exo_event - one event
 * @type: EXO_EVENT_*
 * @source: EXO_SOURCE_*
 * @handle: of EXO_EVENT_CAP_ENDED and EXO_EVENT_CAP_ENDING, else 0
 * @nr_dropped: events dropped before this one
 * @nr_pages: pages, see @type; of EXO_EVENT_CAP_ENDING those of @handle, or its
 *            blocks
 * @deadline_ns: on CLOCK_BOOTTIME, of EXO_EVENT_RELEASE and
 *               EXO_EVENT_CAP_ENDING, else 0
 * @time_ns: when it happened, on CLOCK_BOOTTIME
 * @reserved: zero
 */
struct exo_event {
	__u32 type;
	__u32 source;
	__u32 handle;
	__u32 nr_dropped;
	__aligned_u64 nr_pages;
	__aligned_u64 deadline_ns;
	__aligned_u64 time_ns;
	__aligned_u64 reserved[3];
};

/**
 * struct exo_event_fd - EXO_CMD_EVENT_FD: count events in an eventfd
 * @size: sizeof(struct exo_event_fd)
 * @flags: must be zero
 * @fd: an eventfd(2), or -1 for none any more; replaces the one before
 * @reserved: must be zero
 *
 * Errors: EBADF no fd; EINVAL not an eventfd.
 */
struct exo_event_fd {
	__u32 size;
	__u32 flags;
	__s32 fd;
	__u32 reserved;
};

/**
 * struct exo_env_info - one env
 * @id: of the env, never used again
 * @uid: of its opener, in the initial user namespace
 * @pid: process that opened it, as seen by the caller, 0 if not visible
 * @nr_handles: handles in its table
 * @nr_events: events that it has not read
 * @nr_pages: pages charged to it, rings included
 * @nr_asked: pages it has been asked for and not given back yet
 * @nr_taken: pages that were repossessed from it so far
 * @nr_refusals: see EXO_CMD_REFUSAL
 * @comm: name of the program that opened it
 */
struct exo_env_info {
	__aligned_u64 id;
	__u32 uid;
	__s32 pid;
	__u32 nr_handles;
	__u32 nr_events;
	__aligned_u64 nr_pages;
	__aligned_u64 nr_asked;
	__aligned_u64 nr_taken;
	__aligned_u64 nr_refusals;
	__u8 comm[16];
};

/**
 * struct exo_env_list - EXO_CMD_ENV_LIST
 * @size: sizeof(struct exo_env_list)
 * @flags: must be zero
 * @array: user pointer to @nr entries of struct exo_env_info
 * @nr: room in the array
 * @out_nr: envs. Errors: EMSGSIZE
 *
 * All with CAP_SYS_ADMIN, else those that the user of the caller's env opened.
 * An env that is closed is shown, without handles, while others share its
 * frames or devices work on them.
 */
struct exo_env_list {
	__u32 size;
	__u32 flags;
	__aligned_u64 array;
	__u32 nr;
	__u32 out_nr;
};

/**
 * struct exo_env_ask - EXO_CMD_ENV_ASK: ask an env for pages
 * @size: sizeof(struct exo_env_ask)
 * @flags: must be zero
 * @id: the env
 * @nr_pages: how many, at least 1
 * @timeout_ms: until the module takes them itself, up to 3,600,000
 * @reserved: must be zero
 *
 * Needs CAP_SYS_ADMIN. Returns at once; EXO_CMD_ENV_LIST shows how it goes.
 * Errors: ENOENT no such env.
 */
struct exo_env_ask {
	__u32 size;
	__u32 flags;
	__aligned_u64 id;
	__aligned_u64 nr_pages;
	__u32 timeout_ms;
	__u32 reserved;
};

/*
 * Exposed information: three pages that any env can map read-only, MAP_SHARED,
 * together or one by one. The module writes them as things change; a reader
 * takes each member by itself.
 */
#define EXO_INFO_GLOBAL_OFFSET	0
#define EXO_INFO_ENV_OFFSET	4096
#define EXO_INFO_VECTOR_OFFSET	8192
#define EXO_INFO_BYTES		12288

/**
 * struct exo_info_global - page at EXO_INFO_GLOBAL_OFFSET, the same for all
 * @version: 1; grows when members are added
 * @reserved: zero
 * @nr_envs: envs open
 * @nr_objects: objects alive
 * @nr_pages: pages charged by all users
 * @max_pages: ceiling for all users together
 * @nr_pressure: times that the host was short of memory and asked for pages
 * @nr_taken: pages repossessed so far
 */
struct exo_info_global {
	__u32 version;
	__u32 reserved;
	__aligned_u64 nr_envs;
	__aligned_u64 nr_objects;
	__aligned_u64 nr_pages;
	__aligned_u64 max_pages;
	__aligned_u64 nr_pressure;
	__aligned_u64 nr_taken;
};

/**
 * struct exo_info_env - page at EXO_INFO_ENV_OFFSET, of the env itself
 * @version: 1
 * @nr_events: events to be read
 * @id: as in struct exo_env_info
 * @nr_pages: pages charged to this env
 * @min_pages: EXO_ENV_MIN_PAGES
 * @nr_asked: pages asked for and not given back yet
 * @deadline_ns: until when, on CLOCK_BOOTTIME, 0 if @nr_asked is 0
 * @nr_taken: pages repossessed so far
 * @vector_prod: entries written to the repossession vector so far
 * @reserved: zero
 */
struct exo_info_env {
	__u32 version;
	__u32 nr_events;
	__aligned_u64 id;
	__aligned_u64 nr_pages;
	__aligned_u64 min_pages;
	__aligned_u64 nr_asked;
	__aligned_u64 deadline_ns;
	__aligned_u64 nr_taken;
	__u32 vector_prod;
	__u32 reserved;
};

#define EXO_VECTOR_ENTRIES	256

/**
 * struct exo_vector_entry - one frame that was taken
 * @handle: the handle the env had for it, 0 if it had closed that and others
 *          still shared the frame
 * @nr_pages: its pages
 * @time_ns: when, on CLOCK_BOOTTIME
 *
 * Entry i stands at i % EXO_VECTOR_ENTRIES of the page at
 * EXO_INFO_VECTOR_OFFSET. A library that is EXO_VECTOR_ENTRIES behind asks
 * EXO_CMD_CAP_INFO for each handle instead.
 */
struct exo_vector_entry {
	__u32 handle;
	__u32 nr_pages;
	__aligned_u64 time_ns;
};

/* --------------------------------------------------------------- policy */

/* exo_policy.allow */
#define EXO_ALLOW_NUMBERS	(1U << 0)	/* may see physical page numbers */

/**
 * struct exo_policy - what one user may
 * @uid: the user, in the initial user namespace
 * @allow: EXO_ALLOW_*
 * @max_pages: most pages of all its envs, below RLIMIT_MEMLOCK too; ~0: no limit
 */
struct exo_policy {
	__u32 uid;
	__u32 allow;
	__aligned_u64 max_pages;
};

/**
 * struct exo_policy_set - EXO_CMD_POLICY_SET: a user's policy
 * @size: sizeof(struct exo_policy_set)
 * @flags: EXO_GRANT_REVOKE forgets the user: as if nothing had been set
 * @policy: replaces what was set for that user; members but uid must be zero
 *          with EXO_GRANT_REVOKE
 * @timeout_ms: when the user holds more than max_pages: until the module takes
 *              what is too much
 * @reserved: must be zero
 *
 * Needs CAP_SYS_ADMIN. Errors: ENOENT nothing to forget; EDQUOT set for 4,096
 * users already.
 */
struct exo_policy_set {
	__u32 size;
	__u32 flags;
	struct exo_policy policy;
	__u32 timeout_ms;
	__u32 reserved;
};

/**
 * struct exo_policy_list - EXO_CMD_POLICY_LIST
 * @size: sizeof(struct exo_policy_list)
 * @flags: must be zero
 * @array: user pointer to @nr entries of struct exo_policy
 * @nr: room in the array
 * @out_nr: users with a policy. Errors: EPERM, EMSGSIZE
 *
 * Needs CAP_SYS_ADMIN.
 */
struct exo_policy_list {
	__u32 size;
	__u32 flags;
	__aligned_u64 array;
	__u32 nr;
	__u32 out_nr;
};

/* ------------------------------------------------- disks and extents */

#define EXO_BLOCK_BYTES		4096
#define EXO_NAME_BYTES		32	/* names end with at least one NUL */

/**
 * struct exo_disk_attach - EXO_CMD_DISK_ATTACH: donate a block device
 * @size: sizeof(struct exo_disk_attach)
 * @flags: must be zero
 * @fd: the block device, open for reading and writing
 * @out_disk: identifier of the disk until it is detached
 *
 * Needs CAP_SYS_ADMIN. The device must carry a label (see exo_disk.h); it is
 * claimed exclusively until EXO_CMD_DISK_DETACH. Extents whose zeroing was cut
 * short are zeroed before they can be opened.
 *
 * Errors: EPERM; EBADF fd is no block device, or not open for reading and
 * writing; EBUSY mounted or claimed; EROFS; EINVAL zoned, or logical blocks of
 * more than EXO_BLOCK_BYTES; EINTR killed while zeroing; EUCLEAN no valid label
 * or catalogue (the kernel log says what is wrong); EPROTONOSUPPORT the label
 * asks for a feature that is not known; EIO, or another error of the device, the
 * catalogue cannot be read (the kernel log says which block) or mended.
 */
struct exo_disk_attach {
	__u32 size;
	__u32 flags;
	__s32 fd;
	__u32 out_disk;
};

/**
 * struct exo_disk_detach - EXO_CMD_DISK_DETACH: give the device back
 * @size: sizeof(struct exo_disk_detach)
 * @flags: must be zero
 * @disk: the disk
 * @reserved: must be zero
 *
 * Needs CAP_SYS_ADMIN. Waits, interruptibly, for I/O in flight.
 * Errors: EBUSY an extent of it is open; EINTR.
 */
struct exo_disk_detach {
	__u32 size;
	__u32 flags;
	__u32 disk;
	__u32 reserved;
};

/**
 * struct exo_disk_info - one attached disk
 * @disk: identifier
 * @nr_open: extents open on it
 * @nr_blocks: blocks of the whole device
 * @first_block: first block an extent may begin at
 * @end_block: end of the space for extents, exclusive
 * @nr_free: blocks in no extent
 * @name: label's name
 * @uuid: label's UUID
 * @path: name of the block device ("vda")
 */
struct exo_disk_info {
	__u32 disk;
	__u32 nr_open;
	__aligned_u64 nr_blocks;
	__aligned_u64 first_block;
	__aligned_u64 end_block;
	__aligned_u64 nr_free;
	__u8 name[EXO_NAME_BYTES];
	__u8 uuid[16];
	__u8 path[EXO_NAME_BYTES];
};

/**
 * struct exo_disk_list - EXO_CMD_DISK_LIST
 * @size: sizeof(struct exo_disk_list)
 * @flags: must be zero
 * @array: user pointer to @nr entries of struct exo_disk_info
 * @nr: room in the array
 * @out_nr: disks attached. Errors: EMSGSIZE
 */
struct exo_disk_list {
	__u32 size;
	__u32 flags;
	__aligned_u64 array;
	__u32 nr;
	__u32 out_nr;
};

#define EXO_GRANT_REVOKE	(1U << 0)	/* withdraw instead of give */

/**
 * struct exo_disk_grant - EXO_CMD_DISK_GRANT: let a user create extents
 * @size: sizeof(struct exo_disk_grant)
 * @flags: EXO_GRANT_REVOKE withdraws; extents that exist stay
 * @disk: the disk
 * @uid: the user, in the initial user namespace
 * @max_blocks: most blocks that user's extents may hold together
 *
 * Needs CAP_SYS_ADMIN. A second grant for a user replaces the first.
 * Errors: ENOENT also when there is no grant to withdraw.
 */
struct exo_disk_grant {
	__u32 size;
	__u32 flags;
	__u32 disk;
	__u32 uid;
	__aligned_u64 max_blocks;
};

/**
 * struct exo_disk_grant_info - one grant on a disk
 * @uid: the user, in the initial user namespace
 * @reserved: zero
 * @max_blocks: most blocks that user's extents may hold together
 */
struct exo_disk_grant_info {
	__u32 uid;
	__u32 reserved;
	__aligned_u64 max_blocks;
};

/**
 * struct exo_disk_grant_list - EXO_CMD_DISK_GRANT_LIST
 * @size: sizeof(struct exo_disk_grant_list)
 * @flags: must be zero
 * @disk: the disk
 * @reserved: must be zero
 * @array: user pointer to @nr entries of struct exo_disk_grant_info
 * @nr: room in the array
 * @out_nr: grants. Errors: EMSGSIZE
 *
 * All with CAP_SYS_ADMIN, else that of the user of the caller's env alone.
 */
struct exo_disk_grant_list {
	__u32 size;
	__u32 flags;
	__u32 disk;
	__u32 reserved;
	__aligned_u64 array;
	__u32 nr;
	__u32 out_nr;
};

/**
 * struct exo_extent_create - EXO_CMD_EXTENT_CREATE: take blocks of a disk
 * @size: sizeof(struct exo_extent_create)
 * @flags: must be zero
 * @disk: the disk
 * @mode: 0600-style permission bits for owner, group and others (r and w)
 * @start: first block; the caller chooses (see EXO_CMD_EXTENT_LIST)
 * @nr_blocks: length
 * @name: unique on the disk for this owner, [A-Za-z0-9._-], NUL-padded
 * @out_handle: the extent, with read and write rights
 * @out_reserved: zero
 *
 * The blocks read as zeroes afterwards. The owner is the env's opener. The
 * entry is on stable storage when the command returns.
 *
 * Errors: EPERM no grant for this user; EDQUOT above the grant; EEXIST
 * overlaps an extent, or the name is taken; EINVAL outside the disk; ENOSPC
 * catalogue full; EINTR killed while zeroing; EIO.
 */
struct exo_extent_create {
	__u32 size;
	__u32 flags;
	__u32 disk;
	__u32 mode;
	__aligned_u64 start;
	__aligned_u64 nr_blocks;
	__u8 name[EXO_NAME_BYTES];
	__u32 out_handle;
	__u32 out_reserved;
};

/**
 * struct exo_extent_open - EXO_CMD_EXTENT_OPEN: open by owner and name
 * @size: sizeof(struct exo_extent_open)
 * @flags: must be zero
 * @disk: the disk
 * @uid: the extent's owner
 * @rights: EXO_RIGHT_* wanted; owner, group and mode of the extent decide
 * @out_handle: the extent
 * @name: its name
 * @out_start: first block on the disk
 * @out_nr_blocks: length
 *
 * Errors: ENOENT no such extent, or not one the caller may know of; EACCES;
 * EBUSY being created or deleted at this moment.
 */
struct exo_extent_open {
	__u32 size;
	__u32 flags;
	__u32 disk;
	__u32 uid;
	__u32 rights;
	__u32 out_handle;
	__u8 name[EXO_NAME_BYTES];
	__aligned_u64 out_start;
	__aligned_u64 out_nr_blocks;
};

/**
 * struct exo_extent_delete - EXO_CMD_EXTENT_DELETE: give the blocks back
 * @size: sizeof(struct exo_extent_delete)
 * @flags: must be zero
 * @handle: an extent opened by its owner (or root); the handle is dropped
 * @reserved: must be zero
 *
 * Errors: EACCES not the owner; EBUSY open elsewhere, or I/O in flight; EIO
 * the catalogue could not be written: the extent stays, at least until the disk
 * is attached anew.
 */
struct exo_extent_delete {
	__u32 size;
	__u32 flags;
	__u32 handle;
	__u32 reserved;
};

/* exo_extent_info.state */
#define EXO_EXTENT_CLEAN	1
#define EXO_EXTENT_TO_BE_ZEROED	2

/**
 * struct exo_extent_info - one extent of a disk
 * @start: first block
 * @nr_blocks: length
 * @name: empty unless the caller may read or write the extent
 * @uid: owner, (__u32)-1 unless the caller may read or write the extent
 * @gid: group, likewise
 * @mode: permission bits, likewise 0
 * @state: EXO_EXTENT_*
 */
struct exo_extent_info {
	__aligned_u64 start;
	__aligned_u64 nr_blocks;
	__u8 name[EXO_NAME_BYTES];
	__u32 uid;
	__u32 gid;
	__u32 mode;
	__u32 state;
};

/**
 * struct exo_extent_list - EXO_CMD_EXTENT_LIST: all extents, by first block
 * @size: sizeof(struct exo_extent_list)
 * @flags: must be zero
 * @disk: the disk
 * @reserved: must be zero
 * @array: user pointer to @nr entries of struct exo_extent_info
 * @nr: room in the array
 * @out_nr: extents on the disk. Errors: EMSGSIZE
 *
 * Who holds which blocks is exposed so that a library can choose where to
 * allocate; names and owners of others are not.
 */
struct exo_extent_list {
	__u32 size;
	__u32 flags;
	__u32 disk;
	__u32 reserved;
	__aligned_u64 array;
	__u32 nr;
	__u32 out_nr;
};

/* ----------------------------------------------------------- block I/O */

/**
 * struct exo_cqe - one completion
 * @user_data: from the operation
 * @res: bytes moved, or a negative errno
 * @flags: zero
 */
struct exo_cqe {
	__aligned_u64 user_data;
	__s32 res;
	__u32 flags;
};

/**
 * struct exo_cq_ring - first page of a cq's mapping
 * @prod: written by the module: completions produced, free running
 * @cons: written by the library: completions consumed, free running
 *
 * Entry i stands at index i & (nr_entries - 1) of the array that begins at
 * EXO_CQ_ENTRIES_OFFSET. The library loads @prod with acquire order, reads
 * entries, stores @cons with release order. A @cons beyond @prod or going
 * backwards is ignored, that is: the ring stays full.
 */
struct exo_cq_ring {
	__u32 prod;
	__u8 pad0[60];
	__u32 cons;
	__u8 pad1[60];
};

#define EXO_CQ_ENTRIES_OFFSET	4096

/**
 * struct exo_cq_create - EXO_CMD_CQ_CREATE: a completion ring
 * @size: sizeof(struct exo_cq_create)
 * @flags: must be zero
 * @nr_entries: power of two, up to exo_query.out_max_cq_entries
 * @out_handle: the ring
 * @out_mmap_offset: offset for mmap(2)
 * @out_mmap_bytes: length for mmap(2)
 */
struct exo_cq_create {
	__u32 size;
	__u32 flags;
	__u32 nr_entries;
	__u32 out_handle;
	__aligned_u64 out_mmap_offset;
	__aligned_u64 out_mmap_bytes;
};

enum {
	EXO_IO_READ = 1,	/* blocks to frame */
	EXO_IO_WRITE,		/* frame to blocks */
	EXO_IO_FLUSH,		/* device's volatile cache to stable storage */
	EXO_IO_DISCARD,		/* content becomes undefined, but never another owner's */
	EXO_IO_WRITE_ZEROES,	/* blocks read as zeroes */
};

#define EXO_IO_F_FUA		(1U << 0)	/* write: done means stable */

/**
 * struct exo_io - one block operation; also the struct of EXO_CMD_IO
 * @size: sizeof(struct exo_io)
 * @flags: EXO_IO_F_*
 * @op: EXO_IO_*
 * @extent: extent handle
 * @block: first block, counted from the start of the extent
 * @nr_blocks: blocks; 0 for EXO_IO_FLUSH
 * @frame: frame handle; 0 for operations without data
 * @frame_page: first page of the frame (a block is a page)
 * @reserved: must be zero
 * @user_data: comes back in the completion
 */
struct exo_io {
	__u32 size;
	__u32 flags;
	__u32 op;
	__u32 extent;
	__aligned_u64 block;
	__u32 nr_blocks;
	__u32 frame;
	__u32 frame_page;
	__u32 reserved;
	__aligned_u64 user_data;
};

/**
 * struct exo_io_submit - EXO_CMD_IO_SUBMIT: a batch of operations
 * @size: sizeof(struct exo_io_submit)
 * @flags: must be zero
 * @cq: where the completions go
 * @nr: entries in @array, 1 to exo_query.out_max_io
 * @array: user pointer to struct exo_io, each with its size set
 * @out_nr: operations accepted; those after it were not looked at
 * @out_reserved: zero
 *
 * Returns 0 when at least one operation was accepted, else the error of the
 * first. An accepted operation yields exactly one completion; room for it is
 * reserved at submission (EAGAIN when the ring is full), so that none is lost.
 *
 * Errors: EINVAL, EOVERFLOW, ENOENT, EBADF, EACCES, EAGAIN; ESTALE the extent
 * was deleted; EOPNOTSUPP EXO_IO_DISCARD on a device that cannot; EINTR killed.
 *
 * EXO_CMD_IO does one operation and returns its result: an ioctl sleeps until
 * it is done, an io_uring command completes then.
 */
struct exo_io_submit {
	__u32 size;
	__u32 flags;
	__u32 cq;
	__u32 nr;
	__aligned_u64 array;
	__u32 out_nr;
	__u32 out_reserved;
};

/* ------------------------------------------------------ packets: devices */

#define EXO_LANE_DIRECT		2

/**
 * struct exo_net_attach - EXO_CMD_NET_ATTACH: let flows be bound on a device
 * @size: sizeof(struct exo_net_attach)
 * @flags: must be zero
 * @ifindex: an Ethernet device of the env's network namespace
 * @lane: EXO_LANE_DIRECT
 *
 * Needs CAP_NET_ADMIN in the initial user namespace. Packets that no flow
 * claims go on to Linux untouched. A device that goes, moves to another
 * namespace, joins or leaves a VRF is detached, and flows on it are dead.
 *
 * Errors: ENODEV; EBUSY the device is attached, or has another receive handler
 * (bridge, bond, macvlan port); EINVAL not Ethernet.
 */
struct exo_net_attach {
	__u32 size;
	__u32 flags;
	__u32 ifindex;
	__u32 lane;
};

/**
 * struct exo_net_detach - EXO_CMD_NET_DETACH
 * @size: sizeof(struct exo_net_detach)
 * @flags: must be zero
 * @ifindex: the device
 * @reserved: must be zero
 *
 * Needs CAP_NET_ADMIN. Errors: EBUSY a flow is bound on it.
 */
struct exo_net_detach {
	__u32 size;
	__u32 flags;
	__u32 ifindex;
	__u32 reserved;
};

/**
 * struct exo_net_info - one attached device
 * @ifindex: interface index
 * @lane: EXO_LANE_*
 * @nr_flows: flows bound
 * @reserved: zero
 * @rx_claimed: packets given to flows
 * @rx_passed: packets passed on to Linux
 * @rx_dropped: packets of flows dropped, the ring being full
 * @tx_packets: packets sent, a GSO packet counted once
 * @tx_refused: descriptors refused by the checks
 * @name: interface name
 */
struct exo_net_info {
	__u32 ifindex;
	__u32 lane;
	__u32 nr_flows;
	__u32 reserved;
	__aligned_u64 rx_claimed;
	__aligned_u64 rx_passed;
	__aligned_u64 rx_dropped;
	__aligned_u64 tx_packets;
	__aligned_u64 tx_refused;
	__u8 name[16];
};

/**
 * struct exo_net_list - EXO_CMD_NET_LIST: attached devices of the env's namespace
 * @size: sizeof(struct exo_net_list)
 * @flags: must be zero
 * @array: user pointer to @nr entries of struct exo_net_info
 * @nr: room in the array
 * @out_nr: devices attached. Errors: EMSGSIZE
 */
struct exo_net_list {
	__u32 size;
	__u32 flags;
	__aligned_u64 array;
	__u32 nr;
	__u32 out_nr;
};

/**
 * struct exo_net_grant - EXO_CMD_NET_GRANT: let a user bind flows on a device
 * @size: sizeof(struct exo_net_grant)
 * @flags: EXO_GRANT_REVOKE withdraws; flows that are bound stay
 * @ifindex: the device
 * @uid: the user, in the initial user namespace
 * @first_port: first local port, host byte order
 * @last_port: last local port, inclusive
 *
 * Needs CAP_NET_ADMIN.
 */
struct exo_net_grant {
	__u32 size;
	__u32 flags;
	__u32 ifindex;
	__u32 uid;
	__u16 first_port;
	__u16 last_port;
	__u32 reserved;
};

/**
 * struct exo_net_grant_info - one grant on a device
 * @uid: the user, in the initial user namespace
 * @first_port: first local port, host byte order
 * @last_port: last local port, inclusive
 */
struct exo_net_grant_info {
	__u32 uid;
	__u16 first_port;
	__u16 last_port;
};

/**
 * struct exo_net_grant_list - EXO_CMD_NET_GRANT_LIST
 * @size: sizeof(struct exo_net_grant_list)
 * @flags: must be zero
 * @ifindex: an attached device of the env's network namespace
 * @reserved: must be zero
 * @array: user pointer to @nr entries of struct exo_net_grant_info
 * @nr: room in the array
 * @out_nr: grants. Errors: EMSGSIZE
 *
 * All with CAP_NET_ADMIN in the initial user namespace, else those of the user
 * of the caller's env.
 */
struct exo_net_grant_list {
	__u32 size;
	__u32 flags;
	__u32 ifindex;
	__u32 reserved;
	__aligned_u64 array;
	__u32 nr;
	__u32 out_nr;
};

/* -------------------------------------------------------- packets: flows */

/**
 * struct exo_flow_ring - first page of a flow's mapping
 * @rx_prod: module: bytes produced in the receive ring, free running
 * @flags: module: EXO_FLOW_DEAD once the flow is gone
 * @rx_cons: library: bytes consumed, free running, a record boundary
 * @tx_prod: library: descriptors produced, free running
 * @tx_cons: module: descriptors looked at; their slots' headers may be reused
 * @tx_done: module: descriptors whose payload is no longer referred to, all
 *           before it being done too (cumulative)
 * @rx_packets: module: packets delivered
 * @rx_dropped: module: packets dropped because the ring was full
 * @tx_packets: module: packets handed to the device
 * @tx_refused: module: descriptors refused
 * @tx_dropped: module: packets that the queueing discipline or driver dropped
 *
 * Barriers: the library loads *_prod, tx_cons and tx_done of the module with
 * acquire order and stores its own indices with release order. An rx_cons that
 * is impossible is ignored: the ring then looks full and packets drop.
 */
struct exo_flow_ring {
	__u32 rx_prod;
	__u32 flags;
	__u8 pad0[56];
	__u32 rx_cons;
	__u8 pad1[60];
	__u32 tx_prod;
	__u8 pad2[60];
	__u32 tx_cons;
	__u32 tx_done;
	__u8 pad3[56];
	__aligned_u64 rx_packets;
	__aligned_u64 rx_dropped;
	__aligned_u64 tx_packets;
	__aligned_u64 tx_refused;
	__aligned_u64 tx_dropped;
	__u8 pad4[24];
};

#define EXO_FLOW_DEAD		(1U << 0)

/**
 * struct exo_rx_record - head of a packet in the receive ring
 * @len: bytes of the packet from its Ethernet header on; 0 with EXO_RX_F_WRAP
 * @flags: EXO_RX_F_*
 * @gso_size: payload bytes a segment if the device or GRO merged several, or 0
 * @reserved: zero
 *
 * The ring is a ring of bytes. A record begins at a multiple of
 * EXO_RX_ALIGN_BYTES, the packet EXO_RX_DATA_OFFSET bytes after it (so that the
 * IP header is aligned to 32), the next record at
 * ALIGN(EXO_RX_DATA_OFFSET + len, EXO_RX_ALIGN_BYTES) further on. A packet is
 * never split: before the end of the ring a record with EXO_RX_F_WRAP stands
 * for "go on at offset 0", skipping the rest of the ring.
 */
struct exo_rx_record {
	__u32 len;
	__u16 flags;
	__u16 gso_size;
	__aligned_u64 reserved;
};

#define EXO_RX_ALIGN_BYTES	64
#define EXO_RX_DATA_OFFSET	18
#define EXO_RX_F_WRAP		(1U << 0)
#define EXO_RX_F_CSUM_OK	(1U << 1)	/* TCP checksum verified or not needed */

#define EXO_TX_MAX_FRAGS	4
#define EXO_TX_HDR_BYTES	126

/**
 * struct exo_tx_frag - a piece of payload
 * @frame: frame handle of this env
 * @len: bytes
 * @offset: byte offset into the frame; pieces may cross pages
 */
struct exo_tx_frag {
	__u32 frame;
	__u32 len;
	__aligned_u64 offset;
};

/**
 * struct exo_tx_desc - one packet to send
 * @flags: EXO_TX_F_*
 * @hdr_len: bytes of Ethernet, IPv4 and TCP header in @hdr
 * @gso_size: payload bytes a segment, or 0 for a single packet
 * @nr_frags: pieces of payload, up to EXO_TX_MAX_FRAGS
 * @reserved0: must be zero
 * @out_status: module: 0 sent, else a negative errno
 * @out_reason: module: EXO_TX_BAD_*, which check refused it
 * @frag: the payload, in order
 * @reserved1: must be zero
 * @pad: aligns the IP header
 * @hdr: the headers, whole. The module fills in the IP and TCP checksums; for a
 *       GSO packet the lengths are those of the whole, at most 65,535
 *
 * The descriptor is copied, then the copy is checked: source MAC is the
 * device's, destination MAC unicast; IPv4 without options, total length equal
 * to what is sent, not a fragment; source address local to the namespace now;
 * protocol and source port the flow's; destination unicast; TCP data offset
 * inside @hdr_len, and with gso_size equal to it; gso_size at least 88, a segment
 * within the MTU, no SYN, RST or URG then; pieces inside their frames, none
 * empty. A packet that would need more than 17 runs of pages is refused.
 */
struct exo_tx_desc {
	__u32 flags;
	__u16 hdr_len;
	__u16 gso_size;
	__u16 nr_frags;
	__u16 reserved0;
	__s32 out_status;
	__u32 out_reason;
	__u32 reserved1[3];
	struct exo_tx_frag frag[EXO_TX_MAX_FRAGS];
	__u8 reserved2[32];
	__u8 pad[2];
	__u8 hdr[EXO_TX_HDR_BYTES];
};

/*
 * Copy the payload at the doorbell: the frame may change as soon as the
 * doorbell returns. At most one segment (no GSO). Cheaper for small packets.
 */
#define EXO_TX_F_COPY		(1U << 0)

enum {
	EXO_TX_BAD_NONE,
	EXO_TX_BAD_DESC,	/* flags, reserved, counts, lengths */
	EXO_TX_BAD_FRAG,	/* frame handle or range */
	EXO_TX_BAD_ETHER,	/* MAC addresses or ethertype */
	EXO_TX_BAD_IP,		/* version, options, length, fragment */
	EXO_TX_BAD_SADDR,	/* source address not local, or not the flow's */
	EXO_TX_BAD_DADDR,	/* destination not unicast */
	EXO_TX_BAD_PROTO,	/* protocol is not the flow's */
	EXO_TX_BAD_PORT,	/* source port is not the flow's */
	EXO_TX_BAD_TCP,		/* data offset */
	EXO_TX_BAD_GSO,		/* gso_size */
	EXO_TX_BAD_MTU,		/* larger than the device's MTU and not GSO */
	EXO_TX_NO_MEMORY,	/* not the library's fault: try again */
	EXO_TX_NO_DEVICE,	/* device down or gone */
};

/**
 * struct exo_flow_bind - EXO_CMD_FLOW_BIND: claim a TCP port on a device
 * @size: sizeof(struct exo_flow_bind)
 * @flags: must be zero
 * @sock_fd: the reservation: an IPv4 TCP socket of the env's namespace, bound
 *           and *listening*, with SO_REUSEADDR and SO_REUSEPORT off. The module
 *           keeps it; the flow ends when the socket stops listening or is bound
 *           to another device
 * @ifindex: an attached device
 * @rx_bytes: size of the receive ring, power of two, at least 256 KiB
 * @nr_tx: entries of the transmit ring, power of two
 * @out_handle: the flow
 * @out_local_addr: local address of the socket, network byte order, 0 for any
 * @out_local_port: local port, network byte order
 * @out_reserved0: zero
 * @out_mtu: of the device
 * @out_gso_max_bytes: largest GSO packet, headers included
 * @out_mac: of the device
 * @out_reserved1: zero
 * @out_mmap_offset: offset for mmap(2): struct exo_flow_ring, then the rings
 * @out_mmap_bytes: length for mmap(2)
 * @out_tx_offset: bytes from the start of the mapping to the descriptors
 * @out_rx_offset: bytes from the start of the mapping to the receive ring
 *
 * Claims packets of type HOST without VLAN tag for TCP to that port and (if
 * the socket is bound to one) address; all others go on to Linux.
 *
 * Errors: ENOENT not attached; EBADF no such socket; EINVAL not listening, reuse
 * on, or bound to another device; on a port of a VRF, not bound to it since
 * before bind(2), unless net.ipv4.tcp_l3mdev_accept is 1: Linux may give that
 * port of the VRF to another user; EXDEV another namespace; EPERM no grant for
 * device, user and port; EEXIST overlaps another flow; EBUSY connections wait to
 * be accepted; EADDRINUSE other sockets, connections or TIME_WAIT entries are on
 * the port; EDQUOT; ENOMEM.
 */
struct exo_flow_bind {
	__u32 size;
	__u32 flags;
	__s32 sock_fd;
	__u32 ifindex;
	__u32 rx_bytes;
	__u32 nr_tx;
	__u32 out_handle;
	__u32 out_local_addr;
	__u16 out_local_port;
	__u16 out_reserved0;
	__u32 out_mtu;
	__u32 out_gso_max_bytes;
	__u8 out_mac[6];
	__u8 out_reserved1[2];
	__u32 out_reserved2;
	__aligned_u64 out_mmap_offset;
	__aligned_u64 out_mmap_bytes;
	__aligned_u64 out_tx_offset;
	__aligned_u64 out_rx_offset;
};

#define EXO_FLOW_KICK_WAIT	(1U << 0)	/* sleep until something arrives */
#define EXO_FLOW_KICK_BUSY_POLL	(1U << 1)	/* poll the device once first */

/**
 * struct exo_flow_kick - EXO_CMD_FLOW_KICK: the doorbell
 * @size: sizeof(struct exo_flow_kick)
 * @flags: EXO_FLOW_KICK_*
 * @flow: the flow
 * @out_nr_sent: descriptors taken from the ring by this call, refused included
 * @timeout_ns: longest sleep with EXO_FLOW_KICK_WAIT; 0 for no limit
 *
 * Sends what stands between tx_cons and tx_prod, then, if asked, polls the
 * device, then, if asked and no receive or completion ring of the env holds
 * anything unconsumed, sleeps. Never sleeps when used through io_uring
 * (EXO_FLOW_KICK_WAIT is EOPNOTSUPP there; poll the fd).
 *
 * Errors: ESTALE the flow is dead; EINTR; ETIME nothing came in time.
 */
struct exo_flow_kick {
	__u32 size;
	__u32 flags;
	__u32 flow;
	__u32 out_nr_sent;
	__aligned_u64 timeout_ns;
};

#endif /* _UAPI_LINUX_EXO_H */
