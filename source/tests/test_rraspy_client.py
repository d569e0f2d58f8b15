# SPDX-License-Identifier: LGPL-3.0-or-later
"""Our host of RRaspPY's protocol, at a device of the original's kind and at ours: requests, events, and lines."""

import socket
import threading

import pytest

import RPIO
from ports import free_port
from RPIO import errors
from RPIO.backends.rraspy import RraspyBackend, Watched
from RPIO.constants import BOTH, FALLING, IN, OUT, PUD_UP, RISING, UNKNOWN
from RPIO.remote.rraspy import Device
from RPIO.wire import rraspy
from RPIO.wire.rraspy import Message
from rraspy_parts import DEVICES, PYTHONS, original_device, some_device
from waiting import wait_until


@pytest.fixture(params=DEVICES)
def where(request):
    """The place of a device: of the original's kind, or ours."""
    with some_device(request.param) as place:
        yield place


@pytest.fixture
def device(where):
    made = Device(where)
    yield made
    made.close()


# -- requests -----------------------------------------------------------------------------------


def test_modules_calls_objects_and_errors(device):
    device.import_module("smbus")
    bus = device.execute("smbus.SMBus(1)")
    assert bus == 0
    assert device.execute("write_byte(0x27, 8)", bus) is None
    assert device.execute("read_byte(0x27)", bus) == 8
    with pytest.raises(errors.CommandError, match="Remote I/O error"):
        device.execute("read_byte(0x34)", bus)
    device.remove_handle(bus)
    with pytest.raises((errors.CommandError, errors.ConnectionLost), match=r"handle"):
        device.execute("read_byte(0x27)", bus)


def test_values_of_every_kind_from_an_original():
    with original_device(PYTHONS[0].values[0], 1) as port:
        device = Device(f"//127.0.0.1:{port}")
        assert device.execute("[1, 'x', None, True, (2,), {'a': 0.5}]") == [
            1,
            "x",
            None,
            True,
            (2,),
            {"a": 0.5},
        ]
        assert device.execute("set([1])") == 0
        with pytest.raises(errors.CommandError, match="division"):
            device.execute("1/0")


def test_an_event_comes_and_stops(device):
    heard, came = [], threading.Semaphore(0)

    def event(*arguments):
        heard.append(arguments)
        came.release()

    device.import_module(".GPIO", "GPIO", "RPi")
    device.execute("GPIO.setmode(11)")
    device.execute("GPIO.setup(6, 1)")
    device.execute("GPIO.setup(13, 0, initial=0)")
    device.execute("GPIO.add_event_detect(6, 31, CB_FUNCT, 50)", None, ("evtDetect6", event))
    with pytest.raises(ValueError, match="already"):
        device.execute("GPIO.add_event_detect(6, 31, CB_FUNCT, 50)", None, ("evtDetect6", event))
    device.execute("GPIO.output(13, True)")
    assert came.acquire(timeout=5)
    assert heard == [(6,)]
    device.remove_all_callbacks("evtDetect")
    with pytest.raises(ValueError, match="no callback"):
        device.callback("evtDetect6")


def test_a_callback_that_calls_back_and_one_that_fails(where, monkeypatch):
    device, values, shown = Device(where), [], []
    monkeypatch.setattr(threading, "excepthook", lambda found: shown.append(str(found.exc_value)))
    device.import_module(".GPIO", "GPIO", "RPi")
    device.execute("GPIO.setmode(11)")
    device.execute("GPIO.setup(6, 1)")
    device.execute("GPIO.setup(13, 0, initial=0)")

    def event(channel):
        values.append(device.execute(f"GPIO.input({channel})"))
        raise RuntimeError("of the callback")

    device.execute("GPIO.add_event_detect(6, 33, CB_FUNCT)", None, ("evtDetect6", event))
    device.execute("GPIO.output(13, True)")
    assert wait_until(lambda: values == [1])
    device.execute("GPIO.output(13, False)")
    assert wait_until(lambda: values == [1, 0])
    assert wait_until(lambda: shown == ["of the callback"] * 2)
    device.close()


# -- a device that says what it should not ------------------------------------------------------


class Hostile:
    """A device that answers each request with the same bytes, in these pieces."""

    def __init__(self, *pieces, waits=None):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._pieces, self._waits = pieces, waits
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                made, _ = self._listener.accept()
            except OSError:
                return
            with made:
                made.recv(4096)
                for piece in self._pieces:
                    made.sendall(piece)
                if self._waits is not None:
                    self._waits.wait(20)

    def close(self):
        self._listener.close()


@pytest.fixture
def says():
    made = []

    def device(*pieces, waits=None):
        made.append(Hostile(*pieces, waits=waits))
        return Device(f"//127.0.0.1:{made[-1].port}")

    yield device
    for hostile in made:
        hostile.close()


@pytest.mark.parametrize(
    "pieces",
    [
        (b"\x0b",),
        (b"\x0b\x64\0\0",),
        (b"HTTP/1.1 400\r\n",),
        (b"\x0a\x0a",),
        (b"\x0d\x0a\0\0",),
        (b"\x0b" + b"\x66\0\1" * 99,),
    ],
)
def test_a_hostile_answer_is_an_error(says, pieces):
    with pytest.raises((errors.ProtocolError, errors.ConnectionLost)):
        says(*pieces).execute("1")


def test_an_answer_in_pieces_is_one(says):
    data = Message(rraspy.VALUES, "x" * 5000, 7).to_bytes()
    assert says(*[data[at : at + 100] for at in range(0, len(data), 100)]).execute("1") == ("x" * 5000, 7)


def test_a_device_that_says_nothing_is_waited_for_so_long_and_no_longer(says):
    over = threading.Event()
    device = says(waits=over)
    device.answer_s = 0.2
    with pytest.raises(errors.ConnectionLost, match=r"within 0.2 s") as e:
        device.execute("1")
    assert e.value.applied is None
    over.set()


def test_nobody_there(says):
    with pytest.raises(errors.ConnectionLost, match=r"no device at 127\.0\.0\.1:") as e:
        Device(f"//127.0.0.1:{free_port()}").execute("1")
    assert e.value.applied is False and "rpio serve --rraspy" in e.value.hint


def test_events_of_another_than_the_device_and_unknown_ones_are_no_calls():
    called = []
    device = Device(f"//127.0.0.9:1/127.0.0.1:{free_port()}")
    device.add_callback("x", called.append)
    try:
        with socket.create_connection(device.host()) as stranger:
            try:
                stranger.sendall(Message(rraspy.CALLBACK, "x", 1).to_bytes())
                assert stranger.recv(100) == b""
            except ConnectionError:
                pass
        with socket.socket() as made:
            made.bind(("127.0.0.9", 0))
            made.connect(device.host())
            made.sendall(Message(rraspy.CALLBACK, "y", 1).to_bytes())
            assert b"there is no callback 'y'" in made.recv(1000)
    finally:
        device.close()
    assert not called


def test_a_port_for_events_that_another_has_is_named():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        device = Device(f"//127.0.0.1:1/127.0.0.1:{port}")
        with pytest.raises(
            OSError, match=rf"port {port} on 127.0.0.1, for the device's events, is in use already: by"
        ):
            device.add_callback("x", print)


@pytest.mark.parametrize("where", ["//", "", "//pi", "//pi:8081", "//[::1]:8081", "//pi/", "//pi/desk:7071"])
def test_places(where):
    assert Device(where)


@pytest.mark.parametrize(
    "where", ["pi", "//pi:0", "//pi:65536", "//pi:x", "///x", "//pi//", "//p i", "//pi/desk:99999"]
)
def test_what_is_no_place(where):
    with pytest.raises(ValueError, match="rraspy:"):
        Device(where)


# -- lines --------------------------------------------------------------------------------------


@pytest.fixture
def there(where):
    with RPIO.connect(f"rraspy:{where}") as board:
        yield board


def test_levels_pulls_and_functions(there):
    there.setup(13, OUT, initial=1)
    assert there.input(13) == 1
    there.output(13, 0)
    assert there.input(13) == 0
    there.setup(19, IN, pull_up_down=PUD_UP)
    assert there.input(19) == 1
    assert (there.gpio_function(13), there.gpio_function(19)) == (OUT, IN)
    assert there.hardware.name.startswith("Raspberry Pi")
    there.cleanup()


@pytest.mark.parametrize(("edge", "levels"), [(RISING, [1]), (FALLING, [0]), (BOTH, [1, 0])])
def test_edges_call_back(there, edge, levels):
    heard = []
    there.setup(13, OUT, initial=0)
    there.setup(6, IN)
    there.add_interrupt_callback(
        6,
        lambda line, value: heard.append((line, value)),
        edge={31: "rising", 32: "falling", 33: "both"}[edge],
    )
    there.wait_for_interrupts(threaded=True)
    there.output(13, 1)
    if 1 in levels:
        assert wait_until(lambda: heard == [(6, 1)])
    there.output(13, 0)
    assert wait_until(lambda: heard == [(6, level) for level in levels])


def test_a_backend_by_itself(where):
    backend = RraspyBackend(where)
    with pytest.raises(errors.NotSupportedError, match="set up"):
        backend.read(5)
    with pytest.raises(errors.InvalidChannelException):
        backend.set_input(54, None)
    with pytest.raises(errors.WrongDirectionException):
        backend.watch(6, BOTH)
    with pytest.raises(errors.NotSupportedError):
        backend.set_function(6, 4)
    with pytest.raises(errors.NotSupportedError):
        backend.play([(0, 6, 1)], 1000000, 1)
    backend.set_output(13, 1)
    assert backend.held() == [13]
    backend.write(13, 0)
    assert backend.read(13) == 0
    backend.pwm(13, 10_000_000, 5_000_000)
    backend.change_pwm(13, 20_000_000, 5_000_000)
    backend.end_pwm(13)
    assert backend.read(13) == 0
    backend.set_input(13, None)
    backend.write(13, 1)
    assert backend.function(13) == IN
    backend.set_output(13, None)
    assert backend.read(13) == 1
    backend.release(13)
    assert backend.held() == [] and backend.function(13) in (IN, UNKNOWN)
    backend.close()
    backend.close()


def test_levels_of_both_edges_alternate_and_find_back_where_one_was_lost():
    quick, slow = 1_000_000, 100_000_000
    watched = Watched(BOTH)
    watched.begin(BOTH, 0)
    assert [watched.next_level(0, n * quick) for n in range(1, 5)] == [1, 0, 1, 0]  # asked too late
    now = 5 * quick
    assert [watched.next_level(level, now + n * slow) for n, level in enumerate((0, 1, 0, 1), 1)] == [
        1,
        1,
        0,
        1,
    ]


def test_nobody_there_is_no_backend():
    with pytest.raises(errors.NoBackendError, match=r"no device at 127\.0\.0\.1:"):
        RPIO.connect(f"rraspy://127.0.0.1:{free_port()}")
    with pytest.raises(ValueError, match="no place of a device"):
        RPIO.connect("rraspy://pi:x")


def test_somebody_elses_cleanup_takes_the_numbering_back(where, there):
    there.setup(13, OUT)
    Device(where).execute("GPIO.cleanup()")
    there.setup(13, OUT, initial=1)
    assert there.input(13) == 1
