/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * sysfs.c - the pump: edges of lines in /sys/class/gpio, as the records that a gpiochip would deliver.
 *
 * The kernel tells of an edge by making the line's `value` ready for poll (POLLPRI); it says neither when, nor which,
 * nor how many there were. So one thread waits for all watched lines, stamps its wake-up, and writes a record into the
 * line's pipe. What is seen is what it says:
 *
 * - One edge (rising or falling) is armed in the kernel: a wake-up is such an edge, whatever the level is by now. A
 *   pulse is over when the thread looks, and is reported all the same. Edges closer than a wake-up count once.
 * - Both are armed: a wake-up that finds another level than the last is an edge to that level. One that finds the same
 *   level reports nothing: it is either two edges, or the wake-up of an edge that an earlier look has already seen,
 *   because a level changes before its interrupt is served. Nothing tells these apart.
 *
 * A wake-up may wait for `mutex` while its line is given up, watched anew, or has its edges changed. The token of a
 * watch is new each time, so that what was seen under the old terms is never reported under the new ones.
 *
 * Source: Documentation/admin-guide/gpio/sysfs.rst; drivers/gpio/gpiolib-sysfs.c and fs/kernfs/file.c of Linux 6.1.
 */
#include "fork.h"
#include "gpio.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define WAKE_TOKEN UINT64_C(0)
#define QUEUE_BYTES (RPIO_EVENT_QUEUE * (int)RPIO_EVENT_BYTES)

enum { READY_MAX = 64, FAILURES_MAX = 100 };

struct watch {
    uint32_t line, seq;
    uint64_t token;
    int value_fd; /* the caller's */
    int reader, writer;
    int edges, last; /* enum rpio_edge; the level that was reported or found last */
    int failures;    /* reads that failed in a row */
};

struct rpio_pump {
    int epoll_fd, wake_fd;
    int is_childs; /* a fork's child has our memory and not our thread */
    struct rpio_held held;
    pthread_t thread;
    pthread_mutex_t mutex; /* over all below, and over every look at a line */
    int ending;
    uint64_t tokens;
    struct watch *watches;
    size_t count;
};

static uint64_t now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

/* Also what tells the kernel that its news have been seen: until then the file stays ready. */
static int read_level(int value_fd)
{
    char level;
    ssize_t length = pread(value_fd, &level, 1, 0);
    return length < 0 ? -errno : length == 0 ? -ENODATA : level == '1';
}

static int control(struct rpio_pump *pump, int operation, const struct watch *watch)
{
    struct epoll_event event = {.events = EPOLLPRI | EPOLLERR, .data.u64 = watch->token};
    return epoll_ctl(pump->epoll_fd, operation, watch->value_fd, &event) < 0 ? -errno : 0;
}

/* ---- the thread ----------------------------------------------------------------------------------- */

/* Like the kernel's buffer, a full pipe loses its oldest record. The reader may be reading at the same time. */
static void put(const struct watch *watch, const void *record)
{
    unsigned char oldest[RPIO_EVENT_BYTES];
    int waiting = 0;
    if (ioctl(watch->reader, FIONREAD, &waiting) == 0 && waiting >= QUEUE_BYTES)
        (void)!read(watch->reader, oldest, sizeof oldest);
    /* Users with many pipes get small ones, which are full before. */
    while (write(watch->writer, record, RPIO_EVENT_BYTES) < 0 && errno == EAGAIN)
        (void)!read(watch->reader, oldest, sizeof oldest);
}

static void report(struct watch *watch, int value, uint64_t when_ns)
{
    unsigned char record[RPIO_EVENT_BYTES];
    rpio_event_encode(
        &(struct rpio_event){.timestamp_ns = when_ns, .line = watch->line, .value = value != 0, .seq = ++watch->seq},
        record);
    put(watch, record);
}

/* No more edges from this one: its reader gets a hang-up behind what waits. The others go on. */
static void hang_up(struct rpio_pump *pump, struct watch *watch)
{
    (void)control(pump, EPOLL_CTL_DEL, watch);
    close_fd(&watch->writer);
}

static void look(struct rpio_pump *pump, struct watch *watch, uint64_t when_ns)
{
    int level = read_level(watch->value_fd);
    if (level < 0) { /* an expander's bus may fail for once */
        if (level == -ENODEV || ++watch->failures >= FAILURES_MAX)
            hang_up(pump, watch);
        return;
    }
    watch->failures = 0;
    if (watch->edges != RPIO_EDGE_BOTH)
        report(watch, watch->edges == RPIO_EDGE_RISING, when_ns);
    else if (level != watch->last)
        report(watch, level, when_ns);
    watch->last = level;
}

static void *run(void *argument)
{
    struct rpio_pump *pump = argument;
    for (int ending = 0; !ending;) {
        struct epoll_event ready[READY_MAX];
        int count = epoll_wait(pump->epoll_fd, ready, READY_MAX, -1);
        uint64_t when_ns = now_ns();
        (void)pthread_mutex_lock(&pump->mutex);
        for (int i = 0; i < count; i++)
            for (size_t n = 0; n < pump->count; n++)
                if (pump->watches[n].token == ready[i].data.u64)
                    look(pump, &pump->watches[n], when_ns);
        ending = pump->ending;
        (void)pthread_mutex_unlock(&pump->mutex);
    }
    return NULL;
}

static void before_fork(void *object)
{
    (void)pthread_mutex_lock(&((struct rpio_pump *)object)->mutex);
}

static void close_all(struct rpio_pump *pump)
{
    for (size_t i = 0; i < pump->count; i++) {
        close_fd(&pump->watches[i].reader);
        close_fd(&pump->watches[i].writer);
    }
    pump->count = 0;
    close_fd(&pump->epoll_fd);
    close_fd(&pump->wake_fd);
}

/* The child has no such thread, and may have nobody who knows the pump. */
static void after_fork(void *object, int is_child)
{
    struct rpio_pump *pump = object;
    pump->is_childs |= is_child;
    if (is_child)
        close_all(pump);
    (void)pthread_mutex_unlock(&pump->mutex);
}

/* Signals are for the program's own threads. */
static int start_thread(struct rpio_pump *pump)
{
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&pump->thread, NULL, run, pump);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error == 0)
        (void)pthread_setname_np(pump->thread, "RPIO sysfs");
    return -error;
}

/* ---- its owner ------------------------------------------------------------------------------------ */

static void give_back(struct rpio_pump *pump)
{
    rpio_hold_no_more(&pump->held);
    close_all(pump);
    (void)pthread_mutex_destroy(&pump->mutex);
    free(pump->watches);
    free(pump);
}

int rpio_pump_new(struct rpio_pump **out)
{
    struct rpio_pump *pump = calloc(1, sizeof *pump);
    *out = NULL;
    if (!pump)
        return -ENOMEM;
    (void)pthread_mutex_init(&pump->mutex, NULL);
    pump->held = (struct rpio_held){.before = before_fork, .after = after_fork, .object = pump};
    pump->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    pump->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int error = pump->epoll_fd < 0 || pump->wake_fd < 0 ? -errno : 0;
    struct epoll_event wake = {.events = EPOLLIN, .data.u64 = WAKE_TOKEN};
    if (error == 0 && epoll_ctl(pump->epoll_fd, EPOLL_CTL_ADD, pump->wake_fd, &wake) < 0)
        error = -errno;
    if (error == 0)
        error = rpio_hold_over_forks(&pump->held);
    if (error == 0)
        error = start_thread(pump);
    if (error < 0)
        give_back(pump);
    else
        *out = pump;
    return error;
}

void rpio_pump_free(struct rpio_pump *pump)
{
    if (!pump)
        return;
    if (!pump->is_childs) {
        uint64_t one = 1;
        (void)pthread_mutex_lock(&pump->mutex);
        pump->ending = 1;
        (void)pthread_mutex_unlock(&pump->mutex);
        (void)!write(pump->wake_fd, &one, sizeof one);
        (void)pthread_join(pump->thread, NULL);
    } /* else there is no thread */
    give_back(pump);
}

static struct watch *find(const struct rpio_pump *pump, uint32_t line)
{
    for (size_t i = 0; i < pump->count; i++)
        if (pump->watches[i].line == line)
            return &pump->watches[i];
    return NULL;
}

static int add(struct rpio_pump *pump, uint32_t line, int value_fd, struct watch **out)
{
    int ends[2];
    struct watch *grown = realloc(pump->watches, (pump->count + 1) * sizeof *grown);
    if (!grown)
        return -ENOMEM;
    pump->watches = grown;
    if (pipe2(ends, O_NONBLOCK | O_CLOEXEC) < 0)
        return -errno;
    grown[pump->count] = (struct watch){
        .line = line, .value_fd = value_fd, .reader = ends[0], .writer = ends[1], .token = ++pump->tokens};
    *out = &grown[pump->count++];
    int error = control(pump, EPOLL_CTL_ADD, *out);
    return error;
}

static void drop(struct rpio_pump *pump, struct watch *watch)
{
    (void)control(pump, EPOLL_CTL_DEL, watch); /* fails where it never came to that */
    close_fd(&watch->reader);
    close_fd(&watch->writer);
    *watch = pump->watches[--pump->count];
}

static int arm(struct rpio_pump *pump, struct watch *watch, int edge_fd, int edges)
{
    static const char *const words[] = {
        [RPIO_EDGE_RISING] = "rising", [RPIO_EDGE_FALLING] = "falling", [RPIO_EDGE_BOTH] = "both"};
    if (write(edge_fd, words[edges], strlen(words[edges])) < 0)
        return -errno;
    watch->edges = edges;
    watch->last = read_level(watch->value_fd); /* after it: what was before is where it starts from */
    watch->token = ++pump->tokens;
    return watch->last < 0 ? watch->last : control(pump, EPOLL_CTL_MOD, watch);
}

/* An edge that has happened, and waits for the mutex that we have, still belongs to the old terms. */
static void settle(struct rpio_pump *pump, struct watch *watch)
{
    struct pollfd news = {.fd = watch->value_fd, .events = POLLPRI};
    if (poll(&news, 1, 0) > 0)
        look(pump, watch, now_ns());
}

static int watch_locked(struct rpio_pump *pump, uint32_t line, int value_fd, int edge_fd, int edges)
{
    struct watch *watch = find(pump, line);
    if (watch) {
        if (watch->edges == edges)
            return watch->reader;
        settle(pump, watch);
        int error = arm(pump, watch, edge_fd, edges);
        return error < 0 ? error : watch->reader;
    }
    size_t before = pump->count;
    int error = add(pump, line, value_fd, &watch);
    if (error == 0)
        error = arm(pump, watch, edge_fd, edges);
    if (error == 0)
        return watch->reader;
    if (pump->count > before)
        drop(pump, watch);
    return error;
}

int rpio_pump_watch(struct rpio_pump *pump, uint32_t line, int value_fd, int edge_fd, int edges)
{
    if (edges < RPIO_EDGE_RISING || edges > RPIO_EDGE_BOTH)
        return -EINVAL;
    (void)pthread_mutex_lock(&pump->mutex);
    int result = watch_locked(pump, line, value_fd, edge_fd, edges);
    (void)pthread_mutex_unlock(&pump->mutex);
    return result;
}

int rpio_pump_unwatch(struct rpio_pump *pump, uint32_t line)
{
    (void)pthread_mutex_lock(&pump->mutex);
    struct watch *watch = find(pump, line);
    if (watch)
        drop(pump, watch);
    int left = (int)pump->count;
    (void)pthread_mutex_unlock(&pump->mutex);
    return left;
}

int64_t rpio_pump_seq(struct rpio_pump *pump, uint32_t line)
{
    (void)pthread_mutex_lock(&pump->mutex);
    const struct watch *watch = find(pump, line);
    int64_t seq = watch ? (int64_t)watch->seq : -ENOENT;
    (void)pthread_mutex_unlock(&pump->mutex);
    return seq;
}
