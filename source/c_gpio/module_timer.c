/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * module_timer.c - Timer: a descriptor that becomes readable when a time is over, for a loop that waits for descriptors.
 *
 * It is an object, so that an exception of a signal handler, which may come wherever Python code runs, leaves no
 * descriptor that nobody knows; and it is opened before it is needed, when there may be no descriptor left.
 */
#include "module.h"

#include <stdint.h>
#include <sys/timerfd.h>
#include <unistd.h>

typedef struct {
    PyObject_HEAD
    struct descriptors open;
} Timer;

static PyObject *timer_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    Timer *self = (Timer *)PyType_GenericNew(type, args, kwargs);
    if (!self)
        return NULL;
    self->open = (struct descriptors){.fd = {timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK), -1}};
    int error = self->open.fd[0] < 0 ? errno : 0;
    rpio_descriptors_note(PyType_GetModuleState(type), &self->open);
    if (error != 0) {
        Py_DECREF(self);
        return raise_errno(-error, NULL);
    }
    return (PyObject *)self;
}

static void timer_dealloc(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    rpio_descriptors_end(PyType_GetModuleState(type), &((Timer *)object)->open);
    type->tp_free(object);
    Py_DECREF(type);
}

static PyObject *timer_close(PyObject *object, PyObject *unused)
{
    (void)unused;
    rpio_descriptors_close(&((Timer *)object)->open);
    Py_RETURN_NONE;
}

static PyObject *timer_fileno(PyObject *object, PyObject *unused)
{
    (void)unused;
    return PyLong_FromLong(((Timer *)object)->open.fd[0]);
}

static PyObject *timer_start(PyObject *object, PyObject *seconds)
{
    double after_s = PyFloat_AsDouble(seconds);
    if (after_s == -1.0 && PyErr_Occurred())
        return NULL;
    if (!(after_s > 0.0 && after_s < 1e9)) {
        PyErr_SetString(PyExc_ValueError, "a timer runs for more than 0 and less than 1e9 seconds");
        return NULL;
    }
    struct itimerspec when = {.it_value = {.tv_sec = (time_t)after_s}};
    when.it_value.tv_nsec = (long)((after_s - (double)when.it_value.tv_sec) * 1e9);
    if (when.it_value.tv_sec == 0 && when.it_value.tv_nsec == 0)
        when.it_value.tv_nsec = 1; /* 0 would switch it off */
    return none_or_errno(timerfd_settime(((Timer *)object)->open.fd[0], 0, &when, NULL) < 0 ? -errno : 0);
}

static PyObject *timer_over(PyObject *object, PyObject *unused)
{
    uint64_t times;
    (void)unused;
    return PyBool_FromLong(read(((Timer *)object)->open.fd[0], &times, sizeof times) == (ssize_t)sizeof times);
}

static PyMethodDef timer_methods[] = {
    {"start", timer_start, METH_O,
     PyDoc_STR("start($self, seconds, /)\n--\n\nBegin anew: the descriptor is readable after so long, until over().")},
    {"over", timer_over, METH_NOARGS,
     PyDoc_STR("over($self, /)\n--\n\nWhether the time is over; tells it once. Never blocks.")},
    {"fileno", timer_fileno, METH_NOARGS, PyDoc_STR("fileno($self, /)\n--\n\nThe descriptor; -1 when closed.")},
    {"close", timer_close, METH_NOARGS, PyDoc_STR("close($self, /)\n--\n\nClose the descriptor. Twice is fine.")},
    {0},
};

static PyType_Slot timer_slots[] = {
    {Py_tp_doc, PyDoc_STR("Timer()\n--\n\nA descriptor that becomes readable when a time is over: timerfd_create(2).")},
    {Py_tp_new, timer_new},
    {Py_tp_dealloc, timer_dealloc},
    {Py_tp_methods, timer_methods},
    {0},
};

static PyType_Spec timer_spec = {
    .name = "RPIO._gpio.Timer",
    .basicsize = sizeof(Timer),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = timer_slots,
};

int rpio_add_timer(PyObject *module)
{
    PyTypeObject *timer = add_type(module, &timer_spec);
    Py_XDECREF(timer); /* the module has it */
    return timer ? 0 : -1;
}
