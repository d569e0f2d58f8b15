# SPDX-License-Identifier: LGPL-3.0-or-later
"""What a program has started, and how all of it is ended.

A program is the subreaper of what it has started (prctl(2), PR_SET_CHILD_SUBREAPER): who daemonises himself out of its
group and its session is still below it. When it has ended those come to the process that has started it, which is one
as well, and has no other children that it does not know.
"""

from __future__ import annotations

import os
import signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

FOLDER = b"FURTHER_LINK_TEMP_DIR="
"""What every program has in its environment. See house.start()."""
ROUNDS = 20
"""How often those are looked for who were started while others were being stopped."""


def children() -> dict[int, list[int]]:
    """Every process -> those that it is the parent of. Source: proc(5), /proc/PID/stat."""
    found: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            found.setdefault(_parent(name), []).append(int(name))
    return found


def _parent(name: str) -> int:
    try:
        with open(f"/proc/{name}/stat", "rb") as file:
            state, parent = file.read().rpartition(b")")[2].split()[:2]
    except OSError:
        return 0  # it has ended meanwhile
    return 0 if state == b"Z" and _is_leaf(name) else int(parent)


def _is_leaf(name: str) -> bool:
    """Whether a process that has ended has no threads that go on: a zombie is of no interest."""
    try:
        return len(os.listdir(f"/proc/{name}/task")) == 1
    except OSError:
        return True


def below(pids: Iterable[int]) -> list[int]:
    """Those processes, and all that they have started."""
    of, found, left = children(), list(pids), list(pids)
    while left:
        more = of.get(left.pop(), [])
        found += more
        left += more
    return found


def adopted(known: Iterable[int]) -> list[int]:
    """The children of this process that are none of the *known* ones."""
    mine = set(known)
    return [pid for pid in _own_children() if pid not in mine]


def _own_children() -> list[int]:
    """The children of this process. Source: proc(5), /proc/PID/task/TID/children, which not every kernel has."""
    found: list[int] = []
    try:
        for thread in os.listdir("/proc/self/task"):
            with open(f"/proc/self/task/{thread}/children", "rb") as file:
                found += map(int, file.read().split())
    except FileNotFoundError:
        return children().get(os.getpid(), [])
    return found


def tell(pids: Iterable[int], number: int) -> None:
    """Send a signal to each."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except (ProcessLookupError, PermissionError):
            continue  # it has ended, or is another user's by now (setuid), and cannot be told


def end(pids: Iterable[int]) -> None:
    """End those processes and all that they have started, and go on starting: first nobody may go on, then all end."""
    seen: set[int] = set()
    for _ in range(ROUNDS):
        fresh = set(below(pids)) - seen
        if not fresh:
            break
        tell(fresh, signal.SIGSTOP)
        seen |= fresh
    tell(seen, signal.SIGKILL)


def left_by(keepers: Iterable[str]) -> list[int]:
    """This user's processes that programs of keepers have started who were killed: by the folder in their environment,
    of which every keeper has one of its own.
    """
    ends = tuple(f"/{name}".encode() for name in keepers if name.startswith("rpio-"))
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and ends and _is_of(name, ends)]


def _is_of(name: str, ends: tuple[bytes, ...]) -> bool:
    try:
        if os.stat(f"/proc/{name}").st_uid != os.geteuid():
            return False
        with open(f"/proc/{name}/environ", "rb") as file:
            words = file.read().split(b"\0")
    except OSError:
        return False  # it has ended meanwhile
    return any(word.startswith(FOLDER) and word.endswith(ends) for word in words)
