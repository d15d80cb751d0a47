"""The TES adapter under test, over a real server."""

import shutil
import time
from pathlib import Path

from tests.agent.rigs import monotonic_us, now_us
from tests.sites.tes_server import IMAGE, TesBrain

from suanwang.agent.adapter import TERMINAL, StartOrder, Update
from suanwang.agent.adapters.tes import TesAdapter, TesPool, TesSettings
from suanwang.agent.conformance import Work
from suanwang.agent.objects import LocalObjects
from suanwang.model.ids import AttemptId, PoolId, SiteId, TaskId
from suanwang.model.task import TaskRequest

WAIT_S = 120.0
NOT_IN_TES = {Work.SAVES: "TES gives nothing back before the end, so no checkpoint can be asked for"}
POOL = PoolId("conformance/general")
WORDS = {
    Work.OK: "echo started; echo done > result.txt",
    Work.EXIT_3: "exit 3",
    Work.SIGNAL_15: "kill -TERM $$",
    Work.FOREVER: "echo started; sleep 1000",
    Work.OUT_OF_MEMORY: "tail /dev/zero",
}


class TesRig:
    """One adapter in a folder of its own; attempts of one rig have names of their own at the server. Waits are bounded."""

    made = 0

    def __init__(self, brain: TesBrain, folder: Path, **changes) -> None:
        self.brain, self.folder, self.changes = brain, folder, changes
        self.objects = LocalObjects(folder / "objects")
        self.clock = now_us
        self.seen: list[Update] = []
        self.name()
        self.open()

    def name(self) -> None:
        """Attempts of the suite have the same names in every case; at the server they need their own."""
        TesRig.made += 1
        self.scope = f"rig-{TesRig.made}-"

    def open(self) -> None:
        settings = TesSettings(
            folder=self.folder / "tes",
            url=self.brain.url,
            image=IMAGE,
            scope=self.scope,
            storage=f"file://{self.brain.storage}/{self.scope}",
            pools={POOL: TesPool()},
            token=self.brain.key,
            poll_us=200_000,
        )
        server = self.changes.get("server")
        self.adapter = TesAdapter(
            settings,
            self.objects,
            now_us,
            monotonic_us,
            lambda _: None,
            None,
            server and server(settings, monotonic_us),
        )
        self.gives_up_s = time.monotonic() + WAIT_S

    def reopen(self) -> None:
        """The agent's process is replaced."""
        self.adapter.close()
        self.changes = {}
        self.open()

    def restart(self) -> None:
        """The site loses all that it knows, and the agent's process is replaced."""
        self.adapter.close()
        shutil.rmtree(self.folder / "tes")
        self.name()
        self.open()

    def request(self, work: Work) -> TaskRequest:
        resources = {"wall_time": 60_000_000, "memory": 64 * 2**20}
        return TaskRequest.model_validate({"run": WORDS[work], "resources": resources})

    def pass_time(self) -> bool:
        time.sleep(0.05)
        return time.monotonic() < self.gives_up_s

    def close(self) -> None:
        for record in (self.folder / "tes/records").glob("*.json"):
            self.adapter.forget(AttemptId(record.stem))
        self.adapter.close()

    # For tests beyond conformance -----------------------------------------------------------------------------

    def start(self, **task) -> StartOrder:
        TesRig.made += 1
        number = 10**6 + TesRig.made
        order = StartOrder(
            site=SiteId("conformance"),
            pool=POOL,
            task_id=TaskId(f"task-{number:026d}"),
            attempt_id=AttemptId(f"att-{number:026d}"),
            fence=1,
            request=TaskRequest.model_validate({"resources": {"wall_time": 60_000_000}, **task}),
        )
        self.adapter.start(order)
        self.gives_up_s = time.monotonic() + WAIT_S
        return order

    def until(self, done) -> None:
        while not done():
            self.seen += self.adapter.poll()
            assert self.pass_time(), f"waited in vain: {self.seen}"

    def until_kind(self, order: StartOrder, *kinds) -> Update:
        def found() -> list[Update]:
            return [one for one in self.seen if one.attempt_id == order.attempt_id and one.kind in kinds]

        self.until(found)
        return found()[0]

    def end(self, order: StartOrder) -> Update:
        return self.until_kind(order, *TERMINAL)

    def log(self, order: StartOrder) -> str:
        return self.adapter.read_logs(order.attempt_id, 0, 1 << 20).decode()
