"""The reader of TES documents: what becomes of each field, every fault at its place, and the document kept whole."""

import json
import subprocess

import pytest
from blake3 import blake3
from hypothesis import given, settings
from hypothesis import strategies as st

from suanwang.intent.tes import PATH_MAX, TesRules, read_tes, tes_document
from suanwang.intent.tes_parameters import PARAMETERS
from suanwang.intent.tes_tags import DOCUMENT_TAG, tag_name, tag_search, tag_value
from suanwang.model.error import FaultsError
from suanwang.model.task import MOUNTS_MAX, OWN_FOLDERS, Circle, Preference
from suanwang.model.units import GIB

RULES = TesRules(host_images=("alpine*",), zones={"here": ("here",), "CN-A": ("here", "there")})
ECHO = {"image": "alpine", "command": ["echo", "hello"]}
NOW = 1_700_000_000_000_000


def read(document, rules=RULES):
    return read_tes(json.dumps(document), rules, NOW)


def of(**fields):
    return read({"executors": [ECHO], **fields}).request


def faults(document):
    with pytest.raises(FaultsError) as caught:
        read(document)
    return {(one.code, one.where) for one in caught.value.faults}


def test_the_smallest_document_is_a_task_of_one_command():
    found = read({"executors": [ECHO]})
    assert found.request.image == "host"
    assert found.request.retries == 0
    assert found.request.resources.wall_time == RULES.wall_time_us
    assert found.request.name == "task"
    assert found.warnings == ()


def test_the_document_is_kept_whole_and_named_by_a_tag():
    document = {"executors": [ECHO], "name": "n", "tags": {"Project X": "é"}, "description": None, "id": "mine"}
    found = read(document)
    assert tes_document(found.contents[found.digest]) == document
    assert found.request.tags[DOCUMENT_TAG] == found.digest
    assert blake3(found.contents[found.digest]).hexdigest() == found.digest


def test_resources_zones_and_preemption():
    request = of(resources={"cpu_cores": 4, "ram_gb": 1.5, "disk_gb": 2, "preemptible": True, "zones": ["CN-A", "x"]})
    has = request.resources
    assert (has.cpu, has.memory, has.disk) == (4, 3 * GIB // 2, 2 * GIB)
    assert request.preemptible
    assert request.sites == ("here", "there")


def test_zero_counts_as_not_given():
    usual = of().resources
    assert of(resources={"cpu_cores": 0, "ram_gb": 0, "disk_gb": 0}).resources == usual


def test_every_backend_parameter_reaches_its_field():
    given_values = {
        "bandwidth": "10 Mbps", "Budget": "2 yuan", "DEADLINE": "2030-01-01T00:00:00Z", "gpu": "2", "Gpu_Model": "a100",
        "earliest_start": "2029-01-01T00:00:00Z", "latency": "metro", "network": "true", "nodes": "2", "on_budget": "stop",
        "origin": "here", "owners": "own", "preference": "greenest", "priority": "7", "processes": "9",
        "protection": "firewall, ids", "residency": "CN-A", "retries": "3", "security_level": "2", "sites": "here,there",
        "standby": "site", "wall_time": "90 s",
    }  # fmt: skip
    request = of(resources={"backend_parameters": given_values})
    assert {name.lower() for name in given_values} | {"qpu", "shots"} == set(PARAMETERS)
    has = request.resources
    assert (has.accelerators, has.accelerator, has.network, has.nodes, has.processes) == (2, "a100", True, 2, 9)
    assert has.wall_time == 90_000_000
    assert (request.price_limit, request.bandwidth, request.priority, request.retries) == (2_000_000, 10**7, 7, 3)
    assert (request.latency, request.preference, request.on_budget) == (Circle.METRO, Preference.GREENEST, "stop")
    assert (request.origin, request.owners, request.residency) == ("here", ("own",), ("CN-A",))
    assert [one.value for one in request.protection] == ["firewall", "ids"]
    assert request.standby is not None
    assert request.security_level == 2
    assert request.deadline is not None and request.earliest_start is not None
    assert request.sites == ("here", "there")


def test_qubits_have_a_thousand_shots_and_cards_any_model_where_not_said():
    assert of(resources={"backend_parameters": {"qpu": "5"}}).resources.shots == 1_000
    assert of(resources={"backend_parameters": {"gpu": "1"}}).resources.accelerator == "any"


def test_an_unknown_parameter_or_zone_is_a_warning_and_strict_makes_it_a_fault():
    resources = {"backend_parameters": {"VmSize": "Standard_D64_v3"}, "zones": ["us-west-1"]}
    warnings = read({"executors": [ECHO], "resources": resources}).warnings
    assert warnings == (("parameter_unknown", "VmSize"), ("zone_unknown", "us-west-1"))
    strict = {"executors": [ECHO], "resources": {**resources, "backend_parameters_strict": True}}
    assert faults(strict) == {("tes_parameter", "resources.backend_parameters.VmSize")}


def test_content_wins_over_url_and_becomes_an_object():
    text = "x" * 200_000
    found = read({"executors": [ECHO], "inputs": [{"path": "/data/in", "content": text, "url": "s3://no/such"}]})
    digest = blake3(text.encode()).hexdigest()
    assert found.request.inputs[0].source == f"object:{digest}"
    assert found.request.inputs[0].path == "root/data/in"
    assert found.contents[digest] == text.encode()
    assert [(one.path, one.folder) for one in found.request.mounts] == [("/data", "root/data")]


@pytest.mark.parametrize(
    ("output", "path", "target", "at_target"),
    [
        ({"path": "/o/a", "url": "s3://b/d/x"}, "root/o/a", "s3://b/d", ("root/o/a", "x")),
        ({"path": "/o/a", "url": "s3://b/x"}, "root/o/a", "s3://b", ("root/o/a", "x")),
        ({"path": "/o", "url": "s3://b/d/", "type": "DIRECTORY"}, "root/o", "s3://b/d", ("root/o", None)),
        ({"path": "/o/d", "url": "s3://b/d/", "type": "DIRECTORY"}, "root/o/d", "s3://b/d", ("root/o/d", None)),
        ({"path": "/o/*.t", "path_prefix": "/o", "url": "file:///k"}, "root/o/*.t", "file:///k", ("root/o", None)),
        (
            {"path": "/o/d/*.t", "path_prefix": "/o/d", "url": "file:///k"},
            "root/o/d/*.t",
            "file:///k",
            ("root/o/d", None),
        ),
    ],
)
def test_outputs_go_to_exactly_their_url(output, path, target, at_target):
    made = read({"executors": [ECHO], "outputs": [output]}).request.outputs[1]
    assert (made.path, made.target, (made.prefix, made.name)) == (path, target, at_target)


def test_one_file_may_go_to_one_folder_under_two_names():
    wild = {"path": "/data/*.txt", "path_prefix": "/data", "url": "s3://b/out"}
    one = {"path": "/data/a.txt", "url": "s3://b/out/a.txt"}
    other = {"path": "/data/a.txt", "url": "s3://b/out/renamed.txt"}
    made = read({"executors": [ECHO], "outputs": [wild, one, other]}).request.outputs[1:]
    assert [(each.path, each.target, each.name) for each in made[1:]] == [
        ("root/data/a.txt", "s3://b/out", "a.txt"),
        ("root/data/a.txt", "s3://b/out", "renamed.txt"),
    ]
    assert ("output_twice", "outputs[2]") in {
        (code, where[:10]) for code, where in faults({"executors": [ECHO], "outputs": [wild, other, other]})
    }


@pytest.mark.parametrize(
    ("change", "code", "where"),
    [
        ({"executors": []}, "too_short", "executors"),
        ({"executors": [{"image": "alpine", "command": []}]}, "too_short", "executors[0].command"),
        ({"executors": [{"command": ["x"]}]}, "missing", "executors[0].image"),
        ({"executors": [{"image": "A B", "command": ["x"]}]}, "image_form", "executors[0].image"),
        ({"executors": [ECHO, {**ECHO, "image": "python:3"}]}, "tes_images", "executors[1].image"),
        ({"executors": [{**ECHO, "env": {"1A": "x"}}]}, "env_name_form", "executors[0].env.1A"),
        ({"executors": [{**ECHO, "command": [" "]}]}, "run_blank", "executors[0].command[0]"),
        ({"executors": [{**ECHO, "stdout": "out"}]}, "tes_path_form", "executors[0].stdout"),
        ({"executors": [{**ECHO, "command": ["x" * 60_000, "y" * 10_000]}]}, "too_long", "executors"),
        ({"exekutors": 1}, "unknown_field_near", "exekutors"),
        ({"resources": {"cpu_cores": 1.5}}, "not_whole", "resources.cpu_cores"),
        ({"resources": {"ram_gb": -1}}, "below", "resources.ram_gb"),
        ({"resources": {"backend_parameters": {"gpu": "many"}}}, "not_whole", "resources.backend_parameters.gpu"),
        ({"resources": {"backend_parameters": {"Network": "?"}}}, "not_boolean", "resources.backend_parameters.Network"),
        ({"resources": {"backend_parameters": {"GPU": "1", "gpu": "1"}}}, "listed_twice", "resources.backend_parameters.gpu"),
        ({"resources": {"backend_parameters": {"Deadline": "soon"}}}, "instant_form", "resources.backend_parameters.Deadline"),
        ({"resources": {"backend_parameters": {"priority": "101"}}}, "above", "resources.backend_parameters.priority"),
        ({"inputs": [{"path": "/in/a", "url": "ftp://x/y"}]}, "source_scheme", "inputs[0].url"),
        ({"inputs": [{"path": "/in/a"}]}, "tes_input_empty", "inputs[0]"),
        ({"inputs": [{"path": "/in/a", "url": "s3://b/c", "type": "DIRECTORY"}]}, "tes_directory", "inputs[0].type"),
        ({"inputs": [{"path": "a", "content": ""}]}, "tes_path_form", "inputs[0].path"),
        ({"inputs": [{"path": "/x/../a", "content": ""}]}, "tes_path_form", "inputs[0].path"),
        ({"inputs": [{"path": "/a", "content": ""}]}, "tes_path_root", "inputs[0].path"),
        ({"inputs": [{"path": "/etc/passwd", "content": ""}]}, "tes_path_own", "inputs[0].path"),
        ({"outputs": [{"path": "/o/a", "url": "https://x/y"}]}, "target_form", "outputs[0].url"),
        ({"outputs": [{"path": "/o/a", "url": "s3://bucket"}]}, "tes_output_url", "outputs[0].url"),
        ({"outputs": [{"path": "/o/a", "url": "s3://bucket/"}]}, "tes_output_url", "outputs[0].url"),
        ({"outputs": [{"path": "/o/d/*", "url": "s3://b/c"}]}, "tes_path_prefix", "outputs[0].path_prefix"),
        ({"volumes": ["/proc/x"]}, "tes_path_own", "volumes[0]"),
        ({"tags": {"a": 1}}, "not_text", "tags.a"),
    ],
)  # fmt: skip
def test_each_fault_is_told_at_its_place_in_the_document(change, code, where):
    assert (code, where) in faults({"executors": [ECHO], **change})


def test_more_top_folders_than_can_be_shown_are_one_fault():
    inputs = [{"path": f"/t{at}/in", "content": ""} for at in range(MOUNTS_MAX)]
    assert len(of(inputs=inputs).mounts) == MOUNTS_MAX
    more = {"executors": [ECHO], "inputs": inputs, "volumes": ["/more/a", "/other/b"]}
    assert faults(more) == {("tes_tops", "volumes[0]")}


def test_a_path_too_long_to_be_shown_is_a_fault_where_it_stands():
    top = "/" + "x" * (PATH_MAX - 3)
    assert of(volumes=[f"{top}/a"]).mounts[0].path == top
    assert faults({"executors": [ECHO], "volumes": [f"{top}y/a"]}) == {("too_long", "volumes[0]")}
    assert faults({"executors": [{**ECHO, "workdir": f"{top}yy/a"}]}) == {("too_long", "executors[0].workdir")}


def test_all_faults_come_at_once():
    document = {
        "executors": [{**ECHO, "image": "A B"}],
        "inputs": [{"path": "/a", "content": ""}],
        "outputs": [{"path": "/o/a", "url": "ftp://x/y"}],
        "resources": {"backend_parameters": {"gpu": "many", "deadline": "soon"}},
    }
    assert {code for code, _ in faults(document)} == {
        "image_form", "tes_path_root", "target_form", "not_whole", "instant_form",
    }  # fmt: skip


texts = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=30)
parts = st.text("abcXYZ019-_. +", min_size=1, max_size=8).filter(lambda one: one not in (".", ".."))
paths = (
    st.lists(parts, min_size=2, max_size=4)
    .filter(lambda one: one[0] not in OWN_FOLDERS)
    .map(lambda one: "/" + "/".join(one))
)


@given(st.dictionaries(texts, texts, max_size=4), texts, st.lists(paths, max_size=4, unique=True))
def test_whatever_is_taken_is_kept_as_it_came(tags, name, places):
    document = {"executors": [ECHO], "name": name, "tags": tags}
    document["outputs"] = [{"path": one, "url": f"s3://b/{at}"} for at, one in enumerate(places)]
    found = read(document)
    assert tes_document(found.contents[found.digest]) == document
    # Every path is in the task's folder below `root`, and shown where it was asked for.
    shown = {one.path: one.folder for one in found.request.mounts}
    for place, output in zip(places, found.request.outputs[1:], strict=True):
        top = "/" + place.split("/")[1]
        assert output.path == "root" + place
        assert shown[top] == "root" + top


@given(texts.filter(bool), texts, texts.filter(bool), texts)
def test_a_search_finds_the_tag_that_was_given_and_no_other(key, value, other_key, other_value):
    name, _, kept = tag_search(key, value).partition("=")
    assert name == tag_name(key)
    assert kept == (tag_value(value) if value else "")
    if (key, value) != (other_key, other_value) and value and other_value:
        assert tag_search(key, value) != tag_search(other_key, other_value)
    assert tag_name(key).startswith("suanwang.") or tag_name(key) == key


@given(st.lists(texts, max_size=4))
@settings(max_examples=15, deadline=None)
def test_a_command_gets_exactly_its_words(words):
    script = read({"executors": [{"image": "alpine", "command": ["printf", "<%s>", *words]}]}).request.run
    done = run(script)
    assert done.stdout.decode() == ("".join(f"<{one}>" for one in words) if words else "<>")


def run(script, folder=None):
    import tempfile

    with tempfile.TemporaryDirectory() as made:
        return subprocess.run(
            ["/bin/sh", "-c", script],
            cwd=folder or made,
            capture_output=True,
            check=False,
            timeout=20,
            stdin=subprocess.DEVNULL,
        )


NAMES = sorted(
    {"executors", "image", "command", "env", "stdin", "workdir", "inputs", "url", "path", "type", "content", "outputs",
     "path_prefix", "resources", "cpu_cores", "ram_gb", "zones", "backend_parameters", "backend_parameters_strict", "volumes",
     "tags", "name", *PARAMETERS}
)  # fmt: skip
atoms = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 10**20), st.floats(allow_nan=False, allow_infinity=False), texts,
    st.sampled_from(["alpine", "/data/x", "/etc/x", "s3://b/c", "file:///x", "DIRECTORY", "FILE", "*", "/a/*.b", "9" * 30]),
)  # fmt: skip
values = st.recursive(
    atoms,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES) | texts, inner, max_size=4),
    max_leaves=20,
)
near = st.fixed_dictionaries(
    {
        "executors": st.lists(
            st.fixed_dictionaries({"image": atoms, "command": values}, optional={"env": values}), max_size=2
        )
    },
    optional={
        "inputs": st.lists(
            st.fixed_dictionaries({"path": atoms}, optional={"url": atoms, "content": atoms}), max_size=3
        ),
        "outputs": st.lists(st.fixed_dictionaries({"path": atoms, "url": atoms}, optional={"type": atoms}), max_size=3),
        "resources": st.dictionaries(st.sampled_from(NAMES), values, max_size=3),
        "volumes": st.lists(atoms, max_size=3),
        "tags": values,
    },
)


@given(values | near)
@settings(max_examples=300, deadline=None)
def test_whatever_is_sent_is_read_or_its_faults_are_told(document):
    try:
        found = read(document)
    except FaultsError:
        return
    assert tes_document(found.contents[found.digest]) == document
    # What was read is a task that could be written down and read again.
    again = type(found.request).model_validate_json(found.request.model_dump_json())
    assert again == found.request
