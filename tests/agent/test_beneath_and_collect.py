"""Walking and opening below a hostile folder; which files a pattern names."""

import os
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suanwang.agent import beneath
from suanwang.agent.collect import collect, matches
from suanwang.agent.objects import LocalObjects
from suanwang.model.error import BackendError
from suanwang.model.reason import FailureReason
from suanwang.model.task import Output


@pytest.mark.parametrize(
    ("pattern", "path", "fits"),
    [
        ("a.txt", "a.txt", True),
        ("a.txt", "b/a.txt", False),
        ("*.txt", "a.txt", True),
        ("*.txt", "b/a.txt", False),
        ("out", "out/deep/a.txt", True),
        ("o*", "out/deep/a.txt", True),
        ("**/a.txt", "a.txt", True),
        ("**/a.txt", "x/y/a.txt", True),
        ("x/**/a.txt", "x/a.txt", True),
        ("x/**/a.txt", "y/a.txt", False),
        ("x/**", "x/y/z", True),
        ("**", "x/y/z", True),
        ("?.[ab]", "x.a", True),
        ("?.[ab]", "x.c", False),
        ("out/a", "out", False),
    ],
)
def test_which_files_a_pattern_names(pattern, path, fits):
    assert matches(pattern.split("/"), path.split("/")) is fits


def slow(pattern, parts):
    """The definition, written plainly: the pattern fits the path or a folder above it."""
    if not pattern:
        return True
    if pattern[0] == "**":
        return any(slow(pattern[1:], parts[n:]) for n in range(len(parts) + 1))
    return bool(parts) and (pattern[0] in ("*", parts[0])) and slow(pattern[1:], parts[1:])


word = st.sampled_from(["a", "b"])


@given(st.lists(st.sampled_from(["a", "b", "*", "**"]), max_size=5), st.lists(word, min_size=1, max_size=5))
def test_patterns_agree_with_their_definition(pattern, parts):
    assert matches(pattern, parts) is slow(pattern, parts)


def test_a_pattern_of_many_gaps_costs_no_more_than_its_length():
    began = time.process_time()
    assert not matches(["**", "*"] * 150 + ["no"], ["x"] * 64)
    assert time.process_time() - began < 1


def test_a_deep_tree_is_refused_and_not_recursed_into(tmp_path):
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(beneath.DEPTH_MAX + 2):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    with beneath.opened_folder(tmp_path) as root, pytest.raises(beneath.OutsideError, match="deep"):
        list(beneath.walk(root))


def test_too_many_entries_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(beneath, "ENTRIES_MAX", 3)
    for name in "abcd":
        (tmp_path / name).touch()
    with beneath.opened_folder(tmp_path) as root, pytest.raises(beneath.OutsideError, match="entries"):
        list(beneath.walk(root))


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", "a/../b", "", "a//b", "./a", "a\0b"])
def test_paths_that_leave_are_refused(tmp_path, path):
    with beneath.opened_folder(tmp_path) as root, pytest.raises(beneath.OutsideError):
        beneath.open_file(root, path)


def test_links_pipes_and_folders_are_no_files(tmp_path):
    (tmp_path / "real").write_text("x")
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    with beneath.opened_folder(tmp_path) as root:
        for name in ("link", "folder", "pipe", "real/x"):
            with pytest.raises(beneath.OutsideError):
                beneath.open_file(root, name)
        os.close(beneath.open_file(root, "real"))


def test_collected_files_are_hashed_once_each(tmp_path):
    folder = tmp_path / "task"
    (folder / "out").mkdir(parents=True)
    for name in ("a", "b"):
        (folder / "out" / name).write_text(name)
    objects = LocalObjects(tmp_path / "objects")
    wanted = (Output(path="out/a", target="file:///srv"), Output(path="out"))
    with beneath.opened_folder(folder) as root:
        found = collect(root, wanted, objects, 1000, "3/")
    assert [(f.path, f.target) for f in found.files] == [("3/out/a", "file:///srv"), ("3/out/b", None)]
    assert all(objects.has(f.blake3) for f in found.files)
    assert found.size_bytes == 2


def test_more_than_the_disk_could_hold_is_refused(tmp_path):
    with (tmp_path / "big").open("wb") as sparse:
        sparse.truncate(10_000)
    with beneath.opened_folder(tmp_path) as root, pytest.raises(BackendError) as fault:
        collect(root, (Output(path="big"),), LocalObjects(tmp_path / "objects"), 9_999, "")
    assert fault.value.reason is FailureReason.OUTPUT_FORBIDDEN


def test_a_name_that_is_no_text_is_kept_as_far_as_it_is(tmp_path):
    (tmp_path / "task").mkdir()
    with open(os.fsencode(tmp_path / "task") + b"/\xff.txt", "w") as stream:
        stream.write("x")
    with beneath.opened_folder(tmp_path / "task") as root:
        found = collect(root, (Output(path="*.txt"),), LocalObjects(tmp_path / "objects"), 100, "")
    assert [f.path for f in found.files] == ["?.txt"]


def test_a_name_that_is_no_text_is_delivered_as_far_as_it_is(tmp_path):
    (tmp_path / "task" / "out").mkdir(parents=True)
    with open(os.fsencode(tmp_path / "task" / "out") + b"/\xff", "w") as stream:
        stream.write("x")
    wanted = (Output(path="out", target="file:///srv", prefix="out", name="new"),)
    with beneath.opened_folder(tmp_path / "task") as root:
        [found] = collect(root, wanted, LocalObjects(tmp_path / "objects"), 100, "").files
    assert (found.path, found.delivered_as) == ("out/?", "new/?")
    found.model_dump_json()
