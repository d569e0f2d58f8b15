/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * dma_mailbox.c - memory of the VideoCore, which stays where it is: asked for through the firmware's property interface.
 *
 * Pages of the program would not do: the kernel may move them, and gives them to others when the program dies, while
 * the DMA engine goes on to take them for control blocks.
 *
 * Source: the firmware's wiki, "Mailbox property interface"; include/soc/bcm2835/raspberrypi-firmware.h of Linux.
 */
#include "dma_chain.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

enum tag { ALLOCATE = 0x3000C, LOCK = 0x3000D, UNLOCK = 0x3000E, RELEASE = 0x3000F };

#define ANSWERED 0x80000000u
#define PAGE_BYTES 4096u
#define ALIASES 0xC0000000u /* of a bus address: how the caches are passed */
#define PROPERTY _IOWR(100, 0, char *)

enum { VALUES_MAX = 3, WORDS = 6 + VALUES_MAX };

#ifdef RPIO_MODELLED_SOC

static int send(const struct rpio_peripherals *peripherals, uint32_t *message)
{
    return soc_mailbox((struct soc *)(uintptr_t)peripherals->gpio, message);
}

static volatile uint8_t *map(const struct rpio_peripherals *peripherals, uint32_t bus, size_t bytes)
{
    return soc_memory((struct soc *)(uintptr_t)peripherals->gpio, bus, bytes);
}

static void unmap(volatile uint8_t *cpu, size_t bytes)
{
    (void)cpu;
    (void)bytes;
}

#else

static int send(const struct rpio_peripherals *peripherals, uint32_t *message)
{
    return ioctl(peripherals->vcio_fd, PROPERTY, message) < 0 ? -errno : 0;
}

static volatile uint8_t *map(const struct rpio_peripherals *peripherals, uint32_t bus, size_t bytes)
{
    void *cpu = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, peripherals->mem_fd, (off_t)(bus & ~ALIASES));
    return cpu == MAP_FAILED ? NULL : cpu;
}

static void unmap(volatile uint8_t *cpu, size_t bytes)
{
    (void)munmap((void *)(uintptr_t)cpu, bytes);
}

#endif

/* One tag with its values; the first word of the answer goes to `answer`. */
static int ask(const struct rpio_peripherals *peripherals, enum tag tag, const uint32_t *values, uint32_t count,
               uint32_t *answer)
{
    uint32_t message[WORDS] = {0, 0, (uint32_t)tag, count * 4u, count * 4u};
    for (uint32_t i = 0; i < count; i++)
        message[5 + i] = values[i];
    message[0] = (6u + count) * 4u; /* the word after the values is 0: no more tags */
    int error = send(peripherals, message);
    if (error < 0)
        return error;
    *answer = message[5];
    return message[1] == ANSWERED ? 0 : -EPROTO;
}

int rpio_memory_release(const struct rpio_peripherals *peripherals, uint32_t handle)
{
    uint32_t status;
    (void)ask(peripherals, UNLOCK, &handle, 1, &status);
    int error = ask(peripherals, RELEASE, &handle, 1, &status);
    return error < 0 ? error : status ? -EINVAL : 0;
}

int rpio_memory_get(const struct rpio_peripherals *peripherals, size_t bytes, uint32_t flags,
                    struct rpio_memory *memory)
{
    size_t whole = (bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
    uint32_t handle, bus = 0, values[VALUES_MAX] = {(uint32_t)whole, PAGE_BYTES, flags};
    int error = ask(peripherals, ALLOCATE, values, VALUES_MAX, &handle);
    if (error < 0 || handle == 0)
        return error < 0 ? error : -ENOMEM;
    error = ask(peripherals, LOCK, &handle, 1, &bus);
    volatile uint8_t *cpu = error == 0 && bus ? map(peripherals, bus, whole) : NULL;
    if (!cpu) {
        error = error < 0 ? error : bus == 0 ? -ENOMEM : -errno;
        (void)rpio_memory_release(peripherals, handle);
        return error;
    }
    volatile uint32_t *words = (volatile uint32_t *)(volatile void *)cpu; /* pages are aligned */
    for (size_t i = 0; i < whole / sizeof *words; i++)
        words[i] = 0;
    *memory = (struct rpio_memory){.cpu = cpu, .bus = bus, .handle = handle, .bytes = whole};
    return 0;
}

void rpio_memory_give(const struct rpio_peripherals *peripherals, struct rpio_memory *memory)
{
    if (!memory->cpu)
        return;
    unmap(memory->cpu, memory->bytes);
    (void)rpio_memory_release(peripherals, memory->handle);
    *memory = (struct rpio_memory){0};
}
