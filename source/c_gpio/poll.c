/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * poll.c - the wait of the loop: one epoll_wait, and one read for each line that has edges. Where there is a single
 * line the two are one system call (poll_ring.c), on kernels that have that; then only the rest is asked of epoll, which is
 * why the rest has an epoll of its own, inside of the one with the lines.
 *
 * One thread waits; any thread may add, change and remove. A line may be closed by another thread at any moment,
 * and its descriptor's number given to a socket a microsecond later: then a read of "the line" would swallow the
 * socket's data. So a read happens only under `mutex` and only while the registration is in `watches`, and
 * removing takes the same mutex; or it is under way as `direct_fd`, and removing ends it and waits for its end.
 * What is ready is named by its token, never by its descriptor.
 *
 * A program that waits for one edge after the other ends a watch and begins the next all the time, on a descriptor that
 * stays. So such a line is *parked*: epoll keeps it, and a wait that reads it goes on; what comes is dropped. No edges
 * are asked for meanwhile, so all that can come are a few that were under way.
 */
#include "fork.h"
#include "gpio.h"
#include "poll_ring.h"
#include "tally.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* What epoll hands back: a token, or ours, which no user's is. One epoll has either of ours. */
#define WAKE_TOKEN UINT64_C(0)
#define REST_TOKEN UINT64_C(0)

#define WAITS_BEFORE_RING 2u
#define NAP_MS 1 /* how late a count may be where there are a thousand a second */
#define COUNTING_WAITS 64u /* that bring nothing but what is counted, and then the caller may look around */

_Static_assert(RPIO_POLL_READ == EPOLLIN && RPIO_POLL_WRITE == EPOLLOUT && RPIO_POLL_ERROR == EPOLLERR &&
                   RPIO_POLL_HANGUP == EPOLLHUP,
               "the masks are epoll's");

struct watch {
    int fd;        /* -1: free */
    uint64_t data; /* that names it to epoll: the first token */
    uint64_t token;
    uint32_t request; /* of numbers.c, which tells a descriptor from a later one with its number; 0: none */
    int is_parked;
    uint32_t seq;         /* of the last event that was read */
    uint64_t lost;        /* missing among those that are not told of, since rpio_poll_count() was asked last */
    int is_quiet;         /* its events are counted, and not told of */
    struct rpio_tap *taps; /* where they are counted */
    size_t tap_count;
};

struct rpio_poll {
    int epoll_fd; /* the lines, and rest_fd */
    int rest_fd;  /* an epoll: wake_fd, and all that is not a line */
    int wake_fd;
    pthread_mutex_t mutex; /* over watches and direct_fd, and over every read from watches */
    struct watch *watches;
    size_t watch_count;
    int direct_fd; /* that the waiting thread reads in its wait; -1 */
    pthread_cond_t direct_ended;
    atomic_int is_waiting; /* a thread is, and reads what waits in any line, a parked one too */
    struct rpio_ring *ring; /* of the thread `waiter`, which alone changes it, under mutex */
    int no_ring;            /* this kernel has none that will do */
    pid_t waiter;           /* that has waited last, `waits` times in a row */
    unsigned waits;
    struct rpio_numbers *numbers; /* of the lines' events; NULL: as they come */
    struct rpio_held held;
    int has_counted; /* the wait that is under way has read what is not told of */
    int64_t counted_ns; /* when that was so last */
    struct rpio_event events[RPIO_READY_MAX * RPIO_EVENT_BATCH]; /* what one wait can bring */
};

static int control(int epoll_fd, int operation, int fd, uint64_t data, uint32_t mask)
{
    struct epoll_event event = {.events = mask, .data.u64 = data};
    return epoll_ctl(epoll_fd, operation, fd, &event) < 0 ? -errno : 0;
}

/* pthread_self() is no name of a thread: glibc gives the next one that of the last, and a ring is of one thread of the
 * kernel's. Asked for once, since it is a system call, and the wait is to be one. */
static pid_t this_thread(void)
{
    static _Thread_local pid_t number;
    if (number == 0)
        number = (pid_t)syscall(SYS_gettid);
    return number;
}

static void before_fork(void *object)
{
    (void)pthread_mutex_lock(&((struct rpio_poll *)object)->mutex);
}

/* Nothing of it is counted any more. Under `mutex`, as whatever changes a watch. */
static void end_taps(struct watch *watch)
{
    rpio_taps_drop(watch->taps, watch->tap_count);
    watch->taps = NULL;
    watch->tap_count = 0;
    watch->is_quiet = 0;
}

static void end_watch(struct watch *watch)
{
    end_taps(watch);
    *watch = (struct watch){.fd = -1};
}

/* Under `mutex`. */
static void close_all(struct rpio_poll *poll)
{
    int *own[] = {&poll->epoll_fd, &poll->rest_fd, &poll->wake_fd};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
        if (*own[i] >= 0)
            (void)close(*own[i]);
        *own[i] = -1;
    }
    rpio_ring_close(poll->ring);
    poll->ring = NULL;
    for (size_t i = 0; i < poll->watch_count; i++)
        end_taps(&poll->watches[i]);
    poll->watch_count = 0;
}

/* In the child nobody waits, and what it changed in an epoll, it would change for the parent: it is closed there, even
 * where the object is known to nobody but a thread of the parent's. */
static void after_fork(void *object, int is_child)
{
    struct rpio_poll *poll = object;
    if (is_child) {
        (void)pthread_cond_init(&poll->direct_ended, NULL);
        poll->direct_fd = -1;
        rpio_ring_forget_read(poll->ring);
        close_all(poll);
    }
    (void)pthread_mutex_unlock(&poll->mutex);
}

int rpio_poll_new(struct rpio_poll **out)
{
    struct rpio_poll *poll = calloc(1, sizeof *poll);
    *out = poll;
    if (!poll)
        return -ENOMEM;
    (void)pthread_mutex_init(&poll->mutex, NULL);
    (void)pthread_cond_init(&poll->direct_ended, NULL);
    poll->direct_fd = -1;
    poll->held = (struct rpio_held){.before = before_fork, .after = after_fork, .object = poll};
    poll->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    poll->rest_fd = epoll_create1(EPOLL_CLOEXEC);
    poll->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int error = poll->epoll_fd < 0 || poll->rest_fd < 0 || poll->wake_fd < 0 ? -errno : 0;
    if (error == 0)
        error = control(poll->rest_fd, EPOLL_CTL_ADD, poll->wake_fd, WAKE_TOKEN, EPOLLIN);
    if (error == 0)
        error = control(poll->epoll_fd, EPOLL_CTL_ADD, poll->rest_fd, REST_TOKEN, EPOLLIN);
    if (error == 0)
        error = rpio_hold_over_forks(&poll->held);
    if (error < 0) {
        rpio_poll_free(poll);
        *out = NULL;
    }
    return error;
}

void rpio_poll_number(struct rpio_poll *poll, struct rpio_numbers *numbers)
{
    poll->numbers = numbers;
}

static void drop_ring(struct rpio_poll *poll)
{
    (void)pthread_mutex_lock(&poll->mutex);
    rpio_ring_close(poll->ring);
    poll->ring = NULL;
    (void)pthread_mutex_unlock(&poll->mutex);
}

void rpio_poll_close(struct rpio_poll *poll)
{
    (void)pthread_mutex_lock(&poll->mutex);
    close_all(poll);
    (void)pthread_mutex_unlock(&poll->mutex);
}

void rpio_poll_free(struct rpio_poll *poll)
{
    if (!poll)
        return;
    rpio_poll_close(poll);
    rpio_hold_no_more(&poll->held);
    (void)pthread_cond_destroy(&poll->direct_ended);
    (void)pthread_mutex_destroy(&poll->mutex);
    free(poll->watches);
    free(poll);
}

int rpio_poll_fd(const struct rpio_poll *poll)
{
    return poll->epoll_fd;
}

int rpio_poll_is_direct(const struct rpio_poll *poll)
{
    return poll->ring != NULL;
}

static int is_valid(uint64_t token)
{
    return token > 0 && token <= RPIO_TOKEN_MAX;
}

int rpio_poll_add(struct rpio_poll *poll, int fd, uint64_t token, uint32_t mask)
{
    return is_valid(token) ? control(poll->rest_fd, EPOLL_CTL_ADD, fd, token, mask) : -EINVAL;
}

int rpio_poll_modify(struct rpio_poll *poll, int fd, uint64_t token, uint32_t mask)
{
    return is_valid(token) ? control(poll->rest_fd, EPOLL_CTL_MOD, fd, token, mask) : -EINVAL;
}

static uint32_t request_of(const struct rpio_poll *poll, int fd)
{
    return poll->numbers ? rpio_numbers_request(poll->numbers, fd) : 0;
}

static int add_watch(struct rpio_poll *poll, int fd, uint64_t token)
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
    poll->watches[place] = (struct watch){.fd = fd, .data = token, .token = token, .request = request_of(poll, fd)};
    return 0;
}

static struct watch *watch_of(const struct rpio_poll *poll, int fd)
{
    for (size_t i = 0; i < poll->watch_count; i++)
        if (fd >= 0 && poll->watches[i].fd == fd)
            return &poll->watches[i];
    return NULL;
}

/* The watch of a descriptor that is known already: one that is parked, or of a request whose parking was interrupted. One
 * of an earlier descriptor with its number, closed without a word to us, is forgotten. */
static struct watch *known_watch(struct rpio_poll *poll, int fd)
{
    struct watch *watch = watch_of(poll, fd);
    uint32_t request = request_of(poll, fd);
    if (watch && watch->request != request) {
        end_watch(watch);
        return NULL;
    }
    return watch && (watch->is_parked || request) ? watch : NULL;
}

static struct watch *find_watch(const struct rpio_poll *poll, uint64_t data)
{
    for (size_t i = 0; i < poll->watch_count; i++)
        if (poll->watches[i].data == data)
            return &poll->watches[i];
    return NULL;
}

/* `taps` become the watch's; those that are new count what comes from here on. */
static void set_taps(struct watch *watch, struct rpio_tap *taps, size_t count, int is_quiet)
{
    for (size_t i = 0; i < count; i++)
        if (!rpio_taps_have(watch->taps, watch->tap_count, &taps[i]))
            rpio_tally_begin(taps[i].tally, taps[i].place, watch->token, watch->seq);
    rpio_taps_drop(watch->taps, watch->tap_count);
    watch->taps = taps;
    watch->tap_count = count;
    watch->is_quiet = is_quiet && count > 0;
}

int rpio_poll_add_counted(struct rpio_poll *poll, int fd, uint64_t token, const struct rpio_tap *taps, size_t tap_count,
                          int is_quiet)
{
    struct rpio_tap *own;
    if (!is_valid(token))
        return -EINVAL;
    int error = rpio_taps_copy(taps, tap_count, &own);
    if (error < 0)
        return error;
    (void)pthread_mutex_lock(&poll->mutex);
    struct watch *known = known_watch(poll, fd);
    if (known) {
        end_taps(known);
        known->token = token;
        known->is_parked = 0;
        known->seq = 0;
        known->lost = 0;
    } else if ((error = control(poll->epoll_fd, EPOLL_CTL_ADD, fd, token, EPOLLIN)) == 0 &&
               (error = add_watch(poll, fd, token)) < 0) {
        (void)control(poll->epoll_fd, EPOLL_CTL_DEL, fd, 0, 0);
    }
    if (error == 0)
        set_taps(watch_of(poll, fd), own, tap_count, is_quiet);
    else
        rpio_taps_drop(own, tap_count);
    if (error == 0 && poll->direct_fd >= 0 && poll->direct_fd != fd)
        error = rpio_poll_wake(poll); /* the wait is for one line only */
    (void)pthread_mutex_unlock(&poll->mutex);
    return error;
}

int rpio_poll_add_edges(struct rpio_poll *poll, int fd, uint64_t token)
{
    return rpio_poll_add_counted(poll, fd, token, NULL, 0, 0);
}

static int is_newer(uint32_t seq, uint32_t than)
{
    return seq != than && seq - than <= UINT32_MAX / 2;
}

int rpio_poll_count(struct rpio_poll *poll, int fd, const struct rpio_tap *taps, size_t tap_count, int is_quiet,
                    uint32_t seen, struct rpio_counted *counted)
{
    struct rpio_tap *own;
    int error = rpio_taps_copy(taps, tap_count, &own);
    if (error < 0)
        return error;
    (void)pthread_mutex_lock(&poll->mutex);
    struct watch *watch = watch_of(poll, fd);
    if (watch && !watch->is_parked) {
        if (is_newer(seen, watch->seq))
            watch->seq = seen;
        set_taps(watch, own, tap_count, is_quiet);
        *counted = (struct rpio_counted){.seq = watch->seq, .lost = watch->lost};
        watch->lost = 0;
    } else {
        rpio_taps_drop(own, tap_count);
        error = -ENOENT;
    }
    (void)pthread_mutex_unlock(&poll->mutex);
    return error;
}

int rpio_poll_park(struct rpio_poll *poll, int fd)
{
    (void)pthread_mutex_lock(&poll->mutex);
    struct watch *watch = watch_of(poll, fd);
    if (watch) {
        watch->is_parked = 1;
        end_taps(watch);
    }
    int result = watch && atomic_load(&poll->is_waiting);
    (void)pthread_mutex_unlock(&poll->mutex);
    return result;
}

int rpio_poll_remove(struct rpio_poll *poll, int fd)
{
    (void)pthread_mutex_lock(&poll->mutex);
    struct watch *watch = watch_of(poll, fd);
    int epoll_fd = watch ? poll->epoll_fd : poll->rest_fd;
    if (watch)
        end_watch(watch);
    int error = control(epoll_fd, EPOLL_CTL_DEL, fd, 0, 0);
    while (poll->direct_fd == fd && rpio_poll_wake(poll) == 0)
        (void)pthread_cond_wait(&poll->direct_ended, &poll->mutex);
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

/* Notes that the descriptor is ready, or (ERROR) that the line has failed. */
static void add_ready(struct rpio_batch *batch, uint64_t token, uint32_t mask)
{
    batch->ready[batch->ready_count++] = (struct rpio_ready){.token = token, .mask = mask};
}

/* Notes the `count` events that have just been read to the end of the batch, or that this has failed. The mutex is
 * held: whoever parks or removes the line finds them counted. Nobody wants those of a line that is parked, or has been
 * removed while it was read (no watch). */
static void add_events(struct rpio_poll *poll, const struct watch *watch, int fd, int count, struct rpio_batch *batch)
{
    if (count > 0 && poll->numbers)
        count = rpio_numbers_apply(poll->numbers, fd, poll->events + batch->event_count, count);
    if (!watch || watch->is_parked)
        return;
    for (int i = 0; i < count; i++)
        poll->events[batch->event_count++].token = watch->token;
    if (count < 0)
        add_ready(batch, watch->token, EPOLLERR);
}

/* Reads the events of one line that is ready. Whether there were any that somebody wants. */
static int read_line(struct rpio_poll *poll, const struct epoll_event *ready, struct rpio_batch *batch)
{
    struct watch *watch = find_watch(poll, ready->data.u64);
    size_t before = batch->event_count;
    if (!watch)
        return 0; /* removed since */
    int count = ready->events & EPOLLIN ? rpio_event_read(watch->fd, poll->events + before) : 0;
    int has_failed = count < 0 || ready->events & (EPOLLERR | EPOLLHUP);
    add_events(poll, watch, watch->fd, count, batch);
    if (watch->is_parked && has_failed) { /* which nobody is told, and epoll would tell for ever */
        (void)control(poll->epoll_fd, EPOLL_CTL_DEL, watch->fd, 0, 0);
        end_watch(watch);
    } else if (count >= 0 && has_failed)
        add_ready(batch, watch->token, ready->events | EPOLLERR);
    return batch->event_count > before;
}

/* What the rest has; the batch has room for as many. */
static int collect_rest(struct rpio_poll *poll, struct rpio_batch *batch)
{
    struct epoll_event ready[RPIO_READY_MAX];
    int count = epoll_wait(poll->rest_fd, ready, RPIO_READY_MAX - batch->ready_count, 0);
    for (int i = 0; i < count; i++) {
        if (ready[i].data.u64 == WAKE_TOKEN)
            drain_wakes(poll);
        else
            add_ready(batch, ready[i].data.u64, ready[i].events);
    }
    return count < 0 ? -errno : 0;
}

static struct watch *watch_with(const struct rpio_poll *poll, uint64_t token)
{
    for (size_t i = 0; i < poll->watch_count; i++)
        if (poll->watches[i].token == token && poll->watches[i].fd >= 0)
            return &poll->watches[i];
    return NULL;
}

static void note_number(struct watch *watch, uint32_t seq)
{
    uint32_t missing = seq - watch->seq - 1;
    if (missing > UINT32_MAX / 2)
        return;
    if (watch->is_quiet)
        watch->lost += missing;
    watch->seq = seq;
}

/* Counts what has been read, and takes out of the batch what nobody else wants. Under the mutex, as what reads. */
static void count_events(struct rpio_poll *poll, struct rpio_batch *batch)
{
    struct watch *watch = NULL;
    size_t kept = 0;
    for (size_t i = 0; i < batch->event_count; i++) {
        const struct rpio_event *event = &poll->events[i];
        if (!watch || watch->token != event->token)
            watch = watch_with(poll, event->token);
        if (watch) {
            note_number(watch, event->seq);
            for (size_t tap = 0; tap < watch->tap_count; tap++)
                rpio_tally_feed(watch->taps[tap].tally, watch->taps[tap].place, event);
        }
        if (watch && watch->is_quiet)
            poll->has_counted = 1;
        else
            poll->events[kept++] = *event;
    }
    batch->event_count = kept;
}

static int collect(struct rpio_poll *poll, const struct epoll_event *ready, int count, struct rpio_batch *batch)
{
    int sources = 0, rest = 0;
    (void)pthread_mutex_lock(&poll->mutex);
    for (int i = 0; i < count; i++) {
        if (ready[i].data.u64 == REST_TOKEN)
            rest = 1;
        else
            sources += read_line(poll, &ready[i], batch);
    }
    if (sources > 1)
        qsort(poll->events, batch->event_count, sizeof *poll->events, by_time);
    count_events(poll, batch);
    (void)pthread_mutex_unlock(&poll->mutex);
    if (!rest)
        return 0;
    poll->has_counted = 0;
    return batch->ready_count < RPIO_READY_MAX ? collect_rest(poll, batch) : 0;
}

/* Whether this thread may read in its wait. A thread that has waited twice gets a ring for it, which costs more than it
 * saves once; and gets it after its wait, since a signal that came while it is made would not end the wait. */
static int has_ring(struct rpio_poll *poll)
{
    if (poll->ring && (poll->no_ring || poll->waiter != this_thread()))
        drop_ring(poll);
    return poll->ring && !rpio_ring_passed_over(poll->ring);
}

/* What may be otherwise next time: there is no memory, or no descriptor. */
static int is_passing(int error)
{
    return error == -ENOMEM || error == -EMFILE || error == -ENFILE || error == -EAGAIN;
}

/* Under the mutex throughout: whoever forks has a ring that is noted, and one that has been closed gets none. */
static void make_ring(struct rpio_poll *poll)
{
    (void)pthread_mutex_lock(&poll->mutex);
    int error = poll->epoll_fd < 0 ? -EBADF : rpio_ring_open(&poll->ring);
    (void)pthread_mutex_unlock(&poll->mutex);
    poll->no_ring = error < 0 && !is_passing(error);
    poll->waits = 0; /* where there is none, it is tried again after as many */
}

static void note_wait(struct rpio_poll *poll)
{
    pid_t self = this_thread();
    poll->waits = poll->waiter == self ? poll->waits + 1 : 1;
    poll->waiter = self;
    if (poll->waits >= WAITS_BEFORE_RING && !poll->ring && !poll->no_ring)
        make_ring(poll);
}

/* The one line with edges, or where there is none the one that is parked; from here on `direct_fd`. None where there
 * are no or several such lines. */
static struct watch begin_direct(struct rpio_poll *poll)
{
    struct watch only[2] = {{.fd = -1}, {.fd = -1}}; /* with edges, parked */
    size_t count[2] = {0};
    (void)pthread_mutex_lock(&poll->mutex);
    for (size_t i = 0; i < poll->watch_count; i++) {
        const struct watch *watch = &poll->watches[i];
        if (watch->fd < 0)
            continue;
        only[watch->is_parked] = *watch;
        count[watch->is_parked]++;
    }
    int kind = count[0] == 0;
    if (count[kind] != 1 || only[kind].is_quiet) /* what is but counted is in no hurry, and this takes more of the processor */
        only[kind].fd = -1;
    poll->direct_fd = only[kind].fd;
    (void)pthread_mutex_unlock(&poll->mutex);
    return only[kind];
}

/* The read is over; what it has brought is noted before anybody may go on who waits for that. */
static void end_direct(struct rpio_poll *poll, const struct watch *line, const void *bytes, int length,
                       struct rpio_batch *batch)
{
    (void)pthread_mutex_lock(&poll->mutex);
    if (length > 0) {
        int count = rpio_event_decode(bytes, (size_t)length, poll->events, RPIO_EVENT_BATCH);
        add_events(poll, find_watch(poll, line->data), line->fd, count, batch);
        count_events(poll, batch);
    }
    poll->direct_fd = -1;
    (void)pthread_cond_broadcast(&poll->direct_ended);
    (void)pthread_mutex_unlock(&poll->mutex);
}

/* Waits and reads in one call. 1: the batch has what came; 0: ask the rest; -EINTR; -ENOSYS: not this way. */
static int wait_direct(struct rpio_poll *poll, int timeout_ms, struct rpio_batch *batch)
{
    if (timeout_ms == 0 || !has_ring(poll))
        return -ENOSYS;
    struct watch line = begin_direct(poll);
    if (line.fd < 0)
        return -ENOSYS;
    const void *bytes;
    int length = rpio_ring_read(poll->ring, line.fd, poll->rest_fd, timeout_ms, &bytes);
    end_direct(poll, &line, bytes, length, batch);
    if (length == 0 || length == -EINTR)
        return length;
    if (length < 0) {
        if (length == -EEXIST) /* it is another thread's after all, one of the same number: this one gets its own */
            drop_ring(poll);
        else if (length != -ENODATA && length != -ENODEV) /* these are the line's, of which epoll has more to say */
            poll->no_ring = 1;
        return -ENOSYS;
    }
    return 1;
}

static int wait_and_collect(struct rpio_poll *poll, int timeout_ms, struct rpio_batch *batch)
{
    struct epoll_event ready[RPIO_READY_MAX];
    int direct = wait_direct(poll, timeout_ms, batch);
    if (direct != -ENOSYS)
        return direct == 0 ? collect_rest(poll, batch) : direct < 0 ? direct : 0;
    int count = epoll_wait(poll->epoll_fd, ready, RPIO_READY_MAX, timeout_ms);
    if (count > 0 && timeout_ms != 0)
        note_wait(poll);
    return count < 0 ? -errno : collect(poll, ready, count, batch);
}

static int64_t now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int is_all_quiet(struct rpio_poll *poll)
{
    int quiet = 1;
    (void)pthread_mutex_lock(&poll->mutex);
    for (size_t i = 0; i < poll->watch_count && quiet; i++)
        quiet = poll->watches[i].fd < 0 || poll->watches[i].is_parked || poll->watches[i].is_quiet;
    (void)pthread_mutex_unlock(&poll->mutex);
    return quiet;
}

/* Where edges come so quickly that a wake-up is more than the rest of their cost, and all are but counted, a few are waited
 * for, and read together. What is no line ends that at once. */
static int nap(struct rpio_poll *poll, struct rpio_batch *batch)
{
    int64_t before_ns = poll->counted_ns;
    struct epoll_event rest;
    poll->counted_ns = now_ns();
    if (poll->counted_ns - before_ns > NAP_MS * 1000000 || !is_all_quiet(poll))
        return 0;
    int count = epoll_wait(poll->rest_fd, &rest, 1, NAP_MS);
    poll->counted_ns = now_ns();
    if (count <= 0)
        return count < 0 ? -errno : 0;
    poll->has_counted = 0;
    return collect_rest(poll, batch);
}

/* As long as what comes is counted and nobody else wants it, the wait goes on, without a word to its caller: so a counter
 * costs no more than its reading. Who does not wait has all that is there counted. */
int rpio_poll_wait(struct rpio_poll *poll, int timeout_ms, struct rpio_batch *batch)
{
    int64_t end_ns = timeout_ms > 0 ? now_ns() + (int64_t)timeout_ms * 1000000 : 0;
    int error, left_ms = timeout_ms;
    unsigned waits = 0;
    batch->ready_count = 0;
    batch->event_count = 0;
    batch->events = poll->events;
    atomic_store(&poll->is_waiting, timeout_ms != 0);
    do {
        poll->has_counted = 0;
        error = wait_and_collect(poll, left_ms, batch);
        if (error < 0 || !poll->has_counted || batch->event_count > 0 || batch->ready_count > 0)
            break;
        if (timeout_ms != 0)
            error = nap(poll, batch);
        if (timeout_ms > 0) {
            int64_t left_ns = end_ns - now_ns();
            left_ms = left_ns > 0 ? (int)((left_ns + 999999) / 1000000) : 0;
        }
    } while (error == 0 && poll->has_counted && (left_ms != 0 || timeout_ms == 0) && ++waits < COUNTING_WAITS);
    atomic_store(&poll->is_waiting, 0);
    return error;
}
