/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * module_apart.c - a call in a thread where no signal handler runs, for which the caller waits.
 *
 * What a handler raises in the middle of an import is lost now and then: Python's import machinery prints what comes out
 * of one of its callbacks, or fails with a KeyError of its own next time; and what the handler calls finds modules that
 * are half there. So the first use of a part of the library loads it apart. Handlers run while the caller waits: what
 * one raises comes out of the wait, and the loading goes on; what one calls waits for the same modules, as threads do.
 *
 * The program's own imports cannot be had apart, "import RPIO" for one. A handler that raises in the wrong instant of one
 * leaves a lock of the import machinery held by its thread, which only that thread can import with then: so where the
 * lock of all is held, or it takes too long, the caller does it himself.
 */
#include "module.h"

#include <unistd.h>

typedef struct {
    PyObject_HEAD
    PyObject *function, *args;
    PyObject *result, *error; /* one of them, when it is over */
    PyThread_type_lock over;  /* held until then */
} Errand;

enum { PATIENCE_US = 10 * 1000 * 1000 };

/* Whether somebody holds the lock of all imports: for a moment, or for good. */
static int is_locked(void)
{
    PyObject *imp = PyImport_ImportModule("_imp");
    PyObject *held = imp ? PyObject_CallMethod(imp, "lock_held", NULL) : NULL;
    int result = held == Py_True;
    Py_XDECREF(imp);
    Py_XDECREF(held);
    PyErr_Clear();
    return result;
}

static int is_ending(void)
{
#if PY_VERSION_HEX >= 0x030d0000
    return Py_IsFinalizing();
#else
    return _Py_IsFinalizing();
#endif
}

static PyObject *errand_call(PyObject *object, PyObject *args, PyObject *kwargs)
{
    Errand *self = (Errand *)object;
    (void)args;
    (void)kwargs;
    self->result = PyObject_CallObject(self->function, self->args);
    if (!self->result) {
        PyObject *type, *traceback;
        PyErr_Fetch(&type, &self->error, &traceback);
        PyErr_NormalizeException(&type, &self->error, &traceback);
        if (traceback)
            (void)PyException_SetTraceback(self->error, traceback);
        Py_XDECREF(type);
        Py_XDECREF(traceback);
    }
    PyThread_release_lock(self->over);
    Py_RETURN_NONE;
}

static void errand_dealloc(PyObject *object)
{
    Errand *self = (Errand *)object;
    PyTypeObject *type = Py_TYPE(object);
    Py_XDECREF(self->function);
    Py_XDECREF(self->args);
    Py_XDECREF(self->result);
    Py_XDECREF(self->error);
    if (self->over)
        PyThread_free_lock(self->over);
    type->tp_free(object);
    Py_DECREF(type);
}

static PyType_Slot errand_slots[] = {
    {Py_tp_doc, PyDoc_STR("What a thread of apart() calls.")},
    {Py_tp_dealloc, errand_dealloc},
    {Py_tp_call, errand_call},
    {0},
};

static PyType_Spec errand_spec = {
    .name = "RPIO._gpio.Errand",
    .basicsize = sizeof(Errand),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = errand_slots,
};

static Errand *begin(PyTypeObject *type, PyObject *function, PyObject *args)
{
    Errand *self = (Errand *)type->tp_alloc(type, 0);
    if (!self)
        return NULL;
    self->function = Py_NewRef(function);
    self->args = Py_NewRef(args);
    self->over = PyThread_allocate_lock();
    if (!self->over) {
        Py_DECREF(self);
        (void)PyErr_NoMemory();
        return NULL;
    }
    (void)PyThread_acquire_lock(self->over, WAIT_LOCK);
    PyObject *thread = PyImport_ImportModule("_thread");
    PyObject *begun = thread ? PyObject_CallMethod(thread, "start_new_thread", "O()", self) : NULL;
    Py_XDECREF(thread);
    Py_XDECREF(begun);
    if (!begun) {
        PyThread_release_lock(self->over);
        Py_DECREF(self);
        return NULL;
    }
    return self;
}

/* Wait until it is over. 1: it is not, and takes too long; -1: a handler has raised meanwhile. */
static int wait_for(Errand *self)
{
    PyLockStatus status;
    do {
        Py_BEGIN_ALLOW_THREADS;
        status = PyThread_acquire_lock_timed(self->over, PATIENCE_US, 1);
        Py_END_ALLOW_THREADS;
        if (status == PY_LOCK_INTR && PyErr_CheckSignals() < 0)
            return -1;
    } while (status == PY_LOCK_INTR);
    if (status == PY_LOCK_FAILURE)
        return 1;
    PyThread_release_lock(self->over);
    return 0;
}

static PyObject *apart(PyObject *module, PyObject *args)
{
    struct state *state = PyModule_GetState(module);
    if (PyTuple_GET_SIZE(args) < 1)
        return PyErr_Format(PyExc_TypeError, "apart() takes a function, and what it is called with");
    PyObject *function = PyTuple_GET_ITEM(args, 0);
    PyObject *rest = PyTuple_GetSlice(args, 1, PyTuple_GET_SIZE(args)), *result = NULL;
    if (!rest)
        return NULL;
    /* Another thread than the main one has no handlers. */
    int is_apart = gettid() == getpid() && !is_ending() && !is_locked();
    Errand *errand = is_apart ? begin(state->errand, function, rest) : NULL;
    int is_left = errand ? wait_for(errand) : 1;
    if (is_left > 0) { /* or there is no room for one more thread */
        PyErr_Clear();
        result = PyObject_CallObject(function, rest);
    } else if (is_left == 0 && errand->error) {
        PyErr_SetObject((PyObject *)Py_TYPE(errand->error), errand->error);
    } else if (is_left == 0) {
        result = Py_XNewRef(errand->result);
    }
    Py_XDECREF(errand);
    Py_DECREF(rest);
    return result;
}

static PyMethodDef methods[] = {
    {"apart", apart, METH_VARARGS,
     PyDoc_STR("Call function(*args) where no signal handler runs, and wait for it. Return what it does, or raise it.")},
    {0},
};

int rpio_add_apart(PyObject *module)
{
    struct state *state = PyModule_GetState(module);
    state->errand = (PyTypeObject *)PyType_FromModuleAndSpec(module, &errand_spec, NULL);
    return state->errand ? PyModule_AddFunctions(module, methods) : -1;
}
