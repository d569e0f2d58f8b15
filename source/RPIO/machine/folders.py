# SPDX-License-Identifier: LGPL-3.0-or-later
"""Where RPIO's own files are: sockets, and what is to be remembered. Nothing is made here before it is asked for."""

from __future__ import annotations

import os
import stat

OF_SYSTEM = "/run/rpio"
"""The folder of the daemon that the system starts."""
SOCKET = "rpio.sock"


def runtime_folder() -> str:
    """This user's folder for sockets, which need not be there: $XDG_RUNTIME_DIR/rpio, else one in /tmp."""
    found = os.environ.get("XDG_RUNTIME_DIR")
    return f"{found}/rpio" if found and os.path.isabs(found) else f"/tmp/rpio-{os.getuid()}"


def state_folder() -> str:
    """The folder for what is remembered, which need not be there: /var/lib/rpio for root and for what systemd says so
    to, else $XDG_STATE_HOME/rpio.
    """
    found = os.environ.get("STATE_DIRECTORY", "").partition(":")[0]
    if found or os.geteuid() == 0:
        return found or "/var/lib/rpio"
    return os.path.expanduser(os.environ.get("XDG_STATE_HOME") or "~/.local/state") + "/rpio"


def sockets() -> list[str]:
    """Where a daemon listens that serves this user: his own, then the system's."""
    return [f"{runtime_folder()}/{SOCKET}", f"{OF_SYSTEM}/{SOCKET}"]


def make_private(folder: str) -> str:
    """Make a folder that nobody else can look into, or see that it is one.

    Raises:
        PermissionError: it is another user's, or others may change it.
    """
    os.makedirs(os.path.dirname(folder), exist_ok=True)
    try:
        os.mkdir(folder, 0o700)
    except FileExistsError:
        found = os.lstat(folder)
        is_ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
        if not is_ours or found.st_mode & 0o022:
            from errno import EPERM

            text = "another user has made this folder, or may change what is in it; nothing is put there"
            raise PermissionError(EPERM, text, folder) from None
    return folder
