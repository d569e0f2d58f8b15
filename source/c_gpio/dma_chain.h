/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * dma_chain.h - private to the DMA files: memory of the VideoCore, and chains of control blocks in it.
 */
#ifndef RPIO_DMA_CHAIN_H
#define RPIO_DMA_CHAIN_H

#include "dma.h"
#include "regs.h"

/* ---- memory that the DMA engine sees (dma_mailbox.c) -------------------------------------------------- */

struct rpio_memory {
    volatile uint8_t *cpu; /* NULL: there is none */
    uint32_t bus;
    uint32_t handle;
    size_t bytes;
};

/* Zeroed, locked and mapped. `flags` are those of the mailbox's allocate tag. -ENOMEM, -EPROTO for an answer that is
 * none, or what ioctl(2) and mmap(2) say. */
int rpio_memory_get(const struct rpio_peripherals *peripherals, size_t bytes, uint32_t flags,
                    struct rpio_memory *memory);
void rpio_memory_give(const struct rpio_peripherals *peripherals, struct rpio_memory *memory);
int rpio_memory_release(const struct rpio_peripherals *peripherals, uint32_t handle); /* unlocks and frees */

/* ---- chains (dma_chain.c) ------------------------------------------------------------------------- */

/* What one slot of delay is: a word to a FIFO that asks for it. */
struct rpio_delay {
    uint32_t fifo_bus, dreq; /* PERMAP of the FIFO */
    uint32_t fill_words;     /* after which it is full, and takes one in each slot */
};

/* An endless ring of slots. In each slot a node, where there is one, clears and sets lines, then a delay passes it.
 * Once linked a node stays; what it writes are two masks in memory, and every change is a store to one of them. */
struct rpio_ring {
    unsigned slots, nodes, room[2];
    uint32_t *levels;             /* of the lines in each slot */
    uint32_t *ending;             /* lines whose pulse may be on there, though it was cleared */
    uint32_t waited_for;          /* lines whose end rpio_ring_settle() has said the time of, */
    uint32_t waited_at;           /* and where the engine was then */
    uint32_t *nodes_of;           /* number of the slot's node, from 1; 0: it has none */
    struct rpio_masks *masks;     /* of the nodes, as they are in memory */
    struct rpio_memory memory[2]; /* the second one is got when the nodes need it */
};

size_t rpio_ring_bytes(unsigned slots, int which); /* of the memory that it needs */

/* Over zeroed memory of the first size. -ENOMEM. */
int rpio_ring_make(struct rpio_ring *ring, unsigned slots, const struct rpio_memory *memory,
                   const struct rpio_delay *delay);
void rpio_ring_free(struct rpio_ring *ring); /* not the VideoCore's memory */
uint32_t rpio_ring_first(const struct rpio_ring *ring);

/* How many nodes a pulse would add: room for them is the caller's. */
unsigned rpio_ring_nodes_for(const struct rpio_ring *ring, unsigned start, unsigned width);
int rpio_ring_has_room(const struct rpio_ring *ring, unsigned nodes);

/* A pulse over what there is: see rpio_dma_add(). */
void rpio_ring_lay(struct rpio_ring *ring, uint32_t line, unsigned start, unsigned width);

/* Returns the lines that may be high all the time, and have no end: the caller drives them low. */
uint32_t rpio_ring_clear(struct rpio_ring *ring, uint32_t lines);

/* Forgets the ends of cleared pulses that cannot be on while the engine is at that control block, or (`has_waited`) since
 * so many slots have passed as the last call has said; an engine that is where it was then has not moved. Returns how many
 * slots it takes until that is true of all; 0: it is. */
unsigned rpio_ring_settle(struct rpio_ring *ring, uint32_t block_bus, int has_waited);

void rpio_ring_replace(struct rpio_ring *ring, uint32_t line, unsigned start, unsigned width);

/* A chain that ends, or begins again (`is_ring`). */
size_t rpio_wave_bytes(const struct rpio_wave_step *steps, size_t count, unsigned repeat);
uint32_t rpio_wave_make(const struct rpio_memory *memory, const struct rpio_delay *delay,
                        const struct rpio_wave_step *steps, size_t count, unsigned repeat, int is_ring);

/* ---- for the guardian (dma.c) ----------------------------------------------------------------- */

void rpio_dma_halt(struct rpio_dma *dma); /* stops what runs, also from a process that has not started it */
const struct rpio_peripherals *rpio_dma_peripherals(const struct rpio_dma *dma);

#endif
