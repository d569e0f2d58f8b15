/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * cdev.c - the gpiochip character device, version 2 of its interface (Linux 5.10 and later); of version 1 only what
 * tells about a line without touching it.
 *
 * Every conversion between the kernel's structs and ours is in this file, once in each direction.
 *
 * Source: include/uapi/linux/gpio.h; Documentation/userspace-api/gpio.
 */
#include "gpio.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/gpio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <unistd.h>

_Static_assert(sizeof(struct gpiochip_info) == 68, "the kernel's gpiochip_info");
_Static_assert(sizeof(struct gpio_v2_line_info) == 256, "the kernel's gpio_v2_line_info");
_Static_assert(sizeof(struct gpio_v2_line_config) == 272, "the kernel's gpio_v2_line_config");
_Static_assert(sizeof(struct gpio_v2_line_request) == 592, "the kernel's gpio_v2_line_request");
_Static_assert(sizeof(struct gpioline_info) == 72, "the kernel's gpioline_info");
_Static_assert(GPIO_MAX_NAME_SIZE == 32, "names in rpio_chip_info and rpio_line_info");

static int call(int fd, unsigned long request, void *argument)
{
    int result;
    do
        result = ioctl(fd, request, argument);
    while (result < 0 && errno == EINTR);
    return result < 0 ? -errno : result;
}

/* The kernel's names end in a zero byte today; ours do in any case. */
static void copy_name(char to[32], const char from[32])
{
    memcpy(to, from, 31);
    to[31] = '\0';
}

int rpio_cdev_open(const char *path)
{
    struct rpio_chip_info info;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int error = rpio_cdev_chip_info(fd, &info);
    if (error < 0) {
        (void)close(fd);
        return error;
    }
    return fd;
}

int rpio_cdev_chip_info(int chip_fd, struct rpio_chip_info *info)
{
    struct gpiochip_info chip = {0};
    int error = call(chip_fd, GPIO_GET_CHIPINFO_IOCTL, &chip);
    if (error < 0)
        return error;
    copy_name(info->name, chip.name);
    copy_name(info->label, chip.label);
    info->line_count = chip.lines;
    return 0;
}

static int pull_of(uint64_t flags)
{
    return flags & GPIO_V2_LINE_FLAG_BIAS_PULL_UP     ? RPIO_PULL_UP
           : flags & GPIO_V2_LINE_FLAG_BIAS_PULL_DOWN ? RPIO_PULL_DOWN
           : flags & GPIO_V2_LINE_FLAG_BIAS_DISABLED  ? RPIO_PULL_OFF
                                                      : RPIO_PULL_AS_IS;
}

int rpio_cdev_line_info(int chip_fd, uint32_t line, struct rpio_line_info *info)
{
    struct gpio_v2_line_info kernel = {.offset = line};
    int error = call(chip_fd, GPIO_V2_GET_LINEINFO_IOCTL, &kernel);
    if (error < 0)
        return error;
    *info = (struct rpio_line_info){
        .used = (kernel.flags & GPIO_V2_LINE_FLAG_USED) != 0,
        .is_output = (kernel.flags & GPIO_V2_LINE_FLAG_OUTPUT) != 0,
        .active_low = (kernel.flags & GPIO_V2_LINE_FLAG_ACTIVE_LOW) != 0,
        .pull = pull_of(kernel.flags),
        .edges = (kernel.flags & GPIO_V2_LINE_FLAG_EDGE_RISING ? RPIO_EDGE_RISING : 0) |
                 (kernel.flags & GPIO_V2_LINE_FLAG_EDGE_FALLING ? RPIO_EDGE_FALLING : 0),
    };
    copy_name(info->name, kernel.name);
    copy_name(info->consumer, kernel.consumer);
    for (uint32_t i = 0; i < kernel.num_attrs && i < GPIO_V2_LINE_NUM_ATTRS_MAX; i++)
        if (kernel.attrs[i].id == GPIO_V2_LINE_ATTR_ID_DEBOUNCE)
            info->debounce_us = kernel.attrs[i].debounce_period_us;
    return 0;
}

int rpio_cdev_line_info_v1(int chip_fd, uint32_t line, struct rpio_line_info *info)
{
    struct gpioline_info kernel = {.line_offset = line};
    int error = call(chip_fd, GPIO_GET_LINEINFO_IOCTL, &kernel);
    if (error < 0)
        return error;
    *info = (struct rpio_line_info){
        .used = (kernel.flags & GPIOLINE_FLAG_KERNEL) != 0,
        .is_output = (kernel.flags & GPIOLINE_FLAG_IS_OUT) != 0,
        .active_low = (kernel.flags & GPIOLINE_FLAG_ACTIVE_LOW) != 0,
        .pull = RPIO_PULL_AS_IS, /* known from Linux 5.5 on, and not set by what uses this */
    };
    copy_name(info->name, kernel.name);
    copy_name(info->consumer, kernel.consumer);
    return 0;
}

static const uint64_t pull_flags[] = {
    [RPIO_PULL_OFF] = GPIO_V2_LINE_FLAG_BIAS_DISABLED,
    [RPIO_PULL_DOWN] = GPIO_V2_LINE_FLAG_BIAS_PULL_DOWN,
    [RPIO_PULL_UP] = GPIO_V2_LINE_FLAG_BIAS_PULL_UP,
};

static void add_attribute(struct gpio_v2_line_config *kernel, struct gpio_v2_line_attribute attribute)
{
    kernel->attrs[kernel->num_attrs++] = (struct gpio_v2_line_config_attribute){.attr = attribute, .mask = 1};
}

static int to_kernel(const struct rpio_line_config *config, struct gpio_v2_line_config *kernel)
{
    if (config->pull < RPIO_PULL_AS_IS || config->pull > RPIO_PULL_UP || config->edges < RPIO_EDGE_NONE ||
        config->edges > RPIO_EDGE_BOTH)
        return -EINVAL;
    *kernel = (struct gpio_v2_line_config){0};
    if (config->direction == RPIO_FUNC_OUT) {
        kernel->flags |= GPIO_V2_LINE_FLAG_OUTPUT;
        add_attribute(kernel, (struct gpio_v2_line_attribute){.id = GPIO_V2_LINE_ATTR_ID_OUTPUT_VALUES,
                                                              .values = config->value != 0});
    } else if (config->direction == RPIO_FUNC_IN) {
        kernel->flags |= GPIO_V2_LINE_FLAG_INPUT;
        kernel->flags |= config->edges & RPIO_EDGE_RISING ? GPIO_V2_LINE_FLAG_EDGE_RISING : 0;
        kernel->flags |= config->edges & RPIO_EDGE_FALLING ? GPIO_V2_LINE_FLAG_EDGE_FALLING : 0;
        if (config->debounce_us)
            add_attribute(kernel, (struct gpio_v2_line_attribute){.id = GPIO_V2_LINE_ATTR_ID_DEBOUNCE,
                                                                  .debounce_period_us = config->debounce_us});
    }
    if (config->pull != RPIO_PULL_AS_IS)
        kernel->flags |= pull_flags[config->pull];
    return 0;
}

/* Events must never block the loop: a record may have been dropped between the wait and the read. Of the flags that
 * can be set a request of the kernel's has none, so there is nothing to ask for first. */
static int set_nonblocking(int fd)
{
    return fcntl(fd, F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
}

int rpio_cdev_request(int chip_fd, uint32_t line, const struct rpio_line_config *config, const char *consumer,
                      uint32_t event_buffer_size)
{
    struct gpio_v2_line_request request = {
        .offsets = {line}, .num_lines = 1, .event_buffer_size = event_buffer_size};
    int error = to_kernel(config, &request.config);
    if (error < 0)
        return error;
    strncpy(request.consumer, consumer, sizeof request.consumer - 1);
    error = call(chip_fd, GPIO_V2_GET_LINE_IOCTL, &request);
    if (error < 0)
        return error;
    error = set_nonblocking(request.fd);
    if (error < 0) {
        (void)close(request.fd);
        return error;
    }
    return request.fd;
}

int rpio_cdev_configure(int line_fd, const struct rpio_line_config *config)
{
    struct gpio_v2_line_config kernel;
    int error = to_kernel(config, &kernel);
    return error < 0 ? error : call(line_fd, GPIO_V2_LINE_SET_CONFIG_IOCTL, &kernel);
}

int rpio_cdev_read(int line_fd)
{
    struct gpio_v2_line_values values = {.mask = 1};
    int error = call(line_fd, GPIO_V2_LINE_GET_VALUES_IOCTL, &values);
    return error < 0 ? error : (int)(values.bits & 1);
}

int rpio_cdev_write(int line_fd, int value)
{
    struct gpio_v2_line_values values = {.bits = value != 0, .mask = 1};
    return call(line_fd, GPIO_V2_LINE_SET_VALUES_IOCTL, &values);
}

int rpio_cdev_file_watch(const char *path)
{
    int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (fd < 0)
        return -errno;
    /* IN_DELETE_SELF comes only when nobody has the file open any more; the lost link shows as IN_ATTRIB. */
    if (inotify_add_watch(fd, path, IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF) < 0) {
        int error = -errno;
        (void)close(fd);
        return error;
    }
    return fd;
}
