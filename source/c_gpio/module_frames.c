/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * module_frames.c - FrameReader: frames of RPIO/wire/objects.py out of what a stream delivers in pieces of any size.
 *
 * One call waits, receives, and puts each frame that is complete into the list of its conversation: an exception of a
 * signal handler, or a call of it for the same stream in the middle of another one, finds everything that was received
 * either here or where it belongs.
 */
#include "module.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PIECE = 1 << 16, HEAD = 13 };

typedef struct {
    PyObject_HEAD
    unsigned long long kinds; /* bit N: there are frames of that kind */
    unsigned aside;           /* frames of this kind and later ones are of no conversation */
    Py_ssize_t most;
    unsigned char *begun; /* of a frame that has not all come */
    Py_ssize_t size, room;
    PyObject *body; /* of one that is so large that it is received to where it belongs; NULL without */
    Py_ssize_t have;
    unsigned kind;
    unsigned long conversation, turn;
} FrameReader;

static PyObject *frames_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"most", "kinds", "aside", NULL};
    Py_ssize_t most;
    unsigned long long kinds;
    unsigned aside;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "nKI", names, &most, &kinds, &aside))
        return NULL;
    FrameReader *self = (FrameReader *)type->tp_alloc(type, 0);
    if (self) {
        self->most = most;
        self->kinds = kinds;
        self->aside = aside;
    }
    return (PyObject *)self;
}

static void frames_dealloc(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    FrameReader *self = (FrameReader *)object;
    free(self->begun);
    Py_XDECREF(self->body);
    type->tp_free(object);
    Py_DECREF(type);
}

static unsigned long word(const unsigned char *at)
{
    return (unsigned long)at[0] << 24 | (unsigned long)at[1] << 16 | (unsigned long)at[2] << 8 | at[3];
}

/* Put a frame into the list of its conversation, or among the strange ones. Takes the body. */
static int deliver(FrameReader *self, PyObject *body, PyObject *mails, PyObject *strange)
{
    int failed = -1;
    PyObject *frame = body ? Py_BuildValue("(IkkN)", self->kind, self->conversation, self->turn, body) : NULL;
    PyObject *key = frame ? PyLong_FromUnsignedLong(self->conversation) : NULL;
    if (key) {
        PyObject *list = self->kind < self->aside ? PyDict_GetItemWithError(mails, key) : NULL;
        if (list || !PyErr_Occurred())
            failed = PyList_Append(list && PyList_Check(list) ? list : strange, frame);
    }
    Py_XDECREF(key);
    Py_XDECREF(frame);
    return failed;
}

/* Take the head of a frame; returns the size of its body, or -EPROTO. */
static Py_ssize_t take_head(FrameReader *self, const unsigned char *at)
{
    unsigned long size = word(at);
    unsigned kind = at[4];
    if (size > (unsigned long)self->most || kind >= 64 || !(self->kinds >> kind & 1))
        return -EPROTO;
    self->kind = kind;
    self->conversation = word(at + 5);
    self->turn = word(at + 9);
    return (Py_ssize_t)size;
}

static int keep(FrameReader *self, const unsigned char *at, Py_ssize_t size)
{
    if (self->room < self->size + size) {
        unsigned char *begun = realloc(self->begun, (size_t)(self->size + size) * 2);
        if (!begun) {
            PyErr_NoMemory();
            return -1;
        }
        self->begun = begun;
        self->room = (self->size + size) * 2;
    }
    memcpy(self->begun + self->size, at, (size_t)size);
    self->size += size;
    return 0;
}

/* Deliver what is complete in these bytes; keep the rest. -1 with an exception, -EPROTO for what is no frame. */
static int split(FrameReader *self, const unsigned char *at, Py_ssize_t size, PyObject *mails, PyObject *strange)
{
    while (size >= HEAD) {
        Py_ssize_t body_size = take_head(self, at);
        if (body_size < 0)
            return (int)body_size;
        if (size - HEAD >= body_size) {
            if (deliver(self, PyBytes_FromStringAndSize((const char *)at + HEAD, body_size), mails, strange) < 0)
                return -1;
            at += HEAD + body_size;
            size -= HEAD + body_size;
        } else if (body_size >= PIECE) {
            PyObject *body = PyBytes_FromStringAndSize(NULL, body_size);
            if (!body)
                return -1;
            self->have = size - HEAD;
            memcpy(PyBytes_AS_STRING(body), at + HEAD, (size_t)self->have);
            self->body = body;
            return 0;
        } else {
            break;
        }
    }
    return size > 0 ? keep(self, at, size) : 0;
}

static int take_piece(FrameReader *self, const unsigned char *piece, Py_ssize_t size, PyObject *mails, PyObject *strange)
{
    if (self->size == 0)
        return split(self, piece, size, mails, strange);
    if (keep(self, piece, size) < 0)
        return -1;
    unsigned char *all = self->begun;
    Py_ssize_t all_size = self->size;
    self->begun = NULL;
    self->size = self->room = 0;
    int failed = split(self, all, all_size, mails, strange);
    free(all);
    return failed;
}

/* Until Python 3.12 what is made here may have garbage be collected at once, and a finalizer may wait for a frame of
 * this very stream: it would read what is behind the piece that is in the middle of being taken. */
static int take(FrameReader *self, const unsigned char *piece, Py_ssize_t size, PyObject *mails, PyObject *strange)
{
    int collects = PyGC_Disable();
    int failed = take_piece(self, piece, size, mails, strange);
    if (collects)
        PyGC_Enable();
    return failed;
}

static PyObject *frames_read(PyObject *object, PyObject *const *args, Py_ssize_t count)
{
    FrameReader *self = (FrameReader *)object;
    unsigned char piece[PIECE];
    int fd, timeout_ms;
    if (check_count(count, 4) < 0 || as_int(args[0], &fd) < 0 || as_int(args[3], &timeout_ms) < 0)
        return NULL;
    if (!PyDict_Check(args[1]) || !PyList_Check(args[2]))
        return PyErr_Format(PyExc_TypeError, "frames go into the lists of a dict, and into a list");
    struct pollfd wanted = {.fd = fd, .events = POLLIN};
    unsigned char *to = piece;
    Py_ssize_t room = PIECE;
    if (self->body) {
        to = (unsigned char *)PyBytes_AS_STRING(self->body) + self->have;
        room = PyBytes_GET_SIZE(self->body) - self->have;
    }
    ssize_t size = -1;
    int error = EAGAIN, ready;
    Py_BEGIN_ALLOW_THREADS;
    ready = poll(&wanted, 1, timeout_ms);
    if (ready != 0) {
        if (ready > 0)
            size = read(fd, to, (size_t)room);
        error = errno;
    }
    Py_END_ALLOW_THREADS;
    if (size >= 0) {
        if (!self->body) {
            int failed = take(self, piece, size, args[1], args[2]);
            return failed == -1 ? NULL : PyLong_FromSsize_t(failed < 0 ? failed : size);
        }
        self->have += size;
        if (size > 0 && self->have == PyBytes_GET_SIZE(self->body)) {
            PyObject *body = self->body;
            self->body = NULL;
            if (deliver(self, body, args[1], args[2]) < 0)
                return NULL;
        }
        return PyLong_FromSsize_t(size);
    }
    /* After a signal its handler runs in the caller: what that raises is none of what this call tells. */
    return PyLong_FromLong(error == EINTR ? -EAGAIN : -error);
}

static PyMethodDef frames_methods[] = {
    {"read", (PyCFunction)(void (*)(void))frames_read, METH_FASTCALL,
     PyDoc_STR("read($self, fd, mails, strange, timeout_ms, /)\n--\n\nWait so long (-1: for ever) for something to come, receive once, and append each frame that is complete now to "
               "the list that mails has for its conversation, or to strange. Returns how many bytes came, 0 at the end of the stream, and -errno: -EAGAIN when the time is "
               "over and after a signal, -EPROTO for what is no frame.")},
    {0},
};

static PyType_Slot frames_slots[] = {
    {Py_tp_doc, PyDoc_STR("FrameReader(most, kinds, aside)\n--\n\nFrames out of what a stream delivers in pieces of any size: a body has *most* bytes; bit N of *kinds* says "
               "that there are frames of kind N; those from *aside* on belong to no conversation.")},
    {Py_tp_new, frames_new},
    {Py_tp_dealloc, frames_dealloc},
    {Py_tp_methods, frames_methods},
    {0},
};

static PyType_Spec frames_spec = {
    .name = "RPIO._gpio.FrameReader",
    .basicsize = sizeof(FrameReader),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = frames_slots,
};

/* -- FrameWriter ------------------------------------------------------------------------------------------------- */

typedef struct {
    PyObject_HEAD
    char *left; /* what the kernel has not taken */
    Py_ssize_t at, size, room;
} FrameWriter;

static PyObject *writer_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {NULL};
    return PyArg_ParseTupleAndKeywords(args, kwargs, "", names) ? type->tp_alloc(type, 0) : NULL;
}

static void writer_dealloc(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    free(((FrameWriter *)object)->left);
    type->tp_free(object);
    Py_DECREF(type);
}

static int keep_left(FrameWriter *self, const char *at, Py_ssize_t size)
{
    if (self->room < self->size + size) {
        Py_ssize_t room = self->size + size;
        char *left = realloc(self->left, (size_t)room);
        if (!left) {
            PyErr_NoMemory();
            return -1;
        }
        self->left = left;
        self->room = room;
    }
    memcpy(self->left + self->size, at, (size_t)size);
    self->size += size;
    return 0;
}

/* Write what the kernel takes; returns how much, or -errno. */
static ssize_t write_some(int fd, const char *at, Py_ssize_t size)
{
    ssize_t count;
    Py_BEGIN_ALLOW_THREADS;
    count = write(fd, at, (size_t)size);
    if (count < 0)
        count = -errno;
    Py_END_ALLOW_THREADS;
    return count == -EAGAIN || count == -EINTR ? 0 : count;
}

static int write_part(FrameWriter *self, int fd, PyObject *part)
{
    Py_buffer view;
    if (PyObject_GetBuffer(part, &view, PyBUF_SIMPLE) < 0)
        return -1;
    const char *at = view.buf;
    Py_ssize_t size = view.len;
    int failed = 0;
    while (size > 0 && self->size == 0) {
        ssize_t count = write_some(fd, at, size);
        if (count < 0)
            failed = (int)count;
        if (count <= 0)
            break;
        at += count;
        size -= count;
    }
    if (!failed && size > 0)
        failed = keep_left(self, at, size);
    PyBuffer_Release(&view);
    return failed;
}

static int write_left(FrameWriter *self, int fd)
{
    while (self->at < self->size) {
        ssize_t count = write_some(fd, self->left + self->at, self->size - self->at);
        if (count <= 0)
            return (int)count;
        self->at += count;
    }
    if (self->room > PIECE) { /* that of something large is not kept */
        free(self->left);
        self->left = NULL;
        self->room = 0;
    }
    self->at = self->size = 0;
    return 0;
}

static PyObject *writer_write(PyObject *object, PyObject *const *args, Py_ssize_t count)
{
    FrameWriter *self = (FrameWriter *)object;
    int fd;
    if (check_count(count, 2) < 0 || as_int(args[0], &fd) < 0)
        return NULL;
    if (!PyList_Check(args[1]))
        return PyErr_Format(PyExc_TypeError, "what is sent is a list of bytes");
    int failed = self->size > 0 ? write_left(self, fd) : 0;
    for (Py_ssize_t at = 0; !failed && at < PyList_GET_SIZE(args[1]); at++)
        failed = write_part(self, fd, PyList_GET_ITEM(args[1], at));
    if (failed && PyErr_Occurred())
        return NULL;
    return PyLong_FromSsize_t(failed ? failed : self->size - self->at);
}

static PyMethodDef writer_methods[] = {
    {"write", (PyCFunction)(void (*)(void))writer_write, METH_FASTCALL,
     PyDoc_STR("write($self, fd, parts, /)\n--\n\nSend these bytes behind what is left, as far as the kernel takes them without blocking, and keep what it does not. Returns how many "
               "bytes are left, or -errno.")},
    {0},
};

static PyType_Slot writer_slots[] = {
    {Py_tp_doc, PyDoc_STR("FrameWriter()\n--\n\nBytes to a descriptor that does not block.")},
    {Py_tp_new, writer_new},
    {Py_tp_dealloc, writer_dealloc},
    {Py_tp_methods, writer_methods},
    {0},
};

static PyType_Spec writer_spec = {
    .name = "RPIO._gpio.FrameWriter",
    .basicsize = sizeof(FrameWriter),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = writer_slots,
};

int rpio_add_frames(PyObject *module)
{
    PyTypeObject *reader = add_type(module, &frames_spec), *writer = reader ? add_type(module, &writer_spec) : NULL;
    Py_XDECREF(reader); /* the module has them */
    Py_XDECREF(writer);
    return writer ? 0 : -1;
}
