/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * module_pwm.c - PWM and waves as Python sees them: SoftPwm (a thread), and PwmPlan (no thread: the simulated board's).
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

static PyObject *soft_pwm_limit_regs(PyObject *self, PyObject *args)
{
    const struct state *state = PyType_GetModuleState(Py_TYPE(self));
    struct rpio_pwm *pwm = ((SoftPwm *)self)->pwm;
    PyObject *registers;
    unsigned line;
    unsigned long long after_ns;
    int off, error;
    if (!PyArg_ParseTuple(args, "O!IKi:limit_regs", state->registers, &registers, &line, &after_ns, &off) ||
        PySet_Add(((SoftPwm *)self)->registers, registers) < 0)
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    error = rpio_pwm_limit_regs(pwm, &((Registers *)registers)->regs, line, after_ns, off);
    Py_END_ALLOW_THREADS
    return none_or_errno(error);
}

static PyObject *soft_pwm_limit_fd(PyObject *self, PyObject *args)
{
    struct rpio_pwm *pwm = ((SoftPwm *)self)->pwm;
    unsigned line;
    unsigned long long after_ns;
    int fd, off, error;
    if (!PyArg_ParseTuple(args, "iIKi:limit_fd", &fd, &line, &after_ns, &off))
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    error = rpio_pwm_limit_fd(pwm, fd, line, after_ns, off);
    Py_END_ALLOW_THREADS
    return none_or_errno(error);
}

static PyObject *soft_pwm_unlimit(PyObject *self, PyObject *line)
{
    struct rpio_pwm *pwm = ((SoftPwm *)self)->pwm;
    int number, error;
    if (as_int(line, &number) < 0)
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    error = rpio_pwm_unlimit(pwm, (uint32_t)number);
    Py_END_ALLOW_THREADS
    return whether_there(error);
}

static PyObject *soft_pwm_limit_left(PyObject *self, PyObject *line)
{
    struct rpio_pwm *pwm = ((SoftPwm *)self)->pwm;
    uint64_t left_ns = 0;
    int number, error;
    if (as_int(line, &number) < 0)
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    error = rpio_pwm_limit_left(pwm, (uint32_t)number, &left_ns);
    Py_END_ALLOW_THREADS
    if (error == -ENOENT)
        Py_RETURN_NONE;
    return error < 0 ? raise_errno(error, NULL) : PyLong_FromUnsignedLongLong(left_ns);
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
        PyObject *item = tuple_at(list, i, "(at_ns, line, value)");
        int is_read = item && PyArg_ParseTuple(item, "KII:edge", &at_ns, &line, &value);
        Py_XDECREF(item);
        if (!is_read) {
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
        if (count == (Py_ssize_t)RPIO_PWM_LINES) { /* Python code has added to it */
            (void)raise_errno(-ENOSPC, NULL);
            return -1;
        }
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
    {"limit_regs", soft_pwm_limit_regs, METH_VARARGS,
     PyDoc_STR("limit_regs($self, registers, line, after_ns, off, /)\n--\n\n"
               "after_ns from now write off to a line of registers, and end what drives it. Anew: from now on.")},
    {"limit_fd", soft_pwm_limit_fd, METH_VARARGS,
     PyDoc_STR("limit_fd($self, fd, line, after_ns, off, /)\n--\n\n"
               "The same of a requested line; its descriptor must stay open until unlimit() has returned.")},
    {"unlimit", soft_pwm_unlimit, METH_O,
     PyDoc_STR("unlimit($self, line, /)\n--\n\nNothing is written any more. Whether there was a limit.")},
    {"limit_left", soft_pwm_limit_left, METH_O,
     PyDoc_STR("limit_left($self, line, /)\n--\n\nNanoseconds, 0 when it is over, None where there is no limit.")},
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

/* ---- all of them ---------------------------------------------------------------------------------- */

int rpio_add_pwm(PyObject *module)
{
    struct state *state = PyModule_GetState(module);
    state->soft_pwm = add_type(module, &soft_pwm_spec);
    state->pwm_plan = state->soft_pwm ? add_type(module, &pwm_plan_spec) : NULL;
    return state->pwm_plan ? 0 : -1;
}
