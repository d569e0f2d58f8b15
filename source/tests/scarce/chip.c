/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * chip.c - a gpiochip of its own for one process, as far as RPIO asks: a file that is opened is the chip, and a request
 * of a line is the reading end of a pipe with the kernel's records in it. What the kernel keeps is kept: a line stays as
 * it was when its request is closed, and a line that is held is EBUSY.
 *
 * Source: include/uapi/linux/gpio.h; drivers/gpio/gpiolib-cdev.c.
 */
#include "scarce.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/gpio.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define LINES 58
#define LABEL "pinctrl-bcm2711"

static struct line {
    uint64_t flags;
    int writer; /* of who holds it, one more than the descriptor; 0: nobody */
    ino_t pipe;
    uint32_t seq;
    int latch, outside; /* one more than the level; 0: nothing drives it */
    char consumer[GPIO_MAX_NAME_SIZE];
} lines[LINES];
static ino_t chip_file;
static dev_t chip_device;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

int chip_is_at(const char *path)
{
    struct stat found = {0};
    if (path && stat(path, &found) < 0)
        return -errno;
    chip_device = found.st_dev;
    chip_file = found.st_ino;
    return 0;
}

static int level_of(const struct line *line)
{
    if (line->flags & GPIO_V2_LINE_FLAG_OUTPUT)
        return line->latch;
    return line->outside ? line->outside - 1 : (line->flags & GPIO_V2_LINE_FLAG_BIAS_PULL_UP) != 0;
}

static void look(struct line *line)
{
    struct pollfd reader = {.fd = line->writer - 1};
    if (line->writer && poll(&reader, 1, 0) > 0 && reader.revents & POLLERR) {
        (void)close(line->writer - 1);
        line->writer = 0;
        line->flags &= GPIO_V2_LINE_FLAG_OUTPUT;
    }
}

void chip_settle(void)
{
    (void)pthread_mutex_lock(&mutex);
    for (size_t i = 0; i < LINES; i++)
        look(&lines[i]);
    (void)pthread_mutex_unlock(&mutex);
}

int chip_shows(uint32_t number)
{
    const struct line *line = &lines[number];
    chip_settle();
    return ((line->flags & GPIO_V2_LINE_FLAG_OUTPUT) != 0) + (line->writer ? 2 : 0) +
           (line->flags & (GPIO_V2_LINE_FLAG_EDGE_RISING | GPIO_V2_LINE_FLAG_EDGE_FALLING) ? 4 : 0);
}

void chip_drive(uint32_t number, int level)
{
    struct line *line = &lines[number];
    struct timespec now;
    (void)pthread_mutex_lock(&mutex);
    look(line);
    int before = level_of(line);
    line->outside = level + 1;
    int after = level_of(line);
    uint64_t wanted = after ? GPIO_V2_LINE_FLAG_EDGE_RISING : GPIO_V2_LINE_FLAG_EDGE_FALLING;
    if (before != after && line->writer && line->flags & wanted) {
        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        struct gpio_v2_line_event event = {.timestamp_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec,
                                           .id = after ? GPIO_V2_LINE_EVENT_RISING_EDGE
                                                       : GPIO_V2_LINE_EVENT_FALLING_EDGE,
                                           .offset = number,
                                           .seqno = ++line->seq,
                                           .line_seqno = line->seq};
        (void)!syscall(SYS_write, line->writer - 1, &event, sizeof event); /* no call of the program's */
    }
    (void)pthread_mutex_unlock(&mutex);
}

/* What a configuration says of an output's level; what was driven before, where it says nothing. */
static void configure(struct line *line, const struct gpio_v2_line_config *config)
{
    for (uint32_t i = 0; i < config->num_attrs; i++)
        if (config->attrs[i].attr.id == GPIO_V2_LINE_ATTR_ID_OUTPUT_VALUES)
            line->latch = config->attrs[i].attr.values & 1;
    if (config->flags & (GPIO_V2_LINE_FLAG_INPUT | GPIO_V2_LINE_FLAG_OUTPUT))
        line->flags = config->flags;
    else /* as it is */
        line->flags = (line->flags & GPIO_V2_LINE_FLAG_OUTPUT) | config->flags;
}

static int request_line(struct gpio_v2_line_request *request)
{
    struct stat pipe;
    int ends[2];
    if (request->offsets[0] >= LINES || request->num_lines != 1)
        return -EINVAL;
    struct line *line = &lines[request->offsets[0]];
    look(line);
    if (line->writer)
        return -EBUSY;
    if (syscall(SYS_pipe2, ends, O_CLOEXEC | O_NONBLOCK) < 0 || fstat(ends[0], &pipe) < 0)
        return -errno;
    line->writer = ends[1] + 1;
    line->pipe = pipe.st_ino;
    line->seq = 0;
    memcpy(line->consumer, request->consumer, sizeof line->consumer);
    configure(line, &request->config);
    request->fd = ends[0];
    return 0;
}

static int tell(struct gpio_v2_line_info *info)
{
    if (info->offset >= LINES)
        return -EINVAL;
    struct line *line = &lines[info->offset];
    look(line);
    info->flags = line->flags & GPIO_V2_LINE_FLAG_OUTPUT ? line->flags : line->flags | GPIO_V2_LINE_FLAG_INPUT;
    if (line->writer) {
        info->flags |= GPIO_V2_LINE_FLAG_USED;
        memcpy(info->consumer, line->consumer, sizeof info->consumer);
    }
    return 0;
}

static int ask_chip(unsigned long request, void *argument)
{
    if (request == GPIO_GET_CHIPINFO_IOCTL) {
        *(struct gpiochip_info *)argument =
            (struct gpiochip_info){.name = "gpiochip0", .label = LABEL, .lines = LINES};
        return 0;
    }
    if (request == GPIO_V2_GET_LINEINFO_IOCTL)
        return tell(argument);
    return request == GPIO_V2_GET_LINE_IOCTL ? request_line(argument) : -ENOTTY;
}

static int ask_line(struct line *line, unsigned long request, void *argument)
{
    struct gpio_v2_line_values *values = argument;
    if (request == GPIO_V2_LINE_SET_CONFIG_IOCTL)
        configure(line, argument);
    else if (request == GPIO_V2_LINE_GET_VALUES_IOCTL)
        values->bits = (uint64_t)level_of(line);
    else if (request != GPIO_V2_LINE_SET_VALUES_IOCTL)
        return -ENOTTY;
    else if (!(line->flags & GPIO_V2_LINE_FLAG_OUTPUT))
        return -EPERM;
    else
        line->latch = values->bits & 1;
    return 0;
}

static struct line *line_of(const struct stat *file)
{
    for (size_t i = 0; i < LINES; i++)
        if (S_ISFIFO(file->st_mode) && lines[i].writer && lines[i].pipe == file->st_ino)
            return &lines[i];
    return NULL;
}

int chip_ioctl(int fd, unsigned long request, void *argument, int *result)
{
    struct stat file;
    if (!chip_file || _IOC_TYPE(request) != 0xB4 || fstat(fd, &file) < 0)
        return 0;
    (void)pthread_mutex_lock(&mutex);
    struct line *line = line_of(&file);
    int is_chip = file.st_ino == chip_file && file.st_dev == chip_device;
    if (is_chip)
        *result = ask_chip(request, argument);
    else if (line)
        *result = ask_line(line, request, argument);
    (void)pthread_mutex_unlock(&mutex);
    return is_chip || line != NULL;
}
