"""`plan`: the tasks of a batch in their order, each on what the ones before it leave.

Pure to its caller: the same arguments give the same answers. What is kept between calls (arrays of the grid,
calendars that follow the leases, paths) is derived from the arguments, and a lock keeps two threads apart.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from threading import RLock

from suanwang.model.compact import AnyPlan, CompactHolds, CompactPlan, Holds
from suanwang.model.ids import LeaseId, SiteId
from suanwang.model.placements import Placements
from suanwang.model.plan import ClauseCount, Plan, PlanReport, Relaxation
from suanwang.model.snapshot import GridIndex, Snapshot
from suanwang.plan.alike import Alike, once_more
from suanwang.plan.ask import PlanAnswer, PlanAsk, PlanIds
from suanwang.plan.company import alone, in_company
from suanwang.plan.decide import Decision, decide
from suanwang.plan.layout import build_layout
from suanwang.plan.ledger import Ledger
from suanwang.plan.need import Need, need_of
from suanwang.plan.relax import relaxations
from suanwang.plan.report import build_report, clause_counts
from suanwang.plan.round import Round
from suanwang.plan.scene import Memory, Scene, empty_scene, scene_of
from suanwang.plan.standby import build_with_second, decided, with_second
from suanwang.plan.sweep import Sweep

# A process works on one grid, or a few in tests and in the twin; each costs some ten megabytes.
MEMORIES_MAX = 4
_lock = RLock()
_memories: dict[int, Memory] = {}


def plan(snapshot: Snapshot, tasks: Sequence[PlanAsk], now_us: int, seed: int, ids: PlanIds) -> list[PlanAnswer]:
    """Plan each task beside what is held and beside the plans of the tasks before it.

    `seed` is part of the signature for planners that break ties or search at random; this one has a total order and
    needs none. Ids are made only for plans, one plan id and one lease id each, in order.
    """
    with _lock:
        memory = _memory(snapshot.index)
        memory.ledger.follow(snapshot)
        batch = Batch(scene_of(memory, snapshot), snapshot, now_us, ids)
        for ask in tasks:
            batch.one(ask)
        memory.ledger.pop_all()
    return batch.answers


class Batch:
    """The answers so far, and what the plans among them hold."""

    def __init__(self, scene: Scene, snapshot: Snapshot, now_us: int, ids: PlanIds) -> None:
        self.scene, self.snapshot, self.now_us, self.ids = scene, snapshot, now_us, ids
        self.answers: list[PlanAnswer] = []
        self._before: list[Holds] = []
        self._alike, self._company = Alike(scene.ledger), Placements()
        self._come: list[tuple[PlanAsk, SiteId]] = []  # who is not in `_company` yet
        self._wary = False  # whether one of them keeps apart from others

    def one(self, ask: PlanAsk) -> Plan | None:
        """Decide one task on what those before it leave."""
        try:
            need = need_of(ask, self.snapshot.index, self.now_us)
            need = in_company(need, ask, (self.snapshot.placements, self._company_for(ask)))
            decision, made = _decided(self.scene, ask, need, self._alike, self.ids)
        except Exception as error:  # a fault of the planner's own on one task shall not stop the others
            self.answers.append(PlanAnswer(ask.task_id, None, _Broken(error), fault=error))
            return None
        why = _Why(self.snapshot, ask, decision, self._before, len(self._before))
        self.answers.append(PlanAnswer(ask.task_id, made, why))
        if made is not None:
            self.scene.ledger.push(made.holds)
            self._note(ask, made)
        return made

    def placed(self, asks: Sequence[PlanAsk], answers: Sequence[PlanAnswer]) -> None:
        """Tasks that the sweep has placed; the ledger holds what they hold already."""
        self.answers += answers
        compact: list[CompactHolds] = []
        for ask, answer in zip(asks, answers, strict=True):
            assert isinstance(answer.plan, CompactPlan), "the sweep gives compact plans"
            compact.append(answer.plan.holds)
            self._note(ask, answer.plan)
        self.scene.ledger.pushed(compact)

    def _note(self, ask: PlanAsk, made: AnyPlan) -> None:
        self._before.append(made.holds)
        self._come.append((ask, made.site))
        self._wary = self._wary or bool(ask.request.apart_from)

    def _company_for(self, ask: PlanAsk) -> Placements:
        """Who of this batch stands where, as far as that can matter to a task: for most it cannot."""
        if self._wary or ask.request.apart_from or ask.request.together_with:
            for one, site in self._come:
                self._company.place(one.task_id, one.tenant, site, one.request)
            self._come = []
        return self._company


def plan_batch(snapshot: Snapshot, tasks: Sequence[PlanAsk], now_us: int, seed: int, ids: PlanIds) -> list[PlanAnswer]:
    """The same answers as `plan`, for batches of thousands: plans of plain tasks are compact (`sweep`).

    A fault of the sweep's own costs its speed and no more: the batch is then planned task by task.
    """
    try:
        return _swept(snapshot, tasks, now_us, ids)
    except Exception:
        with _lock:
            _memories.pop(id(snapshot.index), None)  # its calendars may hold what no plan holds
        return plan(snapshot, tasks, now_us, seed, ids)


def _swept(snapshot: Snapshot, tasks: Sequence[PlanAsk], now_us: int, ids: PlanIds) -> list[PlanAnswer]:
    with _lock:
        memory = _memory(snapshot.index)
        memory.ledger.follow(snapshot)
        scene = scene_of(memory, snapshot)
        batch = Batch(scene, snapshot, now_us, ids)
        run = Sweep(memory, scene, snapshot, tasks, now_us)
        at = 0
        while at < len(tasks):
            until = run.run(at)
            if until > at:
                batch.placed(tasks[at:until], run.answers(at, until, ids))
            at = until
            if at < len(tasks):
                made = batch.one(tasks[at])
                if made is not None:
                    run.took(made.holds)
                at += 1
        memory.ledger.pop_all()
    return batch.answers


def round_before(snapshot: Snapshot, asks: Sequence[PlanAsk], now_us: int) -> Round:
    """A round that is about to be planned on a snapshot, to be looked at later: without its plans."""
    with _lock:
        memory = _memory(snapshot.index)
        memory.ledger.follow(snapshot)
        held = memory.ledger.pools.held_at(now_us)
    return Round(
        snapshot.index,
        dict(snapshot.sites),
        snapshot.links_down,
        snapshot.security_down,
        held,
        tuple(asks),
        (),
        now_us,
    )


@contextmanager
def scene_without(snapshot: Snapshot, lease_id: LeaseId, rest: Holds) -> Iterator[Scene]:
    """The scene of a snapshot on which one lease holds no more than `rest`."""
    with _lock:
        memory = _memory(snapshot.index)
        memory.ledger.follow(snapshot)
        whole = snapshot.leases[lease_id]
        try:
            memory.ledger.change(whole, add=False)
            memory.ledger.change(rest, add=True)
            yield scene_of(memory, snapshot)
            memory.ledger.change(rest, add=False)
            memory.ledger.change(whole, add=True)
        except BaseException:
            _memories.pop(id(snapshot.index), None)  # who knows what is on it
            raise


def _decided(scene: Scene, ask: PlanAsk, need: Need, alike: Alike, ids: PlanIds) -> tuple[Decision, Plan | None]:
    found = alike.find(need)
    if found is not None:
        return found[0], None if found[1] is None else once_more(found[1], ask, ids)
    decision, second = (decide(scene, need), None) if need.standby is None else with_second(scene, need)
    made = build_with_second(scene, ask, decision, second, ids) if decision.order else None
    decision.best.starts.clear()  # the reasons do not need them, and a batch would keep them all
    alike.note(need, decision, made)
    return decision, made


def _memory(index: GridIndex) -> Memory:
    found = _memories.pop(id(index), None)
    if found is None or found.layout.index is not index:
        layout = build_layout(index)
        found = Memory(layout, Ledger(layout))
    while len(_memories) >= MEMORIES_MAX:
        del _memories[next(iter(_memories))]
    _memories[id(index)] = found
    return found


@dataclass(frozen=True)
class _Broken:
    """The planner broke: whoever asks why gets what it broke on."""

    error: Exception

    def report(self, relax: bool) -> PlanReport:
        raise self.error

    def clauses(self) -> tuple[ClauseCount, ...]:
        raise self.error

    def relaxations(self) -> tuple[Relaxation, ...]:
        raise self.error

    def ever(self) -> bool:
        raise self.error


@dataclass(frozen=True)
class _Why:
    """The view that an answer was made on: the snapshot, with the holds of the first `count` plans of the batch."""

    snapshot: Snapshot
    ask: PlanAsk
    decision: Decision
    before: list[Holds]
    count: int

    def report(self, relax: bool) -> PlanReport:
        with _lock:
            memory = _memory(self.snapshot.index)
            waits = not self.decision.order and self.ever()
            found = self.relaxations() if relax else ()
            return build_report(self.ask.task_id, memory.layout, self.decision, waits, found)

    def relaxations(self) -> tuple[Relaxation, ...]:
        if self.decision.order:
            return ()
        with _lock:
            memory, waits = _memory(self.snapshot.index), self.ever()
            need = self.decision.need if waits else alone(self.decision.need)
            return relaxations(self._scene(memory, waits), need)

    def clauses(self) -> tuple[ClauseCount, ...]:
        with _lock:
            return clause_counts(_memory(self.snapshot.index).layout, self.decision.verdicts())

    def ever(self) -> bool:
        with _lock:
            memory = _memory(self.snapshot.index)
            need, scene = alone(self.decision.need), empty_scene(scene_of(memory, self.snapshot))
            return bool((decide(scene, need) if need.standby is None else decided(scene, need)).order)

    def _scene(self, memory: Memory, waits: bool) -> Scene:
        """What can be changed is judged on the view itself; where the task could never fit, on the empty grid."""
        if not waits:
            return empty_scene(scene_of(memory, self.snapshot))
        memory.ledger.follow(self.snapshot)
        for holds in self.before[: self.count]:
            memory.ledger.push(holds)
        return scene_of(memory, self.snapshot)
