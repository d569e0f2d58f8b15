# SPDX-License-Identifier: LGPL-3.0-or-later
"""Programs in a terminal: tmux, to which keys are sent and from which screens are read back."""

import os
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

import RPIO
from waiting import LIMIT_S, wait_until

needs_tmux = pytest.mark.skipif(shutil.which("tmux") is None, reason="needs tmux: sudo apt install tmux")

PROGRAM = """
import os, sys, threading, time
from RPIO import sim
from RPIO.cli import main

def drive():
    while True:
        with open(sys.argv[1]) as fifo:
            for text in fifo:
                sim.drive(*map(int, text.split()))

if os.path.exists(sys.argv[1]):
    threading.Thread(target=drive, daemon=True).start()
sys.exit(main(sys.argv[2:]))
"""


LOOK_S = 0.04
"""So often a screen is looked at. A look is a process of its own, and takes from the program what it starts with."""


class Terminal:
    """A verb of rpio in a tmux of its own."""

    def __init__(self, folder, verb):
        self.folder, self.verb = Path(folder), verb
        self.base = ["tmux", "-S", str(self.folder / "tmux"), "-f", os.devnull, "-u"]

    def __enter__(self):
        return self

    def __exit__(self, *error):
        subprocess.run([*self.base, "kill-server"], capture_output=True, timeout=LIMIT_S, check=False)

    def tmux(self, *words):
        """Run a command of tmux; what it prints."""
        done = subprocess.run(
            [*self.base, *words],
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=True,
            env=self.environment(),
        )
        return done.stdout

    @staticmethod
    def environment(**changes):
        """That of the tests, with a simulated board and without what changes the screen."""
        changing = ("NO_COLOR", "TMUX", "LANG", "COLUMNS", "LINES")
        kept = {k: v for k, v in os.environ.items() if k not in changing and k[:3] != "LC_"}
        source = str(Path(RPIO.__file__).parents[1])
        return {**kept, "RPIO_BACKEND": "sim:4B", "PYTHONPATH": source, "LC_ALL": "C.UTF-8", **changes}

    def start(self, *words, width=80, height=24, ready="GPIO", has_fifo=False, **environment):
        """Start it, between two looks at the terminal's settings."""
        (self.folder / "program.py").write_text(PROGRAM)
        if has_fifo:
            os.mkfifo(self.folder / "fifo")
        command = [sys.executable, "program.py", "fifo", self.verb, *words]
        return self.begin(command, width, height, ready, **environment)

    def begin(self, words, width=80, height=24, ready="GPIO", **environment):
        """The same with any command."""
        variables = " ".join(f"{name}={shlex.quote(value)}" for name, value in environment.items())
        command = shlex.join(words)
        script = (
            f"trap : INT; cd {shlex.quote(str(self.folder))}; stty -g > before; env {variables} {command}; "
        )
        script += "echo status $?; stty -g > after; echo done > ended; exec sleep 60"
        self.tmux("new-session", "-d", "-x", str(width), "-y", str(height), f"sh -c {shlex.quote(script)}")
        self.wait(ready)
        return self

    def screen(self, *words):
        """What is on it."""
        return self.tmux("capture-pane", "-p", *words)

    def wait(self, *texts):
        """Wait until all of it is on the screen; returns that."""
        shown = []

        def is_there():
            shown[:] = [self.screen()]
            return all(text in shown[0] for text in texts)

        assert wait_until(is_there, most_pause_s=LOOK_S), (texts, *shown)
        return shown[0]

    def keys(self, *names):
        """Type."""
        self.tmux("send-keys", *names)

    def pid(self):
        """The process of the program."""
        shell = self.tmux("display-message", "-p", "#{pane_pid}").strip()
        children = Path(f"/proc/{shell}/task/{shell}/children").read_text().split()
        return int(children[0])

    def end(self, status):
        """Wait for its end, and see that the terminal is as it was."""
        assert wait_until((self.folder / "ended").exists), self.screen()
        assert (self.folder / "before").read_text() == (self.folder / "after").read_text()
        assert self.tmux("display-message", "-p", "#{alternate_on} #{cursor_flag}").split() == ["0", "1"]
        found = self.wait(f"status {status}")
        assert "Traceback" not in found
        return found

    def percent_of_a_core(self, for_s):
        """What the program takes, measured for so long."""
        pid = self.pid()
        before, began = cpu_ticks(pid), time.monotonic()
        time.sleep(for_s)
        used_s = (cpu_ticks(pid) - before) / os.sysconf("SC_CLK_TCK")
        return 100 * used_s / (time.monotonic() - began)


def cpu_ticks(pid):
    """The time that a process has run, in ticks."""
    return sum(int(n) for n in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13])
