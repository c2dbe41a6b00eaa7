/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Env: one open of /dev/exo, and every call into the kernel.
 *
 * Rules for all of libexo: functions return 0 or a positive count, or -errno,
 * and never touch errno, print or exit. There are no globals; a context (env,
 * frame, extent, cq, loop) belongs to one thread at a time, only the env may be
 * shared between threads. Contexts made from an env end before it.
 */
#ifndef EXO_ENV_H
#define EXO_ENV_H

#include <poll.h>
#include <stddef.h>
#include <sys/types.h>
#include <linux/exo.h>

#ifdef __cplusplus
extern "C" {
#endif

struct exo_env;
struct io_uring;
struct msghdr;

/**
 * struct exo_sys - the system calls libexo makes
 * @open: open(2)
 * @close: close(2)
 * @ioctl: ioctl(2) with a pointer
 * @mmap: mmap(2), MAP_SHARED at an address of the kernel's choice
 * @munmap: munmap(2)
 * @poll: ppoll(2) without a signal mask; @timeout_ns below 0 for no limit
 * @now_ns: CLOCK_MONOTONIC
 * @uring_init: io_uring_queue_init(3)
 * @uring_exit: io_uring_queue_exit(3)
 * @read: read(2)
 * @sendmsg: sendmsg(2)
 * @recvmsg: recvmsg(2)
 * @write: write(2)
 * @eventfd: eventfd(2)
 * @boot_ns: CLOCK_BOOTTIME
 *
 * All return 0 or positive, or -errno. A test embeds this struct in its own and
 * replaces what it wants to see fail; @sys leads back to it. Members are only
 * ever added at the end, and only functions that came with them use them: a
 * program built with a shorter table goes on working.
 */
struct exo_sys {
	int (*open)(const struct exo_sys *sys, const char *path, int flags);
	int (*close)(const struct exo_sys *sys, int fd);
	int (*ioctl)(const struct exo_sys *sys, int fd, unsigned long cmd,
		     void *arg);
	int (*mmap)(const struct exo_sys *sys, size_t bytes, int prot, int fd,
		    __u64 offset, void **addr);
	int (*munmap)(const struct exo_sys *sys, void *addr, size_t bytes);
	int (*poll)(const struct exo_sys *sys, struct pollfd *fds, nfds_t nr,
		    __s64 timeout_ns);
	__u64 (*now_ns)(const struct exo_sys *sys);
	int (*uring_init)(const struct exo_sys *sys, unsigned int entries,
			  struct io_uring *ring, unsigned int flags);
	void (*uring_exit)(const struct exo_sys *sys, struct io_uring *ring);
	ssize_t (*read)(const struct exo_sys *sys, int fd, void *buf,
			size_t bytes);
	ssize_t (*sendmsg)(const struct exo_sys *sys, int fd,
			   const struct msghdr *msg, int flags);
	ssize_t (*recvmsg)(const struct exo_sys *sys, int fd,
			   struct msghdr *msg, int flags);
	ssize_t (*write)(const struct exo_sys *sys, int fd, const void *buf,
			 size_t bytes);
	int (*eventfd)(const struct exo_sys *sys, unsigned int value,
		       int flags);
	__u64 (*boot_ns)(const struct exo_sys *sys);
};

/**
 * exo_sys_default() - the table of real system calls
 *
 * Return: a constant table, to copy members from.
 */
const struct exo_sys *exo_sys_default(void);

/**
 * exo_env_open() - open /dev/exo
 * @sys: system calls, must outlive the env; NULL for the real ones
 * @path: NULL for EXO_DEVICE_PATH
 * @out_env: the env, for exo_env_close()
 *
 * Handles, grants and the network namespace are those of the process that
 * opens; a fork shares them.
 *
 * Return: 0; -ENOENT the module is not loaded; -EACCES no permission on the
 * node; -ENOTTY the node is not exo's; -ENOMEM.
 */
int exo_env_open(const struct exo_sys *sys, const char *path,
		 struct exo_env **out_env);

/**
 * exo_env_close() - give back everything the env holds
 * @env: the env, or NULL
 *
 * Its frames, cqs, extents and flows are invalid afterwards; memory that they
 * mapped is unmapped by exo_frame_free() and the like, before this.
 */
void exo_env_close(struct exo_env *env);

/**
 * exo_env_fd() - the open file, for poll(2)
 * @env: the env
 *
 * POLLIN: a receive or completion ring of the env holds something unconsumed.
 * POLLPRI: there are events, see <exo/event.h>.
 *
 * Return: the descriptor; it stays the env's.
 */
int exo_env_fd(const struct exo_env *env);

/**
 * exo_env_sys() - the system calls of this env
 * @env: the env
 */
const struct exo_sys *exo_env_sys(const struct exo_env *env);

/**
 * exo_env_query() - what the module can do, as asked at exo_env_open()
 * @env: the env
 *
 * Return: the answer, valid as long as the env.
 */
const struct exo_query *exo_env_query(const struct exo_env *env);

/**
 * exo_env_boot_ns() - CLOCK_BOOTTIME, the clock of expiries and deadlines
 * @env: the env
 */
__u64 exo_env_boot_ns(const struct exo_env *env);

/**
 * exo_command() - any EXO_CMD_*
 * @env: the env
 * @cmd: EXO_CMD_*
 * @arg: the command's struct, its size member set
 *
 * Return: what the command returns, 0 or positive; -errno as its comment in
 * <linux/exo.h> says. -EINTR is passed on.
 */
int exo_command(struct exo_env *env, unsigned int cmd, void *arg);

/**
 * exo_query() - EXO_CMD_QUERY
 * @env: the env
 * @out_query: the answer
 */
int exo_query(struct exo_env *env, struct exo_query *out_query);

/**
 * exo_stats() - EXO_CMD_STATS: counters of the whole module
 * @env: the env
 * @out_stats: the answer
 */
int exo_stats(struct exo_env *env, struct exo_stats *out_stats);

/**
 * exo_handle_close() - drop a handle of any type
 * @env: the env
 * @handle: the handle
 *
 * Return: 0; -ENOENT no such handle.
 */
int exo_handle_close(struct exo_env *env, __u32 handle);

/**
 * exo_env_mmap() - map an object of the env, for reading and writing
 * @env: the env
 * @offset: the command's out_mmap_offset
 * @bytes: length, multiple of a page
 * @out_addr: where it is
 *
 * Return: 0; -errno of mmap(2).
 */
int exo_env_mmap(struct exo_env *env, __u64 offset, size_t bytes,
		 void **out_addr);

/**
 * exo_env_munmap() - undo exo_env_mmap()
 * @env: the env
 * @addr: what exo_env_mmap() gave
 * @bytes: the same length
 */
int exo_env_munmap(struct exo_env *env, void *addr, size_t bytes);

#ifdef __cplusplus
}
#endif

#endif /* EXO_ENV_H */
