/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * soft_wave.c - what a wave does when: a list of edges, played a number of times or for ever. Without a clock, as
 * soft_plan.c, whose caller asks for both.
 *
 * An edge that comes late may move what follows in its turn: one that is late by more than half of the time to the next
 * moment would squeeze it, and a stepper motor would lose its step. So a wave is stretched, and no edge is left out. A
 * wave that goes on for ever then pauses at the end of its turn, until it would have begun one anyhow; a wave that counts
 * its turns goes on at once.
 */
#include "soft_wave.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NEVER UINT64_MAX
#define LATE_SHARE 2u
#define NO_LINE UINT32_MAX /* of an edge that is left out */

/* The edges of a turn, in the order of their times. */
struct score {
    size_t count;
    struct rpio_wave_edge *edges;
    uint64_t period_ns;
    uint32_t turns; /* 0: for ever */
};

struct rpio_wave {
    struct score playing, following; /* following.edges NULL: nothing follows */
    size_t place;                    /* of the edge that comes next */
    uint64_t begin_ns, shift_ns;     /* of the turn */
    uint64_t follow_ns;              /* a turn that begins from then on is that of what follows */
    uint64_t turns_done;
};

int rpio_wave_is_valid(const struct rpio_wave_edge *edges, size_t count, uint64_t period_ns)
{
    if (count == 0 || count > RPIO_WAVE_EDGES_MAX || period_ns < RPIO_PWM_PERIOD_MIN_NS ||
        period_ns > RPIO_PWM_PERIOD_MAX_NS)
        return 0;
    for (size_t i = 0, same = 0; i < count; i++) {
        if (edges[i].at_ns >= period_ns || (i && edges[i].at_ns < edges[i - 1].at_ns))
            return 0;
        same = i && edges[i].at_ns == edges[i - 1].at_ns ? same + 1 : 1;
        if (same > RPIO_PWM_LINES)
            return 0;
    }
    return 1;
}

static int copy(struct score *score, const struct rpio_wave_edge *edges, size_t count, uint64_t period_ns,
                uint32_t turns)
{
    struct rpio_wave_edge *own = rpio_wave_is_valid(edges, count, period_ns) ? malloc(count * sizeof *own) : NULL;
    if (!own)
        return rpio_wave_is_valid(edges, count, period_ns) ? -ENOMEM : -EINVAL;
    memcpy(own, edges, count * sizeof *own);
    free(score->edges);
    *score = (struct score){.count = count, .edges = own, .period_ns = period_ns, .turns = turns};
    return 0;
}

int rpio_wave_new(struct rpio_wave **out, const struct rpio_wave_edge *edges, size_t count, uint64_t period_ns,
                  uint32_t turns, uint64_t begin_ns)
{
    struct rpio_wave *wave = *out = calloc(1, sizeof *wave);
    int error = wave ? copy(&wave->playing, edges, count, period_ns, turns) : -ENOMEM;
    if (error < 0) {
        rpio_wave_free(wave);
        *out = NULL;
        return error;
    }
    wave->begin_ns = begin_ns;
    return 0;
}

void rpio_wave_free(struct rpio_wave *wave)
{
    if (wave) {
        free(wave->playing.edges);
        free(wave->following.edges);
    }
    free(wave);
}

int rpio_wave_is_done(const struct rpio_wave *wave)
{
    return wave->playing.turns && wave->turns_done == wave->playing.turns && !wave->following.edges;
}

uint64_t rpio_wave_end(const struct rpio_wave *wave)
{
    return rpio_wave_is_done(wave) ? wave->begin_ns : NEVER;
}

uint64_t rpio_wave_turns(const struct rpio_wave *wave, uint64_t now_ns)
{
    int is_ending = wave->place == 0 && wave->turns_done && now_ns < wave->begin_ns; /* after its last edge */
    return wave->turns_done - (uint64_t)is_ending;
}

int rpio_wave_follow(struct rpio_wave *wave, const struct rpio_wave_edge *edges, size_t count, uint64_t period_ns,
                     uint32_t turns, uint64_t now_ns)
{
    int was_done = rpio_wave_is_done(wave), error = copy(&wave->following, edges, count, period_ns, turns);
    if (error == 0 && was_done && wave->begin_ns < now_ns)
        wave->begin_ns = now_ns;
    if (error == 0)
        wave->follow_ns = now_ns;
    return error;
}

static void drop(struct score *score, uint32_t line)
{
    for (size_t i = 0; i < score->count; i++)
        if (score->edges[i].line == line)
            score->edges[i].line = NO_LINE;
}

void rpio_wave_drop(struct rpio_wave *wave, uint32_t line)
{
    drop(&wave->playing, line);
    drop(&wave->following, line);
}

/* Whether the turn that begins, or has begun and had no edge yet, is the first one of what follows. */
static int is_followed(const struct rpio_wave *wave)
{
    return wave->place == 0 && wave->following.edges && wave->begin_ns >= wave->follow_ns;
}

static void begin_turn(struct rpio_wave *wave)
{
    if (!is_followed(wave))
        return;
    free(wave->playing.edges);
    wave->playing = wave->following;
    wave->following = (struct score){0};
    wave->turns_done = 0;
}

static const struct score *next_score(const struct rpio_wave *wave)
{
    return is_followed(wave) ? &wave->following : &wave->playing;
}

uint64_t rpio_wave_next(const struct rpio_wave *wave)
{
    if (wave->place == 0 && rpio_wave_is_done(wave))
        return NEVER;
    return wave->begin_ns + wave->shift_ns + next_score(wave)->edges[wave->place].at_ns;
}

/* The number of edges at the moment that comes next. */
static size_t moment(const struct rpio_wave *wave)
{
    const struct score *score = next_score(wave);
    size_t end = wave->place + 1;
    while (end < score->count && score->edges[end].at_ns == score->edges[wave->place].at_ns)
        end++;
    return end - wave->place;
}

static int ends_after(const struct rpio_wave *wave)
{
    return wave->playing.turns && wave->turns_done + 1 == wave->playing.turns && !wave->following.edges;
}

uint64_t rpio_wave_after_next(const struct rpio_wave *wave)
{
    if (rpio_wave_next(wave) == NEVER)
        return NEVER;
    const struct score *score = next_score(wave);
    size_t end = wave->place + moment(wave);
    if (end < score->count)
        return wave->begin_ns + wave->shift_ns + score->edges[end].at_ns;
    if (ends_after(wave))
        return NEVER;
    const struct score *then = wave->following.edges ? &wave->following : score;
    return wave->begin_ns + wave->shift_ns + score->period_ns + then->edges[0].at_ns;
}

static void end_turn(struct rpio_wave *wave)
{
    const struct score *score = &wave->playing;
    uint64_t turns_behind = (wave->shift_ns + score->period_ns - 1) / score->period_ns;
    wave->place = 0;
    wave->turns_done++;
    wave->begin_ns += score->period_ns + (score->turns ? wave->shift_ns : turns_behind * score->period_ns);
    wave->shift_ns = 0;
}

size_t rpio_wave_advance(struct rpio_wave *wave, uint64_t now_ns, struct rpio_plan_edge *out)
{
    uint64_t due_ns = rpio_wave_next(wave);
    if (due_ns > now_ns)
        return 0;
    if (wave->place == 0)
        begin_turn(wave);
    const struct score *score = &wave->playing;
    size_t count = moment(wave), written = 0;
    for (const struct rpio_wave_edge *edge = &score->edges[wave->place]; edge < &score->edges[wave->place + count]; edge++)
        if (edge->line != NO_LINE)
            out[written++] = (struct rpio_plan_edge){.line = edge->line, .value = edge->value};
    uint64_t at_ns = score->edges[wave->place].at_ns;
    wave->place += count;
    uint64_t then_ns = wave->place < score->count ? score->edges[wave->place].at_ns
                                                  : score->period_ns + score->edges[0].at_ns;
    if (now_ns - due_ns > (then_ns - at_ns) / LATE_SHARE)
        wave->shift_ns += now_ns - due_ns;
    if (wave->place == score->count)
        end_turn(wave);
    return written;
}
