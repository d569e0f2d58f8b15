# SPDX-License-Identifier: LGPL-3.0-or-later
"""Build C sources into Python modules for the tests (cffi, API mode), once per content.

The compiler is called directly instead of through setuptools: no warnings, nothing printed, and the flags
are ours. A module is found again by a hash of everything that went into it, so a changed source is a new
module and there is nothing to clean between runs but disk space.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import importlib.util
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

import cffi

from .compiling import CACHE, compiler

HERE = Path(__file__).resolve().parent

SOC_SOURCES = tuple(HERE / name for name in ("soc.c", "soc_dma.c", "soc_pace.c", "soc_memory.c"))


def declarations(header: Path) -> str:
    """Return what a header declares, in the form that cffi reads: no comments, constants spelled out.

    So header and tests cannot drift apart.
    """
    text = re.sub(r"/\*.*?\*/", "", header.read_text(), flags=re.DOTALL)
    constants = dict(re.findall(r"^#define (\w+) (\d+)u?\s*$", text, re.MULTILINE))
    text = re.sub(r"^#.*$", "", text, flags=re.MULTILINE)
    text = re.sub(r"__attribute__\(\(.*?\)\)\)", "", text)
    for name, value in constants.items():
        text = re.sub(rf"\b{name}\b", value, text)
    return text + "".join(f"\n#define {name} {value}" for name, value in constants.items())


SOC_CDEF = declarations(HERE / "soc.h") + declarations(HERE / "soc_dma.h")

WIDE = ("-D_FILE_OFFSET_BITS=64", "-D_TIME_BITS=64")
"""As setup.py: 64 bits of off_t and time_t on machines of 32."""

FLAGS = ("-std=c11", *WIDE, "-O1", "-g", "-fPIC", "-Wall", "-pthread")
SANITIZER_FLAGS = (
    "-fsanitize=address,undefined",
    "-fno-omit-frame-pointer",
    "-fno-sanitize-recover=undefined",
)


def sanitizer_environment() -> dict[str, str]:
    """Return os.environ for a Python that may import sanitized modules; {} if the compiler has no sanitizer.

    AddressSanitizer must be the first library of the process, hence the preload. Leaks are not looked for:
    Python itself leaves memory behind.
    """
    command = [*compiler(), "-print-file-name=libasan.so"]
    library = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    if not Path(library).is_absolute():
        return {}
    return {**os.environ, "LD_PRELOAD": library, "ASAN_OPTIONS": "detect_leaks=0"}


_failures: dict[str, str] = {}
"""What the compiler said to sources that it refused: every test asks again, and it takes its time to refuse them."""


def build(
    name: str,
    sources: Iterable[str | Path],
    cdef: str,
    *,
    sanitize: bool = False,
    defines: Sequence[str] = (),
) -> ModuleType:
    """Compile `sources` and return the module `name`, with `ffi` and `lib` for what `cdef` declares.

    `sources` are .c files, and .h files to include before them; a .c file's own header (same stem, same
    folder) is included without being named. Their folders are the include path, and every header there counts
    as a source for the cache. `defines` are "NAME" or "NAME=VALUE".

    Two processes that want the same thing at once wait for one of them, whose compiler has all processors. Where a
    file system knows no locks, each builds in its own folder, and the first to finish keeps its work.

    Raises:
        RuntimeError: the compiler failed (its output is in the message), or `sanitize` was asked of a process
            without the sanitizer's library: start it with sanitizer_environment().
    """
    paths = [Path(source).resolve() for source in sources]
    if sanitize and not hasattr(ctypes.CDLL(None), "__asan_init"):
        raise RuntimeError(
            "AddressSanitizer is not loaded: run Python with soc_build.sanitizer_environment()"
        )
    flags = [*FLAGS, *(SANITIZER_FLAGS if sanitize else ()), *(f"-D{define}" for define in defines)]
    key = _key(name, paths, cdef, flags)
    qualified = f"_rpio_tests_{key}.{name}"
    if qualified not in sys.modules:
        library = CACHE / key / f"{name}{sysconfig.get_config_var('EXT_SUFFIX')}"
        if key in _failures:
            raise RuntimeError(_failures[key])
        if not library.exists():
            try:
                with _alone():
                    if not library.exists():
                        _compile_into(CACHE / key, name, paths, cdef, flags)
            except RuntimeError as error:
                _failures[key] = str(error)
                raise
        sys.modules[qualified] = _load(qualified, library)
    return sys.modules[qualified]


def build_soc(*, sanitize: bool = False) -> ModuleType:
    """Return the model alone, with the functions that parts use."""
    return build("soc_model", SOC_SOURCES, SOC_CDEF, sanitize=sanitize)


def _key(name: str, paths: Sequence[Path], cdef: str, flags: Sequence[str]) -> str:
    headers = {header for path in paths for header in path.parent.glob("*.h")}
    files = sorted({*paths, *headers})
    python = [sys.version, sysconfig.get_config_var("EXT_SUFFIX"), cffi.__version__]
    about = [name, cdef, flags, compiler(), python, [str(path) for path in paths]]
    digest = hashlib.sha256(json.dumps(about).encode())
    for file in files:
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:20]


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """No other process builds meanwhile."""
    import fcntl  # which what stands in for another system has not, and there is nothing to build there

    CACHE.mkdir(parents=True, exist_ok=True)
    folder = os.open(CACHE, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _compile_into(folder: Path, name: str, paths: Sequence[Path], cdef: str, flags: Sequence[str]) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f"{folder.name}-", dir=folder.parent))
    try:
        _compile(work, name, paths, cdef, flags)
        try:
            work.rename(folder)
        except OSError:
            if not folder.is_dir():  # else: another process was faster, and built the same
                raise
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _compile(work: Path, name: str, paths: Sequence[Path], cdef: str, flags: Sequence[str]) -> None:
    own_headers = [path.with_suffix(".h") for path in paths if path.suffix == ".c"]
    headers = [path for path in paths if path.suffix == ".h"] + [
        path for path in own_headers if path.exists()
    ]
    preamble = "#include <stdint.h>\n" + "".join(f'#include "{path}"\n' for path in dict.fromkeys(headers))
    if not headers:  # nothing declares the functions but the cdef
        preamble += cdef
    ffi = cffi.FFI()
    ffi.cdef(cdef)
    ffi.set_source(name, preamble)
    glue = work / f"{name}.c"
    with contextlib.redirect_stdout(io.StringIO()):  # cffi tells which file it writes
        ffi.emit_c_code(str(glue))

    folders = [f"-I{folder}" for folder in dict.fromkeys(path.parent for path in paths)]
    python = [f"-I{sysconfig.get_path(key)}" for key in ("include", "platinclude")]
    sources = [(glue, [*python, "-w"]), *((path, []) for path in paths if path.suffix == ".c")]
    objects = [str(work / f"{number}.o") for number in range(len(sources))]
    commands = [
        [*compiler(), *flags, *folders, *extra, "-c", str(source), "-o", target]
        for (source, extra), target in zip(sources, objects, strict=True)
    ]
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as processors:
        for _ in processors.map(_run, commands):
            pass
    library = work / f"{name}{sysconfig.get_config_var('EXT_SUFFIX')}"
    _run([*compiler(), *flags, "-shared", *objects, "-o", str(library)])


def _run(command: Sequence[str]) -> None:
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise RuntimeError(f"{shlex.join(command)} failed:\n{result.stdout}{result.stderr}")


def _load(qualified: str, library: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(qualified, library)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
