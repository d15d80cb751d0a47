"""A brain process and an agent process for the kill tests: real store, real journal, real time, fake work.

They talk over a local socket. Each may be armed with a failpoint; whoever dies is started again by the test.
"""

import io
import json
import sys
import threading
from collections.abc import Callable
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path

from suanwang import failpoints
from suanwang.agent.adapters.fake import FakeAdapter, FakeSettings
from suanwang.agent.adapters.local import LocalAdapter, LocalSettings
from suanwang.agent.agent import Agent
from suanwang.agent.journal import Journal
from suanwang.agent.objects import LocalObjects
from suanwang.agent.rules import TransferRules
from suanwang.compose import submit_workflow, workflow_before
from suanwang.flow import Road
from suanwang.grids import random_grid
from suanwang.intent.workflow import read_workflow
from suanwang.model.error import UnreachableError
from suanwang.model.event import Heartbeat, Orders
from suanwang.model.grid import Tenant
from suanwang.model.ids import AgentId, TenantId, WorkflowId
from suanwang.model.principal import Submission
from suanwang.model.record import ENDS, Phase, TenantSet
from suanwang.model.snapshot import index_grid
from suanwang.model.task import Input, Output, Resources, TaskRequest
from suanwang.model.units import MIB, US_PER_S
from suanwang.observe.state import State
from suanwang.runtime.clock import monotonic_us, now_us, pause
from suanwang.runtime.ids import RealIds
from suanwang.store import Store

TENANT = TenantId("kill")
GRID = random_grid(4, seed=5)
HEARD = threading.Event()  # this brain has heard of its agent
TARGET = "file:///kill/out"

# name              outcome           retries  targets  cancelled   how it must end
WORK = [
    ("plain",       "ok",             0,       False,   False,      Phase.SUCCEEDED),
    ("again",       "exit:1,ok",      2,       False,   False,      Phase.SUCCEEDED),
    ("lost",        "lost,ok",        0,       False,   False,      Phase.SUCCEEDED),
    ("wrong",       "exit:3",         1,       False,   False,      Phase.FAILED),
    ("delivered",   "ok",             1,       True,    False,      Phase.SUCCEEDED),
    ("cancelled",   "hang",           0,       False,   True,       Phase.CANCELLED),
    ("plain two",   "ok",             0,       False,   False,      Phase.SUCCEEDED),
    ("make",        "ok",             0,       False,   False,      Phase.SUCCEEDED),  # these two are a workflow
    ("take",        "ok",             0,       False,   False,      Phase.SUCCEEDED),
]  # fmt: skip


FLOW = ("make", "take")
LOCAL_WORK = [
    ("copied",      "ok",             1,       False,   False,      Phase.SUCCEEDED),
    ("delivered",   "ok",             1,       True,    False,      Phase.SUCCEEDED),
]  # fmt: skip


def work_of(folder: Path) -> list[tuple[str, str, int, bool, bool, Phase]]:
    """The tasks of this test: real ones where it asks for the sandbox."""
    return LOCAL_WORK if (folder / "local").exists() else WORK


def local_request(folder: Path, name: str, targets: bool) -> TaskRequest:
    """A real command on a real input."""
    stored = LocalObjects(folder / "objects").put(io.BytesIO(b"content"))
    target = (folder / "delivered").as_uri() if targets else None
    return TaskRequest(
        name=name,
        run="cat in.txt > out.txt",
        resources=Resources(wall_time=30 * US_PER_S, memory=64 * MIB, disk=64 * MIB),
        inputs=(Input(source=f"object:{stored.blake3}", path="in.txt", size=stored.size_bytes),),
        outputs=(Output(path="out.txt", target=target),),
    )


def request_of(name: str, outcome: str, retries: int, targets: bool) -> TaskRequest:
    return TaskRequest(
        name=name,
        run="true",
        retries=retries,
        resources=Resources(wall_time=30 * US_PER_S if outcome == "hang" else 2 * US_PER_S),
        outputs=(Output(path="out", target=TARGET if targets else None),),
        tags={"fake.duration-us": "100000", "fake.outcome": outcome},
    )


def open_road(folder: Path) -> tuple[Road, Store]:
    store = Store(f"sqlite:///{folder / 'store.db'}")
    state = State(index_grid(GRID))
    for _, records in store.read():
        state.apply_all(records)
    road = Road(state, store, now_us, RealIds(now_us), heartbeat_lost_us=2 * US_PER_S)
    if TENANT not in state.tenants:
        road.emit(TenantSet(at_us=now_us(), tenant=Tenant(id=TENANT, name="Kill")))
        road.commit()
    for agent in set(state.agent_of.values()):
        road.heard_us[agent] = now_us()
    return road, store


def submit_all(folder: Path, road: Road) -> None:
    """Hand every task in under its idempotency key, as a client does that does not know what got through."""
    for name, outcome, retries, targets, cancelled, _ in work_of(folder):
        if name in FLOW:
            continue
        local = (folder / "local").exists()
        request = local_request(folder, name, targets) if local else request_of(name, outcome, retries, targets)
        offer = Submission(request=request, idempotency_key=name)
        made = road.submit(TENANT, "kill", [offer], [road.ids.task_id()])[0]
        if cancelled and road.state.tasks[made.task_id].phase not in ENDS:
            road.cancel(made.task_id, "kill")


def submit_flow(road: Road) -> None:
    """What `make` leaves is an input of `take`; both or none are taken in."""
    tags = "tags: {fake.duration-us: '100000'}, resources: {wall_time: 2 s}"
    make, take = "outputs: [{path: out}]", "inputs: [{source: 'task:make/out', path: in}], outputs: [{path: out}]"
    workflow = read_workflow(
        f"workflow: w\ntasks: {{make: {{run: x, {make}, {tags}}}, take: {{run: x, {take}, {tags}}}}}"
    )
    if workflow_before(road, TENANT, "flow", workflow) is None:
        ids = road.ids.task_id(), road.ids.task_id()
        refused = submit_workflow(road, (TENANT, "kill"), workflow, (WorkflowId("flow"), ids), {}, "flow")
        assert not refused, refused


def brain_main(folder: Path, failpoint: str | None) -> None:
    """Serve until every task has ended and nothing is held; then leave `done` behind."""
    if failpoint:
        failpoints.arm(failpoint)
    road, store = open_road(folder)
    lock = threading.Lock()
    (folder / "bus").unlink(missing_ok=True)
    with Listener(str(folder / "bus"), "AF_UNIX") as listener:
        threading.Thread(target=_accept, args=(listener, road, lock), daemon=True).start()
        with lock:
            submit_all(folder, road)
            if not (folder / "local").exists():
                submit_flow(road)
        while not (folder / "stop").exists():
            with lock:
                road.plan_round()
                road.dispatch_round()
                road.tick()
                if not road.state.live and not road.state.leases:
                    (folder / "done").touch()
            if HEARD.is_set():
                (folder / "heard").touch()
            pause(0.02)
    store.close()


def _accept(listener: Listener, road: Road, lock: threading.Lock) -> None:
    while True:
        threading.Thread(target=_serve, args=(listener.accept(), road, lock), daemon=True).start()


def _serve(connection: Connection, road: Road, lock: threading.Lock) -> None:
    while True:
        try:
            heartbeat = Heartbeat.model_validate_json(connection.recv_bytes())
            with lock:
                orders = road.exchange(heartbeat)
            HEARD.set()
            connection.send_bytes(orders.model_dump_json().encode())
        except (EOFError, OSError):
            return


def agent_main(folder: Path, failpoint: str | None) -> None:
    """Work for every site until the test says stop."""
    if failpoint:
        failpoints.arm(failpoint)
    adapter = local_adapter(folder) if (folder / "local").exists() else FakeAdapter(now_us, 7, FakeSettings())
    sites = [site.id for site in GRID.sites]
    agent = Agent(AgentId("hands"), sites, adapter, Journal(folder / "journal.db"), now_us)
    send: Callable[[Heartbeat], Orders] | None = None
    while not (folder / "stop").exists():
        try:
            send = send or dial(folder)
            agent.exchange(send)
        except UnreachableError:
            send = None
        pause(0.02)
    agent.close()


def local_adapter(folder: Path) -> LocalAdapter:
    settings = LocalSettings(folder=folder / "work")
    rules = TransferRules(file_roots=(folder / "delivered",))
    return LocalAdapter(settings, LocalObjects(folder / "objects"), now_us, monotonic_us, lambda _: None, rules)


def dial(folder: Path) -> Callable[[Heartbeat], Orders]:
    try:
        connection = Client(str(folder / "bus"), "AF_UNIX")
    except OSError as error:
        raise UnreachableError(address="bus") from error

    def send(heartbeat: Heartbeat) -> Orders:
        try:
            connection.send_bytes(heartbeat.model_dump_json().encode())
            return Orders.model_validate_json(connection.recv_bytes())
        except (EOFError, OSError) as error:
            raise UnreachableError(address="bus") from error

    return send


def summary(folder: Path) -> dict[str, object]:
    """What the store says at the end, read afresh."""
    with Store(f"sqlite:///{folder / 'store.db'}") as store:
        tasks = {row.name: row for row in store.tasks().items}
        return {
            "phases": {name: row.phase for name, row in tasks.items()},
            "tasks": len(tasks),
            "successes": {
                name: sum(one.succeeded for one in store.attempts(row.task_id)) for name, row in tasks.items()
            },
            "billed": sum(row.billed_micro_yuan for row in tasks.values()),
            "charged": sum(one.amount_micro_yuan for one in store.charges().items),
            "leases": store.leases_held(),
        }


def has_begun_warm() -> None:
    """Ends with 0 where the fork server had imported `kill_warm`, which nothing else does."""
    sys.exit("kill_warm" not in sys.modules)


def show(folder: Path) -> str:
    return json.dumps(summary(folder), default=str)
