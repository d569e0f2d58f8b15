# SPDX-License-Identifier: LGPL-3.0-or-later
"""How a machine is: a Raspberry Pi's files in a folder, those of none, and those of this machine."""

import json
import os
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modelled import PI4
from RPIO.machine.health import health
from RPIO.machine.power import THROTTLED

MEMINFO = """MemTotal:        3884360 kB
MemFree:          176948 kB
MemAvailable:    2955460 kB
SwapTotal:        102396 kB
SwapFree:         102140 kB
HugePages_Total:       0
"""
PI = {
    **PI4,
    "proc/loadavg": "0.35 0.22 1.00 1/213 4711\n",
    "proc/meminfo": MEMINFO,
    "proc/uptime": "12345.67 40000.00\n",
    "sys/class/thermal/cooling_device0/type": "gpio-fan\n",
    "sys/class/thermal/thermal_zone0/type": "nvme\n",
    "sys/class/thermal/thermal_zone0/temp": "30000\n",
    "sys/class/thermal/thermal_zone1/type": "cpu-thermal\n",
    "sys/class/thermal/thermal_zone1/temp": "48312\n",
    THROTTLED: "50005\n",
    "sys/class/power_supply/hidpp_battery_0/type": "Battery\n",
    "sys/class/power_supply/hidpp_battery_0/scope": "Device\n",
    "sys/class/power_supply/hidpp_battery_0/capacity": "5\n",
    "sys/class/power_supply/usb/type": "USB\n",
    "sys/class/power_supply/BAT0/type": "Battery\n",
    "sys/class/power_supply/BAT0/capacity": "87\n",
    "sys/class/power_supply/BAT0/status": "Discharging\n",
}


def machine(folder, files=PI, **others):
    for name, content in {**files, **others}.items():
        path = folder / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(folder)


def test_a_raspberry_pi_tells_all_of_it(tmp_path):
    found = health("/home/pi/further", machine(tmp_path))
    disk = found.pop("disk")
    assert abs(found.pop("time") - time.time()) < 60
    assert found == {
        "model": "Raspberry Pi 4 Model B",
        "uptime_s": 12345.67,
        "temperature_c": 48.312,
        "load": [0.35, 0.22, 1.0],
        "cpus": os.cpu_count(),
        "memory": {"total_bytes": 3884360 * 1024, "available_bytes": 2955460 * 1024},
        "swap": {"total_bytes": 102396 * 1024, "free_bytes": 102140 * 1024},
        "throttled": {
            "under_voltage": True,
            "capped": False,
            "throttled": True,
            "soft_temperature_limit": False,
            "under_voltage_since_start": True,
            "capped_since_start": False,
            "throttled_since_start": True,
            "soft_temperature_limit_since_start": False,
        },
        "battery": {"percent": 87, "status": "Discharging", "name": "BAT0"},
    }
    assert set(disk) == {"/", "work"}
    assert disk["/"]["total_bytes"] == disk["work"]["total_bytes"]  # of a directory that is still to be made
    assert 0 <= disk["/"]["free_bytes"] <= disk["/"]["total_bytes"]


def test_a_machine_that_tells_nothing_is_not_known(tmp_path):
    found = health(root=str(tmp_path))
    assert set(found) == set(health())
    known = {name for name, value in found.items() if value is not None}
    assert known == {"time", "cpus", "disk"}
    missing = health(root=str(tmp_path / "missing"))["disk"][
        "/"
    ]  # the free bytes are others' affair meanwhile
    assert missing["total_bytes"] == found["disk"]["/"]["total_bytes"]


SENSOR = {"sys/class/hwmon/hwmon2/name": "rpi_volt\n", "sys/class/hwmon/hwmon2/in0_lcrit_alarm": "0\n"}


@pytest.mark.parametrize(("alarm", "low"), [("0\n", False), ("1\n", True)])
def test_the_sensor_alone_knows_of_the_voltage(tmp_path, alarm, low):
    files = {**SENSOR, "sys/class/hwmon/hwmon2/in0_lcrit_alarm": alarm}
    found = health(root=machine(tmp_path, files))["throttled"]
    assert found["under_voltage"] is low
    assert found["under_voltage_since_start"] is (True if low else None)
    assert {value for name, value in found.items() if "voltage" not in name} == {None}


def test_a_sensor_that_says_nothing_and_a_word_that_is_none_are_not_known(tmp_path):
    files = {"sys/class/hwmon/hwmon2/name": "rpi_volt\n", THROTTLED: "what?\n"}
    assert health(root=machine(tmp_path, files))["throttled"] is None


@pytest.mark.parametrize("temp", ["", "hot", "1e999", "nan", "-300000", "9999999"])
def test_a_temperature_that_cannot_be_is_none(tmp_path, temp):
    files = {
        "sys/class/thermal/thermal_zone0/temp": temp,
        "sys/class/thermal/thermal_zone0/type": "cpu-thermal",
    }
    assert health(root=machine(tmp_path, files))["temperature_c"] is None


def test_without_a_zone_of_the_processor_it_is_the_first_ones(tmp_path):
    zones = ((10, "other", 40), (2, "pch", 31.5), (3, "acpitz", 50))
    files = {f"sys/class/thermal/thermal_zone{number}/type": kind for number, kind, _ in zones}
    files |= {f"sys/class/thermal/thermal_zone{number}/temp": f"{int(at * 1000)}" for number, _, at in zones}
    assert health(root=machine(tmp_path, files))["temperature_c"] == 31.5


def test_this_machine_can_be_asked_without_an_error():
    found = health(os.getcwd())
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["uptime_s"] > 0
    assert found["memory"]["total_bytes"] >= found["memory"]["available_bytes"] > 0
    assert len(found["load"]) == 3


RUBBISH = st.one_of(
    st.binary(max_size=40), st.sampled_from([b"9" * 400, b"1e5", b": kB", b"MemTotal: x kB", b"\xff" * 9])
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(st.lists(RUBBISH, min_size=len(PI), max_size=len(PI)))
@pytest.mark.slow
def test_files_of_rubbish_are_no_error(tmp_path, contents):
    found = health(root=machine(tmp_path, dict(zip(PI, contents, strict=True))))
    json.dumps(found, allow_nan=False)


def test_a_folder_where_a_file_should_be_is_no_error(tmp_path):
    for name in PI:
        (tmp_path / name.lstrip("/")).mkdir(parents=True, exist_ok=True)
    assert health(root=str(tmp_path))["temperature_c"] is None
