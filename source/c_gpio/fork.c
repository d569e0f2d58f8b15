/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * fork.c - what is held over a fork.
 *
 * The child of a fork has our memory, page by page as it was some time during the fork, and none of our threads. Whatever
 * another thread was changing is half done there: a list freed and not yet replaced, a descriptor closed whose number is
 * still noted. So whoever forks takes the mutex of every object first, and in the child everything is whole.
 *
 * The C library calls us without saying for whom: hence the list, the only thing in the core that is no object's.
 */
#include "fork.h"

#include <errno.h>
#include <pthread.h>
#include <stddef.h>

static pthread_mutex_t list_mutex = PTHREAD_MUTEX_INITIALIZER; /* over the list; taken before any object's */
static struct rpio_held *list;

static void before(void)
{
    (void)pthread_mutex_lock(&list_mutex);
    for (struct rpio_held *held = list; held; held = held->next)
        held->before(held->object);
}

static void after(int is_child)
{
    for (struct rpio_held *held = list; held; held = held->next)
        held->after(held->object, is_child);
    (void)pthread_mutex_unlock(&list_mutex);
}

static void after_in_parent(void)
{
    after(0);
}

static void after_in_child(void)
{
    after(1);
}

int rpio_hold_over_forks(struct rpio_held *held)
{
    static int is_asked_for;
    (void)pthread_mutex_lock(&list_mutex);
    int error = is_asked_for ? 0 : pthread_atfork(before, after_in_parent, after_in_child);
    if (error == 0) {
        is_asked_for = 1;
        held->next = list;
        list = held;
    }
    (void)pthread_mutex_unlock(&list_mutex);
    return -error;
}

void rpio_hold_no_more(struct rpio_held *held)
{
    (void)pthread_mutex_lock(&list_mutex);
    for (struct rpio_held **at = &list; *at; at = &(*at)->next)
        if (*at == held) {
            *at = held->next;
            break;
        }
    (void)pthread_mutex_unlock(&list_mutex);
}
