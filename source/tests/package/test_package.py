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

from peers import peers

ROOT = Path(__file__).parents[3]


def run(*command, cwd=None, **env):
    done = subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, "RPIO_REQUIRE_C": "1", **env},
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


on_every_python = pytest.mark.parametrize("python", pythons().values(), ids=pythons().keys())


@pytest.fixture(scope="session")
def installed(sdist, tmp_path_factory):
    """A call that returns the environment of an interpreter in which the sdist was installed, by pip and once."""
    made = {}

    def environment(python):
        if python not in made:
            venv = tmp_path_factory.mktemp("installed") / "venv"
            run(python, "-m", "venv", venv)
            run(venv / "bin" / "python", "-m", "pip", "-q", "install", sdist)
            made[python] = venv
        return made[python]

    return environment


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


@on_every_python
def test_it_installs_from_the_sdist_and_works(installed, python):
    venv = installed(python)
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


@on_every_python
def test_interrupted_anywhere_nothing_is_lost_on_this_interpreter(installed, python):
    program = installed(python) / "bin" / "python"
    said = run(program, "-m", "interrupted", "--step", "25", "--signals", "10", cwd="source/tests")
    assert said.endswith(" 0 failed\n"), said


@on_every_python
def test_without_a_compiler_it_installs_and_says_what_is_missing(sdist, python, tmp_path):
    venv = tmp_path / "venv"
    run(python, "-m", "venv", venv)
    lacks = {"CC": "false", "RPIO_REQUIRE_C": "0"}
    pip = (venv / "bin" / "python", "-m", "pip", "install", "--no-cache-dir")
    with pytest.raises(AssertionError, match="RPIO_REQUIRE_C is set"):
        run(*pip, sdist, CC="false")
    told = [str(part) for part in (*pip, "-v", sdist)]
    done = subprocess.run(told, capture_output=True, text=True, env=os.environ | lacks, check=True)
    assert "RPIO is installed without it" in done.stdout + done.stderr
    text = "import RPIO; RPIO.setup(17, RPIO.IN, RPIO.PUD_UP); print(RPIO.input(17), RPIO._gpio.PURE)"
    assert run(venv / "bin" / "python", "-W", "error", "-c", text, cwd="/", RPIO_BACKEND="sim") == "1 True\n"
    assert "Python alone" in run(venv / "bin" / "rpio", "info", cwd="/", RPIO_BACKEND="sim")
    assert "no C module" in subprocess.run(
        [venv / "bin" / "rpio", "doctor"], capture_output=True, text=True, cwd="/", check=False
    ).stdout.replace("\n", " ")


@pytest.fixture(scope="session")
def wheel(sdist, tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "pip", "-q", "wheel", "--no-deps", "-w", folder, sdist)
    return next(folder.glob("*.whl"))


def test_the_wheel_holds_the_package_and_nothing_beside_it(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0].split("-")[0].lower() for name in names} == {"rpio"}
    assert not [name for name in names if "tests" in name or name.endswith(".c")]


# -- the second distribution, which is RPi.GPIO by name -------------------------------------------------------

OURS = "RPIO.facade 0.7.1+rpio"


class Environment:
    """A virtual environment with RPIO, in which one installs."""

    def __init__(self, folder, wheel, index=None):
        self.index = index
        run(sys.executable, "-m", "venv", folder / "venv")
        self.python = folder / "venv" / "bin" / "python"
        self.pip("install", wheel)
        ignore = shutil.ignore_patterns("RPi", "build", "*.egg-info")
        shutil.copytree(ROOT / "rpi", folder / "p" / "rpi", ignore=ignore)
        shutil.copytree(ROOT / "source" / "RPIO" / "shims", folder / "p" / "source" / "RPIO" / "shims")
        self.rpi = folder / "p" / "rpi"

    def pip(self, verb, *words):
        return run(self.python, "-m", "pip", "--disable-pip-version-check", verb, *words)

    def fetch(self, *words):
        """Install from the folder of wheels, as from an index."""
        return self.pip("install", "--no-index", "--find-links", self.index, *words)

    def says(self, code, **env):
        return run(self.python, "-W", "error", "-c", code, cwd="/", RPIO_BACKEND="sim", **env)

    def whose(self):
        """What answers to RPi.GPIO, and its version; "real" for the real one, which no machine but a Pi imports."""
        if list(self.python.parent.parent.glob("lib/*/site-packages/RPi/_GPIO.*.so")):
            return "real"
        return self.says("import RPi.GPIO as G; print(G.setup.__module__)").strip() + self.version()

    def version(self):
        listed = self.pip("list", "--format=freeze").splitlines()
        return " " + next(line for line in listed if line.startswith("RPi.GPIO==")).partition("==")[2]


@pytest.fixture(scope="session")
def wheels(tmp_path_factory):
    """A folder with the real RPi.GPIO, and two packages that require it, each in two versions."""

    def fetch(folder):
        peers.run(
            *(*peers.PIP, "wheel", "--no-deps", "--wheel-dir", folder, peers.RPI_GPIO),
            CFLAGS=peers.RPI_GPIO_CFLAGS,
        )

    flags = peers.flags_digest(CFLAGS=peers.RPI_GPIO_CFLAGS)
    try:
        real = peers.cached(f"{peers.RPI_GPIO}-wheel-{sys.implementation.cache_tag}-{flags}", fetch)
    except peers.NotToBeHad as e:
        pytest.skip(f"the real RPi.GPIO cannot be had: {e}")
    folder = tmp_path_factory.mktemp("wheels")
    shutil.copy(next(real.glob("*.whl")), folder)
    for name, needs in (("loose", "RPi.GPIO"), ("exact", "RPi.GPIO==0.7.1")):
        for version in ("1", "2"):
            info = f"{name}-{version}.dist-info"
            with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
                wheel.writestr(f"{name}.py", "import RPi.GPIO\n")
                wheel.writestr(
                    f"{info}/METADATA",
                    f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nRequires-Dist: {needs}\n",
                )
                wheel.writestr(
                    f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
                )
                wheel.writestr(f"{info}/RECORD", "")
    return folder


def test_the_second_distribution_brings_rpi_and_the_first_does_not(wheel, tmp_path):
    """``pip install ./rpi``: import RPi.GPIO means RPIO everywhere in that environment; uninstalling leaves RPIO."""
    there = Environment(tmp_path, wheel)
    ask = "import importlib.util as u; print(u.find_spec('RPi') is not None)"
    assert there.says(ask) == "False\n"
    there.pip("install", "--no-deps", there.rpi)
    code = "import RPi.GPIO as G; G.setmode(G.BCM); G.setup(17, G.IN, G.PUD_UP); print(G.input(17), 11, G.VERSION)"
    assert there.says(code) == "1 11 0.7.1\n"
    assert there.says("from RPi import _GPIO as C; print(C.input.__module__, C.BCM)") == "RPIO._gpio 11\n"
    there.pip("uninstall", "-y", "RPi.GPIO")
    assert there.says(ask + "; import RPIO") == "False\n"


def test_what_requires_rpi_gpio_takes_the_second_distribution_for_it(wheel, wheels, tmp_path):
    there = Environment(tmp_path, wheel, wheels)
    there.pip("install", there.rpi)
    there.fetch("loose==1", "exact==1")
    assert there.whose() == OURS
    there.fetch("--upgrade", "--upgrade-strategy", "eager", "loose", "exact", "RPi.GPIO")
    assert there.whose() == OURS
    there.pip("uninstall", "-y", "loose", "exact")
    assert there.whose() == OURS
    assert there.pip("check") == "No broken requirements found.\n"


def test_the_second_distribution_takes_the_place_of_the_real_one_until_that_is_forced_back(
    wheel, wheels, tmp_path
):
    there = Environment(tmp_path, wheel, wheels)
    there.fetch("loose==1", "exact==1")
    assert there.whose() == "real"
    there.pip("install", there.rpi)
    assert there.whose() == OURS
    assert "as RPi.GPIO 0.7.1+rpio" in doctor(there)
    there.fetch("--force-reinstall", "--no-deps", "RPi.GPIO")
    assert there.whose() == "real" and there.version() == " 0.7.1"
    assert "import RPi.GPIO is RPi.GPIO 0.7.1" in doctor(there)
    there.pip("uninstall", "-y", "RPi.GPIO")
    assert (
        there.says("import importlib.util as u; print(u.find_spec('RPi'), __import__('RPIO').OUT)")
        == "None 0\n"
    )


def doctor(there):
    """What the doctor says; its status is about this machine."""
    words = [there.python.with_name("rpio"), "doctor"]
    return subprocess.run(words, capture_output=True, text=True, cwd="/", check=False).stdout
