# SPDX-License-Identifier: LGPL-3.0-or-later
"""RPIO.config: what files say, and where they say it."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from RPIO import config, config_files, errors

TEXT = """\
# a relay cabinet
title = "a [b] # c"
dotted.key . "quoted key" = 1

[line.17]
name = "pump"   # of the well
safe = 'low'

[line."27"]
text = \"\"\"
[not.a.table]
x = 1\\"\"\"\"\"
lines = [17, # [ ]
    27, "a]b", [1, [2]], {a = 1, b.c = "}"}]

[[interlock]]
lines = [17, 27]
[interlock.more]
a = 1
[[interlock]]
"n\\u0061me" = 'both'
[[interlock.of]]
x = {}
[[interlock.of]]
y = 1979-05-27T07:32:00Z
"""


def paths(value, path=()):
    """All that a value has in it."""
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from paths(inner, (*path, key))


def test_every_value_has_a_place_and_nothing_else_has_one():
    document = config.parse(TEXT, "x.toml")
    assert set(paths(document.values)) == set(config.positions(TEXT))


@pytest.mark.parametrize(
    ("path", "place", "begins"),
    [
        (("title",), (2, 1), "title"),
        (("dotted",), (3, 1), "dotted"),
        (("dotted", "key"), (3, 8), "key"),
        (("dotted", "key", "quoted key"), (3, 14), '"quoted'),
        (("line",), (5, 1), "[line"),
        (("line", "17"), (5, 1), "[line.17]"),
        (("line", "17", "safe"), (7, 1), "safe"),
        (("line", "27", "text"), (10, 1), "text"),
        (("line", "27", "lines"), (13, 1), "lines"),
        (("line", "27", "lines", 1), (14, 5), "27"),
        (("line", "27", "lines", 3, 1, 0), (14, 21), "2]"),
        (("line", "27", "lines", 4, "b", "c"), (14, 36), "c ="),
        (("interlock", 0, "more", "a"), (19, 1), "a = 1"),
        (("interlock", 1), (20, 1), "[[inter"),
        (("interlock", 1, "name"), (21, 1), '"n'),
        (("interlock", 1, "of", 1, "y"), (25, 1), "y ="),
    ],
)
def test_where_it_stands(path, place, begins):
    assert config.positions(TEXT)[path] == place
    line, column = place
    assert TEXT.split("\n")[line - 1][column - 1 :].startswith(begins)


def test_what_has_no_place_has_that_of_what_is_around_it():
    document = config.parse(TEXT, "x.toml")
    assert str(document.place(("line", "17", "nothing"))) == "x.toml:5:1"
    assert str(document.place(("nothing",))) == "x.toml:1:1"
    assert str(document.error(("line", "17", "safe"), "no")) == "x.toml:7:1: no"


def quoted(text):
    return '"' + "".join(f"\\U{ord(c):08X}" if c in '"\\' or not c.isprintable() else c for c in text) + '"'


KEYS = st.one_of(
    st.from_regex(r"[A-Za-z0-9_-]{1,6}", fullmatch=True), st.text(st.characters(codec="utf-8"), max_size=4)
)
VALUES = st.recursive(
    st.one_of(st.integers(-(2**40), 2**40), st.booleans(), st.text(st.characters(codec="utf-8"), max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)),
    max_leaves=8,
)


def written(value, newline):
    """A value as TOML, with spaces, comments and new lines where those may be."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, list):
        inner = f" ,{newline}".join(written(item, newline) for item in value)
        return f"[{newline}{inner}{newline}]"
    return (
        "{ " + " , ".join(f"{quoted(key)} = {written(item, newline)}" for key, item in value.items()) + " }"
    )


@given(
    tables=st.dictionaries(KEYS, st.dictionaries(KEYS, VALUES, max_size=3), max_size=3),
    rows=st.lists(st.dictionaries(KEYS, VALUES, max_size=2), max_size=3),
    newline=st.sampled_from(["", "\n", " # ] } ' \"\n\t"]),
)
@pytest.mark.slow
def test_the_scanner_finds_what_the_parser_finds(tables, rows, newline):
    tables.pop("rows", None)
    lines = []
    for name, values in tables.items():
        lines += [f"[ {quoted(name)} ] # {{"]
        lines += [f"\t{quoted(key)} = {written(value, newline)}" for key, value in values.items()]
    for row in rows:
        lines += ["[[rows]]", *[f"{quoted(key)}={written(value, newline)}" for key, value in row.items()]]
    text = "\n".join(lines)
    values = config.parse(text, "x.toml").values
    assert values == {**tables, **({"rows": rows} if rows else {})}
    places = config.positions(text)
    assert set(paths(values)) - {("rows",)} == set(places) - {("rows",)}
    for path, (line, column) in places.items():
        here = text.split("\n")[line - 1][column - 1 :]
        if isinstance(path[-1], str) and not here.startswith("["):
            assert here.startswith(quoted(path[-1]))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a = ", "x.toml:1:5: invalid value"),
        ("a = 1\nb == 2", "x.toml:2:4: invalid value"),
        ("a = 1\na = 2", "x.toml:2:6: cannot overwrite a value"),
        ('a = "', "x.toml:1:6: unterminated string"),
        ("[" * 100_000, "x.toml:"),
        ("a = " + "[" * 100_000, "x.toml: too deep for a configuration"),
    ],
)
def test_what_is_no_toml_is_told_with_its_place(text, says):
    with pytest.raises(errors.ConfigError) as caught:
        config.parse(text, "x.toml")
    assert str(caught.value).startswith(says)
    assert isinstance(caught.value, ValueError)


def test_windows_line_ends(tmp_path):
    file = tmp_path / "rpio.toml"
    file.write_bytes(b"a = 1\r\n[b]\r\nc = 2\r\n")
    assert str(config.read(str(file)).place(("b", "c"))) == f"{file}:3:1"


def test_a_file_that_is_no_text(tmp_path):
    file = tmp_path / "rpio.toml"
    file.write_bytes(b"a = 1\n\xff\n")
    with pytest.raises(errors.ConfigError, match=r"rpio.toml:2: this is not UTF-8"):
        config.read(str(file))


def test_a_file_that_is_too_long(tmp_path):
    file = tmp_path / "rpio.toml"
    file.write_bytes(b"#" * (config.SIZE_MAX + 1))
    with pytest.raises(errors.ConfigError, match="more than 1 MB"):
        config.read(str(file))


def test_what_cannot_be_read_is_an_error(tmp_path, monkeypatch):
    with pytest.raises(errors.ConfigError, match="Is a directory"):
        config.read(str(tmp_path))
    monkeypatch.setenv("RPIO_CONFIG", str(tmp_path / "none"))
    with pytest.raises(errors.ConfigError, match="No such file") as caught:
        config.read(config_files.files()[-1])
    assert caught.value.hint == "RPIO_CONFIG names it"


@pytest.fixture
def places(tmp_path, monkeypatch):
    """The folders of a machine."""
    monkeypatch.setattr(config_files, "OF_SYSTEM", str(tmp_path / "etc" / "rpio.toml"))
    monkeypatch.setattr(config_files, "OF_USER", str(tmp_path / "home" / "rpio.toml"))
    monkeypatch.delenv("RPIO_CONFIG", raising=False)
    (tmp_path / "etc" / "rpio.toml.d").mkdir(parents=True)
    (tmp_path / "home").mkdir()
    return tmp_path


def test_files_come_in_the_order_that_is_written_down(places, monkeypatch):
    assert config_files.files() == []
    names = ["etc/rpio.toml", "etc/rpio.toml.d/10.toml", "etc/rpio.toml.d/9.toml", "home/rpio.toml"]
    for name in [*reversed(names), "etc/rpio.toml.d/9.toml~"]:
        (places / name).write_text("")
    assert config_files.files() == [str(places / name) for name in names]
    monkeypatch.setenv("RPIO_CONFIG", "here.toml")
    assert config_files.files() == [*[str(places / name) for name in names], "here.toml"]


def test_a_link_to_nowhere_is_there_and_cannot_be_read(places):
    os.symlink("nowhere", places / "home" / "rpio.toml")
    with pytest.raises(errors.ConfigError, match="No such file"):
        config.read(config_files.files()[0])
