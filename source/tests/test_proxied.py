# SPDX-License-Identifier: LGPL-3.0-or-later
"""rpio run --on HOST --proxy MODULES: an unchanged program, whose modules are another machine's."""

import json
import os
import pwd
import subprocess
import sys

import pytest

from remote_parts import daemon

ME = pwd.getpwuid(os.geteuid()).pw_name
CONFIG = f"[run]\nenabled = true\nuser = {json.dumps(ME)}\nmodules = ['*']\n"
PACKAGE = {
    "farlib/__init__.py": "import os\nVERSION = 7\ndef pid(): return os.getpid()\n",
    "farlib/part.py": "class Chip:\n    def __init__(self, at): self.at = at\n    def read(self): return self.at * 2\n",
    "other.py": "def name(): return 'other'\n",
}
PROGRAM = """
import os
import RPi.GPIO as GPIO
import farlib
import farlib.part as part
from farlib.part import Chip
from farlib import VERSION, pid
GPIO.setmode(GPIO.BCM)
GPIO.setup(17, GPIO.OUT, initial=1)
print(VERSION, pid() != os.getpid(), Chip(5).read(), part.Chip(6).at, farlib.part is part, GPIO.input(17))
farlib.VERSION = 8
print(farlib.VERSION, "pid" in dir(farlib))
GPIO.cleanup()
"""


@pytest.fixture
def far(tmp_path):
    """A daemon whose user has a package at home, and a program here; what `rpio run` says of it."""
    home = tmp_path / "site"
    for name, text in PACKAGE.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text)
    # The modules run where nothing of the daemon's own environment is but its path to programs: so by a .pth of theirs.
    where = tmp_path / "there"
    where.mkdir()
    prelude = "import RPIO.programs.process as p; p.KEPT = (*p.KEPT, 'PYTHONPATH')"
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    with daemon(where, config=CONFIG, prelude=prelude, PYTHONPATH=str(home)) as served:
        token = served.rpio("token", "new", "--scope", "run", "--to", f"{where}/token", PYTHONPATH="")
        assert token.returncode == 0, token.stderr

        def run(*words, script=program):
            env = {"RPIO_TOKEN_FILE": f"{where}/token", "PYTHONPATH": "", "STATE_DIRECTORY": f"{where}/state"}
            done = served.rpio("run", "--on", "localhost", *words, str(script), **env)
            return done.stdout, done.stderr, done.returncode

        run.program = program
        yield run


@pytest.mark.slow
def test_what_is_proxied_is_there(far):
    out, err, status = far("--proxy", "farlib")
    assert out == "7 True 10 6 True 1\n8 True\n", err
    assert status == 0 and "rpio run: farlib: of " in err


@pytest.mark.slow
def test_a_missing_import_names_the_option(far):
    _, err, status = far()
    assert status == 1 and "No module named 'farlib'" in err
    assert "rpio run --on HOST --proxy farlib " in err


@pytest.mark.slow
def test_what_is_remembered(far):
    _, err, status = far("--proxy", "farlib", "--remember")
    assert status == 0, err
    _, err, status = far()
    assert status == 0 and "as remembered" in err
    _, err, status = far("--proxy", "", "--remember")
    assert status == 1 and "as remembered" not in err
    assert far()[2] == 1


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("--proxy", "os; import"), "is no name of a module"),
        (("--remember",), "--remember goes with --proxy"),
    ],
)
@pytest.mark.slow
def test_words_that_mean_nothing(far, words, text):
    _, err, status = far(*words)
    assert status == 2 and text in err


def test_without_another_machine_it_means_nothing(tmp_path):
    (tmp_path / "p.py").write_text("")
    words = ("run", "--sim", "--proxy", "os", str(tmp_path / "p.py"))
    done = subprocess.run([sys.executable, "-m", "RPIO", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "--proxy goes with --on HOST" in done.stderr


@pytest.mark.slow
def test_a_package_that_is_not_there_either(far, tmp_path):
    script = tmp_path / "q.py"
    script.write_text("import nowhere_at_all\n")
    _, err, status = far("--proxy", "nowhere_at_all", script=script)
    assert status == 1 and "No module named 'nowhere_at_all'" in err
