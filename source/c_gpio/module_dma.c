/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * module_dma.c - Dma: pulses by DMA, as Python sees them.
 */
#include "module.h"

#include "dma.h"

#include <stdlib.h>

typedef struct {
    PyObject_HEAD
    struct rpio_dma *dma; /* NULL: closed */
} Dma;

static PyObject *dma_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"compatible", "base", "mem", "vcio", NULL};
    const char *compatible, *mem, *vcio;
    unsigned long long base;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "sKss:Dma", names, &compatible, &base, &mem, &vcio))
        return NULL;
    Dma *self = (Dma *)type->tp_alloc(type, 0);
    if (!self)
        return NULL;
    int error = rpio_dma_open(&self->dma, compatible, base, mem, vcio);
    if (error < 0) {
        Py_DECREF(self);
        return raise_errno(error, NULL);
    }
    return (PyObject *)self;
}

static PyObject *dma_close(PyObject *object, PyObject *unused)
{
    Dma *self = (Dma *)object;
    (void)unused;
    rpio_dma_free(self->dma);
    self->dma = NULL;
    Py_RETURN_NONE;
}

static void dma_dealloc(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    rpio_dma_free(((Dma *)object)->dma);
    type->tp_free(object);
    Py_DECREF(type);
}

static struct rpio_dma *opened(PyObject *self)
{
    struct rpio_dma *dma = ((Dma *)self)->dma;
    if (!dma)
        (void)raise_errno(-EBADF, NULL);
    return dma;
}

enum { DMA_ARGUMENTS = 4 };

/* A call with ints alone: their number, and what it does. */
#define DMA_CALL(name, count, call)                                                                                   \
    static PyObject *dma_##name(PyObject *self, PyObject *const *args, Py_ssize_t given)                              \
    {                                                                                                                 \
        int n[DMA_ARGUMENTS];                                                                                         \
        struct rpio_dma *dma = as_ints(args, given, n, count) < 0 ? NULL : opened(self);                              \
        return dma ? result_or_errno(call) : NULL;                                                                    \
    }

DMA_CALL(last_channel, 0, (int)rpio_dma_last_channel(dma))
DMA_CALL(set_pace, 2, rpio_dma_set_pace(dma, (enum rpio_pace)n[0], (unsigned)n[1]))
DMA_CALL(forbid_pace, 1, rpio_dma_forbid_pace(dma, (enum rpio_pace)n[0]))
DMA_CALL(is_active, 1, rpio_dma_is_active(dma, (unsigned)n[0]))
DMA_CALL(ring_bytes, 1, (int)rpio_dma_ring_bytes((unsigned)n[0]))
DMA_CALL(start, 2, rpio_dma_start(dma, (unsigned)n[0], (unsigned)n[1]))
DMA_CALL(add, 4, rpio_dma_add(dma, (unsigned)n[0], (unsigned)n[1], (unsigned)n[2], (unsigned)n[3]))
DMA_CALL(replace, 4, rpio_dma_replace(dma, (unsigned)n[0], (unsigned)n[1], (unsigned)n[2], (unsigned)n[3]))
DMA_CALL(clear, 1, rpio_dma_clear(dma, (unsigned)n[0]))
DMA_CALL(clear_line, 2, rpio_dma_clear_line(dma, (unsigned)n[0], (unsigned)n[1]))
DMA_CALL(settle, 2, rpio_dma_settle(dma, (unsigned)n[0], n[1]))
DMA_CALL(stop, 1, rpio_dma_stop(dma, (unsigned)n[0]))
DMA_CALL(level, 3, rpio_dma_level(dma, (unsigned)n[0], (unsigned)n[1], (unsigned)n[2]))

static PyObject *dma_play(PyObject *self, PyObject *args)
{
    PyObject *list;
    unsigned channel, repeat;
    struct rpio_dma *dma = opened(self);
    if (!dma || !PyArg_ParseTuple(args, "IO!I:play", &channel, &PyList_Type, &list, &repeat))
        return NULL;
    Py_ssize_t count = PyList_GET_SIZE(list);
    struct rpio_wave_step *steps = PyMem_Malloc(((size_t)count + 1) * sizeof *steps);
    if (!steps)
        return PyErr_NoMemory();
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *item = tuple_at(list, i, "(set, clear, slots)");
        int is_read = item && PyArg_ParseTuple(item, "III:step", &steps[i].set, &steps[i].clear, &steps[i].slots);
        Py_XDECREF(item);
        if (!is_read) {
            PyMem_Free(steps);
            return NULL;
        }
    }
    int error = rpio_dma_play(dma, channel, steps, (size_t)count, repeat);
    PyMem_Free(steps);
    return none_or_errno(error);
}

static PyObject *dma_info(PyObject *self, PyObject *channel)
{
    struct rpio_dma_info info;
    struct rpio_dma *dma = opened(self);
    int number;
    if (!dma || as_int(channel, &number) < 0)
        return NULL;
    int error = rpio_dma_info(dma, (unsigned)number, &info);
    if (error == -ENOENT)
        Py_RETURN_NONE;
    return Py_BuildValue("{sI sI sI sI sO sI s(II)}", "slots", info.slots, "lines", info.lines, "edge_slots",
                         info.edge_slots, "pages", info.pages, "is_active", info.is_active ? Py_True : Py_False,
                         "error", info.error, "handles", info.handles[0], info.handles[1]);
}

static PyObject *dma_reap(PyObject *self, PyObject *args)
{
    unsigned channel, lines;
    uint32_t handles[2];
    struct rpio_dma *dma = opened(self);
    if (!dma || !PyArg_ParseTuple(args, "IIII:reap", &channel, &lines, &handles[0], &handles[1]))
        return NULL;
    return none_or_errno(rpio_dma_reap(dma, channel, lines, handles));
}

static PyObject *dma_guard(PyObject *self, PyObject *args)
{
    const char *state_path;
    struct rpio_dma *dma = opened(self);
    int lock_fd, pid = -1;
    if (!dma || !PyArg_ParseTuple(args, "si:guard", &state_path, &lock_fd))
        return NULL;
    int fd = rpio_guard_start(dma, state_path, lock_fd, &pid);
    if (fd < 0)
        return raise_errno(fd, NULL);
    return Py_BuildValue("(Ni)", rpio_file_new(PyType_GetModuleState(Py_TYPE(self)), fd, 0), pid);
}

#define DMA_METHOD(name, arguments, text)                                                                             \
    {#name, (PyCFunction)(void (*)(void))dma_##name, METH_FASTCALL, PyDoc_STR(#name "($self" arguments ", /)\n--\n\n" text)}

static PyMethodDef dma_methods[] = {
    DMA_METHOD(last_channel, "", "The highest channel that there is."),
    DMA_METHOD(set_pace, ", pace, slot_us", "How long a slot is, and which hardware takes that time."),
    DMA_METHOD(forbid_pace, ", pace", "That hardware is somebody else's."),
    DMA_METHOD(is_active, ", channel", "1 where the channel works for somebody."),
    DMA_METHOD(ring_bytes, ", slots", "How much memory a ring of so many slots begins with."),
    DMA_METHOD(start, ", channel, slots", "Start a ring of slots without an edge."),
    DMA_METHOD(add, ", channel, line, start, width", "A pulse, in slots, over what there is."),
    DMA_METHOD(replace, ", channel, line, start, width", "Make this the line's only pulse."),
    DMA_METHOD(clear, ", channel", "No pulse on any line."),
    DMA_METHOD(clear_line, ", channel, line", "No pulse on the line."),
    DMA_METHOD(settle, ", channel, has_waited", "Let go of lines whose last pulse is over; for how many slots one may be on."),
    DMA_METHOD(stop, ", channel", "End the channel, its lines low."),
    DMA_METHOD(level, ", channel, line, slot", "1 where the line is high in that slot."),
    {"play", dma_play, METH_VARARGS,
     PyDoc_STR("play($self, channel, steps, repeat, /)\n--\n\nPlay [(set, clear, slots), ...] repeat times, or 0.")},
    {"info", dma_info, METH_O, PyDoc_STR("info($self, channel, /)\n--\n\nA dict, or None: it is not in use here.")},
    {"reap", dma_reap, METH_VARARGS,
     PyDoc_STR("reap($self, channel, lines, handle, handle, /)\n--\n\nStop what another program has left running.")},
    {"guard", dma_guard, METH_VARARGS,
     PyDoc_STR("guard($self, state_path, lock_fd, /)\n--\n\nStart the guardian; a File that is closed to tell it of the end, and its pid.")},
    {"close", dma_close, METH_NOARGS, PyDoc_STR("close($self, /)\n--\n\nStop everything. Twice is fine.")},
    {0},
};

static PyType_Slot dma_slots[] = {
    {Py_tp_doc, PyDoc_STR("Dma(compatible, base, mem, vcio)\n--\n\nThe DMA engine of a BCM2835 to 2711: see dma.h.")},
    {Py_tp_new, dma_new},
    {Py_tp_dealloc, dma_dealloc},
    {Py_tp_methods, dma_methods},
    {0},
};

static PyType_Spec dma_spec = {
    .name = "RPIO._gpio.Dma",
    .basicsize = sizeof(Dma),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = dma_slots,
};

int rpio_add_dma(PyObject *module)
{
    struct state *state = PyModule_GetState(module);
    state->dma = add_type(module, &dma_spec);
    return state->dma ? 0 : -1;
}
