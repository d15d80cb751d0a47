"""What is seen of the path of a running task: that it is cut, or no longer what was promised."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from suanwang.model.base import Value
from suanwang.model.ids import LinkId, PlanId, SecurityPoolId, TaskId

Micros = Annotated[int, Field(ge=0, lt=2**62)]


class PathFault(StrEnum):
    """How a path fails its task."""

    CUT = "cut"  # a link or a security pool of it was taken out of the grid
    DELAY = "delay"  # slower than promised
    LOSS = "loss"  # it loses packets
    DOWN = "down"  # nothing arrives, though every link counts as up


class PathObservation(Value):
    """What was measured and what was promised, one way from the task's origin to its place, in microseconds.

    `avoid` and `avoid_pools`: the links and security pools that are suspected, which a new path must not use; none of
    either: all links of the path.
    """

    kind: PathFault
    measured_us: Micros = 0  # 0: not measured
    promised_us: Micros = 0
    lost_permille: Annotated[int, Field(ge=0, le=1000)] = 0
    avoid: Annotated[tuple[LinkId, ...], Field(max_length=1_000)] = ()
    avoid_pools: Annotated[tuple[SecurityPoolId, ...], Field(max_length=1_000)] = ()
    observed_at_us: Micros


class PathReport(Value):
    """The network's word that the path of a plan is out of its promise. The fields are those of `PathObservation`."""

    task_id: TaskId
    plan_id: PlanId
    kind: Literal[PathFault.DELAY, PathFault.LOSS, PathFault.DOWN]
    measured_us: Micros = 0
    promised_us: Micros = 0
    lost_permille: Annotated[int, Field(ge=0, le=1000)] = 0
    avoid: Annotated[tuple[LinkId, ...], Field(max_length=1_000)] = ()
    avoid_pools: Annotated[tuple[SecurityPoolId, ...], Field(max_length=1_000)] = ()
    observed_at_us: Micros

    def observation(self) -> PathObservation:
        """What was seen, without whose path it is."""
        return PathObservation(
            kind=self.kind,
            measured_us=self.measured_us,
            promised_us=self.promised_us,
            lost_permille=self.lost_permille,
            avoid=self.avoid,
            avoid_pools=self.avoid_pools,
            observed_at_us=self.observed_at_us,
        )


class PathOutcome(StrEnum):
    """What became of a report."""

    IGNORED = "ignored"  # the plan is no longer the task's, or it does not run
    REPAIRED = "repaired"  # it has a new path
    FELL_OVER = "fell_over"  # it was taken from its place: it goes on at its standby place, or waits for another
    BROKEN = "broken"  # there is no better path; it is looked for again when links or room come back
