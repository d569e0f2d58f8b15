/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * module_cdev.c - the gpiochip calls as Python sees them: what opens returns an object that is closed when it
 * dies; all else takes its descriptor.
 */
#include "module.h"

#include <unistd.h>

static PyObject *chip_open(PyObject *module, PyObject *path)
{
    const char *text = PyUnicode_AsUTF8(path);
    if (!text)
        return NULL;
    int fd = rpio_cdev_open(text);
    return fd < 0 ? raise_errno(fd, text) : rpio_file_new(PyModule_GetState(module), fd, 1);
}

static PyObject *file_watch(PyObject *module, PyObject *path)
{
    const char *text = PyUnicode_AsUTF8(path);
    if (!text)
        return NULL;
    int fd = rpio_cdev_file_watch(text);
    return fd < 0 ? raise_errno(fd, text) : rpio_file_new(PyModule_GetState(module), fd, 0);
}

static PyObject *name_text(const char *name)
{
    return PyUnicode_DecodeUTF8(name, (Py_ssize_t)strlen(name), "replace");
}

static PyObject *chip_info(PyObject *module, PyObject *chip_fd)
{
    (void)module;
    struct rpio_chip_info info;
    int fd, error;
    if (as_int(chip_fd, &fd) < 0)
        return NULL;
    if ((error = rpio_cdev_chip_info(fd, &info)) < 0)
        return raise_errno(error, NULL);
    return Py_BuildValue("(NNI)", name_text(info.name), name_text(info.label), (unsigned)info.line_count);
}

/* line_info(chip_fd, line) and line_info_v1(chip_fd, line). */
static PyObject *line_info_by(PyObject *const *args, Py_ssize_t count,
                              int (*ask)(int, uint32_t, struct rpio_line_info *))
{
    struct rpio_line_info info;
    int n[2], error;
    if (as_ints(args, count, n, 2) < 0)
        return NULL;
    if ((error = ask(n[0], (uint32_t)n[1], &info)) < 0)
        return raise_errno(error, NULL);
    return Py_BuildValue("{sNsNsOsOsOsisisI}", "name", name_text(info.name), "consumer", name_text(info.consumer),
                         "used", info.used ? Py_True : Py_False, "is_output", info.is_output ? Py_True : Py_False,
                         "active_low", info.active_low ? Py_True : Py_False, "pull", info.pull, "edges",
                         info.edges, "debounce_us", (unsigned)info.debounce_us);
}

static PyObject *line_info(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    (void)module;
    return line_info_by(args, count, rpio_cdev_line_info);
}

static PyObject *line_info_v1(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    (void)module;
    return line_info_by(args, count, rpio_cdev_line_info_v1);
}

/* direction, value, pull, edges, debounce_us: the last five arguments of both calls that configure a line. */
static struct rpio_line_config config_of(const int n[5])
{
    return (struct rpio_line_config){
        .direction = n[0], .value = n[1], .pull = n[2], .edges = n[3], .debounce_us = (uint32_t)n[4]};
}

/* The object that will own the request is there before it, and in the backend's books: so a signal handler that cleans up
 * finds the line, whenever it comes. */
static PyObject *line_request(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    struct state *state = PyModule_GetState(module);
    int n[8];
    if (count != 10)
        return PyErr_Format(PyExc_TypeError, "10 arguments expected, %zd given", count);
    if (!PyObject_TypeCheck(args[0], state->line))
        return PyErr_Format(PyExc_TypeError, "a Line expected, not %.200s", Py_TYPE(args[0])->tp_name);
    Line *line = (Line *)args[0];
    const char *consumer = PyUnicode_AsUTF8(args[9]);
    if (!consumer || as_ints(args + 1, 8, n, 8) < 0)
        return NULL;
    if (line->fd >= 0)
        return raise_errno(-EBUSY, NULL);
    struct rpio_line_config config = config_of(n + 3);
    int fd = rpio_cdev_request(n[0], (uint32_t)n[1], &config, consumer, (uint32_t)n[2]);
    int error = fd < 0 ? fd : rpio_numbers_add(state->numbers, fd);
    if (fd >= 0 && error < 0)
        (void)close(fd);
    else
        line->fd = fd;
    return none_or_errno(error);
}

static PyObject *lines_after_fork(PyObject *module, PyObject *unused)
{
    (void)unused;
    rpio_numbers_after_fork(((struct state *)PyModule_GetState(module))->numbers);
    Py_RETURN_NONE;
}

static PyObject *line_configure(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    struct state *state = PyModule_GetState(module);
    int n[6];
    if (as_ints(args, count, n, 6) < 0)
        return NULL;
    struct rpio_line_config config = config_of(n + 1);
    int error = rpio_cdev_configure(n[0], &config);
    if (error == 0 && config.edges == RPIO_EDGE_NONE) /* here, so that no signal's handler comes in between */
        rpio_numbers_end(state->numbers, n[0]);
    return none_or_errno(error);
}

static PyObject *line_read(PyObject *module, PyObject *line_fd)
{
    (void)module;
    int fd;
    return as_int(line_fd, &fd) < 0 ? NULL : result_or_errno(rpio_cdev_read(fd));
}

static PyObject *line_write(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    (void)module;
    int n[2];
    return as_ints(args, count, n, 2) < 0 ? NULL : none_or_errno(rpio_cdev_write(n[0], n[1]));
}

static PyMethodDef methods[] = {
    {"chip_open", chip_open, METH_O, PyDoc_STR("chip_open(path, /)\n--\n\nA gpiochip, open; in the child of a fork, too.")},
    {"file_watch", file_watch, METH_O,
     PyDoc_STR("file_watch(path, /)\n--\n\nA File that is readable when the other may have been removed.")},
    {"chip_info", chip_info, METH_O, PyDoc_STR("chip_info(chip_fd, /)\n--\n\n(name, label, line_count).")},
    {"line_info", (PyCFunction)(void (*)(void))line_info, METH_FASTCALL,
     PyDoc_STR("line_info(chip_fd, line, /)\n--\n\nDict: name, consumer, used, is_output, active_low, pull (-1: "
               "unknown), edges, debounce_us.")},
    {"line_info_v1", (PyCFunction)(void (*)(void))line_info_v1, METH_FASTCALL,
     PyDoc_STR("line_info_v1(chip_fd, line, /)\n--\n\nThe same on a kernel before 5.10; the pull is unknown.")},
    {"line_request", (PyCFunction)(void (*)(void))line_request, METH_FASTCALL,
     PyDoc_STR("line_request(requested, chip_fd, line, event_buffer_size, direction, value, pull, edges, debounce_us, "
               "consumer, /)\n--\n\nHave a Line request a line.")},
    {"line_configure", (PyCFunction)(void (*)(void))line_configure, METH_FASTCALL,
     PyDoc_STR("line_configure(line_fd, direction, value, pull, edges, debounce_us, /)\n--\n\nChange a request. "
               "Without edges a watch of it is over: events_read() and Poller drop what is left.")},
    {"lines_after_fork", lines_after_fork, METH_NOARGS,
     PyDoc_STR("lines_after_fork()\n--\n\nIn the child of a fork, before any other call about lines.")},
    {"line_read", line_read, METH_O, PyDoc_STR("line_read(line_fd, /)\n--\n\n0 or 1.")},
    {"line_write", (PyCFunction)(void (*)(void))line_write, METH_FASTCALL,
     PyDoc_STR("line_write(line_fd, value, /)\n--\n\nOne ioctl.")},
    {0},
};

int rpio_add_cdev(PyObject *module)
{
    return PyModule_AddFunctions(module, methods);
}
