/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * spawn.h - a program is started: the one file of the core that forks.
 *
 * By vfork(2): the child has this process's memory until it is another program, so it does nothing but system calls, and
 * starting takes as long whatever this process's size. All signals are blocked meanwhile.
 */
#ifndef RPIO_SPAWN_H
#define RPIO_SPAWN_H

#include <stddef.h>

struct rpio_limit {
    int resource;             /* one of RLIMIT_*; see setrlimit(2) */
    unsigned long long value; /* soft and hard */
};

struct rpio_spawn {
    const char *file;          /* its path; there is no search */
    char *const *words;        /* its arguments, the first one its name; NULL ends them */
    char *const *environment;  /* NULL ends it */
    const char *folder;        /* where it begins */
    int standard[3];           /* its standard input, output and error */
    int is_terminal;           /* the first of them is to be the terminal of its session */
    const int *kept;           /* other descriptors that it has, by the same numbers, all above 2, in order */
    size_t kept_count;
    const struct rpio_limit *limits;
    size_t limit_count;
};

/*
 * Starts it, in a session of its own, with no signal blocked or ignored. It is a subreaper (prctl(2)), and is killed
 * when the thread ends that has started it. Returns its number, or -errno of what has failed, with *step saying what that
 * was: one of RPIO_SPAWN_*.
 */
int rpio_spawn(const struct rpio_spawn *program, int *step);

enum { RPIO_SPAWN_FORK, RPIO_SPAWN_TERMINAL, RPIO_SPAWN_DESCRIPTORS, RPIO_SPAWN_LIMITS, RPIO_SPAWN_FOLDER, RPIO_SPAWN_EXEC };

#endif
