"""The simulated world of the twin's histories: the brain, its agents, the wire between them, and faults."""

from collections import Counter
from collections.abc import Sequence
from functools import partial

from blake3 import blake3

from suanwang.model.batch import AnyRecord, expanded
from suanwang.model.error import ConflictError, UnreachableError
from suanwang.model.event import Heartbeat, Orders
from suanwang.model.grid import Grid, Tenant
from suanwang.model.ids import AgentId, TenantId
from suanwang.model.principal import Submission
from suanwang.model.record import RECORDS, AttemptClosed, ChargePosted, TenantSet
from suanwang.model.units import US_PER_S
from suanwang.observe.state import State
from suanwang.plan import Improver
from suanwang.twin.checks import BrokenPromiseError, Checker, at_the_end
from suanwang.twin.faults import Faults
from suanwang.twin.scene import Hands, Scene
from suanwang.twin.streams import stream
from suanwang.twin.workload import random_task, submission_times

START_US = 1_790_000_000 * US_PER_S  # an arbitrary day
BRAIN_STEP_US = US_PER_S
AGENT_IDLE_US = 4 * US_PER_S
OPTIMISE_STEPS = 20
HEARTBEAT_LOST_US = 15 * US_PER_S
TENANT = TenantId("twin")
# After healing, everything must end within this much virtual time: longer than any task, pause and retry together.
HEAL_US = 3_600 * US_PER_S


class TwinLog:
    """The log in memory, as bytes: what is not written down is gone after a crash, as with a real store."""

    def __init__(self) -> None:
        self.batches: list[bytes] = []
        self.digest = blake3()
        self.records = 0
        self.charges: list[tuple[str, int]] = []
        self.effects: Counter[str] = Counter()

    def append(self, batches: Sequence[AnyRecord], at_us: int, secrets: object = None) -> int:
        records = list(expanded(batches))
        batch = RECORDS.dump_json(records)
        self.batches.append(batch)
        self.digest.update(batch)
        self.records += len(records)
        for record in records:
            if isinstance(record, ChargePosted):
                self.charges.append((record.tenant, record.line.amount_micro_yuan))
            if isinstance(record, AttemptClosed) and record.succeeded:
                self.effects[record.task_id] += 1
        return len(self.batches)

    def replay(self, state: State) -> State:
        for batch in self.batches:
            state.apply_all(RECORDS.validate_json(batch))
        return state


class World(Scene[TwinLog]):
    """One history. The same (grid, seed, tasks) gives the same history on every machine."""

    def __init__(self, grid: Grid, seed: int, tasks: int, faulty: bool = True) -> None:
        super().__init__(grid, seed, START_US, TwinLog(), HEARTBEAT_LOST_US)
        self.checker = Checker()
        self.improver, self.brain_steps = Improver(self.index), 0
        self.faults = Faults(self, stream(seed, "faults")) if faulty else None
        self.wire = stream(seed, "wire")
        self.healed = not faulty
        self.brain_up = True
        self.hands = self._hands()
        self.road.emit(TenantSet(at_us=self.now_us, tenant=Tenant(id=TENANT, name="Twin")))
        self.road.commit()
        self._submissions(tasks)
        self.last_fault_us = self.now_us

    def _hands(self) -> list[Hands]:
        sites = [site.id for site in self.index.grid.sites]
        groups = [tuple(sites[first::3]) for first in range(min(3, len(sites)))]
        hands = [
            Hands(AgentId(f"agent-{number}"), group, self.seed, lambda: self.now_us)
            for number, group in enumerate(groups)
        ]
        for one in hands:
            one.boot()
        return hands

    def _submissions(self, tasks: int) -> None:
        draw, grid = stream(self.seed, "tasks"), self.index.grid
        times = submission_times(stream(self.seed, "arrivals"), tasks, len(grid.sites), self.now_us)
        for number, at_us in enumerate(times):
            request = random_task(draw, grid, at_us, number)
            submission = Submission(request=request, idempotency_key=str(number))
            self.at(at_us, partial(self._submit, submission))

    def run(self) -> State:
        """Play the history: faults with safety checks, then healing with progress checks."""
        self.at(self.now_us, self._brain_step)
        for one in self.hands:
            self.at(self.now_us, partial(self._agent_step, one))
        if self.faults is not None:
            self.faults.plan()
        heal_from_us = max((at_us for at_us, _, _ in self._heap), default=self.now_us)
        self._play(heal_from_us)
        self._heal()
        self._play(self.now_us + HEAL_US, until_ended=True)
        self._settle_down()
        at_the_end(self.road.state, self.log.effects, self.log.charges)
        return self.road.state

    def _play(self, until_us: int, until_ended: bool = False) -> None:
        while self._heap and self._heap[0][0] <= until_us:
            if until_ended and not self.road.state.live and self._quiet():
                return
            self.step()
            self.checker.after_step(self.road.state)

    def _quiet(self) -> bool:
        return all(one.agent is not None and not one.agent.live and not one.agent.unacknowledged for one in self.hands)

    def _heal(self) -> None:
        if self.faults is not None:
            self.faults.heal()
        self.healed = True

    def _settle_down(self) -> None:
        if self.road.state.live or not self._quiet():
            return  # `at_the_end` says what is left
        for one in self.hands:
            assert one.agent is not None, "healed"
            one.agent.exchange(self._send)

    # -- the actors --------------------------------------------------------------------------------------------

    def _submit(self, submission: Submission) -> None:
        if not self.brain_up or self.dropped():
            self.at(self.now_us + 2 * US_PER_S, lambda: self._submit(submission))  # a client tries again
            return
        answer = self.road.submit(TENANT, "twin", [submission], [self.ids.task_id()])
        if self.doubled():
            again = self.road.submit(TENANT, "twin", [submission], [self.ids.task_id()])
            if again[0].task_id != answer[0].task_id:
                raise BrokenPromiseError("a repeated submission made a second task")

    def _brain_step(self) -> None:
        if self.brain_up:
            self.road.plan_round()
            if self.road.plan_fault is not None:
                raise self.road.plan_fault[1]
            self.road.dispatch_round()
            self.road.tick()
            self._optimise()
        self.at(self.now_us + BRAIN_STEP_US, self._brain_step)

    def _optimise(self) -> None:
        """What the thread of the background optimiser does, every so many steps of the brain."""
        self.brain_steps += 1
        if self.brain_steps % OPTIMISE_STEPS:
            return
        view, standing = self.road.movable()
        if standing:
            for plans in self.improver.look(view, standing, lambda: self.now_us, self.ids):
                self.road.improve(plans)

    def _agent_step(self, hands: Hands) -> None:
        wake_us = self.now_us + AGENT_IDLE_US
        if hands.agent is not None:
            try:
                hands.agent.exchange(self._send)
            except (UnreachableError, ConflictError):
                wake_us = self.now_us + US_PER_S
            due_us = hands.agent.next_wake_us()
            wake_us = min(wake_us, max(self.now_us + 200_000, due_us)) if due_us is not None else wake_us
        self.at(wake_us, lambda: self._agent_step(hands))

    def _send(self, heartbeat: Heartbeat) -> Orders:
        """The wire: a message may be lost on the way there, doubled, or its answer lost on the way back."""
        if not self.brain_up or self.dropped() or (self.faults is not None and self.faults.cut(heartbeat.agent)):
            raise UnreachableError(address="twin")
        orders = self.road.exchange(heartbeat)
        if self.doubled():
            orders = self.road.exchange(heartbeat)
        if self.dropped():
            raise UnreachableError(address="twin")
        return orders

    def dropped(self) -> bool:
        return not self.healed and self.wire.random() < 0.02

    def doubled(self) -> bool:
        return not self.healed and self.wire.random() < 0.05

    def crash_brain(self) -> None:
        """Everything in memory is gone; what was committed must come back exactly."""
        before = self.road.state
        self.road = self._make_road(self.log.replay(State(self.index)))
        compare(before, self.road.state)
        for agent in set(self.road.state.agent_of.values()):
            self.road.heard_us[agent] = self.now_us


def compare(before: State, after: State) -> None:
    """Replaying the log gives the state that was there."""
    for name in (
        "version",
        "tasks",
        "leases",
        "sites",
        "links_down",
        "links_out",
        "security_down",
        "security_out",
        "cursors",
        "loads",
        "queue",
        "blocked",
        "paused",
        "following",
        "workflows",
        "workflow_keys",
        "planned",
        "broken",
        "by_attempt",
        "parting",
    ):
        if getattr(before, name) != getattr(after, name):
            raise BrokenPromiseError(f"after a replay `{name}` is not what it was")
    for tenant in before.tenants:
        for figure in range(4):
            if list(before.tally.claims(tenant, figure)) != list(after.tally.claims(tenant, figure)):
                raise BrokenPromiseError(f"after a replay what {tenant} claims is not what it was")
        if before.tally.together(tenant) != after.tally.together(tenant):
            raise BrokenPromiseError(f"after a replay what {tenant} has is not what it was")
