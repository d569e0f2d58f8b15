# SPDX-License-Identifier: LGPL-3.0-or-later
"""Where the sockets of this user are: a folder that nobody else can enter."""

from __future__ import annotations

import os
import stat

from .. import errors

SIM_SOCKET = "sim.sock"


def runtime_folder(is_made: bool = False) -> str:
    """Return the folder for sockets of this user's programs: $XDG_RUNTIME_DIR/rpio, or /tmp/rpio-UID.

    The second one where there is no XDG_RUNTIME_DIR, or another user's, as under sudo -E. With *is_made* it is made
    where it is missing, for this user alone.

    Raises:
        NoAccessError: it belongs to somebody else, or others may enter it. (A PermissionError.)
        OSError: what the kernel says when it is made; FileNotFoundError where it is missing.

    Source: XDG Base Directory Specification 0.8, of XDG_RUNTIME_DIR: "MUST be owned by the user", "MUST be 0700".
    """
    uid = os.geteuid()
    base = os.environ.get("XDG_RUNTIME_DIR", "")
    is_ours = os.path.isabs(base) and os.path.isdir(base) and os.stat(base).st_uid == uid
    path = os.path.join(base, "rpio") if is_ours else f"/tmp/rpio-{uid}"
    if is_made:
        try:
            os.mkdir(path, 0o700)
        except FileExistsError:
            pass  # from before, or somebody else's: that is looked at next
    found = os.lstat(path)  # a link may lead anywhere
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != uid:
        raise errors.NoAccessError(
            f"{path} is no folder of this user's, so nothing in it is used",
            hint=f"remove it, or set XDG_RUNTIME_DIR to a folder of your own; see: ls -ld {path}",
        )
    if found.st_mode & 0o077:
        raise errors.NoAccessError(
            f"others may enter {path}, so nothing in it is used", hint=f"chmod 700 {path}"
        )
    return path


def sim_socket() -> str:
    """Return the path of the shared simulated board's socket, "" where there is none. Whether anybody listens there is
    another matter.
    """
    try:
        path = os.path.join(runtime_folder(), SIM_SOCKET)
    except OSError:
        return ""  # and rpio sim says what is wrong with the folder
    return path if os.path.exists(path) else ""
