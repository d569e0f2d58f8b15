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
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
RPI_GPIO = "RPi.GPIO==0.7.1"
ORIGINAL = "RPIO==0.10.0"
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")
RPI_GPIO_CFLAGS = "-O3 -DNDEBUG -fwrapv -fcommon -w"
"""What an interpreter's own flags are: newer setuptools take these in their place, older ones add
these at the end. So the library is what a user has, and not one compiled for a debugger.
Its headers define variables, which GCC 10 and later refuse (-fcommon); -w since its warnings are not ours."""
ORIGINAL_FLAGS = {"CFLAGS": "-w", "LDFLAGS": "-Wl,-Bsymbolic-functions"}
"""As Debian's Pythons linked in its time: it has a shutdown() of its own, which else would be that of sockets."""


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


def kept(requirement: str) -> Path | None:
    """Return the folder of installed(requirement) where that is in the cache: for who cannot reach an index."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    cache = Path(os.environ.get("RPIO_PEERS_CACHE") or Path(home, "rpio", "peers"))
    folder = cache / f"{requirement}-{_this_python()}"
    return folder if folder.exists() else None


def debian(*packages: str) -> Path:
    """Return a folder with the files of Debian's packages, as this machine's release has them."""

    def unpack(folder: Path) -> None:
        archives = folder / "archives"
        archives.mkdir()
        try:
            run("sh", "-c", f"cd {archives} && apt-get -qq download {' '.join(packages)}")
        except NotToBeHad:  # there are no package lists, or they name versions that are gone
            run("apt-get", "-qq", "update")
            run("sh", "-c", f"cd {archives} && apt-get -qq download {' '.join(packages)}")
        for archive in archives.iterdir():
            run("dpkg-deb", "-x", archive, folder)
        shutil.rmtree(archives)

    return cached(f"{'+'.join(packages)}-{_this_python()}", unpack)


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


def flags_digest(**env: str) -> str:
    """Return what tells builds with other flags apart, in a name."""
    return hashlib.sha256(repr(sorted(env.items())).encode()).hexdigest()[:8]


def _from_source(requirement: str, **env: str) -> Path:
    """Return a folder with a package that is compiled from its sdist for this Python, and nothing else.

    The name has the flags, so that a build with others is not taken for it.
    """
    name = f"{requirement}-{_this_python()}-{flags_digest(**env)}"
    only_source = ("--no-deps", "--no-binary", ":all:", "--no-build-isolation", "--use-pep517")
    no_cache = "--no-cache-dir"  # it does not ask with which flags a wheel was built

    def build(folder: Path) -> None:
        run(*(*PIP, "install", *only_source, no_cache, "--target", folder, requirement), **env)

    return cached(name, build)


def rpi_gpio() -> Path:
    """Return a folder with the real RPi.GPIO, compiled from its sdist."""
    return _from_source(RPI_GPIO, CFLAGS=RPI_GPIO_CFLAGS)


def original() -> Path:
    """Return a folder with the original RPIO, compiled from its sdist; its scripts are in bin.

    Raises:
        NotToBeHad: its C of 2013 builds with Python 3.11 and gcc 12; the text says how to take these.
    """
    try:
        return _from_source(ORIGINAL, **ORIGINAL_FLAGS)
    except NotToBeHad as e:
        advice = f"{ORIGINAL} is known to build for Python 3.11: make PYTHON=python3.11 test-peers"
        raise NotToBeHad(f"{advice}\n{e}") from None


def compiled(source: Path, *flags: str, parts: Sequence[Path] = ()) -> Path:
    """Return the shared library of one C file and its parts, compiled anew when files or flags have changed."""
    text = b"".join(file.read_bytes() for file in (source, *parts))
    digest = hashlib.sha256(text + " ".join(flags).encode()).hexdigest()[:12]
    sources = [source, *(part for part in parts if part.suffix == ".c")]

    def compile_it(folder: Path) -> None:
        run(
            *("gcc", "-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror"),
            *flags,
            "-o",
            folder / "it.so",
            *sources,
        )

    return cached(f"{source.stem}-{digest}", compile_it) / "it.so"


def warn_of_second_run(failed: dict[str, str]) -> None:
    """Have the summary name tests that failed and are run once more, with what they said: some of them may be ours."""
    named = "\n".join(f"  {name}: {said}" for name, said in failed.items())
    warnings.warn(f"run again, as they measure times:\n{named}", stacklevel=2)


runs_again = pytest.mark.filterwarnings("default:run again, as they measure times")
"""For tests that use that: every other warning is an error."""
