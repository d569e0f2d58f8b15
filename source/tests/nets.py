# SPDX-License-Identifier: LGPL-3.0-or-later
"""Two machines and a switch between them, as network namespaces of Linux: what listens there hears all, and a cable can
be pulled without either of them being told.
"""

import contextlib
import os
import shutil
import subprocess
import sys
import uuid

import pytest

from waiting import LIMIT_S, wait_until

DEVICE, LAPTOP = "10.77.0.1", "10.77.0.2"
SNIFFER = """
import socket, sys
made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.ntohs(3))  # ETH_P_ALL
made.bind((sys.argv[1], 0))
with open(sys.argv[2], "wb", buffering=0) as file:
    print("listens", flush=True)
    while True:
        file.write(made.recv(65536))
"""
HINT = "needs network namespaces: as root, with ip of iproute2 (sudo .venv/bin/python -m pytest {})"


def ip(*words):
    """Have ip do it."""
    done = subprocess.run(["ip", *words], capture_output=True, text=True, timeout=LIMIT_S, check=False)
    if done.returncode:
        raise OSError(f"ip {' '.join(words)}: {done.stderr.strip()}")


class Net:
    """The three of them. Programs run there by ``device`` and ``laptop``, the beginnings of command lines."""

    def __init__(self):
        mark = f"rpio-{uuid.uuid4().hex[:6]}"
        self.names = [f"{mark}-{end}" for end in ("device", "laptop", "switch")]
        self.device, self.laptop, self.switch = (("ip", "netns", "exec", name) for name in self.names)

    def build(self):
        """Make them. Raises OSError."""
        device, laptop, switch = self.names
        for name in self.names:
            ip("netns", "add", name)
            ip("-n", name, "link", "set", "lo", "up")
        ip("-n", switch, "link", "add", "br0", "type", "bridge")
        ip("-n", switch, "link", "set", "br0", "up")
        for name, port, address in ((device, "to-device", DEVICE), (laptop, "to-laptop", LAPTOP)):
            ip("-n", switch, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", name)
            ip("-n", switch, "link", "set", port, "master", "br0", "up")
            ip("-n", name, "address", "add", f"{address}/24", "dev", "eth0")
            ip("-n", name, "link", "set", "eth0", "up")

    def cut(self):
        """Pull a cable behind the switch: nothing comes through any more, and each still has its link."""
        ip("-n", self.names[2], "link", "set", "to-device", "nomaster")

    @contextlib.contextmanager
    def heard(self, path):
        """What goes between them is in that file, as an attacker at the switch hears it."""
        command = [*self.switch, sys.executable, "-c", SNIFFER, "to-device", str(path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout.readline() == "listens\n"
                yield path
            finally:
                process.kill()

    def remove(self):
        """Take them away."""
        for name in self.names:
            subprocess.run(["ip", "netns", "delete", name], capture_output=True, timeout=LIMIT_S, check=False)


@contextlib.contextmanager
def net(module):
    """A Net; the test is skipped where there can be none."""
    hint = HINT.format(os.path.relpath(module))
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip(hint)
    made = Net()
    try:
        try:
            made.build()
        except OSError as e:
            pytest.skip(f"{hint}: {e}")
        yield made
    finally:
        made.remove()


def wakeups(pid):
    """How often the threads of a process have gone to sleep, which each has before it wakes up."""
    count = 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        with (
            contextlib.suppress(FileNotFoundError, ProcessLookupError),  # a thread that ends just now
            open(f"/proc/{pid}/task/{thread}/status", encoding="ascii", errors="replace") as file,
        ):
            count += sum(int(line.split()[1]) for line in file if line.startswith("voluntary_ctxt"))
    return count


def is_asleep(pid, for_s):
    """Whether it wakes up not once in so long."""
    before = wakeups(pid)
    return not wait_until(lambda: wakeups(pid) != before, for_s)
