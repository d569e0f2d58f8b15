# SPDX-License-Identifier: LGPL-3.0-or-later
"""An attacker at the switch between two machines hears every frame: by TLS nothing of what is said, without it all."""

import getpass
import re
import socket
import time
from pathlib import Path

import pytest

from hostile_parts import needs_openssl, opened
from nets import DEVICE, net
from remote_parts import program
from RPIO.remote.places import hosts
from waiting import wait_until

pytestmark = needs_openssl
RULES = "[line.17]\nname = 'heater-of-anna'\nsafe = 'low'\n"
CLIENT = """
import os, sys
import RPIO

def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())

there = RPIO.connect({where!r})
there.setup(17, RPIO.OUT, initial=0)
there.setup(27, RPIO.IN)
there.add_interrupt_callback(27, lambda line, value: say("edge", line, value))
there.wait_for_interrupts(threaded=True)
for level in (1, 0, 1, 1, 0):
    there.output(17, level)
    there.backend.ask("drive", 27, level)
say("read", there.input(17), there.input(27))
(rules,) = there.backend.ask("rules")
(holders,) = there.backend.ask("holders")
say("rules", *rules)
say("holders", holders)
there.cleanup()
there.close()
say("done")
"""


def said_in_plain(token):
    """What stands on the wire without TLS: token, names, levels, edges, who it is and what the board is."""
    return {
        "the token": re.escape(token),
        "the name of a line": "heater-of-anna",
        "levels that are set": r"(output|write) 17 [01]",
        "levels that are read": r"ok [01] #\d+",
        "edges": r"edge 27 [01] \d{6,}",
        "requests": r"\bsetup|input 27|hello 1 ",
        "the board": "Raspberry Pi 4",
        "who has it": re.escape(f"{getpass.getuser()}@{socket.gethostname()}"),
    }


def heard(path, token):
    """Which of it an attacker hears."""
    data = path.read_bytes()
    return {what for what, pattern in said_in_plain(token).items() if re.search(pattern.encode(), data)}


def session(between, folder, device, where, token):
    """Have a session there, by a program on the laptop; return what has gone over the wire."""
    with between.heard(folder / "frames") as path:
        token_file = folder / "token"
        token_file.touch(0o600)
        token_file.write_text(token)
        with program(
            CLIENT.format(where=where), before=between.laptop, RPIO_TOKEN_FILE=str(token_file)
        ) as client:
            client.says("^done$")
            assert "heater-of-anna" in client.text and "read 0 " in client.text
        # The last that is said is heard as well: its connection has ended on the wire.
        size = []
        assert wait_until(lambda: size.append(path.stat().st_size) or size[-3:-1] == size[-2:] != [], 5)
    return path


def new_token(device):
    done = device.rpio("token", "new", "anna-has-this", "--scope", "gpio", "--scope", "read")
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("shows", ["a token", "a certificate"])
@pytest.mark.slow
def test_by_tls_nothing_of_what_is_said_is_heard(tmp_path, monkeypatch, shows):
    with net(__file__) as between, opened(tmp_path / "device", before=between.device, config=RULES) as device:
        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
        token, own = new_token(device), device.ca(tmp_path / "own").sign(name="annas-laptop")
        texts = ["", ""]
        if shows == "a certificate":
            device.list(own, "annas-laptop")
            texts = [Path(path).read_text() for path in (own.certificate, own.key)]
        hosts.store(DEVICE, Path(device.authority).read_text(), *texts, time.time())
        where = f"{DEVICE}:{device.port}"
        path = session(between, tmp_path, device, where, token if shows == "a token" else new_token(device))
        assert heard(path, token) == set()
        data = path.read_bytes()
        assert (
            len(data) > 3000 and b"\x16\x03" in data and b"\x17\x03\x03" in data
        )  # it is there, and it is TLS
        # Of TLS 1.3 the certificates are encrypted, too: who comes is not to be seen.
        assert b"annas-laptop" not in data and own.der[-40:] not in data
        assert Path(device.authority).read_bytes()[-80:-40] not in data and b"RPIO" not in data


@pytest.mark.slow
def test_without_tls_all_of_it_is(tmp_path, monkeypatch):
    """So that the test before this one can fail, and so that nobody says that --insecure is not what it says."""
    config = f"insecure = true\n{RULES}"
    with (
        net(__file__) as between,
        opened(tmp_path / "device", before=between.device, config=config) as device,
    ):
        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
        token = new_token(device)
        path = session(between, tmp_path, device, f"remote+insecure://{DEVICE}:{device.port}", token)
        # But for the token, which is not shown where others hear it.
        assert heard(path, token) == set(said_in_plain(token)) - {"the token"}
