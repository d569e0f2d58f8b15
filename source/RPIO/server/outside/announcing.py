# SPDX-License-Identifier: LGPL-3.0-or-later
"""Having a device found on the network: a file for Avahi, which is there as long as others may come.

The folder is root's, as Avahi has it. A daemon that may not write there says what to type, and ``rpio serve
--install``, which is root's too, does it by itself: nobody gets a right to anything for this alone.
"""

from __future__ import annotations

import os
import re
import secrets

from ... import log
from ...machine.new_files import new_file, remove_file
from ...wire.announced import ID, ID_DIGITS, INSTALLED, OF_DAEMON, service_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

PREFIX, SUFFIX = "rpio-", ".service"
IDS = re.compile(rf"<txt-record>{ID}=([0-9a-f]{{{ID_DIGITS}}})</txt-record>")
FILE_MAX = 1 << 16


def model_of(name: str, backend: str) -> str:
    """What is said of a board."""
    return f"simulated {name}" if backend == "sim" else name


class Announcement:
    """The file of one port in a folder. *draft* is where it is written for whoever may put it there."""

    def __init__(self, folder: str, draft: str, port: int, model: str, id: str) -> None:
        self.path = f"{folder}/{PREFIX}{port}{SUFFIX}"
        self._folder, self._draft = folder, draft
        self._port, self._model, self._id = port, model, id
        self._text = service_file(port, model, id)
        self._is_made = False

    def _is_installed(self, found: str) -> bool:
        """Whether that is a file which stays, and says what is so: it may be older than the identity."""
        is_of_port = INSTALLED in found and f"<port>{self._port}</port>" in found
        return is_of_port and all(id == self._id for id in IDS.findall(found))

    def begin(self, say: Callable[[str], object]) -> None:
        """Announce it; what stands in the way is told, with what to type about it."""
        if not os.path.isdir(self._folder):
            say(
                f"others find this machine by its name alone: there is no {self._folder}, which Avahi has "
                "(sudo apt install avahi-daemon)"
            )
            return
        found = _text_of(self.path)
        if self._is_installed(found):
            return  # whoever has put it there takes it away
        if found and OF_DAEMON not in found and INSTALLED not in found:
            say(f"others find this machine as {self.path} says, which is not rpio's: it stays as it is")
            return
        try:
            write(self.path, self._text)
            self._is_made = True
        except OSError as e:
            self._ask_for_it(e, say)

    def _ask_for_it(self, error: OSError, say: Callable[[str], object]) -> None:
        try:
            write(self._draft, service_file(self._port, self._model, self._id, INSTALLED))
        except OSError as e:
            say(f"others find this machine by its name alone: {self._draft}: {e.strerror}")
            return
        say(
            f"others find this machine by its name alone: {self._folder}: {error.strerror} "
            f"(sudo install -m 644 {self._draft} {self.path})"
        )

    def end(self) -> None:
        """Take away what begin() has written, unless it is another's by now. Twice is fine."""
        if not self._is_made:
            return
        try:
            if _text_of(self.path) == self._text:
                os.unlink(self.path)
        except OSError as e:
            log.warning("%s stays, and announces what has ended: %s", self.path, e.strerror)
        self._is_made = False


def write(path: str, text: str) -> None:
    """Write a file, whole or not at all, for everybody to read. Raises OSError."""
    draft = f"{path}.{secrets.token_hex(8)}"  # which Avahi does not read, by its end
    try:
        with new_file(draft, 0o644) as file:
            os.fchmod(file.fileno(), 0o644)
            file.write(text)
        os.replace(draft, path)
    except BaseException:
        remove_file(draft)
        raise


def install(folder: str, port: int, model: str, id: str) -> str:
    """Write a file that stays; return its path, "" where Avahi is not there. Raises OSError."""
    path = f"{folder}/{PREFIX}{port}{SUFFIX}"
    if not os.path.isdir(folder):
        return ""
    found = _text_of(path)
    if not found or OF_DAEMON in found or INSTALLED in found:
        write(path, service_file(port, model, id, INSTALLED))
    return path


def uninstall(folder: str) -> list[str]:
    """Take away the files that stay; return their paths. Raises OSError."""
    names = os.listdir(folder) if os.path.isdir(folder) else []
    paths = [
        f"{folder}/{name}" for name in sorted(names) if name.startswith(PREFIX) and name.endswith(SUFFIX)
    ]
    found = [path for path in paths if INSTALLED in _text_of(path)]
    for path in found:
        os.unlink(path)
    return found


def _text_of(path: str) -> str:
    """What is written there; "" where there is none, or it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(FILE_MAX)
    except OSError:
        return ""
