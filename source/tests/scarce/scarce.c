/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * scarce.c - a library to be preloaded, in which resources end: the n-th call of a function fails.
 *
 * It counts only while it is armed, so the interpreter's start and the preparations of a test are not affected. Memory
 * is counted where RPIO's own code asks for it, by the address of the call: CPython's is another matter
 * (_testcapi.set_nomemory). System calls are counted from anywhere: an interpreter that executes ours makes them for us.
 */
#include "scarce.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/types.h>

/* The table: what fails, with which error, and whether only where our own code calls it. */
#define FUNCTIONS(X)                                                                                                   \
    X(malloc, ENOMEM, 1)                                                                                               \
    X(calloc, ENOMEM, 1)                                                                                               \
    X(realloc, ENOMEM, 1)                                                                                              \
    X(mmap, ENOMEM, 1)                                                                                                 \
    X(opendir, EMFILE, 0)                                                                                              \
    X(open, EMFILE, 0)                                                                                                 \
    X(epoll_create1, EMFILE, 0)                                                                                        \
    X(epoll_ctl, ENOMEM, 0)                                                                                            \
    X(eventfd, EMFILE, 0)                                                                                              \
    X(timerfd_create, EMFILE, 0)                                                                                       \
    X(inotify_init1, EMFILE, 0)                                                                                        \
    X(inotify_add_watch, ENOSPC, 0)                                                                                    \
    X(pipe2, EMFILE, 0)                                                                                                \
    X(ioctl, EIO, 0)                                                                                                   \
    X(write, EIO, 0)                                                                                                   \
    X(socket, EMFILE, 0)                                                                                               \
    X(setsockopt, ENOMEM, 0)                                                                                           \
    X(accept4, EMFILE, 0)                                                                                              \
    X(pthread_create, EAGAIN, 0)

#define NUMBER(name, error, is_ours) N_##name,
enum which { FUNCTIONS(NUMBER) COUNT };

#define ROW(name, error, is_ours) {#name, error, is_ours},
static const struct {
    const char *name;
    int error, is_ours;
} functions[] = {FUNCTIONS(ROW)};

#define RANGES_MAX 8
static struct {
    uintptr_t begin, end;
} ours[RANGES_MAX];
static size_t our_count;

#define OFF (-2)
static atomic_int armed = OFF; /* the function that fails; -1: none does, and all are counted */
static atomic_int all_after;
static atomic_long moment, failed, calls[COUNT];

int scarce_which(const char *name)
{
    for (int i = 0; i < COUNT; i++)
        if (strcmp(functions[i].name, name) == 0)
            return i;
    return -1;
}

void scarce_ours(uintptr_t begin, uintptr_t end)
{
    if (our_count < RANGES_MAX) {
        ours[our_count].begin = begin;
        ours[our_count++].end = end;
    }
}

void scarce_arm(int which, long n, int more)
{
    moment = n;
    all_after = more;
    failed = 0;
    for (int i = 0; i < COUNT; i++)
        calls[i] = 0;
    armed = which;
}

long scarce_disarm(void)
{
    armed = OFF;
    return failed;
}

long scarce_calls(int which)
{
    return calls[which];
}

static int is_ours(const void *caller)
{
    for (size_t i = 0; i < our_count; i++)
        if ((uintptr_t)caller >= ours[i].begin && (uintptr_t)caller < ours[i].end)
            return 1;
    return 0;
}

/* The error of this call, 0 where it is to be made. */
static int error_of(enum which which, const void *caller)
{
    if (atomic_load(&armed) == OFF || (functions[which].is_ours && !is_ours(caller)))
        return 0;
    long number = atomic_fetch_add(&calls[which], 1) + 1, first = atomic_load(&moment);
    if (atomic_load(&armed) != (int)which)
        return 0;
    if (number != first && !(all_after && number > first))
        return 0;
    atomic_fetch_add(&failed, 1);
    return functions[which].error;
}

#define HERE __builtin_return_address(0)

#define FAIL(name, answer)                                                                                             \
    do {                                                                                                               \
        int error = error_of(N_##name, HERE);                                                                          \
        if (error) {                                                                                                   \
            errno = error;                                                                                             \
            return answer;                                                                                             \
        }                                                                                                              \
    } while (0)

/* ---- memory: under these names the C library has its own, for whoever replaces them ---- */

void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *old, size_t bytes);

void *malloc(size_t bytes)
{
    FAIL(malloc, NULL);
    return __libc_malloc(bytes);
}

void *calloc(size_t count, size_t bytes)
{
    FAIL(calloc, NULL);
    return __libc_calloc(count, bytes);
}

void *realloc(void *old, size_t bytes)
{
    FAIL(realloc, NULL);
    return __libc_realloc(old, bytes);
}

/* ---- the rest ---- */

/* The C library's function of that name. POSIX has it that a function pointer fits into a void *. */
#define THEIRS(name, result, ...)                                                                                      \
    static result (*theirs)(__VA_ARGS__);                                                                              \
    if (!theirs)                                                                                                       \
    *(void **)&theirs = dlsym(RTLD_NEXT, name)

/* Functions that take so many arguments and return -1 with errno. */
#define CALL1(name, A)                                                                                                 \
    int name(A a)                                                                                                      \
    {                                                                                                                  \
        THEIRS(#name, int, A);                                                                                         \
        FAIL(name, -1);                                                                                                \
        return theirs(a);                                                                                              \
    }
#define CALL2(name, A, B)                                                                                              \
    int name(A a, B b)                                                                                                 \
    {                                                                                                                  \
        THEIRS(#name, int, A, B);                                                                                      \
        FAIL(name, -1);                                                                                                \
        return theirs(a, b);                                                                                           \
    }
#define CALL3(name, A, B, C)                                                                                           \
    int name(A a, B b, C c)                                                                                            \
    {                                                                                                                  \
        THEIRS(#name, int, A, B, C);                                                                                   \
        FAIL(name, -1);                                                                                                \
        return theirs(a, b, c);                                                                                        \
    }
#define CALL4(name, A, B, C, D)                                                                                        \
    int name(A a, B b, C c, D d)                                                                                       \
    {                                                                                                                  \
        THEIRS(#name, int, A, B, C, D);                                                                                \
        FAIL(name, -1);                                                                                                \
        return theirs(a, b, c, d);                                                                                     \
    }
#define CALL5(name, A, B, C, D, E)                                                                                     \
    int name(A a, B b, C c, D d, E e)                                                                                  \
    {                                                                                                                  \
        THEIRS(#name, int, A, B, C, D, E);                                                                             \
        FAIL(name, -1);                                                                                                \
        return theirs(a, b, c, d, e);                                                                                  \
    }

CALL1(epoll_create1, int)
CALL1(inotify_init1, int)
CALL2(eventfd, unsigned, int)
CALL2(timerfd_create, int, int)
CALL2(pipe2, int *, int)
CALL3(inotify_add_watch, int, const char *, uint32_t)
CALL3(socket, int, int, int)
CALL4(epoll_ctl, int, int, int, struct epoll_event *)
CALL4(accept4, int, struct sockaddr *, socklen_t *, int)
CALL5(setsockopt, int, int, int, const void *, socklen_t)

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument)
{
    THEIRS("pthread_create", int, pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    int error = error_of(N_pthread_create, HERE);
    return error ? error : theirs(thread, attributes, start, argument);
}

ssize_t write(int fd, const void *bytes, size_t count)
{
    THEIRS("write", ssize_t, int, const void *, size_t);
    if (!(count == sizeof(uint64_t) && is_ours(HERE))) /* to an eventfd, which lacks nothing */
        FAIL(write, -1);
    return theirs(fd, bytes, count);
}

void *mmap(void *at, size_t bytes, int protection, int flags, int fd, off_t offset)
{
    THEIRS("mmap", void *, void *, size_t, int, int, int, off_t);
    FAIL(mmap, MAP_FAILED);
    return theirs(at, bytes, protection, flags, fd, offset);
}

DIR *opendir(const char *path)
{
    THEIRS("opendir", DIR *, const char *);
    FAIL(opendir, NULL);
    return theirs(path);
}

/* What open() was given behind its flags, if anything. */
#define OPEN(name)                                                                                                     \
    int name(const char *path, int flags, ...)                                                                         \
    {                                                                                                                  \
        va_list more;                                                                                                  \
        mode_t mode = 0;                                                                                               \
        if (flags & (O_CREAT | O_TMPFILE)) {                                                                           \
            va_start(more, flags);                                                                                     \
            mode = va_arg(more, mode_t);                                                                               \
            va_end(more);                                                                                              \
        }                                                                                                              \
        THEIRS(#name, int, const char *, int, ...);                                                                    \
        FAIL(open, -1);                                                                                                \
        return theirs(path, flags, mode);                                                                              \
    }

OPEN(open)
OPEN(open64)

int ioctl(int fd, unsigned long request, ...)
{
    va_list more;
    va_start(more, request);
    void *argument = va_arg(more, void *);
    va_end(more);
    THEIRS("ioctl", int, int, unsigned long, ...);
    FAIL(ioctl, -1);
    int result;
    if (!chip_ioctl(fd, request, argument, &result))
        return theirs(fd, request, argument);
    if (result >= 0)
        return result;
    errno = -result;
    return -1;
}
