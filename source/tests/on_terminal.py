# SPDX-License-Identifier: LGPL-3.0-or-later
"""A command on a terminal of its own, which the test types on and reads byte by byte: the window of a person."""

import contextlib
import fcntl
import os
import re
import signal
import struct
import subprocess
import termios

from waiting import LIMIT_S, wait_until


class OnTerminal:
    """The command; its controlling terminal has so many rows and columns."""

    def __init__(self, words, rows=24, cols=80, **keywords):
        self.fd, its = os.openpty()
        self.its = its  # kept open: what the settings are is asked of it
        self.resize(rows, cols)
        self.before = termios.tcgetattr(its)
        self.process = subprocess.Popen(
            words,
            stdin=its,
            stdout=its,
            stderr=its,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509
            **keywords,
        )
        os.set_blocking(self.fd, False)
        self.text = b""
        self._found = 0

    def look(self):
        """Take what has been written since."""
        with contextlib.suppress(OSError):
            while data := os.read(self.fd, 1 << 16):
                self.text += data
        return self.text

    def says(self, pattern):
        """Wait until that is written, behind what was found before; return the match."""
        found = []

        def is_there():
            found[:] = [m for m in [re.search(pattern, self.look()[self._found :])] if m]
            return found or self.process.poll() is not None

        assert wait_until(is_there), f"it does not say {pattern!r}: {self.text!r}"
        if not found:
            found = [re.search(pattern, self.look()[self._found :])]
        assert found[0], f"it has ended ({self.process.returncode}) without {pattern!r}: {self.text!r}"
        self._found += found[0].end()
        return found[0]

    def type(self, data):
        """Type."""
        os.write(self.fd, data)

    def resize(self, rows, cols):
        """Make the window another size."""
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("4H", rows, cols, 0, 0))

    @property
    def is_raw(self):
        """Whether keys go on as they are typed."""
        return not termios.tcgetattr(self.its)[3] & (termios.ICANON | termios.ISIG | termios.ECHO)

    def hang_up(self):
        """Close the window."""
        os.close(self.its)
        os.close(self.fd)
        self.fd = self.its = -1

    def end(self, status):
        """Wait for its end, and see that the terminal is as it was; return all that was written."""

        def has_ended():
            self.look()
            return self.process.poll() is not None

        assert wait_until(has_ended), self.text
        self.look()
        assert self.process.returncode == status, self.text
        assert termios.tcgetattr(self.its) == self.before
        return self.text

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait(LIMIT_S)
        for fd in (self.fd, self.its):
            if fd >= 0:
                os.close(fd)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()
