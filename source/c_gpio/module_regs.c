/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * module_regs.c - Registers: a mapped block, as Python sees it.
 */
#include "module.h"

static int registers_init(PyObject *self, PyObject *args, PyObject *kwargs)
{
    struct rpio_regs *regs = &((Registers *)self)->regs;
    static char *names[] = {"compatible", "path", "offset", NULL};
    const char *compatible, *path;
    unsigned long long offset = 0;
    int error;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "ss|K:Registers", names, &compatible, &path, &offset))
        return -1;
    rpio_regs_unmap(regs);
#ifdef RPIO_MODELLED_SOC
    error = rpio_regs_attach(regs, compatible, (volatile void *)(uintptr_t)offset);
#else
    error = rpio_regs_map(regs, compatible, path, offset);
#endif
    if (error < 0) {
        (void)raise_errno(error, path);
        return -1;
    }
    return 0;
}

static void registers_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
#ifndef RPIO_MODELLED_SOC
    rpio_regs_unmap(&((Registers *)self)->regs);
#endif
    type->tp_free(self);
    Py_DECREF(type);
}

static PyObject *registers_function(PyObject *self, PyObject *line)
{
    int n;
    return as_int(line, &n) < 0 ? NULL : result_or_errno(rpio_regs_function(&((Registers *)self)->regs, (unsigned)n));
}

static PyObject *registers_read(PyObject *self, PyObject *line)
{
    int n;
    return as_int(line, &n) < 0 ? NULL : result_or_errno(rpio_regs_read(&((Registers *)self)->regs, (unsigned)n));
}

static PyObject *registers_pull(PyObject *self, PyObject *line)
{
    int n;
    return as_int(line, &n) < 0 ? NULL : result_or_errno(rpio_regs_pull(&((Registers *)self)->regs, (unsigned)n));
}

static PyObject *registers_set_function(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    int n[2];
    return as_ints(args, count, n, 2) < 0
               ? NULL
               : none_or_errno(rpio_regs_set_function(&((Registers *)self)->regs, (unsigned)n[0], n[1]));
}

static PyObject *registers_write(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    int n[2];
    return as_ints(args, count, n, 2) < 0
               ? NULL
               : none_or_errno(rpio_regs_write(&((Registers *)self)->regs, (unsigned)n[0], n[1]));
}

static PyObject *registers_set_pull(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    int n[2];
    return as_ints(args, count, n, 2) < 0
               ? NULL
               : none_or_errno(rpio_regs_set_pull(&((Registers *)self)->regs, (unsigned)n[0], n[1]));
}

static PyMethodDef registers_methods[] = {
    {"function", registers_function, METH_O, PyDoc_STR("function($self, line, /)\n--\n\nFunction code of the line.")},
    {"set_function", (PyCFunction)(void (*)(void))registers_set_function, METH_FASTCALL,
     PyDoc_STR("set_function($self, line, function, /)\n--\n\nSwitch the line.")},
    {"read", registers_read, METH_O, PyDoc_STR("read($self, line, /)\n--\n\nLevel of the line, 0 or 1.")},
    {"write", (PyCFunction)(void (*)(void))registers_write, METH_FASTCALL,
     PyDoc_STR("write($self, line, value, /)\n--\n\nSet the output latch.")},
    {"pull", registers_pull, METH_O, PyDoc_STR("pull($self, line, /)\n--\n\n0 off, 1 down, 2 up.")},
    {"set_pull", (PyCFunction)(void (*)(void))registers_set_pull, METH_FASTCALL,
     PyDoc_STR("set_pull($self, line, pull, /)\n--\n\n0 off, 1 down, 2 up.")},
    {0},
};

static PyMemberDef registers_members[] = {
    {"line_count", T_UINT, offsetof(Registers, regs.line_count), READONLY, "lines of the chip"},
    {0},
};

static PyType_Slot registers_slots[] = {
    {Py_tp_doc, PyDoc_STR("Registers(compatible, path, offset=0)\n--\n\nA GPIO register block, mapped from a file.")},
    {Py_tp_init, registers_init},
    {Py_tp_dealloc, registers_dealloc},
    {Py_tp_methods, registers_methods},
    {Py_tp_members, registers_members},
    {0},
};

static PyType_Spec registers_spec = {
    .name = "RPIO._gpio.Registers",
    .basicsize = sizeof(Registers),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = registers_slots,
};

static PyObject *regs_chip(PyObject *module, PyObject *compatible)
{
    (void)module;
    const char *text = PyUnicode_AsUTF8(compatible);
    if (!text)
        return NULL;
    const char *chip = rpio_regs_chip(text);
    return chip ? PyUnicode_FromString(chip) : Py_NewRef(Py_None);
}

static PyMethodDef methods[] = {
    {"regs_chip", regs_chip, METH_O,
     PyDoc_STR("regs_chip(compatible, /)\n--\n\nRegister block of a device-tree compatible, or None.")},
    {0},
};

int rpio_add_regs(PyObject *module)
{
    struct state *state = PyModule_GetState(module);
    state->registers = add_type(module, &registers_spec);
    return state->registers ? PyModule_AddFunctions(module, methods) : -1;
}
