# SPDX-License-Identifier: LGPL-3.0-or-later
"""Two backends as one: levels, functions and pulls from the first, edges and consumers from the second."""

from __future__ import annotations

from .. import constants, errors
from .checks import check_edge
from .protocol import Backend, check_line


class JoinedBackend(Backend):
    """*levels* without *edges* has no edges; *why_not* is the error that kept the edge source from opening.

    The edge source holds only the lines that are watched, so that the others stay free for everybody, as
    they are with registers alone.
    """

    def __init__(self, levels: Backend, edges: Backend | None, why_not: Exception | None = None) -> None:
        self._levels = levels
        self._edges = edges
        self._why_not = why_not
        self.name = levels.name
        self.line_count = levels.line_count
        self.features = levels.features | (edges.features & {"edges", "filter"} if edges else frozenset())
        self.close_at_exit = edges is not None and edges.close_at_exit
        self._watched: set[int] = set()
        self.function = levels.function  # type: ignore[method-assign]
        self.set_function = levels.set_function  # type: ignore[method-assign]
        self.set_input = levels.set_input  # type: ignore[method-assign]
        self.read = levels.read  # type: ignore[method-assign]
        self.write = levels.write  # type: ignore[method-assign]
        self.set_pull = levels.set_pull  # type: ignore[method-assign]
        self.block = levels.block
        self.clock = levels.clock
        self.label = edges.label if edges is not None and levels.label is None else levels.label
        self.line_fd = levels.line_fd  # type: ignore[method-assign]
        self.pull = levels.pull  # type: ignore[method-assign]
        self.pwm = levels.pwm  # type: ignore[method-assign]
        self.change_pwm = levels.change_pwm  # type: ignore[method-assign]
        self.end_pwm = levels.end_pwm  # type: ignore[method-assign]
        self.limit = levels.limit  # type: ignore[method-assign]
        self.unlimit = levels.unlimit  # type: ignore[method-assign]
        self.limit_left = levels.limit_left  # type: ignore[method-assign]
        self.play = levels.play  # type: ignore[method-assign]
        self.wave = levels.wave  # type: ignore[method-assign]
        self.stop_wave = levels.stop_wave  # type: ignore[method-assign]

    def describe(self) -> str:
        edges = f"edges: {self._edges.describe()}" if self._edges else f"no edges: {self._why_not}"
        return f"{self._levels.describe()}, {edges}"

    def set_output(self, line: int, value: int | None) -> None:
        check_line(self, line)
        self.unwatch(line)
        self._levels.set_output(line, value)

    def watch(self, line: int, edge: int, filter_us: int = 0) -> int:
        check_line(self, line)
        check_edge(edge)
        if self._edges is None:
            if isinstance(self._why_not, PermissionError):
                raise self._why_not
            raise errors.NotSupportedError(
                f"this board cannot report edges: {self._why_not}",
                hint="edges need a gpiochip (/dev/gpiochip*) of Linux 5.10 or later, or /sys/class/gpio",
            )
        if self._levels.function(line) != constants.IN:
            raise errors.WrongDirectionException(f"GPIO {line} is no input", hint=f"setup({line}, IN) first")
        fresh = line not in self._watched
        if fresh:
            self._watched.add(line)  # before it is: an interruption may come between
        try:
            if fresh:
                # The kernel's own idea of an unrequested line's direction may be older than our registers.
                self._edges.set_input(line, None)
            return self._edges.watch(line, edge, filter_us)
        except (OSError, errors.NotSupportedError):
            if fresh:
                self.unwatch(line)
            raise

    def unwatch(self, line: int, is_read: bool = False) -> None:
        check_line(self, line)
        if self._edges is not None and line in self._watched:
            self._edges.release(line)  # what fails is done again
            self._watched.discard(line)

    def held(self) -> list[int]:
        return list({*self._watched, *(self._edges.held() if self._edges is not None else ())})

    def release(self, line: int) -> None:
        self.unwatch(line)
        if self._edges is not None:
            self._edges.release(line)  # that a signal handler's release() has not seen
        self._levels.release(line)

    def consumer(self, line: int) -> str:
        check_line(self, line)
        return self._edges.consumer(line) if self._edges else ""

    def gone_fd(self) -> int | None:
        return self._edges.gone_fd() if self._edges else None

    def is_gone(self) -> bool:
        return self._edges.is_gone() if self._edges else False

    def gone_error(self, line: int) -> errors.LineGoneError:
        return self._edges.gone_error(line) if self._edges else super().gone_error(line)

    def after_fork(self) -> None:
        self._watched.clear()
        if self._edges is not None:
            self._edges.after_fork()
        self._levels.after_fork()

    def close(self) -> None:
        if self._edges is not None:
            self._edges.close()
        self._levels.close()
