# SPDX-License-Identifier: LGPL-3.0-or-later
"""Folders with Debian's packages of a Raspberry Pi's architectures, and our tests in them under QEMU's user mode.

    roots.py check [ROOT...]    exits 0 where they can be made and run; else says why not, and exits with 3
    roots.py build [ROOT...]    makes those that are missing, once, 0.5 GB each
    roots.py quick [ROOT...]    the C core, and what stands on it: some minutes (armhf-bookworm)
    roots.py test [ROOT...]     the whole host suite but LEFT_OUT: long (all of them)
    roots.py run ROOT WORD...   a command in the copy of this tree that the root has

What follows a -- after quick and test is for pytest: roots.py test armhf-trixie -- -k wave

A root is ARCHITECTURE-SUITE: armhf-bookworm is what Raspberry Pi OS with 32 bits was until 2025, with 32 bits of time_t
where nobody asks for more; armhf-trixie is what it is now; arm64-bookworm has 64 bits. Packages are unpacked, none of
their scripts is run. Roots are in ~/.cache/rpio/arm, or in RPIO_ARM_CACHE.

The kernel has to know that programs of the architecture are QEMU's to run (binfmt_misc). Where it does not, this script
says so to it and takes that back at its end. Everything else is mounted in a namespace of the command alone.
"""

import contextlib
import fcntl
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parents[2]
BINFMT = Path("/proc/sys/fs/binfmt_misc")
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
TREE = "root/rpio"
"""Where a root has our files."""

ALL = ("armhf-bookworm", "armhf-trixie", "arm64-bookworm")

# Of each architecture: QEMU's name of it, class and machine of its ELF files, and the triplet of its compiler.
MACHINES = {
    "armhf": ("arm", 1, 0x28, "arm-linux-gnueabihf"),
    "arm64": ("aarch64", 2, 0xB7, "aarch64-linux-gnu"),
}

PACKAGES = (
    *("python3", "python3-dev", "python3-setuptools", "python3-cffi", "libc6-dev"),
    *("python3-pytest", "python3-pytest-timeout", "python3-pytest-xdist", "python3-hypothesis"),
    *("bash", "dash", "coreutils", "findutils", "grep", "sed", "procps"),
    *("git", "netbase", "tzdata", "ca-certificates"),
)

PURE = ("RPLCD>=1.3",)
"""What an example needs and Debian has not: wheels without machine code, which pip of this machine fetches."""

COMMANDS = {"rpio": "main", "rpio-curses": "curses"}
"""As in pyproject.toml: what pip would install."""

RECIPE = f"{' '.join((*PACKAGES, *PURE))} 3"
"""A root is made again when this changes; the number is for what else it is made by."""

OPTIONS = (
    *("-q", "-p", "no:cacheprovider", "--durations=10", "--timeout", "1800"),
    *("-n", str(len(os.sched_getaffinity(0)))),
)

LEFT_OUT = {
    "kernel": "has a kernel of its own, of this machine's processor",
    "package": "builds packages, whose C is built here anyway",
    "peers": "other people's programs, built for this machine",
    "qemu": "is a Raspberry Pi under another QEMU",
    "test_bench.py": "measures time, and QEMU's is not a Pi's",
    "test_curses.py": "text on a screen: no number of the C core is in it",
    "test_tui.py": "the same, and by far the slowest of all under QEMU",
    "test_documents.py": "reads files that are the same everywhere",
    "test_layers.py": "the same: source files",
    "test_originals.py": "the same: other people's source files, and ours",
    "test_side_by_side.py": "tests a helper of the Makefile, which runs here",
}
"""Of the host suite, what says nothing about ARM, and why."""

QUICK = (
    "c/test_event.py",
    "c/test_poll.py",
    "c/test_poll_ring.py",
    "c/test_regs.py",
    "c/test_soft.py",
    "c/test_soft_plan.py",
    "c/test_soft_wave.py",
    "test_private_calls.py",
    "test_hot.py",
    "test_dispatcher.py",
    "test_interrupts.py",
    "test_detection.py",
)

UNUSABLE = 3
LIMIT_S = 150
"""For each step that makes a root; all of them take 45 s where the archive is near, and 150 MB come from there."""


class RootError(Exception):
    """One sentence for the user, and the status to exit with."""

    def __init__(self, sentence: str, status: int = 1) -> None:
        super().__init__(sentence)
        self.status = status


def cache() -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("RPIO_ARM_CACHE") or Path(home, "rpio", "arm")).absolute()


def split(name: str) -> tuple[str, str]:
    architecture, _, suite = name.partition("-")
    if architecture not in MACHINES or not re.fullmatch("[a-z]+", suite):
        raise RootError(f"{name} is no root: ARCHITECTURE-SUITE, as {', '.join(ALL)}")
    return architecture, suite


def qemu(architecture: str) -> str | None:
    return shutil.which(f"qemu-{MACHINES[architecture][0]}-static")


def say(text: str) -> None:
    print(f"arm: {text}", flush=True)


def execute(*command: str | Path, **options: object) -> None:
    """Run a command; without it there is no root."""
    words = [str(word) for word in command]
    try:
        subprocess.run(words, check=True, timeout=LIMIT_S, **options)  # type: ignore[call-overload]
    except (OSError, subprocess.SubprocessError) as error:
        raise RootError(f"no root without `{' '.join(words[:3])} ...`: {error}", UNUSABLE) from None


def run_root(root: Path, words: tuple[str, ...]) -> int:
    """Run a command in the root's copy of this tree; mounts are of this command alone."""
    script = (
        'mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" && mount -t tmpfs tmpfs "$0/tmp" -o mode=1777'
        ' && exec chroot "$0" /bin/sh -c \'cd /root/rpio && exec "$@"\' sh "$@"'
    )
    environment = {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/root",
        "LANG": "C.UTF-8",
        "TERM": os.environ.get("TERM", "dumb"),
        "PYTHONUNBUFFERED": "1",
        "RPIO_EMULATED": "1",
        "RPIO_INTERRUPTED_STEP": "50",
    }
    command = ("unshare", "--mount", "--propagation", "private", "sh", "-c", script, str(root), *words)
    return subprocess.run(command, env=environment, check=False).returncode


# --- What it needs ------------------------------------------------------------------------------------------


def check(names: tuple[str, ...]) -> None:
    """Raise RootError with the first reason why these roots can be neither run nor made ready here."""
    architectures = {split(name)[0] for name in names}
    if platform.machine() != "x86_64":
        raise RootError("the tests on ARM by QEMU are for an x86-64 machine", UNUSABLE)
    if os.geteuid() != 0:
        raise RootError("the tests on ARM need root, for chroot and binfmt_misc", UNUSABLE)
    if not KEYRING.exists() or not shutil.which("dpkg-deb"):
        raise RootError("the tests on ARM are made of Debian's packages, by apt of a Debian", UNUSABLE)
    missing = sorted({"qemu-user-static" for architecture in architectures if not qemu(architecture)})
    if missing and not shutil.which("apt-get"):
        raise RootError(f"the tests on ARM need {missing[0]}", UNUSABLE)
    if not BINFMT.is_dir():
        raise RootError("this kernel has no binfmt_misc, by which QEMU runs programs of ARM", UNUSABLE)


def is_made(name: str) -> bool:
    made = cache() / name / "made"
    return made.exists() and made.read_text() == RECIPE


# --- Making them --------------------------------------------------------------------------------------------


def mirror() -> str:
    """The archive that this machine's apt uses."""
    places = [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))]
    for place in places:
        for line in place.read_text().splitlines() if place.is_file() else ():
            found = re.match(r"(?:deb|URIs:)\s.*?(https?://\S+/debian/?)(?=\s|$)", line)
            if found:
                return found[1]
    return "http://deb.debian.org/debian"


def build(name: str) -> None:
    if is_made(name):
        return
    architecture, suite = split(name)
    if not qemu(architecture):
        say("installing qemu-user-static")
        execute("apt-get", "update", "-qq")
        execute(
            *["apt-get", "install", "-y", "-qq", "--no-install-recommends", "qemu-user-static"],
            stdout=subprocess.DEVNULL,
        )
    say(f"making {name} in {cache()}")
    work = cache() / f"{name}.new"
    shutil.rmtree(work, ignore_errors=True)
    root, triplet = work / "root", MACHINES[architecture][3]
    # A compiler that is a program of this machine's, ten times as fast as an emulated one; then what is emulated.
    for machine, packages in (("amd64", (f"gcc-{triplet}",)), (architecture, PACKAGES)):
        unpack(fetch(work / machine, machine, suite, packages), root)
        shutil.rmtree(work / machine)
    furnish(root, triplet)
    (work / "made").write_text(RECIPE)
    shutil.rmtree(cache() / name, ignore_errors=True)
    work.rename(cache() / name)


def fetch(work: Path, architecture: str, suite: str, packages: tuple[str, ...]) -> list[Path]:
    """Packages and what they need, by an apt of its own state: the lists of the system stay as they are."""
    for folder in ("lists/partial", "archives/partial"):
        (work / folder).mkdir(parents=True)
    (work / "status").touch()
    (work / "sources.list").write_text(
        f"deb [arch={architecture} signed-by={KEYRING}] {mirror()} {suite} main\n"
    )
    settings = {
        "APT::Architecture": architecture,
        "APT::Architectures": architecture,
        "APT::Install-Recommends": "false",
        "APT::Sandbox::User": "root",
        "Acquire::Languages": "none",
        "Acquire::Retries": "3",
        "Acquire::http::Timeout": "20",
        "Dir::State::Lists": work / "lists",
        "Dir::State::status": work / "status",
        "Dir::Cache::archives": work / "archives",
        "Dir::Cache::pkgcache": "",
        "Dir::Cache::srcpkgcache": "",
        "Dir::Etc::sourcelist": work / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::Etc::parts": "/dev/null",
    }
    (work / "apt.conf").write_text("".join(f'{key} "{value}";\n' for key, value in settings.items()))
    environment = {**os.environ, "APT_CONFIG": str(work / "apt.conf")}
    execute("apt-get", "update", "-qq", env=environment)
    execute(
        *("apt-get", "install", "-y", "-qq", "--download-only"),
        *packages,
        env=environment,
        stdout=subprocess.DEVNULL,
    )
    return sorted((work / "archives").glob("*.deb"))


def unpack(packages: list[Path], root: Path) -> None:
    for folder in ("bin", "sbin", "lib", "lib64"):  # all of these suites have /usr merged
        (root / "usr" / folder).mkdir(parents=True, exist_ok=True)
        if not (root / folder).is_symlink():
            (root / folder).symlink_to(f"usr/{folder}")
    for package in packages:
        with subprocess.Popen(("dpkg-deb", "--fsys-tarfile", package), stdout=subprocess.PIPE) as files:
            execute("tar", "-C", root, "--keep-directory-symlink", "-xf", "-", stdin=files.stdout)
        if files.returncode:
            raise RootError(f"dpkg-deb cannot read {package.name}")


def furnish(root: Path, triplet: str) -> None:
    """What the packages' scripts would have made, as far as tests want it."""
    for folder in ("proc", "dev", "sys", "tmp", "run", "var", TREE, "opt/pure"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "etc/passwd").write_text(
        "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
    )
    (root / "etc/group").write_text("root:x:0:\nnogroup:x:65534:\n")
    (root / "etc/hosts").write_text("127.0.0.1 localhost\n::1 localhost\n")
    if not (root / "usr/bin/sh").exists():
        (root / "usr/bin/sh").symlink_to("dash")
    for name, program in (("cc", "gcc"), ("gcc", "gcc"), ("nm", "nm")):
        (root / "usr/bin" / name).symlink_to(f"{triplet}-{program}")
    execute(
        *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"),
        *("--target", root / "opt/pure", "--only-binary", ":all:", "--platform", "any"),
        *("--implementation", "py", "--python-version", "3.11", *PURE),
    )


# --- Running in them ----------------------------------------------------------------------------------------


@contextlib.contextmanager
def locked(name: str, how: int) -> Iterator[int]:
    """The descriptor of a locked file in the cache."""
    cache().mkdir(parents=True, exist_ok=True)
    with (cache() / f"{name}.lock").open("a") as lock:
        fcntl.flock(lock, how)
        yield lock.fileno()


@contextlib.contextmanager
def understood(architecture: str) -> Iterator[None]:
    """The kernel gives this architecture's programs to QEMU, as long as this lasts, and as long as anybody wants it."""
    name, elf_class, machine, _ = MACHINES[architecture]
    if any((BINFMT / entry).exists() for entry in (f"qemu-{name}", f"qemu-{name}-static")):
        yield  # by the system's own settings
        return
    with locked("binfmt", fcntl.LOCK_SH) as lock:
        try:
            with locked("register", fcntl.LOCK_EX):
                register(f"rpio-{name}", elf_class, machine, str(qemu(architecture)))
            yield
        finally:
            with contextlib.suppress(BlockingIOError), locked("register", fcntl.LOCK_EX):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # else the last one does it
                forget()


def register(entry: str, elf_class: int, machine: int, interpreter: str) -> None:
    if (BINFMT / entry).exists():
        return
    magic = bytes((0x7F, *b"ELF", elf_class, 1, 1, *bytes(9), 2, 0, machine, 0))
    mask = bytes((*([0xFF] * 7), 0, *([0xFF] * 8), 0xFE, 0xFF, 0xFF, 0xFF))
    if not (BINFMT / "register").exists():
        execute("mount", "-t", "binfmt_misc", "rpio", BINFMT)
    try:
        # F: the kernel opens QEMU now, so that it is there in a root that has none.
        (BINFMT / "register").write_bytes(
            b":%s:M::%s:%s:%s:F" % (entry.encode(), escaped(magic), escaped(mask), interpreter.encode())
        )
    except OSError as error:
        raise RootError(f"binfmt_misc does not take QEMU: {error}", UNUSABLE) from None


def forget() -> None:
    """Take back what register() did."""
    for entry in BINFMT.glob("rpio-*"):
        entry.write_text("-1")
    if f"rpio {BINFMT} " in Path("/proc/mounts").read_text():  # mounted here
        subprocess.run(("umount", str(BINFMT)), check=False, stderr=subprocess.DEVNULL)


def escaped(text: bytes) -> bytes:
    return b"".join(b"\\x%02x" % byte for byte in text)


def install(root: Path) -> None:
    """This tree, as git has its files, and the C module of it.

    A file that is the same stays, with its time and what was made of it: bytecode, objects. A tree's own times say
    nothing, as several may take turns in one root.
    """
    tree = root / TREE
    listing = subprocess.run(
        ("git", "-C", str(PROJECT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"),
        stdout=subprocess.PIPE,
        check=True,
    ).stdout
    wanted = {name for name in listing.decode().split("\0") if name and (PROJECT / name).is_file()}
    for old in [path for path in tree.rglob("*") if path.is_file() or path.is_symlink()]:
        name = str(old.relative_to(tree))
        if name not in wanted and not re.search(r"^(\.cache|build)/|__pycache__/|\.so$|\.egg-info/", name):
            old.unlink()
    for name in wanted:
        source, target = PROJECT / name, tree / name
        if not target.is_file() or source.read_bytes() != target.read_bytes():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.unlink(missing_ok=True)
            shutil.copy(source, target, follow_symlinks=False)
    # As if installed: a program that a test starts may have no PYTHONPATH.
    (root / "usr/lib/python3/dist-packages/rpio-here.pth").write_text(f"/{TREE}/source\n/opt/pure\n")
    (root / "root").chmod(0o755)  # some tests become nobody, who has to find our modules
    for command, function in COMMANDS.items():
        script = root / "usr/bin" / command
        script.write_text(
            f"#!/usr/bin/python3\nimport sys\nfrom RPIO.cli import {function}\nsys.exit({function}())\n"
        )
        script.chmod(0o755)
    setup = "python3 -W ignore setup.py -q"
    build_module = f"RPIO_REQUIRE_C=1 {setup} build_ext --inplace && {setup} egg_info"
    if run_root(root, ("sh", "-c", build_module)):
        raise RootError("the C module could not be built")


def run_tests(name: str, tests: tuple[str, ...], options: tuple[str, ...]) -> int:
    """Run pytest there, with these options too; its status."""
    architecture, _ = split(name)
    root = cache() / name / "root"
    with understood(architecture), locked(name, fcntl.LOCK_EX):
        install(root)
        say(f"{name}: {' '.join(tests) or 'the host suite'}")
        words = tuple(f"source/tests/{test}" for test in tests) or tuple(
            f"--ignore=source/tests/{part}" for part in LEFT_OUT
        )
        status = run_root(root, ("python3", "-m", "pytest", *OPTIONS, *options, *words))
        return 1 if status == UNUSABLE else status  # pytest's is another one


def main(words: list[str]) -> int:
    if words[:1] in (["quick"], ["test"]) and "--" in words:
        words, options = words[: words.index("--")], words[words.index("--") + 1 :]
    else:
        options = []
    verb, *rest = words or ["help"]
    if verb not in ("check", "build", "quick", "test", "run") or (verb == "run" and len(rest) < 2):
        print(__doc__, file=sys.stderr)
        return 2
    names = tuple(rest[:1] if verb == "run" else rest) or (ALL[:1] if verb == "quick" else ALL)
    check(names)
    if verb == "check":
        return 0
    for name in names:
        with locked(name, fcntl.LOCK_EX):
            build(name)
    if verb == "build":
        return 0
    if verb == "run":
        with understood(split(names[0])[0]), locked(names[0], fcntl.LOCK_EX):
            install(cache() / names[0] / "root")
            return run_root(cache() / names[0] / "root", tuple(rest[1:]))
    return max(run_tests(name, QUICK if verb == "quick" else (), tuple(options)) for name in names)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that everything is undone
    try:
        sys.exit(main(sys.argv[1:]))
    except RootError as error:
        print(f"arm: {error}", file=sys.stderr)
        sys.exit(error.status)
