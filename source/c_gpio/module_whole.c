/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * module_whole.c - what has to be whole where a signal handler raises in the instant after a call.
 *
 * A descriptor as a plain number, as of os.open() and os.pipe2(), is lost between the call and the name that it gets: a
 * File and a Pipe are closed with their objects. A lock for which one waits a limited time stays locked between
 * acquire() and try: Held is what "with lock" is without a limit, whose beginning and end Python does not interrupt. And
 * what a handler raises while an object dies is printed and gone: a Finalizer does its work to the end, and has it raised
 * where the program goes on.
 *
 * In the child of a fork the variables of other threads are gone, and what they had is never freed: so the module knows
 * what is open, also that which has no other name yet.
 */
#include "module.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* ---- what is open -------------------------------------------------------------------------------------- */

void rpio_descriptors_note(struct state *state, struct descriptors *open)
{
    open->next = state->open;
    state->open = open;
}

void rpio_descriptors_close(struct descriptors *open)
{
    for (int i = 0; i < 2; i++) {
        int fd = open->fd[i];
        open->fd[i] = -1;
        if (fd >= 0)
            (void)close(fd);
    }
}

void rpio_descriptors_end(struct state *state, struct descriptors *open)
{
    for (struct descriptors **at = &state->open; *at; at = &(*at)->next)
        if (*at == open) {
            *at = open->next;
            break;
        }
    rpio_descriptors_close(open);
}

static PyObject *close_after_fork(PyObject *module, PyObject *unused)
{
    struct state *state = PyModule_GetState(module);
    (void)unused;
    for (struct descriptors *open = state->open; open; open = open->next)
        if (!open->stays)
            rpio_descriptors_close(open);
    Py_RETURN_NONE;
}

/* What File and Pipe have in common: one object with its descriptors. */
typedef struct {
    PyObject_HEAD
    struct descriptors open;
} Opened;

static PyObject *opened_new(PyTypeObject *type, int first, int second, int stays)
{
    Opened *self = (Opened *)type->tp_alloc(type, 0);
    struct descriptors open = {.fd = {first, second}, .stays = stays};
    if (!self) {
        rpio_descriptors_close(&open);
        return NULL;
    }
    self->open = open;
    rpio_descriptors_note(PyType_GetModuleState(type), &self->open);
    return (PyObject *)self;
}

static void opened_dealloc(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    rpio_descriptors_end(PyType_GetModuleState(type), &((Opened *)object)->open);
    type->tp_free(object);
    Py_DECREF(type);
}

static PyObject *opened_close(PyObject *object, PyObject *ignored)
{
    (void)ignored;
    rpio_descriptors_close(&((Opened *)object)->open);
    Py_RETURN_NONE;
}

/* ---- File ---------------------------------------------------------------------------------------------- */

PyObject *rpio_file_new(struct state *state, int fd, int stays)
{
    return opened_new(state->file, fd, -1, stays);
}

static PyObject *file_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    const char *path;
    int flags, stays = 0;
    if (kwargs && PyDict_GET_SIZE(kwargs) > 0)
        return PyErr_Format(PyExc_TypeError, "File() takes no keywords");
    if (!PyArg_ParseTuple(args, "si|p:File", &path, &flags, &stays))
        return NULL;
    int fd;
    do
        fd = open(path, flags | O_CLOEXEC, 0600);
    while (fd < 0 && errno == EINTR && PyErr_CheckSignals() == 0);
    if (fd < 0)
        return PyErr_Occurred() ? NULL : raise_errno(-errno, path);
    return opened_new(type, fd, -1, stays);
}

static PyObject *file_enter(PyObject *object, PyObject *unused)
{
    (void)unused;
    return Py_NewRef(object);
}

static PyMemberDef file_members[] = {
    {"fd", T_INT, offsetof(Opened, open.fd[0]), READONLY, PyDoc_STR("The descriptor; -1 when closed.")},
    {0},
};

static PyMethodDef file_methods[] = {
    {"close", opened_close, METH_NOARGS, PyDoc_STR("close($self, /)\n--\n\nClose it. Twice is fine.")},
    {"__enter__", file_enter, METH_NOARGS, PyDoc_STR("__enter__($self, /)\n--\n\nThe same object.")},
    {"__exit__", opened_close, METH_VARARGS, PyDoc_STR("__exit__($self, /, *error)\n--\n\nClose it.")},
    {0},
};

static PyType_Slot file_slots[] = {
    {Py_tp_doc,
     PyDoc_STR("File(path, flags, stays=False, /)\n--\n\nA file that is open, close-on-exec; closed with its object, "
               "and unless it stays in the child of a fork. OSError.")},
    {Py_tp_new, file_new},
    {Py_tp_dealloc, opened_dealloc},
    {Py_tp_members, file_members},
    {Py_tp_methods, file_methods},
    {0},
};

static PyType_Spec file_spec = {
    .name = "RPIO._gpio.File",
    .basicsize = sizeof(Opened),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = file_slots,
};

/* ---- Pipe ---------------------------------------------------------------------------------------------- */

static PyObject *pipe_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    int ends[2];
    if (!PyArg_ParseTuple(args, ":Pipe") || (kwargs && PyDict_GET_SIZE(kwargs) > 0))
        return PyErr_Occurred() ? NULL : PyErr_Format(PyExc_TypeError, "Pipe() takes no arguments");
    return pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0 ? raise_errno(-errno, NULL) : opened_new(type, ends[0], ends[1], 0);
}

/* The interpreter is not let go of: this takes a microsecond, and who waits for it would have it after each write. */
static PyObject *pipe_put(PyObject *object, PyObject *bytes)
{
    if (!PyBytes_Check(bytes))
        return PyErr_Format(PyExc_TypeError, "bytes go into a pipe");
    ssize_t size = write(((Opened *)object)->open.fd[1], PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes));
    return size < 0 ? raise_errno(-errno, NULL) : PyLong_FromSsize_t(size);
}

static PyObject *pipe_get(PyObject *object, PyObject *number)
{
    char piece[4096];
    int most;
    if (as_int(number, &most) < 0)
        return NULL;
    if (most < 1)
        return PyErr_Format(PyExc_ValueError, "at least one byte is read");
    size_t room = (size_t)most < sizeof piece ? (size_t)most : sizeof piece;
    ssize_t size = read(((Opened *)object)->open.fd[0], piece, room);
    return size < 0 ? raise_errno(-errno, NULL) : PyBytes_FromStringAndSize(piece, size);
}

static PyObject *pipe_waiting(PyObject *object, PyObject *unused)
{
    int size;
    (void)unused;
    return result_or_errno(ioctl(((Opened *)object)->open.fd[0], FIONREAD, &size) < 0 ? -errno : size);
}

static PyMemberDef pipe_members[] = {
    {"reader", T_INT, offsetof(Opened, open.fd[0]), READONLY, PyDoc_STR("The end to read; -1 when closed.")},
    {"writer", T_INT, offsetof(Opened, open.fd[1]), READONLY, PyDoc_STR("The end to write; -1 when closed.")},
    {0},
};

static PyMethodDef pipe_methods[] = {
    {"put", pipe_put, METH_O,
     PyDoc_STR("put($self, data, /)\n--\n\nWrite, and never wait; returns how many bytes. BlockingIOError where there is no room.")},
    {"get", pipe_get, METH_O,
     PyDoc_STR("get($self, most, /)\n--\n\nRead at most so many bytes, and 4096, and never wait. BlockingIOError where there are none.")},
    {"waiting", pipe_waiting, METH_NOARGS, PyDoc_STR("waiting($self, /)\n--\n\nHow many bytes wait.")},
    {"close", opened_close, METH_NOARGS, PyDoc_STR("close($self, /)\n--\n\nClose both ends. Twice is fine.")},
    {0},
};

static PyType_Slot pipe_slots[] = {
    {Py_tp_doc, PyDoc_STR("Pipe()\n--\n\nA pipe, non-blocking and close-on-exec; closed with its object. OSError.")},
    {Py_tp_new, pipe_new},
    {Py_tp_dealloc, opened_dealloc},
    {Py_tp_members, pipe_members},
    {Py_tp_methods, pipe_methods},
    {0},
};

static PyType_Spec pipe_spec = {
    .name = "RPIO._gpio.Pipe",
    .basicsize = sizeof(Opened),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = pipe_slots,
};

/* ---- Held ---------------------------------------------------------------------------------------------- */

typedef struct {
    PyObject_HEAD
    PyObject *lock;
    double timeout_s;
    int is_held;
} Held;

static PyObject *held_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    PyObject *lock;
    double timeout_s;
    if (kwargs && PyDict_GET_SIZE(kwargs) > 0)
        return PyErr_Format(PyExc_TypeError, "Held() takes no keywords");
    if (!PyArg_ParseTuple(args, "Od:Held", &lock, &timeout_s))
        return NULL;
    Held *self = (Held *)type->tp_alloc(type, 0);
    if (!self)
        return NULL;
    self->lock = Py_NewRef(lock);
    self->timeout_s = timeout_s;
    return (PyObject *)self;
}

static void held_dealloc(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    Py_DECREF(((Held *)object)->lock);
    type->tp_free(object);
    Py_DECREF(type);
}

static PyObject *held_enter(PyObject *object, PyObject *unused)
{
    Held *self = (Held *)object;
    (void)unused;
    PyObject *result = self->timeout_s > 0.0 ? PyObject_CallMethod(self->lock, "acquire", "Od", Py_True, self->timeout_s)
                                             : PyObject_CallMethod(self->lock, "acquire", "O", Py_False);
    if (!result)
        return NULL;
    self->is_held = result == Py_True;
    return result;
}

static PyObject *held_exit(PyObject *object, PyObject *error)
{
    Held *self = (Held *)object;
    (void)error;
    if (!self->is_held)
        Py_RETURN_NONE;
    self->is_held = 0;
    return PyObject_CallMethod(self->lock, "release", NULL);
}

static PyMethodDef held_methods[] = {
    {"__enter__", held_enter, METH_NOARGS, PyDoc_STR("__enter__($self, /)\n--\n\nWhether the lock is held now.")},
    {"__exit__", held_exit, METH_VARARGS, PyDoc_STR("__exit__($self, /, *error)\n--\n\nRelease it, if it is.")},
    {0},
};

static PyType_Slot held_slots[] = {
    {Py_tp_doc, PyDoc_STR("Held(lock, timeout_s, /)\n--\n\n\"with Held(lock, timeout_s) as is_held\"; 0 waits for nobody.")},
    {Py_tp_new, held_new},
    {Py_tp_dealloc, held_dealloc},
    {Py_tp_methods, held_methods},
    {0},
};

static PyType_Spec held_spec = {
    .name = "RPIO._gpio.Held",
    .basicsize = sizeof(Held),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = held_slots,
};

/* ---- Finalizer ----------------------------------------------------------------------------------------- */

enum { FINALIZER_TRIES = 8 };

typedef struct {
    PyObject_HEAD
    PyObject *function;
} Finalizer;

static PyObject *finalizer_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    PyObject *function;
    if (kwargs && PyDict_GET_SIZE(kwargs) > 0)
        return PyErr_Format(PyExc_TypeError, "Finalizer() takes no keywords");
    if (!PyArg_ParseTuple(args, "O:Finalizer", &function))
        return NULL;
    Finalizer *self = (Finalizer *)type->tp_alloc(type, 0);
    if (self)
        self->function = Py_NewRef(function);
    return (PyObject *)self;
}

static int finalizer_traverse(PyObject *object, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(((Finalizer *)object)->function);
    return 0;
}

static int finalizer_clear(PyObject *object)
{
    Py_CLEAR(((Finalizer *)object)->function);
    return 0;
}

static void finalizer_dealloc(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    PyObject_GC_UnTrack(object);
    (void)finalizer_clear(object);
    type->tp_free(object);
    Py_DECREF(type);
}

static PyObject *finalizer_get(PyObject *object, PyObject *instance, PyObject *owner)
{
    (void)owner;
    return instance && instance != Py_None ? PyMethod_New(object, instance) : Py_NewRef(object);
}

/* A pending call: the interpreter makes it in the main thread, where it also runs handlers of signals. */
static int raise_kept(void *error)
{
    PyObject *kept = error;
    PyErr_SetObject((PyObject *)Py_TYPE(kept), kept);
    Py_DECREF(kept);
    return -1;
}

static PyObject *finalizer_call(PyObject *object, PyObject *args, PyObject *kwargs)
{
    PyObject *first = NULL;
    int is_done = 0;
    if (kwargs && PyDict_GET_SIZE(kwargs) > 0)
        return PyErr_Format(PyExc_TypeError, "a finalizer takes no keywords");
    for (int i = 0; i < FINALIZER_TRIES; i++) {
        PyObject *result = PyObject_CallObject(((Finalizer *)object)->function, args);
        if (result) {
            Py_DECREF(result);
            is_done = 1;
            break;
        }
        PyObject *type, *error, *traceback;
        PyErr_Fetch(&type, &error, &traceback);
        PyErr_NormalizeException(&type, &error, &traceback);
        if (traceback)
            (void)PyException_SetTraceback(error, traceback);
        Py_XDECREF(type);
        Py_XDECREF(traceback);
        if (!first)
            first = error;
        else
            Py_XDECREF(error);
        if (gettid() != getpid())
            break; /* no handler runs here: it is an error of its own, and printed */
    }
    if (is_done && first && PyErr_GivenExceptionMatches(first, PyExc_MemoryError))
        Py_CLEAR(first); /* there was some at last */
    if (!first || (is_done && Py_AddPendingCall(raise_kept, first) == 0))
        Py_RETURN_NONE;
    PyErr_SetObject((PyObject *)Py_TYPE(first), first);
    Py_DECREF(first);
    return NULL;
}

static PyType_Slot finalizer_slots[] = {
    {Py_tp_doc,
     PyDoc_STR("Finalizer(function, /)\n--\n\nA __del__ that calls function(object), again where a signal's handler "
               "has raised in it; what that raised comes where the program goes on.")},
    {Py_tp_new, finalizer_new},
    {Py_tp_dealloc, finalizer_dealloc},
    {Py_tp_traverse, finalizer_traverse},
    {Py_tp_clear, finalizer_clear},
    {Py_tp_call, finalizer_call},
    {Py_tp_descr_get, finalizer_get},
    {0},
};

static PyType_Spec finalizer_spec = {
    .name = "RPIO._gpio.Finalizer",
    .basicsize = sizeof(Finalizer),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = finalizer_slots,
};

static PyMethodDef functions[] = {
    {"close_after_fork", close_after_fork, METH_NOARGS,
     PyDoc_STR("close_after_fork()\n--\n\nClose all that is open, in the child of a fork, and does not stay: it is the "
               "parent's.")},
    {0},
};

int rpio_add_whole(PyObject *module)
{
    struct state *state = PyModule_GetState(module);
    state->file = add_type(module, &file_spec);
    state->pipe = add_type(module, &pipe_spec);
    state->held = add_type(module, &held_spec);
    state->finalizer = add_type(module, &finalizer_spec);
    return state->file && state->pipe && state->held && state->finalizer ? PyModule_AddFunctions(module, functions) : -1;
}
