/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * The modelled SoC. Sources, by the short names that the comments use:
 *
 *   [2835]  BCM2835 ARM Peripherals, chapter 6 "General Purpose I/O", and its errata
 *   [2711]  BCM2711 ARM Peripherals, chapter 5 "General Purpose I/O"
 *   [RP1]   RP1 Peripherals, 2.4 "Atomic register access" and chapter 3 "GPIO"
 *   [linux] drivers/pinctrl/pinctrl-bcm2835.c and pinctrl-rp1.c
 *   [pinctrl] Raspberry Pi's pinctrl utility, gpiochip_bcm2835.c and gpiochip_rp1.c
 *
 * "Choice" marks what none of them says and the model had to decide.
 *
 * After power-on
 *   BCM: every line an input, latches 0, pulls as in [2835] table 6-31 and the reset values of the [2711] registers
 *   GPIO_PUP_PDN_CNTRL_REG0-3. Documented. The levels of lines without a pull are a choice: 0. A real board's firmware
 *   has changed some of this by the time Linux runs; the model has no firmware.
 *   RP1: CTRL 0x9f (FUNCSEL 31 none, filter constant 4), pads with OD set, IE clear, 4 mA, Schmitt on, GPIO 0-8 up and
 *   9-27 down. Documented in [RP1] 3.1. Choice: the pulls of banks 1 and 2 (down), and OUT and OE 0.
 *
 * Not modelled: edge and level events (the kernel's: their registers keep what is written, which counts as a violation,
 * and report nothing), RP1's filters (inputs pass at once) and PROC_RIO, drive strength and slew beyond their bits.
 */
#include "soc.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_LINES = 58,
    MAX_PARTS = 8,
    MAX_EVENTS_AT_ONCE = 1000000, /* a part that asks for more at one point in time will never let it pass */
    LOG_SIZE = 8192,
};

enum pull { PULL_NONE = 0, PULL_DOWN = 1, PULL_UP = 2, PULL_KEEPER = 3 };

struct access {
    uint32_t offset;
    uint32_t value;
    bool is_write;
};

struct wave_entry {
    uint64_t time;
    uint32_t lines;
};

struct wave {
    struct wave_entry *entry; /* NULL: nothing is recorded */
    unsigned count, size;
};

/* What differs between the chips. */
struct chip {
    const char *compatible;
    unsigned lines;
    uint32_t size; /* bytes of the GPIO block */
    void (*reset)(struct soc *soc);
    uint32_t (*read)(const struct soc *soc, uint32_t offset);
    void (*write)(struct soc *soc, uint32_t offset, uint32_t value);
    void (*time_passed)(struct soc *soc);
    bool (*pad)(const struct soc *soc, unsigned line, bool *level); /* is the driver on, and at which level */
    enum pull (*pull)(const struct soc *soc, unsigned line);
};

enum { BCM_WORDS = 0xF4 / 4 };

struct bcm {
    bool has_gppud;
    uint32_t word[BCM_WORDS]; /* registers that are plain storage: GPFSEL and the kernel's event enables */
    uint64_t latch;           /* one bit a line, whatever its function */
    enum pull pull[MAX_LINES];
    uint32_t control;                 /* GPPUD */
    uint64_t control_stable_at;       /* from then on a clock may rise */
    uint64_t clock;                   /* GPPUDCLK0 and 1 */
    uint64_t latching;                /* lines whose clock is up and whose pull has yet to be taken */
    uint64_t latches_at[MAX_LINES];
};

enum { RP1_BANKS = 3, RP1_LINES = 54 };

struct rp1 {
    uint32_t ctrl[RP1_LINES];
    uint32_t pads[RP1_LINES];
    uint32_t out[RP1_BANKS];
    uint32_t oe[RP1_BANKS];
    uint32_t meant[RP1_BANKS]; /* of these OE bits: they were set while the line had the function that it has */
    uint32_t voltage[RP1_BANKS];
};

struct soc {
    const struct chip *chip;
    uint64_t now;
    struct bcm bcm;
    struct rp1 rp1;
    int outside[MAX_LINES]; /* -1: nothing connected */
    bool level[MAX_LINES];
    struct soc_part part[MAX_PARTS];
    unsigned parts;
    unsigned violations, hazards;
    char violation[160], hazard[160];
    bool has_bridges;
    uint64_t never_both[MAX_LINES]; /* with this line: lines below it */
    struct access log[LOG_SIZE];
    unsigned logged;
    struct wave wave;
    uint64_t free_until;
};

static uint64_t bit(unsigned n)
{
    return (uint64_t)1 << n;
}

static uint64_t all_lines(const struct soc *soc)
{
    return bit(soc->chip->lines) - 1;
}

/* The lines 32 * index to 32 * index + 31 that exist. */
static uint32_t word_mask(const struct soc *soc, unsigned index)
{
    return (uint32_t)(all_lines(soc) >> (32 * index));
}

/* Does a part drive this line, now that `code` is its function? */
static bool part_drives(const struct soc *soc, unsigned line, unsigned code, bool *level)
{
    for (unsigned i = 0; i < soc->parts; i++) {
        const struct soc_part *part = &soc->part[i];
        int value = 0;

        if (part->drives && part->drives(part->state, line, code, &value)) {
            *level = value != 0;
            return true;
        }
    }
    return false;
}

/* ---- BCM2835 and BCM2711 ([2835] 6.1, [2711] 5.2) ---- */

enum bcm_register {
    GPFSEL0 = 0x00, GPFSEL5 = 0x14,
    GPSET0 = 0x1C, GPSET1 = 0x20,
    GPCLR0 = 0x28, GPCLR1 = 0x2C,
    GPLEV0 = 0x34, GPLEV1 = 0x38,
    GPEDS0 = 0x40, GPEDS1 = 0x44,
    GPREN0 = 0x4C, GPREN1 = 0x50,
    GPFEN0 = 0x58, GPFEN1 = 0x5C,
    GPHEN0 = 0x64, GPHEN1 = 0x68,
    GPLEN0 = 0x70, GPLEN1 = 0x74,
    GPAREN0 = 0x7C, GPAREN1 = 0x80,
    GPAFEN0 = 0x88, GPAFEN1 = 0x8C,
    GPPUD = 0x94,
    GPPUDCLK0 = 0x98, GPPUDCLK1 = 0x9C,
    PUP_PDN0 = 0xE4, /* to 0xF0, the last register of the block */
};

enum { FSEL_INPUT = 0, FSEL_OUTPUT = 1 };

/* What an address that has nothing to say answers: "gpio". Known of 0xF0 on a BCM2835 (that is how RPi.GPIO tells the
 * two chips apart), and seen on a BCM2711 at GPSET, GPCLR and the reserved words between. Choice: at the other reserved
 * addresses as well. Code that reads GPSET to modify it sets a dozen lines. */
static const uint32_t BCM_NOTHING = 0x6770696F;

/* "Wait 150 cycles" ([2835] 6.1, GPPUDCLKn), before the clock rises and while it is up. At a core clock of 250 MHz. */
static const uint64_t PULL_WAIT_NS = 600;

static void bcm_reset(struct soc *soc)
{
    /* One character a line: up, down, none. [2835] table 6-31; 54-57 exist on the BCM2711 only. */
    static const char power_on[MAX_LINES + 1] = "uuuuuuuuu"           /* 0-8 */
                                                "ddddddddddddddddddd" /* 9-27 */
                                                "--dddd"              /* 28-33 */
                                                "uuu"                 /* 34-36 */
                                                "ddddddd"             /* 37-43 */
                                                "--"                  /* 44, 45 */
                                                "uuuuuuuu"            /* 46-53 */
                                                "uuuu";               /* 54-57 */

    for (unsigned line = 0; line < soc->chip->lines; line++) {
        char c = power_on[line];

        soc->bcm.pull[line] = c == 'u' ? PULL_UP : c == 'd' ? PULL_DOWN : PULL_NONE;
    }
}

static void bcm2835_reset(struct soc *soc)
{
    bcm_reset(soc);
    soc->bcm.has_gppud = true;
}

static unsigned bcm_function(const struct soc *soc, unsigned line)
{
    return soc->bcm.word[line / 10] >> (line % 10 * 3) & 7;
}

static bool bcm_pad(const struct soc *soc, unsigned line, bool *level)
{
    unsigned function = bcm_function(soc, line);

    if (function == FSEL_OUTPUT) {
        *level = (soc->bcm.latch & bit(line)) != 0;
        return true;
    }
    return function != FSEL_INPUT && part_drives(soc, line, function, level);
}

static enum pull bcm_pull(const struct soc *soc, unsigned line)
{
    return soc->bcm.pull[line];
}

static uint32_t bcm_fsel_mask(const struct soc *soc, uint32_t offset)
{
    unsigned first = offset / 4 * 10;
    unsigned fields = soc->chip->lines - first < 10 ? soc->chip->lines - first : 10;

    return (uint32_t)(bit(3 * fields) - 1);
}

static uint32_t bcm_levels(const struct soc *soc, unsigned index)
{
    uint32_t levels = 0;

    for (unsigned n = 0; n < 32 && 32 * index + n < soc->chip->lines; n++)
        levels |= (uint32_t)soc->level[32 * index + n] << n;
    return levels;
}

/* GPIO_PUP_PDN_CNTRL_REGn ([2711] 5.2): two bits a line, and the codes of up and down are not GPPUD's. */
static uint32_t bcm2711_pulls(const struct soc *soc, uint32_t offset)
{
    unsigned first = (offset - PUP_PDN0) / 4 * 16;
    uint32_t value = 0;

    for (unsigned n = 0; n < 16 && first + n < soc->chip->lines; n++) {
        enum pull pull = soc->bcm.pull[first + n];
        uint32_t code = pull == PULL_UP ? 1 : pull == PULL_DOWN ? 2 : 0;

        value |= code << (2 * n);
    }
    return value;
}

static void bcm2711_set_pulls(struct soc *soc, uint32_t offset, uint32_t value)
{
    static const enum pull meaning[] = { PULL_NONE, PULL_UP, PULL_DOWN };
    unsigned first = (offset - PUP_PDN0) / 4 * 16;
    bool reserved = false;

    for (unsigned n = 0; n < 16 && first + n < soc->chip->lines; n++) {
        unsigned code = value >> (2 * n) & 3;

        if (code < 3)
            soc->bcm.pull[first + n] = meaning[code];
        else
            reserved = true; /* choice: the line keeps its pull */
    }
    if (reserved)
        soc_break_rule(soc, "pull code 3 in register 0x%02x is reserved", (unsigned)offset);
}

/* The kernel's registers, GPEDS to GPAFEN: which half of the lines this address is for; -1 for any other address. */
static int event_half(uint32_t offset)
{
    switch (offset) {
    case GPEDS0: case GPREN0: case GPFEN0: case GPHEN0: case GPLEN0: case GPAREN0: case GPAFEN0:
        return 0;
    case GPEDS1: case GPREN1: case GPFEN1: case GPHEN1: case GPLEN1: case GPAREN1: case GPAFEN1:
        return 1;
    default:
        return -1;
    }
}

static void event_write(struct soc *soc, uint32_t offset, uint32_t value)
{
    soc_break_rule(soc, "write to the kernel's event register 0x%02x", (unsigned)offset);
    if (offset != GPEDS0 && offset != GPEDS1) /* write 1 to clear, and no event is ever set */
        soc->bcm.word[offset / 4] = value & word_mask(soc, (unsigned)event_half(offset));
}

static uint32_t bcm_read(const struct soc *soc, uint32_t offset)
{
    if (offset <= GPFSEL5 || event_half(offset) >= 0)
        return soc->bcm.word[offset / 4];
    if (offset == GPLEV0 || offset == GPLEV1)
        return bcm_levels(soc, (offset - GPLEV0) / 4);
    if (soc->bcm.has_gppud && offset >= GPPUD && offset <= GPPUDCLK1)
        return 0; /* write-only; choice: 0, so that code which keeps what it reads there keeps nothing */
    if (!soc->bcm.has_gppud && offset >= PUP_PDN0)
        return bcm2711_pulls(soc, offset);
    return BCM_NOTHING;
}

/*
 * The pulls of a BCM2835 ([2835] 6.1, GPPUDCLKn): write the control signal, wait, raise the clock of the lines that are
 * to take it, wait, remove the control signal, remove the clock. A line takes the signal at the end of the second wait.
 * What comes too early breaks the sequence, and then the line keeps the pull it had. The clock may fall before the
 * control signal goes, as in [linux].
 */
static void gppud_write(struct soc *soc, uint32_t value)
{
    if ((value & 3) == 3)
        soc_break_rule(soc, "GPPUD code 3 is reserved");
    if (soc->bcm.latching)
        soc_break_rule(soc, "GPPUD written less than %u ns after a clock rose", (unsigned)PULL_WAIT_NS);
    soc->bcm.latching = 0;
    soc->bcm.control = value & 3;
    soc->bcm.control_stable_at = soc->now + PULL_WAIT_NS;
}

static void gppudclk_write(struct soc *soc, unsigned index, uint32_t value)
{
    struct bcm *bcm = &soc->bcm;
    uint64_t lines = (uint64_t)word_mask(soc, index) << (32 * index);
    uint64_t clock = (uint64_t)value << (32 * index) & lines;
    uint64_t rising = clock & ~bcm->clock;
    uint64_t falling = ~clock & bcm->clock & lines;

    if (falling & bcm->latching) {
        soc_break_rule(soc, "GPPUDCLK%u fell less than %u ns after it rose", index, (unsigned)PULL_WAIT_NS);
        bcm->latching &= ~falling;
    }
    if (rising && soc->now < bcm->control_stable_at) {
        soc_break_rule(soc, "GPPUDCLK%u rose less than %u ns after GPPUD was written", index, (unsigned)PULL_WAIT_NS);
    } else {
        bcm->latching |= rising;
        for (unsigned line = 0; line < soc->chip->lines; line++)
            if (rising & bit(line))
                bcm->latches_at[line] = soc->now + PULL_WAIT_NS;
    }
    bcm->clock = (bcm->clock & ~lines) | clock;
}

static void bcm_time_passed(struct soc *soc)
{
    static const enum pull meaning[] = { PULL_NONE, PULL_DOWN, PULL_UP };
    struct bcm *bcm = &soc->bcm;

    for (unsigned line = 0; bcm->latching && line < soc->chip->lines; line++) {
        if (!(bcm->latching & bit(line)) || soc->now < bcm->latches_at[line])
            continue;
        bcm->latching &= ~bit(line);
        if (bcm->control < 3)
            bcm->pull[line] = meaning[bcm->control];
    }
}

static void bcm_write(struct soc *soc, uint32_t offset, uint32_t value)
{
    struct bcm *bcm = &soc->bcm;

    if (offset <= GPFSEL5) {
        bcm->word[offset / 4] = value & bcm_fsel_mask(soc, offset);
    } else if (offset == GPSET0 || offset == GPSET1) {
        bcm->latch |= (uint64_t)value << (8 * (offset - GPSET0)) & all_lines(soc);
    } else if (offset == GPCLR0 || offset == GPCLR1) {
        bcm->latch &= ~((uint64_t)value << (8 * (offset - GPCLR0)));
    } else if (offset == GPLEV0 || offset == GPLEV1) {
        soc_break_rule(soc, "write to GPLEV (0x%02x), which is read-only", (unsigned)offset);
    } else if (event_half(offset) >= 0) {
        event_write(soc, offset, value);
    } else if (bcm->has_gppud && offset == GPPUD) {
        gppud_write(soc, value);
    } else if (bcm->has_gppud && (offset == GPPUDCLK0 || offset == GPPUDCLK1)) {
        gppudclk_write(soc, (offset - GPPUDCLK0) / 4, value);
    } else if (!bcm->has_gppud && offset >= PUP_PDN0) {
        bcm2711_set_pulls(soc, offset, value);
    } else {
        soc_break_rule(soc, "write to the reserved address 0x%02x", (unsigned)offset);
    }
}

/* ---- RP1 ([RP1] chapter 3) ---- */

static const struct {
    unsigned first, lines;
} RP1_BANK[RP1_BANKS] = { { 0, 28 }, { 28, 6 }, { 34, 20 } };

enum rp1_ctrl {
    CTRL_FUNCSEL = 0x1F, /* 4:0 */
    CTRL_OUTOVER_LSB = 12,
    CTRL_OEOVER_LSB = 14,
    CTRL_INOVER_LSB = 16,
    CTRL_AT_RESET = 0x9F,
    FUNCSEL_SYS_RIO = 5,
};
static const uint32_t CTRL_IRQ = 0xFFF00000;    /* event masks 27:20, IRQRESET 28, IRQOVER 31:30 */
static const uint32_t CTRL_STORED = 0xCFF3FFFF; /* all but 19:18 and 29 (reserved) and IRQRESET, which clears itself */

enum rp1_pad {
    PAD_PDE = 1 << 2,
    PAD_PUE = 1 << 3,
    PAD_IE = 1 << 6,
    PAD_OD = 1 << 7,
    PAD_STORED = 0xFF,
    PAD_AT_RESET_UP = 0x9A,   /* OD, 4 mA, PUE, Schmitt */
    PAD_AT_RESET_DOWN = 0x96, /* OD, 4 mA, PDE, Schmitt */
};

enum rp1_status {
    STATUS_OUTFROMPERI = 1 << 8,
    STATUS_OUTTOPAD = 1 << 9,
    STATUS_OEFROMPERI = 1 << 12,
    STATUS_OETOPAD = 1 << 13, /* before the pad's OD has its say */
    STATUS_INFROMPAD = 1 << 17,
    STATUS_INFILTERED = 1 << 18,
    STATUS_INTOPERI = 1 << 19,
};

enum rp1_block { IO_BANK = 0, SYS_RIO = 1, PADS = 2 };                /* 0x10000 apart, 0x4000 a bank */
enum rp1_alias { ALIAS_RW, ALIAS_XOR, ALIAS_SET, ALIAS_CLR };         /* 0x1000 apart, [RP1] 2.4 */
enum rp1_rio { RIO_OUT = 0x0, RIO_OE = 0x4, RIO_IN = 0x8, RIO_IN_2 = 0xC };
enum { IO_INTR = 0x100, IO_PCIE_INTS = 0x124 };                       /* per-bank interrupt registers: the kernel's */

/* What one address means. */
enum rp1_kind { RP1_NOTHING, RP1_STATUS, RP1_CTRL, RP1_IRQ, RP1_OUT, RP1_OE, RP1_IN, RP1_VOLTAGE, RP1_PAD };

struct rp1_address {
    enum rp1_kind kind;
    enum rp1_alias alias;
    unsigned bank;
    unsigned line; /* of the chip; where the register is one line's */
};

static struct rp1_address rp1_decode(uint32_t offset)
{
    struct rp1_address at = { RP1_NOTHING, (enum rp1_alias)(offset >> 12 & 3), offset >> 14 & 3, 0 };
    uint32_t reg = offset & 0xFFF;
    unsigned n;

    if (at.bank >= RP1_BANKS)
        return at;
    switch (offset >> 16) {
    case IO_BANK:
        n = reg / 8;
        at.line = RP1_BANK[at.bank].first + n;
        if (n < RP1_BANK[at.bank].lines)
            at.kind = reg % 8 ? RP1_CTRL : RP1_STATUS;
        else if (reg >= IO_INTR && reg <= IO_PCIE_INTS)
            at.kind = RP1_IRQ;
        break;
    case SYS_RIO:
        if (reg == RIO_OUT)
            at.kind = RP1_OUT;
        else if (reg == RIO_OE)
            at.kind = RP1_OE;
        else if (reg == RIO_IN || reg == RIO_IN_2) /* synchronised and not; the model has no metastability */
            at.kind = RP1_IN;
        break;
    case PADS:
        n = reg / 4 - 1;
        at.line = RP1_BANK[at.bank].first + n;
        if (reg == 0)
            at.kind = RP1_VOLTAGE;
        else if (n < RP1_BANK[at.bank].lines)
            at.kind = RP1_PAD;
        break;
    default:
        break;
    }
    return at;
}

static unsigned rp1_bank(unsigned line)
{
    return line < RP1_BANK[1].first ? 0 : line < RP1_BANK[2].first ? 1 : 2;
}

static uint32_t rp1_bank_mask(unsigned bank)
{
    return (uint32_t)(bit(RP1_BANK[bank].lines) - 1);
}

static void rp1_reset(struct soc *soc)
{
    for (unsigned line = 0; line < RP1_LINES; line++) {
        soc->rp1.ctrl[line] = CTRL_AT_RESET;
        soc->rp1.pads[line] = line <= 8 ? PAD_AT_RESET_UP : PAD_AT_RESET_DOWN;
    }
}

/* OUTOVER, OEOVER and INOVER share their codes: as it is, inverted, 0 (low, disabled), 1 (high, enabled). */
static bool rp1_override(uint32_t ctrl, unsigned lsb, bool value)
{
    switch (ctrl >> lsb & 3) {
    case 0:
        return value;
    case 1:
        return !value;
    case 2:
        return false;
    default:
        return true;
    }
}

/* The signals of one line, on their way from the selected peripheral to the pad and back. */
struct rp1_signals {
    bool out_from_peri, oe_from_peri, out_to_pad, oe_to_pad;
    bool in_from_pad, in_to_peri;
};

static struct rp1_signals rp1_signals(const struct soc *soc, unsigned line)
{
    const struct rp1 *rp1 = &soc->rp1;
    unsigned bank = rp1_bank(line), n = line - RP1_BANK[bank].first;
    uint32_t ctrl = rp1->ctrl[line], function = ctrl & CTRL_FUNCSEL;
    struct rp1_signals s = { false, false, false, false, false, false };

    if (function == FUNCSEL_SYS_RIO) {
        s.out_from_peri = (rp1->out[bank] >> n & 1) != 0;
        s.oe_from_peri = (rp1->oe[bank] >> n & 1) != 0;
    } else {
        s.oe_from_peri = part_drives(soc, line, function, &s.out_from_peri);
    }
    s.out_to_pad = rp1_override(ctrl, CTRL_OUTOVER_LSB, s.out_from_peri);
    s.oe_to_pad = rp1_override(ctrl, CTRL_OEOVER_LSB, s.oe_from_peri);
    s.in_from_pad = (rp1->pads[line] & PAD_IE) && soc->level[line]; /* without IE the input buffer is off */
    s.in_to_peri = rp1_override(ctrl, CTRL_INOVER_LSB, s.in_from_pad);
    return s;
}

static bool rp1_pad(const struct soc *soc, unsigned line, bool *level)
{
    struct rp1_signals s = rp1_signals(soc, line);

    *level = s.out_to_pad;
    return s.oe_to_pad && !(soc->rp1.pads[line] & PAD_OD); /* OD "has priority over output enable from peripherals" */
}

static enum pull rp1_pull(const struct soc *soc, unsigned line)
{
    uint32_t pads = soc->rp1.pads[line];

    return (enum pull)((pads & PAD_PDE ? PULL_DOWN : PULL_NONE) | (pads & PAD_PUE ? PULL_UP : PULL_NONE));
}

static uint32_t rp1_status(const struct soc *soc, unsigned line)
{
    struct rp1_signals s = rp1_signals(soc, line);

    return (s.out_from_peri ? STATUS_OUTFROMPERI : 0u) | (s.out_to_pad ? STATUS_OUTTOPAD : 0u) |
           (s.oe_from_peri ? STATUS_OEFROMPERI : 0u) | (s.oe_to_pad ? STATUS_OETOPAD : 0u) |
           (s.in_from_pad ? STATUS_INFROMPAD | STATUS_INFILTERED : 0u) | (s.in_to_peri ? STATUS_INTOPERI : 0u);
}

/* What RIO sees, whatever function is selected: [pinctrl] reads any pin this way. Choice: after INOVER, as on the
 * RP2040, whose GPIO block RP1's descends from. */
static uint32_t rp1_inputs(const struct soc *soc, unsigned bank)
{
    uint32_t value = 0;

    for (unsigned n = 0; n < RP1_BANK[bank].lines; n++)
        value |= (uint32_t)rp1_signals(soc, RP1_BANK[bank].first + n).in_to_peri << n;
    return value;
}

static uint32_t rp1_value(const struct soc *soc, struct rp1_address at)
{
    switch (at.kind) {
    case RP1_STATUS:
        return rp1_status(soc, at.line);
    case RP1_CTRL:
        return soc->rp1.ctrl[at.line];
    case RP1_OUT:
        return soc->rp1.out[at.bank];
    case RP1_OE:
        return soc->rp1.oe[at.bank];
    case RP1_IN:
        return rp1_inputs(soc, at.bank);
    case RP1_VOLTAGE:
        return soc->rp1.voltage[at.bank];
    case RP1_PAD:
        return soc->rp1.pads[at.line];
    default:
        return 0; /* RP1_IRQ: no events. Nothing there: a choice. */
    }
}

/* Reading an alias is reading the register ([RP1] 2.4). */
static uint32_t rp1_read(const struct soc *soc, uint32_t offset)
{
    return rp1_value(soc, rp1_decode(offset));
}

static uint32_t rp1_combine(enum rp1_alias alias, uint32_t old, uint32_t value)
{
    switch (alias) {
    case ALIAS_XOR:
        return old ^ value;
    case ALIAS_SET:
        return old | value;
    case ALIAS_CLR:
        return old & ~value;
    default:
        return value;
    }
}

/* Who turns an output on means it; until the line has had another function, where the bit is nobody's concern. */
static void rp1_note_oe(struct rp1 *rp1, struct rp1_address at, uint32_t old, uint32_t value)
{
    uint32_t set = at.alias == ALIAS_CLR ? 0 : at.alias == ALIAS_XOR ? value & ~old : value;

    rp1->meant[at.bank] = (rp1->meant[at.bank] | set) & rp1->oe[at.bank];
}

static void rp1_note_function(struct soc *soc, unsigned line, uint32_t old)
{
    struct rp1 *rp1 = &soc->rp1;
    unsigned bank = rp1_bank(line);
    uint32_t own = (uint32_t)bit(line - RP1_BANK[bank].first), new = rp1->ctrl[line];

    if ((new & CTRL_FUNCSEL) == (old & CTRL_FUNCSEL))
        return;
    if ((new & CTRL_FUNCSEL) != FUNCSEL_SYS_RIO)
        rp1->meant[bank] &= ~own;
    else if (rp1->oe[bank] & ~rp1->meant[bank] & own)
        soc_note_hazard(soc, "line %u drives as soon as it is GPIO: its output was on from before", line);
}

static void rp1_write(struct soc *soc, uint32_t offset, uint32_t value)
{
    struct rp1_address at = rp1_decode(offset);
    struct rp1 *rp1 = &soc->rp1;
    uint32_t old = rp1_value(soc, at);
    uint32_t new = rp1_combine(at.alias, old, value);

    switch (at.kind) {
    case RP1_CTRL:
        /* A read-modify-write that gives the kernel's bits back as they were is fine. */
        if ((old ^ new) & CTRL_IRQ)
            soc_break_rule(soc, "write to the kernel's bits 20-31 of line %u's CTRL", at.line);
        rp1->ctrl[at.line] = new & CTRL_STORED;
        rp1_note_function(soc, at.line, old);
        break;
    case RP1_OUT:
        rp1->out[at.bank] = new & rp1_bank_mask(at.bank);
        break;
    case RP1_OE:
        rp1->oe[at.bank] = new & rp1_bank_mask(at.bank);
        rp1_note_oe(rp1, at, old, value);
        break;
    case RP1_PAD:
        rp1->pads[at.line] = new & PAD_STORED;
        if (rp1_pull(soc, at.line) == PULL_KEEPER)
            soc_note_hazard(soc, "both pulls of line %u are on", at.line);
        break;
    case RP1_VOLTAGE: /* choice: a rule of this project. The board decides it; a line's pad is at 4 + 4n. */
        soc_break_rule(soc, "write to the pad voltage of bank %u", at.bank);
        rp1->voltage[at.bank] = new & 1;
        break;
    case RP1_STATUS:
        soc_break_rule(soc, "write to line %u's STATUS, which is read-only", at.line);
        break;
    case RP1_IN:
        soc_break_rule(soc, "write to the inputs of bank %u, which are read-only", at.bank);
        break;
    case RP1_IRQ:
        soc_break_rule(soc, "write to the kernel's interrupt register 0x%05x", (unsigned)offset);
        break;
    default:
        soc_break_rule(soc, "write to the reserved address 0x%05x", (unsigned)offset);
        break;
    }
}

/* ---- The machine around them ---- */

/* Sizes: the last register of a BCM block is 0xF0 (the kernel's driver claims less, gpiomem maps a page); RP1's is what
 * /dev/gpiomem0 maps. */
static const struct chip CHIPS[] = {
    { "brcm,bcm2835-gpio", 54, 0xF4, bcm2835_reset, bcm_read, bcm_write, bcm_time_passed, bcm_pad, bcm_pull },
    { "brcm,bcm2711-gpio", 58, 0xF4, bcm_reset, bcm_read, bcm_write, NULL, bcm_pad, bcm_pull },
    { "raspberrypi,rp1-gpio", RP1_LINES, 0x30000, rp1_reset, rp1_read, rp1_write, NULL, rp1_pad, rp1_pull },
};

struct soc *soc_new(const char *compatible)
{
    for (size_t i = 0; compatible && i < sizeof CHIPS / sizeof CHIPS[0]; i++) {
        struct soc *soc;

        if (strcmp(compatible, CHIPS[i].compatible))
            continue;
        soc = calloc(1, sizeof *soc);
        if (!soc)
            return NULL;
        soc->chip = &CHIPS[i];
        for (unsigned line = 0; line < MAX_LINES; line++)
            soc->outside[line] = -1;
        soc->chip->reset(soc);
        soc_settle(soc);
        return soc;
    }
    return NULL;
}

void soc_free(struct soc *soc)
{
    if (!soc)
        return;
    for (unsigned i = soc->parts; i-- > 0;)
        if (soc->part[i].release)
            soc->part[i].release(soc->part[i].state);
    free(soc->wave.entry);
    free(soc);
}

static void check_bridges(struct soc *soc)
{
    for (unsigned line = 0; line < soc->chip->lines; line++)
        for (unsigned other = 0; other < line; other++)
            if (soc->never_both[line] & bit(other) && soc->level[line] && soc->level[other])
                soc_note_hazard(soc, "lines %u and %u are both high", other, line);
}

void soc_never_both(struct soc *soc, unsigned one, unsigned other)
{
    if (one >= soc->chip->lines || other >= soc->chip->lines || one == other) {
        soc_break_rule(soc, "no bridge has the lines %u and %u", one, other);
        return;
    }
    soc->never_both[one > other ? one : other] |= bit(one > other ? other : one);
    soc->has_bridges = true;
    check_bridges(soc);
}

void soc_settle(struct soc *soc)
{
    for (unsigned line = 0; line < soc->chip->lines; line++) {
        bool level = false;

        if (soc->chip->pad(soc, line, &level)) {
            soc->level[line] = level;
            continue;
        }
        enum pull pull = soc->chip->pull(soc, line);

        if (soc->outside[line] >= 0)
            soc->level[line] = soc->outside[line] != 0;
        else if (pull == PULL_UP || pull == PULL_DOWN)
            soc->level[line] = pull == PULL_UP;
        /* else it floats, or is kept: the level stays */
    }
    if (soc->has_bridges)
        check_bridges(soc);
}

void soc_break_rule(struct soc *soc, const char *format, ...)
{
    va_list arguments;

    soc->violations++;
    va_start(arguments, format);
    vsnprintf(soc->violation, sizeof soc->violation, format, arguments);
    va_end(arguments);
}

void soc_note_hazard(struct soc *soc, const char *format, ...)
{
    va_list arguments;

    soc->hazards++;
    va_start(arguments, format);
    vsnprintf(soc->hazard, sizeof soc->hazard, format, arguments);
    va_end(arguments);
}

/* The BCM's only: those of an RP1 are 0. */
static uint32_t output_levels(const struct soc *soc)
{
    uint32_t lines = (uint32_t)soc->bcm.latch;

    for (unsigned line = 0; line < 32; line++)
        if (lines >> line & 1 && bcm_function(soc, line) != FSEL_OUTPUT)
            lines &= ~(1u << line);
    return lines;
}

static void wave_add(struct soc *soc, uint32_t lines)
{
    struct wave *wave = &soc->wave;

    if (wave->count == wave->size) {
        unsigned size = wave->size ? 2 * wave->size : 1024;
        struct wave_entry *entry = realloc(wave->entry, size * sizeof *entry);

        if (!entry) {
            soc_break_rule(soc, "no memory for the waveform"); /* so that no test believes what is there */
            return;
        }
        wave->entry = entry;
        wave->size = size;
    }
    wave->entry[wave->count++] = (struct wave_entry){ soc->now, lines };
}

static void wave_record(struct soc *soc)
{
    uint32_t lines = output_levels(soc);

    if (lines != soc->wave.entry[soc->wave.count - 1].lines)
        wave_add(soc, lines);
}

void soc_wave_start(struct soc *soc)
{
    soc->wave.count = 0;
    wave_add(soc, output_levels(soc));
}

unsigned soc_wave_count(const struct soc *soc)
{
    return soc->wave.count;
}

int soc_wave_entry(const struct soc *soc, unsigned index, uint64_t *time_ns, uint32_t *lines)
{
    if (index >= soc->wave.count)
        return -ENOENT;
    *time_ns = soc->wave.entry[index].time;
    *lines = soc->wave.entry[index].lines;
    return 0;
}

static bool access_is_possible(struct soc *soc, uint32_t offset, const char *what)
{
    if (offset % 4)
        soc_break_rule(soc, "unaligned %s at 0x%x", what, (unsigned)offset);
    else if (offset >= soc->chip->size)
        soc_break_rule(soc, "%s at 0x%x, beyond the block", what, (unsigned)offset);
    else
        return true;
    return false;
}

uint32_t soc_bus_read(struct soc *soc, uint32_t offset)
{
    return access_is_possible(soc, offset, "read") ? soc->chip->read(soc, offset) : 0;
}

void soc_bus_write(struct soc *soc, uint32_t offset, uint32_t value)
{
    if (!access_is_possible(soc, offset, "write"))
        return;
    soc->chip->write(soc, offset, value);
    soc_settle(soc);
    if (soc->wave.entry)
        wave_record(soc);
}

static void log_access(struct soc *soc, uint32_t offset, uint32_t value, bool is_write)
{
    soc->log[soc->logged++ % LOG_SIZE] = (struct access){ offset, value, is_write };
}

uint32_t soc_read(struct soc *soc, uint32_t offset)
{
    uint32_t value = soc_bus_read(soc, offset);

    log_access(soc, offset, value, false);
    return value;
}

void soc_write(struct soc *soc, uint32_t offset, uint32_t value)
{
    log_access(soc, offset, value, true);
    soc_bus_write(soc, offset, value);
}

unsigned soc_log_count(const struct soc *soc)
{
    return soc->logged;
}

int soc_log_entry(const struct soc *soc, unsigned index, uint32_t *offset, uint32_t *value, int *is_write)
{
    const struct access *access = &soc->log[index % LOG_SIZE];

    if (index >= soc->logged || soc->logged - index > LOG_SIZE)
        return -ENOENT;
    *offset = access->offset;
    *value = access->value;
    *is_write = access->is_write;
    return 0;
}

void soc_log_clear(struct soc *soc)
{
    soc->logged = 0;
}

int soc_attach(struct soc *soc, const struct soc_part *part)
{
    if (soc->parts == MAX_PARTS)
        return -ENOSPC;
    soc->part[soc->parts++] = *part;
    soc_settle(soc);
    return 0;
}

uint64_t soc_now_ns(const struct soc *soc)
{
    return soc->now;
}

/* The part whose event comes first, if that is not after `limit`. */
static const struct soc_part *next_part(const struct soc *soc, uint64_t limit, uint64_t *when)
{
    const struct soc_part *first = NULL;

    for (unsigned i = 0; i < soc->parts; i++) {
        uint64_t at = soc->part[i].next ? soc->part[i].next(soc->part[i].state) : SOC_NEVER;

        if (at == SOC_NEVER || at > limit || (first && at >= *when))
            continue;
        first = &soc->part[i];
        *when = at;
    }
    return first;
}

/* The last time at which only `busy` may have something to do. */
static uint64_t free_time(const struct soc *soc, const struct soc_part *busy, uint64_t end)
{
    for (unsigned i = 0; i < soc->parts; i++) {
        const struct soc_part *part = &soc->part[i];
        uint64_t at = part != busy && part->next ? part->next(part->state) : SOC_NEVER;

        if (at <= end)
            end = at > soc->now ? at - 1 : soc->now;
    }
    return end;
}

uint64_t soc_free_until(const struct soc *soc)
{
    return soc->free_until;
}

void soc_advance_to(struct soc *soc, uint64_t time_ns)
{
    soc->now = time_ns;
    if (soc->chip->time_passed)
        soc->chip->time_passed(soc);
}

void *soc_part_state(const struct soc *soc, void (*run)(void *state, struct soc *soc))
{
    for (unsigned i = 0; i < soc->parts; i++)
        if (soc->part[i].run == run)
            return soc->part[i].state;
    return NULL;
}

static void move_to(struct soc *soc, uint64_t when)
{
    soc_advance_to(soc, when);
    soc_settle(soc);
}

void soc_wait_ns(struct soc *soc, uint64_t ns)
{
    uint64_t end = soc->now + ns, when = 0;
    unsigned at_once = 0;
    const struct soc_part *part;

    while ((part = next_part(soc, end, &when))) {
        at_once = when > soc->now ? 0 : at_once + 1;
        if (at_once > MAX_EVENTS_AT_ONCE) {
            soc_break_rule(soc, "a part keeps running at %llu ns", (unsigned long long)soc->now);
            break;
        }
        move_to(soc, when > soc->now ? when : soc->now);
        soc->free_until = free_time(soc, part, end);
        part->run(part->state, soc);
        soc_settle(soc);
    }
    move_to(soc, end);
}

void soc_drive(struct soc *soc, unsigned line, int level)
{
    if (line >= soc->chip->lines || level < -1 || level > 1) {
        soc_break_rule(soc, "the outside world has no line %u with level %d", line, level);
        return;
    }
    soc->outside[line] = level;
    soc_settle(soc);
}

int soc_level(const struct soc *soc, unsigned line)
{
    return line < soc->chip->lines ? soc->level[line] : -1;
}

int soc_is_driving(const struct soc *soc, unsigned line)
{
    bool level;

    return line < soc->chip->lines ? soc->chip->pad(soc, line, &level) : -1;
}

int soc_pull(const struct soc *soc, unsigned line)
{
    return line < soc->chip->lines ? (int)soc->chip->pull(soc, line) : -1;
}

unsigned soc_violations(const struct soc *soc)
{
    return soc->violations;
}

const char *soc_violation(const struct soc *soc)
{
    return soc->violation;
}

unsigned soc_hazards(const struct soc *soc)
{
    return soc->hazards;
}

const char *soc_hazard(const struct soc *soc)
{
    return soc->hazard;
}
