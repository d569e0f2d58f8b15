/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * tally.h - what counts edges: a counter has one line, an encoder two. Fed by the wait (poll.c) in the loop's thread, and
 * read by any thread; several own one, the last of whom frees it.
 */
#ifndef RPIO_TALLY_H
#define RPIO_TALLY_H

#include <stddef.h>
#include <stdint.h>

#include "gpio.h"

struct rpio_tally;

#define RPIO_TALLY_LINES 2u
#define RPIO_TALLY_MARKS 1024u /* counted edges that are remembered, for rates and for those that come late */

struct rpio_tally_info {
    int64_t count;      /* edges; of an encoder steps, signed, four for each cycle */
    uint64_t lost;      /* edges that the kernel has dropped, by the gaps in their numbers */
    uint64_t skipped;   /* of an encoder: edges to a level that the line has had already, or far too late */
    uint64_t last_ns;   /* of the last counted edge; 0: none yet */
    uint64_t period_ns; /* between the last two; 0: not two yet */
    double rate_hz;     /* signed; see rpio_tally_read() */
    int direction;      /* of the last step: 1, -1, or 0 for none yet; of a counter 1 or 0 */
};

/* Counts the edges (enum rpio_edge) of a line; after one that counts none does for `holdoff_ns`. -ENOMEM. */
int rpio_tally_counter(struct rpio_tally **out, int edges, uint64_t holdoff_ns);

/* Counts the steps of two lines in quadrature: forwards is (0, 0), (1, 0), (1, 1), (0, 1). Edges are put in the order of
 * their times, also where one comes after younger ones of the other line. -ENOMEM. */
int rpio_tally_encoder(struct rpio_tally **out);

void rpio_tally_hold(struct rpio_tally *tally); /* one owner more */
void rpio_tally_drop(struct rpio_tally *tally); /* one less; NULL is fine */
unsigned rpio_tally_lines(const struct rpio_tally *tally);

/* From here on the edges of line `place` (0, 1) are those of this token, from behind number `seq`. */
void rpio_tally_begin(struct rpio_tally *tally, unsigned place, uint64_t token, uint32_t seq);

/* The levels of an encoder's lines as they are read when it begins. The first edge of a line knows better. */
void rpio_tally_levels(struct rpio_tally *tally, int a, int b);

/* An edge. One that was fed before, or is of another token than 0 or that of the line, is none. */
void rpio_tally_feed(struct rpio_tally *tally, unsigned place, const struct rpio_event *event);

/* What has come of it by `now_ns`. The rate is that of the edges within the last `window_ns`, or of the last two where those
 * are further apart: so many periods in such a time. Once the next edge is later than it ever was, the time since counts
 * as well; and when it is later than the window and than four times as long as any, the rate is 0. */
void rpio_tally_read(struct rpio_tally *tally, uint64_t now_ns, uint64_t window_ns, struct rpio_tally_info *info);

int64_t rpio_tally_set(struct rpio_tally *tally, int64_t count); /* returns the count until now: no edge is between */

/* ---- where a watched line's edges are counted, for poll.c --------------------------------------------- */

struct rpio_tap {
    struct rpio_tally *tally;
    unsigned place;
};

int rpio_taps_copy(const struct rpio_tap *taps, size_t count, struct rpio_tap **out); /* which own them; -ENOMEM */
void rpio_taps_drop(struct rpio_tap *taps, size_t count); /* of rpio_taps_copy() */
int rpio_taps_have(const struct rpio_tap *taps, size_t count, const struct rpio_tap *one);

#endif
