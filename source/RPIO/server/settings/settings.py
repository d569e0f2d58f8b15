# SPDX-License-Identifier: LGPL-3.0-or-later
"""How the daemon goes about it: what the configuration files say of that, and the words that it was started with.

The files are those that declare rules of lines, with the same order and the same errors; a word has the last say.
"""

from __future__ import annotations

import os
from hashlib import sha256

from ... import config, config_files, errors
from ...machine import folders
from ...wire.announced import FOLDER
from ...wire.terms import GPIO, I2C, READ
from ..connections.doors import OF_GROUP, OF_USER
from ..connections.reach import check_is_address, every

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ...config import Document
    from .policy import Policy

GROUP = "gpio"
UPLOAD_MAX_MB = 4.0
"""Of a body of POST /upload: no message to the programs' keeper may be longer."""


def _switch(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"it is true or false, not {value!r}")
    return value


def _port(value: object) -> int:
    if type(value) is not int or not 0 <= value < 65536:
        raise ValueError(f"a port is a number from 1 to 65535, or 0 for any that is free, not {value!r}")
    return value


def _path(value: object) -> str:
    if not isinstance(value, str) or not os.path.isabs(value) or "\0" in value:
        raise ValueError(f"it is the path of a file, from / on, not {value!r}")
    return value


def _file(value: object) -> str:
    return "" if value == "" else _path(value)


def _group(value: object) -> str:
    if not isinstance(value, str) or (value and not value.isprintable()):
        raise ValueError(f"it is the name of a group, not {value!r}")
    return value


def _open_scopes(value: object) -> tuple[str, ...]:
    known = (READ, GPIO, I2C)
    if not isinstance(value, (list, tuple)) or not set(value) <= set(known):
        raise ValueError(
            f"it is a list of {', '.join(known)}, not {value!r}; what runs programs needs a token"
        )
    return tuple(value)


def _word(value: object) -> str:
    if not isinstance(value, str) or not value.isprintable() or " " in value:
        raise ValueError(f"it is the address or the name of a machine, not {value!r}")
    return value


def _address(value: object) -> str:
    check_is_address(found := _word(value))
    return found


def _mode(value: object) -> str:
    if value not in ("wait", "nowait"):
        raise ValueError(f"it is wait or nowait, not {value!r}")
    return str(value)


def _megabytes(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0.001 <= value <= 100_000:
        raise ValueError(f"it is a number of megabytes, 0.001 to 100000, not {value!r}")
    return float(value)


def _user(value: object) -> str:
    if not isinstance(value, str) or (value and not value.isprintable()):
        raise ValueError(f"it is the name of a user, not {value!r}")
    return value


def _modules(value: object) -> tuple[str, ...]:
    is_list = isinstance(value, (list, tuple)) and all(isinstance(name, str) for name in value)
    if not is_list or not all(name.replace(".", "").replace("*", "a").isidentifier() for name in value):  # type: ignore[attr-defined]
        raise ValueError(
            f'it is a list of names of modules, such as ["smbus2", "luma.*"], or ["*"], not {value!r}'
        )
    return tuple(value)  # type: ignore[arg-type]


def _count(most: int) -> Callable[[object], int]:
    def _read(value: object) -> int:
        if type(value) is not int or not 0 <= value <= most:
            raise ValueError(f"it is a number up to {most}, 0 for no limit, not {value!r}")
        return value

    return _read


def _home_path(value: object) -> str:
    is_path = isinstance(value, str) and "\0" not in value
    if not is_path or not (value == "~" or str(value).startswith("~/") or os.path.isabs(str(value))):
        raise ValueError(f"it is the path of a folder, from / or ~/ on, not {value!r}")
    return str(value)


def _home_path_or_none(value: object) -> str:
    return "" if value == "" else _home_path(value)


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 3600:
        raise ValueError(f"it is a number of seconds, up to 3600, not {value!r}")
    return float(value)


def _words(what: str) -> Callable[[object], tuple[str, ...]]:
    def _read(value: object) -> tuple[str, ...]:
        is_list = isinstance(value, (list, tuple)) and all(isinstance(word, str) for word in value)
        if not is_list or not all(word.isprintable() and word and " " not in word for word in value):  # type: ignore[attr-defined]
            raise ValueError(f"it is a list of {what}, not {value!r}")
        return tuple(value)  # type: ignore[arg-type]

    return _read


def _upload_megabytes(value: object) -> float:
    found = _megabytes(value)
    if found > UPLOAD_MAX_MB:
        raise ValueError(f"it is a number of megabytes, 0.001 to {UPLOAD_MAX_MB:g}, not {value!r}")
    return found


def _is_of_system() -> bool:
    """Whether this is the daemon of the whole machine: root's, or that of systemd's unit."""
    return os.geteuid() == 0 or os.environ.get("RUNTIME_DIRECTORY") == folders.OF_SYSTEM


def _socket() -> str:
    return f"{folders.OF_SYSTEM if _is_of_system() else folders.runtime_path()}/{folders.SOCKET}"


def _default_group() -> str:
    from grp import getgrall

    return GROUP if _is_of_system() and any(group.gr_name == GROUP for group in getgrall()) else ""


class Setting:
    """One setting: *read* checks a value, *default* makes one, *text* says what it is for. A *variable* of the
    environment that is set and not empty takes the default's place: Further-Link's, by its own rules.
    """

    __slots__ = ("default", "read", "text", "variable")

    def __init__(
        self, read: Callable[[object], object], default: Callable[[], object], text: str, variable: str = ""
    ) -> None:
        self.read, self.default, self.text, self.variable = read, default, text, variable


SETTINGS: dict[tuple[str, str], Setting] = {
    ("serve", "tcp"): Setting(_switch, lambda: True, "serve the port"),
    ("serve", "port"): Setting(_port, lambda: 8510, "the port"),
    ("serve", "address"): Setting(
        _address, lambda: "127.0.0.1", 'where the port listens; "any" is open to other machines, by TLS'
    ),
    ("serve", "insecure"): Setting(_switch, lambda: False, "other machines too without TLS and access"),
    ("serve", "announce"): Setting(
        _file, lambda: FOLDER, 'the folder of Avahi\'s services, where others find it; "" for nowhere'
    ),
    ("serve", "socket"): Setting(_path, _socket, "the unix socket"),
    ("serve", "group"): Setting(_group, _default_group, "who may use the socket besides its owner"),
    ("serve", "state"): Setting(_path, folders.state_folder, "the folder that remembers what is held"),
    ("access", "open"): Setting(
        _open_scopes, lambda: (READ, GPIO, I2C), "what may be done from this machine without a token"
    ),
    ("access", "tokens"): Setting(_path, lambda: f"{folders.state_folder()}/tokens", "the file of tokens"),
    ("run", "enabled"): Setting(_switch, lambda: False, "run programs of who has a token with the scope run"),
    ("run", "user"): Setting(
        _user, lambda: "", 'as whom; "" for pi where there is one, else who this is, if not root'
    ),
    ("run", "modules"): Setting(_modules, lambda: (), 'which modules they may import; "*" is any'),
    ("run", "code"): Setting(_switch, lambda: False, "run functions that they send as source"),
    ("run", "memory_mb"): Setting(_count(1 << 20), lambda: 512, "how much memory each process may take"),
    ("run", "processes"): Setting(
        _count(100_000), lambda: 64, "how many processes and threads each may start"
    ),
    ("run", "files"): Setting(_count(1 << 20), lambda: 64, "how many files each may have open"),
    ("run", "work"): Setting(
        _home_path,
        lambda: "~/further",
        "the work directory, ~ being that of who programs run as",
        "FURTHER_LINK_WORK_DIR",
    ),
    ("run", "temp"): Setting(
        _home_path_or_none,
        lambda: "",
        'where a script without a directory is written; "" for a fresh one each',
        "FURTHER_LINK_TEMP_DIR",
    ),
    ("run", "venv"): Setting(
        _home_path_or_none, lambda: "", "the virtual environment whose Python runs programs", "FURTHER_VENV"
    ),
    ("run", "grace_s"): Setting(_seconds, lambda: 5.0, "how long after SIGTERM comes SIGKILL"),
    ("run", "cpu_percent"): Setting(
        _count(100_000), lambda: 0, "of one processor, which each program may take (with systemd); 0 for all"
    ),
    ("run", "url_hosts"): Setting(
        _words('names of machines, such as ["example.org"]'), lambda: (), "where uploads may fetch files from"
    ),
    ("rraspy", "on"): Setting(_switch, lambda: False, "serve a device of RRaspPY's protocol"),
    ("rraspy", "address"): Setting(_address, lambda: "127.0.0.1", "where it listens"),
    ("rraspy", "port"): Setting(_port, lambda: 8080, "its port"),
    ("rraspy", "host"): Setting(_word, lambda: "", "the one machine that is served, and called back"),
    ("rraspy", "host_port"): Setting(_port, lambda: 7070, "where that hears of events"),
    ("rraspy", "open_run"): Setting(_switch, lambda: False, "run any Python that comes, on loopback alone"),
    ("rraspy", "insecure"): Setting(_switch, lambda: False, "at another address: without TLS and access"),
    ("smbus", "on"): Setting(
        _switch, lambda: False, "serve I2C and lines by gRPC, to smbus-proxy's clients too"
    ),
    ("smbus", "address"): Setting(_address, lambda: "127.0.0.1", "where it listens"),
    ("smbus", "port"): Setting(_port, lambda: 50051, "its port"),
    ("smbus", "insecure"): Setting(_switch, lambda: False, "at another address: without TLS and access"),
    ("remoteio", "on"): Setting(_switch, lambda: False, "serve queues of tasks to remoteio's clients"),
    ("remoteio", "address"): Setting(_address, lambda: "127.0.0.1", "where it listens"),
    ("remoteio", "port"): Setting(_port, lambda: 8509, "its port"),
    ("remoteio", "mode"): Setting(
        _mode, lambda: "wait", "wait: tasks one after the other; nowait: a new one ends the one before it"
    ),
    ("remoteio", "insecure"): Setting(_switch, lambda: False, "at another address: without TLS and access"),
    ("further", "on"): Setting(
        _switch, lambda: False, "run programs for Further-Link's clients, by HTTP and WebSocket"
    ),
    ("further", "address"): Setting(_address, lambda: "127.0.0.1", "where it listens"),
    ("further", "port"): Setting(_port, lambda: 8028, "its port", "FURTHER_LINK_PORT"),
    ("further", "tls"): Setting(
        _switch, lambda: True, "encrypted, with a certificate of its own making", "FURTHER_LINK_NOSSL"
    ),
    ("further", "open_run"): Setting(
        _switch, lambda: False, "run programs without a token, on loopback alone"
    ),
    ("further", "insecure"): Setting(_switch, lambda: False, "listen at another address than loopback"),
    ("further", "origins"): Setting(
        _words('web pages, such as ["https://example.org"]'),
        lambda: (),
        "pages that may use it, besides its own",
    ),
    ("further", "hosts"): Setting(
        _words('names, such as ["pi.example.org", "*.example.org"]'),
        lambda: (),
        "names that this machine goes by, besides its own",
    ),
    ("further", "upload_mb"): Setting(_upload_megabytes, lambda: 4.0, "how much POST /upload takes"),
    ("audit", "file"): Setting(_file, lambda: "", 'where the audit is written as well, "" for nowhere'),
    ("audit", "file_mb"): Setting(_megabytes, lambda: 10.0, "at which size it is put aside as FILE.1"),
}
"""(table, key) -> what may stand there."""


class Settings:
    """What is set, each with where that was said."""

    def __init__(self) -> None:
        self.values: dict[tuple[str, str], object] = {key: s.default() for key, s in SETTINGS.items()}
        self.places: dict[tuple[str, str], str] = dict.fromkeys(SETTINGS, "by default")

    def set(self, table: str, key: str, value: object, place: str) -> None:
        """Set one. Raises ValueError."""
        self.values[table, key] = SETTINGS[table, key].read(value)
        self.places[table, key] = place

    def look_around(self) -> None:
        """Take what the environment says. Raises ConfigError."""
        for (table, key), setting in SETTINGS.items():
            said = os.environ.get(setting.variable, "") if setting.variable else ""
            if not said:
                continue
            try:
                self.set(table, key, _of_variable(setting, said), f"by {setting.variable}")
            except ValueError as e:
                raise errors.ConfigError(f"{setting.variable} in the environment: {e}") from None

    def read(self, document: Document) -> None:
        """Take what a file says. Raises ConfigError."""
        tables = {table for table, _ in SETTINGS}
        for table, values in document.values.items():
            if table not in tables:
                continue  # rules of lines, or an error that whoever reads those tells
            if not isinstance(values, dict):
                raise document.error((table,), f"{table!r} is a table", f"[{table}] begins it")
            for key, value in values.items():
                if (table, key) not in SETTINGS:
                    near = _near(key, [other for of, other in SETTINGS if of == table])
                    raise document.error((table, key), f"there is no {key!r} in [{table}]{near}")
                try:
                    self.set(table, key, value, str(document.place((table, key))))
                except ValueError as e:
                    raise document.error((table, key), str(e)) from None

    def shown(self) -> str:
        """All of it as a configuration file, with where each was said."""
        lines: list[str] = []
        for table in dict.fromkeys(table for table, _ in SETTINGS):
            lines.append(f"[{table}]")
            for (of, key), setting in SETTINGS.items():
                if of == table:
                    value = f"{key} = {_toml(self.values[of, key])}"
                    lines.append(f"{value:<44}# {setting.text} ({self.places[of, key]})")
            lines.append("")
        return "\n".join(lines)

    # -- by name ---------------------------------------------------------------------------------

    def of(self, table: str, key: str) -> str:
        """A setting that is text."""
        return str(self.values[table, key])

    @property
    def holds_path(self) -> str:
        """The file that remembers what is held: a daemon at another socket than the usual one has its own, since two of
        one user would each forget what the other holds.
        """
        path = self.of("serve", "socket")
        mark = "" if path == _socket() else f"-{sha256(os.fsencode(path)).hexdigest()[:12]}"
        return f"{self.of('serve', 'state')}/holds{mark}.json"

    @property
    def address(self) -> str:
        """Where the port listens."""
        address = self.of("serve", "address")
        return "127.0.0.1" if address == "localhost" else every(address)

    @property
    def tls_folder(self) -> str:
        """Where this machine's certificates are, and the list of those who are paired with it."""
        return f"{self.of('serve', 'state')}/tls"

    @property
    def port(self) -> int | None:
        """The port to serve; None for none."""
        return int(str(self.values["serve", "port"])) if self.values["serve", "tcp"] else None

    @property
    def mode(self) -> int:
        """The mode of the socket's file."""
        return OF_GROUP if self.values["serve", "group"] else OF_USER

    @property
    def open_scopes(self) -> Iterable[str]:
        """What may be done without a token."""
        return self.values["access", "open"]  # type: ignore[return-value]

    def policy(self, is_own: bool = False) -> Policy:
        """What may run here. *is_own*: for this user himself, who has a shell here anyway."""
        from ...programs.process import Limits
        from .policy import Places, Policy

        values = self.values
        names = ("work", "temp", "venv", "grace_s", "cpu_percent", "url_hosts")
        places = Places(*[values["run", name] for name in names])  # type: ignore[arg-type]
        limits = Limits(*[int(str(values["run", name])) for name in ("memory_mb", "processes", "files")])
        if is_own:
            return Policy(True, "", ("*",), True, limits, places)
        modules: tuple[str, ...] = values["run", "modules"]  # type: ignore[assignment]
        return Policy(
            bool(values["run", "enabled"] or values["further", "on"]),
            self.of("run", "user"),
            modules,
            bool(values["run", "code"]),
            limits,
            places,
        )

    @property
    def audit_max_bytes(self) -> int:
        """The size of an audit file that is put aside."""
        return round(float(str(self.values["audit", "file_mb"])) * 1e6)


def read(words: Mapping[tuple[str, str], object], files: Iterable[str] | None = None) -> Settings:
    """What is set by the files (None: those of config_files), and by *words*, options of the command line.

    Raises:
        ConfigError: a file says what cannot be. ValueError: a word does.
    """
    settings = Settings()
    settings.look_around()
    for file in config_files.files() if files is None else files:
        settings.read(config.read(file))
    for (table, key), value in words.items():
        settings.set(table, key, value, "by an option")
    return settings


def _of_variable(setting: Setting, said: str) -> object:
    """What a variable says. Of FURTHER_LINK_NOSSL anything but 0 and false is a yes, to there being no TLS."""
    if setting.read is _switch:
        return said.lower() in ("0", "false")
    if setting.read is _port:
        return int(said) if said.isdecimal() else said
    return said if said.startswith("~") else os.path.abspath(said)


def group_of(name: str) -> int | None:
    """The number of a group; None for no name. Raises ConfigError."""
    from grp import getgrnam

    if not name:
        return None
    try:
        return getgrnam(name).gr_gid
    except KeyError:
        hint = f'sudo groupadd --system {name}, or group = "" in [serve]'
        raise errors.ConfigError(f"there is no group {name!r} on this machine", hint=hint) from None


def _near(word: str, words: Iterable[str]) -> str:
    from difflib import get_close_matches

    found = get_close_matches(word, list(words), 1)
    return f"; did you mean {found[0]!r}?" if found else ""


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (tuple, list)):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, str):
        import json

        return json.dumps(value)
    return str(value)
