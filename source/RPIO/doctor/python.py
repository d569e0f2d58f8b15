# SPDX-License-Identifier: LGPL-3.0-or-later
"""The interpreter, its packages, and the traps of virtual environments. Packages are looked for, never imported."""

from __future__ import annotations

import os

from .. import constants
from ..machine import detect
from .finding import NOTE, OK, PROBLEM, WARNING, Finding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.metadata import Distribution

    from .patient import Patient

PROVIDERS = ("RPi.GPIO", "rpi-lgpio")
"""Distributions that bring ``RPi/GPIO``: each one's files overwrite the other's."""
OURS = "+rpio"
"""How the version of the RPi.GPIO ends that is RPIO: that of ``rpi/``."""
DEBIAN = {"RPi.GPIO": "python3-rpi.gpio", "rpi-lgpio": "python3-rpi-lgpio", "RPIO": "python3-rpio"}
SYSTEM = "/usr/lib/python3/dist-packages"
"""Where Debian's packages are, which a virtual environment does not see."""
SHADOWS = ("RPi.py", "RPi", "RPIO.py", "gpio.py", "gpiozero.py", "lgpio.py")
FACTORIES = (("lgpio", "lgpio"), ("rpigpio", "RPi.GPIO"), ("pigpio", "pigpio"))
"""gpiozero's pin factories in its order, and the module that each needs. Source: gpiozero 2.0, devices.py."""
FACTORIES_OF_OURS = ("rpio", "rpiosim", "rpioremote")
"""Those of RPIO, which gpiozero takes where it is told to."""


def interpreter(patient: Patient) -> Iterator[Finding]:
    """Which Python this is, and which RPIO."""
    where = f"the virtual environment {patient.prefix}" if _in_venv(patient) else "the system's"
    yield Finding(OK, f"RPIO {constants.VERSION} with {patient.executable} ({where})")


def core(patient: Patient) -> Iterator[Finding]:
    """Whether the C module is there."""
    if patient.has_core:
        yield Finding(OK, "RPIO has its C module")
        return
    chips = [name for name in patient.listed("/dev") if name.startswith("gpiochip")]
    has_lines = bool(chips) or detect.detect(patient.root) is not None
    text = "this RPIO has no C module: simulated boards and those of other machines work, the lines of this one do not"
    if patient.environ.get("RPIO_PURE", "") not in ("", "0"):
        yield Finding(
            WARNING if has_lines else NOTE,
            f"{text}; RPIO_PURE asks for that",
            "to have it",
            "unset RPIO_PURE",
        )
        return
    yield Finding(
        PROBLEM if has_lines else NOTE,
        text,
        "to have it, on Linux, with a compiler and Python's headers",
        f"{patient.executable} -m pip install --force-reinstall --no-binary RPIO CHECKOUT",
    )


# -- packages -----------------------------------------------------------------------------------------------


def providers(patient: Patient) -> Iterator[Finding]:
    """Who answers to ``import RPi.GPIO`` outside of ``rpio run``."""
    found = {name: _found(patient, name) for name in PROVIDERS}
    named = [f"{name} {dists[0].version}" for name, dists in found.items() if dists]
    ours = bool(found["RPi.GPIO"]) and found["RPi.GPIO"][0].version.endswith(OURS)
    if len(named) > 1:
        first = "RPi.GPIO" if ours else "rpi-lgpio"
        gone = [name for name in PROVIDERS if name != first]
        yield Finding(
            PROBLEM,
            f"several packages bring RPi.GPIO, and overwrite each other: {', '.join(named)}",
            f"keep one, {first} say",
            f"{_uninstall(patient, found, gone)} && {_reinstall(patient, found, first)}",
        )
    elif ours:
        yield Finding(
            OK,
            f"import RPi.GPIO is RPIO in every program here, as {named[0]}; "
            "pip install --force-reinstall RPi.GPIO would put the real one in its place",
        )
    elif found["RPi.GPIO"] and getattr(detect.detect(patient.root), "soc", "") == "BCM2712":
        yield Finding(
            WARNING,
            f"import RPi.GPIO is {named[0]}, which cannot drive the lines of a Raspberry Pi 5",
            "rpio run makes RPIO answer to its name",
            "rpio run SCRIPT",
        )
    elif named:
        yield Finding(OK, f"import RPi.GPIO is {named[0]}; rpio run SCRIPT uses RPIO all the same")
    else:
        yield Finding(NOTE, "RPi.GPIO is not installed; rpio run SCRIPT makes RPIO answer to its name")
    yield from _bare_module(patient, bool(named))


def _bare_module(patient: Patient, is_installed: bool) -> Iterator[Finding]:
    """A package RPi that belongs to nobody, or to another one than its distribution says."""
    folder = _folder_of(patient, "RPi")
    if folder and not is_installed:
        yield Finding(
            WARNING,
            f"{folder} answers to import RPi, and belongs to no installed package",
            "see what it is",
            f"ls -l {folder}",
        )


def releases(patient: Patient) -> Iterator[Finding]:
    """The RPIO of 2013 beside this one."""
    old = [dist for dist in _found(patient, "RPIO") if dist.version.startswith("0.")]
    if old:
        yield Finding(
            PROBLEM,
            f"RPIO {old[0].version} of 2013 is installed as well, and overwrites this one's files",
            "remove both, then install this one again",
            f"{patient.executable} -m pip uninstall -y RPIO",
        )


def shadows(patient: Patient) -> Iterator[Finding]:
    """Files in the current folder, or in PYTHONPATH, that Python takes for the library."""
    paths = [path for path in patient.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    if paths:
        yield Finding(
            NOTE,
            f"PYTHONPATH is set, and comes before all packages: {os.pathsep.join(paths)}",
            "to do without",
            "unset PYTHONPATH",
        )
    here = patient.environ.get("PWD") or "."
    for folder in (here, *paths):
        for name in SHADOWS:
            path = os.path.join(folder, name)
            if patient.exists(path) and folder != SYSTEM:
                yield Finding(
                    WARNING,
                    f"{path} hides the library of that name from programs in that folder",
                    "rename it",
                    f"mv {path} {os.path.join(folder, 'my_' + name.lower())}",
                )


def gpiozero_twice(patient: Patient) -> Iterator[Finding]:
    """A gpiozero of pip's beside the system's: the one that comes first is taken, whichever is meant."""
    found = _found(patient, "gpiozero")
    if len(found) > 1:
        named = " and ".join(
            f"{dist.version} in {os.path.normpath(str(dist.locate_file('')))}" for dist in found
        )
        yield Finding(
            WARNING,
            f"there are several gpiozero, and the first is used: {named}",
            "to have the last alone" if not _is_debians(found[:1]) else "pip's is not used; to be rid of it",
            f"{patient.executable} -m pip uninstall -y gpiozero",
        )


def gpiozero(patient: Patient) -> Iterator[Finding]:
    """Which library gpiozero will use."""
    found = _found(patient, "gpiozero")
    if not found:
        return
    asked = patient.environ.get("GPIOZERO_PIN_FACTORY")
    name = f"gpiozero {found[0].version}"
    if asked:
        ours = ", which is RPIO's" if asked.lower() in FACTORIES_OF_OURS else ""
        yield Finding(OK, f"{name} is told to use {asked}{ours} (GPIOZERO_PIN_FACTORY)")
        return
    choice = next((factory for factory, module in FACTORIES if _has_module(patient, module)), None)
    if choice is not None:
        yield Finding(
            OK, f"{name} will use {choice}, the first that is installed, or RPIO where it is told to"
        )
    else:
        yield Finding(
            WARNING,
            f"{name} finds none of lgpio, RPi.GPIO and pigpio, and falls back to a slow one of its own",
            "to have RPIO's",
            "export GPIOZERO_PIN_FACTORY=rpio",
        )


def _found(patient: Patient, name: str) -> list[Distribution]:
    from importlib.metadata import distributions

    return list(
        {str(d.locate_file("")): d for d in distributions(name=name, path=patient.search_path)}.values()
    )


def _folder_of(patient: Patient, name: str) -> str:
    """Where a package lies, "" for nowhere. Only the path is looked through: nothing is imported."""
    from importlib.machinery import PathFinder

    spec = PathFinder.find_spec(name, patient.search_path)
    places = list(spec.submodule_search_locations or ()) if spec is not None else []
    return places[0] if places else ""


def _has_module(patient: Patient, name: str) -> bool:
    from importlib.machinery import PathFinder

    package, _, part = name.partition(".")
    if part:
        folder = _folder_of(patient, package)
        return bool(folder) and PathFinder.find_spec(part, [folder]) is not None
    return PathFinder.find_spec(package, patient.search_path) is not None


def _is_debians(dists: list[Distribution]) -> bool:
    return "dist-packages" in str(dists[0].locate_file("")) and "local" not in str(dists[0].locate_file(""))


def _debian_package(name: str, dist: Distribution) -> str:
    return "python3-rpio-rpi.gpio" if dist.version.endswith(OURS) else DEBIAN[name]


def _uninstall(patient: Patient, found: dict[str, list[Distribution]], names: list[str]) -> str:
    apt = [
        _debian_package(name, found[name][0]) for name in names if name in DEBIAN and _is_debians(found[name])
    ]
    pip = [name for name in names if not _is_debians(found[name])]
    commands = [f"sudo apt remove {' '.join(apt)}"] if apt else []
    commands += [f"{patient.executable} -m pip uninstall -y {' '.join(pip)}"] if pip else []
    return " && ".join(commands)


def _reinstall(patient: Patient, found: dict[str, list[Distribution]], name: str) -> str:
    if name in DEBIAN and _is_debians(found[name]):
        return f"sudo apt install --reinstall {_debian_package(name, found[name][0])}"
    what = _folder_of_ours(found[name][0]) if found[name][0].version.endswith(OURS) else name
    return f"{patient.executable} -m pip install --force-reinstall --no-deps {what}"


def _folder_of_ours(dist: Distribution) -> str:
    """Where it was installed from: no index has it."""
    import json
    import shlex
    from urllib.parse import unquote, urlsplit

    origin = json.loads(dist.read_text("direct_url.json") or "{}")
    return shlex.quote(unquote(urlsplit(origin.get("url", "")).path) or "./rpi")


# -- virtual environments -----------------------------------------------------------------------------------


def _in_venv(patient: Patient) -> bool:
    return patient.prefix != patient.base_prefix


def venv(patient: Patient) -> Iterator[Finding]:
    """What this environment does not see, or why pip refuses outside of one."""
    if _in_venv(patient):
        settings = f"{patient.prefix}/pyvenv.cfg"
        sees = patient.text(settings).replace(" ", "").lower()
        hidden = [
            name
            for name, path in (("RPi.GPIO", "RPi/GPIO"), ("lgpio", "lgpio.py"), ("gpiozero", "gpiozero"))
            if patient.exists(f"{SYSTEM}/{path}") and not _has_module(patient, name)
        ]
        if hidden and "include-system-site-packages=true" not in sees:
            yield Finding(
                NOTE,
                f"this virtual environment does not see the system's {', '.join(hidden)}",
                "to let it",
                f"sed -i 's/^\\(include-system-site-packages = \\)false/\\1true/' {settings}",
            )
        return
    managed = [
        f"/usr/lib/{name}/EXTERNALLY-MANAGED"
        for name in patient.listed("/usr/lib")
        if name.startswith("python3")
    ]
    if any(patient.exists(path) for path in managed) and patient.prefix == "/usr":
        yield Finding(
            NOTE,
            "pip installs nothing into the system's Python here (EXTERNALLY-MANAGED): it wants a virtual environment",
            "one that sees the system's packages",
            "python3 -m venv --system-site-packages ~/.venv && . ~/.venv/bin/activate",
        )


def other_python(patient: Patient) -> Iterator[Finding]:
    """Another interpreter than the one that is meant: sudo's, or the shell's."""
    active = patient.environ.get("VIRTUAL_ENV", "")
    here = patient.environ.get("PWD") or "."
    if active and not _same(patient, active, patient.prefix):
        yield Finding(
            WARNING,
            f"the shell has the virtual environment {active}, and this is {patient.executable}",
            "that one's packages are not seen here; to use it",
            f"{active}/bin/python -m RPIO doctor",
        )
    elif patient.uid == 0 and patient.environ.get("SUDO_USER") and not _in_venv(patient):
        folder = next(
            (name for name in (".venv", "venv", "env") if patient.exists(f"{here}/{name}/bin/python")), ""
        )
        yield Finding(
            WARNING if folder else NOTE,
            f"sudo runs {patient.executable}, not the Python of a virtual environment: packages of one are not seen",
            "to use one, name its Python",
            f"sudo {folder or '.venv'}/bin/python -m RPIO doctor",
        )


def command(patient: Patient) -> Iterator[Finding]:
    """Whether the ``rpio`` that the shell finds is this one."""
    found, beside = patient.which("rpio"), os.path.join(os.path.dirname(patient.executable), "rpio")
    if not found:
        yield Finding(
            NOTE,
            "the shell finds no rpio",
            "this one is",
            beside if patient.exists(beside) else f"{patient.executable} -m RPIO",
        )
        return
    head = patient.data(found)[:200].decode("utf-8", "replace").partition("\n")[0]
    python = head.removeprefix("#!").strip() if head.startswith("#!/") else ""
    if (
        "python" in python
        and " " not in python
        and not _same(patient, os.path.dirname(python), os.path.dirname(patient.executable))
    ):
        yield Finding(
            WARNING,
            f"the rpio that the shell finds, {found}, is another Python's: {python}, and this is {patient.executable}",
            "this one is",
            f"{patient.executable} -m RPIO",
        )


def _same(patient: Patient, one: str, other: str) -> bool:
    return os.path.realpath(patient.path(one)) == os.path.realpath(patient.path(other))
