# SPDX-License-Identifier: LGPL-3.0-or-later
"""gpiozero's own tests, those for real pins too, through its RPi.GPIO factory on RPIO and a simulated board."""

import os
import subprocess
import sys
import xml.etree.ElementTree as xml
from pathlib import Path

import pytest

from . import fakepi, peers

GPIOZERO, COLORZERO = "gpiozero==2.0.1.post3", "colorzero==2.0"
PLUGIN = Path(__file__).with_name("gpiozero_plugin.py")
FACTORY = "rpigpio"
TIME_LIMIT_S = 1800

pytestmark = [pytest.mark.timeout(3600), peers.runs_again]


def run(source, module_path, folder, *names):
    """Run tests of it, all for none; gpiozero reads from /proc/cpuinfo which board it is on."""
    report = folder / "report.xml"
    report.unlink(missing_ok=True)
    done = subprocess.run(
        [
            *fakepi.command("a020d3"),
            *(sys.executable, "-m", "pytest", "-q", "-c", os.devnull, "-p", "no:cacheprovider"),
            *("-p", PLUGIN.stem, f"--rootdir={source}", f"--junitxml={report}", *(names or ["tests"])),
        ],
        cwd=source,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(map(str, module_path)),
            "RPIO_BACKEND": "sim:3B+",
            "GPIOZERO_TEST_LOCK": str(folder / "lock"),
        },
        timeout=TIME_LIMIT_S,
        check=False,
    )
    assert report.exists(), done.stdout
    return {
        f"{case.get('classname').replace('.', '/')}.py::{case.get('name')}": verdict(case)
        for case in xml.parse(report).iter("testcase")
    }


@pytest.fixture(scope="module")
def verdicts(fake_pi, fetch, tmp_path_factory):
    """Name of each test -> "passed", "skipped: why" or "failed: how"."""
    where = fetch(peers.sdist, GPIOZERO), (fetch(peers.installed, GPIOZERO, COLORZERO), PLUGIN.parent)
    folder = tmp_path_factory.mktemp("gpiozero")
    found = run(*where, folder)
    failed = {name: said for name, said in found.items() if said.startswith("failed")}
    if failed:  # some measure times to 50 ms, on a machine that may have other things to do
        peers.warn_of_second_run(failed)
        found |= run(*where, folder, *failed)
    return found


def verdict(case):
    for what in case:
        if what.tag in ("skipped", "failure", "error"):
            return f"{'skipped' if what.tag == 'skipped' else 'failed'}: {what.get('message')}"
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


def plain(name):
    """tests/test_real_pins.py::test_pull[rpigpio] -> test_pull"""
    return name.rpartition("::")[2].partition("[")[0]
