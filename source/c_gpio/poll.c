/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * poll.c - the wait of the loop: one epoll_wait, and one read for each line that has edges.
 *
 * One thread waits; any thread may add, change and remove. A line may be closed by another thread at any moment,
 * and its descriptor's number given to a socket a microsecond later: then a read of "the line" would swallow the
 * socket's data. So a read happens only under `mutex` and only while the registration is in `watches`, and
 * removing takes the same mutex. What is ready is named by its token, never by its descriptor.
 */
#include "gpio.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* What epoll hands back: the token, and whether it is a line's. */
#define EDGE_FLAG (UINT64_C(1) << 32)
#define WAKE_TOKEN UINT64_C(0)

_Static_assert(RPIO_POLL_READ == EPOLLIN && RPIO_POLL_WRITE == EPOLLOUT && RPIO_POLL_ERROR == EPOLLERR &&
                   RPIO_POLL_HANGUP == EPOLLHUP,
               "the masks are epoll's");

struct watch {
    int fd; /* -1: free */
    uint64_t data;
};

struct rpio_poll {
    int epoll_fd, wake_fd;
    pthread_mutex_t mutex; /* over watches, and over every read from them */
    struct watch *watches;
    size_t watch_count;
    struct rpio_event events[RPIO_READY_MAX * RPIO_EVENT_BATCH]; /* what one wait can bring */
};

static int control(struct rpio_poll *poll, int operation, int fd, uint64_t data, uint32_t mask)
{
    struct epoll_event event = {.events = mask, .data.u64 = data};
    return epoll_ctl(poll->epoll_fd, operation, fd, &event) < 0 ? -errno : 0;
}

int rpio_poll_new(struct rpio_poll **out)
{
    struct rpio_poll *poll = calloc(1, sizeof *poll);
    *out = poll;
    if (!poll)
        return -ENOMEM;
    (void)pthread_mutex_init(&poll->mutex, NULL);
    poll->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    poll->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int error = poll->epoll_fd < 0 || poll->wake_fd < 0 ? -errno : 0;
    if (error == 0)
        error = control(poll, EPOLL_CTL_ADD, poll->wake_fd, WAKE_TOKEN, EPOLLIN);
    if (error < 0) {
        rpio_poll_free(poll);
        *out = NULL;
    }
    return error;
}

void rpio_poll_close(struct rpio_poll *poll)
{
    if (poll->epoll_fd >= 0)
        (void)close(poll->epoll_fd);
    if (poll->wake_fd >= 0)
        (void)close(poll->wake_fd);
    poll->epoll_fd = poll->wake_fd = -1;
    poll->watch_count = 0;
}

void rpio_poll_free(struct rpio_poll *poll)
{
    if (!poll)
        return;
    rpio_poll_close(poll);
    (void)pthread_mutex_destroy(&poll->mutex);
    free(poll->watches);
    free(poll);
}

int rpio_poll_fd(const struct rpio_poll *poll)
{
    return poll->epoll_fd;
}

int rpio_poll_add(struct rpio_poll *poll, int fd, uint32_t token, uint32_t mask)
{
    return token == WAKE_TOKEN ? -EINVAL : control(poll, EPOLL_CTL_ADD, fd, token, mask);
}

int rpio_poll_modify(struct rpio_poll *poll, int fd, uint32_t token, uint32_t mask)
{
    return token == WAKE_TOKEN ? -EINVAL : control(poll, EPOLL_CTL_MOD, fd, token, mask);
}

static int add_watch(struct rpio_poll *poll, int fd, uint64_t data)
{
    size_t place = 0;
    while (place < poll->watch_count && poll->watches[place].fd >= 0)
        place++;
    if (place == poll->watch_count) {
        struct watch *grown = realloc(poll->watches, (poll->watch_count + 1) * sizeof *grown);
        if (!grown)
            return -ENOMEM;
        poll->watches = grown;
        poll->watch_count++;
    }
    poll->watches[place] = (struct watch){.fd = fd, .data = data};
    return 0;
}

static void drop_watches(struct rpio_poll *poll, int fd)
{
    for (size_t i = 0; i < poll->watch_count; i++)
        if (poll->watches[i].fd == fd)
            poll->watches[i] = (struct watch){.fd = -1};
}

static int find_watch(const struct rpio_poll *poll, uint64_t data)
{
    for (size_t i = 0; i < poll->watch_count; i++)
        if (poll->watches[i].data == data)
            return poll->watches[i].fd;
    return -1;
}

int rpio_poll_add_edges(struct rpio_poll *poll, int fd, uint32_t token)
{
    uint64_t data = token | EDGE_FLAG;
    (void)pthread_mutex_lock(&poll->mutex);
    int error = control(poll, EPOLL_CTL_ADD, fd, data, EPOLLIN);
    if (error == 0 && (error = add_watch(poll, fd, data)) < 0)
        (void)control(poll, EPOLL_CTL_DEL, fd, 0, 0);
    (void)pthread_mutex_unlock(&poll->mutex);
    return error;
}

int rpio_poll_remove(struct rpio_poll *poll, int fd)
{
    (void)pthread_mutex_lock(&poll->mutex);
    drop_watches(poll, fd);
    int error = control(poll, EPOLL_CTL_DEL, fd, 0, 0);
    (void)pthread_mutex_unlock(&poll->mutex);
    return error;
}

int rpio_poll_wake(struct rpio_poll *poll)
{
    uint64_t one = 1;
    ssize_t written = write(poll->wake_fd, &one, sizeof one);
    return written < 0 && errno != EAGAIN ? -errno : 0;
}

static int by_time(const void *a, const void *b)
{
    const struct rpio_event *x = a, *y = b;
    if (x->timestamp_ns != y->timestamp_ns)
        return x->timestamp_ns < y->timestamp_ns ? -1 : 1;
    if (x->line != y->line)
        return x->line < y->line ? -1 : 1;
    return x->seq < y->seq ? -1 : x->seq > y->seq;
}

static void drain_wakes(const struct rpio_poll *poll)
{
    uint64_t wakes;
    ssize_t ignored = read(poll->wake_fd, &wakes, sizeof wakes);
    (void)ignored; /* non-blocking, and drained is drained */
}

/* Reads the events of one line that is ready; whether its caller has to hear of it, because that failed. */
static int read_line(struct rpio_poll *poll, const struct epoll_event *ready, struct rpio_batch *batch, int *sources)
{
    int fd = find_watch(poll, ready->data.u64);
    if (fd < 0)
        return 0; /* removed since */
    int count = ready->events & EPOLLIN ? rpio_event_read(fd, poll->events + batch->event_count) : 0;
    for (int i = 0; i < count; i++)
        poll->events[batch->event_count++].token = (uint32_t)ready->data.u64;
    *sources += count > 0;
    return count < 0 || ready->events & (EPOLLERR | EPOLLHUP);
}

static void collect(struct rpio_poll *poll, const struct epoll_event *ready, int count, struct rpio_batch *batch)
{
    int sources = 0;
    (void)pthread_mutex_lock(&poll->mutex);
    for (int i = 0; i < count; i++) {
        uint64_t data = ready[i].data.u64;
        uint32_t mask = ready[i].events;
        if (data == WAKE_TOKEN) {
            drain_wakes(poll);
            continue;
        }
        if (data & EDGE_FLAG) {
            if (!read_line(poll, &ready[i], batch, &sources))
                continue;
            mask |= EPOLLERR;
        }
        batch->ready[batch->ready_count++] = (struct rpio_ready){.token = (uint32_t)data, .mask = mask};
    }
    (void)pthread_mutex_unlock(&poll->mutex);
    if (sources > 1)
        qsort(poll->events, batch->event_count, sizeof *poll->events, by_time);
}

int rpio_poll_wait(struct rpio_poll *poll, int timeout_ms, struct rpio_batch *batch)
{
    struct epoll_event ready[RPIO_READY_MAX];
    batch->ready_count = 0;
    batch->event_count = 0;
    batch->events = poll->events;
    int count = epoll_wait(poll->epoll_fd, ready, RPIO_READY_MAX, timeout_ms);
    if (count < 0)
        return -errno;
    collect(poll, ready, count, batch);
    return 0;
}
