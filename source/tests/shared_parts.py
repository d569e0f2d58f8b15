# SPDX-License-Identifier: LGPL-3.0-or-later
"""What the tests of ``rpio sim`` share: a user of his own, who has programs, verbs and shared boards."""

import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import RPIO
from remote_parts import Program
from waiting import LIMIT_S

RUN = "import sys; from RPIO.cli import main; sys.exit(main())"
"""``rpio``, by whatever interpreter runs the tests."""


class User:
    """His folder for sockets is a new one; programs of his know nothing of pytest."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="rpio-"))  # a socket's path may have 107 bytes
        self.socket = self.folder / "rpio" / "sim.sock"
        self.running = []

    def environment(self, backend="sim", **changes):
        found = {
            **os.environ,
            "XDG_RUNTIME_DIR": str(self.folder),
            "PYTEST_CURRENT_TEST": "",
            "PYTEST_VERSION": "",
            "RPIO_BACKEND": backend,
            "PYTHONUNBUFFERED": "1",
            "PYTHONPATH": str(Path(RPIO.__file__).parents[1]),
            **changes,
        }
        return {name: value for name, value in found.items() if value is not None}

    def program(self, code, backend="sim"):
        """Start a program."""
        made = Program(textwrap.dedent(code), **self.environment(backend))
        self.running.append(made)
        return made

    def start(self, *words, backend="sim"):
        """Start a verb, without a terminal."""
        return self.program(f"import sys; sys.argv[:] = ['rpio', *{words!r}]\n{RUN}", backend)

    def sim(self, *words):
        """Start a shared board, and wait for it."""
        made = self.start("sim", *words)
        made.says(r"^simulated Raspberry Pi .* shared at ")
        return made

    def do(self, *words, backend="sim", code=None):
        """Carry out a verb, or a program; its status, and what it has said on both streams."""
        text = code if code is not None else f"import sys; sys.argv[:] = ['rpio', *{words!r}]\n{RUN}"
        done = subprocess.run(
            [sys.executable, "-c", text],
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
            env=self.environment(backend),
        )
        return done.returncode, done.stdout, done.stderr

    def tell(self, *words):
        """Carry out a verb on the shared board that goes well; what it prints."""
        status, out, said = self.do(*words, backend="sim:shared")
        assert (status, said) == (0, "")
        return out

    def close(self):
        for made in reversed(self.running):
            made.close()
        shutil.rmtree(self.folder)
