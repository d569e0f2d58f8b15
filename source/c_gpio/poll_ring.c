/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * poll_ring.c - a read that waits, and that something else can end: one system call from an edge to its record.
 *
 * With epoll an edge costs two, the wait and the read; a blocking read would cost one, but nothing could end it.
 * io_uring waits for two things in one call: the read itself, and a poll of whatever else there is.
 *
 * The ring is of the kind that does its work only within its owner's own calls (Linux 6.1), so that nothing of it
 * interrupts a callback. Between two calls at most the poll is under way: a read that has not been answered is
 * withdrawn before the call returns, and so nothing is ever read behind the back of who removes a line.
 *
 * Source: io_uring_setup(2), io_uring_enter(2); include/uapi/linux/io_uring.h.
 */
#include "poll_ring.h"

#include "gpio.h"

#include <errno.h>
#include <linux/io_uring.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef IORING_SETUP_DEFER_TASKRUN /* else the headers are older than 6.1 */

#define ENTRIES 4u
#define SETUP_FLAGS (IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN)

/* What a completion belongs to. */
enum { READ = 1, OTHER, CANCEL };

struct rpio_ring {
    int fd;
    unsigned char *queues; /* both, in one mapping */
    size_t queues_bytes;
    struct io_uring_sqe *entries;
    struct io_uring_params layout;
    unsigned queued;                          /* entries that the kernel has not been told of */
    int reading, watching, cancelling;        /* what is under way */
    int length;                               /* of the last read, or -errno */
    int passed_over;
    unsigned char bytes[RPIO_EVENT_BATCH * RPIO_EVENT_BYTES];
};

static _Atomic unsigned *word(const struct rpio_ring *ring, unsigned offset)
{
    return (_Atomic unsigned *)(void *)(ring->queues + offset);
}

static int map_queues(struct rpio_ring *ring)
{
    const struct io_uring_params *at = &ring->layout;
    size_t submissions = at->sq_off.array + at->sq_entries * sizeof(unsigned);
    size_t completions = at->cq_off.cqes + at->cq_entries * sizeof(struct io_uring_cqe);
    ring->queues_bytes = submissions > completions ? submissions : completions;
    void *queues = mmap(NULL, ring->queues_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd, IORING_OFF_SQ_RING);
    if (queues == MAP_FAILED)
        return -errno;
    ring->queues = queues;
    void *entries = mmap(NULL, at->sq_entries * sizeof *ring->entries, PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd,
                         IORING_OFF_SQES);
    if (entries == MAP_FAILED)
        return -errno;
    ring->entries = entries;
    return 0;
}

int rpio_ring_open(struct rpio_ring **out)
{
    struct rpio_ring *ring = calloc(1, sizeof *ring);
    *out = NULL;
    if (!ring)
        return -ENOMEM;
    ring->layout.flags = SETUP_FLAGS;
    ring->fd = (int)syscall(__NR_io_uring_setup, ENTRIES, &ring->layout);
    int error = ring->fd < 0 ? -errno : map_queues(ring);
    if (error < 0) {
        rpio_ring_close(ring);
        return error;
    }
    *out = ring;
    return 0;
}

void rpio_ring_close(struct rpio_ring *ring)
{
    if (!ring)
        return;
    if (ring->entries)
        (void)munmap(ring->entries, ring->layout.sq_entries * sizeof *ring->entries);
    if (ring->queues)
        (void)munmap(ring->queues, ring->queues_bytes);
    if (ring->fd >= 0)
        (void)close(ring->fd);
    if (!ring->reading) /* which is so only after an error: the kernel may still write there */
        free(ring);
}

void rpio_ring_forget_read(struct rpio_ring *ring)
{
    if (ring)
        ring->reading = 0;
}

static void queue(struct rpio_ring *ring, struct io_uring_sqe entry)
{
    _Atomic unsigned *tail = word(ring, ring->layout.sq_off.tail);
    unsigned at = atomic_load_explicit(tail, memory_order_relaxed);
    unsigned place = at & (ring->layout.sq_entries - 1);
    ring->entries[place] = entry;
    atomic_store_explicit(word(ring, ring->layout.sq_off.array) + place, place, memory_order_relaxed);
    atomic_store_explicit(tail, at + 1, memory_order_release);
    ring->queued++;
}

static void queue_read(struct rpio_ring *ring, int fd)
{
    queue(ring, (struct io_uring_sqe){.opcode = IORING_OP_READ,
                                      .fd = fd,
                                      .addr = (uintptr_t)ring->bytes,
                                      .len = sizeof ring->bytes,
                                      .off = UINT64_MAX, /* where the file stands */
                                      .user_data = READ});
    ring->reading = 1;
}

static void queue_other(struct rpio_ring *ring, int fd)
{
    queue(ring, (struct io_uring_sqe){
                    .opcode = IORING_OP_POLL_ADD, .fd = fd, .poll32_events = RPIO_POLL_READ, .user_data = OTHER});
    ring->watching = 1;
}

static void queue_cancel(struct rpio_ring *ring)
{
    queue(ring, (struct io_uring_sqe){.opcode = IORING_OP_ASYNC_CANCEL, .fd = -1, .addr = READ, .user_data = CANCEL});
    ring->cancelling = 1;
}

/* Tells the kernel what is queued, and waits for one completion. 0, or -EINTR or -ETIME with all of it told. */
static int enter(struct rpio_ring *ring, int timeout_ms)
{
    struct __kernel_timespec timeout = {.tv_sec = timeout_ms / 1000, .tv_nsec = timeout_ms % 1000 * 1000000LL};
    struct io_uring_getevents_arg wait = {.ts = timeout_ms < 0 ? 0 : (uintptr_t)&timeout};
    long told = syscall(__NR_io_uring_enter, ring->fd, ring->queued, 1, IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG,
                        &wait, sizeof wait);
    if (told < 0 && (ring->queued || (errno != EINTR && errno != ETIME)))
        return -errno;
    if (told >= 0 && (unsigned)told != ring->queued)
        return -EIO; /* an entry it does not understand */
    ring->queued = 0;
    return told < 0 ? -errno : 0;
}

/* Notes what has been completed. */
static void collect(struct rpio_ring *ring)
{
    const struct io_uring_cqe *completions = (const void *)(ring->queues + ring->layout.cq_off.cqes);
    _Atomic unsigned *head = word(ring, ring->layout.cq_off.head);
    unsigned at = atomic_load_explicit(head, memory_order_relaxed);
    unsigned end = atomic_load_explicit(word(ring, ring->layout.cq_off.tail), memory_order_acquire);
    for (; at != end; at++) {
        const struct io_uring_cqe *done = &completions[at & (ring->layout.cq_entries - 1)];
        switch (done->user_data) {
        case READ:
            ring->reading = 0;
            ring->length = done->res;
            break;
        case OTHER:
            ring->watching = 0;
            break;
        default:
            ring->cancelling = 0;
        }
    }
    atomic_store_explicit(head, at, memory_order_release);
}

/* Ends a read that has not been answered; it may be answered after all, and then nothing of it is lost. */
static int withdraw(struct rpio_ring *ring)
{
    if (!ring->reading)
        return 0;
    queue_cancel(ring);
    while (ring->reading || ring->cancelling) {
        int error = enter(ring, -1);
        if (error < 0 && error != -EINTR)
            return error;
        collect(ring);
    }
    return 0;
}

int rpio_ring_read(struct rpio_ring *ring, int fd, int other_fd, int timeout_ms, const void **bytes)
{
    *bytes = ring->bytes;
    if (!ring->watching)
        queue_other(ring, other_fd);
    queue_read(ring, fd);
    ring->length = 0;
    int waited = enter(ring, timeout_ms);
    if (waited < 0 && waited != -EINTR && waited != -ETIME) {
        if (ring->queued) /* told nothing: it does not read */
            ring->reading = 0;
        return waited;
    }
    collect(ring);
    int answered = !ring->reading;
    int error = withdraw(ring);
    if (error < 0)
        return error;
    if (ring->length > 0) {
        ring->passed_over |= !ring->watching;
        return ring->length;
    }
    if (answered)
        return ring->length ? ring->length : -ENODATA;
    return waited == -EINTR ? -EINTR : 0;
}

int rpio_ring_passed_over(struct rpio_ring *ring)
{
    int passed_over = ring->passed_over;
    ring->passed_over = 0;
    return passed_over;
}

#else

int rpio_ring_open(struct rpio_ring **ring)
{
    *ring = NULL;
    return -ENOSYS;
}

void rpio_ring_close(struct rpio_ring *ring)
{
    (void)ring;
}

void rpio_ring_forget_read(struct rpio_ring *ring)
{
    (void)ring;
}

int rpio_ring_read(struct rpio_ring *ring, int fd, int other_fd, int timeout_ms, const void **bytes)
{
    (void)ring, (void)fd, (void)other_fd, (void)timeout_ms, (void)bytes;
    return -ENOSYS;
}

int rpio_ring_passed_over(struct rpio_ring *ring)
{
    (void)ring;
    return 0;
}

#endif
