# SPDX-License-Identifier: LGPL-3.0-or-later
"""Starting a program where the C core is not: by the standard library, which takes longer."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
"""Source: Linux, include/uapi/linux/prctl.h."""


def spawn(
    file: bytes,
    words: Sequence[bytes],
    environment: Sequence[bytes],
    folder: bytes,
    standard: tuple[int, int, int],
    is_terminal: bool,
    kept: Sequence[int],
    limits: Sequence[int],
    /,
) -> int:
    """As that of the C core."""
    import ctypes
    import fcntl
    import resource
    import signal
    import subprocess
    import termios

    libc = ctypes.CDLL(None)

    def _begin() -> None:
        for number in signal.valid_signals():
            if number not in (signal.SIGKILL, signal.SIGSTOP) and signal.getsignal(number) is signal.SIG_IGN:
                signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        if is_terminal:
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        libc.prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        for kind, value in zip(limits[::2], limits[1::2], strict=True):
            _, most = resource.getrlimit(kind)
            least = value if most == resource.RLIM_INFINITY else min(value, most)
            resource.setrlimit(kind, (least, least))

    stdin, stdout, stderr = standard
    started = subprocess.Popen(
        list(words),
        executable=file,
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        pass_fds=list(kept),
        cwd=folder,
        env=dict(pair.split(b"=", 1) for pair in environment),
        start_new_session=True,
        preexec_fn=_begin,  # noqa: PLW1509 # a process with this loop has few threads
    )
    started.returncode = 0  # who has called waits for it by its number
    return started.pid
