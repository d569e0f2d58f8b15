# SPDX-License-Identifier: LGPL-3.0-or-later
"""RPIO.PWM by DMA, as whole programs: registers are a file, /dev/vcio is preloaded (vcio.c), the rest is real.

What the registers do is judged on the modelled SoC (c/test_dma_rings.py). Here it is that a program gets its channel,
that nothing runs on when it ends, however it ends, and that it hears why where it cannot have one.
"""

import json
import mmap
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from test_dma_channels import PI3, Machine
from waiting import LIMIT_S, wait_until

HERE = Path(__file__).resolve().parent
BASE, MEM_BYTES = 0x3F000000, 0x3F300000
DMA, CLOCKS, PWM_BLOCK, GPIO = 0x007000, 0x101000, 0x20C000, 0x200000
CS, CONTROL_BLOCK = 0x00, 0x04
GPCLR0 = 0x28
START, RESET = 0x10880001, 0x80000000
CHANNEL = 14
ENABLE, BUSY = 1 << 4, 1 << 7

PROGRAM = """
import os, signal, sys, time
from RPIO import PWM, _gpio, facade
from RPIO.machine import boards
from RPIO.pulses import dma_engine as dma
from RPIO.backends.regs import RegsBackend
import RPIO
dma.ROOT = {root!r}
mem = {root!r} + "/dev/mem"
block = _gpio.Registers("brcm,bcm2835-gpio", mem, 0x3F200000)
facade.board.use(RegsBackend(block, "bcm2835", mem), boards.by_name("3B+"))
{body}
"""
RUNNING = """
PWM.setup()
PWM.init_channel(14)
PWM.add_channel_pulse(14, 17, 0, 150)
print(os.getpid(), facade.board.pulses.channels.engine.guardian_pid, flush=True)
"""


class Pi:
    """A Raspberry Pi 3 whose registers are a file."""

    def __init__(self, folder, library):
        self.root, self.library = folder, library
        self.machine = Machine(folder).node(PI3).channels(11)
        (folder / "dev").mkdir()
        (folder / "dev/vcio").touch()
        (folder / "proc/sys/kernel/random").mkdir(parents=True)
        (folder / "proc/sys/kernel/random/boot_id").write_text("this-boot\n")
        (folder / "proc/device-tree/soc/ranges").write_bytes(
            b"".join(word.to_bytes(4, "big") for word in (0x7E000000, BASE, 0x01000000))
        )
        with (folder / "dev/mem").open("wb") as file:
            file.truncate(MEM_BYTES)
        with (folder / "dev/mem").open("r+b") as file:
            self.mem = mmap.mmap(file.fileno(), MEM_BYTES - BASE, offset=BASE)
        self.log = folder / "vcio.log"
        self.state = folder / "run/rpio/dma.state"
        self.started = []
        self.ends = threading.Event()
        self.clocks = threading.Thread(target=self._run_clocks)
        self.clocks.start()

    def _run_clocks(self):
        """A clock that is enabled is busy."""
        while not self.ends.wait(0.001):
            for control in (0x98, 0xA0):
                value = self.register(CLOCKS, control)
                is_on = bool(value & ENABLE)
                if is_on != bool(value & BUSY):
                    self.set_register(CLOCKS, control, value ^ BUSY)

    def register(self, block, offset):
        return int.from_bytes(self.mem[block + offset : block + offset + 4], "little")

    def set_register(self, block, offset, value):
        self.mem[block + offset : block + offset + 4] = value.to_bytes(4, "little")

    def cs(self, channel=CHANNEL):
        return self.register(DMA, channel * 0x100 + CS)

    def requests(self):
        return self.log.read_text().split("\n")[:-1] if self.log.exists() else []

    def start(self, body, **env):
        code = textwrap.dedent(PROGRAM).format(root=str(self.root), body=textwrap.dedent(body))
        process = subprocess.Popen(
            [sys.executable, "-u", "-c", code],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "LD_PRELOAD": str(self.library), "VCIO_LOG": str(self.log)} | env,
        )
        self.started.append(process)
        return process

    def run(self, body, **env):
        """Run a program; its output."""
        return self.start(body, **env).communicate(timeout=LIMIT_S)[0]

    def close(self):
        for process in self.started:
            with process:
                process.kill()
        self.ends.set()
        self.clocks.join()
        self.mem.close()


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    path = tmp_path_factory.mktemp("vcio") / "vcio.so"
    command = ["cc", "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", path, HERE / "vcio.c", "-ldl"]
    subprocess.run(command, check=True)
    return path


@pytest.fixture
def pi(tmp_path, library):
    pi = Pi(tmp_path, library)
    yield pi
    pi.close()


def is_alive(pid):
    """Whether it runs; what nobody has waited for yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def pids(process):
    return tuple(int(word) for word in process.stdout.readline().split())


def test_a_program_has_its_channel(pi):
    process = pi.start(RUNNING + "sys.stdin.read() or time.sleep(60)")
    pid, guardian = pids(process)
    assert pi.cs() == START
    assert pi.register(DMA, CHANNEL * 0x100 + CONTROL_BLOCK) == 0xD0100000 + 2000 * 32  # fills the FIFO
    assert (pi.register(PWM_BLOCK, 0x00), pi.register(PWM_BLOCK, 0x10)) == (0x21, 100)
    assert pi.register(CLOCKS, 0xA4) == 0x5A032000
    assert pi.requests() == ["allocate 34"]
    state = json.loads(pi.state.read_text())
    assert state == {
        "boot": "this-boot",
        "pid": pid,
        "channels": {"14": {"lines": 1 << 17, "handles": [1, 0]}},
    }
    assert wait_until(lambda: Path(f"/proc/{guardian}/comm").read_text() == "rpio-guard\n")
    status = dict(line.split(":\t", 1) for line in Path(f"/proc/{guardian}/status").read_text().splitlines())
    assert int(status["PPid"]) != pid  # no wait() of the program finds it


def test_what_runs_takes_no_processor_time(pi):
    process = pi.start(RUNNING + "time.sleep(60)")
    numbers = pids(process)

    def spent():
        """Context switches and clock ticks of the program and of its guardian."""
        found = []
        for pid in numbers:
            status = Path(f"/proc/{pid}/status").read_text()
            switches = [line for line in status.split("\n") if "ctxt_switches" in line]
            found.append((switches, Path(f"/proc/{pid}/stat").read_text().split()[13:15]))
        return found

    def is_at_rest():
        """Whether the start is over: nothing happens for a while."""
        before = spent()
        time.sleep(0.1)
        return spent() == before

    assert wait_until(is_at_rest)
    before = spent()
    time.sleep(1)  # what is measured
    assert spent() == before


ENDS = {
    "end": "",
    "exception": "raise KeyError",
    "exit": "os._exit(3)",
    "cleanup": "PWM.cleanup()\nprint('clean', flush=True)\ntime.sleep(60)",
}


def seconds_until_nothing_runs(pi, how):
    """Have a program end like that, and look at all of what is left of it."""
    pi.log.unlink(missing_ok=True)
    for block, offset in ((DMA, CHANNEL * 0x100 + CS), (GPIO, GPCLR0)):
        pi.set_register(block, offset, 0)
    process = pi.start(RUNNING + ENDS.get(how, "time.sleep(60)"))
    _, guardian = pids(process)
    if how == "cleanup":
        assert process.stdout.readline() == "clean\n"
    elif how not in ENDS:
        assert pi.cs() == START
        process.send_signal(getattr(signal, how))
    if how != "cleanup":
        process.communicate(timeout=LIMIT_S)
    ended = time.monotonic()
    assert wait_until(lambda: pi.cs() == RESET and not pi.state.exists() and not is_alive(guardian))
    took_s = time.monotonic() - ended
    assert pi.register(GPIO, GPCLR0) == 1 << 17
    assert pi.requests() == ["allocate 34", "unlock 1", "release 1"]
    assert pi.register(PWM_BLOCK, 0x00) == 0
    if how == "cleanup":
        process.kill()
    return took_s


@pytest.mark.parametrize("how", [*ENDS, "SIGTERM", "SIGINT", "SIGKILL"])
def test_nothing_runs_on_when_the_program_has_ended(pi, how):
    """100 ms is what the documents promise: a busy machine may miss that, but not three times."""
    assert any(seconds_until_nothing_runs(pi, how) < 0.1 for _ in range(3))


def test_a_child_that_lives_on_does_not_keep_the_guardian_waiting(pi):
    process = pi.start(RUNNING + "if os.fork() == 0: time.sleep(20); os._exit(0)\ntime.sleep(60)")
    _, guardian = pids(process)
    process.kill()
    assert wait_until(lambda: pi.cs() == RESET and not is_alive(guardian), 15)
    process.wait()


def test_a_child_stops_nothing(pi):
    out = pi.run(
        RUNNING
        + """
        if os.fork() == 0:
            print(PWM.is_setup(), flush=True)
            sys.exit()
        os.wait()
        print(hex(facade.board.pulses.channels.engine.info(14)["handles"][0]), flush=True)
        os.write(1, b"before the end\\n")
        """.replace("\n        ", "\n")
    )
    assert out.split("\n", 1)[1] == "False\n0x1\nbefore the end\n"
    assert pi.requests() == ["allocate 34", "unlock 1", "release 1"]  # once


def test_what_outlived_its_guardian_is_stopped_by_the_next_program(pi):
    process = pi.start(RUNNING + "time.sleep(60)")
    _, guardian = pids(process)
    os.kill(guardian, signal.SIGKILL)
    wait_until(lambda: not is_alive(guardian))
    process.kill()
    process.wait()
    assert pi.cs() == START
    assert pi.run("PWM.setup()\nprint('set up')") == "set up\n"
    assert pi.cs() == RESET
    assert pi.register(GPIO, GPCLR0) == 1 << 17
    assert pi.requests() == ["allocate 34", "unlock 1", "release 1"]


def test_a_state_file_of_another_boot_is_not_believed(pi):
    pi.state.parent.mkdir(parents=True)
    channels = {"14": {"lines": 1, "handles": [7, 0]}}
    pi.state.write_text(json.dumps({"boot": "another", "pid": 1, "channels": channels}))
    assert pi.run("PWM.setup()\nprint('set up')") == "set up\n"
    assert pi.requests() == []


@pytest.mark.parametrize(
    ("text", "ignored"),
    [
        ("no json", "all of it"),
        ("\udcff", "all of it"),
        ("[]", "all of it"),
        ('{"boot": "this-boot"}', "all of it"),
        ('{"boot": "this-boot", "channels": []}', "all of it"),
        *(
            (f'{{"boot": "this-boot", "channels": {{"{channel}": {left}}}}}', f"channel '{channel}', ")
            for channel, left in (
                ("14", "5"),
                ("14", "null"),
                ("14", "[]"),
                ("14", '{"lines": 1}'),
                ("14", '{"lines": -1, "handles": [7, 0]}'),
                ("14", '{"lines": 4294967296, "handles": [7, 0]}'),
                ("14", '{"lines": "1", "handles": [7, 0]}'),
                ("14", '{"lines": 1, "handles": [7]}'),
                ("14", '{"lines": 1, "handles": [7, 0, 0]}'),
                ("14", '{"lines": 1, "handles": "ab"}'),
                ("x", '{"lines": 1, "handles": [7, 0]}'),
                ("-1", '{"lines": 1, "handles": [7, 0]}'),
                ("99", '{"lines": 1, "handles": [7, 0]}'),
            )
        ),
    ],
)
def test_a_damaged_state_file_is_no_obstacle(pi, text, ignored):
    pi.state.parent.mkdir(parents=True)
    pi.state.write_text(text, errors="surrogateescape")
    out = pi.run("PWM.setup()\nprint('set up')").split("\n")
    assert out[0].startswith(f"{pi.state} is damaged, or another version's: ignored is {ignored}")
    assert out[1:] == ["set up", ""]
    assert pi.requests() == [] and pi.cs() == 0


def test_what_is_usable_in_a_damaged_state_file_is_stopped(pi):
    pi.state.parent.mkdir(parents=True)
    channels = {"x": 5, "14": {"lines": 1 << 17, "handles": [7, 0]}}
    pi.state.write_text(json.dumps({"boot": "this-boot", "pid": 1, "channels": channels}))
    pi.set_register(DMA, CHANNEL * 0x100 + CS, START)
    assert pi.run("PWM.setup()\nprint('set up')").endswith("\nset up\n")
    assert pi.cs() == RESET and pi.register(GPIO, GPCLR0) == 1 << 17


def test_one_program_at_a_time(pi):
    process = pi.start(RUNNING + "time.sleep(60)")
    pid, _ = pids(process)
    out = pi.run("PWM.setup()")
    assert f"DMAError: Another program has the DMA engine: process {pid} (" in out
    assert pi.cs() == START


@pytest.mark.parametrize(
    ("body", "env", "text"),
    [
        ("os.unlink(dma.ROOT + '/dev/vcio'); PWM.setup()", {}, "NotSupportedError: Pulses by DMA need"),
        ("os.chmod(dma.ROOT + '/dev/mem', 0o600); os.seteuid(65534); PWM.setup()", {}, "run with sudo"),
        ("PWM.setup()", {"VCIO_STRICT": "1"}, "CONFIG_STRICT_DEVMEM, IO_STRICT_DEVMEM"),
        ("PWM.setup()", {"VCIO_STRICT": "1"}, "iomem=relaxed"),
        (
            "PWM.setup(); PWM.init_channel(14)",
            {"VCIO_REFUSE": "1"},
            "The VideoCore has no 0.1 MB of memory for the 2000 slots of DMA channel 14",
        ),
        (
            "PWM.setup(1); PWM.init_channel(0, 110_000)",
            {"VCIO_REFUSE": "1"},
            "The VideoCore has no 7.5 MB of memory for the 110000 slots of DMA channel",
        ),
        ("PWM.setup(); PWM.init_channel(15)", {}, "maximum channel is 14 (requested channel 15)"),
        ("PWM.setup(); PWM.setup(5)", {}, "setup(..) has already been called before"),
        (
            "PWM.Servo(0).set_servo(17, 1500); PWM.Servo(0, 10000).set_servo(18, 1500)",
            {},
            "has already been initialized with",
        ),
        ("PWM.Servo(5).set_servo(17, 1500); PWM.init_channel(5)", {}, "channel 5 already initialized."),
    ],
)
def test_what_cannot_be_is_said_and_leaves_nothing_running(pi, body, env, text):
    out = pi.run(body, **env)
    assert text in out
    error = out.strip().split("\n")
    assert any(line.startswith(("RPIO.", "AttributeError", "RuntimeError")) for line in error), out
    wait_until(lambda: not pi.state.exists())
    assert all(pi.cs(channel) & 1 == 0 for channel in range(15))
    log = pi.requests()
    given = [line for line in log if line.startswith("allocate")]
    released = [line for line in log if line.startswith("release")]
    assert len(given) == len(released) or env
    assert pi.register(PWM_BLOCK, 0x00) == 0


TREES = {
    "Raspberry Pi's kernel: 0 is kept for its older interface": (
        0x7F35,
        10,
        "kept by the kernel's DMA driver for itself",
    ),
    "a mask without 0": (0x7F34, 10, "the firmware's"),
    "upstream": (0x7F35, 11, "in use by a driver of the kernel"),
}


def give_tree(pi, mask, shown, used):
    """Another machine: that mask, so many channels shown, of which these are in use."""
    for folder in ("sys/class/dma", "sys/devices/platform/soc/3f007000.dma"):
        shutil.rmtree(pi.root / folder)
    pi.machine.node(mask).channels(shown, used=used)


@pytest.mark.parametrize("number", [0, 1, 2, 4, 9, 11, 13, 14])
@pytest.mark.parametrize("tree", TREES)
def test_the_number_of_a_channel_is_a_name(pi, tree, number):
    """As root on a Pi 3: what programs call their channel is served by a DMA channel that is free."""
    mask, shown, why_not_0 = TREES[tree]
    give_tree(pi, mask, shown, range(3))
    out = pi.run(
        f"""
        import logging
        logging.basicConfig(level=logging.INFO, format="%(message)s")
        PWM.Servo({number}, 20000, 10).set_servo(17, 1500)
        PWM.print_channel({number})
        print(facade.board.pulses.channels.channel({number}).means.name)
        """
    ).splitlines()
    assert out[-1] == "dma"
    described = out[-3]
    assert described.startswith(f"channel {number}: 2000 slots of 10 us (20000 us), by DMA channel ")
    served_by = int(described.split("by DMA channel ")[1].split(",")[0])
    assert mask >> served_by & 1 and served_by > 2
    if served_by != number:
        assert out[0].startswith(
            f"Channel {number} of RPIO.PWM runs on DMA channel {served_by}: DMA channel {number} is"
        )
        assert number or why_not_0 in out[0]
    assert pi.cs(served_by) & 1 == 0  # given back


@pytest.mark.parametrize("tree", TREES)
def test_where_no_channel_is_free_the_c_timer_serves(pi, tree):
    mask, shown, _ = TREES[tree]
    give_tree(pi, mask, shown, range(shown))
    out = pi.run(
        """
        PWM.setup()
        PWM.init_channel(0)
        PWM.add_channel_pulse(0, 17, 0, 150)
        PWM.print_channel(0)
        servo = PWM.Servo(0)
        print(PWM.is_channel_initialized(0), servo.means)
        try:
            PWM.Servo(1, means="dma").set_servo(18, 1500)
        except RuntimeError as e:
            print(e)
        PWM.cleanup()
        print(facade.board.backend.read(17))
        """
    ).splitlines()
    reason = "No DMA channel is free: the firmware and the kernel's drivers have them"
    assert out == [
        f"Channel 0 of RPIO.PWM is not by DMA: {reason}. The C timer makes its pulses instead.",
        "channel 0: 2000 slots of 10 us (20000 us), by the C timer",
        "  GPIO 17: 0+150",
        "True soft",
        reason,
        "0",
    ]


def test_a_third_channel_is_the_c_timers(pi):
    """Two clocks pace DMA; a program with three channels runs all the same."""
    out = pi.run(
        """
        PWM.setup()
        for number, line in ((0, 17), (1, 18), (2, 22)):
            PWM.init_channel(number)
            PWM.add_channel_pulse(number, line, 0, 100)
            PWM.print_channel(number)
        print([facade.board.pulses.channels.channel(number).means.name for number in range(3)])
        PWM.clear_channel_gpio(2, 22)
        PWM.add_channel_pulse(2, 22, 5, 0)
        RPIO.cleanup(22)
        PWM.cleanup()
        """
    )
    assert "Channel 2 of RPIO.PWM is not by DMA: No DMA channel more can run" in out
    assert out.endswith("['dma', 'dma', 'soft']\n")
    assert "channel 2: 2000 slots of 10 us (20000 us), by the C timer\n" in out


def test_a_channel_that_is_at_work_is_left_alone(pi):
    pi.set_register(DMA, 5 * 0x100 + CS, 1)
    out = pi.run("PWM.setup(); PWM.init_channel(5); PWM.print_channel(5)")
    assert "by DMA channel 14, " in out
    assert pi.cs(5) == 1


def test_a_servo_takes_a_channel_that_is_free(pi):
    out = pi.run(
        """
        servo = PWM.Servo()
        servo.set_servo(17, 1500)
        servo.set_servo(18, 900)
        servo.set_servo(17, 1400)
        servo.set_servo(22, 0)
        print(servo.means, servo.means_of(17))
        PWM.print_channel(0)
        servo.stop_servo(18)
        """
    )
    assert out == (
        "dma dma\n"
        "channel 0: 2000 slots of 10 us (20000 us), by DMA channel 14, paced by PWM (the headphone output), "
        "34 pages of memory, running\n"
        "  GPIO 17: 0+140\n"
        "  GPIO 18: 0+90\n"
        "  GPIO 22: no pulse\n"
    )


def test_pulses_are_laid_over_each_other_by_dma(pi):
    out = pi.run(
        """
        PWM.setup()
        PWM.init_channel(0)
        for start, width in ((0, 990), (0, 200), (100, 300), (150, 0), (1000, 1000), (900, 200)):
            PWM.add_channel_pulse(0, 17, start, width)
            print(sorted(facade.board.pulses.channels.channel(0).pulses[17].items()))
        dma_channel = facade.board.pulses.channels.engine._dma
        levels = [dma_channel.level(0, 17, slot) for slot in range(2000)]
        print([slot for slot in range(2000) if levels[slot] != levels[slot - 1]], levels[0])
        """
    ).splitlines()
    assert out == [
        "[(0, 990)]",
        "[(0, 200)]",
        "[(0, 100), (100, 300)]",
        "[(0, 100), (100, 50)]",
        "[(0, 100), (100, 50), (1000, 1000)]",
        "[(0, 100), (100, 50), (900, 200)]",
        "[0, 150, 900, 1100] 1",
    ]


def test_a_servo_that_may_not_have_dma_takes_the_timer(pi):
    out = pi.run("servo = PWM.Servo()\nservo.set_servo(17, 1500)\nprint(servo.means)", VCIO_STRICT="1")
    assert "PWM by DMA is not possible here: " in out
    assert out.endswith("soft\n")


def test_a_wave_is_played_by_dma(pi):
    out = pi.run(
        """
        RPIO.setup([17, 18], RPIO.OUT)
        wave = RPIO.wave([(17, 1, 500), (17, 0, 250), (18, 1, 250)], repeat=2)
        print(wave.means, wave.is_playing, facade.board.pulses.channels.slot_us)
        wave.stop()
        try:
            RPIO.wave([(17, 1, 0.5), (17, 0, 1)], means="dma")
        except RPIO.DMAError as e:
            print(e)
        """
    )
    assert out == ("dma True 50\nThis wave cannot be played by DMA: its delays are no whole microseconds\n")


def test_cleanup_of_a_line_ends_its_pulses(pi):
    out = pi.run(
        RUNNING
        + """
PWM.add_channel_pulse(14, 18, 5, 5)
RPIO.cleanup(17)
PWM.print_channel(14)
try:
    RPIO.PWM(18, 50)
except RuntimeError as e:
    print(e)
"""
    )
    assert out.split("\n")[2:4] == [
        "  GPIO 18: 5+5",
        "GPIO 18 is driven by channel 14 of RPIO.PWM already",
    ]


# -- what a program may do all the same ---------------------------------------------------------------------


@pytest.mark.slow
def test_a_child_does_not_keep_the_engine_from_others(pi):
    out = pi.run(
        RUNNING
        + """
if os.fork() == 0:
    time.sleep(2)  # a child that outlives what the parent does next
    os._exit(0)
PWM.cleanup()
PWM.setup(5)
print("again", flush=True)
os._exit(0)
"""
    )
    assert out.split("\n")[1] == "again"
    assert pi.run("PWM.setup()\nprint('set up')") == "set up\n"


def test_an_engine_that_stands_still_keeps_nobody_waiting(pi):
    """As when a driver takes the hardware that paces it, within a pulse."""
    out = pi.run(
        RUNNING
        + f"""
with open(mem, "r+b") as file:
    file.seek({BASE + DMA + CHANNEL * 0x100 + CONTROL_BLOCK})
    file.write((0xD0100000 + 32 * 10).to_bytes(4, "little"))
PWM.clear_channel(14)
print("cleared")
PWM.cleanup()
print("ended")
"""
    )
    assert out.count("DMA channel 14 does not advance") == 2
    assert "cleared\n" in out
    assert out.endswith("ended\n")


def test_the_functions_cleanup_ends_waves_as_well(pi):
    out = pi.run(
        """
        RPIO.setup(17, RPIO.OUT)
        PWM.setup()
        wave = RPIO.wave([(17, 1, 500), (17, 0, 500)], repeat=None)
        PWM.cleanup()
        print(wave.means, wave.is_playing)
        PWM.setup()
        PWM.init_channel(14)
        wave.stop()
        PWM.add_channel_pulse(14, 17, 0, 5)
        print(facade.board.pulses.channels.engine.info(14)["is_active"])
        """
    )
    assert out == "dma False\nTrue\n"


def test_a_wave_does_not_set_up_channels(pi):
    out = pi.run(
        """
        RPIO.setup(17, RPIO.OUT)
        with RPIO.wave([(17, 1, 500), (17, 0, 300)], repeat=None) as wave:
            print(wave.means, PWM.is_setup())
            try:
                PWM.setup()
            except RuntimeError as e:
                print(e)
        PWM.setup()
        print(PWM.get_pulse_incr_us())
        """
    )
    assert out == "dma False\na wave is being played by DMA, with slots of its own\n10\n"


def test_waves_for_which_there_is_no_channel_are_played_by_the_timer(pi):
    out = pi.run(
        """
        lines = [17, 18, 22]
        RPIO.setup(lines, RPIO.OUT)
        waves = [RPIO.wave([(line, 1, 500), (line, 0, 500)], repeat=None) for line in lines]
        print([wave.means for wave in waves])
        for wave in waves:
            wave.stop()
        print([RPIO.PWM(line, 50).means for line in lines])
        """
    )
    assert out == "['dma', 'dma', 'soft']\n['soft', 'soft', 'soft']\n"


@pytest.mark.parametrize("name", ["dma.lock", "dma.state.new"])
def test_files_that_cannot_be_written_are_an_error_and_nothing_runs(pi, name):
    (pi.root / "run/rpio" / name).mkdir(parents=True)
    out = pi.run(RUNNING)
    assert "RPIO.errors.DMAError" in out
    assert pi.cs() & 1 == 0


def test_what_cannot_be_written_down_is_refused_before_anything_has_started(pi):
    """No memory is asked for, and no channel begins: a program that is killed then would leave it running for ever."""
    (pi.root / "run/rpio/dma.state.new").mkdir(parents=True)
    out = pi.run(RUNNING)
    assert "RPIO.errors.DMAError" in out
    assert pi.requests() == []
    assert pi.register(DMA, CHANNEL * 0x100 + CONTROL_BLOCK) == 0
    assert pi.cs() == 0


@pytest.mark.slow
def test_threads_may_play_waves(pi):
    out = pi.run(
        """
        import threading
        RPIO.setup([17, 18], RPIO.OUT)
        errors = []
        def play(line):
            try:
                for _ in range(20):
                    RPIO.wave([(line, 1, 500), (line, 0, 500)], repeat=None).stop()
            except Exception as e:
                errors.append(e)
        threads = [threading.Thread(target=play, args=(line,)) for line in (17, 18)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        print(errors, facade.board.pulses.channels.engine)
        """
    )
    assert out == "[] None\n"
    assert pi.cs() & 1 == 0


def test_an_overlay_keeps_its_pwm_hardware(pi):
    chip = pi.root / "sys/devices/platform/soc/3f20c000.pwm/pwm/pwmchip0"
    chip.mkdir(parents=True)
    (chip / "device").symlink_to(chip.parents[1])
    (pi.root / "sys/class/pwm").mkdir(parents=True)
    (pi.root / "sys/class/pwm/pwmchip0").symlink_to(chip)
    out = pi.run("PWM.setup()\nPWM.init_channel(14)\nPWM.print_channel(14)\nPWM.init_channel(13)")
    assert "Channel 13 of RPIO.PWM is not by DMA: " in out
    assert "An overlay has the PWM hardware: DMA is paced by PCM instead" in out
    assert "paced by PCM (I2S)" in out
    assert "No DMA channel more can run" in out
    assert pi.register(PWM_BLOCK, 0x10) == 0  # untouched


def test_servos_share_a_channel(pi):
    out = pi.run(
        """
        for line in (17, 18, 22, 23):
            PWM.Servo().set_servo(line, 1500)
        PWM.Servo().set_servo(17, 1600)
        PWM.print_channel(0)
        """
    )
    assert out.count("GPIO") == 4
    assert "GPIO 17: 0+160" in out


# --- PWM objects

CHANNELS = """
def pulses():
    lines = [line for number in range(15) if PWM.is_channel_initialized(number)
             for line in facade.board.pulses.channels.describe(number).splitlines()]
    return " ".join("ch" + line.split()[1][:-1] if line.startswith("channel") else
                    line.replace(" ", "").replace("GPIO", "") for line in lines)

PWM.setup()
RPIO.setup([17, 18, 22, 27], RPIO.OUT)
"""


def with_channels(pi, body):
    return pi.run(CHANNELS + textwrap.dedent(body)).splitlines()


def test_pwm_takes_dma_after_setup(pi):
    out = with_channels(
        pi,
        """
        lamp, fan = RPIO.PWM(17, 50), RPIO.PWM(18, 50)
        print(lamp.means)
        lamp.start(25)
        fan.start(0)
        print(lamp.means, fan.means, pulses())
        fan.ChangeDutyCycle(100)
        lamp.ChangeDutyCycle(33.333)
        print(pulses())
        lamp.ChangeDutyCycle(0)
        print(pulses())
        lamp.stop()
        print(pulses(), lamp.means)
        lamp.start(50)
        print(pulses())
        """,
    )
    assert out == [
        "dma",
        "dma dma ch0 17:0+500 18:nopulse",
        "ch0 17:0+667 18:0+2000",
        "ch0 17:nopulse 18:0+2000",
        "ch0 18:0+2000 dma",
        "ch0 17:0+1000 18:0+2000",
    ]


def test_pwm_that_dma_cannot_make_is_the_c_timers(pi):
    """A period that is too short, or no multiple of the slots; and what runs by the timer stays there."""
    out = with_channels(
        pi,
        """
        for frequency in (1000, 60, 334, 0.5):
            print(RPIO.PWM(17, frequency).means)
        lamp = RPIO.PWM(17, 1000)
        lamp.start(50)
        lamp.ChangeFrequency(50)
        print(lamp.means, pulses())
        lamp.stop()
        lamp.start(50)
        print(lamp.means, pulses())
        """,
    )
    assert out == ["soft", "soft", "soft", "soft", "soft ", "dma ch0 17:0+1000"]


def test_a_change_of_frequency_changes_the_channel_and_gives_the_old_one_back(pi):
    out = with_channels(
        pi,
        """
        lamp = RPIO.PWM(17, 50)
        lamp.start(50)
        for frequency in (100, 200, 250, 100, 1000):
            lamp.ChangeFrequency(frequency)
            print(lamp.means, pulses())
        """,
    )
    assert [line.split(" ", 1)[0] for line in out] == ["dma"] * 4 + ["soft"]
    assert [line.split(":")[1] for line in out[:4]] == ["0+500", "0+250", "0+200", "0+500"]
    assert [line.count("ch") for line in out] == [1, 1, 1, 1, 0]


def test_pwm_and_servos_share_a_channel_that_stays_the_servos(pi):
    out = with_channels(
        pi,
        """
        lamp = RPIO.PWM(17, 50)
        lamp.start(50)
        servo = PWM.Servo()
        servo.set_servo(22, 1500)
        print(pulses())
        lamp.stop()
        servo.set_servo(22, 1400)
        print(pulses())
        """,
    )
    assert out == ["ch0 17:0+1000 22:0+150", "ch0 22:0+140"]


def test_where_no_channel_is_free_pwm_is_the_c_timers_and_says_why(pi):
    out = with_channels(
        pi,
        """
        lamps = [RPIO.PWM(line, frequency) for line, frequency in ((17, 50), (18, 100), (22, 200))]
        for lamp in lamps:
            lamp.start(50)
        print([lamp.means for lamp in lamps])
        """,
    )
    assert out[-1] == "['dma', 'dma', 'soft']"
    assert out[-2].startswith("GPIO 22: no PWM by DMA: ")
    assert out[-2].endswith(" The C timer makes the pulses instead.")


def test_dma_that_is_asked_for_is_dma_or_an_error(pi):
    out = with_channels(
        pi,
        """
        lamp = RPIO.PWM(17, 50, means="dma")
        lamp.start(50)
        print(lamp.means, pulses())
        for call in (lambda: lamp.ChangeFrequency(1000), lambda: PWM.Servo(means="soft")):
            try:
                call()
            except RuntimeError as e:
                print(e)
        print(lamp.means, pulses())
        print(PWM.Servo(means="dma").means)
        """,
    )
    assert out == [
        "dma ch0 17:0+1000",
        "GPIO 17: no PWM by DMA with a period of 1 ms: it takes 3 ms to 1 s, a multiple of the slots of 10 us",
        "PWM is already setup with means='dma' (not 'soft')",
        "dma ch0 17:0+1000",
        "dma",
    ]


def test_a_line_of_pwm_is_no_channels_or_servos(pi):
    out = with_channels(
        pi,
        """
        lamp = RPIO.PWM(17, 50)
        lamp.start(50)
        for call in (lambda: PWM.add_channel_pulse(0, 17, 1500, 10), lambda: PWM.Servo().set_servo(17, 1500)):
            try:
                call()
            except RPIO.PWMExistsError as e:
                print(e)
        print(pulses())
        """,
    )
    assert out == ["A PWM object already exists for this GPIO channel"] * 2 + ["ch0 17:0+1000"]


@pytest.mark.parametrize("end", ["PWM.cleanup()", "RPIO.cleanup()", "RPIO.cleanup(17)", "del lamp"])
def test_the_end_of_pwm_by_dma(pi, end):
    out = with_channels(
        pi,
        f"""
        lamp = RPIO.PWM(17, 50)
        lamp.start(50)
        {end}
        print(facade.board.pulses.drives.drives(17), facade.board.pulses.drives.by_dma.lines, pulses())
        """,
    )
    assert out == ["False [] "]
    assert pi.cs(14) & 1 == 0


def test_the_program_ends_and_nothing_runs(pi):
    assert with_channels(pi, "lamp = RPIO.PWM(17, 50)\nlamp.start(50)\nprint(lamp.means)") == ["dma"]
    assert pi.cs(14) & 1 == 0


def test_a_child_of_a_fork_leaves_pwm_alone(pi):
    out = with_channels(
        pi,
        """
        lamp = RPIO.PWM(17, 50)
        lamp.start(50)
        if (child := os.fork()) == 0:
            lamp.stop()
            print(facade.board.pulses.drives.by_dma.lines, flush=True)
            os._exit(0)
        os.waitpid(child, 0)
        print(pulses(), lamp.means)
        """,
    )
    assert out == ["[]", "ch0 17:0+1000 dma"]


def doctor_says(pi, before=""):
    out = pi.run(f"{before}\nfrom RPIO import cli\ncli.main(['doctor', '--json'])")
    rows = json.loads(out.splitlines()[-1])
    return next((row["status"], row["text"], row["advice"]) for row in rows if row["check"] == "pulses")


def test_the_doctor_tells_which_channels_are_free(pi):
    status, text, _ = doctor_says(pi)
    channels = "0, 2, 4, 5, 8, 9, 10, 11, 12, 13, 14"
    assert (status, text) == ("ok", f"PWM by DMA: channels {channels} are free, and two can run at a time")


def test_the_doctor_tells_what_cannot_be_opened(pi):
    (pi.root / "dev/vcio").unlink()
    text = "no PWM by DMA, but by the C timer: this user may not open /dev/vcio"
    assert doctor_says(pi) == ("note", text, "sudo takes DMA")


def test_the_doctor_tells_why_no_channel_is_known_to_be_free(pi):
    shutil.rmtree(pi.root / "sys/class/dma")
    _, text, _ = doctor_says(pi)
    assert text.startswith("no PWM by DMA, but by the C timer: No DMA channel is known to be free: ")
