/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* fork.h - what is held over a fork. For the files of the core that have a mutex. */
#ifndef RPIO_FORK_H
#define RPIO_FORK_H

/* One object of theirs: its mutex is taken by `before`, and given back by `after`, in the parent and in the child. */
struct rpio_held {
    void (*before)(void *object);
    void (*after)(void *object, int is_child);
    void *object;
    struct rpio_held *next;
};

/* From here on, and no longer. To be called without the object's mutex. 0, or -ENOMEM. */
int rpio_hold_over_forks(struct rpio_held *held);
void rpio_hold_no_more(struct rpio_held *held); /* that was never held, too */

#endif
