"""What is scarce, where, and worth how much: the answer of GET /v1/scarcity. Derived, never stored."""

from dataclasses import dataclass
from enum import StrEnum

from suanwang.model.base import Value
from suanwang.model.ids import SiteId


class ScarceResource(StrEnum):
    """What is scarce; its price is of the unit named here, its amounts are in the unit of the model."""

    CORE = "core"  # a core; amounts in cores
    MEMORY = "memory"  # a GiB; amounts in bytes
    CARD = "card"  # a whole card; amounts in cards
    NODE = "node"  # a whole node of an hpc or a quantum pool; amounts in nodes
    LINK = "link"  # a Gbit/s in one direction; amounts in bit/s
    SECURITY = "security"  # a Gbit/s of a security pool; amounts in bit/s


class ScarcityState(StrEnum):
    """Why there are rows, or why there are none."""

    OFF = "off"  # switched off by the setting
    NOT_YET = "not_yet"  # nothing was computed since the start
    IDLE = "idle"  # no task waits and none came lately
    NOWHERE = "nowhere"  # no task asked for has any place even on the empty grid
    UNPRICED = "unpriced"  # what they ask for costs nothing, so nothing can be said of its worth
    LATE = "late"  # the solver's time ran out before it had prices
    ENOUGH = "enough"  # everything asked for fits into what is free: a unit more would save nothing
    SCARCE = "scarce"


class ScarceRow(Value):
    """One resource with a price. `id`: the pool, the security pool, or `<link>:ab` and `<link>:ba`."""

    resource: ScarceResource
    id: str
    site: SiteId  # of a link: where this direction sets out
    to: SiteId | None = None  # of a link: where it ends
    model: str | None = None  # of a card
    free: int
    whole: int
    micro_yuan: int  # what one unit more would save, for as long as one task holds it
    whole_micro_yuan: int  # the same of all of it, held or free: the rows go by this


class RoundGap(Value):
    """How far a round of planning was from the best, at most: its tasks cannot have cost less than the bound.

    Looked at are tasks (some hundreds at most) of which price alone decides where they run and that may start at once.
    One of them that was not placed at once costs twice the median price of its places, here and in the bound.
    """

    made_us: int  # when the round was planned
    age_us: int = 0  # when it was read
    tasks: int  # in the round
    looked_at: int
    placed: int  # of those looked at
    cost_micro_yuan: int
    bound_micro_yuan: int
    gap_ppm: int  # the part of the cost that could have been saved, at most, in millionths, rounded up
    prices_made_us: int | None = None  # None: the bound needs no prices, each task is at its cheapest
    prices_age_us: int = 0  # when the round was planned
    rounds: int = 0  # planned since the start
    proven: int = 0  # of those, the rounds of which a gap was worked out


class Scarcity(Value):
    """Dual prices of the linear program that places all tasks asked for into what is free at `made_us`.

    Prices are per task-hold: a unit for as long as a task holds it, on average `hold_us`. Refusing a task counts as
    twice the median price of its places.
    """

    state: ScarcityState
    made_us: int = 0
    age_us: int = 0  # when it was read
    every_s: int = 0  # how often it is made anew while something waits or comes
    waiting: int = 0  # tasks that wait
    came: int = 0  # tasks that came lately and have a plan: as many are expected again
    unread: int = 0  # tasks beyond those above that were too many, or of too many kinds, to be counted in
    placed: int = 0  # of both, the tasks that the program finds room for
    hold_us: int = 0
    classes: int = 0  # rows of tasks with the same need
    candidates: int = 0
    columns: int = 0  # candidates that the program had to look at
    resources: int = 0
    value_micro_yuan: int = 0  # of the program's fractional solution
    bound_micro_yuan: int = 0  # no decision can cost less than this, proven in integers
    rows: tuple[ScarceRow, ...] = ()
    gap: RoundGap | None = None  # of the last round of planning that was looked at; None: none yet


@dataclass
class Improved:
    """What the background optimiser has brought since the start."""

    plans: int = 0  # made again, better or to make room
    placed: int = 0  # waiting tasks that got a plan
    saved_micro_yuan: int = 0
    sooner_us: int = 0
    outdated: int = 0  # proposals that did not hold on the live state
