# SPDX-License-Identifier: LGPL-3.0-or-later
"""Which files of a folder go to the device: what is left out, and what each is. Reads files, and sends nothing."""

from __future__ import annotations

import os
import stat
from fnmatch import fnmatchcase
from hashlib import sha256

from ..errors import GPIOError
from ..wire.runs import FILES_MAX

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

IGNORE_FILE = ".rpioignore"
IGNORED = (
    IGNORE_FILE,
    ".git",
    ".hg",
    ".svn",
    "__pycache__/",
    "*.py[co]",
    ".venv/",
    ".tox/",
    ".nox/",
    ".mypy_cache/",
    ".pytest_cache/",
    ".ruff_cache/",
    "*.egg-info/",
    "node_modules/",
    ".idea/",
    ".vscode/",
    ".DS_Store",
    "*.sw[op]",
    "*~",
)
"""What is left out of every folder, as lines of IGNORE_FILE, which come behind these and may bring something back. A
virtual environment is left out whatever its name is.
"""
VENV_FILE = "pyvenv.cfg"
MAINS = ("main.py", "__main__.py")
"""What runs where a folder is named, the first that there is."""
READ_AT_ONCE = 1 << 20
NAMED_MAX = 10
"""How many files an error names."""


class UploadError(GPIOError):
    """A folder that cannot go to the device as it is; the text says which file is why."""


class File:
    """A file that goes there: *path* is where it is here; *size*, *digest* (SHA-256) and *mode* are what it is."""

    __slots__ = ("digest", "mode", "path", "size")

    def __init__(self, path: str, size: int, digest: str, mode: int) -> None:
        self.path, self.size, self.digest, self.mode = path, size, digest, mode

    def told(self) -> list[object]:
        """As wire/runs says it."""
        return [self.size, self.digest, self.mode]


class Plan:
    """The files of a directory there: path below it -> File. *strange* are those that are no files (a FIFO, say)."""

    def __init__(self) -> None:
        self.files: dict[str, File] = {}
        self.strange: list[str] = []

    def told(self) -> dict[str, object]:
        """As wire/runs says them."""
        return {path: file.told() for path, file in self.files.items()}


# -- what is left out -------------------------------------------------------------------------------


class Ignoring:
    """Lines of names that are left out: the last one that fits counts, and one that begins with "!" brings back.

    A pattern with a "/" in it is about the path below the folder, another one about names in every folder; one that
    ends with "/" is about folders. ``*`` stands for any characters, a "/" too.
    """

    def __init__(self, lines: Iterable[str]) -> None:
        self._rows: list[tuple[str, bool, bool, bool]] = []
        for line in lines:
            self._add(line.strip())

    def _add(self, line: str) -> None:
        if not line or line.startswith("#"):
            return
        brings_back, pattern = line.startswith("!"), line.removeprefix("!")
        is_of_folders = pattern.endswith("/")
        pattern = pattern.rstrip("/")
        self._rows.append((pattern.lstrip("/"), "/" in pattern, is_of_folders, brings_back))

    def leaves_out(self, path: str, is_folder: bool) -> bool:
        """Whether that path below the folder is left out."""
        name = path.rpartition("/")[2]
        found = False
        for pattern, is_path, is_of_folders, brings_back in self._rows:
            if (is_folder or not is_of_folders) and fnmatchcase(path if is_path else name, pattern):
                found = not brings_back
        return found


def ignoring(folder: str) -> Ignoring:
    """What is left out of that folder. Raises UploadError where its list cannot be read."""
    lines = list(IGNORED)
    path = os.path.join(folder, IGNORE_FILE)
    try:
        with open(path, encoding="utf-8") as file:
            lines += file
    except FileNotFoundError:
        pass  # it need not be there
    except (OSError, UnicodeDecodeError) as e:
        raise UploadError(f"{path} cannot be read: {getattr(e, 'strerror', '') or e}") from None
    return Ignoring(lines)


# -- what is there ----------------------------------------------------------------------------------


def of_script(path: str) -> Plan:
    """One file, which is alone in its directory. Raises UploadError, OSError."""
    name = os.path.basename(path)
    _check_name(name, path)
    plan = Plan()
    plan.files[name] = _looked_at(path)
    return plan


def of_folder(folder: str) -> Plan:
    """All files of a folder but those that are left out, links as what they lead to.

    Raises:
        UploadError: links lead out of it, or nowhere; too many files; a name that is no text.
        OSError: something cannot be read; it names the file.
    """
    plan = Plan()
    found: list[str] = []
    outside: list[str] = []
    top = os.path.realpath(folder)
    for path, kind in _walked(top, "", ignoring(folder), (top,)):
        if kind == "file":
            found.append(path)
        else:
            (plan.strange if kind == "strange" else outside).append(path)
        if len(found) > FILES_MAX:
            hint = f"name in {os.path.join(folder, IGNORE_FILE)} what is not needed there"
            raise UploadError(f"{folder} has more than {FILES_MAX} files", hint=hint)
    if outside:
        hint = f"put what they lead to in their place, or name them in {os.path.join(folder, IGNORE_FILE)}"
        raise UploadError(f"links of {folder} lead out of it, or nowhere: {named(outside)}", hint=hint)
    for path in sorted(found):
        plan.files[path] = _looked_at(os.path.join(top, *path.split("/")))
    return plan


def named(paths: list[str]) -> str:
    """Some of these paths, for people."""
    more = f" and {len(paths) - NAMED_MAX} more" if len(paths) > NAMED_MAX else ""
    return ", ".join(sorted(paths)[:NAMED_MAX]) + more


def main_of(plan: Plan, folder: str, wanted: str = "") -> str:
    """The file of a folder that runs. Raises UploadError where there is none."""
    for name in [os.path.normpath(wanted).replace(os.sep, "/")] if wanted else MAINS:
        if name in plan.files:
            return name
    if wanted:
        raise UploadError(f"{folder} has no file {wanted!r} that goes to the device")
    raise UploadError(
        f"{folder} has neither {' nor '.join(MAINS)}", hint="--main FILE says which of its files runs"
    )


def name_of(path: str) -> str:
    """How the directory of a script or a folder is called there."""
    name = os.path.basename(os.path.realpath(path))
    return name if os.path.isdir(path) else name.removesuffix(".py")


def _walked(top: str, below: str, ignored: Ignoring, above: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Yield each path below *top*, and whether it is a "file", an "outside" link, or "strange". *above*: the real paths
    of the folders that it is in, into which no link may lead back.
    """
    here = os.path.join(top, *below.split("/")) if below else top
    with os.scandir(here) as entries:
        all_entries = sorted(entries, key=lambda entry: entry.name)
    for entry in all_entries:
        path = f"{below}/{entry.name}" if below else entry.name
        is_folder = entry.is_dir()
        if ignored.leaves_out(path, is_folder) or (is_folder and _is_venv(entry.path)):
            continue
        _check_name(path, entry.path)
        real = os.path.realpath(entry.path) if entry.is_symlink() else entry.path
        if entry.is_symlink() and (not _is_within(real, top) or not os.path.exists(real) or real in above):
            yield path, "outside"
        elif is_folder:
            yield from _walked(top, path, ignored, (*above, os.path.realpath(real)))
        else:
            yield path, "file" if entry.is_file() else "strange"


def _is_within(path: str, top: str) -> bool:
    return path == top or path.startswith(top.rstrip(os.sep) + os.sep)


def _is_venv(folder: str) -> bool:
    return os.path.exists(os.path.join(folder, VENV_FILE))


def _check_name(name: str, path: str) -> None:
    try:
        name.encode()
    except UnicodeEncodeError:
        raise UploadError(f"{path!r} has a name that is no UTF-8, and cannot go to the device") from None


def _looked_at(path: str) -> File:
    """What a file is now."""
    digest = sha256()
    with open(path, "rb", buffering=0) as file:
        mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o777
        size = _read_all(file.read, digest.update)
    return File(path, size, digest.hexdigest(), mode)


def _read_all(read: Callable[[int], bytes | None], take: Callable[[bytes], object]) -> int:
    size = 0
    while data := read(READ_AT_ONCE):
        take(data)
        size += len(data)
    return size
