/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Preloaded, it counts what a program asks of ioctl(2): the guest of User Mode Linux cannot run strace. */
#define _GNU_SOURCE
#include <stdarg.h>
#include <sys/syscall.h>
#include <unistd.h>

static long calls;

long ioctl_calls(void);

long ioctl_calls(void)
{
    return calls;
}

int ioctl(int fd, unsigned long request, ...)
{
    va_list arguments;
    va_start(arguments, request);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    calls++;
    return (int)syscall(SYS_ioctl, fd, request, argument);
}
