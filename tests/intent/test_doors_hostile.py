"""Whatever a file in another system's form holds: tasks, or faults that can be said in every language, and nothing else."""

import json
from collections.abc import Callable, Sequence
from datetime import UTC
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suanwang.intent.doors import Form, form_of, read_any
from suanwang.intent.slurm import Desk, read_command, read_sbatch
from suanwang.intent.slurm_options import OPTIONS
from suanwang.model import kubernetes, skypilot
from suanwang.model.doors import DoorRules
from suanwang.model.error import Fault, FaultsError
from suanwang.texts import languages, text

RULES = DoorRules(host_images=("*",), zones={"a": ("a",)}, accelerators=("a100",))
FILES = {".": ["x"], "d": []}.get


def tried(body: str | bytes, form: Form) -> None:
    """Read it; every fault has its words."""
    check(lambda: read_any(body, "file", form, RULES, Desk(zone=UTC), FILES).warnings)


def check(read: Callable[[], Sequence[Fault]]) -> None:
    faults, kind = [], "warning"
    try:
        faults = list(read())
    except FaultsError as error:
        faults, kind = error.faults, "fault"
    for fault in faults:
        for lang in languages():
            key = f"{kind}.{fault.code}"
            assert text(key, lang, got=fault.got, **fault.params) != key


OTHERS = [Form.SBATCH, Form.KUBERNETES, Form.SKYPILOT]


@pytest.mark.parametrize("form", OTHERS)
@given(body=st.binary(max_size=200) | st.text(max_size=200))
def test_safety_any_bytes(form: Form, body: str | bytes) -> None:
    form_of(body, "file")
    tried(body, form)


def words_of(module: Any) -> list[str]:
    return sorted({name for one in vars(module).values() if hasattr(one, "model_fields") for name in one.model_fields})


leaves = (
    st.none()
    | st.booleans()
    | st.integers(-5, 10**19)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
)
leaves |= st.sampled_from(
    ["A100:2", "4+", "1Gi", "500m", "s3://b/c", "/data", "a", "docker:x", "$(A)", "metro", "d", "."]
)


def documents(words: list[str]) -> st.SearchStrategy[Any]:
    keys = st.sampled_from(words) | st.text(max_size=5)
    return st.recursive(
        leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=6), max_leaves=25
    )


@given(spec=documents(words_of(kubernetes)), box=documents(words_of(kubernetes)), pod=documents(words_of(kubernetes)))
@settings(max_examples=150)
def test_safety_any_job(spec: Any, box: Any, pod: Any) -> None:
    whole = {"name": "c", "image": "i", "command": ["x"]} | (box if isinstance(box, dict) else {"args": box})
    inside = {"containers": [whole]} | (pod if isinstance(pod, dict) else {"volumes": pod})
    outside = {"template": {"spec": inside}} | (spec if isinstance(spec, dict) else {"completions": spec})
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j"}, "spec": outside}
    tried(json.dumps(job), Form.KUBERNETES)


@given(more=documents(words_of(skypilot)), resources=documents(words_of(skypilot)))
@settings(max_examples=150)
def test_safety_any_skypilot_task(more: Any, resources: Any) -> None:
    task = {"run": "x", "setup": "y", "resources": resources} | (more if isinstance(more, dict) else {"envs": more})
    tried(json.dumps(task), Form.SKYPILOT)


pieces = st.sampled_from(
    [f"--{name}" for name in OPTIONS]
    + ["-n4", "-N", "2-4", "=", "gpu:a:2", "1-10%2", "afterok:1", "now+1h", "4G", "'", "#", "hetjob", "%j", "a,b"]
)


@given(
    st.lists(st.lists(pieces | st.text(max_size=6), max_size=5), max_size=6),
    st.lists(pieces | st.text(max_size=6), max_size=6),
)
@settings(max_examples=200)
def test_safety_any_options(lines: list[list[str]], words: list[str]) -> None:
    script = "#!/bin/sh\n" + "\n".join(f"#SBATCH {' '.join(line)}" for line in lines) + "\ntrue\n"
    tried(script, Form.SBATCH)
    check(lambda: read_sbatch("#!/bin/sh\ntrue\n", "x.sh", read_command(words), Desk(), RULES).warnings)
