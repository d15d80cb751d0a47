"""How a task's traffic is routed: its SR policies step by step, and what probes last measured of them."""

from suanwang.model.base import Value
from suanwang.model.ids import PlanId, TaskId
from suanwang.model.sr import Segment


class RouteStep(Value):
    """A segment and the directed links that a packet takes because of it; none for a protection function."""

    segment: Segment
    links: tuple[str, ...] = ()


class RouteWay(Value):
    """A candidate path (RFC 9256, 2.2) with its one segment list. The standby takes over by itself where the first link
    of the planned one fails; nothing is held on it."""

    preference: int
    standby: bool
    steps: tuple[RouteStep, ...]
    latency_us: int  # of its links


class RoutePolicy(Value):
    """An SR policy by its names, greatest preference first. `after`: it takes what comes out of that security pool."""

    headend: str
    color: int
    endpoint: str
    after: str = ""
    ways: tuple[RouteWay, ...]


class RouteProbe(Value):
    """One-way delay and loss over a network agent's last interval. `sids` are the segments as installed."""

    agent: str
    measured_at_us: int
    sent: int
    received: int
    mean_us: int
    p90_us: int  # what is held against the promise; the worst tenth of the packets is later
    maximum_us: int
    late: bool = False  # later than promised, beyond what a measurement errs
    sids: tuple[str, ...] = ()


class TaskRoute(Value):
    """The path of one live plan as the routers are asked to do it, or will be once the task has begun. With a protection
    chain there is a policy for each stretch, in the order of travel."""

    task_id: TaskId
    plan_id: PlanId
    live: bool  # the task has begun: the routers are asked now
    bandwidth_bps: int
    latency_us: int  # of the plan's path
    promised_us: int | None  # the task's bound
    policies: tuple[RoutePolicy, ...]
    probe: RouteProbe | None = None  # None: no network agent measures it
