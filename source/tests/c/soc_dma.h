/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * The rest of a modelled BCM2835, 2836, 2837 or 2711 around its GPIO block: the DMA engine, the clocks of PWM and PCM,
 * these two blocks with their FIFOs, and the VideoCore's mailbox and memory. Time, pads and broken rules are soc.h's.
 *
 * What the model had to decide stands at the top of soc_dma.c, soc_pace.c and soc_memory.c.
 */
#ifndef RPIO_TESTS_SOC_DMA_H
#define RPIO_TESTS_SOC_DMA_H

#include <stddef.h>
#include <stdint.h>

struct soc;

/* A whole SoC after power-on: "brcm,bcm2835", "brcm,bcm2836", "brcm,bcm2837" or "brcm,bcm2711"; NULL for any other, or
 * when there is no memory. soc_free() frees it. */
struct soc *soc_new_with_dma(const char *compatible);

/* What the CPU does: 32-bit accesses at an offset from the peripherals' base. Those to the GPIO block are soc_read()
 * and soc_write(), and are the only ones in the log. */
uint32_t soc_peripheral_read(struct soc *soc, uint32_t offset);
void soc_peripheral_write(struct soc *soc, uint32_t offset, uint32_t value);

/* A property message (words: total bytes, request code 0, tags, 0), answered in place. 0, or -errno as of the ioctl. */
int soc_mailbox(struct soc *soc, uint32_t *message);

/* Where the CPU sees locked memory, from a page of it on; NULL where /dev/mem would show something else. The top two
 * bits of the address, the alias, do not matter here. */
void *soc_memory(struct soc *soc, uint32_t bus_address, size_t bytes);

/* From now on the VideoCore has this many bytes in all (64 MiB after power-on); what it gave stays given. */
void soc_mailbox_limit(struct soc *soc, size_t bytes);

/* From now on the ioctl fails with -error (EPERM, say), but for the next `after` times; 0: it works again. */
void soc_mailbox_fail(struct soc *soc, int error, unsigned after);

/* Handles that were allocated and not released. Also looks whether freed memory was written since: a violation. */
unsigned soc_memory_in_use(struct soc *soc);

/* Words that wait in a FIFO. `dreq` is 5 for PWM, 2 for PCM. */
unsigned soc_fifo_level(const struct soc *soc, unsigned dreq);

/* Control blocks that a channel has loaded since power-on. */
unsigned soc_blocks_loaded(const struct soc *soc, unsigned channel);

#endif
