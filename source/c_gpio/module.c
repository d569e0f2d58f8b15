/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * module.c - RPIO._gpio: the core as Python sees it. It and its parts are the only files that know Python: module_hot.c
 * has output() and input(), module_regs.c, module_cdev.c, module_events.c and module_timer.c what backends and the loop
 * are made of, module_tally.c what counts edges, module_spawn.c what starts programs, module_pwm.c and module_dma.c pulses, module_whole.c and module_apart.c
 * what signal handlers may not come between.
 */
#include "module.h"

static int module_exec(PyObject *module)
{
    static int (*const parts[])(PyObject *) = {
        rpio_add_regs, rpio_add_hot, rpio_add_cdev, rpio_add_events, rpio_add_timer, rpio_add_lines, rpio_add_frames, rpio_add_objects, rpio_add_routes, rpio_add_pwm, rpio_add_dma, rpio_add_whole, rpio_add_turn, rpio_add_apart, rpio_add_tally, rpio_add_spawn,
    };
    int error = rpio_numbers_new(&((struct state *)PyModule_GetState(module))->numbers);
    if (error < 0) {
        (void)raise_errno(error, NULL);
        return -1;
    }
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (parts[i](module) < 0)
            return -1;
    return PyModule_AddObjectRef(module, "PURE", Py_False); /* RPIO.pure has the other answer */
}

static int module_traverse(PyObject *module, visitproc visit, void *arg)
{
    struct state *state = PyModule_GetState(module);
    Py_VISIT(state->edge_event);
    Py_VISIT(state->registers);
    Py_VISIT(state->poller);
    Py_VISIT(state->soft_pwm);
    Py_VISIT(state->pwm_plan);
    Py_VISIT(state->pump);
    Py_VISIT(state->dma);
    Py_VISIT(state->file);
    Py_VISIT(state->pipe);
    Py_VISIT(state->held);
    Py_VISIT(state->finalizer);
    Py_VISIT(state->errand);
    Py_VISIT(state->line);
    Py_VISIT(state->edge_routes);
    Py_VISIT(state->tally);
    Py_VISIT(state->output_miss);
    Py_VISIT(state->input_miss);
    Py_VISIT(state->bit[0]);
    Py_VISIT(state->bit[1]);
    for (int i = 0; i < GRANT_MAX; i++)
        Py_VISIT(state->grants[i].registers);
    return 0;
}

static int module_clear(PyObject *module)
{
    struct state *state = PyModule_GetState(module);
    Py_CLEAR(state->edge_event);
    Py_CLEAR(state->registers);
    Py_CLEAR(state->poller);
    Py_CLEAR(state->soft_pwm);
    Py_CLEAR(state->pwm_plan);
    Py_CLEAR(state->pump);
    Py_CLEAR(state->dma);
    Py_CLEAR(state->file);
    Py_CLEAR(state->pipe);
    Py_CLEAR(state->held);
    Py_CLEAR(state->finalizer);
    Py_CLEAR(state->errand);
    Py_CLEAR(state->line);
    Py_CLEAR(state->edge_routes);
    Py_CLEAR(state->tally);
    Py_CLEAR(state->output_miss);
    Py_CLEAR(state->input_miss);
    Py_CLEAR(state->bit[0]);
    Py_CLEAR(state->bit[1]);
    for (int i = 0; i < GRANT_MAX; i++)
        Py_CLEAR(state->grants[i].registers);
    return 0;
}

static void module_free(void *module)
{
    struct state *state = PyModule_GetState(module);
    if (state)
        rpio_numbers_free(state->numbers);
}

static PyModuleDef_Slot module_slots[] = {{Py_mod_exec, module_exec}, {0}};

static struct PyModuleDef module_def = {
    PyModuleDef_HEAD_INIT,
    .m_name = "RPIO._gpio",
    .m_doc = PyDoc_STR("The C core of RPIO: registers, gpiochips, edge events, PWM. See source/c_gpio/gpio.h."),
    .m_size = sizeof(struct state),
    .m_slots = module_slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
    .m_free = module_free,
};

PyMODINIT_FUNC PyInit__gpio(void);

PyMODINIT_FUNC PyInit__gpio(void)
{
    return PyModuleDef_Init(&module_def);
}
