# SPDX-License-Identifier: LGPL-3.0-or-later
"""Talk to the example program as a user with telnet would, as soon as it answers: probe.py PID.

PID is the program's, or that of what is to start it, which may install things first: while it lives, it may take
its time.
"""

import socket
import sys
import time


def is_alive(pid):
    """Whether that child of our parent, which may not have been waited for, is still at work."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def talk(port, text, pid):
    while True:
        was_alive = is_alive(pid)
        try:
            with socket.create_connection(("127.0.0.1", port), 60) as connection:
                connection.sendall(text)
                return connection.recv(200)
        except OSError:
            if not was_alive:
                sys.exit(f"nothing answers on port {port}, and the program has ended")
            time.sleep(0.5)


for port, text, answer in (
    (8080, b"hello\r\n", b"echo: hello\n"),
    (8081, b"7 0\r\n", b"GPIO 7 is 0\n"),
    (8081, b"7 1\r\n", b"GPIO 7 is 1\n"),
    (8081, b"7 0\r\n", b"GPIO 7 is 0\n"),
):
    got = talk(port, text, int(sys.argv[1]))
    print(port, text, "->", got)
    if got != answer:
        sys.exit(f"expected {answer}")
