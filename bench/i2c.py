# SPDX-License-Identifier: LGPL-3.0-or-later
"""I2C: a byte of a simulated chip over RPIO's own protocol beside a pin; clients that share a bus; SMBus beside smbus2.

    bench/i2c.py [CALLS]      the figures as JSON; CALLS is how many are made while the memory is looked at
    bench/i2c.py serve        the other side: says its port, and serves until its standard input ends
    bench/i2c.py guest        SMBus and smbus2 in turn on the kernel's i2c-stub, in the kernel rig

Calls take turns, one by one; server and this program have one processor between them. A pair of figures is that of the
middle one of the rounds, by its ratio.
"""

import json
import os
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

from gpiochip import RIG, why_not  # noqa: F401  # this part needs the rig too
from remote import ROUNDS, TAILS, middle
from table import blank, filled

CALLS = 2000
ADDRESS, REGISTER, STUB = 0x50, 3, 0x48
CLIENTS, CLIENT_CALLS = 50, 200
LEAK_CALLS, LEAK_MOST_MB = 100_000, 1
READS_PER_S = 20_000
ROWS = [
    *(
        blank(
            f"i2c: a byte over RPIO's protocol: {tail}", "a pin's read", "us", 2.0 if tail == "p50" else None
        )
        for tail in TAILS
    ),
    blank("i2c: 32 bytes, one round trip: median", "a byte", "us", 1.5),
    blank("i2c: 50 clients at a bus: the slowest's time", "the median's", "ms", 3.0),
    blank("i2c: kept after 100,000 calls", "1 MB", "MB", 1.0),
    blank("i2c: a conversion of a simulated ADS1115", "20,000 a second", "us", 1.0),
    blank("i2c: read_byte_data on i2c-stub: median", "smbus2", "us", 1.05),
    blank("i2c: write_byte_data on i2c-stub: median", "smbus2", "us", 1.05),
]


def serve():
    """A program that serves a simulated board with a chip of registers."""
    import RPIO
    from RPIO.chips.buses import i2c_bus
    from RPIO.chips.registers import Registers

    RPIO.use("sim:4B")
    i2c_bus(RPIO.sim.backend(), 1).add(ADDRESS, Registers())
    print(RPIO.serve_remote(port=0), flush=True)
    threading.Thread(
        target=lambda: (sys.stdin.read(), RPIO.stop_waiting_for_interrupts()), daemon=True
    ).start()
    RPIO.wait_for_interrupts()


def in_turn(theirs, ours, calls=CALLS, rounds=ROUNDS):
    """Both times of two calls that take turns, in microseconds, of the middle round: by the names of TAILS."""
    found = []
    for _ in range(rounds):
        times = [], []
        for _ in range(calls):
            for call, took in zip((theirs, ours), times, strict=True):
                begin = time.perf_counter_ns()
                call()
                took.append(time.perf_counter_ns() - begin)
        found.append(times)
    return middle(found)


def fairness(port):
    """How long each of many clients takes for as many calls, at once: the middle one and the last, in ms."""
    import RPIO
    from RPIO.i2c import SMBus

    boards = [RPIO.connect(f"localhost:{port}") for _ in range(CLIENTS)]
    barrier, took = threading.Barrier(CLIENTS), []

    def work(bus):
        barrier.wait()
        worst = 0
        for _ in range(CLIENT_CALLS):
            begin = time.perf_counter()
            bus.read_word_data(ADDRESS, REGISTER)
            worst = max(worst, time.perf_counter() - begin)
        took.append(time.perf_counter() - start)

    start = time.perf_counter()
    workers = [threading.Thread(target=work, args=(SMBus(1, board=board),)) for board in boards]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for board in boards:
        board.close()
    return statistics.median(took) * 1e3, max(took) * 1e3


def memory_mb(pid):
    text = Path(f"/proc/{pid}/status").read_text()
    return int(text.split("\nVmRSS:")[1].split()[0]) / 1024


def ads1115():
    """One conversion that is read, in microseconds."""
    from RPIO.backends.sim import SimBackend
    from RPIO.chips.ads1115 import Ads1115
    from RPIO.chips.buses import i2c_bus
    from RPIO.i2c import SMBus
    from RPIO.machine.boards import by_name

    sim = SimBackend(by_name("4B"))
    bus = i2c_bus(sim, 1)
    chip = Ads1115(sim)
    bus.add(STUB, chip)
    smbus = SMBus.on(bus)
    smbus.write_i2c_block_data(STUB, 1, [0x42, 0x83])  # continuous
    begin = time.perf_counter()
    for _ in range(READS_PER_S):
        smbus.read_word_data(STUB, 0)
    took_s = time.perf_counter() - begin
    sim.close()
    return took_s / READS_PER_S * 1e6


def guest():
    """Both on the same chip of the kernel's, in turn."""
    import smbus2

    from RPIO.i2c import SMBus

    name = next(Path("/sys/bus/i2c/devices").glob("i2c-*")).name
    with smbus2.SMBus(f"/dev/{name}") as theirs, SMBus(f"/dev/{name}") as ours:
        print(
            json.dumps(
                [
                    in_turn(
                        lambda: theirs.read_byte_data(STUB, REGISTER),
                        lambda: ours.read_byte_data(STUB, REGISTER),
                    )["p50"],
                    in_turn(
                        lambda: theirs.write_byte_data(STUB, REGISTER, 7),
                        lambda: ours.write_byte_data(STUB, REGISTER, 7),
                    )["p50"],
                ]
            )
        )


def in_rig():
    """What guest() prints there."""
    command = [RIG, "run", "--timeout", "120", "--", sys.executable, __file__, "guest"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return next(json.loads(line) for line in done.stdout.splitlines() if line.startswith("[["))


def run(calls):
    """All figures, but for those of the rig."""
    import RPIO
    from RPIO.i2c import SMBus

    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, [min(before)])
    command = [sys.executable, __file__, "serve"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as there:
        port = int(there.stdout.readline())
        with RPIO.connect(f"localhost:{port}") as board:
            board.setup(17, RPIO.IN)
            bus = SMBus(1, board=board)
            byte = in_turn(lambda: board.input(17), lambda: bus.read_byte_data(ADDRESS, REGISTER))
            block = in_turn(
                lambda: bus.read_byte_data(ADDRESS, REGISTER),
                lambda: bus.read_i2c_block_data(ADDRESS, REGISTER, 32),
            )["p50"]
            kept = memory_mb(there.pid) + memory_mb(os.getpid())
            for number in range(calls):
                bus.write_byte_data(ADDRESS, number & 0xFF, number & 0xFF)
            kept = max(0.0, memory_mb(there.pid) + memory_mb(os.getpid()) - kept)
        os.sched_setaffinity(0, before)
        fair = fairness(port)
        there.stdin.close()
    return [
        *(byte[tail] for tail in TAILS),
        block,
        fair,
        (LEAK_MOST_MB, kept),
        (1e6 / READS_PER_S, ads1115()),
    ]


def rows():
    """Beside a pin, smbus2, or what was promised."""
    done = subprocess.run([sys.executable, __file__], capture_output=True, text=True, check=True)
    return filled(ROWS, [*json.loads(done.stdout), *in_rig()])


if __name__ == "__main__":
    if sys.argv[1:] == ["serve"]:
        serve()
    elif sys.argv[1:] == ["guest"]:
        guest()
    else:
        print(json.dumps(run(int(sys.argv[1]) if len(sys.argv) > 1 else LEAK_CALLS)))
