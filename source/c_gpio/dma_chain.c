/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * dma_chain.c - control blocks in memory: the ring of slots, and waves. No registers here.
 *
 *     memory 0:  [delay of slot 0][delay of slot 1]...[fill]   [node 1][node 2]...   [masks 1][masks 2]...
 *     memory 1:                                                [node n]...           [masks n]...
 *
 *     delay of slot 6 -> node 3 (clear, set) -> delay of slot 7 -> delay of slot 8 -> ...
 *
 * A slot without an edge is its delay alone. A node is two blocks, one for GPCLR0 and one for GPSET0, each with a mask
 * of its own, so that lines may rise and fall in the same slot. A ring of 2000 slots has 34 pages with nodes for half of
 * its slots, and 52 when all of them need one.
 *
 * It begins with a block that fills the FIFO, so that each later word has to wait for its slot.
 *
 * The engine runs while the ring is changed. A new node is complete before one store links it, and it is never taken
 * out again; all else are stores to single masks. A mask that clears a line which is low anyhow does no harm: so what
 * has to be in place first is put there first. The end of a pulse that was cleared stays until the engine has passed it.
 */
#include "dma_chain.h"

#include <errno.h>
#include <stdlib.h>

/* Transfer information of a control block (BCM2835 ARM Peripherals, 4.2.1.2). */
enum {
    WAIT_RESPONSE = 1 << 3,
    DEST_DREQ = 1 << 6,
    PERMAP_SHIFT = 16,
    NO_WIDE_BURSTS = 1 << 26,
};

#define GPSET0_BUS 0x7E20001Cu
#define GPCLR0_BUS 0x7E200028u
#define WORD 4u
#define DELAY_WORDS_MAX 16000u /* of one block: a lite channel takes 65,532 bytes */

struct block {
    uint32_t info, source, destination, bytes, stride, next, unused[2];
};

struct rpio_masks {
    uint32_t clear, set;
};

struct node {
    struct block clear, set;
};

static void put(volatile struct block *at, uint32_t info, uint32_t source, uint32_t destination, uint32_t bytes,
                uint32_t next)
{
    at->info = info;
    at->source = source;
    at->destination = destination;
    at->bytes = bytes;
    at->stride = 0;
    at->next = next;
}

static void put_store(volatile struct block *at, uint32_t source, uint32_t port, uint32_t next)
{
    put(at, NO_WIDE_BURSTS | WAIT_RESPONSE, source, port, WORD, next);
}

static void put_delay(volatile struct block *at, const struct rpio_delay *delay, uint32_t source, uint32_t slots,
                      uint32_t next)
{
    put(at, NO_WIDE_BURSTS | WAIT_RESPONSE | DEST_DREQ | delay->dreq << PERMAP_SHIFT, source, delay->fifo_bus,
        slots * WORD, next);
}

/* ---- where what is -------------------------------------------------------------------------------- */

static size_t delays_bytes(unsigned slots, int which)
{
    return which == 0 ? (slots + 1) * sizeof(struct block) : 0; /* the last one fills the FIFO */
}

static unsigned room_of(unsigned slots, int which)
{
    return which == 0 ? (slots + 1) / 2 : slots / 2;
}

size_t rpio_ring_bytes(unsigned slots, int which)
{
    return delays_bytes(slots, which) + room_of(slots, which) * (sizeof(struct node) + sizeof(struct rpio_masks));
}

static volatile struct block *delay_at(const struct rpio_ring *ring, unsigned slot)
{
    return (volatile struct block *)(uintptr_t)ring->memory[0].cpu + slot;
}

static uint32_t delay_bus(const struct rpio_ring *ring, unsigned slot)
{
    return ring->memory[0].bus + slot * (uint32_t)sizeof(struct block);
}

/* A node's place: nodes count from 1. */
static int memory_of(const struct rpio_ring *ring, unsigned node)
{
    return node > ring->room[0];
}

static size_t node_offset(const struct rpio_ring *ring, unsigned node)
{
    int which = memory_of(ring, node);
    return delays_bytes(ring->slots, which) + (node - 1 - (which ? ring->room[0] : 0)) * sizeof(struct node);
}

static size_t masks_offset(const struct rpio_ring *ring, unsigned node)
{
    int which = memory_of(ring, node);
    return delays_bytes(ring->slots, which) + ring->room[which] * sizeof(struct node) +
           (node - 1 - (which ? ring->room[0] : 0)) * sizeof(struct rpio_masks);
}

static volatile void *at(const struct rpio_ring *ring, unsigned node, size_t offset)
{
    return ring->memory[memory_of(ring, node)].cpu + offset;
}

static uint32_t bus_of(const struct rpio_ring *ring, unsigned node, size_t offset)
{
    return ring->memory[memory_of(ring, node)].bus + (uint32_t)offset;
}

/* ---- the ring ------------------------------------------------------------------------------------- */

int rpio_ring_make(struct rpio_ring *ring, unsigned slots, const struct rpio_memory *memory,
                   const struct rpio_delay *delay)
{
    *ring = (struct rpio_ring){.slots = slots,
                               .room = {room_of(slots, 0), room_of(slots, 1)},
                               .levels = calloc(slots, sizeof *ring->levels),
                               .ending = calloc(slots, sizeof *ring->ending),
                               .nodes_of = calloc(slots, sizeof *ring->nodes_of),
                               .masks = calloc(slots + 1, sizeof *ring->masks),
                               .memory = {*memory}};
    if (!ring->levels || !ring->ending || !ring->nodes_of || !ring->masks) {
        rpio_ring_free(ring);
        return -ENOMEM;
    }
    for (unsigned slot = 0; slot < slots; slot++) /* any word does for a delay */
        put_delay(delay_at(ring, slot), delay, delay_bus(ring, slot), 1, delay_bus(ring, (slot + 1) % slots));
    put_delay(delay_at(ring, slots), delay, delay_bus(ring, 0), delay->fill_words, delay_bus(ring, 0));
    return 0;
}

void rpio_ring_free(struct rpio_ring *ring)
{
    free(ring->levels);
    free(ring->ending);
    free(ring->nodes_of);
    free(ring->masks);
    ring->levels = ring->ending = ring->nodes_of = NULL;
    ring->masks = NULL;
}

uint32_t rpio_ring_first(const struct rpio_ring *ring)
{
    return delay_bus(ring, ring->slots);
}

/* The slot's node, which is made and linked where there is none. */
static unsigned node_of(struct rpio_ring *ring, unsigned slot)
{
    if (ring->nodes_of[slot])
        return ring->nodes_of[slot];
    unsigned number = ring->nodes_of[slot] = ++ring->nodes;
    size_t offset = node_offset(ring, number), masks = masks_offset(ring, number);
    volatile struct node *node = at(ring, number, offset);
    uint32_t set_bus = bus_of(ring, number, offset + offsetof(struct node, set));
    put_store(&node->clear, bus_of(ring, number, masks + offsetof(struct rpio_masks, clear)), GPCLR0_BUS, set_bus);
    put_store(&node->set, bus_of(ring, number, masks + offsetof(struct rpio_masks, set)), GPSET0_BUS,
              delay_bus(ring, slot));
    reg_barrier();
    delay_at(ring, (slot + ring->slots - 1) % ring->slots)->next = bus_of(ring, number, offset);
    return number;
}

static void write_masks(struct rpio_ring *ring, unsigned node, struct rpio_masks masks)
{
    volatile struct rpio_masks *there = at(ring, node, masks_offset(ring, node));
    if (masks.clear != ring->masks[node].clear)
        there->clear = masks.clear;
    if (masks.set != ring->masks[node].set)
        there->set = masks.set;
    ring->masks[node] = masks;
    reg_barrier();
}

static void change(struct rpio_ring *ring, unsigned slot, struct rpio_masks with, struct rpio_masks without)
{
    struct rpio_masks masks = ring->masks[ring->nodes_of[slot]]; /* that of no node is 0 */
    masks.clear = (masks.clear | with.clear) & ~without.clear;
    masks.set = (masks.set | with.set) & ~without.set;
    if (masks.clear != ring->masks[ring->nodes_of[slot]].clear || masks.set != ring->masks[ring->nodes_of[slot]].set)
        write_masks(ring, node_of(ring, slot), masks);
}

#define NOTHING ((struct rpio_masks){0, 0})
#define SET(lines) ((struct rpio_masks){.set = (lines)})
#define CLEAR(lines) ((struct rpio_masks){.clear = (lines)})

unsigned rpio_ring_nodes_for(const struct rpio_ring *ring, unsigned start, unsigned width)
{
    return (unsigned)!ring->nodes_of[start] + (unsigned)!ring->nodes_of[(start + width) % ring->slots];
}

int rpio_ring_has_room(const struct rpio_ring *ring, unsigned nodes)
{
    return ring->nodes + nodes <= ring->room[0] || ring->memory[1].cpu != NULL;
}

static int begins(const struct rpio_ring *ring, uint32_t line, unsigned slot)
{
    return (ring->masks[ring->nodes_of[slot]].set & line) != 0;
}

/* Low in this slot, as asked for: what is on may go on to its end. */
static void let_end(struct rpio_ring *ring, uint32_t lines, unsigned slot)
{
    ring->waited_for &= ~(ring->levels[slot] & lines); /* another pulse than the one that is waited for */
    ring->ending[slot] |= ring->levels[slot] & lines;
    ring->levels[slot] &= ~lines;
}

/* First the end, then the beginning; then what would cut the pulse. */
void rpio_ring_lay(struct rpio_ring *ring, uint32_t line, unsigned start, unsigned width)
{
    unsigned end = start + width;
    for (unsigned slot = end; slot < ring->slots && ring->levels[slot] & line; slot++) {
        if (begins(ring, line, slot) && slot != start)
            break;
        let_end(ring, line, slot);
    }
    for (unsigned slot = start; slot < end; slot++) {
        ring->levels[slot] |= line;
        ring->ending[slot] &= ~line;
    }
    if (!(ring->levels[end % ring->slots] & line))
        change(ring, end % ring->slots, CLEAR(line), NOTHING);
    if (width)
        change(ring, start, SET(line), NOTHING);
    else
        change(ring, start, NOTHING, SET(line));
    for (unsigned slot = start + 1; slot < end; slot++)
        change(ring, slot, NOTHING, SET(line));
    for (unsigned slot = start; slot < end; slot++)
        change(ring, slot, NOTHING, CLEAR(line));
}

void rpio_ring_replace(struct rpio_ring *ring, uint32_t line, unsigned start, unsigned width)
{
    for (unsigned slot = 0; slot < ring->slots; slot++)
        let_end(ring, line, slot);
    rpio_ring_lay(ring, line, start, width);
    for (unsigned slot = 0; slot < ring->slots; slot++)
        if (slot != start)
            change(ring, slot, NOTHING, SET(line));
}

uint32_t rpio_ring_clear(struct rpio_ring *ring, uint32_t lines)
{
    uint32_t endless = lines;
    for (unsigned slot = 0; slot < ring->slots; slot++)
        endless &= ring->levels[slot] | ring->ending[slot];
    for (unsigned slot = 0; slot < ring->slots; slot++) {
        let_end(ring, lines, slot);
        ring->ending[slot] &= ~endless;
        change(ring, slot, NOTHING, (struct rpio_masks){.set = lines, .clear = endless});
    }
    return endless;
}

/* ---- ends of pulses that were cleared ------------------------------------------------------------- */

/* The slot that the engine is in at that block. In a node the slot's own clear may be still to come, and so it is the slot
 * before. -1: it fills the FIFO. */
static int slot_at(const struct rpio_ring *ring, uint32_t block_bus)
{
    uint32_t slot = (block_bus - ring->memory[0].bus) / (uint32_t)sizeof(struct block);
    if (block_bus >= ring->memory[0].bus && slot < ring->slots)
        return (int)slot;
    for (slot = 0; slot < ring->slots; slot++) {
        unsigned node = ring->nodes_of[slot];
        uint32_t bus = node ? bus_of(ring, node, node_offset(ring, node)) : 0;
        if (node && block_bus >= bus && block_bus < bus + sizeof(struct node))
            return (int)((slot + ring->slots - 1) % ring->slots);
    }
    return -1;
}

/* The ends of these lines that no pulse has. */
static void sweep(struct rpio_ring *ring, uint32_t lines)
{
    uint32_t before = ring->levels[ring->slots - 1];
    for (unsigned slot = 0; slot < ring->slots; slot++) {
        uint32_t falling = before & ~ring->levels[slot];
        change(ring, slot, NOTHING, CLEAR(lines & ~falling));
        ring->ending[slot] &= ~lines;
        before = ring->levels[slot];
    }
}

unsigned rpio_ring_settle(struct rpio_ring *ring, uint32_t block_bus, int has_waited)
{
    if (has_waited && block_bus != ring->waited_at) {
        sweep(ring, ring->waited_for);
        ring->waited_for = 0;
    }
    uint32_t pending = 0;
    for (unsigned slot = 0; slot < ring->slots; slot++)
        pending |= ring->ending[slot];
    int at = slot_at(ring, block_bus);
    uint32_t on = at < 0 ? 0 : ring->ending[at];
    if (at >= 0 && block_bus != delay_bus(ring, (unsigned)at)) /* in a node: its slot, too */
        on |= ring->ending[((unsigned)at + 1) % ring->slots];
    if (pending & ~on)
        sweep(ring, pending & ~on);
    unsigned left = 0;
    for (uint32_t still = on; still && left < ring->slots; still &= ring->ending[((unsigned)at + left) % ring->slots])
        left++;
    left += left == ring->slots; /* after just a turn the engine would be where it is, and seem to stand still */
    ring->waited_for = on;
    ring->waited_at = block_bus;
    return left;
}

/* ---- waves ---------------------------------------------------------------------------------------- */

static size_t blocks_of(uint32_t slots)
{
    return (slots + DELAY_WORDS_MAX - 1) / DELAY_WORDS_MAX;
}

static size_t step_blocks(const struct rpio_wave_step *step)
{
    return (size_t)(step->clear != 0) + (size_t)(step->set != 0) + blocks_of(step->slots);
}

static size_t wave_blocks(const struct rpio_wave_step *steps, size_t count)
{
    size_t blocks = 0;
    for (size_t i = 0; i < count; i++)
        blocks += step_blocks(&steps[i]);
    return blocks;
}

size_t rpio_wave_bytes(const struct rpio_wave_step *steps, size_t count, unsigned repeat)
{
    return (1 + wave_blocks(steps, count) * repeat) * sizeof(struct block) + count * sizeof(struct rpio_masks);
}

/* A chain that is written block by block. */
struct writer {
    volatile struct block *next;
    uint32_t bus; /* of the block that comes next */
    const struct rpio_delay *delay;
};

static uint32_t following(struct writer *writer)
{
    return writer->bus += (uint32_t)sizeof(struct block);
}

static void write_step(struct writer *writer, const struct rpio_wave_step *step, uint32_t masks_bus)
{
    if (step->clear)
        put_store(writer->next++, masks_bus + offsetof(struct rpio_masks, clear), GPCLR0_BUS, following(writer));
    if (step->set)
        put_store(writer->next++, masks_bus + offsetof(struct rpio_masks, set), GPSET0_BUS, following(writer));
    for (uint32_t left = step->slots, now; left; left -= now) {
        now = left < DELAY_WORDS_MAX ? left : DELAY_WORDS_MAX;
        put_delay(writer->next++, writer->delay, masks_bus, now, following(writer));
    }
}

/* Blocks must be aligned, so masks lie behind them. A first block fills the FIFO, so that each later word waits. */
uint32_t rpio_wave_make(const struct rpio_memory *memory, const struct rpio_delay *delay,
                        const struct rpio_wave_step *steps, size_t count, unsigned repeat, int is_ring)
{
    size_t blocks = 1 + wave_blocks(steps, count) * repeat;
    volatile struct block *first = (volatile struct block *)(uintptr_t)memory->cpu;
    volatile struct rpio_masks *masks = (volatile struct rpio_masks *)(uintptr_t)(first + blocks);
    uint32_t masks_bus = memory->bus + (uint32_t)(blocks * sizeof(struct block));
    struct writer writer = {.next = first, .bus = memory->bus, .delay = delay};
    for (size_t i = 0; i < count; i++) {
        masks[i].clear = steps[i].clear;
        masks[i].set = steps[i].set;
    }
    put_delay(writer.next++, delay, masks_bus, delay->fill_words, following(&writer));
    uint32_t begin_bus = writer.bus;
    for (unsigned turn = 0; turn < repeat; turn++)
        for (size_t i = 0; i < count; i++)
            write_step(&writer, &steps[i], masks_bus + (uint32_t)(i * sizeof(struct rpio_masks)));
    first[blocks - 1].next = is_ring ? begin_bus : 0;
    return memory->bus;
}
