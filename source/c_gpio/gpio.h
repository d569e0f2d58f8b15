/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * gpio.h - the C core of RPIO: registers, the gpiochip character device, edge events, PWM by software.
 *
 * Plain C11 without Python, without text, and without globals but one list (fork.c): every function returns a value >= 0, or
 * -errno. Nothing here prints, exits, forks (but spawn.c) or installs a signal handler. All file descriptors are made
 * with O_CLOEXEC. A "line" is the number of a GPIO on its chip (the BCM number on a Raspberry Pi's header).
 *
 * This header is the documentation of the core; the files behind it say only why.
 */
#ifndef RPIO_GPIO_H
#define RPIO_GPIO_H

#include <stddef.h>
#include <stdint.h>

/* ---- what a line can be --------------------------------------------------------------------------- */

/* Function of a line. IN and OUT have RPi.GPIO's values (the reverse of the register); ALT0 to ALT5 are the
 * codes of GPFSELn (BCM2835 ARM Peripherals, 6.1). RP1 numbers its functions 0 to 8; 5 is plain GPIO there, so
 * RPIO_FUNC_ALT5 never comes from an RP1. */
enum rpio_function {
    RPIO_FUNC_OUT = 0,
    RPIO_FUNC_IN = 1,
    RPIO_FUNC_ALT5 = 2,
    RPIO_FUNC_ALT4 = 3,
    RPIO_FUNC_ALT0 = 4,
    RPIO_FUNC_ALT1 = 5,
    RPIO_FUNC_ALT2 = 6,
    RPIO_FUNC_ALT3 = 7,
    RPIO_FUNC_ALT6 = 8,
    RPIO_FUNC_ALT7 = 9,
    RPIO_FUNC_ALT8 = 10,
    RPIO_FUNC_NONE = 31,
};

enum rpio_pull { RPIO_PULL_AS_IS = -1, RPIO_PULL_OFF = 0, RPIO_PULL_DOWN = 1, RPIO_PULL_UP = 2 };

enum rpio_edge { RPIO_EDGE_NONE = 0, RPIO_EDGE_RISING = 1, RPIO_EDGE_FALLING = 2, RPIO_EDGE_BOTH = 3 };

/* ---- registers (regs.c, regs_bcm2835.c, regs_rp1.c) ----------------------------------------------- */

struct rpio_regs_ops; /* one table per register block, in regs.h */

struct rpio_regs {
    const struct rpio_regs_ops *ops;
    volatile uint32_t *base; /* start of the mapping */
    unsigned line_count;
};

/* The name of the chip behind a device-tree `compatible` of a GPIO node or of a whole SoC
 * ("brcm,bcm2835-gpio", "brcm,bcm2837", "raspberrypi,rp1-gpio", "brcm,bcm2712"...), or NULL. */
const char *rpio_regs_chip(const char *compatible);

/* Maps the block of `compatible` from `path` (a /dev/gpiomem*, /dev/mem, or any file of the right size) at
 * byte `offset`. Returns 0; -ENODEV for an unknown compatible, -ENXIO where the file is too short, or what
 * open(2) and mmap(2) say. */
int rpio_regs_map(struct rpio_regs *regs, const char *compatible, const char *path, uint64_t offset);

/* The same over a block that is there already (a test's modelled SoC). Returns 0 or -ENODEV. */
int rpio_regs_attach(struct rpio_regs *regs, const char *compatible, volatile void *base);

/* Gives the mapping back. Safe on a struct that was never mapped, and twice. */
void rpio_regs_unmap(struct rpio_regs *regs);

/* All of these: -EINVAL for a line that the chip does not have. */

/* enum rpio_function of the line, now. */
int rpio_regs_function(const struct rpio_regs *regs, unsigned line);

/* Switches the line; -EINVAL for a function that the chip does not have. IN also turns on RP1's input buffer,
 * OUT drives the level that was last written. The level and the pull stay as they are. */
int rpio_regs_set_function(struct rpio_regs *regs, unsigned line, int function);

/* 0 or 1, whatever the function of the line; -ENODATA where RP1's input buffer is off. */
int rpio_regs_read(const struct rpio_regs *regs, unsigned line);

/* Sets the output latch (any non-zero value is high). On an input it shows when the line becomes an output. */
int rpio_regs_write(struct rpio_regs *regs, unsigned line, int value);

/* enum rpio_pull of the line; -ENOTSUP on BCM2835 to 2837, whose pull registers cannot be read. */
int rpio_regs_pull(const struct rpio_regs *regs, unsigned line);

/* Sets the pull: RPIO_PULL_OFF, _DOWN or _UP. Takes 10 us or more on BCM2835 to 2837. */
int rpio_regs_set_pull(struct rpio_regs *regs, unsigned line, int pull);

/* Where a line's level is: byte offsets into the block, and the line's bit in each of these registers. For a
 * caller that touches one line often and has looked at everything else before. */
struct rpio_ports {
    uint32_t set, clear, level, bit;
};
int rpio_regs_ports(const struct rpio_regs *regs, unsigned line, struct rpio_ports *ports);

/* ---- the gpiochip character device, version 2 (cdev.c) -------------------------------------------- */

struct rpio_chip_info {
    char name[32];  /* "gpiochip0" */
    char label[32]; /* "pinctrl-bcm2711": how a chip is found */
    uint32_t line_count;
};

struct rpio_line_info {
    char name[32];
    char consumer[32]; /* who holds it; "" where nobody does, or nobody said */
    int used;          /* held by a program or a driver */
    int is_output;
    int active_low;
    int pull; /* enum rpio_pull; AS_IS where the kernel does not know */
    int edges;
    uint32_t debounce_us;
};

/* How a line is requested. */
struct rpio_line_config {
    int direction;       /* RPIO_FUNC_IN, RPIO_FUNC_OUT, or -1: as it is */
    int value;           /* of an output */
    int pull;            /* enum rpio_pull */
    int edges;           /* enum rpio_edge, inputs only */
    uint32_t debounce_us; /* the kernel's filter: stable for so long; 0 is off */
};

/* A descriptor of the chip, or what open(2) says; -ENOTTY where the file is no gpiochip. */
int rpio_cdev_open(const char *path);
int rpio_cdev_chip_info(int chip_fd, struct rpio_chip_info *info);
int rpio_cdev_line_info(int chip_fd, uint32_t line, struct rpio_line_info *info);
/* The same through version 1 of the interface (Linux 4.8 and later), which knows less. -EINVAL or -ENOTTY from
 * either where the kernel does not have that version. */
int rpio_cdev_line_info_v1(int chip_fd, uint32_t line, struct rpio_line_info *info);

/* Requests one line for `consumer` and returns its descriptor, non-blocking. -EBUSY where it is held,
 * -ENXIO where the chip has no interrupt for an edge. `event_buffer_size` is capped by the kernel at 1024. */
int rpio_cdev_request(int chip_fd, uint32_t line, const struct rpio_line_config *config, const char *consumer,
                      uint32_t event_buffer_size);
/* Changes a request in place. Events that wait in its buffer stay there. */
int rpio_cdev_configure(int line_fd, const struct rpio_line_config *config);
int rpio_cdev_read(int line_fd);             /* 0 or 1; one ioctl */
int rpio_cdev_write(int line_fd, int value); /* one ioctl; -EPERM on an input */

/* A non-blocking descriptor that becomes readable when the file at `path` may have been removed (inotify: its
 * attributes or links changed). Needed because the kernel does not wake a poll when a chip goes. */
int rpio_cdev_file_watch(const char *path);

/* ---- edge events (event.c) ------------------------------------------------------------------------ */

struct rpio_event {
    uint64_t timestamp_ns; /* CLOCK_MONOTONIC, taken in the kernel's interrupt handler */
    uint32_t line;
    uint32_t value; /* 1 after a rising, 0 after a falling edge */
    uint32_t seq;   /* number of the event on its line, from 1; a gap is what was lost */
    uint64_t token; /* of the registration, where rpio_poll_wait() has read it; else 0 */
};

#define RPIO_EVENT_BYTES 48u /* sizeof(struct gpio_v2_line_event) */
#define RPIO_EVENT_BATCH 64u /* records that one read takes at most */
#define RPIO_EVENT_QUEUE 1024 /* records that wait for one line at most: the kernel's cap */

/* Decodes the records at `bytes` into at most `max` events and returns their count. Pure. -EBADMSG for a
 * length that is no multiple of a record, -EPROTO for a record that is no edge. */
int rpio_event_decode(const void *bytes, size_t length, struct rpio_event *out, size_t max);

/* The reverse, for the simulated board: writes RPIO_EVENT_BYTES bytes. */
void rpio_event_encode(const struct rpio_event *event, void *bytes);

/* Reads what waits in the (non-blocking) `fd`, at most RPIO_EVENT_BATCH events; 0 where nothing waits. */
int rpio_event_read(int fd, struct rpio_event out[RPIO_EVENT_BATCH]);

/* ---- watch after watch on one request (numbers.c) --------------------------------------------------- */

/* What the kernel's numbers of events have come to, for each requested line's descriptor. Any thread. */
struct rpio_numbers;

int rpio_numbers_new(struct rpio_numbers **numbers);
void rpio_numbers_free(struct rpio_numbers *numbers);
void rpio_numbers_after_fork(struct rpio_numbers *numbers); /* in the child, before anything else */
int rpio_numbers_add(struct rpio_numbers *numbers, int fd); /* a new request; -ENOMEM */
void rpio_numbers_remove(struct rpio_numbers *numbers, int fd);
/* Which request a descriptor is, from 1: another one where its number has been used again. 0: none. */
uint32_t rpio_numbers_request(struct rpio_numbers *numbers, int fd);
/* Edges have been switched off: events from before are dropped, those of the next watch numbered from 1. */
void rpio_numbers_end(struct rpio_numbers *numbers, int fd);
/* Drops and numbers the `count` events that have been read from `fd`, in place; returns how many are left. Events of a
 * descriptor that is no request stay as they are. */
int rpio_numbers_apply(struct rpio_numbers *numbers, int fd, struct rpio_event *events, int count);

/* ---- edges of lines in /sys/class/gpio (sysfs.c) ---------------------------------------------------- */

/* One thread that waits for the edges of any number of lines and writes records into a pipe for each. It sleeps
 * while there are none. What it can and cannot see stands at the top of sysfs.c. Calls come from one thread at a time. */
struct rpio_pump;

int rpio_pump_new(struct rpio_pump **pump);
/* Ends the thread, and every watch. In the child of a fork it only gives back what the child has of it. */
void rpio_pump_free(struct rpio_pump *pump);

/* Watches a line for these edges and returns the end of its pipe that can be read: the pump's own, non-blocking, with
 * up to RPIO_EVENT_QUEUE records, of which the oldest give way. A second time it changes the edges in place and returns
 * the same; records that wait stay. `value_fd` and `edge_fd` are the line's files of these names; the first has to
 * stay open while it is watched. A line that is lost has its pipe hung up. */
int rpio_pump_watch(struct rpio_pump *pump, uint32_t line, int value_fd, int edge_fd, int edges);
/* When it returns nothing reads value_fd any more, and the pipe is closed. Returns how many lines are still watched.
 * Twice is fine. The kernel's `edge` stays as it is. */
int rpio_pump_unwatch(struct rpio_pump *pump, uint32_t line);
/* How many records there have been on the line, lost ones included; -ENOENT where it is not watched. */
int64_t rpio_pump_seq(struct rpio_pump *pump, uint32_t line);

/* ---- the wait (poll.c) ---------------------------------------------------------------------------- */

/* epoll that reads the events of lines itself, a single line's in the same system call. One thread waits, any thread
 * does the rest. A registration is named by its token, which is never used again, so that a descriptor's number may be.
 * In the child of a fork nobody waits; what there is to do with it is to close it, since epoll is the parent's, too. */
struct rpio_poll;
struct rpio_tap;

#define RPIO_TOKEN_MAX INT64_MAX /* and 1 is the least; -EINVAL for others */

#define RPIO_POLL_READ 1u
#define RPIO_POLL_WRITE 4u
#define RPIO_POLL_ERROR 8u
#define RPIO_POLL_HANGUP 16u

#define RPIO_READY_MAX 64

struct rpio_ready {
    uint64_t token;
    uint32_t mask; /* RPIO_POLL_... */
};

/* What one wait has brought. `events` stay valid until the next wait. */
struct rpio_batch {
    struct rpio_ready ready[RPIO_READY_MAX]; /* descriptors of rpio_poll_add(), and lines that failed */
    int ready_count;
    const struct rpio_event *events; /* in order of time, across lines */
    size_t event_count;
};

struct rpio_counted {
    uint64_t lost;
    uint32_t seq;
};

int rpio_poll_new(struct rpio_poll **poll);
void rpio_poll_number(struct rpio_poll *poll, struct rpio_numbers *numbers); /* which stays the caller's */
void rpio_poll_close(struct rpio_poll *poll); /* closes its own descriptors; twice is fine */
void rpio_poll_free(struct rpio_poll *poll);
int rpio_poll_fd(const struct rpio_poll *poll); /* the epoll descriptor, which nests; -1 when closed */

/* Whether the thread that waits reads a single line in the wait itself (poll_ring.c): after its second wait, if at all. */
int rpio_poll_is_direct(const struct rpio_poll *poll);

int rpio_poll_add(struct rpio_poll *poll, int fd, uint64_t token, uint32_t mask);
int rpio_poll_modify(struct rpio_poll *poll, int fd, uint64_t token, uint32_t mask);
int rpio_poll_add_edges(struct rpio_poll *poll, int fd, uint64_t token); /* of a line, whose events the wait reads */
/* The same, and `taps` (tally.h) count them there. Where that `is_quiet` no batch has them: a wait goes on over them, but
 * for one in 64 that bring nothing else. */
int rpio_poll_add_counted(struct rpio_poll *poll, int fd, uint64_t token, const struct rpio_tap *taps, size_t tap_count,
                          int is_quiet);
/* Has them counted by these taps instead. `seen` is the number of the last event that the caller has seen, perhaps not from
 * here. Tells how far the line has been read, and how many events were missing, by their numbers, among those that no batch
 * had; each is told once. -ENOENT: it is not watched; -ENOMEM. */
int rpio_poll_count(struct rpio_poll *poll, int fd, const struct rpio_tap *taps, size_t tap_count, int is_quiet,
                    uint32_t seen, struct rpio_counted *counted);
int rpio_poll_remove(struct rpio_poll *poll, int fd); /* when it returns nothing reads fd any more */
/* Ends the watch of a line whose descriptor stays open until rpio_poll_remove(): its edges have been, or are about to be,
 * switched off, and what still comes is dropped. rpio_poll_add_edges() goes on with it. No system call. Returns 1 where a
 * thread waits, and so reads what is left, else 0, also for what is not watched. */
int rpio_poll_park(struct rpio_poll *poll, int fd);
int rpio_poll_wake(struct rpio_poll *poll);           /* ends the wait; safe in a signal handler */

/* Waits at most `timeout_ms` (-1: for ever). 0, or -EINTR with an empty batch, or what epoll_wait(2) says. */
int rpio_poll_wait(struct rpio_poll *poll, int timeout_ms, struct rpio_batch *batch);

/* ---- where a PWM line begins (soft_place.c) -------------------------------------------------------- */

#define RPIO_PWM_LINES 64u /* that run at the same time */

/* A pulse of a running line: when it rises next, counted from now, and how long it stays high. */
struct rpio_pulse {
    uint64_t rise_ns, high_ns;
};

/* When, from now on and within a period, a line rises that starts beside others of the same period: where it shares
 * their wake-ups. 0 where there are no others. At most RPIO_PWM_LINES of them; 0 < high_ns < period_ns. */
uint64_t rpio_place(const struct rpio_pulse *others, size_t count, uint64_t period_ns, uint64_t high_ns);

/* ---- the plan of PWM (soft_plan.c) ----------------------------------------------------------------- */

/* Which line changes when. It has no clock, no thread and no hardware: its caller says what time it is, in
 * nanoseconds, and does what it answers. "Lines" are numbers that the caller chooses.
 *
 *   A period begins with the pulse: high for high_ns, then low. high_ns 0 and high_ns == period_ns are steady
 *   levels, which have no edges and need no time.
 *   A change counts from the line's next period on. The running pulse is completed, and every pulse is as wide as
 *   it was asked for before or after the change. From a steady level the next period begins as at a start.
 *   A start is at once; but where lines with the same period run, and that is RPIO_PWM_JOIN_MAX_NS or less, the
 *   line waits low, or at its steady level, until edges of it and of theirs are one wake-up (rpio_place()).
 *   Behind schedule whole periods are left out, and the grid of periods stays. A pulse that begins late, by more
 *   than half its width, keeps its width where its period has room for it, and is left out otherwise. */
struct rpio_plan;

#define RPIO_PWM_PERIOD_MIN_NS 1000u             /* 1 MHz */
#define RPIO_PWM_PERIOD_MAX_NS 1000000000000000u /* eleven days */
#define RPIO_PWM_JOIN_MAX_NS 20000000u           /* the period of a servo */

struct rpio_plan_edge {
    uint32_t line, value;
};

struct rpio_pwm_info {
    uint64_t period_ns, high_ns; /* as asked for last */
    uint64_t periods;            /* that have begun with a pulse */
    int error;                   /* 0, or the -errno that ended it */
};

int rpio_plan_new(struct rpio_plan **plan);
void rpio_plan_free(struct rpio_plan *plan);
void rpio_plan_clear(struct rpio_plan *plan); /* no line runs */

/* Starts the line, or changes it. -EINVAL for a period out of bounds or shorter than its pulse, -ENOSPC for a line
 * too many. Then ask for what is due: at the earliest that is now. */
int rpio_plan_set(struct rpio_plan *plan, uint32_t line, uint64_t period_ns, uint64_t high_ns, uint64_t now_ns);

/* Forgets the line, whose level is the caller's from here on; -ENOENT where it does not run. */
int rpio_plan_end(struct rpio_plan *plan, uint32_t line);

int rpio_plan_info(const struct rpio_plan *plan, uint32_t line, struct rpio_pwm_info *info); /* or -ENOENT */

/* Beside lines with PWM a plan has waves: lists of edges in the order of their times, which are played over and over.
 * A turn takes `period_ns`, from RPIO_PWM_PERIOD_MIN_NS to _MAX_NS, and every edge is less than that from its beginning. No line may be in two waves, or in a
 * wave and have PWM: that is the caller's care. */
struct rpio_wave_edge {
    uint64_t at_ns;
    uint32_t line, value;
};

#define RPIO_WAVES 16u /* that are there at the same time */
#define RPIO_WAVE_EDGES_MAX 100000u

/* Plays a wave from `now_ns` on, `turns` times or (0) for ever, and returns its number. `instead_of`, where it is not
 * negative, is the number of a wave that it takes the place of when that one's turn has ended, or at once where it is
 * done. -EINVAL: no edges, too many in all or at one moment (RPIO_PWM_LINES), times out of order or of bounds; -ENOENT:
 * no such wave; -ENOSPC; -ENOMEM. An edge that comes too late to leave half of the time to the next one moves that one:
 * none is left out. A wave that goes on for ever and has fallen behind pauses at the end of its turn until it would have
 * begun one anyhow. */
int rpio_plan_play(struct rpio_plan *plan, const struct rpio_wave_edge *edges, size_t count, uint64_t period_ns,
                   uint32_t turns, int instead_of, uint64_t now_ns);

/* Forgets the wave, whose lines are the caller's from here on; -ENOENT. */
int rpio_plan_stop_wave(struct rpio_plan *plan, int wave);

/* Leaves a line out of the wave, which goes on with the others; -ENOENT. */
int rpio_plan_drop_line(struct rpio_plan *plan, int wave, uint32_t line);

/* Whether it is being played at `now_ns`, the rest of its last turn included, and how many turns are done; -ENOENT. */
int rpio_plan_wave(const struct rpio_plan *plan, int wave, uint64_t now_ns, uint64_t *turns_done);

/* When something is due next, which may be past; UINT64_MAX: nothing is. */
uint64_t rpio_plan_next(const struct rpio_plan *plan);

/* When something is due after that, if it is carried out in time and nothing is changed. */
uint64_t rpio_plan_after_next(const struct rpio_plan *plan);

/* Moves to that time and returns the number of edges to carry out now: those of PWM, falling ones first, each line once;
 * then those of one moment of each wave. Where the next one is due as well, rpio_plan_next() says so. */
#define RPIO_PLAN_EDGES 1088u /* (1 + RPIO_WAVES) * RPIO_PWM_LINES */
int rpio_plan_advance(struct rpio_plan *plan, uint64_t now_ns, struct rpio_plan_edge out[RPIO_PLAN_EDGES]);

/* ---- PWM by software (soft.c) ----------------------------------------------------------------- */

/* Carries the plan out: one thread for all lines, on CLOCK_MONOTONIC, which lives while a line runs. Any thread
 * may call; the first edge of a line that starts has been written when its start returns. */
struct rpio_pwm;

int rpio_pwm_new(struct rpio_pwm **pwm);

/* The same without a thread: time stands still but for rpio_pwm_step(). For a test over a modelled SoC. */
int rpio_pwm_new_stepped(struct rpio_pwm **pwm);

/* Moves to `now_ns`, carries out what is due, and tells when something is next (UINT64_MAX: never).
 * -EINVAL where a thread does that. */
int rpio_pwm_step(struct rpio_pwm *pwm, uint64_t now_ns, uint64_t *next_ns);

/* Ends all lines and the thread. Writes nothing, so descriptors may be closed already. Twice is fine, also while
 * another thread calls; after it a start is -EBADF. */
void rpio_pwm_close(struct rpio_pwm *pwm);
void rpio_pwm_free(struct rpio_pwm *pwm); /* closes first */

/* Starts a line of these registers, or of this line's descriptor; they must live until rpio_pwm_stop() or
 * rpio_pwm_close() returns. A line that runs is changed, from its next period on. Returns 0 or what rpio_plan_set(),
 * the descriptor or pthread_create(3) says; a line that has not been started does not run then. */
int rpio_pwm_start_regs(struct rpio_pwm *pwm, const struct rpio_regs *regs, uint32_t line, uint64_t period_ns,
                        uint64_t high_ns);
int rpio_pwm_start_fd(struct rpio_pwm *pwm, int line_fd, uint32_t line, uint64_t period_ns, uint64_t high_ns);

/* Changes a line that runs, from its next period on. -ENOENT where it does not run, so that who ends it in the middle
 * of a change has ended it; or what rpio_plan_set() or the descriptor says. */
int rpio_pwm_change(struct rpio_pwm *pwm, uint32_t line, uint64_t period_ns, uint64_t high_ns);

/* Ends the line and drives it to `value`; nothing writes to it once this returns. -ENOENT where it does not run, or
 * what the descriptor says to the write; ended it is in any case. */
int rpio_pwm_stop(struct rpio_pwm *pwm, uint32_t line, int value);

/* A line of a wave: of registers (regs), or of a descriptor (regs NULL). */
struct rpio_wave_line {
    const struct rpio_regs *regs;
    int fd;
    uint32_t line;
};

/* Plays a wave on these lines, which must be outputs and live as those of rpio_pwm_start_regs(); PWM that they have
 * ends. Errors as rpio_plan_play(); -EINVAL for an edge of another line. rpio_pwm_stop() takes a line out of its
 * wave, which goes on with the others; rpio_pwm_stop_wave() leaves the levels as they are. */
int rpio_pwm_play(struct rpio_pwm *pwm, const struct rpio_wave_line *lines, size_t line_count,
                  const struct rpio_wave_edge *edges, size_t count, uint64_t period_ns, uint32_t turns, int instead_of);
int rpio_pwm_stop_wave(struct rpio_pwm *pwm, int wave);

/* 1: it is being played; 0: it is not any more; -ENOENT, or the error of the descriptor that has ended it. */
int rpio_pwm_wave(struct rpio_pwm *pwm, int wave, uint64_t *turns_done);

/* How the line runs; -ENOENT where it does not. A descriptor that fails ends its line, whose error this tells until
 * the line is stopped or started again. */
int rpio_pwm_query(struct rpio_pwm *pwm, uint32_t line, struct rpio_pwm_info *info);

/* The longest time that a line may be on: `after_ns` from now it is written `off`, and PWM or a wave that it has ends,
 * whatever the program does by then. Of registers, or of a descriptor, that live as those of rpio_pwm_start_regs(), until
 * rpio_pwm_unlimit() returns. Set anew, it begins anew. -ENOSPC for more than RPIO_PWM_LINES. */
int rpio_pwm_limit_regs(struct rpio_pwm *pwm, const struct rpio_regs *regs, uint32_t line, uint64_t after_ns, int off);
int rpio_pwm_limit_fd(struct rpio_pwm *pwm, int line_fd, uint32_t line, uint64_t after_ns, int off);

/* No limit any more. -ENOENT: there was none. */
int rpio_pwm_unlimit(struct rpio_pwm *pwm, uint32_t line);

/* How long the line may still be on: 0 once it is over. -ENOENT: for ever; or what the descriptor said. */
int rpio_pwm_limit_left(struct rpio_pwm *pwm, uint32_t line, uint64_t *left_ns);

/* In the child of a fork, which has no thread: forgets all lines without a write. Usable again afterwards. Every
 * other call there does it first. Elsewhere it forgets them as well. */
void rpio_pwm_abandon(struct rpio_pwm *pwm);

#endif
