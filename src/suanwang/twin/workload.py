"""What the simulated users submit: tasks of every kind, some impossible, some with deadlines, some that fail."""

import random

from suanwang.model.grid import Grid, PoolKind, ProtectionFunction
from suanwang.model.ids import SiteId
from suanwang.model.task import THIRD_PARTY, Circle, Input, Output, Preference, Resources, Spread, Standby, TaskRequest
from suanwang.model.units import GIB, MIB, US_PER_MINUTE, US_PER_S

# Larger data sets would take days of virtual time on a thin link, which no run waits for.
DATA_BYTES_MAX = 4 * GIB
# The first tasks come faster than any grid here can run them; the rest at about the pace of its sites.
CROWDING_TASKS = 500
TASKS_PER_SITE_MINUTE = 3
OUTCOMES = ("ok",) * 14 + ("exit:1,ok", "exit:1", "oom,ok", "signal:9,ok", "lost,ok", "hang")


def random_task(draw: random.Random, grid: Grid, now_us: int, number: int) -> TaskRequest:
    """One task; about one in twenty asks for what no grid has."""
    wall_us = draw.choice((10, 30, 60)) * US_PER_S
    kind = draw.choice((PoolKind.GENERAL,) * 6 + (PoolKind.AI, PoolKind.AI, PoolKind.HPC, PoolKind.QUANTUM))
    deadline = now_us + wall_us + draw.choice((0, 20, 120, 600)) * US_PER_S if draw.random() < 0.25 else None
    limited = draw.random() < 0.1
    if limited and deadline is None:
        # A tight price waits for a cheap hour, which may be a day away: no run waits for that.
        deadline = now_us + wall_us + 1_200 * US_PER_S
    return TaskRequest(
        name=f"twin {number}",
        run="true",
        resources=_resources(draw, kind, wall_us),
        inputs=_inputs(draw, grid),
        outputs=_outputs(draw),
        origin=draw.choice(grid.sites).id,
        latency=draw.choice((None, None, None, Circle.NATIONAL, Circle.PROVINCIAL)),
        bandwidth=draw.choice((0, 0, 0, 10**7, 10**8)),
        security_level=draw.choice((1, 1, 1, 1, 2, 3)),
        protection=tuple(draw.sample(tuple(ProtectionFunction), draw.choice((0, 0, 0, 1, 2)))),
        deadline=deadline,
        price_limit=draw.choice((1, 10**6, 10**8)) if limited else None,
        preference=draw.choice(tuple(Preference)),
        array=draw.choice((1, 1, 1, 4)),
        **_spread(draw),
        retries=draw.choice((0, 1, 2)),
        priority=draw.choice((0, 10, 10, 50)),
        on_budget=draw.choice(("continue", "stop")),
        owners=draw.choice(((),) * 8 + (("own",), ("own", THIRD_PARTY))),
        preemptible=draw.random() < 0.4,
        checkpoint=draw.choice((None, None, "state")),
        **_beside(draw, {"fake.duration-us": str(draw.randint(1, wall_us)), "fake.outcome": draw.choice(OUTCOMES)}),
    )


def _spread(draw: random.Random) -> dict[str, object]:
    """Some say that an array is to be shared out; it stays whole where it is of one element."""
    return {"spread": Spread(sites=2)} if draw.random() < 0.2 else {}


def _beside(draw: random.Random, tags: dict[str, str]) -> dict[str, object]:
    """Its company, or now and then a second place: not both."""
    if draw.random() < 0.1:
        return {"tags": tags, "standby": draw.choice(tuple(Standby))}
    return {**_company(draw, tags)}


def _company(draw: random.Random, tags: dict[str, str]) -> dict[str, dict[str, str]]:
    """Tags; some tasks are of a team that spreads, some of a crew that stays together. Nobody waits for one who never
    comes: a crew begins with any of its own."""
    group = {draw.choice(("team", "crew")): draw.choice("abc")}
    roll = draw.random()
    if roll > 0.2:
        return {"tags": tags}
    if roll > 0.15:
        return {"tags": tags, "apart_from": group}
    wish = "apart_from" if "team" in group else "together_with"
    return {"tags": tags | group, wish: group}


def _resources(draw: random.Random, kind: PoolKind, wall_us: int) -> Resources:
    if kind is PoolKind.QUANTUM:
        return Resources(kind=kind, qubits=draw.choice((2, 4, 8)), shots=1_000, wall_time=wall_us)
    cards = draw.choice((1, 1, 2)) if kind is PoolKind.AI else 0
    return Resources(
        kind=kind,
        cpu=draw.choice((1, 1, 2, 4, 10_000 if draw.random() < 0.1 else 2)),
        memory=draw.choice((256 * MIB, GIB, 2 * GIB)),
        accelerator="any" if cards else None,
        accelerators=cards,
        nodes=draw.choice((1, 1, 2)) if kind is PoolKind.HPC else 1,
        wall_time=wall_us,
    )


def _inputs(draw: random.Random, grid: Grid) -> tuple[Input, ...]:
    public = [one for one in grid.data_sets if one.tenant is None and one.size_bytes <= DATA_BYTES_MAX]
    if not public or draw.random() < 0.8:
        return ()
    one = draw.choice(public)
    return (Input(source=f"dataset:{one.id}", path="in.bin"),)


def _outputs(draw: random.Random) -> tuple[Output, ...]:
    roll = draw.random()
    if roll < 0.6:
        return ()
    return (Output(path="out.bin", target="file:///twin/out" if roll > 0.9 else None),)


def submission_times(draw: random.Random, tasks: int, sites: int, start_us: int) -> list[int]:
    """Arrivals in bursts. A short history crowds its grid; a long one brings what the grid can about carry, else it
    would only watch a queue grow."""
    crowding, carried = min(tasks, CROWDING_TASKS), max(0, tasks - CROWDING_TASKS)
    span_us = US_PER_MINUTE * max(2, crowding // 25 + carried // (TASKS_PER_SITE_MINUTE * sites))
    bursts = sorted(draw.randrange(span_us) for _ in range(max(1, tasks // 8)))
    return sorted(start_us + draw.choice(bursts) + draw.randrange(US_PER_S) for _ in range(tasks))


def site_of(draw: random.Random, grid: Grid) -> SiteId:
    return draw.choice(grid.sites).id
