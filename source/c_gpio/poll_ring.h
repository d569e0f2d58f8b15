/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* poll_ring.h - a read that waits, and that something else can end. For poll.c. */
#ifndef RPIO_POLL_RING_H
#define RPIO_POLL_RING_H

#include <stddef.h>

struct rpio_ring;

/* A ring of the calling thread, which alone may use it; any thread may close it while nobody does.
 * -EINVAL, -ENOSYS: this kernel has none that will do (Linux 6.1 has), -EPERM: it is forbidden; -ENOMEM. */
int rpio_ring_open(struct rpio_ring **ring);
void rpio_ring_close(struct rpio_ring *ring); /* NULL is fine */

/* In the child of a fork, where a read that is under way is the parent's: closing the ring need not mind it. */
void rpio_ring_forget_read(struct rpio_ring *ring); /* NULL is fine */

/* Waits at most `timeout_ms` (-1: for ever) until there is something to read from `fd`, which must be non-blocking,
 * or `other_fd` is readable. Returns how many bytes `bytes` has, valid until the next call; 0 where `fd` had none;
 * -EINTR; -ENODATA at the end of a pipe; what read(2) of `fd` says; -EEXIST: the ring is another thread's; any other
 * -errno: this kernel cannot do it. When it returns nothing reads `fd`. */
int rpio_ring_read(struct rpio_ring *ring, int fd, int other_fd, int timeout_ms, const void **bytes);

/* Whether `other_fd` was readable too when a read succeeded: look at it before the next one. Asking clears it. */
int rpio_ring_passed_over(struct rpio_ring *ring);

#endif
