/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * module.h - private to the files that know Python: the module's state, and how errors become exceptions.
 */
#ifndef RPIO_MODULE_H
#define RPIO_MODULE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>

#include <errno.h>
#include <limits.h>

#include "regs.h"
#include "tally.h"

/* What Board has granted for a channel: see "the hot path". */
struct grant {
    PyObject *registers; /* NULL: nothing; None: the requested line of fd */
    struct rpio_ports ports;
    int fd; /* -1: registers */
    int may_write;
};

enum { GRANT_MAX = 64 };

struct state {
    PyTypeObject *edge_event;
    PyTypeObject *registers;
    PyTypeObject *poller;
    PyTypeObject *soft_pwm;
    PyTypeObject *pwm_plan;
    PyTypeObject *pump;
    PyTypeObject *dma;
    PyTypeObject *file;
    PyTypeObject *pipe;
    PyTypeObject *held;
    PyTypeObject *finalizer;
    PyTypeObject *errand;
    PyTypeObject *line;
    PyTypeObject *edge_routes;
    PyTypeObject *tally;
    struct descriptors *open; /* those of all objects */
    struct rpio_numbers *numbers;   /* of the requests that line_request() has made */
    struct grant grants[GRANT_MAX]; /* by channel */
    PyObject *output_miss, *input_miss; /* Board's own functions; NULL until on_miss() */
    PyObject *bit[2];                   /* the ints 0 and 1 */
};

/* What an object has open. The module knows all of them: in the child of a fork the variables of other threads are gone,
 * and what only these had is never freed. */
struct descriptors {
    int fd[2];  /* -1: closed */
    int stays;  /* in the child of a fork, too */
    struct descriptors *next;
};

/* A mapped register block. */
typedef struct {
    PyObject_HEAD
    struct rpio_regs regs;
} Registers;

/* A line that the kernel has given us. */
typedef struct {
    PyObject_HEAD
    int fd; /* -1: closed */
} Line;

static inline PyObject *raise_errno(int error, const char *path)
{
    errno = -error;
    return path ? PyErr_SetFromErrnoWithFilename(PyExc_OSError, path) : PyErr_SetFromErrno(PyExc_OSError);
}

static inline PyObject *result_or_errno(int result)
{
    return result < 0 ? raise_errno(result, NULL) : PyLong_FromLong(result);
}

static inline PyObject *none_or_errno(int result)
{
    return result < 0 ? raise_errno(result, NULL) : Py_NewRef(Py_None);
}

/* An int argument of a fast call. */
static inline int as_int(PyObject *object, int *out)
{
    long value = PyLong_AsLong(object);
    if (value == -1 && PyErr_Occurred())
        return -1;
    if (value < INT_MIN || value > INT_MAX) {
        PyErr_SetString(PyExc_OverflowError, "number out of range");
        return -1;
    }
    *out = (int)value;
    return 0;
}

static inline PyTypeObject *add_type(PyObject *module, PyType_Spec *spec)
{
    PyTypeObject *type = (PyTypeObject *)PyType_FromModuleAndSpec(module, spec, NULL);
    if (type && PyModule_AddType(module, type) < 0)
        Py_CLEAR(type);
    return type;
}

static inline int check_count(Py_ssize_t given, Py_ssize_t wanted)
{
    if (given == wanted)
        return 0;
    PyErr_Format(PyExc_TypeError, "%zd arguments expected, %zd given", wanted, given);
    return -1;
}

/* The item of a list that Python code has been given since (a number's __index__ runs it), which has to be a tuple of
 * `what`. A new reference, or NULL with an exception. */
static inline PyObject *tuple_at(PyObject *list, Py_ssize_t place, const char *what)
{
    PyObject *item = PyList_GetItem(list, place); /* IndexError where the list has shrunk */
    if (item && !PyTuple_Check(item)) {
        PyErr_Format(PyExc_TypeError, "item %zd: a tuple %s expected, not %.200s", place, what, Py_TYPE(item)->tp_name);
        return NULL;
    }
    return Py_XNewRef(item);
}

static inline int as_ints(PyObject *const *args, Py_ssize_t given, int *out, Py_ssize_t wanted)
{
    if (check_count(given, wanted) < 0)
        return -1;
    for (Py_ssize_t i = 0; i < wanted; i++)
        if (as_int(args[i], &out[i]) < 0)
            return -1;
    return 0;
}

/* The types and functions of each part, put into the module. 0, or -1 with an exception. */
int rpio_add_regs(PyObject *module);
int rpio_add_hot(PyObject *module);
int rpio_add_cdev(PyObject *module);
int rpio_add_events(PyObject *module);
int rpio_add_timer(PyObject *module);
int rpio_add_lines(PyObject *module);
int rpio_add_frames(PyObject *module);
int rpio_add_objects(PyObject *module);
int rpio_add_routes(PyObject *module);
int rpio_route_edge(PyObject *routes, const char *line, Py_ssize_t size); /* 1 where it was one */
int rpio_add_pwm(PyObject *module);
int rpio_add_dma(PyObject *module);
PyObject *rpio_file_new(struct state *state, int fd, int stays); /* closes it where there is no memory */
void rpio_descriptors_note(struct state *state, struct descriptors *open);
void rpio_descriptors_close(struct descriptors *open);
void rpio_descriptors_end(struct state *state, struct descriptors *open); /* closed, and noted no more */
int rpio_add_whole(PyObject *module);
int rpio_add_turn(PyObject *module);
int rpio_add_apart(PyObject *module);
int rpio_add_tally(PyObject *module);
int rpio_add_spawn(PyObject *module);
int rpio_as_taps(const struct state *state, PyObject *tuple, struct rpio_tap **out, size_t *count); /* or -1 */
int rpio_as_event(const struct state *state, PyObject *object, struct rpio_event *out); /* an EdgeEvent; or -1 */

#endif
