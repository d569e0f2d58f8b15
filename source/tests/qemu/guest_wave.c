/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * guest_wave.c - RPIO's own DMA chains on QEMU's DMA engine: a wave of rpio_dma_play(), which guest.c runs.
 *
 * This file and the DMA files of the core are built for a modelled SoC; the rest of the guest is built for the real one.
 * The DMA engine and the GPIO block behind it are QEMU's, and so is the memory. What QEMU does not have stands here:
 * Debian's kernel has no /dev/vcio, so the mailbox gives out the memory that the kernel leaves alone; the clocks say
 * that they run; the PWM and PCM blocks take what they get, at once. QEMU waits for no DREQ: nothing here has a speed.
 */
#include "../../c_gpio/dma.h"
#include "../../c_gpio/regs.h"
#include "guest.h"

#include <string.h>

enum {
    BYTES = 16 << 20, /* of the memory that the mailbox gives out */
    TAG_ALLOCATE = 0x3000C,
    TAG_LOCK = 0x3000D,
    ANSWERED = INT32_MIN, /* bit 31 */
    CLOCK_ENAB = 1 << 4,  /* BCM2835 ARM Peripherals, 6.3 */
    CLOCK_BUSY = 1 << 7,
    QEMU_DEBUG = 0x20,
    QEMU_DEBUG_ERRORS = 7,
};

struct soc {
    volatile uint32_t *dma, *gpio;
    uint32_t other[3][PERIPHERAL_BYTES / 4]; /* clocks, PCM, PWM: what was written last */
    uint8_t *memory;
    uint32_t used;        /* bytes of it */
    uint32_t starts[65];  /* of each handle, from 1 on */
    uint32_t handles;
};

/* The register behind an offset from the peripherals' base. */
static volatile uint32_t *find(struct soc *soc, uint32_t offset)
{
    uint32_t word = offset % PERIPHERAL_BYTES / 4;
    switch (offset - offset % PERIPHERAL_BYTES) {
    case PERIPHERAL_DMA:
        return soc->dma + word;
    case PERIPHERAL_GPIO:
        return soc->gpio + word;
    case PERIPHERAL_CLOCKS:
        return soc->other[0] + word;
    case PERIPHERAL_PCM:
        return soc->other[1] + word;
    default:
        return soc->other[2] + word;
    }
}

uint32_t soc_peripheral_read(struct soc *soc, uint32_t offset)
{
    uint32_t value = *find(soc, offset);
    int is_control = offset - offset % PERIPHERAL_BYTES == PERIPHERAL_CLOCKS && offset % 8 == 0;
    return is_control && value & CLOCK_ENAB ? value | CLOCK_BUSY : value;
}

void soc_peripheral_write(struct soc *soc, uint32_t offset, uint32_t value)
{
    /* The errors in DEBUG are cleared by writing them; QEMU sets them. */
    int is_debug = offset - offset % PERIPHERAL_BYTES == PERIPHERAL_DMA && offset % 0x100 == QEMU_DEBUG;
    *find(soc, offset) = is_debug ? value & ~(uint32_t)QEMU_DEBUG_ERRORS : value;
    reg_barrier();
}

/* Memory is given out once; it is enough for what is done here. */
static uint32_t answer(struct soc *soc, uint32_t tag, const uint32_t *values)
{
    if (tag == TAG_ALLOCATE) {
        uint32_t start = (soc->used + values[1] - 1) / values[1] * values[1];
        if (values[0] > BYTES - start || soc->handles == 64)
            return 0; /* as the firmware says that there is none */
        soc->used = start + values[0];
        soc->starts[++soc->handles] = start;
        return soc->handles;
    }
    if (tag == TAG_LOCK)
        return values[0] >= 1 && values[0] <= soc->handles ? guest_bus_address(soc->starts[values[0]]) : 0;
    return 0; /* to unlock and to release: done */
}

int soc_mailbox(struct soc *soc, uint32_t *message)
{
    for (uint32_t *tag = message + 2; *tag; tag += 3 + tag[1] / 4) {
        tag[3] = answer(soc, tag[0], tag + 3);
        tag[2] = (uint32_t)ANSWERED | 4;
    }
    message[1] = (uint32_t)ANSWERED;
    return 0;
}

void *soc_memory(struct soc *soc, uint32_t bus_address, size_t bytes)
{
    uint32_t start = bus_address - guest_bus_address(0);
    return start < BYTES && bytes <= BYTES - start ? soc->memory + start : NULL;
}

void soc_wait_ns(struct soc *soc, uint64_t ns)
{
    (void)soc;
    (void)ns;
}

/* Two pulses, one after the other, twice. The host sees them in QEMU's trace: test_qemu.py, WAVE. */
void guest_wave(volatile uint32_t *dma_registers, volatile uint32_t *gpio_registers)
{
    enum { CHANNEL = 14, FIRST = 22, SECOND = 23 };
    const struct rpio_wave_step steps[] = {
        {.set = UINT32_C(1) << FIRST, .slots = 3},
        {.clear = UINT32_C(1) << FIRST, .slots = 1},
        {.set = UINT32_C(1) << SECOND, .slots = 100},
        {.clear = UINT32_C(1) << SECOND, .slots = 2},
    };
    static struct soc soc;
    struct rpio_dma *dma = NULL;
    struct rpio_dma_info info = {0};

    soc = (struct soc){.dma = dma_registers, .gpio = gpio_registers};
    soc.memory = (uint8_t *)(uintptr_t)guest_map(GUEST_RESERVED, BYTES);
    if (!soc.memory)
        return;
    guest_expect("rpio_dma_attach", 0, rpio_dma_attach(&dma, "brcm,bcm2837", &soc));
    if (!dma)
        return;
    guest_expect("rpio_dma_set_pace", 0, rpio_dma_set_pace(dma, RPIO_PACE_PWM, 10));
    guest_expect("active before", 0, rpio_dma_is_active(dma, CHANNEL));
    guest_expect("rpio_dma_play", 0, rpio_dma_play(dma, CHANNEL, steps, sizeof steps / sizeof steps[0], 2));
    guest_expect("rpio_dma_info", 0, rpio_dma_info(dma, CHANNEL, &info));
    guest_expect("active after", 0, info.is_active);
    guest_expect("error", 0, info.error);
    guest_expect("lines", 3L << FIRST, info.lines);
    guest_expect("rpio_dma_stop", 0, rpio_dma_stop(dma, CHANNEL));
    rpio_dma_free(dma);
}
