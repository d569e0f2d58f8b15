# SPDX-License-Identifier: LGPL-3.0-or-later
"""Files of circuits: TOML that says what hangs on a simulated board.

::

    [board]
    model = "4B"

    [[chip]]
    name = "adc"
    type = "ads1115"
    volts = [1.2, 0, 3.3, 0]

    [[button]]
    name = "door"
    line = 17

    [[wire]]
    between = [23, 24]

``load(file).build(board)["adc"].volts[0] = 1.5``. What can stand there is the table of ``kinds``.
"""

from __future__ import annotations

import os

from .. import config
from ..machine import boards
from .keys import DRIVES, HEARS, PULLS, REQUIRED, Key, Wrong, near, two_lines
from .kinds import CHIPS, PARTS, Kind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from ..backends.sim import SimBackend
    from ..config import Document, Path

TABLES = ("board", "chip", "wire", *PARTS)
MODEL = "4B"
"""Where the file names none."""


class Entry:
    """A thing of a circuit: what it is, its values, and where in the file it stands."""

    def __init__(self, kind: Kind, word: str, path: Path, values: dict[str, Any]) -> None:
        self.kind, self.word, self.path, self.values = kind, word, path, values
        self.name: str = values["name"]

    def lines(self) -> Iterator[tuple[str, str, int]]:
        """The key, what it does there, and the number of each of its lines."""
        for word, key in self.kind.keys.items():
            if key.role and self.values[word] is not None:
                for line in key.lines(self.values[word]):
                    yield word, key.role, line


class Built:
    """A circuit on a board: ``built["adc"]`` is the part of that name. *board* is the board."""

    def __init__(self, board: SimBackend, parts: dict[str, Any], at: dict[int, list[str]]) -> None:
        self.board, self._parts, self._at = board, parts, at

    def __getitem__(self, wanted: str) -> Any:
        if wanted not in self._parts:
            names = ", ".join(self._parts) or "nothing"
            raise KeyError(f"no {wanted!r} in the circuit, which has {names}{near(wanted, self._parts)}")
        return self._parts[wanted]

    def __iter__(self) -> Iterator[str]:
        return iter(self._parts)

    def __len__(self) -> int:
        return len(self._parts)

    def at(self, line: int) -> str:
        """What is at a line, for people: "button 'door'"; "" for nothing."""
        return ", ".join(self._at.get(line, ()))


class Circuit:
    """What a file says: *model* is that of its board, "" where it names none; see build()."""

    def __init__(self, document: Document) -> None:
        self.file, self._document = document.file, document
        self.model = ""
        self.entries: list[Entry] = []
        self.wires: list[tuple[Path, tuple[int, int]]] = []
        self._read()
        self._name()
        self._check_lines(boards.by_name(self.model or MODEL).line_count, self.model or MODEL)
        self._check_places()
        self._check_drivers()

    def build(self, board: SimBackend) -> Built:
        """Put it all on a simulated board; its parts by their names.

        Raises:
            ConfigError: the board is of another model, has not the lines, or something else where a chip is to be.
        """
        if self.model and board.hardware.model != self.model:
            raise self._document.error(
                ("board", "model"),
                f"the circuit is for a {self.model}, and the board is a {board.hardware.model}",
                f'RPIO.use("sim:{self.model}"), or leave the model out',
            )
        self._check_lines(board.line_count, board.hardware.name)
        for _, (a, b) in self.wires:
            board.wire(a, b)
        at: dict[int, list[str]] = {}
        for entry in self.entries:
            for key, _, line in entry.lines():
                what = entry.word if entry.name == entry.word else f"{entry.word} {entry.name!r}"
                at.setdefault(line, []).append(what if key == "line" else f"{key} of {what}")
        return Built(board, {entry.name: self._make(entry, board) for entry in self.entries}, at)

    def _make(self, entry: Entry, board: SimBackend) -> object:
        try:
            return entry.kind.make(board, entry.values)
        except Wrong as e:
            raise self._document.error((*entry.path, *e.within), str(e)) from None
        except ValueError as e:
            raise self._document.error(entry.path, str(e)) from e

    # -- reading ---------------------------------------------------------------------------------

    def _read(self) -> None:
        document = self._document
        for table, value in document.values.items():
            if table == "board":
                self._read_board(value)
            elif table not in TABLES:
                raise document.error(
                    (table,),
                    f"a circuit has no {table!r}{near(table, (*TABLES, *CHIPS))}",
                    f"there are {', '.join(TABLES)}",
                )
            elif not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
                raise document.error((table,), f"it is a list of tables: [[{table}]]")
            else:
                for number, values in enumerate(value):
                    self._read_entry(table, (table, number), values)

    def _read_board(self, value: object) -> None:
        document = self._document
        if not isinstance(value, dict):
            raise document.error(("board",), "it is a table: [board]")
        for key, model in value.items():
            if key != "model":
                raise document.error(
                    ("board", key), f"a board has a model, no {key!r}{near(key, ('model',))}"
                )
            try:
                self.model = boards.by_name(str(model)).model if isinstance(model, str) else ""
            except ValueError as e:
                raise document.error(("board", key), str(e)) from None
            if not self.model:
                raise document.error(("board", key), f'it is text, model = "4B", not {model!r}')

    def _read_entry(self, table: str, path: Path, values: dict[str, object]) -> None:
        if table == "wire":
            keys = {"between": Key(two_lines)}
            found = self._values("wire", keys, path, values)
            self.wires.append((path, found["between"]))
            return
        if table != "chip":
            self._add(PARTS[table], table, path, values)
            return
        word = values.get("type")
        if "type" not in values:
            raise self._document.error(path, "a chip has a type", 'type = "ads1115"')
        if not isinstance(word, str) or word not in CHIPS:
            raise self._document.error(
                (*path, "type"),
                f"there is no chip {word!r}{near(word, CHIPS)}",
                f"there are {', '.join(CHIPS)}",
            )
        rest = {key: value for key, value in values.items() if key != "type"}
        self._add(CHIPS[word], word, path, rest)

    def _add(self, kind: Kind, word: str, path: Path, values: dict[str, object]) -> None:
        self.entries.append(Entry(kind, word, path, self._values(word, kind.keys, path, values)))

    def _values(
        self, word: str, known: dict[str, Key], path: Path, values: dict[str, object]
    ) -> dict[str, Any]:
        """The values of a table, those that are left out too."""
        document, found = self._document, {}
        for key, value in values.items():
            if key not in known:
                hint = f"it has {', '.join(known)}"
                raise document.error((*path, key), f"{word} has no {key!r}{near(key, known)}", hint)
            try:
                found[key] = known[key].check(value)
            except Wrong as e:
                raise document.error((*path, key, *e.within), f"{key} of {word}: {e}") from None
        for key, one in known.items():
            if key not in found:
                if one.default is REQUIRED:
                    raise document.error(path, f"{word} needs {key!r}")
                found[key] = one.default
        return found

    def _name(self) -> None:
        """Have every part a name of its own: who has none is called after its kind, "button", "button2"."""
        taken: dict[str, Entry] = {}
        for entry in self.entries:
            if entry.name in taken:
                first = self._document.place(taken[entry.name].path)
                raise self._document.error(
                    (*entry.path, "name"), f"the name {entry.name!r} is taken, by that at {first}"
                )
            if entry.name:
                taken[entry.name] = entry
        for entry in self.entries:
            if not entry.name:
                count, entry.name = 1, entry.word
                while entry.name in taken:
                    count += 1
                    entry.name = f"{entry.word}{count}"
                taken[entry.name] = entry

    # -- what cannot be together -----------------------------------------------------------------

    def _check_lines(self, count: int, board: str) -> None:
        """Refuse lines that the board has not."""
        named = [((*entry.path, key), line) for entry in self.entries for key, _, line in entry.lines()]
        named += [((*path, "between"), line) for path, wire in self.wires for line in wire]
        for path, line in named:
            if line >= count:
                raise self._document.error(path, f"{board} has GPIO 0 to {count - 1}, no {line}")

    def _check_places(self) -> None:
        """Refuse two chips at one address."""
        taken: dict[str, Entry] = {}
        for entry in self.entries:
            if entry.kind.place is not None:
                first = taken.setdefault(entry.kind.place(entry.values), entry)
                if first is not entry:
                    where = entry.kind.place(entry.values)
                    key = "address" if "address" in entry.values else "device"
                    raise self._document.error(
                        (*entry.path, key), f"{where} is taken, by {self._called(first)}"
                    )

    def _called(self, entry: Entry) -> str:
        return f"{entry.word} {entry.name!r} at {self._document.place(entry.path)}"

    def _check_drivers(self) -> None:
        """Refuse two parts that do something at one line, and outputs that wires join."""
        at: dict[int, tuple[Entry, str, str]] = {}
        for entry in self.entries:
            for key, role, line in entry.lines():
                if role == HEARS:
                    continue
                if line in at:
                    other = self._called(at[line][0]) if at[line][0] is not entry else f"its {at[line][1]!r}"
                    raise self._document.error(
                        (*entry.path, key),
                        f"GPIO {line} is taken, by {other}",
                        "what is to be on one wire has a line of its own, and [[wire]] joins the lines",
                    )
                at[line] = (entry, key, role)
        net_of: dict[int, set[int]] = {}
        for path, (a, b) in self.wires:
            net = net_of.get(a, {a}) | net_of.get(b, {b})
            drivers = [line for line in sorted(net) if line in at and at[line][2] == DRIVES]
            pulling = [line for line in sorted(net) if line in at and at[line][2] == PULLS]
            if drivers and len(drivers) + len(pulling) > 1:
                self._report_short(path, [*drivers, *pulling], at)
            for line in net:
                net_of[line] = net

    def _report_short(self, path: Path, lines: list[int], at: dict[int, tuple[Entry, str, str]]) -> None:
        names = " and ".join(
            f"{key!r} of {entry.name!r} (GPIO {line})" for line in lines for entry, key, _ in (at[line],)
        )
        raise self._document.error(
            (*path, "between"), f"a short circuit: {names} drive one wire", "an output is not to meet another"
        )


def load(path: str | os.PathLike[str]) -> Circuit:
    """Read the file of a circuit.

    Raises:
        ConfigError: it cannot be read, or says what cannot be; the text begins with file, line and column.
    """
    if not isinstance(path, (str, bytes, os.PathLike)):
        raise TypeError(f"path is that of a file, not {path!r}")
    return Circuit(config.read(os.fsdecode(path), hint="a circuit is to be described there"))


def parse(text: str, file: str = "circuit") -> Circuit:
    """The same of a text; *file* is what its errors call it."""
    return Circuit(config.parse(text, file))
