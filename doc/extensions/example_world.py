# SPDX-License-Identifier: LGPL-3.0-or-later
"""What the examples of the documentation need from outside: fingers, TCP clients, somebody who presses Ctrl+C.

A page that calls these does so in hidden blocks, or where the reader would do it by hand.
"""

import os
import re
import runpy
import socket
import sys
import tempfile
import textwrap
import threading
import time

import RPIO
from RPIO.loop import tcp_listener

__all__ = ["connect", "fresh_board", "go_back", "meanwhile", "run_program", "save_from", "settle"]

MOMENT_S = 0.05


def fresh_board():
    """End what the page before left running; the next line that is touched is one of a new 4B."""
    RPIO.facade.new_board()
    RPIO.setwarnings(False)
    os.environ["RPIO_BACKEND"] = "sim:4B"
    tcp_listener.Listener.open = _open_anywhere
    _ports.clear()


_ports = {}
_open = tcp_listener.Listener.open


def _open_anywhere(listener):
    """Open a free port in place of the one that the example says: 8080 may be taken where this runs."""
    _, port = listener._address
    listener._address = "127.0.0.1", 0
    _ports[port] = _open(listener)
    return _ports[port]


class Client(socket.socket):
    """A TCP client that says a line and waits for the answer."""

    def ask(self, text):
        self.sendall(text.encode())
        return self.hear()

    def hear(self):
        return self.recv(4096).decode()


def connect(port):
    """Connect to the port that the example opened as *port*."""
    client = Client()
    client.settimeout(5)
    client.connect(("127.0.0.1", _ports[port]))
    return client


def save_from(page, *names):
    """Save files that a page shows, by their captions, into a new folder, and go there."""
    path = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), page)
    with open(path, encoding="utf-8") as file:
        text = file.read()
    _folders.append((os.getcwd(), tempfile.TemporaryDirectory(prefix="rpio-page-")))
    os.chdir(_folders[-1][1].name)
    for name in names:
        with open(name, "w", encoding="utf-8") as file:
            file.write(captioned(text, name))


_folders = []


def go_back():
    """Leave that folder, which is gone then."""
    before, folder = _folders.pop()
    os.chdir(before)
    folder.cleanup()


def captioned(text, name):
    """A block of a page, by its caption."""
    block = re.search(rf"    :caption: {re.escape(name)}\n\n((?:    .*\n|\n)+)", text)[1]
    return textwrap.dedent(block).strip("\n") + "\n"


def settle():
    """Give the loop, and threads of callbacks, a moment."""
    time.sleep(MOMENT_S)


def meanwhile(*actions):
    """While the example blocks in wait_for_interrupts(): carry out the actions, one a moment, then stop it."""

    def run():
        end = time.monotonic() + 5
        while not RPIO.facade.board.dispatcher.running and time.monotonic() < end:
            time.sleep(0.005)
        try:
            for action in actions:
                action()
                settle()
        finally:
            RPIO.stop_waiting_for_interrupts()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def run_program(name, *actions):
    """Run a program of examples/ as it is."""
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    thread = meanwhile(*actions)
    runpy.run_path(os.path.join(root, "examples", name))
    sys.stdout.flush()
    thread.join()
