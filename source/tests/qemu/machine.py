# SPDX-License-Identifier: LGPL-3.0-or-later
"""QEMU's Raspberry Pi 3B under Debian's kernel for arm64, with guest.c as its only process.

    machine.py check    exits 0 where the machine can be run or made ready; else says why not, and exits with 3
    machine.py build    installs the packages that are missing (as root) and fetches the kernel, once, 60 MB
    machine.py fetch    fetches the kernel only

QEMU and the cross compiler are Debian's packages. The kernel and its device tree are taken out of the package that
linux-image-arm64 names, by an apt that looks at the arm64 archive and keeps its state in a folder of its own: the
system's architectures and package lists stay as they are. It is in ~/.cache/rpio/qemu, or in RPIO_QEMU_CACHE.
"""

import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
CORE = HERE / "../../c_gpio"
GUEST = (HERE / "guest.c", *(CORE / f"{name}.c" for name in ("regs", "regs_bcm2835", "regs_rp1", "cdev")))
WAVE = (
    HERE / "guest_wave.c",
    *(CORE / f"{name}.c" for name in ("dma", "dma_pace", "dma_chain", "dma_mailbox")),
)
"""What is built for a modelled SoC: the rest of the guest is built for the real one."""

QEMU = "qemu-system-aarch64"
COMPILER = "aarch64-linux-gnu-gcc"
FLAGS = (
    *("-std=c11", "-D_GNU_SOURCE", "-D_FILE_OFFSET_BITS=64", "-D_TIME_BITS=64", "-O2", "-static"),
    *("-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror", "-Wno-missing-field-initializers"),
)
DEVICE_TREE = "bcm2837-rpi-3-b.dtb"
# /dev/mem may touch what drivers have claimed; from 512 MiB on the memory is no RAM to the kernel: guest.h.
KERNEL_OPTIONS = "console=ttyAMA0 quiet rdinit=/init iomem=relaxed mem=512M"
TIMEOUT = 250  # it takes 2 s on an idle machine

UNUSABLE = 3


class MachineError(Exception):
    """One sentence for the user, the status to exit with, and what a failed program said."""

    def __init__(self, sentence: str, status: int = 1, output: str = "") -> None:
        super().__init__(sentence)
        self.status = status
        self.output = output


# --- What it needs ------------------------------------------------------------------------------------------


def kernel_folder() -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("RPIO_QEMU_CACHE") or Path(home, "rpio", "qemu")).absolute()


def has_kernel() -> bool:
    return (kernel_folder() / DEVICE_TREE).exists()


def missing_packages() -> list[str]:
    """Return Debian's names of what is not here, whatever it is called on this system."""
    missing = [] if shutil.which(QEMU) else ["qemu-system-arm"]
    if platform.machine() == "aarch64":  # where that compiler is the native one
        compiler, library = "gcc", "libc6-dev"
    else:
        compiler, library = "gcc-aarch64-linux-gnu", "libc6-dev-arm64-cross"
    if not shutil.which(COMPILER):
        return [*missing, compiler, library]
    found = subprocess.run(
        (COMPILER, "-print-file-name=libc.a"), stdout=subprocess.PIPE, text=True, check=False
    )
    return missing if "/" in found.stdout else [*missing, library]  # it repeats a name that it does not find


def is_debian() -> bool:
    return Path("/etc/os-release").exists() and platform.freedesktop_os_release().get("ID") == "debian"


def install_command(packages: Iterable[str]) -> str:
    return f"apt-get install -y --no-install-recommends {' '.join(packages)}"


def check() -> None:
    """Raise MachineError with the first reason why the machine can be neither run nor made ready here."""
    missing = missing_packages()
    if missing and not is_debian():
        raise MachineError(
            f"QEMU's Raspberry Pi needs {QEMU} and {COMPILER} with a static C library: install what Debian calls"
            f" {', '.join(missing)}",
            UNUSABLE,
        )
    if not has_kernel() and not is_debian():
        raise MachineError(
            "QEMU's Raspberry Pi needs Debian's kernel, which apt fetches on Debian: fetch it in a container,"
            f' `docker run --rm -v "{HERE}:/tests/qemu" -v "{kernel_folder()}:/cache" -e RPIO_QEMU_CACHE=/cache'
            " debian:12 sh -c 'apt-get update && apt-get install -y python3 &&"
            " python3 /tests/qemu/machine.py fetch'`",
            UNUSABLE,
        )
    if missing and os.geteuid() != 0:
        raise MachineError(
            f"QEMU's Raspberry Pi needs packages that root installs: sudo {install_command(missing)}",
            UNUSABLE,
        )


def check_ready() -> None:
    """Raise MachineError where it cannot run as things are."""
    check()
    if missing_packages() or not has_kernel():
        raise MachineError("QEMU's Raspberry Pi is not ready: `make test-qemu` makes it so", UNUSABLE)


# --- Making it ready ----------------------------------------------------------------------------------------


def build() -> None:
    check()
    missing = missing_packages()
    if missing:
        say(f"installing {' '.join(missing)}")
        command = install_command(missing).split()
        try:
            execute(*command)
        except MachineError:  # there are no package lists, or they name versions that are gone
            execute("apt-get", "update")
            execute(*command)
    fetch()


def fetch() -> None:
    if has_kernel():
        return
    target = kernel_folder()
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="fetch-", dir=target) as name:
        folder = Path(name)
        for part in ("state/lists/partial", "cache/archives/partial"):
            (folder / part).mkdir(parents=True)
        settings = {
            "APT::Architecture": "arm64",
            "APT::Architectures::": "arm64",
            "APT::Sandbox::User": "root",  # else root gets a warning: nobody may write here
            "Acquire::Languages": "none",
            "Dir::State": folder / "state",
            "Dir::State::status": "/dev/null",
            "Dir::Cache": folder / "cache",
        }
        options = [f"-o{key}={value}" for key, value in settings.items()]
        say("downloading Debian's kernel for arm64, 60 MB and the package lists; this happens once")
        execute("apt-get", *options, "update")
        depends = execute("apt-cache", *options, "depends", "linux-image-arm64")
        package = re.search(r"Depends: (linux-image-\S+)", depends)
        if not package:
            raise MachineError("apt knows no linux-image-arm64 here", output=depends)
        execute("apt-get", *options, "download", package[1], cwd=folder)
        execute("dpkg-deb", "-x", next(folder.glob("*.deb")), folder / "package")
        os.replace(next(folder.glob("package/boot/vmlinuz-*")), target / "vmlinuz")
        # The tree comes last: where it is, all is.
        os.replace(next(folder.glob(f"package/usr/lib/*/broadcom/{DEVICE_TREE}")), target / DEVICE_TREE)
    say(f"{package[1]} is in {target}")


def execute(*command: str | Path, cwd: Path | None = None) -> str:
    """Run a command and return what it said; where it fails, raise MachineError with the end of that."""
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}
    done = subprocess.run(
        command,
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise MachineError(
            f"`{shlex.join(map(str, command))}` failed, the end of its output is above",
            output="\n".join(done.stdout.splitlines()[-20:]),
        )
    return done.stdout


def say(what: str) -> None:
    print(f"qemu: {what}", file=sys.stderr, flush=True)


# --- Running it ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Report:
    """What the guest says of itself, and what QEMU says of the guest."""

    checks: dict[str, str]  # name -> "ok", or what was wrong
    ended: bool  # the guest got to its end
    messages: str  # of the kernel, and of QEMU
    gpio_writes: list[tuple[int, int]]  # (offset, value) of each write to the GPIO block, the kernel's too


def run(folder: Path) -> Report:
    """Compile the guest and run it; `folder` is for the files of this run."""
    wave = folder / "wave.o"
    execute(COMPILER, *FLAGS, "-DRPIO_MODELLED_SOC", "-nostdlib", "-r", "-o", wave, *WAVE)
    execute(COMPILER, *FLAGS, "-o", folder / "init", *GUEST, wave)
    archive = b"".join(initramfs({"dev": None, "sys": None, "init": (folder / "init").read_bytes()}))
    (folder / "initramfs").write_bytes(archive)
    kernel, console, trace = kernel_folder(), folder / "console", folder / "trace"
    command = (
        *(QEMU, "-M", "raspi3b", "-kernel", kernel / "vmlinuz", "-dtb", kernel / DEVICE_TREE),
        *("-initrd", folder / "initramfs", "-append", KERNEL_OPTIONS),
        # One thread for the four processors: those that wait for Linux to start them spin, and starve the first one.
        *("-accel", "tcg,thread=single", "-nodefaults", "-display", "none", "-no-reboot"),
        *("-serial", f"file:{console}", "-serial", "stdio"),
        *("-trace", "memory_region_ops_write", "-D", trace),
    )
    pipe, nothing = subprocess.PIPE, subprocess.DEVNULL
    with subprocess.Popen(
        command, stdin=nothing, stdout=pipe, stderr=pipe, text=True, errors="replace"
    ) as qemu:
        try:
            said, complaints = qemu.communicate(timeout=TIMEOUT)
        except (
            subprocess.TimeoutExpired
        ):  # it hangs, or its kernel has panicked, which does not end the machine
            qemu.terminate()
            said, complaints = qemu.communicate()
    lines = said.splitlines()
    return Report(
        checks=dict(checks_in(lines)),
        ended="end" in lines,
        messages=console.read_text(errors="replace") + complaints,
        gpio_writes=list(writes_in(trace.read_text(), "bcm2835_gpio")),
    )


def checks_in(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        if match := re.fullmatch(r"ok ([\w-]+)", line):
            yield match[1], "ok"
        elif match := re.fullmatch(r"not ok ([\w-]+): (.*)", line):
            yield match[1], match[2]


def writes_in(trace: str, device: str) -> Iterator[tuple[int, int]]:
    """Find the processors' and the DMA engine's writes to a device of one page, in QEMU's own trace."""
    pattern = rf"memory_region_ops_write .* addr 0x(\w+) value 0x(\w+) size 4 name '{device}'"
    for address, value in re.findall(pattern, trace):
        yield int(address, 16) & 0xFFF, int(value, 16)


def initramfs(entries: dict[str, bytes | None]) -> Iterator[bytes]:
    """Make an archive as of `cpio -H newc`, of executable files and (None) folders; Debian installs no cpio."""
    for inode, (name, content) in enumerate((*entries.items(), ("TRAILER!!!", b"")), start=1):
        mode = 0o040755 if content is None else 0o100755
        data, path = content or b"", name.encode() + b"\0"
        # magic, inode, mode, owner, group, links, time, length, device, device of a node, length of the name, sum
        fields = (inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(path), 0)
        header = b"070701" + b"".join(b"%08X" % field for field in fields) + path
        yield header + bytes(-len(header) % 4)
        yield data + bytes(-len(data) % 4)


def main(arguments: list[str]) -> int:
    actions = {"check": check, "build": build, "fetch": fetch}
    if len(arguments) != 1 or arguments[0] not in actions:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        actions[arguments[0]]()
    except MachineError as error:
        if error.output:
            print(error.output, file=sys.stderr)
        print(f"qemu: {error}")
        return error.status
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
