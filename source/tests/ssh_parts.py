# SPDX-License-Identifier: LGPL-3.0-or-later
"""A real sshd on loopback, with keys and a configuration of its own, and an ssh that knows it as ``far``.

Nothing of the user's own ~/.ssh is read or written. What runs at the far end is this RPIO, on a simulated board.
"""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from ports import free_port
from waiting import LIMIT_S, wait_until

SYSTEM = ("/usr/local/sbin", "/usr/sbin", "/sbin", *os.environ.get("PATH", "").split(":"))
SSHD = shutil.which("sshd", path=":".join(SYSTEM))
SSH = shutil.which("ssh")
IN_NAMESPACE = "mount -t tmpfs -o mode=755 tmpfs /run && mkdir -m 755 /run/sshd && exec "
"""Debian's sshd insists on a folder in /run when root starts it, which only its service makes."""
TRIES = 20
SSHD_CONFIG = """
Port {port}
ListenAddress {address}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/user_key.pub
StrictModes no
UsePAM no
PidFile none
PermitRootLogin yes
PasswordAuthentication no
KbdInteractiveAuthentication no
MaxSessions 100
MaxStartups 100
LogLevel VERBOSE
SetEnv {environment}
"""
SSH_CONFIG = """
Host changed
    UserKnownHostsFile {folder}/changed_hosts
Host unknown
    UserKnownHostsFile {folder}/no_hosts
Host nokey
    IdentityFile {folder}/other_key
Host his-own
    ControlMaster no
    ControlPath {folder}/his-own
Host * !nokey
    IdentityFile {folder}/user_key
Host * !nobody.invalid
    HostName {address}
Host *
    Port {port}
    User {user}
    IdentitiesOnly yes
    IdentityAgent none
    HostKeyAlias far
    UserKnownHostsFile {folder}/known_hosts
    GlobalKnownHostsFile none
"""


def why_not():
    """Why there can be no sshd here; empty where there can."""
    if SSHD is None or SSH is None:
        return "needs sshd and ssh: sudo apt install openssh-server openssh-client"
    if os.geteuid() == 0 and not os.path.isdir("/run/sshd"):
        probe = ["unshare", "-m", "sh", "-c", IN_NAMESPACE + "true"]
        try:
            done = subprocess.run(probe, capture_output=True, text=True, timeout=LIMIT_S, check=False)
        except OSError as e:
            return f"needs /run/sshd, or unshare: {e}"
        if done.returncode:
            return f"needs /run/sshd, or mount namespaces: {done.stderr.strip()}"
    return ""


RPIO_THERE = """
import sys
from RPIO.cli import main
from RPIO.machine import folders
folders.OF_SYSTEM = "/nowhere"
sys.argv[0] = "rpio"
sys.exit(main())
"""
"""``rpio`` as it is, on a machine where no daemon of the system runs, whatever runs on this one."""


def _script(path, text):
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def _key(path):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True, timeout=LIMIT_S)


class Far:
    """The machine ``far``. *backend* is what RPIO_BACKEND is there; *address* is its own, in the namespaces that
    *enter*, the beginning of a command line, leads to.
    """

    def __init__(self, backend="sim:4B", address="127.0.0.1", enter=()):
        # A short path: sockets of shared logins are in it.
        self.folder = folder = Path(tempfile.mkdtemp(prefix="rpio-ssh-"))
        self.runtime, self.there = folder / "run", folder / "device" / "run"
        self._address, self._enter = address, list(enter)
        self.bin, self.home = folder / "bin", folder / "home"
        self._here = folder / "here"
        self.rpio = f'exec {sys.executable} {folder}/rpio.py "$@"'
        """The line of sh that starts RPIO there."""
        (folder / "rpio.py").write_text(RPIO_THERE)
        self._process, self._backend, self._before = None, backend, {}
        try:
            self._make()
            self._start()
        except BaseException:
            self.close()
            raise

    def _make(self):
        for path in (self.runtime, self.there / "rpio", self.bin, self.home, self._here):
            path.mkdir(0o700, parents=True)
        for name in ("sh", "cat", "yes", "sleep"):  # and no RPIO that this machine may have
            (self.bin / name).symlink_to(shutil.which(name))
        for name in ("host_key", "user_key", "other_key"):
            _key(self.folder / name)
        (self.folder / "changed_hosts").write_text(f"far {(self.folder / 'other_key.pub').read_text()}")
        (self.folder / "known_hosts").write_text(f"far {(self.folder / 'host_key.pub').read_text()}")
        _script(self._here / "ssh", f'exec {SSH} -F {self.folder}/ssh_config "$@"')
        self.have()

    def have(self, rpio=None, python="exit 1"):
        """Have these be the commands rpio and python3 there, as lines of sh; without, this RPIO."""
        _script(self.bin / "rpio", rpio or self.rpio)
        _script(self.bin / "python3", python)

    def have_no_rpio(self, python="exit 1"):
        """Have no command rpio there."""
        self.have(python=python)
        (self.bin / "rpio").unlink()

    @contextlib.contextmanager
    def having(self, rpio):
        """The same for the length of a block."""
        self.have(rpio)
        try:
            yield
        finally:
            self.have()

    def _start(self):
        for _ in range(TRIES):
            self.port = free_port()
            environment = {
                "HOME": self.home,
                "PATH": self.bin,
                "XDG_RUNTIME_DIR": self.there,
                "STATE_DIRECTORY": self.folder / "state",
                "RPIO_BACKEND": self._backend,
                "PYTHONDONTWRITEBYTECODE": "1",
                "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
            }
            words = " ".join(f'"{name}={value}"' for name, value in environment.items())
            user = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
            values = {"port": self.port, "folder": self.folder, "environment": words, "user": user}
            values["address"] = self._address
            (self.folder / "sshd_config").write_text(SSHD_CONFIG.format(**values))
            (self.folder / "ssh_config").write_text(SSH_CONFIG.format(**values))
            command = f"{SSHD} -D -f {self.folder}/sshd_config -E {self.folder}/log"
            outer = [*self._enter, "sh", "-c", f"exec {command}"]
            if not self._enter and os.geteuid() == 0 and not os.path.isdir("/run/sshd"):
                outer = ["unshare", "-m", "sh", "-c", IN_NAMESPACE + command]
            self._process = subprocess.Popen(outer, stdin=subprocess.DEVNULL)
            wait_until(lambda: "Server listening" in self.log() or self._process.poll() is not None)
            if self._process.poll() is None:
                return
        raise AssertionError(f"sshd does not start: {self.log()}")

    def log(self):
        """What sshd has written so far."""
        with contextlib.suppress(FileNotFoundError):
            return (self.folder / "log").read_text(errors="replace")
        return ""

    def logins(self):
        """How many there have been."""
        return len(re.findall("Accepted publickey", self.log()))

    @property
    def environment(self):
        """What is different here for those who are to find ``far``."""
        path = f"{self._here}:{os.environ.get('PATH', '')}"
        return {"PATH": path, "XDG_RUNTIME_DIR": str(self.runtime)}

    @property
    def socket(self):
        """Where the daemon of the far end is looked for."""
        return str(self.there / "rpio" / "rpio.sock")

    def masters(self):
        """The sockets of shared logins."""
        return [path for path in self.runtime.glob("rpio-*") if path.is_socket()]

    def end_masters(self):
        """End the shared logins, and wait until nobody can meet one that is about to go."""
        for path in self.masters():
            command = [self._here / "ssh", "-O", "exit", "-o", f"ControlPath={path}", "far"]
            subprocess.run(command, capture_output=True, timeout=LIMIT_S, check=False)
        assert wait_until(lambda: not self.masters())

    def _keepers(self):
        """Those that keep programs there, and their programs with them: they outlive logins."""
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                words = path.read_text()
                if "RPIO.programs.keeper" in words and str(self.folder) in words:
                    yield int(path.parent.name)

    def close(self):
        with contextlib.suppress(OSError, AssertionError):
            self.end_masters()
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(LIMIT_S)
        for pid in self._keepers():
            os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)


def _all_children(pid):
    """Of a process: number, state and words of each that it has started."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, parent = path.read_text().rpartition(")")[2].split()[:2]
            if int(parent) == pid:
                yield int(path.parent.name), state, (path.parent / "cmdline").read_text().split("\0")


def children(pid):
    """The processes that a process has started, and that run still: process -> its words."""
    return {child: words for child, state, words in _all_children(pid) if state != "Z"}


def zombies(pid):
    """Those that have ended, and nobody has waited for."""
    return [child for child, state, _ in _all_children(pid) if state == "Z"]


def ssh_children(pid):
    """Those of them that are ssh."""
    return [child for child, words in children(pid).items() if any("rpio serve" in word for word in words)]
