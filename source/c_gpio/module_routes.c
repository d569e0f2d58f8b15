/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * module_routes.c - EdgeRoutes: "edge LINE LEVEL NS SEQ LOST", as a server of RPIO's own protocol tells it, into the pipe
 * of that line, as a record of the kernel's own format. The loop that reads it cannot tell the difference.
 *
 * Like the kernel's buffer a pipe drops its oldest record when it is full, and the numbers of the others show that.
 */
#include "module.h"

#include "gpio.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
    LINES_MAX = 4096,
    WAITING_MAX = 1024, /* the kernel's, per line */
    /* A pipe that the kernel keeps short takes another record only when a page of it has been read. The largest pages of
     * the machines that this runs on have 64 KiB. */
    TRIES = 65536 / RPIO_EVENT_BYTES + 2,
};

struct route {
    int writer, reader; /* -1: none */
    int room;           /* as many fit in any case */
    uint64_t theirs;    /* the server's number of the last edge */
    uint32_t ours;      /* that of its record */
};

typedef struct {
    PyObject_HEAD
    int count;
    struct route *routes;
} EdgeRoutes;

static PyObject *routes_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"count", NULL};
    int count;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "i", names, &count))
        return NULL;
    if (count < 1 || count > LINES_MAX)
        return PyErr_Format(PyExc_ValueError, "there are 1 to %d lines, not %d", LINES_MAX, count);
    EdgeRoutes *self = (EdgeRoutes *)type->tp_alloc(type, 0);
    if (!self)
        return NULL;
    self->routes = calloc((size_t)count, sizeof *self->routes);
    if (!self->routes) {
        Py_DECREF(self);
        return PyErr_NoMemory();
    }
    self->count = count;
    for (int line = 0; line < count; line++)
        self->routes[line] = (struct route){.writer = -1, .reader = -1};
    return (PyObject *)self;
}

static void routes_dealloc(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    free(((EdgeRoutes *)object)->routes);
    type->tp_free(object);
    Py_DECREF(type);
}

static struct route *route_of(EdgeRoutes *self, int line)
{
    if (line >= 0 && line < self->count)
        return &self->routes[line];
    PyErr_Format(PyExc_ValueError, "there is no line %d", line);
    return NULL;
}

/* The server's number is that now. Our numbers have 32 bits:
 * of 2^31 and more at once they show one less than that, or they would seem to go back. */
static void go_to(struct route *route, uint64_t number)
{
    if (number <= route->theirs)
        return;
    uint64_t more = number - route->theirs;
    route->ours += more > INT32_MAX ? INT32_MAX : (uint32_t)more;
    route->theirs = number;
}

static PyObject *routes_set(PyObject *object, PyObject *const *args, Py_ssize_t count)
{
    int line_and_ends[3];
    if (as_ints(args, count, line_and_ends, 3) < 0)
        return NULL;
    struct route *route = route_of((EdgeRoutes *)object, line_and_ends[0]);
    if (!route)
        return NULL;
    *route = (struct route){.reader = line_and_ends[1], .writer = line_and_ends[2], .room = WAITING_MAX};
    Py_RETURN_NONE;
}

static PyObject *routes_drop(PyObject *object, PyObject *number)
{
    int line;
    struct route *route;
    if (as_int(number, &line) < 0 || !(route = route_of((EdgeRoutes *)object, line)))
        return NULL;
    *route = (struct route){.writer = -1, .reader = -1};
    Py_RETURN_NONE;
}

static PyObject *routes_restart(PyObject *object, PyObject *number)
{
    int line;
    struct route *route;
    if (as_int(number, &line) < 0 || !(route = route_of((EdgeRoutes *)object, line)))
        return NULL;
    route->theirs = 0;
    Py_RETURN_NONE;
}

static PyObject *routes_lose(PyObject *object, PyObject *const *args, Py_ssize_t count)
{
    int line;
    struct route *route;
    if (check_count(count, 2) < 0 || as_int(args[0], &line) < 0 || !(route = route_of((EdgeRoutes *)object, line)))
        return NULL;
    unsigned long long last = PyLong_AsUnsignedLongLong(args[1]);
    if (last == (unsigned long long)-1 && PyErr_Occurred())
        return NULL;
    uint64_t lost = last > route->theirs ? last - route->theirs : 0;
    go_to(route, last);
    return PyLong_FromUnsignedLongLong(lost);
}

static PyObject *routes_last(PyObject *object, PyObject *number)
{
    int line;
    struct route *route;
    if (as_int(number, &line) < 0 || !(route = route_of((EdgeRoutes *)object, line)))
        return NULL;
    return PyLong_FromUnsignedLongLong(route->theirs);
}

/* ---- what a server says --------------------------------------------------------------------------------- */

/* A number and what ends it: a blank, or for the last one the line's end. 0, or -1. */
static int number_at(const char **at, const char *end, uint64_t *out)
{
    const char *start = *at;
    uint64_t value = 0;
    while (*at < end && **at >= '0' && **at <= '9' && *at - start < 19)
        value = value * 10 + (uint64_t)(*(*at)++ - '0');
    if (*at == start || (*at < end && **at != ' '))
        return -1;
    if (*at < end)
        (*at)++;
    *out = value;
    return 0;
}

static void put(struct route *route, const struct rpio_event *event)
{
    unsigned char record[RPIO_EVENT_BYTES], oldest[RPIO_EVENT_BYTES];
    rpio_event_encode(event, record);
    for (int tries = 0; tries < TRIES; tries++) {
        int waiting = 0;
        if (route->room <= 0 && ioctl(route->reader, FIONREAD, &waiting) == 0)
            route->room = WAITING_MAX - waiting / (int)RPIO_EVENT_BYTES;
        if (route->room > 0 && write(route->writer, record, sizeof record) == (ssize_t)sizeof record) {
            route->room--;
            return;
        }
        route->room = 0;
        if (read(route->reader, oldest, sizeof oldest) != (ssize_t)sizeof oldest)
            continue; /* the loop has just read it all */
    }
}

int rpio_route_edge(PyObject *routes, const char *line, Py_ssize_t size)
{
    EdgeRoutes *self = (EdgeRoutes *)routes;
    uint64_t number[5]; /* line, level, time, number, lost before */
    const char *at = line + 5, *end = line + size;
    if (size < 14 || memcmp(line, "edge ", 5) != 0)
        return 0;
    for (int i = 0; i < 5; i++)
        if (number_at(&at, end, &number[i]) < 0)
            return 0;
    if (at != end || number[0] >= (uint64_t)self->count || number[1] > 1)
        return 0;
    struct route *route = &self->routes[number[0]];
    if (route->writer < 0 || number[3] <= route->theirs)
        return 1; /* nobody watches it any more, or it was told before the connection was lost */
    go_to(route, number[3]);
    struct rpio_event event = {
        .timestamp_ns = number[2],
        .line = (uint32_t)number[0],
        .value = (uint32_t)number[1],
        .seq = route->ours,
    };
    put(route, &event);
    return 1;
}

static PyMethodDef routes_methods[] = {
    {"set", (PyCFunction)(void (*)(void))routes_set, METH_FASTCALL,
     PyDoc_STR("set($self, line, reader, writer, /)\n--\n\nHave the edges of a line go into a pipe, from number 1.")},
    {"drop", routes_drop, METH_O, PyDoc_STR("drop($self, line, /)\n--\n\nNo more: the pipe is about to be closed.")},
    {"restart", routes_restart, METH_O,
     PyDoc_STR("restart($self, line, /)\n--\n\nThe server begins anew with its numbers.")},
    {"lose", (PyCFunction)(void (*)(void))routes_lose, METH_FASTCALL,
     PyDoc_STR("lose($self, line, last, /)\n--\n\nThe server's last edge was that; return how many were lost.")},
    {"last", routes_last, METH_O, PyDoc_STR("last($self, line, /)\n--\n\nThe server's number of the last edge.")},
    {0},
};

static PyType_Slot routes_slots[] = {
    {Py_tp_doc, PyDoc_STR("EdgeRoutes(count)\n--\n\nEdges that a server tells of, into the pipes of their lines.")},
    {Py_tp_new, routes_new},
    {Py_tp_dealloc, routes_dealloc},
    {Py_tp_methods, routes_methods},
    {0},
};

static PyType_Spec routes_spec = {
    .name = "RPIO._gpio.EdgeRoutes",
    .basicsize = sizeof(EdgeRoutes),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = routes_slots,
};

int rpio_add_routes(PyObject *module)
{
    struct state *state = PyModule_GetState(module);
    state->edge_routes = add_type(module, &routes_spec);
    return state->edge_routes ? 0 : -1;
}
