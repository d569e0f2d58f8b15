# SPDX-License-Identifier: LGPL-3.0-or-later
"""A host as the original is one: ``host.py DEVICE_PORT``, and a line of Python for each thing to do on standard input.

Written from the description of RRaspPY; runs on Python 2.7 and 3. Prints its callback port, then each result.
"""

import sys
import threading

import wire

DEVICE = ("127.0.0.1", int(sys.argv[1]))
callbacks = {}
events = []
changed = threading.Condition()


def Request(data):
    kind, values = wire.decode_all(wire.ask(DEVICE, data))
    if kind == 0x09:
        raise RuntimeError(values[0])
    if kind == 0x0A:
        return None
    return values[0] if len(values) == 1 else tuple(values)


def ImportModule(module, name="", package=None):
    return Request(b"\xc0" + wire.encode(module) + wire.encode(name or module) + wire.encode(package))


def Execute(command, handle=None, callback=None):
    if callback is not None:
        callbacks[callback[0]] = callback[1]
    data = b"\xb0" + (wire.encode(None) if handle is None else wire.handle(handle))
    return Request(data + wire.encode(callback and callback[0]) + wire.encode(command))


def RemoveHandle(handle):
    return Request(b"\x90" + wire.handle(handle))


def RemoveCallback(id):
    return Request(b"\xa0" + wire.encode(id))


def RemoveAllCallback(name):
    return Request(b"\xe0" + wire.encode(name))


def Raw(data):
    return wire.ask(DEVICE, data)


def heard(*arguments):
    """What is called on an event."""
    with changed:
        events.append(arguments)
        changed.notify()


def Events(count):
    """Wait for so many events within 5 s each; return them, and forget them."""
    with changed:
        for _ in range(count):
            if len(events) < count:
                changed.wait(5)
        found = events[:]
        del events[:]
    return found


def serve(listener):
    while True:
        made, _ = listener.accept()
        _, values = wire.decode_all(made.recv(wire.SIZE_MAX))
        callbacks[values[0]](*values[1:])
        made.sendall(b"\x0a")
        made.close()


listener = wire.listen("127.0.0.1", 0)
thread = threading.Thread(target=serve, args=(listener,))
thread.daemon = True
thread.start()


def say(text):
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


say(str(listener.getsockname()[1]))
line = sys.stdin.readline()
while line:
    if line.startswith("device "):
        DEVICE = ("127.0.0.1", int(line.split()[1]))
        say("None")
    else:
        try:
            say(repr(eval(line, globals())))
        except Exception as e:
            say("%s: %s" % (type(e).__name__, e))
    line = sys.stdin.readline()
