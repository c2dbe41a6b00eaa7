/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Capability: what a handle stands for. A frame or extent can be narrowed
 * (derive), handed to another process as a descriptor (export, send, receive,
 * import) and taken back with everything made from it (revoke). The one that
 * gave it away need not trust the one that got it.
 *
 *	owner					other
 *	exo_cap_derive() less rights or pages
 *	exo_cap_export() a descriptor
 *	exo_cap_send()				exo_cap_recv()
 *						exo_cap_import() or
 *						exo_frame_import(), mapped
 *	exo_cap_notice() some time before	EXO_EVENT_CAP_ENDING
 *	exo_cap_revoke(), or the time is over	-ESTALE, SIGBUS
 */
#ifndef EXO_CAP_H
#define EXO_CAP_H

#include <exo/env.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * struct exo_cap - a capability that was derived or imported
 * @env: whose
 * @handle: its handle, as good as any other of that type
 * @type: EXO_TYPE_*
 * @rights: EXO_RIGHT_*
 * @reserved: zero
 * @nr: pages or blocks
 * @expires_ns: by exo_env_boot_ns(), as far as was known when it was made; 0 for
 *              never. exo_cap_notice() by somebody it was derived from ends it
 *              earlier, and exo_cap_info() says so.
 * @mmap_offset: for exo_frame_map(); 0 for a type without memory
 */
struct exo_cap {
	struct exo_env *env;
	__u32 handle;
	__u32 type;
	__u32 rights;
	__u32 reserved;
	__u64 nr;
	__u64 expires_ns;
	__u64 mmap_offset;
};

/**
 * struct exo_cap_narrow - what a derived capability shall be
 * @rights: EXO_RIGHT_*, not none
 * @reserved: must be zero
 * @start: first page or block, counted from the start of the old one's range
 * @nr: pages or blocks, at least 1
 * @expires_ns: by exo_env_boot_ns(), 0 for not before the old one
 */
struct exo_cap_narrow {
	__u32 rights;
	__u32 reserved;
	__u64 start;
	__u64 nr;
	__u64 expires_ns;
};

/**
 * exo_cap_derive() - a narrower capability
 * @env: the env
 * @handle: a frame or extent with EXO_RIGHT_SHARE
 * @narrow: how much narrower
 * @cap: filled in, for exo_handle_close(); unchanged on error
 *
 * Return: 0; -ENOENT; -EOPNOTSUPP not a frame or extent; -EACCES a right that
 * the old one lacks; -EINVAL no right, a range outside the old one, or an
 * expiry in the past; -EOVERFLOW; -ESTALE the old one has ended; -EMLINK too
 * deep; -EDQUOT too many; -ENOMEM. exo_refusal() says more.
 */
int exo_cap_derive(struct exo_env *env, __u32 handle,
		   const struct exo_cap_narrow *narrow, struct exo_cap *cap);

/**
 * exo_cap_export() - a capability as a descriptor
 * @env: the env
 * @handle: a frame or extent with EXO_RIGHT_SHARE
 *
 * Return: a descriptor for close(2), close-on-exec; -ENOENT; -EOPNOTSUPP not a
 * frame or extent; -EACCES; -ESTALE; -EMFILE; -ENFILE; -ENOMEM.
 */
int exo_cap_export(struct exo_env *env, __u32 handle);

/**
 * exo_cap_import() - a handle from an exported descriptor
 * @env: the env
 * @fd: from exo_cap_export(), here or in another process; stays open
 * @cap: filled in, for exo_handle_close(); unchanged on error
 *
 * Return: 0; -EBADF not an exported capability; -ESTALE it has ended; -EMLINK
 * too deep; -EDQUOT too many; -ENOMEM.
 */
int exo_cap_import(struct exo_env *env, int fd, struct exo_cap *cap);

/**
 * exo_cap_revoke() - end what was made from a capability
 * @env: the env
 * @handle: a capability of any type
 * @flags: EXO_REVOKE_SELF to end the capability itself too
 * @out_nr: capabilities ended, or NULL
 *
 * When it returns nothing of them is mapped anywhere, and no use can begin.
 *
 * Return: 0; -ENOENT; -ESTALE it was revoked itself; -EINTR killed.
 */
int exo_cap_revoke(struct exo_env *env, __u32 handle, __u32 flags,
		   __u64 *out_nr);

/**
 * exo_cap_notice() - announce that what was made from a capability will end
 * @env: the env
 * @handle: a capability of any type; it stays itself
 * @timeout_ms: until the end, 1 to 3,600,000 ms from now
 * @out_nr: capabilities given notice, or NULL
 *
 * Each env that holds a part, this one too, gets EXO_EVENT_CAP_ENDING with its
 * own handle and the deadline. Until then nothing changes for it; after that no
 * use can begin, and mappings go soon, without another call and also if this env
 * is gone. Nobody's answer is waited for. A notice is not taken back and not
 * changed; exo_cap_revoke() ends all earlier, and is how to be sure, when the
 * time is over, that nothing is mapped. What is made meanwhile ends with the
 * rest.
 *
 * Return: 0; -EINVAL @timeout_ms out of bounds; -EOPNOTSUPP a module without
 * EXO_FEATURE_NOTICE; -ENOENT; -ESTALE it has ended itself; -EBUSY notice was
 * given already, and is not over; -EINTR killed, it goes on all the same.
 */
int exo_cap_notice(struct exo_env *env, __u32 handle, __u32 timeout_ms,
		   __u64 *out_nr);

/**
 * exo_cap_info() - what a handle stands for
 * @env: the env
 * @handle: a capability of any type, an ended one too
 * @out_info: the answer; out_state is EXO_CAP_*. A notice that this env gave is
 *            in out_notice_ns, one from above in out_expires_ns if it is earlier
 *
 * Return: 0; -ENOENT.
 */
int exo_cap_info(struct exo_env *env, __u32 handle,
		 struct exo_cap_info *out_info);

/**
 * exo_refusal() - why a capability of this env was refused last
 * @env: the env
 * @out_refusal: the answer; out_reason is EXO_REFUSED_NOT if none was so far
 *
 * Return: 0 or an error of exo_command().
 */
int exo_refusal(struct exo_env *env, struct exo_refusal *out_refusal);

/* Room for any text of exo_refusal_text(), its NUL included. */
#define EXO_REFUSAL_BYTES	256

/**
 * exo_refusal_text() - a refusal in one English sentence
 * @refusal: from exo_refusal()
 * @buf: gets the text, cut to fit
 * @bytes: room in @buf, at least 1
 *
 * For example "FRAME_INFO, handle 7: its range ends after 4 pages, 9 would be
 * needed".
 *
 * Return: @buf.
 */
const char *exo_refusal_text(const struct exo_refusal *refusal, char *buf,
			     size_t bytes);

/**
 * exo_cap_rights_text() - rights as people read them: "rws", "r--"
 * @rights: EXO_RIGHT_*
 * @buf: room for 4 bytes
 *
 * Return: @buf.
 */
const char *exo_cap_rights_text(__u32 rights, char *buf);

/**
 * exo_cap_send() - pass a descriptor over a UNIX socket
 * @env: whose system calls are used
 * @sock: a connected UNIX socket, stream or sequenced packets
 * @fd: from exo_cap_export(); stays open here
 *
 * One byte goes with it. Return: 0; -errno of sendmsg(2), -EPIPE without a
 * signal.
 */
int exo_cap_send(const struct exo_env *env, int sock, int fd);

/**
 * exo_cap_recv() - take what exo_cap_send() passed
 * @env: whose system calls are used
 * @sock: the other end
 *
 * Who sends is not trusted: anything but one descriptor is refused, what came
 * is closed. Whether it is a capability is for exo_cap_import() to say.
 *
 * Return: a descriptor for close(2), close-on-exec; -EPIPE the other side
 * closed; -EBADMSG no descriptor came, or several; -errno of recvmsg(2).
 */
int exo_cap_recv(const struct exo_env *env, int sock);

#ifdef __cplusplus
}
#endif

#endif /* EXO_CAP_H */
