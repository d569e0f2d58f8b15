/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* barrier.c - apart from the model, which has no globals: a barrier does not say of which SoC it is. */
#include "barrier.h"

#include <stddef.h>

#include "regs.h"

static void (*at_barrier)(void);

void soc_on_barrier(void (*action)(void))
{
    at_barrier = action;
}

void soc_barrier(void)
{
    if (at_barrier)
        at_barrier();
}
