# SPDX-License-Identifier: LGPL-3.0-or-later
"""Talk to the example program as a user with telnet would: probe.py SECONDS_TO_WAIT_FOR_IT."""

import socket
import sys
import time


def talk(port, text, wait_s):
    end = time.monotonic() + wait_s
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), 5) as connection:
                connection.sendall(text)
                return connection.recv(200)
        except OSError:
            if time.monotonic() > end:
                sys.exit(f"nothing answers on port {port}")
            time.sleep(0.5)


for port, text, answer in (
    (8080, b"hello\r\n", b"echo: hello\n"),
    (8081, b"7 0\r\n", b"GPIO 7 is 0\n"),
    (8081, b"7 1\r\n", b"GPIO 7 is 1\n"),
    (8081, b"7 0\r\n", b"GPIO 7 is 0\n"),
):
    got = talk(port, text, float(sys.argv[1]))
    print(port, text, "->", got)
    if got != answer:
        sys.exit(f"expected {answer}")
