# SPDX-License-Identifier: LGPL-3.0-or-later
"""Which backends there are; and from a word such as "auto" or "sim:3B+" to one, and to what machine it drives."""

from __future__ import annotations

import os
import sys

from .. import constants, errors, log, threads
from .._gpio import PURE
from ..machine import boards, detect

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..machine.boards import Hardware
    from .protocol import Backend

SIMULATED_MODEL = "4B"
"""The board that is simulated where nothing else is asked for."""
SHARED = "shared"
"""In the place of a model: the board of ``rpio sim``, or an error."""
SHARED_HINT = "start one in another terminal: rpio sim"
SHARED_PATIENCE_S = 2.0
"""How long another connection to it is tried for: who serves it is on this machine, and there or not."""
PYTEST = ("PYTEST_CURRENT_TEST", "PYTEST_VERSION")
"""What pytest says in the environment of the programs that tests start."""


def word_of(spec: str | None) -> str:
    """The word of the backend that is asked for, here or in the environment."""
    return (spec or os.environ.get("RPIO_BACKEND", "") or "auto").partition(":")[0]


AFAR = ("remote", "remote+insecure", "remote+unix", "ssh", "rraspy")


def is_afar(word: str) -> bool:
    """Whether lines by that word are another process's, which has the rules for them and tells what machine it is."""
    return word in AFAR


def spec_of(where: str) -> str:
    """The word of the backend for what RPIO.connect() is given."""
    return where if "://" in where else f"remote://{where}"


def at_host(host: str) -> str:
    """Return the backend that has the lines of a host, as people name it: this machine's daemon, that of a
    device by the name that was typed to pair with it, or one by ssh.
    """
    if "://" in host:
        return host
    if host.startswith("/"):
        return f"remote+unix://{host}"
    name = host.rpartition("]")[0] or host.partition(":")[0]
    is_here = name in ("localhost", "[::1") or name.startswith("127.")
    return f"remote://{host}" if is_here or _is_paired(name) else f"ssh://{host}"


def _is_paired(name: str) -> bool:
    """Whether this user has typed that name to pair with a device, whatever is wrong with what he knows of it: who
    connects is told that. What other names a device gives itself does not matter: one could take those of ssh's.
    """
    threads.load("RPIO.remote.places.hosts")
    from ..remote.places import hosts

    try:
        return hosts.spelled(name) in [known.name for known in hosts.every()]
    except (OSError, ValueError):
        return False  # by ssh, who says what is wrong with the name


# -- the registry ---------------------------------------------------------------------------------------


def _load(*modules: str) -> None:
    for name in modules:
        threads.load(f"{__package__}.{name}")


def check_core(what: str) -> None:
    """Raise NoBackendError, which says that *what* is missing, where there is no C module."""
    if PURE:
        from ..pure import missing

        raise missing.error(what)


def _open_sim(hardware: Hardware | None, argument: str) -> Backend:
    _load("sim")
    from .sim import SimBackend

    if hardware is None:
        raise errors.NoBackendError(
            "the simulated board needs a model", hint='for example RPIO.use("sim:4B")'
        )
    return SimBackend(hardware)


def _open_cdev(hardware: Hardware | None, argument: str) -> Backend:
    check_core("what drives the kernel's gpiochips")
    _load("cdev")
    from .cdev import CdevBackend
    from .cdev_chips import find_chip

    return CdevBackend(find_chip(argument, hardware.chip_label if hardware else None))


def _open_sysfs(hardware: Hardware | None, argument: str) -> Backend:
    check_core("what drives lines through sysfs")
    _load("sysfs")
    from .sysfs import SysfsBackend
    from .sysfs_chips import find_chip

    return SysfsBackend(find_chip(argument, hardware.chip_label if hardware else None))


def _open_edges(hardware: Hardware) -> Backend:
    """Return who reports edges beside registers: the gpiochip, else sysfs. Raises what the gpiochip's error is."""
    try:
        return _open_cdev(hardware, "")
    except errors.NoBackendError as e:
        try:
            return _open_sysfs(hardware, "")
        except (OSError, errors.NoBackendError) as in_sysfs:
            if errors.is_lack(in_sysfs):
                raise
            raise e from None


def _open_regs(hardware: Hardware | None, argument: str) -> Backend:
    check_core("what maps a Raspberry Pi's registers")
    _load("joined", "regs")
    from .joined import JoinedBackend
    from .regs import RegsBackend, map_block

    if hardware is None or hardware.gpio_compatible is None:
        raise errors.NoBackendError(
            "this is no Raspberry Pi whose registers are known",
            hint='RPIO.use("cdev") drives lines through the kernel, RPIO.use("sim") simulates a board',
        )
    block, path = map_block(hardware, argument)
    levels = RegsBackend(block, hardware.gpio_compatible, path)
    try:
        return JoinedBackend(levels, _open_edges(hardware))
    except (OSError, errors.NoBackendError) as e:
        if errors.is_lack(e):
            raise  # the board would be without edges for good, and is opened again by the next call
        return JoinedBackend(levels, None, e)


def _open_remote(hardware: Hardware | None, argument: str) -> Backend:
    _load("remote")
    from .remote import RemoteBackend

    return RemoteBackend(f"remote:{argument}" if argument else "localhost")


def _by(scheme: str) -> Callable[[Hardware | None, str], Backend]:
    """How a board is opened whose place is said in that way."""

    def opened(hardware: Hardware | None, argument: str) -> Backend:
        """Connect to who has the lines there."""
        _load("remote")
        from .remote import RemoteBackend

        return RemoteBackend(f"{scheme}:{argument}")

    return opened


def open_rraspy(argument: str, answer_s: float | None = None) -> Backend:
    """Open the lines of a device of RRaspPY's, which has so long for each answer. Raises NoBackendError, ValueError."""
    _load("rraspy")
    from .rraspy import RraspyBackend

    return RraspyBackend(argument, answer_s)


def _open_rraspy(hardware: Hardware | None, argument: str) -> Backend:
    return open_rraspy(argument)


REGISTRY: dict[str, Callable[[Hardware | None, str], Backend]] = {
    "regs": _open_regs,
    "cdev": _open_cdev,
    "sysfs": _open_sysfs,
    "sim": _open_sim,
    "remote": _open_remote,
    "remote+insecure": _by("remote+insecure"),
    "remote+unix": _by("remote+unix"),
    "ssh": _by("ssh"),
    "rraspy": _open_rraspy,
}
"""Name -> how to open it, given the hardware and what stood behind the colon of the name."""


def choose(hardware: Hardware | None) -> str:
    """Return the name of the backend that "auto" means on this machine.

    On a Raspberry Pi registers where they may be mapped, else what the kernel offers; never the simulation.
    Elsewhere what the kernel offers, and the simulation where that is nothing. The kernel offers the character
    device, or sysfs where that is missing or too old.
    """
    _load("cdev_chips", "regs", "sysfs_chips")
    from . import cdev_chips, regs, sysfs_chips

    if PURE:
        if hardware is not None or cdev_chips.chip_paths():
            check_core("what drives the lines of this machine")  # never the simulation in their place
        return "sim"
    offered = "cdev" if cdev_chips.usable() else "sysfs" if sysfs_chips.usable() else None
    if hardware is None:
        return offered or "sim"
    return offered if offered is not None and not regs.usable(hardware) else "regs"


def check_name(name: str) -> None:
    """Raise NoBackendError for what is no backend's name; "auto" is one."""
    if name != "auto" and name not in REGISTRY:
        raise errors.NoBackendError(
            f"there is no backend {name!r}",
            hint=f"choose one of auto, {', '.join(sorted(REGISTRY))}; lines of another machine: remote://HOST",
        )


def open_backend(name: str, hardware: Hardware | None, argument: str = "") -> Backend:
    """Open the backend of that name.

    Raises:
        NoBackendError: there is no such backend, or nothing here that it could drive.
        OSError: what the kernel says of the device file.
    """
    check_name(name)
    return REGISTRY[name](hardware, argument)


# -- from a word to a backend ------------------------------------------------------------------------------


def split(spec: str | None) -> tuple[str, str]:
    """Return name and argument of a backend; RPIO_BACKEND, then "auto", where none is given."""
    name, _, argument = (spec or os.environ.get("RPIO_BACKEND") or "auto").partition(":")
    return name, argument


def _shared_socket(argument: str) -> str:
    """The path where the shared board is to be found, by who asks for a simulated one; "" where there is none. Tests
    find it by its own word alone.
    """
    if argument not in ("", SHARED):
        return ""
    if not argument and ("pytest" in sys.modules or any(map(os.environ.get, PYTEST))):
        return ""
    base = os.environ.get("XDG_RUNTIME_DIR", "/")
    if not any(
        os.path.lexists(folder) for folder in (f"{base}/rpio", f"/tmp/rpio-{getattr(os, 'geteuid', int)()}")
    ):
        return ""  # in a hurry: most machines have none
    threads.load("RPIO.machine.folders")
    from ..machine.folders import sim_socket

    return sim_socket()


def is_elsewhere(spec: str | None) -> bool:
    """Whether the lines are another process's, as far as can be told without opening anything."""
    name, argument = split(spec)
    if name not in ("auto", "sim"):
        return is_afar(name)
    if name == "auto":
        return choose(detect.detect()) == "sim" and bool(_shared_socket(""))
    return bool(_shared_socket(argument))


def look(spec: str | None) -> Hardware | None:
    """Return what machine it is, without opening anything; None where only the chip can tell."""
    name, argument = split(spec)
    if name == "sim":
        is_shared = argument == SHARED or _shared_socket(argument)
        return None if is_shared else boards.by_name(argument or SIMULATED_MODEL)
    if is_afar(name):
        return None  # the other machine will tell
    # A chip that is named may be another than the header's, an expander say: its label will tell.
    return None if name in ("cdev", "sysfs") and argument else detect.detect()


def expect(spec: str | None) -> Hardware:
    """Return what machine it is, or will be once a line is touched, without opening anything. Raises nothing."""
    try:
        if is_elsewhere(spec):
            known = None if is_afar(word_of(spec)) else _of_shared()
        else:
            known = look(spec) or detect.detect()
        name = split(spec)[0]
        if known is None:
            known = _by_backend(choose(None) if name == "auto" else name)
    except (errors.GPIOError, ValueError, OSError):
        known = None  # the first line says what is wrong
    return known or boards.generic(0, None, "Linux board")


def _of_shared() -> Hardware | None:
    """What the shared board is, by who serves it."""
    threads.load("RPIO.remote.shared")
    from ..remote.shared import ask

    told = ask(_shared_socket(SHARED))
    return boards.decode(told.code) if told is not None else None


def _by_backend(name: str) -> Hardware | None:
    """What a backend without an argument tells of a machine that tells nothing of itself."""
    if name == "sim":
        return boards.by_name(SIMULATED_MODEL)
    from . import cdev_chips

    labels = cdev_chips.chips()[0] if name == "cdev" else {}
    return next((boards.by_chip_label(label) for label in constants.PI_CHIP_LABELS if label in labels), None)


def unknown(backend: Backend) -> Hardware:
    """Return what can be said of a backend's machine: its lines, and a Raspberry Pi where its chip is a Pi's."""
    if backend.revision_code is not None:
        if backend.revision_code == 0:
            return boards.generic(backend.line_count, None, "Linux board")
        return boards.decode(backend.revision_code)
    label = backend.label
    pi = detect.detect() if label is not None else None
    if pi is None:
        # A container hides the device tree, and an upstream kernel has no revision code: the label is left.
        pi = boards.by_chip_label(label)
    if pi is not None and pi.chip_label == label:
        return pi
    return boards.generic(backend.line_count, label, "Linux board")


def _open_simulated(argument: str, is_chosen: bool) -> tuple[Backend, Hardware]:
    """Open the shared board where there is one, or a board of the program's own."""
    shared = _open_shared(argument)
    if shared is not None:
        return shared, unknown(shared)
    hardware = boards.by_name(argument or SIMULATED_MODEL)
    if is_chosen:
        log.say(
            f"RPIO: no Raspberry Pi and no gpiochip here: using a simulated {hardware.name} "
            "(RPIO_BACKEND=sim says so without this line)"
        )
    return open_backend("sim", hardware), hardware


def _open_shared(argument: str) -> Backend | None:
    """Open the shared board, and say so on stderr where it was not asked for by its own word; None without one.

    Raises:
        NoBackendError: it was, and there is none.
    """
    path = _shared_socket(argument)
    if not path:
        if argument == SHARED:
            raise errors.NoBackendError("there is no shared simulated board", hint=SHARED_HINT)
        return None
    threads.load("RPIO.remote.shared")
    _load("remote")
    from ..remote.shared import SharedPlace, is_served
    from .remote import RemoteBackend

    try:
        backend = RemoteBackend(SharedPlace(path), patience_s=SHARED_PATIENCE_S)
    except errors.NoBackendError as e:
        if is_served(path):
            raise errors.NoBackendError(
                f"the shared simulated board does not answer: {e}",
                hint="is rpio sim stopped? fg in its terminal",
            ) from None
        if argument == SHARED:
            raise errors.NoBackendError(
                f"there is no shared simulated board any more: {e}", hint=SHARED_HINT
            ) from None
        log.say(
            "RPIO: nobody serves the shared simulated board any more (rpio sim): using one of this program's own"
        )
        return None
    if argument != SHARED:
        log.say(
            f"RPIO: on the shared board of rpio sim: {backend.says} (RPIO_BACKEND=sim:shared says so without this line)"
        )
    return backend


def open_board(spec: str | None) -> tuple[Backend, Hardware]:
    """Open the backend; say on stderr when it is simulated without having been asked for.

    Raises:
        NoBackendError: no such backend, or no such file or chip. NoAccessError: it may not be opened.
        OSError: what else the kernel says.
    """
    name, argument = split(spec)
    is_chosen = name == "auto"
    hardware = None if name == "sim" else look(spec)
    if is_chosen:
        name = choose(hardware)
    if name == "sim":
        return _open_simulated("" if is_chosen else argument, is_chosen)
    try:
        backend = open_backend(name, hardware, argument)
    except errors.GPIOError:
        raise
    except (PermissionError, FileNotFoundError) as e:
        from ..machine import access

        if isinstance(e, PermissionError):
            raise access.no_access(e) from None
        hint = access.access_hint(str(e.filename))
        raise errors.NoBackendError(f"{e.strerror}: {e.filename}", hint=hint) from None
    return backend, hardware or unknown(backend)
