# SPDX-License-Identifier: LGPL-3.0-or-later
"""doc/daemon: what it shows is typed, one command after the other, and what comes is what stands there."""

import os
import re
import shlex
import sys
from pathlib import Path

import pytest

from remote_parts import daemon
from RPIO import config
from RPIO.server.settings.settings import SETTINGS, Settings

PAGE = (Path(__file__).resolve().parents[2] / "doc" / "daemon.rst").read_text(encoding="utf-8")
BLOCK = re.compile(r"^\.\. code-block:: (\w+)\n\n((?:(?: {4}.*)?\n)+)", re.MULTILINE)


def blocks(kind):
    """The texts of the blocks of that kind."""
    found = [text for name, text in BLOCK.findall(PAGE) if name == kind]
    return [re.sub("^ {4}", "", text, flags=re.MULTILINE).rstrip("\n") for text in found]


def typed(block):
    """The commands of a block, each with what it prints."""
    for part in block.split("$ ")[1:]:
        command, _, shown = part.partition("\n")
        yield command, shown.rstrip("\n")


def plain(text):
    """Without what is another's each time: ids, numbers of processes, times, folders."""
    text = re.sub(r"\b[0-9a-f]{6}\b(?= class)", "ID", text)
    text = re.sub(r"\([\w-]+, process \d+\)", "(SOMEBODY)", text)
    text = re.sub(r"for \d+ [smh]", "for A WHILE", text)
    text = re.sub(r"at /\S*rpio\.sock", "at SOCKET", text)
    text = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT", text)
    return re.sub(r"\(/\S+\.toml:\d+:\d+\)", "(FILE)", text)


@pytest.mark.slow
def test_the_commands_of_the_page(tmp_path):
    (tmp_path / "blink.py").write_text("import RPIO\nRPIO.setup(4, RPIO.OUT)\nRPIO.cleanup()\n")
    serve, *rest = [pair for block in blocks("console") for pair in typed(block)]
    with daemon(tmp_path, config="[line.22]\nsafe = 'low'\n") as served, served.connect() as line:
        assert serve[0] == "rpio serve" and plain(served.look().rstrip("\n")) == plain(serve[1])
        done = []
        for command, shown in rest:
            words, env = shlex.split(command), {}
            while "=" in words[0]:
                name, _, value = words.pop(0).partition("=")
                env[name] = str(tmp_path / value)
            words = [str(tmp_path / word) if word.endswith((".py", ".token")) else word for word in words[1:]]
            if words[0] == "who":
                line.ask("hello 1 anna@desk blink.py")
                line.ask("output 17 1")
            result = served.rpio(*words, **env)
            assert result.returncode == 0, (command, result.stderr)
            if words[0] == "who":
                line.ask("release 17")
            if words[0] in ("release", "token"):
                assert "Traceback" not in result.stderr
            assert plain(result.stdout.rstrip("\n")) == plain(shown), command
            done.append(words[0])
    assert done == ["write", "read", "run", "who", "hold", "release", *["token", "write", "token", "token"]]


def test_the_settings_of_the_page_are_all_that_there_are(tmp_path):
    (text,) = blocks("toml")
    (tmp_path / "daemon.toml").write_text(text)
    document = config.read(str(tmp_path / "daemon.toml"))
    Settings().read(document)
    told = {(table, key) for table, values in document.values.items() for key in values}
    assert told | {("serve", "port")} == set(SETTINGS)


@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="it looks at /proc: run the tests on Linux")
def test_the_daemon_is_python_and_nothing_else(tmp_path):
    """No child process is left running, and none is begun: who serves lines runs no programs."""
    with daemon(tmp_path) as served:
        children = Path(f"/proc/{served.pid}/task/{served.pid}/children").read_text()
        assert children == "" and os.path.realpath(f"/proc/{served.pid}/exe") == os.path.realpath(
            sys.executable
        )
