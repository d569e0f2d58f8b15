# SPDX-License-Identifier: LGPL-3.0-or-later
"""Programs of this machine that are asked something."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def output_of(words: Sequence[str], timeout_s: float, environment: Mapping[str, str] | None = None) -> str:
    """What a program prints, "" where it is not there, fails or takes longer. It has no input, and the environment of
    this process where none is given.
    """
    import subprocess

    try:
        done = subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
            env=environment,
        )
    except (OSError, subprocess.SubprocessError, ValueError):
        return ""
    return done.stdout if done.returncode == 0 else ""
