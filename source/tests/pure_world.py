# SPDX-License-Identifier: LGPL-3.0-or-later
"""A machine that is no Linux, as far as a Python on Linux can be one: what macOS or Windows lack is not there.

A plugin of pytest (``-p pure_world``), and what a program imports before RPIO. What
uses a socket as a file, or waits in select() for what is none, is refused as Windows refuses it, where RPIO does it.
"""

import errno
import importlib.abc
import os
import select
import socket
import stat
import sys

MODULES = {"fcntl", "termios", "resource", "grp", "pwd"}
FROM_SELECT = ("epoll", "poll")
FROM_OS = (
    "fork",
    "forkpty",
    "register_at_fork",
    "eventfd",
    "eventfd_read",
    "eventfd_write",
    "pipe2",
    "uname",
)
FROM_OS_TOO = ("geteuid", "getegid", "getuid", "getgroups", "statvfs", "O_NOCTTY", "O_NONBLOCK", "O_CLOEXEC")
FROM_SOCKET = (
    "SO_PEERCRED",
    "MSG_DONTWAIT",
    "MSG_NOSIGNAL",
    "TCP_USER_TIMEOUT",
    "TCP_KEEPIDLE",
    "AF_UNIX",
    "SO_RCVTIMEO",
)
FROM_ERRNO = ("ENONET",)
FROM_SIGNAL = ("SIGHUP", "SIGALRM", "SIGWINCH", "pthread_sigmask", "setitimer")


class _Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name in MODULES:
            raise ModuleNotFoundError(f"No module named {name!r} on this system", name=name)


def _is_socket(fd):
    return stat.S_ISSOCK(os.fstat(fd).st_mode)


def _is_asked_by_rpio():
    return sys._getframe(2).f_globals.get("__name__", "").startswith("RPIO")


def _refusing_sockets(function):
    def call(fd, *args):
        if _is_asked_by_rpio() and _is_socket(fd):
            raise OSError(errno.EBADF, "a socket is no file here")
        return function(fd, *args)

    return call


def _sockets_alone(function):
    def call(readers, writers, others, timeout=None):
        if _is_asked_by_rpio():
            fds = [*readers, *writers, *others]
            if not fds:
                raise OSError(errno.EINVAL, "select() has nothing to wait for")
            if not all(map(_is_socket, fds)):
                raise OSError(errno.ENOTSOCK, "select() waits for sockets alone here")
        return function(readers, writers, others, timeout)

    return call


def _socketpair(*_):
    """As the socket module makes one where the system does not."""
    listener = socket.socket()
    with listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        one = socket.socket()
        one.connect(listener.getsockname())
        other, peer = listener.accept()
        while peer != one.getsockname():  # a test has just had that port, and somebody still knocks at it
            other.close()
            other, peer = listener.accept()
    return one, other


def begin(is_for_programs):
    """*is_for_programs*: without what pytest itself needs on Linux."""
    sys.meta_path.insert(0, _Absent())
    for name in MODULES:
        sys.modules.pop(name, None)
    import errno as numbers
    import signal

    lacking = [(select, FROM_SELECT), (os, FROM_OS), (socket, FROM_SOCKET), (numbers, FROM_ERRNO)]
    if is_for_programs:
        lacking += [(os, FROM_OS_TOO), (signal, FROM_SIGNAL)]
    for module, names in lacking:
        for name in names:
            if hasattr(module, name):
                delattr(module, name)
    os.read, os.write = _refusing_sockets(os.read), _refusing_sockets(os.write)
    select.select = _sockets_alone(select.select)
    socket.socketpair = _socketpair


begin("pytest" not in sys.modules)
