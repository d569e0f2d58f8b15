/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * module_pwm.c - pulses as Python sees them: SoftPwm (a thread), PwmPlan (no thread: the simulated board's), and Dma.
 */
#include "module.h"

#include "dma.h"

#include <stdlib.h>

/* ---- SoftPwm: PWM by software ------------------------------------------------------------------------------ */

typedef struct {
    PyObject_HEAD
    struct rpio_pwm *pwm;
    PyObject *registers; /* a set of the Registers that are written; they live until close() */
} SoftPwm;

static PyObject *soft_pwm_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"stepped", NULL};
    int stepped = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|$p:SoftPwm", names, &stepped))
        return NULL;
    SoftPwm *self = (SoftPwm *)type->tp_alloc(type, 0);
    if (!self)
        return NULL;
    int error = stepped ? rpio_pwm_new_stepped(&self->pwm) : rpio_pwm_new(&self->pwm);
    if (error < 0)
        (void)raise_errno(error, NULL);
    self->registers = PySet_New(NULL);
    if (error < 0 || !self->registers) {
        Py_DECREF(self);
        return NULL;
    }
    return (PyObject *)self;
}

/* The thread never wants the interpreter's lock, so that waiting for its end under the lock is safe. */
static void soft_pwm_dealloc(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    SoftPwm *self = (SoftPwm *)object;
    rpio_pwm_free(self->pwm);
    Py_XDECREF(self->registers);
    type->tp_free(object);
    Py_DECREF(type);
}

/* False for a line that does not run. */
static PyObject *whether_there(int error)
{
    return error < 0 && error != -ENOENT ? raise_errno(error, NULL) : PyBool_FromLong(error >= 0);
}

static PyObject *soft_pwm_start_regs(PyObject *self, PyObject *args)
{
    const struct state *state = PyType_GetModuleState(Py_TYPE(self));
    struct rpio_pwm *pwm = ((SoftPwm *)self)->pwm;
    PyObject *registers;
    unsigned line;
    unsigned long long period_ns, high_ns;
    int error;
    if (!PyArg_ParseTuple(args, "O!IKK:start_regs", state->registers, &registers, &line, &period_ns, &high_ns) ||
        PySet_Add(((SoftPwm *)self)->registers, registers) < 0)
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    error = rpio_pwm_start_regs(pwm, &((Registers *)registers)->regs, line, period_ns, high_ns);
    Py_END_ALLOW_THREADS
    return none_or_errno(error);
}

static PyObject *soft_pwm_start_fd(PyObject *self, PyObject *args)
{
    struct rpio_pwm *pwm = ((SoftPwm *)self)->pwm;
    unsigned line;
    unsigned long long period_ns, high_ns;
    int fd, error;
    if (!PyArg_ParseTuple(args, "iIKK:start_fd", &fd, &line, &period_ns, &high_ns))
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    error = rpio_pwm_start_fd(pwm, fd, line, period_ns, high_ns);
    Py_END_ALLOW_THREADS
    return none_or_errno(error);
}

static PyObject *soft_pwm_change(PyObject *self, PyObject *args)
{
    struct rpio_pwm *pwm = ((SoftPwm *)self)->pwm;
    unsigned line;
    unsigned long long period_ns, high_ns;
    int error;
    if (!PyArg_ParseTuple(args, "IKK:change", &line, &period_ns, &high_ns))
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    error = rpio_pwm_change(pwm, line, period_ns, high_ns);
    Py_END_ALLOW_THREADS
    return whether_there(error);
}

static PyObject *soft_pwm_stop(PyObject *self, PyObject *args)
{
    struct rpio_pwm *pwm = ((SoftPwm *)self)->pwm;
    unsigned line;
    int value = 0, error;
    if (!PyArg_ParseTuple(args, "I|i:stop", &line, &value))
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    error = rpio_pwm_stop(pwm, line, value);
    Py_END_ALLOW_THREADS
    return whether_there(error);
}

static PyObject *soft_pwm_query(PyObject *self, PyObject *args)
{
    struct rpio_pwm *pwm = ((SoftPwm *)self)->pwm;
    struct rpio_pwm_info info;
    unsigned line;
    int error;
    if (!PyArg_ParseTuple(args, "I:query", &line))
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    error = rpio_pwm_query(pwm, line, &info);
    Py_END_ALLOW_THREADS
    if (error == -ENOENT)
        Py_RETURN_NONE;
    return error < 0 ? raise_errno(error, NULL)
                     : Py_BuildValue("(KKKi)", (unsigned long long)info.period_ns, (unsigned long long)info.high_ns,
                                     (unsigned long long)info.periods, -info.error);
}

static PyObject *next_or_none(uint64_t next_ns)
{
    return next_ns == UINT64_MAX ? Py_NewRef(Py_None) : PyLong_FromUnsignedLongLong(next_ns);
}

static PyObject *soft_pwm_step(PyObject *self, PyObject *now)
{
    struct rpio_pwm *pwm = ((SoftPwm *)self)->pwm;
    uint64_t now_ns = PyLong_AsUnsignedLongLong(now), next_ns;
    if (PyErr_Occurred())
        return NULL;
    int error = rpio_pwm_step(pwm, now_ns, &next_ns);
    return error < 0 ? raise_errno(error, NULL) : next_or_none(next_ns);
}

static PyObject *soft_pwm_abandon(PyObject *self, PyObject *unused)
{
    (void)unused;
    rpio_pwm_abandon(((SoftPwm *)self)->pwm);
    return none_or_errno(PySet_Clear(((SoftPwm *)self)->registers));
}

static PyObject *soft_pwm_close(PyObject *object, PyObject *unused)
{
    SoftPwm *self = (SoftPwm *)object;
    (void)unused;
    Py_BEGIN_ALLOW_THREADS
    rpio_pwm_close(self->pwm);
    Py_END_ALLOW_THREADS
    return none_or_errno(PySet_Clear(self->registers));
}

/* ---- waves ---------------------------------------------------------------------------------------- */

/* [(at_ns, line, value), ...] in memory that the caller frees; NULL with an exception. */
static struct rpio_wave_edge *edges_of(PyObject *list, size_t *count)
{
    Py_ssize_t size = PyList_Size(list);
    struct rpio_wave_edge *edges = size < 0 ? NULL : PyMem_Malloc(((size_t)size + 1) * sizeof *edges);
    if (!edges)
        return size < 0 ? NULL : (struct rpio_wave_edge *)PyErr_NoMemory();
    *count = (size_t)size;
    for (Py_ssize_t i = 0; i < size; i++) {
        unsigned long long at_ns;
        unsigned line, value;
        if (!PyArg_ParseTuple(PyList_GET_ITEM(list, i), "KII", &at_ns, &line, &value)) {
            PyMem_Free(edges);
            return NULL;
        }
        edges[i] = (struct rpio_wave_edge){.at_ns = at_ns, .line = line, .value = value};
    }
    return edges;
}

/* {line: Registers or descriptor} in `lines`, of which there are RPIO_PWM_LINES; their number, or -1. */
static Py_ssize_t wave_lines(SoftPwm *self, PyTypeObject *registers, PyObject *outputs, struct rpio_wave_line *lines)
{
    PyObject *line, *where;
    Py_ssize_t position = 0, count = 0;
    if (PyDict_Size(outputs) > (Py_ssize_t)RPIO_PWM_LINES) {
        (void)raise_errno(-ENOSPC, NULL);
        return -1;
    }
    while (PyDict_Next(outputs, &position, &line, &where)) {
        int number, fd = -1, is_block = Py_TYPE(where) == registers;
        if (as_int(line, &number) < 0 || (!is_block && as_int(where, &fd) < 0) ||
            (is_block && PySet_Add(self->registers, where) < 0))
            return -1;
        lines[count++] = (struct rpio_wave_line){
            .regs = is_block ? &((Registers *)where)->regs : NULL, .fd = fd, .line = (uint32_t)number};
    }
    return count;
}

static PyObject *soft_pwm_play(PyObject *object, PyObject *args)
{
    const struct state *state = PyType_GetModuleState(Py_TYPE(object));
    SoftPwm *self = (SoftPwm *)object;
    struct rpio_wave_line lines[RPIO_PWM_LINES];
    PyObject *outputs, *list;
    unsigned long long period_ns;
    unsigned turns;
    int instead_of;
    size_t count = 0;
    if (!PyArg_ParseTuple(args, "O!O!KIi:play", &PyDict_Type, &outputs, &PyList_Type, &list, &period_ns, &turns,
                          &instead_of))
        return NULL;
    Py_ssize_t line_count = wave_lines(self, state->registers, outputs, lines);
    struct rpio_wave_edge *edges = line_count < 0 ? NULL : edges_of(list, &count);
    if (!edges)
        return NULL;
    int wave;
    Py_BEGIN_ALLOW_THREADS
    wave = rpio_pwm_play(self->pwm, lines, (size_t)line_count, edges, count, period_ns, turns, instead_of);
    Py_END_ALLOW_THREADS
    PyMem_Free(edges);
    return result_or_errno(wave);
}

static PyObject *soft_pwm_stop_wave(PyObject *self, PyObject *wave)
{
    struct rpio_pwm *pwm = ((SoftPwm *)self)->pwm;
    int number, error;
    if (as_int(wave, &number) < 0)
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    error = rpio_pwm_stop_wave(pwm, number);
    Py_END_ALLOW_THREADS
    return PyBool_FromLong(error == 0);
}

/* (whether it is being played, turns), or None for a wave that is not there. */
static PyObject *wave_state(int result, uint64_t turns)
{
    if (result == -ENOENT)
        Py_RETURN_NONE;
    return result < 0 ? raise_errno(result, NULL) : Py_BuildValue("(OK)", result ? Py_True : Py_False, turns);
}

static PyObject *soft_pwm_wave(PyObject *self, PyObject *wave)
{
    struct rpio_pwm *pwm = ((SoftPwm *)self)->pwm;
    uint64_t turns = 0;
    int number, result;
    if (as_int(wave, &number) < 0)
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    result = rpio_pwm_wave(pwm, number, &turns);
    Py_END_ALLOW_THREADS
    return wave_state(result, turns);
}

static PyMethodDef soft_pwm_methods[] = {
    {"start_regs", soft_pwm_start_regs, METH_VARARGS,
     PyDoc_STR("start_regs($self, registers, line, period_ns, high_ns, /)\n--\n\n"
               "Start a line of registers, which are kept alive until close(); change a line that runs.")},
    {"start_fd", soft_pwm_start_fd, METH_VARARGS,
     PyDoc_STR("start_fd($self, fd, line, period_ns, high_ns, /)\n--\n\n"
               "Start a requested line, or change it; its descriptor must stay open until stop() has returned.")},
    {"change", soft_pwm_change, METH_VARARGS,
     PyDoc_STR("change($self, line, period_ns, high_ns, /)\n--\n\n"
               "Change a line that runs, from its next period on. Whether it runs.")},
    {"stop", soft_pwm_stop, METH_VARARGS,
     PyDoc_STR("stop($self, line, value=0, /)\n--\n\n"
               "End the line and drive it to value; nothing writes to it afterwards. Whether it ran.")},
    {"query", soft_pwm_query, METH_VARARGS,
     PyDoc_STR("query($self, line, /)\n--\n\n"
               "(period_ns, high_ns, periods, errno that has ended it or 0), or None for a line that does not run.")},
    {"play", soft_pwm_play, METH_VARARGS,
     PyDoc_STR("play($self, outputs, edges, period_ns, turns, instead_of, /)\n--\n\n"
               "Play [(at_ns, line, value), ...] on {line: Registers or fd}, turns times or (0) for ever, in place of\n"
               "the wave instead_of (-1: none); returns its number.")},
    {"stop_wave", soft_pwm_stop_wave, METH_O,
     PyDoc_STR("stop_wave($self, wave, /)\n--\n\nEnd the wave, levels as they are. Whether it was there.")},
    {"wave", soft_pwm_wave, METH_O,
     PyDoc_STR("wave($self, wave, /)\n--\n\n(whether it is being played, turns done), or None: it is not there.")},
    {"step", soft_pwm_step, METH_O,
     PyDoc_STR("step($self, now_ns, /)\n--\n\n"
               "Without a thread only: move to that time; returns when something is due next, None for never.")},
    {"abandon", soft_pwm_abandon, METH_NOARGS,
     PyDoc_STR("abandon($self, /)\n--\n\nIn the child of a fork: forget all lines, write nothing.")},
    {"close", soft_pwm_close, METH_NOARGS,
     PyDoc_STR("close($self, /)\n--\n\nEnd all lines and the thread, and write nothing. Twice is fine.")},
    {0},
};

static PyType_Slot soft_pwm_slots[] = {
    {Py_tp_doc, PyDoc_STR("SoftPwm(*, stepped=False)\n--\n\n"
                          "PWM by software: one thread for all lines, or with stepped only what step() says.")},
    {Py_tp_new, soft_pwm_new},
    {Py_tp_dealloc, soft_pwm_dealloc},
    {Py_tp_methods, soft_pwm_methods},
    {0},
};

static PyType_Spec soft_pwm_spec = {
    .name = "RPIO._gpio.SoftPwm",
    .basicsize = sizeof(SoftPwm),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = soft_pwm_slots,
};

typedef struct {
    PyObject_HEAD
    struct rpio_plan *plan;
} PwmPlan;

static PyObject *pwm_plan_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    PwmPlan *self = (PwmPlan *)PyType_GenericNew(type, args, kwargs);
    int error = self ? rpio_plan_new(&self->plan) : 0;
    if (error < 0) {
        Py_DECREF(self);
        return raise_errno(error, NULL);
    }
    return (PyObject *)self;
}

static void pwm_plan_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    rpio_plan_free(((PwmPlan *)self)->plan);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyObject *pwm_plan_set(PyObject *self, PyObject *args)
{
    unsigned line;
    unsigned long long period_ns, high_ns, now_ns;
    if (!PyArg_ParseTuple(args, "IKKK:set", &line, &period_ns, &high_ns, &now_ns))
        return NULL;
    return none_or_errno(rpio_plan_set(((PwmPlan *)self)->plan, line, period_ns, high_ns, now_ns));
}

static PyObject *pwm_plan_change(PyObject *self, PyObject *args)
{
    struct rpio_plan *plan = ((PwmPlan *)self)->plan;
    struct rpio_pwm_info info;
    unsigned line;
    unsigned long long period_ns, high_ns, now_ns;
    if (!PyArg_ParseTuple(args, "IKKK:change", &line, &period_ns, &high_ns, &now_ns))
        return NULL;
    int error = rpio_plan_info(plan, line, &info);
    return whether_there(error < 0 ? error : rpio_plan_set(plan, line, period_ns, high_ns, now_ns));
}

static PyObject *pwm_plan_end(PyObject *self, PyObject *line)
{
    int n;
    return as_int(line, &n) < 0 ? NULL : PyBool_FromLong(rpio_plan_end(((PwmPlan *)self)->plan, (uint32_t)n) == 0);
}

static PyObject *pwm_plan_next(PyObject *self, PyObject *unused)
{
    (void)unused;
    return next_or_none(rpio_plan_next(((PwmPlan *)self)->plan));
}

static PyObject *pwm_plan_advance(PyObject *self, PyObject *now)
{
    struct rpio_plan_edge edges[RPIO_PLAN_EDGES];
    uint64_t now_ns = PyLong_AsUnsignedLongLong(now);
    if (PyErr_Occurred())
        return NULL;
    int count = rpio_plan_advance(((PwmPlan *)self)->plan, now_ns, edges);
    PyObject *list = PyList_New(count);
    for (int i = 0; list && i < count; i++) {
        PyObject *pair = Py_BuildValue("(II)", (unsigned)edges[i].line, (unsigned)edges[i].value);
        if (!pair)
            Py_CLEAR(list);
        else
            PyList_SET_ITEM(list, i, pair);
    }
    return list;
}

static PyObject *pwm_plan_play(PyObject *self, PyObject *args)
{
    PyObject *list;
    unsigned long long period_ns, now_ns;
    unsigned turns;
    int instead_of;
    size_t count = 0;
    if (!PyArg_ParseTuple(args, "O!KIiK:play", &PyList_Type, &list, &period_ns, &turns, &instead_of, &now_ns))
        return NULL;
    struct rpio_wave_edge *edges = edges_of(list, &count);
    if (!edges)
        return NULL;
    int wave = rpio_plan_play(((PwmPlan *)self)->plan, edges, count, period_ns, turns, instead_of, now_ns);
    PyMem_Free(edges);
    return result_or_errno(wave);
}

static PyObject *pwm_plan_stop_wave(PyObject *self, PyObject *wave)
{
    int number;
    return as_int(wave, &number) < 0 ? NULL
                                     : PyBool_FromLong(rpio_plan_stop_wave(((PwmPlan *)self)->plan, number) == 0);
}

static PyObject *pwm_plan_drop_line(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    int n[2];
    if (as_ints(args, count, n, 2) < 0)
        return NULL;
    return PyBool_FromLong(rpio_plan_drop_line(((PwmPlan *)self)->plan, n[0], (uint32_t)n[1]) == 0);
}

static PyObject *pwm_plan_wave(PyObject *self, PyObject *args)
{
    uint64_t turns = 0;
    unsigned long long now_ns;
    int number;
    if (!PyArg_ParseTuple(args, "iK:wave", &number, &now_ns))
        return NULL;
    int result = rpio_plan_wave(((PwmPlan *)self)->plan, number, now_ns, &turns);
    return wave_state(result, turns);
}

static PyMethodDef pwm_plan_methods[] = {
    {"set", pwm_plan_set, METH_VARARGS,
     PyDoc_STR("set($self, line, period_ns, high_ns, now_ns, /)\n--\n\nStart the line, or change it.")},
    {"change", pwm_plan_change, METH_VARARGS,
     PyDoc_STR("change($self, line, period_ns, high_ns, now_ns, /)\n--\n\nChange the line; whether it ran.")},
    {"end", pwm_plan_end, METH_O,
     PyDoc_STR("end($self, line, /)\n--\n\nForget the line; whether it ran.")},
    {"play", pwm_plan_play, METH_VARARGS,
     PyDoc_STR("play($self, edges, period_ns, turns, instead_of, now_ns, /)\n--\n\nAs SoftPwm.play(), from now_ns on.")},
    {"stop_wave", pwm_plan_stop_wave, METH_O,
     PyDoc_STR("stop_wave($self, wave, /)\n--\n\nForget the wave. Whether it was there.")},
    {"drop_line", (PyCFunction)(void (*)(void))pwm_plan_drop_line, METH_FASTCALL,
     PyDoc_STR("drop_line($self, wave, line, /)\n--\n\nLeave a line out of the wave. Whether it was there.")},
    {"wave", pwm_plan_wave, METH_VARARGS,
     PyDoc_STR("wave($self, wave, now_ns, /)\n--\n\nAs SoftPwm.wave().")},
    {"next", pwm_plan_next, METH_NOARGS,
     PyDoc_STR("next($self, /)\n--\n\nWhen something is due next, in nanoseconds; None for never.")},
    {"advance", pwm_plan_advance, METH_O,
     PyDoc_STR("advance($self, now_ns, /)\n--\n\n[(line, value), ...] to carry out at that time, in this order.")},
    {0},
};

static PyType_Slot pwm_plan_slots[] = {
    {Py_tp_doc, PyDoc_STR("PwmPlan()\n--\n\nWhich line of a PWM changes when, without a clock of its own.")},
    {Py_tp_new, pwm_plan_new},
    {Py_tp_dealloc, pwm_plan_dealloc},
    {Py_tp_methods, pwm_plan_methods},
    {0},
};

static PyType_Spec pwm_plan_spec = {
    .name = "RPIO._gpio.PwmPlan",
    .basicsize = sizeof(PwmPlan),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = pwm_plan_slots,
};

/* ---- Dma: pulses by DMA --------------------------------------------------------------------------- */

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
DMA_CALL(start, 2, rpio_dma_start(dma, (unsigned)n[0], (unsigned)n[1]))
DMA_CALL(add, 4, rpio_dma_add(dma, (unsigned)n[0], (unsigned)n[1], (unsigned)n[2], (unsigned)n[3]))
DMA_CALL(replace, 4, rpio_dma_replace(dma, (unsigned)n[0], (unsigned)n[1], (unsigned)n[2], (unsigned)n[3]))
DMA_CALL(clear, 1, rpio_dma_clear(dma, (unsigned)n[0]))
DMA_CALL(clear_line, 2, rpio_dma_clear_line(dma, (unsigned)n[0], (unsigned)n[1]))
DMA_CALL(settle, 1, rpio_dma_settle(dma, (unsigned)n[0]))
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
    for (Py_ssize_t i = 0; i < count; i++)
        if (!PyArg_ParseTuple(PyList_GET_ITEM(list, i), "III", &steps[i].set, &steps[i].clear, &steps[i].slots)) {
            PyMem_Free(steps);
            return NULL;
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
    return fd < 0 ? raise_errno(fd, NULL) : Py_BuildValue("(ii)", fd, pid);
}

#define DMA_METHOD(name, arguments, text)                                                                             \
    {#name, (PyCFunction)(void (*)(void))dma_##name, METH_FASTCALL, PyDoc_STR(#name "($self" arguments ", /)\n--\n\n" text)}

static PyMethodDef dma_methods[] = {
    DMA_METHOD(last_channel, "", "The highest channel that there is."),
    DMA_METHOD(set_pace, ", pace, slot_us", "How long a slot is, and which hardware takes that time."),
    DMA_METHOD(forbid_pace, ", pace", "That hardware is somebody else's."),
    DMA_METHOD(is_active, ", channel", "1 where the channel works for somebody."),
    DMA_METHOD(start, ", channel, slots", "Start a ring of slots without an edge."),
    DMA_METHOD(add, ", channel, line, start, width", "Add a pulse, in slots."),
    DMA_METHOD(replace, ", channel, line, start, width", "Make this the line's only pulse."),
    DMA_METHOD(clear, ", channel", "No pulse on any line."),
    DMA_METHOD(clear_line, ", channel, line", "No pulse on the line."),
    DMA_METHOD(settle, ", channel", "Let go of lines whose last pulse is over; for how many slots one may be on."),
    DMA_METHOD(stop, ", channel", "End the channel, its lines low."),
    DMA_METHOD(level, ", channel, line, slot", "1 where the line is high in that slot."),
    {"play", dma_play, METH_VARARGS,
     PyDoc_STR("play($self, channel, steps, repeat, /)\n--\n\nPlay [(set, clear, slots), ...] repeat times, or 0.")},
    {"info", dma_info, METH_O, PyDoc_STR("info($self, channel, /)\n--\n\nA dict, or None: it is not in use here.")},
    {"reap", dma_reap, METH_VARARGS,
     PyDoc_STR("reap($self, channel, lines, handle, handle, /)\n--\n\nStop what another program has left running.")},
    {"guard", dma_guard, METH_VARARGS,
     PyDoc_STR("guard($self, state_path, lock_fd, /)\n--\n\nStart the guardian; its (descriptor, pid).")},
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

/* ---- all of them ---------------------------------------------------------------------------------- */

int rpio_add_pwm_types(PyObject *module)
{
    struct state *state = PyModule_GetState(module);
    state->soft_pwm = add_type(module, &soft_pwm_spec);
    state->pwm_plan = state->soft_pwm ? add_type(module, &pwm_plan_spec) : NULL;
    state->dma = state->pwm_plan ? add_type(module, &dma_spec) : NULL;
    return state->dma ? 0 : -1;
}
