/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What the parts of the preloaded library know of each other, and what Python calls. */
#ifndef SCARCE_H
#define SCARCE_H

#include <stdint.h>

/* ---- scarce.c: calls that fail ---- */

int scarce_which(const char *name);                          /* its number; -1: there is none of that name */
void scarce_ours(uintptr_t begin, uintptr_t end);            /* from here memory is asked for by RPIO */
void scarce_arm(int which, long moment, int all_after);      /* fail that call, from now on, and those after it */
                                                             /* -1: only count */
long scarce_disarm(void);                                    /* how many have failed */
long scarce_calls(int which);                                /* how many there were while it was armed */

/* ---- chip.c: a gpiochip ---- */

int chip_is_at(const char *path);         /* a file, which is one from now on; NULL: no more */
void chip_drive(uint32_t line, int level); /* from outside; -1: let go */
int chip_shows(uint32_t line);             /* 0: an input, 1: an output; 2 more: held, 4 more: edges are asked for */
void chip_settle(void);                    /* notice which requests have been closed */

/* 1: it was for the chip, and *result is the answer, -errno where that is one */
int chip_ioctl(int fd, unsigned long request, void *argument, int *result);

#endif
