# SPDX-License-Identifier: LGPL-3.0-or-later
"""A client of RPIO's own protocol, in plain Python: doc/protocol.rst explains it. Usage: reference_client.py [PORT]"""

import json
import re
import socket
import sys

WORD = re.compile(r'"(?:[^"\\]|\\.)*"|\S+')
LOOKS = {"read", "peek", "pull", "function", "consumer", "losses"}  # asked again, it is another look


class Client:
    def __init__(self, port=8510, linger_s=5):
        self.port, self.linger_s, self.session, self.number, self.events = port, linger_s, "", 0, []
        self.connect()

    def connect(self):
        """Begin a session, or go on with it: then the server names the same one."""
        self.socket, before = socket.create_connection(("127.0.0.1", self.port), 10), self.session
        self.lines = self.socket.makefile("rb")
        _, self.session, self.board, *_ = self.exchange("hello", 1, "me", "reference", self.linger_s, before)
        if before and self.session != before:
            raise ConnectionError("the session is over: set the lines up again")

    def exchange(self, *words):
        """Say it, and read until its answer has come; events on the way are kept."""
        self.number = number = self.number + 1
        text = " ".join(str(w) if re.fullmatch(r"[^\s\"#]\S*", str(w)) else json.dumps(w) for w in words)
        self.socket.sendall(f"{text} #{number}\n".encode())
        while True:
            line = self.lines.readline().decode()
            if not line.endswith("\n"):
                raise ConnectionError("the connection is lost")
            *said, last = WORD.findall(line)
            if last != f"#{number}":
                self.events.append(line.split())
            elif said[0] == "error":
                raise RuntimeError(line.strip())
            else:
                return [json.loads(w) if w[0] == '"' else w for w in said[1:]]

    def ask(self, *words):
        """The same, once and once only, whatever happens to the connection."""
        try:
            return self.exchange(*words)
        except OSError:
            number, _ = self.number, self.connect()
        state, *answer = self.exchange("fate", number)
        if state in ("failed", "unknown"):
            raise RuntimeError(state, *answer)
        return answer if state == "done" and words[0] not in LOOKS else self.ask(*words)


if __name__ == "__main__":
    client = Client(int(sys.argv[1]) if sys.argv[1:] else 8510)
    print(client.board)
    client.ask("output", 17, 1)
    print("GPIO 17 is", *client.ask("read", 17))
    client.ask("bye")
