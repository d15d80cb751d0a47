"""The Ray adapter under test, over a real head."""

import shutil
import time
from pathlib import Path

from tests.agent.rigs import COUNTER, monotonic_us, now_us
from tests.sites.ray_head import RayHead

from suanwang.agent.adapter import TERMINAL, StartOrder, Update
from suanwang.agent.adapters.ray import RayAdapter, RayPool, RaySettings
from suanwang.agent.conformance import Work
from suanwang.agent.objects import LocalObjects
from suanwang.model.ids import AttemptId, PoolId, SiteId, TaskId
from suanwang.model.task import PythonEntry, TaskRequest

WAIT_S = 120.0
STEP_S = 0.05
HOG = "import time; x = bytearray(400 << 20); time.sleep(60)"
POOLS = {
    PoolId("conformance/general"): RayPool(),
    PoolId("conformance/gpu"): RayPool(resources={"accelerator_type:A100": 0.001}),
    PoolId("conformance/named"): RayPool(runtime_env={"env_vars": {"OF_THE_SITE": "ours", "OF_BOTH": "site"}}),
    PoolId("conformance/broken"): RayPool(runtime_env={"conda": "no-such-environment"}),
    PoolId("conformance/npu"): RayPool(accelerator="NPU"),
    PoolId("conformance/scaling"): RayPool(accelerator="NPU", scales=True),
}


class RayRig:
    """One adapter in a folder of its own; attempts of one rig have names of their own at Ray. Waits are bounded."""

    made = 0

    def __init__(self, head: RayHead, folder: Path, **changes) -> None:
        self.head, self.folder, self.changes = head, folder, changes
        self.server = changes.pop("server", None)
        self.objects = LocalObjects(folder / "objects")
        self.clock = now_us
        self.seen: list[Update] = []
        self.name()
        self.open()

    def name(self) -> None:
        """Attempts of the suite have the same names in every case; at Ray they need their own."""
        RayRig.made += 1
        self.scope = f"rig-{time.monotonic_ns()}-{RayRig.made}-"

    def settings(self) -> RaySettings:
        made = {"url": self.head.url, "pools": POOLS, "scope": self.scope, "poll_us": 200_000, **self.changes}
        return RaySettings(folder=self.folder / "ray", **made)

    def open(self) -> None:
        settings = self.settings()
        server = self.server and self.server(settings, monotonic_us)
        self.adapter = RayAdapter(settings, self.objects, now_us, monotonic_us, lambda _: None, None, server)
        self.gives_up_s = time.monotonic() + WAIT_S

    def reopen(self) -> None:
        """The agent's process is replaced; the cluster does not notice."""
        self.adapter.close()
        self.server = None
        self.open()

    def restart(self) -> None:
        """The site loses all that it knows, and the agent's process is replaced."""
        self.adapter.close()
        shutil.rmtree(self.folder / "ray")  # with it every licence: what runs ends itself
        self.name()
        self.open()

    def request(self, work: Work) -> TaskRequest:
        match work:
            case Work.OK:
                return TaskRequest(run="echo started; echo result > result.txt")
            case Work.EXIT_3:
                return TaskRequest(run="exit 3")
            case Work.SIGNAL_15:
                return TaskRequest(run="kill -15 $$")
            case Work.OUT_OF_MEMORY:
                return TaskRequest(run=("python", "-c", HOG), resources={"memory": "64 MiB"})
            case Work.FOREVER:
                return TaskRequest(run="sleep 1000 & sleep 1000")
            case Work.SAVES:
                return TaskRequest(run=PythonEntry(script=COUNTER), checkpoint="saved.txt")

    def pass_time(self) -> bool:
        time.sleep(STEP_S)
        return time.monotonic() < self.gives_up_s

    def close(self) -> None:
        """What is still there is forgotten, and Ray keeps nothing of it but what still waits for a place."""
        for record in (self.folder / "ray/records").glob("*.json"):
            self.adapter.forget(AttemptId(record.stem))
        gives_up_s = time.monotonic() + 20
        while self.head.alive and self._there() and time.monotonic() < gives_up_s:
            time.sleep(STEP_S)
        self.adapter.close()

    def _there(self) -> bool:
        return any(one["status"] != "PENDING" for one in self.head.jobs(self.scope))

    # For tests beyond conformance -----------------------------------------------------------------------------

    def order(self, pool: str = "general", **task) -> StartOrder:
        RayRig.made += 1
        number = 10**6 + RayRig.made
        return StartOrder(
            site=SiteId("conformance"),
            pool=PoolId(f"conformance/{pool}"),
            task_id=TaskId(f"task-{number:026d}"),
            attempt_id=AttemptId(f"att-{number:026d}"),
            fence=1,
            request=TaskRequest.model_validate(task),
        )

    def start(self, pool: str = "general", **task) -> StartOrder:
        order = self.order(pool, **task)
        self.adapter.start(order)
        self.gives_up_s = time.monotonic() + WAIT_S
        return order

    def until(self, done) -> None:
        while not done():
            self.seen += self.adapter.poll()
            assert self.pass_time(), f"waited in vain: {self.seen} {self.head.jobs(self.scope)}"

    def until_kind(self, order: StartOrder, *kinds) -> Update:
        def found() -> list[Update]:
            return [one for one in self.seen if one.attempt_id == order.attempt_id and one.kind in kinds]

        self.until(found)
        return found()[0]

    def end(self, order: StartOrder) -> Update:
        return self.until_kind(order, *TERMINAL)

    def log(self, order: StartOrder) -> str:
        return self.adapter.read_logs(order.attempt_id, 0, 1 << 20).decode()
