# SPDX-License-Identifier: LGPL-3.0-or-later
"""What hangs on the lines of a simulated board in the tests: sensors, a motor, keys, displays.

Each is as much of the device as a program can notice, from its data sheet. *world* is the fixture rpio_board; a device
listens with on_change(), answers with drive(), and acts later with after().
"""

from RPIO.chips import button, dht, encoder, ultrasonic

US = 0.001  # a microsecond, in the board's milliseconds


def us_since(world, when_ms):
    """The time since then in microseconds, as exact as the board's clock is."""
    return round((world.now_ms - when_ms) / US, 3)


def dht_of(world, line, data, kind=22):
    """A DHT22 (or 11) that sends those bytes."""
    sensor = dht.Dht(world.sim, line, kind=kind)
    sensor.data = bytes(data)
    return sensor


dht_reading = dht.Dht.reading


def ultrasonic_of(world, trigger, echo, cm):
    return ultrasonic.Ultrasonic(world.sim, trigger, echo, cm)


def encoder_of(world, a, b):
    return encoder.Encoder(world.sim, a, b)


def button_of(world, line, bounces=4):
    return button.Button(world.sim, line, bounces=bounces)


class StepperMotor:
    """The rotor of a unipolar motor: it follows the coils, half a step at a time.

    It needs a moment to move (*reaction_ms*): what the coils have in passing does not count. Where the next field is
    more than a step away it does not know which way to go, and stalls. *position* is in half-steps.
    """

    FIELDS = (0b1000, 0b1100, 0b0100, 0b0110, 0b0010, 0b0011, 0b0001, 0b1001)

    def __init__(self, world, lines, reaction_ms=0.1):
        self._world, self._lines, self._reaction_ms = world, tuple(lines), reaction_ms
        self.position = self.stalls = 0
        self.moves = []
        self._waiting = False
        for line in self._lines:
            world.on_change(line, self._changed)

    def coils(self):
        """Which are on, as a number, the first the highest bit."""
        return sum(self._world.level(line) << 3 - n for n, line in enumerate(self._lines))

    def _changed(self, level):
        if not self._waiting:
            self._waiting = True
            self._world.after(self._reaction_ms, self._follow)

    def _follow(self):
        self._waiting = False
        coils = self.coils()
        if coils == 0:
            return  # held by the gear
        if coils not in self.FIELDS:
            self.stalls += 1
            return
        way = (self.FIELDS.index(coils) - self.position + 4) % 8 - 4
        if abs(way) > 2:
            self.stalls += 1
        elif way:
            self.position += way
            self.moves.append(way)


class Keypad:
    """Keys at the crossings of rows and columns: one that is down joins the two."""

    def __init__(self, world, rows, columns, keys):
        self._world, self._lines = world, (*rows, *columns)
        self._places = {
            str(name): (row, column)
            for row, names in zip(rows, keys, strict=True)
            for column, name in zip(columns, names, strict=True)
        }
        self._down = set()

    def press(self, key):
        """Push a key down, and keep it."""
        self._down.add(str(key))
        self._world.wire(*self._places[str(key)])

    def release(self, key):
        """Let go of it."""
        self._down.discard(str(key))
        for line in self._places[str(key)]:
            self._world.unwire(line)
        for other in sorted(self._down):
            self._world.wire(*self._places[other])

    def type(self, keys, ms=100, pause_ms=100, after_ms=50):
        """Have keys pressed one after the other; returns when that ends, in milliseconds from now."""
        at_ms = after_ms
        for key in keys:
            self._world.after(at_ms, lambda key=key: self.press(key))
            self._world.after(at_ms + ms, lambda key=key: self.release(key))
            at_ms += ms + pause_ms
        return at_ms


class ShiftRegister:
    """74HC595s in a row. Source: its data sheet: both clocks act on the rising edge; QA is bit 0."""

    def __init__(self, world, data, clock, latch, chips=1):
        self._world, self._data, self._mask = world, data, (1 << 8 * chips) - 1
        self._register = 0
        self.outputs = 0
        self.shown = []
        world.on_change(clock, self._clocked)
        world.on_change(latch, self._latched)

    def _clocked(self, level):
        if level:
            self._register = (self._register << 1 | self._world.level(self._data)) & self._mask

    def _latched(self, level):
        if level:
            self.outputs = self._register
            self.shown.append(self.outputs)


class CharacterDisplay:
    """An HD44780 of 16 x 2 on four data lines: a nibble is taken when E falls.

    Source: Hitachi HD44780U data sheet, table 6 (instructions), figure 24 (how it gets to 4 bits), and page 24 for how
    long instructions take: *too_fast* counts those that came while it was busy.
    """

    CLEAR_US, OTHER_US, SECOND_ROW, COLUMNS = 1520, 37, 0x40, 16

    def __init__(self, world, rs, e, data):
        self._world, self._rs, self._data = world, rs, tuple(data)
        self._four_bits = False
        self._upper = None
        self._memory, self._address, self._step = {}, 0, 1
        self._busy_until_ms = 0
        self.on = False
        self.too_fast = 0
        world.on_change(e, self._enabled)

    def _enabled(self, level):
        if level:
            return
        nibble = sum(self._world.level(line) << bit for bit, line in enumerate(self._data))
        if not self._four_bits:
            self._take(0, nibble << 4)
        elif self._upper is None:
            self._upper = nibble
        else:
            byte, self._upper = self._upper << 4 | nibble, None
            self._take(self._world.level(self._rs), byte)

    def _take(self, rs, byte):
        now_ms = self._world.now_ms
        if now_ms < self._busy_until_ms:
            self.too_fast += 1
        self._busy_until_ms = now_ms + (self.CLEAR_US if not rs and byte in (1, 2, 3) else self.OTHER_US) * US
        if rs:
            self._memory[self._address] = byte
            self._address += self._step
        else:
            self._instruct(byte)

    def _instruct(self, byte):
        if byte & 0x80:
            self._address = byte & 0x7F
        elif byte & 0x40:
            raise NotImplementedError("the characters that users draw")
        elif byte & 0x20:
            self._four_bits = not byte & 0x10
        elif byte & 0x10:
            raise NotImplementedError("shifts")
        elif byte & 0x08:
            self.on = bool(byte & 0x04)
        elif byte & 0x04:
            self._step = 1 if byte & 0x02 else -1
        elif byte & 0x03:
            self._address = 0
            if byte & 0x01:
                self._memory.clear()
                self._step = 1

    def rows(self):
        """What is to be read on it."""
        if not self.on:
            return ["", ""]
        return [
            "".join(chr(self._memory.get(row + column, 32)) for column in range(self.COLUMNS)).rstrip()
            for row in (0, self.SECOND_ROW)
        ]


class PulseMeter:
    """Notes the pulses of a line: (when it began, how long it was high), in milliseconds."""

    def __init__(self, world, line):
        self._world = world
        self.pulses = []
        self._since_ms = None
        world.on_change(line, self._changed)

    def _changed(self, level):
        if level:
            self._since_ms = self._world.now_ms
        elif self._since_ms is not None:
            self.pulses.append((self._since_ms, self._world.now_ms - self._since_ms))


class LoadCell:
    """An HX711: 24 bits, the highest first, one with each rising edge of SCK, when DOUT says with 0 that it is ready.

    Source: Avia HX711 data sheet: one to three more pulses choose gain and channel; SCK high for 60 us is power-down;
    80 conversions a second (RATE high); it settles in four conversions after power-down.
    """

    PERIOD_MS, POWER_DOWN_US = 12.5, 60

    def __init__(self, world, dout, sck, value):
        self._world, self._dout, self.value = world, dout, value
        self._pulses = 0
        self._since_ms = 0
        self._conversion = 0
        self.gains = []
        self.power_downs = 0
        world.sim.drive(dout, 0)
        world.on_change(sck, self._clocked)

    def _clocked(self, level):
        if not level:
            if us_since(self._world, self._since_ms) >= self.POWER_DOWN_US:
                self.power_downs += 1
                self._convert(4)
            return
        self._since_ms = self._world.now_ms
        self._pulses += 1
        if self._pulses <= 24:
            self._world.drive(self._dout, self.value >> 24 - self._pulses & 1)
        elif self._pulses == 25:
            self._convert(1)

    def _convert(self, periods):
        self._world.drive(self._dout, 1)
        self._conversion = number = self._conversion + 1
        self._world.after(self.PERIOD_MS * periods, lambda: self._ready(number))

    def _ready(self, number):
        if number != self._conversion:
            return  # it was switched off meanwhile
        self.gains.append({1: 128, 2: 32, 3: 64}.get(self._pulses - 24))
        self._pulses = 0
        self._world.drive(self._dout, 0)


class SevenSegments:
    """A TM1637 with six digits: a start, bytes with the lowest bit first and a ninth pulse each, a stop.

    Source: Titan Micro TM1637 data sheet, "Interface interpretation". Its acknowledgement (DIO low at the ninth
    pulse) is left out: it would meet a host that keeps driving DIO, as most do.
    """

    def __init__(self, world, clk, dio):
        self._world, self._clk, self._dio = world, clk, dio
        self._bits = None
        self._bytes = []
        self.digits = [0] * 6
        self.brightness = None
        world.on_change(clk, self._clocked)
        world.on_change(dio, self._data)

    def _data(self, level):
        if not self._world.level(self._clk):
            return
        if level:
            self._command()
            self._bits = None
        else:
            self._bits, self._bytes = [], []

    def _clocked(self, level):
        if not level or self._bits is None:
            return
        self._bits.append(self._world.level(self._dio))
        if len(self._bits) == 9:
            self._bytes.append(sum(bit << n for n, bit in enumerate(self._bits[:8])))
            self._bits = []

    def _command(self):
        if not self._bytes:
            return
        first, *rest = self._bytes
        if first & 0xC0 == 0xC0:
            for n, byte in enumerate(rest, first & 0x07):
                self.digits[n] = byte
        elif first & 0xC0 == 0x80:
            self.brightness = first & 0x07 if first & 0x08 else None
        self._bytes = []


def never_both(world, a, b, level):
    """Return a list that gets the time whenever both lines have that level."""
    found = []

    def look(now):
        if world.level(a) == world.level(b) == level:
            found.append(world.now_ms)

    for line in (a, b):
        world.on_change(line, look)
    return found
