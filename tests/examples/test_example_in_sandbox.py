"""The examples inside the real sandbox, staged, limited and collected as on a site: the libraries work there too."""

import json
from pathlib import Path

import pytest
from tests.agent.rigs import SANDBOX, LocalRig
from tests.examples.test_example_tasks import EXAMPLES, NAMES, SMALL, request_of

from suanwang.agent.staging import StandIn
from suanwang.model.event import EventKind

pytestmark = SANDBOX


@pytest.fixture
def rig(tmp_path: Path):
    made = LocalRig(tmp_path, data_sets={"demo-archive": StandIn(17, 1 << 17), "fast-pulsars": StandIn(3, 1 << 18)}.get)
    yield made
    made.close()


@pytest.mark.parametrize("name", NAMES)
def test_runs_in_the_sandbox(name: str, rig: LocalRig) -> None:
    request = request_of(name)
    inputs = []
    for item in request.inputs:
        stored = None if item.source.startswith("dataset:") else rig.objects.put(EXAMPLES / name / item.source)
        inputs.append({"source": f"object:{stored.blake3}" if stored else item.source, "path": item.path})
    end, log = rig.run(
        run=(*request.run, *SMALL[name]),
        inputs=inputs,
        outputs=[output.model_dump() for output in request.outputs],
        resources=request.resources.model_copy(update={"nodes": 1}),
        environment=request.environment,
    )
    assert end.kind is EventKind.FINISHED, log
    assert json.loads(log.splitlines()[-1])
    # Below half of what it asked for: a task file that asks for too little fails on a slow day.
    assert end.usage.memory_peak_bytes < request.resources.memory / 2
    assert {Path(one.path).parts[0] for one in end.outputs} == {"out"}
