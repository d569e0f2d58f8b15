/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * The VideoCore's mailbox and the memory that it gives. Sources: the firmware's wiki, "Mailbox property interface";
 * [2835] BCM2835 ARM Peripherals, 1.2.3 "Bus addresses"; [linux] drivers/firmware/raspberrypi.c.
 *
 * Choices of the model: a refused allocation is handle 0, a lock of an unknown handle is address 0, unlock and release
 * of one say status 0xFFFFFFFF. A tag that is not known stays without an answer and the message's code is 0x80000001.
 * Memory is given in whole pages, one page apart, and no address and no handle is given twice, so that a stale one is
 * found out. Fresh memory is full of 0xA5 unless it was asked to be zero; freed memory of 0xDB, and, where the address
 * sanitizer is at work, not for the CPU. A release while locked breaks a rule, and frees.
 */
#include "soc_dma.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "soc.h"
#include "soc_parts.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(at, bytes) ((void)(at), (void)(bytes))
#define ASAN_UNPOISON_MEMORY_REGION(at, bytes) ((void)(at), (void)(bytes))
#endif

enum mailbox_code { SUCCESS_CODE = 0, PARTLY_CODE = 1 };
static const uint32_t RESPONSE = 0x80000000; /* in the message's code and in each tag's */

enum tag { ALLOCATE = 0x3000C, LOCK = 0x3000D, UNLOCK = 0x3000E, RELEASE = 0x3000F };

enum memory_flag {
    FLAG_DIRECT = 1 << 2,   /* alias 0xC: no cache */
    FLAG_COHERENT = 1 << 3, /* alias 0x8; with direct 0x4: not in L1 */
    FLAG_ZERO = 1 << 4,
    FLAGS_OF_ALIAS = FLAG_DIRECT | FLAG_COHERENT,
};

enum { PAGE = 4096, FRESH = 0xA5, FREED = 0xDB, MESSAGE_MAX = 1024 };
static const uint32_t PHYSICAL = 0x3FFFFFFF;
static const uint32_t STATUS_UNKNOWN = 0xFFFFFFFF;

void vc_memory_init(struct vc_memory *memory, const struct soc_kind *kind)
{
    memory->kind = kind;
    memory->free_from = kind->memory_first;
    memory->limit = (size_t)64 << 20;
}

void vc_memory_release(struct vc_memory *memory)
{
    for (unsigned i = 0; i < memory->blocks; i++) {
        ASAN_UNPOISON_MEMORY_REGION(memory->block[i].at, memory->block[i].bytes);
        free(memory->block[i].at);
    }
}

/* Which block these physical addresses are in. */
static struct vc_block *find_block(struct vc_memory *memory, uint32_t physical, size_t bytes)
{
    unsigned low = 0, high = memory->blocks;
    struct vc_block *block = &memory->block[memory->last_found];

    if (physical < block->physical || physical - block->physical >= block->bytes) {
        while (low < high) {
            unsigned middle = (low + high) / 2;

            if (memory->block[middle].physical <= physical)
                low = middle + 1;
            else
                high = middle;
        }
        if (low == 0)
            return NULL;
        memory->last_found = low - 1;
        block = &memory->block[low - 1];
    }
    if (physical - block->physical >= block->bytes || bytes > block->bytes - (physical - block->physical))
        return NULL;
    return block;
}

unsigned char *vc_memory_at(struct vc_memory *memory, struct soc *soc, uint32_t bus_address, uint32_t bytes,
                            const char *what)
{
    struct vc_block *block = find_block(memory, bus_address & PHYSICAL, bytes);
    unsigned address = (unsigned)bus_address;

    if (!block)
        soc_break_rule(soc, "DMA: %s at 0x%08x, where no memory was given", what, address);
    else if (block->is_released)
        soc_break_rule(soc, "DMA: %s at 0x%08x, in freed memory", what, address);
    else if (!block->locks)
        soc_break_rule(soc, "DMA: %s at 0x%08x, in memory that is not locked", what, address);
    else if ((bus_address & ~PHYSICAL) != memory->kind->alias)
        soc_break_rule(soc, "DMA: %s at 0x%08x, whose alias is not 0x%08x", what, address,
                       (unsigned)memory->kind->alias);
    else
        return block->at + ((bus_address & PHYSICAL) - block->physical);
    return NULL;
}

void *soc_memory(struct soc *soc, uint32_t bus_address, size_t bytes)
{
    struct machine *machine = machine_of(soc);
    struct vc_block *block = machine ? find_block(&machine->memory, bus_address & PHYSICAL, bytes) : NULL;

    if (!block || block->is_released || !block->locks)
        return NULL;
    if (bus_address % PAGE) {
        soc_break_rule(soc, "a mapping from 0x%08x, which is not the start of a page", (unsigned)bus_address);
        return NULL;
    }
    return block->at + ((bus_address & PHYSICAL) - block->physical);
}

/* ---- the four tags ---- */

/* Handles are block numbers from 1 on. */
static struct vc_block *block_of(struct vc_memory *memory, uint32_t handle)
{
    if (handle < 1 || handle > memory->blocks || memory->block[handle - 1].is_released)
        return NULL;
    return &memory->block[handle - 1];
}

static uint32_t allocate(struct vc_memory *memory, struct soc *soc, uint32_t size, uint32_t align, uint32_t flags)
{
    uint64_t bytes = ((uint64_t)size + PAGE - 1) / PAGE * PAGE;
    uint64_t step = align > PAGE ? align : PAGE;
    uint64_t physical = ((uint64_t)memory->free_from + step - 1) / step * step;
    unsigned char *at;

    if ((flags & FLAGS_OF_ALIAS) != memory->kind->memory_flags)
        soc_break_rule(soc, "mailbox: flags 0x%x, on this SoC they have to be 0x%x", (unsigned)flags,
                       (unsigned)memory->kind->memory_flags);
    if (size == 0 || align == 0 || (align & (align - 1))) {
        soc_break_rule(soc, "mailbox: %u bytes aligned to %u", (unsigned)size, (unsigned)align);
        return 0;
    }
    if (bytes > memory->limit || memory->in_use > memory->limit - bytes || memory->blocks == BLOCKS_MAX ||
        physical + bytes > memory->kind->memory_end)
        return 0;
    at = aligned_alloc(PAGE, (size_t)bytes);
    if (!at)
        return 0;
    memset(at, flags & FLAG_ZERO ? 0 : FRESH, (size_t)bytes);
    memory->block[memory->blocks].physical = (uint32_t)physical;
    memory->block[memory->blocks].bytes = (uint32_t)bytes;
    memory->block[memory->blocks++].at = at;
    memory->free_from = (uint32_t)(physical + bytes + PAGE);
    memory->in_use += (size_t)bytes;
    return memory->blocks;
}

/* The alias is that of the SoC, even where the flags asked for another: the wrong flags have been told. */
static uint32_t lock(struct vc_memory *memory, uint32_t handle)
{
    struct vc_block *block = block_of(memory, handle);

    if (!block)
        return 0;
    block->locks++;
    return memory->kind->alias | block->physical;
}

static uint32_t unlock(struct vc_memory *memory, struct soc *soc, uint32_t handle)
{
    struct vc_block *block = block_of(memory, handle);

    if (!block)
        return STATUS_UNKNOWN;
    if (block->locks)
        block->locks--;
    else
        soc_break_rule(soc, "mailbox: unlock of handle %u, which is not locked", (unsigned)handle);
    return 0;
}

static uint32_t release(struct vc_memory *memory, struct soc *soc, uint32_t handle)
{
    struct vc_block *block = block_of(memory, handle);

    if (!block)
        return STATUS_UNKNOWN;
    if (block->locks)
        soc_break_rule(soc, "mailbox: release of handle %u, which is locked", (unsigned)handle);
    block->is_released = true;
    memory->in_use -= block->bytes;
    memset(block->at, FREED, block->bytes);
    ASAN_POISON_MEMORY_REGION(block->at, block->bytes);
    return 0;
}

/* ---- messages ---- */

/* Answers a tag in place; false: not known, or its buffer is too small. */
static bool answer(struct vc_memory *memory, struct soc *soc, uint32_t tag, uint32_t *value, uint32_t bytes)
{
    if (bytes < (tag == ALLOCATE ? 12u : 4u))
        return false;
    switch (tag) {
    case ALLOCATE: value[0] = allocate(memory, soc, value[0], value[1], value[2]); return true;
    case LOCK: value[0] = lock(memory, value[0]); return true;
    case UNLOCK: value[0] = unlock(memory, soc, value[0]); return true;
    case RELEASE: value[0] = release(memory, soc, value[0]); return true;
    default: return false;
    }
}

static int refuse(struct soc *soc, uint32_t *message, const char *why)
{
    soc_break_rule(soc, "mailbox: %s", why);
    message[1] = RESPONSE | PARTLY_CODE;
    return 0;
}

static int answer_all(struct vc_memory *memory, struct soc *soc, uint32_t *message)
{
    uint32_t words = message[0] / 4, at = 2;
    uint32_t code = SUCCESS_CODE;

    if (message[0] % 4 || words < 3 || words > MESSAGE_MAX)
        return refuse(soc, message, "a message whose size is none");
    if (message[1])
        return refuse(soc, message, "a request whose code is not 0");
    while (at < words && message[at]) {
        uint32_t *tag = message + at;

        if (words - at < 4 || tag[1] % 4 || tag[1] / 4 > words - at - 4)
            return refuse(soc, message, "a tag that does not fit, or no end tag");
        if (tag[2] & RESPONSE)
            return refuse(soc, message, "a tag that is a response");
        if (answer(memory, soc, tag[0], tag + 3, tag[1]))
            tag[2] = RESPONSE | 4;
        else
            code = PARTLY_CODE;
        at += 3 + tag[1] / 4;
    }
    if (at >= words)
        return refuse(soc, message, "no end tag");
    message[1] = RESPONSE | code;
    return 0;
}

int soc_mailbox(struct soc *soc, uint32_t *message)
{
    struct machine *machine = machine_of(soc);

    if (!machine)
        return -ENODEV;
    if (machine->memory.error) {
        if (!machine->memory.error_after)
            return -machine->memory.error;
        machine->memory.error_after--;
    }
    return answer_all(&machine->memory, soc, message);
}

void soc_mailbox_fail(struct soc *soc, int error, unsigned after)
{
    struct machine *machine = machine_of(soc);

    if (machine) {
        machine->memory.error = error;
        machine->memory.error_after = after;
    }
}

void soc_mailbox_limit(struct soc *soc, size_t bytes)
{
    struct machine *machine = machine_of(soc);

    if (machine)
        machine->memory.limit = bytes;
}

static bool is_untouched(const struct vc_block *block)
{
    /* What the bytes are compared with is themselves, one further on: all are as the first. */
    return block->at[0] == FREED && !memcmp(block->at, block->at + 1, block->bytes - 1);
}

unsigned soc_memory_in_use(struct soc *soc)
{
    struct machine *machine = machine_of(soc);
    unsigned handles = 0;

    for (unsigned i = 0; machine && i < machine->memory.blocks; i++) {
        struct vc_block *block = &machine->memory.block[i];

        if (!block->is_released) {
            handles++;
            continue;
        }
        ASAN_UNPOISON_MEMORY_REGION(block->at, block->bytes);
        if (!is_untouched(block)) {
            soc_break_rule(soc, "freed memory (handle %u) was written", i + 1);
            memset(block->at, FREED, block->bytes);
        }
        ASAN_POISON_MEMORY_REGION(block->at, block->bytes);
    }
    return handles;
}
