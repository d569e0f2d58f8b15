/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * numbers.c - one request of a line, and watch after watch on it.
 *
 * A request is kept from setup() to cleanup(), and its edges are switched on and off by its configuration; so the
 * kernel's number of an event (line_seqno) goes on from one watch to the next, and an event of the last watch may be
 * read only now: by a thread that was in its read when that watch ended. Here is what each request's count has come to,
 * and when its last watch ended. Events from before are dropped; the others are numbered from 1.
 *
 * The kernel stamps events with CLOCK_MONOTONIC in its interrupt handler, which has run for the last time when the call
 * that switches edges off returns. So a stamp tells on which side of rpio_numbers_end() an event was.
 */
#include "gpio.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S INT64_C(1000000000)

struct numbered {
    int fd;
    uint32_t request;  /* which one this is, from 1 */
    uint32_t last;     /* the kernel's number of the last event that has been read */
    uint32_t base;     /* of the last event of the watches that have ended */
    uint64_t since_ns; /* when the last of these ended; 0 where there was none */
};

struct rpio_numbers {
    pthread_mutex_t mutex;
    struct numbered *lines;
    size_t count;
    uint32_t requests; /* so far */
    int64_t shift_ns; /* what this process's CLOCK_MONOTONIC is ahead of the kernel's */
    int knows_shift;
};

int rpio_numbers_new(struct rpio_numbers **out)
{
    struct rpio_numbers *numbers = calloc(1, sizeof *numbers);
    *out = numbers;
    if (!numbers)
        return -ENOMEM;
    return -pthread_mutex_init(&numbers->mutex, NULL);
}

void rpio_numbers_free(struct rpio_numbers *numbers)
{
    if (!numbers)
        return;
    (void)pthread_mutex_destroy(&numbers->mutex);
    free(numbers->lines);
    free(numbers);
}

void rpio_numbers_after_fork(struct rpio_numbers *numbers)
{
    (void)pthread_mutex_init(&numbers->mutex, NULL); /* a thread that is not here may have held it */
}

static struct numbered *find(const struct rpio_numbers *numbers, int fd)
{
    for (size_t i = 0; i < numbers->count; i++)
        if (numbers->lines[i].fd == fd)
            return &numbers->lines[i];
    return NULL;
}

int rpio_numbers_add(struct rpio_numbers *numbers, int fd)
{
    int error = 0;
    (void)pthread_mutex_lock(&numbers->mutex);
    struct numbered *line = find(numbers, fd); /* of a request that was closed without a word to us */
    if (!line) {
        struct numbered *grown = realloc(numbers->lines, (numbers->count + 1) * sizeof *grown);
        if (grown) {
            numbers->lines = grown;
            line = &grown[numbers->count++];
        }
    }
    if (line)
        *line = (struct numbered){.fd = fd, .request = ++numbers->requests};
    else
        error = -ENOMEM;
    (void)pthread_mutex_unlock(&numbers->mutex);
    return error;
}

void rpio_numbers_remove(struct rpio_numbers *numbers, int fd)
{
    (void)pthread_mutex_lock(&numbers->mutex);
    struct numbered *line = find(numbers, fd);
    if (line)
        *line = numbers->lines[--numbers->count];
    (void)pthread_mutex_unlock(&numbers->mutex);
}

uint32_t rpio_numbers_request(struct rpio_numbers *numbers, int fd)
{
    (void)pthread_mutex_lock(&numbers->mutex);
    const struct numbered *line = find(numbers, fd);
    uint32_t request = line ? line->request : 0;
    (void)pthread_mutex_unlock(&numbers->mutex);
    return request;
}

/* In a time namespace a process's clock is ahead of the kernel's. Source: time_namespaces(7). */
static int64_t shift_of_clock(void)
{
    char text[256] = "";
    long long seconds = 0, nanoseconds = 0;
    int fd = open("/proc/self/timens_offsets", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t length = read(fd, text, sizeof text - 1);
    (void)close(fd);
    const char *row = length > 0 ? strstr(text, "monotonic") : NULL;
    return row && sscanf(row, "monotonic %lld %lld", &seconds, &nanoseconds) == 2 ? seconds * NS_PER_S + nanoseconds
                                                                                  : 0;
}

static uint64_t now_ns(struct rpio_numbers *numbers)
{
    struct timespec now;
    if (!numbers->knows_shift)
        numbers->shift_ns = shift_of_clock();
    numbers->knows_shift = 1;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)(now.tv_sec * NS_PER_S + now.tv_nsec - numbers->shift_ns);
}

void rpio_numbers_end(struct rpio_numbers *numbers, int fd)
{
    (void)pthread_mutex_lock(&numbers->mutex);
    struct numbered *line = find(numbers, fd);
    if (line) {
        line->base = line->last;
        line->since_ns = now_ns(numbers);
    }
    (void)pthread_mutex_unlock(&numbers->mutex);
}

int rpio_numbers_apply(struct rpio_numbers *numbers, int fd, struct rpio_event *events, int count)
{
    int kept = 0;
    (void)pthread_mutex_lock(&numbers->mutex);
    struct numbered *line = find(numbers, fd);
    for (int i = 0; line && i < count; i++) {
        struct rpio_event event = events[i];
        if ((int32_t)(event.seq - line->last) > 0) /* the count is of 32 bits, and goes round */
            line->last = event.seq;
        if (event.timestamp_ns < line->since_ns) {
            line->base = line->last;
            continue;
        }
        event.seq -= line->base;
        events[kept++] = event;
    }
    (void)pthread_mutex_unlock(&numbers->mutex);
    return line ? kept : count;
}
