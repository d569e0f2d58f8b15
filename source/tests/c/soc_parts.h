/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Private to soc_dma.c, soc_pace.c and soc_memory.c: how they are made into one part of a SoC. */
#ifndef RPIO_TESTS_SOC_PARTS_H
#define RPIO_TESTS_SOC_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct soc;

struct soc_kind {
    const char *compatible, *gpio;
    uint64_t oscillator_hz, plld_hz;
    uint32_t alias;        /* of the SDRAM, for a DMA engine: the top two bits of a bus address */
    uint32_t memory_flags; /* that an allocation must have, among those that choose the alias */
    uint32_t memory_first, memory_end; /* physical; what the VideoCore gives */
    unsigned channels;     /* 0 to channels - 1 have the control blocks that are modelled */
};

enum { FIRST_LITE = 7, DREQ_NONE = 0, DREQ_PCM = 2, DREQ_PWM = 5 };

/* ---- soc_memory.c ---- */

enum { BLOCKS_MAX = 1024 }; /* handles in the life of a SoC: none is used twice */

struct vc_block {
    uint32_t physical, bytes; /* whole pages */
    unsigned locks;
    bool is_released;
    unsigned char *at;
};

struct vc_memory {
    const struct soc_kind *kind;
    struct vc_block block[BLOCKS_MAX];
    unsigned blocks, last_found;
    uint32_t free_from; /* physical; what was given once is never given again */
    size_t in_use, limit;
    int error;
    unsigned error_after;
};

void vc_memory_init(struct vc_memory *memory, const struct soc_kind *kind);
void vc_memory_release(struct vc_memory *memory);

/* Memory as a DMA engine sees it; NULL where it must not look, which is a broken rule. */
unsigned char *vc_memory_at(struct vc_memory *memory, struct soc *soc, uint32_t bus_address, uint32_t bytes,
                            const char *what);

/* ---- soc_pace.c ---- */

struct clock {
    uint32_t control, divider;
    bool is_running;
    uint64_t changes_at; /* from then on it runs, or stands */
};

/* A FIFO and what takes words out of it, one in each period. */
struct fifo {
    unsigned level, size;
    bool is_on;
    bool keeps_time;          /* an empty FIFO does not stop the periods */
    bool has_run_dry;
    uint64_t start, periods;  /* now is in period number `periods` since `start` */
    uint64_t next;            /* when the next word goes; SOC_NEVER while off or empty */
    uint64_t clocks, divider; /* of one period; the divider in 1/4096 */
    uint64_t hz;
};

struct pace {
    const struct soc_kind *kind;
    struct soc *soc;
    struct clock pcm_clock, pwm_clock;
    struct fifo pcm_fifo, pwm_fifo;
    uint32_t pwm_control, pwm_errors, pwm_dmac, pwm_range[2], pwm_data[2];
    uint32_t pcm_control, pcm_mode, pcm_rx, pcm_tx, pcm_dreq, pcm_interrupts;
    bool pcm_error, pcm_is_clearing, pcm_sync;
    uint64_t pcm_cleared_at, pcm_sync_at, pcm_ram_at;
};

void pace_init(struct pace *pace, struct soc *soc, const struct soc_kind *kind);
uint64_t pace_next(const struct pace *pace);
void pace_run(struct pace *pace, uint64_t now); /* every event of this time */
bool pace_requests(const struct pace *pace, unsigned dreq);

/* Registers at an offset from the peripherals' base. */
bool pace_owns(uint32_t offset);
uint32_t pace_read(struct pace *pace, uint32_t offset);
void pace_write(struct pace *pace, uint32_t offset, uint32_t value);

/* ---- the whole ---- */

enum { CHANNELS = 15 };

enum channel_state { CHANNEL_IDLE, CHANNEL_LOADS, CHANNEL_MOVES };

struct channel {
    enum channel_state state;
    bool is_active, is_stalled, has_ended, has_interrupt;
    uint32_t settings; /* the bits of CS that only are kept */
    uint32_t errors;   /* bits 0 to 2 of DEBUG */
    uint32_t block, ti, source, destination, length, stride, next;
    uint64_t at;            /* when it has loaded the block, or moved the word; SOC_NEVER: it waits for something */
    uint64_t waiting_since; /* for its turn at the FIFO */
    unsigned loaded;
};

struct machine {
    struct soc *soc;
    const struct soc_kind *kind;
    struct pace pace;
    struct vc_memory memory;
    struct channel channel[CHANNELS];
    uint32_t enabled; /* one bit a channel */
    unsigned stalled; /* channels */
};

struct machine *machine_of(const struct soc *soc); /* NULL: a SoC without */

#endif
