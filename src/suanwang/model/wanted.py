"""What live plans want of the network's routers: the SR policies, and which task's traffic takes which."""

from typing import Annotated

from pydantic import Field

from suanwang.model.base import Value
from suanwang.model.grid import ProtectionFunction
from suanwang.model.ids import LinkId, PlanId, SecurityPoolId, SiteId, TaskId
from suanwang.model.path_report import Micros
from suanwang.model.sr import SrPolicy

Figure = Annotated[int, Field(ge=0, lt=2**62)]  # that a network agent counted


class PassedPool(Value):
    """A security pool on the way; `after` is how many of the path's links lie before it."""

    function: ProtectionFunction
    security_pool: SecurityPoolId
    site: SiteId
    after: int


class TaskFlow(Value):
    """A task's traffic as its plan has it. Links are directed, `<link id>:ab` or `:ba`."""

    task_id: TaskId
    plan_id: PlanId
    origin: SiteId
    site: SiteId
    links: tuple[str, ...]
    pools: tuple[PassedPool, ...] = ()
    standby: tuple[
        str, ...
    ] = ()  # links of a way that shares no link and no risk group with `links`; nothing held there
    bandwidth_bps: int
    latency_us: int  # of the path
    promise_us: int | None = None  # the task's bound


class Steered(Value):
    """A task and its policies: one, or with a protection chain one for each stretch, in the order of travel."""

    flow: TaskFlow
    policies: tuple[tuple[str, int, str], ...]  # (headend, color, endpoint)


class PoolPlace(Value):
    """A security pool of the grid."""

    security_pool: SecurityPoolId
    function: ProtectionFunction
    site: SiteId


class WantedNetwork(Value):
    """All of it. Policies carry no steering: who knows the tasks' addresses puts it in. `digest` names the content."""

    digest: str
    position: int = 0  # of the log; not part of the digest
    grid_id: str
    links_down: tuple[LinkId, ...]
    policies: tuple[SrPolicy, ...]
    tasks: tuple[Steered, ...]
    security_pools: tuple[PoolPlace, ...] = ()  # all of the grid


class LinkUseReport(Value):
    """What left a router by one directed link, over the last interval."""

    link: str
    bandwidth_bps: Figure  # in the grid's figures: a lab's is scaled up as its links are scaled down
    packets: Figure
    dropped: Figure


class PolicyUseReport(Value):
    """Packets that a headend sent into a policy over the last interval: by its active path, by its standby, and
    those that came by its binding SID, which are counted by themselves."""

    headend: str
    color: int
    endpoint: str
    packets: Figure
    standby_packets: Figure = 0
    bound_packets: Figure = 0

    @property
    def key(self) -> tuple[str, int, str]:
        """What names the policy, as in `Steered.policies`."""
        return self.headend, self.color, self.endpoint


class FunctionUse(Value):
    """A protection function as it is: how much passes it now, and whether it works."""

    security_pool: SecurityPoolId
    bandwidth_bps: Figure
    alive: bool


def late_after_us(promise_us: int, links: int) -> int:
    """The measured delay (`ProbedPath.judged_us`) above which a path of so many links does not keep its promise: the bound
    and a tolerance, the larger of 1 % of it and of 200 us and 100 us a link. So much a measurement errs
    (`docs/decisions/0134-the-network-agent.md` has the figures)."""
    return promise_us + max(promise_us // 100, 200 + 100 * links)


class ProbedPath(Value):
    """One-way delay and loss of a task's policy, by probes."""

    task_id: TaskId
    plan_id: PlanId
    sent: Figure
    received: Figure
    mean_us: Micros
    p90_us: Micros | None = None  # the worst tenth, at least one packet, left out; None: not said
    maximum_us: Micros
    segments: tuple[str, ...] = ()  # SIDs as installed, of all its policies in the order of travel

    @property
    def judged_us(self) -> int:
        """What is held against the promise. The promise is of each packet on the slowest of equal ways, so the mean says
        too little; one packet that a busy machine was late with says nothing. The mean where nothing else is said."""
        return self.mean_us if self.p90_us is None else self.p90_us

    def is_late(self, flow: TaskFlow) -> bool:
        """Whether what arrived is later than promised, beyond what a measurement errs."""
        if flow.promise_us is None or not self.received:
            return False
        return self.judged_us > late_after_us(flow.promise_us, len(flow.links))


class NetworkReport(Value):
    """What a network agent saw. `installed` is the digest of what is on the routers; `faults` say why not where it is
    not what is wanted."""

    agent: str
    at_us: Micros
    measured_at_us: Micros = 0  # when what follows was measured, over `interval_us`; 0: not yet
    interval_us: Annotated[int, Field(ge=1, lt=2**62)]
    installed: str = ""
    faults: tuple[str, ...] = ()
    links_down: tuple[LinkId, ...] = ()  # all that are
    links_up: tuple[LinkId, ...] = ()  # that this agent has seen down, and up since
    links: tuple[LinkUseReport, ...] = ()
    policies: tuple[PolicyUseReport, ...] = ()  # of headends that were read twice
    functions: tuple[FunctionUse, ...] = ()
    paths: tuple[ProbedPath, ...] = ()


class NetworkView(Value):
    """What is wanted of the routers, and what each network agent last said of them."""

    wanted: WantedNetwork
    reports: tuple[NetworkReport, ...] = ()
