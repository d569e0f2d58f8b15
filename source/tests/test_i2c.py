# SPDX-License-Identifier: LGPL-3.0-or-later
"""RPIO.i2c.SMBus on a simulated board and over RPIO's own protocol: the same calls, answers and errors.

On buses of a real kernel's, beside smbus2: kernel/test_i2c_stub. What SMBus calls are on the wire: test_smbus_messages.
"""

import errno
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

import RPIO
from i2c_parts import There
from RPIO.i2c import SMBus, i2c_msg
from RPIO.i2c import opening as i2c_opening
from RPIO.wire import smbus as numbers
from waiting import LIMIT_S, wait_until


@pytest.fixture(scope="module")
def machine():
    made = There()
    yield made
    made.close()


@pytest.fixture(params=["here", "afar"])
def bus(machine, request):
    """An SMBus of the board's program, and one of another session."""
    machine.chip.values[:] = range(256)
    machine.bus.recover()
    with machine.here() if request.param == "here" else machine.smbus() as made:
        yield made


@pytest.fixture
def there():
    made = There()
    yield made
    made.close()


@pytest.fixture
def slow():
    made = There(is_slow=True)
    yield made
    made.bus.gate.set()
    made.close()


# -- calls --------------------------------------------------------------------------------------


def test_bytes_words_and_blocks(bus, machine):
    assert bus.read_byte_data(0x50, 7) == 7
    assert bus.read_word_data(0x50, 0x10) == 0x1110
    assert bus.read_i2c_block_data(0x50, 0xF0, 4) == [0xF0, 0xF1, 0xF2, 0xF3]
    assert bus.read_i2c_block_data(0x50, 0) == list(range(32))
    bus.write_byte_data(0x50, 1, 0xAB)
    bus.write_word_data(0x50, 2, 0x1234)
    bus.write_i2c_block_data(0x50, 4, [1, 2, 3])
    assert machine.chip.values[1:7] == [0xAB, 0x34, 0x12, 1, 2, 3]
    bus.write_block_data(0x50, 0x20, [9, 8])
    assert machine.chip.values[0x20:0x23] == [2, 9, 8]
    assert bus.read_block_data(0x50, 0x20) == [9, 8]
    bus.write_byte(0x50, 5)
    assert bus.read_byte(0x50) == 2
    bus.write_quick(0x50)
    assert bus.process_call(0x50, 0x30, 0x0201) == 0x3332, "the pointer has gone on by what was written"
    bus.write_i2c_block_data(0x50, 0x40, [0, 0, 0, 2, 0x77, 0x78])
    assert bus.block_process_call(0x50, 0x40, [5, 6]) == [0x77, 0x78]


def test_messages_of_plain_i2c(bus):
    answer = i2c_msg.read(0x50, 300)
    bus.i2c_rdwr(i2c_msg.write(0x50, [3]), answer)
    assert list(answer) == [number & 0xFF for number in range(3, 303)]
    first, second = i2c_msg.read(0x50, 1), i2c_msg.read(0x50, 2)
    bus.i2c_rdwr(i2c_msg.write(0x50, b"\x09"), first, i2c_msg.write(0x50, "\x20"), second)
    assert (bytes(first), list(second)) == (b"\x09", [0x20, 0x21])


def test_a_check_byte_is_made_and_checked(bus, machine):
    assert bus.pec == 0
    bus.pec = True
    try:
        assert bus.pec == 1
        with pytest.raises(OSError) as error:
            bus.read_byte_data(0x50, 7)  # which the chip knows nothing of: it goes on with the next register
        assert error.value.errno == errno.EBADMSG
        bus.write_byte_data(0x50, 1, 2)
        assert machine.chip.values[1] == 2
        assert machine.chip.values[2] not in (2, 1), "the check byte is a byte more for who does not know it"
    finally:
        bus.pec = False


def test_what_a_bus_can_do(bus):
    assert bus.funcs & numbers.FUNC_I2C
    assert bus.funcs & numbers.FUNC_SMBUS_EMUL == numbers.FUNC_SMBUS_EMUL
    assert bus.fd is None


def test_who_is_there(bus, machine):
    assert bus.scan() == [0x50]
    assert [row for row in bus.probe() if row[1]] == [(0x50, True, False)]


def test_a_signed_value_is_its_twos_complement(bus, machine):
    bus.write_byte_data(0x50, 0, -1)
    bus.write_word_data(0x50, 2, -2)
    bus.write_i2c_block_data(0x50, 4, [-128, 255])
    assert machine.chip.values[:6] == [0xFF, 1, 0xFE, 0xFF, 0x80, 0xFF]


# -- what goes wrong ----------------------------------------------------------------------------

NONE_OF_A_BUS = {
    "address": lambda bus: bus.read_byte(0x80),
    "negative address": lambda bus: bus.write_quick(-1),
    "register": lambda bus: bus.read_byte_data(0x50, 256),
    "byte": lambda bus: bus.write_byte_data(0x50, 0, 256),
    "negative byte": lambda bus: bus.write_byte(0x50, -129),
    "word": lambda bus: bus.write_word_data(0x50, 0, 65536),
    "word of a process call": lambda bus: bus.process_call(0x50, 0, -32769),
    "long block": lambda bus: bus.write_i2c_block_data(0x50, 0, [0] * 33),
    "long SMBus block": lambda bus: bus.write_block_data(0x50, 0, [0] * 33),
    "long block to a process call": lambda bus: bus.block_process_call(0x50, 0, [0] * 33),
    "long read": lambda bus: bus.read_i2c_block_data(0x50, 0, 33),
    "byte of a block": lambda bus: bus.write_i2c_block_data(0x50, 0, [0, 300]),
    "many messages": lambda bus: bus.i2c_rdwr(*[i2c_msg.read(0x50, 1)] * 43),
    "long message": lambda bus: i2c_msg.read(0x50, 8193),
}


@pytest.mark.parametrize("what", NONE_OF_A_BUS)
def test_what_no_bus_could_do_is_a_value_error_and_nothing_is_done(bus, machine, what):
    with pytest.raises(ValueError):
        NONE_OF_A_BUS[what](bus)
    assert machine.chip.values == list(range(256))
    assert bus.read_byte_data(0x50, 3) == 3


NOBODY = {
    "quick": lambda bus: bus.write_quick(0x51),
    "read": lambda bus: bus.read_byte_data(0x51, 0),
    "write": lambda bus: bus.write_byte_data(0x51, 0, 0),
    "block": lambda bus: bus.read_i2c_block_data(0x51, 0, 8),
    "messages": lambda bus: bus.i2c_rdwr(i2c_msg.write(0x51, [0]), i2c_msg.read(0x51, 1)),
}


@pytest.mark.parametrize("what", NOBODY)
def test_where_nobody_answers_the_error_is_that_of_a_raspberry_pi(bus, what):
    with pytest.raises(OSError) as error:
        NOBODY[what](bus)
    assert error.value.errno == errno.EREMOTEIO
    assert bus.read_byte_data(0x50, 3) == 3


def test_a_bus_that_is_stuck_says_so_until_it_is_not(bus, machine):
    machine.bus.stick()
    with pytest.raises(OSError) as error:
        bus.read_byte(0x50)
    assert error.value.errno == errno.ETIMEDOUT
    machine.bus.recover()
    assert bus.read_byte_data(0x50, 3) == 3


def test_an_answer_that_is_no_block_is_an_error_and_no_crash(bus, machine):
    machine.chip.values[0x20] = 200
    with pytest.raises(OSError) as error:
        bus.read_block_data(0x50, 0x20)
    assert error.value.errno == errno.EPROTO


@pytest.mark.parametrize("afar", [False, True], ids=["here", "afar"])
def test_a_bus_that_is_missing_names_the_line_that_makes_it(machine, afar):
    board = machine.connect() if afar else machine.board
    with pytest.raises(FileNotFoundError, match="bus 7") as error:
        SMBus(7, board=board)
    assert isinstance(error.value, RPIO.NoBusError)
    assert "dtparam=i2c_arm=on" in error.value.hint
    assert SMBus(1, board=board).read_byte_data(0x50, 3) == 3


@pytest.mark.parametrize(
    ("where", "kind"),
    [
        ("one", ValueError),
        (-1, ValueError),
        (1 << 20, ValueError),
        (1.0, TypeError),
        (True, TypeError),
        (b"1", TypeError),
    ],
)
def test_what_is_no_bus_is_refused(where, kind):
    with pytest.raises(kind, match="/dev/i2c-1"):
        SMBus(where)


def test_what_is_closed_says_so_and_can_be_opened_again(machine):
    bus = machine.here()
    bus.close()
    bus.close()
    with pytest.raises(OSError, match="closed") as error:
        bus.read_byte(0x50)
    assert error.value.errno == errno.EBADF
    with pytest.raises(OSError, match="closed"):
        bus.held()
    bus.open("1")
    assert bus.read_byte_data(0x50, 3) == 3


def test_one_that_has_opened_nothing_is_closed():
    assert (SMBus().fd, SMBus().funcs, SMBus().address) == (None, 0, None)
    SMBus().close()


# -- whose bus a number is ----------------------------------------------------------------------


def test_a_number_is_a_bus_of_the_board_in_use(rpio):
    from RPIO.chips.buses import i2c_bus
    from RPIO.chips.registers import Registers

    i2c_bus(RPIO.sim.backend(), 1).add(0x22, Registers(values={0: 42}))
    with SMBus(1) as bus:
        assert bus.read_byte_data(0x22, 0) == 42


@pytest.mark.parametrize("word", ["regs", "cdev", "sysfs", "cdev:gpiochip0"])
def test_beside_lines_of_this_machine_it_is_the_kernels(monkeypatch, word):
    monkeypatch.setattr(i2c_opening.in_use, "machine", lambda: type("M", (), {"opened": None, "spec": word}))
    assert i2c_opening.local_path(1) == "/dev/i2c-1"
    assert i2c_opening.local_path("3") == "/dev/i2c-3"


@pytest.mark.parametrize("word", ["sim", "sim:4B", "remote://nobody", "ssh://nobody"])
def test_beside_others_it_is_theirs_but_a_path_is_this_machines(monkeypatch, word):
    monkeypatch.setattr(i2c_opening.in_use, "machine", lambda: type("M", (), {"opened": None, "spec": word}))
    assert i2c_opening.local_path(1) is None
    assert i2c_opening.local_path("/dev/i2c-1") == "/dev/i2c-1"


def test_a_bus_of_the_kernel_that_is_missing_is_named():
    with pytest.raises(FileNotFoundError, match="/dev/i2c-99") as error:
        SMBus("/dev/i2c-99")
    assert "dtparam=i2c_arm=on" in error.value.hint


def test_without_smbus2_one_sentence_says_what_to_install():
    code = (
        "import sys; sys.modules['smbus2'] = None\n"
        "from RPIO.i2c import SMBus\n"
        "try: SMBus('/dev/i2c-1')\n"
        "except NotImplementedError as e: print(e, '|', e.hint)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == 'this machine\'s own I2C buses need smbus2 | pip install "RPIO[i2c]"\n', done.stderr


# -- turns, and holding -------------------------------------------------------------------------


def test_another_session_waits_for_who_holds_the_bus(there):
    mine, other = there.smbus(), there.smbus()
    done = []
    with mine.held():
        mine.write_byte(0x50, 5)
        thread = threading.Thread(target=lambda: done.append(other.read_byte_data(0x50, 9)))
        thread.start()
        assert wait_until(lambda: there.waiting() == 1)
        assert mine.read_byte(0x50) == 5, "nobody has moved the pointer"
        assert not done
    thread.join(LIMIT_S)
    assert done == [9]


def test_who_waits_for_too_long_is_told_who_holds_it(there):
    mine, other = there.smbus(), there.smbus()
    with mine.held(), pytest.raises(RPIO.BusError, match=r"is held by .*@") as error:
        other.held(0.01).__enter__()
    assert error.value.errno == errno.EBUSY
    with other.held(0.01):
        assert other.read_byte_data(0x50, 3) == 3


def test_a_thread_of_the_same_program_waits_too(bus):
    inside = threading.Event()
    seen = []

    def hold():
        with bus.held():
            inside.set()
            bus.write_byte(0x50, 5)
            while not waiting.is_set():
                bus.write_byte(0x50, 5)
            seen.append(bus.read_byte(0x50))

    waiting = threading.Event()
    thread = threading.Thread(target=hold)
    thread.start()
    assert inside.wait(LIMIT_S)
    waiting.set()
    assert bus.read_byte_data(0x50, 9) == 9
    thread.join(LIMIT_S)
    assert seen == [5]


def test_holds_may_be_within_each_other(bus):
    with bus.held(), bus.held() as inner:
        assert inner is bus
    with bus.held():
        assert bus.read_byte_data(0x50, 1) == 1


def test_the_program_that_has_the_board_may_hold_it_too(there, monkeypatch):
    monkeypatch.setattr("RPIO.i2c.remote.WAIT_S", 0.01)
    other = there.smbus()
    with there.here().held(), pytest.raises(RPIO.BusError, match="held by the program") as error:
        other.read_byte(0x50)
    assert error.value.errno == errno.EBUSY
    assert other.read_byte_data(0x50, 3) == 3


def test_a_client_that_vanishes_lets_go(there):
    peer, other = there.peer(), there.smbus()
    peer.send("i2c_hold 1 60 #1")
    assert peer.lines(1) == ["ok #1"]
    with pytest.raises(RPIO.BusError):
        other.held(0.01).__enter__()
    peer.close()
    with other.held():
        assert other.read_byte_data(0x50, 3) == 3


def test_a_hold_that_is_over_is_no_silence(there, monkeypatch):
    monkeypatch.setattr("RPIO.i2c.remote.HOLD_MAX_S", 0.01)
    mine, other = there.smbus(), there.smbus()
    with pytest.raises(RPIO.BusError, match="held for too long"), mine.held(), other.held():
        pass


def test_an_exception_within_is_the_one_that_is_told(bus):
    with pytest.raises(ZeroDivisionError), bus.held():
        raise ZeroDivisionError
    with bus.held():
        pass


@pytest.mark.slow
def test_who_serves_a_bus_and_uses_it_himself_is_in_nobodys_way(there):
    mine, other = there.here(), there.smbus()
    over = threading.Event()

    def work():
        while not over.is_set():
            assert mine.read_byte_data(0x50, 5) == 5

    thread = threading.Thread(target=work)
    thread.start()
    try:
        assert [other.read_byte_data(0x50, 7) for _ in range(40)] == [7] * 40
    finally:
        over.set()
        thread.join(LIMIT_S)


def test_other_threads_of_a_program_that_waits_for_a_bus_go_on(there):
    holder, board = there.smbus(), there.connect()
    board.setup(17, RPIO.OUT)
    with holder.held():
        waits = threading.Thread(target=lambda: SMBus(1, board=board).read_byte_data(0x50, 3))
        waits.start()
        begin = time.monotonic()
        for number in range(20):
            board.output(17, number & 1)
        assert waits.is_alive()
        assert time.monotonic() - begin < 4
    waits.join(LIMIT_S)


@pytest.mark.parametrize("wait_s", [-1, float("nan"), float("inf"), 1e9])
def test_a_wait_that_is_none_is_refused(bus, wait_s):
    with pytest.raises(ValueError, match="wait_s is 0 to"):
        bus.held(wait_s)


def test_what_is_no_message_is_refused(bus):
    with pytest.raises(TypeError, match="no int"):
        bus.i2c_rdwr(5)


def test_a_message_whose_length_the_device_says(bus, machine):
    machine.chip.values[0x20] = 2
    answer = i2c_msg.read(0x50, 33)
    answer.flags |= numbers.M_RECV_LEN
    answer.buf[0] = b"\1"
    bus.i2c_rdwr(i2c_msg.write(0x50, [0x20]), answer)
    assert list(answer)[:3] == [2, 0x21, 0x22]
    assert bus.read_byte(0x50) == 0x23, "no more has been read"


def test_a_transfer_from_afar_reads_so_much_and_no_more(machine):
    with machine.smbus() as bus, pytest.raises(ValueError, match="reads 32768 bytes at most"):
        bus.i2c_rdwr(*[i2c_msg.read(0x50, 8192)] * 5)


def test_who_asks_for_much_is_answered_bit_by_bit_and_others_in_between(there):
    greedy, modest = there.peer(), there.smbus()
    request = "i2c 1 " + " ".join(["80 1 8192 -"] * 4)
    greedy.send("\n".join(f"{request} #{number}" for number in range(20)))
    assert modest.read_byte_data(0x50, 3) == 3
    for number in range(20):
        (line,) = greedy.lines(1)
        assert line.startswith("ok ") and line.endswith(f" #{number}") and len(line) > 4 * 2 * 8192


def test_many_who_wait_without_numbers_are_all_answered(there):
    """Whoever is answered asks again: in the same round, and no deeper."""
    peers = [there.peer() for _ in range(200)]
    with there.smbus().held():
        for peer in peers:
            peer.send("smbus 1 80 read byte-data 3\nping\nping")
        assert wait_until(lambda: there.waiting() > 0)
    for peer in peers:
        first, *others = peer.lines(3)
        assert first == "ok 03" or "BusError" in first
        assert others == ["ok", "ok"]


# -- a bus that does not answer at once ---------------------------------------------------------


def test_a_slow_bus_keeps_nobody_waiting_but_who_asks_it(slow):
    asks, other = slow.smbus(), slow.connect()
    slow.bus.gate.clear()
    done = []
    thread = threading.Thread(target=lambda: done.append(asks.read_byte_data(0x50, 3)))
    thread.start()
    assert wait_until(lambda: slow.bus.began == 1)
    other.setup(17, RPIO.OUT, initial=1)
    assert other.input(17) == 1
    assert not done
    slow.bus.gate.set()
    thread.join(LIMIT_S)
    assert done == [3]


def test_those_who_wait_take_turns(slow):
    """However many calls one of them has in store."""
    slow.bus.gate.clear()
    greedy, modest = slow.peer(), slow.peer()
    for number in range(8):
        greedy.send(f"smbus 1 80 read byte-data {number} #{number}")
    assert wait_until(lambda: slow.bus.began == 1)
    modest.send("smbus 1 80 read byte-data 100 #1")
    assert wait_until(lambda: slow.waiting() == 8)
    slow.bus.gate.set()
    assert wait_until(lambda: len(slow.bus.order) == 9)
    assert slow.bus.order.index(100) <= 2
    assert greedy.lines(8) == [f"ok {number:02x} #{number}" for number in range(8)]
    assert modest.lines(1) == ["ok 64 #1"]


def test_a_hold_without_patience_waits_for_the_call_that_is_under_way(slow):
    slow.bus.gate.clear()
    asks, holds = slow.peer(), slow.peer()
    asks.send("smbus 1 80 read byte-data 3 #1")
    assert wait_until(lambda: slow.bus.began == 1)
    holds.send("i2c_hold 1 60 0 #1")
    assert wait_until(lambda: slow.waiting() == 1)
    slow.bus.gate.set()
    assert holds.lines(1) == ["ok #1"]
    asks.send("i2c_hold 1 60 0 #2")
    assert asks.lines(1) == ["ok 03 #1"]
    assert asks.lines(1)[0].startswith("error BusError")


def test_who_lets_go_of_what_he_waits_for_does_not_get_it(slow):
    first, second, third = slow.peer(), slow.peer(), slow.peer()
    first.send("i2c_hold 1 60 #1")
    second.send("i2c_hold 1 60 60 #1\ni2c_release 1 #2")
    assert second.lines(2)[0].startswith("error BusError")
    assert first.lines(1) == ["ok #1"]
    first.send("i2c_release 1 #2")
    assert first.lines(1) == ["ok yes #2"]
    third.send("i2c_hold 1 60 0 #1")
    assert third.lines(1) == ["ok #1"]


def test_who_is_gone_is_told_so_whatever_he_waits_for(slow):
    """Whoever asks in the name of a session, by whatever protocol, hears of its end."""
    slow.bus.gate.clear()
    buses, told = slow.front.buses, []
    who = object()
    slow.front.soon(
        lambda: buses.ask(object(), "another", (1,), lambda bus: bus.functions(), lambda *_: None)
    )
    slow.front.soon(
        lambda: buses.ask(object(), "first", (1,), lambda bus: bus.gate.wait(LIMIT_S), lambda *_: None)
    )
    slow.front.soon(lambda: buses.ask(who, "he", (1,), lambda bus: 1, lambda *what: told.append(what)))
    assert wait_until(lambda: slow.waiting() >= 1)
    slow.front.soon(lambda: buses.gone(who))
    assert wait_until(lambda: told)
    ((result, error),) = told
    assert result is None and "has gone" in str(error)


def threads_of_buses():
    """Those that run. Python keeps what it has made for a thread that is none of its own, also when that has ended."""
    alive = sys._current_frames()
    return {t for t in threading.enumerate() if t.name == "RPIO bus" and t.ident in alive}


def test_a_board_that_is_closed_in_the_middle_of_a_call_leaves_no_thread(slow):
    closed, others = [], threads_of_buses()  # of boards that other tests have open
    slow.bus.close = lambda: closed.append(1)
    slow.bus.gate.clear()
    slow.peer().send("smbus 1 80 read byte-data 3 #1")
    assert wait_until(lambda: slow.bus.began == 1)
    slow.board.close()
    slow.bus.gate.set()
    assert wait_until(lambda: closed)
    assert wait_until(lambda: not threads_of_buses() - others)


def test_so_many_may_wait_and_no_more(slow):
    slow.bus.gate.clear()
    peer = slow.peer()
    for number in range(80):
        peer.send(f"smbus 1 80 read byte-data {number} #{number}")
    refused = peer.lines(80 - 65)
    assert all("BusError" in line and "64 calls wait" in line for line in refused)
    slow.bus.gate.set()
    assert len(peer.lines(65)) == 65


def test_what_was_asked_when_the_connection_was_lost_is_not_asked_twice(slow):
    """Nobody can tell whether it has been done, and that is what is said."""
    slow.bus.gate.clear()
    asks = slow.connect(linger_s=LIMIT_S)
    bus = SMBus(1, board=asks)
    errors = []

    def ask():
        try:
            bus.write_byte_data(0x50, 3, 99)
        except RPIO.ConnectionLost as e:
            errors.append(e)

    thread = threading.Thread(target=ask)
    thread.start()
    assert wait_until(lambda: slow.bus.began == 1)
    asks.backend._connection._made.shut()
    thread.join(LIMIT_S)
    slow.bus.gate.set()
    assert [error.applied for error in errors] == [None]
    assert bus.read_byte_data(0x50, 3) == 99
    assert slow.bus.began == 2


def test_answers_without_numbers_come_in_the_order_of_the_requests(slow):
    slow.bus.gate.clear()
    peer = slow.peer()
    peer.send("smbus 1 80 read byte-data 1\nread 17\nsmbus 1 80 read byte-data 2\nping #7")
    assert wait_until(lambda: slow.bus.began == 1)
    peer.send("ping #8")
    slow.bus.gate.set()
    assert peer.lines(5) == ["ok 01", "ok 0", "ok 02", "ok #7", "ok #8"]


def test_a_call_of_a_client_that_vanishes_is_answered_to_nobody(slow):
    slow.bus.gate.clear()
    peer = slow.peer()
    peer.send("smbus 1 80 read byte-data 1 #1")
    peer.send("smbus 1 80 read byte-data 2 #2")
    assert wait_until(lambda: slow.bus.began == 1)
    peer.close()
    assert wait_until(lambda: slow.waiting() == 0), "what waited is forgotten"
    slow.bus.gate.set()
    assert slow.smbus().read_byte_data(0x50, 7) == 7
    assert slow.bus.order == [1, 7]


@pytest.mark.slow
def test_fifty_clients_at_one_bus_have_their_answers_whole(slow):
    buses = [slow.smbus() for _ in range(50)]
    wrong = []

    def work(number, bus):
        for turn in range(10):
            register = (number * 5 + turn) & 0xFF
            if bus.read_word_data(0x50, register) != register | (register + 1 & 0xFF) << 8:
                wrong.append(number)

    threads = [threading.Thread(target=work, args=pair) for pair in enumerate(buses)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT_S)
    assert not wrong
    assert slow.bus.began == 500


# -- processes ----------------------------------------------------------------------------------


def test_the_child_of_a_fork_uses_the_bus_while_the_parent_holds_it(machine):
    with machine.smbus() as bus, bus.held():
        pid = os.fork()
        if not pid:
            status = 1
            try:
                status = 0 if machine.here().read_byte_data(0x50, 3) == 3 else 2
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        assert bus.read_byte_data(0x50, 3) == 3


class Interrupted(Exception):
    pass


def test_an_interruption_in_the_middle_leaves_the_bus_free(there):
    """By a signal handler that raises, at a hundred moments of a hold."""

    def interrupt(number, frame):
        raise Interrupted

    before = signal.signal(signal.SIGALRM, interrupt)
    mine, other = there.smbus(), there.smbus()
    try:
        for number in range(100):
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.00002 + number * 0.00001)
                with mine.held():
                    mine.read_byte_data(0x50, 3)
                signal.setitimer(signal.ITIMER_REAL, 0)
            except (Interrupted, RPIO.ConnectionLost):
                signal.setitimer(signal.ITIMER_REAL, 0)
            with other.held():
                assert other.read_byte_data(0x50, 3) == 3
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
