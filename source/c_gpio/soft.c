/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * soft.c - PWM by software: one thread that carries out the plan of all lines.
 *
 * Everything is under one mutex, which the thread holds but while it sleeps.
 *
 * What PWM costs is its sleeps, and half the cost of a sleep can be to set the hardware's timer to its end. The kernel
 * need not where an earlier timer is set already. So there are two, and the thread sets the one for the edge after the
 * next before it sleeps until the next. On a virtual machine a wake-up takes 9 us of CPU so, and 18 us by
 * clock_nanosleep(): the last rows of bench/pwm.py. Both end late by the same time, which does not show in the width of
 * a pulse, so that it does not pay to wake up early and look at the clock until it is time.
 *
 * A caller who brings something that is due earlier ends the sleep by setting its timer to a time that is past.
 *
 * A thread that is always behind schedule would take its mutex again before anybody else gets it. So callers are
 * counted before they wait, and the thread steps back while there are any. Whoever forks is one of them: the child gets
 * a plan that nobody was changing.
 */
#include "fork.h"
#include "regs.h"
#include "soft_wave.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

_Static_assert(sizeof(time_t) == 8, "the clock after 2038: build with _TIME_BITS=64");

#define NEVER UINT64_MAX
#define NS_PER_S 1000000000u

#define NEAR_NS 5000u /* not worth a sleep */
#define PAST_NS 1u

enum use { FREE, ON_REGS, ON_FD };

/* Where a line is written. Its place in the table is its number in the plan. */
struct output {
    enum use use;
    uint32_t line;
    const struct rpio_regs *regs;
    struct rpio_ports ports;
    int fd;
    int error; /* that has ended it */
    int wave;  /* that it is a line of; NO_WAVE */
};

enum { NO_WAVE = -1, NEW_WAVE = -2 };

/* The end of the time that a line may be on: it is written `off` then, and what drives it ends. */
struct limit {
    struct output output;
    uint64_t at_ns;
    int off;
};

/* Edges that are one write to a register. */
struct store {
    const struct rpio_regs *regs;
    uint32_t port, bits;
};

struct rpio_pwm {
    pthread_mutex_t mutex;
    pthread_cond_t stepped_back; /* the thread lets callers in */
    atomic_uint callers;         /* that want the mutex */
    struct rpio_plan *plan;
    struct output outputs[RPIO_PWM_LINES];
    unsigned used;
    struct limit limits[RPIO_PWM_LINES];
    unsigned limit_count;
    int is_stepped, is_closed;
    uint64_t stepped_ns;
    int has_thread, is_done; /* to be joined; it has given up the mutex for the last time */
    pthread_t thread;
    int timers[2];
    uint64_t set_ns[2];     /* what the timers are set to; NEVER: to nothing */
    const int *asleep_on;   /* the timer that the thread waits for; NULL: it does not */
    int is_childs;          /* of a fork, and there is no thread yet that is the child's */
    struct rpio_held held;
};

static uint64_t now_ns(const struct rpio_pwm *pwm)
{
    struct timespec now;
    if (pwm->is_stepped)
        return pwm->stepped_ns;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

/* ---- writing -------------------------------------------------------------------------------------- */

static uint32_t port_of(const struct output *output, uint32_t value)
{
    return value ? output->ports.set : output->ports.clear;
}

static int write_level(const struct output *output, uint32_t value)
{
    if (output->use == ON_FD)
        return rpio_cdev_write(output->fd, (int)value);
    reg_write(output->regs, port_of(output, value), output->ports.bit);
    return 0;
}

static size_t add_store(struct store *stores, size_t count, const struct output *output, uint32_t value)
{
    uint32_t port = port_of(output, value);
    size_t place = 0;
    while (place < count && (stores[place].regs != output->regs || stores[place].port != port))
        place++;
    if (place == count)
        stores[count++] = (struct store){.regs = output->regs, .port = port};
    stores[place].bits |= output->ports.bit;
    return count;
}

/* A descriptor that fails ends its line, or its wave. */
static void end_failed(struct rpio_pwm *pwm, uint32_t place)
{
    if (pwm->outputs[place].wave == NO_WAVE)
        (void)rpio_plan_end(pwm->plan, place);
    else
        (void)rpio_plan_stop_wave(pwm->plan, pwm->outputs[place].wave);
}

static void end_overdue(struct rpio_pwm *pwm, uint64_t now);

/* Does what is due. */
static void carry_out(struct rpio_pwm *pwm, uint64_t now)
{
    struct rpio_plan_edge edges[RPIO_PLAN_EDGES];
    struct store stores[RPIO_PWM_LINES];
    end_overdue(pwm, now);
    int edge_count = rpio_plan_advance(pwm->plan, now, edges);
    size_t store_count = 0;
    for (int i = 0; i < edge_count; i++) {
        struct output *output = &pwm->outputs[edges[i].line];
        if (output->use == ON_REGS)
            store_count = add_store(stores, store_count, output, edges[i].value);
        else if ((output->error = write_level(output, edges[i].value)) < 0)
            end_failed(pwm, edges[i].line);
    }
    for (size_t i = 0; i < store_count; i++)
        reg_write(stores[i].regs, stores[i].port, stores[i].bits);
}

/* ---- limits --------------------------------------------------------------------------------------- */

static void forget(struct rpio_pwm *pwm, uint32_t place);
static uint32_t find(const struct rpio_pwm *pwm, uint32_t line);

static unsigned find_limit(const struct rpio_pwm *pwm, uint32_t line)
{
    unsigned place = 0;
    while (place < pwm->limit_count && pwm->limits[place].output.line != line)
        place++;
    return place;
}

static uint64_t next_due(const struct rpio_pwm *pwm)
{
    uint64_t next = rpio_plan_next(pwm->plan);
    for (unsigned i = 0; i < pwm->limit_count; i++)
        next = pwm->limits[i].at_ns < next ? pwm->limits[i].at_ns : next;
    return next;
}

/* What is over stays in the table, never due again: who asks is told when it was. */
static void end_overdue(struct rpio_pwm *pwm, uint64_t now)
{
    for (unsigned i = 0; i < pwm->limit_count; i++) {
        struct limit *limit = &pwm->limits[i];
        if (limit->at_ns > now)
            continue;
        uint32_t place = find(pwm, limit->output.line);
        if (place < RPIO_PWM_LINES)
            forget(pwm, place);
        limit->output.error = write_level(&limit->output, limit->off != 0);
        limit->at_ns = NEVER;
    }
}

static int is_needed(const struct rpio_pwm *pwm)
{
    return pwm->used || next_due(pwm) != NEVER;
}

/* ---- the thread ----------------------------------------------------------------------------------- */

static void close_timers(const struct rpio_pwm *pwm)
{
    for (int i = 0; i < 2; i++)
        if (pwm->timers[i] >= 0)
            (void)close(pwm->timers[i]);
}

static int open_timers(struct rpio_pwm *pwm)
{
    for (int i = 0; i < 2; i++) {
        pwm->set_ns[i] = NEVER;
        pwm->timers[i] = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    }
    if (pwm->timers[0] >= 0 && pwm->timers[1] >= 0)
        return 0;
    int error = -errno;
    close_timers(pwm);
    return error;
}

static void set_timer(struct rpio_pwm *pwm, int which, uint64_t when)
{
    struct itimerspec spec = {{0, 0}, {0, 0}}; /* off */
    if (pwm->set_ns[which] == when)
        return;
    if (when != NEVER) {
        spec.it_value.tv_sec = (time_t)(when / NS_PER_S);
        spec.it_value.tv_nsec = (long)(when % NS_PER_S);
    }
    (void)timerfd_settime(pwm->timers[which], TFD_TIMER_ABSTIME, &spec, NULL);
    pwm->set_ns[which] = when;
}

static void sleep_until(struct rpio_pwm *pwm, uint64_t due)
{
    int which = pwm->set_ns[1] == due;
    uint64_t expirations;
    set_timer(pwm, which, due);
    set_timer(pwm, !which, rpio_plan_after_next(pwm->plan));
    pwm->asleep_on = &pwm->timers[which];
    (void)pthread_mutex_unlock(&pwm->mutex);
    ssize_t ignored = read(pwm->timers[which], &expirations, sizeof expirations);
    (void)ignored; /* whatever ended it, we look at the clock */
    (void)pthread_mutex_lock(&pwm->mutex);
    pwm->asleep_on = NULL;
    pwm->set_ns[which] = NEVER;
}

/* One look at the plan: does what is due, or sleeps. */
static void work(struct rpio_pwm *pwm)
{
    if (atomic_load(&pwm->callers)) { /* the last of them wakes us */
        (void)pthread_cond_wait(&pwm->stepped_back, &pwm->mutex);
        return;
    }
    uint64_t now = now_ns(pwm), due = next_due(pwm);
    if (due > now && due - now > NEAR_NS) {
        sleep_until(pwm, due);
        return;
    }
    while (now < due && !atomic_load(&pwm->callers))
        now = now_ns(pwm);
    carry_out(pwm, now);
}

static void *run(void *argument)
{
    struct rpio_pwm *pwm = argument;
    (void)prctl(PR_SET_NAME, "rpio-pwm");
    (void)pthread_mutex_lock(&pwm->mutex);
    while (is_needed(pwm))
        work(pwm);
    close_timers(pwm);
    pwm->is_done = 1;
    (void)pthread_mutex_unlock(&pwm->mutex);
    return NULL;
}

/* To be called under the mutex, which a thread that is done needs no more. */
static int need_thread(struct rpio_pwm *pwm)
{
    if (pwm->is_stepped || (pwm->has_thread && !pwm->is_done))
        return 0;
    if (pwm->has_thread)
        (void)pthread_join(pwm->thread, NULL);
    pwm->has_thread = pwm->is_done = 0;
    int error = open_timers(pwm);
    if (error < 0)
        return error;
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before); /* a signal is for the program's own threads */
    error = pthread_create(&pwm->thread, NULL, run, pwm);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error)
        close_timers(pwm);
    pwm->has_thread = error == 0;
    return -error;
}

/* ---- making and ending ---------------------------------------------------------------------------- */

static void lock(struct rpio_pwm *pwm)
{
    (void)atomic_fetch_add(&pwm->callers, 1u);
    (void)pthread_mutex_lock(&pwm->mutex);
    (void)atomic_fetch_sub(&pwm->callers, 1u);
}

static void unlock(struct rpio_pwm *pwm)
{
    (void)pthread_cond_signal(&pwm->stepped_back);
    (void)pthread_mutex_unlock(&pwm->mutex);
}

static void before_fork(void *object)
{
    lock(object);
}

/* The child may be about to become another program: it gets what it needs to go on, and forgets its lines later. */
static void after_fork(void *object, int is_child)
{
    struct rpio_pwm *pwm = object;
    if (is_child) {
        pwm->is_childs = 1;
        atomic_init(&pwm->callers, 0u); /* threads that are not here */
        (void)pthread_cond_init(&pwm->stepped_back, NULL);
    }
    unlock(pwm);
}

int rpio_pwm_new(struct rpio_pwm **out)
{
    struct rpio_pwm *pwm = *out = calloc(1, sizeof *pwm);
    if (!pwm)
        return -ENOMEM;
    pwm->held = (struct rpio_held){.before = before_fork, .after = after_fork, .object = pwm};
    (void)pthread_mutex_init(&pwm->mutex, NULL);
    (void)pthread_cond_init(&pwm->stepped_back, NULL);
    int error = rpio_plan_new(&pwm->plan);
    if (error == 0)
        error = rpio_hold_over_forks(&pwm->held);
    if (error < 0) {
        rpio_plan_free(pwm->plan);
        free(pwm);
        *out = NULL;
    }
    return error;
}

int rpio_pwm_new_stepped(struct rpio_pwm **out)
{
    int error = rpio_pwm_new(out);
    if (error == 0)
        (*out)->is_stepped = 1;
    return error;
}

static void forget_all(struct rpio_pwm *pwm)
{
    rpio_plan_clear(pwm->plan);
    for (size_t i = 0; i < RPIO_PWM_LINES; i++)
        pwm->outputs[i].use = FREE;
    pwm->used = pwm->limit_count = 0;
}

static void abandon(struct rpio_pwm *pwm)
{
    forget_all(pwm);
    if (pwm->has_thread && !pwm->is_done)
        close_timers(pwm); /* ours of them: the parent's go on */
    pwm->asleep_on = NULL;
    pwm->has_thread = 0;
    pwm->is_childs = 0;
}

static void enter(struct rpio_pwm *pwm)
{
    lock(pwm);
    if (pwm->is_childs)
        abandon(pwm);
}

/* Wakes the thread where it sleeps longer than it may now. */
static int leave(struct rpio_pwm *pwm, int result)
{
    int which = pwm->asleep_on == &pwm->timers[1];
    if (pwm->asleep_on && (!is_needed(pwm) || next_due(pwm) < pwm->set_ns[which]))
        set_timer(pwm, which, PAST_NS);
    unlock(pwm);
    return result;
}

void rpio_pwm_abandon(struct rpio_pwm *pwm)
{
    enter(pwm);
    forget_all(pwm); /* elsewhere than in a child, whose enter() has done that */
    (void)leave(pwm, 0);
}

void rpio_pwm_close(struct rpio_pwm *pwm)
{
    enter(pwm);
    int has_thread = pwm->has_thread;
    forget_all(pwm);
    pwm->is_closed = 1;
    pwm->has_thread = 0;
    (void)leave(pwm, 0);
    if (has_thread)
        (void)pthread_join(pwm->thread, NULL);
}

void rpio_pwm_free(struct rpio_pwm *pwm)
{
    if (!pwm)
        return;
    rpio_pwm_close(pwm);
    rpio_hold_no_more(&pwm->held);
    (void)pthread_cond_destroy(&pwm->stepped_back);
    (void)pthread_mutex_destroy(&pwm->mutex);
    rpio_plan_free(pwm->plan);
    free(pwm);
}

/* ---- lines ---------------------------------------------------------------------------------------- */

/* The place of the line, or RPIO_PWM_LINES. */
static uint32_t find(const struct rpio_pwm *pwm, uint32_t line)
{
    uint32_t place = 0;
    while (place < RPIO_PWM_LINES && (pwm->outputs[place].use == FREE || pwm->outputs[place].line != line))
        place++;
    return place;
}

static uint32_t find_free(const struct rpio_pwm *pwm)
{
    uint32_t place = 0;
    while (place < RPIO_PWM_LINES && pwm->outputs[place].use != FREE)
        place++;
    return place;
}

static void free_output(struct rpio_pwm *pwm, uint32_t place)
{
    pwm->outputs[place].use = FREE;
    pwm->used--;
}

static void forget_wave(struct rpio_pwm *pwm, int wave)
{
    (void)rpio_plan_stop_wave(pwm->plan, wave); /* -ENOENT where an error has ended it */
    for (uint32_t place = 0; place < RPIO_PWM_LINES; place++)
        if (pwm->outputs[place].use != FREE && pwm->outputs[place].wave == wave)
            free_output(pwm, place);
}

static int has_lines(const struct rpio_pwm *pwm, int wave)
{
    for (uint32_t place = 0; place < RPIO_PWM_LINES; place++)
        if (pwm->outputs[place].use != FREE && pwm->outputs[place].wave == wave)
            return 1;
    return 0;
}

/* The last line of a wave takes it along. */
static void leave_wave(struct rpio_pwm *pwm, uint32_t place)
{
    int wave = pwm->outputs[place].wave;
    (void)rpio_plan_drop_line(pwm->plan, wave, place);
    free_output(pwm, place);
    if (!has_lines(pwm, wave))
        (void)rpio_plan_stop_wave(pwm->plan, wave);
}

static void forget(struct rpio_pwm *pwm, uint32_t place)
{
    if (pwm->outputs[place].wave != NO_WAVE) {
        leave_wave(pwm, place);
        return;
    }
    (void)rpio_plan_end(pwm->plan, place); /* -ENOENT where an error has ended it */
    free_output(pwm, place);
}

/* A first edge is written here, so that an error has somebody to hear of it. */
static int set(struct rpio_pwm *pwm, uint32_t place, uint64_t period_ns, uint64_t high_ns)
{
    uint64_t now = now_ns(pwm);
    int error = rpio_plan_set(pwm->plan, place, period_ns, high_ns, now);
    if (error < 0)
        return error;
    carry_out(pwm, now);
    return pwm->outputs[place].error;
}

static int start(struct rpio_pwm *pwm, const struct output *output, uint64_t period_ns, uint64_t high_ns)
{
    enter(pwm);
    if (pwm->is_closed)
        return leave(pwm, -EBADF);
    uint32_t place = find(pwm, output->line);
    if (place < RPIO_PWM_LINES && pwm->outputs[place].error == 0 && pwm->outputs[place].wave == NO_WAVE)
        return leave(pwm, set(pwm, place, period_ns, high_ns));
    if (place < RPIO_PWM_LINES)
        forget(pwm, place);
    place = find_free(pwm);
    if (place == RPIO_PWM_LINES)
        return leave(pwm, -ENOSPC);
    pwm->outputs[place] = *output;
    pwm->used++;
    int error = need_thread(pwm);
    if (error == 0)
        error = set(pwm, place, period_ns, high_ns);
    if (error < 0)
        forget(pwm, place);
    return leave(pwm, error);
}

int rpio_pwm_start_regs(struct rpio_pwm *pwm, const struct rpio_regs *regs, uint32_t line, uint64_t period_ns,
                        uint64_t high_ns)
{
    struct output output = {.use = ON_REGS, .line = line, .regs = regs, .wave = NO_WAVE};
    int error = rpio_regs_ports(regs, line, &output.ports);
    return error < 0 ? error : start(pwm, &output, period_ns, high_ns);
}

int rpio_pwm_start_fd(struct rpio_pwm *pwm, int line_fd, uint32_t line, uint64_t period_ns, uint64_t high_ns)
{
    struct output output = {.use = ON_FD, .line = line, .fd = line_fd, .wave = NO_WAVE};
    return start(pwm, &output, period_ns, high_ns);
}

int rpio_pwm_change(struct rpio_pwm *pwm, uint32_t line, uint64_t period_ns, uint64_t high_ns)
{
    enter(pwm);
    uint32_t place = find(pwm, line);
    if (place == RPIO_PWM_LINES || pwm->outputs[place].wave != NO_WAVE)
        return leave(pwm, -ENOENT);
    pwm->outputs[place].error = 0; /* what an error has ended is tried again */
    return leave(pwm, set(pwm, place, period_ns, high_ns));
}

int rpio_pwm_stop(struct rpio_pwm *pwm, uint32_t line, int value)
{
    enter(pwm);
    uint32_t place = find(pwm, line);
    if (place == RPIO_PWM_LINES)
        return leave(pwm, -ENOENT);
    struct output output = pwm->outputs[place];
    forget(pwm, place);
    return leave(pwm, write_level(&output, value != 0));
}

/* ---- the longest time that a line may be on ------------------------------------------------------------ */

static int limit(struct rpio_pwm *pwm, const struct output *output, uint64_t after_ns, int off)
{
    enter(pwm);
    if (pwm->is_closed)
        return leave(pwm, -EBADF);
    unsigned place = find_limit(pwm, output->line);
    if (place == RPIO_PWM_LINES)
        return leave(pwm, -ENOSPC);
    if (place == pwm->limit_count)
        pwm->limit_count++;
    pwm->limits[place] = (struct limit){.output = *output, .at_ns = now_ns(pwm) + after_ns, .off = off};
    int error = need_thread(pwm);
    if (error < 0)
        pwm->limits[place] = pwm->limits[--pwm->limit_count];
    return leave(pwm, error);
}

int rpio_pwm_limit_regs(struct rpio_pwm *pwm, const struct rpio_regs *regs, uint32_t line, uint64_t after_ns, int off)
{
    struct output output = {.use = ON_REGS, .line = line, .regs = regs, .wave = NO_WAVE};
    int error = rpio_regs_ports(regs, line, &output.ports);
    return error < 0 ? error : limit(pwm, &output, after_ns, off);
}

int rpio_pwm_limit_fd(struct rpio_pwm *pwm, int line_fd, uint32_t line, uint64_t after_ns, int off)
{
    struct output output = {.use = ON_FD, .line = line, .fd = line_fd, .wave = NO_WAVE};
    return limit(pwm, &output, after_ns, off);
}

int rpio_pwm_unlimit(struct rpio_pwm *pwm, uint32_t line)
{
    enter(pwm);
    unsigned place = find_limit(pwm, line);
    if (place == pwm->limit_count)
        return leave(pwm, -ENOENT);
    pwm->limits[place] = pwm->limits[--pwm->limit_count];
    return leave(pwm, 0);
}

int rpio_pwm_limit_left(struct rpio_pwm *pwm, uint32_t line, uint64_t *left_ns)
{
    enter(pwm);
    unsigned place = find_limit(pwm, line);
    if (place == pwm->limit_count)
        return leave(pwm, -ENOENT);
    uint64_t now = now_ns(pwm), at_ns = pwm->limits[place].at_ns;
    *left_ns = at_ns == NEVER || at_ns < now ? 0 : at_ns - now;
    return leave(pwm, pwm->limits[place].output.error);
}

/* ---- waves ---------------------------------------------------------------------------------------- */

static int output_of(const struct rpio_wave_line *line, struct output *output)
{
    *output = (struct output){
        .use = line->regs ? ON_REGS : ON_FD, .line = line->line, .regs = line->regs, .fd = line->fd, .wave = NO_WAVE};
    return line->regs ? rpio_regs_ports(line->regs, line->line, &output->ports) : 0;
}

/* A place for each line; what drives it now ends, but for the wave that is going to be replaced. */
static int take_places(struct rpio_pwm *pwm, const struct rpio_wave_line *lines, size_t line_count, int instead_of)
{
    for (size_t i = 0; i < line_count; i++) {
        struct output output;
        int error = output_of(&lines[i], &output);
        uint32_t place = find(pwm, lines[i].line);
        if (error < 0)
            return error;
        if (place < RPIO_PWM_LINES && pwm->outputs[place].wave != NO_WAVE && pwm->outputs[place].wave == instead_of)
            continue;
        if (place < RPIO_PWM_LINES)
            forget(pwm, place);
        place = find_free(pwm);
        if (place == RPIO_PWM_LINES)
            return -ENOSPC;
        output.wave = instead_of;
        pwm->outputs[place] = output;
        pwm->used++;
    }
    return 0;
}

static int play(struct rpio_pwm *pwm, const struct rpio_wave_edge *edges, size_t count, uint64_t period_ns,
                uint32_t turns, int instead_of)
{
    struct rpio_wave_edge *placed = count <= RPIO_WAVE_EDGES_MAX ? malloc((count + 1) * sizeof *placed) : NULL;
    int error = placed ? 0 : count <= RPIO_WAVE_EDGES_MAX ? -ENOMEM : -EINVAL;
    for (size_t i = 0; i < count && error == 0; i++) {
        placed[i] = edges[i];
        placed[i].line = find(pwm, edges[i].line);
        error = placed[i].line < RPIO_PWM_LINES && pwm->outputs[placed[i].line].wave == instead_of ? 0 : -EINVAL;
    }
    if (error == 0)
        error = rpio_plan_play(pwm->plan, placed, count, period_ns, turns, instead_of == NEW_WAVE ? -1 : instead_of,
                               now_ns(pwm));
    free(placed);
    return error;
}

static int has_line(const struct rpio_wave_line *lines, size_t line_count, uint32_t line)
{
    for (size_t i = 0; i < line_count; i++)
        if (lines[i].line == line)
            return 1;
    return 0;
}

/* Before anything is ended for it: whether the wave can be played. */
static int check_wave(struct rpio_pwm *pwm, const struct rpio_wave_line *lines, size_t line_count,
                      const struct rpio_wave_edge *edges, size_t count, uint64_t period_ns, int instead_of)
{
    uint64_t turns_done;
    size_t more = 0;
    if (pwm->is_closed)
        return -EBADF;
    if (!rpio_wave_is_valid(edges, count, period_ns))
        return -EINVAL;
    for (size_t i = 0; i < count; i++)
        if (!has_line(lines, line_count, edges[i].line))
            return -EINVAL;
    for (size_t i = 0; i < line_count; i++)
        more += find(pwm, lines[i].line) == RPIO_PWM_LINES;
    if (pwm->used + more > RPIO_PWM_LINES)
        return -ENOSPC;
    int error = instead_of < 0 ? 0 : rpio_plan_wave(pwm->plan, instead_of, 0, &turns_done);
    return error < 0 ? error : 0;
}

int rpio_pwm_play(struct rpio_pwm *pwm, const struct rpio_wave_line *lines, size_t line_count,
                  const struct rpio_wave_edge *edges, size_t count, uint64_t period_ns, uint32_t turns, int instead_of)
{
    int mark = instead_of < 0 ? NEW_WAVE : instead_of; /* of its lines, until it has a number */
    enter(pwm);
    int error = check_wave(pwm, lines, line_count, edges, count, period_ns, instead_of);
    error = error < 0 ? error : take_places(pwm, lines, line_count, mark);
    error = error < 0 ? error : need_thread(pwm);
    int wave = error < 0 ? error : play(pwm, edges, count, period_ns, turns, mark);
    for (uint32_t place = 0; place < RPIO_PWM_LINES; place++)
        if (pwm->outputs[place].use != FREE && pwm->outputs[place].wave == NEW_WAVE) {
            pwm->outputs[place].wave = wave;
            if (wave < 0)
                free_output(pwm, place);
        }
    if (wave >= 0)
        carry_out(pwm, now_ns(pwm));
    return leave(pwm, wave);
}

int rpio_pwm_stop_wave(struct rpio_pwm *pwm, int wave)
{
    uint64_t turns;
    enter(pwm);
    int error = rpio_plan_wave(pwm->plan, wave, 0, &turns);
    if (wave >= 0)
        forget_wave(pwm, wave);
    return leave(pwm, error < 0 ? error : 0);
}

int rpio_pwm_wave(struct rpio_pwm *pwm, int wave, uint64_t *turns_done)
{
    enter(pwm);
    int result = rpio_plan_wave(pwm->plan, wave, now_ns(pwm), turns_done);
    for (uint32_t place = 0; place < RPIO_PWM_LINES && result < 0; place++)
        if (pwm->outputs[place].use != FREE && pwm->outputs[place].wave == wave && pwm->outputs[place].error < 0)
            result = pwm->outputs[place].error;
    return leave(pwm, result);
}

/* ---- asking --------------------------------------------------------------------------------------- */

int rpio_pwm_query(struct rpio_pwm *pwm, uint32_t line, struct rpio_pwm_info *info)
{
    enter(pwm);
    uint32_t place = find(pwm, line);
    if (place == RPIO_PWM_LINES || pwm->outputs[place].wave != NO_WAVE)
        return leave(pwm, -ENOENT);
    int error = pwm->outputs[place].error;
    *info = (struct rpio_pwm_info){0};
    if (error == 0)
        (void)rpio_plan_info(pwm->plan, place, info);
    info->error = error;
    return leave(pwm, 0);
}

int rpio_pwm_step(struct rpio_pwm *pwm, uint64_t step_ns, uint64_t *next_ns)
{
    if (!pwm->is_stepped)
        return -EINVAL;
    enter(pwm);
    pwm->stepped_ns = step_ns > pwm->stepped_ns ? step_ns : pwm->stepped_ns;
    carry_out(pwm, pwm->stepped_ns);
    *next_ns = next_due(pwm);
    return leave(pwm, 0);
}
