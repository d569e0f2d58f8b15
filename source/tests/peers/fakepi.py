# SPDX-License-Identifier: LGPL-3.0-or-later
"""Run a command as if this machine were a Raspberry Pi, as far as its GPIO registers go.

In a mount namespace of its own the command finds a /proc/cpuinfo with a revision code, a /dev whose gpiomem is a
page of memory, no gpiochip and no device tree, and with --sysfs a /sys/class/gpio whose "value" files are FIFOs:
one byte written there is one edge to a program that polls it. The page answers nothing: what is written to SET
does not show in LEV. With --dev-mem there is a /dev/mem instead, of the size that a BCM2835's peripherals ask for, and
the command is root in there. Nothing of it is seen outside and nothing is left behind. It needs root, or a kernel that
lets users make namespaces.

Source: RPi.GPIO 0.7.1 looks at the revision in the device tree, else at "Hardware" and "Revision" of
/proc/cpuinfo; it maps 4096 bytes of /dev/gpiomem; it takes the chip for a BCM2711 unless word 60, which no
BCM2835 has, reads back as "gpio". The original RPIO wants "Hardware" to be BCM2708, maps 0x20007000 and others of
/dev/mem, and starts itself anew with sudo where it is not root.
"""

from __future__ import annotations

import argparse
import ctypes
import errno
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PAGE_BYTES = 4096
MARKER_AT, MARKER = 60 * 4, (0x6770696F).to_bytes(4, "little")
LINES = 58
DEV_MEM_BYTES = 0x2040_0000
"""Up to behind the peripherals of a BCM2835."""
LEVELS_AT, PULLED_UP = 0x2020_0034, 0x1FF
"""GPLEV0 in there, and what it says after power-on: lines 0 to 8 have a pull up."""
NOT_PERMITTED = 77
"""The exit status where namespaces are not to be had; automake's for a test that is skipped."""

CLONE_NEWNS, CLONE_NEWUSER = 0x0002_0000, 0x1000_0000
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
NODES = ("null", "zero", "full", "random", "urandom", "tty", "ptmx", "pts", "shm", "mqueue")
LINKS = {"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2"}
PI_KEYS = ("Hardware", "Revision", "Serial", "Model")


def is_bcm2711(revision: str) -> bool:
    """Whether a revision code says BCM2711: its processor field, bits 12 to 15, is 3; old codes have none."""
    code = int(revision, 16)
    return bool(code & 1 << 23) and code >> 12 & 15 == 3


def blank_page(revision: str) -> bytes:
    """Return what the registers hold before anything is written."""
    page = bytearray(PAGE_BYTES)
    if not is_bcm2711(revision):
        page[MARKER_AT : MARKER_AT + 4] = MARKER
    return bytes(page)


def command(
    revision: str = "a020d3", memory: Path | None = None, sysfs: bool = False, dev_mem: bool = False
) -> list[str]:
    """Return the beginning of a command line that runs the rest of it on the fake Pi."""
    start = [sys.executable, __file__, "--revision", revision]
    start += ["--memory", str(memory)] if memory else []
    start += ["--sysfs"] if sysfs else []
    start += ["--dev-mem", "--hardware", "BCM2708"] if dev_mem else []
    return [*start, "--"]


def why_not() -> str:
    """Return why it cannot be had here, with what to do about it; "" where it can."""
    done = subprocess.run([*command(), "true"], capture_output=True, text=True, check=False)
    return done.stderr.strip() if done.returncode == NOT_PERMITTED else ""


# -- the namespace -----------------------------------------------------------------------------------

_libc = ctypes.CDLL(None, use_errno=True)


def _check(status: int, what: str) -> None:
    if status != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{os.strerror(number)}: {what}")


def _mount(source: str | Path, target: str | Path, kind: str = "", flags: int = 0, options: str = "") -> None:
    arguments = (os.fsencode(source), os.fsencode(target), kind.encode() or None)
    _check(_libc.mount(*arguments, ctypes.c_ulong(flags), options.encode() or None), f"mount {target}")


def _bind(source: Path, target: Path) -> None:
    _mount(source, target, flags=MS_BIND | MS_REC)


def _enter_namespace(as_root: bool) -> None:
    """Have mounts of our own. A user mounts by virtue of the namespace, and stays that user in it, if not *as_root*."""
    uid, gid = os.getuid(), os.getgid()
    if os.geteuid() == 0:
        _check(_libc.unshare(CLONE_NEWNS), "unshare(CLONE_NEWNS)")
    else:
        _check(_libc.unshare(CLONE_NEWUSER | CLONE_NEWNS), "unshare(CLONE_NEWUSER)")
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{0 if as_root else uid} {uid} 1")
        Path("/proc/self/gid_map").write_text(f"{0 if as_root else gid} {gid} 1")
    _keep_to_ourselves()


def _keep_to_ourselves() -> None:
    """Nothing that is mounted here shows outside. In a chroot "/" is no mount, so each one below it is told."""
    try:
        _mount("none", "/", flags=MS_REC | MS_PRIVATE)
    except OSError as e:
        if e.errno != errno.EINVAL:
            raise
        for line in Path("/proc/self/mountinfo").read_text().splitlines():
            _mount("none", line.split()[4].encode().decode("unicode_escape"), flags=MS_PRIVATE)


def _advice(error: OSError) -> str:
    if os.geteuid() == 0:
        how = "a container needs --cap-add SYS_ADMIN --security-opt apparmor=unconfined"
    else:
        how = (
            "run as root, or let users make namespaces: "
            "sudo sysctl kernel.unprivileged_userns_clone=1 user.max_user_namespaces=10000 "
            "kernel.apparmor_restrict_unprivileged_userns=0 (those that this kernel has)"
        )
    return f"fakepi: no mount namespace here ({error.strerror}): {how}"


# -- what the command finds ----------------------------------------------------------------------------


def _make_dev(folder: Path, memory: Path, dev_mem: bool) -> None:
    folder.mkdir()
    for name in NODES:
        node = Path("/dev", name)
        if node.is_dir():
            (folder / name).mkdir()
        elif node.exists():
            (folder / name).touch()
        else:
            continue
        _bind(node, folder / name)
    for name, target in LINKS.items():
        (folder / name).symlink_to(target)
    if dev_mem:
        with open(folder / "mem", "wb") as file:
            file.truncate(DEV_MEM_BYTES)
            file.seek(LEVELS_AT)
            file.write(PULLED_UP.to_bytes(4, "little"))
        return
    (folder / "gpiomem").touch()
    _bind(memory, folder / "gpiomem")


def _make_cpuinfo(path: Path, revision: str, hardware: str) -> None:
    real = Path("/proc/cpuinfo").read_text().splitlines()
    kept = [line for line in real if line.partition(":")[0].strip() not in PI_KEYS]
    ours = [f"Hardware\t: {hardware}", f"Revision\t: {revision}", "Serial\t\t: 0000000000000000"]
    path.write_text("\n".join([*kept, "", *ours, ""]))


def _make_sysfs(folder: Path) -> None:
    """Every line is exported already, so that nobody has to do it when it is asked for."""
    gpio = folder / "gpio"
    gpio.mkdir(parents=True)
    (gpio / "export").touch()
    (gpio / "unexport").touch()
    for number in range(LINES):
        line = gpio / f"gpio{number}"
        line.mkdir()
        (line / "direction").touch()
        (line / "edge").touch()
        os.mkfifo(line / "value")


@contextmanager
def _stage() -> Iterator[Path]:
    """A place to build in, which is gone from the tree when what was built is where it belongs."""
    folder = Path(tempfile.mkdtemp(prefix="fakepi-"))
    try:
        _mount("fakepi", folder, "tmpfs", options="mode=755")
        yield folder
        _check(_libc.umount2(os.fsencode(folder), 2), f"umount {folder}")  # MNT_DETACH
    finally:
        folder.rmdir()


def become_a_pi(revision: str, hardware: str, memory: Path | None, sysfs: bool, dev_mem: bool) -> None:
    """Change what this process sees, and its children will."""
    _enter_namespace(as_root=dev_mem)
    with _stage() as stage:
        if memory is None:
            memory = stage / "page"
            memory.write_bytes(blank_page(revision))
        _make_dev(stage / "dev", memory.resolve(), dev_mem)
        _make_cpuinfo(stage / "cpuinfo", revision, hardware)
        _make_sysfs(stage / "class")
        (stage / "empty").mkdir()
        tree = Path("/proc/device-tree").resolve()
        if tree.exists():
            _bind(stage / "empty", tree)
        _bind(stage / "cpuinfo", Path("/proc/cpuinfo"))
        if sysfs:
            _bind(stage / "class", Path("/sys/class"))
        _bind(stage / "dev", Path("/dev"))


def main() -> int:
    """Read the arguments, become a Pi, and be the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-r", "--revision", default="a020d3", help="the revision code: a020d3 is a Pi 3B+")
    parser.add_argument("-H", "--hardware", default="BCM2835", help="the Hardware line, BCM2835 on every Pi")
    parser.add_argument("-m", "--memory", type=Path, help="the register page, a file of 4096 bytes")
    parser.add_argument("-s", "--sysfs", action="store_true", help="make /sys/class/gpio with FIFOs")
    parser.add_argument("-d", "--dev-mem", action="store_true", help="make /dev/mem, and be root; no gpiomem")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="-- COMMAND ARGUMENTS")
    given = parser.parse_args()
    command = given.command[1:] if given.command[:1] == ["--"] else given.command
    if not command:
        parser.error("which command?")
    try:
        become_a_pi(given.revision, given.hardware, given.memory, given.sysfs, given.dev_mem)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.EACCES, errno.ENOSYS, errno.ENOSPC, errno.EINVAL):
            raise
        print(_advice(error), file=sys.stderr)
        return NOT_PERMITTED
    try:
        os.execvp(command[0], command)
    except OSError as error:
        print(f"fakepi: {command[0]}: {error.strerror}", file=sys.stderr)
        return 127


if __name__ == "__main__":
    sys.exit(main())
