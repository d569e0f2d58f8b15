/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What a test does at each barrier of the core: between two stores whose order matters. */
#ifndef RPIO_TESTS_BARRIER_H
#define RPIO_TESTS_BARRIER_H

void soc_on_barrier(void (*action)(void)); /* NULL: nothing */

#endif
