/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * module_lines.c - LineReader: lines of text out of what a socket delivers in pieces of any size.
 *
 * One call receives, splits and keeps what has begun: an exception of a signal handler, or a call of it for the same
 * socket in the middle of another one, finds everything that was received either here or in the caller's list.
 */
#include "module.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
    PIECE = 1 << 16,
    BY_READ = -1,     /* flags for what is no socket, */
    BY_READ_NOW = -2, /* and for a pipe that blocks, or may block at any moment */
};

#ifndef RWF_NOWAIT
#define RWF_NOWAIT 8 /* since Linux 4.14, for pipes since 6.4: include/uapi/linux/fs.h */
#endif

static ssize_t receive(int fd, char *piece, int flags)
{
    if (flags == BY_READ_NOW) {
        struct iovec vector = {piece, PIECE};
        return syscall(SYS_preadv2, fd, &vector, 1L, -1L, -1L, (long)RWF_NOWAIT);
    }
    if (flags != BY_READ) {
        ssize_t size = recv(fd, piece, PIECE, flags);
        if (size >= 0 || errno != ENOTSOCK) /* a pipe, such as sshd starts a command with */
            return size;
    }
    return read(fd, piece, PIECE);
}

typedef struct {
    PyObject_HEAD
    char *begun; /* of a line that has not ended */
    Py_ssize_t size, room, most;
    PyObject *routes; /* what becomes of edges; NULL: they are lines as all others */
} LineReader;

static PyObject *reader_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"most", "routes", NULL};
    Py_ssize_t most;
    PyObject *routes = NULL;
    struct state *state = PyType_GetModuleState(type);
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "n|O!", names, &most, state->edge_routes, &routes))
        return NULL;
    if (most < 1)
        return PyErr_Format(PyExc_ValueError, "a line has at least one byte");
    LineReader *self = (LineReader *)type->tp_alloc(type, 0);
    if (self) {
        self->most = most;
        self->routes = Py_XNewRef(routes);
    }
    return (PyObject *)self;
}

static void reader_dealloc(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    free(((LineReader *)object)->begun);
    Py_XDECREF(((LineReader *)object)->routes);
    type->tp_free(object);
    Py_DECREF(type);
}

static PyObject *too_long(LineReader *self)
{
    self->size = 0;
    return PyErr_Format(PyExc_ValueError, "a line of more than %zd bytes", self->most);
}

/* Room for so many more bytes. */
static int make_room(LineReader *self, Py_ssize_t more)
{
    if (self->room - self->size >= more)
        return 0;
    Py_ssize_t room = (self->size + more) * 2;
    char *begun = realloc(self->begun, (size_t)room);
    if (!begun) {
        PyErr_NoMemory();
        return -1;
    }
    self->begun = begun;
    self->room = room;
    return 0;
}

static int add_line(LineReader *self, const char *at, Py_ssize_t size, PyObject *lines)
{
    if (self->size + size > self->most) {
        too_long(self);
        return -1;
    }
    PyObject *line;
    if (self->size > 0) {
        if (make_room(self, size) < 0)
            return -1;
        memcpy(self->begun + self->size, at, (size_t)size);
        at = self->begun;
        size += self->size;
        self->size = 0; /* what is there is a line, whatever becomes of it */
    }
    if (self->routes && rpio_route_edge(self->routes, at, size))
        return 0;
    line = PyBytes_FromStringAndSize(at, size);
    if (!line)
        return -1;
    int failed = PyList_Append(lines, line);
    Py_DECREF(line);
    return failed;
}

static int split(LineReader *self, const char *at, Py_ssize_t size, PyObject *lines)
{
    const char *end;
    while (size > 0 && (end = memchr(at, '\n', (size_t)size)) != NULL) {
        if (add_line(self, at, end - at, lines) < 0)
            return -1;
        size -= end + 1 - at;
        at = end + 1;
    }
    if (self->size + size > self->most) {
        too_long(self);
        return -1;
    }
    if (size > 0) {
        if (make_room(self, size) < 0)
            return -1;
        memcpy(self->begun + self->size, at, (size_t)size);
        self->size += size;
    } else if (self->size == 0 && self->room > PIECE) { /* that of a long line is not kept */
        free(self->begun);
        self->begun = NULL;
        self->room = 0;
    }
    return 0;
}

static PyObject *reader_read(PyObject *object, PyObject *const *args, Py_ssize_t count)
{
    LineReader *self = (LineReader *)object;
    char piece[PIECE];
    int fd, flags;
    if (check_count(count, 3) < 0 || as_int(args[0], &fd) < 0 || as_int(args[2], &flags) < 0)
        return NULL;
    if (!PyList_Check(args[1]))
        return PyErr_Format(PyExc_TypeError, "lines go into a list");
    ssize_t size;
    int error;
    Py_BEGIN_ALLOW_THREADS;
    size = receive(fd, piece, flags);
    error = errno;
    Py_END_ALLOW_THREADS;
    if (size >= 0)
        return split(self, piece, size, args[1]) < 0 ? NULL : PyLong_FromSsize_t(size);
    if (error == EINTR) {
        if (PyErr_CheckSignals() < 0)
            return NULL;
        error = EAGAIN; /* the handler may have closed the socket, and its number be another one's: the caller looks */
    }
    return raise_errno(-error, NULL);
}

static PyObject *reader_feed(PyObject *object, PyObject *const *args, Py_ssize_t count)
{
    char *data;
    Py_ssize_t size;
    if (check_count(count, 2) < 0 || PyBytes_AsStringAndSize(args[0], &data, &size) < 0)
        return NULL;
    if (!PyList_Check(args[1]))
        return PyErr_Format(PyExc_TypeError, "lines go into a list");
    if (split((LineReader *)object, data, size, args[1]) < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *reader_begun(PyObject *object, void *unused)
{
    (void)unused;
    return PyBytes_FromStringAndSize(((LineReader *)object)->begun, ((LineReader *)object)->size);
}

static PyMethodDef reader_methods[] = {
    {"read", (PyCFunction)(void (*)(void))reader_read, METH_FASTCALL,
     PyDoc_STR("read($self, fd, lines, flags, /)\n--\n\nReceive once, with these flags of recv(2), or read once from what is no socket (-1 says so before; "
               "-2: a pipe, whether it blocks or not), and append the lines that are complete now, without "
               "their ends. Returns how many bytes came, 0 at the end of the stream. Raises BlockingIOError after a signal, too.")},
    {"feed", (PyCFunction)(void (*)(void))reader_feed, METH_FASTCALL,
     PyDoc_STR("feed($self, data, lines, /)\n--\n\nThe same with bytes that have come otherwise: out of an encrypted "
               "connection, say.")},
    {0},
};

static PyGetSetDef reader_attributes[] = {
    {"begun", reader_begun, NULL, PyDoc_STR("What has come of the line that is not complete."), NULL},
    {0},
};

static PyMemberDef reader_members[] = {
    {"most", T_PYSSIZET, offsetof(LineReader, most), 0, PyDoc_STR("As many bytes may a line have.")},
    {0},
};

static PyType_Slot reader_slots[] = {
    {Py_tp_doc, PyDoc_STR("LineReader(most, routes=None)\n--\n\nLines out of what a socket delivers in pieces of any size; but "
               "edges go where EdgeRoutes has them go.")},
    {Py_tp_new, reader_new},
    {Py_tp_dealloc, reader_dealloc},
    {Py_tp_methods, reader_methods},
    {Py_tp_getset, reader_attributes},
    {Py_tp_members, reader_members},
    {0},
};

static PyType_Spec reader_spec = {
    .name = "RPIO._gpio.LineReader",
    .basicsize = sizeof(LineReader),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = reader_slots,
};

int rpio_add_lines(PyObject *module)
{
    PyTypeObject *reader = add_type(module, &reader_spec);
    Py_XDECREF(reader); /* the module has it */
    return reader ? 0 : -1;
}
