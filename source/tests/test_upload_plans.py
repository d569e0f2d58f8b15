# SPDX-License-Identifier: LGPL-3.0-or-later
"""Which files of a folder go to a device: what is left out, what is refused, and what runs."""

import hashlib
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from RPIO.remote import uploads
from RPIO.remote.uploads import Ignoring, UploadError
from support import raises


def make(folder, *paths, content=b"x"):
    for path in paths:
        made = folder / path
        made.parent.mkdir(parents=True, exist_ok=True)
        made.write_bytes(content)


def paths(folder):
    return sorted(uploads.of_folder(str(folder)).files)


# -- what is left out -----------------------------------------------------------------------------


def test_all_files_go_but_what_nobody_wants_there(tmp_path):
    make(tmp_path, "main.py", "lib/a.py", "lib/data.bin", "venv.txt", "pictures/cat.png")
    make(tmp_path, ".git/HEAD", "__pycache__/main.pyc", "lib/__pycache__/a.pyc", "old.pyc", "a.py~", ".a.swp")
    make(tmp_path, ".venv/bin/python", "node_modules/x/y.js", ".mypy_cache/z", "robot.egg-info/PKG-INFO")
    assert paths(tmp_path) == ["lib/a.py", "lib/data.bin", "main.py", "pictures/cat.png", "venv.txt"]


def test_a_virtual_environment_stays_here_whatever_its_name(tmp_path):
    make(tmp_path, "main.py", "env/pyvenv.cfg", "env/lib/python3/x.py", "environment/x.py")
    assert paths(tmp_path) == ["environment/x.py", "main.py"]


def test_the_list_of_a_folder_leaves_out_more_and_brings_back(tmp_path):
    make(
        tmp_path,
        "main.py",
        "a.log",
        "keep.log",
        "data/big.bin",
        "x/data/b",
        "docs/a.md",
        "x/docs/b.md",
        "it.pyc",
    )
    (tmp_path / ".rpioignore").write_text(
        "# what is not needed\n\n*.log\n!keep.log\n/data/\n/docs/*.md\n!*.pyc\n"
    )
    assert paths(tmp_path) == ["it.pyc", "keep.log", "main.py", "x/data/b", "x/docs/b.md"]


@pytest.mark.parametrize(
    ("pattern", "path", "is_folder", "is_out"),
    [
        ("*.log", "a/b.log", False, True),
        ("build/", "build", True, True),
        ("build/", "build", False, False),
        ("a/build", "a/build", False, True),
        ("a/build", "b/a/build", False, False),
        ("/top.txt", "x/top.txt", False, False),
        ("/top.txt", "top.txt", False, True),
        ("[ab].py", "c.py", False, False),
        ("A.py", "a.py", False, False),
    ],
)
def test_patterns(pattern, path, is_folder, is_out):
    assert Ignoring([pattern]).leaves_out(path, is_folder) is is_out


@given(st.lists(st.text(max_size=12), max_size=5), st.text(min_size=1, max_size=12))
@pytest.mark.slow
def test_any_line_is_a_pattern(lines, path):
    assert Ignoring(lines).leaves_out(path, False) in (True, False)


def test_a_list_that_is_no_text_is_told(tmp_path):
    (tmp_path / ".rpioignore").write_bytes(b"\xff\n")
    with pytest.raises(UploadError, match=r"\.rpioignore cannot be read"):
        uploads.of_folder(str(tmp_path))


# -- what a file is -------------------------------------------------------------------------------


def test_a_file_is_told_by_size_hash_and_mode(tmp_path):
    make(tmp_path, "main.py", content=b"print(1)\n")
    (tmp_path / "main.py").chmod(0o4755)
    told = uploads.of_folder(str(tmp_path)).told()
    assert told == {"main.py": [9, hashlib.sha256(b"print(1)\n").hexdigest(), 0o755]}
    assert uploads.of_script(str(tmp_path / "main.py")).told() == told


def test_an_empty_file_and_names_of_all_kinds(tmp_path):
    make(tmp_path, "empty", "mit Leerzeichen/ä.py", "新.py", content=b"")
    assert paths(tmp_path) == ["empty", "mit Leerzeichen/ä.py", "新.py"]


def test_a_name_that_is_no_text_is_refused(tmp_path):
    name = os.path.join(os.fsencode(tmp_path), b"\xff.py")
    try:
        os.close(os.open(name, os.O_CREAT))
    except OSError:
        pytest.skip("this file system takes no such names")
    with pytest.raises(UploadError, match=r"udcff\.py' has a name that is no UTF-8"):
        uploads.of_folder(str(tmp_path))


def test_more_files_than_an_upload_may_have(tmp_path, monkeypatch):
    monkeypatch.setattr(uploads, "FILES_MAX", 3)
    make(tmp_path, "a", "b", "c")
    assert len(paths(tmp_path)) == 3
    make(tmp_path, "d")
    with pytest.raises(UploadError, match="has more than 3 files"):
        uploads.of_folder(str(tmp_path))


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    make(tmp_path, "main.py")
    uploads.of_folder(str(tmp_path))
    (tmp_path / "folder.py").symlink_to(tmp_path / "folder.py")
    with pytest.raises((UploadError, OSError), match=r"folder\.py"):
        uploads.of_folder(str(tmp_path))


# -- links ----------------------------------------------------------------------------------------


def test_links_within_the_folder_go_as_what_they_lead_to(tmp_path):
    make(tmp_path, "main.py", "lib/a.py")
    (tmp_path / "same.py").symlink_to("main.py")
    (tmp_path / "again").symlink_to("lib")
    assert paths(tmp_path) == ["again/a.py", "lib/a.py", "main.py", "same.py"]


def test_links_that_lead_out_are_refused_by_name(tmp_path):
    make(tmp_path, "secret", "robot/main.py", "robot-2/x.py")
    robot = tmp_path / "robot"
    (robot / "out").symlink_to(tmp_path / "secret")
    (robot / "nowhere").symlink_to("is-not-there")
    (robot / "beside").symlink_to(tmp_path / "robot-2")
    with raises(UploadError, f"links of {robot} lead out of it, or nowhere: beside, nowhere, out") as caught:
        uploads.of_folder(str(robot))
    assert ".rpioignore" in caught.value.hint
    (robot / ".rpioignore").write_text("out\nnowhere\nbeside\n")
    assert paths(robot) == ["main.py"]


def test_a_link_to_a_folder_that_it_is_in_does_not_go_on_for_ever(tmp_path):
    make(tmp_path, "a/b/main.py")
    (tmp_path / "a" / "b" / "up").symlink_to("..")
    with pytest.raises(UploadError, match="nowhere: a/b/up"):
        uploads.of_folder(str(tmp_path))


def test_a_folder_that_is_named_by_a_link_is_that_folder(tmp_path):
    make(tmp_path, "real/main.py")
    (tmp_path / "link").symlink_to("real")
    assert paths(tmp_path / "link") == ["main.py"] and uploads.name_of(str(tmp_path / "link")) == "real"


def test_what_is_no_file_is_left_out_and_told(tmp_path):
    make(tmp_path, "main.py")
    os.mkfifo(tmp_path / "fifo")
    plan = uploads.of_folder(str(tmp_path))
    assert (list(plan.files), plan.strange) == (["main.py"], ["fifo"])


# -- what runs ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "wanted", "found"),
    [
        (["main.py", "__main__.py"], "", "main.py"),
        (["__main__.py", "a.py"], "", "__main__.py"),
        (["a.py", "lib/b.py"], "lib/b.py", "lib/b.py"),
        (["a.py", "lib/b.py"], "./lib/../a.py", "a.py"),
    ],
)
def test_the_file_that_runs(tmp_path, files, wanted, found):
    make(tmp_path, *files)
    assert uploads.main_of(uploads.of_folder(str(tmp_path)), "robot", wanted) == found


def test_a_folder_without_a_file_that_runs(tmp_path):
    make(tmp_path, "a.py")
    plan = uploads.of_folder(str(tmp_path))
    with raises(UploadError, "robot has neither main.py nor __main__.py") as caught:
        uploads.main_of(plan, "robot")
    assert "--main" in caught.value.hint
    with raises(UploadError, "robot has no file 'b.py' that goes to the device"):
        uploads.main_of(plan, "robot", "b.py")


@pytest.mark.parametrize(
    ("path", "name"), [("blink.py", "blink"), ("robot", "robot"), ("a.tar.py", "a.tar"), ("x", "x")]
)
def test_how_the_directory_is_called_there(tmp_path, monkeypatch, path, name):
    monkeypatch.chdir(tmp_path)
    assert uploads.name_of(path) == name
    (tmp_path / "folder.py").mkdir()
    assert uploads.name_of("folder.py/") == "folder.py" and uploads.name_of(".") == tmp_path.name
