"""A random but valid history of a small grid: batches of records as a brain would write them, from a seed."""

from dataclasses import dataclass, field
from random import Random

from suanwang.model.event import Event, EventKind, OutputFile, Usage
from suanwang.model.grid import Tenant
from suanwang.model.ids import AttemptId, TaskId
from suanwang.model.path_report import PathFault, PathObservation
from suanwang.model.plan import ChargeKind, ClauseCount, Demand, DirectedLink, Hold, Line, Path, Plan, QuotedWay
from suanwang.model.reason import FailureReason, PoolReason, RefusalReason, WaitReason
from suanwang.model.record import (
    AttemptClosed,
    AttemptOpened,
    CancelRequested,
    ChargePosted,
    DeliveryOrdered,
    EventApplied,
    GridAdopted,
    KeyIssued,
    KeyRevoked,
    LeaseExtended,
    LinkChanged,
    PathBroken,
    PathRepaired,
    PathRestored,
    Phase,
    PlanCommitted,
    PlanDropped,
    Record,
    Refusal,
    SecurityPoolChanged,
    SiteChanged,
    StopRequested,
    TaskAdmitted,
    TaskEnded,
    TaskRefused,
    TaskSubmitted,
    TaskWaits,
    TenantSet,
)
from suanwang.model.task import PythonEntry, Resources, TaskRequest

SITES = ("cn-bj-hub", "cn-gz-hub", "cn-nx-zw")
TENANTS = ("alpha", "beta")
START_US = 1_790_000_000_000_000
AGENT = "agent-one"


@dataclass
class _Live:
    task_id: TaskId
    tenant: str
    steps: list[str]
    plan: Plan | None = None
    attempt_id: AttemptId | None = None
    fence: int = 0
    generation: int = 0
    outputs: tuple[OutputFile, ...] = ()


@dataclass
class History:
    """Makes batches. `batches(n)` gives about n batches of 1 to `batch_max` records; `now_us` moves on with each."""

    seed: int
    batch_max: int = 40
    now_us: int = START_US
    random: Random = field(init=False)
    made: int = 0
    sequence: int = 0
    live: list[_Live] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = Random(self.seed)

    def batches(self, count: int) -> list[tuple[int, list[Record]]]:
        """(at_us, records) of each batch."""
        batches = [(self.now_us, self.opening())]
        while len(batches) < count:
            self.now_us += self.random.randrange(1, 2_000_000)
            records: list[Record] = []
            while len(records) < self.random.randint(1, self.batch_max):
                records += self._something()
            batches.append((self.now_us, records))
        return batches

    def opening(self) -> list[Record]:
        """A grid, tenants, a key and the sites."""
        at = self.now_us
        tenants = [TenantSet(at_us=at, tenant=Tenant(id=one, name=one.title())) for one in TENANTS]
        key = KeyIssued(at_us=at, key_id=self.new_id("key"), secret_blake3="0" * 64, tenant="alpha", role="user")
        sites = [
            SiteChanged(at_us=at, site=site, agent=AGENT, live=True, emulated=True, cause="joined") for site in SITES
        ]
        return [GridAdopted(at_us=at, grid_id="small", digest="1" * 64, text='{"id":"small"}'), *tenants, key, *sites]

    def new_id(self, kind: str) -> str:
        self.made += 1
        return f"{kind}-{self.made:026d}"

    def whole_road(self, tenant: str = "alpha") -> list[Record]:
        """Every record of one task that succeeds at once: submit to end, in order."""
        records: list[Record] = list(self.submit(tenant))
        one = self.live[-1]
        one.steps = ["admit", "plan", "open", "accepted", "staging", "running", "progress", "finished", "close"]
        one.steps += ["deliver", "delivered", "succeed"]
        while one.steps:
            records += self._step(one)
        return records

    def submit(self, tenant: str) -> list[Record]:
        one = _Live(TaskId(self.new_id("task")), tenant, [])
        self.live.append(one)
        key = f"once-{self.made}" if self.random.random() < 0.3 else None
        return [
            TaskSubmitted(
                at_us=self.now_us,
                task_id=one.task_id,
                tenant=tenant,
                principal=f"{tenant}/ann",
                request=self._request(),
                idempotency_key=key,
            )
        ]

    def _request(self) -> TaskRequest:
        pick = self.random.randrange(3)
        run = ("echo hello", ("python3", "-c", "print('你好\\n')"), PythonEntry(module="job:main", arguments=("1",)))[
            pick
        ]
        tags = {"team": self.random.choice(("sky", "sea")), "run": str(self.made % 3)} if pick else {}
        name = self.random.choice(("render frame", "train 模型", "100% _done_", "odd\x00name"))
        return TaskRequest(
            name=name,
            run=run,
            tags=tags,
            resources=Resources(cpu=1 + pick, memory=2**30, wall_time=60_000_000),
            environment={"B": "2", "A": "1"},
            latency=self.random.choice((None, "metro", 7_000)),
            deadline=self.random.choice((None, self.now_us + 3_600_000_000)),
            price_limit=5_000_000,
        )

    def _something(self) -> list[Record]:
        roll = self.random.random()
        if not self.live or roll < 0.12:
            records = self.submit(self.random.choice(TENANTS))
            self._draw_steps(self.live[-1])
            return records
        if roll < 0.15:
            return [self._grid_event()]
        return self._step(self.random.choice(self.live))

    def _draw_steps(self, one: _Live) -> None:
        road = ["open", "accepted", "stale", "staging", "running", "progress", "progress", "collecting"]
        ends = {
            "refused": ["refuse"],
            "dropped": ["admit", "wait", "plan", "drop", "wait", "plan", "cancel", "drop", "cancelled"],
            "retried": [
                "admit",
                "plan",
                *road,
                "failed",
                "close_failed",
                "wait",
                "plan",
                *road,
                "finished",
                "close",
                "succeed",
            ],
            "stopped": [
                "admit",
                "plan",
                "open",
                "repair",
                *road[1:5],
                "cancel",
                "stop",
                "stale",
                "stopped",
                "close_stopped",
            ],
            "undelivered": ["admit", "plan", *road, "finished", "close", "deliver", "cancel", "cancelled"],
            "delivered": [
                "admit",
                "plan",
                *road,
                "broken",
                "restored",
                "extend",
                "repair",
                "broken",
                "repair",
                "extend",
                "finished",
                "close",
                "deliver",
                "delivery_failed",
                "deliver",
                "delivered",
                "succeed",
            ],
        }
        one.steps = list(self.random.choice(list(ends.values())))

    def _grid_event(self) -> Record:
        at, pick = self.now_us, self.random.randrange(5)
        if pick == 0:
            live = self.random.random() < 0.5
            cause = "operator_healed" if live else "heartbeat_lost"
            site = self.random.choice(SITES)
            return SiteChanged(at_us=at, site=site, agent=AGENT, live=live, emulated=True, cause=cause)
        if pick == 1:
            return self.link(up=self.random.random() < 0.5)
        if pick == 2:
            return self.security_pool(up=self.random.random() < 0.5, agent=self.random.choice((None, "net-1")))
        if pick == 3:
            return TenantSet(at_us=at, tenant=Tenant(id="beta", name="Beta", budget_micro_yuan=self.made))
        return self._event("att-" + "z" * 26, EventKind.RUNNING, effective=False)

    def revoke(self, key_id: str) -> Record:
        return KeyRevoked(at_us=self.now_us, key_id=key_id)

    def link(self, *, up: bool) -> Record:
        return LinkChanged(at_us=self.now_us, link="bj-gz", up=up, principal="op")

    def security_pool(self, *, up: bool, agent: str | None = None) -> Record:
        causes = ("operator_failed", "operator_healed") if agent is None else ("agent_dead", "agent_alive")
        return SecurityPoolChanged(
            at_us=self.now_us,
            security_pool="cn-bj-hub/firewall",
            up=up,
            cause=causes[up],
            principal="op",
            agent=agent,
        )

    def _step(self, one: _Live) -> list[Record]:
        step = one.steps.pop(0)
        records = _STEPS[step](self, one) if step in _STEPS else [self._attempt_event(one, EventKind(step))]
        if not one.steps:
            self.live.remove(one)
        return records

    def _event(
        self, attempt_id: str, kind: EventKind, *, effective: bool = True, fence: int = 1, **more: object
    ) -> Record:
        self.sequence += 1
        event = Event(
            agent=AGENT,
            sequence=self.sequence,
            site=SITES[0],
            attempt_id=attempt_id,
            fence=fence,
            at_us=self.now_us - 1_000,
            kind=kind,
            **more,
        )
        return EventApplied(at_us=self.now_us, event=event, effective=effective)

    def _attempt_event(self, one: _Live, kind: EventKind) -> Record:
        assert one.attempt_id is not None
        more: dict[str, object] = {}
        if kind is EventKind.PROGRESS:
            more["fraction_permille"] = self.random.randrange(1001)
        if kind is EventKind.FINISHED:
            one.outputs = (OutputFile(path="out/a.txt", blake3="a" * 64, size_bytes=self.made),)
            more |= {"exit_code": 0, "outputs": one.outputs, "usage": Usage(wall_us=5, memory_byte_us=2**70)}
        if kind is EventKind.FAILED:
            more |= {"reason": FailureReason.EXIT_CODE, "exit_code": 3, "detail": "line\x00two"}
        return self._event(one.attempt_id, kind, fence=one.fence, **more)

    def stale(self, one: _Live) -> list[Record]:
        assert one.attempt_id is not None
        return [self._event(one.attempt_id, EventKind.FAILED, effective=False, fence=one.fence)]

    def admit(self, one: _Live) -> list[Record]:
        return [TaskAdmitted(at_us=self.now_us, task_id=one.task_id)]

    def refuse(self, one: _Live) -> list[Record]:
        refusal = Refusal(reason=RefusalReason.BUDGET, field="price_limit", got="6 yuan", limit="5 yuan")
        return [TaskRefused(at_us=self.now_us, task_id=one.task_id, refusals=(refusal,))]

    def wait(self, one: _Live) -> list[Record]:
        clause = ClauseCount(reason=PoolReason.CAPACITY, pools=3, sites=2)
        reason = self.random.choice(list(WaitReason))
        return [TaskWaits(at_us=self.now_us, task_id=one.task_id, reason=reason, until_us=7, clauses=(clause,))]

    def plan(self, one: _Live) -> list[Record]:
        one.generation += 1
        site = self.random.choice(SITES)
        parent = one.plan.plan_id if one.plan else None
        one.plan = make_plan(self, one.task_id, site, one.generation, parent)
        return [PlanCommitted(at_us=self.now_us, plan=one.plan)]

    def drop(self, one: _Live) -> list[Record]:
        assert one.plan is not None
        return [PlanDropped(at_us=self.now_us, plan_id=one.plan.plan_id, task_id=one.task_id, reason="site_lost")]

    def open(self, one: _Live) -> list[Record]:
        assert one.plan is not None
        one.fence += 1
        one.attempt_id = AttemptId(self.new_id("att"))
        opened = AttemptOpened(
            at_us=self.now_us,
            attempt_id=one.attempt_id,
            task_id=one.task_id,
            plan_id=one.plan.plan_id,
            site=one.plan.site,
            fence=one.fence,
        )
        return [opened]

    def cancel(self, one: _Live) -> list[Record]:
        return [CancelRequested(at_us=self.now_us, task_id=one.task_id, principal="alpha/ann")]

    def stop(self, one: _Live) -> list[Record]:
        assert one.attempt_id is not None
        reason = FailureReason.CANCELLED
        return [StopRequested(at_us=self.now_us, task_id=one.task_id, attempt_id=one.attempt_id, reason=reason)]

    def deliver(self, one: _Live) -> list[Record]:
        assert one.attempt_id is not None
        site = self.random.choice(SITES)
        order = DeliveryOrdered(
            at_us=self.now_us, task_id=one.task_id, attempt_id=one.attempt_id, site=site, fence=one.fence
        )
        return [order]

    def end(self, one: _Live, phase: Phase, reason: FailureReason | None = None) -> Record:
        return TaskEnded(at_us=self.now_us, task_id=one.task_id, phase=phase, reason=reason, detail="")

    def cancelled(self, one: _Live) -> list[Record]:
        return [self.end(one, Phase.CANCELLED, FailureReason.CANCELLED)]

    def extend(self, one: _Live) -> list[Record]:
        assert one.plan is not None
        end_us, lease_id = one.plan.end_us + 7, one.plan.lease_id
        return [LeaseExtended(at_us=self.now_us, lease_id=lease_id, task_id=one.task_id, end_us=end_us)]

    def cause(self) -> PathObservation:
        kind = self.random.choice(tuple(PathFault))
        return PathObservation(
            kind=kind, promised_us=6_500, measured_us=9, avoid=("bj-gz",), observed_at_us=self.now_us
        )

    def repair(self, one: _Live) -> list[Record]:
        assert one.plan is not None
        assert one.attempt_id is not None
        old = one.plan
        one.generation += 1
        one.plan = old.model_copy(
            update={
                "plan_id": self.new_id("plan"),
                "generation": one.generation,
                "parent": old.plan_id,
                "path": Path(sites=SITES[::2], links=(DirectedLink(link="bj-nx", forward=True),), latency_us=9_000),
                "quoted": old.quoted or QuotedWay(path=old.path),
            }
        )
        repaired = PathRepaired(
            at_us=self.now_us,
            task_id=one.task_id,
            lease_id=old.lease_id,
            attempt_id=one.attempt_id,
            cause=self.cause(),
            plan=one.plan,
        )
        return [repaired]

    def broken(self, one: _Live) -> list[Record]:
        assert one.plan is not None
        told = PathBroken(at_us=self.now_us, task_id=one.task_id, plan_id=one.plan.plan_id, cause=self.cause())
        return [told]

    def restored(self, one: _Live) -> list[Record]:
        assert one.plan is not None
        return [PathRestored(at_us=self.now_us, task_id=one.task_id, plan_id=one.plan.plan_id)]

    def close(self, one: _Live) -> list[Record]:
        return self._closing(one, None)

    def succeed(self, one: _Live) -> list[Record]:
        return [self.end(one, Phase.SUCCEEDED)]

    def close_failed(self, one: _Live) -> list[Record]:
        return self._closing(one, FailureReason.EXIT_CODE)

    def close_stopped(self, one: _Live) -> list[Record]:
        return [*self._closing(one, FailureReason.CANCELLED), *self.cancelled(one)]

    def _closing(self, one: _Live, reason: FailureReason | None) -> list[Record]:
        assert one.plan is not None
        assert one.attempt_id is not None
        closed = AttemptClosed(
            at_us=self.now_us,
            attempt_id=one.attempt_id,
            task_id=one.task_id,
            lease_id=one.plan.lease_id,
            succeeded=reason is None,
            reason=reason,
            exit_code=0 if reason is None else 3,
            held_start_us=self.now_us - 9_000_000,
            held_end_us=self.now_us,
            usage=Usage(wall_us=8_000_000, core_us=7_000_000),
            outputs=one.outputs,
        )
        kinds = (ChargeKind.CORE, ChargeKind.MEMORY, ChargeKind.QUOTE_CAP)
        return [closed, *(self._charge(one, kind) for kind in kinds)]

    def _charge(self, one: _Live, kind: ChargeKind) -> Record:
        assert one.plan is not None
        amount = -self.random.randrange(50) if kind is ChargeKind.QUOTE_CAP else self.random.randrange(100, 10_000)
        quantity = 2**64 + 5 if kind is ChargeKind.MEMORY else 9_000_000
        line = Line(
            kind=kind,
            item=one.plan.pool,
            quantity=quantity,
            price_micro_yuan=100_000,
            per=3_600_000_000,
            amount_micro_yuan=amount,
        )
        return ChargePosted(
            at_us=self.now_us,
            charge_id=self.new_id("chg"),
            task_id=one.task_id,
            attempt_id=one.attempt_id,
            tenant=one.tenant,
            creditor=self.random.choice(("own", "third-party")),
            line=line,
            emulated=one.plan.emulated,
        )


_STEPS = {
    name: getattr(History, name)
    for name in (
        "admit", "refuse", "wait", "plan", "drop", "open", "cancel", "stop", "deliver", "cancelled", "close",
        "close_failed", "close_stopped", "stale", "extend", "succeed", "repair", "broken", "restored",
    )
}  # fmt: skip


def make_plan(history: History, task_id: TaskId, site: str, generation: int, parent: str | None) -> Plan:
    """A plan of the real one's shape and size."""
    now, pool = history.now_us, f"{site}/general"
    demand = Demand(cores=2, memory_bytes=2**31)
    links = (DirectedLink(link="bj-gz", forward=True), DirectedLink(link="gz-nx", forward=False))
    line = Line(
        kind=ChargeKind.CORE,
        item=pool,
        quantity=120_000_000,
        price_micro_yuan=100_000,
        per=3_600_000_000,
        amount_micro_yuan=3_333,
    )
    holds = (
        Hold(resource="pool", key=pool, demand=demand, start_us=now, end_us=now + 60_000_000),
        Hold(resource="link", key="bj-gz:ab", bps=10_000_000, start_us=now, end_us=now + 60_000_000),
    )
    return Plan(
        plan_id=history.new_id("plan"),
        task_id=task_id,
        lease_id=history.new_id("lease"),
        generation=generation,
        parent=parent,
        snapshot_version=history.made,
        site=site,
        pool=pool,
        emulated=history.random.random() < 0.5,
        demand=demand,
        start_us=now,
        run_start_us=now + 5,
        end_us=now + 60_000_000,
        path=Path(sites=SITES, links=links, latency_us=6_500),
        bandwidth_bps=10_000_000,
        holds=holds,
        quote=(line,),
        quote_micro_yuan=3_333,
        carbon_mg=history.random.randrange(10_000),
        verdicts="eJxjZGRi" * 12,
    )
