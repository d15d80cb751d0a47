"""Every service on a real brain with its local agent: planned, run in the sandbox, billed, and its result as expected."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.agent.rigs import SANDBOX

from suanwang.client import Client
from suanwang.model.record import Phase
from suanwang.model.view import TaskView
from suanwang.runtime.app import serving
from suanwang.runtime.settings import Settings
from suanwang.services import catalogue

pytestmark = SANDBOX
ALL = list(catalogue())
ENDS_WITHIN_S = 240


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """One brain for all, on the grid that ships; its agent emulates the sites on this machine."""
    settings = Settings(home=tmp_path_factory.mktemp("home"), port=0)
    with serving(settings) as here, Client(here.url, here.key) as client:
        yield client


@pytest.fixture(scope="module")
def tasks(client: Client) -> dict[str, TaskView]:
    """All submitted at once, each at its small size."""
    return {name: client.run_service(name, catalogue()[name].manifest.small) for name in ALL}


@pytest.mark.parametrize("name", ALL)
def test_runs_end_to_end_and_its_result_is_as_expected(name: str, client: Client, tasks: dict[str, TaskView]) -> None:
    ended = client.wait(tasks[name].task_id, timeout_s=ENDS_WITHIN_S)
    found = client.service_result(ended.task_id)
    log = b"".join(client.logs(ended.task_id))[-2000:].decode(errors="replace")
    assert ended.phase is Phase.SUCCEEDED, (ended, log)
    assert found.ok, found.verdicts
    assert found.elements == (ended.request.array if ended.request else 1)
    assert found.service == name
    assert {one.figure for one in found.verdicts} == {one.figure for one in catalogue()[name].manifest.expected}
    assert client.task_bill(ended.task_id).total_micro_yuan > 0


def test_a_result_that_is_not_as_expected_fails_the_task_and_says_so(client: Client, tmp_path: Path) -> None:
    """A transit as deep as the noise of one point, in a short watch: the search runs well and finds something else."""
    view = client.run_service("transit-search", {"days": 10, "period_days": 3.3, "depth_ppm": 100, "noise_ppm": 400})
    ended = client.wait(view.task_id, timeout_s=ENDS_WITHIN_S)
    found = client.service_result(view.task_id)
    assert ended.phase is Phase.FAILED
    assert not found.ok
    assert found.figures["points"] > 300
    assert [one.ok for one in found.verdicts if one.figure == "snr"] == [False]
