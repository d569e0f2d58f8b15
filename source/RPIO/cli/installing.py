# SPDX-License-Identifier: LGPL-3.0-or-later
"""``rpio serve --install`` and ``--uninstall``: the same command line as a service of systemd's, from boot on.

Root's is the machine's, and runs as the user rpio where there is one (the Debian package makes it), else as who has
called sudo. Anybody else's is his own, and runs while he is logged in.
"""

from __future__ import annotations

import os

from .. import errors
from ..backends import opening
from ..server.outside import announcing
from ..server.outside.authority import Authority
from ..wire.announced import ID_DIGITS
from ..wire.fronts import is_here
from . import units, verb
from .told import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from ..server.settings.settings import Settings

MARK = "# Made by: rpio serve --install\n"
NAMES = ("rpio-remoteio", "rpio-serve")
"""Of a service with --remoteio, and of one without."""
OF_PACKAGE = "rpio.service"
OWN = ("install", "uninstall", "help")
PATHS = ("config", "socket", "audit")
OF_SERVICE = "rpio"
"""The user that the Debian package makes."""
GROUPS = ("gpio", "i2c", "spi")

UNIT = (
    MARK
    + """\
[Unit]
Description=RPIO: the GPIO lines of this machine, for programs here{besides}
Documentation=man:rpio-serve(1)
Conflicts={others}
After={others}

[Service]
Type=notify
ExecStart={command}
ExecReload=/bin/kill -HUP $MAINPID
Restart=always
RestartSec=200ms
WatchdogSec=2min
{user}UMask=0077
NoNewPrivileges=yes
LockPersonality=yes
RestrictSUIDSGID=yes

[Install]
WantedBy={target}
"""
)
OF_MACHINE = """\
RuntimeDirectory=rpio
RuntimeDirectoryMode=0755
StateDirectory=rpio
StateDirectoryMode=0700
ProtectSystem=full
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
"""


def carry_out(p: argparse.ArgumentParser, options: argparse.Namespace, settings: Settings) -> int:
    """Write the unit of these options, and have it run, now and from boot on; or end it, and take it away."""
    has_remoteio = options.remoteio is not None
    if options.uninstall:
        return _uninstall(NAMES[:1] if has_remoteio else NAMES, settings)
    _announce(options, settings, "")  # before it runs, which would ask for it
    status = _install(
        NAMES[0] if has_remoteio else NAMES[1], [*units.program(), "serve", *words_of(p, options)]
    )
    _announce(options, settings, _identity(settings))
    return status


def _announce(options: argparse.Namespace, settings: Settings, id: str) -> None:
    """Have others find it: Avahi's folder is root's, and who runs as another user may not write there."""
    folder, port = settings.of("serve", "announce"), settings.port
    if not units.is_of_system() or not folder or port is None or is_here(settings.address):
        return
    hardware = opening.expect(options.backend)
    model = announcing.model_of(hardware.name, opening.word_of(options.backend).partition(":")[0])
    path = announcing.install(folder, port, model, id)
    if path and id:
        verb.note(f"others find it by the name of this machine: {path}")


def _identity(settings: Settings) -> str:
    """What the daemon is known by, which has made its authority meanwhile; "" where it has not."""
    try:
        return Authority.of(settings).digest()[:ID_DIGITS]
    except (OSError, ValueError):
        return ""


def words_of(p: argparse.ArgumentParser, options: argparse.Namespace) -> list[str]:
    """The words that these options are, but for those of this module; files by their whole paths."""
    words: dict[str, str] = {}
    for action in p._actions:
        if action.dest in OWN or action.dest in words:
            continue
        value = getattr(options, action.dest)
        if value == action.default:
            continue
        name = next(name for name in action.option_strings if name.startswith("--"))
        if action.nargs == 0 or (action.nargs == "?" and value == action.const):
            words[action.dest] = name
        else:
            words[action.dest] = (
                f"{name}={os.path.abspath(value) if action.dest in PATHS and value else value}"
            )
    return list(words.values())


def _check_ours(name: str) -> str:
    """The text of the unit, "" where there is none. Raises UsageError for one that somebody else has written."""
    found = units.text_of(name)
    if found and not found.startswith(MARK):
        raise UsageError(f"{units.path_of(name)} was not made by --install: it stays as it is", 1)
    return found


def _install(name: str, command: list[str]) -> int:
    units.check_systemd()
    before = _check_ours(name)
    user, lines = _user()
    others = " ".join([f"{other}.service" for other in NAMES if other != name])
    text = UNIT.format(
        besides=", and remoteio's clients" if name == NAMES[0] else " and elsewhere",
        others=f"{OF_PACKAGE} {others}" if units.is_of_system() else others,
        command=units.written(command),
        user=lines,
        target=units.target(),
    )
    if before != text:
        units.write(name, text)
        units.systemctl("daemon-reload")
        units.systemctl("enable", name)
        _start(name, "restart")
    elif units.asked("is-enabled", name)[0] or units.asked("is-active", name)[0]:
        units.systemctl("enable", name)
        _start(name, "start")
    print(units.path_of(name))
    what = "unchanged" if before == text else "updated" if before else "installed"
    verb.note(f"{name} is {what}, and runs as {user}: {units.written(command)}")
    if not units.is_of_system():
        verb.note("it runs while you are logged in; from boot on after: sudo loginctl enable-linger")
    return 0


def _start(name: str, how: str) -> None:
    try:
        units.systemctl(how, name)
    except errors.GPIOError as e:
        whose = "" if units.is_of_system() else "--user "
        raise errors.GPIOError(str(e), hint=f"journalctl {whose}-u {name} says why") from None


def _uninstall(names: tuple[str, ...], settings: Settings) -> int:
    known = [name for name in names if _check_ours(name)]
    if not known:
        verb.note(f"there is no {' or '.join(units.path_of(name) for name in names)}")
        return 0
    units.check_systemd()
    for name in known:
        units.systemctl("disable", "--now", name)
        os.unlink(units.path_of(name))
        print(units.path_of(name))
    units.systemctl("daemon-reload")
    for path in announcing.uninstall(settings.of("serve", "announce")) if units.is_of_system() else ():
        print(path)
    verb.note(f"{' and '.join(known)} {'is' if len(known) == 1 else 'are'} gone")
    return 0


def _user() -> tuple[str, str]:
    """As whom it runs, and what the unit says of that."""
    import getpass
    import grp
    import pwd

    if not units.is_of_system():
        return getpass.getuser(), ""
    groups = [name for name in GROUPS if any(group.gr_name == name for group in grp.getgrall())]
    lines = f"SupplementaryGroups={' '.join(groups)}\n" if groups else ""
    for name in (OF_SERVICE, os.environ.get("SUDO_USER", "")):
        if any(one.pw_name == name and one.pw_uid != 0 for one in pwd.getpwall()):
            return name, f"User={name}\n{lines}{OF_MACHINE}"
    return "root", OF_MACHINE
