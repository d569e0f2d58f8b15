# SPDX-License-Identifier: LGPL-3.0-or-later
"""Secrets are compared in one function, in a time that tells nothing of them: by the syntax tree of every module."""

import ast
import inspect
import re
import time
from pathlib import Path

import pytest

import RPIO
from RPIO.wire.same import is_same

PACKAGE = Path(RPIO.__file__).parent
WORDS = (
    "tokens?|digests?|macs?|codes?|confirm\\w*|confirmations?|secrets?|passwords?|passphrases?|fingerprints?|hmac|"
    "shared_key|proof"
)
SECRET = re.compile(rf"(?:^|_)({WORDS})(?:_|$)", re.IGNORECASE)
"""What a variable is called that holds one."""
HAS_SECRETS = re.compile(rf"(?:\b|_)({WORDS})(?:_|\b)", re.IGNORECASE)
"""A module without such a name is not parsed."""
NO_SECRETS = {
    "board/edges.py:dispatch: event.token == watched.token": "which request of the loop's an edge is of",
    "loop/dispatcher.py:_handle: number == token": "as above",
    "loop/dispatcher.py:count: self._tokens.get(fd) != token": "as above",
    "loop/dispatcher.py:has: fd in self._tokens": "as above",
    "loop/dispatcher.py:next_edge: event.token == token": "as above",
    "loop/dispatcher.py:remove_token: self._tokens.get(fd) == token": "as above",
    "pure/tally.py:_feed: event.token not in (0, line.token)": "as above",
    "programs/sync.py:finish: self._hash.hexdigest() != self._entry.digest": "of a file that is brought",
    "programs/sync.py:is_same: digest.hexdigest() == entry.digest": "as above",
    "server/further/access.py:forget_token: of == token": "the id of a token, which is no secret",
    "server/outside/pairing.py:_hear_confirm: wire.digest(request) != self._digest": "what both have seen on the wire",
    "server/sessions/sessions.py:revoke: token in session.tokens": "as above",
}
"""What is compared -> why it is none."""
THE_ONE = ("wire/same.py", "is_same")


def name_of(node):
    """What a value is called: the last name of an expression, which a call or an index may stand around."""
    while isinstance(node, (ast.Call, ast.Subscript, ast.Starred)):
        node = node.value if not isinstance(node, ast.Call) else node.func
    if isinstance(node, ast.Attribute):
        # token.hex(), digest.digest(): what it is asked of says as much as what it is asked for
        inner = (
            name_of(node.value)
            if node.attr in ("hex", "digest", "hexdigest", "encode", "decode", "strip")
            else ""
        )
        return f"{inner} {node.attr}"
    return getattr(node, "id", "")


def functions(tree):
    """Every node with the function that it is in."""
    left = [(tree, "")]
    while left:
        node, function = left.pop()
        for child in ast.iter_child_nodes(node):
            inside = child.name if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)) else function
            left.append((child, inside))
            yield child, inside


def is_plain(node):
    """Whether it stands in the source, for all to read: None, "", a number, a list of such, the NAME of a constant."""
    if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
        return all(map(is_plain, node.elts))
    if isinstance(node, ast.Name):
        return node.id.isupper()
    return isinstance(node, ast.Constant) or (isinstance(node, ast.UnaryOp) and is_plain(node.operand))


def compared(source):
    """(function, line, text) of what compares something that is called as a secret with what is not in the source."""
    for node, function in functions(ast.parse(source) if HAS_SECRETS.search(source) else ast.Module([], [])):
        if isinstance(node, ast.Compare) and isinstance(node.ops[0], (ast.Eq, ast.NotEq, ast.In, ast.NotIn)):
            sides = [node.left, *node.comparators]
            is_secret = any(SECRET.search(word) for side in sides for word in name_of(side).split())
            if is_secret and not any(map(is_plain, sides)):
                yield function, node.lineno, ast.unparse(node)
        elif "compare_digest" in (getattr(node, "id", ""), getattr(node, "attr", "")):
            yield function, node.lineno, "compare_digest"


MODULES = sorted(
    str(path.relative_to(PACKAGE))
    for path in PACKAGE.rglob("*.py")
    if not path.name.endswith(("_pb2.py", "_grpc.py"))
)


@pytest.mark.slow
def test_secrets_are_compared_in_one_function():
    found = [
        f"{module}:{function}: {text}"
        for module in MODULES
        for function, _, text in compared((PACKAGE / module).read_text(encoding="utf-8"))
        if (module, function) != THE_ONE
    ]
    assert sorted(set(found)) == sorted(NO_SECRETS)


def test_that_function_compares_digests_of_equal_length_by_hmac():
    tree = ast.parse(inspect.getsource(is_same))
    (call,) = [
        n for n in ast.walk(tree) if isinstance(n, ast.Call) and name_of(n.func).strip() == "compare_digest"
    ]
    assert call and not [node for node in ast.walk(tree) if isinstance(node, ast.Compare)]
    assert "sha256" in inspect.getsource(is_same)


@pytest.mark.parametrize(
    "source",
    [
        "def f(token, shown): return token == shown",
        "def f(self, text): return self.digest != text",
        "def f(a, b): return a.code_mac.hex() == b",
        "def f(shown): return shown in tokens",
        "def f(a, token): return sha256(a).hexdigest() == token.digest",
        "from hmac import compare_digest\ndef f(a, b): return compare_digest(a, b)",
        "def f(a, b): return hmac.compare_digest(a, b)",
        "def f(message, confirmation): return confirmation[:16] == message[16:]",
    ],
)
def test_what_would_break_that_is_seen(source):
    assert list(compared(source))


@pytest.mark.parametrize(
    "source",
    [
        "def f(token): return token == ''",
        "def f(code): return code in (1, 2)",
        "def f(id, key): return id == key",
    ],
)
def test_what_is_no_comparison_of_secrets_is_none(source):
    assert not list(compared(source))


def test_two_secrets_are_the_same_or_not():
    assert is_same("a" * 64, "a" * 64)
    for other in ("a" * 63, "a" * 63 + "b", "", "\ud800", "ä" * 64):
        assert not is_same("a" * 64, other)
    assert is_same("\ud800", "\ud800")


def test_how_long_it_takes_tells_nothing():
    """Where the first difference stands makes no difference. Medians of many, and a factor that a leak would not keep:
    a comparison from the front of a megabyte takes thousands of times as long at the end as at the beginning.
    """
    secret = "a" * (1 << 20)
    early, late = "b" + secret[1:], secret[:-1] + "b"

    def median_s(other):
        times = []
        for _ in range(15):
            begin = time.perf_counter()
            is_same(secret, other)
            times.append(time.perf_counter() - begin)
        return sorted(times)[7]

    assert median_s(early) > 0.2 * median_s(late)
