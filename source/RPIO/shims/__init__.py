# SPDX-License-Identifier: LGPL-3.0-or-later
"""Stand-in modules for unmodified programs, each a folder here: put in the place of the real ones on request only."""

from __future__ import annotations

import os
import sys

FOLDER = os.path.dirname(os.path.abspath(__file__))


def install(name: str) -> None:
    """Have ``import NAME`` mean the stand-in of that name, in this process. Twice is fine.

    The folder goes on sys.path as well, in PYTHONPATH's place: the children of multiprocessing that begin anew (spawn,
    forkserver) get that list, and a Pool replaces for ever a child that cannot import what it needs.

    Raises:
        RuntimeError: the real one has been imported already.
    """
    from importlib.util import module_from_spec, spec_from_file_location

    folder = os.path.join(FOLDER, name)
    there = sys.modules.get(name)
    if there is not None:
        if folder in getattr(there, "__path__", ()):
            return
        raise RuntimeError(f"another {name} has been imported already: install RPIO's before it")
    if FOLDER not in sys.path:
        sys.path.insert(1, FOLDER)
    spec = spec_from_file_location(
        name, os.path.join(folder, "__init__.py"), submodule_search_locations=[folder]
    )
    assert spec is not None and spec.loader is not None
    sys.modules[name] = module = module_from_spec(spec)
    spec.loader.exec_module(module)
