# SPDX-License-Identifier: LGPL-3.0-or-later
"""What a device of the tests has as RPi.GPIO and smbus: lines where 13 is wired to 6, and bytes."""

import threading

WIRES = {13: 6}


class _Gpio(object):
    """The functions of RPi.GPIO that a host's stand-in asks for."""

    LOW, HIGH, OUT, IN, BOARD, BCM = 0, 1, 0, 1, 10, 11
    PUD_OFF, PUD_DOWN, PUD_UP, RISING, FALLING, BOTH = 20, 21, 22, 31, 32, 33
    VERSION = "0.6.3"
    RPI_INFO = {"P1_REVISION": 3, "REVISION": "a02082", "TYPE": "Pi 3 Model B"}

    def __init__(self):
        self._mode, self._function, self._level, self._edges = None, {}, {}, {}
        self._pull = {}

    def getmode(self):
        return self._mode

    def setmode(self, mode):
        self._mode = mode

    def setwarnings(self, is_on):
        pass

    def setup(self, channel, direction, pull_up_down=20, initial=-1):
        if self._mode is None:
            raise RuntimeError(
                "Please set pin numbering mode using GPIO.setmode(GPIO.BOARD) or GPIO.setmode(GPIO.BCM)"
            )
        self._function[channel] = direction
        if direction == self.IN:
            self._pull[channel] = pull_up_down
            self._level.setdefault(channel, 1 if pull_up_down == self.PUD_UP else 0)
        elif initial != -1:
            self.output(channel, initial)

    def input(self, channel):
        if channel not in self._function:
            raise RuntimeError("You must setup() the GPIO channel first")
        return self._level.get(channel, 0)

    def output(self, channel, value):
        if self._function.get(channel) != self.OUT:
            raise RuntimeError("The GPIO channel has not been set up as an OUTPUT")
        self._level[channel] = int(bool(value))
        other = WIRES.get(channel)
        if other is not None and self._level.get(other, 0) != self._level[channel]:
            self._level[other] = self._level[channel]
            edge, function = self._edges.get(other, (None, None))
            if edge in (self.BOTH, self.RISING if value else self.FALLING):
                threading.Thread(target=function, args=(other,)).start()

    def gpio_function(self, channel):
        return self._function.get(channel, 1)

    def add_event_detect(self, channel, edge, callback=None, bouncetime=-666):
        if channel in self._edges:
            raise RuntimeError("Conflicting edge detection already enabled for this GPIO channel")
        self._edges[channel] = edge, callback

    def remove_event_detect(self, channel):
        self._edges.pop(channel, None)

    def cleanup(self, channel=None):
        for one in list(self._function) if channel is None else [channel]:
            self._function.pop(one, None)
            self._edges.pop(one, None)
        if channel is None:
            self._mode = None

    def PWM(self, channel, frequency):
        return _Pwm(channel, frequency)


class _Pwm(object):
    def __init__(self, channel, frequency):
        self.calls = [("PWM", channel, frequency)]

    def start(self, duty):
        self.calls.append(("start", duty))

    def stop(self):
        self.calls.append(("stop",))

    def ChangeFrequency(self, frequency):
        self.calls.append(("ChangeFrequency", frequency))

    def ChangeDutyCycle(self, duty):
        self.calls.append(("ChangeDutyCycle", duty))


class _Smbus(object):
    class SMBus(object):
        """A byte at 0x27 and 0x33."""

        def __init__(self, bus):
            self._byte = 0

        def read_byte(self, address):
            if address not in (0x27, 0x33):
                raise IOError(121, "Remote I/O error")
            return self._byte

        def write_byte(self, address, value):
            self.read_byte(address)
            self._byte = value

        def close(self):
            pass


GPIO = _Gpio()
smbus = _Smbus()
