/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * A modelled SoC: the GPIO block of a BCM2835, a BCM2711 or an RP1, as a CPU sees it through a mapped page and as a
 * voltmeter sees it at the pads. Written from the public datasheets and from the kernel's drivers, never from the code
 * that it judges. It also keeps count of the rules that an access breaks (a "violation"): a real chip would stay
 * silent, hang, or take a register away from the kernel. And of what no chip minds, and what hangs on the lines does (a
 * "hazard"): the order of two stores, a level for a moment.
 *
 * Time stands still but for soc_wait_ns(): register accesses take none, so that code which counts on the bus being slow
 * is found out. Nothing here is thread-safe, and there are no globals: two models never meet.
 */
#ifndef RPIO_TESTS_SOC_H
#define RPIO_TESTS_SOC_H

#include <stdint.h>

struct soc;

/* A SoC after power-on. `compatible` is the device tree's: "brcm,bcm2835-gpio", "brcm,bcm2711-gpio" or
 * "raspberrypi,rp1-gpio". NULL when it is none of them, or when there is no memory. */
struct soc *soc_new(const char *compatible);
void soc_free(struct soc *soc);

/* What the CPU does: 32-bit accesses at a byte offset of the GPIO block. Both go to the log. */
uint32_t soc_read(struct soc *soc, uint32_t offset);
void soc_write(struct soc *soc, uint32_t offset, uint32_t value);

/* Time passes. */
void soc_wait_ns(struct soc *soc, uint64_t ns);

/* The outside world holds the line at 0 or 1, or (-1) lets go of it. */
void soc_drive(struct soc *soc, unsigned line, int level);

/* What a voltmeter on the pad shows, 0 or 1: the pad's own driver, else the outside world, else the pull, else what was
 * there before. A pad driver that fights the outside world wins. -1: no such line. */
int soc_level(const struct soc *soc, unsigned line);

/* Whether the pad's output driver is on. -1: no such line. */
int soc_is_driving(const struct soc *soc, unsigned line);

/* The pull in effect: 0 none, 1 down, 2 up, 3 both (RP1 only: a keeper, it holds the last level). -1: no such line. */
int soc_pull(const struct soc *soc, unsigned line);

/* How often a rule was broken since power-on, and how the last time ("" when never). */
unsigned soc_violations(const struct soc *soc);
const char *soc_violation(const struct soc *soc);

/* The same of hazards:
 *   RP1: both pulls of a pad are on; a line drives because its function became GPIO, and nobody had turned its output on
 *     since the function was another one.
 *   PWM, PCM: their clock is stopped or changed while they use it.
 *   Lines of soc_never_both() are both high. */
unsigned soc_hazards(const struct soc *soc);
const char *soc_hazard(const struct soc *soc);

/* These two lines are the halves of a bridge: both high is a short circuit. */
void soc_never_both(struct soc *soc, unsigned one, unsigned other);

/* The CPU's accesses since soc_log_clear(), oldest first. soc_log_count() counts them all; the last 4096 (at least) can
 * be asked for, by an index below the count. Returns 0, or -ENOENT when the entry was never written or is gone. */
unsigned soc_log_count(const struct soc *soc);
int soc_log_entry(const struct soc *soc, unsigned index, uint32_t *offset, uint32_t *value, int *is_write);
void soc_log_clear(struct soc *soc);

/* The waveform of a BCM's outputs from soc_wave_start() on: the levels of lines 0 to 31, 0 for those that are none.
 * Entry 0 is what they were then; each later one is a change by a write to the block, whoever made it, and two changes
 * at the same time are two entries. soc_wave_entry() returns 0, or -ENOENT. */
void soc_wave_start(struct soc *soc);
unsigned soc_wave_count(const struct soc *soc);
int soc_wave_entry(const struct soc *soc, unsigned index, uint64_t *time_ns, uint32_t *lines);

/*
 * For files that add to the model: a DMA engine, clocks, PWM and PCM with their FIFOs, a mailbox.
 *
 * Each such part owns its registers and offers its own read and write functions; what it shares with the GPIO block is
 * time, the bus and the pads. It says when it wants to run next, gets run at exactly that time (earlier parts first, at
 * the same time in the order they were attached), and may then read and write GPIO registers as another bus master. A
 * part whose peripheral is selected on a line (BCM: the ALT code in GPFSEL, RP1: FUNCSEL) can drive that pad.
 */
struct soc_part {
    void *state;
    uint64_t (*next)(const void *state);       /* time of its next event, UINT64_MAX for none; NULL: never has one */
    void (*run)(void *state, struct soc *soc); /* that time is now; next() must move on */
    /* 1: the function `code` of this line is mine, and I drive it at *level; 0: it is not, or I do not. May be NULL. */
    int (*drives)(const void *state, unsigned line, unsigned code, int *level);
    void (*release)(void *state); /* soc_free() was called. May be NULL. */
};

#define SOC_NEVER UINT64_MAX

int soc_attach(struct soc *soc, const struct soc_part *part); /* the struct is copied; 0, or -ENOSPC */
uint64_t soc_now_ns(const struct soc *soc);                   /* since power-on */
uint32_t soc_bus_read(struct soc *soc, uint32_t offset);      /* as soc_read(), by another master: not logged */
void soc_bus_write(struct soc *soc, uint32_t offset, uint32_t value);
void soc_settle(struct soc *soc);                             /* what drives() answers has changed */

/* A part with many events need not return from run() for each: until this time nobody else looks, so that it may move
 * time to its own next event and go on. */
uint64_t soc_free_until(const struct soc *soc);
void soc_advance_to(struct soc *soc, uint64_t time_ns);

/* The state of the first part that has this run(); NULL: there is none. */
void *soc_part_state(const struct soc *soc, void (*run)(void *state, struct soc *soc));

void soc_break_rule(struct soc *soc, const char *format, ...) __attribute__((format(printf, 2, 3)));
void soc_note_hazard(struct soc *soc, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
