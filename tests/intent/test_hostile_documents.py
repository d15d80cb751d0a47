"""Texts made to harm the reader: each gets one clear refusal, quickly, and nothing but FaultsError comes out."""

import contextlib
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from suanwang.grids import load_graphml, load_grid
from suanwang.intent import read_task, read_tasks_ndjson
from suanwang.intent.document import DEPTH_MAX, parse
from suanwang.model.error import FaultsError
from suanwang.model.grid import Grid
from suanwang.model.task import TaskRequest

MIB = 1024**2
SECONDS_MAX = 30.0  # a hang is what this finds; each takes well under one second on an idle core

BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{b}: &{b} [*{a},*{a},*{a},*{a},*{a},*{a},*{a},*{a},*{a}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)

HOSTILE: list[tuple[str, str | bytes, str]] = [
    ("empty", b"", "empty"),
    ("blank", " \n\t\n", "empty"),
    ("comment only", "# nothing\n", "empty"),
    ("null", "null", "not_a_mapping"),
    ("binary", bytes(range(256)) * 10, "not_utf8"),
    ("utf-16", "run: x".encode("utf-16"), "not_utf8"),
    ("nul", "run: x\0", "not_utf8"),
    ("lone surrogate in a text", "run: \ud800", "not_utf8"),
    ("lone surrogate in JSON", '{"run": "\\ud800"}', "not_utf8"),
    ("5 MiB", "run: " + "x" * (5 * MIB), "too_large"),
    ("100 MB", b"x" * 100_000_000, "too_large"),
    ("deep flow", "[" * 1_000_000, "too_deep"),
    ("deep JSON", '{"run":' * 1_000 + "1" + "}" * 1_000, "too_deep"),
    ("very deep JSON", '{"run":' * 500_000, "too_deep"),
    ("deep block", "".join(" " * n + "- \n" for n in range(1, 200)), "too_deep"),
    ("deep keys", "? " * 100_000 + "x", "key_not_text"),
    ("anchor bomb", BOMB, "yaml_alias"),
    ("self reference", "a: &a [*a]", "yaml_alias"),
    ("alias alone", "a: *nobody", "yaml_alias"),
    ("merge", "<<: {a: 1}", "yaml_merge"),
    ("python tag", "run: !!python/object/apply:os.system ['true']", "yaml_tag"),
    ("python name", "run: !!python/name:os.system", "yaml_tag"),
    ("own tag", "run: !mine x", "yaml_tag"),
    ("duplicate key", "run: x\nrun: y", "duplicate_key"),
    ("duplicate key in JSON", '{"run": "x", "run": "y"}', "duplicate_key"),
    ("two documents", "run: x\n---\nrun: y", "two_documents"),
    ("nan", "run: x\narray: .nan", "not_finite"),
    ("inf", "run: x\narray: -.inf", "not_finite"),
    ("NaN in JSON", '{"run": "x", "array": NaN}', "not_finite"),
    ("overflow to inf", '{"run": "x", "array": 1e999}', "not_finite"),
    ("overflow to inf in YAML", "run: x\narray: 1e999", "not_finite"),
    ("number of 5000 digits", "run: x\narray: " + "9" * 5000, "number_size"),
    ("number of 5000 digits in JSON", '{"run": "x", "array": ' + "9" * 5000 + "}", "number_size"),
    ("hex of 5000 digits", "run: x\narray: 0x" + "f" * 5000, "number_size"),
    ("key is a list", "? [a]\n: b", "key_not_text"),
    ("too many values", "[" + "1," * (2 * MIB - 10) + "1]", "too_many_values"),
    ("too many YAML values", "- 1\n" * MIB, "too_many_values"),
    ("list", "- 1", "not_a_mapping"),
    ("text", "hello", "not_a_mapping"),
    ("open quote", 'run: "x', "yaml_syntax"),
    ("open bracket", "run: [", "yaml_syntax"),
    ("tab", "run:\n\t- x", "yaml_syntax"),
    ("at sign", "@", "yaml_syntax"),
]


@pytest.mark.parametrize(("text", "code"), [one[1:] for one in HOSTILE], ids=[one[0] for one in HOSTILE])
def test_hostile_task_is_refused_quickly(text: str | bytes, code: str) -> None:
    started = time.perf_counter()
    with pytest.raises(FaultsError) as caught:
        read_task(text)
    assert caught.value.faults[0].code == code
    assert time.perf_counter() - started < SECONDS_MAX
    assert len(caught.value.faults[0].got) <= 200


@pytest.mark.parametrize("name", ["empty", "binary", "very deep JSON", "anchor bomb", "nan", "python tag", "100 MB"])
def test_hostile_grid_is_refused_quickly(name: str) -> None:
    text, code = next((text, code) for one, text, code in HOSTILE if one == name)
    started = time.perf_counter()
    with pytest.raises(FaultsError) as caught:
        load_grid(text)
    assert caught.value.faults[0].code == code
    assert time.perf_counter() - started < SECONDS_MAX


def test_large_grid_file_is_refused_before_reading(tmp_path: Path) -> None:
    path = tmp_path / "huge.yaml"
    with path.open("wb") as file:
        file.truncate(10**12)  # a sparse file: reading it would take minutes and all memory
    with pytest.raises(FaultsError) as caught:
        load_grid(path)
    assert [one.code for one in caught.value.faults] == ["too_large"]


@pytest.mark.parametrize("path", ["no-such-file.yaml", "/dev/zero.yaml", "a\0b.yaml", "/proc/self/mem/x.json"])
def test_unreadable_path_is_a_fault(path: str) -> None:
    with pytest.raises(FaultsError) as caught:
        load_grid(path)
    assert [one.code for one in caught.value.faults] == ["file_unreadable"]


@pytest.mark.parametrize("path", [Path("/dev/zero"), Path("/dev"), Path("/proc/self/mem")])
def test_special_file_is_a_fault(path: Path) -> None:
    with pytest.raises(FaultsError):
        load_grid(path)


def test_pipe_does_not_hold_the_reader(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FaultsError) as caught:
        load_grid(tmp_path / "pipe")
    assert [one.code for one in caught.value.faults] == ["file_unreadable"]


def test_unknown_fields_without_end_are_counted() -> None:
    started = time.perf_counter()
    with pytest.raises(FaultsError) as caught:
        read_task("run: x\n" + "".join(f"memory{n}: 1\n" for n in range(100_000)))
    assert time.perf_counter() - started < SECONDS_MAX
    assert len(caught.value.faults) == 1_001
    assert caught.value.faults[-1].code == "more_faults"
    assert caught.value.faults[-1].params == {"count": 99_000}


def test_depth_limit_is_exact() -> None:
    assert parse("[" * DEPTH_MAX + "]" * DEPTH_MAX).data is not None
    with pytest.raises(FaultsError):
        parse("[" * (DEPTH_MAX + 1) + "]" * (DEPTH_MAX + 1))


def read_anything(text: str | bytes) -> None:
    """Every reader gives its value or FaultsError."""
    for reader, kind in ((read_task, TaskRequest), (load_grid, Grid), (read_tasks_ndjson, list), (load_graphml, Grid)):
        with contextlib.suppress(FaultsError):  # which asserts itself that it has a fault
            assert isinstance(reader(text), kind)


leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
trees = st.recursive(leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner))
task_words = st.sampled_from([*TaskRequest.model_fields, "cpu", "memory", "module", "path", "source", "kind"])
near_tasks = st.dictionaries(task_words, trees | st.dictionaries(task_words, leaves), max_size=6)
grid_words = st.sampled_from([*Grid.model_fields, "pools", "id", "a", "b", "replicas"])
near_grids = st.dictionaries(grid_words, trees | st.lists(st.dictionaries(grid_words, leaves), max_size=3), max_size=8)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text() | st.binary() | st.text(alphabet="{}[]:,-?&*!|>'\"%@`# \n\tab01.~<", max_size=200))
def test_safety_any_text_gives_a_value_or_faults(text: str | bytes) -> None:
    read_anything(text)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(trees | near_tasks | near_grids)
def test_safety_any_json_gives_a_value_or_faults(tree: Any) -> None:
    read_anything(json.dumps(tree))
    read_anything(json.dumps(tree, ensure_ascii=False))
