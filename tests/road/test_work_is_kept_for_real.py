"""A counter in the real sandbox gives way, goes on at another site, and counts nothing twice."""

import pytest
from tests.agent.rigs import SANDBOX, LocalRig, now_us
from tests.road.test_giving_way import PRICED
from tests.road.town import TENANT, S, Town

from suanwang.agent.agent import Agent
from suanwang.agent.journal import Journal
from suanwang.model.event import EventKind
from suanwang.model.grid import Tenant
from suanwang.model.ids import AgentId, SiteId, TaskId
from suanwang.model.principal import Submission
from suanwang.model.record import Phase, TenantSet
from suanwang.model.task import Output, PythonEntry, Resources, TaskRequest

pytestmark = SANDBOX

TO = 60
COUNTER = f"""
import os, pathlib, signal, sys, time
saved, steps = pathlib.Path("state/at"), 0
at = int(saved.read_text()) if os.environ["SUANWANG_RESUMES"] == "1" else 0
print("from", at)

def save(*_):
    saved.parent.mkdir(exist_ok=True)
    saved.write_text(str(at))
    print("steps", steps)
    sys.exit(0)

signal.signal(signal.SIGTERM, save)
while at < {TO}:
    time.sleep(0.05)
    at, steps = at + 1, steps + 1
    print("at", at)
pathlib.Path("result.txt").write_text(f"{{at}} after {{steps}}")
"""


class RealTown(Town):
    """Two sites by one agent with the real adapter, on the real clock."""

    def __init__(self, rig: LocalRig) -> None:
        self.rig = rig
        super().__init__("here", "there", book=PRICED)
        sites = (SiteId("here"), SiteId("there"))
        self.agents = {"both": Agent(AgentId("real"), sites, rig.adapter, Journal(":memory:"), now_us)}
        self.road.emit(TenantSet(at_us=self.now_us, tenant=Tenant(id=TENANT, name="T", priority_max=100)))
        self.road.commit()
        self.exchange()

    @property
    def now_us(self) -> int:
        return now_us()

    @now_us.setter
    def now_us(self, _: int) -> None:
        """Time goes by itself."""

    def send(self, run: object, **fields: object) -> TaskId:
        task_id = self.ids.task_id()
        resources = Resources(cpu=4, memory=2**26, wall_time=60 * S)
        request = TaskRequest(run=run, resources=resources, **fields)
        self.road.submit(TENANT, "me", [Submission(request=request)], [task_id])
        return task_id

    def turn_until(self, done) -> None:
        while not done():
            self.round()
            assert self.rig.pass_time(), "waited in vain"

    def log_of(self, attempt_id: str) -> list[str]:
        return self.rig.adapter.read_logs(attempt_id, 0, 1 << 20).decode().splitlines()


@pytest.fixture
def town(tmp_path):
    rig = LocalRig(tmp_path)
    yield RealTown(rig)
    rig.close()


def test_a_counter_goes_on_at_another_site(town: RealTown) -> None:
    low = town.send(
        PythonEntry(script=COUNTER), checkpoint="state/*", preemptible=True, outputs=(Output(path="result.txt"),)
    )
    town.turn_until(lambda: town.task(low).phase is Phase.RUNNING)
    first = town.task(low).attempt
    logs: dict[str, list[str]] = {}

    def counted() -> bool:
        logs["first"] = town.log_of(first.attempt_id)
        return "at 10" in logs["first"]

    town.turn_until(counted)
    high = town.send("true", priority=50, sites=(first.site,))
    town.turn_until(lambda: town.task(low).resume is not None and town.task(low).resume.kept.files)
    town.turn_until(lambda: town.task(low).phase is Phase.RUNNING)
    second = town.task(low).attempt
    town.turn_until(lambda: town.task(low).phase is Phase.SUCCEEDED)
    town.turn_until(lambda: town.task(high).phase is Phase.SUCCEEDED)
    assert second.attempt_id != first.attempt_id
    assert second.site != first.site
    (file,) = next(one for one in town.records("attempt_closed") if one["succeeded"] and one["task_id"] == low)[
        "outputs"
    ]
    with town.rig.objects.open(file["blake3"]) as stream:
        at, steps = (int(one) for one in stream.read().decode().split(" after "))
    assert at == TO
    assert steps <= TO - 10, "what was counted before is not counted again"
    events = [one["event"] for one in town.records("event_applied") if one["effective"]]
    (kept,) = [one["kept"] for one in events if one["kind"] == EventKind.CHECKPOINT]
    with town.rig.objects.open(kept["files"][0]["blake3"]) as stream:
        saved = int(stream.read())
    assert saved + steps == TO, "each step once"
    task = town.task(low)
    assert task.billed_micro_yuan <= task.first_quote_micro_yuan
