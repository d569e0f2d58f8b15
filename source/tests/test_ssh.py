# SPDX-License-Identifier: LGPL-3.0-or-later
"""RPIO.connect("ssh://..."): by a real ssh, to a real sshd on loopback."""

import contextlib
import errno
import gc
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

import RPIO
import ssh_parts
from modules_parts import alive
from remote_parts import program, serving
from RPIO.i2c import SMBus
from RPIO.remote.places import places, ssh
from waiting import LIMIT_S, wait_until

pytestmark = [
    pytest.mark.skipif(bool(ssh_parts.why_not()), reason=ssh_parts.why_not()),
    pytest.mark.filterwarnings("ignore:This channel is already in use"),
]
QUICK = {"timeout_s": LIMIT_S, "linger_s": 0.5}


@pytest.fixture(scope="module")
def machine():
    """The machine at the far end."""
    made = ssh_parts.Far()
    yield made
    made.close()


@pytest.fixture
def far(machine, monkeypatch):
    """The same, which this process finds as ``far``; nothing is left of earlier tests."""
    assert wait_until(lambda: not ssh_parts.ssh_children(os.getpid()) or gc.collect() < 0)
    for name, value in machine.environment.items():
        monkeypatch.setenv(name, value)
    return machine


@pytest.fixture
def daemon(far):
    """A daemon there: a program of its own at the socket where one is looked for."""
    with serving('RPIO.protect(17, safe="low")\nRPIO.sim.wire(20, 21)', path=far.socket) as made:
        yield made


# -- what can be done -----------------------------------------------------------------------------


def test_modules_of_the_far_end_with_a_daemon_there_and_without(far):
    with RPIO.connect("ssh://far", scope="run", **QUICK) as there:
        system = there.module("os")
        pid = system.getpid()
        assert pid != os.getpid() and there.module("math").sqrt(4) == 2.0 and system.getuid() == os.getuid()

        @there.task
        def total(numbers):
            return sum(numbers)

        assert total([1, 2, 3]) == 6
        with pytest.raises(RPIO.ConnectionLost, match="SIGSEGV"):
            system.kill(pid, 11)
        assert there.module("math").sqrt(9) == 3.0
        pid = there.module("os").getpid()
    assert wait_until(lambda: not alive(pid))


def test_modules_are_there_beside_a_daemon_whose_lines_they_use(far, daemon):
    with RPIO.connect("ssh://far", **QUICK) as there:
        GPIO = there.module("RPi.GPIO")
        GPIO.setwarnings(False)
        GPIO.setmode(GPIO.BCM)
        GPIO.setup(17, GPIO.OUT, initial=1)
        with daemon.connect() as line:
            assert line.levels(17) == [1]


def test_lines_are_set_up_written_and_read(far):
    with RPIO.connect("ssh://far", **QUICK) as there:
        there.setup(17, RPIO.OUT, initial=1)
        there.setup(27, RPIO.IN, pull_up_down=RPIO.PUD_UP)
        assert (there.input(17), there.input(27)) == (1, 1)
        there.output(17, 0)
        assert there.input(17) == 0
        assert "at ssh://far" in there.describe()


def test_edges_come_with_the_times_of_the_far_end(far):
    told = []
    with RPIO.connect("ssh://far", **QUICK) as there:
        there.setup(27, RPIO.IN, pull_up_down=RPIO.PUD_DOWN)
        there.add_interrupt_callback(27, lambda line, level: told.append((line, level)))
        there.wait_for_interrupts(threaded=True)
        for pull in (RPIO.PUD_UP, RPIO.PUD_DOWN):
            there.set_pullupdn(27, pull)
        assert wait_until(lambda: len(told) == 2)
    assert told == [(27, 1), (27, 0)]


def test_with_a_daemon_there_it_is_the_daemons_lines(far, daemon):
    told = []
    with RPIO.connect("ssh://far", **QUICK) as there, daemon.connect() as other:
        there.setup(20, RPIO.OUT, initial=0)
        there.add_interrupt_callback(21, lambda line, level: told.append(level))
        there.wait_for_interrupts(threaded=True)
        there.output(20, 1)
        assert wait_until(lambda: told == [1])
        assert other.levels(20) == [1]
        assert other.ask("consumer 20").startswith('ok "')
        assert other.ask("consumer 20") != 'ok ""'


PULSES = """
import RPIO as GPIO, os
GPIO.setmode(GPIO.BCM)
GPIO.setup(18, GPIO.OUT)
pwm = GPIO.PWM(18, 200)
pwm.start(50)
pwm.ChangeDutyCycle(25)
pwm.stop()
GPIO.output(18, 1)
print("level", GPIO.input(18), flush=True)
GPIO.cleanup()
"""


@pytest.mark.slow
def test_an_unchanged_program_with_pwm_runs_by_the_environment(far):
    with program(PULSES, RPIO_BACKEND="ssh://far") as made:
        made.says("^level 1$")
        assert made.process.wait(LIMIT_S) == 0
        assert made.look() == "level 1\n"


GPIOZERO = """
import time
from gpiozero import LED, PWMLED, Button, Device
from RPIO.gpiozero_pins import RPIOFactory

led, dimmed, button = LED(17), PWMLED(18), Button(27)
led.on()
dimmed.value = 0.5
here = LED(17, pin_factory=RPIOFactory("sim:4B"))
again = LED(22, pin_factory=RPIOFactory("ssh://far"))
again.on()
levels = led.value, dimmed.value, button.is_pressed, here.value, again.value
print(type(Device.pin_factory).__name__, *levels, flush=True)
"""


@pytest.mark.slow
def test_devices_of_gpiozero_are_there_and_here_in_one_program(far):
    pytest.importorskip("gpiozero")
    with program(GPIOZERO, RPIO_BACKEND="ssh://far", GPIOZERO_PIN_FACTORY="rpio") as made:
        assert made.process.wait(LIMIT_S) == 0, made.look()
        assert made.look().splitlines()[-1] == "RPIOFactory 1 0.5 False 0 1"


def test_counters_and_timed_tasks_are_there(far):
    with RPIO.connect("ssh://far", **QUICK) as there, there.counter(21, "both") as counter:
        encoder = there.encoder(5, 6)
        there.backend.ask("wire", 20, 21)
        there.setup(20, RPIO.OUT, initial=0)
        counter.reset()
        for number in range(10):
            there.output(20, number % 2 ^ 1)
        assert wait_until(lambda: counter.count == 10) and encoder.steps == 0
        assert there.tasks.add(17, "on", 5).wait(LIMIT_S) == "done"
        assert there.forceinput(17) == 0


def test_the_command_line_finds_it_too(far):
    command = [sys.executable, "-m", "RPIO", "read", "--backend", "ssh://far", "17"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "0" in done.stdout


def test_what_rpio_says_there_is_told_here(far, caplog):
    words = f'echo "a word beside it" >&2; {far.rpio}'
    with far.having(words), RPIO.connect("ssh://far", **QUICK):
        assert wait_until(lambda: "ssh://far: a word beside it" in caplog.text)


def test_much_on_standard_error_blocks_nobody(far):
    flood = f'{sys.executable} -c "import os; os.write(2, bytes(400_000))"'
    with (
        far.having(f"{flood}; {far.rpio}"),
        RPIO.connect("ssh://far", **QUICK) as there,
    ):
        there.setup(17, RPIO.OUT, initial=1)
        assert there.input(17) == 1
        assert len(there.backend._connection.link._channel.said) <= ssh.SAID_MAX


def test_rpio_is_found_without_a_command_of_that_name(far):
    far.have_no_rpio(
        python=f'[ "$1" = -c ] && exit; shift 2; exec {sys.executable} {far.folder}/rpio.py "$@"'
    )
    try:
        with RPIO.connect("ssh://far", **QUICK) as there:
            there.setup(17, RPIO.OUT, initial=1)
            assert there.input(17) == 1
    finally:
        far.have()


def test_a_shell_that_talks_is_passed_over(far):
    (far.home / ".bashrc").write_text("echo Welcome to the far end; echo -n and no end of line\n")
    try:
        with RPIO.connect("ssh://far", **QUICK) as there:
            there.setup(17, RPIO.OUT, initial=1)
            assert there.input(17) == 1
    finally:
        (far.home / ".bashrc").unlink()


def descriptors():
    """What this process has open."""
    found = set()
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):  # that of the folder itself
            found.add(os.readlink(f"/proc/self/fd/{name}"))
    return {text for text in found if not text.startswith("/proc/")}


# -- logins, processes, descriptors ---------------------------------------------------------------


def logins_of_three(far):
    """How many logins three connections take, two of them at once."""
    far.end_masters()
    before = far.logins()
    with RPIO.connect("ssh://far", **QUICK) as one, RPIO.connect("ssh://far", **QUICK) as other:
        one.setup(17, RPIO.OUT, initial=1)
        other.setup(17, RPIO.OUT, initial=0)  # each has a board of its own
        for master in far.masters():
            assert master.stat().st_mode & 0o077 == 0
    with RPIO.connect("ssh://far", **QUICK):
        return far.logins() - before


def test_connections_share_one_login(far):
    """Of a few tries one: ssh logs in by itself where the first one is too slow to answer it."""
    assert 1 in (logins_of_three(far) for _ in range(5))


@pytest.mark.slow
def test_who_has_configured_sharing_himself_is_left_alone(far):
    far.end_masters()
    before = far.logins()
    with RPIO.connect("ssh://his-own", **QUICK), RPIO.connect("ssh://his-own", **QUICK):
        assert not far.masters()
    assert far.logins() - before == 2


def test_a_folder_that_others_may_enter_is_not_used_for_shared_logins(far, tmp_path, monkeypatch):
    open_to_all = tmp_path / "open"
    open_to_all.mkdir()
    open_to_all.chmod(0o755)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(open_to_all))
    monkeypatch.setenv("HOME", str(open_to_all))  # without a ~/.ssh
    with RPIO.connect("ssh://far", **QUICK):
        assert not list(open_to_all.iterdir())


def test_the_buses_there_are_had_as_well(far):
    with RPIO.connect("ssh://far", scope="i2c", **QUICK) as there, SMBus(1, board=there) as bus:
        assert bus.scan() == []
        with pytest.raises(OSError) as error, bus.held():
            bus.read_byte(0x50)
        assert error.value.errno == errno.EREMOTEIO


def test_nothing_is_left_of_a_connection_that_is_closed(far):
    with RPIO.connect("ssh://far", **QUICK):
        pass  # what is loaded and shared at the first
    before, zombies = descriptors(), ssh_parts.zombies(os.getpid())
    for _ in range(3):
        with RPIO.connect("ssh://far", **QUICK) as there:
            there.setup(17, RPIO.OUT)
            assert ssh_parts.ssh_children(os.getpid())
        assert not ssh_parts.ssh_children(os.getpid()), ssh_parts.children(os.getpid())
    assert not descriptors() - before
    assert ssh_parts.zombies(os.getpid()) == zombies


@pytest.mark.parametrize("shared", [True, False], ids=["shared login", "own login"])
@pytest.mark.slow
def test_ssh_is_killed_and_the_session_goes_on(far, daemon, shared):
    told = []
    where = "ssh://far" if shared else "ssh://his-own"
    with RPIO.connect(where, timeout_s=LIMIT_S, linger_s=LIMIT_S, on_change=told.append) as there:
        there.setup(17, RPIO.OUT, initial=1)
        for number in range(1, 3):
            (child,) = ssh_parts.ssh_children(os.getpid())
            os.kill(child, signal.SIGKILL)
            assert wait_until(lambda number=number: told == ["away", "back"] * number)
            assert there.input(17) == 1
            there.output(17, 1)
        assert len(ssh_parts.ssh_children(os.getpid())) == 1


def test_without_a_daemon_a_connection_that_is_made_again_is_a_new_session(far):
    told = []
    with RPIO.connect("ssh://far", **QUICK, on_change=told.append) as there:
        there.setup(17, RPIO.OUT, initial=1)
        there.setup(27, RPIO.IN, pull_up_down=RPIO.PUD_UP)
        (child,) = ssh_parts.ssh_children(os.getpid())
        os.kill(child, signal.SIGKILL)
        assert wait_until(lambda: told == ["away", "new"])
        assert there.input(27) == 1  # set up again
        with pytest.raises(RPIO.ConnectionLost, match="GPIO 17"):
            there.output(17, 0)
        there.setup(17, RPIO.OUT, initial=1)
        assert there.input(17) == 1


def test_the_shared_login_is_ended_and_another_one_made(far):
    told = []
    with RPIO.connect("ssh://far", **QUICK, on_change=told.append) as there:
        far.end_masters()
        assert wait_until(lambda: told == ["away", "new"])
        there.setup(17, RPIO.OUT, initial=1)
        assert there.input(17) == 1


def test_the_far_end_is_killed_and_started_again(far):
    told, noted = [], f"echo $$ >> {far.folder}/pids; {far.rpio}"
    with far.having(noted), RPIO.connect("ssh://far", **QUICK, on_change=told.append) as there:
        os.kill(int((far.folder / "pids").read_text().split()[-1]), signal.SIGKILL)
        assert wait_until(lambda: told == ["away", "new"])
        there.setup(17, RPIO.OUT, initial=1)
        assert there.input(17) == 1


def test_it_gives_up_when_nobody_is_there_any_more(far):
    told = []
    with RPIO.connect("ssh://far", timeout_s=LIMIT_S, patience_s=0.0, on_change=told.append) as there:
        there.setup(17, RPIO.OUT)
        with far.having("echo broken >&2; exit 3"):
            (child,) = ssh_parts.ssh_children(os.getpid())
            os.kill(child, signal.SIGKILL)
            assert wait_until(lambda: told == ["away", "gone"])
        with pytest.raises(RPIO.ConnectionLost, match="broken"):
            there.output(17, 1)
    assert not ssh_parts.ssh_children(os.getpid())


def test_the_child_of_a_fork_has_a_session_of_its_own_and_leaves_the_parents(far, daemon):
    with RPIO.connect("ssh://far", timeout_s=LIMIT_S) as there, daemon.connect() as other:
        there.setup(17, RPIO.OUT, initial=1)
        mine = ssh_parts.ssh_children(os.getpid())
        pid = os.fork()
        if not pid:
            status = 1
            try:
                there.setup(22, RPIO.OUT, initial=1)
                status = 0 if other.levels(17, 22) == [1, 1] and there.input(22) == 1 else 2
                there.close()
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        assert ssh_parts.ssh_children(os.getpid()) == mine
        assert there.input(17) == 1
        there.output(17, 1)


@pytest.mark.slow
def test_a_fork_in_another_thread_keeps_no_connection_open(far, daemon):
    """The other side hears of the end of the parent's, though a child has been forked in the middle of it all."""
    children, is_over = [], threading.Event()

    def fork():
        while not is_over.is_set():
            pid = os.fork()
            if not pid:
                time.sleep(60)
                os._exit(0)
            children.append(pid)
            is_over.wait(0.02)

    thread = threading.Thread(target=fork)
    thread.start()
    try:
        for _ in range(3):
            with RPIO.connect("ssh://far", timeout_s=LIMIT_S) as there, daemon.connect() as other:
                there.setup(17, RPIO.OUT, initial=1)
                there.close()
                assert wait_until(lambda other=other: other.ask("consumer 17") in ('ok ""', 'ok "" left'))
    finally:
        is_over.set()
        thread.join()
        for pid in children:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


# -- Ctrl+C ---------------------------------------------------------------------------------------

INTERRUPTED = """
import RPIO, os, time
there = RPIO.connect("ssh://far", linger_s=600)
there.setup(17, RPIO.OUT, initial=1)
try:
    os.write(1, b"it is on\\n")
    while True:
        there.output(17, 1)
        time.sleep(0.001)
except KeyboardInterrupt:
    there.cleanup()
    os.write(1, b"cleaned\\n")
there.close()
"""


@pytest.mark.parametrize("shared", [True, False], ids=["shared login", "own login"])
@pytest.mark.slow
def test_control_c_in_a_terminal_leaves_ssh_to_the_programs_own_cleanup(far, daemon, shared):
    code = INTERRUPTED if shared else INTERRUPTED.replace("ssh://far", "ssh://his-own")
    far.end_masters()  # the one that is made has the terminal
    ours, theirs = os.openpty()
    try:
        process = subprocess.Popen(
            ["setsid", "-c", sys.executable, "-c", code], stdin=theirs, stdout=theirs, stderr=theirs
        )
        os.close(theirs)
        theirs = -1
        text = b""
        while b"it is on" not in text:
            text += os.read(ours, 1000)
        with daemon.connect() as other:
            assert other.ask("consumer 17") != 'ok ""'
            os.write(ours, b"\x03")
            while b"cleaned" not in text:
                try:
                    text += os.read(ours, 1000)
                except OSError:  # it has ended without that
                    pytest.fail(text.decode())
            assert process.wait(LIMIT_S) == 0
            assert other.ask("consumer 17") in ('ok ""', 'ok "" left')
        assert b"Traceback" not in text
        assert b"lost" not in text
    finally:
        os.close(ours)
        if theirs >= 0:
            os.close(theirs)


class Interrupted(Exception):
    """What a signal handler raises."""


def test_calls_that_are_interrupted_do_not_cost_the_connection(far):
    """Without a daemon there another one would be another board."""
    told = []

    def raise_it(number, frame):
        raise Interrupted

    def write_on(there):
        while True:
            there.output(17, 1)

    with RPIO.connect("ssh://far", timeout_s=LIMIT_S, on_change=told.append) as there:
        there.setup(17, RPIO.OUT, initial=1)
        before = signal.signal(signal.SIGALRM, raise_it)
        try:
            for number in range(50):
                with pytest.raises(Interrupted):
                    signal.setitimer(signal.ITIMER_REAL, 0.001 + number * 17e-6)
                    write_on(there)
        finally:
            signal.signal(signal.SIGALRM, before)
        there.output(17, 0)
        assert there.input(17) == 0
    assert told == []


INTERRUPTED_LOGIN = """
import RPIO
try:
    RPIO.connect("ssh://far")
except KeyboardInterrupt:
    print("interrupted", flush=True)
input()
"""


def test_control_c_while_ssh_logs_in_leaves_nothing_behind(far):
    code = INTERRUPTED_LOGIN
    with far.having(f"echo $$ > {far.folder}/pid; exec cat > /dev/null"), program(code) as made:
        assert wait_until(lambda: (far.folder / "pid").exists() and (far.folder / "pid").read_text())
        made.process.send_signal(signal.SIGINT)
        made.says("^interrupted$")
        assert not ssh_parts.children(made.pid)
        there = f"/proc/{(far.folder / 'pid').read_text().strip()}"
        (far.folder / "pid").unlink()
        assert wait_until(lambda: not os.path.exists(there))


INTERRUPTED_LOGINS = """
import gc, os, signal, sys, time
sys.path.insert(0, sys.argv[1])
import RPIO
from ssh_parts import ssh_children
from test_ssh import Interrupted, descriptors
from waiting import wait_until

def raise_it(number, frame):
    raise Interrupted

with RPIO.connect("ssh://far"):
    pass  # what is loaded, and the shared login
signal.signal(signal.SIGALRM, raise_it)
opened = descriptors()
for number in range(40):
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.0005 + number * 0.0025)
        there = RPIO.connect("ssh://far", linger_s=0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        there.close()
    except Interrupted:
        continue
there = None
assert wait_until(lambda: gc.collect() >= 0 and not ssh_children(os.getpid()))
assert wait_until(lambda: gc.collect() >= 0 and not descriptors() - opened), descriptors() - opened
print("nothing is left")
"""


@pytest.mark.slow
def test_logins_that_are_interrupted_at_any_moment_leave_nothing_behind(far):
    """In a process of its own: pytest keeps what has been raised, and that what it was raised in."""
    command = [sys.executable, "-c", INTERRUPTED_LOGINS, os.path.dirname(__file__)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout == "nothing is left\n", done.stderr


# -- what goes wrong ------------------------------------------------------------------------------


def refused(where, **keywords):
    """What is said, and what is to be done about it."""
    before = ssh_parts.ssh_children(os.getpid())
    with pytest.raises(RPIO.NoBackendError) as error:
        RPIO.connect(where, **{"timeout_s": 20.0, **keywords})
    assert ssh_parts.ssh_children(os.getpid()) == before
    return str(error.value), error.value.hint


def test_a_host_that_nobody_knows(far):
    text, hint = refused("ssh://nobody.invalid")
    assert "for ssh says:\nssh: Could not resolve hostname nobody.invalid" in text
    assert hint.endswith("try: ping nobody.invalid")


@pytest.mark.parametrize(
    ("where", "says", "advises"),
    [
        ("ssh://far:1", "Connection refused", "systemctl enable --now ssh"),
        ("ssh://far:1", "Connection refused", "without ssh: `rpio pair` there, and `rpio pair far` here"),
        ("ssh://nokey", "Permission denied", "ssh-copy-id nokey"),
        ("ssh://nosuchuser@far", "Permission denied", "ssh -l nosuchuser far"),
        ("ssh://changed", "IDENTIFICATION HAS CHANGED", "ssh-keygen -R"),
        ("ssh://unknown", "Host key verification failed", "ssh unknown"),
    ],
)
def test_ssh_gives_up_in_its_own_words_and_then_ours(far, where, says, advises):
    far.end_masters()
    text, hint = refused(where)
    assert f"no board answers at {where}, for ssh says:\n" in text
    assert says in text
    assert advises in hint


def test_an_rpio_that_is_not_there(far):
    far.have_no_rpio()
    try:
        text, hint = refused("ssh://far")
    finally:
        far.have()
    assert text == "no board answers at ssh://far: RPIO is not installed there"
    assert hint.startswith("ssh far pip install RPIO")


def test_an_rpio_that_is_older(far):
    with far.having("echo \"rpio: there is no verb 'serve', only read\" >&2; exit 2"):
        text, hint = refused("ssh://far")
    assert "older" in text
    assert "there is no verb 'serve'" in text
    assert "--upgrade" in hint


def test_an_rpio_that_is_newer_is_told_this_ones_version_and_answers_in_it(far):
    newer = 'read hello; echo "ok 1 abc \\"a board\\" c03111 54 something-new #1"; read bye; echo "ok #2"'
    with far.having(newer), RPIO.connect("ssh://far", **QUICK) as there:
        assert "a board at ssh://far" in there.describe()


@pytest.mark.parametrize(
    "garbage",
    [
        "echo Welcome; exec cat > /dev/null",
        "echo usage: rpio; exit 0",
        "echo ok; cat",
        "cat",
        "cat /dev/zero",
        "yes",
    ],
)
def test_what_is_no_rpio_is_an_error_that_quotes_it(far, garbage):
    with far.having(garbage), pytest.raises((RPIO.NoBackendError, RPIO.ProtocolError)) as error:
        RPIO.connect("ssh://far", timeout_s=1.0)
    assert "ssh://far" in str(error.value) or "RPIO's own protocol" in str(error.value)
    assert not ssh_parts.ssh_children(os.getpid())


def test_a_board_that_cannot_be_opened_there_is_told_in_its_words(far):
    with far.having(f"{far.rpio} --backend cdev:/dev/no-such-chip"):
        text, hint = refused("ssh://far")
    assert "no-such-chip" in text
    assert hint == "try by hand: ssh far rpio serve --stdio"


def test_no_ssh_on_this_side(far, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    text, hint = refused("ssh://far")
    assert "no ssh" in text
    assert hint == "sudo apt install openssh-client"


@pytest.mark.parametrize(
    "where",
    [
        "ssh://",
        "ssh://-oProxyCommand=touch x",
        "ssh://-oProxyCommand=x",
        "ssh://user@-oProxyCommand=x",
        "ssh://-l@far",
        "ssh://far:-1",
        "ssh://far:0",
        "ssh://far:99999",
        "ssh://far;id",
        "ssh://$(id)",
        "ssh://far/pins",
        "ssh://a b",
        "ssh://far\n",
    ],
)
@pytest.mark.slow
def test_what_is_no_host_is_refused_before_anything_is_started(where, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ValueError, match="is no place of a board"):
        RPIO.connect(where)


@pytest.mark.parametrize(
    ("where", "command"),
    [
        ("ssh://pi", "ssh pi"),
        ("ssh://pi/", "ssh pi"),
        ("ssh://me@pi.local:2222", "ssh -l me -p 2222 pi.local"),
        ("ssh://me@example.org@pi", "ssh -l me@example.org pi"),
        ("ssh://[fe80::1%eth0]:22", "ssh -p 22 fe80::1%eth0"),
    ],
)
@pytest.mark.slow
def test_places(where, command):
    place = places.Place(where)
    assert place.ssh.whom.command == command
    assert str(place) == where.rstrip("/")
