/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * dma_guard.c - the guardian: a process that outlives the program, to stop its DMA channels.
 *
 * DMA goes on when its program is killed, with the outputs pulsing. No signal handler sees SIGKILL; another process
 * does: its pipe from the program ends. A program's own children may have inherited the pipe, so it also asks the
 * kernel for the program itself (pidfd), where there is such a thing.
 *
 * It is forked twice, so that it is nobody's child and no wait() of the program finds it, and it runs nothing but what
 * stands here. Between fork and exit only functions are called that are safe after a fork of a program with threads.
 */
#include "dma_chain.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define FD_LIMIT 4096 /* that are closed one by one, where there is no close_range(2) */

static int open_process(pid_t pid)
{
#ifdef SYS_pidfd_open
    return (int)syscall(SYS_pidfd_open, pid, 0);
#else
    (void)pid;
    return -1;
#endif
}

static int is_kept(int fd, const int *kept, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (kept[i] == fd)
            return 1;
    return 0;
}

/* Everything else belongs to the program: its terminal, its sockets, its locks. */
static void close_others(const int *kept, size_t count)
{
    struct rlimit limit = {.rlim_cur = FD_LIMIT};
    (void)getrlimit(RLIMIT_NOFILE, &limit);
    int end = limit.rlim_cur < FD_LIMIT ? (int)limit.rlim_cur : FD_LIMIT;
#ifdef SYS_close_range
    (void)syscall(SYS_close_range, FD_LIMIT, ~0u, 0);
#endif
    for (int fd = 0; fd < end; fd++)
        if (!is_kept(fd, kept, count))
            (void)close(fd);
}

static void wait_for_the_end(int pipe_fd, int process_fd)
{
    struct pollfd fds[] = {{.fd = pipe_fd, .events = POLLIN}, {.fd = process_fd, .events = POLLIN}};
    while (poll(fds, 2, -1) < 0 && errno == EINTR) /* a negative descriptor is left out */
        ;
}

static void guard(struct rpio_dma *dma, const char *state_path, int pipe_fd, int process_fd, int lock_fd)
{
    const struct rpio_peripherals *peripherals = rpio_dma_peripherals(dma);
    const int kept[] = {pipe_fd, process_fd, lock_fd, peripherals->mem_fd, peripherals->vcio_fd};
    sigset_t all;
    (void)sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, NULL);
    (void)prctl(PR_SET_NAME, "rpio-guard");
    close_others(kept, sizeof kept / sizeof kept[0]);
    wait_for_the_end(pipe_fd, process_fd);
    rpio_dma_halt(dma);
    (void)unlink(state_path);
}

int rpio_guard_start(struct rpio_dma *dma, const char *state_path, int lock_fd, int *pid)
{
    int life[2], birth[2]; /* ends with this process; tells the guardian's number */
    if (pipe2(life, O_CLOEXEC) < 0)
        return -errno;
    if (pipe2(birth, O_CLOEXEC) < 0) {
        int error = -errno;
        (void)close(life[0]);
        (void)close(life[1]);
        return error;
    }
    int process_fd = open_process(getpid());
    pid_t first = fork();
    if (first == 0) {
        pid_t second = setsid() < 0 ? -1 : fork();
        if (second == 0) {
            (void)close(life[1]);
            guard(dma, state_path, life[0], process_fd, lock_fd);
        } else {
            (void)!write(birth[1], &second, sizeof second);
        }
        _exit(0);
    }
    int error = first < 0 ? -errno : 0;
    if (process_fd >= 0)
        (void)close(process_fd);
    (void)close(life[0]);
    (void)close(birth[1]);
    pid_t second = -1;
    if (first > 0) {
        while (waitpid(first, NULL, 0) < 0 && errno == EINTR)
            ;
        if (read(birth[0], &second, sizeof second) != (ssize_t)sizeof second || second < 0)
            error = -EAGAIN;
    }
    (void)close(birth[0]);
    if (error < 0) {
        (void)close(life[1]);
        return error;
    }
    *pid = (int)second;
    return life[1];
}
