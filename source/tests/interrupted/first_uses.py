# SPDX-License-Identifier: LGPL-3.0-or-later
"""A process that has imported nothing yet, and forks one child for each moment at which a first use is interrupted.

Usage: first_uses.py TRIPWIRE KIND NAME POINTS STEP; prints what went wrong, one line each, then how many points.
KIND: "raise", the handler raises and the program cleans up; "exit", the handler cleans up and exits.
"""

import os
import signal
import sys
from importlib.machinery import ExtensionFileLoader, ModuleSpec

SETUP = "GPIO.setup(18, GPIO.OUT, initial=1)\n"
INPUT = "GPIO.setup(17, GPIO.IN, pull_up_down=GPIO.PUD_UP)\n"
USES = {
    "import": "import RPIO as GPIO\n",
    "setup": f"import RPIO as GPIO\nGPIO.setmode(GPIO.BCM)\n{SETUP}",
    "output": f"{SETUP}GPIO.output(18, 0)\n",
    "use": f"GPIO.use('sim:3B+')\n{SETUP}",
    "add_event_detect": f"{SETUP}{INPUT}GPIO.add_event_detect(17, GPIO.BOTH, lambda channel: None)\n",
    "wait_for_edge": f"{SETUP}{INPUT}GPIO.wait_for_edge(17, GPIO.BOTH, timeout=1)\n",
    "add_interrupt_callback": f"{SETUP}GPIO.add_interrupt_callback(17, lambda g, v: None, threaded_callback=True)\n"
    "GPIO.wait_for_interrupts(threaded=True)\n",
    "add_tcp_callback": f"{SETUP}GPIO.add_tcp_callback(0, lambda s, m: None, host='127.0.0.1')\n",
    "PWM": f"{SETUP}p = GPIO.PWM(18, 50)\np.start(50)\n",
    "Servo": f"{SETUP}s = GPIO.PWM.Servo()\ns.set_servo(22, 1500)\n",
    "wave": f"{SETUP}GPIO.wave([(18, 0, 50), (18, 1, 50)]).wait()\n",
    "install_as_rpi_gpio": "GPIO.install_as_rpi_gpio()\nimport RPi.GPIO\nRPi.GPIO.setmode(11)\n"
    "RPi.GPIO.setup(18, 0, initial=1)\n",
}


class Interrupted(KeyboardInterrupt):
    """What the handler raises."""


def load(path):
    """The tripwire, without what its own test loads."""
    loader = ExtensionFileLoader("tripwire", path)
    spec = ModuleSpec("tripwire", loader, origin=path)
    module = loader.create_module(spec)
    loader.exec_module(module)
    return module


def imported(frame):
    """Which module is being loaded by threads.load() there; None: it is the program's own import.

    What a handler raises in a callback of the import machinery, "cb", Python prints and forgets.
    """
    while frame is not None and frame.f_code.co_name != "load":
        frame = frame.f_back
    return None if frame is None else frame.f_locals["name"]


def run(tripwire, kind, name, moment):
    """The program, interrupted once. What is wrong afterwards, "" if nothing; whether the handler has run; how many
    bytecodes there were without it.
    """
    names = {}
    swallowed = []
    if not USES[name].startswith("import"):
        exec("import RPIO as GPIO", names)  # loads next to nothing

    def hear(number, frame):
        if frame.f_code.co_name == "cb" and "importlib" in frame.f_code.co_filename:
            swallowed.append(imported(frame))
        if kind == "exit" and "GPIO" in names:
            names["GPIO"].cleanup()
        raise Interrupted

    program = compile(USES[name], name, "exec")
    signal.signal(signal.SIGUSR2, hear)
    error = None
    try:
        tripwire.signal_at(lambda: exec(program, names), moment, signal.SIGUSR2, hear.__code__)
    except BaseException as e:
        error = e
    if not tripwire.heard():
        return "", False, tripwire.counted()
    wrong = (
        "" if type(error) is Interrupted or swallowed in ([None], ["threading"]) else f"{error!r} came of it"
    )
    import threading

    import RPIO as GPIO

    if threading.main_thread() is not threading.current_thread():
        wrong += " the main thread is another one"
    GPIO.cleanup()
    GPIO.setmode(GPIO.BCM)
    if GPIO.gpio_function(18) != GPIO.IN:
        wrong += " 18 is still driven"
    heard = []
    GPIO.setup(17, GPIO.IN, pull_up_down=GPIO.PUD_UP)
    GPIO.sim.drive(17, 1)
    GPIO.add_event_detect(17, GPIO.FALLING, heard.append)
    GPIO.sim.drive(17, 0)
    import time

    for _ in range(2000):
        if heard:
            break
        time.sleep(0.005)
    if heard != [17]:
        wrong += f" then {heard} was heard"
    GPIO.cleanup()
    return wrong, True, 0


def main():
    tripwire, kind, name = load(sys.argv[1]), sys.argv[2], sys.argv[3]
    points, step = int(sys.argv[4]), int(sys.argv[5])

    def child(moment):
        """(what is wrong, whether it was in time, bytecodes)"""
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                wrong, heard, count = run(tripwire, kind, name, moment)
            except BaseException:
                import traceback

                wrong, heard, count = "then " + traceback.format_exc().replace("\n", " | "), True, 0
            os.write(writer, f"{int(heard)} {count} {wrong}"[:4000].encode())
            os._exit(0)
        os.close(writer)
        answer = b""
        while chunk := os.read(reader, 4096):
            answer += chunk
        os.close(reader)
        _, status = os.waitpid(pid, 0)
        if status:
            return f"status {status}", True, 0
        heard, count, wrong = answer.decode().split(" ", 2)
        return wrong, heard == "1", int(count)

    wrong, heard, count = child(2**40)
    if wrong or heard:
        print(f"without a signal: {wrong}")
        return
    tried = 0
    for number in range(0, points, step):
        wrong, heard, _ = child(1 + number * count // points)
        tried += heard
        if wrong:
            print(f"{number} of {points}: {wrong}")
    print(tried)


if __name__ == "__main__":
    main()
