/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * dma.h - pulses by DMA on BCM2835, 2836, 2837 and 2711: no processor time, no jitter. A part of gpio.h's API, under
 * the same rules: 0 or more, or -errno; nothing prints, exits or forks but rpio_guard_start().
 *
 * A DMA channel walks a chain of control blocks in memory. Some write a mask to GPSET0 or GPCLR0; others write a word
 * to the FIFO of the PWM or PCM block, which takes one in each slot and asks for the next (DREQ): that is the delay.
 *
 * Sources: BCM2835 ARM Peripherals, chapters 4 (DMA), 6.3 (clocks), 8 (PCM), 9 (PWM); BCM2711 ARM Peripherals, 4.
 */
#ifndef RPIO_DMA_H
#define RPIO_DMA_H

#include <stddef.h>
#include <stdint.h>

/* What takes a word out of its FIFO in each slot. PWM is the headphone output's hardware, PCM is that of I2S. */
enum rpio_pace { RPIO_PACE_PWM = 0, RPIO_PACE_PCM = 1 };

#define RPIO_DMA_CHANNELS 15u      /* 0 to 14; the SoC has a 15th elsewhere, which is not used */
#define RPIO_DMA_LINES 32u         /* GPIO 0 to 31: GPSET0 and GPCLR0 */
#define RPIO_DMA_SLOTS_MAX 15000000u /* in a ring: its 68 bytes a slot are within the 1 GiB that the engine reaches */
#define RPIO_DMA_SLOT_MAX_US 1000u
#define RPIO_DMA_WAVE_MAX 100000u  /* steps of a wave, repetitions counted */

/* Of one machine: its DMA engine, clocks, PWM and PCM block, GPIO block, and the memory of the VideoCore. Not
 * thread-safe: the caller has a lock. */
struct rpio_dma;

/* Maps the peripherals at physical address `base` from `mem_path` (/dev/mem) and opens the mailbox `vcio_path`
 * (/dev/vcio). `compatible` is that of the SoC ("brcm,bcm2837") or of its GPIO node. -ENODEV for a SoC without such an
 * engine (BCM2712), or what open(2) and mmap(2) say. Touches no register. */
int rpio_dma_open(struct rpio_dma **out, const char *compatible, uint64_t base, const char *mem_path,
                  const char *vcio_path);

/* The same over a modelled SoC. */
int rpio_dma_attach(struct rpio_dma **out, const char *compatible, void *soc);

/* Stops all channels that were started here, their lines low; stops the pace; gives the memory back. NULL is fine. */
void rpio_dma_free(struct rpio_dma *dma);

/* The highest channel that this SoC's engine has in the form used here: 14, or 10 on BCM2711 (11 to 14 have 40-bit
 * control blocks). */
unsigned rpio_dma_last_channel(const struct rpio_dma *dma);

/* One slot is `slot_us` (1 to RPIO_DMA_SLOT_MAX_US) long, for good. Touches no register: the hardware starts with the
 * first channel. -EALREADY where it is so already, -EBUSY where it is otherwise, -EINVAL. */
int rpio_dma_set_pace(struct rpio_dma *dma, enum rpio_pace pace, unsigned slot_us);

/* This hardware paces nothing: it is somebody else's. */
int rpio_dma_forbid_pace(struct rpio_dma *dma, enum rpio_pace pace);

/* The bytes of the VideoCore's memory that a ring of so many slots begins with: 64-bit, for any number. */
uint64_t rpio_dma_ring_bytes(unsigned slots);

/* Whether the channel works for somebody, as its registers say. */
int rpio_dma_is_active(const struct rpio_dma *dma, unsigned channel);

/* Starts a ring of `slots` slots (2 to RPIO_DMA_SLOTS_MAX) without an edge. -EINVAL for a channel or a number out of
 * range or without a pace, -EEXIST where it was started here, -EBUSY where it works for somebody else, -ENOMEM where the
 * mailbox gives no memory, -EUSERS where no pace is left, -ETIMEDOUT where the clock does not start. */
int rpio_dma_start(struct rpio_dma *dma, unsigned channel, unsigned slots);

/* High on `line` from slot `start` for `width` slots, in each turn of the ring, then low up to the line's next pulse. A
 * pulse may end with the ring; one that touches another becomes one with it. It takes the place of those that begin in
 * it, and of the rest of one that reaches into it; width 0: low from `start` on. Where it takes the place of any, a turn
 * may have both. -ENOENT: the channel has no ring. -EINVAL: out of range. -ENOMEM. */
int rpio_dma_add(struct rpio_dma *dma, unsigned channel, unsigned line, unsigned start, unsigned width);

/* The line's only pulse is this one now; width 0: none. Where both begin in the same slot, each turn of the ring has
 * the old one or the new one; else a turn may have both, or one that reaches from one to the other. */
int rpio_dma_replace(struct rpio_dma *dma, unsigned channel, unsigned line, unsigned start, unsigned width);

/* No pulse on the line, or on any. A pulse that is on ends at its end, but for one that has none: it ends now. -ENOENT:
 * no ring, or no such line in it. */
int rpio_dma_clear_line(struct rpio_dma *dma, unsigned channel, unsigned line);
int rpio_dma_clear(struct rpio_dma *dma, unsigned channel);

/* Lets go of lines whose last pulse is over, which the ring drives low until then. Returns 0, or for how many slots more a
 * pulse may be on: call it again after that, with `has_waited`. The same number again and again: the engine stands still.
 * -ENOENT. */
int rpio_dma_settle(struct rpio_dma *dma, unsigned channel, int has_waited);

/* A step of a wave: these lines go high, those low, and then nothing happens for so many slots. */
struct rpio_wave_step {
    uint32_t set, clear;
    uint32_t slots; /* at least 1 */
};

/* Plays a wave `repeat` times, or 0: until rpio_dma_stop(). Errors as rpio_dma_start(); -EINVAL for a step of no slots,
 * and where count * repeat is above RPIO_DMA_WAVE_MAX. */
int rpio_dma_play(struct rpio_dma *dma, unsigned channel, const struct rpio_wave_step *steps, size_t count,
                  unsigned repeat);

/* Ends the channel at once, its lines low (those of a wave stay as they are), and gives its memory back. -ENOENT. */
int rpio_dma_stop(struct rpio_dma *dma, unsigned channel);

struct rpio_dma_info {
    unsigned slots;      /* of the ring; 0 for a wave */
    uint32_t lines;      /* that had a pulse */
    unsigned edge_slots; /* of a ring: in which something happens, or has */
    unsigned pages;      /* of 4096 bytes that it takes of the VideoCore's memory */
    int is_active;       /* 0: a wave has ended, or the hardware has stopped */
    uint32_t error;      /* bits 0 to 2 of the channel's DEBUG register */
    uint32_t handles[2]; /* of its memory; 0: none */
};

int rpio_dma_info(const struct rpio_dma *dma, unsigned channel, struct rpio_dma_info *info); /* or -ENOENT */

/* Whether the line is high in a slot of the ring, as asked for; -ENOENT, -EINVAL. */
int rpio_dma_level(const struct rpio_dma *dma, unsigned channel, unsigned line, unsigned slot);

/* Resets a channel that another program has left running, drives these lines low, and gives its memory back. */
int rpio_dma_reap(struct rpio_dma *dma, unsigned channel, uint32_t lines, const uint32_t handles[2]);

/* ---- the guardian (dma_guard.c) ----------------------------------------------------------------------- */

/* Forks a small process, no child of this one, which stops all that runs here, its lines low, as soon as this process
 * has ended, however it ended; then it removes the file `state_path`. `lock_fd` stays open in it (-1: none does), so
 * that a lock is held until it is done. Returns a descriptor that this process has to keep: closing it ends the
 * guardian, which stops what runs then. */
int rpio_guard_start(struct rpio_dma *dma, const char *state_path, int lock_fd, int *pid);

#endif
