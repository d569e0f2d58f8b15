# SPDX-License-Identifier: LGPL-3.0-or-later
"""One library on the real kernel's gpiochip: what a write costs, and how long an edge takes to its callback.

    guest.py LIBRARY PLACE EDGES      PLACE: "main", the loop is in the main thread; "lines", there, too, and three
                                      more lines are watched; "busy", there, and eight lines move; "burst", there,
                                      and one line moves eight times; "again", there, after ten loops in other
                                      threads; "thread", the loop is in another thread; "idle",
                                      there, and nothing moves: how often anything wakes up;
                                      "together", what LED.on() costs with both factories of gpiozero

Runs in the kernel rig. Another process moves GPIO 17 and notes the time before; the callback notes the time it
begins. Prints one line of JSON, in microseconds. GPIO 18 is written.
"""

import json
import mmap
import os
import resource
import statistics
import struct
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "source" / "tests"))

from kernel import gpiosim

IN, OUT = 17, 18
IDLE = (22, 23, 24)
"""Lines that do not move."""
BUSY = (5, 6, 12, 13, 16, 19, 20)
"""Lines that move with IN, one right after the other."""
BURST = 8
"""So many moves follow one another without a pause, ..."""
BURSTS = ("busy", "burst")
"""... in these places."""
LOOPS_BEFORE = 10
PAUSE_S = 0.003
"""Between two moves, or bursts: longer than any library takes for one, so that each finds it asleep."""
LOOK_S = 0.001
"""How often somebody looks for what has nothing to wake him, and is not measured."""
CALLS = 300
IDLE_S = 30
TURNS = 7


class Edges:
    """Another process that moves the lines in turn, *burst* times without a pause, and the two lists of times."""

    def __init__(self, chip, count, lines, burst):
        self.count = count
        self.lines = lines
        self.burst = burst
        self.arrived_ns = []
        self._switches = []
        self._sent = mmap.mmap(-1, 8 * (count + 1))  # the first is the starting signal
        for line in lines:
            chip.drive(line, 0)
        self._child = os.fork()
        if self._child == 0:
            self._move(chip)

    def _move(self, chip):
        # A wire does not compete for the processor. Without this an edge waits, in some runs of every library, until
        # the mover has gone to sleep: three system calls, 40 us here.
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        while not self._sent[0]:
            # Before the first move: nothing is measured yet, and nothing wakes this process.
            time.sleep(LOOK_S)
        for n in range(self.count):
            turn, place = divmod(n, len(self.lines))
            if n % self.burst == 0:
                time.sleep(PAUSE_S)
            struct.pack_into("q", self._sent, 8 * (n + 1), time.monotonic_ns())
            chip.drive(self.lines[place], (turn + 1) % 2)
        os._exit(0)

    def start(self):
        self._sent[0] = 1

    def note(self, *ignored):
        self.arrived_ns.append(time.monotonic_ns())
        if len(self.arrived_ns) in (1, self.count):
            self._switches.append(resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw)

    @property
    def switches(self):
        """How often the thread that is called back has slept for each edge."""
        first, last = self._switches
        return (last - first) / (self.count - 1)

    @property
    def done(self):
        return len(self.arrived_ns) >= self.count

    def wait(self):
        """For libraries with a thread of their own; the main thread sleeps."""
        self.start()
        while not self.done:
            time.sleep(0.05)

    def latencies_us(self):
        os.waitpid(self._child, 0)
        sent = struct.unpack_from(f"{self.count}q", self._sent, 8)
        return sorted((b - a) / 1000 for a, b in zip(sent, self.arrived_ns, strict=False))


def watched(place):
    """The lines whose edges are asked for."""
    return (IN, *{"lines": IDLE, "busy": BUSY}.get(place, ()))


def gpiod(chip, edges, place, wait=False):
    """Its blocking read, one system call; with *wait* as its examples do that have a time limit, two of them."""
    import gpiod
    from gpiod.line import Direction, Edge, Value

    def loop():
        settings = gpiod.LineSettings(edge_detection=Edge.BOTH)
        lines = watched(place)
        with gpiod.request_lines(chip.path, consumer="bench", config={lines: settings}) as request:
            edges.start()
            while not edges.done:
                if not wait or request.wait_edge_events(5):
                    for event in request.read_edge_events():
                        edges.note(event)

    if place != "thread":
        loop()
    else:
        thread = threading.Thread(target=loop)
        thread.start()
        thread.join()
    settings = gpiod.LineSettings(direction=Direction.OUTPUT)
    request = gpiod.request_lines(chip.path, consumer="bench", config={OUT: settings})
    active = Value.ACTIVE
    return lambda: request.set_value(OUT, active)


def rpi_gpio(chip, edges, place):
    """rpi-lgpio's RPi.GPIO."""
    from RPi import GPIO

    GPIO.setmode(GPIO.BCM)
    GPIO.setup(IN, GPIO.IN)
    GPIO.setup(OUT, GPIO.OUT)
    GPIO.add_event_detect(IN, GPIO.BOTH, edges.note)
    edges.wait()
    return lambda: GPIO.output(OUT, 1)


def gpiozero_rpio(chip, edges, place):
    os.environ["GPIOZERO_PIN_FACTORY"] = "rpio"
    return gpiozero(chip, edges, place)


def gpiozero(chip, edges, place):
    import gpiozero

    button = gpiozero.Button(IN, pull_up=None, active_state=True)
    button.when_pressed = button.when_released = edges.note
    edges.wait()
    return gpiozero.LED(OUT).on


def rpio(chip, edges, place):
    import RPIO

    RPIO.use("cdev")
    RPIO.setup(IN, RPIO.IN)
    RPIO.setup(OUT, RPIO.OUT)

    def callback(gpio_id, value):
        edges.note()
        if edges.done:
            RPIO.stop_waiting_for_interrupts()

    if place != "thread":
        for line in watched(place):
            RPIO.setup(line, RPIO.IN)
            RPIO.add_interrupt_callback(line, callback)
        for _ in range(LOOPS_BEFORE if place == "again" else 0):
            loop = threading.Thread(target=RPIO.wait_for_interrupts)
            loop.start()
            while not RPIO.facade.board.is_waiting:
                # A loop of before, which is not measured; it does not say when it waits.
                time.sleep(LOOK_S)
            RPIO.stop_waiting_for_interrupts()
            loop.join()
        edges.start()
        RPIO.wait_for_interrupts()
    else:
        RPIO.add_event_detect(IN, RPIO.BOTH, edges.note)
        edges.wait()
    return lambda: RPIO.output(OUT, 1)


def gpiod_wait(chip, edges, place):
    return gpiod(chip, edges, place, wait=True)


LIBRARIES = {
    "gpiod-read": gpiod,
    "gpiod-wait": gpiod_wait,
    "rpi-lgpio": rpi_gpio,
    "gpiozero": gpiozero,
    "gpiozero-rpio": gpiozero_rpio,
    "RPIO": rpio,
}


def best_us(call):
    """Microseconds of one call, the best of five rounds."""
    took_us = []
    for _ in range(5):
        begin = time.perf_counter()
        for _ in range(CALLS):
            call()
        took_us.append((time.perf_counter() - begin) / CALLS * 1e6)
    return min(took_us)


def wakes():
    """How often the threads of this process have slept, or have been made to, but for the main one, which asks."""
    count = 0
    for status in Path("/proc/self/task").glob("*/status"):
        if status.parent.name != str(os.getpid()):
            lines = status.read_text(encoding="ascii").splitlines()
            count += sum(int(line.split()[1]) for line in lines if "ctxt_switches" in line)
    return count


class Nothing:
    """No edges."""

    @staticmethod
    def note(*ignored):
        raise AssertionError("nothing moves")

    @staticmethod
    def wait():
        """Let threads that have just begun come to rest."""
        # Before anything is measured.
        time.sleep(1)


def idle(library):
    """Print how often anything wakes up while a button has nothing to say."""
    LIBRARIES[library](None, Nothing, "idle")
    before = wakes()
    # What is measured is that nothing happens in this time.
    time.sleep(IDLE_S)
    print(json.dumps({"library": library, "place": "idle", "wakes": wakes() - before}), flush=True)
    os._exit(0)


def together():
    """Print what LED.on() costs with lgpio's factory and with RPIO's, called in turn in one process."""
    import gpiozero
    from gpiozero.pins.lgpio import LGPIOFactory

    from RPIO.gpiozero_pins import RPIOFactory

    os.environ["RPIO_BACKEND"] = "cdev"
    factories = {"gpiozero": (LGPIOFactory(), OUT), "gpiozero-rpio": (RPIOFactory(), IN)}
    leds = {name: gpiozero.LED(line, pin_factory=made) for name, (made, line) in factories.items()}
    found = {name: [] for name in leds}
    for _ in range(TURNS):
        for name, led in leds.items():
            found[name].append(best_us(led.on))
    for name, took_us in found.items():
        print(json.dumps({"library": name, "place": "together", "write_us": statistics.median(took_us)}))
    sys.stdout.flush()
    os._exit(0)


def main(library, place, count):
    if place == "idle":
        idle(library)
    if place == "together":
        together()
    chip = gpiosim.find("pinctrl-bcm2835")
    edges = Edges(
        chip, int(count), watched(place) if place == "busy" else (IN,), BURST if place in BURSTS else 1
    )
    write = LIBRARIES[library](chip, edges, place)
    latencies = edges.latencies_us()
    figures = {"library": library, "place": place, "edges": len(latencies)}
    figures |= {"write_us": best_us(write), "call_us": best_us(os.getppid), "worst_us": latencies[-1]}
    figures["switches"] = edges.switches
    for name, share in (("p50_us", 0.5), ("p99_us", 0.99)):
        figures[name] = latencies[int(share * (len(latencies) - 1))]
    print(json.dumps(figures), flush=True)
    os._exit(0)  # without the libraries' own ends: some wait for threads that nobody stops


if __name__ == "__main__":
    main(*sys.argv[1:])
