# SPDX-License-Identifier: LGPL-3.0-or-later
"""Where configuration files are looked for, and in what order. What they say is read by config."""

from __future__ import annotations

import os

from . import errors

OF_SYSTEM = "/etc/rpio/rpio.toml"
OF_USER = "~/.config/rpio/rpio.toml"
VARIABLE = "RPIO_CONFIG"


def files() -> list[str]:
    """The files that are there, the last of which has the last word.

    They are /etc/rpio/rpio.toml, what ends in .toml in /etc/rpio/rpio.toml.d by name, the user's
    ~/.config/rpio/rpio.toml, and the one that the environment names as RPIO_CONFIG, which has to be there.
    """
    found = [OF_SYSTEM, *_in_folder(f"{OF_SYSTEM}.d"), os.path.expanduser(OF_USER)]
    found = [file for file in found if os.path.lexists(file)]
    named = os.environ.get(VARIABLE)
    return [*found, named] if named else found


def _in_folder(folder: str) -> list[str]:
    try:
        names = sorted(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as e:
        if errors.is_lack(e):
            raise
        raise errors.ConfigError(f"{folder}: {e.strerror}", hint="its files may have rules for lines") from e
    return [f"{folder}/{name}" for name in names if name.endswith(".toml")]
