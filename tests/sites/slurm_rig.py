"""The Slurm adapter under test, over a real cluster."""

import pwd
import time
from pathlib import Path

from tests.agent.rigs import COUNTER, monotonic_us, now_us
from tests.sites.slurm_cluster import WORK_USER, SlurmCluster

from suanwang.agent.adapter import TERMINAL, Limit, StartOrder, Update
from suanwang.agent.adapters.slurm import PoolRoute, SlurmAdapter, SlurmSettings
from suanwang.agent.conformance import Work
from suanwang.agent.objects import LocalObjects
from suanwang.model.ids import AttemptId, PoolId, SiteId, TaskId
from suanwang.model.task import PythonEntry, TaskRequest

WAIT_S = 25.0
STEP_S = 0.02
HOG = "import time; x = bytearray(400 << 20); time.sleep(60)"
ROUTES = {
    PoolId("conformance/general"): PoolRoute(partition="batch"),
    PoolId("conformance/gpu"): PoolRoute(partition="gpu", gres="gpu:a100"),
    PoolId("conformance/nowhere"): PoolRoute(partition="nowhere"),
}


class SlurmRig:
    """One adapter, in a folder of its own below the cluster's. Every wait is bounded."""

    def __init__(self, cluster: SlurmCluster, objects: Path, **settings) -> None:
        self.cluster = cluster
        self.objects = LocalObjects(objects)
        self.clock = now_us
        self.folder = cluster.folder / f"work-{time.monotonic_ns()}"
        self.changes = settings
        self.rules = None
        self.base = time.monotonic_ns() // 1_000_000 * 100  # an attempt's id is never used twice on one cluster
        self.open()

    def settings(self) -> SlurmSettings:
        entry = pwd.getpwnam(WORK_USER)
        changes = {"poll_us": 100_000, "timeout_s": 5.0, "enforces": frozenset({Limit.CPU}), **self.changes}
        return SlurmSettings(
            folder=self.folder,
            pools=changes.pop("pools", ROUTES),
            user=(WORK_USER, entry.pw_uid, entry.pw_gid),
            path=(str(self.cluster.folder / "bin"),),
            conf=str(self.cluster.conf),
            **changes,
        )

    def open(self) -> None:
        self.adapter = SlurmAdapter(self.settings(), self.objects, now_us, monotonic_us, lambda _: None, self.rules)
        self.gives_up_s = time.monotonic() + WAIT_S

    def reopen(self) -> None:
        """The agent's process is replaced; the cluster does not notice."""
        self.adapter.close()
        self.open()

    def restart(self) -> None:
        """The cluster loses all that it knows, and the agent's process is replaced."""
        self.adapter.close()
        self.cluster.lose_everything()
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
        self.adapter.close()
        self.cluster.quiet(self.folder)

    # For tests beyond conformance -----------------------------------------------------------------------------

    def order(self, number: int = 1, *, pool: str = "general", kept=None, **request) -> StartOrder:
        return StartOrder(
            site=SiteId("conformance"),
            pool=PoolId(f"conformance/{pool}"),
            task_id=TaskId(f"task-{self.base + number:026d}"),
            attempt_id=AttemptId(f"att-{self.base + number:026d}"),
            fence=1,
            request=TaskRequest(**request),
            kept=kept,
        )

    def start(self, number: int = 1, **request) -> StartOrder:
        order = self.order(number, **request)
        self.adapter.start(order)
        self.gives_up_s = time.monotonic() + WAIT_S
        self.seen: list[Update] = []
        return order

    def until(self, done) -> None:
        while not done():
            self.seen += self.adapter.poll()
            assert self.pass_time(), (
                f"waited in vain: {self.seen} {self.cluster.jobs(all_states=True)} {self.cluster.trouble()}"
            )

    def until_kind(self, kind) -> Update:
        self.until(lambda: any(one.kind is kind for one in self.seen))
        return next(one for one in self.seen if one.kind is kind)

    def end(self) -> Update:
        """Wait for the last word."""
        self.until(lambda: any(one.kind in TERMINAL for one in self.seen))
        (found,) = [one for one in self.seen if one.kind in TERMINAL]
        return found

    def log(self, attempt: StartOrder | Update) -> str:
        return self.adapter.read_logs(attempt.attempt_id, 0, 1 << 20).decode(errors="replace")

    def run(self, number: int = 1, **request) -> tuple[Update, str]:
        order = self.start(number, **request)
        return self.end(), self.log(order)
