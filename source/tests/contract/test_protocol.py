# SPDX-License-Identifier: LGPL-3.0-or-later
"""Every sentence of the Backend protocol names the contract tests that hold it, and every contract test is named."""

from __future__ import annotations

import ast
import inspect
import re
from functools import cache
from pathlib import Path

import pytest

from RPIO.backends import Backend

TAG = re.compile(r"\[([^\]]*)\]")
NAME = re.compile(r"[a-z][a-z0-9_]*")
INNER_END = re.compile(r"[.!?:;]['\")]?\s+(?=[A-Z`'\"])")
"""A sentence that ends before its text does. A colon or semicolon before a capital is one of two sentences, too,
but for a list of constants."""
CONSTANT = re.compile(r":\s+(?=[A-Z_]{2,}\b)")


class UntaggedError(AssertionError):
    """A sentence does not end with the names of its tests."""


def sentences(text: str) -> list[tuple[str, tuple[str, ...]]]:
    """Split a docstring into its sentences and the names of the tests that each ends with.

    Raises:
        UntaggedError: a sentence has no names, or what stands there is no list of names.
    """
    text = re.sub(r"\s+", " ", text).strip()
    found = []
    start = 0
    for tag in TAG.finditer(text):
        sentence = text[start : tag.start()].strip()
        start = tag.end()
        names = tuple(name.strip() for name in tag[1].split(","))
        if not sentence.endswith((".", "!", "?")):
            raise UntaggedError(f"{sentence!r} is no whole sentence before {tag[0]}")
        if INNER_END.search(CONSTANT.sub(" ", sentence)):
            raise UntaggedError(f"in {sentence!r} one sentence ends without names of tests")
        if not all(NAME.fullmatch(name) for name in names):
            raise UntaggedError(f"{tag[0]} behind {sentence!r} is no list of names")
        found.append((sentence, names))
    if text[start:].strip():
        raise UntaggedError(f"{text[start:].strip()!r} names no test")
    return found


def docstrings() -> dict[str, str]:
    """Return the protocol's docstrings by where they stand. The class's first paragraph is its title."""
    title, _, rest = inspect.getdoc(Backend).partition("\n\n")
    assert "\n" not in title
    found = {"Backend": rest}
    for name, member in vars(Backend).items():
        if inspect.isfunction(member):
            assert member.__doc__, f"Backend.{name} has no docstring"
            found[f"Backend.{name}"] = member.__doc__
    return found


@cache
def contract_tests() -> list[str]:
    """Return the names of the contract tests, without "test_"."""
    tree = ast.parse(Path(__file__).with_name("test_contract.py").read_text())
    functions = [node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    return [name.removeprefix("test_") for name in functions if name.startswith("test_")]


PROTOCOL = docstrings()


@pytest.mark.parametrize("where", PROTOCOL)
def test_every_sentence_names_its_tests(where: str) -> None:
    found = sentences(PROTOCOL[where])
    assert found
    missing = {name for _, names in found for name in names} - set(contract_tests())
    assert not missing


def test_every_test_is_named_by_a_sentence() -> None:
    named = {name for text in PROTOCOL.values() for _, names in sentences(text) for name in names}
    assert set(contract_tests()) <= named


def test_no_test_hides_another() -> None:
    assert len(contract_tests()) == len(set(contract_tests()))


def test_only_optional_methods_may_say_nothing() -> None:
    """The parser sees every public method: none is hidden behind a property or a decorator."""
    public = {name for name in vars(Backend) if not name.startswith("_")}
    attributes = {
        "name",
        "line_count",
        "features",
        "holds_lines",
        "holds_alone",
        "close_at_exit",
        "watches_outputs",
        "label",
        "revision_code",
        "block",
        "clock",
    }
    assert {f"Backend.{name}" for name in public - attributes} == PROTOCOL.keys() - {"Backend"}


@pytest.mark.parametrize(
    "text",
    [
        "Read the level.",
        "Read the level. [read_levels] Twice is fine.",
        "Read the level. Twice is fine. [read_twice]",
        "Read the level. `line` counts from 0. [line_count]",
        "Read the level. []",
        "Read the level. [read_levels, ]",
        "Read the level. [Read levels]",
        "Read the level [read_levels]",
        "[read_levels]",
        "Read it: an int. Is it?\n\n    Yes. [read_is_int]",
    ],
)
def test_parser_refuses(text: str) -> None:
    with pytest.raises(UntaggedError):
        sentences(text)


def test_parser_reads() -> None:
    text = "Be IN, OUT or ALTn: PUD_UP or\n    `x` (0.5). [a_b, c]\n\n    Twice\n    is fine. [d]\n"
    assert sentences(text) == [
        ("Be IN, OUT or ALTn: PUD_UP or `x` (0.5).", ("a_b", "c")),
        ("Twice is fine.", ("d",)),
    ]
