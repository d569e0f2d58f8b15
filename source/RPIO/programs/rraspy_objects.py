# SPDX-License-Identifier: LGPL-3.0-or-later
"""What a device of RRaspPY's keeps for its host: modules by name, objects by number; and what is done with them."""

from __future__ import annotations

import importlib
from _thread import allocate_lock
from heapq import heappop, heappush
from importlib.util import resolve_name

from ..errors import CommandError
from ..wire import rraspy
from ..wire.rraspy import Message
from .rraspy_commands import HINT, MODULES, NOTHING, Target
from .rraspy_commands import run as run_call

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Run = Callable[[str, Mapping[str, Target], "Target | None", "Callable[..., object] | None"], Target]

HANDLES_MAX, NAMES_MAX, CALLBACKS_MAX = 65536, 1024, 1024
VALUES = (bool, int, float, str, bytes, tuple, list, dict)
"""What goes back as it is; everything else is kept here and goes back as a number."""
STAND_INS = {"smbus": "smbus2"}
"""Module -> one of the same classes, where it is not installed."""


class Handles:
    """Objects by number, the lowest that is free first: 0 to 65535."""

    def __init__(self) -> None:
        self._lock = allocate_lock()
        self._of: dict[int, Target] = {}
        self._free: list[int] = []

    def __len__(self) -> int:
        return len(self._of)

    def add(self, target: Target) -> int:
        """Keep it; return its number. Raises CommandError where all are taken."""
        with self._lock:
            if self._free:
                handle = heappop(self._free)
            else:
                handle = len(self._of)
                if handle >= HANDLES_MAX:
                    raise CommandError(
                        f"all {HANDLES_MAX} handles are taken", hint="host.RemoveHandle() frees them"
                    )
            self._of[handle] = target
        return handle

    def get(self, handle: int) -> Target:
        """The object of that number. Raises CommandError."""
        target = self._of.get(handle)
        if target is None:
            raise CommandError(
                f"there is no handle {handle}", hint="was it removed, or the device started anew?"
            )
        return target

    def remove(self, handle: int) -> None:
        """Forget it. One that is unknown is none, as with the original."""
        with self._lock:
            target = self._of.pop(handle, None)
            if target is not None:
                heappush(self._free, handle)
        del target  # outside of the lock: its end may take its time


class Objects:
    """All of it, for every connection. *callback* makes of an id what is called on an event, *forget* ends one, and
    *forget_all* those that begin so. *run* carries out commands, and *modules* may be imported; None is any.
    """

    def __init__(
        self,
        callback: Callable[[str], Callable[..., object]],
        forget: Callable[[str], object],
        forget_all: Callable[[str], object],
        run: Run = run_call,
        modules: frozenset[str] | None = frozenset(MODULES),
    ) -> None:
        self._callback, self._forget, self._forget_all = callback, forget, forget_all
        self._run, self._allowed = run, modules
        self.handles = Handles()
        self.modules: dict[str, Target] = {}

    def answer(self, request: Message) -> Message:
        """Do what is asked; return what is said to it, also where it fails."""
        values = request.values
        if request.kind == rraspy.EXECUTE:
            return self._execute(*values)  # type: ignore[arg-type]
        if request.kind == rraspy.IMPORT:
            return self._import(*values)  # type: ignore[arg-type]
        (value,) = values
        if request.kind == rraspy.REMOVE_HANDLE:
            self.handles.remove(value)  # type: ignore[arg-type]
        elif request.kind == rraspy.REMOVE_CALLBACK:
            self._forget(str(value))
        else:
            self._forget_all(str(value))
        return Message(rraspy.OK)

    def _import(self, module: str, name: str, package: str | None) -> Message:
        name = name or module
        try:
            if name not in self.modules:
                if len(self.modules) >= NAMES_MAX:
                    raise CommandError(f"more than {NAMES_MAX} modules")
                if self._allowed is not None and (not name.isidentifier() or name.startswith("_")):
                    raise CommandError(f"{name!r} is no name for a module")
                self.modules[name] = self._imported(module, package)
        except Exception as e:
            return Message(rraspy.FAILED, rraspy.import_failed(package, module, name, reason(e)))
        return Message(rraspy.OK)

    def _imported(self, module: str, package: str | None) -> Target:
        full = resolve_name(module, package)
        if self._allowed is not None and full not in self._allowed:
            raise CommandError(
                f"{full} is none of the modules of this device, {', '.join(sorted(self._allowed))}", hint=HINT
            )
        try:
            found = importlib.import_module(full)
        except ModuleNotFoundError as e:
            if e.name != full or full not in STAND_INS:
                raise
            try:
                found = importlib.import_module(STAND_INS[full])
            except ModuleNotFoundError:
                raise e from None
        return Target(found, MODULES.get(full, NOTHING))

    def _execute(self, handle: int | None, callback: str | None, command: str) -> Message:
        try:
            instance = None if handle is None else self.handles.get(handle)
            function = None if callback is None else self._callback(callback)
            try:
                found = self._run(command, self.modules, instance, function)
            except BaseException:
                if callback is not None:
                    self._forget(callback)
                raise
            if found.it is None:
                return Message(rraspy.OK)
            if isinstance(found.it, VALUES):
                answer = Message(rraspy.VALUES, found.it)
                answer.to_bytes()
                return answer
            return Message(rraspy.HANDLE, self.handles.add(found))
        except Exception as e:
            return Message(rraspy.FAILED, rraspy.execute_failed(handle, command, callback, reason(e)))


def reason(error: Exception) -> str:
    """What is told of an error: its text, as the original has it; its name where there is none; and what to do."""
    text = str(error) or type(error).__name__
    hint = getattr(error, "hint", "")
    return f"{text} ({hint})" if hint else text
