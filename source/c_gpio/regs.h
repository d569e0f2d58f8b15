/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * regs.h - private to the register files: the table that a register block fills in, and the only three
 * functions that touch a block. A test build (RPIO_MODELLED_SOC) sends those three to a modelled SoC.
 */
#ifndef RPIO_REGS_H
#define RPIO_REGS_H

#include "gpio.h"

/* A register block is one of these tables. Callers have checked the line. */
struct rpio_regs_ops {
    const char *chip; /* "bcm2711" */
    unsigned line_count;
    size_t size_bytes; /* of the mapping */
    int (*function)(const struct rpio_regs *regs, unsigned line);
    int (*set_function)(const struct rpio_regs *regs, unsigned line, int function);
    int (*read)(const struct rpio_regs *regs, unsigned line);
    int (*write)(const struct rpio_regs *regs, unsigned line, int value);
    int (*pull)(const struct rpio_regs *regs, unsigned line);
    int (*set_pull)(const struct rpio_regs *regs, unsigned line, int pull);
    struct rpio_ports (*ports)(unsigned line);
};

extern const struct rpio_regs_ops rpio_bcm2835_ops, rpio_bcm2711_ops, rpio_rp1_ops;

#ifdef RPIO_MODELLED_SOC

struct soc;
uint32_t soc_read(struct soc *soc, uint32_t offset);
void soc_write(struct soc *soc, uint32_t offset, uint32_t value);
void soc_wait_ns(struct soc *soc, uint64_t ns);

static inline uint32_t reg_read(const struct rpio_regs *regs, uint32_t offset)
{
    return soc_read((struct soc *)(uintptr_t)regs->base, offset);
}

static inline void reg_write(const struct rpio_regs *regs, uint32_t offset, uint32_t value)
{
    soc_write((struct soc *)(uintptr_t)regs->base, offset, value);
}

static inline void reg_wait_ns(const struct rpio_regs *regs, uint64_t ns)
{
    soc_wait_ns((struct soc *)(uintptr_t)regs->base, ns);
}

#else

#include <time.h>

static inline uint32_t reg_read(const struct rpio_regs *regs, uint32_t offset)
{
    return regs->base[offset / sizeof(uint32_t)];
}

static inline void reg_write(const struct rpio_regs *regs, uint32_t offset, uint32_t value)
{
    regs->base[offset / sizeof(uint32_t)] = value;
}

/* Busy-waits: the waits here are microseconds, a sleep would be fifty. */
static inline void reg_wait_ns(const struct rpio_regs *regs, uint64_t ns)
{
    struct timespec start, now;
    (void)regs;
    (void)clock_gettime(CLOCK_MONOTONIC, &start);
    do {
        (void)clock_gettime(CLOCK_MONOTONIC, &now);
    } while ((uint64_t)(now.tv_sec - start.tv_sec) * 1000000000u + (uint64_t)now.tv_nsec <
             (uint64_t)start.tv_nsec + ns);
}

#endif

/* The BCM2835 may answer out of order when accesses move between peripherals (ARM Peripherals, 1.3), and so may
 * the PCIe bridge in front of RP1. */
static inline void reg_barrier(void)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* Read, change the masked bits, write back. Not atomic against other programs: see regs.c. */
static inline void reg_modify(const struct rpio_regs *regs, uint32_t offset, uint32_t mask, uint32_t bits)
{
    reg_write(regs, offset, (reg_read(regs, offset) & ~mask) | (bits & mask));
}

#endif
