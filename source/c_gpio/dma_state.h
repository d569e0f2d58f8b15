/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * dma_state.h - private to dma.c and dma_pace.c: what is known of the engine, and how both reach its registers.
 */
#ifndef RPIO_DMA_STATE_H
#define RPIO_DMA_STATE_H

#include "dma_chain.h"

#include <sys/types.h>

#define SETTLE_NS 10000u

struct variant {
    const char *compatible;
    unsigned plld_mhz;
    uint32_t memory_flags; /* of the mailbox: past the caches, in the alias that the DMA engine uses */
    unsigned last_channel;
};

#define PACES 2
enum { NO_PACE = -1 };

enum use { FREE, RING, WAVE };

struct channel {
    enum use use;
    int pace;
    struct rpio_ring ring;
    struct rpio_memory wave;
};

/* What has to be stopped, in memory that the guardian shares. */
struct running {
    uint32_t is_on[PACES]; /* the pace's hardware runs */
    struct {
        uint32_t is_running, lines, handles[2];
    } channels[RPIO_DMA_CHANNELS];
};

struct rpio_dma {
    const struct variant *variant;
    struct rpio_peripherals peripherals;
    pid_t owner;      /* the process that may stop anything */
    unsigned slot_us; /* 0: no pace yet */
    enum rpio_pace first;
    int is_forbidden[PACES];
    struct channel channels[RPIO_DMA_CHANNELS];
    volatile struct running *running;
};

static inline uint32_t get(const struct rpio_dma *dma, enum rpio_peripheral which, uint32_t offset)
{
    return peripheral_read(&dma->peripherals, which, offset);
}

static inline void put(const struct rpio_dma *dma, enum rpio_peripheral which, uint32_t offset, uint32_t value)
{
    peripheral_write(&dma->peripherals, which, offset, value);
}

static inline void wait_ns(const struct rpio_dma *dma, uint64_t ns)
{
    struct rpio_regs regs = {.base = dma->peripherals.gpio};
    reg_wait_ns(&regs, ns);
}

/* In dma_pace.c. The pace's hardware runs when start has returned 0; stop may come twice; halt asks nothing. */
int rpio_pace_start(struct rpio_dma *dma, enum rpio_pace pace);
void rpio_pace_stop(struct rpio_dma *dma, enum rpio_pace pace);
void rpio_pace_halt(const struct rpio_dma *dma, enum rpio_pace pace);

/* The pace that no channel has, the one that was asked for first; or NO_PACE. */
int rpio_pace_free(const struct rpio_dma *dma);

#endif
