# SPDX-License-Identifier: LGPL-3.0-or-later
"""RPIO without its C module, on a machine that lacks what macOS and Windows lack: see pure_world.

The package is copied without the extension, and children import that: it is absent as on such a machine.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import RPIO
from RPIO import _gpio

TESTS = Path(__file__).parent
PACKAGE = Path(RPIO.__file__).parent
pytestmark = pytest.mark.skipif(_gpio.PURE, reason="this is the child")
WHAT = "this RPIO has no C module"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a package RPIO that has no extension."""
    made = tmp_path_factory.mktemp("pure")
    shutil.copytree(PACKAGE, made / "RPIO", ignore=shutil.ignore_patterns("_gpio.*.so", "__pycache__"))
    return made


@pytest.fixture
def environ(folder):
    """The environment of its programs."""
    return {
        **os.environ,
        "PYTHONPATH": f"{folder}{os.pathsep}{TESTS}",
        "PYTHONDONTWRITEBYTECODE": "1",
        "RPIO_BACKEND": "sim:4B",
    }


def python(environ, text, **more):
    """Run a program there; return what it prints."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", "import pure_world\n" + text],
        env={**environ, **more},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def rpio(environ, *words, status=0, **more):
    """Run a verb there; return what it prints, on stderr too."""
    done = subprocess.run(
        [sys.executable, "-c", "import pure_world, sys\nfrom RPIO.cli import main\nsys.exit(main())", *words],
        env={**environ, **more},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


def run_suites(environ, *words):
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "pure_world", "-p", "no:cacheprovider", "-p", "no:xdist", "-q"]
        + ["--no-header", *words],
        env=environ,
        cwd=TESTS.parents[1],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    return done.stdout


def test_the_contract_holds_on_both_backends(environ):
    said = run_suites(environ, str(TESTS / "contract" / "test_contract.py"))
    assert int(said.split(" passed")[0].split()[-1]) > 1000
