# SPDX-License-Identifier: LGPL-3.0-or-later
"""The rooms and floors of doc/architecture: what a room may import, and that no module imports itself by a detour."""

import ast
import functools
import re
from pathlib import Path

import pytest

import RPIO

PACKAGE = Path(RPIO.__file__).parent
FLOORS = (
    "errors constants arguments threads log processes stand_ins lazy_names config_files pure _gpio",
    "machine loop wire config Exceptions",
    "calls",
    "remote programs",
    "backends",
    "pulses chips",
    "board doctor i2c spi",
    "recordings tasks",
    "server",
    "facade program web",
    "PWM GPIO aio sim remoteio testing originals gpiozero_pins",
    "__init__ cli pytest_plugin",
    "shims __main__ __pyinstaller",
)
"""From the ground up. Those of the ground may import each other."""
TO_COME: dict[int, set[str]] = {}
"""Rooms that have their place in the documents alone."""
FLOOR_OF = {room: height for height, rooms in enumerate(FLOORS) for room in rooms.split()}
SERVER_FLOORS = (
    "rights",
    "sessions",
    "connections",
    "settings",
    "tunnels",
    "programs outside",
    "further grpc remoteio rraspy",
    "daemon serving stdio",
)
"""The rooms of server/, from the ground up; on top what puts them together."""
REMOTE_FLOORS = (
    "tls grpc uploads outside rraspy",
    "places rraspy_kept",
    "sessions",
    "shared tunnels",
    "devices modules programs",
)
"""Those of remote/, with what is one module."""
INSIDE = {"server": SERVER_FLOORS, "remote": REMOTE_FLOORS}
"""The rooms that have floors of their own."""

SHARED_BY_BACKENDS = {
    "buses",
    "checks",
    "protocol",
    "descriptors",
    "event_pipe",
    "in_use",
    "sim_time",
    "sim_lines",
    "cdev_chips",
    "sysfs_chips",
}


def name_of(path):
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")


PATHS = {name_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def room_of(module):
    return module.split(".")[0]


def module_named(parts):
    name = ".".join(parts) or "__init__"
    return name if name in PATHS else None


def imports_of(module):
    """The modules of RPIO that a module imports, within functions too; the C core is under all floors."""
    path, found = PATHS[module], set()
    folder = path.relative_to(PACKAGE).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.ImportFrom):
            continue
        if node.level:
            base = (*folder[: len(folder) - node.level + 1], *(node.module.split(".") if node.module else ()))
        elif f"{node.module}.".startswith("RPIO."):
            base = tuple(node.module.split(".")[1:])
        else:
            continue
        if base[-1:] != ("_gpio",):
            names = [alias.name for alias in node.names if alias.name != "_gpio"]
            found |= {module_named((*base, name)) or module_named(base) for name in names}
    return found - {module, None}


@functools.cache
def imports():
    """Module -> those that it imports. Not known when tests are collected, which each process of them does."""
    return {module: imports_of(module) for module in PATHS}


def circles():
    """The sets of modules that import each other, by whatever detour."""

    def reached(module):
        seen, left = set(), [module]
        while left:
            for other in imports()[left.pop()] - seen:
                seen.add(other)
                left.append(other)
        return seen

    reach = {module: reached(module) for module in imports()}
    return sorted(
        {" ".join(sorted(other for other in reach[module] if module in reach[other])) for module in reach}
        - {""}
    )


@pytest.mark.slow
def test_a_room_imports_only_rooms_on_lower_floors():
    upwards = []
    for module in PATHS:
        height = FLOOR_OF[room_of(module)]
        others = {other for other in imports()[module] if room_of(other) != room_of(module)}
        upwards += [(module, other) for other in others if FLOOR_OF[room_of(other)] >= height > 0]
    assert not upwards


@pytest.mark.parametrize("outer", INSIDE)
def test_a_room_within_a_room_imports_only_those_on_lower_floors(outer):
    height_of = {room: height for height, rooms in enumerate(INSIDE[outer]) for room in rooms.split()}
    inside = {module: module.split(".")[1] for module in PATHS if module.startswith(f"{outer}.")}
    assert set(inside.values()) == height_of.keys()
    upwards = []
    for module, room in inside.items():
        others = {other for other in imports()[module] & inside.keys() if inside[other] != room}
        upwards += [(module, other) for other in others if height_of[inside[other]] >= height_of[room]]
    assert not upwards


def test_no_module_imports_itself_by_a_detour():
    assert not circles()


def test_backends_do_not_import_each_other():
    for module, others in imports().items():
        room, _, name = module.partition(".")
        if room == "backends" and name != "opening" and name:
            mine = {other.partition(".")[2] for other in others if room_of(other) == "backends"}
            assert mine <= SHARED_BY_BACKENDS, module


def test_only_the_shims_know_what_stands_in():
    assert not [
        module
        for module, others in imports().items()
        if room_of(module) != "shims" and "shims" in {room_of(other) for other in others}
    ]


CODEC_IMPORTS = re.compile(r"^\s*(?:import|from) (?:socket|ssl|asyncio|os)\b", re.MULTILINE)


def test_what_a_room_never_does():
    for module, path in PATHS.items():
        if room_of(module) == "wire":
            assert not CODEC_IMPORTS.search(path.read_text(encoding="utf-8")), module
        if room_of(module) == "server":
            assert "facade" not in imports()[module], module


ARCHITECTURE = (Path(__file__).parents[2] / "doc" / "architecture.rst").read_text(encoding="utf-8")


def test_each_room_is_described_in_one_line_in_the_documents():
    table = ARCHITECTURE.partition(".. rooms\n")[2].partition("\n\nWho may import whom")[0]
    described = re.findall(r"^``(\w+)``  +\S.{10,}$", table, re.MULTILINE)
    assert sorted(described) == sorted({room_of(module) for module in PATHS})


def test_the_floors_are_the_documents():
    table = ARCHITECTURE.partition("Who stands on it")[2].partition("Four nevers")[0]
    rows = {
        int(height): set(re.findall(r"\w+", names))
        for height, names in re.findall(r"^(\d+) +(.+)$", table, re.MULTILINE)
    }
    assert [rows[height] for height in sorted(rows)] == [
        set(rooms.split()) | TO_COME.get(height, set()) for height, rooms in enumerate(FLOORS, 1)
    ]


@pytest.mark.parametrize("outer", INSIDE)
def test_the_floors_within_a_room_are_the_documents(outer):
    table = ARCHITECTURE.partition(f".. {outer}\n\n")[2].partition("\n\n")[0]
    rows: dict[int, set[str]] = {}
    for height, room in re.findall(r"^(\d+) +``(\w+)``  +\S.{10,}$", table, re.MULTILINE):
        rows.setdefault(int(height), set()).add(room)
    assert [rows[height] for height in sorted(rows)] == [set(rooms.split()) for rooms in INSIDE[outer]]


def test_modules_are_short():
    lines = {module: len(path.read_text(encoding="utf-8").splitlines()) for module, path in PATHS.items()}
    assert not {module: count for module, count in lines.items() if count > 450}
    assert not {m: count for m, count in lines.items() if room_of(m) == "board" and count > 260}


def test_what_holds_no_code_is_a_map():
    """The __init__ of a room is its docstring, and hands on at most what the room is known by."""
    for module, path in PATHS.items():
        if (
            path.name == "__init__.py"
            and module not in ("__init__", "__pyinstaller")
            and "shims." not in module
        ):
            kinds = {type(node) for node in ast.parse(path.read_text(encoding="utf-8")).body}
            assert kinds <= {ast.Expr, ast.ImportFrom}, module
