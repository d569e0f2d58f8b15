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

/* Peripherals beside the GPIO block, by their offset from the peripherals' base (BCM2835 ARM Peripherals, 1.2.3). */
enum rpio_peripheral {
    PERIPHERAL_DMA = 0x007000,
    PERIPHERAL_CLOCKS = 0x101000,
    PERIPHERAL_GPIO = 0x200000,
    PERIPHERAL_PCM = 0x203000,
    PERIPHERAL_PWM = 0x20C000,
};
#define PERIPHERAL_BYTES 0x1000u /* each of them; the registers of DMA channels 0 to 14 are 0x100 apart */

struct rpio_peripherals {
    volatile uint32_t *dma, *clocks, *gpio, *pcm, *pwm; /* a modelled SoC: gpio alone, and it is all of them */
    int mem_fd, vcio_fd;
};

#ifdef RPIO_MODELLED_SOC

struct soc;

/* A peripheral's register, at its offset from the peripherals' base. */
uint32_t soc_peripheral_read(struct soc *soc, uint32_t offset);
void soc_peripheral_write(struct soc *soc, uint32_t offset, uint32_t value);

/* A property message (32-bit words: total bytes, request code 0, tags, 0), answered in place as the firmware does
 * through /dev/vcio. 0, or -errno. */
int soc_mailbox(struct soc *soc, uint32_t *message);

/* Where the CPU sees `bytes` bytes of memory at that bus address, as a mapping of /dev/mem would; NULL: it is none. */
void *soc_memory(struct soc *soc, uint32_t bus_address, size_t bytes);

static inline uint32_t peripheral_read(const struct rpio_peripherals *of, enum rpio_peripheral which, uint32_t offset)
{
    return soc_peripheral_read((struct soc *)(uintptr_t)of->gpio, (uint32_t)which + offset);
}

static inline void peripheral_write(const struct rpio_peripherals *of, enum rpio_peripheral which, uint32_t offset,
                                    uint32_t value)
{
    soc_peripheral_write((struct soc *)(uintptr_t)of->gpio, (uint32_t)which + offset, value);
}

/* A test looks between two stores here, where it has something to look at. */
void soc_barrier(void) __attribute__((weak));

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

static inline volatile uint32_t *peripheral_at(const struct rpio_peripherals *of, enum rpio_peripheral which,
                                               uint32_t offset)
{
    volatile uint32_t *block = which == PERIPHERAL_DMA      ? of->dma
                               : which == PERIPHERAL_CLOCKS ? of->clocks
                               : which == PERIPHERAL_GPIO   ? of->gpio
                               : which == PERIPHERAL_PCM    ? of->pcm
                                                            : of->pwm;
    return block + offset / sizeof(uint32_t);
}

static inline uint32_t peripheral_read(const struct rpio_peripherals *of, enum rpio_peripheral which, uint32_t offset)
{
    return *peripheral_at(of, which, offset);
}

static inline void peripheral_write(const struct rpio_peripherals *of, enum rpio_peripheral which, uint32_t offset,
                                    uint32_t value)
{
    *peripheral_at(of, which, offset) = value;
}

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
#ifdef RPIO_MODELLED_SOC
    if (soc_barrier)
        soc_barrier();
#endif
}

/* Read, change the masked bits, write back. Not atomic against other programs: see regs.c. */
static inline void reg_modify(const struct rpio_regs *regs, uint32_t offset, uint32_t mask, uint32_t bits)
{
    reg_write(regs, offset, (reg_read(regs, offset) & ~mask) | (bits & mask));
}

#endif
