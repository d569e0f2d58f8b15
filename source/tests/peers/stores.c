/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * stores.c - preloaded into a program, it notes every store into the page that the program maps from /dev/gpiomem.
 *
 * The page is closed, so that each access is a SIGSEGV. Its handler opens the page and sets the processor's trap
 * flag; the one instruction runs, and the SIGTRAP behind it notes what is in the register now and closes the page.
 * Another thread that comes by while the page is open is not noted: programs with PWM running are not for this.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#if !defined __x86_64__
#error "the trap flag is x86-64's"
#endif

enum { PAGE = 4096, TRAP_FLAG = 0x100, FAULT_IS_WRITE = 2, STORES_MAX = 1 << 16 };

struct store {
    uint32_t offset, value;
};

static uint8_t *page;
static struct store stores[STORES_MAX];
static atomic_uint count;
static _Thread_local uint32_t offset;
static _Thread_local int is_write;

static void on_access(int number, siginfo_t *info, void *context)
{
    uint8_t *at = info->si_addr;
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    if (!page || at < page || at >= page + PAGE) {
        signal(number, SIG_DFL); /* not ours: the same instruction ends the program as it would have */
        return;
    }
    offset = (uint32_t)(at - page);
    is_write = (registers[REG_ERR] & FAULT_IS_WRITE) != 0;
    mprotect(page, PAGE, PROT_READ | PROT_WRITE);
    registers[REG_EFL] |= TRAP_FLAG;
}

static void on_step(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)info;
    if (is_write) {
        unsigned at = atomic_fetch_add(&count, 1);
        if (at < STORES_MAX)
            stores[at] = (struct store){offset & ~3u, *(volatile uint32_t *)(page + (offset & ~3u))};
    }
    mprotect(page, PAGE, PROT_NONE);
    ((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL] &= ~TRAP_FLAG;
}

static int is_gpiomem(int fd)
{
    char link[64], path[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    return length > 0 && (path[length] = '\0', strcmp(path, "/dev/gpiomem") == 0);
}

static void watch(uint8_t *mapped)
{
    struct sigaction access = {.sa_sigaction = on_access, .sa_flags = SA_SIGINFO | SA_NODEFER};
    struct sigaction step = {.sa_sigaction = on_step, .sa_flags = SA_SIGINFO | SA_NODEFER};
    page = mapped;
    sigaction(SIGSEGV, &access, NULL);
    sigaction(SIGTRAP, &step, NULL);
    mprotect(page, PAGE, PROT_NONE);
}

void *mmap(void *address, size_t length, int protection, int flags, int fd, off_t at)
{
    void *mapped = (void *)syscall(SYS_mmap, address, length, protection, flags, fd, at);
    if (mapped != MAP_FAILED && fd >= 0 && is_gpiomem(fd))
        watch(mapped);
    return mapped;
}

void *mmap64(void *address, size_t length, int protection, int flags, int fd, off_t at)
{
    return mmap(address, length, protection, flags, fd, at);
}

/* A thread that blocks every signal would die of its first access. */
int pthread_sigmask(int how, const sigset_t *set, sigset_t *before)
{
    sigset_t without;
    if (set && how != SIG_UNBLOCK) {
        without = *set;
        sigdelset(&without, SIGSEGV);
        sigdelset(&without, SIGTRAP);
        set = &without;
    }
    return sigprocmask(how, set, before) == 0 ? 0 : errno; /* on Linux it is the calling thread's, too */
}

/* Hand out the stores since the last call, and return how many there were, more than fit included. */
unsigned take_stores(struct store *out, unsigned max)
{
    unsigned had = atomic_exchange(&count, 0);
    unsigned fit = had < max ? had : max;
    memcpy(out, stores, fit * sizeof *out);
    return had;
}
