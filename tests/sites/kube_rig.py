"""The Kubernetes adapter under test, over an API server: a real one, or the fake one."""

import time
from pathlib import Path
from typing import Any

from tests.agent.rigs import monotonic_us, now_us

from suanwang.agent.adapter import TERMINAL, StartOrder, Update
from suanwang.agent.adapters.kubernetes import Api, KubernetesAdapter, KubernetesSettings, PoolRoute, Volume
from suanwang.agent.conformance import Work
from suanwang.agent.objects import LocalObjects
from suanwang.model.ids import AttemptId, PoolId, SiteId, TaskId
from suanwang.model.task import TaskRequest

STEP_S = 0.02
USER = (1001, 1001)  # no account of the host or the image needs to know it
# Ends up with 256 MiB in one variable of the shell.
HOG = "x=0123456789abcdef; while :; do x=$x$x; done"
COUNTS = """
trap 'echo $n > saved.txt; exit 0' TERM
n=0; [ ! -e saved.txt ] || read -r n < saved.txt
echo started
while :; do n=$((n + 1)); echo $n > saved.new; mv saved.new saved.txt; sleep 0.1; done
"""


class KubeRig:
    """One adapter, in a folder and a namespace of its own. Every wait is bounded."""

    def __init__(self, cluster: Any, objects: Path, wait_s: float = 60.0, routes=None, **settings) -> None:
        self.cluster = cluster
        self.wait_s = wait_s
        self.objects = LocalObjects(objects)
        self.clock = now_us
        self.tag = f"t{time.monotonic_ns()}"
        self.namespace = cluster.make_namespace(self.tag)
        self.folder = cluster.site_folder / self.tag
        self.changes = settings
        route = {"namespace": self.namespace, "image": cluster.image, "gang": "pods"}
        self.routes = {
            PoolId(f"conformance/{name}"): PoolRoute(**{**route, **more})
            for name, more in {"general": {}, "gpu": {"resource": "nvidia.com/gpu"}, **(routes or {})}.items()
        }
        self.seen: list[Update] = []
        self.open()

    def settings(self) -> KubernetesSettings:
        return KubernetesSettings(
            **{
                "folder": self.folder,
                "volume": Volume(host_path=str(self.folder)),
                "pools": self.routes,
                "instance": self.tag,
                "user": USER,
                "images": ("localhost/*",),
                "poll_us": 200_000,
                **self.changes,
            }
        )

    def open(self) -> None:
        api = Api(self.cluster.connection())
        self.adapter = KubernetesAdapter(self.settings(), api, self.objects, now_us, monotonic_us, lambda _: None)
        self.gives_up_s = time.monotonic() + self.wait_s

    def reopen(self) -> None:
        """The agent's process is replaced; the cluster does not notice."""
        self.adapter.close()
        self.open()

    def restart(self) -> None:
        """The cluster loses all that it knows of us, and the agent's process is replaced."""
        self.adapter.close()
        self.cluster.lose_everything(self.namespace)
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
                return TaskRequest(run=HOG, resources={"memory": "64 MiB"})
            case Work.FOREVER:
                return TaskRequest(run="sleep 1000 & sleep 1000")
            case Work.SAVES:
                return TaskRequest(run=COUNTS, checkpoint="saved.txt")

    def pass_time(self) -> bool:
        time.sleep(STEP_S)
        return time.monotonic() < self.gives_up_s

    def close(self) -> None:
        self.adapter.close()
        self.cluster.quiet(self.namespace)

    # For tests beyond conformance -----------------------------------------------------------------------------

    def order(self, number: int = 1, *, pool: str = "general", kept=None, **request) -> StartOrder:
        return StartOrder(
            site=SiteId("conformance"),
            pool=PoolId(f"conformance/{pool}"),
            task_id=TaskId(f"task-{number:026d}"),
            attempt_id=AttemptId(f"att-{number:026d}"),
            fence=1,
            request=TaskRequest(**request),
            kept=kept,
        )

    def start(self, number: int = 1, **request) -> StartOrder:
        order = self.order(number, **request)
        self.adapter.start(order)
        self.gives_up_s = time.monotonic() + self.wait_s
        self.seen = []
        return order

    def until(self, done) -> None:
        while not done():
            self.seen += self.adapter.poll()
            assert self.pass_time(), f"waited in vain: {self.seen}\n{self.cluster.told(self.namespace)}"

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
