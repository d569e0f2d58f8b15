# SPDX-License-Identifier: LGPL-3.0-or-later
"""Uploads: what comes is there, what may not be is refused, and what fails in the middle has changed nothing."""

import errno
import hashlib
import os
import resource
import shutil
import socket
import stat
import subprocess
import sys
import threading
import warnings
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from RPIO import errors
from RPIO.programs import drafts, fetching
from RPIO.programs.paths import DRAFTS, MANIFEST
from RPIO.programs.uploads import Uploads


@pytest.fixture
def work(tmp_path):
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


def text(value):
    return {"type": "text", "content": {"text": value}}


def url(address, bucket="bucket", file="file"):
    return {"type": "url", "content": {"url": address, "bucketName": bucket, "fileName": file}}


def tree(folder):
    """Path -> content of all that is in a folder; None for a directory."""
    folder = Path(folder)
    return {
        str(path.relative_to(folder)): path.read_text() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
        if path.name != MANIFEST
    }


def is_tidy(work):
    """Whether nothing of an upload is left."""
    return not (work / DRAFTS).exists() or not list((work / DRAFTS).iterdir())


STEP = 1 if os.environ.get("RPIO_UPLOADS") == "all" else 4
"""Of the points at which an upload fails, or is killed: `make test-moments` has them all."""
OLD = {"main.py": text("old"), "lib/a.py": text("old a"), "gone.txt": text("old gone")}
NEW = {"main.py": text("new"), "lib/b.py": text("new b"), "data/x/y.csv": text("1,2\n")}
OLD_TREE = {"main.py": "old", "lib": None, "lib/a.py": "old a", "gone.txt": "old gone"}
NEW_TREE = {
    "main.py": "new",
    "lib": None,
    "lib/b.py": "new b",
    "data": None,
    "data/x": None,
    "data/x/y.csv": "1,2\n",
}


# -- a directory of exactly these files ------------------------------------------------------------------


def test_a_directory_gets_exactly_these_files(work):
    uploads = Uploads(str(work))
    assert uploads.replace("proj", OLD) is True
    assert tree(work / "proj") == OLD_TREE
    (work / "proj" / "made.log").write_text("of a program")
    assert uploads.replace("proj", NEW) is True
    assert tree(work / "proj") == NEW_TREE
    assert uploads.replace("proj", {}) is True
    assert tree(work / "proj") == {}
    assert is_tidy(work)


def test_the_work_directory_is_made(tmp_path):
    Uploads(str(tmp_path / "a" / "b")).replace("proj", OLD)
    assert tree(tmp_path / "a" / "b" / "proj") == OLD_TREE


def test_the_work_directory_may_be_a_link(tmp_path, work):
    (tmp_path / "link").symlink_to(work)
    Uploads(str(tmp_path / "link")).replace("proj", OLD)
    assert tree(work / "proj") == OLD_TREE


def test_names_with_parts_are_directories_in_directories(work):
    uploads = Uploads(str(work))
    uploads.replace("a/b/", OLD)
    uploads.replace("./a//c", NEW)
    assert tree(work / "a" / "b") == OLD_TREE
    assert tree(work / "a" / "c") == NEW_TREE
    assert is_tidy(work)


def test_the_directory_keeps_its_mode(work):
    uploads = Uploads(str(work))
    uploads.replace("proj", OLD)
    (work / "proj").chmod(0o750)
    uploads.replace("proj", NEW)
    assert stat.S_IMODE((work / "proj").stat().st_mode) == 0o750


BAD_NAMES = [
    "",
    ".",
    "/",
    "..",
    "../work2",
    "a/../../work2",
    "/tmp/x",
    "a\0b",
    "x" * 256,
    "a/" * 40,
    "\ud800",
    "./",
    "//",
]
OWN_NAMES = [".run", ".flcache", ".flcache/bucket", DRAFTS, "./.run/x", ".rpio-other"]


@pytest.mark.parametrize("name", BAD_NAMES + OWN_NAMES)
def test_a_name_that_may_not_be_is_refused(work, name):
    sibling = work.parent / "work2"
    sibling.mkdir()
    (sibling / "kept").write_text("x")
    for call in (
        lambda: Uploads(str(work)).replace(name, OLD),
        lambda: Uploads(str(work)).begin_sync(name, {}),
    ):
        with pytest.raises(errors.NotAllowedError):
            call()
    assert tree(sibling) == {"kept": "x"}
    assert tree(work) == {}


@pytest.mark.parametrize("alias", [*BAD_NAMES, MANIFEST, "a/"])
def test_a_file_that_may_not_be_is_refused(work, alias):
    uploads = Uploads(str(work))
    uploads.replace("proj", OLD)
    with pytest.raises(errors.NotAllowedError):
        uploads.replace("proj", {"good": text("x"), alias: text("x")})
    with pytest.raises(errors.NotAllowedError):
        uploads.begin_sync("proj", {"good": [0, digest(b""), 0o644], alias: [0, digest(b""), 0o644]})
    assert tree(work / "proj") == OLD_TREE


@pytest.mark.parametrize("name", [None, 1, ["a"], {"a": 1}, b"a", True])
def test_a_name_that_is_no_text_is_refused(work, name):
    with pytest.raises(errors.ProtocolError):
        Uploads(str(work)).replace(name, OLD)
    with pytest.raises(errors.ProtocolError):
        Uploads(str(work)).begin_sync(name, {})


@pytest.mark.parametrize(
    "file",
    [
        None,
        "text",
        [],
        {},
        {"type": "text"},
        {"type": "text", "content": "x"},
        {"type": "text", "content": {}},
        {"type": "text", "content": {"text": 1}},
        {"type": "text", "content": {"text": "\ud800"}},
        {"type": "link", "content": {"text": "x"}},
        {"type": ["text"], "content": {"text": "x"}},
        {"type": "url", "content": {"url": "http://localhost/x", "bucketName": "b"}},
        {"type": "url", "content": {"url": 1, "bucketName": "b", "fileName": "f"}},
    ],
    ids=repr,
)
def test_a_file_of_another_form_is_refused(work, file):
    uploads = Uploads(str(work), ["localhost"])
    uploads.replace("proj", OLD)
    with pytest.raises(errors.ProtocolError):
        uploads.replace("proj", {"main.py": file})
    assert tree(work / "proj") == OLD_TREE


@pytest.mark.parametrize("files", [None, [], "x", 1])
def test_files_that_are_no_object_are_refused(work, files):
    with pytest.raises(errors.ProtocolError):
        Uploads(str(work)).replace("proj", files)
    with pytest.raises(errors.ProtocolError):
        Uploads(str(work)).begin_sync("proj", files)


def test_a_file_that_is_the_directory_of_another_is_refused(work):
    with pytest.raises(errors.NotAllowedError, match="'a' cannot be a file and the directory of 'a/b'"):
        Uploads(str(work)).replace("proj", {"a/b": text("x"), "a": text("y")})
    with pytest.raises(errors.NotAllowedError, match="same path"):
        Uploads(str(work)).replace("proj", {"a//b": text("x"), "a/b": text("y")})


NAMES = st.text(
    st.sampled_from("a./ ~-\0\n\\é*") | st.characters(max_codepoint=0x2FF), max_size=20
) | st.text(max_size=8)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
@given(NAMES, NAMES)
@pytest.mark.slow
def test_whatever_the_names_are_nothing_changes_outside_and_inside_all_or_nothing(work, name, alias):
    top = work.parent
    shutil.rmtree(work)
    (work / "other").mkdir(parents=True)
    (top / "work2").mkdir(exist_ok=True)
    (top / "work2" / "kept").write_text("x")
    before = {path for path in top.rglob("*") if DRAFTS not in path.parts}
    try:
        Uploads(str(work)).replace(name, {alias: text("content")})
    except errors.GPIOError:
        assert {path for path in top.rglob("*") if DRAFTS not in path.parts} == before
        return
    place = (work / name).resolve()
    assert place.is_relative_to(work.resolve())
    assert place != work.resolve()
    file = (place / alias).resolve()
    assert file.is_relative_to(place)
    assert file.read_text() == "content"
    assert [path for path in place.rglob("*") if path.is_file()] == [file]


@pytest.mark.parametrize("where", ["proj", "a/proj"])
def test_a_link_on_the_way_is_refused(work, where):
    outside = work.parent / "outside"
    outside.mkdir()
    (outside / "proj").mkdir()
    (outside / "kept").write_text("x")
    (work / where.split("/")[0]).symlink_to(outside)
    uploads = Uploads(str(work))
    for call in (lambda: uploads.replace(where, OLD), lambda: uploads.begin_sync(where, {})):
        with pytest.raises(errors.NotAllowedError, match="links are not followed"):
            call()
    assert tree(outside) == {"kept": "x", "proj": None}


def test_a_file_in_the_place_of_the_directory_is_refused(work):
    (work / "proj").write_text("mine")
    with pytest.raises(errors.NotAllowedError, match="is no directory"):
        Uploads(str(work)).replace("proj", OLD)
    assert (work / "proj").read_text() == "mine"


def test_links_within_the_old_directory_go_and_not_what_they_lead_to(work):
    outside = work.parent / "outside"
    outside.mkdir()
    (outside / "kept").write_text("x")
    uploads = Uploads(str(work))
    uploads.replace("proj", OLD)
    (work / "proj" / "link").symlink_to(outside)
    shutil.rmtree(work / "proj" / "lib")
    (work / "proj" / "lib").symlink_to(outside)
    uploads.replace("proj", NEW)
    assert tree(work / "proj") == NEW_TREE
    assert tree(outside) == {"kept": "x"}


def test_what_a_program_has_forbidden_to_itself_goes_as_well(work):
    uploads = Uploads(str(work))
    uploads.replace("proj", OLD)
    (work / "proj" / "lib").chmod(0o500)
    (work / "proj").chmod(0o500)
    uploads.replace("proj", NEW)
    assert tree(work / "proj") == NEW_TREE
    assert is_tidy(work)


def test_too_much_is_refused_and_changes_nothing(work):
    Uploads(str(work)).replace("proj", OLD)
    uploads = Uploads(str(work), files_max=3, file_bytes=10, all_bytes=15)
    for files, said in (
        ({str(n): text("") for n in range(4)}, "4 files are too many"),
        ({"a": text("x" * 11)}, "a is too large: 10 bytes at most"),
        ({"a": text("x" * 10), "b": text("x" * 6)}, "all of it is too large: 15 bytes at most, and not 16"),
    ):
        with pytest.raises(errors.NotAllowedError, match=said):
            uploads.replace("proj", files)
        sizes = {name: len(file["content"]["text"]) for name, file in files.items()}
        with pytest.raises(errors.NotAllowedError, match=said):
            uploads.begin_sync("proj", {name: [size, digest(b""), 0o644] for name, size in sizes.items()})
    assert tree(work / "proj") == OLD_TREE
    assert is_tidy(work)


# -- what goes wrong in the middle -----------------------------------------------------------------------

CALLS = ("open", "mkdir", "rename", "write", "unlink", "fsync", "fchmod", "dup")
"""Of os, any of which may be the last one, or fail."""


class At:
    """Something happens at the nth call of the system that can change files."""

    def __init__(self, number, act):
        self.number, self.act = number, act
        self.count = 0

    def wrapped(self, call):
        def wrapper(*args, **named):
            self.count += 1
            if self.count == self.number:
                self.act()
            return call(*args, **named)

        return wrapper

    def install(self, patch):
        for name in CALLS:
            patch.setattr(os, name, self.wrapped(getattr(os, name)))
        patch.setattr(drafts, "rename", self.wrapped(drafts.rename))


def without_exchange(patch):
    """As on a file system that has no renameat2()."""
    real = drafts.rename

    def rename(from_fd, name, to_fd, to, flags):
        return False if flags == drafts.EXCHANGE else real(from_fd, name, to_fd, to, 0)

    patch.setattr(drafts, "rename", rename)


def full():
    raise OSError(errno.ENOSPC, "No space left on device")


def replace_all(work):
    Uploads(str(work)).replace("proj", NEW)


def replace_in_place(work):
    """The same while a program runs there."""
    Uploads(str(work)).replace("proj", NEW)


def sync_all(work):
    sync(Uploads(str(work)), "proj", {"main.py": b"new", "lib/b.py": b"new b", "data/x/y.csv": b"1,2\n"})


@pytest.fixture(params=["exchange", "renames"])
def system(request, monkeypatch):
    if request.param == "renames":
        without_exchange(monkeypatch)
    return request.param


@pytest.fixture(params=["replace", "replace in place", "sync", "first"])
def way(request, work, monkeypatch):
    """How it is done: a call, and what is there before and afterwards."""
    if request.param == "first":
        return replace_all, {}, NEW_TREE
    if request.param == "replace in place":
        monkeypatch.setattr(drafts, "in_use", lambda path: True)
    if request.param == "sync":
        files = {name: file["content"]["text"].encode() for name, file in OLD.items()}
        sync(Uploads(str(work)), "proj", files)
        (work / "proj" / "log").write_text("of a program")
        return sync_all, {**OLD_TREE, "log": "of a program"}, {**NEW_TREE, "log": "of a program"}
    Uploads(str(work)).replace("proj", OLD)
    return replace_all, OLD_TREE, NEW_TREE


def set_aside(work):
    """Copy the work directory, to begin with it again and again."""
    copy = work.parent / "copy"
    shutil.copytree(work, copy, symlinks=True)
    return copy


def laid_anew(work, copy):
    shutil.rmtree(work)
    shutil.copytree(copy, work, symlinks=True)


def test_whatever_fails_in_the_middle_changes_nothing(work, way, system, monkeypatch):
    call, before, after = way
    copy = set_aside(work)
    failed = 0
    for number in range(1, 1000, STEP):
        laid_anew(work, copy)
        at = At(number, full)
        with monkeypatch.context() as patch:
            at.install(patch)
            try:
                call(work)
                is_done = True
            except OSError as e:
                assert e.errno == errno.ENOSPC
                is_done = False
        if at.count < number:
            break
        failed += not is_done
        Uploads(str(work)).clean()
        assert tree(work / "proj") == (after if is_done else before), number
        assert is_tidy(work)
    assert 20 // STEP < failed < number < 999


def in_child(function):
    """Run it in a process of its own, and wait for its end."""
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", DeprecationWarning
        )  # that there are threads: the child uses none of theirs
        pid = os.fork()
    if pid == 0:
        try:
            function()
        finally:
            os._exit(0)
    return os.waitpid(pid, 0)[1]


def moments(call, work, monkeypatch):
    """The calls of the system after which to be killed: some before the plan is written, and all from then on."""
    at, planned = At(0, full), []
    real = drafts.settle
    with monkeypatch.context() as patch:
        patch.setattr(drafts, "settle", lambda fd: (planned.append(at.count), real(fd)))
        at.install(patch)
        call(work)
    return [*range(1, planned[0], 7), *range(planned[0], at.count + 1)]


@pytest.mark.slow
def test_who_is_killed_in_the_middle_leaves_old_or_new(work, way, system, monkeypatch):
    call, before, after = way
    copy = set_aside(work)
    found = {"old": 0, "new": 0}
    every = list(moments(call, work, monkeypatch))
    for number in sorted({*every[::STEP], *every[-2:]}):
        laid_anew(work, copy)

        def work_on(number=number):
            At(number, lambda: os._exit(9)).install(monkeypatch)
            call(work)

        assert os.waitstatus_to_exitcode(in_child(work_on)) == 9
        Uploads(str(work)).clean()
        now = tree(work / "proj")
        assert now in (before, after), number
        assert is_tidy(work)
        found["new" if now == after else "old"] += 1
    assert found["old"] > 5 // STEP
    assert found["new"] > 0


def test_the_next_upload_undoes_what_a_killed_one_has_begun(work, monkeypatch):
    monkeypatch.setattr(drafts, "in_use", lambda path: True)
    Uploads(str(work)).replace("proj", OLD)
    real, left = drafts.rename, [3]

    def dying(*args):
        left[0] -= 1
        if not left[0]:
            os._exit(9)
        return real(*args)

    def work_on():
        drafts.rename = dying
        replace_all(work)

    assert in_child(work_on)
    assert tree(work / "proj") not in (OLD_TREE, NEW_TREE)  # which nobody could prevent
    with pytest.raises(errors.ProtocolError):
        uploads = Uploads(str(work))
        uploads.begin_sync("proj", {})
        uploads.write(b"x")
    assert tree(work / "proj") == OLD_TREE


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 256 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(folder)], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip(f"no file system can be mounted here: {done.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_leaves_the_old_files(small_disk):
    uploads = Uploads(str(small_disk))
    uploads.replace("proj", OLD)
    with pytest.raises(OSError, match="No space left on device") as caught:
        uploads.replace("proj", {**NEW, "large": text("x" * 300_000)})
    assert caught.value.errno == errno.ENOSPC
    assert tree(small_disk / "proj") == OLD_TREE
    with pytest.raises(OSError, match="No space left on device"):
        sync(uploads, "proj", {"main.py": b"new", "large": b"x" * 300_000})
    assert tree(small_disk / "proj") == OLD_TREE
    assert is_tidy(small_disk)
    uploads.replace("proj", NEW)
    assert tree(small_disk / "proj") == NEW_TREE


def test_a_limit_of_files_sizes_leaves_the_old_files(work):
    Uploads(str(work)).replace("proj", OLD)

    def limited():
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
        try:
            Uploads(str(work)).replace("proj", {**NEW, "large": text("x" * 10_001)})
        except OSError as e:
            os._exit(e.errno)

    assert os.waitstatus_to_exitcode(in_child(limited)) == errno.EFBIG
    assert tree(work / "proj") == OLD_TREE
    assert is_tidy(work)


# -- two at once, and a program meanwhile ----------------------------------------------------------------


def test_the_second_of_two_waits_for_the_first(work):
    first, second = Uploads(str(work)), Uploads(str(work), wait_s=60)
    first.begin_sync("proj", {"a": [3, digest(b"new"), 0o644]})
    done = []
    thread = threading.Thread(target=lambda: done.append(second.replace("proj", OLD)))
    thread.start()
    first.begin_file("a")
    first.write(b"new")
    assert not done
    first.commit()
    thread.join(60)
    assert done == [True]
    assert tree(work / "proj") == OLD_TREE


def test_who_has_waited_too_long_is_told(work):
    first, second = Uploads(str(work)), Uploads(str(work), wait_s=0)
    first.begin_sync("proj/a", {})
    with pytest.raises(errors.CommandError, match="another client uploads to 'proj'"):
        second.replace("proj", OLD)
    assert second.replace("other", OLD)
    first.abandon()
    assert second.replace("proj", OLD)
    assert is_tidy(work)


@pytest.fixture
def program(work):
    """A program in the directory proj, which writes and reads there by relative paths when told."""
    Uploads(str(work)).replace("proj", OLD)
    words = """
import sys
for line in sys.stdin:
    try: print(eval(line), flush=True)
    except Exception as e: print(repr(e), flush=True)
"""
    with subprocess.Popen(
        [sys.executable, "-c", words],
        cwd=work / "proj",
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as made:
        assert drafts.in_use(str(work / "proj")) or not os.path.exists("/proc/self/cwd")

        def ask(line):
            made.stdin.write(f"{line}\n")
            made.stdin.flush()
            return made.stdout.readline().strip()

        yield ask
        made.stdin.close()


def test_a_program_stays_in_its_directory_and_sees_the_new_files(work, program):
    assert program("open('log', 'w').write('begun')") == "5"
    Uploads(str(work)).replace("proj", NEW)
    assert program("open('main.py').read()") == "new"
    assert program("open('made', 'w').write('x')") == "1"
    assert tree(work / "proj") == {**NEW_TREE, "made": "x"}


def test_a_program_loses_nothing_when_its_directory_is_brought_up_to_date(work, program):
    program("globals().__setitem__('log', open('log', 'w'))")
    assert program("log.write('begun ')") == "6"
    sync_all(work)
    assert program("log.write('and gone on') + (log.flush() or 0)") == "11"
    assert program("open('main.py').read()") == "new"
    assert (work / "proj" / "log").read_text() == "begun and gone on"


# -- bring up to date ------------------------------------------------------------------------------------


def digest(data):
    return hashlib.sha256(data).hexdigest()


def described(files, mode=0o644):
    return {path: [len(data), digest(data), mode] for path, data in files.items()}


def sync(uploads, name, files):
    """Bring a directory up to date; return what was sent for it."""
    wanted = uploads.begin_sync(name, described(files))
    for path in wanted:
        uploads.begin_file(path)
        for at in range(0, len(files[path]), 1000):
            uploads.write(files[path][at : at + 1000])
    uploads.commit()
    return wanted


def test_only_what_differs_is_sent(work):
    uploads = Uploads(str(work))
    files = {"main.py": b"1", "lib/a.py": b"2", "empty": b"", "large": bytes(5000)}
    assert sync(uploads, "proj", files) == list(files)
    assert sync(uploads, "proj", files) == []
    files["lib/a.py"] = b"3"
    files["new"] = b"4"
    assert sync(uploads, "proj", files) == ["lib/a.py", "new"]
    assert {path: (work / "proj" / path).read_bytes() for path in files} == files
    assert is_tidy(work)


def test_what_was_uploaded_and_is_not_wanted_goes_and_what_programs_made_stays(work):
    uploads = Uploads(str(work))
    sync(uploads, "proj", {"main.py": b"1", "lib/a.py": b"2", "deep/er/b.py": b"3"})
    (work / "proj" / "log").write_text("of a program")
    (work / "proj" / "lib" / "cache").write_text("of a program")
    sync(uploads, "proj", {"main.py": b"1"})
    assert tree(work / "proj") == {
        "main.py": "1",
        "log": "of a program",
        "lib": None,
        "lib/cache": "of a program",
    }


def test_a_file_that_a_program_has_changed_is_sent_again(work):
    uploads = Uploads(str(work))
    sync(uploads, "proj", {"main.py": b"123"})
    (work / "proj" / "main.py").write_text("456")
    assert sync(uploads, "proj", {"main.py": b"123"}) == ["main.py"]
    (work / "proj" / "main.py").unlink()
    assert sync(uploads, "proj", {"main.py": b"123"}) == ["main.py"]
    assert tree(work / "proj") == {"main.py": "123"}


def test_modes_are_those_that_are_said_and_nothing_more(work):
    uploads = Uploads(str(work))
    for mode, found in ((0o755, 0o755), (0o4777, 0o777), (0o000, 0o600), (0o644, 0o644)):
        said = described({"run": b"#!/bin/sh"}, mode)
        if uploads.begin_sync("proj", said):
            uploads.begin_file("run")
            uploads.write(b"#!/bin/sh")
        uploads.commit()
        assert stat.S_IMODE((work / "proj" / "run").stat().st_mode) == found


def test_files_and_directories_that_were_uploaded_may_change_places(work):
    uploads = Uploads(str(work))
    sync(uploads, "proj", {"a": b"1", "b/c/d": b"2", "b/e": b"3"})
    sync(uploads, "proj", {"a/x": b"4", "a/y/z": b"5", "b": b"6"})
    assert tree(work / "proj") == {"a": None, "a/x": "4", "a/y": None, "a/y/z": "5", "b": "6"}
    sync(uploads, "proj", {"a": b"1", "b/c/d": b"2"})
    assert tree(work / "proj") == {"a": "1", "b": None, "b/c": None, "b/c/d": "2"}
    assert is_tidy(work)


def test_what_a_program_has_made_is_not_replaced_by_a_directory_nor_a_directory_with_it(work):
    uploads = Uploads(str(work))
    sync(uploads, "proj", {"b/c": b"1"})
    (work / "proj" / "a").write_text("mine")
    (work / "proj" / "b" / "log").write_text("mine")
    before = tree(work / "proj")
    for files, what in (({"a/x": b"1"}, "a"), ({"b": b"1"}, "b/log")):
        with pytest.raises(errors.NotAllowedError, match=f"{what}, which was not uploaded, is in the way"):
            uploads.begin_sync("proj", described(files))
    assert tree(work / "proj") == before
    assert is_tidy(work)


def test_a_link_in_the_directory_leads_nowhere(work):
    outside = work.parent / "outside"
    outside.mkdir()
    (outside / "a.py").write_text("kept")
    uploads = Uploads(str(work))
    sync(uploads, "proj", {"lib/a.py": b"1", "b.py": b"2"})
    shutil.rmtree(work / "proj" / "lib")
    (work / "proj" / "lib").symlink_to(outside)
    (work / "proj" / "b.py").unlink()
    (work / "proj" / "b.py").symlink_to(outside / "a.py")
    with pytest.raises(errors.NotAllowedError, match="is in the way"):
        uploads.begin_sync("proj", described({"lib/a.py": b"3", "b.py": b"2"}))
    sync(uploads, "proj", {"b.py": b"kept"})
    assert not (work / "proj" / "b.py").is_symlink()
    assert tree(outside) == {"a.py": "kept"}


@pytest.mark.parametrize(
    "said",
    [b"", b"[]", b'{"files": 1}', b'{"files": ["../../outside", "/etc/passwd", 1]}', b"[" * 100_000, b"\xff"],
    ids=repr,
)
def test_a_list_of_what_was_uploaded_that_a_program_has_written_removes_nothing_else(work, said):
    (work / "outside").write_text("kept")
    uploads = Uploads(str(work))
    sync(uploads, "proj", {"a": b"1"})
    (work / "proj" / MANIFEST).write_bytes(said[:200_000])
    sync(uploads, "proj", {"b": b"2"})
    assert tree(work / "proj") == {"a": "1", "b": "2"}
    assert (work / "outside").read_text() == "kept"


@pytest.mark.parametrize(
    "said",
    [
        None,
        [],
        [1, "x"],
        [-1, digest(b""), 0o644],
        [True, digest(b""), 0o644],
        [1.0, digest(b""), 0o644],
        [1, "x" * 64, 0o644],
        [1, digest(b"").upper(), 0o644],
        [1, digest(b"") + "\n", 0o644],
        [1, None, 0o644],
        [1, digest(b""), -1],
        [1, digest(b""), 0o10000],
        [1, digest(b""), "x"],
        [1, digest(b""), 0o644, 1],
    ],
    ids=repr,
)
def test_a_description_of_another_form_is_refused(work, said):
    with pytest.raises(errors.ProtocolError):
        Uploads(str(work)).begin_sync("proj", {"a": said})
    assert tree(work) == {}


def over(uploads):
    """Whether a sync is over: nothing more can be said."""
    with pytest.raises(errors.ProtocolError, match="no sync has begun"):
        uploads.commit()
    return True


@pytest.mark.parametrize(
    ("act", "says"),
    [
        (lambda u: u.write(b"x"), "content of no file"),
        (lambda u: u.begin_file("c"), "none of the files that are wanted"),
        (lambda u: u.begin_file(None), "none of the files that are wanted"),
        (lambda u: u.begin_file("same"), "none of the files that are wanted"),
        (lambda u: (u.begin_file("a"), u.write(b"12")), "more than the 1 bytes"),
        (lambda u: (u.begin_file("a"), u.begin_file("b")), "'a' is not what was announced"),
        (lambda u: (u.begin_file("a"), u.write(b"2"), u.begin_file("b")), "'a' is not what was announced"),
        (
            lambda u: (u.begin_file("a"), u.write(b"1"), u.begin_file("a")),
            "none of the files that are wanted",
        ),
        (lambda u: (u.begin_file("a"), u.write(b"1"), u.commit()), "1 of the files have not been sent"),
        (lambda u: u.commit(), "2 of the files have not been sent"),
        (lambda u: (u.begin_file("a"), u.write(b"1"), u.begin_file("b"), u.commit()), "'b' is not what was"),
    ],
)
def test_what_is_not_sent_as_announced_changes_nothing(work, act, says):
    uploads = Uploads(str(work))
    sync(uploads, "proj", {"same": b"0", "a": b"old"})
    assert uploads.begin_sync("proj", described({"same": b"0", "a": b"1", "b": b"2"})) == ["a", "b"]
    with pytest.raises(errors.ProtocolError, match=says):
        act(uploads)
    assert over(uploads)
    assert tree(work / "proj") == {"same": "0", "a": "old"}
    assert is_tidy(work)


def test_one_that_is_abandoned_changes_nothing(work):
    uploads = Uploads(str(work))
    sync(uploads, "proj", {"a": b"old"})
    uploads.begin_sync("proj", described({"a": b"new"}))
    uploads.begin_file("a")
    uploads.write(b"new")
    uploads.abandon()
    uploads.abandon()
    assert over(uploads)
    uploads.begin_sync("proj", described({"a": b"new"}))
    uploads.begin_sync("proj", described({"a": b"other"}))  # which abandons the one before
    uploads.begin_file("a")
    uploads.write(b"other")
    uploads.commit()
    assert tree(work / "proj") == {"a": "other"}
    assert is_tidy(work)


PATHS = st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map("/".join)
CONTENTS = st.binary(max_size=3)


def fits(files):
    """Whether no file is the directory of another."""
    return not any(other.startswith(f"{path}/") for path in files for other in files)


STATES = st.lists(st.dictionaries(PATHS, CONTENTS, max_size=5).filter(fits), min_size=2, max_size=4)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=25)
@given(STATES)
@pytest.mark.slow
def test_whatever_was_there_the_directory_is_what_was_sent(work, states):
    shutil.rmtree(work)
    uploads = Uploads(str(work))
    for files in states:
        sync(uploads, "proj", files)
        found = {
            str(path.relative_to(work / "proj")): path.read_bytes()
            for path in (work / "proj").rglob("*")
            if path.is_file() and path.name != MANIFEST
        }
        assert found == files
        assert {Path(path).parts[0] for path in files} == set(os.listdir(work / "proj")) - {MANIFEST}
        assert sync(uploads, "proj", files) == []
    assert is_tidy(work)


# -- downloads -------------------------------------------------------------------------------------------


class Site(ThreadingHTTPServer):
    """A web server of some paths; *asked* are those that were asked for."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Page)
        self.asked = []
        self.host = f"127.0.0.1:{self.server_port}"
        self.thread = threading.Thread(target=self.serve_forever, args=(0.01,))
        self.thread.start()

    def url(self, path):
        return f"http://{self.host}/{path}"

    def close(self):
        self.shutdown()
        self.thread.join()
        self.server_close()


class Page(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.asked.append(self.path)
        kind, _, rest = self.path[1:].partition("/")
        getattr(self, f"say_{kind}")(rest)

    def answer(self, status, body=b"", size=None, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", len(body) if size is None else size)
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def say_file(self, rest):
        self.answer(200, b"content of " + rest.encode())

    def say_missing(self, rest):
        self.answer(404, b"no")

    def say_to(self, rest):
        self.answer(302, b"x", Location=rest if "//" in rest else f"/{rest}")

    def say_round(self, rest):
        self.answer(302, Location="/round")

    def say_nowhere(self, rest):
        self.answer(302)

    def say_large(self, rest):
        self.answer(200, b"x" * int(rest))

    def say_claims(self, rest):
        self.answer(200, b"x", size=int(rest))

    def say_chunked(self, rest):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.send_header("Connection", "close")
        self.end_headers()
        for _ in range(int(rest)):
            self.wfile.write(b"a\r\n0123456789\r\n")
        self.wfile.write(b"" if rest == "3" else b"0\r\n\r\n")

    def say_rubbish(self, rest):
        self.wfile.write(b"rubbish\r\n\r\n")

    def log_message(self, *args):
        pass


@pytest.fixture
def site():
    site = Site()
    yield site
    site.close()


def test_files_of_urls_are_downloaded_once(work, site):
    uploads = Uploads(str(work), [site.host])
    files = {"a/pic": url(site.url("file/1?x=1&y=é b")), "main.py": text("x")}
    assert uploads.replace("proj", files) is True
    content = "content of 1?x=1&y=%C3%A9%20b"
    assert tree(work / "proj") == {"a": None, "a/pic": content, "main.py": "x"}
    assert (work / ".flcache" / "bucket" / "file").read_text() == content
    assert uploads.replace("other", files) is True
    assert (work / "other" / "a" / "pic").read_text() == content
    assert not (work / "other" / "a" / "pic").is_symlink()
    assert site.asked == ["/file/1?x=1&y=%C3%A9%20b"]
    (work / "other" / "a" / "pic").write_text("changed by a program")
    assert (work / ".flcache" / "bucket" / "file").read_text() == content
    assert is_tidy(work)


def test_a_redirection_to_a_listed_host_is_followed(work, site):
    uploads = Uploads(str(work), [site.host])
    assert uploads.replace("proj", {"a": url(site.url("to/file/2"))})
    assert tree(work / "proj") == {"a": "content of 2"}
    assert site.asked == ["/to/file/2", "/file/2"]


@pytest.mark.parametrize(
    ("path", "kind", "says"),
    [
        ("missing", errors.CommandError, "404"),
        ("round", errors.CommandError, "redirections"),
        ("nowhere", errors.CommandError, "302"),
        ("to/http://example.invalid/x", errors.NotAllowedError, "that host is not listed"),
        ("to/file:///etc/passwd", errors.NotAllowedError, "no URL of http or https"),
        ("to/http://127.0.0.1:1/x", errors.NotAllowedError, "that host is not listed"),
        ("large/1001", errors.NotAllowedError, "too large"),
        ("claims/1000000", errors.NotAllowedError, "too large"),
        ("claims/1000", errors.CommandError, "999 bytes too early"),
        ("chunked/101", errors.NotAllowedError, "too large"),
        ("chunked/3", errors.CommandError, "could not be downloaded"),
        ("rubbish", errors.CommandError, "rubbish"),
    ],
)
def test_a_download_that_fails_leaves_the_old_files(work, site, path, kind, says):
    uploads = Uploads(str(work), [site.host], file_bytes=1000)
    uploads.replace("proj", OLD)
    with pytest.raises(kind, match=says):
        uploads.replace("proj", {**NEW, "a": url(site.url(path))})
    assert tree(work / "proj") == OLD_TREE
    assert not (work / ".flcache").exists() or not tree(work / ".flcache")
    assert is_tidy(work)


@pytest.mark.parametrize(
    "address",
    [
        "http://example.invalid/x",
        "http://127.0.0.1@example.invalid/x",
        "http://127.0.0.1.example.invalid/x",
        "ftp://127.0.0.1/x",
        "file:///etc/passwd",
        "http:///x",
        "http://[::1/x",
        "127.0.0.1/x",
        "",
        "http://127.0.0.1:99999/x",
        "http://127.0.0.1/" + "x" * 5000,
    ],
)
def test_a_host_that_is_not_listed_is_refused_before_anything_is_done(work, site, address):
    uploads = Uploads(str(work), ["127.0.0.1", site.host])
    uploads.replace("proj", OLD)
    with pytest.raises(errors.NotAllowedError):
        uploads.replace("proj", {"b": url(site.url("file/1")), "a": url(address)})
    assert tree(work / "proj") == OLD_TREE
    assert site.asked == []


def test_hosts_are_listed_by_name_by_port_and_by_domain():
    fetcher = fetching.Fetcher(["a.org", "b.org:81", "*.c.org"], 1)
    for good in ("http://a.org/", "https://A.org:443/", "http://b.org:81/x", "https://x.y.c.org"):
        fetcher.check(good)
    for bad in ("http://a.org:81/", "http://b.org/", "http://c.org/", "http://xc.org/", "http://xa.org"):
        with pytest.raises(errors.NotAllowedError, match="not listed") as caught:
            fetcher.check(bad)
        assert "url_hosts" in caught.value.hint


@pytest.mark.parametrize(
    "words", [{"bucket": "../x"}, {"bucket": ""}, {"file": "/etc/x"}, {"file": "a/../../b"}]
)
def test_what_is_kept_of_downloads_stays_in_its_place(work, site, words):
    uploads = Uploads(str(work), [site.host])
    with pytest.raises(errors.NotAllowedError):
        uploads.replace("proj", {"a": url(site.url("file/1"), **words)})
    assert site.asked == []


def test_a_link_in_what_is_kept_is_not_followed(work, site):
    (work / ".flcache").mkdir()
    (work / ".flcache" / "bucket").symlink_to(work.parent)
    with pytest.raises(errors.NotAllowedError, match="links are not followed"):
        Uploads(str(work), [site.host]).replace("proj", {"a": url(site.url("file/1"))})
    assert not (work.parent / "file").exists()


AWAY = [
    socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"),
    OSError(errno.ENETUNREACH, "Network is unreachable"),
    TimeoutError("timed out"),
]


@pytest.mark.parametrize("error", AWAY, ids=repr)
def test_without_a_network_these_files_are_left_out(work, site, monkeypatch, error):
    uploads = Uploads(str(work), [site.host])
    uploads.replace("other", {"a": url(site.url("file/1"), file="kept")})

    def connect(*args, **named):
        raise error

    monkeypatch.setattr(socket, "create_connection", connect)
    files = {"b": url(site.url("file/2")), "a": url(site.url("file/1"), file="kept"), "main.py": text("x")}
    assert uploads.replace("proj", files) is False
    assert tree(work / "proj") == {"a": "content of 1", "main.py": "x"}
    assert uploads.replace("proj", {"a": files["a"]}) is True


def test_a_host_that_refuses_is_an_error(work):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        host = f"127.0.0.1:{taken.getsockname()[1]}"
    with pytest.raises(errors.CommandError, match="refused"):
        Uploads(str(work), [host]).replace("proj", {"a": url(f"http://{host}/x")})


def test_a_certificate_that_nobody_has_signed_is_an_error(work):
    with socket.create_server(("127.0.0.1", 0)) as server:
        host = f"127.0.0.1:{server.getsockname()[1]}"
        thread = threading.Thread(target=hang_up, args=(server,))
        thread.start()
        with pytest.raises(errors.CommandError, match="could not be downloaded"):
            Uploads(str(work), [host]).replace("proj", {"a": url(f"https://{host}/x")})
        thread.join(10)


def hang_up(server):
    """Answer TLS's first words with none of its own."""
    peer, _ = server.accept()
    with peer:
        peer.recv(1000)
        peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def test_a_host_that_says_nothing_more_is_given_up(work, monkeypatch):
    monkeypatch.setattr(fetching, "READ_S", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as server:
        host = f"127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(errors.CommandError, match="timed out"):
            Uploads(str(work), [host]).replace("proj", {"a": url(f"http://{host}/x")})


def test_a_host_that_takes_for_ever_is_given_up(work, site, monkeypatch):
    monkeypatch.setattr(fetching, "ALL_S", 0.0)
    with pytest.raises(errors.CommandError, match="takes longer than 0 s"):
        Uploads(str(work), [site.host]).replace("proj", {"a": url(site.url("large/100"))})
