# SPDX-License-Identifier: LGPL-3.0-or-later
"""Where RPIO's own files are: sockets of this user and of the machine, and what is to be remembered."""

from __future__ import annotations

import os
import stat

from .. import errors

OF_SYSTEM = "/run/rpio"
"""The folder of the daemon that the system starts."""
SOCKET, SIM_SOCKET = "rpio.sock", "sim.sock"
"""Those of a daemon, and of the shared simulated board."""


def runtime_path() -> str:
    """The folder for sockets of this user's programs, there or not: $XDG_RUNTIME_DIR/rpio, or /tmp/rpio-UID.

    The second one where there is no XDG_RUNTIME_DIR, or another user's, as under sudo -E.
    Source: XDG Base Directory Specification 0.8, of XDG_RUNTIME_DIR: "MUST be owned by the user", "MUST be 0700".
    """
    uid = os.geteuid()
    base = os.environ.get("XDG_RUNTIME_DIR", "")
    is_ours = os.path.isabs(base) and os.path.isdir(base) and os.stat(base).st_uid == uid
    return os.path.join(base, "rpio") if is_ours else f"/tmp/rpio-{uid}"


def runtime_folder(is_made: bool = False) -> str:
    """Return that folder, which nobody else can enter. With *is_made* it is made where it is missing.

    Raises:
        NoAccessError: it belongs to somebody else, or others may enter it. (A PermissionError.)
        OSError: what the kernel says when it is made; FileNotFoundError where it is missing.
    """
    path = runtime_path()
    if is_made:
        try:
            os.mkdir(path, 0o700)
        except FileExistsError:
            pass  # from before, or somebody else's: that is looked at next
    found = os.lstat(path)  # a link may lead anywhere
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise errors.NoAccessError(
            f"{path} is no folder of this user's, so nothing in it is used",
            hint=f"remove it, or set XDG_RUNTIME_DIR to a folder of your own; see: ls -ld {path}",
        )
    if found.st_mode & 0o077:
        raise errors.NoAccessError(
            f"others may enter {path}, so nothing in it is used", hint=f"chmod 700 {path}"
        )
    return path


def _of_user(name: str) -> str:
    """A socket of this user's that is there; "" where there is none, or its folder is not his."""
    if not hasattr(os, "geteuid"):
        return ""
    try:
        path = os.path.join(runtime_folder(), name)
    except OSError:
        return ""  # and who makes one says what is wrong with the folder
    return path if os.path.exists(path) else ""


def sim_socket() -> str:
    """Return the path of the shared simulated board's socket, "" where there is none. Whether anybody listens there is
    another matter.
    """
    return _of_user(SIM_SOCKET)


def sockets() -> list[str]:
    """Where a daemon may listen that serves this user: his own, then the system's. None without unix sockets."""
    if not hasattr(os, "geteuid"):
        return []
    own = _of_user(SOCKET)
    return [*([own] if own else []), f"{OF_SYSTEM}/{SOCKET}"]


def state_folder() -> str:
    """The folder for what is remembered, which need not be there: /var/lib/rpio for root and for what systemd says so
    to, else $XDG_STATE_HOME/rpio.
    """
    found = os.environ.get("STATE_DIRECTORY", "").partition(":")[0]
    if found or os.geteuid() == 0:
        return found or "/var/lib/rpio"
    return os.path.expanduser(os.environ.get("XDG_STATE_HOME") or "~/.local/state") + "/rpio"
