/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* guest.h - what the files of the guest share. */
#ifndef RPIO_TESTS_QEMU_GUEST_H
#define RPIO_TESTS_QEMU_GUEST_H

#include <stddef.h>
#include <stdint.h>

#define GUEST_RESERVED UINT32_C(0x20000000) /* memory that the kernel leaves alone: machine.py tells it */

/* Where the DMA engine sees the byte at `offset` of that memory. */
uint32_t guest_bus_address(uint32_t offset);

/* Physical addresses through /dev/mem. NULL, and the running check has failed, where it cannot be. */
volatile uint32_t *guest_map(uint64_t address, size_t bytes);

/* The running check fails where these differ. */
void guest_expect(const char *what, long expected, long actual);

/* Plays a wave of rpio_dma_play() (guest_wave.c). */
void guest_wave(volatile uint32_t *dma_registers, volatile uint32_t *gpio_registers);

#endif
