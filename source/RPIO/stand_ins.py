# SPDX-License-Identifier: LGPL-3.0-or-later
"""Putting a stand-in module, each a folder of `shims`, in the place of the real one: on request only.

And RRaspPY's modules, of the folder `rraspy` there, for programs that import them by name, where nothing else has it;
and libraries of I2C and SPI, of the folder `buses`, on whatever bus the program has in use.
"""

from __future__ import annotations

import os
import sys

from . import threads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from importlib.machinery import ModuleSpec
    from types import ModuleType

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "shims")


def is_installed(name: str) -> bool:
    """Whether ``import NAME`` means the stand-in of that name."""
    return os.path.join(FOLDER, name) in getattr(sys.modules.get(name), "__path__", ())


def install(name: str) -> None:
    """Have ``import NAME`` mean the stand-in of that name, in this process. Twice is fine.

    The folder goes on sys.path as well, in PYTHONPATH's place: the children of multiprocessing that begin anew (spawn,
    forkserver) get that list, and a Pool replaces for ever a child that cannot import what it needs.

    Raises:
        RuntimeError: the real one has been imported already.
        ImportError: a freezer has left the stand-in out of this program.
    """
    from importlib.util import module_from_spec, spec_from_file_location

    folder = os.path.join(FOLDER, name)
    if is_installed(name):
        return
    if name in sys.modules:
        raise RuntimeError(f"another {name} has been imported already: install RPIO's before it")
    if not os.path.exists(os.path.join(folder, "__init__.py")):
        raise ImportError(
            f"{folder} is missing: this program was frozen without RPIO's {name}, which is loaded from files; "
            "PyInstaller takes it with --collect-all RPIO, another freezer has to be told of the folder",
            name=name,
        )
    if FOLDER not in sys.path:
        sys.path.insert(1, FOLDER)
    spec = spec_from_file_location(
        name, os.path.join(folder, "__init__.py"), submodule_search_locations=[folder]
    )
    assert spec is not None and spec.loader is not None
    sys.modules[name] = module = module_from_spec(spec)
    spec.loader.exec_module(module)


OF_RRASPY = os.path.join(FOLDER, "rraspy")
"""Modules by RRaspPY's names."""
ITS_OWN = ("host", "serialize", "common", "device", "server")
ITS_LIBRARIES = ("smbus", "Adafruit_ADS1x15")
"""Libraries that a device has: those of OF_BUSES are on its buses then."""
OF_BUSES = os.path.join(FOLDER, "buses")
"""Libraries of I2C and SPI."""


def is_of_rraspy(name: str) -> bool:
    """Whether ``import NAME`` has meant the one of RRaspPY's."""
    origin = getattr(sys.modules.get(name), "__file__", None)
    return origin is not None and os.path.dirname(origin) == OF_RRASPY


MARKS = (b"DEVICE_TUPLE", b"serialize", b"SOCKET_TIMEOUT_S", b"host.")
"""Words of RRaspPY's own files."""


def is_old(path: str) -> bool:
    """Whether a file is one of RRaspPY's, in Python 2: nothing that Python 3 could run."""
    try:
        with open(path, "rb") as file:
            text = file.read(1 << 18)
        if not any(mark in text for mark in MARKS):
            return False
        compile(text, path, "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return True
    except OSError:
        return False
    return False


def beside(name: str) -> str:
    """Where a module of that name is beside the program; "" where there is none."""
    at = os.path.join(sys.path[0] if sys.path else "", name)
    return next(filter(os.path.exists, (f"{at}.py", os.path.join(at, "__init__.py"))), "")


class OfRraspy:
    """Finds some of the modules by RRaspPY's names, while they are wanted: one of sys.meta_path. What the program has
    of that name beside it is its own, but for what is_old().
    """

    def __init__(self, names: tuple[str, ...], are_wanted: Callable[[str], bool]) -> None:
        self._names, self._are_wanted = names, are_wanted

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """Tell the import system where it is; None where it is none."""
        if name not in self._names or not self._are_wanted(name):
            return None
        from importlib.util import spec_from_file_location

        folder = os.path.join(OF_BUSES if name in ITS_LIBRARIES else OF_RRASPY, name)
        if not os.path.isdir(folder):
            return spec_from_file_location(name, f"{folder}.py")
        return spec_from_file_location(
            name, os.path.join(folder, "__init__.py"), submodule_search_locations=[folder]
        )


def offer_rraspy(has_device: Callable[[], bool]) -> None:
    """Have ``import host`` and the others of RRaspPY's names work in this process, where no other module has the name.

    Once ``host`` is imported, or where *has_device*() says that lines are a device's, libraries are those that use its
    buses, also where others are installed here.
    """

    def is_first(name: str) -> bool:
        """Whether ours comes before all others."""
        found = beside(name)
        if found:
            return is_old(found)
        return name in ITS_LIBRARIES and (is_of_rraspy("host") or has_device())

    sys.meta_path.insert(0, OfRraspy(ITS_OWN + ITS_LIBRARIES, is_first))
    sys.meta_path.append(OfRraspy(ITS_OWN, lambda name: True))


def offer_buses(are_elsewhere: bool) -> None:
    """Have ``import smbus2`` and the others of OF_BUSES work in this process, where no other module has the name.

    Where lines are simulated or another machine's they come before what is installed, which would use this machine's
    buses; never before what the program has beside it, on PYTHONPATH, or in the standard library.
    """
    if OF_BUSES in sys.path:
        return
    installed = [
        at for at, path in enumerate(sys.path) if os.path.basename(path) in ("site-packages", "dist-packages")
    ]
    sys.path.insert(installed[0] if installed and are_elsewhere else len(sys.path), OF_BUSES)


def installed(name: str) -> ModuleType:
    """Import the module of that name that is none of OF_BUSES, under a name of its own where one of those has it.

    Raises:
        ImportError: there is no other.
    """
    found = sys.modules.get(name)
    if found is not None and not str(getattr(found, "__file__", "")).startswith(OF_BUSES):
        return found
    if OF_BUSES not in sys.path:
        from importlib import import_module

        threads.load(name)
        return import_module(name)
    alias = f"RPIO_installed_{name}"
    if alias not in sys.modules:
        threads.load("importlib.util")
        _load_as(alias, name)
    return sys.modules[alias]


def _load_as(alias: str, name: str) -> None:
    from importlib.machinery import PathFinder
    from importlib.util import module_from_spec, spec_from_file_location

    found = PathFinder.find_spec(name, [path for path in sys.path if path != OF_BUSES])
    if found is None or found.origin is None:
        raise ImportError(f"No module named {name!r}", name=name)
    spec = spec_from_file_location(
        alias, found.origin, submodule_search_locations=found.submodule_search_locations
    )
    assert spec is not None and spec.loader is not None
    sys.modules[alias] = module = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[alias]
        raise
