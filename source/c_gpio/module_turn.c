/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * module_turn.c - whose turn it is: a lock that its thread may take again, for where nearly always nobody else wants it.
 *
 * A lock of Python's asks the clock each time that it is taken (3.11: thread_pthread.h), which is a system call where the
 * kernel has no vDSO, and more than a call on a bus may cost over what it does. Here that is a comparison: the interpreter's
 * own lock guards the numbers below. Who finds it taken waits at a gate, which whoever releases it opens for one of those
 * who wait; one that was quicker may come before them, and they wait again.
 */
#include "module.h"

#include <math.h>
#include <time.h>

typedef struct {
    PyObject_HEAD
    PyThread_type_lock gate; /* locked, but between a release and the first who comes through */
    unsigned long owner;     /* while depth > 0 */
    unsigned long depth;
    unsigned long waiting;
    int is_open; /* the gate */
} Turn;

static PyThread_type_lock new_gate(void)
{
    PyThread_type_lock gate = PyThread_allocate_lock();
    if (!gate)
        (void)PyErr_NoMemory();
    else
        PyThread_acquire_lock(gate, NOWAIT_LOCK);
    return gate;
}

static PyObject *turn_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    if (!PyArg_ParseTuple(args, ":Turn") || (kwargs && PyDict_GET_SIZE(kwargs) > 0))
        return PyErr_Occurred() ? NULL : PyErr_Format(PyExc_TypeError, "Turn() takes no arguments");
    Turn *self = (Turn *)type->tp_alloc(type, 0);
    if (!self)
        return NULL;
    self->gate = new_gate();
    if (!self->gate) {
        Py_DECREF(self);
        return NULL;
    }
    return (PyObject *)self;
}

static void turn_dealloc(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    Turn *self = (Turn *)object;
    if (self->gate) {
        if (!self->is_open)
            PyThread_release_lock(self->gate);
        PyThread_free_lock(self->gate);
    }
    type->tp_free(object);
    Py_DECREF(type);
}

/* Whether it is taken now, and nobody had to be waited for. */
static int take(Turn *self, unsigned long me)
{
    if (self->depth > 0 && self->owner != me)
        return 0;
    self->owner = me;
    self->depth++;
    return 1;
}

static double monotonic_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

/* Wait for it until a time of the monotonic clock, in microseconds; for ever where that is negative. 1: taken; 0: too
 * late; -1: a signal handler has raised. */
static int wait_for(Turn *self, unsigned long me, double until_us)
{
    int result = 0;
    self->waiting++;
    while (!take(self, me)) {
        double left_us = until_us < 0.0 ? -1.0 : until_us - monotonic_us();
        if (until_us >= 0.0 && left_us <= 0.0)
            goto end;
        PyThread_type_lock gate = self->gate;
        PyLockStatus status;
        Py_BEGIN_ALLOW_THREADS
        status = PyThread_acquire_lock_timed(gate, left_us < 0.0 ? -1 : (PY_TIMEOUT_T)ceil(left_us), 1);
        Py_END_ALLOW_THREADS
        if (status == PY_LOCK_ACQUIRED)
            self->is_open = 0;
        else if (status == PY_LOCK_INTR && PyErr_CheckSignals() < 0) {
            result = -1;
            goto end;
        }
    }
    result = 1;
end:
    self->waiting--;
    return result;
}

static PyObject *turn_enter(PyObject *object, PyObject *unused)
{
    Turn *self = (Turn *)object;
    unsigned long me = PyThread_get_thread_ident();
    (void)unused;
    if (!take(self, me) && wait_for(self, me, -1.0) < 0)
        return NULL;
    Py_RETURN_TRUE;
}

static PyObject *turn_acquire(PyObject *object, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"blocking", "timeout", NULL};
    Turn *self = (Turn *)object;
    unsigned long me = PyThread_get_thread_ident();
    int blocking = 1;
    double timeout_s = -1.0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|pd:acquire", names, &blocking, &timeout_s))
        return NULL;
    if (take(self, me))
        Py_RETURN_TRUE;
    if (!blocking)
        Py_RETURN_FALSE;
    int result = wait_for(self, me, timeout_s < 0.0 ? -1.0 : monotonic_us() + fmin(timeout_s, 1e9) * 1e6);
    return result < 0 ? NULL : PyBool_FromLong(result);
}

static PyObject *turn_release(PyObject *object, PyObject *ignored)
{
    Turn *self = (Turn *)object;
    (void)ignored;
    if (self->depth == 0 || self->owner != PyThread_get_thread_ident())
        return PyErr_Format(PyExc_RuntimeError, "it is not this thread's turn");
    if (--self->depth == 0 && self->waiting > 0 && !self->is_open) {
        self->is_open = 1;
        PyThread_release_lock(self->gate);
    }
    Py_RETURN_NONE;
}

/* In the child of a fork: who had it, or waited for it, is not here, unless that is the thread which forked. The old gate
 * may be in whatever state: it is left. */
static PyObject *turn_reinit(PyObject *object, PyObject *unused)
{
    Turn *self = (Turn *)object;
    (void)unused;
    PyThread_type_lock gate = new_gate();
    if (!gate)
        return NULL;
    self->gate = gate;
    if (self->owner != PyThread_get_thread_ident())
        self->depth = 0;
    self->waiting = 0;
    self->is_open = 0;
    Py_RETURN_NONE;
}

static PyMethodDef turn_methods[] = {
    {"__enter__", turn_enter, METH_NOARGS, PyDoc_STR("__enter__($self, /)\n--\n\nTake it; wait for who has it.")},
    {"__exit__", turn_release, METH_VARARGS, PyDoc_STR("__exit__($self, /, *error)\n--\n\nRelease it.")},
    {"acquire", (PyCFunction)(void (*)(void))turn_acquire, METH_VARARGS | METH_KEYWORDS,
     PyDoc_STR("acquire($self, /, blocking=True, timeout=-1)\n--\n\nTake it; whether it is taken.")},
    {"release", turn_release, METH_NOARGS, PyDoc_STR("release($self, /)\n--\n\nRelease it. RuntimeError: another thread has it.")},
    {"_at_fork_reinit", turn_reinit, METH_NOARGS,
     PyDoc_STR("_at_fork_reinit($self, /)\n--\n\nIn the child of a fork: nobody has it.")},
    {0},
};

static PyType_Slot turn_slots[] = {
    {Py_tp_doc,
     PyDoc_STR("Turn()\n--\n\nA lock that its thread may take again, as threading.RLock; quicker where nobody waits for it.")},
    {Py_tp_new, turn_new},
    {Py_tp_dealloc, turn_dealloc},
    {Py_tp_methods, turn_methods},
    {0},
};

static PyType_Spec turn_spec = {
    .name = "RPIO._gpio.Turn",
    .basicsize = sizeof(Turn),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = turn_slots,
};

int rpio_add_turn(PyObject *module)
{
    PyTypeObject *type = add_type(module, &turn_spec);
    Py_XDECREF(type);
    return type ? 0 : -1;
}
