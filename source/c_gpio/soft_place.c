/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * soft_place.c - where in its period a PWM line begins, so that the processor wakes up as seldom as it can.
 *
 * A moment at which one line falls and another rises is one wake-up. Eight lines with 10, 20, ... 80 percent that all
 * rise together change at nine moments of a period; four are enough: with edges at 0, 10, 30 and 50 percent of the
 * period, every one of these widths is the way from one of them to another.
 *
 * So a line begins where both of its edges are edges of others already. Failing that, one of its edges is, and the
 * other one goes where it adds most distances that are not there yet: they are what later lines will look for.
 */
#include "gpio.h"

#define SAME_NS 1000u     /* closer edges are one wake-up, as periods need not divide evenly */
#define LOOK_AHEAD_MAX 8u /* edges: the choice takes the fourth power of their number, 16,000 steps */

struct moments {
    uint64_t period_ns;
    size_t count;
    uint64_t at_ns[2 * RPIO_PWM_LINES];
};

/* The way from one moment of a period to the next time that it is the other one. */
static uint64_t way(const struct moments *edges, uint64_t from_ns, uint64_t to_ns)
{
    return to_ns >= from_ns ? to_ns - from_ns : edges->period_ns - from_ns + to_ns;
}

static int is_same(const struct moments *edges, uint64_t one_ns, uint64_t other_ns)
{
    return way(edges, one_ns, other_ns) <= SAME_NS || way(edges, other_ns, one_ns) <= SAME_NS;
}

static int has(const struct moments *edges, uint64_t at_ns)
{
    for (size_t i = 0; i < edges->count; i++)
        if (is_same(edges, edges->at_ns[i], at_ns))
            return 1;
    return 0;
}

static void add(struct moments *edges, uint64_t at_ns)
{
    if (!has(edges, at_ns))
        edges->at_ns[edges->count++] = at_ns;
}

static int has_way(const struct moments *edges, uint64_t way_ns)
{
    for (size_t i = 0; i < edges->count; i++)
        if (has(edges, (edges->at_ns[i] + way_ns) % edges->period_ns))
            return 1;
    return 0;
}

/* How many ways between two edges another one would add. */
static size_t ways_added(const struct moments *edges, uint64_t at_ns)
{
    struct moments added = {.period_ns = edges->period_ns};
    for (size_t i = 0; i < edges->count; i++) {
        uint64_t ways_ns[] = {way(edges, edges->at_ns[i], at_ns), way(edges, at_ns, edges->at_ns[i])};
        for (size_t j = 0; j < 2; j++)
            if (!has_way(edges, ways_ns[j]))
                add(&added, ways_ns[j]);
    }
    return added.count;
}

static uint64_t choose(const struct moments *edges, uint64_t high_ns)
{
    uint64_t low_ns = edges->period_ns - high_ns, best_ns = edges->at_ns[0];
    size_t most = 0;
    for (size_t i = 0; i < edges->count; i++)
        if (has(edges, (edges->at_ns[i] + high_ns) % edges->period_ns))
            return edges->at_ns[i];
    for (size_t i = 0; i < edges->count && edges->count <= LOOK_AHEAD_MAX; i++) {
        uint64_t edge_ns = edges->at_ns[i], fall_ns = (edge_ns + high_ns) % edges->period_ns,
                 rise_ns = (edge_ns + low_ns) % edges->period_ns; /* its fall is the edge */
        size_t if_rising = ways_added(edges, fall_ns), if_falling = ways_added(edges, rise_ns);
        if (if_rising > most) {
            most = if_rising;
            best_ns = edge_ns;
        }
        if (if_falling > most) {
            most = if_falling;
            best_ns = rise_ns;
        }
    }
    return best_ns;
}

uint64_t rpio_place(const struct rpio_pulse *others, size_t count, uint64_t period_ns, uint64_t high_ns)
{
    struct moments edges = {.period_ns = period_ns};
    if (count == 0)
        return 0;
    for (size_t i = 0; i < count; i++) {
        add(&edges, others[i].rise_ns % period_ns);
        add(&edges, (others[i].rise_ns + others[i].high_ns) % period_ns);
    }
    return choose(&edges, high_ns);
}
