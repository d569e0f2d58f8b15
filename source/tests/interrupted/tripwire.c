/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Interrupts a call at a moment that a test chooses, and lets CPython itself decide where the handler runs.
 *
 * Moments are the bytecodes of everything that the call runs in this thread, counted from 1. At the chosen one a signal
 * is *pending*, as after kill(2); the interpreter looks for it where it always does (after RESUME, CALL and so on), so
 * an exception of the handler is raised at a place, and is seen by an except or finally clause, exactly as in a
 * program. A tracer that raised by itself would do so at the next bytecode, which may lie behind the clause.
 * Or a function is called at the moment, between two bytecodes, where no signal handler could run.
 *
 * Its locks tell when somebody begins to wait for one: that another thread gets no further is known, and not guessed
 * after some time. They are C, so that they have no bytecodes. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <frameobject.h>

static struct {
    long moment, count, heard;
    int signal;
    PyObject *function;  /* called at the moment; NULL: the signal is sent */
    PyCodeObject *handler; /* of the signal: where it begins, the counting ends */
    const char *folder;    /* of the files whose bytecodes count; NULL: all */
} wire;

static int counts(PyCodeObject *code)
{
    if (!wire.folder)
        return 1;
    const char *file = PyUnicode_AsUTF8(code->co_filename);
    PyErr_Clear();
    return file && strncmp(file, wire.folder, strlen(wire.folder)) == 0;
}

/* From the frame's first one on. Python 3.13 counts from now on where the frame has a tracer of its own, which is called
 * by a tracer in Python alone; without one it counts from the next call of the same code on. */
static int count_bytecodes(PyObject *frame)
{
    return PyObject_SetAttrString(frame, "f_trace_lines", Py_False) < 0 ||
                   PyObject_SetAttrString(frame, "f_trace", Py_True) < 0 ||
                   PyObject_SetAttrString(frame, "f_trace_opcodes", Py_True) < 0
               ? -1
               : 0;
}

static int tracer(PyObject *unused, PyFrameObject *frame, int what, PyObject *argument)
{
    (void)unused;
    (void)argument;
    if (what == PyTrace_CALL) {
        PyCodeObject *code = PyFrame_GetCode(frame);
        int is_handler = code == wire.handler, is_counted = counts(code);
        Py_DECREF(code);
        if (is_handler) {
            wire.heard = wire.count;
            PyEval_SetTrace(NULL, NULL);
            return 0;
        }
        if (!is_counted)
            return 0;
        return count_bytecodes((PyObject *)frame);
    }
    if (what != PyTrace_OPCODE || ++wire.count != wire.moment)
        return 0;
    if (!wire.function)
        return PyErr_SetInterruptEx(wire.signal);
    wire.heard = wire.count;
    PyObject *result = PyObject_CallNoArgs(wire.function);
    if (!result)
        return -1;
    Py_DECREF(result);
    return 0;
}

static PyObject *run(PyObject *call, long moment)
{
    wire.moment = moment;
    wire.count = wire.heard = 0;
    PyEval_SetTrace(tracer, NULL);
    PyObject *result = PyObject_CallNoArgs(call);
    if (PyErr_Occurred()) {
        PyEval_SetTrace(NULL, NULL);
        return result;
    }
    if (result && (PyErr_CheckSignals() < 0 || Py_MakePendingCalls() < 0)) /* it came with the last bytecode */
        Py_CLEAR(result);
    PyEval_SetTrace(NULL, NULL);
    return result;
}

/* signal_at(call, moment, signal, handler's code) */
static PyObject *signal_at(PyObject *module, PyObject *args)
{
    PyObject *call, *handler;
    long moment;
    int number;
    (void)module;
    if (!PyArg_ParseTuple(args, "OliO!", &call, &moment, &number, &PyCode_Type, &handler))
        return NULL;
    wire.signal = number;
    wire.folder = NULL;
    wire.function = NULL;
    wire.handler = (PyCodeObject *)handler;
    return run(call, moment);
}

/* call_at(call, moment, function, folder=None) */
static PyObject *call_at(PyObject *module, PyObject *args)
{
    PyObject *call, *function;
    const char *folder = NULL;
    long moment;
    (void)module;
    if (!PyArg_ParseTuple(args, "OlO|z", &call, &moment, &function, &folder))
        return NULL;
    wire.folder = folder;
    wire.function = function;
    wire.handler = NULL;
    PyObject *result = run(call, moment);
    wire.function = NULL;
    wire.folder = NULL;
    return result;
}

static PyObject *heard(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    return PyLong_FromLong(wire.heard);
}

static PyObject *counted(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    return PyLong_FromLong(wire.count);
}

/* ---- locks ----------------------------------------------------------------------------------------------- */

typedef struct {
    PyObject_HEAD
    PyObject *inner;
} Lock;

static PyObject *on_wait; /* called in the thread that is about to wait; NULL: nobody wants to know */

static PyObject *lock_acquire(PyObject *object, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"blocking", "timeout", NULL};
    PyObject *inner = ((Lock *)object)->inner;
    int blocking = 1;
    double timeout_s = -1.0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|pd", names, &blocking, &timeout_s))
        return NULL;
    PyObject *result = PyObject_CallMethod(inner, "acquire", "O", Py_False);
    if (result != Py_False || !blocking || timeout_s == 0.0)
        return result;
    Py_DECREF(result);
    if (on_wait) {
        PyObject *told = PyObject_CallNoArgs(on_wait);
        if (!told)
            return NULL;
        Py_DECREF(told);
    }
    return PyObject_CallMethod(inner, "acquire", "Od", Py_True, timeout_s);
}

static PyObject *lock_enter(PyObject *object, PyObject *unused)
{
    (void)unused;
    PyObject *none = PyTuple_New(0);
    PyObject *result = none ? lock_acquire(object, none, NULL) : NULL;
    Py_XDECREF(none);
    return result;
}

static PyObject *lock_release(PyObject *object, PyObject *unused)
{
    (void)unused;
    return PyObject_CallMethod(((Lock *)object)->inner, "release", NULL);
}

static PyObject *lock_getattr(PyObject *object, PyObject *name) /* what threading.Condition uses, and forks */
{
    PyObject *found = PyObject_GenericGetAttr(object, name);
    if (found || !PyErr_ExceptionMatches(PyExc_AttributeError))
        return found;
    PyErr_Clear();
    return PyObject_GetAttr(((Lock *)object)->inner, name);
}

static void lock_dealloc(PyObject *object)
{
    Py_DECREF(((Lock *)object)->inner);
    Py_TYPE(object)->tp_free(object);
}

static PyMethodDef lock_methods[] = {
    {"acquire", (PyCFunction)(void (*)(void))lock_acquire, METH_VARARGS | METH_KEYWORDS, PyDoc_STR("As a lock's.")},
    {"release", lock_release, METH_NOARGS, PyDoc_STR("As a lock's.")},
    {"__enter__", lock_enter, METH_NOARGS, PyDoc_STR("As a lock's.")},
    {"__exit__", lock_release, METH_VARARGS, PyDoc_STR("As a lock's.")},
    {NULL, NULL, 0, NULL},
};

static PyTypeObject lock_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "tripwire.Lock",
    .tp_basicsize = sizeof(Lock),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_methods = lock_methods,
    .tp_getattro = lock_getattr,
    .tp_dealloc = lock_dealloc,
};

/* told_of(lock) */
static PyObject *told_of(PyObject *module, PyObject *inner)
{
    (void)module;
    Lock *self = PyObject_New(Lock, &lock_type);
    if (self)
        self->inner = Py_NewRef(inner);
    return (PyObject *)self;
}

/* tell(function or None) */
static PyObject *tell(PyObject *module, PyObject *function)
{
    (void)module;
    PyObject *before = on_wait;
    on_wait = function == Py_None ? NULL : Py_NewRef(function);
    Py_XDECREF(before);
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"signal_at", signal_at, METH_VARARGS, PyDoc_STR("Call, with a signal pending from that bytecode on.")},
    {"call_at", call_at, METH_VARARGS, PyDoc_STR("Call, and call a function before that bytecode.")},
    {"told_of", told_of, METH_O, PyDoc_STR("Return that lock, as one who waits for which is told of.")},
    {"tell", tell, METH_O, PyDoc_STR("Have a function called in each thread that is about to wait; None: no longer.")},
    {"heard", heard, METH_NOARGS, PyDoc_STR("The bytecode before which the handler ran; 0: it did not.")},
    {"counted", counted, METH_NOARGS, PyDoc_STR("How many bytecodes there were, until the handler ran or to the end.")},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "tripwire", .m_size = -1, .m_methods = methods};

PyMODINIT_FUNC PyInit_tripwire(void)
{
    /* Python 3.12 looks whether there has been such a frame when a tracer is set, and not later. */
    PyObject *frame = (PyObject *)PyEval_GetFrame();
    if (frame && (PyObject_SetAttrString(frame, "f_trace_opcodes", Py_True) < 0 ||
                  PyObject_SetAttrString(frame, "f_trace_opcodes", Py_False) < 0))
        return NULL;
    return PyType_Ready(&lock_type) < 0 ? NULL : PyModule_Create(&definition);
}
