/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * module_tally.c - Tally: what counts the edges of one line, or the steps of two. Poller feeds it while it waits, with the
 * interpreter's lock released; edges that were read elsewhere are fed by feed().
 */
#include "module.h"

typedef struct {
    PyObject_HEAD
    struct rpio_tally *tally;
} Tally;

static PyObject *tally_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"lines", "edges", "holdoff_ns", NULL};
    int lines, edges = RPIO_EDGE_BOTH;
    unsigned long long holdoff_ns = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "i|iK:Tally", names, &lines, &edges, &holdoff_ns))
        return NULL;
    if (lines < 1 || lines > (int)RPIO_TALLY_LINES || edges < 0 || edges > RPIO_EDGE_BOTH) {
        PyErr_SetString(PyExc_ValueError, "a tally has one line, or two, and edges 0 to 3");
        return NULL;
    }
    Tally *self = (Tally *)type->tp_alloc(type, 0);
    if (!self)
        return NULL;
    int error = lines == 1 ? rpio_tally_counter(&self->tally, edges, holdoff_ns) : rpio_tally_encoder(&self->tally);
    if (error < 0) {
        Py_DECREF(self);
        return PyErr_NoMemory();
    }
    return (PyObject *)self;
}

static void tally_dealloc(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    rpio_tally_drop(((Tally *)object)->tally);
    type->tp_free(object);
    Py_DECREF(type);
}

static struct rpio_tally *tally_of(PyObject *object)
{
    return ((Tally *)object)->tally;
}

static int as_place(PyObject *self, PyObject *number, unsigned *place)
{
    int n;
    if (as_int(number, &n) < 0)
        return -1;
    if (n < 0 || (unsigned)n >= rpio_tally_lines(tally_of(self))) {
        PyErr_SetString(PyExc_ValueError, "it has no such line");
        return -1;
    }
    *place = (unsigned)n;
    return 0;
}

static PyObject *tally_feed(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    const struct state *state = PyType_GetModuleState(Py_TYPE(self));
    struct rpio_event event;
    unsigned place;
    if (check_count(count, 2) < 0 || as_place(self, args[0], &place) < 0 || rpio_as_event(state, args[1], &event) < 0)
        return NULL;
    rpio_tally_feed(tally_of(self), place, &event);
    Py_RETURN_NONE;
}

static PyObject *tally_levels(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    int levels[2];
    if (as_ints(args, count, levels, 2) < 0)
        return NULL;
    rpio_tally_levels(tally_of(self), levels[0], levels[1]);
    Py_RETURN_NONE;
}

static PyObject *tally_read(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    struct rpio_tally_info info;
    if (check_count(count, 2) < 0)
        return NULL;
    unsigned long long now_ns = PyLong_AsUnsignedLongLong(args[0]);
    unsigned long long window_ns = PyErr_Occurred() ? 0 : PyLong_AsUnsignedLongLong(args[1]);
    if (PyErr_Occurred())
        return NULL;
    rpio_tally_read(tally_of(self), now_ns, window_ns, &info);
    return Py_BuildValue("LKKKKdi", (long long)info.count, (unsigned long long)info.lost,
                         (unsigned long long)info.skipped, (unsigned long long)info.last_ns,
                         (unsigned long long)info.period_ns, info.rate_hz, info.direction);
}

static PyObject *tally_set(PyObject *self, PyObject *number)
{
    long long count = PyLong_AsLongLong(number);
    if (count == -1 && PyErr_Occurred())
        return NULL;
    return PyLong_FromLongLong(rpio_tally_set(tally_of(self), count));
}

static PyMethodDef tally_methods[] = {
    {"feed", (PyCFunction)(void (*)(void))tally_feed, METH_FASTCALL,
     PyDoc_STR("feed($self, place, event, /)\n--\n\nCount an EdgeEvent of its first line (0) or second (1), unless it has been.")},
    {"levels", (PyCFunction)(void (*)(void))tally_levels, METH_FASTCALL,
     PyDoc_STR("levels($self, a, b, /)\n--\n\nSay what the levels of an encoder's lines are as it begins.")},
    {"read", (PyCFunction)(void (*)(void))tally_read, METH_FASTCALL,
     PyDoc_STR("read($self, now_ns, window_ns, /)\n--\n\n(count, lost, skipped, last_ns, period_ns, rate_hz, direction).")},
    {"set", tally_set, METH_O, PyDoc_STR("set($self, count, /)\n--\n\nCount on from there; return what it was until now.")},
    {0},
};

static PyType_Slot tally_slots[] = {
    {Py_tp_doc, PyDoc_STR("Tally(lines, edges=3, holdoff_ns=0)\n--\n\nCounts edges of one line, or the steps of two.")},
    {Py_tp_new, tally_new},
    {Py_tp_dealloc, tally_dealloc},
    {Py_tp_methods, tally_methods},
    {0},
};

static PyType_Spec tally_spec = {
    .name = "RPIO._gpio.Tally",
    .basicsize = sizeof(Tally),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = tally_slots,
};

int rpio_add_tally(PyObject *module)
{
    struct state *state = PyModule_GetState(module);
    state->tally = add_type(module, &tally_spec);
    return state->tally ? 0 : -1;
}

/* ((tally, place), ...), of a tuple whose items are tuples: no Python code runs that could change them. */
int rpio_as_taps(const struct state *state, PyObject *tuple, struct rpio_tap **out, size_t *count)
{
    Py_ssize_t size = PyTuple_Check(tuple) ? PyTuple_GET_SIZE(tuple) : 0;
    *out = NULL;
    *count = 0;
    if (size == 0 && PyTuple_Check(tuple))
        return 0;
    struct rpio_tap *taps = PyMem_Calloc((size_t)size + 1, sizeof *taps);
    int is_good = taps && size > 0;
    for (Py_ssize_t i = 0; i < size && is_good; i++) {
        PyObject *pair = PyTuple_GET_ITEM(tuple, i);
        is_good = PyTuple_Check(pair) && PyTuple_GET_SIZE(pair) == 2 &&
                  Py_TYPE(PyTuple_GET_ITEM(pair, 0)) == state->tally && PyLong_CheckExact(PyTuple_GET_ITEM(pair, 1)) &&
                  as_place(PyTuple_GET_ITEM(pair, 0), PyTuple_GET_ITEM(pair, 1), &taps[i].place) == 0;
        if (is_good)
            taps[i].tally = tally_of(PyTuple_GET_ITEM(pair, 0));
    }
    int error = is_good ? rpio_taps_copy(taps, (size_t)size, out) : -EINVAL;
    PyMem_Free(taps);
    if (error == -ENOMEM || !taps)
        (void)PyErr_NoMemory();
    else if (error < 0 && !PyErr_Occurred())
        PyErr_SetString(PyExc_TypeError, "a tuple of (tally, place) is expected");
    if (error < 0)
        return -1;
    *count = (size_t)size;
    return 0;
}
