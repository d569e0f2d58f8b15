/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * tally.c - counting edges.
 *
 * The lines of an encoder have a descriptor each, and the wait reads one after the other, 64 records at a time. So an edge
 * may come after younger ones of the other line: it was read a moment too early to be there, or its line's buffer is
 * further behind. Waiting for it would need a time to wait; instead the last edges are remembered with what became of
 * them, and one that comes late is put in its place, and what is behind that is reckoned anew. What has been counted is at
 * each moment what is known then, and in the end it is right.
 */
#include "tally.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

struct mark {
    uint64_t timestamp_ns;
    uint8_t place, value;
    uint8_t state;  /* the levels after it, a bit for each line */
    int8_t move;    /* what it has counted */
};

struct place {
    uint64_t token;
    uint32_t seq;   /* of the last event */
    int is_assumed; /* its level was read, and no edge has said anything as yet */
};

struct rpio_tally {
    pthread_mutex_t mutex;
    atomic_uint owners;
    unsigned lines;
    int edges;
    uint64_t holdoff_ns;
    struct place places[RPIO_TALLY_LINES];
    int64_t count;
    uint64_t lost, skipped;
    uint8_t state_before; /* of an encoder: the levels before the first mark */
    size_t first, marks;  /* a ring, in the order of time */
    int is_forgetful;     /* there have been more than it has room for */
    struct mark ring[RPIO_TALLY_MARKS];
};

static int new_tally(struct rpio_tally **out, unsigned lines)
{
    struct rpio_tally *tally = calloc(1, sizeof *tally);
    *out = tally;
    if (!tally)
        return -ENOMEM;
    (void)pthread_mutex_init(&tally->mutex, NULL);
    atomic_init(&tally->owners, 1u);
    tally->lines = lines;
    return 0;
}

int rpio_tally_counter(struct rpio_tally **out, int edges, uint64_t holdoff_ns)
{
    int error = new_tally(out, 1);
    if (error == 0) {
        (*out)->edges = edges;
        (*out)->holdoff_ns = holdoff_ns;
    }
    return error;
}

int rpio_tally_encoder(struct rpio_tally **out)
{
    return new_tally(out, RPIO_TALLY_LINES);
}

void rpio_tally_hold(struct rpio_tally *tally)
{
    (void)atomic_fetch_add(&tally->owners, 1u);
}

void rpio_tally_drop(struct rpio_tally *tally)
{
    if (!tally || atomic_fetch_sub(&tally->owners, 1u) != 1u)
        return;
    (void)pthread_mutex_destroy(&tally->mutex);
    free(tally);
}

unsigned rpio_tally_lines(const struct rpio_tally *tally)
{
    return tally->lines;
}

static struct mark *mark_at(struct rpio_tally *tally, size_t number)
{
    return &tally->ring[(tally->first + number) % RPIO_TALLY_MARKS];
}

void rpio_tally_begin(struct rpio_tally *tally, unsigned place, uint64_t token, uint32_t seq)
{
    (void)pthread_mutex_lock(&tally->mutex);
    tally->places[place].token = token;
    tally->places[place].seq = seq;
    (void)pthread_mutex_unlock(&tally->mutex);
}

/* ---- encoders ------------------------------------------------------------------------------------------ */

/* What a mark counts after these levels, and the levels after it. */
static void reckon_mark(struct mark *mark, uint8_t state)
{
    uint8_t bit = (uint8_t)(1u << mark->place), value = mark->value ? bit : 0;
    if ((state & bit) == value) {
        mark->state = state;
        mark->move = 0;
        return;
    }
    mark->state = (uint8_t)(state ^ bit);
    int differ = mark->state == 1 || mark->state == 2;
    mark->move = differ == (mark->place == 0) ? 1 : -1;
}

static uint8_t state_before(struct rpio_tally *tally, size_t number)
{
    return number == 0 ? tally->state_before : mark_at(tally, number - 1)->state;
}

static void account(struct rpio_tally *tally, const struct mark *mark, int times)
{
    tally->count += times * mark->move;
    if (mark->move == 0)
        tally->skipped += (uint64_t)(int64_t)times;
}

/* All marks from that one on, whose levels before have changed. */
static void reckon_from(struct rpio_tally *tally, size_t number)
{
    for (; number < tally->marks; number++) {
        struct mark *mark = mark_at(tally, number);
        account(tally, mark, -1);
        reckon_mark(mark, state_before(tally, number));
        account(tally, mark, 1);
    }
}

void rpio_tally_levels(struct rpio_tally *tally, int a, int b)
{
    (void)pthread_mutex_lock(&tally->mutex);
    const int levels[] = {a, b};
    for (unsigned place = 0; place < tally->lines && !tally->is_forgetful; place++) {
        uint8_t bit = (uint8_t)(1u << place);
        int has_edges = 0;
        for (size_t i = 0; i < tally->marks && !has_edges; i++)
            has_edges = mark_at(tally, i)->place == place;
        if (has_edges) /* which know better */
            continue;
        tally->places[place].is_assumed = 1;
        tally->state_before = (uint8_t)((tally->state_before & ~bit) | (levels[place] ? bit : 0));
    }
    if (tally->lines == RPIO_TALLY_LINES)
        reckon_from(tally, 0);
    (void)pthread_mutex_unlock(&tally->mutex);
}

/* Makes room for a mark and returns it: there, or at the end. The oldest one is forgotten where there is none left. */
static struct mark *insert(struct rpio_tally *tally, size_t number)
{
    if (tally->marks == RPIO_TALLY_MARKS) {
        tally->state_before = mark_at(tally, 0)->state;
        tally->first = (tally->first + 1) % RPIO_TALLY_MARKS;
        tally->marks--;
        tally->is_forgetful = 1;
        number -= number > 0;
    }
    for (size_t i = tally->marks++; i > number; i--)
        *mark_at(tally, i) = *mark_at(tally, i - 1);
    return mark_at(tally, number);
}

static void take_step(struct rpio_tally *tally, unsigned place, const struct rpio_event *event)
{
    size_t number = tally->marks;
    while (number > 0 && mark_at(tally, number - 1)->timestamp_ns > event->timestamp_ns &&
           mark_at(tally, number - 1)->place != place)
        number--;
    if (number == 0 && tally->is_forgetful)
        tally->skipped++; /* nobody knows where it belongs */
    size_t marks_before = tally->marks;
    struct mark *mark = insert(tally, number);
    number -= tally->marks == marks_before && number > 0;
    *mark = (struct mark){
        .timestamp_ns = event->timestamp_ns, .place = (uint8_t)place, .value = event->value != 0};
    reckon_mark(mark, state_before(tally, number));
    account(tally, mark, 1);
    if (tally->places[place].is_assumed) { /* before its first edge a line was what that has ended */
        uint8_t bit = (uint8_t)(1u << place);
        tally->places[place].is_assumed = 0;
        tally->state_before = (uint8_t)((tally->state_before & ~bit) | (event->value ? 0 : bit));
        number = 0;
    }
    reckon_from(tally, number);
}

/* ---- counters ------------------------------------------------------------------------------------------ */

static void take_edge(struct rpio_tally *tally, const struct rpio_event *event)
{
    if (!(tally->edges & (event->value ? RPIO_EDGE_RISING : RPIO_EDGE_FALLING)))
        return;
    if (tally->marks > 0) {
        uint64_t last_ns = mark_at(tally, tally->marks - 1)->timestamp_ns;
        if (event->timestamp_ns >= last_ns && event->timestamp_ns - last_ns < tally->holdoff_ns)
            return;
    }
    struct mark *mark = insert(tally, tally->marks);
    *mark = (struct mark){.timestamp_ns = event->timestamp_ns, .value = event->value != 0, .move = 1};
    tally->count++;
}

/* ---- both ---------------------------------------------------------------------------------------------- */

/* Whether it has not been fed yet. What is missing before it, by the numbers, is lost: those are of 32 bits, and begin
 * anew. */
static int is_new(struct rpio_tally *tally, struct place *place, const struct rpio_event *event)
{
    if (event->token != 0 && event->token != place->token)
        return 0;
    uint32_t missing = event->seq - place->seq - 1;
    if (missing > UINT32_MAX / 2)
        return 0;
    if (missing > 0)
        place->is_assumed = 0;
    tally->lost += missing;
    place->seq = event->seq;
    return 1;
}

void rpio_tally_feed(struct rpio_tally *tally, unsigned place, const struct rpio_event *event)
{
    (void)pthread_mutex_lock(&tally->mutex);
    if (is_new(tally, &tally->places[place], event)) {
        if (tally->lines == 1)
            take_edge(tally, event);
        else
            take_step(tally, place, event);
    }
    (void)pthread_mutex_unlock(&tally->mutex);
}

int64_t rpio_tally_set(struct rpio_tally *tally, int64_t count)
{
    (void)pthread_mutex_lock(&tally->mutex);
    int64_t before = tally->count;
    tally->count = count;
    (void)pthread_mutex_unlock(&tally->mutex);
    return before;
}

/* Goes back over what has counted, from the last one: into `info`, and the times that make the rate. */
static void look_back(struct rpio_tally *tally, uint64_t now_ns, uint64_t window_ns, struct rpio_tally_info *info)
{
    uint64_t later_ns = 0, longest_ns = 0;
    int64_t moves = 0, move = 0; /* since the mark that is looked at; of the one after it */
    size_t seen = 0;
    uint64_t taken_ns = 0;
    for (size_t i = tally->marks; i > 0; i--) {
        const struct mark *mark = mark_at(tally, i - 1);
        uint64_t gap_ns = later_ns > mark->timestamp_ns ? later_ns - mark->timestamp_ns : 0;
        if (mark->move == 0)
            continue;
        if (seen == 0) {
            info->last_ns = mark->timestamp_ns;
            info->direction = mark->move;
        } else {
            int is_within = now_ns < mark->timestamp_ns || now_ns - mark->timestamp_ns <= window_ns;
            if (seen > 1 && !is_within)
                break;
            info->period_ns = seen == 1 ? gap_ns : info->period_ns;
            moves += move;
            taken_ns += gap_ns;
            longest_ns = gap_ns > longest_ns ? gap_ns : longest_ns;
        }
        later_ns = mark->timestamp_ns;
        move = mark->move;
        seen++;
    }
    uint64_t silent_ns = now_ns > info->last_ns ? now_ns - info->last_ns : 0;
    int has_stopped = silent_ns > window_ns && silent_ns / 4 > longest_ns;
    if (silent_ns > longest_ns)
        taken_ns += silent_ns - longest_ns;
    if (seen > 1 && !has_stopped && taken_ns > 0)
        info->rate_hz = (double)moves * 1e9 / (double)taken_ns;
}

void rpio_tally_read(struct rpio_tally *tally, uint64_t now_ns, uint64_t window_ns, struct rpio_tally_info *info)
{
    (void)pthread_mutex_lock(&tally->mutex);
    *info = (struct rpio_tally_info){.count = tally->count, .lost = tally->lost, .skipped = tally->skipped};
    look_back(tally, now_ns, window_ns, info);
    (void)pthread_mutex_unlock(&tally->mutex);
}

/* ---- taps ---------------------------------------------------------------------------------------------- */

int rpio_taps_copy(const struct rpio_tap *taps, size_t count, struct rpio_tap **out)
{
    *out = NULL;
    if (count == 0)
        return 0;
    *out = malloc(count * sizeof **out);
    if (!*out)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        (*out)[i] = taps[i];
        rpio_tally_hold(taps[i].tally);
    }
    return 0;
}

void rpio_taps_drop(struct rpio_tap *taps, size_t count)
{
    for (size_t i = 0; i < count; i++)
        rpio_tally_drop(taps[i].tally);
    free(taps);
}

int rpio_taps_have(const struct rpio_tap *taps, size_t count, const struct rpio_tap *one)
{
    for (size_t i = 0; i < count; i++)
        if (taps[i].tally == one->tally && taps[i].place == one->place)
            return 1;
    return 0;
}
