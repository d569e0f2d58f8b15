/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* module_spawn.c - spawn(): another program is started, see spawn.h. */
#include "module.h"
#include "spawn.h"

#include <errno.h>
#include <stdlib.h>

enum { KEPT_MAX = 16, LIMITS_MAX = 8 };

static const char *const STEPS[] = {"vfork", "terminal", "descriptors", "limits", "folder", "execve"};

/* The texts of a list of bytes, which has to last as long; NULL with an exception. To be freed. */
static char **texts_of(PyObject *list)
{
    Py_ssize_t count = PyList_Size(list);
    char **texts = count < 0 ? NULL : calloc((size_t)count + 1, sizeof *texts);
    if (!texts) {
        if (count >= 0)
            PyErr_NoMemory();
        return NULL;
    }
    for (Py_ssize_t i = 0; i < count; i++)
        if (PyBytes_AsStringAndSize(PyList_GetItem(list, i), &texts[i], NULL) < 0) { /* without a NUL */
            free(texts);
            return NULL;
        }
    return texts;
}

static Py_ssize_t numbers_of(PyObject *list, long long numbers[], Py_ssize_t most)
{
    Py_ssize_t count = PyList_Size(list);
    if (count > most)
        PyErr_SetString(PyExc_ValueError, "too many descriptors or limits");
    for (Py_ssize_t i = 0; i < count && !PyErr_Occurred(); i++)
        numbers[i] = PyLong_AsLongLong(PyList_GetItem(list, i));
    return PyErr_Occurred() ? -1 : count;
}

static PyObject *failed(int error, int step)
{
    errno = -error;
    if (step == RPIO_SPAWN_FORK)
        return PyErr_SetFromErrno(PyExc_OSError);
    return PyErr_SetFromErrnoWithFilename(PyExc_OSError, STEPS[step]);
}

static PyObject *spawn(PyObject *module, PyObject *args)
{
    PyObject *words, *environment, *kept, *limits;
    struct rpio_spawn program = {0};
    int step;
    (void)module;
    if (!PyArg_ParseTuple(args, "yO!O!y(iii)pO!O!:spawn", &program.file, &PyList_Type, &words, &PyList_Type, &environment,
                          &program.folder, &program.standard[0], &program.standard[1], &program.standard[2],
                          &program.is_terminal, &PyList_Type, &kept, &PyList_Type, &limits))
        return NULL;
    long long numbers[KEPT_MAX], pairs[2 * LIMITS_MAX];
    int fds[KEPT_MAX];
    struct rpio_limit limit[LIMITS_MAX];
    Py_ssize_t count = numbers_of(kept, numbers, KEPT_MAX);
    Py_ssize_t pair_count = count < 0 ? -1 : numbers_of(limits, pairs, 2 * LIMITS_MAX);
    if (pair_count < 0)
        return NULL;
    for (Py_ssize_t i = 0; i < count; i++) {
        fds[i] = (int)numbers[i];
        if (fds[i] < 3 || (i > 0 && fds[i] <= fds[i - 1])) {
            PyErr_SetString(PyExc_ValueError, "descriptors that are kept are above 2, and in order");
            return NULL;
        }
    }
    for (Py_ssize_t i = 0; i + 1 < pair_count; i += 2)
        limit[i / 2] = (struct rpio_limit){.resource = (int)pairs[i], .value = (unsigned long long)pairs[i + 1]};
    program.kept = fds;
    program.kept_count = (size_t)count;
    program.limits = limit;
    program.limit_count = (size_t)pair_count / 2;
    char **word_texts = texts_of(words);
    char **environment_texts = word_texts ? texts_of(environment) : NULL;
    PyObject *result = NULL;
    if (environment_texts) {
        program.words = word_texts;
        program.environment = environment_texts;
        int pid = rpio_spawn(&program, &step);
        result = pid < 0 ? failed(pid, step) : PyLong_FromLong(pid);
    }
    free(word_texts);
    free(environment_texts);
    return result;
}

static PyMethodDef spawn_methods[] = {
    {"spawn", spawn, METH_VARARGS,
     PyDoc_STR("spawn($module, file, words, environment, folder, standard, is_terminal, kept, limits, /)\n--\n\n"
               "Start a program, in a session of its own, and return its number. *words* and *environment* are lists of\n"
               "bytes, *standard* three descriptors, *kept* others in order, *limits* pairs of a resource and its limit,\n"
               "one after the other. It is killed when the thread ends that has called this.\n\n"
               "Raises:\n    OSError: what the kernel says; its filename is the step that has failed, as \"execve\".")},
    {0},
};

int rpio_add_spawn(PyObject *module)
{
    return PyModule_AddFunctions(module, spawn_methods);
}
