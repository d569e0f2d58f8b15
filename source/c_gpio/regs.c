/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * regs.c - registers of every Raspberry Pi behind one set of calls: which block it is, mapping it, checking the
 * line and the arguments. What a block does with a line is in regs_bcm2835.c and regs_rp1.c.
 *
 * FSEL and pull registers hold many lines, so a change is a read-modify-write that another program can undo.
 * Within the process the interpreter's lock serialises them; against the kernel nothing can, which is why a
 * program that shares lines with a driver should use the character device.
 */
#include "regs.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* GPIO nodes and whole SoCs, as they stand in a device tree's `compatible`. */
static const struct {
    const char *compatible;
    const struct rpio_regs_ops *ops;
} blocks[] = {
    {"brcm,bcm2835-gpio", &rpio_bcm2835_ops}, {"brcm,bcm2711-gpio", &rpio_bcm2711_ops},
    {"raspberrypi,rp1-gpio", &rpio_rp1_ops},  {"brcm,bcm2835", &rpio_bcm2835_ops},
    {"brcm,bcm2836", &rpio_bcm2835_ops},      {"brcm,bcm2837", &rpio_bcm2835_ops},
    {"brcm,bcm2711", &rpio_bcm2711_ops},      {"brcm,bcm2712", &rpio_rp1_ops},
};

static const struct rpio_regs_ops *find_ops(const char *compatible)
{
    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++)
        if (strcmp(blocks[i].compatible, compatible) == 0)
            return blocks[i].ops;
    return NULL;
}

const char *rpio_regs_chip(const char *compatible)
{
    const struct rpio_regs_ops *ops = find_ops(compatible);
    return ops ? ops->chip : NULL;
}

int rpio_regs_attach(struct rpio_regs *regs, const char *compatible, volatile void *base)
{
    const struct rpio_regs_ops *ops = find_ops(compatible);
    if (!ops)
        return -ENODEV;
    *regs = (struct rpio_regs){.ops = ops, .base = base, .line_count = ops->line_count};
    return 0;
}

_Static_assert(sizeof(off_t) == 8, "physical addresses above 4 GiB: build with _FILE_OFFSET_BITS=64");

/* A regular file that is too short would map, and kill the program with SIGBUS at the first access. */
static int check_size(int fd, uint64_t offset, size_t size)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return -errno;
    if (S_ISREG(st.st_mode) && (uint64_t)st.st_size < offset + size)
        return -ENXIO;
    return 0;
}

int rpio_regs_map(struct rpio_regs *regs, const char *compatible, const char *path, uint64_t offset)
{
    const struct rpio_regs_ops *ops = find_ops(compatible);
    if (!ops)
        return -ENODEV;
    int fd = open(path, O_RDWR | O_SYNC | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int error = check_size(fd, offset, ops->size_bytes);
    if (error == 0) {
        void *base = mmap(NULL, ops->size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)offset);
        if (base == MAP_FAILED)
            error = -errno;
        else
            error = rpio_regs_attach(regs, compatible, base);
    }
    (void)close(fd); /* the mapping stays */
    return error;
}

void rpio_regs_unmap(struct rpio_regs *regs)
{
    if (regs->base && regs->ops)
        (void)munmap((void *)(uintptr_t)regs->base, regs->ops->size_bytes);
    *regs = (struct rpio_regs){0};
}

int rpio_regs_function(const struct rpio_regs *regs, unsigned line)
{
    return line < regs->line_count ? regs->ops->function(regs, line) : -EINVAL;
}

int rpio_regs_set_function(struct rpio_regs *regs, unsigned line, int function)
{
    return line < regs->line_count ? regs->ops->set_function(regs, line, function) : -EINVAL;
}

int rpio_regs_read(const struct rpio_regs *regs, unsigned line)
{
    return line < regs->line_count ? regs->ops->read(regs, line) : -EINVAL;
}

int rpio_regs_write(struct rpio_regs *regs, unsigned line, int value)
{
    return line < regs->line_count ? regs->ops->write(regs, line, value) : -EINVAL;
}

int rpio_regs_pull(const struct rpio_regs *regs, unsigned line)
{
    return line < regs->line_count ? regs->ops->pull(regs, line) : -EINVAL;
}

int rpio_regs_set_pull(struct rpio_regs *regs, unsigned line, int pull)
{
    if (line >= regs->line_count || pull < RPIO_PULL_OFF || pull > RPIO_PULL_UP)
        return -EINVAL;
    return regs->ops->set_pull(regs, line, pull);
}

int rpio_regs_ports(const struct rpio_regs *regs, unsigned line, struct rpio_ports *ports)
{
    if (line >= regs->line_count)
        return -EINVAL;
    *ports = regs->ops->ports(line);
    return 0;
}
