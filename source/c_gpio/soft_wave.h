/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * soft_wave.h - private to the plans: a wave, as soft_plan.c keeps it among its lines.
 */
#ifndef RPIO_SOFT_WAVE_H
#define RPIO_SOFT_WAVE_H

#include "gpio.h"

struct rpio_wave;

int rpio_wave_is_valid(const struct rpio_wave_edge *edges, size_t count, uint64_t period_ns);

/* Errors as rpio_plan_play(). */
int rpio_wave_new(struct rpio_wave **out, const struct rpio_wave_edge *edges, size_t count, uint64_t period_ns,
                  uint32_t turns, uint64_t begin_ns);
void rpio_wave_free(struct rpio_wave *wave); /* NULL is fine */

/* What is played from the next turn on, or at once where it is done. */
int rpio_wave_follow(struct rpio_wave *wave, const struct rpio_wave_edge *edges, size_t count, uint64_t period_ns,
                     uint32_t turns, uint64_t now_ns);

int rpio_wave_is_done(const struct rpio_wave *wave);    /* no edge comes any more */
uint64_t rpio_wave_end(const struct rpio_wave *wave);   /* of a wave that is done: of its last turn */
uint64_t rpio_wave_turns(const struct rpio_wave *wave, uint64_t now_ns); /* that are done */
uint64_t rpio_wave_next(const struct rpio_wave *wave);
uint64_t rpio_wave_after_next(const struct rpio_wave *wave);

/* Leaves out all edges of the line from now on. */
void rpio_wave_drop(struct rpio_wave *wave, uint32_t line);

/* The edges of the moment that is due at `now_ns`, at most RPIO_PWM_LINES, in their order. Later moments that are due as well
 * come with the next call. */
size_t rpio_wave_advance(struct rpio_wave *wave, uint64_t now_ns, struct rpio_plan_edge *out);

#endif
