/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * event.c - edge events: decoding the kernel's records, reading a batch of them. The simulated board writes the
 * same records into a pipe, so this is the one decoder for both.
 *
 * Source: include/uapi/linux/gpio.h, struct gpio_v2_line_event.
 */
#include "gpio.h"

#include <errno.h>
#include <linux/gpio.h>
#include <string.h>
#include <unistd.h>

_Static_assert(sizeof(struct gpio_v2_line_event) == RPIO_EVENT_BYTES, "the kernel's event record");

int rpio_event_decode(const void *bytes, size_t length, struct rpio_event *out, size_t max)
{
    const unsigned char *at = bytes;
    size_t count = length / RPIO_EVENT_BYTES;
    if (length % RPIO_EVENT_BYTES != 0)
        return -EBADMSG;
    if (count > max)
        count = max;
    for (size_t i = 0; i < count; i++, at += RPIO_EVENT_BYTES) {
        struct gpio_v2_line_event record;
        memcpy(&record, at, sizeof record); /* the buffer need not be aligned */
        if (record.id != GPIO_V2_LINE_EVENT_RISING_EDGE && record.id != GPIO_V2_LINE_EVENT_FALLING_EDGE)
            return -EPROTO;
        out[i] = (struct rpio_event){
            .timestamp_ns = record.timestamp_ns,
            .line = record.offset,
            .value = record.id == GPIO_V2_LINE_EVENT_RISING_EDGE,
            .seq = record.line_seqno,
        };
    }
    return (int)count;
}

void rpio_event_encode(const struct rpio_event *event, void *bytes)
{
    struct gpio_v2_line_event record = {
        .timestamp_ns = event->timestamp_ns,
        .id = event->value ? GPIO_V2_LINE_EVENT_RISING_EDGE : GPIO_V2_LINE_EVENT_FALLING_EDGE,
        .offset = event->line,
        .seqno = event->seq,
        .line_seqno = event->seq,
    };
    memcpy(bytes, &record, sizeof record);
}

int rpio_event_read(int fd, struct rpio_event out[RPIO_EVENT_BATCH])
{
    unsigned char bytes[RPIO_EVENT_BATCH * RPIO_EVENT_BYTES];
    ssize_t length = read(fd, bytes, sizeof bytes);
    if (length < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    return rpio_event_decode(bytes, (size_t)length, out, RPIO_EVENT_BATCH);
}
