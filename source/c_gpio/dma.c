/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * dma.c - DMA channels: their registers. What paces them is in dma_pace.c, what they walk is made in dma_chain.c.
 *
 * Source: BCM2835 ARM Peripherals, 4.2 (DMA registers).
 */
#include "dma_state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* ---- registers ------------------------------------------------------------------------------------ */

enum { DMA_STRIDE = 0x100, DMA_CS = 0x00, DMA_CONTROL_BLOCK = 0x04, DMA_DEBUG = 0x20 };

#define CS_ACTIVE (1u << 0)
#define CS_END (1u << 1)
#define CS_INTERRUPT (1u << 2)
#define CS_RESET (1u << 31)
#define CS_START 0x10880001u /* active, priority and panic priority 8, waits for outstanding writes */
#define DEBUG_ERRORS 7u      /* read error, FIFO error, last not set: written to be cleared */

enum { GPCLR0 = 0x28 };

#define PWM_FIFO_WORDS 16u
#define PCM_FIFO_WORDS 64u

/* ---- what differs between SoCs -------------------------------------------------------------------- */

#define DIRECT_COHERENT 0x0Cu
#define DIRECT 0x04u

static const struct variant variants[] = {
    {"brcm,bcm2835", 500, DIRECT_COHERENT, 14}, {"brcm,bcm2836", 500, DIRECT, 14},
    {"brcm,bcm2837", 500, DIRECT, 14},          {"brcm,bcm2711", 750, DIRECT, 10},
};

static const struct rpio_delay delays[] = {
    {.fifo_bus = 0x7E20C018, .dreq = 5, .fill_words = PWM_FIFO_WORDS},
    {.fifo_bus = 0x7E203004, .dreq = 2, .fill_words = PCM_FIFO_WORDS},
};

/* ---- opening -------------------------------------------------------------------------------------- */

static const struct variant *find_variant(const char *compatible)
{
    for (size_t i = 0; i < sizeof variants / sizeof variants[0]; i++)
        if (strncmp(compatible, variants[i].compatible, strlen(variants[i].compatible)) == 0)
            return &variants[i];
    return NULL;
}

static int make(struct rpio_dma **out, const char *compatible)
{
    const struct variant *variant = find_variant(compatible);
    *out = variant ? calloc(1, sizeof **out) : NULL;
    if (!*out)
        return variant ? -ENOMEM : -ENODEV;
    void *shared = mmap(NULL, sizeof(struct running), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
        free(*out);
        *out = NULL;
        return -ENOMEM;
    }
    (*out)->variant = variant;
    (*out)->running = shared;
    (*out)->owner = getpid();
    (*out)->peripherals = (struct rpio_peripherals){.mem_fd = -1, .vcio_fd = -1};
    return 0;
}

int rpio_dma_attach(struct rpio_dma **out, const char *compatible, void *soc)
{
    int error = make(out, compatible);
    if (error == 0)
        (*out)->peripherals = (struct rpio_peripherals){.gpio = soc, .mem_fd = -1, .vcio_fd = -1};
    return error;
}

static int map_all(struct rpio_peripherals *of, uint64_t base)
{
    struct {
        volatile uint32_t **block;
        enum rpio_peripheral which;
    } all[] = {{&of->dma, PERIPHERAL_DMA},
               {&of->clocks, PERIPHERAL_CLOCKS},
               {&of->gpio, PERIPHERAL_GPIO},
               {&of->pcm, PERIPHERAL_PCM},
               {&of->pwm, PERIPHERAL_PWM}};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        void *at = mmap(NULL, PERIPHERAL_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, of->mem_fd,
                        (off_t)(base + (uint64_t)all[i].which));
        if (at == MAP_FAILED)
            return -errno;
        *all[i].block = at;
    }
    return 0;
}

int rpio_dma_open(struct rpio_dma **out, const char *compatible, uint64_t base, const char *mem_path,
                  const char *vcio_path)
{
    int error = make(out, compatible);
    if (error < 0)
        return error;
    struct rpio_peripherals *of = &(*out)->peripherals;
    of->mem_fd = open(mem_path, O_RDWR | O_SYNC | O_CLOEXEC);
    of->vcio_fd = of->mem_fd < 0 ? -1 : open(vcio_path, O_RDWR | O_CLOEXEC);
    error = of->vcio_fd < 0 ? -errno : map_all(of, base);
    if (error < 0) {
        rpio_dma_free(*out);
        *out = NULL;
    }
    return error;
}

static void close_all(struct rpio_peripherals *of)
{
    if (of->mem_fd < 0) /* a modelled SoC: nothing is mapped */
        return;
    volatile uint32_t *all[] = {of->dma, of->clocks, of->gpio, of->pcm, of->pwm};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (all[i])
            (void)munmap((void *)(uintptr_t)all[i], PERIPHERAL_BYTES);
    (void)close(of->mem_fd);
    if (of->vcio_fd >= 0)
        (void)close(of->vcio_fd);
}

const struct rpio_peripherals *rpio_dma_peripherals(const struct rpio_dma *dma)
{
    return &dma->peripherals;
}

unsigned rpio_dma_last_channel(const struct rpio_dma *dma)
{
    return dma->variant->last_channel;
}

/* ---- channels ------------------------------------------------------------------------------------- */

static uint32_t get_channel(const struct rpio_dma *dma, unsigned channel, uint32_t offset)
{
    return get(dma, PERIPHERAL_DMA, channel * DMA_STRIDE + offset);
}

static void put_channel(const struct rpio_dma *dma, unsigned channel, uint32_t offset, uint32_t value)
{
    put(dma, PERIPHERAL_DMA, channel * DMA_STRIDE + offset, value);
}

static void reset(const struct rpio_dma *dma, unsigned channel)
{
    put_channel(dma, channel, DMA_CS, CS_RESET);
    wait_ns(dma, SETTLE_NS);
    reg_barrier();
}

static void run(const struct rpio_dma *dma, unsigned channel, uint32_t first_block)
{
    reset(dma, channel);
    put_channel(dma, channel, DMA_CS, CS_INTERRUPT | CS_END);
    put_channel(dma, channel, DMA_CONTROL_BLOCK, first_block);
    put_channel(dma, channel, DMA_DEBUG, DEBUG_ERRORS);
    put_channel(dma, channel, DMA_CS, CS_START);
    reg_barrier();
}

static void drive_low(const struct rpio_dma *dma, uint32_t lines)
{
    if (lines)
        put(dma, PERIPHERAL_GPIO, GPCLR0, lines);
    reg_barrier();
}

int rpio_dma_is_active(const struct rpio_dma *dma, unsigned channel)
{
    if (channel > dma->variant->last_channel)
        return -EINVAL;
    return (get_channel(dma, channel, DMA_CS) & CS_ACTIVE) != 0;
}

static struct channel *used(struct rpio_dma *dma, unsigned channel, enum use use)
{
    return channel < RPIO_DMA_CHANNELS && dma->channels[channel].use == use ? &dma->channels[channel] : NULL;
}

/* Checks what a channel needs to be started, and takes a pace for it. */
static int claim(struct rpio_dma *dma, unsigned channel)
{
    if (channel > dma->variant->last_channel || !dma->slot_us)
        return -EINVAL;
    if (dma->channels[channel].use != FREE)
        return -EEXIST;
    if (rpio_dma_is_active(dma, channel))
        return -EBUSY;
    int pace = rpio_pace_free(dma);
    if (pace == NO_PACE)
        return -EUSERS;
    dma->channels[channel] = (struct channel){.pace = pace};
    return dma->running->is_on[pace] ? 0 : rpio_pace_start(dma, (enum rpio_pace)pace);
}

/* For the guardian. */
static void remember(struct rpio_dma *dma, unsigned channel)
{
    const struct channel *of = &dma->channels[channel];
    dma->running->channels[channel].handles[0] = of->use == RING ? of->ring.memory[0].handle : of->wave.handle;
    dma->running->channels[channel].handles[1] = of->ring.memory[1].handle;
    dma->running->channels[channel].is_running = of->use != FREE;
}

static void add_lines(struct rpio_dma *dma, unsigned channel, uint32_t lines)
{
    dma->running->channels[channel].lines |= lines;
}

static uint32_t lines_of(const struct rpio_dma *dma, unsigned channel)
{
    return dma->running->channels[channel].lines;
}

static void give_all(struct rpio_dma *dma, unsigned number)
{
    struct channel *channel = &dma->channels[number];
    rpio_ring_free(&channel->ring);
    rpio_memory_give(&dma->peripherals, &channel->ring.memory[0]);
    rpio_memory_give(&dma->peripherals, &channel->ring.memory[1]);
    rpio_memory_give(&dma->peripherals, &channel->wave);
    int pace = channel->pace;
    *channel = (struct channel){.use = FREE};
    dma->running->channels[number].lines = 0;
    remember(dma, number);
    for (unsigned i = 0; i < RPIO_DMA_CHANNELS; i++)
        if (dma->channels[i].use != FREE && dma->channels[i].pace == pace)
            return;
    rpio_pace_stop(dma, (enum rpio_pace)pace);
}

/* While its FIFO is filled the pace takes words out of it: one in a slot, and a word is there in less than 1 us. */
static struct rpio_delay delay_of(const struct rpio_dma *dma, int pace)
{
    struct rpio_delay delay = delays[pace];
    delay.fill_words += (delay.fill_words + dma->slot_us - 1) / dma->slot_us;
    return delay;
}

uint64_t rpio_dma_ring_bytes(unsigned slots)
{
    return rpio_ring_bytes(slots, 0);
}

int rpio_dma_start(struct rpio_dma *dma, unsigned channel, unsigned slots)
{
    if (slots < 2 || slots > RPIO_DMA_SLOTS_MAX)
        return -EINVAL;
    int error = claim(dma, channel);
    if (error < 0)
        return error;
    struct channel *of = &dma->channels[channel];
    struct rpio_memory memory = {0};
    error = rpio_memory_get(&dma->peripherals, rpio_ring_bytes(slots, 0), dma->variant->memory_flags, &memory);
    if (error == 0) {
        struct rpio_delay delay = delay_of(dma, of->pace);
        error = rpio_ring_make(&of->ring, slots, &memory, &delay);
        of->ring.memory[0] = memory;
    }
    if (error < 0) {
        give_all(dma, channel);
        return error;
    }
    of->use = RING;
    remember(dma, channel);
    run(dma, channel, rpio_ring_first(&of->ring));
    return 0;
}

/* Room for the nodes of a pulse: more memory where it is needed. */
static int make_room(struct rpio_dma *dma, unsigned channel, unsigned start, unsigned width)
{
    struct rpio_ring *ring = &dma->channels[channel].ring;
    if (rpio_ring_has_room(ring, rpio_ring_nodes_for(ring, start, width)))
        return 0;
    int error = rpio_memory_get(&dma->peripherals, rpio_ring_bytes(ring->slots, 1), dma->variant->memory_flags,
                                &ring->memory[1]);
    remember(dma, channel);
    return error;
}

static int check_pulse(const struct rpio_ring *ring, unsigned line, unsigned start, unsigned width)
{
    int fits = start < ring->slots && width <= ring->slots - start;
    return line < RPIO_DMA_LINES && fits ? 0 : -EINVAL;
}

int rpio_dma_add(struct rpio_dma *dma, unsigned channel, unsigned line, unsigned start, unsigned width)
{
    struct channel *of = used(dma, channel, RING);
    int error = of ? check_pulse(&of->ring, line, start, width) : -ENOENT;
    if (error < 0)
        return error;
    error = make_room(dma, channel, start, width);
    if (error < 0)
        return error;
    add_lines(dma, channel, 1u << line);
    rpio_ring_lay(&of->ring, 1u << line, start, width);
    return 0;
}

int rpio_dma_settle(struct rpio_dma *dma, unsigned channel, int has_waited)
{
    struct channel *of = used(dma, channel, RING);
    return of ? (int)rpio_ring_settle(&of->ring, get_channel(dma, channel, DMA_CONTROL_BLOCK), has_waited) : -ENOENT;
}

static void clear_lines(struct rpio_dma *dma, unsigned channel, uint32_t lines)
{
    drive_low(dma, rpio_ring_clear(&dma->channels[channel].ring, lines));
    (void)rpio_dma_settle(dma, channel, 0);
}

int rpio_dma_replace(struct rpio_dma *dma, unsigned channel, unsigned line, unsigned start, unsigned width)
{
    struct channel *of = used(dma, channel, RING);
    int error = of ? check_pulse(&of->ring, line, start, width) : -ENOENT;
    error = error < 0 || width == 0 ? error : make_room(dma, channel, start, width);
    if (error < 0)
        return error;
    add_lines(dma, channel, 1u << line);
    if (width == 0) {
        clear_lines(dma, channel, 1u << line);
        return 0;
    }
    rpio_ring_replace(&of->ring, 1u << line, start, width);
    (void)rpio_dma_settle(dma, channel, 0);
    return 0;
}

int rpio_dma_clear_line(struct rpio_dma *dma, unsigned channel, unsigned line)
{
    struct channel *of = used(dma, channel, RING);
    if (!of || line >= RPIO_DMA_LINES || !(lines_of(dma, channel) >> line & 1u))
        return -ENOENT;
    clear_lines(dma, channel, 1u << line);
    return 0;
}

int rpio_dma_clear(struct rpio_dma *dma, unsigned channel)
{
    struct channel *of = used(dma, channel, RING);
    if (!of)
        return -ENOENT;
    clear_lines(dma, channel, lines_of(dma, channel));
    return 0;
}

static int check_wave(const struct rpio_wave_step *steps, size_t count, unsigned turns)
{
    if (count == 0 || count > RPIO_DMA_WAVE_MAX || count * (uint64_t)turns > RPIO_DMA_WAVE_MAX)
        return -EINVAL;
    for (size_t i = 0; i < count; i++)
        if (steps[i].slots == 0)
            return -EINVAL;
    return 0;
}

int rpio_dma_play(struct rpio_dma *dma, unsigned channel, const struct rpio_wave_step *steps, size_t count,
                  unsigned repeat)
{
    unsigned turns = repeat ? repeat : 1;
    int error = check_wave(steps, count, turns);
    error = error < 0 ? error : claim(dma, channel);
    if (error < 0)
        return error;
    struct channel *of = &dma->channels[channel];
    error = rpio_memory_get(&dma->peripherals, rpio_wave_bytes(steps, count, turns), dma->variant->memory_flags,
                            &of->wave);
    if (error < 0) {
        give_all(dma, channel);
        return error;
    }
    of->use = WAVE;
    for (size_t i = 0; i < count; i++)
        add_lines(dma, channel, steps[i].set | steps[i].clear);
    remember(dma, channel);
    struct rpio_delay delay = delay_of(dma, of->pace);
    run(dma, channel, rpio_wave_make(&of->wave, &delay, steps, count, turns, repeat == 0));
    return 0;
}

int rpio_dma_stop(struct rpio_dma *dma, unsigned channel)
{
    if (channel >= RPIO_DMA_CHANNELS || dma->channels[channel].use == FREE)
        return -ENOENT;
    reset(dma, channel);
    drive_low(dma, dma->channels[channel].use == RING ? lines_of(dma, channel) : 0);
    give_all(dma, channel);
    return 0;
}

int rpio_dma_info(const struct rpio_dma *dma, unsigned channel, struct rpio_dma_info *info)
{
    if (channel >= RPIO_DMA_CHANNELS || dma->channels[channel].use == FREE)
        return -ENOENT;
    const struct channel *of = &dma->channels[channel];
    const struct rpio_memory *first = of->use == RING ? &of->ring.memory[0] : &of->wave;
    *info = (struct rpio_dma_info){
        .slots = of->ring.slots,
        .lines = lines_of(dma, channel),
        .edge_slots = of->ring.nodes,
        .pages = (unsigned)((first->bytes + of->ring.memory[1].bytes) / 4096),
        .is_active = rpio_dma_is_active(dma, channel),
        .error = get_channel(dma, channel, DMA_DEBUG) & DEBUG_ERRORS,
        .handles = {first->handle, of->ring.memory[1].handle},
    };
    return 0;
}

int rpio_dma_level(const struct rpio_dma *dma, unsigned channel, unsigned line, unsigned slot)
{
    if (channel >= RPIO_DMA_CHANNELS || dma->channels[channel].use != RING)
        return -ENOENT;
    const struct rpio_ring *ring = &dma->channels[channel].ring;
    return line < RPIO_DMA_LINES && slot < ring->slots ? (int)(ring->levels[slot] >> line & 1u) : -EINVAL;
}

int rpio_dma_reap(struct rpio_dma *dma, unsigned channel, uint32_t lines, const uint32_t handles[2])
{
    if (channel > dma->variant->last_channel)
        return -EINVAL;
    reset(dma, channel);
    drive_low(dma, lines);
    for (int i = 0; i < 2; i++)
        if (handles[i])
            (void)rpio_memory_release(&dma->peripherals, handles[i]);
    return 0;
}

/* From the guardian: all that the other process has told. */
void rpio_dma_halt(struct rpio_dma *dma)
{
    for (unsigned i = 0; i < RPIO_DMA_CHANNELS; i++) {
        const volatile uint32_t *handles = dma->running->channels[i].handles;
        if (dma->running->channels[i].is_running)
            (void)rpio_dma_reap(dma, i, lines_of(dma, i), (uint32_t[]){handles[0], handles[1]});
    }
    rpio_pace_stop(dma, RPIO_PACE_PWM);
    rpio_pace_stop(dma, RPIO_PACE_PCM);
}

void rpio_dma_free(struct rpio_dma *dma)
{
    if (!dma)
        return;
    for (unsigned i = 0; i < RPIO_DMA_CHANNELS && dma->owner == getpid(); i++)
        (void)rpio_dma_stop(dma, i);
    for (unsigned i = 0; i < RPIO_DMA_CHANNELS; i++)
        rpio_ring_free(&dma->channels[i].ring);
    close_all(&dma->peripherals);
    (void)munmap((void *)(uintptr_t)dma->running, sizeof *dma->running);
    free(dma);
}
