/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * module_hot.c - output() and input(), the hot path.
 *
 * RPIO.output and RPIO.input are the two functions here. Board grants a channel when it has been set up on
 * registers or on the character device, and takes the grant back when that changes; then a call is a look into the
 * table and one store or load, or one ioctl. Everything else is a miss: a channel without a grant, another backend,
 * other types than int, bool, list and tuple, an ioctl that fails. A miss goes to Board, which has the rules: it does
 * what was asked, or raises the precise error. A list with a miss in it goes there whole, before anything has been
 * written. A requested line is closed by Line.close(), which revokes its grants under the same lock.
 */
#include "module.h"

#include <unistd.h>

/* The value of a small int, looked up in the object itself; SIZE_MAX for everything else. */
static inline size_t small_int(PyObject *object)
{
    if (!PyLong_CheckExact(object))
        return SIZE_MAX;
#if PY_VERSION_HEX >= 0x030C0000
    PyLongObject *number = (PyLongObject *)object;
    return PyUnstable_Long_IsCompact(number) ? (size_t)PyUnstable_Long_CompactValue(number) : SIZE_MAX;
#else
    Py_ssize_t digits = Py_SIZE(object); /* negative for a negative number */
    return digits == 0 ? 0 : digits == 1 ? ((PyLongObject *)object)->ob_digit[0] : SIZE_MAX;
#endif
}

static inline const struct grant *find_grant(const struct state *state, PyObject *channel)
{
    size_t number = small_int(channel);
    return number < GRANT_MAX && state->grants[number].registers ? &state->grants[number] : NULL;
}

/* 0 or 1 for an int or bool; -1 for anything else. */
static inline int level_of(PyObject *value)
{
    if (PyLong_CheckExact(value)) /* a subclass may run code of its own */
        return small_int(value) != 0;
    return value == Py_True ? 1 : value == Py_False ? 0 : -1;
}

/* The grant to write the channel, or NULL: a miss. */
static inline const struct grant *find_output(const struct state *state, PyObject *channel, int level)
{
    const struct grant *grant = find_grant(state, channel);
    return grant && grant->may_write && level >= 0 ? grant : NULL;
}

static inline uint32_t port_of(const struct grant *grant, int level)
{
    return level ? grant->ports.set : grant->ports.clear;
}

static inline int write_one(const struct state *state, PyObject *channel, int level)
{
    const struct grant *grant = find_output(state, channel, level);
    if (!grant)
        return -1;
    if (grant->fd >= 0)
        return rpio_cdev_write(grant->fd, level);
    reg_write(&((Registers *)grant->registers)->regs, port_of(grant, level), grant->ports.bit);
    return 0;
}

static int is_sequence(PyObject *object)
{
    return PyList_CheckExact(object) || PyTuple_CheckExact(object);
}

/* Lines that one store can set: a run of equal values in one register. */
struct run {
    PyObject *registers;
    uint32_t port, bits;
};

static void flush(struct run *run)
{
    if (run->bits)
        reg_write(&((Registers *)run->registers)->regs, run->port, run->bits);
    run->bits = 0;
}

/* Break before make stays so: another value, another register and a line that comes again each end the run. */
static void join_run(struct run *run, const struct grant *grant, int level)
{
    uint32_t port = port_of(grant, level);
    if (run->registers != grant->registers || run->port != port || run->bits & grant->ports.bit)
        flush(run);
    *run = (struct run){.registers = grant->registers, .port = port, .bits = run->bits | grant->ports.bit};
}

/* Channels and values as lists or tuples; one value for all, or as many as there are channels. */
static int write_many(const struct state *state, PyObject *channels, PyObject *values)
{
    Py_ssize_t count = PySequence_Fast_GET_SIZE(channels);
    int each = is_sequence(values), level = each ? 0 : level_of(values);
    if (level < 0 || (each && PySequence_Fast_GET_SIZE(values) != count))
        return -1;
    struct run run = {0};
    for (int store = 0; store <= 1; store++) /* first look at everything, then write */
        for (Py_ssize_t i = 0; i < count; i++) {
            if (each)
                level = level_of(PySequence_Fast_GET_ITEM(values, i));
            const struct grant *grant = find_output(state, PySequence_Fast_GET_ITEM(channels, i), level);
            if (!grant)
                return -1;
            if (store && grant->fd < 0)
                join_run(&run, grant, level);
            else if (store && rpio_cdev_write(grant->fd, level) < 0)
                return -1; /* all of these are of one backend: there is no run to flush */
        }
    flush(&run);
    return 0;
}

/* `import RPIO` does not load the board: the first miss does, where nothing else has. */
static PyObject *miss(PyObject **handler, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    if (!*handler) {
        PyObject *facade = PyImport_ImportModule("RPIO.facade");
        if (!facade)
            return NULL;
        Py_DECREF(facade);
    }
    if (!*handler) {
        PyErr_SetString(PyExc_RuntimeError, "no board answers for this channel");
        return NULL;
    }
    return PyObject_Vectorcall(*handler, args, (size_t)count, names);
}

static PyObject *hot_output(PyObject *module, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    struct state *state = PyModule_GetState(module);
    if (count == 2 && !names) {
        int done = is_sequence(args[0]) ? write_many(state, args[0], args[1])
                                        : write_one(state, args[0], level_of(args[1]));
        if (done == 0)
            Py_RETURN_NONE;
    }
    return miss(&state->output_miss, args, count, names);
}

static PyObject *hot_input(PyObject *module, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    struct state *state = PyModule_GetState(module);
    const struct grant *grant = count == 1 && !names ? find_grant(state, args[0]) : NULL;
    if (grant && grant->fd >= 0) {
        int level = rpio_cdev_read(grant->fd);
        if (level >= 0)
            return Py_NewRef(state->bit[level]);
    } else if (grant) { /* set up, so RP1's input buffer is on */
        uint32_t levels = reg_read(&((Registers *)grant->registers)->regs, grant->ports.level);
        return Py_NewRef(state->bit[(levels & grant->ports.bit) != 0]);
    }
    return miss(&state->input_miss, args, count, names);
}

static PyObject *grant_channel(PyObject *module, PyObject *args)
{
    struct state *state = PyModule_GetState(module);
    PyObject *registers;
    unsigned channel, line;
    int may_write, error;
    if (!PyArg_ParseTuple(args, "IO!Ip:grant", &channel, state->registers, &registers, &line, &may_write))
        return NULL;
    if (channel >= GRANT_MAX)
        Py_RETURN_NONE; /* Board serves it */
    struct grant *grant = &state->grants[channel];
    if ((error = rpio_regs_ports(&((Registers *)registers)->regs, line, &grant->ports)) < 0)
        return raise_errno(error, NULL);
    grant->may_write = may_write;
    grant->fd = -1;
    Py_XSETREF(grant->registers, Py_NewRef(registers));
    Py_RETURN_NONE;
}

static PyObject *grant_line(PyObject *module, PyObject *args)
{
    struct state *state = PyModule_GetState(module);
    unsigned channel;
    int fd, may_write;
    if (!PyArg_ParseTuple(args, "Iip:grant_line", &channel, &fd, &may_write))
        return NULL;
    if (channel >= GRANT_MAX || fd < 0)
        Py_RETURN_NONE; /* Board serves it */
    struct grant *grant = &state->grants[channel];
    grant->may_write = may_write;
    grant->fd = fd;
    Py_XSETREF(grant->registers, Py_NewRef(Py_None));
    Py_RETURN_NONE;
}

/* ---- Line: a request that is closed with its object ---------------------------------------------------- */

static int close_line(struct state *state, Line *self)
{
    int fd = self->fd;
    self->fd = -1;
    if (fd < 0)
        return 0;
    for (int i = 0; i < GRANT_MAX; i++)
        if (state->grants[i].registers == Py_None && state->grants[i].fd == fd)
            Py_CLEAR(state->grants[i].registers);
    rpio_numbers_remove(state->numbers, fd);
    return close(fd) < 0 ? -errno : 0;
}

static PyObject *line_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    int fd = -1;
    if (kwargs && PyDict_GET_SIZE(kwargs) > 0)
        return PyErr_Format(PyExc_TypeError, "Line() takes no keywords");
    if (!PyArg_ParseTuple(args, "|i:Line", &fd))
        return NULL;
    Line *self = (Line *)type->tp_alloc(type, 0);
    if (self)
        self->fd = fd;
    return (PyObject *)self;
}

static PyObject *line_close(PyObject *object, PyObject *unused)
{
    (void)unused;
    return none_or_errno(close_line(PyType_GetModuleState(Py_TYPE(object)), (Line *)object));
}

static void line_dealloc(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    struct state *state = PyType_GetModuleState(type);
    if (state)
        (void)close_line(state, (Line *)object);
    type->tp_free(object);
    Py_DECREF(type);
}

static PyMemberDef line_members[] = {
    {"fd", T_INT, offsetof(Line, fd), READONLY, PyDoc_STR("The descriptor; -1 when closed.")},
    {0},
};

static PyMethodDef line_methods[] = {
    {"close", line_close, METH_NOARGS, PyDoc_STR("close($self, /)\n--\n\nClose it, and take its grants back.")},
    {0},
};

static PyType_Slot line_slots[] = {
    {Py_tp_doc, PyDoc_STR("Line(fd=-1, /)\n--\n\nA line that line_request() requests, or has; closed with its object.")},
    {Py_tp_new, line_new},
    {Py_tp_dealloc, line_dealloc},
    {Py_tp_members, line_members},
    {Py_tp_methods, line_methods},
    {0},
};

static PyType_Spec line_spec = {
    .name = "RPIO._gpio.Line",
    .basicsize = sizeof(Line),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = line_slots,
};

static PyObject *revoke_channel(PyObject *module, PyObject *channel)
{
    const struct grant *grant = find_grant(PyModule_GetState(module), channel);
    if (grant)
        Py_CLEAR(((struct grant *)(uintptr_t)grant)->registers);
    Py_RETURN_NONE;
}

static PyObject *revoke_all(PyObject *module, PyObject *unused)
{
    struct state *state = PyModule_GetState(module);
    (void)unused;
    for (int i = 0; i < GRANT_MAX; i++)
        Py_CLEAR(state->grants[i].registers);
    Py_RETURN_NONE;
}

static PyObject *on_miss(PyObject *module, PyObject *args)
{
    struct state *state = PyModule_GetState(module);
    PyObject *output, *input;
    if (!PyArg_ParseTuple(args, "OO:on_miss", &output, &input))
        return NULL;
    Py_XSETREF(state->output_miss, Py_NewRef(output));
    Py_XSETREF(state->input_miss, Py_NewRef(input));
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"output", (PyCFunction)(void (*)(void))hot_output, METH_FASTCALL | METH_KEYWORDS,
     PyDoc_STR("output($module, channel, value)\n--\n\n"
               "Set an output to 0 or 1 (any value but 0 is high), or several: to one value, or to a list of values.\n\n"
               "Levels change in the order of the list.\n\n"
               "Raises:\n"
               "    WrongDirectionException: not set up as OUT (a RuntimeError); those before it are written.\n"
               "    ValueError: no such channel, or no such value.\n")},
    {"input", (PyCFunction)(void (*)(void))hot_input, METH_FASTCALL | METH_KEYWORDS,
     PyDoc_STR("input($module, channel)\n--\n\n"
               "Return the level of a channel that has been set up, 0 or 1.\n\n"
               "Raises:\n"
               "    WrongDirectionException: it has not been set up (a RuntimeError).\n"
               "    InvalidChannelException: no such channel (a ValueError).\n")},
    {"grant", grant_channel, METH_VARARGS,
     PyDoc_STR("grant(channel, registers, line, may_write, /)\n--\n\nLet output() and input() serve a channel.")},
    {"grant_line", grant_line, METH_VARARGS,
     PyDoc_STR("grant_line(channel, line_fd, may_write, /)\n--\n\nThe same for a line of the character device.")},
    {"revoke", revoke_channel, METH_O, PyDoc_STR("revoke(channel, /)\n--\n\nTake a grant back.")},
    {"revoke_all", revoke_all, METH_NOARGS, PyDoc_STR("revoke_all()\n--\n\nTake all grants back.")},
    {"on_miss", on_miss, METH_VARARGS,
     PyDoc_STR("on_miss(output, input, /)\n--\n\nWho does what output() and input() cannot.")},
    {0},
};

int rpio_add_hot(PyObject *module)
{
    struct state *state = PyModule_GetState(module);
    for (int i = 0; i < 2; i++)
        if (!(state->bit[i] = PyLong_FromLong(i)))
            return -1;
    state->line = add_type(module, &line_spec);
    return state->line ? PyModule_AddFunctions(module, methods) : -1;
}
