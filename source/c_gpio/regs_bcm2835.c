/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * regs_bcm2835.c - the GPIO block of BCM2835, 2836, 2837 and 2711: the same registers but for the pulls.
 *
 * Source: BCM2835 ARM Peripherals, 6.1; BCM2711 ARM Peripherals, 5.2.
 */
#include "regs.h"

#include <errno.h>

enum {
    GPFSEL = 0x00,                 /* 3 bits a line, 10 lines a register */
    GPSET = 0x1C,                  /* 1 bit a line, 32 lines a register; these four: write 1, or read */
    GPCLR = 0x28,
    GPLEV = 0x34,
    GPPUD = 0x94,                  /* 2835 to 2837: the pull to latch ... */
    GPPUDCLK = 0x98,               /* ... and the clock that latches it, 1 bit a line */
    GPIO_PUP_PDN_CNTRL = 0xE4,     /* 2711: 2 bits a line, 16 lines a register */
    FSEL_IN = 0,
    FSEL_OUT = 1,
    /* Both halves of the pull sequence must last 150 cycles of the core clock: 0.6 us at 250 MHz, 2.4 us
     * where a board idles at 62.5 MHz. Twice that, since nobody waits for it often. */
    PULL_SETUP_NS = 5000,
};

static uint32_t bank(unsigned line) { return line / 32 * 4; }
static uint32_t bit(unsigned line) { return UINT32_C(1) << line % 32; }
static uint32_t fsel_offset(unsigned line) { return GPFSEL + line / 10 * 4; }
static unsigned fsel_shift(unsigned line) { return line % 10 * 3; }

static int bcm_function(const struct rpio_regs *regs, unsigned line)
{
    uint32_t code = reg_read(regs, fsel_offset(line)) >> fsel_shift(line) & 7;
    return code == FSEL_IN ? RPIO_FUNC_IN : code == FSEL_OUT ? RPIO_FUNC_OUT : (int)code;
}

static int bcm_set_function(const struct rpio_regs *regs, unsigned line, int function)
{
    if (function < RPIO_FUNC_OUT || function > RPIO_FUNC_ALT3)
        return -EINVAL;
    uint32_t code = function == RPIO_FUNC_IN ? FSEL_IN : function == RPIO_FUNC_OUT ? FSEL_OUT : (uint32_t)function;
    reg_modify(regs, fsel_offset(line), UINT32_C(7) << fsel_shift(line), code << fsel_shift(line));
    return 0;
}

static int bcm_read(const struct rpio_regs *regs, unsigned line)
{
    return (reg_read(regs, GPLEV + bank(line)) & bit(line)) != 0;
}

static int bcm_write(const struct rpio_regs *regs, unsigned line, int value)
{
    reg_write(regs, (value ? GPSET : GPCLR) + bank(line), bit(line));
    return 0;
}

static struct rpio_ports bcm_ports(unsigned line)
{
    return (struct rpio_ports){
        .set = GPSET + bank(line), .clear = GPCLR + bank(line), .level = GPLEV + bank(line), .bit = bit(line)};
}

static int bcm2835_pull(const struct rpio_regs *regs, unsigned line)
{
    (void)regs;
    (void)line;
    return -ENOTSUP; /* GPPUD and GPPUDCLK are write-only */
}

/* GPPUD's codes are those of enum rpio_pull: 0 off, 1 down, 2 up. */
static int bcm2835_set_pull(const struct rpio_regs *regs, unsigned line, int pull)
{
    reg_write(regs, GPPUD, (uint32_t)pull);
    reg_wait_ns(regs, PULL_SETUP_NS);
    reg_write(regs, GPPUDCLK + bank(line), bit(line));
    reg_wait_ns(regs, PULL_SETUP_NS);
    reg_write(regs, GPPUD, 0);
    reg_write(regs, GPPUDCLK + bank(line), 0);
    return 0;
}

/* On the 2711 up is 1 and down is 2; 3 is reserved. The table is its own inverse. */
static const uint32_t bcm2711_code[] = {
    [RPIO_PULL_OFF] = 0,
    [RPIO_PULL_DOWN] = 2,
    [RPIO_PULL_UP] = 1,
};

static uint32_t pup_offset(unsigned line) { return GPIO_PUP_PDN_CNTRL + line / 16 * 4; }
static unsigned pup_shift(unsigned line) { return line % 16 * 2; }

static int bcm2711_pull(const struct rpio_regs *regs, unsigned line)
{
    uint32_t code = reg_read(regs, pup_offset(line)) >> pup_shift(line) & 3;
    return code < 3 ? (int)bcm2711_code[code] : RPIO_PULL_OFF;
}

static int bcm2711_set_pull(const struct rpio_regs *regs, unsigned line, int pull)
{
    reg_modify(regs, pup_offset(line), UINT32_C(3) << pup_shift(line), bcm2711_code[pull] << pup_shift(line));
    return 0;
}

const struct rpio_regs_ops rpio_bcm2835_ops = {
    .chip = "bcm2835",
    .line_count = 54,
    .size_bytes = 0x1000,
    .function = bcm_function,
    .set_function = bcm_set_function,
    .read = bcm_read,
    .write = bcm_write,
    .pull = bcm2835_pull,
    .set_pull = bcm2835_set_pull,
    .ports = bcm_ports,
};

const struct rpio_regs_ops rpio_bcm2711_ops = {
    .chip = "bcm2711",
    .line_count = 58,
    .size_bytes = 0x1000,
    .function = bcm_function,
    .set_function = bcm_set_function,
    .read = bcm_read,
    .write = bcm_write,
    .pull = bcm2711_pull,
    .set_pull = bcm2711_set_pull,
    .ports = bcm_ports,
};
