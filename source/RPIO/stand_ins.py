# SPDX-License-Identifier: LGPL-3.0-or-later
"""Putting a stand-in module, each a folder of `shims`, in the place of the real one: on request only."""

from __future__ import annotations

import os
import sys

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
