# SPDX-License-Identifier: LGPL-3.0-or-later
"""RRaspPY's protocol at its limits: time, numbers, sizes, order, and devices and hosts that end in the middle."""

import os
import socket
import subprocess
import sys
import threading
import time

import pytest

import rraspy_parts
from ports import free_port
from RPIO import errors
from RPIO.loop import message
from RPIO.programs import rraspy as device_module
from RPIO.programs import rraspy_callbacks, rraspy_objects, rraspy_words
from RPIO.programs.rraspy import Device as Served
from RPIO.programs.rraspy_callbacks import Callbacks
from RPIO.programs.rraspy_commands import NOTHING, Target
from RPIO.programs.rraspy_objects import Handles
from RPIO.remote.rraspy import Device
from RPIO.wire import rraspy
from RPIO.wire.rraspy import EXECUTE, FAILED, OK, REQUESTS, VALUES, Message, Reader
from rraspy_parts import our_device, say
from waiting import LIMIT_S, wait_until

# -- a device in this process -------------------------------------------------------------------


@pytest.fixture
def served():
    """Serve with a way of its own to carry out commands; returns its port."""
    made = []

    def serve(run, host_port=1):
        listener = rraspy_words.listen("127.0.0.1", 0)
        device = Served(listener, ["127.0.0.1"], ("127.0.0.1", host_port), lambda text: None, run)
        thread = threading.Thread(target=device.serve)
        thread.start()
        made.append((device, thread))
        return listener.getsockname()[1]

    yield serve
    for device, thread in made:
        device.stop()
        thread.join(LIMIT_S)
        assert not thread.is_alive()


def execute(port, command):
    return rraspy_parts.answer(port, Message(EXECUTE, None, None, command))


def test_what_takes_too_long_is_answered_in_the_end(served, monkeypatch):
    monkeypatch.setattr(device_module, "COMMAND_S", 0.1)
    over = threading.Event()
    port = served(lambda command, *_: Target(over.wait(LIMIT_S) and None, NOTHING))
    assert execute(port, "x") == Message(FAILED, "not done within 0.1 s")
    over.set()


def test_what_does_not_come_in_time_is_answered_and_closed(served, monkeypatch):
    monkeypatch.setattr(device_module, "REQUEST_S", 0.1)
    port = served(lambda *_: Target(None, NOTHING))
    assert b"no whole message within 0.1 s" in say(port, b"\xb0")
    assert execute(port, "x") == Message(OK)


def test_many_who_say_nothing_keep_nobody_away_for_long(served, monkeypatch):
    monkeypatch.setattr(device_module, "REQUEST_S", 0.2)
    port = served(lambda *_: Target(None, NOTHING))
    idle = [socket.create_connection(("127.0.0.1", port)) for _ in range(device_module.CONNECTIONS_MAX)]

    def is_served():
        try:
            return execute(port, "x") == Message(OK)
        except ConnectionError:
            return False

    assert wait_until(is_served, most_pause_s=0.1)
    for made in idle:
        made.close()


def test_a_request_that_comes_drop_by_drop_ends_in_time():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        is_over = threading.Event()

        def drip():
            try:
                theirs.sendall(b"\xb0\x00\x00\x0a\xff\xff")
                while not is_over.wait(0.01):
                    theirs.sendall(b"x")
            except OSError:
                return

        thread = threading.Thread(target=drip)
        thread.start()
        try:
            with pytest.raises(TimeoutError, match=r"no whole message within 0\.2 s"):
                message.receive(ours, Reader(REQUESTS), 0.2)
        finally:
            is_over.set()
            thread.join(LIMIT_S)


def test_more_commands_than_there_may_be_are_refused_at_once(served, monkeypatch):
    monkeypatch.setattr(device_module, "CONNECTIONS_MAX", 2)
    over, begun = threading.Event(), threading.Semaphore(0)

    def run(command, *_):
        begun.release()
        over.wait(LIMIT_S)
        return Target(None, NOTHING)

    port = served(run)
    waiting = [socket.create_connection(("127.0.0.1", port)) for _ in range(2)]
    for made in waiting:
        made.sendall(Message(EXECUTE, None, None, "x").to_bytes())
        assert begun.acquire(timeout=LIMIT_S)
    assert execute(port, "x") == Message(FAILED, "2 commands are under way")
    over.set()
    for made in waiting:
        assert made.recv(100) == b"\x0a"
        made.close()


def test_an_error_of_any_kind_is_an_answer(served):
    class Odd(Exception):
        def __str__(self):
            return ""

    def run(command, *_):
        raise Odd

    assert execute(served(run), "x") == Message(FAILED, 'Execute "None->x (Callback=None": Odd')


@pytest.mark.parametrize("value", [2**70, "x" * 70000, [{1}], {"a": object()}])
def test_a_value_that_cannot_cross_is_an_error(served, value):
    found = execute(served(lambda *_: Target(value, NOTHING)), "x")
    assert found.kind == FAILED and found.values[0].startswith('Execute "None->x')


# -- numbers ------------------------------------------------------------------------------------


def test_there_are_65536_handles_and_then_an_error():
    handles, target = Handles(), Target(object(), NOTHING)
    assert [handles.add(target) for _ in range(65536)] == list(range(65536))
    with pytest.raises(errors.CommandError, match="all 65536 handles are taken"):
        handles.add(target)
    for handle in (7, 3, 3, 65535):
        handles.remove(handle)
    assert [handles.add(target) for _ in range(3)] == [3, 7, 65535]
    assert len(handles) == 65536


def test_ten_thousand_objects_made_and_dropped_leave_no_handle():
    handles = Handles()
    for _ in range(10_000):
        handles.remove(handles.add(Target(object(), NOTHING)))
    assert len(handles) == 0 and handles.add(Target(object(), NOTHING)) == 0


def test_callbacks_are_so_many():
    callbacks = Callbacks(("127.0.0.1", 1), print)
    for number in range(rraspy_callbacks.CALLBACKS_MAX):
        callbacks.add(f"x{number}")
    callbacks.add("x0")
    with pytest.raises(errors.CommandError, match="more than 1024 callbacks"):
        callbacks.add("y")
    callbacks.remove_all("x")
    callbacks.add("y")
    callbacks.close()


def test_modules_are_so_many(monkeypatch):
    monkeypatch.setattr(rraspy_objects, "NAMES_MAX", 1)
    objects = rraspy_objects.Objects(lambda id: print, print, print, modules=frozenset({"json"}))
    assert objects.answer(Message(rraspy.IMPORT, "json", "a", None)) == Message(OK)
    assert objects.answer(Message(rraspy.IMPORT, "json", "a", None)) == Message(OK)
    assert objects.answer(Message(rraspy.IMPORT, "json", "b", None)).kind == FAILED


def test_events_that_nobody_hears_are_dropped_the_oldest_first_and_counted(monkeypatch):
    monkeypatch.setattr(rraspy_callbacks, "WAITING_MAX", 3)
    told, go_on, begun = [], threading.Event(), threading.Event()

    def tell(of, data):
        begun.set()
        go_on.wait(LIMIT_S)
        told.append(rraspy.read(data, rraspy.CALLBACKS).values[1])

    made = rraspy_callbacks.Told("x", tell)
    made._waiting = type(made._waiting)(maxlen=3)
    made(0)
    assert begun.wait(LIMIT_S)
    for number in range(1, 8):
        made(number)
    assert made.dropped == 4
    go_on.set()
    assert wait_until(lambda: told == [0, 5, 6, 7])
    made.end()
    made(8)
    made.end()


# -- order, and two hosts -----------------------------------------------------------------------


@pytest.mark.slow
def test_a_hundred_events_come_in_order_while_calls_run():
    port = free_port()
    with our_device("--open-run", host_port=port) as (number, _):
        device, heard = Device(f"//127.0.0.1:{number}/127.0.0.1:{port}"), []

        def event(n):
            heard.append((n, device.execute(f"{n} * 2")))

        device.execute("[CB_FUNCT(n) for n in range(100)] and None", None, ("x1", event))
        while len(heard) < 100:
            assert device.execute("1 + 1") == 2
        assert heard == [(n, 2 * n) for n in range(100)]
        device.close()


def test_two_hosts_share_handles_and_modules():
    with our_device() as (port, _):
        one, other = Device(f"//127.0.0.1:{port}"), Device(f"//127.0.0.1:{port}")
        one.import_module("smbus")
        assert (one.execute("smbus.SMBus(1)"), other.execute("smbus.SMBus(1)")) == (0, 1)
        other.execute("write_byte(39, 8)", 0)
        assert one.execute("read_byte(39)", 0) == 8
        assert one.execute("read_byte(39)", 1) == 0


# -- ends in the middle -------------------------------------------------------------------------


def test_a_device_that_dies_in_the_middle_of_a_call_is_one_error_at_once():
    with our_device("--open-run") as (port, made):
        device = Device(f"//127.0.0.1:{port}")
        device.import_module("os")
        began_s = time.monotonic()
        with pytest.raises(errors.ConnectionLost) as e:
            device.execute("os._exit(3)")
        assert e.value.applied is None
        assert time.monotonic() - began_s < 10
        assert made.wait(LIMIT_S) == 3
        with pytest.raises(errors.ConnectionLost, match="no device"):
            device.execute("1")


def test_a_host_that_ends_in_the_middle_is_no_affair_of_the_others(served):
    over, begun = threading.Event(), threading.Event()

    def run(command, *_):
        if command == "wait":
            begun.set()
            over.wait(LIMIT_S)
        return Target(7, NOTHING)

    port = served(run)
    with socket.create_connection(("127.0.0.1", port)) as made:
        made.sendall(Message(EXECUTE, None, None, "wait").to_bytes())
        assert begun.wait(LIMIT_S)
    assert execute(port, "x") == Message(VALUES, 7)
    over.set()
    assert execute(port, "x") == Message(VALUES, 7)


def test_a_host_that_is_not_there_is_told_of_and_nothing_waits_for_it():
    with our_device("--open-run", host_port=free_port(), stderr=subprocess.PIPE) as (port, made):
        made.stderr.readline()
        device = Device(f"//127.0.0.1:{port}")
        data = Message(EXECUTE, None, "x1", "CB_FUNCT(7)").to_bytes()
        assert say(port, data) == b"\x0a"
        assert "was not told of x1" in made.stderr.readline()
        assert device.execute("1 + 1") == 2


# -- verbs --------------------------------------------------------------------------------------


@pytest.mark.slow
def test_verbs_of_rpio_with_a_device():
    with our_device() as (port, _):

        def rpio(*words):
            return subprocess.run(
                [sys.executable, "-m", "RPIO", *words, "--backend", f"rraspy://127.0.0.1:{port}"],
                capture_output=True,
                text=True,
                timeout=LIMIT_S,
                env={**os.environ, "RPIO_BACKEND": ""},
                check=False,
            )

        assert rpio("write", "--output", "17=1").returncode == 0
        assert rpio("read", "17").stdout == "1\n"
        assert "Raspberry Pi 4 Model B" in rpio("info").stdout
        assert "setup" in rpio("read", "25").stderr
        done = rpio("doctor")
        assert done.returncode == 0 and "RPi.GPIO 0.7.1 of the device at" in done.stdout
        assert "used by this program alone" in rpio("who").stderr
        assert rpio("pwm", "12", "50", "20", "--for", "50ms").returncode == 0
        assert "cannot play waves" in rpio("servo", "12", "1500", "--for", "50ms").stderr
