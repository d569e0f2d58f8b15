# SPDX-License-Identifier: LGPL-3.0-or-later
"""Further-Link's dialects, texts in and texts out: the rows of their tables, to the letter. Nothing is connected."""

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from RPIO.errors import ProtocolError
from RPIO.wire import further, runs
from RPIO.wire.further import Run, RunPy, joined
from RPIO.wire.runs import STDERR, STDIN, STDOUT, VIDEO, Data, Message

BAD = '{"type": "error", "data": {"message": "Bad message"}}'


def asked(turn):
    """What goes to the keeper, as its own reader has it."""
    return [
        (found.type, found.process, dict(found.data))
        if isinstance(found, Message)
        else (found.kind, found.process, found.value)
        for found in runs.Reader(runs.ASKED).feed(turn.up)
    ]


def said(**message):
    return json.dumps(message)


def send(dialect, **message):
    """What comes of a message: what is asked of the keeper, and what the client is told."""
    turn = dialect.hear(said(**message))
    return asked(turn), turn.down


def refusals(dialect, text):
    """The errors that come of a text, of which nothing is asked."""
    turn = dialect.hear(text)
    assert not turn.up
    return [json.loads(text) for text in turn.down]


# -- /run-py --------------------------------------------------------------------------------------


def started(**data):
    """A dialect of /run-py in which a program was started."""
    made = RunPy()
    assert send(made, type="start", data={"sourceScript": "pass", **data})[1] == []
    return made


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        ({"sourceScript": "print('hi')"}, {"code": "print('hi')"}),
        ({"sourceScript": ""}, {"code": ""}),
        ({"sourceScript": "x", "directoryName": "proj"}, {"code": "x", "directory": "proj"}),
        ({"sourceScript": "x", "directoryName": ""}, {"code": "x"}),
        ({"sourceScript": "x", "directoryName": None}, {"code": "x"}),
        ({"sourcePath": "proj/run.py"}, {"path": "proj/run.py"}),
        ({"sourcePath": "/abs/run.py"}, {"path": "/abs/run.py"}),
        ({"sourceScript": "x", "sourcePath": "y", "more": 1}, {"code": "x"}),
        ({"sourceScript": None, "sourcePath": "y"}, {"path": "y"}),
    ],
)
def test_a_start_of_run_py_is_one_of_python(data, wanted):
    found, told = send(RunPy(), type="start", data=data)
    assert found == [("start", further.THE_ONE, {"runner": "python3", **wanted})]
    assert told == []


def test_ping_is_answered_without_the_keeper():
    assert send(RunPy(), type="ping") == ([], ['{"type": "pong", "data": null}'])
    assert send(RunPy(), type="ping", data={}) == ([], ['{"type": "pong", "data": null}'])


def test_stdin_and_stop_are_of_the_program_that_runs():
    made = started()
    assert send(made, type="stdin", data={"input": "grüß\n"})[0] == [
        (STDIN, further.THE_ONE, "grüß\n".encode())
    ]
    assert send(made, type="stop")[0] == [("stop", further.THE_ONE, {})]
    assert send(made, type="stop", data=None)[0] == [("stop", further.THE_ONE, {})]


def test_long_input_comes_in_pieces_that_are_whole_together():
    found = send(started(), type="stdin", data={"input": "ä" * 100_000})[0]
    assert all(kind == STDIN and len(value) <= runs.DATA_MAX for kind, _, value in found)
    assert b"".join(value for *_, value in found) == ("ä" * 100_000).encode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "[]",
        '"start"',
        "null",
        "{}",
        '{"type": 1}',
        '{"type": null, "data": {}}',
        '{"data": {}}',
        said(type="nonsense"),
        said(type="resize", data={"rows": 1, "cols": 1}),
        said(type="keyevent", data={"key": "a", "event": "keydown"}),
        said(type="start"),
        said(type="start", data=[]),
        said(type="start", data={}),
        said(type="start", data={"sourceScript": 1}),
        said(type="start", data={"sourceScript": "x", "directoryName": 1}),
        said(type="start", data={"sourceScript": "x\0"}),
        said(type="start", data={"sourcePath": ""}),
        said(type="start", data={"sourcePath": 1}),
        said(type="stdin", data={"input": "x"}),
        said(type="stop"),
        said(type="upload"),
        said(type="upload", data={}),
        said(type="upload", data={"directory": "x"}),
        said(type="upload", data={"directory": {"name": "x"}}),
        said(type="upload", data={"directory": {"files": {}}}),
        said(type="upload", data={"directory": {"name": 1, "files": {}}}),
        said(type="upload", data={"directory": {"name": "x", "files": []}}),
        "[" * 100_000,
        b"binary",
    ],
)
def test_what_run_py_does_not_know_is_a_bad_message_and_no_more(text):
    turn = RunPy().hear(text)
    assert (turn.up, turn.down) == (b"", [BAD])


def test_one_program_at_a_time():
    made = started()
    assert send(made, type="start", data={"sourceScript": "x"}) == ([], [BAD])
    assert send(made, type="stdin", data={}) == ([], [BAD])
    assert send(made, type="stdin", data={"input": 1}) == ([], [BAD])
    made.tell(Message("started", further.THE_ONE, {"number": 1, "pid": 2, "name": "1.py"}))
    assert send(made, type="start", data={"sourceScript": "x"}) == ([], [BAD])
    made.tell(Message("stopped", further.THE_ONE, {"exitCode": 0}))
    assert send(made, type="stop") == ([], [BAD])
    assert send(made, type="start", data={"sourceScript": "x"})[0]


@pytest.mark.parametrize(
    ("found", "texts"),
    [
        (
            Message("started", "main", {"number": 3, "pid": 4, "name": "3.py"}),
            ['{"type": "started", "data": null}'],
        ),
        (Data(STDOUT, "main", b"hi\n"), ['{"type": "stdout", "data": {"output": "hi\\n"}}']),
        (Data(STDERR, "main", b"oh\n"), ['{"type": "stderr", "data": {"output": "oh\\n"}}']),
        (Message("stopped", "main", {"exitCode": 0}), ['{"type": "stopped", "data": {"exitCode": 0}}']),
        (Message("stopped", "main", {"exitCode": -15}), ['{"type": "stopped", "data": {"exitCode": -15}}']),
        (Message("uploaded", "", {"fetched_urls": True}), ['{"type": "uploaded", "data": null}']),
        (Data(VIDEO, "main", b"QUJD"), ['{"type": "video", "data": {"output": "QUJD"}}']),
        (
            Message("error", "", {"message": "no", "about": "upload"}),
            [BAD.replace("Bad message", "Bad upload")],
        ),
        (Message("error", "main", {"message": "no", "about": "stdin"}), [BAD]),
        (Message("keylisten", "main", {"key": "a"}), []),
        (Message("waiting", "main", {"number": 1, "why": "GPIO 17"}), []),
        (Message("hello", "", {"version": 1, "user": "pi", "work": "/home/pi/further"}), []),
        (Data(STDOUT, "main", b""), []),
    ],
)
def test_what_run_py_tells(found, texts):
    assert started().tell(found) == texts


def test_a_start_that_failed_is_the_originals_words_the_log_says_why_and_another_may_come(caplog):
    made = started()
    (text,) = made.tell(Message("error", "main", {"message": "the disk is full", "about": "start"}))
    assert json.loads(text) == {
        "type": "error",
        "data": {"message": "Bad message"},
    }
    assert "/run-py: nothing was started: the disk is full" in caplog.text
    assert send(made, type="start", data={"sourceScript": "x"})[0]


def test_a_file_that_is_not_there_is_what_python_says_of_it():
    made = started()
    texts = made.tell(
        Message("error", "main", {"message": "there is no file /x/nofile.py", "about": "start"})
    )
    assert [json.loads(text) for text in texts] == [
        {"type": "started", "data": None},
        {
            "type": "stderr",
            "data": {
                "output": "python3: can't open file '/x/nofile.py': [Errno 2] No such file or directory\n"
            },
        },
        {"type": "stopped", "data": {"exitCode": 2}},
    ]
    assert send(made, type="start", data={"sourceScript": "x"})[0]


def test_an_upload_goes_to_the_keeper_as_it_is():
    files = {"m.py": {"type": "text", "content": {"text": "def f(): return 42\n"}}}
    directory = {"name": "proj", "files": files, "username": "a@b"}
    found, told = send(RunPy(), type="upload", data={"directory": directory})
    assert found == [("upload", "", {"name": "proj", "files": files})]
    assert told == []


# -- /run -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "wanted"),
    [
        (
            {"type": "start", "process": "1", "data": {"runner": "python3", "code": "x"}},
            ("start", "1", {"runner": "python3", "code": "x"}),
        ),
        (
            {"type": "start", "process": "1", "data": {"runner": "exec", "path": "/a/b", "code": None}},
            ("start", "1", {"runner": "exec", "path": "/a/b"}),
        ),
        (
            {"type": "start", "process": "1", "client": "c", "data": {"runner": "shell", "novncOptions": {}}},
            ("start", "1", {"runner": "shell"}),
        ),
        (
            {"type": "start", "process": "é" * 32, "data": {"runner": "shell", "pty": True}},
            ("start", "é" * 32, {"runner": "shell", "pty": True, "rows": 4, "cols": 60}),
        ),
        (
            {
                "type": "start",
                "process": "1",
                "data": {"runner": "shell", "pty": True, "rows": 24, "cols": 80},
            },
            ("start", "1", {"runner": "shell", "pty": True, "rows": 24, "cols": 80}),
        ),
        (
            {
                "type": "start",
                "process": "1",
                "data": {
                    "runner": "python3",
                    "path": "a.py",
                    "args": ["-x"],
                    "venv": "/v",
                    "lines": [17],
                    "whenBusy": "refuse",
                    "name": "n",
                    "detached": True,
                    "directoryName": "ignored",
                },
            },
            (
                "start",
                "1",
                {
                    "runner": "python3",
                    "path": "a.py",
                    "args": ["-x"],
                    "venv": "/v",
                    "lines": [17],
                    "when_busy": "refuse",
                    "name": "n",
                    "detached": True,
                },
            ),
        ),
        ({"type": "stdin", "process": "1", "data": {"input": "a"}}, (STDIN, "1", b"a")),
        ({"type": "stop", "process": "1"}, ("stop", "1", {})),
        ({"type": "eof", "process": "1"}, ("eof", "1", {})),
        (
            {"type": "resize", "process": "1", "data": {"rows": 30, "cols": 100}},
            ("resize", "1", {"rows": 30, "cols": 100}),
        ),
        (
            {"type": "keyevent", "process": "1", "data": {"key": "ArrowUp", "event": "keydown"}},
            ("keyevent", "1", {"key": "ArrowUp", "event": "keydown"}),
        ),
        (
            {"type": "signal", "process": "1", "data": {"signal": "INT"}},
            ("signal", "1", {"signal": "INT"}),
        ),
        ({"type": "detach", "process": "1"}, ("detach", "1", {})),
        (
            {"type": "attach", "process": "1", "data": {"number": 7, "follow": False}},
            ("attach", "1", {"number": 7, "follow": False}),
        ),
        ({"type": "list", "process": "ignored"}, ("list", "", {})),
        ({"type": "end", "data": {"number": 7}}, ("end", "", {"number": 7})),
        (
            {"type": "end", "data": {"number": 7, "signal": "KILL"}},
            ("end", "", {"number": 7, "signal": "KILL"}),
        ),
        ({"type": "forget", "data": {"number": 7}}, ("forget", "", {"number": 7})),
    ],
)
def test_what_run_asks(message, wanted):
    assert send(Run(), **message) == ([wanted], [])


def test_a_terminal_for_all_by_the_query_and_not_for_who_says_no():
    made = Run(is_pty=True)
    start = {"type": "start", "process": "1"}
    size = {"pty": True, "rows": 4, "cols": 60}
    assert send(made, **start, data={"runner": "shell"})[0] == [("start", "1", {"runner": "shell", **size})]
    plain = send(made, **start, data={"runner": "shell", "pty": False})[0]
    assert plain == [("start", "1", {"runner": "shell", "pty": False})]


def test_ping_has_four_keys_and_the_client():
    pong = '{"type": "pong", "data": null, "client": "abc", "process": null}'
    assert send(Run("abc"), type="ping") == ([], [pong])
    assert send(Run("abc"), type="ping", client="other", process="1") == ([], [pong])
    assert json.loads(send(Run(), type="ping")[1][0])["client"] == ""
    assert json.loads(send(Run('"\\'), type="ping")[1][0])["client"] == '"\\'


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ({"type": "nonsense", "process": "1"}, "there is no message 'nonsense'"),
        ({"type": "upload", "data": {}}, "there is no message 'upload'"),
        ({"type": "start", "data": {"runner": "shell"}}, "process is text of 1 to 64 bytes"),
        ({"type": "start", "process": "", "data": {"runner": "shell"}}, "process is text"),
        ({"type": "start", "process": 1, "data": {"runner": "shell"}}, "process is text"),
        ({"type": "start", "process": "x" * 65, "data": {"runner": "shell"}}, "process is text"),
        ({"type": "start", "process": "1"}, "runner is missing"),
        ({"type": "start", "process": "1", "data": {"runner": "node"}}, "runner cannot be 'node'"),
        ({"type": "start", "process": "1", "data": {"runner": ["shell"]}}, "runner cannot be"),
        ({"type": "start", "process": "1", "data": {"runner": "shell", "path": 1}}, "path cannot be 1"),
        ({"type": "start", "process": "1", "data": {"runner": "shell", "pty": 1}}, "pty cannot be 1"),
        (
            {"type": "start", "process": "1", "data": {"runner": "shell", "whenBusy": "x"}},
            "whenBusy cannot be 'x'",
        ),
        ({"type": "start", "process": "1", "data": [1]}, "data is an object"),
        ({"type": "stdin", "process": "1"}, "input is text"),
        ({"type": "stdin", "data": {"input": "x"}}, "process is text"),
        ({"type": "stop"}, "process is text"),
        ({"type": "resize", "process": "1", "data": {"rows": 1}}, "cols is missing"),
        ({"type": "resize", "process": "1", "data": {"rows": "1", "cols": 1}}, "rows cannot be '1'"),
        ({"type": "resize", "process": "1", "data": {"rows": 0, "cols": 1}}, "rows cannot be 0"),
        ({"type": "keyevent", "process": "1", "data": {"key": "a", "event": "x"}}, "event cannot be 'x'"),
        ({"type": "keyevent", "process": "1", "data": {"event": "keyup"}}, "key is missing"),
        ({"type": "signal", "process": "1", "data": {"signal": "SIGKILL"}}, "signal cannot be"),
        ({"type": "attach", "process": "1", "data": {"number": "7"}}, "number cannot be '7'"),
        ({"type": "end", "data": {}}, "number is missing"),
    ],
)
def test_what_run_refuses_and_why(message, reason):
    (error,) = refusals(Run("me"), said(**message))
    assert list(error) == ["type", "data", "client", "process"]
    assert (error["type"], error["client"], error["process"]) == ("error", "me", None)
    assert error["data"]["message"] == "Bad message"
    assert reason in error["data"]["reason"]


@pytest.mark.parametrize("text", ["", "{", "[]", "7", "[" * 100_000, b"\x00", '{"type": "ping", "data": 1}'])
def test_what_is_no_message_of_run_is_a_bad_one(text):
    (error,) = refusals(Run(), text)
    assert (error["type"], error["data"]["message"]) == ("error", "Bad message")


def test_a_message_that_no_frame_could_carry_is_refused():
    code = "é" * (1 << 20)  # six bytes each, as JSON of the keeper's has it
    (error,) = refusals(Run(), said(type="start", process="1", data={"runner": "python3", "code": code}))
    assert "more than" in error["data"]["reason"]


def four(type, data=None, process="1", client="abc"):
    return json.dumps({"type": type, "data": data, "client": client, "process": process})


@pytest.mark.parametrize(
    ("found", "texts"),
    [
        (Message("started", "1", {"number": 3, "pid": 4, "name": "3.py"}), [four("started")]),
        (
            Message("waiting", "1", {"number": 3, "why": "GPIO 17"}),
            [four("waiting", {"number": 3, "why": "GPIO 17"})],
        ),
        (Message("stopped", "1", {"exitCode": -9}), [four("stopped", {"exitCode": -9})]),
        (Data(STDOUT, "1", b"hi\n"), [four("stdout", {"output": "hi\n"})]),
        (Data(STDERR, "1", b"err\n"), [four("stderr", {"output": "err\n"})]),
        (Data(VIDEO, "1", b"QUJD+/=="), [four("video", {"output": "QUJD+/=="})]),
        (Message("keylisten", "1", {"key": "a"}), [four("keylisten", {"output": "a", "key": "a"})]),
        (
            Message("attached", "1", {"number": 3, "name": "n", "pty": False, "lost": 0}),
            [four("attached", {"number": 3, "name": "n", "pty": False, "lost": 0})],
        ),
        (
            Message("listed", "", {"programs": [{"number": 3}]}),
            [four("listed", {"programs": [{"number": 3}]}, None)],
        ),
        (Message("ending", "", {}), [four("ending", None, None)]),
        (Message("forgotten", "", {}), [four("forgotten", None, None)]),
        (
            Message("error", "1", {"message": "there is none", "about": "stop"}),
            [
                four(
                    "error",
                    {"message": "Bad message", "reason": "there is none", "about": "stop", "of": "1"},
                    None,
                )
            ],
        ),
        (Message("hello", "", {"version": 1, "user": "pi", "work": "/w"}), []),
    ],
)
def test_what_run_tells(found, texts):
    assert Run("abc").tell(found) == texts


def test_who_leaves_a_program_alone_is_told_its_number():
    made = Run("abc")
    send(made, type="start", process="1", data={"runner": "shell", "detached": True})
    began = Message("started", "1", {"number": 3, "pid": 4, "name": "shell"})
    assert made.tell(began) == [four("started", {"number": 3, "name": "shell"})]
    assert made.tell(Message("detached", "1")) == [four("detached", {"number": 3})]
    send(made, type="start", process="1", data={"runner": "shell"})
    assert made.tell(Message("started", "1", {"number": 5, "pid": 6, "name": "shell"})) == [four("started")]
    assert made.tell(Message("detached", "1")) == [four("detached", {"number": 5})]


def test_every_message_of_the_keepers_table_has_a_place_in_run():
    known = {"ping", "hello", "upload", "sync", "file", "commit"}
    assert set(further.RUN) == set(runs.ASKED) - known
    for type, names in further.RUN.items():
        row = runs.ASKED[type]
        assert set(names.values()) == ({*row.must, *row.may} - {"directory"}), type


# -- bytes and text -------------------------------------------------------------------------------


def outputs(texts):
    return "".join(json.loads(text)["data"]["output"] for text in texts)


@given(st.text(), st.lists(st.integers(0, 200)))
def test_characters_that_are_cut_anywhere_arrive_whole(text, cuts):
    made, data = Run(), text.encode("utf-8", "replace")
    edges = sorted({0, len(data), *[cut for cut in cuts if cut < len(data)]})
    told = [made.tell(Data(STDOUT, "1", data[a:b])) for a, b in itertools.pairwise(edges)]
    assert outputs(itertools.chain(*told)) == data.decode()


def test_each_stream_of_each_program_has_its_own_characters():
    made = Run()
    pieces = [(STDOUT, "1"), (STDERR, "1"), (STDOUT, "2")]
    assert [made.tell(Data(kind, id, "€".encode()[:2])) for kind, id in pieces] == [[], [], []]
    for kind, id in pieces:
        assert outputs(made.tell(Data(kind, id, "€".encode()[2:]))) == "€"


def test_what_is_no_text_is_shown_as_such_and_nothing_else_is_lost():
    made = started()
    assert outputs(made.tell(Data(STDOUT, "main", b"a\xffb\xe2"))) == "a\ufffdb"
    assert [json.loads(text) for text in made.tell(Message("stopped", "main", {"exitCode": 0}))] == [
        {"type": "stdout", "data": {"output": "\ufffd"}},
        {"type": "stopped", "data": {"exitCode": 0}},
    ]
    send(made, type="start", data={"sourceScript": "x"})
    assert outputs(made.tell(Data(STDOUT, "main", b"\x82\xac"))) == "\ufffd\ufffd"


@pytest.mark.parametrize("value", [b'"}', b"a\\", b"a\nb", b"\xff", b" ", "é".encode()])
def test_a_picture_that_is_none_breaks_no_message(value):
    (text,) = Run("c").tell(Data(VIDEO, "1", value))
    assert json.loads(text)["data"]["output"] == value.decode("utf-8", "replace")


def test_a_line_that_comes_in_pieces_is_one_message():
    made = started()
    pieces = [Data(STDOUT, "main", b"hi"), Data(STDOUT, "main", b"\n")]
    assert made.is_begun(pieces[:1]) and not made.is_begun(pieces)
    assert [found.value for found in joined(pieces)] == [b"hi\n"]
    assert not made.is_begun([Message("started", "main")])
    assert not made.is_begun([Data(STDOUT, "main", b"x" * further.PIECE_MAX)])


def test_on_a_terminal_nothing_is_waited_for():
    made = Run()
    send(made, type="start", process="1", data={"runner": "shell", "pty": True})
    assert not made.is_begun([Data(STDOUT, "1", b"$ ")])
    assert made.is_begun([Data(STDOUT, "2", b"$ ")])
    made.tell(Message("stopped", "1", {"exitCode": 0}))
    assert made.is_begun([Data(STDOUT, "1", b"$ ")])


def test_what_is_joined_keeps_its_order():
    found = [
        Data(STDOUT, "1", b"a"),
        Data(STDERR, "1", b"b"),
        Data(STDOUT, "1", b"c"),
        Data(STDOUT, "2", b"d"),
        Data(VIDEO, "2", b"e"),
        Data(VIDEO, "2", b"f"),
        Message("stopped", "1", {"exitCode": 0}),
        Data(STDOUT, "2", b"g"),
        Data(STDOUT, "2", b"h"),
    ]
    values = [said.value for said in joined(found) if isinstance(said, Data)]
    assert values == [b"a", b"b", b"c", b"d", b"e", b"f", b"gh"]


@pytest.mark.parametrize("directory", [None, [], {}, {"name": "x"}, {"name": "x", "files": 1}])
def test_an_upload_of_another_shape_is_an_error(directory):
    with pytest.raises(ProtocolError):
        further.upload(directory)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
NAMES = st.sampled_from(
    ["runner", "code", "path", "pty", "rows", "cols", "input", "number", "signal", "key", "event"]
)


@given(
    st.sampled_from([Run, RunPy]),
    st.lists(
        st.fixed_dictionaries(
            {
                "type": st.sampled_from([*further.RUN, "stdin", "ping", "upload"]) | JSON,
                "process": st.sampled_from(["1", "2"]) | JSON,
                "data": st.dictionaries(NAMES, JSON) | JSON,
            }
        )
        | JSON,
        max_size=5,
    ),
)
@pytest.mark.slow
def test_whatever_comes_it_is_refused_or_something_that_the_keeper_can_read(kind, messages):
    made = kind()
    for message in messages:
        turn = made.hear(json.dumps(message))
        for found in runs.Reader(runs.ASKED).feed(turn.up):
            assert not isinstance(found, ProtocolError)
        for text in turn.down:
            assert json.loads(text)["type"] in ("error", "pong")
