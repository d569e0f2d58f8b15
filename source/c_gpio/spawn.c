/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* spawn.c - see spawn.h. */
#include "spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SIGNALS = 64, FIRST_OTHER = 3 };

#ifndef PR_SET_CHILD_SUBREAPER
#define PR_SET_CHILD_SUBREAPER 36
#endif

/* Closes first to last at exec. Where the kernel does not know how (before 5.11), whoever opened them has said so. */
static void close_at_exec(unsigned first, unsigned last)
{
#ifdef SYS_close_range
    if (first <= last)
        (void)syscall(SYS_close_range, first, last, 4u); /* CLOSE_RANGE_CLOEXEC */
#else
    (void)first;
    (void)last;
#endif
}

static void forget_signals(void)
{
    struct sigaction plain = {.sa_handler = SIG_DFL};
    for (int number = 1; number <= SIGNALS; number++)
        (void)sigaction(number, &plain, NULL); /* not to be had for some of them */
}

static int set_descriptors(const struct rpio_spawn *program)
{
    int moved[3];
    for (int i = 0; i < 3; i++) { /* out of each other's way */
        moved[i] = fcntl(program->standard[i], F_DUPFD_CLOEXEC, FIRST_OTHER);
        if (moved[i] < 0)
            return -1;
    }
    for (int i = 0; i < 3; i++)
        if (dup2(moved[i], i) < 0)
            return -1;
    unsigned next = FIRST_OTHER;
    for (size_t i = 0; i < program->kept_count; i++) {
        int fd = program->kept[i];
        close_at_exec(next, (unsigned)fd - 1);
        if (fcntl(fd, F_SETFD, 0) < 0)
            return -1;
        next = (unsigned)fd + 1;
    }
    close_at_exec(next, ~0u);
    return 0;
}

static int set_limits(const struct rpio_spawn *program)
{
    for (size_t i = 0; i < program->limit_count; i++) {
        const struct rpio_limit *limit = &program->limits[i];
        struct rlimit now;
        if (getrlimit(limit->resource, &now) < 0)
            return -1;
        rlim_t value = (rlim_t)limit->value;
        if (now.rlim_max != RLIM_INFINITY && value > now.rlim_max)
            value = now.rlim_max;
        now.rlim_cur = now.rlim_max = value;
        if (setrlimit(limit->resource, &now) < 0)
            return -1;
    }
    return 0;
}

/* In the child: returns where it has failed. The limits come late, since they hold for what is done here as well. */
static int become(const struct rpio_spawn *program, pid_t parent)
{
    sigset_t none;
    (void)setsid();
    forget_signals();
    if (program->is_terminal && ioctl(program->standard[0], TIOCSCTTY, 0) < 0)
        return RPIO_SPAWN_TERMINAL;
    if (set_descriptors(program) < 0)
        return RPIO_SPAWN_DESCRIPTORS;
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (getppid() != parent) { /* who has ended before that was set, and has no memory of what fails here */
        errno = ESRCH;
        return RPIO_SPAWN_FORK;
    }
    if (chdir(program->folder) < 0)
        return RPIO_SPAWN_FOLDER;
    if (set_limits(program) < 0)
        return RPIO_SPAWN_LIMITS;
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)execve(program->file, program->words, program->environment);
    return RPIO_SPAWN_EXEC;
}

int rpio_spawn(const struct rpio_spawn *program, int *step)
{
    /* Written by the child, in this memory. */
    volatile int error = 0, failed = RPIO_SPAWN_FORK;
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    const pid_t parent = getpid();
    pid_t pid = vfork();
    if (pid == 0) {
        failed = become(program, parent);
        error = errno;
        _exit(127);
    }
    if (pid < 0)
        error = errno;
    else if (error)
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            continue;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    *step = failed;
    return error ? -error : (int)pid;
}
