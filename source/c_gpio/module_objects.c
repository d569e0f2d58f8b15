/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * module_objects.c - the values of RPIO/wire/objects.py: to bytes, and out of bytes that come from anybody.
 *
 * What is plain data in every call is written and read here: None, bool, int of 64 bits, float, str, bytes, tuple, list,
 * dict. The rest is Python's: written() makes the bytes of a value, special() makes a value of what has been read.
 */
#include "module.h"

#include <stdlib.h>
#include <string.h>

enum { FRAME_MAX = 1 << 26, DEEPEST = 64, APART = 1 << 15, HEAD = 13 };

/* -- writing ----------------------------------------------------------------------------------------------------- */

struct out {
    char *bytes;
    Py_ssize_t size, room, total;
    PyObject *parts, *written;
    int deep;
};

static char *room_for(struct out *out, Py_ssize_t more)
{
    out->total += more;
    if (out->total > FRAME_MAX) {
        PyErr_Format(PyExc_ValueError, "more than %d MB do not cross in one piece: send it in several", FRAME_MAX >> 20);
        return NULL;
    }
    if (out->room - out->size < more) {
        Py_ssize_t room = (out->size + more) * 2;
        char *bytes = realloc(out->bytes, (size_t)room);
        if (!bytes) {
            PyErr_NoMemory();
            return NULL;
        }
        out->bytes = bytes;
        out->room = room;
    }
    char *at = out->bytes + out->size;
    out->size += more;
    return at;
}

static void put_word(char *at, unsigned long value)
{
    for (int shift = 24; shift >= 0; shift -= 8)
        *at++ = (char)(value >> shift & 0xFF);
}

static void put_long(char *at, unsigned long long value)
{
    for (int shift = 56; shift >= 0; shift -= 8)
        *at++ = (char)(value >> shift & 0xFF);
}

static int put_tag(struct out *out, char tag)
{
    char *at = room_for(out, 1);
    if (at)
        *at = tag;
    return at ? 0 : -1;
}

static int put_number(struct out *out, char tag, unsigned long long value)
{
    char *at = room_for(out, 9);
    if (!at)
        return -1;
    *at = tag;
    put_long(at + 1, value);
    return 0;
}

static int put_count(struct out *out, char tag, Py_ssize_t count)
{
    char *at = room_for(out, 5);
    if (!at)
        return -1;
    *at = tag;
    put_word(at + 1, count > FRAME_MAX ? FRAME_MAX : (unsigned long)count); /* more is refused where it is written */
    return 0;
}

/* End the part that is written to, and have another one. */
static int end_part(struct out *out)
{
    PyObject *part = PyBytes_FromStringAndSize(out->bytes, out->size);
    int failed = part ? PyList_Append(out->parts, part) : -1;
    Py_XDECREF(part);
    out->size = 0;
    return failed;
}

/* Bytes as they are: those of something large are not copied. */
static int put_bytes(struct out *out, PyObject *object, const char *bytes, Py_ssize_t size)
{
    if (object && size >= APART) {
        if (end_part(out) < 0 || !room_for(out, 0))
            return -1;
        out->total += size;
        if (out->total > FRAME_MAX) {
            room_for(out, 0);
            return -1;
        }
        return PyList_Append(out->parts, object);
    }
    char *at = room_for(out, size);
    if (at)
        memcpy(at, bytes, (size_t)size);
    return at ? 0 : -1;
}

static int put_value(struct out *out, PyObject *value);

static int put_items(struct out *out, char tag, PyObject *sequence)
{
    if (++out->deep > DEEPEST) {
        PyErr_Format(PyExc_ValueError, "a value that is more than %d deep, or contains itself, cannot cross", DEEPEST);
        return -1;
    }
    Py_ssize_t count = PySequence_Fast_GET_SIZE(sequence);
    if (put_count(out, tag, count) < 0)
        return -1;
    for (Py_ssize_t at = 0; at < PySequence_Fast_GET_SIZE(sequence); at++) {
        PyObject *item = Py_NewRef(PySequence_Fast_GET_ITEM(sequence, at));
        int failed = put_value(out, item);
        Py_DECREF(item);
        if (failed < 0)
            return -1;
    }
    if (PySequence_Fast_GET_SIZE(sequence) != count) { /* by what wrote an item, or another thread meanwhile */
        PyErr_SetString(PyExc_ValueError, "a list that changes while it is sent cannot cross");
        return -1;
    }
    out->deep--;
    return 0;
}

static int put_dict(struct out *out, PyObject *dict)
{
    PyObject *items = PyList_New(0), *key, *value;
    Py_ssize_t at = 0;
    if (!items)
        return -1;
    int failed = 0;
    while (!failed && PyDict_Next(dict, &at, &key, &value))
        failed = PyList_Append(items, key) < 0 || PyList_Append(items, value) < 0;
    failed = failed || put_items(out, 'm', items) < 0;
    Py_DECREF(items);
    return failed ? -1 : 0;
}

/* A value that Python writes: bytes, or a list of such. */
static int put_written(struct out *out, PyObject *value)
{
    PyObject *parts = PyObject_CallOneArg(out->written, value);
    if (!parts)
        return -1;
    int failed = PyList_Check(parts) ? 0 : -1;
    if (failed)
        PyErr_SetString(PyExc_TypeError, "what is written is a list of bytes");
    for (Py_ssize_t at = 0; !failed && at < PyList_GET_SIZE(parts); at++) {
        PyObject *part = PyList_GET_ITEM(parts, at);
        Py_buffer view;
        if (PyObject_GetBuffer(part, &view, PyBUF_SIMPLE) < 0) {
            failed = -1;
        } else {
            failed = put_bytes(out, part, view.buf, view.len);
            PyBuffer_Release(&view);
        }
    }
    Py_DECREF(parts);
    return failed;
}

static int put_text(struct out *out, PyObject *value)
{
    Py_ssize_t size;
    const char *text = PyUnicode_IS_ASCII(value) ? PyUnicode_AsUTF8AndSize(value, &size) : NULL;
    if (text)
        return put_count(out, 's', size) < 0 ? -1 : put_bytes(out, NULL, text, size);
    PyObject *bytes = PyUnicode_AsEncodedString(value, "utf-8", "surrogatepass");
    if (!bytes)
        return -1;
    int failed = put_count(out, 's', PyBytes_GET_SIZE(bytes)) < 0 || put_bytes(out, bytes, PyBytes_AS_STRING(bytes), PyBytes_GET_SIZE(bytes)) < 0;
    Py_DECREF(bytes);
    return failed ? -1 : 0;
}

static int put_value(struct out *out, PyObject *value)
{
    if (value == Py_None)
        return put_tag(out, 'N');
    if (value == Py_True || value == Py_False)
        return put_tag(out, value == Py_True ? 'T' : 'F');
    if (PyLong_CheckExact(value)) {
        int overflow;
        long long number = PyLong_AsLongLongAndOverflow(value, &overflow);
        return overflow ? put_written(out, value) : put_number(out, 'i', (unsigned long long)number);
    }
    if (PyUnicode_CheckExact(value))
        return put_text(out, value);
    if (PyTuple_CheckExact(value) || PyList_CheckExact(value))
        return put_items(out, PyList_CheckExact(value) ? 'l' : 't', value);
    if (PyFloat_CheckExact(value)) {
        double real = PyFloat_AS_DOUBLE(value);
        unsigned long long bits;
        memcpy(&bits, &real, sizeof bits);
        return put_number(out, 'd', bits);
    }
    if (PyBytes_CheckExact(value)) {
        Py_ssize_t size = PyBytes_GET_SIZE(value);
        return put_count(out, 'b', size) < 0 ? -1 : put_bytes(out, value, PyBytes_AS_STRING(value), size);
    }
    if (PyDict_CheckExact(value))
        return put_dict(out, value);
    return put_written(out, value);
}

static PyObject *pack(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    (void)module;
    if (check_count(count, 5) < 0)
        return NULL;
    unsigned long numbers[3];
    for (int at = 0; at < 3; at++) {
        numbers[at] = PyLong_AsUnsignedLong(args[at]);
        if (PyErr_Occurred())
            return NULL;
    }
    if (!PyTuple_Check(args[3]) && !PyList_Check(args[3]))
        return PyErr_Format(PyExc_TypeError, "values are a tuple or a list");
    struct out out = {.parts = PyList_New(0), .written = args[4]};
    int failed = !out.parts || !room_for(&out, HEAD);
    out.total = 0;
    for (Py_ssize_t at = 0; !failed && at < PySequence_Fast_GET_SIZE(args[3]); at++) {
        PyObject *value = Py_NewRef(PySequence_Fast_GET_ITEM(args[3], at));
        failed = put_value(&out, value) < 0;
        Py_DECREF(value);
    }
    failed = failed || ((out.size > 0 || PyList_GET_SIZE(out.parts) == 0) && end_part(&out) < 0);
    free(out.bytes);
    if (failed) {
        Py_XDECREF(out.parts);
        return NULL;
    }
    char *head = PyBytes_AS_STRING(PyList_GET_ITEM(out.parts, 0)); /* nobody has seen it yet */
    put_word(head, (unsigned long)out.total);
    head[4] = (char)numbers[0];
    put_word(head + 5, numbers[1]);
    put_word(head + 9, numbers[2]);
    return out.parts;
}

/* -- reading ----------------------------------------------------------------------------------------------------- */

struct in {
    const unsigned char *at;
    Py_ssize_t left;
    PyObject *special;
    Py_ssize_t owed; /* so many values at least come behind the one that is read, by the counts around it */
    int deep;
};

static int refuse(const char *why)
{
    PyErr_SetString(PyExc_ValueError, why);
    return -1;
}

static const unsigned char *taken(struct in *in, Py_ssize_t size)
{
    if (size < 0 || size > in->left) {
        refuse("a value that ends in the middle");
        return NULL;
    }
    const unsigned char *at = in->at;
    in->at += size;
    in->left -= size;
    return at;
}

static int take_word(struct in *in, unsigned long *value)
{
    const unsigned char *at = taken(in, 4);
    if (!at)
        return -1;
    *value = (unsigned long)at[0] << 24 | (unsigned long)at[1] << 16 | (unsigned long)at[2] << 8 | at[3];
    return 0;
}

static int take_long(struct in *in, unsigned long long *value)
{
    unsigned long high, low;
    if (take_word(in, &high) < 0 || take_word(in, &low) < 0)
        return -1;
    *value = (unsigned long long)high << 32 | low;
    return 0;
}

static PyObject *value_of(struct in *in);

static PyObject *items_of(struct in *in, int is_list)
{
    unsigned long count;
    if (take_word(in, &count) < 0)
        return NULL;
    if (++in->deep > DEEPEST || in->left < in->owed || count > (unsigned long)(in->left - in->owed)) {
        refuse("a value with more parts than there are bytes, or one that is too deep");
        return NULL;
    }
    in->owed += (Py_ssize_t)count; /* or counts in counts would have memory that no bytes come for */
    PyObject *found = is_list ? PyList_New(0) : PyTuple_New((Py_ssize_t)count);
    for (unsigned long at = 0; found && at < count; at++) {
        in->owed--;
        PyObject *item = value_of(in);
        if (!item || (is_list && PyList_Append(found, item) < 0)) {
            Py_XDECREF(item);
            Py_CLEAR(found);
        } else if (is_list) {
            Py_DECREF(item);
        } else {
            PyTuple_SET_ITEM(found, (Py_ssize_t)at, item);
        }
    }
    in->deep--;
    return found;
}

static PyObject *dict_of(struct in *in)
{
    PyObject *items = items_of(in, 1);
    if (!items)
        return NULL;
    PyObject *found = PyDict_New();
    Py_ssize_t size = PyList_GET_SIZE(items);
    if (found && size % 2) {
        refuse("a dict with half a pair");
        Py_CLEAR(found);
    }
    for (Py_ssize_t at = 0; found && at < size; at += 2) {
        if (PyDict_SetItem(found, PyList_GET_ITEM(items, at), PyList_GET_ITEM(items, at + 1)) < 0)
            Py_CLEAR(found);
    }
    Py_DECREF(items);
    return found;
}

static PyObject *bytes_of(struct in *in, int is_text)
{
    unsigned long size;
    const unsigned char *at = take_word(in, &size) < 0 ? NULL : taken(in, (Py_ssize_t)size);
    if (!at)
        return NULL;
    if (is_text)
        return PyUnicode_DecodeUTF8((const char *)at, (Py_ssize_t)size, "surrogatepass");
    return PyBytes_FromStringAndSize((const char *)at, (Py_ssize_t)size);
}

/* A value that Python makes of what has been read. Takes the reference. */
static PyObject *special(struct in *in, unsigned char tag, PyObject *read)
{
    if (!read)
        return NULL;
    PyObject *found = PyObject_CallFunction(in->special, "iN", (int)tag, read);
    return found;
}

static PyObject *offered_of(struct in *in)
{
    unsigned long number;
    unsigned long long traits;
    if (take_word(in, &number) < 0 || take_long(in, &traits) < 0)
        return NULL;
    PyObject *type_name = bytes_of(in, 1), *kind = type_name ? bytes_of(in, 1) : NULL;
    if (!kind) {
        Py_XDECREF(type_name);
        return NULL;
    }
    return Py_BuildValue("(kKNN)", number, traits, type_name, kind);
}

static PyObject *real_of(struct in *in, int is_complex)
{
    unsigned long long bits;
    double parts[2] = {0.0, 0.0};
    for (int at = 0; at <= is_complex; at++) {
        if (take_long(in, &bits) < 0)
            return NULL;
        memcpy(&parts[at], &bits, sizeof bits);
    }
    return is_complex ? PyComplex_FromDoubles(parts[0], parts[1]) : PyFloat_FromDouble(parts[0]);
}

static PyObject *value_of(struct in *in)
{
    const unsigned char *tag = taken(in, 1);
    unsigned long long number;
    unsigned long word;
    if (!tag)
        return NULL;
    switch (*tag) {
    case 'N':
        Py_RETURN_NONE;
    case 'T':
        Py_RETURN_TRUE;
    case 'F':
        Py_RETURN_FALSE;
    case 'i':
        return take_long(in, &number) < 0 ? NULL : PyLong_FromLongLong((long long)number);
    case 'd':
    case 'c':
        return real_of(in, *tag == 'c');
    case 's':
    case 'b':
        return bytes_of(in, *tag == 's');
    case 't':
    case 'l':
        return items_of(in, *tag == 'l');
    case 'm':
        return dict_of(in);
    case 'o':
        return take_word(in, &word) < 0 ? NULL : special(in, *tag, PyLong_FromUnsignedLong(word));
    case 'h':
        return special(in, *tag, offered_of(in));
    case 'B':
    case 'I':
        return special(in, *tag, bytes_of(in, 0));
    case 'S':
    case 'Z':
    case ':':
    case 'a':
    case 'E':
        return special(in, *tag, items_of(in, 0));
    case 'e':
        return Py_NewRef(Py_Ellipsis);
    default:
        refuse("this is no value");
        return NULL;
    }
}

static PyObject *unpack(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    (void)module;
    Py_buffer view;
    if (check_count(count, 2) < 0 || PyObject_GetBuffer(args[0], &view, PyBUF_SIMPLE) < 0)
        return NULL;
    struct in in = {.at = view.buf, .left = view.len, .special = args[1]};
    PyObject *found = PyList_New(0);
    while (found && in.left > 0) {
        PyObject *value = value_of(&in);
        if (!value || PyList_Append(found, value) < 0)
            Py_CLEAR(found);
        Py_XDECREF(value);
    }
    PyBuffer_Release(&view);
    return found;
}

static PyMethodDef functions[] = {
    {"pack", (PyCFunction)(void (*)(void))pack, METH_FASTCALL,
     PyDoc_STR("pack($module, kind, conversation, turn, values, written, /)\n--\n\nReturn the frame with these values, in pieces. What is no plain data is written by written(value), which returns a "
               "list of bytes. Raises ValueError for what is too large or too deep.")},
    {"unpack", (PyCFunction)(void (*)(void))unpack, METH_FASTCALL,
     PyDoc_STR("unpack($module, body, special, /)\n--\n\nReturn the values of a body. What is no plain data is made by special(tag, what was read). Raises ValueError, TypeError for what pack() does "
               "not write.")},
    {0},
};

int rpio_add_objects(PyObject *module)
{
    return PyModule_AddFunctions(module, functions);
}
