/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * Preloaded, it is /dev/vcio and a strict kernel for a program whose /dev/mem is a file: the mailbox's memory lies in
 * that file, from 256 MiB on, and every request is a line of the file VCIO_LOG.
 *
 * VCIO_REFUSE: the firmware has no memory. VCIO_STRICT: the registers of the DMA engine may not be mapped.
 *
 * The core is built with 64 bits of off_t and time_t, for which the C library has other names of these functions. Built
 * in the same way, this file defines those.
 */
#define _FILE_OFFSET_BITS 64
#define _TIME_BITS 64
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define IOCTL (sizeof(long) == 4 ? "__ioctl_time64" : "ioctl")
#define PROPERTY _IOWR(100, 0, char *)
#define ALIAS 0xC0000000u
#define START 0x10000000u
#define STEP 0x00100000u
#define DMA_BLOCK 0x3F007000 /* which a driver has claimed */

static void note(const char *what, uint32_t number)
{
    char line[64];
    int length = snprintf(line, sizeof line, "%s %u\n", what, number);
    int fd = open(getenv("VCIO_LOG"), O_WRONLY | O_APPEND | O_CREAT, 0600);
    (void)!write(fd, line, (size_t)length);
    close(fd);
}

static uint32_t answer(uint32_t tag, const uint32_t *values)
{
    static uint32_t handles;
    switch (tag) {
    case 0x3000C:
        note("allocate", values[0] / 4096);
        return getenv("VCIO_REFUSE") ? 0 : ++handles;
    case 0x3000D:
        return ALIAS | (START + values[0] * STEP);
    case 0x3000E:
        note("unlock", values[0]);
        return 0;
    default:
        note("release", values[0]);
        return 0;
    }
}

int ioctl(int fd, unsigned long request, ...)
{
    va_list list;
    va_start(list, request);
    uint32_t *message = va_arg(list, void *);
    va_end(list);
    if (request != PROPERTY) {
        int (*real)(int, unsigned long, ...) = (int (*)(int, unsigned long, ...))dlsym(RTLD_NEXT, IOCTL);
        return real(fd, request, message);
    }
    message[5] = answer(message[2], message + 5);
    message[1] = 0x80000000u;
    return 0;
}

void *mmap(void *at, size_t bytes, int protection, int flags, int fd, off_t offset)
{
    if (getenv("VCIO_STRICT") && offset == DMA_BLOCK) {
        errno = EPERM;
        return MAP_FAILED;
    }
    void *(*real)(void *, size_t, int, int, int, off_t) =
        (void *(*)(void *, size_t, int, int, int, off_t))dlsym(RTLD_NEXT, "mmap64");
    return real(at, bytes, protection, flags, fd, offset);
}
