/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * module.c - RPIO._gpio: the core as Python sees it. With module_pwm.c the only file that knows Python.
 *
 * Five parts, top to bottom: Registers (a mapped block), output() and input(), the gpiochip calls (descriptors are
 * plain ints, their owner is the backend), Poller (the wait of the loop, with the interpreter's lock released; it is
 * taken once for everything that a wait has brought), and Pump (sysfs's edges).
 */
#include "module.h"

#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

/* ---- Registers ------------------------------------------------------------------------------------ */

static int registers_init(PyObject *self, PyObject *args, PyObject *kwargs)
{
    struct rpio_regs *regs = &((Registers *)self)->regs;
    static char *names[] = {"compatible", "path", "offset", NULL};
    const char *compatible, *path;
    unsigned long long offset = 0;
    int error;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "ss|K:Registers", names, &compatible, &path, &offset))
        return -1;
    rpio_regs_unmap(regs);
#ifdef RPIO_MODELLED_SOC
    error = rpio_regs_attach(regs, compatible, (volatile void *)(uintptr_t)offset);
#else
    error = rpio_regs_map(regs, compatible, path, offset);
#endif
    if (error < 0) {
        (void)raise_errno(error, path);
        return -1;
    }
    return 0;
}

static void registers_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
#ifndef RPIO_MODELLED_SOC
    rpio_regs_unmap(&((Registers *)self)->regs);
#endif
    type->tp_free(self);
    Py_DECREF(type);
}

static PyObject *registers_function(PyObject *self, PyObject *line)
{
    int n;
    return as_int(line, &n) < 0 ? NULL : result_or_errno(rpio_regs_function(&((Registers *)self)->regs, (unsigned)n));
}

static PyObject *registers_read(PyObject *self, PyObject *line)
{
    int n;
    return as_int(line, &n) < 0 ? NULL : result_or_errno(rpio_regs_read(&((Registers *)self)->regs, (unsigned)n));
}

static PyObject *registers_pull(PyObject *self, PyObject *line)
{
    int n;
    return as_int(line, &n) < 0 ? NULL : result_or_errno(rpio_regs_pull(&((Registers *)self)->regs, (unsigned)n));
}

static PyObject *registers_set_function(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    int n[2];
    return as_ints(args, count, n, 2) < 0
               ? NULL
               : none_or_errno(rpio_regs_set_function(&((Registers *)self)->regs, (unsigned)n[0], n[1]));
}

static PyObject *registers_write(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    int n[2];
    return as_ints(args, count, n, 2) < 0
               ? NULL
               : none_or_errno(rpio_regs_write(&((Registers *)self)->regs, (unsigned)n[0], n[1]));
}

static PyObject *registers_set_pull(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    int n[2];
    return as_ints(args, count, n, 2) < 0
               ? NULL
               : none_or_errno(rpio_regs_set_pull(&((Registers *)self)->regs, (unsigned)n[0], n[1]));
}

static PyMethodDef registers_methods[] = {
    {"function", registers_function, METH_O, PyDoc_STR("function($self, line, /)\n--\n\nFunction code of the line.")},
    {"set_function", (PyCFunction)(void (*)(void))registers_set_function, METH_FASTCALL,
     PyDoc_STR("set_function($self, line, function, /)\n--\n\nSwitch the line.")},
    {"read", registers_read, METH_O, PyDoc_STR("read($self, line, /)\n--\n\nLevel of the line, 0 or 1.")},
    {"write", (PyCFunction)(void (*)(void))registers_write, METH_FASTCALL,
     PyDoc_STR("write($self, line, value, /)\n--\n\nSet the output latch.")},
    {"pull", registers_pull, METH_O, PyDoc_STR("pull($self, line, /)\n--\n\n0 off, 1 down, 2 up.")},
    {"set_pull", (PyCFunction)(void (*)(void))registers_set_pull, METH_FASTCALL,
     PyDoc_STR("set_pull($self, line, pull, /)\n--\n\n0 off, 1 down, 2 up.")},
    {0},
};

static PyMemberDef registers_members[] = {
    {"line_count", T_UINT, offsetof(Registers, regs.line_count), READONLY, "lines of the chip"},
    {0},
};

static PyType_Slot registers_slots[] = {
    {Py_tp_doc, PyDoc_STR("Registers(compatible, path, offset=0)\n--\n\nA GPIO register block, mapped from a file.")},
    {Py_tp_init, registers_init},
    {Py_tp_dealloc, registers_dealloc},
    {Py_tp_methods, registers_methods},
    {Py_tp_members, registers_members},
    {0},
};

static PyType_Spec registers_spec = {
    .name = "RPIO._gpio.Registers",
    .basicsize = sizeof(Registers),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = registers_slots,
};

static PyObject *regs_chip(PyObject *module, PyObject *compatible)
{
    (void)module;
    const char *text = PyUnicode_AsUTF8(compatible);
    if (!text)
        return NULL;
    const char *chip = rpio_regs_chip(text);
    return chip ? PyUnicode_FromString(chip) : Py_NewRef(Py_None);
}

/* ---- the hot path --------------------------------------------------------------------------------- */

/*
 * RPIO.output and RPIO.input are the two functions here. Board grants a channel when it has been set up on
 * registers or on the character device, and takes the grant back when that changes; then a call is a look into the
 * table and one store or load, or one ioctl. Everything else is a miss: a channel without a grant, another backend,
 * other types than int, bool, list and tuple, an ioctl that fails. A miss goes to Board, which has the rules: it does
 * what was asked, or raises the precise error. A list with a miss in it goes there whole, before anything has been
 * written. A descriptor is closed by line_close(), which revokes its grants under the same lock.
 */

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

static PyObject *line_close(PyObject *module, PyObject *line_fd)
{
    struct state *state = PyModule_GetState(module);
    int fd;
    if (as_int(line_fd, &fd) < 0)
        return NULL;
    for (int i = 0; i < GRANT_MAX; i++)
        if (state->grants[i].registers == Py_None && state->grants[i].fd == fd)
            Py_CLEAR(state->grants[i].registers);
    return close(fd) < 0 ? raise_errno(-errno, NULL) : Py_NewRef(Py_None);
}

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

/* ---- the gpiochip character device ---------------------------------------------------------------- */

static PyObject *chip_open(PyObject *module, PyObject *path)
{
    (void)module;
    const char *text = PyUnicode_AsUTF8(path);
    if (!text)
        return NULL;
    int fd = rpio_cdev_open(text);
    return fd < 0 ? raise_errno(fd, text) : PyLong_FromLong(fd);
}

static PyObject *file_watch(PyObject *module, PyObject *path)
{
    (void)module;
    const char *text = PyUnicode_AsUTF8(path);
    if (!text)
        return NULL;
    int fd = rpio_cdev_file_watch(text);
    return fd < 0 ? raise_errno(fd, text) : PyLong_FromLong(fd);
}

static PyObject *name_text(const char *name)
{
    return PyUnicode_DecodeUTF8(name, (Py_ssize_t)strlen(name), "replace");
}

static PyObject *chip_info(PyObject *module, PyObject *chip_fd)
{
    (void)module;
    struct rpio_chip_info info;
    int fd, error;
    if (as_int(chip_fd, &fd) < 0)
        return NULL;
    if ((error = rpio_cdev_chip_info(fd, &info)) < 0)
        return raise_errno(error, NULL);
    return Py_BuildValue("(NNI)", name_text(info.name), name_text(info.label), (unsigned)info.line_count);
}

/* line_info(chip_fd, line) and line_info_v1(chip_fd, line). */
static PyObject *line_info_by(PyObject *const *args, Py_ssize_t count,
                              int (*ask)(int, uint32_t, struct rpio_line_info *))
{
    struct rpio_line_info info;
    int n[2], error;
    if (as_ints(args, count, n, 2) < 0)
        return NULL;
    if ((error = ask(n[0], (uint32_t)n[1], &info)) < 0)
        return raise_errno(error, NULL);
    return Py_BuildValue("{sNsNsOsOsOsisisI}", "name", name_text(info.name), "consumer", name_text(info.consumer),
                         "used", info.used ? Py_True : Py_False, "is_output", info.is_output ? Py_True : Py_False,
                         "active_low", info.active_low ? Py_True : Py_False, "pull", info.pull, "edges",
                         info.edges, "debounce_us", (unsigned)info.debounce_us);
}

static PyObject *line_info(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    (void)module;
    return line_info_by(args, count, rpio_cdev_line_info);
}

static PyObject *line_info_v1(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    (void)module;
    return line_info_by(args, count, rpio_cdev_line_info_v1);
}

/* direction, value, pull, edges, debounce_us: the last five arguments of both calls that configure a line. */
static struct rpio_line_config config_of(const int n[5])
{
    return (struct rpio_line_config){
        .direction = n[0], .value = n[1], .pull = n[2], .edges = n[3], .debounce_us = (uint32_t)n[4]};
}

static PyObject *line_request(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    (void)module;
    int n[8];
    if (count != 9) {
        PyErr_SetString(PyExc_TypeError, "9 arguments expected");
        return NULL;
    }
    const char *consumer = PyUnicode_AsUTF8(args[8]);
    if (!consumer || as_ints(args, 8, n, 8) < 0)
        return NULL;
    struct rpio_line_config config = config_of(n + 3);
    return result_or_errno(rpio_cdev_request(n[0], (uint32_t)n[1], &config, consumer, (uint32_t)n[2]));
}

static PyObject *line_configure(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    (void)module;
    int n[6];
    if (as_ints(args, count, n, 6) < 0)
        return NULL;
    struct rpio_line_config config = config_of(n + 1);
    return none_or_errno(rpio_cdev_configure(n[0], &config));
}

static PyObject *line_read(PyObject *module, PyObject *line_fd)
{
    (void)module;
    int fd;
    return as_int(line_fd, &fd) < 0 ? NULL : result_or_errno(rpio_cdev_read(fd));
}

static PyObject *line_write(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    (void)module;
    int n[2];
    return as_ints(args, count, n, 2) < 0 ? NULL : none_or_errno(rpio_cdev_write(n[0], n[1]));
}

/* ---- edge events ---------------------------------------------------------------------------------- */

static PyStructSequence_Field edge_event_fields[] = {
    {"line", "number of the line on its chip (the BCM number on a Raspberry Pi)"},
    {"value", "1 after a rising edge, 0 after a falling one"},
    {"timestamp_ns", "CLOCK_MONOTONIC in nanoseconds, taken in the kernel's interrupt handler"},
    {"seq", "number of the event on its line, from 1; a gap is what was lost"},
    {"token", "what Poller.add_edges() was given; no part of the tuple"},
    {0},
};

static PyStructSequence_Desc edge_event_desc = {
    .name = "RPIO._gpio.EdgeEvent", /* where pickle finds it */
    .doc = PyDoc_STR("One edge on one line: (line, value, timestamp_ns, seq)."),
    .fields = edge_event_fields,
    .n_in_sequence = 4,
};

static PyObject *edge_event(const struct state *state, const struct rpio_event *event)
{
    PyObject *object = PyStructSequence_New(state->edge_event);
    if (!object)
        return NULL;
    PyStructSequence_SetItem(object, 0, PyLong_FromUnsignedLong(event->line));
    PyStructSequence_SetItem(object, 1, PyLong_FromUnsignedLong(event->value));
    PyStructSequence_SetItem(object, 2, PyLong_FromUnsignedLongLong(event->timestamp_ns));
    PyStructSequence_SetItem(object, 3, PyLong_FromUnsignedLong(event->seq));
    PyStructSequence_SetItem(object, 4, PyLong_FromUnsignedLong(event->token));
    if (PyErr_Occurred())
        Py_CLEAR(object);
    return object;
}

static PyObject *edge_event_list(const struct state *state, const struct rpio_event *events, size_t count)
{
    PyObject *list = PyList_New((Py_ssize_t)count);
    for (size_t i = 0; list && i < count; i++) {
        PyObject *object = edge_event(state, &events[i]);
        if (!object)
            Py_CLEAR(list);
        else
            PyList_SET_ITEM(list, (Py_ssize_t)i, object);
    }
    return list;
}

static PyObject *events_decode(PyObject *module, PyObject *bytes)
{
    struct rpio_event events[RPIO_EVENT_BATCH];
    Py_buffer view;
    if (PyObject_GetBuffer(bytes, &view, PyBUF_SIMPLE) < 0)
        return NULL;
    int count = rpio_event_decode(view.buf, (size_t)view.len, events, RPIO_EVENT_BATCH);
    PyBuffer_Release(&view);
    return count < 0 ? raise_errno(count, NULL) : edge_event_list(PyModule_GetState(module), events, (size_t)count);
}

static PyObject *event_encode(PyObject *module, PyObject *args)
{
    (void)module;
    struct rpio_event event;
    unsigned char bytes[RPIO_EVENT_BYTES];
    unsigned line, value, seq;
    unsigned long long timestamp_ns;
    if (!PyArg_ParseTuple(args, "IIKI:event_encode", &line, &value, &timestamp_ns, &seq))
        return NULL;
    event = (struct rpio_event){.timestamp_ns = timestamp_ns, .line = line, .value = value, .seq = seq};
    rpio_event_encode(&event, bytes);
    return PyBytes_FromStringAndSize((const char *)bytes, sizeof bytes);
}

static PyObject *events_read(PyObject *module, PyObject *fd)
{
    struct rpio_event events[RPIO_EVENT_BATCH];
    int n, count;
    if (as_int(fd, &n) < 0)
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    count = rpio_event_read(n, events);
    Py_END_ALLOW_THREADS
    return count < 0 ? raise_errno(count, NULL) : edge_event_list(PyModule_GetState(module), events, (size_t)count);
}

/* ---- Poller --------------------------------------------------------------------------------------- */

typedef struct {
    PyObject_HEAD
    struct rpio_poll *poll;
    atomic_flag waiting;
} Poller;

static PyObject *poller_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    Poller *self = (Poller *)PyType_GenericNew(type, args, kwargs);
    if (!self)
        return NULL;
    atomic_flag_clear(&self->waiting);
    int error = rpio_poll_new(&self->poll);
    if (error < 0) {
        Py_DECREF(self);
        return raise_errno(error, NULL);
    }
    return (PyObject *)self;
}

static void poller_dealloc(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    rpio_poll_free(((Poller *)object)->poll);
    type->tp_free(object);
    Py_DECREF(type);
}

/* add(fd, token, mask) and modify(fd, token, mask). */
static PyObject *poller_control(PyObject *self, PyObject *const *args, Py_ssize_t count,
                                int (*control)(struct rpio_poll *, int, uint32_t, uint32_t))
{
    int n[3];
    if (as_ints(args, count, n, 3) < 0)
        return NULL;
    return none_or_errno(control(((Poller *)self)->poll, n[0], (uint32_t)n[1], (uint32_t)n[2]));
}

static PyObject *poller_add(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    return poller_control(self, args, count, rpio_poll_add);
}

static PyObject *poller_modify(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    return poller_control(self, args, count, rpio_poll_modify);
}

/* These two wait for a read that is under way in the loop's thread, which may want the interpreter next. */

static PyObject *poller_add_edges(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    int n[2], error;
    if (as_ints(args, count, n, 2) < 0)
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    error = rpio_poll_add_edges(((Poller *)self)->poll, n[0], (uint32_t)n[1]);
    Py_END_ALLOW_THREADS
    return none_or_errno(error);
}

static PyObject *poller_remove(PyObject *self, PyObject *fd)
{
    int n, error;
    if (as_int(fd, &n) < 0)
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    error = rpio_poll_remove(((Poller *)self)->poll, n);
    Py_END_ALLOW_THREADS
    return none_or_errno(error);
}

static PyObject *poller_wake(PyObject *self, PyObject *unused)
{
    (void)unused;
    return none_or_errno(rpio_poll_wake(((Poller *)self)->poll));
}

static PyObject *ready_list(const struct rpio_ready *ready, int count)
{
    PyObject *list = PyList_New(count);
    for (int i = 0; list && i < count; i++) {
        PyObject *pair = Py_BuildValue("(II)", (unsigned)ready[i].token, (unsigned)ready[i].mask);
        if (!pair)
            Py_CLEAR(list);
        else
            PyList_SET_ITEM(list, i, pair);
    }
    return list;
}

/* None is for ever; seconds are rounded up to whole milliseconds, so that a wait is never too short. */
static int timeout_ms(PyObject *timeout_s, int *out)
{
    *out = -1;
    if (timeout_s == Py_None)
        return 0;
    double seconds = PyFloat_AsDouble(timeout_s);
    if (seconds == -1.0 && PyErr_Occurred())
        return -1;
    if (!(seconds >= 0.0)) {
        PyErr_SetString(PyExc_ValueError, "timeout_s must not be negative");
        return -1;
    }
    double ms = seconds * 1000.0;
    *out = ms > 2e9 ? 2000000000 : (int)ms + ((double)(int)ms < ms);
    return 0;
}

/* The edges are in the caller's list before any Python code runs, so that an exception of a signal handler loses none. */
static PyObject *batch(const struct state *state, const struct rpio_batch *result, PyObject *edges)
{
    PyObject *read = edge_event_list(state, result->events, result->event_count);
    Py_ssize_t end = PyList_GET_SIZE(edges);
    int error = read ? PyList_SetSlice(edges, end, end, read) : -1;
    Py_XDECREF(read);
    return error < 0 ? NULL : ready_list(result->ready, result->ready_count);
}

static PyObject *poller_wait(PyObject *object, PyObject *const *args, Py_ssize_t nargs)
{
    Poller *self = (Poller *)object;
    struct rpio_batch result;
    int timeout, error;
    if (nargs != 2 || !PyList_Check(args[1])) {
        PyErr_SetString(PyExc_TypeError, "wait() takes a timeout in seconds and a list");
        return NULL;
    }
    if (timeout_ms(args[0], &timeout) < 0)
        return NULL;
    if (atomic_flag_test_and_set(&self->waiting)) {
        PyErr_SetString(PyExc_RuntimeError, "another thread is waiting on this poller");
        return NULL;
    }
    Py_BEGIN_ALLOW_THREADS
    error = rpio_poll_wait(self->poll, timeout, &result);
    Py_END_ALLOW_THREADS
    PyObject *ready = NULL;
    if (error == -EINTR) /* an empty batch, unless a signal handler raises */
        ready = PyErr_CheckSignals() < 0 ? NULL : PyList_New(0);
    else if (error < 0)
        (void)raise_errno(error, NULL);
    else
        ready = batch(PyType_GetModuleState(Py_TYPE(object)), &result, args[1]);
    atomic_flag_clear(&self->waiting);
    return ready;
}

static PyObject *poller_close(PyObject *self, PyObject *unused)
{
    (void)unused;
    rpio_poll_close(((Poller *)self)->poll);
    Py_RETURN_NONE;
}

static PyObject *poller_fileno(PyObject *self, PyObject *unused)
{
    (void)unused;
    return PyLong_FromLong(rpio_poll_fd(((Poller *)self)->poll));
}

static PyMethodDef poller_methods[] = {
    {"add", (PyCFunction)(void (*)(void))poller_add, METH_FASTCALL,
     PyDoc_STR("add($self, fd, token, mask, /)\n--\n\nWatch fd for the epoll events in mask; token > 0 names it.")},
    {"modify", (PyCFunction)(void (*)(void))poller_modify, METH_FASTCALL,
     PyDoc_STR("modify($self, fd, token, mask, /)\n--\n\nChange the events of a watched fd.")},
    {"add_edges", (PyCFunction)(void (*)(void))poller_add_edges, METH_FASTCALL,
     PyDoc_STR("add_edges($self, fd, token, /)\n--\n\nWatch a line; its events are read in wait().")},
    {"remove", poller_remove, METH_O,
     PyDoc_STR("remove($self, fd, /)\n--\n\nStop watching; after this returns, nothing reads fd.")},
    {"wake", poller_wake, METH_NOARGS,
     PyDoc_STR("wake($self, /)\n--\n\nEnd the wait at once; from any thread or signal handler.")},
    {"wait", (PyCFunction)(void (*)(void))poller_wait, METH_FASTCALL,
     PyDoc_STR("wait($self, timeout_s, edges, /)\n--\n\n"
               "Wait, with the GIL released, at most timeout_s seconds (None: for ever).\n\n"
               "Returns [(token, mask), ...], what is ready; appends an EdgeEvent for every edge, in order of time.")},
    {"fileno", poller_fileno, METH_NOARGS, PyDoc_STR("fileno($self, /)\n--\n\nThe epoll descriptor; it nests.")},
    {"close", poller_close, METH_NOARGS, PyDoc_STR("close($self, /)\n--\n\nClose its own descriptors. Twice is fine.")},
    {0},
};

static PyType_Slot poller_slots[] = {
    {Py_tp_doc, PyDoc_STR("Poller()\n--\n\nepoll that reads edge events itself. One thread waits, any may change it.")},
    {Py_tp_new, poller_new},
    {Py_tp_dealloc, poller_dealloc},
    {Py_tp_methods, poller_methods},
    {0},
};

static PyType_Spec poller_spec = {
    .name = "RPIO._gpio.Poller",
    .basicsize = sizeof(Poller),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = poller_slots,
};

/* ---- Pump ----------------------------------------------------------------------------------------- */

/* The pump's thread never wants the interpreter, but its mutex is held while a slow chip is read. */

typedef struct {
    PyObject_HEAD
    struct rpio_pump *pump; /* NULL: closed */
} Pump;

static PyObject *pump_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    Pump *self = (Pump *)PyType_GenericNew(type, args, kwargs);
    if (!self)
        return NULL;
    int error = rpio_pump_new(&self->pump);
    if (error < 0) {
        Py_DECREF(self);
        return raise_errno(error, NULL);
    }
    return (PyObject *)self;
}

static PyObject *pump_close(PyObject *object, PyObject *unused)
{
    Pump *self = (Pump *)object;
    struct rpio_pump *pump = self->pump;
    (void)unused;
    self->pump = NULL;
    Py_BEGIN_ALLOW_THREADS
    rpio_pump_free(pump);
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
}

static void pump_dealloc(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    rpio_pump_free(((Pump *)object)->pump);
    type->tp_free(object);
    Py_DECREF(type);
}

static struct rpio_pump *open_pump(PyObject *object)
{
    struct rpio_pump *pump = ((Pump *)object)->pump;
    if (!pump)
        PyErr_SetString(PyExc_ValueError, "the pump is closed");
    return pump;
}

static PyObject *pump_watch(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    struct rpio_pump *pump = open_pump(self);
    int n[4], result;
    if (!pump || as_ints(args, count, n, 4) < 0)
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    result = rpio_pump_watch(pump, (uint32_t)n[0], n[1], n[2], n[3]);
    Py_END_ALLOW_THREADS
    return result_or_errno(result);
}

static PyObject *pump_unwatch(PyObject *self, PyObject *line)
{
    struct rpio_pump *pump = open_pump(self);
    int n, left;
    if (!pump || as_int(line, &n) < 0)
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    left = rpio_pump_unwatch(pump, (uint32_t)n);
    Py_END_ALLOW_THREADS
    return result_or_errno(left);
}

static PyObject *pump_seq(PyObject *self, PyObject *line)
{
    struct rpio_pump *pump = open_pump(self);
    int64_t seq;
    int n;
    if (!pump || as_int(line, &n) < 0)
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    seq = rpio_pump_seq(pump, (uint32_t)n);
    Py_END_ALLOW_THREADS
    return seq < 0 ? raise_errno((int)seq, NULL) : PyLong_FromLongLong(seq);
}

static PyMethodDef pump_methods[] = {
    {"watch", (PyCFunction)(void (*)(void))pump_watch, METH_FASTCALL,
     PyDoc_STR("watch($self, line, value_fd, edge_fd, edges, /)\n--\n\n"
               "Watch a line, or change its edges; returns the descriptor of its records.")},
    {"unwatch", pump_unwatch, METH_O,
     PyDoc_STR("unwatch($self, line, /)\n--\n\nClose that descriptor; returns how many lines are still watched.")},
    {"seq", pump_seq, METH_O, PyDoc_STR("seq($self, line, /)\n--\n\nNumber of the line's last record.")},
    {"close", pump_close, METH_NOARGS, PyDoc_STR("close($self, /)\n--\n\nEnd the thread. Twice is fine.")},
    {0},
};

static PyType_Slot pump_slots[] = {
    {Py_tp_doc, PyDoc_STR("Pump()\n--\n\nA thread that makes records of edges in /sys/class/gpio.")},
    {Py_tp_new, pump_new},
    {Py_tp_dealloc, pump_dealloc},
    {Py_tp_methods, pump_methods},
    {0},
};

static PyType_Spec pump_spec = {
    .name = "RPIO._gpio.Pump",
    .basicsize = sizeof(Pump),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = pump_slots,
};

/* ---- the module ----------------------------------------------------------------------------------- */

static PyMethodDef module_methods[] = {
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
    {"line_close", line_close, METH_O,
     PyDoc_STR("line_close(line_fd, /)\n--\n\nClose a requested line, and take its grants back.")},
    {"revoke", revoke_channel, METH_O, PyDoc_STR("revoke(channel, /)\n--\n\nTake a grant back.")},
    {"revoke_all", revoke_all, METH_NOARGS, PyDoc_STR("revoke_all()\n--\n\nTake all grants back.")},
    {"on_miss", on_miss, METH_VARARGS,
     PyDoc_STR("on_miss(output, input, /)\n--\n\nWho does what output() and input() cannot.")},
    {"regs_chip", regs_chip, METH_O,
     PyDoc_STR("regs_chip(compatible, /)\n--\n\nRegister block of a device-tree compatible, or None.")},
    {"chip_open", chip_open, METH_O, PyDoc_STR("chip_open(path, /)\n--\n\nDescriptor of a gpiochip.")},
    {"file_watch", file_watch, METH_O,
     PyDoc_STR("file_watch(path, /)\n--\n\nDescriptor that is readable when the file may have been removed.")},
    {"chip_info", chip_info, METH_O, PyDoc_STR("chip_info(chip_fd, /)\n--\n\n(name, label, line_count).")},
    {"line_info", (PyCFunction)(void (*)(void))line_info, METH_FASTCALL,
     PyDoc_STR("line_info(chip_fd, line, /)\n--\n\nDict: name, consumer, used, is_output, active_low, pull (-1: "
               "unknown), edges, debounce_us.")},
    {"line_info_v1", (PyCFunction)(void (*)(void))line_info_v1, METH_FASTCALL,
     PyDoc_STR("line_info_v1(chip_fd, line, /)\n--\n\nThe same on a kernel before 5.10; the pull is unknown.")},
    {"line_request", (PyCFunction)(void (*)(void))line_request, METH_FASTCALL,
     PyDoc_STR("line_request(chip_fd, line, event_buffer_size, direction, value, pull, edges, debounce_us, consumer, "
               "/)\n--\n\nDescriptor of the requested line.")},
    {"line_configure", (PyCFunction)(void (*)(void))line_configure, METH_FASTCALL,
     PyDoc_STR("line_configure(line_fd, direction, value, pull, edges, debounce_us, /)\n--\n\nChange a request.")},
    {"line_read", line_read, METH_O, PyDoc_STR("line_read(line_fd, /)\n--\n\n0 or 1.")},
    {"line_write", (PyCFunction)(void (*)(void))line_write, METH_FASTCALL,
     PyDoc_STR("line_write(line_fd, value, /)\n--\n\nOne ioctl.")},
    {"events_decode", events_decode, METH_O,
     PyDoc_STR("events_decode(bytes, /)\n--\n\nThe kernel's event records as EdgeEvents, 64 at most.")},
    {"event_encode", event_encode, METH_VARARGS,
     PyDoc_STR("event_encode(line, value, timestamp_ns, seq, /)\n--\n\nOne record of 48 bytes.")},
    {"events_read", events_read, METH_O,
     PyDoc_STR("events_read(fd, /)\n--\n\nWhat waits in a non-blocking fd: up to 64 EdgeEvents.")},
    {0},
};

static int module_exec(PyObject *module)
{
    struct state *state = PyModule_GetState(module);
    state->edge_event = PyStructSequence_NewType(&edge_event_desc);
    if (!state->edge_event || PyModule_AddObjectRef(module, "EdgeEvent", (PyObject *)state->edge_event) < 0)
        return -1;
    for (int i = 0; i < 2; i++)
        if (!(state->bit[i] = PyLong_FromLong(i)))
            return -1;
    state->registers = add_type(module, &registers_spec);
    state->poller = state->registers ? add_type(module, &poller_spec) : NULL;
    state->pump = state->poller ? add_type(module, &pump_spec) : NULL;
    return state->pump ? rpio_add_pwm_types(module) : -1;
}

static int module_traverse(PyObject *module, visitproc visit, void *arg)
{
    struct state *state = PyModule_GetState(module);
    Py_VISIT(state->edge_event);
    Py_VISIT(state->registers);
    Py_VISIT(state->poller);
    Py_VISIT(state->soft_pwm);
    Py_VISIT(state->pwm_plan);
    Py_VISIT(state->pump);
    Py_VISIT(state->dma);
    Py_VISIT(state->output_miss);
    Py_VISIT(state->input_miss);
    Py_VISIT(state->bit[0]);
    Py_VISIT(state->bit[1]);
    for (int i = 0; i < GRANT_MAX; i++)
        Py_VISIT(state->grants[i].registers);
    return 0;
}

static int module_clear(PyObject *module)
{
    struct state *state = PyModule_GetState(module);
    Py_CLEAR(state->edge_event);
    Py_CLEAR(state->registers);
    Py_CLEAR(state->poller);
    Py_CLEAR(state->soft_pwm);
    Py_CLEAR(state->pwm_plan);
    Py_CLEAR(state->pump);
    Py_CLEAR(state->dma);
    Py_CLEAR(state->output_miss);
    Py_CLEAR(state->input_miss);
    Py_CLEAR(state->bit[0]);
    Py_CLEAR(state->bit[1]);
    for (int i = 0; i < GRANT_MAX; i++)
        Py_CLEAR(state->grants[i].registers);
    return 0;
}

static PyModuleDef_Slot module_slots[] = {{Py_mod_exec, module_exec}, {0}};

static struct PyModuleDef module_def = {
    PyModuleDef_HEAD_INIT,
    .m_name = "RPIO._gpio",
    .m_doc = PyDoc_STR("The C core of RPIO: registers, gpiochips, edge events, PWM. See source/c_gpio/gpio.h."),
    .m_size = sizeof(struct state),
    .m_methods = module_methods,
    .m_slots = module_slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
};

PyMODINIT_FUNC PyInit__gpio(void);

PyMODINIT_FUNC PyInit__gpio(void)
{
    return PyModuleDef_Init(&module_def);
}
