# SPDX-License-Identifier: LGPL-3.0-or-later
"""A program run in this process as ``python PROGRAM`` and ``python -m MODULE`` run it: as ``__main__``, for good.

runpy's public functions take ``__main__`` back when the last statement is done, and threads that go on would no longer
find the program's classes there (pickle looks them up); their frames and ours would stand in every traceback, too.
"""

from __future__ import annotations

import builtins
import linecache
import os
import pkgutil
import runpy
import sys
from importlib.machinery import BuiltinImporter, SourceFileLoader, SourcelessFileLoader
from types import ModuleType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from importlib.machinery import ModuleSpec
    from types import CodeType, TracebackType


class NoSuchModule(ImportError):
    """There is no module of that name, or it cannot be run."""


def run_file(path: str, arguments: list[str]) -> int:
    """Run a file, or a folder or zip archive with a ``__main__.py``; return the exit status, 1 after an exception.

    The exception has been printed then, from the program's own frame on; SystemExit and KeyboardInterrupt pass through.
    """
    sys.argv = [path, *arguments]
    try:
        if pkgutil.get_importer(path) is not None:
            _first_on_path(os.path.abspath(path))
            _run_module(*_details("_get_main_module_details", NoSuchModule))
        else:
            _first_on_path(os.path.dirname(os.path.realpath(path)))
            _run_file(os.path.join(os.getcwd(), path))
    except (SystemExit, KeyboardInterrupt, NoSuchModule):
        raise
    except BaseException as e:
        return _print(e)
    return 0


def run_code(code: str | bytes, name: str, arguments: list[str]) -> int:
    """Run a program that is no file: "-c" or, from standard input, "-" is its name; as run_file() otherwise."""
    sys.argv = [name, *arguments]
    _first_on_path("")
    try:
        source = "<string>" if name == "-c" else "<stdin>"
        namespace = _new_main(None if name == "-c" else source, BuiltinImporter)
        if name == "-c" and sys.version_info >= (3, 13):  # which shows its lines in a traceback
            linecache.cache[source] = len(code), None, str(code).splitlines(keepends=True), source
        exec(compile(code, source, "exec", dont_inherit=True), namespace)
    except (SystemExit, KeyboardInterrupt):
        raise
    except BaseException as e:
        return _print(e)
    return 0


def run_module(name: str, arguments: list[str]) -> int:
    """Run a module, or a package's ``__main__``; as run_file() otherwise.

    Raises:
        NoSuchModule: it is not there, or cannot be run.
    """
    sys.argv = ["-m", *arguments]
    _first_on_path(os.getcwd())
    try:
        spec, code = _details("_get_module_details", name, NoSuchModule)
        sys.argv[0] = str(spec.origin)
        _run_module(spec, code)
    except (SystemExit, KeyboardInterrupt, NoSuchModule):
        raise
    except BaseException as e:
        return _print(e)
    return 0


def _details(function: str, *arguments: object) -> tuple[ModuleSpec, CodeType]:
    """Have runpy find a module, by the functions that pdb and trace of the standard library use as well."""
    _, spec, code = getattr(runpy, function)(*arguments)
    return spec, code


def _run_module(spec: ModuleSpec, code: CodeType) -> None:
    namespace = _new_main(spec.origin, spec.loader)
    namespace.update(__spec__=spec, __package__=spec.parent, __cached__=spec.cached)
    exec(code, namespace)


def _run_file(path: str) -> None:
    with open(path, "rb") as file:
        code: CodeType | None = getattr(pkgutil, "read_code")(file)  # noqa: B009 - None unless it is a .pyc
    loader = SourcelessFileLoader if code else SourceFileLoader
    namespace = _new_main(path, loader("__main__", path))
    if code is None:
        with open(path, "rb") as file:
            code = compile(file.read(), path, "exec", dont_inherit=True)
    exec(code, namespace)


def _new_main(path: str | None, loader: object) -> dict[str, object]:
    """The names of a fresh ``__main__``; __spec__ and __package__ are None. That of -c has no __file__."""
    sys.modules["__main__"] = module = ModuleType("__main__")
    namespace = module.__dict__
    namespace.update(__builtins__=builtins, __loader__=loader)
    if path is not None:
        namespace.update(__file__=path, __cached__=None)
    return namespace


def _first_on_path(folder: str) -> None:
    """The program's folder takes the place of that of ``rpio``, which ``python -I`` and ``-P`` leave out."""
    if sys.flags.isolated or getattr(sys.flags, "safe_path", False):
        sys.path.insert(0, folder)
    else:
        sys.path[0] = folder


class Said:
    """What is to be said of an exception that nobody has caught, before it is printed."""

    of_error: Callable[[BaseException], object] = staticmethod(lambda error: None)


def _print(error: BaseException) -> int:
    """Do what Python does with an exception that nobody caught; return its exit status."""
    error.__traceback__ = found = _of_program(error.__traceback__)
    sys.last_type, sys.last_value, sys.last_traceback = type(error), error, found
    if sys.version_info >= (3, 12):  # those before would not delete it in time at exit
        sys.last_exc = error
    Said.of_error(error)
    sys.excepthook(type(error), error, found)
    return 1


def _of_program(found: TracebackType | None) -> TracebackType | None:
    """The traceback without the frames that led to the program; None where the program has not begun."""
    ours = (_print.__code__.co_filename, runpy.run_path.__code__.co_filename)
    while found is not None:
        name = found.tb_frame.f_code.co_filename
        if name not in ours and not name.startswith("<frozen importlib"):
            break
        found = found.tb_next
    return found
