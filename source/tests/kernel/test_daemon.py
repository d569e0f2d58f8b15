# SPDX-License-Identifier: LGPL-3.0-or-later
"""``rpio serve`` on a real chip: it holds lines, and holds them again when it was killed."""

import signal
import time

import pytest

from remote_parts import daemon
from waiting import wait_until

LINES = (17, 27)


@pytest.mark.slow
def test_what_is_held_is_held_again_within_two_seconds(pi_chip, tmp_path):
    with daemon(tmp_path, "--no-tcp", backend="cdev") as served, served.connect() as line:
        assert line.ask("hold 17 1 27 0") == "ok"
        assert [pi_chip.consumer(number) for number in LINES] == ["RPIO", "RPIO"]
        assert [pi_chip.level(number) for number in LINES] == [1, 0]
        served.kill()
    assert wait_until(lambda: pi_chip.consumer(17) == "")  # the kernel has taken them back
    began_s = time.monotonic()
    with daemon(tmp_path, "--no-tcp", backend="cdev") as served, served.connect() as line:
        assert line.ask("holds") == "ok 17 1 27 0"
        took_s = time.monotonic() - began_s
        assert [pi_chip.consumer(number) for number in LINES] == ["RPIO", "RPIO"]
        assert [pi_chip.level(number) for number in LINES] == [1, 0]
        served.kill(signal.SIGTERM)
    assert took_s < 2.0, took_s


@pytest.mark.slow
def test_sessions_share_the_chip_and_leave_safe_states(pi_chip, tmp_path):
    with daemon(tmp_path, "--no-tcp", backend="cdev", config="[line.17]\nsafe = 'low'\n") as served:
        with served.connect() as one, served.connect() as other:
            assert one.ask("output 17 1") == "ok"
            assert pi_chip.level(17) == 1
            assert "in use by" in other.ask("output 17 0")
            assert other.ask("watch 4 both").startswith("ok")
            pi_chip.drive(4, 1)
            assert other.read().startswith("edge 4 1 ")
        assert wait_until(lambda: pi_chip.level(17) == 0)


@pytest.mark.slow
def test_timed_tasks_drive_the_chip_and_give_the_line_back(pi_chip, tmp_path):
    with daemon(tmp_path, "--no-tcp", backend="cdev") as served:
        with served.connect() as line:
            assert line.ask("task 17 on 200").startswith("ok ")
            assert line.ask("task 17 off 100").startswith("ok ")
            assert line.ask("task 17 on 300").startswith("ok ")
            assert (pi_chip.level(17), pi_chip.consumer(17)) == (1, "RPIO")
        assert wait_until(lambda: pi_chip.consumer(17) == "")  # who asked has gone long ago
        with served.connect() as line:
            assert line.ask("task 27 on 3600000 - - wait yes").startswith("ok ")
            assert pi_chip.level(27) == 1
            served.process.send_signal(signal.SIGTERM)
            served.process.wait(60)
        assert pi_chip.level(27) == 0
