"""What a site claims against what tasks find there: small check tasks, now and then, at sites that have joined.

A check holds cores as any task does and says how much arithmetic it got; that is set against what the site said of itself when it
asked. Twice in a row too little, and the site is marked: its figures and prices come down to what it gives. Twice in a row enough,
and they are as approved again. A check that fails, or that never runs, says nothing.
"""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final

import structlog
from blake3 import blake3

from suanwang.agent.probe import Proof, command, read_proof
from suanwang.flow import Road
from suanwang.model.error import ConflictError, NotFoundError, SuanwangError
from suanwang.model.grid import PoolKind
from suanwang.model.ids import JoinId, SiteId, TaskId, TenantId
from suanwang.model.joining import JoinState, JoinView, Trust
from suanwang.model.principal import Principal, Submission
from suanwang.model.record import ENDS, GridAdopted, Phase, SiteChecked
from suanwang.model.snapshot import GridIndex
from suanwang.model.task import Resources, TaskRequest
from suanwang.model.units import MIB
from suanwang.runtime.ids import RealIds
from suanwang.runtime.rerun import Reruns
from suanwang.runtime.switches import operators_only

LOW_PERMILLE: Final = 700  # other work on the same host takes a little; less than this is another machine
GOOD_PERMILLE: Final = 850
IN_A_ROW: Final = 2
CORES_MAX: Final = 8  # of a check: enough to see whether there are as many as said
WALL_US: Final = 120 * 1_000_000
PATIENCE_US: Final = 3_600 * 1_000_000  # a check at a site that is down or full for so long is given up
LOOK_S: Final = 1.0
LOG_BYTES: Final = 64 * 1024
NAME: Final = "check of a site"

ReadLog = Callable[[TaskId], bytes]
_log = structlog.get_logger("suanwang.trust")


class TrustWatch:
    """Sends checks every `every_s` seconds to each joined site (0: only when asked), and judges what came back."""

    def __init__(
        self,
        every_s: int,
        verb: Callable[[], AbstractContextManager[Road]],
        look: Callable[[], AbstractContextManager[Road]],
        clock: Callable[[], int],
        know: Callable[[GridIndex], None],
        read_log: ReadLog,
        reruns: Reruns,
    ) -> None:
        self._every_us = every_s * 1_000_000
        self._verb, self._look, self._clock, self._know, self._read_log = verb, look, clock, know, read_log
        self._reruns = reruns
        self._ids = RealIds(clock)
        self._pending: dict[JoinId, tuple[TaskId, int]] = {}  # the task, and on how many cores it was sent
        self._sent_us: dict[JoinId, int] = {}
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._loop, name="trust", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=10)

    def _loop(self) -> None:
        while not self._stop.wait(LOOK_S):
            try:
                self.step()
                self._reruns.step()
            except SuanwangError as error:
                _log.warning("trust_waits", detail=str(error))

    def check(self, principal: Principal, site: SiteId) -> TaskId:
        """An operator wants to know now; the task that will say, which may be under way already. Raises NotFoundError for a site that has not joined, and
        ConflictError for one that has no pool of cores to look at."""
        operators_only(principal)
        with self._look() as road:
            found = [one.view for one in road.state.joins.values() if one.view.ask.site == site]
        view = next((one for one in found if one.state is JoinState.APPROVED), None)
        if view is None:
            raise NotFoundError("site_not_joined", site=site)
        task_id = self._send(view)
        if task_id is None:
            raise ConflictError("site_not_checked", site=site)
        return task_id

    def step(self) -> None:
        """Judge the checks that have ended, and send those that are due."""
        for join_id, (task_id, cores) in list(self._pending.items()):
            with self._look() as road:
                task = road.state.tasks.get(task_id)
                phase = task.phase if task is not None else Phase.FAILED
            if phase in ENDS:
                del self._pending[join_id]
                proof = read_proof(self._read_log(task_id)) if phase is Phase.SUCCEEDED else None
                if proof is not None:  # how many cores it had is what we know, not what it printed
                    self.judge(join_id, task_id, proof.model_copy(update={"cores": cores}))
        if self._every_us:
            for view in self._due():
                self._send(view)

    def _due(self) -> list[JoinView]:
        now_us = self._clock()
        with self._look() as road:
            views = [one.view for one in road.state.joins.values() if one.view.state is JoinState.APPROVED]
            sites = road.state.sites
            live = [one for one in views if one.ask.site in sites and sites[one.ask.site].live]
        return [
            one for one in live if one.join_id not in self._pending and now_us - self._last_us(one) >= self._every_us
        ]

    def _last_us(self, view: JoinView) -> int:
        return max(self._sent_us.get(view.join_id, 0), view.trust.checked_us if view.trust is not None else 0)

    def _send(self, view: JoinView) -> TaskId | None:
        pools = [one for one in view.proposed.site.pools if one.kind is PoolKind.GENERAL]
        if not pools:
            return None
        if view.join_id in self._pending:
            return self._pending[view.join_id][0]  # else the one of before would never be judged
        cores = min(CORES_MAX, *(one.cores_per_node for one in pools))
        request = TaskRequest(
            name=NAME,
            run=command(cores),
            sites=(view.proposed.site.id,),
            resources=Resources(cpu=cores, memory=256 * MIB, wall_time=WALL_US),
            deadline=self._clock() + PATIENCE_US,
        )
        task_id = self._ids.task_id()
        with self._verb() as road:
            road.submit(TenantId("local"), "trust", [Submission(request=request)], [task_id])
        self._pending[view.join_id], self._sent_us[view.join_id] = (task_id, cores), self._clock()
        return task_id

    def judge(self, join_id: JoinId, task_id: TaskId, proof: Proof) -> Trust:
        """Set what a check found against the claim, and write down what follows."""
        with self._verb() as road:
            view = road.state.joins[join_id].view
            trust = weigh(view, proof, self._clock())
            before = road.state.index
            road.emit(SiteChecked(at_us=self._clock(), join_id=join_id, task_id=task_id, trust=trust))
            if road.state.index is not before:
                grid = road.state.index.grid
                text = grid.model_dump_json()
                digest = blake3(text.encode()).hexdigest()
                road.emit(GridAdopted(at_us=self._clock(), grid_id=grid.id, digest=digest, text=text))
                self._know(road.state.index)
            road.commit()
        if trust.marked:
            _log.warning("site_gives_less", site=view.ask.site, gives_permille=trust.gives_permille)
        return trust


def weigh(view: JoinView, proof: Proof, now_us: int) -> Trust:
    """What one more check means. Where the site claimed no speed, one process of the check itself is the measure: then only whether
    there are as many cores as said is seen."""
    claim = view.ask.measured.core_loops_s or proof.core_loops_s
    gives = min(1_000, proof.all_loops_s * 1_000 // max(1, claim * proof.cores))
    last = view.trust or Trust(checks=0, checked_us=0, gives_permille=1_000)
    low = last.low
    if gives < LOW_PERMILLE:
        low = min(IN_A_ROW, low + 1)
    elif gives >= GOOD_PERMILLE:
        low = max(0, low - 1)
    marked = low >= IN_A_ROW or (last.marked and low > 0)
    price = max(1, min(gives, last.price_permille) if last.marked else gives) if marked else 1_000
    return Trust(
        checks=last.checks + 1,
        checked_us=now_us,
        gives_permille=gives,
        low=low,
        marked=marked,
        price_permille=price,
    )
