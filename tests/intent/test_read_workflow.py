"""A workflow file: what is read, in which order, and every fault of it with its line, all at once."""

import pytest

from suanwang.intent.read import read_task
from suanwang.intent.workflow import read_workflow, written
from suanwang.model.error import FaultsError
from suanwang.model.task import After, When, comes_after
from suanwang.model.workflow import stand_in
from suanwang.texts import LANGUAGES, has, text

GENOMES = """\
workflow: genomes
defaults:
  origin: gz
  resources: {cpu: 2}
tasks:
  report:
    run: "true"
    after: {mend: ended}
    inputs:
      - {source: "task:count/*/n.txt", path: counts}
      - {source: beside.txt, path: beside.txt}
  count:
    run: wc
    array: 3
    resources: {memory: 1 GiB}
    inputs: [{source: "task:prepare/parts/*.txt", path: parts, size: 2 MiB}]
    outputs: [{path: n.txt}]
  mend: {run: "true", after: {count: failed}, origin: bj}
  prepare: {run: split, outputs: [{path: parts}]}
"""


def test_each_task_is_whole_and_stands_behind_what_it_comes_after():
    found = read_workflow(GENOMES)
    assert [one.name for one in found.steps] == ["prepare", "count", "mend", "report"]
    prepare, count, mend, report = (one.request for one in found.steps)
    assert (prepare.name, prepare.origin, mend.origin) == ("prepare", "gz", "bj")
    assert (count.resources.cpu, count.resources.memory) == (2, 2**30)
    places = {"report": 0, "count": 1, "mend": 2, "prepare": 3}
    assert report.after == (After(task=stand_in(places["mend"]), when=When.ENDED),)
    assert comes_after(report)[1:] == (After(task=stand_in(places["count"])),)
    assert comes_after(mend) == (After(task=stand_in(places["count"]), when=When.FAILED),)


def test_what_is_written_reads_as_the_same():
    found = read_workflow(GENOMES)
    again = read_workflow(repr(written(found)).replace("'", '"'))
    assert again == found


FAULTS = [
    # what is wrong,                                     where,                      line, code
    ("workflow: w\ntasks: {}",                            "tasks",                    2, "workflow_tasks"),
    ("workflow: w",                                       "tasks",                    1, "missing"),
    ("tasks: {a: {run: x}}",                              "workflow",                 1, "missing"),
    ("workflow: w\ntask: {}\ntasks: {a: {run: x}}",       "task",                     2, "unknown_field_near"),
    ("workflow: w\ntasks:\n  A b: {run: x}",              "tasks.A b",                3, "slug_form"),
    ("workflow: w\ntasks:\n  a: run",                     "tasks.a",                  3, "not_a_mapping"),
    ("workflow: w\ntasks:\n  a: {}",                      "tasks.a.run",              3, "missing"),
    ("workflow: w\ntasks:\n  a:\n    run: x\n    cpus: 3", "tasks.a.cpus",            5, "unknown_field_near"),
    ("workflow: w\ntasks:\n  a:\n    run: x\n    after: [b]", "tasks.a.after",        5, "workflow_after"),
    ("workflow: w\ntasks:\n  a:\n    run: x\n    after:\n      b: failed", "tasks.a.after.b", 6, "workflow_task_unknown"),
    ("workflow: w\ntasks:\n  b: {run: x}\n  a:\n    run: x\n    after: {b: done}", "tasks.a.after.b", 6, "not_one_of"),
    ("workflow: w\ntasks:\n  a:\n    run: x\n    after: {a: failed}", "tasks.a.after.a", 5, "workflow_circle"),
    ("workflow: w\ndefaults: {after: {}}\ntasks: {a: {run: x}}", "defaults.after",   2, "workflow_default"),
    ("workflow: w\ndefaults:\n  retries: many\ntasks: {a: {run: x}, b: {run: x}}", "defaults.retries", 3, "not_whole"),
    ("workflow: w\ntasks:\n  a: {run: x}\n  b:\n    run: x\n    inputs:\n    - {source: 'task:a', path: i}",
     "tasks.b.inputs[0].source", 7, "workflow_source"),
    ("workflow: w\ntasks:\n  a: {run: x, outputs: [{path: out/*.csv}]}\n  b:\n    run: x\n    inputs:\n"
     "    - {source: 'task:a/out/x.txt', path: i}", "tasks.b.inputs[0].source", 7, "workflow_output"),
    ("workflow: w\ntasks:\n  a: {run: x, array: 2, outputs: [{path: o}]}\n  b:\n    run: x\n    inputs:\n"
     "    - {source: 'task:a/2/o', path: i}", "tasks.b.inputs[0].source", 7, "workflow_output"),
    ("workflow: w\ntasks:\n  a: {run: x, outputs: [{path: o}]}\n  b:\n    run: x\n    after: {a: failed}\n    inputs:\n"
     "    - {source: 'task:a/o', path: i}", "tasks.b.after.a", 6, "after_and_input"),
    ("workflow: w\ntasks:\n  a: {run: x}\n  a: {run: y}", "tasks.a", 4, "duplicate_key"),
]  # fmt: skip


@pytest.mark.parametrize(("document", "where", "line", "code"), FAULTS, ids=[one[3] for one in FAULTS])
def test_a_fault_says_where_and_what(document: str, where: str, line: int, code: str):
    with pytest.raises(FaultsError) as caught:
        read_workflow(document)
    (fault,) = caught.value.faults
    assert fault.code == code
    if code != "duplicate_key":
        assert fault.where == where
    assert fault.line == line
    assert has(f"fault.{code}")
    for lang in LANGUAGES:
        words = text(f"fault.{code}", lang, **{**fault.params, "got": fault.got, "where": fault.where})
        assert "{got}" not in words
        assert "{{" not in words


def test_all_faults_at_once_and_circles_by_name():
    document = """\
workflow: w
tasks:
  a: {run: x, after: {c: succeeded}}
  b: {run: x, after: {a: succeeded}}
  c: {run: x, after: {b: succeeded}, retries: 99}
  d: {run: x, after: {e: failed}}
  e: {run: x, after: {d: failed}}
  f: {run: x, after: {d: ended}}
  g: {}
"""
    with pytest.raises(FaultsError) as caught:
        read_workflow(document)
    found = {(one.code, one.where, one.line) for one in caught.value.faults}
    assert found == {
        ("workflow_circle", "tasks.a.after.c", 3),
        ("above", "tasks.c.retries", 5),
        ("workflow_circle", "tasks.d.after.e", 6),
        ("missing", "tasks.g.run", 9),
    }
    shown = [one.params["circle"] for one in caught.value.faults if one.code == "workflow_circle"]
    assert shown == ["a → c → b → a", "d → e → d"]


@pytest.mark.parametrize("source", ["task:prepare/a", "task:task-00000000000000000000000001", "task:", "task:x/../y"])
def test_a_task_file_names_other_tasks_by_their_ids(source: str):
    with pytest.raises(FaultsError) as caught:
        read_task(f"run: x\ninputs: [{{source: '{source}', path: a}}]")
    (fault,) = caught.value.faults
    assert (fault.code, fault.line) == ("task_source_form", 2)
