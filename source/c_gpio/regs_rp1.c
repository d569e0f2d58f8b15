/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * regs_rp1.c - the GPIO of RP1, the I/O chip of the Raspberry Pi 5, 500 and CM5.
 *
 * A line is three things here: a function select in IO_BANKn, a pair of bits in SYS_RIOn (level and output
 * enable, used while the function is 5), and a pad with its pulls and its input buffer in PADSn. The header's
 * lines are bank 0. Every block has aliases that set, clear or flip the bits written, so changing one line
 * disturbs no other; only the function select and the two pull bits are more than one bit.
 *
 * Source: RP1 Peripherals, 3.1 (GPIO), 2.4 (atomic register access).
 */
#include "regs.h"

#include <errno.h>

enum {
    IO_BANK0 = 0x00000, /* + 8 * pin: STATUS, then CTRL */
    SYS_RIO0 = 0x10000,
    PADS_BANK0 = 0x20000, /* + 4: pin 0; the word before is the bank's voltage select */
    BANK_STRIDE = 0x4000,

    ALIAS_XOR = 0x1000,
    ALIAS_SET = 0x2000,
    ALIAS_CLR = 0x3000,

    RIO_OUT = 0x0,
    RIO_OE = 0x4,
    RIO_SYNC_IN = 0x8,

    CTRL_FUNCSEL = 0x1F,
    FUNCSEL_SYS_RIO = 5,

    PAD_PULL_DOWN = 1 << 2,
    PAD_PULL_UP = 1 << 3,
    PAD_INPUT_ENABLE = 1 << 6,
    PAD_OUTPUT_DISABLE = 1 << 7,
};

static const unsigned bank_start[] = {0, 28, 34};

struct place {
    uint32_t ctrl, rio, pad, bit;
};

static struct place find(unsigned line)
{
    unsigned bank = line >= bank_start[2] ? 2 : line >= bank_start[1] ? 1 : 0;
    unsigned pin = line - bank_start[bank];
    return (struct place){
        .ctrl = IO_BANK0 + bank * BANK_STRIDE + pin * 8 + 4,
        .rio = SYS_RIO0 + bank * BANK_STRIDE,
        .pad = PADS_BANK0 + bank * BANK_STRIDE + 4 + pin * 4,
        .bit = UINT32_C(1) << pin,
    };
}

/* FUNCSEL -> enum rpio_function, without 5 (plain GPIO, whose direction is in SYS_RIO). */
static const int alt[] = {
    RPIO_FUNC_ALT0, RPIO_FUNC_ALT1, RPIO_FUNC_ALT2, RPIO_FUNC_ALT3, RPIO_FUNC_ALT4,
    RPIO_FUNC_NONE, RPIO_FUNC_ALT6, RPIO_FUNC_ALT7, RPIO_FUNC_ALT8,
};
enum { ALT_COUNT = sizeof alt / sizeof alt[0] };

static int rp1_function(const struct rpio_regs *regs, unsigned line)
{
    struct place at = find(line);
    uint32_t select = reg_read(regs, at.ctrl) & CTRL_FUNCSEL;
    if (select != FUNCSEL_SYS_RIO)
        return select < ALT_COUNT ? alt[select] : RPIO_FUNC_NONE;
    reg_barrier();
    return reg_read(regs, at.rio + RIO_OE) & at.bit ? RPIO_FUNC_OUT : RPIO_FUNC_IN;
}

/* One write of the bits that differ: the other fields of CTRL (overrides, the kernel's interrupts) stay. */
static void select_function(const struct rpio_regs *regs, uint32_t ctrl, uint32_t select)
{
    reg_barrier();
    reg_write(regs, ctrl + ALIAS_XOR, (reg_read(regs, ctrl) & CTRL_FUNCSEL) ^ select);
    reg_barrier();
}

static int rp1_select_alt(const struct rpio_regs *regs, const struct place *at, int function)
{
    for (uint32_t select = 0; select < ALT_COUNT; select++)
        if (alt[select] == function && select != FUNCSEL_SYS_RIO) {
            reg_write(regs, at->pad + ALIAS_SET, PAD_INPUT_ENABLE);
            reg_write(regs, at->pad + ALIAS_CLR, PAD_OUTPUT_DISABLE);
            select_function(regs, at->ctrl, select);
            return 0;
        }
    return -EINVAL;
}

static int rp1_set_function(const struct rpio_regs *regs, unsigned line, int function)
{
    struct place at = find(line);
    if (function != RPIO_FUNC_IN && function != RPIO_FUNC_OUT)
        return rp1_select_alt(regs, &at, function);
    /* Direction first, function second, pad last: an output must never show the level of another function, and
     * an input must stop driving before anything else happens. */
    reg_write(regs, at.rio + RIO_OE + (function == RPIO_FUNC_OUT ? ALIAS_SET : ALIAS_CLR), at.bit);
    select_function(regs, at.ctrl, FUNCSEL_SYS_RIO);
    reg_write(regs, at.pad + ALIAS_SET, PAD_INPUT_ENABLE);
    reg_write(regs, at.pad + ALIAS_CLR, PAD_OUTPUT_DISABLE);
    reg_barrier();
    return 0;
}

static int rp1_read(const struct rpio_regs *regs, unsigned line)
{
    struct place at = find(line);
    if (!(reg_read(regs, at.pad) & PAD_INPUT_ENABLE))
        return -ENODATA;
    reg_barrier();
    return (reg_read(regs, at.rio + RIO_SYNC_IN) & at.bit) != 0;
}

static int rp1_write(const struct rpio_regs *regs, unsigned line, int value)
{
    struct place at = find(line);
    reg_write(regs, at.rio + RIO_OUT + (value ? ALIAS_SET : ALIAS_CLR), at.bit);
    return 0;
}

static struct rpio_ports rp1_ports(unsigned line)
{
    struct place at = find(line);
    return (struct rpio_ports){.set = at.rio + RIO_OUT + ALIAS_SET,
                               .clear = at.rio + RIO_OUT + ALIAS_CLR,
                               .level = at.rio + RIO_SYNC_IN,
                               .bit = at.bit};
}

static const uint32_t pad_bits[] = {
    [RPIO_PULL_OFF] = 0,
    [RPIO_PULL_DOWN] = PAD_PULL_DOWN,
    [RPIO_PULL_UP] = PAD_PULL_UP,
};

static int rp1_pull(const struct rpio_regs *regs, unsigned line)
{
    uint32_t pad = reg_read(regs, find(line).pad) & (PAD_PULL_DOWN | PAD_PULL_UP);
    return pad == PAD_PULL_UP ? RPIO_PULL_UP : pad == PAD_PULL_DOWN ? RPIO_PULL_DOWN : RPIO_PULL_OFF;
}

static int rp1_set_pull(const struct rpio_regs *regs, unsigned line, int pull)
{
    uint32_t pad = find(line).pad;
    uint32_t both = PAD_PULL_DOWN | PAD_PULL_UP;
    /* Clear before set: never both resistors at once. */
    reg_write(regs, pad + ALIAS_CLR, both & ~pad_bits[pull]);
    reg_write(regs, pad + ALIAS_SET, pad_bits[pull]);
    return 0;
}

const struct rpio_regs_ops rpio_rp1_ops = {
    .chip = "rp1",
    .line_count = 54,
    .size_bytes = 0x30000,
    .function = rp1_function,
    .set_function = rp1_set_function,
    .read = rp1_read,
    .write = rp1_write,
    .pull = rp1_pull,
    .set_pull = rp1_set_pull,
    .ports = rp1_ports,
};
