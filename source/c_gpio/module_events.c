/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * module_events.c - edges as Python sees them: EdgeEvent, Poller (the wait of the loop, with the interpreter's lock
 * released; it is taken once for everything that a wait has brought), and Pump (sysfs's edges).
 */
#include "module.h"

#include <stdatomic.h>

/* ---- edge events --------------------------------------------------------------------------------------- */

static PyStructSequence_Field edge_event_fields[] = {
    {"line", "number of the line on its chip (the BCM number on a Raspberry Pi)"},
    {"value", "1 after a rising edge, 0 after a falling one"},
    {"timestamp_ns", "CLOCK_MONOTONIC in nanoseconds, taken in the kernel's interrupt handler"},
    {"seq", "number of the event on its line, from 1; a gap is what was lost"},
    {"token", "what Poller.add_edges() was given; no part of the tuple"},
    {0},
};

static PyStructSequence_Desc edge_event_desc = {
    .name = "RPIO.EdgeEvent", /* where pickle finds it */
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
    PyStructSequence_SetItem(object, 4, PyLong_FromUnsignedLongLong(event->token));
    if (PyErr_Occurred())
        Py_CLEAR(object);
    return object;
}

/* The number of an event's field, which whoever makes one may have put anything into. */
static unsigned long long field_of(PyObject *event, Py_ssize_t field)
{
    PyObject *number = PyStructSequence_GetItem(event, field); /* borrowed; NULL where the sequence had no fifth one */
    return number && number != Py_None ? PyLong_AsUnsignedLongLongMask(number) : 0;
}

int rpio_as_event(const struct state *state, PyObject *object, struct rpio_event *out)
{
    if (Py_TYPE(object) != state->edge_event) {
        PyErr_Format(PyExc_TypeError, "an EdgeEvent is expected, not %.200s", Py_TYPE(object)->tp_name);
        return -1;
    }
    *out = (struct rpio_event){
        .line = (uint32_t)field_of(object, 0),
        .value = field_of(object, 1) != 0,
        .timestamp_ns = field_of(object, 2),
        .seq = (uint32_t)field_of(object, 3),
        .token = field_of(object, 4),
    };
    return PyErr_Occurred() ? -1 : 0;
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
    struct state *state = PyModule_GetState(module);
    struct rpio_event events[RPIO_EVENT_BATCH];
    int n, count;
    if (as_int(fd, &n) < 0)
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    int read;
    do { /* none left of those that were read is not none that waits */
        read = rpio_event_read(n, events);
        count = read > 0 ? rpio_numbers_apply(state->numbers, n, events, read) : read;
    } while (read > 0 && count == 0);
    Py_END_ALLOW_THREADS
    return count < 0 ? raise_errno(count, NULL) : edge_event_list(state, events, (size_t)count);
}

/* ---- Poller -------------------------------------------------------------------------------------------- */

typedef struct {
    PyObject_HEAD
    struct rpio_poll *poll;
    atomic_uint waiting; /* 0 or 1; no byte, as a flag is: ARMv6 has no instruction that exchanges bytes */
} Poller;

static PyObject *poller_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    Poller *self = (Poller *)PyType_GenericNew(type, args, kwargs);
    if (!self)
        return NULL;
    atomic_init(&self->waiting, 0u);
    int error = rpio_poll_new(&self->poll);
    if (error < 0) {
        Py_DECREF(self);
        return raise_errno(error, NULL);
    }
    rpio_poll_number(self->poll, ((struct state *)PyType_GetModuleState(type))->numbers);
    return (PyObject *)self;
}

static void poller_dealloc(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    rpio_poll_free(((Poller *)object)->poll);
    type->tp_free(object);
    Py_DECREF(type);
}

/* fd and token, the first two arguments of what watches something, of which there are `wanted`. */
static int as_watch(PyObject *const *args, Py_ssize_t given, Py_ssize_t wanted, int *fd, uint64_t *token)
{
    if (check_count(given, wanted) < 0 || as_int(args[0], fd) < 0)
        return -1;
    *token = PyLong_AsUnsignedLongLong(args[1]);
    return PyErr_Occurred() ? -1 : 0;
}

/* add(fd, token, mask) and modify(fd, token, mask). */
static PyObject *poller_control(PyObject *self, PyObject *const *args, Py_ssize_t count,
                                int (*control)(struct rpio_poll *, int, uint64_t, uint32_t))
{
    int fd, mask;
    uint64_t token;
    if (as_watch(args, count, 3, &fd, &token) < 0 || as_int(args[2], &mask) < 0)
        return NULL;
    return none_or_errno(control(((Poller *)self)->poll, fd, token, (uint32_t)mask));
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

static PyObject *poller_add_edges(PyObject *self, PyObject *const *args, Py_ssize_t given)
{
    int fd, error, is_quiet = 0;
    uint64_t token;
    struct rpio_tap *taps = NULL;
    size_t count = 0;
    if (given == 4) {
        is_quiet = PyObject_IsTrue(args[3]);
        if (is_quiet < 0 || rpio_as_taps(PyType_GetModuleState(Py_TYPE(self)), args[2], &taps, &count) < 0)
            return NULL;
    }
    if (as_watch(args, given == 4 ? 2 : given, 2, &fd, &token) < 0) {
        rpio_taps_drop(taps, count);
        return NULL;
    }
    Py_BEGIN_ALLOW_THREADS
    error = rpio_poll_add_counted(((Poller *)self)->poll, fd, token, taps, count, is_quiet);
    rpio_taps_drop(taps, count);
    Py_END_ALLOW_THREADS
    return none_or_errno(error);
}

static PyObject *poller_count(PyObject *self, PyObject *const *args, Py_ssize_t given)
{
    struct rpio_counted counted;
    struct rpio_tap *taps;
    size_t count;
    int fd, error;
    if (check_count(given, 4) < 0 || as_int(args[0], &fd) < 0)
        return NULL;
    int is_quiet = PyObject_IsTrue(args[2]);
    unsigned long seen = is_quiet < 0 ? 0 : PyLong_AsUnsignedLongMask(args[3]);
    if (PyErr_Occurred() || rpio_as_taps(PyType_GetModuleState(Py_TYPE(self)), args[1], &taps, &count) < 0)
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    error = rpio_poll_count(((Poller *)self)->poll, fd, taps, count, is_quiet, (uint32_t)seen, &counted);
    rpio_taps_drop(taps, count);
    Py_END_ALLOW_THREADS
    if (error < 0)
        return raise_errno(error, NULL);
    return Py_BuildValue("kK", (unsigned long)counted.seq, (unsigned long long)counted.lost);
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

static PyObject *poller_park(PyObject *self, PyObject *fd)
{
    int n, result;
    if (as_int(fd, &n) < 0)
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    result = rpio_poll_park(((Poller *)self)->poll, n);
    Py_END_ALLOW_THREADS
    return result < 0 ? raise_errno(result, NULL) : PyBool_FromLong(result);
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
        PyObject *pair = Py_BuildValue("(KI)", (unsigned long long)ready[i].token, (unsigned)ready[i].mask);
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
    if (atomic_exchange(&self->waiting, 1u)) {
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
    atomic_store(&self->waiting, 0u);
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
     PyDoc_STR("add($self, fd, token, mask, /)\n--\n\nWatch fd for the epoll events in mask; token, from 1 to 2**63 - 1, names it.")},
    {"modify", (PyCFunction)(void (*)(void))poller_modify, METH_FASTCALL,
     PyDoc_STR("modify($self, fd, token, mask, /)\n--\n\nChange the events of a watched fd.")},
    {"add_edges", (PyCFunction)(void (*)(void))poller_add_edges, METH_FASTCALL,
     PyDoc_STR("add_edges($self, fd, token, taps=(), is_quiet=False, /)\n--\n\nWatch a line; its events are read in "
               "wait(). (tally, place), ... count them there; where that is_quiet, wait() has none of them.")},
    {"count", (PyCFunction)(void (*)(void))poller_count, METH_FASTCALL,
     PyDoc_STR("count($self, fd, taps, is_quiet, seen, /)\n--\n\nHave a line's events counted by these; seen is the number "
               "of the last one that was seen here. (number of the last one read, how many were missing unheard).")},
    {"remove", poller_remove, METH_O,
     PyDoc_STR("remove($self, fd, /)\n--\n\nStop watching; after this returns, nothing reads fd.")},
    {"park", poller_park, METH_O,
     PyDoc_STR("park($self, fd, /)\n--\n\nEnd the watch of a line that stays open until remove(), for add_edges() to go "
               "on with. Whether a thread waits, and reads what is left.")},
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

/* ---- Pump ---------------------------------------------------------------------------------------------- */

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

/* ---- all of them --------------------------------------------------------------------------------------- */

static PyMethodDef methods[] = {
    {"events_decode", events_decode, METH_O,
     PyDoc_STR("events_decode(bytes, /)\n--\n\nThe kernel's event records as EdgeEvents, 64 at most.")},
    {"event_encode", event_encode, METH_VARARGS,
     PyDoc_STR("event_encode(line, value, timestamp_ns, seq, /)\n--\n\nOne record of 48 bytes.")},
    {"events_read", events_read, METH_O,
     PyDoc_STR("events_read(fd, /)\n--\n\nWhat waits in a non-blocking fd: up to 64 EdgeEvents.")},
    {0},
};

int rpio_add_events(PyObject *module)
{
    struct state *state = PyModule_GetState(module);
    state->edge_event = PyStructSequence_NewType(&edge_event_desc);
    if (!state->edge_event || PyModule_AddObjectRef(module, "EdgeEvent", (PyObject *)state->edge_event) < 0)
        return -1;
    state->poller = add_type(module, &poller_spec);
    state->pump = state->poller ? add_type(module, &pump_spec) : NULL;
    return state->pump ? PyModule_AddFunctions(module, methods) : -1;
}
