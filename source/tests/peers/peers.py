# SPDX-License-Identifier: LGPL-3.0-or-later
"""Other people's packages, fetched from the package index when a test needs them, and kept.

The cache is ~/.cache/rpio/peers (RPIO_PEERS_CACHE=DIR puts it elsewhere); what has been built is kept apart for
each Python. A folder appears in it by one rename, so what is there is whole.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
RPI_GPIO = "RPi.GPIO==0.7.1"
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")
RPI_GPIO_CFLAGS = "-fcommon -w"
"""Its headers define variables, which GCC 10 and later refuse; -w since its warnings are not ours."""


class NotToBeHad(Exception):
    """The package index, or a compiler, did not deliver; the text is what it said."""


def run(*command: object, **env: str) -> str:
    """Run to the end and return what it printed.

    Raises:
        NotToBeHad: it failed.
    """
    words = [str(word) for word in command]
    done = subprocess.run(
        words,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **env},
        check=False,
    )
    if done.returncode != 0:
        raise NotToBeHad(f"{' '.join(words)}\n{done.stdout}")
    return done.stdout


def cached(name: str, make: Callable[[Path], object]) -> Path:
    """Return the folder of that name in the cache; make(folder) fills it where it is missing."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    cache = Path(os.environ.get("RPIO_PEERS_CACHE") or Path(home, "rpio", "peers")).absolute()
    folder = cache / name
    if not folder.exists():
        cache.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=cache))
        try:
            make(work)
            try:
                work.rename(folder)
            except OSError:
                if not folder.exists():  # else another run has been faster
                    raise
        finally:
            shutil.rmtree(work, ignore_errors=True)
    return folder


def _this_python() -> str:
    return f"{sys.implementation.cache_tag}-{sysconfig.get_platform()}"


def sdist(requirement: str) -> Path:
    """Return the unpacked source of a package, such as "RPLCD==1.4.0"; the version has to be given."""

    def fetch(folder: Path) -> None:
        run(
            *(*PIP, "download", "--no-deps", "--no-binary", ":all:", "--no-build-isolation"),
            *("--dest", folder, requirement),
        )
        archive = next(folder.glob("*.tar.gz"))
        with tarfile.open(archive) as tar:
            if hasattr(tarfile, "data_filter"):
                tar.extraction_filter = tarfile.data_filter
            tar.extractall(folder)
        archive.unlink()

    return next(cached(f"{requirement}-sdist", fetch).iterdir())


def installed(*requirements: str) -> Path:
    """Return a folder that, on the module path, has these packages and no others, not even what they need."""
    name = f"{'+'.join(requirements)}-{_this_python()}"

    def install(folder: Path) -> None:
        run(*PIP, "install", "--no-deps", "--target", folder, *requirements)

    return cached(name, install)


def with_needs(*requirements: str) -> Path:
    """As installed(), with all that they need."""
    name = f"{'+'.join(requirements)}-and-all-{_this_python()}"

    def install(folder: Path) -> None:
        run(*PIP, "install", "--target", folder, *requirements)

    return cached(name, install)


def rpi_gpio() -> Path:
    """Return a folder with the real RPi.GPIO, compiled from its sdist."""
    name = f"{RPI_GPIO}-{_this_python()}"

    def build(folder: Path) -> None:
        run(
            *(
                *PIP,
                "install",
                "--no-deps",
                "--no-binary",
                "RPi.GPIO",
                "--no-build-isolation",
                "--use-pep517",
            ),
            *("--target", folder, RPI_GPIO),
            CFLAGS=RPI_GPIO_CFLAGS,
        )

    return cached(name, build)


def compiled(source: Path, *flags: str) -> Path:
    """Return the shared library of one C file, compiled anew when file or flags have changed."""
    digest = hashlib.sha256(source.read_bytes() + " ".join(flags).encode()).hexdigest()[:12]

    def compile_it(folder: Path) -> None:
        run(
            *("gcc", "-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror"),
            *flags,
            "-o",
            folder / "it.so",
            source,
        )

    return cached(f"{source.stem}-{digest}", compile_it) / "it.so"


def warn_of_second_run(failed: dict[str, str]) -> None:
    """Have the summary name tests that failed and are run once more, with what they said: some of them may be ours."""
    named = "\n".join(f"  {name}: {said}" for name, said in failed.items())
    warnings.warn(f"run again, as they measure times:\n{named}", stacklevel=2)


runs_again = pytest.mark.filterwarnings("default:run again, as they measure times")
"""For tests that use that: every other warning is an error."""
