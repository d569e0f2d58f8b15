/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Interrupts a call at a moment that a test chooses, and lets CPython itself decide where the handler runs.
 *
 * Moments are the bytecodes of everything that the call runs in this thread, counted from 1. At the chosen one a signal
 * is *pending*, as after kill(2); the interpreter looks for it where it always does (after RESUME, CALL and so on), so
 * an exception of the handler is raised at a place, and is seen by an except or finally clause, exactly as in a
 * program. A tracer that raised by itself would do so at the next bytecode, which may lie behind the clause.
 * Or a function is called at the moment, between two bytecodes, where no signal handler could run. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <frameobject.h>

static struct {
    long moment, count, heard;
    int signal;
    PyObject *function;  /* called at the moment; NULL: the signal is sent */
    PyCodeObject *handler; /* of the signal: where it begins, the counting ends */
    int failed;
} wire;

static int tracer(PyObject *unused, PyFrameObject *frame, int what, PyObject *argument)
{
    (void)unused;
    (void)argument;
    if (what == PyTrace_CALL) {
        PyCodeObject *code = PyFrame_GetCode(frame);
        int is_handler = code == wire.handler;
        Py_DECREF(code);
        if (is_handler) {
            wire.heard = wire.count;
            PyEval_SetTrace(NULL, NULL);
            return 0;
        }
        return PyObject_SetAttrString((PyObject *)frame, "f_trace_lines", Py_False) < 0 ||
                       PyObject_SetAttrString((PyObject *)frame, "f_trace_opcodes", Py_True) < 0
                   ? -1
                   : 0;
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
    wire.function = NULL;
    wire.handler = (PyCodeObject *)handler;
    return run(call, moment);
}

/* call_at(call, moment, function) */
static PyObject *call_at(PyObject *module, PyObject *args)
{
    PyObject *call, *function;
    long moment;
    (void)module;
    if (!PyArg_ParseTuple(args, "OlO", &call, &moment, &function))
        return NULL;
    wire.function = function;
    wire.handler = NULL;
    PyObject *result = run(call, moment);
    wire.function = NULL;
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

static PyMethodDef methods[] = {
    {"signal_at", signal_at, METH_VARARGS, PyDoc_STR("Call, with a signal pending from that bytecode on.")},
    {"call_at", call_at, METH_VARARGS, PyDoc_STR("Call, and call a function before that bytecode.")},
    {"heard", heard, METH_NOARGS, PyDoc_STR("The bytecode before which the handler ran; 0: it did not.")},
    {"counted", counted, METH_NOARGS, PyDoc_STR("How many bytecodes there were, until the handler ran or to the end.")},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "tripwire", .m_size = -1, .m_methods = methods};

PyMODINIT_FUNC PyInit_tripwire(void)
{
    return PyModule_Create(&definition);
}
