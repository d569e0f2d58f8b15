/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * dma_pace.c - what takes a word out of its FIFO in each slot: the PWM or the PCM block, and its clock.
 *
 * A FIFO asks whoever waits for it, so that two channels at one FIFO would have half the speed each. There are two
 * FIFOs, PWM's and PCM's, and so two channels at a time: the first one has the pace that was asked for, and the second
 * one the other.
 *
 * Sources: BCM2835 ARM Peripherals, 6.3 (clock manager), 8.8 (PCM), 9.6 (PWM); the clock manager's PCM and PWM words and
 * PLLD's rate: the errata of that document, and clk-bcm2835.c of Linux.
 */
#include "dma_state.h"

#include <errno.h>

#define CLOCK_PASSWORD 0x5A000000u
#define CLOCK_ENABLE (1u << 4)
#define CLOCK_KILL (1u << 5)
#define CLOCK_BUSY (1u << 7)
#define CLOCK_SOURCE 0xFu
#define CLOCK_PLLD 6u
#define CLOCK_DIVIDER_SHIFT 12

enum { PWM_CONTROL = 0x00, PWM_DMA = 0x08, PWM_RANGE1 = 0x10 };

#define PWM_ENABLE1 (1u << 0)
#define PWM_USE_FIFO1 (1u << 5)
#define PWM_CLEAR_FIFO (1u << 6)
#define PWM_DMA_ON 0x80000F0Fu /* enabled; panic and request while there are 15 words or fewer */

enum { PCM_CONTROL = 0x00, PCM_MODE = 0x08, PCM_TRANSMIT = 0x10, PCM_DMA = 0x14 };

#define PCM_ENABLE (1u << 0 | 1u << 25) /* and its memory out of standby */
#define PCM_TRANSMIT_ON (1u << 2)
#define PCM_CLEAR_FIFOS (3u << 3)
#define PCM_DMA_ON (1u << 9)
#define PCM_CHANNEL1 (1u << 30)
#define PCM_DMA_LEVELS 0x40004000u /* panic and request below 64 words */
#define PCM_FRAME_SHIFT 10

#define TICKS_PER_US 10u        /* of the pace's clock, and */
#define TICKS_PER_US_SLOW 1u    /* for slots that are long: a PCM frame has 1024 ticks at most */
#define FAST_SLOT_MAX_US 100u
#define CLOCK_TRIES 20000u /* 0.2 s or more, for a clock that takes a microsecond: a machine that is held up has time */

struct clock {
    uint32_t control, divider; /* offsets */
};

static const struct clock clocks[] = {{0xA0, 0xA4}, {0x98, 0x9C}}; /* by enum rpio_pace */

static int wait_for_clock(const struct rpio_dma *dma, uint32_t control, uint32_t busy)
{
    for (unsigned i = 0; i < CLOCK_TRIES; i++) {
        if ((get(dma, PERIPHERAL_CLOCKS, control) & CLOCK_BUSY) == busy)
            return 0;
        wait_ns(dma, SETTLE_NS);
    }
    return -ETIMEDOUT;
}

/* A clock that is busy keeps its source and its divider. */
static int stop_clock(const struct rpio_dma *dma, enum rpio_pace pace)
{
    uint32_t control = clocks[pace].control, source = get(dma, PERIPHERAL_CLOCKS, control) & CLOCK_SOURCE;
    put(dma, PERIPHERAL_CLOCKS, control, CLOCK_PASSWORD | source);
    if (wait_for_clock(dma, control, 0) == 0)
        return 0;
    put(dma, PERIPHERAL_CLOCKS, control, CLOCK_PASSWORD | CLOCK_KILL | source);
    return wait_for_clock(dma, control, 0);
}

static int start_clock(const struct rpio_dma *dma, enum rpio_pace pace, unsigned ticks_per_us)
{
    const struct clock *clock = &clocks[pace];
    int error = stop_clock(dma, pace);
    if (error < 0)
        return error;
    put(dma, PERIPHERAL_CLOCKS, clock->control, CLOCK_PASSWORD | CLOCK_PLLD);
    put(dma, PERIPHERAL_CLOCKS, clock->divider,
        CLOCK_PASSWORD | dma->variant->plld_mhz / ticks_per_us << CLOCK_DIVIDER_SHIFT);
    wait_ns(dma, SETTLE_NS);
    put(dma, PERIPHERAL_CLOCKS, clock->control, CLOCK_PASSWORD | CLOCK_ENABLE | CLOCK_PLLD);
    return wait_for_clock(dma, clock->control, CLOCK_BUSY);
}

static void start_pwm(const struct rpio_dma *dma, uint32_t ticks)
{
    put(dma, PERIPHERAL_PWM, PWM_RANGE1, ticks);
    put(dma, PERIPHERAL_PWM, PWM_DMA, PWM_DMA_ON);
    put(dma, PERIPHERAL_PWM, PWM_CONTROL, PWM_CLEAR_FIFO);
    wait_ns(dma, SETTLE_NS);
    put(dma, PERIPHERAL_PWM, PWM_CONTROL, PWM_USE_FIFO1 | PWM_ENABLE1);
}

static void start_pcm(const struct rpio_dma *dma, uint32_t ticks)
{
    put(dma, PERIPHERAL_PCM, PCM_CONTROL, PCM_ENABLE);
    put(dma, PERIPHERAL_PCM, PCM_TRANSMIT, PCM_CHANNEL1);
    put(dma, PERIPHERAL_PCM, PCM_MODE, (ticks - 1) << PCM_FRAME_SHIFT);
    put(dma, PERIPHERAL_PCM, PCM_CONTROL, PCM_ENABLE | PCM_CLEAR_FIFOS);
    wait_ns(dma, SETTLE_NS); /* two clocks of the PCM block */
    put(dma, PERIPHERAL_PCM, PCM_DMA, PCM_DMA_LEVELS);
    put(dma, PERIPHERAL_PCM, PCM_CONTROL, PCM_ENABLE | PCM_DMA_ON);
    put(dma, PERIPHERAL_PCM, PCM_CONTROL, PCM_ENABLE | PCM_DMA_ON | PCM_TRANSMIT_ON);
}

void rpio_pace_halt(const struct rpio_dma *dma, enum rpio_pace pace)
{
    if (pace == RPIO_PACE_PWM) {
        put(dma, PERIPHERAL_PWM, PWM_CONTROL, 0);
        put(dma, PERIPHERAL_PWM, PWM_DMA, 0);
    } else {
        put(dma, PERIPHERAL_PCM, PCM_CONTROL, 0);
    }
    reg_barrier();
}

int rpio_pace_start(struct rpio_dma *dma, enum rpio_pace pace)
{
    unsigned ticks_per_us = dma->slot_us <= FAST_SLOT_MAX_US ? TICKS_PER_US : TICKS_PER_US_SLOW;
    uint32_t ticks = dma->slot_us * ticks_per_us;
    rpio_pace_halt(dma, pace); /* nothing may use the clock while it changes */
    int error = start_clock(dma, pace, ticks_per_us);
    reg_barrier();
    if (error < 0)
        return error;
    if (pace == RPIO_PACE_PWM)
        start_pwm(dma, ticks);
    else
        start_pcm(dma, ticks);
    reg_barrier();
    dma->running->is_on[pace] = 1;
    return 0;
}

void rpio_pace_stop(struct rpio_dma *dma, enum rpio_pace pace)
{
    if (!dma->running->is_on[pace])
        return;
    rpio_pace_halt(dma, pace);
    (void)stop_clock(dma, pace);
    reg_barrier();
    dma->running->is_on[pace] = 0;
}

int rpio_dma_set_pace(struct rpio_dma *dma, enum rpio_pace pace, unsigned slot_us)
{
    if ((pace != RPIO_PACE_PWM && pace != RPIO_PACE_PCM) || slot_us == 0 || slot_us > RPIO_DMA_SLOT_MAX_US)
        return -EINVAL;
    if (dma->slot_us)
        return dma->slot_us == slot_us && dma->first == pace ? -EALREADY : -EBUSY;
    dma->slot_us = slot_us;
    dma->first = pace;
    return 0;
}

int rpio_dma_forbid_pace(struct rpio_dma *dma, enum rpio_pace pace)
{
    if (pace != RPIO_PACE_PWM && pace != RPIO_PACE_PCM)
        return -EINVAL;
    dma->is_forbidden[pace] = 1;
    return 0;
}

int rpio_pace_free(const struct rpio_dma *dma)
{
    int taken[PACES] = {dma->is_forbidden[0], dma->is_forbidden[1]};
    for (unsigned i = 0; i < RPIO_DMA_CHANNELS; i++)
        if (dma->channels[i].use != FREE)
            taken[dma->channels[i].pace] = 1;
    return !taken[dma->first] ? (int)dma->first : !taken[!dma->first] ? !dma->first : NO_PACE;
}
