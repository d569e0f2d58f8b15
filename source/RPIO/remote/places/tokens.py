# SPDX-License-Identifier: LGPL-3.0-or-later
"""The token that this program shows: from the file that RPIO_TOKEN_FILE names."""

from __future__ import annotations

import os
import stat

from ... import errors, log
from ...machine.files import open_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .places import Place

VARIABLE = "RPIO_TOKEN_FILE"
HANDED = "/proc/self/fd/"
"""Where a program finds the token that it was handed as a descriptor."""
HANDED_NAME = "/memfd:rpio-token"
"""What that is called. Source: memfd_create(2); see server/programs/runs."""


def shown() -> str:
    """The token to show, "" for none.

    Raises:
        NotAllowedError: the file cannot be read, or others can read it, or it has no token.
    """
    path = os.environ.get(VARIABLE)
    if not path or (path.startswith(HANDED) and not _is_handed(path)):
        return ""
    try:
        with open_file(path, os.O_RDONLY) as file:
            check_private(file.fd, path)
            words = os.read(file.fd, 1000).decode("utf-8", "replace").split()
    except errors.GPIOError:
        raise
    except OSError as e:
        text = f"{path}, which {VARIABLE} names, cannot be read: {e.strerror}"
        raise errors.NotAllowedError(
            text, hint="`rpio token new --to FILE` there makes such a file"
        ) from None
    if len(words) != 1:
        text = f"{path}, which {VARIABLE} names, has no token: it is one word"
        raise errors.NotAllowedError(text, hint="`rpio token new --to FILE` there makes such a file")
    return words[0]


def shown_to(place: Place) -> str:
    """The same for who is there: "" where whoever is between would have it as well. Raises as shown()."""
    token = shown()
    if (
        not token
        or not place.is_insecure
        or place.host in ("localhost", "::1")
        or place.host.startswith("127.")
    ):
        return token
    log.warning("the token of %s is not shown to %s: others could read it on its way", VARIABLE, place)
    return ""


def _is_handed(path: str) -> bool:
    """Whether that descriptor is the token's. One who was started by the program that has it, without its descriptors,
    has none, and may what is open.
    """
    try:
        return os.readlink(path).startswith(HANDED_NAME)
    except OSError:
        return False


def check_private(fd: int, path: str) -> None:
    """Raise NotAllowedError for a file that others can read or write: what it has is no secret."""
    mode = stat.S_IMODE(os.fstat(fd).st_mode)
    if mode & 0o077:
        text = f"others can read or change {path} (mode {mode:04o}), so its tokens are not used"
        raise errors.NotAllowedError(text, hint=f"chmod 600 {path}")
