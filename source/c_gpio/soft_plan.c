/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * soft_plan.c - which line changes when: PWM without a clock, a thread and hardware.
 *
 * Apart from what carries it out, so that it can be tried at every nanosecond, and so that the simulated board has
 * the very wave of the real ones.
 *
 * Times are absolute: an edge that is carried out late moves no later one. Only a pulse that begins late by more
 * than half its width ends late as well, because a wake-up that takes as long as the pulse would swallow it. Wake-ups
 * are late by much the same time, so that others are as wide as they should be.
 */
#include "soft_wave.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define NEVER UINT64_MAX
#define LATE_SHARE 2u

enum { UNWRITTEN = -1 };

struct wave {
    uint64_t period_ns, high_ns;
};

struct channel {
    uint32_t line;
    int level;            /* written last */
    struct wave wave;     /* of the running period; all 0 until the first */
    struct wave next;     /* from the next one on */
    uint64_t begin_ns;    /* of the next period; NEVER: the level is steady and stays */
    uint64_t fall_ns;     /* end of the running pulse; NEVER: there is none */
    uint64_t periods;
};

struct rpio_plan {
    size_t count;
    struct channel channels[RPIO_PWM_LINES];
    struct rpio_wave *waves[RPIO_WAVES]; /* NULL: there is none */
    int wave_numbers[RPIO_WAVES], last_wave;
};

static int is_steady(struct wave wave)
{
    return wave.high_ns == 0 || wave.high_ns == wave.period_ns;
}

int rpio_plan_new(struct rpio_plan **plan)
{
    *plan = calloc(1, sizeof **plan);
    return *plan ? 0 : -ENOMEM;
}

void rpio_plan_clear(struct rpio_plan *plan)
{
    plan->count = 0;
    for (size_t i = 0; i < RPIO_WAVES; i++)
        if (plan->waves[i])
            (void)rpio_plan_stop_wave(plan, plan->wave_numbers[i]);
}

void rpio_plan_free(struct rpio_plan *plan)
{
    if (plan)
        rpio_plan_clear(plan);
    free(plan);
}

static size_t find(const struct rpio_plan *plan, uint32_t line)
{
    size_t place = 0;
    while (place < plan->count && plan->channels[place].line != line)
        place++;
    return place;
}

/* How long it is until a grid of periods that has a line at `begin_ns`, before or after now, has its next one. */
static uint64_t to_grid(uint64_t now_ns, uint64_t begin_ns, uint64_t period_ns)
{
    if (begin_ns >= now_ns)
        return (begin_ns - now_ns) % period_ns;
    uint64_t gone_ns = (now_ns - begin_ns) % period_ns;
    return gone_ns ? period_ns - gone_ns : 0;
}

/* When a line that is at rest begins: now, or where it shares the edges of lines of the same period. */
static uint64_t begin_of(const struct rpio_plan *plan, const struct channel *starting, uint64_t now_ns)
{
    struct rpio_pulse others[RPIO_PWM_LINES];
    uint64_t period_ns = starting->next.period_ns;
    size_t count = 0;
    if (is_steady(starting->next) || period_ns > RPIO_PWM_JOIN_MAX_NS)
        return now_ns;
    for (size_t i = 0; i < plan->count; i++) {
        const struct channel *other = &plan->channels[i];
        if (other != starting && !is_steady(other->next) && other->next.period_ns == period_ns)
            others[count++] = (struct rpio_pulse){.rise_ns = to_grid(now_ns, other->begin_ns, period_ns),
                                                  .high_ns = other->next.high_ns};
    }
    return now_ns + rpio_place(others, count, period_ns, starting->next.high_ns);
}

int rpio_plan_set(struct rpio_plan *plan, uint32_t line, uint64_t period_ns, uint64_t high_ns, uint64_t now_ns)
{
    if (period_ns < RPIO_PWM_PERIOD_MIN_NS || period_ns > RPIO_PWM_PERIOD_MAX_NS || high_ns > period_ns)
        return -EINVAL;
    size_t place = find(plan, line);
    if (place == RPIO_PWM_LINES)
        return -ENOSPC;
    struct channel *channel = &plan->channels[place];
    if (place == plan->count) {
        *channel = (struct channel){.line = line, .level = UNWRITTEN, .fall_ns = NEVER};
        plan->count++;
    }
    channel->next = (struct wave){.period_ns = period_ns, .high_ns = high_ns};
    if (is_steady(channel->wave)) /* a new one, too */
        channel->begin_ns = begin_of(plan, channel, now_ns);
    return 0;
}

int rpio_plan_end(struct rpio_plan *plan, uint32_t line)
{
    size_t place = find(plan, line);
    if (place == plan->count)
        return -ENOENT;
    plan->count--;
    memmove(&plan->channels[place], &plan->channels[place + 1],
            (plan->count - place) * sizeof plan->channels[0]);
    return 0;
}

int rpio_plan_info(const struct rpio_plan *plan, uint32_t line, struct rpio_pwm_info *info)
{
    size_t place = find(plan, line);
    if (place == plan->count)
        return -ENOENT;
    const struct channel *channel = &plan->channels[place];
    *info = (struct rpio_pwm_info){.period_ns = channel->next.period_ns,
                                   .high_ns = channel->next.high_ns,
                                   .periods = channel->periods};
    return 0;
}

static uint64_t due(const struct channel *channel)
{
    if (channel->level == UNWRITTEN)
        return 0;
    return channel->fall_ns < channel->begin_ns ? channel->fall_ns : channel->begin_ns;
}

/* ---- waves ---------------------------------------------------------------------------------------- */

static size_t place_of_wave(const struct rpio_plan *plan, int wave)
{
    size_t place = 0;
    while (place < RPIO_WAVES && (!plan->waves[place] || plan->wave_numbers[place] != wave))
        place++;
    return place;
}

static struct rpio_wave *find_wave(const struct rpio_plan *plan, int wave)
{
    size_t place = place_of_wave(plan, wave);
    return place < RPIO_WAVES ? plan->waves[place] : NULL;
}

/* Numbers are not used again soon, so that whoever still has an old one finds nothing. */
static int next_number(struct rpio_plan *plan)
{
    return plan->last_wave = plan->last_wave == INT_MAX ? 1 : plan->last_wave + 1;
}

int rpio_plan_play(struct rpio_plan *plan, const struct rpio_wave_edge *edges, size_t count, uint64_t period_ns,
                   uint32_t turns, int instead_of, uint64_t now_ns)
{
    if (instead_of >= 0) {
        struct rpio_wave *wave = find_wave(plan, instead_of);
        int error = wave ? rpio_wave_follow(wave, edges, count, period_ns, turns, now_ns) : -ENOENT;
        return error < 0 ? error : instead_of;
    }
    size_t place = 0;
    while (place < RPIO_WAVES && plan->waves[place])
        place++;
    if (place == RPIO_WAVES)
        return -ENOSPC;
    int error = rpio_wave_new(&plan->waves[place], edges, count, period_ns, turns, now_ns);
    return error < 0 ? error : (plan->wave_numbers[place] = next_number(plan));
}

int rpio_plan_stop_wave(struct rpio_plan *plan, int wave)
{
    size_t place = place_of_wave(plan, wave);
    if (place == RPIO_WAVES)
        return -ENOENT;
    rpio_wave_free(plan->waves[place]);
    plan->waves[place] = NULL;
    return 0;
}

int rpio_plan_drop_line(struct rpio_plan *plan, int wave, uint32_t line)
{
    struct rpio_wave *of = find_wave(plan, wave);
    if (!of)
        return -ENOENT;
    rpio_wave_drop(of, line);
    return 0;
}

int rpio_plan_wave(const struct rpio_plan *plan, int wave, uint64_t now_ns, uint64_t *turns_done)
{
    const struct rpio_wave *of = find_wave(plan, wave);
    if (!of)
        return -ENOENT;
    *turns_done = rpio_wave_turns(of, now_ns);
    return rpio_wave_end(of) > now_ns;
}

/* ---- what is next --------------------------------------------------------------------------------- */

static void take_earlier(uint64_t *first, uint64_t at_ns)
{
    *first = at_ns < *first ? at_ns : *first;
}

uint64_t rpio_plan_next(const struct rpio_plan *plan)
{
    uint64_t next = NEVER;
    for (size_t i = 0; i < plan->count; i++)
        take_earlier(&next, due(&plan->channels[i]));
    for (size_t i = 0; i < RPIO_WAVES; i++)
        if (plan->waves[i])
            take_earlier(&next, rpio_wave_next(plan->waves[i]));
    return next;
}

/* What is due after what is due next. */
static uint64_t due_then(const struct channel *channel)
{
    if (channel->level == UNWRITTEN || channel->fall_ns < channel->begin_ns)
        return channel->begin_ns;
    return is_steady(channel->next) ? NEVER : channel->begin_ns + channel->next.high_ns;
}

uint64_t rpio_plan_after_next(const struct rpio_plan *plan)
{
    uint64_t next = rpio_plan_next(plan), after = NEVER;
    for (size_t i = 0; i < plan->count; i++) {
        const struct channel *channel = &plan->channels[i];
        take_earlier(&after, due(channel) > next ? due(channel) : due_then(channel));
    }
    for (size_t i = 0; i < RPIO_WAVES; i++) {
        const struct rpio_wave *wave = plan->waves[i];
        if (wave)
            take_earlier(&after, rpio_wave_next(wave) > next ? rpio_wave_next(wave) : rpio_wave_after_next(wave));
    }
    return after;
}

/* Begins a period at or before `now_ns`; returns its level. */
static int begin_period(struct channel *channel, uint64_t now_ns)
{
    struct wave wave = channel->wave = channel->next;
    channel->fall_ns = NEVER;
    if (is_steady(wave)) {
        channel->begin_ns = NEVER;
        return wave.high_ns != 0;
    }
    uint64_t late_ns = (now_ns - channel->begin_ns) % wave.period_ns; /* whole periods are left out */
    uint64_t start_ns = now_ns - late_ns;
    uint64_t fall_ns = (late_ns <= wave.high_ns / LATE_SHARE ? start_ns : now_ns) + wave.high_ns;
    channel->begin_ns = start_ns + wave.period_ns;
    if (fall_ns >= channel->begin_ns)
        return 0;
    channel->fall_ns = fall_ns;
    channel->periods++;
    return 1;
}

static int advance(struct channel *channel, uint64_t now_ns)
{
    if (channel->begin_ns <= now_ns)
        return begin_period(channel, now_ns);
    if (channel->fall_ns <= now_ns) {
        channel->fall_ns = NEVER;
        return 0;
    }
    return channel->level > 0;
}

static size_t advance_waves(struct rpio_plan *plan, uint64_t now_ns, struct rpio_plan_edge *out)
{
    size_t count = 0;
    for (size_t i = 0; i < RPIO_WAVES; i++)
        if (plan->waves[i])
            count += rpio_wave_advance(plan->waves[i], now_ns, out + count);
    return count;
}

int rpio_plan_advance(struct rpio_plan *plan, uint64_t now_ns, struct rpio_plan_edge out[RPIO_PLAN_EDGES])
{
    struct rpio_plan_edge rises[RPIO_PWM_LINES];
    size_t falling = 0, rising = 0;
    for (size_t i = 0; i < plan->count; i++) {
        struct channel *channel = &plan->channels[i];
        int level = due(channel) <= now_ns ? advance(channel, now_ns) : channel->level;
        if (level == channel->level)
            continue;
        channel->level = level;
        struct rpio_plan_edge edge = {.line = channel->line, .value = (uint32_t)level};
        if (level)
            rises[rising++] = edge;
        else
            out[falling++] = edge;
    }
    memcpy(out + falling, rises, rising * sizeof rises[0]);
    size_t count = falling + rising;
    return (int)(count + advance_waves(plan, now_ns, out + count));
}
