/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * engine.c - preloaded into the original RPIO on the fake Pi, it is the DMA engine that walks the program's own memory.
 *
 * The model of the SoC is the project's (../c/soc_*.c) but for the VideoCore's memory, in whose place the program's
 * locked mappings are: the fake /proc/self/pagemap (original_runner.py writes it) gives each page a frame, the low bits
 * of its address. Registers are in the fake /dev/mem. They cannot be watched, so that from time to time, whenever the
 * program sleeps and whenever the test asks, those that have changed are written to the model, and all are set to what
 * the model says then. The program sleeps in the model's time.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "soc.h"
#include "soc_dma.h"
#include "soc_parts.h"

enum { MAPPINGS_MAX = 64, PERIPHERALS = 0x20000000, PERIPHERALS_BYTES = 0x400000, BLOCK_BYTES = 32 };
enum { FSEL0 = 0x200000, GPSET0 = 0x20001C, GPCLR0 = 0x200028, DMA = 0x007000, CONBLK_AD = 0x04 };
static const uint32_t PHYSICAL = 0x1FFFFFFF; /* 512 MiB; with all bits of the alias it could look like a peripheral */

static struct {
    unsigned char *at;
    size_t bytes;
} mapping[MAPPINGS_MAX];
static unsigned mappings;
static struct soc *soc;
static volatile uint32_t *registers;

/* ---- the program's memory ---- */

void *mmap(void *address, size_t length, int protection, int flags, int fd, off_t at)
{
    void *mapped = (void *)syscall(SYS_mmap, address, length, protection, flags, fd, at);
    int all = MAP_SHARED | MAP_ANONYMOUS | MAP_LOCKED;

    if (mapped != MAP_FAILED && (flags & all) == all && mappings < MAPPINGS_MAX) {
        mapping[mappings].at = mapped;
        mapping[mappings++].bytes = length;
    }
    return mapped;
}

/* Where a bus address is in a mapping; or behind its end. */
static uint32_t offset_in(unsigned number, uint32_t address)
{
    return (address - (uint32_t)(uintptr_t)mapping[number].at) & PHYSICAL;
}

void vc_memory_init(struct vc_memory *memory, const struct soc_kind *kind)
{
    memory->kind = kind;
}

void vc_memory_release(struct vc_memory *memory)
{
    (void)memory;
}

unsigned char *vc_memory_at(struct vc_memory *memory, struct soc *of, uint32_t address, uint32_t bytes, const char *what)
{
    (void)memory;
    for (unsigned i = 0; i < mappings; i++) {
        uint32_t from = offset_in(i, address);

        if (address >> 29 == 2 && from < mapping[i].bytes && bytes <= mapping[i].bytes - from)
            return mapping[i].at + from;
    }
    soc_break_rule(of, "DMA: %s at 0x%08x, where the program has no locked memory", what, (unsigned)address);
    return NULL;
}

/* ---- registers ---- */

/* What the original writes, in the order in which changes are carried out: a channel's CS last, as it starts it. */
static const struct {
    uint32_t first, last;
} RANGES[] = {
    { FSEL0, FSEL0 + 0x0C }, { 0x101098, 0x1010A4 }, { 0x20C000, 0x20C000 }, { 0x20C008, 0x20C010 },
    { 0x203008, 0x203014 }, { 0x203000, 0x203000 },
};
static uint32_t shown[PERIPHERALS_BYTES / 4];

static void sync_word(uint32_t offset)
{
    if (registers[offset / 4] != shown[offset / 4])
        soc_peripheral_write(soc, offset, registers[offset / 4]);
}

static void show_word(uint32_t offset)
{
    registers[offset / 4] = shown[offset / 4] = soc_peripheral_read(soc, offset);
}

static void for_each(void (*word)(uint32_t offset))
{
    for (unsigned i = 0; i < sizeof RANGES / sizeof RANGES[0]; i++)
        for (uint32_t offset = RANGES[i].first; offset <= RANGES[i].last; offset += 4)
            word(offset);
    for (uint32_t channel = DMA; channel < DMA + 15 * 0x100; channel += 0x100) {
        word(channel + CONBLK_AD);
        word(channel);
    }
}

static void sync_registers(void)
{
    for (uint32_t offset = GPSET0; offset <= GPCLR0; offset += GPCLR0 - GPSET0) {
        if (registers[offset / 4])
            soc_peripheral_write(soc, offset, registers[offset / 4]);
        registers[offset / 4] = 0;
    }
    for_each(sync_word);
    for_each(show_word);
}

/* ---- what the test calls ---- */

/* From now on there is an engine, after power-on; 0, or -errno. */
int engine_open(void)
{
    int fd = open("/dev/mem", O_RDWR | O_CLOEXEC);
    void *mapped = MAP_FAILED;

    if (fd >= 0)
        mapped = mmap(NULL, PERIPHERALS_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, PERIPHERALS);
    if (fd < 0 || mapped == MAP_FAILED)
        return -errno;
    close(fd);
    registers = mapped;
    soc = soc_new_with_dma("brcm,bcm2835");
    if (!soc)
        return -ENOMEM;
    for_each(show_word);
    return 0;
}

static uint32_t lines_now(void)
{
    uint64_t at;
    uint32_t lines = 0;

    soc_wave_start(soc);
    soc_wave_entry(soc, 0, &at, &lines);
    return lines;
}

/* Which slot of the channel is on; -1 where its control block is none of the channel's. */
static int slot_now(unsigned channel, unsigned slots)
{
    uint32_t block = soc_peripheral_read(soc, DMA + 0x100 * channel + CONBLK_AD);

    for (unsigned i = 0; i < mappings; i++) {
        uint32_t from = offset_in(i, block);

        if (block && from >= 4 * slots && from < (4 + 2 * BLOCK_BYTES) * slots)
            return (int)((from - 4 * slots) / (2 * BLOCK_BYTES));
    }
    return -1;
}

/* The levels of lines 0 to 31 in each slot of a channel, as the engine makes them within `turns` subcycles from now on.
 * Returns how many slots have been seen; fewer than there are when the channel does not run. */
unsigned engine_levels(unsigned channel, unsigned slots, uint32_t slot_us, unsigned turns, uint32_t *levels)
{
    unsigned seen = 0;
    uint32_t mark[slots];

    memset(mark, 0, sizeof mark);
    sync_registers();
    for (unsigned i = 0; i < turns * slots * 2; i++) {
        int slot = slot_now(channel, slots);

        if (slot >= 0) {
            levels[slot] = lines_now();
            seen += !mark[slot];
            mark[slot] = 1;
        }
        soc_wait_ns(soc, (uint64_t)slot_us * 500);
    }
    for_each(show_word);
    return seen;
}

uint32_t engine_lines(void)
{
    sync_registers();
    return lines_now();
}

/* Which rule of the SoC the program has broken last; "" for none. */
const char *engine_violation(void)
{
    return soc_violation(soc);
}

/* pwm.c's udelay(): time is the model's. */
int nanosleep(const struct timespec *wanted, struct timespec *left)
{
    if (wanted->tv_sec < 0 || wanted->tv_nsec < 0 || wanted->tv_nsec >= 1000000000) {
        errno = EINVAL;
        return -1;
    }
    if (!soc)
        return (int)syscall(SYS_nanosleep, wanted, left);
    sync_registers();
    soc_wait_ns(soc, (uint64_t)wanted->tv_sec * 1000000000 + (uint64_t)wanted->tv_nsec);
    for_each(show_word);
    return 0;
}
