# SPDX-License-Identifier: LGPL-3.0-or-later
"""The stand-in RPi.GPIO against typeshed's stubs for RPi.GPIO, by mypy.stubtest."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import RPIO

KEYWORDS = 'should be positional or keyword (remove "/")'
"""Arguments that RPi.GPIO takes by position alone have a keyword here too: it breaks nothing."""

NONE = "has a default value of"
"""What RPi.GPIO spells -666 or -1 is None here; -666 and -1 still mean it."""

MEANS = 'stub does not have parameter "means"'
"""A keyword of RPIO's own, for who insists on hardware, DMA or software."""

EXPLAINED = {
    "__all__": "is not present in stub",
    "PWM.__init__": (KEYWORDS, MEANS),
    "PWM.start": KEYWORDS,
    "PWM.ChangeDutyCycle": KEYWORDS,
    "PWM.ChangeFrequency": KEYWORDS,
    "event_detected": KEYWORDS,
    "gpio_function": KEYWORDS,
    "input": KEYWORDS,
    "output": KEYWORDS,
    "remove_event_detect": KEYWORDS,
    "setmode": KEYWORDS,
    "setwarnings": KEYWORDS,
    "add_event_detect": NONE,
    "cleanup": NONE,
    "wait_for_edge": NONE,
}
"""Name -> what stubtest may say of it, and nothing else."""


def stubtest(tmp_path):
    """Run it on the newest stubs; return the lines of its complaints."""
    stubs = tmp_path / "stubs"
    pip = [sys.executable, "-m", "pip", "-q", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--no-deps", "--target", stubs, "types-RPi.GPIO"], check=True)
    (stubs / "RPi-stubs").rename(stubs / "RPi")  # on MYPYPATH mypy wants the package's own name
    shutil.copytree(Path(RPIO.__file__).parent / "shims" / "RPi", tmp_path / "at" / "RPi")
    done = subprocess.run(
        [sys.executable, "-m", "mypy.stubtest", "--concise", "RPi.GPIO"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": str(tmp_path / "at"),
            "MYPYPATH": str(stubs),
            "RPIO_BACKEND": "sim",
        },
        check=False,
    )
    assert "failed" not in done.stdout + done.stderr, done.stdout + done.stderr
    return done.stdout.splitlines()


def test_every_complaint_of_stubtest_is_an_explained_one(tmp_path):
    complaints = stubtest(tmp_path)
    assert complaints, "stubtest has compared nothing"
    unexplained = [line for line in complaints if not is_explained(line)]
    assert unexplained == []
    named = {line.split()[0].removeprefix("RPi.GPIO.") for line in complaints}
    assert named == set(EXPLAINED), "an explanation that is not needed any more"


def is_explained(line):
    name, _, text = line.removeprefix("RPi.GPIO.").partition(" ")
    expected = EXPLAINED.get(name, ())
    return any(one in text for one in (expected if isinstance(expected, tuple) else (expected,)))


def test_a_complaint_that_nobody_has_explained_is_noticed():
    assert not is_explained("RPi.GPIO.setup is not present at runtime")
    assert not is_explained('RPi.GPIO.input is inconsistent, runtime argument "x" is not in stub')


PROGRAM = """
import RPIO


def message(client: RPIO.TcpClient, text: str) -> None:
    client.send(text.upper())


def edge(event: RPIO.EdgeEvent) -> int:
    return event.timestamp_ns


RPIO.add_tcp_callback(8080, message)
RPIO.setup(17, "in", pull_up_down="up")
RPIO.add_event_detect(17, "falling")
reveal_type(RPIO.RPI_INFO)
reveal_type(RPIO.RPI_REVISION)
reveal_type(RPIO.gpio_function(17))
reveal_type(RPIO.tcp_clients())
RPIO.outputt(17, 1)
RPIO.add_tcp_callback(8080, edge)
RPIO.cleanup(None)
"""
SAYS = """
note: Revealed type is "dict[str, int | str]"
note: Revealed type is "int"
note: Revealed type is "int"
note: Revealed type is "list[RPIO.loop.tcp_client.TcpClient]"
error: Module has no attribute "outputt"; maybe "output"?
error: Argument 2 to "add_tcp_callback" has incompatible type
error: Argument 1 to "cleanup" has incompatible type "None"
""".strip().splitlines()


def test_a_type_checker_knows_the_names_and_tells_of_those_that_are_none(tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM)
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--no-error-summary",
        "--python-executable",
        sys.executable,
    ]
    done = subprocess.run([*command, "program.py"], capture_output=True, text=True, cwd=tmp_path, check=False)
    said = [line.split(": ", 1)[1] for line in done.stdout.splitlines()]
    said = [
        re.sub(
            r"builtins\.|\bUnion\[(\w+), (\w+)\]",
            lambda found: " | ".join(filter(None, found.groups())),
            line,
        )
        for line in said
    ]
    assert len(said) == len(SAYS)
    assert all(line.startswith(expected) for line, expected in zip(said, SAYS, strict=True)), done.stdout
