# SPDX-License-Identifier: LGPL-3.0-or-later
"""The page about programs on the device: its commands are typed, in order, and say what stands there."""

import re
import subprocess
import textwrap
from pathlib import Path

from remote_parts import Daemon
from test_there import ON, RPIO
from waiting import LIMIT_S, wait_until

PAGE = (Path(__file__).parents[2] / "doc" / "programs.rst").read_text(encoding="utf-8")
BLOCK = re.compile(
    r"^\.\. code-block:: (python|console)\n(?:    :caption: (.+)\n)?\n((?:    .*\n|\n)+)", re.MULTILINE
)


def test_the_commands_of_the_page_say_what_it_says(tmp_path):
    daemon = Daemon(tmp_path, config=f"{ON}'{tmp_path}/work'\n")
    try:
        assert daemon.rpio("token", "new", "--scope", "run", "--to", f"{tmp_path}/token").returncode == 0
        (tmp_path / "rpio").write_text(f'#!/bin/sh\nexec {" ".join(RPIO)} "$@"\n')
        (tmp_path / "rpio").chmod(0o755)
        env = {**daemon.env, "RPIO_BACKEND": "", "RPIO_TOKEN_FILE": f"{tmp_path}/token"}
        here = tmp_path / "here"
        here.mkdir()
        typed = 0
        for kind, name, text in BLOCK.findall(PAGE):
            block = textwrap.dedent(text).strip("\n") + "\n"
            if kind == "python":
                (here / name).parent.mkdir(exist_ok=True)
                (here / name).write_text(block)
                continue
            for command, said in re.findall(r"^\$ (.+)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE):
                check(command, said, lambda command: typing(command, here, tmp_path, env))
                typed += 1
        assert typed >= 12
    finally:
        daemon.close()


def check(command, said, typed):
    """Type it. What a program is about to do, or to end with, is waited for, as a person would."""
    if command.startswith("rpio logs"):
        assert wait_until(lambda: typed(command) == said)
        return
    assert typed(command) == said, command
    if command.startswith("rpio kill"):
        assert wait_until(lambda: " runs, " not in typed("rpio ps") and " ends, " not in typed("rpio ps"))


def typing(command, here, folder, env):
    """What a command says; ``pi`` is this machine's daemon."""
    words = re.sub(r"(--there|--on) pi\b", r"\1 localhost", command)
    path = f"{folder}:/usr/bin:/bin"
    done = subprocess.run(
        ["sh", "-c", words],
        cwd=here,
        env={**env, "PATH": path},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    return done.stdout
