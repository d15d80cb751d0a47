"""Whether paths keep what their plans promise, by what network agents measured. A fold of reports; pure.

A path that loses packets while a security pool on it is full is told with that pool, and not with its links: the pool is
what it has to leave.

A task whose paths are bad one after the other is not sent to and fro between them: what was suspected lately stays
suspected, and the pause before its path is told again doubles. `docs/guide/path-repair.md` says what that means to users.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeVar

from suanwang.model.ids import LinkId, PlanId, SecurityPoolId, SiteId, TaskId
from suanwang.model.path_report import PathFault, PathReport
from suanwang.model.wanted import NetworkReport, ProbedPath, TaskFlow

T = TypeVar("T")

# One bad second is a burst, or a path that is just being changed; two on end are a path that is bad.
ROUNDS: Final = 2
LOST_PERMILLE: Final = 200  # of the few packets of one round
# Of a pool's capacity. What its use is measured over is longer than its queue, so one that drops is seldom at all of it;
# then any packet lost counts, since it says where it was lost.
FULL_PERMILLE: Final = 950
# Before the path of one task is told again. The first is what a new path takes to be laid and measured; at the longest a
# task whose every path looks bad (the loss is at its own host) costs a search in a quarter of an hour.
PAUSE_US: Final = 5_000_000
PAUSE_US_MAX: Final = 900_000_000
# What was suspected stays so for this long, and for two pauses where those are longer: else the second of two bad paths
# would be left for the first. A task of which nothing was told for as long begins anew.
SUSPECT_US: Final = 600_000_000
SUSPECTS_MAX: Final = 1_000  # of one report (`PathReport`)
_WORSE: Final = (PathFault.DELAY, PathFault.LOSS, PathFault.DOWN)


@dataclass
class _Past:
    """What was measured and told of one task at one site. `told_us`: when it was told last; 0: never."""

    site: SiteId
    plan_id: PlanId
    bad: int = 0  # rounds on end
    told_us: int = 0
    pause_us: int = 0
    worst: int = -1  # that was told, of `_WORSE`
    links: dict[LinkId, int] = field(default_factory=dict)  # when each was suspected last
    pools: dict[SecurityPoolId, int] = field(default_factory=dict)

    def count(self, plan_id: PlanId, bad: bool) -> bool:
        """Count one round; whether the path was bad in enough rounds on end."""
        before = self.bad if plan_id == self.plan_id else 0
        self.plan_id, self.bad = plan_id, before + 1 if bad else 0
        return self.bad >= ROUNDS

    def is_due(self, kind: PathFault, at_us: int) -> bool:
        """Whether it may be told: its pause is over, or it has become worse than anything told. A clock that was put back
        begins anew."""
        return not 0 <= at_us - self.told_us < self.pause_us or _WORSE.index(kind) > self.worst

    def tell(self, kind: PathFault, links: Iterable[LinkId], pools: Iterable[SecurityPoolId], at_us: int) -> None:
        keep_us = self.keep_us
        if not 0 <= at_us - self.told_us < keep_us:
            self.pause_us, self.worst = 0, -1
        self.links = _lately(self.links, at_us, keep_us) | dict.fromkeys(links, at_us)
        self.pools = _lately(self.pools, at_us, keep_us) | dict.fromkeys(pools, at_us)
        self.pause_us = min(2 * self.pause_us or PAUSE_US, PAUSE_US_MAX)
        self.told_us, self.worst, self.bad = at_us, max(self.worst, _WORSE.index(kind)), 0

    @property
    def keep_us(self) -> int:
        return max(SUSPECT_US, 2 * self.pause_us)


@dataclass
class Promises:
    """How often on end each plan's path was bad, and what was told of it."""

    _past: dict[TaskId, _Past] = field(default_factory=dict)

    def judge(
        self, report: NetworkReport, flows: Mapping[TaskId, TaskFlow], capacity_bps: Mapping[SecurityPoolId, int]
    ) -> list[PathReport]:
        """The paths that are out of their promise with this report, each with all that is suspected. One that was told is
        told again for as long as it is bad, after a pause that doubles. `capacity_bps` is of the grid's security pools."""
        out = []
        full, at_us = full_pools(report, capacity_bps), report.measured_at_us
        for seen in report.paths:
            flow, past = flows.get(seen.task_id), self._past.get(seen.task_id)
            if flow is None or flow.plan_id != seen.plan_id or not seen.sent:
                if past is not None:
                    past.bad = 0
                continue
            crowded = tuple(dict.fromkeys(one.security_pool for one in flow.pools if one.security_pool in full))
            kind = _fault(seen, flow, bool(crowded))
            if past is None or past.site != flow.site:  # at another place it begins anew
                past = self._past[seen.task_id] = _Past(flow.site, seen.plan_id)
            if past.count(seen.plan_id, kind is not None) and kind is not None and past.is_due(kind, at_us):
                pools = crowded if seen.received < seen.sent else ()
                past.tell(kind, () if pools else (LinkId(one.rpartition(":")[0]) for one in flow.links), pools, at_us)
                out.append(_report(kind, seen, flow, past))
        self._past = {task: past for task, past in self._past.items() if task in flows and (past.bad or past.told_us)}
        return out


def full_pools(report: NetworkReport, capacity_bps: Mapping[SecurityPoolId, int]) -> frozenset[SecurityPoolId]:
    """The security pools that work and have next to nothing left."""
    return frozenset(
        one.security_pool
        for one in report.functions
        if one.alive
        and one.security_pool in capacity_bps
        and one.bandwidth_bps * 1000 >= FULL_PERMILLE * capacity_bps[one.security_pool]
    )


def _fault(seen: ProbedPath, flow: TaskFlow, crowded: bool) -> PathFault | None:
    if not seen.received:
        return PathFault.DOWN
    if crowded and seen.received < seen.sent:
        return PathFault.LOSS
    if (seen.sent - seen.received) * 1000 >= LOST_PERMILLE * seen.sent:
        return PathFault.LOSS
    return PathFault.DELAY if seen.is_late(flow) else None


def _lately(when_us: Mapping[T, int], now_us: int, keep_us: int) -> dict[T, int]:
    return {one: at_us for one, at_us in when_us.items() if 0 <= now_us - at_us < keep_us}


def _newest(when_us: Mapping[T, int]) -> tuple[T, ...]:
    return tuple(sorted(when_us, key=lambda one: -when_us[one])[:SUSPECTS_MAX])


def _report(kind: PathFault, seen: ProbedPath, flow: TaskFlow, past: _Past) -> PathReport:
    lost = max(0, seen.sent - seen.received) * 1000 // seen.sent
    return PathReport.model_validate(
        {
            "task_id": seen.task_id,
            "plan_id": seen.plan_id,
            "kind": kind,
            "measured_us": seen.judged_us,
            "promised_us": flow.promise_us or 0,
            "lost_permille": min(1000, lost),
            "avoid": _newest(past.links),
            "avoid_pools": _newest(past.pools),
            "observed_at_us": past.told_us,
        }
    )
