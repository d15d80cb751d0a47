"""Task texts in, values or faults out: a table of what people write wrong, and what they are told."""

import json

import pytest
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from suanwang.intent import init_text, read_task, read_tasks_ndjson, task_schema
from suanwang.intent.mapping import FAULTS_MAX, faults_of
from suanwang.model.error import FaultsError
from suanwang.model.grid import PoolKind, ProtectionFunction
from suanwang.model.task import AFTER_MAX, After, Circle, PythonEntry, TaskRequest, pool_kind
from suanwang.model.units import GIB, MICRO_PER_YUAN, US_PER_HOUR
from suanwang.texts import languages, text


def faults(text_: str | bytes, now_us: int | None = None) -> list[tuple[str, str, int | None]]:
    """(code, where, line) of each fault; the text must have one."""
    with pytest.raises(FaultsError) as caught:
        read_task(text_, "task.yaml", now_us)
    return [(one.code, one.where, one.line) for one in caught.value.faults]


def test_smallest_task() -> None:
    assert read_task("run: echo hello").run == "echo hello"
    three_lines = "name: a\nrun: [python3, main.py]\nresources: {memory: 4 GiB}\n"
    assert read_task(three_lines).resources.memory == 4 * GIB


def test_every_field() -> None:
    request = read_task("""
name: full
run: {module: "jobs.train:main", arguments: ["--fast"]}
image: python:3.12
environment: {MODE: fast}
secrets: [TOKEN]
resources: {cpu: 8, memory: 16 GiB, accelerator: a100, accelerators: 2, nodes: 4, wall_time: 1.5 h, network: true}
inputs: [{source: "dataset:pdb-structures", path: in/pdb}, {source: local.csv, path: in/local.csv}]
outputs: [{path: "out/*.png"}, {path: model.bin, target: "s3://bucket/models"}]
origin: edge-gd-shenzhen
latency: provincial
bandwidth: 200 Mbps
security_level: 3
residency: [CN-GD, CN]
protection: [firewall, encryption]
earliest_start: 2027-01-01T00:00:00+08:00
deadline: 2027-01-02T00:00:00+08:00
price_limit: ¥12.5
preference: greenest
array: 3
tags: {project: demo}
""")
    assert isinstance(request.run, PythonEntry)
    assert request.run.arguments == ("--fast",)
    assert request.resources.wall_time == US_PER_HOUR * 3 // 2
    assert pool_kind(request.resources) is PoolKind.AI
    assert request.latency is Circle.PROVINCIAL
    assert request.bandwidth == 200_000_000
    assert request.protection == (ProtectionFunction.FIREWALL, ProtectionFunction.ENCRYPTION)
    assert request.price_limit == 12_500_000 == 12 * MICRO_PER_YUAN + 500_000
    assert request.deadline is not None
    assert request.earliest_start is not None
    assert request.deadline - request.earliest_start == 24 * US_PER_HOUR


def test_json_and_yaml_give_the_same() -> None:
    data = {"run": ["echo", "\N{GRINNING FACE} 算網"], "latency": "8 ms", "tags": {"a": "b"}}
    assert read_task(json.dumps(data)) == read_task(json.dumps(data, ensure_ascii=False).encode())
    assert read_task('run: ["echo", "😀 算網"]\nlatency: 8 ms\ntags: {a: b}\n') == read_task(json.dumps(data))
    assert read_task(b"\xef\xbb\xbfrun: x").run == "x"  # a byte order mark


def test_yaml_12_words_are_texts() -> None:
    request = read_task("run: x\ntags: {country: NO, at: 12:30, on: off}\n")
    assert request.tags == {"country": "NO", "at": "12:30", "on": "off"}


FIELD_FAULTS = [
    # text after `run: x`, code, where
    ("memroy: 1 GiB", "unknown_field_near", "memroy"),
    ("zzzz: 1", "unknown_field", "zzzz"),
    ("resources: {cpu: '4'}", "not_whole", "resources.cpu"),
    ("resources: {cpu: 2.5}", "not_whole", "resources.cpu"),
    ("resources: {cpu: -1}", "below", "resources.cpu"),
    ("retries: true", "not_whole", "retries"),
    ("array: 99999999999999999999", "above", "array"),
    ("resources: {memory: 4 GiBs}", "bytes_form", "resources.memory"),
    ("resources: {memory: 1.5}", "bytes_form", "resources.memory"),
    ("resources: {memory: 0.3 B}", "bytes_form", "resources.memory"),
    ("resources: {memory: -4 GiB}", "bytes_form", "resources.memory"),
    ("resources: {memory: 9999999 PiB}", "above", "resources.memory"),
    ("resources: {wall_time: soon}", "span_form", "resources.wall_time"),
    ("resources: {wall_time: 10 ms}", "below", "resources.wall_time"),
    ("resources: {network: 'yes'}", "not_boolean", "resources.network"),
    ("resources: {kind: gpu}", "not_one_of", "resources.kind"),
    ("resources: 5", "not_a_mapping", "resources"),
    ("bandwidth: fast", "rate_form", "bandwidth"),
    ("price_limit: 12.5", "money_form", "price_limit"),
    ("deadline: 2027-01-01", "instant_form", "deadline"),
    ("deadline: 2027-01-01T00:00:00", "instant_form", "deadline"),
    ("latency: near", "latency_form", "latency"),
    ("latency: 400 d", "above", "latency"),
    ("latency: [1]", "latency_form", "latency"),
    ("inputs: [{source: a, path: ../b}]", "inner_path_form", "inputs[0].path"),
    ("inputs: [{source: a, path: /etc/passwd}]", "inner_path_form", "inputs[0].path"),
    ("inputs: [{source: a}]", "missing", "inputs[0].path"),
    ("inputs: a.csv", "not_a_list", "inputs"),
    ("mounts: [{path: /usr/x, folder: a}]", "outer_path_form", "mounts[0].path"),
    ("mounts: [{path: data, folder: a}]", "outer_path_form", "mounts[0].path"),
    ("mounts: [{path: /data/../x, folder: a}]", "outer_path_form", "mounts[0].path"),
    ("mounts: [{path: /data, folder: ../a}]", "inner_path_form", "mounts[0].folder"),
    ("outputs: [{path: a, target: 'http://x'}]", "target_form", "outputs[0].target"),
    ("environment: {A: 1}", "not_text", "environment.A"),
    ("environment: {'a b': x}", "env_name_form", "environment.a b"),
    ("tags: {Project: x}", "slug_form", "tags.Project"),
    ("together_with: [db]", "not_a_mapping", "together_with"),
    ("apart_from: {App: db}", "slug_form", "apart_from.App"),
    ("apart_from: {app: 1}", "not_text", "apart_from.app"),
    ("owners: [Own]", "slug_form", "owners[0]"),
    ("owners: own", "not_a_list", "owners"),
    ("image: Python", "image_form", "image"),
    ("residency: [china]", "region_form", "residency[0]"),
    ("preference: best", "not_one_of", "preference"),
    ("on_budget: pay", "not_one_of", "on_budget"),
    ("name: ''", "too_short", "name"),
]


@pytest.mark.parametrize(("extra", "code", "where"), FIELD_FAULTS)
def test_field_fault(extra: str, code: str, where: str) -> None:
    assert faults(f"run: x\n{extra}\n") == [(code, where, 2)]


RELATION_FAULTS = [
    ("resources: {accelerator: a100}", "accelerators_missing"),
    ("resources: {accelerators: 1}", "accelerator_missing"),
    ("resources: {accelerator: any, accelerators: 1, kind: hpc}", "accelerators_elsewhere"),
    ("resources: {kind: ai}", "ai_without_accelerators"),
    ("resources: {kind: quantum}", "quantum_without_qubits"),
    ("resources: {kind: hpc, qubits: 2, shots: 10}", "qubits_elsewhere"),
    ("resources: {shots: 10}", "shots_without_qubits"),
    ("resources: {qubits: 10}", "qubits_without_shots"),
    ("resources: {qubits: 2, shots: 10, nodes: 2}", "qubits_with_nodes"),
    ("{deadline: 2027-01-01T00:00:00Z, earliest_start: 2027-01-01T00:00:00Z}", "deadline_before_start"),
    ("{deadline: 2027-01-01T00:05:00Z, earliest_start: 2027-01-01T00:00:00Z}", "deadline_too_near"),
    ("inputs: [{source: a, path: x}, {source: b, path: x}]", "path_twice"),
    ("inputs: [{source: a, path: x/y}, {source: b, path: x}]", "path_under_file"),
    ("inputs: [{source: 'file:///etc/passwd', path: x}]", "source_scheme"),
    ("inputs: [{source: 'ftp://host/x', path: x}]", "source_scheme"),
    ("inputs: [{source: 'https:///x', path: x}]", "source_form"),
    ("inputs: [{source: 'dataset:', path: x}]", "source_form"),
    ("inputs: [{source: 'object:12', path: x}]", "object_form"),
    ("outputs: [{path: x}, {path: x}]", "output_twice"),
    ("outputs: [{path: a/x, prefix: b}]", "output_prefix"),
    ("outputs: [{path: a/x, name: b}]", "output_name_alone"),
    ("mounts: [{path: /a, folder: x}, {path: /a, folder: y}]", "mount_twice"),
    ("{mounts: [{path: /a, folder: x/y}], inputs: [{source: f, path: x}]}", "path_under_file"),
    ("{secrets: [KEY], environment: {KEY: abc}}", "secret_in_environment"),
    ("secrets: [KEY, KEY]", "listed_twice"),
    ("protection: [ids, ids]", "listed_twice"),
    ("owners: [own, own]", "listed_twice"),
    ("together_with: {app: db, tier: '1'}, apart_from: {app: db}", "apart_and_together"),
    ("checkpoint_every: 30 s", "checkpoint_every_alone"),
    ("{array: 4, elements: {first: 3, count: 2}}", "elements_beyond"),
    ("{array: 4, spread: {sites: 2, per_site_max: 2}}", "spread_form"),
    ("spread: {sites: 2}", "spread_alone"),
    ("{array: 4, spread: {sites: 2}, apart_from: {app: db}}", "spread_and_apart"),
    ("{array: 5000, spread: {per_site_max: 4}}", "spread_wide"),
    ("at_once: 2", "at_once_alone"),
    ("{array: 8, at_once: 2, spread: {sites: 2}}", "at_once_and_spread"),
    ("{array: 5000, at_once: 4}", "at_once_waves"),
    ("after: [{task: task-1}]", "task_id_form"),
    ("after: [{task: task-00000000000000000000000001}, {task: task-00000000000000000000000001}]", "listed_twice"),
    ("tags: {suanwang.mine: 'yes'}", "tag_reserved"),
    ("{standby: site, together_with: {app: db}}", "standby_and_together"),
    ('together_with: {app: "d\\eb"}', "control_in_text"),
    ("{array: 1000000, resources: {nodes: 1000}}", "gang_too_large"),
    ("run: {}", "python_entry"),
    ("run: {module: a, script: b}", "python_entry"),
    ("run: '  '", "run_blank"),
    ("run: ['']", "run_blank"),
    ('run: "a\\0b"', "nul_in_text"),
    ('name: "a\\0b"', "nul_in_text"),
    ('{tags: {a: "b\\0"}}', "nul_in_text"),
    ('name: "\\e[2J"', "control_in_text"),
    ('{tags: {a: "b\\nc"}}', "control_in_text"),
]


@pytest.mark.parametrize(("extra", "code"), RELATION_FAULTS)
def test_relation_fault(extra: str, code: str) -> None:
    body = extra[1:-1] if extra.startswith("{") else extra
    text_ = "{" + body + "}" if body.startswith("run") else "{run: x, " + body + "}"
    assert [one[0] for one in faults(text_)] == [code]


@pytest.mark.parametrize(("run", "code", "where"), [
    ("5", "run_form", "run"),
    ("''", "too_short", "run"),
    ("[]", "too_short", "run"),
    ("[a, 1]", "not_text", "run[1]"),
    ("{modul: a}", "unknown_field_near", "run.modul"),
    ("{module: a b}", "module_form", "run.module"),
])  # fmt: skip
def test_run_union_is_one_fault(run: str, code: str, where: str) -> None:
    assert faults(f"run: {run}") == [(code, where, 1)]


def test_all_faults_at_once_in_the_order_of_lines() -> None:
    found = faults("""\
name: a
resources:
  cpu: four
  memroy: 2 GiB
inputs:
- {source: a, path: ok}
- {source: "gopher://x", path: ../up}
secrets: [S]
environment: {S: x}
array: 0
""")
    assert found == [
        ("missing", "run", 1),
        ("not_whole", "resources.cpu", 3),
        ("unknown_field_near", "resources.memroy", 4),
        ("inner_path_form", "inputs[1].path", 7),
        ("secret_in_environment", "environment.S", 9),  # a relation, found although other fields are wrong
        ("below", "array", 10),
    ]


def test_relations_do_not_follow_from_a_faulty_field() -> None:
    assert faults("run: x\nresources: {accelerator: a100, accelerators: many}\n") == [
        ("not_whole", "resources.accelerators", 2)
    ]


def test_deadline_against_now() -> None:
    text_ = "run: x\ndeadline: 2027-01-01T00:00:00Z\n"
    deadline_us = read_task(text_).deadline
    assert deadline_us is not None
    assert faults(text_, now_us=deadline_us) == [("deadline_past", "deadline", 2)]
    assert read_task(text_, now_us=deadline_us - 1).deadline == deadline_us


def test_ndjson_names_row_and_line() -> None:
    rows = '{"run": "a"}\n\n{"run": "b"}\n'
    assert [one.run for one in read_tasks_ndjson(rows)] == ["a", "b"]
    with pytest.raises(FaultsError) as caught:
        read_tasks_ndjson('{"run": "a"}\n{"run": 5}\n{"x": "\\u0000"}\nno json {\n')
    assert [(one.code, one.where, one.line) for one in caught.value.faults] == [
        ("run_form", "[1].run", 2),
        ("missing", "[2].run", 3),
        ("unknown_field", "[2].x", 3),
        ("not_a_mapping", "[3]", 4),
    ]


def test_schema_is_valid_and_agrees() -> None:
    schema = task_schema()
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    good = {"run": ["a"], "resources": {"memory": "4 GiB", "cpu": 2}, "latency": "metro", "deadline": 10**15}
    assert validator.is_valid(good)
    assert read_task(json.dumps(good)).resources.cpu == 2
    for bad in ({}, {"run": "x", "nope": 1}, {"run": "x", "array": 0}, {"run": "x", "preference": "best"}):
        assert not validator.is_valid(bad)
        assert faults(json.dumps(bad))


@pytest.mark.parametrize("lang", languages())
def test_starter_file_reads_well_with_every_line_switched_on(lang: str) -> None:
    starter = init_text(lang)
    assert read_task(starter).outputs[0].path == "hello.txt"
    # Every commented field is right too: uncomment those that are `# field: value`.
    lines = starter.splitlines()
    fields = [one.replace("# ", "", 1) for one in lines if one.lstrip().startswith("# ") and ": " in one]
    names = {one.split(":")[0].strip() for one in fields}
    assert {"origin", "latency", "bandwidth", "deadline", "array", "secrets", "protection"} <= names
    for one in fields:
        name = one.split(":")[0].strip()
        if name in ("accelerator", "accelerators", "qubits", "shots", "nodes", "network"):
            continue  # some exclude each other
        if name in ("origin", "latency", "bandwidth", "deadline", "array", "secrets", "protection", "residency", "tags",
                    "environment", "price_limit", "retries", "security_level", "image"):  # fmt: skip
            assert read_task("run: x\n" + one.strip()), one


def test_every_code_has_a_text_with_its_parameters() -> None:
    codes = {code for _, code, _ in FIELD_FAULTS} | {code for _, code in RELATION_FAULTS}
    for extra in [one[0] for one in FIELD_FAULTS] + [one[0] for one in RELATION_FAULTS if not one[0].startswith("{")]:
        with pytest.raises(FaultsError) as caught:
            read_task(extra if extra.startswith("run") else f"run: x\n{extra}\n")
        for fault in caught.value.faults:
            for lang in languages():
                words = text(f"fault.{fault.code}", lang, got=fault.got, where=fault.where, **fault.params)
                assert not words.startswith("fault."), fault
                assert "{limit}" not in words
                assert "{near}" not in words
    assert len(codes) > 40


def test_faults_beyond_those_that_are_shown_are_counted_and_no_more() -> None:
    data = {"run": "true", "tags": {f"t{number}": 1 for number in range(FAULTS_MAX + 3)}}
    with pytest.raises(ValidationError) as caught:
        TaskRequest.model_validate(data)
    codes = [one.code for one in faults_of(caught.value, TaskRequest, data)]
    assert codes[FAULTS_MAX:] == ["wrong_form"] * 3
    assert "wrong_form" not in codes[:FAULTS_MAX]


def test_what_is_listed_twice_is_found_without_comparing_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand predecessors would be half a million comparisons."""
    ids = [f"task-{number:026d}" for number in range(AFTER_MAX - 1)]
    named = [{"task": one} for one in ids]
    named.append({"task": ids[7], "when": "ended"})

    def compared(one: After, other: object) -> bool:
        pytest.fail("models were compared")

    monkeypatch.setattr(After, "__eq__", compared)
    assert len(read_task(json.dumps({"run": "x", "after": named}), "task.yaml").after) == AFTER_MAX
    named[-1] = {"task": ids[7]}
    with pytest.raises(FaultsError) as caught:
        read_task(json.dumps({"run": "x", "after": named}), "task.yaml")
    assert [(one.code, one.where) for one in caught.value.faults] == [("listed_twice", f"after[{AFTER_MAX - 1}]")]
