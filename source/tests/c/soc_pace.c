/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * What paces a DMA channel: the clock generators of PCM and PWM, the two blocks, and their FIFOs. Sources:
 *
 *   [2835] BCM2835 ARM Peripherals, 6.3 "General Purpose GPIO Clocks", chapters 8 "PCM / I2S Audio" and 9 "Pulse Width
 *          Modulator", and its errata
 *   [2711] BCM2711 ARM Peripherals, the same chapters: the same registers
 *
 * Periods are exact: the n-th word goes at start + n * clocks * divider / source, rounded up to a nanosecond, and the
 * rounding does not add up. Choices of the model:
 *
 *   Clocks: BUSY follows ENAB by 1 us. KILL stops at once. A divider's fraction counts only with MASH 1 to 3 ([2835]: 0
 *   is "integer division"), and then without the jitter of a real one. Sources: oscillator and PLLD; others are told.
 *   PWM: the FIFO has 16 words. "DMA threshold for DREQ" is read as PCM's is described: DREQ is high while the FIFO has
 *   fewer words than that. An idle channel takes a word as soon as it arrives, and that begins its first period; then
 *   one goes at the beginning of each. With RPTL the periods go on while the FIFO is empty. Only channel 1 has a FIFO
 *   here. The pads are not driven.
 *   PCM: the FIFO has 64 words. Frames begin when EN, TXON, channel 1 and the clock all are on, and go on whether there
 *   are words or not; each takes one as it begins. TXCLR and SYNC take their two PCM clocks, the memory behind the FIFO
 *   its four clocks after STBY was set. Only transmission as the master, on channel 1, is there.
 */
#include "soc_dma.h"

#include "soc.h"
#include "soc_parts.h"

enum { CLOCK_DELAY_NS = 1000, FRACTION = 4096, WHOLE_NS = 1000000000 };

/* Offsets from the peripherals' base. */
enum clock_register { CM_PCMCTL = 0x101098, CM_PCMDIV = 0x10109C, CM_PWMCTL = 0x1010A0, CM_PWMDIV = 0x1010A4 };
enum pcm_register {
    PCM_CS = 0x203000, PCM_FIFO = 0x203004, PCM_MODE = 0x203008, PCM_RXC = 0x20300C, PCM_TXC = 0x203010,
    PCM_DREQ = 0x203014, PCM_INTEN = 0x203018, PCM_INTSTC = 0x20301C, PCM_GRAY = 0x203020,
};
enum pwm_register {
    PWM_CTL = 0x20C000, PWM_STA = 0x20C004, PWM_DMAC = 0x20C008, PWM_RNG1 = 0x20C010, PWM_DAT1 = 0x20C014,
    PWM_FIF1 = 0x20C018, PWM_RNG2 = 0x20C020, PWM_DAT2 = 0x20C024,
};

/* ---- periods and FIFOs ---- */

/* one * other / by, and what is left, with a product of up to 128 bits: machines of 32 bits have no type for it. */
static uint64_t share(uint64_t one, uint64_t other, uint64_t by, uint64_t *rest)
{
    uint64_t whole = 0;

    if (other == 0 || one <= UINT64_MAX / other) {
        *rest = one * other % by;
        return one * other / by;
    }
    *rest = 0;
    for (int bit = 63; bit >= 0; bit--) { /* by < 2^62, so that nothing here leaves 64 bits */
        uint64_t left = *rest * 2 + (other >> bit & 1 ? one % by : 0);

        whole = whole * 2 + (other >> bit & 1 ? one / by : 0) + left / by;
        *rest = left % by;
    }
    return whole;
}

/* Nanoseconds of n periods, cut; and whether there was something to cut. */
static uint64_t periods_ns(const struct fifo *fifo, uint64_t n, bool *is_cut)
{
    uint64_t a_second = fifo->hz * FRACTION, part, rest;
    uint64_t whole = share(fifo->clocks * fifo->divider, WHOLE_NS, a_second, &part);
    uint64_t parts = share(n, part, a_second, &rest);

    *is_cut = rest != 0;
    return n * whole + parts;
}

/* When period n begins. */
static uint64_t period_start(const struct fifo *fifo, uint64_t n)
{
    bool is_cut;
    uint64_t ns = periods_ns(fifo, n, &is_cut);

    return fifo->start + ns + is_cut;
}

/* The first period that begins so long after the first one, or later. */
static uint64_t period_after(const struct fifo *fifo, uint64_t passed_ns)
{
    uint64_t first = 0, step = 1;
    bool is_cut;

    while (periods_ns(fifo, step, &is_cut) < passed_ns)
        step *= 2;
    for (; step; step /= 2)
        if (periods_ns(fifo, first + step - 1, &is_cut) < passed_ns)
            first += step;
    return first;
}

static void fifo_take(struct fifo *fifo)
{
    if (fifo->level) {
        fifo->level--;
        fifo->next = period_start(fifo, ++fifo->periods);
    } else {
        fifo->has_run_dry = true;
        fifo->next = SOC_NEVER;
    }
}

/* There may be a word now for periods that wait for one. */
static void fifo_wake(struct fifo *fifo, uint64_t now)
{
    if (!fifo->is_on || !fifo->level || fifo->next != SOC_NEVER)
        return;
    if (fifo->keeps_time) {
        fifo->periods = period_after(fifo, now - fifo->start);
    } else {
        fifo->start = now;
        fifo->periods = 0;
    }
    fifo->next = period_start(fifo, fifo->periods);
    if (fifo->next <= now)
        fifo_take(fifo);
}

/* The periods are on or off from now, and this long. */
static void fifo_set(struct fifo *fifo, uint64_t now, bool is_on, uint64_t clocks, uint64_t divider, uint64_t hz)
{
    is_on = is_on && clocks && divider && hz;
    if (is_on == fifo->is_on && (!is_on || (clocks == fifo->clocks && divider == fifo->divider && hz == fifo->hz)))
        return;
    fifo->is_on = is_on;
    fifo->clocks = clocks;
    fifo->divider = divider;
    fifo->hz = hz;
    fifo->start = now;
    fifo->periods = 0;
    fifo->next = is_on && fifo->keeps_time ? now : SOC_NEVER;
    if (fifo->next == now)
        fifo_take(fifo);
    fifo_wake(fifo, now);
}

static bool fifo_push(struct fifo *fifo, uint64_t now)
{
    if (fifo->level == fifo->size)
        return false;
    fifo->level++;
    fifo_wake(fifo, now);
    return true;
}

/* ---- clock generators ([2835] 6.3) ---- */

enum { CM_ENAB = 1 << 4, CM_KILL = 1 << 5, CM_BUSY = 1 << 7, CM_FLIP = 1 << 8, CM_SETUP = 0x70F, CM_STORED = 0x73F };
enum { SOURCE_GROUND = 0, SOURCE_OSCILLATOR = 1, SOURCE_PLLD = 6, SOURCE_LAST = 7 };

static uint64_t clock_hz(const struct pace *pace, const struct clock *clock)
{
    switch (clock->control & 0xF) {
    case SOURCE_OSCILLATOR: return pace->kind->oscillator_hz;
    case SOURCE_PLLD: return pace->kind->plld_hz;
    default: return 0;
    }
}

/* In 1/4096. */
static uint64_t clock_divider(const struct clock *clock)
{
    bool is_integer = (clock->control >> 9 & 3) == 0;

    return is_integer ? clock->divider & 0xFFF000 : clock->divider;
}

/* So many clocks, in ns, rounded up. */
static uint64_t clocks_ns(const struct pace *pace, const struct clock *clock, unsigned clocks)
{
    uint64_t rest, ns = share(clocks * clock_divider(clock), WHOLE_NS, clock_hz(pace, clock) * FRACTION, &rest);

    return ns + (rest != 0);
}

static bool clock_is_wanted(const struct clock *clock)
{
    return (clock->control & CM_ENAB) && !(clock->control & CM_KILL);
}

static void check_enabling(const struct pace *pace, const struct clock *clock)
{
    static const unsigned least[] = { 1, 2, 3, 5 }; /* [2835] table 6-32 */
    unsigned mash = clock->control >> 9 & 3, source = clock->control & 0xF;

    if (clock->divider >> 12 < least[mash])
        soc_break_rule(pace->soc, "clock: enabled with divider %u, MASH %u needs %u", (unsigned)clock->divider >> 12,
                       mash, least[mash]);
    if (source == SOURCE_GROUND || source > SOURCE_LAST)
        soc_break_rule(pace->soc, "clock: enabled without a source");
    else if (!clock_hz(pace, clock))
        soc_break_rule(pace->soc, "clock: source %u is not modelled", source);
}

static void clock_control(struct pace *pace, struct clock *clock, uint32_t value)
{
    uint32_t changed = clock->control ^ value;
    bool was_wanted = clock_is_wanted(clock);

    if (changed & CM_SETUP && clock->is_running)
        soc_break_rule(pace->soc, "clock: source, MASH or FLIP changed while BUSY");
    else if (changed & CM_SETUP && value & changed & CM_ENAB)
        soc_break_rule(pace->soc, "clock: source, MASH or FLIP changed together with ENAB");
    clock->control = value & CM_STORED;
    if (clock_is_wanted(clock) && !was_wanted)
        check_enabling(pace, clock);
    if (value & CM_KILL) {
        clock->is_running = false;
        clock->changes_at = SOC_NEVER;
    } else if (clock_is_wanted(clock) != was_wanted) {
        clock->changes_at = soc_now_ns(pace->soc) + CLOCK_DELAY_NS;
    }
}

/* What it paces takes as many clocks as before, of another length. */
static void check_user(const struct pace *pace, const struct clock *clock, bool is_changed)
{
    bool is_pcm = clock == &pace->pcm_clock;

    if (clock->is_running && is_changed && (is_pcm ? pace->pcm_fifo.is_on : pace->pwm_fifo.is_on))
        soc_note_hazard(pace->soc, "the clock of %s is stopped or changed while it runs", is_pcm ? "PCM" : "PWM");
}

static void clock_write(struct pace *pace, uint32_t offset, uint32_t value)
{
    struct clock *clock = offset < CM_PWMCTL ? &pace->pcm_clock : &pace->pwm_clock;

    check_user(pace, clock, value >> 24 == 0x5A && ((offset == CM_PCMCTL || offset == CM_PWMCTL)
                                                        ? ((clock->control ^ value) & CM_STORED) != 0
                                                        : clock->divider != (value & 0xFFFFFF)));
    if (value >> 24 != 0x5A) {
        soc_break_rule(pace->soc, "clock: 0x%08x written to 0x%06x without the password", (unsigned)value,
                       (unsigned)offset);
    } else if (offset == CM_PCMCTL || offset == CM_PWMCTL) {
        clock_control(pace, clock, value & 0xFFFFFF);
    } else {
        if (clock->is_running && clock->divider != (value & 0xFFFFFF))
            soc_break_rule(pace->soc, "clock: divider changed while BUSY");
        clock->divider = value & 0xFFFFFF;
    }
}

static uint32_t clock_read(const struct pace *pace, uint32_t offset)
{
    const struct clock *clock = offset < CM_PWMCTL ? &pace->pcm_clock : &pace->pwm_clock;

    if (offset == CM_PCMDIV || offset == CM_PWMDIV)
        return clock->divider;
    return clock->control | (clock->is_running ? CM_BUSY : 0);
}

static void clock_run(const struct pace *pace, struct clock *clock, uint64_t now)
{
    if (now < clock->changes_at)
        return;
    clock->changes_at = SOC_NEVER;
    clock->is_running = clock_is_wanted(clock) && clock_hz(pace, clock) && clock_divider(clock);
}

/* ---- PWM ([2835] 9.6) ---- */

enum {
    PWM_PWEN1 = 1 << 0, PWM_RPTL1 = 1 << 2, PWM_USEF1 = 1 << 5, PWM_CLRF1 = 1 << 6, PWM_USEF2 = 1 << 13,
    PWM_CONTROL = 0xBFBF, /* all but CLRF1 and the reserved bit 14 */
    PWM_FULL1 = 1 << 0, PWM_EMPT1 = 1 << 1, PWM_WERR1 = 1 << 2, PWM_GAPO1 = 1 << 4, PWM_STA1 = 1 << 9,
    PWM_ERRORS = 0x1FC,
    PWM_THRESHOLD = 0xFF,
};
static const uint32_t PWM_DMA = 1u << 31;

static void pwm_refresh(struct pace *pace, uint64_t now)
{
    const struct clock *clock = &pace->pwm_clock;
    uint32_t both = PWM_PWEN1 | PWM_USEF1;

    pace->pwm_fifo.keeps_time = (pace->pwm_control & PWM_RPTL1) != 0;
    fifo_set(&pace->pwm_fifo, now, clock->is_running && (pace->pwm_control & both) == both, pace->pwm_range[0],
             clock_divider(clock), clock_hz(pace, clock));
}

static void pwm_write(struct pace *pace, uint32_t offset, uint32_t value)
{
    struct fifo *fifo = &pace->pwm_fifo;

    switch (offset) {
    case PWM_CTL:
        if (value & PWM_USEF2)
            soc_break_rule(pace->soc, "PWM: a FIFO for channel 2 is not modelled");
        if (value & PWM_CLRF1)
            fifo->level = 0;
        pace->pwm_control = value & PWM_CONTROL;
        break;
    case PWM_STA:
        pace->pwm_errors &= ~value;
        if (value & PWM_GAPO1)
            fifo->has_run_dry = false;
        break;
    case PWM_DMAC:
        pace->pwm_dmac = value & (PWM_DMA | 0xFFFF);
        break;
    case PWM_RNG1: case PWM_RNG2:
        pace->pwm_range[offset == PWM_RNG2] = value;
        break;
    case PWM_DAT1: case PWM_DAT2:
        pace->pwm_data[offset == PWM_DAT2] = value;
        break;
    case PWM_FIF1:
        if (fifo_push(fifo, soc_now_ns(pace->soc)))
            break;
        pace->pwm_errors |= PWM_WERR1;
        soc_break_rule(pace->soc, "PWM: a word was written to the full FIFO");
        break;
    default:
        soc_break_rule(pace->soc, "PWM: write to the reserved address 0x%06x", (unsigned)offset);
    }
}

static uint32_t pwm_status(const struct pace *pace)
{
    const struct fifo *fifo = &pace->pwm_fifo;
    uint32_t value = pace->pwm_errors;

    value |= fifo->level == fifo->size ? PWM_FULL1 : 0;
    value |= fifo->level == 0 ? PWM_EMPT1 : 0;
    value |= fifo->has_run_dry ? PWM_GAPO1 : 0;
    value |= fifo->is_on && fifo->next != SOC_NEVER ? PWM_STA1 : 0;
    return value;
}

static uint32_t pwm_read(const struct pace *pace, uint32_t offset)
{
    switch (offset) {
    case PWM_CTL: return pace->pwm_control;
    case PWM_STA: return pwm_status(pace);
    case PWM_DMAC: return pace->pwm_dmac;
    case PWM_RNG1: return pace->pwm_range[0];
    case PWM_RNG2: return pace->pwm_range[1];
    case PWM_DAT1: return pace->pwm_data[0];
    case PWM_DAT2: return pace->pwm_data[1];
    default: return 0;
    }
}

/* ---- PCM ([2835] 8.8) ---- */

enum {
    PCM_EN = 1 << 0, PCM_RXON = 1 << 1, PCM_TXON = 1 << 2, PCM_TXCLR = 1 << 3, PCM_DMAEN = 1 << 9,
    PCM_TXERR = 1 << 15, PCM_TXW = 1 << 17, PCM_TXD = 1 << 19, PCM_TXE = 1 << 21, PCM_SYNC = 1 << 24,
    PCM_STBY = 1 << 25,
    PCM_CONTROL = 0x20003E7, /* STBY, DMAEN, the thresholds, TXON, RXON, EN */
    PCM_LIVE = PCM_EN | PCM_RXON | PCM_TXON, /* the bits that may change while it runs */
    PCM_CLK_DIS = 1 << 28, PCM_FTXP = 1 << 24, PCM_CLKM = 1 << 23, PCM_FSM = 1 << 21,
    PCM_CH1EN = 1 << 30, PCM_CH2EN = 1 << 14,
};

static bool pcm_runs(const struct pace *pace)
{
    return pace->pcm_control & (PCM_TXON | PCM_RXON);
}

static uint64_t after_pcm_clocks(const struct pace *pace, unsigned clocks, bool is_going)
{
    return is_going ? soc_now_ns(pace->soc) + clocks_ns(pace, &pace->pcm_clock, clocks) : SOC_NEVER;
}

/* Channel 1's last clock, counted from the frame's first. */
static unsigned pcm_channel_end(uint32_t txc)
{
    return (txc >> 20 & 0x3FF) + 8 + (txc >> 16 & 0xF) + (txc >> 31 ? 16 : 0);
}

static unsigned pcm_frame(const struct pace *pace)
{
    return (pace->pcm_mode >> 10 & 0x3FF) + 1;
}

static void pcm_refresh(struct pace *pace, uint64_t now)
{
    const struct clock *clock = &pace->pcm_clock;
    uint32_t all = PCM_EN | PCM_TXON;
    bool is_on = clock->is_running && (pace->pcm_control & all) == all && pace->pcm_tx & PCM_CH1EN &&
                 !(pace->pcm_mode & (PCM_CLK_DIS | PCM_CLKM | PCM_FSM));

    fifo_set(&pace->pcm_fifo, now, is_on, pcm_frame(pace), clock_divider(clock), clock_hz(pace, clock));
}

/* What counts PCM clocks begins again with the clock. */
static void pcm_clock_changed(struct pace *pace)
{
    bool is_running = pace->pcm_clock.is_running, counts = is_running && pace->pcm_control & PCM_EN;

    if (pace->pcm_is_clearing)
        pace->pcm_cleared_at = after_pcm_clocks(pace, 2, counts);
    if (pace->pcm_sync_at != 0)
        pace->pcm_sync_at = after_pcm_clocks(pace, 2, counts);
    if (pace->pcm_ram_at != 0)
        pace->pcm_ram_at = after_pcm_clocks(pace, 4, is_running);
}

static void pcm_check_start(const struct pace *pace)
{
    if (!(pace->pcm_control & PCM_STBY) || soc_now_ns(pace->soc) < pace->pcm_ram_at)
        soc_break_rule(pace->soc, "PCM: TXON less than 4 PCM clocks after STBY was set");
    if (pace->pcm_is_clearing)
        soc_break_rule(pace->soc, "PCM: TXON less than 2 PCM clocks after TXCLR");
    if (!(pace->pcm_tx & PCM_CH1EN) || pace->pcm_tx & PCM_CH2EN)
        soc_break_rule(pace->soc, "PCM: only channel 1 alone is modelled");
    if (pcm_channel_end(pace->pcm_tx) > pcm_frame(pace))
        soc_break_rule(pace->soc, "PCM: channel 1 ends with clock %u, the frame with %u", pcm_channel_end(pace->pcm_tx),
                       pcm_frame(pace));
    if (pace->pcm_mode & (PCM_CLK_DIS | PCM_FTXP | PCM_CLKM | PCM_FSM))
        soc_break_rule(pace->soc, "PCM: mode 0x%08x is not modelled", (unsigned)pace->pcm_mode);
}

/* Ends the waits that have passed: pcm_sync_at and pcm_ram_at are 0 when nothing waits. */
static void pcm_run(struct pace *pace, uint64_t now)
{
    if (pace->pcm_is_clearing && now >= pace->pcm_cleared_at) {
        pace->pcm_is_clearing = false;
        pace->pcm_cleared_at = SOC_NEVER;
        pace->pcm_fifo.level = 0;
    }
    if (now >= pace->pcm_sync_at && pace->pcm_sync_at) {
        pace->pcm_sync_at = 0;
        pace->pcm_sync = !pace->pcm_sync;
    }
    if (now >= pace->pcm_ram_at)
        pace->pcm_ram_at = 0;
}

static void pcm_control(struct pace *pace, uint32_t value)
{
    uint32_t kept = value & PCM_CONTROL, changed = pace->pcm_control ^ kept;
    bool had_run = pcm_runs(pace), counts;

    pace->pcm_control = kept;
    counts = pace->pcm_clock.is_running && kept & PCM_EN;
    if (had_run && pcm_runs(pace) && (changed & ~(uint32_t)PCM_LIVE || value & PCM_TXCLR))
        soc_break_rule(pace->soc, "PCM: CS changed by 0x%08x while it runs",
                       (unsigned)(changed | (value & PCM_TXCLR)));
    if (value & PCM_RXON)
        soc_break_rule(pace->soc, "PCM: reception is not modelled");
    if (changed & PCM_EN)
        pcm_clock_changed(pace);
    if (changed & kept & PCM_STBY)
        pace->pcm_ram_at = after_pcm_clocks(pace, 4, pace->pcm_clock.is_running);
    if (value & PCM_TXCLR) {
        pace->pcm_is_clearing = true;
        pace->pcm_cleared_at = after_pcm_clocks(pace, 2, counts);
    }
    if (((value & PCM_SYNC) != 0) == pace->pcm_sync)
        pace->pcm_sync_at = 0;
    else if (!pace->pcm_sync_at || pace->pcm_sync_at == SOC_NEVER)
        pace->pcm_sync_at = after_pcm_clocks(pace, 2, counts);
    if (value & PCM_TXERR)
        pace->pcm_error = pace->pcm_fifo.has_run_dry = false;
    if (changed & kept & PCM_TXON)
        pcm_check_start(pace);
}

static void pcm_push(struct pace *pace)
{
    if (pace->pcm_is_clearing)
        soc_break_rule(pace->soc, "PCM: a word was written while the FIFO is being cleared");
    if (fifo_push(&pace->pcm_fifo, soc_now_ns(pace->soc)))
        return;
    pace->pcm_error = true;
    soc_break_rule(pace->soc, "PCM: a word was written to the full FIFO");
}

/* Registers that hold what is written; NULL: not one of them. */
static uint32_t *pcm_stored(struct pace *pace, uint32_t offset)
{
    switch (offset) {
    case PCM_MODE: return &pace->pcm_mode;
    case PCM_RXC: return &pace->pcm_rx;
    case PCM_TXC: return &pace->pcm_tx;
    case PCM_DREQ: return &pace->pcm_dreq;
    case PCM_INTEN: return &pace->pcm_interrupts;
    default: return NULL;
    }
}

static void pcm_write(struct pace *pace, uint32_t offset, uint32_t value)
{
    uint32_t *stored = pcm_stored(pace, offset);

    if (offset == PCM_CS) {
        pcm_control(pace, value);
    } else if (offset == PCM_FIFO) {
        pcm_push(pace);
    } else if (stored) {
        if (pcm_runs(pace) && *stored != value) /* "should NOT be changed whilst the interface is running" */
            soc_break_rule(pace->soc, "PCM: 0x%06x changed while it runs", (unsigned)offset);
        *stored = value;
    } else if (offset != PCM_INTSTC && offset != PCM_GRAY) {
        soc_break_rule(pace->soc, "PCM: write to the reserved address 0x%06x", (unsigned)offset);
    }
}

static uint32_t pcm_status(const struct pace *pace)
{
    static const unsigned full_enough[] = { 1, 16, 48, 63 }; /* by TXTHR; a choice but for "empty" */
    const struct fifo *fifo = &pace->pcm_fifo;
    uint32_t value = pace->pcm_control;

    value |= pace->pcm_error || fifo->has_run_dry ? PCM_TXERR : 0;
    value |= fifo->level < full_enough[value >> 5 & 3] ? PCM_TXW : 0;
    value |= fifo->level < fifo->size ? PCM_TXD : 0;
    value |= fifo->level == 0 ? PCM_TXE : 0;
    value |= pace->pcm_sync ? PCM_SYNC : 0;
    return value;
}

static uint32_t pcm_read(struct pace *pace, uint32_t offset)
{
    const uint32_t *stored = pcm_stored(pace, offset);

    return offset == PCM_CS ? pcm_status(pace) : stored ? *stored : 0;
}

/* ---- together ---- */

void pace_init(struct pace *pace, struct soc *soc, const struct soc_kind *kind)
{
    *pace = (struct pace){
        .kind = kind, .soc = soc,
        .pcm_clock.changes_at = SOC_NEVER, .pwm_clock.changes_at = SOC_NEVER,
        .pcm_fifo = { .size = 64, .next = SOC_NEVER, .keeps_time = true },
        .pwm_fifo = { .size = 16, .next = SOC_NEVER },
        .pwm_dmac = 0x0707, .pwm_range = { 0x20, 0x20 },
        .pcm_dreq = 0x10303020, .pcm_cleared_at = SOC_NEVER,
    };
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t pace_next(const struct pace *pace)
{
    uint64_t at = sooner(pace->pcm_fifo.next, pace->pwm_fifo.next);

    at = sooner(at, sooner(pace->pcm_clock.changes_at, pace->pwm_clock.changes_at));
    at = sooner(at, pace->pcm_cleared_at);
    at = pace->pcm_sync_at ? sooner(at, pace->pcm_sync_at) : at;
    return pace->pcm_ram_at ? sooner(at, pace->pcm_ram_at) : at;
}

static void refresh(struct pace *pace, uint64_t now)
{
    pwm_refresh(pace, now);
    pcm_refresh(pace, now);
}

void pace_run(struct pace *pace, uint64_t now)
{
    bool clock_changes = now >= pace->pcm_clock.changes_at || now >= pace->pwm_clock.changes_at;

    pcm_run(pace, now);
    if (now >= pace->pcm_fifo.next)
        fifo_take(&pace->pcm_fifo);
    if (now >= pace->pwm_fifo.next)
        fifo_take(&pace->pwm_fifo);
    if (clock_changes) {
        clock_run(pace, &pace->pcm_clock, now);
        clock_run(pace, &pace->pwm_clock, now);
        pcm_clock_changed(pace);
        refresh(pace, now);
    }
}

bool pace_requests(const struct pace *pace, unsigned dreq)
{
    switch (dreq) {
    case DREQ_NONE:
        return true;
    case DREQ_PWM:
        return pace->pwm_dmac & PWM_DMA && pace->pwm_fifo.level < (pace->pwm_dmac & PWM_THRESHOLD);
    case DREQ_PCM:
        return (pace->pcm_control & (PCM_DMAEN | PCM_EN)) == (PCM_DMAEN | PCM_EN) &&
               pace->pcm_fifo.level < (pace->pcm_dreq >> 8 & 0x7F);
    default:
        return false;
    }
}

static bool is_clock(uint32_t offset)
{
    return offset >= CM_PCMCTL && offset <= CM_PWMDIV;
}

bool pace_owns(uint32_t offset)
{
    return is_clock(offset) || offset >> 12 == PCM_CS >> 12 || offset >> 12 == PWM_CTL >> 12;
}

uint32_t pace_read(struct pace *pace, uint32_t offset)
{
    if (is_clock(offset))
        return clock_read(pace, offset);
    return offset >> 12 == PCM_CS >> 12 ? pcm_read(pace, offset) : pwm_read(pace, offset);
}

void pace_write(struct pace *pace, uint32_t offset, uint32_t value)
{
    if (is_clock(offset))
        clock_write(pace, offset, value);
    else if (offset >> 12 == PCM_CS >> 12)
        pcm_write(pace, offset, value);
    else
        pwm_write(pace, offset, value);
    if (offset != PCM_FIFO && offset != PWM_FIF1)
        refresh(pace, soc_now_ns(pace->soc));
}
