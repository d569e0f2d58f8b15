/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * The DMA engine of the modelled SoC, and what joins it with the rest. Sources: [2835] BCM2835 ARM Peripherals, chapter
 * 4 "DMA Controller", and its errata; [2711] BCM2711 ARM Peripherals, the same chapter.
 *
 * Modelled: control blocks that move words, with or without increments, paced by DREQ 2 (PCM) or 5 (PWM) at the
 * destination or not at all. Everything else that a block can ask for is a broken rule that names it, and stops the
 * channel. So is an address where a DMA engine must not go, with a bit in DEBUG: 2 for a read, 1 for a write (choice).
 *
 * Choices of the model
 *   Time: it takes 100 ns to load a block, and 100 ns to move a word, which arrives at the end of them. DREQ is looked
 *   at when the word would arrive; a word that waits for it arrives 100 ns after it rises.
 *   Channels that wait for the same DREQ get a word in turns: the one that waits longest goes first. So two channels on
 *   one pace each get every other period, as PCM and PWM have one FIFO each.
 *   END is set at the end of every block, as [2835] has it, INT where INTEN asks for it. A block is not read before the
 *   one in front of it has ended. PRIORITY and the panic levels are kept, and change nothing.
 *   All channels are enabled after power-on. On a BCM2711, 11 to 14 are another kind ("DMA4"): every access is told.
 */
#include "soc_dma.h"

#include <stdlib.h>
#include <string.h>

#include "soc.h"
#include "soc_parts.h"

enum { LOAD_NS = 100, MOVE_NS = 100 };

enum { DMA_BASE = 0x007000, DMA_END = 0x008000, GPIO_BASE = 0x200000, GPIO_END = 0x201000 };
enum dma_register {
    CS = 0x00, CONBLK_AD = 0x04, TI = 0x08, SOURCE_AD = 0x0C, DEST_AD = 0x10, TXFR_LEN = 0x14, STRIDE = 0x18,
    NEXTCONBK = 0x1C, DEBUG = 0x20,
    INT_STATUS = 0xFE0, ENABLE = 0xFF0, /* of the whole engine */
};

static const uint32_t CS_ACTIVE = 1u << 0, CS_END = 1u << 1, CS_INT = 1u << 2, CS_DREQ = 1u << 3, CS_PAUSED = 1u << 4,
                      CS_DREQ_STOPS = 1u << 5, CS_ERROR = 1u << 8, CS_ABORT = 1u << 30, CS_RESET = 1u << 31,
                      CS_SETTINGS = 0x30FF0000; /* the priorities, WAIT_FOR_OUTSTANDING_WRITES, DISDEBUG */

static const uint32_t TI_INTEN = 1u << 0, TI_TDMODE = 1u << 1, TI_DEST_INC = 1u << 4, TI_DEST_WIDTH = 1u << 5,
                      TI_DEST_DREQ = 1u << 6, TI_DEST_IGNORE = 1u << 7, TI_SRC_INC = 1u << 8, TI_SRC_WIDTH = 1u << 9,
                      TI_SRC_DREQ = 1u << 10, TI_SRC_IGNORE = 1u << 11, TI_BURST = 0xFu << 12, TI_WAITS = 0x1Fu << 21,
                      TI_RESERVED = 0xF8000004;

static const uint32_t ERROR_WRITE = 1u << 1, ERROR_READ = 1u << 2, DEBUG_LITE = 1u << 28;

static const struct soc_kind KINDS[] = {
    { "brcm,bcm2835", "brcm,bcm2835-gpio", 19200000, 500000000, 0x40000000, 0x0C, 0x18000000, 0x20000000, 15 },
    { "brcm,bcm2836", "brcm,bcm2835-gpio", 19200000, 500000000, 0xC0000000, 0x04, 0x30000000, 0x3B000000, 15 },
    { "brcm,bcm2837", "brcm,bcm2835-gpio", 19200000, 500000000, 0xC0000000, 0x04, 0x30000000, 0x3B000000, 15 },
    { "brcm,bcm2711", "brcm,bcm2711-gpio", 54000000, 750000000, 0xC0000000, 0x04, 0x30000000, 0x3B000000, 11 },
};

static unsigned number_of(const struct machine *machine, const struct channel *channel)
{
    return (unsigned)(channel - machine->channel);
}

static bool is_lite(const struct machine *machine, const struct channel *channel)
{
    return number_of(machine, channel) >= FIRST_LITE;
}

/* ---- the bus ---- */

/* A register of PCM, PWM or the clocks; words that wait for their DREQ may go on afterwards. */
static void pace_write_and_wake(struct machine *machine, uint32_t offset, uint32_t value);

static bool is_gpio(uint32_t offset)
{
    return offset >= GPIO_BASE && offset < GPIO_END;
}

/* Bus addresses of peripherals: 0x7E000000 and their offset. */
static bool is_peripheral(uint32_t bus_address)
{
    return bus_address >> 24 == 0x7E;
}

static bool bus_read(struct machine *machine, uint32_t address, uint32_t *value)
{
    uint32_t offset = address & 0xFFFFFF;
    const unsigned char *at;

    if (!is_peripheral(address)) {
        at = vc_memory_at(&machine->memory, machine->soc, address, sizeof *value, "read");
        if (at)
            memcpy(value, at, sizeof *value);
        return at != NULL;
    }
    if (is_gpio(offset))
        *value = soc_bus_read(machine->soc, offset - GPIO_BASE);
    else if (pace_owns(offset))
        *value = pace_read(&machine->pace, offset);
    else
        soc_break_rule(machine->soc, "DMA: read at 0x%08x, where nothing is modelled", (unsigned)address);
    return is_gpio(offset) || pace_owns(offset);
}

static bool bus_write(struct machine *machine, uint32_t address, uint32_t value)
{
    uint32_t offset = address & 0xFFFFFF;
    unsigned char *at;

    if (!is_peripheral(address)) {
        at = vc_memory_at(&machine->memory, machine->soc, address, sizeof value, "write");
        if (at)
            memcpy(at, &value, sizeof value);
        return at != NULL;
    }
    if (is_gpio(offset))
        soc_bus_write(machine->soc, offset - GPIO_BASE, value);
    else if (pace_owns(offset))
        pace_write_and_wake(machine, offset, value);
    else
        soc_break_rule(machine->soc, "DMA: write at 0x%08x, where nothing is modelled", (unsigned)address);
    return is_gpio(offset) || pace_owns(offset);
}

/* ---- a channel ---- */

static void stand_still(struct machine *machine, struct channel *channel)
{
    channel->at = SOC_NEVER;
    machine->stalled -= channel->is_stalled;
    channel->is_stalled = false;
}

static void fail(struct machine *machine, struct channel *channel, uint32_t error)
{
    stand_still(machine, channel);
    channel->errors |= error;
    channel->is_active = false;
    channel->state = CHANNEL_IDLE;
}

/* What a block asks for and the model (or the engine) cannot do; NULL: nothing. */
static const char *unsupported(const struct channel *channel, bool lite)
{
    uint32_t ti = channel->ti, dreq = ti >> 16 & 0x1F;
    const struct {
        bool is_asked;
        const char *name;
    } all[] = {
        { ti & TI_TDMODE, "TDMODE" },
        { ti & (TI_SRC_WIDTH | TI_DEST_WIDTH), "128-bit width" },
        { ti & TI_SRC_DREQ, "SRC_DREQ" },
        { ti & TI_BURST, "a burst" },
        { ti & TI_WAITS, "WAITS" },
        { ti & TI_RESERVED, "a reserved bit of TI" },
        { lite && ti & (TI_SRC_IGNORE | TI_DEST_IGNORE), "SRC_IGNORE or DEST_IGNORE on a lite channel" },
        { ti & TI_DEST_DREQ && dreq != DREQ_NONE && dreq != DREQ_PCM && dreq != DREQ_PWM, "another peripheral's DREQ" },
        { channel->length == 0 || channel->length % 4, "a length that is not in words" },
        { lite && channel->length > 0xFFFC, "more than 0xFFFC bytes on a lite channel" },
        { (channel->source | channel->destination) % 4, "an address that is not a word's" },
        { channel->next % 32, "a next block that is not aligned to 32 bytes" },
    };

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (all[i].is_asked)
            return all[i].name;
    return NULL;
}

static void load(struct machine *machine, struct channel *channel)
{
    uint32_t word[8];
    const char *problem;
    const unsigned char *at =
        vc_memory_at(&machine->memory, machine->soc, channel->block, sizeof word, "control block");

    if (!at) {
        fail(machine, channel, ERROR_READ);
        return;
    }
    memcpy(word, at, sizeof word);
    channel->ti = word[0];
    channel->source = word[1];
    channel->destination = word[2];
    channel->length = word[3];
    channel->stride = word[4];
    channel->next = word[5];
    channel->loaded++;
    problem = word[6] || word[7] ? "a reserved word" : unsupported(channel, is_lite(machine, channel));
    if (problem) {
        soc_break_rule(machine->soc, "DMA channel %u: the block at 0x%08x has %s", number_of(machine, channel),
                       (unsigned)channel->block, problem);
        fail(machine, channel, 0);
        return;
    }
    channel->state = CHANNEL_MOVES;
    channel->at = channel->waiting_since = soc_now_ns(machine->soc) + MOVE_NS;
}

static void end_block(struct machine *machine, struct channel *channel)
{
    channel->has_ended = true;
    channel->has_interrupt = channel->has_interrupt || channel->ti & TI_INTEN;
    channel->block = channel->next;
    channel->is_active = channel->is_active && channel->next;
    channel->state = channel->next ? CHANNEL_LOADS : CHANNEL_IDLE;
    channel->at = channel->is_active ? soc_now_ns(machine->soc) + LOAD_NS : SOC_NEVER;
}

static unsigned dreq_of(const struct channel *channel)
{
    return channel->ti & TI_DEST_DREQ ? channel->ti >> 16 & 0x1F : DREQ_NONE;
}

static void move_word(struct machine *machine, struct channel *channel)
{
    uint32_t value = 0;

    if (!pace_requests(&machine->pace, dreq_of(channel))) {
        channel->at = SOC_NEVER;
        channel->is_stalled = true;
        machine->stalled++;
        return;
    }
    if (!(channel->ti & TI_SRC_IGNORE) && !bus_read(machine, channel->source, &value)) {
        fail(machine, channel, ERROR_READ);
        return;
    }
    if (!(channel->ti & TI_DEST_IGNORE) && !bus_write(machine, channel->destination, value)) {
        fail(machine, channel, ERROR_WRITE);
        return;
    }
    channel->source += channel->ti & TI_SRC_INC ? 4 : 0;
    channel->destination += channel->ti & TI_DEST_INC ? 4 : 0;
    channel->length -= 4;
    if (channel->length)
        channel->at = channel->waiting_since = soc_now_ns(machine->soc) + MOVE_NS;
    else
        end_block(machine, channel);
}

static void wake(struct machine *machine)
{
    for (unsigned i = 0; machine->stalled && i < CHANNELS; i++) {
        struct channel *channel = &machine->channel[i];

        if (!channel->is_stalled || !pace_requests(&machine->pace, dreq_of(channel)))
            continue;
        stand_still(machine, channel);
        channel->at = soc_now_ns(machine->soc) + MOVE_NS;
    }
}

static void pace_write_and_wake(struct machine *machine, uint32_t offset, uint32_t value)
{
    pace_write(&machine->pace, offset, value);
    wake(machine);
}

/* ---- its registers ---- */

static void go(struct machine *machine, struct channel *channel)
{
    unsigned number = number_of(machine, channel);

    if (!(machine->enabled >> number & 1)) {
        soc_break_rule(machine->soc, "DMA channel %u is started, and not enabled", number);
        return;
    }
    if (channel->state == CHANNEL_IDLE && !channel->block) {
        soc_break_rule(machine->soc, "DMA channel %u is started without a control block", number);
        return;
    }
    channel->is_active = true;
    if (channel->state == CHANNEL_IDLE)
        channel->state = CHANNEL_LOADS;
    channel->at = channel->waiting_since = soc_now_ns(machine->soc) +
                                           (channel->state == CHANNEL_LOADS ? LOAD_NS : MOVE_NS);
}

static void reset(struct machine *machine, struct channel *channel)
{
    unsigned loaded = channel->loaded;

    stand_still(machine, channel);
    *channel = (struct channel){ .at = SOC_NEVER, .loaded = loaded };
}

/* The rest of the block is left out. */
static void abort_block(struct machine *machine, struct channel *channel)
{
    if (channel->state == CHANNEL_IDLE)
        return;
    stand_still(machine, channel);
    if (channel->state == CHANNEL_MOVES)
        end_block(machine, channel);
    else if (channel->is_active)
        channel->at = soc_now_ns(machine->soc) + LOAD_NS;
}

static void control(struct machine *machine, struct channel *channel, uint32_t value)
{
    if (value & CS_RESET) {
        reset(machine, channel);
        return;
    }
    channel->settings = value & CS_SETTINGS;
    channel->has_ended = channel->has_ended && !(value & CS_END);
    channel->has_interrupt = channel->has_interrupt && !(value & CS_INT);
    if (value & CS_ABORT)
        abort_block(machine, channel);
    if (value & CS_ACTIVE && !channel->is_active) {
        go(machine, channel);
    } else if (!(value & CS_ACTIVE) && channel->is_active) {
        channel->is_active = false;
        stand_still(machine, channel);
    }
}

static uint32_t status(const struct machine *machine, const struct channel *channel)
{
    uint32_t value = channel->settings;

    value |= channel->is_active ? CS_ACTIVE : CS_PAUSED;
    value |= channel->has_ended ? CS_END : 0;
    value |= channel->has_interrupt ? CS_INT : 0;
    value |= pace_requests(&machine->pace, channel->ti >> 16 & 0x1F) ? CS_DREQ : 0;
    value |= channel->is_stalled ? CS_PAUSED | CS_DREQ_STOPS : 0;
    value |= channel->errors ? CS_ERROR : 0;
    return value;
}

static uint32_t channel_read(const struct machine *machine, const struct channel *channel, uint32_t offset)
{
    switch (offset) {
    case CS: return status(machine, channel);
    case CONBLK_AD: return channel->block;
    case TI: return channel->ti;
    case SOURCE_AD: return channel->source;
    case DEST_AD: return channel->destination;
    case TXFR_LEN: return channel->length;
    case STRIDE: return channel->stride;
    case NEXTCONBK: return channel->next;
    case DEBUG: return channel->errors | (is_lite(machine, channel) ? DEBUG_LITE : 0);
    default: return 0;
    }
}

static void channel_write(struct machine *machine, struct channel *channel, uint32_t offset, uint32_t value)
{
    unsigned number = number_of(machine, channel);

    if (offset == CS) {
        control(machine, channel, value);
    } else if (offset == DEBUG) {
        channel->errors &= ~value;
    } else if (offset != CONBLK_AD && offset != NEXTCONBK) {
        soc_break_rule(machine->soc, "DMA channel %u: write to the read-only register 0x%02x", number,
                       (unsigned)offset);
    } else if (channel->is_active) {
        soc_break_rule(machine->soc, "DMA channel %u: register 0x%02x written while the channel is active", number,
                       (unsigned)offset);
    } else if (value % 32) {
        soc_break_rule(machine->soc, "DMA channel %u: a control block that is not aligned to 32 bytes", number);
    } else if (offset == CONBLK_AD) {
        channel->block = value;
        channel->state = CHANNEL_IDLE; /* what was paused is over */
    } else {
        channel->next = value;
    }
}

/* NULL: no channel of the kind that is modelled. */
static struct channel *channel_at(struct machine *machine, uint32_t offset)
{
    unsigned number = offset >> 8;

    if (number < machine->kind->channels)
        return &machine->channel[number];
    soc_break_rule(machine->soc, "DMA channel %u is %s", number, number < CHANNELS ? "a DMA4 channel" : "not there");
    return NULL;
}

static uint32_t interrupts(const struct machine *machine)
{
    uint32_t value = 0;

    for (unsigned i = 0; i < CHANNELS; i++)
        value |= (uint32_t)machine->channel[i].has_interrupt << i;
    return value;
}

static uint32_t dma_read(struct machine *machine, uint32_t offset)
{
    struct channel *channel;

    if (offset == ENABLE)
        return machine->enabled;
    if (offset == INT_STATUS)
        return interrupts(machine);
    channel = channel_at(machine, offset);
    return channel ? channel_read(machine, channel, offset & 0xFF) : 0;
}

static void dma_write(struct machine *machine, uint32_t offset, uint32_t value)
{
    struct channel *channel;

    if (offset == ENABLE) {
        for (unsigned i = 0; i < CHANNELS; i++)
            if (machine->channel[i].is_active && !(value >> i & 1))
                soc_break_rule(machine->soc, "DMA channel %u is disabled while it is active", i);
        machine->enabled = value & 0x7FFF;
    } else {
        channel = channel_at(machine, offset);
        if (channel)
            channel_write(machine, channel, offset & 0xFF, value);
    }
}

/* ---- what the CPU reaches ---- */

static bool is_dma(uint32_t offset)
{
    return offset >= DMA_BASE && offset < DMA_END;
}

uint32_t soc_peripheral_read(struct soc *soc, uint32_t offset)
{
    struct machine *machine = machine_of(soc);

    if (is_gpio(offset))
        return soc_read(soc, offset - GPIO_BASE);
    if (machine && offset % 4 == 0 && is_dma(offset))
        return dma_read(machine, offset - DMA_BASE);
    if (machine && offset % 4 == 0 && pace_owns(offset))
        return pace_read(&machine->pace, offset);
    soc_break_rule(soc, "read at 0x%06x, where nothing is modelled", (unsigned)offset);
    return 0;
}

void soc_peripheral_write(struct soc *soc, uint32_t offset, uint32_t value)
{
    struct machine *machine = machine_of(soc);

    if (is_gpio(offset))
        soc_write(soc, offset - GPIO_BASE, value);
    else if (machine && offset % 4 == 0 && is_dma(offset))
        dma_write(machine, offset - DMA_BASE, value);
    else if (machine && offset % 4 == 0 && pace_owns(offset))
        pace_write_and_wake(machine, offset, value);
    else
        soc_break_rule(soc, "write at 0x%06x, where nothing is modelled", (unsigned)offset);
}

unsigned soc_fifo_level(const struct soc *soc, unsigned dreq)
{
    const struct machine *machine = machine_of(soc);

    return !machine ? 0 : dreq == DREQ_PCM ? machine->pace.pcm_fifo.level : machine->pace.pwm_fifo.level;
}

unsigned soc_blocks_loaded(const struct soc *soc, unsigned channel)
{
    const struct machine *machine = machine_of(soc);

    return machine && channel < CHANNELS ? machine->channel[channel].loaded : 0;
}

/* ---- the part of the SoC ---- */

/* The channel whose turn comes first; among those of the same time, the one that waits longest. */
static struct channel *next_channel(const struct machine *machine)
{
    const struct channel *first = &machine->channel[0];

    for (const struct channel *c = first + 1; c < machine->channel + machine->kind->channels; c++)
        if (c->at < first->at || (c->at == first->at && c->waiting_since < first->waiting_since))
            first = c;
    return (struct channel *)first;
}

static uint64_t machine_next(const void *state)
{
    const struct machine *machine = state;
    uint64_t at = next_channel(machine)->at, pace = pace_next(&machine->pace);

    return at < pace ? at : pace;
}

/* Everything up to the time when somebody else may look. FIFOs and clocks go before the channels. */
static void machine_run(void *state, struct soc *soc)
{
    struct machine *machine = state;
    uint64_t until = soc_free_until(soc);

    for (;;) {
        struct channel *channel = next_channel(machine);
        uint64_t pace = pace_next(&machine->pace);
        uint64_t now = channel->at < pace ? channel->at : pace;

        if (now == SOC_NEVER || now > until)
            return;
        soc_advance_to(soc, now);
        if (pace <= channel->at) {
            pace_run(&machine->pace, now);
            wake(machine);
        } else if (channel->state == CHANNEL_LOADS) {
            load(machine, channel);
        } else {
            move_word(machine, channel);
        }
    }
}

static void machine_release(void *state)
{
    struct machine *machine = state;

    vc_memory_release(&machine->memory);
    free(machine);
}

struct machine *machine_of(const struct soc *soc)
{
    return soc_part_state(soc, machine_run);
}

static int attach(struct soc *soc, const struct soc_kind *kind)
{
    struct machine *machine = calloc(1, sizeof *machine);
    struct soc_part part = { machine, machine_next, machine_run, NULL, machine_release };

    if (!machine)
        return -1;
    machine->soc = soc;
    machine->kind = kind;
    machine->enabled = 0x7FFF;
    for (unsigned i = 0; i < CHANNELS; i++)
        reset(machine, &machine->channel[i]);
    pace_init(&machine->pace, soc, kind);
    vc_memory_init(&machine->memory, kind);
    if (soc_attach(soc, &part) == 0)
        return 0;
    machine_release(machine);
    return -1;
}

struct soc *soc_new_with_dma(const char *compatible)
{
    for (size_t i = 0; compatible && i < sizeof KINDS / sizeof KINDS[0]; i++) {
        struct soc *soc;

        if (strcmp(compatible, KINDS[i].compatible))
            continue;
        soc = soc_new(KINDS[i].gpio);
        if (soc && attach(soc, &KINDS[i]) == 0)
            return soc;
        soc_free(soc);
        return NULL;
    }
    return NULL;
}
