"""A task's policies step by step: which links each segment stands for. Pure."""

from collections.abc import Mapping, Sequence

from suanwang.model.ids import LinkId
from suanwang.model.route import RoutePolicy, RouteStep, RouteWay
from suanwang.model.sr import service
from suanwang.model.wanted import Steered
from suanwang.net.policy.of_flows import PREFERENCE_PLANNED, PREFERENCE_STANDBY, Stretch, pinned, stretches
from suanwang.net.policy.walk import Walker


def route_policies(walker: Walker, steered: Steered, latency_us: Mapping[LinkId, int]) -> tuple[RoutePolicy, ...]:
    """The policies of a flow in the order of travel. `latency_us` is of each link of the grid."""
    flow = steered.flow
    parts = tuple(stretches(flow))
    spare = flow.standby if len(parts) == 1 and not flow.pools else ()
    found = []
    for part, (headend, color, endpoint) in zip(parts, steered.policies, strict=True):
        ways = [_way(walker, part, part.links, latency_us, standby=False)]
        if spare:
            ways.append(_way(walker, part, spare, latency_us, standby=True))
        policy = RoutePolicy(headend=headend, color=color, endpoint=endpoint, after=part.after, ways=tuple(ways))
        found.append(policy)
    return tuple(found)


def _way(
    walker: Walker, part: Stretch, links: Sequence[str], latency_us: Mapping[LinkId, int], *, standby: bool
) -> RouteWay:
    steps = [RouteStep(segment=segment, links=taken) for segment, taken in pinned(walker, links)]
    if part.into:
        steps.append(RouteStep(segment=service(part.into)))
    return RouteWay(
        preference=PREFERENCE_STANDBY if standby else PREFERENCE_PLANNED,
        standby=standby,
        steps=tuple(steps),
        latency_us=sum(latency_us[LinkId(one.rpartition(":")[0])] for one in links),
    )
