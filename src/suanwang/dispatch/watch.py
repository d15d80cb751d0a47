"""What time alone brings about. Each function looks at the state and names the tasks that a signal goes to."""

from collections.abc import Iterator, Mapping, Set

from suanwang.dispatch.lifecycle import LIVE
from suanwang.model.compact import last_end_us
from suanwang.model.ids import AgentId, LinkId, PoolId, SecurityPoolId, SiteId, TaskId
from suanwang.model.plan import Hold
from suanwang.model.record import Phase
from suanwang.model.task import Preference
from suanwang.observe.state import State, Task

# An agent speaks every second or so; after this long without a word its sites count as down.
HEARTBEAT_LOST_US = 15_000_000
# A site that answers, but does not take up an attempt for this long, has lost it.
ACCEPT_US = 60_000_000
# The agent ends a task at its wall time; where it does not, the brain asks for a stop this much later.
WALL_GRACE_US = 30_000_000
# A lease that ends within this time under a live attempt is extended to when the attempt can end at the latest,
EXTEND_AHEAD_US = 10_000_000
# with this much on top for collecting outputs and for the report to arrive.
EXTEND_GRACE_US = 10_000_000
# A plan that is sent this much after its start was not just waiting for its turn.
MISSED_US = 10_000_000

# When room is made, plans that start later than this for want of room are made again, so many at a time,
PULL_AHEAD_US = 1_000_000
PULL_BATCH = 8
# and each no more often than this.
PULL_EVERY_US = 5_000_000


def pullable(state: State, now_us: int, room_us: int, planned_us: Mapping[TaskId, int]) -> list[Task]:
    """Plans made before room was, that wait for room and not for a cheaper hour."""
    found = []
    for task in state.planned.values():
        plan, request = task.plan, task.request
        assert plan is not None and request is not None, "a planned task has its plan and its request"
        made_us = planned_us.get(task.task_id, 0)
        by_choice = request.deadline is not None and request.preference is not Preference.FASTEST
        waits = plan.start_us > max(now_us + PULL_AHEAD_US, request.earliest_start or 0)
        if waits and not by_choice and made_us <= room_us and now_us - made_us >= PULL_EVERY_US:
            found.append(task)
    return found


def silent_sites(state: State, heard_us: Mapping[AgentId, int], now_us: int, lost_us: int) -> list[SiteId]:
    """Live sites whose agent has not spoken for `lost_us`."""
    quiet = {agent for agent, at_us in heard_us.items() if now_us - at_us > lost_us}
    return [site for site, seen in state.sites.items() if seen.live and (state.agent_of.get(site) in quiet)]


def outdated(task: Task, now_us: int) -> bool:
    """Whether the start of a plan was missed by so much (the brain was away) that it no longer keeps the deadline."""
    plan, request = task.plan, task.request
    if plan is None or request is None or request.deadline is None or now_us - plan.start_us < MISSED_US:
        return False
    return now_us + request.resources.wall_time > request.deadline


def unaccepted(state: State, now_us: int) -> Iterator[Task]:
    """Attempts that a live site has not taken up in time."""
    for group in state.by_site.values():
        for task in group.values():
            waits = task.phase is Phase.DISPATCHED and task.attempt is not None and not task.attempt.seen
            if waits and task.attempt is not None and now_us - task.attempt.opened_us > ACCEPT_US:
                yield task


def stranded(state: State) -> Iterator[Task]:
    """Deliveries ordered at a site that is not live: no other was when it was lost."""
    for site, group in state.by_site.items():
        seen = state.sites.get(site)
        if seen is None or not seen.live:
            yield from (task for task in group.values() if task.delivery is not None)


def overrunning(state: State, now_us: int) -> Iterator[tuple[Task, int, bool]]:
    """Live attempts whose lease is about to end, with the end that they need; True where the wall time is over."""
    for group in state.by_site.values():
        for task in group.values():
            attempt, request = task.attempt, task.request
            if attempt is None or request is None:
                continue
            wall_us = request.resources.wall_time
            past = bool(attempt.run_us) and now_us > attempt.run_us + wall_us + WALL_GRACE_US and task.phase in LIVE
            end_us = last_end_us(state.leases[attempt.plan.lease_id])
            if not past and end_us >= now_us + EXTEND_AHEAD_US:
                continue
            latest_us = (attempt.run_us or max(now_us, attempt.plan.run_start_us)) + wall_us
            yield task, max(end_us, latest_us, now_us) + EXTEND_GRACE_US, past


def crowded_out(
    state: State,
    keys: set[str],
    capacity: Mapping[str, tuple[int, ...]],
    now_us: int,
    extended: Set[TaskId] = frozenset(),
) -> list[Task]:
    """Tasks that no longer fit, on these resources: the latest of those that have not begun to run.

    Of those, one whose lease was just `extended` gives way after all others: it is about to begin, and what was planned
    behind it would push it out again and again. Only where all have begun does a running one give way: first one that
    outlasts its window, since without its extension there would be room.
    """
    dropped: dict[str, Task] = {}
    for key in sorted(keys):
        while _over(state, key, capacity[key], now_us, dropped):
            there = [task for task in _holders(state, key) if task.task_id not in dropped]
            if not there:
                break
            idle = [task for task in there if not _runs(task)]
            spared = bool(idle)  # whether the extended ones go last; of those that run they go first
            last = max(idle or there, key=lambda task: ((task.task_id in extended) is not spared, task.order))
            dropped[last.task_id] = last
    return list(dropped.values())


def _holders(state: State, key: str) -> list[Task]:
    """Who holds a resource."""
    leases = state.by_key.get(key, {})
    groups = (state.planned, *state.by_site.values())  # whoever has a plan is in one of them
    holders = [task for group in groups for task in group.values() if task.plan and task.plan.lease_id in leases]
    return sorted(holders, key=lambda task: task.order)


def _runs(task: Task) -> bool:
    """Whether it may have begun: sent, and not known to wait for its data or its time."""
    waits = task.phase in (Phase.DISPATCHED, Phase.STAGING)
    return task.attempt is not None and (bool(task.attempt.run_us) or not waits)


def _over(state: State, key: str, capacity: tuple[int, ...], now_us: int, dropped: Mapping[str, Task]) -> bool:
    gone = {task.plan.lease_id for task in dropped.values() if task.plan is not None}
    edges: list[tuple[int, int, tuple[int, ...]]] = []
    for lease, holds in state.by_key.get(key, {}).items():
        if lease in gone:
            continue
        for hold in holds:
            if f"{hold.resource}|{hold.key}" == key and hold.end_us > now_us:
                need = amounts(hold)
                edges += [(hold.start_us, 1, need), (hold.end_us, 0, tuple(-one for one in need))]
    held = [0] * len(capacity)
    for _, _, change in sorted(edges, key=lambda edge: edge[:2]):
        held = [one + more for one, more in zip(held, change, strict=True)]
        if any(one > most for one, most in zip(held, capacity, strict=True)):
            return True
    return False


def amounts(hold: Hold) -> tuple[int, ...]:
    """What a hold takes, as a vector: of a pool four figures, of a link or a security pool one."""
    if hold.demand is None:
        return (hold.bps,)
    return (hold.demand.cores, hold.demand.memory_bytes, hold.demand.accelerators, hold.demand.nodes)


def capacities(state: State, keys: set[str]) -> dict[str, tuple[int, ...]]:
    """The capacity of each resource key, as vectors that match `amounts`."""
    out: dict[str, tuple[int, ...]] = {}
    for key in keys:
        resource, _, name = key.partition("|")
        if resource == "pool":
            pool, _site = state.index.pools[PoolId(name)]
            out[key] = (
                pool.nodes * pool.cores_per_node,
                pool.nodes * pool.memory_bytes_per_node,
                pool.nodes * pool.accelerators_per_node,
                pool.nodes,
            )
        elif resource == "link":
            out[key] = (state.index.links[LinkId(name.rpartition(":")[0])].capacity_bps,)
        else:
            out[key] = (state.index.security_pools[SecurityPoolId(name)][0].capacity_bps,)
    return out
