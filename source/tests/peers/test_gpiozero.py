# SPDX-License-Identifier: LGPL-3.0-or-later
"""gpiozero's own tests, those for real pins too, on a simulated board: its RPi.GPIO factory, and 1.6.2's for RPIO."""

import os
import re
import shlex
import subprocess
import sys
import xml.etree.ElementTree as xml
from pathlib import Path

import pytest

from . import fakepi, far_ends, peers

GPIOZERO, COLORZERO = "gpiozero==2.0.1.post3", "colorzero==2.0"
WITH_RPIO = ("gpiozero==1.6.2", "setuptools<82", "pytest<10")
"""The last one that has a factory for the original RPIO; it asks setuptools for it, and pytest for what 10 has not."""
PLUGINS = Path(__file__).parent
FACTORY = "rpigpio"
TIME_LIMIT_S = 1800

pytestmark = [pytest.mark.timeout(3600), peers.runs_again]


def run(source, packages, plugin, folder, *names, over="", host=None, factories=""):
    """Run tests of it, all for none; gpiozero reads from /proc/cpuinfo which board it is on, but for our *factories*.

    Where there is a *host*, by ``rpio run`` on its lines.
    """
    on = ("-m", "RPIO", "run", "--on", host.name) if host is not None else ()
    pi = () if factories else fakepi.command("a020d3")
    module_path = (packages, PLUGINS)
    report = folder / "report.xml"
    report.unlink(missing_ok=True)
    done = subprocess.run(
        [
            *pi,
            *(sys.executable, *on, "-m", "pytest", "-q", "-c", os.devnull, "-p", "no:cacheprovider"),
            *("-p", plugin, f"--rootdir={source}", f"--junitxml={report}", *(names or ["tests"])),
        ],
        cwd=source,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(map(str, module_path)),
            "RPIO_BACKEND": "sim:3B+",
            "RPIO_OVER": over,
            "RPIO_FACTORIES": factories,
            "GPIOZERO_TEST_LOCK": str(folder / "lock"),
            **(host.environment if host is not None else {}),
        },
        timeout=TIME_LIMIT_S,
        check=False,
    )
    assert report.exists(), done.stdout
    return cases(report)


@pytest.fixture(scope="module")
def verdicts(fake_pi, fetch, tmp_path_factory):
    """Name of each test -> "passed", "skipped: why" or "failed: how"."""
    packages = fetch(peers.installed, GPIOZERO, COLORZERO)
    return run_twice(
        fetch(peers.sdist, GPIOZERO), packages, "gpiozero_plugin", tmp_path_factory.mktemp("gpiozero")
    )


def run_twice(*where, names=(), **how):
    """Run its tests, and those that fail once more: some measure times, on a machine that may be busy."""
    found = run(*where, *names, **how)
    failed = {name: said for name, said in found.items() if said.startswith("failed")}
    if failed:
        peers.warn_of_second_run(failed)
        found |= run(*where, *failed, **how)
    return found


def verdict(case):
    for what in case:
        if what.tag in ("skipped", "failure", "error"):
            text = re.sub(r" at 0x[0-9a-f]+", "", what.get("message"))
            return f"{'skipped' if what.tag == 'skipped' else 'failed'}: {text}"
    return "passed"


def test_nothing_of_its_suite_fails(verdicts, capsys):
    failed = {name: said for name, said in verdicts.items() if said.startswith("failed")}
    with capsys.disabled():
        passed = sum(said == "passed" for said in verdicts.values())
        print(f" gpiozero's own tests: {passed} pass, {len(failed)} fail, {len(verdicts)} in all ", end="")
    assert not failed, failed


def test_on_real_pins_it_fails_only_where_spidev_is_missing(verdicts, capsys):
    ours = {plain(name): said for name, said in verdicts.items() if name.endswith(f"[{FACTORY}]")}
    passed = {name for name, said in ours.items() if said == "passed"}
    with capsys.disabled():
        print(f" on real pins, which are ours: {len(passed)} of {len(ours)} pass ", end="")
    assert len(ours) == 20
    assert all("spi" in name for name in set(ours) - passed), ours


def test_on_real_pins_over_a_socket_it_fails_only_where_spidev_is_missing(fetch, fake_pi, tmp_path, capsys):
    packages = fetch(peers.installed, GPIOZERO, COLORZERO)
    real = ["tests/test_real_pins.py"]
    found = run_twice(
        fetch(peers.sdist, GPIOZERO), packages, "gpiozero_plugin", tmp_path, names=real, over="remote"
    )
    ours = {plain(name): said for name, said in found.items() if name.endswith(f"[{FACTORY}]")}
    passed = {name for name, said in ours.items() if said == "passed"}
    with capsys.disabled():
        print(f" on real pins over a socket: {len(passed)} of {len(ours)} pass ", end="")
    assert len(ours) == 20
    assert all("spi" in name for name in set(ours) - passed), ours


@pytest.mark.parametrize("kind", far_ends.HOSTS)
def test_by_run_on_its_suite_does_as_it_does_here(verdicts, fetch, tmp_path, capsys, kind):
    packages, source = fetch(peers.installed, GPIOZERO, COLORZERO), fetch(peers.sdist, GPIOZERO)
    with far_ends.host(kind, tmp_path, "3B+") as host:
        found = run_twice(source, packages, "gpiozero_plugin", tmp_path, host=host)
    with capsys.disabled():
        passed = sum(said == "passed" for said in found.values())
        print(f" gpiozero's own tests by run --on, {kind}: {passed} of {len(found)} pass ", end="")
    assert found == verdicts


# -- with our own factory ----------------------------------------------------------------------------------

REAL = "tests/test_real_pins.py"
SKIPS = {
    "test_spi_hardware_same_port": "our SPI is RPIO.spi, and no LocalPiHardwareSPI",
    "test_spi_hardware_read": "it puts a mock in the place of spidev, which we do without",
    "test_spi_hardware_write": "as above",
    "test_spi_hardware_modes": "as above",
    "test_compatibility_names": "it wants the native factory, and so the registers of a Raspberry Pi",
    "test_default_factory": "gpiozero takes ours where GPIOZERO_PIN_FACTORY says so, and never else",
}
"""What of its tests for real pins does not run with our factories, and why."""


def on_real_pins(found, names):
    """Check that all pass with each factory of these names, but for what cannot; return how many do."""
    ours = {name: said for name, said in found.items() if name.startswith(REAL) and "mock" not in name}
    skipped = {plain(name) for name, said in ours.items() if said.startswith("skipped")}
    failed = {name: said for name, said in ours.items() if said.startswith("failed")}
    assert not failed, failed
    assert skipped <= set(SKIPS), {name: said for name, said in ours.items() if said.startswith("skipped")}
    for factory in names:
        passed = [name for name, said in ours.items() if name.endswith(f"[{factory}]") and said == "passed"]
        assert len(passed) >= PASS_ON_REAL_PINS, passed
    return sum(said == "passed" for said in ours.values())


PASS_ON_REAL_PINS = 16


def test_with_our_factories_nothing_of_its_suite_fails(fetch, tmp_path, capsys):
    packages, source = fetch(peers.installed, GPIOZERO, COLORZERO), fetch(peers.sdist, GPIOZERO)
    found = run_twice(source, packages, "gpiozero_factory_plugin", tmp_path, factories="mock rpio rpiosim")
    failed = {name: said for name, said in found.items() if said.startswith("failed")}
    assert not failed, failed
    real = on_real_pins(found, ["rpio", "rpiosim"])
    with capsys.disabled():
        passed = sum(said == "passed" for said in found.values())
        print(
            f" gpiozero's own tests with our factories: {passed} of {len(found)} pass, {real} on real pins ",
            end="",
        )
    assert len(found) > 400


def test_with_our_factories_real_pins_of_another_process_are_as_here(fetch, tmp_path, capsys):
    packages, source = fetch(peers.installed, GPIOZERO, COLORZERO), fetch(peers.sdist, GPIOZERO)
    names = "rpio rpioremote"
    found = run_twice(
        *(source, packages, "gpiozero_factory_plugin", tmp_path),
        names=[REAL],
        over="remote",
        factories=names,
    )
    real = on_real_pins(found, names.split())
    with capsys.disabled():
        print(f" real pins of another process with our factories: {real} of {len(found)} pass ", end="")


RIG = PLUGINS.parent / "kernel" / "rig"


def test_with_our_factory_real_pins_of_a_real_kernels_chip_are_as_here(fetch, tmp_path, capsys):
    """In the kernel rig, where a wire is played: see gpiozero_chip_plugin."""
    check = subprocess.run([RIG, "check"], capture_output=True, text=True, check=False)
    if check.returncode:
        pytest.skip(f"there is no kernel: {check.stdout.strip()}")
    packages, source = fetch(peers.installed, GPIOZERO, COLORZERO), fetch(peers.sdist, GPIOZERO)
    subprocess.run([RIG, "build"], stdout=subprocess.DEVNULL, check=True)
    report = tmp_path / "report.xml"
    values = {
        "PYTHONPATH": f"{packages}:{PLUGINS}",
        "RPIO_BACKEND": "cdev",
        "RPIO_FACTORIES": "rpio",
        "GPIOZERO_TEST_LOCK": "/tmp/lock",
    }
    words = [
        *(sys.executable, "-m", "pytest", "-q", "-c", os.devnull, "-p", "no:cacheprovider"),
        *("-p", "gpiozero_chip_plugin", "--capture=sys", f"--rootdir={source}"),
        *("--junitxml=/tmp/report.xml", REAL),
    ]
    lines = [
        f"cd '{source}'",
        *(f"export {name}='{value}'" for name, value in values.items()),
        shlex.join(words),
        f"echo '{MARK}'",
        "cat /tmp/report.xml",
    ]
    script = tmp_path / "run.sh"
    script.write_text("\n".join(lines) + "\n")
    done = subprocess.run(
        [RIG, "run", "--timeout", "600", "--dtb", "rpi3b", "--", "sh", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert MARK in done.stdout, done.stdout
    report.write_text(done.stdout.rpartition(f"{MARK}\n")[2].strip())
    found = cases(report)
    real = on_real_pins(found, ["rpio"])
    with capsys.disabled():
        print(f" real pins of a kernel's chip with our factory: {real} of {len(found)} pass ", end="")


MARK = "-- the report --"


def cases(report):
    """Name of each test of a report -> its verdict."""
    return {
        f"{case.get('classname').replace('.', '/')}.py::{case.get('name')}": verdict(case)
        for case in xml.parse(report).iter("testcase")
    }


def plain(name):
    """tests/test_real_pins.py::test_pull[rpigpio] -> test_pull"""
    return name.rpartition("::")[2].partition("[")[0]


def test_1_6_2_passes_on_real_pins_by_its_factory_for_rpio(fake_pi, fetch, tmp_path, capsys):
    source, packages = fetch(peers.sdist, WITH_RPIO[0]), fetch(peers.with_needs, *WITH_RPIO)
    found = run_twice(source, packages, "gpiozero_rpio_plugin", tmp_path, names=["tests/test_real_pins.py"])
    with capsys.disabled():
        passed = sum(said == "passed" for said in found.values())
        print(f" gpiozero 1.6.2 on RPIO: {passed} of {len(found)} pass ", end="")
    assert len(found) == 13
    assert set(found.values()) == {"passed"}, found


# -- on a machine that is no Raspberry Pi, as gpiozero sees it in /proc -------------------------------------

PROGRAM = """
from gpiozero import Button, LED, PWMLED, Device

led, button, dimmed = LED(17), Button(2), PWMLED(18)
button.when_pressed = led.on
import RPIO.sim
RPIO.sim.drive(2, 0)  # held until it is seen: gpiozero looks at the level in its callback
import time
end = time.monotonic() + 20
while not led.value and time.monotonic() < end:
    time.sleep(0.001)
dimmed.value = 0.5
info = Device.pin_factory.board_info
print(type(Device.pin_factory).__name__, info.model, info.revision, led.value, RPIO.sim.level(17), dimmed.value)
"""
SAYS = "{} 3B+ a020d3 1 1 0.5\n"
FIRST = "import RPi.GPIO\n"
INSTALL = "import RPIO, os; RPIO.install_as_rpi_gpio(); os.environ['GPIOZERO_PIN_FACTORY'] = 'rpigpio'\n"
CHILD = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]], check=True)"
RPIO_RUN = (sys.executable, "-W", "error", "-m", "RPIO", "run", "-c")
TESTS = """
import pytest
from gpiozero import Button, LED, Device

@pytest.mark.parametrize("again", [1, 2])
@pytest.mark.rpio("Zero")
def test_a_button_toggles_an_led(rpio_board, rpi_gpio, again):
    led, button = LED(17), Button(4)
    button.when_pressed = led.toggle
    rpio_board.press(4)
    rpio_board.press(4)
    rpio_board.press(4)
    assert Device.pin_factory.board_info.model == "Zero"
    rpio_board.assert_wave(17, "_-_-")
"""


@pytest.fixture(scope="module")
def libraries(fetch):
    """PYTHONPATH with gpiozero."""
    return str(fetch(peers.installed, GPIOZERO, COLORZERO))


def says(libraries, *command, **more):
    env = {name: value for name, value in os.environ.items() if name != "GPIOZERO_PIN_FACTORY"}
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=60,
        env={**env, "PYTHONPATH": libraries, "RPIO_BACKEND": "sim:3B+"},
        check=False,
        **more,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize(
    ("command", "factory"),
    [
        ((*RPIO_RUN, PROGRAM), "RPIOFactory"),
        ((*RPIO_RUN, FIRST + PROGRAM), "RPIOFactory"),
        ((*RPIO_RUN, CHILD, PROGRAM), "RPIOFactory"),
        ((sys.executable, "-c", INSTALL + PROGRAM), "RPiGPIOFactory"),
    ],
    ids=["run", "RPi.GPIO first", "child", "installed"],
)
def test_a_program_for_it_runs_on_the_simulated_board_and_knows_its_model(libraries, command, factory):
    assert says(libraries, *command) == SAYS.format(factory)


@pytest.mark.parametrize("switch", ["true", "false"])
def test_a_program_for_it_is_tested_with_the_pytest_plugin(libraries, tmp_path, switch):
    (tmp_path / "pytest.ini").write_text(f"[pytest]\nfilterwarnings = error\nrpi_gpio = {switch}\n")
    (tmp_path / "test_it.py").write_text(TESTS)
    words = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider")
    assert "2 passed" in says(libraries, *words, cwd=tmp_path)


def test_every_model_that_is_simulated_has_a_revision_code_to_tell_it():
    from RPIO.machine import boards

    assert all(boards.by_name(row.short).revision_code is not None for row in boards.ROWS)
