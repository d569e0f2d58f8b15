# SPDX-License-Identifier: LGPL-3.0-or-later
"""A device as the original is one: ``device.py HOST_PORT``. Prints its port.

Written from the description of RRaspPY; runs on Python 2.7 and 3, with modules of its own in the place of RPi.GPIO and
smbus. Like the original it evaluates what it is sent, takes one receive for a message and one connection for a request,
and says nothing at all to what it does not understand. Ends with its standard input.
"""

import importlib
import os
import re
import sys
import threading

import fakes
import wire

HOST = ("127.0.0.1", int(sys.argv[1]))
handles = {}
callbacks = {}
sys.modules["RPi"], sys.modules["RPi.GPIO"], sys.modules["smbus"] = fakes, fakes.GPIO, fakes.smbus
VALUES = (str, bool, int, type(1 << 80), float, dict, tuple, list)


class Callback(object):
    def __init__(self, id):
        self.id = id

    def __call__(self, *arguments):
        if self.id in callbacks:
            data = b"\xd0" + wire.encode(self.id) + b"".join(wire.encode(item) for item in arguments)
            wire.ask(HOST, data)


def failed(text):
    return b"\x09" + wire.encode(text)


def execute(handle, id, command):
    try:
        if id is not None:
            assert command.count("CB_FUNCT") == 1
            callbacks[id] = Callback(id)
            command = command.replace("CB_FUNCT", "callbacks[%r]" % id)
        if handle is not None:
            if handle not in handles:
                return None
            command = "handles[%d].%s" % (handle, command)
        value = eval(command)
        if value is None:
            return b"\x0a"
        if isinstance(value, VALUES):
            data = b"\x0b" + wire.encode(value)
            if len(data) > wire.SIZE_MAX:
                raise ValueError("Too many parameters: size %d exceeds" % len(data))
            return data
        number = min(set(range(len(handles) + 1)) - set(handles))
        handles[number] = value
        return b"\x0d" + wire.handle(number)
    except AssertionError:
        return None
    except Exception as e:
        return failed('Execute "%s->%s (Callback=%s": %s' % (handle, command, id, e))


def answer(kind, values):
    if kind == 0xB0:
        return execute(*values)
    if kind == 0xC0:
        module, name, package = values
        try:
            globals().setdefault(name, importlib.import_module(module, package))
        except Exception as e:
            return failed('Import "%s::%s as %s": %s' % (package, module, name, e))
    elif kind == 0x90:
        handles.pop(values[0], None)
    elif kind == 0xA0:
        callbacks.pop(values[0], None)
    elif kind == 0xE0:
        for id in [id for id in callbacks if re.match(re.escape(values[0]) + r"\d+$", id)]:
            del callbacks[id]
    else:
        return None
    return b"\x0a"


def talk(made):
    made.settimeout(30)
    try:
        data = answer(*wire.decode_all(made.recv(wire.SIZE_MAX)))
        if data is not None:
            made.sendall(data)
    finally:
        made.close()


def serve(listener):
    while True:
        made, _ = listener.accept()
        thread = threading.Thread(target=talk, args=(made,))
        thread.daemon = True
        thread.start()


listener = wire.listen("127.0.0.1", 0)
sys.stdout.write("%d\n" % listener.getsockname()[1])
sys.stdout.flush()
thread = threading.Thread(target=serve, args=(listener,))
thread.daemon = True
thread.start()
sys.stdin.read()
os._exit(0)
