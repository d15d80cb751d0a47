"""What time alone brings about. Each function looks at the state and names the tasks that a signal goes to."""

from collections.abc import Iterator, Mapping

from suanwang.dispatch.lifecycle import LIVE
from suanwang.model.ids import AgentId, LinkId, PoolId, SecurityPoolId, SiteId
from suanwang.model.plan import Hold
from suanwang.model.reason import WaitReason
from suanwang.model.record import Phase
from suanwang.observe.state import State, Task

# An agent speaks every second or so; after this long without a word its sites count as down.
HEARTBEAT_LOST_US = 15_000_000
# A site that answers, but does not take up an attempt for this long, has lost it.
ACCEPT_US = 60_000_000
# The agent ends a task at its wall time; where it does not, the brain asks for a stop this much later.
WALL_GRACE_US = 30_000_000
# A lease about to end under a live attempt is extended by this much, again and again while it runs.
EXTEND_AHEAD_US = 10_000_000
EXTEND_US = 60_000_000


def silent_sites(state: State, heard_us: Mapping[AgentId, int], now_us: int, lost_us: int) -> list[SiteId]:
    """Live sites whose agent has not spoken for `lost_us`."""
    quiet = {agent for agent, at_us in heard_us.items() if now_us - at_us > lost_us}
    return [site for site, seen in state.sites.items() if seen.live and (state.agent_of.get(site) in quiet)]


def late_tasks(state: State, now_us: int) -> Iterator[Task]:
    """Waiting tasks whose deadline can no longer be met wherever they ran."""
    for group in (state.queue, state.blocked):
        for task in group.values():
            request = task.request
            assert request is not None, "a live task has its request"
            if request.deadline is not None and now_us + request.resources.wall_time > request.deadline:
                yield task


def ready_again(state: State, now_us: int, sites_up: bool, room_made: bool) -> Iterator[Task]:
    """Blocked tasks whose reason may be cured: a pause over, a site up, room made."""
    for task in state.blocked.values():
        if task.wait_reason is WaitReason.RETRY_DELAY:
            if now_us >= task.wait_until_us:
                yield task
        elif sites_up or (room_made and task.wait_reason is WaitReason.CAPACITY):
            yield task


def unaccepted(state: State, now_us: int) -> Iterator[Task]:
    """Attempts that a live site has not taken up in time."""
    for group in state.by_site.values():
        for task in group.values():
            waits = task.phase is Phase.DISPATCHED and task.attempt is not None and not task.attempt.seen
            if waits and task.attempt is not None and now_us - task.attempt.opened_us > ACCEPT_US:
                yield task


def overrunning(state: State, now_us: int) -> Iterator[tuple[Task, bool]]:
    """Live attempts whose lease is about to end; True where they are past their wall time and its grace."""
    for group in state.by_site.values():
        for task in group.values():
            attempt, request = task.attempt, task.request
            if attempt is None or request is None:
                continue
            end_us = max(hold.end_us for hold in state.leases[attempt.plan.lease_id])
            past = bool(attempt.run_us) and now_us > attempt.run_us + request.resources.wall_time + WALL_GRACE_US
            past = past and task.phase in LIVE
            if past or end_us < now_us + EXTEND_AHEAD_US:
                yield task, past


def crowded_out(state: State, keys: set[str], capacity: Mapping[str, tuple[int, ...]], now_us: int) -> list[Task]:
    """Plans not yet dispatched that no longer fit beside what runs, on these resources; the latest go first."""
    dropped: dict[str, Task] = {}
    owner = {task.plan.lease_id: task for task in state.planned.values() if task.plan is not None}
    for key in sorted(keys):
        while _over(state, key, capacity[key], now_us, dropped):
            there = [owner[lease] for lease in state.by_key.get(key, {}) if lease in owner]
            there = [task for task in there if task.task_id not in dropped]
            if not there:
                break
            last = max(there, key=lambda task: task.order)
            dropped[last.task_id] = last
    return list(dropped.values())


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
