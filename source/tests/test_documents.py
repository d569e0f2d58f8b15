# SPDX-License-Identifier: LGPL-3.0-or-later
"""Pages whose examples are tests or programs: what they show is what happens. The others are run by `make docs`."""

import ast
import os
import re
import select
import signal
import subprocess
import sys
import sysconfig
import textwrap
from pathlib import Path

import pytest

from ports import free_port
from RPIO.cli import command, index
from RPIO.machine import headers
from support import PLAIN
from waiting import LIMIT_S

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "doc" / "testing.rst").read_text(encoding="utf-8")
EXAMPLES = (ROOT / "doc" / "examples.rst").read_text(encoding="utf-8")
PROGRAMS = sorted((ROOT / "examples" / "rpigpio").glob("*.py"))
BLOCK = re.compile(r"^\.\. code-block:: (\w+)\n    :caption: (.+)\n\n((?:    .*\n|\n)+)", re.MULTILINE)

pytest_plugins = ["pytester"]


@pytest.mark.slow
def test_the_tests_in_the_documentation_pass_and_fail_as_it_says(pytester):
    blocks = [(kind, name, textwrap.dedent(text).strip()) for kind, name, text in BLOCK.findall(PAGE)]
    files = [(name, text) for kind, name, text in blocks if kind == "python"]
    assert len(files) == PAGE.count(".. code-block:: python") >= 7
    for name, text in files:
        (pytester.path / name).write_text(text + "\n", encoding="utf-8")
    result = pytester.runpytest_subprocess(*PLAIN, "-W", "error")
    tests = sum(len(re.findall(r"^def test_", text, re.MULTILINE)) for _, text in files)
    result.assert_outcomes(passed=tests - 1 + 2, failed=1)  # one has three parameters, one is to fail
    (shown,) = [text for kind, _, text in blocks if kind == "text"]
    said = [line.removeprefix("E").strip() for line in result.outlines]
    first = said.index(f"Failed: {shown.splitlines()[0]}")
    assert said[first + 1 : first + 5] == [line.strip() for line in shown.splitlines()[1:]]


def test_every_fixture_and_method_of_the_plugin_is_in_the_documentation():
    plugin, world = [
        ast.parse((ROOT / "source" / "RPIO" / name).read_text(encoding="utf-8"))
        for name in ("pytest_plugin.py", "testing/world.py")
    ]
    fixtures = [
        node.name for node in plugin.body if isinstance(node, ast.FunctionDef) and "rp" in node.name[:2]
    ]
    (board,) = [node for node in world.body if getattr(node, "name", "") == "SimulatedBoard"]
    methods = {node.name for node in board.body if isinstance(node, ast.FunctionDef) and node.name[0] != "_"}
    assert {"rpio_board", "rpi_gpio", "rpio_time"} == set(fixtures)
    for name in [*fixtures, *(methods - {"serve", "is_mine", "workers", "put"})]:
        assert f"``{name}" in PAGE, name


def sections():
    """Program -> what its section says."""
    parts = re.split(r"^(\w+)\.py\n-+\n", EXAMPLES, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_every_example_has_a_section():
    assert set(sections()) == {path.stem for path in PROGRAMS}


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_its_picture_has_the_lines_of_the_program_at_their_pins(path):
    picture = sections()[path.stem]
    pins = {int(line): int(pin) for line, pin in re.findall(r"GPIO (\d+) \(pin (\d+)\)", picture)}
    assert all(headers.HEADER_40[pin] == line for line, pin in pins.items()), pins
    for supply, pin in re.findall(r"(3V3|5V|GND) \(pin (\d+)\)", picture):
        assert headers.HEADER_40[int(pin)] == supply
    wiring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))).partition("Wiring:")[2]
    lists = re.findall(r"GPIO (\d+(?:(?:, | and GPIO )\d+)*)", wiring)
    assert set(pins) == {int(number) for found in lists for number in re.findall(r"\d+", found)}


@pytest.mark.slow
def test_every_verb_has_a_manual_page_with_all_its_options(tmp_path):
    pytest.importorskip("sphinx", reason="needs Sphinx, which `make dev` installs")
    build = [
        sys.executable,
        "-m",
        "sphinx",
        "-q",
        "-W",
        "-b",
        "man",
        "-t",
        "manpage",
        "-d",
        tmp_path / "trees",
    ]
    subprocess.run([*build, ROOT / "doc", tmp_path], check=True, timeout=LIMIT_S)
    for verb in index.VERBS:
        page = (tmp_path / f"rpio-{verb}.1").read_text(encoding="utf-8").replace("\\-", "-")
        for action in command.parser_of(verb)._actions:
            assert all(option in page for option in action.option_strings)
    page = (tmp_path / "rpio.1").read_text(encoding="utf-8").replace("\\-", "-")
    assert all(f"rpio-{verb}" in page for verb in index.VERBS)
    assert "--wait_for_interrupts" in page


# -- the README, from `make run` to a program of one's own ------------------------------------------------------

README = (ROOT / "README.md").read_text(encoding="utf-8")
CONSOLE = re.compile(r"^```console\n\$ (.+)\n((?:.*\n)*?)```$", re.MULTILINE)
SAVED = re.compile(r"[Ss]ave this as\s`([\w.]+)`:\n\n```python\n((?:.*\n)*?)```$", re.MULTILINE)
RUN_SAYS = re.compile(r"pins it says:\n\n```text\n((?:.*\n)*?)```$", re.MULTILINE)
MADE = """
import runpy
from RPIO.backends import opening
opening.choose, opening.look = lambda hardware: "sim", lambda spec: None  # whatever this machine has
runpy.run_path({path!r}, run_name="__main__")
"""


def said_by(command, lines, **more):
    """What a command prints, up to so many lines, after which there is Ctrl+C."""
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True, **more
    ) as process:
        said = [process.stdout.readline() for _ in range(lines)]
        if process.poll() is None and not is_over(process):
            os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=LIMIT_S)
        return said


def is_over(process):
    """Whether it has said all."""
    return not select.select([process.stdout], [], [], 0)[0] and process.poll() is not None


def with_free_ports(text):
    for port in re.findall(r"\b80\d\d\b", text):
        text = text.replace(port, FREE.setdefault(port, str(free_port())))
    return text


FREE = {}


def test_make_run_says_what_the_readme_shows(tmp_path):
    for name in ("demo.py", "interrupts.py"):
        text = (ROOT / "examples" / name).read_text(encoding="utf-8")
        (tmp_path / name).write_text(with_free_ports(text), encoding="utf-8")
    (shown,) = RUN_SAYS.findall(README)
    shown = with_free_ports(shown).splitlines(keepends=True)
    environment = {**os.environ, "RPIO_BACKEND": "auto", "PYTHONUNBUFFERED": "1"}
    code = MADE.format(path=str(tmp_path / "demo.py"))
    assert said_by([sys.executable, "-c", code], len(shown), env=environment) == shown


@pytest.mark.slow
def test_the_readme_leads_to_a_program_that_reacts_to_a_button_in_five_commands(tmp_path):
    """Each is typed as it stands there, and prints what it shows there."""
    for name, text in SAVED.findall(README):
        (tmp_path / name).write_text(with_free_ports(text), encoding="utf-8")
    commands = CONSOLE.findall(README)
    assert len(commands) == README.count("```console") == 4  # and make run
    assert commands[0] == (". .venv/bin/activate", "")
    scripts = sysconfig.get_path("scripts")
    assert sys.prefix == sys.base_prefix or os.path.exists(f"{scripts}/activate")
    of_looks = ("COLUMNS", "LINES", "FORCE_COLOR", "PY_COLORS", "NO_COLOR", "RPIO_BACKEND")
    environment = {
        **{name: value for name, value in os.environ.items() if name not in of_looks},
        "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}",
        "PYTEST_ADDOPTS": "-p no:cacheprovider",
    }
    for typed, output in commands[1:]:
        if "pinout" in typed:  # which shows levels where the board is of that model
            environment["RPIO_BACKEND"] = "sim:5B"
        else:
            environment.pop("RPIO_BACKEND", None)
        shown = output.splitlines(keepends=True)
        said = said_by(["bash", "-c", f"exec {typed}"], len(shown), cwd=tmp_path, env=environment)
        assert [without_times(line) for line in said] == [without_times(line) for line in shown]


def without_times(line):
    return re.sub(r"\d+\.\d+s", "N s", line)
