# SPDX-License-Identifier: LGPL-3.0-or-later
"""Sdist and wheel: built as an index would, installed into empty environments on every Python at hand, used."""

import glob
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def run(*command, cwd=None, **env):
    done = subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, **env},
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="session")
def dist(tmp_path_factory):
    """Sdist, and a wheel that is built from the sdist alone."""
    folder = tmp_path_factory.mktemp("dist")
    source = tmp_path_factory.mktemp("source") / "RPIO"
    files = run("git", "ls-files", "--cached", "--others", "--exclude-standard", cwd=ROOT).splitlines()
    for name in files:
        if (ROOT / name).exists():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, source / name)
    run(sys.executable, "setup.py", "-q", "sdist", "-d", folder, cwd=source)
    return folder


@pytest.fixture(scope="session")
def sdist(dist):
    return next(dist.glob("*.tar.gz"))


def pythons():
    """Every CPython from 3.10 on that this machine has: on the PATH, or under pyenv."""
    found = {}
    places = [f"{folder}/python3.*" for folder in os.environ["PATH"].split(":")]
    for path in sorted(glob.glob(os.path.expanduser("~/.pyenv/versions/*/bin/python3.*"))) + [
        p for place in places for p in sorted(glob.glob(place))
    ]:
        name = os.path.basename(path)
        if name.removeprefix("python3.").isdecimal() and int(name.removeprefix("python3.")) >= 10:
            works = subprocess.run([path, "-c", "import venv, ensurepip"], capture_output=True, check=False)
            if works.returncode == 0:
                found.setdefault(name, path)
    return found


def test_the_sdist_has_what_a_build_needs_and_no_more(sdist):
    with tarfile.open(sdist) as tar:
        names = {name.split("/", 1)[1] for name in tar.getnames() if "/" in name}
    for wanted in (
        "setup.py",
        "pyproject.toml",
        "LICENSE",
        "README.md",
        "source/c_gpio/module.c",
        "source/c_gpio/gpio.h",
    ):
        assert wanted in names
    assert "source/RPIO/py.typed" in names
    assert not [name for name in names if name.endswith((".so", ".pyc", ".o"))]


@pytest.mark.parametrize("python", pythons().values(), ids=pythons().keys())
def test_it_installs_from_the_sdist_and_works(sdist, python, tmp_path):
    venv = tmp_path / "venv"
    run(python, "-m", "venv", venv)
    run(venv / "bin" / "python", "-m", "pip", "-q", "install", sdist)
    out = run(
        venv / "bin" / "python",
        "-W",
        "error",
        "-c",
        "import RPIO; RPIO.setup(17, RPIO.IN, RPIO.PUD_UP); print(RPIO.input(17), RPIO.version()[0])",
        cwd="/",
        RPIO_BACKEND="sim",
    )
    assert out == "1 1.0.0.dev0\n"
    assert run(venv / "bin" / "rpio", "-i", "17", cwd="/", RPIO_BACKEND="sim") == "GPIO 17: INPUT  (0)\n"
    listed = run(venv / "bin" / "python", "-m", "pip", "list", "--format=freeze").split()
    assert {line.split("==")[0] for line in listed} <= {"pip", "setuptools", "wheel", "RPIO"}


def test_the_wheel_holds_the_package_and_nothing_beside_it(sdist, tmp_path):
    run(sys.executable, "-m", "pip", "-q", "wheel", "--no-deps", "-w", tmp_path, sdist)
    wheel = next(tmp_path.glob("*.whl"))
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0].split("-")[0].lower() for name in names} == {"rpio"}
    assert not [name for name in names if "tests" in name or name.endswith(".c")]


def test_the_second_distribution_brings_rpi_and_the_first_does_not(sdist, tmp_path):
    """``pip install ./rpi``: import RPi.GPIO means RPIO everywhere in that environment; uninstalling leaves RPIO."""
    venv = tmp_path / "venv"
    python = venv / "bin" / "python"
    run(sys.executable, "-m", "venv", venv)
    run(python, "-m", "pip", "-q", "install", sdist)
    ask = "import importlib.util as u; print(u.find_spec('RPi') is not None)"
    assert run(python, "-c", ask, cwd="/") == "False\n"
    shutil.copytree(
        ROOT / "rpi", tmp_path / "p" / "rpi", ignore=shutil.ignore_patterns("RPi", "build", "*.egg-info")
    )
    shutil.copytree(ROOT / "source" / "RPIO" / "shims", tmp_path / "p" / "source" / "RPIO" / "shims")
    run(python, "-m", "pip", "-q", "install", "--no-deps", tmp_path / "p" / "rpi")
    code = "import RPi.GPIO as G; G.setmode(G.BCM); G.setup(17, G.IN, G.PUD_UP); print(G.input(17), 11, G.VERSION)"
    assert run(python, "-W", "error", "-c", code, cwd="/", RPIO_BACKEND="sim") == "1 11 0.7.1\n"
    run(python, "-m", "pip", "-q", "uninstall", "-y", "RPIO-RPi")
    assert run(python, "-c", ask + "; import RPIO", cwd="/") == "False\n"
