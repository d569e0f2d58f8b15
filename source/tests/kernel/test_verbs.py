# SPDX-License-Identifier: LGPL-3.0-or-later
"""The verbs of ``rpio`` that last, on a real chip: after Ctrl+C their lines are free again."""

import os
import signal
import subprocess
import sys

import pytest

from support import is_asleep
from waiting import LIMIT_S, wait_until

COMMANDS = ["watch 17", "pwm 18 100 50", "servo 19 1500", "write 20=1 -o --hold", "capture 21", "-w 22"]
"""A line for each, an input first: gpio-sim leaves a line an output that was one."""


@pytest.mark.parametrize(("line", "command"), list(enumerate(COMMANDS, 17)))
def test_lines_are_released_after_ctrl_c(pi_chip, line, command):
    env = {name: value for name, value in os.environ.items() if name != "RPIO_BACKEND"}
    rpio = [sys.executable, "-m", "RPIO"]
    subprocess.run([*rpio, "mode", str(line), "in"], check=True, env=env, stderr=subprocess.DEVNULL)
    process = subprocess.Popen(
        [*rpio, *command.split()],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=env,
    )
    try:
        assert wait_until(lambda: pi_chip.consumer(line) == "RPIO")
        assert wait_until(lambda: is_asleep(process.pid))
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=LIMIT_S)
    finally:
        process.kill()
    assert "Traceback" not in err
    assert process.returncode in (0, 130)  # 130 where it had not got to its wait yet
    assert pi_chip.consumer(line) == ""
