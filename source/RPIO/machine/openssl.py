# SPDX-License-Identifier: LGPL-3.0-or-later
"""The program openssl, 1.1.1 or later, which makes keys and certificates."""

from __future__ import annotations

import subprocess

from .. import errors, threads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Run = Callable[[Sequence[str], str], "subprocess.CompletedProcess[str]"]

LONGEST_S = 30.0
NAP_S = 1.0
CURVE = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-sha256")
"""What `openssl req` makes: a key of P-256, without a password."""


def run(words: Sequence[str], folder: str = "/") -> subprocess.CompletedProcess[str]:
    """Run it, in a folder: in a thread, since what a signal handler raises in the middle of Python's own code for that
    leaves descriptors open. Raises NotSupportedError where it is missing, or takes too long.
    """
    found: list[subprocess.CompletedProcess[str]] = []
    failed: list[Exception] = []

    def work() -> None:
        try:
            found.append(_run(words, folder))
        except Exception as e:  # it is the caller's
            failed.append(e)

    started = threads.start(work, "RPIO openssl")
    while not started.join(NAP_S):
        pass  # handlers of signals run meanwhile
    if failed:
        raise failed[0]
    return found[0]


def _run(words: Sequence[str], folder: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            ["openssl", *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=LONGEST_S,
            check=False,
            cwd=folder,
        )
    except FileNotFoundError:
        raise errors.NotSupportedError(
            "a certificate is made by openssl, which is not installed",
            hint="sudo apt install openssl",
        ) from None
    except subprocess.TimeoutExpired:
        raise errors.NotSupportedError(
            f"openssl has made no certificate within {LONGEST_S:g} s", hint="openssl version"
        ) from None


def reason(done: subprocess.CompletedProcess[str]) -> errors.NotSupportedError:
    """The error that says what it has said last."""
    said = [line for line in done.stderr.strip().splitlines() if line.strip()] or ["it says nothing"]
    text = f"openssl has made no certificate: {said[-1]}"
    return errors.NotSupportedError(text, hint="openssl version: 1.1.1 or later is needed")
